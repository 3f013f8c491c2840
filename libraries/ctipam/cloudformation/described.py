"""A stack, as DescribeStacks returns it: its lists as mappings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def parameters_of(stack: Mapping[str, Any]) -> dict[str, str]:
    """Return the values of the parameters by name."""
    return {one["ParameterKey"]: one.get("ParameterValue", "") for one in stack.get("Parameters", [])}


def outputs_of(stack: Mapping[str, Any]) -> dict[str, str]:
    """Return the values of the outputs by key. A stack has none before its creation is complete."""
    return {one["OutputKey"]: one["OutputValue"] for one in stack.get("Outputs", [])}
