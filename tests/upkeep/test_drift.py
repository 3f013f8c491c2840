"""What somebody changed by hand: how the watch finds it, what is mended, and what is only told."""

from __future__ import annotations

import json
from collections.abc import Callable
from ipaddress import IPv4Network
from typing import Any
from unittest.mock import patch

import pytest

from aws_models.ipam import Timings, by_hand
from ctipam import names
from ctipam.cloudformation.own_stack import Snapshot
from ctipam.pools.existing import Block, ExistingPool
from ctipam.pools.recognition import UNKNOWN_STACK, lost_stack_tag
from ctipam.pools.spec import TOP_LEVEL, PoolKey, PoolSpec
from ctipam.tags import to_dict
from ctipam.upkeep.drift import lacking_until_removed
from ctipam.upkeep.mending import scope_of_pools
from in_process.played_once import played_once
from landing_zone.direct_stack import BUILT, PROPERTIES, TO_WATCH, DirectStack

HOUR = 3600
PROD, SDLC, EAST_PROD = "us-west-2 Prod OU", "us-west-2 SDLC OU", "us-east-1 Prod OU"
READS = ("Describe", "Get")
RESERVED = PROPERTIES | {"ReservedCidrs": "10.1.0.0/16"}

Watch = Callable[[], dict[str, str]]


@pytest.fixture
def watch(idle: DirectStack, capsys: pytest.CaptureFixture[str]) -> Watch:
    """Return what runs the watch, and returns the messages of what differs, by subject."""

    def run() -> dict[str, str]:
        idle.clock.advance(HOUR)
        capsys.readouterr()
        assert idle.look(event=TO_WATCH)
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        return {line["Subject"]: line["Message"] for line in lines if "Drift" in line}

    return run


def mended(stack: DirectStack) -> DirectStack:
    """Mend what the last watch has found, and let AWS finish."""
    assert stack.mend()
    stack.clock.advance(60)
    return stack


def settings(stack: DirectStack) -> dict[str, Any]:
    """Return everything of each pool that somebody can change, by the pool's id."""
    ignored = ("State", "StateMessage")
    return {
        pool["IpamPoolId"]: {key: value for key, value in pool.items() if key not in ignored}
        | {"Tags": to_dict(pool["Tags"]), "Cidrs": stack.cidrs(pool["IpamPoolId"])}
        for pool in stack.listed_pools()
    }


def delete(stack: DirectStack, name: str) -> None:
    by_hand.delete(stack.models.ipam._store, stack.pool_ids().get(name) or stack.top_pool_id)


def retag(stack: DirectStack, name: str, **tags: str | None) -> None:
    """Set tags, whose names are in `names`, by hand; None removes one."""
    ids = [stack.pool_ids()[name]]
    for key, value in tags.items():
        if value is None:
            stack.ec2.delete_tags(Resources=ids, Tags=[{"Key": getattr(names, key)}])
        else:
            stack.ec2.create_tags(Resources=ids, Tags=[{"Key": getattr(names, key), "Value": value}])


def modify(stack: DirectStack, name: str, **changed: Any) -> None:
    stack.ec2.modify_ipam_pool(IpamPoolId=stack.pool_ids()[name], **changed)
    stack.clock.advance(60)


def reservations(stack: DirectStack) -> list[dict[str, Any]]:
    pool_id = stack.pool_ids()[PROD]
    rows = stack.ec2_in("us-west-2").get_ipam_pool_allocations(IpamPoolId=pool_id)["IpamPoolAllocations"]
    return [row for row in rows if row["ResourceType"] == "custom"]


def release(stack: DirectStack) -> None:
    """Release by hand what is reserved."""
    for row in reservations(stack):
        stack.ec2_in("us-west-2").release_ipam_pool_allocation(
            IpamPoolId=stack.pool_ids()[PROD], Cidr=row["Cidr"], IpamPoolAllocationId=row["IpamPoolAllocationId"]
        )


