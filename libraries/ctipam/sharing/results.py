"""What a run did for each account, in the forms that an operator, CloudFormation and the log receive."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from ctipam.cloudformation.outputs import cut
from ctipam.errors import AwsFailed
from ctipam.organization.environments import EnvironmentOu
from ctipam.organization.tree import OrganizationalUnit
from ctipam.phrases import numbered
from ctipam.sharing.changes import Associate, CreateShare, DeleteShare, Disassociate, ShareChange, ShareChanges
from ctipam.sharing.doubtful import DoubtfulPool
from ctipam.sharing.existing import ADDED, ADDING, Share
from ctipam.sharing.spec import NO_POOL, Environments, ShareSpec

LAMBDA_RESPONSE_LIMIT = 5_000_000
"""Characters of JSON. Lambda returns at most 6 MB. https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""

NAMED = 3
"""The number of failures that an error message names."""

OUTPUTS_NAMED = 20
"""The number of OUs that a stack output names at most."""

OUTPUT_LIMIT = 750
"""Bytes of JSON in a stack output. CloudFormation reads 4096 bytes of answer: three of these, the output Warnings, and
ids in which the name of the stack may have 117 characters."""


@dataclass(slots=True)
class AccountResult:
    """The spec of an account, and what was done for it, or would be done in a dry run.

    added, removed   ARNs of pools
    pending          AWS had not finished when the run stopped waiting
    failed           why a change failed
    """

    spec: ShareSpec
    added: frozenset[str] = frozenset()
    removed: frozenset[str] = frozenset()
    changed: bool = False
    pending: bool = False
    failed: str = ""

    def preview(self, shares: Sequence[Share], changes: ShareChanges) -> None:
        """Record what all rounds together would do."""
        pools = frozenset(pool.arn for pool in self.spec.pools)
        present = frozenset(pool for share in shares for pool in share.present)
        if not self.spec.left_alone:
            self.added, self.removed = pools - present, present - pools - self.spec.kept
            self.changed = bool(changes.apply_now or self.added or self.removed)

    def record(self, change: ShareChange) -> None:
        """Record a change that was made."""
        self.changed = True
        if isinstance(change, CreateShare | Associate):
            self.added |= frozenset(change.pools)
        elif isinstance(change, Disassociate):
            self.removed |= frozenset(change.pools)
        elif isinstance(change, DeleteShare):
            self.removed |= frozenset(change.share.present) - {pool.arn for pool in self.spec.pools} - self.spec.kept

    def to_dict(self) -> dict[str, Any]:
        spec = self.spec
        row: dict[str, Any] = {
            "accountId": spec.account_id,
            "organizationalUnit": (spec.ou.name or None) if spec.ou else None,
            "organizationalUnitId": spec.ou.ou_id if spec.ou else None,
            "environment": spec.environment or None,
            "pools": [pool.arn for pool in spec.pools],
            "added": sorted(self.added),
            "removed": sorted(self.removed),
            "changed": self.changed,
            "pending": self.pending,
        }
        return row | {key: text for key, text in (("reason", spec.reason), ("failed", self.failed)) if text}

    @property
    def notable(self) -> bool:
        return self.changed or self.pending or bool(self.failed)


