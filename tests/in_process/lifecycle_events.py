"""The events that the lifecycle function receives, and the accounts in them."""

from __future__ import annotations

from typing import Any

ZERO, ONE, NEWCOMER = "012345678901", "111122223333", "333322221111"
PROD, SDLC = ["us-east-1 Prod OU", "us-west-2 Prod OU"], ["us-east-1 SDLC OU", "us-west-2 SDLC OU"]
"""The names of the pools of an OU."""

SCHEDULE = {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}


def lifecycle(name: str, account_id: str, state: str = "SUCCEEDED", ou_id: str = "ou-late-l3zc8b3h") -> dict[str, Any]:
    """Return an event of Control Tower about an account."""
    status = {
        "organizationalUnit": {"organizationalUnitName": "Somewhere else", "organizationalUnitId": ou_id},
        "account": {"accountName": "any", "accountId": account_id},
        "state": state,
    }
    return _of_control_tower(name, status)


def registered(ou_id: str) -> dict[str, Any]:
    """Return an event of Control Tower about an OU."""
    return _of_control_tower(
        "RegisterOrganizationalUnit", {"state": "SUCCEEDED", "organizationalUnit": {"organizationalUnitId": ou_id}}
    )


def _of_control_tower(name: str, status: dict[str, Any]) -> dict[str, Any]:
    return {
        "source": "aws.controltower",
        "detail-type": "AWS Service Event via CloudTrail",
        "detail": {"eventName": name, "serviceEventDetails": {f"{name[0].lower()}{name[1:]}Status": status}},
    }


def called(name: str, account_id: str) -> dict[str, Any]:
    """Return an event of AWS Organizations about a call."""
    return {
        "source": "aws.organizations",
        "detail-type": "AWS API Call via CloudTrail",
        "detail": {"eventName": name, "requestParameters": {"accountId": account_id}},
    }


def moved(account_id: str) -> dict[str, Any]:
    return called("MoveAccount", account_id)
