"""Custom::InitPools: what an update may change, what it leaves alone, and what is refused before anything changes."""

from __future__ import annotations

import logging
from itertools import pairwise
from typing import Any

import pytest

from aws_models.ipam import Quotas, Timings
from ctipam import names
from ctipam.tags import to_dict
from landing_zone.direct_stack import BUILT, NETWORKING, PROPERTIES, DirectStack

READS = ("Describe", "Get")
NOTHING_TO_DO = {"DescribeStacks": 1, "DescribeIpamPools": 1, "GetIpamPoolCidrs": 7}
"""The calls of an update that changes nothing."""


def update(stack: DirectStack, **changed: Any) -> dict[str, Any]:
    return stack.ask("Update", "InitPools", PROPERTIES | changed)


def refusal(stack: DirectStack, **changed: Any) -> str:
    """Why an update failed; without having changed anything."""
    before = stack.pools(), stack.pool_ids()
    stack.wire.counted.clear()

    answer = update(stack, **changed)

    assert answer["Status"] == "FAILED"
    assert (stack.pools(), stack.pool_ids()) == before
    assert all(action.startswith(READS) for action in stack.wire.counted)
    assert len(answer["Reason"]) < 240
    return str(answer["Reason"])


# What may change


def test_regions_and_environments_come_go_and_change_places_in_one_update(built: DirectStack) -> None:
    ids = built.pool_ids()

    answer = update(built, RegionSelection=["eu-west-1", "us-east-1"], AccEnvName=["Test OU", "Prod OU"])

    assert answer["Status"] == "SUCCESS", answer["Reason"]
    assert built.pools() == {
        "eu-west-1": "10.128.0.0/10",  # the lowest that is free while us-west-2 still exists, which goes last
        "eu-west-1 Test OU": "10.128.0.0/12",
        "eu-west-1 Prod OU": "10.144.0.0/12",
        "us-east-1": "10.64.0.0/10",
        "us-east-1 Test OU": "10.96.0.0/12",
        "us-east-1 Prod OU": "10.64.0.0/12",
    }
    kept = ("us-east-1", "us-east-1 Prod OU")
    assert {name: built.pool_ids()[name] for name in kept} == {name: ids[name] for name in kept}


def test_what_is_waited_for_is_logged_when_it_changes(built: DirectStack, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "ctipam"):
        update(built, RegionSelection=["us-west-2", "us-east-1", "eu-west-1"])

    waits = [vars(record)["pools"] for record in caplog.records if record.message == "waiting for AWS"]
    assert len(waits) > 1
    assert all(before != after for before, after in pairwise(waits))


def test_another_order_of_the_lists_is_no_change(built: DirectStack) -> None:
    update(built, RegionSelection=["us-east-1", "us-west-2"], AccEnvName=["SDLC OU", "Prod OU"])

    assert built.wire.counted == NOTHING_TO_DO


def test_an_update_that_changes_nothing_reads_the_stack_and_each_pool_once(built: DirectStack) -> None:
    update(built)

    assert built.wire.counted == NOTHING_TO_DO


@pytest.mark.parametrize(
    "pause_s", [0.0, 20.0, 300.0], ids=["at once", "still listed as deleted", "gone from the list"]
)
def test_a_region_that_was_removed_can_be_added_again(built: DirectStack, pause_s: float) -> None:
    ids = built.pool_ids()
    update(built, RegionSelection=["us-east-1"])
    built.clock.advance(pause_s)

    answer = update(built)

    assert answer["Status"] == "SUCCESS", answer["Reason"]
    assert built.pools() == BUILT
    assert built.pool_ids()["us-west-2"] != ids["us-west-2"]
    assert built.pool_ids()["us-east-1"] == ids["us-east-1"]


def test_a_pool_that_somebody_deleted_by_hand_comes_back(built: DirectStack) -> None:
    for name in ("us-west-2 SDLC OU", "us-east-1"):
        built.models.ipam.delete_by_hand(built.pool_ids()[name])

    update(built)

    assert built.pools() == BUILT


