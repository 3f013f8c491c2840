"""Custom::InitPools and Custom::Ipam: an update that is rolled back, and removals that fail late.

A rollback that fails leaves the stack in UPDATE_ROLLBACK_FAILED, so it must succeed whatever happened meanwhile.
"""

from __future__ import annotations

import logging
from typing import Any

import pytest

from aws_models.errors import AwsError
from ctipam import names
from ctipam.tags import to_dict
from landing_zone.direct_stack import BUILT, PROPERTIES, STACK_ID, DirectStack

WITH_IRELAND = PROPERTIES | {"RegionSelection": ["us-west-2", "us-east-1", "eu-west-1"]}
WITHOUT_WEST = PROPERTIES | {"RegionSelection": ["us-east-1"]}
DENIED = AwsError("UnauthorizedOperation", "You are not authorized, with an explicit deny in a service control policy.")
HOUR = 3600
FIRST, SECOND = "ou-ab12-00000001", "ou-ab12-00000002"
TOPIC = "arn:aws:sns:us-east-1:222222222222:alarms"


def rolled_back(stack: DirectStack, resource: str, properties: dict[str, Any]) -> dict[str, Any]:
    """The answer to the Update with which CloudFormation undoes an update."""
    stack.wire.stacks[STACK_ID] = {"StackStatus": "UPDATE_ROLLBACK_IN_PROGRESS"}
    return stack.ask("Update", resource, properties)


def kept(caplog: pytest.LogCaptureFixture) -> list[str]:
    (what,) = [vars(record)["what"] for record in caplog.records if record.message == "kept what could not be removed"]
    return list(what)


def test_a_rollback_keeps_a_new_pool_that_is_in_use_and_reports_it(
    built: DirectStack, caplog: pytest.LogCaptureFixture
) -> None:
    assert built.ask("Update", "InitPools", WITH_IRELAND)["Status"] == "SUCCESS"
    vpc_id = built.make_vpc("eu-west-1", "Prod OU", length=16)

    with caplog.at_level(logging.INFO, "ctipam"):
        answer = rolled_back(built, "InitPools", PROPERTIES | {"TopicArn": TOPIC})

    assert answer["Status"] == "SUCCESS", answer["Reason"]
    (sentence,) = kept(caplog)
    assert f"eu-west-1/Prod OU holds {vpc_id}" in sentence
    assert set(built.pools()) == {*BUILT, "eu-west-1", "eu-west-1 Prod OU"}
    (message,) = built.wire.published
    assert message["TopicArn"] == TOPIC
    assert vpc_id in message["Message"]


def ous(stack: DirectStack) -> dict[str, str]:
    """The tag with the OU of each pool of Prod OU, by the pool's name."""
    tags = [to_dict(pool["Tags"]) for pool in stack.listed_pools()]
    return {
        of_pool["Name"]: of_pool.get(names.OU_TAG, "")
        for of_pool in tags
        if of_pool.get(names.POOL_ENVIRONMENT_TAG) == "Prod OU"
    }


def write_ou(stack: DirectStack, ou_id: str) -> None:
    """Write the OU of Prod OU on its pools, as sharing does when it has found it."""
    ids = [pool_id for name, pool_id in stack.pool_ids().items() if name.endswith("Prod OU")]
    stack.ec2.create_tags(Resources=ids, Tags=[{"Key": names.OU_TAG, "Value": ou_id}])


@pytest.mark.parametrize("earlier", [FIRST, ""], ids=["known", "not found yet"])
@pytest.mark.parametrize("of_networking", [True, False], ids=["the stack rolls back", "the stack above it does"])
def test_a_rollback_gives_an_environment_back_the_ou_that_it_was(
    built: DirectStack, earlier: str, of_networking: bool
) -> None:
    """StackSets rolls the Networking stack back with an ordinary update, if only the stack above has failed."""
    if earlier:
        write_ou(built, earlier)
    pinned = PROPERTIES | {"AccEnvName": [f"Prod OU ({SECOND})", "SDLC OU"]}
    request = built.request("Update", "InitPools", pinned)
    for _ in range(2):  # Lambda delivers it twice
        assert (built.send(request) or {})["Status"] == "SUCCESS"
    assert set(ous(built).values()) == {SECOND}

    if of_networking:
        answer = rolled_back(built, "InitPools", PROPERTIES)
    else:
        answer = built.ask("Update", "InitPools", PROPERTIES)

    assert answer["Status"] == "SUCCESS"
    assert set(ous(built).values()) == {earlier}
    assert not any(names.REPLACED_OU_TAG in to_dict(pool["Tags"]) for pool in built.listed_pools())


