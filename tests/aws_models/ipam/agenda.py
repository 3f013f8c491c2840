"""Asynchronous operations: entries that are due later run at the next look at the clock."""

from __future__ import annotations

import heapq
from collections.abc import Callable

from aws_models.clock import Clock


class Agenda:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._entries: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0  # what is due at one time happens in the order of entry
        self._now = clock.now()

    @property
    def now(self) -> float:
        """Return the time in seconds; while an entry runs, the time at which it was due."""
        return self._now

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        """act: a function of a module, or a partial of one, so that a model can be saved (with pickle) at any time."""
        self._count += 1
        heapq.heappush(self._entries, (self._now + seconds, self._count, act))

    def settle(self) -> None:
        """Run all entries that are due by now."""
        until = self._clock.now()
        while self._entries and self._entries[0][0] <= until:
            self._now, _, act = heapq.heappop(self._entries)
            act()
        self._now = until
