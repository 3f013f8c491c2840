"""Whether there is room for everything that is wanted, and if not, which parameters make room."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from ipaddress import IPv4Network

from ctipam.errors import Refused, fit
from ctipam.pools.addresses import lowest_free_in
from ctipam.pools.existing import ExistingPool
from ctipam.pools.matching import Comparison, InUse, compare
from ctipam.pools.parameters import PRIVATE_RANGES
from ctipam.pools.placement import Occupied, left_occupied, place
from ctipam.pools.spec import TOP_LEVEL, PoolKey, PoolSpec

ROOM_FOR_SIZES = 120
"""Characters of a message for the value of PoolSizes."""

MOST_TRIES = 200

Lacking = tuple[PoolKey, int]
"""The first block that finds no room: its pool and its prefix length."""


def lacking_room(
    spec: PoolSpec, pools: Sequence[ExistingPool], occupied: Occupied, in_use: InUse | None = None
) -> Lacking | None:
    """Return the first block that finds no room, None if there is room for all. A pool that will be removed counts as
    free, and a block that is being given back, or that is no longer declared and not in use.

    in_use   of pools that have blocks that are no longer declared. Others keep theirs
    """
    comparison = compare(spec, pools, in_use)
    return place(comparison, left_occupied(comparison, occupied)).lacking


def refuse_without_room(
    spec: PoolSpec,
    pools: Sequence[ExistingPool],
    occupied: Occupied,
    elsewhere: Collection[IPv4Network] = (),
    in_use: InUse | None = None,
) -> None:
    """Raise Refused if a block finds no room, with parameters that make room.

    occupied    of each pool from which a block is missing, and of the top-level pool
    elsewhere   CIDRs of other top-level pools of the scope
    in_use      as for lacking_room
    """
    lacking = lacking_room(spec, pools, occupied, in_use)
    if lacking is None:
        return
    key, size = lacking
    parent, comparison = key.parent or TOP_LEVEL, compare(spec, pools, in_use)
    room = _described_room(comparison, parent)
    where = f"{parent} ({', '.join(room)})" if room else f"the new pool of {parent}"
    larger = with_more_room(spec, pools, occupied, elsewhere, in_use)
    ways = [_difference(spec, larger)] if larger else []
    if not comparison.kept:  # of pools that exist, the sizes cannot change as easily
        ways += _longer_default(spec, pools, occupied, key)
    ways = ways or _fewer_blocks(spec, pools, occupied, in_use)
    cause = f"{where} has no free /{size} left{' beside ReservedCidrs' if spec.reserved else ''}"
    level = "environment" if key.environment else "Region"
    exists = key in comparison.kept  # then it may have VPCs, and needs another block only
    if ways:
        way_out = f"Give {', or '.join(ways)}{'' if exists else f'; or remove this {level}'}."
    else:
        last = "Undo the change that needs it" if exists else f"Remove this {level}"
        way_out = f"{last}: no parameter makes room for it."
    raise Refused(fit(f"No room for {key}: ", cause, way_out))


def _described_room(comparison: Comparison, parent: PoolKey) -> list[str]:
    """Return the CIDRs of the parent, those that AWS has failed to take back with their state."""
    held = comparison.kept[parent].held if parent in comparison.kept else ()
    room = [str(cidr) for cidr in comparison.room(parent)]
    room += [f"{block.cidr} {block.state}" for block in held if block.not_taken_back]
    return room or [str(cidr) for cidr in comparison.spec.top_cidrs if parent == TOP_LEVEL]


def _longer_default(spec: PoolSpec, pools: Sequence[ExistingPool], occupied: Occupied, key: PoolKey) -> list[str]:
    """Return the parameter of the level of the pool, if one of its values makes room for everything."""
    if key.environment:
        lengths = range(spec.environment_prefix_length + 1, spec.vpc_sizes.maximum + 1)
        longer = [replace(spec, environment_prefix_length=length) for length in lengths]
    else:
        lengths = range(spec.region_prefix_length + 1, spec.environment_prefix_length)
        longer = [replace(spec, region_prefix_length=length) for length in lengths]
    found = any(lacking_room(one, pools, occupied) is None for one in longer)
    name = "AccPoolPrefixLength" if key.environment else "IpamPoolPrefixLength"
    return [f"a longer {name}"] if found else []


def _fewer_blocks(spec: PoolSpec, pools: Sequence[ExistingPool], occupied: Occupied, in_use: InUse | None) -> list[str]:
    """Return PoolSizes without the blocks that find no room, or with a smaller one where a pool has no other; nothing
    if that makes no room."""
    fewer = spec
    for _ in range(MOST_TRIES):
        lacking = lacking_room(fewer, pools, occupied, in_use)
        if lacking is None:
            return [_difference(spec, fewer)]
        key, size = lacking
        sizes = list(fewer.sizes(key))
        sizes.remove(size)
        if not sizes and size < fewer.vpc_sizes.maximum:
            sizes = [size + 1]
        if not sizes:
            return []
        fewer = replace(fewer, pool_sizes={**fewer.pool_sizes, key: tuple(sizes)})
    return []


def with_more_room(
    spec: PoolSpec,
    pools: Sequence[ExistingPool],
    occupied: Occupied,
    elsewhere: Collection[IPv4Network] = (),
    in_use: InUse | None = None,
) -> PoolSpec | None:
    """Return the spec with larger Regions and another top-level CIDR, as far as needed for everything to find room;
    None if that was not found. For the parameters, see refuse_without_room."""
    larger, known = spec, dict(occupied)
    for _ in range(2 * len(spec.pools)):
        lacking = lacking_room(larger, pools, known, in_use)
        if lacking is None:
            return larger
        key, size = lacking
        comparison = compare(larger, pools, in_use)
        if not key.environment:
            cidr = another_cidr(larger, comparison, elsewhere, size)
            if cidr is None:
                return None
            larger = replace(larger, top_cidrs=(*larger.top_cidrs, cidr))
        else:
            region = PoolKey(key.region)
            wanted = (*sizes_held(comparison, region), min(spec.region_prefix_length, size))
            larger = replace(larger, pool_sizes={**larger.pool_sizes, region: tuple(sorted(wanted))})
    return None


def sizes_held(comparison: Comparison, key: PoolKey) -> list[int]:
    """Return the prefix lengths of all blocks that the pool has and should have, whoever gave them."""
    blocks = comparison.blocks[key]
    held = comparison.kept[key].held if key in comparison.kept else ()
    missing = [size for size in blocks.missing if isinstance(size, int)]
    return sorted([*(block.cidr.prefixlen for block in held if block not in blocks.surplus), *missing])


def another_cidr(
    spec: PoolSpec, comparison: Comparison, elsewhere: Collection[IPv4Network], size: int
) -> IPv4Network | None:
    """Return private space to add to the top-level pool, as large as its largest CIDR if there is so much: the lowest
    that no top-level pool has. Whether a network outside of IPAM uses it is not known."""
    own = comparison.kept[TOP_LEVEL].held if TOP_LEVEL in comparison.kept else ()
    taken = [*spec.top_cidrs, *spec.reserved, *(block.cidr for block in own), *elsewhere]
    largest = min(spec.sizes(TOP_LEVEL)[0], size)
    found = (lowest_free_in(PRIVATE_RANGES, length, taken) for length in range(largest, size + 1))
    return next((cidr for cidr in found if cidr), None)


def _difference(spec: PoolSpec, larger: PoolSpec) -> str:
    """Return the parameters that differ, with their whole values as far as there is room for them."""
    parts = []
    if larger.pool_sizes != spec.pool_sizes:
        parts.append(f"PoolSizes {_shortened(larger.written_sizes(), set(spec.written_sizes()))}")
    if larger.top_cidrs != spec.top_cidrs:
        parts.append(f"TopLevelPoolCidr {','.join(map(str, larger.top_cidrs))}")
    return " and ".join(parts)


def _shortened(entries: Sequence[str], given: Collection[str]) -> str:
    value = ",".join(entries)
    if len(value) <= ROOM_FOR_SIZES:
        return value
    new = [entry for entry in entries if entry not in given]
    return f"{new[0]},..., beside what it has"
