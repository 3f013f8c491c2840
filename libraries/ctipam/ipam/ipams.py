"""Custom::Ipam: the IPAM of the Networking account, found or created, in the home Region.

One IPAM per account and Region is a hard quota (https://docs.aws.amazon.com/vpc/latest/ipam/quotas-ipam.html), so one
that is there is adopted. Operating Regions are added and never removed: other pools may use them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from ctipam import names, waiting
from ctipam.client_tokens import create_until_alive
from ctipam.cloudformation.request import ResourceRequest
from ctipam.errors import AwsFailed, OutOfTime, Refused, code_of
from ctipam.ipam.cost_controls import LEAVE, OWNER_PAYS
from ctipam.ipam.spec import IpamSpec
from ctipam.logs import log_decision
from ctipam.pools.reader import list_pools
from ctipam.sessions import Account
from ctipam.tags import to_dict, to_list
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
class IpamFound:
    """discovery_id: of the resource discovery that came with the IPAM, through which it monitors the organization."""

    ipam_id: str
    scope_id: str
    discovery_id: str


def find(account: Account, spec: IpamSpec) -> IpamFound | None:
    """What `ensure` will use, if it is there already. Reads only; raises Refused if the scope will not do."""
    ipam = _ipam_of_scope(account, spec) or _find(account)
    if ipam is None or ipam["State"] == "delete-in-progress":
        return None
    if ipam.get("Tier") == "free" and spec.costs.tier == LEAVE:
        raise Refused(
            f"IPAM {ipam['IpamId']} is in the free tier, which has no pools for other Regions and accounts; "
            "set IpamTier to advanced, which AWS bills per active IP address."
        )
    return _found(spec, ipam)


def ensure(request: ResourceRequest, spec: IpamSpec) -> IpamFound:
    """An IPAM that operates in all the Regions, and the private scope for the pools; both ready to use."""
    there = find(request.account, spec)
    ipam_id = there.ipam_id if there else _create(request, spec)
    ipam = _wait_until_ready(request, spec, ipam_id)
    while changes := _changes(spec, ipam):
        ipam = _modify(request, spec, ipam_id, changes[0])
    return _found(spec, ipam)


def _found(spec: IpamSpec, ipam: IpamTypeDef) -> IpamFound:
    scope_id = spec.scope_id or ipam["PrivateDefaultScopeId"]
    return IpamFound(ipam["IpamId"], scope_id, ipam.get("DefaultResourceDiscoveryId", ""))


def delete(request: ResourceRequest) -> Sequence[str]:
    """Delete the IPAM if this stack made it and nothing of others is in it; return what is left and why."""
    ipam = _find(request.account)
    if ipam is None or to_dict(ipam.get("Tags", [])).get(names.STACK_TAG) != request.stack_id:
        log_decision("leaving the IPAM: this stack did not make it", ipam=ipam and ipam["IpamId"])
        return ()
    pace, until = Pace(request.deadline), waiting.now() + EMPTYING_S
    while ipam["State"] != "delete-in-progress":
        if kept_for := _of_others(request.account, ipam):
            return (_left(ipam, f"it still holds {', '.join(kept_for)}"),)
        if _delete_is_accepted(request.account, ipam["IpamId"]):
            log_decision("deleting the IPAM", ipam=ipam["IpamId"])
            break
        if waiting.now() >= until:
            return (_left(ipam, "AWS says that it is in use"),)
        pace.wait(progress=False)
    while ipam := _find(request.account, ipam["IpamId"]):
        if ipam["State"] == "delete-failed":
            raise AwsFailed(f"AWS could not delete IPAM {ipam['IpamId']}: {_message(ipam)}")
        pace.wait(progress=False)
    return ()


def _left(ipam: IpamTypeDef, why: str) -> str:
    return f"IPAM {ipam['IpamId']} in {ipam['IpamRegion']} of account {ipam['OwnerId']} was left, because {why}."


def _of_others(account: Account, ipam: IpamTypeDef) -> list[str]:
    """Pools that nobody is deleting, and scopes that somebody added."""
    pools = [pool for pool in list_pools(account) if pool["IpamArn"] == ipam["IpamArn"]]
    used = [pool["IpamPoolId"] for pool in pools if pool["State"] != "delete-in-progress"]
    scopes = [scope for scope in _scopes(account, ipam) if not scope["IsDefault"]]
    return used + [scope["IpamScopeId"] for scope in scopes if not scope["State"].startswith("delete-")]


def _find(account: Account, ipam_id: str = "") -> IpamTypeDef | None:
    """The account's IPAM in the home Region. DescribeIpams also lists IPAMs that are being, or have been, deleted."""
    found = None
    for page in account.ec2().get_paginator("describe_ipams").paginate():
        for ipam in page["Ipams"]:
            ours = ipam["OwnerId"] == account.account_id and ipam["IpamRegion"] == account.region
            if ours and ipam["State"] != "delete-complete" and ipam_id in ("", ipam["IpamId"]):
                found = ipam if found is None or found["State"] == "delete-in-progress" else found
    return found


