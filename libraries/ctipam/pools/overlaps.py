"""Which VPCs overlap our pools, or each other in the pools' space, without having their addresses from a pool."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network

from ctipam.findings import Finding
from ctipam.ipam.discovered import DiscoveredCidr
from ctipam.phrases import some
from ctipam.pools.addresses import outermost, overlapping, without
from ctipam.pools.spec import TOP_LEVEL, PoolKey

METRIC = "OverlappingVpcs"
LISTED = 3
"""Pools and other VPCs that a message names."""

NAMED_CIDRS = 20
"""As many as a message tells to reserve."""


@dataclass(frozen=True)
class OverlappingVpc:
    """A CIDR of a VPC that has it from no pool.

    pools    the environment pools that can give out some of its addresses; if none, the Region pools whose future
             environment pools could, or the top-level pool
    free     what of its CIDR can be reserved: no pool has allocated it to another VPC, nor reserved it
    others   VPCs that it overlaps, those next to it in size first
    """

    vpc: DiscoveredCidr
    pools: tuple[PoolKey, ...]
    free: tuple[IPv4Network, ...] = ()
    others: tuple[DiscoveredCidr, ...] = ()

    def finding(self) -> Finding:
        overlapped = [key.phrase for key in self.pools] + [f"VPC {other}" for other in self.others]
        listed = some(overlapped, LISTED)
        message = f"VPC {self.vpc} has its addresses from no pool, and overlaps {listed}.{self._remedy()}"
        return Finding(METRIC, f"{self.vpc.vpc_id} {self.vpc.cidr} in {self.vpc.account_id} {self.vpc.region}", message)

    def _remedy(self) -> str:
        if self.free:
            few = len(self.free) <= NAMED_CIDRS
            what = f"add {','.join(map(str, self.free))} to ReservedCidrs" if few else "run `make deploy RESERVE=ipam`"
            return f" IPAM can assign its addresses again: {what}."
        return " A pool has allocated its addresses to another VPC: replace one of the two." if self.pools else ""


def find_overlaps(
    vpcs: Iterable[DiscoveredCidr],
    blocks: Mapping[PoolKey, Collection[IPv4Network]],
    held: Collection[IPv4Network],
    avoided: Collection[IPv4Network],
    allocated: Collection[tuple[str, IPv4Network]],
) -> list[OverlappingVpc]:
    """Return the VPCs that overlap the pools, or another VPC in the pools' space. Those that IPAM is to ignore do not
    count.

    blocks      the CIDRs of each of our pools
    held        manual allocations in environment pools: no VPC gets these addresses
    avoided     ReservedCidrs: no environment's pool will be placed there
    allocated   VPCs and CIDRs that the pools have allocated: IPAM shows that later than it allocates, and nobody can
                reserve these addresses
    """
    space = blocks.get(TOP_LEVEL, ())
    monitored = {vpc for vpc in vpcs if not vpc.ignored}
    inside = sorted(vpc for vpc in monitored if any(vpc.cidr.overlaps(block) for block in space))
    foreign = [vpc for vpc in inside if not vpc.allocated and (vpc.vpc_id, vpc.cidr) not in allocated]
    others = _neighbors(inside)
    # Large organizations have thousands of each, so a VPC is compared with those next to it only.
    no_vpc, no_pool = list(outermost(held)), list(outermost([*held, *avoided]))
    taken = list(outermost([*held, *(cidr for _, cidr in allocated)]))
    found = (_overlapping(vpc, blocks, no_vpc, no_pool, taken, others[vpc]) for vpc in foreign)
    return [overlap for overlap in found if overlap.pools or overlap.others]


def _overlapping(
    vpc: DiscoveredCidr,
    blocks: Mapping[PoolKey, Collection[IPv4Network]],
    no_vpc: Sequence[IPv4Network],
    no_pool: Sequence[IPv4Network],
    taken: Sequence[IPv4Network],
    others: Iterable[DiscoveredCidr],
) -> OverlappingVpc:
    """no_vpc, no_pool, taken: apart from each other, in address order: what no VPC gets from environment pools, what no
    environment's pool gets either, and what the pools have allocated."""
    pools = _pools(vpc.cidr, blocks, no_vpc, no_pool)
    free = without(vpc.cidr, overlapping(vpc.cidr, taken)) if pools else ()
    return OverlappingVpc(vpc, tuple(pools), tuple(sorted(free)), tuple(others))


def _pools(
    cidr: IPv4Network,
    blocks: Mapping[PoolKey, Collection[IPv4Network]],
    no_vpc: Sequence[IPv4Network],
    no_pool: Sequence[IPv4Network],
) -> Sequence[PoolKey]:
    """Return the pools of the lowest level that has some that contain addresses of the CIDR which nothing reserves."""

    def exposing(keys: Iterable[PoolKey], reserved: Sequence[IPv4Network]) -> list[PoolKey]:
        return sorted(key for key in keys if any(_exposed(cidr, block, reserved) for block in blocks[key]))

    environments = exposing((key for key in blocks if key.environment), no_vpc)
    others = exposing((key for key in blocks if not key.environment), no_pool)
    return environments or [key for key in others if key.region] or others


def _exposed(cidr: IPv4Network, block: IPv4Network, reserved: Sequence[IPv4Network]) -> bool:
    """Return whether the CIDR and the block have addresses in common that are not reserved."""
    if not cidr.overlaps(block):
        return False
    common = cidr if cidr.prefixlen >= block.prefixlen else block
    return any(True for _ in without(common, overlapping(common, reserved)))


def _neighbors(vpcs: Sequence[DiscoveredCidr]) -> Mapping[DiscoveredCidr, list[DiscoveredCidr]]:
    """Return for each VPC the next larger and smaller ones that it overlaps: of such two, one contains the other.

    vpcs   sorted: then a CIDR comes directly after those that contain it, and after what they contain besides
    """
    found = defaultdict[DiscoveredCidr, list[DiscoveredCidr]](list)
    around: list[DiscoveredCidr] = []
    for vpc in vpcs:
        while around and not around[-1].cidr.overlaps(vpc.cidr):
            around.pop()
        if around and around[-1].vpc_id != vpc.vpc_id:
            found[vpc].append(around[-1])
            found[around[-1]].append(vpc)
        around.append(vpc)
    return found
