"""Accounts that move, are closed or leave while a run works: when it ends, each has what its place gives it.

Something happens at one call of the run, and another handler sees to it before the run goes on. This is repeated for
each call of the run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ctipam.sharing import places, rounds
from ctipam.waiting import LISTED_LATE_S
from in_process.sharing_world import SharingWorld

PROD, SDLC, SANDBOX = (f"ou-ab12-0000000{number}" for number in range(3))
A, B = "444444444400", "444444444401"
MOST = 60
"""More calls than a run makes."""

IN_PROD, IN_SDLC, IN_SANDBOX = (("ACTIVE", ou_id) for ou_id in (PROD, SDLC, SANDBOX))
CLOSED, GONE = ("SUSPENDED", PROD), None
Place = tuple[str, str] | None


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> SharingWorld:
    """Return a world in which a run does one thing after the other."""
    for module in (places, rounds):
        monkeypatch.setattr(module, "WORKERS", 1)
    ous = {PROD: "Production", SDLC: "SDLC", SANDBOX: "Sandbox"}
    world = SharingWorld(ous, {"Prod": PROD, "SDLC": SDLC})
    world.places |= {B: IN_SDLC, "555555555555": IN_PROD}
    return world


def put(world: SharingWorld, place: Place) -> None:
    world.places.pop(A, None)
    if place:
        world.places[A] = place


def at_each_call(
    world: SharingWorld, account_id: str, prepare: Callable[[], None], happens: Callable[[], None]
) -> Iterator[int]:
    """Prepare and run again and again; something happens at the first call, then at the second, ..."""
    for number in range(MOST):
        prepare()
        seen = -1

        def before(number: int = number) -> None:
            nonlocal seen
            seen += 1
            if seen == number:
                world.before = lambda: None
                happens()
                world.before = before

        world.before = before
        world.run(account_id)
        world.before = lambda: None
        if seen < number:
            return
        yield number
    raise AssertionError(f"a run makes more than {MOST} calls")


@pytest.mark.parametrize("account_id", ["", A], ids=["all accounts", "an event"])
@pytest.mark.parametrize("has_share", [False, True])
@pytest.mark.parametrize(
    ("start", "end", "environments"),
    [
        (IN_PROD, IN_SANDBOX, None),
        (IN_PROD, IN_SDLC, ["SDLC"]),
        (IN_PROD, CLOSED, None),
        (IN_PROD, GONE, None),
        (IN_SANDBOX, IN_PROD, ["Prod"]),
        (CLOSED, IN_PROD, ["Prod"]),
        (GONE, IN_PROD, ["Prod"]),
    ],
    ids=["loses", "changes", "is closed", "is removed", "arrives", "is opened", "joins"],
)
def test_an_account_has_what_its_place_gives_whenever_the_place_changes_during_a_run(
    world: SharingWorld, account_id: str, has_share: bool, start: Place, end: Place, environments: list[str] | None
) -> None:
    def prepare() -> None:
        put(world, IN_PROD)
        world.run()
        put(world, start)
        if not has_share:
            world.delete_share(A)

    def happen() -> None:
        put(world, end)
        world.run(A)

    for number in at_each_call(world, account_id, prepare, happen):
        assert world.shared().get(A) == environments, f"at call {number}"
        assert world.shared()[B] == ["SDLC"]
    assert number >= 1


class Killed(BaseException):
    """Lambda has ended the function."""


def kill() -> None:
    raise Killed


@pytest.mark.parametrize("account_id", ["", A], ids=["all accounts", "an event"])
@pytest.mark.parametrize(
    ("start", "end", "environments"),
    [(IN_PROD, IN_SDLC, ["SDLC"]), (IN_PROD, GONE, None), (GONE, IN_PROD, ["Prod"])],
    ids=["changes", "is removed", "joins"],
)
def test_what_a_run_leaves_that_was_killed_before_any_of_its_calls_the_next_run_ends(
    world: SharingWorld, account_id: str, start: Place, end: Place, environments: list[str] | None
) -> None:
    def run_until(number: int) -> bool:
        """Return whether the run was killed."""
        left = iter(range(number))
        world.before = lambda: kill() if next(left, None) is None else None
        try:
            world.run(account_id)
        except Killed:
            return True
        finally:
            world.before = lambda: None
        return False

    for number in range(MOST):
        put(world, start)
        world.run()
        put(world, end)
        was_killed = run_until(number)
        world.run()

        assert world.shared().get(A) == environments, f"before call {number}"
        assert world.shared()[B] == ["SDLC"]
        if not was_killed:
            return
    raise AssertionError(f"a run makes more than {MOST} calls")


def test_a_run_changes_nothing_twice_when_nothing_happens(world: SharingWorld) -> None:
    put(world, IN_PROD)
    first, second = world.run(), world.run()

    assert (first.counts()["changed"], second.counts()["changed"]) == (3, 0)


def test_a_run_over_all_accounts_takes_the_share_from_one_that_has_left_unnoticed(world: SharingWorld) -> None:
    put(world, IN_PROD)
    world.run()
    put(world, GONE)

    world.run()

    assert A not in world.shared()
    assert world.shared()[B] == ["SDLC"]


@pytest.fixture
def moves_after_creation(world: SharingWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """Account A moves as soon as its share is created, and no event tells of it."""
    put(world, IN_PROD)
    call = world.models.ram.call

    def move_after(action: str, params: Any, caller: Any) -> Any:
        answer = call(action, params, caller)
        if action == "CreateResourceShare" and A in params["principals"]:
            put(world, IN_SDLC)
        return answer

    monkeypatch.setattr(world.models.ram, "call", move_after)


@pytest.mark.usefixtures("moves_after_creation")
def test_a_run_ends_with_a_look_at_the_accounts_that_it_has_changed(world: SharingWorld) -> None:
    world.run()

    assert world.shared()[A] == ["SDLC"]


@pytest.mark.usefixtures("moves_after_creation")
def test_a_run_that_moves_its_new_share_along_asks_for_nothing_twice(
    world: SharingWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here RAM takes longer than the pause between two rounds."""
    monkeypatch.setattr(rounds, "PAUSES_S", (1,) * 20)
    result = world.run(A)

    assert result.counts()["failed"] == 0
    assert world.shared()[A] == ["SDLC"]


def test_a_run_does_not_wait_for_what_it_has_taken_away_again(world: SharingWorld) -> None:
    began = 0.0

    def prepare() -> None:
        nonlocal began
        put(world, IN_PROD)
        world.delete_share(A)
        began = world.clock.now()

    for number in at_each_call(world, A, prepare, lambda: put(world, IN_SDLC)):
        took = world.clock.now() - began
        assert took < LISTED_LATE_S, f"{took} s, moved before call {number}"
        assert world.shared()[A] == ["SDLC"]
