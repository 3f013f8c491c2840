"""Calls of boto3 that cost little, for tests that make very many with the same clients."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from ctipam import sessions
from in_process.aws_calls import Call, intercepting


@contextmanager
def quick_calls() -> Iterator[None]:
    """Let all services but the models answer as they did when they were asked the first time.

    For accounts, OUs and roles that do not change, which are assumed once.
    """
    known: dict[str, Any] = {}

    def answer(call: Call, client: Any, operation: str, parameters: Any) -> Any:
        service = client.meta.service_model.service_name
        if service in ("ec2", "ram", "cloudformation"):
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

    with (
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
