"""EC2: the model answers IPAM's actions, and gives a VPC that names a pool its address.

The Service Authorization Reference of Amazon EC2 lists which resource and keys each action is checked with,
https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import parse_qs, urlencode

from aws_models import protocol
from aws_models.errors import AwsError
from aws_models.models import Models
from aws_models.organization import Caller
from aws_models.protocol import HttpAnswer
from landing_zone.on_ministack import authorization, inventory
from landing_zone.on_ministack.authorization import Check
from landing_zone.on_ministack.internals import responses

Handler = Callable[[str, str, dict[str, str], bytes, dict[str, list[str]]], Awaitable[HttpAnswer]]
Query = Mapping[str, list[str]]

# Parameters that name an existing resource, and actions that make one: each is a resource of the check.
NAMED_BY = {
    "IpamId": "ipam",
    "IpamResourceDiscoveryId": "ipam-resource-discovery",
    "IpamScopeId": "ipam-scope",
    "IpamPoolId": "ipam-pool",
    "SourceIpamPoolId": "ipam-pool",
}
MADE_BY = {"CreateIpam": "ipam", "CreateIpamScope": "ipam-scope", "CreateIpamPool": "ipam-pool"}
# What EC2 answers in a Region that the account has not enabled.
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
NOT_ENABLED = AwsError("AuthFailure", "AWS was not able to validate the provided access credentials", 401)
SERVICE_ROLE = "arn:aws:iam::{}:role/aws-service-role/{}/{}"


class Ec2:
    """Answer IPAM's actions, and pass all others to ministack's EC2."""

    def __init__(self, models: Models, rest: Handler) -> None:
        self._ipam = models.ipam
        self._organization = models.organization
        self._rest = rest  # ministack's own handler

    def answers(self, params: Query) -> bool:
        action = _one(params, "Action")
        if action in ("CreateTags", "DeleteTags"):
            return any(self._ipam.holds(resource_id) for resource_id in _resource_ids(params))
        return action in self._ipam.ACTIONS or (action == "CreateVpc" and bool(_one(params, "Ipv4IpamPoolId")))

    async def handle_request(
        self, method: str, path: str, headers: dict[str, str], body: bytes, query_params: dict[str, list[str]]
    ) -> HttpAnswer:
        raw = query_params | _form(body)
        action = _one(raw, "Action")
        if authorization.caller_of_request() in self._organization.disabled_regions:
            return protocol.refusal("ec2", action, NOT_ENABLED, responses.new_uuid())
        if not self.answers(raw):
            answer = await self._rest(method, path, headers, body, query_params)
            if action == "DeleteVpc" and answer[0] == 200:
                self._ipam.vpc_deleted(_one(raw, "VpcId"))
            return answer
        request_id = responses.new_uuid()
        try:
            params = protocol.parse(
                "ec2", action, method=method, path=path, headers=headers, query=query_params, body=body
            )
            caller = authorization.caller_of_request()
            authorization.require(self._checks(action, params, caller), "ec2", headers, query_params)
            if action == "CreateVpc":
                return await self._create_vpc(path, headers, raw, params, caller)
            return protocol.answer("ec2", action, self._call(action, params, caller), request_id)
        except AwsError as refused:
            return protocol.refusal("ec2", action, refused, request_id)
        except NotImplementedError as missing:
            return protocol.refusal("ec2", action, AwsError("NotEmulated", str(missing), 501), request_id)

    def _call(self, action: str, params: dict[str, Any], caller: Caller) -> dict[str, Any]:
        if action not in ("CreateTags", "DeleteTags"):
            return self._ipam.call(action, params, caller)
        foreign = [resource_id for resource_id in params["Resources"] if not self._ipam.holds(resource_id)]
        if foreign:
            raise NotImplementedError(f"{action} on IPAM's resources and on {foreign} in one call")
        for resource_id in params["Resources"]:
            if action == "CreateTags":
                self._ipam.tag(resource_id, _tags(params.get("Tags", [])), caller)
            else:
                self._ipam.untag(resource_id, [tag["Key"] for tag in params.get("Tags", [])], caller)
        return {}

    async def _create_vpc(
        self, path: str, headers: dict[str, str], raw: dict[str, list[str]], params: dict[str, Any], caller: Caller
    ) -> HttpAnswer:
        """Create a VPC in ministack with an address from the model; ministack knows only CidrBlock."""
        allocation = self._ipam.allocate_vpc(params, caller)
        form = {name: values for name, values in raw.items() if name not in ("Ipv4IpamPoolId", "Ipv4NetmaskLength")}
        form["CidrBlock"] = [allocation.cidr]
        answer = await self._rest("POST", path, headers, urlencode(form, doseq=True).encode(), {})
        made = re.search(rb"<vpcId>(vpc-[0-9a-f]+)</vpcId>", answer[2])
        if answer[0] == 200 and made:
            self._ipam.vpc_created(allocation, made[1].decode())
        else:
            self._ipam.vpc_refused(allocation)
        return answer

    def _checks(self, action: str, params: dict[str, Any], caller: Caller) -> list[Check]:
        if action.startswith("Describe"):
            return [Check(f"ec2:{action}")]
        if action in ("CreateTags", "DeleteTags"):
            return self._checks_of_tagging(action, params, caller)
        if action == "CreateVpc":
            return self._checks_of_vpc(params, caller)
        tags = _tags_of_specifications(params)
        asked = authorization.request_tags(tags)
        # The tags of a request are those of what it makes: what it names besides is asked without them.
        named: Mapping[str, Any] = {} if action in MADE_BY else asked
        checks = [
            Check(f"ec2:{action}", *self._resource(NAMED_BY[name], value, caller, named))
            for name, value in params.items()
            if name in NAMED_BY
        ]
        if action in MADE_BY:
            new = f"arn:aws:ec2::{caller.account_id}:{MADE_BY[action]}/*"
            checks.append(Check(f"ec2:{action}", new, asked))
            if tags:
                checks.append(Check("ec2:CreateTags", new, asked | {"ec2:CreateAction": action}))
        return (checks or [Check(f"ec2:{action}")]) + _checks_elsewhere(action, caller)

    def _checks_of_tagging(self, action: str, params: dict[str, Any], caller: Caller) -> list[Check]:
        asked = authorization.request_tags(_tags(params.get("Tags", [])))
        return [
            Check(f"ec2:{action}", *self._resource(resource_id.rsplit("-", 1)[0], resource_id, caller, asked))
            for resource_id in params["Resources"]
        ]

    def _checks_of_vpc(self, params: dict[str, Any], caller: Caller) -> list[Check]:
        """Return the checks of a VPC from a pool: on the new VPC, and on the pool under its owner's ARN."""
        tags = _tags_of_specifications(params)
        asked = authorization.request_tags(tags)
        vpc = f"arn:aws:ec2:{caller.region}:{caller.account_id}:vpc/*"
        pool_arn, about_pool = self._resource("ipam-pool", params["Ipv4IpamPoolId"], caller, asked)
        checks = [
            Check("ec2:CreateVpc", vpc, asked | {"ec2:Ipv4IpamPoolId": params["Ipv4IpamPoolId"]}),
            Check("ec2:CreateVpc", pool_arn, about_pool),
        ]
        if tags:
            checks.append(Check("ec2:CreateTags", vpc, asked | {"ec2:CreateAction": "CreateVpc"}))
        return checks

    def _resource(
        self, kind: str, resource_id: str, caller: Caller, asked: Mapping[str, Any]
    ) -> tuple[str, dict[str, Any]]:
        """Return the ARN and condition keys; a resource that does not exist counts as the caller's own."""
        found = inventory.ipam_resource(self._ipam, resource_id)
        if found is None:
            return f"arn:aws:ec2::{caller.account_id}:{kind}/{resource_id}", dict(asked)
        arn, tags = found
        return arn, {**asked, **authorization.resource_tags(tags, "ec2")}


