"""Warns whoever deploys of VPCs that are in the pools' address space already, as far as IPAM has discovered them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from ipaddress import IPv4Network

from botocore.exceptions import BotoCoreError, ClientError

from ctipam.errors import explain
from ctipam.ipam.discovered import DiscoveredAccount, DiscoveredCidr
from ctipam.ipam.existing import ExistingIpam
from ctipam.ipam.listing import list_pools
from ctipam.ipam.reader import read_accounts, read_vpcs
from ctipam.phrases import numbered, some
from ctipam.pools.addresses import outermost
from ctipam.pools.overlaps import OverlappingVpc, find_overlaps
from ctipam.pools.reader import CONCURRENT_READS, PoolReader, as_listed
from ctipam.pools.spec import TOP_LEVEL, PoolSpec
from ctipam.sessions import Account

NAMED_VPCS, NAMED_CIDRS = 3, 20

LATER = "The dashboard and the alarm OverlappingVpcsAlarm in the Networking account report VPCs that it finds later."


def warnings(account: Account, ipam: ExistingIpam, scope_id: str, spec: PoolSpec, *, is_new: bool) -> list[str]:
    """Return a sentence for each thing to know; nothing if IPAM has looked everywhere and found nothing.

    is_new   the IPAM was created a moment ago, and cannot have looked yet
    """
    if is_new:
        return [f"IPAM is new and has not looked for existing VPCs yet, which takes up to an hour. {LATER}"]
    try:
        vpcs = list(read_vpcs(account, scope_id))
        beside = _in_default_scope(account, ipam) if scope_id != ipam.private_scope_id else []
        exposed, overlapping = _exposed(vpcs, spec, ()), _exposed(beside, spec, ())
        if exposed or overlapping:  # perhaps a pool has allocated them, which IPAM shows later
            allocated = _allocated(account, scope_id, spec.stack_id)
            exposed, overlapping = (
                _exposed([one.vpc for one in found], spec, allocated) for found in (exposed, overlapping)
            )
        accounts = list(read_accounts(account, ipam))
    except (BotoCoreError, ClientError) as error:  # nothing that a deployment should fail for
        return [f"Existing VPCs are not known: {explain(error)}"]
    return [*_of_vpcs(exposed), *_of_vpcs_beside(overlapping), *_of_accounts(accounts)]


def _in_default_scope(account: Account, ipam: ExistingIpam) -> list[DiscoveredCidr]:
    """Return the VPCs of the default scope, where IPAM puts what it discovers, for pools in another scope: these have
    allocated nothing there, and no pool there keeps addresses from these."""
    return [replace(vpc, allocated=False) for vpc in read_vpcs(account, ipam.private_scope_id)]


def _exposed(
    vpcs: Sequence[DiscoveredCidr], spec: PoolSpec, allocated: Collection[tuple[str, IPv4Network]]
) -> list[OverlappingVpc]:
    """Return those whose addresses the pools contain, or may contain later, and nothing reserves."""
    overlaps = find_overlaps(vpcs, {TOP_LEVEL: spec.top_cidrs}, spec.reserved, spec.reserved, allocated)
    return [overlap for overlap in overlaps if overlap.pools]


def _allocated(account: Account, scope_id: str, stack_id: str) -> set[tuple[str, IPv4Network]]:
    with ThreadPoolExecutor(CONCURRENT_READS) as executor:
        reader = PoolReader(account, frozenset({stack_id}), scope_id, executor)
        ours = [as_listed(pool, ours=True) for pool in list_pools(account) if reader.is_ours(pool)]
        found = reader.read_allocations([pool for pool in ours if pool.environment])
    return {(one.resource_id, one.cidr) for of_pool in found.values() for one in of_pool}


def _of_vpcs(exposed: Sequence[OverlappingVpc]) -> Iterator[str]:
    free, lost = ([one for one in exposed if bool(one.free) is wanted] for wanted in (True, False))
    if free:
        cidrs = list(outermost(cidr for one in free for cidr in one.free))
        named = some([one.vpc for one in free], NAMED_VPCS)
        yield (
            f"IPAM can assign the addresses of existing VPCs again, {named}. "
            f"Add to ReservedCidrs: {some(cidrs, NAMED_CIDRS)}."
        )
    if lost:
        named = some([one.vpc for one in lost], NAMED_VPCS)
        yield f"Pools have allocated the addresses of existing VPCs to other VPCs, {named}."


def _of_vpcs_beside(overlapping: Sequence[OverlappingVpc]) -> Iterator[str]:
    """Yield a sentence if there are some. Two scopes may have the same addresses, if their networks are apart."""
    if overlapping:
        cidrs = list(outermost(cidr for one in overlapping for cidr in one.free))
        named = some([one.vpc for one in overlapping], NAMED_VPCS)
        connected = "If their network is connected with that of the pools"
        remedy = f"add to ReservedCidrs: {some(cidrs, NAMED_CIDRS)}" if cidrs else "replace one of each two VPCs"
        yield f"VPCs in IPAM's default scope use addresses of the pools too, {named}. {connected}, {remedy}."


def _of_accounts(accounts: Sequence[DiscoveredAccount]) -> list[str]:
    unread = {one.account_id for one in accounts if one.why_unread}
    if accounts and not unread:
        return []
    of_accounts = f" of {numbered(len(unread), 'account')}" if unread else ""
    return [f"IPAM does not know the VPCs{of_accounts} yet. {LATER}"]
