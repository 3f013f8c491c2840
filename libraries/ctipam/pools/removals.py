"""What is left to remove: whole pools, and blocks that are no longer declared."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from ctipam import names
from ctipam.pools import record
from ctipam.pools.change_kinds import DeletePool, DeprovisionCidr, PendingChanges, PoolChange
from ctipam.pools.existing import Allocation, ExistingPool
from ctipam.pools.matching import Comparison
from ctipam.pools.spec import PoolKey


def removals(unwanted: Sequence[ExistingPool], pools: Sequence[ExistingPool]) -> PendingChanges:
    """Return what deletes these pools, leaves first: one is emptied and deleted when nothing is below it any more."""
    parents = {pool.source_pool_id for pool in pools}
    changes: list[PoolChange] = []
    waiting = []
    for pool in unwanted:
        block = next(iter(pool.held), None)
        if pool.pool_id in parents:
            waiting.append(f"{pool.key} (has pools below it)")
        elif not (pool.ready or pool.state == "create-failed"):
            waiting.append(f"{pool.key} ({pool.state})")
        elif block is None:
            changes.append(DeletePool(pool))
        elif pool.pending:
            waiting.append(f"{pool.key} ({pool.pending.state})")
        else:
            changes.append(DeprovisionCidr(pool, block.cidr, {names.BLOCK_TAG: record.EVERYTHING}))
    return PendingChanges(tuple(changes), tuple(waiting))


def surplus_removals(comparison: Comparison, kept_anyway: Collection[str]) -> PendingChanges:
    """Return what gives back the blocks that are no longer declared, one of each pool at a time: a block from which
    nothing of ours is taken any more.

    kept_anyway   ids of pools that keep what they have
    """
    changes: list[PoolChange] = []
    waiting = []
    for key, pool in comparison.kept.items():
        surplus = comparison.blocks[key].surplus
        if not surplus or pool.pool_id in kept_anyway:
            continue
        below = [
            block.cidr
            for child in comparison.pools
            if child.key and child.source_pool_id == pool.pool_id
            for block in child.held
        ]
        free = [block for block in surplus if not any(cidr.subnet_of(block.cidr) for cidr in below)]
        if not free or pool.pending or not pool.ready:
            waiting.append(f"{key} ({surplus[0].cidr} is not free yet)")
        else:
            kept = [block.cidr for block in comparison.blocks[key].kept]
            tags = record.written(kept, leaving=[block.cidr for block in surplus])
            changes.append(DeprovisionCidr(pool, free[0].cidr, tags))
    return PendingChanges(tuple(changes), tuple(waiting))


def unused_removals(
    in_use: Collection[str], pools: Sequence[ExistingPool], held: Mapping[str, Collection[Allocation]]
) -> PendingChanges:
    """Return what gives back the CIDRs of which nothing is taken, of pools that stay because of others, one of each
    pool at a time.

    in_use   ids of the pools that stay
    held     what is allocated from each of them, by its id. Pools of which that is not known keep what they have.
    """
    existing = {pool.pool_id for pool in pools}
    changes: list[PoolChange] = []
    waiting = []
    for pool in pools:
        if pool.pool_id not in in_use or pool.pool_id not in held:
            continue
        taken = [one.cidr for one in held[pool.pool_id] if one.resource_id not in existing and not one.is_reservation]
        taken += [block.cidr for child in pools if child.source_pool_id == pool.pool_id for block in child.held]
        unused = [block.cidr for block in pool.held if not any(block.cidr.overlaps(cidr) for cidr in taken)]
        if not unused or len(unused) == len(pool.held):
            continue
        if pool.pending or not pool.ready:
            waiting.append(f"{pool.key} ({unused[0]} is being given back)")
        else:
            recorded = record.read(pool.tags)
            tags = record.written(recorded.declared - {unused[0]}, leaving=recorded.leaving | {unused[0]})
            changes.append(DeprovisionCidr(pool, unused[0], tags if unused[0] in recorded.declared else {}))
    return PendingChanges(tuple(changes), tuple(waiting))


def first_in_the_way(
    lacking: PoolKey, unwanted: Sequence[ExistingPool], kept: Mapping[PoolKey, ExistingPool]
) -> ExistingPool | None:
    """Return the unwanted pool to remove first, so that the key finds room.

    One that is being removed already, or else the highest CIDR below the same parent. Where none is below that parent,
    the quota is what is lacking, and any leaf makes room.
    """
    parent = kept.get(lacking.parent) if lacking.parent else None
    siblings = [pool for pool in unwanted if parent and pool.source_pool_id == parent.pool_id]
    if not siblings:
        parents = {pool.source_pool_id for pool in unwanted}
        siblings = [pool for pool in unwanted if pool.pool_id not in parents]

    def order(pool: ExistingPool) -> tuple[bool, int, str]:
        highest = -int(pool.held[-1].cidr.network_address) if pool.held else -(2**32)
        return not pool.being_removed, highest, pool.pool_id

    return min(siblings, key=order, default=None)


def subtree(root: ExistingPool, pools: Sequence[ExistingPool]) -> list[ExistingPool]:
    found = [root]
    for pool in found:  # it grows
        found += [child for child in pools if child.source_pool_id == pool.pool_id]
    return found
