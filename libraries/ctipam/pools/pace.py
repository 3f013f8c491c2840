"""When to look at a change again, learned from how long AWS took for earlier ones.

Too early costs a call, too late costs time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

EARLY = 0.88
"""The part of the quickest known duration after which another change may have ended. The more durations are known, the
less it is likely to be quicker than all of them."""

UNKNOWN_S, LATEST_UNKNOWN_S = 3.0, 4.0
"""Of the first change of its kind: how long it is taken to last if nothing at all is known, and when it is looked at
even if changes of other kinds took longer."""

SPACING_S, GROWTH, LONGEST_S = 0.35, 0.03, 5.0
"""Between the beginnings of two looks, and how much more for each second that a change is overdue."""

LONGEST_WAIT_S = 30.0
"""Until any look, because an invocation ends before a wait for which its time does not suffice."""


def first_look_s(took: Sequence[float], of_other_kinds: Iterable[float], leaves: int) -> float:
    """Return how many seconds after its beginning a change is looked at for the first time.

    took             seconds that earlier changes of the same kind took
    of_other_kinds   the same of others, which tell as long as there are none
    leaves           if no pool is below the one that changes: how many such pools are changing. The next changes rather
                     wait for the last of them. Otherwise 1
    """
    if not took:
        return min(EARLY * min(of_other_kinds, default=UNKNOWN_S), LATEST_UNKNOWN_S)
    quickest = min(took) * (1 - (1 - EARLY) / (len(took) + 1))
    return quickest + (max(took) - quickest) * (1 - 1 / leaves) / 2


def spacing_s(overdue_s: float) -> float:
    """Return how many seconds lie between the beginnings of two looks at a change that should have ended."""
    return min(SPACING_S + GROWTH * overdue_s, LONGEST_S)
