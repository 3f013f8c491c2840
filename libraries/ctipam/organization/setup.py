"""Custom::OrganizationSetup: what must be so before anything is made is checked, and what can be switched on is.

Checked, each with a refusal that names the way out: this is the management account and Control Tower's home Region,
the Networking account is an enrolled member, Control Tower's roles are there. Switched on, and never off, since other
stacks may rely on it: RAM sharing with the organization, and IPAM's administration by the Networking account. An
environment without an OU of its name is a warning: the OU may come later.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from ctipam.cloudformation.custom_resource import Data
from ctipam.cloudformation.request import ResourceRequest
from ctipam.errors import DENIED, Refused, code_of
from ctipam.ipam.cost_controls import LEAVE, exclusions_property
from ctipam.logs import log_decision
from ctipam.organization.excluded_ous import OuIndex, find_exclusions
from ctipam.organization.reader import find_roots, find_units, is_active_member
from ctipam.pools.spec import PoolSpec
from ctipam.sessions import Account
from ctipam.sharing.networking_account import ROLE, execution_role

if TYPE_CHECKING:
    from types_boto3_organizations.client import OrganizationsClient
    from types_boto3_organizations.type_defs import OrganizationTypeDef

IPAM = "ipam.amazonaws.com"

STACK_SET_ROLE = "AWSControlTowerStackSetRole"
"""In the management account, under /service-role/; the StackSet names it so.
https://docs.aws.amazon.com/controltower/latest/userguide/access-control-managing-permissions.html"""

NOTHING: dict[str, Any] = {
    "Version": "2012-10-17",
    "Statement": [{"Sid": "AllowNothing", "Effect": "Deny", "Action": "*", "Resource": "*"}],
}
"""A session policy: that the role can be assumed is all that is asked."""

ABSENT = frozenset({"NoSuchEntity", *DENIED})
"""IAM's answers for a role that is not there, or not under the path that this function may read."""

WARNINGS_LIMIT = 1000
"""Characters. CloudFormation takes 4096 bytes of answer in all, and 1024 bytes of an output."""


@dataclass(frozen=True)
class Wanted:
    """environments: names of OUs. exact and excluded_ous: see `cost_controls.find_exclusions`.

    new   the stack is being created. Later, OUs that cannot be excluded are only warned of: one that was named may be
          gone since, and CloudFormation must be able to come back to what was asked for before
    """

    new: bool
    network_account_id: str
    environments: tuple[str, ...]
    exact: bool
    excluded_ous: str


@dataclass(frozen=True)
class Setup:
    """What the stack is told.

    exclusions   for the Networking account's stack
    warnings     what is strange and no failure, a sentence each
    """

    organization_id: str
    exclusions: str
    warnings: tuple[str, ...]

    def shown(self) -> str:
        text = " ".join(self.warnings) or "none"
        limit = WARNINGS_LIMIT if text.isascii() else WARNINGS_LIMIT // 6  # JSON writes six bytes for another character
        return text if len(text) <= limit else text[: limit - 3] + "..."


def ensure(request: ResourceRequest) -> Data:
    """Custom::OrganizationSetup, created or updated."""
    # What the Networking stack would refuse later is refused now, before anything is made.
    spec = PoolSpec.from_properties(request.properties, request.account.known_regions())
    wanted = Wanted(
        new=request.kind == "Create",
        network_account_id=request.properties["NetworkAccountId"],
        environments=spec.environments,
        exact=request.properties.get("OuMatch") == "exact",
        excluded_ous=request.properties.get("IpamExcludedOus", LEAVE),
    )
    done = set_up(request.account, wanted)
    return {
        "OrganizationId": done.organization_id,
        "IpamExclusions": done.exclusions,
        "Warnings": done.shown(),
    }


def leave(_request: ResourceRequest) -> Sequence[str]:
    """Custom::OrganizationSetup, deleted. Other stacks may rely on what was switched on."""
    return ()


def set_up(management: Account, wanted: Wanted) -> Setup:
    """Check first, then switch on; nothing is changed if anything is refused. Raises Refused."""
    organizations = management.organizations()
    organization = organizations.describe_organization()["Organization"]
    _refuse_wrong_accounts(organizations, organization, management.account_id, wanted.network_account_id)
    elsewhere = _refuse_another_region(management)
    _refuse_without_roles(management, wanted.network_account_id)
    units = _units(organizations, organization["Id"])
    exclusions, problems = find_exclusions(wanted.excluded_ous, units, wanted.environments, exact=wanted.exact)
    if wanted.new and problems:
        raise Refused(problems[0])
    _ensure_ram_sharing(management)
    _ensure_ipam_administrator(management, wanted.network_account_id)
    names = Counter(chain[0].name for chain in units.chains)
    warnings = (*elsewhere, *problems, *warnings_about(wanted.environments, names))
    for warning in warnings:
        log_decision("warning", about=warning)
    return Setup(organization["Id"], exclusions_property(exclusions), warnings)


