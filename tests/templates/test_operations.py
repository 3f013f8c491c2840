"""What an operator and a security reviewer count on, in every template: encryption, alarms, and who is told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cfnlint.decode import decode  # type: ignore[import-untyped]

TEMPLATES = sorted(
    path for path in (Path(__file__).parents[2] / "templates").glob("*.yaml") if "IpamSnsTopic" in path.read_text()
)
KEY = "OperationsKey"
each_template = pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)


def of_type(path: Path, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    template, _ = decode(str(path))
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
def test_the_key_rotates_and_lets_in_only_this_account_and_services_on_its_behalf(path: Path) -> None:
    key = properties(path, "AWS::KMS::Key")[KEY]
    account = {"AWS": {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}}

    assert key["EnableKeyRotation"] is True
    for statement in key["KeyPolicy"]["Statement"]:
        assert statement["Principal"] == account or "AccountId" in str(statement["Condition"]), statement["Sid"]


@each_template
def test_only_the_alarms_of_this_account_may_publish_to_the_topic(path: Path) -> None:
    (policy,) = properties(path, "AWS::SNS::TopicPolicy").values()
    (allow,) = [one for one in policy["PolicyDocument"]["Statement"] if one["Effect"] == "Allow"]

    assert allow["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert allow["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}


@each_template
def test_a_person_is_subscribed_only_if_an_address_is_given(path: Path) -> None:
    ((_, subscription),) = of_type(path, "AWS::SNS::Subscription")

    assert subscription["Condition"] == "HasAlertEmail"


@each_template
def test_every_function_has_an_alarm_on_its_errors_and_every_alarm_goes_to_the_topic(path: Path) -> None:
    alarms = properties(path, "AWS::CloudWatch::Alarm")
    watched = {
        alarm["Dimensions"][0]["Value"]["Ref"] for alarm in alarms.values() if alarm.get("MetricName") == "Errors"
    }

    assert watched == set(properties(path, "AWS::Lambda::Function"))
    for name, alarm in alarms.items():
        assert alarm["AlarmActions"] == [{"Ref": "IpamSnsTopic"}], name
        assert alarm["AlarmDescription"], name
        assert "TreatMissingData" in alarm, name
