"""The session policies that limit AWSControlTowerExecution, which is an administrator, to what sharing needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from ctipam import names

Access = Literal["read", "report", "share", "unshare"]
"""read: change nothing. report: read how full the pools are and what the watch has found. share: create, change and
delete shares. unshare: delete shares."""

WATCH_LOG_GROUP = "PoolUtilizationLogGroup"
"""Its id in the template, which is part of the name that CloudFormation gives it."""

CLOSED = {"ram:RequestedAllowsExternalPrincipals": "false"}
OURS: tuple[dict[str, Any], ...] = (
    {"StringLike": {"ram:ResourceShareName": names.share_name("*")}},
    {"Null": {f"aws:ResourceTag/{names.ACCOUNT_TAG}": "false"}},
)
"""Either of them tells a share of ours: one of an earlier version has no tag, and one that was renamed still has it."""

DELETE = ("ram:DeleteResourceShare",)
CHANGES = ("ram:AssociateResourceShare", "ram:DisassociateResourceShare", *DELETE)

READ: dict[str, Any] = {  # none of these can be limited to a resource
    "Action": ["ec2:DescribeIpamPools", "ram:GetResourceShares", "ram:GetResourceShareAssociations"],
    "Resource": "*",
}
CREATE: dict[str, Any] = {
    # An update can only rename a share, or close it.
    "Action": ["ram:CreateResourceShare", "ram:UpdateResourceShare"],
    "Resource": "*",  # a share that does not exist yet has no ARN
    "Condition": {
        "Bool": CLOSED,
        # IfExists: RAM checks each pool and each account separately, and only a pool has a type
        "StringEqualsIfExists": {"ram:RequestedResourceType": "ec2:IpamPool"},
    },
}


def session_policy(partition: str, region: str, account_id: str, access: Access) -> dict[str, Any]:
    """Return the policy that allows what an access needs, and nothing else.

    It is short: besides its 2048 characters, AWS limits what it packs them into, does not say how, and has refused
    policies of fewer characters. So statements have no names, and ARNs leave out what the session implies.
    https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
    https://github.com/unitycatalog/unitycatalog/pull/1795
    """
    shares = f"arn:{partition}:ram:*:*:resource-share/*"
    pools = f"arn:{partition}:ec2::*:ipam-pool/*"  # the ARN of a pool has no Region
    statements = {
        "read": [READ],
        "report": _to_report(partition, region, account_id, pools),
        "share": [
            READ,
            CREATE,
            {"Action": ["ram:TagResource", "ram:UntagResource"], "Resource": shares},
            *_to_change(shares, CHANGES),
            _to_write_pool_policies(pools),
            _to_write_ous(pools),
        ],
        "unshare": [READ, *_to_change(shares, DELETE), _to_write_pool_policies(pools)],
    }[access]
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow"} | statement for statement in statements]}


def _to_report(partition: str, region: str, account_id: str, pools: str) -> list[dict[str, Any]]:
    """Allow a report, which reads the allocations of a pool in the pool's own Region."""
    in_account = f"{region}:{account_id}"
    return [
        {"Action": "ec2:DescribeIpamPools", "Resource": "*"},
        {"Action": ["ec2:GetIpamPoolCidrs", "ec2:GetIpamPoolAllocations"], "Resource": pools},
        {
            "Action": "cloudformation:DescribeStacks",
            "Resource": f"arn:{partition}:cloudformation:{in_account}:stack/*",
        },
        {
            "Action": "logs:FilterLogEvents",
            "Resource": f"arn:{partition}:logs:{in_account}:log-group:*{WATCH_LOG_GROUP}*",
        },
    ]


def _to_change(shares: str, actions: Sequence[str]) -> list[dict[str, Any]]:
    """Allow changes of our shares."""
    return [{"Action": list(actions), "Resource": shares, "Condition": ours} for ours in OURS]


def _to_write_pool_policies(pools: str) -> dict[str, Any]:
    """Allow what RAM does with the caller's permissions."""
    return {"Action": ["ec2:PutResourcePolicy", "ec2:DeleteResourcePolicy"], "Resource": pools}


def _to_write_ous(pools: str) -> dict[str, Any]:
    return {
        "Action": "ec2:CreateTags",
        "Resource": pools,
        "Condition": {
            "Null": {f"aws:ResourceTag/{names.POOL_ENVIRONMENT_TAG}": "false"},  # environment pools only
            "ForAllValues:StringEquals": {"aws:TagKeys": names.OU_TAG},
        },
    }
