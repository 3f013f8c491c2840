"""The settings that limit the cost of IPAM, and the OUs that it may exclude."""

from __future__ import annotations

import pytest

from ctipam.ipam.cost_controls import CostControls, exclusions_property
from ctipam.organization.excluded_ous import OuIndex, find_exclusions
from ctipam.organization.tree import OrganizationalUnit

WORKLOADS, PROD, TEAM, SANDBOX, LAB = (
    OrganizationalUnit(f"ou-ab12-0000000{number}", name)
    for number, name in enumerate(["Workloads", "Prod OU", "Team", "Sandbox", "Lab"])
)
UNITS = OuIndex(
    "o-exampleorgid",
    "r-ab12",
    [(WORKLOADS,), (PROD, WORKLOADS), (TEAM, PROD, WORKLOADS), (SANDBOX,), (LAB, SANDBOX)],
)
SANDBOX_PATH = f"o-exampleorgid/r-ab12/{SANDBOX.ou_id}/*"
LAB_PATH = f"o-exampleorgid/r-ab12/{SANDBOX.ou_id}/{LAB.ou_id}/*"


def find(*units: OrganizationalUnit, exact: bool = False) -> tuple[frozenset[str] | None, list[str]]:
    return find_exclusions(", ".join(unit.ou_id for unit in units), UNITS, {PROD.ou_id: "Prod OU"}, exact=exact)


def test_settings_stay_unchanged_by_default() -> None:
    assert CostControls.from_properties({}) == CostControls("leave", "leave", None)


@pytest.mark.parametrize("text", ["leave", "none", SANDBOX_PATH, f"{SANDBOX_PATH},{LAB_PATH}"])
def test_exclusions_are_read_as_they_are_written(text: str) -> None:
    assert exclusions_property(CostControls.from_properties({"IpamExclusions": text}).exclusions) == text


def test_leave_differs_from_none() -> None:
    assert find_exclusions("leave", UNITS, {}, exact=False) == (None, [])
    assert find_exclusions("none", UNITS, {}, exact=False) == (frozenset(), [])


def test_an_ou_is_excluded_with_its_nested_ous() -> None:
    assert find(SANDBOX) == (frozenset({SANDBOX_PATH}), [])
    assert find(LAB) == (frozenset({LAB_PATH}), [])


@pytest.mark.parametrize(
    ("units", "reason"),
    [
        ([OrganizationalUnit("ou-ab12-99999999", "Gone")], "ou-ab12-99999999, which is no OU of the organization"),
        ([SANDBOX, LAB], f"{LAB.ou_id}, which is in {SANDBOX.ou_id}"),
        ([PROD], f"{PROD.ou_id}, whose accounts use the pools of 'Prod OU'"),
        ([WORKLOADS], f"{WORKLOADS.ou_id}, whose accounts use the pools of 'Prod OU'"),
        ([TEAM], f"{TEAM.ou_id}, whose accounts use the pools of 'Prod OU'"),
    ],
    ids=["no such OU", "nested in an excluded OU", "an environment", "a parent OU", "nested in an environment"],
)
def test_an_ou_that_cannot_be_excluded_is_skipped_with_a_reason(units: list[OrganizationalUnit], reason: str) -> None:
    found, (problem,) = find(*units)

    assert found == (frozenset({SANDBOX_PATH}) if units[0] is SANDBOX else frozenset())
    assert reason in problem
    assert len(problem) < 240


def test_an_ou_nested_in_an_environment_can_be_excluded_if_ous_must_match_exactly() -> None:
    path = f"o-exampleorgid/r-ab12/{WORKLOADS.ou_id}/{PROD.ou_id}/{TEAM.ou_id}/*"

    assert find(TEAM, exact=True) == (frozenset({path}), [])