@dataclass(frozen=True)
class SharingResult:
    """The results of all accounts, and what an operator should know of the organization.

    environments   which OU each environment is; empty if the run did not have to know
    doubtful       pools that stay with the accounts that have them, until somebody has looked
    wrong_rules    see spec.wrong_rules
    held_back      why pools were not taken away; empty if nothing was held back
    unfinished     the invocation had no time for all accounts
    """

    accounts: Sequence[AccountResult]
    environments: Sequence[EnvironmentOu] = ()
    doubtful: Sequence[DoubtfulPool] = ()
    wrong_rules: Mapping[str, str] = field(default_factory=dict)
    held_back: str = ""
    dry_run: bool = False
    unfinished: bool = False

    @property
    def not_taken(self) -> list[str]:
        """Return a sentence for each reason why accounts keep pools that their place does not give them."""
        return [*([self.held_back] if self.held_back else []), *(pool.sentence for pool in self.doubtful)]

    @property
    def without_pools(self) -> Counter[OrganizationalUnit | None]:
        """Count the accounts of each OU that has no pool. None stands for the root."""
        return Counter(result.spec.ou for result in self.accounts if result.spec.reason == NO_POOL)

    def counts(self) -> dict[str, int]:
        return {
            "accounts": len(self.accounts),
            "sharedWith": self._count(lambda result: result.spec.pools and not result.failed),
            "changed": self._count(lambda result: result.changed),
            "pending": self._count(lambda result: result.pending),
            "failed": self._count(lambda result: result.failed),
            "withoutPools": self._count(lambda result: result.spec.reason == NO_POOL),
            "leftAlone": self._count(lambda result: result.spec.left_alone),
        }

    def _count(self, condition: Callable[[AccountResult], object]) -> int:
        return sum(1 for result in self.accounts if condition(result))

    def to_dict(self, limit: int = LAMBDA_RESPONSE_LIMIT) -> dict[str, Any]:
        """Return the result for an operator. Omits accounts that did not change if there are too many for an answer."""
        rows, size = [], 0
        for result in sorted(self.accounts, key=lambda result: not result.notable):
            row = result.to_dict()
            size += len(json.dumps(row))
            if size > limit:
                break
            rows.append(row)
        return {
            "dryRun": self.dry_run,
            "unfinished": self.unfinished,
            **self.counts(),
            "organizationalUnitsWithoutPools": _units_to_dicts(self.without_pools),
            "environments": [environment.to_dict() for environment in self.environments],
            "wrongRules": list(self.wrong_rules.values()),
            "heldBack": " ".join(self.not_taken),
            "reconciled": sorted(rows, key=lambda row: str(row["accountId"])),
            "leftOut": len(self.accounts) - len(rows),
        }

    def outputs(self) -> dict[str, str]:
        """Return the outputs for CloudFormation."""
        without = sorted(unit.name for unit in self.without_pools if unit)
        by_name = sorted(self.environments, key=lambda one: one.environment)  # AWS lists pools in any order
        environments = [_which(one) for one in by_name]
        return {
            "SharedWith": str(self.counts()["sharedWith"]),
            "Failed": str(self.counts()["failed"]),
            "WithoutPools": str(self.counts()["withoutPools"]),
            "OusWithoutPools": _short(without),
            "Environments": _short(environments),
            "HeldBack": _short(self.not_taken, between=" "),
        }

    def raise_if_all_failed(self) -> None:
        """Raise AwsFailed if there are failures, and no account has its pools. The schedule retries single failures, so
        they fail no deployment."""
        if not self.counts()["sharedWith"]:
            self._raise_failures()

    def raise_if_failed(self) -> None:
        """Raise AwsFailed, with the first failures, if an account failed or pools were held back."""
        if self.held_back:
            raise AwsFailed(self.held_back)
        self._raise_failures()

    def _raise_failures(self) -> None:
        failures = [result for result in self.accounts if result.failed]
        if failures:
            first, *others = failures[:NAMED]
            named = "".join(f" {result.spec.account_id}: {result.failed}" for result in others)
            count = f"{len(failures)} of {numbered(len(self.accounts), 'account')} failed"
            raise AwsFailed(f"{first.failed} (Account {first.spec.account_id}; {count}.){named}")


def _which(one: EnvironmentOu) -> str:
    if one.ou is None:
        return f"{one.environment} (no OU)"
    now = f", now {one.ou.name}" if one.is_renamed else ""
    return f"{one.environment} ({one.ou.ou_id}{now})"


def who_can_use(environments: Environments, shares: Mapping[str, Sequence[Share]]) -> list[dict[str, Any]]:
    """Return each pool with the accounts that can create VPCs from it, and those for which sharing is pending.

    strangers   others that can: accounts, OUs or organizations that somebody has added to the share of an account
    """
    users: dict[tuple[str, str], set[str]] = {}  # ARN of a pool, key of its row -> principals
    for account_id, its_shares in shares.items():
        for share in its_shares:
            for (pool, of_pool), (principal, of_principal) in product(share.pools.items(), share.principals.items()):
                is_own = principal == account_id
                if {of_pool, of_principal} <= ADDED:
                    users.setdefault((pool, "accounts" if is_own else "strangers"), set()).add(principal)
                elif is_own and {of_pool, of_principal} <= ADDED | ADDING:
                    users.setdefault((pool, "pending"), set()).add(principal)
    return [
        {
            "pool": pool.arn,
            "environment": environment,
            "region": pool.region,
            "accounts": sorted(accounts := users.get((pool.arn, "accounts"), set())),
            "pending": sorted(users.get((pool.arn, "pending"), set()) - accounts),
            "strangers": sorted(users.get((pool.arn, "strangers"), set()) - accounts),
        }
        for environment, pools in sorted(environments.items())
        for pool in sorted(pools, key=lambda pool: pool.region)
    ]


def _units_to_dicts(units: Mapping[OrganizationalUnit | None, int]) -> list[dict[str, Any]]:
    return [
        {"organizationalUnit": unit.name if unit else None, "id": unit.ou_id if unit else None, "accounts": accounts}
        for unit, accounts in sorted(units.items(), key=lambda item: item[0].name if item[0] else "")
    ]


def _short(items: Sequence[str], between: str = ", ") -> str:
    """Return as many of the items as an output holds, and how many more there are."""
    if not items:
        return "none"
    named = items[:OUTPUTS_NAMED]
    while len(named) > 1 and cut(between.join(named), OUTPUT_LIMIT) != between.join(named):
        named = named[:-1]
    more = f" and {len(items) - len(named)} more" if len(items) > len(named) else ""
    return cut(between.join(named), OUTPUT_LIMIT) + more
