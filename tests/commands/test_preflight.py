"""`make preflight`: what it makes of the facts, and what it reads with the AWS CLI."""

from __future__ import annotations

import functools
import json
import socket
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import boto3
import pytest
from botocore import xform_name
from botocore.exceptions import ClientError
from botocore.model import ServiceModel
from botocore.session import Session
from botocore.validate import ParamValidator

from commands import arguments, reading
from commands.preflight import __main__ as preflight
from commands.preflight import checking, text
from commands.preflight import reading as preflight_reading
from commands.preflight.aws_reader import AwsReader
from commands.preflight.checks import check, is_ready
from commands.preflight.facts import Check, Facts, LandingZone, Unknown
from commands.preflight.networking import HOME_CALLS, REGION_CALL
from commands.preflight.reading import READ_ONLY
from commands.preflight.service_control_policies import Policy
from ctipam.errors import Refused
from ctipam.ipam.existing import ExistingIpam
from ctipam.organization.tree import AccountLocation, OrganizationalUnit, OrganizationTree
from in_process import session_policies
from in_process.aws_calls import intercept

ROOT = Path(__file__).parents[2]
MANAGEMENT, NETWORKING, OTHER = "111111111111", "222222222222", "333333333333"
HOME, WEST = "us-east-1", "us-west-2"
FULL_ACCESS = Policy("FullAWSAccess", {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})
DENIED = Unknown("SomeCall: AccessDenied")
DEFAULTS = arguments.template_defaults()
PARAMETERS = DEFAULTS | {"NetworkAccountId": NETWORKING, "LambdaBucket": "code"}

PROD, SDLC, TEAM = (OrganizationalUnit(f"ou-abcd-{name[0] * 8}", name) for name in ("Prod OU", "SDLC OU", "Team"))
TREE = OrganizationTree(
    (PROD, SDLC, TEAM),
    (
        AccountLocation(OTHER, "ACTIVE", None, (PROD,)),
        AccountLocation("444444444444", "ACTIVE", None, (TEAM, PROD)),
        AccountLocation("555555555555", "SUSPENDED", None, (PROD,)),
        AccountLocation("666666666666", "ACTIVE"),
        AccountLocation(MANAGEMENT, "ACTIVE", None, (PROD,)),  # which never has pools, nor has the Networking account
        AccountLocation(NETWORKING, "ACTIVE", None, (SDLC,)),
    ),
)
QUOTAS = {"L-7319AFC3": 50, "L-0BC051D6": 50}
"""https://docs.aws.amazon.com/vpc/latest/ipam/quotas-ipam.html"""

SHARE_QUOTAS = {"L-595828F9": 25_000, "L-8491BF81": 25_000, "L-4A6CEE66": 25_000}

FREE = ExistingIpam("ipam-2", "create-complete", tier="free")

READY = Facts(
    region=HOME,
    account_id=MANAGEMENT,
    partition="aws",
    management_id=MANAGEMENT,
    landing_zone=LandingZone(HOME, "3.3", "ACTIVE", False, (HOME, WEST)),
    stack=None,
    location=AccountLocation(NETWORKING, "ACTIVE", None, (OrganizationalUnit("ou-abcd-11111111", ""),)),
    stack_set_role=True,
    execution_role=True,
    regions=frozenset({HOME, WEST}),
    policies=((FULL_ACCESS,), (FULL_ACCESS,), (FULL_ACCESS,)),
    trusted=frozenset({"ram.amazonaws.com"}),
    administrators=(NETWORKING,),
    ipams={HOME: ExistingIpam("ipam-1", "create-complete", tier="advanced"), WEST: None},
    quotas=QUOTAS,
    controls={},
    bucket_region=HOME,
    trails=("aws-controltower-BaselineCloudTrail",),
    tree=TREE,
    remembered={},
    deployments=(),
    share_quotas=SHARE_QUOTAS,
    parameters=PARAMETERS,
)


def not_ok(facts: Facts) -> list[Check]:
    return [one for one in check(facts) if one.result != "ok"]


def test_an_organization_that_has_everything_is_ready_and_is_told_what_was_found() -> None:
    checks = check(READY)

    assert is_ready(checks)
    assert [f"{one.result}: {one.about}: {one.text}" for one in checks] == [
        "ok: Credentials: Account 111111111111 is the management account.",
        "ok: Landing zone: Version 3.3, home Region us-east-1.",
        "ok: Governed Regions: Control Tower governs us-west-2, us-east-1.",
        "ok: Networking account: 222222222222 is active, in OU ou-abcd-11111111.",
        "ok: StackSet role: AWSControlTowerStackSetRole exists in the management account.",
        "ok: Execution role: AWSControlTowerExecution in the Networking account can be assumed.",
        "ok: Enabled Regions: The Networking account has enabled us-west-2, us-east-1.",
        "ok: Service control policies: None denies a call of this solution in the Networking account.",
        "ok: RAM sharing: Enabled.",
        "ok: IPAM administrator: Account 222222222222.",
        "ok: IPAM: The stack uses ipam-1 in us-east-1.",
        "ok: Environments: 'Prod OU' is ou-abcd-PPPPPPPP; 2 accounts in it.",
        "ok: Environments: 'SDLC OU' is ou-abcd-SSSSSSSS; 0 accounts in it.",
        "ok: Pools: 7 pools fit into 192.168.0.0/16.",
        "ok: Quota of pools: 7 of 50 pools in a scope, 1 of 50 CIDRs in a pool.",
        "ok: Quota of shares: 2 of 25,000 shares, 2 of 25,000 accounts in shares, 4 of 25,000 pools in shares.",
        "ok: Proactive controls: None that rejects this stack is enabled on the Networking account's OUs.",
        "ok: Bucket: code is in us-east-1.",
        "ok: Trail: aws-controltower-BaselineCloudTrail logs in us-east-1, so EventBridge gets the events of accounts.",
    ]


