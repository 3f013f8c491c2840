"""What commands show on a terminal: colors, and the progress of long reads on stderr."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TextIO

COLORS = {"+": "32", "~": "33", "-": "31", "✗": "31", "!": "33"}
"""Of a line, by the mark at its beginning. https://en.wikipedia.org/wiki/ANSI_escape_code#Colors"""

PROGRESS_EVERY_S = 5.0

Progress = Callable[[str], None]
"""Is told what is read next."""


def has_colors(stream: TextIO, environment: Mapping[str, str] = os.environ) -> bool:
    """https://no-color.org/"""
    return stream.isatty() and not environment.get("NO_COLOR") and environment.get("TERM") != "dumb"


def colored(line: str) -> str:
    """Return a line in the color of its mark."""
    color = COLORS.get(line.lstrip()[:1])
    return f"\033[{color}m{line}\033[0m" if color else line


@contextmanager
def progress() -> Iterator[Progress]:
    """Yield a function that is told what is read next, and say on stderr every few seconds what is still being read.

    On a terminal, each step is shown when it begins.
    """
    steps = ["..."]
    done = threading.Event()

    def begin(step: str) -> None:
        steps.append(step)
        if sys.stderr.isatty():
            print(f"Reading {step} ...", file=sys.stderr, flush=True)

    def remind() -> None:
        waited = 0.0
        while not done.wait(PROGRESS_EVERY_S):
            waited += PROGRESS_EVERY_S
            print(f"still reading {steps[-1]} ({waited:.0f} s)", file=sys.stderr, flush=True)

    reminder = threading.Thread(target=remind, daemon=True)
    reminder.start()
    try:
        yield begin
    finally:
        done.set()
        reminder.join()
