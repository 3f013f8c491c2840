"""The pools that an account should have, and the changes that its shares need."""

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
from ctipam.sharing.spec import EnvironmentsOfOus, Rules, SharedPool, ShareSpec, share_spec, wrong_rules

ACCOUNT = "012345678901"
BEFORE, CREATED, AFTER = (datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2, 3))
PROD, SDLC, TEAM = (OrganizationalUnit(f"ou-ab12-0000000{n}", name) for n, name in enumerate(["Prod", "SDLC", "Team"]))
EAST, WEST, OTHER = (SharedPool(name, f"region {name}") for name in ("east", "west", "other"))
ENVIRONMENTS = EnvironmentsOfOus({"Prod": [WEST, EAST], "SDLC": [OTHER]}, {PROD.ou_id: "Prod", SDLC.ou_id: "SDLC"})
RULES = Rules(never=frozenset({"999999999999"}))
WANTED = ShareSpec(ACCOUNT, PROD, "Prod", (EAST, WEST))
ALL_ASSOCIATED = {"east": "ASSOCIATED", "west": "ASSOCIATED"}


def location(*units: OrganizationalUnit, state: str = "ACTIVE", joined: datetime = BEFORE) -> AccountLocation:
    return AccountLocation(ACCOUNT, state, joined, units)


def share(number: int = 1, **changed: object) -> Share:
    day = datetime(2026, 1, number, tzinfo=UTC)
    default = Share(f"arn-{number}", ACCOUNT, day, pools=ALL_ASSOCIATED, principals={ACCOUNT: "ASSOCIATED"})
    return replace(default, **changed)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("account_location", "rules", "environment"),
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
        (location(PROD, state="CLOSED"), RULES, ""),
        (None, RULES, ""),
        (location(PROD), replace(RULES, never=frozenset({ACCOUNT})), ""),
        (location(PROD), replace(RULES, since=CREATED), ""),
        (location(PROD, joined=AFTER), replace(RULES, since=CREATED), "Prod"),
        (location(PROD, joined=CREATED), replace(RULES, since=CREATED), "Prod"),
    ],
)
def test_an_active_account_has_the_environment_of_its_nearest_ou(
    account_location: AccountLocation, rules: Rules, environment: str
) -> None:
    spec = share_spec(ACCOUNT, account_location, ENVIRONMENTS, rules, has_share=False)

    assert spec.environment == environment
    assert bool(spec.pools) is not bool(spec.reason)


def test_a_share_that_aws_could_not_create_is_replaced_unless_it_has_pools_after_all() -> None:
    failed = share(1, has_failed=True, pools=dict.fromkeys(ALL_ASSOCIATED, "FAILED"))

    assert share_changes(WANTED, [failed]).apply_now == (CreateShare(ACCOUNT, ("east", "west")), DeleteShare(failed))
    assert share_changes(WANTED, [failed, share(2)]).apply_now == (DeleteShare(failed),)
    assert share_changes(WANTED, [share(1, has_failed=True)]).apply_now == ()


@pytest.mark.parametrize("has_share", [True, False])
def test_an_account_in_a_state_that_is_not_known_is_left_alone(has_share: bool) -> None:
    spec = share_spec(ACCOUNT, location(PROD, state="RESTRICTED"), ENVIRONMENTS, RULES, has_share)

    assert spec.left_alone
    assert spec.reason == "the account is RESTRICTED, of which nothing is known"


@pytest.mark.parametrize("state", ["PENDING_ACTIVATION", "SUSPENDED", "PENDING_CLOSURE", "CLOSED"])
def test_an_account_that_nobody_can_use_loses_its_pools(state: str) -> None:
    spec = share_spec(ACCOUNT, location(PROD, state=state), ENVIRONMENTS, RULES, has_share=True)

    assert (spec.left_alone, spec.keeps_share) == (False, False)
    assert spec.loses(ALL_ASSOCIATED, ALL_ASSOCIATED) == ALL_ASSOCIATED.keys()


