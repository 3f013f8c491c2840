"""README.md and the contract are true of the models, and complete."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import botocore.session
import pytest

from aws_models import clients
from aws_models.contract.elsewhere import QUESTIONS
from aws_models.contract.statements import STATEMENTS
from aws_models.ipam import IpamModel
from aws_models.ipam.requests import PARAMETERS as EC2_PARAMETERS
from aws_models.ram import RamModel
from aws_models.ram.requests import PARAMETERS as RAM_PARAMETERS

PACKAGE = Path(__file__).parents[1]
PAGE = (PACKAGE / "README.md").read_text(encoding="utf-8")
MODULES = [
    path for path in sorted(PACKAGE.glob("**/*.py")) if path.relative_to(PACKAGE).parts[0] not in ("tests", "contract")
]


def section(title: str) -> str:
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def table(title: str) -> dict[str, list[str]]:
    """Return the words in code of the second column by those of the first."""
    rows = [row.split("|")[1:3] for row in section(title).splitlines() if row.startswith("|")]
    return {name.strip("` "): re.findall(r"`(\w+)`", second) for first, second in rows for name in first.split(",")}


def test_the_example_works() -> None:
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)

    exec(compile(example, "README.md", "exec"), {})  # noqa: S102  # our own page


def test_the_page_lists_all_actions() -> None:
    listed = {action for actions in table("What is modeled").values() for action in actions} - {"clients"}

    through_clients = clients.VPC_ACTIONS | clients.TAG_ACTIONS | clients.STS_ACTIONS
    assert listed == IpamModel.ACTIONS | RamModel.ACTIONS | through_clients


def left_out(service: str, parameters: Mapping[str, Any]) -> Iterator[tuple[str, set[str]]]:
    """Yield the parameters of AWS that an action of the models does not take."""
    model = botocore.session.get_session().get_service_model(service)
    for action, (required, optional) in parameters.items():
        shape = model.operation_model(action).input_shape
        taken = {*_words(required), *_words(optional)}
        yield action, set(shape.members if shape else ()) - taken - {"DryRun"}


def _words(names: Any) -> list[str]:
    return names.split() if isinstance(names, str) else list(names)


def test_the_page_lists_all_parameters_that_are_left_out() -> None:
    missing = dict([*left_out("ec2", EC2_PARAMETERS), *left_out("ram", RAM_PARAMETERS)])

    listed = {action: set(names) for action, names in table("What is left out").items() if names}

    assert listed == {action: names for action, names in missing.items() if names}


def unverified(path: Path) -> Iterator[str]:
    """Yield the functions and classes of a module that say "unverified", for example ipam.pools.check_locale."""
    text = path.read_text(encoding="utf-8")
    module = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
    scopes = list(_scopes(ast.parse(text), module))
    for number, line in enumerate(text.splitlines(), 1):
        if "unverified" in line.lower():
            inside = [(last - first, name) for first, last, name in scopes if first <= number <= last]
            yield min(inside)[1] if inside else module


def _scopes(tree: ast.AST, outer: str) -> Iterator[tuple[int, int, str]]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.lineno, node.end_lineno or node.lineno, f"{outer}.{node.name}"
            yield from _scopes(node, f"{outer}.{node.name}")


def test_everything_unverified_is_a_statement_or_a_question() -> None:
    assumed = {name for path in MODULES for name in unverified(path)}

    settled = {name for statement in STATEMENTS for name in statement.settles}
    settled |= {name for question in QUESTIONS for name in question.settles}

    assert assumed == settled


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda statement: statement.check.__name__)
def test_a_statement_is_a_sentence_with_a_source(statement: Any) -> None:
    assert re.fullmatch(r"[A-Z].*\.", statement.says)
    assert statement.source == "assumed" or statement.source.startswith("https://")
