"""What is left to change, from what exists."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Network
from typing import Any

import pytest

from ctipam import names
from ctipam.pools import record
from ctipam.pools.change_kinds import (
    CreatePool,
    DeletePool,
    DeprovisionCidr,
    ModifyPool,
    PendingChanges,
    ProvisionCidr,
    TagPool,
    are_tags,
)
from ctipam.pools.changes import is_built, pending_changes
from ctipam.pools.existing import Allocation, Block, ExistingPool
from ctipam.pools.matching import compare, kept_pools
from ctipam.pools.removals import removals
from ctipam.pools.spec import TOP_LEVEL, PoolKey, PoolSpec, VpcSizes
from ctipam.pools.surplus import surplus_in_use
from ctipam.pools.wanted import wanted_allocation_tags, wanted_tags, wanted_vpc_sizes

WEST, EAST = PoolKey("us-west-2"), PoolKey("us-east-1")
WEST_PROD, WEST_SDLC = PoolKey("us-west-2", "Prod OU"), PoolKey("us-west-2", "SDLC OU")
SPEC = PoolSpec(
    (IPv4Network("10.0.0.0/16"),),
    20,
    21,
    ("us-west-2",),
    ("Prod OU",),
    stack_id="arn:stack",
    stack_tags={"CostCenter": "42"},
)
SIZES = SPEC.vpc_sizes


def pool(key: PoolKey, cidr: str | None = None, block: str = "provisioned", **fields: Any) -> ExistingPool:
    """A pool as this solution makes it; block is the state of its CIDR."""
    recorded = {names.BLOCK_TAG: cidr} if cidr and block == "provisioned" else {}
    made: dict[str, Any] = {
        "pool_id": f"ipam-pool-{key}",
        "source_pool_id": f"ipam-pool-{key.parent}" if key.parent else "",
        "state": "create-complete",
        "key": key,
        "blocks": (Block(IPv4Network(cidr), block, f"cidr-{cidr}"),) if cidr else (),
        "tags": wanted_tags(SPEC, key) | recorded,
        "description": names.pool_description(key.region, key.environment),
        "allocation_tags": wanted_allocation_tags(key),
        "vpc_sizes": SIZES if key.environment else None,
    }
    return ExistingPool(**(made | fields))


PENDING = "pending-provision"
TOP_POOL = pool(TOP_LEVEL, "10.0.0.0/16")
TOP = TOP_POOL.pool_id
BUILT = [TOP_POOL, pool(WEST, "10.0.0.0/20"), pool(WEST_PROD, "10.0.0.0/21")]


def test_with_nothing_there_the_top_level_pool_is_created_and_the_others_wait() -> None:
    pending = pending_changes(SPEC, [], {})

    assert pending.changes == (CreatePool(TOP_LEVEL, ""),)
    assert pending.waiting == (
        f"{WEST} (the top-level pool does not exist yet)",
        f"{WEST_PROD} (us-west-2 does not exist yet)",
    )


def test_the_top_level_pool_gets_its_cidr_while_the_regions_are_created() -> None:
    top = pool(TOP_LEVEL)

    pending = pending_changes(SPEC, [top], {})

    assert pending.changes == (ProvisionCidr(top, SPEC.top_cidrs[0]), CreatePool(WEST, TOP))


def test_a_pool_that_aws_is_still_creating_is_waited_for() -> None:
    pending = pending_changes(SPEC, [TOP_POOL, pool(WEST, state="create-in-progress")], {TOP: []})

    assert pending.changes == ()
    assert pending.waiting[0] == "us-west-2 (create-in-progress)"


def test_a_pool_without_a_cidr_gets_the_lowest_free_one_and_its_environments_are_created_meanwhile() -> None:
    west = pool(WEST)
    pending = pending_changes(SPEC, [TOP_POOL, west], {TOP: [IPv4Network("10.0.0.0/24")]})

    assert pending.changes == (
        ProvisionCidr(west, IPv4Network("10.0.16.0/20")),
        CreatePool(WEST_PROD, west.pool_id, SIZES),
    )


@pytest.mark.parametrize(
    "existing",
    [
        [TOP_POOL, pool(WEST, "10.0.0.0/20", "pending-provision"), pool(WEST_PROD)],
        [pool(TOP_LEVEL, "10.0.0.0/16", "pending-provision"), pool(WEST), pool(WEST_PROD)],
    ],
)
def test_a_cidr_is_not_taken_from_a_parent_whose_own_is_not_provisioned_yet(existing: list[ExistingPool]) -> None:
    assert are_tags(pending_changes(SPEC, existing, {}).changes)


def test_when_everything_is_there_nothing_is_left_to_change() -> None:
    assert pending_changes(SPEC, BUILT, {}).nothing


def test_rules_for_vpcs_that_somebody_gave_the_pool_of_a_region_stay() -> None:
    by_hand = pool(WEST, "10.0.0.0/20", vpc_sizes=VpcSizes(25, 24, 26))

    assert pending_changes(SPEC, [TOP_POOL, by_hand, BUILT[2]], {}).nothing


@pytest.mark.parametrize("state", ["pending-provision", "pending-deprovision"])
def test_a_cidr_that_aws_is_busy_with_is_waited_for_before_it_is_taken_away(state: str) -> None:
    busy = pool(WEST_PROD, "10.0.0.0/21", state)

    assert removals([busy], [busy]) == PendingChanges((), (f"us-west-2/Prod OU ({state})",))


def test_a_cidr_that_failed_or_was_given_back_counts_for_nothing() -> None:
    west = pool(WEST, "10.0.0.0/20", "failed-provision")
    west = replace(west, blocks=(*west.blocks, Block(IPv4Network("10.0.16.0/20"), "deprovisioned")))

    pending = pending_changes(SPEC, [TOP_POOL, west], {TOP: []})

    assert pending.changes[0] == ProvisionCidr(west, IPv4Network("10.0.0.0/20"))


def test_what_is_removed_goes_leaf_first() -> None:
    assert removals(BUILT, BUILT).changes == (DeprovisionCidr(BUILT[2], IPv4Network("10.0.0.0/21")),)


def test_an_empty_leaf_is_deleted() -> None:
    empty = [*BUILT[:2], pool(WEST_PROD, "10.0.0.0/21", "deprovisioned")]

    assert removals(empty, empty).changes == (DeletePool(empty[2]),)


def test_a_pool_that_is_no_longer_wanted_is_removed_when_everything_else_exists() -> None:
    spec = replace(SPEC, regions=("us-east-1",))
    found = [*BUILT, pool(EAST)]

    pending = pending_changes(spec, found, {TOP: [IPv4Network("10.0.0.0/20")]})

    assert not any(isinstance(change, DeprovisionCidr | DeletePool) for change in pending.changes)
    built = [*BUILT, pool(EAST, "10.0.16.0/20"), pool(PoolKey("us-east-1", "Prod OU"), "10.0.16.0/21")]
    assert pending_changes(spec, built, {}).changes == (DeprovisionCidr(BUILT[2], IPv4Network("10.0.0.0/21")),)


def test_a_pool_goes_first_only_where_there_is_no_room_beside_it() -> None:
    spec = replace(SPEC, environments=("SDLC OU",), region_prefix_length=20, environment_prefix_length=21)
    reserved = IPv4Network("10.0.8.0/24")
    found = [*BUILT, pool(WEST_SDLC)]

    pending = pending_changes(spec, found, {"ipam-pool-us-west-2": [IPv4Network("10.0.0.0/21"), reserved]})

    assert pending.changes == (DeprovisionCidr(BUILT[2], IPv4Network("10.0.0.0/21")),)
    assert "us-west-2/SDLC OU (no free CIDR yet)" in pending.waiting


def test_to_make_room_one_pool_goes_at_a_time_of_those_beside_it_the_highest() -> None:
    spec = replace(SPEC, regions=("us-west-2", "us-east-1"), environments=("SDLC OU",))
    east = [
        pool(EAST, "10.0.16.0/20"),
        pool(PoolKey("us-east-1", "SDLC OU"), "10.0.16.0/21"),
        pool(PoolKey("us-east-1", "Prod OU"), "10.0.24.0/21"),
    ]
    beside = pool(PoolKey("us-west-2", "Test OU"), "10.0.8.0/21")

    pending = pending_changes(
        spec, [*BUILT, *east, beside, pool(WEST_SDLC)], {BUILT[1].pool_id: [IPv4Network("10.0.0.0/20")]}
    )

    assert pending.changes == (DeprovisionCidr(beside, IPv4Network("10.0.8.0/21")),)
    assert pending.waiting == ("us-west-2/SDLC OU (no free CIDR yet)",)


@pytest.mark.parametrize("environments", [("SDLC OU",), ("Prod OU", "SDLC OU")], ids=["removed", "with another block"])
def test_a_cidr_that_is_being_freed_is_waited_for_before_a_new_pool_gets_one(environments: tuple[str, ...]) -> None:
    spec = replace(SPEC, environments=environments, environment_prefix_length=22)
    leaving = pool(WEST_PROD, "10.0.0.0/21", "pending-deprovision")
    leaving = leaving.with_blocks([*leaving.blocks, Block(IPv4Network("10.0.8.0/22"), "provisioned")])
    occupied = {"ipam-pool-us-west-2": [block.cidr for block in leaving.blocks]}

    pending = pending_changes(spec, [*BUILT[:2], leaving, pool(WEST_SDLC)], occupied)

    assert not any(isinstance(change, ProvisionCidr) for change in pending.changes)
    assert "us-west-2/SDLC OU (no free CIDR yet)" in pending.waiting


@pytest.mark.parametrize("state", ["provisioned", PENDING])
def test_a_cidr_is_recorded_as_soon_as_it_is_seen_so_that_nothing_waits_for_the_tag(state: str) -> None:
    seen = pool(WEST_PROD, "10.0.0.0/21", state, tags=wanted_tags(SPEC, WEST_PROD))

    pending = pending_changes(SPEC, [*BUILT[:2], seen], {})

    assert pending.changes == (TagPool(seen, {names.BLOCK_TAG: "10.0.0.0/21"}),)
    assert pending.nothing_but_tags == (state == "provisioned")


def test_a_cidr_that_only_the_parent_shows_stays_recorded_as_coming() -> None:
    """The pool's own list is late; only by the record does the next look know that it need not ask for the CIDR."""
    seen = pool(WEST_PROD, tags=wanted_tags(SPEC, WEST_PROD), blocks=(Block(IPv4Network("10.0.0.0/21"), PENDING),))

    assert pending_changes(SPEC, [*BUILT[:2], seen], {}).changes == ()


