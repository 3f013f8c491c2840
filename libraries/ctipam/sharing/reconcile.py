"""Reconciles the shares of one account, of the accounts in an OU, or of all accounts with the organization.

A run repeats rounds of reading, comparing and applying until no change is left: AWS takes its time with each
association, and two handlers may work on the same account. A run reads the account's OU from AWS Organizations and not
from the event, so events may arrive twice, late or out of order.

For all accounts, a run lists the organization first and then the shares. A share whose account is not in the list
belongs to a new account, or to one that has left. A listing takes minutes, and accounts may move meanwhile, so a run
reads an account again before it removes a pool that other accounts keep.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from botocore.exceptions import ClientError

from ctipam import names, waiting
from ctipam.cloudformation.other_stacks import can_act
from ctipam.cloudformation.own_stack import OwnStack
from ctipam.cloudformation.request import ResourceRequest
from ctipam.errors import DENIED, UNREACHABLE, OutOfTime, code_of, explain
from ctipam.logs import log_decision
from ctipam.networking_account import assume_execution_role
from ctipam.organization import reader as organization
from ctipam.organization.tree import AccountLocation, OrganizationTree
from ctipam.sessions import Account
from ctipam.sharing import reader
from ctipam.sharing.apply import apply
from ctipam.sharing.changes import (
    NO_TAG_CHANGES,
    Associate,
    CreateShare,
    DeleteShare,
    ShareChange,
    ShareChanges,
    share_changes,
)
from ctipam.sharing.existing import Share
from ctipam.sharing.result_log import log_result
from ctipam.sharing.results import AccountResult, SharingResult, of_one_name, who_can_use
from ctipam.sharing.session_policy import Access, session_policy
from ctipam.sharing.spec import Environments, Rules, ShareSpec, share_spec
from ctipam.tags import TagChanges, tag_changes, with_stack_tags
from ctipam.waiting import Deadline

PAUSES_S = (4, 4, 4, 8, 8, 16, 16)
"""Seconds between rounds. AWS completes the rest on its own, and the next run checks it. The first pause is long enough
for most associations, because each round costs calls."""

WORKERS = 4
"""Accounts at a time. RAM publishes no rates. boto3 waits when RAM throttles."""


PERHAPS_CONCURRENT = frozenset(
    {"InvalidStateTransitionException", "InvalidParameterException", "UnknownResourceException"}
)
"""Errors of a change that another handler has just made. A change that AWS refuses twice is a failure."""

RAM_SETTLES_S, RAM_PAUSE_S = 300.0, 15.0
"""How long RAM may refuse to share after sharing with the organization was enabled, and how often it is asked.
https://docs.aws.amazon.com/ram/latest/userguide/troubleshooting.html"""

NOTHING_LISTED = OrganizationTree((), ())

ReadShares = Callable[[Mapping[str, Share]], Mapping[str, Sequence[Share]]]
"""Reads the shares of the accounts in question. Takes the shares that this run has created, by account."""


@dataclass(frozen=True)
class SharingRun:
    """One run: both accounts, the existing pools, and the rules.

    dry_run       change nothing; the result is a preview
    for_request   the run answers a stack operation: it keeps the tags of the shares in step with the stack's, waits
                  until RAM is ready, and stops when the request is superseded
    """

    management: Account
    networking: Account
    environments: Environments
    rules: Rules
    stack: OwnStack
    deadline: Deadline
    dry_run: bool = False
    for_request: ResourceRequest | None = None

    def create_tags(self) -> dict[str, str]:
        """Return the tags of a new share: those of the stack, and the one that names the stack."""
        return with_stack_tags({names.STACK_TAG: self.stack.stack_id}, self.stack.tags())

    def tag_changes(self, share: Share) -> TagChanges:
        """Return the tag changes that an existing share needs."""
        changes = tag_changes(share.tags, self.stack.tags()) if self.for_request else NO_TAG_CHANGES
        if share.stack_id == self.stack.stack_id:
            return changes
        return TagChanges({**changes.add, names.STACK_TAG: self.stack.stack_id}, changes.remove)


def start_run(
    management: Account,
    network_account_id: str,
    rules: Rules,
    stack: OwnStack,
    deadline: Deadline,
    *,
    dry_run: bool = False,
    for_request: ResourceRequest | None = None,
) -> SharingRun:
    """Assume the role in the Networking account and read the pools."""
    access: Access = "read" if dry_run else "share"
    policy = session_policy(management.partition, management.region, network_account_id, access)
    networking = assume_execution_role(management, network_account_id, policy)
    environments = reader.find_environments(networking)
    return SharingRun(management, networking, environments, rules, stack, deadline, dry_run, for_request)


