"""Custom::InitPools, when AWS is slow, refuses, or fails what it had accepted."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Literal

import pytest

from aws_models.errors import AwsError
from aws_models.ipam import Timings
from ctipam import waiting
from ctipam.invocation import MAX_INVOCATIONS
from landing_zone.direct_stack import BUILT, PROPERTIES, DirectStack

HOUR = 3600.0


@pytest.fixture
def stack() -> Iterator[DirectStack]:
    """Return a stack before its creation."""
    stack = DirectStack()
    stack.set_up()
    with stack.running():
        yield stack


def create(stack: DirectStack) -> dict[str, Any]:
    return stack.ask("Create", "InitPools", PROPERTIES)


def build(stack: DirectStack) -> None:
    answer = create(stack)
    assert answer["Status"] == "SUCCESS", answer["Reason"]
    assert stack.pools() == BUILT


def delete(stack: DirectStack) -> dict[str, Any]:
    return stack.ask("Delete", "InitPools", PROPERTIES)


# What AWS accepts and then fails


@pytest.mark.parametrize("shown_early", [False, True], ids=["at the end", "while it is still pending"])
def test_a_block_that_aws_could_not_give_is_a_failure_with_its_reason(stack: DirectStack, shown_early: bool) -> None:
    stack.models.ipam.faults.fail_next(
        "ProvisionIpamPoolCidr", "No more of these.", code="limit-exceeded", shown_early=shown_early
    )

    answer = create(stack)

    assert answer["Status"] == "FAILED"
    assert answer["Reason"] == "AWS could not give 10.0.0.0/8 to the top-level pool: No more of these."
    assert delete(stack)["Status"] == "SUCCESS"
    assert stack.listed_pools() == []


def test_a_block_that_aws_could_not_give_to_a_region_is_a_failure_with_its_reason(stack: DirectStack) -> None:
    stack.ask("Create", "InitPools", PROPERTIES | {"RegionSelection": ["us-west-2"]})
    stack.models.ipam.faults.fail_next("ProvisionIpamPoolCidr", "No more of these.", code="limit-exceeded")

    answer = stack.ask("Update", "InitPools", PROPERTIES)

    assert answer["Status"] == "FAILED"
    assert answer["Reason"] == "AWS could not give 10.64.0.0/10 to the pool of us-east-1: No more of these."


def test_after_a_failure_the_next_request_goes_on(stack: DirectStack) -> None:
    stack.models.ipam.faults.fail_next("ProvisionIpamPoolCidr", "Not today.")
    create(stack)

    assert stack.ask("Update", "InitPools", PROPERTIES)["Status"] == "SUCCESS"
    assert stack.pools() == BUILT


def test_space_that_aws_has_not_freed_yet_is_asked_for_again_for_some_minutes(built: DirectStack) -> None:
    """Recycled space can be allocated only minutes after no list shows it as taken any more."""
    top = built.top_pool_id
    reserved = built.ec2.allocate_ipam_pool_cidr(IpamPoolId=top, Cidr="10.128.0.0/24")["IpamPoolAllocation"]
    built.ec2.release_ipam_pool_allocation(
        IpamPoolId=top, Cidr="10.128.0.0/24", IpamPoolAllocationId=reserved["IpamPoolAllocationId"]
    )
    built.wire.counted.clear()

    answer = built.ask("Update", "InitPools", PROPERTIES | {"RegionSelection": ["us-west-2", "us-east-1", "eu-west-1"]})

    assert answer["Status"] == "SUCCESS", answer["Reason"]
    assert built.pools()["eu-west-1"] == "10.128.0.0/10"
    assert built.wire.counted["ProvisionIpamPoolCidr"] > 3


def test_space_that_aws_never_frees_is_a_failure_in_the_end(stack: DirectStack) -> None:
    for _ in range(100):
        stack.models.ipam.faults.fail_next("ProvisionIpamPoolCidr", "Not available.", code="cidr-not-available")

    answer = create(stack)

    assert answer["Status"] == "FAILED"
    assert "Not available." in answer["Reason"]
    assert stack.clock.now() < HOUR


def test_a_pool_that_aws_could_not_create_is_a_failure_with_its_message(stack: DirectStack) -> None:
    stack.models.ipam.faults.fail_next("CreateIpamPool", "Something broke.")

    answer = create(stack)

    assert answer["Status"] == "FAILED"
    assert "create-failed: Something broke." in answer["Reason"]
    assert delete(stack)["Status"] == "SUCCESS"
    assert stack.listed_pools() == []


REMOVALS_THAT_FAIL = [
    ("DeleteIpamPool", "Something broke.", "AWS could not delete the pool of us-west-2/"),
    ("DeprovisionIpamPoolCidr", "The CIDR has one or more allocations.", "AWS could not take 10."),
]


def test_a_pool_that_aws_accepts_to_delete_and_then_keeps_is_reported_by_an_update_and_deleted_by_the_next(
    built: DirectStack, caplog: pytest.LogCaptureFixture
) -> None:
    built.models.ipam.faults.fail_next("DeleteIpamPool", "Something broke.")
    fewer = PROPERTIES | {"RegionSelection": ["us-east-1"]}

    with caplog.at_level(logging.INFO, "ctipam"):
        answer = built.ask("Update", "InitPools", fewer)

    assert answer["Status"] == "SUCCESS"
    (kept,) = [vars(record)["what"] for record in caplog.records if record.message == "kept what could not be removed"]
    assert kept[0].startswith("AWS could not delete the pool of us-west-2/")
    assert kept[0].endswith(": Something broke.")
    assert built.ask("Update", "InitPools", fewer)["Status"] == "SUCCESS"
    assert built.pools() == {name: cidr for name, cidr in BUILT.items() if name.startswith("us-east-1")}


def test_a_cidr_that_aws_fails_to_take_back_once_is_taken_back_by_the_same_update(built: DirectStack) -> None:
    built.models.ipam.faults.fail_next("DeprovisionIpamPoolCidr", "The CIDR has one or more allocations.")

    answer = built.ask("Update", "InitPools", PROPERTIES | {"RegionSelection": ["us-east-1"]})

    assert answer["Status"] == "SUCCESS"
    assert built.pools() == {name: cidr for name, cidr in BUILT.items() if name.startswith("us-east-1")}


@pytest.mark.parametrize(("action", "message", "_reason"), REMOVALS_THAT_FAIL)
def test_a_removal_that_aws_accepts_and_then_fails_is_repeated_by_a_delete(
    built: DirectStack, action: str, message: str, _reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    built.models.ipam.faults.fail_next(action, message)

    with caplog.at_level(logging.INFO, "ctipam"):
        answer = delete(built)

    assert answer["Status"] == "SUCCESS"
    assert built.listed_pools() == []
    assert left_behind(caplog) == []


@pytest.mark.parametrize(("action", "message", "reason"), REMOVALS_THAT_FAIL)
def test_a_removal_that_always_fails_leaves_that_pool_its_ancestors_and_its_reason(
    built: DirectStack, action: str, message: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(1000):
        built.models.ipam.faults.fail_next(action, message)
    began = built.clock.now()

    with caplog.at_level(logging.INFO, "ctipam"):
        answer = delete(built)

    assert built.clock.now() - began < HOUR
    assert answer["Status"] == "SUCCESS"
    left = left_behind(caplog)
    assert len(left) == 4  # one for each environment's pool
    assert any(reason in sentence and message in sentence for sentence in left)
    assert built.pools().keys() == BUILT.keys()


def left_behind(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the log says of it."""
    logged = [vars(record)["what"] for record in caplog.records if record.message == "left behind"]
    return [sentence for sentences in logged for sentence in sentences]


