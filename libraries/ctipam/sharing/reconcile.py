"""Bring the shares of one account, of an OU's accounts or of everybody to what the organization says now.

That takes rounds of looking, deciding and acting, until nothing is left to do: AWS takes its time with each
association, and two handlers may be at work on one account. Whatever an event said, the OU is asked of AWS
Organizations now, so the result is the same for events that come twice, late or out of order.

Everybody is read by pages: first the organization, then the shares, so that a share whose account was not listed is
that of a newcomer or of one that has left. Before an account loses a pool that others keep, it is asked for singly: a
listing takes minutes, and the account may have moved meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from botocore.exceptions import ClientError

from ctipam import names
from ctipam.cloudformation.own_stack import BELIEVED_S, OwnStack
from ctipam.errors import DENIED, OutOfTime, code_of, explain
from ctipam.logs import log_decision
from ctipam.organization import reader as organization
from ctipam.organization.tree import AccountLocation, OrganizationTree
from ctipam.sessions import Account
from ctipam.sharing import apply as shares
from ctipam.sharing import networking_account
from ctipam.sharing import results as outcomes
from ctipam.sharing.changes import Associate, CreateShare, DeleteShare, ShareChanges, share_changes
from ctipam.sharing.existing import Share
from ctipam.sharing.results import AccountResult, SharingResult
from ctipam.sharing.spec import Environments, Rules, SharedPool, ShareSpec, share_spec
from ctipam.waiting import Deadline

USABLE = frozenset({"create-complete", "modify-in-progress", "modify-complete", "modify-failed"})
"""States of a pool that stays with those who have it."""

READY = frozenset({"create-complete", "modify-complete"})
"""States of a pool that can be given."""

PAUSES_S = (4, 4, 4, 8, 8, 16, 16)
"""How long AWS is waited for, between two looks. It finishes without us what it has not by then, and the next run looks
again. The first is long enough for most associations: looking costs calls."""

WORKERS = 4
"""Accounts at a time. RAM publishes no rates; when it says "too often", boto3 waits."""

LATECOMERS_S = BELIEVED_S + 5.0
"""Who has seen that the stack stays may share for that long: BELIEVED_S, and the time that a call usually takes."""

PERHAPS_SOMEBODY_ELSE = frozenset(
    {"InvalidStateTransitionException", "InvalidParameterException", "UnknownResourceException"}
)
"""What a change is answered if another handler has just made it. What is refused twice is a failure."""

NOTHING_LISTED = OrganizationTree((), ())

Look = Callable[[Mapping[str, Share]], Mapping[str, Sequence[Share]]]
"""Reads the shares of the accounts in question; told of the shares that this run has made, by account."""


@dataclass(frozen=True)
class Sharing:
    """One run: both accounts, the pools as they are now, and the rules.

    dry_run   nothing is changed; the result says what would be
    """

    management: Account
    networking: Account
    environments: Environments
    rules: Rules
    stack: OwnStack
    deadline: Deadline
    dry_run: bool = False


def begin(
    management: Account,
    network_account_id: str,
    rules: Rules,
    stack: OwnStack,
    deadline: Deadline,
    *,
    dry_run: bool = False,
) -> Sharing:
    networking = networking_account.assume_execution_role(
        management, network_account_id, "read" if dry_run else "share"
    )
    environments = find_environments(networking, network_account_id)
    return Sharing(management, networking, environments, rules, stack, deadline, dry_run)


def find_environments(networking: Account, network_account_id: str) -> dict[str, list[SharedPool]]:
    """This solution's pools, by environment. Pools of others, and pools shared with us, are left out."""
    found: dict[str, list[SharedPool]] = {}
    pages = networking.ec2().get_paginator("describe_ipam_pools").paginate(PaginationConfig={"PageSize": 1000})
    for page in pages:
        for pool in page["IpamPools"]:
            tags = {tag["Key"]: tag["Value"] for tag in pool.get("Tags", [])}
            rules = {tag["Key"]: tag["Value"] for tag in pool.get("AllocationResourceTags", [])}
            ours = pool["OwnerId"] == network_account_id and names.POOL_ENVIRONMENT_TAG in tags
            if ours and pool["State"] in USABLE and names.ENVIRONMENT_TAG in rules:
                usable = SharedPool(pool["IpamPoolArn"], pool.get("Locale", ""), pool["State"] in READY)
                found.setdefault(rules[names.ENVIRONMENT_TAG], []).append(usable)
    return found


