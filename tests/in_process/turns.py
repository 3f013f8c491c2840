"""Two requests of CloudFormation for one resource, of which the second supersedes the first.

CloudFormation rolls back and deletes without waiting for the function. Here the second request begins at every moment
of the first, one sequence for each moment. Of the two, one runs at a time, so each sequence is always the same.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from unittest.mock import patch

from aws_models.clock import ManualClock
from ctipam import waiting
from ctipam.cloudformation.latecomers import ARRIVE_S
from ctipam.cloudformation.own_stack import BELIEVED_S
from landing_zone.direct_stack import DirectStack, handler_of

World = TypeVar("World")

FIRST, SECOND = "first", "second"
"""The RequestIds."""

ARRIVALS = {"soon": 0.001, "late": ARRIVE_S - 1}
"""For how many seconds a call is on its way to AWS. Soon: it arrives when the second request waits for the first time.
"""

READS = ("Describe", "Get", "List", "AssumeRole")
"""How the names of actions begin that change nothing."""

SLOW_S = 60.0
"""For how long a slow call is on its way."""

STOPS_S = 20.0
"""How long it may take until a request notices that it was superseded: its longest pause, and BELIEVED_S."""


@dataclass(frozen=True)
class Race(Generic[World]):
    """Two requests, about to be sent.

    world     what they change
    first     serves the first request
    second    gives the stack the status that goes with the second request, and serves it
    supersede   only gives the stack that status
    answers   all responses so far
    calls     makes a function be called before each AWS call, with the name of the action
    are_updates   both are
    """

    world: World
    clock: ManualClock
    first: Callable[[], None]
    second: Callable[[], None]
    supersede: Callable[[], None]
    answers: list[dict[str, Any]]
    calls: Callable[[Callable[[str], None]], AbstractContextManager[Any]]
    are_updates: bool

    def answered(self) -> list[str]:
        return [answer["RequestId"] for answer in self.answers]

    @property
    def failure(self) -> str:
        """Why the second request failed; empty: it succeeded. Raises AssertionError unless it has one response."""
        (answer,) = [answer for answer in self.answers if answer["RequestId"] == SECOND]
        return "" if answer["Status"] == "SUCCESS" else str(answer["Reason"])


Ready = Callable[[], AbstractContextManager[Race[World]]]


Sent = tuple[dict[str, Any], str]
"""A request, and the status of the stack that goes with it."""


def race_of(stack: DirectStack, first: Sent, second: Sent) -> Race[DirectStack]:
    """Return the race of two requests of a DirectStack."""
    stack.answers.clear()
    carry = stack.wire.carry

    @contextmanager
    def calls(before: Callable[[str], None]) -> Iterator[None]:
        def carry_later(*call: Any) -> Any:
            before(call[0])
            return carry(*call)

        with patch.object(stack.wire, "carry", carry_later):
            yield

    return Race(
        stack,
        stack.clock,
        first=lambda: stack.invoke(first[0] | {"RequestId": FIRST}, first[1]),
        second=lambda: stack.invoke(second[0] | {"RequestId": SECOND}, second[1], handler_of(1)),
        supersede=lambda: stack.wire.in_progress.update({stack.stack_id: second[1]}),
        answers=stack.answers,
        calls=calls,
        are_updates=first[0]["RequestType"] == second[0]["RequestType"] == "Update",
    )


@dataclass(frozen=True)
class Moment(Generic[World]):
    """How a race ended in which the second request began at this moment.

    name   for messages
    """

    race: Race[World]
    name: str

    def __str__(self) -> str:
        return self.name


def at_each_wait(ready: Ready[World]) -> Iterator[Moment[World]]:
    """Run the second request from its beginning to its end whenever the first waits. The first must not answer, and the
    second must succeed."""
    with ready() as race:
        total = _waits(race, at=0)
    assert total
    for at in range(1, total + 1):
        with ready() as race:
            _waits(race, at)
            moment = Moment(race, f"at wait {at} of {total}")
            assert race.answered() == [SECOND], moment.name
            assert not race.failure, moment.name
            yield moment


def _waits(race: Race[Any], at: int) -> int:
    """Serve the first request, and the second at wait number `at`. Return how often the first has waited."""
    waits = 0

    def sleep(seconds: float) -> None:
        nonlocal waits
        waits += 1
        if waits == at:
            with patch.object(waiting, "sleep", race.clock.advance):
                race.second()
        race.clock.advance(seconds)

    with patch.object(waiting, "sleep", sleep):
        race.first()
    return waits


def at_each_call(ready: Ready[World], arrives: str) -> Iterator[Moment[World]]:
    """Begin the second request whenever the first is about to make a call. That call arrives later. The second request
    must succeed.

    Leaves out call 1 of two Updates: there the first reads the status of the stack, and cannot know that it is not the
    Update of the rollback. And late, calls that only read: they leave nothing behind.

    arrives   one of ARRIVALS
    """
    with ready() as race:
        actions = _calls(race)
    for at, action in enumerate(actions, 1):
        if (at == 1 and race.are_updates) or (arrives == "late" and action.startswith(READS)):
            continue
        with ready() as race:
            turns = _Turns(race, at, ARRIVALS[arrives])
            turns.run()
            moment = Moment(race, f"at call {at} of {len(actions)}, {turns.action}, which arrives {arrives}")
            assert turns.first_went_on_s <= (BELIEVED_S if FIRST in race.answered() else STOPS_S), moment.name
            assert not race.failure, moment.name
            yield moment


def changes_after_slow_reads(ready: Ready[Any]) -> list[str]:
    """Serve the first request alone, and let it be superseded during a read that is slow: each of its reads in turn.
    Return the changes that it makes all the same.

    Leaves out the same call as at_each_call.
    """
    with ready() as race:
        actions = _calls(race)
    found = []
    for at, action in enumerate(actions, 1):
        if (at == 1 and race.are_updates) or not action.startswith(READS):
            continue
        with ready() as race:
            called = _calls(race, slow=at)
            changes = [later for later in called[at:] if not later.startswith(READS)]
            found += [f"{change} after call {at} of {len(actions)}, {action}" for change in changes]
    return found


def _calls(race: Race[Any], *, slow: int = 0) -> list[str]:
    """Serve the first request alone. Return the actions that it has called.

    slow   the number of the call during which it is superseded; 0: of none
    """
    actions: list[str] = []

    def call(action: str) -> None:
        actions.append(action)
        if len(actions) == slow:
            race.supersede()
            race.clock.advance(SLOW_S)

    with race.calls(call):
        race.first()
    return actions


@dataclass(eq=False)
class _Turn:
    """A request and the thread that serves it.

    wakes_at   when it continues; None: it has not begun, or has ended
    """

    serve: Callable[[], None]
    wakes_at: float | None
    may_run: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    ended_at: float | None = None
    error: BaseException | None = None


class _Turns:
    """Serves two requests, of which one runs at a time: the one that wakes first.

    The second begins when the first is about to make its call number `at`, which takes `delay_s` to arrive.
    """

    def __init__(self, race: Race[Any], at: int, delay_s: float) -> None:
        self._race = race
        self._clock = race.clock
        self._at = at
        self._delay_s = delay_s
        self._calls = 0
        self._superseded_at = 0.0
        self.action = ""  # that arrives later
        self._main = threading.Semaphore(0)
        self._first = _Turn(race.first, wakes_at=self._clock.now())
        self._second = _Turn(race.second, wakes_at=None)
        self._running = self._first

    @property
    def first_went_on_s(self) -> float:
        """For how long the first was at work after its last call before the second had arrived."""
        return (self._first.ended_at or 0.0) - self._superseded_at - self._delay_s

    def run(self) -> None:
        """Raises what either of them raised. Afterwards nothing is left to wait for."""
        turns = (self._first, self._second)
        threads = [threading.Thread(target=self._begin, args=(turn,), daemon=True) for turn in turns]
        with patch.object(waiting, "sleep", self._sleep), self._race.calls(self._call):
            for thread in threads:
                thread.start()
            while ready := [turn for turn in (self._first, self._second) if turn.wakes_at is not None]:
                self._running = min(ready, key=lambda turn: turn.wakes_at or 0.0)
                self._clock.advance(max((self._running.wakes_at or 0.0) - self._clock.now(), 0.0))
                self._running.may_run.release()
                self._main.acquire()
            assert self.action, f"the first made {self._calls} calls this time, so the second has not begun"
            for thread in threads:
                thread.join()
        for turn in (self._first, self._second):
            if turn.error:
                raise turn.error

    def _begin(self, turn: _Turn) -> None:
        turn.may_run.acquire()
        try:
            turn.serve()
        except BaseException as error:
            turn.error = error
        turn.ended_at, turn.wakes_at = self._clock.now(), None
        self._main.release()

    def _sleep(self, seconds: float) -> None:
        self._pause(self._running, seconds)

    def _pause(self, turn: _Turn, seconds: float) -> None:
        turn.wakes_at = self._clock.now() + seconds
        self._main.release()
        turn.may_run.acquire()

    def _call(self, action: str) -> None:
        if self._running is self._first:
            self._calls += 1
            if self._calls == self._at:
                self.action = action
                self._second.wakes_at = self._superseded_at = self._clock.now()
                self._pause(self._first, self._delay_s)
