"""Custom::InitPools: the top-level pool, a pool in it for each Region, and one in that for each environment.

    landing-zone  192.168.0.0/16
    ├─ us-west-2  192.168.0.0/20         locale us-west-2
    │  ├─ Prod OU 192.168.0.0/21         VPCs must carry Env=Prod OU
    │  └─ SDLC OU 192.168.8.0/21
    └─ us-east-1  192.168.16.0/20  ...

`changes` decides what is to be done, and `concurrency` how much at a time; `reader` reads, `feasibility` refuses what
cannot be done, and `apply` changes. Here they are put together: read, refuse, then change and read again until nothing
is left to change. AWS completes each change in its own time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ctipam import waiting
from ctipam.cloudformation import other_stacks
from ctipam.cloudformation.deletion import report_kept
from ctipam.cloudformation.request import ResourceRequest
from ctipam.ipam import listing
from ctipam.pools import changes, feasibility, preconditions, reserving
from ctipam.pools.change_kinds import PendingChanges
from ctipam.pools.deletion import PoolDeletion
from ctipam.pools.existing import Allocation, ExistingPool
from ctipam.pools.matching import InUse, compare, kept_pools
from ctipam.pools.placement import Occupied
from ctipam.pools.reader import CONCURRENT_READS, PoolReader
from ctipam.pools.recognition import has_lost_stack_tag, recognized, refuse_without_stack_tag
from ctipam.pools.rounds import Allocated, Rounds, with_ancestors, with_coming
from ctipam.pools.spec import PoolKey, PoolSpec

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import IpamPoolTypeDef


def ensure(request: ResourceRequest, scope_id: str, spec: PoolSpec) -> dict[PoolKey, ExistingPool]:
    """Make the stack's pools be exactly the spec's; return them. A rollback that cannot leaves them as they are, and
    returns those of the spec that exist.

    Raises Refused before anything is changed, AwsFailed with AWS's reason, OutOfTime when work is left, Superseded.
    """
    with _reading(request, scope_id, spec) as (pool_reader, listed, found):
        if _is_done(request, pool_reader, spec, listed, found):
            return kept_pools(spec, found)
        pools, kept = PoolReconciliation(request, pool_reader, spec).run(listed, found)
    if kept:
        report_kept(request, kept)
    return pools


def existing_pools(request: ResourceRequest, scope_id: str, spec: PoolSpec) -> dict[PoolKey, ExistingPool]:
    """Return those of the stack's pools that exist, in whatever state. Changes nothing."""
    with _reading(request, scope_id, spec) as (_, _, found):
        return kept_pools(spec, found)


def check(request: ResourceRequest, scope_id: str, spec: PoolSpec) -> None:
    """Raise Refused if the stack cannot have these pools. Called before the IPAM is changed for them.

    scope_id   empty: there is no IPAM yet
    """
    with _reading(request, scope_id, spec) as (pool_reader, listed, found):
        if not _is_done(request, pool_reader, spec, listed, found):
            allocated: Allocated = {}
            pools = with_coming(pool_reader, spec, found, allocated)
            feasibility.refuse_impossible_request(request, pool_reader, spec, pools, listed, allocated)


@dataclass(frozen=True)
class Situation:
    """What a request finds before it changes anything, with the CIDRs that AWS lists now.

    built        everything is as wanted, so the request changes nothing
    allocated    what others have allocated, by pool id, of each pool in which a CIDR may have to be chosen
    in_use       the CIDRs in use of pools that have surplus blocks, by pool id
    stays        what keeps what is not wanted, in words, by pool id: use that an earlier update has left, and AWS
    reservable   what is allocated, by pool id, of each pool in which something is, or should be, reserved
    """

    pools: Sequence[ExistingPool]
    built: bool
    allocated: Allocated
    in_use: InUse
    stays: Mapping[str, Sequence[str]]
    reservable: Mapping[str, Sequence[Allocation]]


def look(request: ResourceRequest, scope_id: str, spec: PoolSpec) -> Situation:
    """Read what `ensure` would decide from; called by `commands`. Changes nothing. Raises Refused as `ensure` does."""
    with _reading(request, scope_id, spec) as (pool_reader, listed, found):
        built = _is_done(request, pool_reader, spec, listed, found)
        allocated: Allocated = {}
        pools = with_coming(pool_reader, spec, found, allocated)
        in_use: InUse = {}
        stays: Mapping[str, Sequence[str]] = {}
        if not built:
            blockers, _ = feasibility.refuse_impossible_request(request, pool_reader, spec, pools, listed, allocated)
            in_use, stays = blockers.surplus.in_use, blockers.by_pool()
        reservable = reserving.read_concerned(request.account, pool_reader.executor, spec, compare(spec, pools).kept)
        return Situation(pools, built, allocated, in_use, stays, reservable)


