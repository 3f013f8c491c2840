"""The watch, as its schedule runs it in the Networking account."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import boto3
import pytest

from ctipam.ipam.existing import ExistingIpam
from ctipam.ipam.reader import find_ipam, read_vpcs
from ctipam.upkeep import watch as watching
from ctipam.upkeep.schedule import is_watch_due
from landing_zone.direct_stack import Context

HOME, WEST = "us-east-1", "us-west-2"
NETWORKING, SHOP = "222222222222", "012345678901"
LAG = 1800
ON_THE_HOUR = {"time": "2026-11-26T10:03:00Z"}

Watch = Callable[..., dict[str, str]]


@pytest.fixture
def watch(networking: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Watch:
    """Create the pools, in an organization whose VPCs IPAM discovers, and return what runs the function.

    It returns the messages of the findings by metric and subject.
    """
    cloudformation = networking.cloudformation
    cloud = cloudformation.cloud
    cloud.add_account(SHOP)
    boto3.client("ec2", HOME).enable_ipam_organization_admin_account(DelegatedAdminAccountId=NETWORKING)
    networking.create()
    handler = cloudformation.handler.__globals__["measure_utilization"]  # another entry point of the same zip
    topic = boto3.client("sns", HOME).create_topic(Name="ipam")["TopicArn"]
    variables = {"STACK_ID": cloudformation.stack_id, "TOPIC_ARN": topic, "POOL_UTILISATION_THRESHOLD": "80"}
    variables["MENDING_FUNCTION"] = "function"
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    def run(event: dict[str, str] = ON_THE_HOUR, after: float = LAG) -> dict[str, str]:
        cloud.clock.advance(after)
        capsys.readouterr()
        with cloud.running_in(NETWORKING):
            handler(event, Context(cloud.clock))
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert all("_aws" in line or "Findings" in line for line in lines)
        return {f"{metric_of(line)} {line['Subject']}": line["Message"] for line in lines if "Subject" in line}

    return run


def metric_of(line: dict[str, Any]) -> str:
    return str(line["_aws"]["CloudWatchMetrics"][0]["Metrics"][0]["Name"])


def make_vpc(networking: Any, cidr: str, region: str = WEST, account: str = SHOP) -> str:
    ec2 = networking.cloudformation.cloud.client("ec2", account, region)
    return str(ec2.create_vpc(CidrBlock=cidr)["Vpc"]["VpcId"])


def test_a_vpc_in_the_pools_space_is_reported_while_it_lasts(networking: Any, watch: Watch) -> None:
    assert watch() == {}
    vpc_id = make_vpc(networking, "192.168.1.0/24")
    make_vpc(networking, "10.0.0.0/16")

    assert watch(after=60) == {}, "IPAM does not show it yet"
    subject = f"OverlappingVpcs {vpc_id} 192.168.1.0/24 in {SHOP} {WEST}"
    found = watch()
    assert list(found) == [subject]
    assert "overlaps the pool of us-west-2/Prod OU. IPAM can assign its addresses again" in found[subject]

    networking.cloudformation.cloud.client("ec2", SHOP, WEST).delete_vpc(VpcId=vpc_id)
    assert list(watch(after=60)) == [subject]
    assert watch() == {}


def test_a_vpc_from_a_pool_is_not_reported_even_while_ipam_does_not_show_where_it_is_from(
    networking: Any, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    pools = networking.ec2.get_paginator("describe_ipam_pools").paginate().build_full_result()["IpamPools"]
    pool_id = next(pool["IpamPoolId"] for pool in pools if pool.get("Description") == "Prod OU in us-west-2")
    tags = [{"ResourceType": "vpc", "Tags": [{"Key": "Env", "Value": "Prod OU"}]}]
    ec2 = networking.cloudformation.cloud.client("ec2", NETWORKING, WEST)
    ec2.create_vpc(Ipv4IpamPoolId=pool_id, Ipv4NetmaskLength=24, TagSpecifications=tags)

    assert watch() == {}
    monkeypatch.setattr(
        watching, "read_vpcs", lambda *place: [replace(vpc, allocated=False) for vpc in read_vpcs(*place)]
    )
    assert watch() == {}


def test_a_vpc_that_is_reserved_is_not_reported(networking: Any, watch: Watch) -> None:
    make_vpc(networking, "192.168.64.0/20")
    assert len(watch()) == 1

    networking.ask("Update", ReservedCidrs="192.168.64.0/20")

    assert watch() == {}


def test_a_vpc_whose_addresses_are_allocated_by_hand_is_not_reported(networking: Any, watch: Watch) -> None:
    make_vpc(networking, "192.168.0.0/24")
    assert len(watch()) == 1
    ec2 = networking.cloudformation.cloud.client("ec2", NETWORKING, WEST)
    (pool,) = ec2.describe_ipam_pools(Filters=[{"Name": "description", "Values": ["Prod OU in us-west-2"]}])[
        "IpamPools"
    ]

    ec2.allocate_ipam_pool_cidr(IpamPoolId=pool["IpamPoolId"], Cidr="192.168.0.0/24")

    assert watch() == {}


def test_an_account_that_cannot_be_discovered_is_reported(networking: Any, watch: Watch) -> None:
    networking.cloudformation.cloud.models.ipam.faults.fail_discovery(SHOP)

    assert list(watch()) == [f"IpamTrouble discovery of {SHOP}"]


def test_a_region_with_pools_in_which_ipam_does_not_operate_is_reported(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    def in_its_home_only(account: Any) -> ExistingIpam | None:
        ipam = find_ipam(account)
        return ipam and replace(ipam, operating_regions=frozenset({HOME}))

    monkeypatch.setattr(watching, "find_ipam", in_its_home_only)

    assert list(watch()) == [f"IpamTrouble operating Region {WEST}"]


def test_it_watches_once_an_hour_and_measures_every_time(
    networking: Any, watch: Watch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_vpc(networking, "192.168.1.0/24")

    assert [len(watch({"time": f"2026-11-26T10:{minute:02}:00Z"})) for minute in (3, 8, 58)] == [1, 0, 0]


@pytest.mark.parametrize("offset", range(5))
def test_whenever_the_schedule_began_one_run_in_an_hour_is_watch_due(offset: int) -> None:
    times = [f"2026-11-26T{hour:02}:{minute:02}:00Z" for hour in range(3) for minute in range(offset, 60, 5)]

    assert sum(is_watch_due({"time": time}) for time in times) == 3


def test_an_operators_run_is_always_due() -> None:
    assert is_watch_due({})


def test_trouble_of_the_measurement_does_not_hide_what_the_watch_finds(
    networking: Any, watch: Watch, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    make_vpc(networking, "192.168.1.0/24")
    networking.cloudformation.cloud.clock.advance(LAG)
    monkeypatch.setattr("ctipam.upkeep.measurement._attempt", lambda *_: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        watch(after=0)

    assert "OverlappingVpcs" in capsys.readouterr().out


def test_what_it_calls_grows_with_pages_and_pools_and_not_with_vpcs(
    networking: Any, watch: Watch, calls: list[str]
) -> None:
    watch()
    calls.clear()
    watch(after=0)
    before = len(calls)
    for number in range(8):
        make_vpc(networking, f"10.{number}.0.0/16")
    calls.clear()

    watch()

    assert len([call for call in calls if call != "ec2:CreateVpc"]) == before