def test_where_nothing_was_changed_nothing_is_found_and_the_stack_is_read_once(idle: DirectStack, watch: Watch) -> None:
    assert watch() == {}

    assert idle.wire.counted["DescribeStacks"] == 1
    assert idle.wire.counted["GetIpamPoolAllocations"] == 2 * 4, "of environment pools only: to measure, and to watch"
    assert idle.wire.invocations == []
    assert {action for action in idle.wire.actions[-20:] if not action.startswith(READS)} == set()


# Mended


def test_what_was_changed_is_named_and_changed_back(idle: DirectStack, watch: Watch) -> None:
    before = settings(idle)
    modify(idle, PROD, RemoveAllocationResourceTags=[{"Key": "Env", "Value": "Prod OU"}])
    modify(idle, SDLC, AddAllocationResourceTags=[{"Key": "Team", "Value": "x"}], AllocationMaxNetmaskLength=26)
    modify(idle, EAST_PROD, Description="ours", AutoImport=True)
    retag(idle, "us-east-1", REGION_TAG="eu-west-1", BLOCK_TAG=None)

    found = watch()

    assert {subject: text.partition(": ")[2].partition(". ")[0] for subject, text in found.items()} == {
        "us-west-2/Prod OU: rules": "the tags that a VPC must carry",
        "us-west-2/SDLC OU: rules": "the tags that a VPC must carry, the sizes of VPCs",
        "us-east-1/Prod OU: rules": "its description, whether it imports VPCs",
        "us-east-1: tags": "ctipam:cidr, ctipam:region",
    }
    assert settings(mended(idle)) == before
    assert watch() == {}


def test_a_pool_whose_modification_failed_is_modified_again_so_that_it_can_be_shared(
    idle: DirectStack, watch: Watch
) -> None:
    idle.models.ipam.faults.fail_next("ModifyIpamPool", "no")
    modify(idle, PROD, Description="ours")

    assert "was changed: its last modification failed" in watch()["us-west-2/Prod OU: rules"]
    states = {pool["State"] for pool in mended(idle).listed_pools()}
    assert states == {"create-complete", "modify-complete"}
    assert watch() == {}


def test_a_pool_that_cannot_be_modified_keeps_nothing_else_from_being_mended(idle: DirectStack, watch: Watch) -> None:
    assert idle.ask("Update", "InitPools", RESERVED)["Status"] == "SUCCESS"
    idle.end_operation()
    idle.models.ipam.faults.fail_next("ModifyIpamPool", "no")
    modify(idle, SDLC, Description="ours")
    idle.models.ipam.faults.fail_next("ModifyIpamPool", "no")
    release(idle)

    assert watch().keys() == {"us-west-2/SDLC OU: rules", "us-west-2/Prod OU: reservations"}
    mended(idle)

    assert [row["Cidr"] for row in reservations(idle)] == ["10.1.0.0/16"]
    assert watch().keys() == {"us-west-2/SDLC OU: rules"}
    mended(idle)
    assert watch() == {}


def test_tags_that_a_pool_cannot_take_are_told_and_keep_nothing_else_from_being_mended(
    idle: DirectStack, watch: Watch
) -> None:
    before = idle.pools()
    tags = [{"Key": f"key {number}", "Value": ""} for number in range(40)]
    by_hand_too = [{"Key": f"mine {number}", "Value": ""} for number in range(10)]
    idle.ec2.create_tags(Resources=[idle.pool_ids()[PROD]], Tags=by_hand_too)
    idle.wire.stacks[idle.stack_id]["Tags"] = tags
    delete(idle, SDLC)

    assert watch()["us-west-2/Prod OU: tags"].endswith(
        "AWS allows 50 on a pool: remove some from the stack, or from the pool."
    )
    assert mended(idle).pools() == before
    assert watch().keys() == {"us-west-2/Prod OU: tags"}
    assert idle.ask("Update", "InitPools", PROPERTIES, "UPDATE_ROLLBACK_IN_PROGRESS")["Status"] == "SUCCESS"
    assert "TagLimitExceeded" in idle.ask("Update", "InitPools", PROPERTIES)["Reason"]


