"""Whose turn it is, where AWS takes one change at a time, and when it is worth looking again.

IPAM refuses a change while another one is under way (ConcurrentMutationLimitExceeded), and does not say how far that
reaches: to the pools of one parent, or to the whole scope. So everything that can be done is tried at once, and what
is refused teaches how much to try from then on. https://github.com/aws-ia/terraform-aws-ipam/issues/55
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from enum import IntEnum

from ctipam.pools.changes import (
    CreatePool,
    DeletePool,
    DeprovisionCidr,
    ModifyPool,
    PoolChange,
    ProvisionCidr,
    RecordCidr,
)
from ctipam.pools.existing import Block, ExistingPool
from ctipam.pools.spec import PoolKey


class LockScope(IntEnum):
    """How far a change under way excludes others."""

    NOTHING = 0
    SIBLINGS = 1
    SCOPE = 2


def parent_of(step: PoolChange) -> str | None:
    """The pool under which a step changes something; None for a tag, which excludes nothing."""
    if isinstance(step, RecordCidr):
        return None
    return step.source_pool_id if isinstance(step, CreatePool) else step.pool.source_pool_id


def busy_parents(pools: Iterable[ExistingPool]) -> set[str]:
    """The parents of the pools with a change under way, by whomever."""
    return {pool.source_pool_id for pool in pools if pool.busy}


URGENCY: tuple[type[PoolChange] | tuple[type[PoolChange], ...], ...] = (
    (DeprovisionCidr, DeletePool),
    CreatePool,
    ProvisionCidr,
    (ModifyPool, RecordCidr),
)
"""Space is freed before it is given. A Region's pool is created, and its environments with it, before the next gets its
block: under a lock of each parent, that keeps the most parents at work."""


class Concurrency:
    def __init__(self) -> None:
        self.lock_scope = LockScope.NOTHING

    def choose(self, steps: Sequence[PoolChange], busy: Iterable[str]) -> list[PoolChange]:
        """What to try now: everything, one step for each idle parent, or one step while nothing is under way."""
        chosen = [step for step in steps if parent_of(step) is None]
        taken = set(busy)
        for step in sorted(steps, key=_urgency):
            parent = parent_of(step)
            if parent is None or (self.lock_scope is LockScope.SIBLINGS and parent in taken):
                continue
            if self.lock_scope is LockScope.SCOPE and taken:
                continue
            taken.add(parent)
            chosen.append(step)
        return chosen

    def learn(self, accepted: Sequence[PoolChange], refused: Sequence[PoolChange], busy: Iterable[str]) -> None:
        """Widen the reach if a change of ours explains a refusal; somebody else's only has to be waited for."""
        under_way = {*busy, *(parent for step in accepted if (parent := parent_of(step)))}
        for step in refused:
            if parent_of(step) in under_way:
                self.lock_scope = max(self.lock_scope, LockScope.SIBLINGS)
            elif under_way:
                self.lock_scope = LockScope.SCOPE


def _urgency(step: PoolChange) -> int:
    return next(rank for rank, kinds in enumerate(URGENCY) if isinstance(step, kinds))


class InFlight:
    """The steps that AWS has accepted and not finished, also while its lists do not show them yet."""

    BELIEVED_S = 30.0  # for how long a change that no list shows counts as under way
    SHORTEST_S, LONGEST_S = 0.25, 5.0
    EARLY, GROWTH = 0.9, 0.15  # look a little before the usual time; then the less often, the more overdue it is

    def __init__(self) -> None:
        self._steps: dict[str, tuple[PoolChange, float]] = {}  # by pool id
        self._took: dict[type[PoolChange], deque[float]] = {}
        self._looked = 0.0

    def began(self, pool_id: str, step: PoolChange, now: float) -> None:
        if not isinstance(step, RecordCidr):
            self._steps[pool_id] = (step, now)

    def look(self, pools: Iterable[ExistingPool], now: float) -> None:
        """Strike what has ended, and remember how long it took."""
        found = {pool.pool_id: pool for pool in pools}
        for pool_id, (step, began) in list(self._steps.items()):
            pool = found.get(pool_id)
            shown = pool is not None and pool.busy
            if not shown and (_has_ended(step, pool) or now - began > self.BELIEVED_S):
                del self._steps[pool_id]
                # It ended at some moment since the last look, or since it began: the earliest is what to reckon with.
                self._took.setdefault(type(step), deque(maxlen=3)).append(max(self._looked - began, 0.0))
        self._looked = now

    def touches(self, step: PoolChange) -> bool:
        """Is the pool of this step still being changed, or created, by an earlier one?"""
        if isinstance(step, CreatePool):
            return step.key in self._keys_being_created
        return step.pool.pool_id in self._steps

    @property
    def _keys_being_created(self) -> set[PoolKey]:
        return {step.key for step, _ in self._steps.values() if isinstance(step, CreatePool)}

    @property
    def pool_ids(self) -> set[str]:
        return set(self._steps)

    @property
    def being_created(self) -> set[str]:
        """Ids of pools that can hold no block yet."""
        return {pool_id for pool_id, (step, _) in self._steps.items() if isinstance(step, CreatePool)}

    def not_yet(self, now: float) -> dict[str, tuple[Block, ...]]:
        """The pools whose new block AWS is hardly done with, with what they held before: not worth a question each."""
        return {
            pool_id: step.pool.blocks
            for pool_id, (step, began) in self._steps.items()
            if isinstance(step, ProvisionCidr) and now - began < self._usual_s(step)
        }

    @property
    def parents(self) -> set[str]:
        return {parent for step, _ in self._steps.values() if (parent := parent_of(step))}

    def next_look_s(self, now: float) -> float | None:
        """When the first of them is likely to end, from what such steps took before. None: none is under way."""
        waits = []
        for step, began in self._steps.values():
            overdue = now - began - self._usual_s(step)
            waits.append(-overdue if overdue < -self.SHORTEST_S else self._next_s(overdue))
        return min(waits, default=None)

    def _usual_s(self, step: PoolChange) -> float:
        return self.EARLY * min(self._took.get(type(step), [0.0]))

    def _next_s(self, overdue: float) -> float:
        return min(max(self.SHORTEST_S, overdue * self.GROWTH), self.LONGEST_S)


def _has_ended(step: PoolChange, pool: ExistingPool | None) -> bool:
    """As far as a pool that is not busy tells: a list may still be older than the step."""
    match step:
        case CreatePool():
            return pool is not None
        case ProvisionCidr():
            return pool is None or bool(_cidr_ids(pool) - _cidr_ids(step.pool))
        case DeprovisionCidr():
            return pool is None or pool.block is None or pool.block.state == "failed-deprovision"
        case DeletePool():
            return pool is None or pool.state == "delete-failed"
        case _:
            return True


def _cidr_ids(pool: ExistingPool) -> set[str]:
    return {block.cidr_id for block in pool.blocks}
