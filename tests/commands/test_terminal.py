"""What commands show of names that anybody in the company may have chosen."""

from __future__ import annotations

import json
import sys

import pytest

from commands import program, terminal
from ctipam.errors import Refused


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("\033]0;owned\a\033[2J", r"\u001b]0;owned\u0007\u001b[2J"),
        ("\x9b2J", r"\u009b2J"),  # as one character, which some terminals obey too
        ("a\r\nPools: all fine\u2028", r"a\u000d\u000aPools: all fine\u2028"),
        ("\u202egnp.exe\u2066", r"\u202egnp.exe\u2066"),
    ],
    ids=["escape sequences", "C1", "line breaks", "directions"],
)
def test_a_name_cannot_steer_the_terminal_or_forge_a_line(
    name: str, shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal.show([f"OU {name} has no pools."])

    assert capsys.readouterr().out == f"OU {shown} has no pools.\n"


def test_names_in_any_script_stay_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    names = ["Ünïcode \"quoted\" 'OU'", "產品", "ייצור", "👩\u200d👩\u200d👧"]
    terminal.show(names)

    assert capsys.readouterr().out == "\n".join(names) + "\n"


def test_json_stays_the_same_data(capsys: pytest.CaptureFixture[str]) -> None:
    answer = {"name": "".join(map(chr, [*range(0x500), *range(0x2000, 0x2100)]))}
    terminal.show(json.dumps(answer, indent=4, ensure_ascii=False).split("\n"))

    assert json.loads(capsys.readouterr().out) == answer


@pytest.mark.parametrize(("mark", "color"), [("+", 32), ("~", 33), ("-", 31), ("✗", 31), ("!", 33)])
def test_a_line_has_the_color_of_its_mark(mark: str, color: int, capsys: pytest.CaptureFixture[str]) -> None:
    terminal.show([f"  {mark} pool", "pool", ""], colors=True)
    terminal.show([f"{mark} pool"])

    assert capsys.readouterr().out == f"\033[{color}m  {mark} pool\033[0m\npool\n\n{mark} pool\n"


def test_only_the_colors_of_a_command_itself_reach_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.show(["- OU \033[32m"], colors=True)

    assert capsys.readouterr().out == "\033[31m- OU \\u001b[32m\033[0m\n"


def test_a_refusal_shows_names_so_too_and_keeps_its_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("signal.signal", lambda *_: None)

    def refuse() -> None:
        raise Refused("OU \033[2J is unknown:\nsee above")

    with pytest.raises(SystemExit) as end:
        program.run(refuse)

    assert end.value.code == "OU \\u001b[2J is unknown:\nsee above"


@pytest.mark.parametrize(
    ("environment", "has_colors"),
    [({}, True), ({"TERM": "xterm"}, True), ({"TERM": "dumb"}, False), ({"NO_COLOR": "1"}, False)],
)
def test_colors_are_for_terminals_that_know_them_and_people_who_want_them(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], has_colors: bool
) -> None:
    assert not terminal.has_colors(sys.stdout, environment)

    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert terminal.has_colors(sys.stdout, environment) == has_colors
