"""Decides what an invocation of the lifecycle function requests.

Control Tower's lifecycle events of accounts and OUs
(https://docs.aws.amazon.com/controltower/latest/userguide/lifecycle-events.html). The retry of a failed creation is
UpdateManagedAccount, with the key updateManagedAccountStatus:

    {"source": "aws.controltower", "detail-type": "AWS Service Event via CloudTrail",
     "detail": {"eventName": "CreateManagedAccount", "serviceEventDetails": {"createManagedAccountStatus": {
        "state": "SUCCEEDED", "account": {"accountId": "012345678901"}}}}}

    {... "detail": {"eventName": "RegisterOrganizationalUnit", "serviceEventDetails": {
        "registerOrganizationalUnitStatus": {
            "state": "SUCCEEDED", "organizationalUnit": {"organizationalUnitId": "ou-ab12-l3zc8b3h"}}}}}

Calls of AWS Organizations (https://docs.aws.amazon.com/organizations/latest/userguide/orgs_cloudtrail-integration.html):

    {"source": "aws.organizations", "detail-type": "AWS API Call via CloudTrail",
     "detail": {"eventName": "MoveAccount", "requestParameters": {"accountId": "012345678901"}}}

Membership events of AWS Organizations, AccountJoinedOrganization and AccountDepartedOrganization. AWS publishes no
example, so the account's id is looked for wherever such events have it:

    {"source": "aws.organizations", "detail-type": "AWS Service Event via CloudTrail",
     "detail": {"eventName": "AccountDepartedOrganization", "serviceEventDetails": {"accountId": "012345678901"}}}

The schedule:      {"source": "aws.events", "detail-type": "Scheduled Event"}
An operator:       {"action": "reconcile", "accountId": "012345678901", "dryRun": true, "unshare": true}
                   all but the action are optional; unshare: take pools away from any number of accounts
                   {"action": "report"}

Nothing else in an event is read. The handler reads the account's OU from AWS Organizations.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeGuard

from ctipam.errors import Refused
from ctipam.invocation import INVOCATION
from ctipam.names import OU_ID

STATUS_KEYS = {
    "CreateManagedAccount": "createManagedAccountStatus",
    "UpdateManagedAccount": "updateManagedAccountStatus",
    "RegisterOrganizationalUnit": "registerOrganizationalUnitStatus",
}

API_CALL, SERVICE_EVENT = "AWS API Call via CloudTrail", "AWS Service Event via CloudTrail"

ORGANIZATIONS_CALLS = frozenset({"MoveAccount", "CloseAccount", "RemoveAccountFromOrganization"})

MEMBERSHIP_EVENTS = frozenset({"AccountJoinedOrganization", "AccountDepartedOrganization"})
"""https://docs.aws.amazon.com/organizations/latest/APIReference/API_RemoveAccountFromOrganization.html"""

_ACCOUNT_ID = re.compile(r"[0-9]{12}")  # text, always: one account in ten begins with a zero

_EXAMPLES = '{"action": "reconcile"}, {"action": "reconcile", "accountId": "012345678901"} or {"action": "report"}'


class NotForUs(Exception):
    """The event requests nothing. The text says why."""


@dataclass(frozen=True)
class LifecycleRequest:
    """What to reconcile: one account, the accounts of one OU, or all accounts if neither is given.

    by_hand   an operator reads the answer, which names failures
    unshare   somebody has allowed to take pools away from any number of accounts
    """

    action: Literal["reconcile", "report"] = "reconcile"
    account_id: str = ""
    ou_id: str = ""
    dry_run: bool = False
    by_hand: bool = False
    unshare: bool = False

    @property
    def is_scheduled(self) -> bool:
        """Return whether it is a run over all accounts whose answer nobody reads."""
        return self.action == "reconcile" and not (self.account_id or self.ou_id or self.dry_run or self.by_hand)


