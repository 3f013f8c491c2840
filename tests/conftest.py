"""For every test: no settings of the user, the same examples each time, and no work twice with the same result."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

import _pytest.mark.expression
import pytest
from hypothesis import settings

from in_process import quick_clients
from landing_zone.isolation import isolate

isolate()

# No time limit: a busy machine could miss it.
settings.register_profile("project", derandomize=True, deadline=None, database=None)
settings.load_profile("project")

quick_clients.install()


def pytest_configure(config: pytest.Config) -> None:
    """Refuse an invalid -k, which pytest-xdist would report as an internal error of pytest."""
    try:
        _pytest.mark.expression.Expression.compile(config.option.keyword)
    except SyntaxError as error:
        raise pytest.UsageError(
            f"{config.option.keyword!r} selects no tests: {error}; give names joined by and, or, not."
        ) from None


WAITING = ("test_main_job.py", "test_ways_in.py", "test_left_behind.py", "test_demo.py", "test_denied_regions.py")
"""The end-to-end tests that take longest, first the longest. They mostly wait for the clock of the engine."""

APART = 10


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the two longest files, and then let one that waits follow on every few that compute."""
    files = {path: list(tests) for path, tests in groupby(items, lambda item: item.path)}
    waiting = sorted((path for path in files if path.parent.name == "end_to_end"), key=_rank)
    order, rest = waiting[:2], waiting[2:]
    for number, path in enumerate(path for path in files if path not in waiting):
        order.append(path)
        if number % APART == 0 and rest:
            order.append(rest.pop(0))
    items[:] = [item for path in [*order, *rest] for item in files[path]]


def _rank(path: Path) -> int:
    return WAITING.index(path.name) if path.name in WAITING else len(WAITING)
