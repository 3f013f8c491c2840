"""What is left to change: the spec compared with the pools that exist.

Create, update, rollback, retry and delete are this one comparison, made again after every change. Whatever was done
before, by whomever and however far it came, the next changes follow from what exists now.

What is removed is removed last, when everything that is wanted exists. Only if there is no room for it, neither a free
block nor a place under the quota, is something removed first: one pool, with what is below it, at a time.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Network

from ctipam import names
from ctipam.pools.addresses import lowest_free
from ctipam.pools.existing import CIDR_HELD, ExistingPool
from ctipam.pools.spec import TOP_LEVEL, PoolKey, PoolSpec, VpcSizes
from ctipam.tags import tag_changes, with_stack_tags

Occupied = Mapping[str, Collection[IPv4Network]]
"""What is occupied of a pool, by whomever, by the pool's id."""


@dataclass(frozen=True)
class CreatePool:
    """source_pool_id   empty for the top-level pool"""

    key: PoolKey
    source_pool_id: str
    vpc_sizes: VpcSizes | None = None

    def __str__(self) -> str:
        return f"create {self.key}"


@dataclass(frozen=True)
class ProvisionCidr:
    pool: ExistingPool
    cidr: IPv4Network

    def __str__(self) -> str:
        return f"provision {self.cidr} for {self.pool.key}"


@dataclass(frozen=True)
class TagPool:
    """Set these tags on the pool and remove those keys."""

    pool: ExistingPool
    tags: Mapping[str, str]
    removed: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"tag {self.pool.key}"


@dataclass(frozen=True)
class ModifyPool:
    """Set the description and the rules for VPCs."""

    key: PoolKey
    pool: ExistingPool
    vpc_sizes: VpcSizes | None = None

    def __str__(self) -> str:
        return f"modify {self.key}"


@dataclass(frozen=True)
class DeprovisionCidr:
    pool: ExistingPool
    cidr: IPv4Network

    def __str__(self) -> str:
        return f"deprovision {self.cidr} of {self.pool.key}"


@dataclass(frozen=True)
class DeletePool:
    pool: ExistingPool

    def __str__(self) -> str:
        return f"delete {self.pool.key}"


PoolChange = CreatePool | ProvisionCidr | TagPool | ModifyPool | DeprovisionCidr | DeletePool


@dataclass(frozen=True)
class PendingChanges:
    """changes   that can be applied now
    waiting   names the pools that AWS is still busy with, and why
    """

    changes: tuple[PoolChange, ...] = ()
    waiting: tuple[str, ...] = ()

    @property
    def nothing(self) -> bool:
        return not self.changes and not self.waiting

    @property
    def nothing_but_tags(self) -> bool:
        """A tag is there as soon as AWS has accepted it, and nothing waits for it."""
        return not self.waiting and all(isinstance(change, TagPool) for change in self.changes)


def wanted_allocation_tags(key: PoolKey) -> dict[str, str]:
    """Return the tags that a VPC must carry. Only an environment's pool gives CIDRs to VPCs."""
    return {names.ENVIRONMENT_TAG: key.environment} if key.environment else {}


def wanted_vpc_sizes(spec: PoolSpec, key: PoolKey) -> VpcSizes | None:
    """Return the sizes of VPCs. A pool's rules are not inherited, so they are on the pools that VPCs draw from."""
    return replace(spec.vpc_sizes, default=spec.default_vpc) if key.environment else None


def wanted_tags(spec: PoolSpec, key: PoolKey) -> dict[str, str]:
    """Return the tags of a new pool. names.BLOCK_TAG follows when its CIDR is provisioned."""
    return with_stack_tags(_own_tags(spec, key), spec.stack_tags)


def _own_tags(spec: PoolSpec, key: PoolKey) -> dict[str, str]:
    place = {
        names.REGION_TAG: key.region,
        names.POOL_ENVIRONMENT_TAG: key.environment,
        names.OU_TAG: spec.pinned_ous.get(key.environment, ""),  # else `sharing` finds the OU and writes its id
    }
    return {
        "Name": names.pool_name(key.region, key.environment),
        names.STACK_TAG: spec.stack_id,
        **{tag: value for tag, value in place.items() if value},
    }