def reconcile_account(sharing: Sharing, account_id: str) -> SharingResult:
    """Raises what AWS refuses of the reading; a change that fails is in the result, here and below."""
    ram = sharing.networking.ram()

    def look(made: Mapping[str, Share]) -> Mapping[str, Sequence[Share]]:
        known = made.get(account_id)
        return {account_id: shares.look_again(ram, known) if known else shares.find(ram, account_id)}

    return ShareReconciliation(sharing, look).run([account_id])


def reconcile_unit(sharing: Sharing, ou_id: str) -> SharingResult:
    """The accounts in an OU and in those that it encloses."""
    tree = organization.read_below(sharing.management.organizations(), ou_id)
    run = ShareReconciliation(sharing, _look_at_all(sharing), tree)
    return run.run([place.account_id for place in tree.places])


def reconcile_everybody(sharing: Sharing) -> SharingResult:
    """Every account of the organization, and every other that has a share."""
    tree = organization.read_all(sharing.management.organizations())
    return ShareReconciliation(sharing, _look_at_all(sharing), tree).run(None)


def _look_at_all(sharing: Sharing) -> Look:
    return lambda _made: shares.find_all(sharing.networking.ram())


def report(sharing: Sharing) -> dict[str, Any]:
    """Who can use which pool now, and what a person should know. Changes nothing."""
    tree = organization.read_all(sharing.management.organizations())
    found = shares.find_all(sharing.networking.ram())
    answer = ShareReconciliation(replace(sharing, dry_run=True), lambda _made: found, tree).run(None).to_dict()
    del answer["reconciled"]
    return {"pools": outcomes.who_can_use(sharing.environments, found)} | answer


def unshare_everybody(networking: Account, deadline: Deadline) -> None:
    """Delete every share of this solution, and wait until AWS has and none comes any more. Raises OutOfTime.

    An event that was being handled when the stack began to go may share once more after the first look. Not found is a
    share that RAM grants after throttling its creation for longer than LATECOMERS_S.
    """
    ram, waited = networking.ram(), False
    while (found := shares.find_all(ram)) or not waited:
        for share in [share for of_account in found.values() for share in of_account]:
            deadline.pause(0)
            shares.perform(ram, DeleteShare(share))
            log_decision("deleted share", account=share.account_id, share=share.arn, pools=sorted(share.present))
        while shares.being_deleted(ram):
            deadline.pause(PAUSES_S[0])
        deadline.pause(LATECOMERS_S)
        waited = True


