"""What brings an account's shares to its spec."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ctipam.sharing.existing import COMING, GOING, THERE, Share
from ctipam.sharing.spec import ShareSpec


@dataclass(frozen=True)
class CreateShare:
    account_id: str
    pools: tuple[str, ...]


@dataclass(frozen=True)
class AdoptShare:
    """Tag a share that an earlier version made, and close it to accounts outside the organization."""

    share: Share


@dataclass(frozen=True)
class Associate:
    share: Share
    pools: tuple[str, ...]
    principals: tuple[str, ...]


@dataclass(frozen=True)
class Disassociate:
    share: Share
    pools: tuple[str, ...]
    principals: tuple[str, ...]


@dataclass(frozen=True)
class DeleteShare:
    share: Share


ShareChange = CreateShare | AdoptShare | Associate | Disassociate | DeleteShare


@dataclass(frozen=True)
class ShareChanges:
    """What can be done now; moving: AWS is not finished with something, so there may be more to do after that."""

    steps: tuple[ShareChange, ...] = ()
    moving: bool = False


def share_changes(decision: ShareSpec, shares: Sequence[Share]) -> ShareChanges:
    """What brings the account's shares to the decision.

    The oldest share is kept, and holds everything before anything is taken away or a second share is deleted.
    """
    if decision.left_alone:
        return ShareChanges()
    oldest_first = sorted(shares, key=lambda share: (share.created, share.arn))
    if not decision.pools:
        return ShareChanges(tuple(DeleteShare(share) for share in oldest_first))
    ready = {pool.arn for pool in decision.pools if pool.ready}
    if not oldest_first:
        missing = tuple(sorted(ready))
        steps: tuple[ShareChange, ...] = (CreateShare(decision.account_id, missing),) if missing else ()
        return ShareChanges(steps, moving=len(ready) < len(decision.pools))
    kept, *surplus = oldest_first
    wanted = {pool.arn for pool in decision.pools}
    adopt: tuple[ShareChange, ...] = () if kept.settled else (AdoptShare(kept),)
    added = _added(kept, wanted & ready, {decision.account_id})
    complete = _all_there(kept.pools, wanted) and _all_there(kept.principals, {decision.account_id})
    removed = _removed(kept, wanted, {decision.account_id}) if complete else ()
    deleted = tuple(DeleteShare(share) for share in surplus) if complete else ()
    moving = not complete or any(
        status in COMING | GOING for status in (*kept.pools.values(), *kept.principals.values())
    )
    return ShareChanges((*adopt, *added, *removed, *deleted), moving)


def _all_there(statuses: Mapping[str, str], wanted: Collection[str]) -> bool:
    return all(statuses.get(entity) in THERE for entity in wanted)


def _added(share: Share, pools: set[str], principals: set[str]) -> tuple[ShareChange, ...]:
    blocked = THERE | COMING | GOING  # what is going can come back when it is gone, in a later round
    new_pools = tuple(sorted(pool for pool in pools if share.pools.get(pool) not in blocked))
    new_principals = tuple(sorted(one for one in principals if share.principals.get(one) not in blocked))
    return (Associate(share, new_pools, new_principals),) if new_pools or new_principals else ()


def _removed(share: Share, pools: set[str], principals: set[str]) -> tuple[ShareChange, ...]:
    old_pools = tuple(sorted(pool for pool, status in share.pools.items() if status in THERE and pool not in pools))
    strangers = tuple(
        sorted(one for one, status in share.principals.items() if status in THERE and one not in principals)
    )
    return (Disassociate(share, old_pools, strangers),) if old_pools or strangers else ()
