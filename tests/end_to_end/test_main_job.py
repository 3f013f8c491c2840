"""The whole job: pools, an account, its share, its VPC, a change, and the end. In this order, on one engine."""

from __future__ import annotations

from typing import Any

import pytest

from landing_zone import deployment, reading
from landing_zone.cli import AwsCli, AwsCliFailed
from landing_zone.company import APPS, NETWORKING, SHOP
from landing_zone.engine import Engine

WEST, EAST, IRELAND = "us-west-2", "us-east-1", "eu-west-1"
PROD = "ResourceType=vpc,Tags=[{Key=Env,Value=Prod OU}]"


@pytest.fixture(scope="module")
def shop(deployed: Engine) -> Engine:
    """An account that Account Factory has made in Prod OU, with its share."""
    deployed.vend(SHOP, "shop", "Prod OU")
    reading.eventually(lambda: reading.shares(deployed, SHOP))
    return deployed


def create_vpc(engine: Engine, pool: str, *words: str) -> Any:
    """As the team of the new account does, in us-west-2."""
    pool_id = next(found.pool_id for found in reading.pools(engine) if found.name == pool)
    cli = AwsCli(engine, SHOP, WEST)
    return cli.ask("ec2", "create-vpc", "--ipv4-ipam-pool-id", pool_id, "--ipv4-netmask-length", "24", *words)["Vpc"]


def test_there_is_a_pool_for_each_region_and_environment_with_the_right_block(deployed: Engine) -> None:
    assert {pool.name: (pool.cidr, pool.locale) for pool in reading.pools(deployed)} == {
        "landing-zone": ("192.168.0.0/16", "None"),
        "us-west-2": ("192.168.0.0/20", WEST),
        "us-west-2 Prod OU": ("192.168.0.0/21", WEST),
        "us-west-2 SDLC OU": ("192.168.8.0/21", WEST),
        "us-east-1": ("192.168.16.0/20", EAST),
        "us-east-1 Prod OU": ("192.168.16.0/21", EAST),
        "us-east-1 SDLC OU": ("192.168.24.0/21", EAST),
    }


def test_a_vpc_must_carry_the_name_of_the_ou_and_every_pool_says_what_it_is_for(deployed: Engine) -> None:
    pools = {pool.name: pool for pool in reading.pools(deployed)}
    environment, region = pools["us-west-2 Prod OU"], pools["us-west-2"]

    assert (environment.required_tags, region.required_tags) == ({"Env": "Prod OU"}, {})
    assert environment.description == "Prod OU in us-west-2"
    assert environment.tags["ctipam:region"] == WEST
    assert environment.tags["ctipam:environment"] == "Prod OU"
    assert environment.tags["ctipam:stack-id"].startswith(f"arn:aws:cloudformation:{EAST}:{NETWORKING}:stack/StackSet-")


def test_an_account_that_was_there_before_has_its_pools(deployed: Engine) -> None:
    (share,) = reading.eventually(lambda: reading.shares(deployed, APPS))

    assert share.pools == ["us-east-1 SDLC OU", "us-west-2 SDLC OU"]


def test_a_new_account_gets_one_share_with_exactly_the_pools_of_its_ou_and_closed_to_outsiders(shop: Engine) -> None:
    (share,) = reading.shares(shop, SHOP)

    assert share == reading.ReadShare(
        name=f"ipamShare-{SHOP}",
        external_principals=False,
        pools=["us-east-1 Prod OU", "us-west-2 Prod OU"],
        principals=[SHOP],
    )


def test_an_event_that_comes_twice_changes_nothing(shop: Engine) -> None:
    shop.update(SHOP)
    shop.update(SHOP)
    shop.vend("000000000007", "later", "Prod OU")  # handled after the two
    reading.eventually(lambda: reading.shares(shop, "000000000007"))

    assert len(reading.shares(shop, SHOP)) == 1


def test_an_account_that_could_not_be_created_gets_nothing(shop: Engine) -> None:
    shop.vend("000000000008", "broken", "Prod OU", state="FAILED")
    shop.vend("000000000009", "whole", "Prod OU")
    reading.eventually(lambda: reading.shares(shop, "000000000009"))

    assert reading.shares(shop, "000000000008") == []


def test_a_vpc_without_the_tag_is_refused(shop: Engine) -> None:
    with pytest.raises(AwsCliFailed, match="missing one or more of the resource tags required by the IPAM pool"):
        create_vpc(shop, "us-west-2 Prod OU")


def test_a_vpc_from_the_pool_of_another_ou_is_refused(shop: Engine) -> None:
    with pytest.raises(AwsCliFailed, match=r"InvalidIpamPoolId\.NotFound"):
        create_vpc(shop, "us-west-2 SDLC OU", "--tag-specifications", PROD)


def test_a_vpc_from_the_accounts_own_pool_gets_the_first_block_of_it(shop: Engine) -> None:
    vpc = create_vpc(shop, "us-west-2 Prod OU", "--tag-specifications", PROD)

    assert vpc["CidrBlock"] == "192.168.0.0/24"


def test_a_region_added_later_moves_nothing_and_reaches_the_accounts_that_are_there(shop: Engine) -> None:
    before = {pool.pool_id: pool.cidr for pool in reading.pools(shop)}

    status = deployment.apply(shop, "update-stack", RegionSelection=f"{IRELAND},{WEST},{EAST}")

    assert status == "UPDATE_COMPLETE", deployment.failures(shop)
    after = {pool.pool_id: pool.cidr for pool in reading.pools(shop)}
    assert before.items() <= after.items()
    assert len(after) == len(before) + 3
    assert reading.shares(shop, SHOP)[0].pools == ["eu-west-1 Prod OU", "us-east-1 Prod OU", "us-west-2 Prod OU"]


def test_when_the_vpcs_are_gone_the_stack_can_be_deleted_and_nothing_is_left(shop: Engine) -> None:
    ec2 = shop.client("ec2", SHOP, WEST)
    for vpc in ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["false"]}])["Vpcs"]:
        ec2.delete_vpc(VpcId=vpc["VpcId"])
    shop.advance(1200)  # the most that IPAM takes to let go of a VPC's block

    status = deployment.delete(shop)

    assert status == "DELETE_COMPLETE", deployment.failures(shop)
    assert set(reading.left_over(shop).values()) == {0}, reading.left_over(shop)
