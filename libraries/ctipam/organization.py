"""AWS Organizations: who is where, and what the organization must allow before pools can be shared."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from ctipam.errors import Refused, code_of
from ctipam.logs import decided
from ctipam.sessions import Account

if TYPE_CHECKING:
    from types_boto3_organizations.client import OrganizationsClient
    from types_boto3_organizations.type_defs import AccountTypeDef

RAM, IPAM = "ram.amazonaws.com", "ipam.amazonaws.com"


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
