"""`make plan VPCS=ipam`: what IPAM has discovered, and what it has not looked at."""

from __future__ import annotations

from typing import Any

import pytest
from moto.ec2.models.availability_zones_and_regions import Region, RegionsAndZonesBackend

from aws_models.ipam import resources
from commands.existing_vpcs import reserve
from commands.plan import __main__ as plan
from ctipam.errors import Refused
from in_process import session_policies
from in_process.fixtures import of_management

HOME, WEST = "us-east-1", "us-west-2"
ELSEWHERE = ["ap-south-1", "eu-central-1", "eu-north-1", "eu-west-1", "sa-east-1"]
MANAGEMENT, NETWORKING, SHOP = "123456789012", "222222222222", "012345678901"
LAG = 1800
WORDS = ["VPCS=ipam", "CIDR=10.0.0.0/8", "REGION_PREFIX=12", "ENV_PREFIX=14"]


class Company:
    """An organization whose Networking account has an IPAM in two Regions, the only ones that are enabled."""

    def __init__(self, cloud: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.cloud = cloud
        cloud.add_account(SHOP, cloud.add_ou("Prod OU"))
        self.enable(monkeypatch, HOME, WEST)
        of_management("ec2").enable_ipam_organization_admin_account(DelegatedAdminAccountId=NETWORKING)
        regions = [{"RegionName": WEST}]
        self.ec2 = cloud.client("ec2", NETWORKING)
        self.scope = self.ec2.create_ipam(OperatingRegions=regions)["Ipam"]["PrivateDefaultScopeId"]
        cloud.clock.advance(15)

    def enable(self, monkeypatch: pytest.MonkeyPatch, *regions: str) -> None:
        """Let these Regions be enabled. moto enables all."""
        known = [Region(name, f"ec2.{name}.amazonaws.com", "opt-in-not-required") for name in regions]
        monkeypatch.setattr(RegionsAndZonesBackend, "describe_regions", lambda _backend, _names=None: known)

    def look(self) -> None:
        self.cloud.clock.advance(LAG)

    def make_vpc(self, cidr: str, account_id: str = SHOP, region: str = HOME) -> str:
        created = self.cloud.client("ec2", account_id, region).create_vpc(CidrBlock=cidr)
        return str(created["Vpc"]["VpcId"])

    def make_pool(self) -> str:
        pool_id = self.ec2.create_ipam_pool(IpamScopeId=self.scope, AddressFamily="ipv4", Locale=HOME)["IpamPool"][
            "IpamPoolId"
        ]
        self.cloud.clock.advance(15)
        self.ec2.provision_ipam_pool_cidr(IpamPoolId=pool_id, Cidr="10.0.0.0/12")
        self.cloud.clock.advance(15)
        return str(pool_id)


@pytest.fixture
def company(cloud: Any, monkeypatch: pytest.MonkeyPatch) -> Company:
    return Company(cloud, monkeypatch)


def report(*words: str) -> str:
    """Return the lines about existing VPCs as one, with single spaces."""
    lines = plan.planned([*WORDS, *words]).splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("Existing VPCs"))
    return " ".join(" ".join(lines[first : lines.index("", first)]).split())


def test_vpcs_of_all_accounts_are_listed_with_what_would_reserve_them(company: Company) -> None:
    ours = company.make_vpc("10.0.0.0/16", MANAGEMENT)
    theirs = company.make_vpc("10.200.0.0/16", SHOP, WEST)
    company.make_vpc("192.168.0.0/16")
    company.look()

    text = report()

    assert text.startswith("Existing VPCs: 2 of 3 CIDRs in 3 accounts overlap 10.0.0.0/8")
    assert f"10.0.0.0/16 {ours} {MANAGEMENT} {HOME} Prod OU in us-west-2" in text
    assert f"10.200.0.0/16 {theirs} {SHOP} {WEST} in space that no Region uses yet" in text
    assert "ReservedCidrs=10.0.0.0/16,10.200.0.0/16 " in text
    assert "incomplete" not in text
    assert "up to an hour" in text
    assert plan.planned(WORDS).endswith(" RESERVE=ipam")


