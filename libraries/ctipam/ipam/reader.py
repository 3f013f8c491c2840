"""Reads the IPAM of an account, its scopes and what is in them. Refuses nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from ctipam import names
from ctipam.errors import DENIED, DISCOVERY_ID_ERRORS, REGION_NOT_ENABLED, SCOPE_ID_ERRORS, code_of
from ctipam.ipam.cost_controls import OWNER_PAYS
from ctipam.ipam.discovered import DiscoveredAccount, DiscoveredCidr
from ctipam.ipam.existing import ExistingIpam, ExistingScope
from ctipam.ipam.listing import list_pools
from ctipam.sessions import Account
from ctipam.tags import tag_filter, to_dict

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import IpamResourceDiscoveryTypeDef, IpamScopeTypeDef, IpamTypeDef

LARGEST_PAGE: Any = {"PageSize": 1000}

UNUSABLE = ("create-failed", "delete-in-progress")
"""States of an IPAM beside which there can be another."""


def find_ipam(account: Account, ipam_id: str = "", region: str = "") -> ExistingIpam | None:
    """Return the account's IPAM in a Region; one of UNUSABLE only if there is no other.

    ipam_id   only this IPAM; empty: any
    region    empty: the home Region
    """
    region = region or account.region
    ours = [
        ipam
        for page in account.ec2(region).get_paginator("describe_ipams").paginate()
        for ipam in page["Ipams"]  # also those that have been deleted
        if ipam["OwnerId"] == account.account_id and ipam["IpamRegion"] == region
        if ipam["State"] != "delete-complete" and ipam_id in ("", ipam["IpamId"])
    ]
    best = min(ours, key=lambda ipam: UNUSABLE.index(ipam["State"]) if ipam["State"] in UNUSABLE else -1, default=None)
    return _ipam(best) if best else None


def with_tags(account: Account, ipam: ExistingIpam) -> ExistingIpam:
    """Return the IPAM with its tags if a stack has created it or taken it over. EC2 may have left them out, see
    `listing.with_hidden_tags`."""
    if ipam.tags:
        return ipam
    pages = account.ec2().get_paginator("describe_ipams").paginate(Filters=tag_filter(names.STACK_TAG))
    tagged = (one for page in pages for one in page["Ipams"] if one["IpamId"] == ipam.ipam_id)
    return next(map(_ipam, tagged), ipam)


def find_scope(account: Account, scope_id: str) -> ExistingScope | None:
    try:
        scopes = account.ec2().describe_ipam_scopes(IpamScopeIds=[scope_id])["IpamScopes"]
    except ClientError as error:
        if code_of(error) not in SCOPE_ID_ERRORS:
            raise
        return None
    return next((_scope(scope) for scope in scopes), None)


def find_unusable_regions(account: Account, regions: Sequence[str]) -> dict[str, ClientError]:
    """Try a read in each Region; return those in which it is denied, or that are not enabled. Raises other errors.

    Control Tower's Region deny spares few actions of EC2, and DescribeIpamPools is none of them.
    https://docs.aws.amazon.com/controltower/latest/userguide/primary-region-deny-policy.html
    """
    with ThreadPoolExecutor(max(1, len(regions))) as workers:
        errors = list(workers.map(lambda region: _try_region(account, region), regions))
    return {region: error for region, error in zip(regions, errors, strict=True) if error}


def _try_region(account: Account, region: str) -> ClientError | None:
    try:
        account.ec2(region).describe_ipam_pools(MaxResults=5)
    except ClientError as error:
        if code_of(error) not in DENIED | REGION_NOT_ENABLED:
            raise
        return error
    return None


def find_contents(account: Account, ipam: ExistingIpam) -> list[str]:
    """Return the ids of the pools in an IPAM that nobody is deleting, and of the scopes that somebody added."""
    pools = [pool for pool in list_pools(account) if _ipam_id(pool["IpamArn"]) == ipam.ipam_id]
    held = [pool["IpamPoolId"] for pool in pools if pool["State"] != "delete-in-progress"]
    pages = account.ec2().get_paginator("describe_ipam_scopes").paginate()
    scopes = [_scope(scope) for page in pages for scope in page["IpamScopes"]]
    added = [scope for scope in scopes if scope.ipam_id == ipam.ipam_id and not scope.is_default]
    return held + [scope.scope_id for scope in added if not scope.is_being_deleted]


def find_discovery(account: Account, discovery_id: str) -> IpamResourceDiscoveryTypeDef | None:
    """Return the resource discovery; None while it is so new that AWS does not list it."""
    try:
        answer = account.ec2().describe_ipam_resource_discoveries(IpamResourceDiscoveryIds=[discovery_id])
    except ClientError as error:
        if code_of(error) not in DISCOVERY_ID_ERRORS:
            raise
        return None
    return next(iter(answer["IpamResourceDiscoveries"]), None)


def read_vpcs(account: Account, scope_id: str) -> Iterator[DiscoveredCidr]:
    """Yield the IPv4 CIDRs of all VPCs that IPAM has discovered, those that a pool has allocated too."""
    pages = account.ec2().get_paginator("get_ipam_resource_cidrs")
    for page in pages.paginate(IpamScopeId=scope_id, ResourceType="vpc", PaginationConfig=LARGEST_PAGE):
        for row in page["IpamResourceCidrs"]:
            if cidr := DiscoveredCidr.from_answer(row):
                yield cidr


def read_accounts(account: Account, ipam: ExistingIpam) -> Iterator[DiscoveredAccount]:
    """Yield the accounts that IPAM looks at, in each of its operating Regions."""
    pages = account.ec2().get_paginator("get_ipam_discovered_accounts")
    for region in sorted(ipam.operating_regions):
        asked: Any = {"IpamResourceDiscoveryId": ipam.discovery_id, "DiscoveryRegion": region}
        for page in pages.paginate(**asked, PaginationConfig=LARGEST_PAGE):
            yield from map(DiscoveredAccount.from_answer, page["IpamDiscoveredAccounts"])


def _ipam(ipam: IpamTypeDef) -> ExistingIpam:
    return ExistingIpam(
        ipam_id=ipam["IpamId"],
        state=ipam["State"],
        message=ipam.get("StateMessage", ""),
        tier=ipam.get("Tier", ""),
        metered_account=ipam.get("MeteredAccount", OWNER_PAYS),
        operating_regions=frozenset(region["RegionName"] for region in ipam["OperatingRegions"]),
        private_scope_id=ipam["PrivateDefaultScopeId"],
        discovery_id=ipam.get("DefaultResourceDiscoveryId", ""),
        tags=to_dict(ipam.get("Tags", [])),
    )


def _scope(scope: IpamScopeTypeDef) -> ExistingScope:
    return ExistingScope(
        scope_id=scope["IpamScopeId"],
        ipam_id=_ipam_id(scope["IpamArn"]),
        state=scope["State"],
        is_private=scope["IpamScopeType"] == "private",
        is_default=scope["IsDefault"],
    )


def _ipam_id(arn: str) -> str:
    return arn.rpartition("/")[2]
