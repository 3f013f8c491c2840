"""Which VPCs of the organization IPAM shows, when, and what it says of them."""

from __future__ import annotations

from typing import Any

import pytest

from aws_models.errors import AwsError
from aws_models.ipam.bench import ELSEWHERE, HOME, MANAGEMENT, MEMBER, NETWORKING, STRANGER, WEST, Bench
from aws_models.ipam.settings import Timings
from aws_models.organization import Caller

LAG = Timings().discovery
ROOT = "o-exampleorgid/r-ab12"
SANDBOX = f"{ROOT}/ou-ab12-11111111/"


@pytest.fixture
def bench() -> Bench:
    """An organization whose accounts IPAM has looked at."""
    bench = Bench()
    bench.integrate()
    bench.clock.advance(LAG)
    return bench


def make(bench: Bench, vpc_id: str, cidr: str, region: str = WEST, account: str = MEMBER, **tags: str) -> None:
    """Create a VPC without a pool."""
    bench.model.vpc_has_cidr(vpc_id, cidr, tags, Caller(account, region))


def shown(bench: Bench, **params: Any) -> dict[str, dict[str, Any]]:
    """Return what IPAM shows, by VPC; each has one CIDR in these tests."""
    rows = bench.all("GetIpamResourceCidrs", "IpamResourceCidrs", IpamScopeId=bench.scope, ResourceType="vpc", **params)
    return {row["ResourceId"]: row for row in rows}


def states(bench: Bench) -> dict[str, tuple[str, str, str]]:
    return {
        vpc_id: (row["ManagementState"], row["ComplianceStatus"], row["OverlapStatus"])
        for vpc_id, row in shown(bench).items()
    }


def discovered(bench: Bench, region: str = WEST) -> dict[str, dict[str, Any]]:
    rows = bench.all(
        "GetIpamDiscoveredAccounts",
        "IpamDiscoveredAccounts",
        IpamResourceDiscoveryId=bench.ipam["DefaultResourceDiscoveryId"],
        DiscoveryRegion=region,
    )
    return {row["AccountId"]: row for row in rows}


def test_a_vpc_is_shown_with_its_owner_and_region_after_the_lag(bench: Bench) -> None:
    make(bench, "vpc-1", "10.0.0.0/16", Name="shop")
    bench.clock.advance(LAG - 1)
    assert shown(bench) == {}

    bench.clock.advance(1)

    row = shown(bench)["vpc-1"]
    assert row == {
        "IpamId": bench.ipam["IpamId"],
        "IpamScopeId": bench.scope,
        "ResourceRegion": WEST,
        "ResourceOwnerId": MEMBER,
        "ResourceId": "vpc-1",
        "ResourceName": "shop",
        "ResourceCidr": "10.0.0.0/16",
        "ResourceType": "vpc",
        "ResourceTags": [{"Key": "Name", "Value": "shop"}],
        "ComplianceStatus": "unmanaged",
        "ManagementState": "unmanaged",
        "OverlapStatus": "nonoverlapping",
        "VpcId": "vpc-1",
    }


def test_a_deleted_vpc_is_shown_until_the_lag_has_passed(bench: Bench) -> None:
    make(bench, "vpc-1", "10.0.0.0/16")
    bench.clock.advance(LAG)
    bench.model.vpc_deleted("vpc-1")
    bench.clock.advance(LAG - 1)
    assert "vpc-1" in shown(bench)

    bench.clock.advance(1)

    assert shown(bench) == {}


def test_an_ipam_that_is_new_shows_nothing_and_knows_no_account() -> None:
    bench = Bench()
    make(bench, "vpc-1", "10.0.0.0/16", account=NETWORKING)

    assert shown(bench) == {}
    assert discovered(bench) == {}

    bench.clock.advance(LAG)

    assert set(shown(bench)) == {"vpc-1"}
    assert "LastSuccessfulDiscoveryTime" in discovered(bench)[NETWORKING]


def test_until_ipam_has_looked_once_an_account_has_no_time_of_discovery() -> None:
    bench = Bench()
    bench.ask("EnableIpamOrganizationAdminAccount", HOME, MANAGEMENT, DelegatedAdminAccountId=NETWORKING)
    bench.clock.advance(60)

    assert set(discovered(bench)) == {MANAGEMENT, NETWORKING, MEMBER}
    assert not any("LastSuccessfulDiscoveryTime" in row for row in discovered(bench).values())