def test_an_environment_stays_the_ou_that_it_was_when_all_regions_are_replaced_and_back(built: DirectStack) -> None:
    write_ou(built, FIRST)
    elsewhere = PROPERTIES | {"RegionSelection": ["eu-west-1"], "AccEnvName": [f"Prod OU ({SECOND})", "SDLC OU"]}

    assert built.ask("Update", "InitPools", elsewhere)["Status"] == "SUCCESS"
    assert ous(built) == {"eu-west-1 Prod OU": SECOND}
    assert rolled_back(built, "InitPools", PROPERTIES)["Status"] == "SUCCESS"
    assert ous(built) == {"us-west-2 Prod OU": FIRST, "us-east-1 Prod OU": FIRST}
    assert built.ask("Update", "InitPools", WITH_IRELAND)["Status"] == "SUCCESS"
    assert ous(built)["eu-west-1 Prod OU"] == FIRST


def test_a_rollback_of_the_ipam_passes_although_a_region_has_been_denied_since(built: DirectStack) -> None:
    built.ask("Create", "Ipam", PROPERTIES)
    built.wire.unusable["us-west-2"] = DENIED

    assert built.ask("Update", "Ipam", PROPERTIES)["Status"] == "FAILED"
    assert rolled_back(built, "Ipam", PROPERTIES)["Status"] == "SUCCESS"


WITH_TEST = PROPERTIES | {"AccEnvName": ["Prod OU", "SDLC OU", "Test OU"]}
LARGER = {"PoolSizes": "us-west-2/Prod OU=12+12,us-west-2/SDLC OU=12+12"}
HALF = PROPERTIES | {"TopLevelPoolCidr": "10.0.0.0/9"}


@pytest.mark.parametrize(
    ("before", "update"),
    [
        (WITH_TEST, PROPERTIES | LARGER),
        (HALF, HALF | {"RegionSelection": ["us-west-2"], "PoolSizes": "us-west-2=10+10"}),
    ],
    ids=["environment", "Region"],
)
@pytest.mark.parametrize("status", ["UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_IN_PROGRESS"])
def test_a_rollback_brings_back_what_an_update_has_removed_to_make_room_for_larger_pools(
    before: dict[str, Any], update: dict[str, Any], status: str
) -> None:
    """StackSets rolls back with an ordinary update."""
    stack = DirectStack(workers=1)
    stack.set_up()
    with stack.running():
        stack.ask("Create", "InitPools", before)
        built = stack.pools()
        stack.ask("Update", "InitPools", update)

        assert stack.ask("Update", "InitPools", before, status)["Status"] == "SUCCESS"
        after = stack.pools()

    assert after.keys() == built.keys()
    assert [len(blocks.split(",")) for blocks in after.values()] == [1] * len(built)


def delete_and_take_its_place(stack: DirectStack) -> None:
    """Delete the pool of SDLC OU in us-west-2 by hand, and give all that is free there to a pool made by hand."""
    stack.models.ipam.delete_by_hand(stack.pool_ids()["us-west-2 SDLC OU"])
    parent_id = stack.pool_ids()["us-west-2"]
    pool = stack.ec2.create_ipam_pool(
        IpamScopeId=stack.scope_id, AddressFamily="ipv4", Locale="us-west-2", SourceIpamPoolId=parent_id
    )["IpamPool"]
    stack.clock.advance(60)
    for cidr in ("10.16.0.0/12", "10.32.0.0/11"):
        stack.ec2.provision_ipam_pool_cidr(IpamPoolId=pool["IpamPoolId"], Cidr=cidr)
        stack.clock.advance(60)