def test_a_modification_that_fails_is_a_failure_and_is_tried_again_by_the_next_request(built: DirectStack) -> None:
    built.models.ipam.faults.fail_next("ModifyIpamPool", "Something broke.")
    changed = PROPERTIES | {"VpcDefaultNetmaskLength": "20"}

    assert "modify-failed: Something broke." in built.ask("Update", "InitPools", changed)["Reason"]
    built.clock.advance(60)

    assert built.ask("Update", "InitPools", changed)["Status"] == "SUCCESS"


def fail_modification(stack: DirectStack) -> None:
    """Let a modification by hand fail, so that nothing but its state tells of it."""
    stack.models.ipam.faults.fail_next("ModifyIpamPool", "Something broke.")
    stack.ec2.modify_ipam_pool(IpamPoolId=stack.pool_ids()["us-west-2 Prod OU"], AutoImport=False)
    stack.clock.advance(60)


def test_a_pool_whose_modification_failed_is_modified_before_it_gets_a_block(built: DirectStack) -> None:
    fail_modification(built)

    answer = built.ask("Update", "InitPools", PROPERTIES | {"PoolSizes": "us-west-2/Prod OU=12+13"})

    assert answer["Status"] == "SUCCESS", answer["Reason"]
    assert built.pools()["us-west-2 Prod OU"] == "10.0.0.0/12,10.32.0.0/13"


