"""The management account's functions: keep everybody's shares in order, and set the organization up.

Environment of the functions that share:
    NETWORK_ACCOUNT_ID              where the pools are
    OU_MATCH                        nearest: an OU without a pool has that of the OU around it; exact: it has none
    SHARE_WITH_EXISTING_ACCOUNTS    false: accounts that joined the organization before STACK_ID are left alone
    STACK_ID                        ARN of this stack, during whose deletion nobody is shared with any more
"""

from __future__ import annotations

import functools
import json
import os
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from ctipam import events, networking_account, sessions, sharing
from ctipam.errors import AwsFailed, OutOfTime, Refused, StackIsGoing, explain
from ctipam.logs import decided
from ctipam.own_stack import OwnStack
from ctipam.sharing_plan import Rules
from ctipam.waiting import Deadline, LambdaContext

if TYPE_CHECKING:
    from ctipam.custom_resource import Data, Request, Responder

INVOCATIONS = 8
"""How often the function may go on with one request: for two hours, after which the schedule begins anew. Lambda itself
stops a function that invokes itself about 16 times. https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html"""


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Bring the shares in order that an event, the schedule or an operator is about. An error rises, to be retried."""
    try:
        request = events.request_of(event)
    except events.NotForUs as reason:
        decided("ignored event", reason=str(reason))
        return {"ignored": str(reason)}
    except Refused as reason:
        decided("refused payload", reason=str(reason))
        return {"refused": str(reason)}
    try:
        return _answer(request, event, context)
    except StackIsGoing as reason:
        decided("ignored event", reason=str(reason))
        return {"ignored": str(reason)}
    except ClientError as error:
        raise AwsFailed(explain(error)) from error


def _answer(request: events.Request, event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    run = _begin(
        _account_id(context),
        Deadline.of(context),
        dry_run=request.dry_run or request.action == "report",
        share_with_all=request.by_hand and bool(request.account_id),  # whom an operator names is meant
    )
    if request.action == "report":
        return sharing.report(run)
    if request.account_id:
        result = sharing.reconcile_account(run, request.account_id)
    elif request.ou_id:
        result = sharing.reconcile_unit(run, request.ou_id)
    else:
        result = sharing.reconcile_everybody(run)
    if result.unfinished:
        _hand_on(event, context)
    elif not request.by_hand:
        result.raise_if_failed()
    return result.shown()


def _hand_on(event: dict[str, Any], context: LambdaContext) -> None:
    """Go on in another invocation. It needs no place to go on from: it looks, and does what is left."""
    invocation = int(event.get(events.INVOCATION, 1)) + 1
    if invocation > INVOCATIONS:
        raise OutOfTime(f"{INVOCATIONS} invocations were not enough; the schedule goes on.")
    decided("going on in another invocation", invocation=invocation)
    sessions.here().functions().invoke(
        FunctionName=context.invoked_function_arn,
        InvocationType="Event",
        Payload=json.dumps(event | {events.INVOCATION: invocation}).encode(),
    )


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
    from ctipam import cost_controls, organization_setup
    from ctipam.plan import PoolPlan

    management = sessions.here()
    # What the Networking stack would refuse later is refused now, before anything is made.
    plan = PoolPlan.from_properties(request.properties, management.known_regions())
    wanted = organization_setup.Wanted(
        new=request.kind == "Create",
        network_account_id=request.properties["NetworkAccountId"],
        environments=plan.environments,
        exact=request.properties.get("OuMatch") == "exact",
        excluded_ous=request.properties.get("IpamExcludedOus", cost_controls.LEAVE),
    )
    done = organization_setup.set_up(management, request.account_id, wanted)
    return {
        "OrganizationId": done.organization_id,
        "IpamExclusions": done.exclusions,
        "Warnings": done.shown(),
    }


def _leave_set_up(_request: Request) -> None:
    """Other stacks may rely on what was switched on."""


def _share_with_everybody(request: Request) -> Data:
    result = sharing.reconcile_everybody(_begin(request.account_id, request.deadline))
    if result.unfinished:
        raise OutOfTime("there are more accounts")
    result.raise_if_all_failed()
    return result.outputs()


def _unshare_everybody(request: Request) -> None:
    from ctipam import inventory

    networking = networking_account.enter(sessions.here(), os.environ["NETWORK_ACCOUNT_ID"], "unshare")
    inventory.refuse_while_in_use(networking)  # a delete of the pools that is going to fail takes nothing away
    sharing.unshare_everybody(networking, request.deadline)


def _begin(
    management_account_id: str, deadline: Deadline, *, dry_run: bool = False, share_with_all: bool = False
) -> sharing.Sharing:
    management, network_account_id = sessions.here(), os.environ["NETWORK_ACCOUNT_ID"]
    stack = OwnStack(management, os.environ["STACK_ID"])
    leave_alone = not share_with_all and os.environ.get("SHARE_WITH_EXISTING_ACCOUNTS") == "false"
    rules = Rules(
        never=frozenset({management_account_id, network_account_id}),
        exact=os.environ.get("OU_MATCH") == "exact",
        since=stack.created() if leave_alone else None,
    )
    return sharing.begin(management, network_account_id, rules, stack, deadline, dry_run=dry_run)


def _account_id(context: LambdaContext) -> str:
    return context.invoked_function_arn.split(":")[4]
