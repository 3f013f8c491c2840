"""How associations of RAM fail on request, besides what `landing_zone.faults` has for every call.

    ram.faults.fail_next_associations("no", times=2)       accepted, and FAILED with this statusMessage later

To check a pool, RAM asks the IPAM model to DescribeIpamPools, and so spends a wish that was meant for the caller's own.
"""

from __future__ import annotations

from collections import deque

from landing_zone.errors import AwsError
from landing_zone.faults import CallFaults


class Faults(CallFaults):
    def __init__(self) -> None:
        super().__init__(AwsError("ServerInternalException", "The service could not respond to the request.", 500))
        self._failures: deque[str] = deque()

    def fail_next_associations(self, message: str, times: int = 1) -> None:
        self._failures.extend([message] * times)

    def failure(self) -> str | None:
        """For the model: why the association that has just begun will fail; None if it will not."""
        return self._failures.popleft() if self._failures else None
