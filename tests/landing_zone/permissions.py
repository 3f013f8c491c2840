"""Read from IAM what the roles of both stacks may do, to compare it with what they did."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

from landing_zone.company import MANAGEMENT, NETWORKING
from landing_zone.engine import Engine

Statement = dict[str, Any]

FOR_RECOVERY: dict[str, frozenset[str]] = {
    "OrganizationSetupRole": frozenset(
        {
            "cloudformation:ListStackResources",
            "cloudformation:ListStackInstances",
            "cloudformation:DescribeStackSetOperation",
            "cloudformation:DeleteStackInstances",
            "cloudformation:DeleteStackSet",
        }
    ),
    "SharingRole": frozenset({"sns:Publish"}),
    "IpamFunctionRole": frozenset({"sns:Publish"}),
}
"""By a role's logical id: actions that it uses only when a deletion leaves something, or to recover from that."""


def statements(engine: Engine) -> dict[str, list[Statement]]:
    """Return, by role ARN, the policy statements of every role that a stack has made in either account."""
    found: dict[str, list[Statement]] = {}
    for account_id in (MANAGEMENT, NETWORKING):
        iam = engine.client("iam", account_id)
        for name in _roles_of_stacks(engine, account_id):
            attached = iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
            assert attached == [], f"{name} has a policy of its own beside those of the template: {attached}"
            found[iam.get_role(RoleName=name)["Role"]["Arn"]] = [
                statement
                for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]
                for statement in _document(iam.get_role_policy(RoleName=name, PolicyName=policy))["Statement"]
            ]
    return found


def actions(allowed: list[Statement]) -> set[str]:
    """Return the actions that these statements name."""
    named = [[one["Action"]] if isinstance(one["Action"], str) else one["Action"] for one in allowed]
    return {action for of_statement in named for action in of_statement}


def for_recovery(role: str) -> frozenset[str]:
    """Return the actions that the role uses for recovery only."""
    (name, *_) = [*(name for name in FOR_RECOVERY if f"-{name}-" in role), ""]
    return FOR_RECOVERY.get(name, frozenset())


def unused_for_recovery(engine: Engine, name: str) -> list[str]:
    """Return the actions for recovery that no role of this logical id has used."""
    used = [actions for role, actions in engine.used_permissions().items() if f"-{name}-" in role]
    return sorted(FOR_RECOVERY[name].difference(*used))


def _roles_of_stacks(engine: Engine, account_id: str) -> list[str]:
    cloudformation = engine.client("cloudformation", account_id)
    return [
        resource["PhysicalResourceId"]
        for stack in cloudformation.describe_stacks()["Stacks"]
        for resource in cloudformation.describe_stack_resources(StackName=stack["StackName"])["StackResources"]
        if resource["ResourceType"] == "AWS::IAM::Role"
    ]


def _document(policy: dict[str, Any]) -> dict[str, Any]:
    document = policy["PolicyDocument"]  # botocore decodes it; an emulator may leave that to us
    decoded: dict[str, Any] = document if isinstance(document, dict) else json.loads(unquote(document))
    return decoded
