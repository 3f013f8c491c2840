"""Tags, as AWS lists them and as a mapping. EC2 and CloudFormation write "Key", RAM writes "key"."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def to_dict(tags: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return {key: value}. RAM may list a tag without a key or value: it is left out."""
    pairs = ((tag.get("Key", tag.get("key")), tag.get("Value", tag.get("value"))) for tag in tags)
    return {key: value for key, value in pairs if key is not None and value is not None}


def to_list(tags: Mapping[str, str]) -> list[Any]:
    """Return [{"Key": ..., "Value": ...}], as EC2 takes tags."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def to_ram_list(tags: Mapping[str, str]) -> list[Any]:
    """Return [{"key": ..., "value": ...}], as RAM takes tags."""
    return [{"key": key, "value": value} for key, value in tags.items()]
