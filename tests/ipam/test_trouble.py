"""What is wrong with the IPAM itself, and what IPAM has discovered."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from ipaddress import IPv4Network
from typing import Any

import pytest

from ctipam.findings import SUBJECTS_PER_METRIC, Finding, last_watch, lines
from ctipam.ipam.discovered import DiscoveredAccount, DiscoveredCidr
from ctipam.ipam.existing import ExistingIpam
from ctipam.ipam.trouble import find_trouble

WEST, EAST = "us-west-2", "us-east-1"
SHOP, BANK = "111122223333", "444455556666"


def ipam(tier: str = "advanced", *regions: str) -> ExistingIpam:
    return ExistingIpam("ipam-1", "create-complete", tier=tier, operating_regions=frozenset(regions or (WEST, EAST)))


def found(existing: ExistingIpam | None, *accounts: DiscoveredAccount) -> dict[str, str]:
    trouble = list(find_trouble(existing, [WEST, EAST], accounts))
    assert {one.metric for one in trouble} <= {"IpamTrouble"}  # which the alarm of the template watches
    return {one.subject: one.message for one in trouble}


def test_an_ipam_as_it_should_be_is_no_trouble() -> None:
    assert found(ipam(), DiscoveredAccount(SHOP, WEST, looked=True), DiscoveredAccount(BANK, WEST, looked=False)) == {}


def test_an_ipam_that_is_gone_is_trouble_and_nothing_else_is_said() -> None:
    trouble = found(None, DiscoveredAccount(SHOP, WEST, looked=True, failure="x"))

    assert list(trouble) == ["IPAM"]
    assert "change a parameter of the stack" in trouble["IPAM"], "CloudFormation does nothing without"


def test_the_free_tier_is_trouble() -> None:
    assert found(ipam("free"))["tier"].endswith(
        "home Region, run `aws ec2 modify-ipam --ipam-id ipam-1 --tier advanced`."
    )


def test_a_region_with_pools_that_is_no_operating_region_is_trouble() -> None:
    assert list(found(ipam("advanced", EAST, "eu-west-1"))) == [f"operating Region {WEST}"]


@pytest.mark.parametrize(
    ("regions", "where"),
    [
        (1, "in eu-west-0 (throttling-failure)"),
        (3, "in eu-west-0, eu-west-1, eu-west-2 (throttling-failure)"),
        (5, "in eu-west-0, eu-west-1, eu-west-2 and 2 more (throttling-failure)"),
    ],
)
def test_an_account_whose_discovery_fails_is_named_once_with_some_of_its_regions(regions: int, where: str) -> None:
    names = [f"eu-west-{number}" for number in reversed(range(regions))]
    failing = [DiscoveredAccount(SHOP, region, looked=True, failure="throttling-failure") for region in names]

    trouble = found(ipam(), *failing, DiscoveredAccount(BANK, WEST, looked=True))

    assert list(trouble) == [f"discovery of {SHOP}"]
    assert f"account {SHOP} {where}" in trouble[f"discovery of {SHOP}"]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ({"LastSuccessfulDiscoveryTime": datetime(2026, 1, 1, tzinfo=UTC)}, ""),
        ({}, "IPAM has not looked there yet; that takes up to an hour"),
        ({"FailureReason": {"Code": "unauthorized-failure"}}, "IPAM's discovery fails: unauthorized-failure"),
        ({"FailureReason": {}}, "IPAM's discovery fails: unknown"),
    ],
    ids=["looked", "not yet", "failing", "failing without a code"],
)
def test_an_account_can_be_relied_on_once_ipam_has_looked(answer: Any, reason: str) -> None:
    assert DiscoveredAccount.from_answer({"AccountId": SHOP, "DiscoveryRegion": WEST} | answer).why_unread == reason


@pytest.mark.parametrize(
    ("tags", "environment"), [({"ResourceTags": [{"Key": "Env", "Value": "Prod OU"}]}, "Prod OU"), ({}, "")]
)
@pytest.mark.parametrize(
    ("state", "allocated", "ignored"), [("managed", True, False), ("unmanaged", False, False), ("ignored", False, True)]
)
def test_a_discovered_vpc_has_its_environment_and_whether_a_pool_allocated_it(
    tags: dict[str, Any], environment: str, state: str, allocated: bool, ignored: bool
) -> None:
    place = {"ResourceOwnerId": SHOP, "ResourceRegion": WEST, "ResourceId": "vpc-1", "ResourceCidr": "10.0.0.0/16"}

    found = DiscoveredCidr.from_answer(place | {"ManagementState": state} | tags)

    assert found == DiscoveredCidr(IPv4Network("10.0.0.0/16"), SHOP, WEST, "vpc-1", environment, allocated, ignored)


def test_ipv6_cidrs_are_left_out() -> None:
    assert DiscoveredCidr.from_answer({"ResourceCidr": "2001:db8::/56"}) is None


# The lines for CloudWatch


def test_a_finding_is_a_metric_with_its_subject_and_message() -> None:
    number, line = lines([Finding("OverlappingVpcs", "vpc-1 für", "It overlaps.")], at_s=2.5)

    written = json.loads(line)

    assert json.loads(number) == {"Findings": 1}
    assert written.pop("_aws") == {
        "Timestamp": 2500,
        "CloudWatchMetrics": [
            {
                "Namespace": "IpamControlTower",
                "Dimensions": [["Subject"]],
                "Metrics": [{"Name": "OverlappingVpcs", "Unit": "Count"}],
            }
        ],
    }
    assert written == {"Subject": "vpc-1 f\\xfcr", "OverlappingVpcs": 1, "Message": "It overlaps."}
    _, line = lines([Finding("OverlappingVpcs", "ü" * 1000, "")], at_s=0)
    assert len(json.loads(line)["Subject"]) == 1024  # the most that CloudWatch takes


def test_of_very_many_findings_all_are_logged_and_some_have_a_metric() -> None:
    many = [Finding("OverlappingVpcs", f"vpc-{number:04}", "") for number in range(SUBJECTS_PER_METRIC + 7)]
    other = Finding("IpamTrouble", "tier", "")

    number, *written = [json.loads(line) for line in lines([*many, other], at_s=0)]

    assert number == {"Findings": len(written)}
    assert len(written) == len(many) + 1
    assert sum("_aws" in line for line in written) == SUBJECTS_PER_METRIC + 1


def test_what_the_watch_found_last_is_read_from_its_log_and_nothing_else() -> None:
    earlier = [Finding("OverlappingVpcs", "vpc-9 in 111122223333", "It overlapped.")]
    last = [Finding("OverlappingVpcs", f"vpc-{number:04}", "It overlaps.") for number in range(SUBJECTS_PER_METRIC + 1)]
    log = [
        *((1000, line) for line in lines(earlier, at_s=1)),
        *((3000 + number, line) for number, line in enumerate(lines(last, at_s=3))),
        *((9000, line) for line in ["START RequestId: 1", "null", '["Findings"]', '{"pool": "ipam-pool-1"}']),
    ]

    assert last_watch(log) == last_watch([*reversed(log)]) == (3000, last)
    assert last_watch([(4000, line) for _, line in log[:2]]) == (4000, earlier)
    assert last_watch([*log, *((9000, line) for line in lines([], at_s=9))]) == (9000, [])


def test_a_log_without_a_look_says_nothing() -> None:
    assert last_watch([]) is None
    assert last_watch([(1000, '{"Subject": "tier", "IpamTrouble": 1, "Message": "..."}')]) is None
