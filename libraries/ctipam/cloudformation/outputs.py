"""What an output of a stack can hold."""

from __future__ import annotations

from collections.abc import Iterable

WARNINGS_LIMIT = 1000
"""Characters. CloudFormation reads 4096 bytes of answer in all, and 1024 bytes of an output."""

NO_WARNINGS = "none"


def warnings_output(sentences: Iterable[str]) -> str:
    """Return the warnings, cut to what an output of a stack holds."""
    text = " ".join(sentences) or NO_WARNINGS
    limit = WARNINGS_LIMIT if text.isascii() else WARNINGS_LIMIT // 6  # JSON takes six bytes for other characters
    return text if len(text) <= limit else text[: limit - 3] + "..."
