"""Reads a template with its intrinsic functions in the long form: !Sub x is {"Fn::Sub": x}.

cfn-lint has such a reader too. But importing it takes more than a second, and every process of the tests would.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import yaml


class Loader(yaml.CSafeLoader):
    """YAML with CloudFormation's short forms, and without keys that stand twice, of which YAML takes the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        if twice := {key for key in keys if keys.count(key) > 1}:
            raise ValueError(f"{sorted(twice)} twice in the mapping at line {node.start_mark.line + 1}")
        return super().construct_mapping(node, deep)


def _long_form(loader: Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    name = suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
        return {name: value.split(".", 1) if name == "Fn::GetAtt" else value}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    raise ValueError(f"!{suffix} has neither a text nor a list")


Loader.add_multi_constructor("!", _long_form)


def read_template(path: Path) -> dict[str, Any]:
    """Return the template as JSON has it. Each call returns a copy of its own."""
    content: dict[str, Any] = json.loads(_in_json(path.read_text(encoding="utf-8")))
    return content


@functools.cache
def _in_json(text: str) -> str:
    return json.dumps(yaml.load(text, Loader))  # noqa: S506 - a safe loader with more tags
