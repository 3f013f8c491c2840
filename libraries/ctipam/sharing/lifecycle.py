"""The lifecycle function: handles an event and returns the answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from ctipam.cloudformation.own_stack import OwnStack
from ctipam.errors import AwsFailed, OutOfTime, Refused, StackBeingDeleted, explain
from ctipam.invocation import MAX_INVOCATIONS, Invocation, LambdaContext, continue_in_another_invocation
from ctipam.logs import log_decision
from ctipam.organization import events
from ctipam.sessions import Account
from ctipam.settings import SharingSettings
from ctipam.sharing import reconcile
from ctipam.sharing import run as runs
from ctipam.sharing.brake import Brake
from ctipam.sharing.run import SharingRun
from ctipam.sharing.spec import Rules
from ctipam.waiting import Deadline

if TYPE_CHECKING:
    from ctipam.cloudformation.request import ResourceRequest


def handle(
    management: Account, settings: SharingSettings, event: Mapping[str, Any], context: LambdaContext
) -> dict[str, Any]:
    """Reconcile the shares that the event is about. Raises errors, so that Lambda retries the event."""
    try:
        request = events.request_of(event)
    except events.NotForUs as reason:
        return _ignored(reason)
    except Refused as reason:
        log_decision("refused payload", reason=str(reason))
        return {"refused": str(reason)}
    try:
        return _answer(management, settings, request, event, context)
    except StackBeingDeleted as reason:
        return _ignored(reason)
    except ClientError as error:
        raise AwsFailed(explain(error)) from error


def _ignored(reason: Exception) -> dict[str, Any]:
    log_decision("ignored event", reason=str(reason))
    return {"ignored": str(reason)}


def _answer(
    management: Account,
    settings: SharingSettings,
    request: events.LifecycleRequest,
    event: Mapping[str, Any],
    context: LambdaContext,
) -> dict[str, Any]:
    run = start_run(
        management,
        settings,
        Deadline.of(context),
        dry_run=request.dry_run or request.action == "report",
        share_with_all=request.by_hand and bool(request.account_id),  # an operator has named the account
        unshare=request.unshare,
        by_hand=request.by_hand,
    )
    if request.action == "report":
        # Imported here, as `notify` is: a new account need not wait for what only others need.
        from ctipam.sharing.report import report

        return report(run)
    if request.account_id:
        result = reconcile.reconcile_account(run, request.account_id)
    elif request.ou_id:
        result = reconcile.reconcile_ou(run, request.ou_id)
    else:
        result = reconcile.reconcile_all(run)
    if result.unfinished and not result.dry_run:  # of a dry run, the next invocation would have no reader
        if Invocation.of(event).is_last:
            raise OutOfTime(f"{MAX_INVOCATIONS} invocations were not enough; the schedule continues.")
        # The next invocation reads everything again, so it needs nothing but the event.
        continue_in_another_invocation(management, event, context)
        return result.to_dict()
    if request.is_scheduled:
        from ctipam.sharing import notify

        notify.send(management, settings, result)
    if not request.by_hand:
        result.raise_if_failed()
    return result.to_dict()


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
) -> SharingRun:
    """Start a run with the function's settings.

    share_with_all   also with existing accounts, whatever the settings say
    unshare          take pools away from any number of accounts
    by_hand          an operator reads the result
    """
    stack = for_request.stack if for_request else OwnStack(management, settings.stack_id)
    spares_existing = not share_with_all and not settings.share_with_existing_accounts
    rules = Rules(
        never=frozenset({management.account_id, settings.network_account_id}),
        exact=settings.exact,
        since=stack.created() if spares_existing else None,
    )
    brake = Brake(settings.unshare_limit, permitted=unshare)
    return runs.start_run(
        management,
        settings.network_account_id,
        rules,
        stack,
        deadline,
        brake,
        dry_run=dry_run,
        for_request=for_request,
        by_hand=by_hand,
    )
