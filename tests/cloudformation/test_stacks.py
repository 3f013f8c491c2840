"""Tags and status of the function's own stack, and the status of other stacks."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from aws_models.errors import AwsError
from ctipam import names
from ctipam.cloudformation.other_stacks import can_act, describe, living
from ctipam.cloudformation.own_stack import OwnStack
from ctipam.errors import StackBeingDeleted
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


def test_a_snapshot_has_what_was_deployed_and_when(function: Function, account: DirectAccount) -> None:
    function.wire.stacks[STACK_ID] = {
        "StackStatus": "UPDATE_COMPLETE",
        "LastUpdatedTime": "2026-11-26",
        "Parameters": [{"ParameterKey": "IpamTier", "ParameterValue": "advanced"}, {"ParameterKey": "IpamScope"}],
        "Tags": [{"Key": "CostCenter", "Value": "42"}, {"Key": "aws:cloudformation:stack-name", "Value": "networking"}],
    }
    deployed = OwnStack(account, STACK_ID).snapshot()  # type: ignore[arg-type]
    assert deployed.updated.startswith("2026-11-26")
    assert deployed.parameters == {"IpamTier": "advanced", "IpamScope": ""}
    assert deployed.tags == {"CostCenter": "42"}

    function.wire.stacks[STACK_ID] = {"StackStatus": "CREATE_COMPLETE"}
    created = OwnStack(account, STACK_ID).snapshot()  # type: ignore[arg-type]
    assert (created.updated, created.parameters, created.tags) == ("", {}, {})


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


# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html
STATUSES = {
    "settled": "CREATE_COMPLETE UPDATE_COMPLETE UPDATE_ROLLBACK_COMPLETE IMPORT_COMPLETE IMPORT_ROLLBACK_COMPLETE",
    "being deleted": "DELETE_IN_PROGRESS DELETE_COMPLETE DELETE_FAILED ROLLBACK_IN_PROGRESS ROLLBACK_FAILED",
    "neither": "CREATE_IN_PROGRESS CREATE_FAILED ROLLBACK_COMPLETE UPDATE_IN_PROGRESS UPDATE_FAILED REVIEW_IN_PROGRESS "
    "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS UPDATE_ROLLBACK_IN_PROGRESS "
    "UPDATE_ROLLBACK_FAILED IMPORT_IN_PROGRESS IMPORT_ROLLBACK_IN_PROGRESS IMPORT_ROLLBACK_FAILED",
}


@pytest.mark.parametrize("kind", STATUSES)
def test_what_a_status_allows(function: Function, account: DirectAccount, kind: str) -> None:
    """Pools are mended in a settled stack only. Nothing is shared that the deletion would not find any more."""
    for status in STATUSES[kind].split():
        function.wire.stacks[STACK_ID] = {"StackStatus": status}
        stack = OwnStack(account, STACK_ID)  # type: ignore[arg-type]

        assert stack.snapshot().is_settled == (kind == "settled"), status
        if kind == "being deleted":
            with pytest.raises(StackBeingDeleted, match=f"The stack is {status}, so nothing is shared any more"):
                stack.raise_if_being_deleted()
        else:
            stack.raise_if_being_deleted()


def test_while_the_status_cannot_be_read_the_last_one_counts_if_aws_is_only_busy(
    function: Function, account: DirectAccount
) -> None:
    stack = OwnStack(account, STACK_ID, believed_s=0)  # type: ignore[arg-type]
    function.wire.refuse("DescribeStacks", AwsError("Throttling", "Rate exceeded"))
    stack.raise_if_being_deleted()
    assert stack.status_if_known() == ""  # the stack is not even there

    function.wire.stacks[STACK_ID] = {"StackStatus": "DELETE_IN_PROGRESS"}
    assert stack.status() == "DELETE_IN_PROGRESS"
    function.wire.refuse("DescribeStacks", AwsError("Throttling", "Rate exceeded"))
    with pytest.raises(StackBeingDeleted):
        stack.raise_if_being_deleted()
    function.wire.refuse("DescribeStacks", AwsError("AccessDenied", "No."))
    with pytest.raises(ClientError):
        stack.raise_if_being_deleted()
    function.wire.refuse("DescribeStacks", AwsError("AccessDenied", "No."))
    assert stack.status_if_known() == "DELETE_IN_PROGRESS"


def test_after_a_status_that_cannot_be_read_aws_is_left_alone_for_five_seconds(
    function: Function, account: DirectAccount
) -> None:
    function.wire.stacks[STACK_ID] = {"StackStatus": "CREATE_COMPLETE"}
    stack = OwnStack(account, STACK_ID)  # type: ignore[arg-type]
    function.wire.refuse("DescribeStacks", AwsError("Throttling", "Rate exceeded"))
    assert (stack.status_if_known(), stack.status()) == ("", "CREATE_COMPLETE")  # unless there is none to go by
    function.wire.counted.clear()
    function.clock.advance(5)
    function.wire.refuse("DescribeStacks", AwsError("Throttling", "Rate exceeded"))
    stack.status_if_known()

    function.clock.advance(4)
    stack.status_if_known()
    assert function.wire.counted["DescribeStacks"] == 1
    function.clock.advance(1)
    stack.status_if_known()
    assert function.wire.counted["DescribeStacks"] == 2


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


@pytest.mark.parametrize("tag", [names.RELEASED, "a-stack", "old stack", "", "arn:aws:s3:::bucket", f" {OTHER}"])
def test_a_tag_that_is_no_arn_of_a_stack_names_none_even_if_a_stack_has_that_name(
    function: Function, account: DirectAccount, tag: str
) -> None:
    function.wire.stacks[tag] = {"StackStatus": "CREATE_COMPLETE"}

    assert not can_act(account, tag)  # type: ignore[arg-type]


def test_what_no_stack_can_be_named_is_not_found(function: Function, account: DirectAccount) -> None:
    message = (
        "1 validation error detected: Value 'old stack' at 'stackName' failed to satisfy constraint: Member must ..."
    )
    function.wire.refuse("DescribeStacks", AwsError("ValidationError", message))

    assert describe(account, "old stack") is None  # type: ignore[arg-type]


def test_a_stack_that_cannot_be_read_counts_as_able_to_act(function: Function, account: DirectAccount) -> None:
    function.wire.refuse("DescribeStacks", AwsError("AccessDenied", "No."))

    assert can_act(account, OTHER)  # type: ignore[arg-type]


@pytest.mark.parametrize(("code", "message"), [("Throttling", "Rate"), ("ValidationError", "1 validation error")])
def test_any_other_error_is_raised(function: Function, account: DirectAccount, code: str, message: str) -> None:
    function.wire.refuse("DescribeStacks", AwsError(code, message))

    with pytest.raises(ClientError):
        can_act(account, OTHER)  # type: ignore[arg-type]
