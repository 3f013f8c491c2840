"""What building and deleting have in common: read, apply what may be applied now, and wait.

AWS completes each change in its own time.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import partial
from ipaddress import IPv4Network
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from ctipam import waiting
from ctipam.cloudformation.request import ResourceRequest
from ctipam.errors import BUSY, RETRYABLE_POOL_ERRORS, TOO_MANY_TAGS, OutOfTime, code_of, explain
from ctipam.ipam import listing
from ctipam.logs import log_decision
from ctipam.phrases import some
from ctipam.pools import apply
from ctipam.pools.change_kinds import (
    CreatePool,
    DeprovisionCidr,
    PendingChanges,
    PoolChange,
    ProvisionCidr,
    TagPool,
    are_tags,
)
from ctipam.pools.concurrency import Concurrency, InFlight, busy_parents
from ctipam.pools.existing import Block, ExistingPool
from ctipam.pools.late_failures import LateFailures
from ctipam.pools.matching import compare
from ctipam.pools.placement import Occupied, parents_of_new_cidrs
from ctipam.pools.reader import PoolReader, read_blocks
from ctipam.pools.recognition import recognized
from ctipam.pools.spec import PoolSpec
from ctipam.pools.wanted import with_known_ous
from ctipam.waiting import Pace

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import IpamPoolTypeDef

ANOTHER_CHANGE = "ConcurrentMutationLimitExceeded"

Allocated = dict[str, Collection[IPv4Network]]
"""What others have allocated from a pool, by its id."""


class Rounds:
    _leaves_impossible = False
    """Whether tags, modifications and reservations that AWS refuses or fails are left, and nothing else. A rollback
    always does that: the stack would be left in UPDATE_ROLLBACK_FAILED."""

    def __init__(self, request: ResourceRequest, pool_reader: PoolReader, spec: PoolSpec | None) -> None:
        self._request = request
        self._reader = pool_reader
        self._spec = spec
        self._pace = Pace(request.deadline)
        self._concurrency = Concurrency()
        self._in_flight = InFlight()
        self._leaves_impossible = request.is_rollback or self._leaves_impossible
        self._failures = LateFailures(leaves_modifications=self._leaves_impossible)
        self._known: dict[str, tuple[Block, ...]] = {}
        self._fresh: dict[str, tuple[Block, ...]] = {}
        self._looked = waiting.now()
        self._allocated: Allocated = {}
        self._waited_for: tuple[str, ...] = ()
        self._refusal: ClientError | None = None  # AWS's, since it last accepted a change

    def _look(self) -> list[IpamPoolTypeDef]:
        """List the pools. Side by side, read the CIDRs of those that are being given or are giving back one, and
        whether the stack still waits for this request."""
        self._looked = waiting.now()
        self._fresh = self._in_flight.not_yet(self._looked)
        changing = sorted(self._in_flight.changing_cidrs - self._fresh.keys())
        blocks = [partial(self._read_blocks, pool_id) for pool_id in changing]
        list_pools = partial(listing.list_pools, self._request.account)
        acts: list[Callable[[], Any]] = [list_pools, *blocks, self._request.raise_if_superseded]
        results: list[Any] = list(self._reader.executor.map(lambda act: act(), acts))
        listed: list[IpamPoolTypeDef] = results[0]
        return listed

    def _read_blocks(self, pool_id: str) -> None:
        self._fresh[pool_id] = tuple(read_blocks(self._request.account, pool_id))

    def _read(self, listed: Sequence[IpamPoolTypeDef]) -> list[ExistingPool]:
        """Return the pools as they are now. Only those with a change in flight are asked for their CIDRs again."""
        known = self._known | self._fresh
        self._fresh = {}
        pools = self._reader.read_pools(listed, known)
        return self._seen(recognized(self._spec, pools, ours_only=True) if self._spec else pools)

    def _seen(self, pools: list[ExistingPool]) -> list[ExistingPool]:
        """Learn from the pools as they are now; return them."""
        self._in_flight.look(pools, self._looked)
        settled = [pool for pool in pools if pool.key and pool.ready and not pool.busy]
        self._known = {pool.pool_id: pool.blocks for pool in settled if pool.pool_id not in self._in_flight.pool_ids}
        self._known |= dict.fromkeys(self._in_flight.being_created, ())
        if self._failures.judge(pools, waiting.now(), self._in_flight.pool_ids):
            self._allocated.clear()
            self._known.clear()  # perhaps the pool above lost its CIDR
        return self._failures.marked(pools)

    def _change_until_done(
        self,
        spec: PoolSpec,
        pools: Sequence[ExistingPool],
        left_to_do: Callable[[Sequence[ExistingPool], Occupied], PendingChanges],
    ) -> Sequence[ExistingPool]:
        """Apply what may be applied now, wait and read again, until nothing is left; return the pools.

        left_to_do   returns it for the pools, and what is occupied of those in which a CIDR is to be chosen
        """
        self._spec = with_known_ous(spec, pools)
        while True:
            parents = parents_of_new_cidrs(compare(spec, pools))
            occupied, pools = self._reader.read_occupied(pools, parents, self._allocated)
            self._forget_coming(pools)
            pending = left_to_do(pools, occupied)
            accepted = self._apply(pending.changes, pools)
            if pending.nothing_but_tags and len(accepted) == len(pending.changes):
                return pools
            self._wait(pending, progress=bool(accepted))
            pools = self._read(self._look())

    def _forget_coming(self, pools: Sequence[ExistingPool]) -> None:
        """Read pools again for which the allocations of their parent show a CIDR that their own list does not show."""
        for pool in pools:
            if pool.pending:
                self._known.pop(pool.pool_id, None)

    def _apply(self, possible: Sequence[PoolChange], pools: Sequence[ExistingPool]) -> list[PoolChange]:
        """Attempt the changes that may run now; return those that AWS accepted."""
        busy = busy_parents(pools) | self._in_flight.parents
        free = [change for change in possible if not self._in_flight.touches(change) and not self._rests(change)]
        chosen = self._concurrency.choose(free, busy)
        if self._in_flight.pool_ids and are_tags(chosen) and not are_tags(possible):
            return []  # a tag can wait for the next change, whose turn would not be noticed meanwhile
        if chosen:
            self._request.raise_if_superseded()
        codes = list(self._reader.executor.map(self._attempt, chosen))
        accepted = [change for change, code in zip(chosen, codes, strict=True) if code is None]
        refused = [change for change, code in zip(chosen, codes, strict=True) if code == ANOTHER_CHANGE]
        self._concurrency.learn(accepted, refused, busy)
        if accepted:
            self._refusal = None
        return accepted

    def _rests(self, change: PoolChange) -> bool:
        return isinstance(change, ProvisionCidr | DeprovisionCidr) and self._failures.rests(
            change.pool.pool_id, waiting.now()
        )

    def _attempt(self, change: PoolChange) -> str | None:
        """Apply the change; return AWS's code if it has to wait."""
        if isinstance(change, ProvisionCidr | DeprovisionCidr):
            self._known.pop(change.pool.pool_id, None)
        try:
            pool_id = apply.apply(self._request, self._reader.scope_id, self._spec, change)
        except ClientError as error:
            if isinstance(change, TagPool) and code_of(error) in TOO_MANY_TAGS and self._leaves_impossible:
                log_decision("leaving tags that AWS refuses", pool=change.pool.pool_id, reason=explain(error))
                return None
            if code_of(error) not in RETRYABLE_POOL_ERRORS:
                raise
            if not isinstance(change, CreatePool):
                self._known.pop(change.pool.pool_id, None)  # perhaps a CIDR has come that no list showed before
            if code_of(error) not in BUSY:  # else the pool that AWS is changing is the reason
                self._refusal = error
            return code_of(error)
        if isinstance(change, CreatePool):
            self._allocated[pool_id] = ()  # nothing is allocated from a pool that does not exist yet
        if not isinstance(change, TagPool):
            self._failures.watch(pool_id, change)
            self._in_flight.began(pool_id, change, waiting.now())
        return None

    def _wait(self, pending: PendingChanges, progress: bool) -> None:
        busy = pending.waiting or tuple(map(str, pending.changes))
        if busy != self._waited_for:
            log_decision("waiting for AWS", pools=busy)
            self._waited_for = busy
        try:
            self._pace.wait(progress=progress, expected_s=self._in_flight.next_look_s(waiting.now()))
        except OutOfTime:
            raise OutOfTime(f"still waiting for {some(busy, 1)}") from self._refusal


def with_coming(
    pool_reader: PoolReader, spec: PoolSpec, pools: Sequence[ExistingPool], allocated: Allocated
) -> Sequence[ExistingPool]:
    """Return the pools with the CIDRs that they are being given and their own lists do not show yet."""
    return pool_reader.read_occupied(pools, parents_of_new_cidrs(compare(spec, pools)), allocated)[1]


def with_ancestors(pool_ids: Collection[str], pools: Sequence[ExistingPool]) -> set[str]:
    parents = {pool.pool_id: pool.source_pool_id for pool in pools}
    found = set(pool_ids)
    for pool_id in pool_ids:
        while pool_id := parents.get(pool_id, ""):
            found.add(pool_id)
    return found
