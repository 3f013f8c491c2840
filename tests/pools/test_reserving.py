"""ReservedCidrs, from CloudFormation's request to the allocations: what is reserved is given to no VPC."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from ipaddress import IPv4Network
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, ParamValidationError
from botocore.stub import Stubber

from aws_models.errors import AwsError
from ctipam import names
from ctipam.errors import POOL_NOT_FOUND, REASON_LIMIT, AwsFailed
from ctipam.pools import reserving
from ctipam.pools.environment_pools import environment_pools
from ctipam.pools.existing import Allocation, ExistingPool
from ctipam.pools.reserved import DESCRIPTION, is_reservation
from ctipam.pools.spec import PoolKey
from in_process.played_once import played_once
from landing_zone.direct import DirectEc2
from landing_zone.direct_stack import BUILT, PROPERTIES, TO_WATCH, DirectStack

WEST, EAST = "us-west-2", "us-east-1"
PROD = "us-west-2 Prod OU"
VPC_SIZES = {"VpcDefaultNetmaskLength": "16"}


@pytest.fixture
def stack() -> Iterator[DirectStack]:
    """Return a stack before its creation."""
    with DirectStack().running() as stack:
        stack.set_up()
        yield stack


def ask(stack: DirectStack, kind: str = "Update", reserved: str = "", **changed: Any) -> dict[str, Any]:
    return stack.ask(kind, "InitPools", PROPERTIES | {"ReservedCidrs": reserved} | changed)


def done(answer: dict[str, Any]) -> bool:
    assert answer["Status"] == "SUCCESS", answer.get("Reason")
    return True


def allocations(stack: DirectStack, pool: str = PROD) -> list[dict[str, Any]]:
    ec2 = stack.ec2_in(pool.partition(" ")[0])
    pages = ec2.get_paginator("get_ipam_pool_allocations").paginate(IpamPoolId=stack.pool_ids()[pool])
    return sorted(
        (one for page in pages for one in page["IpamPoolAllocations"]), key=lambda one: IPv4Network(one["Cidr"])
    )


def reserved(stack: DirectStack, pool: str = PROD) -> str:
    return " ".join(one["Cidr"] for one in allocations(stack, pool) if one["ResourceType"] == "custom")


def tags(stack: DirectStack, pool: str = PROD) -> dict[str, str]:
    (found,) = [one for one in stack.listed_pools() if one["IpamPoolId"] == stack.pool_ids()[pool]]
    return {tag["Key"]: tag["Value"] for tag in found["Tags"]}


def test_pools_are_placed_beside_what_is_reserved(stack: DirectStack) -> None:
    assert done(ask(stack, "Create", "10.0.0.0/16,10.64.0.0/12"))

    assert stack.pools() == {
        "us-west-2": "10.128.0.0/10",
        "us-west-2 Prod OU": "10.128.0.0/12",
        "us-west-2 SDLC OU": "10.144.0.0/12",
        "us-east-1": "10.192.0.0/10",
        "us-east-1 Prod OU": "10.192.0.0/12",
        "us-east-1 SDLC OU": "10.208.0.0/12",
    }
    assert [reserved(stack, pool) for pool in stack.pools() if "OU" in pool] == [""] * 4


@pytest.mark.parametrize(
    ("cidr", "builds"), [("10.0.0.0/14", True), ("10.0.0.0/13", False)], ids=["a part of a block", "a whole block"]
)
def test_no_pool_gets_a_block_of_which_everything_is_reserved(stack: DirectStack, cidr: str, builds: bool) -> None:
    """The top-level pool has room for exactly two Regions with two environments each."""
    full = {"TopLevelPoolCidr": "10.0.0.0/11", "IpamPoolPrefixLength": "12", "AccPoolPrefixLength": "13"}

    answer = ask(stack, "Create", cidr, **full)

    assert answer["Status"] == ("SUCCESS" if builds else "FAILED")
    if not builds:
        assert answer["Reason"].startswith("No room for us-east-1/SDLC OU")


def test_environments_are_placed_beside_it_in_their_regions_pool(stack: DirectStack) -> None:
    inside_each = "10.0.0.0/16,10.64.0.0/16,10.128.0.0/16,10.192.0.0/16"

    assert done(ask(stack, "Create", inside_each))

    assert stack.pools() == BUILT | {
        "us-west-2 Prod OU": "10.16.0.0/12",
        "us-west-2 SDLC OU": "10.32.0.0/12",
        "us-east-1 Prod OU": "10.80.0.0/12",
        "us-east-1 SDLC OU": "10.96.0.0/12",
    }


def everywhere() -> str:
    """Return CIDRs of which one is in each /12, so that no pool can be placed beside them."""
    return ",".join(f"10.{16 * number + 1}.0.0/16" for number in range(16))


def test_what_a_pool_has_to_contain_is_allocated_in_it_tagged_and_described(stack: DirectStack) -> None:
    assert done(ask(stack, "Create", everywhere()))

    (allocation,) = allocations(stack)
    assert (stack.pools()[PROD], allocation["Cidr"], allocation["ResourceType"]) == (
        "10.0.0.0/12",
        "10.1.0.0/16",
        "custom",
    )
    assert "ReservedCidrs" in allocation["Description"]
    assert {"Key": names.STACK_TAG, "Value": stack.stack_id} in allocation["Tags"]
    assert names.RESERVED_TAG in tags(stack)
    assert names.PREPARING_TAG not in tags(stack)


@pytest.fixture
def older_sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let boto3 be of April 2026, as the one that Lambda brings may be: it knows no tags of allocations."""
    answer = DirectEc2._answer

    def without_tags(ec2: DirectEc2, action: str, params: dict[str, Any]) -> dict[str, Any]:
        if action == "AllocateIpamPoolCidr" and "TagSpecifications" in params:
            raise ParamValidationError(report='Unknown parameter in input: "TagSpecifications"')
        answered = answer(ec2, action, params)
        for one in answered.get("IpamPoolAllocations", []):
            one.pop("Tags", None)
        return answered

    monkeypatch.setattr(DirectEc2, "_answer", without_tags)


