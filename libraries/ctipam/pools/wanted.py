"""The tags and the rules that a pool should have."""

from __future__ import annotations

from dataclasses import replace

from ctipam import names
from ctipam.pools import record
from ctipam.pools.spec import PoolKey, PoolSpec, VpcSizes
from ctipam.tags import with_stack_tags


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
    return with_stack_tags(own_tags(spec, key) | {names.BLOCK_TAG: record.EVERYTHING} | until_reserved, spec.stack_tags)


def own_tags(spec: PoolSpec, key: PoolKey) -> dict[str, str]:
    """Return this solution's tags of a pool, without the record of its CIDRs."""
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
