"""The fixtures of tests that run handlers in this process."""

from __future__ import annotations

import pytest

from ctipam import sessions, waiting
from ctipam.cloudformation import custom_resource
from in_process.fixtures import *  # noqa: F403
from in_process.function import Function
from landing_zone.direct import DirectAccount


@pytest.fixture
def function(monkeypatch: pytest.MonkeyPatch) -> Function:
    made = Function()
    monkeypatch.setattr(waiting, "sleep", made.clock.advance)
    monkeypatch.setattr(waiting, "now", made.clock.now)
    monkeypatch.setattr(custom_resource, "HTTPSConnection", made.cloudformation.connect)
    monkeypatch.setattr(sessions, "current_account", lambda _id: DirectAccount(made.wire, "222222222222", "us-east-1"))
    for client in ("_lambda_client", "_events_client", "_logs_client"):
        monkeypatch.setattr(made.responder, client, None)  # so that crhelper cannot make a rule or a permission
    return made
