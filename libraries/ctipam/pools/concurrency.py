"""Decides which changes to request at a time, and, with `pace`, when to read again.

IPAM refuses a change while another one is in flight (ConcurrentMutationLimitExceeded), and does not document how far
that lock reaches: to the pools of one parent, or to the whole scope. So every possible change is requested at once at
first, and each refusal teaches how many to request from then on.
https://github.com/aws-ia/terraform-aws-ipam/issues/55
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from enum import IntEnum
from ipaddress import IPv4Network
from itertools import chain

from ctipam.pools import pace
from ctipam.pools.change_kinds import (
    CreatePool,
    DeletePool,
    DeprovisionCidr,
    ModifyPool,
    PoolChange,
    ProvisionCidr,
    TagPool,
)
from ctipam.pools.existing import DELETE_FAILED, MODIFY_FAILED, NOT_TAKEN_BACK, Block, ExistingPool
from ctipam.pools.spec import PoolKey
from ctipam.waiting import LISTED_LATE_S


class LockScope(IntEnum):
    """Which other changes IPAM refuses while a change is in flight."""

    NOTHING = 0
    SIBLINGS = 1
    SCOPE = 2


def parent_of(change: PoolChange) -> str | None:
    """Return the id of the pool below which something changes; None for a tag, which locks nothing."""
    if isinstance(change, TagPool):
        return None
    return change.source_pool_id if isinstance(change, CreatePool) else change.pool.source_pool_id


def busy_parents(pools: Iterable[ExistingPool]) -> set[str]:
    """Return the ids of the parents of all pools with a change in flight, whoever requested it."""
    return {pool.source_pool_id for pool in pools if pool.busy}


URGENCY: tuple[type[PoolChange] | tuple[type[PoolChange], ...], ...] = (
    (DeprovisionCidr, DeletePool),
    CreatePool,
    ProvisionCidr,
    (ModifyPool, TagPool),
)
"""Space is freed before it is given. A Region's pool is created, and its environments with it, before the next Region's
gets its CIDR: under a lock of each parent, that keeps the most parents at work."""


class Concurrency:
    """What this request has learned of IPAM's lock."""

    def __init__(self) -> None:
        self.lock_scope = LockScope.NOTHING

    def choose(self, changes: Sequence[PoolChange], busy: Iterable[str]) -> list[PoolChange]:
        """Return what to request now: everything, one change for each idle parent, or one if nothing is in flight."""
        chosen = [change for change in changes if parent_of(change) is None]
        locked = set(busy)
        for change in sorted(changes, key=_urgency):
            parent = parent_of(change)
            if parent is None or (self.lock_scope is LockScope.SIBLINGS and parent in locked):
                continue
            if self.lock_scope is LockScope.SCOPE and locked:
                continue
            locked.add(parent)
            chosen.append(change)
        return chosen

    def learn(self, accepted: Sequence[PoolChange], refused: Sequence[PoolChange], busy: Iterable[str]) -> None:
        """Widen the lock scope if a change of ours explains a refusal; somebody else's change only takes waiting."""
        parents = (parent_of(change) for change in accepted)
        in_flight = {*busy, *(parent for parent in parents if parent is not None)}
        for change in refused:
            if parent_of(change) in in_flight:
                self.lock_scope = max(self.lock_scope, LockScope.SIBLINGS)
            elif in_flight:
                self.lock_scope = LockScope.SCOPE


def _urgency(change: PoolChange) -> int:
    return next(rank for rank, kinds in enumerate(URGENCY) if isinstance(change, kinds))


