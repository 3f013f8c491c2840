"""What nobody would be told: alarms that never change, and failures that no queue keeps and no alarm reports.

AWS accepts all of it. Each check yields a sentence for each problem.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from checkers.policies import text
from checkers.template import Template, listed, target

METRICS = {
    ("AWS/Lambda", "Errors"): ("FunctionName", "AWS::Lambda::Function", "${%s}"),
    ("AWS/Lambda", "Invocations"): ("FunctionName", "AWS::Lambda::Function", "${%s}"),
    ("AWS/Events", "Invocations"): ("RuleName", "AWS::Events::Rule", "${%s}"),
    ("AWS/SQS", "NumberOfMessagesSent"): ("QueueName", "AWS::SQS::Queue", "${%s.QueueName}"),
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible"): ("QueueName", "AWS::SQS::Queue", "${%s.QueueName}"),
}
"""By namespace and name, a metric that AWS publishes: its dimension, and the resource whose name is the value.
https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-monitoring.html
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html"""

COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}
SECONDS = {"minutes": 60, "hours": 3600}
WAKES_UP_IN_S = 900
"""For so long, SQS may have no metrics of a queue that nobody has used for hours. Then it publishes all of them.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-monitoring-using-cloudwatch.html"""
LONGEST_RETENTION_S = 1_209_600
"""https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html"""


def alarms_watch_a_metric_that_aws_publishes(template: Template) -> Iterator[str]:
    for name, alarm in _on_metrics(template):
        metric = (alarm.get("Namespace"), alarm["MetricName"])
        if metric not in METRICS:
            yield f"{name}: AWS publishes no metric {metric}, so the alarm never changes."
            continue
        dimension, kind, value = METRICS[metric]
        watched = [value % resource for resource, _ in template.of_type(kind)]
        dimensions = [(one.get("Name"), text(one["Value"])) for one in alarm.get("Dimensions", [])]
        if not (len(dimensions) == 1 and dimensions[0][0] == dimension and dimensions[0][1] in watched):
            yield f"{name}: {metric} has one dimension, {dimension}, with the name of a resource of the stack."
        if alarm.get("Statistic") != "Sum":
            yield f"{name}: {metric} is a count, so its statistic is Sum."


def alarms_are_raised_by_the_first_bad_period(template: Template) -> Iterator[str]:
    """And end with it: an alarm that goes on would not report the next failure."""
    for name, alarm in template.of_type("AWS::CloudWatch::Alarm"):
        if alarm["TreatMissingData"] == "missing":  # reports that something has stopped
            good, bad = (1, 0)
        else:
            bad = 2 if _is_repeated_by_its_schedule(template, alarm) else 1
            good = bad - 1
            if alarm["EvaluationPeriods"] != 1 or alarm["TreatMissingData"] != "notBreaching":
                yield f"{name}: one bad period must raise the alarm, and a period without data must end it."
        threshold = alarm["Threshold"]
        if isinstance(threshold, Mapping):
            if f"{text(threshold)} percent" not in _description(alarm):
                yield f"{name}: {text(threshold)} is not the threshold that the description names."
            threshold = bad
        breaches = COMPARISONS[alarm["ComparisonOperator"]]
        if breaches(good, threshold) or not breaches(bad, threshold):
            yield f"{name}: {bad} in a period must raise the alarm, and {good} must not."


def alarms_evaluate_the_time_that_they_tell(template: Template) -> Iterator[str]:
    for name, alarm in _on_metrics(template):
        told = re.search(r"(?:for|in) (\d+) (minutes|hours)", _description(alarm))
        span = alarm["Period"] * alarm["EvaluationPeriods"]
        if told and span != int(told[1]) * SECONDS[told[2]]:
            yield f"{name}: it tells of {told[1]} {told[2]}, and evaluates {span} s."


def events_that_a_function_cannot_handle_are_kept_or_repeated(template: Template) -> Iterator[str]:
    for function in sorted({function for _, _, function in _invocations(template)}):
        configured = _invocation_config(template, function)
        queue = _failure_queue(configured)
        if configured.get("Qualifier") != "$LATEST":
            yield f"{function}: EventBridge invokes $LATEST, so what becomes of failures must be said of it."
        elif queue is None and not (_is_scheduled(template, function) and configured.get("MaximumRetryAttempts") == 0):
            yield f"{function}: an event that it fails to handle is lost; give an OnFailure destination."
    for rule, to, function in _invocations(template):
        queue = _failure_queue(_invocation_config(template, function))
        if queue != target(to.get("DeadLetterConfig", {}).get("Arn")):
            yield f"{rule}: events that are not delivered are lost; name {queue} in DeadLetterConfig."


def kept_failures_are_told_and_stay_until_somebody_has_time(template: Template) -> Iterator[str]:
    watched = {text(one["Value"]) for _, alarm in _on_metrics(template) for one in alarm.get("Dimensions", [])}
    for name, queue in template.of_type("AWS::SQS::Queue"):
        if f"${{{name}.QueueName}}" not in watched:
            yield f"{name}: no alarm tells of what is put in the queue."
        if queue.get("MessageRetentionPeriod") != LONGEST_RETENTION_S:
            yield f"{name}: keep failures for {LONGEST_RETENTION_S} s, the longest that SQS can."


def alarms_on_queues_see_what_is_published_late(template: Template) -> Iterator[str]:
    """The first failure in a long time would be in a period that was over, and after which there were no others."""
    for name, alarm in _on_metrics(template):
        if alarm.get("Namespace") == "AWS/SQS" and alarm["Period"] * alarm["EvaluationPeriods"] <= WAKES_UP_IN_S:
            yield f"{name}: SQS publishes the first metrics of an idle queue {WAKES_UP_IN_S} s late; look back further."


def schedules_that_stop_are_told(template: Template) -> Iterator[str]:
    watched = {
        (alarm["MetricName"], text(one["Value"]))
        for _, alarm in _on_metrics(template)
        for one in alarm.get("Dimensions", [])
        if alarm["TreatMissingData"] == "missing"
    }
    for rule, _, function in _invocations(template):
        scheduled = "ScheduleExpression" in template.properties(rule)
        if scheduled and not {("Invocations", f"${{{rule}}}"), ("Invocations", f"${{{function}}}")} & watched:
            yield f"{rule}: no alarm tells that the schedule has stopped."


def scheduled_runs_end_before_the_next(template: Template) -> Iterator[str]:
    for rule, _, function in _invocations(template):
        rate = re.fullmatch(r"rate\((\d+) minutes\)", str(template.properties(rule).get("ScheduleExpression")))
        if rate and template.properties(function).get("Timeout", 0) > int(rate[1]) * 60:
            yield f"{function}: its timeout is longer than the interval of {rule}, so two runs can overlap."


def _on_metrics(template: Template) -> Iterator[tuple[str, Mapping[str, Any]]]:
    return ((name, alarm) for name, alarm in template.of_type("AWS::CloudWatch::Alarm") if "MetricName" in alarm)


def _description(alarm: Mapping[str, Any]) -> str:
    described = alarm["AlarmDescription"]
    return str(listed(described["Fn::Sub"])[0] if isinstance(described, Mapping) else described)


def _invocations(template: Template) -> Iterator[tuple[str, Mapping[str, Any], str]]:
    """Yield each rule, its target and the function of the template that it invokes."""
    functions = {name for name, _ in template.of_type("AWS::Lambda::Function")}
    for rule, found in template.of_type("AWS::Events::Rule"):
        for to in found["Targets"]:
            if (function := target(to["Arn"])) in functions:
                yield rule, to, function


def _invocation_config(template: Template, function: str) -> Mapping[str, Any]:
    configs = template.of_type("AWS::Lambda::EventInvokeConfig")
    return next((config for _, config in configs if target(config["FunctionName"]) == function), {})


def _failure_queue(config: Mapping[str, Any]) -> str | None:
    return target(config.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination"))


def _is_scheduled(template: Template, function: str) -> bool:
    rules = [rule for rule, _, invoked in _invocations(template) if invoked == function]
    return bool(rules) and all("ScheduleExpression" in template.properties(rule) for rule in rules)


def _is_repeated_by_its_schedule(template: Template, alarm: Mapping[str, Any]) -> bool:
    """Return whether the next run of a function makes good for one that failed, and Lambda itself retries none."""
    watched = {target(one["Value"]) for one in alarm.get("Dimensions", [])}
    return any(
        _is_scheduled(template, function)
        and _invocation_config(template, function).get("MaximumRetryAttempts") == 0
        and _failure_queue(_invocation_config(template, function)) is None
        for function in filter(None, watched)
    )


CHECKS = (
    alarms_watch_a_metric_that_aws_publishes,
    alarms_are_raised_by_the_first_bad_period,
    alarms_evaluate_the_time_that_they_tell,
    events_that_a_function_cannot_handle_are_kept_or_repeated,
    kept_failures_are_told_and_stay_until_somebody_has_time,
    alarms_on_queues_see_what_is_published_late,
    schedules_that_stop_are_told,
    scheduled_runs_end_before_the_next,
)
