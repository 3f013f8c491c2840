"""Deploying as a user does: upload two folders, `aws cloudformation deploy`, and later delete the stack."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from landing_zone.cli import ROOT, AwsCli, AwsCliFailed
from landing_zone.company import BUCKET, HOME_REGION, MANAGEMENT, NETWORKING, STACK
from landing_zone.engine import Engine

TEMPLATE = "templates/ipam-controltower-integration.template.yaml"
LOOK_EVERY_S = 0.2

Told = Callable[[str, str, str], None]
"""Is told of each resource that is done: which account, which logical id, which status."""


def silent(_account: str, _resource: str, _status: str) -> None:
    """Nobody wants to know."""


def upload(cli: AwsCli, bucket: str = BUCKET) -> None:
    """Steps 1 and 2 of the guide: a private bucket, the templates, the zips."""
    cli.run("s3", "mb", f"s3://{bucket}")
    cli.run("s3", "cp", "templates/", f"s3://{bucket}/templates/", "--recursive", "--exclude", "*", "--include", "*.yaml")
    cli.run("s3", "cp", "packages/", f"s3://{bucket}/packages/", "--recursive", "--exclude", "*", "--include", "*.zip")


def deploy_command(bucket: str = BUCKET, stack: str = STACK, **parameters: str) -> list[str]:
    """Step 3: the words after `aws`, with the three parameters that have no default, and others if given."""
    given = {
        "NetworkAccountId": NETWORKING,
        "LambdaBucket": bucket,
        "RepoRootURL": f"https://{bucket}.s3.{HOME_REGION}.amazonaws.com/templates/",
    } | parameters
    overrides = [f"{name}={value}" for name, value in given.items()]
    command = ["cloudformation", "deploy", "--stack-name", stack, "--template-file", TEMPLATE]
    return [*command, "--capabilities", "CAPABILITY_IAM", "--no-fail-on-empty-changeset", "--parameter-overrides", *overrides]


@dataclass
class Watcher:
    """Tells of stack events in both accounts, each once, as they come."""

    engine: Engine
    told: Told
    _seen: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._clients = {
            name: self.engine.client("cloudformation", account_id)
            for name, account_id in (("management", MANAGEMENT), ("networking", NETWORKING))
        }
        for _ in self._new():
            pass  # what happened before

    def look(self) -> None:
        for account, event in self._new():
            if event["ResourceStatus"].endswith(("_COMPLETE", "_FAILED")):
                self.told(account, event["LogicalResourceId"], event["ResourceStatus"])

    def _new(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for account, client in self._clients.items():
            for stack in client.describe_stacks()["Stacks"]:
                events = client.describe_stack_events(StackName=stack["StackId"])["StackEvents"]
                for event in reversed(events):
                    if event["EventId"] not in self._seen:
                        self._seen.add(event["EventId"])
                        yield account, event


def deploy(engine: Engine, told: Told = silent, **parameters: str) -> None:
    """Deploy or update with the real CLI; raises AwsCliFailed with the reasons that a user would look up."""
    watcher = Watcher(engine, told)
    process = AwsCli(engine, MANAGEMENT).begin(*deploy_command(**parameters))
    while process.poll() is None:
        watcher.look()
        time.sleep(LOOK_EVERY_S)
    output, errors = process.communicate()
    watcher.look()
    if process.returncode:
        raise AwsCliFailed("\n".join([errors.strip() or output.strip(), *failures(engine)]))


def delete(engine: Engine, told: Told = silent, stack: str = STACK) -> str:
    """Delete the stack and wait; answer its last status."""
    watcher = Watcher(engine, told)
    client = engine.client("cloudformation", MANAGEMENT)
    stack_id = client.describe_stacks(StackName=stack)["Stacks"][0]["StackId"]
    AwsCli(engine, MANAGEMENT).run("cloudformation", "delete-stack", "--stack-name", stack)
    while (status := _status(client, stack_id)) == "DELETE_IN_PROGRESS":
        watcher.look()
        time.sleep(LOOK_EVERY_S)
    watcher.look()
    return status


def failures(engine: Engine) -> list[str]:
    """Every failed resource of every stack in both accounts, with its reason: what the console's Events tab shows."""
    found = []
    for account_id in (MANAGEMENT, NETWORKING):
        client = engine.client("cloudformation", account_id)
        for stack in client.describe_stacks()["Stacks"]:
            for event in client.describe_stack_events(StackName=stack["StackId"])["StackEvents"]:
                if event["ResourceStatus"].endswith("_FAILED"):
                    reason = event.get("ResourceStatusReason", "")
                    found.append(f"{account_id} {event['LogicalResourceId']} {event['ResourceStatus']}: {reason}")
    return found


def _status(client: Any, stack_id: str) -> str:
    return str(client.describe_stacks(StackName=stack_id)["Stacks"][0]["StackStatus"])


__all__ = ["ROOT", "AwsCliFailed", "Watcher", "delete", "deploy", "deploy_command", "failures", "upload"]