def test_a_rollback_ends_even_if_aws_cannot_modify_a_pool_and_the_update_fails_with_its_reason(
    built: DirectStack,
) -> None:
    for _ in range(10):
        built.models.ipam.faults.fail_next("ModifyIpamPool", "Something broke.")
    changed = PROPERTIES | {"VpcDefaultNetmaskLength": "20", "AccEnvName": ["Prod OU", "SDLC OU", "Dev OU"]}

    assert "modify-failed: Something broke." in built.ask("Update", "InitPools", changed)["Reason"]
    assert len(built.pools()) > len(BUILT)
    assert built.ask("Update", "InitPools", PROPERTIES, "UPDATE_ROLLBACK_IN_PROGRESS")["Status"] == "SUCCESS"
    assert built.pools() == BUILT


def test_a_pool_that_could_not_be_created_is_made_anew_by_a_repeated_request(stack: DirectStack) -> None:
    """Its client token would only bring the failed one back."""
    stack.models.ipam.faults.fail_next("CreateIpamPool", "Something broke.")
    request = stack.request("Create", "InitPools", PROPERTIES)
    stack.wire.kill(1, after=True, action="CreateIpamPool")
    assert stack.send(request) is None
    stack.clock.advance(60)

    answer = stack.send(request)

    assert answer
    assert answer["Status"] == "SUCCESS", answer["Reason"]
    assert stack.pools() == BUILT


# What AWS refuses for now


@pytest.mark.parametrize(("lock", "at_most_s"), [("parent", 45), ("scope", 90), ("none", 25)])
def test_whatever_a_change_locks_everything_is_built_and_taken_down(
    lock: Literal["parent", "scope", "none"], at_most_s: float
) -> None:
    stack = DirectStack(mutation_lock=lock)
    stack.set_up()
    with stack.running():
        began = stack.clock.now()
        build(stack)
        assert stack.clock.now() - began < at_most_s, "what AWS allows side by side is done side by side"
        assert stack.wire.counted["CreateIpamPool"] + stack.wire.counted["ProvisionIpamPoolCidr"] <= 2 * 7 + 2
        reads = stack.wire.counted["GetIpamPoolCidrs"]
        assert reads < 3.5 * len(stack.listed_pools()), "a pool is read only while it is being given its CIDR"
        stack.ask("Update", "InitPools", PROPERTIES | {"RegionSelection": ["eu-west-1"], "AccEnvName": ["Test OU"]})
        assert stack.pools() == {"eu-west-1": "10.128.0.0/10", "eu-west-1 Test OU": "10.128.0.0/12"}
        assert delete(stack)["Status"] == "SUCCESS"
        assert stack.pools() == {}


