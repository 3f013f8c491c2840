"""What commands show: lines without control characters, colors, and the progress of long reads on stderr."""

from __future__ import annotations

import os
import re
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TextIO

COLORS = {"+": "32", "~": "33", "-": "31", "✗": "31", "!": "33"}
"""Of a line, by the mark at its beginning. https://en.wikipedia.org/wiki/ANSI_escape_code#Colors"""

CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""Characters that steer a terminal, begin a line, or turn the direction of the text around them, as names of OUs and
of VPCs may. https://www.unicode.org/reports/tr9/#Directional_Formatting_Characters"""

PROGRESS_EVERY_S = 5.0

Progress = Callable[[str], None]
"""Announces what is read next."""


def has_colors(stream: TextIO, environment: Mapping[str, str] = os.environ) -> bool:
    """Return whether the stream gets colors, see https://no-color.org/"""
    return stream.isatty() and not environment.get("NO_COLOR") and environment.get("TERM") != "dumb"


def colored(line: str) -> str:
    """Return a line in the color of its mark."""
    color = COLORS.get(line.lstrip()[:1])
    return f"\033[{color}m{line}\033[0m" if color else line


def plain(line: str) -> str:
    """Return a line with its control characters as escapes of JSON, so that JSON stays the same data."""
    return CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", line)


def show(lines: Iterable[str], *, colors: bool = False) -> None:
    """Print lines. Whatever is in them, each stays one line."""
    print("\n".join(colored(plain(line)) if colors else plain(line) for line in lines))


def remark(text: str) -> None:
    """Print a sign of life, for a person who waits: on a terminal only, and on stderr."""
    if sys.stderr.isatty():
        print(plain(text), file=sys.stderr)


@contextmanager
def progress(doing: str = "reading") -> Iterator[Progress]:
    """Yield a function that announces each step. A step that takes long is announced again every few seconds.

    doing   what is done to what a step names
    """
    steps = ["..."]
    done = threading.Event()

    def begin(step: str) -> None:
        steps.append(step)
        remark(f"{doing.capitalize()} {step} ...")

    def remind() -> None:
        waited = 0.0
        while not done.wait(PROGRESS_EVERY_S):
            waited += PROGRESS_EVERY_S
            remark(f"still {doing} {steps[-1]} ({waited:.0f} s)")

    reminder = threading.Thread(target=remind, daemon=True)
    reminder.start()
    try:
        yield begin
    finally:
        done.set()
        reminder.join()
