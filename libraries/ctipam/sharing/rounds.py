"""Rounds of reading, comparing and applying, until no change is left: AWS takes its time with each association, and two
handlers may work on the same account.

What a run knows of an account's place may be minutes old, and the handler of an event may meanwhile have changed the
account's share. So a run reads the place of an account again before it takes pools away from it, and once more after
every change that it has made; a place that has changed means further rounds. When a run ends, it has seen the place of
each account that it changed after the last change.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from botocore.exceptions import ClientError

from ctipam import waiting
from ctipam.errors import DENIED, REASON_LIMIT, SHARING, UNREACHABLE, AwsFailed, OutOfTime, code_of, explain, fit
from ctipam.organization.environments import EnvironmentOu, if_accounts_have_its_pools
from ctipam.sharing.apply import apply, cannot_delete_yet
from ctipam.sharing.brake import held_back
from ctipam.sharing.changes import (
    Associate,
    CreateShare,
    DeleteShare,
    Disassociate,
    ShareChange,
    ShareChanges,
    share_changes,
)
from ctipam.sharing.doubtful import DoubtfulPool, no_pools, why_unlisted
from ctipam.sharing.existing import Share
from ctipam.sharing.ownership import ShareOwnership
from ctipam.sharing.places import WORKERS, Places
from ctipam.sharing.reader import is_there
from ctipam.sharing.result_log import log_result
from ctipam.sharing.results import AccountResult, SharingResult
from ctipam.sharing.run import SharingRun
from ctipam.sharing.spec import ShareSpec, share_spec, wrong_rules
from ctipam.sharing.unlisted import Accepted, with_unlisted

PAUSES_S = (4, 4, 4, 8, 8, 16, 16)
"""Seconds between rounds. AWS completes the rest on its own, and the next run checks it. The first pause is long enough
for most associations, because each round costs calls."""

FAILED_LIMIT = REASON_LIMIT - 55
"""Characters of the reason for an account. A request that fails names the account and the number of failures too."""

PERHAPS_CONCURRENT = frozenset(
    {"InvalidStateTransitionException", "InvalidParameterException", "UnknownResourceException"}
)
"""Errors of a change that another handler has just made, or of an account that has just left the organization. A change
that AWS refuses twice is a failure, unless it is a deletion that has to wait."""

RAM_SETTLES_S, RAM_PAUSE_S = 300.0, 15.0
"""How long RAM may refuse to share after sharing with the organization was enabled, and how often it is asked.
https://docs.aws.amazon.com/ram/latest/userguide/troubleshooting.html"""

ReadShares = Callable[[Mapping[str, Share]], Mapping[str, Sequence[Share]]]
"""Reads the shares of the accounts in question. Takes the shares that this run has created, by account."""


