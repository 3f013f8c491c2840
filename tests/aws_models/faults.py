"""Faults that tests order. Each applies to the next calls of the action that it names.

faults.refuse_next("CreateIpamPool", AwsError("RequestLimitExceeded", "Request limit exceeded.", 503), times=3)
faults.lose_next_answer("CreateIpamPool")       done, but the caller gets an internal error
"""

from __future__ import annotations

from collections import defaultdict, deque

from aws_models.errors import AwsError


class CallFaults:
    """The faults that any call can have.

    internal_error   the error that a caller gets when its answer is lost
    """

    def __init__(self, internal_error: AwsError) -> None:
        self._internal_error = internal_error
        self._refusals: defaultdict[str, deque[AwsError]] = defaultdict(deque)
        self._lost_answers: defaultdict[str, int] = defaultdict(int)

    def refuse_next(self, action: str, error: AwsError, times: int = 1) -> None:
        self._refusals[action].extend([error] * times)

    def lose_next_answer(self, action: str) -> None:
        self._lost_answers[action] += 1

    def before(self, action: str) -> None:
        """Raise an ordered refusal. The model calls this before it does anything."""
        if self._refusals[action]:
            raise self._refusals[action].popleft()

    def after(self, action: str) -> None:
        """Raise internal_error if the answer is to be lost. The model calls this after the call is done."""
        if self._lost_answers[action]:
            self._lost_answers[action] -= 1
            raise self._internal_error
