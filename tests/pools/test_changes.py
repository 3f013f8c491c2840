"""What remains to be done, from what was found."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Network
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctipam import names
from ctipam.errors import Refused
from ctipam.pools.changes import (
    CreatePool,
    DeletePool,
    DeprovisionCidr,
    ModifyPool,
    ProvisionCidr,
    RecordCidr,
    is_built,
    kept_pools,
    placing_parents,
    remaining,
    wanted_allocation_tags,
    wanted_vpc_sizes,
)
from ctipam.pools.existing import Block, ExistingPool
from ctipam.pools.preconditions import refuse_without_room
from ctipam.pools.spec import PoolKey, PoolSpec, VpcSizes

TOP = "ipam-pool-top"
WEST, EAST = PoolKey("us-west-2"), PoolKey("us-east-1")
WEST_PROD = PoolKey("us-west-2", "Prod OU")
PLAN = PoolSpec(IPv4Network("10.0.0.0/16"), 20, 21, ("us-west-2",), ("Prod OU",))
SIZES = PLAN.vpc_sizes


def pool(key: PoolKey, cidr: str | None = None, block: str = "provisioned", **fields: Any) -> ExistingPool:
    """A pool as this solution makes it; block is the state of its CIDR."""
    made: dict[str, Any] = {
        "pool_id": f"ipam-pool-{key}",
        "source_pool_id": TOP if key.parent is None else f"ipam-pool-{key.parent}",
        "state": "create-complete",
        "key": key,
        "blocks": (Block(IPv4Network(cidr), block),) if cidr else (),
        "recorded_cidr": cidr if cidr and block == "provisioned" else "",
        "description": names.pool_description(key.region, key.environment),
        "allocation_tags": wanted_allocation_tags(key),
        "vpc_sizes": SIZES if key.environment else None,
    }
    return ExistingPool(**(made | fields))


BUILT = [pool(WEST, "10.0.0.0/20"), pool(WEST_PROD, "10.0.0.0/21")]


def test_with_nothing_there_the_regions_are_created_and_their_environments_wait() -> None:
    rest = remaining(PLAN, TOP, [], {TOP: []})

    assert rest.steps == (CreatePool(WEST, TOP),)
    assert rest.waiting == (f"{WEST_PROD} (its Region's pool is not there yet)",)


def test_a_pool_that_aws_is_still_creating_is_waited_for() -> None:
    rest = remaining(PLAN, TOP, [pool(WEST, state="create-in-progress")], {TOP: []})

    assert rest.steps == ()
    assert rest.waiting[0] == "us-west-2 (create-in-progress)"


def test_a_pool_without_a_block_gets_the_lowest_free_one_and_its_environments_are_created_meanwhile() -> None:
    west = pool(WEST)
    rest = remaining(PLAN, TOP, [west], {TOP: [IPv4Network("10.0.0.0/24")]})

    assert rest.steps == (ProvisionCidr(west, IPv4Network("10.0.16.0/20")), CreatePool(WEST_PROD, west.pool_id, SIZES))


def test_a_block_is_not_taken_out_of_a_parent_whose_own_is_not_provisioned_yet() -> None:
    found = [pool(WEST, "10.0.0.0/20", "pending-provision"), pool(WEST_PROD)]

    assert remaining(PLAN, TOP, found, {}).steps == ()


def test_when_everything_is_there_nothing_remains() -> None:
    assert remaining(PLAN, TOP, BUILT, {}).nothing


def test_a_block_that_failed_or_was_given_back_counts_for_nothing() -> None:
    west = pool(WEST, "10.0.0.0/20", "failed-provision")
    west = ExistingPool(
        **(vars(west) | {"blocks": (*west.blocks, Block(IPv4Network("10.0.16.0/20"), "deprovisioned"))})
    )

    assert remaining(PLAN, TOP, [west], {TOP: []}).steps[0] == ProvisionCidr(west, IPv4Network("10.0.0.0/20"))


def test_what_is_removed_goes_leaf_first() -> None:
    steps = remaining(None, TOP, BUILT, {}).steps

    assert steps == (DeprovisionCidr(BUILT[1], IPv4Network("10.0.0.0/21")),)


def test_an_empty_leaf_is_deleted() -> None:
    empty = [BUILT[0], pool(WEST_PROD, "10.0.0.0/21", "deprovisioned")]

    assert remaining(None, TOP, empty, {}).steps == (DeletePool(empty[1]),)


def test_a_removed_block_is_free_again_before_a_new_pool_gets_one() -> None:
    plan = PoolSpec(PLAN.top_cidr, 20, 21, ("us-east-1",), ("Prod OU",))
    found = [*BUILT, pool(EAST)]

    assert not any(isinstance(step, ProvisionCidr) for step in remaining(plan, TOP, found, {TOP: []}).steps)


def test_a_block_is_noted_when_it_was_seen_provisioned_and_not_before() -> None:
    seen = pool(WEST, "10.0.0.0/20", recorded_cidr="")
    pending = pool(WEST_PROD, "10.0.0.0/21", "pending-provision")

    assert remaining(PLAN, TOP, [seen, pending], {}).steps == (RecordCidr(seen, IPv4Network("10.0.0.0/20")),)


def test_pools_of_others_are_never_touched() -> None:
    foreign = ExistingPool(
        "ipam-pool-by-hand", TOP, "create-complete", blocks=(Block(IPv4Network("10.0.32.0/20"), "provisioned"),)
    )

    assert remaining(None, TOP, [foreign], {}).nothing


def test_of_two_pools_for_one_key_the_one_with_the_block_stays() -> None:
    surplus = pool(WEST, pool_id="ipam-pool-another")

    assert remaining(PLAN, TOP, [surplus, *BUILT], {}).steps == (DeletePool(surplus),)


def test_a_pool_that_could_not_be_created_is_deleted_and_made_again() -> None:
    failed = pool(WEST, state="create-failed")

    assert remaining(PLAN, TOP, [failed], {TOP: []}).steps == (DeletePool(failed), CreatePool(WEST, TOP))


def test_a_changed_description_or_allocation_tag_is_put_right() -> None:
    changed = pool(WEST_PROD, "10.0.0.0/21", allocation_tags={"Env": "Other"})

    assert remaining(PLAN, TOP, [BUILT[0], changed], {}).steps == (ModifyPool(WEST_PROD, changed, SIZES),)


def test_changed_vpc_sizes_are_a_change_in_place_of_the_environments_pools_only() -> None:
    larger = PoolSpec(PLAN.top_cidr, 20, 21, PLAN.regions, PLAN.environments, VpcSizes(22, 20, 26))

    steps = remaining(larger, TOP, BUILT, {}).steps

    assert steps == (ModifyPool(WEST_PROD, BUILT[1], VpcSizes(22, 20, 26)),)


def test_a_vpc_gets_the_whole_pool_by_default_where_the_pool_is_smaller_than_the_default() -> None:
    small = PoolSpec(PLAN.top_cidr, 20, 26, PLAN.regions, PLAN.environments)

    assert wanted_vpc_sizes(small, WEST_PROD) == VpcSizes(26, 16, 28)


def test_under_the_quota_what_is_removed_goes_before_what_is_new_comes() -> None:
    plan = PoolSpec(PLAN.top_cidr, 20, 21, ("us-west-2",), ("SDLC OU",), quota=3)
    top = ExistingPool(TOP, "", "create-complete")

    rest = remaining(plan, TOP, [top, *BUILT], {"ipam-pool-us-west-2": []})

    assert rest.steps == (DeprovisionCidr(BUILT[1], IPv4Network("10.0.0.0/21")),)
    assert "us-west-2/SDLC OU (no room under IpamPoolQuota yet)" in rest.waiting


def test_an_environments_pool_below_a_surplus_pool_of_its_region_goes_with_it() -> None:
    surplus = pool(WEST, pool_id="ipam-pool-surplus")
    astray = pool(WEST_PROD, pool_id="ipam-pool-astray", source_pool_id="ipam-pool-surplus")

    assert DeletePool(astray) in remaining(PLAN, TOP, [BUILT[0], surplus, astray], {"ipam-pool-us-west-2": []}).steps


def test_a_pool_that_has_pools_below_it_stands_for_its_region_rather_than_an_empty_one() -> None:
    empty = pool(WEST, pool_id="ipam-pool-a")
    used, child = pool(WEST, pool_id="ipam-pool-b"), pool(WEST_PROD, source_pool_id="ipam-pool-b")

    assert kept_pools(PLAN, [empty, used, child])[WEST] == used


def edited(key: PoolKey, recorded_cidr: str) -> ExistingPool:
    """What is found of a pool when its tag is believed."""
    return pool(key, blocks=(Block(IPv4Network(recorded_cidr), "provisioned"),), recorded_cidr=recorded_cidr)


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
    assert not is_built(PLAN, TOP, [edited(WEST, west), edited(WEST_PROD, prod)])


def test_tags_of_two_pools_that_speak_of_one_block_are_not_believed() -> None:
    plan = PoolSpec(PLAN.top_cidr, 20, 21, ("us-west-2",), ("Prod OU", "SDLC OU"))
    sdlc = edited(PoolKey("us-west-2", "SDLC OU"), "10.0.0.0/21")

    assert not is_built(plan, TOP, [*BUILT, sdlc])


def test_what_is_built_is_seen_from_the_tags_alone() -> None:
    assert is_built(PLAN, TOP, BUILT)
    assert not is_built(PLAN, "ipam-pool-another-top", BUILT)


REGIONS, ENVIRONMENTS = ("r1", "r2", "r3", "r4"), ("a", "b", "c", "d")


@dataclass
class Aws:
    """As much of IPAM as the decisions depend on: steps are done at once, or not at all."""

    pools: dict[str, ExistingPool] = field(default_factory=dict)
    reserved: tuple[IPv4Network, ...] = ()  # by hand, out of the top-level pool
    made: int = 0

    def take(self, step: Any) -> None:
        match step:
            case CreatePool(key, source, sizes):
                self.made += 1
                new = pool(key, pool_id=f"ipam-pool-{self.made:04}", source_pool_id=source, vpc_sizes=sizes)
                self.pools[new.pool_id] = new
            case ProvisionCidr(target, cidr):
                self._set(target, blocks=(Block(cidr, "provisioned"),))
            case RecordCidr(target, cidr):
                self._set(target, recorded_cidr=str(cidr))
            case DeprovisionCidr(target, _):
                self._set(target, blocks=(), recorded_cidr="")
            case ModifyPool(_, target, sizes):
                self._set(target, vpc_sizes=sizes)
            case DeletePool(target):
                del self.pools[target.pool_id]

    def _set(self, target: ExistingPool, **fields: Any) -> None:
        self.pools[target.pool_id] = ExistingPool(**(vars(target) | fields))

    def taken(self, parents: list[str]) -> dict[str, list[IPv4Network]]:
        held = {
            parent: [p.block.cidr for p in self.pools.values() if p.source_pool_id == parent and p.block]
            for parent in parents
        }
        return {parent: [*blocks, *(self.reserved if parent == TOP else ())] for parent, blocks in held.items()}

    def blocks(self) -> dict[PoolKey, IPv4Network]:
        return {p.key: p.block.cidr for p in self.pools.values() if p.key and p.block}


def converge(aws: Aws, plan: PoolSpec | None, at_most: int = 1000) -> None:
    """Take the steps that remain, one at a time, until none does; or stop in the middle, as a killed function would."""
    for _ in range(at_most):
        found = list(aws.pools.values())
        rest = remaining(plan, TOP, found, aws.taken(placing_parents(plan, TOP, found)))
        if rest.nothing:
            return
        assert rest.steps, f"nothing can be done, but something remains: {rest.waiting}"
        aws.take(rest.steps[0])


def some(names: tuple[str, ...]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(names), min_size=1, unique=True).map(tuple)


# All four Regions fill the top-level pool and all four environments a Region's, so that no block may ever be lost.
plans = st.builds(
    PoolSpec,
    st.just(IPv4Network("10.0.0.0/16")),
    st.just(18),
    st.just(20),
    some(REGIONS),
    some(ENVIRONMENTS),
    st.sampled_from([VpcSizes(), VpcSizes(22, 20, 26)]),
)
reservations = st.lists(st.sampled_from([*IPv4Network("10.0.0.0/16").subnets(new_prefix=20)]), max_size=4, unique=True)


def assert_is_hierarchy(blocks: dict[PoolKey, IPv4Network], plan: PoolSpec) -> None:
    """Every pool has a block of its size, in its parent's, and apart from all others there."""
    assert set(blocks) == set(plan.pools)
    for key, block in blocks.items():
        assert block.prefixlen == plan.prefix_length(key)
        assert block.subnet_of(blocks[key.parent] if key.parent else plan.top_cidr)
    for one, other in itertools.combinations(blocks, 2):
        assert blocks[one].overlaps(blocks[other]) == (one == other.parent or other == one.parent)