@pytest.mark.parametrize(
    "code", ["ConcurrentMutationLimitExceeded", "RequestLimitExceeded", "IncorrectState", "DependencyViolation"]
)
@pytest.mark.parametrize(
    "action", ["CreateIpamPool", "ProvisionIpamPoolCidr", "DeprovisionIpamPoolCidr", "DeleteIpamPool"]
)
def test_what_is_refused_for_now_is_tried_again_without_asking_too_often(
    stack: DirectStack, code: str, action: str
) -> None:
    stack.models.ipam.faults.refuse_next(action, AwsError(code, "Not now."), times=20)

    build(stack)
    assert delete(stack)["Status"] == "SUCCESS"
    assert stack.pools() == {}


def test_what_is_refused_for_good_is_a_failure_in_awss_words(stack: DirectStack) -> None:
    denied = AwsError("UnauthorizedOperation", "You may not.")
    stack.models.ipam.faults.refuse_next("CreateIpamPool", denied, times=100)

    answer = create(stack)

    assert answer["Status"] == "FAILED"
    assert answer["Reason"] == (
        "CreateIpamPool in us-east-1 (account 222222222222) was denied: UnauthorizedOperation: You may not. "
        "Look for a service control policy or a permissions boundary that forbids it."
    )


def test_a_policy_that_iam_does_not_know_yet_is_waited_for(stack: DirectStack) -> None:
    not_yet = AwsError("UnauthorizedOperation", "You may not.")
    stack.models.ipam.faults.refuse_next("CreateIpamPool", not_yet)
    assert create(stack)["Status"] == "SUCCESS"

    stack.models.ipam.faults.refuse_next("ModifyIpamPool", not_yet)
    assert stack.ask("Update", "InitPools", PROPERTIES | {"VpcDefaultNetmaskLength": "25"})["Status"] == "SUCCESS"


def test_a_deletion_that_is_throttled_until_the_time_is_up_reports_the_reason(built: DirectStack) -> None:
    built.models.ipam.faults.refuse_next("DeleteIpamPool", AwsError("RequestLimitExceeded", "Slow."), times=1000)
    request = built.request("Delete", "InitPools", PROPERTIES | {"TopicArn": "arn:aws:sns:us-east-1:2:topic"})
    request["ResponseURL"] += f"?X-Amz-Date={datetime.fromtimestamp(built.clock.now(), UTC):%Y%m%dT%H%M%SZ}"
    built.clock.advance(55 * 60)

    answer = built.send(request)

    assert answer
    assert answer["Status"] == "SUCCESS"
    (message,) = built.wire.published
    assert "The time was up before everything was deleted: DeleteIpamPool in us-east-1" in message["Message"]


@pytest.mark.parametrize("action", ["DeprovisionIpamPoolCidr", "DeleteIpamPool"])
def test_what_somebody_deletes_while_it_is_being_deleted_counts_as_deleted(built: DirectStack, action: str) -> None:
    gone = AwsError("InvalidIpamPoolId.NotFound", "The ipam-pool ID does not exist")
    built.models.ipam.faults.refuse_next(action, gone)

    assert delete(built)["Status"] == "SUCCESS"
    assert built.pools() == {}


def test_a_region_that_does_not_know_a_pool_yet_has_no_allocations_of_it(built: DirectStack) -> None:
    gone = AwsError("InvalidIpamPoolId.NotFound", "The ipam-pool ID does not exist")
    built.models.ipam.faults.refuse_next("GetIpamPoolAllocations", gone)

    assert delete(built)["Status"] == "SUCCESS"


def test_a_cidr_that_is_not_listed_at_once_is_not_asked_for_twice() -> None:
    stack = DirectStack(ipam_timings=Timings(cidr_listed=12, provision=15))
    stack.set_up()
    with stack.running():
        build(stack)

    rows = [row for pool_id in stack.pool_ids().values() for row in stack.rows(pool_id)]
    assert len(rows) == len(BUILT)


