"""Custom::Ipam: the IPAM of the Networking account, found or created, in the home Region.

One IPAM per account and Region is a hard quota (https://docs.aws.amazon.com/vpc/latest/ipam/quotas-ipam.html), so one
that is there is adopted. Operating Regions are added and never removed: other pools may use them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from ctipam import names, waiting
from ctipam.cost_controls import LEAVE, LEFT_AS_THEY_ARE, OWNER_PAYS, CostControls
from ctipam.errors import AwsFailed, OutOfTime, Refused, code_of
from ctipam.inventory import list_pools
from ctipam.logs import decided
from ctipam.sessions import Account
from ctipam.waiting import Deadline, Pace

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import IpamScopeTypeDef, IpamTypeDef

READY = frozenset({"create-complete", "modify-complete", "modify-failed", "delete-failed"})
"""States in which an IPAM can be used: after a failed change it is what it was before."""

NOT_NOW = frozenset({"IncorrectState", "ConcurrentMutationLimitExceeded", "DependencyViolation"})
"""Refusals that a later attempt does not meet: the IPAM is busy, or a pool that was just deleted still counts."""

PATIENCE_S = 600.0
"""How long a change is asked for that IPAM refuses as if it were busy. What it says in the end is told then."""

EMPTYING_S = 300.0
"""How long an IPAM that has no pools any more may go on saying that it has."""


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
    regions: Sequence[str] = ()
    costs: CostControls = LEFT_AS_THEY_ARE


@dataclass(frozen=True)
class IpamFound:
    """discovery_id: of the resource discovery that came with the IPAM, through which it monitors the organization."""

    ipam_id: str
    scope_id: str
    discovery_id: str


def find(request: IpamRequest) -> IpamFound | None:
    """What `ensure` will use, if it is there already. Reads only; raises Refused if the scope will not do."""
    ipam = _ipam_of_scope(request) or _find(request)
    if ipam is None or ipam["State"] == "delete-in-progress":
        return None
    if ipam.get("Tier") == "free" and request.costs.tier == LEAVE:
        raise Refused(
            f"IPAM {ipam['IpamId']} is in the free tier, which has no pools for other Regions and accounts; "
            "set IpamTier to advanced, which AWS bills per active IP address."
        )
    return _found(request, ipam)


def ensure(request: IpamRequest, deadline: Deadline) -> IpamFound:
    """An IPAM that operates in all the Regions, and the private scope for the pools; both ready to use."""
    there = find(request)
    ipam_id = there.ipam_id if there else _create(request, deadline)
    ipam = _wait_until_ready(request, ipam_id, deadline)
    while changes := _changes(request, ipam):
        ipam = _modify(request, ipam_id, changes[0], deadline)
    return _found(request, ipam)


def _found(request: IpamRequest, ipam: IpamTypeDef) -> IpamFound:
    scope_id = request.scope_id or ipam["PrivateDefaultScopeId"]
    return IpamFound(ipam["IpamId"], scope_id, ipam.get("DefaultResourceDiscoveryId", ""))


def delete(request: IpamRequest, deadline: Deadline) -> None:
    """Delete the IPAM if this stack made it and nothing of others is in it; otherwise leave it."""
    ipam = _find(request)
    if ipam is None or _tags(ipam).get(names.STACK_TAG) != request.stack_id:
        decided("leaving the IPAM: this stack did not make it", ipam=ipam and ipam["IpamId"])
        return
    pace, until = Pace(deadline), waiting.now() + EMPTYING_S
    while ipam["State"] != "delete-in-progress":
        if kept_for := _of_others(request, ipam):
            decided("leaving the IPAM: it is in use", ipam=ipam["IpamId"], holds=kept_for)
            return
        if _delete_is_accepted(request, ipam["IpamId"]):
            decided("deleting the IPAM", ipam=ipam["IpamId"])
            break
        if waiting.now() >= until:
            decided("leaving the IPAM: AWS says that it is in use", ipam=ipam["IpamId"])
            return
        pace.wait(progress=False)
    while ipam := _find(request, ipam["IpamId"]):
        if ipam["State"] == "delete-failed":
            raise AwsFailed(f"AWS could not delete IPAM {ipam['IpamId']}: {_message(ipam)}")
        pace.wait(progress=False)


def _of_others(request: IpamRequest, ipam: IpamTypeDef) -> list[str]:
    """Pools that nobody is deleting, and scopes that somebody added."""
    pools = [pool for pool in list_pools(request.account) if pool["IpamArn"] == ipam["IpamArn"]]
    used = [pool["IpamPoolId"] for pool in pools if pool["State"] != "delete-in-progress"]
    scopes = [scope for scope in _scopes(request, ipam) if not scope["IsDefault"]]
    return used + [scope["IpamScopeId"] for scope in scopes if not scope["State"].startswith("delete-")]


def _find(request: IpamRequest, ipam_id: str = "") -> IpamTypeDef | None:
    """The account's IPAM in the home Region. DescribeIpams also lists IPAMs that are being, or have been, deleted."""
    found = None
    for page in request.account.ec2().get_paginator("describe_ipams").paginate():
        for ipam in page["Ipams"]:
            ours = ipam["OwnerId"] == request.account_id and ipam["IpamRegion"] == request.account.region
            if ours and ipam["State"] != "delete-complete" and ipam_id in ("", ipam["IpamId"]):
                found = ipam if found is None or found["State"] == "delete-in-progress" else found
    return found