def reconcile_account(run: SharingRun, account_id: str) -> SharingResult:
    """Reconcile one account. Raises AWS's errors of reading; here and below, the result has the errors of changes."""
    ram = run.networking.ram()

    def read_shares(created: Mapping[str, Share]) -> Mapping[str, Sequence[Share]]:
        known = created.get(account_id)
        return {account_id: reader.reread_share(ram, known) if known else reader.find_shares(ram, account_id)}

    return ShareReconciliation(run, read_shares).run([account_id])


def reconcile_ou(run: SharingRun, ou_id: str) -> SharingResult:
    """Reconcile the accounts in an OU and in its nested OUs."""
    tree = organization.read_below(run.management.organizations(), ou_id)
    return ShareReconciliation(run, _read_all(run), tree).run([location.account_id for location in tree.locations])


def reconcile_all(run: SharingRun) -> SharingResult:
    """Reconcile every account of the organization, and every other account that has a share."""
    tree = organization.read_all(run.management.organizations())
    return ShareReconciliation(run, _read_all(run), tree).run(None)


def _read_all(run: SharingRun) -> ReadShares:
    return lambda _created: reader.find_all_shares(run.networking.ram())


def report(run: SharingRun) -> dict[str, Any]:
    """Return which accounts can use which pool, and what an operator should know. Changes nothing."""
    tree = organization.read_all(run.management.organizations())
    found = reader.find_all_shares(run.networking.ram())
    answer = ShareReconciliation(replace(run, dry_run=True), lambda _created: found, tree).run(None).to_dict()
    del answer["reconciled"]
    return {"pools": who_can_use(run.environments, found)} | answer


class ShareOwnership:
    """Decides which shares belong to a stack: its own, and those without a stack that can act."""

    def __init__(self, management: Account, stack_id: str) -> None:
        self._management = management
        self._others_act = {stack_id: False, "": False}

    def filter(self, found: Mapping[str, Sequence[Share]]) -> dict[str, list[Share]]:
        """Return the shares that belong to the stack, by account."""
        by_account = {account_id: [one for one in shares if self._is_ours(one)] for account_id, shares in found.items()}
        return {account_id: shares for account_id, shares in by_account.items() if shares}

    def _is_ours(self, share: Share) -> bool:
        if share.stack_id not in self._others_act:
            self._others_act[share.stack_id] = can_act(self._management, share.stack_id)
        return not self._others_act[share.stack_id]


def unshare_all(networking: Account, ownership: ShareOwnership, deadline: Deadline) -> None:
    """Delete every share of the stack, and wait until AWS has deleted them.

    A share that cannot be deleted does not keep the others. Raises OutOfTime; ClientError after all others are deleted.
    """
    ram = networking.ram()
    while found := ownership.filter(reader.find_all_shares(ram)):
        problem: ClientError | None = None
        for share in [share for of_account in found.values() for share in of_account]:
            deadline.pause(0)
            try:
                apply(ram, DeleteShare(share), {})
            except ClientError as error:
                problem = error
                continue
            log_decision("deleted share", account=share.account_id, share=share.arn, pools=sorted(share.present))
        if problem:
            raise problem
        while reader.is_deleting(ram):
            deadline.pause(PAUSES_S[0])


