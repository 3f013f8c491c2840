"""Stacks of an account: what they are, and whether one that once made something can still delete it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from ctipam.errors import DENIED, code_of
from ctipam.sessions import Account

if TYPE_CHECKING:
    from types_boto3_cloudformation.type_defs import StackTypeDef

CANNOT_ACT = frozenset({"DELETE_COMPLETE", "DELETE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED"})
"""The functions of the stack are gone. After the last three it can only be deleted (again).
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html"""

STACK_ARN = r"arn:[^:]+:cloudformation:[^:]+:[0-9]{12}:stack/[^/]+/.+"
"""https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscloudformation.html"""

NO_SUCH_STACK = ("does not exist", "'stackName' failed to satisfy constraint")
"""Words of CloudFormation, which has no code of its own for this. The second are about what no stack can be named, as a
tag may say that somebody has changed by hand.
https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStacks.html"""


def describe(account: Account, stack: str) -> StackTypeDef | None:
    """Return a stack, by its name or ARN, as DescribeStacks does; None if it does not exist. Raises ClientError."""
    try:
        (found,) = account.cloudformation().describe_stacks(StackName=stack)["Stacks"]
    except ClientError as error:
        if _says_that_it_does_not_exist(error):
            return None
        raise
    return found


def can_act(account: Account, stack_id: str) -> bool:
    """Return whether the stack still exists and can change what it made.

    A stack that the function may not read counts as one that can act. Raises ClientError.

    stack_id   as a tag has it: ARN of a stack in the account and its home Region. Anything else, even the name of a
               stack, names none: `names.RELEASED`, or what somebody has written by hand
    """
    if not re.fullmatch(STACK_ARN, stack_id):
        return False
    try:
        stack = describe(account, stack_id)
    except ClientError as error:
        if code_of(error) in DENIED:
            return True
        raise
    return stack is not None and stack["StackStatus"] not in CANNOT_ACT


def living(account: Account, stack_ids: Iterable[str]) -> list[str]:
    """Return those of the stacks that can act, each once, in the given order."""
    return [stack_id for stack_id in dict.fromkeys(stack_ids) if can_act(account, stack_id)]


def _says_that_it_does_not_exist(error: ClientError) -> bool:
    message = error.response["Error"].get("Message", "")
    return code_of(error) == "ValidationError" and any(words in message for words in NO_SUCH_STACK)
