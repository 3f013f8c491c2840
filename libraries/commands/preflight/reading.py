"""Read what `make preflight` checks. Changes nothing.

Reads the management account with the user's credentials, and the Networking account through AWSControlTowerExecution
with a session policy that only allows reading. Independent calls run at the same time.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import boto3
from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError

from commands.preflight.aws_reader import AwsReader
from commands.preflight.facts import (
    Bucket,
    Caller,
    Fact,
    Facts,
    Ipam,
    LandingZone,
    Location,
    Unknown,
)
from commands.preflight.service_control_policies import Policy
from commands.reading import Stack, find_stack, is_deleted, networking_stack_id
from commands.sign_in import QUICK
from ctipam import names
from ctipam.errors import DENIED, THROTTLED, Refused, code_of
from ctipam.ipam.reader import UNUSABLE
from ctipam.organization.deployments import deployments_in, ous_of_pools
from ctipam.organization.reader import find_ipam_administrators, read_all, state_of
from ctipam.organization.tree import OrganizationTree

T = TypeVar("T")

CALLS_AT_ONCE = 8

READ_ONLY: dict[str, Any] = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Sid": "ReadIpamQuotasAndStacks",
            "Effect": "Allow",
            "Action": [
                "cloudformation:DescribeStacks",
                "ec2:DescribeIpamPools",
                "ec2:DescribeIpams",
                "ec2:DescribeRegions",
                "servicequotas:ListServiceQuotas",
            ],
            "Resource": "*",
        }
    ],
}
"""The session policy in the Networking account. The role itself is an administrator."""


@dataclass(frozen=True)
class Request:
    """What to read about. network_account_id and bucket may be empty."""

    network_account_id: str
    bucket: str
    regions: tuple[str, ...]


def read_stack(aws: AwsReader, stack: str) -> tuple[Fact[Mapping[str, str] | None], str]:
    """Return the parameters of the stack and its status; None if there is no stack, or none that has resources."""
    found = _read(lambda: find_stack(aws, stack))
    return (found.parameters, found.status) if isinstance(found, Stack) else (found, "")


def read_networking_stack(aws: AwsReader, stack: str, network_account_id: str) -> Fact[str | None]:
    """Return what networking_stack_id does."""
    return _read(lambda: networking_stack_id(aws, stack, network_account_id))


def read_is_deleted(aws: AwsReader, caller: Caller, network_account_id: str, stack_id: str) -> Fact[bool]:
    """Return whether a stack in the Networking account does not exist any more. False, too, if nobody may enter it."""

    def read() -> bool:
        networking = _enter(aws, caller, network_account_id)
        return networking is not None and is_deleted(networking, stack_id)

    return _read(read)


def read_management_id(aws: AwsReader) -> Fact[str]:
    return _read(lambda: _management_id(aws))


@dataclass(frozen=True)
class Inside:
    """The facts that are read in the Networking account, see Facts."""

    execution_role: Fact[bool]
    regions: Fact[frozenset[str]]
    quotas: Fact[Mapping[str, int]]
    share_quotas: Fact[Mapping[str, int]]
    ipams: Mapping[str, Fact[tuple[Ipam, ...]]]
    remembered: Fact[Mapping[str, Collection[str]]]
    deployments: Fact[tuple[str, ...]]


def read_caller(session: boto3.Session) -> Fact[Caller]:
    """Ask twice at most: without a connection or with wrong credentials, the answer should come at once.

    Raises   Refused if AWS cannot be reached
    """
    try:
        return _caller(session.client("sts", config=QUICK).get_caller_identity())
    except EndpointConnectionError as error:
        raise Refused(f"AWS cannot be reached: {error}. Check the connection and AWS_REGION.") from None
    except (BotoCoreError, ClientError) as error:
        return unread(error)


def _caller(identity: Mapping[str, Any]) -> Caller:
    return Caller(str(identity["Account"]), str(identity["Arn"]).split(":")[1])


def read_facts(
    aws: AwsReader,
    request: Request,
    caller: Caller,
    management_id: Fact[str],
    stack: Fact[Mapping[str, str] | None],
) -> Facts:
    """Read all other facts."""
    region, account_id = aws.region, request.network_account_id
    with ThreadPoolExecutor(CALLS_AT_ONCE) as workers:
        tree = workers.submit(_read, lambda: _tree(aws))
        location = workers.submit(_of_account, account_id, lambda: _location(aws, account_id))
        inside = workers.submit(_inside, aws, caller, account_id, [region, *request.regions])
        zone = workers.submit(_read, lambda: _landing_zone(aws, region))
        role = workers.submit(_read, lambda: _has_stack_set_role(aws))
        trusted = workers.submit(_read, lambda: _trusted(aws))
        administrators = workers.submit(_read, lambda: tuple(find_ipam_administrators(aws.organizations())))
        bucket = workers.submit(_read_bucket, aws, request.bucket, caller)
        trails = workers.submit(_read, lambda: _trails(aws))
        where = location.result()
        policies = workers.submit(_of_place, where, lambda ous: _policies(aws, [*ous, account_id]))
        controls = workers.submit(_of_place, where, lambda ous: _controls(aws, ous))
        return Facts(
            region=region,
            caller=caller,
            management_id=management_id,
            landing_zone=zone.result(),
            stack=stack,
            tree=tree.result(),
            location=where,
            stack_set_role=role.result(),
            policies=policies.result(),
            trusted=trusted.result(),
            administrators=administrators.result(),
            controls=controls.result(),
            bucket=bucket.result(),
            trails=trails.result(),
            **vars(inside.result()),
        )


def _inside(aws: AwsReader, caller: Caller, account_id: str, regions: Iterable[str]) -> Inside:
    """Read in the Networking account. regions: those in which to look for an IPAM."""
    entered = _of_account(account_id, lambda: _enter(aws, caller, account_id))
    searched = dict.fromkeys(regions)
    if not isinstance(entered, AwsReader):
        not_given = entered if entered and not entered.by_aws else None
        closed = not_given or Unknown("the Networking account cannot be entered", by_aws=False)
        return Inside(entered or False, closed, closed, closed, dict.fromkeys(searched, closed), closed, closed)
    with ThreadPoolExecutor(CALLS_AT_ONCE) as workers:
        enabled = workers.submit(_read, lambda: _regions(entered))
        quotas = workers.submit(_read, lambda: _quotas(entered, "ec2-ipam"))
        share_quotas = workers.submit(_read, lambda: _quotas(entered, "ram"))
        remembered = workers.submit(_read, lambda: ous_of_pools(entered))
        deployments = workers.submit(_read, lambda: tuple(deployments_in(entered)))
        found = workers.map(lambda region: _read(lambda: _ipams(entered, region)), searched)
        ipams = dict(zip(searched, found, strict=True))
        return Inside(
            True,
            enabled.result(),
            quotas.result(),
            share_quotas.result(),
            ipams,
            remembered.result(),
            deployments.result(),
        )


def _read(read: Callable[[], T]) -> Fact[T]:
    try:
        return read()
    except (BotoCoreError, ClientError) as error:
        return unread(error)


def unread(error: BotoCoreError | ClientError) -> Unknown:
    """Return why something is unknown: "DescribeIpams: UnauthorizedOperation", or the whole text of another error."""
    why = f"{error.operation_name}: {code_of(error)}" if isinstance(error, ClientError) else str(error)
    return Unknown(why, throttled=code_of(error) in THROTTLED)


def _of_account(account_id: str, read: Callable[[], T]) -> Fact[T]:
    return _read(read) if account_id else Unknown("NETWORK_ACCOUNT_ID is not given", by_aws=False)


def _of_place(location: Fact[Location], read: Callable[[tuple[str, ...]], T]) -> Fact[T]:
    """Read about the OUs around the Networking account."""
    if isinstance(location, Unknown):
        return location
    if not location.ous:
        return Unknown("the Networking account is not in the organization", by_aws=False)
    return _read(lambda: read(location.ous))


def _management_id(aws: AwsReader) -> str:
    try:
        return str(aws.ask("organizations", "describe_organization")["Organization"]["MasterAccountId"])
    except ClientError as error:
        if code_of(error) == "AWSOrganizationsNotInUseException":
            return ""
        raise


def _landing_zone(aws: AwsReader, region: str) -> LandingZone | None:
    """https://docs.aws.amazon.com/controltower/latest/APIReference/API_GetLandingZone.html"""
    zones = aws.ask("controltower", "list_landing_zones")["landingZones"]
    if not zones:
        return None
    arn = zones[0]["arn"]
    home_region = arn.split(":")[3]
    if home_region != region:
        return LandingZone(home_region)
    zone = aws.ask("controltower", "get_landing_zone", landingZoneIdentifier=arn)["landingZone"]
    governed = zone.get("manifest", {}).get("governedRegions")
    return LandingZone(
        region=home_region,
        version=zone.get("version", ""),
        status=zone.get("status", ""),
        drifted=zone.get("driftStatus", {}).get("status") == "DRIFTED",
        governed=None if governed is None else tuple(governed),
    )


