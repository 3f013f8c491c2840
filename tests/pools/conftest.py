"""The fixtures of tests that run handlers in this process, and of tests that count comparisons."""

from __future__ import annotations

from ipaddress import IPv4Network

import pytest

from in_process.built_pools import built, idle  # noqa: F401
from in_process.fixtures import *  # noqa: F403


@pytest.fixture
def comparisons(monkeypatch: pytest.MonkeyPatch) -> list[tuple[IPv4Network, IPv4Network]]:
    """Return a list of the networks that have been compared with each other, which grows."""
    compare = IPv4Network.overlaps
    found: list[tuple[IPv4Network, IPv4Network]] = []

    def noted(one: IPv4Network, other: IPv4Network) -> bool:
        found.append((one, other))
        return compare(one, other)

    monkeypatch.setattr(IPv4Network, "overlaps", noted)
    return found
