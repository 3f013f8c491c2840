"""Decides which pools an account is to have: those of its nearest OU that has pools. Without pools it has no share."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from ctipam.names import ENVIRONMENT_TAG
from ctipam.organization.tree import UNUSABLE, AccountLocation, OrganizationalUnit


@dataclass(frozen=True)
class SharedPool:
    """An environment pool.

    ready            it can be shared now; a pool that is being modified stays shared but is not added
    ou_id            the OU that its tag names; empty: none
    required_value   of the tag Env of a VPC: the environment, unless somebody has changed the pool's allocation rule
    """

    arn: str
    region: str
    ready: bool = True
    ou_id: str = ""
    required_value: str = ""


Environments = Mapping[str, Collection[SharedPool]]
"""Environment -> its pools, one for each Region."""


def wrong_rules(environments: Environments) -> dict[str, str]:
    """Return a sentence, by ARN, for each pool whose allocation rule somebody has changed. It stays shared."""
    return {
        pool.arn: f"{_wrong_rule(environment, pool)} It stays shared, and the watch in the Networking account corrects "
        "it within an hour."
        for environment, pools in environments.items()
        for pool in pools
        if pool.ready and pool.required_value != environment
    }


def _wrong_rule(environment: str, pool: SharedPool) -> str:
    instead = f", but {ENVIRONMENT_TAG}={pool.required_value}" if pool.required_value else ""
    wanted = f"{ENVIRONMENT_TAG}={environment}"
    return f"The pool of {environment!r} in {pool.region} does not require the tag {wanted} of a VPC{instead}."


@dataclass(frozen=True)
class EnvironmentsOfOus:
    """The environments, and which OU each of them is.

    by_ou      OU id -> environment. An environment that is missing here has no OU, or it is not known which
    doubtful   ARNs of other pools, of which it is not known who is to have them
    claimed    ids of the OUs that pools name, also those that are not in by_ou: it is not known what these are to have
    """

    pools: Environments
    by_ou: Mapping[str, str]
    doubtful: frozenset[str] = frozenset()
    claimed: frozenset[str] = frozenset()

    @cached_property
    def undecided(self) -> frozenset[str]:
        """The environments without an OU."""
        return frozenset(self.pools.keys() - set(self.by_ou.values()))

    @cached_property
    def undecided_pools(self) -> frozenset[str]:
        return frozenset(pool.arn for environment in self.undecided for pool in self.pools[environment])

    @cached_property
    def environment_by_pool(self) -> dict[str, str]:
        """The environment of each pool, by ARN."""
        return {pool.arn: environment for environment, pools in self.pools.items() for pool in pools}


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
    environment   the environment whose pools it has; empty if it has none
    reason        why it has no pools
    left_alone    its shares do not change
    keeps_share   its share stays without pools, because only the share tells that the account is not to be left alone
    kept          ARNs of other pools that are not taken away if it has them
    """

    account_id: str
    ou: OrganizationalUnit | None = None
    environment: str = ""
    pools: tuple[SharedPool, ...] = ()
    reason: str = ""
    left_alone: bool = False
    keeps_share: bool = False
    kept: frozenset[str] = frozenset()

    def loses(self, present: Collection[str], existing: Collection[str]) -> frozenset[str]:
        """Return the pools that are taken away from an account.

        present    ARNs of pools that it has
        existing   ARNs of the environments' pools; from others, which were deleted, nobody can lose anything
        """
        return frozenset(present) & frozenset(existing) - {pool.arn for pool in self.pools} - self.kept


NEVER = "the management and Networking accounts have no share"

NO_MEMBER = "not in the organization"
NO_POOL = "no pool for its OU"
IN_DOUBT = "it is not clear which pools its OU has"
NOTHING_LISTED = "AWS lists no pool of an environment, so nothing is known"
EXISTING = "joined the organization before this stack was created"


def share_spec(
    account_id: str, location: AccountLocation | None, environments: EnvironmentsOfOus, rules: Rules, has_share: bool
) -> ShareSpec:
    """Return the spec of an account. The pools of an environment without an OU, and those in doubt, are not taken away,
    and nothing is from an account whose OU is in doubt, whose state is unknown, or where no pool of an environment is
    found at all.

    location   None if the account is not in the organization
    """
    if has_share and not environments.pools:
        return ShareSpec(account_id, reason=NOTHING_LISTED, left_alone=True)
    kept = environments.undecided_pools | environments.doubtful
    if account_id in rules.never:
        return ShareSpec(account_id, reason=NEVER, kept=kept)
    if location is None:
        return ShareSpec(account_id, reason=NO_MEMBER, kept=kept)
    ou = location.ou_path[0] if location.ou_path else None
    is_spared = bool(rules.since and location.joined and location.joined < rules.since)
    if location.state in UNUSABLE:  # it may be opened again
        return ShareSpec(account_id, ou, reason=f"the account is {location.state}", keeps_share=is_spared, kept=kept)
    if location.state != "ACTIVE":
        return ShareSpec(
            account_id, ou, reason=f"the account is {location.state}, of which nothing is known", left_alone=True
        )
    if is_spared and not has_share:
        return ShareSpec(account_id, ou, reason=EXISTING, left_alone=True)
    nearest = nearest_ou(location.ou_path, environments.by_ou.keys() | environments.claimed, rules.exact)
    if nearest and nearest not in environments.by_ou:
        kept |= environments.environment_by_pool.keys()
        return ShareSpec(account_id, ou, reason=IN_DOUBT, keeps_share=is_spared, kept=kept)
    if not nearest:
        return ShareSpec(account_id, ou, reason=NO_POOL, keeps_share=is_spared, kept=kept)
    environment = environments.by_ou[nearest]
    pools = tuple(sorted(environments.pools[environment], key=lambda pool: pool.region))
    return ShareSpec(account_id, ou, environment, pools, kept=kept)


def nearest_ou(ou_path: Sequence[OrganizationalUnit], ou_ids: Collection[str], exact: bool) -> str:
    """Return which of these OUs an account is in; empty: in none. ou_path: the account's OUs, the nearest first."""
    counting = ou_path[:1] if exact else ou_path
    return next((ou.ou_id for ou in counting if ou.ou_id in ou_ids), "")