def _create(request: IpamRequest, deadline: Deadline) -> str:
    """Create an IPAM, once the one that is being deleted has gone; answer its id."""
    pace = Pace(deadline)
    while leaving := _find(request):
        if leaving["State"] != "delete-in-progress":  # a repeated request has made one meanwhile
            return leaving["IpamId"]
        pace.wait(progress=False)
    dead = ""
    while True:
        ipam = _ask_for_ipam(request, hashlib.sha256(f"{request.request_id}\nipam\n{dead}".encode()).hexdigest())
        if not ipam["State"].startswith("delete-"):
            break
        dead = ipam["IpamId"]  # a token brings back what it made, also when that is gone since
    decided("creating an IPAM", ipam=ipam["IpamId"], regions=list(request.regions))
    return ipam["IpamId"]


def _ask_for_ipam(request: IpamRequest, token: str) -> IpamTypeDef:
    return request.account.ec2().create_ipam(
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
        ClientToken=token,
    )["Ipam"]


def _changes(request: IpamRequest, ipam: IpamTypeDef) -> list[dict[str, Any]]:
    """What ModifyIpam is to be asked, in this order, one thing at a time: other tiers may not take the rest."""
    tier, metered_account = request.costs.tier, request.costs.metered_account
    changes: list[dict[str, Any]] = []
    if tier not in (LEAVE, ipam.get("Tier")):
        changes.append({"Tier": tier})
    if missing := sorted(set(request.regions) - _operating_regions(ipam)):
        changes.append({"AddOperatingRegions": [{"RegionName": region} for region in missing]})
    if metered_account not in (LEAVE, ipam.get("MeteredAccount", OWNER_PAYS)):
        changes.append({"MeteredAccount": metered_account})
    return changes


def _modify(request: IpamRequest, ipam_id: str, change: dict[str, Any], deadline: Deadline) -> IpamTypeDef:
    insist(request.account.ec2().modify_ipam, deadline, IpamId=ipam_id, **change)
    decided("changing the IPAM", ipam=ipam_id, **change)
    ipam = _wait_until_ready(request, ipam_id, deadline, change)
    if ipam["State"] == "modify-failed":
        (name,) = change
        raise AwsFailed(f"AWS could not change IPAM {ipam_id} ({name}): {_message(ipam)}")
    return ipam


def insist(ask: Callable[..., object], deadline: Deadline, also: Collection[str] = (), **parameters: Any) -> None:
    """Ask AWS until it accepts a change of an IPAM: somebody else may be changing it.

    also     codes of refusals, besides NOT_NOW, that a later attempt may not meet
    Raises   what AWS says if it has refused for PATIENCE_S
    """
    pace, until = Pace(deadline), waiting.now() + PATIENCE_S
    while True:
        try:
            ask(**parameters)
            return
        except ClientError as refusal:
            if code_of(refusal) not in {*NOT_NOW, *also} or waiting.now() >= until:
                raise
        pace.wait(progress=False)


def _delete_is_accepted(request: IpamRequest, ipam_id: str) -> bool:
    try:
        request.account.ec2().delete_ipam(IpamId=ipam_id)
    except ClientError as error:
        if code_of(error) not in NOT_NOW:
            raise
        return False
    return True


def _ipam_of_scope(request: IpamRequest) -> IpamTypeDef | None:
    """The IPAM of the given scope, if one is given. Raises Refused unless it is private, of this account and Region."""
    if not request.scope_id:
        return None
    scope = _find_scope(request)
    ipam = _find(request, scope["IpamArn"].rpartition("/")[2]) if scope else None  # of this account and Region only
    if scope is None or ipam is None or ipam["State"] == "delete-in-progress":
        raise Refused(
            f"IpamScope {request.scope_id} is no scope of account {request.account_id} in {request.account.region}; "
            "leave it empty to use the default."
        )
    if scope["IpamScopeType"] != "private":
        raise Refused(
            f"IpamScope {request.scope_id} is a public scope, and VPCs need a private one; "
            "name one, or leave it empty to use the default."
        )
    return ipam


def _find_scope(request: IpamRequest) -> IpamScopeTypeDef | None:
    try:
        scopes = request.account.ec2().describe_ipam_scopes(IpamScopeIds=[request.scope_id])["IpamScopes"]
    except ClientError as error:
        if not code_of(error).startswith("InvalidIpamScopeId."):  # .NotFound, .Malformed
            raise
        return None
    return next((scope for scope in scopes if not scope["State"].startswith("delete-")), None)


def _wait_until_ready(
    request: IpamRequest, ipam_id: str, deadline: Deadline, change: dict[str, Any] | None = None
) -> IpamTypeDef:
    """change: what was asked for, and has to be there; a list may be older than the request."""
    pace = Pace(deadline)
    while True:
        ipam = _find(request, ipam_id)
        if (
            ipam
            and ipam["State"] in READY
            and (change not in _changes(request, ipam) or ipam["State"] == "modify-failed")
        ):
            return ipam
        if ipam and ipam["State"] == "create-failed":
            raise AwsFailed(f"AWS could not create IPAM {ipam_id}: {_message(ipam)}")
        try:
            pace.wait(progress=False)
        except OutOfTime:
            state = ipam["State"] if ipam else "not listed"
            raise OutOfTime(f"still waiting for IPAM {ipam_id} ({state})") from None


def _message(ipam: IpamTypeDef) -> str:
    return ipam.get("StateMessage", "it gives no reason")


def _operating_regions(ipam: IpamTypeDef) -> set[str]:
    return {region["RegionName"] for region in ipam["OperatingRegions"]}


def _tags(ipam: IpamTypeDef) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in ipam.get("Tags", [])}


def _scopes(request: IpamRequest, ipam: IpamTypeDef) -> list[IpamScopeTypeDef]:
    pages = request.account.ec2().get_paginator("describe_ipam_scopes").paginate()
    return [scope for page in pages for scope in page["IpamScopes"] if scope["IpamArn"] == ipam["IpamArn"]]
