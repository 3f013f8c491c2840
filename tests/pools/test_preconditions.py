"""What a change must not do to the pools that are there."""

from __future__ import annotations

from ipaddress import IPv4Network

import pytest

from ctipam.errors import Refused
from ctipam.pools.existing import Allocation, Block, ExistingPool
from ctipam.pools.preconditions import (
    deletion_blockers,
    refuse_another_top_pool,
    refuse_deletion,
    refuse_moves,
    refuse_overlap,
    refuse_without_room,
    refuse_without_top_pool,
)
from ctipam.pools.spec import PoolKey, PoolSpec

TOP = "ipam-pool-top"
WEST, WEST_PROD = PoolKey("us-west-2"), PoolKey("us-west-2", "Prod OU")
PLAN = PoolSpec(IPv4Network("10.0.0.0/16"), 20, 21, ("us-west-2",), ("Prod OU",))


def pool(key: PoolKey | None, pool_id: str, source: str, cidr: str) -> ExistingPool:
    return ExistingPool(pool_id, source, "create-complete", key, (Block(IPv4Network(cidr), "provisioned"),))


BUILT = [
    pool(WEST, "ipam-pool-west", TOP, "10.0.0.0/20"),
    pool(WEST_PROD, "ipam-pool-prod", "ipam-pool-west", "10.0.0.0/21"),
]
CHILD = Allocation(IPv4Network("10.0.0.0/21"), "ipam-pool", "ipam-pool-prod", "222222222222")
VPC = Allocation(IPv4Network("10.0.0.0/24"), "vpc", "vpc-0123", "012345678901")


