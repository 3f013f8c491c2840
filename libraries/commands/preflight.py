"""`make preflight`: is this organization ready for a deployment? Reads, and changes nothing.

    make preflight BUCKET=example-ipam-code NETWORK_ACCOUNT_ID=111122223333 REGIONS=us-west-2,us-east-1

    FORMAT=json               for programs: {"ready": true, "checks": [{"about", "result", "text"}, ...]}
    stack=ipam-controltower   the stack whose parameters apply where none is given

Takes the arguments of `make deploy`, and prints a line for each check: ✓, ! for a warning or for what could not be
read, ✗ for what would make the deployment fail or leave an environment without accounts. Exits with 1 if there is a ✗.
Uses the credentials of your AWS CLI. The permissions that it needs are in read-only-policy.json, beside this file.
"""

from __future__ import annotations

import json
import locale
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from botocore.exceptions import BotoCoreError

from commands import arguments, make_words, program, terminal
from commands.arguments import ROOT, Arguments
from commands.aws_reader import AwsReader, open_session
from commands.preflight_checks import check, credentials, is_ready, no_credentials, no_region
from commands.preflight_facts import Caller, Check, Unknown
from commands.preflight_reading import Request, read_caller, read_facts, read_management_id, read_stack
from commands.stack_state import refuse_unless_updatable
from ctipam.errors import Refused

MARKS = {"ok": "✓", "warning": "!", "unknown": "!", "failed": "✗"}
ASCII_MARKS = MARKS | {"ok": "ok", "failed": "x"}


def main(root: Path = ROOT) -> int:
    words = make_words.read("preflight", arguments.known_names())
    given = arguments.read(words, arguments.template_parameters(root))
    output = given.options.get("FORMAT", "text")
    if output not in ("text", "json"):
        raise Refused(f"FORMAT={arguments.shortened(output)} is not supported; give text or json.")
    if output == "json":
        make_words.refuse_lines_of_make()
    arguments.stack_name(given.options)
    arguments.refuse_impossible(given.parameters, root)
    checks = run(given, root)
    if output == "json":
        print(to_json(checks))
    else:
        show(checks)
    return 0 if is_ready(checks) else 1


def run(given: Arguments, root: Path = ROOT) -> list[Check]:
    """Read the organization, and return all checks; without credentials or a Region, only that check."""
    with terminal.progress() as progress:
        progress("the organization")
        try:
            session = open_session(given.options.get("AWS", ""), root)
        except BotoCoreError as error:
            return [no_credentials(Unknown(str(error)))]
        if not session.region_name:
            return [no_region()]
        caller = read_caller(session)
        if isinstance(caller, Unknown):
            return [no_credentials(caller)]
        return check_organization(AwsReader(session, caller.account_id), caller, given, root)


def check_organization(aws: AwsReader, caller: Caller, given: Arguments, root: Path = ROOT) -> list[Check]:
    """Return all checks; with credentials of another account, only that check."""
    management_id = read_management_id(aws)
    if (of_caller := credentials(caller, management_id)).result == "failed":
        return [of_caller]
    stack_name = arguments.stack_name(given.options)
    stack, status = read_stack(aws, stack_name)
    existing = stack if isinstance(stack, Mapping) else {}
    defaults = {name: default for name, default in arguments.template_parameters(root).items() if default is not None}
    parameters = {**defaults, **existing, **given.parameters}
    regions = tuple(region.strip() for region in parameters["RegionSelection"].split(","))
    request = Request(parameters.get("NetworkAccountId", ""), parameters.get("LambdaBucket", ""), regions)
    facts = read_facts(aws, request, caller, management_id, stack)
    return check(replace(facts, parameters=parameters, stack_state=_state(stack_name, status)))


def _state(stack: str, status: str) -> str:
    """Return why the stack takes no update; empty if it does, or does not exist."""
    try:
        if status:
            refuse_unless_updatable(stack, status)
    except Refused as refusal:
        return str(refusal)
    return ""


def show(checks: Sequence[Check]) -> None:
    colors = terminal.has_colors(sys.stdout)
    lines = to_lines(checks, marks())
    print("\n".join(terminal.colored(line) if colors else line for line in lines), flush=True)


def to_lines(checks: Sequence[Check], marks: Mapping[str, str]) -> list[str]:
    """Return a line for each check, and a summary."""
    width = max(len(mark) for mark in marks.values())
    lines = [f"{marks[one.result]:{width}} {one.about}: {one.text}" for one in checks]
    failed = sum(one.result == "failed" for one in checks)
    unknown = sum(one.result == "unknown" for one in checks)
    summary = f"Not ready: {failed} to fix." if failed else "Ready."
    return [*lines, "", f"{summary} {unknown} not checked." if unknown else summary]


def to_json(checks: Sequence[Check]) -> str:
    return json.dumps({"ready": is_ready(checks), "checks": [asdict(one) for one in checks]}, indent=4)


def marks() -> Mapping[str, str]:
    """Return the marks that a terminal can show in the user's locale."""
    utf_8 = locale.getencoding().lower().replace("-", "") == "utf8"
    return MARKS if utf_8 or not sys.stdout.isatty() else ASCII_MARKS


if __name__ == "__main__":
    program.run(main, only_reads=True)
