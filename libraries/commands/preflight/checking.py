"""Reads an organization, and checks it for the deployment that the arguments describe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from botocore.exceptions import BotoCoreError

from commands import arguments, terminal
from commands.arguments import ROOT, Arguments
from commands.preflight.aws_reader import AwsReader
from commands.preflight.checks import check, credentials, no_credentials, no_region, too_many_calls
from commands.preflight.facts import Check, Fact, Facts, Unknown
from commands.preflight.reading import (
    Request,
    read_account_id,
    read_facts,
    read_management_id,
    read_networking_stack,
    read_networking_status,
    read_stack,
    unread,
)
from commands.sign_in import open_session
from commands.stack_state import (
    refuse_stack_of_others,
    refuse_unless_networking_stack_updatable,
    refuse_unless_updatable,
    refuse_without_networking_stack,
)
from ctipam.errors import Refused
from ctipam.pools.preconditions import refuse_second_deployment


def read_and_check(given: Arguments, root: Path = ROOT) -> list[Check]:
    """Read the organization, and return all checks; without credentials or a Region, only that check."""
    with terminal.progress() as progress:
        progress("the organization")
        try:
            session = open_session(given.options.get("AWS", ""), root)
        except BotoCoreError as error:
            return [no_credentials(unread(error))]
        if not session.region_name:
            return [no_region()]
        account_id = read_account_id(session)
        if isinstance(account_id, Unknown):
            return [too_many_calls() if account_id.throttled else no_credentials(account_id)]
        return check_organization(AwsReader(session, account_id), given, root)


def check_organization(aws: AwsReader, given: Arguments, root: Path = ROOT) -> list[Check]:
    """Return all checks; with credentials of another account, or if AWS throttles all calls, only that check."""
    soon = aws.impatient()
    management_id = read_management_id(soon)
    if (of_caller := credentials(aws.account_id, management_id)).result == "failed":
        return [of_caller]
    stack_name = arguments.stack_name(given.options)
    stack, status = read_stack(soon, stack_name)
    if all(isinstance(first, Unknown) and first.throttled for first in (management_id, stack)):
        return [too_many_calls()]
    existing = stack if isinstance(stack, Mapping) else {}
    parameters = {**arguments.template_defaults(root), **existing, **given.parameters}
    regions = tuple(region.strip() for region in parameters["RegionSelection"].split(","))
    request = Request(parameters.get("NetworkAccountId", ""), parameters.get("LambdaBucket", ""), regions)
    facts = read_facts(aws, request, management_id, stack)
    account_id = existing.get("NetworkAccountId", "") if existing else request.network_account_id
    found = read_networking_stack(soon, stack_name, account_id) if account_id else None
    there = read_networking_status(soon, account_id, found) if existing and isinstance(found, str) and found else ""
    return check(replace(facts, parameters=parameters, stack_state=_state(stack_name, status, facts, found, there)))


def _state(
    stack: str, status: str, facts: Facts, networking_stack_id: Fact[str | None], networking_status: Fact[str]
) -> str:
    """Return why the stack takes no update, or cannot be created; empty if it does, or can.

    networking_status   of the stack that the StackSet lists in the Networking account; empty: there is none
    """
    try:
        if isinstance(facts.stack, Mapping):
            refuse_stack_of_others(stack, facts.stack)
            refuse_unless_updatable(stack, status)
            if not isinstance(networking_stack_id, Unknown):
                account_id = facts.stack["NetworkAccountId"]
                refuse_without_networking_stack(stack, facts.region, account_id, networking_stack_id)
                if networking_stack_id and networking_status and not isinstance(networking_status, Unknown):
                    refuse_unless_networking_stack_updatable(stack, networking_stack_id, networking_status)
        elif (
            facts.stack is None
            and not isinstance(facts.deployments, Unknown)
            and not isinstance(networking_stack_id, Unknown)
        ):
            refuse_second_deployment([one for one in facts.deployments if one != networking_stack_id], stack)
    except Refused as refusal:
        return str(refusal)
    return ""
