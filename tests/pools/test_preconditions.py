"""What a change must not do to the pools that are there."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Network
from typing import Any

import pytest

from ctipam.errors import REASON_LIMIT, Refused
from ctipam.pools.addresses import without
from ctipam.pools.existing import Allocation, Block, ExistingPool
from ctipam.pools.matching import compare
from ctipam.pools.parameters import PRIVATE_RANGES
from ctipam.pools.preconditions import (
    deletion_blockers,
    refuse_deletion,
    refuse_moves,
    refuse_over_quotas,
    refuse_overlap,
    refuse_second_stack,
)
from ctipam.pools.room import refuse_without_room
from ctipam.pools.spec import TOP_LEVEL, PoolKey, PoolSpec, VpcSizes

TOP = "ipam-pool-top"
WEST, WEST_PROD = PoolKey("us-west-2"), PoolKey("us-west-2", "Prod OU")
PLAN = PoolSpec((IPv4Network("10.0.0.0/16"),), 20, 21, ("us-west-2",), ("Prod OU",))


def pool(key: PoolKey | None, pool_id: str, source: str, cidr: str) -> ExistingPool:
    return ExistingPool(pool_id, source, "create-complete", key, (Block(IPv4Network(cidr), "provisioned"),))


BUILT = [
    pool(TOP_LEVEL, TOP, "", "10.0.0.0/16"),
    pool(WEST, "ipam-pool-west", TOP, "10.0.0.0/20"),
    pool(WEST_PROD, "ipam-pool-prod", "ipam-pool-west", "10.0.0.0/21"),
]
SCOPE, OTHER_SCOPE = "ipam-scope-0123456789abcdef0", "ipam-scope-0123456789abcdef1"
SCOPES = {TOP: SCOPE, "ipam-pool-west": SCOPE, "ipam-pool-prod": SCOPE}
CHILD = Allocation(IPv4Network("10.0.0.0/21"), "ipam-pool", "ipam-pool-prod", "222222222222")
VPC = Allocation(IPv4Network("10.0.0.0/24"), "vpc", "vpc-0123", "012345678901")


def test_pools_do_not_move_to_another_scope() -> None:
    top = pool(TOP_LEVEL, "ipam-pool-0123456789abcdef0", "", "10.0.0.0/16")

    with pytest.raises(Refused, match="IpamScope cannot become ipam-scope-0123456789abcdef0: the top-level pool") as no:
        refuse_moves(PLAN, SCOPE, [top, *BUILT[1:]], SCOPES | {top.pool_id: OTHER_SCOPE})

    assert f"Give IpamScope {OTHER_SCOPE} to keep or take over these pools, or delete them." in str(no.value)
    assert len(str(no.value)) <= REASON_LIMIT


def test_a_plan_that_leaves_the_pools_as_they_are_is_not_refused() -> None:
    refuse_moves(PLAN, SCOPE, BUILT, SCOPES)
    refuse_deletion([])
    refuse_over_quotas(compare(PLAN, BUILT), 3)
    refuse_without_room(PLAN, BUILT, {})


def test_a_vpc_in_a_pool_that_goes_is_in_the_way_and_pools_that_go_together_are_not() -> None:
    held = {"ipam-pool-west": [CHILD], "ipam-pool-prod": [VPC]}

    assert deletion_blockers(BUILT, BUILT, held) == {
        "ipam-pool-prod": ["us-west-2/Prod OU holds vpc-0123 (10.0.0.0/24, account 012345678901)"]
    }


def test_what_a_pool_that_is_gone_had_of_its_parent_is_in_nobodys_way() -> None:
    assert deletion_blockers(BUILT[:2], BUILT[:2], {"ipam-pool-west": [CHILD]}) == {}


def test_a_reserved_block_is_in_the_way() -> None:
    reserved = Allocation(IPv4Network("10.0.8.0/24"), "custom", "", "222222222222")

    found = deletion_blockers(BUILT, BUILT, {"ipam-pool-west": [CHILD, reserved]})

    assert found == {"ipam-pool-west": ["us-west-2 holds custom allocation (10.0.8.0/24, account 222222222222)"]}


@pytest.mark.parametrize("provisioned", [True, False])
def test_a_pool_made_by_hand_is_in_the_way_once_with_or_without_a_block(provisioned: bool) -> None:
    by_hand = ExistingPool("ipam-pool-by-hand", "ipam-pool-west", "create-complete")
    allocation = Allocation(IPv4Network("10.0.8.0/24"), "ipam-pool", "ipam-pool-by-hand", "222222222222")

    found = deletion_blockers(
        BUILT, [*BUILT, by_hand], {"ipam-pool-west": [CHILD, *([allocation] if provisioned else [])]}
    )

    (sentence,) = found["ipam-pool-west"]
    assert len(found) == 1
    assert "us-west-2 holds" in sentence
    assert "ipam-pool-by-hand" in sentence


def test_what_somebody_has_below_the_top_level_pool_is_in_the_way_when_that_goes_too() -> None:
    reserved = Allocation(IPv4Network("10.0.64.0/20"), "custom", "", "222222222222")

    found = deletion_blockers(BUILT, BUILT, {TOP: [reserved]})

    assert found == {TOP: ["the top-level pool holds custom allocation (10.0.64.0/20, account 222222222222)"]}


def test_of_many_obstacles_as_many_are_named_as_there_is_room_for_and_the_rest_are_counted() -> None:
    vpcs = [f"us-west-2/Prod OU holds vpc-{i:017x} (10.0.{i}.0/24, account 012345678901)" for i in range(9)]

    with pytest.raises(Refused) as refusal:
        refuse_deletion(vpcs)

    text = str(refusal.value)
    assert text.startswith("In use, nothing was changed: us-west-2/Prod OU holds vpc-00000000000000000 ")
    assert text.endswith(
        "and 8 more, see make report. Keep their Regions and environments, or delete these and wait 20 minutes."
    )
    assert len(text) <= 240


def test_obstacles_that_all_fit_are_not_counted() -> None:
    with pytest.raises(Refused, match=r"changed: a holds vpc-1; b holds vpc-2\. Keep their Regions"):
        refuse_deletion(["a holds vpc-1", "b holds vpc-2"])
    refuse_deletion([])


def test_a_second_stack_beside_one_that_can_act_is_refused_with_its_name() -> None:
    other = "arn:aws:cloudformation:us-east-1:222222222222:stack/StackSet-ipam-1/11111111-2222-3333-4444-555555555555"

    with pytest.raises(Refused, match="Stack StackSet-ipam-1 in us-east-1 already manages the pools"):
        refuse_second_stack([other])
    refuse_second_stack([])


def test_a_top_level_cidr_that_overlaps_another_top_level_pool_is_refused() -> None:
    others = {"ipam-pool-other": [Block(IPv4Network("10.0.128.0/17"), "provisioned")]}

    with pytest.raises(Refused, match=r"overlaps 10\.0\.128\.0/17 of ipam-pool-other"):
        refuse_overlap(compare(PLAN, BUILT), others)
    refuse_overlap(compare(PLAN, BUILT), {"ipam-pool-other": [Block(IPv4Network("10.0.128.0/17"), "deprovisioned")]})


def test_more_pools_than_the_quota_allows_are_refused_with_the_count_and_the_limit() -> None:
    others = [ExistingPool(f"ipam-pool-{i}", "", "create-complete") for i in range(48)]

    with pytest.raises(Refused, match=r"49 \+ 1 \+ 1 \* 1 = 51 pools, and may have 50"):
        refuse_over_quotas(compare(PLAN, [*others, *BUILT]), 51)


def test_a_new_environment_without_a_free_block_is_refused() -> None:
    plan = PoolSpec(PLAN.top_cidrs, 20, 21, PLAN.regions, ("Prod OU", "SDLC OU"))
    reserved = IPv4Network("10.0.8.0/24")

    with pytest.raises(Refused, match=r"for us-west-2/SDLC OU: us-west-2 \(10\.0\.0\.0/20\) has no free /21 left"):
        refuse_without_room(plan, BUILT, {"ipam-pool-west": [IPv4Network("10.0.0.0/21"), reserved]})


@pytest.mark.parametrize(
    ("name", "way_out"),
    [
        ("Long name of an environment", "Give PoolSizes us-west-2=20+20+20,..., beside what it has;"),
        ("A", "Give PoolSizes A 0=21+21,A 1=21+21,A 2=21+21,us-west-2=20+20+20;"),
    ],
    ids=["too long for a message", "short"],
)
def test_pool_sizes_that_make_room_are_given_whole_if_they_fit_into_the_message(name: str, way_out: str) -> None:
    environments = tuple(f"{name} {number}" for number in range(3))
    properties = {
        "TopLevelPoolCidr": "10.0.0.0/16",
        "RegionSelection": ["us-west-2"],
        "IpamPoolPrefixLength": "20",
        "AccEnvName": list(environments),
        "AccPoolPrefixLength": "21",
        "PoolSizes": ",".join(f"{environment}=21+21" for environment in environments),
    }

    with pytest.raises(Refused) as refusal:
        refuse_without_room(PoolSpec.from_properties(properties, {"us-west-2"}), [], {}, [])

    assert way_out in str(refusal.value)
    assert len(str(refusal.value)) <= 240


@pytest.mark.parametrize(
    ("free", "way_out"),
    [
        ("10.0.15.240/28", "Give PoolSizes SDLC OU=28; or leave it out."),
        ("10.0.15.248/29", "Leave it out: no parameter makes room for it."),
    ],
)
def test_without_more_private_space_a_smaller_pool_is_suggested_if_it_has_room_for_a_vpc(
    free: str, way_out: str
) -> None:
    plan = PoolSpec(PLAN.top_cidrs, 20, 21, PLAN.regions, ("Prod OU", "SDLC OU"))
    west = IPv4Network("10.0.0.0/20")
    occupied = {"ipam-pool-west": [*west.address_exclude(IPv4Network(free))], TOP: [IPv4Network("10.0.0.0/16")]}

    with pytest.raises(Refused) as refusal:
        refuse_without_room(plan, BUILT, occupied, PRIVATE_RANGES)

    assert str(refusal.value).endswith(way_out)


FULL = [*PRIVATE_RANGES[1:], *PRIVATE_RANGES[0].address_exclude(PLAN.top_cidrs[0])]
"""The private address space, but for the CIDR of PLAN."""

ENVIRONMENTS: dict[str, Any] = {"environments": ("A", "B", "C")}
REGIONS: dict[str, Any] = {"regions": ("r-1", "r-2", "r-3"), "region_prefix_length": 17}


@pytest.mark.parametrize(
    ("changed", "way_out"),
    [
        (ENVIRONMENTS | {"vpc_sizes": VpcSizes(22, 16, 22)}, "us-west-2=20+20, or a longer AccPoolPrefixLength; or"),
        (ENVIRONMENTS | {"vpc_sizes": VpcSizes(21, 16, 21)}, "us-west-2=20+20; or leave it out."),
        (REGIONS | {"environment_prefix_length": 19}, "Give a longer IpamPoolPrefixLength; or leave it out."),
        (REGIONS | {"environment_prefix_length": 18}, "Leave it out: no parameter makes room for it."),
    ],
    ids=["as small as a VPC", "smaller than a VPC", "larger than an environment", "as small as an environment"],
)
def test_for_a_first_deployment_a_longer_prefix_length_is_suggested_if_it_makes_room(
    changed: dict[str, Any], way_out: str
) -> None:
    with pytest.raises(Refused) as refusal:
        refuse_without_room(replace(PLAN, **changed), [], {}, FULL)

    assert way_out in str(refusal.value)


@pytest.mark.parametrize(
    ("free", "way_out"),
    [
        ("172.16.16.0/20", "Give TopLevelPoolCidr 10.0.0.0/16,172.16.16.0/20; or leave it out."),
        ("172.16.0.0/12", "Give TopLevelPoolCidr 10.0.0.0/16,172.16.0.0/16; or leave it out."),
        ("172.16.16.0/21", "Leave it out: no parameter makes room for it."),
    ],
    ids=["just enough", "as much as the first", "not enough"],
)
def test_a_further_top_level_cidr_is_as_large_as_the_first_or_at_least_as_what_finds_no_room(
    free: str, way_out: str
) -> None:
    regions = tuple(f"r-{number}" for number in range(17))
    elsewhere = [rest for network in FULL for rest in without(network, [IPv4Network(free)])]

    with pytest.raises(Refused) as refusal:
        refuse_without_room(replace(PLAN, regions=regions), [], {}, elsewhere)

    assert str(refusal.value).endswith(way_out)


@pytest.mark.parametrize(("free", "sizes"), [("10.0.12.0/23", "21+23"), ("10.0.12.0/24", "21")])
def test_without_more_private_space_the_further_blocks_are_suggested_that_have_room(free: str, sizes: str) -> None:
    plan = replace(PLAN, pool_sizes={WEST_PROD: (21, 22, 23)})
    occupied = {"ipam-pool-west": [*IPv4Network("10.0.0.0/20").address_exclude(IPv4Network(free))], TOP: PLAN.top_cidrs}

    with pytest.raises(Refused) as refusal:
        refuse_without_room(plan, BUILT, occupied, PRIVATE_RANGES)

    assert str(refusal.value).endswith(f"no free /22 left. Give PoolSizes Prod OU={sizes}; or leave it out.")


def test_the_block_of_a_removed_environment_is_room_for_a_new_one() -> None:
    plan = PoolSpec(PLAN.top_cidrs, 20, 21, PLAN.regions, ("SDLC OU",))
    reserved = IPv4Network("10.0.8.0/24")

    refuse_without_room(plan, BUILT, {"ipam-pool-west": [IPv4Network("10.0.0.0/21"), reserved]})
