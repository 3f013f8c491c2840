"""`make plan VPCS=organization`: the VPCs that it finds, and its report of those that it cannot read."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from ipaddress import IPv4Network
from typing import Any

import pytest
from botocore.exceptions import ClientError, HTTPClientError
from moto.core.responses import ActionResult
from moto.ec2.models.availability_zones_and_regions import Region, RegionsAndZonesBackend
from moto.ec2.responses import EC2Response

from commands.existing_vpcs import organization as organization_vpcs
from commands.existing_vpcs.summary import LISTED, Unread, VpcCidr, of_organization
from commands.plan import __main__ as plan
from ctipam.errors import Refused
from in_process import session_policies
from in_process.aws_calls import Call, intercept
from in_process.fixtures import of_management
from in_process.session_policies import Statement

HOME, WEST, DISABLED = "us-east-1", "us-west-2", "eu-south-1"
MANAGEMENT, NETWORKING, SHOP, CLOSED = "123456789012", "222222222222", "012345678901", "444444444444"
PAGE = 2
WORDS = ("VPCS=organization", "CIDR=10.0.0.0/8", "REGION_PREFIX=12", "ENV_PREFIX=14")
DEFAULT_VPCS = "172.31.0.0/16"


@pytest.fixture
def company(cloud: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Create three active accounts and a closed account, enable two Regions, and let EC2 return small pages."""
    for account_id in (SHOP, CLOSED):
        cloud.add_account(account_id, cloud.add_ou(f"OU of {account_id}"))
    cloud.end("CloseAccount", CLOSED)
    monkeypatch.setattr(RegionsAndZonesBackend, "describe_regions", enabled_regions)
    monkeypatch.setattr(EC2Response, "describe_vpcs", paged(EC2Response.describe_vpcs))
    return cloud


def enabled_regions(_backend: object, _names: object = None) -> list[Region]:
    """Return two Regions. moto returns every Region as enabled."""
    return [Region(name, f"ec2.{name}.amazonaws.com", "opt-in-not-required") for name in (HOME, WEST)]


def paged(everything: Callable[[EC2Response], ActionResult]) -> Callable[[EC2Response], ActionResult]:
    """Return pages of VPCs. moto returns all VPCs in one page."""

    def describe_vpcs(self: EC2Response) -> ActionResult:
        vpcs: Any = everything(self).result
        vpcs, start = vpcs["Vpcs"], int(self._get_param("NextToken", "0"))
        end = start + PAGE
        return ActionResult({"Vpcs": vpcs[start:end]} | ({"NextToken": str(end)} if end < len(vpcs) else {}))

    return describe_vpcs


def make_vpc(cloud: Any, account_id: str, cidr: str, region: str = HOME, environment: str = "") -> str:
    tags = [{"ResourceType": "vpc", "Tags": [{"Key": "Env", "Value": environment}]}] if environment else []
    response = cloud.client("ec2", account_id, region).create_vpc(CidrBlock=cidr, TagSpecifications=tags)
    return str(response["Vpc"]["VpcId"])


def report(*words: str) -> list[str]:
    """Return the lines about existing VPCs. Each argument replaces the default of its name."""
    given = dict(word.split("=") for word in [*WORDS, *words])
    lines = plan.planned([f"{name}={value}" for name, value in given.items()]).splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("Existing VPCs"))
    return lines[first : lines.index("", first)]


def rows(lines: list[str]) -> list[str]:
    """Return the lines with a CIDR, with a single space between the words."""
    return [" ".join(line.split()) for line in lines if re.match(r"  \d+\.\d+\.\d+\.\d+/", line)]


def last_sentence(lines: list[str]) -> str:
    """Return the last sentence but that about the closed account. It may take several lines."""
    first = max(number for number, line in enumerate(lines) if "could not be read" in line)
    return " ".join(line.strip() for line in lines[first:]).partition(" Accounts that are not active")[0]


def refuse(monkeypatch: pytest.MonkeyPatch, operation: str, applies: Callable[[Any, Any], bool], error: Any) -> None:
    """Let an operation raise the error if applies(Region, parameters) is true."""

    def refused(call: Call, client: Any, called: str, parameters: Any) -> Any:
        if called == operation and applies(client.meta.region_name, parameters):
            raise error
        return call(client, called, parameters)

    intercept(monkeypatch, refused)


