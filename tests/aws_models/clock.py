"""The models' time. Tests move it; in the engine it runs."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    def now(self) -> float:
        """Return the seconds since a fixed moment."""

    def advance(self, seconds: float) -> None:
        """Move the clock forward by these seconds."""


class ManualClock:
    """A clock that stands still until advance() moves it."""

    def __init__(self) -> None:
        self._now = 0.0

    def now(self) -> float:
        return self._now

    def advance(self, seconds: float) -> None:
        self._now += seconds


class RunningClock:
    """Real time, `speed` times as fast, plus whatever advance() has added."""

    def __init__(self, speed: float = 1.0) -> None:
        self._speed = speed
        self._start = time.monotonic()
        self._added = 0.0

    def now(self) -> float:
        return (time.monotonic() - self._start) * self._speed + self._added

    def advance(self, seconds: float) -> None:
        self._added += seconds
