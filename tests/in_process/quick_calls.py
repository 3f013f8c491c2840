"""Calls of boto3 that cost little, for tests that make very many with the same clients."""

from __future__ import annotations

import copy
import functools
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from botocore.exceptions import ClientError
from moto.iam.models import get_account_id_from

from aws_models.errors import AwsError
from aws_models.organization import Caller
from ctipam import sessions
from in_process.aws_calls import Call, intercepting
from in_process.fixtures import Cloud


@contextmanager
def quick_calls(cloud: Cloud) -> Iterator[None]:
    """Let the models answer without HTTP, and all other services as they did when they were asked the first time.

    For accounts, OUs and roles that do not change. Clients are created once.
    """
    known: dict[str, Any] = {}

    def answer(call: Call, client: Any, operation: str, parameters: Any) -> Any:
        service = client.meta.service_model.service_name
        models: dict[str, Any] = {"ec2": cloud.models.ipam, "ram": cloud.models.ram}
        model = models.get(service)
        if model and operation in model.ACTIONS:
            access_key = client._request_signer._credentials.access_key
            caller = Caller(get_account_id_from(access_key), client.meta.region_name)
            try:
                return model.call(operation, copy.deepcopy(parameters), caller)
            except AwsError as error:
                raise ClientError({"Error": {"Code": error.code, "Message": error.message}}, operation) from error
        if service == "cloudformation":
            return call(client, operation, parameters)
        question = json.dumps([service, operation, parameters], sort_keys=True)
        if question not in known:
            known[question] = call(client, operation, parameters)
        return copy.deepcopy(known[question])

    assume = sessions.Account.assume
    assumed: dict[str, sessions.Account] = {}

    def assume_once(account: sessions.Account, role_arn: str, name: str, policy: dict[str, Any]) -> sessions.Account:
        account.credentials_of(role_arn, name, policy)
        if role_arn not in assumed:
            assumed[role_arn] = assume(account, role_arn, name, policy)
        return assumed[role_arn]

    accounts = functools.cache(sessions.current_account)
    with (
        patch.object(sessions, "current_account", accounts),
        patch.object(sessions.Account, "assume", assume_once),
        intercepting(answer),
    ):
        yield


@contextmanager
def observing(before: Callable[[str], None]) -> Iterator[None]:
    """Call a function before each call, with the name of the action."""

    def observe(call: Call, client: Any, operation: str, parameters: Any) -> Any:
        before(operation)
        return call(client, operation, parameters)

    with intercepting(observe):
        yield
