"""A stack, as DescribeStacks returns it: its lists as mappings, what its ARN says, and whether it can still act."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from ctipam.tags import to_dict, without_aws_tags

CANNOT_ACT = frozenset({"DELETE_COMPLETE", "DELETE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED"})
"""The functions of the stack are gone. After the last three it can only be deleted (again).
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html"""

STACK_ARN = r"arn:[^:]+:cloudformation:[^:]+:[0-9]{12}:stack/[^/]+/.+"
"""https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscloudformation.html"""

NO_SUCH_STACK = ("does not exist", "'stackName' failed to satisfy constraint")
"""Words of CloudFormation, which has no code of its own for this. The second are about what no stack can be named, as a
tag may say that somebody has changed by hand.
https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStacks.html"""


def parameters_of(stack: Mapping[str, Any]) -> dict[str, str]:
    """Return the values of the parameters by name."""
    return {one["ParameterKey"]: one.get("ParameterValue", "") for one in stack.get("Parameters", [])}


def outputs_of(stack: Mapping[str, Any]) -> dict[str, str]:
    """Return the values of the outputs by key. A stack has none before its creation is complete."""
    return {one["OutputKey"]: one["OutputValue"] for one in stack.get("Outputs", [])}


def tags_of(stack: Mapping[str, Any]) -> dict[str, str]:
    """Return the tags, without those that AWS adds."""
    return without_aws_tags(to_dict(stack.get("Tags", [])))


class StackArn(NamedTuple):
    """arn:aws:cloudformation:us-east-1:111122223333:stack/<name>/..."""

    partition: str
    region: str
    account_id: str
    name: str


def split_arn(stack_id: str) -> StackArn:
    _, partition, _, region, account_id, resource = stack_id.split(":", 5)
    return StackArn(partition, region, account_id, resource.split("/")[1])


def is_stack_arn(text: str) -> bool:
    return bool(re.fullmatch(STACK_ARN, text))


def is_no_stack(message: str) -> bool:
    """Return whether an error message of CloudFormation says that a stack does not exist."""
    return any(words in message for words in NO_SUCH_STACK)


def has_functions(stack: Mapping[str, Any] | None) -> bool:
    """Return whether a stack can still change what it made. None: it does not exist."""
    return stack is not None and stack["StackStatus"] not in CANNOT_ACT
