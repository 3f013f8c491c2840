"""Deploy as a user does: upload two folders, run `aws cloudformation deploy`, and later delete the stack."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from landing_zone.cli import AwsCli, AwsCliFailed
from landing_zone.company import BUCKET, HOME_REGION, MANAGEMENT, NETWORKING, STACK
from landing_zone.engine import Engine

TEMPLATE = "templates/ipam-controltower-integration.template.yaml"
TELL_EVERY_S = 1.0
WAIT_S = 20  # for one answer of the engine
NO_TAGS: Mapping[str, str] = {}

Action = Literal["create-stack", "update-stack"]

Told = Callable[[str, str, str], None]
"""Called for each finished resource with the account, the logical id and the status."""


def silent(_account: str, _resource: str, _status: str) -> None:
    """Ignore the progress."""


def upload(cli: AwsCli) -> None:
    """Create a private bucket and upload the templates and the zips, as steps 1 and 2 of the guide do."""
    for command in upload_commands():
        cli.run(*command)


def upload_commands() -> list[list[str]]:
    return [
        ["s3", "mb", f"s3://{BUCKET}"],
        ["s3", "cp", "templates/", f"s3://{BUCKET}/templates/", "--recursive"],
        ["s3", "cp", "packages/", f"s3://{BUCKET}/packages/", "--recursive"],
    ]


def url(key: str) -> str:
    """Return the URL of an object in the user's bucket."""
    return f"https://{BUCKET}.s3.{HOME_REGION}.amazonaws.com/{key}"


def required_parameters() -> dict[str, str]:
    """Return the three parameters that have no default."""
    return {"NetworkAccountId": NETWORKING, "LambdaBucket": BUCKET, "RepoRootURL": url("templates/")}


def deploy_command(**parameters: str) -> list[str]:
    """Return the words after `aws` in step 3 of the guide."""
    overrides = [f"{name}={value}" for name, value in (required_parameters() | parameters).items()]
    command = ["cloudformation", "deploy", "--stack-name", STACK, "--template-file", TEMPLATE]
    command += ["--s3-bucket", BUCKET]  # a template of more than 51,200 bytes is taken only from there
    return [*command, "--capabilities", "CAPABILITY_IAM", "--parameter-overrides", *overrides]


@dataclass
class Watcher:
    """Report each stack event of both accounts once, as it comes."""

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
        for account, event in sorted(self._new(), key=lambda new: new[1]["Timestamp"]):
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
    """Deploy or update with the real CLI. Raises AwsCliFailed with the reasons from the stack events."""
    watcher = Watcher(engine, told)
    process = AwsCli(engine, MANAGEMENT).begin(*deploy_command(**parameters))
    while process.poll() is None:
        watcher.look()
        time.sleep(TELL_EVERY_S)
    output, errors = process.communicate()
    watcher.look()
    if process.returncode:
        raise AwsCliFailed("\n".join([errors.strip() or output.strip(), *failures(engine)]))


def apply(engine: Engine, action: Action, *, template: str = TEMPLATE, stack: str = STACK, **given: Any) -> str:
    """Create or update the stack as `begin` does, and return its last status.

    Faster than `deploy`, which waits as long as the CLI does.
    """
    begin(engine, action, template=template, stack=stack, **given)
    return end(engine, stack=stack)


def begin(
    engine: Engine,
    action: Action,
    *,
    template: str = TEMPLATE,
    stack: str = STACK,
    tags: Mapping[str, str] = NO_TAGS,
    **parameters: str,
) -> None:
    """Begin to create or update the stack from the uploaded template, as the console does.

    template   its key in the user's bucket
    Raises     AwsCliFailed if CloudFormation refuses before it begins
    """
    given = required_parameters() | parameters
    command = ["cloudformation", action, "--stack-name", stack, "--capabilities", "CAPABILITY_IAM"]
    # The bucket in the path, not in the host's name: ministack's CreateStack reads no other URL.
    command += ["--template-url", f"https://s3.{HOME_REGION}.amazonaws.com/{BUCKET}/{template}"]
    command += ["--parameters", json.dumps([{"ParameterKey": k, "ParameterValue": v} for k, v in given.items()])]
    command += ["--tags", json.dumps([{"Key": k, "Value": v} for k, v in tags.items()])] if tags else []
    AwsCli(engine, MANAGEMENT).run(*command)


def delete(engine: Engine, told: Told = silent, *, stack: str = STACK, force: bool = False) -> str:
    """Delete the stack, wait for the end, and return its last status.

    force   leave what cannot be deleted; CloudFormation takes that only after a deletion has failed
    """
    words = ["--deletion-mode", "FORCE_DELETE_STACK"] if force else []
    AwsCli(engine, MANAGEMENT).run("cloudformation", "delete-stack", "--stack-name", stack, *words)
    return end(engine, told, stack=stack)


def failures(engine: Engine) -> list[str]:
    """Return every failed resource of every stack in both accounts with its reason, as the Events tab shows it."""
    found = []
    for account_id in (MANAGEMENT, NETWORKING):
        client = engine.client("cloudformation", account_id)
        for stack in client.describe_stacks()["Stacks"]:
            for event in client.describe_stack_events(StackName=stack["StackId"])["StackEvents"]:
                if event["ResourceStatus"].endswith("_FAILED"):
                    reason = event.get("ResourceStatusReason", "")
                    found.append(f"{account_id} {event['LogicalResourceId']} {event['ResourceStatus']}: {reason}")
    return found


def end(engine: Engine, told: Told = silent, *, stack: str = STACK) -> str:
    """Wait until the stack's operation has ended, and return the stack's status."""
    watcher = None if told is silent else Watcher(engine, told)  # it reads every event each time
    client = engine.client("cloudformation", MANAGEMENT)
    while (status := _status(client, stack)).endswith("_IN_PROGRESS"):
        if watcher:
            watcher.look()
        engine.wait_for_stack(MANAGEMENT, stack, TELL_EVERY_S if watcher else WAIT_S)
    if watcher:
        watcher.look()
    return status


def _status(client: Any, name: str) -> str:
    """Return the status of the newest stack of the name, which may be deleted."""
    stacks = [stack for stack in client.list_stacks()["StackSummaries"] if stack["StackName"] == name]
    return str(max(stacks, key=lambda stack: stack["CreationTime"])["StackStatus"])
