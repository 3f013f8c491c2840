"""Decides which changes bring the IPAM to its spec."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ctipam.ipam.cost_controls import LEAVE
from ctipam.ipam.existing import ExistingIpam
from ctipam.ipam.spec import IpamSpec

IpamChange = Mapping[str, Any]
"""One parameter of ModifyIpam."""


def pending_changes(spec: IpamSpec, ipam: ExistingIpam) -> list[IpamChange]:
    """Return what to ask of ModifyIpam, in this order and one at a time: another tier may not accept the rest."""
    tier, metered_account = spec.costs.tier, spec.costs.metered_account
    changes: list[IpamChange] = []
    if tier not in (LEAVE, ipam.tier):
        changes.append({"Tier": tier})
    if missing := sorted(set(spec.regions) - ipam.operating_regions):
        changes.append({"AddOperatingRegions": [{"RegionName": region} for region in missing]})
    if metered_account not in (LEAVE, ipam.metered_account):
        changes.append({"MeteredAccount": metered_account})
    return changes
