"""Each change to a pool, as one call. What is gone already counts as deleted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypedDict, assert_never

from botocore.exceptions import ClientError

from ctipam import names
from ctipam.difference import (
    Create,
    Delete,
    Deprovision,
    Modify,
    Note,
    Provision,
    Step,
    wanted_allocation_tags,
)
from ctipam.errors import code_of
from ctipam.inventory import GONE, Hierarchy
from ctipam.logs import decided
from ctipam.plan import VpcSizes

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import TagTypeDef


DEAD = frozenset({"create-failed", "delete-in-progress", "delete-complete"})
"""States of a pool that is no use to anybody."""


class NetmaskLengths(TypedDict, total=False):
    AllocationDefaultNetmaskLength: int
    AllocationMinNetmaskLength: int
    AllocationMaxNetmaskLength: int


def take(hierarchy: Hierarchy, step: Step) -> str:
    """Ask AWS for one change; answer the id of the pool. AWS's refusals rise as ClientError."""
    match step:
        case Create():
            return _create(hierarchy, step)
        case Provision():
            _provision(hierarchy, step)
        case Note():
            _note(hierarchy, step)
        case Modify():
            _modify(hierarchy, step)
        case Deprovision():
            _deprovision(hierarchy, step)
        case Delete():
            _delete(hierarchy, step)
        case _:
            assert_never(step)
    return step.pool.pool_id


def _create(hierarchy: Hierarchy, step: Create) -> str:
    key = step.key
    tags = {
        "Name": names.pool_name(key.region, key.environment),
        names.STACK_TAG: hierarchy.stack_id,
        names.REGION_TAG: key.region,
    }
    if key.environment is not None:
        tags[names.POOL_ENVIRONMENT_TAG] = key.environment
    dead = ""
    while True:
        pool = hierarchy.account.ec2().create_ipam_pool(
            IpamScopeId=hierarchy.scope_id,
            SourceIpamPoolId=step.source_pool_id,
            Locale=key.region,
            AddressFamily="ipv4",
            Description=names.pool_description(key.region, key.environment),
            AllocationResourceTags=_tag_list(wanted_allocation_tags(key)),
            TagSpecifications=[{"ResourceType": "ipam-pool", "Tags": _tag_list(tags)}],
            ClientToken=hierarchy.token("create", key, step.source_pool_id, dead),
            **_netmask_lengths(step.vpc_sizes),
        )["IpamPool"]
        if pool["State"] not in DEAD:
            break
        dead = pool["IpamPoolId"]  # a token brings back what it made, also when that is gone since
    decided("creating pool", pool=pool["IpamPoolId"], key=str(key))
    return pool["IpamPoolId"]


def _provision(hierarchy: Hierarchy, step: Provision) -> None:
    hierarchy.account.ec2().provision_ipam_pool_cidr(
        IpamPoolId=step.pool.pool_id,
        Cidr=str(step.cidr),
        # A failed attempt stays listed, and its token would only bring it back: the next one has another.
        ClientToken=hierarchy.token("provision", step.pool.pool_id, step.cidr, len(step.pool.blocks)),
    )
    decided("provisioning block", pool=step.pool.pool_id, key=str(step.pool.key), cidr=str(step.cidr))


def _note(hierarchy: Hierarchy, step: Note) -> None:
    hierarchy.account.ec2().create_tags(
        Resources=[step.pool.pool_id], Tags=[{"Key": names.BLOCK_TAG, "Value": str(step.cidr)}]
    )


def _modify(hierarchy: Hierarchy, step: Modify) -> None:
    wanted, found = wanted_allocation_tags(step.key), dict(step.pool.allocation_tags or {})
    wrong = dict(found.items() - wanted.items())
    # Whether one call may replace the value of a key is not documented: what is wrong goes now, what is missing comes
    # when the next look does not find it.
    missing = {} if wrong else dict(wanted.items() - found.items())
    hierarchy.account.ec2().modify_ipam_pool(
        IpamPoolId=step.pool.pool_id,
        Description=names.pool_description(step.key.region, step.key.environment),
        AddAllocationResourceTags=_tag_list(missing),
        RemoveAllocationResourceTags=_tag_list(wrong),
        **_netmask_lengths(step.vpc_sizes),
    )
    decided("modifying pool", pool=step.pool.pool_id, key=str(step.key))


def _deprovision(hierarchy: Hierarchy, step: Deprovision) -> None:
    ec2 = hierarchy.account.ec2()
    with _gone_is_done():
        if step.pool.note:  # first, or a function killed in between would leave a note of a block that is no more
            ec2.delete_tags(Resources=[step.pool.pool_id], Tags=[{"Key": names.BLOCK_TAG}])
        ec2.deprovision_ipam_pool_cidr(IpamPoolId=step.pool.pool_id, Cidr=str(step.cidr))
    decided("deprovisioning block", pool=step.pool.pool_id, key=str(step.pool.key), cidr=str(step.cidr))


def _delete(hierarchy: Hierarchy, step: Delete) -> None:
    with _gone_is_done():
        hierarchy.account.ec2().delete_ipam_pool(IpamPoolId=step.pool.pool_id)
    decided("deleting pool", pool=step.pool.pool_id, key=str(step.pool.key))


@contextmanager
def _gone_is_done() -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if code_of(error) != GONE:
            raise


def _netmask_lengths(sizes: VpcSizes | None) -> NetmaskLengths:
    if sizes is None:
        return {}
    return {
        "AllocationDefaultNetmaskLength": sizes.default,
        "AllocationMinNetmaskLength": sizes.minimum,
        "AllocationMaxNetmaskLength": sizes.maximum,
    }


def _tag_list(tags: Mapping[str, str]) -> list[TagTypeDef]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
