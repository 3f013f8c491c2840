"""Test that the parameters accept what their descriptions say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from checkers.template import Template, holds, references

TEMPLATES = sorted((Path(__file__).parents[2] / "templates").glob("*.yaml"))
EXAMPLE = re.compile(r"for example (.+?)(?:, | and | of | or | for | \(|\. |\.$)")
OPTION = re.compile(r"(?:^|\. )([\w-]+) - ")


@pytest.fixture(scope="module")
def templates() -> list[Template]:
    return [Template.read(path) for path in TEMPLATES]


def parameters(templates: list[Template]) -> Iterator[tuple[str, Any]]:
    return ((name, found) for template in templates for name, found in template.parameters.items())


def test_a_parameter_that_refuses_values_says_which_it_takes(templates: list[Template]) -> None:
    for name, parameter in parameters(templates):
        assert ("AllowedPattern" in parameter) == ("ConstraintDescription" in parameter), name


def test_each_option_is_described_and_each_that_is_described_can_be_chosen(templates: list[Template]) -> None:
    for name, parameter in parameters(templates):
        described = set(OPTION.findall(parameter["Description"]))
        options = {one for one in parameter.get("AllowedValues", ()) if isinstance(one, str)}
        assert options <= described, name
        assert not described or parameter.keys() & {"AllowedValues", "AllowedPattern"}, name
        assert all(accepts(parameter, one) for one in described), name


def test_the_examples_of_the_descriptions_are_accepted(templates: list[Template]) -> None:
    for name, parameter in parameters(templates):
        for text in (parameter["Description"], parameter.get("ConstraintDescription", "")):
            for example in EXAMPLE.findall(text):
                assert accepts(parameter, example), f"{name}: {example}"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("NetworkAccountId", "AWS::AccountId"),
        ("IpamPoolPrefixLength", "AccPoolPrefixLength"),
        ("HomeRegion", "AWS::Region"),
    ],
)
def test_what_must_differ_is_refused_before_there_is_a_stack(templates: list[Template], one: str, other: str) -> None:
    asserted = [
        assertion["Assert"]
        for template in templates
        for rule in template.rules.values()
        for assertion in rule["Assertions"]
        if one in references(assertion["Assert"])
    ]

    assert [holds(each, {}, {one: "the same", other: "the same"}) for each in asserted] == [False]
    assert [holds(each, {}, {one: "the one", other: "the other"}) for each in asserted] == [True]


def accepts(parameter: Any, example: str) -> bool:
    if parameter["Type"] == "Number":
        value = int(example)
        listed = value in parameter.get("AllowedValues", [value])
        return bool(listed and parameter.get("MinValue", value) <= value <= parameter.get("MaxValue", value))
    items = example.split(",") if parameter["Type"] == "CommaDelimitedList" else [example]
    return all(
        item in parameter.get("AllowedValues", [item]) and re.fullmatch(parameter.get("AllowedPattern", ".*"), item)
        for item in items
    )
