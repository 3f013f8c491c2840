"""What is left to change, from what exists."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Network
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctipam import names
from ctipam.errors import Refused
from ctipam.pools.change_kinds import (
    CreatePool,
    DeletePool,
    DeprovisionCidr,
    ModifyPool,
    ProvisionCidr,
    TagPool,
)
from ctipam.pools.changes import is_built, pending_changes
from ctipam.pools.existing import Block, ExistingPool
from ctipam.pools.matching import compare, kept_pools
from ctipam.pools.placement import parents_of_new_cidrs
from ctipam.pools.removals import removals
from ctipam.pools.room import refuse_without_room
from ctipam.pools.spec import TOP_LEVEL, PoolKey, PoolSpec, VpcSizes
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
        "blocks": (Block(IPv4Network(cidr), block),) if cidr else (),
        "tags": wanted_tags(SPEC, key) | recorded,
        "description": names.pool_description(key.region, key.environment),
        "allocation_tags": wanted_allocation_tags(key),
        "vpc_sizes": SIZES if key.environment else None,
    }
    return ExistingPool(**(made | fields))


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
    assert pending_changes(SPEC, existing, {}).changes == ()


def test_when_everything_is_there_nothing_is_left_to_change() -> None:
    assert pending_changes(SPEC, BUILT, {}).nothing


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


def test_a_cidr_that_is_being_freed_is_waited_for_before_a_new_pool_gets_one() -> None:
    spec = replace(SPEC, environments=("SDLC OU",))
    leaving = pool(WEST_PROD, "10.0.0.0/21", "pending-deprovision")
    occupied = {"ipam-pool-us-west-2": [IPv4Network("10.0.0.0/21")]}

    pending = pending_changes(spec, [*BUILT[:2], leaving, pool(WEST_SDLC)], occupied)

    assert not any(isinstance(change, ProvisionCidr) for change in pending.changes)


def test_a_cidr_is_recorded_when_it_was_seen_provisioned_and_not_before() -> None:
    seen = pool(WEST, "10.0.0.0/20", tags=wanted_tags(SPEC, WEST))
    pending = pool(WEST_PROD, "10.0.0.0/21", "pending-provision")

    changes = pending_changes(SPEC, [TOP_POOL, seen, pending], {}).changes

    assert changes == (TagPool(seen, {names.BLOCK_TAG: "10.0.0.0/20"}),)


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


def test_a_vpc_gets_the_whole_pool_by_default_where_the_pool_is_smaller_than_the_default() -> None:
    small = replace(SPEC, environment_prefix_length=26)

    assert wanted_vpc_sizes(small, WEST_PROD) == VpcSizes(26, 16, 28)


def test_under_the_quota_what_is_removed_goes_before_what_is_new_comes() -> None:
    spec = replace(SPEC, environments=("SDLC OU",), quota=3)

    pending = pending_changes(spec, BUILT, {"ipam-pool-us-west-2": []})

    assert pending.changes == (DeprovisionCidr(BUILT[2], IPv4Network("10.0.0.0/21")),)
    assert "us-west-2/SDLC OU (no place under IpamPoolQuota yet)" in pending.waiting


def test_an_environments_pool_below_a_surplus_pool_of_its_region_goes_with_it() -> None:
    surplus = pool(WEST, pool_id="ipam-pool-surplus")
    astray = pool(WEST_PROD, pool_id="ipam-pool-astray", source_pool_id="ipam-pool-surplus")

    assert DeletePool(astray) in pending_changes(SPEC, [*BUILT, surplus, astray], {}).changes


def test_a_pool_that_has_pools_below_it_stands_for_its_region_rather_than_an_empty_one() -> None:
    empty = pool(WEST, pool_id="ipam-pool-a")
    used, child = pool(WEST, pool_id="ipam-pool-b"), pool(WEST_PROD, source_pool_id="ipam-pool-b")

    assert kept_pools(SPEC, [TOP_POOL, empty, used, child])[WEST] == used


@pytest.mark.parametrize(
    ("west", "prod"),
    [
        ("10.0.0.0/19", "10.0.0.0/21"),
        ("10.1.0.0/20", "10.1.0.0/21"),
        ("10.0.0.0/20", "10.0.16.0/21"),
        ("10.0.0.0/20", "10.0.0.0/22"),
    ],
    ids=["of another size", "outside the top-level pool", "outside its Region's", "an environment's of another size"],
)
def test_tags_that_cannot_be_true_are_not_believed(west: str, prod: str) -> None:
    assert not is_built(SPEC, [TOP_POOL, pool(WEST, west), pool(WEST_PROD, prod)])


def test_tags_of_two_pools_that_record_one_cidr_are_not_believed() -> None:
    spec = replace(SPEC, environments=("Prod OU", "SDLC OU"))

    assert not is_built(spec, [*BUILT, pool(WEST_SDLC, "10.0.0.0/21")])


def test_what_is_built_is_seen_from_the_tags_alone() -> None:
    assert is_built(SPEC, BUILT)
    assert not is_built(SPEC, [replace(TOP_POOL, pool_id="ipam-pool-another-top"), *BUILT[1:]])


REGIONS, ENVIRONMENTS = ("r1", "r2", "r3", "r4"), ("a", "b", "c", "d")


@dataclass
class Aws:
    """As much of IPAM as the decisions depend on: changes are done at once, or not at all."""

    pools: dict[str, ExistingPool] = field(default_factory=dict)
    reserved: tuple[IPv4Network, ...] = ()  # by hand, out of the top-level pool
    made: int = 0

    def apply(self, change: Any) -> None:
        match change:
            case CreatePool(key, source, sizes):
                self.made += 1
                new = pool(key, pool_id=f"ipam-pool-{self.made:04}", source_pool_id=source, vpc_sizes=sizes)
                self.pools[new.pool_id] = new
            case ProvisionCidr(target, cidr):
                self._set(
                    target, blocks=(*target.blocks, Block(cidr, "provisioned")), tags={**target.tags, **change.record}
                )
            case TagPool(target, tags, removed):
                kept = {key: value for key, value in target.tags.items() if key not in removed}
                self._set(target, tags={**kept, **tags})
            case DeprovisionCidr(target, cidr):
                left = tuple(block for block in target.blocks if block.cidr != cidr)
                self._set(target, blocks=left, tags={**target.tags, **change.record})
            case ModifyPool(_, target, sizes):
                self._set(target, vpc_sizes=sizes)
            case DeletePool(target):
                del self.pools[target.pool_id]

    def _set(self, target: ExistingPool, **fields: Any) -> None:
        self.pools[target.pool_id] = ExistingPool(**(vars(target) | fields))

    def occupied(self, parents: Sequence[str]) -> dict[str, list[IPv4Network]]:
        held = {
            parent: [block.cidr for p in self.pools.values() if p.source_pool_id == parent for block in p.held]
            for parent in parents
        }
        top = self.top()
        return {parent: [*blocks, *(self.reserved if parent == top else ())] for parent, blocks in held.items()}

    def top(self) -> str:
        return next((pool_id for pool_id, p in self.pools.items() if p.key == TOP_LEVEL), "")

    def blocks(self) -> dict[PoolKey, tuple[IPv4Network, ...]]:
        return {p.key: tuple(block.cidr for block in p.held) for p in self.pools.values() if p.key and p.held}


def converge(aws: Aws, spec: PoolSpec, at_most: int = 1000) -> None:
    """Apply what is pending, one at a time, until nothing is; or stop in the middle, as a killed function would."""
    for _ in range(at_most):
        found = list(aws.pools.values())
        pending = pending_changes(spec, found, aws.occupied(parents_of_new_cidrs(compare(spec, found))))
        if pending.nothing:
            return
        assert pending.changes, f"nothing can be done, but something is left: {pending.waiting}"
        aws.apply(pending.changes[0])


def remove(aws: Aws) -> None:
    while pending := removals(list(aws.pools.values()), list(aws.pools.values())).changes:
        aws.apply(pending[0])


def some(names: tuple[str, ...]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(names), min_size=1, unique=True).map(tuple)


# All four Regions fill the top-level pool and all four environments a Region's, so that no block may ever be lost.
specs = st.builds(
    PoolSpec,
    st.just((IPv4Network("10.0.0.0/16"),)),
    st.just(18),
    st.just(20),
    some(REGIONS),
    some(ENVIRONMENTS),
    st.sampled_from([VpcSizes(), VpcSizes(22, 20, 26)]),
)
reservations = st.lists(st.sampled_from([*IPv4Network("10.0.0.0/16").subnets(new_prefix=20)]), max_size=4, unique=True)


def assert_is_hierarchy(blocks: dict[PoolKey, IPv4Network], spec: PoolSpec) -> None:
    """Every pool has a block of its size, in its parent's, and apart from all others there."""
    assert set(blocks) == set(spec.pools)
    for key, block in blocks.items():
        assert block.prefixlen == spec.prefix_length(key)
        assert block.subnet_of(blocks[key.parent] if key.parent else spec.top_cidr)
    for one, other in itertools.combinations(blocks, 2):
        nested = TOP_LEVEL in (one, other) or one == other.parent or other == one.parent
        assert blocks[one].overlaps(blocks[other]) == nested


