"""Somebody has deleted the StackSet and kept its stack: an update fails for good, and `make undo` leads out of it.

In this order, on one engine.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from commands import aws_cli, stack_options
from commands import undo as commands_undo
from landing_zone import deployment, reading
from landing_zone.cli import AwsCli
from landing_zone.company import APPS, HOME_REGION, MANAGEMENT, NETWORKING, STACK
from landing_zone.engine import Engine
from landing_zone.fork_server import ForkServer, command_at

ROOT = Path(__file__).parents[2]
Undo = Callable[..., bool]

STACK_SET = ("--stack-set-name", f"{STACK}-networking")


@pytest.fixture
def undo(deployed: Engine, address: str, server: ForkServer) -> Undo:
    """Do what make undo does, with words such as "dry=yes". Return whether it succeeded."""
    aws = aws_cli.AwsCli([*command_at(address), "-m", "awscli"], ROOT, deployed.environment(MANAGEMENT))

    def undone(*words: str) -> bool:
        return commands_undo.undo(
            stack_options.read("undo", words), aws, lambda _: deployed.wait_for_stack(MANAGEMENT, STACK, 1)
        )

    return undone


@pytest.fixture(scope="module")
def orphan(deployed: Engine) -> str:
    """Delete the StackSet, as somebody may do in the console. Return the name of the stack that is kept."""
    deployed.vend(APPS, "apps", "SDLC OU")
    reading.eventually(lambda: reading.shares(deployed, APPS))
    management = AwsCli(deployed, MANAGEMENT)
    place = ("--accounts", NETWORKING, "--regions", HOME_REGION)
    management.run("cloudformation", "delete-stack-instances", *STACK_SET, *place, "--retain-stacks")
    reading.eventually(lambda: not management.ask("cloudformation", "list-stack-instances", *STACK_SET)["Summaries"])
    reading.eventually(lambda: _is_deleted(management))
    (stack,) = deployed.client("cloudformation", NETWORKING).describe_stacks()["Stacks"]
    return str(stack["StackName"])


def _is_deleted(management: AwsCli) -> bool:
    management.run("cloudformation", "delete-stack-set", *STACK_SET)
    return True


def test_an_update_fails_and_so_does_its_rollback(deployed: Engine, orphan: str) -> None:
    status = deployment.apply(deployed, "update-stack", AccPoolPrefixLength="22")

    assert status == "UPDATE_ROLLBACK_FAILED", deployment.failures(deployed)
    assert any("not found" in failure for failure in deployment.failures(deployed))


def test_undo_names_the_stack_that_it_cannot_delete_and_deletes_the_rest(
    deployed: Engine, orphan: str, undo: Undo, capfd: pytest.CaptureFixture[str]
) -> None:
    before = reading.pool_ids(deployed)

    assert undo("dry=yes")
    assert f"  Stays: 7 pools of stack {orphan} in account {NETWORKING}" in capfd.readouterr().out
    assert undo("yes=yes")

    assert f"delete-stack --region {HOME_REGION} --stack-name {orphan}" in capfd.readouterr().out.splitlines()[-1]
    assert reading.shares(deployed, APPS) == []
    assert reading.pool_ids(deployed) == before


def test_with_that_stack_deleted_by_hand_a_deployment_builds_everything_again(deployed: Engine, orphan: str) -> None:
    networking: Any = deployed.client("cloudformation", NETWORKING)
    AwsCli(deployed, NETWORKING).run("cloudformation", "delete-stack", "--stack-name", orphan)
    reading.eventually(lambda: not networking.describe_stacks()["Stacks"])
    assert reading.left_over(deployed)["pools"] == 0

    status = deployment.apply(deployed, "create-stack")

    assert status == "CREATE_COMPLETE", deployment.failures(deployed)
    assert reading.shares(deployed, APPS)