@pytest.mark.usefixtures("older_sdk")
def test_an_older_sdk_reserves_without_tags_and_knows_what_it_has_reserved(stack: DirectStack) -> None:
    assert done(ask(stack, "Create", everywhere()))
    assert reserved(stack) == "10.1.0.0/16"

    assert done(ask(stack))
    assert reserved(stack) == ""


def test_a_reservation_is_known_by_its_tag_or_else_by_its_description() -> None:
    by_hand = {"Cidr": "10.0.0.0/24", "ResourceType": "custom", "Tags": [{"Key": "Name", "Value": "office"}]}

    assert not is_reservation(by_hand)
    assert is_reservation(by_hand | {"Tags": [{"Key": names.STACK_TAG, "Value": "arn:..."}]})
    assert is_reservation({"Cidr": "10.0.0.0/24", "ResourceType": "custom", "Description": DESCRIPTION})


def test_no_vpc_gets_what_is_reserved(stack: DirectStack) -> None:
    assert done(ask(stack, "Create", everywhere(), **VPC_SIZES))

    for _ in range(15):
        stack.make_vpc(WEST, "Prod OU", length=16)

    with pytest.raises(AwsError, match="InsufficientCidrBlocks"):
        stack.make_vpc(WEST, "Prod OU", length=28)
    given = [IPv4Network(one["Cidr"]) for one in allocations(stack) if one["ResourceType"] == "vpc"]
    assert not any(cidr.overlaps(IPv4Network("10.1.0.0/16")) for cidr in given)


