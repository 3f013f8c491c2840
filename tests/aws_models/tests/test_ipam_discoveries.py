"""The resource discovery that comes with an IPAM, and the OUs that it excludes."""

from __future__ import annotations

from typing import Any

import pytest

from aws_models.errors import AwsError
from aws_models.ipam.bench import ELSEWHERE, HOME, MANAGEMENT, NETWORKING, STRANGER, Bench

ROOT = "o-exampleorgid/r-ab12"
SANDBOX, LAB = f"{ROOT}/ou-ab12-11111111/*", f"{ROOT}/ou-ab12-11111111/ou-ab12-22222222/*"


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.ask("EnableIpamOrganizationAdminAccount", HOME, MANAGEMENT, DelegatedAdminAccountId=NETWORKING)
    bench.wait(60)
    return bench


def modify(bench: Bench, add: tuple[str, ...] = (), remove: tuple[str, ...] = (), **where: Any) -> dict[str, Any]:
    named = [[{"OrganizationsEntityPath": path} for path in paths] for paths in (add, remove)]
    answer: dict[str, Any] = bench.ask(
        "ModifyIpamResourceDiscovery",
        **where,
        IpamResourceDiscoveryId=bench.ipam["DefaultResourceDiscoveryId"],
        AddOrganizationalUnitExclusions=named[0],
        RemoveOrganizationalUnitExclusions=named[1],
    )["IpamResourceDiscovery"]
    return answer


def discovery(bench: Bench, **where: Any) -> dict[str, Any]:
    (found,) = bench.ask("DescribeIpamResourceDiscoveries", **where)["IpamResourceDiscoveries"]
    assert isinstance(found, dict)
    return found


def excluded(bench: Bench) -> list[str]:
    return [one["OrganizationsEntityPath"] for one in discovery(bench)["OrganizationalUnitExclusions"]]


def test_an_ipam_brings_a_discovery_that_excludes_nothing(bench: Bench) -> None:
    found = discovery(bench)

    assert found["IpamResourceDiscoveryId"] == bench.ipam["DefaultResourceDiscoveryId"]
    assert (found["State"], found["IsDefault"], excluded(bench)) == ("create-complete", True, [])


def test_a_change_takes_a_while_and_then_is_there(bench: Bench) -> None:
    assert modify(bench, add=(SANDBOX,))["State"] == "modify-in-progress"
    assert excluded(bench) == []

    bench.wait()

    assert (discovery(bench)["State"], excluded(bench)) == ("modify-complete", [SANDBOX])
    modify(bench, remove=(SANDBOX,))
    bench.wait()
    assert excluded(bench) == []


def test_an_ipam_that_is_new_does_not_know_the_ous_yet() -> None:
    bench = Bench()
    bench.ask("EnableIpamOrganizationAdminAccount", HOME, MANAGEMENT, DelegatedAdminAccountId=NETWORKING)

    with pytest.raises(AwsError, match="entity paths is invalid"):
        modify(bench, add=(SANDBOX,))


def test_while_it_changes_it_takes_no_other_change(bench: Bench) -> None:
    modify(bench, add=(SANDBOX,))

    with pytest.raises(AwsError, match="IncorrectState"):
        modify(bench, remove=(SANDBOX,))


def test_an_inner_ou_can_be_replaced_by_the_one_around_it_in_one_call_only(bench: Bench) -> None:
    modify(bench, add=(LAB,))
    bench.wait()

    with pytest.raises(AwsError, match="exclude the same OU"):
        modify(bench, add=(SANDBOX,))

    modify(bench, add=(SANDBOX,), remove=(LAB,))
    bench.wait()
    assert excluded(bench) == [SANDBOX]


@pytest.mark.parametrize(
    ("add", "remove", "code"),
    [
        (("ou-ab12-11111111",), (), "InvalidParameterValue"),
        ((f"{ROOT}/*",), (), "InvalidParameterValue"),
        ((SANDBOX.replace("exampleorgid", "anotherorgid"),), (), "InvalidParameterValue"),
        ((), (SANDBOX,), "InvalidParameterValue"),
        ((), (), "InvalidParameterCombination"),
        (tuple(f"{ROOT}/ou-ab12-000000{number}0/*" for number in range(10, 21)), (), "ResourceLimitExceeded"),
    ],
    ids=["no path", "the root", "another organization", "not excluded", "nothing", "more than ten"],
)
def test_what_makes_no_sense_is_refused(bench: Bench, add: Any, remove: Any, code: str) -> None:
    with pytest.raises(AwsError) as refused:
        modify(bench, add, remove)

    assert refused.value.code == code


def test_only_the_organizations_administrator_can_exclude(bench: Bench) -> None:
    bench.ask("DisableIpamOrganizationAdminAccount", HOME, MANAGEMENT, DelegatedAdminAccountId=NETWORKING)

    with pytest.raises(AwsError, match="not integrated"):
        modify(bench, add=(SANDBOX,))


@pytest.mark.parametrize("where", [{"region": ELSEWHERE}, {"account": STRANGER}])
def test_only_its_owner_finds_it_and_in_the_home_region(bench: Bench, where: Any) -> None:
    assert bench.ask("DescribeIpamResourceDiscoveries", **where)["IpamResourceDiscoveries"] == []
    with pytest.raises(AwsError, match=r"InvalidIpamResourceDiscoveryId\.NotFound"):
        modify(bench, add=(SANDBOX,), **where)


def test_it_goes_with_its_ipam(bench: Bench) -> None:
    bench.ask("DeleteIpam", IpamId=bench.ipam["IpamId"])
    bench.wait()

    assert bench.ask("DescribeIpamResourceDiscoveries")["IpamResourceDiscoveries"] == []


# Who pays


def meter(bench: Bench, who: str) -> None:
    bench.ask("ModifyIpam", IpamId=bench.ipam["IpamId"], MeteredAccount=who)
    bench.wait()


def test_costs_can_be_distributed_and_taken_back_within_a_day_or_after_a_week(bench: Bench) -> None:
    day = 86400
    meter(bench, "resource-owner")
    meter(bench, "ipam-owner")
    meter(bench, "resource-owner")
    bench.clock.advance(2 * day)

    with pytest.raises(AwsError, match="seven days"):
        meter(bench, "ipam-owner")

    bench.clock.advance(6 * day)
    meter(bench, "ipam-owner")
    assert bench.ask("DescribeIpams")["Ipams"][0]["MeteredAccount"] == "ipam-owner"


def test_only_the_organizations_administrator_can_distribute_costs(bench: Bench) -> None:
    bench.ask("DisableIpamOrganizationAdminAccount", HOME, MANAGEMENT, DelegatedAdminAccountId=NETWORKING)

    with pytest.raises(AwsError, match="Only the organization's IPAM administrator"):
        meter(bench, "resource-owner")