def _units(organizations: OrganizationsClient, organization_id: str) -> OuIndex:
    root_ids = find_roots(organizations)
    return OuIndex(organization_id, root_ids[0], find_units(organizations, root_ids))


def warnings_about(environments: Collection[str], units: Counter[str]) -> Iterator[str]:
    """What an operator may not have meant: an environment without an OU, and several OUs that share one.

    units   name -> how many OUs bear it
    """
    for name in environments:
        if not units[name]:
            yield f"No OU is called {name!r}, so nobody gets the pools of that environment."
        elif units[name] > 1:
            yield f"{units[name]} OUs are called {name!r}, and their accounts share the pools of that environment."


def _refuse_wrong_accounts(
    organizations: OrganizationsClient,
    organization: OrganizationTypeDef,
    management_account_id: str,
    network_account_id: str,
) -> None:
    if organization["MasterAccountId"] != management_account_id:
        raise Refused(
            f"Account {management_account_id} is not the management account of {organization['Id']}; "
            f"deploy this stack in account {organization['MasterAccountId']}."
        )
    if network_account_id == management_account_id:
        raise Refused(f"NetworkAccountId {network_account_id} is the management account, which cannot administer IPAM.")
    if not is_active_member(organizations, network_account_id):
        raise Refused(f"NetworkAccountId {network_account_id} is not an active account of {organization['Id']}.")


def _refuse_another_region(management: Account) -> list[str]:
    """Control Tower answers one landing zone, whose ARN names the home Region, or none: then a warning is all.

    What it answers outside the home Region is not documented, so that an empty answer proves nothing.
    https://docs.aws.amazon.com/controltower/latest/APIReference/API_ListLandingZones.html
    """
    zones = management.control_tower().list_landing_zones()["landingZones"]
    if not zones:
        return [f"Control Tower lists no landing zone in {management.region}; its events arrive in its home Region."]
    home = zones[0]["arn"].split(":")[3]
    if home != management.region:
        raise Refused(f"{management.region} is not Control Tower's home Region: deploy this stack in {home}.")
    return []


def _refuse_without_roles(management: Account, network_account_id: str) -> None:
    try:
        management.iam().get_role(RoleName=STACK_SET_ROLE)
    except ClientError as error:
        if code_of(error) not in ABSENT:
            raise
        raise Refused(
            f"There is no role service-role/{STACK_SET_ROLE} in account {management.account_id}; "
            "repair the landing zone in Control Tower's settings, which makes it."
        ) from error
    role_arn = execution_role(management.partition, network_account_id)
    try:  # the credentials are good for nothing, and are thrown away
        management.assume(role_arn, "check-enrolment", NOTHING)
    except ClientError as error:
        if code_of(error) not in DENIED:
            raise
        raise Refused(
            f"NetworkAccountId {network_account_id} has no role {ROLE} that this account may assume; "
            "enrol the account in Control Tower, which makes it."
        ) from error


def _ensure_ram_sharing(management: Account) -> None:
    """Asked for each time: that RAM is trusted does not show that it shares, and asking again changes nothing.

    organizations:EnableAWSServiceAccess makes RAM trusted too, but leaves out its service-linked role.
    https://docs.aws.amazon.com/ram/latest/userguide/getting-started-sharing.html
    """
    management.ram().enable_sharing_with_aws_organization()
    log_decision("RAM sharing with the organization is on")


def _ensure_ipam_administrator(management: Account, network_account_id: str) -> None:
    pages = management.organizations().get_paginator("list_delegated_administrators").paginate(ServicePrincipal=IPAM)
    administrators = [account["Id"] for page in pages for account in page["DelegatedAdministrators"]]
    if not administrators:
        # Not organizations:RegisterDelegatedAdministrator, after which IPAM monitors nothing.
        # https://docs.aws.amazon.com/vpc/latest/ipam/enable-integ-ipam.html
        management.ec2().enable_ipam_organization_admin_account(DelegatedAdminAccountId=network_account_id)
        log_decision("made the Networking account IPAM's delegated administrator", account=network_account_id)
    elif network_account_id not in administrators:
        raise Refused(
            f"IPAM's delegated administrator is account {administrators[0]}, and an organization has only one; "
            f"use it as NetworkAccountId, or disable it in IPAM's settings first."
        )
