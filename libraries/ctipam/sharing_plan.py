"""Which pools an account is to have, and what must be done to its shares. Nothing here touches AWS.

An account has the pools of its nearest OU that has any, in one share; where there are none, it has no share.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from ctipam import names
from ctipam.organization import OrganizationalUnit, Place

THERE = frozenset({"ASSOCIATED", "SUSPENDED"})
COMING = frozenset({"ASSOCIATING", "RESTORING"})
GOING = frozenset({"DISASSOCIATING", "SUSPENDING"})
"""https://docs.aws.amazon.com/ram/latest/APIReference/API_ResourceShareAssociation.html"""

BEST_FIRST = ("ASSOCIATED", "SUSPENDED", "ASSOCIATING", "RESTORING", "DISASSOCIATING", "SUSPENDING", "FAILED")
"""An entity that was taken away and given back is listed twice; the one that counts is the first of these."""


@dataclass(frozen=True)
class Pool:
    """An environment pool. ready: can be shared now; one that is being modified stays shared, but cannot be added."""

    arn: str
    region: str
    ready: bool = True


Environments = Mapping[str, Collection[Pool]]
"""OU name -> its pools, one for each Region."""


@dataclass(frozen=True)
class Rules:
    """never    accounts that have no share, wherever they are: the management and the Networking account
    exact    only the OU that an account is in counts, and none that encloses it
    since    accounts that joined the organization before this and have no share are left alone; None: nobody is
    """

    never: frozenset[str]
    exact: bool = False
    since: datetime | None = None


@dataclass(frozen=True)
class Decision:
    """What an account is to have, and why it has nothing.

    unit          the OU that it is in; None for the root, or if it does not matter
    environment   the name of the OU whose pools it has, "" if it has none
    reason        why it has none, in words
    left_alone    its shares stay as they are
    """

    account_id: str
    unit: OrganizationalUnit | None = None
    environment: str = ""
    pools: tuple[Pool, ...] = ()
    reason: str = ""
    left_alone: bool = False


NO_POOL = "no pool for its OU"


def decide(account_id: str, place: Place | None, environments: Environments, rules: Rules, has_share: bool) -> Decision:
    """place   None: the account is not in the organization"""
    if account_id in rules.never:
        return Decision(account_id, reason="the management and Networking accounts have no share")
    if place is None:
        return Decision(account_id, reason="not in the organization")
    unit = place.units[0] if place.units else None
    if place.state != "ACTIVE":
        return Decision(account_id, unit, reason=f"the account is {place.state}")
    if rules.since and place.joined and place.joined < rules.since and not has_share:
        return Decision(account_id, unit, reason="was there before this stack", left_alone=True)
    environment = environment_of(place.units, environments, rules.exact)
    if environment is None:
        return Decision(account_id, unit, reason=NO_POOL)
    pools = tuple(sorted(environments[environment], key=lambda pool: pool.region))
    return Decision(account_id, unit, environment, pools)


def environment_of(units: Sequence[OrganizationalUnit], environments: Collection[str], exact: bool) -> str | None:
    """units   nearest first"""
    counting = units[:1] if exact else units
    return next((unit.name for unit in counting if unit.name in environments), None)


@dataclass(frozen=True)
class Share:
    """A share of this solution, with the status of each association that AWS lists.

    settled    it has our tag and admits nobody from outside the organization, as those of earlier versions do not
    pools      ARN -> status; likewise principals, which ought to be the account alone
    messages   why an association FAILED, by ARN or principal
    """

    arn: str
    account_id: str
    created: datetime
    settled: bool = True
    pools: Mapping[str, str] = field(default_factory=dict)
    principals: Mapping[str, str] = field(default_factory=dict)
    messages: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return names.share_name(self.account_id)

    @property
    def present(self) -> set[str]:
        """The pools that the account has through it, or will have in a moment."""
        return {pool for pool, status in self.pools.items() if status in THERE | COMING}


@dataclass(frozen=True)
class Create:
    account_id: str
    pools: tuple[str, ...]


@dataclass(frozen=True)
class Adopt:
    """Tag a share that an earlier version made, and close it to accounts outside the organization."""

    share: Share


@dataclass(frozen=True)
class Associate:
    share: Share
    pools: tuple[str, ...]
    principals: tuple[str, ...]


@dataclass(frozen=True)
class Disassociate:
    share: Share
    pools: tuple[str, ...]
    principals: tuple[str, ...]


@dataclass(frozen=True)
class Delete:
    share: Share


Step = Create | Adopt | Associate | Disassociate | Delete


@dataclass(frozen=True)
class Difference:
    """What can be done now; moving: AWS is not finished with something, so there may be more to do after that."""

    steps: tuple[Step, ...] = ()
    moving: bool = False


def difference(decision: Decision, shares: Sequence[Share]) -> Difference:
    """What brings the account's shares to the decision.

    The oldest share is kept, and holds everything before anything is taken away or a second share is deleted.
    """
    if decision.left_alone:
        return Difference()
    oldest_first = sorted(shares, key=lambda share: (share.created, share.arn))
    if not decision.pools:
        return Difference(tuple(Delete(share) for share in oldest_first))
    ready = {pool.arn for pool in decision.pools if pool.ready}
    if not oldest_first:
        missing = tuple(sorted(ready))
        steps: tuple[Step, ...] = (Create(decision.account_id, missing),) if missing else ()
        return Difference(steps, moving=len(ready) < len(decision.pools))
    kept, *surplus = oldest_first
    wanted = {pool.arn for pool in decision.pools}
    adopt: tuple[Step, ...] = () if kept.settled else (Adopt(kept),)
    added = _added(kept, wanted & ready, {decision.account_id})
    complete = _all_there(kept.pools, wanted) and _all_there(kept.principals, {decision.account_id})
    removed = _removed(kept, wanted, {decision.account_id}) if complete else ()
    deleted = tuple(Delete(share) for share in surplus) if complete else ()
    moving = not complete or any(
        status in COMING | GOING for status in (*kept.pools.values(), *kept.principals.values())
    )
    return Difference((*adopt, *added, *removed, *deleted), moving)


def _all_there(statuses: Mapping[str, str], wanted: Collection[str]) -> bool:
    return all(statuses.get(entity) in THERE for entity in wanted)


def _added(share: Share, pools: set[str], principals: set[str]) -> tuple[Step, ...]:
    blocked = THERE | COMING | GOING  # what is going can come back when it is gone, in a later round
    new_pools = tuple(sorted(pool for pool in pools if share.pools.get(pool) not in blocked))
    new_principals = tuple(sorted(one for one in principals if share.principals.get(one) not in blocked))
    return (Associate(share, new_pools, new_principals),) if new_pools or new_principals else ()


def _removed(share: Share, pools: set[str], principals: set[str]) -> tuple[Step, ...]:
    old_pools = tuple(sorted(pool for pool, status in share.pools.items() if status in THERE and pool not in pools))
    strangers = tuple(
        sorted(one for one, status in share.principals.items() if status in THERE and one not in principals)
    )
    return (Disassociate(share, old_pools, strangers),) if old_pools or strangers else ()
