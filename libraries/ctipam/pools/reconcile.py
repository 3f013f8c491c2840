"""Custom::InitPools: the top-level pool, a pool in it for each Region, and one in that for each environment.

    landing-zone  192.168.0.0/16
    ├─ us-west-2  192.168.0.0/20         locale us-west-2
    │  ├─ Prod OU 192.168.0.0/21         VPCs must carry Env=Prod OU
    │  └─ SDLC OU 192.168.8.0/21
    └─ us-east-1  192.168.16.0/20  ...

`changes` decides what is to be done, `preconditions` what must not be, and `concurrency` how much at a time; `reader`
reads and `apply` changes. Here they are put together: read, refuse, then change and read again until nothing is left to
change. AWS completes each change in its own time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Network
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from ctipam import waiting
from ctipam.cloudformation import other_stacks
from ctipam.cloudformation.deletion import report_kept
from ctipam.cloudformation.request import ResourceRequest
from ctipam.errors import BUSY, DENIED, POOL_NOT_FOUND, THROTTLED, AwsFailed, OutOfTime, code_of, explain
from ctipam.logs import log_decision
from ctipam.pools import apply, changes, listing, preconditions
from ctipam.pools.changes import CreatePool, DeprovisionCidr, PendingChanges, PoolChange, ProvisionCidr, TagPool
from ctipam.pools.concurrency import Concurrency, InFlight, busy_parents
from ctipam.pools.existing import Block, ExistingPool
from ctipam.pools.reader import CONCURRENT_READS, PoolReader
from ctipam.pools.spec import PoolKey, PoolSpec
from ctipam.waiting import Pace

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import IpamPoolTypeDef

ANOTHER_CHANGE = "ConcurrentMutationLimitExceeded"

RETRYABLE_POOL_ERRORS = BUSY | THROTTLED | {POOL_NOT_FOUND}
"""Refusals that a later attempt does not meet. A pool is not found if it was deleted by hand a moment ago, or is so new
that not all of AWS knows it; boto3 does not retry ConcurrentMutationLimitExceeded, one of BUSY."""

VPC_RELEASE_S = 30 * 60.0
"""How long a deletion waits for AWS to free the CIDRs of deleted VPCs, from its first invocation on. AWS takes 20
minutes or more. https://docs.aws.amazon.com/vpc/latest/ipam/release-alloc-ipam.html"""

RELEASE_PAUSE_S = 30.0


def ensure(request: ResourceRequest, scope_id: str, spec: PoolSpec) -> dict[PoolKey, ExistingPool]:
    """Make the stack's pools be exactly the spec's; return them.

    Raises Refused before anything is changed, AwsFailed with AWS's reason, OutOfTime when work is left, Superseded.
    """
    with ThreadPoolExecutor(CONCURRENT_READS) as executor:
        listed = listing.list_pools(request.account)
        pool_reader = _reader(request, scope_id, listed, executor)
        if built := _built_pools(pool_reader, spec, listed):
            return built
        pools, kept = PoolReconciliation(request, pool_reader, spec).run(listed)
    if kept:
        report_kept(request, kept)
    return pools


def check(request: ResourceRequest, scope_id: str, spec: PoolSpec) -> None:
    """Raise Refused if the stack cannot have these pools. Called before the IPAM is changed for them.

    scope_id   empty: there is no IPAM yet
    """
    with ThreadPoolExecutor(CONCURRENT_READS) as executor:
        listed = listing.list_pools(request.account)
        pool_reader = _reader(request, scope_id, listed, executor)
        if not _built_pools(pool_reader, spec, listed):
            pools = pool_reader.read_pools(listed, known={})
            if not request.is_rollback:
                _refuse_deletion(_deletion_blockers(pool_reader, spec, pools))
            _refuse(pool_reader, spec, pools, listed, {})


def delete(request: ResourceRequest) -> list[str]:
    """Delete the stack's pools, leaves first; return what keeps the others, a sentence for each pool.

    Waits for CIDRs whose VPC may be gone. Raises OutOfTime when work is left.
    """
    with ThreadPoolExecutor(CONCURRENT_READS) as executor:
        listed = listing.list_pools(request.account)
        ours = frozenset({request.stack_id})
        scopes = {listing.scope_of(pool) for pool in listed if listing.stack_of(pool) == request.stack_id}
        return PoolDeletion(request, PoolReader(request.account, ours, min(scopes, default=""), executor)).run(listed)


