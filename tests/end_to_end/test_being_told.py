"""An operator gets an alarm when a pool fills up, and when measurements stop. In this order, on one engine."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

import pytest

from ctipam.names import GROWTH_TAG
from landing_zone import reading
from landing_zone.company import APPS, MANAGEMENT, NETWORKING, STACK
from landing_zone.engine import Engine
from landing_zone.inbox import Inbox

WEST = "us-west-2"
TO_WATCH = {"ec2:DescribeIpams", "ec2:GetIpamDiscoveredAccounts", "ec2:GetIpamResourceCidrs"}
FIVE_MINUTES, HALF_AN_HOUR, HOUR, DAY = 300, 1800, 3600, 86400


@dataclass(frozen=True)
class Stack:
    """The Networking account's stack: its outputs, and its resources' physical ids by logical id."""

    outputs: dict[str, str]
    names: dict[str, str]


@pytest.fixture(scope="module")
def stack(deployed: Engine) -> Stack:
    cloudformation = deployed.client("cloudformation", NETWORKING)
    (found,) = cloudformation.describe_stacks()["Stacks"]
    resources = cloudformation.describe_stack_resources(StackName=found["StackName"])["StackResources"]
    return Stack(
        outputs={output["OutputKey"]: output["OutputValue"] for output in found["Outputs"]},
        names={resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in resources},
    )


@pytest.fixture(scope="module")
def inbox(deployed: Engine, stack: Stack) -> Inbox:
    return Inbox(deployed, NETWORKING, stack.outputs["IpamSnsTopicArn"])


def state(engine: Engine, alarm: str) -> str:
    (found,) = engine.client("cloudwatch", NETWORKING).describe_alarms(AlarmNames=[alarm])["MetricAlarms"]
    return str(found["StateValue"])


def test_no_alarm_is_sent_by_the_installation(deployed: Engine) -> None:
    """Before the first run of their schedules, the alarms on schedules that stop have no data."""
    deployed.advance(0)  # evaluates all alarms

    states = {
        alarm["AlarmName"]: alarm["StateValue"]
        for account_id in (MANAGEMENT, NETWORKING)
        for alarm in deployed.client("cloudwatch", account_id).describe_alarms()["MetricAlarms"]
    }
    assert len(states) > 8
    assert [name for name, value in states.items() if value == "ALARM"] == []


def measured(engine: Engine, log_group: str) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the newest metric line of each pool."""
    events = engine.client("logs", NETWORKING).filter_log_events(logGroupName=log_group, limit=10000)["events"]
    lines = [json.loads(event["message"]) for event in events if event["message"].startswith('{"_aws"')]
    return {(line["Environment"], line["Region"]): line for line in lines}


def test_every_pool_is_measured_and_no_alarm_tells_of_a_pool_with_room(deployed: Engine, stack: Stack) -> None:
    deployed.advance(FIVE_MINUTES)

    lines = reading.eventually(lambda: measured(deployed, stack.outputs["PoolUtilizationLogGroupName"]))
    assert {pool: line["PercentUsed"] for pool, line in lines.items()} == {
        ("Prod OU", WEST): 0.0,
        ("SDLC OU", WEST): 0.0,
        ("Prod OU", "us-east-1"): 0.0,
        ("SDLC OU", "us-east-1"): 0.0,
    }
    reading.eventually(lambda: state(deployed, stack.names["PoolUtilizationAlarm"]) == "OK")
    assert state(deployed, stack.names["PoolUtilizationStoppedAlarm"]) == "OK"


def test_when_a_pool_fills_up_its_metric_says_so_and_the_topic_gets_the_alarm(
    deployed: Engine, stack: Stack, inbox: Inbox
) -> None:
    pool = reading.pool(deployed, "us-west-2 Prod OU")
    ec2 = deployed.client("ec2", NETWORKING, WEST)
    for block in ("192.168.0.0/22", "192.168.4.0/23", "192.168.6.0/24"):
        ec2.allocate_ipam_pool_cidr(IpamPoolId=pool.pool_id, Cidr=block)

    deployed.advance(FIVE_MINUTES)

    told = json.loads(inbox.next())
    assert (told["AlarmName"], told["NewStateValue"]) == (stack.names["PoolUtilizationAlarm"], "ALARM")
    line = measured(deployed, stack.outputs["PoolUtilizationLogGroupName"])["Prod OU", WEST]
    assert (line["PercentUsed"], line["AddressesFree"]) == (87.5, 256)


def test_when_it_stays_full_the_topic_is_told_the_parameter_to_change(
    deployed: Engine, stack: Stack, inbox: Inbox
) -> None:
    """The clock of functions cannot be moved, so the note that the pool is over the threshold is made older."""
    pool = reading.pool(deployed, "us-west-2 Prod OU")
    assert pool.tags[GROWTH_TAG].endswith("blocks=1 told=0")
    older = [{"Key": GROWTH_TAG, "Value": "since=1 blocks=1 told=0"}]
    deployed.client("ec2", NETWORKING).create_tags(Resources=[pool.pool_id], Tags=older)

    deployed.advance(FIVE_MINUTES)

    told = inbox.next()
    assert f"The pool of us-west-2/Prod OU ({pool.pool_id}) is 87.5 % full: 1,792 of 2,048 addresses" in told
    assert "us-west-2 has room for 0 more blocks of /21, and the top-level pool for 14 more blocks of /20." in told
    assert "with PoolSizes us-west-2=20+20,us-west-2/Prod OU=21+21." in told


