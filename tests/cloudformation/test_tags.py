"""The stack tags on the resources that functions create."""

from __future__ import annotations

import pytest

from ctipam import names
from ctipam.names import STACK_TAG_KEYS_TAG
from ctipam.tags import TagChanges, tag_changes, with_stack_tags

OWN = {"Name": "us-west-2", "ctipam:stack-id": "arn"}


def applied(existing: dict[str, str], changes: TagChanges) -> dict[str, str]:
    return {key: value for key, value in {**existing, **changes.add}.items() if key not in changes.remove}


def without_bookkeeping(tags: dict[str, str]) -> dict[str, str]:
    return {key: value for key, value in tags.items() if key != STACK_TAG_KEYS_TAG}


def test_the_names_by_which_resources_of_earlier_versions_are_recognized_never_change() -> None:
    tag_keys = {value for name, value in vars(names).items() if name.endswith("_TAG")}

    assert tag_keys == {
        "Env",
        "ctipam:account-id",
        "ctipam:cidr",
        "ctipam:environment",
        "ctipam:growth",
        "ctipam:ou-id",
        "ctipam:preparing",
        "ctipam:region",
        "ctipam:replaced-ou-id",
        "ctipam:reserved",
        "ctipam:stack-id",
        "ctipam:stack-tag-keys",
    }
    assert names.RELEASED == "released"
    assert names.share_name("012345678901") == "ipamShare-012345678901"
    assert names.execution_role_arn("aws", "1") == "arn:aws:iam::1:role/AWSControlTowerExecution"
    assert names.pool_description("", "") == "Top-level pool of the landing zone"
    assert names.pool_description("us-west-2", "") == "All environments in us-west-2"
    assert names.pool_description("us-west-2", "Prod OU") == "Prod OU in us-west-2"
    assert names.pool_name("", "") == "landing-zone"
    assert names.pool_name("us-west-2", "") == "us-west-2"
    assert names.pool_name("us-west-2", "Prod OU") == "us-west-2 Prod OU"


def test_a_new_resource_has_its_own_tags_and_the_stack_tags() -> None:
    tags = with_stack_tags(OWN, {"CostCenter": "42", "Name": "the stack's", "ctipam:stack-id": "other"})

    assert without_bookkeeping(tags) == OWN | {"CostCenter": "42"}
    assert not tag_changes(tags, {"CostCenter": "42", "Name": "the stack's"})


def test_a_new_resource_has_only_its_own_tags_if_the_stack_has_none() -> None:
    assert with_stack_tags(OWN, {}) == OWN
    assert not tag_changes(OWN, {})


@pytest.mark.parametrize("then", [{}, {"A": "1"}, {"A": "2"}, {"B": "1"}, {"A": "2", "B": "1", "C": "1"}])
def test_stack_tags_follow_the_stack_and_other_tags_stay(then: dict[str, str]) -> None:
    others = {"ByHand": "yes", "ctipam:cidr": "10.0.0.0/8"}
    existing = with_stack_tags(OWN, {"A": "1", "B": "1"}) | others

    after = applied(existing, tag_changes(existing, then))

    assert without_bookkeeping(after) == OWN | others | then
    assert (STACK_TAG_KEYS_TAG in after) == bool(then)
    assert not tag_changes(after, then)


def test_a_stack_tag_that_somebody_removed_is_added_again() -> None:
    existing = with_stack_tags(OWN, {"A": "1"})
    del existing["A"]

    assert tag_changes(existing, {"A": "1"}) == TagChanges({"A": "1"}, ())


def test_the_tag_that_records_stack_tag_keys_fits_the_limit_of_a_value() -> None:
    tags = with_stack_tags(OWN, {f"{number:0128}": "x" for number in range(50)})

    assert len(tags[STACK_TAG_KEYS_TAG]) <= 256
