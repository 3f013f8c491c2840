"""Organizations refuses a call of a run, after all retries of boto3. Nothing is lost, and the next run mends it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count, cycle
from typing import Any

import pytest
from botocore.exceptions import ClientError

from ctipam.errors import AwsFailed
from in_process.aws_calls import Call, intercept
from in_process.lifecycle_events import ONE, PROD, SCHEDULE, SDLC, ZERO, lifecycle, moved, registered

EVENTS: dict[str, Callable[[str], Any]] = {
    "the schedule": lambda _: SCHEDULE,
    "an account": lambda _: lifecycle("UpdateManagedAccount", ZERO),
    "a move": lambda _: moved(ZERO),
    "an OU": registered,
}
"""The event after ZERO has moved into the OU."""


@pytest.mark.parametrize("event", EVENTS.values(), ids=EVENTS)
def test_a_run_that_organizations_refuses_at_any_call_fails_and_the_next_one_ends_the_same(
    landing_zone: Any, ous: Any, monkeypatch: pytest.MonkeyPatch, event: Callable[[str], Any]
) -> None:
    landing_zone.ask("Create")
    landing_zone.cloud.rename(ous["Prod OU"], "Production OU")
    calls = refused = 0

    def refuse(call: Call, client: Any, operation: str, parameters: Any) -> Any:
        nonlocal calls
        if client.meta.service_model.service_name == "organizations":
            calls += 1
            if calls == refused:
                raise ClientError({"Error": {"Code": "TooManyRequestsException", "Message": "made up"}}, operation)
        return call(client, operation, parameters)

    intercept(monkeypatch, refuse)
    for number, (environment, pools) in zip(count(1), cycle([("SDLC OU", SDLC), ("Prod OU", PROD)])):
        landing_zone.cloud.move(ZERO, ous[environment])
        calls, refused = 0, number
        try:
            landing_zone.invoke(event(ous[environment]))
        except AwsFailed:
            assert landing_zone.shared()[f"ipamShare-{ONE}"] == SDLC
            refused = 0
            landing_zone.invoke(event(ous[environment]))
        assert landing_zone.shared() == {f"ipamShare-{ZERO}": pools, f"ipamShare-{ONE}": SDLC}
        if refused and calls < number:
            break
    assert number > 1
