"""Any sequence of requests, stopped anywhere, with blocks added by hand and lists in any order, ends right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Network
from itertools import combinations
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from ctipam import names
from ctipam.errors import Refused
from ctipam.pools.addresses import lowest_free_in
from ctipam.pools.change_kinds import CreatePool, DeletePool, DeprovisionCidr, ModifyPool, ProvisionCidr, TagPool
from ctipam.pools.changes import is_built, pending_changes
from ctipam.pools.existing import Allocation, Block, ExistingPool
from ctipam.pools.matching import InUse, compare
from ctipam.pools.placement import parents_of_new_cidrs
from ctipam.pools.removals import removals
from ctipam.pools.room import lacking_room, refuse_without_room
from ctipam.pools.rounds import with_ancestors
from ctipam.pools.spec import TOP_LEVEL, PoolKey, PoolSpec, VpcSizes
from ctipam.pools.surplus import refuse_surplus_in_use, surplus_in_use
from ctipam.pools.wanted import wanted_allocation_tags, wanted_tags

REGIONS, ENVIRONMENTS = ("r1", "r2", "r3", "r4"), ("a", "b", "c", "d")
A, B = IPv4Network("10.0.0.0/16"), IPv4Network("10.1.0.0/16")


@dataclass
class Aws:
    """As much of IPAM as the decisions depend on: changes are done at once, or not at all."""

    pools: dict[str, ExistingPool] = field(default_factory=dict)
    reserved: tuple[IPv4Network, ...] = ()  # by hand, out of the top-level pool
    made: int = 0
    by_hand: set[tuple[str, IPv4Network]] = field(default_factory=set)  # pool id and CIDR
    backwards: bool = False

    def apply(self, change: Any) -> None:
        match change:
            case CreatePool(key, source, sizes):
                self.made += 1
                pool_id = f"ipam-pool-{self.made:04}"
                self.pools[pool_id] = ExistingPool(
                    pool_id,
                    source,
                    "create-complete",
                    key,
                    tags=wanted_tags(spec_of(), key),
                    description=names.pool_description(key.region, key.environment),
                    allocation_tags=wanted_allocation_tags(key),
                    vpc_sizes=sizes,
                )
            case ProvisionCidr(target, cidr):
                assert self.is_free(target, cidr)
                blocks = (*target.blocks, Block(cidr, "provisioned"))
                self._set(target, blocks=blocks, tags={**target.tags, **change.record})
            case TagPool(target, tags, removed):
                kept = {key: value for key, value in target.tags.items() if key not in removed}
                self._set(target, tags={**kept, **tags})
            case DeprovisionCidr(target, cidr):
                below = [p for p in self.pools.values() if p.source_pool_id == target.pool_id]
                assert not any(block.cidr.overlaps(cidr) for p in below for block in p.held)
                left = tuple(block for block in target.blocks if block.cidr != cidr)
                self._set(target, blocks=left, tags={**target.tags, **change.record})
            case ModifyPool(_, target, sizes):
                self._set(target, vpc_sizes=sizes)
            case DeletePool(target):
                del self.pools[target.pool_id]

    def _set(self, target: ExistingPool, **fields: Any) -> None:
        self.pools[target.pool_id] = replace(self.pools[target.pool_id], **fields)

    def is_free(self, target: ExistingPool, cidr: IPv4Network) -> bool:
        """Whether AWS could give the CIDR to the pool."""
        siblings = [p for p in self.pools.values() if p.source_pool_id == target.source_pool_id]
        taken = [block.cidr for p in siblings for block in p.held]
        if target.source_pool_id == self.top():
            taken += self.reserved
        if target.source_pool_id and not any(
            cidr.subnet_of(block.cidr) for block in self.pools[target.source_pool_id].held
        ):
            return False
        return not any(cidr.overlaps(other) for other in taken)

    def give_by_hand(self, key: PoolKey, size: int) -> None:
        """Give a pool a block, as an operator or automatic growth does, if there is room."""
        pool = next((p for p in self.pools.values() if p.key == key), None)
        if pool is None or not pool.source_pool_id or not pool.held:
            return
        parent = self.pools[pool.source_pool_id]
        taken = self.occupied([parent.pool_id])[parent.pool_id]
        cidr = lowest_free_in([block.cidr for block in parent.held], size, taken)
        if cidr:
            self._set(pool, blocks=(Block(cidr, "provisioned"), *pool.blocks))
            self.by_hand.add((pool.pool_id, cidr))

    def occupied(self, parents: Sequence[str]) -> dict[str, list[IPv4Network]]:
        held = {
            parent: [block.cidr for p in self.pools.values() if p.source_pool_id == parent for block in p.held]
            for parent in parents
        }
        top = self.top()
        return {parent: [*blocks, *(self.reserved if parent == top else ())] for parent, blocks in held.items()}

    def allocations(self) -> dict[str, list[Allocation]]:
        return {
            parent: [
                Allocation(block.cidr, "ipam-pool", p.pool_id, "222222222222")
                for p in self.pools.values()
                if p.source_pool_id == parent
                for block in p.held
            ]
            for parent in self.pools
        }

    def top(self) -> str:
        return next((pool_id for pool_id, p in self.pools.items() if p.key == TOP_LEVEL), "")

    def listed(self) -> list[ExistingPool]:
        found = list(self.pools.values())
        if not self.backwards:
            return found
        return [replace(p, blocks=p.blocks[::-1]) for p in reversed(found)]

    def blocks(self) -> dict[PoolKey, tuple[IPv4Network, ...]]:
        return {p.key: tuple(block.cidr for block in p.held) for p in self.pools.values() if p.key and p.held}


def spec_of() -> PoolSpec:
    return PoolSpec((A,), 18, 20, REGIONS[:1], ENVIRONMENTS[:1])


def converge(
    aws: Aws,
    spec: PoolSpec,
    at_most: int = 1000,
    in_use: InUse | None = None,
    kept_anyway: Collection[str] = (),
) -> None:
    """Apply what is pending, one at a time, until nothing is; or stop in the middle, as a killed function would."""
    for _ in range(at_most):
        found = aws.listed()
        occupied = aws.occupied(parents_of_new_cidrs(compare(spec, found)))
        pending = pending_changes(spec, found, occupied, kept_anyway, in_use)
        if pending.nothing:
            return
        assert pending.changes, f"nothing can be done, but something is left: {pending.waiting}"
        aws.apply(pending.changes[0])


def request(aws: Aws, spec: PoolSpec, at_most: int = 1000) -> bool:
    """Do what a request does, refusals included; return whether it was accepted."""
    found = aws.listed()
    comparison = compare(spec, found)
    surplus = surplus_in_use(comparison, aws.allocations())
    try:
        refuse_surplus_in_use(surplus)
        refuse_without_room(spec, found, aws.occupied([*parents_of_new_cidrs(comparison), *filter(None, [aws.top()])]))
    except Refused:
        return False
    converge(aws, spec, at_most, surplus.in_use)
    return True


def roll_back(aws: Aws, spec: PoolSpec) -> None:
    """Do what the rollback of an update does. What is in use of what the update has given stays."""
    found = aws.listed()
    surplus = surplus_in_use(compare(spec, found), aws.allocations())
    occupied = aws.occupied([*parents_of_new_cidrs(compare(spec, found)), *filter(None, [aws.top()])])
    assert lacking_room(spec, found, occupied, surplus.in_use) is None
    converge(aws, spec, in_use=surplus.in_use, kept_anyway=with_ancestors(surplus.by_pool(), found))


def remove(aws: Aws) -> None:
    while pending := removals(list(aws.pools.values()), list(aws.pools.values())).changes:
        aws.apply(pending[0])


def some(values: tuple[str, ...]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(values), min_size=1, unique=True).map(tuple)


# All four Regions fill the top-level pool and all four environments a Region's, so that no block may ever be lost.
specs = st.builds(
    PoolSpec,
    st.just((A,)),
    st.just(18),
    st.just(20),
    some(REGIONS),
    some(ENVIRONMENTS),
    st.sampled_from([VpcSizes(), VpcSizes(22, 20, 26)]),
)
reservations = st.lists(st.sampled_from([*A.subnets(new_prefix=20)]), max_size=4, unique=True)

sized_specs = st.builds(
    PoolSpec,
    st.sampled_from([(A,), (A, B), (B, A)]),
    st.just(18),
    st.just(20),
    some(REGIONS[:2]),
    some(ENVIRONMENTS[:2]),
    pool_sizes=st.dictionaries(
        st.sampled_from([PoolKey("r1"), PoolKey("r2")]), st.sampled_from([(18, 18), (17,), (18, 19)]), max_size=2
    )
    | st.dictionaries(
        st.sampled_from([PoolKey("r1", "a"), PoolKey("r2", "b")]),
        st.sampled_from([(20, 20), (19, 20), (21,), (20, 21, 21)]),
        max_size=2,
    ),
)
given_by_hand = st.tuples(
    st.sampled_from([PoolKey("r1"), PoolKey("r1", "a"), PoolKey("r2", "b")]), st.sampled_from([19, 20, 21])
)


def assert_is_hierarchy(blocks: dict[PoolKey, tuple[IPv4Network, ...]], spec: PoolSpec) -> None:
    """Every pool has blocks of its sizes, each in one of the parent's, and apart from all others there."""
    assert set(blocks) == set(spec.pools)
    for key, held in blocks.items():
        sizes = Counter(block.prefixlen for block in held)
        assert not Counter(spec.sizes(key)) - sizes
        for block in held:
            assert key.parent is None or any(block.subnet_of(parent) for parent in blocks[key.parent])
    for parent in (None, TOP_LEVEL, *map(PoolKey, spec.regions)):
        siblings = [block for key, held in blocks.items() if key.parent == parent for block in held]
        assert not any(one.overlaps(other) for one, other in combinations(siblings, 2))


