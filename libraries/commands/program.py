"""How every command runs: its exit code, its messages, and what happens if it is interrupted."""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from commands import INTERRUPTED
from ctipam.errors import Refused


def run(command: Callable[[], int | None], *, only_reads: bool = False) -> NoReturn:
    """Run a command and exit with the code that it returns, 0 for None.

    Prints a Refused and exits with 1. Handles SIGTERM as Ctrl-C, so that temporary files are removed. Ends without a
    message if the reader of the output has closed it, as in `make plan | head`.

    only_reads   it has nothing to clean up, so Ctrl-C ends it at once, whatever its threads still wait for
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # trees, pictures and names of OUs, in any locale
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _exit if only_reads else _interrupt)
    try:
        code = command() or 0
        sys.stdout.flush()
    except Refused as refusal:
        sys.exit(str(refusal))
    except KeyboardInterrupt:
        print(file=sys.stderr)
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what Python flushes at its end
        sys.exit(0)
    sys.exit(code)


def _interrupt(*_: Any) -> NoReturn:
    raise KeyboardInterrupt


def _exit(*_: Any) -> NoReturn:
    os.write(sys.stderr.fileno(), b"\n")
    os._exit(INTERRUPTED)
