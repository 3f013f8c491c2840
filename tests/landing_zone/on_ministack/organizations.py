"""Organizations: one organization for all its accounts, small pages, and delegated administrators.

ministack keeps a separate organization for each calling account, and returns every list in one page.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from aws_models.models import Models
from aws_models.protocol import HttpAnswer
from landing_zone.on_ministack.ec2 import Handler
from landing_zone.on_ministack.internals import organizations, responses

PAGED = {
    "ListAccounts": "Accounts",
    "ListAccountsForParent": "Accounts",
    "ListOrganizationalUnitsForParent": "OrganizationalUnits",
    "ListDelegatedAdministrators": "DelegatedAdministrators",
    "ListDelegatedServicesForAccount": "DelegatedServices",
    "ListRoots": "Roots",
    "ListParents": "Parents",
    "ListPoliciesForTarget": "Policies",
    "ListAWSServiceAccessForOrganization": "EnabledServicePrincipals",
}
EMPTY_FIRST = ("ListParents", "ListRoots")
"""Lists of one item, which begin with an empty page here: AWS has such pages occasionally, in any list.
https://docs.aws.amazon.com/organizations/latest/APIReference/API_ListParents.html"""
FULL_ACCESS = "p-FullAWSAccess"
"""AWS attaches it to every root, OU and account; ministack, to the root."""
CHANGES = ("MoveAccount", "CloseAccount", "RemoveAccountFromOrganization")
JOINED, DEPARTED = "AccountJoinedOrganization", "AccountDepartedOrganization"
STATES = {"ACTIVE": "ACTIVE", "SUSPENDED": "CLOSED"}
"""The State of an account by what was its Status, which AWS answers no longer since September 9, 2026.
https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_accounts_account_state.html
https://github.com/aws-ia/terraform-aws-control_tower_account_factory/issues/627"""

SINCE = 1_700_000_000  # seconds since 1970, for every date that nothing depends on

Payload = dict[str, Any]


class Organizations:
    """Answer for the organization, with ministack's Organizations behind it.

    changed      called with action and request for each change that CloudTrail would record
    membership   called with JOINED or DEPARTED, the account's id, and what the event says beside
    """

    def __init__(
        self,
        models: Models,
        rest: Handler,
        changed: Callable[[str, Payload], None],
        membership: Callable[[str, str, Payload], None],
        page_size: int = 5,
    ) -> None:
        self._organization = models.organization
        self._rest = rest
        self._changed = changed
        self._membership = membership
        self._page_size = page_size
        self._own: dict[str, Callable[[Payload], Payload]] = {
            "ListDelegatedAdministrators": self._delegated_administrators,
            "ListDelegatedServicesForAccount": self._delegated_services,
            "ListAWSServiceAccessForOrganization": self._trusted_services,
            "EnableAWSServiceAccess": lambda asked: self._trust(asked, True),
            "DisableAWSServiceAccess": lambda asked: self._trust(asked, False),
            "RegisterDelegatedAdministrator": self._register,
            "DeregisterDelegatedAdministrator": self._deregister,
            "UpdateOrganizationalUnit": self._rename,
        }

    async def handle_request(
        self, method: str, path: str, headers: dict[str, str], body: bytes, query_params: dict[str, list[str]]
    ) -> HttpAnswer:
        action = headers.get("x-amz-target", "").rsplit(".", 1)[-1]
        asked: Payload = json.loads(body or b"{}")
        account_id = responses.get_account_id()
        if not self._organization.is_member(account_id):
            return await self._rest(method, path, headers, body, query_params)
        if not self._may_ask(account_id, action):
            return _refusal("AccessDeniedException", "You don't have permissions to access this resource.")
        with responses.request_scope(self._organization.management_account_id, responses.get_region()):
            if refusal := _refused(action, asked):
                return refusal
            if action in self._own:
                answer = _answer(self._own[action](asked))
            else:
                answer = await self._rest(method, path, headers, body, query_params)
            if answer[0] == 200:
                self._tell(action, asked, account_id, answer)
            return self._page(action, asked, answer)

    def _tell(self, action: str, asked: Payload, caller: str, answer: HttpAnswer) -> None:
        """Send the events of a change.

        https://docs.aws.amazon.com/organizations/latest/APIReference/API_RemoveAccountFromOrganization.html
        """
        if action in CHANGES:
            self._changed(action, asked)
        if action == "CreateAccount":
            created = json.loads(answer[2])["CreateAccountStatus"]["AccountId"]
            self._membership(JOINED, created, {"joinedMethod": "CREATED"})
        elif action == "RemoveAccountFromOrganization":
            self._membership(DEPARTED, asked["AccountId"], {"departureMethod": "REMOVED"})
        elif action == "LeaveOrganization":
            self._membership(DEPARTED, caller, {"departureMethod": "LEFT"})

    def _may_ask(self, account_id: str, action: str) -> bool:
        """Return whether the account may call the action.

        The management account may call all, a delegated administrator may read, others may DescribeOrganization.
        """
        if account_id == self._organization.management_account_id or action == "DescribeOrganization":
            return True
        delegated = account_id in self._organization.delegated_administrators.values()
        return delegated and action.startswith(("List", "Describe"))

    def _page(self, action: str, asked: Payload, answer: HttpAnswer) -> HttpAnswer:
        if answer[0] != 200:
            return answer
        content = json.loads(answer[2])
        for account in [*content.get("Accounts", []), *filter(None, [content.get("Account")])]:
            account["State"] = STATES[account.pop("Status")]
            account["Paths"] = [_path(account["Id"], self._organization.organization_id)]
        if (action, asked.get("Filter")) == ("ListPoliciesForTarget", "SERVICE_CONTROL_POLICY"):
            content["Policies"] = _with_full_access(content["Policies"])
        if action in PAGED:
            start = int(asked.get("NextToken") or 0)
            size = min(int(asked.get("MaxResults") or self._page_size), 20)
            end = start + (0 if action in EMPTY_FIRST and "NextToken" not in asked else size)
            everything = content[PAGED[action]]
            content[PAGED[action]] = everything[start:end]
            if end < len(everything):
                content["NextToken"] = str(end)
        return _answer(content)

    def _delegated_administrators(self, asked: Payload) -> Payload:
        service = asked.get("ServicePrincipal")
        ids = {
            account_id
            for principal, account_id in self._organization.delegated_administrators.items()
            if service in (None, principal)
        }
        accounts = [organizations._public_account(organizations._accounts[account_id]) for account_id in sorted(ids)]
        return {
            "DelegatedAdministrators": [
                {key: value for key, value in account.items() if key not in ("Path", "Status")}
                | {"State": STATES[account["Status"]], "DelegationEnabledDate": SINCE}
                for account in accounts
            ]
        }

    def _delegated_services(self, asked: Payload) -> Payload:
        services = self._organization.delegated_administrators.items()
        return {
            "DelegatedServices": [
                {"ServicePrincipal": principal, "DelegationEnabledDate": SINCE}
                for principal, account_id in sorted(services)
                if account_id == asked["AccountId"]
            ]
        }

    def _trusted_services(self, _asked: Payload) -> Payload:
        services = sorted(self._organization.trusted_services)
        return {"EnabledServicePrincipals": [{"ServicePrincipal": name, "DateEnabled": SINCE} for name in services]}

    def _trust(self, asked: Payload, trusted: bool) -> Payload:
        """Set the trust of a service. RAM's sharing with the organization needs RAM's own call as well."""
        services = self._organization.trusted_services
        (services.add if trusted else services.discard)(asked["ServicePrincipal"])
        return {}

    def _register(self, asked: Payload) -> Payload:
        self._organization.delegated_administrators[asked["ServicePrincipal"]] = asked["AccountId"]
        return {}

    def _deregister(self, asked: Payload) -> Payload:
        self._organization.delegated_administrators.pop(asked["ServicePrincipal"], None)
        return {}

    def _rename(self, asked: Payload) -> Payload:
        """Rename an OU, which ministack does not know."""
        unit = organizations._ous[asked["OrganizationalUnitId"]]
        unit["Name"] = asked.get("Name", unit["Name"])
        return {"OrganizationalUnit": organizations._public_ou(unit)}


