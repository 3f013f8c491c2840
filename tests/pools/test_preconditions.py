"""What a change must not do to the pools that are there."""

from __future__ import annotations

import re
from contextlib import nullcontext
from dataclasses import replace
from ipaddress import IPv4Network
from typing import Any

import pytest

from ctipam import names
from ctipam.errors import REASON_LIMIT, Refused
from ctipam.pools.addresses import without
from ctipam.pools.existing import Allocation, Block, ExistingPool
from ctipam.pools.matching import compare
from ctipam.pools.parameters import PRIVATE_RANGES
from ctipam.pools.preconditions import (
    deletion_blockers,
    deployment_of,
    refuse_deletion,
    refuse_moves,
    refuse_over_quotas,
    refuse_overlap,
    refuse_second_deployment,
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


def test_a_pool_that_has_lost_its_environment_is_named_by_its_id_and_the_tag() -> None:
    lost = replace(BUILT[2], key=WEST)

    assert deletion_blockers([lost], [*BUILT[:2], lost], {lost.pool_id: [VPC]}) == {
        "ipam-pool-prod": [
            "ipam-pool-prod, without its tag ctipam:environment, holds vpc-0123 (10.0.0.0/24, account 012345678901)"
        ]
    }


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
        "and 8 more, see make report. Keep their Regions and environments, or delete these and wait 30 minutes."
    )
    assert len(text) < 240


def test_obstacles_that_all_fit_are_not_counted() -> None:
    with pytest.raises(Refused, match=r"changed: a holds vpc-1; b holds vpc-2\. Keep their Regions"):
        refuse_deletion(["a holds vpc-1", "b holds vpc-2"])
    refuse_deletion([])


def test_a_second_deployment_is_refused_with_the_name_of_the_first_wherever_it_is_noticed() -> None:
    uuid = "11111111-2222-3333-4444-555555555555"
    other, unknown, own = (
        f"arn:aws:cloudformation:us-east-1:222222222222:stack/{name}/{uuid}"
        for name in (f"StackSet-first-networking-{uuid}", "StackSet-ipam-1", f"StackSet-second-networking-{uuid}")
    )
    place = "in us-east-1, account 222222222222, already manages the pools of this organization;"

    def refusal(living: str) -> str:
        with pytest.raises(Refused) as refused:
            refuse_second_deployment([living], deployment_of(own))
        return str(refused.value)

    assert refusal(other) == (
        f"Deployment first {place} update it, or delete it first, or deploy under the name first."
    )
    assert refusal(unknown) == f"Stack StackSet-ipam-1 {place} update that deployment, or delete it first."
    assert refusal(own) == f"Stack StackSet-second-networking-{uuid} {place} delete that stack first."
    refuse_second_deployment([], "second")


@pytest.mark.parametrize("state", ["provisioned", "pending-provision", "failed-deprovision"])
def test_a_top_level_cidr_that_overlaps_another_top_level_pool_is_refused(state: str) -> None:
    others = {"ipam-pool-other": [Block(IPv4Network("10.0.128.0/17"), state)]}

    with pytest.raises(Refused) as refusal:
        refuse_overlap(compare(PLAN, BUILT), others)

    assert str(refusal.value) == (
        "TopLevelPoolCidr 10.0.0.0/16 overlaps 10.0.128.0/17 of ipam-pool-other in the same scope. "
        "Choose space that is free, or another private scope as IpamScope."
    )


@pytest.mark.parametrize(
    ("cidr", "state"),
    [("10.0.128.0/17", "deprovisioned"), ("10.0.128.0/17", "pending-deprovision"), ("10.1.0.0/16", "provisioned")],
)
@pytest.mark.parametrize("existing", [[], BUILT], ids=["before there are pools", "later"])
def test_what_another_top_level_pool_has_beside_it_or_gives_back_is_in_no_cidrs_way(
    existing: list[ExistingPool], cidr: str, state: str
) -> None:
    refuse_overlap(compare(PLAN, existing), {"ipam-pool-other": [Block(IPv4Network(cidr), state)]})


MANY_PARTS = " ".join(f"10.0.{number}.0/24" for number in range(0, 30, 2))


