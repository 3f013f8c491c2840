"""Run a Python program in a ForkServer, as if its interpreter had been started here.

    python -IS fork_client.py ADDRESS -m awscli --version

Needs nothing but Python's library, and little of that (not pathlib): it is there to start quickly.
"""

from __future__ import annotations

import json
import os
import socket
import sys

NUMBER_BYTES = 12  # see fork_server, whose import would take longer than all of this


def main(address: str, words: list[str]) -> int:
    """Return the program's exit status. It gets this process's environment, folder and streams."""
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(address)
        request = json.dumps({"words": words, "env": dict(os.environ), "cwd": os.getcwd()})  # noqa: PTH109
        socket.send_fds(server, [b"."], [0, 1, 2])
        server.sendall(request.encode() + b"\n")
        server.recv(NUMBER_BYTES)  # the process id
        return int(server.recv(NUMBER_BYTES) or 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