def test_what_a_vpc_left_of_a_reservation_is_reserved_again(idle: DirectStack, watch: Watch) -> None:
    assert idle.ask("Update", "InitPools", PROPERTIES | {"ReservedCidrs": "10.0.0.0/22"})["Status"] == "SUCCESS"
    idle.end_operation()
    release(idle)
    idle.clock.advance(HOUR)
    idle.make_vpc("us-west-2", "Prod OU", length=24)

    assert watch().keys() == {
        "us-west-2/Prod OU: reservations",
        "us-west-2/Prod OU: 10.0.0.0/24 is reserved and in use",
    }
    mended(idle)

    assert sorted(row["Cidr"] for row in reservations(idle)) == ["10.0.1.0/24", "10.0.2.0/23"]
    assert watch().keys() == {"us-west-2/Prod OU: 10.0.0.0/24 is reserved and in use"}
    assert idle.wire.invocations == []


def test_a_pool_that_was_deleted_is_created_again_with_its_reservations(idle: DirectStack, watch: Watch) -> None:
    assert idle.ask("Update", "InitPools", RESERVED)["Status"] == "SUCCESS"
    idle.end_operation()
    kept = [row["Cidr"] for row in reservations(idle)]
    assert kept == ["10.1.0.0/16"]
    delete(idle, PROD)

    assert watch() == {
        "us-west-2/Prod OU: missing": "The pool of us-west-2/Prod OU does not exist any more. It is being added again."
    }
    assert mended(idle).pools() == BUILT | {PROD: "10.32.0.0/12"}, "beside what is reserved"
    assert watch() == {}


@pytest.mark.parametrize("deleted", ["us-west-2", "landing-zone"])
def test_a_pool_that_was_deleted_with_those_below_is_built_again(idle: DirectStack, watch: Watch, deleted: str) -> None:
    delete(idle, deleted)

    assert len(watch()) == (3 if deleted == "us-west-2" else 7)
    assert mended(idle).pools() == BUILT
    assert watch() == {}


def test_a_block_that_was_taken_from_a_pool_is_given_again(idle: DirectStack, watch: Watch) -> None:
    idle.ec2.deprovision_ipam_pool_cidr(IpamPoolId=idle.pool_ids()[PROD], Cidr="10.0.0.0/12")

    assert "lacks a block, /12. It is being added again." in watch()["us-west-2/Prod OU: blocks"]
    assert mended(idle).pools() == BUILT


def test_a_cidr_that_was_taken_from_the_top_level_pool_is_given_again(idle: DirectStack, watch: Watch) -> None:
    two = PROPERTIES | {"TopLevelPoolCidr": "10.0.0.0/8,172.16.0.0/12"}
    assert idle.ask("Update", "InitPools", two)["Status"] == "SUCCESS"
    idle.end_operation()
    idle.ec2.deprovision_ipam_pool_cidr(IpamPoolId=idle.top_pool_id, Cidr="172.16.0.0/12")

    (message,) = watch().values()

    assert message.endswith(" lacks a block, 172.16.0.0/12. It is being added again.")
    mended(idle)
    assert watch() == {}


def test_a_reservation_that_was_released_is_made_again(idle: DirectStack, watch: Watch) -> None:
    idle.ask("Update", "InitPools", RESERVED)
    idle.end_operation()
    (row,) = reservations(idle)
    released = {"IpamPoolAllocationId": row["IpamPoolAllocationId"], "Cidr": row["Cidr"]}
    idle.ec2_in("us-west-2").release_ipam_pool_allocation(IpamPoolId=idle.pool_ids()[PROD], **released)
    idle.clock.advance(60)
    retag(idle, PROD, RESERVED_TAG=None)

    assert "does not keep 10.1.0.0/16 of ReservedCidrs" in watch()["us-west-2/Prod OU: reservations"]
    mended(idle)
    assert [row["Cidr"] for row in reservations(idle)] == ["10.1.0.0/16"]
    assert watch() == {}


