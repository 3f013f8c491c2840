"""Runs the Lambda handlers in this process, on moto and the models of the landing zone.

The clock advances only while a handler waits.
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.organizations.models import organizations_backends
from moto.sns.models import sns_backends

from aws_models.clock import ManualClock
from aws_models.models import Models
from aws_models.organization import Organization
from ctipam import names, sessions, waiting
from ctipam.cloudformation import custom_resource
from in_process import without_http
from in_process.aws_calls import Call, intercept
from in_process.lifecycle_events import ONE, ZERO
from landing_zone.direct_stack import Context, import_index
from landing_zone.on_moto import installed

HOME = "us-east-1"
MANAGEMENT, NETWORKING = DEFAULT_ACCOUNT_ID, "222222222222"
STACK_ID = f"arn:aws:cloudformation:{HOME}:{MANAGEMENT}:stack/ipam/11111111-2222-3333-4444-555555555555"
NETWORKING_STACK_ID = (
    f"arn:aws:cloudformation:{HOME}:{NETWORKING}:stack/StackSet-ipam/11111111-2222-3333-4444-555555555555"
)
MINUTE = 60.0

DEFAULTS: dict[str, Any] = {
    "TopLevelPoolCidr": "192.168.0.0/16",
    "RegionSelection": ["us-west-2", "us-east-1"],
    "IpamPoolPrefixLength": "20",
    "AccEnvName": ["Prod OU", "SDLC OU"],
    "AccPoolPrefixLength": "21",
}


CREDENTIALS = {"aws_access_key_id": "made", "aws_secret_access_key": "up", "aws_session_token": "too"}
"""Of the management account. No other account has any before a role is assumed."""


@functools.cache
def of_management(service: str, region: str = HOME) -> Any:
    """Return the management account's client, one for all tests: to make it takes longer than most calls."""
    make: Any = boto3.client
    return make(service, region, **CREDENTIALS)


@functools.cache
def load(folder: str) -> Any:
    """Return folder/index.py as in one execution environment, which serves the next invocation too."""
    return import_index(folder)


