"""Names and tags by which this solution recognizes its own resources, in AWS and across versions. Never rename one."""

from __future__ import annotations

import re

ENVIRONMENT_TAG = "Env"
"""Key of the allocation tag of an environment pool. A VPC must carry it, with the OU's name, when it is created."""

STACK_TAG = "ctipam:stack-id"
"""On everything that a stack of this solution created: the stack's ARN."""

RELEASED = "released"
"""The value of STACK_TAG on the pools and the IPAM of a deployment that was given up: the next one adopts them."""

REGION_TAG = "ctipam:region"
"""On each Region and environment pool: its Region, which alone identifies a Region pool."""

POOL_ENVIRONMENT_TAG = "ctipam:environment"
"""On each environment pool: the name of the environment in AccEnvName. A Region pool has no such tag."""

OU_TAG = "ctipam:ou-id"
"""On each environment pool: the id of the OU that the environment is, as soon as the OU was found by its name."""

REPLACED_OU_TAG = "ctipam:replaced-ou-id"
"""On an environment pool whose OU_TAG follows AccEnvName: what that tag was before, for when it no longer does."""

BLOCK_TAG = "ctipam:cidr"
"""On each pool: which of its CIDRs were declared, see `ctipam.pools.record`."""

GROWTH_TAG = "ctipam:growth"
"""On a pool that fills up: since when, see `ctipam.upkeep.growth`."""

RESERVED_TAG = "ctipam:reserved"
"""On each environment pool in which CIDRs are reserved, or about to be. The allocations have the STACK_TAG."""

PREPARING_TAG = "ctipam:preparing"
"""On a new environment pool until its reserved CIDRs are allocated: nobody may use it yet, so it is not shared."""

ACCOUNT_TAG = "ctipam:account-id"
"""On each share: the id of its account."""


STACK_TAG_KEYS_TAG = "ctipam:stack-tag-keys"
"""On what carries tags of its stack: a digest of each of their keys, so that a tag that the stack loses is removed."""


EXECUTION_ROLE = "AWSControlTowerExecution"
"""Control Tower's role in each enrolled account, which the management account may assume."""

STACK_SET_ROLE = "AWSControlTowerStackSetRole"
"""The role in the management account, under /service-role/, that the StackSet uses.
https://docs.aws.amazon.com/controltower/latest/userguide/access-control-managing-permissions.html"""

IPAM_SERVICE = "ipam.amazonaws.com"
"""The service principal of which IPAM's administrator is the delegated administrator."""

OU_ID = re.compile(r"ou-[0-9a-z]{4,32}-[0-9a-z]{8,32}")
"""https://docs.aws.amazon.com/organizations/latest/APIReference/API_OrganizationalUnit.html"""


def execution_role_arn(partition: str, account_id: str) -> str:
    """Return the ARN of Control Tower's role in a member account."""
    return f"arn:{partition}:iam::{account_id}:role/{EXECUTION_ROLE}"


def share_name(account_id: str) -> str:
    """Return the name of the only share of an account. Earlier versions used it too, so their shares are kept."""
    return f"ipamShare-{account_id}"


def pool_description(region: str, environment: str) -> str:
    """Return the description by which a member account finds a pool: it does not see the tags of a shared pool."""
    if not region:
        return "Top-level pool of the landing zone"
    return f"{environment} in {region}" if environment else f"All environments in {region}"


def pool_name(region: str, environment: str) -> str:
    """Return the Name tag of a pool, which the console shows."""
    if not region:
        return "landing-zone"
    return f"{region} {environment}" if environment else region