def denied(operation: str, code: str = "AccessDenied") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "made up"}}, operation)


def test_vpcs_of_all_accounts_and_enabled_regions_are_listed_with_id_account_and_region(company: Any) -> None:
    ours = make_vpc(company, MANAGEMENT, "10.0.0.0/16")
    theirs = make_vpc(company, SHOP, "10.200.0.0/16", WEST)
    make_vpc(company, SHOP, "10.16.0.0/16", DISABLED)

    lines = report()

    assert lines[0] == "Existing VPCs: 2 of 8 CIDRs in 3 accounts overlap 10.0.0.0/8"  # six are of default VPCs
    assert rows(lines) == [
        f"10.0.0.0/16 {ours} {MANAGEMENT} {HOME} Prod OU in us-west-2: 65,536 addresses",
        f"10.200.0.0/16 {theirs} {SHOP} {WEST} in space that no Region uses yet",
    ]
    assert "could not be read" not in "".join(lines)


def test_vpcs_on_all_pages_are_found(company: Any) -> None:
    for number in range(3 * PAGE):
        make_vpc(company, SHOP, f"10.{number}.0.0/16")

    assert [row.split()[0] for row in rows(report())] == [f"10.{number}.0.0/16" for number in range(3 * PAGE)]


def test_each_current_cidr_of_a_vpc_counts_and_former_cidrs_do_not(company: Any) -> None:
    ec2 = company.client("ec2", SHOP, HOME)
    vpc_id = make_vpc(company, SHOP, "192.168.0.0/16")
    ec2.associate_vpc_cidr_block(VpcId=vpc_id, CidrBlock="10.1.0.0/16")
    gone = ec2.associate_vpc_cidr_block(VpcId=vpc_id, CidrBlock="10.2.0.0/16")["CidrBlockAssociation"]
    ec2.disassociate_vpc_cidr_block(AssociationId=gone["AssociationId"])

    assert rows(report()) == [f"10.1.0.0/16 {vpc_id} {SHOP} {HOME} Prod OU in us-west-2: 65,536 addresses"]


@pytest.mark.parametrize(
    ("state", "counts"),
    [
        ("associating", True),
        ("associated", True),
        ("disassociating", True),
        ("failing", True),
        ("a state of tomorrow", True),
        ("disassociated", False),
        ("failed", False),
    ],
)
def test_a_cidr_counts_until_the_vpc_has_lost_it(
    company: Any, monkeypatch: pytest.MonkeyPatch, state: str, counts: bool
) -> None:
    vpc_id = make_vpc(company, SHOP, "192.168.0.0/16")
    company.client("ec2", SHOP).associate_vpc_cidr_block(VpcId=vpc_id, CidrBlock="10.1.0.0/16")

    def in_this_state(call: Call, client: Any, operation: str, parameters: Any) -> Any:
        answer = call(client, operation, parameters)
        for vpc in answer["Vpcs"] if operation == "DescribeVpcs" else []:
            for association in vpc["CidrBlockAssociationSet"][1:]:
                association["CidrBlockState"]["State"] = state
        return answer

    intercept(monkeypatch, in_this_state)

    assert cidrs(report()) == (["10.1.0.0/16"] if counts else [])


def test_an_ipv6_cidr_of_a_vpc_changes_nothing(company: Any) -> None:
    vpc_id = make_vpc(company, SHOP, "10.1.0.0/16")
    company.client("ec2", SHOP).associate_vpc_cidr_block(VpcId=vpc_id, AmazonProvidedIpv6CidrBlock=True)

    assert cidrs(report()) == ["10.1.0.0/16"]


@pytest.mark.usefixtures("company")
def test_the_command_for_the_deployment_reads_the_vpcs_again() -> None:
    command = plan.planned(WORDS).splitlines()[-1]

    assert command.endswith(
        "NETWORK_ACCOUNT_ID=... CIDR=10.0.0.0/8 REGION_PREFIX=12 ENV_PREFIX=14 RESERVE=organization"
    )