def test_a_cidr_that_is_being_given_back_stays_recorded_as_leaving_while_another_is_coming() -> None:
    """AWS may not give it back: then it is still to be given back, and not somebody else's."""
    blocks = (
        Block(IPv4Network("10.0.0.0/21"), PENDING, "cidr-1"),
        Block(IPv4Network("10.0.8.0/21"), "pending-deprovision", "cidr-2"),
    )
    record = {names.BLOCK_TAG: "+10.0.0.0/21 -10.0.8.0/21"}
    seen = pool(WEST_PROD, blocks=blocks, tags=wanted_tags(SPEC, WEST_PROD) | record)

    assert pending_changes(SPEC, [*BUILT[:2], seen], {}).changes == ()


def test_no_cidr_is_recorded_while_another_is_missing_or_leaving() -> None:
    leaving = pool(WEST_PROD, "10.0.0.0/21", "pending-deprovision", tags=wanted_tags(SPEC, WEST_PROD))

    assert pending_changes(SPEC, [*BUILT[:2], leaving], {}).changes == ()


def test_pools_carry_the_tags_of_the_stack_and_the_pools_of_a_stack_that_is_gone_are_taken_over() -> None:
    adopted = pool(WEST_PROD, "10.0.0.0/21")
    adopted = replace(adopted, tags=dict(adopted.tags) | {names.STACK_TAG: "arn:gone", "CostCenter": "7"})

    changes = pending_changes(SPEC, [*BUILT[:2], adopted], {}).changes

    assert changes == (TagPool(adopted, {names.STACK_TAG: "arn:stack", "CostCenter": "42"}),)


