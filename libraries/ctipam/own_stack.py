"""The stack that the functions of the management account belong to: since when it is there, and whether it goes."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from ctipam import waiting
from ctipam.errors import StackIsGoing
from ctipam.sessions import Account

if TYPE_CHECKING:
    from types_boto3_cloudformation.type_defs import StackTypeDef

GOING = frozenset({"DELETE_IN_PROGRESS", "DELETE_COMPLETE", "ROLLBACK_IN_PROGRESS"})
"""An update that is rolled back takes nothing away; a creation that is, takes everything.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html"""

BELIEVED_S = 5.0
"""How long an answer is good for, so that a run over all accounts does not ask for each of them."""


class OwnStack:
    def __init__(self, account: Account, stack_id: str) -> None:
        self._account = account
        self._stack_id = stack_id
        self._asked_at = float("-inf")

    def created(self) -> datetime:
        return self._ask()["CreationTime"]

    def refuse_if_going(self) -> None:
        """Raises StackIsGoing. Asked before something is made that the stack's deletion would not find any more."""
        if waiting.now() - self._asked_at < BELIEVED_S:
            return
        status = self._ask()["StackStatus"]
        if status in GOING:
            raise StackIsGoing(f"The stack is {status}, so nothing is shared any more.")
        self._asked_at = waiting.now()

    def _ask(self) -> StackTypeDef:
        return self._account.stacks().describe_stacks(StackName=self._stack_id)["Stacks"][0]