def test_vpcs_that_nobody_can_read_are_spoken_of(company: Any) -> None:
    assert organization_vpcs.NOT_ENABLED in " ".join(" ".join(report()).split())


def test_default_vpcs_are_counted_on_one_line(company: Any) -> None:
    lines = report("CIDR=172.16.0.0/12", "REGION_PREFIX=16", "ENV_PREFIX=18")

    assert lines[0] == "Existing VPCs: 6 of 6 CIDRs in 3 accounts overlap 172.16.0.0/12"
    assert rows(lines) == [f"{DEFAULT_VPCS} 6 default VPCs in 3 accounts in space that no Region uses yet"]


def test_default_vpcs_are_counted_apart_from_others_of_their_cidr(company: Any) -> None:
    ours, theirs = (make_vpc(company, NETWORKING, DEFAULT_VPCS) for _ in range(2))

    lines = report("CIDR=172.16.0.0/12", "REGION_PREFIX=16", "ENV_PREFIX=18")

    assert lines[0] == "Existing VPCs: 8 of 8 CIDRs in 3 accounts overlap 172.16.0.0/12"
    assert [row.partition(" in space")[0] for row in rows(lines)] == [
        *(f"{DEFAULT_VPCS} {vpc_id} {NETWORKING} {HOME}" for vpc_id in sorted([ours, theirs])),
        f"{DEFAULT_VPCS} 6 default VPCs in 3 accounts",
    ]


def vpc(number: int, **changed: Any) -> VpcCidr:
    row = VpcCidr(IPv4Network(DEFAULT_VPCS), f"{number:012}", HOME, f"vpc-{number}")
    return replace(row, **changed)


def test_vpcs_of_one_cidr_are_grouped_by_what_they_are_and_named_if_they_are_few() -> None:
    few, many = [vpc(number) for number in range(LISTED + 1)], [vpc(number) for number in range(LISTED + 2)]
    defaults = [vpc(number, is_default=True) for number in range(2)]
    allocated = [vpc(10, allocated=True), vpc(11, is_default=True, allocated=True)]

    def labels(*found: VpcCidr) -> list[str]:
        return [one.label for one in of_organization(found, 2, ()).vpcs]

    assert labels(*few) == [f"vpc-{number} {number:012} {HOME}" for number in range(LISTED + 1)]
    assert labels(*many[::-1])[LISTED:] == ["and 2 more VPCs in 2 accounts"]
    assert labels(defaults[1]) == [f"vpc-1 {1:012} {HOME}, default VPC"]
    assert labels(allocated[1], *defaults, allocated[0], vpc(12)) == [
        *(f"vpc-12 {12:012} {HOME}", f"vpc-10 {10:012} {HOME}"),
        *("2 default VPCs in 2 accounts", f"vpc-11 {11:012} {HOME}, default VPC"),
    ]


def test_vpcs_are_in_the_order_of_their_addresses_whatever_they_are() -> None:
    found = [vpc(1, cidr=IPv4Network("10.0.0.0/16"), is_default=True), vpc(2, cidr=IPv4Network("10.1.0.0/16"))]

    assert [one.label[:5] for one in of_organization(found[::-1], 2, ()).vpcs] == ["vpc-1", "vpc-2"]


@pytest.mark.parametrize(("not_known", "tagged"), [((), False), (("Not known.",), True)])
def test_a_vpc_among_those_that_are_only_counted_may_be_from_pools_that_could_not_be_read(
    not_known: tuple[str, ...], tagged: bool
) -> None:
    many = [vpc(number) for number in range(LISTED + 1)] + [vpc(LISTED + 1, environment="Prod OU")]

    *listed, counted = of_organization(many, 2, not_known).vpcs

    assert not any(one.tagged for one in listed)
    assert counted.tagged == tagged


def test_accounts_that_could_not_be_read_for_the_same_reason_are_told_together() -> None:
    unread = [
        Unread("1", "", "no role"),
        Unread("2", HOME, "no route"),
        Unread("3", "", "no role"),
        Unread("3", WEST, "no route"),
    ]

    assert of_organization(unread, 4, ()).unread == (
        "2 of 4 accounts could not be read, and may have overlapping VPCs: 1, 3 (no role).",
        f"2 of 4 accounts could not be read in {HOME}, {WEST}, and may have overlapping VPCs: 2, 3 (no route).",
    )