def test_pools_of_others_are_never_touched() -> None:
    foreign = ExistingPool(
        "ipam-pool-by-hand", TOP, "create-complete", blocks=(Block(IPv4Network("10.0.32.0/20"), "provisioned"),)
    )

    assert pending_changes(SPEC, [*BUILT, foreign], {}).nothing


def test_of_two_pools_for_one_key_the_one_with_the_cidr_stays() -> None:
    surplus = pool(WEST, pool_id="ipam-pool-another")

    assert pending_changes(SPEC, [surplus, *BUILT], {}).changes == (DeletePool(surplus),)


def test_an_empty_top_level_pool_of_another_cidr_gives_way_to_a_new_one() -> None:
    old = pool(TOP_LEVEL, "172.16.0.0/12")

    assert TOP_LEVEL not in kept_pools(SPEC, [old])
    assert pending_changes(SPEC, [old], {}).changes == (CreatePool(TOP_LEVEL, ""),)


def test_a_pool_that_could_not_be_created_is_made_again_and_then_deleted() -> None:
    failed = pool(WEST, state="create-failed", pool_id="ipam-pool-failed")

    assert pending_changes(SPEC, [TOP_POOL, failed], {TOP: []}).changes == (CreatePool(WEST, TOP),)
    assert pending_changes(SPEC, [*BUILT, failed], {}).changes == (DeletePool(failed),)


