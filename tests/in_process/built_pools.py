"""Fixtures: a stack whose pools are already built."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from in_process.played_once import played_once
from landing_zone.direct_stack import BUILT, PROPERTIES, DirectStack


@played_once
def _built() -> DirectStack:
    stack = DirectStack()
    stack.set_up()
    with stack.running():
        assert stack.ask("Create", "InitPools", PROPERTIES)["Status"] == "SUCCESS"
        assert stack.pools() == BUILT
    stack.wire.counted.clear()
    return stack


@pytest.fixture
def built() -> Iterator[DirectStack]:
    """Return a stack whose pools are those of PROPERTIES. No calls are counted yet."""
    with _built().running() as stack:
        yield stack


@pytest.fixture
def idle(built: DirectStack) -> DirectStack:
    """Return a stack with pools, of which no operation is in progress."""
    built.end_operation()
    return built
