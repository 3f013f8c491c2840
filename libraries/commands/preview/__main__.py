"""`make preview`: what an update with these parameters would do to the pools and shares that exist. Changes nothing.

    make preview REGIONS=us-west-2,us-east-1,eu-west-1
    make preview NETWORK_ACCOUNT_ID=111122223333              before the first deployment

    stack=ipam-controltower     the name of the stack
    RESERVE=organization|ipam   as with `make deploy`, see commands.existing_vpcs.reserve
    FORMAT=json                 for programs: {"stack", "new", "parameters", "ipam", "pools", "accounts", "drift",
                                "notes", "refused", "hindered", "exitCode"}

Takes the arguments of `make deploy`. A parameter that is not given keeps the value of the stack, or has the default.
The functions' own code decides, on what exists now, with credentials of the management account. The permissions that it
needs are in ../read-only-policy.json. Service control policies are `make preflight`'s to check.

make preview fails only if the update would be refused, or if the preview itself fails. A pipeline that has to know more
runs it without make, with the same words:

    PYTHONPATH=libraries .venv/tools/bin/python -m commands.preview REGIONS=us-west-2,us-east-1

This exits with 0 if there is nothing to do, 2 if something would change, and 1 if the update would be refused or the
preview fails. The exitCode in the JSON is the same.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from uuid import UUID

from commands import arguments, make_words, program, reading, terminal
from commands.arguments import ROOT
from commands.deploy import refuse_derived
from commands.existing_vpcs import reserve
from commands.preview.changes import Preview
from commands.preview.reading import Update, preview
from commands.preview.text import to_lines
from commands.stack_state import (
    refuse_stack_of_others,
    refuse_unless_networking_stack_updatable,
    refuse_unless_updatable,
    refuse_without_networking_stack,
)
from ctipam.errors import Refused
from ctipam.sessions import Account


def main(root: Path = ROOT) -> int:
    words = make_words.given("preview", arguments.known_names())
    known = arguments.template_parameters(root)
    given = arguments.read(words, known)
    output = arguments.output_format(given.options, "json")
    if output == "json":
        make_words.refuse_lines_of_make()
    stack = arguments.stack_name(given.options)
    refuse_derived(given.parameters)
    reserve.refuse_unsupported(given.options)
    arguments.refuse_impossible(given.parameters, root)
    with terminal.progress() as progress, reading.errors_in_words(), arguments.short_names():
        progress("the stack")
        management = reading.management_account(given.options.get("AWS", ""))
        update = find_update(management, stack, arguments.template_defaults(root), given.parameters)
        networking = reading.networking_account(management, update.network_account_id)
        if update.old is not None:
            status = reading.status_of(networking, update.networking_stack_id)
            refuse_unless_networking_stack_updatable(stack, update.networking_stack_id, status)
        if (reserved := reserve.reserved_cidrs(given.options, update.new)) is not None:  # last: it may take minutes
            update = replace(update, new={**update.new, reserve.PARAMETER: reserved})
        found = with_reserved(preview(management, networking, update, progress), reserved)
        found = with_forgotten(found, arguments.forgotten(update.old or {}, known))
    colors = terminal.has_colors(sys.stdout)
    with program.reader_may_stop():
        if output == "json":
            terminal.show(to_json(found).split("\n"))
        else:
            terminal.show(to_lines(found), colors=colors)
    return exit_code(found, by_make=make_words.by_make())


def with_reserved(found: Preview, reserved: str | None) -> Preview:
    """Return the preview with the ReservedCidrs that RESERVE gives. An update shows them among its parameters."""
    if not (reserved and found.new):
        return found
    return replace(found, notes=(f"{reserve.PARAMETER} would be {reserved}.", *found.notes))


def with_forgotten(found: Preview, forgotten: str) -> Preview:
    """Return the preview with what `arguments.forgotten` returns."""
    return replace(found, notes=(forgotten, *found.notes)) if forgotten else found


def exit_code(found: Preview, *, by_make: bool) -> int:
    """Return the exit code: for make, only refusals fail, because make reports every code but 0 as an error."""
    return 0 if by_make and not found.refused else found.exit_code


def find_update(management: Account, stack: str, defaults: Mapping[str, str], given: Mapping[str, str]) -> Update:
    """Return what is to be previewed. Raises Refused if the stack cannot be updated."""
    found = reading.find_stack(management, stack)
    if found:
        refuse_stack_of_others(stack, found.parameters)
        refuse_unless_updatable(stack, found.status)
    old = {**defaults, **found.parameters} if found else None
    new = {**(old or defaults), "PackageVersion": defaults["PackageVersion"], **given}  # as make deploy gives it
    if not new.get("NetworkAccountId"):
        raise Refused(
            f"There is no stack {stack} yet, so NETWORK_ACCOUNT_ID is required: make preview "
            "NETWORK_ACCOUNT_ID=111122223333. Name an existing stack with stack=."
        )
    account_id = (old or new)["NetworkAccountId"]
    networking_stack_id = reading.networking_stack_id(management, stack, account_id)
    if found:
        refuse_without_networking_stack(stack, management.region, account_id, networking_stack_id)
    place = f"arn:{management.partition}:cloudformation:{management.region}"
    return Update(
        stack,
        found.stack_id if found else f"{place}:{management.account_id}:stack/{stack}/new",
        networking_stack_id or f"{place}:{account_id}:stack/StackSet-{stack}-networking-{UUID(int=0)}/new",
        old,
        new,
        networking_exists=bool(networking_stack_id),
        added=frozenset(new).difference(found.parameters) if found else frozenset(),
    )


def to_json(found: Preview) -> str:
    return json.dumps(asdict(found) | {"exitCode": found.exit_code}, indent=4, ensure_ascii=False)


if __name__ == "__main__":
    program.run(main, only_reads=True)
