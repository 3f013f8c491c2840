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

from commands.aws_errors import text_of
from commands.preflight.aws_reader import AwsReader
from commands.preflight.facts import (
    Fact,
    Facts,
    LandingZone,
    Unknown,
)
from commands.preflight.service_control_policies import Policy
from commands.reading import Stack, find_stack, networking_stack_id, status_of
from commands.regions import region_of_bucket
from commands.sign_in import QUICK, management_id
from ctipam import names
from ctipam.errors import DENIED, THROTTLED, Refused, code_of
from ctipam.ipam.existing import ExistingIpam
from ctipam.ipam.reader import UNUSABLE, find_ipam
from ctipam.organization.deployments import deployments_in, ous_of_pools
from ctipam.organization.reader import find_ipam_administrators, find_roots, locate, read_all
from ctipam.organization.tree import AccountLocation, OrganizationTree

T = TypeVar("T")

CONCURRENT_CALLS = 8

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


def read_networking_status(aws: AwsReader, network_account_id: str, stack_id: str) -> Fact[str]:
    """Return the status of a stack in the Networking account, as status_of does; empty if nobody may enter it."""

    def read() -> str:
        networking = _enter(aws, network_account_id)
        return status_of(networking, stack_id) if networking else ""

    return _read(read)


def read_management_id(aws: AwsReader) -> Fact[str]:
    return _read(lambda: management_id(aws))


@dataclass(frozen=True)
class Inside:
    """The facts that are read in the Networking account, see Facts."""

    execution_role: Fact[bool]
    regions: Fact[frozenset[str]]
    quotas: Fact[Mapping[str, int]]
    share_quotas: Fact[Mapping[str, int]]
    ipams: Mapping[str, Fact[ExistingIpam | None]]
    remembered: Fact[Mapping[str, Collection[str]]]
    deployments: Fact[tuple[str, ...]]


def read_account_id(session: boto3.Session) -> Fact[str]:
    """Return the account of the credentials. Asks twice at most: without a connection or with wrong credentials, the
    answer should come at once. Raises Refused if AWS cannot be reached.
    """
    try:
        return str(session.client("sts", config=QUICK).get_caller_identity()["Account"])
    except EndpointConnectionError as error:
        raise Refused(f"AWS cannot be reached: {error}. Check the connection and AWS_REGION.") from None
    except (BotoCoreError, ClientError) as error:
        return unread(error)


def read_facts(
    aws: AwsReader,
    request: Request,
    management_id: Fact[str],
    stack: Fact[Mapping[str, str] | None],
) -> Facts:
    """Read all other facts."""
    region, account_id = aws.region, request.network_account_id
    with ThreadPoolExecutor(CONCURRENT_CALLS) as workers:
        tree = workers.submit(_read, lambda: _tree(aws))
        location = workers.submit(
            _read_if_given, "NETWORK_ACCOUNT_ID", account_id, lambda: locate(aws.organizations(), account_id)
        )
        inside = workers.submit(_inside, aws, account_id, [region, *request.regions])
        zone = workers.submit(_read, lambda: _landing_zone(aws, region))
        role = workers.submit(_read, lambda: _has_stack_set_role(aws))
        trusted = workers.submit(_read, lambda: _trusted(aws))
        administrators = workers.submit(_read, lambda: tuple(find_ipam_administrators(aws.organizations())))
        bucket_region = workers.submit(
            _read_if_given, "BUCKET", request.bucket, lambda: _bucket_region(aws, request.bucket, aws.account_id)
        )
        trails = workers.submit(_read, lambda: _trails(aws))
        where = location.result()
        policies = workers.submit(_of_place, where, lambda ou_ids: _policies(aws, [*ou_ids, account_id]))
        controls = workers.submit(_of_place, where, lambda ou_ids: _controls(aws, ou_ids))
        return Facts(
            region=region,
            account_id=aws.account_id,
            partition=aws.partition,
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
            bucket_region=bucket_region.result(),
            trails=trails.result(),
            **vars(inside.result()),
        )


def _inside(aws: AwsReader, account_id: str, regions: Iterable[str]) -> Inside:
    """Read in the Networking account. regions: those in which to look for an IPAM."""
    entered = _read_if_given("NETWORK_ACCOUNT_ID", account_id, lambda: _enter(aws, account_id))
    searched = dict.fromkeys(regions)
    if not isinstance(entered, AwsReader):
        not_given = entered if entered and not entered.by_aws else None
        closed = not_given or Unknown("the Networking account cannot be entered", by_aws=False)
        return Inside(
            execution_role=entered or False,
            regions=closed,
            quotas=closed,
            share_quotas=closed,
            ipams=dict.fromkeys(searched, closed),
            remembered=closed,
            deployments=closed,
        )
    with ThreadPoolExecutor(CONCURRENT_CALLS) as workers:
        enabled = workers.submit(_read, lambda: _regions(entered))
        quotas = workers.submit(_read, lambda: _quotas(entered, "ec2-ipam"))
        share_quotas = workers.submit(_read, lambda: _quotas(entered, "ram"))
        remembered = workers.submit(_read, lambda: ous_of_pools(entered))
        deployments = workers.submit(_read, lambda: tuple(deployments_in(entered)))
        ipams = workers.map(lambda region: _read(lambda: _ipam(entered, region)), searched)
        return Inside(
            execution_role=True,
            regions=enabled.result(),
            quotas=quotas.result(),
            share_quotas=share_quotas.result(),
            ipams=dict(zip(searched, ipams, strict=True)),
            remembered=remembered.result(),
            deployments=deployments.result(),
        )


