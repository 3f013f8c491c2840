"""The scheduled function and the pools that fill up: what it tells, and how they grow by themselves."""

from __future__ import annotations

import logging
from ipaddress import IPv4Network
from itertools import combinations
from typing import Any
from unittest.mock import patch

import pytest
from botocore.exceptions import EndpointConnectionError

from aws_models.errors import AwsError
from aws_models.ipam import Timings
from ctipam import names
from ctipam.errors import AwsFailed
from ctipam.settings import UtilizationSettings
from ctipam.tags import to_dict
from ctipam.upkeep import growing
from ctipam.upkeep.growth import LOOKS_APART_S, TELL_AGAIN_S
from ctipam.upkeep.measurement import measure_pools
from in_process.played_once import played_once
from landing_zone.direct_stack import BUILT, PROPERTIES, STACK_ID, DirectStack

FIVE_MINUTES = 300
SETTINGS = UtilizationSettings(STACK_ID, "arn:aws:sns:us-east-1:222222222222:topic", 80, grow=True, mender="function")
PROD = "us-west-2 Prod OU"
READS = ("Describe", "Get")


def fill(stack: DirectStack, pool: str = PROD, blocks: int = 14) -> None:
    """Allocate so many /16, from the lowest on: 14 of 16 are 87.5 % of a /12."""
    region = pool.partition(" ")[0]
    for _ in range(blocks):
        stack.ec2_in(region).allocate_ipam_pool_cidr(IpamPoolId=stack.pool_ids()[pool], NetmaskLength=16)


def take_what_is_free(stack: DirectStack, *, in_top: bool = False) -> None:
    """Reserve the rest of us-west-2 by hand, and that of the top-level pool."""
    for _ in range(2):
        stack.ec2_in("us-west-2").allocate_ipam_pool_cidr(IpamPoolId=stack.pool_ids()["us-west-2"], NetmaskLength=12)
    for cidr in ("10.128.0.0/10", "10.192.0.0/10") if in_top else ():
        stack.ec2.allocate_ipam_pool_cidr(IpamPoolId=stack.top_pool_id, Cidr=cidr)


def look(stack: DirectStack, times: int = 1, *, growth: bool = True) -> None:
    for _ in range(times):
        assert stack.look(growth=growth)
        stack.clock.advance(FIVE_MINUTES)


def subjects(stack: DirectStack) -> list[str]:
    return [message["Subject"] for message in stack.wire.published]


def note(stack: DirectStack, pool: str) -> str:
    (found,) = stack.ec2.describe_ipam_pools(IpamPoolIds=[stack.pool_ids()[pool]])["IpamPools"]
    return to_dict(found["Tags"]).get(names.GROWTH_TAG, "")


# Nothing to do


