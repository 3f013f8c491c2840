"""Custom::InitPools, when CloudFormation sends another request while the function still works on the first.

CloudFormation rolls back and deletes without waiting for the function. Each test enumerates the moments at which the
second request can begin. The first one must stop, and what is there in the end must be what the second one wanted.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import pytest

from ctipam import waiting
from ctipam.cloudformation.own_stack import BELIEVED_S
from landing_zone.direct_stack import DirectStack, new_handler
from landing_zone.ipam import Timings

Request = dict[str, Any]

QUICK = Timings(pool_create=0.3, pool_modify=0.3, pool_delete=0.3, provision=0.3, deprovision=0.3, cidr_listed=0.2)

BEFORE = {
    "TopLevelPoolCidr": "10.0.0.0/8",
    "IpamPoolPrefixLength": "10",
    "AccPoolPrefixLength": "12",
    "RegionSelection": ["us-west-2", "us-east-1"],
    "AccEnvName": ["Prod OU"],
}
ADDED = BEFORE | {"RegionSelection": ["us-west-2", "us-east-1", "eu-west-1"]}
REMOVED = BEFORE | {"RegionSelection": ["us-east-1"]}
GROWN = BEFORE | {"PoolSizes": "us-west-2=10+10,us-west-2/Prod OU=10+12"}
OLD_POOLS = {
    "us-west-2": "10.0.0.0/10",
    "us-west-2 Prod OU": "10.0.0.0/12",
    "us-east-1": "10.64.0.0/10",
    "us-east-1 Prod OU": "10.64.0.0/12",
}
LONG_S = 5.0


@dataclass(frozen=True)
class Case:
    """first    what the function still works on: the kind and the properties
    second   what CloudFormation requests then: the kind and the status of the stack
    """

    first: tuple[str, dict[str, Any]]
    second: tuple[str, str]

    def __str__(self) -> str:
        what = {id(ADDED): " that adds", id(REMOVED): " that removes", id(GROWN): " that grows"}
        return f"{self.first[0]}{what.get(id(self.first[1]), '')}, then {self.second[1]}"

    def ready(self) -> tuple[DirectStack, Request, Request]:
        """The stack before both requests, and the two."""
        kind, properties = self.first
        stack = DirectStack(ipam_timings=QUICK, workers=1)
        stack.set_up()
        if kind == "Update":
            with stack.running():
                stack.ask("Create", "InitPools", BEFORE)
            stack.clock.advance(60)
        stack.answers.clear()
        stack.wire.counted.clear()
        return (
            stack,
            stack.request(kind, "InitPools", properties),
            stack.request(self.second[0], "InitPools", BEFORE),
        )

    def check(self, stack: DirectStack, position: str) -> None:
        """The second request succeeds, and what it asked for is what there is."""
        answers = [answer for answer in stack.answers if answer["RequestId"] == "second"]
        assert len(answers) == 1, position
        (answer,) = answers
        assert answer["Status"] == "SUCCESS", f"{position}: {answer['Reason']}"
        stack.clock.advance(60)
        if self.second[0] == "Delete":
            assert stack.listed_pools() == [], position
        else:
            assert stack.pools() == OLD_POOLS, position
            assert len(stack.listed_pools()) == 1 + len(OLD_POOLS), position


CASES = [
    Case(("Create", BEFORE), ("Delete", "DELETE_IN_PROGRESS")),
    Case(("Create", BEFORE), ("Delete", "ROLLBACK_IN_PROGRESS")),
    Case(("Update", ADDED), ("Update", "UPDATE_ROLLBACK_IN_PROGRESS")),
    Case(("Update", ADDED), ("Delete", "DELETE_IN_PROGRESS")),
    Case(("Update", REMOVED), ("Update", "UPDATE_ROLLBACK_IN_PROGRESS")),
    Case(("Update", REMOVED), ("Delete", "DELETE_IN_PROGRESS")),
    Case(("Update", GROWN), ("Update", "UPDATE_ROLLBACK_IN_PROGRESS")),
    Case(("Update", GROWN), ("Delete", "DELETE_IN_PROGRESS")),
]


@dataclass(eq=False)
class Turn:
    """A request and the thread that serves it.

    wakes_at   when it goes on; None: not before somebody says so
    """

    serve: Callable[[], None]
    wakes_at: float | None
    may_run: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    ended_at: float | None = None
    error: BaseException | None = None


class Turns:
    """Serves two requests, of which one runs at a time: the one that wakes first.

    The second begins when the first is about to make its call number `at`. That call reaches AWS when the second waits
    for the first time for at least `long_s`, or has ended.
    """

    def __init__(
        self, stack: DirectStack, first: Request, second: Request, status: str, at: int, long_s: float
    ) -> None:
        self._stack = stack
        self._at = at
        self._long_s = long_s
        self._calls = 0
        self._superseded_at = 0.0
        self.delayed = ""  # the action that arrives late
        self._main = threading.Semaphore(0)
        self._first = Turn(lambda: stack.invoke(first), wakes_at=stack.clock.now())
        self._second = Turn(lambda: self._serve_second(second, status), wakes_at=None)
        self._running = self._first
        self._carry = stack.wire.carry

    def _serve_second(self, second: Request, status: str) -> None:
        with patch.object(self._stack, "handler", new_handler()):
            self._stack.invoke(second, status)

    @property
    def first_went_on_s(self) -> float:
        """For how long the first was at work after CloudFormation had sent the second."""
        return (self._first.ended_at or 0.0) - self._superseded_at

    def run(self) -> None:
        """Raises what either of them raised. Afterwards nothing is left to wait for."""
        threads = [threading.Thread(target=self._begin, args=(turn,)) for turn in (self._first, self._second)]
        with patch.object(waiting, "sleep", self._sleep), patch.object(self._stack.wire, "carry", self._call):
            for thread in threads:
                thread.start()
            while ready := [turn for turn in (self._first, self._second) if turn.wakes_at is not None]:
                self._running = min(ready, key=lambda turn: turn.wakes_at or 0.0)
                self._stack.clock.advance(max((self._running.wakes_at or 0.0) - self._stack.clock.now(), 0.0))
                self._running.may_run.release()
                self._main.acquire()
            for thread in threads:
                thread.join()
        for turn in (self._first, self._second):
            if turn.error:
                raise turn.error

    def _begin(self, turn: Turn) -> None:
        turn.may_run.acquire()
        try:
            turn.serve()
        except BaseException as error:
            turn.error = error
        turn.ended_at, turn.wakes_at = self._stack.clock.now(), None
        if turn is self._second:
            self._continue_first()
        self._main.release()

    def _pass_on(self, turn: Turn) -> None:
        self._main.release()
        turn.may_run.acquire()

    def _sleep(self, seconds: float) -> None:
        turn = self._running
        turn.wakes_at = self._stack.clock.now() + seconds
        if turn is self._second and seconds >= self._long_s:
            self._continue_first()
        self._pass_on(turn)

    def _continue_first(self) -> None:
        if self._first.wakes_at is None and self._first.ended_at is None:
            self._first.wakes_at = self._stack.clock.now()

    def _call(self, *call: Any) -> Any:
        if self._running is self._first:
            self._calls += 1
            if self._calls == self._at:
                self.delayed = str(call[0])
                self._superseded_at = self._stack.clock.now()
                self._first.wakes_at, self._second.wakes_at = None, self._superseded_at
                self._pass_on(self._first)
        return self._carry(*call)


def prepare(case: Case) -> tuple[DirectStack, Request, Request]:
    stack, first, second = case.ready()
    return stack, first | {"RequestId": "first"}, second | {"RequestId": "second"}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_request_that_is_superseded_while_it_waits_stops_and_is_not_answered(case: Case) -> None:
    waits = 0
    stack, first, second = prepare(case)

    def sleep(seconds: float) -> None:
        nonlocal waits
        waits += 1
        if waits == at:
            with patch.object(stack, "handler", new_handler()):
                stack.invoke(second, case.second[1])
        stack.clock.advance(seconds)

    at = 0
    with stack.running(), patch.object(waiting, "sleep", sleep):
        stack.invoke(first)
    total = waits
    assert total > 3

    for at in range(1, total + 1):
        waits = 0
        stack, first, second = prepare(case)
        with stack.running(), patch.object(waiting, "sleep", sleep):
            stack.invoke(first)
        position = f"at wait {at} of {total}"
        assert [answer["RequestId"] for answer in stack.answers] == ["second"], position
        case.check(stack, position)


@pytest.mark.parametrize("long_s", [0.0, LONG_S], ids=["its first wait", "its first long wait"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_call_that_arrives_while_the_successor_waits_changes_nothing_in_the_end(case: Case, long_s: float) -> None:
    stack, first, _ = prepare(case)
    with stack.running():
        stack.invoke(first)
    total = stack.wire.counted.total()

    for at in range(1, total + 1):
        stack, first, second = prepare(case)
        with stack.running():
            turns = Turns(stack, first, second, case.second[1], at=at, long_s=long_s)
            turns.run()
        position = f"at call {at} of {total}"
        answered = [answer["RequestId"] for answer in stack.answers]
        # At call 1 the first reads the status of the stack, which is already that of the second.
        if at > 1 and "first" in answered:
            assert turns.first_went_on_s <= BELIEVED_S, position
        failed = ("second", "SUCCESS") not in [(answer["RequestId"], answer["Status"]) for answer in stack.answers]
        if turns.delayed in ("CreateTags", "DeprovisionIpamPoolCidr") and failed:
            # The CIDR of a Region that has pools again: from failed-deprovision on, the model gives no part of it out,
            # and what AWS does is not documented. The rollback fails, and the stack can be deleted.
            assert case.second[0] == "Update"
            with stack.running():
                assert stack.ask("Delete", "InitPools", BEFORE)["Status"] == "SUCCESS"
            assert stack.listed_pools() == [], position
            continue
        case.check(stack, position)
