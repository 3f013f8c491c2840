"""Which pools are there, and what is allocated from them.

AWS lists pools in one place and the blocks of each pool in another. So that looking again costs one call and not one
for each pool, a pool whose block was seen provisioned carries it in a tag (`names.BLOCK_TAG`), written after the fact
and taken off before the block is given back. The tag is good enough to see that nothing has to be done. Whoever changes
something asks each pool for its blocks first, and then remembers.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from ipaddress import IPv4Network
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from ctipam import names
from ctipam.cloudformation.request import ResourceRequest
from ctipam.errors import code_of
from ctipam.pools import preconditions as refusals
from ctipam.pools.existing import Allocation, Block, ExistingPool
from ctipam.pools.spec import PoolKey, VpcSizes
from ctipam.sessions import Account
from ctipam.tags import to_dict

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import IpamPoolTypeDef

POOL_NOT_FOUND = "InvalidIpamPoolId.NotFound"

WORKERS = 40
"""Calls at a time, as many as a client keeps connections. EC2 lets 100 reads and 50 changes of a kind through at once,
and then 20 and 5 a second. https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html"""


@dataclass(frozen=True)
class PoolHierarchy:
    """Which pools a request is about.

    scope_id      the scope of the top-level pool, which every pool below it shares
    top_pool_id   empty: it is not known yet
    """

    request: ResourceRequest
    scope_id: str
    top_pool_id: str = ""

    @property
    def account(self) -> Account:
        return self.request.account

    @property
    def stack_id(self) -> str:
        """ARN of the stack, by which it recognizes its pools."""
        return self.request.stack_id


def list_pools(account: Account) -> list[IpamPoolTypeDef]:
    """All pools of the account's IPAM, in AWS's words. AWS lists those that are deleted for a while: left out."""
    pages = account.ec2().get_paginator("describe_ipam_pools").paginate(PaginationConfig={"PageSize": 1000})
    return [pool for page in pages for pool in page["IpamPools"] if pool["State"] != "delete-complete"]


def find_pools(
    hierarchy: PoolHierarchy,
    listed: Iterable[IpamPoolTypeDef],
    known: Mapping[str, tuple[Block, ...]] | None,
    workers: Executor,
) -> list[ExistingPool]:
    """Of the pools listed: those of the scope, and this stack's wherever they are; this stack's with their blocks.

    known   the blocks of pools that need not be asked, by pool id. None: those that stand in the pools' tags
    """
    found = [
        pool
        for pool in listed
        if _scope_id(pool) == hierarchy.scope_id or _key(hierarchy.stack_id, to_dict(pool.get("Tags", [])))
    ]
    return list(workers.map(lambda pool: _read_pool(hierarchy, pool, known), found))


def _scope_id(pool: IpamPoolTypeDef) -> str:
    return pool["IpamScopeArn"].rpartition("/")[2]


WITHOUT_BLOCKS = frozenset({"create-in-progress", "delete-in-progress"})


def _read_pool(
    hierarchy: PoolHierarchy, pool: IpamPoolTypeDef, known: Mapping[str, tuple[Block, ...]] | None
) -> ExistingPool:
    found = _as_listed(hierarchy.stack_id, pool)
    if found.key is None or found.state in WITHOUT_BLOCKS:
        return found
    blocks = _noted(found.recorded_cidr) if known is None else known.get(found.pool_id)
    return replace(found, blocks=tuple(find_blocks(hierarchy.account, found.pool_id)) if blocks is None else blocks)


def _as_listed(stack_id: str, pool: IpamPoolTypeDef) -> ExistingPool:
    """Without its blocks, which stand elsewhere."""
    tags = to_dict(pool.get("Tags", []))
    return ExistingPool(
        pool_id=pool["IpamPoolId"],
        source_pool_id=pool.get("SourceIpamPoolId", ""),
        state=pool["State"],
        message=pool.get("StateMessage", ""),
        key=_key(stack_id, tags),
        recorded_cidr=tags.get(names.BLOCK_TAG, ""),
        description=pool.get("Description", ""),
        allocation_tags=to_dict(pool.get("AllocationResourceTags", [])),
        vpc_sizes=_vpc_sizes(pool),
    )


def _noted(recorded_cidr: str) -> tuple[Block, ...] | None:
    """Whatever somebody has made of the tag: only a CIDR is one."""
    try:
        return (Block(IPv4Network(recorded_cidr), "provisioned"),)
    except ValueError:
        return None


def _vpc_sizes(pool: IpamPoolTypeDef) -> VpcSizes | None:
    default = pool.get("AllocationDefaultNetmaskLength")
    minimum, maximum = pool.get("AllocationMinNetmaskLength"), pool.get("AllocationMaxNetmaskLength")
    if default is None or minimum is None or maximum is None:
        return None
    return VpcSizes(default, minimum, maximum)


def _key(stack_id: str, tags: Mapping[str, str]) -> PoolKey | None:
    if tags.get(names.STACK_TAG) != stack_id or names.REGION_TAG not in tags:
        return None
    return PoolKey(tags[names.REGION_TAG], tags.get(names.POOL_ENVIRONMENT_TAG))


def find_blocks(account: Account, pool_id: str) -> Iterator[Block]:
    """The CIDRs of a pool, those that failed or were given back too; none if the pool is gone."""
    pages = account.ec2().get_paginator("get_ipam_pool_cidrs").paginate(IpamPoolId=pool_id)
    try:
        for page in pages:
            for row in page["IpamPoolCidrs"]:
                if "Cidr" in row:  # one that somebody asked for by its size has none until it is provisioned
                    failure = row.get("FailureReason", {})
                    yield Block(
                        cidr=IPv4Network(row["Cidr"]),
                        state=row["State"],
                        cidr_id=row.get("IpamPoolCidrId", ""),
                        code=failure.get("Code", ""),
                        reason=failure.get("Message", ""),
                    )
    except ClientError as error:
        if code_of(error) != POOL_NOT_FOUND:
            raise


def read_occupied(
    hierarchy: PoolHierarchy,
    pools: Sequence[ExistingPool],
    parent_ids: Iterable[str],
    allocated: dict[str, Collection[IPv4Network]],
    workers: Executor,
) -> tuple[dict[str, list[IPv4Network]], list[ExistingPool]]:
    """What is taken of each of these pools. A pool without a block of its own has no place for others: left out.

    And the pools again: a block that a pool is being given can stand among what is allocated from its parent before the
    pool's own list shows it.

    allocated   what others have taken of a parent, as far as it was asked: completed here
    """
    by_id = {pool.pool_id: pool for pool in pools}
    regions = {pool.pool_id: pool.key.region for pool in pools if pool.key and pool.provisioned}
    parents = [one for one in parent_ids if one in regions or one == hierarchy.top_pool_id]
    asked = [one for one in parents if one not in allocated]
    answers = workers.map(lambda one: find_allocations(hierarchy.account, one, regions.get(one)), asked)
    others = {one: allocated[one] for one in parents if one in allocated}
    for parent_id, found in zip(asked, answers, strict=True):
        coming = {pool.pool_id: pool for one in found if (pool := _coming(one, by_id))}
        by_id |= coming
        ours = {pool.pool_id for pool in by_id.values() if pool.key and pool.block}
        others[parent_id] = [one.cidr for one in found if one.resource_id not in ours]
        if not coming:
            allocated[parent_id] = others[parent_id]
    children = [pool for pool in by_id.values() if pool.block]
    held = {one: [pool.block.cidr for pool in children if pool.block and pool.source_pool_id == one] for one in parents}
    return {one: [*others[one], *held[one]] for one in parents}, list(by_id.values())


def _coming(allocation: Allocation, by_id: Mapping[str, ExistingPool]) -> ExistingPool | None:
    """The pool that is being given this block, if one of ours is and does not show it yet."""
    pool = by_id.get(allocation.resource_id)
    if pool is None or pool.key is None or any(block.cidr == allocation.cidr for block in pool.blocks):
        return None
    if pool.block or pool.state == "delete-in-progress":
        return None
    return replace(pool, blocks=(*pool.blocks, Block(allocation.cidr, "pending-provision")))


def find_allocations(account: Account, pool_id: str, region: str | None) -> list[Allocation]:
    """What is allocated from a pool; nothing if the pool is gone, or so new that its Region does not know it yet.

    region   the pool's locale, which alone answers; None: it has none, and the home Region does
    Source   https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_GetIpamPoolAllocations.html
    """
    pages = account.ec2(region).get_paginator("get_ipam_pool_allocations").paginate(IpamPoolId=pool_id)
    try:
        rows = [row for page in pages for row in page["IpamPoolAllocations"]]  # pages have at least 1000 rows
    except ClientError as error:
        if code_of(error) != POOL_NOT_FOUND:
            raise
        return []
    return [
        Allocation(
            cidr=IPv4Network(row["Cidr"]),
            resource_type=row["ResourceType"],
            resource_id=row.get("ResourceId", ""),
            owner=row.get("ResourceOwner", ""),
        )
        for row in rows
    ]


def read_deletion_blockers(
    account: Account, going: Sequence[ExistingPool], pools: Sequence[ExistingPool], top_pool_id: str, workers: Executor
) -> list[str]:
    """In words, what keeps these pools from being deleted. top_pool_id: of a top-level pool that goes too, or empty."""
    asked: list[tuple[str, str | None]] = [(pool.pool_id, pool.key.region) for pool in going if pool.key]
    asked += [(top_pool_id, None)] if top_pool_id else []
    found = workers.map(lambda one: find_allocations(account, *one), asked)
    held = {pool_id: allocations for (pool_id, _), allocations in zip(asked, found, strict=True)}
    return refusals.deletion_blockers(going, pools, held)


def refuse_while_in_use(account: Account) -> None:
    """Raises Refused if a pool of this solution holds what keeps it from being deleted: a VPC, a block that somebody
    reserved, a pool made by hand. For a delete that must not begin what it could not finish. Changes nothing.

    account   the Networking account, with ec2:DescribeIpamPools and, on its pools and in all their Regions,
              ec2:GetIpamPoolAllocations
    """
    listed = list_pools(account)
    found: list[str] = []
    with ThreadPoolExecutor(WORKERS) as workers:
        for stack_id in sorted({to_dict(pool.get("Tags", [])).get(names.STACK_TAG, "") for pool in listed} - {""}):
            pools = [_as_listed(stack_id, pool) for pool in listed]
            top = find_top_pool(listed, stack_id)
            top_pool_id = top["IpamPoolId"] if top else ""
            found += read_deletion_blockers(account, [pool for pool in pools if pool.key], pools, top_pool_id, workers)
    refusals.refuse_deletion(found)


def find_top_pool(listed: Iterable[IpamPoolTypeDef], stack_id: str) -> IpamPoolTypeDef | None:
    """The top-level pool that CloudFormation made for the stack."""
    tops = (pool for pool in listed if not pool.get("SourceIpamPoolId"))
    return next((pool for pool in tops if to_dict(pool.get("Tags", [])).get(names.STACK_TAG) == stack_id), None)
