"""Any error in one line: the action and where it failed, the important part of the message, and a fix."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from aws_models.errors import AwsError
from ctipam import sessions, waiting
from ctipam.errors import REASON_LIMIT, AwsFailed, OutOfTime, Refused, explain
from ctipam.pools import reader
from landing_zone.direct import DirectAccount, Wire

NETWORKING = "222222222222"
ROLE = (
    f"arn:aws:sts::{NETWORKING}:assumed-role/StackSet-ipamNetworking-8a1f5d3c-InitIpamPoolsLambdaRole-"
    "1ABCDEFGHIJKL/StackSet-ipamNetworking-8a1f5d3c-InitIpamPools-QwErTyUiOpAs"
)
POOL = f"arn:aws:ec2::{NETWORKING}:ipam-pool/ipam-pool-0a1b2c3d4e5f67890"
ENCODED = "Encoded authorization failure message: " + "4GIOHlTkIaWHQD0Q0m6XSnuUMCm" * 40


def error(
    message: str, code: str = "UnauthorizedOperation", action: str = "GetIpamPoolAllocations", **location: Any
) -> ClientError:
    location = location or {"Ctipam": {"Region": "us-west-2", "AccountId": NETWORKING}}
    response: Any = {"Error": {"Code": code, "Message": message}, **location}
    return ClientError(response, action)


def denial_of_ec2(reason: str) -> str:
    return (
        f"You are not authorized to perform this operation. User: {ROLE} is not authorized to perform: "
        f"ec2:GetIpamPoolAllocations on resource: {POOL} {reason}. {ENCODED}"
    )


def denial_of_other_services(reason: str) -> str:
    return f"User: {ROLE} is not authorized to perform: ec2:GetIpamPoolAllocations on resource: {POOL} {reason}"


CAUSES = [
    ("with an explicit deny in a service control policy", "explicit deny in a service control policy"),
    (
        "with an explicit deny in a service control policy: arn:aws:organizations::111111111111:policy/o-a/p-b",
        "explicit deny in a service control policy",
    ),
    ("because no service control policy allows the ec2:X action", "no service control policy allows"),
    ("with an explicit deny in a resource control policy", "explicit deny in a resource control policy"),
    ("because no resource control policy allows the ec2:X action", "no resource control policy allows"),
    ("with an explicit deny in a session policy", "explicit deny in a session policy"),
    ("because no session policy allows the ec2:X action", "no session policy allows"),
    ("with an explicit deny in a permissions boundary", "explicit deny in a permissions boundary"),
    ("because no permissions boundary allows the ec2:X action", "no permissions boundary allows"),
    ("with an explicit deny in an identity-based policy", "explicit deny in an identity-based policy"),
    ("because no identity-based policy allows the ec2:X action", "no identity-based policy allows"),
    ("because no resource-based policy allows the ec2:X action", "no resource-based policy allows"),
    ("with an explicit deny in a VPC endpoint policy", "explicit deny in a VPC endpoint policy"),
    ("because no VPC endpoint policy allows the ec2:X action", "no VPC endpoint policy allows"),
]


@pytest.mark.parametrize("words", [denial_of_ec2, denial_of_other_services])
@pytest.mark.parametrize(("reason", "cause"), CAUSES)
@pytest.mark.parametrize("action", ["GetIpamPoolAllocations", "DisassociateIpamResourceDiscovery"])
def test_a_long_denial_becomes_one_sentence_with_its_cause_and_a_fix(
    words: Any, reason: str, cause: str, action: str
) -> None:
    explained = explain(error(words(reason), action=action))

    assert explained.startswith(f"{action} in us-west-2 (account {NETWORKING}) was denied: {cause}. ")
    assert explained.endswith(".")
    assert len(explained) <= REASON_LIMIT
    assert explained.count(". ") >= 1


def test_a_denial_by_a_service_control_policy_mentions_the_region_deny_control() -> None:
    explained = explain(error(denial_of_ec2("with an explicit deny in a service control policy")))

    assert explained.endswith("If it is Control Tower's Region deny: govern the Region, or remove it.")


def test_a_denial_without_a_cause_keeps_the_message_of_aws_without_its_encoded_part() -> None:
    explained = explain(error(f"You are not authorized to perform this operation. {ENCODED}"))

    assert "UnauthorizedOperation: You are not authorized to perform this operation. Look for a service" in explained
    assert "4GIOHl" not in explained


@pytest.mark.parametrize("code", ["TagLimitExceeded", "TagLimitExceededException"])
def test_too_many_tags_have_a_way_out(code: str) -> None:
    assert explain(error("Too many.", code)).endswith("Too many. Remove tags from the stack, or from the resource.")


def test_an_explanation_with_the_longest_region_and_any_message_fits_the_limit() -> None:
    location = {"Ctipam": {"Region": "ap-southeast-2", "AccountId": NETWORKING}}
    for code in ("UnauthorizedOperation", "AuthFailure", "Throttling", "TagLimitExceeded", "Other"):
        explained = explain(error("x" * 5000, code, "AssociateIpamResourceDiscoveryResourceShare", **location))
        assert len(explained) <= REASON_LIMIT
        assert len(explained) >= REASON_LIMIT - 1 or code == "AuthFailure", code  # no room is lost
        assert explained.endswith("...") == (code == "Other"), code  # a way out is whole
        assert explained.startswith("AssociateIpamResourceDiscoveryResourceShare in ap-southeast-2 (account 2222")


def test_a_region_that_is_not_enabled_is_named_as_the_cause() -> None:
    assert explain(error("AWS was not able to validate the provided access credentials", "AuthFailure")) == (
        f"GetIpamPoolAllocations in us-west-2 (account {NETWORKING}) failed: the Region is not enabled in the account. "
        "Enable the Region in the account, or remove it from RegionSelection."
    )


def test_any_other_error_of_aws_keeps_its_code_and_message() -> None:
    assert explain(error("The pool\n is  busy.", "IncorrectState")) == (
        f"GetIpamPoolAllocations in us-west-2 (account {NETWORKING}) failed: IncorrectState: The pool is busy."
    )


def test_an_error_without_a_location_names_only_the_action() -> None:
    assert explain(ClientError({"Error": {"Code": "X", "Message": "No."}}, "Invoke")) == "Invoke failed: X: No."


@pytest.mark.parametrize(
    ("raised", "explanation"),
    [
        (Refused("RegionSelection is empty."), "RegionSelection is empty."),
        (AwsFailed("AWS could not."), "AWS could not."),
        (KeyError("ScopeId"), "KeyError: 'ScopeId'. See the function's log."),
        (
            OutOfTime("still waiting"),
            "AWS did not finish in time: still waiting. What was begun is kept; try again to go on from there.",
        ),
    ],
)
def test_other_errors_have_their_own_explanation(raised: Exception, explanation: str) -> None:
    assert explain(raised) == explanation


def test_time_that_is_up_is_explained_by_what_aws_refused_last() -> None:
    up = OutOfTime("still waiting")
    up.__cause__ = error("Slow down.", "RequestLimitExceeded", "DeleteIpamPool")

    assert explain(up) == (
        f"AWS did not finish in time: DeleteIpamPool in us-west-2 (account {NETWORKING}) failed: RequestLimitExceeded: "
        "Slow down. What was begun is kept; try again to go on from there."
    )


@pytest.mark.parametrize("cause", [None, KeyError("ScopeId")])
def test_time_that_is_up_is_explained_by_itself_if_aws_refused_nothing(cause: Exception | None) -> None:
    up = OutOfTime("still waiting")
    up.__cause__ = cause

    assert explain(up).startswith("AWS did not finish in time: still waiting. ")


@pytest.mark.parametrize(
    ("action", "policy", "exempt"),
    [
        ("CreateResourceShare", "service control policy", True),
        ("CreateResourceShare", "resource control policy", True),
        ("CreateResourceShare", "permissions boundary", False),
        ("AssociateResourceShare", "service control policy", False),
    ],
)
def test_a_share_that_a_policy_of_the_company_forbids_needs_an_exemption(
    action: str, policy: str, exempt: bool
) -> None:
    explained = explain(error(denial_of_ec2(f"with an explicit deny in a {policy}"), "AccessDenied", action))

    assert ("Exempt AWSControlTowerExecution from it" in explained) is exempt


def test_a_client_adds_region_and_account_only_to_its_errors(cloud: Any) -> None:
    account = sessions.Account(boto3.Session(region_name="us-east-1"), NETWORKING)
    client = account.ec2("eu-west-1")

    with pytest.raises(ClientError) as raised:
        client.describe_vpcs(VpcIds=["vpc-00000000"])

    assert raised.value.response["Ctipam"] == {"Region": "eu-west-1", "AccountId": NETWORKING}  # type: ignore[typeddict-item]
    assert explain(raised.value).startswith(f"DescribeVpcs in eu-west-1 (account {NETWORKING}) failed: ")
    assert "Ctipam" not in client.describe_vpcs()


def test_an_attempt_without_an_answer_ends_within_the_reserve_and_each_thread_has_a_connection(cloud: Any) -> None:
    account = sessions.Account(boto3.Session(region_name="us-east-1"), NETWORKING)

    config: Any = account.ec2().meta.config

    assert config.connect_timeout + config.read_timeout == 20 < waiting.RESERVE_S
    assert config.retries == {"mode": "standard", "total_max_attempts": 9}
    assert config.max_pool_connections == reader.CONCURRENT_READS


def test_the_direct_account_of_the_tests_adds_region_and_account_too(function: Any) -> None:
    wire: Wire = function.wire
    wire.refuse("DescribeIpamPools", AwsError("AuthFailure", "No."))

    with pytest.raises(ClientError) as raised:
        DirectAccount(wire, NETWORKING, "us-east-1").ec2("eu-west-1").describe_ipam_pools()

    assert raised.value.response["Ctipam"] == {"Region": "eu-west-1", "AccountId": NETWORKING}  # type: ignore[typeddict-item]


@pytest.mark.parametrize(
    ("code", "action", "way_out"),
    [
        ("UnknownResourceException", "CreateResourceShare", "enable-sharing-with-aws-organization"),
        ("OperationNotPermittedException", "AssociateResourceShare", "enable-sharing-with-aws-organization"),
        ("OperationNotPermittedException", "AssociateResourceShare", "or else see `make report`"),
        ("UnknownResourceException", "GetResourceShareAssociations", ""),
        ("UnknownResourceException", "DisassociateResourceShare", ""),
        ("OperationNotPermittedException", "DeleteResourceShare", ""),
        ("InvalidParameterException", "DescribeIpamPools", ""),
        ("MalformedArnException", "CreateResourceShare", ""),
        ("ResourceShareLimitExceededException", "CreateResourceShare", "Service Quotas"),
        ("TooManyRequestsException", "CreateResourceShare", "the next scheduled run goes on"),
        ("ConcurrentModificationException", "DescribeOrganization", "is changing the organization. Try again."),
        ("RequestLimitExceeded", "DeleteIpamPool", "Try again in some minutes."),
    ],
)
def test_a_way_out_is_given_where_it_is_one(code: str, action: str, way_out: str) -> None:
    explained = explain(error("That did not work.", code, action))

    assert explained.endswith(f"{code}: That did not work.") is not bool(way_out)
    assert way_out in explained


@pytest.mark.parametrize(
    ("codes", "words"),
    [
        (
            "AccessDenied AccessDeniedException UnauthorizedOperation AuthorizationError AuthorizationErrorException",
            "was denied",
        ),
        ("Throttling ThrottlingException TooManyRequestsException RequestLimitExceeded", "AWS was called too often"),
        (
            "AuthFailure OptInRequired InvalidClientTokenId UnrecognizedClientException",
            "the Region is not enabled in the account",
        ),
        (
            "UnknownResourceException InvalidParameterException OperationNotPermittedException",
            "enable-sharing-with-aws-organization",
        ),
    ],
    ids=["denied", "throttled", "Region not enabled", "sharing not enabled"],
)
def test_services_have_several_codes_for_one_thing(codes: str, words: str) -> None:
    for code in codes.split():
        assert words in explain(error("That did not work.", code, "CreateResourceShare")), code
