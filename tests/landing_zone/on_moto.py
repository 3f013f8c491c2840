"""The models inside moto's `mock_aws`, for handlers that run in the test's own process.

    with mock_aws(), installed(Models(ManualClock(), organization)):
        boto3.client("ec2").create_ipam()

The models answer EC2's IPAM actions, CreateVpc with Ipv4IpamPoolId (moto creates the VPC), CreateTags and DeleteTags on
IPAM's resources, all of RAM, the list of delegated administrators (the models' and moto's), the path and the State of
an account, and Control Tower's ListLandingZones and GetLandingZone. They learn of all other VPCs, but of no default
VPC. The caller is the account that moto derives from the credentials.

moto has no plug-in system; its maintainer advises to patch it. Nothing happens at import, and leaving the context
undoes all patches.

Left out: DescribeTags does not know what is IPAM's; DeleteTags with values and other actions than CreateVpc with
Ipv4IpamPoolId raise NotImplementedError.

Source  https://github.com/getmoto/moto/issues/7126
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch
from urllib.parse import parse_qs
from uuid import uuid4

from moto.core.botocore_stubber import BotocoreStubber
from moto.core.exceptions import JsonRESTError
from moto.core.responses import EmptyResult
from moto.ec2.responses import EC2Response
from moto.iam.models import get_account_id_from
from moto.organizations.models import FakeAccount, organizations_backends
from moto.organizations.responses import OrganizationsResponse
from moto.ram import urls as ram_urls
from moto.ram.responses import ResourceAccessManagerResponse

from aws_models import protocol
from aws_models.errors import AwsError
from aws_models.models import Models
from aws_models.organization import Caller
from aws_models.protocol import HttpAnswer, Service

Method = Callable[[Any], Any]  # of one of moto's response classes, whose instances are single requests

ANY_RAM_URL = {"{0}/[a-z]+$": ResourceAccessManagerResponse.dispatch}  # moto lists only those of its own RAM

LONG_AGO = 1767225600  # 2026-01-01, in seconds
ORGANIZATIONS_PAGE = 5  # AWS says only that a page may be short


@contextmanager
def installed(models: Models) -> Iterator[None]:
    """Inside `mock_aws`, let these models answer what moto lacks."""
    with ExitStack() as stack:
        stack.enter_context(patch.dict(ram_urls.url_paths, ANY_RAM_URL))
        stack.enter_context(patch.object(ResourceAccessManagerResponse, "call_action", _ram_call_action(models)))
        for name, wrap in _EC2.items():
            stack.enter_context(patch.object(EC2Response, name, wrap(models, getattr(EC2Response, name))))
        for name, make in _ORGANIZATIONS.items():
            stack.enter_context(patch.object(OrganizationsResponse, name, make(models)))
        stack.enter_context(patch.object(FakeAccount, "describe", _account(FakeAccount.describe)))
        describe = OrganizationsResponse.describe_account
        stack.enter_context(
            patch.object(OrganizationsResponse, "describe_account", _describe_account(models, describe))
        )
        process = BotocoreStubber.process_request
        stack.enter_context(patch.object(BotocoreStubber, "process_request", _control_tower(models, process)))
        yield


def _caller(response: Any) -> Caller:
    return Caller(response.current_account, response.region)


def _answered(service: Service, action: str, act: Callable[[], dict[str, Any]]) -> HttpAnswer:
    request_id = str(uuid4())
    try:
        return protocol.answer(service, action, act(), request_id)
    except AwsError as error:
        return protocol.refusal(service, action, error, request_id)


# Control Tower, of which moto knows nothing


def _control_tower(models: Models, original: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def process_request(self: Any, request: Any) -> Any:
        called = re.match(r"https://controltower\.([a-z0-9-]+)\.amazonaws\.com/(.*)$", request.url)
        if not called:
            return original(self, request)
        access_key = re.search(r"Credential=(\w+)/", str(request.headers["Authorization"]))
        caller = Caller(get_account_id_from(access_key[1] if access_key else ""), called[1])
        if called[2] == "list-landingzones":
            return 200, {}, json.dumps({"landingZones": models.organization.landing_zones(caller)}).encode()
        if called[2] != "get-landingzone":
            raise NotImplementedError(f"Control Tower: {called[2]}")
        try:
            zone = models.organization.landing_zone(caller, json.loads(request.body)["landingZoneIdentifier"])
        except AwsError as refused:
            error = {"message": refused.message}
            return refused.status, {"x-amzn-ErrorType": refused.code}, json.dumps(error).encode()
        return 200, {}, json.dumps({"landingZone": zone}).encode()

    return process_request


# EC2


def _ec2_call_action(models: Models, original: Method) -> Method:
    def call_action(self: Any) -> Any:
        action = self._get_action()
        if action in models.ipam.ACTIONS:
            return _answered("ec2", action, lambda: models.ipam.call(action, self.params, _caller(self)))
        if "Ipv4IpamPoolId" in self.params and action != "CreateVpc":
            raise NotImplementedError(f"{action} with Ipv4IpamPoolId")
        try:
            return original(self)
        except AwsError as error:  # from one of the methods below
            return protocol.refusal("ec2", action, error, str(uuid4()))

    return call_action


def _create_vpc(models: Models, original: Method) -> Method:
    def create_vpc(self: Any) -> Any:
        if "Ipv4IpamPoolId" not in self.params:
            made = original(self)
            vpc = made.result["Vpc"]
            specifications = self.params.get("TagSpecifications", [])
            tags = {tag["Key"]: tag.get("Value", "") for one in specifications for tag in one.get("Tags", [])}
            models.ipam.vpc_has_cidr(vpc.id, vpc.cidr_block, tags, _caller(self))
            return made
        allocation = models.ipam.allocate_vpc(self.params, _caller(self))
        self.params["CidrBlock"] = allocation.cidr
        try:
            created = original(self)
        except BaseException:
            models.ipam.vpc_refused(allocation)
            raise
        models.ipam.vpc_created(allocation, created.result["Vpc"].id)
        return created

    return create_vpc


def _associate_vpc_cidr_block(models: Models, original: Method) -> Method:
    def associate_vpc_cidr_block(self: Any) -> Any:
        answer = original(self)
        if cidr := self.params.get("CidrBlock"):
            models.ipam.vpc_has_cidr(self.params["VpcId"], cidr, {}, _caller(self))
        return answer

    return associate_vpc_cidr_block


def _delete_vpc(models: Models, original: Method) -> Method:
    def delete_vpc(self: Any) -> Any:
        deleted = original(self)
        models.ipam.vpc_deleted(self.params["VpcId"])
        return deleted

    return delete_vpc


def _create_tags(models: Models, original: Method) -> Method:
    def create_tags(self: Any) -> Any:
        answer, ours = _left_to_moto(models, original, self)
        for resource_id in ours:
            tags = {tag["Key"]: tag.get("Value", "") for tag in self.params.get("Tags", [])}
            models.ipam.tag(resource_id, tags, _caller(self))
        return answer

    return create_tags


def _delete_tags(models: Models, original: Method) -> Method:
    def delete_tags(self: Any) -> Any:
        answer, ours = _left_to_moto(models, original, self)
        for resource_id in ours:
            if any("Value" in tag for tag in self.params.get("Tags", [])):
                raise NotImplementedError("DeleteTags with values")
            models.ipam.untag(resource_id, [tag["Key"] for tag in self.params.get("Tags", [])], _caller(self))
        return answer

    return delete_tags


def _left_to_moto(models: Models, original: Method, response: Any) -> tuple[Any, list[str]]:
    """Let moto see only the resources that are not IPAM's; return its answer and the others."""
    ids = response.params["Resources"]
    ours = [resource_id for resource_id in ids if models.ipam.holds(resource_id)]
    response.params["Resources"] = [resource_id for resource_id in ids if resource_id not in ours]
    return original(response) if response.params["Resources"] else EmptyResult(), ours