@pytest.mark.parametrize(
    ("changed", "about", "text"),
    [
        ({"management_id": ""}, "Credentials", "is in no organization; use the management account"),
        ({"account_id": OTHER}, "Credentials", f"organization's management account is {MANAGEMENT}; sign in there"),
        ({"stack": {}, "stack_state": "It rolls back."}, "Stack", "It rolls back."),
        ({"landing_zone": LandingZone("eu-west-1")}, "Landing zone", "Set AWS_REGION to eu-west-1"),
        ({"landing_zone": None}, "Landing zone", "no landing zone in us-east-1. Set AWS_REGION to its home Region"),
        ({"landing_zone": LandingZone(HOME, "3.3", "ACTIVE", False, (HOME,))}, "Governed Regions", "names us-west-2"),
        ({"location": None}, "Networking account", "is no account of this organization"),
        ({"location": AccountLocation(NETWORKING, "SUSPENDED")}, "Networking account", "is SUSPENDED in this"),
        (
            {
                "location": AccountLocation(MANAGEMENT, "ACTIVE"),
                "parameters": PARAMETERS | {"NetworkAccountId": MANAGEMENT},
                "administrators": (),
            },
            "Networking account",
            f"{MANAGEMENT} is the management account, which cannot administer IPAM; give the account that is to own",
        ),
        (
            {"stack": {"NetworkAccountId": OTHER}, "administrators": (OTHER,)},  # which is right
            "Networking account",
            f"cannot change from {OTHER}",
        ),
        ({"stack_set_role": False}, "StackSet role", "Repair the landing zone"),
        ({"regions": frozenset({HOME})}, "Enabled Regions", "has not enabled us-west-2. Enable it"),
        ({"administrators": (OTHER,)}, "IPAM administrator", "has only one. Use it as NETWORK_ACCOUNT_ID"),
        ({"administrators": (OTHER,), "stack": {}}, "IPAM administrator", f"Disable {OTHER} in IPAM's settings"),
        ({"ipams": {HOME: FREE}}, "IPAM", "Set IpamTier to advanced"),
        ({"quotas": QUOTAS | {"L-7319AFC3": 6}}, "Quota of pools", "Pools in a scope: 7, and AWS allows 6. Request"),
        ({"quotas": QUOTAS | {"L-0BC051D6": 0}}, "Quota of pools", "CIDRs in a pool: 1, and AWS allows 0. Request"),
        (
            {"share_quotas": SHARE_QUOTAS | {"L-4A6CEE66": 3}},
            "Quota of shares",
            "Pools in shares: 4, and AWS allows 3. Request an increase of 'Number of resource",
        ),
        ({"controls": {"CT.LAMBDA.PR.3": "ou-1"}}, "Proactive controls", "on ou-1 rejects functions outside a VPC"),
        ({"bucket_region": ""}, "Bucket", "Create it: aws s3 mb s3://code"),
        ({"parameters": PARAMETERS | {"AccEnvName": "Prod OU,SDLC OU,Team"}}, "Pools", "No room for us-west-2/Team"),
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
        (
            {"administrators": ()},
            "IPAM administrator",
            f"enable-ipam-organization-admin-account --region {HOME} --delegated-admin-account-id {NETWORKING}",
        ),
        ({"trusted": frozenset()}, "RAM sharing", "run `aws ram enable-sharing-with-aws-organization`"),
    ],
    ids=["IPAM", "RAM"],
)
def test_what_an_existing_stack_has_lost_is_a_warning_because_an_update_may_not_bring_it_back(
    changed: dict[str, Any], about: str, text: str
) -> None:
    """CloudFormation calls Custom::OrganizationSetup again only if one of its properties changes."""
    assert not_ok(replace(READY, **changed)) == []

    (lost,) = [one for one in not_ok(replace(READY, **changed, stack={})) if one.about == about]
    assert (lost.result, text in lost.text) == ("warning", True), lost.text


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
        ({"location": AccountLocation(NETWORKING, "ACTIVE")}, "Networking account", "Enroll it in Control Tower"),
        ({"execution_role": False}, "Execution role", "may not assume AWSControlTowerExecution"),
        ({"ipams": {HOME: None, WEST: FREE}}, "IPAM", "ipam-2 in us-west-2 is another IPAM"),
        ({"trails": ()}, "Trail", "Enable CloudTrail in the landing zone settings"),
        (
            {
                "stack": {"RegionSelection": f"{HOME}, {WEST}"},
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


def test_events_of_organizations_arrive_in_one_region_of_a_partition() -> None:
    """https://docs.aws.amazon.com/organizations/latest/userguide/orgs_cloudtrail-integration.html"""

    def told(partition: str, region: str) -> list[str]:
        facts = replace(READY, partition=partition, region=region)
        return [one.text.partition(".")[0] for one in check(facts) if one.about == "Organizations events"]

    assert told("aws-cn", "cn-north-1") == ["Organizations sends its events to cn-northwest-1"]
    assert told("aws-us-gov", "us-gov-east-1") == ["Organizations sends its events to us-gov-west-1"]
    assert told("aws-eusc", "eusc-de-east-1") == []


def test_a_landing_zone_that_names_no_governed_regions_leaves_them_to_the_stack() -> None:
    (unknown,) = not_ok(replace(READY, landing_zone=LandingZone(HOME, "4.0", "ACTIVE")))

    assert (unknown.about, unknown.result) == ("Governed Regions", "unknown")
    assert unknown.text == "Landing zone 4.0 names no governed Regions; the stack tests each Region itself."


@pytest.mark.parametrize(
    ("name", "about", "permission"),
    [
        ("management_id", "Credentials", "organizations:DescribeOrganization"),
        ("landing_zone", "Landing zone", "controltower:ListLandingZones and GetLandingZone"),
        ("stack", "Stack", "cloudformation:DescribeStacks"),
        ("location", "Networking account", "organizations:DescribeAccount and ListParents"),
        ("stack_set_role", "StackSet role", "iam:GetRole"),
        ("execution_role", "Execution role", "sts:AssumeRole"),
        ("regions", "Enabled Regions", "ec2:DescribeRegions in the Networking account"),
        (
            "policies",
            "Service control policies",
            "organizations:ListRoots, ListPoliciesForTarget and DescribePolicy",
        ),
        ("trusted", "RAM sharing", "organizations:ListAWSServiceAccessForOrganization"),
        ("administrators", "IPAM administrator", "organizations:ListDelegatedAdministrators"),
        ("quotas", "Quota of pools", "servicequotas:ListServiceQuotas in the Networking account"),
        ("share_quotas", "Quota of shares", "servicequotas:ListServiceQuotas in the Networking account"),
        ("controls", "Proactive controls", "controltower:ListEnabledControls and controlcatalog:GetControl"),
        ("bucket_region", "Bucket", "s3:GetBucketLocation"),
        ("trails", "Trail", "cloudtrail:DescribeTrails, GetTrailStatus and GetEventSelectors"),
        (
            "tree",
            "Environments",
            "organizations:ListRoots, ListOrganizationalUnitsForParent and ListAccountsForParent",
        ),
    ],
)
def test_what_cannot_be_read_is_said_with_the_permission_and_is_neither_ok_nor_failed(
    name: str, about: str, permission: str
) -> None:
    changed: dict[str, Any] = {name: DENIED}
    facts = replace(READY, **changed)

    assert not_ok(facts) == [Check(about, "unknown", f"Cannot be read (SomeCall: AccessDenied). Allow {permission}.")]
    assert len(check(facts)) >= len(check(READY)) - 2


def test_an_ipam_that_cannot_be_read_is_said_of_the_home_region_only() -> None:
    (unknown,) = not_ok(replace(READY, ipams={HOME: DENIED, WEST: DENIED}))

    assert (unknown.about, unknown.result) == ("IPAM", "unknown")
    assert unknown.text.endswith("Allow ec2:DescribeIpams in the Networking account.")


def environments(facts: Facts) -> list[tuple[str, str]]:
    return [(one.result, one.text) for one in check(facts) if one.about == "Environments"]


def test_it_is_said_which_ou_each_environment_is_and_how_many_accounts_are_in_it() -> None:
    exact = replace(READY, parameters=PARAMETERS | {"OuMatch": "exact"})

    assert environments(READY) == [
        ("ok", "'Prod OU' is ou-abcd-PPPPPPPP; 2 accounts in it."),
        ("ok", "'SDLC OU' is ou-abcd-SSSSSSSS; 0 accounts in it."),
    ]
    assert environments(exact)[0] == ("ok", "'Prod OU' is ou-abcd-PPPPPPPP; 1 account in it.")


OF_NAME = OrganizationTree((PROD, OrganizationalUnit("ou-abcd-22222222", "Prod OU"), SDLC), ())
SPACED = OrganizationTree((OrganizationalUnit("ou-abcd-33333333", "Team "), SDLC), ())
RENAMED = OrganizationTree((OrganizationalUnit("ou-abcd-pppppppp", "Production"), SDLC), ())


@pytest.mark.parametrize(
    ("names", "changed", "result", "text"),
    [
        (
            "Prod  OU,SDLC OU",
            {},
            "failed",
            "No OU is named 'Prod  OU'. Did you mean 'Prod OU'? Correct ENVS, or create the OU first. "
            "The OUs are: Prod OU, SDLC OU, Team.",
        ),
        (
            "Team ",  # CloudFormation takes the space away, so no OU would have that name
            {"tree": SPACED},
            "failed",
            "No OU is named 'Team'. Did you mean 'Team (ou-abcd-33333333)'? Correct ENVS, or create the OU first. "
            "The OUs are: SDLC OU, Team (ou-abcd-33333333).",
        ),
        ("Team (ou-abcd-33333333)", {"tree": SPACED}, "warning", "which is named 'Team '; 0 accounts in it."),
        ("Prod  OU,SDLC OU", {"stack": {"AccEnvName": "Prod  OU"}}, "warning", "No OU is named 'Prod  OU'."),
        (
            "Prod OU,SDLC OU",
            {"tree": OF_NAME},
            "failed",
            "2 OUs are named 'Prod OU'. In ENVS, write the one to use, for example Prod OU (ou-abcd-22222222). "
            "They are ou-abcd-22222222, ou-abcd-PPPPPPPP.",
        ),
        (
            "Prod OU (ou-abcd-00000000),SDLC OU",
            {},
            "failed",
            "OU ou-abcd-00000000 of environment 'Prod OU' is not in the organization.",
        ),
        ("Prod OU (ou-abcd-pppppppp),SDLC OU", {"tree": RENAMED}, "warning", "which is named 'Production'; 0 accounts"),
        (
            "Prod OU,SDLC OU",
            {"tree": RENAMED, "remembered": {"Prod OU": ["ou-abcd-pppppppp"]}, "stack": {"AccEnvName": "Prod OU"}},
            "ok",
            "'Prod OU' is ou-abcd-pppppppp, which is named 'Production'",
        ),
    ],
    ids=[
        "a typo",
        "a space",
        "and its way out",
        "of a stack that exists",
        "ambiguous",
        "no such id",
        "another name",
        "renamed since",
    ],
)
def test_an_environment_without_its_ou_is_told_before_the_deployment(
    names: str, changed: dict[str, Any], result: str, text: str
) -> None:
    facts = replace(READY, **changed)

    found = environments(replace(facts, parameters=PARAMETERS | {"AccEnvName": names}))

    assert found[0][0] == result
    assert text in found[0][1]


def test_whether_pools_fit_beside_those_of_an_existing_stack_is_left_to_the_preview() -> None:
    """They may have other blocks than the parameters give them, and those that are taken are not read."""

    def pools(facts: Facts) -> str:
        return next(one.text for one in check(facts) if one.about == "Pools")

    assert pools(READY) == "7 pools fit into 192.168.0.0/16."
    assert pools(replace(READY, stack=PARAMETERS)) == "7 pools; `make preview` shows whether all find room."


def test_a_quota_that_is_not_listed_is_said() -> None:
    (unknown,) = not_ok(replace(READY, quotas={}))

    assert unknown.text == "Not checked: Service Quotas lists no 'Pools per IPAM scope', 'CIDRs per IPAM pool'."


@pytest.mark.parametrize(("number", "end"), [(0, "none."), (20, "Sandbox 19."), (25, "Sandbox 19, and 5 more.")])
def test_of_many_ous_some_are_listed(number: int, end: str) -> None:
    ous = tuple(OrganizationalUnit(f"ou-abcd-{one:08}", f"Sandbox {one:02}") for one in reversed(range(number)))

    (missing, _) = environments(replace(READY, tree=OrganizationTree(ous, ())))

    first = ", ".join(f"Sandbox {one:02}" for one in range(19))
    listed = f"{first}, {end}" if number else end
    assert missing == (
        "failed",
        f"No OU is named 'Prod OU'. Correct ENVS, or create the OU first. The OUs are: {listed}",
    )


def test_what_was_not_asked_for_is_said() -> None:
    facts = replace(READY, bucket_region=Unknown("BUCKET is not given", by_aws=False))

    assert not_ok(facts) == [Check("Bucket", "unknown", "Not checked: BUCKET is not given.")]


def about(name: str, **changed: Any) -> list[tuple[str, str]]:
    """Return the results and the texts of the checks about something."""
    return [(one.result, one.text) for one in check(replace(READY, **changed)) if one.about == name]


def test_a_plan_may_take_a_quota_to_its_end_and_the_pool_with_the_most_cidrs_counts() -> None:
    sizes = PARAMETERS | {"PoolSizes": "us-west-2=20+20"}

    assert about("Quota of pools", parameters=sizes, quotas={"L-7319AFC3": 7, "L-0BC051D6": 2}) == [
        ("ok", "7 of 7 pools in a scope, 2 of 2 CIDRs in a pool.")
    ]
    ((result, text),) = about("Quota of pools", parameters=sizes, quotas={"L-7319AFC3": 7, "L-0BC051D6": 1})
    assert (result, text.partition(". ")[0]) == ("failed", "CIDRs in a pool: 2, and AWS allows 1")


def test_controls_that_reject_nothing_of_this_stack_are_no_obstacle() -> None:
    fine = [("ok", "None that rejects this stack is enabled on the Networking account's OUs.")]
    retention = {"CT.CLOUDWATCH.PR.2": "ou-1"}

    assert about("Proactive controls", controls=retention) == fine
    assert about("Proactive controls", controls=retention, parameters=PARAMETERS | {"LogRetentionDays": ""}) == fine
    assert about("Proactive controls", controls={}, parameters=PARAMETERS | {"LogRetentionDays": "30"}) == fine


def test_where_there_is_no_ipam_the_stack_creates_one() -> None:
    assert about("IPAM", ipams={HOME: None}) == [
        ("ok", "None in us-east-1; the stack creates one in the advanced tier.")
    ]


@pytest.mark.parametrize(
    ("role", "actions"),
    [
        (
            "the function that builds the pools",
            "CreateIpam CreateIpamPool CreateTags DescribeIpamPools ModifyIpam ProvisionIpamPoolCidr "
            "GetIpamPoolAllocations",
        ),
        (
            "AWSControlTowerExecution",
            "cloudformation:CreateStack iam:CreateRole kms:CreateKey lambda:CreateFunction ram:CreateResourceShare",
        ),
    ],
)
def test_a_policy_that_denies_a_call_of_the_deployment_is_found_whichever_call_it_is(role: str, actions: str) -> None:
    for name in actions.split():
        action = name if ":" in name else f"ec2:{name}"
        deny = Policy("guardrail", {"Statement": {"Effect": "Deny", "Action": action, "Resource": "*"}})

        found = about("Service control policies", policies=((FULL_ACCESS, deny),))

        assert [(result, text.partition(". ")[0]) for result, text in found] == [
            ("failed", f"guardrail denies {action} in {region} to {role}")
            for region in ([WEST, HOME] if action == REGION_CALL else [HOME])
        ]


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


def test_a_call_that_no_policy_allows_is_told_with_the_role_that_needs_it() -> None:
    only_pools = Policy("pools", {"Statement": [{"Effect": "Allow", "Action": "ec2:*", "Resource": "*"}]})
    only_stacks = Policy(
        "stacks", {"Statement": [{"Effect": "Allow", "NotAction": ["ec2:CreateIpamPool"], "Resource": "*"}]}
    )

    assert [one.text for one in not_ok(replace(READY, policies=((FULL_ACCESS,), (only_pools,))))] == [
        f"No policy allows cloudformation:CreateStack in {HOME} to AWSControlTowerExecution. Allow it."
    ]
    assert [one.text for one in not_ok(replace(READY, policies=((FULL_ACCESS,), (only_stacks,))))] == [
        f"No policy allows ec2:CreateIpamPool in {HOME} to the function that builds the pools. Allow it."
    ]


def test_the_calls_that_policies_are_compared_with_are_those_of_the_function() -> None:
    template = (ROOT / "templates/ipamnetworkingStack.yaml").read_text(encoding="utf-8")

    assert [call for call in (*HOME_CALLS, REGION_CALL) if call not in template] == []


def test_the_lines_have_marks_and_a_summary() -> None:
    checks = [
        *(Check("A", "ok", "Fine."), Check("B", "unknown", "Who knows.")),
        *(Check("C", "failed", "Fix it."), Check("D", "warning", "Look.")),
    ]

    assert text.to_lines(checks, text.MARKS) == [
        *("✓ A: Fine.", "! B: Who knows.", "✗ C: Fix it.", "! D: Look."),
        *("", "Not ready: 1 to fix. Not checked: 1."),
    ]
    assert text.to_lines(checks, text.ASCII_MARKS)[:4] == [
        "ok A: Fine.",
        "!  B: Who knows.",
        "x  C: Fix it.",
        "!  D: Look.",
    ]
    assert text.to_lines(checks[:1], text.MARKS) == ["✓ A: Fine.", "", "Ready."]
    assert text.to_lines(checks[:2], text.MARKS)[-1] == "Nothing to fix. Not checked: 1."  # which is not ready
    listed = [{"about": one.about, "result": one.result, "text": one.text} for one in checks]
    assert text.to_json(checks) == json.dumps({"ready": False, "checks": listed}, indent=4)
    assert json.loads(text.to_json(checks[:2]))["ready"]


def test_a_terminal_shows_what_to_fix_in_red(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("locale.getencoding", lambda: "UTF-8")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)

    text.show([Check("C", "failed", "Fix it.")])

    assert capsys.readouterr().out.splitlines()[0] == "\033[31m✗ C: Fix it.\033[0m"


OF_STACK = {"ParameterKey": "NetworkAccountId", "ParameterValue": NETWORKING}
INSTANCES = "cloudformation list_stack_instances"
EXISTS: dict[str, Any] = {
    "cloudformation describe_stacks": {
        "Stacks": [{"StackId": "arn:...", "StackStatus": "CREATE_COMPLETE", "Parameters": [OF_STACK]}]
    }
}
"""The answer of a stack that takes an update."""

STACK_SET_ROLE = "iam get_role RoleName=AWSControlTowerStackSetRole"
BUCKET = f"s3 get_bucket_location Bucket=code ExpectedBucketOwner={MANAGEMENT}"
ORGANIZATION = "arn:aws:organizations::111111111111:ou/o-1/ou-abcd-11111111"


def error(code: str, operation: str = "SomeCall") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, operation)


IPAM = {
    "IpamId": "ipam-1",
    "Tier": "advanced",
    "State": "delete-failed",
    "OwnerId": NETWORKING,
    "IpamRegion": HOME,
    "OperatingRegions": [],
    "PrivateDefaultScopeId": "ipam-scope-1",
}

ANSWERS: dict[str, Any] = {
    "organizations describe_organization": {"Organization": {"MasterAccountId": MANAGEMENT}},
    "organizations describe_account": {"Account": {"Status": "ACTIVE"}},
    f"organizations list_parents ChildId={NETWORKING}": {
        "Parents": [{"Id": "ou-abcd-11111111", "Type": "ORGANIZATIONAL_UNIT"}]
    },
    "organizations list_parents ChildId=ou-abcd-11111111": {"Parents": [{"Id": "r-abcd", "Type": "ROOT"}]},
    "organizations list_roots": {"Roots": [{"Id": "r-abcd"}]},
    "organizations list_policies_for_target Filter=SERVICE_CONTROL_POLICY": {
        "Policies": [{"Id": "p-1", "Name": "FullAWSAccess"}]
    },
    "organizations describe_policy": {"Policy": {"Content": json.dumps(FULL_ACCESS.document)}},
    "organizations list_aws_service_access_for_organization": {
        "EnabledServicePrincipals": [{"ServicePrincipal": "ram.amazonaws.com"}]
    },
    "organizations list_delegated_administrators": {"DelegatedAdministrators": [{"Id": NETWORKING}]},
    "organizations describe_organizational_unit OrganizationalUnitId=ou-abcd-11111111": {
        "OrganizationalUnit": {"Arn": ORGANIZATION}
    },
    "controltower list_landing_zones": {"landingZones": [{"arn": f"arn:aws:controltower:{HOME}:1:landingzone/X"}]},
    "controltower get_landing_zone": {
        "landingZone": {
            "version": "3.3",
            "status": "ACTIVE",
            "driftStatus": {"status": "IN_SYNC"},
            "manifest": {"governedRegions": [HOME, WEST]},
        }
    },
    f"controltower list_enabled_controls targetIdentifier={ORGANIZATION}": {
        "enabledControls": [
            {"controlIdentifier": f"arn:aws:controltower:{HOME}::control/AWS-GR_REGION_DENY"},
            {"controlIdentifier": f"arn:aws:controltower:{HOME}::control/ABCDEF"},
        ]
    },
    "controlcatalog get_control ControlArn=arn:aws:controlcatalog:::control/ABCDEF": {"Aliases": ["CT.LAMBDA.PR.3"]},
    "cloudformation describe_stacks": ClientError(
        {"Error": {"Code": "ValidationError", "Message": "Stack with id x does not exist"}}, "DescribeStacks"
    ),
    INSTANCES: {"Summaries": [{"Account": NETWORKING, "StackId": "arn:..."}]},
    STACK_SET_ROLE: {"Role": {}},
    "ec2 describe_regions": {"Regions": [{"RegionName": HOME}, {"RegionName": WEST}]},
    f"ec2 describe_ipams {HOME}": {
        "Ipams": [
            IPAM | {"IpamId": "ipam-2", "Tier": "free", "State": "create-failed"},
            IPAM,
            IPAM | {"IpamId": "ipam-0", "Tier": "free", "State": "delete-complete"},
        ]
    },
    "ec2 describe_ipams": {"Ipams": []},
    "ec2 describe_ipam_pools": {
        "IpamPools": [
            {
                "IpamPoolId": "ipam-pool-1",
                "State": "create-complete",
                "OwnerId": NETWORKING,
                "Tags": [
                    {"Key": "ctipam:environment", "Value": "Prod OU"},
                    {"Key": "ctipam:ou-id", "Value": TEAM.ou_id},
                ],
            },
            {"IpamPoolId": "ipam-pool-2", "State": "create-complete", "OwnerId": NETWORKING},
        ]
    },
    "service-quotas list_service_quotas ServiceCode=ec2-ipam": {
        "Quotas": [{"QuotaCode": code, "Value": float(value)} for code, value in QUOTAS.items()]
    },
    "service-quotas list_service_quotas ServiceCode=ram": {
        "Quotas": [{"QuotaCode": code, "Value": float(value)} for code, value in SHARE_QUOTAS.items()]
    },
    BUCKET: {"LocationConstraint": None},
    "cloudtrail describe_trails": {
        "trailList": [{"Name": "on", "TrailARN": "arn:on"}, {"Name": "off", "TrailARN": "arn:off"}]
    },
    "cloudtrail get_trail_status Name=arn:on": {"IsLogging": True},
    "cloudtrail get_trail_status": {"IsLogging": False},
}


def advanced(**fields: str) -> dict[str, Any]:
    selectors = [{"Field": name, "Equals": [value]} for name, value in fields.items()]
    return {"AdvancedEventSelectors": [{"FieldSelectors": selectors}]}


class Answering(AwsReader):
    """An account with one answer, or error, for each operation in any or one Region: the longest that its words begin
    with."""

    def __init__(self, answers: Mapping[str, Any], account_id: str = MANAGEMENT) -> None:
        super().__init__(boto3.Session(region_name=HOME), account_id)
        self.answers = answers
        self.calls: set[tuple[str, str]] = set()
        self.sessions: list[tuple[Any, ...]] = []

    def impatient(self) -> Self:
        return self

    def assume(self, *arguments: Any) -> Self:
        if "sts assume_role" in self.answers:
            raise self.answers["sts assume_role"]
        self.sessions.append(arguments)
        inside = type(self)(self.answers, NETWORKING)
        inside.calls = self.calls
        return inside

    def _make_client(self, service: str, region: str) -> Any:
        def answer(operation: str, **parameters: Any) -> Any:
            action = f"{service.replace('-', '')}:{operation.title().replace('_', '')}"
            self.calls.add((self.account_id, action))
            assert_complete(service, operation, parameters)
            named = [f"{name}={value}" for name, value in parameters.items()]
            lines = [" ".join([service, operation, *words]) for words in (named, [region, *named])]
            fitting = [words for words in self.answers for line in lines if line.startswith(words)]
            found = self.answers[max(fitting, key=len)]
            if isinstance(found, ClientError):
                raise found
            return found

        return AnsweringClient(answer)


@functools.cache
def model(service: str) -> ServiceModel:
    return Session().get_service_model(service)


def assert_complete(service: str, operation: str, parameters: Mapping[str, Any]) -> None:
    """Assert that AWS would take the parameters."""
    (name,) = [name for name in model(service).operation_names if xform_name(name) == operation]
    if shape := model(service).operation_model(name).input_shape:
        sent = {key: value for key, value in parameters.items() if key != "PaginationConfig"}
        report = ParamValidator().validate(sent, shape)
        assert not report.has_errors(), report.generate_report()


class AnsweringClient:
    def __init__(self, answer: Callable[..., Any]) -> None:
        self._answer = answer

    def can_paginate(self, _operation: str) -> bool:
        return False

    def get_paginator(self, operation: str) -> Any:
        return SimpleNamespace(paginate=lambda **parameters: [self._answer(operation, **parameters)])

    def __getattr__(self, operation: str) -> Any:
        if operation.startswith("_"):  # pytest looks for many when a test fails
            raise AttributeError(operation)
        return partial(self._answer, operation)


def checked(answers: Mapping[str, Any], *words: str) -> dict[str, Check]:
    given = arguments.read(words, arguments.template_parameters())
    return {one.about: one for one in checking.check_organization(Answering(answers), given)}


def preflighted(answers: Mapping[str, Any], *words: str) -> dict[str, Check]:
    found = checked(answers, f"NETWORK_ACCOUNT_ID={NETWORKING}", "BUCKET=code", *words)
    return {about: one for about, one in found.items() if one.result != "ok"}


def made(answers: Mapping[str, Any], *words: str) -> Answering:
    """Return an account, and with it the calls of a preflight."""
    given = [f"NETWORK_ACCOUNT_ID={NETWORKING}", "BUCKET=code", *words]
    account = Answering(answers)
    checking.check_organization(account, arguments.read(given, arguments.template_parameters()))
    return account


@pytest.fixture(autouse=True)
def organization(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight_reading, "read_all", lambda *_arguments: TREE)


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("AutoImport", "perhaps", "AutoImport=perhaps is not valid"),
        ("stack", "a stack", "stack=a stack is not a valid stack name"),
        ("FORMAT", "svg", "FORMAT=svg is not supported; give text or json"),
    ],
)
def test_an_argument_that_cannot_be_right_is_refused_before_anything_is_read(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, reason: str
) -> None:
    given = {"BUCKET": "code", "NETWORK_ACCOUNT_ID": NETWORKING, name: value}
    for name, value in {**given, "WORDS": " ".join(given)}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(preflight, "read_and_check", lambda *_: pytest.fail("AWS was asked"))

    with pytest.raises(Refused, match=reason):
        preflight.main()