def delete(request: ResourceRequest) -> list[str]:
    """Delete the stack's pools, leaves first; return what keeps the others, a sentence for each pool.

    Waits for CIDRs whose VPC may be gone. Raises OutOfTime when work is left.
    """
    with ThreadPoolExecutor(CONCURRENT_READS) as executor:
        listed = listing.list_pools(request.account)
        ours = frozenset({request.stack_id})
        scopes = {listing.scope_of(pool) for pool in listed if listing.stack_of(pool) == request.stack_id}
        return PoolDeletion(request, PoolReader(request.account, ours, min(scopes, default=""), executor)).run(listed)


@contextmanager
def _reading(
    request: ResourceRequest, scope_id: str, spec: PoolSpec
) -> Iterator[tuple[PoolReader, list[IpamPoolTypeDef], list[ExistingPool]]]:
    """Read the pools as they are, those of stacks that can no longer act as ours. Give them, all pools as AWS lists
    them, and the reader for what else is to be read. Raises Refused if another stack can still act."""
    with ThreadPoolExecutor(CONCURRENT_READS) as executor:
        listed = listing.list_pools(request.account)
        others = sorted({listing.stack_of(pool) for pool in listed} - {request.stack_id, ""})
        living = other_stacks.living(request.account, others)
        preconditions.refuse_second_deployment(living, preconditions.deployment_of(request.stack_id))
        pool_reader = PoolReader(request.account, frozenset({request.stack_id, *others}), scope_id, executor)
        pools = pool_reader.read_pools(listed, known={})
        is_first = request.kind == "Create" and not any(pool.key for pool in pools)
        yield pool_reader, listed, recognized(spec, pools, ours_only=is_first)  # of a first deployment, none lost a tag


def _is_done(
    request: ResourceRequest,
    pool_reader: PoolReader,
    spec: PoolSpec,
    listed: Sequence[IpamPoolTypeDef],
    pools: Sequence[ExistingPool],
) -> bool:
    """Return whether the request has nothing to change: the pools are as wanted, in the scope that is asked for, or it
    is a rollback, and a pool has lost the tag by which it may be changed. Raise Refused for that in other requests."""
    if not request.is_rollback:
        refuse_without_stack_tag(pools)
    elsewhere = any(listing.scope_of(pool) != pool_reader.scope_id for pool in listed if pool_reader.is_ours(pool))
    return any(map(has_lost_stack_tag, pools)) or (not elsewhere and changes.is_built(spec, pools))


class PoolReconciliation(Rounds):
    """Brings the pools to the spec. A pool that cannot be removed is kept; everything else is done."""

    _spec: PoolSpec

    def run(
        self, listed: Sequence[IpamPoolTypeDef], found: list[ExistingPool]
    ) -> tuple[dict[PoolKey, ExistingPool], list[str]]:
        """Return the pools, and a sentence for each pool that is not wanted and could not be removed.

        found   the pools as they are
        """
        pools: Sequence[ExistingPool] = with_coming(self._reader, self._spec, self._seen(found), self._allocated)
        blockers, can_be_built = feasibility.refuse_impossible_request(
            self._request, self._reader, self._spec, pools, listed, self._allocated
        )
        if not can_be_built:
            return kept_pools(self._spec, pools), []
        not_removed, in_use = blockers.by_pool(), blockers.surplus.in_use

        def left_to_do(pools: Sequence[ExistingPool], occupied: Occupied) -> PendingChanges:
            not_removed.update(self._failures.failed_removals(pools, waiting.now(), self._in_flight.pool_ids))
            kept_anyway = with_ancestors(not_removed, pools)
            return changes.pending_changes(self._spec, pools, occupied, kept_anyway, in_use)

        pools = self._change_until_done(self._spec, pools, left_to_do)
        built = kept_pools(self._spec, pools)
        reserving.reserve(
            self._request, self._reader.executor, self._spec, built, leaves_impossible=self._leaves_impossible
        )
        return built, [sentence for of_pool in not_removed.values() for sentence in of_pool]