def _reader(
    request: ResourceRequest, scope_id: str, listed: Sequence[IpamPoolTypeDef], executor: ThreadPoolExecutor
) -> PoolReader:
    """A reader that takes the pools of stacks that can no longer act for ours. Raises Refused if there is a stack that
    can."""
    others = sorted({listing.stack_of(pool) for pool in listed} - {request.stack_id, ""})
    preconditions.refuse_second_stack(other_stacks.living(request.account, others))
    return PoolReader(request.account, frozenset({request.stack_id, *others}), scope_id, executor)


def _built_pools(
    pool_reader: PoolReader, spec: PoolSpec, listed: Sequence[IpamPoolTypeDef]
) -> dict[PoolKey, ExistingPool] | None:
    """Return the pools if they are as wanted, in the scope that is asked for. Reads no more than what is listed."""
    pools = pool_reader.read_pools(listed, known=None)
    elsewhere = any(listing.scope_of(pool) != pool_reader.scope_id for pool in listed if pool_reader.is_ours(pool))
    return None if elsewhere or not changes.is_built(spec, pools) else changes.kept_pools(spec, pools)


Allocated = dict[str, Collection[IPv4Network]]
"""What others have allocated from a pool, by its id."""


def _deletion_blockers(pool_reader: PoolReader, spec: PoolSpec, pools: Sequence[ExistingPool]) -> dict[str, list[str]]:
    unwanted = changes.unwanted_pools(spec, pools)
    return preconditions.deletion_blockers(unwanted, pools, pool_reader.read_allocations(unwanted))


def _refuse_deletion(blockers: Mapping[str, Sequence[str]]) -> None:
    in_use = [sentence for sentences in blockers.values() for sentence in sentences]
    if in_use:
        log_decision("in use, so nothing is changed", blockers=in_use)
    preconditions.refuse_deletion(in_use)


def _refuse(
    pool_reader: PoolReader,
    spec: PoolSpec,
    pools: Sequence[ExistingPool],
    listed: Sequence[IpamPoolTypeDef],
    allocated: Allocated,
) -> None:
    in_scope = pool_reader.ids_in_scope(listed)
    scopes = {pool["IpamPoolId"]: listing.scope_of(pool) for pool in listed}
    preconditions.refuse_moves(spec, pool_reader.scope_id, pools, scopes)
    preconditions.refuse_overlap(spec, pool_reader.read_top_level_blocks(pools))
    parents = changes.parents_of_new_cidrs(spec, pools)
    occupied, pools = pool_reader.read_occupied(pools, parents, allocated)
    preconditions.refuse_without_room(spec, pools, occupied, len(in_scope))


class _Rounds:
    """What building and deleting have in common: read, apply what may be applied now, and wait."""

    def __init__(self, request: ResourceRequest, pool_reader: PoolReader, spec: PoolSpec | None) -> None:
        self._request = request
        self._reader = pool_reader
        self._spec = spec
        self._pace = Pace(request.deadline)
        self._concurrency = Concurrency()
        self._in_flight = InFlight()
        self._failures = _LateFailures()
        self._known: dict[str, tuple[Block, ...]] = {}
        self._allocated: Allocated = {}
        self._waited_for: tuple[str, ...] = ()

    def _read(self, listed: Sequence[IpamPoolTypeDef]) -> list[ExistingPool]:
        """Return the pools as they are now. Only those with a change in flight are asked for their CIDRs again."""
        known = self._known | self._in_flight.not_yet(waiting.now())
        pools = self._reader.read_pools(listed, known)
        self._in_flight.look(pools, waiting.now())
        settled = [pool for pool in pools if pool.key and pool.ready and not pool.busy]
        self._known = {pool.pool_id: pool.blocks for pool in settled if pool.pool_id not in self._in_flight.pool_ids}
        self._known |= dict.fromkeys(self._in_flight.being_created, ())
        if self._failures.judge(pools, waiting.now()):
            self._allocated.clear()
            self._known.clear()  # perhaps the pool above lost its CIDR
        return pools

    def _apply(self, possible: Sequence[PoolChange], pools: Sequence[ExistingPool]) -> list[PoolChange]:
        """Attempt the changes that may run now; return those that AWS accepted."""
        busy = busy_parents(pools) | self._in_flight.parents
        free = [change for change in possible if not self._in_flight.touches(change) and not self._rests(change)]
        chosen = self._concurrency.choose(free, busy)
        if chosen:
            self._request.raise_if_superseded()
        codes = list(self._reader.executor.map(self._attempt, chosen))
        accepted = [change for change, code in zip(chosen, codes, strict=True) if code is None]
        refused = [change for change, code in zip(chosen, codes, strict=True) if code == ANOTHER_CHANGE]
        self._concurrency.learn(accepted, refused, busy)
        return accepted

    def _rests(self, change: PoolChange) -> bool:
        return isinstance(change, ProvisionCidr) and self._failures.rests(change.pool.pool_id, waiting.now())

    def _attempt(self, change: PoolChange) -> str | None:
        """Apply the change; return AWS's code if it has to wait."""
        if isinstance(change, ProvisionCidr | DeprovisionCidr):
            self._known.pop(change.pool.pool_id, None)
        try:
            pool_id = apply.apply(self._request, self._reader.scope_id, self._spec, change)
        except ClientError as error:
            if code_of(error) not in RETRYABLE_POOL_ERRORS:
                raise
            if not isinstance(change, CreatePool):
                self._known.pop(change.pool.pool_id, None)  # perhaps a CIDR has come that no list showed before
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
            raise OutOfTime(
                f"still waiting for {busy[0]}" + (f" and {len(busy) - 1} more" if busy[1:] else "")
            ) from None


