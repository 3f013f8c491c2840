"""Which pool stands for which key of the spec, and which of its CIDRs for which wanted block."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Network

from ctipam import names
from ctipam.pools import record
from ctipam.pools.existing import DELETE_FAILED, NOT_TAKEN_BACK, Block, ExistingPool
from ctipam.pools.spec import TOP_LEVEL, PoolKey, PoolSpec, Wanted

InUse = Mapping[str, Collection[IPv4Network]]
"""The CIDRs of a pool from which something is allocated, by the pool's id, as far as it matters."""


@dataclass(frozen=True)
class MatchedBlocks:
    """The CIDRs of a pool, compared with the wanted blocks.

    kept      those that stand for a wanted block
    missing   the wanted blocks for which there is none
    surplus   those that were given because they were declared, and are no longer declared
    """

    kept: tuple[Block, ...] = ()
    missing: tuple[Wanted, ...] = ()
    surplus: tuple[Block, ...] = ()


def match_blocks(wanted: Sequence[Wanted], pool: ExistingPool, in_use: Collection[IPv4Network]) -> MatchedBlocks:
    """Compare the CIDRs of a pool with the wanted blocks. A CIDR that is being given back stands for nothing.

    Of several that fit, one that was declared stands for the block, rather one that is in use, then the lowest. What
    was given by hand or by automatic growth, and stands for no block, is in none of the three lists.

    wanted   the largest block first
    """
    recorded = record.read(pool.tags)
    left = [block for block in pool.held if block.state != "pending-deprovision"]
    kept, missing = [], []

    def order(block: Block) -> tuple[bool, bool, bool]:  # of equals the first, and so the lowest, is best
        cidr = block.cidr
        return not recorded.has(cidr), cidr not in in_use, cidr in recorded.leaving

    for want in wanted:
        fitting = [block for block in left if want in (block.cidr, block.cidr.prefixlen)]
        if best := min(fitting, key=order, default=None):
            left.remove(best)
            kept.append(best)
        else:
            missing.append(want)
    return MatchedBlocks(tuple(kept), tuple(missing), tuple(block for block in left if recorded.has(block.cidr)))


@dataclass(frozen=True)
class Comparison:
    """The spec beside the pools that exist.

    pools    all pools of the scope, ours with their CIDRs
    in_use   of pools that have surplus blocks
    """

    spec: PoolSpec
    pools: Sequence[ExistingPool]
    in_use: InUse

    @cached_property
    def kept(self) -> dict[PoolKey, ExistingPool]:
        """The pool that stands for each wanted key."""
        return kept_pools(self.spec, self.pools)

    @cached_property
    def unwanted(self) -> list[ExistingPool]:
        """The pools of ours that are not wanted: removed Regions and environments, surplus and failed creations."""
        kept = {pool.pool_id for pool in self.kept.values()}
        return [pool for pool in self.pools if pool.key is not None and pool.pool_id not in kept]

    @cached_property
    def blocks(self) -> dict[PoolKey, MatchedBlocks]:
        """The CIDRs of each wanted pool, whether it exists or not."""
        return {key: self._match(key) for key in self.spec.pools}

    def _match(self, key: PoolKey) -> MatchedBlocks:
        wanted, pool = self.spec.wanted(key), self.kept.get(key)
        if pool is None:
            return MatchedBlocks(missing=wanted)
        return match_blocks(wanted, pool, self.in_use.get(pool.pool_id, ()))

    def room(self, key: PoolKey) -> list[IPv4Network]:
        """Return the CIDRs in which the pools below may get theirs: all that the pool holds or is being given, by
        whomever, but not those that will be given back, or that AWS has failed to take back."""
        if key not in self.kept:
            return []
        going = self.blocks[key].surplus
        return [
            block.cidr
            for block in self.kept[key].held
            if block.state not in ("pending-deprovision", NOT_TAKEN_BACK) and block not in going
        ]

    def is_complete(self, key: PoolKey) -> bool:
        """Return whether the pool has all its blocks, so that it is settled where the pools below get theirs."""
        pool = self.kept.get(key)
        return pool is not None and pool.ready and not self.blocks[key].missing and pool.pending is None


def compare(spec: PoolSpec, pools: Sequence[ExistingPool], in_use: InUse | None = None) -> Comparison:
    return Comparison(spec, pools, in_use or {})


def kept_pools(spec: PoolSpec, pools: Sequence[ExistingPool]) -> dict[PoolKey, ExistingPool]:
    """Return the pool that stands for each wanted key.

    Of two: the one that holds a CIDR, or at least has pools below it, then the one with the description of the key, as
    the tags of the other were changed by hand, then the one with the lower id; and only below the pool that stands for
    the parent. An empty top-level pool of other CIDRs stands for nothing, nor does a pool that AWS has emptied and
    could not delete: whether it takes anything again is not documented.
    """
    parents = {pool.source_pool_id for pool in pools}
    candidates: dict[PoolKey, list[ExistingPool]] = {}

    def order(pool: ExistingPool) -> tuple[bool, bool, bool, str]:
        return not pool.held, pool.pool_id not in parents, not _is_described(pool), pool.pool_id

    for pool in sorted(pools, key=order):
        is_left = pool.state == DELETE_FAILED and not pool.held and pool.pool_id not in parents
        if pool.key and not is_left and pool.state not in ("create-failed", "delete-in-progress"):
            candidates.setdefault(pool.key, []).append(pool)
    kept: dict[PoolKey, ExistingPool] = {}
    for key in spec.pools:
        parent = kept.get(key.parent) if key.parent else None
        for pool in candidates.get(key, ()):
            if key.parent and parent and pool.source_pool_id == parent.pool_id:
                kept.setdefault(key, pool)
            if key == TOP_LEVEL and (pool.pool_id in parents or _has_cidr_or_none(pool, spec.top_cidrs)):
                kept.setdefault(key, pool)
    return kept


def _is_described(pool: ExistingPool) -> bool:
    """Return whether the description of a pool is that of its key."""
    return pool.key is not None and pool.description == names.pool_description(pool.key.region, pool.key.environment)


def _has_cidr_or_none(pool: ExistingPool, cidrs: Collection[IPv4Network]) -> bool:
    return not pool.held or any(block.cidr in cidrs for block in pool.held)
