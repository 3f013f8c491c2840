"""For every test: no settings of the user, the same examples each time, and no work twice with the same result."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import _pytest.mark.expression
import pytest
from hypothesis import given, settings
from hypothesis.strategies import just

from in_process import quick_clients
from landing_zone.engine import Engine, Preloaded
from landing_zone.isolation import isolate

isolate()
gc.disable()

# No time limit: a busy machine could miss it.
settings.register_profile("project", derandomize=True, deadline=None, database=None)
settings.load_profile("project")

quick_clients.install()


@pytest.fixture(scope="session", autouse=True)
def preloaded_engines() -> Iterator[None]:
    """Start engines in half the time. What test_demo types starts its own as a shell does."""
    with Preloaded() as Engine.preloaded:
        yield


def pytest_configure(config: pytest.Config) -> None:
    """Refuse an invalid -k, which pytest-xdist would report as an internal error of pytest."""
    try:
        _pytest.mark.expression.Expression.compile(config.option.keyword)
    except SyntaxError as error:
        raise pytest.UsageError(
            f"{config.option.keyword!r} selects no tests: {error}; give names joined by and, or, not."
        ) from None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Spread the files that deploy, which often wait, over the first two thirds: others compute meanwhile."""
    files: dict[Path, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.path, []).append(item)
    deploying = [path for path in files if path.parent.name == "end_to_end"]
    order = [path for path in files if path not in deploying]
    step = len(order) * 2 // 3 // max(len(deploying), 1)
    for place, path in enumerate(sorted(deploying, key=lambda path: len(files[path]), reverse=True)):
        order.insert(place * (step + 1), path)
    items[:] = [item for path in order for item in files[path]]


@settings(max_examples=1)
@given(just(None))
def first_example(_: None) -> None:
    """Let Hypothesis begin. It asks the collector of garbage who holds its random numbers."""


def pytest_collection_finish() -> None:
    """Let the collector of garbage look only at what the tests leave, and not again at all that was imported."""
    first_example()
    gc.freeze()
    gc.set_threshold(100_000)  # a collection for each 700 new objects, as usual, takes a fifth of the tests' time
    gc.enable()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Let a worker of pytest-xdist end: pytest would collect twice what its tests have left, which takes two seconds,
    and nobody would hear what it complains of. Without workers, pytest fails for what the tests have not closed."""
    if hasattr(session.config, "workerinput"):
        gc.freeze()
