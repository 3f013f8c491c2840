"""What goes wrong on request, for tests. Each wish is spent on the next calls of the action that it names.

    faults.refuse_next("CreateIpamPool", AwsError("RequestLimitExceeded", "Request limit exceeded.", 503), times=3)
    faults.lose_next_answer("CreateIpamPool")       it is done, yet the caller reads InternalError
    faults.fail_next("ProvisionIpamPoolCidr", "no", code="cidr-not-available", shown_early=True)
    faults.hang_next("DeleteIpamPool")              its *-in-progress or pending-* state never ends

An action is named as in EC2's API; CreateVpc can be refused too. fail_next and hang_next take asynchronous ones only.
"""

from __future__ import annotations

from collections import defaultdict, deque

from landing_zone.errors import AwsError
from landing_zone.ipam.records import Failure

HANG = Failure("", "never ends")

ASYNCHRONOUS = frozenset(
    "CreateIpam ModifyIpam DeleteIpam CreateIpamScope DeleteIpamScope "
    "CreateIpamPool ModifyIpamPool DeleteIpamPool ProvisionIpamPoolCidr DeprovisionIpamPoolCidr".split()
)


class Faults:
    def __init__(self) -> None:
        self._refusals: defaultdict[str, deque[AwsError]] = defaultdict(deque)
        self._lost_answers: defaultdict[str, int] = defaultdict(int)
        self._fates: defaultdict[str, deque[Failure]] = defaultdict(deque)

    def refuse_next(self, action: str, error: AwsError, times: int = 1) -> None:
        self._refusals[action].extend([error] * times)

    def lose_next_answer(self, action: str, times: int = 1) -> None:
        self._lost_answers[action] += times

    def fail_next(self, action: str, message: str, code: str = "", shown_early: bool = False) -> None:
        """The next one that is accepted ends *-failed with this StateMessage, or failed-* with this FailureReason."""
        self._add_fate(action, Failure(code, message, shown_early))

    def hang_next(self, action: str) -> None:
        self._add_fate(action, HANG)

    def _add_fate(self, action: str, fate: Failure) -> None:
        if action not in ASYNCHRONOUS:
            raise ValueError(f"{action} ends at once; these do not: {', '.join(sorted(ASYNCHRONOUS))}")
        self._fates[action].append(fate)

    def before(self, action: str) -> None:
        """For the model: the call has arrived and nothing is done yet."""
        if self._refusals[action]:
            raise self._refusals[action].popleft()

    def after(self, action: str) -> None:
        """For the model: the call is done and not answered yet."""
        if self._lost_answers[action]:
            self._lost_answers[action] -= 1
            raise AwsError("InternalError", "An internal error has occurred", 500)

    def fate(self, action: str) -> Failure | None:
        """For the model: how the act that has just been accepted will end; HANG is never, None is well."""
        return self._fates[action].popleft() if self._fates[action] else None
