"""The OUs that IPAM does not monitor: the exclusions of its default resource discovery.

https://docs.aws.amazon.com/vpc/latest/ipam/exclude-ous.html
"""

from __future__ import annotations

from collections.abc import Set
from typing import TYPE_CHECKING

from ctipam.errors import AwsFailed, OutOfTime
from ctipam.ipam import READY, accepted
from ctipam.logs import decided
from ctipam.sessions import Account
from ctipam.waiting import Deadline, Pace

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import IpamResourceDiscoveryTypeDef


def ensure_exclusions(account: Account, discovery_id: str, wanted: Set[str], deadline: Deadline) -> None:
    """Exactly these OUs are excluded.

    wanted   Organizations entity paths, such as o-a1b2c3d4e5/r-f6g7/ou-f6g7-awsccccc/*
    """
    pace, asked = Pace(deadline), False
    while True:
        discovery = _find(account, discovery_id)
        found = _excluded(discovery)
        if discovery["State"] == "modify-failed" and asked:
            raise AwsFailed(f"AWS could not change which OUs {discovery_id} excludes; it gives no reason.")
        if discovery["State"] in READY and found == wanted:
            return
        if discovery["State"] in READY and not asked:
            asked = _change(account, discovery_id, found, wanted)
        try:
            pace.wait(progress=False)
        except OutOfTime:
            raise OutOfTime(f"still waiting for {discovery_id} ({discovery['State']})") from None


def _find(account: Account, discovery_id: str) -> IpamResourceDiscoveryTypeDef:
    found = account.ec2().describe_ipam_resource_discoveries(IpamResourceDiscoveryIds=[discovery_id])
    return found["IpamResourceDiscoveries"][0]


def _excluded(discovery: IpamResourceDiscoveryTypeDef) -> set[str]:
    return {exclusion["OrganizationsEntityPath"] for exclusion in discovery.get("OrganizationalUnitExclusions", [])}


def _change(account: Account, discovery_id: str, found: Set[str], wanted: Set[str]) -> bool:
    """Ask for it in one call, since AWS judges the result: two exclusions must not cover one OU."""
    decided("changing which OUs IPAM does not monitor", discovery=discovery_id, excluded=sorted(wanted))
    return accepted(
        account.ec2().modify_ipam_resource_discovery,
        IpamResourceDiscoveryId=discovery_id,
        AddOrganizationalUnitExclusions=[{"OrganizationsEntityPath": path} for path in sorted(wanted - found)],
        RemoveOrganizationalUnitExclusions=[{"OrganizationsEntityPath": path} for path in sorted(found - wanted)],
    )
