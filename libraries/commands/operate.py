"""`make reconcile` and `make report`: ask the lifecycle function of a stack, and show what it answers.

    make reconcile                        bring everybody's shares in order
    make reconcile account=111122223333   one account's
    make reconcile dry=yes                say what would be changed
    make report                           say who can use which pool

    stack=ipam-controltower               the stack's name

With the AWS CLI that make has installed, and credentials of the management account in Control Tower's home Region. The
answer may take 15 minutes.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from commands.arguments import OF_MAKE, ROOT, STACK
from commands.aws_cli import Aws, AwsSays
from ctipam.errors import Refused
from ctipam.organization.events import is_account_id

FUNCTION = "LifeCycleFunctionName"
KNOWN = {"reconcile": ("account", "dry", "stack"), "report": ("stack",)}


def main(action: str, typed: Sequence[str], root: Path = ROOT) -> None:
    try:
        words = read(action, typed)
        asked = payload(action, words)
        aws = Aws([str(root / ".venv/aws-cli/bin/python"), "-m", "awscli"], root)
        answer, failed = invoke(aws, find_function(aws, words.get("stack", STACK)), asked)
    except Refused as refusal:
        sys.exit(str(refusal))
    print(json.dumps(answer, indent=4, ensure_ascii=False))
    sys.exit(1 if failed else 0)


def read(action: str, typed: Sequence[str]) -> dict[str, str]:
    """The words of the command, as make passes them on: ["dry=yes", ...]. Raises Refused."""
    words = dict(word.split("=", 1) for word in typed)
    for name in words:
        if name not in KNOWN[action] + OF_MAKE:
            raise Refused(f"{name} is no word of make {action}; there are {', '.join(KNOWN[action])}.")
    return words


def payload(action: str, words: Mapping[str, str]) -> dict[str, Any]:
    """What the function is asked, as ctipam.events has it. Raises Refused."""
    asked: dict[str, Any] = {"action": action}
    if account_id := words.get("account", ""):
        if not is_account_id(account_id):
            raise Refused(f"account={account_id} is no account id; give 12 digits, such as 012345678901.")
        asked["accountId"] = account_id
    if dry := words.get("dry", ""):
        if dry not in ("yes", "no"):
            raise Refused(f"dry={dry} is neither yes nor no.")
        asked |= {"dryRun": True} if dry == "yes" else {}
    return asked


def find_function(aws: Aws, stack: str) -> str:
    """Raises Refused."""
    try:
        (found,) = aws.ask("cloudformation", "describe-stacks", "--stack-name", stack)["Stacks"]
    except AwsSays as said:
        raise Refused(
            f"The AWS CLI cannot look at stack {stack}; sign in to the management account, or set AWS_PROFILE, and "
            f"AWS_REGION to Control Tower's home Region; another stack is named with stack=. It says: {said}"
        ) from None
    outputs = {one["OutputKey"]: one["OutputValue"] for one in found.get("Outputs", [])}
    if FUNCTION not in outputs:
        raise Refused(f"Stack {stack} has no output {FUNCTION}: it is not this solution's; name the stack with stack=.")
    return str(outputs[FUNCTION])


def invoke(aws: Aws, function: str, asked: Mapping[str, Any]) -> tuple[Any, bool]:
    """What it answers, and whether it failed; raises Refused if it could not be asked."""
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "answer"
        where = ["--function-name", function, "--payload", json.dumps(asked), "--cli-read-timeout", "0", str(answer)]
        try:
            done = aws.ask("lambda", "invoke", *where)
        except AwsSays as said:
            raise Refused(f"The AWS CLI cannot invoke {function}: {said}") from None
        return json.loads(answer.read_text(encoding="utf-8")), "FunctionError" in done


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
