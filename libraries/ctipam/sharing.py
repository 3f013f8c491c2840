"""Which account gets which pools: those of its nearest OU that has any.

A pool belongs to the OU that its allocation tag Env names. The OU is asked of AWS Organizations now, whatever an
event said, so the result is the same for events that come twice, late or out of order.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from ctipam import names, networking_account, organization, shares
from ctipam.logs import decided
from ctipam.sessions import Account
from ctipam.waiting import Deadline

SHAREABLE = frozenset({"create-complete", "modify-in-progress", "modify-complete", "modify-failed"})
"""States of a pool that can be used. One that is being modified can, so it is not taken from anybody meanwhile."""


@dataclass(frozen=True)
class Sharing:
    """One run: both accounts, and the pools of each environment as they are now."""

    management: Account
    management_account_id: str
    networking: Account
    network_account_id: str
    pools: Mapping[str, Collection[str]]  # environment -> pool ARNs
    request_id: str
    deadline: Deadline


def begin(
    management: Account, management_account_id: str, network_account_id: str, request_id: str, deadline: Deadline
) -> Sharing:
    networking = networking_account.enter(management, network_account_id)
    pools = find_pools(networking, network_account_id)
    return Sharing(management, management_account_id, networking, network_account_id, pools, request_id, deadline)


def find_pools(networking: Account, network_account_id: str) -> dict[str, set[str]]:
    """The ARNs of this solution's pools, by environment. Pools of others, and pools shared with us, are left out."""
    found: dict[str, set[str]] = {}
    for page in networking.ec2().get_paginator("describe_ipam_pools").paginate():
        for pool in page["IpamPools"]:
            tags = {tag["Key"]: tag["Value"] for tag in pool.get("Tags", [])}
            rules = {tag["Key"]: tag["Value"] for tag in pool.get("AllocationResourceTags", [])}
            ours = pool["OwnerId"] == network_account_id and names.POOL_ENVIRONMENT_TAG in tags
            if ours and pool["State"] in SHAREABLE and names.ENVIRONMENT_TAG in rules:
                found.setdefault(rules[names.ENVIRONMENT_TAG], set()).add(pool["IpamPoolArn"])
    return found


def reconcile_account(sharing: Sharing, account_id: str) -> dict[str, Any]:
    """Make the account have exactly the pools that its place in the organization gives it; report what was done."""
    unit = _unit_with_pools(sharing, account_id)
    wanted = sharing.pools[unit.name] if unit else ()
    change = shares.ensure(
        sharing.networking.ram(), account_id, wanted, f"{sharing.request_id}-{account_id}", sharing.deadline
    )
    report = {
        "accountId": account_id,
        "organizationalUnit": unit.ou_id if unit else None,
        "environment": unit.name if unit else None,
        "pools": sorted(wanted),
        "added": list(change.added),
        "removed": list(change.removed),
        "pending": change.pending,
    }
    decided("reconciled account", **report)
    return report


def reconcile_everybody(sharing: Sharing) -> list[dict[str, Any]]:
    """Every active account, and every account that has a share although it is not active any more."""
    accounts = set(organization.active_accounts(sharing.management.organizations()))
    accounts |= set(shares.find_all(sharing.networking.ram()))
    return [reconcile_account(sharing, account_id) for account_id in sorted(accounts)]


def unshare_everybody(sharing: Sharing) -> None:
    for arns in shares.find_all(sharing.networking.ram()).values():
        for arn in arns:
            shares.delete(sharing.networking.ram(), arn)


def _unit_with_pools(sharing: Sharing, account_id: str) -> organization.OrganizationalUnit | None:
    """The nearest OU that has pools. None: there is none, or the account has left, or never has a share."""
    organizations = sharing.management.organizations()
    if account_id in (sharing.management_account_id, sharing.network_account_id):
        return None
    if not organization.is_active_member(organizations, account_id):
        return None
    units = organization.units_of(organizations, account_id)
    return next((unit for unit in units if unit.name in sharing.pools), None)
