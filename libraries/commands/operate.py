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
import shlex
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from commands import make_words, program, terminal
from commands.arguments import MAKE_VARIABLES, ROOT, STACK, another_account, output_format
from commands.aws_cli import AwsCli, AwsCliError, configured_region, users_aws_cli
from commands.report import text as report_text
from commands.stack_state import UPDATABLE
from ctipam.errors import Refused
from ctipam.organization.events import is_account_id

FUNCTION = "LifeCycleFunctionName"

LONGEST_S = "960"
"""How long an answer is waited for: Lambda ends the function after 900 seconds. A firewall may have ended a silent
connection long before. https://github.com/aws/aws-cli/issues/5783"""

ONCE = {"AWS_MAX_ATTEMPTS": "1"}
"""Else the AWS CLI would invoke the function again, and wait as long again."""

KNOWN = {
    "reconcile": ("account", "dry", "unshare", "stack", "AWS"),
    "report": ("FORMAT", "stack", "AWS"),
    "explain": ("account", "pool", "vpc", "stack"),
    "undo": ("dry", "stack", "yes", "AWS"),
}


def main(action: str, root: Path = ROOT) -> int:
    options = read(action, make_words.read(action, KNOWN[action]))
    request = payload(action, options)
    for_people = action == "report" and output_format(options, "json") == "text"
    if action == "report" and not for_people:
        make_words.refuse_lines_of_make()
    aws = aws_cli(options, root)
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


def _is_failure(action: str, answer: Any) -> bool:
    """Return whether the function did not do what it was asked, or not for each account."""
    if not isinstance(answer, dict):
        return False
    held_back = answer.get("heldBack") and not answer.get("dryRun")
    left_undone = action == "reconcile" and bool(answer.get("failed") or held_back)
    return "refused" in answer or "ignored" in answer or left_undone


def aws_cli(options: Mapping[str, str], root: Path) -> AwsCli:
    """Return the user's own AWS CLI if AWS= names it, or else the one that make installs. Raises Refused."""
    if "AWS" in options:
        return users_aws_cli(options["AWS"], root)
    return AwsCli([str(root / ".venv/aws-cli/bin/python"), "-m", "awscli"], root)


def read(action: str, words: Sequence[str]) -> dict[str, str]:
    """Return the options of the command. Raises Refused for an unknown name, and for no name of a stack.

    words   ["dry=yes", ...], as make passes them on
    """
    options = dict(word.split("=", 1) for word in words)
    for name in options:
        if name not in KNOWN[action] + MAKE_VARIABLES:
            raise Refused(f"{name} is not an argument of make {action}; use {', '.join(KNOWN[action])}.")
    if options.get("stack") == "":  # in a script, a variable that was not set
        raise Refused(f"stack= is empty; give the name of a stack, or leave it out for {STACK}.")
    return options


def yes_or_no(options: Mapping[str, str], name: str) -> bool:
    """Return whether the option is yes; no if it is not given. Raises Refused for any other value, also an empty one:
    in a script, that is a variable that was not set."""
    value = options.get(name, "no")
    if value not in ("yes", "no"):
        raise Refused(f"{name}={value} is neither yes nor no.")
    return value == "yes"


def payload(action: str, options: Mapping[str, str]) -> dict[str, Any]:
    """Return the event for the function, see ctipam.organization.events. Raises Refused."""
    request: dict[str, Any] = {"action": action}
    if (account_id := options.get("account")) is not None:
        if not is_account_id(account_id):
            raise Refused(f"account={account_id} is not an account id; give 12 digits, for example 012345678901.")
        request["accountId"] = account_id
    if yes_or_no(options, "dry"):
        request["dryRun"] = True
    if yes_or_no(options, "unshare"):
        request["unshare"] = True
    return request


def describe_stack(aws: AwsCli, stack: str) -> dict[str, Any]:
    """Return the stack, as DescribeStacks does. Raises Refused."""
    try:
        (found,) = aws.ask("cloudformation", "describe-stacks", "--stack-name", stack)["Stacks"]
    except AwsCliError as error:
        if "does not exist" in str(error):
            raise _no_stack(aws, stack) from None
        raise Refused(
            f"The AWS CLI cannot read stack {stack}; sign in to the management account, or set AWS_PROFILE, and "
            f"AWS_REGION to Control Tower's home Region; name another stack with stack=. Its error: {error}"
        ) from None
    return dict(found)


def _no_stack(aws: AwsCli, stack: str) -> Refused:
    """Return whose credentials they are, if they are not the management account's, or where there is no such stack."""
    account_id = "this account"
    try:
        account_id = str(aws.ask("sts", "get-caller-identity")["Account"])
        management = str(aws.ask("organizations", "describe-organization")["Organization"]["MasterAccountId"])
        if management != account_id:
            return another_account(account_id, management)
    except AwsCliError:
        pass  # the way out is the same
    return Refused(
        f"There is no stack {stack} in {account_id} in {configured_region(aws)}; use the management account, set "
        "AWS_REGION to Control Tower's home Region, or name another stack with stack=. If its deletion left pools "
        "behind, deploy it again first."
    )


def find_function(aws: AwsCli, stack: str) -> str:
    """Return the name of the lifecycle function. Raises Refused."""
    found = describe_stack(aws, stack)
    if found["StackStatus"].startswith("DELETE_"):
        raise Refused(
            f"Stack {stack} is {found['StackStatus']}, so there may be no function to ask. To follow or repeat its "
            f"deletion: make undo stack={shlex.quote(stack)}"
        )
    outputs = {each["OutputKey"]: each["OutputValue"] for each in found.get("Outputs", [])}
    parameters = [each["ParameterKey"] for each in found.get("Parameters", [])]
    if FUNCTION not in outputs and "NetworkAccountId" in parameters:
        if UPDATABLE.fullmatch(found["StackStatus"]):
            raise Refused(
                f"Stack {stack} has no output {FUNCTION}: another version has deployed it. Upgrade it with make deploy."
            )
        raise Refused(
            f"Stack {stack} is {found['StackStatus']} and has no function to ask. Wait if its deployment or deletion "
            "is in progress; otherwise its first deployment failed: see its events for the reason, then run "
            f"`make undo stack={shlex.quote(stack)}` and make deploy."
        )
    if FUNCTION not in outputs:
        raise Refused(f"Stack {stack} has no output {FUNCTION}: it is not this solution's; name the stack with stack=.")
    return str(outputs[FUNCTION])


def invoke(aws: AwsCli, function: str, request: Mapping[str, Any]) -> tuple[Any, bool]:
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
        try:
            return json.loads(answer.read_text(encoding="utf-8")), "FunctionError" in done
        except (OSError, ValueError):
            raise Refused(f"{function} has sent no answer that can be read; its log says what it did.") from None


if __name__ == "__main__":
    program.run(lambda: main(sys.argv[1]), only_tells=sys.argv[1] == "report")