def test_a_pool_that_is_deleted_by_hand_while_it_is_being_built_comes_back(built: DirectStack) -> None:
    """The client token still answers the deleted one."""
    built.models.ipam.delete_by_hand(built.pool_ids()["us-west-2 SDLC OU"])
    request = built.request("Update", "InitPools", PROPERTIES)
    built.wire.kill(1, after=True, action="CreateIpamPool")
    assert built.send(request) is None
    built.clock.advance(10)
    built.models.ipam.delete_by_hand(built.pool_ids()["us-west-2 SDLC OU"])

    answer = built.send(request)

    assert answer
    assert answer["Status"] == "SUCCESS", answer["Reason"]
    assert built.pools() == BUILT


def test_what_goes_goes_leaf_first(built: DirectStack) -> None:
    answer = built.ask("Delete", "InitPools", PROPERTIES)

    assert answer["Status"] == "SUCCESS", answer["Reason"]
    assert built.pools() == {}
    assert "ModifyIpamPool" not in built.wire.counted


def test_a_delete_works_with_any_properties(built: DirectStack) -> None:
    """CloudFormation rolls a creation back with the properties that were refused."""
    request = built.request("Delete", "InitPools", {})
    request["ResourceProperties"] = {"ServiceToken": "arn", "RegionSelection": ["nowhere"]}

    answer = built.send(request)

    assert answer
    assert answer["Status"] == "SUCCESS", answer["Reason"]
    assert built.pools() == {}


def test_at_the_quota_one_region_can_take_the_place_of_another() -> None:
    stack = DirectStack(ipam_quotas=Quotas(pools_per_scope=7))
    stack.set_up()
    with stack.running():
        stack.ask("Create", "InitPools", PROPERTIES | {"IpamPoolQuota": "7"})

        answer = update(stack, IpamPoolQuota="7", RegionSelection=["eu-west-1", "us-east-1"])

    assert answer["Status"] == "SUCCESS", answer["Reason"]
    assert set(stack.pools()) == {name.replace("us-west-2", "eu-west-1") for name in BUILT}


# VPC sizes


def test_a_vpc_without_a_size_gets_a_24_or_what_is_asked_for_within_the_limits(built: DirectStack) -> None:
    built.make_vpc("us-west-2", "Prod OU")

    rows = built.ec2_in("us-west-2").get_ipam_pool_allocations(IpamPoolId=built.pool_ids()["us-west-2 Prod OU"])
    assert [row["Cidr"] for row in rows["IpamPoolAllocations"]] == ["10.0.0.0/24"]


def test_vpc_sizes_change_in_place(built: DirectStack) -> None:
    ids = built.pool_ids()

    update(built, VpcDefaultNetmaskLength="22", VpcMinNetmaskLength="20", VpcMaxNetmaskLength="26")

    assert built.pool_ids() == ids
    assert built.pools() == BUILT
    assert "CreateIpamPool" not in built.wire.counted
    lengths = {
        (pool["AllocationDefaultNetmaskLength"], pool["AllocationMinNetmaskLength"], pool["AllocationMaxNetmaskLength"])
        for pool in built.ec2.describe_ipam_pools(MaxResults=1000)["IpamPools"]
        if "AllocationDefaultNetmaskLength" in pool
    }
    assert lengths == {(22, 20, 26)}

    built.wire.counted.clear()
    update(built, VpcDefaultNetmaskLength="22", VpcMinNetmaskLength="20", VpcMaxNetmaskLength="26")
    assert built.wire.counted == NOTHING_TO_DO


# Other people's pools, blocks and tags


def by_hand(stack: DirectStack, source: str, cidr: str, **params: Any) -> str:
    """A pool that an operator made, with that block."""
    made = stack.ec2.create_ipam_pool(
        IpamScopeId=stack.scope_id, AddressFamily="ipv4", SourceIpamPoolId=source, **params
    )
    pool_id = str(made["IpamPool"]["IpamPoolId"])
    stack.clock.advance(60)
    if cidr:
        stack.ec2.provision_ipam_pool_cidr(IpamPoolId=pool_id, Cidr=cidr)
        stack.clock.advance(60)
    return pool_id


