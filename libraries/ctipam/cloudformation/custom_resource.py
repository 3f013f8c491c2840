"""Answers CloudFormation through crhelper, whatever happens, and keeps crhelper's habits from doing harm.

Work that does not fit into one invocation goes on in the next: the function invokes itself with the same request, and
only the last one answers. Nothing is left behind, as crhelper's own schedule could be.

What crhelper would do, and what is done here:

    invent a new id if none is returned or a creation fails,        the id is the same from the first request to the
    after which CloudFormation deletes "the old one"                last
    cut a long reason from its beginning                            the reason is short, with the cause first
    log whole events at DEBUG, its default                          the level is chosen
    answer "failed" by a timer just before Lambda's time limit      no timer: Lambda repeats an invocation that it had
                                                                    to end, and that would work against the rollback
    send more than the 4096 bytes that CloudFormation reads,        too long an answer is a failure that says so; an
    not look at the status, and try for ever                        answer that cannot be sent is an error, for which
                                                                    Lambda invokes again
"""

from __future__ import annotations

import json
import os
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from botocore.exceptions import ClientError
from crhelper import CfnResource

from ctipam import sessions, waiting
from ctipam.cloudformation.request import ResourceRequest
from ctipam.errors import DENIED, AwsFailed, OutOfTime, Refused, StackBeingDeleted, code_of
from ctipam.invocation import Invocation, LambdaContext, account_id_of, continue_in_another_invocation
from ctipam.logs import log_decision
from ctipam.waiting import Deadline

REASON_LIMIT = 240
"""crhelper cuts what is longer than 256; a StackSet shows 850 for all resources together."""


LONGEST_S = 58 * 60.0
"""From the first invocation to the answer: CloudFormation waits for an hour."""

ANSWER_LIMIT = 4096
"""Bytes. https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-responses.html"""

ATTEMPTS = 4
"""To deliver an answer, with 1, 2 and 4 s between them."""

NEW_POLICY_PAUSES_S = (2.0, 4.0, 8.0)
"""https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency"""

Data = Mapping[str, str]
"""What Fn::GetAtt can read; CloudFormation takes 4096 bytes of answer in all."""


@dataclass(frozen=True)
class CustomResource:
    """ensure is both create and update; delete succeeds for what is gone."""

    ensure: Callable[[ResourceRequest], Data]
    delete: Callable[[ResourceRequest], None]


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
        self._undelivered = ""
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
        until = Invocation.of(event).until or waiting.now() + LONGEST_S
        request = _request(event, context, until)
        resource = self._resources[event["ResourceType"]]
        try:
            if request.kind == "Delete":
                resource.delete(request)
            else:
                self.Data.update(_ensure(resource, request))
        except OutOfTime as still_busy:
            if Invocation.of(event).is_last or waiting.now() + waiting.RESERVE_S >= until:
                raise
            log_decision("not finished", reason=str(still_busy))
            continue_in_another_invocation(request.account, event, context, until)
            return False
        return True

    def _poll_enabled(self) -> bool:
        """Asked by crhelper after the handler: is the answer still to come?"""
        return self._goes_on

    def _polling_init(self, event: Mapping[str, Any]) -> None:
        """Where crhelper would make a schedule."""

    def _set_timeout(self) -> None:
        """Where crhelper would start its timer."""

    def _send(self, status: str | None = None, reason: str = "", send_response: Any = None) -> None:
        super()._send(status, reason, send_response or self._deliver)  # type: ignore[misc]  # its stubs leave it out

    def _deliver(self, url: str, answer: Mapping[str, Any], _verify: object) -> None:
        """PUT the answer. Not raised here, or crhelper would send "failed" for what succeeded."""
        body = json.dumps(answer).encode()
        if len(body) > ANSWER_LIMIT:
            too_long = f"The answer has {len(body)} bytes, and CloudFormation reads {ANSWER_LIMIT}."
            body = json.dumps({**answer, "Status": "FAILED", "Reason": too_long, "Data": {}}).encode()
        self._undelivered = put(url, body)

    def __call__(self, event: Mapping[str, Any], context: LambdaContext) -> None:
        self._undelivered = ""
        super().__call__(event, context)
        if self._undelivered:
            raise RuntimeError(f"could not answer CloudFormation: {self._undelivered}")


def _ensure(resource: CustomResource, request: ResourceRequest) -> Data:
    """Ask again for a while if it is denied: IAM takes seconds to know a policy that the stack has just changed."""
    for pause in NEW_POLICY_PAUSES_S:
        try:
            return resource.ensure(request)
        except (ClientError, Refused) as error:
            if not _is_denial(error) and not _is_denial(error.__cause__):
                raise
            waiting.sleep(pause)
    return resource.ensure(request)


def _is_denial(error: BaseException | None) -> bool:
    return isinstance(error, ClientError) and code_of(error) in DENIED


def put(url: str, body: bytes) -> str:
    """PUT to CloudFormation's presigned URL; answer why it could not be done, or nothing. Never names the URL."""
    where, problem = urlsplit(url), ""
    target = urlunsplit(("", "", where.path, where.query, ""))
    for attempt in range(ATTEMPTS):
        if attempt:
            waiting.sleep(2.0 ** (attempt - 1))
        try:
            connection = HTTPSConnection(where.netloc, timeout=10, context=ssl.create_default_context())
            # No content type: the signature does not cover one.
            headers = {"content-type": "", "content-length": str(len(body))}
            connection.request("PUT", target, body=body, headers=headers)
            status = connection.getresponse().status
        except (OSError, HTTPException) as error:
            problem = type(error).__name__
        else:
            if status < 300:
                return ""
            problem = f"HTTP {status}"
    return problem


def physical_id(event: Mapping[str, Any]) -> str:
    """The id of the first answer, for ever. It is made of what the first request says, so a retry makes the same."""
    return event.get("PhysicalResourceId") or f"{event['LogicalResourceId']}-{event['StackId'].rpartition('/')[2]}"


def reason(error: Exception) -> str:
    """One line for a stack event: the cause first, at most REASON_LIMIT characters."""
    if isinstance(error, ClientError):
        text = f"{code_of(error)} from {error.operation_name}: {error.response['Error'].get('Message', '')}"
    elif isinstance(error, Refused | AwsFailed | StackBeingDeleted):
        text = str(error)
    elif isinstance(error, OutOfTime):
        text = f"AWS did not finish in time ({error}). What was begun is kept; try again to go on from there."
    else:
        text = f"{type(error).__name__}: {error}. See the function's log."
    line = " ".join(text.split())
    return line if len(line) <= REASON_LIMIT else line[: REASON_LIMIT - 3] + "..."


def _request(event: Mapping[str, Any], context: LambdaContext, until: float) -> ResourceRequest:
    return ResourceRequest(
        kind=event["RequestType"],
        stack_id=event["StackId"],
        request_id=event["RequestId"],
        properties=event["ResourceProperties"],
        account=sessions.current_account(account_id_of(context)),
        deadline=Deadline.of(context).within(until - waiting.now()),
    )