@settings(max_examples=40)
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
@given(
    steps=st.lists(
        st.tuples(sized_specs, st.integers(0, 40), st.lists(given_by_hand, max_size=2), st.booleans()), max_size=3
    ),
    last=sized_specs,
)
def test_growing_shrinking_blocks_by_hand_and_any_order_of_lists_keep_the_hierarchy_and_lose_nothing(
    steps: list[tuple[PoolSpec, int, list[tuple[PoolKey, int]], bool]], last: PoolSpec
) -> None:
    aws = Aws()
    for spec, at_most, by_hand, aws.backwards in steps:
        request(aws, spec, at_most)
        for key, size in by_hand:
            aws.give_by_hand(key, size)
    before = {pool_id: {block.cidr for block in p.held} for pool_id, p in aws.pools.items()}

    if not request(aws, last):
        assert before == {pool_id: {block.cidr for block in p.held} for pool_id, p in aws.pools.items()}
        return

    assert_is_hierarchy(aws.blocks(), last)
    for pool_id, p in aws.pools.items():
        lost = before.get(pool_id, set()) - {block.cidr for block in p.held}
        assert p.key
        sizes = Counter(cidr.prefixlen for cidr in before.get(pool_id, set()))
        held = Counter(block.prefixlen for block in (one.cidr for one in p.held))
        if p.key != TOP_LEVEL:  # what is lost was declared and is not any more, and nothing of its size came instead
            came = {block.cidr for block in p.held} - before.get(pool_id, set())
            assert not {cidr.prefixlen for cidr in lost} & {cidr.prefixlen for cidr in came}
            assert all(held[size] >= min(sizes[size], Counter(last.sizes(p.key))[size]) for size in sizes)
    settled = aws.pools.copy()
    aws.backwards = not aws.backwards
    assert is_built(last, aws.listed())
    converge(aws, last)
    assert aws.pools == settled


