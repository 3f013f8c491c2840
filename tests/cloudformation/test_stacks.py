"""Tags and status of the function's own stack, and the status of other stacks."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from aws_models.errors import AwsError
from ctipam import names
from ctipam.cloudformation.other_stacks import can_act, living
from ctipam.cloudformation.own_stack import OwnStack
from in_process.function import STACK_ID, Function
from landing_zone.direct import DirectAccount

OTHER = STACK_ID.replace("networking", "other")


@pytest.fixture
def account(function: Function) -> DirectAccount:
    return DirectAccount(function.wire, "222222222222", "us-east-1")


def test_the_stack_tags_are_read_once_and_exclude_those_of_aws(function: Function, account: DirectAccount) -> None:
    tags = {"CostCenter": "42", "Owner": "net", "aws:cloudformation:stack-name": "networking"}
    listed = [{"Key": key, "Value": value} for key, value in tags.items()]
    function.wire.stacks[STACK_ID] = {"Tags": listed}
    stack = OwnStack(account, STACK_ID)  # type: ignore[arg-type]

    assert stack.tags() == stack.tags() == {"CostCenter": "42", "Owner": "net"}
    assert stack.status() == "CREATE_COMPLETE"
    assert function.wire.counted["DescribeStacks"] == 1


def test_tags_that_cannot_be_read_are_an_error(function: Function, account: DirectAccount) -> None:
    function.wire.refuse("DescribeStacks", AwsError("AccessDenied", "No."))

    with pytest.raises(ClientError):
        OwnStack(account, STACK_ID).tags()  # type: ignore[arg-type]


def test_the_status_is_read_again_after_five_seconds(function: Function, account: DirectAccount) -> None:
    stack = OwnStack(account, STACK_ID)  # type: ignore[arg-type]
    function.wire.stacks[STACK_ID] = {"StackStatus": "CREATE_IN_PROGRESS"}
    assert stack.status() == "CREATE_IN_PROGRESS"
    function.wire.stacks[STACK_ID] = {"StackStatus": "CREATE_COMPLETE"}

    function.clock.advance(4)
    assert stack.status() == "CREATE_IN_PROGRESS"
    function.clock.advance(1)
    assert stack.status() == "CREATE_COMPLETE"


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("CREATE_COMPLETE", True),
        ("CREATE_IN_PROGRESS", True),
        ("ROLLBACK_COMPLETE", False),
        ("ROLLBACK_FAILED", False),
        ("UPDATE_ROLLBACK_FAILED", True),
        ("DELETE_IN_PROGRESS", True),
        ("DELETE_FAILED", False),
        ("DELETE_COMPLETE", False),
    ],
)
def test_a_stack_can_act_until_its_functions_are_deleted(
    function: Function, account: DirectAccount, status: str, expected: bool
) -> None:
    function.wire.stacks[OTHER] = {"StackStatus": status}

    assert can_act(account, OTHER) == expected  # type: ignore[arg-type]
    assert living(account, [OTHER, OTHER, "arn:gone"]) == ([OTHER] if expected else [])  # type: ignore[arg-type]


def test_a_stack_that_does_not_exist_cannot_act(account: DirectAccount) -> None:
    assert not can_act(account, OTHER)  # type: ignore[arg-type]


def test_the_released_value_belongs_to_no_stack_even_if_a_stack_has_that_name(
    function: Function, account: DirectAccount
) -> None:
    function.wire.stacks[names.RELEASED] = {"StackStatus": "CREATE_COMPLETE"}

    assert not can_act(account, names.RELEASED)  # type: ignore[arg-type]


def test_a_stack_that_cannot_be_read_counts_as_able_to_act(function: Function, account: DirectAccount) -> None:
    function.wire.refuse("DescribeStacks", AwsError("AccessDenied", "No."))

    assert can_act(account, OTHER)  # type: ignore[arg-type]


@pytest.mark.parametrize(("code", "message"), [("Throttling", "Rate"), ("ValidationError", "1 validation error")])
def test_any_other_error_is_raised(function: Function, account: DirectAccount, code: str, message: str) -> None:
    function.wire.refuse("DescribeStacks", AwsError(code, message))

    with pytest.raises(ClientError):
        can_act(account, OTHER)  # type: ignore[arg-type]