@pytest.mark.parametrize("resource", ["Ipam", "InitPools"])
def test_a_pool_that_was_deleted_by_hand_and_has_no_place_any_more_fails_an_update_and_no_rollback(
    built: DirectStack, resource: str
) -> None:
    built.ask("Create", "Ipam", PROPERTIES)
    delete_and_take_its_place(built)
    ids = built.pool_ids()

    answer = built.ask("Update", resource, PROPERTIES | {"AutoImport": "on"})
    assert answer["Status"] == "FAILED"
    assert answer["Reason"].startswith("No room for us-west-2/SDLC OU: ")

    assert rolled_back(built, resource, PROPERTIES)["Status"] == "SUCCESS"
    assert built.pool_ids() == ids


def test_a_rollback_that_aws_denies_a_pool_fails_with_the_reason(built: DirectStack) -> None:
    assert built.ask("Update", "InitPools", WITHOUT_WEST)["Status"] == "SUCCESS"
    built.models.ipam.faults.refuse_next("CreateIpamPool", DENIED, times=1000)

    answer = rolled_back(built, "InitPools", PROPERTIES)

    assert answer["Status"] == "FAILED"
    assert "explicit deny in a service control policy" in answer["Reason"]


def test_a_rollback_ends_although_the_top_level_pool_is_gone_and_another_has_its_cidr(built: DirectStack) -> None:
    built.models.ipam.delete_by_hand(built.top_pool_id)
    built.add_foreign_pool("10.0.0.0/8")

    assert built.ask("Update", "InitPools", PROPERTIES)["Status"] == "FAILED"
    answer = rolled_back(built, "InitPools", PROPERTIES)

    assert answer["Status"] == "SUCCESS", answer["Reason"]
    assert answer["Data"] == {"TopLevelPoolId": "unknown", "PoolCount": "0"}


def test_a_removal_that_fails_late_is_reported_and_everything_else_is_done(
    built: DirectStack, caplog: pytest.LogCaptureFixture
) -> None:
    """The Region cannot be read any more, so only AWS knows that a VPC is in its pool."""
    built.make_vpc("us-west-2", "Prod OU", length=16)
    built.wire.unusable["us-west-2"] = DENIED

    with caplog.at_level(logging.INFO, "ctipam"):
        answer = built.ask("Update", "InitPools", WITHOUT_WEST)

    assert answer["Status"] == "SUCCESS", answer["Reason"]
    (sentence,) = kept(caplog)
    assert sentence.startswith("AWS could not take 10.0.0.0/12 from the pool of us-west-2/Prod OU: ")
    assert set(built.pools()) == set(BUILT) - {"us-west-2 SDLC OU"}


def left_behind(stack: DirectStack) -> str:
    """Let an update leave the pool of Prod OU in us-west-2, because of a VPC that it has not seen; return its id."""
    vpc_id = stack.make_vpc("us-west-2", "Prod OU", length=16)
    stack.wire.unusable["us-west-2"] = DENIED
    assert stack.ask("Update", "InitPools", WITHOUT_WEST)["Status"] == "SUCCESS"
    stack.wire.unusable.clear()
    return vpc_id


@pytest.mark.parametrize("resource", ["Ipam", "InitPools"])
def test_what_an_earlier_update_could_not_remove_fails_no_later_update(built: DirectStack, resource: str) -> None:
    built.ask("Create", "Ipam", PROPERTIES)
    built.ask("Update", "Ipam", WITHOUT_WEST)
    left_behind(built)

    answer = built.ask("Update", resource, WITHOUT_WEST | {"AutoImport": "on"})

    assert answer["Status"] == "SUCCESS", answer["Reason"]
    assert set(built.pools()) == set(BUILT) - {"us-west-2 SDLC OU"}