@pytest.mark.parametrize(
    ("has", "wanted", "instead"),
    [
        ("10.0.0.0/16", "10.0.0.0/16", ""),
        ("10.0.0.0/16", "10.0.0.0/16 10.1.0.0/16", ""),
        ("10.0.0.0/16", "10.0.0.0/15", "10.0.0.0/16,10.1.0.0/16"),
        ("10.0.0.0/16", "10.0.7.0/24", "10.0.0.0/16"),
        ("10.1.64.0/18 10.9.0.0/16", "10.1.0.0/16", "10.1.0.0/18,10.1.64.0/18,10.1.128.0/17"),
        (MANY_PARTS, "10.0.0.0/16", "10.0.0.0/24,..."),
    ],
    ids=["as it is", "another beside it", "around it", "in it", "around a part", "around many parts"],
)
def test_a_top_level_cidr_that_overlaps_one_of_the_own_pool_is_refused_with_what_to_give_instead(
    has: str, wanted: str, instead: str
) -> None:
    blocks = [Block(IPv4Network(cidr), "provisioned") for cidr in has.split()]
    plan = replace(PLAN, top_cidrs=tuple(map(IPv4Network, wanted.split())))
    comparison = compare(plan, [BUILT[0].with_blocks(blocks), *BUILT[1:]])

    with pytest.raises(Refused) if instead else nullcontext() as refusal:
        refuse_overlap(comparison, {})

    if refusal:
        first = next(block.cidr for block in blocks if block.cidr.overlaps(plan.top_cidrs[0]))
        assert str(refusal.value) == (
            f"TopLevelPoolCidr {wanted} overlaps {first}, which the top-level pool of this stack has already. "
            f"Give {instead} instead."
        )


def test_a_cidr_that_the_own_top_level_pool_gives_back_is_in_no_ones_way() -> None:
    leaving = Block(IPv4Network("10.1.0.0/17"), "pending-deprovision")
    top = replace(BUILT[0], blocks=(*BUILT[0].blocks, leaving))

    refuse_overlap(
        compare(replace(PLAN, top_cidrs=(*PLAN.top_cidrs, IPv4Network("10.1.0.0/16"))), [top, *BUILT[1:]]), {}
    )


@pytest.mark.parametrize(
    ("key", "held", "parameter"),
    [(TOP_LEVEL, 49, ""), (TOP_LEVEL, 50, "TopLevelPoolCidr"), (WEST, 49, ""), (WEST, 50, "PoolSizes")],
)
def test_a_pool_of_fifty_cidrs_gets_no_further_one(key: PoolKey, held: int, parameter: str) -> None:
    """All but the first were added by hand."""
    at = [TOP_LEVEL, WEST].index(key)
    by_hand = [Block(IPv4Network((0xAC100000 + number * 256, 24)), "provisioned") for number in range(held - 1)]
    pools = [*BUILT]
    pools[at] = replace(BUILT[at], blocks=(*BUILT[at].blocks, *by_hand))
    plan = replace(PLAN, top_cidrs=(*PLAN.top_cidrs, IPv4Network("10.1.0.0/16")), pool_sizes={WEST: (20, 20)})

    with pytest.raises(Refused) if parameter else nullcontext() as refusal:
        refuse_over_quotas(compare(plan, pools), 3)

    if refusal:
        assert str(refusal.value) == (
            f"{key} has 50 CIDRs and would get 1 more, and AWS allows 50 in a pool. Give fewer; or first leave unused "
            f"ones out of {parameter}, or deprovision those added by hand, then add these."
        )


def test_a_pool_of_more_cidrs_than_aws_allowed_once_keeps_them() -> None:
    many = [Block(IPv4Network((0xAC100000 + number * 256, 24)), "provisioned") for number in range(51)]

    refuse_over_quotas(compare(PLAN, [BUILT[0].with_blocks([*BUILT[0].blocks, *many]), *BUILT[1:]]), 3)


def test_more_pools_than_the_quota_allows_are_refused_with_the_count_and_the_limit() -> None:
    others = [ExistingPool(f"ipam-pool-{i}", "", "create-complete") for i in range(48)]

    with pytest.raises(Refused, match=r"49 \+ 1 \+ 1 \* 1 = 51 pools, and may have 50"):
        refuse_over_quotas(compare(PLAN, [*others, *BUILT]), 51)


