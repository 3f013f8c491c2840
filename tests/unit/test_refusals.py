"""What a change must not do to the pools that are there."""

from __future__ import annotations

from ipaddress import IPv4Network

import pytest

from ctipam.difference import Block, Pool
from ctipam.errors import Refused
from ctipam.plan import PoolKey, PoolPlan
from ctipam.refusals import Allocation, refuse_moves, refuse_removals, refuse_without_room

TOP = "ipam-pool-top"
WEST, WEST_PROD = PoolKey("us-west-2"), PoolKey("us-west-2", "Prod OU")
PLAN = PoolPlan(IPv4Network("10.0.0.0/16"), 20, 21, ("us-west-2",), ("Prod OU",))


def pool(key: PoolKey | None, pool_id: str, source: str, cidr: str) -> Pool:
    return Pool(pool_id, source, "create-complete", key, (Block(IPv4Network(cidr), "provisioned"),))


BUILT = [
    pool(WEST, "ipam-pool-west", TOP, "10.0.0.0/20"),
    pool(WEST_PROD, "ipam-pool-prod", "ipam-pool-west", "10.0.0.0/21"),
]
CHILD = Allocation(IPv4Network("10.0.0.0/21"), "ipam-pool", "ipam-pool-prod", "222222222222")
VPC = Allocation(IPv4Network("10.0.0.0/24"), "vpc", "vpc-0123", "012345678901")


@pytest.mark.parametrize(
    ("plan", "reason"),
    [
        (PoolPlan(PLAN.top_cidr, 19, 21, PLAN.regions, PLAN.environments), "keep IpamPoolPrefixLength at 20"),
        (PoolPlan(PLAN.top_cidr, 20, 22, PLAN.regions, PLAN.environments), "keep AccPoolPrefixLength at 21"),
        (PoolPlan(IPv4Network("10.1.0.0/16"), 20, 21, PLAN.regions, PLAN.environments), "does not hold 10.0.0.0/20"),
    ],
    ids=["Region pools of another size", "environment pools of another size", "another top-level CIDR"],
)
def test_a_pool_that_exists_is_not_resized_or_moved(plan: PoolPlan, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        refuse_moves(plan, TOP, BUILT)


def test_pools_of_another_top_level_pool_are_not_taken_over() -> None:
    with pytest.raises(Refused, match="belongs to another top-level pool"):
        refuse_moves(PLAN, "ipam-pool-new-top", BUILT)


def test_a_plan_that_leaves_the_pools_as_they_are_is_not_refused() -> None:
    refuse_moves(PLAN, TOP, BUILT)
    refuse_removals(PLAN, BUILT, {})
    refuse_without_room(PLAN, TOP, BUILT, {})


def test_a_pool_with_a_vpc_is_not_removed_and_the_vpc_is_named() -> None:
    with pytest.raises(Refused) as refusal:
        refuse_removals(None, BUILT, {"ipam-pool-west": [CHILD], "ipam-pool-prod": [VPC]})

    assert "us-west-2/Prod OU holds vpc-0123 (10.0.0.0/24, account 012345678901)" in str(refusal.value)
    assert "nothing was changed" in str(refusal.value)


def test_of_many_obstacles_three_are_named_and_the_rest_are_counted() -> None:
    vpcs = [Allocation(IPv4Network((167772160 + 256 * i, 24)), "vpc", f"vpc-{i}", "012345678901") for i in range(9)]

    with pytest.raises(Refused, match="and 6 more"):
        refuse_removals(None, BUILT, {"ipam-pool-prod": vpcs})


def test_a_pool_made_by_hand_below_a_removed_region_is_an_obstacle() -> None:
    by_hand = Pool("ipam-pool-by-hand", "ipam-pool-west", "create-complete")

    with pytest.raises(Refused, match="us-west-2 holds the pool ipam-pool-by-hand"):
        refuse_removals(None, [*BUILT, by_hand], {"ipam-pool-west": [CHILD]})


def test_pools_that_go_together_are_no_obstacle_to_each_other() -> None:
    refuse_removals(None, BUILT, {"ipam-pool-west": [CHILD], "ipam-pool-prod": []})


def test_a_new_environment_without_a_free_block_is_refused() -> None:
    plan = PoolPlan(PLAN.top_cidr, 20, 21, PLAN.regions, ("Prod OU", "SDLC OU"))
    reserved = IPv4Network("10.0.8.0/24")

    with pytest.raises(Refused, match=r"10\.0\.0\.0/20 has no free /21 left for us-west-2/SDLC OU"):
        refuse_without_room(plan, TOP, BUILT, {"ipam-pool-west": [IPv4Network("10.0.0.0/21"), reserved]})


def test_the_block_of_a_removed_environment_is_room_for_a_new_one() -> None:
    plan = PoolPlan(PLAN.top_cidr, 20, 21, PLAN.regions, ("SDLC OU",))
    reserved = IPv4Network("10.0.8.0/24")

    refuse_without_room(plan, TOP, BUILT, {"ipam-pool-west": [IPv4Network("10.0.0.0/21"), reserved]})
