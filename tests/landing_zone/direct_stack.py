"""The Networking stack's two custom resources, asked for by a CloudFormation that the caller plays.

The function's own code runs, from its handler on; only its clients, its clock and its answers are not AWS's. Whatever
it hands on to another invocation is invoked, until it answers.

    with DirectStack(mutation_lock="scope").running() as stack:
        stack.set_up()
        answer = stack.ask("Create", "InitPools", PROPERTIES)
"""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from ipaddress import IPv4Network
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

from ctipam import names, sessions, waiting
from ctipam.cloudformation import custom_resource
from ctipam.ipam import reader as ipam_reader
from ctipam.pools import reconcile
from landing_zone.clock import ManualClock
from landing_zone.direct import DirectAccount, DirectEc2, Killed, SideBySide, Wire
from landing_zone.models import Models
from landing_zone.organization import Organization

ROOT = Path(__file__).parents[2]
MANAGEMENT, NETWORKING, HOME = "111111111111", "222222222222", "us-east-1"
STACK_ID = f"arn:aws:cloudformation:{HOME}:{NETWORKING}:stack/StackSet-ipam/11111111-2222-3333-4444-555555555555"
INVOCATION_S = 15 * 60.0

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
    """Lambda's: the time that is left is what the clock leaves."""

    aws_request_id = "00000000-0000-0000-0000-000000000000"
    function_name = "function"
    invoked_function_arn = f"arn:aws:lambda:{HOME}:{NETWORKING}:function:function"

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self._ends = clock.now() + INVOCATION_S

    def get_remaining_time_in_millis(self) -> int:
        return int((self._ends - self._clock.now()) * 1000)


