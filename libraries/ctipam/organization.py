"""AWS Organizations: who is where."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from ctipam.errors import code_of

if TYPE_CHECKING:
    from types_boto3_organizations.client import OrganizationsClient
    from types_boto3_organizations.type_defs import AccountTypeDef


@dataclass(frozen=True)
class OrganizationalUnit:
    ou_id: str
    name: str


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


def active_accounts(organizations: OrganizationsClient) -> Iterator[str]:
    for page in organizations.get_paginator("list_accounts").paginate():
        yield from (account["Id"] for account in page["Accounts"] if state_of(account) == "ACTIVE")


def units_of(organizations: OrganizationsClient, account_id: str) -> Iterator[OrganizationalUnit]:
    """The OUs that an account is in, the nearest first, up to but without the root. Read one by one, as asked for."""
    child = account_id
    while True:
        parent = organizations.list_parents(ChildId=child)["Parents"][0]  # there is always exactly one
        if parent["Type"] == "ROOT":
            return
        unit = organizations.describe_organizational_unit(OrganizationalUnitId=parent["Id"])["OrganizationalUnit"]
        yield OrganizationalUnit(unit["Id"], unit["Name"])
        child = unit["Id"]
