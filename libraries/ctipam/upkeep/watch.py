"""Looks once an hour for VPCs that overlap the pools, for trouble of the IPAM, and for pools that somebody has changed.
Called by a schedule.

Reads what IPAM has discovered; no other account is entered. The calls grow with the pages of VPCs and accounts, and
with the pools.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Network
from typing import Any

from ctipam import waiting
from ctipam.cloudformation.own_stack import OwnStack
from ctipam.findings import Finding
from ctipam.ipam.discovered import DiscoveredAccount, DiscoveredCidr
from ctipam.ipam.existing import ExistingIpam
from ctipam.ipam.listing import list_pools, stack_of
from ctipam.ipam.reader import find_ipam, read_accounts, read_vpcs
from ctipam.ipam.trouble import find_trouble
from ctipam.logs import log_decision
from ctipam.pools.existing import Allocation, ExistingPool
from ctipam.pools.overlaps import find_overlaps
from ctipam.pools.parameters import reserved_cidrs
from ctipam.pools.reader import PoolReader
from ctipam.sessions import Account
from ctipam.settings import UtilizationSettings
from ctipam.upkeep import mending
from ctipam.upkeep.drift import Drift
from ctipam.upkeep.schedule import WATCH_EVERY_MINUTES

CONCURRENT_READS = 10


def watch(account: Account, settings: UtilizationSettings, event: Mapping[str, Any]) -> list[Finding]:
    """Return what is wrong with the pools of a stack and beside them, and have mended what can be. Raises ClientError.

    event   see `schedule.is_watch_due`
    """
    own_stack = OwnStack(account, settings.stack_id, believed_s=0)
    stack = own_stack.snapshot()
    listed = list_pools(account)
    spec = mending.spec_of(account, settings.stack_id, stack)
    if spec is None and not any(stack_of(pool) == settings.stack_id for pool in listed):
        return []  # the stack is being created
    scope_id = mending.scope_of_pools(account, settings.stack_id, stack, listed)
    ipam, accounts, vpcs = _discovered(account, scope_id)
    with ThreadPoolExecutor(CONCURRENT_READS) as executor:
        reader = PoolReader(account, frozenset({settings.stack_id}), scope_id, executor)
        pools = reader.read_pools(listed, known={})
        allocated = reader.read_allocations([pool for pool in pools if pool.environment])
        drift = mending.look(reader, spec, listed, pools, allocated) if spec and ipam else Drift()
    if drift.findings and own_stack.snapshot() != stack:
        drift = Drift()  # an operation has begun meanwhile, and makes these differences
    if drift.is_mendable:
        run = str(event.get("time") or int(waiting.now()) // (WATCH_EVERY_MINUTES * 60))
        mending.request_mending(account, settings.mender, settings.stack_id, run)
    trouble = find_trouble(ipam, {pool.region for pool in pools if pool.region}, accounts)
    reserved = reserved_cidrs(stack.parameters.get("ReservedCidrs", ""))
    overlapping = _overlapping(pools, [one for some in allocated.values() for one in some], reserved, vpcs)
    found = [*trouble, *overlapping, *drift.findings]
    log_decision("watched", vpcs=len(vpcs), accounts=len({one.account_id for one in accounts}), findings=len(found))
    return found


def _discovered(
    account: Account, scope_id: str
) -> tuple[ExistingIpam | None, list[DiscoveredAccount], list[DiscoveredCidr]]:
    """Return the IPAM, the accounts that it looks at, and the VPCs that it has found."""
    ipam = find_ipam(account)
    if ipam is None:
        return None, [], []
    return ipam, list(read_accounts(account, ipam)), list(read_vpcs(account, scope_id))


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
        allocated={(one.resource_id, one.cidr) for one in allocated},
    )
    return [overlap.finding() for overlap in overlaps]
