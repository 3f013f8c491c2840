"""What an update changes, as `make preview` shows it. Pure: nothing here calls AWS."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Literal

from ctipam import names
from ctipam.organization.environments import EnvironmentOu
from ctipam.pools import record
from ctipam.pools.existing import Allocation, ExistingPool
from ctipam.pools.recognition import has_lost_environment
from ctipam.pools.reserved import reservation_changes, wanted_reservations
from ctipam.pools.spec import PoolKey, PoolSpec, VpcSizes
from ctipam.sharing.results import AccountResult
from ctipam.sharing.spec import SharedPool

Action = Literal["add", "change", "remove"]

UNSEEN_TAGS = frozenset({names.STACK_TAG_KEYS_TAG, names.RESERVED_TAG, names.PREPARING_TAG, names.GROWTH_TAG})
"""Tags by which the functions remember something, besides the record of the CIDRs. They are nobody else's concern."""


@dataclass(frozen=True)
class Change:
    """One property of something. before, after: empty if it has none. drift: this part of a change corrects drift"""

    what: str
    before: str
    after: str
    drift: bool = False


@dataclass(frozen=True)
class Difference:
    """What becomes of a pool, of the IPAM or of a parameter.

    name          us-west-2/Prod OU, for example
    resource_id   in AWS; empty: it does not exist yet, or it is a parameter
    cidrs         of a pool that is added or removed
    drift         it corrects what somebody has changed by hand, whatever the parameters
    """

    action: Action
    name: str
    resource_id: str = ""
    cidrs: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()
    drift: bool = False


@dataclass(frozen=True)
class AccountDifference:
    """Which pools an account gains and loses, by their names, and why it has none."""

    action: Action
    account_id: str
    environment: str
    gains: tuple[str, ...]
    loses: tuple[str, ...]
    reason: str = ""


@dataclass(frozen=True)
class Preview:
    """What an update would do.

    refused   why it would be refused, a sentence each; then nothing else is known but the parameters
    drift     what differs from the present parameters, and is left as it is
    notes     what somebody should know, a sentence each
    hindered  why an update of the pools would be refused, though this one does not touch them, a sentence each
    """

    stack: str
    new: bool
    parameters: tuple[Difference, ...] = ()
    ipam: tuple[Difference, ...] = ()
    pools: tuple[Difference, ...] = ()
    accounts: tuple[AccountDifference, ...] = ()
    drift: tuple[Difference | AccountDifference, ...] = ()
    notes: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    hindered: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """Return 1 if the update would be refused, 2 if it would change something, else 0."""
        if self.refused:
            return 1
        return 2 if self.new or self.parameters or self.ipam or self.pools or self.accounts else 0


def pool_differences(
    spec: PoolSpec,
    before: Sequence[ExistingPool],
    after: Sequence[ExistingPool],
    reservable: Mapping[str, Sequence[Allocation]],
) -> tuple[Difference, ...]:
    """Return what becomes of each pool of this solution, in the order of the spec.

    reservable   what is allocated, by pool id, of pools in which something is, or should be, reserved
    """
    names_of = names_by_id(before, after)
    old = {pool.pool_id: pool for pool in before if pool.key}
    new = {pool.pool_id: pool for pool in after if pool.key}
    order = {key: number for number, key in enumerate(spec.pools)}
    kept = sorted(new.values(), key=lambda pool: order.get(pool.key, len(order)) if pool.key else 0)
    found = [
        _difference(spec, names_of[pool.pool_id], old.get(pool.pool_id), pool, reservable.get(pool.pool_id, ()))
        for pool in kept
    ]
    removed = [pool for pool_id, pool in old.items() if pool_id not in new]
    removed.sort(key=lambda pool: str(pool.key))
    return (
        *(one for one in found if one),
        *(Difference("remove", names_of[pool.pool_id], pool.pool_id, _cidrs(pool)) for pool in removed),
    )


def names_by_id(before: Sequence[ExistingPool], after: Sequence[ExistingPool]) -> dict[str, str]:
    """Return the names of our pools, as they are before the update if they exist."""
    return {**_names(after), **_names(before)}


def _names(pools: Sequence[ExistingPool]) -> dict[str, str]:
    """Return the names of our pools. One that has lost its environment's tag has a Region's key: its name says so."""
    without = f", a pool without its tag {names.POOL_ENVIRONMENT_TAG}"
    return {
        pool.pool_id: f"{pool.key}{without if has_lost_environment(pool, pools) else ''}" for pool in pools if pool.key
    }


def _difference(
    spec: PoolSpec, name: str, old: ExistingPool | None, new: ExistingPool, allocations: Sequence[Allocation]
) -> Difference | None:
    reserved = tuple(_reservations(spec, new, allocations))
    if old is None:
        return Difference("add", name, cidrs=_cidrs(new), changes=reserved)
    changes = (*_blocks(old, new), *_rules(old, new), *_tags(old.tags, new.tags), *reserved)
    return Difference("change", name, new.pool_id, changes=changes) if changes else None


def _cidrs(pool: ExistingPool) -> tuple[str, ...]:
    return tuple(str(block.cidr) for block in pool.held)


def _blocks(old: ExistingPool, new: ExistingPool) -> Iterator[Change]:
    before, after = _cidrs(old), _cidrs(new)
    yield from (Change("CIDR", "", cidr) for cidr in after if cidr not in before)
    yield from (Change("CIDR", cidr, "") for cidr in before if cidr not in after)