def test_a_later_update_reports_what_is_left_until_it_can_remove_it(
    built: DirectStack, caplog: pytest.LogCaptureFixture
) -> None:
    vpc_id = left_behind(built)
    caplog.clear()

    with caplog.at_level(logging.INFO, "ctipam"):
        assert built.ask("Update", "InitPools", WITHOUT_WEST | {"AutoImport": "on"})["Status"] == "SUCCESS"
    assert kept(caplog) == [f"us-west-2/Prod OU holds {vpc_id} (10.0.0.0/16, account 222222222222)"]

    built.models.ipam.vpc_deleted(vpc_id)
    built.clock.advance(1800)
    assert built.ask("Update", "InitPools", WITHOUT_WEST)["Status"] == "SUCCESS"
    assert set(built.pools()) == {"us-east-1", "us-east-1 Prod OU", "us-east-1 SDLC OU"}


def test_an_update_is_refused_for_what_it_removes_itself_beside_what_is_left(built: DirectStack) -> None:
    left_behind(built)
    vpc_id = built.make_vpc("us-east-1", "SDLC OU", length=16)

    answer = built.ask("Update", "InitPools", WITHOUT_WEST | {"AccEnvName": ["Prod OU"]})

    assert answer["Status"] == "FAILED"
    assert answer["Reason"].startswith(f"In use, nothing was changed: us-east-1/SDLC OU holds {vpc_id} ")
    assert "us-west-2" not in answer["Reason"]


@pytest.mark.parametrize("again", ["a rollback", "an update"])
def test_a_pool_that_aws_could_not_delete_is_wanted_again(built: DirectStack, again: str) -> None:
    """Nothing can be shared from a pool that is delete-failed, nor be given to it."""
    built.models.ipam.faults.fail_next("DeleteIpamPool", "busy")
    assert built.ask("Update", "InitPools", WITHOUT_WEST)["Status"] == "SUCCESS"
    assert "delete-failed" in {pool["State"] for pool in built.listed_pools()}

    if again == "a rollback":
        answer = rolled_back(built, "InitPools", PROPERTIES)
    else:
        answer = built.ask("Update", "InitPools", PROPERTIES)

    assert answer["Status"] == "SUCCESS", answer["Reason"]
    assert built.pools() == BUILT
    states = {pool["State"] for pool in built.listed_pools()}
    assert states <= {"create-complete", "modify-complete", "delete-complete"}


@pytest.mark.parametrize("state", ["isolate-complete", "restore-in-progress"])
def test_a_rollback_ends_although_aws_keeps_a_pool_in_a_state_in_which_it_takes_nothing(
    built: DirectStack, state: str
) -> None:
    assert built.ask("Update", "InitPools", WITH_IRELAND)["Status"] == "SUCCESS"
    built.models.ipam.set_state(built.pool_ids()["us-west-2 Prod OU"], state)
    began = built.clock.now()

    answer = rolled_back(built, "InitPools", PROPERTIES)

    assert built.clock.now() - began < HOUR
    assert answer["Status"] == "SUCCESS", answer["Reason"]
    (top,) = [pool["IpamPoolId"] for pool in built.listed_pools() if "SourceIpamPoolId" not in pool]
    assert answer["Data"] == {"TopLevelPoolId": top, "PoolCount": "7"}


@pytest.mark.parametrize("pool", ["us-west-2 Prod OU", "us-west-2"])
@pytest.mark.parametrize("resource", ["Ipam", "InitPools"])
def test_an_update_beside_an_isolated_pool_fails_at_once_with_its_state(
    built: DirectStack, resource: str, pool: str
) -> None:
    built.ask("Create", "Ipam", PROPERTIES)
    pool_id = built.pool_ids()[pool]
    built.models.ipam.set_state(pool_id, "isolate-complete")
    began = built.clock.now()

    answer = built.ask("Update", resource, WITH_IRELAND)

    assert built.clock.now() - began < 60
    assert answer["Status"] == "FAILED"
    assert f"{pool_id} is isolate-complete and takes no requests, the pool of " in answer["Reason"]
    assert set(built.pools()) == set(BUILT)


