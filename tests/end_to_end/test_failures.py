"""A wrong parameter fails the stack with a clear reason, and the rollback leaves nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from ctipam.names import execution_role_arn
from ctipam.sharing.session_policy import session_policy
from landing_zone import deployment, reading
from landing_zone.cli import AwsCliFailed
from landing_zone.company import APPS, HOME_REGION, MANAGEMENT, NETWORKING
from landing_zone.engine import Engine


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"NetworkAccountId": APPS}, "has no role AWSControlTowerExecution that this account may assume"),
        ({"AccEnvName": "a,b,c"}, "No room for us-west-2/c"),
    ],
    ids=["an account that is not enrolled", "more environments than fit"],
)
def test_a_wrong_parameter_is_told_and_nothing_is_left(
    uploaded: Engine, parameters: dict[str, str], reason: str
) -> None:
    if parameters.get("NetworkAccountId") == APPS:
        lose_execution_role(uploaded, APPS)

    status = deployment.apply(uploaded, "create-stack", **parameters)

    assert status == "ROLLBACK_COMPLETE", deployment.failures(uploaded)
    assert any(reason in failure for failure in deployment.failures(uploaded)), deployment.failures(uploaded)
    assert deployment.delete(uploaded) == "DELETE_COMPLETE"
    assert set(reading.left_over(uploaded).values()) == {0}, reading.left_over(uploaded)


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"NetworkAccountId": MANAGEMENT}, "NetworkAccountId is the management account, which cannot administer IPAM"),
        ({"AccPoolPrefixLength": "20"}, "AccPoolPrefixLength must be longer than IpamPoolPrefixLength"),
    ],
    ids=["the management account", "prefix lengths that are equal"],
)
def test_parameters_that_do_not_agree_are_refused_before_there_is_a_stack(
    uploaded: Engine, parameters: dict[str, str], reason: str
) -> None:
    with pytest.raises(AwsCliFailed, match=reason):
        deployment.apply(uploaded, "create-stack", **parameters)


def lose_execution_role(engine: Engine, account_id: str) -> None:
    iam = engine.client("iam", account_id)
    for policy in iam.list_attached_role_policies(RoleName="AWSControlTowerExecution")["AttachedPolicies"]:
        iam.detach_role_policy(RoleName="AWSControlTowerExecution", PolicyArn=policy["PolicyArn"])
    iam.delete_role(RoleName="AWSControlTowerExecution")


def test_a_session_in_the_networking_account_may_share_pools_and_nothing_else(uploaded: Engine) -> None:
    policy = session_policy("aws", HOME_REGION, NETWORKING, "share")
    credentials = uploaded.client("sts", MANAGEMENT).assume_role(
        RoleArn=execution_role_arn("aws", NETWORKING),
        RoleSessionName="share-ipam-pools",
        Policy=json.dumps(policy),
    )["Credentials"]
    ec2, ram, iam = (uploaded.client_as(service, credentials, HOME_REGION) for service in ("ec2", "ram", "iam"))
    denied = "UnauthorizedOperation|AccessDenied"

    assert ec2.describe_ipam_pools()["IpamPools"] == []
    refused: list[Callable[[], Any]] = [
        lambda: ec2.describe_vpcs(),
        lambda: ec2.create_ipam(),
        lambda: ram.create_resource_share(name="ipamShare-012345678901", allowExternalPrincipals=True),
        lambda: iam.list_roles(),
    ]
    for forbidden in refused:
        with pytest.raises(ClientError, match=denied):
            forbidden()
