"""Looks once an hour for VPCs that overlap the pools, and for trouble of the IPAM. Called by a schedule.

Reads what IPAM has discovered; no other account is entered. The calls grow with the pages of VPCs and accounts, and
with the pools.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Network
from typing import Any

from ctipam.findings import Finding
from ctipam.ipam.discovered import DiscoveredCidr
from ctipam.ipam.reader import find_ipam, read_accounts, read_vpcs
from ctipam.ipam.trouble import find_trouble
from ctipam.logs import log_decision
from ctipam.pools.existing import Allocation, ExistingPool
from ctipam.pools.listing import list_pools, scope_of, stack_of
from ctipam.pools.overlaps import find_overlaps
from ctipam.pools.reader import PoolReader
from ctipam.sessions import Account

CONCURRENT_READS = 10
EVERY_MINUTES = 60
SCHEDULE_MINUTES = 5


def is_due(event: Mapping[str, Any]) -> bool:
    """Return whether this run of the schedule is the one of the hour that watches.

    event   {"time": "2026-11-26T10:03:00Z"}: when the schedule was due, to the minute. Without a time: an operator's
    """
    time = str(event.get("time", ""))
    minute = int(time[14:16]) if time[14:16].isdecimal() else 0
    return minute % EVERY_MINUTES < SCHEDULE_MINUTES


def watch(account: Account, stack_id: str, reserved: Collection[IPv4Network]) -> list[Finding]:
    """Return what is wrong beside the pools of a stack; nothing while it has none. Raises ClientError.

    reserved   the stack's ReservedCidrs
    """
    listed = [pool for pool in list_pools(account) if stack_of(pool) == stack_id]
    if not listed:
        return []
    scope_id = scope_of(listed[0])
    with ThreadPoolExecutor(CONCURRENT_READS) as executor:
        reader = PoolReader(account, frozenset({stack_id}), scope_id, executor)
        pools = reader.read_pools(listed, known={})
        allocated = reader.read_allocations([pool for pool in pools if pool.key and pool.key.environment])
    ipam = find_ipam(account)
    regions = sorted(ipam.operating_regions) if ipam else []
    accounts = [one for region in regions for one in read_accounts(account, ipam.discovery_id, region)] if ipam else []
    trouble = find_trouble(ipam, {pool.key.region for pool in pools if pool.key and pool.key.region}, accounts)
    vpcs = list(read_vpcs(account, scope_id)) if ipam else []
    found = [*trouble, *_overlapping(pools, [one for some in allocated.values() for one in some], reserved, vpcs)]
    log_decision("watched", vpcs=len(vpcs), accounts=len({one.account_id for one in accounts}), findings=len(found))
    return found


def _overlapping(
    pools: Iterable[ExistingPool],
    allocated: Collection[Allocation],
    reserved: Collection[IPv4Network],
    vpcs: Iterable[DiscoveredCidr],
) -> list[Finding]:
    overlaps = find_overlaps(
        vpcs,
        {pool.key: [block.cidr for block in pool.blocks if block.held] for pool in pools if pool.key},
        held=[one.cidr for one in allocated if one.resource_type == "custom"],
        avoided=reserved,
        allocated={(one.resource_id, one.cidr) for one in allocated if one.resource_type == "vpc"},
    )
    return [overlap.finding() for overlap in overlaps]
