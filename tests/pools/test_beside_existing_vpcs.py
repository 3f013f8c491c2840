"""A landing zone that has VPCs already: planned, reserved and used, without giving out one address of theirs."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from moto.ec2.models.availability_zones_and_regions import Region, RegionsAndZonesBackend

from aws_models.errors import AwsError
from aws_models.organization import Caller
from commands.existing_vpcs import reserve
from commands.plan import __main__ as plan
from in_process.fixtures import DEFAULTS
from landing_zone.direct_stack import Context
from landing_zone.existing_vpcs import EAST, RESERVED, WEST, inside, is_in_use, outside

MANAGEMENT, NETWORKING, SHOP, BANK = "123456789012", "222222222222", "012345678901", "333333333333"
LAG = 1800
NEW_VPCS = 200
PROPERTIES = {"TopLevelPoolCidr": "192.168.0.0/16", "RegionSelection": f"{WEST},{EAST}"}

ACCOUNTS = (SHOP, BANK, MANAGEMENT)


@pytest.fixture
def company(networking: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return the Networking stack before its creation, in an organization with 30 VPCs in three accounts."""
    cloud = networking.cloudformation.cloud
    for account_id in (SHOP, BANK):
        cloud.add_account(account_id)
    enabled = [Region(name, f"ec2.{name}.amazonaws.com", "opt-in-not-required") for name in (EAST, WEST)]
    monkeypatch.setattr(RegionsAndZonesBackend, "describe_regions", lambda _backend, _names=None: enabled)
    for cidr, (account_id, region) in (inside(*ACCOUNTS) | outside(*ACCOUNTS)).items():
        cloud.client("ec2", account_id, region).create_vpc(CidrBlock=cidr)
    boto3.client("ec2", EAST).enable_ipam_organization_admin_account(DelegatedAdminAccountId=NETWORKING)
    return networking


@pytest.fixture
def watch(
    company: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[str], list[str]]:
    """Return what runs the watch, and returns the CIDRs of VPCs that it reports."""
    cloudformation = company.cloudformation
    handler = cloudformation.handler.__globals__["measure_utilization"]

    def run(reserved: str) -> list[str]:
        environment = {
            "STACK_ID": cloudformation.stack_id,
            "TOPIC_ARN": "arn:aws:sns:us-east-1:222222222222:topic",
            "POOL_UTILISATION_THRESHOLD": "100",
            "MENDING_FUNCTION": "function",
        }
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        capsys.readouterr()
        with cloudformation.cloud.running_in(NETWORKING):
            handler({}, Context(cloudformation.cloud.clock))
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        return [line["Subject"].split()[1] for line in lines if "OverlappingVpcs" in line]

    return run


def use_pools(company: Any) -> list[str]:
    """Create VPCs from all environment pools in turn; return their CIDRs."""
    models = company.cloudformation.cloud.models
    pages = company.ec2.get_paginator("describe_ipam_pools").paginate()
    pools = [pool for page in pages for pool in page["IpamPools"] if "AllocationResourceTags" in pool]
    given: list[str] = []
    for number in range(10 * NEW_VPCS):
        pool = pools[number % len(pools)]
        wanted = {
            "Ipv4IpamPoolId": pool["IpamPoolId"],
            "Ipv4NetmaskLength": 28,
            "TagSpecifications": [{"ResourceType": "vpc", "Tags": pool["AllocationResourceTags"]}],
        }
        try:
            allocation = models.ipam.allocate_vpc(wanted, Caller(NETWORKING, pool["Locale"]))
        except AwsError as full:
            assert full.code == "InsufficientCidrBlocks"  # noqa: PT017 - other pools have room
            continue
        models.ipam.vpc_created(allocation, f"vpc-{number}")
        given.append(allocation.cidr)
        if len(given) == NEW_VPCS:
            return given
    raise AssertionError("the pools are full")


def make_vpc_of_team(company: Any) -> None:
    """Create a VPC from a pool with EC2's own call."""
    pools = company.ec2.describe_ipam_pools(Filters=[{"Name": "description", "Values": [f"Prod OU in {WEST}"]}])
    (pool,) = pools["IpamPools"]
    tags = [{"ResourceType": "vpc", "Tags": pool["AllocationResourceTags"]}]
    ec2 = company.cloudformation.cloud.client("ec2", NETWORKING, WEST)
    ec2.create_vpc(Ipv4IpamPoolId=pool["IpamPoolId"], Ipv4NetmaskLength=26, TagSpecifications=tags)


def warnings(company: Any, **changed: str) -> str:
    """Return what the next deployment warns of."""
    return str(company.cloudformation.ask("Update", "Ipam", DEFAULTS | changed)["Data"]["Warnings"])


def test_with_reservations_no_address_of_an_existing_vpc_is_given_out(
    company: Any, watch: Callable[[str], list[str]]
) -> None:
    planned = plan.planned(["VPCS=organization"])
    assert "Existing VPCs: 11 of 38 CIDRs in 4 accounts overlap 192.168.0.0/16\n" in planned  # 8 are default VPCs
    reserved = reserve.reserved_cidrs({"RESERVE": "organization"}, PROPERTIES)
    assert f"ReservedCidrs={reserved}\n" in planned
    assert reserved == RESERVED

    answer = company.create(**DEFAULTS | {"ReservedCidrs": reserved})

    assert answer["Status"] == "SUCCESS", answer["Reason"]
    assert not any(map(is_in_use, use_pools(company)))
    company.cloudformation.cloud.clock.advance(LAG)
    assert warnings(company, ReservedCidrs=reserved) == "none"
    # Those four overlap each other, whatever is reserved; nothing of the pools is in danger.
    assert sorted(watch(reserved)) == ["192.168.28.0/22", "192.168.31.0/24", "192.168.6.0/23", "192.168.7.0/24"]
    make_vpc_of_team(company)
    for properties in (PROPERTIES, PROPERTIES | {"ReservedCidrs": reserved}):
        assert reserve.reserved_cidrs({"RESERVE": "organization"}, properties) == reserved, "of existing VPCs alone"
        assert reserve.reserved_cidrs({"RESERVE": "ipam"}, properties) == reserved, "IPAM's view is the same by now"


def test_without_reservations_addresses_are_given_out_twice_and_the_watch_names_each_vpc(
    company: Any, watch: Callable[[str], list[str]]
) -> None:
    assert company.create()["Status"] == "SUCCESS"

    assert any(map(is_in_use, use_pools(company)))

    assert warnings(company).startswith("IPAM does not know the VPCs yet.")
    company.cloudformation.cloud.clock.advance(LAG)
    assert sorted(watch("")) == sorted(inside(*ACCOUNTS))
    warned = warnings(company)
    assert ") and 5 more. Add to ReservedCidrs: 192.168.3.32/27, 192.168.6.0/23, " in warned
    assert "Pools have allocated the addresses of existing VPCs to other VPCs, vpc-" in warned
    rest = warned.partition("ReservedCidrs: ")[2].partition(". ")[0]
    answer = company.ask("Update", **DEFAULTS | {"ReservedCidrs": rest.replace(" ", "")})
    assert answer["Status"] == "SUCCESS", answer["Reason"]
