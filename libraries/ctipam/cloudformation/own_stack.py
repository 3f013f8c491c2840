"""The stack that the functions of the management account belong to: since when it is there, and whether it goes."""

from __future__ import annotations

import threading
from datetime import datetime
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from ctipam import waiting
from ctipam.errors import THROTTLED, StackBeingDeleted, code_of
from ctipam.sessions import Account

if TYPE_CHECKING:
    from types_boto3_cloudformation.type_defs import StackTypeDef

GOING = frozenset({"DELETE_IN_PROGRESS", "DELETE_COMPLETE", "DELETE_FAILED", "ROLLBACK_IN_PROGRESS", "ROLLBACK_FAILED"})
"""An update that is rolled back takes nothing away; a creation that is, takes everything. What has failed is only ever
deleted again, and the shares, which went the first time, are not looked for then.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html"""

BELIEVED_S = 5.0
"""How long an answer is good for, so that a run over all accounts does not ask for each of them."""


class OwnStack:
    def __init__(self, account: Account, stack_id: str) -> None:
        self._account = account
        self._stack_id = stack_id
        self._asked_at = float("-inf")
        self._one_at_a_time = threading.Lock()  # several accounts are at work, and one answer is good for all

    def created(self) -> datetime:
        return self._ask()["CreationTime"]

    def raise_if_being_deleted(self) -> None:
        """Raises StackIsGoing. Asked before something is made that the stack's deletion would not find any more.

        If CloudFormation is asked too often, the last answer stays good: the deletion looks twice.
        """
        with self._one_at_a_time:
            if waiting.now() - self._asked_at >= BELIEVED_S:
                self._refuse_if_going_now()

    def _refuse_if_going_now(self) -> None:
        asked_at = waiting.now()
        try:
            status = self._ask()["StackStatus"]
        except ClientError as error:
            if code_of(error) not in THROTTLED:
                raise
        else:
            if status in GOING:
                raise StackBeingDeleted(f"The stack is {status}, so nothing is shared any more.")
        self._asked_at = asked_at

    def _ask(self) -> StackTypeDef:
        return self._account.cloudformation().describe_stacks(StackName=self._stack_id)["Stacks"][0]
