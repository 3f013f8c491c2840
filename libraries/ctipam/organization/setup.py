"""Custom::OrganizationSetup: checks what a deployment needs, then enables RAM sharing and IPAM's administration.

Checks, and refuses with the way out: this is the management account and Control Tower's home Region, the Networking
account is an enrolled member, and Control Tower's roles exist. Enables, and never disables because other stacks may
rely on it: RAM sharing with the organization, and the Networking account as IPAM's delegated administrator.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from botocore.exceptions import ClientError, EndpointConnectionError

from ctipam.cloudformation.custom_resource import Data
from ctipam.cloudformation.described import split_arn
from ctipam.cloudformation.outputs import warnings_output
from ctipam.cloudformation.request import ResourceRequest
from ctipam.errors import DENIED, THROTTLED, Refused, code_of, explain
from ctipam.ipam.cost_controls import LEAVE, exclusions_property
from ctipam.logs import log_decision
from ctipam.names import EXECUTION_ROLE, STACK_SET_ROLE, execution_role_arn
from ctipam.organization import preconditions
from ctipam.organization.deployments import deployments_in, networking_account, ous_of_pools
from ctipam.organization.environments import identify, known_ous
from ctipam.organization.excluded_ous import OuIndex, find_exclusions
from ctipam.organization.leftover_stack_set import find_leftover, remove
from ctipam.organization.preconditions import SetupResult, SetupSpec
from ctipam.organization.reader import find_ipam_administrators, find_ou_paths, find_roots, is_active_member
from ctipam.pools.preconditions import refuse_second_deployment
from ctipam.sessions import Account

NOTHING: dict[str, Any] = {
    "Version": "2012-10-17",
    "Statement": [{"Sid": "AllowNothing", "Effect": "Deny", "Action": "*", "Resource": "*"}],
}
"""A session policy for a check whether the role can be assumed."""

ABSENT = frozenset({"NoSuchEntity", *DENIED})
"""IAM's errors for a role that does not exist, or is not under the path that this function may read."""


def ensure(request: ResourceRequest) -> Data:
    """Handle Create and Update of Custom::OrganizationSetup."""
    management = request.account
    preconditions.refuse_another_networking_account(request)
    if not request.is_rollback:
        preconditions.refuse_too_many_tags(request.stack.tags())
    spec = SetupSpec.from_request(request, management.known_regions())
    result = check(management, spec)
    leftover = find_leftover(management, request.stack_id) if spec.new else None
    if spec.new:
        ignored = leftover.stack_ids if leftover else ()
        living = deployments_in(networking_account(management, spec.network_account_id), ignored)
        refuse_second_deployment(living, split_arn(request.stack_id).name)
    retained = remove(request, leftover) if leftover else []
    enable(request, spec)
    result = replace(result, warnings=(*result.warnings, *retained))
    for warning in result.warnings:
        log_decision("warning", about=warning)
    return {"IpamExclusions": result.exclusions, "Warnings": warnings_output(result.warnings)}


def rolled_back(_request: ResourceRequest, error: Exception) -> Data:
    """Return the attributes of a rollback that could not check the organization: IPAM's exclusions stay as they are."""
    return {"IpamExclusions": LEAVE, "Warnings": warnings_output([explain(error)])}


def check(management: Account, spec: SetupSpec) -> SetupResult:
    """Check the organization. Changes nothing. Raises Refused."""
    organizations = management.organizations()
    organization = organizations.describe_organization()["Organization"]
    preconditions.refuse_wrong_account(management.account_id, organization["Id"], organization["MasterAccountId"])
    # A rollback is not refused for the state of the account: that would leave the stack in UPDATE_ROLLBACK_FAILED.
    if not (spec.rollback or is_active_member(organizations, spec.network_account_id)):
        raise Refused(f"NetworkAccountId {spec.network_account_id} is not an active account of {organization['Id']}.")
    landing_zone = _landing_zone_arn(management)
    home_region = landing_zone and landing_zone.split(":")[3]
    region_warnings = preconditions.refuse_another_region(
        management.region, home_region, management.partition, new=spec.new
    )
    governed, governed_warnings = _governed_regions(management, landing_zone)
    ungoverned = preconditions.ungoverned_regions(spec.regions, governed)
    preconditions.refuse_added_regions(ungoverned, spec.added_regions)
    if not spec.rollback:
        _refuse_without_roles(management, spec.network_account_id)
    root_ids = find_roots(organizations)
    index = OuIndex(organization["Id"], root_ids[0], find_ou_paths(organizations, root_ids))
    known = known_ous(spec.environments, _remembered_ous(management, spec))
    environments = identify(known, (ou_path[0] for ou_path in index.ou_paths))
    preconditions.refuse_unclear_environments(environments, spec.added)
    by_ou = {one.ou.ou_id: one.environment for one in environments.values() if one.ou}
    paths, problems = find_exclusions(spec.excluded_ous, index, by_ou, exact=spec.exact)
    exclusions = exclusions_property(paths)
    if spec.new and problems:
        raise Refused(problems[0])
    preconditions.refuse_too_many_exclusions(exclusions)
    if not spec.rollback:
        administrators = find_ipam_administrators(organizations)
        preconditions.refuse_another_administrator(administrators, spec.network_account_id, new=spec.new)
    environment_warnings = preconditions.environment_warnings(environments.values())
    warnings = (*region_warnings, *governed_warnings, *ungoverned.values(), *problems, *environment_warnings)
    return SetupResult(exclusions, warnings)