def test_a_pool_that_is_not_listed_at_once_is_not_made_twice(stack: DirectStack) -> None:
    stack.wire.lists_late_s = 25

    build(stack)

    assert stack.wire.counted["CreateIpamPool"] <= 2 * len(BUILT)


# What takes long


def slow(seconds: float, **knobs: Any) -> DirectStack:
    stack = DirectStack(ipam_timings=Timings(known=0, pool_create=seconds, provision=seconds), **knobs)
    stack.set_up()
    return stack


def test_work_that_fits_into_one_invocation_is_answered_by_it(stack: DirectStack) -> None:
    build(stack)

    assert "Invoke" not in stack.wire.counted


def test_work_that_does_not_fit_goes_on_in_other_invocations_and_is_answered_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    stack = slow(180, mutation_lock="scope")
    with caplog.at_level(logging.INFO, "ctipam"), stack.running():
        build(stack)

    assert stack.wire.counted["Invoke"] == 2
    assert len(stack.answers) == 1
    assert not [action for action in stack.wire.counted if "Rule" in action or "Permission" in action]
    progress = [record for record in caplog.records if record.message == "waiting for AWS"]
    assert len(progress) > len(BUILT)
    handed_on = [record for record in caplog.records if record.message == "continuing in another invocation"]
    assert [vars(record)["invocation"] for record in handed_on] == [2, 3]


def test_a_repeated_continuation_ends_right() -> None:
    """Lambda may deliver any event twice."""
    stack = slow(200, mutation_lock="scope")
    with stack.running():
        request = stack.request("Create", "InitPools", PROPERTIES)
        stack.invoke(request)
        (continuation,) = stack.wire.invocations
        stack.send(continuation)
        stack.send(continuation)

    assert stack.pools() == BUILT


def test_a_duplicate_of_a_request_that_runs_at_the_same_time_ends_right(stack: DirectStack) -> None:
    """While the first attempt waits, the second one does all the work, with the same tokens."""
    request = stack.request("Create", "InitPools", PROPERTIES)
    duplicates = [request] * 3

    def sleep(seconds: float) -> None:
        stack.clock.advance(seconds)
        if duplicates:
            stack.invoke(duplicates.pop())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(waiting, "sleep", sleep)
        stack.invoke(request)

    assert [answer["Status"] for answer in stack.answers] == ["SUCCESS"] * 4
    assert len({answer["PhysicalResourceId"] for answer in stack.answers}) == 1
    assert stack.pools() == BUILT


@pytest.mark.parametrize("action", ["CreateIpamPool", "ProvisionIpamPoolCidr"])
def test_a_state_that_never_ends_is_answered_within_the_hour_with_the_pool_that_is_stuck(
    stack: DirectStack, action: str
) -> None:
    stack.models.ipam.faults.hang_next(action)
    began = stack.clock.now()

    answer = create(stack)

    assert stack.clock.now() - began < HOUR
    assert answer["Status"] == "FAILED"
    assert "still waiting for the top-level pool (" in answer["Reason"]
    assert len(answer["Reason"]) < 240


@pytest.mark.parametrize("action", ["DeprovisionIpamPoolCidr", "DeleteIpamPool"])
def test_a_removal_that_never_ends_is_answered_too(
    built: DirectStack, action: str, caplog: pytest.LogCaptureFixture
) -> None:
    built.models.ipam.faults.hang_next(action)
    began = built.clock.now()

    with caplog.at_level(logging.INFO, "ctipam"):
        answer = delete(built)

    assert built.clock.now() - began < HOUR
    assert answer["Status"] == "SUCCESS"
    why, left = left_behind(caplog)
    assert "still waiting for" in why
    assert left.startswith("Pools that are left: the top-level pool (ipam-pool-")


