"""What a request must not do to the pools that exist. Asked before anything is changed; each raises Refused."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from ipaddress import IPv4Network

from ctipam import names
from ctipam.cloudformation.described import split_arn
from ctipam.errors import Refused, fit
from ctipam.phrases import numbered
from ctipam.pools.addresses import without
from ctipam.pools.existing import ISOLATED, Allocation, Block, ExistingPool
from ctipam.pools.matching import Comparison, kept_pools
from ctipam.pools.parameters import CIDRS_PER_POOL
from ctipam.pools.recognition import has_lost_environment
from ctipam.pools.spec import TOP_LEVEL, PoolSpec, refuse_over_quota

ROOM_FOR_BLOCKERS = 120
"""Characters of a message that name what is in the way: CloudFormation shows about 240 in all. The log and `make
report` name all."""

NETWORKING_STACK = re.compile(r"StackSet-(.+)-networking-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""The name that CloudFormation gives to the Networking stack. The StackSet is named after the management stack."""


def deployment_of(stack_id: str) -> str:
    """Return the name of the management stack, by the ARN of a Networking stack; empty if that is named otherwise."""
    found = NETWORKING_STACK.fullmatch(split_arn(stack_id).name)
    return found[1] if found else ""


def refuse_second_deployment(living: Sequence[str], own_name: str) -> None:
    """Raise Refused if a stack that can act already has pools.

    The management stack of the other deployment may no longer exist. A new one of the same name then recovers it.

    living     ARNs of stacks in the Networking account
    own_name   of the management stack of this deployment
    """
    if not living:
        return
    _, region, account_id, name = split_arn(living[0])
    found, deployment = f"Stack {name}", deployment_of(living[0])
    way_out = "update that deployment, or delete it first"
    if deployment == own_name and deployment:  # but the StackSet of that name does not list it
        way_out = "delete that stack first"
    elif deployment:
        found = f"Deployment {deployment}"
        way_out = f"update it, or delete it first, or deploy under the name {deployment}"
    raise Refused(
        f"{found} in {region}, account {account_id}, already manages the pools of this organization; {way_out}."
    )


def refuse_moves(spec: PoolSpec, scope_id: str, pools: Sequence[ExistingPool], scopes: Mapping[str, str]) -> None:
    """Raise Refused if a pool that exists would have to change its scope.

    The pools may be those of an earlier deployment: a new stack takes them over if its scope is the same.

    scope_id   the scope that is asked for
    scopes     the scope of each pool, by its id
    """
    for key, pool in kept_pools(spec, pools).items():
        if scopes[pool.pool_id] != scope_id:
            raise Refused(
                f"IpamScope cannot become {scope_id}: {key.phrase} ({pool.pool_id}) is in another scope. Give "
                f"IpamScope {scopes[pool.pool_id]} to keep or take over these pools, or delete them."
            )


def refuse_isolated(comparison: Comparison) -> None:
    """Raise Refused if AWS has isolated a wanted pool: waiting for it would take the whole hour."""
    for key, pool in comparison.kept.items():
        if pool.state in ISOLATED:
            cause = f"{pool.pool_id} is {pool.state} and takes no requests, {key.phrase}"
            way_out = "Look at it in the IPAM console, or ask AWS Support to restore it, and update again."
            raise Refused(fit("Nothing was changed: ", cause, way_out))


def isolated(pools: Iterable[ExistingPool]) -> dict[str, list[str]]:
    """Return a sentence for each of these pools that AWS has isolated and that cannot be removed, by the pool's id."""
    return {
        pool.pool_id: [f"{pool.key} ({pool.pool_id}) is {pool.state}: ask AWS Support to restore it"]
        for pool in pools
        if pool.state in ISOLATED
    }


def refuse_overlap(comparison: Comparison, others: Mapping[str, Collection[Block]]) -> None:
    """Raise Refused if a top-level CIDR overlaps another CIDR of a top-level pool of the scope.

    others   the CIDRs of top-level pools that are not ours, by pool id
    """
    own = comparison.kept.get(TOP_LEVEL)
    missing = [cidr for cidr in comparison.blocks[TOP_LEVEL].missing if isinstance(cidr, IPv4Network)]
    for pool_id, blocks in {**others, **({own.pool_id: own.blocks} if own else {})}.items():
        for block in blocks:
            for cidr in missing if own and pool_id == own.pool_id else comparison.spec.top_cidrs:
                if block.held and block.state != "pending-deprovision" and block.cidr.overlaps(cidr):
                    raise Refused(_overlap(cidr, block, own if own and pool_id == own.pool_id else None, pool_id))


def _overlap(cidr: IPv4Network, block: Block, own: ExistingPool | None, pool_id: str) -> str:
    if own:
        has = [one.cidr for one in own.held if one.cidr.overlaps(cidr)]
        instead = ",".join(map(str, sorted([*has, *without(cidr, has)])))
        if len(instead) > ROOM_FOR_BLOCKERS:
            instead = f"{','.join(map(str, has[:1]))},..."
        return (
            f"TopLevelPoolCidr {cidr} overlaps {block.cidr}, which the top-level pool of this stack has already. "
            f"Give {instead} instead."
        )
    return (
        f"TopLevelPoolCidr {cidr} overlaps {block.cidr} of {pool_id} in the same scope. "
        "Choose space that is free, or another private scope as IpamScope."
    )


def refuse_over_quotas(comparison: Comparison, pools_in_scope: int) -> None:
    """Raise Refused if the scope would have too many pools, or a pool too many CIDRs.

    pools_in_scope   that count against the quota, whoever made them
    """
    refuse_over_quota(comparison.spec, others=pools_in_scope - len(comparison.kept) - len(comparison.unwanted))
    for key, pool in comparison.kept.items():
        missing = len(comparison.blocks[key].missing)
        if missing and len(pool.held) + missing > CIDRS_PER_POOL:
            parameter = "TopLevelPoolCidr" if key == TOP_LEVEL else "PoolSizes"
            raise Refused(
                f"{key} has {numbered(len(pool.held), 'CIDR')} and would get {missing} more, and AWS allows "
                f"{CIDRS_PER_POOL} in a pool. Give fewer; or first leave unused ones out of {parameter}, or "
                "deprovision those added by hand, then add these."
            )


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
            and not allocation.is_reservation  # it is released with the pool
            and (allocation.resource_type != "ipam-pool" or allocation.resource_id in existing_ids)
        ]
        named = {allocation.resource_id for allocation in in_the_way}
        without_cidr = [
            child.pool_id
            for child in pools
            if child.source_pool_id == pool.pool_id and child.pool_id not in unwanted_ids | named
        ]
        lost = has_lost_environment(pool, pools)
        name = f"{pool.pool_id}, without its tag {names.POOL_ENVIRONMENT_TAG}," if lost else pool.key
        sentences = [f"{name} holds {allocation}" for allocation in in_the_way]
        sentences += [f"{name} holds the pool {child_id}" for child_id in without_cidr]
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
    more = f"; and {len(blockers) - len(named)} more, see make report" if len(blockers) > len(named) else ""
    raise Refused(
        f"In use, nothing was changed: {'; '.join(named)}{more}. "
        "Keep their Regions and environments, or delete these and wait 30 minutes."
    )
