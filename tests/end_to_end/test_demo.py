"""The demo runs, and the README shows what it prints."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from landing_zone import demo

README = Path(__file__).parents[2] / "README.md"


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


def test_the_readme_shows_the_output_of_the_demo_whatever_the_users_settings(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in USERS_SETTINGS.items():
        monkeypatch.setenv(name, value)

    demo.main()

    printed = re.sub(r"Done in \d+ seconds", "Done in ... seconds", capsys.readouterr().out).strip()
    block = re.search(r"```console\n\$ make demo\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert block
    assert re.sub(r"Done in \d+ seconds", "Done in ... seconds", block[1]).strip() == printed
