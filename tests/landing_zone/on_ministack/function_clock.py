"""The time of functions. Their pauses are as much shorter as the models' clock is faster, and count in full.

A function's clock is the real time, and ahead of it by what its pauses were shorter. So a limit of time ends after as
many pauses as on AWS, however slow this machine is; at Lambda's, a pause kills the function. All invocations of a
function have one clock, because one passes times on to the next.
"""

from __future__ import annotations

import struct
import tempfile
from pathlib import Path

FILE = "clock-of-"  # and the function's name, in the folder for temporary files

# Runs in a function's process before its code.
PRELUDE = f"""
import fcntl, os, struct, sys, time
class Clock:
    real_time, real_sleep = time.time, time.sleep
    path = os.path.join(os.environ["TMPDIR"], {FILE!r} + os.environ["AWS_LAMBDA_FUNCTION_NAME"])
    file = os.open(path, os.O_RDWR | os.O_CREAT)
    @classmethod
    def ahead(cls):
        return struct.unpack("d", os.pread(cls.file, 8, 0) or bytes(8))[0]
    @classmethod
    def time(cls):
        return cls.real_time() + cls.ahead()
    @classmethod
    def sleep(cls, seconds):
        until = cls.time() + seconds
        if until > cls.end:
            print("Task timed out", file=sys.stderr, flush=True)
            os._exit(1)
        cls.real_sleep(seconds / SPEED)
        with open(cls.path) as locked:
            fcntl.flock(locked, fcntl.LOCK_EX)
            os.pwrite(cls.file, struct.pack("d", max(cls.ahead(), until - cls.real_time())), 0)
    @classmethod
    def next_request(cls, read=sys.stdin.readline):
        request = read()
        cls.end = cls.time() + float(os.environ["_LAMBDA_TIMEOUT"])
        return request
sys.stdin.readline = Clock.next_request
time.time, time.sleep = Clock.time, Clock.sleep
"""


def prelude(speed: float) -> str:
    """Return Python code. speed: how many seconds a function pauses in one."""
    return PRELUDE.replace("SPEED", str(speed))


def ahead_s(function_name: str) -> float:
    """Return by how many seconds the function's clock is ahead of the real time."""
    path = Path(tempfile.gettempdir(), FILE + function_name)
    seconds: float = struct.unpack("d", path.read_bytes() or bytes(8))[0] if path.exists() else 0.0
    return seconds
