"""Read what `make preflight` checks, with the AWS CLI. Changes nothing.

Reads the management account with the user's credentials, and the Networking account through AWSControlTowerExecution
with a session policy that only allows reading. Independent calls run at the same time.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from commands.aws_cli import AwsCli, AwsCliError, assume_role
from commands.preflight_facts import (
    Bucket,
    Caller,
    Fact,
    Facts,
    Ipam,
    LandingZone,
    Location,
    Unknown,
)
from commands.service_control_policies import Policy
from ctipam.errors import DENIED
from ctipam.names import execution_role_arn

T = TypeVar("T")

IPAM = "ipam.amazonaws.com"
STACK_SET_ROLE = "AWSControlTowerStackSetRole"
CALLS_AT_ONCE = 8

READ_ONLY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Sid": "ReadIpamAndQuotas",
            "Effect": "Allow",
            "Action": ["ec2:DescribeIpams", "ec2:DescribeRegions", "servicequotas:ListServiceQuotas"],
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


def configured_region(aws: AwsCli) -> str:
    """Return the Region of the AWS CLI, as `aws` itself would choose it; empty if none is configured."""
    if region := os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION"):
        return region
    return aws.text("configure", "get", "region")


def read_stack(aws: AwsCli, stack: str) -> Fact[Mapping[str, str] | None]:
    """Return the parameters of the stack, None if there is no stack."""
    try:
        (found,) = aws.ask("cloudformation", "describe-stacks", "--stack-name", stack)["Stacks"]
    except AwsCliError as error:
        return None if "does not exist" in str(error) else Unknown(error.brief())
    return {each["ParameterKey"]: each["ParameterValue"] for each in found.get("Parameters", [])}


@dataclass(frozen=True)
class Inside:
    """The facts that are read in the Networking account, see Facts."""

    execution_role: Fact[bool]
    regions: Fact[frozenset[str]]
    quotas: Fact[Mapping[str, int]]
    ipams: Mapping[str, Fact[tuple[Ipam, ...]]]


def read_caller(aws: AwsCli) -> Fact[Caller]:
    return _read(lambda: _caller(aws))


def read_facts(aws: AwsCli, request: Request, caller: Caller, stack: Fact[Mapping[str, str] | None]) -> Facts:
    """Read everything. stack: see read_stack."""
    region, account_id = configured_region(aws), request.network_account_id
    with ThreadPoolExecutor(CALLS_AT_ONCE) as workers:
        location = workers.submit(_of_account, account_id, lambda: _location(aws, account_id))
        inside = workers.submit(_inside, aws, caller, account_id, [region, *request.regions])
        organization = workers.submit(_read, lambda: _management_id(aws))
        zone = workers.submit(_read, lambda: _landing_zone(aws, region))
        role = workers.submit(_read, lambda: _has_stack_set_role(aws))
        trusted = workers.submit(_read, lambda: _trusted(aws))
        administrators = workers.submit(_read, lambda: _administrators(aws))
        bucket = workers.submit(_read_bucket, aws, request.bucket, caller)
        trails = workers.submit(_read, lambda: _trails(aws))
        where = location.result()
        policies = workers.submit(_of_place, where, lambda ous: _policies(aws, [*ous, account_id]))
        controls = workers.submit(_of_place, where, lambda ous: _controls(aws, ous))
    return Facts(
        region=region,
        caller=caller,
        management_id=organization.result(),
        landing_zone=zone.result(),
        stack=stack,
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


def _inside(aws: AwsCli, caller: Caller, account_id: str, regions: Iterable[str]) -> Inside:
    """Read in the Networking account. regions: those in which to look for an IPAM; an empty one is left out."""
    entered = _of_account(account_id, lambda: _enter(aws, caller, account_id))
    names = dict.fromkeys(filter(None, regions))
    if not isinstance(entered, AwsCli):
        not_given = entered if entered and not entered.by_aws else None
        closed = not_given or Unknown("the Networking account cannot be entered", by_aws=False)
        return Inside(entered or False, closed, closed, dict.fromkeys(names, closed))
    with ThreadPoolExecutor(CALLS_AT_ONCE) as workers:
        enabled = workers.submit(_read, lambda: _regions(entered))
        quotas = workers.submit(_read, lambda: _quotas(entered))
        ipams = dict(zip(names, workers.map(lambda name: _read(lambda: _ipams(entered, name)), names), strict=True))
    return Inside(True, enabled.result(), quotas.result(), ipams)


def _read(read: Callable[[], T]) -> Fact[T]:
    try:
        return read()
    except AwsCliError as error:
        return Unknown(error.brief())


def _of_account(account_id: str, read: Callable[[], T]) -> Fact[T]:
    return _read(read) if account_id else Unknown("NETWORK_ACCOUNT_ID is not given", by_aws=False)


def _of_place(location: Fact[Location], read: Callable[[tuple[str, ...]], T]) -> Fact[T]:
    """Read about the OUs around the Networking account."""
    if isinstance(location, Unknown):
        return location
    if not location.ous:
        return Unknown("the Networking account is not in the organization", by_aws=False)
    return _read(lambda: read(location.ous))


def _caller(aws: AwsCli) -> Caller:
    answer = aws.ask("sts", "get-caller-identity")
    return Caller(str(answer["Account"]), str(answer["Arn"]).split(":")[1])


def _management_id(aws: AwsCli) -> str:
    try:
        return str(aws.ask("organizations", "describe-organization")["Organization"]["MasterAccountId"])
    except AwsCliError as error:
        if error.has_code("AWSOrganizationsNotInUseException"):
            return ""
        raise


def _landing_zone(aws: AwsCli, region: str) -> LandingZone | None:
    """https://docs.aws.amazon.com/controltower/latest/APIReference/API_GetLandingZone.html"""
    zones = aws.ask("controltower", "list-landing-zones")["landingZones"]
    if not zones:
        return None
    arn = zones[0]["arn"]
    home_region = arn.split(":")[3]
    if home_region != region:
        return LandingZone(home_region)
    zone = aws.ask("controltower", "get-landing-zone", "--landing-zone-identifier", arn)["landingZone"]
    governed = zone.get("manifest", {}).get("governedRegions")
    return LandingZone(
        region=home_region,
        version=zone.get("version", ""),
        status=zone.get("status", ""),
        drifted=zone.get("driftStatus", {}).get("status") == "DRIFTED",
        governed=None if governed is None else tuple(governed),
    )