class ShareReconciliation:
    """Repeats rounds of reading, comparing and applying.

    tree   the organization, listed before the shares are read; an account that is not in it is read separately
    """

    def __init__(self, run: SharingRun, read_shares: ReadShares, tree: OrganizationTree = NOTHING_LISTED) -> None:
        self._run = run
        self._read_shares = read_shares
        self._tree = tree
        self._locations: dict[str, AccountLocation | None] = {one.account_id: one for one in tree.locations}
        self._read_separately: set[str] = set()
        self._results: dict[str, AccountResult] = {}
        self._created: dict[str, Share] = {}
        self._requested: dict[str, set[str]] = {}  # account -> pools and principals that this run has asked RAM to add
        self._refused: set[str] = set()  # accounts for which RAM has refused a change
        self._unfinished = False
        self._ownership = ShareOwnership(run.management, run.stack.stack_id)
        self._ram_settles_until = waiting.now() + (RAM_SETTLES_S if run.for_request else 0)
        self._ram_is_unready = False

    def run(self, account_ids: Collection[str] | None) -> SharingResult:
        """Reconcile these accounts. None: all accounts that were listed, and all that have a share."""
        if account_ids is None or account_ids:
            self._repeat_rounds(account_ids)
        results = [self._results[account_id] for account_id in sorted(self._results)]
        twins = of_one_name(self._tree.ous, self._run.environments)
        result = SharingResult(results, twins, self._run.dry_run, self._unfinished)
        log_result(result)
        return result

    def _repeat_rounds(self, account_ids: Collection[str] | None) -> None:
        pauses = iter(PAUSES_S)
        while True:
            self._ram_is_unready = False
            found = self._ownership.filter(self._read_shares(self._created))
            changes = self._compare(
                found, self._locations.keys() | found.keys() if account_ids is None else account_ids
            )
            if self._run.dry_run or not self._apply_all(changes):
                return
            busy = [account_id for account_id, of_account in changes.items() if self._is_busy(account_id, of_account)]
            pause = RAM_PAUSE_S if self._ram_is_unready else next(pauses, None)
            if not busy or not self._wait(pause, busy):
                return

    # Comparing

    def _compare(self, found: Mapping[str, Sequence[Share]], account_ids: Iterable[str]) -> dict[str, ShareChanges]:
        """Return the changes of the accounts that need any."""
        changes: dict[str, ShareChanges] = {}
        for account_id in sorted(account_ids):
            shares = found.get(account_id, ())
            spec, of_account = self._compare_account(account_id, shares)
            result = self._results.setdefault(account_id, AccountResult(spec))
            result.spec = spec
            result.failed = result.failed or self._late_failure(account_id, shares)
            if self._run.dry_run:
                result.preview(shares, of_account)
            if (of_account.apply_now or of_account.in_progress) and not result.failed:
                changes[account_id] = of_account
        return changes

    def _compare_account(self, account_id: str, shares: Sequence[Share]) -> tuple[ShareSpec, ShareChanges]:
        if account_id not in self._locations:
            self._read_location(account_id)
        spec = self._spec_of(account_id, shares)
        if account_id not in self._read_separately and self._loses_a_pool(spec, shares):
            self._read_location(account_id)
            spec = self._spec_of(account_id, shares)
        return spec, share_changes(spec, shares, self._run.tag_changes)

    def _spec_of(self, account_id: str, shares: Sequence[Share]) -> ShareSpec:
        location, rules = self._locations[account_id], self._run.rules
        return share_spec(account_id, location, self._run.environments, rules, has_share=bool(shares))

    def _loses_a_pool(self, spec: ShareSpec, shares: Sequence[Share]) -> bool:
        """Return whether the account would lose a pool that still exists."""
        pools = {pool.arn for pool in spec.pools}
        existing = {pool.arn for pools in self._run.environments.values() for pool in pools}
        return any((share.present & existing) - pools for share in shares)

    def _read_location(self, account_id: str) -> None:
        self._read_separately.add(account_id)
        if account_id in self._run.rules.never:
            self._locations[account_id] = None
            return
        exact, environments = self._run.rules.exact, self._run.environments
        self._locations[account_id] = organization.locate(
            self._run.management.organizations(), account_id, lambda ou: exact or ou.name in environments
        )

    def _late_failure(self, account_id: str, shares: Sequence[Share]) -> str:
        """Return why AWS failed an association after it accepted the request of this run, or an empty text.

        An association that failed before this run is requested once more.
        """
        requested = self._requested.get(account_id, set())
        for share in shares:
            for entity, status in (*share.pools.items(), *share.principals.items()):
                if status == "FAILED" and entity in requested:
                    return f"AWS could not share {entity}: {share.messages.get(entity) or 'it gave no reason'}"
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
        except ClientError as error:
            if code_of(error) in DENIED:  # for the shares of all accounts
                raise
            if self._may_become_ready(error):
                self._ram_is_unready = True
                return
            if code_of(error) not in PERHAPS_CONCURRENT or account_id in self._refused:
                self._results[account_id].failed = explain(error)
            self._refused.add(account_id)

    def _may_become_ready(self, error: ClientError) -> bool:
        """Return whether RAM may still have to learn that sharing with the organization is enabled."""
        adds = error.operation_name in ("CreateResourceShare", "AssociateResourceShare")
        return adds and code_of(error) in UNREACHABLE and waiting.now() < self._ram_settles_until

    def _apply_change(self, account_id: str, change: ShareChange) -> None:
        if self._run.for_request:
            self._run.for_request.raise_if_superseded()
        if isinstance(change, CreateShare | Associate):
            self._run.stack.raise_if_being_deleted()
        tags = self._run.create_tags() if isinstance(change, CreateShare) else {}
        created = apply(self._run.networking.ram(), change, tags)
        if created:
            self._created[account_id] = created
        if isinstance(change, CreateShare | Associate):
            self._requested.setdefault(account_id, set()).update(change.pools, [account_id])
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
