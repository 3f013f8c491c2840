"""What is still to be done: the wanted hierarchy compared with the pools that were found.

Create, update, rollback, retry and delete are this one comparison, made again after every step. Whatever was done
before, by whomever and however far it came, the next steps follow from what is there now.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Network

from ctipam import names
from ctipam.pools.addresses import lowest_free
from ctipam.pools.existing import CIDR_HELD, ExistingPool
from ctipam.pools.spec import PoolKey, PoolSpec, VpcSizes


@dataclass(frozen=True)
class CreatePool:
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
class RecordCidr:
    """Write down, on the pool, that its block was seen provisioned."""

    pool: ExistingPool
    cidr: IPv4Network

    def __str__(self) -> str:
        return f"note {self.cidr} of {self.pool.key}"


@dataclass(frozen=True)
class ModifyPool:
    """Bring the description and the rules for VPCs to what they should be."""

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


PoolChange = CreatePool | ProvisionCidr | RecordCidr | ModifyPool | DeprovisionCidr | DeletePool


@dataclass(frozen=True)
class PendingChanges:
    """steps can be taken now; waiting names the pools that AWS is still busy with. Neither: nothing remains."""

    steps: tuple[PoolChange, ...] = ()
    waiting: tuple[str, ...] = ()

    @property
    def nothing(self) -> bool:
        return not self.steps and not self.waiting

    @property
    def only_cidr_records(self) -> bool:
        """A note is there as soon as AWS has accepted it, and nothing waits for it."""
        return not self.waiting and all(isinstance(step, RecordCidr) for step in self.steps)


def wanted_allocation_tags(key: PoolKey) -> dict[str, str]:
    """Only an environment's pool gives blocks to VPCs, so only it has the rule that they must carry the tag."""
    return {names.ENVIRONMENT_TAG: key.environment} if key.environment is not None else {}


def wanted_vpc_sizes(plan: PoolSpec, key: PoolKey) -> VpcSizes | None:
    """Rules are not inherited, so they are on the pools that VPCs draw from, and only there."""
    return replace(plan.vpc_sizes, default=plan.default_vpc) if key.environment is not None else None


def kept_pools(plan: PoolSpec | None, pools: Sequence[ExistingPool]) -> dict[PoolKey, ExistingPool]:
    """The pool that stands for each wanted key.

    Of two, the one that holds a block, or at least has pools below it, then the one with the lower id; and of the
    environments' pools only those below the pool that stands for their Region.
    """
    parents = {pool.source_pool_id for pool in pools}
    candidates: dict[PoolKey, list[ExistingPool]] = {}
    for pool in sorted(pools, key=lambda pool: (pool.block is None, pool.pool_id not in parents, pool.pool_id)):
        if pool.key and pool.state not in ("create-failed", "delete-in-progress"):
            candidates.setdefault(pool.key, []).append(pool)
    kept: dict[PoolKey, ExistingPool] = {}
    for key in plan.pools if plan else ():
        region_pool = kept.get(key.parent) if key.parent else None
        for pool in candidates.get(key, ()):
            if key.parent is None or (region_pool and pool.source_pool_id == region_pool.pool_id):
                kept.setdefault(key, pool)
    return kept


def unwanted_pools(plan: PoolSpec | None, pools: Sequence[ExistingPool]) -> list[ExistingPool]:
    """What this stack made and has no use for: removed Regions and environments, surplus and failed creations."""
    kept = {pool.pool_id for pool in kept_pools(plan, pools).values()}
    return [pool for pool in pools if pool.key is not None and pool.pool_id not in kept]


def is_built(plan: PoolSpec, top_pool_id: str, pools: Sequence[ExistingPool]) -> bool:
    """Is everything as wanted, as far as the blocks that the pools' tags speak of can be true?

    Somebody may have edited a tag: each block must have its pool's size and lie in the parent's, apart from all others.
    """
    return remaining(plan, top_pool_id, pools, {}).nothing and _nested(plan, top_pool_id, pools)


def _nested(plan: PoolSpec, top_pool_id: str, pools: Sequence[ExistingPool]) -> bool:
    kept = kept_pools(plan, pools)
    seen: dict[PoolKey | None, list[IPv4Network]] = {}
    for key in plan.pools:
        block, parent_cidr = kept[key].block, _parent_cidr(plan, key, kept)
        if block is None or parent_cidr is None or kept[key].source_pool_id != _parent_id(key, top_pool_id, kept):
            return False
        siblings = seen.setdefault(key.parent, [])
        fits = block.cidr.prefixlen == plan.prefix_length(key) and block.cidr.subnet_of(parent_cidr)
        if not fits or any(block.cidr.overlaps(sibling) for sibling in siblings):
            return False
        siblings.append(block.cidr)
    return True


def placing_parents(plan: PoolSpec | None, top_pool_id: str, pools: Sequence[ExistingPool]) -> list[str]:
    """The pools out of which a block is still to be chosen, so that what is taken there must be known."""
    if plan is None:
        return []
    kept = kept_pools(plan, pools)
    parents = []
    for key in plan.pools:
        parent_id = _parent_id(key, top_pool_id, kept)
        if parent_id and parent_id not in parents and (key not in kept or kept[key].block is None):
            parents.append(parent_id)
    return parents


