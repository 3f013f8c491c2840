"""Compares the shares of an account with its spec."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from ctipam.sharing.existing import ADDED, ADDING, REMOVING, Share
from ctipam.sharing.spec import ShareSpec
from ctipam.tags import TagChanges

NO_TAG_CHANGES = TagChanges({}, ())


@dataclass(frozen=True)
class CreateShare:
    account_id: str
    pools: tuple[str, ...]


@dataclass(frozen=True)
class AdoptShare:
    """Tag a share as ours, give it our name, and close it to accounts outside the organization.

    tags   changes of tags, besides the one with the account
    """

    share: Share
    tags: TagChanges = NO_TAG_CHANGES


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
    """apply_now     changes that can be applied now
    in_progress   AWS has not finished earlier changes, so more changes may follow
    """

    apply_now: tuple[ShareChange, ...] = ()
    in_progress: bool = False


def share_changes(
    spec: ShareSpec, shares: Sequence[Share], tags_of: Callable[[Share], TagChanges] = lambda _share: NO_TAG_CHANGES
) -> ShareChanges:
    """Return what brings the account's shares to the spec.

    The oldest share is kept, unless AWS could not create it. Pools and other shares are removed only after it holds all
    pools of the spec. What the spec keeps is not removed at all.

    tags_of   returns the tag changes that a share needs
    """
    if spec.left_alone:
        return ShareChanges()
    changes = _changes_of_usable(spec, [share for share in shares if not share.is_useless], tags_of)
    useless = [DeleteShare(share) for share in shares if share.is_useless]
    return replace(changes, apply_now=(*changes.apply_now, *useless))


def _changes_of_usable(
    spec: ShareSpec, shares: Sequence[Share], tags_of: Callable[[Share], TagChanges]
) -> ShareChanges:
    oldest_first = sorted(shares, key=lambda share: (share.created, share.arn))
    if not spec.pools:
        marker = next((share for share in oldest_first if spec.keeps_share and share.settled), None)
        staying = [share for share in oldest_first if share is marker or share.present & spec.kept]
        coming = any(
            status in ADDING for share in staying for pool, status in share.pools.items() if pool not in spec.kept
        )
        return ShareChanges(_reduced(oldest_first, staying, spec, tags_of), in_progress=coming)
    ready = {pool.arn for pool in spec.pools if pool.ready}
    if not oldest_first:
        missing = tuple(sorted(ready))
        creation: tuple[ShareChange, ...] = (CreateShare(spec.account_id, missing),) if missing else ()
        return ShareChanges(creation, in_progress=len(ready) < len(spec.pools))
    kept, *surplus = oldest_first
    wanted = {pool.arn for pool in spec.pools}
    added = _to_add(kept, wanted & ready, {spec.account_id})
    complete = _all_added(kept.pools, wanted) and _all_added(kept.principals, {spec.account_id})
    removed = _to_remove(kept, wanted | spec.kept, {spec.account_id}) if complete else ()
    there = {pool for pool, status in kept.pools.items() if status in ADDED}
    staying = [share for share in surplus if not share.present & spec.kept <= there]
    reduced = _reduced(surplus, staying, spec, tags_of) if complete else ()
    in_progress = not complete or any(
        status in ADDING | REMOVING for status in (*kept.pools.values(), *kept.principals.values())
    )
    return ShareChanges((*_to_adopt(kept, tags_of), *added, *removed, *reduced), in_progress)


def _reduced(
    shares: Sequence[Share], staying: Collection[Share], spec: ShareSpec, tags_of: Callable[[Share], TagChanges]
) -> tuple[ShareChange, ...]:
    """Delete shares but those that stay, in which only pools are left that the account is to have or keeps."""
    pools = {pool.arn for pool in spec.pools} | spec.kept
    changes: list[ShareChange] = []
    for share in shares:
        if share in staying:
            changes += [*_to_adopt(share, tags_of), *_to_remove(share, pools, {spec.account_id})]
        else:
            changes.append(DeleteShare(share))
    return tuple(changes)


def _to_adopt(share: Share, tags_of: Callable[[Share], TagChanges]) -> tuple[ShareChange, ...]:
    tags = tags_of(share)
    return () if share.settled and not tags else (AdoptShare(share, tags),)


def _all_added(statuses: Mapping[str, str], wanted: Collection[str]) -> bool:
    return all(statuses.get(entity) in ADDED for entity in wanted)


def _to_add(share: Share, pools: set[str], principals: set[str]) -> tuple[ShareChange, ...]:
    blocked = ADDED | ADDING | REMOVING  # an entity that is being removed can be added again in a later round
    new_pools = tuple(sorted(pool for pool in pools if share.pools.get(pool) not in blocked))
    new_principals = tuple(sorted(one for one in principals if share.principals.get(one) not in blocked))
    return (Associate(share, new_pools, new_principals),) if new_pools or new_principals else ()


def _to_remove(share: Share, pools: set[str], principals: set[str]) -> tuple[ShareChange, ...]:
    """Return what takes everything else out of the share.

    An association that FAILED is left. AWS documents nothing that it keeps: no access, no quota, and nothing that
    prevents a later association or the deletion of the share. To ask for its end might be refused in every run.
    """
    old_pools = tuple(sorted(pool for pool, status in share.pools.items() if status in ADDED and pool not in pools))
    strangers = tuple(
        sorted(one for one, status in share.principals.items() if status in ADDED and one not in principals)
    )
    return (Disassociate(share, old_pools, strangers),) if old_pools or strangers else ()