def _has_stack_set_role(aws: AwsReader) -> bool:
    try:
        aws.ask("iam", "get_role", RoleName=names.STACK_SET_ROLE)
    except ClientError as error:
        if code_of(error) == "NoSuchEntity":
            return False
        raise
    return True


def _location(aws: AwsReader, account_id: str) -> Location:
    try:
        account = aws.ask("organizations", "describe_account", AccountId=account_id)["Account"]
    except ClientError as error:
        if code_of(error) == "AccountNotFoundException":
            return Location("")
        raise
    ous: list[str] = []
    child = account_id
    while not child.startswith("r-"):
        (parent,) = aws.ask("organizations", "list_parents", ChildId=child)["Parents"]
        child = parent["Id"]
        ous.insert(0, child)
    return Location(state_of(account), tuple(ous))


def _policies(aws: AwsReader, targets: Iterable[str]) -> tuple[tuple[Policy, ...], ...]:
    def of_target(target: str) -> list[tuple[str, str]]:
        answer = aws.ask("organizations", "list_policies_for_target", TargetId=target, Filter="SERVICE_CONTROL_POLICY")
        return [(policy["Id"], policy["Name"]) for policy in answer["Policies"]]

    def content(policy_id: str) -> Mapping[str, Any]:
        answer = aws.ask("organizations", "describe_policy", PolicyId=policy_id)
        document: Mapping[str, Any] = json.loads(answer["Policy"]["Content"])
        return document

    with ThreadPoolExecutor(CALLS_AT_ONCE) as workers:
        levels = [*workers.map(of_target, targets)]
        ids = sorted({policy_id for level in levels for policy_id, _ in level})
        documents = dict(zip(ids, workers.map(content, ids), strict=True))
    return tuple(tuple(Policy(name, documents[policy_id]) for policy_id, name in level) for level in levels)


