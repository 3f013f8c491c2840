"""What the optional service control policy refuses when it is attached to an account."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from checkers.template_reader import read_template
from landing_zone.company import HOME_REGION, MANAGEMENT, NETWORKING, ORGANIZATIONAL_UNITS
from landing_zone.engine import Engine

TEMPLATE = Path(__file__).parents[2] / "templates/require-ipam-pool.template.yaml"
ACCOUNT = NETWORKING  # which may have an IPAM of its own


def policy() -> dict[str, Any]:
    """Return the policy as Organizations gets it."""
    template = read_template(TEMPLATE)
    content: dict[str, Any] = rendered(template["Resources"]["RequireIpamPool"]["Properties"]["Content"])
    return content


def rendered(value: Any) -> Any:
    if isinstance(value, list):
        return [rendered(item) for item in value]
    if isinstance(value, dict):
        if "Fn::Sub" in value:
            return value["Fn::Sub"].replace("${AWS::Partition}", "aws")
        return {str(key): rendered(item) for key, item in value.items()}
    return value


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with Engine.start(speed=1000) as engine:
        engine.set_up(MANAGEMENT, ORGANIZATIONAL_UNITS)
        iam = engine.client("iam", ACCOUNT)
        trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        iam.create_role(RoleName="team", AssumeRolePolicyDocument=document)
        iam.attach_role_policy(RoleName="team", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
        engine.attach_scp(ACCOUNT, policy())
        yield engine


def ec2(engine: Engine, role: str, caller: str) -> Any:
    arn = f"arn:aws:iam::{ACCOUNT}:role/{role}"
    credentials = engine.client("sts", caller).assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
    return engine.client_as("ec2", credentials)


@pytest.fixture(scope="module")
def team(engine: Engine) -> Any:
    return ec2(engine, "team", ACCOUNT)


@pytest.fixture(scope="module")
def pool_id(engine: Engine) -> str:
    client = engine.client("ec2", ACCOUNT)
    ipam = client.create_ipam(OperatingRegions=[{"RegionName": HOME_REGION}], Tier="advanced")["Ipam"]
    engine.advance(60)
    pool = client.create_ipam_pool(IpamScopeId=ipam["PrivateDefaultScopeId"], AddressFamily="ipv4", Locale=HOME_REGION)[
        "IpamPool"
    ]
    engine.advance(60)
    client.provision_ipam_pool_cidr(IpamPoolId=pool["IpamPoolId"], Cidr="10.0.0.0/16")
    engine.advance(60)
    return str(pool["IpamPoolId"])


def test_a_vpc_from_a_pool_is_allowed(team: Any, pool_id: str) -> None:
    assert team.create_vpc(Ipv4IpamPoolId=pool_id, Ipv4NetmaskLength=24)["Vpc"]["CidrBlock"] == "10.0.0.0/24"


def test_a_vpc_without_a_pool_is_refused(team: Any) -> None:
    with pytest.raises(ClientError, match="UnauthorizedOperation"):
        team.create_vpc(CidrBlock="10.9.0.0/24")


def test_a_default_vpc_is_refused(team: Any) -> None:
    with pytest.raises(ClientError, match="UnauthorizedOperation"):
        team.create_default_vpc()


def test_another_block_that_comes_from_no_pool_is_refused(team: Any, pool_id: str) -> None:
    vpc = team.create_vpc(Ipv4IpamPoolId=pool_id, Ipv4NetmaskLength=24)["Vpc"]

    with pytest.raises(ClientError, match="UnauthorizedOperation"):
        team.associate_vpc_cidr_block(VpcId=vpc["VpcId"], CidrBlock="10.9.0.0/24")


def test_control_tower_may_go_on_making_the_vpcs_of_new_accounts(engine: Engine) -> None:
    control_tower = ec2(engine, "AWSControlTowerExecution", MANAGEMENT)

    assert control_tower.create_vpc(CidrBlock="10.9.0.0/24")["Vpc"]["CidrBlock"] == "10.9.0.0/24"