@pytest.mark.parametrize(
    ("account", "region"), [(STRANGER, WEST), (MEMBER, ELSEWHERE)], ids=["another organization", "no operating Region"]
)
def test_a_vpc_where_ipam_does_not_look_is_never_shown(bench: Bench, account: str, region: str) -> None:
    make(bench, "vpc-1", "10.0.0.0/16", region, account)
    bench.clock.advance(10 * LAG)

    assert shown(bench) == {}


def test_without_the_organization_only_the_own_account_is_looked_at(bench: Bench) -> None:
    make(bench, "vpc-1", "10.0.0.0/16")
    make(bench, "vpc-2", "10.1.0.0/16", account=NETWORKING)
    bench.clock.advance(LAG)
    assert set(shown(bench)) == {"vpc-1", "vpc-2"}

    bench.ask("DisableIpamOrganizationAdminAccount", HOME, MANAGEMENT, DelegatedAdminAccountId=NETWORKING)

    assert set(shown(bench)) == {"vpc-2"}
    assert set(discovered(bench)) == {NETWORKING}


def test_an_administrator_who_is_only_registered_with_organizations_sees_nothing_of_others() -> None:
    bench = Bench()
    bench.organization.delegated_administrators["ipam.amazonaws.com"] = NETWORKING
    make(bench, "vpc-1", "10.0.0.0/16")
    bench.clock.advance(LAG)
    assert set(discovered(bench)) == {NETWORKING}

    bench.integrate()
    bench.clock.advance(LAG)

    assert set(shown(bench)) == {"vpc-1"}


def test_the_accounts_of_an_excluded_ou_are_left_out(bench: Bench) -> None:
    bench.organization.path_of = lambda account_id: SANDBOX if account_id == MEMBER else f"{ROOT}/"
    make(bench, "vpc-1", "10.0.0.0/16")
    bench.clock.advance(LAG)
    assert set(shown(bench)) == {"vpc-1"}

    bench.ask(
        "ModifyIpamResourceDiscovery",
        IpamResourceDiscoveryId=bench.ipam["DefaultResourceDiscoveryId"],
        AddOrganizationalUnitExclusions=[{"OrganizationsEntityPath": f"{SANDBOX}*"}],
    )
    bench.wait()

    assert shown(bench) == {}
    assert MEMBER not in discovered(bench)


def test_a_new_operating_region_is_empty_until_the_lag_has_passed(bench: Bench) -> None:
    make(bench, "vpc-1", "10.0.0.0/16", ELSEWHERE)
    bench.clock.advance(LAG)
    bench.ask("ModifyIpam", IpamId=bench.ipam["IpamId"], AddOperatingRegions=[{"RegionName": ELSEWHERE}])
    bench.wait()
    assert shown(bench) == {}

    bench.clock.advance(LAG)

    assert set(shown(bench)) == {"vpc-1"}


def test_a_removed_operating_region_shows_nothing_any_more(bench: Bench) -> None:
    make(bench, "vpc-1", "10.0.0.0/16")
    bench.clock.advance(LAG)
    bench.ask("ModifyIpam", IpamId=bench.ipam["IpamId"], RemoveOperatingRegions=[{"RegionName": WEST}])
    bench.wait()

    assert shown(bench) == {}
    with pytest.raises(AwsError):
        discovered(bench)


def test_where_discovery_fails_the_old_is_shown_and_the_reason_is_named(bench: Bench) -> None:
    make(bench, "vpc-1", "10.0.0.0/16")
    bench.clock.advance(LAG)
    bench.model.faults.fail_discovery(MEMBER)
    make(bench, "vpc-2", "10.1.0.0/16")
    bench.clock.advance(2 * LAG)

    assert set(shown(bench)) == {"vpc-1"}
    row = discovered(bench)[MEMBER]
    assert row["FailureReason"]["Code"] == "assume-role-failure"
    assert row["LastAttemptedDiscoveryTime"] > row["LastSuccessfulDiscoveryTime"]
    assert "FailureReason" not in discovered(bench)[NETWORKING]


def test_a_vpc_from_a_pool_is_managed(bench: Bench) -> None:
    leaf = bench.share(bench.pool("10.0.0.0/16", Locale=WEST))
    bench.make_vpc("vpc-1", WEST, MEMBER, Ipv4IpamPoolId=leaf, Ipv4NetmaskLength=24)
    make(bench, "vpc-2", "10.1.0.0/16")
    bench.clock.advance(LAG)

    assert states(bench)["vpc-1"] == ("managed", "compliant", "nonoverlapping")
    assert shown(bench)["vpc-1"]["IpamPoolId"] == leaf
    unmanaged = [{"Name": "management-state", "Values": ["unmanaged"]}]
    assert set(shown(bench, Filters=unmanaged)) == {"vpc-2"}
    assert set(shown(bench, IpamPoolId=leaf)) == {"vpc-1"}


