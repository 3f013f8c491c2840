"""What is in use of blocks that are no longer declared, and how to keep it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network

from ctipam.errors import Refused, fit
from ctipam.pools.existing import Allocation, ExistingPool
from ctipam.pools.matching import Comparison, MatchedBlocks, match_blocks
from ctipam.pools.parameters import joined
from ctipam.pools.spec import TOP_LEVEL, PoolKey

ROOM_FOR_VALUES = 80
"""Characters of a message for the value of a parameter that keeps what is in use in all pools."""


@dataclass(frozen=True)
class BlockInUse:
    """A block that is no longer declared and from which something is allocated.

    sentences   what is allocated, one each
    keep        what keeps it, and adds what is wanted besides: the value of TopLevelPoolCidr, or an entry of PoolSizes,
                "us-east-1=20+21"
    """

    pool_id: str
    key: PoolKey
    sentences: tuple[str, ...]
    keep: str


@dataclass(frozen=True)
class SurplusInUse:
    """What is in use of the pools that have blocks that are no longer declared.

    blocks   those blocks, those of parents first
    sizes    the other entries of PoolSizes
    in_use   all CIDRs of these pools that are in use, by pool id
    """

    blocks: tuple[BlockInUse, ...] = ()
    sizes: tuple[str, ...] = ()
    in_use: Mapping[str, Collection[IPv4Network]] = field(default_factory=dict)

    def by_pool(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for block in self.blocks:
            found.setdefault(block.pool_id, []).extend(block.sentences)
        return found


def surplus_in_use(comparison: Comparison, held: Mapping[str, Collection[Allocation]]) -> SurplusInUse:
    """Return what keeps the blocks that are no longer declared: everything that is allocated from them but what goes
    with them. Of several blocks that fit, those that are in use are kept.

    held   what is allocated from each pool that has such blocks, by its id
    """
    going: set[tuple[str, IPv4Network]] = set()  # ids of pools below, and their CIDRs
    in_use: dict[str, Collection[IPv4Network]] = {}
    found: list[BlockInUse] = []
    for key in reversed(comparison.spec.pools):
        pool = comparison.kept.get(key)
        if pool is None:
            continue
        going |= {(pool.pool_id, block.cidr) for block in pool.held if block.state == "pending-deprovision"}
        if pool.pool_id not in held:
            continue
        staying = _staying(comparison, held[pool.pool_id], going)
        used = {block.cidr for block in pool.held if any(one.cidr.overlaps(block.cidr) for one in staying)}
        blocks = match_blocks(comparison.spec.wanted(key), pool, used)
        if not blocks.missing:  # a pool that shrinks is in no block's way; one that would move is
            going |= {(pool.pool_id, block.cidr) for block in blocks.surplus}
        in_use[pool.pool_id] = used
        found = [*_blocked(comparison, key, blocks, staying), *found]
    names = {str(block.key) for block in found}
    others = [entry for entry in comparison.spec.written_sizes() if entry.rpartition("=")[0] not in names]
    return SurplusInUse(tuple(found), tuple(others), in_use)


def _staying(
    comparison: Comparison, allocations: Collection[Allocation], going: Collection[tuple[str, IPv4Network]]
) -> list[Allocation]:
    """Return the allocations that do not go with the block."""
    existing = {pool.pool_id for pool in comparison.pools} - {pool.pool_id for pool in comparison.unwanted}
    return [
        one
        for one in sorted(allocations, key=lambda one: one.cidr)
        if not one.is_reservation
        and (one.resource_id, one.cidr) not in going
        and (one.resource_type != "ipam-pool" or one.resource_id in existing)
    ]


def _blocked(
    comparison: Comparison, key: PoolKey, blocks: MatchedBlocks, staying: Sequence[Allocation]
) -> Iterator[BlockInUse]:
    used = [block for block in blocks.surplus if any(one.cidr.overlaps(block.cidr) for one in staying)]
    for block in used:
        sentences = tuple(
            f"{block.cidr} of {key} holds {_named(one, comparison.pools)}"
            for one in staying
            if one.cidr.overlaps(block.cidr)
        )
        keep = _kept_by(key, blocks, [one.cidr for one in used])
        yield BlockInUse(comparison.kept[key].pool_id, key, sentences, keep)


def _named(allocation: Allocation, pools: Sequence[ExistingPool]) -> str:
    key = next((pool.key for pool in pools if pool.pool_id == allocation.resource_id), None)
    return f"{key.phrase} ({allocation.cidr})" if key else str(allocation)


def _kept_by(key: PoolKey, blocks: MatchedBlocks, used: Collection[IPv4Network]) -> str:
    """Return with which value of a parameter the blocks that are in use stay, and larger ones are added."""
    cidrs = [*(block.cidr for block in blocks.kept), *used]
    if key == TOP_LEVEL:
        missing = [want for want in blocks.missing if isinstance(want, IPv4Network)]
        apart = [cidr for cidr in missing if not any(cidr.overlaps(other) for other in cidrs)]
        return ",".join(map(str, [*sorted(cidrs), *apart]))
    lengths = [cidr.prefixlen for cidr in cidrs]
    larger = [size for size in blocks.missing if isinstance(size, int) and size < min(lengths)]
    return f"{key}={joined([*lengths, *larger])}"


def refuse_surplus_in_use(surplus: SurplusInUse) -> None:
    """Raise Refused that names what is in use of the first block, and how to keep all of them."""
    if not surplus.blocks:
        return
    first = surplus.blocks[0]
    more = f"; and {len(first.sentences) - 1} more, see make report" if first.sentences[1:] else ""
    of_top = first.key == TOP_LEVEL
    values = list(dict.fromkeys(block.keep for block in surplus.blocks if (block.key == TOP_LEVEL) == of_top))
    values += [] if of_top else surplus.sizes
    if len(",".join(values)) > ROOM_FOR_VALUES:
        values = [values[0], "..."]
    parameter = "TopLevelPoolCidr" if of_top else "PoolSizes"
    way_out = f"Delete that first, or keep the block: {parameter} {','.join(values)}."
    raise Refused(fit("In use, nothing was changed: ", first.sentences[0] + more, way_out))
