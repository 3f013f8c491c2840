"""What an output of a stack can hold."""

from __future__ import annotations

import json
from bisect import bisect
from collections.abc import Iterable
from itertools import accumulate

WARNINGS_LIMIT = 1000
"""Bytes in JSON. CloudFormation reads 4096 bytes of answer in all, and 1024 bytes of an output."""

NO_WARNINGS = "none"


def warnings_output(sentences: Iterable[str]) -> str:
    """Return the warnings, cut to what an output of a stack holds."""
    return cut(" ".join(sentences) or NO_WARNINGS, WARNINGS_LIMIT)


def cut(text: str, limit: int) -> str:
    """Return the text, cut to that many bytes of JSON."""
    ends = [*accumulate(map(_size, text))]
    return text if not ends or ends[-1] <= limit else text[: bisect(ends, limit - 3)] + "..."


def _size(character: str) -> int:
    """Return the number of bytes of a character in JSON: six of most that ASCII does not have."""
    return len(json.dumps(character)) - 2