@pytest.mark.parametrize(("result", "code"), [("ok", 0), ("warning", 0), ("failed", 1)])
def test_the_checks_are_printed_for_people_or_for_programs_and_the_exit_code_says_whether_it_is_ready(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], result: Any, code: int
) -> None:
    checks = [Check("Trail", result, "Größe.")]
    monkeypatch.setattr(preflight, "read_and_check", lambda *_: checks)

    assert preflight.main() == code
    assert capsys.readouterr().out.splitlines() == text.to_lines(checks, text.MARKS)

    monkeypatch.setenv("WORDS", "FORMAT")
    monkeypatch.setenv("FORMAT", "json")
    assert preflight.main() == code
    assert capsys.readouterr().out == text.to_json(checks) + "\n"


@pytest.mark.parametrize(
    ("encoding", "is_terminal", "marks"),
    [
        ("UTF-8", True, text.MARKS),
        ("utf8", True, text.MARKS),
        ("ANSI_X3.4-1968", True, text.ASCII_MARKS),
        ("ANSI_X3.4-1968", False, text.MARKS),  # whatever shows it later
    ],
)
def test_a_terminal_gets_the_marks_that_it_can_show(
    monkeypatch: pytest.MonkeyPatch, encoding: str, is_terminal: bool, marks: Mapping[str, str]
) -> None:
    monkeypatch.setattr("locale.getencoding", lambda: encoding)
    monkeypatch.setattr("sys.stdout.isatty", lambda: is_terminal)

    assert text.marks() == marks


