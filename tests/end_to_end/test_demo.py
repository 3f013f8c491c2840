"""The demo runs, and the README shows what it prints."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from landing_zone import demo

README = Path(__file__).parents[2] / "README.md"


def test_the_readme_shows_the_output_of_the_demo(capsys: pytest.CaptureFixture[str]) -> None:
    demo.main()

    printed = re.sub(r"Done in \d+ seconds", "Done in ... seconds", capsys.readouterr().out).strip()
    block = re.search(r"```console\n\$ make demo\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert block
    assert re.sub(r"Done in \d+ seconds", "Done in ... seconds", block[1]).strip() == printed
