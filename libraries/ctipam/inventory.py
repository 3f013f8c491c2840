"""Which pools are there, below the top-level pool, and what is allocated from them.

AWS lists pools in one place and the blocks of each pool in another. So that looking again costs one call and not one
for each pool, a pool whose block was seen provisioned carries it in a tag (`names.BLOCK_TAG`), written after the fact
and taken off before the block is given back. Only pools without the tag are asked for their blocks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from ctipam import names
from ctipam.difference import Block, Pool
from ctipam.errors import code_of
from ctipam.plan import PoolKey
from ctipam.refusals import Allocation
from ctipam.sessions import Account

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import IpamPoolTypeDef, TagTypeDef

GONE = "InvalidIpamPoolId.NotFound"


@dataclass(frozen=True)
class Hierarchy:
    """Whose pools, below which pool.

    stack_id     ARN of the stack, by which it knows its pools
    scope_id     the scope of the top-level pool, which every pool below it shares
    request_id   CloudFormation's id of the request: what makes a repeated request find what its first attempt made
    """

    account: Account
    stack_id: str
    scope_id: str
    top_pool_id: str
    request_id: str

    def token(self, *parts: object) -> str:
        """A client token, the same for the same act of the same request. At most 64 characters."""
        return hashlib.sha256("\n".join([self.request_id, *map(str, parts)]).encode()).hexdigest()


def find_pools(hierarchy: Hierarchy, workers: Executor) -> list[Pool]:
    """Every pool below the top-level pool, by whomever; those of this stack with their blocks."""
    pages = hierarchy.account.ec2().get_paginator("describe_ipam_pools").paginate(PaginationConfig={"PageSize": 1000})
    found = {pool["IpamPoolId"]: pool for page in pages for pool in page["IpamPools"]}
    below = [
        pool
        for pool in found.values()
        if pool["State"] != "delete-complete" and _is_below(hierarchy.top_pool_id, pool, found)
    ]
    return list(workers.map(lambda pool: _read_pool(hierarchy, pool), below))


def _is_below(top_pool_id: str, pool: IpamPoolTypeDef, found: Mapping[str, IpamPoolTypeDef]) -> bool:
    source = pool.get("SourceIpamPoolId")
    while source and source != top_pool_id:
        source = found[source].get("SourceIpamPoolId") if source in found else None
    return source == top_pool_id


def _read_pool(hierarchy: Hierarchy, pool: IpamPoolTypeDef) -> Pool:
    tags = {tag["Key"]: tag["Value"] for tag in pool.get("Tags", [])}
    key = _key(hierarchy.stack_id, tags)
    noted = tags.get(names.BLOCK_TAG, "") if key else ""
    if noted:
        blocks: tuple[Block, ...] = (Block(IPv4Network(noted), "provisioned"),)
    else:
        blocks = tuple(_blocks(hierarchy, pool["IpamPoolId"])) if key else ()
    return Pool(
        pool_id=pool["IpamPoolId"],
        source_pool_id=pool["SourceIpamPoolId"],
        state=pool["State"],
        message=pool.get("StateMessage", ""),
        key=key,
        blocks=blocks,
        noted=bool(noted),
        description=pool.get("Description", ""),
        allocation_tags=_as_map(pool.get("AllocationResourceTags", [])),
    )


def _as_map(tags: Iterable[TagTypeDef]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in tags}


def _key(stack_id: str, tags: Mapping[str, str]) -> PoolKey | None:
    if tags.get(names.STACK_TAG) != stack_id or names.REGION_TAG not in tags:
        return None
    return PoolKey(tags[names.REGION_TAG], tags.get(names.POOL_ENVIRONMENT_TAG))


def _blocks(hierarchy: Hierarchy, pool_id: str) -> Iterator[Block]:
    pages = hierarchy.account.ec2().get_paginator("get_ipam_pool_cidrs").paginate(IpamPoolId=pool_id)
    try:
        for page in pages:
            for row in page["IpamPoolCidrs"]:
                yield Block(
                    cidr=IPv4Network(row["Cidr"]),
                    state=row["State"],
                    cidr_id=row.get("IpamPoolCidrId", ""),
                    reason=row.get("FailureReason", {}).get("Message", ""),
                )
    except ClientError as error:
        if code_of(error) != GONE:  # it was deleted between the two questions
            raise


def find_taken(hierarchy: Hierarchy, pools: Sequence[Pool], parent_ids: Iterable[str]) -> dict[str, list[IPv4Network]]:
    """What is taken of each of these pools. A pool without a block of its own has no place for others: left out."""
    by_id = {pool.pool_id: pool for pool in pools}
    taken: dict[str, list[IPv4Network]] = {}
    for parent_id in parent_ids:
        parent = by_id.get(parent_id)
        if parent_id != hierarchy.top_pool_id and not (parent and parent.provisioned):
            continue
        allocated = [allocation.cidr for allocation in find_allocations(hierarchy, parent)]
        # A block that was handed out a moment ago may not be among the allocations yet.
        held = [pool.block.cidr for pool in pools if pool.source_pool_id == parent_id and pool.block]
        taken[parent_id] = [*allocated, *held]
    return taken


def find_allocations(hierarchy: Hierarchy, pool: Pool | None) -> list[Allocation]:
    """What is allocated from a pool (None: from the top-level pool, which has no locale).

    Only the pool's own Region answers; pages have at least 1000 rows.
    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_GetIpamPoolAllocations.html
    """
    ec2 = hierarchy.account.ec2(pool.key.region if pool and pool.key else None)
    pool_id = pool.pool_id if pool else hierarchy.top_pool_id
    return [
        Allocation(
            cidr=IPv4Network(row["Cidr"]),
            resource_type=row["ResourceType"],
            resource_id=row.get("ResourceId", ""),
            owner=row.get("ResourceOwner", ""),
        )
        for page in ec2.get_paginator("get_ipam_pool_allocations").paginate(IpamPoolId=pool_id)
        for row in page["IpamPoolAllocations"]
    ]