def _trusted(aws: AwsReader) -> frozenset[str]:
    answer = aws.ask("organizations", "list_aws_service_access_for_organization")
    return frozenset(service["ServicePrincipal"] for service in answer["EnabledServicePrincipals"])


def _tree(aws: AwsReader) -> OrganizationTree:
    with ThreadPoolExecutor(CALLS_AT_ONCE) as workers:
        return read_all(aws.organizations(), workers.map)


def _enter(aws: AwsReader, caller: Caller, account_id: str) -> AwsReader | None:
    """Return a reader of the Networking account, None if the role does not exist or may not be assumed."""
    try:
        return aws.assume(names.execution_role_arn(caller.partition, account_id), "preflight", READ_ONLY)
    except ClientError as error:
        if code_of(error) in DENIED:
            return None
        raise


def _regions(networking: AwsReader) -> frozenset[str]:
    return frozenset(region["RegionName"] for region in networking.ask("ec2", "describe_regions")["Regions"])


def _ipams(networking: AwsReader, region: str) -> tuple[Ipam, ...]:
    rows = networking.ask("ec2", "describe_ipams", region)["Ipams"]
    kept = [row for row in rows if row["State"] not in (*UNUSABLE, "delete-complete")]
    return tuple(Ipam(row["IpamId"], row.get("Tier", "")) for row in kept)