@pytest.mark.parametrize(
    "rule",
    [{"AllocationMaxNetmaskLength": 20}, {"AddAllocationResourceTags": [{"Key": "Env", "Value": "Prod OU"}]}],
    ids=["its size", "its tags"],
)
def test_a_managed_vpc_that_a_rule_no_longer_allows_is_noncompliant(bench: Bench, rule: dict[str, Any]) -> None:
    leaf = bench.share(bench.pool("10.0.0.0/16", Locale=WEST))
    bench.make_vpc("vpc-1", WEST, MEMBER, Ipv4IpamPoolId=leaf, Ipv4NetmaskLength=24)
    bench.ask("ModifyIpamPool", IpamPoolId=leaf, **rule)
    bench.clock.advance(LAG)

    assert states(bench)["vpc-1"][1] == "noncompliant"


def test_overlapping_vpcs_say_so_and_so_does_one_over_a_manual_allocation(bench: Bench) -> None:
    leaf = bench.pool("10.0.0.0/16", Locale=WEST)
    bench.ask("AllocateIpamPoolCidr", WEST, IpamPoolId=leaf, Cidr="10.0.5.0/24")
    for vpc_id, cidr in {
        "vpc-large": "10.1.0.0/16",
        "vpc-inside": "10.1.2.0/24",
        "vpc-also": "10.1.3.0/24",
        "vpc-reserved": "10.0.4.0/23",
        "vpc-alone": "10.2.0.0/16",
    }.items():
        make(bench, vpc_id, cidr)
    bench.clock.advance(LAG)

    overlapping = {vpc_id for vpc_id, (_, _, overlap) in states(bench).items() if overlap == "overlapping"}

    assert overlapping == {"vpc-large", "vpc-inside", "vpc-also", "vpc-reserved"}


def test_a_cidr_that_is_no_longer_monitored_is_ignored_and_its_space_comes_back(bench: Bench) -> None:
    leaf = bench.share(bench.pool("10.0.0.0/16", Locale=WEST))
    bench.make_vpc("vpc-1", WEST, MEMBER, Ipv4IpamPoolId=leaf, Ipv4NetmaskLength=16)
    bench.clock.advance(LAG)

    monitor(bench, "10.0.0.0/16", monitored=False)

    assert states(bench)["vpc-1"] == ("ignored", "ignored", "ignored")
    bench.clock.advance(Timings().recycle)
    assert bench.make_vpc("vpc-2", WEST, MEMBER, Ipv4IpamPoolId=leaf, Ipv4NetmaskLength=16) == "10.0.0.0/16"
    monitor(bench, "10.0.0.0/16", monitored=True)
    assert states(bench)["vpc-1"][0] == "unmanaged"


def monitor(bench: Bench, cidr: str, *, monitored: bool) -> None:
    bench.ask(
        "ModifyIpamResourceCidr",
        ResourceId="vpc-1",
        ResourceCidr=cidr,
        ResourceRegion=WEST,
        CurrentIpamScopeId=bench.scope,
        Monitored=monitored,
    )


def test_only_the_owner_reads_what_is_shown_and_in_the_home_region(bench: Bench) -> None:
    for where in ({"region": WEST}, {"account": MEMBER}):
        with pytest.raises(AwsError, match=r"InvalidIpamScopeId\.NotFound"):
            bench.ask("GetIpamResourceCidrs", **where, IpamScopeId=bench.scope, ResourceType="vpc")


def test_other_resources_than_vpcs_are_not_implemented(bench: Bench) -> None:
    with pytest.raises(NotImplementedError, match="ResourceType"):
        bench.ask("GetIpamResourceCidrs", IpamScopeId=bench.scope)


# Automatic import


def importing(bench: Bench, **params: Any) -> str:
    return bench.pool("10.0.0.0/16", Locale=WEST, AutoImport=True, **params)


def imported(bench: Bench, pool_id: str) -> dict[str, str]:
    bench.clock.advance(Timings().auto_import)
    return {one["ResourceId"]: one["Cidr"] for one in bench.allocations(pool_id, WEST)}


def test_a_vpc_in_the_pools_space_is_imported_some_time_after_it_is_shown(bench: Bench) -> None:
    leaf = importing(bench)
    make(bench, "vpc-1", "10.0.5.0/24")
    make(bench, "vpc-elsewhere", "10.1.0.0/24")
    bench.clock.advance(LAG)
    assert bench.allocations(leaf, WEST) == []

    assert imported(bench, leaf) == {"vpc-1": "10.0.5.0/24"}
    assert states(bench)["vpc-1"] == ("managed", "compliant", "nonoverlapping")


