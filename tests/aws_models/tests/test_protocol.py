"""The protocol reads the requests of a real botocore client, and writes answers that it reads."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from aws_models import protocol
from aws_models.clients import answered_client
from aws_models.errors import AwsError
from aws_models.protocol import HttpAnswer, Service

POOL_ARN = "arn:aws:ec2::111122223333:ipam-pool/ipam-pool-0123456789abcdef0"
SHARE_ARN = "arn:aws:ram:us-east-1:111122223333:resource-share/7ab63972-b505-7e2a-420d-6f5d3EXAMPLE"
CREATED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def wired(service: Service, answering: Callable[[str, dict[str, Any]], HttpAnswer]) -> Any:
    return answered_client(service, "us-east-1", answering)


def params_seen(service: Service, method: str, **params: Any) -> dict[str, Any]:
    seen: list[dict[str, Any]] = []

    def answering(action: str, parsed: dict[str, Any]) -> HttpAnswer:
        seen.append(parsed)
        return protocol.answer(service, action, {}, "request-1")

    getattr(wired(service, answering), method)(**params)
    return seen[0]


def answer_read(service: Service, method: str, result: dict[str, Any], **params: Any) -> dict[str, Any]:
    client = wired(service, lambda action, _: protocol.answer(service, action, result, "request-1"))
    read: dict[str, Any] = getattr(client, method)(**params)
    metadata = read.pop("ResponseMetadata")
    assert metadata["RequestId"] == "request-1"
    return read


EC2_REQUESTS: list[tuple[str, dict[str, Any]]] = [
    (
        "create_ipam_pool",
        {
            "IpamScopeId": "ipam-scope-0123456789abcdef0",
            "AddressFamily": "ipv4",
            "Locale": "us-east-1",
            "SourceIpamPoolId": "ipam-pool-0123456789abcdef0",
            "Description": "Prod OU & friends, <us-east-1> = 100 %",
            "AutoImport": False,
            "AllocationMinNetmaskLength": 0,
            "AllocationMaxNetmaskLength": 28,
            "AllocationResourceTags": [{"Key": "Env", "Value": "Prod OU"}, {"Key": "Empty", "Value": ""}],
            "TagSpecifications": [
                {"ResourceType": "ipam-pool", "Tags": [{"Key": f"key {n}", "Value": f"välue {n}"} for n in range(12)]}
            ],
            "ClientToken": "token-1",
            "DryRun": True,
        },
    ),
    (
        "create_ipam",
        {"OperatingRegions": [{"RegionName": "us-east-1"}, {"RegionName": "eu-west-1"}], "ClientToken": "t"},
    ),
    ("create_ipam", {"Description": "", "Tier": "advanced", "ClientToken": "t"}),
    (
        "describe_ipam_pools",
        {
            "IpamPoolIds": ["ipam-pool-1", "ipam-pool-2"],
            "Filters": [{"Name": "tag:Env", "Values": ["Prod OU", "*"]}, {"Name": "locale", "Values": ["None"]}],
            "MaxResults": 1000,
            "NextToken": "a+b/c==",
        },
    ),
    ("describe_ipam_pools", {}),
    (
        "modify_ipam_pool",
        {
            "IpamPoolId": "ipam-pool-1",
            "AddAllocationResourceTags": [{"Key": "Env", "Value": "a"}],
            "RemoveAllocationResourceTags": [{"Key": "Env", "Value": "b"}],
            "ClearAllocationDefaultNetmaskLength": True,
        },
    ),
    ("provision_ipam_pool_cidr", {"IpamPoolId": "ipam-pool-1", "Cidr": "10.0.0.0/8", "ClientToken": "t"}),
    ("provision_ipam_pool_cidr", {"IpamPoolId": "ipam-pool-1", "NetmaskLength": 20, "ClientToken": "t"}),
    ("delete_ipam_pool", {"IpamPoolId": "ipam-pool-1", "Cascade": True}),
    ("get_ipam_pool_allocations", {"IpamPoolId": "ipam-pool-1", "MaxResults": 1000}),
    ("allocate_ipam_pool_cidr", {"IpamPoolId": "p", "AllowedCidrs": ["10.0.0.0/8", "10.1.0.0/16"], "ClientToken": "t"}),
    (
        "create_vpc",
        {
            "Ipv4IpamPoolId": "ipam-pool-1",
            "Ipv4NetmaskLength": 24,
            "TagSpecifications": [{"ResourceType": "vpc", "Tags": [{"Key": "Env", "Value": "Prod OU"}]}],
        },
    ),
    ("create_tags", {"Resources": ["ipam-1", "ipam-pool-1"], "Tags": [{"Key": "a", "Value": "b"}]}),
]

RAM_REQUESTS: list[tuple[str, dict[str, Any]]] = [
    (
        "create_resource_share",
        {
            "name": "ipamShare-012345678901",
            "resourceArns": [POOL_ARN],
            "principals": ["012345678901"],
            "tags": [{"key": "account", "value": "012345678901"}, {"key": "empty", "value": ""}],
            "allowExternalPrincipals": False,
            "clientToken": "token-1",
        },
    ),
    ("create_resource_share", {"name": "empty", "resourceArns": []}),
    ("delete_resource_share", {"resourceShareArn": SHARE_ARN, "clientToken": "a b&c"}),
    ("delete_resource_share", {"resourceShareArn": SHARE_ARN}),
    ("update_resource_share", {"resourceShareArn": SHARE_ARN, "allowExternalPrincipals": True}),
    ("associate_resource_share", {"resourceShareArn": SHARE_ARN, "resourceArns": [POOL_ARN, POOL_ARN + "1"]}),
    (
        "get_resource_shares",
        {
            "resourceOwner": "SELF",
            "name": "ipamShare-012345678901",
            "tagFilters": [{"tagKey": "account", "tagValues": ["012345678901", ""]}],
            "maxResults": 500,
            "nextToken": "a+b/c==",
        },
    ),
    ("get_resource_share_associations", {"associationType": "PRINCIPAL", "resourceShareArns": [SHARE_ARN]}),
    ("list_resources", {"resourceOwner": "OTHER-ACCOUNTS", "resourceType": "ec2:IpamPool"}),
    ("tag_resource", {"resourceShareArn": SHARE_ARN, "tags": [{"key": "a", "value": "b"}]}),
    ("untag_resource", {"resourceShareArn": SHARE_ARN, "tagKeys": ["a"]}),
    ("enable_sharing_with_aws_organization", {}),
]


@pytest.mark.parametrize(("method", "params"), EC2_REQUESTS, ids=[method for method, _ in EC2_REQUESTS])
def test_a_request_to_ec2_is_read_as_the_client_meant_it(method: str, params: dict[str, Any]) -> None:
    assert params_seen("ec2", method, **params) == params


@pytest.mark.parametrize(("method", "params"), RAM_REQUESTS, ids=[method for method, _ in RAM_REQUESTS])
def test_a_request_to_ram_is_read_as_the_client_meant_it(method: str, params: dict[str, Any]) -> None:
    assert params_seen("ram", method, **params) == params


def test_a_client_token_that_boto3_makes_up_reaches_the_model() -> None:
    assert len(params_seen("ec2", "create_ipam")["ClientToken"]) == 36


def test_a_request_to_ec2_may_carry_its_parameters_in_the_url() -> None:
    query = {"Action": ["DescribeIpamPools"], "IpamPoolId.1": ["ipam-pool-1"], "MaxResults": ["5"]}

    params = protocol.parse("ec2", "DescribeIpamPools", method="GET", path="/", headers={}, query=query, body=b"")

    assert params == {"IpamPoolIds": ["ipam-pool-1"], "MaxResults": 5}


POOL: dict[str, Any] = {
    "IpamPoolId": "ipam-pool-1",
    "IpamPoolArn": POOL_ARN,
    "State": "create-complete",
    "Description": "Prod OU & friends, <us-east-1>",
    "AutoImport": False,
    "PoolDepth": 2,
    "AllocationResourceTags": [{"Key": "Env", "Value": "Prod OU"}],
    "Tags": [],
}

EC2_ANSWERS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("describe_ipam_pools", {"IpamPools": [POOL, POOL | {"Description": ""}], "NextToken": "a+b=="}, {}),
    ("describe_ipam_pools", {"IpamPools": []}, {}),
    (
        "create_ipam",
        {
            "Ipam": {
                "IpamId": "ipam-1",
                "OperatingRegions": [{"RegionName": "eu-west-1"}, {"RegionName": "us-east-1"}],
                "ScopeCount": 2,
                "Tags": [{"Key": "välue", "Value": ""}],
            }
        },
        {},
    ),
    (
        "get_ipam_pool_cidrs",
        {
            "IpamPoolCidrs": [
                {"IpamPoolCidrId": "ipam-pool-cidr-1", "State": "pending-provision", "NetmaskLength": 20},
                {
                    "Cidr": "10.0.0.0/20",
                    "State": "failed-provision",
                    "FailureReason": {"Code": "cidr-not-available", "Message": "The CIDR is not available."},
                },
                {
                    "Cidr": "10.0.0.0/20",
                    "State": "failed-deprovision",
                    "FailureReason": {"Message": "The CIDR has one or more allocations."},
                },
            ]
        },
        {"IpamPoolId": "ipam-pool-1"},
    ),
    (
        "release_ipam_pool_allocation",
        {"Success": True},
        {"IpamPoolId": "p", "Cidr": "10.0.0.0/24", "IpamPoolAllocationId": "a"},
    ),
    ("enable_ipam_organization_admin_account", {"Success": False}, {"DelegatedAdminAccountId": "012345678901"}),
    ("create_tags", {}, {"Resources": ["ipam-1"], "Tags": [{"Key": "a", "Value": "b"}]}),
]

RAM_ANSWERS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    (
        "get_resource_shares",
        {
            "resourceShares": [
                {
                    "resourceShareArn": SHARE_ARN,
                    "name": "ipamShare-012345678901",
                    "owningAccountId": "012345678901",
                    "allowExternalPrincipals": False,
                    "status": "ACTIVE",
                    "tags": [{"key": "a", "value": ""}],
                    "creationTime": CREATED,
                    "lastUpdatedTime": CREATED,
                }
            ]
        },
        {"resourceOwner": "SELF"},
    ),
    ("get_resource_shares", {"resourceShares": [], "nextToken": "more"}, {"resourceOwner": "SELF"}),
    ("delete_resource_share", {"returnValue": True, "clientToken": "t"}, {"resourceShareArn": SHARE_ARN}),
    (
        "associate_resource_share",
        {
            "resourceShareAssociations": [
                {
                    "resourceShareArn": SHARE_ARN,
                    "associatedEntity": "012345678901",
                    "associationType": "PRINCIPAL",
                    "status": "FAILED",
                    "statusMessage": "because",
                    "external": True,
                }
            ]
        },
        {"resourceShareArn": SHARE_ARN},
    ),
    ("tag_resource", {}, {"resourceShareArn": SHARE_ARN, "tags": []}),
    ("enable_sharing_with_aws_organization", {"returnValue": True}, {}),
]


@pytest.mark.parametrize(("method", "result", "params"), EC2_ANSWERS, ids=[method for method, _, _ in EC2_ANSWERS])
def test_an_answer_of_ec2_is_read_as_it_was_meant(method: str, result: dict[str, Any], params: dict[str, Any]) -> None:
    assert answer_read("ec2", method, result, **params) == result


@pytest.mark.parametrize(("method", "result", "params"), RAM_ANSWERS, ids=[method for method, _, _ in RAM_ANSWERS])
def test_an_answer_of_ram_is_read_as_it_was_meant(method: str, result: dict[str, Any], params: dict[str, Any]) -> None:
    assert answer_read("ram", method, result, **params) == result


def test_an_answer_with_a_name_that_aws_does_not_have_is_refused() -> None:
    with pytest.raises(TypeError, match="IpamPoolID"):
        protocol.answer("ec2", "DescribeIpamPools", {"IpamPools": [{"IpamPoolID": "ipam-pool-1"}]}, "request-1")


@pytest.mark.parametrize(
    ("service", "method", "error", "status"),
    [
        ("ec2", "describe_ipam_pools", AwsError("InvalidIpamPoolId.NotFound", "The pool <p> & co do not exist."), 400),
        ("ec2", "describe_ipam_pools", AwsError("RequestLimitExceeded", "Request limit exceeded.", 503), 503),
        ("ec2", "describe_ipam_pools", AwsError("InternalError", "An internal error has occurred", 500), 500),
        ("ram", "get_resource_shares", AwsError("UnknownResourceException", "No share “a”."), 400),
        ("ram", "get_resource_shares", AwsError("ThrottlingException", "Rate exceeded"), 429),
        ("ram", "get_resource_shares", AwsError("ServerInternalException", "We broke."), 500),
        ("ram", "get_resource_shares", AwsError("ServiceUnavailableException", "Later."), 503),
        ("ram", "get_resource_shares", AwsError("AccessDeniedException", "Not you.", 403), 403),
    ],
    ids=lambda value: value.code if isinstance(value, AwsError) else None,
)
def test_an_error_is_read_with_its_code_its_words_and_its_status(
    service: Service, method: str, error: AwsError, status: int
) -> None:
    client = wired(service, lambda action, _: protocol.refusal(service, action, error, "request-1"))
    params = {"resourceOwner": "SELF"} if service == "ram" else {}

    with pytest.raises(ClientError) as raised:
        getattr(client, method)(**params)

    assert raised.value.response["Error"] == {"Code": error.code, "Message": error.message}
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    assert raised.value.response["ResponseMetadata"]["RequestId"] == "request-1"


def test_ram_errors_are_the_exception_classes_that_boto3_offers() -> None:
    error = AwsError("UnknownResourceException", "No such share.")
    client = wired("ram", lambda action, _: protocol.refusal("ram", action, error, "request-1"))

    with pytest.raises(client.exceptions.UnknownResourceException):
        client.get_resource_shares(resourceOwner="SELF")


@pytest.mark.parametrize(
    ("method", "path", "action"),
    [
        ("POST", "/associateresourceshare", "AssociateResourceShare"),
        ("DELETE", "/deleteresourceshare", "DeleteResourceShare"),
        ("DELETE", "/deleteresourceshare/", "DeleteResourceShare"),
        ("POST", "/deleteresourceshare", None),
        ("GET", "/", None),
    ],
)
def test_ram_tells_its_actions_by_method_and_path(method: str, path: str, action: str | None) -> None:
    assert protocol.ram_action(method, path) == action