def test_a_reservation_that_is_declared_no_longer_is_only_told(idle: DirectStack, watch: Watch) -> None:
    assert idle.ask("Update", "InitPools", RESERVED)["Status"] == "SUCCESS"
    idle.end_operation()
    idle.set_parameters(PROPERTIES)

    (subject,), (message,) = watch().keys(), watch().values()

    assert subject == f"{idle.pool_ids()[PROD]}: 10.1.0.0/16 still reserved"
    assert "still keeps 10.1.0.0/16 from VPCs, which ReservedCidrs does not list." in message
    assert idle.wire.invocations == []
    assert idle.ask("Update", "InitPools", PROPERTIES)["Status"] == "SUCCESS"
    idle.end_operation()
    assert watch() == {}


def test_a_pool_that_has_lost_its_environment_is_known_by_its_description(idle: DirectStack, watch: Watch) -> None:
    before = settings(idle)
    retag(idle, PROD, POOL_ENVIRONMENT_TAG=None)
    retag(idle, SDLC, POOL_ENVIRONMENT_TAG="Another OU")

    assert list(watch()) == ["us-west-2/Prod OU: tags", "us-west-2/SDLC OU: tags"]
    assert settings(mended(idle)) == before


@pytest.mark.parametrize(("changed", "other"), [(PROD, SDLC), (SDLC, PROD)])
def test_so_is_one_that_got_the_tag_of_another_environment(
    idle: DirectStack, watch: Watch, changed: str, other: str
) -> None:
    before = settings(idle)
    retag(idle, changed, POOL_ENVIRONMENT_TAG=other.removeprefix("us-west-2 "))

    assert list(watch()) == [f"{changed.replace(' ', '/', 1)}: tags"]
    assert settings(mended(idle)) == before


def test_tags_of_the_stack_that_were_changed_are_corrected_and_those_of_others_stay(
    idle: DirectStack, watch: Watch
) -> None:
    idle.wire.stacks[idle.stack_id]["Tags"] = [{"Key": "Cost", "Value": "42"}]
    idle.ask("Update", "InitPools", PROPERTIES)
    idle.end_operation()
    pool_id = idle.pool_ids()[PROD]
    tags = [{"Key": "Cost", "Value": "0"}, {"Key": "Team", "Value": "x"}]
    idle.ec2.create_tags(Resources=[pool_id], Tags=tags)

    assert "has other tags than the stack: Cost." in watch()["us-west-2/Prod OU: tags"]
    found = settings(mended(idle))[pool_id]["Tags"]
    assert (found["Cost"], found["Team"]) == ("42", "x")


# Only told


def test_what_would_take_something_away_is_only_told(idle: DirectStack, watch: Watch) -> None:
    """A pool made by hand, and a Region that a rollback could not remove."""
    wanted = dict(BUILT)
    idle.set_parameters(PROPERTIES | {"RegionSelection": ["us-west-2"]})
    place = {"IpamScopeId": idle.scope_id, "SourceIpamPoolId": idle.pool_ids()["us-west-2"], "Locale": "us-west-2"}
    made = idle.ec2.create_ipam_pool(AddressFamily="ipv4", **place)["IpamPool"]["IpamPoolId"]
    idle.clock.advance(60)
    idle.ec2.create_ipam_pool(AddressFamily="ipv4", **(place | {"SourceIpamPoolId": made}))

    found = watch()

    east = [idle.pool_ids()[name] for name in wanted if name.startswith("us-east-1")]
    assert set(found) == {f"{made}: by hand in us-west-2", *(f"{pool_id}: not declared" for pool_id in east)}
    assert idle.wire.invocations == []
    assert "was made by hand in the pool of us-west-2" in found[f"{made}: by hand in us-west-2"]


def test_a_block_that_is_declared_no_longer_is_told_and_blocks_given_by_hand_are_not(
    idle: DirectStack, watch: Watch
) -> None:
    sizes = {"PoolSizes": "us-west-2/Prod OU=12+12"}
    assert idle.ask("Update", "InitPools", PROPERTIES | sizes)["Status"] == "SUCCESS"
    idle.end_operation()
    idle.ec2.provision_ipam_pool_cidr(IpamPoolId=idle.pool_ids()[SDLC], Cidr="10.48.0.0/12")
    idle.set_parameters(PROPERTIES)

    found = watch()

    assert list(found) == [f"{idle.pool_ids()[PROD]}: 10.32.0.0/12 not declared"]
    assert idle.wire.invocations == []


