"""OUs and accounts, and where they are in the organization."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class OrganizationalUnit:
    ou_id: str
    name: str


OuPath = tuple[OrganizationalUnit, ...]
"""An OU and those that it is in, the nearest first, without the root."""


@dataclass(frozen=True)
class AccountLocation:
    """Where an account is.

    state   ACTIVE, SUSPENDED, PENDING_CLOSURE, ...
    joined  when it joined the organization
    units   its OUs, the nearest first, without the root; only as many as were asked for
    """

    account_id: str
    state: str
    joined: datetime | None = None
    units: OuPath = ()


@dataclass(frozen=True)
class OrganizationTree:
    """All OUs and accounts below the root, or below one OU and with it."""

    units: tuple[OrganizationalUnit, ...]
    places: tuple[AccountLocation, ...]
