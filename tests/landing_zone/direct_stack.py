"""The Networking stack's two custom resources, asked for by a CloudFormation that the caller plays.

The function's own code runs, from its handler on; only its clients, its clock and its answers are not AWS's. Whatever
it hands on to another invocation is invoked, until it answers.

    with DirectStack(mutation_lock="scope").running() as stack:
        stack.set_up()
        answer = stack.ask("Create", "InitPools", PROPERTIES)

A test that sets stack_id asks for another stack from then on.
"""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from ipaddress import IPv4Network
from itertools import count
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

from aws_models.clock import ManualClock
from aws_models.models import Models
from aws_models.organization import Caller, Organization
from ctipam import names, sessions, waiting
from ctipam.cloudformation import custom_resource
from ctipam.ipam import reader as ipam_reader
from ctipam.pools import reconcile
from ctipam.tags import to_dict
from ctipam.upkeep import measurement, mending, watch
from landing_zone.direct import DirectAccount, DirectEc2, Killed, SideBySide, Wire

ROOT = Path(__file__).parents[2]
MANAGEMENT, NETWORKING, HOME = "111111111111", "222222222222", "us-east-1"
STACK_ID = f"arn:aws:cloudformation:{HOME}:{NETWORKING}:stack/StackSet-ipam/11111111-2222-3333-4444-555555555555"
ANOTHER_STACK_ID = f"arn:aws:cloudformation:{HOME}:{NETWORKING}:stack/ipam-2/66666666-7777-8888-9999-000000000000"
INVOCATION_S = 15 * 60.0
BETWEEN_WATCHES = {"time": "2026-11-26T10:30:00Z"}  # a run of the schedule that does not watch
TO_WATCH = {"time": "2026-11-26T11:00:00Z"}

Properties = dict[str, Any]

PROPERTIES = {
    "TopLevelPoolCidr": "10.0.0.0/8",
    "IpamPoolPrefixLength": "10",
    "AccPoolPrefixLength": "12",
    "RegionSelection": ["us-west-2", "us-east-1"],
    "AccEnvName": ["Prod OU", "SDLC OU"],
}
BUILT = {
    "us-west-2": "10.0.0.0/10",
    "us-west-2 Prod OU": "10.0.0.0/12",
    "us-west-2 SDLC OU": "10.16.0.0/12",
    "us-east-1": "10.64.0.0/10",
    "us-east-1 Prod OU": "10.64.0.0/12",
    "us-east-1 SDLC OU": "10.80.0.0/12",
}
"""The pools of PROPERTIES: Name tag -> block."""


class Context:
    """Lambda's: the time that is left is what the clock leaves. ends: by the clock; None: as late as Lambda allows"""

    aws_request_id = "00000000-0000-0000-0000-000000000000"
    function_name = "function"

    def __init__(self, clock: ManualClock, account_id: str = NETWORKING, ends: float | None = None) -> None:
        self.invoked_function_arn = f"arn:aws:lambda:{HOME}:{account_id}:function:function"
        self._clock = clock
        self._ends = clock.now() + INVOCATION_S if ends is None else ends

    def get_remaining_time_in_millis(self) -> int:
        return int((self._ends - self._clock.now()) * 1000)