def test_a_block_that_aws_has_failed_to_take_back_is_told_and_the_way_out_works(
    idle: DirectStack, watch: Watch
) -> None:
    """An update that removes a Region leaves this where a service control policy hides that a VPC is in the pool."""
    vpc_id, pool_id = idle.make_vpc("us-west-2", "Prod OU", length=16), idle.pool_ids()[PROD]
    idle.ec2.deprovision_ipam_pool_cidr(IpamPoolId=pool_id, Cidr="10.0.0.0/12")

    (message,) = watch().values()

    assert message == (
        f"The pool of us-west-2/Prod OU ({pool_id}) holds 10.0.0.0/12, which AWS has failed to take back, so AWS may "
        "create nothing in it. Delete what uses it, if anything, and wait 30 minutes. Then deprovision the CIDR in the "
        "IPAM console; the watch adds it again. Or add a block with PoolSizes."
    )
    idle.models.ipam.vpc_deleted(vpc_id)
    idle.clock.advance(HOUR)
    idle.ec2.deprovision_ipam_pool_cidr(IpamPoolId=pool_id, Cidr="10.0.0.0/12")
    assert watch() != {}
    mended(idle)
    assert watch() == {}
    assert idle.pools() == BUILT


@pytest.mark.parametrize("state", ["isolate-complete", "restore-in-progress"])
@pytest.mark.parametrize("name", ["us-west-2", PROD])
def test_a_pool_in_a_state_in_which_it_takes_nothing_is_told(
    idle: DirectStack, watch: Watch, name: str, state: str
) -> None:
    pool_id = idle.pool_ids()[name]
    idle.models.ipam.set_state(pool_id, state)

    (message,) = watch().values()

    assert f"({pool_id}) is {state}, so nothing can be added or corrected in it." in message
    assert not idle.wire.invocations


def test_a_pool_without_the_tag_that_makes_it_ours_is_told_with_what_to_run_and_nothing_is_added_meanwhile(
    idle: DirectStack, watch: Watch
) -> None:
    before = settings(idle)
    retag(idle, PROD, STACK_TAG=None)
    modify(idle, SDLC, Description="other")

    found = watch()

    assert list(found) == ["us-west-2/Prod OU: not ours", "us-west-2/SDLC OU: rules"]
    pool_id = idle.pool_ids()[PROD]
    command = f"aws ec2 create-tags --region us-east-1 --resources {pool_id} --tags Key=ctipam:stack-id,Value="
    assert f"{command}{idle.stack_id}`" in found["us-west-2/Prod OU: not ours"]
    mended(idle)
    assert idle.pools() == BUILT, "no second pool"
    retag(idle, PROD, STACK_TAG=idle.stack_id)
    assert watch() == {}
    assert settings(idle) == before


def test_the_reservations_of_a_pool_that_nothing_marks_as_ours_stay(idle: DirectStack, watch: Watch) -> None:
    assert idle.ask("Update", "InitPools", RESERVED)["Status"] == "SUCCESS"
    idle.end_operation()
    before = reservations(idle)
    retag(idle, PROD, STACK_TAG=None)
    modify(idle, SDLC, Description="other")

    watch()
    mended(idle)

    assert reservations(idle) == before != []


@pytest.mark.parametrize("name", [PROD, "us-west-2"])
def test_so_is_one_whose_description_was_changed_too_because_its_other_tags_still_tell(
    idle: DirectStack, watch: Watch, name: str
) -> None:
    retag(idle, name, STACK_TAG=None)
    modify(idle, name, Description="other")

    assert list(watch()) == [f"{name.replace(' ', '/', 1)}: not ours"]
    mended(idle)
    assert idle.pools() == BUILT, "no second pool"