def test_the_account_of_the_credentials_is_checked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    session = boto3.Session("not used", "not used", region_name=WEST)
    given = arguments.Arguments({}, {"AWS": "my aws"})
    found = [Check("Trail", "ok", "Fine.")]
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setattr(checking, "open_session", lambda words, root: {("my aws", ROOT): session}[words, root])
    monkeypatch.setattr(checking, "read_account_id", lambda _session: OTHER)

    def check_organization(aws: AwsReader, *others: Any) -> list[Check]:
        assert (aws.account_id, aws.region, others) == (OTHER, WEST, (given, ROOT))
        return found

    monkeypatch.setattr(checking, "check_organization", check_organization)

    assert checking.read_and_check(given, ROOT) == found
    assert capsys.readouterr().err == "Reading the organization ...\n"


def test_a_list_of_aws_is_read_to_its_end_and_what_is_throttled_is_given_up_soon(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pages: dict[str | None, dict[str, Any]] = {
        None: {"enabledControls": [{"arn": "1"}], "nextToken": "more"},
        "more": {"enabledControls": [{"arn": "2"}]},
    }

    def answer(_call: Any, client: Any, operation: str, parameters: Any) -> Any:
        assert client.meta.config.retries == {"mode": "standard", "total_max_attempts": 5}
        if operation == "GetRole":
            return {"Role": parameters}
        assert (client.meta.region_name, parameters["targetIdentifier"]) == (WEST, "ou")
        return pages[parameters.get("nextToken")]

    intercept(monkeypatch, answer)
    aws = AwsReader(boto3.Session("not used", "not used", region_name=HOME), MANAGEMENT).impatient()

    found = aws.ask("controltower", "list_enabled_controls", WEST, targetIdentifier="ou")
    assert found["enabledControls"] == [{"arn": "1"}, {"arn": "2"}]
    assert aws.ask("iam", "get_role", RoleName="x") == {"Role": {"RoleName": "x"}}


@pytest.mark.parametrize("target", ["r-abcd", "ou-abcd-11111111", NETWORKING])
def test_the_policies_of_the_root_of_each_ou_and_of_the_account_are_read(target: str) -> None:
    deny = {"Effect": "Deny", "Action": "ec2:CreateIpam", "Resource": "*"}
    policies = [{"Id": "p-1", "Name": "FullAWSAccess"}, {"Id": "p-2", "Name": "no-ipam"}]
    answers = {
        f"organizations list_policies_for_target Filter=SERVICE_CONTROL_POLICY TargetId={target}": {
            "Policies": policies
        },
        "organizations describe_policy PolicyId=p-2": {"Policy": {"Content": json.dumps({"Statement": deny})}},
    }

    assert preflighted(ANSWERS | answers)["Service control policies"].text.startswith("no-ipam denies ec2:CreateIpam")


def test_an_ipam_is_looked_for_in_the_home_region_and_in_each_that_gets_pools() -> None:
    free = {"Ipams": [IPAM | {"Tier": "free"}]}
    elsewhere = {"Ipams": [IPAM | {"IpamRegion": WEST}]}

    assert (
        "is in the free tier"
        in preflighted(ANSWERS | {f"ec2 describe_ipams {HOME}": free}, f"REGIONS={WEST}")["IPAM"].text
    )
    assert preflighted(ANSWERS | {f"ec2 describe_ipams {WEST}": elsewhere})["IPAM"].text.startswith(
        "ipam-1 in us-west-2 is another"
    )


@pytest.mark.parametrize("code", ["AccessDenied", "InternalFailure"])
def test_what_is_read_inside_an_account_that_cannot_be_entered_is_not_checked(code: str) -> None:
    found = preflighted(ANSWERS | {"sts assume_role": error(code, "AssumeRole")})

    of_account = [
        about for about, one in found.items() if one.text.startswith("Not checked: the Networking account can")
    ]
    assert of_account == ["Enabled Regions", "Other deployments", "IPAM", "Quota of pools", "Quota of shares"]
    assert found["IPAM"].text == "Not checked: the Networking account cannot be entered."


def test_of_an_account_that_is_not_in_the_organization_no_policy_or_control_is_read() -> None:
    found = preflighted(ANSWERS | {"organizations describe_account": error("AccountNotFoundException")})

    why = "Not checked: the Networking account is not an active account of the organization."
    assert [about for about, one in found.items() if one.text == why] == [
        "Service control policies",
        "Proactive controls",
    ]


def test_a_region_without_a_landing_zone_is_told() -> None:
    found = preflighted(ANSWERS | {"controltower list_landing_zones": {"landingZones": []}})

    assert found["Landing zone"].text.startswith("Control Tower lists no landing zone in us-east-1.")


@pytest.mark.parametrize(
    ("changed", "about", "text"),
    [
        ({"driftStatus": {"status": "DRIFTED"}}, "Landing zone", "it has drifted"),
        ({"status": "FAILED"}, "Landing zone", "it is FAILED"),
        ({"manifest": {}}, "Governed Regions", "names no governed Regions"),
    ],
)
def test_the_state_of_the_landing_zone_is_read(changed: dict[str, Any], about: str, text: str) -> None:
    zone = ANSWERS["controltower get_landing_zone"]["landingZone"] | changed

    found = preflighted(ANSWERS | {"controltower get_landing_zone": {"landingZone": zone}})

    assert text in found[about].text


@pytest.mark.parametrize("output", ["json", "text"])
def test_a_list_for_programs_is_refused_where_make_would_write_into_it(
    monkeypatch: pytest.MonkeyPatch, output: str
) -> None:
    for name, value in {"FORMAT": output, "WORDS": "FORMAT", "MAKEFLAGS": "w"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(preflight, "read_and_check", lambda *_: [])

    if output == "json":
        with pytest.raises(Refused, match="add --no-print-directory"):
            preflight.main()
    else:
        assert preflight.main() == 0


def test_the_answers_of_aws_are_read() -> None:
    found = {
        about: one.text for about, one in checked(ANSWERS, f"NETWORK_ACCOUNT_ID={NETWORKING}", "BUCKET=code").items()
    }

    of_pools = replace(READY, remembered={"Prod OU": [TEAM.ou_id]})
    assert found == {one.about: one.text for one in check(of_pools)} | {
        "Proactive controls": "CT.LAMBDA.PR.3 on ou-abcd-11111111 rejects functions outside a VPC. Disable it there, "
        "or use another OU.",
        "Trail": "on logs in us-east-1, so EventBridge gets the events of accounts.",
    }


def test_an_ipam_that_is_being_deleted_or_could_not_be_created_is_none() -> None:
    failed = {"Ipams": [IPAM | {"State": "create-failed"}]}

    found = checked(ANSWERS | {f"ec2 describe_ipams {HOME}": failed}, f"NETWORK_ACCOUNT_ID={NETWORKING}")

    assert found["IPAM"].text == "None in us-east-1; the stack creates one in the advanced tier."


def test_the_region_of_the_bucket_is_read() -> None:
    answers = ANSWERS | {BUCKET: {"LocationConstraint": "eu-west-1"}}

    assert checked(answers, "BUCKET=code")["Bucket"].text == "code is in eu-west-1."


@pytest.mark.parametrize(
    ("asked", "answer", "about", "text"),
    [
        ("sts assume_role", error("AccessDenied"), "Execution role", "may not assume"),
        ("sts assume_role", error("AccessDenied"), "IPAM", "cannot be entered"),
        (STACK_SET_ROLE, error("NoSuchEntity"), "StackSet role", "has no role"),
        (STACK_SET_ROLE, error("AccessDenied", "GetRole"), "StackSet role", "Cannot be read (GetRole: AccessDenied)"),
        ("sts assume_role", error("InternalFailure", "AssumeRole"), "Execution role", "Cannot be read (AssumeRole"),
        ("organizations describe_account", error("AccountNotFoundException"), "Networking account", "is no account"),
        (
            "organizations describe_account",
            error("AccessDeniedException", "DescribeAccount"),
            "Networking account",
            "Cannot be read (DescribeAccount: AccessDeniedException)",
        ),
        ("organizations describe_organization", error("AWSOrganizationsNotInUseException"), "Credentials", "is in no"),
        (BUCKET, error("NoSuchBucket"), "Bucket", "Create it"),
        (
            BUCKET,
            error("AccessDenied", "GetBucketLocation"),
            "Bucket",
            "Cannot be read (GetBucketLocation: AccessDenied)",
        ),
        (
            "cloudtrail describe_trails",
            error("AccessDeniedException", "DescribeTrails"),
            "Trail",
            "Cannot be read (DescribeTrails: AccessDeniedException). Allow cloudtrail:DescribeTrails, GetTrailStatus",
        ),
    ],
)
def test_the_errors_of_aws_are_understood(asked: str, answer: ClientError, about: str, text: str) -> None:
    found = preflighted(ANSWERS | {asked: answer})

    assert text in found[about].text


@pytest.mark.parametrize(
    ("selectors", "is_enough"),
    [
        ({"EventSelectors": [{"ReadWriteType": "All", "IncludeManagementEvents": True}]}, True),
        ({"EventSelectors": [{"ReadWriteType": "WriteOnly", "IncludeManagementEvents": True}]}, True),
        ({"EventSelectors": [{"ReadWriteType": "ReadOnly", "IncludeManagementEvents": True}]}, False),
        ({"EventSelectors": [{"ReadWriteType": "All", "IncludeManagementEvents": False}]}, False),
        (advanced(eventCategory="Management"), True),
        (advanced(eventCategory="Management", readOnly="false"), True),
        (advanced(eventCategory="Management", readOnly="true"), False),
        (advanced(eventCategory="Data"), False),
    ],
)
def test_a_trail_that_logs_no_changes_brings_no_events_of_accounts(selectors: Any, is_enough: bool) -> None:
    trail = {"Name": "on", "TrailARN": "arn:on", "HasCustomEventSelectors": True, "HomeRegion": HOME}
    answers = {"cloudtrail describe_trails": {"trailList": [trail]}, "cloudtrail get_event_selectors": selectors}

    assert ("Trail" not in preflighted(ANSWERS | answers)) == is_enough


def test_the_event_selectors_of_a_trail_are_read_in_its_home_region() -> None:
    """In another Region, AWS does not know them. https://github.com/aws/aws-sdk-go-v2/issues/1957"""
    trail = {"Name": "on", "TrailARN": "arn:on", "HasCustomEventSelectors": True, "HomeRegion": "eu-west-1"}
    answers = {
        "cloudtrail describe_trails": {"trailList": [trail]},
        "cloudtrail get_event_selectors": error("TrailNotFoundException", "GetEventSelectors"),
        "cloudtrail get_event_selectors eu-west-1": advanced(eventCategory="Management"),
    }

    assert "Trail" not in preflighted(ANSWERS | answers)


def test_if_aws_throttles_the_first_calls_no_other_is_made() -> None:
    throttled = {
        "organizations describe_organization": error("TooManyRequestsException", "DescribeOrganization"),
        "cloudformation describe_stacks": error("Throttling", "DescribeStacks"),
    }

    (found,) = preflighted(throttled).values()  # another call would have no answer

    assert (found.about, found.result) == ("AWS", "failed")
    assert "Try again in some minutes" in found.text


def test_credentials_that_aws_throttles_are_not_called_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", HOME)
    monkeypatch.setattr(checking, "read_account_id", lambda _session: preflight_reading.unread(error("Throttling")))

    (found,) = checking.read_and_check(arguments.Arguments({}, {}))

    assert found.about == "AWS"


def test_what_aws_throttles_needs_no_permission() -> None:
    found = preflighted(ANSWERS | {"organizations describe_organization": error("Throttling", "DescribeOrganization")})

    assert found["Credentials"].text == (
        "Cannot be read (DescribeOrganization: Throttling). AWS is called too often; try again in some minutes."
    )


def test_the_first_calls_are_repeated_for_a_few_seconds_only() -> None:
    patient = AwsReader(boto3.Session(region_name=HOME), MANAGEMENT)

    configs: list[Any] = [reader.organizations().meta.config for reader in (patient, patient.impatient())]

    assert [config.retries["total_max_attempts"] for config in configs] == [9, 5]


def test_an_environment_is_the_ou_that_its_pools_name() -> None:
    (found, _) = [one for one in check(_facts(ANSWERS)) if one.about == "Environments"]

    assert found.text == f"'Prod OU' is {TEAM.ou_id}, which is named 'Team'; 1 account in it."


def _facts(answers: Mapping[str, Any]) -> Facts:
    request = preflight_reading.Request(NETWORKING, "code", (HOME, WEST))
    facts = preflight_reading.read_facts(Answering(answers), request, MANAGEMENT, None)
    return replace(facts, parameters=PARAMETERS)


@pytest.mark.parametrize(
    ("region", "about", "text"),
    [
        (HOME, "Credentials", "There are no valid AWS credentials (Unable to locate credentials). Sign in"),
        ("", "Region", "Set AWS_REGION to Control Tower's home Region"),
    ],
)
def test_without_credentials_or_a_region_one_check_says_so(
    monkeypatch: pytest.MonkeyPatch, region: str, about: str, text: str
) -> None:
    monkeypatch.setattr("botocore.credentials.CredentialResolver.load_credentials", lambda _self: None)
    monkeypatch.setenv("AWS_REGION", region)
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.setenv("PATH", "")

    (found,) = checking.read_and_check(arguments.Arguments({}, {}))

    assert (found.about, found.result) == (about, "failed")
    assert text in found.text


def test_aws_that_cannot_be_reached_is_not_called_wrong_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")

    with pytest.raises(Refused, match=r"AWS cannot be reached: .* Check the connection and AWS_REGION"):
        checking.read_and_check(arguments.Arguments({}, {}))


def test_an_invalid_token_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "secret\ntoken")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")  # the client refuses the token before it connects

    (found,) = checking.read_and_check(arguments.Arguments({}, {}))

    assert found.text == (
        "There are no valid AWS credentials (HTTPClientError). Sign in to the management account, or set AWS_PROFILE."
    )


def test_a_profile_that_does_not_exist_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")

    (found,) = checking.read_and_check(arguments.Arguments({}, {}))

    assert "(The config profile (nobody) could not be found). Sign in" in found.text


def test_a_landing_zone_of_another_region_is_not_asked_for_its_settings() -> None:
    zones = {"landingZones": [{"arn": "arn:aws:controltower:eu-west-1:1:landingzone/X"}]}
    only_at_home = error("ResourceNotFoundException")

    found = preflighted(
        ANSWERS | {"controltower list_landing_zones": zones, "controltower get_landing_zone": only_at_home}
    )

    assert found["Landing zone"].result == "failed"
    assert found["Landing zone"].text.endswith("Set AWS_REGION to eu-west-1.")


def test_the_parameters_of_an_existing_stack_apply_where_none_is_given() -> None:
    existing = [{"ParameterKey": "RegionSelection", "ParameterValue": "eu-west-1"}, OF_STACK]
    stack = {"Stacks": [{"StackId": "arn:...", "StackStatus": "CREATE_COMPLETE", "Parameters": existing}]}

    kept = preflighted(ANSWERS | {"cloudformation describe_stacks": stack})
    changed = preflighted(ANSWERS | {"cloudformation describe_stacks": stack}, f"REGIONS={HOME}")

    assert kept["Governed Regions"].result == "warning"  # the stack has it already
    assert "Governed Regions" not in changed


def test_a_stack_that_takes_no_update_and_one_without_resources_are_told_apart() -> None:
    def with_status(status: str, *parameters: Mapping[str, str]) -> dict[str, Check]:
        stack = {"Stacks": [{"StackId": "arn:...", "StackStatus": status, "Parameters": parameters}]}
        return preflighted(ANSWERS | {"cloudformation describe_stacks": stack})

    failed = with_status("UPDATE_ROLLBACK_FAILED", OF_STACK)["Stack"].text
    assert "continue-update-rollback --stack-name ipam-controltower" in failed
    assert (
        "If NetworkingStackSet was not found, nothing corrects that: run `make undo stack=ipam-controltower`" in failed
    )
    assert "Stack" not in with_status("REVIEW_IN_PROGRESS")
    assert with_status("CREATE_COMPLETE")["Stack"].text.endswith(
        "it names no Networking account; name another with stack=."
    )


@pytest.mark.parametrize(
    "rows",
    [[], [{"Account": OTHER, "StackId": "arn:..."}], [{"Account": NETWORKING}]],
    ids=["none", "of another account", "never created"],
)
def test_a_stack_whose_pools_have_lost_their_stack_is_told_with_the_command_that_creates_it_again(
    rows: list[dict[str, str]],
) -> None:
    instances: dict[str, Any] = {"Summaries": rows}

    found = preflighted(ANSWERS | EXISTS | {INSTANCES: instances})

    assert "no update creates it again. Run `aws cloudformation create-stack-instances " in found["Stack"].text


OF_NETWORKING = f"arn:aws:cloudformation:{HOME}:{NETWORKING}:stack/StackSet-ipam-networking/1"


@pytest.mark.parametrize(
    ("status", "commands"),
    [
        ("DELETE_COMPLETE", ["Somebody deleted the stack of", "delete-stack-instances", "create-stack-instances"]),
        ("DELETE_FAILED", ["--deletion-mode FORCE_DELETE_STACK`", "delete-stack-instances", "create-stack-instances"]),
        ("ROLLBACK_FAILED", ["delete-stack --region", "delete-stack-instances", "create-stack-instances"]),
        (
            "ROLLBACK_COMPLETE",
            ["/1`, and wait", "delete-stack-instances", "--retain-stacks`", "create-stack-instances"],
        ),
        ("UPDATE_ROLLBACK_FAILED", ["In that account, correct the reason", "continue-update-rollback --region"]),
        ("UPDATE_IN_PROGRESS", [f"account {NETWORKING} is UPDATE_IN_PROGRESS; wait until that has ended"]),
    ],
)
def test_a_stack_in_the_networking_account_that_takes_no_update_is_told_with_the_commands_in_their_order(
    status: str, commands: list[str]
) -> None:
    answers = {
        **EXISTS,
        INSTANCES: {"Summaries": [{"Account": NETWORKING, "StackId": OF_NETWORKING}]},
    }
    there = {f"cloudformation describe_stacks StackName={OF_NETWORKING}": {"Stacks": [{"StackStatus": status}]}}

    text = preflighted(ANSWERS | answers | there)["Stack"].text

    places = [text.find(command) for command in commands]
    assert places == sorted(places)
    assert -1 not in places
    assert ("--deletion-mode" in text) == (status == "DELETE_FAILED")
    assert "Stack" not in preflighted(ANSWERS | answers)


def test_the_networking_account_is_read_in_a_session_that_allows_these_reads_and_nothing_else() -> None:
    account = made(ANSWERS | EXISTS)

    inside = sorted(action for account_id, action in account.calls if account_id == NETWORKING)
    for role, name, policy in account.sessions:
        assert (role, name) == (f"arn:aws:iam::{NETWORKING}:role/AWSControlTowerExecution", "preflight")
        assert session_policies.statements(policy) == [(" ".join(inside), "*", {})]


def test_only_of_a_stack_that_exists_and_is_listed_is_its_status_asked() -> None:
    unlisted = {INSTANCES: error("AccessDenied", "ListStackInstances")}

    def asked(answers: dict[str, Any]) -> set[str]:
        calls = made(ANSWERS | answers).calls
        of_stack_set = (MANAGEMENT, "cloudformation:ListStackInstances")
        return {action for account, action in calls if account == NETWORKING or (account, action) == of_stack_set}

    never = asked({})
    assert asked(EXISTS) - never == {
        "cloudformation:ListStackInstances",
        "cloudformation:DescribeStacks",
    }
    assert asked({**EXISTS, **unlisted}) - never == {"cloudformation:ListStackInstances"}


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        ({INSTANCES: error("AccessDenied", "ListStackInstances")}, "ListStackInstances: AccessDenied"),
        (
            {
                INSTANCES: {"Summaries": [{"Account": NETWORKING, "StackId": OF_NETWORKING}]},
                f"cloudformation describe_stacks StackName={OF_NETWORKING}": error("AccessDenied", "DescribeStacks"),
            },
            "DescribeStacks: AccessDenied",
        ),
    ],
    ids=["which it is", "its status"],
)
def test_whether_the_stack_in_the_networking_account_takes_an_update_is_unknown_if_it_cannot_be_read(
    answers: dict[str, Any], why: str
) -> None:
    found = preflighted(ANSWERS | EXISTS | answers)["Networking stack"]

    permissions = "cloudformation:ListStackInstances, and cloudformation:DescribeStacks in the Networking account"
    assert (found.result, found.text) == ("unknown", f"Cannot be read ({why}). Allow {permissions}.")


