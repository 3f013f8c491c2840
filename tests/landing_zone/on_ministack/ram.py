"""RAM, which ministack does not have: the model answers all of it.

The Service Authorization Reference of AWS RAM lists which resource and keys each action is checked with,
https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsresourceaccessmanagerram.html
"""

from __future__ import annotations

from typing import Any

from aws_models import protocol
from aws_models.errors import AwsError
from aws_models.models import Models
from aws_models.organization import Caller
from aws_models.protocol import HttpAnswer
from landing_zone.on_ministack import authorization, inventory
from landing_zone.on_ministack.authorization import Check
from landing_zone.on_ministack.ec2 import SERVICE_ROLE
from landing_zone.on_ministack.internals import responses

# What RAM does with the pools' own policies on behalf of its caller, who needs the permission.
# https://docs.aws.amazon.com/vpc/latest/ipam/share-pool-ipam.html
POOL_POLICY = {
    "CreateResourceShare": "ec2:PutResourcePolicy",
    "AssociateResourceShare": "ec2:PutResourcePolicy",
    "DisassociateResourceShare": "ec2:DeleteResourcePolicy",
    "DeleteResourceShare": "ec2:DeleteResourcePolicy",
}


class Ram:
    def __init__(self, models: Models) -> None:
        self._ram = models.ram

    async def handle_request(
        self, method: str, path: str, headers: dict[str, str], body: bytes, query_params: dict[str, list[str]]
    ) -> HttpAnswer:
        request_id = responses.new_uuid()
        action = protocol.ram_action(method, path)
        if action is None:
            unknown = AwsError("UnknownOperationException", f"RAM has no {method} {path}", 404)
            return protocol.refusal("ram", "GetResourceShares", unknown, request_id)
        try:
            params = protocol.parse(
                "ram", action, method=method, path=path, headers=headers, query=query_params, body=body
            )
            caller = authorization.caller_of_request()
            authorization.require(self._checks(action, params, caller), "ram", headers, query_params)
            return protocol.answer("ram", action, self._ram.call(action, params, caller), request_id)
        except AwsError as refused:
            return protocol.refusal("ram", action, refused, request_id)
        except NotImplementedError as missing:
            return protocol.refusal("ram", action, AwsError("NotEmulated", str(missing), 501), request_id)

    def _checks(self, action: str, params: dict[str, Any], caller: Caller) -> list[Check]:
        if action == "EnableSharingWithAwsOrganization":
            return _checks_of_enabling(caller)
        tags = {tag["key"]: tag.get("value", "") for tag in params.get("tags", [])}
        asked = authorization.request_tags(tags)
        if action == "CreateResourceShare":
            asked["ram:RequestedAllowsExternalPrincipals"] = str(params.get("allowExternalPrincipals", True)).lower()
            checks = [Check(f"ram:{action}", context=asked | each) for each in _each_member(params)]
            if tags:
                new = f"arn:aws:ram:{caller.region}:{caller.account_id}:resource-share/*"
                checks.append(Check("ram:TagResource", new, authorization.request_tags(tags)))
        elif share_arn := params.get("resourceShareArn"):
            asked |= self._about_share(share_arn) | _new_settings(action, params)
            asked |= {"aws:TagKeys": params["tagKeys"]} if "tagKeys" in params else {}
            checks = [Check(f"ram:{action}", share_arn, asked | each) for each in _each_member(params)]
        else:
            return [Check(f"ram:{action}")]
        return checks + [Check(POOL_POLICY[action], pool) for pool in self._pools(action, params)]

    def _about_share(self, share_arn: str) -> dict[str, Any]:
        share = inventory.share(self._ram, share_arn)
        if share is None:
            return {}
        return {
            "ram:ResourceShareName": share.name,
            "ram:AllowsExternalPrincipals": str(share.allow_external).lower(),
            **authorization.resource_tags(share.tags),
        }

    def _pools(self, action: str, params: dict[str, Any]) -> list[str]:
        """Return the pools whose policies the call changes."""
        if action not in POOL_POLICY:
            return []
        if action != "DeleteResourceShare":
            return [arn for arn in params.get("resourceArns", []) if ":ipam-pool/" in arn]
        share = inventory.share(self._ram, params["resourceShareArn"])
        return inventory.pools_in(share) if share else []


def _each_member(params: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a check for each resource and each principal, as RAM asks; only a resource has a type."""
    resources = [
        {"ram:ResourceArn": arn, "ram:RequestedResourceType": _resource_type(arn)}
        for arn in params.get("resourceArns", [])
    ]
    principals = [{"ram:Principal": principal} for principal in params.get("principals", [])]
    return resources + principals or [{}]


def _resource_type(arn: str) -> str:
    return "ec2:IpamPool" if ":ipam-pool/" in arn else "unknown"


def _new_settings(action: str, params: dict[str, Any]) -> dict[str, Any]:
    if action != "UpdateResourceShare" or "allowExternalPrincipals" not in params:
        return {}
    return {"ram:RequestedAllowsExternalPrincipals": str(params["allowExternalPrincipals"]).lower()}


def _checks_of_enabling(caller: Caller) -> list[Check]:
    """https://docs.aws.amazon.com/ram/latest/userguide/getting-started-sharing.html"""
    service = "ram.amazonaws.com"
    role = SERVICE_ROLE.format(caller.account_id, service, "AWSServiceRoleForResourceAccessManager")
    return [
        Check("ram:EnableSharingWithAwsOrganization"),
        Check("iam:CreateServiceLinkedRole", role, {"iam:AWSServiceName": service}),
        Check("organizations:EnableAWSServiceAccess", context={"organizations:ServicePrincipal": service}),
        Check("organizations:DescribeOrganization"),
    ]
