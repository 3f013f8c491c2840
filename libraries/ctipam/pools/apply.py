"""Applies one change to a pool, in one call. A pool or CIDR that no longer exists counts as deleted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypedDict, assert_never

from botocore.exceptions import ClientError

from ctipam import names
from ctipam.client_tokens import create_until_alive
from ctipam.cloudformation.request import ResourceRequest
from ctipam.errors import POOL_NOT_FOUND, code_of
from ctipam.logs import log_decision
from ctipam.pools import reserving
from ctipam.pools.change_kinds import (
    CreatePool,
    DeletePool,
    DeprovisionCidr,
    ModifyPool,
    PoolChange,
    ProvisionCidr,
    TagPool,
)
from ctipam.pools.existing import ExistingPool
from ctipam.pools.spec import PoolSpec, VpcSizes
from ctipam.pools.wanted import wanted_allocation_tags, wanted_tags
from ctipam.tags import to_list

if TYPE_CHECKING:
    from types_boto3_ec2.client import EC2Client
    from types_boto3_ec2.type_defs import IpamPoolTypeDef


class NetmaskLengths(TypedDict, total=False):
    AllocationDefaultNetmaskLength: int
    AllocationMinNetmaskLength: int
    AllocationMaxNetmaskLength: int


def apply(request: ResourceRequest, scope_id: str, spec: PoolSpec | None, change: PoolChange) -> str:
    """Request one change and return the id of the pool. Raises ClientError if AWS refuses it."""
    ec2 = request.account.ec2()
    match change:
        case CreatePool():
            if spec is None:
                raise ValueError("nothing is created where nothing is wanted")
            return _create(request, scope_id, spec, change)
        case ProvisionCidr():
            _provision(request, change)
        case TagPool():
            _tag(ec2, change)
        case ModifyPool():
            _modify(ec2, change)
        case DeprovisionCidr():
            _deprovision(request, change)
        case DeletePool():
            _delete(ec2, change)
        case _:
            assert_never(change)
    return change.pool.pool_id


def _create(request: ResourceRequest, scope_id: str, spec: PoolSpec, change: CreatePool) -> str:
    key = change.key
    # Without a locale, a pool of any Region can be made from the top-level pool, and no VPC.
    place = {"SourceIpamPoolId": change.source_pool_id, "Locale": key.region}
    place_of_child: Any = {name: value for name, value in place.items() if value}

    def create(dead_id: str) -> IpamPoolTypeDef:
        return request.account.ec2().create_ipam_pool(
            IpamScopeId=scope_id,
            AddressFamily="ipv4",
            Description=names.pool_description(key.region, key.environment),
            AllocationResourceTags=to_list(wanted_allocation_tags(key)),
            TagSpecifications=[{"ResourceType": "ipam-pool", "Tags": to_list(wanted_tags(spec, key))}],
            AutoImport=change.auto_import,
            ClientToken=request.token("create", key, change.source_pool_id, dead_id),
            **place_of_child,
            **_netmask_lengths(change.vpc_sizes),
        )["IpamPool"]

    pool = create_until_alive(create, "IpamPoolId")
    log_decision("creating pool", pool=pool["IpamPoolId"], key=str(key))
    return pool["IpamPoolId"]


def _provision(request: ResourceRequest, change: ProvisionCidr) -> None:
    _record(request.account.ec2(), change.pool, change.record)
    request.account.ec2().provision_ipam_pool_cidr(
        IpamPoolId=change.pool.pool_id,
        Cidr=str(change.cidr),
        # A failed attempt stays listed, and its token would only return it again: the next one has another.
        ClientToken=request.token("provision", change.pool.pool_id, change.cidr, len(change.pool.blocks)),
    )
    log_decision("provisioning CIDR", pool=change.pool.pool_id, key=str(change.pool.key), cidr=str(change.cidr))


def _tag(ec2: EC2Client, change: TagPool) -> None:
    if change.tags:
        ec2.create_tags(Resources=[change.pool.pool_id], Tags=to_list(change.tags))
    if change.removed:
        ec2.delete_tags(Resources=[change.pool.pool_id], Tags=[{"Key": key} for key in change.removed])


def _modify(ec2: EC2Client, change: ModifyPool) -> None:
    wanted, existing = wanted_allocation_tags(change.key), dict(change.pool.allocation_tags)
    wrong = dict(existing.items() - wanted.items())
    # Whether one call may replace the value of a key is not documented: wrong tags are removed now, and missing ones
    # added when the next reading does not find them.
    missing = {} if wrong else dict(wanted.items() - existing.items())
    ec2.modify_ipam_pool(
        IpamPoolId=change.pool.pool_id,
        Description=names.pool_description(change.key.region, change.key.environment),
        AddAllocationResourceTags=to_list(missing),
        RemoveAllocationResourceTags=to_list(wrong),
        AutoImport=change.auto_import,
        **_netmask_lengths(change.vpc_sizes),
    )
    log_decision("modifying pool", pool=change.pool.pool_id, key=str(change.key))


def _deprovision(request: ResourceRequest, change: DeprovisionCidr) -> None:
    ec2 = request.account.ec2()
    reserving.release_all(request.account, change.pool, change.cidr)
    with _gone_is_done():
        _record(ec2, change.pool, change.record)
        ec2.deprovision_ipam_pool_cidr(IpamPoolId=change.pool.pool_id, Cidr=str(change.cidr))
    log_decision("deprovisioning CIDR", pool=change.pool.pool_id, key=str(change.pool.key), cidr=str(change.cidr))


def _record(ec2: EC2Client, pool: ExistingPool, tags: Mapping[str, str]) -> None:
    if changed := {key: value for key, value in tags.items() if pool.tags.get(key) != value}:
        ec2.create_tags(Resources=[pool.pool_id], Tags=to_list(changed))


def _delete(ec2: EC2Client, change: DeletePool) -> None:
    with _gone_is_done():
        ec2.delete_ipam_pool(IpamPoolId=change.pool.pool_id)
    log_decision("deleting pool", pool=change.pool.pool_id, key=str(change.pool.key))


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
