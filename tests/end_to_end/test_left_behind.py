"""What a deletion has to leave is told, is found again by the next deployment, and goes when it is no longer in use.

In this order, on one engine. The stack has a tag that a service control policy demands of everything that it makes.
"""

from __future__ import annotations

import pytest

from landing_zone import deployment, permissions, reading, release
from landing_zone.cli import AwsCli
from landing_zone.company import APPS, MANAGEMENT, NETWORKING, SHOP, STACK
from landing_zone.engine import Engine
from landing_zone.inbox import Inbox

WEST = "us-west-2"
TAGS = {"CostCenter": "4711"}
UNTAGGED = {"aws:RequestTag/CostCenter": "true"}
DEMAND_TAG = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Deny",
            "Action": ["ec2:CreateIpam", "ram:CreateResourceShare"],
            "Resource": "*",
            "Condition": {"Null": UNTAGGED},
        },
        {
            "Effect": "Deny",
            "Action": "ec2:CreateIpamPool",
            "Resource": "arn:aws:ec2::*:ipam-pool/*",
            # IAM also asks about the parent of a new pool, which the request does not tag.
            "Condition": {"Null": UNTAGGED | {"aws:ResourceTag/ctipam:stack-id": "true"}},
        },
    ],
}


def create(engine: Engine, stack: str = STACK) -> str:
    return deployment.apply(engine, "create-stack", stack=stack, tags=TAGS)


def ipam_ids(engine: Engine) -> list[str]:
    ipams = engine.client("ec2", NETWORKING).describe_ipams()["Ipams"]
    return [ipam["IpamId"] for ipam in ipams if not ipam["State"].startswith("delete")]


@pytest.fixture(scope="module")
def first(uploaded: Engine) -> Engine:
    """Deploy with a tag, under a policy that demands it."""
    uploaded.attach_scp("Infrastructure", DEMAND_TAG)
    status = create(uploaded)
    assert status == "CREATE_COMPLETE", deployment.failures(uploaded)
    return uploaded


@pytest.fixture(scope="module")
def built(first: Engine) -> tuple[dict[str, str], list[str]]:
    """Return the ids of the pools, by name, and of the IPAM."""
    return reading.pool_ids(first), ipam_ids(first)


@pytest.fixture(scope="module")
def vpc(first: Engine, built: tuple[dict[str, str], list[str]]) -> dict[str, str]:
    """Create a VPC in a new account."""
    pools, _ = built
    first.vend(SHOP, "shop", "Prod OU")
    reading.eventually(lambda: reading.shares(first, SHOP))
    created: dict[str, str] = AwsCli(first, SHOP, WEST).ask(
        *("ec2", "create-vpc", "--ipv4-ipam-pool-id", pools["us-west-2 Prod OU"], "--ipv4-netmask-length", "24"),
        *("--tag-specifications", "ResourceType=vpc,Tags=[{Key=Env,Value=Prod OU}]"),
    )["Vpc"]
    return created


def test_the_pools_the_ipam_and_the_shares_carry_the_tags_of_the_stack(first: Engine) -> None:
    reading.eventually(lambda: reading.shares(first, APPS))
    (ipam,) = first.client("ec2", NETWORKING).describe_ipams()["Ipams"]
    shares = first.client("ram", NETWORKING).get_resource_shares(resourceOwner="SELF")["resourceShares"]

    assert {pool.tags.get("CostCenter") for pool in reading.pools(first)} == {"4711"}
    assert {"Key": "CostCenter", "Value": "4711"} in ipam["Tags"]
    assert shares
    assert all({"key": "CostCenter", "value": "4711"} in share["tags"] for share in shares)


def test_a_second_stack_is_refused_in_words_and_touches_nothing_of_the_first(first: Engine) -> None:
    before = reading.addresses(first, APPS, WEST)

    status = create(first, stack="second")
    told = deployment.failures(first)
    deleted = deployment.delete(first, stack="second")

    assert status == "ROLLBACK_COMPLETE"
    assert any("already manages the pools of this organization" in failure for failure in told), told
    assert deleted == "DELETE_COMPLETE"
    assert reading.addresses(first, APPS, WEST) == before
    assert len(first.client("cloudformation", NETWORKING).describe_stacks()["Stacks"]) == 1


def test_a_deletion_ends_leaves_what_a_vpc_uses_and_tells_which_vpc_that_is(
    first: Engine, built: tuple[dict[str, str], list[str]], vpc: dict[str, str]
) -> None:
    (topic,) = first.client("sns", NETWORKING).list_topics()["Topics"]
    inbox = Inbox(first, NETWORKING, topic["TopicArn"])
    roles = permissions.roles(first)

    status = deployment.delete(first)

    pools, ipam = built
    kept = ("landing-zone", "us-west-2", "us-west-2 Prod OU")
    assert status == "DELETE_COMPLETE", deployment.failures(first)
    left = {"stacks": 0, "functions": 0, "log groups": 0, "shares": 0, "pools": 3, "IPAMs": 1}
    assert reading.left_over(first) == left
    assert reading.pool_ids(first) == {name: pools[name] for name in kept}
    assert ipam_ids(first) == ipam
    message = inbox.next()
    assert vpc["VpcId"] in message
    assert vpc["CidrBlock"] in message
    assert SHOP in message
    assert inbox.is_empty()  # one message tells all
    assert permissions.unused_for_recovery(first, roles, "IpamFunctionRole") == []


def test_the_next_deployment_takes_over_what_was_left(
    first: Engine, built: tuple[dict[str, str], list[str]], vpc: dict[str, str]
) -> None:
    first.client("ec2", SHOP, WEST).delete_vpc(VpcId=vpc["VpcId"])
    first.advance(1800)  # as long as IPAM takes to let go of a VPC's block
    left = reading.pool_ids(first)

    status = create(first)

    pools, ipam = built
    assert status == "CREATE_COMPLETE", deployment.failures(first)
    assert reading.pool_ids(first).keys() == pools.keys()
    assert reading.pool_ids(first).items() >= left.items()
    assert ipam_ids(first) == ipam
    (stack,) = first.client("cloudformation", NETWORKING).describe_stacks()["Stacks"]
    assert {pool.tags["ctipam:stack-id"] for pool in reading.pools(first)} == {stack["StackId"]}


def test_an_upgrade_succeeds_after_the_execution_role_was_made_again(
    first: Engine, tmp_path_factory: pytest.TempPathFactory
) -> None:
    next_release = release.make(tmp_path_factory.mktemp("next"), "1.0.1")
    release.upload(first, next_release)
    first.remove_execution_role(NETWORKING)
    first.make_execution_role(NETWORKING)
    before = reading.pool_ids(first)

    parameters = next_release.parameters
    status = deployment.apply(first, "update-stack", template=next_release.template, tags=TAGS, **parameters)

    assert status == "UPDATE_COMPLETE", deployment.failures(first)
    assert release.code_of_functions(first) == next_release.code
    assert reading.pool_ids(first) == before


def test_then_a_deletion_leaves_nothing(first: Engine) -> None:
    status = deployment.delete(first)

    assert status == "DELETE_COMPLETE", deployment.failures(first)
    assert set(reading.left_over(first).values()) == {0}, reading.left_over(first)
    assert first.client("cloudformation", MANAGEMENT).describe_stacks()["Stacks"] == []
