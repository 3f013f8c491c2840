"""The OUs that IPAM does not monitor: the exclusions of its default resource discovery.

https://docs.aws.amazon.com/vpc/latest/ipam/exclude-ous.html
"""

from __future__ import annotations

from collections.abc import Set
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from ctipam import waiting
from ctipam.errors import AwsFailed, code_of
from ctipam.ipam.ipams import PATIENCE_S, READY, retry_while_busy
from ctipam.logs import log_decision
from ctipam.sessions import Account
from ctipam.waiting import Deadline, Pace

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import IpamResourceDiscoveryTypeDef

NOT_KNOWN_YET = frozenset({"InvalidParameterValue"})
"""IPAM takes minutes to know the OUs of an organization that it has just been made the administrator for, or OUs that
are new, and calls their paths invalid until then."""


def ensure_exclusions(account: Account, discovery_id: str, wanted: Set[str], deadline: Deadline) -> None:
    """Exactly these OUs are excluded.

    wanted   Organizations entity paths, such as o-a1b2c3d4e5/r-f6g7/ou-f6g7-awsccccc/*
    """
    found = _excluded(_wait(account, discovery_id, deadline))
    if found == wanted:
        return
    log_decision("changing which OUs IPAM does not monitor", discovery=discovery_id, excluded=sorted(wanted))
    retry_while_busy(
        account.ec2().modify_ipam_resource_discovery,
        deadline,
        NOT_KNOWN_YET,
        # In one call, since AWS judges the result: two exclusions must not cover one OU.
        IpamResourceDiscoveryId=discovery_id,
        AddOrganizationalUnitExclusions=[{"OrganizationsEntityPath": path} for path in sorted(wanted - found)],
        RemoveOrganizationalUnitExclusions=[{"OrganizationsEntityPath": path} for path in sorted(found - wanted)],
    )
    _wait(account, discovery_id, deadline, wanted)


def _wait(
    account: Account, discovery_id: str, deadline: Deadline, wanted: Set[str] | None = None
) -> IpamResourceDiscoveryTypeDef:
    """Until it is ready, and excludes what was asked for: a list may be older than the request."""
    pace, until = Pace(deadline), waiting.now() + PATIENCE_S
    while True:
        discovery = _find(account, discovery_id)
        if discovery and discovery["State"] in READY and wanted in (None, _excluded(discovery)):
            return discovery
        if discovery and discovery["State"] == "modify-failed":
            raise AwsFailed(f"AWS could not change which OUs {discovery_id} excludes; it gives no reason.")
        if waiting.now() >= until:
            raise AwsFailed(_not_done(discovery_id, discovery, wanted or set()))
        pace.wait(progress=False)


def _not_done(discovery_id: str, discovery: IpamResourceDiscoveryTypeDef | None, wanted: Set[str]) -> str:
    if discovery is None or discovery["State"] not in READY:
        return f"AWS did not finish changing {discovery_id} ({discovery['State'] if discovery else 'not listed'})."
    differing = ", ".join(sorted(wanted ^ _excluded(discovery)))
    return (
        f"AWS has changed which OUs {discovery_id} excludes, but not to what was asked for; they differ in {differing}."
    )


def _find(account: Account, discovery_id: str) -> IpamResourceDiscoveryTypeDef | None:
    """None while it is so new that the list does not have it."""
    try:
        answer = account.ec2().describe_ipam_resource_discoveries(IpamResourceDiscoveryIds=[discovery_id])
    except ClientError as error:
        if not code_of(error).startswith("InvalidIpamResourceDiscoveryId."):
            raise
        return None
    return next(iter(answer["IpamResourceDiscoveries"]), None)


def _excluded(discovery: IpamResourceDiscoveryTypeDef) -> set[str]:
    return {exclusion["OrganizationsEntityPath"] for exclusion in discovery.get("OrganizationalUnitExclusions", [])}
