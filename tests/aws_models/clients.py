"""Plain boto3 clients whose requests the models answer, as bytes on the wire that never leave this process.

    cloud = Cloud(Models(ManualClock(), organization))
    ec2 = cloud.session("111122223333").client("ec2", region_name="us-east-1")

botocore emits `before-send` with each request that is ready to be sent, and sends nothing if a handler answers it. The
handler here answers every request or raises, so no client can reach the network.

Source  https://botocore.amazonaws.com/v1/documentation/api/latest/topics/events.html
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import boto3
from botocore.awsrequest import AWSResponse
from botocore.config import Config

from aws_models import protocol
from aws_models.errors import AwsError
from aws_models.ipam.pages import Attributes, filtered, page
from aws_models.ipam.requests import Call, listed_tags, tags_of
from aws_models.models import Models
from aws_models.organization import Caller
from aws_models.protocol import HttpAnswer, Service

VPC_ACTIONS = frozenset(("CreateVpc", "DeleteVpc", "DescribeVpcs"))
TAG_ACTIONS = frozenset(("CreateTags", "DeleteTags"))
STS_ACTIONS = frozenset(("GetCallerIdentity",))
VPCS_PAGE = 5

Answering = Callable[[str, dict[str, Any]], HttpAnswer]
"""Returns the answer to an action with these parameters, which are in boto3's shape."""


class Cloud:
    """The models behind clients of every account and Region, and the VPCs that these clients create."""

    def __init__(self, models: Models) -> None:
        self.models = models
        self._vpcs = Vpcs(models)

    def session(self, account_id: str, region_name: str = "us-east-1") -> Session:
        return Session(self, account_id, region_name)

    def call(self, service: str, action: str, params: dict[str, Any], caller: Caller) -> dict[str, Any]:
        """Return the answer in boto3's shape. Raises AwsError; NotImplementedError for what is not modeled."""
        if service == "ram":
            return self.models.ram.call(action, params, caller)
        if service == "sts" and action in STS_ACTIONS:
            arn = f"arn:aws:iam::{caller.account_id}:root"
            return {"Account": caller.account_id, "Arn": arn, "UserId": caller.account_id}
        if service == "ec2" and action in TAG_ACTIONS:
            return self._tag(action, params, caller)
        if service == "ec2" and action in VPC_ACTIONS:
            return self._vpcs.call(action, params, caller)
        if service == "ec2":
            return self.models.ipam.call(action, params, caller)
        raise NotImplementedError(f"{service}: {action}")

    def _tag(self, action: str, params: dict[str, Any], caller: Caller) -> dict[str, Any]:
        tags = params.get("Tags", [])
        for resource_id in params["Resources"]:
            if not self.models.ipam.holds(resource_id) or params.get("DryRun"):
                raise NotImplementedError(f"{action} on {resource_id}")
            if action == "CreateTags":
                self.models.ipam.tag(resource_id, {tag["Key"]: tag.get("Value", "") for tag in tags}, caller)
            elif any("Value" in tag for tag in tags):
                raise NotImplementedError("DeleteTags with values")
            else:
                self.models.ipam.untag(resource_id, [tag["Key"] for tag in tags], caller)
        return {}


class Session:
    """The part of boto3.Session that makes clients, for one account."""

    def __init__(self, cloud: Cloud, account_id: str, region_name: str) -> None:
        self._cloud = cloud
        self.account_id = account_id
        self.region_name = region_name

    def client(self, service_name: str, region_name: str | None = None, config: Config | None = None) -> Any:
        """Return a client that repeats nothing: a refusal that a test orders arrives at the first call."""
        caller = Caller(self.account_id, region_name or self.region_name)

        def answering(action: str, params: dict[str, Any]) -> HttpAnswer:
            request_id = str(uuid4())
            try:
                result = self._cloud.call(service_name, action, params, caller)
            except AwsError as error:
                return protocol.refusal(_service(service_name), action, error, request_id)
            return protocol.answer(_service(service_name), action, result, request_id)

        return answered_client(service_name, caller.region, answering, config)


def answered_client(service: str, region: str, answering: Answering, config: Config | None = None) -> Any:
    """Return a boto3 client whose requests `answering` answers."""
    client: Any = boto3.client(
        service,  # type: ignore[call-overload]  # any name
        region_name=region,
        aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
        aws_secret_access_key="secret",
        config=(config or Config()).merge(Config(retries={"total_max_attempts": 1})),
    )

    def answer(request: Any, **_: Any) -> AWSResponse:  # an AWSPreparedRequest
        action, params = _read(_service(service), request)
        status, headers, body = answering(action, params)
        return AWSResponse(request.url, status, headers, _Body(body))  # type: ignore[arg-type]  # no urllib3 here

    client.meta.events.register("before-send", answer)
    return client


