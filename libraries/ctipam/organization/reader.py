"""Reads OUs and accounts from AWS Organizations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from ctipam.errors import code_of
from ctipam.organization.tree import AccountLocation, OrganizationalUnit, OrganizationTree, OuPath

if TYPE_CHECKING:
    from types_boto3_organizations.client import OrganizationsClient
    from types_boto3_organizations.type_defs import AccountTypeDef


NOT_FOUND = frozenset({"AccountNotFoundException", "ChildNotFoundException"})

ORGANIZATIONS_PAGE: Any = {"PageSize": 20}  # the most that Organizations allows


def state_of(account: AccountTypeDef) -> str:
    """Return ACTIVE, SUSPENDED, ... State replaced Status in September 2026; older SDKs know only Status."""
    return account.get("State") or account.get("Status", "")


def is_active_member(organizations: OrganizationsClient, account_id: str) -> bool:
    try:
        account = organizations.describe_account(AccountId=account_id)["Account"]
    except ClientError as error:
        if code_of(error) != "AccountNotFoundException":
            raise
        return False
    return state_of(account) == "ACTIVE"


def locate(
    organizations: OrganizationsClient, account_id: str, is_enough: Callable[[OrganizationalUnit], bool]
) -> AccountLocation | None:
    """Return where an account is now; None if it is not in the organization.

    is_enough   stops reading at this OU, so its parent OUs are left out. Reads no OU of an account that is not ACTIVE.
    """
    try:
        account = organizations.describe_account(AccountId=account_id)["Account"]
        active = state_of(account) == "ACTIVE"
        ou_path = tuple(_until(is_enough, parent_ous(organizations, account_id))) if active else ()
    except ClientError as error:
        if code_of(error) not in NOT_FOUND:
            raise
        return None
    return AccountLocation(account_id, state_of(account), account.get("JoinedTimestamp"), ou_path)


def _until(
    is_enough: Callable[[OrganizationalUnit], bool], ous: Iterable[OrganizationalUnit]
) -> Iterator[OrganizationalUnit]:
    for ou in ous:
        yield ou
        if is_enough(ou):
            return


def parent_ous(organizations: OrganizationsClient, child_id: str) -> Iterator[OrganizationalUnit]:
    """Yield the parent OUs of an account or OU, the nearest first, without the root. Reads each when it is needed."""
    while True:
        parent = organizations.list_parents(ChildId=child_id)["Parents"][0]  # there is always exactly one
        if parent["Type"] == "ROOT":
            return
        ou = _read_ou(organizations, parent["Id"])
        yield ou
        child_id = ou.ou_id


def find_roots(organizations: OrganizationsClient) -> list[str]:
    """Return the ids of the roots. An organization has one."""
    return [root["Id"] for page in organizations.get_paginator("list_roots").paginate() for root in page["Roots"]]


def find_ou_paths(organizations: OrganizationsClient, root_ids: Iterable[str]) -> list[OuPath]:
    """Return every OU with its parent OUs. Takes a call for each OU, and one for each 20 nested OUs."""
    return [path for _, path in _walk(organizations, root_ids, ()) if path]


def read_all(organizations: OrganizationsClient) -> OrganizationTree:
    """Return the whole organization. Takes a call for each 20 accounts, and two for each OU."""
    return _read_tree(organizations, find_roots(organizations), ())


def read_below(organizations: OrganizationsClient, ou_id: str) -> OrganizationTree:
    """Return the accounts in an OU and in its nested OUs; an empty tree if the OU does not exist."""
    try:
        ou = _read_ou(organizations, ou_id)
        parents = tuple(parent_ous(organizations, ou_id))
    except ClientError as error:
        if code_of(error) not in ("OrganizationalUnitNotFoundException", "ChildNotFoundException"):
            raise
        return OrganizationTree((), ())
    return _read_tree(organizations, [ou_id], (ou, *parents))


def _read_ou(organizations: OrganizationsClient, ou_id: str) -> OrganizationalUnit:
    ou = organizations.describe_organizational_unit(OrganizationalUnitId=ou_id)["OrganizationalUnit"]
    return OrganizationalUnit(ou["Id"], ou["Name"])


def _read_tree(organizations: OrganizationsClient, parent_ids: Iterable[str], parents: OuPath) -> OrganizationTree:
    ous: list[OrganizationalUnit] = []
    locations: list[AccountLocation] = []
    for parent_id, path in _walk(organizations, parent_ids, parents):
        ous += path[:1]
        pages = organizations.get_paginator("list_accounts_for_parent").paginate(
            ParentId=parent_id, PaginationConfig=ORGANIZATIONS_PAGE
        )
        for account in (account for page in pages for account in page["Accounts"]):
            locations.append(AccountLocation(account["Id"], state_of(account), account.get("JoinedTimestamp"), path))
    return OrganizationTree(tuple(ous), tuple(locations))


def _walk(
    organizations: OrganizationsClient, parent_ids: Iterable[str], parents: OuPath
) -> Iterator[tuple[str, OuPath]]:
    """Yield these roots or OUs and all their nested OUs: the id of each, and the OU path of an account in it."""
    to_do = [(parent_id, parents) for parent_id in parent_ids]
    while to_do:
        parent_id, path = to_do.pop()
        yield parent_id, path
        for page in organizations.get_paginator("list_organizational_units_for_parent").paginate(
            ParentId=parent_id, PaginationConfig=ORGANIZATIONS_PAGE
        ):
            for row in page["OrganizationalUnits"]:
                to_do.append((row["Id"], (OrganizationalUnit(row["Id"], row["Name"]), *path)))
