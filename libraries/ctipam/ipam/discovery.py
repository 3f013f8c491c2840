"""The OUs that IPAM does not monitor: the exclusions of its default resource discovery.

https://docs.aws.amazon.com/vpc/latest/ipam/exclude-ous.html
"""

from __future__ import annotations

from collections.abc import Set
from typing import TYPE_CHECKING

from ctipam import waiting
from ctipam.cloudformation.request import ResourceRequest
from ctipam.errors import BUSY, INVALID_VALUE, AwsFailed
from ctipam.ipam.existing import IPAM_READY, MODIFY_FAILED
from ctipam.ipam.reader import find_discovery
from ctipam.logs import log_decision
from ctipam.waiting import LISTED_LATE_S, PATIENCE_S, Pace, retry_while_busy

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import IpamResourceDiscoveryTypeDef

RETRYABLE_ERRORS = frozenset({*BUSY, INVALID_VALUE})
"""IPAM calls the paths of OUs invalid for minutes after it was made the administrator of the organization, or after the
OUs were created."""


def ensure_exclusions(request: ResourceRequest, discovery_id: str, wanted: Set[str]) -> None:
    """Exclude exactly these OUs.

    wanted   Organizations entity paths, such as o-a1b2c3d4e5/r-f6g7/ou-f6g7-awsccccc/*
    """
    before = _wait(request, discovery_id)
    found = _excluded(before)
    if found == wanted:
        return
    log_decision("changing which OUs IPAM does not monitor", discovery=discovery_id, excluded=sorted(wanted))
    retry_while_busy(
        request.account.ec2().modify_ipam_resource_discovery,
        request.deadline,
        RETRYABLE_ERRORS,
        request.raise_if_superseded,
        # In one call, because AWS validates the result: two exclusions must not cover the same OU.
        IpamResourceDiscoveryId=discovery_id,
        AddOrganizationalUnitExclusions=[{"OrganizationsEntityPath": path} for path in sorted(wanted - found)],
        RemoveOrganizationalUnitExclusions=[{"OrganizationsEntityPath": path} for path in sorted(found - wanted)],
    )
    _wait(request, discovery_id, wanted, had_failed=before["State"] == MODIFY_FAILED)


def _wait(
    request: ResourceRequest, discovery_id: str, wanted: Set[str] | None = None, *, had_failed: bool = False
) -> IpamResourceDiscoveryTypeDef:
    """Wait until the discovery is ready and excludes what was asked for: a list may be older than the request.

    had_failed   an earlier change had failed, so that such a list may show that
    """
    pace, until = Pace(request.deadline), waiting.now() + PATIENCE_S
    old_until = waiting.now() + (LISTED_LATE_S if had_failed else 0)
    while True:
        request.raise_if_superseded()
        discovery = find_discovery(request.account, discovery_id)
        if discovery and discovery["State"] in IPAM_READY and wanted in (None, _excluded(discovery)):
            return discovery
        if discovery and discovery["State"] == MODIFY_FAILED and waiting.now() >= old_until:
            raise AwsFailed(f"AWS could not change which OUs {discovery_id} excludes; it gives no reason.")
        if waiting.now() >= until:
            raise AwsFailed(_not_done(discovery_id, discovery, wanted or set()))
        pace.wait()


def _not_done(discovery_id: str, discovery: IpamResourceDiscoveryTypeDef | None, wanted: Set[str]) -> str:
    if discovery is None or discovery["State"] not in IPAM_READY:
        return f"AWS did not finish changing {discovery_id} ({discovery['State'] if discovery else 'not listed'})."
    differing = ", ".join(sorted(wanted ^ _excluded(discovery)))
    return f"AWS has changed which OUs {discovery_id} excludes, but not as requested. The difference is {differing}."


def _excluded(discovery: IpamResourceDiscoveryTypeDef) -> set[str]:
    return {exclusion["OrganizationsEntityPath"] for exclusion in discovery.get("OrganizationalUnitExclusions", [])}
