"""The text of `make report`: the pools, their accounts, what is in use, and what an operator should look at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from ipaddress import IPv4Network
from typing import Any

from commands.leftovers import Allocation, describe_user, release_lines
from commands.report.pool_tree import DrawnPool, draw
from ctipam.phrases import numbered
from ctipam.pools.existing import Allocation as PoolAllocation
from ctipam.pools.recognition import lost_stack_tag
from ctipam.sharing.spec import NO_MEMBER
from ctipam.upkeep.utilization import addresses_by_account

LARGEST = 5
"""How many accounts are named as those that fill a pool."""

Answer = Mapping[str, Any]
"""The answer of the lifecycle function, see ctipam.sharing.report."""

SHARE_STATES = {"pending": "pending (AWS has not finished)", "outdated": "outdated (the next run changes it)"}
"""How the states of a share are explained. The others speak for themselves."""


def to_lines(answer: Answer) -> list[str]:
    """Return the lines of a report."""
    sections = [
        _pools(answer["tree"]),
        _accounts(answer),
        _in_use(answer),
        _attention(answer),
        _watch(answer["watch"]),
    ]
    first, *others = (section for section in sections if section)
    return [*first, *(line for section in others for line in ("", *section))]


def _pools(tree: Sequence[Answer]) -> list[str]:
    if not tree:
        return ["The Networking account has no pools of this solution."]
    return draw(
        [
            DrawnPool(
                row["poolId"],
                row["sourcePoolId"],
                row["name"] + _state(row),
                row["cidrs"],
                row["percentUsed"],
                row["requiredTags"],
            )
            for row in tree
        ]
    )


def _state(row: Answer) -> str:
    """Return what is unusual about a pool, in parentheses."""
    state = "" if row["state"].endswith("-complete") else f" ({row['state']})"
    return state + (" (lost its tag)" if row.get("lostTag") else "")


def _accounts(answer: Answer) -> list[str]:
    """Return the accounts below their environments, and those without pools."""
    rows = sorted(answer["accountDetails"], key=lambda row: (_ou(row), row["name"], row["accountId"]))
    number = answer["accountsWithPools"]
    have = "has" if number == 1 else "have"
    lines = [f"Accounts: {number:,} of {answer['accounts']:,} {have} pools"]
    for environment in answer["environments"]:
        name = environment["environment"]
        lines.append(f"  {name}{_which_ou(environment)}")
        lines += _account_lines([row for row in rows if row["environment"] == name])
    others = [row for row in rows if row["environment"] is None]
    if others:
        lines += ["  No environment", *_account_lines(others)]
    if answer["leftOut"]:
        lines.append(f"  and {answer['leftOut']:,} more, for which the answer has no room")
    return lines


def _which_ou(environment: Answer) -> str:
    ou_id, name = environment["organizationalUnitId"], environment["organizationalUnit"]
    if ou_id is None:
        return ", which has no OU"
    return f" ({ou_id}{f', now named {name}' if name != environment['environment'] else ''})"


def _ou(row: Answer) -> str:
    if row.get("reason") == NO_MEMBER:
        return "(none)"
    return " / ".join(row["organizationalUnits"]) or "(root)"


def _account_lines(rows: Sequence[Answer]) -> list[str]:
    if not rows:
        return ["    no account"]
    names, ous = max(len(row["name"]) for row in rows), max(len(_ou(row)) for row in rows)
    return [f"    {row['accountId']}  {row['name']:{names}}  {_ou(row):{ous}}  {_share(row)}".rstrip() for row in rows]


def _share(row: Answer) -> str:
    state = SHARE_STATES.get(row["share"], str(row["share"]))
    return f"{state}: {row['reason']}" if "reason" in row else state


def _in_use(answer: Answer) -> list[str]:
    """Return what holds a part of each pool, with what a release needs."""
    names = {row["accountId"]: row["name"] for row in answer["accountDetails"]}
    users: dict[str, list[Allocation]] = {}
    for row in answer["allocations"]:
        if not row["reserved"]:
            resource_id = row["resourceId"] or row["allocationId"]
            user = Allocation(
                row["poolId"], row["cidr"], row["resourceType"], resource_id, row["accountId"], row["region"]
            )
            users.setdefault(user.pool_id, []).append(user)
    if not users and not answer["allocationsLeftOut"]:
        return []
    lines = ["In use (a pool or Region that holds one of these is not removed)"]
    for pool in answer["tree"]:
        if pool["poolId"] in users:
            of_pool = users[pool["poolId"]]
            lines += [f"  {pool['name']} ({pool['poolId']})", f"    addresses: {_largest(of_pool, names)}"]
            lines += [f"    {describe_user(user, names)}" for user in of_pool]
    if answer["allocationsLeftOut"]:
        lines.append(f"  and {answer['allocationsLeftOut']:,} more, for which the answer has no room")
    return lines + [f"  {line}" for line in release_lines([user for of_pool in users.values() for user in of_pool])]


def _largest(users: Sequence[Allocation], names: Mapping[str, str]) -> str:
    """Return the accounts that fill a pool, those with the most addresses first."""
    addresses = addresses_by_account(
        PoolAllocation(IPv4Network(user.cidr), user.resource_type, user.resource_id, user.owner) for user in users
    )
    largest = [f"{names.get(owner) or owner} {count:,}" for owner, count in addresses.most_common(LARGEST)]
    more = len(addresses) - len(largest)
    return ", ".join(largest) + (f", and {numbered(more, 'more account')}" if more else "")


def _attention(answer: Answer) -> list[str]:
    """Return what was held back and what needs somebody to decide or repair."""
    tree = answer["tree"]
    sentences = [
        *([answer["notMonitored"]] if answer["notMonitored"] else []),
        *([answer["heldBack"]] if answer["heldBack"] else []),
        *(one["problem"] for one in answer["environments"] if "problem" in one),
        *answer["wrongRules"],
        *(
            f"{stranger} can use the pool of {row['environment']!r} in {row['region']}: somebody has added it to the "
            "share of another account. The next run removes it there."
            for row in answer["pools"]
            for stranger in row.get("strangers", ())
        ),
        *(lost_stack_tag(f"Pool {row['name']}", row["poolId"], row["stackId"]) for row in tree if row.get("lostTag")),
        *(
            f"What is allocated from {row['name']} cannot be read: its Region is denied or not enabled."
            for row in tree
            if row["cidrs"] and row["percentUsed"] is None
        ),
        *_ous_without_pools(answer["organizationalUnitsWithoutPools"]),
    ]
    return ["Needs attention", *_items(sentences)] if sentences else []


def _ous_without_pools(units: Iterable[Answer]) -> Iterator[str]:
    for unit in units:
        if unit["id"]:
            yield f"OU {unit['organizationalUnit']!r} ({unit['id']}) has no pools; accounts in it: {unit['accounts']}."


def _watch(watch: Answer) -> list[str]:
    lines = []
    if watch["problem"]:
        lines = [f"Findings of the watch: {watch['problem']}"]
    elif watch["findings"]:
        lines = [f"Findings of the watch ({watch['at']})", *_items(one["message"] for one in watch["findings"])]
    else:
        lines = [f"Findings of the watch ({watch['at']}): none"]
    if watch["dashboardUrl"]:
        lines.append(f"Dashboard, in the Networking account: {watch['dashboardUrl']}")
    return lines


def _items(sentences: Iterable[str]) -> list[str]:
    return [f"  - {sentence}" for sentence in sentences]
