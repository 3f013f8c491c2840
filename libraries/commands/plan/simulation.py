"""What the Lambda would do: its own decisions, taken one after the other on pools that change only here."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from ipaddress import IPv4Network

from ctipam import names
from ctipam.errors import Refused
from ctipam.pools.change_kinds import (
    CreatePool,
    DeletePool,
    DeprovisionCidr,
    ModifyPool,
    PoolChange,
    ProvisionCidr,
    TagPool,
)
from ctipam.pools.changes import pending_changes
from ctipam.pools.existing import CIDR_PENDING, Block, ExistingPool
from ctipam.pools.matching import InUse, compare
from ctipam.pools.placement import parents_of_new_cidrs
from ctipam.pools.room import with_more_room
from ctipam.pools.spec import PoolKey, PoolSpec
from ctipam.pools.wanted import wanted_allocation_tags, wanted_tags, with_known_ous

Blocks = Mapping[PoolKey, tuple[IPv4Network, ...]]
"""The CIDRs of each pool."""

Others = Mapping[str, Collection[IPv4Network]]
"""What others have allocated from a pool, by its id."""


def build(spec: PoolSpec) -> Blocks:
    """Return the CIDRs of each pool of the spec, where nothing exists yet."""
    return {pool.key: tuple(block.cidr for block in pool.held) for pool in update(spec, [], {}) if pool.key}


def update(
    spec: PoolSpec,
    existing: Iterable[ExistingPool],
    others: Others,
    in_use: InUse | None = None,
    kept_anyway: Collection[str] = (),
) -> list[ExistingPool]:
    """Return the pools after all changes, if AWS accepts them. The id of a new pool is its key.

    existing      all pools of the scope, ours with their CIDRs
    in_use        of pools that have surplus blocks, see ctipam.pools.surplus
    kept_anyway   see ctipam.pools.changes.pending_changes
    Raises        Refused if the Lambda would wait for something that does not end by itself
    """
    pools = _settled(existing)
    spec = with_known_ous(spec, pools)
    while not (pending := pending_changes(spec, pools, _occupied(spec, pools, others), kept_anyway, in_use)).nothing:
        if not pending.changes:
            raise Refused(f"Nothing can be done about {', '.join(pending.waiting)}; look at these pools in IPAM.")
        for change in _in_turn(pending.changes):
            pools = _after(spec, change, pools)
    return pools


def _in_turn(changes: Iterable[PoolChange]) -> Iterator[PoolChange]:
    """Yield the changes, with only the first CIDR that is given back below each parent: AWS refuses others meanwhile,
    and wanted blocks take the space as soon as it suffices."""
    parents: set[str] = set()
    for change in changes:
        if isinstance(change, DeprovisionCidr):
            if change.pool.source_pool_id in parents:
                continue
            parents.add(change.pool.source_pool_id)
        yield change


def with_room_for(later: PoolSpec, spec: PoolSpec) -> PoolSpec | None:
    """Return the later spec, larger by what it needs on the pools of this one; None if nothing makes room for it."""
    pools = update(spec, [], {})
    occupied = {
        parent.pool_id: [block.cidr for pool in pools if pool.source_pool_id == parent.pool_id for block in pool.held]
        for parent in pools
    }
    return with_more_room(later, pools, occupied)


def _settled(pools: Iterable[ExistingPool]) -> list[ExistingPool]:
    """Return the pools once AWS is done with what was requested before."""
    states = {"create-in-progress": "create-complete", "modify-in-progress": "modify-complete"}
    return [
        replace(
            pool,
            state=states.get(pool.state, pool.state),
            blocks=tuple(
                replace(block, state="provisioned") if block.state in CIDR_PENDING else block
                for block in pool.blocks
                if block.state != "pending-deprovision"
            ),
        )
        for pool in pools
        if pool.state != "delete-in-progress"
    ]


def _occupied(spec: PoolSpec, pools: Sequence[ExistingPool], others: Others) -> dict[str, list[IPv4Network]]:
    """Return what PoolReader.read_occupied would read from AWS."""
    parents = parents_of_new_cidrs(compare(spec, pools))
    return {
        parent: [
            *others.get(parent, ()),
            *(block.cidr for pool in pools if pool.source_pool_id == parent for block in pool.held),
        ]
        for parent in parents
    }


def _after(spec: PoolSpec, change: PoolChange, pools: Sequence[ExistingPool]) -> list[ExistingPool]:
    """Return the pools once AWS has made the change."""
    if isinstance(change, CreatePool):
        return [*pools, _created(spec, change)]
    if isinstance(change, DeletePool):
        return [pool for pool in pools if pool.pool_id != change.pool.pool_id]
    return [_changed(change, pool) if pool.pool_id == change.pool.pool_id else pool for pool in pools]


def _created(spec: PoolSpec, change: CreatePool) -> ExistingPool:
    return ExistingPool(
        str(change.key),
        change.source_pool_id,
        state="create-complete",
        key=change.key,
        tags=wanted_tags(spec, change.key),
        description=names.pool_description(change.key.region, change.key.environment),
        allocation_tags=wanted_allocation_tags(change.key),
        vpc_sizes=change.vpc_sizes,
        auto_import=change.auto_import,
    )


def _changed(change: ProvisionCidr | DeprovisionCidr | TagPool | ModifyPool, pool: ExistingPool) -> ExistingPool:
    match change:
        case ProvisionCidr():
            blocks = (*pool.blocks, Block(change.cidr, "provisioned"))
            return replace(pool, blocks=blocks, tags={**pool.tags, **change.record})
        case DeprovisionCidr():
            left = tuple(block for block in pool.blocks if block.cidr != change.cidr)
            return replace(pool, blocks=left, tags={**pool.tags, **change.record})
        case TagPool():
            kept = {key: value for key, value in pool.tags.items() if key not in change.removed}
            return replace(pool, tags={**kept, **change.tags})
        case ModifyPool():
            return replace(
                pool,
                description=names.pool_description(change.key.region, change.key.environment),
                allocation_tags=wanted_allocation_tags(change.key),
                vpc_sizes=change.vpc_sizes or pool.vpc_sizes,
                auto_import=change.auto_import,
            )
