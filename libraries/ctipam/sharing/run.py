"""One run: both accounts, the existing pools, and the rules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ctipam import names
from ctipam.cloudformation.own_stack import OwnStack
from ctipam.networking_account import assume_execution_role
from ctipam.sessions import Account
from ctipam.settings import SharingSettings
from ctipam.sharing import reader
from ctipam.sharing.brake import Brake
from ctipam.sharing.changes import NO_TAG_CHANGES
from ctipam.sharing.existing import Share
from ctipam.sharing.reader import FoundPools
from ctipam.sharing.session_policy import Access, session_policy
from ctipam.sharing.spec import Environments, Rules
from ctipam.tags import TagChanges, tag_changes, with_stack_tags
from ctipam.waiting import Deadline

if TYPE_CHECKING:
    from ctipam.cloudformation.request import ResourceRequest


@dataclass(frozen=True)
class SharingRun:
    """One run.

    brake         how many accounts may lose pools
    dry_run       change nothing; the result is a preview
    for_request   the run answers a stack operation: it keeps the tags of the shares in step with the stack's, waits
                  until RAM is ready, and stops when the request is superseded
    by_hand       an operator reads the result, which therefore names the OU of each account
    continued     another invocation, or attempt, has just stopped in the middle: RAM may not list yet what that one
                  added last
    """

    management: Account
    networking: Account
    pools: FoundPools
    rules: Rules
    stack: OwnStack
    deadline: Deadline
    brake: Brake
    dry_run: bool = False
    for_request: ResourceRequest | None = None
    by_hand: bool = False
    continued: bool = False

    @property
    def environments(self) -> Environments:
        return self.pools.environments

    def create_tags(self) -> dict[str, str]:
        """Return the tags of a new share: those of the stack, and the one that names the stack."""
        return with_stack_tags({names.STACK_TAG: self.stack.stack_id}, self.stack.tags())

    def tag_changes(self, share: Share) -> TagChanges:
        """Return the tag changes that an existing share needs."""
        changes = tag_changes(share.tags, self.stack.tags()) if self.for_request else NO_TAG_CHANGES
        if share.stack_id == self.stack.stack_id:
            return changes
        return TagChanges({**changes.add, names.STACK_TAG: self.stack.stack_id}, changes.remove)


def start_run(
    management: Account,
    settings: SharingSettings,
    deadline: Deadline,
    *,
    dry_run: bool = False,
    share_with_all: bool = False,
    unshare: bool = False,
    for_request: ResourceRequest | None = None,
    by_hand: bool = False,
    continued: bool = False,
) -> SharingRun:
    """Start a run with the function's settings: assume the role in the Networking account and read the pools.

    share_with_all   also with existing accounts, whatever the settings say
    unshare          take pools away from any number of accounts
    """
    network_account_id = settings.network_account_id
    access: Access = "read" if dry_run else "share"
    policy = session_policy(management.partition, management.region, network_account_id, access)
    networking = assume_execution_role(management, network_account_id, policy)
    stack = for_request.stack if for_request else OwnStack(management, settings.stack_id)
    spares_existing = not share_with_all and not settings.share_with_existing_accounts
    rules = Rules(
        never=frozenset({management.account_id, network_account_id}),
        exact=settings.exact,
        since=stack.created() if spares_existing else None,
    )
    return SharingRun(
        management,
        networking,
        reader.find_pools(networking),
        rules,
        stack,
        deadline,
        Brake(settings.unshare_limit, permitted=unshare),
        dry_run,
        for_request,
        by_hand,
        continued,
    )