def test_pools_and_blocks_of_others_are_left_alone_and_their_space_is_not_given_out(built: DirectStack) -> None:
    region_pool = by_hand(built, built.top_pool_id, "10.128.0.0/11", Locale="eu-west-1")
    inside = by_hand(built, built.pool_ids()["us-west-2"], "10.32.0.0/13", Locale="us-west-2")
    built.ec2_in("us-west-2").allocate_ipam_pool_cidr(IpamPoolId=built.pool_ids()["us-west-2"], Cidr="10.48.0.0/24")
    built.ec2_in("us-east-1").allocate_ipam_pool_cidr(IpamPoolId=built.pool_ids()["us-east-1"], Cidr="10.100.0.0/24")

    answer = update(built, RegionSelection=["us-west-2", "us-east-1", "eu-west-1"])

    assert answer["Status"] == "SUCCESS", answer["Reason"]
    assert built.pools()["eu-west-1"] == "10.192.0.0/10"
    assert built.pools()[region_pool] == "10.128.0.0/11"
    assert built.pools()[inside] == "10.32.0.0/13"

    reason = refusal(built, AccEnvName=["Prod OU", "SDLC OU", "Test OU"])
    assert "No room for us-west-2/Test OU: us-west-2 (10.0.0.0/10) has no free /12 left" in reason


@pytest.mark.parametrize(
    "recorded_cidr", ["", "nonsense", "10.0.0.0/33", "172.16.0.0/12", "10.16.0.0/12", "10.32.0.0/13"]
)
def test_a_tag_that_somebody_edited_misleads_nobody_and_is_put_right(built: DirectStack, recorded_cidr: str) -> None:
    pool_id = built.pool_ids()["us-west-2 Prod OU"]
    built.ec2.create_tags(Resources=[pool_id], Tags=[{"Key": names.BLOCK_TAG, "Value": recorded_cidr}])

    answer = update(built)

    assert answer["Status"] == "SUCCESS", answer["Reason"]
    assert built.pools() == BUILT
    (found,) = built.ec2.describe_ipam_pools(IpamPoolIds=[pool_id])["IpamPools"]
    assert {"Key": names.BLOCK_TAG, "Value": "10.0.0.0/12"} in found["Tags"]


def test_a_tag_that_could_be_true_and_is_not_misleads_no_change(built: DirectStack) -> None:
    pool_id = built.pool_ids()["us-west-2 Prod OU"]
    built.ec2.create_tags(Resources=[pool_id], Tags=[{"Key": names.BLOCK_TAG, "Value": "10.48.0.0/12"}])

    update(built, AccEnvName=["Prod OU", "SDLC OU", "Test OU"])

    assert built.pools()["us-west-2 Test OU"] == "10.32.0.0/12"
    assert built.pools()["us-west-2 Prod OU"] == "10.0.0.0/12"


def test_allocation_tags_and_descriptions_that_somebody_changed_are_put_right(built: DirectStack) -> None:
    pool_id = built.pool_ids()["us-west-2 Prod OU"]
    built.ec2.modify_ipam_pool(
        IpamPoolId=pool_id,
        Description="Whatever",
        RemoveAllocationResourceTags=[{"Key": "Env", "Value": "Prod OU"}],
        AddAllocationResourceTags=[{"Key": "Env", "Value": "SDLC OU"}],
    )
    built.clock.advance(60)

    update(built)

    (found,) = built.ec2.describe_ipam_pools(IpamPoolIds=[pool_id])["IpamPools"]
    assert found["AllocationResourceTags"] == [{"Key": "Env", "Value": "Prod OU"}]
    assert found["Description"] == "Prod OU in us-west-2"


