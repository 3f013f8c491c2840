"""The stack that the function belongs to: its status, parameters and tags, and when it was created."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from ctipam import waiting
from ctipam.cloudformation.described import parameters_of, tags_of
from ctipam.errors import THROTTLED, StackBeingDeleted, code_of
from ctipam.sessions import Account

if TYPE_CHECKING:
    from types_boto3_cloudformation.type_defs import StackTypeDef

BEING_DELETED = frozenset(
    {"DELETE_IN_PROGRESS", "DELETE_COMPLETE", "DELETE_FAILED", "ROLLBACK_IN_PROGRESS", "ROLLBACK_FAILED"}
)
"""Rolling an update back removes nothing; rolling a creation back removes everything. After a failure, the stack can
only be deleted again, and that does not look for shares, which the first deletion removed.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html"""

SETTLED = frozenset(
    {"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE", "IMPORT_ROLLBACK_COMPLETE"}
)
"""No operation is in progress, and the parameters are those of the resources: after a rollback, the previous ones.
https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_RollbackStack.html"""

BELIEVED_S = 5.0
"""How long a status is used before it is read again, so that a run over all accounts does not read it for each."""


@dataclass(frozen=True)
class Snapshot:
    """What one answer of DescribeStacks says of a stack. An operation changes it when it begins and when it ends.

    updated      when the last update began; empty: there was none
    parameters   those with their defaults too; a list is text
    tags         without those that AWS adds
    """

    status: str
    updated: str
    parameters: Mapping[str, str]
    tags: Mapping[str, str]

    @property
    def is_settled(self) -> bool:
        return self.status in SETTLED


class OwnStack:
    """Reads the stack with DescribeStacks, which the function's role must allow.

    stack_id     ARN of the stack, in the account and its home Region
    believed_s   how long a status is used before it is read again
    """

    def __init__(self, account: Account, stack_id: str, believed_s: float = BELIEVED_S) -> None:
        self.stack_id = stack_id
        self._account = account
        self._believed_s = believed_s
        self._asked_at = float("-inf")
        self._last: StackTypeDef | None = None
        self._one_at_a_time = threading.Lock()  # several threads share one answer

    def created(self) -> datetime:
        return self._remembered()["CreationTime"]

    def tags(self) -> dict[str, str]:
        """Return the tags of the stack, without those that AWS adds. Read once. Raises ClientError."""
        return tags_of(self._remembered())

    def snapshot(self) -> Snapshot:
        """Return the stack as it is, at most believed_s seconds old. Raises ClientError."""
        with self._one_at_a_time:
            is_old = waiting.now() - self._asked_at >= self._believed_s
            last = self._read() if is_old or self._last is None else self._last
        return Snapshot(
            status=last["StackStatus"],
            updated=str(last.get("LastUpdatedTime", "")),
            parameters=parameters_of(last),
            tags=tags_of(last),
        )

    def status(self) -> str:
        """Return the status, at most believed_s seconds old. Raises ClientError."""
        return self.snapshot().status

    def status_if_known(self) -> str:
        """Return the status as `status` does; after a ClientError, the last one known, or an empty text."""
        try:
            return self.status()
        except ClientError:
            return self._keep_last()

    def is_updated_since(self, seconds: float) -> bool:
        """Return whether the last update that is known began after this time, in seconds since 1970. Reads nothing."""
        with self._one_at_a_time:
            updated = self._last.get("LastUpdatedTime") if self._last else None
        return updated is not None and updated.timestamp() > seconds

    def raise_if_being_deleted(self) -> None:
        """Raise StackBeingDeleted if the deletion of the stack would no longer find what is made now.

        If CloudFormation throttles the call, the last status is used: the deletion waits for what is still being made.
        Raises ClientError.
        """
        try:
            status = self.status()
        except ClientError as error:
            if code_of(error) not in THROTTLED:
                raise
            status = self._keep_last()
        if status in BEING_DELETED:
            raise StackBeingDeleted(f"The stack is {status}, so nothing is shared any more.")

    def _remembered(self) -> StackTypeDef:
        with self._one_at_a_time:
            return self._last or self._read()

    def _read(self) -> StackTypeDef:
        asked_at = waiting.now()
        self._last = self._account.cloudformation().describe_stacks(StackName=self.stack_id)["Stacks"][0]
        self._asked_at = asked_at
        return self._last

    def _keep_last(self) -> str:
        """Use the last status for another believed_s seconds; return it."""
        with self._one_at_a_time:
            self._asked_at = waiting.now()
            return self._last["StackStatus"] if self._last else ""
