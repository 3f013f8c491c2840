"""The room that a plan leaves: for more Regions and environments, for growth, and for how long it lasts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network

from commands.plan.simulation import Blocks
from ctipam.pools.addresses import count_free, lowest_free_in
from ctipam.pools.parameters import CIDRS_PER_POOL
from ctipam.pools.spec import TOP_LEVEL, PoolKey, PoolSpec


@dataclass(frozen=True)
class Space:
    """The pools of a spec, each with its blocks."""

    spec: PoolSpec
    blocks: Blocks

    @property
    def more_regions(self) -> int:
        """How many more Regions of the default sizes fit in the top-level pool."""
        return self._places_of_new(TOP_LEVEL, self.spec.region_prefix_length) if self.region_holds_environments else 0

    @property
    def region_holds_environments(self) -> bool:
        """Whether a Region's pool of the default size has room for all environments of the default size."""
        spec = self.spec
        return len(spec.environments) <= 1 << (spec.environment_prefix_length - spec.region_prefix_length)

    @property
    def more_blocks_of_regions(self) -> int:
        """How many more blocks of a Region's default size fit in the top-level pool for the pools of this plan."""
        return self._free(TOP_LEVEL, self.spec.region_prefix_length)

    @property
    def more_environments(self) -> int:
        """How many more environments of the default size fit in every Region."""
        size = self.spec.environment_prefix_length
        return min(self._places_of_new(PoolKey(region), size) for region in self.spec.regions)

    def room_in(self, region: str) -> dict[int, int]:
        """Return how many more blocks fit in a Region's pool, by the prefix lengths of its environments' pools."""
        sizes = {size for key in self._environments if key.region == region for size in self.spec.sizes(key)}
        return {size: self._free(PoolKey(region), size) for size in sorted(sizes)}

    def months(self, vpcs_a_month: int) -> tuple[float, float]:
        """Return after how many months the first environment pool is full, and after how many months one is full that
        can grow no more.

        vpcs_a_month   new VPCs of the default size, spread evenly over all environment pools
        """
        rate = vpcs_a_month / len(self._environments)
        return min(map(self._vpcs, self._environments)) / rate, self._vpcs_when_growth_ends() / rate

    def _vpcs_when_growth_ends(self) -> int:
        """Return the room of the first pool that is full and cannot grow.

        The pool with the least room always grows next, by a block of its own size, after its Region's pool if that is
        full.
        """
        vpcs = {key: self._vpcs(key) for key in self._environments}
        blocks = {key: list(cidrs) for key, cidrs in self.blocks.items()}
        while True:
            key = min(vpcs, key=lambda one: vpcs[one])
            size, region = self.spec.sizes(key)[0], PoolKey(key.region)
            if _grow(blocks, key, size, self.spec.reserved):
                vpcs[key] += 2 ** (self.spec.default_vpc(key) - size)
            elif not _grow(blocks, region, min(self.spec.sizes(region)[0], size), self.spec.reserved):
                return vpcs[key]

    @property
    def _environments(self) -> list[PoolKey]:
        return [key for key in self.spec.pools if key.environment]

    def _vpcs(self, key: PoolKey) -> int:
        return count_free(self.blocks[key], self.spec.default_vpc(key), self.spec.reserved)

    def _free(self, parent: PoolKey, size: int) -> int:
        return count_free(self.blocks[parent], size, [*_taken(self.blocks, parent), *self.spec.reserved])

    def _places_of_new(self, parent: PoolKey, size: int) -> int:
        """Return how many new pools fit: of one that has no CIDR yet, a part may be reserved, see `placement`."""
        reserved = [cidr for cidr in self.spec.reserved if cidr.prefixlen <= size]
        return count_free(self.blocks[parent], size, [*_taken(self.blocks, parent), *reserved])


def _taken(blocks: Mapping[PoolKey, Iterable[IPv4Network]], parent: PoolKey) -> list[IPv4Network]:
    return [cidr for key, cidrs in blocks.items() if key.parent == parent for cidr in cidrs]


def _grow(blocks: dict[PoolKey, list[IPv4Network]], key: PoolKey, size: int, reserved: Iterable[IPv4Network]) -> bool:
    """Give the pool the lowest free block of its parent. Return False if there is none, or AWS allows no more."""
    parent = key.parent or TOP_LEVEL
    cidr = lowest_free_in(blocks[parent], size, [*_taken(blocks, parent), *reserved])
    if cidr is None or len(blocks[key]) >= CIDRS_PER_POOL:
        return False
    blocks[key].append(cidr)
    return True
