"""The tags of a stack on what its functions create."""

from __future__ import annotations

import pytest

from ctipam.names import STACK_TAG_KEYS_TAG
from ctipam.tags import TagChanges, tag_changes, with_stack_tags

OWN = {"Name": "us-west-2", "ctipam:stack-id": "arn"}


def applied(existing: dict[str, str], changes: TagChanges) -> dict[str, str]:
    return {key: value for key, value in {**existing, **changes.add}.items() if key not in changes.remove}


def shown(tags: dict[str, str]) -> dict[str, str]:
    return {key: value for key, value in tags.items() if key != STACK_TAG_KEYS_TAG}


def test_a_new_resource_has_its_own_tags_and_those_of_the_stack() -> None:
    tags = with_stack_tags(OWN, {"CostCenter": "42", "Name": "the stack's", "ctipam:stack-id": "other"})

    assert shown(tags) == OWN | {"CostCenter": "42"}
    assert not tag_changes(tags, {"CostCenter": "42", "Name": "the stack's"})


def test_without_tags_of_the_stack_there_is_nothing_more() -> None:
    assert with_stack_tags(OWN, {}) == OWN
    assert not tag_changes(OWN, {})


@pytest.mark.parametrize("then", [{}, {"A": "1"}, {"A": "2"}, {"B": "1"}, {"A": "2", "B": "1", "C": "1"}])
def test_tags_follow_the_stack_and_those_of_others_stay(then: dict[str, str]) -> None:
    others = {"ByHand": "yes", "ctipam:cidr": "10.0.0.0/8"}
    existing = with_stack_tags(OWN, {"A": "1", "B": "1"}) | others

    after = applied(existing, tag_changes(existing, then))

    assert shown(after) == OWN | others | then
    assert (STACK_TAG_KEYS_TAG in after) == bool(then)
    assert not tag_changes(after, then)


def test_a_tag_that_somebody_took_off_comes_back() -> None:
    existing = with_stack_tags(OWN, {"A": "1"})
    del existing["A"]

    assert tag_changes(existing, {"A": "1"}) == TagChanges({"A": "1"}, ())


def test_what_is_remembered_of_the_most_tags_fits_into_a_value() -> None:
    tags = with_stack_tags(OWN, {f"{number:0128}": "x" for number in range(50)})

    assert len(tags[STACK_TAG_KEYS_TAG]) <= 256