class DirectStack:
    """knobs: those of Models. workers: how many calls at a time; None: as many as the function asks for."""

    def __init__(
        self, *, reads_s: float = 0.0, changes_s: float = 0.0, workers: int | None = None, **knobs: Any
    ) -> None:
        self.clock = ManualClock()
        members = [MANAGEMENT, NETWORKING]
        self.models = Models(self.clock, Organization(MANAGEMENT, lambda: members), **knobs)
        self.wire = Wire(self.models, reads_s=reads_s, changes_s=changes_s)
        self.account = DirectAccount(self.wire, NETWORKING, HOME)
        self.ec2 = self.ec2_in(HOME)
        self.answers: list[dict[str, Any]] = []
        self.scope_id = ""
        self.top_pool_id = ""
        self.handler = _handler()
        self._requests = 0
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
            stack.enter_context(patch.object(custom_resource, "put", self._answered))
            yield self

    def ec2_in(self, region: str) -> DirectEc2:
        """For whoever looks on, or does something by hand: not counted, and takes no time."""
        return DirectAccount(Wire(self.models), NETWORKING, HOME).ec2(region)

    def _executor(self, workers: int) -> SideBySide:
        return SideBySide(self.clock, self._workers or workers)

    def _answered(self, url: str, body: bytes) -> str:
        self.answers.append(json.loads(body))
        return ""

    def set_up(self, cidr: str = "10.0.0.0/8", regions: tuple[str, ...] = ("us-west-2", "eu-west-1")) -> None:
        """An IPAM, and in it the top-level pool that CloudFormation makes."""
        ipam = self.ec2.create_ipam(OperatingRegions=[{"RegionName": region} for region in regions])["Ipam"]
        self.scope_id = ipam["PrivateDefaultScopeId"]
        self.clock.advance(300)
        self.create_top_pool(cidr)

    def create_top_pool(self, cidr: str) -> None:
        tags = [{"Key": names.STACK_TAG, "Value": STACK_ID}]
        self.top_pool_id = self.ec2.create_ipam_pool(
            IpamScopeId=self.scope_id,
            AddressFamily="ipv4",
            TagSpecifications=[{"ResourceType": "ipam-pool", "Tags": tags}],
        )["IpamPool"]["IpamPoolId"]
        self.clock.advance(300)
        self.ec2.provision_ipam_pool_cidr(IpamPoolId=self.top_pool_id, Cidr=cidr)
        self.clock.advance(300)

    def request(self, kind: str, resource: str, properties: Properties) -> dict[str, Any]:
        """A new one of CloudFormation's, to be sent once or again."""
        self._requests += 1
        physical_id = {} if kind == "Create" else {"PhysicalResourceId": f"{resource}-{STACK_ID.rpartition('/')[2]}"}
        where = {"ScopeId": self.scope_id, "TopLevelPoolId": self.top_pool_id} if resource == "InitPools" else {}
        return {
            "RequestType": kind,
            "ResponseURL": "https://answers.example/presigned",
            "StackId": STACK_ID,
            "RequestId": f"request-{self._requests}",
            "ResourceType": f"Custom::{resource}",
            "LogicalResourceId": resource,
            "ResourceProperties": where | properties | {"ServiceToken": "arn"},
            **physical_id,
        }

    def send(self, request: dict[str, Any]) -> dict[str, Any] | None:
        """The answer, after as many invocations as it takes; None if the function was killed."""
        self.wire.revive()
        self.wire.in_progress[STACK_ID] = f"{request['RequestType'].upper()}_IN_PROGRESS"
        self.wire.invocations[:] = [request]
        before = len(self.answers)
        while self.wire.invocations:
            try:
                self.handler(self.wire.invocations.pop(0), Context(self.clock))
            except Killed:
                return None
        assert len(self.answers) == before + 1, "one request, one answer"
        return self.answers[-1]

    def ask(self, kind: str, resource: str, properties: Properties) -> dict[str, Any]:
        answer = self.send(self.request(kind, resource, properties))
        assert answer
        return answer

    def pools(self) -> dict[str, str]:
        """Name and CIDRs of every pool below the top-level pool that is there or on its way; names must be unique."""
        found: dict[str, str] = {}
        for page in self.ec2.get_paginator("describe_ipam_pools").paginate():
            for pool in page["IpamPools"]:
                if pool["State"] != "delete-complete" and "SourceIpamPoolId" in pool:
                    tags = {tag["Key"]: tag["Value"] for tag in pool["Tags"]}
                    name = tags.get("Name", pool["IpamPoolId"])
                    assert name not in found, f"two pools of one name: {name}"
                    found[name] = self.cidrs(pool["IpamPoolId"])
        return found

    def pool_ids(self) -> dict[str, str]:
        """The ids of the same pools, by name."""
        listed = self.ec2.describe_ipam_pools(MaxResults=1000)["IpamPools"]
        there = [pool for pool in listed if pool["State"] != "delete-complete" and "SourceIpamPoolId" in pool]
        named = [({tag["Key"]: tag["Value"] for tag in pool["Tags"]}.get("Name"), pool["IpamPoolId"]) for pool in there]
        return {name or pool_id: pool_id for name, pool_id in named}

    def cidrs(self, pool_id: str) -> str:
        states = ("provisioned", "pending-provision")
        held = [IPv4Network(row["Cidr"]) for row in self.rows(pool_id) if row["State"] in states]
        return ",".join(map(str, sorted(held)))

    def rows(self, pool_id: str) -> list[dict[str, Any]]:
        pages = self.ec2.get_paginator("get_ipam_pool_cidrs").paginate(IpamPoolId=pool_id)
        return [row for page in pages for row in page["IpamPoolCidrs"]]


@cache
def _handler() -> Any:
    """ipam-pool-lambda/index.py's. crhelper makes clients of its own when it is imported, and never uses them."""
    spec = importlib.util.spec_from_file_location("ipam_pool_lambda_direct", ROOT / "ipam-pool-lambda" / "index.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    with patch.dict(os.environ, {"AWS_REGION": HOME, "AWS_DEFAULT_REGION": HOME}):
        spec.loader.exec_module(module)
    return module.lambda_handler
