"""A request for which CloudFormation no longer waits stops without a response."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from aws_models.errors import AwsError
from ctipam.cloudformation.custom_resource import Data
from ctipam.cloudformation.request import ResourceRequest
from ctipam.errors import OutOfTime
from in_process.function import STACK_ID, URL, Function

CURRENT = {
    "Create": {"CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS"},
    "Update": {"UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS"},
}
STATUSES = sorted(
    {
        *CURRENT["Create"],
        *("CREATE_COMPLETE", "CREATE_FAILED", "ROLLBACK_IN_PROGRESS", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED"),
        *("UPDATE_COMPLETE", "UPDATE_FAILED", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE"),
        *("DELETE_IN_PROGRESS", "DELETE_COMPLETE", "DELETE_FAILED", "REVIEW_IN_PROGRESS", "IMPORT_IN_PROGRESS"),
    }
)


def set_status(function: Function, status: str) -> None:
    function.wire.stacks[STACK_ID] = {"StackStatus": status}


@pytest.mark.parametrize("kind", ["Create", "Update"])
def test_a_request_runs_only_if_the_stack_waits_for_a_request_of_its_type(function: Function, kind: str) -> None:
    acted: list[str] = []
    rollbacks: list[str] = []

    def act(request: ResourceRequest) -> Data:
        acted.append(request.stack_status)
        rollbacks.extend([request.stack_status] if request.is_rollback else [])
        return {}

    function.act = act
    answered = []
    for status in STATUSES:
        set_status(function, status)
        if function.send(function.request(kind) | {"PhysicalResourceId": "made-before"}):
            answered.append(status)

    assert acted == answered == sorted(CURRENT[kind])
    assert rollbacks == (["UPDATE_ROLLBACK_IN_PROGRESS"] if kind == "Update" else [])
    assert "Invoke" not in function.wire.counted


def test_a_delete_is_never_superseded(function: Function) -> None:
    function.act = lambda request: request.raise_if_superseded() or {}  # type: ignore[func-returns-value]
    for status in STATUSES:
        set_status(function, status)

        assert function.ask("Delete", PhysicalResourceId="made-before")["Status"] == "SUCCESS"
    assert "DescribeStacks" not in function.wire.counted


@pytest.mark.parametrize(
    ("kind", "then"),
    [
        ("Create", "ROLLBACK_IN_PROGRESS"),
        ("Create", "DELETE_IN_PROGRESS"),
        ("Update", "UPDATE_ROLLBACK_IN_PROGRESS"),
        ("Update", "DELETE_IN_PROGRESS"),
    ],
)
def test_a_request_stops_when_the_stack_no_longer_waits_for_it(function: Function, kind: str, then: str) -> None:
    rounds = []

    def act(request: ResourceRequest) -> Data:
        while True:
            request.raise_if_superseded()
            rounds.append(function.clock.now())
            request.deadline.pause(1)
            if function.clock.now() == 100:
                set_status(function, then)

    function.act = act

    assert function.send(function.request(kind) | {"PhysicalResourceId": "made-before"}) == []
    assert 95 <= rounds[-1] < 106
    assert function.wire.counted["DescribeStacks"] < 25
    assert "Invoke" not in function.wire.counted


def test_a_superseded_request_stops_when_it_continues_in_another_invocation(function: Function) -> None:
    """An update and its rollback both send Update. Only the stack status at the beginning distinguishes them."""
    statuses = []

    def act(request: ResourceRequest) -> Data:
        statuses.append(request.stack_status)
        if len(statuses) == 2:
            set_status(function, "UPDATE_ROLLBACK_IN_PROGRESS")
        raise OutOfTime("not yet")

    function.act = act

    assert function.send(function.request("Update") | {"PhysicalResourceId": "made-before"}) == []
    assert statuses == ["UPDATE_IN_PROGRESS"] * 2


@pytest.mark.parametrize("code", ["AccessDenied", "Throttling", "InternalFailure"])
def test_a_request_continues_if_the_stack_status_cannot_be_read(function: Function, code: str) -> None:
    statuses = []

    def act(request: ResourceRequest) -> Data:
        statuses.append(request.stack_status)
        function.wire.refuse("DescribeStacks", AwsError(code, "No."))
        request.raise_if_superseded()
        if len(statuses) < 2:
            raise OutOfTime("not yet")
        return {}

    function.act = act
    function.wire.refuse("DescribeStacks", AwsError(code, "No."))

    assert function.ask("Update", PhysicalResourceId="made-before")["Status"] == "SUCCESS"
    assert statuses == ["", ""]


@pytest.mark.parametrize("kind", ["Create", "Update"])
def test_a_request_of_an_earlier_update_stops_that_lambda_delivers_during_a_later_one(
    function: Function, kind: str
) -> None:
    """Lambda invokes a function again that was killed, or could not answer, and delivers some events twice, or late.
    The stack has the status that it had when the request was sent."""
    acted = []
    function.act = lambda request: acted.append(request.request_id) or {}  # type: ignore[func-returns-value]
    begins_update(function)
    function.clock.advance(2)
    request = sent_now(function, kind)

    assert function.send(request)
    function.clock.advance(300)
    begins_update(function)
    function.clock.advance(2)

    assert function.send(request) == []
    assert len(acted) == 1


def test_a_request_that_continues_is_answered_even_if_aws_changes_the_time_of_the_last_update(
    function: Function,
) -> None:
    """AWS does not document what changes it, for example termination protection that is switched on meanwhile."""
    invocations = []

    def act(request: ResourceRequest) -> Data:
        invocations.append(request)
        if len(invocations) < 2:
            function.clock.advance(300)
            begins_update(function)
            raise OutOfTime("not yet")
        return {}

    function.act = act
    begins_update(function)

    assert [answer["Status"] for answer in function.send(sent_now(function, "Update"))] == ["SUCCESS"]


def test_a_request_is_answered_even_if_the_clock_of_the_function_is_late(function: Function) -> None:
    function.clock.advance(60)
    begins_update(function)
    request = sent_now(function, "Update")
    function.clock.advance(-30)

    assert [answer["Status"] for answer in function.send(request)] == ["SUCCESS"]


def sent_now(function: Function, kind: str) -> dict[str, Any]:
    sent = datetime.fromtimestamp(function.clock.now(), UTC).strftime("%Y%m%dT%H%M%SZ")
    return function.request(kind) | {"PhysicalResourceId": "made-before", "ResponseURL": f"{URL}&X-Amz-Date={sent}"}


def begins_update(function: Function) -> None:
    began = datetime.fromtimestamp(function.clock.now(), UTC)
    function.wire.stacks[STACK_ID] = {"StackStatus": "UPDATE_IN_PROGRESS", "LastUpdatedTime": began}


def test_a_superseded_request_is_logged(function: Function, caplog: pytest.LogCaptureFixture) -> None:
    set_status(function, "ROLLBACK_IN_PROGRESS")

    function.send(function.request("Create"))

    (line,) = [record for record in caplog.records if record.msg == "stopped without an answer"]
    assert vars(line)["reason"] == "The stack is ROLLBACK_IN_PROGRESS and no longer waits for this Create."


@pytest.mark.parametrize("fails", [True, False])
def test_a_superseded_request_that_ends_sends_no_response(function: Function, fails: bool) -> None:
    def act(request: ResourceRequest) -> Data:
        set_status(function, "ROLLBACK_IN_PROGRESS")
        function.clock.advance(6)
        if fails:
            raise KeyError("what the successor has deleted")
        return {}

    function.act = act

    assert function.send(function.request("Create")) == []
