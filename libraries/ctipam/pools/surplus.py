"""What is in use of blocks that are declared no longer, and how to keep it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
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
class SurplusInUse:
    """What is allocated from blocks that are declared no longer.

    blockers   in words, for each such block: (pool id, key, CIDR) -> sentences
    in_use     all CIDRs that are in use of the pools that have such blocks, by pool id
    keep       what keeps them, and adds what is wanted besides, as a parameter has it: "us-east-1=20+21"
    """

    blockers: Mapping[tuple[str, PoolKey, IPv4Network], Sequence[str]] = field(default_factory=dict)
    in_use: Mapping[str, Collection[IPv4Network]] = field(default_factory=dict)
    keep: Mapping[PoolKey, str] = field(default_factory=dict)

    def by_pool(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for (pool_id, _, _), sentences in self.blockers.items():
            found.setdefault(pool_id, []).extend(sentences)
        return found


def surplus_in_use(comparison: Comparison, held: Mapping[str, Collection[Allocation]]) -> SurplusInUse:
    """Return what keeps the blocks that are declared no longer: everything that is allocated from them but what goes
    with them. Of several blocks that fit, those that are in use are kept.

    held   what is allocated from each pool that has such blocks, and from each unwanted pool, by its id
    """
    existing = {pool.pool_id for pool in comparison.pools}
    unwanted = {pool.pool_id for pool in comparison.unwanted}
    going: set[tuple[str, IPv4Network]] = set()
    blockers: dict[tuple[str, PoolKey, IPv4Network], list[str]] = {}
    in_use: dict[str, Collection[IPv4Network]] = {}
    keep: dict[PoolKey, str] = {}
    for key in reversed(
        comparison.spec.pools
    ):  # a pool below that shrinks is in no block's way; one that would move is
        pool = comparison.kept.get(key)
        if pool is None:
            continue
        going |= {(pool.pool_id, block.cidr) for block in pool.held if block.state == "pending-deprovision"}
        if pool.pool_id not in held:
            continue
        staying = [
            one
            for one in sorted(held[pool.pool_id], key=lambda one: one.cidr)
            if one.resource_id not in unwanted
            and not one.is_reservation
            and (one.resource_id, one.cidr) not in going
            and (one.resource_type != "ipam-pool" or one.resource_id in existing)
        ]
        used = {block.cidr for block in pool.held if any(one.cidr.overlaps(block.cidr) for one in staying)}
        blocks = match_blocks(comparison.spec.wanted(key), pool, used)
        if not blocks.missing:
            going |= {(pool.pool_id, block.cidr) for block in blocks.surplus}
        in_use[pool.pool_id] = used
        for block in blocks.surplus:
            of_block = [one for one in staying if one.cidr.overlaps(block.cidr)]
            if of_block:
                blockers[pool.pool_id, key, block.cidr] = [
                    f"{block.cidr} of {key} holds {_named(one, comparison.pools)}" for one in of_block
                ]
                keep[key] = _kept_by(key, blocks, used)
    largest_first = {at: blockers[at] for key in comparison.spec.pools for at in blockers if at[1] == key}
    return SurplusInUse(largest_first, in_use, {at[1]: keep[at[1]] for at in largest_first})


def _named(allocation: Allocation, pools: Sequence[ExistingPool]) -> str:
    key = next((pool.key for pool in pools if pool.pool_id == allocation.resource_id), None)
    return f"{key.phrase} ({allocation.cidr})" if key else str(allocation)


def _kept_by(key: PoolKey, blocks: MatchedBlocks, used: Collection[IPv4Network]) -> str:
    """Return with which value of a parameter the blocks that are in use stay, and larger ones are added."""
    cidrs = [block.cidr for block in (*blocks.kept, *(block for block in blocks.surplus if block.cidr in used))]
    if key == TOP_LEVEL:
        missing = [want for want in blocks.missing if isinstance(want, IPv4Network)]
        apart = [cidr for cidr in missing if not any(cidr.overlaps(other) for other in cidrs)]
        return ",".join(map(str, [*sorted(cidrs), *apart]))
    lengths = [cidr.prefixlen for cidr in cidrs]
    larger = [size for size in blocks.missing if isinstance(size, int) and size < min(lengths)]
    return f"{key}={joined([*lengths, *larger])}"


def refuse_surplus_in_use(surplus: SurplusInUse) -> None:
    """Raise Refused that names what is in use, and how to keep it."""
    for (_, key, _), sentences in surplus.blockers.items():
        more = f"; and {len(sentences) - 1} more, see the log" if sentences[1:] else ""
        values = [value for of_key, value in surplus.keep.items() if (of_key == TOP_LEVEL) == (key == TOP_LEVEL)]
        if len(",".join(values)) > ROOM_FOR_VALUES:
            values = [values[0], "..."]
        keep = f"{'TopLevelPoolCidr' if key == TOP_LEVEL else 'PoolSizes'} {','.join(values)}"
        raise Refused(
            fit("In use, nothing was changed: ", sentences[0] + more, f"Delete that first, or keep it: {keep}.")
        )
