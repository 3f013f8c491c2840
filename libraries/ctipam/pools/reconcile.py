"""Custom::InitPools: the Region and environment pools below the top-level pool.

    TopLevelPool  192.168.0.0/16
    ├─ us-west-2  192.168.0.0/20         locale us-west-2
    │  ├─ Prod OU 192.168.0.0/21         VPCs must carry Env=Prod OU
    │  └─ SDLC OU 192.168.8.0/21
    └─ us-east-1  192.168.16.0/20  ...

`difference` decides what is to be done, `refusals` what must not be, and `turns` in which order; `inventory` reads and
`steps` writes. Here they are put together: look, refuse, then step by step until nothing remains. AWS does each step in
its own time.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import replace
from ipaddress import IPv4Network
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from ctipam import waiting
from ctipam.errors import AwsFailed, OutOfTime, code_of
from ctipam.logs import log_decision
from ctipam.pools import apply, changes, preconditions, reader
from ctipam.pools.changes import CreatePool, DeprovisionCidr, PendingChanges, PoolChange, ProvisionCidr
from ctipam.pools.concurrency import Concurrency, InFlight, busy_parents
from ctipam.pools.existing import Block, ExistingPool
from ctipam.pools.reader import WORKERS, PoolHierarchy
from ctipam.pools.spec import PoolKey, PoolSpec, refuse_over_quota
from ctipam.waiting import Pace

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import IpamPoolTypeDef

ANOTHER_CHANGE = "ConcurrentMutationLimitExceeded"

RETRYABLE_ERRORS = frozenset(
    {
        ANOTHER_CHANGE,  # boto3 does not retry this one
        "IncorrectState",  # the pool itself, or the one above it, is still busy
        "DependencyViolation",  # what was given back, or deleted, a moment ago still counts
        reader.POOL_NOT_FOUND,  # it was deleted by hand a moment ago, or is so new that not all of AWS knows it
        "RequestLimitExceeded",
        "Throttling",
    }
)
"""Refusals that a later attempt does not meet."""


Allocated = dict[str, Collection[IPv4Network]]
"""What others have taken of a pool, by its id."""


def ensure(hierarchy: PoolHierarchy, plan: PoolSpec | None) -> dict[PoolKey, ExistingPool]:
    """Make the pools be exactly the plan's (None: no pools); return them.

    Raises Refused before anything is changed, AwsFailed with AWS's reason, OutOfTime when work is left.
    """
    with ThreadPoolExecutor(WORKERS) as workers:
        listed = reader.list_pools(hierarchy.account)
        pools = reader.find_pools(hierarchy, listed, None, workers)
        if plan and changes.is_built(plan, hierarchy.top_pool_id, pools):
            return changes.kept_pools(plan, pools)
        return PoolReconciliation(hierarchy, plan, workers).run(listed)


def check(hierarchy: PoolHierarchy, plan: PoolSpec) -> None:
    """Raises Refused if the stack cannot have this plan. For what comes before the pools, and would be changed first.

    hierarchy   without a top-level pool: CloudFormation may be about to make it
    """
    with ThreadPoolExecutor(WORKERS) as workers:
        listed = reader.list_pools(hierarchy.account)
        top = reader.find_top_pool(listed, hierarchy.stack_id)
        hierarchy = replace(hierarchy, top_pool_id=top["IpamPoolId"] if top else "")
        pools = reader.find_pools(hierarchy, listed, None, workers)
        if top is None or not any(pool.source_pool_id == top["IpamPoolId"] for pool in pools):
            _check_place_of_top_pool(hierarchy, plan, pools, workers)
            return
        in_scope = top["IpamPoolId"] in {pool.pool_id for pool in pools}
        blocks = reader.find_blocks(hierarchy.account, top["IpamPoolId"])
        preconditions.refuse_another_top_pool(
            plan, hierarchy.scope_id, in_scope, [one.cidr for one in blocks if one.held]
        )
        if not changes.is_built(plan, hierarchy.top_pool_id, pools):
            _refuse(hierarchy, plan, reader.find_pools(hierarchy, listed, {}, workers), {}, workers)


def _check_place_of_top_pool(
    hierarchy: PoolHierarchy, plan: PoolSpec, pools: Sequence[ExistingPool], workers: Executor
) -> None:
    """Nothing is below the top-level pool yet, so it can still be made, or made anew."""
    others = [pool for pool in pools if pool.pool_id != hierarchy.top_pool_id]
    tops = [pool.pool_id for pool in others if not pool.source_pool_id]
    blocks = workers.map(lambda pool_id: tuple(reader.find_blocks(hierarchy.account, pool_id)), tops)
    preconditions.refuse_overlap(plan, dict(zip(tops, blocks, strict=True)))
    refuse_over_quota(plan, already=len(others) + 1)


def _refuse(
    hierarchy: PoolHierarchy,
    plan: PoolSpec | None,
    pools: Sequence[ExistingPool],
    allocated: Allocated,
    workers: Executor,
) -> None:
    unwanted = changes.unwanted_pools(plan, pools)
    top_pool_id = "" if plan else hierarchy.top_pool_id  # CloudFormation deletes it next
    if plan:
        preconditions.refuse_moves(plan, hierarchy.top_pool_id, pools)
        preconditions.refuse_without_top_pool(hierarchy.top_pool_id, pools)
    preconditions.refuse_deletion(
        reader.read_deletion_blockers(hierarchy.account, unwanted, pools, top_pool_id, workers)
    )
    if plan:
        parents = changes.placing_parents(plan, hierarchy.top_pool_id, pools)
        taken, pools = reader.read_occupied(hierarchy, pools, parents, allocated, workers)
        preconditions.refuse_without_room(plan, hierarchy.top_pool_id, pools, taken)


class PoolReconciliation:
    def __init__(self, hierarchy: PoolHierarchy, plan: PoolSpec | None, workers: Executor) -> None:
        self._hierarchy = hierarchy
        self._plan = plan
        self._pace = Pace(hierarchy.request.deadline)
        self._workers = workers
        self._turns = Concurrency()
        self._under_way = InFlight()
        self._failures = _LateFailures()
        self._known: dict[str, tuple[Block, ...]] = {}
        self._allocated: Allocated = {}
        self._waited_for: tuple[str, ...] = ()

    def run(self, listed: Sequence[IpamPoolTypeDef]) -> dict[PoolKey, ExistingPool]:
        pools: Sequence[ExistingPool] = self._look(listed)
        _refuse(self._hierarchy, self._plan, pools, self._allocated, self._workers)
        while True:
            pools, rest = self._remaining(pools)
            accepted = self._apply(rest.steps, pools)
            if rest.only_cidr_records and len(accepted) == len(rest.steps):
                return changes.kept_pools(self._plan, pools)
            self._wait(rest, progress=bool(accepted))
            pools = self._look(reader.list_pools(self._hierarchy.account))

    def _look(self, listed: Sequence[IpamPoolTypeDef]) -> list[ExistingPool]:
        """The pools as they are. Only those with something under way are asked for their blocks again."""
        known = self._known | self._under_way.not_yet(waiting.now())
        pools = reader.find_pools(self._hierarchy, listed, known, self._workers)
        self._under_way.look(pools, waiting.now())
        settled = [pool for pool in pools if pool.key and pool.ready and not pool.busy]
        self._known = {pool.pool_id: pool.blocks for pool in settled if pool.pool_id not in self._under_way.pool_ids}
        self._known |= dict.fromkeys(self._under_way.being_created, ())
        if self._failures.judge(pools, waiting.now()):
            self._allocated.clear()
        return pools

    def _remaining(self, pools: Sequence[ExistingPool]) -> tuple[Sequence[ExistingPool], PendingChanges]:
        parents = changes.placing_parents(self._plan, self._hierarchy.top_pool_id, pools)
        taken, pools = reader.read_occupied(self._hierarchy, pools, parents, self._allocated, self._workers)
        return pools, changes.remaining(self._plan, self._hierarchy.top_pool_id, pools, taken)

    def _apply(self, possible: Sequence[PoolChange], pools: Sequence[ExistingPool]) -> list[PoolChange]:
        """Try what it is the turn of; answer what AWS accepted of it."""
        busy = busy_parents(pools) | self._under_way.parents
        free = [step for step in possible if not self._under_way.touches(step) and not self._rests(step)]
        chosen = self._turns.choose(free, busy)
        codes = list(self._workers.map(self._try, chosen))
        accepted = [step for step, code in zip(chosen, codes, strict=True) if code is None]
        refused = [step for step, code in zip(chosen, codes, strict=True) if code == ANOTHER_CHANGE]
        self._turns.learn(accepted, refused, busy)
        return accepted

    def _rests(self, step: PoolChange) -> bool:
        return isinstance(step, ProvisionCidr) and self._failures.rests(step.pool.pool_id, waiting.now())

    def _try(self, step: PoolChange) -> str | None:
        """Take the step; answer AWS's code if it has to wait."""
        if isinstance(step, ProvisionCidr | DeprovisionCidr):
            self._known.pop(step.pool.pool_id, None)
        try:
            pool_id = apply.apply(self._hierarchy, step)
        except ClientError as error:
            if code_of(error) not in RETRYABLE_ERRORS:
                raise
            return code_of(error)
        if isinstance(step, CreatePool):
            self._allocated[pool_id] = ()  # nobody has taken anything of what is not there yet
        self._failures.watch(pool_id, step)
        self._under_way.began(pool_id, step, waiting.now())
        return None

    def _wait(self, rest: PendingChanges, progress: bool) -> None:
        busy = rest.waiting or tuple(map(str, rest.steps))
        if busy != self._waited_for:
            log_decision("waiting for AWS", pools=busy)
            self._waited_for = busy
        try:
            self._pace.wait(progress=progress, expected_s=self._under_way.next_look_s(waiting.now()))
        except OutOfTime:
            raise OutOfTime(
                f"still waiting for {busy[0]}" + (f" and {len(busy) - 1} more" if busy[1:] else "")
            ) from None


