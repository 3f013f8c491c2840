"""How long the pools take to build, compared with the fastest order of steps that AWS allows.

Runs on the landing zone's clock, so a run takes seconds. AWS publishes no timings. The model assumes:

    creating a pool, provisioning a block   4 to 6 s, drawn at random for each (24 to 36 s in the last row);
                                            each row has five draws
    duration of a call                      0.2 s to read, 0.4 s to change; it takes effect halfway
    parallel calls                          as many as the function allows itself, each worker on its own clock
    a new block                             missing from lists for its first second
    throttling, for each action             100 reads or 50 changes at once, then 20 or 5 a second; counted beyond that
    another invocation                      begins at once

The floor is a lower bound for any order of steps: the chain of creations and provisionings that must follow each
other, or that a lock allows one at a time, each with the call that starts it. Polling AWS for the result is extra.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from statistics import mean
from typing import Any

from aws_models.ipam import MutationLock, Quotas
from aws_models.organization import Caller
from benchmarks.page import Row, Section, true_faults
from ctipam.names import pool_name
from ctipam.tags import to_dict
from landing_zone.direct import REGIONS
from landing_zone.direct_stack import DirectStack

READS_S, CHANGES_S = 0.2, 0.4
USUAL_S, SLOW_S = 5.0, 30.0
SIZES = ((2, 2), (3, 3), (10, 4))
LOCKS: tuple[MutationLock, ...] = ("parent", "scope", "none")
BUCKETS = {
    True: (100, 20),
    False: (50, 5),
}  # of reads (True) and of changes: https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html
STEPS = ("CreateIpamPool", "ProvisionIpamPoolCidr")
READS = ("Describe", "Get")
DRAWS = 5
TOP_LEVEL = pool_name("", "")
CEILING, WORST = 1.05, 1.08
HOUR_S = 3600.0


def expected_unchanged(pools: int) -> dict[str, int]:
    """Return the calls of an update that changes nothing."""
    return {"DescribeIpamPools": 1, "DescribeStacks": 1, "GetIpamPoolCidrs": pools}


Shape = tuple[int, int, MutationLock, float]
"""Regions, environments, the lock, and the usual seconds of a step."""

SHAPES: tuple[Shape, ...] = (
    *((regions, environments, lock, USUAL_S) for regions, environments in SIZES for lock in LOCKS),
    (7, 6, "scope", SLOW_S),
)


@dataclass
class Run:
    """The building of one hierarchy from nothing."""

    regions: int
    environments: int
    lock: MutationLock
    usual_s: float = USUAL_S
    seed: int = 0
    took_s: float = 0.0
    invocations: int = 1
    calls: Counter[str] = field(default_factory=Counter)
    unchanged: Counter[str] = field(default_factory=Counter)
    durations: dict[tuple[str, str], float] = field(default_factory=dict)  # (action, pool's name) -> seconds
    too_often: int = 0

    @property
    def pools(self) -> int:
        """How many are built, the top-level pool among them."""
        return 1 + self.regions * (1 + self.environments)

    def measure(self) -> Run:
        stack = DirectStack(
            reads_s=READS_S,
            changes_s=CHANGES_S,
            mutation_lock=self.lock,
            ipam_quotas=Quotas(pools_per_scope=60),
            page_size=1000,
        )
        names = sorted(REGIONS)[: self.regions]
        stack.set_up(regions=tuple(name for name in names if name != "us-east-1"))
        watched = Watched(stack, self.usual_s, self.seed)
        properties = {
            "TopLevelPoolCidr": "10.0.0.0/8",
            "IpamPoolPrefixLength": "12",
            "AccPoolPrefixLength": "16",
            "RegionSelection": names,
            "AccEnvName": [f"OU {number}" for number in range(1, self.environments + 1)],
            "IpamPoolQuota": "60",
        }
        with stack.running():
            began = stack.clock.now()
            built = stack.ask("Create", "InitPools", properties)
            self.took_s = stack.answered_at - began
            self.calls, self.invocations = stack.wire.counted.copy(), 1 + stack.wire.counted["Invoke"]
            self.durations, self.too_often = watched.durations(), watched.too_often()
            stack.wire.counted.clear()
            same = stack.ask("Update", "InitPools", properties)
            self.unchanged = stack.wire.counted.copy()
        assert built["Status"] == same["Status"] == "SUCCESS", built["Reason"] or same["Reason"]
        assert len(stack.listed_pools()) == self.pools
        return self

    @property
    def ratio(self) -> float:
        return self.took_s / self.floor_s

    @property
    def floor_s(self) -> float:
        created, provisioned = ({name: self._step(action, name) for name in self._names()} for action in STEPS)
        regions = {name: [f"{name} {ou}" for ou in self._environments()] for name in self._regions()}
        if self.lock == "scope":
            return sum(created.values()) + sum(provisioned.values())
        root = created[TOP_LEVEL]  # before everything else
        if self.lock == "none":
            return root + max(
                max(max(provisioned[TOP_LEVEL], created[name]) + provisioned[name], created[name] + created[leaf])
                + provisioned[leaf]
                for name, leaves in regions.items()
                for leaf in leaves
            )
        # One at a time below each parent. Either the top-level pool takes longest, and the blocks of the environments
        # in the last Region follow it. Or the Region that is created last takes longest.
        top = sum(created[name] + provisioned[name] for name in regions)
        tail = min(sum(provisioned[leaf] for leaf in leaves) for leaves in regions.values())
        last = min(sum(created[leaf] + provisioned[leaf] for leaf in leaves) for leaves in regions.values())
        return root + max(top + tail, sum(created[name] for name in regions) + last)

    def _step(self, action: str, name: str) -> float:
        return self.durations[action, name] + CHANGES_S

    def _names(self) -> list[str]:
        return [
            TOP_LEVEL,
            *self._regions(),
            *(f"{name} {ou}" for name in self._regions() for ou in self._environments()),
        ]

    def _regions(self) -> list[str]:
        return sorted(REGIONS)[: self.regions]

    def _environments(self) -> list[str]:
        return [f"OU {number}" for number in range(1, self.environments + 1)]


class Watched:
    """Records each call to IPAM with its time, and draws how long AWS takes for each step."""

    def __init__(self, stack: DirectStack, usual_s: float, seed: int) -> None:
        self._times: defaultdict[str, list[float]] = defaultdict(list)
        self._took: dict[tuple[str, str], float] = {}  # (action, pool id) -> seconds
        self._stack = stack
        self._random = Random(seed)  # noqa: S311 - repeatable, not secret
        self._usual_s = usual_s
        self._ask = stack.models.ipam.call
        stack.models.ipam.call = self._call  # type: ignore[method-assign]

    def _call(self, action: str, params: Mapping[str, Any], caller: Caller) -> dict[str, Any]:
        self._times[action].append(self._stack.clock.now())
        if action not in STEPS:
            return self._ask(action, params, caller)
        seconds = self._usual_s * self._random.uniform(0.8, 1.2)
        store = self._stack.models.ipam._store
        store.timings = replace(store.timings, pool_create=seconds, provision=seconds)
        answer = self._ask(action, params, caller)
        pool_id = params.get("IpamPoolId") or answer["IpamPool"]["IpamPoolId"]
        self._took.setdefault((action, pool_id), seconds)
        return answer

    def durations(self) -> dict[tuple[str, str], float]:
        names = {pool["IpamPoolId"]: to_dict(pool["Tags"])["Name"] for pool in self._stack.listed_pools()}
        return {(action, names[pool_id]): seconds for (action, pool_id), seconds in self._took.items()}

    def too_often(self) -> int:
        """Return how many calls AWS would have throttled."""
        count = 0
        for action, times in self._times.items():
            size, refill = BUCKETS[action.startswith(READS)]
            tokens, last = float(size), 0.0
            for moment in sorted(times):
                tokens, last = min(size, tokens + (moment - last) * refill) - 1, moment
                if tokens < 0:
                    tokens, count = tokens + 1, count + 1
        return count


def label(shape: Shape) -> str:
    regions, environments, lock, usual_s = shape
    return f"{regions} x {environments}, {lock}{', slow' if usual_s == SLOW_S else ''}"


def measure() -> Iterator[Row]:
    for shape in SHAPES:
        yield row([Run(*shape, seed=seed).measure() for seed in range(DRAWS)])


def row(runs: Sequence[Run]) -> Row:
    """Return the means of the runs, and the worst ratio."""
    run, ratios = runs[0], [run.ratio for run in runs]
    took, floor = mean(run.took_s for run in runs), mean(run.floor_s for run in runs)
    reads = mean(sum(run.calls[action] for action in run.calls if action.startswith(READS)) for run in runs)
    changes = mean(run.calls.total() for run in runs) - reads
    figures = (
        f"{took:,.0f} s",
        f"{floor:,.0f} s",
        f"{mean(ratios):.2f}",
        f"{max(ratios):.2f}",
        f"{30 * run.pools:,} s",
        f"{changes / run.pools:.1f}",
        f"{reads / run.pools:.1f}",
        str(max(run.invocations for run in runs)),
        str(run.unchanged.total()),
    )
    faults = {
        f"more than {CEILING} of the floor": mean(ratios) > CEILING,
        f"a run with more than {WORST} of the floor": max(ratios) > WORST,
        "more than an hour": max(run.took_s for run in runs) > HOUR_S,
        "calls that AWS would throttle": any(run.too_often for run in runs),
        "a pool is read twice though nothing changes": any(
            run.unchanged != expected_unchanged(run.pools) for run in runs
        ),
    }
    return Row(figures, true_faults(faults))


SECTION = Section(
    title="Pools: Regions x environments, and the scope of the lock on changes",
    columns=("built", "floor", "ratio", "worst", "30 s sleeps", "changes", "reads", "invoked", "unchanged"),
    labels=tuple(map(label, SHAPES)),
    measure=measure,
    notes=(
        f"Modeled: a step takes 4 to 6 s (slow: 24 to 36 s), a read 0.2 s, a change 0.4 s; mean and worst of {DRAWS} "
        "draws. Floor: the steps and their calls that must follow each other, or that a lock (below a parent, or in "
        "the scope) allows one at a time. 30 s sleeps: the original's waits. Changes and reads: per pool. Unchanged: "
        f"calls of an update that changes nothing. Promise: the mean is within {CEILING} of the floor, the worst "
        f"within {WORST}, every run within an hour, no call is throttled, and an update that changes nothing reads the "
        "stack, the list and each pool once."
    ),
)
