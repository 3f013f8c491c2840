"""Which pools an account is to have, and what must be done to its shares."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctipam.organization.tree import AccountLocation, OrganizationalUnit
from ctipam.sharing.changes import (
    AdoptShare,
    Associate,
    CreateShare,
    DeleteShare,
    Disassociate,
    ShareChanges,
    share_changes,
)
from ctipam.sharing.existing import BEST_FIRST, Share
from ctipam.sharing.spec import Rules, SharedPool, ShareSpec, share_spec

ACCOUNT = "012345678901"
BEFORE, CREATED, AFTER = (datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2, 3))
PROD, SDLC, TEAM = (OrganizationalUnit(f"ou-ab12-0000000{n}", name) for n, name in enumerate(["Prod", "SDLC", "Team"]))
EAST, WEST, OTHER = (SharedPool(name, f"region {name}") for name in ("east", "west", "other"))
ENVIRONMENTS = {"Prod": [WEST, EAST], "SDLC": [OTHER]}
RULES = Rules(never=frozenset({"999999999999"}))
WANTED = ShareSpec(ACCOUNT, PROD, "Prod", (EAST, WEST))
ALL_THERE = {"east": "ASSOCIATED", "west": "ASSOCIATED"}


def location(*units: OrganizationalUnit, state: str = "ACTIVE", joined: datetime = BEFORE) -> AccountLocation:
    return AccountLocation(ACCOUNT, state, joined, units)


def share(number: int = 1, **changed: object) -> Share:
    day = datetime(2026, 1, number, tzinfo=UTC)
    made = Share(f"arn-{number}", ACCOUNT, day, pools=ALL_THERE, principals={ACCOUNT: "ASSOCIATED"})
    return replace(made, **changed)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("where", "rules", "environment"),
    [
        (location(PROD), RULES, "Prod"),
        (location(TEAM, PROD), RULES, "Prod"),
        (location(SDLC, TEAM, PROD), RULES, "SDLC"),
        (location(TEAM, PROD), replace(RULES, exact=True), ""),
        (location(PROD, TEAM), replace(RULES, exact=True), "Prod"),
        (location(TEAM), RULES, ""),
        (location(), RULES, ""),
        (location(PROD, state="SUSPENDED"), RULES, ""),
        (location(PROD, state="PENDING_CLOSURE"), RULES, ""),
        (location(PROD, state="PENDING_ACTIVATION"), RULES, ""),
        (None, RULES, ""),
        (location(PROD), replace(RULES, never=frozenset({ACCOUNT})), ""),
        (location(PROD), replace(RULES, since=CREATED), ""),
        (location(PROD, joined=AFTER), replace(RULES, since=CREATED), "Prod"),
        (location(PROD, joined=CREATED), replace(RULES, since=CREATED), "Prod"),
    ],
)
def test_an_active_account_has_the_environment_of_its_nearest_ou(
    where: AccountLocation, rules: Rules, environment: str
) -> None:
    spec = share_spec(ACCOUNT, where, ENVIRONMENTS, rules, has_share=False)

    assert spec.environment == environment
    assert bool(spec.pools) is not bool(spec.reason)


def test_an_account_that_was_there_before_and_has_a_share_is_not_left_alone() -> None:
    rules = replace(RULES, since=CREATED)

    assert share_spec(ACCOUNT, location(PROD), ENVIRONMENTS, rules, has_share=False).left_alone
    assert share_spec(ACCOUNT, location(SDLC), ENVIRONMENTS, rules, has_share=True).environment == "SDLC"


@pytest.mark.parametrize(
    ("spec", "shares", "expected"),
    [
        (WANTED, [], ShareChanges((CreateShare(ACCOUNT, ("east", "west")),))),
        (WANTED, [share()], ShareChanges()),
        (WANTED, [share(settled=False)], ShareChanges((AdoptShare(share(settled=False)),))),
        (ShareSpec(ACCOUNT, reason="gone"), [], ShareChanges()),
        (ShareSpec(ACCOUNT, reason="gone"), [share()], ShareChanges((DeleteShare(share()),))),
        (ShareSpec(ACCOUNT, left_alone=True), [share()], ShareChanges()),
        (WANTED, [share(2), share(1)], ShareChanges((DeleteShare(share(2)),))),
    ],
    ids=["no share", "as it should be", "not ours yet", "nothing to nothing", "no pools", "left alone", "two shares"],
)
def test_the_difference_is_what_is_missing_and_what_is_too_much(
    spec: ShareSpec, shares: list[Share], expected: ShareChanges
) -> None:
    assert share_changes(spec, shares) == expected


@pytest.mark.parametrize("status", ["ASSOCIATING", "RESTORING", "DISASSOCIATING", "SUSPENDING"])
def test_what_is_moving_is_waited_for(status: str) -> None:
    moving = share(pools=ALL_THERE | {"east": status, "old": "ASSOCIATED"})

    assert share_changes(WANTED, [moving]) == ShareChanges((), in_progress=True)


@pytest.mark.parametrize("status", ["FAILED", None])
def test_what_failed_or_is_not_there_is_added_before_anything_goes(status: str | None) -> None:
    pools = {"west": "ASSOCIATED", "old": "ASSOCIATED"} | ({"east": status} if status else {})
    lacking = share(pools=pools)

    assert share_changes(WANTED, [lacking]).apply_now == (Associate(lacking, ("east",), ()),)


def test_old_pools_and_strangers_go_once_all_is_there() -> None:
    full = share(pools=ALL_THERE | {"old": "ASSOCIATED"}, principals={ACCOUNT: "ASSOCIATED", "1": "ASSOCIATED"})

    assert share_changes(WANTED, [full]).apply_now == (Disassociate(full, ("old",), ("1",)),)


def test_a_pool_that_is_not_ready_is_neither_added_nor_taken_away() -> None:
    wanted = replace(WANTED, pools=(EAST, replace(WEST, ready=False)))

    assert share_changes(wanted, []) == ShareChanges((CreateShare(ACCOUNT, ("east",)),), in_progress=True)
    assert share_changes(wanted, [share(pools={"east": "ASSOCIATED"})]) == ShareChanges((), in_progress=True)
    assert share_changes(wanted, [share()]) == ShareChanges()


STATUSES = st.dictionaries(st.sampled_from(["east", "west", "old", "older"]), st.sampled_from(BEST_FIRST))
SHARES = st.lists(
    st.builds(
        Share,
        st.uuids().map(str),
        st.just(ACCOUNT),
        st.sampled_from([BEFORE, CREATED, AFTER]),
        st.booleans(),
        STATUSES,
        st.dictionaries(st.sampled_from([ACCOUNT, "1"]), st.sampled_from(BEST_FIRST)),
    ),
    max_size=3,
)
SPECS = st.sampled_from([WANTED, replace(WANTED, pools=(EAST,)), ShareSpec(ACCOUNT, reason="gone")])


@given(SPECS, SHARES)
def test_from_any_shares_a_few_rounds_lead_to_one_that_holds_exactly_the_pools(
    spec: ShareSpec, shares: list[Share]
) -> None:
    for round_ in itertools.count():
        changes = share_changes(spec, shares)
        _nothing_is_lost(spec, shares, changes)
        if not changes.apply_now and not changes.in_progress:
            break
        assert round_ < 6, "it never ends"
        shares = _after(changes, shares)

    assert len(shares) == (1 if spec.pools else 0)
    for kept in shares:
        assert kept.settled
        assert set(kept.present) == {pool.arn for pool in spec.pools}
        assert set(kept.principals) == {ACCOUNT}


def _nothing_is_lost(spec: ShareSpec, shares: list[Share], changes: ShareChanges) -> None:
    """A wanted pool that the account has, it has after these steps too."""
    wanted = {pool.arn for pool in spec.pools}
    deleted = {change.share.arn for change in changes.apply_now if isinstance(change, DeleteShare)}
    for one in shares:
        in_use = {pool for pool in wanted if one.pools.get(pool) == one.principals.get(ACCOUNT) == "ASSOCIATED"}
        if one.arn in deleted and in_use:
            assert any(kept.present >= in_use for kept in shares if kept.arn not in deleted)
    for change in changes.apply_now:
        if isinstance(change, Disassociate):
            assert not wanted & set(change.pools)


def _after(changes: ShareChanges, shares: list[Share]) -> list[Share]:
    """What AWS makes of it, once everything has come to rest."""
    after = {one.arn: one for one in shares}
    for change in changes.apply_now:
        match change:
            case CreateShare():
                pools = dict.fromkeys(change.pools, "ASSOCIATED")
                after["new"] = Share("new", ACCOUNT, AFTER, pools=pools, principals={ACCOUNT: "ASSOCIATED"})
            case AdoptShare():
                after[change.share.arn] = replace(after[change.share.arn], settled=True)
            case Associate():
                after[change.share.arn] = _with(after[change.share.arn], change, "ASSOCIATED")
            case Disassociate():
                after[change.share.arn] = _with(after[change.share.arn], change, "DISASSOCIATED")
            case DeleteShare():
                del after[change.share.arn]
    return [_at_rest(one) for one in after.values()]


def _with(one: Share, change: Associate | Disassociate, status: str) -> Share:
    return replace(
        one,
        pools={**one.pools, **dict.fromkeys(change.pools, status)},
        principals={**one.principals, **dict.fromkeys(change.principals, status)},
    )


def _at_rest(one: Share) -> Share:
    ends = {"ASSOCIATING": "ASSOCIATED", "RESTORING": "ASSOCIATED", "SUSPENDING": "SUSPENDED"}
    gone = {"DISASSOCIATING", "DISASSOCIATED", "FAILED"}

    def settle(statuses: dict[str, str]) -> dict[str, str]:
        return {entity: ends.get(status, status) for entity, status in statuses.items() if status not in gone}

    return replace(one, pools=settle(dict(one.pools)), principals=settle(dict(one.principals)))
