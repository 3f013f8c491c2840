"""Decide which pools a deletion of the stack leaves behind, and why. Pure: nothing here calls AWS.

The deletion removes a pool if nothing is allocated from it. A pool stays if a VPC, or anything else that is not a pool
of this solution, holds a part of it; then its parent pools and the IPAM stay as well. So does a pool of a stack in the
Networking account that is not deleted with this one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ctipam.cloudformation.described import split_arn
from ctipam.names import STACK_TAG
from ctipam.phrases import numbered
from ctipam.pools.recognition import lost_stack_tag, lost_stack_tags
from ctipam.tags import to_dict

DELETED = frozenset({"delete-in-progress", "delete-complete"})
"""States of a pool that AWS keeps listing for a while.
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpamPool.html"""


KINDS = {"vpc": "VPC", "custom": "manual allocation", "ipam-pool": "pool"}


@dataclass(frozen=True)
class Pool:
    """A pool of the Networking account.

    parent_id   the pool that its addresses come from; empty for a top-level pool
    locale      the Region in which its allocations can be read; empty for the IPAM's home Region
    ours        it has this solution's tag
    lost_tag    the value of that tag, if it has lost it
    """

    pool_id: str
    parent_id: str
    locale: str
    ipam_id: str
    description: str
    ours: bool
    lost_tag: str = ""


@dataclass(frozen=True)
class Allocation:
    """A part of a pool that something holds.

    resource_id   that of a manual allocation is the id of the allocation
    region        that of the resource, or else of the pool
    """

    pool_id: str
    cidr: str
    resource_type: str
    resource_id: str
    owner: str
    region: str


@dataclass(frozen=True)
class Stray:
    """Pools of this solution whose stack is not deleted.

    stack_id   ARN of their stack, or what their tag says instead
    pools      how many they are
    lives      the stack exists and can delete them
    """

    stack_id: str
    pools: int
    lives: bool


@dataclass(frozen=True)
class Leftovers:
    """What a deletion leaves behind.

    pools       all pools of this solution, parents first, but those of strays
    users       the allocations that keep a pool, by pool id
    stays       the ids of the pools that stay: those with users, and their parents
    ipams       the ids of the IPAMs that stay: an IPAM with a pool that stays, or with a pool of others
    lost        pools of this solution that stay because they have lost its tag; not among `pools`
    strays      what stays because another stack has it, or none
    protected   ARNs of stacks at which the deletion would fail, because of their termination protection
    """

    pools: tuple[Pool, ...]
    users: Mapping[str, tuple[Allocation, ...]]
    stays: frozenset[str]
    ipams: tuple[str, ...]
    lost: tuple[Pool, ...] = ()
    strays: tuple[Stray, ...] = ()
    protected: tuple[str, ...] = ()


def pools_of_others(rows: Iterable[Mapping[str, Any]], stack_ids: Collection[str]) -> dict[str, int]:
    """Return how many pools each other stack has, by its ARN.

    rows        as for to_pools
    stack_ids   ARNs of the stacks that are deleted, and delete their pools
    """
    tags = [to_dict(row.get("Tags", [])) for row in rows if row.get("State") not in DELETED]
    found = Counter(of_pool[STACK_TAG] for of_pool in tags if STACK_TAG in of_pool)
    return {stack_id: found[stack_id] for stack_id in sorted(found) if stack_id not in stack_ids}


def to_pools(rows: Iterable[Mapping[str, Any]], strays: Collection[str]) -> list[Pool]:
    """Return all pools of the Networking account.

    rows   of DescribeIpamPools, {"IpamPoolId": "ipam-pool-...", "IpamArn": "arn:aws:ec2::111122223333:ipam/ipam-...",
           "Locale": "None", "SourceIpamPoolId": "ipam-pool-...", "Description": "...", "State": "create-complete",
           "Tags": [{"Key": "...", "Value": "..."}]}
    strays   ARNs of stacks whose pools count as those of others
    """
    listed = [row for row in rows if row.get("State") not in DELETED]
    lost = lost_stack_tags(listed)
    return [_to_pool(row, strays, lost.get(row["IpamPoolId"], "")) for row in listed]


def _to_pool(row: Mapping[str, Any], strays: Collection[str], lost_tag: str) -> Pool:
    locale, tags = row.get("Locale", ""), to_dict(row.get("Tags", []))
    return Pool(
        row["IpamPoolId"],
        row.get("SourceIpamPoolId", ""),
        "" if locale == "None" else locale,
        row.get("IpamArn", "").rpartition("/")[2],
        row.get("Description", ""),
        STACK_TAG in tags and tags[STACK_TAG] not in strays,
        lost_tag,
    )


def to_allocation(pool_id: str, allocation: Mapping[str, Any], region: str) -> Allocation:
    """Return an allocation of GetIpamPoolAllocations.

    allocation   {"Cidr": "10.0.0.0/24", "ResourceType": "vpc", "ResourceId": "vpc-...", "ResourceOwner":
                  "111122223333", "ResourceRegion": "us-west-2"}; a custom allocation has no resource
    region       the Region in which the pool's allocations are read and released
    """
    return Allocation(
        pool_id,
        allocation["Cidr"],
        allocation["ResourceType"],
        allocation.get("ResourceId", "") or allocation.get("IpamPoolAllocationId", ""),
        allocation.get("ResourceOwner", ""),
        allocation.get("ResourceRegion", "") or region,
    )


def find_leftovers(pools: Iterable[Pool], allocations: Iterable[Allocation], strays: Iterable[Stray]) -> Leftovers:
    """Return what a deletion leaves behind.

    pools         all pools of the Networking account, without deleted ones
    allocations   those of this solution's pools
    """
    everything = [*pools]
    ours = {pool.pool_id: pool for pool in everything if pool.ours}
    users: dict[str, tuple[Allocation, ...]] = {}
    held = [*allocations]
    for allocation in [*held, *_without_cidr(everything, ours, held)]:
        if allocation.resource_id not in ours:
            users[allocation.pool_id] = (*users.get(allocation.pool_id, ()), allocation)
    stays: set[str] = set()
    for pool_id in users:
        stays |= {pool_id, *_parents(pool_id, ours)}
    ordered = sorted(ours.values(), key=lambda pool: (len(_parents(pool.pool_id, ours)), pool.description))
    our_ipams = {pool.ipam_id for pool in ours.values()}
    kept = {pool.ipam_id for pool in everything if pool.pool_id in stays or not pool.ours}
    lost = tuple(pool for pool in everything if pool.lost_tag)
    return Leftovers(tuple(ordered), users, frozenset(stays), tuple(sorted(our_ipams & kept)), lost, tuple(strays))


def _without_cidr(
    pools: Iterable[Pool], ours: Collection[str], allocations: Iterable[Allocation]
) -> Iterator[Allocation]:
    """Yield the pools below one of ours that have no CIDR from it: as long as they exist, it is not deleted either."""
    holding = {allocation.resource_id for allocation in allocations}
    for pool in pools:
        if pool.parent_id in ours and pool.pool_id not in holding:
            yield Allocation(pool.parent_id, "no CIDR", "ipam-pool", pool.pool_id, "", "")


def _parents(pool_id: str, pools: Mapping[str, Pool]) -> list[str]:
    """Return the ids of a pool's parent pools among these pools, nearest first."""
    found: list[str] = []
    pool = pools.get(pool_id)
    while pool and pool.parent_id in pools:
        found.append(pool.parent_id)
        pool = pools[pool.parent_id]
    return found


