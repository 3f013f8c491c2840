"""What a function hands on to its next invocation."""

from __future__ import annotations

import json
from typing import Any

import pytest

from aws_models.clock import ManualClock
from ctipam.errors import OutOfTime
from ctipam.invocation import MAX_INVOCATIONS, Invocation, account_id_of, continue_in_another_invocation
from landing_zone.direct_stack import Context

EVENT = {"RequestType": "Create", "ResourceProperties": {"A": "1"}}
CONTEXT = Context(ManualClock())


class Account:
    """Keeps what is invoked."""

    def __init__(self) -> None:
        self.invoked: list[dict[str, Any]] = []

    def lambda_client(self) -> Account:
        return self

    def invoke(self, **parameters: Any) -> None:
        self.invoked.append(json.loads(parameters.pop("Payload")))
        assert parameters == {"FunctionName": CONTEXT.invoked_function_arn, "InvocationType": "Event"}


def handed_on(event: dict[str, Any], **carried: Any) -> dict[str, Any]:
    account: Any = Account()
    continue_in_another_invocation(account, event, CONTEXT, **carried)
    (payload,) = account.invoked
    return dict(payload)


@pytest.mark.parametrize("carried", [{}, {"until": 3600.5}, {"until": 3600.5, "stack_status": ""}])
def test_the_next_invocation_gets_the_event_its_number_and_what_is_carried(carried: dict[str, Any]) -> None:
    second = handed_on(EVENT, **carried)
    third = handed_on(second, **carried)

    assert second == EVENT | {"CtipamInvocation": {"number": 2} | carried}
    assert third == EVENT | {"CtipamInvocation": {"number": 3} | carried}
    assert Invocation.of(third) == Invocation(3, carried.get("until"), carried.get("stack_status"))


def test_an_event_is_handled_by_a_limited_number_of_invocations() -> None:
    event: dict[str, Any] = EVENT
    for _ in range(MAX_INVOCATIONS - 1):
        event = handed_on(event)

    with pytest.raises(OutOfTime, match=f"{MAX_INVOCATIONS} invocations were not enough"):
        handed_on(event)
    assert MAX_INVOCATIONS < 16  # then Lambda would end them


def test_the_account_of_a_function_is_in_its_arn() -> None:
    assert account_id_of(CONTEXT) == "222222222222"
