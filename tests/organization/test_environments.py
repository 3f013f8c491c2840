"""Which OU each environment is."""

from __future__ import annotations

import re

import pytest

from ctipam.environment_names import corrected, looks_mistyped, split_environment
from ctipam.errors import Refused, explain
from ctipam.organization.environments import KnownOus, identify, if_accounts_have_its_pools, pinned
from ctipam.organization.tree import OrganizationalUnit

FIRST, SECOND, THIRD = "ou-ab12-00000001", "ou-ab12-00000002", "ou-ab12-00000003"


def ous(**names: str) -> list[OrganizationalUnit]:
    return [OrganizationalUnit(f"ou-ab12-0000000{key[-1]}", name) for key, name in names.items()]


@pytest.mark.parametrize(
    ("known", "units", "ou_id"),
    [
        ({"Prod": []}, ous(n1="Prod", n2="SDLC"), FIRST),
        ({"Prod": [FIRST]}, ous(n1="Prod", n2="SDLC"), FIRST),
        ({"Prod": [FIRST]}, ous(n1="Production"), FIRST),
        ({"Prod": [FIRST]}, ous(n1="Production", n2="Prod"), FIRST),
        ({"Prod": [FIRST]}, ous(n1="Prod", n2="Prod"), FIRST),
        ({"Prod": [FIRST], "SDLC": [SECOND]}, ous(n1="SDLC", n2="Prod"), FIRST),
    ],
    ids=["by its name", "by its id", "renamed", "another has the name", "two have the name", "names exchanged"],
)
def test_an_environment_is_found_by_its_name_once_and_known_by_its_id_from_then_on(
    known: KnownOus, units: list[OrganizationalUnit], ou_id: str
) -> None:
    one = identify(known, units)["Prod"]

    assert one.ou
    assert (one.ou.ou_id, one.problem, one.lasting) == (ou_id, "", False)
    now = "" if one.ou.name == "Prod" else f", which is now named {one.ou.name!r}"
    assert one.sentence == f"Environment 'Prod' is OU {ou_id}{now}."
    assert one.to_dict() == {
        "environment": "Prod",
        "organizationalUnit": one.ou.name,
        "organizationalUnitId": ou_id,
    }


@pytest.mark.parametrize(
    ("known", "units", "problem", "lasting"),
    [
        ({"Prod": []}, ous(n1="prod"), "No OU is named 'Prod'", False),
        (
            {"Prod": []},
            ous(n1="Prod", n2="Prod"),
            f"write the one to use, for example {pinned('Prod', FIRST)}. They are {FIRST}, {SECOND}.",
            True,
        ),
        ({"Prod": [FIRST]}, ous(n2="Other"), "In AccEnvName, write its OU: Prod (ou-...).", True),
        (
            {"Prod": [FIRST]},
            ous(n2="Prod"),
            f"In AccEnvName, write {pinned('Prod', SECOND)}, which has that name now.",
            True,
        ),
        ({"Prod": [FIRST], "Old": [SECOND]}, ous(n2="Prod"), "In AccEnvName, write its OU: Prod (ou-...).", True),
        (
            {"Prod": [FIRST], "Old": [SECOND]},
            ous(n2="Prod", n3="Prod"),
            f"In AccEnvName, write {pinned('Prod', THIRD)}, which has that name now.",
            True,
        ),
        ({"Prod": [FIRST, SECOND]}, ous(n1="Prod"), f"name several OUs ({FIRST}, {SECOND})", True),
        (
            {"Prod": [FIRST, "no ou"]},
            ous(n1="Renamed", n2="Prod"),
            f"In AccEnvName, write {pinned('Prod', FIRST)}, the only one of them in the organization.",
            True,
        ),
        (
            {"Prod": [FIRST, SECOND]},
            ous(n1="Renamed", n2="Another", n3="Prod"),
            "In AccEnvName, write its OU: Prod (ou-...).",
            True,
        ),
        (
            {"Prod": [FIRST, SECOND]},
            ous(n1="Renamed", n2="Prod"),
            f"In AccEnvName, write {pinned('Prod', SECOND)}, which has that name now.",
            True,
        ),
        ({"Prod": [FIRST], "Old": [FIRST]}, ous(n1="Prod"), "and of another environment", True),
        ({"Prod": [], "Old": [FIRST]}, ous(n1="Prod"), "is the OU of another environment", True),
    ],
    ids=[
        "not yet there",
        "twins",
        "deleted",
        "made anew",
        "another environment was renamed so",
        "made anew beside another environment that was renamed so",
        "contradictory tags",
        "contradictory tags of which one names an OU that was renamed",
        "contradictory tags, none of them of the OU of that name",
        "contradictory tags, one of them of the OU of that name",
        "claimed twice",
        "taken",
    ],
)
def test_nothing_is_decided_silently(
    known: KnownOus, units: list[OrganizationalUnit], problem: str, lasting: bool
) -> None:
    one = identify(known, units)["Prod"]

    assert one.ou is None
    assert problem in one.problem
    assert one.lasting is lasting
    assert one.sentence == one.problem
    assert one.to_dict() == {
        "environment": "Prod",
        "organizationalUnit": None,
        "organizationalUnitId": None,
        "problem": one.problem,
    }


