"""Decide whether a stack is ours, and takes an update. Pure: nothing here calls AWS."""

from __future__ import annotations

import re
from collections.abc import Container

from ctipam.errors import Refused
from ctipam.sharing.doubtful import create_stack_instance, forget_stack_instance

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
            f"update creates it again. Run `{create_stack_instance(region, stack, network_account_id)}`, wait until "
            "its operation has ended, and try again."
        )


def refuse_deleted_networking_stack(stack: str, region: str, network_account_id: str) -> None:
    """Raise Refused for a stack whose stack in the Networking account was deleted there, so that its StackSet still
    lists it."""
    place = (region, stack, network_account_id)
    raise Refused(
        f"Somebody deleted the stack of StackSet {stack}-networking in account {network_account_id}, so nothing "
        f"watches or corrects the pools. Run `{forget_stack_instance(*place)}`, wait until its operation has ended, "
        f"run `{create_stack_instance(*place)}`, wait again, and try again. Existing pools are adopted."
    )


def refuse_unless_updatable(stack: str, status: str) -> None:
    """Raise Refused, with the way out, for a stack in a state that takes no update."""
    if status in FIRST_FAILED:
        raise Refused(
            f"Stack {stack} is {status}: its first deployment failed, and it can only be deleted. See its events for "
            f"the reason, then run `make undo stack={stack}` or `aws cloudformation delete-stack --stack-name {stack}` "
            "and try again."
        )
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
