"""How `make preview` and `make explain` enter the two accounts, and what they say where AWS refuses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from commands import reading
from ctipam.errors import Refused
from ctipam.sessions import Account
from in_process import session_policies
from in_process.aws_calls import intercept

MANAGEMENT, NETWORKING, OTHER = "111111111111", "222222222222", "333333333333"
CREDENTIALS = {"AccessKeyId": "a", "SecretAccessKey": "b", "SessionToken": "c"}
NO_STACK_SET = "StackSetNotFoundException"


def error(code: str, operation: str = "SomeCall", message: str = "no") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)


Answering = Callable[[Mapping[str, Any]], list[tuple[str, Any]]]


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Answering:
    """Return a function that sets the answers of AWS, by operation, and returns the list of the calls from then on."""

    def set_answers(answers: Mapping[str, Any]) -> list[tuple[str, Any]]:
        calls: list[tuple[str, Any]] = []

        def answer(_call: Any, _client: Any, operation: str, parameters: Any) -> Any:
            calls.append((operation, parameters))
            if isinstance(answers[operation], ClientError):
                raise answers[operation]
            return answers[operation]

        intercept(monkeypatch, answer)
        return calls

    return set_answers


def management() -> Account:
    return Account(boto3.Session("not used", "not used", region_name="us-east-1"), MANAGEMENT)


def refusal(about: Exception) -> str:
    with pytest.raises(Refused) as refused, reading.errors_in_words():
        raise about
    return str(refused.value)


def test_an_error_of_aws_is_a_sentence_with_the_way_out_if_a_permission_is_missing() -> None:
    denied = refusal(error("AccessDenied", "DescribeIpams"))

    assert denied.startswith("DescribeIpams was denied: ")
    assert denied.endswith(" The permissions that are enough are in libraries/commands/read-only-policy.json.")
    assert "permissions" not in refusal(error("Throttling", "DescribeIpams"))
    assert len(refusal(error("InternalError", message="long-" * 1_000))) == 600 - len(" ")
    unreachable = refusal(EndpointConnectionError(endpoint_url="https://ec2.example"))
    assert unreachable == 'AWS cannot be reached: Could not connect to the endpoint URL: "https://ec2.example"'


def test_the_networking_account_is_entered_to_read_only(answering: Answering, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = answering({"AssumeRole": {"Credentials": CREDENTIALS}})
    sessions = session_policies.recorded(monkeypatch)

    assert reading.networking_account(management(), NETWORKING).account_id == NETWORKING

    ((_, assumed),) = calls
    assert assumed["RoleArn"] == f"arn:aws:iam::{NETWORKING}:role/AWSControlTowerExecution"
    assert assumed["RoleSessionName"] == "read-ipam-pools"
    reads = (
        "cloudformation:DescribeStacks ec2:DescribeIpamPools ec2:DescribeIpamResourceDiscoveries "
        "ec2:DescribeIpamScopes ec2:DescribeIpams ec2:GetIpamPoolAllocations ec2:GetIpamPoolCidrs "
        "ec2:GetIpamResourceCidrs ram:GetResourceShareAssociations ram:GetResourceShares"
    )
    log = "arn:*:logs:*:*:log-group:*IpamFunctionLogGroup*"
    assert sessions == [(NETWORKING, [(reads, "*", {}), ("logs:FilterLogEvents", log, {})])]


@pytest.mark.parametrize(
    ("account_id", "described", "reason"),
    [
        (MANAGEMENT, {}, "is the management account, which cannot administer IPAM"),
        (
            NETWORKING,
            {},
            f"Cannot assume AWSControlTowerExecution in NetworkAccountId {NETWORKING}: enroll the account",
        ),
        (NETWORKING, error("AccessDeniedException"), "role, and use credentials that may assume it (see libraries/"),
        (
            OTHER,
            error("AccountNotFoundException"),
            f"NetworkAccountId {OTHER} is no account of this organization; give",
        ),
    ],
    ids=["the management account", "not enrolled", "nobody knows", "of another organization"],
)
def test_a_networking_account_that_cannot_be_entered_is_told_with_the_reason(
    answering: Answering, account_id: str, described: Any, reason: str
) -> None:
    calls = answering({"AssumeRole": error("AccessDenied", "AssumeRole"), "DescribeAccount": described})

    with pytest.raises(Refused) as refused:
        reading.networking_account(management(), account_id)

    assert reason in str(refused.value)
    assert ("DescribeAccount", {"AccountId": account_id}) in calls or account_id == MANAGEMENT


def test_another_error_is_not_called_a_missing_role(answering: Answering) -> None:
    answering({"AssumeRole": error("InternalFailure", "AssumeRole")})

    with pytest.raises(ClientError, match="InternalFailure"):
        reading.networking_account(management(), NETWORKING)


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ({"Summaries": [{"Account": OTHER, "StackId": "1"}, {"Account": NETWORKING, "StackId": "2"}]}, "2"),
        ({"Summaries": [{"Account": OTHER, "StackId": "1"}]}, ""),
        ({"Summaries": [{"Account": NETWORKING}]}, ""),
        (error(NO_STACK_SET), None),
    ],
    ids=["there", "of another account", "never created", "no StackSet"],
)
def test_the_stack_in_the_networking_account_is_that_of_the_stack_set(
    answering: Answering, answer: Any, found: str | None
) -> None:
    calls = answering({"ListStackInstances": answer})

    assert reading.networking_stack_id(management(), "ipam", NETWORKING) == found
    assert calls == [("ListStackInstances", {"StackSetName": "ipam-networking"})]


def test_an_error_is_not_called_a_missing_stack_set(answering: Answering) -> None:
    answering({"ListStackInstances": error("AccessDenied")})

    with pytest.raises(ClientError, match="AccessDenied"):
        reading.networking_stack_id(management(), "ipam", NETWORKING)


def test_a_stack_that_has_only_a_change_set_is_none_yet(answering: Answering) -> None:
    arn = f"arn:aws:cloudformation:us-east-1:{MANAGEMENT}:stack/ipam/1"
    row = {
        "StackId": arn,
        "StackStatus": "UPDATE_COMPLETE",
        "Parameters": [{"ParameterKey": "A", "ParameterValue": "b"}],
        "Outputs": [{"OutputKey": "C", "OutputValue": "d"}],
    }

    answering({"DescribeStacks": {"Stacks": [row]}})
    found = reading.find_stack(management(), "ipam")
    assert found == reading.Stack(arn, "UPDATE_COMPLETE", {"A": "b"}, {"C": "d"})
    assert found.name == "ipam"
    assert reading.status_of(management(), arn) == "UPDATE_COMPLETE"

    answering({"DescribeStacks": {"Stacks": [row | {"StackStatus": "REVIEW_IN_PROGRESS"}]}})
    assert reading.find_stack(management(), "ipam") is None


def test_the_settings_of_the_sharing_functions_are_those_of_the_stack() -> None:
    parameters = {
        "NetworkAccountId": NETWORKING,
        "OuMatch": "exact",
        "ShareWithExistingAccounts": "false",
        "UnshareLimit": "7",
    }

    found = reading.sharing_settings(parameters, "arn:...")

    assert (found.network_account_id, found.stack_id, found.unshare_limit) == (NETWORKING, "arn:...", 7)
    assert (found.exact, found.share_with_existing_accounts) == (True, False)