def test_a_stack_whose_networking_account_nobody_may_enter_is_taken_to_accept_an_update() -> None:
    """That the account cannot be entered is a check of its own."""
    answers = {
        **EXISTS,
        INSTANCES: {"Summaries": [{"Account": NETWORKING, "StackId": OF_NETWORKING}]},
        "sts assume_role": error("AccessDenied", "AssumeRole"),
    }

    assert preflighted(ANSWERS | answers).keys().isdisjoint({"Stack", "Networking stack"})


def test_whether_pools_are_those_of_an_earlier_deployment_of_the_name_is_unknown_if_it_cannot_be_read() -> None:
    arn = f"arn:aws:cloudformation:us-east-1:222222222222:stack/{OF_FIRST}/1"
    pool = {"State": "create-complete", "OwnerId": NETWORKING, "Tags": [{"Key": "ctipam:stack-id", "Value": arn}]}
    answers = {
        "ec2 describe_ipam_pools": {"IpamPools": [pool]},
        f"cloudformation describe_stacks StackName={arn}": {"Stacks": [{"StackStatus": "CREATE_COMPLETE"}]},
        INSTANCES: error("AccessDenied", "ListStackInstances"),
    }

    assert preflighted(ANSWERS | answers, "stack=first")["Networking stack"].result == "unknown"


