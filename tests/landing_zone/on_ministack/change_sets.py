"""CloudFormation: change sets of stacks that are new, or have an operation in progress.

As on AWS:
- A change set that would update a stack is refused unless the stack's last operation has ended.
- Change sets that would create a stack belong to one stack, in REVIEW_IN_PROGRESS, until one of them is executed; then
  the others are gone, and no further one is accepted.
ministack accepts all of them, and makes a stack anew with each that would create it, so that two deployments at once
work on one stack.

Source  https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateChangeSet.html (ChangeSetType)
        https://github.com/compose-x/ecs_composex/issues/785 (refusal of a creation)
        https://github.com/convox/praxis/issues/309 (refusal of an update)
"""

from __future__ import annotations

from typing import Any

from landing_zone.on_ministack.internals import cloudformation as service
from landing_zone.on_ministack.internals import handlers

NEW = "REVIEW_IN_PROGRESS"

Record = dict[str, Any]
Answer = tuple[int, dict[str, str], bytes]


def install() -> None:
    """Replace what ministack does otherwise. To go when ministack does all of the above."""
    create = handlers._ACTION_HANDLERS["CreateChangeSet"]

    def create_change_set(params: dict[str, list[str]]) -> Any:
        name, change_set = (params.get(key, [""])[0] for key in ("StackName", "ChangeSetName"))
        creates = params.get("ChangeSetType", [""])[0] == "CREATE"
        stack = handlers._resolve_stack(name) or {}
        status = stack.get("StackStatus", "DELETE_COMPLETE")
        if creates and status not in (NEW, "DELETE_COMPLETE"):
            reason = f"Stack [{name}] already exists and cannot be created again with the changeSet [{change_set}]."
            return handlers._error("ValidationError", reason)
        if not creates and status.endswith("_IN_PROGRESS"):
            reason = f"Stack:{stack['StackId']} is in {status} state and can not be updated."
            return handlers._error("ValidationError", reason)
        answer = create(params)
        return _to_stack(stack, answer) if creates and status == NEW else answer

    handlers._ACTION_HANDLERS["CreateChangeSet"] = create_change_set


def _to_stack(stack: Record, answer: Answer) -> Answer:
    """Put back a stack that was replaced or dropped, and let the new change set be one of it."""
    code, headers, body = answer
    made = service._stacks.get(stack["StackName"])
    service._stacks[stack["StackName"]] = stack
    if code != 200:
        return answer
    for change_set in service._change_sets.values():
        if change_set["StackId"] == made["StackId"]:
            change_set["StackId"] = stack["StackId"]
    return code, headers, body.replace(made["StackId"].encode(), stack["StackId"].encode())
