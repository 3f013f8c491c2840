"""How a command ends."""

from __future__ import annotations

import errno
import importlib
import io
import os
import runpy
import signal
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import commands
from commands import program
from ctipam.errors import Refused

DISCARD_OUTPUT = program.discard_output


@pytest.fixture(autouse=True)
def discarded(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Leave the signals and the output of the tests as they are. Return a list that notes when output is discarded."""
    noted: list[bool] = []
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setattr(program, "discard_output", lambda: noted.append(True))
    return noted


def ended(command: Callable[[], int | None], *, only_prints: bool = False) -> object:
    """Return the exit code, or the message."""
    with pytest.raises(SystemExit) as end:
        program.run(command, only_prints=only_prints)
    return end.value.code


def fails(error: OSError) -> Callable[[], None]:
    def command() -> None:
        raise error

    return command


def test_a_command_that_does_more_than_tell_has_failed_if_nobody_reads_its_output(discarded: list[bool]) -> None:
    assert ended(fails(BrokenPipeError())) == 141
    assert ended(fails(BrokenPipeError()), only_prints=True) == 0
    assert discarded == [True, True], "or Python would fail at its end"


def test_a_command_whose_exit_code_is_an_answer_gives_it_even_if_nobody_reads_its_output(
    discarded: list[bool],
) -> None:
    def command() -> int:
        with program.reader_may_stop():
            raise BrokenPipeError
        return 2

    assert ended(command) == 2
    assert discarded == [True]


def test_a_full_disk_is_a_sentence(discarded: list[bool]) -> None:
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    assert ended(fails(full)) == "Failed: [Errno 28] No space left on device"
    assert discarded == [True]


def test_output_that_is_discarded_is_lost(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with (tmp_path / "output").open("w", encoding="utf-8") as output:
        monkeypatch.setattr("sys.stdout", output)
        print("read", flush=True)
        DISCARD_OUTPUT()
        print("not read", flush=True)

    assert (tmp_path / "output").read_text(encoding="utf-8") == "read\n"
    monkeypatch.setattr("sys.stdout", None)
    DISCARD_OUTPUT()


def test_ctrl_c_ends_a_command_that_only_reads_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    handlers: dict[int, Callable[[int, None], None]] = {}
    done: list[object] = []
    monkeypatch.setattr("signal.signal", handlers.__setitem__)
    monkeypatch.setattr("os.write", lambda _stream, text: done.append(text))
    monkeypatch.setattr("os._exit", done.append)

    with pytest.raises(SystemExit):
        program.run(lambda: handlers[signal.SIGINT](signal.SIGINT, None), only_reads=True)

    assert done == [b"\n", 130]
    assert handlers[signal.SIGINT] is handlers[signal.SIGTERM]


def test_a_command_whose_output_is_closed_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", None)

    assert ended(lambda: 3) == 3


def test_ctrl_c_ends_the_line_of_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    def command() -> None:
        raise KeyboardInterrupt

    assert ended(command) == 130
    assert capsys.readouterr().err == "\n"


def test_a_command_that_is_told_to_end_ends_as_after_ctrl_c(monkeypatch: pytest.MonkeyPatch) -> None:
    """`kill`, and the end of a job in CI, send SIGTERM."""
    handlers: dict[int, Callable[[int, None], None]] = {}
    monkeypatch.setattr("signal.signal", handlers.__setitem__)

    assert ended(lambda: handlers[signal.SIGTERM](signal.SIGTERM, None)) == 130


def test_each_line_is_written_at_once_and_as_it_is_whatever_reads_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also into a pipe, where what the AWS CLI writes comes between; and in a locale without such letters."""
    written = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(written, encoding="ascii"))

    def command() -> int:
        print("✓ Über \udc80")
        assert written.getvalue() == "✓ Über \\udc80\n".encode()
        return 0

    assert ended(command) == 0


@pytest.mark.parametrize(
    ("module", "target", "how"),
    [
        ("plan", "plan", {"only_prints": True}),
        ("preflight", "preflight", {"only_reads": True}),
        ("preview", "preview", {"only_reads": True}),
        ("explain", "explain", {"only_reads": True, "only_prints": True}),
        ("deploy", "deploy", {}),
        ("undo", "undo", {}),
        ("operate", "reconcile", {"only_prints": False}),
        ("operate", "report", {"only_prints": True}),
    ],
)
def test_each_command_runs_as_what_it_is_and_takes_no_word_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, module: str, target: str, how: dict[str, bool]
) -> None:
    """What only reads ends at once after Ctrl-C, and what only prints has succeeded if nobody wants more."""
    begun: list[tuple[Callable[[], Any], dict[str, bool]]] = []
    monkeypatch.setattr(program, "run", lambda command, **options: begun.append((command, options)))
    monkeypatch.setattr(sys, "argv", ["", target])
    package = find_spec(f"commands.{module}").submodule_search_locations  # type: ignore[union-attr]
    runs = f"commands.{module}.__main__" if package else f"commands.{module}"
    monkeypatch.delitem(sys.modules, runs, raising=False)  # or runpy would warn
    monkeypatch.setenv("WORDS", "")
    monkeypatch.setenv("stack", "another")

    runpy.run_module(f"commands.{module}", run_name="__main__")

    ((command, options),) = begun
    assert options == how
    with pytest.raises(Refused, match=f"stack is set in the environment, from which make {target} takes no arguments"):
        command()


def test_ctrl_c_while_a_command_is_imported_shows_no_place_in_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """As Python sets it for `python -m commands.plan` until that runs, and no other program."""
    handlers: dict[int, Callable[[int, None], None]] = {}
    codes: list[int] = []
    monkeypatch.setattr("signal.signal", handlers.__setitem__)
    monkeypatch.setattr("os._exit", codes.append)

    monkeypatch.setattr(sys, "argv", ["pytest"])
    importlib.reload(commands)
    assert not handlers

    monkeypatch.setattr(sys, "argv", ["-m", "a word"])
    importlib.reload(commands)
    handlers[signal.SIGINT](signal.SIGINT, None)
    assert codes == [130]
