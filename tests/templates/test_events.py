"""Test that the rules send the lifecycle function the events that its code handles, and no others."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from checkers.template import Template
from ctipam.organization.events import (
    API_CALL,
    MEMBERSHIP_EVENTS,
    ORGANIZATIONS_CALLS,
    SERVICE_EVENT,
    STATUS_KEYS,
)
from in_process.lifecycle_events import ONE, called, lifecycle

TEMPLATE = Path(__file__).parents[2] / "templates/ipam-controltower-integration.template.yaml"


@pytest.fixture(scope="module")
def templates() -> list[Template]:
    return [Template.read(TEMPLATE)]


def is_sent(templates: list[Template], event: Mapping[str, Any]) -> bool:
    patterns = [rule.get("EventPattern") for _, rule in templates[0].of_type("AWS::Events::Rule")]
    return any(matches(pattern, event) for pattern in patterns if pattern)


def matches(pattern: Mapping[str, Any], event: Mapping[str, Any]) -> bool:
    """https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html"""
    return all(
        any(matches(one, event) for one in wanted)
        if name == "$or"
        else matches(wanted, event.get(name, {}))
        if isinstance(wanted, Mapping)
        else any(_accepts(one, event.get(name)) for one in wanted)
        for name, wanted in pattern.items()
    )


def _accepts(wanted: Any, value: object) -> bool:
    if isinstance(wanted, Mapping):
        assert wanted.keys() == {"exists"}, "what this operator means is not modelled here"
        return bool(wanted["exists"]) is (value is not None)
    return bool(wanted == value)


def of(event: Mapping[str, Any], **changed: str) -> dict[str, Any]:
    """Return the event with other values, for example of its source."""
    other = copy.deepcopy(dict(event))
    for name, value in changed.items():
        (other["detail"] if name == "errorCode" else other)[name.replace("_", "-")] = value
    return other


@pytest.mark.parametrize("name", sorted(STATUS_KEYS))
def test_what_control_tower_has_finished_is_sent_and_what_failed_is_not(templates: list[Template], name: str) -> None:
    event = lifecycle(name, ONE)

    assert is_sent(templates, event)
    assert not is_sent(templates, lifecycle(name, ONE, state="FAILED"))
    assert not is_sent(templates, of(event, source="aws.ec2"))
    assert not is_sent(templates, of(event, detail_type=API_CALL)), "it says only that the creation has started"
    assert not is_sent(templates, lifecycle("SetupLandingZone", ONE))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *((name, API_CALL) for name in sorted(ORGANIZATIONS_CALLS | MEMBERSHIP_EVENTS)),
        *((name, SERVICE_EVENT) for name in sorted(MEMBERSHIP_EVENTS)),
    ],
)
def test_what_changes_an_organization_is_sent_unless_it_was_refused(
    templates: list[Template], name: str, kind: str
) -> None:
    event = of(called(name, ONE), detail_type=kind)

    assert is_sent(templates, event)
    assert not is_sent(templates, of(event, errorCode="AccessDenied"))
    assert not is_sent(templates, of(event, source="aws.ec2"))
    assert not is_sent(templates, of(event, detail_type="AWS Console Sign In via CloudTrail"))
    assert not is_sent(templates, called("DescribeAccount", ONE))