def enable(request: ResourceRequest, spec: SetupSpec) -> None:
    """Enable RAM sharing with the organization, and the Networking account as IPAM's delegated administrator, unless a
    rollback finds another one. Raises Superseded."""
    management = request.account
    request.raise_if_superseded()
    _enable_ram_sharing(management)
    administrators = find_ipam_administrators(management.organizations())
    request.raise_if_superseded()
    if set(administrators) <= {spec.network_account_id}:
        _make_ipam_administrator(management, spec)


def _landing_zone_arn(management: Account) -> str | None:
    """Return the ARN of the landing zone, which names the home Region; empty if no landing zone is listed, None if
    Control Tower cannot be asked in this Region.

    https://docs.aws.amazon.com/controltower/latest/APIReference/API_ListLandingZones.html
    """
    try:
        zones = management.control_tower().list_landing_zones()["landingZones"]
    except EndpointConnectionError:
        return None
    except ClientError as error:
        if code_of(error) in THROTTLED:
            raise
        return None
    return zones[0]["arn"] if zones else ""


def _governed_regions(management: Account, landing_zone_arn: str | None) -> tuple[list[str] | None, list[str]]:
    """Return the Regions that the landing zone governs, and a warning if Control Tower does not show it. None: its
    manifest does not name them, as from version 4.0, or is not known.

    https://docs.aws.amazon.com/controltower/latest/APIReference/API_GetLandingZone.html
    """
    if not landing_zone_arn:
        return None, []
    try:
        zone = management.control_tower().get_landing_zone(landingZoneIdentifier=landing_zone_arn)["landingZone"]
    except ClientError as error:
        if code_of(error) in DENIED | THROTTLED:
            raise
        # No reason to refuse a deployment: Custom::Ipam tries each Region itself.
        return None, [f"It is not known which Regions Control Tower governs: {explain(error)}"]
    return zone["manifest"].get("governedRegions"), []


def _refuse_without_roles(management: Account, network_account_id: str) -> None:
    try:
        management.iam().get_role(RoleName=STACK_SET_ROLE)
    except ClientError as error:
        if code_of(error) not in ABSENT:
            raise
        raise Refused(
            f"There is no role service-role/{STACK_SET_ROLE} in account {management.account_id}; "
            "repair the landing zone in Control Tower's settings, which creates it."
        ) from error
    role_arn = execution_role_arn(management.partition, network_account_id)
    try:  # the credentials allow nothing and are not used
        management.assume(role_arn, "check-enrollment", NOTHING)
    except ClientError as error:
        if code_of(error) not in DENIED:
            raise
        raise Refused(
            f"NetworkAccountId {network_account_id} has no role {EXECUTION_ROLE} that this account may assume; "
            "enroll the account in Control Tower, which creates it; if it is enrolled, create the role again."
        ) from error


def _remembered_ous(management: Account, spec: SetupSpec) -> dict[str, set[str]]:
    """Return the OUs that the pools carry; none if they cannot be read for a rollback."""
    try:
        return ous_of_pools(networking_account(management, spec.network_account_id))
    except Refused:
        if not spec.rollback:
            raise
        return {}


def _enable_ram_sharing(management: Account) -> None:
    """Enable sharing on each request. Repeating changes nothing, and trusted access alone does not enable sharing.

    organizations:EnableAWSServiceAccess also trusts RAM, but does not create its service-linked role.
    https://docs.aws.amazon.com/ram/latest/userguide/getting-started-sharing.html
    """
    answer = management.ram().enable_sharing_with_aws_organization()
    if answer.get("returnValue") is False:
        raise Refused(
            "AWS did not enable sharing with the organization, and gave no reason. Try again, or enable it under "
            "Settings in RAM's console in the management account."
        )
    log_decision("enabled RAM sharing with the organization")


def _make_ipam_administrator(management: Account, spec: SetupSpec) -> None:
    """Make the account IPAM's administrator, also if it is listed as such: organizations:RegisterDelegatedAdministrator
    has the same effect on that list, and after it IPAM monitors no other account.

    https://docs.aws.amazon.com/vpc/latest/ipam/enable-integ-ipam.html
    """
    network_account_id = spec.network_account_id
    try:
        answer = management.ec2().enable_ipam_organization_admin_account(DelegatedAdminAccountId=network_account_id)
        if answer.get("Success") is False:
            raise Refused(
                f"AWS did not make account {network_account_id} IPAM's delegated administrator, and gave no reason. "
                "Try again, or delegate it under Organization settings in IPAM's console in the management account."
            )
    except (ClientError, Refused) as error:
        # AWS may refuse to name the same account twice, as each update does, and boto3 if it gets no answer in time.
        # What may pass is tried again in a first deployment, of which nothing shows that IPAM was ever told.
        may_pass = spec.new and code_of(error) in DENIED | THROTTLED
        if may_pass or network_account_id not in find_ipam_administrators(management.organizations()):
            raise
        log_decision("IPAM's delegated administrator was not named again", reason=explain(error))
        return
    log_decision("made the Networking account IPAM's delegated administrator", account=network_account_id)
