"""The events of a stack: what is new, and why an operation failed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from commands.aws_cli import AwsCli

MOST_EVENTS = 200
"""How many of the newest events each call reads: more than a stack of this solution has between two calls."""

CANCELLED = ("Resource creation cancelled", "Resource update cancelled")
"""Reasons of resources that CloudFormation stopped because another one failed."""

WORDS = {"COMPLETE": "done", "SKIPPED": "left in place"}


def recent_events(aws: AwsCli, stack: str) -> list[dict[str, Any]]:
    """Return the newest events of the stack, oldest first. Raises AwsCliError.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStackEvents.html
    """
    options = ["--stack-name", stack, "--max-items", str(MOST_EVENTS)]
    answer = aws.ask("cloudformation", "describe-stack-events", *options)
    return [*reversed(answer.get("StackEvents", []))]


def new_events(events: Iterable[Mapping[str, Any]], seen: Iterable[str]) -> list[Mapping[str, Any]]:
    """Return the events whose ids are not among those seen."""
    known = set(seen)
    return [event for event in events if event["EventId"] not in known]


def before_deletion(events: Sequence[Mapping[str, Any]], stack_id: str) -> list[Mapping[str, Any]]:
    """Return the events of earlier operations; none if the events do not show where the deletion began.

    events   oldest first
    """
    began = [
        number
        for number, event in enumerate(events)
        if event["ResourceStatus"] == "DELETE_IN_PROGRESS" and event.get("PhysicalResourceId") == stack_id
    ]
    return [*events[: began[-1]]] if began else []


def first_failure(events: Iterable[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Return the event of the resource that failed first, None if none did.

    events   those of one operation, oldest first
    """
    for event in events:
        reason = event.get("ResourceStatusReason", "")
        if event["ResourceStatus"].endswith("_FAILED") and not reason.startswith(CANCELLED):
            return event
    return None


def failure_text(event: Mapping[str, Any]) -> str:
    """Return which resource failed, and why."""
    reason = event.get("ResourceStatusReason", "no reason given")
    return f"{event['LogicalResourceId']} ({event['ResourceType']}) is {event['ResourceStatus']}: {reason}"


def to_line(event: Mapping[str, Any]) -> str:
    """Return an event as a line: "14:05:09  delete done: InitPools (Custom::InitPools)"."""
    operation, _, outcome = event["ResourceStatus"].partition("_")
    time = event["Timestamp"].partition("T")[2][:8]
    words = f"{operation.lower()} {WORDS.get(outcome, outcome.lower().replace('_', ' '))}"
    line = f"{time}  {words}: {event['LogicalResourceId']} ({event['ResourceType']})"
    reason = event.get("ResourceStatusReason", "")
    return f"{line}: {reason}" if reason and outcome in ("FAILED", "SKIPPED") else line
