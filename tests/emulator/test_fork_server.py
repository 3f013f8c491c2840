"""A program that is forked runs as if its interpreter had been started."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from landing_zone import fork_client
from landing_zone.fork_server import Forked, ForkServer, command_at
from landing_zone.reading import eventually

ENVIRONMENT = {"COLOR": "blue"}

Start = Callable[..., Forked]


@pytest.fixture(scope="module")
def server() -> Iterator[ForkServer]:
    with ForkServer(sys.executable, modules=["json"], services=[]) as server:
        yield server


@pytest.fixture
def address() -> Iterator[str]:
    """Return the path of a socket, which must be short: macOS takes 103 characters."""
    with tempfile.TemporaryDirectory() as folder:
        yield str(Path(folder, "server"))


@pytest.fixture
def start(server: ForkServer, tmp_path: Path) -> Start:
    """Start a program with this text, from a file of its own: it is read later."""
    numbers = count()

    def started(program: str, *arguments: str) -> Forked:
        script = tmp_path / f"program{next(numbers)}.py"
        script.write_text(program)
        return server.start([str(script), *arguments], env=ENVIRONMENT, cwd=str(tmp_path))

    return started


def test_it_has_its_own_arguments_environment_folder_and_streams(start: Start, tmp_path: Path) -> None:
    process = start(
        "import os, sys\nprint(__name__, sys.argv[1:], dict(os.environ), os.getcwd())\nprint('oops', file=sys.stderr)",
        "a word",
    )

    assert process.communicate() == (f"__main__ ['a word'] {ENVIRONMENT} {tmp_path}\n", "oops\n")
    assert process.returncode == 0


def test_it_reads_its_input_line_by_line_and_ends_with_it(start: Start) -> None:
    process = start("import sys\nfor line in sys.stdin: print(line.upper(), end='', flush=True)")

    with process.stdin, process.stdout, process.stderr:
        process.stdin.write("one\n")
        first = process.stdout.readline()
        still_running = process.poll() is None
        process.stdin.close()
        assert process.wait(timeout=60) == 0
    assert first == "ONE\n"
    assert still_running


@pytest.mark.parametrize(
    ("program", "status", "errors"),
    [
        ("import sys; sys.exit(3)", 3, ""),
        ("import sys; sys.exit('no')", 1, "no\n"),
        ("1 / 0", 1, "ZeroDivisionError: division by zero\n"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", -15, ""),
    ],
    ids=["a number", "a text", "an exception", "a signal"],
)
def test_its_exit_status_is_told(start: Start, program: str, status: int, errors: str) -> None:
    process = start(program)

    _, told = process.communicate()

    assert process.returncode == status
    assert told.endswith(errors)


def test_two_run_at_the_same_time_and_either_can_be_stopped(start: Start) -> None:
    endless = "import sys\nsys.stdin.read()"
    first, second = start(endless), start(endless)

    first.terminate()
    assert first.wait(timeout=60) == -15
    assert second.poll() is None
    second.kill()

    assert second.wait(timeout=60) == -9
    for process in (first, second):
        process.communicate()


def test_what_a_program_changes_is_not_there_for_the_next(start: Start) -> None:
    start("import json, os\njson.dumps = None\nos.environ['COLOR'] = 'red'").communicate()

    output, _ = start("import json, os\nprint(json.dumps(os.environ['COLOR']))").communicate()

    assert output == '"blue"\n'


def test_it_finds_modules_as_the_interpreter_does(start: Start) -> None:
    output, _ = start("import sys\nprint(sys.path)").communicate()

    assert os.path.dirname(__file__) not in output  # noqa: PTH120
    assert "landing_zone" not in output


def test_a_client_lends_its_own_environment_folder_and_streams(address: str, tmp_path: Path) -> None:
    program = "import os, sys\nprint(sys.stdin.read(), sys.argv[1:], dict(os.environ), os.getcwd())\nsys.exit(3)"
    (tmp_path / "program.py").write_text(program)
    environment = ENVIRONMENT | {"LC_ALL": "C.UTF-8"}
    command = [*command_at(address), "program.py", "a word"]

    with ForkServer(sys.executable, modules=[], services=[], address=address):
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, input="hello", capture_output=True, text=True, check=False
        )

    assert (done.returncode, done.stderr) == (3, "")
    assert done.stdout == f"hello ['a word'] {environment} {tmp_path}\n"


def test_what_it_prints_can_go_to_a_file(server: ForkServer, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text("import sys\nprint('hello')\nprint('oops', file=sys.stderr)")

    with (tmp_path / "log").open("wb") as log:
        process = server.start(["program.py"], env={}, cwd=str(tmp_path), log=log.fileno())

    assert process.communicate() == ("", "")
    assert sorted((tmp_path / "log").read_text().split()) == ["hello", "oops"]


def test_another_process_starts_programs_at_its_address_and_they_are_killed_when_it_ends(
    address: str, tmp_path: Path
) -> None:
    (tmp_path / "program.py").write_text("import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(600)")
    starter = (
        "import sys\nfrom landing_zone.fork_server import ForkServerAt\n"
        "process = ForkServerAt(sys.argv[1]).start(['program.py'], env={}, cwd=sys.argv[2])\n"
        "print(process.stdout.readline(), end='', flush=True)\nsys.stdin.read()"
    )
    command = [sys.executable, "-c", starter, address, str(tmp_path)]
    environment = os.environ | {"PYTHONPATH": str(Path(fork_client.__file__).parents[1])}

    with ForkServer(sys.executable, modules=[], services=[], address=address):
        pipe = subprocess.PIPE
        with subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, text=True) as other:
            assert other.stdout
            pid = int(other.stdout.readline())
            assert is_running(pid)
            other.kill()

        eventually(lambda: not is_running(pid))


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