@pytest.mark.parametrize(
    ("action", "code"),
    [
        ("GetIpamPoolCidrs", "UnauthorizedOperation"),
        ("GetIpamPoolCidrs", "RequestLimitExceeded"),
        ("GetIpamPoolAllocations", "InternalError"),
    ],
)
def test_a_deletion_that_cannot_read_the_pools_names_those_that_are_left(
    built: DirectStack, action: str, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    built.models.ipam.faults.refuse_next(action, AwsError(code, "No."), times=100_000)

    with caplog.at_level(logging.INFO, "ctipam"):
        answer = delete(built)

    assert answer["Status"] == "SUCCESS"
    text = " ".join(left_behind(caplog))
    for name in ("the top-level pool (ipam-pool-", "us-west-2 (ipam-pool-", "us-west-2/Prod OU (ipam-pool-"):
        assert name in text


def test_a_function_that_cannot_invoke_itself_says_so(stack: DirectStack, monkeypatch: pytest.MonkeyPatch) -> None:
    stack.models.ipam.faults.hang_next("CreateIpamPool")
    stack.wire.refuse("Invoke", AwsError("AccessDeniedException", "No lambda:InvokeFunction for you."))

    answer = create(stack)

    assert answer["Status"] == "FAILED"
    assert answer["Reason"].startswith(
        "Invoke in us-east-1 (account 222222222222) was denied: AccessDeniedException: No lambda:InvokeFunction for "
        "you."
    )
    assert len(stack.answers) == 1


def test_invocations_that_have_no_time_do_not_invoke_each_other_for_ever(
    stack: DirectStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack.models.ipam.faults.hang_next("CreateIpamPool")
    monkeypatch.setattr("landing_zone.direct_stack.INVOCATION_S", 20.0)

    answer = create(stack)

    assert answer["Status"] == "FAILED"
    assert stack.wire.counted["Invoke"] == MAX_INVOCATIONS - 1


@pytest.mark.parametrize("seconds", [0.5, 1.5, 3.0, 10.0])
def test_an_invocation_of_few_seconds_uses_them_all_so_that_the_next_ones_end_the_work(
    monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    """Each change takes as long as an invocation has for it."""
    monkeypatch.setattr("landing_zone.direct_stack.INVOCATION_S", waiting.RESERVE_S + seconds)
    changes_s = Timings(known=0, pool_create=seconds, provision=seconds, deprovision=seconds, pool_delete=seconds)
    stack = DirectStack(ipam_timings=changes_s, mutation_lock="none")
    stack.set_up()
    with stack.running():
        for kind, regions in (("Create", ["us-west-2", "us-east-1"]), ("Update", ["us-west-2"])):
            began = stack.clock.now()

            answer = stack.ask(kind, "InitPools", PROPERTIES | {"RegionSelection": regions})

            assert answer["Status"] == "SUCCESS", answer["Reason"]
            handed_on = stack.wire.counted.pop("Invoke")
            assert stack.clock.now() - began >= handed_on * (seconds - waiting.NO_TIME_S)


# Lists without tags


@pytest.mark.parametrize("number", range(3), ids=["the first list", "the second list", "the third list"])
def test_a_deletion_that_is_shown_its_pools_without_tags_deletes_them_all_the_same(
    built: DirectStack, number: int
) -> None:
    """It took them for somebody else's, and left what it had not deleted yet.

    Source  https://github.com/cloud-custodian/cloud-custodian/issues/252
    """
    with built.nth_list_without_tags(number):
        assert delete(built)["Status"] == "SUCCESS"

    assert built.listed_pools() == []


@pytest.mark.parametrize("number", range(3), ids=["the first list", "the second list", "the third list"])
def test_an_update_that_is_shown_its_pools_without_tags_changes_what_it_should(built: DirectStack, number: int) -> None:
    ids = built.pool_ids()
    with built.nth_list_without_tags(number):
        answer = built.ask("Update", "InitPools", PROPERTIES | {"AccEnvName": ["Prod OU", "SDLC OU", "Test OU"]})

    assert answer["Status"] == "SUCCESS", answer["Reason"]
    assert built.pools() == BUILT | {"us-west-2 Test OU": "10.32.0.0/12", "us-east-1 Test OU": "10.96.0.0/12"}
    assert ids.items() <= built.pool_ids().items()
