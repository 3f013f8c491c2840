"""GetIpamResourceCidrs, ModifyIpamResourceCidr, GetIpamDiscoveredAccounts: which VPCs of the organization IPAM shows.

IPAM looks at its operating Regions in the accounts of the organization, except those of excluded OUs; without the
organization, only at its own account. What changes there is shown after Timings.discovery, which also is the time from
when IPAM begins to look at a Region or an account until it has seen anything there.

The management state is about the default private scope, where discovered VPCs are. A managed VPC has an allocation.

Source  https://docs.aws.amazon.com/vpc/latest/ipam/monitor-cidr-compliance-ipam.html
        https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_GetIpamResourceCidrs.html
        https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_GetIpamDiscoveredAccounts.html
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Network
from typing import Any

from aws_models.ipam.addresses import parse
from aws_models.ipam.allocations import recycle
from aws_models.ipam.discoveries import own_discovery, watches_since
from aws_models.ipam.pages import filtered, page
from aws_models.ipam.records import Allocation, Ipam, Pool, VpcCidr
from aws_models.ipam.requests import Call, asks_for, invalid, listed_tags
from aws_models.ipam.store import Store, own_scope

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
"""The wall clock's time when the models' clock shows 0."""

Key = tuple[str, IPv4Network]
Allocations = Mapping[Key, Allocation]


def get_ipam_resource_cidrs(store: Store, call: Call) -> dict[str, Any]:
    if call.params.get("ResourceType") != "vpc":
        raise NotImplementedError("GetIpamResourceCidrs without ResourceType=vpc")
    scope = own_scope(store, call, call.params["IpamScopeId"])
    ipam = store.ipams[scope.ipam_id]
    rows = shown_cidrs(store, ipam) if scope.id == ipam.private_scope_id else []
    allocations = allocations_of(store, ipam)
    overlapping = _overlapping(store, ipam, rows)

    def shown(row: VpcCidr) -> dict[str, Any]:
        return _described(store, ipam, row, allocations.get(row.key), row.key in overlapping)

    found = [row for row in rows if _is_asked_for(call, row, allocations.get(row.key))]
    # A filter that AWS's own example uses; others are not known to work.
    found = filtered(
        call, "management-state", found, lambda row: {"management-state": _state(ipam, row, allocations.get(row.key))}
    )
    return page(call, found, lambda row: f"{row.vpc_id} {row.network}", shown, "IpamResourceCidrs", store.page_size)


def _is_asked_for(call: Call, row: VpcCidr, allocation: Allocation | None) -> bool:
    tag = call.params.get("ResourceTag", {})
    return (
        call.params.get("ResourceId") in (None, row.vpc_id)
        and call.params.get("ResourceOwner") in (None, row.owner)
        and call.params.get("IpamPoolId") in (None, allocation.pool_id if allocation else "")
        and (not tag or (tag.get("Key") in row.tags and tag.get("Value", row.tags[tag["Key"]]) == row.tags[tag["Key"]]))
    )


def shown_cidrs(store: Store, ipam: Ipam) -> list[VpcCidr]:
    """Return the CIDRs of VPCs that the IPAM shows now."""
    return [row for row in store.vpc_cidrs.values() if shown_since(store, ipam, row) is not None]


def shown_since(store: Store, ipam: Ipam, row: VpcCidr) -> float | None:
    """Return when the IPAM began to show the CIDR; None: it does not show it, not yet or no longer."""
    begun = watches_since(store, ipam, row.owner, row.region)
    if begun is None or _is_past(store, row.owner, row.gone_at):
        return None
    if row.gone_at is not None and row.gone_at <= begun:
        return None
    since = max(begun, row.made_at)
    return since + store.timings.discovery if _is_past(store, row.owner, since) else None


def _is_past(store: Store, account_id: str, happened_at: float | None) -> bool:
    """Return whether IPAM has learned by now what happened in the account then."""
    known_until = store.undiscoverable_since.get(account_id, store.agenda.now)
    return happened_at is not None and happened_at + store.timings.discovery <= known_until


def allocations_of(store: Store, ipam: Ipam) -> Allocations:
    """Return the allocations of VPCs, by the VPC's id and the CIDR."""
    return {
        (one.resource_id, one.network): one
        for one in store.allocations.values()
        if one.resource_type == "vpc" and one.resource_id and store.pools[one.pool_id].ipam_id == ipam.id
    }


def _overlapping(store: Store, ipam: Ipam, rows: Iterable[VpcCidr]) -> set[Key]:
    """Return the CIDRs that overlap that of another VPC, or a manual allocation."""
    taken: list[tuple[IPv4Network, Key | None]] = []
    taken += [(row.network, row.key) for row in rows if row.key not in ipam.ignored]
    pools = store.pools_in(store.scopes[ipam.private_scope_id])
    taken += [
        (one.network, None)
        for pool in pools
        for one in store.allocations_from(pool)
        if one.resource_type == "custom" and not one.recycling
    ]
    found: set[Key] = set()
    around: list[tuple[IPv4Network, Key | None]] = []  # blocks that contain the present one
    for network, key in sorted(taken, key=lambda item: item[0]):
        around = [item for item in around if item[0].overlaps(network)]
        if around:
            found |= {other for _, other in [*around, (network, key)] if other}
        around.append((network, key))
    return found