@pytest.mark.parametrize(
    ("plan", "reason"),
    [
        (PoolSpec(PLAN.top_cidr, 19, 21, PLAN.regions, PLAN.environments), "Keep IpamPoolPrefixLength 20"),
        (PoolSpec(PLAN.top_cidr, 20, 22, PLAN.regions, PLAN.environments), "Keep AccPoolPrefixLength 21"),
        (PoolSpec(IPv4Network("10.1.0.0/16"), 20, 21, PLAN.regions, PLAN.environments), "does not hold 10.0.0.0/20"),
    ],
    ids=["Region pools of another size", "environment pools of another size", "another top-level CIDR"],
)
def test_a_pool_that_exists_is_not_resized_or_moved(plan: PoolSpec, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        refuse_moves(plan, TOP, BUILT)


def test_pools_of_another_top_level_pool_are_not_taken_over() -> None:
    with pytest.raises(Refused, match="is in another top-level pool"):
        refuse_moves(PLAN, "ipam-pool-new-top", BUILT)


def test_a_plan_that_leaves_the_pools_as_they_are_is_not_refused() -> None:
    refuse_moves(PLAN, TOP, BUILT)
    refuse_deletion([])
    refuse_without_room(PLAN, TOP, BUILT, {})


def test_a_vpc_in_a_pool_that_goes_is_in_the_way_and_pools_that_go_together_are_not() -> None:
    held = {"ipam-pool-west": [CHILD], "ipam-pool-prod": [VPC]}

    assert deletion_blockers(BUILT, BUILT, held) == [
        "us-west-2/Prod OU holds vpc-0123 (10.0.0.0/24, account 012345678901)"
    ]


def test_what_a_pool_that_is_gone_had_of_its_parent_is_in_nobodys_way() -> None:
    assert deletion_blockers(BUILT[:1], BUILT[:1], {"ipam-pool-west": [CHILD]}) == []


def test_a_reserved_block_is_in_the_way() -> None:
    reserved = Allocation(IPv4Network("10.0.8.0/24"), "custom", "", "222222222222")

    found = deletion_blockers(BUILT, BUILT, {"ipam-pool-west": [CHILD, reserved]})

    assert found == ["us-west-2 holds custom allocation (10.0.8.0/24, account 222222222222)"]


@pytest.mark.parametrize("provisioned", [True, False])
def test_a_pool_made_by_hand_is_in_the_way_once_with_or_without_a_block(provisioned: bool) -> None:
    by_hand = ExistingPool("ipam-pool-by-hand", "ipam-pool-west", "create-complete")
    allocation = Allocation(IPv4Network("10.0.8.0/24"), "ipam-pool", "ipam-pool-by-hand", "222222222222")

    found = deletion_blockers(
        BUILT, [*BUILT, by_hand], {"ipam-pool-west": [CHILD, *([allocation] if provisioned else [])]}
    )

    assert len(found) == 1
    assert "us-west-2 holds" in found[0]
    assert "ipam-pool-by-hand" in found[0]


def test_what_somebody_has_below_the_top_level_pool_is_in_the_way_when_that_goes_too() -> None:
    reserved = Allocation(IPv4Network("10.0.64.0/20"), "custom", "", "222222222222")

    found = deletion_blockers(BUILT, BUILT, {TOP: [reserved]})

    assert found == [f"the top-level pool {TOP} holds custom allocation (10.0.64.0/20, account 222222222222)"]


def test_of_many_obstacles_as_many_are_named_as_there_is_room_for_and_the_rest_are_counted() -> None:
    vpcs = [f"us-west-2/Prod OU holds vpc-{i:017x} (10.0.{i}.0/24, account 012345678901)" for i in range(9)]

    with pytest.raises(Refused) as refusal:
        refuse_deletion(vpcs)

    text = str(refusal.value)
    assert text.startswith("In use, nothing was changed: us-west-2/Prod OU holds vpc-00000000000000000 ")
    assert "and 8 more, see the log" in text
    assert len(text) <= 240


def test_a_top_level_pool_that_is_gone_is_not_built_upon() -> None:
    with pytest.raises(Refused, match="does not exist any more"):
        refuse_without_top_pool(TOP, BUILT)


@pytest.mark.parametrize(
    ("in_scope", "cidr", "reason"),
    [(False, "10.0.0.0/16", "keep IpamScope as it was"), (True, "10.0.0.0/8", "10.0.0.0/8 has pools in it")],
)
def test_the_top_level_pool_cannot_change_while_there_are_pools_in_it_and_what_may_change_is_said(
    in_scope: bool, cidr: str, reason: str
) -> None:
    with pytest.raises(Refused) as refusal:
        refuse_another_top_pool(PLAN, "ipam-scope-0123456789abcdef0", in_scope, [IPv4Network(cidr)])

    assert reason in str(refusal.value)
    assert "Regions, environments and VPC sizes may change" in str(refusal.value)
    assert len(str(refusal.value)) <= 240


def test_a_top_level_cidr_that_overlaps_another_top_level_pool_is_refused() -> None:
    others = {"ipam-pool-other": [Block(IPv4Network("10.0.128.0/17"), "provisioned")]}

    with pytest.raises(Refused, match=r"overlaps 10\.0\.128\.0/17 of ipam-pool-other"):
        refuse_overlap(PLAN, others)
    refuse_overlap(PLAN, {"ipam-pool-other": [Block(IPv4Network("10.0.128.0/17"), "deprovisioned")]})


def test_more_pools_than_the_quota_allows_are_refused_with_the_count_and_the_limit() -> None:
    others = [ExistingPool(f"ipam-pool-{i}", "", "create-complete") for i in range(48)]

    with pytest.raises(Refused, match=r"49 \+ 1 \+ 1 \* 1 = 51 pools, and may have 50"):
        refuse_without_room(PLAN, TOP, [ExistingPool(TOP, "", "create-complete"), *others, *BUILT], {})


def test_a_new_environment_without_a_free_block_is_refused() -> None:
    plan = PoolSpec(PLAN.top_cidr, 20, 21, PLAN.regions, ("Prod OU", "SDLC OU"))
    reserved = IPv4Network("10.0.8.0/24")

    with pytest.raises(Refused, match=r"10\.0\.0\.0/20 has no free /21 left for us-west-2/SDLC OU"):
        refuse_without_room(plan, TOP, BUILT, {"ipam-pool-west": [IPv4Network("10.0.0.0/21"), reserved]})


def test_the_block_of_a_removed_environment_is_room_for_a_new_one() -> None:
    plan = PoolSpec(PLAN.top_cidr, 20, 21, PLAN.regions, ("SDLC OU",))
    reserved = IPv4Network("10.0.8.0/24")

    refuse_without_room(plan, TOP, BUILT, {"ipam-pool-west": [IPv4Network("10.0.0.0/21"), reserved]})
