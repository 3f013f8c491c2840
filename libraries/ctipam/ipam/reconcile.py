"""Custom::Ipam: the IPAM of the Networking account, found or created, in the home Region.

One IPAM per account and Region is a hard quota (https://docs.aws.amazon.com/vpc/latest/ipam/quotas-ipam.html), so an
existing one is used. Operating Regions are added and never removed: other pools may use them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from ctipam import names, waiting
from ctipam.client_tokens import create_until_alive
from ctipam.cloudformation import other_stacks
from ctipam.cloudformation.request import ResourceRequest
from ctipam.errors import BUSY, AwsFailed, OutOfTime, code_of, explain, fit
from ctipam.ipam import preconditions, reader
from ctipam.ipam.changes import IpamChange, pending_changes
from ctipam.ipam.existing import DELETE_FAILED, MODIFY_FAILED, ExistingIpam
from ctipam.ipam.listing import list_pools, stack_of
from ctipam.ipam.spec import IpamSpec
from ctipam.logs import log_decision, logger
from ctipam.phrases import some
from ctipam.sessions import Account
from ctipam.tags import tag_changes, to_list, with_stack_tags
from ctipam.waiting import LISTED_LATE_S, Pace, retry_while_busy

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import IpamTypeDef

EMPTYING_S = 300.0
"""How long AWS may still count pools in an IPAM that has none any more."""


NAMED_IDS = 5
"""As many pools as the message about an IPAM that was left names."""


def check(request: ResourceRequest, spec: IpamSpec) -> ExistingIpam | None:
    """Return the existing IPAM that `ensure` will use; None: it will create one. Changes nothing. Raises Refused."""
    account = request.account
    if not request.is_rollback:
        unusable = reader.find_unusable_regions(account, spec.regions)  # only wanted Regions: others can be removed
        preconditions.refuse_unusable_regions(unusable)
    if spec.scope_id:
        scope = reader.find_scope(account, spec.scope_id)
        ipam = reader.find_ipam(account, scope.ipam_id) if scope else None
        preconditions.refuse_unusable_scope(spec.scope_id, scope, ipam, account.account_id, account.region)
    else:
        ipam = reader.find_ipam(account)
    if ipam is None or ipam.is_being_deleted:
        return None
    preconditions.refuse_free_tier(spec.costs, ipam)
    return ipam


def ensure(request: ResourceRequest, spec: IpamSpec, existing: ExistingIpam | None) -> ExistingIpam:
    """Return an IPAM that operates in all the Regions, ready to use. Raises Superseded.

    existing   what `check` returned
    """
    if existing:
        _ensure_tags(request, existing)
    ipam_id = existing.ipam_id if existing else _create(request, spec)
    ipam = _wait_until_ready(request, spec, ipam_id)
    while changes := pending_changes(spec, ipam):
        try:
            ipam = _modify(request, spec, ipam, changes[0])
        except (ClientError, AwsFailed) as error:
            if not request.is_rollback:  # which has to end, with what AWS allows
                raise
            logger.warning("the rollback goes on without this change of the IPAM", exc_info=error)
            break
    return _settle(request, spec, ipam) if ipam.has_failed else ipam


def _ensure_tags(request: ResourceRequest, ipam: ExistingIpam) -> None:
    """Keep the tags of this stack's IPAM in step with the stack's. Take over an IPAM whose stack cannot act any more.

    An IPAM of another stack, or of somebody else, is used and not tagged: then this stack does not delete it.
    """
    ipam = reader.with_tags(request.account, ipam)
    owner = ipam.tags.get(names.STACK_TAG)
    if owner is None:
        return
    ownership = {}
    if owner != request.stack_id:
        if other_stacks.can_act(request.account, owner):
            return
        log_decision("taking over the IPAM of a stack that is gone", ipam=ipam.ipam_id, stack=owner)
        ownership = {names.STACK_TAG: request.stack_id}
    changes = tag_changes(ipam.tags, request.stack.tags())
    request.raise_if_superseded()
    ec2 = request.account.ec2()
    if added := {**changes.add, **ownership}:
        ec2.create_tags(Resources=[ipam.ipam_id], Tags=to_list(added))
    if changes.remove:
        ec2.delete_tags(Resources=[ipam.ipam_id], Tags=[{"Key": key} for key in changes.remove])


def delete(request: ResourceRequest) -> Sequence[str]:
    """Delete the IPAM if it is this stack's and empty. Return a sentence if it had to be left."""
    found = reader.find_ipam(request.account)
    ipam = found and reader.with_tags(request.account, found)
    if ipam is None or ipam.tags.get(names.STACK_TAG) != request.stack_id:
        log_decision("leaving the IPAM: it is not this stack's", ipam=ipam and ipam.ipam_id)
        return ()
    pace, until = Pace(request.deadline), waiting.now() + EMPTYING_S
    while not ipam.is_being_deleted:
        if contents := reader.find_contents(request.account, ipam):
            if any(stack_of(pool) == request.stack_id for pool in list_pools(request.account)):
                log_decision("leaving the IPAM with the pools that were left", ipam=ipam.ipam_id)
                return ()  # Custom::InitPools has reported these pools
            return (_left(request, ipam, f"it still holds {some(contents, NAMED_IDS)}"),)
        if _delete_is_accepted(request.account, ipam.ipam_id):
            log_decision("deleting the IPAM", ipam=ipam.ipam_id)
            break
        if waiting.now() >= until:
            return (_left(request, ipam, "AWS says that it is in use"),)
        pace.wait()
    while deleted := reader.find_ipam(request.account, ipam.ipam_id):
        if deleted.state == DELETE_FAILED:
            raise AwsFailed(f"AWS could not delete IPAM {ipam.ipam_id}: {_message(deleted)}")
        pace.wait()
    return ()


