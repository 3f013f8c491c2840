"""A request of CloudFormation for a custom resource."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ctipam.client_tokens import client_token
from ctipam.errors import Superseded

if TYPE_CHECKING:
    from ctipam.cloudformation.own_stack import OwnStack
    from ctipam.sessions import Account
    from ctipam.waiting import Deadline

CURRENT_STATUSES = {
    "Create": frozenset({"CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS"}),
    "Update": frozenset({"UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS"}),
}
"""The statuses of a stack that waits for the answer to a request of each kind. An update, and its rollback, also create
resources. https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html"""


SAME_UPDATE_S = 5.0
"""An update that begins so long after a request was sent is not the one that sent it. The presigned URL has the time of
the request in whole seconds."""


@dataclass(frozen=True)
class ResourceRequest:
    """What CloudFormation requests, and where and until when the function can work on it.

    kind           Create, Update or Delete
    request_id     the same each time that Lambda delivers the request
    properties     ResourceProperties; every value is text, or a list or map of text
    account        the account that the function runs in
    deadline       when this invocation has to stop
    began          when the request was sent, in seconds since 1970
    stack          the stack that the function belongs to
    old_properties ResourceProperties of the request before an Update; empty otherwise
    stack_status   its status when the first invocation for this request began; empty: it could not be read
    is_continued   whether an earlier invocation or attempt may have done a part of the work
    """

    kind: str
    request_id: str
    properties: Mapping[str, Any]
    account: Account
    deadline: Deadline
    began: float
    stack: OwnStack
    stack_status: str
    old_properties: Mapping[str, Any] = field(default_factory=dict)
    is_continued: bool = False

    @property
    def stack_id(self) -> str:
        """Return the ARN of the stack."""
        return self.stack.stack_id

    @property
    def is_rollback(self) -> bool:
        """Return whether the request restores the properties before an update that failed. Refuse as little as possible
        then: the stack would be left in UPDATE_ROLLBACK_FAILED."""
        return self.kind == "Update" and self.stack_status == "UPDATE_ROLLBACK_IN_PROGRESS"

    def token(self, *parts: object) -> str:
        """Return a client token: the same for the same creation of this request."""
        return client_token(self.request_id, *parts)

    def raise_if_superseded(self) -> None:
        """Raise Superseded if the stack no longer waits for the answer to this request.

        CloudFormation rolls back and deletes while a function still works on an earlier request. A Delete is never
        superseded. If the status cannot be read, nothing is known and nothing is raised. The status is read at most
        every 5 seconds.
        """
        if self.kind == "Delete":
            return
        status = self.stack.status_if_known()
        changed = self.stack_status not in ("", status)
        if status and (changed or status not in CURRENT_STATUSES[self.kind]):
            raise Superseded(f"The stack is {status} and no longer waits for this {self.kind}.")

    def raise_if_sent_before_the_update(self, sent: float | None) -> None:
        """Raise Superseded if the stack has begun another update since it sent this request.

        Lambda may deliver a request again, or late, when the stack has the same status as before. Called when the first
        invocation has just read the status. Not for the next ones: the invocation before has seen the stack wait, and
        whether AWS changes LastUpdatedTime for anything else, for example termination protection, is not documented.

        sent   when, by CloudFormation's own clock, as LastUpdatedTime is; None: it is not known, and nothing is raised
        """
        if self.kind != "Delete" and sent is not None and self.stack.is_updated_since(sent + SAME_UPDATE_S):
            raise Superseded(f"The stack has begun another update since it sent this {self.kind}.")
