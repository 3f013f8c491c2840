"""The clock of schedules and alarms. Tests can move it."""

from __future__ import annotations

import time


class Time:
    """Wall-clock seconds since 1970, plus the seconds that tests have added."""

    def __init__(self) -> None:
        self._added = 0.0

    def now(self) -> float:
        return time.time() + self._added

    def advance(self, seconds: float) -> None:
        self._added += seconds
