"""The checks as `make preflight` and `make deploy` print them."""

from __future__ import annotations

import json
import locale
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from commands import terminal
from commands.preflight.checks import is_ready
from commands.preflight.facts import Check

MARKS = {"ok": "✓", "warning": "!", "unknown": "!", "failed": "✗"}
ASCII_MARKS = MARKS | {"ok": "ok", "failed": "x"}


def show(checks: Sequence[Check]) -> None:
    terminal.show(to_lines(checks, marks()), colors=terminal.has_colors(sys.stdout))


def to_lines(checks: Sequence[Check], marks: Mapping[str, str]) -> list[str]:
    """Return a line for each check, and a summary."""
    width = max(len(mark) for mark in marks.values())
    lines = [f"{marks[one.result]:{width}} {one.about}: {one.text}" for one in checks]
    failed = sum(one.result == "failed" for one in checks)
    unknown = sum(one.result == "unknown" for one in checks)
    summary = f"Not ready: {failed} to fix." if failed else "Nothing to fix." if unknown else "Ready."
    return [*lines, "", f"{summary} Not checked: {unknown}." if unknown else summary]


def to_json(checks: Sequence[Check]) -> str:
    return json.dumps({"ready": is_ready(checks), "checks": [asdict(one) for one in checks]}, indent=4)


def marks() -> Mapping[str, str]:
    """Return the marks that a terminal can show in the user's locale."""
    utf_8 = locale.getencoding().lower().replace("-", "") == "utf8"
    return MARKS if utf_8 or not sys.stdout.isatty() else ASCII_MARKS