class Cloud:
    """An organization in moto, with accounts whose ids the test chooses."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self.clock = ManualClock()
        self.management, self.networking = MANAGEMENT, NETWORKING
        self.models = Models(self.clock, Organization(MANAGEMENT, self._members))
        self.models.organization.path_of = self._path_of
        self.stacks: dict[str, dict[str, Any]] = {}  # id -> the stack that DescribeStacks returns
        self.in_progress: dict[str, str] = {}  # id -> the status that a request for a complete stack implies
        self.over_http = False  # as on AWS, with botocore's retries
        self._credentials = functools.cache(self._assume)
        self.client = functools.cache(self._make_client)
        intercept(monkeypatch, self._answer)
        self.organizations = of_management("organizations")
        self.organizations.create_organization(FeatureSet="ALL")
        self.root = self.organizations.list_roots()["Roots"][0]["Id"]

    def _answer(self, call: Call, client: Any, operation: str, parameters: Any) -> Any:
        """Answer DescribeStacks from self.stacks. The CloudFormation of moto needs packages that are not installed."""
        if operation == "DescribeStacks":
            return {"Stacks": [self._describe_stack(parameters["StackName"])]}
        answer = None if self.over_http else without_http.ask(self.models, client, operation, parameters)
        return call(client, operation, parameters) if answer is None else answer

    def _describe_stack(self, stack_id: str) -> dict[str, Any]:
        if stack_id not in self.stacks:
            message = f"Stack with id {stack_id} does not exist"
            raise ClientError({"Error": {"Code": "ValidationError", "Message": message}}, "DescribeStacks")
        stack = {"StackId": stack_id, "Tags": []} | self.stacks[stack_id]
        if stack_id in self.in_progress and stack["StackStatus"].endswith("_COMPLETE"):
            stack["StackStatus"] = self.in_progress[stack_id]
        return stack

    def set_parameters(self, stack_id: str, properties: dict[str, Any]) -> None:
        """Let DescribeStacks answer these parameters. A list is text there."""
        texts = {key: ",".join(value) if isinstance(value, list) else value for key, value in properties.items()}
        listed = [{"ParameterKey": key, "ParameterValue": value} for key, value in texts.items()]
        self.stacks[stack_id]["Parameters"] = listed

    def _members(self) -> set[str]:
        return {account.id for account in organizations_backends[MANAGEMENT]["aws"].accounts}

    def _path_of(self, account_id: str) -> str:
        backend = organizations_backends[MANAGEMENT]["aws"]
        things: list[Any] = [*backend.accounts, *backend.ou]
        parents = {one.id: one.parent_id for one in things if one.id != self.root}
        path, step = "", parents.get(account_id)
        while step:
            path, step = f"{step}/{path}", parents.get(step)
        return f"{self.models.organization.organization_id}/{path}"

    def add_ou(self, name: str, parent: str = "") -> str:
        unit = self.organizations.create_organizational_unit(ParentId=parent or self.root, Name=name)
        return str(unit["OrganizationalUnit"]["Id"])

    def rename(self, ou_id: str, name: str) -> None:
        self.organizations.update_organizational_unit(OrganizationalUnitId=ou_id, Name=name)

    def remove_ou(self, ou_id: str) -> None:
        self.organizations.delete_organizational_unit(OrganizationalUnitId=ou_id)

    def add_account(self, account_id: str, ou_id: str = "") -> None:
        with self._monkeypatch.context() as patch:
            patch.setattr("moto.organizations.utils.make_random_account_id", lambda: account_id)
            self.organizations.create_account(AccountName=account_id, Email=f"{account_id}@example.com")
        if ou_id:
            self.organizations.move_account(AccountId=account_id, SourceParentId=self.root, DestinationParentId=ou_id)

    def move(self, account_id: str, to: str) -> None:
        pages = self.organizations.get_paginator("list_parents").paginate(ChildId=account_id)
        source = pages.build_full_result()["Parents"][0]["Id"]
        self.organizations.move_account(AccountId=account_id, SourceParentId=source, DestinationParentId=to)

    def set_ram_timings(self, **seconds: float) -> None:
        self.models.ram._timings = replace(self.models.ram._timings, **seconds)

    def end(self, name: str, account_id: str) -> None:
        """Close an account, or remove it from the organization. name is the name of the action."""
        if name == "CloseAccount":
            self.organizations.close_account(AccountId=account_id)
        else:  # moto's own removal forgets which organization the account was in
            accounts = organizations_backends[MANAGEMENT]["aws"].accounts
            accounts[:] = [account for account in accounts if account.id != account_id]

    def _make_client(self, service: str, account_id: str, region: str = HOME) -> Any:
        if account_id == MANAGEMENT:
            return of_management(service, region)
        make: Any = boto3.client
        return make(service, region, **self._credentials(account_id))

    @contextmanager
    def running_in(self, account_id: str) -> Iterator[None]:
        """Give boto3's default session the credentials of the account, as in its functions."""
        with self._monkeypatch.context() as patch:
            for name, value in self._credentials(account_id).items():
                patch.setenv(name.upper(), value)
            yield

    def _assume(self, account_id: str) -> dict[str, str]:
        if account_id == MANAGEMENT:
            return CREDENTIALS
        role = f"arn:aws:iam::{account_id}:role/AWSControlTowerExecution"
        credentials = self.client("sts", MANAGEMENT).assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
        return {
            "aws_access_key_id": credentials["AccessKeyId"],
            "aws_secret_access_key": credentials["SecretAccessKey"],
            "aws_session_token": credentials["SessionToken"],
        }


@dataclass
class CloudFormation:
    """Sends requests to a handler as CloudFormation does, and reads the responses that crhelper sends."""

    cloud: Cloud
    account_id: str
    handler: Any
    stack_id: str
    answers: list[dict[str, Any]]
    requests: int = 0
    physical_ids: dict[str, str] = field(default_factory=dict)

    def ask(self, kind: str, resource: str, properties: dict[str, Any], **event: Any) -> dict[str, Any]:
        """Send a request for Custom::<resource> and return the response. Each has a new id, unless event has an id."""
        sent = len(self.answers)
        self.send(self.request(kind, resource, properties, **event))
        assert len(self.answers) == sent + 1, "a request needs exactly one response"
        answer = self.answers[-1]
        self.physical_ids[resource] = answer["PhysicalResourceId"]
        return answer

    def request(self, kind: str, resource: str, properties: dict[str, Any], **event: Any) -> dict[str, Any]:
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
        return request

    def send(self, request: dict[str, Any]) -> None:
        """Send a request. For a Create or Update, a stack that is complete is in progress until the handler returns."""
        self.cloud.stacks.setdefault(self.stack_id, {"StackStatus": "CREATE_COMPLETE"})
        if request["RequestType"] != "Delete":
            self.cloud.in_progress[self.stack_id] = f"{request['RequestType'].upper()}_IN_PROGRESS"
            self.cloud.set_parameters(self.stack_id, request["ResourceProperties"])
        with self.cloud.running_in(self.account_id):
            self.handler(request, Context(self.cloud.clock, self.account_id))
        self.cloud.in_progress.pop(self.stack_id, None)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(monkeypatch)


