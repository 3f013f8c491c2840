"""Each change to a pool, as one call. What is gone already counts as deleted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypedDict, assert_never

from botocore.exceptions import ClientError

from ctipam import names
from ctipam.client_tokens import create_until_alive
from ctipam.errors import code_of
from ctipam.logs import log_decision
from ctipam.pools.changes import (
    CreatePool,
    DeletePool,
    DeprovisionCidr,
    ModifyPool,
    PoolChange,
    ProvisionCidr,
    RecordCidr,
    wanted_allocation_tags,
)
from ctipam.pools.reader import POOL_NOT_FOUND, PoolHierarchy
from ctipam.pools.spec import VpcSizes
from ctipam.tags import to_list

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import IpamPoolTypeDef


class NetmaskLengths(TypedDict, total=False):
    AllocationDefaultNetmaskLength: int
    AllocationMinNetmaskLength: int
    AllocationMaxNetmaskLength: int


def apply(hierarchy: PoolHierarchy, step: PoolChange) -> str:
    """Ask AWS for one change; answer the id of the pool. AWS's refusals rise as ClientError."""
    match step:
        case CreatePool():
            return _create(hierarchy, step)
        case ProvisionCidr():
            _provision(hierarchy, step)
        case RecordCidr():
            _note(hierarchy, step)
        case ModifyPool():
            _modify(hierarchy, step)
        case DeprovisionCidr():
            _deprovision(hierarchy, step)
        case DeletePool():
            _delete(hierarchy, step)
        case _:
            assert_never(step)
    return step.pool.pool_id


def _create(hierarchy: PoolHierarchy, step: CreatePool) -> str:
    key = step.key
    tags = {
        "Name": names.pool_name(key.region, key.environment),
        names.STACK_TAG: hierarchy.stack_id,
        names.REGION_TAG: key.region,
    }
    if key.environment is not None:
        tags[names.POOL_ENVIRONMENT_TAG] = key.environment

    def create(dead_id: str) -> IpamPoolTypeDef:
        return hierarchy.account.ec2().create_ipam_pool(
            IpamScopeId=hierarchy.scope_id,
            SourceIpamPoolId=step.source_pool_id,
            Locale=key.region,
            AddressFamily="ipv4",
            Description=names.pool_description(key.region, key.environment),
            AllocationResourceTags=to_list(wanted_allocation_tags(key)),
            TagSpecifications=[{"ResourceType": "ipam-pool", "Tags": to_list(tags)}],
            ClientToken=hierarchy.request.token("create", key, step.source_pool_id, dead_id),
            **_netmask_lengths(step.vpc_sizes),
        )["IpamPool"]

    pool = create_until_alive(create, "IpamPoolId")
    log_decision("creating pool", pool=pool["IpamPoolId"], key=str(key))
    return pool["IpamPoolId"]


def _provision(hierarchy: PoolHierarchy, step: ProvisionCidr) -> None:
    hierarchy.account.ec2().provision_ipam_pool_cidr(
        IpamPoolId=step.pool.pool_id,
        Cidr=str(step.cidr),
        # A failed attempt stays listed, and its token would only bring it back: the next one has another.
        ClientToken=hierarchy.request.token("provision", step.pool.pool_id, step.cidr, len(step.pool.blocks)),
    )
    log_decision("provisioning block", pool=step.pool.pool_id, key=str(step.pool.key), cidr=str(step.cidr))


def _note(hierarchy: PoolHierarchy, step: RecordCidr) -> None:
    hierarchy.account.ec2().create_tags(
        Resources=[step.pool.pool_id], Tags=[{"Key": names.BLOCK_TAG, "Value": str(step.cidr)}]
    )


def _modify(hierarchy: PoolHierarchy, step: ModifyPool) -> None:
    wanted, found = wanted_allocation_tags(step.key), dict(step.pool.allocation_tags or {})
    wrong = dict(found.items() - wanted.items())
    # Whether one call may replace the value of a key is not documented: what is wrong goes now, what is missing comes
    # when the next look does not find it.
    missing = {} if wrong else dict(wanted.items() - found.items())
    hierarchy.account.ec2().modify_ipam_pool(
        IpamPoolId=step.pool.pool_id,
        Description=names.pool_description(step.key.region, step.key.environment),
        AddAllocationResourceTags=to_list(missing),
        RemoveAllocationResourceTags=to_list(wrong),
        **_netmask_lengths(step.vpc_sizes),
    )
    log_decision("modifying pool", pool=step.pool.pool_id, key=str(step.key))


def _deprovision(hierarchy: PoolHierarchy, step: DeprovisionCidr) -> None:
    ec2 = hierarchy.account.ec2()
    with _gone_is_done():
        if (
            step.pool.recorded_cidr
        ):  # first, or a function killed in between would leave a note of a block that is no more
            ec2.delete_tags(Resources=[step.pool.pool_id], Tags=[{"Key": names.BLOCK_TAG}])
        ec2.deprovision_ipam_pool_cidr(IpamPoolId=step.pool.pool_id, Cidr=str(step.cidr))
    log_decision("deprovisioning block", pool=step.pool.pool_id, key=str(step.pool.key), cidr=str(step.cidr))


def _delete(hierarchy: PoolHierarchy, step: DeletePool) -> None:
    with _gone_is_done():
        hierarchy.account.ec2().delete_ipam_pool(IpamPoolId=step.pool.pool_id)
    log_decision("deleting pool", pool=step.pool.pool_id, key=str(step.pool.key))


@contextmanager
def _gone_is_done() -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if code_of(error) != POOL_NOT_FOUND:
            raise


def _netmask_lengths(sizes: VpcSizes | None) -> NetmaskLengths:
    if sizes is None:
        return {}
    return {
        "AllocationDefaultNetmaskLength": sizes.default,
        "AllocationMinNetmaskLength": sizes.minimum,
        "AllocationMaxNetmaskLength": sizes.maximum,
    }