@pytest.mark.parametrize(("quota", "fits"), [(3, True), (2, False)])
def test_pools_that_are_removed_make_place_for_others_under_the_quota(quota: int, fits: bool) -> None:
    surplus = [pool(PoolKey(f"r-{number}"), f"ipam-pool-{number}", TOP, "10.0.16.0/20") for number in range(10)]

    with nullcontext() if fits else pytest.raises(Refused):
        refuse_over_quotas(compare(replace(PLAN, quota=quota), [*BUILT, *surplus]), 13)


def test_a_new_environment_without_a_free_block_is_refused() -> None:
    plan = PoolSpec(PLAN.top_cidrs, 20, 21, PLAN.regions, ("Prod OU", "SDLC OU"))
    reserved = IPv4Network("10.0.8.0/24")

    with pytest.raises(Refused) as refusal:
        refuse_without_room(
            plan, BUILT, {"ipam-pool-west": [IPv4Network("10.0.0.0/21"), reserved], TOP: [IPv4Network("10.0.0.0/20")]}
        )

    assert str(refusal.value) == (
        "No room for us-west-2/SDLC OU: us-west-2 (10.0.0.0/20) has no free /21 left. "
        "Give PoolSizes us-west-2=20+20; or remove this environment."
    ), "the sizes of pools that exist cannot change"


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
    assert len(str(refusal.value)) < 240