def describe_before(leftovers: Leftovers) -> list[str]:
    """Return the lines that say what a deletion would leave behind, and why it would fail."""
    return [*_leaving_lines(leftovers), *map(_protected_line, leftovers.protected)]


def _protected_line(stack_id: str) -> str:
    _, region, account_id, name = split_arn(stack_id)
    return (
        f"  Stack {name} in account {account_id} has termination protection: the deletion would fail there, after it "
        "has taken the pools from the accounts. Run there first: `aws cloudformation update-termination-protection "
        f"--no-enable-termination-protection --region {region} --stack-name {name}`."
    )


def _leaving_lines(leftovers: Leftovers) -> list[str]:
    total, staying = len(leftovers.pools), [pool for pool in leftovers.pools if pool.pool_id in leftovers.stays]
    if not leftovers.pools:
        return _other_lines(leftovers) or ["This solution has no pools in the Networking account."]
    if not staying:
        lines = [f"No pool of this solution is in use: the deletion removes all pools ({total}) and all shares."]
    else:
        are = "it is" if len(staying) == 1 else "they are"
        lines = [f"{len(staying)} of {numbered(total, 'pool')} of this solution would stay, because {are} in use:"]
        lines += _pool_lines(staying, leftovers)
    lines += [f"  IPAM {ipam_id} would stay: it still has pools." for ipam_id in leftovers.ipams]
    lines += _other_lines(leftovers)
    if staying:
        lines += _release_lines(leftovers)
        lines.append("IPAM frees a block about 30 minutes later. Then run make undo again.")
    return lines


