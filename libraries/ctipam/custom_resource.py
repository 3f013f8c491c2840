"""Answers CloudFormation through crhelper, whatever happens, and keeps crhelper's habits from doing harm.

Work that does not fit into one invocation goes on in the next: the function invokes itself with the same request, and
only the last one answers. Nothing is left behind, as crhelper's own schedule could be.

crhelper invents a new id for a resource when none is returned or a creation fails, and CloudFormation then deletes
"the old one". Here the id is the same from the first request to the last. It cuts a long reason from its beginning;
here the reason is short and has the cause first. It logs whole events at DEBUG, its default; here that is chosen. Its
timer answers "failed" just before Lambda's time limit; here there is none, since Lambda repeats an invocation that it
had to end, and that repetition and CloudFormation's rollback would work against each other.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError
from crhelper import CfnResource

from ctipam import sessions
from ctipam.errors import AwsFailed, OutOfTime, Refused, code_of
from ctipam.logs import decided
from ctipam.waiting import Deadline, LambdaContext

REASON_LIMIT = 240
"""crhelper cuts what is longer than 256; a StackSet shows 850 for all resources together."""


@dataclass(frozen=True)
class Request:
    """What CloudFormation asks, with what a resource needs to know of where it runs."""

    kind: str  # Create, Update or Delete
    stack_id: str
    request_id: str
    properties: Mapping[str, Any]
    account_id: str
    deadline: Deadline


INVOCATIONS = 4
"""Of 15 minutes each, less the reserve: just within the hour that CloudFormation waits for an answer."""

INVOCATION = "CtipamInvocation"
"""Key in the event of a function that invoked itself: 2, 3, ... CloudFormation's own events have none."""

Data = Mapping[str, str]
"""What Fn::GetAtt can read; CloudFormation takes 4096 bytes of answer in all."""


@dataclass(frozen=True)
class CustomResource:
    """ensure is both create and update; delete succeeds for what is gone."""

    ensure: Callable[[Request], Data]
    delete: Callable[[Request], None]


class Responder(CfnResource):
    """The handler of a function that serves custom resources, by their type."""

    def __init__(self, resources: Mapping[str, CustomResource]) -> None:
        super().__init__(
            log_level=os.environ.get("LOG_LEVEL", "INFO"),
            boto_level="ERROR",
            sleep_on_delete=0,  # it waits for logs that a log group of the stack keeps anyway
        )
        self._resources = resources
        self._goes_on = False
        self.create(self._serve)
        self.update(self._serve)
        self.delete(self._serve)

    def _serve(self, event: Mapping[str, Any], context: LambdaContext) -> str:
        # Set before anything can fail: a failure, and crhelper's own timer, answer with what stands here.
        self.PhysicalResourceId = physical_id(event)
        self._goes_on = False
        try:
            self._goes_on = not self._serve_in_time(event, context)
        except Exception as error:
            raise RuntimeError(reason(error)) from error
        return str(self.PhysicalResourceId)

    def _serve_in_time(self, event: Mapping[str, Any], context: LambdaContext) -> bool:
        """Do what is asked; answer False if the rest was handed on to another invocation."""
        request = _request(event, context)
        resource = self._resources[event["ResourceType"]]
        try:
            if request.kind == "Delete":
                resource.delete(request)
            else:
                self.Data.update(resource.ensure(request))
        except OutOfTime as still_busy:
            invocation = int(event.get(INVOCATION, 1))
            if invocation == INVOCATIONS:
                raise
            decided("going on in another invocation", reason=str(still_busy), invocation=invocation + 1)
            _invoke_again(dict(event) | {INVOCATION: invocation + 1}, context)
            return False
        return True

    def _poll_enabled(self) -> bool:
        """Asked by crhelper after the handler: is the answer still to come?"""
        return self._goes_on

    def _polling_init(self, event: Mapping[str, Any]) -> None:
        """Where crhelper would make a schedule."""

    def _set_timeout(self) -> None:
        """Where crhelper would start its timer."""


def physical_id(event: Mapping[str, Any]) -> str:
    """The id of the first answer, for ever. It is made of what the first request says, so a retry makes the same."""
    return event.get("PhysicalResourceId") or f"{event['LogicalResourceId']}-{event['StackId'].rpartition('/')[2]}"


def reason(error: Exception) -> str:
    """One line for a stack event: the cause first, at most REASON_LIMIT characters."""
    if isinstance(error, ClientError):
        text = f"{code_of(error)} from {error.operation_name}: {error.response['Error'].get('Message', '')}"
    elif isinstance(error, Refused | AwsFailed):
        text = str(error)
    elif isinstance(error, OutOfTime):
        text = f"AWS did not finish in time ({error}). What was begun is kept; try again to go on from there."
    else:
        text = f"{type(error).__name__}: {error}. See the function's log."
    line = " ".join(text.split())
    return line if len(line) <= REASON_LIMIT else line[: REASON_LIMIT - 3] + "..."


def _invoke_again(event: Mapping[str, Any], context: LambdaContext) -> None:
    sessions.here().functions().invoke(
        FunctionName=context.invoked_function_arn, InvocationType="Event", Payload=json.dumps(event).encode()
    )


def _request(event: Mapping[str, Any], context: LambdaContext) -> Request:
    return Request(
        kind=event["RequestType"],
        stack_id=event["StackId"],
        request_id=event["RequestId"],
        properties=event["ResourceProperties"],
        account_id=context.invoked_function_arn.split(":")[4],
        deadline=Deadline.of(context),
    )