def test_the_check_uses_no_more_than_it_needs_without_automatic_growth(deployed: Engine, stack: Stack) -> None:
    (used,) = [
        actions
        for role, actions in deployed.used_permissions().items()
        if role.endswith(f":role/{stack.names['PoolUtilizationRole']}")
    ]

    # Besides what the watch needs, if one of the runs was the one of its hour
    assert [action for action in used if action not in TO_WATCH] == [
        "cloudformation:DescribeStacks",
        "ec2:CreateTags",
        "ec2:DescribeIpamPools",
        "ec2:GetIpamPoolAllocations",
        "ec2:GetIpamPoolCidrs",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "sns:Publish",
    ]


def test_the_dashboard_stands_where_the_output_says_and_reads_the_checks_log(deployed: Engine, stack: Stack) -> None:
    cloudwatch = deployed.client("cloudwatch", NETWORKING)
    (listed,) = cloudwatch.list_dashboards()["DashboardEntries"]

    body = cloudwatch.get_dashboard(DashboardName=listed["DashboardName"])["DashboardBody"]

    home = "https://us-east-1.console.aws.amazon.com/cloudwatch/home?region=us-east-1"
    (above,) = deployed.client("cloudformation", MANAGEMENT).describe_stacks()["Stacks"]
    named = {output["OutputKey"]: output["OutputValue"] for output in above["Outputs"]}
    assert stack.outputs["DashboardUrl"] == f"{home}#dashboards/dashboard/{listed['DashboardName']}"
    assert named["DashboardUrl"] == stack.outputs["DashboardUrl"]
    queries = [widget["properties"]["query"] for widget in json.loads(body)["widgets"] if widget["type"] == "log"]
    groups = {stack.outputs[name] for name in ("PoolUtilizationLogGroupName", "IpamFunctionLogGroupName")}
    assert {name for query in queries for name in re.findall("SOURCE '([^']+)'", query)} == groups
    assert "${" not in body


def test_when_the_schedule_stops_the_topic_gets_an_alarm(deployed: Engine, stack: Stack, inbox: Inbox) -> None:
    deployed.client("events", NETWORKING).disable_rule(Name=stack.names["PoolUtilizationSchedule"])

    deployed.advance(HALF_AN_HOUR + 1)

    told = json.loads(inbox.next())
    assert (told["AlarmName"], told["NewStateValue"]) == (
        stack.names["PoolUtilizationStoppedAlarm"],
        "INSUFFICIENT_DATA",
    )


@pytest.fixture(scope="module")
def management_inbox(deployed: Engine) -> Inbox:
    (topic,) = deployed.client("sns", MANAGEMENT).list_topics()["Topics"]
    return Inbox(deployed, MANAGEMENT, topic["TopicArn"])


def test_a_rule_of_eventbridge_may_not_publish_to_the_topic_of_the_management_account(
    deployed: Engine, management_inbox: Inbox
) -> None:
    events = deployed.client("events", MANAGEMENT)
    (topic,) = deployed.client("sns", MANAGEMENT).list_topics()["Topics"]
    events.put_rule(Name="everything", EventPattern=json.dumps({"source": ["example.tests"]}))
    events.put_targets(Rule="everything", Targets=[{"Id": "topic", "Arn": topic["TopicArn"]}])

    events.put_events(Entries=[{"Source": "example.tests", "DetailType": "Told", "Detail": "{}"}])

    assert management_inbox.is_empty()


def alarm_of(inbox: Inbox, name: str) -> str:
    """Return the state in the next message about an alarm; skip those about others."""
    while (told := json.loads(inbox.next()))["AlarmName"] != name:
        pass
    return str(told["NewStateValue"])


def test_each_event_that_fails_is_told_also_while_the_first_one_lies_in_the_queue(
    deployed: Engine, management_inbox: Inbox
) -> None:
    cloudformation, sqs = deployed.client("cloudformation", MANAGEMENT), deployed.client("sqs", MANAGEMENT)
    resources = cloudformation.describe_stack_resources(StackName=STACK)["StackResources"]
    names = {resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in resources}

    def in_the_queue() -> int:
        asked = {"QueueUrl": names["FailureQueue"], "AttributeNames": ["ApproximateNumberOfMessages"]}
        return int(sqs.get_queue_attributes(**asked)["Attributes"]["ApproximateNumberOfMessages"])

    for _ in range(2):
        reading.eventually(deployed.is_idle)  # a run of the schedule would meet the refusals too
        waiting = in_the_queue()
        error = {"code": "MalformedArnException", "message": "no", "status": 400}
        deployed.fault("ram", "refuse_next", action="GetResourceShares", error=error, times=3)
        deployed.update(APPS)
        reading.eventually(lambda waiting=waiting: in_the_queue() > waiting)  # type: ignore[misc]

        deployed.advance(1)  # publishes metrics

        assert alarm_of(management_inbox, names["FailureAlarm"]) == "ALARM"
        deployed.advance(HALF_AN_HOUR + FIVE_MINUTES)


def test_when_nobody_compares_the_shares_any_more_the_topic_gets_an_alarm(
    deployed: Engine, management_inbox: Inbox
) -> None:
    cloudformation = deployed.client("cloudformation", MANAGEMENT)

    def name_of(logical_id: str) -> str:
        resource = cloudformation.describe_stack_resource(StackName=STACK, LogicalResourceId=logical_id)
        return str(resource["StackResourceDetail"]["PhysicalResourceId"])

    deployed.advance(HOUR)
    deployed.client("events", MANAGEMENT).disable_rule(Name=name_of("ReconcileRule"))

    deployed.advance(DAY + 1)

    assert alarm_of(management_inbox, name_of("ReconcileStoppedAlarm")) == "INSUFFICIENT_DATA"
