"""The one door into the Networking account: Control Tower's role, limited to what sharing needs.

AWSControlTowerExecution is administrator there; the session policy is what keeps this solution from being one.
"""

from __future__ import annotations

from typing import Any, Literal

from botocore.exceptions import ClientError

from ctipam import names
from ctipam.errors import DENIED, Refused, code_of
from ctipam.sessions import Account

ROLE = "AWSControlTowerExecution"

Access = Literal["read", "share", "unshare"]
"""read: change nothing. unshare: take all shares away, if nothing is allocated from the pools."""


def assume_execution_role(management: Account, network_account_id: str, access: Access) -> Account:
    """Raises Refused if the door is shut."""
    role_arn = execution_role(management.partition, network_account_id)
    policy = session_policy(management.partition, management.region, network_account_id, access)
    try:
        return management.assume(role_arn, "share-ipam-pools", policy)
    except ClientError as error:
        if code_of(error) not in DENIED:
            raise
        raise Refused(
            f"Cannot assume {role_arn}: {error.response['Error'].get('Message', '')} Enrol account "
            f"{network_account_id} in Control Tower, which makes the role; it must trust the management account."
        ) from error


def execution_role(partition: str, account_id: str) -> str:
    """ARN of Control Tower's role in a member account."""
    return f"arn:{partition}:iam::{account_id}:role/{ROLE}"


CLOSED = {"ram:RequestedAllowsExternalPrincipals": "false"}
OURS = {"StringLike": {"ram:ResourceShareName": names.share_name("*")}}


def session_policy(partition: str, region: str, account_id: str, access: Access) -> dict[str, Any]:
    """What the calls of an access take, and nothing else. AWS allows 2048 characters."""
    shares = f"arn:{partition}:ram:{region}:{account_id}:resource-share/*"
    pools = f"arn:{partition}:ec2::{account_id}:ipam-pool/*"  # the ARN of a pool has no Region
    statements = {
        "read": _to_read(region),
        "share": [*_to_read(region), *_to_share(region, shares), *_to_unshare(shares, pools)],
        "unshare": [
            *_to_read(region),
            *_to_unshare(shares, pools),
            {"Sid": "SeeWhatIsInUse", "Action": "ec2:GetIpamPoolAllocations", "Resource": pools},  # in every Region
        ],
    }[access]
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow"} | statement for statement in statements]}


def _here(region: str) -> dict[str, Any]:
    return {"StringEquals": {"aws:RequestedRegion": region}}


def _to_read(region: str) -> list[dict[str, Any]]:
    return [
        {
            "Sid": "ReadPoolsAndShares",  # none of these can be limited to a resource
            "Action": ["ec2:DescribeIpamPools", "ram:GetResourceShares", "ram:GetResourceShareAssociations"],
            "Resource": "*",
            "Condition": _here(region),
        }
    ]


def _to_share(region: str, shares: str) -> list[dict[str, Any]]:
    return [
        {
            "Sid": "CreateSharesInsideTheOrganization",  # a share that does not exist yet has no ARN
            "Action": "ram:CreateResourceShare",
            "Resource": "*",
            "Condition": {
                **_here(region),
                "Bool": CLOSED,
                # IfExists: RAM asks of each pool and of each account on its own, and only a pool has a type
                "StringEqualsIfExists": {"ram:RequestedResourceType": "ec2:IpamPool"},
            },
        },
        {"Sid": "TagShares", "Action": "ram:TagResource", "Resource": shares},
        {
            "Sid": "CloseSharesOfEarlierVersions",
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
            "Sid": "LetRamWriteThePolicyOfAPool",  # with the caller's rights; AWS names both wherever it names one
            "Action": ["ec2:PutResourcePolicy", "ec2:DeleteResourcePolicy"],
            "Resource": pools,
        },
    ]
