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
    text = " ".join(sentences) or NO_WARNINGS
    ends = [*accumulate(map(_size, text))]
    if ends[-1] <= WARNINGS_LIMIT:
        return text
    return text[: bisect(ends, WARNINGS_LIMIT - 3)] + "..."


def _size(character: str) -> int:
    """Return the number of bytes of a character in JSON: six of most that ASCII does not have."""
    return len(json.dumps(character)) - 2
