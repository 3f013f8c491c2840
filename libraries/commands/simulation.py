"""What the Lambda would build: its own decisions, taken one after the other on pools that exist only here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from ipaddress import IPv4Network

from ctipam import names
from ctipam.pools.change_kinds import CreatePool, PoolChange, ProvisionCidr, TagPool
from ctipam.pools.changes import pending_changes
from ctipam.pools.existing import Block, ExistingPool
from ctipam.pools.matching import compare
from ctipam.pools.placement import parents_of_new_cidrs
from ctipam.pools.spec import PoolKey, PoolSpec
from ctipam.pools.wanted import wanted_allocation_tags, wanted_tags

Blocks = Mapping[PoolKey, tuple[IPv4Network, ...]]
"""The CIDRs of each pool."""


def build(spec: PoolSpec) -> Blocks:
    """Return the CIDRs of each pool of the spec, where nothing exists yet."""
    pools: list[ExistingPool] = []
    while not (pending := pending_changes(spec, pools, _occupied(spec, pools))).nothing:
        if not pending.changes:
            raise RuntimeError(f"Nothing can be done about {', '.join(pending.waiting)}.")
        for change in pending.changes:
            pools = _after(spec, change, pools)
    return {pool.key: tuple(block.cidr for block in pool.held) for pool in pools if pool.key}


def _occupied(spec: PoolSpec, pools: Sequence[ExistingPool]) -> dict[str, list[IPv4Network]]:
    """As PoolReader.read_occupied reads it from AWS."""
    parents = parents_of_new_cidrs(compare(spec, pools))
    return {
        parent: [block.cidr for pool in pools if pool.source_pool_id == parent for block in pool.held]
        for parent in parents
    }


def _after(spec: PoolSpec, change: PoolChange, pools: Sequence[ExistingPool]) -> list[ExistingPool]:
    """Return the pools once AWS has made the change."""
    match change:
        case CreatePool():
            created = ExistingPool(
                str(change.key),
                change.source_pool_id,
                state="create-complete",
                key=change.key,
                tags=wanted_tags(spec, change.key),
                description=names.pool_description(change.key.region, change.key.environment),
                allocation_tags=wanted_allocation_tags(change.key),
                vpc_sizes=change.vpc_sizes,
            )
            return [*pools, created]
        case ProvisionCidr():
            blocks = (*change.pool.blocks, Block(change.cidr, "provisioned"))
            changed = replace(change.pool, blocks=blocks, tags={**change.pool.tags, **change.record})
        case TagPool():
            changed = replace(change.pool, tags={**change.pool.tags, **change.tags})
        case _:
            raise RuntimeError(f"Where nothing was before, nothing can be done to {change}.")
    return [changed if pool.pool_id == changed.pool_id else pool for pool in pools]
