"""CloudFormation: cancelled and interrupted stack operations, and the time that a custom resource has.

As on AWS:
- CloudFormation invokes a custom resource's function asynchronously. Lambda retries it twice, and CloudFormation waits
  ServiceTimeout seconds for the answer.
- CancelUpdateStack, and DeleteStack during a creation, do not wait for the function. The resource fails as cancelled.
  CloudFormation sends its Delete, or the Update that rolls it back, while the function of the first request still
  works, and ignores the late answer of that function.
- DeleteStack shows DELETE_IN_PROGRESS at once. It is refused during an update and during the rollback of one.
- An update deletes old resources in UPDATE_COMPLETE_CLEANUP_IN_PROGRESS.
ministack does none of this. It does the following by itself, and tests/emulator/test_stack_operations.py tests it: a
failed Delete does not stop the deletion; DeletionMode; RetainResources; termination protection; a stack's tags.

Left out: operations on several resources in parallel, so a cancellation reaches one resource. Only custom resources and
the creation of StackSets stop at once; every other resource is finished first. A deletion during a rollback begins
after the rollback. ServiceTimeout counts the function's own seconds, whose pauses are shorter here (function_clock).
Source  https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-custom-resources.html
        https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html
        https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/1730
        https://github.com/aws-solutions-library-samples/guidance-for-clickstream-analytics-on-aws/issues/573 (refusal)
"""

from __future__ import annotations

import threading
import time
from contextvars import ContextVar
from typing import Any

from landing_zone.on_ministack import function_clock
from landing_zone.on_ministack.internals import changesets, custom_resource, handlers, lambda_svc, stacks
from landing_zone.on_ministack.internals import cloudformation as service

STACK = "AWS::CloudFormation::Stack"
SERVICE_TIMEOUT_S = 3600
"""https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudformation-customresource.html"""
DELETE_REQUESTED = "_delete_requested"  # in ministack's record of a stack
CREATING = ("CREATE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS")
UPDATING = (
    "UPDATE_IN_PROGRESS",
    "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
    "UPDATE_ROLLBACK_IN_PROGRESS",
    "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
)
CREATION_CANCELLED, UPDATE_CANCELLED = "Resource creation cancelled", "Resource update cancelled"

Record = dict[str, Any]


class Cancelled(Exception):
    """The stack is being deleted during its creation."""