def _has_stack_set_role(aws: AwsCli) -> bool:
    try:
        aws.ask("iam", "get-role", "--role-name", STACK_SET_ROLE)
    except AwsCliError as error:
        if error.has_code("NoSuchEntity"):
            return False
        raise
    return True


def _location(aws: AwsCli, account_id: str) -> Location:
    try:
        account = aws.ask("organizations", "describe-account", "--account-id", account_id)["Account"]
    except AwsCliError as error:
        if error.has_code("AccountNotFoundException"):
            return Location("")
        raise
    ous: list[str] = []
    child = account_id
    while not child.startswith("r-"):
        (parent,) = aws.ask("organizations", "list-parents", "--child-id", child)["Parents"]
        child = parent["Id"]
        ous.insert(0, child)
    return Location(account.get("State") or account.get("Status", ""), tuple(ous))


def _policies(aws: AwsCli, targets: Iterable[str]) -> tuple[tuple[Policy, ...], ...]:
    kind = ["--filter", "SERVICE_CONTROL_POLICY"]

    def of_target(target: str) -> list[tuple[str, str]]:
        answer = aws.ask("organizations", "list-policies-for-target", "--target-id", target, *kind)
        return [(policy["Id"], policy["Name"]) for policy in answer["Policies"]]

    def content(policy_id: str) -> Mapping[str, Any]:
        answer = aws.ask("organizations", "describe-policy", "--policy-id", policy_id)
        document: Mapping[str, Any] = json.loads(answer["Policy"]["Content"])
        return document

    with ThreadPoolExecutor(CALLS_AT_ONCE) as workers:
        levels = [*workers.map(of_target, targets)]
        ids = sorted({policy_id for level in levels for policy_id, _ in level})
        documents = dict(zip(ids, workers.map(content, ids), strict=True))
    return tuple(tuple(Policy(name, documents[policy_id]) for policy_id, name in level) for level in levels)


def _trusted(aws: AwsCli) -> frozenset[str]:
    answer = aws.ask("organizations", "list-aws-service-access-for-organization")
    return frozenset(service["ServicePrincipal"] for service in answer["EnabledServicePrincipals"])


def _administrators(aws: AwsCli) -> tuple[str, ...]:
    answer = aws.ask("organizations", "list-delegated-administrators", "--service-principal", IPAM)
    return tuple(account["Id"] for account in answer["DelegatedAdministrators"])