def test_import_begins_when_it_is_switched_on_and_ends_when_it_is_switched_off(bench: Bench) -> None:
    leaf = bench.pool("10.0.0.0/16", Locale=WEST)
    make(bench, "vpc-1", "10.0.5.0/24")
    bench.clock.advance(LAG + Timings().auto_import)
    assert imported(bench, leaf) == {}

    bench.ask("ModifyIpamPool", IpamPoolId=leaf, AutoImport=True)
    assert bench.allocations(leaf, WEST) == []
    assert set(imported(bench, leaf)) == {"vpc-1"}

    bench.ask("ModifyIpamPool", IpamPoolId=leaf, AutoImport=False)
    make(bench, "vpc-2", "10.0.6.0/24")
    bench.clock.advance(LAG)
    assert set(imported(bench, leaf)) == {"vpc-1"}


def test_a_deleted_vpc_that_is_still_shown_is_imported_until_it_is_shown_no_longer(bench: Bench) -> None:
    """Assumed: it is the strictest that a list that lags behind can lead to."""
    leaf = importing(bench)
    make(bench, "vpc-1", "10.0.5.0/24")
    bench.clock.advance(LAG + Timings().auto_import)

    bench.model.vpc_deleted("vpc-1")

    bench.clock.advance(LAG - 1)
    assert len(bench.allocations(leaf, WEST)) == 1
    bench.clock.advance(1)
    assert bench.allocations(leaf, WEST) == []


def test_import_takes_what_no_rule_allows_and_calls_it_noncompliant(bench: Bench) -> None:
    required = [{"Key": "Env", "Value": "Prod OU"}]
    leaf = importing(bench, AllocationResourceTags=required, AllocationMinNetmaskLength=22)
    make(bench, "vpc-untagged", "10.0.8.0/24")
    make(bench, "vpc-large", "10.0.16.0/20", Env="Prod OU")
    make(bench, "vpc-region", "10.0.9.0/24", region=HOME, Env="Prod OU")
    make(bench, "vpc-fine", "10.0.10.0/24", Env="Prod OU")
    bench.clock.advance(LAG)

    assert len(imported(bench, leaf)) == 4
    assert {vpc_id for vpc_id, state in states(bench).items() if state[1] == "compliant"} == {"vpc-fine"}


def test_of_overlapping_vpcs_only_the_largest_is_imported_and_of_equal_ones_only_one(bench: Bench) -> None:
    leaf = importing(bench)
    make(bench, "vpc-small", "10.0.8.0/24")
    make(bench, "vpc-large", "10.0.8.0/22")
    make(bench, "vpc-twin-a", "10.0.32.0/24")
    make(bench, "vpc-twin-b", "10.0.32.0/24")
    make(bench, "vpc-across", "10.0.0.0/15")
    bench.clock.advance(LAG)
    assert imported(bench, leaf) == {}, "the largest is not inside the pool"

    bench.model.vpc_deleted("vpc-across")
    bench.clock.advance(LAG)

    assert sorted(imported(bench, leaf)) == ["vpc-large", "vpc-twin-a"]


@pytest.mark.parametrize("cidr", ["10.0.0.0/22", "10.0.1.0/25"], ids=["it covers an allocation", "it is within one"])
def test_a_vpc_that_overlaps_an_allocation_is_never_imported(bench: Bench, cidr: str) -> None:
    leaf = importing(bench)
    bench.ask("AllocateIpamPoolCidr", WEST, IpamPoolId=leaf, Cidr="10.0.1.0/24")
    make(bench, "vpc-1", cidr)
    bench.clock.advance(LAG)

    bench.clock.advance(Timings().auto_import)
    assert len(bench.allocations(leaf, WEST)) == 1
    assert states(bench)["vpc-1"][0] == "unmanaged"


def test_a_vpc_that_is_ignored_is_not_imported(bench: Bench) -> None:
    leaf = bench.pool("10.0.0.0/16", Locale=WEST)
    make(bench, "vpc-1", "10.0.5.0/24")
    bench.clock.advance(LAG)
    monitor(bench, "10.0.5.0/24", monitored=False)
    bench.ask("ModifyIpamPool", IpamPoolId=leaf, AutoImport=True)

    assert imported(bench, leaf) == {}


def test_a_pool_without_a_locale_imports_nothing(bench: Bench) -> None:
    with pytest.raises(AwsError, match="AutoImport"):
        bench.pool(AutoImport=True)
