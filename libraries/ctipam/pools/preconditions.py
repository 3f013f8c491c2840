"""What a change must not do to the pools that are there. Asked before anything is changed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from ipaddress import IPv4Network

from ctipam.errors import Refused
from ctipam.logs import log_decision
from ctipam.pools.addresses import lowest_free
from ctipam.pools.changes import kept_pools, unwanted_pools
from ctipam.pools.existing import Allocation, Block, ExistingPool
from ctipam.pools.spec import PoolKey, PoolSpec, refuse_over_quota

ROOM_FOR_OBSTACLES = 120
"""Characters of a message that name what is in the way: CloudFormation shows about 240 in all. The log names all."""


def refuse_moves(plan: PoolSpec, top_pool_id: str, pools: Sequence[ExistingPool]) -> None:
    """Raises Refused if a pool that exists would have to change its block, its size or its parent."""
    for key, pool in kept_pools(plan, pools).items():
        if key.parent is None and pool.source_pool_id != top_pool_id:
            raise Refused(
                f"The pool of {key} ({pool.pool_id}) is in another top-level pool and cannot move; keep IpamScope and "
                "TopLevelPoolCidr as they were, or delete the stack and create it anew."
            )
        if pool.block is None:
            continue
        if key.parent is None and not pool.block.cidr.subnet_of(plan.top_cidr):
            raise Refused(
                f"TopLevelPoolCidr {plan.top_cidr} does not hold {pool.block.cidr}, the pool of {key}, and pools keep "
                "their blocks; keep it as it was, or delete the stack and create it anew."
            )
        if pool.block.cidr.prefixlen != plan.prefix_length(key):
            raise Refused(
                f"The pool of {key} is {pool.block.cidr} and cannot become a /{plan.prefix_length(key)}. "
                f"Keep {_prefix_parameter(key)} {pool.block.cidr.prefixlen}; to change it, first remove every "
                f"{_kind(key)} that is there now (others can come in its place), or create the stack anew."
            )


def refuse_without_top_pool(top_pool_id: str, pools: Sequence[ExistingPool]) -> None:
    """Raises Refused if the pool below which all others belong is gone."""
    if top_pool_id not in {pool.pool_id for pool in pools}:
        raise Refused(f"The top-level pool {top_pool_id} does not exist any more; delete the stack and create it anew.")


def deletion_blockers(
    going: Sequence[ExistingPool], pools: Sequence[ExistingPool], held: Mapping[str, Collection[Allocation]]
) -> list[str]:
    """What keeps pools from being deleted: everything in them but pools that go with them, or are gone already.

    pools   all that there are
    held    what is allocated from each pool that goes, by its id, and from the top-level pool if it goes too
    """
    going_ids, there = {pool.pool_id for pool in going}, {pool.pool_id for pool in pools}
    names = {pool.pool_id: str(pool.key) for pool in going if pool.key}
    found = [
        (names.get(pool_id, f"the top-level pool {pool_id}"), allocation)
        for pool_id, allocations in held.items()
        for allocation in sorted(allocations, key=lambda allocation: allocation.cidr)
        if allocation.resource_id not in going_ids
        and (allocation.resource_type != "ipam-pool" or allocation.resource_id in there)
    ]
    listed = {allocation.resource_id for _, allocation in found}
    without_block = [
        f"{names.get(child.source_pool_id, 'the top-level pool')} holds the pool {child.pool_id}"
        for child in pools
        if child.source_pool_id in held and child.pool_id not in going_ids | listed
    ]
    return [f"{name} holds {allocation}" for name, allocation in found] + without_block


def refuse_deletion(found: Sequence[str]) -> None:
    """Raises Refused that names as many as there is room for, at least one."""
    if not found:
        return
    log_decision("in use, so nothing is changed", obstacles=list(found))
    named = found[:1]
    for obstacle in found[1:]:
        if len("; ".join([*named, obstacle])) > ROOM_FOR_OBSTACLES:
            break
        named = [*named, obstacle]
    more = f"; and {len(found) - len(named)} more, see the log" if len(found) > len(named) else ""
    raise Refused(
        f"In use, nothing was changed: {'; '.join(named)}{more}. "
        "Delete these first; a VPC's block is free some 20 minutes after the VPC."
    )


def refuse_without_room(
    plan: PoolSpec, top_pool_id: str, pools: Sequence[ExistingPool], taken: Mapping[str, Collection[IPv4Network]]
) -> None:
    """Raises Refused if a new pool finds no place: within the quota, and a free block of its size.

    What is removed counts as free.
    """
    kept, unwanted = kept_pools(plan, pools), unwanted_pools(plan, pools)
    refuse_over_quota(plan, already=len(pools) - len(kept) - len(unwanted))
    freed = {pool.block.cidr for pool in unwanted if pool.block}
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
                "pools that exist keep their blocks, so remove something there."
            )
        blocks.setdefault(parent_id, []).append(place)


def refuse_another_top_pool(plan: PoolSpec, scope_id: str, in_scope: bool, cidrs: Collection[IPv4Network]) -> None:
    """Raises Refused if the top-level pool, which has pools below it, would have to be replaced.

    in_scope, cidrs   of the top-level pool that is there: is it in the scope that is asked for, and what it holds
    """
    way_out = "or delete the stack and create it anew. Regions, environments and VPC sizes may change."
    if not in_scope:
        raise Refused(f"The pools are not in scope {scope_id} and cannot move; keep IpamScope as it was, {way_out}")
    if cidrs and plan.top_cidr not in cidrs:
        there = ", ".join(map(str, sorted(cidrs)))
        raise Refused(f"TopLevelPoolCidr cannot become {plan.top_cidr}: {there} has pools in it. Keep it, {way_out}")


def refuse_overlap(plan: PoolSpec, others: Mapping[str, Collection[Block]]) -> None:
    """Raises Refused if the top-level CIDR overlaps a block of another top-level pool of the scope, by pool id."""
    for pool_id, blocks in others.items():
        for block in blocks:
            if block.held and block.cidr.overlaps(plan.top_cidr):
                raise Refused(
                    f"TopLevelPoolCidr {plan.top_cidr} overlaps {block.cidr} of {pool_id} in the same scope; "
                    "choose space that is free, or a scope of its own as IpamScope."
                )


def _prefix_parameter(key: PoolKey) -> str:
    return "IpamPoolPrefixLength" if key.parent is None else "AccPoolPrefixLength"


def _kind(key: PoolKey) -> str:
    return "Region" if key.parent is None else "environment"
