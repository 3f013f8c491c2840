"""The fixtures of tests that run handlers in this process, and pools that are already built."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from in_process.fixtures import *  # noqa: F403
from landing_zone.direct_stack import BUILT, PROPERTIES, DirectStack


@pytest.fixture
def built() -> Iterator[DirectStack]:
    """Return a stack whose pools are those of PROPERTIES. No calls are counted yet."""
    stack = DirectStack()
    stack.set_up()
    with stack.running():
        assert stack.ask("Create", "InitPools", PROPERTIES)["Status"] == "SUCCESS"
        assert stack.pools() == BUILT
        stack.wire.counted.clear()
        yield stack
