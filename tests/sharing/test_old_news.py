"""Accounts that move, are closed or leave while a run works: when it ends, each has what its place gives it.

Something happens at one call of the run, and another handler sees to it before the run goes on. This is repeated for
each call of the run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ctipam.sharing import places as places_module
from ctipam.sharing import rounds
from in_process.aws_calls import Call, intercepting
from in_process.lifecycle_events import PROD, SCHEDULE, SDLC, ZERO, called, moved

MOST = 90
"""More calls than a run makes."""

LEAVES, CHANGES, ARRIVES, CLOSED, REMOVED = (f"44444444440{number}" for number in range(5))
"""Accounts, by what becomes of them: into an OU without pools, to another environment, into an environment, ..."""


@pytest.fixture
def ous(landing_zone: Any, ous: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Return the ids of OUs. The environments know their OUs, and a run changes one share after the other."""
    for module in (places_module, rounds):
        monkeypatch.setattr(module, "WORKERS", 1)
    landing_zone.invoke(SCHEDULE)
    return ous | {"Sandbox": landing_zone.cloud.add_ou("Sandbox")}


def at_each_call(
    landing_zone: Any, event: Any, prepare: Callable[[], None], happens: Callable[[], None]
) -> Iterator[int]:
    """Prepare and handle the event again and again; something happens at its first call, then at its second, ..."""
    for number in range(MOST):
        prepare()
        seen = -1
        inside = False

        def answer(call: Call, client: Any, operation: str, parameters: Any, number: int = number) -> Any:
            nonlocal seen, inside
            if not inside:
                seen += 1
            if seen == number and not inside:
                inside = True
                happens()
                inside = False
            return call(client, operation, parameters)

        with intercepting(answer):
            landing_zone.invoke(event)
        if seen < number:
            return
        yield number
    raise AssertionError(f"a run makes more than {MOST} calls")


def delete_share(landing_zone: Any, account_id: str) -> None:
    for found in landing_zone.live_shares():
        if found["name"] == f"ipamShare-{account_id}":
            landing_zone.networking_ram.delete_resource_share(resourceShareArn=found["resourceShareArn"])
    landing_zone.clock.advance(60)


def test_whatever_happens_at_any_call_of_a_run_over_all_accounts(landing_zone: Any, ous: Any) -> None:
    cloud = landing_zone.cloud
    places = {LEAVES: "Prod OU", CHANGES: "Prod OU", ARRIVES: "Sandbox", CLOSED: "Prod OU", REMOVED: "Prod OU"}
    for account_id in places:
        cloud.add_account(account_id)

    def prepare() -> None:
        for account_id, ou in places.items():
            cloud.restore(account_id, ous[ou])
            cloud.move(account_id, ous[ou])
        landing_zone.invoke(SCHEDULE)
        landing_zone.clock.advance(60)
        for account_id in (LEAVES, REMOVED):  # the run begins to give them their pools
            delete_share(landing_zone, account_id)

    def happen() -> None:
        cloud.move(LEAVES, ous["Sandbox"])
        cloud.move(CHANGES, ous["SDLC OU"])
        cloud.move(ARRIVES, ous["Prod OU"])
        cloud.end("CloseAccount", CLOSED)
        cloud.end("RemoveAccountFromOrganization", REMOVED)
        landing_zone.invoke(SCHEDULE)

    others = {f"ipamShare-{account_id}": pools for account_id, pools in ((ZERO, PROD), ("111122223333", SDLC))}
    expected = others | {f"ipamShare-{CHANGES}": SDLC, f"ipamShare-{ARRIVES}": PROD}
    for number in at_each_call(landing_zone, SCHEDULE, prepare, happen):
        assert landing_zone.shared() == expected, f"at call {number}"
    assert number > 20


@pytest.mark.parametrize("name", ["MoveAccount", "RemoveAccountFromOrganization"])
def test_whatever_happens_at_any_call_of_the_handling_of_an_event(landing_zone: Any, ous: Any, name: str) -> None:
    cloud = landing_zone.cloud

    def prepare() -> None:
        cloud.restore(ZERO, ous["Prod OU"])
        cloud.move(ZERO, ous["Prod OU"])
        delete_share(landing_zone, ZERO)

    def happen() -> None:
        if name == "MoveAccount":
            cloud.move(ZERO, ous["Sandbox"])
        else:
            cloud.end(name, ZERO)
        landing_zone.invoke(called(name, ZERO))

    for number in at_each_call(landing_zone, moved(ZERO), prepare, happen):
        assert f"ipamShare-{ZERO}" not in landing_zone.shared(), f"at call {number}"
    assert number > 6
