"""Run a shell command that sets up a folder, while no other make of this clone does the same.

    python3 alone.py .venv/tools 'commands'

Of two at once, the second waits, and finds what the first has set up. The lock, a file beside the folder, ends with its
holder. Where the file system has no locks, as in some home directories on NFS, nobody waits.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
from pathlib import Path


def main() -> None:
    sys.tracebacklimit = 0  # for Ctrl-C
    folder, commands = sys.argv[1:]
    Path(folder).parent.mkdir(exist_ok=True)
    lock = os.open(f"{folder}.lock", os.O_CREAT | os.O_RDWR, 0o666)
    with contextlib.suppress(OSError):
        if not _is_free(lock):
            print(f"Waiting for the make that sets up {folder}", file=sys.stderr, flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
    os.set_inheritable(lock, True)
    os.execvp("sh", ["sh", "-euc", commands])  # noqa: S606 - it keeps the lock, and Ctrl-C ends it


def _is_free(lock: int) -> bool:
    """Return whether nobody holds the lock; then we do. Raises OSError where there are no locks."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


if __name__ == "__main__":
    main()
