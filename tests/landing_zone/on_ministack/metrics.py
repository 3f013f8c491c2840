"""CloudWatch: metrics out of logs, alarms that look at their own metric, alarms on a Metrics Insights query.

ministack does not read the embedded metric format, takes no `Metrics` in AWS::CloudWatch::Alarm, looks at a metric
whatever its dimensions, and publishes nothing for queues. To go when it does.

Left out: metric math, WHERE in a query, EvaluationPeriods and DatapointsToAlarm (the last period decides), and metrics
of services other than SQS's ApproximateNumberOfMessagesVisible, which is published when the clock is advanced.
Source  https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Create_Metrics_Insights_Alarm.html
        https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

import json
import operator
import re
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from landing_zone.on_ministack.cloudformation import HandlerFailure, Properties, Provisioned
from landing_zone.on_ministack.internals import cloudwatch, provisioners, responses, sqs

QUERY = re.compile(
    r"""\s*SELECT\s+(?P<function>AVG|MAX|MIN|SUM|COUNT)\(\s*"?(?P<metric>[^")]+?)"?\s*\)
        \s+FROM\s+(?:SCHEMA\(\s*(?P<schema>"[^"]+"|[^,)\s]+)[^)]*\)|(?P<namespace>"[^"]+"|\S+))
        \s+GROUP\s+BY\s+.+?\s+ORDER\s+BY\s+.+""",
    re.VERBOSE | re.DOTALL,
)
STATISTICS = {"AVG": "Average", "MAX": "Maximum", "MIN": "Minimum", "SUM": "Sum", "COUNT": "SampleCount"}
SINGLE_METRIC_ONLY = ("MetricName", "Namespace", "Dimensions", "Period", "Statistic", "ExtendedStatistic", "Unit")
EVERY_SERIES = "_every_series"  # in an alarm's record: each series of the metric is a contributor
COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}


class AlarmType:
    """AWS::CloudWatch::Alarm is ministack's; one on a query is kept as one on every series of the query's metric."""

    def __init__(self, own: dict[str, Any]) -> None:
        self._create, self._update = own["create"], own["update"]

    def create(self, logical_id: str, properties: Properties, stack_name: str) -> Provisioned:
        return self._mark(properties, self._create(logical_id, _without_query(properties), stack_name))

    def update(
        self, name: str, old: Properties, new: Properties, stack: str, logical_id: str | None = None
    ) -> Provisioned:
        return self._mark(new, self._update(name, _without_query(old), _without_query(new), stack, logical_id))

    def _mark(self, properties: Properties, made: Provisioned) -> Provisioned:
        cloudwatch._alarms[made[0]][EVERY_SERIES] = "Metrics" in properties
        return made


def install() -> None:
    own = provisioners._RESOURCE_HANDLERS["AWS::CloudWatch::Alarm"]
    alarm = AlarmType(own)
    provisioners._RESOURCE_HANDLERS["AWS::CloudWatch::Alarm"] = own | {"create": alarm.create, "update": alarm.update}
    cloudwatch._evaluate_alarm = evaluate


def _without_query(properties: Properties) -> Properties:
    if "Metrics" not in properties:
        return properties
    if any(name in properties for name in SINGLE_METRIC_ONLY):
        raise HandlerFailure("An alarm has either Metrics or a single metric's properties", "InvalidRequest")
    if len(properties["Metrics"]) != 1:
        raise NotImplementedError("An alarm on more than one expression")
    metric = properties["Metrics"][0]
    expression = metric.get("Expression", "")
    if "SEARCH(" in expression:
        raise HandlerFailure("SEARCH is not supported on Metric Alarms", "InvalidRequest")
    if "Period" not in metric:
        raise HandlerFailure("Period must not be null", "InvalidRequest")
    query = QUERY.fullmatch(expression)
    if not query:
        raise NotImplementedError(f"An alarm on another query than one with GROUP BY and ORDER BY: {expression}")
    single = {name: value for name, value in properties.items() if name != "Metrics"}
    return single | {
        "Namespace": (query["schema"] or query["namespace"]).strip('"'),
        "MetricName": query["metric"],
        "Statistic": STATISTICS[query["function"]],
        "Period": metric["Period"],
    }


def evaluate(alarm: dict[str, Any]) -> None:
    """Set the alarm's state from the last period, and tell its topics if it has changed."""
    values = list(_values(alarm))
    breaches = COMPARISONS[alarm["ComparisonOperator"]]
    if values:
        worst = next((value for value in values if breaches(value, alarm["Threshold"])), values[0])
        state = "ALARM" if breaches(worst, alarm["Threshold"]) else "OK"
        reason = f"Threshold Crossed: {alarm['Statistic']} {worst} {alarm['ComparisonOperator']} {alarm['Threshold']}"
    elif alarm["TreatMissingData"] in ("breaching", "notBreaching"):
        state = "ALARM" if alarm["TreatMissingData"] == "breaching" else "OK"
        reason = f"no datapoints were received for 1 period and 1 missing datapoint was treated as [{state}]"
    else:
        return
    before = alarm["StateValue"]
    if state == before:
        return
    alarm |= {"StateValue": state, "StateReason": reason, "StateUpdatedTimestamp": int(time.time())}
    cloudwatch._record_history(alarm["AlarmName"], before, state, reason)
    cloudwatch._dispatch_alarm_actions(alarm, before, state, reason)
    cloudwatch._evaluate_parent_alarms(alarm)


def _values(alarm: dict[str, Any]) -> Iterator[float]:
    wanted = {dimension["Name"]: dimension["Value"] for dimension in alarm.get("Dimensions", [])}
    since = time.time() - alarm["Period"]
    for (namespace, name, _), points in list(cloudwatch._metrics.items()):
        recent = [point for point in points if point["Timestamp"] >= since]
        if (namespace, name) != (alarm["Namespace"], alarm["MetricName"]) or not recent:
            continue
        if alarm.get(EVERY_SERIES) or recent[0]["Dimensions"] == wanted:
            yield cloudwatch._stat_value(cloudwatch._calc_stats(recent), alarm["Statistic"], recent)


def read_logs(lines: Iterable[str]) -> None:
    """Publish what a function has logged in the embedded metric format, in this account and Region."""
    found = False
    for line in lines:
        if '"_aws"' not in line:
            continue
        try:
            document = json.loads(line[line.index("{") :])
            directives = document["_aws"]["CloudWatchMetrics"]
        except (ValueError, KeyError):
            continue  # CloudWatch too passes over what it cannot read
        for directive in directives:
            found = True
            _publish(document, directive)
    if found:
        cloudwatch._evaluate_all_alarms()


def _publish(document: dict[str, Any], directive: dict[str, Any]) -> None:
    for names in directive.get("Dimensions", [[]]):
        dimensions = {name: str(document[name]) for name in names}
        for metric in directive["Metrics"]:
            value, unit = document[metric["Name"]], metric.get("Unit", "None")
            values = value if isinstance(value, list) else [value]
            at = document["_aws"]["Timestamp"] / 1000
            cloudwatch._store_datum(
                directive["Namespace"], metric["Name"], dimensions, at, unit, None, values, None, None
            )


def publish_queues() -> None:
    """How many messages wait in each queue of every account, and what the alarms make of all metrics."""
    for account_id, region in {key[:2] for key in list(sqs._queues._data)}:
        with responses.request_scope(account_id, region):
            for queue in list(sqs._queues.values()):
                now = time.time()
                waiting = sum(message["visible_at"] <= now for message in queue["messages"])
                dimensions = {"QueueName": queue["name"]}
                name = "ApproximateNumberOfMessagesVisible"
                cloudwatch._store_datum("AWS/SQS", name, dimensions, now, "Count", waiting, None, None, None)
            cloudwatch._evaluate_all_alarms()
