"""Which account an event is about."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from ctipam.events import NotForUs, account_of

CREATED: dict[str, Any] = json.loads((Path(__file__).parent / "create_managed_account.json").read_text())


def event(**changed: Any) -> dict[str, Any]:
    """The documented event, with parts of its status changed."""
    copied = copy.deepcopy(CREATED)
    copied["detail"]["serviceEventDetails"]["createManagedAccountStatus"].update(changed)
    return copied


def updated(source: dict[str, Any]) -> dict[str, Any]:
    copied = copy.deepcopy(source)
    copied["detail"]["eventName"] = "UpdateManagedAccount"
    details = copied["detail"]["serviceEventDetails"]
    details["updateManagedAccountStatus"] = details.pop("createManagedAccountStatus")
    return copied


def test_a_created_account_is_found_with_its_leading_zero() -> None:
    assert account_of(CREATED) == "012345678901"


def test_an_updated_account_is_found_since_a_retried_creation_is_an_update() -> None:
    assert account_of(updated(CREATED)) == "012345678901"


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (event(state="FAILED"), "state FAILED"),
        (updated(event(state="FAILED")), "state FAILED"),
        (event(account={"accountName": "none yet"}), "no account id"),
        (event(account=None), "no account id"),
        (event(account={"accountId": 12345678901}), "no account id"),
        (CREATED | {"detail-type": "AWS API Call via CloudTrail"}, "not a Control Tower lifecycle event"),
        (CREATED | {"source": "aws.ec2"}, "not a Control Tower lifecycle event"),
        (CREATED | {"detail": {"eventName": "SetupLandingZone"}}, "SetupLandingZone is not about one account"),
        (CREATED | {"detail": None}, "not about one account"),
        ({}, "not a Control Tower lifecycle event"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_anything_else_is_not_for_us_and_says_why(other: dict[str, Any], reason: str) -> None:
    with pytest.raises(NotForUs, match=reason):
        account_of(other)