def _create(request: ResourceRequest, spec: IpamSpec) -> str:
    """Create an IPAM, once the one that is being deleted has gone; answer its id."""
    pace = Pace(request.deadline)
    while leaving := _find(request.account):
        if leaving["State"] != "delete-in-progress":  # a repeated request has made one meanwhile
            return leaving["IpamId"]
        pace.wait(progress=False)
    ipam = create_until_alive(lambda dead_id: _create_ipam(request, spec, request.token("ipam", dead_id)), "IpamId")
    log_decision("creating an IPAM", ipam=ipam["IpamId"], regions=list(spec.regions))
    return ipam["IpamId"]


def _create_ipam(request: ResourceRequest, spec: IpamSpec, token: str) -> IpamTypeDef:
    return request.account.ec2().create_ipam(
        Description="Address space of the AWS Control Tower landing zone",
        OperatingRegions=[{"RegionName": region} for region in spec.regions],
        Tier="advanced",  # pools of other Regions and of other accounts' VPCs need it
        TagSpecifications=[
            {
                "ResourceType": "ipam",
                "Tags": to_list({"Name": "landing-zone", names.STACK_TAG: request.stack_id}),
            }
        ],
        ClientToken=token,
    )["Ipam"]


def _changes(spec: IpamSpec, ipam: IpamTypeDef) -> list[dict[str, Any]]:
    """What ModifyIpam is to be asked, in this order, one thing at a time: other tiers may not take the rest."""
    tier, metered_account = spec.costs.tier, spec.costs.metered_account
    changes: list[dict[str, Any]] = []
    if tier not in (LEAVE, ipam.get("Tier")):
        changes.append({"Tier": tier})
    if missing := sorted(set(spec.regions) - _operating_regions(ipam)):
        changes.append({"AddOperatingRegions": [{"RegionName": region} for region in missing]})
    if metered_account not in (LEAVE, ipam.get("MeteredAccount", OWNER_PAYS)):
        changes.append({"MeteredAccount": metered_account})
    return changes


def _modify(request: ResourceRequest, spec: IpamSpec, ipam_id: str, change: dict[str, Any]) -> IpamTypeDef:
    retry_while_busy(request.account.ec2().modify_ipam, request.deadline, IpamId=ipam_id, **change)
    log_decision("changing the IPAM", ipam=ipam_id, **change)
    ipam = _wait_until_ready(request, spec, ipam_id, change)
    if ipam["State"] == "modify-failed":
        (name,) = change
        raise AwsFailed(f"AWS could not change IPAM {ipam_id} ({name}): {_message(ipam)}")
    return ipam


def retry_while_busy(
    ask: Callable[..., object], deadline: Deadline, also: Collection[str] = (), **parameters: Any
) -> None:
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


def _delete_is_accepted(account: Account, ipam_id: str) -> bool:
    try:
        account.ec2().delete_ipam(IpamId=ipam_id)
    except ClientError as error:
        if code_of(error) not in NOT_NOW:
            raise
        return False
    return True


def _ipam_of_scope(account: Account, spec: IpamSpec) -> IpamTypeDef | None:
    """The IPAM of the given scope, if one is given. Raises Refused unless it is private, of this account and Region."""
    if not spec.scope_id:
        return None
    scope = _find_scope(account, spec.scope_id)
    ipam = _find(account, scope["IpamArn"].rpartition("/")[2]) if scope else None  # of this account and Region only
    if scope is None or ipam is None or ipam["State"] == "delete-in-progress":
        raise Refused(
            f"IpamScope {spec.scope_id} is no scope of account {account.account_id} in {account.region}; "
            "leave it empty to use the default."
        )
    if scope["IpamScopeType"] != "private":
        raise Refused(
            f"IpamScope {spec.scope_id} is a public scope, and VPCs need a private one; "
            "name one, or leave it empty to use the default."
        )
    return ipam


def _find_scope(account: Account, scope_id: str) -> IpamScopeTypeDef | None:
    try:
        scopes = account.ec2().describe_ipam_scopes(IpamScopeIds=[scope_id])["IpamScopes"]
    except ClientError as error:
        if not code_of(error).startswith("InvalidIpamScopeId."):  # .NotFound, .Malformed
            raise
        return None
    return next((scope for scope in scopes if not scope["State"].startswith("delete-")), None)


def _wait_until_ready(
    request: ResourceRequest, spec: IpamSpec, ipam_id: str, change: dict[str, Any] | None = None
) -> IpamTypeDef:
    """change: what was asked for, and has to be there; a list may be older than the request."""
    pace = Pace(request.deadline)
    while True:
        ipam = _find(request.account, ipam_id)
        if ipam and ipam["State"] in READY and (change not in _changes(spec, ipam) or ipam["State"] == "modify-failed"):
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


def _scopes(account: Account, ipam: IpamTypeDef) -> list[IpamScopeTypeDef]:
    pages = account.ec2().get_paginator("describe_ipam_scopes").paginate()
    return [scope for page in pages for scope in page["IpamScopes"] if scope["IpamArn"] == ipam["IpamArn"]]