def kept_pools(spec: PoolSpec, pools: Sequence[ExistingPool]) -> dict[PoolKey, ExistingPool]:
    """Return the pool that stands for each wanted key.

    Of two: the one that holds a CIDR, or at least has pools below it, then the one with the lower id; and only below
    the pool that stands for the parent. An empty top-level pool of another CIDR stands for nothing.
    """
    parents = {pool.source_pool_id for pool in pools}
    candidates: dict[PoolKey, list[ExistingPool]] = {}
    for pool in sorted(pools, key=lambda pool: (pool.block is None, pool.pool_id not in parents, pool.pool_id)):
        if pool.key and pool.state not in ("create-failed", "delete-in-progress"):
            candidates.setdefault(pool.key, []).append(pool)
    kept: dict[PoolKey, ExistingPool] = {}
    for key in spec.pools:
        parent = kept.get(key.parent) if key.parent else None
        for pool in candidates.get(key, ()):
            if key.parent and parent and pool.source_pool_id == parent.pool_id:
                kept.setdefault(key, pool)
            if key == TOP_LEVEL and (pool.pool_id in parents or _has_cidr_or_none(pool, spec.top_cidr)):
                kept.setdefault(key, pool)
    return kept


def _has_cidr_or_none(pool: ExistingPool, cidr: IPv4Network) -> bool:
    return pool.block is None or pool.block.cidr == cidr


def unwanted_pools(spec: PoolSpec, pools: Sequence[ExistingPool]) -> list[ExistingPool]:
    """Return the pools of ours that are not wanted: removed Regions and environments, surplus and failed creations."""
    kept = {pool.pool_id for pool in kept_pools(spec, pools).values()}
    return [pool for pool in pools if pool.key is not None and pool.pool_id not in kept]


def is_built(spec: PoolSpec, pools: Sequence[ExistingPool]) -> bool:
    """Return whether everything is as wanted, as far as the CIDRs that the pools' tags record can be true.

    Somebody may have edited a tag: each CIDR must have its pool's size and lie in the parent's, apart from all others.
    """
    return pending_changes(spec, pools, {}).nothing and _is_nested(spec, pools)


def _is_nested(spec: PoolSpec, pools: Sequence[ExistingPool]) -> bool:
    kept = kept_pools(spec, pools)
    seen: dict[PoolKey | None, list[IPv4Network]] = {}
    for key in spec.pools:
        block, parent_cidr = kept[key].block, _parent_cidr(spec, key, kept)
        if block is None or parent_cidr is None:
            return False
        siblings = seen.setdefault(key.parent, [])
        fits = block.cidr.prefixlen == spec.prefix_length(key) and block.cidr.subnet_of(parent_cidr)
        if not fits or any(block.cidr.overlaps(sibling) for sibling in siblings):
            return False
        siblings.append(block.cidr)
    return True


def parents_of_new_cidrs(spec: PoolSpec, pools: Sequence[ExistingPool]) -> list[str]:
    """Return the ids of the pools in which a CIDR is still to be chosen, whose occupied space must be known."""
    kept = kept_pools(spec, pools)
    parents = []
    for key in spec.pools:
        parent = kept.get(key.parent) if key.parent else None
        if parent and parent.pool_id not in parents and (key not in kept or kept[key].block is None):
            parents.append(parent.pool_id)
    return parents


def pending_changes(
    spec: PoolSpec, pools: Sequence[ExistingPool], occupied: Occupied, kept_anyway: Collection[str] = ()
) -> PendingChanges:
    """Return what can be done now and what is being waited for.

    pools      all pools of the scope, ours with their CIDRs
    occupied   for each of parents_of_new_cidrs()
    kept_anyway   ids of unwanted pools that cannot be removed
    """
    unwanted = [pool for pool in unwanted_pools(spec, pools) if pool.pool_id not in kept_anyway]
    building = _additions(spec, pools, occupied)
    if not building.is_complete and not building.lacking_room:
        return PendingChanges(building.changes, building.waiting)
    if building.lacking_room:
        first = _first_in_the_way(building.lacking_room, unwanted, kept_pools(spec, pools))
        unwanted = _subtree(first, unwanted) if first else []
    removing = removals(unwanted, pools)
    return PendingChanges(building.changes + removing.changes, building.waiting + removing.waiting)


