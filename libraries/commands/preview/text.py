"""The text of a preview: a line for each change, marked +, ~ or -, and a summary. Pure: nothing here calls AWS."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from commands.preview.changes import AccountDifference, Action, Change, Difference, Preview
from ctipam.phrases import numbered

MARKS: dict[Action, str] = {"add": "+", "change": "~", "remove": "-"}

MOST_ACCOUNTS = 50
"""How many accounts are listed; FORMAT=json has all."""

CORRECTS_DRIFT = "(corrects drift)"

WAY_OUT_OF_DRIFT = "The hourly watch adds and corrects; an update that changes a parameter of the pools also removes."

REPLACED = {
    "AlertEmail": "makes two new subscriptions, which AWS asks to confirm",
    "LambdaBucket": "copies the zips again",
    "PackageVersion": "replaces the copies of the zips, and checks everything again",
}
"""What CloudFormation does besides if such a parameter changes."""


def to_lines(preview: Preview) -> list[str]:
    sections = [
        ("Parameters", [_parameter(one) for one in preview.parameters]),
        ("IPAM", [_line(one) for one in preview.ipam]),
        ("Pools", [_line(one) for one in preview.pools]),
        ("Accounts", _accounts(preview.accounts)),
        ("Drift, which this update leaves as it is", _drift(preview.drift)),
        ("Notes", [f"! {note}" for note in preview.notes]),
        ("This update leaves the pools alone; one that changes them would be refused", _crosses(preview.hindered)),
        ("Refused, so nothing would change", _crosses(preview.refused)),
    ]
    lines = [f"{'First deployment' if preview.new else 'Update'} of {preview.stack}", ""]
    for title, found in sections:
        if found:
            lines += [title, *(f"  {line}" for line in found), ""]
    return [*lines, summary(preview)]


def _crosses(sentences: Iterable[str]) -> list[str]:
    return [f"✗ {sentence}" for sentence in sentences]


def _parameter(one: Difference) -> str:
    (change,) = one.changes
    besides = f"  ({REPLACED[one.name]})" if one.name in REPLACED and change.after else ""
    return f"~ {one.name}  {_from_to(change)}{besides}"


def _line(one: Difference) -> str:
    named = f"{one.name} ({one.resource_id})" if one.resource_id else one.name
    parts = [f"{MARKS[one.action]} {named}", ", ".join(one.cidrs), "; ".join(map(_change, one.changes))]
    return "  ".join(filter(None, [*parts, CORRECTS_DRIFT if one.drift else ""]))


def _change(change: Change) -> str:
    """Return a line. Whatever a pool can have several of, for example a CIDR, is added or removed."""
    drift = f" {CORRECTS_DRIFT}" if change.drift else ""
    if not change.before:
        return f"+ {change.what} {change.after}{drift}"
    if not change.after:
        return f"- {change.what} {change.before}{drift}"
    return f"{change.what}: {_from_to(change)}{drift}"


def _from_to(change: Change) -> str:
    return f"{change.before or 'none'} -> {change.after or 'none'}"


def _accounts(accounts: Sequence[AccountDifference]) -> list[str]:
    more = len(accounts) - MOST_ACCOUNTS
    others = [f"... and {numbered(more, 'more account')}"] if more > 0 else []
    return [_account(one) for one in accounts[:MOST_ACCOUNTS]] + others


def _account(one: AccountDifference) -> str:
    changes = [*(f"+ {name}" for name in one.gains), *(f"- {name}" for name in one.loses)]
    why = one.environment or one.reason
    return f"{MARKS[one.action]} {one.account_id} ({why})  {'; '.join(changes)}"


def _drift(found: Iterable[Difference | AccountDifference]) -> list[str]:
    pools = [_line(one) for one in found if isinstance(one, Difference)]
    accounts = _accounts([one for one in found if isinstance(one, AccountDifference)])
    ways_out = [WAY_OUT_OF_DRIFT] if pools else []
    return [*pools, *accounts, *ways_out, *(["The next scheduled run corrects the shares."] if accounts else [])]


def summary(preview: Preview) -> str:
    if preview.refused:
        return "The update would be refused."
    if preview.exit_code == 0:
        is_well = not (preview.drift or preview.notes or preview.hindered)
        return "Nothing to do: everything is as it should be." if is_well else "This update has nothing to do."
    actions = [one.action for one in (*preview.ipam, *preview.pools)]
    pools = f"Pools and IPAM: {_count(actions, 'add')}, {_count(actions, 'change')}, {_count(actions, 'remove')}."
    gain = sum(bool(one.gains) for one in preview.accounts)
    lose = sum(bool(one.loses) for one in preview.accounts)
    return f"{pools} Accounts: {gain:,} to gain pools, {lose:,} to lose pools."


def _count(actions: Sequence[Action], action: Action) -> str:
    return f"{actions.count(action)} to {action}"
