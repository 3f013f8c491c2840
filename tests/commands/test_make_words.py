"""The words that make gives a command, and those of a command that is run without make."""

from __future__ import annotations

import sys

import pytest

from commands import make_words
from ctipam.errors import Refused


def test_the_words_are_those_of_the_command_line_and_no_others() -> None:
    environment = {"WORDS": " REGIONS CIDR other ", "CIDR": "10.0.0.0/8", "REGIONS": "", "HOME": "/", "ENVS": ""}

    assert make_words.read("plan", ["CIDR", "REGIONS", "ENVS", "stack"], environment) == [
        *("CIDR=10.0.0.0/8", "REGIONS=", "other="),
    ]
    assert make_words.read("plan", ["CIDR"], {}) == []
    with pytest.raises(Refused) as refused:
        make_words.read("plan", ["CIDR", "stack"], environment | {"stack": "second"})
    assert str(refused.value) == (
        "stack is set in the environment, from which make plan takes no arguments; give it after the target, make plan "
        "stack=..., or run env -u stack make plan."
    )


def test_without_make_the_words_are_the_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["explain", "vpc=vpc-1"])
    monkeypatch.delenv("WORDS", raising=False)
    assert (make_words.by_make(), make_words.given("explain", ["vpc"])) == (False, ["vpc=vpc-1"])

    monkeypatch.setenv("WORDS", "pool")
    monkeypatch.setenv("pool", "us-west-2/Prod OU")
    assert (make_words.by_make(), make_words.given("explain", ["pool"])) == (True, ["pool=us-west-2/Prod OU"])


@pytest.mark.parametrize("value", ["Größe", "Gr\udcc3\udcb6\udcc3\udc9fe"], ids=["UTF-8", "a locale without umlauts"])
def test_a_value_is_text_whatever_the_locale(value: str) -> None:
    assert make_words.read("plan", ["ENVS"], {"WORDS": "ENVS", "ENVS": value}) == ["ENVS=Größe"]


def test_a_value_in_another_encoding_is_refused() -> None:
    with pytest.raises(Refused, match="ENVS is not text in UTF-8; give it in UTF-8"):
        make_words.read("plan", ["ENVS"], {"WORDS": "ENVS", "ENVS": "Gr\udcf6\udcdfe"})
