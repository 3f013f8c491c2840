"""Stacks of an account: what they are, and whether one that once made something can still delete it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from ctipam.cloudformation.described import has_functions, is_no_stack, is_stack_arn
from ctipam.errors import DENIED, code_of
from ctipam.sessions import Account

if TYPE_CHECKING:
    from types_boto3_cloudformation.type_defs import StackTypeDef


def describe(account: Account, stack: str) -> StackTypeDef | None:
    """Return a stack, by its name or ARN, as DescribeStacks does; None if it does not exist. Raises ClientError.

    By its ARN, AWS shows a deleted stack for 90 days.
    https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStacks.html
    """
    try:
        (found,) = account.cloudformation().describe_stacks(StackName=stack)["Stacks"]
    except ClientError as error:
        if code_of(error) == "ValidationError" and is_no_stack(error.response["Error"].get("Message", "")):
            return None
        raise
    return found if found["StackStatus"] != "DELETE_COMPLETE" else None


def can_act(account: Account, stack_id: str) -> bool:
    """Return whether the stack still exists and can change what it made.

    A stack that the function may not read counts as one that can act. Raises ClientError.

    stack_id   as a tag has it: ARN of a stack in the account and its home Region. Anything else, even the name of a
               stack, names none: `names.RELEASED`, or what somebody has written by hand
    """
    if not is_stack_arn(stack_id):
        return False
    try:
        stack = describe(account, stack_id)
    except ClientError as error:
        if code_of(error) in DENIED:
            return True
        raise
    return has_functions(stack)


def living(account: Account, stack_ids: Iterable[str]) -> list[str]:
    """Return those of the stacks that can act, each once, in the given order."""
    return [stack_id for stack_id in dict.fromkeys(stack_ids) if can_act(account, stack_id)]