class PoolReconciliation(_Rounds):
    """Brings the pools to the spec. What cannot be removed in the end is kept: everything else is done."""

    _spec: PoolSpec

    def run(self, listed: Sequence[IpamPoolTypeDef]) -> tuple[dict[PoolKey, ExistingPool], list[str]]:
        """Return the pools, and a sentence for each pool that is not wanted and could not be removed."""
        pools: Sequence[ExistingPool] = self._read(listed)
        blockers = _deletion_blockers(self._reader, self._spec, pools)
        not_removed = blockers if self._request.is_rollback else {}
        if not self._request.is_rollback:
            _refuse_deletion(blockers)
        _refuse(self._reader, self._spec, pools, listed, self._allocated)
        while True:
            parents = changes.parents_of_new_cidrs(self._spec, pools)
            occupied, pools = self._reader.read_occupied(pools, parents, self._allocated)
            kept_anyway = _with_ancestors(not_removed, pools)
            pending = changes.pending_changes(self._spec, pools, occupied, kept_anyway)
            accepted = self._apply(pending.changes, pools)
            if pending.nothing_but_tags and len(accepted) == len(pending.changes):
                break
            self._wait(pending, progress=bool(accepted))
            pools = self._read(listing.list_pools(self._request.account))
            not_removed |= self._failures.failed_removals(pools)
        sentences = [sentence for of_pool in not_removed.values() for sentence in of_pool]
        return changes.kept_pools(self._spec, pools), sentences


class PoolDeletion(_Rounds):
    """Deletes the stack's pools, except those that are in use and the pools above them."""

    def __init__(self, request: ResourceRequest, pool_reader: PoolReader) -> None:
        super().__init__(request, pool_reader, spec=None)
        self._in_use: dict[str, list[str]] = {}  # pool id -> what is allocated from it, a sentence each
        self._released_by_aws: set[str] = set()  # ids of pools that only VPCs block
        self._not_deleted: dict[str, list[str]] = {}  # pool id -> why AWS did not delete it

    def run(self, listed: Sequence[IpamPoolTypeDef]) -> list[str]:
        """Return a sentence for each pool that cannot be deleted."""
        self._read_use(self._read(listed))
        while True:
            pools = self._read(listed)
            self._not_deleted |= self._failures.failed_removals(pools)
            kept = _with_ancestors({**self._in_use, **self._not_deleted}, pools)
            pending = changes.removals([pool for pool in pools if pool.key and pool.pool_id not in kept], pools)
            accepted = self._apply(pending.changes, pools)
            if not pending.nothing:
                self._wait(pending, progress=bool(accepted))
            elif self._may_be_released():
                self._request.deadline.pause(RELEASE_PAUSE_S)
                self._failures.forget_removals(self._not_deleted)
                self._not_deleted.clear()
                self._read_use(pools)
            else:
                return self._reasons(pools)
            listed = listing.list_pools(self._request.account)

    def _attempt(self, change: PoolChange) -> str | None:
        """As for the others; a denial concerns one pool and keeps no other from being deleted."""
        try:
            return super()._attempt(change)
        except ClientError as error:
            if code_of(error) not in DENIED or isinstance(change, CreatePool):
                raise
            self._not_deleted[change.pool.pool_id] = [f"{change.pool.key}: {explain(error)}"]
            return code_of(error)

    def _read_use(self, pools: Sequence[ExistingPool]) -> None:
        ours = [pool for pool in pools if pool.key]
        held = self._reader.read_allocations(ours)
        self._in_use = preconditions.deletion_blockers(ours, pools, held)
        self._released_by_aws = {
            pool_id
            for pool_id, allocations in held.items()
            if any(allocation.resource_type == "vpc" for allocation in allocations)
            and all(allocation.resource_type in ("vpc", "ipam-pool") for allocation in allocations)
        }

    def _may_be_released(self) -> bool:
        """Return whether AWS may still free what blocks a pool: the CIDR of a VPC that was just deleted."""
        if waiting.now() >= self._request.began + VPC_RELEASE_S:
            return False
        return bool(self._released_by_aws & self._in_use.keys() or self._not_deleted)

    def _reasons(self, pools: Sequence[ExistingPool]) -> list[str]:
        existing = {pool.pool_id for pool in pools}
        reasons = {**self._in_use, **self._not_deleted}
        return [sentence for pool_id, sentences in reasons.items() if pool_id in existing for sentence in sentences]