def test_an_environment_keeps_its_ou_when_all_its_pools_are_replaced(built: DirectStack) -> None:
    prod = [built.pool_ids()[f"{region} Prod OU"] for region in ("us-west-2", "us-east-1")]
    built.ec2.create_tags(Resources=prod, Tags=[{"Key": names.OU_TAG, "Value": "ou-ab12-11111111"}])

    assert update(built, RegionSelection=["eu-west-1"])["Status"] == "SUCCESS"

    ous = {tags["Name"]: tags.get(names.OU_TAG) for tags in (to_dict(pool["Tags"]) for pool in built.listed_pools())}
    assert ous["eu-west-1 Prod OU"] == "ou-ab12-11111111"
    assert ous["eu-west-1 SDLC OU"] is None


# What is refused


def test_an_environment_with_a_vpc_is_not_removed_and_pool_and_vpc_are_named(built: DirectStack) -> None:
    vpc_id = built.make_vpc("us-west-2", "SDLC OU", length=16)

    reason = refusal(built, AccEnvName=["Prod OU", "Test OU"], RegionSelection=["us-west-2", "us-east-1", "eu-west-1"])

    assert f"us-west-2/SDLC OU holds {vpc_id} (10.16.0.0/16, account {NETWORKING})" in reason


def test_a_region_with_a_vpc_is_not_removed_until_the_vpc_and_its_allocation_are_gone(built: DirectStack) -> None:
    vpc_id = built.make_vpc("us-west-2", "SDLC OU", length=16)
    assert vpc_id in refusal(built, RegionSelection=["us-east-1"])
    built.models.ipam.vpc_deleted(vpc_id)
    assert "30 minutes" in refusal(built, RegionSelection=["us-east-1"])

    built.clock.advance(1800)

    assert update(built, RegionSelection=["us-east-1"])["Status"] == "SUCCESS"


def test_a_delete_leaves_what_is_in_use_and_the_pools_above_it_deletes_the_rest_and_says_so(
    built: DirectStack, caplog: pytest.LogCaptureFixture
) -> None:
    vpc_id = built.make_vpc("us-east-1", "Prod OU", length=16)
    began, ids = built.clock.now(), built.pool_ids()

    with caplog.at_level(logging.INFO, "ctipam"):
        answer = built.ask("Delete", "InitPools", PROPERTIES)

    assert answer["Status"] == "SUCCESS"
    assert left_behind(caplog) == [f"us-east-1/Prod OU holds {vpc_id} (10.64.0.0/16, account {NETWORKING})"]
    assert built.pools() == {name: BUILT[name] for name in ("us-east-1", "us-east-1 Prod OU")}
    assert built.pool_ids() == {name: ids[name] for name in ("us-east-1", "us-east-1 Prod OU")}
    assert 35 * 60 < built.clock.now() - began < 45 * 60  # so long AWS may take to free the CIDR of a deleted VPC


def test_a_delete_waits_longer_than_half_an_hour_for_the_cidr_of_a_vpc(built: DirectStack) -> None:
    """30 minutes are about what AWS takes, and others found 30 too few.

    Source  https://github.com/hashicorp/terraform-provider-aws/pull/34859
    """
    vpc_id = built.make_vpc("us-east-1", "Prod OU", length=16)
    built.models.ipam._store.timings = Timings(vpc_release=35 * 60)
    built.models.ipam.vpc_deleted(vpc_id)

    assert built.ask("Delete", "InitPools", PROPERTIES)["Status"] == "SUCCESS"
    assert built.listed_pools() == []


@pytest.mark.parametrize("environment", ["Prod OU", ""], ids=["in an environment's pool", "in a Region's pool"])
def test_a_delete_waits_for_the_cidr_of_a_vpc_that_was_just_deleted(
    built: DirectStack, environment: str, caplog: pytest.LogCaptureFixture
) -> None:
    vpc_id = built.make_vpc("us-east-1", environment, length=16)
    built.models.ipam.vpc_deleted(vpc_id)

    with caplog.at_level(logging.INFO, "ctipam"):
        answer = built.ask("Delete", "InitPools", PROPERTIES)

    assert answer["Status"] == "SUCCESS"
    assert built.pools() == {}
    assert "left behind" not in [record.message for record in caplog.records]


