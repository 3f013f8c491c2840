"""Which account an event is about.

The smallest Control Tower lifecycle event that is understood
(https://docs.aws.amazon.com/controltower/latest/userguide/lifecycle-events.html):

    {"detail-type": "AWS Service Event via CloudTrail", "source": "aws.controltower",
     "detail": {"eventName": "CreateManagedAccount",
                "serviceEventDetails": {"createManagedAccountStatus": {
                    "state": "SUCCEEDED", "account": {"accountId": "012345678901"}}}}}

A creation that failed and was tried again arrives as UpdateManagedAccount. The OU in the event is not read: events come
twice, late and out of order, so the OU is asked of AWS Organizations when the event is handled.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

STATUS_KEYS = {
    "CreateManagedAccount": "createManagedAccountStatus",
    "UpdateManagedAccount": "updateManagedAccountStatus",
}

ACCOUNT_ID = re.compile(r"\d{12}")
"""Text, always: one account in ten begins with a zero."""


class NotForUs(Exception):
    """An event that changes nothing here; the text says why."""


def account_of(event: Mapping[str, Any]) -> str:
    """The account that Control Tower has created or updated; raises NotForUs for anything else.

    The rule filters already. This does not rely on it: an account that Control Tower could not create has no OU.
    """
    if event.get("source") != "aws.controltower" or event.get("detail-type") != "AWS Service Event via CloudTrail":
        raise NotForUs(f"not a Control Tower lifecycle event: {event.get('source')}, {event.get('detail-type')}")
    detail = event.get("detail") or {}
    name = detail.get("eventName")
    if name not in STATUS_KEYS:
        raise NotForUs(f"the lifecycle event {name} is not about one account")
    status = (detail.get("serviceEventDetails") or {}).get(STATUS_KEYS[name]) or {}
    if status.get("state") != "SUCCEEDED":
        raise NotForUs(f"{name} is in state {status.get('state')}")
    account_id = (status.get("account") or {}).get("accountId", "")
    if not isinstance(account_id, str) or not ACCOUNT_ID.fullmatch(account_id):
        raise NotForUs(f"{name} has no account id of 12 digits: {account_id!r}")
    return account_id
