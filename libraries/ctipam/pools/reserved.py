"""ReservedCidrs: address space that no VPC gets from the pools, for example that of offices and of VPCs outside IPAM.

Region and environment pools are placed beside it where there is room. What lies in an environment's pool all the same
is allocated there, so that AWS gives it to nobody else. Each CIDR has an allocation of its own: when it is no longer
named, just that one is released.

An allocation is never released while a part of it is still reserved, because AWS could give that part to a VPC before
it is allocated again. So a CIDR that becomes smaller stays reserved as a whole.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Any

from ctipam import names
from ctipam.errors import Refused, fit
from ctipam.pools.addresses import outermost, overlapping, without
from ctipam.pools.existing import Allocation, ExistingPool
from ctipam.pools.spec import PoolKey, PoolSpec, VpcSizes
from ctipam.tags import to_dict

DESCRIPTION = "Reserved: no VPC gets it (ReservedCidrs)"
"""Of each allocation that reserves a CIDR."""


def is_reservation(allocation: Mapping[str, Any]) -> bool:
    """Return whether this solution made the allocation, for ReservedCidrs.

    By its tag or its description: an SDK from before May 2026 gives an allocation no tags, and shows none.

    allocation   as GetIpamPoolAllocations lists it
    """
    if allocation["ResourceType"] != "custom":
        return False
    return names.STACK_TAG in to_dict(allocation.get("Tags", [])) or allocation.get("Description") == DESCRIPTION


def reserved_in(
    blocks: Iterable[IPv4Network], reserved: Iterable[IPv4Network], sizes: VpcSizes
) -> tuple[IPv4Network, ...]:
    """Return what is to be allocated in an environment's pool, in address order.

    blocks   the CIDRs of the pool
    sizes    that the pool's rules allow. A CIDR that is smaller is rounded up: no VPC fits beside it. A CIDR that is
             larger is divided. In a CIDR of the pool that is smaller itself, there is nothing to allocate.
    """
    usable = [block for block in blocks if block.prefixlen <= sizes.maximum]
    common = [_smaller(cidr, block) for block in usable for cidr in reserved if cidr.overlaps(block)]
    return tuple(outermost(part for cidr in common for part in _allowed(cidr, sizes)))


def _smaller(one: IPv4Network, other: IPv4Network) -> IPv4Network:
    """Return what two networks that overlap have in common: of such two, one contains the other."""
    return one if one.prefixlen >= other.prefixlen else other


def _allowed(cidr: IPv4Network, sizes: VpcSizes) -> Iterable[IPv4Network]:
    rounded = cidr.supernet(new_prefix=min(cidr.prefixlen, sizes.maximum))
    return rounded.subnets(new_prefix=max(rounded.prefixlen, sizes.minimum))


def wanted_reservations(spec: PoolSpec, key: PoolKey, blocks: Iterable[IPv4Network]) -> tuple[IPv4Network, ...]:
    """Return what is to be allocated in a pool of these CIDRs. Only an environment's pool gives CIDRs to VPCs."""
    return reserved_in(blocks, spec.reserved, spec.vpc_sizes) if key.environment else ()


def may_have_reservations(pool: ExistingPool) -> bool:
    """Return whether this solution has reserved, or was about to reserve, CIDRs in the pool."""
    return bool({names.RESERVED_TAG, names.PREPARING_TAG} & pool.tags.keys())


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


def reservation_changes(
    spec: PoolSpec, wanted: Collection[IPv4Network], allocations: Iterable[Allocation]
) -> ReservationChanges:
    """Compare what is to be reserved in a pool with what is allocated from it. Reservations made by hand count.

    A part that is smaller than the pool's rules allow is left: AWS would refuse it, and no VPC fits there. So is what a
    VPC has of the space by which a reserved CIDR was rounded up: it is from when the rules allowed such VPCs.
    """
    # A pool may have thousands of VPCs, so each is compared with those next to it only.
    apart = list(outermost(wanted))
    found = [(one, bool(overlapping(one.cidr, apart))) for one in allocations]
    release = [one for one, is_wanted in found if one.is_reservation and not is_wanted]
    in_the_way = [one for one, is_wanted in found if one.resource_type != "custom" and is_wanted]
    taken = list(outermost(one.cidr for one, is_wanted in found if is_wanted))
    missing = (part for cidr in wanted for part in sorted(without(cidr, overlapping(cidr, taken))))
    return ReservationChanges(
        add=tuple(part for part in missing if part.prefixlen <= spec.vpc_sizes.maximum),
        release=tuple(release),
        colliding=tuple(one for one in in_the_way if any(one.cidr.overlaps(cidr) for cidr in spec.reserved)),
    )


def refuse_collisions(pool: str, colliding: Iterable[Allocation]) -> None:
    """Raise Refused if something has reserved addresses of a pool. pool: in words"""
    for allocation in colliding:
        raise Refused(collision(pool, allocation))


def collision(pool: str, allocation: Allocation) -> str:
    cause = f"{allocation}, which has them from {pool}"
    way_out = "Delete it and wait 30 minutes, or leave its addresses out of ReservedCidrs."
    return fit("ReservedCidrs includes addresses of ", cause, way_out)
