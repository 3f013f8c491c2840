"""Custom::InitPools: pools that a stack has left behind are taken over, and a stack that still works is left alone."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest

from aws_models.errors import AwsError
from ctipam import names
from ctipam.tags import to_dict
from landing_zone.direct_stack import ANOTHER_STACK_ID, BUILT, NETWORKING, PROPERTIES, STACK_ID, DirectStack

IN_USE = ("us-east-1", "us-east-1 Prod OU")
READS = ("Describe", "Get")


def is_deleted(stack: DirectStack) -> None:
    stack.ask("Delete", "InitPools", PROPERTIES)
    stack.forget_stack()


def does_not_exist(stack: DirectStack) -> None:
    stack.forget_stack()


def could_not_be_deleted(stack: DirectStack) -> None:
    stack.wire.in_progress[STACK_ID] = "DELETE_FAILED"


def create_another(stack: DirectStack, **changed: Any) -> dict[str, Any]:
    stack.stack_id = ANOTHER_STACK_ID
    return stack.ask("Create", "InitPools", PROPERTIES | changed)


def stack_tags(stack: DirectStack) -> set[str]:
    return {to_dict(pool["Tags"])[names.STACK_TAG] for pool in stack.listed_pools()}


def test_what_a_deletion_left_is_taken_over_by_another_stack_with_its_ids_and_blocks(
    built: DirectStack, caplog: pytest.LogCaptureFixture
) -> None:
    vpc_id, ids, top = built.make_vpc("us-east-1", "Prod OU"), built.pool_ids(), built.top_pool_id
    with caplog.at_level(logging.INFO, "ctipam"):
        is_deleted(built)
    assert built.pools() == {name: BUILT[name] for name in IN_USE}
    assert len(built.listed_pools()) == 1 + len(IN_USE)
    assert any(vpc_id in str(vars(record).get("what")) for record in caplog.records)
    built.models.ipam.vpc_deleted(vpc_id)

    answer = create_another(built)

    assert answer["Status"] == "SUCCESS", answer["Reason"]
    assert built.pools() == BUILT
    assert {name: built.pool_ids()[name] for name in IN_USE} == {name: ids[name] for name in IN_USE}
    assert built.top_pool_id == top
    assert len(built.listed_pools()) == 1 + len(BUILT)
    assert stack_tags(built) == {ANOTHER_STACK_ID}

    assert built.ask("Delete", "InitPools", PROPERTIES)["Status"] == "SUCCESS"
    assert built.listed_pools() == []


@pytest.mark.parametrize("gone", [does_not_exist, could_not_be_deleted])
def test_all_pools_of_a_stack_that_can_no_longer_act_are_taken_over(
    built: DirectStack, gone: Callable[[DirectStack], None]
) -> None:
    ids, top = built.pool_ids(), built.top_pool_id
    gone(built)

    answer = create_another(built)

    assert answer["Status"] == "SUCCESS", answer["Reason"]
    assert (built.pools(), built.pool_ids(), built.top_pool_id) == (BUILT, ids, top)
    assert stack_tags(built) == {ANOTHER_STACK_ID}
    assert built.ask("Delete", "InitPools", PROPERTIES)["Status"] == "SUCCESS"
    assert built.listed_pools() == []


def test_one_of_them_that_has_lost_its_tag_is_told_and_not_made_again(built: DirectStack) -> None:
    ids = built.pool_ids()
    built.add_foreign_pool("172.16.0.0/12")
    built.ec2.delete_tags(Resources=[ids["us-west-2 Prod OU"]], Tags=[{"Key": names.STACK_TAG}])
    does_not_exist(built)

    answer = create_another(built)

    assert answer["Status"] == "FAILED"
    assert ids["us-west-2 Prod OU"] in answer["Reason"]
    assert (built.pools(), built.pool_ids()) == (BUILT, ids)


@pytest.mark.parametrize("gone", [does_not_exist, could_not_be_deleted])
def test_pools_that_the_other_stack_does_not_want_go_if_they_are_not_in_use(
    built: DirectStack, gone: Callable[[DirectStack], None]
) -> None:
    ids = built.pool_ids()
    gone(built)

    answer = create_another(built, RegionSelection=["us-east-1", "eu-west-1"], AccEnvName=["Prod OU", "Test OU"])

    assert answer["Status"] == "SUCCESS", answer["Reason"]
    assert built.pools() == {
        "us-east-1": BUILT["us-east-1"],
        "us-east-1 Prod OU": BUILT["us-east-1 Prod OU"],
        "us-east-1 Test OU": "10.96.0.0/12",
        "eu-west-1": "10.128.0.0/10",
        "eu-west-1 Prod OU": "10.128.0.0/12",
        "eu-west-1 Test OU": "10.144.0.0/12",
    }
    assert built.pool_ids()["us-east-1 Prod OU"] == ids["us-east-1 Prod OU"]
    assert stack_tags(built) == {ANOTHER_STACK_ID}
    assert built.ask("Delete", "InitPools", PROPERTIES)["Status"] == "SUCCESS"
    assert built.listed_pools() == []


def test_a_pool_in_use_that_the_other_stack_does_not_want_is_named_and_nothing_changes(built: DirectStack) -> None:
    vpc_id = built.make_vpc("us-west-2", "SDLC OU")
    ids = built.pool_ids()
    built.forget_stack()

    answer = create_another(built, RegionSelection=["us-east-1"])

    assert answer["Status"] == "FAILED"
    assert f"us-west-2/SDLC OU holds {vpc_id} (10.16.0.0/24, account {NETWORKING})" in answer["Reason"]
    assert (built.pools(), built.pool_ids(), stack_tags(built)) == (BUILT, ids, {STACK_ID})


def test_a_pool_that_the_other_stack_does_not_want_and_cannot_remove_is_taken_over_and_deleted_with_the_stack(
    built: DirectStack,
) -> None:
    """The Region is denied when the other stack is created, so nobody knows that the pool is in use."""
    vpc_id = built.make_vpc("us-west-2", "Prod OU", length=16)
    does_not_exist(built)
    built.wire.unusable["us-west-2"] = AwsError("UnauthorizedOperation", "No.")
    assert create_another(built, RegionSelection=["us-east-1"])["Status"] == "SUCCESS"
    assert "us-west-2 Prod OU" in built.pools()

    assert stack_tags(built) == {ANOTHER_STACK_ID}
    built.wire.unusable.clear()
    built.models.ipam.vpc_deleted(vpc_id)
    built.clock.advance(3600)
    built.ask("Delete", "InitPools", PROPERTIES)
    assert built.listed_pools() == []


@pytest.mark.parametrize("resource", ["Ipam", "InitPools"])
def test_a_second_stack_beside_a_living_one_is_refused_and_its_deletion_touches_nothing(
    built: DirectStack, resource: str
) -> None:
    ids = built.pool_ids()
    built.wire.in_progress[STACK_ID] = "CREATE_COMPLETE"
    built.stack_id = ANOTHER_STACK_ID
    built.wire.counted.clear()

    answer = built.ask("Create", resource, PROPERTIES)

    assert answer["Status"] == "FAILED"
    assert "already manages the pools of this organization; update that deployment, or delete it" in answer["Reason"]
    assert len(answer["Reason"]) < 240
    assert all(action.startswith(READS) for action in built.wire.counted)

    assert built.ask("Delete", resource, PROPERTIES, "ROLLBACK_IN_PROGRESS")["Status"] == "SUCCESS"
    assert all(action.startswith((*READS, "Publish")) for action in built.wire.counted)
    assert (built.pools(), built.pool_ids(), stack_tags(built)) == (BUILT, ids, {STACK_ID})