class ShareReconciliation:
    """Rounds of looking, deciding and acting.

    tree   the organization as it was listed before the first look; an account that is not in it is asked for singly
    """

    def __init__(self, sharing: Sharing, look: Look, tree: OrganizationTree = NOTHING_LISTED) -> None:
        self._sharing = sharing
        self._look = look
        self._tree = tree
        self._places: dict[str, AccountLocation | None] = {place.account_id: place for place in tree.places}
        self._asked: set[str] = set()  # accounts that were asked for singly
        self._outcomes: dict[str, AccountResult] = {}
        self._made: dict[str, Share] = {}
        self._begun: dict[str, set[str]] = {}  # account -> pools and principals that this run has asked RAM to add
        self._refused: set[str] = set()  # accounts with whose shares RAM has refused a change
        self._unfinished = False

    def run(self, account_ids: Collection[str] | None) -> SharingResult:
        """account_ids   None: all that were listed, and all that have a share"""
        if account_ids is None or account_ids:
            self._rounds(account_ids)
        outcomes_by_id = [self._outcomes[account_id] for account_id in sorted(self._outcomes)]
        of_one_name = outcomes.of_one_name(self._tree.units, self._sharing.environments)
        result = SharingResult(outcomes_by_id, of_one_name, self._sharing.dry_run, self._unfinished)
        result.log()
        return result

    def _rounds(self, account_ids: Collection[str] | None) -> None:
        for pause in (*PAUSES_S, None):
            found = self._look(self._made)
            differences = self._decide(
                found, self._places.keys() | found.keys() if account_ids is None else account_ids
            )
            if self._sharing.dry_run or not self._act(differences):
                return
            busy = [account_id for account_id, change in differences.items() if self._is_busy(account_id, change)]
            if not busy or not self._wait(pause, busy):
                return

    # Deciding

    def _decide(self, found: Mapping[str, Sequence[Share]], account_ids: Iterable[str]) -> dict[str, ShareChanges]:
        """What is to be done now, for the accounts with which something is."""
        differences: dict[str, ShareChanges] = {}
        for account_id in sorted(account_ids):
            its_shares = found.get(account_id, ())
            decision, change = self._difference(account_id, its_shares)
            outcome = self._outcomes.setdefault(account_id, AccountResult(decision))
            outcome.decision = decision
            outcome.failed = outcome.failed or self._late_failure(account_id, its_shares)
            if self._sharing.dry_run:
                outcome.foresee(its_shares)
            if (change.steps or change.moving) and not outcome.failed:
                differences[account_id] = change
        return differences

    def _difference(self, account_id: str, its_shares: Sequence[Share]) -> tuple[ShareSpec, ShareChanges]:
        if account_id not in self._places:
            self._ask_for(account_id)
        decision = self._decision(account_id, its_shares)
        if account_id not in self._asked and self._loses(decision, its_shares):
            self._ask_for(account_id)
            decision = self._decision(account_id, its_shares)
        return decision, share_changes(decision, its_shares)

    def _decision(self, account_id: str, its_shares: Sequence[Share]) -> ShareSpec:
        place, rules = self._places[account_id], self._sharing.rules
        return share_spec(account_id, place, self._sharing.environments, rules, has_share=bool(its_shares))

    def _loses(self, decision: ShareSpec, its_shares: Sequence[Share]) -> bool:
        """Would the account lose a pool that there still is?"""
        pools = {pool.arn for pool in decision.pools}
        there_are = {pool.arn for pools in self._sharing.environments.values() for pool in pools}
        return any((share.present & there_are) - pools for share in its_shares)

    def _ask_for(self, account_id: str) -> None:
        self._asked.add(account_id)
        if account_id in self._sharing.rules.never:
            self._places[account_id] = None
            return
        exact, environments = self._sharing.rules.exact, self._sharing.environments
        self._places[account_id] = organization.place_of(
            self._sharing.management.organizations(), account_id, lambda unit: exact or unit.name in environments
        )

    def _late_failure(self, account_id: str, its_shares: Sequence[Share]) -> str:
        """What AWS accepted in this run and then failed. What it failed before is asked for once more."""
        begun = self._begun.get(account_id, set())
        for share in its_shares:
            for entity, status in (*share.pools.items(), *share.principals.items()):
                if status == "FAILED" and entity in begun:
                    return f"AWS could not share {entity}: {share.messages.get(entity) or 'it gave no reason'}"
        return ""

    # Acting

    def _act(self, differences: Mapping[str, ShareChanges]) -> bool:
        """Take the steps; False if there was not time enough for all."""
        try:
            if len(differences) == 1:
                self._change(*next(iter(differences.items())))
            elif differences:
                with ThreadPoolExecutor(WORKERS) as workers:
                    list(workers.map(self._change, differences.keys(), differences.values()))
        except OutOfTime:
            self._unfinished = True
        return not self._unfinished

    def _change(self, account_id: str, change: ShareChanges) -> None:
        outcome = self._outcomes[account_id]
        try:
            for step in change.steps:
                self._sharing.deadline.pause(0)
                if isinstance(step, CreateShare | Associate):
                    self._sharing.stack.raise_if_being_deleted()
                made = shares.perform(self._sharing.networking.ram(), step)
                if made:
                    self._made[account_id] = made
                if isinstance(step, CreateShare | Associate):
                    self._begun.setdefault(account_id, set()).update(step.pools, [account_id])
                outcome.done(step)
        except ClientError as error:
            if code_of(error) in DENIED:  # to everybody's share
                raise
            if code_of(error) not in PERHAPS_SOMEBODY_ELSE or account_id in self._refused:
                outcome.failed = explain(error)
            self._refused.add(account_id)

    def _is_busy(self, account_id: str, change: ShareChanges) -> bool:
        """Is there more to be seen of this account in this run?"""
        if self._outcomes[account_id].failed:
            return False
        only_deleted = all(isinstance(step, DeleteShare) for step in change.steps)
        return change.moving or not only_deleted or account_id in self._refused

    def _wait(self, pause: float | None, busy: Collection[str]) -> bool:
        """Give AWS time; False if there is none left, and what is not finished stays so."""
        try:
            if pause is not None:
                self._sharing.deadline.pause(pause)
                return True
        except OutOfTime:
            pass
        for account_id in busy:
            self._outcomes[account_id].pending = True
        return False