@pytest.mark.parametrize(
    ("units", "wrong", "ou_id"),
    [
        (ous(n1="SDLC", n2="Prod"), "Prod", SECOND),
        (ous(n1="Prod", n2="SDLC"), "SDLC", SECOND),
        (ous(n1="Prod", n2="Other"), "SDLC", "ou-..."),
        (ous(n2="Other"), "Prod", "ou-..."),
    ],
    ids=["the other's OU", "own OU", "only one OU", "the OU is gone"],
)
def test_the_way_out_of_two_environments_with_one_ou_is_for_the_one_that_is_not_named_as_it(
    units: list[OrganizationalUnit], wrong: str, ou_id: str
) -> None:
    found = identify({"Prod": [FIRST], "SDLC": [FIRST]}, units)

    for one in found.values():
        assert f"In AccEnvName, write another OU: {pinned(wrong, ou_id)}." in one.problem


def test_the_way_out_of_two_environments_with_one_ou_takes_no_ou_from_a_third() -> None:
    found = identify({"Prod": [FIRST], "SDLC": [FIRST], "Test": [SECOND]}, ous(n1="Prod", n2="SDLC"))

    assert "In AccEnvName, write another OU: SDLC (ou-...)." in found["SDLC"].problem
    assert found["Test"].ou


NAME = "Workloads - Production - Critical (EU-West)"


@pytest.mark.parametrize(
    ("known", "units"),
    [
        ({NAME: [THIRD]}, ous(n1="Other")),
        ({NAME: [THIRD]}, ous(n1=NAME)),
        ({NAME: [SECOND, THIRD]}, ous(n1=NAME)),
        ({NAME: [FIRST], "Old": [FIRST]}, ous(n1="Old")),
        ({NAME: []}, ous(n1=NAME, n2=NAME, n3=NAME)),
    ],
)
def test_the_way_out_fits_into_a_reason_beside_a_long_name(known: KnownOus, units: list[OrganizationalUnit]) -> None:
    cut = explain(Refused(identify(known, units)[NAME].problem))

    assert re.search(rf"In AccEnvName, write [^.]*{re.escape(NAME)} \(ou-[-0-9a-z.]+\)[,.]", cut), cut


def test_an_environment_that_accounts_use_keeps_its_shares_even_if_no_ou_has_its_name() -> None:
    found = identify({"Prod": [], "SDLC": [SECOND], "Gone": [THIRD]}, ous(n2="SDLC"))

    prod = if_accounts_have_its_pools(found["Prod"])

    assert (prod.ou, prod.lasting) == (None, True)
    assert prod.problem.startswith("No OU is named 'Prod' any more, and its pools do not say which OU it is.")
    assert "Write its OU: Prod (ou-...) in AccEnvName, or remove the environment there." in prod.problem
    assert if_accounts_have_its_pools(found["SDLC"]) == found["SDLC"]
    assert if_accounts_have_its_pools(found["Gone"]) == found["Gone"]


@pytest.mark.parametrize("quote", ["'", '"', "`"])
def test_quotes_around_a_name_or_an_id_are_corrected(quote: str) -> None:
    for item in (f"{quote}Prod{quote} ({FIRST})", f"Prod ({quote}{FIRST}{quote})"):
        assert looks_mistyped(item), item
        assert corrected(item) == f"Prod ({FIRST})"
    assert not looks_mistyped(f"{quote}Prod ({FIRST})")


@pytest.mark.parametrize(
    ("item", "split"),
    [
        ("Prod OU", ("Prod OU", "")),
        (f"Prod OU ({FIRST})", ("Prod OU", FIRST)),
        (f"Prod (EU) ({FIRST})", ("Prod (EU)", FIRST)),
        ("Prod (EU)", ("Prod (EU)", "")),
        ("Prod (ou-ab12)", ("Prod (ou-ab12)", "")),
        ("Prod (OU-AB12-00000001)", ("Prod (OU-AB12-00000001)", "")),
        (f"Prod ({FIRST}) East", (f"Prod ({FIRST}) East", "")),
        (f"Prod({FIRST})", (f"Prod({FIRST})", "")),
        (f"({FIRST})", (f"({FIRST})", "")),
    ],
)
def test_only_the_id_of_an_ou_in_parentheses_at_the_end_is_not_part_of_the_name(
    item: str, split: tuple[str, str]
) -> None:
    assert split_environment(item) == split
