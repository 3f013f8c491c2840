"""What CloudFormation is answered, whatever happens; and that crhelper's habits do no harm."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from ctipam.cloudformation import custom_resource
from ctipam.cloudformation.custom_resource import Data
from ctipam.cloudformation.request import ResourceRequest
from ctipam.errors import REASON_LIMIT, AwsFailed, OutOfTime, Refused
from in_process.function import HOUR, PHYSICAL_ID, URL, Function


def never_ready(request: ResourceRequest) -> Data:
    while True:
        request.deadline.pause(60)


def ready_after(function: Function, seconds: float) -> Callable[[ResourceRequest], Data]:
    until = function.clock.now() + seconds

    def act(request: ResourceRequest) -> Data:
        while function.clock.now() < until:
            request.deadline.pause(60)
        return {"Done": "yes"}

    return act


# The id, for ever the same


def test_the_id_is_the_same_for_a_creation_that_succeeds_fails_or_is_repeated(function: Function) -> None:
    assert function.ask()["PhysicalResourceId"] == PHYSICAL_ID
    assert function.raising(Refused("No."))["PhysicalResourceId"] == PHYSICAL_ID


@pytest.mark.parametrize("kind", ["Update", "Delete"])
def test_an_update_or_a_delete_keeps_the_id_that_it_was_given_also_when_it_fails(function: Function, kind: str) -> None:
    given = {"PhysicalResourceId": "made-by-an-earlier-version"}
    assert function.ask(kind, **given)["PhysicalResourceId"] == "made-by-an-earlier-version"

    function.act = lambda request: {"Value": request.properties["Missing"]}
    answer = function.ask(kind, **given)

    status = "SUCCESS" if kind == "Delete" else "FAILED"
    assert (answer["Status"], answer["PhysicalResourceId"]) == (status, "made-by-an-earlier-version")


def test_the_id_stays_through_continuations(function: Function) -> None:
    function.act = ready_after(function, 20 * 60)

    assert function.ask("Update", PhysicalResourceId="made-before")["PhysicalResourceId"] == "made-before"


# The reason


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (Refused("TopLevelPoolCidr is wrong."), "TopLevelPoolCidr is wrong."),
        (AwsFailed("AWS could not."), "AWS could not."),
        (KeyError("ScopeId"), "KeyError: 'ScopeId'. See the function's log."),
        (Refused("Two\n  lines"), "Two lines"),
    ],
)
def test_a_failure_is_answered_with_its_cause(function: Function, error: Exception, reason: str) -> None:
    answer = function.raising(error)

    assert (answer["Status"], answer["Reason"]) == ("FAILED", reason)


def test_a_long_reason_keeps_its_beginning(function: Function) -> None:
    reason = function.raising(Refused("The cause. " + "And more. " * 1000))["Reason"]

    assert reason.startswith("The cause. And more.")
    assert reason.endswith("...")
    assert len(reason) == REASON_LIMIT


# Time


def test_work_that_takes_longer_than_an_invocation_goes_on_in_the_next_and_is_answered_once(function: Function) -> None:
    function.act = ready_after(function, 40 * 60)

    answer = function.ask()

    assert (answer["Status"], answer["Data"]) == ("SUCCESS", {"Done": "yes"})
    assert function.wire.counted["Invoke"] == 2
    assert function.clock.now() < 45 * 60


def test_the_same_request_goes_on_with_all_its_properties_however_large(function: Function) -> None:
    seen = []

    def act(request: ResourceRequest) -> Data:
        seen.append((request.request_id, request.properties))
        if len(seen) < 3:
            raise OutOfTime("not yet")
        return {}

    function.act = act
    properties = {"Names": ["x" * 1000] * 100}  # crhelper's schedule would take 8192 characters

    assert function.ask(ResourceProperties=properties)["Status"] == "SUCCESS"
    assert seen == [("request-1", properties)] * 3


def test_work_that_never_ends_is_answered_before_cloudformation_gives_up(function: Function) -> None:
    function.act = never_ready

    answer = function.ask()

    assert answer["Status"] == "FAILED"
    assert "What was begun is kept; try again to go on from there." in answer["Reason"]
    assert HOUR - 5 * 60 < function.clock.now() < HOUR


@pytest.mark.parametrize("late_s", [0.0, 1200.0])
def test_a_request_that_is_delivered_late_or_again_still_ends_within_its_hour(
    function: Function, late_s: float
) -> None:
    sent = datetime.fromtimestamp(function.clock.now(), UTC).strftime("%Y%m%dT%H%M%SZ")
    function.act = never_ready
    began = function.clock.now()
    function.clock.advance(late_s)

    answer = function.ask(ResponseURL=f"{URL}&X-Amz-Date={sent}&X-Amz-Expires=7200")

    assert answer["Status"] == "FAILED"
    assert function.clock.now() - began < HOUR


def test_a_continuation_that_comes_too_late_changes_nothing_more(function: Function) -> None:
    """Lambda keeps an event for hours when it has no room to run it."""
    acted = []

    def act(request: ResourceRequest) -> Data:
        request.deadline.pause(0.1)
        acted.append(request)
        return {}

    function.act = act
    function.clock.advance(2 * HOUR)

    answer = function.ask(CtipamInvocation={"number": 2, "until": HOUR})

    assert answer["Status"] == "FAILED"
    assert not acted


def test_no_timer_answers_in_the_place_of_the_handler(function: Function) -> None:
    running = set(threading.enumerate())

    def act(_: ResourceRequest) -> Data:
        assert set(threading.enumerate()) == running
        return {}

    function.act = act

    assert function.ask()["Status"] == "SUCCESS"


def test_a_delete_is_answered_without_waiting_for_logs(function: Function) -> None:
    function.ask("Delete", PhysicalResourceId=PHYSICAL_ID)

    assert function.clock.now() == 0


# The answer


def test_an_answer_that_cloudformation_would_not_read_is_a_failure_that_says_so(function: Function) -> None:
    function.act = lambda _: {"Everything": "x" * 5000}

    answer = function.ask()

    assert answer["Status"] == "FAILED"
    assert "and CloudFormation reads 4096" in answer["Reason"]
    assert len(function.cloudformation.bodies[0]) <= custom_resource.ANSWER_LIMIT
    assert answer["PhysicalResourceId"] == PHYSICAL_ID


@pytest.mark.parametrize("trouble", [503, ConnectionResetError(), TimeoutError()], ids=str)
def test_an_answer_that_does_not_arrive_is_sent_again(function: Function, trouble: int | Exception) -> None:
    function.cloudformation.next = [trouble, trouble]

    assert function.ask()["Status"] == "SUCCESS"


def test_an_answer_that_cannot_be_delivered_is_an_error_of_the_function_so_that_lambda_invokes_again(
    function: Function, caplog: pytest.LogCaptureFixture
) -> None:
    function.cloudformation.next = [403] * custom_resource.ATTEMPTS

    with pytest.raises(RuntimeError, match="could not answer CloudFormation: HTTP 403") as error:
        function.ask()

    assert function.cloudformation.bodies == []
    assert "secret" not in str(error.value) + caplog.text
    assert function.clock.now() < 30
    assert function.ask()["Status"] == "SUCCESS"


# The log


def test_the_log_never_has_the_event_or_the_presigned_url(function: Function, caplog: pytest.LogCaptureFixture) -> None:
    function.act = ready_after(function, 20 * 60)
    function.ask()
    function.raising(Refused("No."))

    assert logging.getLogger().getEffectiveLevel() >= logging.INFO
    assert "secret" not in caplog.text
    assert "ResponseURL" not in caplog.text
    assert "Cannot remove" not in caplog.text
