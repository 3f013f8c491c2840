"""The lifecycle function: handles an event and returns the answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from ctipam.errors import AwsFailed, OutOfTime, Refused, StackBeingDeleted, explain
from ctipam.invocation import MAX_INVOCATIONS, Invocation, LambdaContext, continue_in_another_invocation
from ctipam.logs import log_decision
from ctipam.organization import events
from ctipam.sessions import Account
from ctipam.settings import SharingSettings
from ctipam.sharing import reconcile
from ctipam.sharing.run import start_run
from ctipam.waiting import Deadline


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
        continued=Invocation.of(event).is_continued,
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