def test_a_new_pool_is_shared_only_once_its_addresses_are_reserved() -> None:
    """Killed before any call: no pool with addresses that are still to be reserved is among those to share."""
    small = PROPERTIES | {"RegionSelection": [WEST], "AccEnvName": ["Prod OU"], "ReservedCidrs": everywhere()}
    for at in range(1, 100):
        stack = DirectStack(workers=1)
        stack.set_up()
        with stack.running():
            request = stack.request("Create", "InitPools", small)
            stack.wire.kill(at, after=False)
            answer = stack.send(request)
            listed: Any = stack.listed_pools()
            for _pool in environment_pools(listed):
                assert reserved(stack) == "10.1.0.0/16", f"killed at call {at}"
            if answer:
                break
            stack.clock.advance(60)
            assert done(stack.send(request) or {})
            assert reserved(stack) == "10.1.0.0/16"
    assert answer is not None
    assert at > 15


def test_reserving_more_less_and_other_addresses_moves_no_pool(built: DirectStack) -> None:
    for parameter, expected in {
        "10.1.0.0/16": "10.1.0.0/16",
        "10.1.0.0/16,10.3.0.0/24": "10.1.0.0/16 10.3.0.0/24",
        "10.3.0.0/16": "10.3.0.0/24 10.3.1.0/24 10.3.2.0/23 10.3.4.0/22 10.3.8.0/21 10.3.16.0/20 10.3.32.0/19 "
        "10.3.64.0/18 10.3.128.0/17",
        "10.9.0.1/32,10.3.0.0/24": "10.3.0.0/24 10.9.0.0/28",
        "192.168.0.0/16": "",
        "10.0.0.0/14,10.1.2.0/24": "10.0.0.0/16 10.1.0.0/16 10.2.0.0/16 10.3.0.0/16",
        "": "",
    }.items():
        assert done(ask(built, reserved=parameter))
        assert reserved(built) == expected, parameter
        assert built.pools() == BUILT
        built.clock.advance(300)  # until AWS has recycled what was released

    assert names.RESERVED_TAG not in tags(built)


def test_a_cidr_that_shrinks_stays_reserved_so_that_no_vpc_gets_the_rest_of_it_meanwhile(built: DirectStack) -> None:
    assert done(ask(built, reserved="10.1.0.0/16"))
    assert done(ask(built, reserved="10.1.7.0/24"))
    assert reserved(built) == "10.1.0.0/16"

    assert done(ask(built))
    assert reserved(built) == ""


def test_a_repeated_update_changes_nothing_and_mends_what_was_released_by_hand(built: DirectStack) -> None:
    assert done(ask(built, reserved="10.1.0.0/16"))
    built.wire.counted.clear()

    assert done(ask(built, reserved="10.1.0.0/16"))
    assert all(action.startswith(("Describe", "Get")) for action in built.wire.counted)

    (allocation,) = allocations(built)
    named = {"IpamPoolId": built.pool_ids()[PROD], "Cidr": "10.1.0.0/16"}
    built.ec2_in(WEST).release_ipam_pool_allocation(**named, IpamPoolAllocationId=allocation["IpamPoolAllocationId"])
    built.clock.advance(300)
    assert reserved(built) == ""
    assert done(ask(built, reserved="10.1.0.0/16"))
    assert reserved(built) == "10.1.0.0/16"


def test_without_reservations_an_update_that_changes_nothing_reads_no_allocation(built: DirectStack) -> None:
    assert done(ask(built, reserved="10.1.0.0/16"))
    assert done(ask(built))
    built.wire.counted.clear()

    assert done(ask(built))

    assert dict(built.wire.counted) == {"DescribeIpamPools": 1, "DescribeStacks": 1, "GetIpamPoolCidrs": 7}


def test_what_is_reserved_by_hand_is_left_alone(built: DirectStack) -> None:
    by_hand = {"IpamPoolId": built.pool_ids()[PROD], "Cidr": "10.1.0.0/17"}
    built.ec2_in(WEST).allocate_ipam_pool_cidr(**by_hand)

    assert done(ask(built, reserved="10.1.0.0/16"))
    assert reserved(built) == "10.1.0.0/17 10.1.128.0/17"

    assert done(ask(built))
    assert reserved(built) == "10.1.0.0/17"


