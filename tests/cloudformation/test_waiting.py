"""How long is waited for AWS, and when a wait ends."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from aws_models.clock import ManualClock
from ctipam import waiting
from ctipam.errors import BUSY, OutOfTime
from ctipam.waiting import Deadline, Pace, retry_while_busy

INVOCATION_S = 900.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> ManualClock:
    """Return a clock, which waiting moves; without jitter."""
    clock = ManualClock()
    monkeypatch.setattr(waiting, "sleep", clock.advance)
    monkeypatch.setattr(waiting, "now", clock.now)
    monkeypatch.setattr(waiting, "random", SimpleNamespace(uniform=lambda low, high: (low + high) / 2))
    return clock


@pytest.fixture
def deadline(clock: ManualClock) -> Deadline:
    end = clock.now() + INVOCATION_S
    return Deadline(lambda: end - clock.now())


def lasted(clock: ManualClock, act: Callable[[], object]) -> float:
    began = clock.now()
    act()
    return clock.now() - began


def test_waits_are_longer_while_nothing_changes_and_short_again_after_progress(
    clock: ManualClock, deadline: Deadline
) -> None:
    pace = Pace(deadline)

    waits = [lasted(clock, pace.wait) for _ in range(8)]

    assert waits == pytest.approx([0.5, 0.75, 1.125, 1.6875, 2.53125, 3.796875, 5.0, 5.0])
    assert lasted(clock, lambda: pace.wait(progress=True)) == pytest.approx(0.5)
    assert lasted(clock, lambda: pace.wait(expected_s=20.0)) == pytest.approx(20.0)


def test_the_last_wait_ends_with_the_time_of_the_invocation_and_there_is_none_after_it(
    clock: ManualClock, deadline: Deadline
) -> None:
    pace, usable_s = Pace(deadline), INVOCATION_S - waiting.RESERVE_S

    assert lasted(clock, lambda: pace.wait(expected_s=2000.0)) == pytest.approx(usable_s)
    with pytest.raises(OutOfTime, match="30 s are left of this invocation"):
        pace.wait()


def test_a_pause_that_does_not_fit_into_the_invocation_is_not_begun(clock: ManualClock, deadline: Deadline) -> None:
    assert lasted(clock, lambda: deadline.pause(800.0)) == 800.0

    with pytest.raises(OutOfTime):
        deadline.pause(71.0)
    assert lasted(clock, lambda: deadline.within(60.0).pause(60.0)) == 60.0
    with pytest.raises(OutOfTime):
        deadline.within(60.0).pause(11.0)


@pytest.mark.parametrize(
    ("code", "seconds"), [("DependencyViolation", 600.0), ("AccessDenied", 0.0)], ids=["busy", "another"]
)
def test_a_change_that_aws_refuses_is_requested_for_ten_minutes_if_the_resource_may_be_busy(
    clock: ManualClock, deadline: Deadline, code: str, seconds: float
) -> None:
    checked: list[float] = []

    def refuse() -> None:
        raise ClientError({"Error": {"Code": code, "Message": "No."}}, "DeleteIpam")

    began = clock.now()
    with pytest.raises(ClientError, match=code):
        retry_while_busy(refuse, deadline, BUSY, lambda: checked.append(clock.now() - began))

    assert checked[-1] == pytest.approx(seconds, abs=5.0)


def test_a_call_that_aws_does_not_answer_is_not_repeated_and_its_error_is_raised(deadline: Deadline) -> None:
    def ask() -> None:
        raise ReadTimeoutError(endpoint_url="https://ec2.us-east-1.amazonaws.com")

    with pytest.raises(ReadTimeoutError):
        retry_while_busy(ask, deadline, BUSY, lambda: None)
