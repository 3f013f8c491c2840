"""Custom::Ipam: the IPAM of the Networking account, found or created, in the home Region.

One IPAM per account and Region is a hard quota (https://docs.aws.amazon.com/vpc/latest/ipam/quotas-ipam.html), so one
that is there is adopted. Operating Regions are added and never removed: other pools may use them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from ctipam import names
from ctipam.errors import AwsFailed, Refused, code_of
from ctipam.logs import decided
from ctipam.sessions import Account
from ctipam.waiting import Deadline, Pace

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import IpamScopeTypeDef, IpamTypeDef

READY = frozenset({"create-complete", "modify-complete"})
FAILED = frozenset({"create-failed", "modify-failed", "delete-failed"})


@dataclass(frozen=True)
class IpamRequest:
    """What a stack wants of IPAM.

    scope_id   a private scope to use, with its IPAM; empty: the account's IPAM and its private default scope
    regions    Regions in which there will be pools
    """

    account: Account
    account_id: str
    stack_id: str
    request_id: str
    scope_id: str
    regions: Sequence[str]


@dataclass(frozen=True)
class IpamFound:
    ipam_id: str
    scope_id: str


def ensure(request: IpamRequest, deadline: Deadline) -> IpamFound:
    """An IPAM that operates in all the Regions, and the private scope for the pools; both ready to use."""
    ipam = _wait_until_ready(request, _ipam_of_scope(request) or _find_or_create(request), deadline)
    if missing := sorted(set(request.regions) - _operating_regions(ipam)):
        request.account.ec2().modify_ipam(
            IpamId=ipam["IpamId"], AddOperatingRegions=[{"RegionName": region} for region in missing]
        )
        decided("adding operating Regions", ipam=ipam["IpamId"], regions=missing)
        ipam = _wait_until_ready(request, ipam["IpamId"], deadline, regions=missing)
    return IpamFound(ipam["IpamId"], request.scope_id or ipam["PrivateDefaultScopeId"])


def delete(request: IpamRequest, deadline: Deadline) -> None:
    """Delete the IPAM if this stack made it and nobody has pools in it; otherwise leave it."""
    ipam = _find(request)
    if ipam is None or _tags(ipam).get(names.STACK_TAG) != request.stack_id:
        decided("leaving the IPAM: this stack did not make it", ipam=ipam and ipam["IpamId"])
        return
    pools = [scope for scope in _scopes(request, ipam) if scope.get("PoolCount")]
    if pools:
        decided("leaving the IPAM: it still has pools", ipam=ipam["IpamId"])
        return
    request.account.ec2().delete_ipam(IpamId=ipam["IpamId"])
    decided("deleting the IPAM", ipam=ipam["IpamId"])
    pace = Pace(deadline)
    while _find(request, ipam["IpamId"]):
        pace.wait(progress=False)


def _find(request: IpamRequest, ipam_id: str = "") -> IpamTypeDef | None:
    """The account's IPAM in the home Region. DescribeIpams also lists IPAMs that are being, or have been, deleted."""
    pages = request.account.ec2().get_paginator("describe_ipams").paginate()
    for page in pages:
        for ipam in page["Ipams"]:
            ours = ipam["OwnerId"] == request.account_id and ipam["IpamRegion"] == request.account.region
            if ours and ipam["State"] != "delete-complete" and ipam_id in ("", ipam["IpamId"]):
                return ipam
    return None


def _create(request: IpamRequest) -> IpamTypeDef:
    ipam = request.account.ec2().create_ipam(
        Description="Address space of the AWS Control Tower landing zone",
        OperatingRegions=[{"RegionName": region} for region in request.regions],
        Tier="advanced",  # pools of other Regions and of other accounts' VPCs need it
        TagSpecifications=[
            {
                "ResourceType": "ipam",
                "Tags": [
                    {"Key": "Name", "Value": "landing-zone"},
                    {"Key": names.STACK_TAG, "Value": request.stack_id},
                ],
            }
        ],
        ClientToken=hashlib.sha256(f"{request.request_id}\nipam".encode()).hexdigest(),
    )["Ipam"]
    decided("creating an IPAM", ipam=ipam["IpamId"], regions=list(request.regions))
    return ipam


def _find_or_create(request: IpamRequest) -> str:
    ipam = _find(request) or _create(request)
    return ipam["IpamId"]


def _ipam_of_scope(request: IpamRequest) -> str:
    """The IPAM of the given scope, if one is given. Raises Refused unless it is private, of this account and Region."""
    if not request.scope_id:
        return ""
    try:
        scopes = request.account.ec2().describe_ipam_scopes(IpamScopeIds=[request.scope_id])["IpamScopes"]
    except ClientError as error:
        if code_of(error) != "InvalidIpamScopeId.NotFound":
            raise
        scopes = []
    if not scopes or scopes[0]["OwnerId"] != request.account_id:
        raise Refused(
            f"IpamScope {request.scope_id} is no scope of account {request.account_id} in {request.account.region}; "
            "leave it empty to use the default."
        )
    if scopes[0]["IpamScopeType"] != "private":
        raise Refused(f"IpamScope {request.scope_id} is a public scope; the pools of VPCs need a private one.")
    return scopes[0]["IpamArn"].rpartition("/")[2]


def _wait_until_ready(
    request: IpamRequest, ipam_id: str, deadline: Deadline, regions: Sequence[str] = ()
) -> IpamTypeDef:
    pace = Pace(deadline)
    while True:
        ipam = _find(request, ipam_id)
        if ipam and ipam["State"] in READY and set(regions) <= _operating_regions(ipam):
            return ipam
        if ipam and ipam["State"] in FAILED:
            reason = ipam.get("StateMessage", "AWS gives no reason")
            raise AwsFailed(f"IPAM {ipam_id} is in state {ipam['State']}: {reason}")
        pace.wait(progress=False)


def _operating_regions(ipam: IpamTypeDef) -> set[str]:
    return {region["RegionName"] for region in ipam["OperatingRegions"]}


def _tags(ipam: IpamTypeDef) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in ipam.get("Tags", [])}


def _scopes(request: IpamRequest, ipam: IpamTypeDef) -> list[IpamScopeTypeDef]:
    pages = request.account.ec2().get_paginator("describe_ipam_scopes").paginate()
    return [scope for page in pages for scope in page["IpamScopes"] if scope["IpamArn"] == ipam["IpamArn"]]