class InFlight:
    """The changes that AWS has accepted and not finished, also while its lists do not show them yet."""

    BELIEVED_S = LISTED_LATE_S  # for how long a change that no list shows counts as in flight
    REMEMBERED = 10  # durations of each kind of change
    ROUNDING_S = 0.001  # a wait that ends with the first look is as long, but for this

    def __init__(self) -> None:
        self._changes: dict[str, tuple[PoolChange, float]] = {}  # by pool id
        self._took: dict[type[PoolChange], deque[float]] = {}
        self._looked = 0.0

    def began(self, pool_id: str, change: PoolChange, now: float) -> None:
        """Note a change of a pool; not of its tags, which are there as soon as AWS has accepted them."""
        self._changes[pool_id] = (change, now)

    def look(self, pools: Iterable[ExistingPool], now: float) -> None:
        """Drop the changes that have ended, and remember how long each took. now: when the reading of them began."""
        found = {pool.pool_id: pool for pool in pools}
        for pool_id, (change, began) in list(self._changes.items()):
            pool = found.get(pool_id)
            shown = pool is not None and pool.busy
            if not shown and (_has_ended(change, pool) or now - began > self.BELIEVED_S):
                del self._changes[pool_id]
                # It ended at some moment since the last reading. Even if that was long ago, assume no less than a part.
                took = max(self._looked - began, (now - began) * pace.EARLY)
                self._took.setdefault(type(change), deque(maxlen=self.REMEMBERED)).append(took)
        self._looked = now

    def touches(self, change: PoolChange) -> bool:
        """Return whether an earlier change of the same pool is still in flight. Tags can be set at any time."""
        if isinstance(change, TagPool):
            return False
        if isinstance(change, CreatePool):
            return change.key in self._keys_being_created
        return change.pool.pool_id in self._changes

    @property
    def _keys_being_created(self) -> set[PoolKey]:
        return {change.key for change, _ in self._changes.values() if isinstance(change, CreatePool)}

    @property
    def pool_ids(self) -> set[str]:
        return set(self._changes)

    @property
    def being_created(self) -> set[str]:
        """Return the ids of pools that cannot hold a CIDR yet."""
        return {pool_id for pool_id, (change, _) in self._changes.items() if isinstance(change, CreatePool)}

    @property
    def changing_cidrs(self) -> set[str]:
        """Return the ids of pools that are being given a CIDR, or are giving one back."""
        return {
            pool_id
            for pool_id, (change, _) in self._changes.items()
            if isinstance(change, ProvisionCidr | DeprovisionCidr)
        }

    def not_yet(self, now: float) -> dict[str, tuple[Block, ...]]:
        """Return the pools whose new CIDR cannot be ready yet, with what they held before: they need not be read."""
        return {
            pool_id: change.pool.blocks
            for pool_id, (change, began) in self._changes.items()
            if isinstance(change, ProvisionCidr) and now - began < self._first_look_s(change) - self.ROUNDING_S
        }

    @property
    def parents(self) -> set[str]:
        return {parent for change, _ in self._changes.values() if (parent := parent_of(change)) is not None}

    def next_look_s(self, now: float) -> float | None:
        """Return in how many seconds the first of them should end, judged by earlier ones; None: there is none."""
        return min((self._next_s(change, began, now) for change, began in self._changes.values()), default=None)

    def _next_s(self, change: PoolChange, began: float, now: float) -> float:
        spacing = pace.SPACING if type(change) in self._took else pace.SPACING_UNKNOWN
        return pace.wait_s(self._first_look_s(change), spacing, lasted_s=now - began, looked_s=now - self._looked)

    def _first_look_s(self, change: PoolChange) -> float:
        took = self._took.get(type(change), ())
        leaves = sum(_is_leaf(one) for one, _ in self._changes.values()) if _is_leaf(change) else 1
        return pace.first_look_s(took, list(chain.from_iterable(self._took.values())), leaves)


def _has_ended(change: PoolChange, pool: ExistingPool | None) -> bool:
    """Return whether the change has ended, as far as an idle pool shows: a list may be older than the change. So what
    an earlier change of the kind has left failed tells nothing."""
    match change:
        case CreatePool():
            return pool is not None
        case ProvisionCidr():
            return pool is None or bool(_cidr_ids(pool) - _cidr_ids(change.pool))
        case DeprovisionCidr():
            # An idle pool that still holds the CIDR is one that a list shows as it was before, or AWS did not do it.
            failed = NOT_TAKEN_BACK
            shown = _state_of(change.cidr, pool) if pool else ""
            return not shown or (shown == failed and _state_of(change.cidr, change.pool) != failed)
        case DeletePool():
            return pool is None or (pool.state == DELETE_FAILED and change.pool.state != pool.state)
        case ModifyPool():
            return pool is None or pool.state != MODIFY_FAILED or change.pool.state != pool.state
        case _:
            return True


def _state_of(cidr: IPv4Network, pool: ExistingPool) -> str:
    return next((block.state for block in pool.held if block.cidr == cidr), "")


def _cidr_ids(pool: ExistingPool) -> set[str]:
    return {block.cidr_id for block in pool.blocks}


def _is_leaf(change: PoolChange) -> bool:
    key = change.key if isinstance(change, CreatePool) else change.pool.key
    return key is not None and bool(key.environment)
