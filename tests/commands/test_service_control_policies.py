"""Which service control policies deny a call, as AWS evaluates them."""

from __future__ import annotations

from typing import Any

import pytest

from commands.preflight.service_control_policies import Call, Denial, Policy, denials

FUNCTION = "arn:aws:iam::222222222222:role/StackSet-x-IpamFunctionRole"
EXECUTION = "arn:aws:iam::222222222222:role/AWSControlTowerExecution"
POOL = "arn:aws:ec2::222222222222:ipam-pool/ipam-pool-0"
CALL = Call("ec2:GetIpamPoolAllocations", "eu-west-1", FUNCTION, POOL)

FULL_ACCESS = Policy("FullAWSAccess", {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})
REGION_DENY = {
    "Effect": "Deny",
    "NotAction": ["iam:*", "organizations:*", "ec2:DescribeRegions"],
    "Resource": "*",
    "Condition": {
        "StringNotEquals": {"aws:RequestedRegion": ["us-east-1", "us-west-2"]},
        "ArnNotLike": {"aws:PrincipalARN": ["arn:*:iam::*:role/AWSControlTowerExecution"]},
    },
}
"""The form of Control Tower's GRREGIONDENY.
https://docs.aws.amazon.com/controltower/latest/controlreference/primary-region-deny-policy.html"""


def denied(*statements: dict[str, Any], call: Call = CALL) -> list[Denial]:
    return denials([[FULL_ACCESS, Policy("guardrail", {"Statement": [*statements]})]], [call])


def deny(**changed: Any) -> dict[str, Any]:
    return {"Effect": "Deny", "Action": "*", "Resource": "*"} | changed


def test_region_deny_denies_the_function_and_spares_the_execution_role() -> None:
    assert denied(REGION_DENY) == [Denial(CALL, "guardrail", certain=True)]
    assert denied(REGION_DENY, call=Call(CALL.action, CALL.region, EXECUTION, POOL)) == []
    assert denied(REGION_DENY, call=Call(CALL.action, "us-west-2", FUNCTION, POOL)) == []
    assert denied(REGION_DENY, call=Call("ec2:DescribeRegions", "eu-west-1", FUNCTION, POOL)) == []


@pytest.mark.parametrize(
    ("statement", "verdict"),
    [
        (deny(), True),
        (deny(Action="EC2:Get*"), True),
        (deny(Action=["s3:*", "ec2:?etIpamPoolAllocations"]), True),
        (deny(Action="ec2:CreateVpc"), None),
        (deny(Effect="Allow"), None),
        ({"Effect": "Deny", "Action": "*"}, True),
        (deny(Resource="arn:aws:ec2:*:*:vpc/*"), None),
        (deny(Resource="arn:aws:ec2::*:ipam-pool/[i]pam-pool-0"), None),  # to IAM, brackets are letters
        (deny(Resource="arn:aws:ec2::*:ipam-pool/[ipam-pool-0"), None),
        (deny(Resource=["arn:aws:ec2::*:ipam-pool/*"]), True),
        ({"Effect": "Deny", "Action": "*", "NotResource": "arn:aws:ec2::*:ipam-pool/*"}, None),
        (deny(Condition={"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}), True),
        (deny(Condition={"StringEquals": {"aws:RequestedRegion": "eu-west-2"}}), None),
        (deny(Condition={"StringNotEqualsIfExists": {"AWS:requestedregion": ["eu-west-2"]}}), True),
        (deny(Condition={"StringLike": {"aws:RequestedRegion": "eu-*"}}), True),
        (deny(Condition={"Null": {"aws:RequestTag/CostCenter": "true"}}), False),
        (deny(Condition={"StringNotEquals": {"aws:PrincipalTag/team": "network"}}), False),
        (
            deny(
                Condition={
                    "StringEquals": {"aws:RequestedRegion": "us-east-1"},
                    "Bool": {"aws:ViaAWSService": "false"},
                }
            ),
            None,
        ),
    ],
    ids=str,
)
def test_a_statement_denies_perhaps_denies_or_does_not_deny(statement: dict[str, Any], verdict: bool | None) -> None:
    expected = [] if verdict is None else [Denial(CALL, "guardrail", certain=verdict)]

    assert denied(statement) == expected


def test_a_single_statement_need_not_be_a_list() -> None:
    policies = [FULL_ACCESS, Policy("one", {"Statement": deny()})]

    assert [denial.by for denial in denials([policies], [CALL])] == ["one"]


def test_every_level_must_allow_the_call() -> None:
    only_s3 = Policy("OnlyS3", {"Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]})

    assert denials([[FULL_ACCESS], [only_s3]], [CALL]) == [Denial(CALL, "", certain=True)]
    assert denials([[FULL_ACCESS], [only_s3, FULL_ACCESS]], [CALL]) == []
    both = Policy("both", {"Statement": [deny(Action="s3:*"), *FULL_ACCESS.document["Statement"]]})
    assert denials([[both]], [CALL]) == []


def test_a_certain_denial_counts_more_than_a_possible_one_of_a_level_above() -> None:
    above = Policy("above", {"Statement": [deny(Condition={"Bool": {"aws:SecureTransport": "false"}})]})
    below = Policy("below", {"Statement": [deny()]})

    assert denials([[FULL_ACCESS, above], [FULL_ACCESS, below]], [CALL]) == [Denial(CALL, "below", certain=True)]
