"""The rows of a report: pools, what is allocated from them, and accounts, as JSON has them; and whether pools are
watched."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from ctipam.cloudformation.described import CANNOT_ACT
from ctipam.names import STACK_TAG
from ctipam.organization.tree import AccountLocation
from ctipam.pools.existing import Allocation, ExistingPool
from ctipam.sharing.existing import ADDED, Share
from ctipam.sharing.results import AccountResult
from ctipam.upkeep.utilization import addresses_used, percent

USERS = ("accounts", "pending", "strangers")
"""The lists in a row of who_can_use."""

ID_SIZE = len('"111122223333", ')

Held = Mapping[str, Collection[Allocation]]
"""What is allocated from each pool, by its id. A pool is missing if its Region cannot be read."""


def nothing_watches(status: str, stack: str) -> str:
    """Return that nothing watches the pools, if their stack in the Networking account has no functions; else nothing.

    status   of that stack; empty: it does not exist
    stack    the name of the stack in the management account
    """
    if status and status not in CANNOT_ACT:
        return ""
    return (
        "Nothing watches or corrects the pools: their stack in the Networking account "
        f"{f'is {status}' if status else 'does not exist'}; see `make preview stack={stack}`."
    )


def pool_rows(pools: Iterable[ExistingPool], held: Held, lost: Collection[str]) -> list[dict[str, Any]]:
    """Return each pool of this solution, parents first.

    percentUsed   of its addresses, by pools below it, VPCs or others; null if that is not known
    lostTag       the pool has lost STACK_TAG, whose value should be stackId; lost: the ids of such pools
    """
    ours = sorted((pool for pool in pools if pool.key), key=lambda pool: (pool.key, pool.pool_id))
    return [_pool_row(pool, held.get(pool.pool_id)) | {"lostTag": pool.pool_id in lost} for pool in ours]


def _pool_row(pool: ExistingPool, allocations: Collection[Allocation] | None) -> dict[str, Any]:
    cidrs = [block.cidr for block in pool.held]
    addresses = sum(cidr.num_addresses for cidr in cidrs)
    used = None if allocations is None else addresses_used(allocations)
    return {
        "poolId": pool.pool_id,
        "sourcePoolId": pool.source_pool_id,
        "name": pool.tags.get("Name", pool.pool_id),
        "description": pool.description,
        "region": pool.region,
        "environment": pool.environment,
        "state": pool.state,
        "cidrs": [str(cidr) for cidr in cidrs],
        "percentUsed": percent(used, addresses) if addresses and used is not None else None,
        "requiredTags": dict(pool.allocation_tags),
        "stackId": pool.tags.get(STACK_TAG, ""),
    }


def allocation_rows(pools: Iterable[ExistingPool], held: Held, home: str) -> list[dict[str, Any]]:
    """Return what is allocated from the pools, except by pools of this solution: what a pool is in use by.

    home   the Region in which allocations of a pool without a Region are read and released
    """
    ours = {pool.pool_id: pool for pool in pools if pool.key}
    return [
        {
            "poolId": pool_id,
            "cidr": str(one.cidr),
            "resourceType": one.resource_type,
            "resourceId": one.resource_id,
            "allocationId": one.allocation_id,
            "accountId": one.owner,
            "region": pool.region or home,
            "reserved": one.is_reservation,
        }
        for pool_id, pool in ours.items()
        for one in sorted(held.get(pool_id, ()), key=lambda one: one.cidr)
        if one.resource_id not in ours
    ]


def account_rows(
    accounts: Iterable[AccountResult],
    locations: Mapping[str, AccountLocation],
    shares: Mapping[str, Sequence[Share]],
) -> list[dict[str, Any]]:
    """Return each account with its name, its OUs from the root down, and the state of its share."""
    return [
        _account_row(one, locations.get(one.spec.account_id), shares.get(one.spec.account_id, ())) for one in accounts
    ]


def _account_row(result: AccountResult, location: AccountLocation | None, shares: Sequence[Share]) -> dict[str, Any]:
    path = location.ou_path if location else ()
    row = {
        "accountId": result.spec.account_id,
        "name": location.name if location else "",
        "organizationalUnits": [ou.name for ou in reversed(path)],
        "environment": result.spec.environment or None,
        "share": _share_state(result, shares),
    }
    return row | ({"reason": result.spec.reason} if result.spec.reason else {})


def _share_state(result: AccountResult, shares: Sequence[Share]) -> str:
    """Return none, shared, pending (AWS has not finished), or outdated: the next run changes it."""
    if result.changed:
        return "outdated"
    usable = {
        arn
        for share in shares
        for arn, status in share.pools.items()
        if status in ADDED and share.principals.get(share.account_id) in ADDED
    }
    wanted = {pool.arn for pool in result.spec.pools}
    if not wanted:
        return "shared" if usable else "none"
    return "shared" if wanted <= usable else "pending"


def users_within(rows: Sequence[dict[str, Any]], characters: int) -> list[dict[str, Any]]:
    """Return the rows of who_can_use, with equally long lists of accounts if all lists together do not fit.

    leftOut   how many accounts a row has not named
    """
    sizes = [len(json.dumps(row)) for row in rows]
    most = None if sum(sizes) <= characters else characters // (len(USERS) * len(rows) * ID_SIZE)
    cut = [row | {name: row[name][:most] for name in USERS} for row in rows]
    return [
        short | {"leftOut": sum(len(row[name]) - len(short[name]) for name in USERS)}
        for row, short in zip(rows, cut, strict=True)
    ]


def within(rows: Sequence[dict[str, Any]], characters: int) -> list[dict[str, Any]]:
    """Return as many rows, from the first one on, as fit into this much JSON."""
    kept = []
    for row in rows:
        characters -= len(json.dumps(row)) + 2
        if characters < 0:
            break
        kept.append(row)
    return kept