class DirectStack:
    """knobs: those of Models. workers: how many calls at a time; None: as many as the function asks for."""

    def __init__(
        self, *, reads_s: float = 0.0, changes_s: float = 0.0, workers: int | None = None, **knobs: Any
    ) -> None:
        self.clock = ManualClock()
        self.models = Models(self.clock, Organization(MANAGEMENT, _members), **knobs)
        self.wire = Wire(self.models, reads_s=reads_s, changes_s=changes_s)
        self.account = DirectAccount(self.wire, NETWORKING, HOME)
        self.ec2 = self.ec2_in(HOME)
        self.answers: list[dict[str, Any]] = []
        self.answered_at = 0.0  # by the clock: the last answer
        self.scope_id = ""
        self.stack_id = STACK_ID
        self.handler = handler_of(0)
        self._requests = 0
        self._declared: dict[str, Properties] = {}  # resource -> the properties that it has, by its last success
        self._workers = workers

    @contextmanager
    def running(self) -> Iterator[DirectStack]:
        with ExitStack() as stack:
            stack.enter_context(patch.object(sessions, "current_account", lambda _account_id: self.account))
            stack.enter_context(patch.object(waiting, "sleep", self.clock.advance))
            stack.enter_context(patch.object(waiting, "now", self.clock.now))
            stack.enter_context(patch.object(waiting, "random", Random(0)))  # noqa: S311 - the same jitter each time
            stack.enter_context(patch.object(reconcile, "ThreadPoolExecutor", self._executor))
            stack.enter_context(patch.object(ipam_reader, "ThreadPoolExecutor", self._executor))
            stack.enter_context(patch.object(measurement, "ThreadPoolExecutor", self._executor))
            stack.enter_context(patch.object(mending, "ThreadPoolExecutor", self._executor))
            stack.enter_context(patch.object(watch, "ThreadPoolExecutor", self._executor))
            stack.enter_context(patch.object(custom_resource, "put", self._answered))
            yield self

    def ec2_in(self, region: str) -> DirectEc2:
        """For whoever looks on, or does something by hand: not counted. After a change, AWS lists what it made."""
        return DirectAccount(Wire(self.models, changes_s=2), NETWORKING, HOME).ec2(region)

    def _executor(self, workers: int) -> SideBySide:
        return SideBySide(self.clock, self._workers or workers)

    def _answered(self, url: str, body: bytes) -> str:
        self.answers.append(json.loads(body))
        self.answered_at = self.clock.now()
        return ""

    def set_up(self, regions: tuple[str, ...] = ("us-west-2", "eu-west-1")) -> None:
        """Create an IPAM, as Custom::Ipam does."""
        ipam = self.ec2.create_ipam(OperatingRegions=[{"RegionName": region} for region in regions])["Ipam"]
        self.scope_id = ipam["PrivateDefaultScopeId"]
        self.clock.advance(300)

    @contextmanager
    def nth_list_without_tags(self, number: int) -> Iterator[None]:
        """Let DescribeIpamPools show the function no tags in one list, the number-th, unless it asks for a tag."""
        lists = count()
        call = DirectEc2._ask

        def ask(ec2: DirectEc2, action: str, params: dict[str, Any]) -> dict[str, Any]:
            if action == "DescribeIpamPools" and next(lists) == number:
                self.models.ipam.faults.list_without_tags(action)
            return call(ec2, action, params)

        with patch.object(DirectEc2, "_ask", ask):
            yield

    def add_foreign_pool(self, cidr: str) -> str:
        """Create a top-level pool that is not of this solution, with a CIDR; return its id."""
        created = self.ec2.create_ipam_pool(IpamScopeId=self.scope_id, AddressFamily="ipv4")["IpamPool"]
        self.clock.advance(300)
        self.ec2.provision_ipam_pool_cidr(IpamPoolId=created["IpamPoolId"], Cidr=cidr)
        self.clock.advance(300)
        return str(created["IpamPoolId"])

    def make_vpc(self, region: str, environment: str, *, length: int | None = None) -> str:
        """Create a VPC in an environment pool; return its id once its allocation is listed.

        length        of its netmask; None: the pool's default
        environment   empty: in the Region's pool
        """
        params: dict[str, Any] = {
            "Ipv4IpamPoolId": self.pool_ids()[f"{region} {environment}".strip()],
            "TagSpecifications": [{"ResourceType": "vpc", "Tags": [{"Key": "Env", "Value": environment}]}],
        }
        if length:
            params["Ipv4NetmaskLength"] = length
        allocation = self.models.ipam.allocate_vpc(params, Caller(NETWORKING, region))
        vpc_id = f"vpc-{allocation.allocation_id[-17:]}"
        self.models.ipam.vpc_created(allocation, vpc_id)
        self.clock.advance(1)
        return vpc_id

    @property
    def top_pool_id(self) -> str:
        """Of this stack's top-level pool."""
        (top,) = (
            pool["IpamPoolId"]
            for pool in self.listed_pools()
            if "SourceIpamPoolId" not in pool and {"Key": names.STACK_TAG, "Value": self.stack_id} in pool["Tags"]
        )
        return str(top)

    def request(self, kind: str, resource: str, properties: Properties) -> dict[str, Any]:
        """A new one of CloudFormation's, to be sent once or again. Its properties are the parameters of the stack."""
        self._requests += 1
        self.set_parameters(properties)
        physical_id = (
            {} if kind == "Create" else {"PhysicalResourceId": f"{resource}-{self.stack_id.rpartition('/')[2]}"}
        )
        where = {"ScopeId": self.scope_id} if resource == "InitPools" else {}
        old = {"OldResourceProperties": self._declared.get(resource, {})} if kind == "Update" else {}
        return {
            "RequestType": kind,
            "ResponseURL": "https://answers.example/presigned",
            "StackId": self.stack_id,
            "RequestId": f"request-{self._requests}",
            "ResourceType": f"Custom::{resource}",
            "LogicalResourceId": resource,
            "ResourceProperties": where | properties | {"ServiceToken": "arn"},
            **physical_id,
            **old,
        }

    def send(self, request: dict[str, Any], status: str = "") -> dict[str, Any] | None:
        """The answer, after as many invocations as it takes; None if the function was killed.

        A second later, when AWS lists what the function has made.

        status   of the stack; empty: the one that the kind of the request implies
        """
        self.wire.revive()
        self.wire.invocations[:] = [request]
        before = len(self.answers)
        while self.wire.invocations:
            try:
                self.invoke(self.wire.invocations.pop(0), status)
            except Killed:
                return None
        assert len(self.answers) == before + 1, "one request, one answer"
        if self.answers[-1]["Status"] == "SUCCESS":
            self._declared[request["LogicalResourceId"]] = request["ResourceProperties"]
        self.clock.advance(1)
        return self.answers[-1]

    def invoke(self, event: dict[str, Any], status: str = "", handler: Any = None) -> None:
        """Invoke the function once. handler: that of another execution environment; None: of the usual one."""
        self.wire.in_progress[event["StackId"]] = status or f"{event['RequestType'].upper()}_IN_PROGRESS"
        (handler or self.handler)(event, Context(self.clock))

    def ask(self, kind: str, resource: str, properties: Properties, status: str = "") -> dict[str, Any]:
        answer = self.send(self.request(kind, resource, properties), status)
        assert answer
        return answer

    def set_parameters(self, properties: Properties) -> None:
        """Let DescribeStacks answer these parameters. A list is text there."""
        texts = {key: ",".join(value) if isinstance(value, list) else value for key, value in properties.items()}
        listed = [{"ParameterKey": key, "ParameterValue": value} for key, value in texts.items()]
        self.wire.stacks.setdefault(self.stack_id, {})["Parameters"] = listed

    def look(self, *, growth: bool = True, threshold: int = 80, event: dict[str, str] = BETWEEN_WATCHES) -> bool:
        """Invoke the function that measures the pools, as the schedule does; return False if it was killed.

        What it invokes is in wire.invocations.
        """
        self.wire.revive()
        environment = {
            "STACK_ID": self.stack_id,
            "TOPIC_ARN": "arn:aws:sns:us-east-1:222222222222:topic",
            "POOL_UTILISATION_THRESHOLD": str(threshold),
            "POOL_GROWTH": "on" if growth else "off",
            "MENDING_FUNCTION": "function",
        }
        with patch.dict(os.environ, environment):
            try:
                module_of(0).measure_utilization(event, Context(self.clock))
            except Killed:
                return False
        return True

    def mend(self) -> bool:
        """Invoke the function that mends as often as the watch has asked; return False if it was killed.

        A second later, when AWS lists what it has changed.
        """
        invocations, self.wire.invocations[:] = list(self.wire.invocations), []
        for event in invocations:
            self.wire.revive()
            try:
                self.handler(event, Context(self.clock))
            except Killed:
                return False
        self.clock.advance(1)
        return True

    def end_operation(self) -> None:
        """Let no operation of the stack be in progress any more."""
        self.wire.stacks.setdefault(self.stack_id, {})
        self.wire.in_progress.pop(self.stack_id, None)

    def forget_stack(self) -> None:
        """Let the stack no longer exist."""
        self.wire.in_progress.pop(STACK_ID, None)
        self.wire.stacks.pop(STACK_ID, None)

    def pools(self) -> dict[str, str]:
        """Name and CIDRs of every pool below the top-level pool that is there or on its way; names must be unique."""
        found: dict[str, str] = {}
        for pool in self.listed_pools():
            if "SourceIpamPoolId" in pool:
                name = to_dict(pool["Tags"]).get("Name", pool["IpamPoolId"])
                assert name not in found, f"two pools of one name: {name}"
                found[name] = self.cidrs(pool["IpamPoolId"])
        return found

    def pool_ids(self) -> dict[str, str]:
        """The ids of the same pools, by name."""
        below = [pool for pool in self.listed_pools() if "SourceIpamPoolId" in pool]
        return {to_dict(pool["Tags"]).get("Name", pool["IpamPoolId"]): pool["IpamPoolId"] for pool in below}

    def listed_pools(self) -> list[dict[str, Any]]:
        """Every pool that is there or on its way, as AWS lists it."""
        pages = self.ec2.get_paginator("describe_ipam_pools").paginate()
        return [pool for page in pages for pool in page["IpamPools"] if pool["State"] != "delete-complete"]

    def cidrs(self, pool_id: str) -> str:
        states = ("provisioned", "pending-provision")
        held = [IPv4Network(row["Cidr"]) for row in self.rows(pool_id) if row["State"] in states]
        return ",".join(map(str, sorted(held)))

    def rows(self, pool_id: str) -> list[dict[str, Any]]:
        pages = self.ec2.get_paginator("get_ipam_pool_cidrs").paginate(IpamPoolId=pool_id)
        return [row for page in pages for row in page["IpamPoolCidrs"]]


def _members() -> tuple[str, ...]:
    return MANAGEMENT, NETWORKING


def handler_of(environment: int) -> Any:
    return module_of(environment).lambda_handler


@cache
def module_of(_environment: int) -> Any:
    """ipam-pool-lambda/index.py, as in an execution environment of its own: for a request that runs beside another."""
    return import_index("ipam-pool-lambda")


def import_index(folder: str) -> Any:
    """Import folder/index.py anew, under another name, because two modules cannot both be named `index`."""
    spec = importlib.util.spec_from_file_location(folder.replace("-", "_"), ROOT / folder / "index.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