def test_a_stack_whose_stack_set_was_deleted_is_told_to_be_deleted_and_deployed_again() -> None:
    instances = error("StackSetNotFoundException")

    found = preflighted(ANSWERS | EXISTS | {INSTANCES: instances})

    assert "no update creates it again. Run `make undo stack=ipam-controltower`" in found["Stack"].text


OF_FIRST = "StackSet-first-networking-01234567-89ab-cdef-0123-456789abcdef"


@pytest.mark.parametrize(
    ("status", "stack", "listed", "text"),
    [
        (
            "CREATE_COMPLETE",
            "second",
            False,
            "Deployment first in us-east-1, account 222222222222, already manages the pools",
        ),
        ("CREATE_COMPLETE", "first", True, ""),  # whose stack was deleted; it takes the pools over
        ("CREATE_COMPLETE", "first", False, f"Stack {OF_FIRST} in us-east-1, account 222222222222, already manages"),
        ("DELETE_FAILED", "second", False, ""),
    ],
)
def test_a_second_deployment_is_told_before_it_is_refused(status: str, stack: str, listed: bool, text: str) -> None:
    """listed: the StackSet of the stack's name lists the stack in the Networking account"""
    arn = f"arn:aws:cloudformation:us-east-1:222222222222:stack/{OF_FIRST}/1"
    pool = {"State": "create-complete", "OwnerId": NETWORKING, "Tags": [{"Key": "ctipam:stack-id", "Value": arn}]}
    answers = {
        "ec2 describe_ipam_pools": {"IpamPools": [pool]},
        f"cloudformation describe_stacks StackName={arn}": {"Stacks": [{"StackStatus": status}]},
        INSTANCES: {"Summaries": [{"Account": NETWORKING, "StackId": arn}] if listed else []},
    }

    found = preflighted(ANSWERS | answers, f"stack={stack}")

    assert found["Stack"].text.startswith(text) if text else "Stack" not in found