def _with_ancestors(pool_ids: Collection[str], pools: Sequence[ExistingPool]) -> set[str]:
    parents = {pool.pool_id: pool.source_pool_id for pool in pools}
    found = set(pool_ids)
    for pool_id in pool_ids:
        while pool_id := parents.get(pool_id, ""):
            found.add(pool_id)
    return found


class _LateFailures:
    """What AWS accepted from this invocation and then failed.

    A CIDR that failed in an earlier attempt stays listed for a while and says nothing about this one, so the failures
    that the first reading finds do not count.
    """

    NOT_YET = "cidr-not-available"
    PATIENCE_S, REST_S = 600.0, 15.0
    """Space that was given back can be taken again after minutes, although no list shows it as occupied any more.
    https://docs.aws.amazon.com/vpc/latest/ipam/release-alloc-ipam.html"""

    def __init__(self) -> None:
        self._judged: set[str] = set()
        self._has_judged = False
        self._touched: set[str] = set()
        self._emptied: set[str] = set()
        self._since: dict[str, float] = {}  # pool id -> first and
        self._until: dict[str, float] = {}  # ... next attempt

    def watch(self, pool_id: str, change: PoolChange) -> None:
        (self._emptied if isinstance(change, DeprovisionCidr) else self._touched).add(pool_id)

    def rests(self, pool_id: str, now: float) -> bool:
        return now < self._until.get(pool_id, 0.0)

    def failed_removals(self, pools: Sequence[ExistingPool]) -> dict[str, list[str]]:
        """Return the pools that AWS agreed to empty or delete and then did not, each with the reason."""
        failed = {}
        for pool in pools:
            for block in pool.blocks:
                if block.state == "failed-deprovision" and pool.pool_id in self._emptied:
                    failed[pool.pool_id] = [f"AWS could not take {block.cidr} from {_phrase(pool)}: {block.reason}"]
            if pool.state == "delete-failed" and pool.pool_id in self._touched:
                failed[pool.pool_id] = [f"AWS could not delete {_phrase(pool)}: {_message(pool)}"]
        return failed

    def forget_removals(self, pool_ids: Iterable[str]) -> None:
        """Let these pools be emptied and deleted again."""
        self._emptied -= set(pool_ids)
        self._touched -= set(pool_ids)

    def judge(self, pools: Sequence[ExistingPool], now: float) -> bool:
        """Return whether something failed that is to be tried again. Raises AwsFailed for what will not succeed."""
        if not self._has_judged:
            self._has_judged = True
            self._judged = {block.cidr_id for pool in pools for block in pool.blocks}
        again = False
        for pool in pools:
            if pool.state in ("create-failed", "modify-failed") and pool.pool_id in self._touched:
                raise AwsFailed(f"AWS left {_phrase(pool)} {pool.state}: {_message(pool)}")
            for block in pool.blocks:
                again |= self._judge_provision(pool, block, now)
        return again

    def _judge_provision(self, pool: ExistingPool, block: Block, now: float) -> bool:
        doomed = block.state == "failed-provision" or (block.state == "pending-provision" and block.reason)
        if not doomed or pool.pool_id not in self._touched or block.cidr_id in self._judged:
            return False
        since = self._since.setdefault(pool.pool_id, now)
        if block.code != self.NOT_YET or now - since > self.PATIENCE_S:
            raise AwsFailed(f"AWS could not give {block.cidr} to {_phrase(pool)}: {block.reason}")
        if block.state == "failed-provision":
            log_decision("AWS has not freed the CIDR yet, trying again", key=str(pool.key), cidr=str(block.cidr))
            self._until[pool.pool_id] = now + self.REST_S
            self._judged.add(block.cidr_id)
        return True


def _phrase(pool: ExistingPool) -> str:
    return pool.key.phrase if pool.key else f"pool {pool.pool_id}"


def _message(pool: ExistingPool) -> str:
    return pool.message or "it gives no reason"
