"""How a command ends."""

from __future__ import annotations

import errno
import io
import os
import signal
from collections.abc import Callable

import pytest

from commands import program


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the signals and the output of the tests as they are."""
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setattr(program, "discard_output", lambda: None)


def ended(command: Callable[[], int | None], *, only_prints: bool = False) -> object:
    """Return the exit code, or the message."""
    with pytest.raises(SystemExit) as end:
        program.run(command, only_prints=only_prints)
    return end.value.code


def fails(error: OSError) -> Callable[[], None]:
    def command() -> None:
        raise error

    return command


def test_a_command_that_does_more_than_tell_has_failed_if_nobody_reads_its_output() -> None:
    assert ended(fails(BrokenPipeError())) == 141
    assert ended(fails(BrokenPipeError()), only_prints=True) == 0


def test_a_command_whose_exit_code_is_an_answer_gives_it_even_if_nobody_reads_its_output() -> None:
    def command() -> int:
        with program.reader_may_stop():
            raise BrokenPipeError
        return 2

    assert ended(command) == 2


def test_a_full_disk_is_a_sentence() -> None:
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    assert ended(fails(full)) == "Failed: [Errno 28] No space left on device"


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
