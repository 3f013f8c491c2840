"""Reconciles the shares of one account, of the accounts in an OU, or of all accounts with the organization.

A run reads the account's OU from AWS Organizations and not from the event, so events may arrive twice, late or out of
order. For all accounts, a run lists the organization first and then the shares. A share whose account is not in the
list belongs to a new account, or to one that has left.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ctipam.organization import reader as organization
from ctipam.sharing import reader
from ctipam.sharing.existing import Share
from ctipam.sharing.places import Places
from ctipam.sharing.results import SharingResult
from ctipam.sharing.rounds import ReadShares, ShareReconciliation
from ctipam.sharing.run import SharingRun


def reconcile_account(run: SharingRun, account_id: str) -> SharingResult:
    """Reconcile one account. Raises AWS's errors of reading; here and below, the result has the errors of changes."""
    ram = run.networking.ram()

    def read_shares(created: Mapping[str, Share]) -> Mapping[str, Sequence[Share]]:
        known = created.get(account_id)
        return {account_id: reader.reread_share(ram, known) if known else reader.find_shares(ram, account_id)}

    return ShareReconciliation(run, read_shares, Places(run)).run([account_id])


def reconcile_ou(run: SharingRun, ou_id: str) -> SharingResult:
    """Reconcile the accounts in an OU and in its nested OUs."""
    places = Places(run, lambda: organization.read_below(run.management.organizations(), ou_id))
    return ShareReconciliation(run, _read_all(run), places).run(places.listed)


def reconcile_all(run: SharingRun) -> SharingResult:
    """Reconcile every account of the organization, and every other account that has a share."""
    places = Places(run, lambda: organization.read_all(run.management.organizations()), complete=True)
    return ShareReconciliation(run, _read_all(run), places).run(None)


def _read_all(run: SharingRun) -> ReadShares:
    return lambda _created: reader.find_all_shares(run.networking.ram())
