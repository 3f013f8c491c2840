"""A model with an IPAM in it, for tests that need one.

botocore's description of EC2 validates every request and answer.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from functools import cache
from typing import Any

import botocore.session
from botocore.model import ListShape, ServiceModel, Shape, StringShape, StructureShape
from botocore.validate import ParamValidator

from aws_models.clock import ManualClock
from aws_models.ipam.model import IpamModel
from aws_models.organization import Caller, Organization

MANAGEMENT, NETWORKING, MEMBER, STRANGER = "111111111111", "222222222222", "333333333333", "999999999999"
HOME, WEST, ELSEWHERE = "us-east-1", "us-west-2", "eu-west-1"  # ELSEWHERE is not an operating Region of the bench


class Bench:
    """An organization of three accounts, and Networking's IPAM with two operating Regions. Time stands still.

    knobs   IpamModel's
    """

    def __init__(self, **knobs: Any) -> None:
        self.clock = ManualClock()
        self.organization = Organization(MANAGEMENT, lambda: [MANAGEMENT, NETWORKING, MEMBER])
        self.model = IpamModel(self.clock, self.organization, **knobs)
        self.model.visible_to = lambda account_id: self.shared.get(account_id, ())
        self.shared: dict[str, Collection[str]] = {}  # account id -> ARNs
        self.ipam = self.ask("CreateIpam", OperatingRegions=[{"RegionName": HOME}, {"RegionName": WEST}])["Ipam"]
        self.scope: str = self.ipam["PrivateDefaultScopeId"]
        self.wait()

    def ask(self, action: str, region: str = HOME, account: str = NETWORKING, **params: Any) -> dict[str, Any]:
        operation = _ec2().operation_model(action)
        assert operation.input_shape
        assert operation.output_shape
        problems = ParamValidator().validate(params, operation.input_shape)
        assert not problems.has_errors(), problems.generate_report()
        answer = self.model.call(action, params, Caller(account, region))
        check_answer(operation.output_shape, answer)
        return answer

    def integrate(self) -> None:
        """Let the IPAM monitor the organization."""
        self.ask("EnableIpamOrganizationAdminAccount", account=MANAGEMENT, DelegatedAdminAccountId=NETWORKING)

    def wait(self, seconds: float = 15) -> None:
        """Let pass more time than any operation takes, and less than deleted resources stay in lists."""
        self.clock.advance(seconds)

    def create_pool(self, **params: Any) -> dict[str, Any]:
        """Request a pool, and return the answer."""
        wanted = {"IpamScopeId": self.scope, "AddressFamily": "ipv4"} | params
        pool: dict[str, Any] = self.ask("CreateIpamPool", **wanted)["IpamPool"]
        return pool

    def pool(self, cidr: str | None = None, **params: Any) -> str:
        """Create a pool, with this CIDR if one is given, and return its id once it is complete."""
        pool_id: str = self.create_pool(**params)["IpamPoolId"]
        self.wait()
        if cidr:
            self.provision(pool_id, Cidr=cidr)
            self.wait()
        return pool_id

    def provision(self, pool_id: str, **params: Any) -> dict[str, Any]:
        row: dict[str, Any] = self.ask("ProvisionIpamPoolCidr", IpamPoolId=pool_id, **params)["IpamPoolCidr"]
        return row

    def deprovision(self, pool_id: str, cidr: str) -> dict[str, Any]:
        row: dict[str, Any] = self.ask("DeprovisionIpamPoolCidr", IpamPoolId=pool_id, Cidr=cidr)["IpamPoolCidr"]
        return row

    def cidrs(self, pool_id: str) -> list[dict[str, Any]]:
        return self.all("GetIpamPoolCidrs", "IpamPoolCidrs", IpamPoolId=pool_id)

    def cidr(self, pool_id: str) -> dict[str, Any]:
        """Return the only CIDR row of the pool."""
        (row,) = self.cidrs(pool_id)
        return row

    def allocations(self, pool_id: str, region: str = HOME, account: str = NETWORKING) -> list[dict[str, Any]]:
        return self.all("GetIpamPoolAllocations", "IpamPoolAllocations", region, account, IpamPoolId=pool_id)

    def state(self, pool_id: str) -> str:
        (pool,) = self.ask("DescribeIpamPools", IpamPoolIds=[pool_id])["IpamPools"]
        return str(pool["State"])

    def all(
        self, action: str, member: str, region: str = HOME, account: str = NETWORKING, **params: Any
    ) -> list[dict[str, Any]]:
        """Return all pages of a list."""
        answer = self.ask(action, region, account, **params)
        items: list[dict[str, Any]] = answer[member]
        while token := answer.get("NextToken"):
            answer = self.ask(action, region, account, **params, NextToken=token)
            items += answer[member]
        return items

    def share(self, pool_id: str, account: str = MEMBER) -> str:
        """Make the pool visible to the account, as RAM does, and return the pool's id."""
        arn = f"arn:aws:ec2::{NETWORKING}:ipam-pool/{pool_id}"
        self.shared[account] = {*self.shared.get(account, ()), arn}
        return pool_id

    def make_vpc(self, vpc_id: str, region: str, account: str = NETWORKING, **params: Any) -> str:
        """Create a VPC from the pool and return its CIDR."""
        allocation = self.model.allocate_vpc(params, Caller(account, region))
        self.model.vpc_created(allocation, vpc_id)
        return allocation.cidr


@cache
def _ec2() -> ServiceModel:
    return botocore.session.get_session().get_service_model("ec2")


def check_answer(shape: Shape, answer: Any, where: str = "answer") -> None:
    """Check that all members, types and enumerated values are AWS's."""
    if isinstance(shape, StructureShape):
        unknown = answer.keys() - shape.members.keys()
        assert not unknown, f"{where}: {unknown}"
        for name, value in answer.items():
            check_answer(shape.members[name], value, f"{where}.{name}")
    elif isinstance(shape, ListShape):
        for item in answer:
            check_answer(shape.member, item, where)
    else:
        types = {"string": str, "integer": int, "boolean": bool, "double": float, "timestamp": datetime}
        assert type(answer) is types[shape.type_name], f"{where}: {answer!r}"
        # Some failures have an empty code, which is no value of the enumeration.
        if isinstance(shape, StringShape) and shape.enum and answer:
            assert answer in shape.enum, f"{where}: {answer}"
