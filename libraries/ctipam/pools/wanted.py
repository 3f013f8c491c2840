"""The tags and the rules that a pool should have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from ctipam import names
from ctipam.pools import record
from ctipam.pools.existing import ExistingPool
from ctipam.pools.spec import PoolKey, PoolSpec, VpcSizes
from ctipam.tags import with_stack_tags

OU_TAGS = (names.OU_TAG, names.REPLACED_OU_TAG)

NO_OU = "none"
"""The value of REPLACED_OU_TAG if there was no OU_TAG."""


def wanted_allocation_tags(key: PoolKey) -> dict[str, str]:
    """Return the tags that a VPC must carry. Only an environment's pool gives CIDRs to VPCs."""
    return {names.ENVIRONMENT_TAG: key.environment} if key.environment else {}


def wanted_vpc_sizes(spec: PoolSpec, key: PoolKey) -> VpcSizes | None:
    """Return the sizes of VPCs. A pool's rules are not inherited, so they are on the pools that VPCs draw from."""
    return replace(spec.vpc_sizes, default=spec.default_vpc(key)) if key.environment else None


def wanted_auto_import(spec: PoolSpec, key: PoolKey) -> bool:
    """Return whether the pool imports existing VPCs. AWS allows it for pools with a locale."""
    return spec.auto_import and bool(key.environment)


def wanted_tags(spec: PoolSpec, key: PoolKey) -> dict[str, str]:
    """Return the tags of a new pool."""
    until_reserved = {names.PREPARING_TAG: "yes"} if key.environment and spec.reserved else {}
    of_new_environment = {names.OU_TAG: spec.pinned_ous.get(key.environment, "")}  # it has replaced nothing
    own = own_tags(spec, key, spec.known_ous.get(key.environment, of_new_environment))
    return with_stack_tags(own | {names.BLOCK_TAG: record.EVERYTHING} | until_reserved, spec.stack_tags)


def own_tags(spec: PoolSpec, key: PoolKey, existing: Mapping[str, str]) -> dict[str, str]:
    """Return this solution's tags of a pool, without the record of its CIDRs.

    existing   the tags that it has; of a new pool, what those of the environment's other pools say of the OU
    """
    place = {names.REGION_TAG: key.region, names.POOL_ENVIRONMENT_TAG: key.environment}
    return {
        "Name": names.pool_name(key.region, key.environment),
        names.STACK_TAG: spec.stack_id,
        **{tag: value for tag, value in place.items() if value},
        **_ou_tags(spec, key.environment, existing),
    }


def _ou_tags(spec: PoolSpec, environment: str, existing: Mapping[str, str]) -> dict[str, str]:
    """Return which OU the environment is: the one that AccEnvName names by its id, or the one that it was before.

    If neither is known, `sharing` finds the OU by its name, and writes its id.
    """
    ou_id, replaced = (existing.get(tag, "") for tag in OU_TAGS)
    if pinned := spec.pinned_ous.get(environment, ""):
        if ou_id != pinned:
            replaced = replaced or ou_id or NO_OU
        wanted = {names.OU_TAG: pinned, names.REPLACED_OU_TAG: replaced}
    else:
        wanted = {names.OU_TAG: replaced or ou_id}
    return {tag: value for tag, value in wanted.items() if value and (tag, value) != (names.OU_TAG, NO_OU)}


def with_known_ous(spec: PoolSpec, pools: Iterable[ExistingPool]) -> PoolSpec:
    """Return the spec that remembers which OUs the environments are, even when all their pools are replaced.

    Of tags that contradict each other, none is remembered.
    """
    found: dict[str, list[ExistingPool]] = {}
    for pool in pools:
        if pool.key and pool.key.environment:
            found.setdefault(pool.key.environment, []).append(pool)
    return replace(spec, known_ous={environment: _agreed(of_one) for environment, of_one in found.items()})


def _agreed(pools: Sequence[ExistingPool]) -> dict[str, str]:
    values = {tag: {pool.tags[tag] for pool in pools if tag in pool.tags} for tag in OU_TAGS}
    return {tag: next(iter(some)) for tag, some in values.items() if len(some) == 1}
