"""Failures of RAM's shares and associations that tests order, besides the faults of `aws_models.faults`.

    ram.faults.fail_next_associations("no", times=2)       accepted, and FAILED with this statusMessage later
    ram.faults.fail_next_share("no")                       created as PENDING, and FAILED later, with all that is in it

RAM checks a pool with a DescribeIpamPools call to the IPAM model, which uses up a fault ordered for that action.
"""

from __future__ import annotations

from collections import deque

from aws_models.errors import AwsError
from aws_models.faults import CallFaults


class Faults(CallFaults):
    def __init__(self) -> None:
        super().__init__(AwsError("ServerInternalException", "The service could not respond to the request.", 500))
        self._failures: deque[str] = deque()
        self._share_failures: deque[str] = deque()

    def fail_next_associations(self, message: str, times: int = 1) -> None:
        self._failures.extend([message] * times)

    def failure(self) -> str | None:
        """Return why the association that has just begun will fail, or None. For the model."""
        return self._failures.popleft() if self._failures else None

    def fail_next_share(self, message: str, times: int = 1) -> None:
        self._share_failures.extend([message] * times)

    def share_failure(self) -> str | None:
        """Return why the share that has just been created will fail, or None. For the model."""
        return self._share_failures.popleft() if self._share_failures else None
