"""Custom::ShareExistingAccounts: shares with every account on Create and Update, deletes all shares on Delete."""

from __future__ import annotations

from collections.abc import Sequence

from ctipam.cloudformation.custom_resource import Data
from ctipam.cloudformation.request import ResourceRequest
from ctipam.errors import OutOfTime, StackBeingDeleted
from ctipam.networking_account import assume_execution_role
from ctipam.settings import SharingSettings
from ctipam.sharing import lifecycle, reconcile
from ctipam.sharing.ownership import ShareOwnership, unshare_all
from ctipam.sharing.session_policy import session_policy


def share(request: ResourceRequest) -> Data:
    """Give every account its share.

    Pools that are held back fail no stack operation, which would be rolled back and might not be able to undo what it
    has changed: the scheduled run fails, and tells, until they are taken away or given again.
    """
    run = lifecycle.start_run(
        request.account, SharingSettings.from_environment(), request.deadline, for_request=request
    )
    try:
        result = reconcile.reconcile_all(run)
    except StackBeingDeleted:
        request.raise_if_superseded()
        raise
    if result.unfinished:
        raise OutOfTime("there are more accounts")
    result.raise_if_all_failed()
    return result.outputs()


def unshare(request: ResourceRequest) -> Sequence[str]:
    """Delete the shares of the stack. VPCs that were created from the pools stay as they are."""
    network_account_id = SharingSettings.from_environment().network_account_id
    policy = session_policy(request.account.partition, request.account.region, network_account_id, "unshare")
    networking = assume_execution_role(request.account, network_account_id, policy)
    unshare_all(networking, ShareOwnership(request.account, request.stack_id), request.deadline)
    return ()
