"""The time by which schedules fire and alarms look back; tests can move it."""

from __future__ import annotations

import time


class Time:
    """Wall-clock seconds since 1970, plus what tests have added: by it schedules fire."""

    def __init__(self) -> None:
        self._added = 0.0

    def now(self) -> float:
        return time.time() + self._added

    def advance(self, seconds: float) -> None:
        self._added += seconds
