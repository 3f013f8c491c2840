"""Answers CloudFormation through crhelper, whatever happens, and keeps crhelper's habits from doing harm.

Work that does not fit into one invocation continues in the next: the function invokes itself with the same request, and
only the last one answers. crhelper's own schedule, which could be left behind, is not used. A Create or Update for
which CloudFormation no longer waits stops without an answer; a Delete always succeeds.

What crhelper would do, and what is done here:

    create three clients for a schedule of its own                  none is created: a cold start would take longer
    invent a new id if none is returned or a creation fails,        the id is the same from the first request to the
    after which CloudFormation deletes "the old one"                last
    cut the beginning of a long reason                              the reason is short, with the cause first
    log whole events at DEBUG, its default                          the level is set
    answer "failed" by a timer just before Lambda's time limit      no timer: Lambda repeats an invocation that it had
                                                                    to end, and that would work against the rollback
    send more than the 4096 bytes that CloudFormation reads,        too long an answer is a failure that says so; an
    not look at the status, and try for ever                        answer that cannot be sent is an error, for which
                                                                    Lambda invokes again
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from http.client import HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import parse_qs, urlsplit, urlunsplit

from botocore.exceptions import ClientError
from crhelper import CfnResource

from ctipam import sessions, waiting
from ctipam.cloudformation import deletion
from ctipam.cloudformation.deletion import Delete
from ctipam.cloudformation.latecomers import wait_for_latecomers
from ctipam.cloudformation.own_stack import OwnStack
from ctipam.cloudformation.request import ResourceRequest
from ctipam.errors import CONCURRENT, DENIED, THROTTLED, OutOfTime, Refused, Superseded, code_of, explain
from ctipam.invocation import Invocation, LambdaContext, account_id_of, continue_in_another_invocation
from ctipam.logs import log_decision, logger
from ctipam.sessions import Account
from ctipam.waiting import Deadline

LONGEST_S = 58 * 60.0
"""From the request to the answer: CloudFormation waits for an hour."""

RESPONSE_LIMIT = 4096
"""Bytes. https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-responses.html"""

ATTEMPTS = 4
"""Attempts to deliver an answer, with pauses of 1, 2 and 4 s."""

SAM_LOCAL = "AWS_SAM_LOCAL"
"""With this variable in its environment, crhelper creates no clients."""

PASSES_PAUSES_S = (2.0, 4.0, 8.0, 16.0, 30.0)
"""As long as IAM may take to know a new policy, a minute as in `deletion.DENIED_S`. CloudFormation may go on with what
depends on it meanwhile. https://github.com/aws/aws-cdk/issues/37675
https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stack-resource-configuration-complete.html"""

Data = Mapping[str, str]
"""The attributes that Fn::GetAtt returns. The whole answer may have RESPONSE_LIMIT bytes."""


@dataclass(frozen=True)
class CustomResource:
    """The functions for a resource type.

    ensure        creates and updates
    delete        returns what was left behind and why, a sentence each; what is gone already counts as deleted. None: a
                  deletion changes nothing
    rolled_back   returns the answer to the rollback of an update in which `ensure` has failed, or has no time left,
                  which would leave the stack in UPDATE_ROLLBACK_FAILED; or raises the error
    """

    ensure: Callable[[ResourceRequest], Data]
    delete: Delete | None
    rolled_back: Callable[[ResourceRequest, Exception], Data]


class Responder(CfnResource):
    """The handler of a function that serves custom resources, by their type."""

    def __init__(self, resources: Mapping[str, CustomResource]) -> None:
        with _without_clients():
            super().__init__(
                log_level="INFO",
                sleep_on_delete=0,  # it waits for logs that a log group of the stack keeps anyway
            )
        self._sam_local = None
        self._resources = resources
        self.create(self._serve)
        self.update(self._serve)
        self.delete(self._serve)

    def _serve(self, event: Mapping[str, Any], context: LambdaContext) -> str:
        # Set before anything can fail: a failure, and crhelper's own timer, answer with what stands here.
        self.PhysicalResourceId = physical_id(event)
        self._answers_later = False
        try:
            self._answers_later = not self._serve_in_time(event, context)
        except Superseded as reason:
            log_decision("stopped without an answer", reason=str(reason))
            self._answers_later = True  # CloudFormation waits for the answer to its next request instead
        except Exception as error:
            if event["RequestType"] != "Delete":
                raise RuntimeError(explain(error)) from error
            logger.warning("deletion stopped", exc_info=error)
            deletion.report(_account(context), event, deletion.not_deleted(error))
        return str(self.PhysicalResourceId)

    def _serve_in_time(self, event: Mapping[str, Any], context: LambdaContext) -> bool:
        """Do what is asked; return False if another invocation does the rest."""
        until = Invocation.of(event).until or sent_at(event) + LONGEST_S
        request = _request(event, context, until)
        resource = self._resources[event["ResourceType"]]
        request.raise_if_superseded()
        if not request.is_continued:
            request.raise_if_sent_before_the_update(time_of_url(event))
        try:
            if request.kind != "Delete":
                wait_for_latecomers(request)
                self.Data.update(_ensure(resource, request))
            elif resource.delete:
                wait_for_latecomers(request)
                if left := deletion.delete_as_far_as_possible(resource.delete, request):
                    deletion.report(request.account, event, left)
        except OutOfTime as still_busy:
            if Invocation.of(event).is_last or waiting.now() + waiting.RESERVE_S >= until:
                self.Data.update(_give_up(resource, request, still_busy))
                return True
            log_decision("not finished", reason=str(still_busy))
            continue_in_another_invocation(request.account, event, context, until, request.stack_status)
            return False
        return True

    def _poll_enabled(self) -> bool:
        """Return whether crhelper must not answer now. crhelper calls this after the handler."""
        return self._answers_later

    def _polling_init(self, event: Mapping[str, Any]) -> None:
        """Do nothing, where crhelper would create a schedule."""

    def _set_timeout(self) -> None:
        """Do nothing, where crhelper would start its timer."""

    def _send(self, status: str | None = None, reason: str = "", send_response: Any = None) -> None:
        super()._send(status, reason, send_response or self._deliver)  # type: ignore[misc]  # its stubs leave it out

    def _deliver(self, url: str, answer: Mapping[str, Any], _verify: object) -> None:
        """PUT the answer. Raises nothing, or crhelper would report a success as a failure."""
        body = json.dumps(answer).encode()
        if len(body) > RESPONSE_LIMIT:
            too_long = f"The answer has {len(body)} bytes, and CloudFormation reads {RESPONSE_LIMIT}."
            body = json.dumps({**answer, "Status": "FAILED", "Reason": too_long, "Data": {}}).encode()
        self._undelivered = put(url, body)

    def __call__(self, event: Mapping[str, Any], context: LambdaContext) -> None:
        if "ResponseURL" not in event:  # crhelper would answer the last request, which may still be in progress
            raise Refused("This function serves CloudFormation only. Update the stack instead of invoking it.")
        self._undelivered = ""
        super().__call__(event, context)
        if self._undelivered:
            raise RuntimeError(f"could not answer CloudFormation: {self._undelivered}")


@contextmanager
def _without_clients() -> Iterator[None]:
    """Let crhelper believe that AWS SAM runs it."""
    os.environ[SAM_LOCAL] = "true"
    try:
        yield
    finally:
        del os.environ[SAM_LOCAL]


def _ensure(resource: CustomResource, request: ResourceRequest) -> Data:
    """Create or update. Raise Superseded instead of anything else if CloudFormation no longer waits for the answer."""
    try:
        data = _retry_what_passes(resource, request)
    except OutOfTime:
        raise
    except Exception as error:
        return _give_up(resource, request, error)
    request.raise_if_superseded()
    return data


def _give_up(resource: CustomResource, request: ResourceRequest, error: Exception) -> Data:
    """Return the answer to a rollback that goes on without this. Raise Superseded; for any other request, the error."""
    request.raise_if_superseded()
    if not request.is_rollback:
        raise error
    logger.warning("the rollback goes on without this", exc_info=error)
    return resource.rolled_back(request, error)


def _retry_what_passes(resource: CustomResource, request: ResourceRequest) -> Data:
    """Create or update. Retry a denial, because IAM takes seconds to apply a policy that has just changed; what
    Organizations refuses because it is being changed, for example by Control Tower; and throttling that lasts longer
    than boto3's own retries, because other tools that react to the same accounts call Organizations too."""
    for pause in PASSES_PAUSES_S:
        try:
            return resource.ensure(request)
        except (ClientError, Refused) as error:
            if not _may_pass(error) and not _may_pass(error.__cause__):
                raise
            request.deadline.pause(pause, error)
            request = replace(request, is_continued=True)
    return resource.ensure(request)


