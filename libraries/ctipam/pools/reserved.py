"""ReservedCidrs: address space that no VPC gets from the pools, for example that of offices and of VPCs outside IPAM.

Region and environment pools are placed beside it where there is room. What lies in an environment's pool all the same
is allocated there, so that AWS gives it to nobody else. Each CIDR has an allocation of its own: when it is no longer
named, just that one is released.

An allocation is never released while a part of it is still reserved, because AWS could give that part to a VPC before
it is allocated again. So a CIDR that becomes smaller stays reserved as a whole.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network

from ctipam.errors import Refused
from ctipam.pools.addresses import without
from ctipam.pools.existing import Allocation
from ctipam.pools.spec import VpcSizes

TAG_VALUE_LIMIT = 256
"""https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html#tag-restrictions"""


def parse(text: str) -> tuple[IPv4Network, ...]:
    """Return the CIDRs of ReservedCidrs in address order, without those that others contain. Raises Refused.

    text   "10.1.0.0/16, 10.2.3.0/24"; empty for none
    """
    return tuple(_outermost(_cidr(item.strip()) for item in text.split(",") if item.strip()))


def _cidr(text: str) -> IPv4Network:
    try:
        network = IPv4Network(text, strict=False)
    except ValueError:
        raise Refused(
            f"ReservedCidrs has {text[:40]!r}, which is not an IPv4 CIDR; give one, such as 10.1.0.0/16."
        ) from None
    if "/" not in text:
        raise Refused(f"ReservedCidrs has {text}, which has no prefix length; give {text}/32 for that address alone.")
    if str(network) != text:
        raise Refused(f"ReservedCidrs has {text}, which is not the start of its block; did you mean {network}?")
    return network


def _outermost(networks: Iterable[IPv4Network]) -> Iterator[IPv4Network]:
    """Yield the networks that no other contains, in address order: there, one follows those that contain it."""
    last = None
    for network in sorted(networks):
        if last is None or not network.subnet_of(last):
            last = network
            yield network


def reserved_in(
    blocks: Iterable[IPv4Network], reserved: Iterable[IPv4Network], sizes: VpcSizes
) -> tuple[IPv4Network, ...]:
    """Return what is to be allocated in an environment's pool, in address order.

    blocks   the CIDRs of the pool
    sizes    that the pool's rules allow. A CIDR that is smaller is rounded up: no VPC fits beside it. A CIDR that is
             larger is divided.
    """
    common = [_smaller(cidr, block) for block in blocks for cidr in reserved if cidr.overlaps(block)]
    return tuple(_outermost(part for cidr in common for part in _allowed(cidr, sizes)))


def _smaller(one: IPv4Network, other: IPv4Network) -> IPv4Network:
    """Return what two networks that overlap have in common: of such two, one contains the other."""
    return one if one.prefixlen >= other.prefixlen else other


def _allowed(cidr: IPv4Network, sizes: VpcSizes) -> Iterable[IPv4Network]:
    if cidr.prefixlen > sizes.maximum:
        return [cidr.supernet(new_prefix=sizes.maximum)]
    if cidr.prefixlen < sizes.minimum:
        return cidr.subnets(new_prefix=sizes.minimum)
    return [cidr]


@dataclass(frozen=True)
class ReservationChanges:
    """What is to be done in a pool.

    add         CIDRs to allocate
    release     allocations of ours that nothing needs any more
    colliding   what has been given some of the reserved addresses already
    """

    add: tuple[IPv4Network, ...] = ()
    release: tuple[Allocation, ...] = ()
    colliding: tuple[Allocation, ...] = ()

    @property
    def nothing(self) -> bool:
        return not (self.add or self.release)


def reservation_changes(wanted: Collection[IPv4Network], allocations: Iterable[Allocation]) -> ReservationChanges:
    """Compare what is to be reserved in a pool with what is allocated from it. What others reserved by hand counts."""
    found = list(allocations)
    manual = [one for one in found if one.resource_type == "custom"]
    release = [one for one in manual if one.is_reservation and not _overlaps_any(one.cidr, wanted)]
    held = [one.cidr for one in manual if one not in release]
    return ReservationChanges(
        add=tuple(part for cidr in wanted for part in sorted(without(cidr, held))),
        release=tuple(release),
        colliding=tuple(one for one in found if one not in manual and _overlaps_any(one.cidr, wanted)),
    )


def _overlaps_any(cidr: IPv4Network, others: Iterable[IPv4Network]) -> bool:
    return any(cidr.overlaps(other) for other in others)


def tag_value(wanted: Iterable[IPv4Network]) -> str:
    """Return what the pool's tag says once all of this is allocated: the CIDRs, or a digest of very many."""
    text = " ".join(map(str, wanted))
    return text if len(text) <= TAG_VALUE_LIMIT else hashlib.sha256(text.encode()).hexdigest()


def refuse_collisions(colliding: Iterable[tuple[str, Allocation]]) -> None:
    """Raise Refused if reserved addresses are in use.

    colliding   the pool, in words, and what has some of its reserved addresses
    """
    for pool, allocation in colliding:
        raise Refused(
            f"ReservedCidrs includes addresses of {allocation}, which has them from {pool}. Delete it, and wait "
            "20 minutes until IPAM frees its CIDR, or leave it out of ReservedCidrs."
        )