def set_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the AWS configuration of this machine with made-up credentials."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    made_up = {
        **{name.upper(): value for name, value in CREDENTIALS.items()},
        "AWS_REGION": HOME,
        "AWS_DEFAULT_REGION": HOME,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
    for name, value in made_up.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    with running_cloud(monkeypatch) as cloud:
        yield cloud


@contextmanager
def running_cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """Run an organization with the Networking account. The clock advances only while a handler waits."""
    sessions.current_account.cache_clear()
    with mock_aws():
        cloud = Cloud(monkeypatch)
        monkeypatch.setattr(waiting, "sleep", cloud.clock.advance)
        monkeypatch.setattr(waiting, "now", cloud.clock.now)
        with installed(cloud.models):
            cloud.add_account(NETWORKING)
            yield cloud


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    return recorded_answers(monkeypatch)


def recorded_answers(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Return the list of all responses that crhelper sends from now on."""
    sent: list[dict[str, Any]] = []

    class Connection:
        def __init__(self, host: str, **_: Any) -> None:
            assert host == "answers.example"

        def request(self, method: str, url: str, body: bytes, headers: dict[str, str]) -> None:
            assert (method, url, headers["content-type"]) == ("PUT", "/presigned", "")
            assert len(body) <= 4096
            sent.append(json.loads(body))

        def getresponse(self) -> Any:
            return type("Response", (), {"reason": "OK", "status": 200})

    monkeypatch.setattr(custom_resource, "HTTPSConnection", Connection)
    return sent


@dataclass
class NetworkingStack:
    """The custom resources of the Networking stack, in CloudFormation's order."""

    cloudformation: CloudFormation
    ec2: Any
    top_pool_id: str = ""
    scope_id: str = ""

    def create(self, **changed: Any) -> dict[str, Any]:
        """Create all resources and return the response for InitPools."""
        properties = DEFAULTS | changed
        self.scope_id = self.cloudformation.ask("Create", "Ipam", properties)["Data"]["ScopeId"]
        answer = self.ask("Create", **changed)
        self.top_pool_id = answer.get("Data", {}).get("TopLevelPoolId", "")
        return answer

    def ask(self, kind: str, **changed: Any) -> dict[str, Any]:
        """Send a request for InitPools and return the response."""
        event = changed.pop("event", {})
        scope = {"ScopeId": self.scope_id}
        return self.cloudformation.ask(kind, "InitPools", scope | DEFAULTS | changed, **event)

    def pools(self) -> dict[str, str]:
        """Return the CIDRs of each pool below the top-level pool by its Name tag."""
        found = {}
        for page in self.ec2.get_paginator("describe_ipam_pools").paginate():
            for pool in page["IpamPools"]:
                if pool["IpamPoolId"] == self.top_pool_id or pool["State"] == "delete-complete":
                    continue
                name = next((tag["Value"] for tag in pool["Tags"] if tag["Key"] == "Name"), pool["IpamPoolId"])
                assert name not in found, f"two pools have the name {name}"
                found[name] = self.cidrs(pool["IpamPoolId"])
        return found

    def cidrs(self, pool_id: str) -> str:
        pages = self.ec2.get_paginator("get_ipam_pool_cidrs").paginate(IpamPoolId=pool_id)
        return ",".join(
            row["Cidr"] for page in pages for row in page["IpamPoolCidrs"] if row["State"] != "deprovisioned"
        )


@pytest.fixture
def networking(cloud: Cloud, answers: list[dict[str, Any]]) -> NetworkingStack:
    """Return the Networking stack before its creation."""
    handler = load("ipam-pool-lambda").lambda_handler
    cloudformation = CloudFormation(cloud, NETWORKING, handler, NETWORKING_STACK_ID, answers)
    return NetworkingStack(cloudformation, cloud.client("ec2", NETWORKING))


class LandingZone:
    """A landing zone with pools and the functions of the management account."""

    def __init__(self, cloud: Cloud, answers: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
        self.cloud = cloud
        self.clock = cloud.clock
        self._monkeypatch = monkeypatch
        self.index = load("ct-integration-lambda")
        self.networking_ec2 = cloud.client("ec2", NETWORKING)
        self.networking_ram = cloud.client("ram", NETWORKING)
        self.stack: dict[str, Any] = {"StackStatus": "CREATE_COMPLETE", "CreationTime": datetime.now(UTC)}
        cloud.stacks[STACK_ID] = self.stack
        self.set_environment(NETWORK_ACCOUNT_ID=NETWORKING, STACK_ID=STACK_ID)
        topic = sns_backends[MANAGEMENT][HOME].create_topic("alarms").arn
        of_management("ssm").put_parameter(Name="notices", Type="String", Value="none")
        self.set_environment(TOPIC_ARN=topic, NOTICES_PARAMETER="notices")
        of_management("ec2").enable_ipam_organization_admin_account(DelegatedAdminAccountId=NETWORKING)
        of_management("ram").enable_sharing_with_aws_organization()
        self.scope_id = ""
        self._cloudformation = CloudFormation(cloud, MANAGEMENT, self._handle, STACK_ID, answers)

    def set_environment(self, **variables: str) -> None:
        for name, value in variables.items():
            self._monkeypatch.setenv(name, value)

    def add_pools(self, *environments: str, regions: tuple[str, ...] = ("us-west-2", "us-east-1")) -> None:
        """Create environment pools as the Networking stack does, with the parts that sharing reads."""
        if not self.scope_id:
            ipam = self.networking_ec2.create_ipam(
                OperatingRegions=[{"RegionName": region} for region in ("us-west-2", "us-east-1", "eu-west-1")]
            )["Ipam"]
            self.clock.advance(MINUTE)
            self.scope_id = ipam["PrivateDefaultScopeId"]
        for environment in environments:
            for region in regions:
                self._add_pool(environment, region)
        self.clock.advance(MINUTE)

    def _add_pool(self, environment: str, region: str) -> str:
        tags = {
            "Name": f"{region} {environment}",
            names.STACK_TAG: NETWORKING_STACK_ID,
            names.REGION_TAG: region,
            names.POOL_ENVIRONMENT_TAG: environment,
        }
        pool = self.networking_ec2.create_ipam_pool(
            IpamScopeId=self.scope_id,
            AddressFamily="ipv4",
            Locale=region,
            AllocationResourceTags=[{"Key": "Env", "Value": environment}],
            TagSpecifications=[
                {"ResourceType": "ipam-pool", "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}
            ],
        )["IpamPool"]
        self.clock.advance(MINUTE)
        return str(pool["IpamPoolId"])

    def pool_arns(self) -> dict[str, str]:
        """Return the ARN of each pool by its Name tag."""
        pages = self.networking_ec2.get_paginator("describe_ipam_pools").paginate()
        return {
            next(tag["Value"] for tag in pool["Tags"] if tag["Key"] == "Name"): pool["IpamPoolArn"]
            for page in pages
            for pool in page["IpamPools"]
        }

    def invoke(self, event: object, **context: Any) -> dict[str, Any]:
        """Invoke the lifecycle function as Lambda does, and return its response."""
        with self.cloud.running_in(MANAGEMENT):
            answer: dict[str, Any] = self.index.lambda_handler(
                json.loads(json.dumps(event)), Context(self.clock, MANAGEMENT, **context)
            )
        return json.loads(json.dumps(answer))  # type: ignore[no-any-return]  # the response is valid JSON

    def told(self) -> list[str]:
        """Return the messages that the topic has received."""
        return [message[1] for message in next(iter(sns_backends[MANAGEMENT][HOME].topics.values())).sent_notifications]

    def remember_ous(self, ou_ids: dict[str, str]) -> None:
        """Write the id of its OU on the pools of each environment, as the creation of the stack does."""
        for name, arn in self.pool_arns().items():
            tags = [{"Key": names.OU_TAG, "Value": ou_ids[name.partition(" ")[2]]}]
            self.networking_ec2.create_tags(Resources=[arn.rpartition("/")[2]], Tags=tags)

    def ou_ids_on_pools(self) -> dict[str, str]:
        """Return the id of an OU that each pool carries, by the pool's name; empty if it carries none."""
        pages = self.networking_ec2.get_paginator("describe_ipam_pools").paginate()
        tags = [{tag["Key"]: tag["Value"] for tag in pool["Tags"]} for page in pages for pool in page["IpamPools"]]
        return {of_pool["Name"]: of_pool.get(names.OU_TAG, "") for of_pool in tags}

    def ask(self, kind: str, resource: str = "ShareExistingAccounts", **properties: Any) -> dict[str, Any]:
        """Send a request of CloudFormation and return the response."""
        return self._cloudformation.ask(kind, resource, {"NetworkAccountId": NETWORKING} | properties)

    def is_left_unanswered(self) -> bool:
        """Send a Create that CloudFormation no longer waits for, and return whether the handler sends no response."""
        sent = len(self._cloudformation.answers)
        properties = {"NetworkAccountId": NETWORKING}
        self._cloudformation.send(self._cloudformation.request("Create", "ShareExistingAccounts", properties))
        return len(self._cloudformation.answers) == sent

    def _handle(self, event: dict[str, Any], context: Any) -> None:
        resources = {
            "Custom::OrganizationSetup": self.index.organization_setup,
            "Custom::ShareExistingAccounts": self.index.share_existing_accounts,
        }
        resources[event["ResourceType"]](event, context)

    def live_shares(self) -> list[dict[str, Any]]:
        pages = self.networking_ram.get_paginator("get_resource_shares").paginate(resourceOwner="SELF")
        rows = [share for page in pages for share in page["resourceShares"]]
        return [share for share in rows if share["status"] not in ("DELETING", "DELETED")]

    def make_creating_shares_slow(self, seconds: float) -> None:
        """Let that much time pass for each share that is created from now on."""

        def pause(action: str, _params: Any) -> None:
            if action == "CreateResourceShare":
                self.clock.advance(seconds)

        self.before_ram_calls(pause)

    def before_ram_calls(self, act: Callable[[str, Any], None]) -> None:
        """Have this done before each call of RAM from now on, with its action and parameters. RAM answers what it
        raises."""
        ram = self.cloud.models.ram
        call_model = ram.call

        def call(action: str, params: Any, caller: Any) -> Any:
            act(action, params)
            return call_model(action, params, caller)

        self._monkeypatch.setattr(ram, "call", call)

    def shared(self) -> dict[str, list[str]]:
        """Wait until AWS is done, and return the names of the associated pools by the name of the share."""
        self.clock.advance(MINUTE)
        return self.shared_now()

    def shared_now(self) -> dict[str, list[str]]:
        """Return the names of the associated pools by the name of the share. Each share must have only its account."""
        pool_names = {arn: name for name, arn in self.pool_arns().items()}
        found: dict[str, list[str]] = {}
        for share in self.live_shares():
            assert share["name"] not in found, f"two shares have the name {share['name']}"
            principals = self._associated("PRINCIPAL", share)
            assert principals == [share["name"].removeprefix("ipamShare-")], principals
            found[share["name"]] = sorted(pool_names[arn] for arn in self._associated("RESOURCE", share))
        return found

    def _associated(self, kind: str, share: dict[str, Any]) -> list[str]:
        pages = self.networking_ram.get_paginator("get_resource_share_associations").paginate(
            associationType=kind, resourceShareArns=[share["resourceShareArn"]], associationStatus="ASSOCIATED"
        )
        return [row["associatedEntity"] for page in pages for row in page["resourceShareAssociations"]]


@pytest.fixture
def landing_zone(cloud: Cloud, answers: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> LandingZone:
    """Return a landing zone with pools for Prod OU and SDLC OU in two Regions, and no shares."""
    landing_zone = LandingZone(cloud, answers, monkeypatch)
    landing_zone.add_pools("Prod OU", "SDLC OU")
    return landing_zone


@pytest.fixture
def ous(landing_zone: LandingZone) -> dict[str, str]:
    """Return the ids of the OUs by name. ZERO is in Prod OU, ONE in SDLC OU."""
    cloud = landing_zone.cloud
    ous = {name: cloud.add_ou(name) for name in ("Prod OU", "SDLC OU")}
    cloud.add_account(ZERO, ous["Prod OU"])
    cloud.add_account(ONE, ous["SDLC OU"])
    return ous


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the list of all calls from now on, for example "ram:CreateResourceShare". A retry of boto3 adds none."""
    recorded: list[str] = []

    def record(call: Call, client: Any, operation: str, parameters: Any) -> Any:
        recorded.append(f"{client.meta.service_model.service_name}:{operation}")
        return call(client, operation, parameters)

    intercept(monkeypatch, record)
    return recorded


@pytest.fixture
def refuse_calls(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Return a function that makes each call of an action fail with an error code, for services without faults."""

    def refuse(refused: str, code: str) -> None:
        def answer(call: Call, client: Any, operation: str, parameters: Any) -> Any:
            if operation == refused:
                raise ClientError({"Error": {"Code": code, "Message": "made up"}}, operation)
            return call(client, operation, parameters)

        intercept(monkeypatch, answer)

    return refuse


@pytest.fixture
def continuations(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Return the list of the events that functions send to themselves. moto would run the functions in Docker."""
    payloads: list[dict[str, Any]] = []

    def record(call: Call, client: Any, operation: str, parameters: Any) -> Any:
        if operation != "Invoke":
            return call(client, operation, parameters)
        assert parameters["InvocationType"] == "Event"
        payloads.append(json.loads(parameters["Payload"]))
        return {"StatusCode": 202}

    intercept(monkeypatch, record)
    return payloads