class ShareReconciliation:
    """Repeats rounds of reading, comparing and applying. places: read before the shares are."""

    def __init__(self, run: SharingRun, read_shares: ReadShares, places: Places) -> None:
        self._run = run
        self._read_shares = read_shares
        self._places = places
        self._existing = frozenset(pool.arn for pools in run.environments.values() for pool in pools)
        self._results: dict[str, AccountResult] = {}
        self._accepted: dict[str, Accepted] = {}  # by account, for those that were changed
        self._refused: set[str] = set()  # accounts for which RAM has refused a change
        self._unconfirmed: set[str] = set()  # accounts that were changed since their place was read
        self._losers: dict[str, str] = {}  # accounts that lose pools in this run -> why
        self._present: dict[str, frozenset[str]] = {}  # account -> pools that it has, at the last look
        self._unlisted: dict[str, str] = {}  # pools of shares that AWS has not listed -> why they are in doubt, if so
        self._unfinished = False
        self._ownership = ShareOwnership(run.management, run.stack.stack_id)
        self._ram_settles_until = waiting.now() + (RAM_SETTLES_S if run.for_request else 0)
        self._ram_is_unready = False

    def run(self, account_ids: Collection[str] | None) -> SharingResult:
        """Reconcile these accounts. None: all accounts that were listed, and all that have a share."""
        if account_ids is None or account_ids:
            self._repeat_until_places_agree(account_ids)
        brake = self._run.brake
        result = SharingResult(
            accounts=[self._results[account_id] for account_id in sorted(self._results)],
            environments=self._environments(),
            doubtful=self._doubtful(),
            wrong_rules=wrong_rules(self._run.environments),
            held_back=held_back(self._losers, brake.limit) if brake.holds(len(self._losers)) else "",
            dry_run=self._run.dry_run,
            unfinished=self._unfinished,
        )
        log_result(result)
        return result

    def _environments(self) -> list[EnvironmentOu]:
        shared = frozenset[str]().union(*self._present.values())
        pools = self._run.environments
        return [
            if_accounts_have_its_pools(one) if any(pool.arn in shared for pool in pools[one.environment]) else one
            for one in self._places.environments.decided.values()
        ]

    def _doubtful(self) -> list[DoubtfulPool]:
        """Return the pools in doubt that accounts have, or one for all pools if AWS lists none."""
        why = {**self._run.pools.doubtful, **self._unlisted}
        counts = Counter(arn for arns in self._present.values() for arn in arns if why.get(arn))
        if not counts and not self._run.environments and (accounts := sum(map(bool, self._present.values()))):
            why_all = no_pools(self._run.stack.stack_id)
            return [DoubtfulPool(why_all, accounts)]
        return [DoubtfulPool(why[arn], accounts) for arn, accounts in sorted(counts.items())]

    def _repeat_until_places_agree(self, account_ids: Collection[str] | None) -> None:
        try:
            if self._run.continued:
                self._run.deadline.pause(waiting.LISTED_LATE_S)
            self._repeat_rounds(account_ids)
            while self._unconfirmed and not self._unfinished and self._places_have_changed():
                self._repeat_rounds(account_ids)
        except OutOfTime:
            self._unfinished = True

    def _places_have_changed(self) -> bool:
        """Read the places of all accounts that were changed. Return whether one of them is to have other pools."""
        changed = sorted(self._unconfirmed)
        self._run.deadline.pause(0)
        self._places.read_again(changed)
        self._unconfirmed.clear()
        moved = [account_id for account_id in changed if self._is_to_have_others(account_id)]
        for account_id in moved:
            self._results[account_id].failed = ""  # what failed was for a place where it no longer is
            self._accepted_for(account_id).requested.clear()
            self._refused.discard(account_id)
        return bool(moved)

    def _is_to_have_others(self, account_id: str) -> bool:
        before = self._results[account_id].spec
        return self._spec_of(account_id, has_share=True).pools != before.pools

    def _repeat_rounds(self, account_ids: Collection[str] | None) -> None:
        pauses = iter(PAUSES_S)
        while True:
            self._ram_is_unready = False
            found = self._ownership.filter(self._read())
            if self._run.environments:  # else nobody loses anything
                self._look_for_unlisted(found)
            everybody = set(self._places.listed) | found.keys() | self._results.keys()
            accounts = everybody if account_ids is None else account_ids
            changes = self._compare(found, accounts)
            if self._run.dry_run or not self._apply_all(changes):
                return
            busy = [account_id for account_id, of_account in changes.items() if self._is_busy(account_id, of_account)]
            pause = RAM_PAUSE_S if self._ram_is_unready else next(pauses, None)
            if not busy or not self._wait(pause, busy):
                return

    def _read(self) -> dict[str, Sequence[Share]]:
        """Return the shares by account, with what RAM does not list yet."""
        created = {account_id: one.created for account_id, one in self._accepted.items() if one.created}
        found = dict(self._read_shares(created))
        for account_id, accepted in self._accepted.items():
            if shares := with_unlisted(found.get(account_id, ()), accepted, waiting.now()):
                found[account_id] = shares
        return found

    def _look_for_unlisted(self, found: Mapping[str, Sequence[Share]]) -> None:
        """Ask for each pool of the shares that was not in AWS's list. One that is there all the same is in doubt."""
        shared = frozenset[str]().union(*map(_present, found.values()))
        for arn in sorted(shared - self._existing - self._run.pools.listed - self._unlisted.keys()):
            self._run.deadline.pause(0)
            self._unlisted[arn] = why_unlisted(arn) if is_there(self._run.networking, arn) else ""

    def _accepted_for(self, account_id: str) -> Accepted:
        return self._accepted.get(account_id, Accepted())

    # Comparing

    def _compare(self, found: Mapping[str, Sequence[Share]], account_ids: Collection[str]) -> dict[str, ShareChanges]:
        """Return the changes of the accounts that need any."""
        if refused := self._refused - self._places.fresh:
            self._places.read_again(refused)
        in_turn = self._places.by_ou(account_ids)
        specs = {account_id: self._decide(account_id, found.get(account_id, ())) for account_id in in_turn}
        self._brake(specs, found)
        changes: dict[str, ShareChanges] = {}
        for account_id, spec in specs.items():
            shares = found.get(account_id, ())
            self._present[account_id] = _present(shares)
            of_account = share_changes(spec, shares, self._run.tag_changes)
            result = self._results.setdefault(account_id, AccountResult(spec))
            result.spec = spec
            result.failed = result.failed or self._late_failure(account_id, shares)
            if self._run.dry_run:
                result.preview(shares, of_account)
            if (of_account.apply_now or of_account.in_progress) and not result.failed:
                changes[account_id] = of_account
        return changes

    def _decide(self, account_id: str, shares: Sequence[Share]) -> ShareSpec:
        self._places.decide_environments(self._places.of(account_id), _present(shares))
        return self._spec_of(account_id, has_share=bool(shares))

    def _spec_of(self, account_id: str, *, has_share: bool) -> ShareSpec:
        location, environments = self._places.of(account_id), self._places.environments.known
        spec = share_spec(account_id, location, environments, self._run.rules, has_share)
        return replace(spec, kept=spec.kept | {arn for arn, why in self._unlisted.items() if why})

    def _brake(self, specs: dict[str, ShareSpec], found: Mapping[str, Sequence[Share]]) -> None:
        """Find out who would lose pools. If they are too many, let all of them keep what they have."""
        losers = [account_id for account_id, spec in specs.items() if self._loss(account_id, spec, found)]
        brake = self._run.brake
        if brake.permitted and (stale := set(losers) - self._places.fresh):
            self._places.read_again(stale)  # together, as they may be many
            specs |= {account_id: self._decide(account_id, found.get(account_id, ())) for account_id in stale}
        for account_id in losers:
            if brake.holds(len(self._losers)):
                break
            if account_id not in self._places.fresh:
                self._places.read_again([account_id])
                specs[account_id] = self._decide(account_id, found.get(account_id, ()))
            self._note_loss(account_id, specs[account_id], found)
        if brake.holds(len(self._losers)):
            for account_id in losers:
                self._note_loss(account_id, specs[account_id], found)
                held = self._existing - self._accepted_for(account_id).given
                specs[account_id] = replace(specs[account_id], kept=specs[account_id].kept | held)

    def _loss(self, account_id: str, spec: ShareSpec, found: Mapping[str, Sequence[Share]]) -> frozenset[str]:
        """Return the pools that an account would lose, without those that this run has given it."""
        lost = spec.loses(_present(found.get(account_id, ())), self._existing)
        return lost - self._accepted_for(account_id).given

    def _note_loss(self, account_id: str, spec: ShareSpec, found: Mapping[str, Sequence[Share]]) -> None:
        if self._loss(account_id, spec, found):
            self._losers[account_id] = spec.reason or f"now in {spec.environment!r}"

    def _late_failure(self, account_id: str, shares: Sequence[Share]) -> str:
        """Return why AWS failed an association after it accepted the request of this run, or an empty text.

        An association that failed before this run is requested once more.
        """
        requested = self._accepted_for(account_id).requested
        for share in shares:
            for entity, status in (*share.pools.items(), *share.principals.items()):
                if status == "FAILED" and (share.arn, entity) in requested:
                    cause = share.messages.get(entity) or "it gave no reason"
                    return fit(
                        f"AWS could not share {entity}: ", cause, "Try again, or wait for the next run.", FAILED_LIMIT
                    )
        return ""

    # Applying

    def _apply_all(self, changes: Mapping[str, ShareChanges]) -> bool:
        """Apply the changes of all accounts. Return False if there was not enough time."""
        try:
            if len(changes) == 1:
                self._apply_to_account(*next(iter(changes.items())))
            elif changes:
                with ThreadPoolExecutor(WORKERS) as workers:
                    list(workers.map(self._apply_to_account, changes.keys(), changes.values()))
        except OutOfTime:
            self._unfinished = True
        return not self._unfinished

    def _apply_to_account(self, account_id: str, changes: ShareChanges) -> None:
        try:
            for change in changes.apply_now:
                self._run.deadline.pause(0)
                self._apply_change(account_id, change)
        except AwsFailed as error:
            self._results[account_id].failed = explain(error, FAILED_LIMIT)
        except ClientError as error:
            if code_of(error) in DENIED:  # for the shares of all accounts
                raise
            if self._may_become_ready(error):
                self._ram_is_unready = True
                return
            is_concurrent = code_of(error) in PERHAPS_CONCURRENT and account_id not in self._refused
            if not is_concurrent and not cannot_delete_yet(error):
                self._results[account_id].failed = explain(error, FAILED_LIMIT)
            self._refused.add(account_id)

    def _may_become_ready(self, error: ClientError) -> bool:
        """Return whether RAM may still have to learn that sharing with the organization is enabled."""
        return (
            error.operation_name in SHARING
            and code_of(error) in UNREACHABLE
            and waiting.now() < self._ram_settles_until
        )

    def _apply_change(self, account_id: str, change: ShareChange) -> None:
        if self._run.for_request:
            self._run.for_request.raise_if_superseded()
        if isinstance(change, CreateShare | Associate):
            self._run.stack.raise_if_being_deleted()
        tags = self._run.create_tags() if isinstance(change, CreateShare) else {}
        self._unconfirmed.add(account_id)  # also if the answer is lost
        self._places.fresh.discard(account_id)
        created = apply(self._run.networking.ram(), change, tags)
        accepted = self._accepted.setdefault(account_id, Accepted())
        if created and isinstance(change, CreateShare):
            accepted.created = created
            accepted.note_added(created.arn, change.pools, (account_id,), waiting.now())
        elif isinstance(change, Associate):
            accepted.note_added(change.share.arn, change.pools, change.principals, waiting.now())
        elif isinstance(change, Disassociate):
            accepted.note_removed(change.share.arn, (*change.pools, *change.principals))
        elif isinstance(change, DeleteShare):
            accepted.note_deleted(change.share.arn)
        self._results[account_id].record(change)

    def _is_busy(self, account_id: str, changes: ShareChanges) -> bool:
        """Return whether another round may change this account or its result."""
        if self._results[account_id].failed:
            return False
        only_deleted = all(isinstance(change, DeleteShare) for change in changes.apply_now)
        return changes.in_progress or not only_deleted or account_id in self._refused

    def _wait(self, pause: float | None, busy: Collection[str]) -> bool:
        """Wait for AWS. Return False, and mark the busy accounts as pending, if no time is left."""
        try:
            if pause is not None:
                self._run.deadline.pause(pause)
                return True
        except OutOfTime:
            self._unfinished = self._ram_is_unready
        for account_id in busy:
            self._results[account_id].pending = True
        return False


def _present(shares: Sequence[Share]) -> frozenset[str]:
    return frozenset(pool for share in shares for pool in share.present)
