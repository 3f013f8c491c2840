"""Test what the layout of the repository promises."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODELS = sorted((ROOT / "tests" / "aws_models").glob("**/*.py"))


@pytest.mark.parametrize("path", MODELS, ids=lambda path: str(path.relative_to(MODELS[0].parent)))
def test_the_models_of_aws_import_nothing_of_the_product_that_they_test(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module]
    imported += [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]

    assert {name.split(".")[0] for name in imported} & {"ctipam", "commands", "landing_zone", "in_process"} == set()
