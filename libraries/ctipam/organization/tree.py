"""OUs and accounts, and where they are in the organization."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class OrganizationalUnit:
    ou_id: str
    name: str


UNUSABLE = frozenset({"PENDING_ACTIVATION", "SUSPENDED", "PENDING_CLOSURE", "CLOSED"})
"""States in which nobody can use an account. Of a state that AWS may add, nothing is known.
https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_accounts_account_state.html"""

OuPath = tuple[OrganizationalUnit, ...]
"""An OU and its parent OUs, the nearest first, without the root."""


@dataclass(frozen=True)
class AccountLocation:
    """The OUs of an account.

    state     ACTIVE, SUSPENDED, PENDING_CLOSURE, ...
    joined    when it joined the organization
    ou_path   its OUs, the nearest first, without the root; only as many as the caller asked for
    name      empty if it is not known
    """

    account_id: str
    state: str
    joined: datetime | None = None
    ou_path: OuPath = ()
    name: str = ""


@dataclass(frozen=True)
class OrganizationTree:
    """All OUs and accounts below the root, or of one OU and its nested OUs."""

    ous: tuple[OrganizationalUnit, ...]
    locations: tuple[AccountLocation, ...]