def remaining(
    plan: PoolSpec | None, top_pool_id: str, pools: Sequence[ExistingPool], taken: Mapping[str, Collection[IPv4Network]]
) -> PendingChanges:
    """What can be done now and what is being waited for.

    plan    None: nothing is wanted any more
    pools   all pools of the scope, this stack's with their blocks
    taken   for each of placing_parents(): the blocks in it that are taken, by whomever
    """
    removing = _remove(unwanted_pools(plan, pools), pools)
    if plan is None:
        return removing
    building = _build(plan, top_pool_id, pools, taken)
    return PendingChanges(removing.steps + building.steps, removing.waiting + building.waiting)


def _remove(unwanted: Sequence[ExistingPool], pools: Sequence[ExistingPool]) -> PendingChanges:
    """Leaves first: a pool is emptied and deleted when nothing is below it any more."""
    parents = {pool.source_pool_id for pool in pools}
    steps: list[PoolChange] = []
    waiting = []
    for pool in unwanted:
        block = pool.block
        if pool.pool_id in parents:
            waiting.append(f"{pool.key} (has pools below it)")
        elif not (pool.ready or pool.state == "create-failed"):
            waiting.append(f"{pool.key} ({pool.state})")
        elif block is None:
            steps.append(DeletePool(pool))
        elif block.state in CIDR_HELD:
            steps.append(DeprovisionCidr(pool, block.cidr))
        else:
            waiting.append(f"{pool.key} ({block.state})")
    return PendingChanges(tuple(steps), tuple(waiting))


def _build(
    plan: PoolSpec, top_pool_id: str, pools: Sequence[ExistingPool], taken: Mapping[str, Collection[IPv4Network]]
) -> PendingChanges:
    kept = kept_pools(plan, pools)
    leaving = {pool.source_pool_id for pool in unwanted_pools(plan, pools)}
    places = _places(plan, top_pool_id, kept, taken)
    room = plan.quota - len(pools)  # what is removed counts until it is gone
    steps: list[PoolChange] = []
    waiting = []
    for key in plan.pools:
        pool, parent_id, vpc_sizes = kept.get(key), _parent_id(key, top_pool_id, kept), wanted_vpc_sizes(plan, key)
        if parent_id is None:
            waiting.append(f"{key} (its Region's pool is not there yet)")
        elif pool is None and room <= 0:
            waiting.append(f"{key} (no room under IpamPoolQuota yet)")
        elif pool is None:
            steps.append(CreatePool(key, parent_id, vpc_sizes))
            room -= 1
        elif not pool.ready:
            waiting.append(f"{key} ({pool.state})")
        elif pool.block is None:
            # A block that is about to be free again is waited for, so that the lowest free one is the same however
            # far an earlier attempt came.
            if key in places and parent_id not in leaving and _gives_blocks(key, kept):
                steps.append(ProvisionCidr(pool, places[key]))
            else:
                waiting.append(f"{key} (no block yet)")
        elif not pool.provisioned:
            waiting.append(f"{key} ({pool.block.state})")
        else:
            steps += [] if pool.cidr_recorded else [RecordCidr(pool, pool.block.cidr)]
            steps += [ModifyPool(key, pool, vpc_sizes)] if _differs(pool, key, vpc_sizes) else []
    return PendingChanges(tuple(steps), tuple(waiting))


def _places(
    plan: PoolSpec, top_pool_id: str, kept: Mapping[PoolKey, ExistingPool], taken: Mapping[str, Collection[IPv4Network]]
) -> dict[PoolKey, IPv4Network]:
    """A block for every pool that has none, in the order of the plan, also for those that are not created yet."""
    blocks = {parent_id: list(cidrs) for parent_id, cidrs in taken.items()}
    places: dict[PoolKey, IPv4Network] = {}
    for key in plan.pools:
        if key in kept and kept[key].block:
            continue
        parent_id = _parent_id(key, top_pool_id, kept)
        parent_cidr = _parent_cidr(plan, key, kept)
        if parent_id not in blocks or parent_cidr is None:
            continue
        place = lowest_free(parent_cidr, plan.prefix_length(key), blocks[parent_id])
        if place:
            places[key] = place
            blocks[parent_id].append(place)
    return places


def _parent_id(key: PoolKey, top_pool_id: str, kept: Mapping[PoolKey, ExistingPool]) -> str | None:
    if key.parent is None:
        return top_pool_id
    return kept[key.parent].pool_id if key.parent in kept and kept[key.parent].ready else None


def _parent_cidr(plan: PoolSpec, key: PoolKey, kept: Mapping[PoolKey, ExistingPool]) -> IPv4Network | None:
    if key.parent is None:
        return plan.top_cidr
    block = kept[key.parent].block if key.parent in kept else None
    return block.cidr if block else None


def _gives_blocks(key: PoolKey, kept: Mapping[PoolKey, ExistingPool]) -> bool:
    """CloudFormation waits for the top-level pool's block, so only a Region's pool may not have its own yet."""
    return key.parent is None or (key.parent in kept and kept[key.parent].provisioned)


def _differs(pool: ExistingPool, key: PoolKey, vpc_sizes: VpcSizes | None) -> bool:
    return (
        pool.description != names.pool_description(key.region, key.environment)
        or dict(pool.allocation_tags or {}) != wanted_allocation_tags(key)
        or (vpc_sizes is not None and pool.vpc_sizes != vpc_sizes)
    )
