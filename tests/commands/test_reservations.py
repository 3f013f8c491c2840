"""Which CIDRs keep existing VPCs safe: exactly their addresses in the planned space, in as few CIDRs as possible."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from random import Random

import pytest

from commands.existing_vpcs.vpcs import Vpc, reservations


def reserved(space: str, *cidrs: str, allocated: str = "") -> str:
    vpcs = [Vpc(IPv4Network(cidr)) for cidr in cidrs]
    vpcs += [Vpc(IPv4Network(cidr), allocated=True) for cidr in allocated.split()]
    return " ".join(map(str, reservations(map(IPv4Network, space.split()), vpcs, ())))


@pytest.mark.parametrize(
    ("space", "cidrs", "expected"),
    [
        ("10.0.0.0/8", (), ""),
        ("10.0.0.0/8", ("192.168.0.0/16",), ""),
        ("10.0.0.0/8", ("10.1.0.0/16", "10.1.0.0/16"), "10.1.0.0/16"),
        ("10.0.0.0/8", ("10.1.0.0/16", "10.1.7.0/24"), "10.1.0.0/16"),
        ("10.0.0.0/8", ("10.0.0.0/16", "10.1.0.0/16"), "10.0.0.0/15"),
        ("10.0.0.0/8", ("10.1.0.0/16", "10.2.0.0/16"), "10.1.0.0/16 10.2.0.0/16"),
        ("10.0.0.0/9", ("10.0.0.0/8",), "10.0.0.0/9"),
        ("10.0.0.0/24 10.0.2.0/24", ("10.0.0.0/16",), "10.0.0.0/24 10.0.2.0/24"),
    ],
    ids=[
        "no VPC",
        "elsewhere",
        "twice the same",
        "one within another",
        "two that fill a block",
        "neighbors that fill no block",
        "larger than the space",
        "over two parts of the space",
    ],
)
def test_the_addresses_of_vpcs_in_the_space_are_reserved(space: str, cidrs: tuple[str, ...], expected: str) -> None:
    assert reserved(space, *cidrs) == expected


@pytest.mark.parametrize(
    ("cidr", "allocated", "expected"),
    [
        ("10.1.0.0/16", "10.2.0.0/16", "10.1.0.0/16"),
        ("10.1.0.0/16", "10.1.0.0/16", ""),
        ("10.1.0.0/24", "10.1.0.0/16", ""),
        ("10.1.0.0/16", "10.1.0.0/18 10.1.128.0/17 10.2.0.0/16", "10.1.64.0/18"),
    ],
    ids=["elsewhere", "the same", "around it", "parts of it"],
)
def test_what_a_pool_has_allocated_is_not_reserved_for_a_vpc_that_uses_it_too(
    cidr: str, allocated: str, expected: str
) -> None:
    assert reserved("10.0.0.0/8", cidr, allocated=allocated) == expected


@pytest.mark.parametrize("seed", range(20))
def test_any_vpcs_are_covered_exactly_and_no_two_cidrs_could_be_one(seed: int) -> None:
    random = Random(seed)  # noqa: S311 - the same VPCs each time
    space = IPv4Network("10.0.0.0/24")
    vpcs = [
        Vpc(IPv4Network((int(space.network_address) + random.randrange(-64, 320) & -size, 32 - size.bit_length() + 1)))
        for size in random.choices((1, 2, 4, 8, 16, 32), k=12)
    ]
    expected = {address for vpc in vpcs for address in vpc.cidr if address in space}

    found = reservations([space], vpcs, ())

    covered: list[IPv4Address] = [address for cidr in found for address in cidr]
    assert len(covered) == len(set(covered))
    assert set(covered) == expected
    parents = [cidr.supernet() for cidr in found]
    assert len(parents) == len(set(parents)), "two halves of one block are one"
