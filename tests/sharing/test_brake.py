"""A run that would take pools away from many accounts takes none, does everything else, and fails in words."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import Any

import pytest
from moto.organizations.models import organizations_backends

from ctipam.errors import AwsFailed
from ctipam.sharing.brake import Brake, held_back
from in_process.lifecycle_events import NEWCOMER, ONE, PROD, SCHEDULE, SDLC, ZERO, moved, registered

MANY = [f"4444444444{number:02}" for number in range(3)]
SHARED = {f"ipamShare-{account_id}": PROD for account_id in (ZERO, *MANY)} | {f"ipamShare-{ONE}": SDLC}


@pytest.fixture
def crowded(landing_zone: Any, ous: Any) -> Any:
    """Share Prod OU's pools with four accounts. Three may lose pools at once."""
    for account_id in MANY:
        landing_zone.cloud.add_account(account_id, ous["Prod OU"])
    landing_zone.set_environment(UNSHARE_LIMIT="3")
    landing_zone.invoke(SCHEDULE)
    assert landing_zone.shared() == SHARED
    return landing_zone


def move_all(landing_zone: Any, to: str) -> None:
    for account_id in (ZERO, *MANY):
        landing_zone.cloud.move(account_id, to)


def test_a_run_takes_nothing_from_more_accounts_than_the_limit_does_the_rest_and_fails_in_words(
    crowded: Any, ous: Any
) -> None:
    move_all(crowded, crowded.cloud.add_ou("Sandbox"))
    crowded.cloud.add_account(NEWCOMER, ous["SDLC OU"])

    with pytest.raises(AwsFailed) as failure:
        crowded.invoke(SCHEDULE)

    assert crowded.shared() == SHARED | {f"ipamShare-{NEWCOMER}": SDLC}
    first = ", ".join(sorted([ZERO, *MANY])[:3])
    assert str(failure.value) == (
        f"4 accounts would lose pools, more than UnshareLimit (3), so none was taken away: {first} and 1 more. "
        "Cause: no pool for its OU (4). If that is right, run `make reconcile unshare=yes` once."
    )


def test_pools_of_a_new_ou_are_given_while_those_of_the_old_one_are_held_back(crowded: Any, ous: Any) -> None:
    move_all(crowded, ous["SDLC OU"])

    with pytest.raises(AwsFailed, match="4 accounts would lose pools"):
        crowded.invoke(SCHEDULE)

    assert crowded.shared() == {name: sorted({*pools, *SDLC}) for name, pools in SHARED.items()}


@pytest.mark.parametrize("name", ["CloseAccount", "RemoveAccountFromOrganization"])
def test_accounts_that_were_closed_or_removed_count(crowded: Any, name: str) -> None:
    for account_id in (ZERO, *MANY):
        crowded.cloud.end(name, account_id)

    with pytest.raises(AwsFailed, match="4 accounts would lose pools"):
        crowded.invoke(SCHEDULE)

    assert {share["name"] for share in crowded.live_shares()} == set(SHARED)


def test_as_many_accounts_as_the_limit_lose_their_pools(crowded: Any) -> None:
    sandbox = crowded.cloud.add_ou("Sandbox")
    for account_id in MANY:
        crowded.cloud.move(account_id, sandbox)

    crowded.invoke(SCHEDULE)

    assert crowded.shared() == {f"ipamShare-{ZERO}": PROD, f"ipamShare-{ONE}": SDLC}


def test_an_operator_permits_it_once(crowded: Any) -> None:
    move_all(crowded, crowded.cloud.add_ou("Sandbox"))
    assert "4 accounts would lose pools" in crowded.invoke({"action": "reconcile"})["heldBack"]

    answer = crowded.invoke({"action": "reconcile", "unshare": True})

    assert (answer["heldBack"], answer["failed"]) == ("", 0)
    assert crowded.shared() == {f"ipamShare-{ONE}": SDLC}


def test_a_permitted_run_takes_nothing_from_accounts_that_have_returned_meanwhile(
    crowded: Any, ous: Any, calls: list[str]
) -> None:
    move_all(crowded, crowded.cloud.add_ou("Sandbox"))
    back = iter([ous["Prod OU"]])

    def returning(_action: str, _params: Any) -> None:
        if ou_id := next(back, None):
            move_all(crowded, ou_id)  # the organization was read before

    crowded.before_ram_calls(returning)
    answer = crowded.invoke({"action": "reconcile", "unshare": True})

    assert (answer["failed"], [call for call in calls if call.startswith("ram:D")]) == (0, [])
    assert crowded.shared() == SHARED


def test_a_preview_shows_what_a_permission_would_take(crowded: Any) -> None:
    move_all(crowded, crowded.cloud.add_ou("Sandbox"))

    answer = crowded.invoke({"action": "reconcile", "unshare": True, "dryRun": True})

    assert sum(len(row["removed"]) for row in answer["reconciled"]) == 4 * len(PROD)
    assert crowded.shared() == SHARED


def test_the_events_of_single_accounts_are_never_held_back_by_the_default(crowded: Any) -> None:
    sandbox = crowded.cloud.add_ou("Sandbox")
    for account_id in (ZERO, *MANY):
        crowded.cloud.move(account_id, sandbox)
        crowded.invoke(moved(account_id))

    assert crowded.shared() == {f"ipamShare-{ONE}": SDLC}


def test_the_registration_of_an_ou_is_held_back_too(crowded: Any) -> None:
    sandbox = crowded.cloud.add_ou("Sandbox")
    move_all(crowded, sandbox)

    with pytest.raises(AwsFailed, match="4 accounts would lose pools"):
        crowded.invoke(registered(sandbox))

    assert crowded.shared() == SHARED