def removals(unwanted: Sequence[ExistingPool], pools: Sequence[ExistingPool]) -> PendingChanges:
    """Return what deletes these pools, leaves first: one is emptied and deleted when nothing is below it any more."""
    parents = {pool.source_pool_id for pool in pools}
    changes: list[PoolChange] = []
    waiting = []
    for pool in unwanted:
        block = pool.block
        if pool.pool_id in parents:
            waiting.append(f"{pool.key} (has pools below it)")
        elif not (pool.ready or pool.state == "create-failed"):
            waiting.append(f"{pool.key} ({pool.state})")
        elif block is None:
            changes.append(DeletePool(pool))
        elif block.state in CIDR_HELD:
            changes.append(DeprovisionCidr(pool, block.cidr))
        else:
            waiting.append(f"{pool.key} ({block.state})")
    return PendingChanges(tuple(changes), tuple(waiting))


def _first_in_the_way(
    lacking: PoolKey, unwanted: Sequence[ExistingPool], kept: Mapping[PoolKey, ExistingPool]
) -> ExistingPool | None:
    """Return the unwanted pool to remove first, so that the key finds room.

    One that is being removed already, or else the highest CIDR below the same parent. Where none is below that parent,
    the quota is what is lacking, and any leaf makes room.
    """
    parent = kept.get(lacking.parent) if lacking.parent else None
    siblings = [pool for pool in unwanted if parent and pool.source_pool_id == parent.pool_id]
    if not siblings:
        parents = {pool.source_pool_id for pool in unwanted}
        siblings = [pool for pool in unwanted if pool.pool_id not in parents]

    def order(pool: ExistingPool) -> tuple[bool, int, str]:
        highest = -int(pool.block.cidr.network_address) if pool.block else -(2**32)
        return not pool.being_removed, highest, pool.pool_id

    return min(siblings, key=order, default=None)


def _subtree(root: ExistingPool, pools: Sequence[ExistingPool]) -> list[ExistingPool]:
    found = [root]
    for pool in found:  # it grows
        found += [child for child in pools if child.source_pool_id == pool.pool_id]
    return found


@dataclass(frozen=True)
class _Additions:
    """lacking_room   the first pool that finds no room, neither a free CIDR nor a place under the quota, when nothing
    else can be added; None: there is none
    """

    changes: tuple[PoolChange, ...]
    waiting: tuple[str, ...]
    lacking_room: PoolKey | None

    @property
    def is_complete(self) -> bool:
        """A tag is there as soon as AWS has accepted it."""
        return not self.waiting and all(isinstance(change, TagPool) for change in self.changes)


def _additions(spec: PoolSpec, pools: Sequence[ExistingPool], occupied: Occupied) -> _Additions:
    kept = kept_pools(spec, pools)
    room = _Room(
        free_cidrs=_free_cidrs(spec, kept, occupied),
        being_freed={pool.source_pool_id for pool in unwanted_pools(spec, pools) if pool.being_removed},
        places=spec.quota - len(pools),  # a pool that is being removed counts until it is gone
    )
    changes: list[PoolChange] = []
    waiting = []
    for key in spec.pools:
        parent = kept.get(key.parent) if key.parent else None
        if key.parent and not (parent and parent.ready):
            waiting.append(f"{key} ({key.parent} does not exist yet)")
            continue
        additions = _additions_to(spec, key, kept.get(key), parent, room)
        if isinstance(additions, str):
            waiting.append(f"{key} ({additions})")
        else:
            changes += additions
    can_add = any(isinstance(change, CreatePool | ProvisionCidr) for change in changes)
    return _Additions(tuple(changes), tuple(waiting), None if can_add else room.lacking)


