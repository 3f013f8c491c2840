"""Find what carries the contract's tag, and delete it: shares, VPCs, allocations, pools, scopes, then IPAMs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from aws_models.contract.aws import BUSY, Account, Aws, code_of, every
from aws_models.contract.guard import TAG

OURS = [{"Name": f"tag:{TAG}", "Values": ["*"]}]
GONE = "delete-complete"
LATER = (BUSY, "IncorrectState", "DependencyViolation")  # asked for again at the next look
NAMES = {"ipam": ("Ipam", "ipam"), "scope": ("IpamScope", "ipam_scope"), "pool": ("IpamPool", "ipam_pool")}
LISTED_S = 10.0  # what was created a moment ago may be in no list yet
EMPTY_S = 2700.0  # a deleted VPC holds its block for 30 minutes or more


@dataclass(frozen=True)
class Leftovers:
    """What carries the tag.

    shares  (Region, ARN)
    vpcs    (account, Region, id)
    pools   as DescribeIpamPools lists them
    """

    shares: list[tuple[str, str]] = field(default_factory=list)
    vpcs: list[tuple[Account, str, str]] = field(default_factory=list)
    pools: list[dict[str, Any]] = field(default_factory=list)
    scopes: list[str] = field(default_factory=list)
    ipams: list[str] = field(default_factory=list)

    def ids(self) -> list[str]:
        vpcs = [vpc_id for _, _, vpc_id in self.vpcs]
        return [
            *(arn for _, arn in self.shares),
            *vpcs,
            *(pool["IpamPoolId"] for pool in self.pools),
            *self.scopes,
            *self.ipams,
        ]


def find(aws: Aws) -> Leftovers:
    """Return what is left of this run or an earlier one."""
    ec2 = aws.ec2()
    pools = _living(every(ec2, "describe_ipam_pools", "IpamPools", Filters=OURS))
    regions = sorted({aws.home, aws.elsewhere} | {pool["Locale"] for pool in pools} - {"None"})
    return Leftovers(
        list(_shares(aws, regions)),
        list(_vpcs(aws, regions)),
        pools,
        [one["IpamScopeId"] for one in _living(every(ec2, "describe_ipam_scopes", "IpamScopes", Filters=OURS))],
        [one["IpamId"] for one in _living(every(ec2, "describe_ipams", "Ipams", Filters=OURS))],
    )


def _living(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in rows if row["State"] != GONE]


def _shares(aws: Aws, regions: list[str]) -> Iterator[tuple[str, str]]:
    ours = {"resourceOwner": "SELF", "tagFilters": [{"tagKey": TAG}]}
    for region in regions:
        for share in every(aws.ram(region=region), "get_resource_shares", "resourceShares", **ours):
            if share["status"] not in ("DELETING", "DELETED"):
                yield region, share["resourceShareArn"]


def _vpcs(aws: Aws, regions: list[str]) -> Iterator[tuple[Account, str, str]]:
    for account in aws.accounts:
        for region in regions:
            for vpc in every(aws.ec2(region, account), "describe_vpcs", "Vpcs", Filters=OURS):
                yield account, region, vpc["VpcId"]


def clean(aws: Aws, left: Leftovers) -> None:
    """Delete what was found. Raises Differs if something does not go."""
    aws.guard.adopt(left.ids())
    for region, arn in left.shares:
        aws.ram(region=region).delete_resource_share(resourceShareArn=arn)
    for account, region, vpc_id in left.vpcs:
        aws.ec2(region, account).delete_vpc(VpcId=vpc_id)
    for pool in sorted(left.pools, key=lambda pool: -int(pool["PoolDepth"])):
        _delete_pool(aws, pool)
    for scope_id in left.scopes:
        _delete(aws, "scope", scope_id)
    for ipam_id in left.ipams:
        _delete(aws, "ipam", ipam_id)


def _delete_pool(aws: Aws, pool: dict[str, Any]) -> None:
    pool_id, region = pool["IpamPoolId"], pool["Locale"].replace("None", aws.home)
    _release(aws, pool_id, region)
    aws.until(f"the end of all CIDRs of {pool_id}", lambda: _is_empty(aws, pool_id, region), EMPTY_S, every=30)
    _delete(aws, "pool", pool_id)


def _release(aws: Aws, pool_id: str, region: str) -> None:
    """Release what was allocated by hand."""
    ec2 = aws.ec2(region)
    with suppress(ClientError):  # a pool that is not complete has none
        for row in every(ec2, "get_ipam_pool_allocations", "IpamPoolAllocations", IpamPoolId=pool_id):
            if row["ResourceType"] == "custom":
                ec2.release_ipam_pool_allocation(
                    IpamPoolId=pool_id, IpamPoolAllocationId=row["IpamPoolAllocationId"], Cidr=row["Cidr"]
                )


def _is_empty(aws: Aws, pool_id: str, region: str) -> bool:
    """Return whether the pool has no CIDR. Asks for the deprovisioning of those that nothing uses any more."""
    rows = every(aws.ec2(), "get_ipam_pool_cidrs", "IpamPoolCidrs", IpamPoolId=pool_id)
    held = [row for row in rows if row["State"] not in ("deprovisioned", "failed-provision", "failed-import")]
    used = held and every(aws.ec2(region), "get_ipam_pool_allocations", "IpamPoolAllocations", IpamPoolId=pool_id)
    for row in [] if used else held:
        if not row["State"].startswith("pending-"):
            with _later():
                aws.ec2().deprovision_ipam_pool_cidr(IpamPoolId=pool_id, Cidr=row["Cidr"])
    return not held


def _delete(aws: Aws, kind: str, resource_id: str) -> None:
    """Ask for the deletion of an IPAM, scope or pool until it is gone."""
    name, method = NAMES[kind]
    describe, delete = getattr(aws.ec2(), f"describe_{method}s"), getattr(aws.ec2(), f"delete_{method}")

    def gone() -> bool:
        try:
            (found,) = describe(**{f"{name}Ids": [resource_id]})[f"{name}s"]
        except ClientError as error:
            if not code_of(error).endswith(".NotFound"):
                raise
            return True
        if not found["State"].endswith("-in-progress") and found["State"] != GONE:
            with _later():
                delete(**{f"{name}Id": resource_id})
        return bool(found["State"] == GONE)

    aws.until(f"the end of {resource_id}", gone)


@contextmanager
def _later() -> Iterator[None]:
    """Let pass a refusal that ends with time."""
    try:
        yield
    except ClientError as error:
        if code_of(error) not in LATER:
            raise
