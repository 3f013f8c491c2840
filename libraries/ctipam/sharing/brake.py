"""Decides whether a run may take pools away. A mistake in the organization must not unshare the pools of everybody."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from ctipam.phrases import numbered, some

NAMED = 3
"""How many accounts and causes the message names."""


@dataclass(frozen=True)
class Brake:
    """limit     how many accounts may lose pools in one run
    permitted   somebody has allowed this run to take pools from any number of accounts
    """

    limit: int
    permitted: bool = False

    def holds(self, losers: int) -> bool:
        return not self.permitted and losers > self.limit


def held_back(losers: Mapping[str, str], limit: int) -> str:
    """Return what a run did not do, and the way out. losers: account -> why it would lose pools."""
    named = some(sorted(losers), NAMED)
    causes = "; ".join(f"{why} ({count})" for why, count in Counter(losers.values()).most_common(NAMED))
    return (
        f"{numbered(len(losers), 'account')} would lose pools, more than UnshareLimit ({limit}), so none was taken "
        f"away: {named}. Cause: {causes}. If that is right, run `make reconcile unshare=yes` once."
    )
