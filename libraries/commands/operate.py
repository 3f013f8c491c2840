"""`make reconcile` and `make report`: invoke the lifecycle function of a stack and show its answer.

    make reconcile                        reconcile all shares
    make reconcile account=111122223333   reconcile the share of an account
    make reconcile dry=yes                show the changes without applying them
    make reconcile unshare=yes            also if more accounts than UnshareLimit lose pools by that
    make report                           draw the pools, and list their accounts, what is in use, and what is wrong
    make report FORMAT=json               the same and more for programs

    stack=ipam-controltower               the name of the stack
    AWS=aws                               your AWS CLI; without it, the one that make installs

Uses credentials of the management account, in Control Tower's home Region. The answer may take 15 minutes.
Exits with 1 if the function fails or refuses, if an account has failed, or if pools were held back.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from commands import make_words, program, stack_options, terminal
from commands.arguments import ROOT, STACK, output_format, yes_or_no
from commands.aws_cli import AwsCli, AwsCliError, chosen_aws_cli
from commands.described_stack import get_stack
from commands.report import text as report_text
from commands.stack_state import REVIEWED, UPDATABLE, refuse_stack_of_others
from ctipam.cloudformation.described import outputs_of, parameters_of
from ctipam.errors import Refused

FUNCTION = "LifeCycleFunctionName"

LONGEST_S = "960"
"""How long an answer is waited for: Lambda ends the function after 900 seconds. A firewall may have ended a silent
connection long before. https://github.com/aws/aws-cli/issues/5783"""

ONCE = {"AWS_MAX_ATTEMPTS": "1"}
"""Else the AWS CLI would invoke the function again, and wait as long again."""


def main(action: str, root: Path = ROOT) -> int:
    options = stack_options.read(action, make_words.read(action, stack_options.KNOWN[action]))
    request = payload(action, options)
    for_people = action == "report" and output_format(options, "json") == "text"
    if action == "report" and not for_people:
        make_words.refuse_lines_of_make()
    aws = chosen_aws_cli(options, root)
    with terminal.progress() as progress:
        progress("the stack")
        function = find_function(aws, options.get("stack", STACK))
    with terminal.progress("waiting for") as progress:
        progress("the function that reads pools and shares")
        answer, failed = invoke(aws, function, request)
    if for_people and not failed and "tree" in answer:
        terminal.show(report_text.to_lines(answer))
    else:
        terminal.show(json.dumps(answer, indent=4, ensure_ascii=False).split("\n"))
    return 1 if failed or _is_failure(action, answer) else 0


def _is_failure(action: str, answer: Mapping[str, Any]) -> bool:
    """Return whether the function did not do what it was asked, or not for each account."""
    held_back = answer.get("heldBack") and not answer.get("dryRun")
    left_undone = action == "reconcile" and bool(answer.get("failed") or held_back)
    return "refused" in answer or "ignored" in answer or left_undone


def payload(action: str, options: Mapping[str, str]) -> dict[str, Any]:
    """Return the event for the function, see ctipam.organization.events. Raises Refused."""
    request: dict[str, Any] = {"action": action}
    if account_id := stack_options.account_id(options):
        request["accountId"] = account_id
    if yes_or_no(options, "dry"):
        request["dryRun"] = True
    if yes_or_no(options, "unshare"):
        request["unshare"] = True
    return request


def find_function(aws: AwsCli, stack: str) -> str:
    """Return the name of the lifecycle function. Raises Refused."""
    found = get_stack(aws, stack)
    status, deploy, undo = found["StackStatus"], f"`make deploy stack={stack}`", f"`make undo stack={stack}`"
    if status == REVIEWED:
        raise Refused(f"Stack {stack} is {REVIEWED}: it has a change set and no resources. Run {deploy} first.")
    refuse_stack_of_others(stack, parameters_of(found))
    if status.startswith("DELETE_"):
        raise Refused(
            f"Stack {stack} is {status}, so there may be no function to ask. To follow or repeat its deletion: {undo}"
        )
    outputs = outputs_of(found)
    if FUNCTION in outputs:
        return outputs[FUNCTION]
    if UPDATABLE.fullmatch(status):
        raise Refused(
            f"Stack {stack} has no output {FUNCTION}: another version has deployed it. Upgrade it with {deploy}."
        )
    raise Refused(
        f"Stack {stack} is {status} and has no function to ask. Wait if its deployment or deletion is in progress; "
        f"otherwise its first deployment failed: see its events for the reason, then run {undo} and {deploy}."
    )


def invoke(aws: AwsCli, function: str, request: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:
    """Return the answer of the function, and whether it failed. Raises Refused if it cannot be invoked."""
    with tempfile.TemporaryDirectory() as folder:
        asked, answer = Path(folder) / "request", Path(folder) / "answer"
        asked.write_text(json.dumps(request))
        # from a file: version 2 of the AWS CLI takes any other payload for base64
        # https://docs.aws.amazon.com/cli/latest/userguide/cli-usage-parameters-types.html#parameter-type-blob
        options = ["--function-name", function, "--payload", f"fileb://{asked}", "--cli-read-timeout", LONGEST_S]
        try:
            done = aws.with_environment(ONCE).ask("lambda", "invoke", *options, str(answer))
        except AwsCliError as error:
            raise Refused(f"The AWS CLI cannot invoke {function}: {error}") from None
        with suppress(OSError, ValueError):
            read = json.loads(answer.read_text(encoding="utf-8"))
            if isinstance(read, dict):
                return read, "FunctionError" in done
        raise Refused(f"{function} has sent no answer that can be read; its log says what it did.")


if __name__ == "__main__":
    program.run(lambda: main(sys.argv[1]), only_prints=sys.argv[1] == "report")