def _state(ipam: Ipam, row: VpcCidr, allocation: Allocation | None) -> str:
    if row.key in ipam.ignored:
        return "ignored"
    return "managed" if allocation and not allocation.recycling else "unmanaged"


def _compliance(pool: Pool, row: VpcCidr) -> str:
    rules = pool.rules
    fits = (rules.smallest or 0) <= row.network.prefixlen <= (32 if rules.largest is None else rules.largest)
    tagged = pool.required_tags.items() <= row.tags.items()
    return "compliant" if fits and tagged and row.region == pool.locale else "noncompliant"


def _described(
    store: Store, ipam: Ipam, row: VpcCidr, allocation: Allocation | None, overlapping: bool
) -> dict[str, Any]:
    state = _state(ipam, row, allocation)
    managed = allocation if state == "managed" else None
    overlap = "overlapping" if overlapping else "nonoverlapping"
    return {
        "IpamId": ipam.id,
        "IpamScopeId": ipam.private_scope_id,
        **({"IpamPoolId": managed.pool_id} if managed else {}),
        "ResourceRegion": row.region,
        "ResourceOwnerId": row.owner,
        "ResourceId": row.vpc_id,
        **({"ResourceName": row.tags["Name"]} if "Name" in row.tags else {}),
        "ResourceCidr": str(row.network),
        "ResourceType": "vpc",
        "ResourceTags": listed_tags(row.tags),
        "ComplianceStatus": _compliance(store.pools[managed.pool_id], row) if managed else state,
        "ManagementState": state,
        "OverlapStatus": "ignored" if state == "ignored" else overlap,
        "VpcId": row.vpc_id,
    }


def modify_ipam_resource_cidr(store: Store, call: Call) -> dict[str, Any]:
    """Stop to monitor a CIDR, or begin again. One that is no longer monitored loses its allocation.

    Source  https://docs.aws.amazon.com/vpc/latest/ipam/change-monitoring-state-ipam.html
    """
    scope = own_scope(store, call, call.params["CurrentIpamScopeId"])
    ipam = store.ipams[scope.ipam_id]
    key = call.params["ResourceId"], parse(call.params["ResourceCidr"])
    row = next((row for row in shown_cidrs(store, ipam) if row.key == key), None)
    if row is None or row.region != call.params["ResourceRegion"] or scope.id != ipam.private_scope_id:
        raise invalid("ResourceId", key[0], "IPAM shows no such CIDR in this scope and Region.")  # unverified
    if call.params["Monitored"]:
        ipam.ignored.discard(key)
    else:
        ipam.ignored.add(key)
        if allocation := allocations_of(store, ipam).get(key):
            recycle(store, allocation)
    return {"IpamResourceCidr": _described(store, ipam, row, allocations_of(store, ipam).get(key), False)}


def get_ipam_discovered_accounts(store: Store, call: Call) -> dict[str, Any]:
    """Return the accounts that IPAM looks at in a Region, and how that went."""
    if asks_for(call.params, "Filters"):
        raise NotImplementedError("GetIpamDiscoveredAccounts: Filters")
    discovery = own_discovery(store, call, call.params["IpamResourceDiscoveryId"])
    ipam, region = store.ipams[discovery.ipam_id], call.params["DiscoveryRegion"]
    if region not in ipam.operating_regions:  # unverified
        raise invalid("DiscoveryRegion", region, "It is no operating Region.")
    begun = {
        account_id: since
        for account_id in {ipam.owner, *store.organization.members()}
        if (since := watches_since(store, ipam, account_id, region)) is not None
        and since + store.timings.ous_known <= store.agenda.now
    }

    def shown(account_id: str) -> dict[str, Any]:
        return _discovered(store, account_id, region, begun[account_id])

    return page(call, begun, str, shown, "IpamDiscoveredAccounts", store.page_size)


def _discovered(store: Store, account_id: str, region: str, begun: float) -> dict[str, Any]:
    now = store.agenda.now
    failing = store.faults.undiscoverable.get(account_id)
    attempted = _last_look(store, begun, now)
    succeeded = _last_look(store, begun, store.undiscoverable_since.get(account_id, now))
    message = "Failed to assume the service-linked role." if failing == "assume-role-failure" else str(failing)
    return {
        "AccountId": account_id,
        "DiscoveryRegion": region,
        **({"FailureReason": {"Code": failing, "Message": message}} if failing and attempted else {}),
        **({"LastAttemptedDiscoveryTime": attempted} if attempted else {}),
        **({"LastSuccessfulDiscoveryTime": succeeded} if succeeded else {}),
    }


def _last_look(store: Store, begun: float, until: float) -> datetime | None:
    looks = math.floor((until - begun) / store.timings.discovery)
    return EPOCH + timedelta(seconds=begun + looks * store.timings.discovery) if looks >= 1 else None