@pytest.mark.parametrize("kind", ["Create", "Update"])
def test_a_stack_operation_succeeds_and_takes_nothing_and_says_so_in_an_output(crowded: Any, kind: str) -> None:
    crowded.ask("Create")
    move_all(crowded, crowded.cloud.add_ou("Sandbox"))

    answer = crowded.ask(kind)

    assert (answer["Status"], answer["Data"]["HeldBack"].partition(",")[0]) == (
        "SUCCESS",
        "4 accounts would lose pools",
    )
    assert crowded.shared() == SHARED


def test_removing_a_region_and_an_environment_is_a_permission_for_exactly_that(crowded: Any, ous: Any) -> None:
    crowded.ask("Create")
    gone = [PROD[0], *SDLC]  # as Custom::InitPools has deleted them
    for name in gone:
        crowded.networking_ec2.delete_ipam_pool(IpamPoolId=crowded.pool_arns()[name].rpartition("/")[2])
        crowded.clock.advance(60)
    arns = crowded.pool_arns()

    answer = crowded.ask("Update")

    assert answer["Data"]["HeldBack"] == "none"
    rams = crowded.networking_ram.get_paginator("get_resource_share_associations")
    crowded.clock.advance(60)
    rows = rams.paginate(associationType="RESOURCE", associationStatus="ASSOCIATED")
    assert {row["associatedEntity"] for page in rows for row in page["resourceShareAssociations"]} == {arns[PROD[1]]}


def test_a_limit_of_none_holds_back_every_loss_but_not_what_the_run_itself_gave(landing_zone: Any, ous: Any) -> None:
    landing_zone.set_environment(UNSHARE_LIMIT="0")
    landing_zone.invoke(SCHEDULE)
    landing_zone.cloud.move(ZERO, landing_zone.cloud.add_ou("Sandbox"))

    with pytest.raises(AwsFailed, match="1 account would lose pools"):
        landing_zone.invoke(moved(ZERO))

    assert landing_zone.shared()[f"ipamShare-{ZERO}"] == PROD


TABLE = list(itertools.product(["true", "false"], ["nearest", "exact"], [False, True]))


@pytest.mark.parametrize(("existing", "match", "over"), TABLE)
def test_existing_accounts_the_match_of_ous_and_the_brake_together(
    landing_zone: Any, ous: Any, existing: str, match: str, over: bool
) -> None:
    """OLD and NEW are in an OU nested in Prod OU and have no share; four accounts have one and are in Sandbox now."""
    cloud, (old, new) = landing_zone.cloud, ("555555555501", "555555555502")
    for account_id in MANY:
        cloud.add_account(account_id, ous["Prod OU"])
    landing_zone.invoke(SCHEDULE)
    nested, sandbox = cloud.add_ou("Team", ous["Prod OU"]), cloud.add_ou("Sandbox")
    for account_id in (old, new):
        cloud.add_account(account_id, nested)
    for account in organizations_backends[cloud.management]["aws"].accounts:
        account.create_time += timedelta(days=1 if account.id == new else -1)
    move_all(landing_zone, sandbox)
    landing_zone.set_environment(
        SHARE_WITH_EXISTING_ACCOUNTS=existing, OU_MATCH=match, UNSHARE_LIMIT="3" if over else "4"
    )

    if over:
        with pytest.raises(AwsFailed, match="4 accounts would lose pools"):
            landing_zone.invoke(SCHEDULE)
    else:
        landing_zone.invoke(SCHEDULE)

    expected = {f"ipamShare-{ONE}": SDLC}
    if existing == "false":  # a share without pools tells that its account, which joined earlier, has had pools
        expected |= {name: [] for name in SHARED.keys() - expected.keys()}
    if over:
        expected |= SHARED
    if match == "nearest":
        expected[f"ipamShare-{new}"] = PROD
    if match == "nearest" and existing == "true":
        expected[f"ipamShare-{old}"] = PROD
    assert landing_zone.shared() == expected


def test_the_message_names_the_count_the_first_accounts_and_the_causes() -> None:
    losers = {f"{number:012}": "gone" if number % 3 else "now in 'Test'" for number in range(1000)}

    text = held_back(losers, 10)

    assert text.startswith("1,000 accounts would lose pools, more than UnshareLimit (10), so none was taken away: 0000")
    assert "Cause: gone (666); now in 'Test' (334)." in text


@pytest.mark.parametrize(
    ("losers", "named"),
    [
        (
            {"1": "gone"},
            "1 account would lose pools, more than UnshareLimit (0), so none was taken away: 1. Cause: gone (1).",
        ),
        (
            {"3": "a", "1": "b", "2": "c"},
            "3 accounts would lose pools, more than UnshareLimit (0), so none was taken away: 1, 2, 3. "
            "Cause: a (1); b (1); c (1).",
        ),
        (
            {"1": "a", "2": "b", "3": "c", "4": "d"},
            "4 accounts would lose pools, more than UnshareLimit (0), so none was taken away: 1, 2, 3 and 1 more. "
            "Cause: a (1); b (1); c (1).",
        ),
    ],
    ids=["one", "three", "four"],
)
def test_the_message_names_up_to_three_accounts_and_causes(losers: dict[str, str], named: str) -> None:
    assert held_back(losers, 0) == f"{named} If that is right, run `make reconcile unshare=yes` once."


@pytest.mark.parametrize(
    ("brake", "losers", "holds"),
    [(Brake(10), 10, False), (Brake(10), 11, True), (Brake(10, permitted=True), 11, False), (Brake(0), 1, True)],
)
def test_the_brake_holds_above_its_limit_unless_it_is_permitted(brake: Brake, losers: int, holds: bool) -> None:
    assert brake.holds(losers) is holds
