"""The Lambda handlers in this process, on moto, with the landing zone's IPAM and RAM. Time moves when a handler waits."""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import boto3
import pytest
from moto import mock_aws
from moto.core import DEFAULT_ACCOUNT_ID
from moto.organizations.models import organizations_backends

from ctipam import waiting
from landing_zone.clock import ManualClock
from landing_zone.models import Models
from landing_zone.on_moto import installed
from landing_zone.organization import Organization

ROOT = Path(__file__).parents[2]
HOME = "us-east-1"
MANAGEMENT, NETWORKING = DEFAULT_ACCOUNT_ID, "222222222222"
MINUTE = 60.0

DEFAULTS: dict[str, Any] = {
    "TopLevelPoolCidr": "192.168.0.0/16",
    "RegionSelection": ["us-west-2", "us-east-1"],
    "IpamPoolPrefixLength": "20",
    "AccEnvName": ["Prod OU", "SDLC OU"],
    "AccPoolPrefixLength": "21",
}


def load(folder: str) -> ModuleType:
    """Import folder/index.py under a name of its own, since two modules cannot both be `index`."""
    spec = importlib.util.spec_from_file_location(folder.replace("-", "_"), ROOT / folder / "index.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@dataclass
class Context:
    """Lambda's context: the time that is left is what the clock leaves."""

    account_id: str
    clock: ManualClock
    function_name: str = "function"
    aws_request_id: str = "00000000-0000-0000-0000-000000000000"
    ends: float = 0.0

    def __post_init__(self) -> None:
        self.ends = self.ends or self.clock.now() + 15 * MINUTE

    @property
    def invoked_function_arn(self) -> str:
        return f"arn:aws:lambda:{HOME}:{self.account_id}:function:{self.function_name}"

    def get_remaining_time_in_millis(self) -> int:
        return int((self.ends - self.clock.now()) * 1000)


class Cloud:
    """An organization of moto's, with accounts whose ids the test chooses."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self.clock = ManualClock()
        self.models = Models(self.clock, Organization(MANAGEMENT, self._members))
        self.organizations = boto3.client("organizations", HOME)
        self.organizations.create_organization(FeatureSet="ALL")
        self.root = self.organizations.list_roots()["Roots"][0]["Id"]

    def _members(self) -> set[str]:
        return {account.id for account in organizations_backends[MANAGEMENT]["aws"].accounts}

    def add_ou(self, name: str, parent: str = "") -> str:
        unit = self.organizations.create_organizational_unit(ParentId=parent or self.root, Name=name)
        return str(unit["OrganizationalUnit"]["Id"])

    def add_account(self, account_id: str, ou_id: str = "") -> None:
        with self._monkeypatch.context() as patch:
            patch.setattr("moto.organizations.utils.make_random_account_id", lambda: account_id)
            self.organizations.create_account(AccountName=account_id, Email=f"{account_id}@example.com")
        if ou_id:
            self.organizations.move_account(AccountId=account_id, SourceParentId=self.root, DestinationParentId=ou_id)

    def client(self, service: str, account_id: str, region: str = HOME) -> Any:
        make: Any = boto3.client
        return make(service, region, **_credentials(account_id))

    @contextmanager
    def running_in(self, account_id: str) -> Iterator[None]:
        """Let boto3's default session be that account's, as it is in a function."""
        names = {
            "aws_access_key_id": "AWS_ACCESS_KEY_ID",
            "aws_secret_access_key": "AWS_SECRET_ACCESS_KEY",
            "aws_session_token": "AWS_SESSION_TOKEN",
        }
        with self._monkeypatch.context() as patch:
            for key, value in _credentials(account_id).items():
                patch.setenv(names[key], value)
            yield


def _credentials(account_id: str) -> dict[str, str]:
    if account_id == MANAGEMENT:
        return {"aws_access_key_id": "made", "aws_secret_access_key": "up", "aws_session_token": "too"}
    role = f"arn:aws:iam::{account_id}:role/AWSControlTowerExecution"
    credentials = boto3.client("sts", HOME).assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
    return {
        "aws_access_key_id": credentials["AccessKeyId"],
        "aws_secret_access_key": credentials["SecretAccessKey"],
        "aws_session_token": credentials["SessionToken"],
    }


@dataclass
class CloudFormation:
    """Sends requests to a handler as CloudFormation does, and reads what crhelper PUTs to the ResponseURL."""

    cloud: Cloud
    account_id: str
    handler: Any
    stack_id: str
    answers: list[dict[str, Any]]
    requests: int = 0
    physical_ids: dict[str, str] = field(default_factory=dict)

    def ask(self, kind: str, resource: str, properties: dict[str, Any], **event: Any) -> dict[str, Any]:
        """One request for Custom::<resource>; the answer. A new request has a new id, unless one is given."""
        self.requests += 1
        request = {
            "RequestType": kind,
            "ResponseURL": "https://answers.example/presigned",
            "StackId": self.stack_id,
            "RequestId": f"request-{self.requests}",
            "ResourceType": f"Custom::{resource}",
            "LogicalResourceId": resource,
            "ResourceProperties": properties | {"ServiceToken": "arn"},
        } | event
        if kind != "Create":
            request.setdefault("PhysicalResourceId", self.physical_ids[resource])
        sent = len(self.answers)
        with self.cloud.running_in(self.account_id):
            self.handler(request, Context(self.account_id, self.cloud.clock))
        assert len(self.answers) == sent + 1, "one request, one answer"
        answer = self.answers[-1]
        self.physical_ids[resource] = answer["PhysicalResourceId"]
        return answer


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the machine's own AWS configuration."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    made_up = {
        "AWS_ACCESS_KEY_ID": "made",
        "AWS_SECRET_ACCESS_KEY": "up",
        "AWS_SESSION_TOKEN": "too",
        "AWS_REGION": HOME,
        "AWS_DEFAULT_REGION": HOME,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
    for name, value in made_up.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    with mock_aws():
        cloud = Cloud(monkeypatch)
        monkeypatch.setattr(waiting, "sleep", cloud.clock.advance)
        with installed(cloud.models):
            cloud.add_account(NETWORKING)
            yield cloud


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Every answer that crhelper sends, as it goes over the wire."""
    sent: list[dict[str, Any]] = []

    class Connection:
        def __init__(self, host: str, **_: Any) -> None:
            assert host == "answers.example"

        def request(self, method: str, url: str, body: str, headers: dict[str, str]) -> None:
            assert (method, url, headers["content-type"]) == ("PUT", "/presigned", "")
            assert len(body) <= 4096
            sent.append(json.loads(body))

        def getresponse(self) -> Any:
            return type("Response", (), {"reason": "OK"})

    monkeypatch.setattr("crhelper.utils.HTTPSConnection", Connection)
    return sent


@dataclass
class NetworkingStack:
    """The three resources of the Networking stack, in CloudFormation's order; the top-level pool is CloudFormation's."""

    cloudformation: CloudFormation
    ec2: Any
    top_pool_id: str = ""
    scope_id: str = ""

    def create(self, **changed: Any) -> dict[str, Any]:
        """Create all; the answer of InitPools."""
        properties = DEFAULTS | changed
        self.scope_id = self.cloudformation.ask("Create", "Ipam", properties)["Data"]["ScopeId"]
        self.top_pool_id = self.create_top_pool(properties["TopLevelPoolCidr"])
        return self.ask("Create", **changed)

    def create_top_pool(self, cidr: str) -> str:
        clock = self.cloudformation.cloud.clock
        pool = self.ec2.create_ipam_pool(IpamScopeId=self.scope_id, AddressFamily="ipv4")["IpamPool"]
        clock.advance(MINUTE)
        self.ec2.provision_ipam_pool_cidr(IpamPoolId=pool["IpamPoolId"], Cidr=cidr)
        clock.advance(MINUTE)
        return str(pool["IpamPoolId"])

    def ask(self, kind: str, **changed: Any) -> dict[str, Any]:
        """One request for InitPools."""
        event = changed.pop("event", {})
        where = {"ScopeId": self.scope_id, "TopLevelPoolId": self.top_pool_id}
        return self.cloudformation.ask(kind, "InitPools", where | DEFAULTS | changed, **event)

    def pools(self) -> dict[str, str]:
        """Name tag and CIDRs of every pool below the top-level pool, whoever made it."""
        found = {}
        for page in self.ec2.get_paginator("describe_ipam_pools").paginate():
            for pool in page["IpamPools"]:
                if pool["IpamPoolId"] == self.top_pool_id or pool["State"] == "delete-complete":
                    continue
                name = next((tag["Value"] for tag in pool["Tags"] if tag["Key"] == "Name"), pool["IpamPoolId"])
                assert name not in found, f"two pools of one name: {name}"
                found[name] = self.cidrs(pool["IpamPoolId"])
        return found

    def cidrs(self, pool_id: str) -> str:
        pages = self.ec2.get_paginator("get_ipam_pool_cidrs").paginate(IpamPoolId=pool_id)
        return ",".join(
            row["Cidr"] for page in pages for row in page["IpamPoolCidrs"] if row["State"] != "deprovisioned"
        )


@pytest.fixture
def networking(cloud: Cloud, answers: list[dict[str, Any]]) -> NetworkingStack:
    """The Networking account, before its stack is created."""
    stack_id = f"arn:aws:cloudformation:{HOME}:{NETWORKING}:stack/StackSet-ipam/11111111-2222-3333-4444-555555555555"
    handler = load("ipam-pool-lambda").lambda_handler
    cloudformation = CloudFormation(cloud, NETWORKING, handler, stack_id, answers)
    return NetworkingStack(cloudformation, cloud.client("ec2", NETWORKING))
