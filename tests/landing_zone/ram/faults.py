"""What goes wrong on request, for tests. Each wish is spent on the next calls, or associations, that it fits.

    ram.faults.refuse_next("GetResourceShares", AwsError("ThrottlingException", "Rate exceeded", 429), times=3)
    ram.faults.lose_next_answer("CreateResourceShare")     it is done, yet the caller reads ServerInternalException
    ram.faults.fail_next_associations("no", times=2)       accepted, and FAILED with this statusMessage later

To check a pool, RAM asks the IPAM model to DescribeIpamPools, and so spends a wish that was meant for the caller's own.
"""

from __future__ import annotations

from collections import defaultdict, deque

from landing_zone.errors import AwsError


class Faults:
    def __init__(self) -> None:
        self._refusals: defaultdict[str, deque[AwsError]] = defaultdict(deque)
        self._lost_answers: defaultdict[str, int] = defaultdict(int)
        self._failures: deque[str] = deque()

    def refuse_next(self, action: str, error: AwsError, times: int = 1) -> None:
        self._refusals[action].extend([error] * times)

    def lose_next_answer(self, action: str, times: int = 1) -> None:
        self._lost_answers[action] += times

    def fail_next_associations(self, message: str, times: int = 1) -> None:
        self._failures.extend([message] * times)

    def before(self, action: str) -> None:
        """For the model: the call has arrived and nothing is done yet."""
        if self._refusals[action]:
            raise self._refusals[action].popleft()

    def after(self, action: str) -> None:
        """For the model: the call is done and not answered yet."""
        if self._lost_answers[action]:
            self._lost_answers[action] -= 1
            raise AwsError("ServerInternalException", "The service could not respond to the request.", 500)

    def failure(self) -> str | None:
        """For the model: why the association that has just begun will fail; None if it will not."""
        return self._failures.popleft() if self._failures else None
