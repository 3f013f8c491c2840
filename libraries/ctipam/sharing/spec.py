"""Which pools an account is to have.

An account has the pools of its nearest OU that has any, in one share; where there are none, it has no share.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from ctipam.organization.tree import AccountLocation, OrganizationalUnit


@dataclass(frozen=True)
class SharedPool:
    """An environment pool. ready: can be shared now; one that is being modified stays shared, but cannot be added."""

    arn: str
    region: str
    ready: bool = True


Environments = Mapping[str, Collection[SharedPool]]
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
class ShareSpec:
    """What an account is to have, and why it has nothing.

    unit          the OU that it is in; None for the root, or if it does not matter
    environment   the name of the OU whose pools it has, "" if it has none
    reason        why it has none, in words
    left_alone    its shares stay as they are
    """

    account_id: str
    unit: OrganizationalUnit | None = None
    environment: str = ""
    pools: tuple[SharedPool, ...] = ()
    reason: str = ""
    left_alone: bool = False


NO_POOL = "no pool for its OU"


def share_spec(
    account_id: str, place: AccountLocation | None, environments: Environments, rules: Rules, has_share: bool
) -> ShareSpec:
    """place   None: the account is not in the organization"""
    if account_id in rules.never:
        return ShareSpec(account_id, reason="the management and Networking accounts have no share")
    if place is None:
        return ShareSpec(account_id, reason="not in the organization")
    unit = place.units[0] if place.units else None
    if place.state != "ACTIVE":
        return ShareSpec(account_id, unit, reason=f"the account is {place.state}")
    if rules.since and place.joined and place.joined < rules.since and not has_share:
        return ShareSpec(account_id, unit, reason="was there before this stack", left_alone=True)
    environment = environment_of(place.units, environments, rules.exact)
    if environment is None:
        return ShareSpec(account_id, unit, reason=NO_POOL)
    pools = tuple(sorted(environments[environment], key=lambda pool: pool.region))
    return ShareSpec(account_id, unit, environment, pools)


def environment_of(units: Sequence[OrganizationalUnit], environments: Collection[str], exact: bool) -> str | None:
    """units   nearest first"""
    counting = units[:1] if exact else units
    return next((unit.name for unit in counting if unit.name in environments), None)