def describe_after(leftovers: Leftovers) -> list[str]:
    """Return the lines that say what a deletion has left behind."""
    if not leftovers.pools:
        return _other_lines(leftovers) or ["No pool of this solution is left."]
    lines = [f"Pools left in the Networking account: {len(leftovers.pools)}"]
    lines += _pool_lines(leftovers.pools, leftovers)
    lines += [*_other_lines(leftovers), *_release_lines(leftovers)]
    lines.append("To remove what is left, wait until nothing uses the pools, deploy again, and run make undo again.")
    return lines


def _pool_lines(pools: Sequence[Pool], leftovers: Leftovers) -> list[str]:
    lines = []
    for pool in pools:
        name = f"{pool.description or 'Pool'} ({pool.pool_id})"
        users = leftovers.users.get(pool.pool_id, ())
        if users:
            lines.append(f"  {name}: in use by")
            lines += [f"    {describe_user(user)}" for user in users]
        elif pool.pool_id in leftovers.stays:
            lines.append(f"  {name}: a parent of a pool in use")
        else:
            lines.append(f"  {name}: not in use")
    return lines


def _other_lines(leftovers: Leftovers) -> list[str]:
    return [*_lost_lines(leftovers), *_stray_lines(leftovers)]


def _lost_lines(leftovers: Leftovers) -> list[str]:
    return [
        f"  Stays: {lost_stack_tag(pool.description or 'A pool', pool.pool_id, pool.lost_tag)}"
        for pool in leftovers.lost
    ]


def _stray_lines(leftovers: Leftovers) -> Iterator[str]:
    for stray in leftovers.strays:
        pools = numbered(stray.pools, "pool")
        if not stray.lives:
            yield (
                f"  Stays: {pools} whose stack is gone. To remove what nothing uses, deploy again, which adopts the "
                "pools, and run make undo again."
            )
            continue
        _, region, account_id, name = split_arn(stray.stack_id)
        yield (
            f"  Stays: {pools} of stack {name} in account {account_id}, which no StackSet of this deployment has. If "
            "no other deployment needs it, run there when this deletion has ended: "
            f"`aws cloudformation delete-stack --region {region} --stack-name {name}`."
        )


def describe_user(user: Allocation, names: Mapping[str, str] | None = None) -> str:
    """Return what holds a part of a pool, in words. names: of accounts, by id."""
    kind = KINDS.get(user.resource_type, user.resource_type)
    name = (names or {}).get(user.owner, "")
    account = f", account {user.owner}{f' ({name})' if name else ''}" if user.owner else ""
    return f"{kind} {user.resource_id}, {user.cidr}{account}{f', {user.region}' if user.region else ''}"


def _release_lines(leftovers: Leftovers) -> list[str]:
    lost = {pool.pool_id for pool in leftovers.lost}
    everyone = [user for users in leftovers.users.values() for user in users]
    return release_lines([user for user in everyone if user.resource_id not in lost])


def release_lines(users: Sequence[Allocation]) -> list[str]:
    """Return how to free what keeps the pools: a line for each kind of allocation, a command for each manual one."""
    kinds = {user.resource_type for user in users}
    lines = []
    if "vpc" in kinds:
        lines.append(
            "To free a VPC's block, delete the VPC in its account and Region. If the account is closed, see "
            "templates/TROUBLESHOOTING.md."
        )
    if "custom" in kinds:
        lines.append("To free a manual allocation, run in the Networking account:")
        lines += [f"  {_release(user)}" for user in users if user.resource_type == "custom"]
    if kinds - {"vpc", "custom"}:
        lines.append("To free another allocation, delete the resource that is named, if nobody needs it.")
    return lines


def _release(user: Allocation) -> str:
    region = f" --region {user.region}" if user.region else ""
    return (
        f"aws ec2 release-ipam-pool-allocation{region} --ipam-pool-id {user.pool_id} --cidr {user.cidr} "
        f"--ipam-pool-allocation-id {user.resource_id}"
    )