@pytest.mark.parametrize(
    ("free", "way_out"),
    [
        ("10.0.15.240/28", "Give PoolSizes SDLC OU=28; or remove this environment."),
        ("10.0.15.248/29", "Remove this environment: no parameter makes room for it."),
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


def test_nobody_is_told_to_remove_an_environment_that_exists_and_only_finds_no_room_for_another_block() -> None:
    sizes = {PoolKey("us-west-2", "Prod OU"): (21, 21)}
    plan = PoolSpec(PLAN.top_cidrs, 20, 21, PLAN.regions, ("Prod OU", "SDLC OU"), pool_sizes=sizes)
    occupied = {"ipam-pool-west": [IPv4Network("10.0.0.0/20")], TOP: [IPv4Network("10.0.0.0/16")]}

    with pytest.raises(Refused) as refusal:
        refuse_without_room(plan, BUILT, occupied, PRIVATE_RANGES)

    assert str(refusal.value).startswith("No room for us-west-2/Prod OU: ")
    assert str(refusal.value).endswith("Undo the change that needs it: no parameter makes room for it.")


FULL = [*PRIVATE_RANGES[1:], *PRIVATE_RANGES[0].address_exclude(PLAN.top_cidrs[0])]
"""The private address space, but for the CIDR of PLAN."""

ENVIRONMENTS: dict[str, Any] = {"environments": ("A", "B", "C")}
REGIONS: dict[str, Any] = {"regions": ("r-1", "r-2", "r-3"), "region_prefix_length": 17}


@pytest.mark.parametrize(
    ("changed", "way_out"),
    [
        (ENVIRONMENTS | {"vpc_sizes": VpcSizes(22, 16, 22)}, "Give PoolSizes us-west-2=20+20, or a longer {}; or"),
        (ENVIRONMENTS | {"vpc_sizes": VpcSizes(21, 16, 21)}, "Give PoolSizes us-west-2=20+20; or"),
        (REGIONS | {"environment_prefix_length": 19}, "Give a longer {}; or"),
        (REGIONS | {"environment_prefix_length": 18}, "Remove this Region: no parameter makes room for it."),
    ],
    ids=["as small as a VPC", "smaller than a VPC", "larger than an environment", "as small as an environment"],
)
def test_for_a_first_deployment_a_longer_prefix_length_is_suggested_if_it_makes_room(
    changed: dict[str, Any], way_out: str
) -> None:
    with pytest.raises(Refused) as refusal:
        refuse_without_room(replace(PLAN, **changed), [], {}, FULL)

    lacking, parameter, level = (
        ("us-west-2/C: the new pool of us-west-2 has no free /21", "AccPoolPrefixLength", "environment")
        if "environments" in changed
        else ("r-3: the top-level pool (10.0.0.0/16) has no free /17", "IpamPoolPrefixLength", "Region")
    )
    remove = f" remove this {level}." if way_out.endswith("or") else ""
    assert str(refusal.value) == f"No room for {lacking} left. {way_out.format(parameter)}{remove}"


@pytest.mark.parametrize(
    ("free", "way_out"),
    [
        ("172.16.16.0/20", "Give TopLevelPoolCidr 10.0.0.0/16,172.16.16.0/20; or remove this Region."),
        ("172.16.0.0/12", "Give TopLevelPoolCidr 10.0.0.0/16,172.16.0.0/16; or remove this Region."),
        ("172.16.16.0/21", "Remove this Region: no parameter makes room for it."),
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

    assert str(refusal.value).endswith(f"no free /22 left. Give PoolSizes Prod OU={sizes}.")


WEST_BLOCKS = [Block(IPv4Network(cidr), "provisioned") for cidr in ("10.0.0.0/20", "10.0.16.0/20")]


@pytest.mark.parametrize(
    ("recorded", "full", "sizes"),
    [("10.0.0.0/20 10.0.16.0/20", WEST_BLOCKS[:1], "20+20"), ("10.0.0.0/20", WEST_BLOCKS, "20+20+20")],
    ids=["no longer declared", "added by hand"],
)
def test_the_sizes_that_make_room_keep_the_blocks_that_a_region_has_but_those_that_it_gives_back(
    recorded: str, full: list[Block], sizes: str
) -> None:
    west = replace(BUILT[1], blocks=tuple(WEST_BLOCKS), tags={names.BLOCK_TAG: recorded})
    occupied = {west.pool_id: [block.cidr for block in full], TOP: [block.cidr for block in WEST_BLOCKS]}

    with pytest.raises(Refused, match=re.escape(f"Give PoolSizes us-west-2={sizes}; or remove this environment.")):
        refuse_without_room(replace(PLAN, environments=("Prod OU", "SDLC OU")), [BUILT[0], west, BUILT[2]], occupied)


def test_only_the_first_block_of_a_new_pool_may_be_reserved_in_part() -> None:
    """When the pool gets the others it has one already, and could not get them."""
    plan = replace(PLAN, reserved=(IPv4Network("10.0.128.0/24"),), pool_sizes={PoolKey("us-west-2"): (17, 17)})

    with pytest.raises(Refused, match=r"No room for us-west-2: the top-level pool .* has no free /17 left beside"):
        refuse_without_room(plan, [], {})


def test_a_further_top_level_cidr_is_beside_what_is_reserved_and_what_the_pool_has() -> None:
    plan = replace(PLAN, regions=("us-west-2", "us-east-1"), reserved=(IPv4Network("10.1.0.0/16"),))
    by_hand = Block(IPv4Network("10.2.0.0/16"), "provisioned")
    top = replace(BUILT[0], blocks=(*BUILT[0].blocks, by_hand), tags={names.BLOCK_TAG: "10.0.0.0/16"})
    occupied = {TOP: [block.cidr for block in top.blocks], BUILT[1].pool_id: []}

    with pytest.raises(Refused, match=r"Give TopLevelPoolCidr 10\.0\.0\.0/16,10\.3\.0\.0/16; or remove this Region\."):
        refuse_without_room(plan, [top, *BUILT[1:]], occupied)


@pytest.mark.parametrize(
    ("environments", "state", "fits"),
    [
        (("SDLC OU",), "provisioned", True),
        (("Prod OU", "SDLC OU"), "provisioned", False),
        (("Prod OU", "SDLC OU"), "pending-deprovision", True),
    ],
    ids=["of a removed environment", "of one that stays", "of one that gives it back"],
)
def test_the_block_of_another_environment_is_room_for_a_new_one_if_it_goes(
    environments: tuple[str, ...], state: str, fits: bool
) -> None:
    plan = replace(PLAN, environments=environments, pool_sizes={WEST_PROD: (22,)})
    held = Block(IPv4Network("10.0.0.0/22"), "provisioned"), Block(IPv4Network("10.0.8.0/21"), state)
    pools = [*BUILT[:2], BUILT[2].with_blocks(held)]
    reserved = IPv4Network("10.0.4.0/24")
    occupied = {"ipam-pool-west": [*(block.cidr for block in held), reserved], TOP: PLAN.top_cidrs}

    with nullcontext() if fits else pytest.raises(Refused):
        refuse_without_room(plan, pools, occupied)
