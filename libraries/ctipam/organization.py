"""AWS Organizations: who is where, and what the organization must allow before pools can be shared."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from ctipam.errors import Refused, code_of
from ctipam.logs import decided
from ctipam.sessions import Account

if TYPE_CHECKING:
    from types_boto3_organizations.client import OrganizationsClient
    from types_boto3_organizations.type_defs import AccountTypeDef

RAM, IPAM = "ram.amazonaws.com", "ipam.amazonaws.com"


GONE = frozenset({"AccountNotFoundException", "ChildNotFoundException"})

PAGE: Any = {"PageSize": 20}  # the most that Organizations allows


@dataclass(frozen=True)
class OrganizationalUnit:
    ou_id: str
    name: str


@dataclass(frozen=True)
class Place:
    """Where an account is.

    state   ACTIVE, SUSPENDED, PENDING_CLOSURE, ...
    joined  when it joined the organization
    units   its OUs, the nearest first, without the root; only as many as were asked for
    """

    account_id: str
    state: str
    joined: datetime | None = None
    units: tuple[OrganizationalUnit, ...] = ()


@dataclass(frozen=True)
class Tree:
    """All OUs and accounts below the root, or below one OU and with it."""

    units: tuple[OrganizationalUnit, ...]
    places: tuple[Place, ...]


def state_of(account: AccountTypeDef) -> str:
    """ACTIVE, SUSPENDED, ... State replaces Status, which ended in September 2026; older SDKs know only the latter."""
    return account.get("State") or account.get("Status", "")


def is_active_member(organizations: OrganizationsClient, account_id: str) -> bool:
    try:
        account = organizations.describe_account(AccountId=account_id)["Account"]
    except ClientError as error:
        if code_of(error) != "AccountNotFoundException":
            raise
        return False
    return state_of(account) == "ACTIVE"


def place_of(
    organizations: OrganizationsClient, account_id: str, enough: Callable[[OrganizationalUnit], bool]
) -> Place | None:
    """Where an account is now; None if it is not in the organization.

    enough   the OUs that enclose this one are not asked for; of an account that is not ACTIVE, none is
    """
    try:
        account = organizations.describe_account(AccountId=account_id)["Account"]
        active = state_of(account) == "ACTIVE"
        units = tuple(_until(enough, units_above(organizations, account_id))) if active else ()
    except ClientError as error:
        if code_of(error) not in GONE:
            raise
        return None
    return Place(account_id, state_of(account), account.get("JoinedTimestamp"), units)


def _until(
    enough: Callable[[OrganizationalUnit], bool], units: Iterable[OrganizationalUnit]
) -> Iterator[OrganizationalUnit]:
    for unit in units:
        yield unit
        if enough(unit):
            return


def units_above(organizations: OrganizationsClient, child_id: str) -> Iterator[OrganizationalUnit]:
    """The OUs that an account or OU is in, the nearest first, without the root. Read one by one, as needed."""
    while True:
        parent = organizations.list_parents(ChildId=child_id)["Parents"][0]  # there is always exactly one
        if parent["Type"] == "ROOT":
            return
        unit = _unit(organizations, parent["Id"])
        yield unit
        child_id = unit.ou_id


def read_all(organizations: OrganizationsClient) -> Tree:
    """The whole organization: a call for each 20 accounts, and two for each OU."""
    roots = [root["Id"] for page in organizations.get_paginator("list_roots").paginate() for root in page["Roots"]]
    return _read(organizations, roots, ())


def read_below(organizations: OrganizationsClient, ou_id: str) -> Tree:
    """The accounts in an OU and in the OUs that it encloses; none if there is no such OU any more."""
    try:
        unit = _unit(organizations, ou_id)
        above = tuple(units_above(organizations, ou_id))
    except ClientError as error:
        if code_of(error) not in ("OrganizationalUnitNotFoundException", "ChildNotFoundException"):
            raise
        return Tree((), ())
    return _read(organizations, [ou_id], (unit, *above))


def _unit(organizations: OrganizationsClient, ou_id: str) -> OrganizationalUnit:
    unit = organizations.describe_organizational_unit(OrganizationalUnitId=ou_id)["OrganizationalUnit"]
    return OrganizationalUnit(unit["Id"], unit["Name"])


def _read(
    organizations: OrganizationsClient, parent_ids: Iterable[str], enclosing: tuple[OrganizationalUnit, ...]
) -> Tree:
    units, places = list(enclosing[:1]), []
    to_do = [(parent_id, enclosing) for parent_id in parent_ids]
    while to_do:
        parent_id, above = to_do.pop()
        for accounts in organizations.get_paginator("list_accounts_for_parent").paginate(
            ParentId=parent_id, PaginationConfig=PAGE
        ):
            for account in accounts["Accounts"]:
                places.append(Place(account["Id"], state_of(account), account.get("JoinedTimestamp"), above))
        for page in organizations.get_paginator("list_organizational_units_for_parent").paginate(
            ParentId=parent_id, PaginationConfig=PAGE
        ):
            for row in page["OrganizationalUnits"]:
                unit = OrganizationalUnit(row["Id"], row["Name"])
                units.append(unit)
                to_do.append((unit.ou_id, (unit, *above)))
    return Tree(tuple(units), tuple(places))


def set_up(management: Account, management_account_id: str, network_account_id: str) -> str:
    """Custom::OrganizationSetup: let the Networking account administer IPAM and share through RAM; return the org's id.

    Each is switched on only if it is not, and never off: other stacks may rely on it. Raises Refused.
    """
    organizations = management.organizations()
    organization = organizations.describe_organization()["Organization"]
    if organization["MasterAccountId"] != management_account_id:
        raise Refused(
            f"Account {management_account_id} is not the management account of {organization['Id']}; "
            f"deploy this stack in account {organization['MasterAccountId']}."
        )
    if network_account_id == management_account_id:
        raise Refused(f"NetworkAccountId {network_account_id} is the management account, which cannot administer IPAM.")
    if not is_active_member(organizations, network_account_id):
        raise Refused(f"NetworkAccountId {network_account_id} is not an active account of {organization['Id']}.")
    _ensure_ram_sharing(management)
    _ensure_ipam_administrator(management, network_account_id)
    return organization["Id"]


def _ensure_ram_sharing(management: Account) -> None:
    pages = management.organizations().get_paginator("list_aws_service_access_for_organization").paginate()
    trusted = {service["ServicePrincipal"] for page in pages for service in page["EnabledServicePrincipals"]}
    if RAM not in trusted:
        # Not organizations:EnableAWSServiceAccess, which leaves out RAM's service-linked role.
        # https://docs.aws.amazon.com/ram/latest/userguide/getting-started-sharing.html
        management.ram().enable_sharing_with_aws_organization()
        decided("switched on RAM sharing with the organization")


def _ensure_ipam_administrator(management: Account, network_account_id: str) -> None:
    pages = management.organizations().get_paginator("list_delegated_administrators").paginate(ServicePrincipal=IPAM)
    administrators = [account["Id"] for page in pages for account in page["DelegatedAdministrators"]]
    if not administrators:
        # Not organizations:RegisterDelegatedAdministrator, after which IPAM monitors nothing.
        # https://docs.aws.amazon.com/vpc/latest/ipam/enable-integ-ipam.html
        management.ec2().enable_ipam_organization_admin_account(DelegatedAdminAccountId=network_account_id)
        decided("made the Networking account IPAM's delegated administrator", account=network_account_id)
    elif network_account_id not in administrators:
        raise Refused(
            f"IPAM's delegated administrator is account {administrators[0]}, and an organization has only one; "
            f"use it as NetworkAccountId, or disable it in IPAM's settings first."
        )
