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
    function = Function()
    monkeypatch.setattr(waiting, "sleep", function.clock.advance)
    monkeypatch.setattr(waiting, "now", function.clock.now)
    monkeypatch.setattr(custom_resource, "HTTPSConnection", function.cloudformation.connect)
    monkeypatch.setattr(
        sessions, "current_account", lambda _id: DirectAccount(function.wire, "222222222222", "us-east-1")
    )
    return function
