"""What the events of a stack say: how a deletion goes on, and what failed first."""

from __future__ import annotations

from typing import Any

import pytest

from commands.stack_events import before_deletion, failure_text, first_failure, new_events, to_line

STACK_ID = "arn:aws:cloudformation:us-east-1:111111111111:stack/ipam/1"


def event(status: str, reason: str = "", **more: str) -> dict[str, Any]:
    plain = {"LogicalResourceId": "InitPools", "ResourceType": "Custom::InitPools", "ResourceStatus": status}
    reasons = {"ResourceStatusReason": reason} if reason else {}
    return plain | {"Timestamp": "2026-11-25T14:05:09.123Z", "EventId": status} | reasons | more


@pytest.mark.parametrize(
    ("status", "reason", "words"),
    [
        ("DELETE_COMPLETE", "", "delete done"),
        ("DELETE_IN_PROGRESS", "User Initiated", "delete in progress"),
        ("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", "", "update rollback complete cleanup in progress"),
        ("DELETE_FAILED", "in use", "delete failed"),
        ("DELETE_SKIPPED", "retained", "delete left in place"),
        ("DELETE_SKIPPED", "", "delete left in place"),
    ],
)
def test_an_event_is_a_line_with_a_reason_if_something_was_not_done(status: str, reason: str, words: str) -> None:
    end = f": {reason}" if reason in ("in use", "retained") else ""

    assert to_line(event(status, reason)) == f"14:05:09  {words}: InitPools (Custom::InitPools){end}"


def test_the_first_failure_is_of_the_resource_that_was_not_stopped_because_of_another() -> None:
    stopped = [event("CREATE_FAILED", f"Resource {what} cancelled") for what in ("creation", "update")]
    failure = event("UPDATE_FAILED", "no free /21")
    events = [event("CREATE_IN_PROGRESS"), *stopped, failure, event("CREATE_FAILED", "later")]

    assert first_failure(events) == failure
    assert failure_text(failure) == "InitPools (Custom::InitPools) is UPDATE_FAILED: no free /21"
    assert failure_text(event("CREATE_FAILED")).endswith(" is CREATE_FAILED: no reason given")
    assert first_failure([event("CREATE_FAILED")])
    assert first_failure([*events[:3], event("CREATE_COMPLETE")]) is None
    assert new_events(events[:3], ["CREATE_IN_PROGRESS"]) == stopped


def test_what_was_before_the_last_deletion_is_told_apart() -> None:
    began = event("DELETE_IN_PROGRESS", PhysicalResourceId=STACK_ID)
    of_resource = event("DELETE_IN_PROGRESS", PhysicalResourceId="InitPools")
    of_stack = event("DELETE_FAILED", PhysicalResourceId=STACK_ID)
    earlier = [event("CREATE_COMPLETE"), began, of_resource, of_stack]

    assert before_deletion([*earlier, began, of_resource, of_stack], STACK_ID) == earlier
    assert before_deletion([of_resource, of_stack], STACK_ID) == [], "the events do not reach back to where it began"
