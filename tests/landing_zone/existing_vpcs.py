"""The VPCs that a company has already: 30 in three accounts and two Regions, 11 of them in the default space."""

from __future__ import annotations

from ipaddress import IPv4Network

EAST, WEST = "us-east-1", "us-west-2"

RESERVED = (
    "192.168.1.0/24,192.168.3.0/26,192.168.6.0/23,192.168.10.0/24,192.168.14.0/28,192.168.16.0/22,192.168.24.0/25,"
    "192.168.28.0/22,192.168.32.0/19"
)
"""The fewest ReservedCidrs that cover exactly those in the default space."""


def inside(one: str, two: str, three: str) -> dict[str, tuple[str, str]]:
    """Return the CIDRs in the default space, each with its account and Region.

    one, two, three   ids of accounts
    """
    return {
        "192.168.1.0/24": (one, WEST),
        "192.168.3.0/26": (one, WEST),
        "192.168.7.0/24": (two, WEST),
        "192.168.6.0/23": (two, EAST),  # overlaps the one before
        "192.168.10.0/24": (three, EAST),
        "192.168.14.0/28": (one, EAST),
        "192.168.16.0/22": (one, EAST),
        "192.168.24.0/25": (two, EAST),
        "192.168.31.0/24": (two, WEST),
        "192.168.28.0/22": (one, WEST),  # contains the one before
        "192.168.32.0/19": (two, EAST),  # across the borders of the Regions' pools
    }


def outside(*accounts: str) -> dict[str, tuple[str, str]]:
    """Return the other CIDRs."""
    return {f"10.{number}.0.0/16": (accounts[number % 3], (WEST, EAST)[number % 2]) for number in range(19)}


def is_in_use(cidr: str) -> bool:
    """Return whether one of these VPCs has some of the addresses."""
    return any(IPv4Network(cidr).overlaps(IPv4Network(existing)) for existing in inside("", "", ""))
