"""Completes RAM's lists by what a run has made itself, because RAM may list it late."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

from ctipam.sharing.existing import Share
from ctipam.waiting import LISTED_LATE_S


@dataclass
class Accepted:
    """What RAM has accepted from a run to add, for one account.

    created     the last share that the run has created
    added       (ARN of a share, pool or account) -> when, in seconds since 1970; not what was removed since
    requested   (ARN of a share, pool or account), also what was removed since; for the account's present place only
    given       pools, wherever the account was
    """

    created: Share | None = None
    added: dict[tuple[str, str], float] = field(default_factory=dict)
    requested: set[tuple[str, str]] = field(default_factory=set)
    given: set[str] = field(default_factory=set)

    def note_added(self, share_arn: str, pools: Collection[str], principals: Collection[str], now: float) -> None:
        entities = [(share_arn, entity) for entity in (*pools, *principals)]
        self.added |= dict.fromkeys(entities, now)
        self.requested.update(entities)
        self.given.update(pools)

    def note_removed(self, share_arn: str, entities: Collection[str]) -> None:
        for entity in entities:
            self.added.pop((share_arn, entity), None)

    def note_deleted(self, share_arn: str) -> None:
        self.added = {key: when for key, when in self.added.items() if key[0] != share_arn}


def with_unlisted(shares: Sequence[Share], accepted: Accepted, now: float) -> list[Share]:
    """Return the shares of an account, and what RAM has accepted a moment ago and does not list yet, as being added.

    Without it, each round would create another share, or add a pool that RAM refuses to add twice.
    """
    entities: dict[str, list[str]] = {}
    for (share_arn, entity), when in accepted.added.items():
        if now - when < LISTED_LATE_S:
            entities.setdefault(share_arn, []).append(entity)
    found = list(shares)
    created = accepted.created
    if created and created.arn in entities and created.arn not in {share.arn for share in shares}:
        found.append(created)
    return [_being_added(share, entities.get(share.arn, ())) for share in found]


def _being_added(share: Share, entities: Collection[str]) -> Share:
    adding = dict.fromkeys(entities, "ASSOCIATING")
    principals = {entity: status for entity, status in adding.items() if entity == share.account_id}
    pools = {entity: status for entity, status in adding.items() if entity != share.account_id}
    return replace(share, pools={**pools, **share.pools}, principals={**principals, **share.principals})
