"""Waiting for AWS, within the time that an invocation has."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

from ctipam.errors import OutOfTime, code_of

if TYPE_CHECKING:
    from ctipam.invocation import LambdaContext

RESERVE_S = 30.0
"""Kept back from Lambda's time limit, to read once more and to answer CloudFormation or invoke the function again."""

NO_TIME_S = 0.1
"""Less time than this is not worth waiting."""

LISTED_LATE_S = 30.0
"""For how long a list may be older than a change that AWS has accepted. Assumed: AWS names no time.
https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html"""

PATIENCE_S = 600.0
"""How long a change that AWS refuses as if the resource were busy is requested again. Then AWS's error is raised."""


def sleep(seconds: float) -> None:
    """Wait. Tests replace this function by a clock of their own."""
    time.sleep(seconds)


def now() -> float:
    """Return the seconds since 1970. Tests replace this function too."""
    return time.time()


class Deadline:
    """When an invocation has to stop.

    remaining_s   returns the seconds left until Lambda ends the invocation
    reserve_s     seconds of it that are kept back
    """

    def __init__(self, remaining_s: Callable[[], float], reserve_s: float = RESERVE_S) -> None:
        self._remaining_s = remaining_s
        self._reserve_s = reserve_s

    @classmethod
    def of(cls, context: LambdaContext) -> Deadline:
        return cls(lambda: context.get_remaining_time_in_millis() / 1000)

    def within(self, seconds: float) -> Deadline:
        """Return the earlier of this deadline and that many seconds from now."""
        end = self._remaining_s() - seconds
        return Deadline(lambda: self._remaining_s() - max(end, self._reserve_s), reserve_s=0)

    def pause(self, seconds: float, problem: Exception | None = None) -> None:
        """Wait. Raise OutOfTime at once if the time left does not allow it.

        problem   why there is something to wait for: the cause of OutOfTime, which is what a reader is told
        """
        try:
            self.require(seconds)
        except OutOfTime as no_time:
            raise no_time from problem
        sleep(seconds)

    def pause_at_most(self, seconds: float) -> None:
        """Wait, but only as long as the time left allows. Raise OutOfTime at once if there is none."""
        self.require(NO_TIME_S)
        sleep(max(min(seconds, self._left_s()), 0.0))

    def require(self, seconds: float) -> None:
        """Raise OutOfTime unless this much time is left."""
        if self._left_s() < seconds:
            raise OutOfTime(f"{self._remaining_s():.0f} s are left of this invocation")

    def _left_s(self) -> float:
        return self._remaining_s() - self._reserve_s


class Pace:
    """How long to wait before reading again: short after progress, longer while nothing changes, with jitter.

    Whatever is waited for, an invocation reads once more when its time ends. So it loses none of its time, however
    little that is.
    """

    FIRST_S, LONGEST_S, GROWTH = 0.5, 5.0, 1.5

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline
        self._next_s = self.FIRST_S

    def wait(self, *, progress: bool = False, expected_s: float | None = None) -> None:
        """Wait before reading again. Raise OutOfTime if no time is left.

        progress     something has changed since the last wait
        expected_s   seconds after which something has probably ended; None: unknown
        """
        if progress:
            self._next_s = self.FIRST_S
        if expected_s is None:
            expected_s = self._next_s * random.uniform(0.8, 1.2)  # noqa: S311 - spreads calls out
        self._deadline.pause_at_most(expected_s)
        self._next_s = min(self._next_s * self.GROWTH, self.LONGEST_S)


def retry_while_busy(
    call: Callable[..., object],
    deadline: Deadline,
    busy: Collection[str],
    before_each: Callable[[], None],
    **parameters: Any,
) -> None:
    """Call AWS until it accepts the change. Raise AWS's error after PATIENCE_S, and any other error at once.

    busy         error codes that a later attempt may not meet
    before_each  called before each attempt; raises an error to stop
    parameters   of the call
    Raises       OutOfTime
    """
    pace, until = Pace(deadline), now() + PATIENCE_S
    while True:
        before_each()
        try:
            call(**parameters)
            return
        except Exception as error:  # botocore's ClientError, which a pure module does not import
            if code_of(error) not in busy or now() >= until:
                raise
        pace.wait()
