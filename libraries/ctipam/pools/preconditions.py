"""What a request must not do to the pools that exist. Asked before anything is changed; each raises Refused."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from ctipam.errors import Refused
from ctipam.pools.addresses import lowest_free
from ctipam.pools.changes import Occupied, kept_pools, unwanted_pools
from ctipam.pools.existing import Allocation, Block, ExistingPool
from ctipam.pools.spec import TOP_LEVEL, PoolKey, PoolSpec, refuse_over_quota

ROOM_FOR_BLOCKERS = 120
"""Characters of a message that name what is in the way: CloudFormation shows about 240 in all. The log names all."""


def refuse_second_stack(living: Sequence[str]) -> None:
    """Raise Refused if another stack, which still exists, manages pools in this account.

    living   ARNs of such stacks
    """
    if living:
        name = living[0].rpartition(":stack/")[2].partition("/")[0]
        raise Refused(
            f"Stack {name} already manages the pools of this account, and an organization has one deployment. "
            "Update that deployment, or delete it first."
        )


def refuse_moves(spec: PoolSpec, scope_id: str, pools: Sequence[ExistingPool], scopes: Mapping[str, str]) -> None:
    """Raise Refused if a pool that exists would have to change its scope, its CIDR or its size.

    The pools may be those of an earlier deployment: a new stack takes them over if its parameters are the same.

    scope_id   the scope that is asked for
    scopes     the scope of each pool, by its id
    """
    for key, pool in kept_pools(spec, pools).items():
        if scopes[pool.pool_id] != scope_id:
            raise Refused(
                f"IpamScope cannot become {scope_id}: {key.phrase} ({pool.pool_id}) is in another scope. Give "
                f"IpamScope {scopes[pool.pool_id]} to keep or take over these pools, or delete them."
            )
        if pool.block is None:
            continue
        if key == TOP_LEVEL:
            if pool.block.cidr != spec.top_cidr:
                raise Refused(
                    f"TopLevelPoolCidr cannot become {spec.top_cidr}: {pool.block.cidr} has pools in it. Give "
                    f"TopLevelPoolCidr {pool.block.cidr} to keep or take over these pools, or delete them. Regions, "
                    "environments and VPC sizes may change."
                )
        elif pool.block.cidr.prefixlen != spec.prefix_length(key):
            raise Refused(
                f"The pool of {key} is {pool.block.cidr} and cannot become a /{spec.prefix_length(key)}. "
                f"Keep {_prefix_parameter(key)} {pool.block.cidr.prefixlen}; to change it, first remove every "
                f"{_kind(key)} that exists now (others can come in its place), or create the stack anew."
            )


def refuse_overlap(spec: PoolSpec, others: Mapping[str, Collection[Block]]) -> None:
    """Raise Refused if the top-level CIDR overlaps a CIDR of another top-level pool of the scope, by pool id."""
    for pool_id, blocks in others.items():
        for block in blocks:
            if block.held and block.cidr.overlaps(spec.top_cidr):
                raise Refused(
                    f"TopLevelPoolCidr {spec.top_cidr} overlaps {block.cidr} of {pool_id} in the same scope. "
                    "Choose space that is free, or another private scope as IpamScope."
                )


def refuse_without_room(spec: PoolSpec, pools: Sequence[ExistingPool], occupied: Occupied, pools_in_scope: int) -> None:
    """Raise Refused if a new pool finds no room: within the quota, and a free CIDR of its size.

    A pool that will be removed counts as free.

    pools_in_scope   that count against the quota, whoever made them
    """
    kept, unwanted = kept_pools(spec, pools), unwanted_pools(spec, pools)
    refuse_over_quota(spec, others=pools_in_scope - len(kept) - len(unwanted))
    freed = {pool.block.cidr for pool in unwanted if pool.block}
    blocks = {parent: [cidr for cidr in cidrs if cidr not in freed] for parent, cidrs in occupied.items()}
    for key in spec.pools:
        parent = kept.get(key.parent) if key.parent else None
        if (key in kept and kept[key].block) or parent is None or parent.block is None:
            continue  # it has its CIDR; or its parent is new and empty, and the spec fits it
        cidr = lowest_free(parent.block.cidr, spec.prefix_length(key), blocks.get(parent.pool_id, []))
        if cidr is None:
            raise Refused(
                f"{parent.block.cidr} has no free /{spec.prefix_length(key)} left for {key}. Pools that exist keep "
                f"their CIDRs, so remove {_article(key)} {_kind(key)} there, or leave out the new one."
            )
        blocks.setdefault(parent.pool_id, []).append(cidr)


def deletion_blockers(
    unwanted: Sequence[ExistingPool], pools: Sequence[ExistingPool], held: Mapping[str, Collection[Allocation]]
) -> dict[str, list[str]]:
    """Return what keeps pools from being deleted, in words, by the pool's id: everything that is allocated from them
    but pools that are deleted with them, or that no longer exist.

    pools   all that exist
    held    what is allocated from each unwanted pool, by its id
    """
    unwanted_ids, existing_ids = {pool.pool_id for pool in unwanted}, {pool.pool_id for pool in pools}
    blockers: dict[str, list[str]] = {}
    for pool in unwanted:
        in_the_way = [
            allocation
            for allocation in sorted(held.get(pool.pool_id, ()), key=lambda allocation: allocation.cidr)
            if allocation.resource_id not in unwanted_ids
            and (allocation.resource_type != "ipam-pool" or allocation.resource_id in existing_ids)
        ]
        named = {allocation.resource_id for allocation in in_the_way}
        without_cidr = [
            child.pool_id
            for child in pools
            if child.source_pool_id == pool.pool_id and child.pool_id not in unwanted_ids | named
        ]
        sentences = [f"{pool.key} holds {allocation}" for allocation in in_the_way]
        sentences += [f"{pool.key} holds the pool {child_id}" for child_id in without_cidr]
        if sentences:
            blockers[pool.pool_id] = sentences
    return blockers


def refuse_deletion(blockers: Sequence[str]) -> None:
    """Raise Refused that names as many blockers as there is room for, at least one."""
    if not blockers:
        return
    named = list(blockers[:1])
    for blocker in blockers[1:]:
        if len("; ".join([*named, blocker])) > ROOM_FOR_BLOCKERS:
            break
        named.append(blocker)
    more = f"; and {len(blockers) - len(named)} more, see the log" if len(blockers) > len(named) else ""
    raise Refused(
        f"In use, nothing was changed: {'; '.join(named)}{more}. "
        "Keep their Regions and environments, or delete these and wait 20 minutes."
    )


def _prefix_parameter(key: PoolKey) -> str:
    return "AccPoolPrefixLength" if key.environment else "IpamPoolPrefixLength"


def _kind(key: PoolKey) -> str:
    return "environment" if key.environment else "Region"


def _article(key: PoolKey) -> str:
    return "an" if key.environment else "a"