def test_some_of_many_vpcs_with_the_same_cidr_are_listed_and_the_others_counted(company: Any) -> None:
    for account_id in (MANAGEMENT, NETWORKING, SHOP):
        for region in (HOME, WEST):
            make_vpc(company, account_id, "10.0.0.0/16", region)

    lines = report()

    assert lines[0].startswith("Existing VPCs: 6 of 12 CIDRs")
    assert len(rows(lines)) == LISTED + 1
    assert sorted(row.split()[2] for row in rows(lines)[:LISTED]) == [SHOP, SHOP, MANAGEMENT]
    assert rows(lines)[-1] == "10.0.0.0/16 and 3 more VPCs in 2 accounts Prod OU in us-west-2: 65,536 addresses"


def test_the_tooltip_of_an_area_in_a_picture_lists_all_its_vpcs(company: Any) -> None:
    labels = sorted(f"{make_vpc(company, owner, '10.0.0.0/16')} {owner} {HOME}" for owner in (SHOP, MANAGEMENT))

    svg = plan.planned([*WORDS, "FORMAT=svg"])

    (title,) = set(re.findall("<title>(existing VPC 10.*?)</title>", svg))
    assert title == f"existing VPC 10.0.0.0/16 {'; '.join(labels)}"


def test_a_tagged_vpc_is_listed_with_its_tag_and_may_be_from_the_pools_only_if_they_could_not_be_read(
    company: Any, refuse_calls: Callable[[str, str], None]
) -> None:
    may_be = "  A VPC tagged Env may already have its addresses from these pools; then no action is needed."
    vpc_id = make_vpc(company, SHOP, "10.0.0.0/16", WEST, environment="Prod OU")

    lines = report()
    refuse_calls("ListDelegatedAdministrators", "AccessDeniedException")

    assert f"{vpc_id} {SHOP} {WEST}, Env=Prod OU" in rows(lines)[0]
    assert may_be not in lines
    assert may_be in report()


class Pools:
    """A pool of ours in us-east-1, in the Networking account, and what a team does with it."""

    def __init__(self, cloud: Any) -> None:
        of_management("ec2").enable_ipam_organization_admin_account(DelegatedAdminAccountId=NETWORKING)
        self.clock, self.ec2 = cloud.clock, cloud.client("ec2", NETWORKING, HOME)
        scope = self.ec2.create_ipam()["Ipam"]["PrivateDefaultScopeId"]
        cloud.clock.advance(15)
        pool = self.ec2.create_ipam_pool(IpamScopeId=scope, AddressFamily="ipv4", Locale=HOME)["IpamPool"]
        self.pool_id = pool["IpamPoolId"]
        cloud.clock.advance(15)
        self.ec2.provision_ipam_pool_cidr(IpamPoolId=self.pool_id, Cidr="10.0.0.0/12")
        cloud.clock.advance(15)
        self.tag("ctipam:stack-id")

    def tag(self, key: str) -> None:
        self.ec2.create_tags(Resources=[self.pool_id], Tags=[{"Key": key, "Value": "arn:aws:cloudformation:..."}])

    def untag(self, key: str) -> None:
        self.ec2.delete_tags(Resources=[self.pool_id], Tags=[{"Key": key}])

    def make_vpc(self) -> str:
        """Create a VPC with 10.0.0.0/17, and return its id once its allocation is listed."""
        vpc_id = str(self.ec2.create_vpc(Ipv4IpamPoolId=self.pool_id, Ipv4NetmaskLength=17)["Vpc"]["VpcId"])
        self.clock.advance(1)
        return vpc_id


def cidrs(lines: list[str]) -> list[str]:
    return [row.split()[0] for row in rows(lines)]


