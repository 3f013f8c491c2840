"""Client tokens: a repeated request finds what the first one made, even if that has been deleted since.

Source  https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-idempotency.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from aws_models.errors import AwsError
from aws_models.ipam.requests import Call, invalid
from aws_models.ipam.store import Store

Made = TypeVar("Made")


def once(store: Store, call: Call, make: Callable[[], Made]) -> Made:
    """Return what `make` made, now or when this token was first used. A refused request leaves its token unused.

    Raises  AwsError IdempotentParameterMismatch if the token was seen with other parameters
    """
    token = call.params.get("ClientToken")
    if token is None:
        return make()
    if not 1 <= len(token) <= 64 or not token.isascii():
        raise invalid("ClientToken", token, "It has from 1 to 64 ASCII characters.")
    key = (call.caller.account_id, call.caller.region, call.action, token)
    request = {name: value for name, value in call.params.items() if name != "ClientToken"}
    if key in store.tokens:
        first_request, made = store.tokens[key]
        if first_request != request:
            message = "The client token was used with other parameters before: use a new token, or the same parameters."
            raise AwsError("IdempotentParameterMismatch", message)
        return made  # type: ignore[no-any-return]  # the action is part of the key, so it is of this type
    made = make()
    store.tokens[key] = (request, made)
    return made