@pytest.mark.parametrize("with_vpc", [False, True])
def test_a_delete_does_not_wait_for_what_does_not_go_by_itself(
    built: DirectStack, with_vpc: bool, caplog: pytest.LogCaptureFixture
) -> None:
    pool_id, began = built.pool_ids()["us-east-1 Prod OU"], built.clock.now()
    built.ec2.allocate_ipam_pool_cidr(IpamPoolId=pool_id, NetmaskLength=16)
    if with_vpc:
        built.models.ipam.vpc_deleted(built.make_vpc("us-east-1", "Prod OU", length=16))

    with caplog.at_level(logging.INFO, "ctipam"):
        assert built.ask("Delete", "InitPools", PROPERTIES)["Status"] == "SUCCESS"

    assert built.clock.now() - began < 5 * 60
    assert len(left_behind(caplog)) == (2 if with_vpc else 1)
    assert "us-east-1/Prod OU holds custom allocation (10.64.0.0/16, " in left_behind(caplog)[0]


def left_behind(caplog: pytest.LogCaptureFixture) -> list[str]:
    (left,) = [vars(record)["what"] for record in caplog.records if record.message == "left behind"]
    return list(left)


@pytest.mark.parametrize("source", ["top", "us-west-2"])
@pytest.mark.parametrize("provisioned", [True, False])
def test_a_delete_leaves_the_pools_above_a_pool_that_was_made_by_hand(
    built: DirectStack, source: str, provisioned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    parent = built.top_pool_id if source == "top" else built.pool_ids()[source]
    cidr = ("10.128.0.0/12" if source == "top" else "10.48.0.0/12") if provisioned else ""
    pool_id = by_hand(built, parent, cidr, Locale="us-west-2")
    built.wire.counted.clear()

    with caplog.at_level(logging.INFO, "ctipam"):
        answer = built.ask("Delete", "InitPools", PROPERTIES)

    assert answer["Status"] == "SUCCESS"
    (sentence,) = left_behind(caplog)
    assert pool_id in sentence
    assert built.pools() == {pool_id: cidr} | ({} if source == "top" else {source: BUILT[source]})
    assert built.top_pool_id


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"IpamPoolPrefixLength": "11"}, "10.0.0.0/10 of us-west-2 holds the pool of us-west-2/Prod OU (10.0.0.0/12)"),
        ({"IpamPoolPrefixLength": "11"}, "Delete that first, or keep the block: PoolSizes us-west-2=10,us-east-1=10."),
        (
            {"TopLevelPoolCidr": "172.16.0.0/12", "IpamPoolPrefixLength": "14", "AccPoolPrefixLength": "16"},
            "keep the block: TopLevelPoolCidr 10.0.0.0/8,172.16.0.0/12.",
        ),
        (
            {"IpamPoolQuota": "8", "RegionSelection": ["us-west-2", "us-east-1", "eu-west-1"]},
            "= 10 pools, and may have 8",
        ),
        (
            {"ScopeId": "ipam-scope-0123456789abcdef0"},
            "IpamScope cannot become ipam-scope-0123456789abcdef0: the top-level pool",
        ),
    ],
    ids=lambda value: None if isinstance(value, str) else ",".join(value),
)
def test_a_pool_is_not_resized_moved_or_rehomed(built: DirectStack, changed: dict[str, Any], reason: str) -> None:
    assert reason in refusal(built, **changed)


def test_another_size_replaces_the_blocks_that_are_unused(built: DirectStack) -> None:
    ids = built.pool_ids()

    answer = update(built, AccPoolPrefixLength="13")

    assert answer["Status"] == "SUCCESS", answer["Reason"]
    assert built.pool_ids() == ids
    assert built.pools()["us-west-2 SDLC OU"] == "10.40.0.0/13"