@dataclass
class _Room:
    """free_cidrs    for each pool without a CIDR
    being_freed   ids of the pools from which a CIDR is being given back
    places        how many more pools the quota allows
    lacking       the first pool that found no room
    """

    free_cidrs: Mapping[PoolKey, IPv4Network]
    being_freed: Collection[str]
    places: int
    lacking: PoolKey | None = None

    def lacks(self, key: PoolKey, why: str) -> str:
        self.lacking = self.lacking or key
        return why


def _additions_to(
    spec: PoolSpec, key: PoolKey, pool: ExistingPool | None, parent: ExistingPool | None, room: _Room
) -> list[PoolChange] | str:
    """Return what is to be done for this pool now, or what it waits for."""
    vpc_sizes = wanted_vpc_sizes(spec, key)
    if pool is None and room.places <= 0:
        return room.lacks(key, "no place under IpamPoolQuota yet")
    if pool is None:
        room.places -= 1
        return [CreatePool(key, parent.pool_id if parent else "", vpc_sizes)]
    if not pool.ready:
        return pool.state
    if pool.block is None:
        return _provision(key, pool, parent, room)
    if not pool.provisioned:
        return pool.block.state
    modified = [ModifyPool(key, pool, vpc_sizes)] if _differs(pool, key, vpc_sizes) else []
    return [*_tag_changes(spec, key, pool), *modified]


def _provision(key: PoolKey, pool: ExistingPool, parent: ExistingPool | None, room: _Room) -> list[PoolChange] | str:
    """A CIDR that is being freed is waited for, so that the lowest free one is the same however far an earlier attempt
    came."""
    if parent and not parent.provisioned:
        return f"{key.parent} has no CIDR yet"
    if key not in room.free_cidrs or (parent and parent.pool_id in room.being_freed):
        return room.lacks(key, "no free CIDR yet")
    return [ProvisionCidr(pool, room.free_cidrs[key])]


def _tag_changes(spec: PoolSpec, key: PoolKey, pool: ExistingPool) -> list[PoolChange]:
    """The CIDR is recorded when it was seen provisioned, never before."""
    own = _own_tags(spec, key) | ({names.BLOCK_TAG: str(pool.block.cidr)} if pool.block else {})
    missing = {tag: value for tag, value in own.items() if pool.tags.get(tag) != value}
    of_stack = tag_changes(pool.tags, spec.stack_tags)
    return [TagPool(pool, {**missing, **of_stack.add}, of_stack.remove)] if missing or of_stack else []


def _free_cidrs(spec: PoolSpec, kept: Mapping[PoolKey, ExistingPool], occupied: Occupied) -> dict[PoolKey, IPv4Network]:
    """Return a CIDR for every pool that has none, in the order of the spec, also for those that do not exist yet."""
    blocks = {parent_id: list(cidrs) for parent_id, cidrs in occupied.items()}
    free: dict[PoolKey, IPv4Network] = {}
    for key in spec.pools:
        if key in kept and kept[key].block:
            continue
        if key == TOP_LEVEL:
            free[key] = spec.top_cidr
            continue
        parent = kept.get(key.parent) if key.parent else None
        parent_cidr = _parent_cidr(spec, key, kept)
        if parent is None or parent.pool_id not in blocks or parent_cidr is None:
            continue
        cidr = lowest_free(parent_cidr, spec.prefix_length(key), blocks[parent.pool_id])
        if cidr:
            free[key] = cidr
            blocks[parent.pool_id].append(cidr)
    return free


def _parent_cidr(spec: PoolSpec, key: PoolKey, kept: Mapping[PoolKey, ExistingPool]) -> IPv4Network | None:
    if key.parent is None:
        return spec.top_cidr
    block = kept[key.parent].block if key.parent in kept else None
    return block.cidr if block else None


def _differs(pool: ExistingPool, key: PoolKey, vpc_sizes: VpcSizes | None) -> bool:
    return (
        pool.description != names.pool_description(key.region, key.environment)
        or dict(pool.allocation_tags) != wanted_allocation_tags(key)
        or (vpc_sizes is not None and pool.vpc_sizes != vpc_sizes)
    )
