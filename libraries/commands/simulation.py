"""What the Lambda would build: its own decisions, taken one after the other on pools that exist only here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from ipaddress import IPv4Network

from ctipam import names
from ctipam.pools.changes import (
    CreatePool,
    PoolChange,
    ProvisionCidr,
    TagPool,
    parents_of_new_cidrs,
    pending_changes,
    wanted_allocation_tags,
    wanted_tags,
)
from ctipam.pools.existing import Block, ExistingPool
from ctipam.pools.spec import PoolKey, PoolSpec


def build(spec: PoolSpec) -> dict[PoolKey, IPv4Network]:
    """Return the CIDR of each pool of the spec, where nothing exists yet."""
    pools: list[ExistingPool] = []
    while not (pending := pending_changes(spec, pools, _occupied(spec, pools))).nothing:
        if not pending.changes:
            raise RuntimeError(f"Nothing can be done about {', '.join(pending.waiting)}.")
        for change in pending.changes:
            pools = _after(spec, change, pools)
    return {pool.key: pool.block.cidr for pool in pools if pool.key and pool.block}


def _occupied(spec: PoolSpec, pools: Sequence[ExistingPool]) -> dict[str, list[IPv4Network]]:
    """As PoolReader.read_occupied reads it from AWS. A pool without a CIDR has no room for others."""
    filled = [pool for pool in pools if pool.block]
    parents = set(parents_of_new_cidrs(spec, pools)) & {pool.pool_id for pool in filled}
    return {
        parent: [pool.block.cidr for pool in filled if pool.block and pool.source_pool_id == parent]
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
            changed = replace(change.pool, blocks=(Block(change.cidr, "provisioned"),))
        case TagPool():
            changed = replace(change.pool, tags={**change.pool.tags, **change.tags})
        case _:
            raise RuntimeError(f"Where nothing was before, nothing can be done to {change}.")
    return [changed if pool.pool_id == changed.pool_id else pool for pool in pools]
