"""Waiting for AWS, within the time that an invocation has."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from ctipam.errors import OutOfTime

if TYPE_CHECKING:
    from ctipam.invocation import LambdaContext

RESERVE_S = 30.0
"""Kept back from Lambda's time limit, to answer CloudFormation or to hand the work on."""


def sleep(seconds: float) -> None:
    """The one place that really waits; tests put a clock of their own here."""
    time.sleep(seconds)


def now() -> float:
    """Seconds since 1970; tests put a clock of their own here too."""
    return time.time()


class Deadline:
    """When an invocation has to stop.

    remaining_s   answers the seconds left until Lambda ends the invocation
    """

    def __init__(self, remaining_s: Callable[[], float], reserve_s: float = RESERVE_S) -> None:
        self._remaining_s = remaining_s
        self._reserve_s = reserve_s

    @classmethod
    def of(cls, context: LambdaContext) -> Deadline:
        return cls(lambda: context.get_remaining_time_in_millis() / 1000)

    def within(self, seconds: float) -> Deadline:
        """The earlier of this deadline and that many seconds from now."""
        end = self._remaining_s() - seconds
        return Deadline(lambda: self._remaining_s() - max(end, self._reserve_s), reserve_s=0)

    def pause(self, seconds: float) -> None:
        """Sleep; raises OutOfTime, at once, if the time left does not allow it."""
        if self._remaining_s() - seconds < self._reserve_s:
            raise OutOfTime(f"{self._remaining_s():.0f} s are left of this invocation")
        sleep(seconds)


class Pace:
    """How long to wait between two looks: short after progress, longer while nothing moves, out of step with others."""

    FIRST_S, LONGEST_S, GROWTH = 0.5, 5.0, 1.5

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline
        self._next_s = self.FIRST_S

    def wait(self, *, progress: bool, expected_s: float | None = None) -> None:
        """expected_s: when something is likely to have ended, if that can be said."""
        if progress:
            self._next_s = self.FIRST_S
        # Spreads calls out, guards nothing. Too early is one more look; too late is time lost.
        jitter = random.uniform(0.8, 1.2 if expected_s is None else 1.0)  # noqa: S311
        self._deadline.pause((self._next_s if expected_s is None else expected_s) * jitter)
        self._next_s = min(self._next_s * self.GROWTH, self.LONGEST_S)