def test_what_finds_no_room_is_told_with_the_way_out_and_the_rest_is_corrected(idle: DirectStack, watch: Watch) -> None:
    before = settings(idle)
    delete(idle, PROD)
    modify(idle, SDLC, Description="other")
    for length in (12, 11):  # the freed /12, and the rest of us-west-2
        taken = {"IpamPoolId": idle.pool_ids()["us-west-2"], "NetmaskLength": length}
        idle.ec2_in("us-west-2").allocate_ipam_pool_cidr(**taken)

    found = watch()

    missing = found["us-west-2/Prod OU: missing"]
    assert "It cannot be added again: No room for us-west-2/Prod OU" in missing
    assert "Give PoolSizes us-west-2=10+10; or remove this environment." in missing
    after = settings(mended(idle))
    assert after == {pool_id: before[pool_id] for pool_id in after}


def test_a_block_that_finds_no_room_is_told_with_the_way_out(idle: DirectStack, watch: Watch) -> None:
    idle.ec2.deprovision_ipam_pool_cidr(IpamPoolId=idle.pool_ids()[PROD], Cidr="10.0.0.0/12")
    idle.clock.advance(60)
    for length in (12, 11):
        taken = {"IpamPoolId": idle.pool_ids()["us-west-2"], "NetmaskLength": length}
        idle.ec2_in("us-west-2").allocate_ipam_pool_cidr(**taken)

    blocks = watch()["us-west-2/Prod OU: blocks"]

    assert "lacks a block, /12. It cannot be added again: No room for us-west-2/Prod OU" in blocks
    assert idle.wire.invocations == []


def test_a_pool_that_is_not_declared_and_is_being_deleted_is_not_told(idle: DirectStack, watch: Watch) -> None:
    idle.set_parameters(PROPERTIES | {"AccEnvName": ["Prod OU"]})
    idle.models.ipam._store.timings = Timings(pool_delete=3 * HOUR)
    ids = [idle.pool_ids()[name] for name in (SDLC, "us-east-1 SDLC OU")]
    for pool_id, cidr in zip(ids, ("10.16.0.0/12", "10.80.0.0/12"), strict=True):
        idle.ec2.deprovision_ipam_pool_cidr(IpamPoolId=pool_id, Cidr=cidr)
    idle.clock.advance(60)
    idle.ec2.delete_ipam_pool(IpamPoolId=ids[0])

    assert list(watch()) == [f"{ids[1]}: not declared"]


def test_what_finds_no_room_beside_pools_that_are_not_declared_is_told(idle: DirectStack, watch: Watch) -> None:
    idle.set_parameters(PROPERTIES | {"AccEnvName": ["Test OU", "Next OU"], "AccPoolPrefixLength": "11"})

    found = watch()

    assert "cannot be added again: there is no free /11" in found["us-west-2/Test OU: missing"]
    assert sum(subject.endswith(": not declared") for subject in found) == 4
    assert idle.wire.invocations == []


def test_a_vpc_that_has_reserved_addresses_is_told(idle: DirectStack, watch: Watch) -> None:
    vpc_id = idle.make_vpc("us-west-2", "Prod OU", length=16)
    idle.set_parameters(PROPERTIES | {"ReservedCidrs": "10.0.0.0/16"})

    found = watch()

    assert found["us-west-2/Prod OU: 10.0.0.0/16 is reserved and in use"].startswith(
        f"ReservedCidrs includes addresses of {vpc_id}"
    )


# At the same time as others


@pytest.mark.parametrize("status", ["UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_FAILED"])
def test_nothing_is_looked_for_or_mended_unless_the_stack_is_settled(
    idle: DirectStack, watch: Watch, status: str
) -> None:
    delete(idle, PROD)
    watch()
    idle.wire.in_progress[idle.stack_id] = status

    assert watch() == {}
    idle.wire.counted.clear()
    mended(idle)
    assert idle.wire.counted == {"DescribeStacks": 1}


def test_while_the_stack_is_being_created_nothing_is_read_that_may_not_be_there() -> None:
    stack = DirectStack()
    stack.set_up()
    with stack.running():
        stack.wire.in_progress[stack.stack_id] = "CREATE_IN_PROGRESS"

        assert stack.look(event=TO_WATCH)

    assert stack.wire.counted.keys() == {"DescribeStacks", "DescribeIpamPools"}


