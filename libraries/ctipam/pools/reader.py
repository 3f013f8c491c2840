"""Reads which pools exist, which CIDRs they hold, and what is allocated from them.

AWS lists pools in one call and the CIDRs of each pool in another. What the tags of a pool record of its CIDRs (see
`record`) is no substitute: somebody may have taken one away by hand. A request reads the CIDRs of each pool once, side
by side, and then again only those of pools that it changes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from ipaddress import IPv4Network
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from ctipam import names
from ctipam.errors import DENIED, POOL_NOT_FOUND, REGION_NOT_ENABLED, code_of
from ctipam.ipam.listing import scope_of, stack_of
from ctipam.pools import record
from ctipam.pools.existing import Allocation, Block, ExistingPool
from ctipam.pools.reserved import is_reservation
from ctipam.pools.spec import PoolKey, VpcSizes
from ctipam.sessions import Account
from ctipam.tags import to_dict

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import IpamPoolTypeDef

UNREADABLE = DENIED | REGION_NOT_ENABLED
"""Answers of a Region that a service control policy forbids, or that the account has not enabled."""

CONCURRENT_READS = 40
"""As many as a client keeps connections. EC2 lets 100 reads and 50 changes of a kind through at once, and then 20 and 5
a second. https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html"""

WITHOUT_CIDRS = frozenset({"create-in-progress", "delete-in-progress"})


@dataclass(frozen=True)
class PoolReader:
    """The pools of an account, as the request of one stack sees them.

    stack_ids   ARNs of the stacks whose pools are ours: the stack itself, and those that can no longer act
    scope_id    the scope that is asked for; empty: not known yet
    executor    reads side by side
    """

    account: Account
    stack_ids: frozenset[str]
    scope_id: str
    executor: Executor

    def is_ours(self, pool: IpamPoolTypeDef) -> bool:
        return stack_of(pool) in self.stack_ids

    def read_pools(
        self, listed: Iterable[IpamPoolTypeDef], known: Mapping[str, tuple[Block, ...]]
    ) -> list[ExistingPool]:
        """Return the IPv4 pools of the scope, and ours wherever they are; ours with their CIDRs.

        known   the CIDRs of pools that need not be read, by pool id
        """
        found = [
            pool
            for pool in listed
            if pool["AddressFamily"] == "ipv4" and (scope_of(pool) == self.scope_id or self.is_ours(pool))
        ]
        return list(self.executor.map(lambda pool: self._read_pool(pool, known), found))

    def _read_pool(self, pool: IpamPoolTypeDef, known: Mapping[str, tuple[Block, ...]]) -> ExistingPool:
        found = as_listed(pool, ours=self.is_ours(pool))
        if found.key is None or found.state in WITHOUT_CIDRS:
            return found
        blocks = known.get(found.pool_id)
        return replace(found, blocks=tuple(read_blocks(self.account, found.pool_id)) if blocks is None else blocks)

    def read_top_level_blocks(self, pools: Iterable[ExistingPool]) -> dict[str, tuple[Block, ...]]:
        """Return the CIDRs of top-level pools that are not ours, by pool id."""
        ids = [pool.pool_id for pool in pools if pool.key is None and not pool.source_pool_id]
        blocks = self.executor.map(lambda pool_id: tuple(read_blocks(self.account, pool_id)), ids)
        return dict(zip(ids, blocks, strict=True))

    def read_allocations(self, ours: Collection[ExistingPool]) -> dict[str, list[Allocation]]:
        """Return what is allocated from each of these pools of ours, by pool id.

        A pool in a Region that can no longer be read is left out: that it is in use shows when AWS refuses to take its
        CIDR back.
        """
        found = self.executor.map(lambda pool: read_if_allowed(self.account, pool.pool_id, pool.region), ours)
        return {
            pool.pool_id: allocations for pool, allocations in zip(ours, found, strict=True) if allocations is not None
        }

    def read_occupied(
        self,
        pools: Sequence[ExistingPool],
        parent_ids: Iterable[str],
        allocated: dict[str, Collection[IPv4Network]],
    ) -> tuple[dict[str, list[IPv4Network]], list[ExistingPool]]:
        """Return what is occupied of each of these pools. A pool without a CIDR has no room for others: left out.

        And the pools again: a CIDR that a pool is being given can be listed among the allocations of its parent before
        the pool's own list shows it.

        Of a pool in a Region that can no longer be read, only its children are known: AWS refuses what overlaps others.

        allocated   what others have allocated from a parent, as far as it was read: completed here
        """
        by_id = {pool.pool_id: pool for pool in pools}
        regions = {pool.pool_id: pool.region for pool in pools if pool.key and pool.provisioned}
        parents = [parent_id for parent_id in parent_ids if parent_id in regions]
        unread = [parent_id for parent_id in parents if parent_id not in allocated]
        # Nobody can allocate in a Region that cannot be read, so there nothing is found.
        answers = self.executor.map(lambda one: read_if_allowed(self.account, one, regions[one]) or [], unread)
        others = {parent_id: allocated[parent_id] for parent_id in parents if parent_id in allocated}
        for parent_id, allocations in zip(unread, answers, strict=True):
            by_id |= {pool.pool_id: pool for one in allocations if (pool := _with_coming_cidr(one, by_id))}
            of_ours = {(pool.pool_id, block.cidr): block for pool in by_id.values() if pool.key for block in pool.held}
            taken = [(one.resource_id, one.cidr) for one in allocations]
            others[parent_id] = [cidr for pool_id, cidr in taken if (pool_id, cidr) not in of_ours]
            # What no list but this one shows yet, now or in an earlier reading, has to be found here again.
            if all(of_ours[one].cidr_id for one in taken if one in of_ours):
                allocated[parent_id] = others[parent_id]
        return _with_cidrs_of_children(others, by_id.values()), list(by_id.values())


def _with_cidrs_of_children(
    others: Mapping[str, Collection[IPv4Network]], pools: Iterable[ExistingPool]
) -> dict[str, list[IPv4Network]]:
    occupied = {parent_id: list(cidrs) for parent_id, cidrs in others.items()}
    for pool in pools:
        if pool.source_pool_id in occupied:
            occupied[pool.source_pool_id] += [block.cidr for block in pool.held]
    return occupied


def as_listed(pool: IpamPoolTypeDef, *, ours: bool) -> ExistingPool:
    """Return a pool without its CIDRs, which another call lists."""
    tags = to_dict(pool.get("Tags", []))
    return ExistingPool(
        pool_id=pool["IpamPoolId"],
        source_pool_id=pool.get("SourceIpamPoolId", ""),
        state=pool["State"],
        message=pool.get("StateMessage", ""),
        key=_key(pool, tags) if ours else None,
        tags=tags,
        description=pool.get("Description", ""),
        allocation_tags=to_dict(pool.get("AllocationResourceTags", [])),
        vpc_sizes=_vpc_sizes(pool),
        auto_import=pool.get("AutoImport", False),
    )


def _key(pool: IpamPoolTypeDef, tags: Mapping[str, str]) -> PoolKey:
    """Return the key. The locale cannot change, so it tells the Region, and not a tag."""
    region = pool["Locale"] if pool["Locale"] != "None" else ""
    return PoolKey(region, tags.get(names.POOL_ENVIRONMENT_TAG, "") if region else "")


def _vpc_sizes(pool: IpamPoolTypeDef) -> VpcSizes | None:
    default = pool.get("AllocationDefaultNetmaskLength")
    minimum, maximum = pool.get("AllocationMinNetmaskLength"), pool.get("AllocationMaxNetmaskLength")
    if default is None or minimum is None or maximum is None:
        return None
    return VpcSizes(default, minimum, maximum)


def read_blocks(account: Account, pool_id: str) -> Iterator[Block]:
    """Yield the CIDRs of an IPv4 pool, those that failed or were given back too; none if the pool is gone."""
    pages = account.ec2().get_paginator("get_ipam_pool_cidrs").paginate(IpamPoolId=pool_id)
    try:
        for page in pages:
            for row in page["IpamPoolCidrs"]:
                if "Cidr" in row:  # one that somebody requested by its size has none until it is provisioned
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


def read_allocations(account: Account, pool_id: str, region: str) -> list[Allocation]:
    """Return what is allocated from an IPv4 pool; nothing if the pool is gone, or so new that its Region does not know
    it yet.

    region   the pool's locale, which alone answers; empty: it has none, and the home Region answers
    Source   https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_GetIpamPoolAllocations.html
    """
    pages = account.ec2(region or None).get_paginator("get_ipam_pool_allocations").paginate(IpamPoolId=pool_id)
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
            allocation_id=row["IpamPoolAllocationId"],
            is_reservation=is_reservation(row),
        )
        for row in rows
    ]


def read_if_allowed(account: Account, pool_id: str, region: str) -> list[Allocation] | None:
    """Return what `read_allocations` does; None if the pool's Region can no longer be read."""
    try:
        return read_allocations(account, pool_id, region)
    except ClientError as error:
        if code_of(error) not in UNREADABLE:
            raise
        return None


def _with_coming_cidr(allocation: Allocation, by_id: Mapping[str, ExistingPool]) -> ExistingPool | None:
    """Return the pool that is being given this CIDR, if it is ours and its own list does not show the CIDR yet."""
    pool = by_id.get(allocation.resource_id)
    if pool is None or pool.key is None or pool.shows(allocation.cidr):
        return None
    # Of a pool that holds others, only a CIDR that was about to be requested is coming; others were given by hand.
    recorded = record.read(pool.tags)
    requested = not pool.held or recorded.everything or allocation.cidr in recorded.coming
    if not requested or pool.state == "delete-in-progress":
        return None
    return replace(pool, blocks=(*pool.blocks, Block(allocation.cidr, "pending-provision")))