def _rules(old: ExistingPool, new: ExistingPool) -> Iterator[Change]:
    compared = (
        ("description", old.description, new.description),
        ("tags that a VPC must carry", _joined(old.allocation_tags), _joined(new.allocation_tags)),
        ("sizes of VPCs", _sizes(old.vpc_sizes), _sizes(new.vpc_sizes)),
        ("import of existing VPCs", _on(old.auto_import), _on(new.auto_import)),
    )
    yield from (Change(what, before, after) for what, before, after in compared if before != after)


def _joined(tags: Mapping[str, str]) -> str:
    return ", ".join(f"{key}={value}" for key, value in sorted(tags.items()))


def _sizes(sizes: VpcSizes | None) -> str:
    return f"/{sizes.default}, from /{sizes.minimum} to /{sizes.maximum}" if sizes else ""


def _on(value: bool) -> str:
    return "on" if value else "off"


def _tags(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[Change]:
    unseen = UNSEEN_TAGS | {*record.record_keys(old), *record.record_keys(new)}
    for key in sorted({*old, *new} - unseen):
        if old.get(key) != new.get(key):
            yield Change(f"tag {key}", old.get(key, ""), new.get(key, ""))


def _reservations(spec: PoolSpec, pool: ExistingPool, allocations: Sequence[Allocation]) -> Iterator[Change]:
    if pool.key is None:
        return
    wanted = wanted_reservations(spec, pool.key, (block.cidr for block in pool.held))
    changes = reservation_changes(spec, wanted, allocations)
    yield from (Change("reserved", "", str(cidr)) for cidr in changes.add)
    yield from (Change("reserved", str(one.cidr), "") for one in changes.release)


def notes_on_blocks(pools: Iterable[ExistingPool]) -> list[str]:
    """Return a sentence for each CIDR that is in no declared size of a pool: it was given by hand, or by growth."""
    notes = []
    for pool in pools:
        recorded = record.read(pool.tags)
        own: list[IPv4Network] = [block.cidr for block in pool.held if not recorded.has(block.cidr)] if pool.key else []
        notes += [f"{pool.key} also has {cidr}, by hand or by growth; it stays." for cidr in own]
    return notes


def notes_on_renamed(before: Iterable[ExistingPool], found: Iterable[EnvironmentOu]) -> list[str]:
    """Return a sentence for each OU that is an environment already, under the name that it had then."""
    known = {pool.tags.get(names.OU_TAG, ""): pool.key.environment for pool in before if pool.key}
    return [
        f"OU {one.ou.name!r} is environment {known[one.ou.ou_id]!r}, whose pools would be replaced. To keep them, keep "
        f"the name {known[one.ou.ou_id]!r} in AccEnvName (ENVS)."
        for one in found
        if one.ou and known.get(one.ou.ou_id, one.environment) != one.environment
    ]


def environments_after(pools: Iterable[ExistingPool], pool_arn: str) -> dict[str, list[SharedPool]]:
    """Return the environment pools as sharing will find them. pool_arn: the ARN of a pool up to its id."""
    found: dict[str, list[SharedPool]] = {}
    for pool in pools:
        key = pool.key or _key_of_lost(pool)
        if key and key.environment:
            required = pool.allocation_tags.get(names.ENVIRONMENT_TAG, "")
            ou_id = pool.tags.get(names.OU_TAG, "")
            shared = SharedPool(pool_arn + pool.pool_id, key.region, True, ou_id, required)
            found.setdefault(key.environment, []).append(shared)
    return found


def _key_of_lost(pool: ExistingPool) -> PoolKey | None:
    """Return what a pool that stays, because it has lost the tag that marks it as ours, is to sharing."""
    if not pool.ready or names.PREPARING_TAG in pool.tags:
        return None
    return PoolKey(pool.tags.get(names.REGION_TAG, ""), pool.tags.get(names.POOL_ENVIRONMENT_TAG, ""))


def account_differences(
    results: Iterable[AccountResult], pool_names: Mapping[str, str]
) -> tuple[AccountDifference, ...]:
    """Return the accounts that gain or lose pools. pool_names: by ARN"""
    return tuple(_of_account(one, pool_names) for one in results if one.added or one.removed)


def _of_account(result: AccountResult, pool_names: Mapping[str, str]) -> AccountDifference:
    spec = result.spec
    action: Action = "change"
    if len(result.added) == len(spec.pools) and not result.removed:
        action = "add"
    elif not spec.pools:
        action = "remove"
    gains, loses = (_named(arns, pool_names) for arns in (result.added, result.removed))
    return AccountDifference(action, spec.account_id, spec.environment, gains, loses, spec.reason)


def _named(arns: Collection[str], pool_names: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(sorted(pool_names.get(arn, arn.rpartition("/")[2]) for arn in arns))


def parameter_differences(old: Mapping[str, str], new: Mapping[str, str]) -> tuple[Difference, ...]:
    """Return the parameters that change, in the order of the template."""
    changed = [name for name in new if _compared(new[name]) != _compared(old.get(name, ""))]
    return tuple(Difference("change", name, changes=(Change("", old.get(name, ""), new[name]),)) for name in changed)


def _compared(value: str) -> str:
    """Return a value without spaces around the members of a list, which make no difference."""
    return ",".join(item.strip() for item in value.split(","))
