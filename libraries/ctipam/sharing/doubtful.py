"""Pools that AWS lists and that a run cannot share, because their tags or their state do not say who gets them.

Nobody gets such a pool, and nobody loses it: what takes pools away is a decision about an account or a stack, never a
tag that was lost.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from shlex import quote
from typing import TYPE_CHECKING

from ctipam import names
from ctipam.cloudformation.described import split_arn
from ctipam.tags import to_dict, to_list

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import IpamPoolTypeDef


def no_pools(stack_id: str) -> str:
    """Return why all pools are in doubt if AWS lists none.

    stack_id   ARN of the stack in the management account
    """
    stack = split_arn(stack_id)
    return (
        "AWS lists no environment's pool of this solution, although accounts have shares. If the pools were deleted, "
        "the watch in the Networking account adds them again within an hour. If the stack there was deleted, "
        f"`make preview stack={stack.name}` with AWS_REGION={stack.region} names the commands that create it again. To "
        "give the shares up, delete the stack."
    )


def why_unlisted(arn: str) -> str:
    """Return why a pool is in doubt that exists and was not in AWS's list."""
    return f"AWS has not listed pool {arn.rpartition('/')[2]}, although it is there. The next run looks again."


@dataclass(frozen=True)
class DoubtfulPool:
    """why        it is in doubt, in sentences with the way out
    accounts   how many have it
    """

    why: str
    accounts: int

    @property
    def sentence(self) -> str:
        kept = "1 account keeps what it has" if self.accounts == 1 else f"{self.accounts} accounts keep what they have"
        return f"{self.why} Until then, {kept}, and no other account gets it."


def why_doubtful(pool: IpamPoolTypeDef) -> str:
    """Return why a pool that is shared with accounts must stay so; empty if it may be taken away from them.

    pool   none that can be shared
    """
    tags, region = to_dict(pool.get("Tags", [])), pool["Locale"]
    above = {names.pool_description("", ""), names.pool_description(region, "")}
    if pool["State"] == "delete-in-progress" or pool.get("Description") in above:
        return ""
    named = f"Pool {pool['IpamPoolId']} in {region}"
    if names.POOL_ENVIRONMENT_TAG not in tags:
        # as JSON: the shorthand of the AWS CLI cannot have a quotation mark
        tag = quote(json.dumps(to_list({names.POOL_ENVIRONMENT_TAG: _environment(pool)}), ensure_ascii=False))
        return (
            f"{named} has lost the tag {names.POOL_ENVIRONMENT_TAG}, so nothing says whose it is. The watch in the "
            "Networking account puts the tag back within an hour; if it does not, run `aws ec2 create-tags "
            f"--region {pool['IpamRegion']} --resources {pool['IpamPoolId']} --tags {tag}` there, or remove the pool "
            "from the shares."
        )
    if names.PREPARING_TAG in tags:
        return (
            f"{named} has the tag {names.PREPARING_TAG}, as if it were new. The watch in the Networking account "
            "removes the tag within an hour if the stack declares the pool; otherwise remove the tag by hand."
        )
    return f"{named} is {pool['State']}. Look at it in the IPAM console of the Networking account."


def _environment(pool: IpamPoolTypeDef) -> str:
    """Return the environment that a pool without its tag was for, by its allocation rule, or else its description."""
    required = to_dict(pool.get("AllocationResourceTags", [])).get(names.ENVIRONMENT_TAG)
    return required or pool.get("Description", "").removesuffix(f" in {pool['Locale']}") or "..."
