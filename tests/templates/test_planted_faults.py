"""Plant faults in the templates, one at a time: each must be found before anybody deploys it.

All of them pass cfn-lint, checkov and parliament. On AWS, each fails the deployment or is silent until it hurts.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cfnlint.decode import decode  # type: ignore[import-untyped]

from checkers.problems import problems
from checkers.template import Template

TEMPLATES = Path(__file__).parents[2] / "templates"
MANAGEMENT = "ipam-controltower-integration.template.yaml"
NETWORKING = "ipamnetworkingStack.yaml"
FORWARDER = "organizations-events.template.yaml"

Content = dict[str, Any]


@pytest.fixture(scope="module")
def contents() -> dict[str, Content]:
    """Return every template, as cfn-lint reads it."""
    return {path.name: decode(str(path))[0] for path in sorted(TEMPLATES.glob("*.yaml"))}


def test_nothing_in_the_templates_is_refused(contents: dict[str, Content]) -> None:
    assert found_in(contents) == []


def found_in(contents: dict[str, Content]) -> list[str]:
    return problems({name: Template(content) for name, content in contents.items()})


def without_statement(resource: str, sid: str, document: str = "PolicyDocument") -> Callable[[Content], None]:
    def plant(content: Content) -> None:
        policy = content["Resources"][resource]["Properties"][document]
        kept = [one for one in policy["Statement"] if one.get("Sid") != sid]
        assert len(kept) == len(policy["Statement"]) - 1
        policy["Statement"] = kept

    return plant


def without(*resources: str) -> Callable[[Content], None]:
    def plant(content: Content) -> None:
        for resource in resources:
            del content["Resources"][resource]

    return plant


def setting(resource: str, **properties: object) -> Callable[[Content], None]:
    def plant(content: Content) -> None:
        content["Resources"][resource]["Properties"].update(properties)

    return plant


def depending_on(resource: str, *names: str) -> Callable[[Content], None]:
    def plant(content: Content) -> None:
        content["Resources"][resource]["DependsOn"] = list(names)

    return plant


def trusting(role: str, service: str) -> Callable[[Content], None]:
    def plant(content: Content) -> None:
        trust = content["Resources"][role]["Properties"]["AssumeRolePolicyDocument"]
        trust["Statement"][0]["Principal"] = {"Service": service}

    return plant


def by_default(parameter: str, value: str) -> Callable[[Content], None]:
    def plant(content: Content) -> None:
        content["Parameters"][parameter]["Default"] = value

    return plant


def naming_the_role(content: Content) -> None:
    role = {"Fn::Sub": "arn:${AWS::Partition}:iam::${NetworkAccountId}:role/AWSControlTowerExecution"}
    policy = content["Resources"]["LambdaZipsBucketPolicy"]["Properties"]["PolicyDocument"]
    policy["Statement"][0]["Principal"] = {"AWS": role}


FAULTS: dict[str, tuple[str, Callable[[Content], None], str]] = {
    "the key policy without CloudWatch Logs": (
        MANAGEMENT,
        without_statement("OperationsKey", "AllowLogGroupsOfThisAccount", "KeyPolicy"),
        "CloudWatch Logs refuses a key",
    ),
    "the key policy without the account's root": (
        NETWORKING,
        without_statement("OperationsKey", "EnableIamPolicies", "KeyPolicy"),
        "locks the account out",
    ),
    "the key policy without the alarms": (
        NETWORKING,
        without_statement("OperationsKey", "AllowAlarmsOfThisAccount", "KeyPolicy"),
        "alarms cannot encrypt messages",
    ),
    "the topic's policy without the alarms": (
        MANAGEMENT,
        without_statement("IpamSnsTopicPolicy", "AllowAlarmsOfThisAccount"),
        "does not allow alarms to publish",
    ),
    "a publisher without the key of the topic": (
        MANAGEMENT,
        without_statement("SharingPolicy", "EncryptTopicMessages"),
        "needs kms:GenerateDataKey",
    ),
    "the failure queue's policy gone": (MANAGEMENT, without("FailureQueuePolicy"), "failed events are lost"),
    "a function's role that trusts ec2": (
        NETWORKING,
        trusting("IpamFunctionRole", "ec2.amazonaws.com"),
        "Lambda refuses a role",
    ),
    "a rule's role that trusts lambda": (
        FORWARDER,
        trusting("ForwardingRole", "lambda.amazonaws.com"),
        "EventBridge cannot assume the role",
    ),
    "a rule without its permission": (
        MANAGEMENT,
        without("ReconcilePermission"),
        "nothing allows the rule to invoke CTIPAMLifeCycleLambda",
    ),
    "the event destination without its DependsOn": (
        MANAGEMENT,
        depending_on("CTIPAMLifeCycleLambdaFailures"),
        "name it in DependsOn",
    ),
    "a destination that the role may not send to": (
        MANAGEMENT,
        without_statement("SharingPolicy", "SendToFailureQueue"),
        "Lambda refuses the destination",
    ),
    "a custom resource that its policy does not outlive": (
        NETWORKING,
        depending_on("InitPools", "IpamFunctionLogGroup", "IpamSnsTopicPolicy"),
        "name IpamFunctionPolicy in DependsOn",
    ),
    "an alarm over 9000 x 300 s": (
        MANAGEMENT,
        setting("FailureAlarm", Period=300, EvaluationPeriods=9000),
        "at most 86400 s",
    ),
    "a query that an alarm evaluates over a day": (
        NETWORKING,
        setting("PoolUtilizationAlarm", EvaluationPeriods=96),
        "at most 10800 s",
    ),
    "a ServiceTimeout of 7200": (NETWORKING, setting("InitPools", ServiceTimeout=7200), "give 1 to 3600 seconds"),
    "950 reserved concurrency": (
        MANAGEMENT,
        setting("CTIPAMLifeCycleLambda", ReservedConcurrentExecutions=950),
        "reserves concurrency",
    ),
    "a default Region that is not enabled": (
        MANAGEMENT,
        by_default("RegionSelection", "us-west-2,me-south-1"),
        "enable me-south-1 first",
    ),
    "a bucket policy whose principal's role was made anew": (
        MANAGEMENT,
        naming_the_role,
        "is lost when the role is made",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_each_planted_fault_is_found(name: str, contents: dict[str, Content]) -> None:
    template, plant, expected = FAULTS[name]
    content = copy.deepcopy(contents[template])

    plant(content)

    assert any(expected in problem for problem in found_in({**contents, template: content}))


def test_all_planted_faults_are_found_together(contents: dict[str, Content]) -> None:
    hiding = "a destination that the role may not send to"  # without the permission, nothing is to be depended on
    planted = copy.deepcopy(contents)
    for name, (template, plant, _) in FAULTS.items():
        if name != hiding:
            plant(planted[template])

    found = found_in(planted)

    assert [name for name, (*_, expected) in FAULTS.items() if not any(expected in one for one in found)] == []
