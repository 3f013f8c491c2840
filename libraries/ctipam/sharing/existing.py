"""The shares that exist in AWS RAM, with the status of each association."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from ctipam import names

ADDED = frozenset({"ASSOCIATED", "SUSPENDED"})
ADDING = frozenset({"ASSOCIATING", "RESTORING"})
REMOVING = frozenset({"DISASSOCIATING", "SUSPENDING"})
"""https://docs.aws.amazon.com/ram/latest/APIReference/API_ResourceShareAssociation.html"""

BEST_FIRST = ("ASSOCIATED", "SUSPENDED", "ASSOCIATING", "RESTORING", "DISASSOCIATING", "SUSPENDING", "FAILED")
"""AWS lists an entity that was removed and added again twice. The first of these statuses counts."""


@dataclass(frozen=True)
class Share:
    """A share of this solution, with the status of each association that AWS lists.

    settled      it has our tag and name, and is closed to accounts outside the organization, unlike shares of earlier
                 versions, and shares that somebody has changed
    pools        ARN -> status
    principals   account id -> status; the account alone, unless somebody has changed the share
    messages     why an association FAILED, by ARN or principal
    tags         all tags of the share
    has_failed   AWS says so of the share itself
    """

    arn: str
    account_id: str
    created: datetime
    settled: bool = True
    pools: Mapping[str, str] = field(default_factory=dict)
    principals: Mapping[str, str] = field(default_factory=dict)
    messages: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    has_failed: bool = False

    @property
    def is_useless(self) -> bool:
        """Whether AWS could not create it. What AWS does with such a share is not documented."""
        return self.has_failed and not ADDED & set(self.pools.values())

    @property
    def name(self) -> str:
        return names.share_name(self.account_id)

    @property
    def stack_id(self) -> str:
        """Return the ARN of the stack that created or adopted it; empty for a share of an earlier version."""
        return self.tags.get(names.STACK_TAG, "")

    @property
    def present(self) -> set[str]:
        """Return the pools that the account has through this share, or will have in a moment."""
        return {pool for pool, status in self.pools.items() if status in ADDED | ADDING}
