"""Deletes a custom resource so that the request always ends, and reports what could not be deleted.

CloudFormation deletes the function, its role and its policy after a failed Delete as well, so nobody can try again with
them. A Delete therefore repeats what fails while a repetition may help, leaves the rest, and succeeds. A later
deployment takes over what was left.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import chain, repeat
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from ctipam import waiting
from ctipam.cloudformation import leftovers
from ctipam.cloudformation.request import ResourceRequest
from ctipam.errors import DENIED, AwsFailed, OutOfTime, code_of, explain
from ctipam.logs import log_sentences, logger
from ctipam.messages import Message
from ctipam.sessions import Account

Delete = Callable[[ResourceRequest], Sequence[str]]
"""Returns what was left behind and why, a sentence each. The notes of what it raises say what is left."""

FIRST_PAUSES_S, LATER_PAUSE_S = (5.0, 15.0), 60.0

DENIED_S = 60.0
"""How long an error is retried that does not pass by itself: IAM takes seconds to know a policy that has just changed.
https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency"""


def delete_as_far_as_possible(delete: Delete, request: ResourceRequest) -> list[str]:
    """Delete, and try again after errors. Return what was left behind and why, a sentence each.

    An AWS error is retried until the time is up, any other error for DENIED_S. Raises OutOfTime, for which the error
    that was met last is the cause.
    """
    pauses, lasting_since = chain(FIRST_PAUSES_S, repeat(LATER_PAUSE_S)), None
    while True:
        try:
            return list(delete(request))
        except OutOfTime:
            raise
        except Exception as error:
            problem = error
        pause = next(pauses)
        if _may_pass(problem):
            lasting_since = None
        else:
            lasting_since = waiting.now() if lasting_since is None else lasting_since
            pause = min(pause, lasting_since + DENIED_S - waiting.now())
            if pause <= 0:
                return not_deleted(problem)
        # With the traceback: what is reported later has room for a sentence only.
        logger.warning("retrying the deletion", extra={"reason": explain(problem), "pause_s": pause}, exc_info=problem)
        request.deadline.pause(pause, problem)


def not_deleted(error: BaseException) -> list[str]:
    """Return why the deletion ended before everything was deleted, and what the error's notes say is left, a sentence
    each."""
    cause = error.__cause__ if isinstance(error, OutOfTime) else None
    notes = [*getattr(error, "__notes__", ()), *getattr(cause, "__notes__", ())]
    if isinstance(error, OutOfTime):
        return [f"The time was up before everything was deleted: {explain(cause) if cause else error}", *notes]
    return [f"Not everything was deleted: {explain(error)}", *notes]


def report(account: Account, event: Mapping[str, Any], left: Sequence[str]) -> None:
    """Log what was left behind, and send it to the SNS topic that the resource names as TopicArn. Never fails."""
    log_sentences("left behind", "what", left)
    if topic_arn := event["ResourceProperties"].get("TopicArn"):
        _publish(account, topic_arn, leftovers.message(event["StackId"], event["ResourceType"], left))


def report_kept(request: ResourceRequest, kept: Sequence[str]) -> None:
    """Log what an update had to keep although it is not wanted, and send it to the topic. Never fails."""
    log_sentences("kept what could not be removed", "what", kept)
    if topic_arn := request.properties.get("TopicArn"):
        _publish(request.account, topic_arn, leftovers.message_of_update(request.stack_id, kept))


def _publish(account: Account, topic_arn: str, message: Message) -> None:
    try:
        account.sns().publish(TopicArn=topic_arn, Subject=message.title, Message=message.text)
    except (ClientError, BotoCoreError) as error:
        logger.warning("could not publish what was left behind", extra={"reason": explain(error)})


def _may_pass(error: Exception) -> bool:
    if isinstance(error, ClientError):
        return code_of(error) not in DENIED
    return isinstance(error, AwsFailed | BotoCoreError)
