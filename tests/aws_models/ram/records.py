"""A share and its associations, and how they change with time."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from aws_models.organization import Caller

AssociationType = Literal["RESOURCE", "PRINCIPAL"]

START = datetime(2026, 1, 1, tzinfo=UTC)  # what the models' clock calls zero

# Numbers count shares and associations in the order of their making. Times are the clock's seconds.


@dataclass(frozen=True)
class Change:
    """A future status, and when it applies."""

    at: float
    status: str
    message: str | None = None


@dataclass
class Association:
    share: Share
    number: int
    type: AssociationType
    entity: str  # ARN of a pool, or id of an account
    external: bool
    status: str
    created: float
    updated: float
    message: str | None = None
    change: Change | None = None

    def begin(self, status: str, now: float, change: Change) -> None:
        self.status, self.message, self.updated, self.change = status, None, now, change

    def status_at(self, now: float) -> str:
        change = self.change
        return change.status if change and change.at <= now else self.status

    def settle(self, now: float) -> None:
        if self.change and self.change.at <= now:
            self.status, self.message, self.updated = self.change.status, self.change.message, self.change.at
            self.change = None

    def shown(self) -> dict[str, Any]:
        shown = {
            "resourceShareArn": self.share.arn,
            "resourceShareName": self.share.name,
            "associatedEntity": self.entity,
            "associationType": self.type,
            "status": self.status,
            "external": self.external,
            **times(self),
        }
        return shown | ({"statusMessage": self.message} if self.message else {})


@dataclass
class Share:
    number: int
    arn: str
    name: str
    home: Caller  # the owner, and the Region in which it was made
    allow_external: bool
    tags: dict[str, str]
    created: float
    updated: float
    status: str = "ACTIVE"
    message: str | None = None
    change: Change | None = None
    associations: list[Association] = field(default_factory=list)

    def begin(self, status: str, change: Change) -> None:
        self.status, self.change = status, change

    def settle(self, now: float) -> None:
        if self.change and self.change.at <= now:
            self.status, self.message, self.updated = self.change.status, self.change.message, self.change.at
            self.change = None

    def association(self, type_: AssociationType, entity: str) -> Association | None:
        return next((one for one in self.associations if (one.type, one.entity) == (type_, entity)), None)

    def associated(self, type_: AssociationType, now: float) -> list[str]:
        """Return the pools, or the accounts, for which the share is in effect."""
        associations = list(self.associations)  # a copy, since pools_shared_with has no lock
        return [one.entity for one in associations if one.type == type_ and one.status_at(now) == "ASSOCIATED"]

    def shown(self, reader: str) -> dict[str, Any]:
        """reader   account id; unverified: only the owner sees the tags"""
        shown = {
            "resourceShareArn": self.arn,
            "name": self.name,
            "owningAccountId": self.home.account_id,
            "allowExternalPrincipals": self.allow_external,
            "status": self.status,
            "featureSet": "STANDARD",
            **times(self),
        }
        shown |= {"statusMessage": self.message} if self.message else {}
        tags = [{"key": key, "value": value} for key, value in self.tags.items()]
        return shown | ({"tags": tags} if reader == self.home.account_id else {})


def times(thing: Share | Association) -> dict[str, datetime]:
    created, updated = (START + timedelta(seconds=seconds) for seconds in (thing.created, thing.updated))
    return {"creationTime": created, "lastUpdatedTime": updated}
