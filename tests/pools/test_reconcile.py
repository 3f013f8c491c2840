"""Custom::InitPools, as CloudFormation asks for it."""

from __future__ import annotations

from typing import Any

BUILT = {
    "us-west-2": "192.168.0.0/20",
    "us-west-2 Prod OU": "192.168.0.0/21",
    "us-west-2 SDLC OU": "192.168.8.0/21",
    "us-east-1": "192.168.16.0/20",
    "us-east-1 Prod OU": "192.168.16.0/21",
    "us-east-1 SDLC OU": "192.168.24.0/21",
}


def test_create_builds_a_pool_for_each_region_and_environment_in_the_order_given(networking: Any) -> None:
    answer = networking.create()

    assert answer["Status"] == "SUCCESS", answer["Reason"]
    assert networking.pools() == BUILT
    assert answer["Data"] == {"TopLevelPoolId": networking.top_pool_id, "PoolCount": "7"}


def test_environment_pools_demand_the_tag_of_their_ou_and_region_pools_demand_none(networking: Any) -> None:
    networking.create()

    rules = {
        pool["Description"]: pool.get("AllocationResourceTags", [])
        for page in networking.ec2.get_paginator("describe_ipam_pools").paginate()
        for pool in page["IpamPools"]
        if "Description" in pool
    }
    assert rules["Prod OU in us-west-2"] == [{"Key": "Env", "Value": "Prod OU"}]
    assert rules["All environments in us-west-2"] == []


def test_an_update_that_changes_nothing_changes_nothing(networking: Any) -> None:
    created = networking.create()

    answer = networking.ask("Update")

    assert (answer["Status"], networking.pools()) == ("SUCCESS", BUILT)
    assert answer["PhysicalResourceId"] == created["PhysicalResourceId"]


def test_delete_leaves_nothing_below_the_top_level_pool(networking: Any) -> None:
    networking.create()

    assert networking.ask("Delete")["Status"] == "SUCCESS"
    assert networking.pools() == {}


def test_delete_of_what_is_gone_succeeds(networking: Any) -> None:
    networking.create()
    networking.ask("Delete")

    assert networking.ask("Delete")["Status"] == "SUCCESS"


def test_a_region_that_is_no_operating_region_yet_is_told_by_aws(networking: Any) -> None:
    networking.create()

    answer = networking.ask("Update", RegionSelection=["us-west-2", "us-east-1", "eu-west-1"])

    assert answer["Status"] == "FAILED"
    assert "eu-west-1" in answer["Reason"]


def make_vpc(networking: Any) -> dict[str, Any]:
    """Make a VPC of SDLC OU in us-west-2 that names no size."""
    ec2 = networking.cloudformation.cloud.client("ec2", networking.cloudformation.account_id, "us-west-2")
    named = [{"Name": "description", "Values": ["SDLC OU in us-west-2"]}]
    (pool,) = ec2.describe_ipam_pools(Filters=named)["IpamPools"]
    tags = [{"ResourceType": "vpc", "Tags": [{"Key": "Env", "Value": "SDLC OU"}]}]
    vpc: dict[str, Any] = ec2.create_vpc(Ipv4IpamPoolId=pool["IpamPoolId"], TagSpecifications=tags)["Vpc"]
    return vpc


def test_a_vpc_that_names_no_size_gets_a_24_of_its_environments_pool_in_its_region(networking: Any) -> None:
    networking.create()

    assert make_vpc(networking)["CidrBlock"] == "192.168.8.0/24"


def test_an_environment_with_that_vpc_is_not_removed_and_vpc_account_and_block_are_named(networking: Any) -> None:
    networking.create()
    account_id = networking.cloudformation.account_id
    vpc = make_vpc(networking)
    networking.cloudformation.cloud.clock.advance(1)

    answer = networking.ask("Update", AccEnvName=["Prod OU"])

    assert answer["Status"] == "FAILED"
    assert f"us-west-2/SDLC OU holds {vpc['VpcId']} (192.168.8.0/24, account {account_id})" in answer["Reason"]
    assert networking.pools() == BUILT


def ous(networking: Any) -> dict[str, str]:
    """Return the OU that each pool of us-west-2 carries, by environment."""
    pages = networking.ec2.get_paginator("describe_ipam_pools").paginate()
    tags = [{tag["Key"]: tag["Value"] for tag in pool["Tags"]} for page in pages for pool in page["IpamPools"]]
    return {
        of_pool["ctipam:environment"]: of_pool.get("ctipam:ou-id", "")
        for of_pool in tags
        if of_pool.get("ctipam:region") == "us-west-2" and "ctipam:environment" in of_pool
    }


def test_the_id_of_an_ou_is_written_while_the_user_names_it_and_else_what_it_was_before(networking: Any) -> None:
    first, second = "ou-ab12-00000001", "ou-ab12-00000002"
    networking.create(AccEnvName=[f"Prod OU ({first})", "SDLC OU"])
    assert ous(networking) == {"Prod OU": first, "SDLC OU": ""}

    networking.ask("Update", PackageVersion="2")
    assert ous(networking) == {"Prod OU": first, "SDLC OU": ""}

    networking.ask("Update", AccEnvName=[f"Prod OU ({second})", f"SDLC OU ({first})"])
    assert ous(networking) == {"Prod OU": second, "SDLC OU": first}
    networking.ask("Update")
    assert ous(networking) == {"Prod OU": first, "SDLC OU": ""}
    assert networking.pools() == BUILT
