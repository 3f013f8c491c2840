"""The changelog has an entry for the version in the zips."""

from __future__ import annotations

import re
from pathlib import Path

import ctipam

CHANGELOG = Path(__file__).parents[2] / "CHANGELOG.md"


def test_the_newest_version_in_the_changelog_is_the_current_version() -> None:
    versions = re.findall(r"^## \[([0-9.]+)\] - \d{4}-\d\d-\d\d$", CHANGELOG.read_text(encoding="utf-8"), re.MULTILINE)

    assert versions[0] == ctipam.__version__