_EC2: dict[str, Callable[[Models, Method], Method]] = {
    "call_action": _ec2_call_action,
    "create_vpc": _create_vpc,
    "associate_vpc_cidr_block": _associate_vpc_cidr_block,
    "delete_vpc": _delete_vpc,
    "create_tags": _create_tags,
    "delete_tags": _delete_tags,
}


# RAM


def _ram_call_action(models: Models) -> Method:
    def call_action(self: Any) -> HttpAnswer:
        action = protocol.ram_action(self.method, self.path)
        if action is None:
            raise NotImplementedError(f"RAM at {self.method} {self.path}")
        params = protocol.parse(
            "ram",
            action,
            method=self.method,
            path=self.path,
            headers=self.headers,
            query=parse_qs(self.parsed_url.query, keep_blank_values=True),
            body=self.raw_body,
        )
        return _answered("ram", action, lambda: models.ram.call(action, params, _caller(self)))

    return call_action


# Organizations


def _list_delegated_administrators(models: Models) -> Method:
    def list_delegated_administrators(self: Any) -> str:
        _allow_administrators(models, self)
        asked = self.request_params.get("ServicePrincipal")
        known = models.organization.delegated_administrators.items()
        accounts = {account_id for service, account_id in known if asked in (None, service)}
        accounts |= {one.account.id for one in _backend(models, self).admins if asked is None or asked in one.services}
        items = [_administrator(models, account_id) for account_id in sorted(accounts)]
        return _page("DelegatedAdministrators", items, self.request_params)

    return list_delegated_administrators


