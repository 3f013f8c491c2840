"""What a run did for each account, as an operator, CloudFormation and the log are told. Nothing here touches AWS."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ctipam.errors import AwsFailed
from ctipam.logs import log_decision
from ctipam.organization.tree import OrganizationalUnit
from ctipam.sharing.changes import Associate, CreateShare, DeleteShare, Disassociate, ShareChange, share_changes
from ctipam.sharing.existing import COMING, THERE, Share
from ctipam.sharing.spec import NO_POOL, Environments, ShareSpec

ANSWER_LIMIT = 5_000_000
"""Characters of JSON; Lambda answers 6 MB. https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""

NAMED = 3
"""How many failures the message of an error names."""

OUTPUTS_NAMED = 20
"""How many OUs an output of the stack names."""


@dataclass(slots=True)
class AccountResult:
    """What an account is to have, and what was done, or in a dry run would be.

    added, removed   ARNs of pools
    pending          AWS had not finished when the waiting ended
    failed           why it could not be done
    """

    decision: ShareSpec
    added: frozenset[str] = frozenset()
    removed: frozenset[str] = frozenset()
    changed: bool = False
    pending: bool = False
    failed: str = ""

    def foresee(self, shares: Sequence[Share]) -> None:
        """What would be done, all rounds taken together."""
        pools = frozenset(pool.arn for pool in self.decision.pools)
        present = frozenset(pool for share in shares for pool in share.present)
        if not self.decision.left_alone:
            self.added, self.removed = pools - present, present - pools
            self.changed = bool(share_changes(self.decision, shares).steps) or pools != present

    def done(self, step: ShareChange) -> None:
        self.changed = True
        if isinstance(step, CreateShare | Associate):
            self.added |= frozenset(step.pools)
        elif isinstance(step, Disassociate):
            self.removed |= frozenset(step.pools)
        elif isinstance(step, DeleteShare):
            self.removed |= frozenset(step.share.present) - {pool.arn for pool in self.decision.pools}

    def to_dict(self) -> dict[str, Any]:
        decision = self.decision
        row: dict[str, Any] = {
            "accountId": decision.account_id,
            "organizationalUnit": decision.unit.name if decision.unit else None,
            "organizationalUnitId": decision.unit.ou_id if decision.unit else None,
            "environment": decision.environment or None,
            "pools": [pool.arn for pool in decision.pools],
            "added": sorted(self.added),
            "removed": sorted(self.removed),
            "changed": self.changed,
            "pending": self.pending,
        }
        return row | {key: text for key, text in (("reason", decision.reason), ("failed", self.failed)) if text}

    @property
    def notable(self) -> bool:
        return self.changed or self.pending or bool(self.failed)

    def log(self, dry_run: bool) -> None:
        row = self.to_dict()
        log_decision(
            "would reconcile account" if dry_run else "reconciled account",
            account=row.pop("accountId"),
            ou=row.pop("organizationalUnit"),
            ou_id=row.pop("organizationalUnitId"),
            **row,
        )


