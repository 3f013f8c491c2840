"""Logs the result of a run."""

from __future__ import annotations

from ctipam.logs import log_decision
from ctipam.sharing.results import AccountResult, SharingResult
from ctipam.sharing.spec import NO_POOL


def log_result(result: SharingResult) -> None:
    """Log each account that changed or was requested alone, each OU without a pool, which OU each environment is, and
    the counts of the run."""
    for account in result.accounts:
        if account.notable or len(result.accounts) == 1:
            _log_account(account, result.dry_run)
    for unit, accounts in result.without_pools.items():
        log_decision(NO_POOL, ou=unit.name if unit else None, ou_id=unit.ou_id if unit else None, accounts=accounts)
    for one in result.environments:
        log_decision("environment", about=one.sentence, **one.to_dict())
    for arn, sentence in result.wrong_rules.items():
        log_decision("changed rule", pool=arn, about=sentence)
    for reason in result.not_taken:
        log_decision("held back", reason=reason)
    log_decision("reconciled", dryRun=result.dry_run, unfinished=result.unfinished, **result.counts())


def _log_account(result: AccountResult, dry_run: bool) -> None:
    row = result.to_dict()
    log_decision(
        "would reconcile account" if dry_run else "reconciled account",
        account=row.pop("accountId"),
        ou=row.pop("organizationalUnit"),
        ou_id=row.pop("organizationalUnitId"),
        **row,
    )
