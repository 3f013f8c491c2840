"""What AWS accepted and then failed: what ends a request at once, and what is tried again."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Network

import pytest

from ctipam.errors import AwsFailed
from ctipam.pools.change_kinds import DeletePool, DeprovisionCidr, ModifyPool, ProvisionCidr
from ctipam.pools.existing import Block, ExistingPool
from ctipam.pools.late_failures import LateFailures
from ctipam.pools.spec import PoolKey

CIDR = IPv4Network("10.0.0.0/21")
POOL = ExistingPool("ipam-pool-1", "ipam-pool-0", "create-complete", PoolKey("us-west-2", "Prod OU"))
NOT_YET = "cidr-not-available"


def having(state: str, code: str = "", reason: str = "", cidr_id: str = "1") -> ExistingPool:
    return POOL.with_blocks([Block(CIDR, state, cidr_id, code, reason)])


@pytest.fixture
def failures() -> LateFailures:
    """Return what watches a CIDR that was requested for a pool that had none."""
    failures = LateFailures()
    assert not failures.judge([POOL], 0.0, ())
    failures.watch(POOL.pool_id, ProvisionCidr(POOL, CIDR))
    return failures


@pytest.mark.parametrize("state", ["failed-provision", "pending-provision"])
def test_a_cidr_that_cannot_come_is_a_failure_with_awss_reason_even_before_aws_gives_up(
    failures: LateFailures, state: str
) -> None:
    with pytest.raises(AwsFailed, match=r"could not give 10\.0\.0\.0/21 to .*Prod OU.*: no room"):
        failures.judge([having(state, "no-room", "no room")], 1.0, ())


def test_a_cidr_that_is_only_pending_is_no_failure(failures: LateFailures) -> None:
    assert not failures.judge([having("pending-provision")], 1.0, ())


def test_space_that_aws_has_not_freed_yet_is_tried_again_after_a_rest_for_ten_minutes(failures: LateFailures) -> None:
    failed = having("failed-provision", NOT_YET, "overlaps")

    assert failures.judge([failed], 100.0, ())
    assert failures.rests(POOL.pool_id, 114.9)
    assert not failures.rests(POOL.pool_id, 115.0)
    assert not failures.judge([failed], 115.0, ()), "it has been judged"
    assert failures.judge([having("failed-provision", NOT_YET, "overlaps", "2")], 700.0, ())
    with pytest.raises(AwsFailed, match="overlaps"):
        failures.judge([having("failed-provision", NOT_YET, "overlaps", "3")], 700.1, ())


def test_such_space_that_is_pending_is_waited_for_without_a_rest(failures: LateFailures) -> None:
    assert failures.judge([having("pending-provision", NOT_YET, "overlaps")], 100.0, ())
    assert not failures.rests(POOL.pool_id, 100.0)
    assert failures.judge([having("pending-provision", NOT_YET, "overlaps")], 101.0, ())


def test_failures_of_an_earlier_attempt_and_of_other_pools_say_nothing() -> None:
    failures = LateFailures()
    earlier = having("failed-provision", "no-room", "no room")

    assert not failures.judge([earlier], 0.0, ())
    failures.watch(POOL.pool_id, ProvisionCidr(POOL, CIDR))
    assert not failures.judge([earlier], 1.0, ())
    other = replace(having("failed-provision", "no-room", "no room", "2"), pool_id="ipam-pool-2")
    assert not failures.judge([other], 1.0, ())


@pytest.mark.parametrize("state", ["create-failed", "modify-failed"])
@pytest.mark.parametrize(("message", "reason"), [("quota", "quota"), ("", "it gives no reason")])
def test_a_pool_that_failed_is_a_failure_if_this_request_has_touched_it(state: str, message: str, reason: str) -> None:
    failures, failed = LateFailures(), replace(POOL, state=state, message=message)

    assert not failures.judge([failed], 0.0, ())
    failures.watch(POOL.pool_id, ProvisionCidr(POOL, CIDR))
    with pytest.raises(AwsFailed, match=f"left .*Prod OU.* {state}: {reason}"):
        failures.judge([failed], 1.0, ())


def test_a_pool_that_failed_before_is_no_failure_while_a_list_may_be_older_than_its_new_change() -> None:
    failures, failed = LateFailures(), replace(POOL, state="modify-failed")
    failures.watch(POOL.pool_id, ModifyPool(PoolKey("us-west-2", "Prod OU"), failed))

    assert not failures.judge([failed], 1.0, in_flight=[POOL.pool_id])
    failures.watch(POOL.pool_id, DeletePool(failed))
    assert not failures.failed_removals([replace(POOL, state="delete-failed")], 1.0, in_flight=[POOL.pool_id])
    with pytest.raises(AwsFailed):
        failures.judge([failed], 31.0, ())


def test_a_deletion_that_failed_is_named_until_it_is_tried_again() -> None:
    failures, stuck = LateFailures(), replace(POOL, state="delete-failed", message="busy")

    assert failures.failed_removals([stuck], 1.0, ()) == {}
    failures.watch(POOL.pool_id, DeletePool(POOL))
    (sentence,) = failures.failed_removals([stuck], 1.0, ())[POOL.pool_id]
    assert sentence.startswith("AWS could not delete")
    failures.forget_removals([POOL.pool_id])
    assert failures.failed_removals([stuck], 1.0, ()) == {}


def test_the_ten_minutes_begin_again_when_another_cidr_has_been_taken_back() -> None:
    failures, kept, other = (
        LateFailures(),
        having("failed-deprovision"),
        replace(having("provisioned"), pool_id="other"),
    )
    for now, pools in ((100.0, [kept, other]), (700.0, [kept, other]), (800.0, [kept]), (1400.0, [kept])):
        failures.watch(POOL.pool_id, DeprovisionCidr(POOL, CIDR))
        assert failures.failed_removals(pools, now, ()) == {}

    failures.watch(POOL.pool_id, DeprovisionCidr(POOL, CIDR))
    assert failures.failed_removals([kept], 1400.1, ()) != {}


def test_a_cidr_that_aws_has_not_taken_back_is_taken_again_after_a_rest_for_ten_minutes_and_then_named() -> None:
    failures, kept = LateFailures(), having("failed-deprovision", reason="in use")
    assert failures.failed_removals([kept], 1.0, ()) == {}
    for now in (100.0, 700.0):
        failures.watch(POOL.pool_id, DeprovisionCidr(POOL, CIDR))

        assert failures.failed_removals([kept], now, ()) == {}
        assert failures.rests(POOL.pool_id, now + 14.9)
        assert not failures.rests(POOL.pool_id, now + 15.0)

    failures.watch(POOL.pool_id, DeprovisionCidr(POOL, CIDR))
    (sentence,) = failures.failed_removals([kept], 700.1, ())[POOL.pool_id]
    assert sentence.startswith("AWS could not take 10.0.0.0/21 from")
    assert sentence.endswith(": in use")
    failures.forget_removals([POOL.pool_id])
    assert failures.failed_removals([kept], 700.1, ()) == {}


def test_to_forget_a_removal_forgets_no_other() -> None:
    failures, kept = LateFailures(), having("failed-deprovision", reason="in use")
    for now in (100.0, 700.1):
        failures.watch(POOL.pool_id, DeprovisionCidr(POOL, CIDR))
        failures.failed_removals([kept], now, ())

    failures.forget_removals(["other"])

    assert POOL.pool_id in failures.failed_removals([kept], 700.2, ())