ALL_ENVIRONMENTS = PoolSpec((A,), 18, 20, REGIONS[:1], ENVIRONMENTS)
SIZES = {PoolKey("r1", "a"): (20, 20), PoolKey("r1", "b"): (20, 20)}
TWO_LARGER = replace(ALL_ENVIRONMENTS, environments=("a", "b"), pool_sizes=SIZES)


@settings(max_examples=100)
@given(before=sized_specs, update=sized_specs, stop=st.integers(0, 60))
@example(before=ALL_ENVIRONMENTS, update=TWO_LARGER, stop=60)
def test_an_update_can_be_rolled_back_however_far_it_came(before: PoolSpec, update: PoolSpec, stop: int) -> None:
    aws = Aws()
    if request(aws, before) and request(aws, update, stop):
        roll_back(aws, before)
        assert_is_hierarchy(aws.blocks(), before)


@settings(max_examples=40)
@given(spec=sized_specs, stop=st.integers(0, 40))
def test_growth_that_was_killed_gives_the_same_blocks_as_growth_that_was_not(spec: PoolSpec, stop: int) -> None:
    killed, straight = Aws(), Aws()
    if request(killed, spec, stop):
        assert request(killed, spec)
        assert request(straight, spec)
        assert killed.blocks() == straight.blocks()


@settings(max_examples=40)
@given(first=specs, last=specs)
def test_the_order_of_the_lists_matters_to_nothing_that_exists(first: PoolSpec, last: PoolSpec) -> None:
    aws = Aws()
    backwards = replace(last, regions=last.regions[::-1], environments=last.environments[::-1])
    converge(aws, first)
    converge(aws, last)
    before = aws.pools.copy()

    converge(aws, backwards)

    assert aws.pools == before


@settings(max_examples=40)
@given(reserved=reservations, first=specs, last=specs)
def test_reserved_space_is_never_given_out_and_what_does_not_fit_beside_it_is_refused_before(
    reserved: list[IPv4Network], first: PoolSpec, last: PoolSpec
) -> None:
    aws = Aws(reserved=tuple(reserved))
    converge(aws, first, at_most=2)  # space is reserved in a top-level pool that exists
    for spec in (first, last):
        found = list(aws.pools.values())
        try:
            refuse_without_room(spec, found, aws.occupied([*aws.pools]))
        except Refused:
            free = set(A.subnets(new_prefix=18))
            free -= {block for block in free if any(block.overlaps(other) for other in reserved)}
            assert len(spec.regions) > len(free)
            return
        converge(aws, spec)
        assert_is_hierarchy(aws.blocks(), spec)
        assert not any(block.overlaps(other) for block in below_top(aws) for other in reserved)


def below_top(aws: Aws) -> Iterator[IPv4Network]:
    for key, held in aws.blocks().items():
        yield from held if key != TOP_LEVEL else ()


@given(change=st.tuples(specs, st.integers(0, 30)))
def test_a_delete_leaves_nothing_however_far_the_creation_came(change: tuple[PoolSpec, int]) -> None:
    aws = Aws()
    converge(aws, change[0], at_most=change[1])

    remove(aws)

    assert aws.pools == {}
