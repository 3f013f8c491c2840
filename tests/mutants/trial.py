"""Runs tests on mutants, each in a forked process, which has everything imported but our own modules."""

from __future__ import annotations

import gc
import os
import resource
import signal
import time
from collections.abc import Iterator, Mapping, Sequence

import pytest

from mutants import reach, source_files
from mutants.mutations import Mutant
from mutants.reach import Reach
from mutants.source_files import ROOT

TESTS = [
    str(ROOT / "tests" / name)
    for name in ("cloudformation", "organization", "ipam", "pools", "upkeep", "sharing", "commands")
]
"""The tests that run in their own process. The others deploy the zips, or test no decision."""

OPTIONS = ["--rootdir", str(ROOT), "-x", "--tb=no", "--no-header", "-p", "no:cacheprovider"]
CPU_S = 60
"""How much longer than all its tests together a mutant may compute, as one in an endless loop does."""

STUCK_S = 15
"""For how long a mutant may compute next to nothing, as one does whose threads wait for each other."""


class Only:
    """A plugin of pytest that runs only these tests, in this order."""

    def __init__(self, tests: Sequence[str]) -> None:
        self._place = {test: place for place, test in enumerate(tests)}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = sorted(
            (item for item in items if item.nodeid in self._place), key=lambda item: self._place[item.nodeid]
        )


def survey(sources: Mapping[str, str]) -> Reach:
    """Run all tests once without a mutant, and return what each reaches.

    sources   path -> source
    """
    found = Reach(reach.importers(sources))
    source_files.forget()
    with source_files.replaced({ROOT / path: reach.noting(path, source) for path, source in sources.items()}):
        if pytest.main([*OPTIONS, *TESTS], plugins=[found]):
            raise SystemExit("A test fails without any mutant.")
    source_files.forget()
    gc.collect()
    gc.freeze()  # otherwise, collections of garbage would copy all this memory to each forked process
    return found


def outcomes(mutants: Sequence[Mutant], found: Reach, workers: int) -> Iterator[tuple[Mutant, bool]]:
    """Yield each mutant, and whether it survived, as they end."""
    running: dict[int, Mutant] = {}
    waiting = [*mutants]
    while waiting or running:
        while waiting and len(running) < workers:
            mutant = waiting.pop(0)
            tests = found.of(mutant.path, mutant.statement)
            if tests:
                running[_fork(mutant, tests, sum(found.seconds[test] for test in tests))] = mutant
            else:
                yield mutant, True
        if running:
            process, status = os.wait()  # perhaps of a process that a test has left
            if process in running:
                yield running.pop(process), status == 0


def _fork(mutant: Mutant, tests: Sequence[str], seconds: float) -> int:
    if process := os.fork():
        return process
    try:
        limit = int(seconds) + CPU_S + int(sum(os.times()[:2]))
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
        _end_when_stuck()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        os._exit(run(mutant, tests))
    finally:
        os._exit(1)


def _end_when_stuck() -> None:
    computed = time.process_time()

    def look(*_: object) -> None:
        nonlocal computed
        before, computed = computed, time.process_time()
        if computed - before < STUCK_S / 100:
            os._exit(1)
        signal.alarm(STUCK_S)

    signal.signal(signal.SIGALRM, look)
    signal.alarm(STUCK_S)


def run(mutant: Mutant, tests: Sequence[str]) -> int:
    """Return the exit code of pytest: 0 if all these tests pass with the mutant."""
    files = dict.fromkeys(test.partition("::")[0] for test in tests)
    with source_files.replaced({ROOT / mutant.path: mutant.source}):
        return int(pytest.main([*OPTIONS, *(str(ROOT / file) for file in files)], plugins=[Only(tests)]))