class _LateFailures:
    """What AWS accepted from this invocation and then failed.

    A CIDR that failed in an earlier attempt stays listed for a while and says nothing about this one, so the failures
    that the first look finds do not count.
    """

    NOT_YET = "cidr-not-available"
    PATIENCE_S, REST_S = 600.0, 15.0
    """Space that was given back can be taken again after minutes, although no list shows it as taken any more.
    https://docs.aws.amazon.com/vpc/latest/ipam/release-alloc-ipam.html"""

    def __init__(self) -> None:
        self._judged: set[str] = set()
        self._has_judged = False
        self._touched: set[str] = set()
        self._emptied: set[str] = set()
        self._since: dict[str, float] = {}  # pool id -> first and
        self._until: dict[str, float] = {}  # ... next attempt

    def watch(self, pool_id: str, step: PoolChange) -> None:
        (self._emptied if isinstance(step, DeprovisionCidr) else self._touched).add(pool_id)

    def rests(self, pool_id: str, now: float) -> bool:
        return now < self._until.get(pool_id, 0.0)

    def judge(self, pools: Sequence[ExistingPool], now: float) -> bool:
        """Raises AwsFailed; answers whether something failed that is to be tried again."""
        if not self._has_judged:
            self._has_judged = True
            self._judged = {block.cidr_id for pool in pools for block in pool.blocks}
        again = False
        for pool in pools:
            if pool.state.endswith("-failed") and pool.pool_id in self._touched:
                raise AwsFailed(f"AWS left the pool of {pool.key} {pool.state}: {pool.message or 'it gives no reason'}")
            for block in pool.blocks:
                if block.state == "failed-deprovision" and pool.pool_id in self._emptied:
                    raise AwsFailed(f"AWS could not take {block.cidr} from the pool of {pool.key}: {block.reason}")
                again |= self._judge_provision(pool, block, now)
        return again

    def _judge_provision(self, pool: ExistingPool, block: Block, now: float) -> bool:
        doomed = block.state == "failed-provision" or (block.state == "pending-provision" and block.reason)
        if not doomed or pool.pool_id not in self._touched or block.cidr_id in self._judged:
            return False
        since = self._since.setdefault(pool.pool_id, now)
        if block.code != self.NOT_YET or now - since > self.PATIENCE_S:
            raise AwsFailed(f"AWS could not give {block.cidr} to the pool of {pool.key}: {block.reason}")
        if block.state == "failed-provision":
            log_decision("AWS has not freed the block yet, trying again", key=str(pool.key), cidr=str(block.cidr))
            self._until[pool.pool_id] = now + self.REST_S
            self._judged.add(block.cidr_id)
        return True
