"""When to look at a change again, learned from how long AWS took for earlier ones.

Too early costs a call, too late costs time. A wait that does not fit into the invocation is cut short (`waiting.Pace`),
and the next invocation begins with a look and knows nothing of earlier ones.
"""

from __future__ import annotations

from collections.abc import Sequence

EARLY = 0.88
"""The part of the quickest known duration after which another change may have ended. The more durations are known, the
less it is likely to be quicker than all of them."""

UNKNOWN_S, LATEST_UNKNOWN_S = 2.0, 4.0
"""After how many seconds the first change of its kind is looked at if nothing at all is known; and at the latest, if
changes of other kinds took longer."""

SPACING, SPACING_UNKNOWN = 0.085, 0.15
"""Between the beginnings of two looks at a change: this part of the time that it has lasted so far. The second number
holds until a change of its kind has ended."""

SHORTEST_S, LONGEST_S = 0.3, 5.0
"""But no less and no more than this."""

LONGEST_WAIT_S = 30.0
"""Until any look, because AWS may be quicker than before."""


def first_look_s(took: Sequence[float], of_other_kinds: Sequence[float], leaves: int) -> float:
    """Return how many seconds after its beginning a change is looked at for the first time.

    took             seconds that earlier changes of the same kind took
    of_other_kinds   the same of others, which tell as long as there are none
    leaves           if no pool is below the one that changes: how many such pools are changing. The next changes rather
                     wait for the last of them. Otherwise 1
    """
    if not took:
        return min(EARLY * min(of_other_kinds), LATEST_UNKNOWN_S) if of_other_kinds else UNKNOWN_S
    quickest = min(took) * (1 - (1 - EARLY) / (len(took) + 1))
    return quickest + (max(took) - quickest) * (1 - 1 / leaves) / 2


def wait_s(first_look_s: float, spacing: float, lasted_s: float, looked_s: float) -> float:
    """Return in how many seconds to look at a change.

    first_look_s   how many seconds after its beginning it is looked at for the first time
    spacing        SPACING or SPACING_UNKNOWN
    lasted_s       how many seconds ago it began
    looked_s       how many seconds ago the last look began, at whatever change
    """
    apart = min(max(SHORTEST_S, spacing * lasted_s), LONGEST_S)
    return min(max(first_look_s - lasted_s, apart - looked_s, 0.0), LONGEST_WAIT_S)
