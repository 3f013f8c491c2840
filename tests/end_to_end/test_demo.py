"""The demo runs and prints what is shown of it, whatever the user's settings."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from landing_zone import demo

SHOWN = Path(__file__).parents[1] / "landing_zone/demo.txt"


USERS_SETTINGS = {
    "HTTPS_PROXY": "http://127.0.0.1:9",
    "https_proxy": "http://127.0.0.1:9",
    "ALL_PROXY": "http://127.0.0.1:9",
    "NO_PROXY": "example.com",
    "AWS_PROFILE": "nobody",
    "AWS_CONFIG_FILE": __file__,  # no configuration
    "AWS_ENDPOINT_URL": "https://127.0.0.1:9",
    "AWS_CA_BUNDLE": "/nowhere",
    "AWS_DEFAULT_OUTPUT": "yaml-stream",
    "AWS_PAGER": "false",
}
"""Each of them would break the demo, if it reached it."""


def test_the_demo_prints_what_is_shown_of_it_whatever_the_users_settings(
    fast_cli: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in USERS_SETTINGS.items():
        monkeypatch.setenv(name, value)

    demo.main()

    printed = without_the_duration(capsys.readouterr().out)
    assert without_the_duration(SHOWN.read_text(encoding="utf-8")) == printed


def without_the_duration(output: str) -> str:
    return re.sub(r"Done in \d+ seconds", "Done in ... seconds", output).strip()
