"""Decide whether a stack is ours, and takes an update. Pure: nothing here calls AWS."""

from __future__ import annotations

import re
from collections.abc import Container, Sequence

from ctipam.cloudformation.described import split_arn
from ctipam.errors import Refused

UPDATABLE = re.compile(r"(CREATE|UPDATE|IMPORT|UPDATE_ROLLBACK|IMPORT_ROLLBACK)_COMPLETE")
"""https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html"""

FIRST_FAILED = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED")
"""The states of a stack whose first deployment failed."""

REVIEWED = "REVIEW_IN_PROGRESS"
"""The status of a stack that has a change set, and no resources yet."""


def refuse_stack_of_others(stack: str, parameters: Container[str]) -> None:
    """Raise Refused for a stack of something else: a deployment would replace all of its resources.

    parameters   their names
    """
    if "NetworkAccountId" not in parameters:
        raise Refused(
            f"Stack {stack} is not this solution's: it names no Networking account; name another with stack=."
        )


def refuse_without_networking_stack(stack: str, region: str, network_account_id: str, found: str | None) -> None:
    """Raise Refused for a stack whose StackSet, or its stack in the Networking account, no longer exists.

    found   ARN of that stack; empty: there is none; None: there is no StackSet
    """
    if found is None:
        raise Refused(
            f"StackSet {stack}-networking does not exist: somebody deleted it, and no update creates it again. Run "
            f"`make undo stack={stack}`, which takes the pools from the accounts, and deploy again under the same "
            "name, which shares them again. VPCs keep their addresses meanwhile, and their pools are adopted."
        )
    if not found:
        raise Refused(
            f"StackSet {stack}-networking has no stack in account {network_account_id}: somebody deleted it, and no "
            f"update creates it again. {_create_again(region, stack, network_account_id)}"
        )


def refuse_unless_networking_stack_updatable(stack: str, networking_stack_id: str, status: str) -> None:
    """Raise Refused, with the way out, for a stack whose stack in the Networking account takes no update.

    AWS does not document what an operation of the StackSet does with a stack that can only be deleted, or was deleted
    there, but how to get rid of it: https://docs.aws.amazon.com/servicecatalog/latest/dg/API_StackInstance.html
    """
    if UPDATABLE.fullmatch(status):
        return
    found = split_arn(networking_stack_id)
    named = f"stack of StackSet {stack}-networking in account {found.account_id}"
    there = f"--region {found.region} --stack-name {networking_stack_id}"
    if status == "UPDATE_ROLLBACK_FAILED":
        raise Refused(
            f"The {named} is {status}. In that account, correct the reason that its events give, run "
            f"`aws cloudformation continue-update-rollback {there}`, and try again."
        )
    if status == "DELETE_COMPLETE":
        broken, first = f"Somebody deleted the {named}", "Run"
    elif status in (*FIRST_FAILED, "DELETE_FAILED"):
        mode = " --deletion-mode FORCE_DELETE_STACK" if status == "DELETE_FAILED" else ""
        broken = f"The {named} is {status}"
        first = (
            f"In that account, run `aws cloudformation delete-stack {there}{mode}`, and wait until the stack is "
            "deleted. In the management account, run"
        )
    else:
        raise Refused(f"The {named} is {status}; wait until that has ended, or repair that stack, and try again.")
    forget = _of_stack_instance("delete", found.region, stack, found.account_id) + " --retain-stacks"
    raise Refused(
        f"{broken}, so nothing watches or corrects the pools. {first} `{forget}`, and wait until its operation has "
        f"ended. {_create_again(found.region, stack, found.account_id)} Existing pools are adopted."
    )


def _create_again(region: str, stack: str, network_account_id: str) -> str:
    """Return how to create the stack in the Networking account again.

    An update of the stack does not: CloudFormation compares the template with the one before.
    https://github.com/aws-cloudformation/aws-cloudformation-resource-providers-cloudformation (UpdateHandler)
    """
    command = _of_stack_instance("create", region, stack, network_account_id)
    return f"Run `{command}`, wait until its operation has ended, and try again."


def _of_stack_instance(action: str, region: str, stack: str, network_account_id: str) -> str:
    return (
        f"aws cloudformation {action}-stack-instances --region {region} --stack-set-name {stack}-networking "
        f"--accounts {network_account_id} --regions {region}"
    )


def refuse_unless_updatable(stack: str, status: str, failures: Sequence[str] = ()) -> None:
    """Raise Refused, with the way out, for a stack in a state that takes no update.

    failures   why its first deployment failed, a line each, if that was read
    """
    if status in FIRST_FAILED:
        reason = "the failure below" if failures else "the reason that its events give"
        way_out = (
            f"Stack {stack} is {status}: its first deployment failed, and it can only be deleted. Correct {reason}, "
            f"then run `make undo stack={stack}` or `aws cloudformation delete-stack --stack-name {stack}` and try "
            "again."
        )
        raise Refused("\n".join([way_out, *failures]))
    if status == "DELETE_FAILED":
        raise Refused(f"Stack {stack} is DELETE_FAILED. {force_deletion(stack)}")
    if status == "UPDATE_ROLLBACK_FAILED":
        raise Refused(
            f"Stack {stack} is UPDATE_ROLLBACK_FAILED. See its events for the reason and correct it, then run "
            f"`aws cloudformation continue-update-rollback --stack-name {stack}` and try again. If NetworkingStackSet "
            f"was not found, nothing corrects that: run `make undo stack={stack}`, and deploy again."
        )
    if status == "UPDATE_FAILED":
        raise Refused(
            f"Stack {stack} is UPDATE_FAILED. See its events for the reason, then run "
            f"`aws cloudformation rollback-stack --stack-name {stack}` and try again."
        )
    if not UPDATABLE.fullmatch(status):
        raise Refused(f"Stack {stack} is {status}; wait until that has ended, or repair the stack, and try again.")


def force_deletion(stack: str) -> str:
    """Return how to recover a stack whose deletion fails again and again.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DeleteStack.html
    """
    return (
        f"Run `aws cloudformation delete-stack --stack-name {stack} --deletion-mode FORCE_DELETE_STACK`, then deploy "
        "again under the same name: the new deployment adopts the IPAM, pools and shares."
    )
