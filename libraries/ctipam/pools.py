"""Custom::InitPools: the Region and environment pools below the top-level pool.

    TopLevelPool  192.168.0.0/16
    ├─ us-west-2  192.168.0.0/20         locale us-west-2
    │  ├─ Prod OU 192.168.0.0/21         VPCs must carry Env=Prod OU
    │  └─ SDLC OU 192.168.8.0/21
    └─ us-east-1  192.168.16.0/20  ...

`difference` decides what is to be done and `refusals` what must not be; here it is read and done, step by step, until
nothing remains. AWS does each step in its own time and may refuse it for now; then it is tried again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import TYPE_CHECKING, assert_never

from botocore.exceptions import ClientError

from ctipam import difference, names, refusals
from ctipam.difference import Block, Create, Delete, Deprovision, Modify, Pool, Provision, Step
from ctipam.errors import AwsFailed, code_of
from ctipam.logs import decided
from ctipam.plan import PoolKey, PoolPlan
from ctipam.refusals import Allocation
from ctipam.sessions import Account
from ctipam.waiting import Deadline, Pace

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import IpamPoolTypeDef, TagTypeDef

NOT_NOW = frozenset(
    {
        # Another change to a sibling is under way; boto3 does not retry this one.
        "ConcurrentMutationLimitExceeded",
        # The pool itself, or the one above it, is still busy.
        "IncorrectState",
        "RequestLimitExceeded",
        "Throttling",
    }
)
"""Refusals that a later attempt does not meet."""

GONE = "InvalidIpamPoolId.NotFound"

FAILED = frozenset({"failed-provision", "failed-deprovision"})


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


def ensure(hierarchy: Hierarchy, plan: PoolPlan | None, deadline: Deadline) -> dict[PoolKey, Pool]:
    """Make the pools be exactly the plan's (None: no pools); return them.

    Raises Refused before anything is changed, AwsFailed with AWS's reason, OutOfTime when work is left.
    """
    pools = find_pools(hierarchy)
    _refuse(hierarchy, plan, pools)
    watch = _LateFailures()
    pace = Pace(deadline)
    while True:
        watch.raise_if_failed(pools)
        parents = difference.placing_parents(plan, hierarchy.top_pool_id, pools)
        rest = difference.remaining(plan, hierarchy.top_pool_id, pools, _taken(hierarchy, pools, parents))
        if rest.nothing:
            return difference.kept_pools(plan, pools)
        progress = _take(hierarchy, rest.steps, watch)
        if not progress:
            decided("waiting for AWS", pools=rest.waiting or [str(step) for step in rest.steps])
        pace.wait(progress=progress)
        pools = find_pools(hierarchy)


def _refuse(hierarchy: Hierarchy, plan: PoolPlan | None, pools: Sequence[Pool]) -> None:
    if plan:
        refusals.refuse_moves(plan, hierarchy.top_pool_id, pools)
    unwanted = [pool for pool in difference.unwanted_pools(plan, pools) if pool.block]
    refusals.refuse_removals(plan, pools, {pool.pool_id: _allocations(hierarchy, pool) for pool in unwanted})
    if plan:
        parents = difference.placing_parents(plan, hierarchy.top_pool_id, pools)
        taken = _taken(hierarchy, pools, parents)
        refusals.refuse_without_room(plan, hierarchy.top_pool_id, pools, taken)


# Reading


def find_pools(hierarchy: Hierarchy) -> list[Pool]:
    """Every pool below the top-level pool, by whomever; those of this stack with their blocks."""
    pages = hierarchy.account.ec2().get_paginator("describe_ipam_pools").paginate()
    found = {pool["IpamPoolId"]: pool for page in pages for pool in page["IpamPools"]}
    below = [pool for pool in found.values() if _is_below(hierarchy.top_pool_id, pool, found)]
    return [_read_pool(hierarchy, pool) for pool in below if pool["State"] != "delete-complete"]


def _is_below(top_pool_id: str, pool: IpamPoolTypeDef, found: Mapping[str, IpamPoolTypeDef]) -> bool:
    source = pool.get("SourceIpamPoolId")
    while source and source != top_pool_id:
        source = found[source].get("SourceIpamPoolId") if source in found else None
    return source == top_pool_id


def _read_pool(hierarchy: Hierarchy, pool: IpamPoolTypeDef) -> Pool:
    key = _key(hierarchy.stack_id, pool.get("Tags", []))
    return Pool(
        pool_id=pool["IpamPoolId"],
        source_pool_id=pool["SourceIpamPoolId"],
        state=pool["State"],
        message=pool.get("StateMessage", ""),
        key=key,
        blocks=tuple(_blocks(hierarchy, pool["IpamPoolId"])) if key else (),
        description=pool.get("Description", ""),
        allocation_tags={tag["Key"]: tag["Value"] for tag in pool.get("AllocationResourceTags", [])},
    )


def _key(stack_id: str, tags: Iterable[TagTypeDef]) -> PoolKey | None:
    values = {tag["Key"]: tag["Value"] for tag in tags}
    if values.get(names.STACK_TAG) != stack_id or names.REGION_TAG not in values:
        return None
    return PoolKey(values[names.REGION_TAG], values.get(names.POOL_ENVIRONMENT_TAG))


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


def _taken(hierarchy: Hierarchy, pools: Sequence[Pool], parent_ids: Iterable[str]) -> dict[str, list[IPv4Network]]:
    """What is taken of each of these pools. A pool without a block of its own has no place for others: left out."""
    by_id = {pool.pool_id: pool for pool in pools}
    taken: dict[str, list[IPv4Network]] = {}
    for parent_id in parent_ids:
        parent = by_id.get(parent_id)
        if parent_id != hierarchy.top_pool_id and not (parent and parent.provisioned):
            continue
        allocated = [allocation.cidr for allocation in _allocations(hierarchy, parent)]
        # A block that was handed out a moment ago may not be among the allocations yet.
        held = [pool.block.cidr for pool in pools if pool.source_pool_id == parent_id and pool.block]
        taken[parent_id] = [*allocated, *held]
    return taken


def _allocations(hierarchy: Hierarchy, pool: Pool | None) -> list[Allocation]:
    """What is allocated from a pool (None: from the top-level pool, which has no locale).

    Only the pool's own Region answers; pages have at least 1000 rows.
    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_GetIpamPoolAllocations.html
    """
    ec2 = hierarchy.account.ec2(pool.key.region if pool and pool.key else None)
    pages = ec2.get_paginator("get_ipam_pool_allocations").paginate(
        IpamPoolId=pool.pool_id if pool else hierarchy.top_pool_id
    )
    return [
        Allocation(
            cidr=IPv4Network(row["Cidr"]),
            resource_type=row["ResourceType"],
            resource_id=row.get("ResourceId", ""),
            owner=row.get("ResourceOwner", ""),
        )
        for page in pages
        for row in page["IpamPoolAllocations"]
    ]


# Doing


class _LateFailures:
    """Remembers what this invocation has started, since only its failures are this request's failures.

    A CIDR that failed in an earlier attempt stays listed for a while and says nothing about this one.
    """

    def __init__(self) -> None:
        self._created: set[str] = set()
        self._known_failures: set[str] | None = None
        self._deprovisioned: set[tuple[str, IPv4Network]] = set()

    def created(self, pool_id: str) -> None:
        self._created.add(pool_id)

    def deprovisioned(self, pool: Pool, cidr: IPv4Network) -> None:
        self._deprovisioned.add((pool.pool_id, cidr))

    def raise_if_failed(self, pools: Sequence[Pool]) -> None:
        before = self._known_failures
        failures = {block.cidr_id for pool in pools for block in pool.blocks if block.state == "failed-provision"}
        for pool in pools:
            if pool.state == "create-failed" and pool.pool_id in self._created:
                raise AwsFailed(f"AWS could not create the pool of {pool.key}: {pool.message}")
            for block in pool.blocks:
                doomed = block.state == "pending-provision" and bool(block.reason)
                if before is not None and (doomed or block.cidr_id in failures - before):
                    raise AwsFailed(f"AWS could not give {block.cidr} to the pool of {pool.key}: {block.reason}")
                if block.state == "failed-deprovision" and (pool.pool_id, block.cidr) in self._deprovisioned:
                    raise AwsFailed(f"AWS could not take {block.cidr} from the pool of {pool.key}: {block.reason}")
        self._known_failures = failures if before is None else before


def _take(hierarchy: Hierarchy, steps: Sequence[Step], watch: _LateFailures) -> bool:
    """Take every step that AWS accepts now; answer whether it accepted any.

    When a change below one parent has to wait, its siblings have to as well, so they are not tried.
    """
    locked: set[str] = set()
    progress = False
    for step in steps:
        parent_id = step.source_pool_id if isinstance(step, Create) else step.pool.source_pool_id
        if parent_id in locked:
            continue
        try:
            _take_one(hierarchy, step, watch)
            progress = True
        except ClientError as error:
            if code_of(error) not in NOT_NOW:
                raise
            locked.add(parent_id)
    return progress


def _take_one(hierarchy: Hierarchy, step: Step, watch: _LateFailures) -> None:
    match step:
        case Create():
            watch.created(_create(hierarchy, step))
        case Provision():
            _provision(hierarchy, step)
        case Modify():
            _modify(hierarchy, step)
        case Deprovision():
            _deprovision(hierarchy, step)
            watch.deprovisioned(step.pool, step.cidr)
        case Delete():
            _delete(hierarchy, step)
        case _:
            assert_never(step)


def _create(hierarchy: Hierarchy, step: Create) -> str:
    key = step.key
    tags = {
        "Name": names.pool_name(key.region, key.environment),
        names.STACK_TAG: hierarchy.stack_id,
        names.REGION_TAG: key.region,
    }
    if key.environment is not None:
        tags[names.POOL_ENVIRONMENT_TAG] = key.environment
    pool = hierarchy.account.ec2().create_ipam_pool(
        IpamScopeId=hierarchy.scope_id,
        SourceIpamPoolId=step.source_pool_id,
        Locale=key.region,
        AddressFamily="ipv4",
        Description=names.pool_description(key.region, key.environment),
        AllocationResourceTags=_tag_list(difference.wanted_allocation_tags(key)),
        TagSpecifications=[{"ResourceType": "ipam-pool", "Tags": _tag_list(tags)}],
        ClientToken=hierarchy.token("create", key, step.source_pool_id),
    )["IpamPool"]
    decided("creating pool", pool=pool["IpamPoolId"], key=str(key))
    return pool["IpamPoolId"]


def _provision(hierarchy: Hierarchy, step: Provision) -> None:
    hierarchy.account.ec2().provision_ipam_pool_cidr(
        IpamPoolId=step.pool.pool_id,
        Cidr=str(step.cidr),
        ClientToken=hierarchy.token("provision", step.pool.pool_id, step.cidr),
    )
    decided("provisioning block", pool=step.pool.pool_id, key=str(step.pool.key), cidr=str(step.cidr))


def _modify(hierarchy: Hierarchy, step: Modify) -> None:
    key = step.key
    wanted, found = difference.wanted_allocation_tags(key), dict(step.pool.allocation_tags or {})
    hierarchy.account.ec2().modify_ipam_pool(
        IpamPoolId=step.pool.pool_id,
        Description=names.pool_description(key.region, key.environment),
        AddAllocationResourceTags=_tag_list(dict(wanted.items() - found.items())),
        RemoveAllocationResourceTags=_tag_list(dict(found.items() - wanted.items())),
    )
    decided("modifying pool", pool=step.pool.pool_id, key=str(key))


def _deprovision(hierarchy: Hierarchy, step: Deprovision) -> None:
    try:
        hierarchy.account.ec2().deprovision_ipam_pool_cidr(IpamPoolId=step.pool.pool_id, Cidr=str(step.cidr))
    except ClientError as error:
        if code_of(error) != GONE:
            raise
    decided("deprovisioning block", pool=step.pool.pool_id, key=str(step.pool.key), cidr=str(step.cidr))


def _delete(hierarchy: Hierarchy, step: Delete) -> None:
    try:
        hierarchy.account.ec2().delete_ipam_pool(IpamPoolId=step.pool.pool_id)
    except ClientError as error:
        if code_of(error) != GONE:
            raise
    decided("deleting pool", pool=step.pool.pool_id, key=str(step.pool.key))


def _tag_list(tags: Mapping[str, str]) -> list[TagTypeDef]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
