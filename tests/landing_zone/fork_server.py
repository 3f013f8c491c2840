"""Start Python programs that need the same modules, from a process that has imported them once.

    with ForkServer("/usr/bin/python3", modules=["boto3"], services=["ec2"]) as server:
        process = server.start(["-m", "awscli", "--version"], env={...}, cwd="/tmp")
        output, errors = process.communicate()

A program runs in a process of its own, with its own environment, folder and streams, as if the interpreter had been
started. But the modules are there already, and so are AWS's models of the services: reading both takes most of the time
of a command of the AWS CLI, of the first invocation of a function, and of an engine's start. It is killed when its
starter ends first.

The interpreter may be another environment's: this file is the server's program too. It needs only Python, and where
there is botocore, the module quick_botocore beside it.

Each program has a connection of its own. The starter sends a byte with the program's streams and a line of JSON, and
the server answers with two numbers: the process id, and at the end the exit status. A byte stream, because macOS has no
Unix sockets that keep messages apart.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

NUMBER_BYTES = 12
"""Of an answer, padded with spaces: so two that arrive together are two."""

STREAMS = 3  # input, output, errors
GRACE_S = 1  # for a program to end by itself when its input does
ENVIRONMENT = {  # nothing of the starter's: each program gets its own
    "LANG": "C.UTF-8",
    "PYTHONDONTWRITEBYTECODE": "1",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "NO_PROXY": "*",  # else macOS is asked for its proxies, which it does not allow in a forked process
}


class ForkServer:
    """modules    to import before any program starts
    services   of which botocore reads the models before any program starts
    rehearsal  a program that the server itself runs, in silence, before it starts any: what that reads stays read
    address    the path of a socket at which fork_client.py may ask too; empty: nobody else may
    """

    def __init__(
        self,
        interpreter: str,
        *,
        modules: Sequence[str],
        services: Sequence[str],
        rehearsal: Sequence[str] = (),
        address: str = "",
    ) -> None:
        prepared = [json.dumps([*words]) for words in (modules, services, rehearsal)]
        self._command = [interpreter, __file__, *prepared]
        self.address = address
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        if address:
            with socket.socket(socket.AF_UNIX) as others:
                others.bind(address)
                others.listen()  # who connects from now on, waits for the server
                self._begin(others)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._process:
            self._socket.close()
            self._process.wait()

    def start(self, words: Sequence[str], *, env: Mapping[str, str], cwd: str, log: int | None = None) -> Forked:
        """Start a program.

        words   a script, or -m and a module, and the arguments
        log     the descriptor of a file that gets all that the program prints; None: pipes get it
        """
        connection, of_program = socket.socketpair()
        with of_program:
            socket.send_fds(self._control(), [b"."], [of_program.fileno()])
        return Forked(connection, *_send(connection, words, env, cwd, log))

    def _control(self) -> socket.socket:
        with self._lock:
            if self._process is None:
                self._begin()
            return self._socket

    def _begin(self, *others: socket.socket) -> None:
        # A byte for each program: threads may start some at the same time. It ends with us, and the server too.
        self._socket, control = socket.socketpair()
        with control:
            askers = [asker.fileno() for asker in (control, *others)]
            command = [*self._command, *map(str, askers)]
            self._process = subprocess.Popen(command, env=ENVIRONMENT, stdin=subprocess.DEVNULL, pass_fds=askers)


def command_at(address: str) -> list[str]:
    """Return the command that starts, with words as for `start`, what the server at this address starts."""
    return [sys.executable, "-IS", str(Path(__file__).with_name("fork_client.py")), address]


class ForkServerAt:
    """A ForkServer of another process, at its address."""

    def __init__(self, address: str) -> None:
        self._address = address

    def start(self, words: Sequence[str], *, env: Mapping[str, str], cwd: str) -> Forked:
        """See ForkServer."""
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(self._address)
        return Forked(connection, *_send(connection, words, env, cwd))


def _send(
    connection: socket.socket, words: Sequence[str], env: Mapping[str, str], cwd: str, log: int | None = None
) -> tuple[int, int, int]:
    """Ask the server for a program; return our ends of its input, output and errors."""
    request = json.dumps({"words": list(words), "env": dict(env), "cwd": cwd}).encode()
    in_child, stdin = os.pipe()
    if log is None:
        (stdout, out_child), (stderr, error_child) = os.pipe(), os.pipe()
    else:
        stdout, stderr = (os.open(os.devnull, os.O_RDONLY) for _ in range(2))
        out_child, error_child = os.dup(log), os.dup(log)
    given = [in_child, out_child, error_child]
    socket.send_fds(connection, [b"."], given)
    connection.sendall(request + b"\n")
    for descriptor in given:
        os.close(descriptor)
    return stdin, stdout, stderr


class Forked:
    """A started program, like a subprocess.Popen with text pipes."""

    def __init__(self, status: socket.socket, stdin: int, stdout: int, stderr: int) -> None:
        self.stdin = os.fdopen(stdin, "w", buffering=1)
        self.stdout, self.stderr = (os.fdopen(one, errors="backslashreplace") for one in (stdout, stderr))
        self.returncode: int | None = None
        self._status, self._lock = status, threading.Lock()
        self.pid = self._told()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        for stream in (self.stdin, self.stdout, self.stderr):
            stream.close()
        self.wait()

    def poll(self) -> int | None:
        with contextlib.suppress(TimeoutError):
            self.wait(timeout=0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit status; that of a signal is negative. Raises TimeoutError after timeout seconds."""
        with self._lock:
            if self.returncode is None:
                self._status.settimeout(timeout)
                try:
                    self.returncode = self._told()
                except BlockingIOError as error:
                    raise TimeoutError from error
                self._status.close()
            return self.returncode

    def communicate(self) -> tuple[str, str]:
        """Return what the program prints from now on, when it has ended."""
        self.stdin.close()
        errors: list[str] = []
        reader = threading.Thread(target=lambda: errors.append(self.stderr.read()))
        reader.start()
        with self.stdout, self.stderr:
            output = self.stdout.read()
            reader.join()
        self.wait()
        return output, errors[0]

    def terminate(self) -> None:
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        self._send(signal.SIGKILL)

    def _send(self, number: int) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):  # it has ended, and that is not told yet
                os.kill(self.pid, number)

    def _told(self) -> int:
        return int(self._status.recv(NUMBER_BYTES) or -signal.SIGKILL)  # silence: whoever would tell was killed with it


