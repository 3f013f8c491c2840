"""Custom::ShareExistingAccounts: shares with every account on Create and Update, deletes all shares on Delete."""

from __future__ import annotations

from collections.abc import Sequence

from ctipam.cloudformation.custom_resource import Data
from ctipam.cloudformation.request import ResourceRequest
from ctipam.errors import OutOfTime
from ctipam.pools import reader
from ctipam.settings import SharingSettings
from ctipam.sharing import lifecycle, reconcile
from ctipam.sharing.networking_account import assume_execution_role


def share(request: ResourceRequest) -> Data:
    """Give every account its share."""
    run = lifecycle.start_run(request.account, SharingSettings.from_environment(), request.deadline)
    result = reconcile.reconcile_all(run)
    if result.unfinished:
        raise OutOfTime("there are more accounts")
    result.raise_if_all_failed()
    return result.outputs()


def unshare(request: ResourceRequest) -> Sequence[str]:
    """Delete all shares. Raises Refused if a pool is in use: its deletion would fail, so nothing is removed."""
    network_account_id = SharingSettings.from_environment().network_account_id
    networking = assume_execution_role(request.account, network_account_id, "unshare")
    reader.refuse_while_in_use(networking)
    reconcile.unshare_all(networking, request.deadline)
    return ()
