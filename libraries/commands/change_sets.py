"""Change sets that CloudFormation refused, and why. What it finds before it begins is in no event of the stack.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/validate-stack-deployments.html
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from commands.aws_cli import AwsCli, AwsCliError

REASONS = {"VALIDATION_ERROR": "ValidationStatusReason", "HOOK_INVOCATION_ERROR": "HookStatusReason"}
"""By the type of an event, where it says why.
https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_OperationEvent.html"""


def failed_change_sets(aws: AwsCli, stack: str) -> list[str]:
    """Return the ARNs of the change sets of the stack that have failed; nothing if they cannot be read."""
    try:
        rows = aws.ask("cloudformation", "list-change-sets", "--stack-name", stack).get("Summaries", [])
    except AwsCliError:  # no such stack, for example
        return []
    return [row["ChangeSetId"] for row in rows if row.get("Status") == "FAILED"]


def refusals(aws: AwsCli, stack: str, earlier: Collection[str]) -> list[str]:
    """Return a line for each finding that made a change set fail; nothing if AWS tells no more.

    earlier   the ARNs of those that failed before
    """
    lines: list[str] = []
    for arn in failed_change_sets(aws, stack):
        if arn in earlier:
            continue
        try:  # by its ARN: for its name, AWS finds nothing
            answer = aws.ask(
                "cloudformation", "describe-events", "--change-set-name", arn, "--filters", "FailedEvents=true"
            )
        except AwsCliError:  # an older AWS CLI does not know the command
            continue
        lines += _findings(answer.get("OperationEvents", []))
    return lines


def _findings(events: Iterable[Mapping[str, str]]) -> Iterator[str]:
    for event in events:
        reason = event.get(REASONS.get(event.get("EventType", ""), ""), "")
        if reason and "WARN" not in (event.get("ValidationFailureMode"), event.get("HookFailureMode")):
            yield f"Refused: {event.get('LogicalResourceId')} ({event.get('ResourceType')}): {reason}"