def serve(control: socket.socket, others: Sequence[socket.socket], added: Mapping[str, str]) -> None:
    """Start what is asked for, until the starter ends.

    others   where clients of fork_client.py connect: one socket or none
    added    the variables that the modules set when imported
    """
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the processes that wait for the programs
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the starter, with whom this ends
    askers = [control, *others]
    while True:
        asker = select.select(askers, [], [])[0][0]
        if asker is control:
            byte, descriptors, _, _ = socket.recv_fds(control, 1, 1)
            if not byte:
                return
            connection = socket.socket(fileno=descriptors[0])
        else:
            connection, _ = asker.accept()
        with connection:
            if os.fork() == 0:
                for asker in askers:
                    asker.close()
                _watch(connection, added)


def _watch(connection: socket.socket, added: Mapping[str, str]) -> None:
    """Read what is asked for, fork the program, tell its process id and later its exit status, and end."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    byte, streams, _, _ = socket.recv_fds(connection, 1, STREAMS)
    with connection.makefile("rb") as line:
        request = json.loads(line.readline() or "null")
    if not (byte and request):  # the starter has ended meanwhile
        os._exit(1)
    pid = os.fork()
    if pid == 0:
        connection.close()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        _become(request | {"env": {**request["env"], **added}}, streams)
    for descriptor in streams:
        os.close(descriptor)
    with contextlib.suppress(OSError):  # the starter has ended, and the program ends for that
        connection.sendall(_number(pid))
    threading.Thread(target=_kill_without_starter, args=(pid, connection), daemon=True).start()
    _, status = os.waitpid(pid, 0)
    with contextlib.suppress(OSError):
        connection.sendall(_number(os.waitstatus_to_exitcode(status)))
    os._exit(0)


def _number(number: int) -> bytes:
    return str(number).ljust(NUMBER_BYTES).encode()


def _kill_without_starter(pid: int, connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.recv(1)  # nothing more is sent: it returns when the starter closes its end, or has none any more
    time.sleep(GRACE_S)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _become(request: dict[str, Any], streams: list[int]) -> None:
    """Run the program in this process."""
    for stream, descriptor in enumerate(streams):
        os.dup2(descriptor, stream)
        os.close(descriptor)
    # Those of the server remember what kind of files it had.
    sys.stdin, sys.stdout = os.fdopen(0, closefd=False), os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, errors="backslashreplace", closefd=False)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    status = 1
    try:
        _run(request["words"])
        status = 0
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        else:
            status = end.code or 0
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _run(words: list[str]) -> None:
    """Run a module or a script, and look for other modules where the interpreter does."""
    if words[0] == "-B":  # no program writes bytecode
        words = words[1:]
    is_module = words[0] == "-m"
    others = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    places = [Path.cwd() if is_module else Path(words[0]).parent, *map(Path, others)]
    sys.path[:0] = [str(place.absolute()) for place in places]
    if is_module:
        sys.argv = words[1:]
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = words
        runpy.run_path(words[0], run_name="__main__")


def _read_models(services: list[str]) -> None:
    importlib.import_module("quick_botocore").install()
    maker: Any = importlib.import_module("botocore.session").Session()  # the interpreter's own botocore
    for service in services:
        maker.create_client(service, "us-east-1", aws_access_key_id="none", aws_secret_access_key="none")


def main() -> None:
    modules, given_services, given_rehearsal, *askers = sys.argv[1:]
    control, *others = (socket.socket(fileno=int(asker)) for asker in askers)
    gc.disable()  # whatever is made before the first program, stays
    before = dict(os.environ)
    for name in json.loads(modules):
        importlib.import_module(name)
    added = {name: value for name, value in os.environ.items() if before.get(name) != value}
    if services := json.loads(given_services):
        _read_models(services)
    sys.path.pop(0)  # the folder of this file
    if rehearsal := json.loads(given_rehearsal):
        path = [*sys.path]
        with (
            Path(os.devnull).open("w") as nowhere,
            contextlib.redirect_stdout(nowhere),
            contextlib.suppress(SystemExit),
        ):
            _run(rehearsal)
        sys.path[:] = path
    gc.freeze()  # what is there already stays shared by all processes
    gc.enable()
    serve(control, others, added)


if __name__ == "__main__":
    main()
