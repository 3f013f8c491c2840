"""The real templates and zips, deployed with the real AWS CLI to an engine that enforces IAM."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from landing_zone import deployment
from landing_zone.cli import AwsCli, preloaded
from landing_zone.company import MANAGEMENT, ORGANIZATIONAL_UNITS
from landing_zone.engine import Engine
from landing_zone.fork_server import ForkServer

SPEED = 200


@pytest.fixture(scope="session")
def address() -> Iterator[str]:
    """Return the address at which others start the AWS CLI faster. A socket's path must be short."""
    with tempfile.TemporaryDirectory() as folder:
        yield str(Path(folder, "aws"))


@pytest.fixture(scope="session")
def server(address: str) -> Iterator[ForkServer]:
    with preloaded(address) as server:
        yield server


@pytest.fixture(scope="module")
def fast_cli(server: ForkServer) -> Iterator[None]:
    """Start the AWS CLI faster. What test_demo types starts it as a shell does."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(AwsCli, "server", server)
        yield


@pytest.fixture(scope="module")
def uploaded(fast_cli: None) -> Iterator[Engine]:
    """Return a landing zone with everything uploaded and nothing deployed."""
    with Engine.start(speed=SPEED) as engine:
        engine.set_up(MANAGEMENT, ORGANIZATIONAL_UNITS)
        deployment.upload(AwsCli(engine, MANAGEMENT))
        yield engine


@pytest.fixture(scope="module")
def deployed(uploaded: Engine) -> Engine:
    """Deploy the solution with the defaults."""
    status = deployment.apply(uploaded, "create-stack")
    assert status == "CREATE_COMPLETE", deployment.failures(uploaded)
    return uploaded
