"""Which pool a pool is although it has lost a tag that tells: its place does, and its description or other tags."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ctipam import names
from ctipam.errors import Refused, fit
from ctipam.pools.existing import ExistingPool
from ctipam.pools.matching import kept_pools
from ctipam.pools.spec import PoolKey, PoolSpec
from ctipam.tags import to_dict

OTHER_TAGS = frozenset({names.REGION_TAG, names.POOL_ENVIRONMENT_TAG, names.BLOCK_TAG})
"""Tags besides STACK_TAG that only pools of this solution have."""

UNKNOWN_STACK = "ARN"
"""Stands for the value of STACK_TAG if all pools have lost it."""


def recognized(spec: PoolSpec, pools: Sequence[ExistingPool], *, ours_only: bool = False) -> list[ExistingPool]:
    """Return the pools, each with the key of the wanted pool that it must be: one that is missing, and whose place and
    description, or other tags, a single pool has, has lost the tags that tell.

    ours_only   not those that have lost the tag that marks them as ours
    """
    found = list(pools)
    kept = kept_pools(spec, found)
    spare = {pool.pool_id for pool in found if _is_spare(pool, ours_only=ours_only)}
    spare -= {pool.pool_id for pool in kept.values()}
    for key in spec.pools if spare else ():
        if key in kept:
            continue
        parent_id = kept[key.parent].pool_id if key.parent in kept else ""
        alike = [pool for pool in found if pool.pool_id in spare and _is_alike(pool, key, parent_id)]
        if len(alike) == 1:
            found[found.index(alike[0])] = replace(alike[0], key=key)
            kept = kept_pools(spec, found)
    return found


def _is_spare(pool: ExistingPool, *, ours_only: bool) -> bool:
    if pool.key is None and (ours_only or names.STACK_TAG in pool.tags):  # it is another stack's
        return False
    return pool.state not in ("create-failed", "delete-in-progress")


def _is_alike(pool: ExistingPool, key: PoolKey, parent_id: str) -> bool:
    return (
        pool.source_pool_id == parent_id
        and bool(parent_id) == (key.parent is not None)
        and (pool.description == names.pool_description(key.region, key.environment) or _tags_tell(pool, key))
    )


def _tags_tell(pool: ExistingPool, key: PoolKey) -> bool:
    """Return whether the tags that a pool still has are those of a key: its description may have been changed too."""
    told = (pool.tags.get(names.REGION_TAG, ""), pool.tags.get(names.POOL_ENVIRONMENT_TAG, ""))
    return bool(OTHER_TAGS & pool.tags.keys()) and told == (key.region, key.environment)


def has_lost_stack_tag(pool: ExistingPool) -> bool:
    """Return whether a pool of ours has lost the tag by which this solution may change it."""
    return pool.key is not None and names.STACK_TAG not in pool.tags


def has_lost_environment(pool: ExistingPool, pools: Sequence[ExistingPool]) -> bool:
    """Return whether a pool of ours is one of an environment, by its place, and no tag tells of which."""
    parents = {parent.pool_id: parent.key for parent in pools}
    parent = parents.get(pool.source_pool_id)
    return pool.key is not None and not pool.key.environment and parent is not None and bool(parent.region)


def refuse_without_stack_tag(pools: Sequence[ExistingPool]) -> None:
    """Raise Refused if a pool of ours has lost the tag by which this solution may change it. Another would be created
    beside it.

    pools   recognized()
    """
    for pool in filter(has_lost_stack_tag, pools):
        cause = f"{pool.key} ({pool.pool_id}) has lost the tag {names.STACK_TAG}"
        way_out = "Put it back, with the value that the other pools have, and try again."
        raise Refused(fit("Nothing was changed: ", cause, way_out))


def lost_stack_tags(listed: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return what STACK_TAG should be of each pool that has lost it, by the pool's id, for those who have no spec.

    Such a pool still has another tag of ours. The value is that of its parent or of a pool below it, or else of any;
    UNKNOWN_STACK if no pool has one.

    listed   all pools, as DescribeIpamPools returns them
    """
    pools = {pool["IpamPoolId"]: pool for pool in listed}
    tags = {pool_id: to_dict(pool.get("Tags", [])) for pool_id, pool in pools.items()}
    stacks = {pool_id: of_pool[names.STACK_TAG] for pool_id, of_pool in tags.items() if names.STACK_TAG in of_pool}
    lost = {}
    for pool_id, of_pool in tags.items():
        if pool_id not in stacks and OTHER_TAGS & of_pool.keys():
            parent = stacks.get(pools[pool_id].get("SourceIpamPoolId", ""))
            below = (stacks[one] for one in stacks if pools[one].get("SourceIpamPoolId") == pool_id)
            lost[pool_id] = parent or next(below, "") or next(iter(stacks.values()), UNKNOWN_STACK)
    return lost


def lost_stack_tag(named: str, pool_id: str, stack_id: str) -> str:
    """Return that a pool has lost STACK_TAG, and the command that puts it back.

    named      the pool, in words
    stack_id   the value of the tag
    """
    _, _, _, region, account_id, *_ = [*stack_id.split(":"), *[""] * 5]
    place = f"the Networking account{f', {account_id}' if account_id else ', in the home Region'}"
    in_region = f" --region {region}" if region else ""
    tag = f"Key={names.STACK_TAG},Value={stack_id}"
    where = ", with the ARN of its stack StackSet-...-networking-..." if stack_id == UNKNOWN_STACK else ""
    return (
        f"{named} has lost the tag that marks it as ours. Its accounts keep it, but nothing is added meanwhile. To put "
        f"the tag back, run in {place}{where}: `aws ec2 create-tags{in_region} --resources {pool_id} --tags {tag}`."
    )
