"""A request of CloudFormation for a custom resource."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ctipam.client_tokens import client_token

if TYPE_CHECKING:
    from ctipam.sessions import Account
    from ctipam.waiting import Deadline


@dataclass(frozen=True)
class ResourceRequest:
    """What CloudFormation requests, and where and until when the function can work on it.

    kind         Create, Update or Delete
    stack_id     ARN of the stack
    request_id   the same each time that Lambda delivers the request
    properties   ResourceProperties; every value is text, or a list or map of text
    account      the account that the function runs in
    deadline     when this invocation has to stop
    """

    kind: str
    stack_id: str
    request_id: str
    properties: Mapping[str, Any]
    account: Account
    deadline: Deadline

    def token(self, *parts: object) -> str:
        """Return a client token: the same for the same creation of this request."""
        return client_token(self.request_id, *parts)
