"""The requests that the lifecycle function reads from events and payloads."""

from __future__ import annotations

import contextlib
import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctipam.errors import Refused
from ctipam.organization.events import LifecycleRequest, NotForUs, request_of

CREATED: dict[str, Any] = json.loads((Path(__file__).parent / "create_managed_account.json").read_text())
MOVED: dict[str, Any] = {
    "source": "aws.organizations",
    "detail-type": "AWS API Call via CloudTrail",
    "detail": {"eventName": "MoveAccount", "requestParameters": {"accountId": "012345678901"}},
}


def event(**changed: Any) -> dict[str, Any]:
    """Return the documented event with changes to its status."""
    copied = copy.deepcopy(CREATED)
    copied["detail"]["serviceEventDetails"]["createManagedAccountStatus"].update(changed)
    return copied


def renamed(source: dict[str, Any], name: str) -> dict[str, Any]:
    copied = copy.deepcopy(source)
    copied["detail"]["eventName"] = name
    details = copied["detail"]["serviceEventDetails"]
    details[f"{name[0].lower()}{name[1:]}Status"] = details.pop("createManagedAccountStatus")
    return copied


def of_organizations(**changed: Any) -> dict[str, Any]:
    return MOVED | {"detail": MOVED["detail"] | changed}


def test_the_id_of_a_created_account_keeps_its_leading_zero() -> None:
    assert request_of(CREATED) == LifecycleRequest(account_id="012345678901")


def test_an_updated_account_is_requested_because_a_retried_creation_is_an_update() -> None:
    assert request_of(renamed(CREATED, "UpdateManagedAccount")).account_id == "012345678901"


def test_a_registered_ou_is_requested_by_its_id() -> None:
    request = request_of(renamed(CREATED, "RegisterOrganizationalUnit"))

    assert (request.ou_id, request.account_id) == ("ou-ab12-l3zc8b3h", "")


@pytest.mark.parametrize("name", ["MoveAccount", "CloseAccount", "RemoveAccountFromOrganization"])
def test_an_event_of_organizations_requests_its_account(name: str) -> None:
    assert request_of(of_organizations(eventName=name)) == LifecycleRequest(account_id="012345678901")


@pytest.mark.parametrize("kind", ["AWS API Call via CloudTrail", "AWS Service Event via CloudTrail"])
@pytest.mark.parametrize("name", ["AccountJoinedOrganization", "AccountDepartedOrganization"])
@pytest.mark.parametrize(
    "part",
    [
        {"serviceEventDetails": {"accountId": "012345678901", "departureMethod": "LEFT"}},
        {"serviceEventDetails": {"account": {"accountId": "012345678901"}}},
        {"requestParameters": {"accountId": "012345678901"}},
        {"additionalEventData": {"accountId": "012345678901"}},
    ],
    ids=lambda part: next(iter(part)),
)
def test_a_membership_event_requests_its_account_wherever_it_has_the_id(
    name: str, kind: str, part: dict[str, Any]
) -> None:
    detail = {"eventName": name, "requestParameters": None, "recipientAccountId": "111111111111", **part}

    request = request_of({"source": "aws.organizations", "detail-type": kind, "detail": detail})

    assert request == LifecycleRequest(account_id="012345678901")


def test_a_membership_event_without_an_id_is_ignored() -> None:
    detail = {"eventName": "AccountDepartedOrganization", "recipientAccountId": "111111111111"}

    with pytest.raises(NotForUs, match="no account id"):
        request_of({"source": "aws.organizations", "detail-type": "AWS Service Event via CloudTrail", "detail": detail})


