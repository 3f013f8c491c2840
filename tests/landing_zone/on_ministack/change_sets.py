"""CloudFormation: change sets of stacks that are new, or have an operation in progress, and those that it refuses.

As on AWS:
- A change set that would update a stack is refused unless the stack's last operation has ended.
- Change sets that would create a stack belong to one stack, in REVIEW_IN_PROGRESS, until one of them is executed; then
  the others are gone, and no further one is accepted.
- A change set that would create something under a name that is taken fails, and says only which validation it has
  failed. DescribeEvents has the findings, under the ARN of the change set: for its name, it finds nothing.
ministack accepts all of them, and makes a stack anew with each that would create it, so that two deployments at once
work on one stack.

Left out: other validations, and names of other types. Assumed: a StackSet is not one of them, because its identifier is
its id, which the template does not have.

Source  https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateChangeSet.html (ChangeSetType)
        https://github.com/compose-x/ecs_composex/issues/785 (refusal of a creation)
        https://github.com/convox/praxis/issues/309 (refusal of an update)
        https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/validate-stack-deployments.html
        https://github.com/aws/aws-cdk-cli/issues/1000 (validation: the words)
        https://github.com/aws-cloudformation/cloudformation-cli/issues/1116 (DescribeEvents)
"""

from __future__ import annotations

from typing import Any

from landing_zone.on_ministack.internals import cloudformation as service
from landing_zone.on_ministack.internals import handlers, provisioners, responses, stacks

NEW = "REVIEW_IN_PROGRESS"
EXISTS = "AWS::EarlyValidation::ResourceExistenceCheck"
REFUSED = (
    f"The following hook(s)/validation failed: [{EXISTS}]. To troubleshoot Early Validation errors, use the "
    "DescribeEvents API for detailed failure information."
)
NAMED = {"AWS::CloudWatch::Dashboard": "DashboardName", "AWS::SSM::Parameter": "Name"}
"""By their types, the properties that name resources."""

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
        known = set(service._change_sets)
        answer = create(params)
        if creates and status == NEW:
            answer = _to_stack(stack, answer)
        for arn, made in service._change_sets.items():
            if arn not in known:
                _validate(made)
        return answer

    handlers._ACTION_HANDLERS["CreateChangeSet"] = create_change_set
    describe = handlers._ACTION_HANDLERS["DescribeEvents"]

    def describe_events(params: dict[str, list[str]]) -> Any:
        change_set = service._change_sets.get(params.get("ChangeSetName", [""])[0], {})
        if "_findings" not in change_set:
            return describe(params)
        stack = handlers._resolve_stack(change_set["StackId"])
        of_stack, stack["_operation_events"] = stack.get("_operation_events"), change_set["_findings"]
        try:
            return describe({**params, "StackName": [change_set["StackId"]]})
        finally:
            stack["_operation_events"] = of_stack

    handlers._ACTION_HANDLERS["DescribeEvents"] = describe_events


def _validate(change_set: Record) -> None:
    """Let the change set fail if it would create something under a name that is taken."""
    added = [one["ResourceChange"] for one in change_set["Changes"] if one["ResourceChange"]["Action"] == "Add"]
    findings = [finding for resource in added if (finding := _name_conflict(change_set, resource))]
    if findings:
        change_set |= {"Status": "FAILED", "ExecutionStatus": "UNAVAILABLE", "StatusReason": REFUSED}
        change_set["_findings"] = findings


def _name_conflict(change_set: Record, resource: Record) -> Record | None:
    """Return the event of a resource that the change set adds under a name that is taken."""
    logical_id, kind = resource["LogicalResourceId"], resource["ResourceType"]
    template, parameters = change_set["_template"], change_set["_resolved_params"]
    resources, mappings = template["Resources"], template.get("Mappings", {})
    place = change_set["StackName"], change_set["StackId"]
    conditions = stacks._evaluate_conditions(template, parameters)
    raw = resources[logical_id].get("Properties", {}).get(NAMED.get(kind))
    name = raw and stacks._static_property(raw, resources, parameters, conditions, mappings, *place)
    if not _is_taken(kind, name):
        return None
    event: Record = stacks._operation_event(
        change_set["StackId"],
        responses.new_uuid(),
        "VALIDATION_ERROR",
        "CREATE_CHANGESET",
        LogicalResourceId=logical_id,
        ResourceType=kind,
        ValidationFailureMode="FAIL",
        ValidationName="NAME_CONFLICT_VALIDATION",
        ValidationStatus="FAILED",
        ValidationStatusReason=f"Resource of type '{kind}' with identifier '{name}' already exists.",
        ValidationPath=f"/Resources/{logical_id}",
    )
    return event


def _is_taken(kind: str, name: Any) -> bool:
    existing = provisioners._cw._dashboards if kind == "AWS::CloudWatch::Dashboard" else provisioners._ssm._parameters
    return name is not None and name in existing


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
