"""The session policies that limit AWSControlTowerExecution to what the setup needs in the Networking account."""

from __future__ import annotations

from typing import Any

from ctipam import names


def read_policy(partition: str, region: str, account_id: str) -> dict[str, Any]:
    """Return the policy that allows reading pools and the stacks that their tags name."""
    return _policy(
        [
            _read(region, "ec2:DescribeIpamPools"),
            {
                "Sid": "ReadStacks",
                "Action": "cloudformation:DescribeStacks",
                "Resource": f"arn:{partition}:cloudformation:{region}:{account_id}:stack/*",
            },
        ]
    )


def release_policy(partition: str, region: str, account_id: str, stack_id: str) -> dict[str, Any]:
    """Return the policy that allows releasing the pools and the IPAM of one stack, and no other tag change."""
    return _policy(
        [
            _read(region, "ec2:DescribeIpamPools", "ec2:DescribeIpams"),
            {
                "Sid": "ReleasePoolsAndIpam",
                "Action": "ec2:CreateTags",
                # the ARNs of both have no Region
                "Resource": [f"arn:{partition}:ec2::{account_id}:{kind}/*" for kind in ("ipam-pool", "ipam")],
                "Condition": {
                    "StringEquals": {
                        f"aws:ResourceTag/{names.STACK_TAG}": stack_id,
                        f"aws:RequestTag/{names.STACK_TAG}": names.RELEASED,
                    },
                    "ForAllValues:StringEquals": {"aws:TagKeys": [names.STACK_TAG]},
                },
            },
        ]
    )


def _read(region: str, *actions: str) -> dict[str, Any]:
    return {
        "Sid": "ReadIpam",  # none of these can be limited to a resource
        "Action": list(actions),
        "Resource": "*",
        "Condition": {"StringEquals": {"aws:RequestedRegion": region}},
    }


def _policy(statements: list[dict[str, Any]]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow"} | statement for statement in statements]}
