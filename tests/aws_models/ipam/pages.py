"""Filters and pages of the list calls."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from aws_models.errors import AwsError
from aws_models.ipam.requests import Call, invalid

Item = TypeVar("Item")

Attributes = Mapping[str, str | None]
"""What filters see of an item: {filter name: value}, tags as {"tag:<key>": value}."""


def filtered(call: Call, names: str, items: Iterable[Item], attributes: Callable[[Item], Attributes]) -> list[Item]:
    """Return the items that match all filters; values are alternatives, case-sensitive, with `*` and `?`.

    names   filters that are known to work, separated by blanks; "tag:" stands for tag:<key>. All others are refused:
            what is made up, or never been seen to work, must not pass here (unverified: how AWS refuses them)
    """
    wishes = [(wish.get("Name", ""), wish.get("Values", [])) for wish in call.params.get("Filters", ())]
    for name, values in wishes:
        if name not in names.split() and not (name.startswith("tag:") and "tag:" in names.split()):
            raise AwsError("InvalidParameterValue", f"The filter '{name}' is invalid")
        if not values:
            raise AwsError("InvalidParameterValue", f"The filter '{name}' has no value")
    return [item for item in items if all(_passes(attributes(item).get(name), values) for name, values in wishes)]


def _passes(value: str | None, patterns: Sequence[str]) -> bool:
    return value is not None and any(_wildcards(pattern).fullmatch(value) for pattern in patterns)


def _wildcards(pattern: str) -> re.Pattern[str]:
    """Return a pattern: `*` is any text, `?` any character, and a backslash escapes them."""
    translated = {"*": ".*", "?": "."}
    parts = re.findall(r"\\.|.", pattern, re.DOTALL)
    return re.compile("".join(translated.get(part) or re.escape(part[-1]) for part in parts), re.DOTALL)


def page(
    call: Call,
    items: Iterable[Item],
    key: Callable[[Item], str],
    shown: Callable[[Item], dict[str, Any]],
    member: str,
    page_size: int,
    bounds: tuple[int, int] = (5, 1000),
) -> dict[str, Any]:
    """Return {member: [...], "NextToken": ...}, with a token only if there is more. Items are sorted by id.

    page_size   items on a page when the caller does not say
    bounds      of MaxResults
    """
    size = call.params.get("MaxResults", page_size)
    if "MaxResults" in call.params and not bounds[0] <= size <= bounds[1]:
        raise invalid("MaxResults", size, f"Expecting a value from {bounds[0]} to {bounds[1]}.")
    after = _read_token(call)
    rest = [item for item in sorted(items, key=key) if key(item) > after]
    answer: dict[str, Any] = {member: [shown(item) for item in rest[:size]]}
    if len(rest) > size:
        answer["NextToken"] = _token(call, key(rest[size - 1]))
    return answer


def _token(call: Call, last: str) -> str:
    return base64.urlsafe_b64encode(f"{call.action} {last}".encode()).decode()


def _read_token(call: Call) -> str:
    """Return the id after which the page begins; "" for the first page."""
    token = call.params.get("NextToken")
    if not token:
        return ""
    try:
        action, _, last = base64.urlsafe_b64decode(token).decode().partition(" ")
    except ValueError:
        action = last = ""
    if action != call.action:
        raise AwsError("InvalidNextToken", "The specified NextToken is not valid")
    return last
