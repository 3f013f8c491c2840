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
    facts = replace(read_facts(aws, request, management_id, stack), parameters=parameters)
    return check(replace(facts, stack_state=_state(soon, stack_name, status, facts)))


def _state(aws: AwsReader, stack: str, status: str, facts: Facts) -> Fact[str]:
    """Return why the stack takes no update, or cannot be created; empty if it does, or can."""
    try:
        if isinstance(facts.stack, Mapping):
            refuse_stack_of_others(stack, facts.stack)
            refuse_unless_updatable(stack, status)
            return _networking_state(aws, stack, facts.stack["NetworkAccountId"])
        if facts.stack is None and facts.deployments and not isinstance(facts.deployments, Unknown):
            own = read_networking_stack(aws, stack, facts.parameters["NetworkAccountId"])
            if isinstance(own, Unknown):
                return own
            refuse_second_deployment([one for one in facts.deployments if one != own], stack)
    except Refused as refusal:
        return str(refusal)
    return ""


def _networking_state(aws: AwsReader, stack: str, account_id: str) -> Fact[str]:
    """Return an empty text, also if nobody may enter the account. Raises Refused if the stack of the pools does not
    exist, or takes no update."""
    found = read_networking_stack(aws, stack, account_id)
    if isinstance(found, Unknown):
        return found
    refuse_without_networking_stack(stack, aws.region, account_id, found)
    status = read_networking_status(aws, account_id, found) if found else ""
    if isinstance(status, Unknown):
        return status
    if found and status:
        refuse_unless_networking_stack_updatable(stack, found, status)
    return ""
