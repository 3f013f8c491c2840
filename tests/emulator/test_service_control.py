"""Service control policies and Regions that are not enabled: who is denied what, and with which message.

Sources  https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps.html
         https://docs.aws.amazon.com/controltower/latest/userguide/primary-region-deny-policy.html
         https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.exceptions import ClientError

from landing_zone.company import HOME_REGION, REGION_DENY
from landing_zone.engine import Engine, EngineFailed

MANAGEMENT, NETWORK, APPS = "111111111111", "222222222222", "333333333333"
GOVERNED, DENIED = HOME_REGION, "eu-west-1"


def deny(action: str, **condition: Any) -> dict[str, Any]:
    statement = {"Effect": "Deny", "Action": action, "Resource": "*", "Condition": condition}
    return {"Version": "2012-10-17", "Statement": [statement]}


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    inner = {"name": "Inner", "accounts": [{"id": APPS, "name": "apps"}]}
    with Engine.start(speed=1000) as engine:
        engine.set_up(
            MANAGEMENT,
            [
                {"name": "Infrastructure", "accounts": [{"id": NETWORK, "name": "network"}]},
                {"name": "Outer", "organizational_units": [inner]},
            ],
        )
        yield engine


@contextmanager
def attached(engine: Engine, target: str, policy: dict[str, Any]) -> Iterator[str]:
    policy_id = engine.attach_scp(target, policy)
    try:
        yield policy_id
    finally:
        engine.detach_scp(policy_id, target)


def ec2_of_execution_role(engine: Engine, region: str) -> Any:
    arn = f"arn:aws:iam::{NETWORK}:role/AWSControlTowerExecution"
    credentials = engine.client("sts", MANAGEMENT).assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
    return engine.client_as("ec2", credentials, region)


def refusal(call: Any, **arguments: Any) -> dict[str, str]:
    with pytest.raises(ClientError) as refused:
        call(**arguments)
    error = refused.value.response["Error"]
    return {"Code": error["Code"], "Message": error["Message"]}


def test_region_deny_refuses_every_principal_but_control_towers_role(engine: Engine) -> None:
    with attached(engine, "Infrastructure", REGION_DENY) as policy_id:
        denied = engine.client("ec2", NETWORK, DENIED)
        error = refusal(denied.get_ipam_pool_allocations, IpamPoolId="ipam-pool-0123456789abcdef0")
        assert error["Code"] == "UnauthorizedOperation"
        assert error["Message"].startswith(
            f"You are not authorized to perform this operation. User: arn:aws:iam::{NETWORK}:root is not authorized to "
            "perform: ec2:GetIpamPoolAllocations on resource: "
        )
        assert "with an explicit deny in a service control policy: arn:aws:organizations::" in error["Message"]
        assert policy_id in error["Message"]
        assert refusal(denied.describe_vpcs)["Code"] == "UnauthorizedOperation"  # a call that ministack answers
        assert refusal(engine.client("ram", NETWORK, DENIED).get_resource_shares, resourceOwner="SELF")["Code"] == (
            "AccessDeniedException"
        )

        assert denied.describe_regions()["Regions"]
        assert ec2_of_execution_role(engine, DENIED).describe_vpcs()["Vpcs"] is not None
        assert engine.client("ec2", NETWORK, GOVERNED).describe_vpcs()["Vpcs"] is not None
        assert engine.client("iam", NETWORK, DENIED).list_roles()["Roles"]  # iam's requested Region is us-east-1
        assert engine.client("ec2", MANAGEMENT, DENIED).describe_vpcs()["Vpcs"] is not None
        assert engine.client("ec2", APPS, DENIED).describe_vpcs()["Vpcs"] is not None
    assert engine.client("ec2", NETWORK, DENIED).describe_vpcs()["Vpcs"] is not None


@pytest.mark.parametrize("target", ["Outer", "Inner", APPS])
def test_a_policy_reaches_the_accounts_below_its_target(engine: Engine, target: str) -> None:
    with attached(engine, target, deny("ec2:DescribeVpcs")):
        assert refusal(engine.client("ec2", APPS).describe_vpcs)["Code"] == "UnauthorizedOperation"
        assert engine.client("ec2", NETWORK).describe_vpcs()["Vpcs"] is not None


def test_a_policy_that_demands_a_tag_refuses_creations_without_it(engine: Engine) -> None:
    ec2, ram = engine.client("ec2", NETWORK), engine.client("ram", NETWORK)
    missing = {"Null": {"aws:RequestTag/CostCenter": "true"}}
    tag = {"Key": "CostCenter", "Value": "42"}

    with attached(engine, NETWORK, deny("ec2:CreateIpam", **missing)):
        assert refusal(ec2.create_ipam)["Code"] == "UnauthorizedOperation"
        ipam = ec2.create_ipam(TagSpecifications=[{"ResourceType": "ipam", "Tags": [tag]}])["Ipam"]
        assert ipam["Tags"] == [tag]
    with attached(engine, NETWORK, deny("ram:CreateResourceShare", **missing)):
        error = refusal(ram.create_resource_share, name="untagged")
        assert error["Code"] == "AccessDeniedException"
        assert "ram:CreateResourceShare" in error["Message"]
        assert "with an explicit deny in a service control policy" in error["Message"]


def test_what_a_policy_denied_a_role_is_not_told_as_used(engine: Engine) -> None:
    with attached(engine, NETWORK, deny("ec2:DescribeAddresses")):
        refusal(ec2_of_execution_role(engine, GOVERNED).describe_addresses)

    used = engine.used_permissions().get(f"arn:aws:iam::{NETWORK}:role/AWSControlTowerExecution", [])
    assert "ec2:DescribeAddresses" not in used


def test_a_condition_operator_that_is_not_modeled_is_refused(engine: Engine) -> None:
    with pytest.raises(EngineFailed, match="The condition operator StringMatches is not modeled"):
        engine.attach_scp(NETWORK, deny("ec2:*", StringMatches={"aws:PrincipalArn": "*"}))


def test_the_landing_zone_tells_which_regions_it_governs(engine: Engine) -> None:
    engine.govern([GOVERNED])
    tower = engine.client("controltower", MANAGEMENT)
    [zone] = tower.list_landing_zones()["landingZones"]

    manifest = tower.get_landing_zone(landingZoneIdentifier=zone["arn"])["landingZone"]["manifest"]

    assert manifest["governedRegions"] == [GOVERNED]
    error = refusal(engine.client("controltower", NETWORK).get_landing_zone, landingZoneIdentifier=zone["arn"])
    assert error["Code"] == "ResourceNotFoundException"


def test_ec2_refuses_credentials_in_a_region_that_the_account_has_not_enabled(engine: Engine) -> None:
    engine.disable_region(NETWORK, "af-south-1")

    ec2 = engine.client("ec2", NETWORK, "af-south-1")
    for call in (ec2.describe_vpcs, ec2.describe_ipam_pools):
        error = refusal(call)
        assert error["Code"] == "AuthFailure"
        assert error["Message"] == "AWS was not able to validate the provided access credentials"
    assert engine.client("ec2", APPS, "af-south-1").describe_vpcs()["Vpcs"] is not None


def test_every_target_lists_the_policy_that_allows_everything_and_those_attached_to_it(engine: Engine) -> None:
    organizations = engine.client("organizations", MANAGEMENT)

    with attached(engine, NETWORK, REGION_DENY) as policy_id:
        answer = organizations.list_policies_for_target(TargetId=NETWORK, Filter="SERVICE_CONTROL_POLICY")

    assert [policy["Id"] for policy in answer["Policies"]] == ["p-FullAWSAccess", policy_id]


def test_the_organization_lists_the_services_that_it_trusts(engine: Engine) -> None:
    organizations = engine.client("organizations", MANAGEMENT)
    organizations.enable_aws_service_access(ServicePrincipal="ram.amazonaws.com")

    trusted = organizations.list_aws_service_access_for_organization()["EnabledServicePrincipals"]

    assert [service["ServicePrincipal"] for service in trusted] == ["ram.amazonaws.com"]
