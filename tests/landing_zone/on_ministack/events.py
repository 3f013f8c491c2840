"""EventBridge: events of AWS services, permissions of targets, and a clock that tests can move.

ministack invokes a rule's function once, ignores the function's policy, and drops failed events. To go when it checks
the policy, retries, and delivers to the dead-letter queue.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from landing_zone.on_ministack import lambda_code, topics
from landing_zone.on_ministack.engine_time import Time
from landing_zone.on_ministack.internals import eventbridge, iam_evaluator, lambda_svc, responses, sqs
from landing_zone.on_ministack.metrics import Metrics


def emit(account_id: str, region: str, source: str, detail_type: str, detail: Mapping[str, Any]) -> None:
    """Send an event of an AWS service to the default bus of that account and Region."""
    entry = {"Source": source, "DetailType": detail_type, "Detail": json.dumps(detail), "Resources": []}
    with responses.request_scope(account_id, region):
        eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True)


def install(clock: Time, metrics: Metrics) -> None:
    eventbridge._now_ts = clock.now
    invoke = eventbridge._invoke_target

    def invoke_target(target: dict[str, Any], event: dict[str, Any], rule: dict[str, Any], view: Any = None) -> None:
        metrics.rule_fired(rule["Name"])
        if ":sns:" in target["Arn"] and topics.refusal(topics.EVENTBRIDGE, target["Arn"], rule["Arn"]):
            _to_dead_letter_queue(target, event, rule)
        elif ":lambda:" not in target["Arn"]:
            invoke(target, event, rule, view)
        elif not _allowed(target["Arn"], rule["Arn"]):
            _to_dead_letter_queue(target, event, rule)
        else:
            invoke(target, event, rule, view)

    def dispatch_to_lambda(arn: str, payload: str) -> None:
        lambda_code.invoke_later(arn, payload)

    eventbridge._invoke_target = invoke_target
    eventbridge._dispatch_to_lambda = dispatch_to_lambda


def run_schedules() -> None:
    """Fire the schedules that are due now, instead of at ministack's next tick."""
    eventbridge._tick_scheduled_rules()


def _allowed(function_arn: str, rule_arn: str) -> bool:
    """Return whether the function's policy lets events.amazonaws.com invoke it for this rule."""
    found = lambda_svc.function_policy_for_arn(function_arn)
    if found is None:
        return False
    context = iam_evaluator.EvalContext(
        principal_arn="",
        principal_type="Service",
        principal_account=responses.get_account_id(),
        action="lambda:InvokeFunction",
        resource_arn=function_arn,
        region=responses.get_region(),
        service_context={"aws:sourcearn": rule_arn, "aws:sourceaccount": responses.get_account_id()},
    )
    verdict = iam_evaluator.evaluate_resource_policy(found[0], context, service="events.amazonaws.com")
    return bool(verdict.decision == "Allow")


def _to_dead_letter_queue(target: dict[str, Any], event: dict[str, Any], rule: dict[str, Any]) -> None:
    """Send an event that is not permitted to the target's dead-letter queue, whose policy is not checked here.

    Source  https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
    """
    queue = sqs._queue_by_arn((target.get("DeadLetterConfig") or {}).get("Arn", ""))
    if queue is None:
        return
    body = json.dumps(eventbridge._pattern_event_view(event).event_with_detail())
    sqs._act_send_message(
        {
            "QueueUrl": queue["url"],
            "MessageBody": body,
            "MessageAttributes": {
                name: {"DataType": "String", "StringValue": value}
                for name, value in {
                    "RULE_ARN": rule["Arn"],
                    "TARGET_ARN": target["Arn"],
                    "ERROR_CODE": "NO_PERMISSIONS",
                }.items()
            },
        },
        queue["url"],
    )
