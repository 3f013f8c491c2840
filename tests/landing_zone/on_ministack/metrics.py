"""CloudWatch: metrics from logs, functions and queues, and alarms on a metric or on a Metrics Insights query.

ministack does not read the embedded metric format, rejects `Metrics` in AWS::CloudWatch::Alarm, ignores dimensions,
publishes no metrics of queues and functions, and lets an alarm publish to any topic. To go when it does all of this.
The time is the engine's, which tests can move.

Left out: metric math, WHERE in a query, DatapointsToAlarm (all evaluation periods must breach), and metrics of services
other than SQS's ApproximateNumberOfMessagesVisible, published when the clock is advanced, Lambda's Invocations and
Errors, and EventBridge's Invocations.
Source  https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Create_Metrics_Insights_Alarm.html
        https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
        https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
"""

from __future__ import annotations

import json
import operator
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from landing_zone.on_ministack import topics
from landing_zone.on_ministack.cloudformation import HandlerFailure, Properties, Provisioned
from landing_zone.on_ministack.engine_time import Time
from landing_zone.on_ministack.internals import cloudwatch, provisioners, responses, sqs

QUERY = re.compile(
    r"""\s*SELECT\s+(?P<function>AVG|MAX|MIN|SUM|COUNT)\(\s*"?(?P<metric>[^")]+?)"?\s*\)
        \s+FROM\s+(?:SCHEMA\((?P<schema>[^)]+)\)|(?P<namespace>"[^"]+"|\S+))
        \s+GROUP\s+BY\s+(?P<group>.+?)\s+ORDER\s+BY\s+.+""",
    re.VERBOSE | re.DOTALL,
)
STATISTICS = {"AVG": "Average", "MAX": "Maximum", "MIN": "Minimum", "SUM": "Sum", "COUNT": "SampleCount"}
SINGLE_METRIC_ONLY = ("MetricName", "Namespace", "Dimensions", "Period", "Statistic", "ExtendedStatistic", "Unit")
COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}
Point = dict[str, Any]


@dataclass(frozen=True)
class Query:
    """A Metrics Insights query.

    labels   the dimensions of a metric: exactly these with SCHEMA, else at least those of GROUP BY
    """

    namespace: str
    metric: str
    statistic: str
    labels: frozenset[str]
    exactly: bool
    group_by: tuple[str, ...]

    @classmethod
    def parse(cls, expression: str) -> Query:
        found = QUERY.fullmatch(expression)
        if not found:
            raise NotImplementedError(f"An alarm on another query than one with GROUP BY and ORDER BY: {expression}")
        group_by = _names(found["group"])
        namespace, *labels = _names(found["schema"] or found["namespace"])
        if labels and not set(group_by) <= set(labels):
            raise HandlerFailure(f"GROUP BY names what SCHEMA does not: {expression}", "InvalidRequest")
        return cls(
            namespace=namespace,
            metric=found["metric"],
            statistic=STATISTICS[found["function"]],
            labels=frozenset(labels or group_by),
            exactly=bool(labels),
            group_by=group_by,
        )

    def series_of(self, dimensions: Mapping[str, str]) -> tuple[str, ...] | None:
        """Return the query's series that a metric with these dimensions belongs to, or None."""
        fits = self.labels == dimensions.keys() if self.exactly else self.labels <= dimensions.keys()
        return tuple(dimensions[name] for name in self.group_by) if fits else None


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip().strip('"') for name in text.split(","))


class AlarmType:
    """ministack's AWS::CloudWatch::Alarm. An alarm on a query is stored as one on its metric, with the query."""

    def __init__(self, own: dict[str, Any], queries: dict[str, Query]) -> None:
        self._create, self._update, self._queries = own["create"], own["update"], queries

    def create(self, logical_id: str, properties: Properties, stack_name: str) -> Provisioned:
        return self._keep(properties, self._create(logical_id, _without_query(properties), stack_name))

    def update(
        self, name: str, old: Properties, new: Properties, stack: str, logical_id: str | None = None
    ) -> Provisioned:
        return self._keep(new, self._update(name, _without_query(old), _without_query(new), stack, logical_id))

    def _keep(self, properties: Properties, made: Provisioned) -> Provisioned:
        arn = cloudwatch._alarms[made[0]]["AlarmArn"]
        self._queries.pop(arn, None)
        if query := _query(properties):
            self._queries[arn] = query
        return made