@given(changes=st.lists(st.tuples(plans, st.integers(0, 30)), max_size=5), last=plans)
def test_whatever_was_begun_and_left_the_last_plan_is_built_and_no_kept_pool_ever_moves(
    changes: list[tuple[PoolSpec, int]], last: PoolSpec
) -> None:
    aws = Aws()
    for plan, steps in changes:
        converge(aws, plan, at_most=steps)
    before = aws.blocks()

    converge(aws, last)

    after = aws.blocks()
    assert_is_hierarchy(after, last)
    assert len(aws.pools) == len(after)
    assert all(after[key] == before[key] for key in after if key in before)
    assert {p.vpc_sizes for p in aws.pools.values() if p.key and p.key.environment} == {last.vpc_sizes}


@settings(max_examples=40)
@given(first=plans, last=plans)
def test_the_order_of_the_lists_matters_to_nothing_that_exists(first: PoolSpec, last: PoolSpec) -> None:
    aws, reordered = Aws(), Aws()
    backwards = replace(last, regions=last.regions[::-1], environments=last.environments[::-1])
    for target in (aws, reordered):
        converge(target, first)
        converge(target, last)
    before = reordered.pools.copy()

    converge(reordered, backwards)

    assert reordered.pools == before == aws.pools


@given(reserved=reservations, first=plans, last=plans)
def test_reserved_space_is_never_given_out_and_what_does_not_fit_beside_it_is_refused_before(
    reserved: list[IPv4Network], first: PoolSpec, last: PoolSpec
) -> None:
    aws = Aws(reserved=tuple(reserved))
    for plan in (first, last):
        found = list(aws.pools.values())
        try:
            refuse_without_room(plan, TOP, found, aws.taken([TOP]))
        except Refused:
            free = set(IPv4Network("10.0.0.0/16").subnets(new_prefix=18))
            free -= {block for block in free if any(block.overlaps(other) for other in reserved)}
            assert len(plan.regions) > len(free)
            return
        converge(aws, plan)
        assert_is_hierarchy(aws.blocks(), plan)
        assert not any(block.overlaps(other) for block in aws.blocks().values() for other in reserved)


@given(change=st.tuples(plans, st.integers(0, 30)))
def test_a_delete_leaves_nothing_however_far_the_creation_came(change: tuple[PoolSpec, int]) -> None:
    aws = Aws()
    converge(aws, change[0], at_most=change[1])

    converge(aws, None)

    assert aws.pools == {}


@given(plan=plans, stop=st.integers(0, 30))
def test_a_creation_that_was_killed_gives_the_same_blocks_as_one_that_was_not(plan: PoolSpec, stop: int) -> None:
    killed, straight = Aws(), Aws()
    converge(killed, plan, at_most=stop)

    converge(killed, plan)
    converge(straight, plan)

    assert killed.blocks() == straight.blocks()