@given(changes=st.lists(st.tuples(specs, st.integers(0, 30)), max_size=5), last=specs)
def test_whatever_was_begun_and_left_the_last_plan_is_built_and_no_kept_pool_ever_moves(
    changes: list[tuple[PoolSpec, int]], last: PoolSpec
) -> None:
    aws = Aws()
    for spec, steps in changes:
        converge(aws, spec, at_most=steps)
    before = aws.blocks()

    converge(aws, last)

    after = aws.blocks()
    assert_is_hierarchy(after, last)
    assert len(aws.pools) == len(after)
    assert all(after[key] == before[key] for key in after if key in before)
    assert {p.vpc_sizes for p in aws.pools.values() if p.key and p.key.environment} == {last.vpc_sizes}


@settings(max_examples=40)
@given(first=specs, last=specs)
def test_the_order_of_the_lists_matters_to_nothing_that_exists(first: PoolSpec, last: PoolSpec) -> None:
    aws, reordered = Aws(), Aws()
    backwards = replace(last, regions=last.regions[::-1], environments=last.environments[::-1])
    for target in (aws, reordered):
        converge(target, first)
        converge(target, last)
    before = reordered.pools.copy()

    converge(reordered, backwards)

    assert reordered.pools == before == aws.pools


@given(reserved=reservations, first=specs, last=specs)
def test_reserved_space_is_never_given_out_and_what_does_not_fit_beside_it_is_refused_before(
    reserved: list[IPv4Network], first: PoolSpec, last: PoolSpec
) -> None:
    aws = Aws(reserved=tuple(reserved))
    converge(aws, first, at_most=2)  # space is reserved in a top-level pool that exists
    for spec in (first, last):
        found = list(aws.pools.values())
        try:
            refuse_without_room(spec, found, aws.occupied([aws.top()]), len(found))
        except Refused:
            free = set(IPv4Network("10.0.0.0/16").subnets(new_prefix=18))
            free -= {block for block in free if any(block.overlaps(other) for other in reserved)}
            assert len(spec.regions) > len(free)
            return
        converge(aws, spec)
        assert_is_hierarchy(aws.blocks(), spec)
        below = [block for key, block in aws.blocks().items() if key != TOP_LEVEL]
        assert not any(block.overlaps(other) for block in below for other in reserved)


@given(change=st.tuples(specs, st.integers(0, 30)))
def test_a_delete_leaves_nothing_however_far_the_creation_came(change: tuple[PoolSpec, int]) -> None:
    aws = Aws()
    converge(aws, change[0], at_most=change[1])

    remove(aws)

    assert aws.pools == {}


@given(spec=specs, stop=st.integers(0, 30))
def test_a_creation_that_was_killed_gives_the_same_blocks_as_one_that_was_not(spec: PoolSpec, stop: int) -> None:
    killed, straight = Aws(), Aws()
    converge(killed, spec, at_most=stop)

    converge(killed, spec)
    converge(straight, spec)

    assert killed.blocks() == straight.blocks()