def _query(properties: Properties) -> Query | None:
    if "Metrics" not in properties:
        return None
    if any(name in properties for name in SINGLE_METRIC_ONLY):
        raise HandlerFailure("An alarm has either Metrics or a single metric's properties", "InvalidRequest")
    if len(properties["Metrics"]) != 1:
        raise NotImplementedError("An alarm on more than one expression")
    metric = properties["Metrics"][0]
    if "SEARCH(" in metric.get("Expression", ""):
        raise HandlerFailure("SEARCH is not supported on Metric Alarms", "InvalidRequest")
    if "Period" not in metric:
        raise HandlerFailure("Period must not be null", "InvalidRequest")
    return Query.parse(metric.get("Expression", ""))


def _without_query(properties: Properties) -> Properties:
    query = _query(properties)
    if not query:
        return properties
    single = {name: value for name, value in properties.items() if name != "Metrics"}
    return single | {
        "Namespace": query.namespace,
        "MetricName": query.metric,
        "Statistic": query.statistic,
        "Period": properties["Metrics"][0]["Period"],
    }


class Metrics:
    """Publish the metrics that ministack omits, and evaluate the alarms."""

    def __init__(self, clock: Time) -> None:
        self._clock = clock
        self._queries: dict[str, Query] = {}  # by the ARN of the alarm that is on it

    def install(self) -> None:
        own = provisioners._RESOURCE_HANDLERS["AWS::CloudWatch::Alarm"]
        alarm = AlarmType(own, self._queries)
        provisioners._RESOURCE_HANDLERS["AWS::CloudWatch::Alarm"] = own | {
            "create": alarm.create,
            "update": alarm.update,
        }
        cloudwatch._evaluate_alarm = self.evaluate
        dispatch = cloudwatch._dispatch_alarm_actions
        cloudwatch._dispatch_alarm_actions = lambda *told: _dispatch_if_allowed(dispatch, *told)

    def function_ran(self, function_name: str, failed: bool, lines: Iterable[str]) -> None:
        """Publish the invocation, and the metrics that the function printed in the embedded metric format."""
        for metric, value in (("Invocations", 1), ("Errors", int(failed))):
            self._publish("AWS/Lambda", metric, {"FunctionName": function_name}, [value], "Count")
        for line in lines:
            self._read(line)
        cloudwatch._evaluate_all_alarms()

    def rule_fired(self, rule_name: str) -> None:
        """Publish that a rule has invoked a target."""
        self._publish("AWS/Events", "Invocations", {"RuleName": rule_name}, [1], "Count")

    def publish_queues(self) -> None:
        """Publish how many messages wait in each queue of every account, and evaluate all alarms."""
        for account_id, region in {key[:2] for key in list(sqs._queues._data)}:
            with responses.request_scope(account_id, region):
                for queue in list(sqs._queues.values()):
                    waiting = sum(message["visible_at"] <= time.time() for message in queue["messages"])
                    name = "ApproximateNumberOfMessagesVisible"
                    self._publish("AWS/SQS", name, {"QueueName": queue["name"]}, [waiting], "Count")
        for account_id, region in {key[:2] for key in list(cloudwatch._alarms._data)}:
            with responses.request_scope(account_id, region):
                cloudwatch._evaluate_all_alarms()

    def _read(self, line: str) -> None:
        """Publish the metrics of a log line; ignore one that is not JSON or contradicts its metadata, as AWS does."""
        try:
            document = json.loads(line)
            directives = document["_aws"]["CloudWatchMetrics"]
            for directive in directives:
                for names in directive["Dimensions"]:
                    dimensions = {name: document[name] for name in names}
                    for metric in directive["Metrics"]:
                        value = document[metric["Name"]]
                        values = value if isinstance(value, list) else [value]
                        unit = metric.get("Unit", "None")
                        self._publish(directive["Namespace"], metric["Name"], dimensions, values, unit)
        except (ValueError, KeyError, TypeError):
            return

    def _publish(
        self, namespace: str, metric: str, dimensions: Mapping[str, str], values: list[float], unit: str
    ) -> None:
        # At the engine's time, not at what the document says: a function's own clock cannot be moved.
        cloudwatch._store_datum(namespace, metric, dict(dimensions), self._clock.now(), unit, None, values, None, None)

    def evaluate(self, alarm: dict[str, Any]) -> None:
        """Set the alarm's state, ALARM if a series breaches in all evaluation periods, and publish a change."""
        verdicts = [self._verdict(alarm, points) for points in self._series(alarm)]
        if any(verdicts):
            state, word = "ALARM", "breaches"
        elif False in verdicts:
            state, word = "OK", "does not breach"
        elif alarm["TreatMissingData"] == "missing":
            state, word = "INSUFFICIENT_DATA", "has no data"
        else:
            return
        before = alarm["StateValue"]
        if state == before:
            return
        reason = f"{alarm['MetricName']} {word}: {alarm['ComparisonOperator']} {alarm['Threshold']}"
        alarm |= {"StateValue": state, "StateReason": reason, "StateUpdatedTimestamp": int(time.time())}
        cloudwatch._record_history(alarm["AlarmName"], before, state, reason)
        cloudwatch._dispatch_alarm_actions(alarm, before, state, reason)
        cloudwatch._evaluate_parent_alarms(alarm)

    def _series(self, alarm: dict[str, Any]) -> list[list[Point]]:
        """Return the points of each of the alarm's series; one empty series if there is none."""
        query = self._queries.get(alarm["AlarmArn"])
        wanted = {dimension["Name"]: dimension["Value"] for dimension in alarm.get("Dimensions", [])}
        found: dict[Any, list[Point]] = {}
        for (namespace, metric, _), points in list(cloudwatch._metrics.items()):
            if (namespace, metric) != (alarm["Namespace"], alarm["MetricName"]) or not points:
                continue
            dimensions = points[0]["Dimensions"]
            series = query.series_of(dimensions) if query else (() if dimensions == wanted else None)
            if series is not None:
                found.setdefault(series, []).extend(points)
        return list(found.values()) or [[]]

    def _verdict(self, alarm: dict[str, Any], points: list[Point]) -> bool | None:
        """Return whether a series breaches in every evaluation period, None if it has no data."""
        periods = list(self._periods(alarm, points))
        if all(periods):
            return True
        return False if False in periods else None

    def _periods(self, alarm: dict[str, Any], points: list[Point]) -> Iterator[bool | None]:
        missing = {"breaching": True, "notBreaching": False}.get(alarm["TreatMissingData"])
        for number in range(int(alarm["EvaluationPeriods"])):
            end = self._clock.now() - number * alarm["Period"]
            within = [point for point in points if end - alarm["Period"] <= point["Timestamp"] <= end]
            if within:
                value = cloudwatch._stat_value(cloudwatch._calc_stats(within), alarm["Statistic"], within)
                yield COMPARISONS[alarm["ComparisonOperator"]](value, alarm["Threshold"])
            else:
                yield missing


def _dispatch_if_allowed(
    dispatch: Callable[..., None], alarm: dict[str, Any], before: str, state: str, reason: str
) -> None:
    """Publish if the topic's policies let CloudWatch do so; otherwise the alarm's history names the reason."""
    field = {"ALARM": "AlarmActions", "OK": "OKActions", "INSUFFICIENT_DATA": "InsufficientDataActions"}[state]
    allowed = []
    for action in alarm.get(field) or []:
        refusal = topics.refusal(topics.CLOUDWATCH, action, alarm["AlarmArn"]) if ":sns:" in action else ""
        if refusal:
            told = f'Failed to execute action {action}. Received error: "{refusal}"'
            cloudwatch._record_history(alarm["AlarmName"], before, state, told)
        else:
            allowed.append(action)
    dispatch(alarm | {field: allowed}, before, state, reason)