def _list_parents(_models: Models) -> Method:
    original = OrganizationsResponse.list_parents

    def list_parents(self: Any) -> str:
        """Answer with an empty page first, as AWS occasionally does.

        https://docs.aws.amazon.com/organizations/latest/APIReference/API_ListParents.html
        """
        answer: str = original(self)
        return answer if "NextToken" in self.request_params else json.dumps({"Parents": [], "NextToken": "0"})

    return list_parents


def _administrator(models: Models, account_id: str) -> dict[str, Any]:
    organization = models.organization
    path = f"account/{organization.organization_id}/{account_id}"
    return {
        "Id": account_id,
        "Arn": f"arn:aws:organizations::{organization.management_account_id}:{path}",
        "Email": f"{account_id}@example.com",
        "Name": account_id,
        "State": "ACTIVE",
        "JoinedMethod": "CREATED",
        "JoinedTimestamp": LONG_AGO,
        "DelegationEnabledDate": LONG_AGO,
    }


def _account(original: Method) -> Method:
    """Without Status, which AWS answers no longer since September 9, 2026; an account that was closed is CLOSED.

    https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_accounts_account_state.html
    https://github.com/aws-ia/terraform-aws-control_tower_account_factory/issues/627
    """

    def describe(self: Any) -> dict[str, Any]:
        answer: dict[str, Any] = original(self)
        status = answer.pop("Status")
        return answer | {"State": "CLOSED" if status == "SUSPENDED" else status}

    return describe


def _describe_account(models: Models, original: Method) -> Method:
    """With the path, which moto leaves out.

    https://docs.aws.amazon.com/organizations/latest/APIReference/API_Account.html
    """

    def describe_account(self: Any) -> str:
        answer: dict[str, Any] = json.loads(original(self))
        backend, account = _backend(models, self), answer["Account"]
        units = {unit.id: unit for unit in backend.ou}
        place, parts = backend.get_account_by_id(account["Id"]).parent_id, [account["Id"]]
        while place in units and units[place].type != "ROOT":
            parts.append(place)
            place = units[place].parent_id
        account["Paths"] = ["/".join([account["Arn"].split("/")[1], place, *reversed(parts)]) + "/"]
        return json.dumps(answer)

    return describe_account


def _allow_administrators(models: Models, response: Any) -> None:
    """https://docs.aws.amazon.com/organizations/latest/APIReference/API_ListDelegatedAdministrators.html"""
    organization = models.organization
    allowed = {organization.management_account_id, *organization.delegated_administrators.values()}
    if response.current_account not in allowed:
        raise JsonRESTError("AccessDeniedException", "You don't have permissions to access this resource.")


def _backend(models: Models, response: Any) -> Any:
    return organizations_backends[models.organization.management_account_id][response.partition]


def _page(member: str, items: list[dict[str, Any]], params: dict[str, Any]) -> str:
    start = int(params.get("NextToken", 0))
    end = start + min(params.get("MaxResults", ORGANIZATIONS_PAGE), ORGANIZATIONS_PAGE)
    return json.dumps({member: items[start:end]} | ({"NextToken": str(end)} if end < len(items) else {}))


_ORGANIZATIONS: dict[str, Callable[[Models], Method]] = {
    "list_delegated_administrators": _list_delegated_administrators,
    "list_parents": _list_parents,
}
