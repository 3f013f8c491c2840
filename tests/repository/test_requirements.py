"""The pinned packages in tests/requirements: what the README promises of Python holds for each of them."""

from __future__ import annotations

from importlib.metadata import distributions
from pathlib import Path

from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[2]
PYTHONS = ("3.11.0", "3.14.99")
"""The oldest and the newest. `make lock` itself chooses versions for the Python that runs it."""


def test_every_installed_package_runs_on_the_oldest_and_on_the_newest_python() -> None:
    folders = [str(folder) for folder in ROOT.glob(".venv/*/lib/python*/site-packages")]

    needed = {
        f"{package.name} {package.version}": package.metadata["Requires-Python"]
        for package in distributions(path=folders)
        if "Requires-Python" in package.metadata
    }

    assert len(folders) >= 3  # the checkers too, if they are installed
    for python in PYTHONS:
        assert {name: pythons for name, pythons in needed.items() if python not in SpecifierSet(pythons)} == {}, python
