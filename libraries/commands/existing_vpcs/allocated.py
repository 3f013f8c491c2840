"""Which VPCs have their addresses from our pools. They need no reservation, and a deployment would refuse it.

The allocations of the pools show that at once; among what IPAM has discovered it shows up to an hour later.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from ipaddress import IPv4Network
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from commands.aws_errors import why_of
from commands.existing_vpcs.summary import Unread, VpcCidr
from ctipam.ipam.listing import list_pools
from ctipam.names import STACK_TAG
from ctipam.pools.existing import ExistingPool
from ctipam.pools.reader import CONCURRENT_READS, as_listed, read_allocations
from ctipam.pools.recognition import OTHER_TAGS
from ctipam.sessions import Account

OUR_TAGS = {STACK_TAG, *OTHER_TAGS}
"""A pool of this solution has at least one of these, even if somebody has removed others."""

Held = tuple[IPv4Network, str, str, str]
"""A CIDR, and the account, Region and id of the VPC that has it from a pool."""


def statements(partition: str, account_id: str) -> list[dict[str, Any]]:
    """Return what a session policy has to allow in the account of the pools."""
    return [
        {
            "Sid": "ReadPools",
            "Effect": "Allow",
            "Action": ["ec2:DescribeIpamPools"],
            "Resource": "*",  # it cannot be limited to a resource
        },
        {
            "Sid": "ReadAllocations",
            "Effect": "Allow",
            "Action": ["ec2:GetIpamPoolAllocations"],
            "Resource": f"arn:{partition}:ec2::{account_id}:ipam-pool/*",
        },
    ]


def read(networking: Account) -> tuple[set[Held], list[str]]:
    """Return what our pools have allocated to VPCs, and a sentence for each Region in which that could not be read.

    Call it after the VPCs were read: a VPC has its allocation when it appears, and the allocation stays for a while
    when the VPC is gone.

    Raises   AWS's errors if the pools cannot be listed
    """
    pools = [as_listed(pool, ours=True) for pool in list_pools(networking)]
    ours = [pool for pool in pools if OUR_TAGS & pool.tags.keys()]
    with ThreadPoolExecutor(CONCURRENT_READS) as workers:
        found = list(workers.map(partial(_read_pool, networking), ours))
    return {one for held, _ in found for one in held}, sorted({why for _, why in found if why})


def _read_pool(networking: Account, pool: ExistingPool) -> tuple[list[Held], str]:
    if not pool.region:  # AWS gives no VPC a CIDR from a pool without a locale
        return [], ""
    try:
        allocations = read_allocations(networking, pool.pool_id, pool.region)
    except (BotoCoreError, ClientError) as error:
        return [], not_known(f"the pools in {pool.region}", error)
    return [
        (one.cidr, one.owner, pool.region, one.resource_id) for one in allocations if one.resource_type == "vpc"
    ], ""


def not_known(pools: str, error: BotoCoreError | ClientError) -> str:
    """Return the sentence about pools that could not be read. pools: in words"""
    return f"It is not known which VPCs have their addresses from {pools}, and need no reservation ({why_of(error)})."


def marked(rows: Iterable[VpcCidr | Unread], held: Collection[Held]) -> list[VpcCidr | Unread]:
    """Return the rows, with those marked as allocated that have their addresses from our pools."""
    return [replace(row, allocated=True) if isinstance(row, VpcCidr) and _is_held(row, held) else row for row in rows]


def _is_held(row: VpcCidr, held: Collection[Held]) -> bool:
    return (row.cidr, row.account_id, row.region, row.vpc_id) in held
