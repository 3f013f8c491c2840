"""Simulate what the Lambda would build: apply its own decisions, one at a time, to pools in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from ipaddress import IPv4Network

from ctipam import names
from ctipam.pools.changes import (
    CreatePool,
    PoolChange,
    ProvisionCidr,
    RecordCidr,
    placing_parents,
    remaining,
    wanted_allocation_tags,
)
from ctipam.pools.existing import Block, ExistingPool
from ctipam.pools.spec import PoolKey, PoolSpec

TOP = "top-level pool"


def build(spec: PoolSpec) -> dict[PoolKey, IPv4Network]:
    """Return the block that each pool of the spec gets in an empty top-level pool."""
    pools = [
        ExistingPool(TOP, source_pool_id="", state="create-complete", blocks=(Block(spec.top_cidr, "provisioned"),))
    ]
    while not (pending := remaining(spec, TOP, pools, _occupied(spec, pools))).nothing:
        if not pending.steps:
            raise RuntimeError(f"No change is possible for {', '.join(pending.waiting)}.")
        for change in pending.steps:
            pools = _apply(change, pools)
    return {pool.key: pool.block.cidr for pool in pools if pool.key and pool.block}


def _occupied(spec: PoolSpec, pools: Sequence[ExistingPool]) -> dict[str, list[IPv4Network]]:
    """Return the occupied blocks of each parent pool, as ctipam.pools.reader reads them from AWS.

    Omits a pool without a block: it has no room for child pools.
    """
    filled = [pool for pool in pools if pool.block]
    parents = set(placing_parents(spec, TOP, pools)) & {pool.pool_id for pool in filled}
    return {
        parent: [pool.block.cidr for pool in filled if pool.block and pool.source_pool_id == parent]
        for parent in parents
    }


def _apply(change: PoolChange, pools: Sequence[ExistingPool]) -> list[ExistingPool]:
    """Return the pools as they are after AWS has completed the change."""
    match change:
        case CreatePool():
            created = ExistingPool(
                str(change.key),
                change.source_pool_id,
                state="create-complete",
                key=change.key,
                description=names.pool_description(change.key.region, change.key.environment),
                allocation_tags=wanted_allocation_tags(change.key),
                vpc_sizes=change.vpc_sizes,
            )
            return [*pools, created]
        case ProvisionCidr():
            changed = replace(change.pool, blocks=(Block(change.cidr, "provisioned"),))
        case RecordCidr():
            changed = replace(change.pool, recorded_cidr=str(change.cidr))
        case _:
            raise RuntimeError(f"A new hierarchy needs no such change: {change}.")
    return [changed if pool.pool_id == changed.pool_id else pool for pool in pools]
