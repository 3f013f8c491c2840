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
            "lambda:InvokeFunction",
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
        for _, name in _roles_of_stacks(engine, account_id):
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


def roles(engine: Engine) -> dict[str, str]:
    """Return, by role ARN, the logical id of every role that a stack has made in either account."""
    return {
        engine.client("iam", account_id).get_role(RoleName=name)["Role"]["Arn"]: logical_id
        for account_id in (MANAGEMENT, NETWORKING)
        for logical_id, name in _roles_of_stacks(engine, account_id)
    }


def unused_for_recovery(engine: Engine, names: dict[str, str], logical_id: str) -> list[str]:
    """Return the actions for recovery that no role of this logical id has used. names: what `roles` returned."""
    used = [actions for role, actions in engine.used_permissions().items() if names.get(role) == logical_id]
    return sorted(FOR_RECOVERY[logical_id].difference(*used))


def _roles_of_stacks(engine: Engine, account_id: str) -> list[tuple[str, str]]:
    cloudformation = engine.client("cloudformation", account_id)
    return [
        (resource["LogicalResourceId"], resource["PhysicalResourceId"])
        for stack in cloudformation.describe_stacks()["Stacks"]
        for resource in cloudformation.describe_stack_resources(StackName=stack["StackName"])["StackResources"]
        if resource["ResourceType"] == "AWS::IAM::Role"
    ]


def _document(policy: dict[str, Any]) -> dict[str, Any]:
    document = policy["PolicyDocument"]  # botocore decodes it; an emulator may leave that to us
    decoded: dict[str, Any] = document if isinstance(document, dict) else json.loads(unquote(document))
    return decoded