def test_another_size_is_refused_for_a_block_that_is_used_and_what_keeps_it_is_said(built: DirectStack) -> None:
    vpc_id = built.make_vpc("us-west-2", "SDLC OU", length=16)

    smaller = refusal(built, AccPoolPrefixLength="13")
    larger = refusal(built, AccPoolPrefixLength="11")

    assert f"10.16.0.0/12 of us-west-2/SDLC OU holds {vpc_id}" in smaller
    assert smaller.endswith("or keep the block: PoolSizes us-west-2/SDLC OU=12.")
    assert larger.endswith("or keep the block: PoolSizes us-west-2/SDLC OU=11+12.")
    answer = update(built, AccPoolPrefixLength="13", PoolSizes="us-west-2/SDLC OU=12")
    assert answer["Status"] == "SUCCESS", answer["Reason"]
    assert built.pools()["us-west-2 SDLC OU"] == "10.16.0.0/12"


def test_the_quota_counts_what_others_have_in_the_scope(built: DirectStack) -> None:
    for number in range(3):
        by_hand(built, "", f"172.{16 + number}.0.0/16")

    reason = refusal(built, RegionSelection=["us-west-2", "us-east-1", "eu-west-1"], IpamPoolQuota="12")

    assert "4 + 3 + 3 * 2 = 13 pools, and may have 12" in reason


BAD = [
    ({"TopLevelPoolCidr": "10.0.0.1/8"}, "did you mean 10.0.0.0/8"),
    ({"TopLevelPoolCidr": "ten"}, "not an IPv4 CIDR"),
    ({"TopLevelPoolCidr": "11.0.0.0/8"}, "not private"),
    ({"TopLevelPoolCidr": "172.0.0.0/8"}, "not private"),
    ({"IpamPoolPrefixLength": "12"}, "give 13 to 28"),
    ({"RegionSelection": ["moon-west-1"]}, "does not know"),
    ({"RegionSelection": ["us-west-2", "us-west-2"]}, "twice"),
    ({"RegionSelection": []}, "empty"),
    ({"AccEnvName": [""]}, "empty"),
    ({"AccEnvName": ["x" * 129]}, "at most 128"),
    ({"PoolSizes": "Prod OU"}, "give a name and the prefix lengths of its blocks"),
    ({"PoolSizes": "Test OU=20"}, "which is no pool of this stack"),
    ({"IpamPoolQuota": "6"}, "= 7 pools, and may have 6"),
    ({"VpcDefaultNetmaskLength": "30"}, "choose one that is"),
]


@pytest.mark.parametrize("resource", ["Ipam", "InitPools"])
@pytest.mark.parametrize(("wrong", "reason"), BAD, ids=lambda value: value if isinstance(value, str) else None)
def test_bad_input_is_refused_before_anything_is_read(resource: str, wrong: dict[str, Any], reason: str) -> None:
    stack = DirectStack()
    with stack.running():
        answer = stack.ask("Create", resource, PROPERTIES | wrong)

    assert answer["Status"] == "FAILED"
    assert reason in answer["Reason"]
    assert len(answer["Reason"]) < 240
    assert not stack.wire.counted.keys() - {"DescribeStacks"}  # which tells whether the stack still waits


@pytest.mark.parametrize("resource", ["Ipam", "InitPools"])
@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"AccEnvName": ["a", "b", "c", "d", "e"]}, "Give PoolSizes us-west-2=10+10,us-east-1=10+10, or a longer"),
        (
            {"IpamPoolPrefixLength": "9", "RegionSelection": ["us-west-2", "us-east-1", "eu-west-1"]},
            "eu-west-1: the top-level pool (10.0.0.0/8) has no free /9 left. Give a longer IpamPoolPrefixLength",
        ),
        ({"PoolSizes": "us-west-2/Prod OU=9"}, "us-west-2/Prod OU: the new pool of us-west-2 has no free /9 left"),
    ],
    ids=["environments", "Regions", "sizes"],
)
def test_what_finds_no_room_is_refused_before_anything_is_made(
    resource: str, wrong: dict[str, Any], reason: str
) -> None:
    stack = DirectStack()
    with stack.running():
        answer = stack.ask("Create", resource, PROPERTIES | wrong)

    assert answer["Status"] == "FAILED"
    assert reason in answer["Reason"]
    assert len(answer["Reason"]) < 240
    assert all(action.startswith(READS) for action in stack.wire.counted)
