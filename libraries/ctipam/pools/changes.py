"""What is left to change: the spec compared with the pools that exist.

Create, update, rollback, retry and delete are this one comparison, made again after every change. Whatever was done
before, by whomever and however far it came, the next changes follow from what exists now.

Removals come last, when everything that is wanted exists. Only if there is no room for it, neither a free block nor a
place under the quota, is something removed first: one pool, with the pools below it, at a time, and when no such pool
is left, the blocks that are no longer declared.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network

from ctipam import names
from ctipam.pools import record
from ctipam.pools.change_kinds import CreatePool, ModifyPool, PendingChanges, PoolChange, ProvisionCidr, TagPool
from ctipam.pools.existing import MODIFY_FAILED, ExistingPool
from ctipam.pools.matching import Comparison, InUse, MatchedBlocks, compare
from ctipam.pools.placement import Occupied, Placement, left_occupied, place
from ctipam.pools.removals import first_in_the_way, removals, subtree, surplus_removals
from ctipam.pools.reserved import may_have_reservations
from ctipam.pools.spec import PoolKey, PoolSpec, VpcSizes
from ctipam.pools.wanted import OU_TAGS, own_tags, wanted_allocation_tags, wanted_auto_import, wanted_vpc_sizes
from ctipam.tags import tag_changes


def is_built(spec: PoolSpec, pools: Sequence[ExistingPool]) -> bool:
    """Return whether everything is as wanted. Only allocations show whether a reservation exists.

    pools   all pools of the scope, ours with their CIDRs
    """
    if spec.reserved or any(may_have_reservations(pool) for pool in pools):
        return False
    return pending_changes(spec, pools, {}).nothing


def pending_changes(
    spec: PoolSpec,
    pools: Sequence[ExistingPool],
    occupied: Occupied,
    kept_anyway: Collection[str] = (),
    in_use: InUse | None = None,
) -> PendingChanges:
    """Return what can be done now and what is being waited for.

    pools      all pools of the scope, ours with their CIDRs
    occupied   for each of parents_of_new_cidrs()
    kept_anyway   ids of pools that cannot be removed, and that keep the blocks that are no longer declared
    in_use     of the pools that have such blocks
    """
    comparison = compare(spec, pools, in_use)
    unwanted = [pool for pool in comparison.unwanted if pool.pool_id not in kept_anyway]
    placement = _placement(comparison, occupied, kept_anyway)
    building = _additions(comparison, placement, occupied)
    if not building.nothing_but_tags and not building.lacking_room:
        return PendingChanges(building.changes, building.waiting)
    if building.lacking_room:
        first = first_in_the_way(building.lacking_room, unwanted, comparison.kept)
        if first is None:
            return building + surplus_removals(comparison, kept_anyway)
        return building + removals(subtree(first, unwanted), pools)
    removing = removals(unwanted, pools) + surplus_removals(comparison, kept_anyway)
    return building + removing + _adoptions(comparison, kept_anyway)


def _placement(comparison: Comparison, occupied: Occupied, kept_anyway: Collection[str]) -> Placement:
    """Place the missing blocks in what is free; if that is not enough, as if all that is not wanted were gone already:
    what is small might take the room of what is large, or what is reserved be given to a pool that is in use."""
    placement = place(comparison, occupied, cautious=True)
    if placement.lacking:
        left = left_occupied(comparison, occupied, kept_anyway)
        placement = place(comparison, left, cautious=True)
        if placement.lacking:
            placement = place(comparison, left)
    return placement


def _adoptions(comparison: Comparison, kept_anyway: Collection[str]) -> PendingChanges:
    """Return what takes over pools of a stack that can no longer act, are not wanted and cannot be removed yet: without
    its tag, this stack's deletion would leave them behind."""
    tags = {names.STACK_TAG: comparison.spec.stack_id}
    kept = [pool for pool in comparison.unwanted if pool.pool_id in kept_anyway]
    return PendingChanges(tuple(TagPool(pool, tags) for pool in kept if not tags.items() <= pool.tags.items()))


@dataclass(frozen=True)
class _Additions(PendingChanges):
    """lacking_room   the first pool that finds no room, neither a free CIDR nor a place under the quota, when nothing
    else can be added; None: there is none
    """

    lacking_room: PoolKey | None = None


def _additions(comparison: Comparison, placement: Placement, occupied: Occupied) -> _Additions:
    kept = comparison.kept
    leaving = [pool for pool in comparison.unwanted if pool.being_removed]
    leaving += [pool for pool in kept.values() if pool.gives_back]
    room = _Room(
        cidrs=placement.cidrs,
        occupied=occupied,
        being_freed={pool.source_pool_id for pool in leaving},
        places=comparison.spec.quota - len(comparison.pools),  # a pool that is being removed counts until it is gone
    )
    changes: list[PoolChange] = []
    waiting = []
    for key in comparison.spec.pools:
        parent = kept.get(key.parent) if key.parent else None
        if key.parent and not (parent and parent.ready):
            waiting.append(f"{key} ({key.parent} does not exist yet)")
            continue
        additions = _additions_to(comparison, key, parent, room)
        if isinstance(additions, str):
            waiting.append(f"{key} ({additions})")
            changes += _tags_meanwhile(comparison, key)
        else:
            changes += additions
    can_add = any(isinstance(change, CreatePool | ProvisionCidr) for change in changes)
    return _Additions(tuple(changes), tuple(waiting), None if can_add else room.lacking)


