"""How every command runs: its exit code, its messages, and what happens if it is interrupted."""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from commands import INTERRUPTED, terminal
from ctipam.errors import Refused

NOT_READ = 128 + signal.SIGPIPE
"""The exit code of a program whose output nobody reads."""


def run(command: Callable[[], int | None], *, only_reads: bool = False, only_prints: bool = False) -> NoReturn:
    """Run a command and exit with the code that it returns, 0 for None.

    Prints a Refused and exits with 1. Handles SIGTERM as Ctrl-C, so that temporary files are removed. Ends without a
    message if the reader of the output has closed it.

    only_reads    it has nothing to clean up, so Ctrl-C ends it at once, whatever its threads still wait for
    only_prints   its output is all that it is for, so it has succeeded if nobody wants more, as in `make plan | head`
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # trees, pictures and names of OUs, in any locale; and each line at once, before what the AWS CLI writes
            stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _exit if only_reads else _interrupt)
    try:
        code = command() or 0
    except Refused as refusal:
        sys.exit("\n".join(map(terminal.plain, str(refusal).split("\n"))))
    except KeyboardInterrupt:
        print(file=sys.stderr)
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        discard_output()
        sys.exit(0 if only_prints else NOT_READ)
    except OSError as error:  # a disk that is full, for example
        discard_output()
        sys.exit(f"Failed: {error}")
    sys.exit(code)


@contextmanager
def reader_may_stop() -> Iterator[None]:
    """Print within this what the exit code says too, of a command that only reads: whoever closes the output, as in
    `make preview | head`, still gets the code that is the answer, and no error of make for a broken pipe."""
    try:
        yield
    except BrokenPipeError:
        discard_output()


def discard_output() -> None:
    """Let whatever is printed from now on be lost, also what Python flushes at its end."""
    if sys.stdout:  # None: it was closed from the beginning
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _interrupt(*_: Any) -> NoReturn:
    raise KeyboardInterrupt


def _exit(*_: Any) -> NoReturn:
    os.write(sys.stderr.fileno(), b"\n")
    os._exit(INTERRUPTED)
