"""Makes and releases the allocations that reserve CIDRs in environment pools. `reserved` decides.

A new pool has the tag ctipam:preparing until its CIDRs are reserved, and is not shared before. Any pool gets the tag
ctipam:reserved before its first CIDR is reserved, and loses it after the last one is released, so that whoever comes
after a function that was killed looks for reservations.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Executor
from functools import partial
from ipaddress import IPv4Network
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError, ParamValidationError

from ctipam import names, waiting
from ctipam.cloudformation.request import ResourceRequest
from ctipam.errors import (
    INVALID_VALUE,
    POOL_NOT_FOUND,
    RETRYABLE_POOL_ERRORS,
    TOO_MANY_TAGS,
    AwsFailed,
    code_of,
    explain,
)
from ctipam.logs import log_decision
from ctipam.pools.existing import Allocation, ExistingPool
from ctipam.pools.reader import UNREADABLE, read_allocations
from ctipam.pools.reserved import (
    DESCRIPTION,
    ReservationChanges,
    may_have_reservations,
    refuse_collisions,
    reservation_changes,
    wanted_reservations,
)
from ctipam.pools.spec import PoolKey, PoolSpec
from ctipam.sessions import Account
from ctipam.tags import to_list
from ctipam.waiting import PATIENCE_S, Pace, retry_while_busy

if TYPE_CHECKING:
    from types_boto3_ec2.client import EC2Client

YES = "yes"

ALREADY_RELEASED = "InvalidIpamPoolAllocationId.NotFound"

Concerned = tuple[PoolKey, ExistingPool, tuple[IPv4Network, ...]]
"""A pool, and what is to be reserved in it."""


def refuse_collisions_in(
    account: Account, executor: Executor, spec: PoolSpec, pools: Mapping[PoolKey, ExistingPool]
) -> None:
    """Raise Refused if a VPC has some of the addresses that are to be reserved. Called before anything is changed."""
    concerned = [item for item in _concerned(spec, pools) if item[2]]
    found = executor.map(partial(_read, account), [pool for _, pool, _ in concerned])
    for (key, _, wanted), allocations in zip(concerned, found, strict=True):
        changes = reservation_changes(spec, wanted, allocations)
        refuse_collisions(key.phrase, changes.colliding)


def read_concerned(
    account: Account, executor: Executor, spec: PoolSpec, pools: Mapping[PoolKey, ExistingPool]
) -> dict[str, Sequence[Allocation]]:
    """Return what is allocated from each pool in which something is, or should be, reserved, by its id."""
    concerned = [pool for _, pool, _ in _concerned(spec, pools)]
    allocations = executor.map(partial(_read, account), concerned)
    return {pool.pool_id: found for pool, found in zip(concerned, allocations, strict=True)}


def reserve(
    request: ResourceRequest,
    executor: Executor,
    spec: PoolSpec,
    pools: Mapping[PoolKey, ExistingPool],
    *,
    leaves_impossible: bool,
) -> None:
    """Make exactly what is to be reserved be allocated in each pool. Raises Refused if a VPC was faster.

    leaves_impossible   whether a pool stays as it is if its Region is forbidden or not enabled, or if it can take no
                        more tags
    """
    list(executor.map(partial(_reserve_in, request, spec, leaves_impossible), _concerned(spec, pools)))


def _concerned(spec: PoolSpec, pools: Mapping[PoolKey, ExistingPool]) -> list[Concerned]:
    """Return the pools in which something is, or should be, reserved."""
    wanted = {key: wanted_reservations(spec, key, (block.cidr for block in pools[key].held)) for key in pools}
    return [(key, pool, wanted[key]) for key, pool in pools.items() if wanted[key] or may_have_reservations(pool)]


def _read(account: Account, pool: ExistingPool) -> Sequence[Allocation]:
    return read_allocations(account, pool.pool_id, pool.region)


def _reserve_in(request: ResourceRequest, spec: PoolSpec, leaves_impossible: bool, concerned: Concerned) -> None:
    key, pool, wanted = concerned
    request.raise_if_superseded()
    try:
        if wanted:
            _tag(request.account, pool)
        changes = _allocate_all(request, spec, pool, wanted)
        for allocation in changes.release:
            _release(request, pool, allocation)
    except ClientError as error:
        if not (leaves_impossible and code_of(error) in UNREADABLE | TOO_MANY_TAGS):
            raise
        log_decision("leaving the reservations in a pool as they are", pool=pool.pool_id, reason=explain(error))
        return  # with its tag, a new pool is not shared; the watch reserves when AWS lets it
    if not request.is_rollback:
        refuse_collisions(key.phrase, changes.colliding)
    _untag(request.account, pool, [names.PREPARING_TAG, *([] if wanted else [names.RESERVED_TAG])])


def _allocate_all(
    request: ResourceRequest, spec: PoolSpec, pool: ExistingPool, wanted: Collection[IPv4Network]
) -> ReservationChanges:
    """Allocate what is wanted, as far as no VPC has it; return what was left to do then.

    What was released a moment ago is in no list any more, and cannot be allocated again for minutes.
    https://docs.aws.amazon.com/vpc/latest/ipam/release-alloc-ipam.html
    """
    pace, until = Pace(request.deadline), waiting.now() + PATIENCE_S
    while True:
        changes = reservation_changes(spec, wanted, _read(request.account, pool))
        last = waiting.now() >= until
        allocated = [_allocate(request, spec, pool, cidr, last=last) for cidr in changes.add]
        if all(allocated) or last:
            return changes
        pace.wait()


def _allocate(request: ResourceRequest, spec: PoolSpec, pool: ExistingPool, cidr: IPv4Network, *, last: bool) -> bool:
    """Return whether no VPC gets the CIDR any more, because AWS has allocated it, or allocates nothing in a CIDR of the
    pool that it has failed to take back; False: it is not free.

    last   raise ClientError for that, except in a rollback
    """
    # With the tag of a VPC: whether AWS asks a manual allocation for the tags of the pool's rule is not documented.
    tags = {names.STACK_TAG: spec.stack_id, names.ENVIRONMENT_TAG: pool.environment}
    try:
        retry_while_busy(
            partial(_allocate_tagged, request.account.ec2(pool.region), tags),
            request.deadline,
            RETRYABLE_POOL_ERRORS,
            request.raise_if_superseded,
            IpamPoolId=pool.pool_id,
            Cidr=str(cidr),
            Description=DESCRIPTION,
            ClientToken=request.token("reserve", pool.pool_id, cidr),
        )
    except ClientError as error:
        if code_of(error) != INVALID_VALUE:
            raise
        if any(block.not_taken_back and block.cidr.overlaps(cidr) for block in pool.held):
            log_decision("not reserving in a CIDR that AWS has failed to take back", pool=pool.pool_id, cidr=str(cidr))
            return True
        if last and not request.is_rollback:
            raise
        return False
    log_decision("reserving CIDR", pool=pool.pool_id, key=str(pool.key), cidr=str(cidr))
    return True


def _allocate_tagged(ec2: EC2Client, tags: Mapping[str, str], **parameters: Any) -> None:
    """Allocate with tags, or without them if the SDK, which Lambda brings, is from before May 2026."""
    tagged: Any = {"ResourceType": "ipam-pool-allocation", "Tags": to_list(tags)}
    try:
        ec2.allocate_ipam_pool_cidr(**parameters, TagSpecifications=[tagged])
    except ParamValidationError:
        ec2.allocate_ipam_pool_cidr(**parameters)


def _release(request: ResourceRequest, pool: ExistingPool, allocation: Allocation) -> None:
    if not release(request.account, pool, allocation):
        raise AwsFailed(
            f"AWS did not release {allocation.cidr} in {pool.pool_id} in {pool.region}, and gave no reason. Release "
            f"allocation {allocation.allocation_id}, then try again."
        )
    log_decision("releasing CIDR", pool=pool.pool_id, key=str(pool.key), cidr=str(allocation.cidr))


def release_all(account: Account, pool: ExistingPool, cidr: IPv4Network) -> None:
    """Release all reservations in a CIDR of the pool, which is about to be given back.

    Looks for them in a pool whose tags tell of some, and where AWS has failed to take the CIDR back: somebody may have
    removed the tag. Does nothing in a Region that can no longer be read, nor if AWS does not release one: AWS then
    refuses to take the CIDR back, and says why.
    """
    has_failed = any(block.not_taken_back and block.cidr == cidr for block in pool.blocks)
    if not (has_failed or may_have_reservations(pool)):
        return
    try:
        for allocation in _read(account, pool):
            if allocation.is_reservation and allocation.cidr.overlaps(cidr):
                release(account, pool, allocation)
    except ClientError as error:
        if code_of(error) not in UNREADABLE:
            raise


def release(account: Account, pool: ExistingPool, allocation: Allocation) -> bool:
    """Release an allocation. Return whether AWS did; one that is gone already counts as released."""
    try:
        answer = account.ec2(pool.region).release_ipam_pool_allocation(
            IpamPoolId=pool.pool_id,
            Cidr=str(allocation.cidr),
            IpamPoolAllocationId=allocation.allocation_id,
        )
    except ClientError as error:
        if code_of(error) not in (ALREADY_RELEASED, POOL_NOT_FOUND):
            raise
        return True
    return answer.get("Success") is not False


def _tag(account: Account, pool: ExistingPool) -> None:
    if names.RESERVED_TAG not in pool.tags:
        account.ec2().create_tags(Resources=[pool.pool_id], Tags=to_list({names.RESERVED_TAG: YES}))


def _untag(account: Account, pool: ExistingPool, keys: Collection[str]) -> None:
    if present := [key for key in keys if key in pool.tags]:
        account.ec2().delete_tags(Resources=[pool.pool_id], Tags=[{"Key": key} for key in present])
