"""Decides which pools an account is to have: those of its nearest OU that has pools. Without pools it has no share."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from ctipam.organization.tree import AccountLocation, OrganizationalUnit


@dataclass(frozen=True)
class SharedPool:
    """An environment pool. ready: it can be shared now. A pool that is being modified stays shared but is not added."""

    arn: str
    region: str
    ready: bool = True


Environments = Mapping[str, Collection[SharedPool]]
"""OU name -> its pools, one for each Region."""


@dataclass(frozen=True)
class Rules:
    """never    accounts that never have a share: the management and the Networking account
    exact    only the account's own OU counts, and no parent OU
    since    accounts that joined the organization earlier and have no share are left alone; None: no account is
    """

    never: frozenset[str]
    exact: bool = False
    since: datetime | None = None


@dataclass(frozen=True)
class ShareSpec:
    """The pools that an account is to have, or the reason why it has none.

    ou            the account's OU; None for the root, or if it does not matter
    environment   the name of the OU whose pools it has; empty if it has none
    reason        why it has no pools
    left_alone    its shares do not change
    """

    account_id: str
    ou: OrganizationalUnit | None = None
    environment: str = ""
    pools: tuple[SharedPool, ...] = ()
    reason: str = ""
    left_alone: bool = False


NO_POOL = "no pool for its OU"
EXISTING = "joined the organization before this stack was created"


def share_spec(
    account_id: str, location: AccountLocation | None, environments: Environments, rules: Rules, has_share: bool
) -> ShareSpec:
    """Return the spec of an account. location: None if the account is not in the organization."""
    if account_id in rules.never:
        return ShareSpec(account_id, reason="the management and Networking accounts have no share")
    if location is None:
        return ShareSpec(account_id, reason="not in the organization")
    ou = location.ou_path[0] if location.ou_path else None
    if location.state != "ACTIVE":
        return ShareSpec(account_id, ou, reason=f"the account is {location.state}")
    if rules.since and location.joined and location.joined < rules.since and not has_share:
        return ShareSpec(account_id, ou, reason=EXISTING, left_alone=True)
    environment = environment_of(location.ou_path, environments, rules.exact)
    if environment is None:
        return ShareSpec(account_id, ou, reason=NO_POOL)
    pools = tuple(sorted(environments[environment], key=lambda pool: pool.region))
    return ShareSpec(account_id, ou, environment, pools)


def environment_of(ou_path: Sequence[OrganizationalUnit], environments: Collection[str], exact: bool) -> str | None:
    """Return the environment of an account, or None. ou_path: the account's OUs, the nearest first."""
    counting = ou_path[:1] if exact else ou_path
    return next((ou.name for ou in counting if ou.name in environments), None)