def _may_pass(error: BaseException | None) -> bool:
    return isinstance(error, ClientError) and code_of(error) in {CONCURRENT, *DENIED, *THROTTLED}


def put(url: str, body: bytes) -> str:
    """PUT to CloudFormation's presigned URL. Return why that failed, without the URL; empty: it succeeded."""
    where, problem = urlsplit(url), ""
    target = urlunsplit(("", "", where.path, where.query, ""))
    for attempt in range(ATTEMPTS):
        if attempt:
            waiting.sleep(2.0 ** (attempt - 1))
        try:
            connection = HTTPSConnection(where.netloc, timeout=10)
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
    """Return the id of the first answer, which never changes. A retry of the first request makes the same id."""
    return event.get("PhysicalResourceId") or f"{event['LogicalResourceId']}-{event['StackId'].rpartition('/')[2]}"


def sent_at(event: Mapping[str, Any]) -> float:
    """Return when CloudFormation sent the request, in seconds since 1970.

    Lambda may deliver a request late, or again, and CloudFormation does not wait longer for that. A URL without a time
    counts as made now.
    """
    now, sent = waiting.now(), time_of_url(event)
    return now if sent is None else min(max(sent, now - LONGEST_S), now)


def time_of_url(event: Mapping[str, Any]) -> float | None:
    """Return when CloudFormation made the presigned URL, by its own clock, in seconds since 1970; None: not known.

    https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
    """
    query = parse_qs(urlsplit(event["ResponseURL"]).query)
    try:
        return datetime.strptime(query["X-Amz-Date"][0] + "+0000", "%Y%m%dT%H%M%SZ%z").timestamp()
    except (KeyError, ValueError):
        return None


def _account(context: LambdaContext) -> Account:
    return sessions.current_account(account_id_of(context))


def _request(event: Mapping[str, Any], context: LambdaContext, until: float) -> ResourceRequest:
    account = _account(context)
    stack = OwnStack(account, event["StackId"])
    stack_status = Invocation.of(event).stack_status
    if stack_status is None:
        stack_status = "" if event["RequestType"] == "Delete" else stack.status_if_known()
    return ResourceRequest(
        kind=event["RequestType"],
        request_id=event["RequestId"],
        properties=event["ResourceProperties"],
        account=account,
        deadline=Deadline.of(context).within(until - waiting.now()),
        began=until - LONGEST_S,
        stack=stack,
        stack_status=stack_status,
        old_properties=event.get("OldResourceProperties", {}),
        is_continued=Invocation.of(event).is_continued,
    )
