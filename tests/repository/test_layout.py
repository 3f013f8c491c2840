"""Test what the layout of the repository promises."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import ctipam

ROOT = Path(__file__).parents[2]
MODELS = sorted((ROOT / "tests" / "aws_models").glob("**/*.py"))
LIBRARY = ROOT / "libraries" / "ctipam"
WINGS = re.findall(r"^    (\w+)   ", ctipam.__doc__ or "", re.MULTILINE)
"""As the library lists them: each uses only those above it."""


def imported(path: Path) -> set[str]:
    """Return the modules that a file imports, anywhere in it."""
    nodes = [*ast.walk(ast.parse(path.read_text(encoding="utf-8")))]
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


@pytest.mark.parametrize("path", MODELS, ids=lambda path: str(path.relative_to(MODELS[0].parent)))
def test_the_models_of_aws_import_nothing_of_the_product_that_they_test(path: Path) -> None:
    found = {name.split(".")[0] for name in imported(path)}

    assert found & {"ctipam", "commands", "landing_zone", "in_process"} == set()


def test_the_library_lists_each_of_its_wings() -> None:
    assert sorted(WINGS) == sorted(path.parent.name for path in LIBRARY.glob("*/__init__.py"))


@pytest.mark.parametrize("wing", WINGS)
def test_a_wing_uses_only_those_above_it_in_the_list(wing: str) -> None:
    below = {f"ctipam.{other}" for other in WINGS[WINGS.index(wing) + 1 :]}

    assert {(path.name, name) for path in (LIBRARY / wing).glob("*.py") for name in imported(path) & below} == set()


def test_what_all_wings_use_uses_none_of_them() -> None:
    wings = {f"ctipam.{wing}" for wing in WINGS}

    assert {(path.name, name) for path in LIBRARY.glob("*.py") for name in imported(path) & wings} == set()