def test_the_schedule_requests_all_accounts() -> None:
    request = request_of({"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}})

    assert request == LifecycleRequest()
    assert request.is_scheduled


@pytest.mark.parametrize(
    "more",
    [{"action": "report"}, {"account_id": "012345678901"}, {"ou_id": "ou-ab12-l3zc8b3h"}, {"dry_run": True},
     {"by_hand": True}],
    ids=str,
)  # fmt: skip
def test_a_run_that_somebody_asked_for_is_not_one_of_the_schedule(more: dict[str, Any]) -> None:
    assert not LifecycleRequest(**more).is_scheduled


@pytest.mark.parametrize(
    ("payload", "request_"),
    [
        ({"action": "reconcile"}, LifecycleRequest(by_hand=True)),
        ({"action": "reconcile", "accountId": "012345678901", "dryRun": True},
         LifecycleRequest(account_id="012345678901", dry_run=True, by_hand=True)),
        ({"action": "reconcile", "unshare": True}, LifecycleRequest(unshare=True, by_hand=True)),
        ({"action": "report"}, LifecycleRequest("report", by_hand=True)),
        ({"action": "reconcile", "CtipamInvocation": {"number": 2}}, LifecycleRequest()),
    ],
    ids=["all accounts", "one account, dry run", "any losses", "report", "a continuation, whose answer nobody reads"],
)  # fmt: skip
def test_the_payload_of_an_operator_is_read(payload: dict[str, Any], request_: LifecycleRequest) -> None:
    assert request_of(payload) == request_


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (event(state="FAILED"), "state FAILED"),
        (renamed(event(state="FAILED"), "UpdateManagedAccount"), "state FAILED"),
        (renamed(event(state="FAILED"), "RegisterOrganizationalUnit"), "state FAILED"),
        (renamed(event(organizationalUnit=None), "RegisterOrganizationalUnit"), "no OU id"),
        (event(account={"accountName": "none yet"}), "no account id"),
        (event(account=None), "no account id"),
        (event(account={"accountId": 12345678901}), "no account id"),
        (CREATED | {"detail-type": "AWS API Call via CloudTrail"}, "CreateManagedAccount of .* requests nothing"),
        (CREATED | {"source": "aws.ec2"}, "CreateManagedAccount of aws.ec2.* requests nothing"),
        (CREATED | {"detail": {"eventName": "SetupLandingZone"}}, "SetupLandingZone of .* requests nothing"),
        (CREATED | {"detail": {"eventName": ["CreateManagedAccount"]}}, "requests nothing"),
        (CREATED | {"detail": None}, "an event of .* requests nothing"),
        (of_organizations(errorCode="AccessDenied"), "MoveAccount was refused: AccessDenied"),
        (of_organizations(requestParameters=None), "no account id"),
        (of_organizations(eventName="CreateAccount"), "CreateAccount of .* requests nothing"),
        (MOVED | {"detail-type": "AWS Service Event via CloudTrail"}, "MoveAccount of .* requests nothing"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_any_other_event_is_ignored_with_a_reason(other: dict[str, Any], reason: str) -> None:
    with pytest.raises(NotForUs, match=reason):
        request_of(other)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=15),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=15), inner, max_size=3),
    max_leaves=8,
)
KEYS = ["source", "detail-type", "detail", "action", "accountId", "dryRun", "eventName", "serviceEventDetails"]
WORDS = ["aws.controltower", "aws.organizations", "AWS API Call via CloudTrail", "MoveAccount", "reconcile", "report"]


@given(JSON | st.dictionaries(st.sampled_from(KEYS), JSON | st.sampled_from(WORDS)))
def test_any_json_is_read_ignored_or_refused(payload: Any) -> None:
    with contextlib.suppress(NotForUs, Refused):
        assert request_of(payload).action in ("reconcile", "report")


@pytest.mark.parametrize("key", ["detail", "serviceEventDetails", "createManagedAccountStatus", "account"])
@given(junk=JSON)
def test_an_event_with_any_invalid_part_is_ignored(key: str, junk: Any) -> None:
    broken = copy.deepcopy(CREATED)
    part = broken
    for name in ("detail", "serviceEventDetails", "createManagedAccountStatus", "account"):
        if name == key:
            part[name] = junk
            break
        part = part[name]

    with pytest.raises(NotForUs):
        request_of(broken)