def _service(name: str) -> Service:
    if name in ("ec2", "ram", "sts"):
        return name  # type: ignore[return-value]  # mypy does not narrow by membership
    raise NotImplementedError(name)


def _read(service: Service, request: Any) -> tuple[str, dict[str, Any]]:
    """Return the action and its parameters."""
    url = urlsplit(request.url)
    body = request.body.encode() if isinstance(request.body, str) else request.body or b""
    action = protocol.ram_action(request.method, url.path) if service == "ram" else parse_qs(body.decode())["Action"][0]
    if action is None:
        raise NotImplementedError(f"{service} at {request.method} {url.path}")
    query = parse_qs(url.query, keep_blank_values=True)
    return action, protocol.parse(
        service, action, method=request.method, path=url.path, headers=request.headers, query=query, body=body
    )


class _Body:
    """A response body as urllib3 returns it."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, **_: Any) -> Iterable[bytes]:
        yield self._body


@dataclass(frozen=True)
class Vpc:
    id: str
    home: Caller
    cidr: str
    tags: dict[str, str]


class Vpcs:
    """VPCs that draw from pools, as far as IPAM knows them: an address, tags, an owner and a Region."""

    def __init__(self, models: Models) -> None:
        self._models = models
        self._numbers = itertools.count(1)
        self._vpcs: dict[str, Vpc] = {}

    def call(self, action: str, params: dict[str, Any], caller: Caller) -> dict[str, Any]:
        call = Call(action, params, caller)
        acts = {"CreateVpc": self._create, "DeleteVpc": self._delete, "DescribeVpcs": self._describe}
        return acts[action](call)

    def _create(self, call: Call) -> dict[str, Any]:
        _require_modeled(call, "Ipv4IpamPoolId Ipv4NetmaskLength CidrBlock TagSpecifications")
        if "Ipv4IpamPoolId" not in call.params:
            raise NotImplementedError("CreateVpc without Ipv4IpamPoolId")
        allocation = self._models.ipam.allocate_vpc(call.params, call.caller)
        vpc = Vpc(f"vpc-{next(self._numbers):017x}", call.caller, allocation.cidr, tags_of(call, "vpc"))
        self._models.ipam.vpc_created(allocation, vpc.id)
        self._vpcs[vpc.id] = vpc
        return {"Vpc": _described(vpc) | {"State": "pending"}}

    def _delete(self, call: Call) -> dict[str, Any]:
        _require_modeled(call, "VpcId")
        vpc = self._found(call.params["VpcId"], call.caller)
        del self._vpcs[vpc.id]
        self._models.ipam.vpc_deleted(vpc.id)
        return {}

    def _describe(self, call: Call) -> dict[str, Any]:
        _require_modeled(call, "VpcIds Filters MaxResults NextToken")
        asked = call.params.get("VpcIds")
        own = [vpc for vpc in self._vpcs.values() if vpc.home == call.caller]
        seen = [self._found(vpc_id, call.caller) for vpc_id in asked] if asked else own
        vpcs = filtered(call, "vpc-id tag:", seen, _attributes)
        return page(call, vpcs, lambda vpc: vpc.id, _described, "Vpcs", VPCS_PAGE)

    def _found(self, vpc_id: str, caller: Caller) -> Vpc:
        vpc = self._vpcs.get(vpc_id)
        if vpc is None or vpc.home != caller:
            raise AwsError("InvalidVpcID.NotFound", f"The vpc ID '{vpc_id}' does not exist")
        return vpc


def _require_modeled(call: Call, names: str) -> None:
    if left_out := sorted(call.params.keys() - set(names.split())):
        raise NotImplementedError(f"{call.action}: {', '.join(left_out)}")


def _attributes(vpc: Vpc) -> Attributes:
    return {"vpc-id": vpc.id} | {f"tag:{key}": value for key, value in vpc.tags.items()}


def _described(vpc: Vpc) -> dict[str, Any]:
    return {
        "VpcId": vpc.id,
        "OwnerId": vpc.home.account_id,
        "CidrBlock": vpc.cidr,
        "State": "available",
        "Tags": listed_tags(vpc.tags),
    }
