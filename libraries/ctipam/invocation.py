"""An invocation of a Lambda function, and the next one, in which it finishes its work.

Work that does not fit into one invocation continues in the next: the function invokes itself with the same event and
the key "CtipamInvocation": {"number": 2, "until": seconds since 1970, "stack_status": "CREATE_IN_PROGRESS"}.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from ctipam.errors import OutOfTime
from ctipam.logs import log_decision

if TYPE_CHECKING:
    from ctipam.sessions import Account

MAX_INVOCATIONS = 8
"""For one event. Lambda stops a function that keeps invoking itself after about 16.
https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html"""

INVOCATION = "CtipamInvocation"


class LambdaContext(Protocol):
    invoked_function_arn: str

    def get_remaining_time_in_millis(self) -> int: ...


@dataclass(frozen=True)
class Invocation:
    """One of the invocations that handle an event.

    number         1 for the first
    until          when the event must have been handled, in seconds since 1970; None: there is no such time
    stack_status   the status of the stack when the first invocation began; empty: it could not be read; None: this is
                   the first, or it is of no interest
    """

    number: int
    until: float | None
    stack_status: str | None

    @classmethod
    def of(cls, event: Mapping[str, Any]) -> Invocation:
        given = event.get(INVOCATION, {})
        return cls(int(given.get("number", 1)), given.get("until"), given.get("stack_status"))

    @property
    def is_continued(self) -> bool:
        """Return whether an earlier one has done a part of the work."""
        return self.number > 1

    @property
    def is_last(self) -> bool:
        return self.number >= MAX_INVOCATIONS


def account_id_of(context: LambdaContext) -> str:
    """Return the id of the account that the function runs in."""
    return context.invoked_function_arn.split(":")[4]


def continue_in_another_invocation(
    account: Account,
    event: Mapping[str, Any],
    context: LambdaContext,
    until: float | None = None,
    stack_status: str | None = None,
) -> None:
    """Invoke this function again with the event. Raise OutOfTime if this is the last invocation.

    until, stack_status   see Invocation
    """
    invocation = Invocation.of(event)
    if invocation.is_last:
        raise OutOfTime(f"{MAX_INVOCATIONS} invocations were not enough")
    number = invocation.number + 1
    log_decision("continuing in another invocation", invocation=number)
    carried = {"until": until, "stack_status": stack_status}
    next_one = {"number": number} | {key: value for key, value in carried.items() if value is not None}
    account.lambda_client().invoke(
        FunctionName=context.invoked_function_arn,
        InvocationType="Event",
        Payload=json.dumps({**event, INVOCATION: next_one}).encode(),
    )
