"""The arithmetic of how full a pool is, and the line that CloudWatch reads."""

from __future__ import annotations

import json
from ipaddress import IPv4Network

import pytest

from ctipam.pools.environment_pools import EnvironmentPool
from ctipam.pools.existing import Allocation
from ctipam.upkeep.utilization import Utilization, measure, metric_line

POOL = EnvironmentPool("ipam-pool-0123456789abcdef0", "Prod OU", "us-west-2")
BLOCK = IPv4Network("192.168.0.0/21")


def vpc(cidr: str, vpc_id: str = "vpc-1") -> Allocation:
    return Allocation(IPv4Network(cidr), "vpc", vpc_id, "012345678901")


PLANNING = Allocation(IPv4Network("192.168.0.0/24"), "ipam-pool", "ipam-pool-of-the-vpc", "222222222222")
"""A pool that plans the subnets of a VPC. Its source is the VPC's pool, and its CIDR the VPC's.

Source  https://github.com/hashicorp/terraform-provider-aws/pull/44705
        Assumed: that it is listed beside the VPC
"""
RESERVED = Allocation(IPv4Network("192.168.4.0/22"), "custom", "", "222222222222")


@pytest.mark.parametrize(
    ("allocations", "percent", "vpcs"),
    [
        ([], 0.0, 0),
        ([vpc("192.168.0.0/24")], 12.5, 1),
        ([vpc("192.168.0.0/24"), vpc("192.168.1.0/24")], 25.0, 1),
        ([vpc("192.168.0.0/24", "vpc-1"), vpc("192.168.1.0/24", "vpc-2"), RESERVED], 75.0, 2),
        ([vpc("192.168.0.0/21")], 100.0, 1),
        ([vpc("192.168.0.0/28")], 0.78, 1),
        ([PLANNING, vpc("192.168.0.0/24")], 12.5, 1),
    ],
    ids=[
        "empty",
        "one VPC",
        "a VPC with two blocks",
        "two VPCs and a block reserved by hand",
        "full",
        "rounded",
        "a VPC and the pool of its subnets",
    ],
)
def test_all_that_is_allocated_is_used_and_each_vpc_counts_once(
    allocations: list[Allocation], percent: float, vpcs: int
) -> None:
    measured = measure(POOL, [BLOCK], allocations)

    assert measured
    assert (measured.percent_used, measured.vpcs) == (percent, vpcs)


def test_a_vpc_with_a_pool_of_its_subnets_is_charged_to_its_own_account() -> None:
    measured = measure(POOL, [BLOCK], [PLANNING, vpc("192.168.0.0/24")])

    assert measured
    assert measured.by_account == {"012345678901": 256}


def test_a_block_that_was_added_by_hand_makes_room() -> None:
    measured = measure(POOL, [BLOCK, IPv4Network("192.168.8.0/21")], [vpc("192.168.0.0/21")])

    assert measured
    assert (measured.percent_used, measured.blocks) == (50.0, 2)


def test_what_is_allocated_from_a_block_that_gives_out_no_more_fills_no_other() -> None:
    measured = measure(POOL, [BLOCK], [vpc("192.168.0.0/24"), vpc("192.168.8.0/21", "vpc-2")])

    assert measured
    assert (measured.percent_used, measured.used, measured.vpcs) == (12.5, 256, 1)


@pytest.mark.parametrize(
    ("used", "percent"), [(0, 0), (1, 0.01), (2**19, 50), (2**20 - 1, 99.99), (2**20, 100)], ids=str
)
def test_only_an_empty_pool_is_0_percent_full_and_only_a_full_one_100(used: int, percent: float) -> None:
    assert Utilization(POOL, 2**20, used, vpcs=0).percent_used == percent


def test_a_pool_without_a_block_is_not_measured() -> None:
    assert measure(POOL, [], []) is None


def test_the_line_is_one_line_and_names_environment_and_region() -> None:
    measured = measure(POOL, [BLOCK], [vpc("192.168.0.0/24")])
    assert measured

    line = metric_line(measured, at_s=1700000000.0)

    assert "\n" not in line
    assert json.loads(line) == {
        "_aws": {
            "Timestamp": 1700000000000,
            "CloudWatchMetrics": [
                {
                    "Namespace": "IpamControlTower",
                    "Dimensions": [["Environment", "Region"]],
                    "Metrics": [{"Name": "PercentUsed", "Unit": "Percent"}],
                }
            ],
        },
        "Environment": "Prod OU",
        "Region": "us-west-2",
        "PercentUsed": 12.5,
        "Vpcs": 1,
        "AddressesUsed": 256,
        "AddressesFree": 1792,
        "Blocks": 1,
        "LargestAccounts": "012345678901: 256",
    }


def test_the_accounts_that_fill_a_pool_are_named_the_largest_first() -> None:
    of_others = [
        Allocation(IPv4Network(f"192.168.{number}.0/24"), "vpc", f"vpc-{number}", f"00000000000{number // 2}")
        for number in range(6)
    ]
    second = IPv4Network("192.168.8.0/21")
    largest = Allocation(second, "vpc", "vpc-9", "999999999999")
    measured = measure(POOL, [BLOCK, second], [RESERVED, *of_others[:4], largest])
    assert measured

    line = json.loads(metric_line(measured, at_s=0.0))

    assert line["LargestAccounts"] == "999999999999: 2048, 222222222222: 1024, 000000000000: 512"


def test_the_name_of_an_ou_that_cloudwatch_would_refuse_is_written_in_ascii() -> None:
    pool = EnvironmentPool(POOL.pool_id, "Büro OU", POOL.region)

    line = json.loads(metric_line(Utilization(pool, addresses=2048, used=0, vpcs=0), at_s=0.0))

    assert line["Environment"] == "B\\xfcro OU"