@dataclass
class _Room:
    """cidrs         for the missing blocks of each pool, some of which are still occupied
    occupied      what is, by the id of the parent
    being_freed   ids of the pools from which a CIDR is being given back
    places        how many more pools the quota allows
    lacking       the first pool that found no room
    """

    cidrs: Mapping[PoolKey, tuple[IPv4Network, ...]]
    occupied: Occupied
    being_freed: Collection[str]
    places: int
    lacking: PoolKey | None = None

    def lacks(self, key: PoolKey, why: str) -> str:
        self.lacking = self.lacking or key
        return why


def _additions_to(
    comparison: Comparison, key: PoolKey, parent: ExistingPool | None, room: _Room
) -> list[PoolChange] | str:
    """Return what is to be done for this pool now, or what it waits for."""
    spec, pool = comparison.spec, comparison.kept.get(key)
    vpc_sizes, auto_import = wanted_vpc_sizes(spec, key), wanted_auto_import(spec, key)
    if pool is None and room.places <= 0:
        return room.lacks(key, "no place under IpamPoolQuota yet")
    if pool is None:
        room.places -= 1
        return [CreatePool(key, parent.pool_id if parent else "", vpc_sizes, auto_import)]
    if not pool.ready:
        return pool.state
    if pool.pending:
        return pool.pending.state
    modify = ModifyPool(key, pool, vpc_sizes, auto_import)
    tagged = _tag_changes(spec, key, pool, comparison.blocks[key])
    if pool.state == MODIFY_FAILED:  # whether AWS gives such a pool a CIDR is not documented
        return tagged if pool.unmodifiable else [modify]
    if comparison.blocks[key].missing:
        return _provision(comparison, key, pool, room)
    return [*tagged, modify] if _differs(pool, key, vpc_sizes, auto_import) else tagged


def _provision(comparison: Comparison, key: PoolKey, pool: ExistingPool, room: _Room) -> list[PoolChange] | str:
    """Return the change that gives the pool its next CIDR, or what it waits for.

    A CIDR that is being freed is waited for, so that the lowest free one is the same however far an earlier attempt
    came.
    """
    if key.parent and not comparison.is_complete(key.parent):
        return f"{key.parent} has no CIDR yet"
    taken, cidrs = room.occupied.get(pool.source_pool_id, ()), room.cidrs.get(key, ())
    if not pool.held:
        cidrs = cidrs[:1]  # of which a part may be reserved: only a pool that has none gets such a one, see `placement`
    cidr = next((cidr for cidr in cidrs if not any(map(cidr.overlaps, taken))), None)
    if cidr is None or (key.parent and pool.source_pool_id in room.being_freed):
        return room.lacks(key, "no free CIDR yet")
    blocks = comparison.blocks[key]
    if record.read(pool.tags).everything:
        return [ProvisionCidr(pool, cidr)]
    kept, surplus = ([block.cidr for block in some] for some in (blocks.kept, blocks.surplus))
    return [ProvisionCidr(pool, cidr, record.written(kept, [cidr], surplus))]


def _tags_meanwhile(comparison: Comparison, key: PoolKey) -> list[PoolChange]:
    """Return the tag changes of a pool that is being given its last CIDR, so that the end need not wait for them.

    Returns none while only the parent's allocations show the CIDR: the next reading knows it by its record, as coming;
    and none while another is being given back: the record has that one as leaving, and AWS may fail to take it.
    """
    pool, blocks = comparison.kept.get(key), comparison.blocks[key]
    if pool is None or pool.gives_back or blocks.missing or not (pool.pending and pool.pending.cidr_id):
        return []
    return _tag_changes(comparison.spec, key, pool, blocks)


def _tag_changes(spec: PoolSpec, key: PoolKey, pool: ExistingPool, blocks: MatchedBlocks) -> list[PoolChange]:
    """Return the tag changes.

    The CIDRs are recorded as declared when AWS lists them, and none is left to be given back.
    """
    own = own_tags(spec, key, pool.tags)
    stale: tuple[str, ...] = tuple(tag for tag in OU_TAGS if tag in pool.tags and tag not in own)
    if not blocks.surplus:
        final = record.written(block.cidr for block in blocks.kept)
        own, stale = own | final, (*stale, *(tag for tag in record.record_keys(pool.tags) if tag not in final))
    missing = {tag: value for tag, value in own.items() if pool.tags.get(tag) != value}
    of_stack = tag_changes(pool.tags, spec.stack_tags)
    if not (missing or stale or of_stack):
        return []
    return [TagPool(pool, {**missing, **of_stack.add}, (*of_stack.remove, *stale))]


def _differs(pool: ExistingPool, key: PoolKey, vpc_sizes: VpcSizes | None, auto_import: bool) -> bool:
    return (
        pool.description != names.pool_description(key.region, key.environment)
        or dict(pool.allocation_tags) != wanted_allocation_tags(key)
        or (vpc_sizes is not None and pool.vpc_sizes != vpc_sizes)
        or pool.auto_import != auto_import
    )
