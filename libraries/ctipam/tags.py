"""Tags, as AWS lists them and as a mapping. EC2 and CloudFormation write "Key", RAM writes "key".

What the functions create carries the tags of the stack beside its own. So that a tag is removed with the stack's, but
never a tag that somebody added by hand, the tag names.STACK_TAG_KEYS_TAG remembers which keys came from the stack: five
characters of a digest for each key, which always fit into the 256 characters of a value.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ctipam import names

DIGEST_LENGTH = 5

TAGS_OF_A_RESOURCE = 50
"""https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html#tag-restrictions"""


@dataclass(frozen=True)
class TagChanges:
    """add      tags to create or overwrite
    remove   keys
    """

    add: Mapping[str, str]
    remove: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.add or self.remove)


def without_aws_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Return the tags of a stack without those that AWS adds, and that nobody else may set."""
    return {key: value for key, value in tags.items() if not key.startswith("aws:")}


def with_stack_tags(own: Mapping[str, str], stack_tags: Mapping[str, str]) -> dict[str, str]:
    """Return the tags for a new resource: its own, and those of the stack. Its own win."""
    return {**_wanted(stack_tags), **own}


def tag_changes(existing: Mapping[str, str], stack_tags: Mapping[str, str]) -> TagChanges:
    """Return the changes that bring the tags of an existing resource in line with those of the stack."""
    wanted = _wanted(stack_tags)
    digests = existing.get(names.STACK_TAG_KEYS_TAG, "")
    remembered = {digests[at : at + DIGEST_LENGTH] for at in range(0, len(digests), DIGEST_LENGTH)}
    came_from_stack = {key for key in existing if not _is_own(key) and _digest(key) in remembered}
    forgotten = {names.STACK_TAG_KEYS_TAG} & existing.keys()
    return TagChanges(
        add={key: value for key, value in wanted.items() if existing.get(key) != value},
        remove=tuple(sorted((came_from_stack | forgotten) - wanted.keys())),
    )


def _wanted(stack_tags: Mapping[str, str]) -> dict[str, str]:
    tags = {key: value for key, value in stack_tags.items() if not _is_own(key)}
    return {**tags, names.STACK_TAG_KEYS_TAG: "".join(map(_digest, sorted(tags)))} if tags else {}


def _is_own(key: str) -> bool:
    """Return whether this solution sets the tag itself, so that the stack's is not used."""
    return key == "Name" or key.startswith("ctipam:")


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:DIGEST_LENGTH]


def to_dict(tags: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return {key: value}, without a tag that RAM lists without a key or a value."""
    pairs = ((tag.get("Key", tag.get("key")), tag.get("Value", tag.get("value"))) for tag in tags)
    return {key: value for key, value in pairs if key is not None and value is not None}


def to_list(tags: Mapping[str, str]) -> list[Any]:
    """Return [{"Key": ..., "Value": ...}], as EC2 takes tags."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def tag_filter(key: str, value: str = "*") -> list[Any]:
    """Return the Filters with which EC2 lists only what has a tag, and lists it with its tags."""
    return [{"Name": f"tag:{key}", "Values": [value]}]


def to_ram_list(tags: Mapping[str, str]) -> list[Any]:
    """Return [{"key": ..., "value": ...}], as RAM takes tags."""
    return [{"key": key, "value": value} for key, value in tags.items()]