@pytest.mark.parametrize(("joined", "keeps"), [(BEFORE, True), (AFTER, False)])
def test_an_existing_account_that_is_closed_keeps_its_share_without_pools(joined: datetime, keeps: bool) -> None:
    """Once it is opened again, only the share tells that it is not to be left alone."""
    closed = location(PROD, state="SUSPENDED", joined=joined)

    spec = share_spec(ACCOUNT, closed, ENVIRONMENTS, replace(RULES, since=CREATED), has_share=True)

    assert (spec.pools, spec.keeps_share) == ((), keeps)


def test_an_account_gets_and_loses_nothing_while_it_is_not_clear_which_pools_its_nearest_ou_has() -> None:
    unclear = replace(ENVIRONMENTS, claimed=frozenset({TEAM.ou_id}))

    spec = share_spec(ACCOUNT, location(TEAM, PROD), unclear, RULES, has_share=True)

    assert (spec.pools, spec.environment, spec.reason) == ((), "", "it is not clear which pools its OU has")
    assert spec.kept == {"east", "west", "other"}
    assert share_spec(ACCOUNT, location(SDLC, TEAM), unclear, RULES, has_share=True).environment == "SDLC"


def test_an_existing_account_that_has_a_share_is_not_left_alone() -> None:
    rules = replace(RULES, since=CREATED)

    assert share_spec(ACCOUNT, location(PROD), ENVIRONMENTS, rules, has_share=False).left_alone
    assert share_spec(ACCOUNT, location(SDLC), ENVIRONMENTS, rules, has_share=True).environment == "SDLC"


@pytest.mark.parametrize(
    ("pool", "sentence"),
    [
        (SharedPool("arn", "us-west-2", required_value="Prod"), None),
        (SharedPool("arn", "us-west-2", ready=False, required_value="Test"), None),
        (
            SharedPool("arn", "us-west-2", required_value="Test"),
            "The pool of 'Prod' in us-west-2 does not require the tag Env=Prod of a VPC, but Env=Test. It stays "
            "shared, and the watch in the Networking account corrects it within an hour.",
        ),
        (
            SharedPool("arn", "us-west-2"),
            "The pool of 'Prod' in us-west-2 does not require the tag Env=Prod of a VPC. It stays shared, and the "
            "watch in the Networking account corrects it within an hour.",
        ),
    ],
    ids=["as it should be", "being modified", "another value", "no rule"],
)
def test_a_pool_that_requires_another_tag_of_a_vpc_is_told(pool: SharedPool, sentence: str | None) -> None:
    assert wrong_rules({"Prod": [pool]}) == ({"arn": sentence} if sentence else {})


@pytest.mark.parametrize(
    ("present", "lost"),
    [
        ({"east", "west"}, set()),
        ({"east", "other"}, {"other"}),
        ({"deleted"}, set()),
        ({"doubtful", "other"}, {"other"}),
    ],
    ids=["its own", "another's", "one that was deleted", "one in doubt"],
)
def test_an_account_loses_the_pools_of_other_environments_that_it_has(present: set[str], lost: set[str]) -> None:
    spec = replace(WANTED, kept=frozenset({"doubtful"}))

    assert spec.loses(present, {"east", "west", "other", "doubtful", "another"}) == lost


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
    ids=["no share", "no change", "to adopt", "no pools and no share", "no pools", "left alone", "two shares"],
)
def test_changes_lead_from_existing_shares_to_the_spec(
    spec: ShareSpec, shares: list[Share], expected: ShareChanges
) -> None:
    assert share_changes(spec, shares) == expected


@pytest.mark.parametrize("status", ["ASSOCIATING", "RESTORING", "DISASSOCIATING", "SUSPENDING"])
def test_changes_wait_for_an_association_in_progress(status: str) -> None:
    in_progress = share(pools=ALL_ASSOCIATED | {"east": status, "old": "ASSOCIATED"})

    assert share_changes(WANTED, [in_progress]) == ShareChanges((), in_progress=True)