def test_vpcs_on_all_pages_are_found(company: Company) -> None:
    for number in range(12):
        company.make_vpc(f"10.{number}.0.0/16")
    company.look()

    assert report().startswith("Existing VPCs: 12 of 12 CIDRs")
    assert "ReservedCidrs=10.0.0.0/13,10.8.0.0/14 " in report()


def test_a_vpc_with_addresses_from_a_pool_needs_no_reservation(company: Company) -> None:
    pool_id = company.make_pool()
    company.ec2.create_vpc(Ipv4IpamPoolId=pool_id, Ipv4NetmaskLength=16)
    company.look()

    assert report().startswith("Existing VPCs: the only CIDR in 3 accounts does not overlap 10.0.0.0/8.")


def test_a_vpc_that_ipam_does_not_show_as_managed_yet_is_known_from_its_pool(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool_id = company.make_pool()
    company.ec2.create_tags(Resources=[pool_id], Tags=[{"Key": "ctipam:stack-id", "Value": "arn:aws:..."}])
    vpc = company.ec2.create_vpc(Ipv4IpamPoolId=pool_id, Ipv4NetmaskLength=16)["Vpc"]
    company.look()
    monkeypatch.setattr(resources, "_state", lambda *_: "unmanaged")

    assert report().startswith("Existing VPCs: the only CIDR in 3 accounts does not overlap 10.0.0.0/8.")
    company.ec2.delete_tags(Resources=[pool_id], Tags=[{"Key": "ctipam:stack-id"}])
    assert vpc["VpcId"] in report(), "another's pool says nothing about our space"


def test_pools_in_another_scope_are_planned_beside_what_ipam_has_discovered(company: Company) -> None:
    """Discovered VPCs are in the default scope, whose pools keep their addresses from nobody in another scope."""
    ipam_id = company.ec2.describe_ipams()["Ipams"][0]["IpamId"]
    other = company.ec2.create_ipam_scope(IpamId=ipam_id)["IpamScope"]["IpamScopeId"]
    company.ec2.create_vpc(Ipv4IpamPoolId=company.make_pool(), Ipv4NetmaskLength=16)
    company.make_vpc("10.200.0.0/16")
    company.look()
    properties = {"TopLevelPoolCidr": "10.0.0.0/8", "RegionSelection": WEST, "IpamScope": other}

    assert "2 of 2 CIDRs" in report(f"IpamScope={other}")
    assert reserve.reserved_cidrs({"RESERVE": "ipam"}, properties) == "10.0.0.0/16,10.200.0.0/16"


def test_an_ipam_that_is_new_gives_no_answer(company: Company) -> None:
    company.make_vpc("10.0.0.0/16")
    company.cloud.clock.advance(60)

    text = report()

    assert "This answer is incomplete" in text
    assert "3 of 3 accounts could not be read" in text
    assert "IPAM has not looked there yet; that takes up to an hour" in text


def test_an_account_whose_discovery_fails_makes_the_answer_incomplete(company: Company) -> None:
    company.look()
    company.cloud.models.ipam.faults.fail_discovery(SHOP)
    company.look()

    unread = "1 of 3 accounts could not be read, and may have overlapping VPCs"
    assert f"{unread}: {SHOP} (IPAM's discovery fails: " in report()


def test_an_account_in_an_excluded_ou_makes_the_answer_incomplete(company: Company) -> None:
    organization = company.cloud.models.organization
    path = organization.path_of(SHOP)
    discovery = company.ec2.describe_ipam_resource_discoveries()["IpamResourceDiscoveries"][0]
    organization.path_of = lambda account_id: (
        "o-exampleorgid/r-ab12/ou-ab12-11111111/" if account_id == SHOP else path.rpartition("ou-")[0]
    )
    company.look()
    company.ec2.modify_ipam_resource_discovery(
        IpamResourceDiscoveryId=discovery["IpamResourceDiscoveryId"],
        AddOrganizationalUnitExclusions=[{"OrganizationsEntityPath": "o-exampleorgid/r-ab12/ou-ab12-11111111/*"}],
    )
    company.look()

    assert f"may have overlapping VPCs: {SHOP} (IPAM does not monitor it, or has not found it yet)." in report()


def test_enabled_regions_where_ipam_does_not_operate_make_the_answer_incomplete_and_the_way_out_is_told_once(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A VPC there can overlap the pools' space as any other, so it stops RESERVE too."""
    company.enable(monkeypatch, HOME, WEST, *ELSEWHERE)
    company.make_vpc("10.0.0.0/16")
    company.look()
    properties = {"TopLevelPoolCidr": "10.0.0.0/8", "RegionSelection": WEST}

    told = (
        f"IPAM operates only in {HOME}, {WEST}: VPCs in other enabled Regions are not known, and may overlap too "
        "(ap-south-1, eu-central-1, eu-north-1 and 2 more). VPCS=organization and RESERVE=organization look there."
    )
    text = report()
    assert f"This answer is incomplete, and so are ReservedCidrs: {told} " in text
    assert "could not be read" not in text
    with pytest.raises(Refused, match="Nothing was changed") as refusal:
        reserve.reserved_cidrs({"RESERVE": "ipam"}, properties)
    assert str(refusal.value).splitlines()[1:-1] == [told]
    assert reserve.reserved_cidrs({"RESERVE": "organization"}, properties) == "10.0.0.0/16"


def test_without_an_administrator_of_ipam_the_other_way_is_named(company: Company) -> None:
    of_management("ec2").disable_ipam_organization_admin_account(DelegatedAdminAccountId=NETWORKING)

    with pytest.raises(Refused, match=r"No account administers IPAM yet; .* use VPCS=organization"):
        report()


def test_without_an_ipam_in_the_home_region_it_says_so(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", WEST)

    with pytest.raises(Refused, match=f"has no IPAM in {WEST}; set AWS_REGION to Control Tower's home Region"):
        report()


def test_the_other_errors_of_aws_are_told_without_its_words(company: Company, refuse_calls: Any) -> None:
    refuse_calls("GetIpamResourceCidrs", "UnauthorizedOperation")

    with pytest.raises(Refused, match="cannot be read: GetIpamResourceCidrs: UnauthorizedOperation"):
        report()


def test_the_session_can_do_what_is_read_and_nothing_else(
    company: Company, monkeypatch: pytest.MonkeyPatch, calls: list[str]
) -> None:
    pool_id = company.make_pool()
    company.ec2.create_tags(Resources=[pool_id], Tags=[{"Key": "ctipam:stack-id", "Value": "arn:aws:..."}])
    company.look()
    sessions = session_policies.recorded(monkeypatch)
    calls.clear()

    report()

    ((account_id, statements),) = sessions
    assert account_id == NETWORKING
    assert {resources for _, resources, _ in statements} == {"*", f"arn:aws:ec2::{NETWORKING}:ipam-pool/*"}
    allowed = [action for actions, _, _ in statements for action in actions.split()]
    assert sorted(allowed) == sorted({call for call in calls if call.startswith("ec2:")})


def test_a_tagged_vpc_is_told_with_its_tag(company: Company) -> None:
    tags = [{"ResourceType": "vpc", "Tags": [{"Key": "Env", "Value": "Prod OU"}]}]
    company.cloud.client("ec2", SHOP).create_vpc(CidrBlock="10.200.0.0/16", TagSpecifications=tags)
    company.look()

    assert f"{SHOP} {HOME}, Env=Prod OU" in report()


def test_an_administrator_that_cannot_be_entered_is_told_as_such(company: Company, refuse_calls: Any) -> None:
    refuse_calls("AssumeRole", "AccessDenied")

    with pytest.raises(Refused, match=r"The account that administers IPAM cannot be read \(AssumeRole: AccessDenied"):
        report()
