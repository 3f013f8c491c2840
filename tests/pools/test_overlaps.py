"""Which VPCs overlap the pools or each other, and what the watch says of them."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Network
from typing import Any

import pytest

from ctipam.ipam.discovered import DiscoveredCidr
from ctipam.pools.addresses import without
from ctipam.pools.overlaps import OverlappingVpc, find_overlaps
from ctipam.pools.spec import TOP_LEVEL, PoolKey

WEST, EAST = PoolKey("us-west-2"), PoolKey("us-east-1")
WEST_PROD, WEST_SDLC = PoolKey("us-west-2", "Prod OU"), PoolKey("us-west-2", "SDLC OU")
BLOCKS = {
    TOP_LEVEL: "10.0.0.0/16 10.4.0.0/16",
    WEST: "10.0.0.0/20",
    EAST: "10.0.16.0/20",
    WEST_PROD: "10.0.0.0/21 10.0.10.0/24",
    WEST_SDLC: "10.0.8.0/23",
}
SHOP, BANK = "111122223333", "444455556666"


def vpc(cidr: str, name: str = "vpc-1", account: str = SHOP, *, allocated: bool = False) -> DiscoveredCidr:
    return DiscoveredCidr(IPv4Network(cidr), account, "us-west-2", name, allocated=allocated)


def networks(text: str) -> list[IPv4Network]:
    return [IPv4Network(cidr) for cidr in text.split()]


def found(
    *vpcs: DiscoveredCidr, reserved: str = "", avoided: str = "", allocated: tuple[tuple[str, str], ...] = ()
) -> list[OverlappingVpc]:
    return find_overlaps(
        vpcs,
        {key: networks(text) for key, text in BLOCKS.items()},
        networks(reserved),
        networks(avoided),
        {(name, IPv4Network(cidr)) for name, cidr in allocated},
    )


@pytest.mark.parametrize(
    ("cidr", "pools"),
    [
        ("10.1.0.0/16", None),
        ("10.0.1.0/24", [WEST_PROD]),
        ("10.0.10.0/24", [WEST_PROD]),
        ("10.0.0.0/20", [WEST_PROD, WEST_SDLC]),
        ("10.0.15.0/24", [WEST]),
        ("10.0.16.0/22", [EAST]),
        ("10.0.64.0/18", [TOP_LEVEL]),
        ("10.4.1.0/24", [TOP_LEVEL]),
        ("10.0.0.0/8", [WEST_PROD, WEST_SDLC]),
    ],
    ids=[
        "outside",
        "in an environment's pool",
        "in its second block",
        "over two environments",
        "where a Region has no environment",
        "in a Region without environments",
        "where no Region is",
        "in a second CIDR of the top-level pool",
        "around all pools",
    ],
)
def test_a_vpc_is_reported_with_the_pools_of_the_lowest_level_that_it_overlaps(
    cidr: str, pools: list[PoolKey] | None
) -> None:
    assert [list(overlap.pools) for overlap in found(vpc(cidr))] == ([pools] if pools else [])


def test_a_vpc_that_a_pool_has_allocated_is_not_reported() -> None:
    assert found(vpc("10.0.1.0/24", allocated=True)) == []
    assert found(vpc("10.0.1.0/24"), allocated=(("vpc-1", "10.0.1.0/24"),)) == []


def test_the_second_cidr_of_a_vpc_from_a_pool_is_reported_if_it_is_from_no_pool() -> None:
    reported = found(vpc("10.0.1.0/24", allocated=True), vpc("10.0.2.0/24"))

    assert [str(overlap.vpc.cidr) for overlap in reported] == ["10.0.2.0/24"]


@pytest.mark.parametrize(
    ("reserved", "reported"),
    [
        ("10.0.0.0/22", False),
        ("10.0.0.0/24 10.0.1.0/24", False),
        ("10.0.0.0/24", True),
        ("192.168.0.0/16", True),
    ],
    ids=["around it", "in two parts", "half of it", "elsewhere"],
)
def test_a_vpc_whose_addresses_are_reserved_is_not_reported(reserved: str, reported: bool) -> None:
    assert bool(found(vpc("10.0.0.0/23"), reserved=reserved)) == reported


def test_a_vpc_around_blocks_that_are_reserved_is_reported_for_what_is_beside_them() -> None:
    (overlap,) = found(vpc("10.0.8.0/22"), reserved="10.0.8.0/23 10.0.10.0/24")

    assert overlap.pools == (WEST,)


def test_where_no_environment_is_yet_the_parameter_is_enough_and_in_an_environments_pool_it_is_not() -> None:
    assert found(vpc("10.0.15.0/24"), avoided="10.0.0.0/16") == []
    assert found(vpc("10.0.64.0/24"), avoided="10.0.0.0/16") == []
    assert len(found(vpc("10.0.1.0/24"), avoided="10.0.0.0/16")) == 1


def test_vpcs_that_overlap_each_other_are_reported_even_if_their_addresses_are_reserved() -> None:
    large, small, alone = vpc("10.0.0.0/22", "vpc-large"), vpc("10.0.1.0/24", "vpc-small", BANK), vpc("10.0.7.0/24")

    reported = found(large, small, alone, reserved="10.0.0.0/21")

    assert {overlap.vpc.vpc_id: [other.vpc_id for other in overlap.others] for overlap in reported} == {
        "vpc-large": ["vpc-small"],
        "vpc-small": ["vpc-large"],
    }
    assert not any(overlap.pools for overlap in reported)


def test_of_two_that_overlap_only_the_one_without_a_pool_is_reported() -> None:
    (overlap,) = found(vpc("10.0.1.0/24", "vpc-ours", allocated=True), vpc("10.0.0.0/22", "vpc-theirs", BANK))

    assert (overlap.vpc.vpc_id, [other.vpc_id for other in overlap.others]) == ("vpc-theirs", ["vpc-ours"])


def test_a_vpc_that_ipam_is_to_ignore_is_not_reported() -> None:
    """Its account is closed, and somebody has released its addresses."""
    released = replace(vpc("10.0.1.0/24", "vpc-of-closed"), ignored=True)

    assert found(released, vpc("10.0.1.0/24", "vpc-ours", BANK, allocated=True)) == []
    (overlap,) = found(released, vpc("10.0.1.0/24", "vpc-theirs", BANK))
    assert (overlap.vpc.vpc_id, overlap.others) == ("vpc-theirs", ())


def test_vpcs_that_overlap_outside_the_pools_space_are_not_reported() -> None:
    assert found(vpc("172.31.0.0/16", "vpc-1"), vpc("172.31.0.0/16", "vpc-2", BANK)) == []


def test_a_vpc_that_is_shown_twice_is_reported_once() -> None:
    assert len(found(vpc("10.0.1.0/24"), vpc("10.0.1.0/24"))) == 1


def test_a_finding_names_the_vpc_the_pool_and_what_to_do() -> None:
    (overlap,) = found(vpc("10.0.1.0/24", "vpc-1"))

    finding = overlap.finding()

    assert finding.metric == "OverlappingVpcs"
    assert finding.subject == f"vpc-1 10.0.1.0/24 in {SHOP} us-west-2"
    assert finding.message == (
        f"VPC vpc-1 (10.0.1.0/24, account {SHOP}, us-west-2) has its addresses from no pool, and overlaps the pool of "
        "us-west-2/Prod OU. IPAM can assign its addresses again: add 10.0.1.0/24 to ReservedCidrs."
    )


@pytest.mark.parametrize(
    ("allocated", "remedy"),
    [
        ("10.0.1.0/25", "IPAM can assign its addresses again: add 10.0.1.128/25 to ReservedCidrs."),
        ("10.0.0.0/23", "A pool has allocated its addresses to another VPC: replace one of the two."),
    ],
)
def test_what_a_pool_has_allocated_to_another_vpc_is_not_to_be_reserved(allocated: str, remedy: str) -> None:
    """An update with such ReservedCidrs would be refused."""
    (overlap,) = found(vpc("10.0.1.0/24"), allocated=(("vpc-ours", allocated),))

    assert overlap.finding().message.endswith(remedy)


def test_of_very_many_parts_to_be_reserved_none_is_named() -> None:
    allocated = tuple((f"vpc-{number}", f"10.0.1.{8 * number}/29") for number in range(0, 32, 2))
    (overlap,) = found(vpc("10.0.0.0/20"), allocated=(*allocated, ("vpc-x", "10.0.0.0/28")))

    assert overlap.finding().message.endswith("IPAM can assign its addresses again: run `make deploy RESERVE=ipam`.")


@pytest.mark.parametrize(("others", "more"), [(3, ""), (4, " and 1 more"), (6, " and 3 more")])
def test_a_finding_lists_a_few_of_many_others(others: int, more: str) -> None:
    inner = [vpc(f"10.0.0.{number * 16}/28", f"vpc-{number}") for number in range(others)]
    reported = found(vpc("10.0.0.0/24", "vpc-large", BANK), *inner, reserved="10.0.0.0/16")

    (message,) = (overlap.finding().message for overlap in reported if overlap.vpc.vpc_id == "vpc-large")

    assert message.endswith(f"VPC vpc-2 (10.0.0.32/28, account {SHOP}, us-west-2){more}.")


def test_the_work_for_a_vpc_does_not_grow_with_what_is_allocated_and_reserved_elsewhere(comparisons: list[Any]) -> None:
    """Thousands of VPCs beside thousands of allocations would take the watch longer than its function may run."""

    def comparisons_beside(number: int) -> int:
        comparisons.clear()
        elsewhere = [f"10.0.{8 + part // 32}.{part % 32 * 8}/29" for part in range(number)]
        allocated = tuple((f"vpc-{part}", cidr) for part, cidr in enumerate(elsewhere))
        assert found(vpc("10.0.1.0/24"), reserved=" ".join(elsewhere), avoided=" ".join(elsewhere), allocated=allocated)
        return len(comparisons)

    assert comparisons_beside(60) == comparisons_beside(2)


def test_what_is_left_of_a_network() -> None:
    assert [*map(str, without(IPv4Network("10.0.0.0/24"), networks("10.0.0.0/26 10.0.0.64/26 10.9.0.0/16")))] == [
        "10.0.0.128/25"
    ]
    assert [*without(IPv4Network("10.0.0.0/24"), networks("10.0.0.0/23"))] == []
