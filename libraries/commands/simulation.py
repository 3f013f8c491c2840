"""What the Lambda would build: its own decisions, taken one after the other on pools that exist only here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from ipaddress import IPv4Network

from ctipam import names
from ctipam.difference import (
    Block,
    Create,
    Note,
    Pool,
    Provision,
    Step,
    placing_parents,
    remaining,
    wanted_allocation_tags,
)
from ctipam.plan import PoolKey, PoolPlan

TOP = "top-level pool"


def build(plan: PoolPlan) -> dict[PoolKey, IPv4Network]:
    """The block of each pool of the plan, in an empty top-level pool."""
    pools = [Pool(TOP, source_pool_id="", state="create-complete", blocks=(Block(plan.top_cidr, "provisioned"),))]
    while not (rest := remaining(plan, TOP, pools, _taken(plan, pools))).nothing:
        if not rest.steps:
            raise RuntimeError(f"Nothing can be done about {', '.join(rest.waiting)}.")
        for step in rest.steps:
            pools = _after(step, pools)
    return {pool.key: pool.block.cidr for pool in pools if pool.key and pool.block}


def _taken(plan: PoolPlan, pools: Sequence[Pool]) -> dict[str, list[IPv4Network]]:
    """As ctipam.inventory.find_taken reads it from AWS. A pool without a block has no place for others."""
    filled = [pool for pool in pools if pool.block]
    parents = set(placing_parents(plan, TOP, pools)) & {pool.pool_id for pool in filled}
    return {
        parent: [pool.block.cidr for pool in filled if pool.block and pool.source_pool_id == parent]
        for parent in parents
    }


def _after(step: Step, pools: Sequence[Pool]) -> list[Pool]:
    """The pools once AWS has done the step."""
    match step:
        case Create():
            made = Pool(
                str(step.key),
                step.source_pool_id,
                state="create-complete",
                key=step.key,
                description=names.pool_description(step.key.region, step.key.environment),
                allocation_tags=wanted_allocation_tags(step.key),
                vpc_sizes=step.vpc_sizes,
            )
            return [*pools, made]
        case Provision():
            changed = replace(step.pool, blocks=(Block(step.cidr, "provisioned"),))
        case Note():
            changed = replace(step.pool, note=str(step.cidr))
        case _:
            raise RuntimeError(f"Where nothing was before, there is nothing to {step}.")
    return [changed if pool.pool_id == changed.pool_id else pool for pool in pools]