def _with_full_access(policies: list[Payload]) -> list[Payload]:
    """Return the service control policies of a target, with the one that AWS attaches to each."""
    others = [policy for policy in policies if policy["Id"] != FULL_ACCESS]
    return [organizations._policy_summary(organizations._policies[FULL_ACCESS]), *others]


def _refused(action: str, asked: Payload) -> HttpAnswer | None:
    """Return the refusal of a request that AWS refuses and ministack accepts."""
    parents = ("ROOT", "ORGANIZATIONAL_UNIT")
    if action.endswith("ForParent") and organizations._target(asked.get("ParentId"))[1] not in parents:
        return _refusal("ParentNotFoundException", f"We can't find a parent with the ParentId {asked['ParentId']}.")
    if action == "MoveAccount":
        account = organizations._accounts.get(asked.get("AccountId"))
        if account and account["_ParentId"] != asked.get("SourceParentId"):
            return _refusal("SourceParentNotFoundException", "The account is not in the SourceParentId that you gave.")
    if action in ("CreateOrganizationalUnit", "UpdateOrganizationalUnit"):
        own = organizations._ous.get(asked.get("OrganizationalUnitId"), {})
        parent_id = asked.get("ParentId", own.get("_ParentId"))
        others = [ou for ou in organizations._ous.values() if ou is not own]
        siblings = [ou["Name"] for ou in others if ou["_ParentId"] == parent_id]
        if asked.get("Name") in siblings:
            return _refusal(
                "DuplicateOrganizationalUnitException", f"There is an OU named {asked['Name']} there already."
            )
    return None


def _path(account_id: str, organization_id: str) -> str:
    place, parts = organizations._accounts[account_id]["_ParentId"], [account_id]
    while place in organizations._ous:
        parts.append(place)
        place = organizations._ous[place]["_ParentId"]
    return "/".join([organization_id, place, *reversed(parts)]) + "/"


def _answer(content: Payload) -> HttpAnswer:
    return 200, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(content).encode()


def _refusal(code: str, message: str) -> HttpAnswer:
    answer: HttpAnswer = organizations.error_response_json(code, message, 400)
    return answer
