"""Refuse a request that cannot be carried out, before anything is changed.

This module reads what is in use and what is occupied; from that, `preconditions`, `surplus` and `room` decide.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ctipam.cloudformation.request import ResourceRequest
from ctipam.errors import Refused
from ctipam.ipam import listing
from ctipam.logs import log_decision, log_sentences
from ctipam.pools import preconditions, reserving, room, surplus
from ctipam.pools.existing import ExistingPool
from ctipam.pools.matching import InUse, compare
from ctipam.pools.placement import parents_of_new_cidrs
from ctipam.pools.reader import PoolReader
from ctipam.pools.recognition import has_lost_environment, recognized
from ctipam.pools.rounds import Allocated, with_ancestors
from ctipam.pools.spec import TOP_LEVEL, PoolSpec

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import IpamPoolTypeDef


def refuse_impossible_request(
    request: ResourceRequest,
    pool_reader: PoolReader,
    spec: PoolSpec,
    pools: Sequence[ExistingPool],
    listed: Sequence[IpamPoolTypeDef],
    allocated: Allocated,
) -> tuple[Blockers, bool]:
    """Return what keeps what is not wanted, and whether what is missing can be added. Raise Refused for what is in use,
    and if it cannot be added. A rollback has to end, so it is refused nothing: the watch reports what is missing."""
    blockers = _refuse_in_use(request, pool_reader, spec, pools)
    stays, in_use = with_ancestors(blockers.by_pool(), pools), blockers.surplus.in_use
    staying = _as_others(spec, pools, stays)
    giving_back = {pool_id: cidrs for pool_id, cidrs in in_use.items() if pool_id not in stays}
    try:
        preconditions.refuse_isolated(compare(spec, staying))
        refuse_impossible(pool_reader, spec, staying, listed, allocated, giving_back)
    except Refused as reason:
        if not request.is_rollback:
            raise
        log_decision("the rollback leaves the pools as they are", reason=str(reason))
        return blockers, False
    return blockers, True


def refuse_impossible(
    pool_reader: PoolReader,
    spec: PoolSpec,
    pools: Sequence[ExistingPool],
    listed: Sequence[IpamPoolTypeDef],
    allocated: Allocated,
    in_use: InUse | None = None,
) -> None:
    """Raise Refused if what is missing cannot be added.

    in_use   of pools that have blocks that are no longer declared; None: they keep them
    """
    scopes = {pool["IpamPoolId"]: listing.scope_of(pool) for pool in listed}
    others = pool_reader.read_top_level_blocks(pools)
    comparison = compare(spec, pools)
    preconditions.refuse_moves(spec, pool_reader.scope_id, pools, scopes)
    preconditions.refuse_overlap(comparison, others)
    preconditions.refuse_over_quotas(comparison, [*scopes.values()].count(pool_reader.scope_id))
    occupied, pools = pool_reader.read_occupied(pools, parents_of_new_cidrs(comparison), allocated)
    if room.lacking_room(spec, pools, occupied, in_use):
        if top := comparison.kept.get(TOP_LEVEL):  # what is free in it tells the way out
            occupied, pools = pool_reader.read_occupied(pools, {*occupied, top.pool_id}, allocated)
        taken = [block.cidr for blocks in others.values() for block in blocks if block.held]
        room.refuse_without_room(spec, pools, occupied, taken, in_use)


@dataclass(frozen=True)
class Blockers:
    """What keeps what is not wanted.

    of_pools   what is in use of pools, in words, by the pool's id
    surplus    what is in use of blocks of wanted pools that are no longer declared
    isolated   pools that AWS has isolated, in words, by the pool's id: no reason to refuse anything
    """

    of_pools: Mapping[str, Sequence[str]]
    surplus: surplus.SurplusInUse
    isolated: Mapping[str, Sequence[str]]

    def refuse(self, left: set[str]) -> None:
        """Raise Refused if something is in use besides what an earlier update has left, in the same words."""
        in_use = (sentence for sentence in self.sentences if sentence not in left)
        log_sentences("in use, so nothing is changed", "blockers", in_use)
        of_pools = [sentence for sentences in self.of_pools.values() for sentence in sentences]
        preconditions.refuse_deletion([sentence for sentence in of_pools if sentence not in left])
        blocks = tuple(block for block in self.surplus.blocks if not left.issuperset(block.sentences))
        surplus.refuse_surplus_in_use(replace(self.surplus, blocks=blocks))

    @property
    def sentences(self) -> list[str]:
        """Return what is in use, in words."""
        in_use = {**self.of_pools, **self.surplus.by_pool()}
        return [sentence for sentences in in_use.values() for sentence in sentences]

    def by_pool(self) -> dict[str, list[str]]:
        everything = {**self.isolated, **self.of_pools, **self.surplus.by_pool()}
        return {pool_id: list(sentences) for pool_id, sentences in everything.items()}


def _blockers(pool_reader: PoolReader, spec: PoolSpec, pools: Sequence[ExistingPool]) -> Blockers:
    comparison = compare(spec, pools)
    with_surplus = [pool for key, pool in comparison.kept.items() if comparison.blocks[key].surplus]
    held = pool_reader.read_allocations([*comparison.unwanted, *with_surplus])
    return Blockers(
        preconditions.deletion_blockers(comparison.unwanted, pools, held),
        surplus.surplus_in_use(comparison, held),
        preconditions.isolated(comparison.unwanted),
    )


def _refuse_in_use(
    request: ResourceRequest, pool_reader: PoolReader, spec: PoolSpec, pools: Sequence[ExistingPool]
) -> Blockers:
    """Return what keeps what is not wanted: what is in use since an earlier update, or as a rollback finds it, and what
    AWS has isolated. Raise Refused for what else is in use."""
    blockers = _blockers(pool_reader, spec, pools)
    if not request.is_rollback:
        blockers.refuse(_left_before(request, pool_reader, pools) if blockers.sentences else set())
        reserving.refuse_collisions_in(request.account, pool_reader.executor, spec, compare(spec, pools).kept)
    return blockers


def _left_before(request: ResourceRequest, pool_reader: PoolReader, pools: Sequence[ExistingPool]) -> set[str]:
    """Return what is in use of what the stack did not want before this update either, in words: VPCs that came while an
    update removed their pool.

    A pool that has lost the tag of its environment is left out: another would be created beside it.
    """
    if not request.old_properties:
        return set()
    regions = request.account.known_regions()
    try:
        old = PoolSpec.from_properties(request.old_properties, regions, request.stack_id, {})
    except Refused:  # by this version of the code
        return set()
    known = [pool for pool in recognized(old, pools, ours_only=True) if not has_lost_environment(pool, pools)]
    return set(_blockers(pool_reader, old, known).sentences)


def _as_others(spec: PoolSpec, pools: Sequence[ExistingPool], stays: Collection[str]) -> list[ExistingPool]:
    """Return the pools; those that are not wanted and stay make no room, as if they were somebody else's.

    stays   ids of pools that cannot be removed, and of those above them
    """
    unwanted = {pool.pool_id for pool in compare(spec, pools).unwanted} & set(stays)
    return [replace(pool, key=None) if pool.pool_id in unwanted else pool for pool in pools]
