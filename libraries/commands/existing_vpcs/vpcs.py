"""Existing VPCs, compared with the pools: which overlap them, and which CIDRs keep their addresses free.

IPAM does not manage these VPCs, so it would assign their addresses to other VPCs as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, collapse_addresses

from ctipam.pools.addresses import lowest_free_in, overlapping, without
from ctipam.pools.parameters import PRIVATE_RANGES
from ctipam.pools.spec import TOP_LEVEL, PoolKey


@dataclass(frozen=True, order=True)
class Vpc:
    """A CIDR of one or more VPCs.

    number      how many VPCs the label describes
    tagged      at least one of them has the tag that our pools require, and may be from pools that could not be read
    allocated   a pool of IPAM has allocated the CIDR, so that nobody else gets it
    """

    cidr: IPv4Network
    number: int = 1
    label: str = ""
    tagged: bool = False
    allocated: bool = False


@dataclass(frozen=True)
class Existing:
    """All existing VPCs.

    what     what was counted, for example "CIDRs in 3 accounts"; empty if the VPCs come from a file
    unread   accounts and Regions that could not be read, a sentence each
    note     a sentence about all of it
    """

    vpcs: tuple[Vpc, ...] = ()
    what: str = ""
    unread: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Overlap:
    """An existing VPC that overlaps a pool.

    key         the pool; None: the free part of the top-level pool
    addresses   how many addresses the VPC and the pool have in common
    """

    vpc: Vpc
    key: PoolKey | None
    addresses: int


def overlaps(blocks: Mapping[PoolKey, Sequence[IPv4Network]], vpcs: Sequence[Vpc]) -> list[Overlap]:
    """Return the environment pools that each VPC overlaps; if none, the Region pools, or the top-level pool."""
    found = []
    for vpc in sorted(vpc for vpc in vpcs if not vpc.allocated):
        common = {key: _common(cidrs, vpc.cidr) for key, cidrs in blocks.items()}
        overlapped = [key for key, addresses in common.items() if addresses]
        deepest = max((_depth(key) for key in overlapped), default=0)
        for key in overlapped:
            if _depth(key) == deepest:
                found.append(Overlap(vpc, None if key == TOP_LEVEL else key, common[key]))
    return found


def _common(cidrs: Iterable[IPv4Network], cidr: IPv4Network) -> int:
    return sum(min(one.num_addresses, cidr.num_addresses) for one in cidrs if one.overlaps(cidr))


def _depth(key: PoolKey) -> int:
    return bool(key.region) + bool(key.environment)


def reservations(
    space: Iterable[IPv4Network], vpcs: Iterable[Vpc], reserved: Iterable[IPv4Network]
) -> list[IPv4Network]:
    """Return the fewest CIDRs that cover exactly the addresses of the VPCs within the planned space.

    Addresses that a pool has allocated to a VPC are left out, even if another VPC uses them too: IPAM assigns them to
    nobody else, and lets nobody reserve them.

    reserved   CIDRs that need not be covered again
    """
    known = list(vpcs)
    allocated = list(collapse_addresses(vpc.cidr for vpc in known if vpc.allocated))
    covered = list(collapse_addresses(reserved))
    shared = {
        max(vpc.cidr, block, key=lambda network: network.prefixlen)  # of two that overlap, one contains the other
        for block in space
        for vpc in known
        if not vpc.allocated and vpc.cidr.overlaps(block)
    }
    parts = (part for cidr in shared for part in without(cidr, overlapping(cidr, allocated)))
    return list(collapse_addresses(part for part in parts if not _is_within(part, covered)))


def _is_within(cidr: IPv4Network, apart: Sequence[IPv4Network]) -> bool:
    return any(cidr.subnet_of(other) for other in overlapping(cidr, apart))


def elsewhere(prefix_length: int, vpcs: Sequence[Vpc]) -> IPv4Network | None:
    """Return the first block of this size in private address space that overlaps no VPC."""
    taken = sorted({vpc.cidr for vpc in vpcs})  # once: lowest_free sorts again, which is quick then
    return lowest_free_in(PRIVATE_RANGES, prefix_length, taken)