@pytest.mark.parametrize("status", ["DISASSOCIATING", "SUSPENDING", "ASSOCIATING", "RESTORING"])
def test_a_complete_share_from_which_something_is_still_going_is_in_progress(status: str) -> None:
    pool, principal = (
        share(pools=ALL_ASSOCIATED | {"old": status}),
        share(principals={ACCOUNT: "ASSOCIATED", "1": status}),
    )

    assert share_changes(WANTED, [pool]) == share_changes(WANTED, [principal]) == ShareChanges((), in_progress=True)


@pytest.mark.parametrize("status", ["FAILED", None])
def test_failed_and_missing_pools_are_added_before_others_are_removed(status: str | None) -> None:
    pools = {"west": "ASSOCIATED", "old": "ASSOCIATED"} | ({"east": status} if status else {})
    incomplete = share(pools=pools)

    assert share_changes(WANTED, [incomplete]).apply_now == (Associate(incomplete, ("east",), ()),)


def test_old_pools_and_other_principals_are_removed_once_all_pools_are_associated() -> None:
    full = share(pools=ALL_ASSOCIATED | {"old": "ASSOCIATED"}, principals={ACCOUNT: "ASSOCIATED", "1": "ASSOCIATED"})

    assert share_changes(WANTED, [full]).apply_now == (Disassociate(full, ("old",), ("1",)),)


KEEPS = ShareSpec(ACCOUNT, reason="no pool for its OU", keeps_share=True)
EMPTY: dict[str, str] = {}


@pytest.mark.parametrize(
    ("spec", "shares", "expected"),
    [
        (KEEPS, [share()], ShareChanges((Disassociate(share(), ("east", "west"), ()),))),
        (KEEPS, [share(pools=EMPTY)], ShareChanges()),
        (KEEPS, [share(settled=False)], ShareChanges((DeleteShare(share(settled=False)),))),
        (
            KEEPS,
            [share(1), share(2)],
            ShareChanges((Disassociate(share(1), ("east", "west"), ()), DeleteShare(share(2)))),
        ),
        (KEEPS, [share(pools={"east": "ASSOCIATING"})], ShareChanges((), in_progress=True)),
        (replace(KEEPS, keeps_share=False), [share(pools=EMPTY)], ShareChanges((DeleteShare(share(pools=EMPTY)),))),
        (
            replace(KEEPS, keeps_share=False, kept=frozenset({"east"})),
            [share()],
            ShareChanges((Disassociate(share(), ("west",), ()),)),
        ),
    ],
    ids=[
        "its pools",
        "nothing any more",
        "one that is not as it should be",
        "two shares",
        "a pool that is still coming",
        "of an account that joined later",
        "a pool in doubt",
    ],
)
def test_of_an_account_without_pools_the_share_stays_if_only_it_tells_that_the_account_had_some(
    spec: ShareSpec, shares: list[Share], expected: ShareChanges
) -> None:
    assert share_changes(spec, shares) == expected


def test_no_share_is_created_before_a_pool_can_be_shared() -> None:
    wanted = replace(WANTED, pools=(replace(EAST, ready=False), replace(WEST, ready=False)))

    assert share_changes(wanted, []) == ShareChanges((), in_progress=True)


def test_a_pool_that_is_not_ready_is_neither_added_nor_removed() -> None:
    wanted = replace(WANTED, pools=(EAST, replace(WEST, ready=False)))

    assert share_changes(wanted, []) == ShareChanges((CreateShare(ACCOUNT, ("east",)),), in_progress=True)
    assert share_changes(wanted, [share(pools={"east": "ASSOCIATED"})]) == ShareChanges((), in_progress=True)
    assert share_changes(wanted, [share()]) == ShareChanges()


@pytest.mark.parametrize("status", ["ASSOCIATED", "SUSPENDED", "ASSOCIATING", "FAILED", None])
def test_a_second_share_goes_once_the_first_has_what_the_account_keeps(status: str | None) -> None:
    spec = replace(WANTED, kept=frozenset({"old"}))
    first = share(1, pools=ALL_ASSOCIATED | ({"old": status} if status else {}))
    second = share(2, pools={"old": "ASSOCIATED"})

    is_there = status in ("ASSOCIATED", "SUSPENDED")
    assert share_changes(spec, [first, second]).apply_now == ((DeleteShare(second),) if is_there else ())


