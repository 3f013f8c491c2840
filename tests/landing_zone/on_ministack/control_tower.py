"""Control Tower, as far as automation sees it: accounts in OUs, its roles, and its lifecycle events.

Source  https://docs.aws.amazon.com/controltower/latest/userguide/lifecycle-events.html
        https://docs.aws.amazon.com/controltower/latest/userguide/enroll-account.html
        https://docs.aws.amazon.com/controltower/latest/userguide/access-control-managing-permissions.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from aws_models.models import Models
from landing_zone.on_ministack import events
from landing_zone.on_ministack.internals import organizations, provisioners, responses

ORGANIZATIONS_REGION = "us-east-1"  # where Organizations' events arrive, whatever the home Region
EXECUTION_ROLE = "AWSControlTowerExecution"
ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
MESSAGES = {
    ("Create", "SUCCEEDED"): "AWS Control Tower successfully created a managed account.",
    ("Update", "SUCCEEDED"): "AWS Control Tower successfully updated a managed account.",
    ("Create", "FAILED"): "AWS Control Tower failed to create a managed account.",
    ("Update", "FAILED"): "AWS Control Tower failed to update a managed account.",
}
Verb = Literal["Create", "Update"]


class ControlTower:
    def __init__(self, models: Models) -> None:
        self._organization = models.organization
        self._home_region = ""

    def set_up(
        self,
        management_account_id: str,
        home_region: str,
        organizational_units: list[dict[str, Any]],
    ) -> dict[str, Any]:
        """Create the organization and everything in it, and return their ids.

        organizational_units   [{"name": "Prod OU", "accounts": [{"id": "000000000042", "name": "shop"}],
                                 "organizational_units": [...]}, ...]
        Returns organization_id, root_id, and organizational_units as [{"id", "name", "parent_id"}, ...]
        """
        self._home_region = self._organization.home_region = home_region
        self._organization.management_account_id = management_account_id
        with self._in_management():
            organizations._ensure_org()
            self._organization.organization_id = organizations._orgs["self"]["Id"]
            organizations._accounts[management_account_id]["Name"] = "Management"
            root_id = next(iter(organizations._roots))
            self._make_stack_set_role()
        self.add_organizational_units(root_id, organizational_units)
        return {
            "organization_id": self._organization.organization_id,
            "root_id": root_id,
            "organizational_units": self.organizational_units(),
        }

    def organizational_units(self) -> list[dict[str, str]]:
        with self._in_management():
            return [
                {"id": ou["Id"], "name": ou["Name"], "parent_id": ou["_ParentId"]} for ou in organizations._ous.values()
            ]

    def add_organizational_units(self, parent_id: str, wanted: list[dict[str, Any]]) -> None:
        for ou in wanted:
            with self._in_management():
                answer = organizations._create_organizational_unit({"ParentId": parent_id, "Name": ou["name"]})
            ou_id = json.loads(answer[2])["OrganizationalUnit"]["Id"]
            for account in ou.get("accounts", []):
                self.add_account(account["id"], account.get("name", account["id"]), ou_id)
            self.add_organizational_units(ou_id, ou.get("organizational_units", []))

    def add_account(self, account_id: str, name: str, parent_id: str) -> None:
        """Add an enrolled account, without any event."""
        organization = self._organization
        with self._in_management():
            organizations._accounts[account_id] = {
                "Id": account_id,
                "Arn": f"arn:aws:organizations::{organization.management_account_id}:account/"
                f"{organization.organization_id}/{account_id}",
                "Email": _email(account_id),
                "Name": name,
                "Status": "ACTIVE",
                "JoinedMethod": "CREATED",
                "JoinedTimestamp": 1_700_000_000,
                "_ParentId": parent_id,
            }
        self.make_execution_role(account_id)

    def vend(self, account_id: str, name: str, ou: str, state: str = "SUCCEEDED") -> dict[str, Any]:
        """Vend an account as Account Factory does, with an event for the request and one for its end.

        A failed request creates no account.

        ou   id or name
        """
        ou_id, ou_name = self.find_ou(ou)
        asked = {"accountName": name, "accountEmail": _email(account_id), "parentOrganizationalUnitId": ou_id}
        self._emit_api_call("Create", asked)
        if state == "SUCCEEDED":
            self.add_account(account_id, name, ou_id)
        return self._emit_service_event("Create", account_id, name, (ou_id, ou_name), state)

    def update(self, account_id: str, ou: str | None = None, state: str = "SUCCEEDED") -> dict[str, Any]:
        """Update or re-enroll an account, in another OU if `ou` names one.

        If the account does not exist, its creation had failed: AWS calls the retry an update too.
        """
        with self._in_management():
            account = organizations._accounts.get(account_id)
        if account is None and ou is None:
            raise ValueError(f"{account_id} is no account yet, so the update must name its OU")
        ou_id, ou_name = self.find_ou(ou or account["_ParentId"])
        name = account["Name"] if account else account_id
        self._emit_api_call("Update", {"accountId": account_id, "parentOrganizationalUnitId": ou_id})
        if state == "SUCCEEDED" and account is None:
            self.add_account(account_id, name, ou_id)
        elif state == "SUCCEEDED":
            with self._in_management():
                organizations._accounts[account_id] = account | {"_ParentId": ou_id}
        return self._emit_service_event("Update", account_id, name, (ou_id, ou_name), state)

    def move(self, account_id: str, to: str) -> dict[str, Any]:
        """Move an account as Organizations does, with its event.

        to   id or name of an OU, or the root's id
        """
        with self._in_management():
            source = organizations._accounts[account_id]["_ParentId"]
            destination = to if to in organizations._roots else self.find_ou(to)[0]
            moving = {"AccountId": account_id, "SourceParentId": source, "DestinationParentId": destination}
            status, _, body = organizations._move_account(moving)
        if status != 200:
            raise ValueError(body.decode())
        self.organization_changed("MoveAccount", moving)
        return moving

    def close(self, account_id: str) -> dict[str, Any]:
        with self._in_management():
            organizations._close_account({"AccountId": account_id})
        self.organization_changed("CloseAccount", {"AccountId": account_id})
        return {"account_id": account_id}

    def organization_changed(self, action: str, request: Mapping[str, Any]) -> None:
        """Send an event of Organizations, in its only Region and to the management account."""
        parameters = {name[0].lower() + name[1:]: value for name, value in request.items()}
        detail = self._call_detail("organizations.amazonaws.com", action, parameters, ORGANIZATIONS_REGION)
        self._emit("aws.organizations", "AWS API Call via CloudTrail", detail, ORGANIZATIONS_REGION)

    def membership_changed(self, name: str, account_id: str, details: Mapping[str, Any]) -> None:
        """Send a membership event of Organizations. Its type and where it has the account's id are unverified.

        `vend` sends none, although AWS does: two events at a time would make the order of every test uncertain.
        """
        detail = self._service_detail("organizations.amazonaws.com", name, ORGANIZATIONS_REGION)
        detail["serviceEventDetails"] = {"accountId": account_id, **details}
        self._emit("aws.organizations", "AWS Service Event via CloudTrail", detail, ORGANIZATIONS_REGION)

    def find_ou(self, ou: str) -> tuple[str, str]:
        """Return id and name of the OU with this id or name. Raises ValueError unless exactly one has it."""
        found = [(one["id"], one["name"]) for one in self.organizational_units() if ou in (one["id"], one["name"])]
        if len(found) != 1:
            raise ValueError(f"{len(found)} OUs are called {ou}")
        return found[0]

    def emit(self, source: str, detail_type: str, detail: Mapping[str, Any]) -> None:
        """Send any other event of AWS in the management account's home Region."""
        self._emit(source, detail_type, detail, self._home_region)

    def _emit_api_call(self, verb: Verb, parameters: dict[str, Any]) -> None:
        detail = self._call_detail("controltower.amazonaws.com", f"{verb}ManagedAccount", parameters, self._home_region)
        self._emit("aws.controltower", "AWS API Call via CloudTrail", detail, self._home_region)

    def _emit_service_event(
        self, verb: Verb, account_id: str, name: str, ou: tuple[str, str], state: str
    ) -> dict[str, Any]:
        now = _now()
        status = {
            "organizationalUnit": {"organizationalUnitName": ou[1], "organizationalUnitId": ou[0]},
            "account": {"accountName": name, "accountId": account_id},
            "state": state,
            "message": MESSAGES[verb, state],
            "requestedTimestamp": f"{now}+0000",  # the two formats are AWS's
            "completedTimestamp": f"{now}+0000",
        }
        detail = self._service_detail("controltower.amazonaws.com", f"{verb}ManagedAccount", self._home_region)
        detail["serviceEventDetails"] = {f"{verb.lower()}ManagedAccountStatus": status}
        self._emit("aws.controltower", "AWS Service Event via CloudTrail", detail, self._home_region)
        return detail

    def _service_detail(self, source: str, name: str, region: str) -> dict[str, Any]:
        return {
            "eventVersion": "1.05",
            "userIdentity": {"accountId": self._organization.management_account_id, "invokedBy": "AWS Internal"},
            "eventTime": f"{_now()}Z",
            "eventSource": source,
            "eventName": name,
            "awsRegion": region,
            "sourceIPAddress": "AWS Internal",
            "userAgent": "AWS Internal",
            "eventID": responses.new_uuid(),
            "readOnly": False,
            "eventType": "AwsServiceEvent",
        }

    def _call_detail(self, source: str, name: str, parameters: Mapping[str, Any], region: str) -> dict[str, Any]:
        management = self._organization.management_account_id
        return {
            "eventVersion": "1.08",
            "userIdentity": {"type": "Root", "arn": f"arn:aws:iam::{management}:root", "accountId": management},
            "eventTime": f"{_now()}Z",
            "eventSource": source,
            "eventName": name,
            "awsRegion": region,
            "sourceIPAddress": "192.0.2.1",
            "requestParameters": dict(parameters),
            "responseElements": None,
            "eventID": responses.new_uuid(),
            "readOnly": False,
            "eventType": "AwsApiCall",
            "managementEvent": True,
            "recipientAccountId": management,
            "eventCategory": "Management",
        }

    def _emit(self, source: str, detail_type: str, detail: Mapping[str, Any], region: str) -> None:
        events.emit(self._organization.management_account_id, region, source, detail_type, detail)

    def _make_stack_set_role(self) -> None:
        _make_role(
            "AWSControlTowerStackSetRole",
            {"Service": "cloudformation.amazonaws.com"},
            Path="/service-role/",
            Policies=[
                {
                    "PolicyName": "AWSControlTowerStackSetRolePolicy",
                    "PolicyDocument": _policy("sts:AssumeRole", "arn:aws:iam::*:role/AWSControlTowerExecution"),
                }
            ],
        )

    def make_execution_role(self, account_id: str) -> None:
        """Create AWSControlTowerExecution in the account, as enrollment does."""
        management = self._organization.management_account_id
        with responses.request_scope(account_id, self._home_region):
            trusted = {"AWS": f"arn:aws:iam::{management}:root"}
            _make_role(EXECUTION_ROLE, trusted, ManagedPolicyArns=[ADMINISTRATOR])

    def remove_execution_role(self, account_id: str) -> None:
        """Delete AWSControlTowerExecution. When it is made again it is another role, with another unique id."""
        with responses.request_scope(account_id, self._home_region):
            provisioners._iam_role_delete(EXECUTION_ROLE, {})

    def _in_management(self) -> Any:
        return responses.request_scope(self._organization.management_account_id, self._home_region)


def _make_role(name: str, trusted: dict[str, str], **properties: Any) -> None:
    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": trusted, "Action": "sts:AssumeRole"}],
    }
    provisioners._iam_role_create(name, {"RoleName": name, "AssumeRolePolicyDocument": trust, **properties}, "")


def _policy(action: str, resource: str) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": resource}]}


def _email(account_id: str) -> str:
    return f"aws+{account_id}@example.com"


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S")
