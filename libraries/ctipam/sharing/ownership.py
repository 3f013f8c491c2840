"""Which shares belong to a stack, and the deletion of all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from botocore.exceptions import ClientError

from ctipam.cloudformation.other_stacks import can_act
from ctipam.errors import AwsFailed
from ctipam.logs import log_decision
from ctipam.sessions import Account
from ctipam.sharing import reader
from ctipam.sharing.apply import apply, cannot_delete_yet
from ctipam.sharing.changes import DeleteShare
from ctipam.sharing.existing import Share
from ctipam.waiting import Deadline

DELETION_PAUSE_S = 4


class ShareOwnership:
    """Decides which shares belong to a stack: its own, and those without a stack that can act."""

    def __init__(self, management: Account, stack_id: str) -> None:
        self._management = management
        self._others_act = {stack_id: False, "": False}

    def filter(self, found: Mapping[str, Sequence[Share]]) -> dict[str, list[Share]]:
        """Return the shares that belong to the stack, by account."""
        by_account = {account_id: [one for one in shares if self._is_ours(one)] for account_id, shares in found.items()}
        return {account_id: shares for account_id, shares in by_account.items() if shares}

    def _is_ours(self, share: Share) -> bool:
        if share.stack_id not in self._others_act:
            self._others_act[share.stack_id] = can_act(self._management, share.stack_id)
        return not self._others_act[share.stack_id]


def unshare_all(networking: Account, ownership: ShareOwnership, deadline: Deadline) -> None:
    """Delete every share of the stack, and wait until AWS has deleted them.

    A share that cannot be deleted does not keep the others. Raises OutOfTime; ClientError after all others are deleted.
    """
    ram = networking.ram()
    while found := ownership.filter(reader.find_all_shares(ram)):
        problem: ClientError | None = None
        for share in [share for of_account in found.values() for share in of_account]:
            deadline.pause(0)
            try:
                apply(ram, DeleteShare(share), {})
            except ClientError as error:
                problem = problem if cannot_delete_yet(error) else error
                continue
            except AwsFailed:  # it is still listed
                continue
            log_decision("deleted share", account=share.account_id, share=share.arn, pools=sorted(share.present))
        if problem:
            raise problem
        deadline.pause(DELETION_PAUSE_S)
        while reader.is_deleting(ram):
            deadline.pause(DELETION_PAUSE_S)