@dataclass(frozen=True)
class SharingResult:
    """The outcome for each account, and what a person should know of the organization.

    of_one_name   environments that several OUs share, because they bear one name: name -> ids of the OUs
    unfinished    the invocation had no time for all of it
    """

    outcomes: Sequence[AccountResult]
    of_one_name: Mapping[str, Sequence[str]]
    dry_run: bool = False
    unfinished: bool = False

    @property
    def without_pools(self) -> Counter[OrganizationalUnit | None]:
        """OUs that have accounts, and no pool for them; None stands for the root."""
        return Counter(outcome.decision.unit for outcome in self.outcomes if outcome.decision.reason == NO_POOL)

    def counts(self) -> dict[str, int]:
        return {
            "accounts": len(self.outcomes),
            "sharedWith": self._count(lambda outcome: outcome.decision.pools),
            "changed": self._count(lambda outcome: outcome.changed),
            "pending": self._count(lambda outcome: outcome.pending),
            "failed": self._count(lambda outcome: outcome.failed),
            "withoutPools": self._count(lambda outcome: outcome.decision.reason == NO_POOL),
            "leftAlone": self._count(lambda outcome: outcome.decision.left_alone),
        }

    def _count(self, condition: Callable[[AccountResult], object]) -> int:
        return sum(1 for outcome in self.outcomes if condition(outcome))

    def to_dict(self, limit: int = ANSWER_LIMIT) -> dict[str, Any]:
        """For an operator. Of more accounts than fit into an answer, those with which nothing was done are left out."""
        rows, size = [], 0
        for outcome in sorted(self.outcomes, key=lambda outcome: not outcome.notable):
            row = outcome.to_dict()
            size += len(json.dumps(row))
            if size > limit:
                break
            rows.append(row)
        return {
            "dryRun": self.dry_run,
            "unfinished": self.unfinished,
            **self.counts(),
            "organizationalUnitsWithoutPools": _units_shown(self.without_pools),
            "organizationalUnitsOfOneName": {name: list(ids) for name, ids in self.of_one_name.items()},
            "reconciled": sorted(rows, key=lambda row: str(row["accountId"])),
            "leftOut": len(self.outcomes) - len(rows),
        }

    def outputs(self) -> dict[str, str]:
        """For CloudFormation, which takes 4096 bytes in all."""
        without = sorted(unit.name for unit in self.without_pools if unit)
        of_one_name = [f"{name} ({', '.join(ids)})" for name, ids in self.of_one_name.items()]
        return {
            "SharedWith": str(self.counts()["sharedWith"]),
            "Failed": str(self.counts()["failed"]),
            "WithoutPools": str(self.counts()["withoutPools"]),
            "OusWithoutPools": _short(without),
            "OusOfOneName": _short(of_one_name),
        }

    def log(self) -> None:
        """A line for each account that was changed or asked for alone, for each OU without a pool, and for the run."""
        for outcome in self.outcomes:
            if outcome.notable or len(self.outcomes) == 1:
                outcome.log(self.dry_run)
        for unit, accounts in self.without_pools.items():
            log_decision(NO_POOL, ou=unit.name if unit else None, ou_id=unit.ou_id if unit else None, accounts=accounts)
        for name, ou_ids in self.of_one_name.items():
            log_decision("several OUs of one name share an environment", environment=name, ou_ids=list(ou_ids))
        log_decision("reconciled", dryRun=self.dry_run, unfinished=self.unfinished, **self.counts())

    def raise_if_all_failed(self) -> None:
        """One account among many is no reason to roll a deployment back: the schedule tries it again, and tells."""
        counts = self.counts()
        if counts["failed"] >= max(1, counts["sharedWith"]):
            self.raise_if_failed()

    def raise_if_failed(self) -> None:
        failures = [outcome for outcome in self.outcomes if outcome.failed]
        if failures:
            named = "; ".join(f"{outcome.decision.account_id}: {outcome.failed}" for outcome in failures[:NAMED])
            raise AwsFailed(f"{len(failures)} of {len(self.outcomes)} accounts could not be brought in order: {named}")


def of_one_name(units: Iterable[OrganizationalUnit], environments: Collection[str]) -> dict[str, list[str]]:
    """Environments whose name several OUs bear; names are unique only among the children of one OU."""
    ids: dict[str, list[str]] = {}
    for unit in units:
        if unit.name in environments:
            ids.setdefault(unit.name, []).append(unit.ou_id)
    return {name: sorted(found) for name, found in sorted(ids.items()) if len(found) > 1}


def who_can_use(environments: Environments, shares: Mapping[str, Sequence[Share]]) -> list[dict[str, Any]]:
    """Each pool with the accounts that can make VPCs from it, and those that AWS is still giving it to."""
    accounts: dict[str, dict[str, str]] = {}
    for account_id, its_shares in shares.items():
        for share in its_shares:
            principal = share.principals.get(account_id)
            for pool, status in share.pools.items():
                if status in THERE and principal in THERE:
                    accounts.setdefault(pool, {})[account_id] = "accounts"
                elif {status, principal} <= THERE | COMING:
                    accounts.setdefault(pool, {}).setdefault(account_id, "pending")
    return [
        {
            "pool": pool.arn,
            "environment": environment,
            "region": pool.region,
            "accounts": sorted(_with(accounts.get(pool.arn, {}), "accounts")),
            "pending": sorted(_with(accounts.get(pool.arn, {}), "pending")),
        }
        for environment, pools in sorted(environments.items())
        for pool in sorted(pools, key=lambda pool: pool.region)
    ]


def _with(of_pool: Mapping[str, str], state: str) -> list[str]:
    return [account_id for account_id, its_state in of_pool.items() if its_state == state]


def _units_shown(units: Mapping[OrganizationalUnit | None, int]) -> list[dict[str, Any]]:
    return [
        {"organizationalUnit": unit.name if unit else None, "id": unit.ou_id if unit else None, "accounts": accounts}
        for unit, accounts in sorted(units.items(), key=lambda item: item[0].name if item[0] else "")
    ]


def _short(items: Sequence[str]) -> str:
    """At most about a thousand bytes, once written as JSON, which takes six for a character outside ASCII."""
    if not items:
        return "none"
    named = items[:OUTPUTS_NAMED]
    more = f" and {len(items) - len(named)} more" if len(items) > len(named) else ""
    text = ", ".join(named)
    return text[: 1000 if text.isascii() else 160] + more