@pytest.mark.parametrize("status", ["ASSOCIATING", "SUSPENDING", None])
def test_nothing_is_taken_away_before_the_first_share_reaches_the_account(status: str | None) -> None:
    coming = share(1, pools=ALL_ASSOCIATED | {"old": "ASSOCIATED"}, principals={ACCOUNT: status} if status else {})

    changes = share_changes(WANTED, [coming, share(2)])

    assert changes == ShareChanges(() if status else (Associate(coming, (), (ACCOUNT,)),), in_progress=True)


def test_a_second_share_with_just_what_the_first_has_goes_also_if_all_of_it_is_kept() -> None:
    spec = replace(WANTED, kept=frozenset(ALL_ASSOCIATED))

    assert share_changes(spec, [share(1), share(2)]).apply_now == (DeleteShare(share(2)),)


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
GONE = ShareSpec(ACCOUNT, reason="gone")
SPECS = st.sampled_from(
    [WANTED, replace(WANTED, pools=(EAST,)), GONE, *(replace(one, kept=frozenset({"old"})) for one in (WANTED, GONE))]
)


@given(SPECS, SHARES)
def test_a_few_rounds_lead_from_any_shares_to_those_with_exactly_the_pools_and_what_is_kept(
    spec: ShareSpec, shares: list[Share]
) -> None:
    for round_ in itertools.count():
        changes = share_changes(spec, shares)
        _assert_no_pool_is_lost(spec, shares, changes)
        if not changes.apply_now and not changes.in_progress:
            break
        assert round_ < 6, "the rounds never end"
        shares = _after(changes, shares)

    if not spec.kept:
        assert len(shares) == (1 if spec.pools else 0)
    for kept in shares:
        assert kept.settled
        assert set(kept.principals) <= {ACCOUNT}
        assert kept.present <= {pool.arn for pool in spec.pools} | spec.kept
    if spec.pools:
        assert any(
            set(kept.principals) == {ACCOUNT} and kept.present >= {pool.arn for pool in spec.pools} for kept in shares
        )


def _assert_no_pool_is_lost(spec: ShareSpec, shares: list[Share], changes: ShareChanges) -> None:
    """Assert that the account keeps each pool that it can use and is to have, or that is not to be taken away."""
    wanted = {pool.arn for pool in spec.pools} | spec.kept
    deleted = {change.share.arn for change in changes.apply_now if isinstance(change, DeleteShare)}
    for existing in shares:
        reached = existing.principals.get(ACCOUNT) == "ASSOCIATED"
        in_use = {pool for pool in wanted if reached and existing.pools.get(pool) == "ASSOCIATED"}
        if existing.arn in deleted and in_use:
            assert any(kept.present >= in_use for kept in shares if kept.arn not in deleted)
    for change in changes.apply_now:
        if isinstance(change, Disassociate):
            assert not wanted & set(change.pools)


def _after(changes: ShareChanges, shares: list[Share]) -> list[Share]:
    """Return the shares that AWS has once the changes are complete."""
    after = {existing.arn: existing for existing in shares}
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
    return [_settled(changed) for changed in after.values()]


def _with(existing: Share, change: Associate | Disassociate, status: str) -> Share:
    return replace(
        existing,
        pools={**existing.pools, **dict.fromkeys(change.pools, status)},
        principals={**existing.principals, **dict.fromkeys(change.principals, status)},
    )


def _settled(existing: Share) -> Share:
    ends = {"ASSOCIATING": "ASSOCIATED", "RESTORING": "ASSOCIATED", "SUSPENDING": "SUSPENDED"}
    gone = {"DISASSOCIATING", "DISASSOCIATED", "FAILED"}

    def settle(statuses: dict[str, str]) -> dict[str, str]:
        return {entity: ends.get(status, status) for entity, status in statuses.items() if status not in gone}

    return replace(existing, pools=settle(dict(existing.pools)), principals=settle(dict(existing.principals)))