@pytest.mark.parametrize("words", [[], [f"NETWORK_ACCOUNT_ID={NETWORKING}"]], ids=["administrator of IPAM", "given"])
def test_addresses_from_our_pools_need_no_reservation_whoever_else_uses_them(company: Any, words: list[str]) -> None:
    pools = Pools(company)
    from_pool = pools.make_vpc()
    pools.ec2.associate_vpc_cidr_block(VpcId=from_pool, CidrBlock="10.3.0.0/16")  # from no pool
    make_vpc(company, SHOP, "10.0.0.0/16", environment="Prod OU")
    make_vpc(company, SHOP, "10.0.0.0/17", WEST)

    lines = report(*words)

    assert cidrs(lines) == ["10.0.0.0/16", "10.0.0.0/17", "10.3.0.0/16"]
    assert f"10.3.0.0/16 {from_pool} {NETWORKING} {HOME} Prod OU in us-west-2: 65,536 addresses" in rows(lines)
    assert "  ReservedCidrs=10.0.128.0/17,10.3.0.0/16" in lines
    assert "incomplete" not in "".join(lines)


def test_a_pool_is_ours_by_any_tag_of_ours_and_the_pools_of_others_say_nothing(company: Any) -> None:
    pools = Pools(company)
    pools.make_vpc()
    pools.untag("ctipam:stack-id")
    assert cidrs(report()) == ["10.0.0.0/17"]

    pools.tag("ctipam:region")

    assert cidrs(report()) == []


@pytest.mark.parametrize(
    ("operation", "which"),
    [
        ("ListDelegatedAdministrators", "pools that exist already"),
        ("DescribeIpamPools", f"the pools of account {NETWORKING}"),
        ("GetIpamPoolAllocations", f"the pools in {HOME}"),
    ],
)
def test_pools_that_cannot_be_read_make_the_answer_incomplete(
    company: Any, refuse_calls: Callable[[str, str], None], operation: str, which: str
) -> None:
    Pools(company).make_vpc()
    refuse_calls(operation, "UnauthorizedOperation")

    lines = report()

    assert cidrs(lines) == ["10.0.0.0/17"]
    told = f"which VPCs have their addresses from {which}, and need no reservation ({operation}: UnauthorizedOperation)"
    assert told in " ".join(" ".join(lines).split())
    assert "  This answer is incomplete, and so are ReservedCidrs:" in lines


def test_a_closed_account_is_named_because_its_vpcs_exist_for_a_while(company: Any) -> None:
    told = " ".join(" ".join(report()).split())

    assert f"Accounts that are not active were not read: {CLOSED}. AWS keeps the VPCs" in told
    assert "incomplete" not in told


