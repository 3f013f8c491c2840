"""Test what operators and security reviewers require of every template: encryption, alarms and notifications."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from checkers.alarms import METRICS
from checkers.policies import permits
from checkers.template import Template, holds
from checkers.template_reader import read_template
from ctipam.cloudformation import custom_resource

TEMPLATES = sorted(
    path for path in (Path(__file__).parents[2] / "templates").glob("*.yaml") if "IpamSnsTopic" in path.read_text()
)
NETWORKING = Path(__file__).parents[2] / "templates" / "ipamnetworkingStack.yaml"
KEY = "OperationsKey"
each_template = pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)


def of_type(path: Path, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    template = read_template(path)
    for name, resource in template["Resources"].items():
        if resource["Type"] == kind:
            yield name, resource


def properties(path: Path, kind: str) -> dict[str, dict[str, Any]]:
    return {name: dict(resource["Properties"]) for name, resource in of_type(path, kind)}


def test_both_accounts_have_a_topic() -> None:
    assert len(TEMPLATES) == 2


@each_template
def test_topics_queues_and_log_groups_are_encrypted(path: Path) -> None:
    for name, topic in properties(path, "AWS::SNS::Topic").items():
        assert topic["KmsMasterKeyId"] == {"Ref": KEY}, name
    for name, group in properties(path, "AWS::Logs::LogGroup").items():
        assert group["KmsKeyId"] == {"Fn::GetAtt": [KEY, "Arn"]}, name
    for name, queue in properties(path, "AWS::SQS::Queue").items():
        assert queue["SqsManagedSseEnabled"] is True, name


@each_template
def test_the_key_rotates_and_allows_only_this_account_and_services_on_its_behalf(path: Path) -> None:
    key = properties(path, "AWS::KMS::Key")[KEY]
    account = {"AWS": {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}}

    assert key["EnableKeyRotation"] is True
    for statement in key["KeyPolicy"]["Statement"]:
        if statement["Effect"] == "Allow":
            assert statement["Principal"] == account or "AccountId" in str(statement["Condition"]), statement["Sid"]


def test_the_key_and_the_log_groups_pass_the_proactive_controls_of_control_tower() -> None:
    """Check CT.KMS.PR.3 and CT.CLOUDWATCH.PR.2 as their rules do. No controls apply to the management account.

    https://docs.aws.amazon.com/controltower/latest/controlreference/proactive-controls.html
    """
    path = NETWORKING
    (deny,) = [
        statement
        for statement in properties(path, "AWS::KMS::Key")[KEY]["KeyPolicy"]["Statement"]
        if statement["Effect"] == "Deny"
    ]
    template = read_template(path)

    assert (deny["Principal"], deny["Action"], deny["Resource"]) == ("*", "kms:CreateGrant", "*")
    unless = {"kms:GrantIsForAWSResource": "false", "aws:PrincipalIsAWSService": "false"}
    assert deny["Condition"] == {"BoolIfExists": unless}
    assert template["Parameters"]["LogRetentionDays"]["Default"] >= 365


@each_template
def test_only_the_alarms_of_this_account_may_publish_to_the_topic_and_only_over_tls(path: Path) -> None:
    policy = Template.read(path).statements_about("AWS::SNS::TopicPolicy", "Topics", "IpamSnsTopic")

    def may_publish(service: str = "cloudwatch", account: str = "${AWS::AccountId}", tls: str = "true") -> bool:
        principal = {"Service": f"{service}.amazonaws.com"}
        context = {"aws:SourceAccount": account, "aws:SecureTransport": tls}
        return permits(policy, "sns:Publish", "${IpamSnsTopic}", principal=principal, context=context)

    assert may_publish()
    assert not may_publish("events")
    assert not may_publish(account="another")
    assert not may_publish(tls="false")


@each_template
def test_the_topic_has_a_subscription_only_if_an_email_address_is_given(path: Path) -> None:
    ((_, subscription),) = of_type(path, "AWS::SNS::Subscription")
    conditions = read_template(path)["Conditions"]
    email, topic = {"Ref": "AlertEmail"}, {"Ref": "IpamSnsTopic"}

    assert subscription["Properties"] == {"TopicArn": topic, "Protocol": "email", "Endpoint": email}
    for address in ("", "network-team@example.com"):
        assert holds(subscription["Condition"], conditions, {"AlertEmail": address}) is bool(address)


@each_template
def test_each_function_has_an_alarm_on_its_errors_and_each_alarm_notifies_the_topic(path: Path) -> None:
    """CloudFormation tells as soon as an alarm would that a custom resource did not answer within minutes."""
    soon = {
        resource["Properties"]["ServiceToken"]["Fn::GetAtt"][0]
        for _, resource in custom_resources(path)
        if resource["Properties"]["ServiceTimeout"] < 600
    }
    alarms = properties(path, "AWS::CloudWatch::Alarm")
    watched = {
        alarm["Dimensions"][0]["Value"]["Ref"] for alarm in alarms.values() if alarm.get("MetricName") == "Errors"
    }

    assert watched == set(properties(path, "AWS::Lambda::Function")) - soon
    for name, alarm in alarms.items():
        # A metric without zeros: its alarm reports that it has no data any more.
        stopped = alarm["TreatMissingData"] == "missing"
        assert alarm["InsufficientDataActions" if stopped else "AlarmActions"] == [{"Ref": "IpamSnsTopic"}], name
        assert alarm["AlarmDescription"], name


@each_template
def test_the_description_of_each_alarm_is_a_runbook(path: Path) -> None:
    """What to look at first, and the command; where AWS has the values of variables, with room for them.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
    """
    outputs = read_template(path)["Outputs"]
    for name, alarm in properties(path, "AWS::CloudWatch::Alarm").items():
        described = alarm["AlarmDescription"]
        text = described if isinstance(described, str) else described["Fn::Sub"][0]
        assert len(text) <= 800, name
        assert all(f" {number}. " in text for number in (1, 2, 3)), name
        assert re.search(r"\bmake (deploy|explain|preflight|preview|reconcile|report)\b", text), name
        assert set(re.findall(r"\w+(?:LogGroupName|QueueUrl|FunctionName)\b", text)) <= outputs.keys(), name


@each_template
def test_saved_log_queries_read_log_groups_of_the_stack_and_are_in_a_folder_of_its_own(path: Path) -> None:
    (query,) = properties(path, "AWS::Logs::QueryDefinition").values()
    groups = {name for name, _ in of_type(path, "AWS::Logs::LogGroup")}

    assert {group["Ref"] for group in query["LogGroupNames"]} <= groups
    assert re.match(r"\$\{(AWS::StackName|DashboardName)\}/", query["Name"]["Fn::Sub"])
    output = read_template(path)["Outputs"]["LogQueriesUrl"]
    assert query["Name"]["Fn::Sub"].partition("/")[2] in output["Description"]


@each_template
def test_the_graphs_of_a_dashboard_show_metrics_that_aws_publishes_of_the_stack(path: Path) -> None:
    template = Template.read(path)
    for name, dashboard in template.of_type("AWS::CloudWatch::Dashboard"):
        body = dashboard["DashboardBody"]["Fn::Sub"]
        for namespace, metric, dimension, value in re.findall(r'\["(AWS/\w+)", "(\w+)", "(\w+)", "([^"]+)"', body):
            expected, kind, written = METRICS[namespace, metric]
            assert dimension == expected, f"{name}: {metric}"
            assert value in [written % resource for resource, _ in template.of_type(kind)], f"{name}: {metric}"


@each_template
def test_no_alarm_is_raised_before_its_metric_has_data(path: Path) -> None:
    alarms = properties(path, "AWS::CloudWatch::Alarm")

    assert [name for name, alarm in alarms.items() if alarm["TreatMissingData"] == "breaching"] == []


LONGEST_S = 3600
"""The maximum ServiceTimeout, in seconds.
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudformation-customresource.html"""

REPORTING = {"Custom::Ipam", "Custom::InitPools", "Custom::ShareExistingAccounts"}
"""The custom resources that report to the topic what a deletion leaves behind."""


def custom_resources(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    template = read_template(path)
    for name, resource in template["Resources"].items():
        if resource["Type"].startswith("Custom::"):
            yield name, resource


@each_template
def test_cloudformation_waits_longer_for_a_custom_resource_than_its_function_works(path: Path) -> None:
    functions = properties(path, "AWS::Lambda::Function")
    for name, resource in custom_resources(path):
        function = functions[resource["Properties"]["ServiceToken"]["Fn::GetAtt"][0]]
        timeout = resource["Properties"]["ServiceTimeout"]
        assert function["Timeout"] < timeout <= LONGEST_S, name
        if "S3Key" in function["Code"]:  # it goes on in further invocations
            assert timeout > custom_resource.LONGEST_S, name


@each_template
def test_a_new_package_version_updates_each_custom_resource(path: Path) -> None:
    for name, resource in custom_resources(path):
        assert "PackageVersion" in str(resource["Properties"]), name


@each_template
def test_the_topic_exists_until_everything_that_reports_to_it_is_deleted(path: Path) -> None:
    reporting = {name: found for name, found in custom_resources(path) if found["Type"] in REPORTING}

    assert reporting
    for name, resource in reporting.items():
        assert resource["Properties"]["TopicArn"] == {"Ref": "IpamSnsTopic"}, name
        assert "IpamSnsTopicPolicy" in resource["DependsOn"], name
        assert {"Ref": "IpamSnsSubscription"} in resource["Metadata"]["Subscription"]["Fn::If"], name


@pytest.mark.parametrize(
    ("partition", "domain"),
    [
        ("aws", "console.aws.amazon.com"),
        ("aws-cn", "console.amazonaws.cn"),
        ("aws-eusc", "console.amazonaws-eusc.eu"),
        ("aws-us-gov", "console.amazonaws-us-gov.com"),
    ],
)
@each_template
def test_links_lead_to_the_console_of_the_partition(path: Path, partition: str, domain: str) -> None:
    template = read_template(path)
    text = path.read_text(encoding="utf-8")

    assert template["Mappings"]["Console"][partition]["Domain"] == domain
    assert text.count("https://${AWS::Region}.${Domain}/") == text.count("!FindInMap [Console, !Ref AWS::Partition,")
