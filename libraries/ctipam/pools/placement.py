"""Where the missing blocks go: the lowest place that is free in a CIDR of the parent, the largest block first."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network

from ctipam.pools import record
from ctipam.pools.addresses import lowest_free_in
from ctipam.pools.existing import ExistingPool
from ctipam.pools.matching import Comparison
from ctipam.pools.spec import TOP_LEVEL, PoolKey

Occupied = Mapping[str, Collection[IPv4Network]]
"""What is occupied of a pool, by whomever, by the pool's id."""


@dataclass(frozen=True)
class Placement:
    """cidrs     for the missing blocks of each pool, in the order in which they are given, as far as there is room
    lacking   the first block that finds no room: its pool and its prefix length. None: there is room for all
    """

    cidrs: Mapping[PoolKey, tuple[IPv4Network, ...]]
    lacking: tuple[PoolKey, int] | None


def place(comparison: Comparison, occupied: Occupied, *, cautious: bool = False) -> Placement:
    """Find a place for every missing block, also of pools, and in CIDRs, that do not exist yet.

    occupied   of each pool from which a block is missing. A pool with CIDRs that is not in it has no room.
    cautious   whether a pool that has given back its only block is still in use, see _place_beside
    """
    spec = comparison.spec
    cidrs: dict[PoolKey, tuple[IPv4Network, ...]] = {
        TOP_LEVEL: tuple(cidr for cidr in comparison.blocks[TOP_LEVEL].missing if isinstance(cidr, IPv4Network))
    }
    lacking = None
    for parent in (TOP_LEVEL, *map(PoolKey, spec.regions)):
        room = [*_known_room(comparison, parent, occupied), *cidrs.get(parent, ())]
        taken = list(occupied.get(comparison.kept[parent].pool_id, ())) if parent in comparison.kept else []
        for size, key in _missing_below(comparison, parent):
            pool = comparison.kept.get(key)
            holds_none = pool is None or not (pool.held or (cautious and record.read(pool.tags).leaving))
            is_first = holds_none and key not in cidrs
            cidr = _place_beside(spec.reserved, room, size, taken, new=is_first)
            if cidr:
                taken.append(cidr)
                cidrs[key] = (*cidrs.get(key, ()), cidr)
            else:
                lacking = lacking or (key, size)
    return Placement(cidrs, lacking)


def left_occupied(
    comparison: Comparison, occupied: Occupied, kept_anyway: Collection[str] = ()
) -> dict[str, list[IPv4Network]]:
    """Return what is still occupied when all that is not wanted is removed: pools, and of each pool the blocks that are
    no longer declared, if it is known that none of them is in use.

    kept_anyway   ids of pools that cannot be removed, and that keep such blocks
    """
    unwanted = {pool.pool_id for pool in comparison.unwanted if pool.pool_id not in kept_anyway}
    freed = {
        (pool.source_pool_id, block.cidr)
        for pool in comparison.pools
        for block in pool.held
        if pool.pool_id in unwanted or block.state == "pending-deprovision"
    }
    for key, pool in comparison.kept.items():
        surplus = {block.cidr for block in comparison.blocks[key].surplus}
        used = comparison.in_use.get(pool.pool_id)
        if pool.pool_id not in kept_anyway and used is not None and surplus.isdisjoint(used):
            freed |= {(pool.source_pool_id, cidr) for cidr in surplus}
    return {parent: [cidr for cidr in cidrs if (parent, cidr) not in freed] for parent, cidrs in occupied.items()}


def _place_beside(
    reserved: Collection[IPv4Network], room: list[IPv4Network], size: int, taken: list[IPv4Network], *, new: bool
) -> IPv4Network | None:
    """Return the lowest free place beside what is reserved. If there is none, a pool that has no CIDR yet gets one of
    which a part is reserved. A pool that has some is in use: a VPC could take reserved addresses before they are
    allocated."""
    beside = lowest_free_in(room, size, [*taken, *reserved])
    if beside or not new:
        return beside
    return lowest_free_in(room, size, [*taken, *(cidr for cidr in reserved if cidr.prefixlen <= size)])


def _known_room(comparison: Comparison, key: PoolKey, occupied: Occupied) -> list[IPv4Network]:
    pool = comparison.kept.get(key)
    is_known = pool and (pool.pool_id in occupied or not pool.provisioned)  # nothing is taken of what is still coming
    return comparison.room(key) if is_known else []


def _missing_below(comparison: Comparison, parent: PoolKey) -> list[tuple[int, PoolKey]]:
    """Return the missing blocks of the pools below: the largest first, and of one size in the order of the spec."""
    below = [key for key in comparison.spec.pools if key.parent == parent]
    missing = [
        (size, position)
        for position, key in enumerate(below)
        for size in comparison.blocks[key].missing
        if isinstance(size, int)
    ]
    return [(size, below[position]) for size, position in sorted(missing)]


def parents_of_new_cidrs(comparison: Comparison) -> list[str]:
    """Return the ids of the pools whose occupied space must be known: a CIDR is still to be chosen in them, or one that
    was requested may be coming that no list shows yet."""
    keys = {
        key.parent: None
        for key in comparison.spec.pools
        if key.parent and (comparison.blocks[key].missing or _may_be_coming(comparison.kept[key]))
    }
    return [comparison.kept[key].pool_id for key in keys if key in comparison.kept]


def _may_be_coming(pool: ExistingPool) -> bool:
    recorded = record.read(pool.tags)
    return recorded.everything or not all(pool.shows(cidr) for cidr in recorded.coming)
