"""A Delete deletes what it can, reports what is left, and always succeeds."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from aws_models.errors import AwsError
from ctipam.cloudformation import leftovers
from ctipam.cloudformation.custom_resource import Data
from ctipam.cloudformation.request import ResourceRequest
from ctipam.errors import AwsFailed, OutOfTime, Refused
from ctipam.messages import Message, ascii_title
from in_process.function import HOUR, STACK_ID, Function
from landing_zone.subjects import check_subject

TOPIC = "arn:aws:sns:us-east-1:111111111111:alarms"
LEFT = ["us-west-2/Prod OU was left, because vpc-1 uses it.", "The IPAM was left, because it has pools."]


def aws_error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "AWS has its reasons."}}, "DeleteIpamPool")


def failing(function: Function, error: Exception, times: int = 1_000_000) -> list[float]:
    """Make the first deletions fail. Return the list of the times of all attempts, in seconds."""
    attempts: list[float] = []

    def act(_: ResourceRequest) -> Data:
        attempts.append(function.clock.now())
        if len(attempts) <= times:
            raise error
        return {}

    function.act = act
    return attempts


def delete(function: Function, **properties: str) -> dict[str, Any]:
    return function.ask("Delete", PhysicalResourceId="made-before", ResourceProperties=properties)


def reported(caplog: pytest.LogCaptureFixture) -> list[str]:
    (line,) = [record for record in caplog.records if record.msg == "left behind"]
    left: list[str] = vars(line)["what"]
    return left


@pytest.fixture(autouse=True)
def _log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


# Errors are retried


def since_the_first(attempts: list[float]) -> list[float]:
    """Return after how many seconds each attempt began."""
    return [attempt - attempts[0] for attempt in attempts]


TEMPORARY = [
    aws_error("InternalError"),
    aws_error("IncorrectState"),
    AwsFailed("AWS could not delete the pool."),
    EndpointConnectionError(endpoint_url="https://ec2.us-east-1.amazonaws.com"),
]
PERMANENT = [aws_error("UnauthorizedOperation"), Refused("The role is gone."), KeyError("ScopeId")]


@pytest.mark.parametrize("error", [*TEMPORARY, *PERMANENT], ids=repr)
def test_a_deletion_that_succeeds_after_errors_leaves_nothing_behind(
    function: Function, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    attempts = failing(function, error, times=3)

    assert delete(function, TopicArn=TOPIC)["Status"] == "SUCCESS"
    assert since_the_first(attempts) == [0, 5, 20, 80 if error in TEMPORARY else 60]
    assert function.wire.published == []
    assert "left behind" not in caplog.text


@pytest.mark.parametrize("error", TEMPORARY, ids=repr)
def test_a_temporary_error_is_retried_across_invocations_until_the_time_is_up(
    function: Function, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    attempts = failing(function, error)

    assert delete(function)["Status"] == "SUCCESS"
    assert HOUR - 5 * 60 < function.clock.now() < HOUR
    assert max(later - earlier for earlier, later in pairwise(attempts)) <= 60 + 30
    (left,) = reported(caplog)
    assert left.startswith("The time was up before everything was deleted: ")
    assert str(error).rpartition(": ")[2] in left


@pytest.mark.parametrize("error", PERMANENT, ids=repr)
def test_a_permanent_error_is_retried_for_a_minute(
    function: Function, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    attempts = failing(function, error)

    assert delete(function)["Status"] == "SUCCESS"
    assert since_the_first(attempts) == [0, 5, 20, 60]
    assert "Invoke" not in function.wire.counted
    (left,) = reported(caplog)
    assert left.startswith("Not everything was deleted: ")


def test_a_denial_after_other_errors_is_retried_for_a_minute(function: Function) -> None:
    attempts: list[float] = []

    def act(_: ResourceRequest) -> Data:
        attempts.append(function.clock.now())
        raise aws_error("InternalError" if len(attempts) < 6 else "AccessDenied")

    function.act = act

    assert delete(function)["Status"] == "SUCCESS"
    assert function.clock.now() - attempts[5] == 60


def test_a_long_deletion_continues_in_the_next_invocation_and_reports_what_is_left(
    function: Function, caplog: pytest.LogCaptureFixture
) -> None:
    function.act = lambda request: request.deadline.pause(20 * 60) or {}  # type: ignore[func-returns-value]

    assert delete(function)["Status"] == "SUCCESS"
    assert function.wire.counted["Invoke"] > 0
    assert reported(caplog)[0].startswith("The time was up before everything was deleted: ")


def test_a_deletion_succeeds_even_if_it_cannot_continue(function: Function, caplog: pytest.LogCaptureFixture) -> None:
    def act(_: ResourceRequest) -> Data:
        raise OutOfTime("not yet")

    function.act = act
    function.wire.refuse("Invoke", AwsError("AccessDeniedException", "No."))

    assert delete(function)["Status"] == "SUCCESS"
    assert "Invoke" in reported(caplog)[0]


def test_deleting_an_unknown_resource_type_succeeds(function: Function) -> None:
    answer = function.ask("Delete", PhysicalResourceId="made-before", ResourceType="Custom::Other")

    assert answer["Status"] == "SUCCESS"


# Leftovers are reported


def test_leftovers_are_logged_and_published_to_the_topic_in_one_message(
    function: Function, caplog: pytest.LogCaptureFixture
) -> None:
    function.left = LEFT

    assert delete(function, TopicArn=TOPIC)["Status"] == "SUCCESS"

    assert reported(caplog) == LEFT
    (message,) = function.wire.published
    assert message["TopicArn"] == TOPIC
    assert message["Subject"] == "Left behind by the deletion of stack networking"
    assert all(sentence in message["Message"] for sentence in LEFT)
    assert "deploy the solution again" in message["Message"]
    assert STACK_ID in message["Message"]


def test_leftovers_are_only_logged_if_there_is_no_topic(function: Function, caplog: pytest.LogCaptureFixture) -> None:
    function.left = LEFT

    delete(function)

    assert reported(caplog) == LEFT
    assert function.wire.published == []


@pytest.mark.parametrize("code", ["NotFound", "AuthorizationError"])
def test_a_topic_that_cannot_be_used_does_not_change_the_response(
    function: Function, caplog: pytest.LogCaptureFixture, code: str
) -> None:
    function.left = LEFT
    function.wire.refuse("Publish", AwsError(code, "No topic."))

    assert delete(function, TopicArn=TOPIC)["Status"] == "SUCCESS"
    assert "could not publish what was left behind" in caplog.text


def test_a_message_about_many_leftovers_fits_the_limit_of_sns() -> None:
    left = [f"Pool {number} was left, because {'ü' * 1000} uses it." for number in range(1000)]

    text = leftovers.message(STACK_ID, "Custom::InitPools", left).text
    _, listed, what_to_do = text.split("\n\n")
    *lines, last = listed.splitlines()

    assert 128 * 1024 < len(text.encode()) < 256 * 1024
    assert lines == [f"- {sentence}" for sentence in left[: len(lines)]]
    assert last == f"- and {len(left) - len(lines)} more, which the function's log lists."
    assert what_to_do.startswith("What to do:")


def test_the_log_lists_all_of_many_leftovers_in_lines_that_cloudwatch_does_not_cut(
    function: Function, caplog: pytest.LogCaptureFixture
) -> None:
    function.left = [f"Pool {number} was left, because {'ü' * 1000} uses it." for number in range(1000)]

    delete(function)

    lines = [vars(record)["what"] for record in caplog.records if record.msg == "left behind"]
    assert [sentence for line in lines for sentence in line] == function.left
    assert max(len(json.dumps(line)) for line in lines) < 250 * 1024
    assert len(lines) < 40


@pytest.mark.parametrize(
    ("write", "title"),
    [
        (lambda: leftovers.message(STACK_ID, "Custom::InitPools", LEFT), "Left behind by the deletion of stack"),
        (lambda: leftovers.message_of_update(STACK_ID, LEFT), "Not removed by the update of stack"),
    ],
    ids=["left by a deletion", "kept by an update"],
)
def test_a_message_says_in_three_paragraphs_what_happened_what_is_left_and_what_to_do(
    write: Callable[[], Message], title: str
) -> None:
    message = write()
    happened, left, what_to_do = message.text.split("\n\n")

    assert message.title == f"{title} networking"
    assert STACK_ID in happened
    assert left.splitlines() == [f"- {sentence}" for sentence in LEFT]
    assert what_to_do.startswith("What to do: delete what is in use")


def test_the_title_is_valid_for_sns_and_is_cut_only_if_it_must_be() -> None:
    assert ascii_title("a" * 99) == "a" * 99
    assert ascii_title("a" * 100) == "a" * 96 + "..."
    assert ascii_title("für\n") == "f?r?"
    check_subject(ascii_title("ü\n" * 100))
    for refused in ("a" * 100, "two\nlines"):
        with pytest.raises(AwsError):
            check_subject(refused)


def test_the_response_stays_small_if_there_are_many_leftovers(function: Function) -> None:
    function.left = LEFT * 1000

    assert len(json.dumps(delete(function))) < 1000
