"""What a change must not do to the pools that are there. Asked before anything is changed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network

from ctipam.addresses import lowest_free
from ctipam.difference import Pool, kept_pools, unwanted_pools
from ctipam.errors import Refused
from ctipam.plan import PoolKey, PoolPlan

NAMED = 3
"""How many obstacles a message names: CloudFormation shows about 240 characters of it."""


@dataclass(frozen=True)
class Allocation:
    """What holds a part of a pool: a VPC, a child pool, or a block that somebody reserved by hand (custom).

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpamPoolAllocation.html
    """

    cidr: IPv4Network
    resource_type: str
    resource_id: str
    owner: str

    def __str__(self) -> str:
        return f"{self.resource_id or self.resource_type} ({self.cidr}, account {self.owner})"


def refuse_moves(plan: PoolPlan, top_pool_id: str, pools: Sequence[Pool]) -> None:
    """Raises Refused if a pool that exists would have to change its block, its size or its parent."""
    for key, pool in kept_pools(plan, pools).items():
        if key.parent is None and pool.source_pool_id != top_pool_id:
            raise Refused(
                f"The pool of {key} ({pool.pool_id}) belongs to another top-level pool and cannot move; "
                "keep TopLevelPoolCidr and IpamScope, or remove the Regions first."
            )
        if pool.block is None:
            continue
        if key.parent is None and not pool.block.cidr.subnet_of(plan.top_cidr):
            raise Refused(
                f"TopLevelPoolCidr {plan.top_cidr} does not hold {pool.block.cidr}, the pool of {key}; "
                "pools keep their blocks, so the top-level CIDR cannot change while they exist."
            )
        if pool.block.cidr.prefixlen != plan.prefix_length(key):
            raise Refused(
                f"The pool of {key} is {pool.block.cidr} and cannot become a /{plan.prefix_length(key)}; "
                f"keep {_prefix_parameter(key)} at {pool.block.cidr.prefixlen}, or remove the pool and add it again."
            )


def refuse_removals(
    plan: PoolPlan | None, pools: Sequence[Pool], allocations: Mapping[str, Collection[Allocation]]
) -> None:
    """Raises Refused if a pool that is no longer wanted holds anything but pools that go with it.

    allocations   of each unwanted pool, by pool id
    """
    unwanted = unwanted_pools(plan, pools)
    going = {pool.pool_id for pool in unwanted}
    obstacles = [
        f"{pool.key} holds {allocation}"
        for pool in unwanted
        for allocation in sorted(allocations.get(pool.pool_id, ()), key=lambda allocation: allocation.cidr)
        if allocation.resource_id not in going
    ]
    obstacles += [
        f"{pool.key} holds the pool {child.pool_id}"
        for pool in unwanted
        for child in pools
        if child.source_pool_id == pool.pool_id and child.pool_id not in going and child.block is None
    ]
    if obstacles:
        more = f" and {len(obstacles) - NAMED} more" if len(obstacles) > NAMED else ""
        raise Refused(f"In use, nothing was changed: {'; '.join(obstacles[:NAMED])}{more}. Delete these first.")


def refuse_without_room(
    plan: PoolPlan, top_pool_id: str, pools: Sequence[Pool], taken: Mapping[str, Collection[IPv4Network]]
) -> None:
    """Raises Refused if a new pool finds no free block of its size, counting what is removed as free."""
    kept = kept_pools(plan, pools)
    freed = {pool.block.cidr for pool in unwanted_pools(plan, pools) if pool.block}
    blocks = {parent: [cidr for cidr in cidrs if cidr not in freed] for parent, cidrs in taken.items()}
    for key in plan.pools:
        if key in kept and kept[key].block:
            continue
        parent_cidr, parent_id = plan.top_cidr, top_pool_id
        if key.parent is not None:
            parent = kept.get(key.parent)
            if parent is None or parent.block is None:
                continue  # a new Region's pool is empty, and the plan fits it
            parent_cidr, parent_id = parent.block.cidr, parent.pool_id
        place = lowest_free(parent_cidr, plan.prefix_length(key), blocks.get(parent_id, []))
        if place is None:
            raise Refused(
                f"{parent_cidr} has no free /{plan.prefix_length(key)} left for {key}; "
                "pools that exist keep their blocks, so remove something or use a larger range."
            )
        blocks.setdefault(parent_id, []).append(place)


def _prefix_parameter(key: PoolKey) -> str:
    return "IpamPoolPrefixLength" if key.parent is None else "AccPoolPrefixLength"