def _checks_elsewhere(action: str, caller: Caller) -> list[Check]:
    """Return the checks of IPAM's calls in IAM and Organizations."""
    service = "ipam.amazonaws.com"
    role = Check(
        "iam:CreateServiceLinkedRole",
        SERVICE_ROLE.format(caller.account_id, service, "AWSServiceRoleForIPAM"),
        {"iam:AWSServiceName": service},
    )
    if action == "CreateIpam":
        return [role]
    trust = {"organizations:ServicePrincipal": service}
    if action == "EnableIpamOrganizationAdminAccount":
        return [
            Check("organizations:EnableAWSServiceAccess", context=trust),
            Check("organizations:RegisterDelegatedAdministrator", context=trust),
            role,
        ]
    if action == "DisableIpamOrganizationAdminAccount":
        return [Check("organizations:DeregisterDelegatedAdministrator", context=trust)]
    return []


def _tags(tags: list[dict[str, str]]) -> dict[str, str]:
    return {tag["Key"]: tag.get("Value", "") for tag in tags}


def _tags_of_specifications(params: Mapping[str, Any]) -> dict[str, str]:
    specifications = params.get("TagSpecifications", [])
    return {key: value for one in specifications for key, value in _tags(one.get("Tags", [])).items()}


def _one(params: Query, name: str) -> str:
    return (params.get(name) or [""])[0]


def _resource_ids(params: Query) -> list[str]:
    return [values[0] for name, values in params.items() if re.fullmatch(r"ResourceId\.\d+", name) and values]


def _form(body: bytes) -> dict[str, list[str]]:
    return parse_qs(body.decode(), keep_blank_values=True)
