"""Durations, quotas and mutation locks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

MutationLock = Literal["parent", "scope", "none"]
"""What two mutations of pools may not share at one time: AWS says only "the requested resource"."""


@dataclass(frozen=True)
class Timings:
    """Seconds. AWS publishes none; private pools and CIDRs are each done in well under 30 s."""

    known: float = 1  # until other calls know what a call has made
    tags_listed: float = 0  # likewise until lists show the tags that CreateTags and DeleteTags change
    ipam_create: float = 5
    ipam_modify: float = 5
    ipam_delete: float = 5
    discovery_modify: float = 5
    ous_known: float = 60  # until a new IPAM knows the organization's OUs: "takes time", and a minute has been seen
    deleted_ipam_listed: float = 30  # how long the list still has it, as delete-complete
    scope_create: float = 3
    scope_delete: float = 3
    deleted_scope_listed: float = 30
    pool_create: float = 5
    pool_modify: float = 3
    pool_delete: float = 5
    deleted_pool_listed: float = 30
    provision: float = 5
    cidr_listed: float = 1  # a fresh CIDR is missing from the list at first
    deprovision: float = 5
    deprovisioned_listed: float = 60
    allocation_listed: float = 1  # a fresh allocation is missing from the list at first
    recycle: float = 120  # "minutes" between ReleaseIpamPoolAllocation and the space being free again
    # From DeleteVpc to the allocation's end: "~30 minutes". https://github.com/hashicorp/terraform-provider-aws/pull/34859
    vpc_release: float = 1800
    discovery: float = 1800  # from 15 to 60 min until IPAM shows what has changed in an account
    auto_import: float = 900  # from when a VPC is shown until it is imported: nothing was after 15 min, seen once


@dataclass(frozen=True)
class Quotas:
    """AWS's defaults. One IPAM per account and Region is not adjustable.

    Source  https://docs.aws.amazon.com/vpc/latest/ipam/quotas-ipam.html
    """

    scopes_per_ipam: int = 5
    exclusions_per_discovery: int = 10
    pools_per_scope: int = 50
    pool_depth: int = 10
    cidrs_per_pool: int = 50
