"""Numbers and lists as they stand in sentences."""

from __future__ import annotations

from collections.abc import Sequence


def numbered(number: int, what: str) -> str:
    """Return the number with its noun: 1 CIDR, 2 CIDRs."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def some(items: Sequence[object], number: int) -> str:
    """Return the first of these, and how many more there are: a, b and 3 more."""
    more = f" and {len(items) - number:,} more" if len(items) > number else ""
    return ", ".join(map(str, items[:number])) + more
