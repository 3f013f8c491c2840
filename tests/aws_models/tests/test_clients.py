"""Plain boto3 clients reach the models, and nothing else."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from botocore.exceptions import ClientError

from aws_models.clients import Cloud
from aws_models.clock import ManualClock
from aws_models.models import Models
from aws_models.organization import Organization

MANAGEMENT, NETWORKING, MEMBER = "111122223333", "444455556666", "012345678901"
HOME, WEST = "us-east-1", "us-west-2"


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("a client opened a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture
def cloud() -> Cloud:
    organization = Organization(MANAGEMENT, lambda: [MANAGEMENT, NETWORKING, MEMBER])
    return Cloud(Models(ManualClock(), organization))


@pytest.fixture
def leaf(cloud: Cloud) -> str:
    """Return the id of a pool in WEST that asks for the tag Env=Prod."""
    ec2 = cloud.session(NETWORKING).client("ec2")
    scope = ec2.create_ipam(OperatingRegions=[{"RegionName": WEST}])["Ipam"]["PrivateDefaultScopeId"]
    cloud.models.clock.advance(30)
    required = [{"Key": "Env", "Value": "Prod"}]
    pool: str = ec2.create_ipam_pool(
        IpamScopeId=scope, AddressFamily="ipv4", Locale=WEST, AllocationResourceTags=required
    )["IpamPool"]["IpamPoolId"]
    cloud.models.clock.advance(30)
    ec2.provision_ipam_pool_cidr(IpamPoolId=pool, Cidr="10.0.0.0/20")
    cloud.models.clock.advance(30)
    return pool


def vpc_tags(**tags: str) -> list[dict[str, Any]]:
    return [{"ResourceType": "vpc", "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}]


def test_a_client_is_its_account_in_its_region(cloud: Cloud) -> None:
    assert cloud.session(MEMBER).client("sts").get_caller_identity()["Account"] == MEMBER

    cloud.session(NETWORKING).client("ec2", region_name=HOME).create_ipam()
    cloud.models.clock.advance(1)

    assert len(cloud.session(NETWORKING).client("ec2", region_name=HOME).describe_ipams()["Ipams"]) == 1
    assert cloud.session(NETWORKING).client("ec2", region_name=WEST).describe_ipams()["Ipams"] == []
    assert cloud.session(MEMBER).client("ec2", region_name=HOME).describe_ipams()["Ipams"] == []


def test_a_vpc_has_an_address_of_its_pool_until_it_is_deleted(cloud: Cloud, leaf: str) -> None:
    west = cloud.session(NETWORKING).client("ec2", region_name=WEST)

    made = west.create_vpc(Ipv4IpamPoolId=leaf, Ipv4NetmaskLength=24, TagSpecifications=vpc_tags(Env="Prod"))["Vpc"]

    assert made["CidrBlock"] == "10.0.0.0/24"
    by_tag = [{"Name": "tag:Env", "Values": ["Prod"]}]
    assert [vpc["VpcId"] for vpc in west.describe_vpcs(Filters=by_tag)["Vpcs"]] == [made["VpcId"]]
    cloud.models.clock.advance(1)
    assert [row["ResourceId"] for row in allocations(west, leaf)] == [made["VpcId"]]

    west.delete_vpc(VpcId=made["VpcId"])
    cloud.models.clock.advance(1801)

    assert west.describe_vpcs()["Vpcs"] == []
    assert allocations(west, leaf) == []


def allocations(ec2: Any, pool_id: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = ec2.get_ipam_pool_allocations(IpamPoolId=pool_id)["IpamPoolAllocations"]
    return rows


def test_a_refused_vpc_leaves_nothing(cloud: Cloud, leaf: str) -> None:
    west = cloud.session(NETWORKING).client("ec2", region_name=WEST)

    with pytest.raises(ClientError) as refused:
        west.create_vpc(Ipv4IpamPoolId=leaf, Ipv4NetmaskLength=24)

    assert "missing one or more of the resource tags" in refused.value.response["Error"]["Message"]
    assert (west.describe_vpcs()["Vpcs"], allocations(west, leaf)) == ([], [])


@pytest.mark.parametrize("account_and_region", [(MEMBER, WEST), (NETWORKING, HOME)], ids=["account", "region"])
def test_a_vpc_does_not_exist_for_another(cloud: Cloud, leaf: str, account_and_region: tuple[str, str]) -> None:
    west = cloud.session(NETWORKING).client("ec2", region_name=WEST)
    vpc_id = west.create_vpc(Ipv4IpamPoolId=leaf, Ipv4NetmaskLength=24, TagSpecifications=vpc_tags(Env="Prod"))["Vpc"][
        "VpcId"
    ]
    account_id, region = account_and_region

    with pytest.raises(ClientError, match=r"InvalidVpcID\.NotFound"):
        cloud.session(account_id).client("ec2", region_name=region).delete_vpc(VpcId=vpc_id)


def test_pools_are_tagged_and_untagged(cloud: Cloud, leaf: str) -> None:
    ec2 = cloud.session(NETWORKING).client("ec2")

    ec2.create_tags(Resources=[leaf], Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    ec2.delete_tags(Resources=[leaf], Tags=[{"Key": "a"}])

    (pool,) = ec2.describe_ipam_pools(IpamPoolIds=[leaf])["IpamPools"]
    assert pool["Tags"] == [{"Key": "b", "Value": "2"}]


@pytest.mark.parametrize(
    ("service", "method", "params"),
    [
        ("ec2", "describe_subnets", {}),
        ("ec2", "create_vpc", {"CidrBlock": "10.0.0.0/16"}),
        ("ec2", "create_tags", {"Resources": ["vpc-1"], "Tags": []}),
        ("ram", "list_permissions", {}),
        ("sts", "get_session_token", {}),
        ("s3", "list_buckets", {}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_not_modeled_is_not_sent(cloud: Cloud, service: str, method: str, params: dict[str, Any]) -> None:
    client = cloud.session(NETWORKING).client(service)

    with pytest.raises(NotImplementedError):
        getattr(client, method)(**params)