def test_a_reservation_that_collides_with_a_vpc_is_refused_before_anything_is_changed(built: DirectStack) -> None:
    vpc_id = built.make_vpc(WEST, "Prod OU")

    for resource in ("Ipam", "InitPools"):
        asked = {"ReservedCidrs": "10.17.0.0/16,10.0.0.0/16", "RegionSelection": [WEST, EAST, "eu-west-1"]}
        answer = built.ask("Update", resource, PROPERTIES | asked)
        assert answer["Status"] == "FAILED"
        assert answer["Reason"].startswith(f"ReservedCidrs includes addresses of {vpc_id} (10.0.0.0/24,")
        assert "the pool of us-west-2/Prod OU" in answer["Reason"]

    assert built.pools() == BUILT
    assert reserved(built, "us-west-2 SDLC OU") == ""


def test_a_vpc_that_is_faster_than_its_reservation_fails_the_update(
    built: DirectStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    carry = built.wire.carry

    def overtaken(action: str, *arguments: Any) -> Any:
        if action == "CreateTags" and not made:  # after the check, before the reservation
            made.append(built.make_vpc(WEST, "Prod OU"))
        return carry(action, *arguments)

    monkeypatch.setattr(built.wire, "carry", overtaken)
    answer = ask(built, reserved="10.0.0.0/16")

    assert answer["Reason"].startswith(f"ReservedCidrs includes addresses of {made[0]} (10.0.0.0/24,")
    assert names.RESERVED_TAG in tags(built)


def test_a_rollback_ends_even_if_a_vpc_has_taken_what_was_reserved_before(built: DirectStack) -> None:
    assert done(ask(built, reserved="10.1.0.0/16"))
    assert done(ask(built))
    built.clock.advance(300)
    for _ in range(2):
        built.make_vpc(WEST, "Prod OU", length=16)

    answer = built.ask(
        "Update", "InitPools", PROPERTIES | {"ReservedCidrs": "10.1.0.0/16"}, "UPDATE_ROLLBACK_IN_PROGRESS"
    )

    assert done(answer)


def test_a_rollback_reserves_again_what_was_released_a_moment_ago_and_aws_has_not_freed_yet(
    built: DirectStack,
) -> None:
    assert done(ask(built, reserved="10.0.0.0/24"))
    assert done(ask(built, reserved=""))

    rolled_back = PROPERTIES | {"ReservedCidrs": "10.0.0.0/24"}

    assert done(built.ask("Update", "InitPools", rolled_back, "UPDATE_ROLLBACK_IN_PROGRESS"))
    assert reserved(built) == "10.0.0.0/24"


def test_what_is_never_freed_fails_an_update_in_the_end_and_no_rollback(built: DirectStack) -> None:
    taken = AwsError("InvalidParameterValue", "It is not free.")
    built.models.ipam.faults.refuse_next("AllocateIpamPoolCidr", taken, times=1000)

    assert "It is not free" in ask(built, reserved="10.0.0.0/24")["Reason"]
    rolled_back = PROPERTIES | {"ReservedCidrs": "10.0.0.0/24"}
    assert done(built.ask("Update", "InitPools", rolled_back, "UPDATE_ROLLBACK_IN_PROGRESS"))


@pytest.mark.parametrize("code", ["UnauthorizedOperation", "AuthFailure"], ids=["denied", "not enabled"])
def test_a_rollback_ends_although_a_region_cannot_be_read_and_the_watch_reserves_when_it_can_be_again(
    built: DirectStack, code: str
) -> None:
    assert done(ask(built, reserved="10.0.0.0/24"))
    assert done(ask(built, reserved=""))
    built.wire.unusable[WEST] = AwsError(code, "No.")

    rolled_back = PROPERTIES | {"ReservedCidrs": "10.0.0.0/24"}
    assert done(built.ask("Update", "InitPools", rolled_back, "UPDATE_ROLLBACK_IN_PROGRESS"))

    built.wire.unusable.clear()
    built.clock.advance(3600)
    built.end_operation()
    built.look(event=TO_WATCH)
    built.mend()
    assert reserved(built) == "10.0.0.0/24"


def test_a_rollback_ends_although_aws_denies_the_release_of_what_it_no_longer_reserves(built: DirectStack) -> None:
    assert done(ask(built, reserved="10.0.0.0/24"))
    built.models.ipam.faults.refuse_next("ReleaseIpamPoolAllocation", AwsError("UnauthorizedOperation", "No."), 1000)

    assert done(built.ask("Update", "InitPools", PROPERTIES, "UPDATE_ROLLBACK_IN_PROGRESS"))

    assert names.RESERVED_TAG in tags(built), "so that a later run releases it"


def test_an_update_fails_if_aws_answers_not_to_have_released_what_is_no_longer_reserved(
    built: DirectStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Success: false, without an error. The tag was removed, so that no later run released it."""
    assert done(ask(built, reserved="10.0.0.0/24"))
    call_model = built.models.ipam.call

    def unsuccessful(action: str, params: Any, caller: Any) -> Any:
        return {"Success": False} if action == "ReleaseIpamPoolAllocation" else call_model(action, params, caller)

    monkeypatch.setattr(built.models.ipam, "call", unsuccessful)

    answer = ask(built)

    assert answer["Status"] == "FAILED"
    assert answer["Reason"].startswith("AWS did not release 10.0.0.0/24")
    assert len(answer["Reason"]) < REASON_LIMIT
    assert names.RESERVED_TAG in tags(built), "so that a later run releases it"


def test_a_rollback_ends_although_a_pool_can_take_no_tag_that_tells_of_its_reservations(built: DirectStack) -> None:
    assert done(ask(built, reserved="10.0.0.0/24"))
    assert done(ask(built, reserved=""))
    by_hand = [{"Key": f"key {number}", "Value": ""} for number in range(50 - len(tags(built)))]
    built.ec2.create_tags(Resources=[built.pool_ids()[PROD]], Tags=by_hand)

    rolled_back = PROPERTIES | {"ReservedCidrs": "10.0.0.0/24"}
    assert done(built.ask("Update", "InitPools", rolled_back, "UPDATE_ROLLBACK_IN_PROGRESS"))

    assert reserved(built) == ""


def test_a_region_that_cannot_be_read_keeps_nothing_else_from_being_mended_and_is_no_error_of_that(
    built: DirectStack,
) -> None:
    """The measurement, which fails there too, tells of the Region."""
    assert done(ask(built, reserved="10.0.0.0/24"))
    built.end_operation()
    pool_id = built.pool_ids()["us-east-1 Prod OU"]
    built.ec2.modify_ipam_pool(IpamPoolId=pool_id, Description="other")
    built.clock.advance(3600)
    built.wire.unusable[WEST] = AwsError("UnauthorizedOperation", "No.")

    with pytest.raises(AwsFailed, match="Could not measure 2 of 4 pools"):
        built.look(event=TO_WATCH)
    assert built.mend()

    built.clock.advance(60)
    assert "other" not in {pool["Description"] for pool in built.listed_pools()}


def test_after_such_a_rollback_a_new_pool_still_waits_for_its_reservations_and_is_not_shared(
    built: DirectStack,
) -> None:
    assert done(built.ask("Update", "InitPools", PROPERTIES | {"RegionSelection": [EAST]}))
    built.wire.unusable[WEST] = AwsError("UnauthorizedOperation", "No.")

    rolled_back = PROPERTIES | {"ReservedCidrs": "10.0.0.0/24"}
    assert done(built.ask("Update", "InitPools", rolled_back, "UPDATE_ROLLBACK_IN_PROGRESS"))

    assert names.PREPARING_TAG in tags(built)


def test_where_aws_allocates_nothing_any_more_nothing_is_reserved_and_no_update_fails(
    built: DirectStack, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a CIDR that AWS has failed to take back, as when an environment is removed and wanted again."""
    vpc_id, pool_id = built.make_vpc(WEST, "Prod OU", length=16), built.pool_ids()[PROD]

    def deprovision() -> None:
        built.clock.advance(3600)
        built.ec2.deprovision_ipam_pool_cidr(IpamPoolId=pool_id, Cidr="10.0.0.0/12")
        built.clock.advance(60)

    deprovision()
    assert done(ask(built, reserved="10.1.0.0/16"))
    assert reserved(built) == ""
    built.end_operation()
    assert built.look(event=TO_WATCH)
    assert "has failed to take back" in capsys.readouterr().out
    assert built.wire.invocations == []  # nothing can be mended

    built.models.ipam.vpc_deleted(vpc_id)
    deprovision()
    assert built.look(event=TO_WATCH)
    assert built.mend()
    assert built.pools()[PROD] == "10.32.0.0/12"  # beside what is reserved


def test_a_pool_that_grows_takes_no_block_with_reserved_addresses(built: DirectStack) -> None:
    assert done(ask(built, reserved="10.32.0.0/16", PoolSizes=f"{WEST}/Prod OU=12+12"))

    assert built.pools()[PROD] == "10.0.0.0/12,10.48.0.0/12"
    assert reserved(built) == ""


def test_a_pool_cannot_grow_where_all_room_has_reserved_addresses(built: DirectStack) -> None:
    answer = ask(built, reserved="10.33.0.0/16,10.49.0.0/16", PoolSizes=f"{WEST}/Prod OU=12+12")

    assert answer["Status"] == "FAILED"
    assert "no free /12 left beside ReservedCidrs" in answer["Reason"]
    assert built.pools() == BUILT


def test_blocks_that_were_added_by_hand_are_reserved_too(built: DirectStack) -> None:
    built.ec2.provision_ipam_pool_cidr(IpamPoolId=built.pool_ids()[PROD], Cidr="10.32.0.0/12")
    built.clock.advance(60)

    assert done(ask(built, reserved="10.33.0.0/16"))

    assert reserved(built) == "10.33.0.0/16"


def test_pools_with_reservations_can_be_removed_and_deleted(built: DirectStack) -> None:
    assert done(ask(built, reserved="10.1.0.0/16,10.17.0.0/16"))

    assert done(ask(built, reserved="10.1.0.0/16,10.17.0.0/16", AccEnvName=["Prod OU"]))
    assert "us-west-2 SDLC OU" not in built.pools()
    assert done(ask(built, "Delete"))

    assert built.listed_pools() == []


@pytest.mark.parametrize("removed", ["by an update", "by a deletion"])
def test_a_pool_with_reservations_of_which_no_tag_tells_can_be_removed(built: DirectStack, removed: str) -> None:
    """Somebody has removed the tag, and the watch has not put it back yet."""
    assert done(ask(built, reserved="10.0.0.0/24"))
    built.ec2.delete_tags(Resources=[built.pool_ids()[PROD]], Tags=[{"Key": names.RESERVED_TAG}])

    if removed == "by an update":
        assert done(ask(built, reserved="10.0.0.0/24", AccEnvName=["SDLC OU"]))
        assert PROD not in built.pools()
    else:
        assert done(built.ask("Delete", "InitPools", PROPERTIES))
        assert built.listed_pools() == []


@pytest.mark.parametrize("by_hand", [False, True], ids=["by an update", "by an operator"])
def test_a_pool_from_which_something_was_released_a_moment_ago_can_be_removed(
    built: DirectStack, *, by_hand: bool
) -> None:
    """AWS lists it no longer, and takes the pool's CIDR back only when its space is free."""
    if by_hand:
        named = {"IpamPoolId": built.pool_ids()[PROD], "Cidr": "10.1.0.0/16"}
        made = built.ec2_in(WEST).allocate_ipam_pool_cidr(**named)["IpamPoolAllocation"]
        built.ec2_in(WEST).release_ipam_pool_allocation(**named, IpamPoolAllocationId=made["IpamPoolAllocationId"])
    else:
        assert done(ask(built, reserved="10.1.0.0/16"))
        assert done(ask(built))

    assert done(ask(built, AccEnvName=["SDLC OU"]))

    assert set(built.pools()) == {name for name in BUILT if not name.endswith("Prod OU")}


def test_pools_that_stay_because_of_a_vpc_keep_their_reservations_and_the_next_deployment_adopts_them(
    built: DirectStack,
) -> None:
    assert done(ask(built, reserved="10.1.0.0/16"))
    built.make_vpc(WEST, "Prod OU")
    assert done(ask(built, "Delete"))
    assert reserved(built) == "10.1.0.0/16"
    built.forget_stack()

    assert done(ask(built, "Create", "10.2.0.0/16"))

    assert reserved(built) == "10.2.0.0/16"


SMALL = {"RegionSelection": [WEST], "AccEnvName": ["Prod OU"]}


def retried(stack: DirectStack, request: dict[str, Any]) -> bool:
    return done(stack.send(request) or {})


def rolled_back(stack: DirectStack, _request: dict[str, Any]) -> bool:
    properties = PROPERTIES | SMALL | {"ReservedCidrs": "10.1.0.0/16"}
    return done(stack.ask("Update", "InitPools", properties, "UPDATE_ROLLBACK_IN_PROGRESS"))


def deleted(stack: DirectStack, _request: dict[str, Any]) -> bool:
    return done(ask(stack, "Delete")) and stack.listed_pools() == []


@pytest.mark.parametrize(
    ("follows", "expected"), [(retried, "10.2.0.0/16"), (rolled_back, "10.1.0.0/16"), (deleted, "")]
)
def test_an_update_that_is_killed_anywhere_converges(
    follows: Callable[[DirectStack, dict[str, Any]], bool], expected: str
) -> None:
    """Killed after each call of an update from one reservation to another, whatever follows."""
    for at in range(1, 100):
        stack = DirectStack(workers=1)
        stack.set_up()
        with stack.running():
            assert done(ask(stack, "Create", "10.65.0.0/16", **SMALL))
            assert done(ask(stack, "Update", "10.1.0.0/16", **SMALL))
            request = stack.request("Update", "InitPools", PROPERTIES | SMALL | {"ReservedCidrs": "10.2.0.0/16"})
            stack.wire.kill(at, after=True)
            if stack.send(request) is not None:
                break
            stack.clock.advance(300)
            assert follows(stack, request), f"killed at call {at}"
            assert not expected or reserved(stack) == expected, f"killed at call {at}"
    assert at > 5


def test_a_deletion_that_is_killed_anywhere_ends_the_same_when_it_is_tried_again() -> None:
    """Three pools with reservations, one of which somebody uses: that one keeps its reservation.

    Killed after each change: killed before the next one, it leaves the same behind.
    """
    stack, request = being_deleted()
    stack.wire.actions.clear()
    with stack.running():
        assert retried(stack, request)
    changing = [at for at, action in enumerate(stack.wire.actions, 1) if not action.startswith(("Describe", "Get"))]
    assert stack.wire.actions.count("ReleaseIpamPoolAllocation") == 2
    assert len(changing) > 10

    for at in changing:
        stack, request = being_deleted()
        stack.wire.kill(at, after=True)
        with stack.running():
            assert stack.send(request) is None
            assert retried(stack, request)
            assert set(stack.pools()) == {WEST, PROD}, f"killed at call {at}"
            assert reserved(stack) == "10.1.0.0/16 10.2.0.0/16", f"killed at call {at}"


@played_once
def being_deleted() -> tuple[DirectStack, dict[str, Any]]:
    """Return a stack with reservations, and the request to delete its pools. 10.2.0.0/16 was allocated by hand."""
    stack = DirectStack(workers=1)
    stack.set_up()
    with stack.running():
        assert done(ask(stack, "Create"))
        assert done(ask(stack, "Update", "10.1.0.0/16,10.17.0.0/16,10.65.0.0/16"))
    stack.ec2_in(WEST).allocate_ipam_pool_cidr(IpamPoolId=stack.pool_ids()[PROD], Cidr="10.2.0.0/16")
    return stack, stack.request("Delete", "InitPools", PROPERTIES)


# AutoImport


def auto_import(stack: DirectStack) -> dict[str, bool]:
    return {
        next(tag["Value"] for tag in pool["Tags"] if tag["Key"] == "Name"): pool["AutoImport"]
        for pool in stack.listed_pools()
    }


def test_only_environment_pools_import_and_it_can_be_switched(built: DirectStack) -> None:
    assert not any(auto_import(built).values())

    assert done(ask(built, AutoImport="on"))
    assert {name for name, on in auto_import(built).items() if on} == {name for name in BUILT if "OU" in name}

    assert done(ask(built, AutoImport="off"))
    assert not any(auto_import(built).values())


def test_new_pools_import_from_the_start(stack: DirectStack) -> None:
    assert done(ask(stack, "Create", AutoImport="on"))

    assert sum(auto_import(stack).values()) == 4


def test_with_a_cidr_that_is_given_back_only_our_reservations_in_it_are_released(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def allocation(cidr: str, is_reservation: bool) -> Allocation:
        return Allocation(IPv4Network(cidr), "custom", "", "222222222222", cidr, is_reservation=is_reservation)

    ours, elsewhere = allocation("10.0.1.0/24", True), allocation("10.9.0.0/24", True)
    by_hand = allocation("10.0.2.0/24", False)
    released: list[Allocation] = []
    monkeypatch.setattr(reserving, "read_allocations", lambda *_: [ours, elsewhere, by_hand])
    monkeypatch.setattr(reserving, "release", lambda _account, _pool, one: released.append(one))
    pool = ExistingPool(
        "ipam-pool-1", "", "create-complete", PoolKey(WEST, "Prod OU"), tags={names.RESERVED_TAG: "yes"}
    )
    without_calls: Any = None

    reserving.release_all(without_calls, pool, IPv4Network("10.0.0.0/16"))

    assert released == [ours]


def test_what_is_gone_counts_as_released_and_any_other_refusal_is_an_error() -> None:
    pool = ExistingPool("ipam-pool-0123456789abcdef0", "", "create-complete", PoolKey(WEST, "Prod OU"))
    allocation = Allocation(IPv4Network("10.0.0.0/24"), "custom", "", "222222222222", "ipam-pool-alloc-1")
    with Stubber(boto3.client("ec2", WEST)) as aws:
        account: Any = SimpleNamespace(ec2=lambda _region=None: aws.client)
        for code in (reserving.ALREADY_RELEASED, POOL_NOT_FOUND):
            aws.add_client_error("release_ipam_pool_allocation", code)
            reserving.release(account, pool, allocation)

        aws.add_client_error("release_ipam_pool_allocation", "RequestLimitExceeded")
        with pytest.raises(ClientError, match="RequestLimitExceeded"):
            reserving.release(account, pool, allocation)


def test_the_reservations_of_a_region_that_cannot_be_read_stay_and_any_other_refusal_is_an_error() -> None:
    tags = {names.RESERVED_TAG: "yes"}
    pool = ExistingPool("ipam-pool-0123456789abcdef0", "", "create-complete", PoolKey(WEST, "Prod OU"), tags=tags)
    with Stubber(boto3.client("ec2", WEST)) as aws:
        account: Any = SimpleNamespace(ec2=lambda _region=None: aws.client)
        aws.add_client_error("get_ipam_pool_allocations", "UnauthorizedOperation")
        reserving.release_all(account, pool, IPv4Network("10.0.0.0/12"))

        aws.add_client_error("get_ipam_pool_allocations", "RequestLimitExceeded")
        with pytest.raises(ClientError, match="RequestLimitExceeded"):
            reserving.release_all(account, pool, IPv4Network("10.0.0.0/12"))
