"""Creates all sessions and clients."""

from __future__ import annotations

import functools
import gc
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self

import boto3
from botocore.config import Config

from ctipam.errors import WHERE, where_it_happened

if TYPE_CHECKING:
    from types_boto3_cloudformation.client import CloudFormationClient
    from types_boto3_controltower.client import ControlTowerClient
    from types_boto3_ec2.client import EC2Client
    from types_boto3_iam.client import IAMClient
    from types_boto3_lambda.client import LambdaClient
    from types_boto3_organizations.client import OrganizationsClient
    from types_boto3_ram.client import RAMClient
    from types_boto3_sns.client import SNSClient
    from types_boto3_sts.type_defs import CredentialsTypeDef

CONFIG = Config(
    # Throttling and 5xx answers, with jitter. https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html
    retries={"mode": "standard", "max_attempts": 8},
    connect_timeout=5,
    read_timeout=15,
    max_pool_connections=40,  # as many as there are threads that call; more would make a connection for each call
)


_ONE_AT_A_TIME = threading.Lock()
"""For the creation of clients: a session is not thread-safe, a client is."""


class Account:
    """An account in a Region, and clients for it. A client is created once for each service and Region."""

    _config = CONFIG

    def __init__(
        self, session: boto3.Session, account_id: str, credentials: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """credentials   of another account than the session's, as `boto3.Session.client` takes them"""
        self.account_id = account_id
        self._session = session
        self._credentials = credentials
        self._cached = functools.cache(self._make_client)

    def _client(self, service: str, region: str) -> Any:
        with _ONE_AT_A_TIME:
            return self._cached(service, region)

    def _make_client(self, service: str, region: str) -> Any:
        with _without_garbage_collection():
            client: Any = self._session.client(  # type: ignore[call-overload]
                service, region_name=region, config=self._config, **self._credentials
            )
        client.meta.events.register(
            "after-call", functools.partial(_say_where, where_it_happened(region, self.account_id))
        )
        return client

    @property
    def region(self) -> str:
        """The home Region: that of the function, of Control Tower and of IPAM."""
        return self._session.region_name

    @property
    def partition(self) -> str:
        return self._session.get_partition_for_region(self.region)

    def known_regions(self) -> set[str]:
        """Return the Regions of this partition that this boto3 knows, enabled or not."""
        return set(self._session.get_available_regions("ec2", self.partition))

    def ec2(self, region: str | None = None) -> EC2Client:
        """Return a client for a Region; without one, for the home Region, where IPAM is administered."""
        return self._client("ec2", region or self.region)  # type: ignore[no-any-return]

    def ram(self) -> RAMClient:
        return self._client("ram", self.region)  # type: ignore[no-any-return]

    def lambda_client(self) -> LambdaClient:
        return self._client("lambda", self.region)  # type: ignore[no-any-return]

    def cloudformation(self) -> CloudFormationClient:
        return self._client("cloudformation", self.region)  # type: ignore[no-any-return]

    def ssm(self) -> Any:
        return self._client("ssm", self.region)

    def logs(self) -> Any:
        return self._client("logs", self.region)

    def sns(self) -> SNSClient:
        return self._client("sns", self.region)  # type: ignore[no-any-return]

    def control_tower(self) -> ControlTowerClient:
        return self._client("controltower", self.region)  # type: ignore[no-any-return]

    def iam(self) -> IAMClient:
        return self._client("iam", self.region)  # type: ignore[no-any-return]

    def organizations(self) -> OrganizationsClient:
        return self._client("organizations", self.region)  # type: ignore[no-any-return]

    def assume(self, role_arn: str, session_name: str, policy: dict[str, Any]) -> Self:
        """Return the account of a role, limited to a session policy. Raises ClientError."""
        credentials = self.credentials_of(role_arn, session_name, policy)
        # In the same session, which has read the description of a service once; EC2's takes longer than a call.
        return type(self)(
            self._session,
            role_arn.split(":")[4],
            {
                "aws_access_key_id": credentials["AccessKeyId"],
                "aws_secret_access_key": credentials["SecretAccessKey"],
                "aws_session_token": credentials["SessionToken"],
            },
        )

    def credentials_of(self, role_arn: str, session_name: str, policy: dict[str, Any]) -> CredentialsTypeDef:
        """Return credentials for a session in a role. Raises ClientError.

        session_name   at most 64 characters of [\\w+=,.@-], which CloudTrail shows
        policy         limits what the session may do; at most 2048 characters as JSON
        Source         https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
        """
        answer: dict[str, CredentialsTypeDef] = self._client("sts", self.region).assume_role(
            RoleArn=role_arn, RoleSessionName=session_name, Policy=json.dumps(policy, separators=(",", ":"))
        )
        return answer["Credentials"]


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Collect no garbage meanwhile. The description of EC2 becomes some 50,000 objects, which all stay: to look for
    garbage among them, again and again while they are made, takes a quarter of the time.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _say_where(where: dict[str, str], parsed: dict[str, Any], **_: Any) -> None:
    """Add to an error answer where it happened, for `errors.explain`. A ClientError's response is the parsed answer."""
    if "Error" in parsed:
        parsed[WHERE] = where


@functools.cache
def current_account(account_id: str) -> Account:
    """Return the account and Region that this function runs in, with its own role. Clients serve all invocations."""
    return Account(boto3.Session(), account_id)
