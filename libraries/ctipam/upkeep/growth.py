"""Decides what becomes of a pool that fills up: what is noted, who is told what, and which block it gets.

A pool that is over the threshold carries a note in a tag, so that a function that forgets everything knows at the next
look that it was over before, and how many CIDRs it had:

    ctipam:growth = "since=1700000000 blocks=1 told=0"

At the second look it is due: it gets one more CIDR, or somebody is told what to change. When it has more CIDRs than
noted it has grown, by whomever, which is told too. So whatever a look began and did not end, the next one ends.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from ipaddress import IPv4Network

from ctipam import names
from ctipam.pools import record
from ctipam.pools.addresses import count_free, lowest_free_in
from ctipam.pools.existing import ExistingPool
from ctipam.pools.parameters import CIDRS_PER_POOL, PRIVATE_RANGES, joined

LOOKS_APART_S = 240
"""Two looks are at least so far apart. The schedule invokes the function every 300 seconds, sometimes twice at once."""

TELL_AGAIN_S = 24 * 3600

MOST_BLOCKS = 10
"""A pool with so many CIDRs does not grow by itself any more. AWS allows 50."""


@dataclass(frozen=True)
class Note:
    """since    when the pool was first seen over the threshold, or when it last grew, in seconds since 1970
    blocks   how many CIDRs it had then
    told     when somebody was last told that it is due; 0: never
    """

    since: int
    blocks: int
    told: int = 0

    @classmethod
    def read(cls, tags: Mapping[str, str]) -> Note | None:
        found = re.fullmatch(r"since=(\d+) blocks=(\d+) told=(\d+)", tags.get(names.GROWTH_TAG, ""), re.ASCII)
        return cls(*map(int, found.groups())) if found else None

    def __str__(self) -> str:
        return f"since={self.since} blocks={self.blocks} told={self.told}"


class Look(Enum):
    """What a look at a pool has found."""

    NOTHING = "nothing to do"
    OVER = "over the threshold, and not noted as it is"
    DUE = "still over the threshold"
    GROWN = "it has more CIDRs than before"
    OVER_NO_MORE = "no longer over the threshold"


def look(note: Note | None, *, over: bool, blocks: int, now: float) -> Look:
    """Return what is to be done about a pool.

    over     it is over the threshold
    blocks   how many CIDRs it has
    """
    if note is None or (over and blocks < note.blocks):
        return Look.OVER if over else Look.NOTHING
    if blocks > note.blocks:
        return Look.GROWN
    if not over:
        return Look.OVER_NO_MORE
    return Look.DUE if now - note.since >= LOOKS_APART_S else Look.NOTHING


def is_to_be_told(note: Note, now: float) -> bool:
    return not note.told or now - note.told >= TELL_AGAIN_S


@dataclass(frozen=True)
class Family:
    """A pool with its parents, each with its CIDRs, and what is occupied of the parents."""

    pool: ExistingPool
    region: ExistingPool
    top: ExistingPool
    occupied_in_region: Collection[IPv4Network]
    occupied_in_top: Collection[IPv4Network]

    @property
    def size(self) -> int:
        return own_size(self.pool)

    @property
    def region_size(self) -> int:
        """Of a further block of the Region's pool, in which one of this pool has room."""
        return min(own_size(self.region), self.size)

    @property
    def place(self) -> IPv4Network | None:
        """The lowest free place for one more block of the pool."""
        return lowest_free_in(provisioned(self.region), self.size, self.occupied_in_region)

    @property
    def place_for_region(self) -> IPv4Network | None:
        """The lowest free place for one more block of its Region's pool."""
        return lowest_free_in(provisioned(self.top), self.region_size, self.occupied_in_top)

    @property
    def room_in_region(self) -> int:
        """How many more blocks of the pool's size its Region's pool has room for."""
        return count_free(provisioned(self.region), self.size, self.occupied_in_region)

    @property
    def room_in_top(self) -> int:
        """How many more blocks of its Region's size the top-level pool has room for."""
        return count_free(provisioned(self.top), self.region_size, self.occupied_in_top)

    def of(self, pool: ExistingPool) -> Family:
        """Return the family of another pool of the same Region."""
        return replace(self, pool=pool)

    def with_growth(self, growth: Growth) -> Family:
        """Return the family after a growth, of itself or of another pool, has been requested."""
        if growth.pool.environment:
            return replace(self, occupied_in_region=[*self.occupied_in_region, growth.cidr])
        return replace(self, occupied_in_top=[*self.occupied_in_top, growth.cidr])


@dataclass(frozen=True)
class Growth:
    """One more CIDR for a pool."""

    pool: ExistingPool
    cidr: IPv4Network


@dataclass(frozen=True)
class NoGrowth:
    """why   as part of a sentence; empty: AWS is still busy with an earlier change"""

    why: str = ""


def next_growth(family: Family) -> Growth | NoGrowth:
    """Return the CIDR that the pool gets, or else its Region's pool."""
    pool, region = family.pool, family.region
    if any(one.pending or not one.ready for one in (pool, region, family.top)):
        return NoGrowth()
    if len(pool.held) >= MOST_BLOCKS:
        return NoGrowth(f"it has {len(pool.held)} blocks, and a pool grows by itself up to {MOST_BLOCKS}")
    if family.place:
        return Growth(pool, family.place)
    if len(region.held) >= MOST_BLOCKS:
        return NoGrowth(f"{region.key} has {len(region.held)} blocks, and a pool grows by itself up to {MOST_BLOCKS}")
    if family.place_for_region:
        return Growth(region, family.place_for_region)
    return NoGrowth(f"the top-level pool has no free /{family.region_size}")


def parameters_for_growth(family: Family, elsewhere: Collection[IPv4Network]) -> str:
    """Return the parameters that give the pool one more block: "PoolSizes us-east-1/Prod OU=21+21". Empty: there are
    none, because no private address space is left.

    elsewhere   CIDRs of other top-level pools of the scope
    """
    grown = [(family.region, family.region_size)] if not family.place else []
    grown.append((family.pool, family.size))
    sizes = [f"{pool.key}={joined([*(block.cidr.prefixlen for block in pool.held), size])}" for pool, size in grown]
    parts = [f"PoolSizes {','.join(sizes)}"]
    if not family.place and not family.place_for_region:
        own = [block.cidr for block in family.top.held]
        cidr = lowest_free_in(PRIVATE_RANGES, family.region_size, [*own, *family.occupied_in_top, *elsewhere])
        if cidr is None:
            return ""
        parts.append(f"TopLevelPoolCidr {','.join(map(str, [*own, cidr]))}")
    return " and ".join(parts)


def pool_at_the_limit(family: Family) -> ExistingPool | None:
    """Return the pool that would have to get a block and has as many as AWS allows; None: there is none."""
    needed = [family.pool]
    if not family.place:
        needed.append(family.region)
        needed += [family.top] if not family.place_for_region else []
    return next((pool for pool in needed if len(pool.held) >= CIDRS_PER_POOL), None)


def own_size(pool: ExistingPool) -> int:
    """Return the prefix length of its largest declared block, or of its largest block if no tag tells.

    What the record has and the pool does not is what AWS could not give, or somebody has taken away.
    """
    held = {block.cidr for block in pool.held}
    return min(cidr.prefixlen for cidr in held & record.read(pool.tags).declared or held)


def provisioned(pool: ExistingPool) -> list[IPv4Network]:
    return [block.cidr for block in pool.held if block.state == "provisioned"]
