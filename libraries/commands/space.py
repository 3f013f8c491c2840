"""The room that a plan leaves: for more Regions and environments, for growth, and for how long it lasts."""

from __future__ import annotations

from dataclasses import dataclass

from commands.simulation import Blocks
from ctipam.pools.addresses import count_free
from ctipam.pools.spec import TOP_LEVEL, PoolKey, PoolSpec


@dataclass(frozen=True)
class Space:
    """The pools of a spec, each with its blocks."""

    spec: PoolSpec
    blocks: Blocks

    @property
    def more_regions(self) -> int:
        """How many more blocks of a Region's default size fit in the top-level pool."""
        return self._free(TOP_LEVEL, self.spec.region_prefix_length)

    @property
    def more_environments(self) -> int:
        """How many more environments of the default size fit in every Region."""
        size = self.spec.environment_prefix_length
        return min(self._free(PoolKey(region), size) for region in self.spec.regions)

    def room_in(self, region: str) -> dict[int, int]:
        """Return how many more blocks fit in a Region's pool, by the prefix lengths of its environments' pools."""
        sizes = {size for key in self._environments if key.region == region for size in self.spec.sizes(key)}
        return {size: self._free(PoolKey(region), size) for size in sorted(sizes)}

    def months(self, vpcs_a_month: int) -> tuple[float, float]:
        """Return after how many months the first environment pool is full, and all room that pools can grow into.

        vpcs_a_month   new VPCs of the default size, spread evenly over all environment pools
        """
        rate = vpcs_a_month / len(self._environments)
        first = min(self._vpcs(key) for key in self._environments) / rate
        default = min(self.spec.default_vpc(key) for key in self._environments)
        in_regions = sum(self._free(PoolKey(region), default) for region in self.spec.regions)
        in_top = self.more_regions * 2 ** max(default - self.spec.region_prefix_length, 0)
        return first, (sum(map(self._vpcs, self._environments)) + in_regions + in_top) / vpcs_a_month

    @property
    def _environments(self) -> list[PoolKey]:
        return [key for key in self.spec.pools if key.environment]

    def _vpcs(self, key: PoolKey) -> int:
        return count_free(self.blocks[key], self.spec.default_vpc(key), [])

    def _free(self, parent: PoolKey, size: int) -> int:
        taken = [block for key, blocks in self.blocks.items() if key.parent == parent for block in blocks]
        return count_free(self.blocks[parent], size, taken)
