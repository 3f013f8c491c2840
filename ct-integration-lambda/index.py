"""The management account's functions: share pools with new accounts, set the organization up, share with everybody.

Environment: NETWORK_ACCOUNT_ID of the lifecycle function and of the one that shares with existing accounts.
"""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING, Any

from ctipam import events, sessions, sharing
from ctipam.logs import decided
from ctipam.waiting import Deadline, LambdaContext

if TYPE_CHECKING:
    from ctipam.custom_resource import Data, Request, Responder


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """A Control Tower lifecycle event: bring the account's share to what its OU has. An error rises, to be retried."""
    try:
        account_id = events.account_of(event)
    except events.NotForUs as reason:
        decided("ignored event", reason=str(reason))
        return {"ignored": str(reason)}
    run = _begin(context.invoked_function_arn.split(":")[4], context.aws_request_id, Deadline.of(context))
    return sharing.reconcile_account(run, account_id)


def organization_setup(event: dict[str, Any], context: LambdaContext) -> None:
    """Custom::OrganizationSetup."""
    _responder("Custom::OrganizationSetup")(event, context)


def share_existing_accounts(event: dict[str, Any], context: LambdaContext) -> None:
    """Custom::ShareExistingAccounts: everybody when the stack is created or updated, nobody when it is deleted."""
    _responder("Custom::ShareExistingAccounts")(event, context)


@functools.cache
def _responder(resource_type: str) -> Responder:
    # Here and not above: crhelper makes three clients of its own, and a new account need not wait for them.
    from ctipam.custom_resource import CustomResource, Responder

    resources = {
        "Custom::OrganizationSetup": CustomResource(_set_up, _leave_set_up),
        "Custom::ShareExistingAccounts": CustomResource(_share_with_everybody, _unshare_everybody),
    }
    return Responder({resource_type: resources[resource_type]})


def _set_up(request: Request) -> Data:
    from ctipam import organization_setup
    from ctipam.plan import PoolPlan

    management = sessions.here()
    # What the Networking stack would refuse later is refused now, before anything is made.
    plan = PoolPlan.from_properties(request.properties, management.known_regions())
    network_account_id = request.properties["NetworkAccountId"]
    done = organization_setup.set_up(management, request.account_id, network_account_id, plan.environments)
    return {"OrganizationId": done.organization_id, "Warnings": done.shown()}


def _leave_set_up(_request: Request) -> None:
    """Other stacks may rely on what was switched on."""


def _share_with_everybody(request: Request) -> Data:
    reports = sharing.reconcile_everybody(_begin(request.account_id, request.request_id, request.deadline))
    shared = [report for report in reports if report["pools"]]
    return {"SharedWith": str(len(shared)), "WithoutPools": str(len(reports) - len(shared))}


def _unshare_everybody(request: Request) -> None:
    sharing.unshare_everybody(_begin(request.account_id, request.request_id, request.deadline))


def _begin(management_account_id: str, request_id: str, deadline: Deadline) -> sharing.Sharing:
    return sharing.begin(sessions.here(), management_account_id, os.environ["NETWORK_ACCOUNT_ID"], request_id, deadline)