def test_what_an_operation_changes_while_the_watch_looks_is_not_taken_for_drift(
    idle: DirectStack, watch: Watch
) -> None:
    delete(idle, PROD)
    carry = idle.wire.carry

    def carry_and_begin(action: str, *call: Any) -> Any:
        if action == "DescribeIpams":
            idle.wire.in_progress[idle.stack_id] = "UPDATE_IN_PROGRESS"
        return carry(action, *call)

    with patch.object(idle.wire, "carry", carry_and_begin):
        assert watch() == {}
    assert idle.wire.invocations == []


def test_without_an_ipam_nothing_is_mended(idle: DirectStack, capsys: pytest.CaptureFixture[str]) -> None:
    idle.set_parameters(PROPERTIES | {"IpamScope": idle.scope_id})
    (ipam,) = idle.ec2.describe_ipams()["Ipams"]
    by_hand.delete(idle.models.ipam._store, ipam["IpamId"])

    assert idle.look(event=TO_WATCH)

    assert "The IPAM is gone" in capsys.readouterr().out
    assert idle.wire.invocations == []


def test_two_invocations_for_one_watch_make_one_pool_even_while_no_list_shows_it(
    idle: DirectStack, watch: Watch
) -> None:
    delete(idle, PROD)
    watch()
    idle.wire.invocations *= 2
    idle.wire.lists_late_s = 20
    idle.wire.kill(1, after=True, action="CreateIpamPool")

    (first, second), idle.wire.invocations[:] = idle.wire.invocations, []
    for event in (first, second):
        idle.wire.invocations[:] = [event]
        idle.mend()

    idle.clock.advance(60)
    assert idle.pools() == BUILT


def test_an_operation_that_begins_meanwhile_stops_it_before_its_next_change(idle: DirectStack, watch: Watch) -> None:
    delete(idle, "us-west-2")
    watch()
    (event,) = idle.wire.invocations
    changing = _changes_after_the_operation_begins(idle, event, at=1)
    assert changing == 1, "the creation of us-west-2, which was about to be requested"


def _changes_after_the_operation_begins(stack: DirectStack, event: dict[str, Any], at: int) -> int:
    """Mend; let an operation begin just before the change number `at`; return how many changes are requested then."""
    carry, changes = stack.wire.carry, []

    def carry_and_begin(action: str, *call: Any) -> Any:
        if not action.startswith(READS):
            changes.append(action)
            if len(changes) == at:
                stack.wire.in_progress[stack.stack_id] = "UPDATE_IN_PROGRESS"
        return carry(action, *call)

    stack.wire.invocations[:] = [event]
    with patch.object(stack.wire, "carry", carry_and_begin):
        stack.mend()
    return len(changes) - at + 1


def test_an_update_that_was_finished_meanwhile_stops_it_too(idle: DirectStack, watch: Watch) -> None:
    """The stack is as settled as before, and its parameters are others."""
    delete(idle, PROD)
    watch()
    carry = idle.wire.carry

    def carry_and_update(action: str, *call: Any) -> Any:
        if action == "CreateIpamPool":
            idle.wire.stacks[idle.stack_id]["LastUpdatedTime"] = "2026-11-26T11:00:07Z"
        return carry(action, *call)

    with patch.object(idle.wire, "carry", carry_and_update):
        mended(idle)

    assert idle.pools()[PROD] == "", "created, and nothing more"


def test_killed_anywhere_it_converges() -> None:
    """Either function, after each change: killed before the next one, it leaves the same behind."""
    stack, wanted = drifted()
    with stack.running():
        stack.wire.actions.clear()
        assert stack.look(event=TO_WATCH)
        assert stack.mend()
        changing = [at for at, action in enumerate(stack.wire.actions, 1) if not action.startswith(READS)]
        assert told_of(stack) == wanted
    assert len(changing) > 8

    for at in changing:
        stack, wanted = drifted()
        with stack.running():
            stack.wire.kill(at, after=True)
            killed = 0
            for hour in range(12, 14):
                killed += not (stack.look(event={"time": f"2026-11-26T{hour}:00:00Z"}) and stack.mend())
                stack.clock.advance(HOUR)
            assert killed == 1
            assert told_of(stack) == wanted, f"killed at call {at}"


