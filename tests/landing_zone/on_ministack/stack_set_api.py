"""CloudFormation's API for the StackSets that templates have made.

It lists and describes StackSets, instances and operations, creates instances, and deletes them (with or without their
stacks) and empty StackSets. IAM decides each call. Operations come newest first; AWS says nothing of the order.

Left out: making and changing StackSets, StopStackSetOperation, filters but for account and Region. A list has one page.
Source  https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStackInstances.html
        https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DeleteStackInstances.html
        https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DeleteStackSet.html
        https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ListStackSetOperations.html
        https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ListStackSetOperationResults.html
"""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from xml.sax.saxutils import escape

from aws_models.errors import AwsError
from landing_zone.on_ministack.cloudformation import HandlerFailure
from landing_zone.on_ministack.internals import cloudformation as service
from landing_zone.on_ministack.internals import handlers
from landing_zone.on_ministack.stack_sets import (
    Operation,
    StackSet,
    StackSets,
    Target,
    bring_about,
    checked_template,
    own_tags,
    place_of_request,
    take_away,
)

Params = dict[str, list[str]]  # of a call in the query protocol


class StackSetApi:
    """CloudFormation's actions on StackSets, in the account and Region that asks."""

    def __init__(self, sets: StackSets) -> None:
        self._sets = sets
        self._actions: dict[str, Callable[[Params], Any]] = {
            "ListStackSets": self._list_stack_sets,
            "DescribeStackSet": self._describe_stack_set,
            "DeleteStackSet": self._delete_stack_set,
            "ListStackInstances": self._list_instances,
            "DescribeStackInstance": self._describe_instance,
            "CreateStackInstances": self._create_instances,
            "DeleteStackInstances": self._delete_instances,
            "ListStackSetOperations": self._list_operations,
            "DescribeStackSetOperation": self._describe_operation,
            "ListStackSetOperationResults": self._list_results,
        }

    def install(self) -> None:
        for action in self._actions:
            handlers._ACTION_HANDLERS[action] = self._answer

    def _answer(self, params: Params) -> Any:
        (action,) = params["Action"]
        try:
            result = self._actions[action](params)
        except AwsError as refused:
            return handlers._error(refused.code, refused.message, refused.status)
        return handlers._xml(200, f"{action}Response", f"<{action}Result>{_xml(result)}</{action}Result>")

    def _list_stack_sets(self, _params: Params) -> Any:
        return {"Summaries": [_summary(one) for key, one in self._sets.items() if key[:2] == place_of_request()]}

    def _describe_stack_set(self, params: Params) -> Any:
        found = self._named(params)
        shown = {name: found.properties.get(name, "") for name in ("AdministrationRoleARN", "ExecutionRoleName")}
        return {
            "StackSet": {**_summary(found), **shown, "StackSetARN": _arn(found), "Tags": own_tags(found.properties)}
        }

    def _delete_stack_set(self, params: Params) -> Any:
        found = self._named(params)
        if found.is_busy:
            raise _busy(found)
        if found.instances:
            raise AwsError("StackSetNotEmptyException", "StackSet is not empty", 409)
        del self._sets[(*place_of_request(), found.id)]
        return {}

    def _list_instances(self, params: Params) -> Any:
        found = self._named(params)
        account, region = _one(params, "StackInstanceAccount"), _one(params, "StackInstanceRegion")
        return {
            "Summaries": [
                _instance(found, target)
                for target in found.instances
                if account in ("", target[0]) and region in ("", target[1])
            ]
        }

    def _describe_instance(self, params: Params) -> Any:
        found = self._named(params)
        target = (_one(params, "StackInstanceAccount"), _one(params, "StackInstanceRegion"))
        if target not in found.instances:
            raise AwsError("StackInstanceNotFoundException", f"Stack instance not found for StackSet {found.name}", 404)
        return {"StackInstance": _instance(found, target)}

    def _create_instances(self, params: Params) -> Any:
        """Begin the operation, and return its id."""
        found, targets = self._named(params), _wanted(params)
        if any(target in found.instances for target in targets):
            raise NotImplementedError("Only instances that do not exist are created")
        body = checked_template(found.properties)
        return self._begin(found, "CREATE", params, lambda operation: bring_about(found, operation, body, targets))

    def _delete_instances(self, params: Params) -> Any:
        """Begin the operation, and return its id."""
        found = self._named(params)
        if "RetainStacks" not in params:
            raise AwsError("ValidationError", "RetainStacks is required")
        targets = [target for target in _wanted(params) if target in found.instances]
        retain = _one(params, "RetainStacks").lower() == "true"
        return self._begin(found, "DELETE", params, lambda operation: take_away(found, operation, targets, retain))

    def _begin(self, found: StackSet, action: str, params: Params, act: Callable[[Operation], None]) -> Any:
        if found.is_busy:
            raise _busy(found)
        operation_id = _one(params, "OperationId")
        if any(one.id == operation_id for one in found.operations):
            raise AwsError("OperationIdAlreadyExistsException", f"Operation {operation_id} already exists", 409)
        operation = found.begin(action, operation_id)

        def work() -> None:
            with suppress(HandlerFailure):  # the operation tells
                act(operation)

        threading.Thread(target=contextvars.copy_context().run, args=(work,), daemon=True).start()
        return {"OperationId": operation.id}

    def _list_operations(self, params: Params) -> Any:
        return {"Summaries": [_operation(one) for one in self._named(params).operations]}

    def _describe_operation(self, params: Params) -> Any:
        found = self._named(params)
        return {"StackSetOperation": {**_operation(self._asked(params)), "StackSetId": found.id}}

    def _list_results(self, params: Params) -> Any:
        return {
            "Summaries": [
                {"Account": account, "Region": region, "Status": "FAILED" if why else "SUCCEEDED", "StatusReason": why}
                for (account, region), why in self._asked(params).results.items()
            ]
        }

    def _asked(self, params: Params) -> Operation:
        operation_id = _one(params, "OperationId")
        for operation in self._named(params).operations:
            if operation.id == operation_id:
                return operation
        raise AwsError("OperationNotFoundException", f"Operation {operation_id} not found", 404)

    def _named(self, params: Params) -> StackSet:
        name = _one(params, "StackSetName")
        for key, stack_set in self._sets.items():
            if key[:2] == place_of_request() and name in (stack_set.name, stack_set.id, _arn(stack_set)):
                return stack_set
        raise AwsError("StackSetNotFoundException", f"StackSet {name} not found", 404)


