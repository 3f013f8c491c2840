"""Of which stack a pool must be that has lost the tag by which it is that stack's, for those who have no spec."""

from __future__ import annotations

from typing import Any

import pytest

from ctipam import names
from ctipam.pools.recognition import UNKNOWN_STACK, lost_stack_tags


def pool(pool_id: str, parent: str = "", **tags: str) -> dict[str, Any]:
    source = {"SourceIpamPoolId": parent} if parent else {}
    return {"IpamPoolId": pool_id, "Tags": [{"Key": key, "Value": value} for key, value in tags.items()], **source}


def of(stack_id: str) -> dict[str, str]:
    return {names.STACK_TAG: stack_id, names.REGION_TAG: "us-west-2"}


LOST = {names.REGION_TAG: "us-west-2"}
FIRST, SECOND = pool("top-1", **of("stack-1")), pool("top-2", **of("stack-2"))


@pytest.mark.parametrize(
    ("listed", "stack_id"),
    [
        ([FIRST, SECOND, pool("lost", "top-2", **LOST)], "stack-2"),
        ([FIRST, pool("lost", **LOST), pool("child", "lost", **of("stack-2"))], "stack-2"),
        ([SECOND, pool("lost", "gone", **LOST)], "stack-2"),
        ([pool("lost", **LOST)], UNKNOWN_STACK),
    ],
    ids=["that of its parent", "that of a pool below it", "that of any pool", "not known"],
)
def test_the_stack_of_a_pool_that_has_lost_its_tag_is(listed: list[dict[str, Any]], stack_id: str) -> None:
    assert lost_stack_tags(listed) == {"lost": stack_id}


def test_a_pool_without_any_tag_of_ours_has_lost_none() -> None:
    assert lost_stack_tags([FIRST, pool("foreign", "top-1", Team="x")]) == {}
