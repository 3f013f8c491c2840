"""What a user runs uses only what both Linux and macOS have, because README asks for nothing but Python."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]

NOT_ON_MACOS = re.compile(
    r"SOCK_SEQPACKET|SOCK_CLOEXEC|waitid|epoll|eventfd|memfd_create|pidfd_open|pipe2|sched_\w+affinity|sigwaitinfo"
    r"|sigtimedwait|posix_fadvise|/proc/|/dev/shm"
)
"""https://docs.python.org/3/library/os.html says of each function where it is available, and macOS's socket(2) which
types of sockets it has."""


def test_what_a_user_runs_needs_nothing_that_macos_lacks() -> None:
    folders = ("libraries", "packages", "tests/landing_zone", "tests/aws_models")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]

    found = {
        str(path.relative_to(ROOT)): names
        for path in files
        if (names := NOT_ON_MACOS.findall(path.read_text(encoding="utf-8")))
    }

    assert len(files) > 200
    assert found == {}
