"""A second opinion: moto has a RAM of its own. It answers as our model does, or a line says why it does not."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from aws_models.clients import Cloud
from aws_models.clock import ManualClock
from aws_models.models import Models
from aws_models.organization import Organization

HOME = "us-east-1"
MANAGEMENT, NETWORKING, MEMBER, STRANGER = "111122223333", "123456789012", "012345678901", "999999999999"
"""NETWORKING is moto's default account."""

UNKNOWN = f"arn:aws:ram:{HOME}:{NETWORKING}:resource-share/00000000-0000-0000-0000-000000000000"
POOL = f"arn:aws:ec2::{NETWORKING}:ipam-pool/ipam-pool-0123456789abcdef0"
CLOSED = {"name": "ipamShare-012345678901", "allowExternalPrincipals": False}
LISTED = {"name": "ipamShare-012345678901", "owningAccountId": NETWORKING, "status": "ACTIVE"}

MADE_UP = {"ResponseMetadata", "clientToken", "creationTime", "lastUpdatedTime", "resourceShareArn"}
LEFT_OUT_BY_MOTO = {"featureSet", "tags"}

Request = tuple[str, dict[str, Any]]
"""A method of boto3's client, and its arguments. "the share" stands for the ARN of a share that exists."""

THE_SAME: list[Request] = [
    ("create_resource_share", {"name": "another"}),
    ("create_resource_share", CLOSED),
    ("create_resource_share", {"name": "a share", "principals": ["everybody"]}),
    ("create_resource_share", {"name": "a share", "resourceArns": ["arn:aws:ec2"]}),
    ("update_resource_share", {"resourceShareArn": "the share", "name": "b", "allowExternalPrincipals": True}),
    ("update_resource_share", {"resourceShareArn": UNKNOWN, "name": "b", "allowExternalPrincipals": True}),
    ("delete_resource_share", {"resourceShareArn": "the share"}),
    ("delete_resource_share", {"resourceShareArn": UNKNOWN}),
    ("get_resource_shares", {"resourceOwner": "SELF"}),
    ("get_resource_shares", {"resourceOwner": "MINE"}),
    ("get_resource_share_associations", {"associationType": "RESOURCE"}),
    ("get_resource_share_associations", {"associationType": "ACCOUNT"}),
    ("get_resource_share_associations", {"associationType": "RESOURCE", "principal": MEMBER}),
    ("get_resource_share_associations", {"associationType": "PRINCIPAL", "resourceArn": POOL}),
    ("get_resource_share_associations", {"associationType": "PRINCIPAL", "associationStatus": "GONE"}),
    ("enable_sharing_with_aws_organization", {}),
]

DIFFERENT: dict[str, tuple[Request, Any, Any]] = {
    "moto ignores names": (
        ("get_resource_shares", {"resourceOwner": "SELF", "name": "another"}),
        {"resourceShares": []},
        {"resourceShares": [LISTED | {"allowExternalPrincipals": False}]},
    ),
    "moto ignores shares that do not exist": (
        ("get_resource_share_associations", {"associationType": "RESOURCE", "resourceShareArns": [UNKNOWN]}),
        "UnknownResourceException",
        {"resourceShareAssociations": []},
    ),
    "moto looks for what is no ARN": (
        ("delete_resource_share", {"resourceShareArn": "ipamShare-012345678901"}),
        "MalformedArnException",
        "UnknownResourceException",
    ),
    "moto opens a share that is only renamed": (
        ("update_resource_share", {"resourceShareArn": "the share", "name": "b"}),
        {"resourceShare": LISTED | {"name": "b", "allowExternalPrincipals": False}},
        {"resourceShare": LISTED | {"name": "b", "allowExternalPrincipals": True}},
    ),
    "moto accepts any name": (
        ("create_resource_share", {"name": "a/b"}),
        "InvalidParameterException",
        {"resourceShare": LISTED | {"name": "a/b", "allowExternalPrincipals": True}},
    ),
    "moto does not know that IPAM pools can be shared": (
        ("create_resource_share", CLOSED | {"resourceArns": [POOL]}),
        "UnknownResourceException",
        "MalformedArnException",
    ),
    "moto shares with accounts outside the organization": (
        ("create_resource_share", CLOSED | {"principals": [STRANGER]}),
        "InvalidParameterException",
        {"resourceShare": LISTED | {"allowExternalPrincipals": False}},
    ),
    "moto ignores client tokens": (
        ("create_resource_share", CLOSED | {"clientToken": "x" * 65}),
        "InvalidClientTokenException",
        {"resourceShare": LISTED | {"allowExternalPrincipals": False}},
    ),
}


@pytest.mark.parametrize("request_", THE_SAME, ids=str)
def test_moto_answers_as_our_model_does(request_: Request) -> None:
    assert of_moto(*request_) == of_our_model(*request_)


@pytest.mark.parametrize(("request_", "ours", "motos"), DIFFERENT.values(), ids=DIFFERENT)
def test_where_moto_answers_otherwise_the_reason_is_known(request_: Request, ours: Any, motos: Any) -> None:
    assert of_our_model(*request_) == ours
    assert of_moto(*request_) == motos


def of_our_model(method: str, arguments: dict[str, Any]) -> Any:
    organization = Organization(MANAGEMENT, lambda: [MANAGEMENT, NETWORKING, MEMBER])
    organization.ram_sharing_enabled = True
    clock = ManualClock()
    cloud = Cloud(Models(clock, organization))
    return _outcome(cloud.session(NETWORKING).client("ram", region_name=HOME), method, arguments, clock)


def of_moto(method: str, arguments: dict[str, Any]) -> Any:
    with mock_aws():
        return _outcome(boto3.client("ram", region_name=HOME), method, arguments, ManualClock())


def _outcome(ram: Any, method: str, arguments: dict[str, Any], clock: ManualClock) -> Any:
    """Return what can be compared of the answer, or the code of the error."""
    share = ram.create_resource_share(**CLOSED)["resourceShare"]["resourceShareArn"]
    clock.advance(30)  # our model lists a share late
    given = {name: share if value == "the share" else value for name, value in arguments.items()}
    try:
        return _comparable(getattr(ram, method)(**given))
    except ClientError as error:
        return error.response["Error"]["Code"]


def _comparable(answer: Any) -> Any:
    if isinstance(answer, list):
        return [_comparable(one) for one in answer]
    if isinstance(answer, dict):
        return {name: _comparable(value) for name, value in answer.items() if name not in MADE_UP | LEFT_OUT_BY_MOTO}
    return answer
