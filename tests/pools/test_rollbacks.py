"""Custom::InitPools and Custom::Ipam: an update that is rolled back, and removals that fail late.

A rollback that fails leaves the stack in UPDATE_ROLLBACK_FAILED, so it must succeed whatever happened meanwhile.
"""

from __future__ import annotations

import logging
from typing import Any

import pytest

from aws_models.errors import AwsError
from landing_zone.direct_stack import BUILT, PROPERTIES, STACK_ID, DirectStack

WITH_IRELAND = PROPERTIES | {"RegionSelection": ["us-west-2", "us-east-1", "eu-west-1"]}
WITHOUT_WEST = PROPERTIES | {"RegionSelection": ["us-east-1"]}
DENIED = AwsError("UnauthorizedOperation", "You are not authorized, with an explicit deny in a service control policy.")
TOPIC = "arn:aws:sns:us-east-1:222222222222:alarms"


def rolled_back(stack: DirectStack, resource: str, properties: dict[str, Any]) -> dict[str, Any]:
    """The answer to the Update with which CloudFormation undoes an update."""
    stack.wire.stacks[STACK_ID] = {"StackStatus": "UPDATE_ROLLBACK_IN_PROGRESS"}
    return stack.ask("Update", resource, properties)


def kept(caplog: pytest.LogCaptureFixture) -> list[str]:
    (what,) = [vars(record)["what"] for record in caplog.records if record.message == "kept what could not be removed"]
    return list(what)


def test_a_rollback_keeps_a_new_pool_that_is_in_use_and_reports_it(
    built: DirectStack, caplog: pytest.LogCaptureFixture
) -> None:
    assert built.ask("Update", "InitPools", WITH_IRELAND)["Status"] == "SUCCESS"
    vpc_id = built.make_vpc("eu-west-1", "Prod OU", length=16)

    with caplog.at_level(logging.INFO, "ctipam"):
        answer = rolled_back(built, "InitPools", PROPERTIES | {"TopicArn": TOPIC})

    assert answer["Status"] == "SUCCESS", answer["Reason"]
    (sentence,) = kept(caplog)
    assert f"eu-west-1/Prod OU holds {vpc_id}" in sentence
    assert set(built.pools()) == {*BUILT, "eu-west-1", "eu-west-1 Prod OU"}
    (message,) = built.wire.published
    assert message["TopicArn"] == TOPIC
    assert vpc_id in message["Message"]


def test_a_rollback_of_the_ipam_passes_although_a_region_has_been_denied_since(built: DirectStack) -> None:
    built.ask("Create", "Ipam", PROPERTIES)
    built.wire.unusable["us-west-2"] = DENIED

    assert built.ask("Update", "Ipam", PROPERTIES)["Status"] == "FAILED"
    assert rolled_back(built, "Ipam", PROPERTIES)["Status"] == "SUCCESS"


def test_a_removal_that_fails_late_is_reported_and_everything_else_is_done(
    built: DirectStack, caplog: pytest.LogCaptureFixture
) -> None:
    """The Region cannot be read any more, so only AWS knows that a VPC is in its pool."""
    built.make_vpc("us-west-2", "Prod OU", length=16)
    built.wire.unusable["us-west-2"] = DENIED

    with caplog.at_level(logging.INFO, "ctipam"):
        answer = built.ask("Update", "InitPools", WITHOUT_WEST)

    assert answer["Status"] == "SUCCESS", answer["Reason"]
    (sentence,) = kept(caplog)
    assert sentence.startswith("AWS could not take 10.0.0.0/12 from the pool of us-west-2/Prod OU: ")
    assert set(built.pools()) == set(BUILT) - {"us-west-2 SDLC OU"}