def test_a_changed_description_or_allocation_tag_is_put_right() -> None:
    changed = pool(WEST_PROD, "10.0.0.0/21", allocation_tags={"Env": "Other"})

    assert pending_changes(SPEC, [*BUILT[:2], changed], {}).changes == (ModifyPool(WEST_PROD, changed, SIZES),)


def test_changed_vpc_sizes_are_a_change_in_place_of_the_environments_pools_only() -> None:
    larger = replace(SPEC, vpc_sizes=VpcSizes(22, 20, 26))

    changes = pending_changes(larger, BUILT, {}).changes

    assert changes == (ModifyPool(WEST_PROD, BUILT[2], VpcSizes(22, 20, 26)),)


def test_only_a_new_pool_of_an_environment_is_prepared_and_only_if_something_is_reserved() -> None:
    reserved = replace(SPEC, reserved=(IPv4Network("10.0.0.0/24"),))

    preparing = [
        [key for key in spec.pools if wanted_tags(spec, key).get("ctipam:preparing") == "yes"]
        for spec in (SPEC, reserved)
    ]

    assert preparing == [[], [WEST_PROD]]


def test_a_vpc_gets_the_whole_pool_by_default_where_the_pool_is_smaller_than_the_default() -> None:
    small = replace(SPEC, environment_prefix_length=26)

    assert wanted_vpc_sizes(small, WEST_PROD) == VpcSizes(26, 16, 28)


def test_under_the_quota_what_is_removed_goes_before_what_is_new_comes() -> None:
    spec = replace(SPEC, environments=("SDLC OU",), quota=3)

    pending = pending_changes(spec, BUILT, {"ipam-pool-us-west-2": []})

    assert pending.changes == (DeprovisionCidr(BUILT[2], IPv4Network("10.0.0.0/21")),)
    assert "us-west-2/SDLC OU (no place under IpamPoolQuota yet)" in pending.waiting


