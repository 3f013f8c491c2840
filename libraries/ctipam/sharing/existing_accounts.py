"""Custom::ShareExistingAccounts: every account has its share when the stack is created or updated, and none after it is
deleted."""

from __future__ import annotations

from collections.abc import Sequence

from ctipam.cloudformation.custom_resource import Data
from ctipam.cloudformation.request import ResourceRequest
from ctipam.errors import OutOfTime
from ctipam.settings import SharingSettings
from ctipam.sharing import lifecycle, reconcile
from ctipam.sharing.networking_account import assume_execution_role


def share(request: ResourceRequest) -> Data:
    run = lifecycle.begin(request.account, SharingSettings.from_environment(), request.deadline)
    result = reconcile.reconcile_everybody(run)
    if result.unfinished:
        raise OutOfTime("there are more accounts")
    result.raise_if_all_failed()
    return result.outputs()


def unshare(request: ResourceRequest) -> Sequence[str]:
    network_account_id = SharingSettings.from_environment().network_account_id
    networking = assume_execution_role(request.account, network_account_id, "unshare")
    reconcile.unshare_everybody(networking, request.deadline)
    return ()
