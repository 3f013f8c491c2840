"""Custom::ShareExistingAccounts: shares with every account on Create and Update, deletes all shares on Delete."""

from __future__ import annotations

from collections.abc import Sequence

from ctipam.cloudformation.custom_resource import Data
from ctipam.cloudformation.outputs import NO_WARNINGS, warnings_output
from ctipam.cloudformation.request import ResourceRequest
from ctipam.errors import OutOfTime, explain
from ctipam.networking_account import assume_execution_role
from ctipam.organization.deployments import warnings_of_networking
from ctipam.settings import SharingSettings
from ctipam.sharing import reconcile
from ctipam.sharing.ownership import ShareOwnership, unshare_all
from ctipam.sharing.results import SharingResult
from ctipam.sharing.run import start_run
from ctipam.sharing.session_policy import session_policy


def share(request: ResourceRequest) -> Data:
    """Give every account its share.

    Pools that are held back fail no stack operation, which would be rolled back and might not be able to undo what it
    has changed: the scheduled run fails, and tells, until they are taken away or given again.
    """
    run = start_run(
        request.account,
        SharingSettings.from_environment(),
        request.deadline,
        for_request=request,
        continued=request.is_continued,
    )
    result = reconcile.reconcile_all(run)
    if result.unfinished:
        raise OutOfTime("there are more accounts")
    result.raise_if_all_failed()
    return {**result.outputs(), "Warnings": _warnings(request)}


def rolled_back(_request: ResourceRequest, error: Exception) -> Data:
    """Return the outputs of a rollback that could not share: the scheduled run does it, and tells until it succeeds."""
    unknown = dict.fromkeys(SharingResult(()).outputs(), "unknown")
    return {**unknown, "Warnings": warnings_output([explain(error)])}


def _warnings(request: ResourceRequest) -> str:
    """Return the warnings of the whole deployment: those of Custom::OrganizationSetup, and the Networking account's."""
    network_account_id = SharingSettings.from_environment().network_account_id
    of_setup = request.properties.get("SetupWarnings", NO_WARNINGS)
    of_networking = warnings_of_networking(request.account, network_account_id)
    return warnings_output(text for text in (of_setup, of_networking) if text != NO_WARNINGS)


def unshare(request: ResourceRequest) -> Sequence[str]:
    """Delete the shares of the stack. VPCs that were created from the pools stay as they are."""
    network_account_id = SharingSettings.from_environment().network_account_id
    policy = session_policy(request.account.partition, request.account.region, network_account_id, "unshare")
    networking = assume_execution_role(request.account, network_account_id, policy)
    unshare_all(networking, ShareOwnership(request.account, request.stack_id), request.deadline)
    return ()
