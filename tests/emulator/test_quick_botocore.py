"""Connections that clients share."""

from __future__ import annotations

import os
from typing import Any

import pytest

from landing_zone import quick_botocore
from landing_zone.quick_botocore import HttpSession


def test_clients_of_the_same_settings_share_connections_but_never_with_a_copy_of_their_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two processes that write to one connection read each other's answers."""
    made: list[Any] = []

    class Session:
        def __init__(self, **settings: Any) -> None:
            made.append(settings)

        def send(self, request: Any) -> Any:
            return request

    monkeypatch.setattr(quick_botocore, "URLLib3Session", Session)
    monkeypatch.setattr(HttpSession, "_made", {})
    clients = [HttpSession(timeout=1), HttpSession(timeout=1), HttpSession(timeout=60)]
    assert made == [], "none before the first request"

    assert [client.send("request") for client in clients] == ["request"] * 3
    assert made == [{"timeout": 1}, {"timeout": 60}]

    monkeypatch.setattr(os, "getpid", lambda: -1)
    assert [client.send("request") for client in clients] == ["request"] * 3
    assert made == [{"timeout": 1}, {"timeout": 60}] * 2
