"""What an invocation of the lifecycle function asks for.

Control Tower's lifecycle events (https://docs.aws.amazon.com/controltower/latest/userguide/lifecycle-events.html) of
accounts and of an OU. A creation that failed and was tried again is UpdateManagedAccount, and its key is
updateManagedAccountStatus:

    {"source": "aws.controltower", "detail-type": "AWS Service Event via CloudTrail",
     "detail": {"eventName": "CreateManagedAccount", "serviceEventDetails": {"createManagedAccountStatus": {
        "state": "SUCCEEDED", "account": {"accountId": "012345678901"}}}}}

    {... "detail": {"eventName": "RegisterOrganizationalUnit", "serviceEventDetails": {
        "registerOrganizationalUnitStatus": {
            "state": "SUCCEEDED", "organizationalUnit": {"organizationalUnitId": "ou-ab12-l3zc8b3h"}}}}}

AWS Organizations' calls (https://docs.aws.amazon.com/organizations/latest/userguide/orgs_cloudtrail-integration.html):

    {"source": "aws.organizations", "detail-type": "AWS API Call via CloudTrail",
     "detail": {"eventName": "MoveAccount", "requestParameters": {"accountId": "012345678901"}}}

The schedule:      {"source": "aws.events", "detail-type": "Scheduled Event"}
An operator:       {"action": "reconcile", "accountId": "012345678901", "dryRun": true}    both may be left out
                   {"action": "report"}

Nothing else in an event is read. Where an account is, is asked of AWS Organizations when the event is handled.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeGuard

from ctipam.errors import Refused
from ctipam.invocation import INVOCATION

STATUS_KEYS = {
    "CreateManagedAccount": "createManagedAccountStatus",
    "UpdateManagedAccount": "updateManagedAccountStatus",
    "RegisterOrganizationalUnit": "registerOrganizationalUnitStatus",
}

ORGANIZATIONS_CALLS = frozenset({"MoveAccount", "CloseAccount", "RemoveAccountFromOrganization"})

_ACCOUNT_ID = re.compile(r"[0-9]{12}")  # text, always: one account in ten begins with a zero
_OU_ID = re.compile(r"ou-[0-9a-z]{4,32}-[0-9a-z]{8,32}")

_EXAMPLES = '{"action": "reconcile"}, {"action": "reconcile", "accountId": "012345678901"} or {"action": "report"}'


class NotForUs(Exception):
    """An event that changes nothing here; the text says why."""


@dataclass(frozen=True)
class LifecycleRequest:
    """What is to be brought in order: one account, the accounts below one OU, or, with neither, everybody's.

    by_hand   an operator reads the answer, and so is told of failures there
    """

    action: Literal["reconcile", "report"] = "reconcile"
    account_id: str = ""
    ou_id: str = ""
    dry_run: bool = False
    by_hand: bool = False


def request_of(event: object) -> LifecycleRequest:
    """Raises NotForUs for an event that changes nothing, Refused for what makes no sense.

    The rules filter already. This does not rely on it: an account that Control Tower could not create has no OU.
    """
    if not isinstance(event, Mapping):
        raise Refused(f"The payload must be a JSON object, such as {_EXAMPLES}.")
    if "action" in event:
        return _operators(event)
    if "detail-type" not in event:
        raise Refused(f"The payload is no event and has no action; give {_EXAMPLES}.")
    detail = _part(event, "detail")
    name = str(detail.get("eventName", "an event"))
    kind = (event.get("source"), event["detail-type"])
    if kind == ("aws.events", "Scheduled Event"):
        return LifecycleRequest()
    if kind == ("aws.controltower", "AWS Service Event via CloudTrail") and name in STATUS_KEYS:
        return _of_control_tower(name, detail)
    if kind == ("aws.organizations", "AWS API Call via CloudTrail") and name in ORGANIZATIONS_CALLS:
        return _of_organizations(name, detail)
    raise NotForUs(f"nothing follows from {name} of {kind[0]}, {kind[1]}")


def _of_control_tower(name: str, detail: Mapping[str, Any]) -> LifecycleRequest:
    status = _part(_part(detail, "serviceEventDetails"), STATUS_KEYS[name])
    if status.get("state") != "SUCCEEDED":
        raise NotForUs(f"{name} is in state {status.get('state')}")
    if name == "RegisterOrganizationalUnit":
        ou_id = _part(status, "organizationalUnit").get("organizationalUnitId")
        if not isinstance(ou_id, str) or not _OU_ID.fullmatch(ou_id):
            raise NotForUs(f"{name} has no id of an OU: {ou_id!r}")
        return LifecycleRequest(ou_id=ou_id)
    return LifecycleRequest(account_id=_account_id(name, _part(status, "account")))


def _of_organizations(name: str, detail: Mapping[str, Any]) -> LifecycleRequest:
    if detail.get("errorCode"):  # CloudTrail records the calls that were refused as well
        raise NotForUs(f"{name} was refused: {detail['errorCode']}")
    return LifecycleRequest(account_id=_account_id(name, _part(detail, "requestParameters")))


def _part(mapping: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    part = mapping.get(key)
    return part if isinstance(part, Mapping) else {}


def _account_id(name: str, parent: Mapping[str, Any]) -> str:
    account_id = parent.get("accountId", "")
    if not is_account_id(account_id):
        raise NotForUs(f"{name} has no account id of 12 digits: {account_id!r}")
    return account_id


def _operators(payload: Mapping[str, Any]) -> LifecycleRequest:
    allowed = {"reconcile": {"action", "accountId", "dryRun", INVOCATION}, "report": {"action"}}
    action = payload["action"]
    if not isinstance(action, str) or action not in allowed:
        raise Refused(f"There is no action {action!r}; give {_EXAMPLES}.")
    if unknown := sorted(str(key) for key in payload.keys() - allowed[action]):
        raise Refused(f"The action {action} takes no {', '.join(unknown)}; give {_EXAMPLES}.")
    if "accountId" in payload and not is_account_id(payload["accountId"]):
        raise Refused(f'accountId must be text of 12 digits, such as "012345678901", not {payload["accountId"]!r}.')
    if not isinstance(payload.get("dryRun", False), bool):
        raise Refused(f"dryRun must be true or false, not {payload['dryRun']!r}.")
    return LifecycleRequest(
        action=action,  # type: ignore[arg-type]  # it is one of the keys above
        account_id=payload.get("accountId", ""),
        dry_run=payload.get("dryRun", False),
        by_hand=INVOCATION not in payload,
    )


def is_account_id(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and bool(_ACCOUNT_ID.fullmatch(value))