def _enter(aws: AwsCli, caller: Caller, account_id: str) -> AwsCli | None:
    """Return an AWS CLI in the Networking account, None if the role does not exist or may not be assumed."""
    try:
        return assume_role(aws, execution_role_arn(caller.partition, account_id), "preflight", READ_ONLY)
    except AwsCliError as error:
        if error.has_code(*DENIED):
            return None
        raise


def _regions(networking: AwsCli) -> frozenset[str]:
    return frozenset(region["RegionName"] for region in networking.ask("ec2", "describe-regions")["Regions"])


def _ipams(networking: AwsCli, region: str) -> tuple[Ipam, ...]:
    rows = networking.ask("ec2", "describe-ipams", "--region", region)["Ipams"]
    kept = [row for row in rows if not row.get("State", "").startswith("delete")]
    return tuple(Ipam(row["IpamId"], row.get("Tier", "")) for row in kept)


def _quotas(networking: AwsCli) -> Mapping[str, int]:
    """Return the quotas of IPAM. A quota that was never raised is listed with its default."""
    rows = networking.ask("service-quotas", "list-service-quotas", "--service-code", "ec2-ipam")["Quotas"]
    return {row["QuotaName"]: int(row["Value"]) for row in rows}


def _controls(aws: AwsCli, ous: Iterable[str]) -> Mapping[str, str]:
    """Return the controls of these OUs by their aliases, for example CT.LAMBDA.PR.3.

    https://docs.aws.amazon.com/controlcatalog/latest/APIReference/API_GetControl.html
    """
    found: dict[str, str] = {}
    for ou_id in ous:
        if ou_id.startswith("r-"):
            continue  # Control Tower enables controls on OUs
        ou = aws.ask("organizations", "describe-organizational-unit", "--organizational-unit-id", ou_id)
        target = ou["OrganizationalUnit"]["Arn"]
        answer = aws.ask("controltower", "list-enabled-controls", "--target-identifier", target)
        arns = sorted({control["controlIdentifier"] for control in answer["enabledControls"]})
        with ThreadPoolExecutor(CALLS_AT_ONCE) as workers:
            for aliases in workers.map(lambda arn: _aliases(aws, arn), arns):
                found |= dict.fromkeys(aliases, ou_id)
    return found


def _aliases(aws: AwsCli, control_arn: str) -> list[str]:
    """Return the names of a control. A legacy ARN ends with its name."""
    name = control_arn.rpartition("/")[2]
    if name.startswith("AWS-GR_"):
        return [name]
    catalog_arn = f"arn:{control_arn.split(':')[1]}:controlcatalog:::control/{name}"
    control = aws.ask("controlcatalog", "get-control", "--control-arn", catalog_arn)
    return [*control.get("Aliases", [name])]


def _read_bucket(aws: AwsCli, bucket: str, caller: Caller) -> Fact[Bucket]:
    if not bucket:
        return Unknown("BUCKET is not given", by_aws=False)
    owner = ["--bucket", bucket, "--expected-bucket-owner", caller.account_id]
    return _read(lambda: _bucket(aws, owner))


def _bucket(aws: AwsCli, owner: list[str]) -> Bucket:
    try:
        region = aws.ask("s3api", "get-bucket-location", *owner).get("LocationConstraint") or "us-east-1"
    except AwsCliError as error:
        if error.has_code("NoSuchBucket"):
            return Bucket("")
        raise
    try:
        rules = aws.ask("s3api", "get-bucket-encryption", *owner)["ServerSideEncryptionConfiguration"]["Rules"]
    except AwsCliError as error:
        if not error.has_code("ServerSideEncryptionConfigurationNotFoundError"):
            raise
        rules = []
    defaults = [rule.get("ApplyServerSideEncryptionByDefault", {}) for rule in rules]
    keys = [one.get("KMSMasterKeyID", "aws/s3") for one in defaults if "kms" in one.get("SSEAlgorithm", "")]
    return Bucket("eu-west-1" if region == "EU" else str(region), keys[0] if keys else "")


def _trails(aws: AwsCli) -> tuple[str, ...]:
    """Return the trails that log in this Region and are switched on.

    https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_DescribeTrails.html
    """
    trails = aws.ask("cloudtrail", "describe-trails")["trailList"]  # with shadow trails of other Regions
    on = [
        trail["Name"]
        for trail in trails
        if aws.ask("cloudtrail", "get-trail-status", "--name", trail["TrailARN"]).get("IsLogging")
    ]
    return tuple(on)
