"""Plant faults in the templates, one at a time: each must be found before anybody deploys it.

All of them pass cfn-lint, checkov and parliament. On AWS, each fails the deployment or is silent until it hurts.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from checkers.problems import problems
from checkers.template import Template
from checkers.template_reader import read_template

TEMPLATES = Path(__file__).parents[2] / "templates"
MANAGEMENT = "ipam-controltower-integration.template.yaml"
NETWORKING = "ipamnetworkingStack.yaml"
FORWARDER = "organizations-events.template.yaml"

Content = dict[str, Any]


@pytest.fixture(scope="module")
def contents() -> dict[str, Content]:
    """Return every template, by the name of its file."""
    return {path.name: read_template(path) for path in sorted(TEMPLATES.glob("*.yaml"))}


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


def setting_without(resource: str, name: str) -> Callable[[Content], None]:
    def plant(content: Content) -> None:
        del content["Resources"][resource]["Properties"][name]

    return plant


def setting(resource: str, **properties: object) -> Callable[[Content], None]:
    def plant(content: Content) -> None:
        content["Resources"][resource]["Properties"].update(properties)

    return plant


def changing(document: str, resource: str, sid: str, **changed: object) -> Callable[[Content], None]:
    def plant(content: Content) -> None:
        (found,) = (
            one for one in content["Resources"][resource]["Properties"][document]["Statement"] if one.get("Sid") == sid
        )
        found.update(changed)

    return plant


def in_targets(rule: str, **changed: object) -> Callable[[Content], None]:
    def plant(content: Content) -> None:
        for to in content["Resources"][rule]["Properties"]["Targets"]:
            to.update(changed)

    return plant


def passing_on(parameter: str, value: object) -> Callable[[Content], None]:
    def plant(content: Content) -> None:
        passed_on = content["Resources"]["NetworkingStackSet"]["Properties"]["Parameters"]
        kept = [one for one in passed_on if one["ParameterKey"] != parameter]
        passed_on[:] = [*kept, {"ParameterKey": parameter, "ParameterValue": value}] if value else kept

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
    "a rule without a target": (
        MANAGEMENT,
        setting("CreateAccountLifeCycleRule", Targets=[]),
        "its events go nowhere",
    ),
    "the event destination as soon as its policy is there": (
        MANAGEMENT,
        depending_on("CTIPAMLifeCycleLambdaFailures", "SharingPolicy"),
        "Lambda may not know SharingPolicy yet",
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
        setting("LifeCycleErrorAlarm", Period=300, EvaluationPeriods=9000),
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
    "a topic that takes no messages over TLS": (
        NETWORKING,
        changing(
            "PolicyDocument",
            "IpamSnsTopicPolicy",
            "DenyInsecureTransport",
            Condition={"Bool": {"aws:SecureTransport": "true"}},
        ),
        "does not allow alarms to publish",
    ),
    "a topic for the alarms of any account": (
        NETWORKING,
        changing("PolicyDocument", "IpamSnsTopicPolicy", "AllowAlarmsOfThisAccount", Condition={}),
        "act for any account",
    ),
    "a key for the log groups of one name only": (
        NETWORKING,
        changing(
            "KeyPolicy",
            "OperationsKey",
            "AllowLogGroupsOfThisAccount",
            Condition={"ArnLike": {"kms:EncryptionContext:aws:logs:arn": "arn:aws:logs:*:*:log-group:one"}},
        ),
        "CloudWatch Logs refuses a key",
    ),
    "a rule without a queue for what it cannot deliver": (
        MANAGEMENT,
        in_targets("OrganizationChangeRule", DeadLetterConfig={}),
        "events that are not delivered are lost",
    ),
    "a function whose failures are retried and then lost": (
        NETWORKING,
        setting("PoolUtilizationInvocations", MaximumRetryAttempts=2),
        "an event that it fails to handle is lost",
    ),
    "failures that wait for four days": (
        MANAGEMENT,
        setting("FailureQueue", MessageRetentionPeriod=345_600),
        "the longest that SQS can",
    ),
    "a queue without an alarm": (
        MANAGEMENT,
        setting("FailureAlarm", Dimensions=[{"Name": "QueueName", "Value": "another"}]),
        "no alarm tells of what is put in the queue",
    ),
    "an alarm that looks back five minutes on a queue": (
        MANAGEMENT,
        setting("FailureAlarm", Period=300),
        "look back further",
    ),
    "an alarm on a metric that does not exist": (
        MANAGEMENT,
        setting("ReconcileStoppedAlarm", Namespace="AWS/EventBridge"),
        "AWS publishes no metric",
    ),
    "an alarm on the average of a count": (
        MANAGEMENT,
        setting("LifeCycleErrorAlarm", Statistic="Average"),
        "so its statistic is Sum",
    ),
    "an alarm that one failure does not raise": (
        MANAGEMENT,
        setting("ShareExistingAccountsErrorAlarm", Threshold=2),
        "ShareExistingAccountsErrorAlarm: 1 in a period must raise",
    ),
    "an alarm that the first failure raises for good": (
        MANAGEMENT,
        setting("OrganizationSetupErrorAlarm", TreatMissingData="ignore"),
        "a period without data must end it",
    ),
    "an alarm after another time than it tells": (
        NETWORKING,
        setting("PoolUtilizationStoppedAlarm", EvaluationPeriods=4),
        "it tells of 30 minutes",
    ),
    "a schedule that can stop without anybody being told": (
        NETWORKING,
        setting("PoolUtilizationStoppedAlarm", TreatMissingData="notBreaching"),
        "no alarm tells that the schedule has stopped",
    ),
    "a run that is longer than the interval of its schedule": (
        NETWORKING,
        setting("PoolUtilizationFunction", Timeout=600),
        "two runs can overlap",
    ),
    "a function with the three seconds that are Lambda's default": (
        MANAGEMENT,
        setting("CTIPAMLifeCycleLambda", Timeout=3),
        "give it a Timeout",
    ),
    "a function that may not write to its log group": (
        MANAGEMENT,
        without_statement("OrganizationSetupPolicy", "WriteFunctionLogs"),
        "Lambda drops its logs",
    ),
    "a permission for everybody's pools": (
        NETWORKING,
        changing("PolicyDocument", "IpamFunctionPolicy", "ChangeSolutionPools", Condition={}),
        "ChangeSolutionPools changes what is not the solution's",
    ),
    "a parameter that is not passed on": (
        MANAGEMENT,
        passing_on("PoolSizes", None),
        "PoolSizes is a parameter of only one",
    ),
    "a parameter with the value of another": (
        MANAGEMENT,
        passing_on("VpcMinNetmaskLength", {"Ref": "VpcMaxNetmaskLength"}),
        "VpcMinNetmaskLength has the value of VpcMaxNetmaskLength",
    ),
    "a setting whose change reaches only the environment of a function": (
        MANAGEMENT,
        setting_without("ShareExistingAccounts", "UnshareLimit"),
        "a change of UnshareLimit does not reach it",
    ),
    "a StackSet that may not make roles": (
        MANAGEMENT,
        setting("NetworkingStackSet", Capabilities=[]),
        "without CAPABILITY_IAM",
    ),
    "code that is read before it is copied": (
        MANAGEMENT,
        depending_on("OrganizationSetupFunction"),
        "OrganizationSetupFunction: name CopyZips in DependsOn",
    ),
    "shares that are made before the pools": (
        MANAGEMENT,
        depending_on("ShareExistingAccounts", "SharingPolicy", "SharingLogGroup", "IpamSnsTopicPolicy"),
        "there are no pools to share",
    ),
    "events while the shares are being deleted": (
        MANAGEMENT,
        depending_on("ReconcileRule", "SharingPolicy"),
        "or events come while it does not exist",
    ),
    "other events forwarded than received": (
        FORWARDER,
        setting("OrganizationChangeRule", EventPattern={"source": ["aws.organizations"]}),
        "no rule in the home Region",
    ),
    "a bucket policy whose principal's role was made anew": (
        MANAGEMENT,
        naming_the_role,
        "is lost when the role is made",
    ),
    "a parameter whose name begins with the stack's": (
        MANAGEMENT,
        setting("NoticesParameter", Name={"Fn::Sub": "/${AWS::StackName}/notices"}),
        "SSM refuses a name",
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