@pytest.mark.parametrize(
    ("code", "way_out"),
    [
        (
            "UnauthorizedOperation",
            "Allow ec2:DescribeIpamPools and cloudformation:DescribeStacks in the Networking account.",
        ),
        ("RequestLimitExceeded", "AWS is called too often; try again in some minutes."),
    ],
)
def test_whether_it_would_be_a_second_deployment_is_unknown_if_pools_cannot_be_read(code: str, way_out: str) -> None:
    answers = ANSWERS | {"ec2 describe_ipam_pools": error(code, "DescribeIpamPools")}

    found = preflighted(answers)["Other deployments"]

    assert (found.result, found.text) == ("unknown", f"Cannot be read (DescribeIpamPools: {code}). {way_out}")


def test_of_a_stack_that_exists_no_other_deployments_are_told() -> None:
    unread = {"ec2 describe_ipam_pools": error("UnauthorizedOperation", "DescribeIpamPools")}

    assert "Other deployments" not in preflighted(ANSWERS | EXISTS | unread)


def test_with_credentials_of_another_account_one_check_says_so() -> None:
    other = {"organizations describe_organization": {"Organization": {"MasterAccountId": OTHER}}}  # no other answer

    (found,) = checked(other).values()

    assert found.text.endswith(f"management account is {OTHER}; sign in there, or set AWS_PROFILE.")


def test_the_ous_are_checked_even_if_the_pools_have_no_room() -> None:
    found = environments(replace(READY, parameters=PARAMETERS | {"AccEnvName": "Prod OU,SDLC OU,Sand"}))

    assert [result for result, _ in found] == ["ok", "ok", "failed"]


def test_without_a_networking_account_or_a_bucket_their_checks_are_left_out() -> None:
    found = checked(ANSWERS)

    assert found["Bucket"].text == "Not checked: BUCKET is not given."
    assert [about for about, one in found.items() if one.text == "Not checked: NETWORK_ACCOUNT_ID is not given."] == [
        *("Networking account", "Execution role", "Enabled Regions", "Service control policies"),
        *("Other deployments", "IPAM", "Quota of pools", "Quota of shares", "Proactive controls"),
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
