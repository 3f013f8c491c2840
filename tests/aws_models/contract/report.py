"""What `make contract` prints: the statements, what it is about to do, how it went."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from aws_models.contract.elsewhere import QUESTIONS
from aws_models.contract.ground import Ground
from aws_models.contract.guard import TAG
from aws_models.contract.statement import Group, Outcome, Statement
from aws_models.contract.statements import GROUPS

CLEANING_S = 600
RELEASE_S = 1800  # of a deleted VPC's block, which "last" waits for in any case


def listed(statements: Sequence[Statement]) -> list[str]:
    """Return the statements with their sources, group by group."""
    lines = []
    for group in _groups(statements):
        own = [statement for statement in statements if statement.group == group.name]
        minutes = sum(statement.seconds for statement in own) // 60 + 1
        lines += ["", f"{group.name}: about {minutes} min; creates {group.makes or 'nothing'}"]
        for statement in own:
            needs = f" (needs: {', '.join(statement.needs)})" if statement.needs else ""
            lines += [f"  {statement.says}{needs}", f"      {statement.source}"]
    return [*lines, "", "A group that runs alone also creates the pools that it needs of the groups before it."]


def _groups(statements: Sequence[Statement]) -> list[Group]:
    used = {statement.group for statement in statements}
    return [group for group in GROUPS if group.name in used]


def creates(statements: Sequence[Statement]) -> bool:
    return any(group.makes for group in _groups(statements))


def plan(aws: Ground, statements: Sequence[Statement], left: Sequence[str]) -> list[str]:
    """Return what the person is asked to agree to.

    left   ids of what an earlier run left
    """
    lines = [
        f"Accounts  {', '.join(account.id for account in aws.accounts)}",
        f"Regions   {', '.join(dict.fromkeys((aws.home, aws.elsewhere)))}",
    ]
    if left:
        lines += [
            f"Deletes   what an earlier run left, all with the tag {TAG}:",
            *(f"            {one}" for one in left),
        ]
    if statements:
        lines += [f"Tries     {len(statements)} statements"]
    if creates(statements):
        lines += [f"Creates   {group.name}: {group.makes}" for group in _groups(statements) if group.makes]
        lines += [
            f"          all with the tag {TAG}; it is deleted at the end",
            "Costs     While an IPAM of the advanced tier exists, AWS bills about US$0.00027 an hour for each active",
            "          IP address that it monitors: those of this account, or of the whole organization if this is its",
            "          IPAM administrator. An IPAM is created only if the Region has none. The rest costs nothing.",
        ]
    return [*lines, f"Takes     about {_minutes(statements)} minutes. Do not run two at a time in an account."]


def _minutes(statements: Sequence[Statement]) -> int:
    seconds = sum(statement.seconds for statement in statements)
    used = {group.name for group in _groups(statements)}
    if creates(statements):
        seconds += CLEANING_S
    if used & {"vpcs", "sharing"} and "last" not in used:
        seconds += RELEASE_S
    return seconds // 60 + 1


def described(outcome: Outcome) -> list[str]:
    statement = outcome.statement
    lines = [f"{outcome.verdict:<10}{statement.group}: {statement.says}"]
    lines += [f"          {outcome.reason}"] if outcome.reason else []
    lines += [f"          source: {statement.source}"] if outcome.verdict == "differs" else []
    lines += [f"          {request}" for request in outcome.requests]
    return lines + [f"          {note}" for note in outcome.notes]


def summary(outcomes: Sequence[Outcome]) -> list[str]:
    if not outcomes:
        return []
    counted = Counter(outcome.verdict for outcome in outcomes)
    lines = ["", "What only a landing zone or more time can settle, and how to look:"]
    lines += [line for question in QUESTIONS for line in (f"  {question.asks}", f"      {question.look}")]
    lines += ["", ", ".join(f"{counted[verdict]} {verdict}" for verdict in ("agrees", "differs", "unsettled"))]
    differing = [outcome for outcome in outcomes if outcome.verdict == "differs"]
    return lines + [line for outcome in differing for line in described(outcome)]