def told_of(stack: DirectStack) -> dict[str, Any]:
    """Return the settings of each pool, by name: a pool that is created again has another id."""
    ids = ("IpamPoolId", "IpamPoolArn", "SourceIpamPoolId")
    return {
        found["Tags"]["Name"]: {key: value for key, value in found.items() if key not in ids}
        for found in settings(stack).values()
    } | {"reserved": [row["Cidr"] for row in reservations(stack)]}


@played_once
def drifted() -> tuple[DirectStack, dict[str, Any]]:
    """Return a stack with a deleted Region, a deleted reservation and changed rules, and how it was before."""
    quick = Timings(pool_create=0.3, pool_modify=0.3, provision=0.3, cidr_listed=0.2)
    stack = DirectStack(workers=1, ipam_timings=quick)
    stack.set_up()
    with stack.running():
        stack.ask("Create", "InitPools", RESERVED)
        stack.end_operation()
        wanted = told_of(stack)
        delete(stack, "us-west-2")
        modify(stack, EAST_PROD, RemoveAllocationResourceTags=[{"Key": "Env", "Value": "Prod OU"}], AutoImport=True)
        retag(stack, "us-east-1 SDLC OU", POOL_ENVIRONMENT_TAG=None)
    stack.wire.counted.clear()
    return stack, wanted


@pytest.mark.parametrize(
    ("stack_id", "command"),
    [
        (
            "arn:aws:cloudformation:us-east-1:222222222222:stack/StackSet-ipam-1/1",
            "run in the Networking account, 222222222222: `aws ec2 create-tags --region us-east-1 --resources pool-1 ",
        ),
        (
            UNKNOWN_STACK,
            "run in the Networking account, in the home Region, with the ARN of its stack StackSet-...-networking-...: "
            "`aws ec2 create-tags --resources pool-1 ",
        ),
    ],
    ids=["known", "unknown"],
)
def test_the_command_that_puts_the_tag_of_the_stack_back_names_what_is_known(stack_id: str, command: str) -> None:
    assert command in lost_stack_tag("Pool x", "pool-1", stack_id)


@pytest.mark.parametrize(
    ("stack_of_pool", "given", "scope_id"),
    [
        ("arn:stack", "", "ipam-scope-of-the-pool"),
        ("arn:stack", "ipam-scope-given", "ipam-scope-of-the-pool"),
        ("arn:another", "ipam-scope-given", "ipam-scope-given"),
    ],
    ids=["pools, and no scope is given", "pools, and a scope is given", "pools of another stack"],
)
def test_the_scope_is_that_of_the_stacks_pools_or_else_the_one_that_is_given(
    stack_of_pool: str, given: str, scope_id: str
) -> None:
    without_calls: Any = None
    stack = Snapshot("UPDATE_COMPLETE", "", {"IpamScope": given}, {})
    pool: Any = {
        "IpamScopeArn": "arn:aws:ec2::222222222222:ipam-scope/ipam-scope-of-the-pool",
        "Tags": [{"Key": names.STACK_TAG, "Value": stack_of_pool}],
    }

    assert scope_of_pools(without_calls, "arn:stack", stack, [pool]) == scope_id


@pytest.mark.parametrize(("quota", "lacks"), [(3, True), (4, False)])
def test_a_pool_that_is_missing_lacks_a_place_while_others_have_the_whole_quota(quota: int, lacks: bool) -> None:
    space, west = IPv4Network("10.0.0.0/16"), PoolKey("us-west-2")
    spec = PoolSpec((space,), 20, 21, ("us-west-2",), ("Prod OU",), stack_id="arn:stack", quota=quota)
    cidrs = {TOP_LEVEL: space, west: IPv4Network("10.0.0.0/20"), PoolKey("us-east-1"): IPv4Network("10.0.16.0/20")}
    pools = [
        ExistingPool(str(key), str(TOP_LEVEL) * bool(key.region), "create-complete", key, (Block(cidr, "provisioned"),))
        for key, cidr in cidrs.items()
    ]

    lacking = lacking_until_removed(spec, pools, {"us-west-2": []})

    assert lacking == ("IpamPoolQuota has no place until what is not declared is removed." if lacks else "")
