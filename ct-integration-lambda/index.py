"""The management account's functions: sharing the pools with accounts, and setting the organization up."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from ctipam import sessions
from ctipam.invocation import account_id_of
from ctipam.settings import SharingSettings
from ctipam.sharing import lifecycle

if TYPE_CHECKING:
    from ctipam.cloudformation.custom_resource import Responder
    from ctipam.invocation import LambdaContext


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Handle an event, a tick of the schedule, or an operator's payload."""
    account = sessions.current_account(account_id_of(context))
    return lifecycle.handle(account, SharingSettings.from_environment(), event, context)


def organization_setup(event: dict[str, Any], context: LambdaContext) -> None:
    """Custom::OrganizationSetup."""
    _responder("Custom::OrganizationSetup")(event, context)


def share_existing_accounts(event: dict[str, Any], context: LambdaContext) -> None:
    """Custom::ShareExistingAccounts."""
    _responder("Custom::ShareExistingAccounts")(event, context)


@functools.cache
def _responder(resource_type: str) -> Responder:
    # Imported here: crhelper creates three clients of its own, and a new account need not wait for them.
    from ctipam.cloudformation.custom_resource import CustomResource, Responder

    if resource_type == "Custom::OrganizationSetup":
        from ctipam.organization import setup

        return Responder({resource_type: CustomResource(setup.ensure, delete=None, rolled_back=setup.rolled_back)})
    from ctipam.sharing import existing_accounts

    sharing = CustomResource(existing_accounts.share, existing_accounts.unshare, existing_accounts.rolled_back)
    return Responder({resource_type: sharing})
