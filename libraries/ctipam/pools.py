"""Custom::InitPools: the Region and environment pools below the top-level pool.

    TopLevelPool  192.168.0.0/16
    ├─ us-west-2  192.168.0.0/20         locale us-west-2
    │  ├─ Prod OU 192.168.0.0/21         VPCs must carry Env=Prod OU
    │  └─ SDLC OU 192.168.8.0/21
    └─ us-east-1  192.168.16.0/20  ...

`difference` decides what is to be done and `refusals` what must not be; `inventory` reads and `steps` writes. Here they
are put together: look, refuse, then step by step until nothing remains. AWS does each step in its own time.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor, ThreadPoolExecutor

from botocore.exceptions import ClientError

from ctipam import difference, inventory, refusals, steps
from ctipam.difference import Deprovision, Pool, Remaining, Step
from ctipam.errors import AwsFailed, OutOfTime, code_of
from ctipam.inventory import Hierarchy
from ctipam.logs import decided
from ctipam.plan import PoolKey, PoolPlan
from ctipam.refusals import NAMED
from ctipam.turns import Turns, busy_parents
from ctipam.waiting import Deadline, Pace

ANOTHER_CHANGE = "ConcurrentMutationLimitExceeded"

NOT_NOW = frozenset(
    {
        ANOTHER_CHANGE,  # boto3 does not retry this one
        "IncorrectState",  # the pool itself, or the one above it, is still busy
        "RequestLimitExceeded",
        "Throttling",
    }
)
"""Refusals that a later attempt does not meet."""

WORKERS = 8
"""Calls at a time: EC2 lets 50 changes and 100 reads through at once, and then 5 and 20 a second.
https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html"""


def ensure(hierarchy: Hierarchy, plan: PoolPlan | None, deadline: Deadline) -> dict[PoolKey, Pool]:
    """Make the pools be exactly the plan's (None: no pools); return them.

    Raises Refused before anything is changed, AwsFailed with AWS's reason, OutOfTime when work is left.
    """
    with ThreadPoolExecutor(WORKERS) as workers:
        return _Reconciliation(hierarchy, plan, deadline, workers).run()


class _Reconciliation:
    def __init__(self, hierarchy: Hierarchy, plan: PoolPlan | None, deadline: Deadline, workers: Executor) -> None:
        self._hierarchy = hierarchy
        self._plan = plan
        self._pace = Pace(deadline)
        self._workers = workers
        self._turns = Turns()
        self._failures = _LateFailures()
        self._waited_for: tuple[str, ...] = ()

    def run(self) -> dict[PoolKey, Pool]:
        pools = self._look()
        self._refuse(pools)
        while True:
            rest = self._remaining(pools)
            if rest.nothing:
                return difference.kept_pools(self._plan, pools)
            progress = self._take(rest.steps, busy_parents(pools))
            self._wait(rest, progress)
            pools = self._look()

    def _look(self) -> list[Pool]:
        pools = inventory.find_pools(self._hierarchy, self._workers)
        self._failures.raise_if_any(pools)
        return pools

    def _refuse(self, pools: Sequence[Pool]) -> None:
        unwanted = [pool for pool in difference.unwanted_pools(self._plan, pools) if pool.block]
        found = self._workers.map(lambda pool: inventory.find_allocations(self._hierarchy, pool), unwanted)
        allocations = {pool.pool_id: held for pool, held in zip(unwanted, found, strict=True)}
        refusals.refuse_removals(self._plan, pools, allocations)
        if self._plan:
            refusals.refuse_moves(self._plan, self._hierarchy.top_pool_id, pools)
            parents = difference.placing_parents(self._plan, self._hierarchy.top_pool_id, pools)
            taken = inventory.find_taken(self._hierarchy, pools, parents)
            refusals.refuse_without_room(self._plan, self._hierarchy.top_pool_id, pools, taken)

    def _remaining(self, pools: Sequence[Pool]) -> Remaining:
        parents = difference.placing_parents(self._plan, self._hierarchy.top_pool_id, pools)
        taken = inventory.find_taken(self._hierarchy, pools, parents)
        return difference.remaining(self._plan, self._hierarchy.top_pool_id, pools, taken)

    def _take(self, possible: Sequence[Step], busy: Sequence[str]) -> bool:
        """Try what it is the turn of; answer whether AWS accepted any of it."""
        chosen = self._turns.choose(possible, busy)
        codes = list(self._workers.map(self._try, chosen))
        accepted = [step for step, code in zip(chosen, codes, strict=True) if code is None]
        refused = [step for step, code in zip(chosen, codes, strict=True) if code == ANOTHER_CHANGE]
        self._turns.learn(accepted, refused, busy)
        return bool(accepted)

    def _try(self, step: Step) -> str | None:
        """Take the step; answer AWS's code if it has to wait."""
        try:
            pool_id = steps.take(self._hierarchy, step)
        except ClientError as error:
            if code_of(error) not in NOT_NOW:
                raise
            return code_of(error)
        self._failures.watch(pool_id, step)
        return None

    def _wait(self, rest: Remaining, progress: bool) -> None:
        busy = rest.waiting or tuple(map(str, rest.steps))
        if busy != self._waited_for:
            decided("waiting for AWS", pools=busy)
            self._waited_for = busy
        try:
            self._pace.wait(progress=progress)
        except OutOfTime:
            raise OutOfTime(f"still waiting for {', '.join(busy[:NAMED])}") from None


class _LateFailures:
    """What AWS accepted from this invocation and then failed.

    A CIDR that failed in an earlier attempt stays listed for a while and says nothing about this one, so the failures
    that the first look finds do not count.
    """

    def __init__(self) -> None:
        self._earlier: set[str] | None = None
        self._touched: set[str] = set()
        self._emptied: set[str] = set()

    def watch(self, pool_id: str, step: Step) -> None:
        (self._emptied if isinstance(step, Deprovision) else self._touched).add(pool_id)

    def raise_if_any(self, pools: Sequence[Pool]) -> None:
        if self._earlier is None:
            self._earlier = {block.cidr_id for pool in pools for block in pool.blocks}
        for pool in pools:
            if pool.state == "create-failed" and pool.pool_id in self._touched:
                raise AwsFailed(f"AWS could not create the pool of {pool.key}: {pool.message or 'it gives no reason'}")
            for block in pool.blocks:
                doomed = block.state == "failed-provision" or (block.state == "pending-provision" and block.reason)
                if doomed and pool.pool_id in self._touched and block.cidr_id not in self._earlier:
                    raise AwsFailed(f"AWS could not give {block.cidr} to the pool of {pool.key}: {block.reason}")
                if block.state == "failed-deprovision" and pool.pool_id in self._emptied:
                    raise AwsFailed(f"AWS could not take {block.cidr} from the pool of {pool.key}: {block.reason}")
