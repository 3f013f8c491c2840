"""The company that the demo and the end-to-end tests deploy to."""

from __future__ import annotations

from typing import Any

HOME_REGION = "us-east-1"
MANAGEMENT, NETWORKING = "111111111111", "222222222222"
APPS = "333333333333"
"""An account that was there before this solution, in SDLC OU."""
SHOP = "012345678901"
"""An account that Account Factory makes later, in Prod OU; its id begins with a zero."""

ORGANIZATIONAL_UNITS: list[dict[str, Any]] = [
    {"name": "Infrastructure", "accounts": [{"id": NETWORKING, "name": "networking"}]},
    {"name": "Prod OU"},
    {"name": "SDLC OU", "accounts": [{"id": APPS, "name": "apps"}]},
    {"name": "Sandbox"},
]

REGION_DENY: dict[str, Any] = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Sid": "GRREGIONDENY",
            "Effect": "Deny",
            "NotAction": ["iam:*", "organizations:*", "sts:*", "ec2:DescribeRegions"],
            "Resource": "*",
            "Condition": {
                "StringNotEquals": {"aws:RequestedRegion": [HOME_REGION]},
                "ArnNotLike": {"aws:PrincipalARN": ["arn:*:iam::*:role/AWSControlTowerExecution"]},
            },
        }
    ],
}
"""Control Tower's service control policy against all Regions but the home Region, shortened.
https://docs.aws.amazon.com/controltower/latest/userguide/primary-region-deny-policy.html"""

BUCKET = "example-ipam-code"
STACK = "ipam-controltower"