def _read(read: Callable[[], T]) -> Fact[T]:
    try:
        return read()
    except (BotoCoreError, ClientError) as error:
        return unread(error)


def unread(error: BotoCoreError | ClientError) -> Unknown:
    """Return why something is unknown: "DescribeIpams: UnauthorizedOperation", or the whole text of another error."""
    return Unknown(text_of(error), throttled=code_of(error) in THROTTLED)


def _read_if_given(name: str, value: str, read: Callable[[], T]) -> Fact[T]:
    return _read(read) if value else Unknown(f"{name} is not given", by_aws=False)


def _of_place(location: Fact[AccountLocation | None], read: Callable[[list[str]], T]) -> Fact[T]:
    """Read about the OUs above the Networking account. read: takes their ids, the farthest first"""
    if isinstance(location, Unknown):
        return location
    if location is None or location.state != "ACTIVE":  # of others, the OUs are not read
        return Unknown("the Networking account is not an active account of the organization", by_aws=False)
    return _read(lambda: read([ou.ou_id for ou in reversed(location.ou_path)]))


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


def _policies(aws: AwsReader, below_root: Iterable[str]) -> tuple[tuple[Policy, ...], ...]:
    """Return the service control policies of the root, and of these OUs and accounts."""

    def of_target(target: str) -> list[tuple[str, str]]:
        answer = aws.ask("organizations", "list_policies_for_target", Filter="SERVICE_CONTROL_POLICY", TargetId=target)
        return [(policy["Id"], policy["Name"]) for policy in answer["Policies"]]

    def content(policy_id: str) -> Mapping[str, Any]:
        answer = aws.ask("organizations", "describe_policy", PolicyId=policy_id)
        document: Mapping[str, Any] = json.loads(answer["Policy"]["Content"])
        return document

    with ThreadPoolExecutor(CONCURRENT_CALLS) as workers:
        levels = [*workers.map(of_target, [*find_roots(aws.organizations()), *below_root])]
        ids = sorted({policy_id for level in levels for policy_id, _ in level})
        documents = dict(zip(ids, workers.map(content, ids), strict=True))
    return tuple(tuple(Policy(name, documents[policy_id]) for policy_id, name in level) for level in levels)


def _trusted(aws: AwsReader) -> frozenset[str]:
    answer = aws.ask("organizations", "list_aws_service_access_for_organization")
    return frozenset(service["ServicePrincipal"] for service in answer["EnabledServicePrincipals"])


def _tree(aws: AwsReader) -> OrganizationTree:
    with ThreadPoolExecutor(CONCURRENT_CALLS) as workers:
        return read_all(aws.organizations(), workers.map)


def _enter(aws: AwsReader, account_id: str) -> AwsReader | None:
    """Return a reader of the Networking account, None if the role does not exist or may not be assumed."""
    try:
        return aws.assume(names.execution_role_arn(aws.partition, account_id), "preflight", READ_ONLY)
    except ClientError as error:
        if code_of(error) in DENIED:
            return None
        raise


def _regions(networking: AwsReader) -> frozenset[str]:
    return frozenset(region["RegionName"] for region in networking.ask("ec2", "describe_regions")["Regions"])


def _ipam(networking: AwsReader, region: str) -> ExistingIpam | None:
    found = find_ipam(networking, region=region)
    return found if found and found.state not in UNUSABLE else None


def _quotas(networking: AwsReader, service: str) -> Mapping[str, int]:
    """Return the quotas of a service by their codes. AWS lists a default where it has no other value, but not of every
    quota: https://docs.aws.amazon.com/servicequotas/2019-06-24/apireference/API_ListServiceQuotas.html
    """
    rows = networking.ask("service-quotas", "list_service_quotas", ServiceCode=service)["Quotas"]
    return {row["QuotaCode"]: int(row["Value"]) for row in rows}


def _controls(aws: AwsReader, ou_ids: Iterable[str]) -> Mapping[str, str]:
    """Return the controls of these OUs by their aliases, for example CT.LAMBDA.PR.3.

    https://docs.aws.amazon.com/controlcatalog/latest/APIReference/API_GetControl.html
    """
    found: dict[str, str] = {}
    for ou_id in ou_ids:
        ou = aws.ask("organizations", "describe_organizational_unit", OrganizationalUnitId=ou_id)
        target = ou["OrganizationalUnit"]["Arn"]
        answer = aws.ask("controltower", "list_enabled_controls", targetIdentifier=target)
        arns = sorted({control["controlIdentifier"] for control in answer["enabledControls"]})
        with ThreadPoolExecutor(CONCURRENT_CALLS) as workers:
            for aliases in workers.map(lambda arn: _aliases(aws, arn), arns):
                found |= dict.fromkeys(aliases, ou_id)
    return found


def _aliases(aws: AwsReader, control_arn: str) -> list[str]:
    """Return the names of a control; none of one with a legacy ARN, which the catalog does not know and no proactive
    control has."""
    name = control_arn.rpartition("/")[2]
    if name.startswith("AWS-GR_"):
        return []
    catalog_arn = f"arn:{control_arn.split(':')[1]}:controlcatalog:::control/{name}"
    control = aws.ask("controlcatalog", "get_control", ControlArn=catalog_arn)
    return [*control.get("Aliases", [])]


def _bucket_region(aws: AwsReader, bucket: str, owner: str) -> str:
    try:
        found = aws.ask("s3", "get_bucket_location", Bucket=bucket, ExpectedBucketOwner=owner)
    except ClientError as error:
        if code_of(error) == "NoSuchBucket":
            return ""
        raise
    return region_of_bucket(found.get("LocationConstraint"))


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
