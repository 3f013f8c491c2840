"""AWS Organizations: who is where."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from ctipam.errors import code_of
from ctipam.organization.tree import AccountLocation, OrganizationalUnit, OrganizationTree, OuPath

if TYPE_CHECKING:
    from types_boto3_organizations.client import OrganizationsClient
    from types_boto3_organizations.type_defs import AccountTypeDef


GONE = frozenset({"AccountNotFoundException", "ChildNotFoundException"})

PAGE: Any = {"PageSize": 20}  # the most that Organizations allows


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
) -> AccountLocation | None:
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
    return AccountLocation(account_id, state_of(account), account.get("JoinedTimestamp"), units)


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


def find_roots(organizations: OrganizationsClient) -> list[str]:
    """Ids; AWS gives an organization one."""
    return [root["Id"] for page in organizations.get_paginator("list_roots").paginate() for root in page["Roots"]]


def find_units(organizations: OrganizationsClient, root_ids: Iterable[str]) -> list[OuPath]:
    """Every OU, with those that it is in: a call for each, and one for each 20 in an OU."""
    return [chain for _, chain in _walk(organizations, root_ids, ()) if chain]


def read_all(organizations: OrganizationsClient) -> OrganizationTree:
    """The whole organization: a call for each 20 accounts, and two for each OU."""
    return _read(organizations, find_roots(organizations), ())


def read_below(organizations: OrganizationsClient, ou_id: str) -> OrganizationTree:
    """The accounts in an OU and in the OUs that it encloses; none if there is no such OU any more."""
    try:
        unit = _unit(organizations, ou_id)
        above = tuple(units_above(organizations, ou_id))
    except ClientError as error:
        if code_of(error) not in ("OrganizationalUnitNotFoundException", "ChildNotFoundException"):
            raise
        return OrganizationTree((), ())
    return _read(organizations, [ou_id], (unit, *above))


def _unit(organizations: OrganizationsClient, ou_id: str) -> OrganizationalUnit:
    unit = organizations.describe_organizational_unit(OrganizationalUnitId=ou_id)["OrganizationalUnit"]
    return OrganizationalUnit(unit["Id"], unit["Name"])


def _read(organizations: OrganizationsClient, parent_ids: Iterable[str], enclosing: OuPath) -> OrganizationTree:
    units: list[OrganizationalUnit] = []
    places: list[AccountLocation] = []
    for parent_id, chain in _walk(organizations, parent_ids, enclosing):
        units += chain[:1]
        pages = organizations.get_paginator("list_accounts_for_parent").paginate(
            ParentId=parent_id, PaginationConfig=PAGE
        )
        for account in (account for page in pages for account in page["Accounts"]):
            places.append(AccountLocation(account["Id"], state_of(account), account.get("JoinedTimestamp"), chain))
    return OrganizationTree(tuple(units), tuple(places))


def _walk(
    organizations: OrganizationsClient, parent_ids: Iterable[str], enclosing: OuPath
) -> Iterator[tuple[str, OuPath]]:
    """These, roots or OUs, and every OU below them, by their ids; each with the OUs that an account in it is in."""
    to_do = [(parent_id, enclosing) for parent_id in parent_ids]
    while to_do:
        parent_id, chain = to_do.pop()
        yield parent_id, chain
        for page in organizations.get_paginator("list_organizational_units_for_parent").paginate(
            ParentId=parent_id, PaginationConfig=PAGE
        ):
            for row in page["OrganizationalUnits"]:
                to_do.append((row["Id"], (OrganizationalUnit(row["Id"], row["Name"]), *chain)))