@pytest.mark.parametrize("pool", ["us-west-2 Prod OU", "us-west-2"])
def test_an_update_keeps_an_isolated_pool_that_is_not_wanted_and_reports_it_at_once(
    built: DirectStack, caplog: pytest.LogCaptureFixture, pool: str
) -> None:
    pool_id = built.pool_ids()[pool]
    built.models.ipam.set_state(pool_id, "isolate-complete")
    began = built.clock.now()

    with caplog.at_level(logging.INFO, "ctipam"):
        answer = built.ask("Update", "InitPools", WITHOUT_WEST)

    assert answer["Status"] == "SUCCESS", answer["Reason"]
    assert built.clock.now() - began < 300
    (sentence,) = kept(caplog)
    assert f"({pool_id}) is isolate-complete" in sentence
    east = {name for name in BUILT if name.startswith("us-east-1")}
    assert set(built.pools()) == {*east, "us-west-2", pool}


def test_nothing_gets_the_room_of_an_isolated_pool_that_is_not_wanted(built: DirectStack) -> None:
    built.models.ipam.set_state(built.pool_ids()["us-west-2 Prod OU"], "isolate-complete")
    full = PROPERTIES | {"AccEnvName": ["SDLC OU", "A", "B", "C"]}

    answer = built.ask("Update", "InitPools", full)

    assert answer["Status"] == "FAILED"
    assert "No room for us-west-2/C: us-west-2 (10.0.0.0/10) has no free /12 left." in answer["Reason"]
    assert built.pools() == BUILT


def test_a_deletion_ends_and_names_every_pool_although_many_of_a_region_that_is_denied_are_in_use() -> None:
    """AWS changes one pool below a parent at a time, so those that it cannot empty wait for each other."""
    four = PROPERTIES | {"AccEnvName": ["A", "B", "C", "D"], "TopicArn": TOPIC}
    with DirectStack(changes_s=0.2).running() as stack:
        stack.set_up()
        assert stack.ask("Create", "InitPools", four)["Status"] == "SUCCESS"
        for environment in four["AccEnvName"]:
            stack.make_vpc("us-west-2", environment, length=16)
        stack.wire.unusable["us-west-2"] = DENIED

        stack.ask("Delete", "InitPools", four)

        (message,) = stack.wire.published
    named = [environment for environment in four["AccEnvName"] if f"us-west-2/{environment}: " in message["Message"]]
    assert named == four["AccEnvName"]


def test_a_deletion_leaves_an_isolated_pool_at_once_and_says_so(built: DirectStack) -> None:
    pool_id = built.pool_ids()["us-west-2 Prod OU"]
    built.models.ipam.set_state(pool_id, "isolate-complete")
    began = built.clock.now()

    answer = built.ask("Delete", "InitPools", PROPERTIES | {"TopicArn": TOPIC})

    assert answer["Status"] == "SUCCESS"
    assert built.clock.now() - began < 300
    assert set(built.pools()) == {"us-west-2", "us-west-2 Prod OU"}
    (message,) = built.wire.published
    assert f"us-west-2/Prod OU ({pool_id}) is isolate-complete" in message["Message"]


def test_an_update_waits_for_a_pool_that_aws_restores(built: DirectStack) -> None:
    built.models.ipam.set_state(built.pool_ids()["us-west-2 Prod OU"], "restore-in-progress")

    answer = built.ask("Update", "InitPools", WITH_IRELAND)

    assert "still waiting for us-west-2/Prod OU (restore-in-progress)" in answer["Reason"]


def test_a_rollback_ends_although_aws_keeps_the_ipam_in_a_state_in_which_it_takes_nothing(built: DirectStack) -> None:
    data = built.ask("Create", "Ipam", PROPERTIES)["Data"]
    built.models.ipam.set_state(data["IpamId"], "isolate-complete")

    failed = built.ask("Update", "Ipam", WITH_IRELAND)
    answer = rolled_back(built, "Ipam", PROPERTIES)

    assert "still waiting for IPAM " in failed["Reason"]
    assert answer["Status"] == "SUCCESS", answer["Reason"]
    assert (answer["Data"]["IpamId"], answer["Data"]["ScopeId"]) == (data["IpamId"], data["ScopeId"])
    assert "isolate-complete" in answer["Data"]["Warnings"]