def test_as_many_pools_are_created_as_there_are_places_under_the_quota() -> None:
    spec = replace(SPEC, environments=("Prod OU", "SDLC OU"), quota=4)
    surplus = pool(EAST, "10.0.16.0/20")

    pending = pending_changes(spec, [*BUILT[:2], surplus], {})

    assert pending.changes == (CreatePool(WEST_PROD, BUILT[1].pool_id, SIZES),)
    assert pending.waiting == ("us-west-2/SDLC OU (no place under IpamPoolQuota yet)",)


def test_an_environments_pool_below_a_surplus_pool_of_its_region_goes_with_it() -> None:
    surplus = pool(WEST, pool_id="ipam-pool-surplus")
    astray = pool(WEST_PROD, pool_id="ipam-pool-astray", source_pool_id="ipam-pool-surplus")

    assert DeletePool(astray) in pending_changes(SPEC, [*BUILT, surplus, astray], {}).changes


def test_a_pool_that_has_pools_below_it_stands_for_its_region_rather_than_an_empty_one() -> None:
    empty = pool(WEST, pool_id="ipam-pool-a")
    used, child = pool(WEST, pool_id="ipam-pool-b"), pool(WEST_PROD, source_pool_id="ipam-pool-b")

    assert kept_pools(SPEC, [TOP_POOL, empty, used, child])[WEST] == used


def test_what_is_built_is_seen_from_the_cidrs_that_the_pools_hold_and_not_from_what_their_tags_record() -> None:
    assert is_built(SPEC, BUILT)
    assert not is_built(SPEC, [*BUILT[:2], BUILT[2].with_blocks([])])
    assert not is_built(SPEC, [replace(TOP_POOL, pool_id="ipam-pool-another-top"), *BUILT[1:]])


# Pools with several blocks

GROWN = replace(SPEC, pool_sizes={WEST_PROD: (21, 21)})
SECOND = Block(IPv4Network("10.0.8.0/21"), "provisioned")


def with_second(tags: str) -> list[ExistingPool]:
    """The pools of SPEC, of which one holds a second block; tags: what it records."""
    prod = pool(WEST_PROD, "10.0.0.0/21")
    prod = replace(prod, blocks=(SECOND, *prod.blocks), tags={**prod.tags, names.BLOCK_TAG: tags})
    return [*BUILT[:2], prod]


def test_a_further_block_is_recorded_before_it_is_requested() -> None:
    (change,) = pending_changes(GROWN, BUILT, {BUILT[1].pool_id: [IPv4Network("10.0.0.0/21")]}).changes

    assert change == ProvisionCidr(BUILT[2], SECOND.cidr)
    assert isinstance(change, ProvisionCidr)
    assert change.record == {names.BLOCK_TAG: "10.0.0.0/21 +10.0.8.0/21"}


def test_a_block_that_nobody_declared_is_left_alone_and_not_recorded() -> None:
    assert pending_changes(SPEC, with_second("10.0.0.0/21"), {}).nothing


@pytest.mark.parametrize("tags", ["10.0.0.0/21 10.0.8.0/21", "10.0.0.0/21 +10.0.8.0/21", "10.0.0.0/21 -10.0.8.0/21"])
def test_a_block_that_was_declared_and_is_not_any_more_is_given_back(tags: str) -> None:
    (change,) = pending_changes(SPEC, with_second(tags), {}).changes

    assert isinstance(change, DeprovisionCidr)
    assert (change.cidr, change.record) == (SECOND.cidr, {names.BLOCK_TAG: "10.0.0.0/21 -10.0.8.0/21"})


def test_the_block_that_is_in_use_is_kept_of_two() -> None:
    pools = with_second("10.0.0.0/21 10.0.8.0/21")

    (change,) = pending_changes(SPEC, pools, {}, in_use={pools[2].pool_id: [SECOND.cidr]}).changes

    assert change == DeprovisionCidr(pools[2], IPv4Network("10.0.0.0/21"))


def test_whatever_a_new_pool_holds_was_given_because_it_was_declared() -> None:
    (change,) = pending_changes(SPEC, with_second("+"), {}).changes

    assert change == DeprovisionCidr(with_second("+")[2], SECOND.cidr)


