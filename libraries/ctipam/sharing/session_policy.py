"""The session policies that limit AWSControlTowerExecution, which is an administrator, to what sharing needs."""

from __future__ import annotations

from typing import Any, Literal

from ctipam import names

Access = Literal["read", "share", "unshare"]
"""read: change nothing. share: create, change and delete shares. unshare: delete shares."""

CLOSED = {"ram:RequestedAllowsExternalPrincipals": "false"}
OURS = {"StringLike": {"ram:ResourceShareName": names.share_name("*")}}


def session_policy(partition: str, region: str, account_id: str, access: Access) -> dict[str, Any]:
    """Return the policy that allows what an access needs, and nothing else. AWS allows 2048 characters."""
    shares = f"arn:{partition}:ram:{region}:{account_id}:resource-share/*"
    pools = f"arn:{partition}:ec2::{account_id}:ipam-pool/*"  # the ARN of a pool has no Region
    statements = {
        "read": _to_read(region),
        "share": [*_to_read(region), *_to_share(region, shares), *_to_unshare(shares, pools)],
        "unshare": [*_to_read(region), *_to_unshare(shares, pools)],
    }[access]
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow"} | statement for statement in statements]}


def _in_region(region: str) -> dict[str, Any]:
    return {"StringEquals": {"aws:RequestedRegion": region}}


def _to_read(region: str) -> list[dict[str, Any]]:
    return [
        {
            "Sid": "ReadPoolsAndShares",  # none of these can be limited to a resource
            "Action": ["ec2:DescribeIpamPools", "ram:GetResourceShares", "ram:GetResourceShareAssociations"],
            "Resource": "*",
            "Condition": _in_region(region),
        }
    ]


def _to_share(region: str, shares: str) -> list[dict[str, Any]]:
    return [
        {
            "Sid": "CreateShares",  # a share that does not exist yet has no ARN
            "Action": "ram:CreateResourceShare",
            "Resource": "*",
            "Condition": {
                **_in_region(region),
                "Bool": CLOSED,
                # IfExists: RAM checks each pool and each account separately, and only a pool has a type
                "StringEqualsIfExists": {"ram:RequestedResourceType": "ec2:IpamPool"},
            },
        },
        {"Sid": "TagShares", "Action": ["ram:TagResource", "ram:UntagResource"], "Resource": shares},
        {
            "Sid": "CloseShares",
            "Action": "ram:UpdateResourceShare",
            "Resource": shares,
            "Condition": {**OURS, "Bool": CLOSED},
        },
        {
            "Sid": "ChangeShares",
            "Action": ["ram:AssociateResourceShare", "ram:DisassociateResourceShare"],
            "Resource": shares,
            "Condition": OURS,
        },
    ]


def _to_unshare(shares: str, pools: str) -> list[dict[str, Any]]:
    return [
        {"Sid": "DeleteShares", "Action": "ram:DeleteResourceShare", "Resource": shares, "Condition": OURS},
        {
            "Sid": "AllowRamToWritePoolPolicy",  # RAM does it with the caller's permissions
            "Action": ["ec2:PutResourcePolicy", "ec2:DeleteResourcePolicy"],
            "Resource": pools,
        },
    ]