class CustomResourceRequests:
    """The requests to custom resources that wait for an answer."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[str, str] = {}  # token of the response URL -> stack id
        self._stack: ContextVar[str] = ContextVar("stack_of_custom_resource", default="")

    def install(self) -> None:
        invoke, register = custom_resource.invoke_custom_resource, custom_resource.register_token
        execute = lambda_svc._execute_function_with_config_scope
        self._deliver = custom_resource.deliver_response

        def invoke_custom_resource(
            request_type: str, logical_id: str, props: Record, stack_name: str, stack_id: str, *rest: Any, **named: Any
        ) -> Any:
            marked = self._stack.set(stack_id)
            function = str(props.get("ServiceToken", "")).rpartition(":")[2]
            began, ahead_s = time.monotonic(), function_clock.ahead_s(function)
            try:
                answer = invoke(request_type, logical_id, props, stack_name, stack_id, *rest, **named)
                took_s = time.monotonic() - began + function_clock.ahead_s(function) - ahead_s
                if took_s > float(props.get("ServiceTimeout", SERVICE_TIMEOUT_S)):
                    raise TimeoutError
                return answer
            except TimeoutError:
                raise TimeoutError(
                    "CloudFormation did not receive a response from your Custom Resource. Please check your logs for "
                    "requestId. If you are using the Python cfn-response module, you may need to update your Lambda "
                    "function code so that CloudFormation can attach the updated version."
                ) from None
            finally:
                self._stack.reset(marked)

        def register_token(token: str) -> Any:
            with self._lock:
                self._waiting[token] = self._stack.get()
            return register(token)

        def execute_function(function: Record, event: Any) -> Any:
            if not self._stack.get():
                return execute(function, event)
            marked = self._stack.set("")  # what the function invokes itself is invoked as it asks
            try:
                return lambda_svc.invoke_async_with_retry(function, event)
            finally:
                self._stack.reset(marked)

        def deliver_response(token: str, response: Record) -> bool:
            with self._lock:
                if self._waiting.pop(token, None) is None:
                    return False  # cancelled, timed out or answered before
            return bool(self._deliver(token, response))

        custom_resource.invoke_custom_resource = invoke_custom_resource
        custom_resource.register_token = register_token
        custom_resource.deliver_response = deliver_response
        lambda_svc._execute_function_with_config_scope = execute_function

    def cancel(self, stack_id: str, reason: str) -> None:
        """Fail every waiting request of the stack, and ignore later answers to them."""
        with self._lock:
            tokens = [token for token, stack in self._waiting.items() if stack == stack_id]
            for token in tokens:
                del self._waiting[token]
        for token in tokens:
            with custom_resource._lock:
                entry = custom_resource._pending.get(token)
                if entry:
                    entry["result"] = {"Status": "FAILED", "Reason": reason}
                    entry["event"].set()


def is_being_deleted(stack_name: str) -> bool:
    """Return whether the stack of this account and Region was deleted while it was being created."""
    return DELETE_REQUESTED in (service._stacks.get(stack_name) or {})


def install() -> None:
    """Replace what ministack does otherwise. To go when ministack does all of the above."""
    requests = CustomResourceRequests()
    requests.install()
    _stop_between_resources()
    _delete_after_the_creation()
    _show_the_cleanup()
    _delete_stack(requests)
    _cancel_update(requests)


def _stop_between_resources() -> None:
    tell = stacks._add_event

    def add_event(
        stack_id: str, stack_name: str, logical_id: str, kind: str, status: str, *rest: Any, **named: Any
    ) -> None:
        if status == "CREATE_IN_PROGRESS" and kind != STACK and is_being_deleted(stack_name):
            raise Cancelled(CREATION_CANCELLED)
        tell(stack_id, stack_name, logical_id, kind, status, *rest, **named)

    stacks._add_event = add_event


def _delete_after_the_creation() -> None:
    deploy, roll_back = stacks._deploy_stack_async, stacks._roll_back_operation

    async def deploy_stack(stack_name: str, stack_id: str, *rest: Any, **named: Any) -> None:
        await deploy(stack_name, stack_id, *rest, **named)
        stack = service._stacks.get(stack_name)
        if stack and stack["StackId"] == stack_id and stack.pop(DELETE_REQUESTED, False):
            await stacks._delete_stack_async(stack_name, stack_id)

    async def roll_back_operation(stack_name: str, stack_id: str, stack: Record, operation: Record, *rest: Any) -> None:
        if stack.get(DELETE_REQUESTED):
            return  # the deletion takes all of it away
        if stack.pop("_cancel_requested", False):
            operation["cancelled"] = True
        await roll_back(stack_name, stack_id, stack, operation, *rest)

    stacks._roll_back_operation = roll_back_operation
    stacks._deploy_stack_async = handlers._deploy_stack_async = changesets._deploy_stack_async = deploy_stack


def _show_the_cleanup() -> None:
    delete = stacks._delete_resource

    def delete_resource(kind: str, physical_id: str, properties: Record, stack_name: str, logical_id: str) -> None:
        stack = service._stacks.get(stack_name) or {}
        if stack.get("StackStatus") == "UPDATE_IN_PROGRESS":
            status = stack["StackStatus"] = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"
            stacks._add_event(stack["StackId"], stack_name, stack_name, STACK, status, physical_id=stack["StackId"])
        delete(kind, physical_id, properties, stack_name, logical_id)

    stacks._delete_resource = delete_resource


def _delete_stack(requests: CustomResourceRequests) -> None:
    delete = handlers._ACTION_HANDLERS["DeleteStack"]

    def delete_stack(params: dict[str, list[str]]) -> Any:
        stack = handlers._resolve_stack(params.get("StackName", [""])[0]) or {}
        status, stack_id = stack.get("StackStatus"), stack.get("StackId", "")
        if status in UPDATING:
            return handlers._error("ValidationError", f"Stack [{stack_id}] cannot be deleted while in status {status}")
        if status == "DELETE_IN_PROGRESS":
            return handlers._xml(200, "DeleteStackResponse", "")
        if status not in CREATING or stack["EnableTerminationProtection"] or "DeletionMode" in params:
            answer = delete(params)
            if answer[0] == 200 and status not in (None, "DELETE_COMPLETE"):
                stack["StackStatus"] = "DELETE_IN_PROGRESS"
            return answer
        stack[DELETE_REQUESTED] = True
        stack["StackStatus"] = "DELETE_IN_PROGRESS"
        if status == "CREATE_IN_PROGRESS":
            requests.cancel(stack_id, CREATION_CANCELLED)
        return handlers._xml(200, "DeleteStackResponse", "")

    handlers._ACTION_HANDLERS["DeleteStack"] = delete_stack


def _cancel_update(requests: CustomResourceRequests) -> None:
    cancel = handlers._ACTION_HANDLERS["CancelUpdateStack"]

    def cancel_update(params: dict[str, list[str]]) -> Any:
        answer = cancel(params)
        if answer[0] == 200:
            requests.cancel(handlers._resolve_stack(params["StackName"][0])["StackId"], UPDATE_CANCELLED)
        return answer

    handlers._ACTION_HANDLERS["CancelUpdateStack"] = cancel_update