def _quotas(networking: AwsReader, service: str) -> Mapping[str, int]:
    """Return the quotas of a service by their codes. AWS lists a default where it has no other value, but not of every
    quota: https://docs.aws.amazon.com/servicequotas/2019-06-24/apireference/API_ListServiceQuotas.html
    """
    rows = networking.ask("service-quotas", "list_service_quotas", ServiceCode=service)["Quotas"]
    return {row["QuotaCode"]: int(row["Value"]) for row in rows}


def _controls(aws: AwsReader, ous: Iterable[str]) -> Mapping[str, str]:
    """Return the controls of these OUs by their aliases, for example CT.LAMBDA.PR.3.

    https://docs.aws.amazon.com/controlcatalog/latest/APIReference/API_GetControl.html
    """
    found: dict[str, str] = {}
    for ou_id in ous:
        if ou_id.startswith("r-"):
            continue  # Control Tower enables controls on OUs
        ou = aws.ask("organizations", "describe_organizational_unit", OrganizationalUnitId=ou_id)
        target = ou["OrganizationalUnit"]["Arn"]
        answer = aws.ask("controltower", "list_enabled_controls", targetIdentifier=target)
        arns = sorted({control["controlIdentifier"] for control in answer["enabledControls"]})
        with ThreadPoolExecutor(CALLS_AT_ONCE) as workers:
            for aliases in workers.map(lambda arn: _aliases(aws, arn), arns):
                found |= dict.fromkeys(aliases, ou_id)
    return found


def _aliases(aws: AwsReader, control_arn: str) -> list[str]:
    """Return the names of a control. A legacy ARN ends with its name."""
    name = control_arn.rpartition("/")[2]
    if name.startswith("AWS-GR_"):
        return [name]
    catalog_arn = f"arn:{control_arn.split(':')[1]}:controlcatalog:::control/{name}"
    control = aws.ask("controlcatalog", "get_control", ControlArn=catalog_arn)
    return [*control.get("Aliases", [name])]


def _read_bucket(aws: AwsReader, bucket: str, caller: Caller) -> Fact[Bucket]:
    if not bucket:
        return Unknown("BUCKET is not given", by_aws=False)
    owner = {"Bucket": bucket, "ExpectedBucketOwner": caller.account_id}
    return _read(lambda: _bucket(aws, owner))


def _bucket(aws: AwsReader, owner: Mapping[str, str]) -> Bucket:
    try:
        region = aws.ask("s3", "get_bucket_location", **owner).get("LocationConstraint") or "us-east-1"
    except ClientError as error:
        if code_of(error) == "NoSuchBucket":
            return Bucket("")
        raise
    return Bucket("eu-west-1" if region == "EU" else str(region))


def _trails(aws: AwsReader) -> tuple[str, ...]:
    """Return the trails that log changes in this Region and are switched on.

    https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_DescribeTrails.html
    https://github.com/aws/aws-sdk-go-v2/issues/1957 (only its home Region knows the event selectors of a trail)
    """
    trails = aws.ask("cloudtrail", "describe_trails")["trailList"]  # with shadow trails of other Regions
    on = [
        trail["Name"]
        for trail in trails
        if aws.ask("cloudtrail", "get_trail_status", Name=trail["TrailARN"]).get("IsLogging")
        and (
            not trail.get("HasCustomEventSelectors")
            or logs_changes(
                aws.ask("cloudtrail", "get_event_selectors", trail["HomeRegion"], TrailName=trail["TrailARN"])
            )
        )
    ]
    return tuple(on)


def logs_changes(selectors: Mapping[str, Any]) -> bool:
    """Return whether a trail with these selectors logs management events that are no reads.

    https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_GetEventSelectors.html
    """
    basic = selectors.get("EventSelectors", [])
    advanced = [
        {field["Field"]: field.get("Equals", []) for field in selector["FieldSelectors"]}
        for selector in selectors.get("AdvancedEventSelectors", [])
    ]
    return any(row["IncludeManagementEvents"] and row["ReadWriteType"] != "ReadOnly" for row in basic) or any(
        "Management" in equals["eventCategory"] and equals.get("readOnly") != ["true"] for equals in advanced
    )
