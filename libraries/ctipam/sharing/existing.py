"""The shares that exist in AWS RAM, with the status of each association."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from ctipam import names

THERE = frozenset({"ASSOCIATED", "SUSPENDED"})
COMING = frozenset({"ASSOCIATING", "RESTORING"})
GOING = frozenset({"DISASSOCIATING", "SUSPENDING"})
"""https://docs.aws.amazon.com/ram/latest/APIReference/API_ResourceShareAssociation.html"""

BEST_FIRST = ("ASSOCIATED", "SUSPENDED", "ASSOCIATING", "RESTORING", "DISASSOCIATING", "SUSPENDING", "FAILED")
"""An entity that was taken away and given back is listed twice; the one that counts is the first of these."""


@dataclass(frozen=True)
class Share:
    """A share of this solution, with the status of each association that AWS lists.

    settled    it has our tag and admits nobody from outside the organization, as those of earlier versions do not
    pools      ARN -> status; likewise principals, which ought to be the account alone
    messages   why an association FAILED, by ARN or principal
    """

    arn: str
    account_id: str
    created: datetime
    settled: bool = True
    pools: Mapping[str, str] = field(default_factory=dict)
    principals: Mapping[str, str] = field(default_factory=dict)
    messages: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return names.share_name(self.account_id)

    @property
    def present(self) -> set[str]:
        """The pools that the account has through it, or will have in a moment."""
        return {pool for pool, status in self.pools.items() if status in THERE | COMING}