def _left(request: ResourceRequest, ipam: ExistingIpam, why: str) -> str:
    account = request.account
    return f"IPAM {ipam.ipam_id} in {account.region} of account {account.account_id} was left, because {why}."


def _create(request: ResourceRequest, spec: IpamSpec) -> str:
    """Create an IPAM after one that is being deleted is gone; return its id."""
    pace = Pace(request.deadline)
    while existing := reader.find_ipam(request.account):
        request.raise_if_superseded()
        if not existing.is_being_deleted:  # a repetition of this request has created it meanwhile
            return existing.ipam_id
        pace.wait()
    request.raise_if_superseded()
    ipam = create_until_alive(lambda dead_id: _create_ipam(request, spec, request.token("ipam", dead_id)), "IpamId")
    log_decision("creating an IPAM", ipam=ipam["IpamId"], regions=list(spec.regions))
    return ipam["IpamId"]


def _create_ipam(request: ResourceRequest, spec: IpamSpec, token: str) -> IpamTypeDef:
    own_tags = {"Name": "landing-zone", names.STACK_TAG: request.stack_id}
    tags = with_stack_tags(own_tags, request.stack.tags())
    return request.account.ec2().create_ipam(
        Description="Address space of the AWS Control Tower landing zone",
        OperatingRegions=[{"RegionName": region} for region in spec.regions],
        Tier="advanced",  # pools for other Regions and for VPCs of other accounts need it
        TagSpecifications=[{"ResourceType": "ipam", "Tags": to_list(tags)}],
        ClientToken=token,
    )["Ipam"]


def _modify(request: ResourceRequest, spec: IpamSpec, ipam: ExistingIpam, change: IpamChange) -> ExistingIpam:
    modify, check = request.account.ec2().modify_ipam, request.raise_if_superseded
    retry_while_busy(modify, request.deadline, BUSY, check, IpamId=ipam.ipam_id, **change)
    log_decision("changing the IPAM", ipam=ipam.ipam_id, **change)
    had_failed = ipam.state == MODIFY_FAILED
    changed = _wait_until_ready(request, spec, ipam.ipam_id, change, had_failed=had_failed)
    if changed.state == MODIFY_FAILED:
        (name,) = change
        raise AwsFailed(f"AWS could not change IPAM {ipam.ipam_id} ({name}): {_message(changed)}")
    return changed


def _settle(request: ResourceRequest, spec: IpamSpec, ipam: ExistingIpam) -> ExistingIpam:
    """Have AWS confirm the tier, so that the IPAM's last change is one that succeeded; return the IPAM, whether it
    did or not. Whether AWS creates pools in one whose last change failed is not documented."""
    try:
        modify, check = request.account.ec2().modify_ipam, request.raise_if_superseded
        retry_while_busy(modify, request.deadline, BUSY, check, IpamId=ipam.ipam_id, Tier=ipam.tier)
    except ClientError as error:
        log_decision("using an IPAM whose last change failed", ipam=ipam.ipam_id, reason=explain(error))
        return ipam
    pace, old_until = Pace(request.deadline), waiting.now() + LISTED_LATE_S
    while ipam.has_failed and waiting.now() < old_until:
        pace.wait()
        ipam = _wait_until_ready(request, spec, ipam.ipam_id)
    return ipam


def _delete_is_accepted(account: Account, ipam_id: str) -> bool:
    try:
        account.ec2().delete_ipam(IpamId=ipam_id)
    except ClientError as error:
        if code_of(error) not in BUSY:
            raise
        return False
    return True


def _wait_until_ready(
    request: ResourceRequest,
    spec: IpamSpec,
    ipam_id: str,
    change: IpamChange | None = None,
    *,
    had_failed: bool = False,
) -> ExistingIpam:
    """Wait until the IPAM can be used, and return it.

    change       what was asked for and has to be listed: a list may be older than the request
    had_failed   an earlier change had failed, so that such a list may show that
    """
    pace, old_until = Pace(request.deadline), waiting.now() + (LISTED_LATE_S if had_failed else 0)
    while True:
        request.raise_if_superseded()
        ipam = reader.find_ipam(request.account, ipam_id)
        if ipam and ipam.is_ready:
            has_failed = ipam.state == MODIFY_FAILED and waiting.now() >= old_until
            if has_failed or change not in pending_changes(spec, ipam):
                return ipam
        if ipam and ipam.state == "create-failed":
            head, way_out = (
                f"AWS could not create IPAM {ipam_id}: ",
                "If it is still listed, delete it; then try again.",
            )
            raise AwsFailed(fit(head, _message(ipam), way_out))
        try:
            pace.wait()
        except OutOfTime:
            state = ipam.state if ipam else "not listed"
            raise OutOfTime(f"still waiting for IPAM {ipam_id} ({state})") from None


def _message(ipam: ExistingIpam) -> str:
    return ipam.message or "it gives no reason"
