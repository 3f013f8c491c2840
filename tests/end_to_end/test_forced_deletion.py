"""A deletion without the execution role ends, the stack is force-deleted, and the next deployment recovers everything.

In this order, on one engine.
"""

from __future__ import annotations

from typing import Any

import pytest

from landing_zone import deployment, permissions, reading, release
from landing_zone.company import APPS, MANAGEMENT, NETWORKING
from landing_zone.engine import Engine
from landing_zone.inbox import Inbox


def create(engine: Engine, made: release.Release) -> str:
    return deployment.apply(engine, "create-stack", template=made.template, **made.parameters)


def events(engine: Engine, stack_id: str) -> dict[str, str]:
    """Return the last status of each resource of the management account's stack."""
    newest_first = engine.client("cloudformation", MANAGEMENT).describe_stack_events(StackName=stack_id)["StackEvents"]
    return {event["LogicalResourceId"]: event["ResourceStatus"] for event in reversed(newest_first)}


def stacks(engine: Engine, account_id: str) -> list[Any]:
    found: list[Any] = engine.client("cloudformation", account_id).describe_stacks()["Stacks"]
    return found


@pytest.fixture(scope="module")
def hurried(uploaded: Engine, tmp_path_factory: pytest.TempPathFactory) -> release.Release:
    """Upload a release whose setup goes on in further invocations."""
    made = release.make(tmp_path_factory.mktemp("release"), "1.0.0-hurried", short_of_time=True)
    release.upload(uploaded, made)
    return made


@pytest.fixture(scope="module")
def built(uploaded: Engine, hurried: release.Release) -> dict[str, str]:
    """Deploy; return the ids of the pools, by name."""
    status = create(uploaded, hurried)
    assert status == "CREATE_COMPLETE", deployment.failures(uploaded)
    reading.eventually(lambda: reading.shares(uploaded, APPS))
    return reading.pool_ids(uploaded)


def test_a_deletion_without_the_execution_role_ends_and_says_why(uploaded: Engine, built: dict[str, str]) -> None:
    (topic,) = uploaded.client("sns", MANAGEMENT).list_topics()["Topics"]
    inbox = Inbox(uploaded, MANAGEMENT, topic["TopicArn"])
    roles = permissions.roles(uploaded)
    (stack,) = stacks(uploaded, MANAGEMENT)
    uploaded.remove_execution_role(NETWORKING)

    status = deployment.delete(uploaded)

    assert status == "DELETE_FAILED"  # CloudFormation itself cannot delete the StackSet's stack without the role
    last = events(uploaded, stack["StackId"])
    failed = {name for name, state in last.items() if state == "DELETE_FAILED"} - {stack["StackName"]}
    assert failed == {"NetworkingStackSet"}
    assert last["ShareExistingAccounts"] == "DELETE_COMPLETE"
    assert "AWSControlTowerExecution" in inbox.next()
    assert permissions.unused_for_recovery(uploaded, roles, "SharingRole") == []
    assert reading.pool_ids(uploaded) == built


def test_a_forced_deletion_leaves_the_stack_set_and_the_pools(uploaded: Engine, built: dict[str, str]) -> None:
    status = deployment.delete(uploaded, force=True)

    assert status == "DELETE_COMPLETE", deployment.failures(uploaded)
    assert stacks(uploaded, MANAGEMENT) == []
    assert len(stacks(uploaded, NETWORKING)) == 1
    assert reading.pool_ids(uploaded) == built


def test_a_new_deployment_of_the_same_name_recovers_everything(
    uploaded: Engine, hurried: release.Release, built: dict[str, str]
) -> None:
    (earlier,) = stacks(uploaded, NETWORKING)
    uploaded.make_execution_role(NETWORKING)

    status = create(uploaded, hurried)

    assert status == "CREATE_COMPLETE", deployment.failures(uploaded)
    assert reading.pool_ids(uploaded) == built
    (now,) = stacks(uploaded, NETWORKING)
    assert now["StackId"] != earlier["StackId"]
    assert {pool.tags["ctipam:stack-id"] for pool in reading.pools(uploaded)} == {now["StackId"]}
    assert reading.left_over(uploaded)["IPAMs"] == 1
    assert permissions.unused_for_recovery(uploaded, permissions.roles(uploaded), "OrganizationSetupRole") == []
    assert [share.pools for share in reading.shares(uploaded, APPS)] == [["us-east-1 SDLC OU", "us-west-2 SDLC OU"]]


def test_then_a_deletion_leaves_nothing(uploaded: Engine, built: dict[str, str]) -> None:
    status = deployment.delete(uploaded)

    assert built
    assert status == "DELETE_COMPLETE", deployment.failures(uploaded)
    assert set(reading.left_over(uploaded).values()) == {0}, reading.left_over(uploaded)
