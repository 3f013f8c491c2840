"""Removes the StackSet that a force-deleted stack of the same name has left, so that a deployment can recover.

Its pools and its IPAM stay: they are released first, and the new stack adopts them. The StackSet's stack in the
Networking account is deleted, or retained if that fails because its functions are gone, or if its pools could not be
released, which it would delete. Each step may find itself already done, so that the next invocation can continue.
"""

from __future__ import annotations

from dataclasses import dataclass

from botocore.exceptions import ClientError

from ctipam import names
from ctipam.cloudformation.described import split_arn
from ctipam.cloudformation.request import ResourceRequest
from ctipam.errors import AwsFailed, OutOfTime, Refused, code_of
from ctipam.logs import log_decision
from ctipam.networking_account import assume_execution_role
from ctipam.organization.session_policies import release_policy
from ctipam.sessions import Account
from ctipam.tags import tag_filter, to_list

DESCRIPTION = "IPAM pools in the Networking account"
"""The description of the StackSet begins so in the template."""

LOGICAL_ID = "NetworkingStackSet"

PAUSE_S = 10.0

RETAIN = "retain stacks"
"""Makes the id of the operation that deletes the stack instances and keeps their stacks."""


@dataclass(frozen=True)
class StackInstance:
    """stack_id: ARN of the stack; empty if it was never created."""

    account_id: str
    region: str
    stack_id: str


@dataclass(frozen=True)
class LeftoverStackSet:
    name: str
    instances: tuple[StackInstance, ...]

    @property
    def stack_ids(self) -> set[str]:
        return {instance.stack_id for instance in self.instances}


def find_leftover(management: Account, stack_id: str) -> LeftoverStackSet | None:
    """Return the StackSet that the new stack's own StackSet would collide with, if an earlier stack has left it."""
    cloudformation = management.cloudformation()
    name = f"{stack_id.split('/')[1]}-networking"
    try:
        description = cloudformation.describe_stack_set(StackSetName=name)["StackSet"].get("Description", "")
    except ClientError as error:
        if code_of(error) != "StackSetNotFoundException":
            raise
        return None
    if not description.startswith(DESCRIPTION) or _is_of_this_stack(management, stack_id):
        return None
    pages = cloudformation.get_paginator("list_stack_instances").paginate(StackSetName=name)
    return LeftoverStackSet(
        name,
        tuple(
            StackInstance(row["Account"], row["Region"], row.get("StackId", ""))
            for page in pages
            for row in page["Summaries"]
        ),
    )


def _is_of_this_stack(management: Account, stack_id: str) -> bool:
    """Return whether the stack has created the StackSet itself, as a request that arrives twice may find."""
    pages = management.cloudformation().get_paginator("list_stack_resources").paginate(StackName=stack_id)
    return any(row["LogicalResourceId"] == LOGICAL_ID for page in pages for row in page["StackResourceSummaries"])


def remove(request: ResourceRequest, leftover: LeftoverStackSet) -> list[str]:
    """Remove the StackSet. Return a sentence for each stack that stays. Raises OutOfTime, AwsFailed, Superseded."""
    released = [_release(request, instance) for instance in leftover.instances]
    deleted = not released or (all(released) and _delete_instances(request, leftover, retain=False))
    if not deleted and not _delete_instances(request, leftover, retain=True):
        raise AwsFailed(f"Cannot delete the instances of StackSet {leftover.name}; delete it, then retry.")
    retained = _retained(request, leftover)
    _delete_stack_set(request, leftover.name)
    log_decision("removed the StackSet of an earlier deployment", stack_set=leftover.name, retained=retained)
    return retained


def _retained(request: ResourceRequest, leftover: LeftoverStackSet) -> list[str]:
    """Return a sentence for each stack that was retained, perhaps by an earlier invocation for this request."""
    if _operation_status(request.account, leftover.name, request.token(RETAIN)) != "SUCCEEDED":
        return []
    known = [(split_arn(one.stack_id).name, f"account {one.account_id}") for one in leftover.instances if one.stack_id]
    # Without instances, which name the stacks, an earlier invocation has deleted them.
    found = known if leftover.instances else [(f"StackSet-{leftover.name}-...", "its account")]
    return [
        f"Stack {name} of the earlier deployment was not deleted; force-delete it in {place}." for name, place in found
    ]


def _release(request: ResourceRequest, instance: StackInstance) -> bool:
    """Release the pools and the IPAM of the stack. Return whether that was possible.

    This function may not enter an account that is not the Networking account of the new stack.
    """
    if not instance.stack_id:
        return True
    management = request.account
    policy = release_policy(management.partition, management.region, instance.account_id, instance.stack_id)
    try:
        ec2 = assume_execution_role(management, instance.account_id, policy).ec2()
    except Refused as reason:
        log_decision("did not release the pools of an earlier deployment", reason=str(reason))
        return False
    of_stack = tag_filter(names.STACK_TAG, instance.stack_id)  # without a filter, EC2 may leave tags out
    pools = ec2.get_paginator("describe_ipam_pools").paginate(Filters=of_stack)
    ipams = ec2.get_paginator("describe_ipams").paginate(Filters=of_stack)
    ids = [
        *(pool["IpamPoolId"] for page in pools for pool in page["IpamPools"]),
        *(ipam["IpamId"] for page in ipams for ipam in page["Ipams"]),
    ]
    if ids:
        request.raise_if_superseded()
        ec2.create_tags(Resources=ids, Tags=to_list({names.STACK_TAG: names.RELEASED}))
        log_decision("released the pools of an earlier deployment", stack=instance.stack_id, resources=ids)
    return True


def _delete_instances(request: ResourceRequest, leftover: LeftoverStackSet, *, retain: bool) -> bool:
    """Delete the stack instances, once for each request. Return whether that succeeded."""
    cloudformation = request.account.cloudformation()
    operation_id = request.token(RETAIN if retain else "delete stacks")
    while True:
        status = _operation_status(request.account, leftover.name, operation_id)
        if status in ("SUCCEEDED", "FAILED", "STOPPED"):
            return status == "SUCCEEDED"
        request.raise_if_superseded()
        if not status:
            try:
                cloudformation.delete_stack_instances(
                    StackSetName=leftover.name,
                    Accounts=sorted({instance.account_id for instance in leftover.instances}),
                    Regions=sorted({instance.region for instance in leftover.instances}),
                    RetainStacks=retain,
                    OperationId=operation_id,
                )
            except ClientError as error:
                if code_of(error) not in ("OperationInProgressException", "OperationIdAlreadyExistsException"):
                    raise
        _wait_for_operation(request, leftover.name)


def _wait_for_operation(request: ResourceRequest, name: str) -> None:
    try:
        request.deadline.pause(PAUSE_S)
    except OutOfTime:
        raise OutOfTime(f"an operation of StackSet {name} is in progress") from None


def _operation_status(management: Account, name: str, operation_id: str) -> str:
    """Return QUEUED, RUNNING, ...; empty if the operation was not started."""
    try:
        return management.cloudformation().describe_stack_set_operation(StackSetName=name, OperationId=operation_id)[
            "StackSetOperation"
        ]["Status"]
    except ClientError as error:
        if code_of(error) != "OperationNotFoundException":
            raise
        return ""


def _delete_stack_set(request: ResourceRequest, name: str) -> None:
    while True:
        request.raise_if_superseded()
        try:
            request.account.cloudformation().delete_stack_set(StackSetName=name)
        except ClientError as error:
            if code_of(error) == "StackSetNotFoundException":
                return
            if code_of(error) != "OperationInProgressException":
                raise
            _wait_for_operation(request, name)
        else:
            return
