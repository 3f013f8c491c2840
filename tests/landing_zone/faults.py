"""What goes wrong with a service's calls on request. Each wish is spent on the next calls of the action it names.

faults.refuse_next("CreateIpamPool", AwsError("RequestLimitExceeded", "Request limit exceeded.", 503), times=3)
faults.lose_next_answer("CreateIpamPool")       it is done, yet the caller reads an internal error
"""

from __future__ import annotations

from collections import defaultdict, deque

from landing_zone.errors import AwsError


class CallFaults:
    """internal_error: what a caller reads whose answer was lost."""

    def __init__(self, internal_error: AwsError) -> None:
        self._internal_error = internal_error
        self._refusals: defaultdict[str, deque[AwsError]] = defaultdict(deque)
        self._lost_answers: defaultdict[str, int] = defaultdict(int)

    def refuse_next(self, action: str, error: AwsError, times: int = 1) -> None:
        self._refusals[action].extend([error] * times)

    def lose_next_answer(self, action: str, times: int = 1) -> None:
        self._lost_answers[action] += times

    def before(self, action: str) -> None:
        """For the model: the call has arrived and nothing is done yet."""
        if self._refusals[action]:
            raise self._refusals[action].popleft()

    def after(self, action: str) -> None:
        """For the model: the call is done and not answered yet."""
        if self._lost_answers[action]:
            self._lost_answers[action] -= 1
            raise self._internal_error
