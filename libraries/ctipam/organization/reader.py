"""Reads OUs and accounts from AWS Organizations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from ctipam.errors import code_of
from ctipam.names import IPAM_SERVICE, OU_ID
from ctipam.organization.tree import AccountLocation, OrganizationalUnit, OrganizationTree, OuPath

if TYPE_CHECKING:
    from types_boto3_organizations.client import OrganizationsClient
    from types_boto3_organizations.type_defs import AccountTypeDef


NOT_FOUND = frozenset({"AccountNotFoundException", "ChildNotFoundException", "OrganizationalUnitNotFoundException"})

ORGANIZATIONS_PAGE: Any = {"PageSize": 20}  # the most that Organizations allows

Place = tuple[str, OuPath]
"""The id of a root or OU, and the OU path of an account in it."""

SideBySide = Callable[[Callable[[Place], Any], Iterable[Place]], Iterable[Any]]
"""The function map, or that of an executor."""


def state_of(account: AccountTypeDef) -> str:
    """Return ACTIVE, SUSPENDED, ...; ACTIVE if the SDK does not know it: State replaced Status in September 2026, and
    older SDKs know only Status, which AWS may answer no longer.
    https://docs.aws.amazon.com/organizations/latest/APIReference/API_Account.html
    """
    return account.get("State") or account.get("Status") or "ACTIVE"


def is_active_member(organizations: OrganizationsClient, account_id: str) -> bool:
    try:
        account = organizations.describe_account(AccountId=account_id)["Account"]
    except ClientError as error:
        if code_of(error) != "AccountNotFoundException":
            raise
        return False
    return state_of(account) == "ACTIVE"


def locate(
    organizations: OrganizationsClient, account_id: str, is_enough: Callable[[str], bool] = lambda _ou_id: False
) -> AccountLocation | None:
    """Return where an account is now; None if it is not in the organization. The OUs have no names: see `name_ous`.

    is_enough   stops reading at the OU of this id, so its parent OUs may be left out. Reads no OU of an account that is
                not ACTIVE.
    """
    try:
        account = organizations.describe_account(AccountId=account_id)["Account"]
        ou_ids: Iterable[str] = ()
        if state_of(account) == "ACTIVE":
            ou_ids = _ous_in_path(account) or _until(is_enough, _parent_ids(organizations, account_id))
        path = tuple(OrganizationalUnit(ou_id, "") for ou_id in ou_ids)
    except ClientError as error:
        if code_of(error) not in NOT_FOUND:
            raise
        return None
    return AccountLocation(account_id, state_of(account), account.get("JoinedTimestamp"), path, account.get("Name", ""))


def _ous_in_path(account: AccountTypeDef) -> list[str]:
    """Return the ids of the OUs in the path of an account, the nearest first; nothing if it is to be asked for.

    Older SDKs do not know Paths. An account in the root has no OU in its path, which is not worth another rule here.
    https://docs.aws.amazon.com/organizations/latest/APIReference/API_Account.html
    """
    paths = account.get("Paths", [])
    return OU_ID.findall(paths[0])[::-1] if len(paths) == 1 else []


def _until(is_enough: Callable[[str], bool], ou_ids: Iterable[str]) -> Iterator[str]:
    for ou_id in ou_ids:
        yield ou_id
        if is_enough(ou_id):
            return


def _parent_ids(organizations: OrganizationsClient, child_id: str) -> Iterator[str]:
    """Yield the ids of the parent OUs of an account or OU, the nearest first, without the root."""
    while True:
        pages = organizations.get_paginator("list_parents").paginate(ChildId=child_id)
        (parent,) = (parent for page in pages for parent in page["Parents"])  # a page may be empty before the last
        if parent["Type"] == "ROOT":
            return
        child_id = parent["Id"]
        yield child_id


def find_ou(organizations: OrganizationsClient, ou_id: str) -> OrganizationalUnit | None:
    """Return an OU; None if it does not exist."""
    try:
        ou = organizations.describe_organizational_unit(OrganizationalUnitId=ou_id)["OrganizationalUnit"]
    except ClientError as error:
        if code_of(error) not in NOT_FOUND:
            raise
        return None
    return OrganizationalUnit(ou["Id"], ou["Name"])


def name_ous(organizations: OrganizationsClient, ou_path: OuPath, known: dict[str, str]) -> OuPath:
    """Return the OUs with their names. known: OU id -> name, so that an OU is read once; completed here."""
    for ou in ou_path:
        if ou.ou_id not in known:
            found = find_ou(organizations, ou.ou_id)
            known[ou.ou_id] = found.name if found else ""  # deleted since
    return tuple(OrganizationalUnit(ou.ou_id, known[ou.ou_id]) for ou in ou_path)


def find_roots(organizations: OrganizationsClient) -> list[str]:
    """Return the ids of the roots. An organization has one."""
    return [root["Id"] for page in organizations.get_paginator("list_roots").paginate() for root in page["Roots"]]


def find_ipam_administrators(organizations: OrganizationsClient) -> list[str]:
    """Return the id of the account that administers IPAM for the organization; none before there is one."""
    pages = organizations.get_paginator("list_delegated_administrators").paginate(ServicePrincipal=IPAM_SERVICE)
    return [account["Id"] for page in pages for account in page["DelegatedAdministrators"]]


def find_ou_paths(organizations: OrganizationsClient, root_ids: Iterable[str]) -> list[OuPath]:
    """Return every OU with its parent OUs. Takes a call for each OU, and one for each 20 nested OUs."""
    return [path for _, path in _walk(organizations, root_ids, ()) if path]


def read_all(organizations: OrganizationsClient, side_by_side: SideBySide = map) -> OrganizationTree:
    """Return the whole organization. Takes a call for each 20 accounts, and two for each OU.

    side_by_side   the map of an executor, for somebody who waits for the answer
    """
    return _read_tree(organizations, find_roots(organizations), (), side_by_side)


def read_below(organizations: OrganizationsClient, ou_id: str) -> OrganizationTree:
    """Return the accounts in an OU and in its nested OUs; an empty tree if the OU does not exist."""
    try:
        ou_ids = [ou_id, *_parent_ids(organizations, ou_id)]
    except ClientError as error:
        if code_of(error) not in NOT_FOUND:
            raise
        return OrganizationTree((), ())
    path = name_ous(organizations, tuple(OrganizationalUnit(one, "") for one in ou_ids), {})
    return _read_tree(organizations, [ou_id], path)


def _read_tree(
    organizations: OrganizationsClient, parent_ids: Iterable[str], parents: OuPath, side_by_side: SideBySide = map
) -> OrganizationTree:
    places = list(_walk(organizations, parent_ids, parents, side_by_side))
    accounts = side_by_side(lambda place: _accounts_in(organizations, *place), places)
    return OrganizationTree(
        tuple(path[0] for _, path in places if path), tuple(location for there in accounts for location in there)
    )


def find_accounts_in(organizations: OrganizationsClient, ou_path: OuPath) -> dict[str, AccountLocation]:
    """Return the accounts in an OU, without those in nested OUs, by id; none if the OU does not exist.

    ou_path   the OU and its parent OUs
    """
    accounts = _accounts_in(organizations, ou_path[0].ou_id, ou_path)
    return {location.account_id: location for location in accounts}


def _accounts_in(organizations: OrganizationsClient, parent_id: str, path: OuPath) -> list[AccountLocation]:
    return [
        AccountLocation(account["Id"], state_of(account), account.get("JoinedTimestamp"), path, account.get("Name", ""))
        for page in _pages_in(organizations, "list_accounts_for_parent", parent_id)
        for account in page["Accounts"]
    ]


def _walk(
    organizations: OrganizationsClient, parent_ids: Iterable[str], parents: OuPath, side_by_side: SideBySide = map
) -> Iterator[Place]:
    """Yield these roots or OUs and all their nested OUs: the id of each, and the OU path of an account in it."""
    level = [(parent_id, parents) for parent_id in parent_ids]
    while level:
        yield from level
        below = side_by_side(lambda place: _ous_in(organizations, *place), level)
        level = [place for places in below for place in places]


def _ous_in(organizations: OrganizationsClient, parent_id: str, path: OuPath) -> list[Place]:
    return [
        (row["Id"], (OrganizationalUnit(row["Id"], row["Name"]), *path))
        for page in _pages_in(organizations, "list_organizational_units_for_parent", parent_id)
        for row in page["OrganizationalUnits"]
    ]


def _pages_in(organizations: OrganizationsClient, operation: Any, parent_id: str) -> Iterator[Any]:
    """Yield the pages of what is in a root or OU; none of an OU that was deleted, which AWS allows only if it is empty.

    Somebody may delete an OU after it was listed.
    """
    pages = organizations.get_paginator(operation).paginate(ParentId=parent_id, PaginationConfig=ORGANIZATIONS_PAGE)
    try:
        yield from pages
    except ClientError as error:
        if code_of(error) != "ParentNotFoundException":
            raise
