"""The responses to CloudFormation in all cases, and that no default of crhelper does harm."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from ctipam import waiting
from ctipam.cloudformation import custom_resource
from ctipam.cloudformation.custom_resource import CustomResource, Data, Responder
from ctipam.cloudformation.latecomers import LATECOMERS_S
from ctipam.cloudformation.request import ResourceRequest
from ctipam.errors import REASON_LIMIT, AwsFailed, OutOfTime, Refused
from in_process.function import HOUR, PHYSICAL_ID, STACK_ID, URL, Function
from landing_zone.direct_stack import Context


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


# The physical id never changes


def test_the_id_is_the_same_if_a_creation_succeeds_or_fails(function: Function) -> None:
    assert function.ask()["PhysicalResourceId"] == PHYSICAL_ID
    assert function.raising(Refused("No."))["PhysicalResourceId"] == PHYSICAL_ID


@pytest.mark.parametrize("kind", ["Update", "Delete"])
def test_an_update_or_a_delete_keeps_the_given_id_even_if_it_fails(function: Function, kind: str) -> None:
    given = {"PhysicalResourceId": "made-by-an-earlier-version"}
    assert function.ask(kind, **given)["PhysicalResourceId"] == "made-by-an-earlier-version"

    function.act = lambda request: {"Value": request.properties["Missing"]}
    answer = function.ask(kind, **given)

    status = "SUCCESS" if kind == "Delete" else "FAILED"
    assert (answer["Status"], answer["PhysicalResourceId"]) == (status, "made-by-an-earlier-version")


def test_the_id_stays_the_same_in_further_invocations(function: Function) -> None:
    function.act = ready_after(function, 20 * 60)

    assert function.ask("Update", PhysicalResourceId="made-before")["PhysicalResourceId"] == "made-before"


# What the handler learns


@pytest.mark.parametrize(
    ("sent", "old"),
    [({}, {}), ({"OldResourceProperties": {"Size": "20"}}, {"Size": "20"})],
    ids=["a Create", "an Update"],
)
def test_the_handler_gets_the_properties_and_those_of_before(
    function: Function, sent: dict[str, Any], old: dict[str, str]
) -> None:
    seen: list[Any] = []

    def act(request: ResourceRequest) -> Data:
        seen.append((request.properties, request.old_properties))
        return {}

    function.act = act
    function.ask("Update" if sent else "Create", ResourceProperties={"Size": "21"}, **sent)

    assert seen == [({"Size": "21"}, old)]


@pytest.mark.parametrize(
    ("code", "operation"),
    [
        ("AccessDenied", "GetRole"),
        ("ConcurrentModificationException", "DescribeOrganization"),
        # Longer than boto3's retries last: https://github.com/awslabs/aws-deployment-framework/issues/788
        ("TooManyRequestsException", "ListParents"),
    ],
    ids=["IAM does not know a new policy yet", "somebody else changes the organization", "others call AWS too often"],
)
def test_an_error_that_passes_by_itself_is_retried_for_a_minute(function: Function, code: str, operation: str) -> None:
    passing = ClientError({"Error": {"Code": code, "Message": "no"}}, operation)
    passes_at = function.clock.now() + 55

    def act(_: ResourceRequest) -> Data:
        if function.clock.now() < passes_at:
            raise passing
        return {}

    function.act = act

    assert function.ask()["Status"] == "SUCCESS"
    assert function.raising(passing)["Status"] == "FAILED"


def test_an_error_that_passes_by_itself_is_retried_in_the_next_invocation_if_this_one_ends(function: Function) -> None:
    """boto3 retries throttling for most of a minute, so a further attempt could last longer than Lambda lets it."""
    began = function.clock.now()
    throttled = ClientError({"Error": {"Code": "TooManyRequestsException", "Message": "no"}}, "ListParents")

    def act(_: ResourceRequest) -> Data:
        function.clock.advance(850 if function.clock.now() == began else 20)
        if function.clock.now() < began + 900:
            raise throttled
        return {}

    function.act = act

    assert function.ask()["Status"] == "SUCCESS"
    assert function.wire.counted["Invoke"] == 1


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
def test_the_response_to_a_failure_has_its_cause(function: Function, error: Exception, reason: str) -> None:
    answer = function.raising(error)

    assert (answer["Status"], answer["Reason"]) == ("FAILED", reason)


def test_a_long_reason_keeps_its_beginning(function: Function) -> None:
    reason = function.raising(Refused("The cause. " + "And more. " * 1000))["Reason"]

    assert reason.startswith("The cause. And more.")
    assert reason.endswith("...")
    assert len(reason) == REASON_LIMIT


# Time


def test_long_work_continues_in_the_next_invocation_and_gets_one_response(function: Function) -> None:
    function.act = ready_after(function, 40 * 60)

    answer = function.ask()

    assert (answer["Status"], answer["Data"]) == ("SUCCESS", {"Done": "yes"})
    assert function.wire.counted["Invoke"] == 2
    assert function.clock.now() < 45 * 60


def test_a_continued_request_keeps_all_its_properties_even_if_they_are_large(function: Function) -> None:
    seen = []

    def act(request: ResourceRequest) -> Data:
        seen.append((request.request_id, request.properties))
        if len(seen) < 3:
            raise OutOfTime("not yet")
        return {}

    function.act = act
    properties = {"Names": ["x" * 1000] * 100}  # an event rule of crhelper would accept at most 8192 characters

    assert function.ask(ResourceProperties=properties)["Status"] == "SUCCESS"
    assert seen == [("request-1", properties)] * 3


def test_a_rollback_that_never_ends_goes_on_without_its_work_and_an_update_fails(function: Function) -> None:
    resource = CustomResource(never_ready, None, lambda _request, error: {"Why": type(error).__name__})
    function.responder = Responder({"Custom::Thing": resource})
    began = function.clock.now()

    failed = function.ask("Update", PhysicalResourceId="made-before")
    function.wire.stacks[STACK_ID] = {"StackStatus": "UPDATE_ROLLBACK_IN_PROGRESS"}
    rolled_back = function.ask("Update", PhysicalResourceId="made-before")

    assert failed["Status"] == "FAILED"
    assert (rolled_back["Status"], rolled_back["Data"]) == ("SUCCESS", {"Why": "OutOfTime"})
    assert function.clock.now() - began < 2 * HOUR


def test_work_that_never_ends_gets_a_response_before_the_timeout_of_cloudformation(function: Function) -> None:
    function.act = never_ready

    answer = function.ask()

    assert answer["Status"] == "FAILED"
    assert "What was begun is kept; try again to go on from there." in answer["Reason"]
    assert HOUR - 5 * 60 < function.clock.now() < HOUR


@pytest.mark.parametrize("late_s", [0.0, 1200.0])
def test_a_request_that_arrives_late_still_ends_within_its_hour(function: Function, late_s: float) -> None:
    sent = datetime.fromtimestamp(function.clock.now(), UTC).strftime("%Y%m%dT%H%M%SZ")
    function.act = never_ready
    began = function.clock.now()
    function.clock.advance(late_s)

    answer = function.ask(ResponseURL=f"{URL}&X-Amz-Date={sent}&X-Amz-Expires=7200")

    assert answer["Status"] == "FAILED"
    assert function.clock.now() - began < HOUR


@pytest.mark.parametrize(("left_s", "continues"), [(waiting.RESERVE_S, False), (waiting.RESERVE_S + 1, True)])
def test_work_is_continued_only_while_another_invocation_would_have_time(
    function: Function, left_s: float, continues: bool
) -> None:
    function.act = never_ready
    event = function.request() | {"CtipamInvocation": {"number": 2, "until": function.clock.now() + left_s}}

    function.responder(event, Context(function.clock))

    assert bool(function.wire.invocations) is continues
    assert bool(function.cloudformation.answers) is not continues


def test_a_continuation_that_starts_too_late_changes_nothing(function: Function) -> None:
    """Lambda keeps an event for hours if it has no capacity to run it."""
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


def test_crhelper_creates_no_clients_and_does_not_take_lambda_for_a_local_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(boto3, "client", lambda *_, **__: pytest.fail("a client is created"))

    responder: Any = Responder({})

    assert not responder._init_failed
    assert not responder._sam_local
    assert "AWS_SAM_LOCAL" not in os.environ


def test_no_timer_of_crhelper_responds_before_the_handler(function: Function) -> None:
    running = set(threading.enumerate())

    def act(_: ResourceRequest) -> Data:
        assert set(threading.enumerate()) == running
        return {}

    function.act = act

    assert function.ask()["Status"] == "SUCCESS"


def test_the_response_to_a_delete_does_not_wait_for_logs(function: Function) -> None:
    function.ask("Delete", PhysicalResourceId=PHYSICAL_ID)

    assert function.clock.now() == LATECOMERS_S


def test_an_invocation_of_few_seconds_waits_for_changes_of_an_earlier_request_as_long_as_it_can(
    function: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("landing_zone.direct_stack.INVOCATION_S", waiting.RESERVE_S + 3)

    function.ask("Delete", PhysicalResourceId=PHYSICAL_ID)

    assert function.clock.now() == LATECOMERS_S
    assert function.wire.counted["Invoke"] == LATECOMERS_S // 3 - 1


# The response


def test_a_response_above_the_limit_of_cloudformation_becomes_a_failure_with_the_reason(function: Function) -> None:
    function.act = lambda _: {"Everything": "x" * 5000}

    answer = function.ask()

    assert answer["Status"] == "FAILED"
    assert "and CloudFormation reads 4096" in answer["Reason"]
    assert len(function.cloudformation.bodies[0]) <= custom_resource.RESPONSE_LIMIT
    assert answer["PhysicalResourceId"] == PHYSICAL_ID


@pytest.mark.parametrize("problem", [503, ConnectionResetError(), TimeoutError()], ids=str)
def test_a_response_that_does_not_arrive_is_sent_again(function: Function, problem: int | Exception) -> None:
    function.cloudformation.next = [problem, problem]
    began = function.clock.now()

    assert function.ask()["Status"] == "SUCCESS"
    assert function.clock.now() - began == 1 + 2


def test_the_function_fails_if_its_response_cannot_be_delivered_so_that_lambda_retries(
    function: Function, caplog: pytest.LogCaptureFixture
) -> None:
    function.cloudformation.next = [403] * custom_resource.ATTEMPTS

    with pytest.raises(RuntimeError, match="could not answer CloudFormation: HTTP 403") as error:
        function.ask()

    assert function.cloudformation.bodies == []
    assert "secret" not in str(error.value) + caplog.text
    assert function.clock.now() < 30
    assert function.ask()["Status"] == "SUCCESS"


def test_an_event_of_somebody_else_does_not_answer_the_request_that_is_in_progress(function: Function) -> None:
    """As the test event of Lambda's console."""
    function.ask()
    function.cloudformation.bodies.clear()

    with pytest.raises(Refused, match="serves CloudFormation only"):
        function.responder({"key1": "value1"}, Context(function.clock))

    assert function.cloudformation.bodies == []


# The log


def test_the_log_never_has_the_event_or_the_presigned_url(function: Function, caplog: pytest.LogCaptureFixture) -> None:
    function.act = ready_after(function, 20 * 60)
    function.ask()
    function.raising(Refused("No."))

    assert logging.getLogger().getEffectiveLevel() >= logging.INFO
    assert "secret" not in caplog.text
    assert "ResponseURL" not in caplog.text
    assert "Cannot remove" not in caplog.text