def test_a_regions_block_is_given_back_when_no_block_of_an_environment_is_in_it_any_more() -> None:
    spec, further = replace(SPEC, environments=("Prod OU",)), Block(IPv4Network("10.0.16.0/20"), "provisioned")
    west = replace(
        BUILT[1],
        blocks=(*BUILT[1].blocks, further),
        tags={**BUILT[1].tags, names.BLOCK_TAG: "10.0.0.0/20 10.0.16.0/20"},
    )
    inside = Block(IPv4Network("10.0.16.0/21"), "provisioned")
    prod = replace(
        BUILT[2], blocks=(*BUILT[2].blocks, inside), tags={**BUILT[2].tags, names.BLOCK_TAG: "10.0.0.0/21 10.0.16.0/21"}
    )

    both = pending_changes(spec, [TOP_POOL, west, prod], {})
    alone = pending_changes(spec, [TOP_POOL, west, BUILT[2]], {})

    assert both.changes == (DeprovisionCidr(prod, inside.cidr),)
    assert both.waiting == ("us-west-2 (10.0.16.0/20 is not free yet)",)
    assert alone.changes == (DeprovisionCidr(west, further.cidr),)


def test_a_block_that_an_environment_is_giving_back_keeps_no_block_of_its_region() -> None:
    blocks = [Block(IPv4Network(cidr), "provisioned") for cidr in ("10.0.0.0/20", "10.0.16.0/20")]
    west = replace(BUILT[1], blocks=tuple(blocks), tags={names.BLOCK_TAG: "10.0.0.0/20 10.0.16.0/20"})
    prod = pool(WEST_PROD, "10.0.16.0/21", "pending-deprovision")
    of_prod = Allocation(IPv4Network("10.0.16.0/21"), "ipam-pool", prod.pool_id, "222222222222")

    surplus = surplus_in_use(compare(SPEC, [TOP_POOL, west, prod]), {west.pool_id: [of_prod]})

    assert (surplus.blocks, surplus.in_use) == ((), {west.pool_id: set()})


@pytest.mark.parametrize("word", ["", "10.0.0.0", "10.0.0.1/8", "ten/8", "fd00::/8", "-", "/8"])
def test_whatever_somebody_makes_of_a_record_only_a_cidr_is_one(word: str) -> None:
    assert record.read({names.BLOCK_TAG: f"{word} 10.0.0.0/21"}) == record.read({names.BLOCK_TAG: "10.0.0.0/21"})


def test_a_record_of_many_blocks_goes_on_in_further_tags() -> None:
    cidrs = [IPv4Network((0x0A000000 + number * 2**16, 16)) for number in range(50)]

    tags = record.written(cidrs)

    assert set(tags) == {names.BLOCK_TAG, *(f"{names.BLOCK_TAG}-{number}" for number in range(2, len(tags) + 1))}
    assert max(map(len, tags.values())) <= record.VALUE_LIMIT
    assert record.read(tags).declared == set(cidrs)


def test_a_record_tells_what_is_there_what_comes_and_what_goes() -> None:
    here, coming, leaving = (IPv4Network(f"10.{number}.0.0/16") for number in range(3))

    tags = record.written([here], [coming], [leaving])

    assert tags == {names.BLOCK_TAG: "10.0.0.0/16 +10.1.0.0/16 -10.2.0.0/16"}
    assert record.read(tags) == record.Record(frozenset([here]), frozenset([coming]), frozenset([leaving]), False)


def test_a_tag_of_a_record_is_as_long_as_aws_allows_before_it_goes_on_in_another() -> None:
    cidrs = [IPv4Network(f"10.{one}.{other}.0/24") for one in (1, 2) for other in range(8)]
    cidrs += [IPv4Network(f"10.0.{number}.0/24") for number in range(10, 15)]

    assert list(map(len, record.written(cidrs).values())) == [record.VALUE_LIMIT]
    assert len(record.written([*cidrs, IPv4Network("10.9.0.0/24")])) == 2
