"""Names and tags by which this solution knows its own, in AWS and across versions. Never rename one."""

from __future__ import annotations

ENVIRONMENT_TAG = "Env"
"""Key of the allocation tag of an environment pool; a VPC must carry it, with the OU's name, when it is created."""

STACK_TAG = "ctipam:stack-id"
"""On everything that a stack of this solution made: the stack's ARN."""

REGION_TAG = "ctipam:region"
"""On each Region and environment pool: its Region, which for a Region pool is also its whole identity."""

POOL_ENVIRONMENT_TAG = "ctipam:environment"
"""On each environment pool: the OU's name. A Region pool has no such tag."""

BLOCK_TAG = "ctipam:cidr"
"""On each Region and environment pool whose block was seen provisioned: the block. Never there before that."""

ACCOUNT_TAG = "ctipam:account-id"
"""On each share: the account that it is for."""


STACK_TAG_KEYS_TAG = "ctipam:stack-tag-keys"
"""On what carries tags of its stack: a digest of each of their keys, so that a tag that the stack loses is removed."""


def share_name(account_id: str) -> str:
    """The one share of an account. Earlier versions used the same name, so theirs are found and kept."""
    return f"ipamShare-{account_id}"


def pool_description(region: str, environment: str | None) -> str:
    """What a member account can search by: it sees the description of a shared pool, but not its tags."""
    return f"{environment} in {region}" if environment else f"All environments in {region}"


def pool_name(region: str, environment: str | None) -> str:
    """The Name tag, which is what the console shows."""
    return f"{region} {environment}" if environment else region
