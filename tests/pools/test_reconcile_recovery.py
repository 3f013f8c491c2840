"""Custom::InitPools: what fails or is forbidden in one place does no harm in another, and can be undone."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from aws_models.errors import AwsError
from aws_models.organization import Caller
from ctipam import names
from ctipam.pools import deletion
from ctipam.tags import to_dict
from landing_zone.direct_stack import BUILT, HOME, NETWORKING, PROPERTIES, STACK_ID, DirectStack

HOUR = 3600.0
ROLLING_BACK = "UPDATE_ROLLBACK_IN_PROGRESS"
FORBIDDEN = [
    AwsError("UnauthorizedOperation", "You are not authorized: explicit deny in a service control policy."),
    AwsError("AuthFailure", "AWS was not able to validate the provided access credentials"),
]
WEST, EAST = (
    {name: cidr for name, cidr in BUILT.items() if name.startswith(region)} for region in ("us-west-2", "us-east-1")
)
BOTH_AND_IRELAND = ["us-west-2", "us-east-1", "eu-west-1"]


def update(stack: DirectStack, status: str = "", **changed: Any) -> dict[str, Any]:
    return stack.ask("Update", "InitPools", PROPERTIES | changed, status)


def delete(stack: DirectStack) -> dict[str, Any]:
    return stack.ask("Delete", "InitPools", PROPERTIES)


def left_behind(caplog: pytest.LogCaptureFixture) -> list[str]:
    logged = [vars(record)["what"] for record in caplog.records if record.message == "left behind"]
    return [sentence for sentences in logged for sentence in sentences]


# Removals come last


def test_a_rollback_finds_what_a_failed_update_was_to_remove_with_the_same_ids(built: DirectStack) -> None:
    ids = built.pool_ids()
    built.models.ipam.faults.fail_next("ProvisionIpamPoolCidr", "No more of these.", code="limit-exceeded")

    answer = update(built, AccEnvName=["Prod OU"], RegionSelection=BOTH_AND_IRELAND)

    assert answer["Status"] == "FAILED"
    assert "No more of these." in answer["Reason"]
    assert {name: built.pool_ids()[name] for name in BUILT} == ids

    assert update(built, ROLLING_BACK)["Status"] == "SUCCESS"
    assert (built.pools(), built.pool_ids()) == (BUILT, ids)


# Regions that can no longer be used


@pytest.mark.parametrize("error", FORBIDDEN, ids=lambda error: error.code)
def test_a_region_that_can_no_longer_be_read_can_be_removed(built: DirectStack, error: AwsError) -> None:
    built.wire.unusable["us-west-2"] = error

    answer = update(built, RegionSelection=["us-east-1"])

    assert answer["Status"] == "SUCCESS", answer["Reason"]
    assert built.pools() == EAST


@pytest.mark.parametrize("error", FORBIDDEN, ids=lambda error: error.code)
def test_a_stack_with_a_region_that_can_no_longer_be_read_can_be_deleted(
    built: DirectStack, error: AwsError, caplog: pytest.LogCaptureFixture
) -> None:
    built.wire.unusable["us-west-2"] = error

    with caplog.at_level(logging.INFO, "ctipam"):
        assert delete(built)["Status"] == "SUCCESS"

    assert built.listed_pools() == []
    assert left_behind(caplog) == []


@pytest.mark.parametrize("error", FORBIDDEN, ids=lambda error: error.code)
def test_with_a_vpc_in_that_region_an_update_keeps_its_pool_and_a_rollback_restores_everything(
    built: DirectStack, error: AwsError, caplog: pytest.LogCaptureFixture
) -> None:
    built.make_vpc("us-west-2", "SDLC OU")
    ids = built.pool_ids()
    built.wire.unusable["us-west-2"] = error

    with caplog.at_level(logging.INFO, "ctipam"):
        answer = update(built, RegionSelection=["us-east-1"])

    assert answer["Status"] == "SUCCESS"
    (what,) = [vars(record)["what"] for record in caplog.records if record.message == "kept what could not be removed"]
    assert "AWS could not take 10.16.0.0/12 from the pool of us-west-2/SDLC OU" in what[0]
    kept = [*EAST, "us-west-2", "us-west-2 SDLC OU"]
    assert {name: built.pool_ids()[name] for name in kept} == {name: ids[name] for name in kept}

    assert update(built, ROLLING_BACK)["Status"] == "SUCCESS"
    assert {name: built.pool_ids()[name] for name in kept} == {name: ids[name] for name in kept}
    assert built.pools() == BUILT | {"us-west-2 SDLC OU": ""}  # failed-deprovision: it has the CIDR still
    assert [row["Cidr"] for row in built.rows(ids["us-west-2 SDLC OU"])] == [BUILT["us-west-2 SDLC OU"]]


def test_what_an_update_had_to_keep_makes_no_room_for_the_next() -> None:
    """The Region can give back its block only when nothing is below it, so a larger one is refused at once."""
    half = PROPERTIES | {"TopLevelPoolCidr": "10.0.0.0/9"}
    larger = {"RegionSelection": ["us-west-2"], "AccEnvName": ["Test OU"], "PoolSizes": "us-west-2=9"}
    stack = DirectStack()
    stack.set_up()
    with stack.running():
        assert stack.ask("Create", "InitPools", half)["Status"] == "SUCCESS"
        stack.make_vpc("us-west-2", "SDLC OU")
        stack.wire.unusable["us-west-2"] = FORBIDDEN[0]
        assert stack.ask("Update", "InitPools", half | {"AccEnvName": ["Prod OU"]})["Status"] == "SUCCESS"
        stack.wire.unusable.clear()
        before = stack.pools(), stack.pool_ids()
        assert "us-west-2 SDLC OU" in before[0]

        answer = stack.ask("Update", "InitPools", half | larger)

        assert answer["Reason"].startswith("No room for us-west-2: the top-level pool (10.0.0.0/9) has no free /9 left")
        assert (stack.pools(), stack.pool_ids()) == before


@pytest.mark.parametrize("error", FORBIDDEN, ids=lambda error: error.code)
def test_with_a_vpc_in_that_region_a_delete_leaves_it_and_says_so(
    built: DirectStack, error: AwsError, caplog: pytest.LogCaptureFixture
) -> None:
    built.make_vpc("us-west-2", "SDLC OU")
    ids, began = built.pool_ids(), built.clock.now()
    built.wire.unusable["us-west-2"] = error

    with caplog.at_level(logging.INFO, "ctipam"):
        assert delete(built)["Status"] == "SUCCESS"

    assert built.clock.now() - began < HOUR
    assert built.pool_ids() == {name: ids[name] for name in ("us-west-2", "us-west-2 SDLC OU")}
    (sentence,) = left_behind(caplog)
    assert "10.16.0.0/12 from the pool of us-west-2/SDLC OU: The CIDR has one or more allocations." in sentence


# Errors that last


@pytest.mark.parametrize(
    ("action", "error", "told"),
    [
        (
            "DeprovisionIpamPoolCidr",
            AwsError("UnauthorizedOperation", "You are not authorized: no identity-based policy allows it."),
            "was denied: ",
        ),
        (
            "DeleteIpamPool",
            AwsError("UnauthorizedOperation", "You are not authorized: no identity-based policy allows it."),
            "was denied: ",
        ),
        ("DeleteIpamPool", AwsError("InternalError", "Something broke."), "failed: InternalError: Something broke."),
    ],
    ids=["a denied CIDR", "a denied deletion", "another error"],
)
def test_an_error_of_one_pool_keeps_no_other_from_being_deleted_and_is_reported(
    built: DirectStack,
    action: str,
    error: AwsError,
    told: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    failing_id, began = built.pool_ids()["us-west-2 SDLC OU"], built.clock.now()
    call = built.models.ipam.call

    def fail(name: str, params: dict[str, Any], caller: Caller) -> dict[str, Any]:
        if name == action and params["IpamPoolId"] == failing_id:
            raise error
        return call(name, params, caller)

    monkeypatch.setattr(built.models.ipam, "call", fail)

    with caplog.at_level(logging.INFO, "ctipam"):
        assert delete(built)["Status"] == "SUCCESS"

    assert built.clock.now() - began < HOUR
    assert built.pools().keys() == {"us-west-2", "us-west-2 SDLC OU"}
    assert built.top_pool_id
    (sentence,) = left_behind(caplog)
    assert sentence.startswith(f"us-west-2/SDLC OU: {action} in {HOME} (account {NETWORKING}) {told}")


def test_a_deletion_gets_over_an_error_that_begins_when_it_waits_no_longer_for_vpcs(
    built: DirectStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing_id, call = built.pool_ids()["us-west-2 SDLC OU"], built.models.ipam.call
    vpc_id = built.make_vpc("us-west-2", "SDLC OU")
    built.clock.advance(30)
    errors = [AwsError("InternalError", "Something broke.")] * 3

    def fail(name: str, params: dict[str, Any], caller: Caller) -> dict[str, Any]:
        if name == "DeleteIpamPool" and params["IpamPoolId"] == failing_id and errors:
            raise errors.pop()
        return call(name, params, caller)

    monkeypatch.setattr(built.models.ipam, "call", fail)
    monkeypatch.setattr(deletion, "VPC_RELEASE_S", 30 * 60.0)  # as long as AWS takes here
    built.models.ipam.vpc_deleted(vpc_id)

    assert delete(built)["Status"] == "SUCCESS"
    assert built.listed_pools() == []
    assert not errors


def test_a_deletion_before_any_pool_was_made_has_nothing_to_do(caplog: pytest.LogCaptureFixture) -> None:
    stack = DirectStack()
    stack.set_up()
    with stack.running():
        foreign = stack.add_foreign_pool("172.16.0.0/16")

        assert delete(stack)["Status"] == "SUCCESS"

        assert [pool["IpamPoolId"] for pool in stack.listed_pools()] == [foreign]
        assert "retrying the deletion" not in caplog.text


# Pools of others


def test_pools_of_others_change_nothing_and_break_nothing_whatever_they_are() -> None:
    stack = DirectStack()
    stack.set_up()
    with stack.running():
        foreign = add_foreign_pools(stack)

        assert stack.ask("Create", "InitPools", PROPERTIES)["Status"] == "SUCCESS"
        assert own_pools(stack, foreign) == BUILT
        assert update(stack, RegionSelection=BOTH_AND_IRELAND, AccEnvName=["Prod OU"])["Status"] == "SUCCESS"
        assert own_pools(stack, foreign).keys() == {
            name for region in BOTH_AND_IRELAND for name in (region, f"{region} Prod OU")
        }
        assert delete(stack)["Status"] == "SUCCESS"

        assert {pool["IpamPoolId"]: (pool["State"], pool["Tags"]) for pool in stack.listed_pools()} == foreign


def add_foreign_pools(stack: DirectStack) -> dict[str, Any]:
    """An IPv6 pool, one with several CIDRs, one that failed, and one in another scope; their states and tags."""
    stack.ec2.create_ipam_pool(IpamScopeId=stack.scope_id, AddressFamily="ipv6", Locale="us-west-2")
    stack.clock.advance(60)
    several = stack.add_foreign_pool("172.16.0.0/16")
    stack.ec2.provision_ipam_pool_cidr(IpamPoolId=several, Cidr="172.20.0.0/16")
    ipam_id = stack.ec2.describe_ipams()["Ipams"][0]["IpamId"]
    scope_id = stack.ec2.create_ipam_scope(IpamId=ipam_id)["IpamScope"]["IpamScopeId"]
    stack.clock.advance(60)
    stack.models.ipam.faults.fail_next("CreateIpamPool", "Something broke.")
    stack.ec2.create_ipam_pool(IpamScopeId=stack.scope_id, AddressFamily="ipv4")
    stack.clock.advance(60)
    elsewhere = stack.ec2.create_ipam_pool(IpamScopeId=scope_id, AddressFamily="ipv4")["IpamPool"]["IpamPoolId"]
    stack.clock.advance(60)
    stack.ec2.provision_ipam_pool_cidr(IpamPoolId=elsewhere, Cidr=PROPERTIES["TopLevelPoolCidr"])
    stack.clock.advance(60)
    foreign = {pool["IpamPoolId"]: (pool["State"], pool["Tags"]) for pool in stack.listed_pools()}
    assert len(foreign) == 4
    return foreign


def own_pools(stack: DirectStack, foreign: dict[str, Any]) -> dict[str, str]:
    return {name: cidr for name, cidr in stack.pools().items() if name not in foreign}


# Tags of the stack


def tags(stack: DirectStack) -> list[dict[str, str]]:
    """Of every pool, without those that this solution sets itself."""
    own = (names.REGION_TAG, names.POOL_ENVIRONMENT_TAG, names.STACK_TAG, names.BLOCK_TAG, "Name")
    found = [to_dict(pool["Tags"]) for pool in stack.listed_pools()]
    return [{key: value for key, value in one.items() if key not in own} for one in found]


def without_memory(found: list[dict[str, str]]) -> list[dict[str, str]]:
    return [{key: value for key, value in one.items() if key != names.STACK_TAG_KEYS_TAG} for one in found]


def set_stack_tags(stack: DirectStack, **wanted: str) -> None:
    stack.wire.stacks[STACK_ID] = {"Tags": [{"Key": key, "Value": value} for key, value in wanted.items()]}


def test_without_tags_of_the_stack_pools_have_nothing_extra(built: DirectStack) -> None:
    assert tags(built) == [{}] * 7


def test_every_pool_is_created_with_the_tags_of_the_stack() -> None:
    stack = DirectStack()
    stack.set_up()
    set_stack_tags(stack, Team="network")
    with stack.running():
        stack.ask("Create", "InitPools", PROPERTIES)

        assert without_memory(tags(stack)) == [{"Team": "network"}] * 7
        stack.wire.counted.clear()
        update(stack)
        assert stack.wire.counted == {"DescribeStacks": 1, "DescribeIpamPools": 1, "GetIpamPoolCidrs": 7}


def test_tags_of_the_stack_follow_on_the_next_update_and_tags_set_by_hand_stay(built: DirectStack) -> None:
    by_hand = [{"Key": "Note", "Value": "mine"}]
    built.ec2.create_tags(Resources=[pool["IpamPoolId"] for pool in built.listed_pools()], Tags=by_hand)

    set_stack_tags(built, Team="network", Cost="1")
    assert update(built)["Status"] == "SUCCESS"
    assert without_memory(tags(built)) == [{"Note": "mine", "Team": "network", "Cost": "1"}] * 7
    assert "GetIpamPoolAllocations" not in built.wire.counted, "no CIDR is chosen, and none is given back"

    set_stack_tags(built, Team="cloud", Stage="live")
    assert update(built)["Status"] == "SUCCESS"
    assert without_memory(tags(built)) == [{"Note": "mine", "Team": "cloud", "Stage": "live"}] * 7

    set_stack_tags(built)
    assert update(built)["Status"] == "SUCCESS"
    assert tags(built) == [{"Note": "mine"}] * 7
    assert built.pools() == BUILT


# Tags of ours that somebody has cleared


def clear(stack: DirectStack, name: str, *keys: str) -> str:
    """Remove tags of a pool by hand; return its id."""
    pool_id = stack.pool_ids()[name]
    stack.ec2.delete_tags(Resources=[pool_id], Tags=[{"Key": key} for key in keys])
    return pool_id


@pytest.mark.parametrize("in_use", [False, True], ids=["unused", "with a VPC"])
def test_a_pool_whose_environment_was_cleared_is_recognized_and_gets_its_tag_again(
    built: DirectStack, in_use: bool
) -> None:
    if in_use:
        built.make_vpc("us-west-2", "SDLC OU")
    ids = built.pool_ids()
    clear(built, "us-west-2 SDLC OU", names.POOL_ENVIRONMENT_TAG, names.REGION_TAG, names.BLOCK_TAG)

    assert update(built)["Status"] == "SUCCESS"

    assert (built.pools(), built.pool_ids()) == (BUILT, ids)
    (found,) = built.ec2.describe_ipam_pools(IpamPoolIds=[ids["us-west-2 SDLC OU"]])["IpamPools"]
    assert to_dict(found["Tags"])[names.POOL_ENVIRONMENT_TAG] == "SDLC OU"


def test_one_that_cannot_be_recognized_and_is_in_use_is_named_with_its_tag(built: DirectStack) -> None:
    built.make_vpc("us-west-2", "SDLC OU")
    pool_id = clear(built, "us-west-2 SDLC OU", names.POOL_ENVIRONMENT_TAG)
    built.ec2.modify_ipam_pool(IpamPoolId=pool_id, Description="other")
    built.clock.advance(60)

    answer = update(built)

    assert answer["Status"] == "FAILED"
    assert f"{pool_id}, without its tag {names.POOL_ENVIRONMENT_TAG}, holds vpc-" in answer["Reason"]
    tag = {"Key": names.POOL_ENVIRONMENT_TAG, "Value": "SDLC OU"}
    built.ec2.create_tags(Resources=[pool_id], Tags=[tag])
    assert update(built)["Status"] == "SUCCESS"
    assert built.pools() == BUILT


@pytest.mark.parametrize("description", ["SDLC OU in us-west-2", "other"], ids=["", "and its description"])
def test_a_pool_that_has_lost_the_tag_that_makes_it_ours_is_named_and_gets_no_second_beside_it(
    built: DirectStack, description: str
) -> None:
    ids = built.pool_ids()
    pool_id = clear(built, "us-west-2 SDLC OU", names.STACK_TAG)
    built.ec2.modify_ipam_pool(IpamPoolId=pool_id, Description=description)
    built.clock.advance(60)

    for resource in ("Ipam", "InitPools"):
        answer = built.ask("Update", resource, PROPERTIES | {"AccPoolPrefixLength": "13"})

        assert answer["Status"] == "FAILED"
        assert f"us-west-2/SDLC OU ({pool_id}) has lost the tag ctipam:stack-id. Put it back" in answer["Reason"]
        assert len(answer["Reason"]) < 240
        assert built.ask("Update", resource, PROPERTIES, ROLLING_BACK)["Status"] == "SUCCESS"
    assert (built.pools(), built.pool_ids()) == (BUILT, ids)

    built.ec2.create_tags(Resources=[pool_id], Tags=[{"Key": names.STACK_TAG, "Value": STACK_ID}])
    assert update(built)["Status"] == "SUCCESS"
    assert (built.pools(), built.pool_ids()) == (BUILT, ids)


def test_a_pool_of_somebody_that_only_looks_like_ours_is_nothing_to_a_new_stack() -> None:
    stack = DirectStack()
    stack.set_up()
    top = {"IpamScopeId": stack.scope_id, "AddressFamily": "ipv4", "Description": names.pool_description("", "")}
    stack.ec2.create_ipam_pool(**top)
    stack.clock.advance(60)
    with stack.running():
        assert stack.ask("Create", "InitPools", PROPERTIES)["Status"] == "SUCCESS"


# Upgrades


def test_a_change_of_the_package_version_alone_brings_back_a_pool_that_was_deleted_by_hand(built: DirectStack) -> None:
    ids = built.pool_ids()
    built.models.ipam.delete_by_hand(ids["us-west-2 SDLC OU"])
    assert "us-west-2 SDLC OU" not in built.pools()

    assert update(built, PackageVersion="1.0.1")["Status"] == "SUCCESS"

    assert built.pools() == BUILT
    assert built.pool_ids()["us-west-2 SDLC OU"] != ids["us-west-2 SDLC OU"]


def test_a_pool_that_somebody_has_made_like_one_of_ours_beside_it_stays_somebodys(built: DirectStack) -> None:
    ids = built.pool_ids()
    twin = built.ec2.create_ipam_pool(
        IpamScopeId=built.scope_id,
        SourceIpamPoolId=ids["us-west-2"],
        Locale="us-west-2",
        AddressFamily="ipv4",
        Description=names.pool_description("us-west-2", "SDLC OU"),
    )["IpamPool"]["IpamPoolId"]
    built.clock.advance(60)

    assert update(built, AccPoolPrefixLength="13")["Status"] == "SUCCESS"

    assert built.pool_ids() == ids | {twin: twin}
    assert built.rows(twin) == []
