"""All that a session in the Networking account may do, word for word: whatever is added or left out shows here."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from ctipam.organization.session_policies import read_policy, release_policy
from ctipam.sharing.session_policy import session_policy
from in_process import session_policies
from in_process.session_policies import Statement

HOME, NETWORKING = "us-east-1", "222222222222"
STACK = f"arn:aws:cloudformation:{HOME}:{NETWORKING}:stack/StackSet-ipam/11111111-2222-3333-4444-555555555555"
STACKS = f"arn:aws:cloudformation:{HOME}:{NETWORKING}:stack/*"
OWN_POOLS, OWN_IPAMS = f"arn:aws:ec2::{NETWORKING}:ipam-pool/*", f"arn:aws:ec2::{NETWORKING}:ipam/*"
POOLS, SHARES = "arn:aws:ec2::*:ipam-pool/*", "arn:aws:ram:*:*:resource-share/*"  # a session is of one account anyway
WATCH_LOGS = f"arn:aws:logs:{HOME}:{NETWORKING}:log-group:*PoolUtilizationLogGroup*"
AT_HOME = {"StringEquals": {"aws:RequestedRegion": HOME}}
NAMED_AS_OURS = {"StringLike": {"ram:ResourceShareName": "ipamShare-*"}}
TAGGED_AS_OURS = {"Null": {"aws:ResourceTag/ctipam:account-id": "false"}}

READ: list[Statement] = [
    ("ec2:DescribeIpamPools ram:GetResourceShares ram:GetResourceShareAssociations", "*", {}),
]
WRITE_POOL_POLICIES: list[Statement] = [("ec2:PutResourcePolicy ec2:DeleteResourcePolicy", POOLS, {})]
CHANGE = "ram:AssociateResourceShare ram:DisassociateResourceShare ram:DeleteResourceShare"

POLICIES: dict[str, tuple[Callable[[], dict[str, Any]], list[Statement]]] = {
    "read": (partial(session_policy, "aws", HOME, NETWORKING, "read"), READ),
    "report": (
        partial(session_policy, "aws", HOME, NETWORKING, "report"),
        [
            ("ec2:DescribeIpamPools", "*", {}),
            ("ec2:GetIpamPoolCidrs ec2:GetIpamPoolAllocations", POOLS, {}),
            ("cloudformation:DescribeStacks", STACKS, {}),
            ("logs:FilterLogEvents", WATCH_LOGS, {}),
        ],
    ),
    "share": (
        partial(session_policy, "aws", HOME, NETWORKING, "share"),
        [
            *READ,
            (
                "ram:CreateResourceShare ram:UpdateResourceShare",
                "*",
                {
                    "Bool": {"ram:RequestedAllowsExternalPrincipals": "false"},
                    "StringEqualsIfExists": {"ram:RequestedResourceType": "ec2:IpamPool"},
                },
            ),
            ("ram:TagResource ram:UntagResource", SHARES, {}),
            (CHANGE, SHARES, NAMED_AS_OURS),
            (CHANGE, SHARES, TAGGED_AS_OURS),
            *WRITE_POOL_POLICIES,
            (
                "ec2:CreateTags",
                POOLS,
                {
                    "Null": {"aws:ResourceTag/ctipam:environment": "false"},
                    "ForAllValues:StringEquals": {"aws:TagKeys": "ctipam:ou-id"},
                },
            ),
        ],
    ),
    "unshare": (
        partial(session_policy, "aws", HOME, NETWORKING, "unshare"),
        [
            *READ,
            ("ram:DeleteResourceShare", SHARES, NAMED_AS_OURS),
            ("ram:DeleteResourceShare", SHARES, TAGGED_AS_OURS),
            *WRITE_POOL_POLICIES,
        ],
    ),
    "read of the setup": (
        partial(read_policy, "aws", HOME, NETWORKING),
        [("ec2:DescribeIpamPools", "*", AT_HOME), ("cloudformation:DescribeStacks", STACKS, {})],
    ),
    "release": (
        partial(release_policy, "aws", HOME, NETWORKING, STACK),
        [
            ("ec2:DescribeIpamPools ec2:DescribeIpams", "*", AT_HOME),
            (
                "ec2:CreateTags",
                f"{OWN_POOLS} {OWN_IPAMS}",
                {
                    "StringEquals": {
                        "aws:ResourceTag/ctipam:stack-id": STACK,
                        "aws:RequestTag/ctipam:stack-id": "released",
                    },
                    "ForAllValues:StringEquals": {"aws:TagKeys": ["ctipam:stack-id"]},
                },
            ),
        ],
    ),
}


@pytest.mark.parametrize(("policy", "statements"), POLICIES.values(), ids=POLICIES)
def test_a_session_may_do_this_and_nothing_else(
    policy: Callable[[], dict[str, Any]], statements: list[Statement]
) -> None:
    assert session_policies.statements(policy()) == statements


@pytest.mark.parametrize("policy", [policy for policy, _ in POLICIES.values()], ids=POLICIES)
def test_a_session_policy_leaves_room_for_how_aws_packs_it(policy: Callable[[], dict[str, Any]]) -> None:
    """AWS documents 2048 characters, and has refused policies of fewer: what it packs them into has a limit of its own.

    The limit here is a guess: two thirds. https://github.com/unitycatalog/unitycatalog/pull/1795
    """
    assert len(json.dumps(policy(), separators=(",", ":"))) <= 2048 * 2 / 3
