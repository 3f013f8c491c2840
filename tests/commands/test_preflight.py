"""`make preflight`: what it makes of the facts, and what it reads with the AWS CLI."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from commands import arguments, preflight, reading
from commands.aws_cli import AwsCli, AwsCliError
from commands.preflight_checks import check, is_ready
from commands.preflight_facts import Bucket, Caller, Check, Facts, Ipam, LandingZone, Location, Unknown
from commands.preflight_networking import HOME_CALLS, POOLS_QUOTA, REGION_CALL
from commands.preflight_reading import READ_ONLY
from commands.service_control_policies import Policy

ROOT = Path(__file__).parents[2]
MANAGEMENT, NETWORKING, OTHER = "111111111111", "222222222222", "333333333333"
HOME, WEST = "us-east-1", "us-west-2"
FULL_ACCESS = Policy("FullAWSAccess", {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})
DENIED = Unknown("SomeCall: AccessDenied")
DEFAULTS = {name: default for name, default in arguments.template_parameters().items() if default is not None}
PARAMETERS = DEFAULTS | {"NetworkAccountId": NETWORKING, "LambdaBucket": "code"}

READY = Facts(
    region=HOME,
    caller=Caller(MANAGEMENT, "aws"),
    management_id=MANAGEMENT,
    landing_zone=LandingZone(HOME, "3.3", "ACTIVE", False, (HOME, WEST)),
    stack=None,
    location=Location("ACTIVE", ("r-abcd", "ou-abcd-11111111")),
    stack_set_role=True,
    execution_role=True,
    regions=frozenset({HOME, WEST}),
    policies=((FULL_ACCESS,), (FULL_ACCESS,), (FULL_ACCESS,)),
    trusted=frozenset({"ram.amazonaws.com"}),
    administrators=(NETWORKING,),
    ipams={HOME: (Ipam("ipam-1", "advanced"),), WEST: ()},
    quotas={POOLS_QUOTA: 50},
    controls={},
    bucket=Bucket(HOME),
    trails=("aws-controltower-BaselineCloudTrail",),
    parameters=PARAMETERS,
)


def not_ok(facts: Facts) -> list[Check]:
    return [one for one in check(facts) if one.result != "ok"]


def test_an_organization_that_has_everything_is_ready() -> None:
    checks = check(READY)

    assert [one.result for one in checks] == ["ok"] * len(checks)
    assert is_ready(checks)


@pytest.mark.parametrize(
    ("changed", "about", "text"),
    [
        ({"caller": DENIED}, "Credentials", "no valid credentials (SomeCall: AccessDenied). Sign in"),
        ({"management_id": ""}, "Credentials", "is in no organization. Use the management account"),
        ({"caller": Caller(OTHER, "aws")}, "Credentials", f"is not the management account, which is {MANAGEMENT}"),
        ({"region": ""}, "Region", "Set AWS_REGION to Control Tower's home Region"),
        ({"landing_zone": LandingZone("eu-west-1")}, "Landing zone", "Set AWS_REGION to eu-west-1"),
        ({"landing_zone": None}, "Landing zone", "no landing zone in us-east-1. Set AWS_REGION to its home Region"),
        ({"landing_zone": LandingZone(HOME, "3.3", "ACTIVE", False, (HOME,))}, "Governed Regions", "names us-west-2"),
        ({"location": Location("")}, "Networking account", "is no account of this organization"),
        ({"location": Location("SUSPENDED")}, "Networking account", "is SUSPENDED in this organization"),
        ({"stack": {"NetworkAccountId": OTHER}}, "Networking account", f"cannot change from {OTHER}"),
        ({"stack_set_role": False}, "StackSet role", "Repair the landing zone"),
        ({"regions": frozenset({HOME})}, "Enabled Regions", "has not enabled us-west-2. Enable it"),
        ({"administrators": (OTHER,)}, "IPAM administrator", "has only one. Use it as NETWORK_ACCOUNT_ID"),
        ({"administrators": (OTHER,), "stack": {}}, "IPAM administrator", f"Disable {OTHER} in IPAM's settings"),
        ({"ipams": {HOME: (Ipam("ipam-1", "free"),)}}, "IPAM", "Set IpamTier=advanced"),
        ({"quotas": {POOLS_QUOTA: 6}}, "Quota of pools", "7 pools are more than the 6 that AWS allows"),
        ({"controls": {"CT.LAMBDA.PR.3": "ou-1"}}, "Proactive controls", "on ou-1 rejects functions outside a VPC"),
        ({"bucket": Bucket("")}, "Bucket", "Create it: aws s3 mb s3://code"),
        ({"bucket": Bucket(HOME, "arn:aws:kms:::key/1")}, "Bucket", "Use a bucket with S3's own encryption"),
        ({"parameters": PARAMETERS | {"AccEnvName": "a,b,c"}}, "Pools", "No room for us-west-2/c"),
        (
            {
                "controls": {"CT.CLOUDWATCH.PR.2": "ou-1"},
                "parameters": PARAMETERS | {"LogRetentionDays": "30"},
            },
            "Proactive controls",
            "CT.CLOUDWATCH.PR.2 rejects LogRetentionDays=30. Give 365 or more",
        ),
    ],
    ids=lambda value: str(value)[:60],
)
def test_what_would_make_the_deployment_fail_is_marked_with_the_way_out(
    changed: dict[str, Any], about: str, text: str
) -> None:
    facts = replace(READY, **changed)

    (failed,) = [one for one in check(facts) if one.result == "failed"]
    assert (failed.about, text in failed.text) == (about, True), failed.text
    assert not is_ready(check(facts))


@pytest.mark.parametrize(
    ("changed", "about", "text"),
    [
        ({"landing_zone": None, "stack": {}}, "Landing zone", "lists no landing zone in us-east-1"),
        (
            {"landing_zone": LandingZone(HOME, "3.3", "PROCESSING", False, (HOME, WEST))},
            "Landing zone",
            "it is PROCESSING. Wait, or repair it",
        ),
        ({"landing_zone": LandingZone(HOME, "3.3", "ACTIVE", True, (HOME, WEST))}, "Landing zone", "it has drifted"),
        ({"location": Location("ACTIVE", ("r-abcd",))}, "Networking account", "Enroll it in Control Tower"),
        ({"execution_role": False}, "Execution role", "may not assume AWSControlTowerExecution"),
        ({"ipams": {HOME: (), WEST: (Ipam("ipam-2", "free"),)}}, "IPAM", "ipam-2 in us-west-2 is another IPAM"),
        ({"trails": ()}, "Trail", "Enable CloudTrail in the landing zone settings"),
        (
            {
                "stack": {"RegionSelection": f"{HOME},{WEST}"},
                "landing_zone": LandingZone(HOME, "3", "ACTIVE", False, (HOME,)),
            },
            "Governed Regions",
            "names us-west-2, which Control Tower does not govern",
        ),
    ],
    ids=lambda value: str(value)[:60],
)
def test_what_may_go_wrong_is_a_warning(changed: dict[str, Any], about: str, text: str) -> None:
    facts = replace(READY, **changed)

    (warning,) = not_ok(facts)
    assert (warning.result, warning.about, text in warning.text) == ("warning", about, True), warning.text
    assert is_ready(check(facts))


def test_events_of_organizations_that_arrive_elsewhere_are_a_warning() -> None:
    home = LandingZone("eu-west-1", "3.3", "ACTIVE", False, (HOME, WEST, "eu-west-1"))

    (warning,) = not_ok(replace(READY, region="eu-west-1", landing_zone=home, ipams={}))

    assert (warning.result, warning.about) == ("warning", "Organizations events")
    assert "Deploy templates/organizations-events.template.yaml there" in warning.text


@pytest.mark.parametrize(
    "name",
    [
        *("management_id", "landing_zone", "stack", "location", "stack_set_role", "execution_role", "regions"),
        *("policies", "trusted", "administrators", "quotas", "controls", "bucket", "trails"),
    ],
)
def test_what_cannot_be_read_is_said_and_is_neither_ok_nor_failed(name: str) -> None:
    changed: dict[str, Any] = {name: DENIED}
    facts = replace(READY, **changed)

    (unknown,) = not_ok(facts)
    assert unknown.result == "unknown"
    assert unknown.text.startswith("Cannot be read (SomeCall: AccessDenied). Allow ")
    assert len(check(facts)) >= len(check(READY)) - 1


def test_what_was_not_asked_for_is_said() -> None:
    facts = replace(READY, bucket=Unknown("BUCKET is not given", by_aws=False))

    assert [one.text for one in not_ok(facts)] == ["Not checked: BUCKET is not given."]


def test_a_region_deny_that_stops_the_function_in_one_region_is_named() -> None:
    deny = {
        "Effect": "Deny",
        "NotAction": ["iam:*"],
        "Resource": "*",
        "Condition": {
            "StringNotEquals": {"aws:RequestedRegion": [HOME]},
            "ArnNotLike": {"aws:PrincipalARN": ["arn:*:iam::*:role/AWSControlTowerExecution"]},
        },
    }
    tags = {
        "Effect": "Deny",
        "Action": "ec2:Create*",
        "Resource": "*",
        "Condition": {"Null": {"aws:RequestTag/x": "true"}},
    }
    guardrails = Policy("aws-guardrails-1", {"Statement": [deny]}), Policy("tags", {"Statement": [tags]})

    found = not_ok(replace(READY, policies=((FULL_ACCESS,), (FULL_ACCESS, *guardrails))))

    assert [(one.result, one.text.partition(" to ")[0]) for one in found] == [
        ("warning", "tags may deny, depending on a condition, ec2:CreateIpam in us-east-1"),
        ("failed", "aws-guardrails-1 denies ec2:GetIpamPoolAllocations in us-west-2"),
    ]


def test_the_calls_that_policies_are_compared_with_are_those_of_the_function() -> None:
    template = (ROOT / "templates/ipamnetworkingStack.yaml").read_text(encoding="utf-8")

    assert [call for call in (*HOME_CALLS, REGION_CALL) if call not in template] == []


def test_the_lines_have_marks_and_a_summary() -> None:
    checks = [Check("A", "ok", "Fine."), Check("B", "unknown", "Who knows."), Check("C", "failed", "Fix it.")]

    assert preflight.to_lines(checks, preflight.MARKS) == [
        *("✓ A: Fine.", "! B: Who knows.", "✗ C: Fix it."),
        *("", "Not ready: 1 to fix. 1 not checked."),
    ]
    assert preflight.to_lines(checks[:1], preflight.ASCII_MARKS) == ["ok A: Fine.", "", "Ready."]
    assert json.loads(preflight.to_json(checks)) == {
        "ready": False,
        "checks": [
            {"about": "A", "result": "ok", "text": "Fine."},
            {"about": "B", "result": "unknown", "text": "Who knows."},
            {"about": "C", "result": "failed", "text": "Fix it."},
        ],
    }


ORGANIZATION = "arn:aws:organizations::111111111111:ou/o-1/ou-abcd-11111111"
ANSWERS: dict[str, Any] = {
    "sts get-caller-identity": {"Account": MANAGEMENT, "Arn": f"arn:aws:iam::{MANAGEMENT}:user/x"},
    "sts assume-role": {"Credentials": {"AccessKeyId": "a", "SecretAccessKey": "b", "SessionToken": "c"}},
    "organizations describe-organization": {"Organization": {"MasterAccountId": MANAGEMENT}},
    "organizations describe-account": {"Account": {"Status": "ACTIVE"}},
    f"organizations list-parents --child-id {NETWORKING}": {"Parents": [{"Id": "ou-abcd-11111111"}]},
    "organizations list-parents --child-id ou-abcd-11111111": {"Parents": [{"Id": "r-abcd"}]},
    "organizations list-policies-for-target": {"Policies": [{"Id": "p-1", "Name": "FullAWSAccess"}]},
    "organizations describe-policy": {"Policy": {"Content": json.dumps(FULL_ACCESS.document)}},
    "organizations list-aws-service-access-for-organization": {
        "EnabledServicePrincipals": [{"ServicePrincipal": "ram.amazonaws.com"}]
    },
    "organizations list-delegated-administrators": {"DelegatedAdministrators": [{"Id": NETWORKING}]},
    "organizations describe-organizational-unit": {"OrganizationalUnit": {"Arn": ORGANIZATION}},
    "controltower list-landing-zones": {"landingZones": [{"arn": f"arn:aws:controltower:{HOME}:1:landingzone/X"}]},
    "controltower get-landing-zone": {
        "landingZone": {
            "version": "3.3",
            "status": "ACTIVE",
            "driftStatus": {"status": "IN_SYNC"},
            "manifest": {"governedRegions": [HOME, WEST]},
        }
    },
    "controltower list-enabled-controls": {
        "enabledControls": [
            {"controlIdentifier": f"arn:aws:controltower:{HOME}::control/AWS-GR_REGION_DENY"},
            {"controlIdentifier": f"arn:aws:controltower:{HOME}::control/ABCDEF"},
        ]
    },
    "controlcatalog get-control --control-arn arn:aws:controlcatalog:::control/ABCDEF": {"Aliases": ["CT.LAMBDA.PR.3"]},
    "cloudformation describe-stacks": AwsCliError("Stack with id x does not exist"),
    "iam get-role": {"Role": {}},
    "ec2 describe-regions": {"Regions": [{"RegionName": HOME}, {"RegionName": WEST}]},
    f"ec2 describe-ipams --region {HOME}": {
        "Ipams": [
            {"IpamId": "ipam-1", "Tier": "advanced", "State": "create-complete"},
            {"IpamId": "ipam-0", "Tier": "free", "State": "delete-complete"},
        ]
    },
    "ec2 describe-ipams": {"Ipams": []},
    "service-quotas list-service-quotas": {"Quotas": [{"QuotaName": POOLS_QUOTA, "Value": 50.0}]},
    "s3api get-bucket-location": {"LocationConstraint": None},
    "s3api get-bucket-encryption": AwsCliError(
        "An error occurred (ServerSideEncryptionConfigurationNotFoundError) ..."
    ),
    "cloudtrail describe-trails": {
        "trailList": [{"Name": "on", "TrailARN": "arn:on"}, {"Name": "off", "TrailARN": "arn:off"}]
    },
    "cloudtrail get-trail-status --name arn:on": {"IsLogging": True},
    "cloudtrail get-trail-status": {"IsLogging": False},
}


class Answering(AwsCli):
    """An AWS CLI with one answer, or error, for each command: the longest that its words begin with."""

    def __init__(self, answers: Mapping[str, Any]) -> None:
        super().__init__(["true"], ROOT)
        self.answers = answers

    def with_environment(self, environment: Mapping[str, str]) -> AwsCli:
        return self

    def ask(self, *arguments: str) -> Any:
        line = " ".join(arguments)
        answer = self.answers[max((words for words in self.answers if line.startswith(words)), key=len)]
        if isinstance(answer, AwsCliError):
            raise answer
        return answer


def preflighted(answers: Mapping[str, Any], *words: str) -> dict[str, Check]:
    given = arguments.read([f"NETWORK_ACCOUNT_ID={NETWORKING}", "BUCKET=code", *words], arguments.template_parameters())
    return {one.about: one for one in preflight.run(Answering(answers), given) if one.result != "ok"}


@pytest.fixture(autouse=True)
def region(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", HOME)


def test_the_answers_of_aws_are_read() -> None:
    found = preflighted(ANSWERS)

    assert list(found) == ["Proactive controls"]
    assert "CT.LAMBDA.PR.3 on ou-abcd-11111111 rejects functions" in found["Proactive controls"].text


@pytest.mark.parametrize(
    ("command", "error", "about", "text"),
    [
        (
            "sts assume-role",
            "(AccessDenied) when calling the AssumeRole operation: no",
            "Execution role",
            "may not assume",
        ),
        ("sts assume-role", "(AccessDenied) when calling the AssumeRole operation: no", "IPAM", "cannot be entered"),
        ("iam get-role", "An error occurred (NoSuchEntity) ...", "StackSet role", "has no role"),
        ("organizations describe-account", "(AccountNotFoundException)", "Networking account", "is no account"),
        (
            "organizations describe-organization",
            "(AWSOrganizationsNotInUseException)",
            "Credentials",
            "no organization",
        ),
        ("s3api get-bucket-location", "(NoSuchBucket)", "Bucket", "Create it"),
        (
            "cloudtrail describe-trails",
            "An error occurred (AccessDeniedException) when calling the DescribeTrails operation: long",
            "Trail",
            "Cannot be read (DescribeTrails: AccessDeniedException). Allow cloudtrail:DescribeTrails and",
        ),
    ],
)
def test_the_errors_of_aws_are_understood(command: str, error: str, about: str, text: str) -> None:
    found = preflighted(ANSWERS | {command: AwsCliError(error)})

    assert text in found[about].text


def test_without_credentials_one_check_says_so_and_nothing_else_is_read() -> None:
    answers = {"sts get-caller-identity": AwsCliError("Unable to locate credentials.")}  # any other command: KeyError

    (found,) = preflight.run(Answering(answers), arguments.Arguments({}, {}))

    assert found.result == "failed"
    assert "no valid credentials (Unable to locate credentials). Sign in" in found.text


def test_a_landing_zone_of_another_region_is_not_asked_for_its_settings() -> None:
    zones = {"landingZones": [{"arn": "arn:aws:controltower:eu-west-1:1:landingzone/X"}]}
    only_at_home = AwsCliError("(ResourceNotFoundException)")

    found = preflighted(
        ANSWERS | {"controltower list-landing-zones": zones, "controltower get-landing-zone": only_at_home}
    )

    assert found["Landing zone"].result == "failed"
    assert found["Landing zone"].text.endswith("Set AWS_REGION to eu-west-1.")


def test_the_parameters_of_an_existing_stack_apply_where_none_is_given() -> None:
    existing = [{"ParameterKey": "RegionSelection", "ParameterValue": "eu-west-1"}]
    stack = {"Stacks": [{"StackStatus": "CREATE_COMPLETE", "Parameters": existing}]}

    kept = preflighted(ANSWERS | {"cloudformation describe-stacks": stack})
    changed = preflighted(ANSWERS | {"cloudformation describe-stacks": stack}, f"REGIONS={HOME}")

    assert kept["Governed Regions"].result == "warning"  # the stack has it already
    assert "Governed Regions" not in changed


def test_without_a_networking_account_its_checks_are_left_out() -> None:
    given = arguments.read(["BUCKET=code"], arguments.template_parameters())

    found = {one.about: one for one in preflight.run(Answering(ANSWERS), given)}

    assert [about for about, one in found.items() if one.text == "Not checked: NETWORK_ACCOUNT_ID is not given."] == [
        *("Networking account", "Execution role", "Enabled Regions", "Service control policies"),
        *("IPAM", "Quota of pools", "Proactive controls"),
    ]
    assert found["IPAM administrator"].text == f"Account {NETWORKING}."
    assert is_ready([*found.values()])


def test_the_policies_for_operators_allow_only_reading() -> None:
    path = ROOT / "libraries/commands/read-only-policy.json"
    read, logs, enter = json.loads(path.read_text(encoding="utf-8"))["Statement"]
    inside = [*READ_ONLY["Statement"], *reading.READ_ONLY["Statement"]]
    actions = [
        action
        for one in (read, logs, *inside)
        for action in ([one["Action"]] if isinstance(one["Action"], str) else one["Action"])
    ]

    verbs = ("Describe", "FilterLogEvents", "Get", "List")
    assert [one for one in actions if not one.partition(":")[2].startswith(verbs)] == []
    assert logs["Resource"].endswith(":log-group:*SharingLogGroup*")
    assert enter["Action"] == "sts:AssumeRole"
    assert enter["Resource"].endswith(":role/AWSControlTowerExecution")
