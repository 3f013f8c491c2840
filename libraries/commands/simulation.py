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
    RecordCidr,
    placing_parents,
    remaining,
    wanted_allocation_tags,
)
from ctipam.pools.existing import Block, ExistingPool
from ctipam.pools.spec import PoolKey, PoolSpec

TOP = "top-level pool"


def build(plan: PoolSpec) -> dict[PoolKey, IPv4Network]:
    """The block of each pool of the plan, in an empty top-level pool."""
    pools = [
        ExistingPool(TOP, source_pool_id="", state="create-complete", blocks=(Block(plan.top_cidr, "provisioned"),))
    ]
    while not (rest := remaining(plan, TOP, pools, _taken(plan, pools))).nothing:
        if not rest.steps:
            raise RuntimeError(f"Nothing can be done about {', '.join(rest.waiting)}.")
        for step in rest.steps:
            pools = _after(step, pools)
    return {pool.key: pool.block.cidr for pool in pools if pool.key and pool.block}


def _taken(plan: PoolSpec, pools: Sequence[ExistingPool]) -> dict[str, list[IPv4Network]]:
    """As ctipam.inventory.find_taken reads it from AWS. A pool without a block has no place for others."""
    filled = [pool for pool in pools if pool.block]
    parents = set(placing_parents(plan, TOP, pools)) & {pool.pool_id for pool in filled}
    return {
        parent: [pool.block.cidr for pool in filled if pool.block and pool.source_pool_id == parent]
        for parent in parents
    }


def _after(step: PoolChange, pools: Sequence[ExistingPool]) -> list[ExistingPool]:
    """The pools once AWS has done the step."""
    match step:
        case CreatePool():
            made = ExistingPool(
                str(step.key),
                step.source_pool_id,
                state="create-complete",
                key=step.key,
                description=names.pool_description(step.key.region, step.key.environment),
                allocation_tags=wanted_allocation_tags(step.key),
                vpc_sizes=step.vpc_sizes,
            )
            return [*pools, made]
        case ProvisionCidr():
            changed = replace(step.pool, blocks=(Block(step.cidr, "provisioned"),))
        case RecordCidr():
            changed = replace(step.pool, recorded_cidr=str(step.cidr))
        case _:
            raise RuntimeError(f"Where nothing was before, there is nothing to {step}.")
    return [changed if pool.pool_id == changed.pool_id else pool for pool in pools]
