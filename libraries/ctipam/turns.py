"""Whose turn it is, where AWS takes one change at a time.

IPAM refuses a change while another one is under way (ConcurrentMutationLimitExceeded), and does not say how far that
reaches: to the pools of one parent, or to the whole scope. So everything that can be done is tried at once, and what
is refused teaches how much to try from then on. https://github.com/aws-ia/terraform-aws-ipam/issues/55
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

from ctipam.difference import Create, Delete, Deprovision, Modify, Note, Pool, Provision, Step


class Reach(IntEnum):
    """How far a change under way excludes others."""

    NOTHING = 0
    SIBLINGS = 1
    SCOPE = 2


def parent_of(step: Step) -> str | None:
    """The pool under which a step changes something; None for a tag, which excludes nothing."""
    if isinstance(step, Note):
        return None
    return step.source_pool_id if isinstance(step, Create) else step.pool.source_pool_id


def busy_parents(pools: Sequence[Pool]) -> list[str]:
    """The parents of the pools with a change under way, each as often as it has one."""
    return [pool.source_pool_id for pool in pools if pool.busy]


URGENCY: tuple[type[Step] | tuple[type[Step], ...], ...] = ((Deprovision, Delete), Provision, (Modify, Note), Create)


class Turns:
    def __init__(self) -> None:
        self.reach = Reach.NOTHING

    def choose(self, steps: Sequence[Step], busy: Sequence[str]) -> list[Step]:
        """What to try now: everything, one step for each idle parent, or one step while nothing is under way."""
        chosen = [step for step in steps if parent_of(step) is None]
        taken = set(busy)
        for step in sorted(steps, key=_urgency):
            parent = parent_of(step)
            if parent is None or (self.reach is Reach.SIBLINGS and parent in taken):
                continue
            if self.reach is Reach.SCOPE and taken:
                continue
            taken.add(parent)
            chosen.append(step)
        return chosen

    def learn(self, accepted: Sequence[Step], refused: Sequence[Step], busy: Sequence[str]) -> None:
        """Widen the reach if a change of ours explains a refusal; somebody else's only has to be waited for."""
        under_way = [*busy, *(parent for step in accepted if (parent := parent_of(step)))]
        for step in refused:
            if parent_of(step) in under_way:
                self.reach = max(self.reach, Reach.SIBLINGS)
            elif under_way:
                self.reach = Reach.SCOPE


def _urgency(step: Step) -> int:
    """Space is freed before it is given; a Region gets its block, for which others wait, before the next is created."""
    return next(rank for rank, kinds in enumerate(URGENCY) if isinstance(step, kinds))