def test_a_vpc_with_a_shared_subnet_counts_once_for_its_owner(company: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    vpc_id = make_vpc(company, NETWORKING, "10.0.0.0/16", environment="Prod OU")
    shared = company.client("ec2", NETWORKING).describe_vpcs(VpcIds=[vpc_id])["Vpcs"]
    shared[0]["Tags"] = []  # participants cannot read the tags

    def add_shared_vpc(call: Call, client: Any, operation: str, parameters: Any) -> Any:
        answer = call(client, operation, parameters)
        if operation == "DescribeVpcs" and client.meta.region_name == HOME:
            answer["Vpcs"] += shared
        return answer

    intercept(monkeypatch, add_shared_vpc)

    (row,) = rows(report())
    assert row.startswith(f"10.0.0.0/16 {vpc_id} {NETWORKING} {HOME}, Env=Prod OU")


def test_a_session_can_only_read_vpcs_and_regions_or_pools_and_the_management_account_needs_none(
    company: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    Pools(company)
    sessions = session_policies.recorded(monkeypatch)

    report()

    vpcs: list[Statement] = [("ec2:DescribeRegions ec2:DescribeVpcs", "*", {})]
    pools: list[Statement] = [
        ("ec2:DescribeIpamPools", "*", {}),
        ("ec2:GetIpamPoolAllocations", f"arn:aws:ec2::{NETWORKING}:ipam-pool/*", {}),
    ]
    assert sorted(sessions, key=str) == sorted([(SHOP, vpcs), (NETWORKING, pools), (NETWORKING, vpcs)], key=str)


def test_each_account_is_read_with_the_credentials_of_its_own_session(
    company: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(organization_vpcs, "CONCURRENT_ACCOUNTS", 1)
    assumed, used, parts = [], [], ("AccessKeyId", "SecretAccessKey", "SessionToken")

    def record(call: Call, client: Any, operation: str, parameters: Any) -> Any:
        answer = call(client, operation, parameters)
        if operation == "AssumeRole":
            assumed.append(tuple(answer["Credentials"][part] for part in parts))
        if operation == "DescribeRegions":
            used.append(tuple(client._request_signer._credentials.get_frozen_credentials()[:3]))
        return answer

    intercept(monkeypatch, record)
    report()

    assert {*assumed} < {*used}, "the other one is the user's, in the management account"


def test_after_ctrl_c_no_further_account_is_read(company: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(organization_vpcs, "CONCURRENT_ACCOUNTS", 1)
    cancelled, begun = threading.Event(), []

    def read_account(_management: Any, _visitors: Any, account_id: str) -> list[Any]:
        begun.append(account_id)
        assert cancelled.wait(10)
        return []

    def interrupted(reading: list[Future[Any]]) -> Any:
        reading[-1].add_done_callback(lambda _: cancelled.set())
        raise KeyboardInterrupt

    monkeypatch.setattr(organization_vpcs, "_read_account", read_account)
    monkeypatch.setattr(organization_vpcs, "as_completed", interrupted)

    with pytest.raises(KeyboardInterrupt):
        report()

    assert len(begun) == 1
    assert cancelled.is_set(), "the others will not begin later"


def test_an_organization_without_closed_accounts_says_nothing_of_any(cloud: Any) -> None:
    assert "not active" not in " ".join(report())


def test_all_calls_only_read(company: Any, calls: list[str]) -> None:
    report()

    counted = Counter(calls)
    assert counted["ec2:DescribeRegions"] == 3
    assert {name for name in counted if not name.startswith("organizations:List")} == {
        "sts:GetCallerIdentity",
        "sts:AssumeRole",
        "organizations:DescribeOrganization",
        "ec2:DescribeRegions",
        "ec2:DescribeVpcs",
    }


def test_accounts_whose_role_cannot_be_assumed_are_counted_and_listed_at_the_end(
    company: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_vpc(company, MANAGEMENT, "10.0.0.0/16")
    denied_ids = [f"5555555555{number:02}" for number in range(9)]
    for account_id in denied_ids:
        company.add_account(account_id)
    refuse(
        monkeypatch,
        "AssumeRole",
        lambda _region, parameters: any(account_id in parameters["RoleArn"] for account_id in denied_ids),
        denied("AssumeRole"),
    )

    lines = report()

    assert "in 3 accounts overlaps" in lines[0]
    assert last_sentence(lines) == (
        f"9 of 12 accounts could not be read, and may have overlapping VPCs: {', '.join(denied_ids[:3])} and 6 more "
        "(AssumeRole: AccessDenied; enroll it in Control Tower, which creates the role AWSControlTowerExecution)."
    )
    assert max(map(len, lines)) <= 120


def test_accounts_that_could_not_be_read_are_reported_even_if_nothing_overlaps(
    company: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(monkeypatch, "AssumeRole", lambda _region, parameters: SHOP in parameters["RoleArn"], denied("AssumeRole"))

    lines = report()

    assert lines[0] == "Existing VPCs: none of the 4 CIDRs in 2 accounts overlaps 10.0.0.0/8."
    assert lines[1] == "  This answer is incomplete, and so are ReservedCidrs:"
    unread = "  1 of 3 accounts could not be read, and may have overlapping VPCs"
    assert lines[2].startswith(f"{unread}: {SHOP} (AssumeRole:")
    picture = plan.planned([*WORDS, "FORMAT=svg"])
    assert f"{SHOP} (AssumeRole: AccessDenied; enroll" in picture
    assert 140 < max(map(len, re.findall("<text [^>]*>(.*)</text>", picture))) < 960 / 6, "wrapped, but not soon"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (denied("DescribeVpcs", "UnauthorizedOperation"), "DescribeVpcs: UnauthorizedOperation"),
        (HTTPClientError(error="no route"), "HTTPClientError"),
    ],
    ids=["denied by a policy", "unreachable"],
)
def test_vpcs_of_other_regions_are_listed_if_a_region_cannot_be_read(
    company: Any, monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str
) -> None:
    make_vpc(company, SHOP, "10.0.0.0/16", HOME)
    refuse(monkeypatch, "DescribeVpcs", lambda region, _parameters: region == WEST, error)

    lines = report()

    assert lines[0] == "Existing VPCs: 1 of 4 CIDRs in 3 accounts overlaps 10.0.0.0/8"
    assert last_sentence(lines) == (
        f"3 of 3 accounts could not be read in {WEST}, and may have overlapping VPCs: {SHOP}, {MANAGEMENT}, "
        f"{NETWORKING} ({reason})."
    )


def test_a_management_account_that_cannot_be_read_is_reported_like_any_other(
    company: Any, refuse_calls: Callable[[str, str], None]
) -> None:
    refuse_calls("DescribeRegions", "UnauthorizedOperation")

    lines = report()

    assert lines[0] == "Existing VPCs: none of the 0 CIDRs in 0 accounts overlaps 10.0.0.0/8."
    assert f"{MANAGEMENT}, {NETWORKING} (DescribeRegions: UnauthorizedOperation)." in last_sentence(lines)


def test_credentials_of_a_member_account_are_refused_with_the_required_account(company: Any) -> None:
    with company.running_in(SHOP), pytest.raises(Refused) as refusal:
        report()

    assert str(refusal.value) == (
        f"The credentials are of account {SHOP}, and the organization's management account is {MANAGEMENT}; sign in "
        "there, or set AWS_PROFILE."
    )


@pytest.mark.parametrize(
    ("operation", "code", "reason"),
    [
        ("GetCallerIdentity", "ExpiredToken", "AWS's error: GetCallerIdentity: ExpiredToken"),
        ("DescribeOrganization", "AWSOrganizationsNotInUseException", f"Account {MANAGEMENT} is in no organization"),
        ("ListRoots", "AccessDeniedException", "accounts (ListRoots: AccessDeniedException); use credentials that"),
        ("ListRoots", "ServiceException", "accounts (ListRoots: ServiceException); try again."),
    ],
)
def test_insufficient_credentials_are_refused_with_a_reason(
    company: Any, refuse_calls: Callable[[str, str], None], operation: str, code: str, reason: str
) -> None:
    refuse_calls(operation, code)

    with pytest.raises(Refused) as refusal:
        report()

    assert reason in str(refusal.value)


@pytest.mark.parametrize(
    ("variables", "reason"),
    [({}, "Unable to locate credentials"), ({"AWS_PROFILE": "nobody"}, "The config profile (nobody) could not be")],
)
def test_missing_credentials_are_explained(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], reason: str
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name)
    for name, value in [("AWS_EC2_METADATA_DISABLED", "true"), *variables.items()]:
        monkeypatch.setenv(name, value)

    with pytest.raises(Refused) as refusal:
        plan.planned(WORDS)

    assert reason in str(refusal.value)
    assert "sign in to the management account, or set AWS_PROFILE" in str(refusal.value)


def test_an_invalid_token_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "secret\ntoken")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")  # the client refuses the token before it connects

    with pytest.raises(Refused) as refusal:
        report()

    assert str(refusal.value).endswith("AWS's error: HTTPClientError")
    assert "secret" not in str(refusal.value)


def test_the_command_works_without_a_configured_region(company: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name)

    assert report()[0] == "Existing VPCs: none of the 6 CIDRs in 3 accounts overlaps 10.0.0.0/8."


def test_progress_of_a_long_run_goes_to_standard_error(
    company: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    report()
    quick = capsys.readouterr()
    monkeypatch.setattr(organization_vpcs, "PROGRESS_EVERY_S", 0.0)
    report()
    slow = capsys.readouterr()

    assert (quick.out, quick.err) == ("", "")
    assert (slow.out, slow.err.splitlines()) == ("", [f"read {number} of 3 accounts" for number in (1, 2, 3)])


def test_a_file_named_organization_is_read_by_its_path(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "organization").write_text("10.0.0.0/16 shop\n")
    monkeypatch.chdir(tmp_path)

    assert report("VPCS=./organization")[0] == "Existing VPCs: 1 of 1 overlaps 10.0.0.0/8"