def test_a_look_at_pools_with_room_costs_two_reads_for_each_environment_pool(
    idle: DirectStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(growing, "see_to_pools", None)  # which need not be imported

    look(idle)

    pages = idle.wire.counted.pop("DescribeIpamPools")
    assert pages == 1
    assert idle.wire.counted == {"GetIpamPoolCidrs": 4, "GetIpamPoolAllocations": 4}


# Being told


def test_a_pool_that_stays_over_the_threshold_is_told_with_the_parameter_to_change(idle: DirectStack) -> None:
    fill(idle)

    look(idle, growth=False)
    assert idle.wire.published == []
    look(idle, growth=False)

    (message,) = idle.wire.published
    assert message["Subject"] == "us-west-2/Prod OU is 87.5 % full"
    text = message["Message"]
    assert "917,504 of 1,048,576 addresses are allocated. VPCs among them: 0; `make report` lists what is" in text
    assert "It has the block 10.0.0.0/12." in text
    assert "us-west-2 has room for 2 more blocks of /12, and the top-level pool for 2 more blocks of /10." in text
    assert "with PoolSizes us-west-2/Prod OU=12+12." in text
    assert idle.pools() == BUILT


@pytest.mark.parametrize(("threshold", "is_over"), [(75, True), (76, False)])
def test_a_pool_at_the_threshold_is_over_it(idle: DirectStack, threshold: int, is_over: bool) -> None:
    fill(idle, blocks=12)

    assert idle.look(threshold=threshold)

    assert bool(note(idle, PROD)) == is_over


def test_it_is_told_once_a_day_while_it_lasts(idle: DirectStack) -> None:
    fill(idle)

    look(idle, 20, growth=False)
    assert len(idle.wire.published) == 1

    idle.clock.advance(TELL_AGAIN_S)
    look(idle, 5, growth=False)
    assert len(idle.wire.published) == 2


def test_a_pool_that_was_over_only_for_a_moment_is_not_told(idle: DirectStack) -> None:
    vpcs = [idle.make_vpc("us-west-2", "Prod OU", length=16) for _ in range(14)]
    look(idle, growth=False)
    assert note(idle, PROD)
    for vpc in vpcs:
        idle.models.ipam.vpc_deleted(vpc)
    idle.clock.advance(1800)

    look(idle, growth=False)

    assert (idle.wire.published, note(idle, PROD)) == ([], "")


def test_the_parameters_that_are_told_make_room_also_in_the_region_and_in_the_top_level_pool(idle: DirectStack) -> None:
    """Nothing is free in us-west-2, nor in the top-level pool."""
    take_what_is_free(idle, in_top=True)
    fill(idle)

    look(idle, 2, growth=False)

    text = idle.wire.published[-1]["Message"]
    assert "has room for 0 more blocks of /12, and the top-level pool for 0 more blocks of /10" in text
    sizes, cidrs = "us-west-2=10+10,us-west-2/Prod OU=12+12", "10.0.0.0/8,100.64.0.0/10"
    assert f"with PoolSizes {sizes} and TopLevelPoolCidr {cidrs}." in text
    properties = PROPERTIES | {"PoolSizes": sizes, "TopLevelPoolCidr": cidrs}
    assert idle.ask("Update", "InitPools", properties)["Status"] == "SUCCESS"


def test_without_private_space_it_is_told_that_no_parameter_helps(idle: DirectStack) -> None:
    take_what_is_free(idle, in_top=True)
    idle.add_foreign_pool("100.64.0.0/10")
    fill(idle)

    look(idle, 2, growth=False)

    text = idle.wire.published[-1]["Message"]
    assert "No parameter helps: us-west-2 and the top-level pool are full, and no private /" in text
    assert "..." not in text


def test_space_that_another_top_level_pool_has_given_back_is_not_taken(idle: DirectStack) -> None:
    take_what_is_free(idle, in_top=True)
    other = idle.add_foreign_pool("100.64.0.0/10")
    fill(idle)
    look(idle, growth=False)
    idle.ec2.deprovision_ipam_pool_cidr(IpamPoolId=other, Cidr="100.64.0.0/10")
    idle.clock.advance(10)
    assert [row["State"] for row in idle.rows(other)] == ["deprovisioned"]

    look(idle, growth=False)

    assert "TopLevelPoolCidr 10.0.0.0/8,100.64.0.0/10." in idle.wire.published[-1]["Message"]


def test_for_a_pool_of_fifty_cidrs_it_is_told_how_to_make_place_for_another(idle: DirectStack) -> None:
    """Every CIDR but the first was added by hand."""
    for number in range(49):
        idle.ec2.provision_ipam_pool_cidr(IpamPoolId=idle.pool_ids()[PROD], Cidr=f"10.32.{number}.0/24")
        idle.clock.advance(60)
    fill(idle)

    look(idle, 2, growth=False)

    text = idle.wire.published[-1]["Message"]
    assert "the pool of us-west-2/Prod OU has 50 CIDRs, and AWS allows 50 in a pool. First give back one" in text
    assert "+24" not in text
    grown = PROPERTIES | {"PoolSizes": "us-west-2/Prod OU=12+13"}
    assert "Give fewer; or first leave unused ones" in idle.ask("Update", "InitPools", grown)["Reason"]
    idle.ec2.deprovision_ipam_pool_cidr(IpamPoolId=idle.pool_ids()[PROD], Cidr="10.32.0.0/24")
    idle.clock.advance(60)
    assert idle.ask("Update", "InitPools", grown)["Status"] == "SUCCESS"


# Growing


def test_a_pool_that_stays_over_the_threshold_gets_one_more_block_and_that_is_told_once(
    idle: DirectStack, caplog: pytest.LogCaptureFixture
) -> None:
    fill(idle)

    with caplog.at_level(logging.INFO, "ctipam"):
        look(idle)
        assert idle.pools() == BUILT
        look(idle, 10)

    assert idle.pools() == BUILT | {PROD: "10.0.0.0/12,10.32.0.0/12"}
    assert subjects(idle) == ["us-west-2/Prod OU has grown to 2 blocks"]
    text = idle.wire.published[0]["Message"]
    assert text.startswith(f"The pool of us-west-2/Prod OU ({idle.pool_ids()[PROD]}) has the blocks 10.0.0.0/12, ")
    assert "it had 1 before. It is 43.75 % full now." in text
    assert [record.message for record in caplog.records].count("growing pool") == 1
    assert note(idle, PROD) == ""


def test_a_block_that_aws_could_not_take_back_keeps_no_pool_from_growing(idle: DirectStack) -> None:
    pool_id, by_hand = idle.pool_ids()[PROD], "10.32.0.0/12"
    idle.ec2.provision_ipam_pool_cidr(IpamPoolId=pool_id, Cidr=by_hand)
    idle.clock.advance(FIVE_MINUTES)
    idle.ec2_in("us-west-2").allocate_ipam_pool_cidr(IpamPoolId=pool_id, Cidr="10.32.0.0/16")
    idle.ec2.deprovision_ipam_pool_cidr(IpamPoolId=pool_id, Cidr=by_hand)
    idle.clock.advance(FIVE_MINUTES)
    fill(idle)

    look(idle, 10)

    assert sorted(row["State"] for row in idle.rows(pool_id)) == ["failed-deprovision", "provisioned", "provisioned"]
    assert "It is 43.75 % full now." in idle.wire.published[0]["Message"]


def test_what_has_grown_stays_through_later_updates_and_is_deleted_with_the_pool(idle: DirectStack) -> None:
    fill(idle)
    look(idle, 3)

    for changed in ({}, {"RegionSelection": ["us-west-2", "us-east-1", "eu-west-1"]}, {"PoolSizes": "SDLC OU=12+13"}):
        assert idle.ask("Update", "InitPools", PROPERTIES | changed)["Status"] == "SUCCESS"
        assert idle.pools()[PROD] == "10.0.0.0/12,10.32.0.0/12"

    idle.ask("Delete", "InitPools", PROPERTIES)
    assert idle.pools()[PROD] == "10.0.0.0/12"  # which is in use


def test_what_has_grown_is_taken_for_what_is_declared_later(idle: DirectStack) -> None:
    fill(idle)
    look(idle, 3)

    answer = idle.ask("Update", "InitPools", PROPERTIES | {"PoolSizes": "us-west-2/Prod OU=12+12"})

    assert answer["Status"] == "SUCCESS"
    assert idle.pools()[PROD] == "10.0.0.0/12,10.32.0.0/12"


def test_a_region_without_room_gets_one_more_block_first(idle: DirectStack) -> None:
    take_what_is_free(idle)
    fill(idle)

    look(idle, 10)

    assert idle.pools()["us-west-2"] == "10.0.0.0/10,10.128.0.0/10"
    assert idle.pools()[PROD] == "10.0.0.0/12,10.128.0.0/12"
    assert subjects(idle) == ["us-west-2 has grown to 2 blocks", "us-west-2/Prod OU has grown to 2 blocks"]
    assert note(idle, "us-west-2") == ""


def test_a_region_is_told_to_have_grown_when_its_block_is_there(idle: DirectStack) -> None:
    take_what_is_free(idle)
    fill(idle)
    idle.models.ipam._store.timings = Timings(provision=1800)

    look(idle, 6)
    assert [row["State"] for row in idle.rows(idle.pool_ids()["us-west-2"])] == ["provisioned", "pending-provision"]
    assert (subjects(idle), note(idle, "us-west-2") != "") == ([], True)

    look(idle, 3)
    assert subjects(idle) == ["us-west-2 has grown to 2 blocks"]


def test_a_look_right_after_a_region_has_grown_leaves_its_note_to_the_next(idle: DirectStack) -> None:
    """The note of a block that fails at once would be gone, and the next block not be told."""
    take_what_is_free(idle)
    fill(idle)
    look(idle)
    assert idle.look()
    idle.clock.advance(60)
    noted = note(idle, "us-west-2")

    assert idle.look()

    assert (noted != "", note(idle, "us-west-2"), subjects(idle)) == (True, noted, [])


@pytest.mark.parametrize(
    ("reserved", "is_full", "region", "prod"),
    [
        ("10.32.0.0/12", False, "", "10.48.0.0/12"),
        ("10.128.0.0/10", True, ",10.192.0.0/10", "10.192.0.0/12"),
    ],
    ids=["of the Region", "of the top-level pool"],
)
def test_a_pool_grows_beside_what_is_reserved(
    idle: DirectStack, reserved: str, is_full: bool, region: str, prod: str
) -> None:
    assert idle.ask("Update", "InitPools", PROPERTIES | {"ReservedCidrs": reserved})["Status"] == "SUCCESS"
    idle.end_operation()
    if is_full:
        take_what_is_free(idle)
    fill(idle)

    look(idle, 10)

    assert idle.pools()["us-west-2"] == f"10.0.0.0/10{region}"
    assert idle.pools()[PROD] == f"10.0.0.0/12,{prod}"


def test_when_the_top_level_pool_is_full_too_the_cidr_to_add_is_told(idle: DirectStack) -> None:
    take_what_is_free(idle, in_top=True)
    fill(idle)

    look(idle, 10)

    (message,) = idle.wire.published
    assert "It does not grow by itself: the top-level pool has no free /10." in message["Message"]
    assert "TopLevelPoolCidr 10.0.0.0/8,100.64.0.0/10." in message["Message"]


@pytest.mark.parametrize(
    ("is_full", "region", "prod", "sdlc"),
    [(False, "", "10.32.0.0/12", "10.48.0.0/12"), (True, ",10.128.0.0/10", "10.128.0.0/12", "10.144.0.0/12")],
    ids=["with room", "full"],
)
def test_two_pools_of_one_region_get_a_block_each_and_the_region_at_most_one(
    idle: DirectStack, is_full: bool, region: str, prod: str, sdlc: str
) -> None:
    if is_full:
        take_what_is_free(idle)
    fill(idle)
    fill(idle, "us-west-2 SDLC OU")

    look(idle, 10)

    assert idle.pools() == BUILT | {
        "us-west-2": f"10.0.0.0/10{region}",
        PROD: f"10.0.0.0/12,{prod}",
        "us-west-2 SDLC OU": f"10.16.0.0/12,{sdlc}",
    }


def test_two_pools_that_filled_up_at_different_times_give_their_region_one_block(idle: DirectStack) -> None:
    """Both are due at the same look, and AWS would accept two requests for the Region at a time."""
    idle.models.ipam._store.mutation_lock = "none"
    take_what_is_free(idle)
    idle.wire.in_progress[idle.stack_id] = "UPDATE_IN_PROGRESS"
    fill(idle)
    look(idle)
    fill(idle, "us-west-2 SDLC OU")
    look(idle, 2)
    idle.end_operation()

    look(idle, 10)

    assert idle.pools()["us-west-2"] == "10.0.0.0/10,10.128.0.0/10"


def test_a_second_look_right_after_the_first_does_nothing(idle: DirectStack) -> None:
    fill(idle)
    assert idle.look()
    idle.clock.advance(LOOKS_APART_S - 1)

    assert idle.look()

    assert "ProvisionIpamPoolCidr" not in idle.wire.counted


def test_nothing_grows_while_an_operation_of_the_stack_is_in_progress(idle: DirectStack) -> None:
    fill(idle)
    idle.wire.in_progress[idle.stack_id] = "UPDATE_IN_PROGRESS"

    look(idle, 10)
    assert idle.pools() == BUILT
    assert idle.wire.published == []

    idle.end_operation()
    look(idle)
    assert idle.pools()[PROD] == "10.0.0.0/12,10.32.0.0/12"


@pytest.mark.parametrize(
    "code", ["IdempotentParameterMismatch", "ConcurrentMutationLimitExceeded", "RequestLimitExceeded"]
)
def test_a_block_that_cannot_be_requested_now_is_requested_by_the_next_look(idle: DirectStack, code: str) -> None:
    sdlc = "us-west-2 SDLC OU"
    fill(idle)
    fill(idle, sdlc)
    look(idle)
    noted = note(idle, PROD)
    idle.wire.refuse("ProvisionIpamPoolCidr", AwsError(code, "Not now."))

    look(idle)
    assert note(idle, PROD) == noted
    assert idle.pools() == BUILT | {sdlc: "10.16.0.0/12,10.32.0.0/12"}, "the place was free for another pool"

    look(idle)
    assert idle.pools()[PROD] == "10.0.0.0/12,10.48.0.0/12"


@pytest.mark.parametrize("listed_s", [0.0, 30.0], ids=["listed at once", "listed late"])
def test_two_invocations_at_once_make_one_block(
    idle: DirectStack, listed_s: float, caplog: pytest.LogCaptureFixture
) -> None:
    fill(idle)
    look(idle)
    idle.models.ipam._store.timings = Timings(cidr_listed=listed_s)

    with caplog.at_level(logging.INFO, "ctipam"):
        assert idle.look()
        assert idle.look()

    assert "growth has to wait" not in caplog.messages  # AWS knows the second request by its token
    idle.clock.advance(60)
    assert idle.pools()[PROD] == "10.0.0.0/12,10.32.0.0/12"


def test_a_block_that_came_while_the_pools_were_measured_is_enough(idle: DirectStack) -> None:
    fill(idle)
    look(idle)
    listed: Any = idle.listed_pools()
    measured = list(measure_pools(idle.account, idle.stack_id, listed))  # type: ignore[arg-type]
    idle.ec2.provision_ipam_pool_cidr(IpamPoolId=idle.pool_ids()[PROD], Cidr="10.32.0.0/12")
    idle.clock.advance(FIVE_MINUTES)

    growing.see_to_pools(idle.account, SETTINGS, listed, measured)  # type: ignore[arg-type]

    idle.clock.advance(60)
    assert idle.pools() == BUILT | {PROD: "10.0.0.0/12,10.32.0.0/12"}


def test_an_update_that_runs_at_any_moment_of_a_look_and_growth_take_nothing_from_each_other() -> None:
    """The update declares the block that the pool is about to get."""
    further = PROPERTIES | {"PoolSizes": "us-west-2/Prod OU=12+12", "AccEnvName": ["Prod OU", "SDLC OU", "Test OU"]}
    for at in range(1, 30):
        stack = ready(False)
        with stack.running():
            look(stack)
            if not look_with_update(stack, at, further):
                return
            stack.clock.advance(60)
            found = stack.pools()
            assert stack.ask("Update", "InitPools", further)["Status"] == "SUCCESS", f"at call {at}"
            assert stack.pools() == found
        region = [IPv4Network(cidr) for pool, blocks in found.items() if " " in pool for cidr in blocks.split(",")]
        assert not any(one.overlaps(other) for one, other in combinations(region, 2)), f"at call {at}: {found}"
        assert found.keys() == BUILT.keys() | {"us-west-2 Test OU", "us-east-1 Test OU"}
        assert found[PROD].startswith("10.0.0.0/12,"), f"at call {at}"
    raise AssertionError("a look makes more calls")


def look_with_update(stack: DirectStack, at: int, properties: dict[str, Any]) -> bool:
    """Look, and serve an update before call number `at` of the look. Return whether it makes so many."""
    carry, calls = stack.wire.carry, 0

    def carry_later(*call: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == at:
            with patch.object(stack.wire, "carry", carry):
                assert stack.ask("Update", "InitPools", properties)["Status"] == "SUCCESS"
            stack.end_operation()
        return carry(*call)

    with patch.object(stack.wire, "carry", carry_later):
        stack.look()
    return calls >= at


def test_space_that_is_taken_elsewhere_is_that_of_other_top_level_pools_of_ipv4(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def row(pool_id: str, family: str = "ipv4", **more: Any) -> Any:
        return {"IpamPoolId": pool_id, "AddressFamily": family, "State": "create-complete", "Locale": "None"} | more

    ours: Any = {"Tags": [{"Key": names.STACK_TAG, "Value": SETTINGS.stack_id}]}
    listed = [row("ours", **ours), row("other"), row("child", SourceIpamPoolId="other"), row("other-6", "ipv6")]
    taken: list[str] = []
    monkeypatch.setattr(growing._Run, "__init__", lambda _, *given: taken.extend(given[-1]))
    monkeypatch.setattr(growing._Run, "see_to", lambda *_: None)

    growing.see_to_pools(None, SETTINGS, listed, [])  # type: ignore[arg-type]

    assert taken == ["other"]


@pytest.mark.parametrize("region_is_full", [False, True])
def test_a_block_that_aws_could_not_give_is_requested_again_and_nothing_is_told_of_it(
    idle: DirectStack, region_is_full: bool
) -> None:
    if region_is_full:
        take_what_is_free(idle)
    fill(idle)
    look(idle)
    idle.models.ipam.faults.fail_next("ProvisionIpamPoolCidr", "The CIDR is not available.", "cidr-not-available")

    look(idle, 10)

    assert idle.pools()[PROD] == f"10.0.0.0/12,{'10.128.0.0/12' if region_is_full else '10.32.0.0/12'}"
    assert subjects(idle) == [
        *(["us-west-2 has grown to 2 blocks"] if region_is_full else []),
        "us-west-2/Prod OU has grown to 2 blocks",
    ]


@pytest.mark.parametrize(
    "error",
    [AwsError("UnauthorizedOperation", "no"), EndpointConnectionError(endpoint_url="https://ec2.us-west-2")],
    ids=["refused", "not reached"],
)
def test_trouble_with_one_pool_hides_no_other(idle: DirectStack, error: AwsError | EndpointConnectionError) -> None:
    fill(idle)
    fill(idle, "us-east-1 Prod OU")
    look(idle)
    idle.wire.refuse("ProvisionIpamPoolCidr", error)

    with pytest.raises(Exception, match="The growth check failed for 1 pool: us-west-2/Prod OU"):
        idle.look()

    idle.clock.advance(60)
    assert idle.pools()["us-east-1 Prod OU"] == "10.64.0.0/12,10.96.0.0/12"


def test_a_pool_below_one_that_is_not_ours_any_more_does_not_grow_and_hides_no_other(idle: DirectStack) -> None:
    fill(idle)
    fill(idle, "us-east-1 Prod OU")
    look(idle)
    idle.ec2.delete_tags(Resources=[idle.pool_ids()["us-west-2"]], Tags=[{"Key": names.STACK_TAG}])

    with pytest.raises(AwsFailed, match="us-west-2/Prod OU: a pool above it is missing; update the stack to mend that"):
        idle.look()

    idle.clock.advance(60)
    assert idle.pools() == BUILT | {"us-east-1 Prod OU": "10.64.0.0/12,10.96.0.0/12"}


@pytest.mark.parametrize("region_is_full", [False, True])
def test_killed_anywhere_it_converges(region_is_full: bool) -> None:
    """Killed after each change: killed before the next one, it leaves the same behind."""
    stack = ready(region_is_full)
    with stack.running():
        look(stack, 6)
        grown = stack.pools()
        calls = [action for action in stack.wire.actions if not action.startswith("DescribeStacks")]
        changing = [at for at, action in enumerate(stack.wire.actions, 1) if not action.startswith(READS)]
    assert len(grown[PROD].split(",")) == 2
    assert calls

    for at in changing:
        stack = ready(region_is_full)
        with stack.running():
            stack.wire.kill(at, after=True)
            killed = 0
            for _ in range(12):
                killed += not stack.look()
                stack.clock.advance(FIVE_MINUTES)
            assert killed == 1
            assert stack.pools() == grown, f"killed at call {at}"
            told = subjects(stack)
            assert set(told) >= {"us-west-2/Prod OU has grown to 2 blocks"}, f"killed at call {at}"
            assert ("us-west-2 has grown to 2 blocks" in told) == region_is_full
            assert note(stack, PROD) == note(stack, "us-west-2") == ""


@played_once
def ready(region_is_full: bool) -> DirectStack:
    """Return a stack with a pool over the threshold."""
    stack = DirectStack(workers=1)
    stack.set_up()
    with stack.running():
        stack.ask("Create", "InitPools", PROPERTIES)
    stack.end_operation()
    if region_is_full:
        take_what_is_free(stack)
    fill(stack)
    stack.wire.counted.clear()
    stack.wire.actions.clear()
    return stack