def request_of(event: object) -> LifecycleRequest:
    """Return what an event or payload requests.

    The event rules filter too. This does not rely on them: an account that Control Tower failed to create has no OU.

    Raises   NotForUs if the event requests nothing, Refused if a payload is wrong
    """
    if not isinstance(event, Mapping):
        raise Refused(f"The payload must be a JSON object, for example {_EXAMPLES}.")
    if "action" in event:
        return _from_operator(event)
    if "detail-type" not in event:
        raise Refused(f"The payload is not an event and has no action. Send {_EXAMPLES}.")
    detail = _mapping_at(event, "detail")
    name = str(detail.get("eventName", "an event"))
    kind = (event.get("source"), event["detail-type"])
    if kind == ("aws.events", "Scheduled Event"):
        return LifecycleRequest()
    if kind == ("aws.controltower", SERVICE_EVENT) and name in STATUS_KEYS:
        return _from_control_tower(name, detail)
    if kind == ("aws.organizations", API_CALL) and name in ORGANIZATIONS_CALLS:
        return _from_organizations(name, detail)
    if kind[0] == "aws.organizations" and kind[1] in (API_CALL, SERVICE_EVENT) and name in MEMBERSHIP_EVENTS:
        return _from_membership(name, detail)
    raise NotForUs(f"{name} of {kind[0]}, {kind[1]}, requests nothing")


def _from_control_tower(name: str, detail: Mapping[str, Any]) -> LifecycleRequest:
    status = _mapping_at(_mapping_at(detail, "serviceEventDetails"), STATUS_KEYS[name])
    if status.get("state") != "SUCCEEDED":
        raise NotForUs(f"{name} is in state {status.get('state')}")
    if name == "RegisterOrganizationalUnit":
        ou_id = _mapping_at(status, "organizationalUnit").get("organizationalUnitId")
        if not isinstance(ou_id, str) or not OU_ID.fullmatch(ou_id):
            raise NotForUs(f"{name} has no OU id: {ou_id!r}")
        return LifecycleRequest(ou_id=ou_id)
    return LifecycleRequest(account_id=_account_id(name, _mapping_at(status, "account")))


def _from_organizations(name: str, detail: Mapping[str, Any]) -> LifecycleRequest:
    if detail.get("errorCode"):  # CloudTrail records refused calls too
        raise NotForUs(f"{name} was refused: {detail['errorCode']}")
    return LifecycleRequest(account_id=_account_id(name, _mapping_at(detail, "requestParameters")))


def _from_membership(name: str, detail: Mapping[str, Any]) -> LifecycleRequest:
    """Find the account in an event of Organizations; recipientAccountId is always the management account."""
    details = _mapping_at(detail, "serviceEventDetails")
    places = (
        details,
        _mapping_at(details, "account"),
        _mapping_at(detail, "requestParameters"),
        _mapping_at(detail, "additionalEventData"),
    )
    place = next((place for place in places if is_account_id(place.get("accountId"))), {})
    return LifecycleRequest(account_id=_account_id(name, place))


def _mapping_at(mapping: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    part = mapping.get(key)
    return part if isinstance(part, Mapping) else {}


def _account_id(name: str, parent: Mapping[str, Any]) -> str:
    account_id = parent.get("accountId", "")
    if not is_account_id(account_id):
        raise NotForUs(f"{name} has no account id of 12 digits: {account_id!r}")
    return account_id


def _from_operator(payload: Mapping[str, Any]) -> LifecycleRequest:
    allowed = {"reconcile": {"action", "accountId", "dryRun", "unshare", INVOCATION}, "report": {"action"}}
    action = payload["action"]
    if not isinstance(action, str) or action not in allowed:
        raise Refused(f"There is no action {action!r}. Send {_EXAMPLES}.")
    if unknown := sorted(str(key) for key in payload.keys() - allowed[action]):
        raise Refused(f"The action {action} takes no {', '.join(unknown)}. Send {_EXAMPLES}.")
    if "accountId" in payload and not is_account_id(payload["accountId"]):
        raise Refused(f'accountId must be text of 12 digits, for example "012345678901", not {payload["accountId"]!r}.')
    for name in ("dryRun", "unshare"):
        if not isinstance(payload.get(name, False), bool):
            raise Refused(f"{name} must be true or false, not {payload[name]!r}.")
    return LifecycleRequest(
        action=action,  # type: ignore[arg-type]  # it is one of the keys above
        account_id=payload.get("accountId", ""),
        dry_run=payload.get("dryRun", False),
        by_hand=INVOCATION not in payload,
        unshare=payload.get("unshare", False),
    )


def is_account_id(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and bool(_ACCOUNT_ID.fullmatch(value))
