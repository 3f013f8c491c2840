"""The one door into the Networking account: Control Tower's role, limited to what sharing needs.

AWSControlTowerExecution is administrator there; the session policy is what keeps this solution from being one.
"""

from __future__ import annotations

from typing import Any

from ctipam import names, sessions
from ctipam.sessions import Account

ROLE = "AWSControlTowerExecution"


def enter(management: Account, network_account_id: str) -> Account:
    role_arn = f"arn:{management.partition}:iam::{network_account_id}:role/{ROLE}"
    policy = session_policy(management.partition, management.region, network_account_id)
    return sessions.assumed(role_arn, "share-ipam-pools", policy)


def session_policy(partition: str, region: str, account_id: str) -> dict[str, Any]:
    """What reading pools and keeping shares takes, and nothing else. AWS allows 2048 characters."""
    shares = f"arn:{partition}:ram:{region}:{account_id}:resource-share/*"
    pools = f"arn:{partition}:ec2::{account_id}:ipam-pool/*"  # the ARN of a pool has no Region
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "ReadPoolsAndShares",  # none of these can be limited to a resource
                "Effect": "Allow",
                "Action": ["ec2:DescribeIpamPools", "ram:GetResourceShares", "ram:GetResourceShareAssociations"],
                "Resource": "*",
            },
            {
                "Sid": "CreateSharesInsideTheOrganization",  # a share that does not exist yet has no ARN
                "Effect": "Allow",
                "Action": "ram:CreateResourceShare",
                "Resource": "*",
                "Condition": {"Bool": {"ram:RequestedAllowsExternalPrincipals": "false"}},
            },
            {"Sid": "TagShares", "Effect": "Allow", "Action": "ram:TagResource", "Resource": shares},
            {
                "Sid": "ChangeSharesOfThisSolution",
                "Effect": "Allow",
                "Action": [
                    "ram:AssociateResourceShare",
                    "ram:DisassociateResourceShare",
                    "ram:DeleteResourceShare",
                ],
                "Resource": shares,
                "Condition": {"StringLike": {"ram:ResourceShareName": names.share_name("*")}},
            },
            {
                "Sid": "LetRamWriteThePolicyOfAPool",  # RAM does it with the caller's rights
                "Effect": "Allow",
                "Action": ["ec2:PutResourcePolicy", "ec2:DeleteResourcePolicy"],
                "Resource": pools,
            },
        ],
    }