def _summary(stack_set: StackSet) -> dict[str, Any]:
    return {
        "StackSetName": stack_set.name,
        "StackSetId": stack_set.id,
        "Status": "ACTIVE",
        "PermissionModel": "SELF_MANAGED",
        "Description": stack_set.properties.get("Description", ""),
    }


def _instance(stack_set: StackSet, target: Target) -> dict[str, Any]:
    stack = service._stacks.get_scoped(*target, stack_set.instances[target]) or {}
    shown = {"StackSetId": stack_set.id, "Account": target[0], "Region": target[1]}
    return {**shown, "StackId": stack.get("StackId", ""), "Status": "CURRENT"}


def _operation(operation: Operation) -> dict[str, Any]:
    shown = {"OperationId": operation.id, "Action": operation.action, "Status": operation.status}
    return {**shown, "CreationTimestamp": operation.begun}


def _busy(stack_set: StackSet) -> AwsError:
    return AwsError(
        "OperationInProgressException", f"Another Operation on StackSet {_arn(stack_set)} is in progress", 409
    )


def _arn(stack_set: StackSet) -> str:
    account_id, region = place_of_request()
    return f"arn:aws:cloudformation:{region}:{account_id}:stackset/{stack_set.id}"


def _wanted(params: Params) -> list[Target]:
    accounts = _several(params, "Accounts") or _several(params, "DeploymentTargets.Accounts")
    return [(account, region) for account in accounts for region in _several(params, "Regions")]


def _one(params: Params, name: str) -> str:
    return (params.get(name) or [""])[0]


def _several(params: Params, name: str) -> list[str]:
    return [values[0] for key, values in params.items() if key.startswith(f"{name}.member.")]


def _xml(value: Any) -> str:
    """Return the members of an answer in the query protocol."""
    if isinstance(value, dict):
        return "".join(f"<{name}>{_xml(inner)}</{name}>" for name, inner in value.items())
    if isinstance(value, list):
        return "".join(f"<member>{_xml(inner)}</member>" for inner in value)
    return escape(value)
