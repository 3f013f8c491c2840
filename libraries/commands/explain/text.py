"""The answers of `make explain`, each on one screen. Pure: nothing here calls AWS."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from shlex import quote
from textwrap import wrap

from commands.arguments import STACK, item_of_environments
from commands.explain.facts import AccountFacts, Decision, Log, PoolFacts, VpcFacts
from ctipam.environment_names import split_environment
from ctipam.ipam.discovered import DiscoveredCidr
from ctipam.names import ENVIRONMENT_TAG, OU_TAG
from ctipam.organization.tree import OrganizationalUnit
from ctipam.phrases import numbered
from ctipam.pools import record
from ctipam.pools.existing import Allocation, ExistingPool
from ctipam.pools.overlaps import find_overlaps
from ctipam.pools.parameters import environments, joined, pool_sizes
from ctipam.pools.recognition import has_lost_stack_tag
from ctipam.pools.spec import TOP_LEVEL
from ctipam.sharing.existing import ADDED, Share
from ctipam.sharing.spec import EXISTING, NEVER
from ctipam.upkeep.utilization import addresses_used, percent

WIDTH = 115
"""Characters per line, on a terminal that has as many."""

NARROWEST = 40
"""Characters beside the label. Then a terminal wraps."""

LABEL = 10
"""Characters of what stands before the lines of a section."""

Section = tuple[str, Iterable[str]]
"""A label and its lines."""

NO_BREAK = "\0"
"""Stands for a space within a command while a line is wrapped."""

MOST = 10
"""How many allocations or accounts are listed; the others are counted."""


def of_account(facts: AccountFacts, width: int = WIDTH) -> list[str]:
    sections: list[Section] = [
        ("Account", [_account_name(facts)]),
        ("Where", _where(facts)),
        ("Matched", _matched(facts)),
        ("Pools", _pools(facts)),
        ("Lost tag", facts.lost),
        ("Held back", facts.held),
        ("Share", [line for share in facts.shares for line in _share(share)] or ["none"]),
        ("By hand", _by_hand(facts)),
        ("Next run", _next_run(facts)),
        ("Log", _log(facts.log, {arn: str(pool.key) for arn, pool in facts.pools.items()})),
        ("To change", _ways(facts)),
    ]
    return _wrapped(sections, width)


def _wrapped(sections: Iterable[Section], width: int) -> list[str]:
    """Return the lines of all sections, each behind its label, which stands once."""
    found, room = [], max(width - LABEL, NARROWEST)
    for label, lines in sections:
        before = f"{label:{LABEL}}"
        for line in lines:
            for text in wrap(_unbroken(line), room, break_long_words=False, break_on_hyphens=False) or [""]:
                found.append(f"{before}{text.replace(NO_BREAK, ' ')}")
                before = " " * LABEL
    return found


def _unbroken(line: str) -> str:
    """Return a line in which no command, which stands in backticks, can be wrapped: it could not be copied then."""
    return re.sub("`[^`]*`", lambda command: command[0].replace(" ", NO_BREAK), line)


def _account_name(facts: AccountFacts) -> str:
    name = facts.location.name if facts.location else ""
    return f"{facts.account_id} ({name})" if name else facts.account_id


def _named(ou: OrganizationalUnit) -> str:
    return f"{ou.name or 'an OU that is gone'} ({ou.ou_id})"


def _where(facts: AccountFacts) -> Iterator[str]:
    location = facts.location
    if location is None:
        yield "not in the organization"
        return
    if location.state == "ACTIVE":  # of others, which get no pools, the OU is not read
        yield " / ".join(["Root", *(_named(ou) for ou in reversed(location.ou_path))])
    joined_on = f", joined {location.joined:%Y-%m-%d}" if location.joined else ""
    yield f"{location.state}{joined_on}"


def _matched(facts: AccountFacts) -> Iterator[str]:
    spec = facts.result.spec
    if not spec.environment:
        yield f"no environment: {spec.reason}"
    else:
        path = facts.location.ou_path if facts.location else ()
        decided = {one.environment: one.ou.ou_id for one in facts.decided if one.ou}
        ou_id = facts.ou_ids.get(spec.environment) or decided.get(spec.environment, "")
        how = f"its pools carry that id in the tag {OU_TAG}"
        if not facts.ou_ids.get(spec.environment):
            how = "found by its name, and not yet written to its pools"
        ou = next((ou for ou in path if ou.ou_id == ou_id), None)
        place = "the account's own OU" if ou and ou == path[0] else "the nearest parent OU that is an environment"
        yield f"environment {spec.environment!r} is {_named(ou) if ou else ou_id}, {place}; {how}"
    yield from (one.sentence for one in facts.decided if one.problem)


def _pools(facts: AccountFacts) -> list[str]:
    """Return a line for each pool that the account has or is to have."""
    result, statuses = facts.result, _statuses(facts.shares)
    wanted = {pool.arn for pool in result.spec.pools}
    present = set[str]().union(*(share.present for share in facts.shares))
    lines = []
    for arn in sorted(wanted | statuses.keys(), key=lambda arn: _pool_name(facts.pools, arn)):
        status = statuses.get(arn, "")
        state = "shared" if status in ADDED else status.lower() or "not shared"
        pool = facts.pools.get(arn)
        if pool is None:
            state += ", and not a pool of this deployment any more"
        if pool and has_lost_stack_tag(pool):
            state += ", and kept, though it has lost its tag"
        elif arn in result.removed:
            state += ", and the next run takes it away"
        elif pool and arn not in wanted and arn in present:
            state += ", and kept although it is not of this environment"
        cidrs = ", ".join(str(block.cidr) for block in pool.held) if pool else ""
        lines.append(f"{_pool_name(facts.pools, arn)}  {cidrs}  {arn.rpartition('/')[2]}  {state}")
    return lines or ["none"]


def _statuses(shares: Iterable[Share]) -> dict[str, str]:
    """Return the best status of each pool in the shares that have it, by ARN. Nobody can use a pool of a share that
    does not have the account."""
    found: dict[str, str] = {}
    for share in shares:
        of_account = share.principals.get(share.account_id, "not in it")
        for arn, status in share.pools.items():
            if found.get(arn) not in ADDED:
                only_pool = status in ADDED and of_account not in ADDED
                found[arn] = f"in the share, but the account is {of_account}" if only_pool else status
    return found


def _pool_name(pools: Mapping[str, ExistingPool], arn: str) -> str:
    return str(pools[arn].key) if arn in pools else arn.rpartition("/")[2]


def _share(share: Share) -> Iterator[str]:
    status = share.principals.get(share.account_id, "not in the share")
    others = sorted(one for one, status in share.principals.items() if status in ADDED and one != share.account_id)
    strangers = f"; also shared with {', '.join(others)}, which the next run removes" if others else ""
    yield f"{share.name}, created {share.created:%Y-%m-%d %H:%M}, account {status.lower()}{strangers}"
    if not share.settled:
        yield "its name, tag or external access was changed, or it is an earlier version's; the next run repairs that"
    yield share.arn
    yield from (f"{entity} failed: {share.messages[entity]}" for entity in _failed(share))


def _by_hand(facts: AccountFacts) -> Iterator[str]:
    for share in facts.joined:
        usable = [_pool_name(facts.pools, arn) for arn, status in share.pools.items() if status in ADDED]
        if usable:
            how = f"by the share of account {share.account_id}, to which somebody has added it"
            yield f"can use {', '.join(sorted(usable))} {how}; the next run removes it there"


def _failed(share: Share) -> list[str]:
    both = {**share.pools, **share.principals}
    return [entity for entity, status in both.items() if status == "FAILED" and share.messages.get(entity)]


def _next_run(facts: AccountFacts) -> Iterator[str]:
    result = facts.result
    names = {arn: _pool_name(facts.pools, arn) for arn in result.added | result.removed}
    changes = [f"+ {names[arn]}" for arn in sorted(result.added)] + [
        f"- {names[arn]}" for arn in sorted(result.removed)
    ]
    if changes:
        yield "; ".join(changes)
    else:
        yield "repairs the share" if result.changed else "changes nothing"
    if result.removed:
        yield "unless more accounts than UnshareLimit lose pools: it takes none away then, see `make reconcile dry=yes`"


def _ways(facts: AccountFacts) -> Iterator[str]:
    """Yield what would give the account other pools."""
    spec, account_id = facts.result.spec, facts.account_id
    now = f"make reconcile account={account_id}"
    if spec.reason == NEVER:
        yield "nothing gives this account pools; VPCs belong in another account"
        return
    if spec.reason == EXISTING:
        yield f"`{now}` shares with it; ShareWithExistingAccounts=true shares with all such accounts"
        return
    if facts.result.changed:
        yield f"`{now}` does now what the next run would do"
    if facts.location is None or facts.location.state != "ACTIVE" or not facts.location.ou_path:
        yield "an active account in an OU of an environment gets pools"
        return
    others = sorted(facts.ou_ids.keys() - {spec.environment})
    known = ", ".join(f"{name} ({facts.ou_ids[name] or 'not found yet'})" for name in others)
    yield f"moving it below the OU of another environment: {known or 'there is none'}"
    if spec.environment:
        yield f"removing environment {spec.environment!r} from ENVS, or changing REGIONS"
    elif facts.exact:
        yield "OuMatch=nearest, which lets parent OUs count"
    own = facts.location.ou_path[0]
    if item := _item_of_list(own, facts):
        yield f"an environment for its own OU, {own.name!r}. To see what that would change:"
        yield _preview("ENVS", f"{facts.listed},{item}", facts.stack)
    else:
        yield "`make preview` shows what other parameters would change"


def _item_of_list(ou: OrganizationalUnit, facts: AccountFacts) -> str:
    """Return how AccEnvName would name an OU; empty if the OU cannot become an environment, for example because it was
    renamed and is one."""
    if ou.ou_id in facts.ou_ids.values() or ou.name.strip() in environments(facts.listed):
        return ""
    return item_of_environments(ou.name, ou.ou_id)


def _preview(word: str, value: str, stack: str) -> str:
    """Return the command that shows what another value of a parameter would change, as a line that is not wrapped."""
    named = "" if stack == STACK else f" stack={stack}"
    return f"make preview {word}={quote(value)}{named}".replace(" ", NO_BREAK)


def of_pool(facts: PoolFacts, width: int = WIDTH) -> list[str]:
    pool = facts.pool
    sections: list[Section] = [
        ("Pool", [f"{pool.key} ({pool.pool_id}), {pool.state}", *([pool.message] if pool.message else [])]),
        ("For", _purpose(pool)),
        ("Lost tag", facts.lost),
        ("CIDRs", _cidrs(pool)),
        ("In use", _in_use(facts)),
        ("Accounts", _accounts(facts) if pool.environment else ["only environment pools are shared"]),
        ("Log", _log(facts.log, facts.names)),
        ("To change", _ways_of_pool(facts)),
    ]
    return _wrapped(sections, width)


def _purpose(pool: ExistingPool) -> Iterator[str]:
    if pool.key is None or not pool.key.region:
        yield "the Regions' pools, which get their CIDRs from it"
    elif not pool.key.environment:
        yield f"the environments in {pool.key.region}, whose pools get their CIDRs from it"
    else:
        ou_id = pool.tags.get(OU_TAG, "not found yet")
        yield f"VPCs in {pool.key.region} of the accounts below the OU of {pool.key.environment!r} ({ou_id})"
        required = ", ".join(f"{key}={value}" for key, value in pool.allocation_tags.items()) or "no tag"
        sizes = pool.vpc_sizes
        limits = f", /{sizes.minimum} to /{sizes.maximum}, /{sizes.default} by default" if sizes else ""
        yield f"a VPC must carry {required}{limits}"
        if pool.allocation_tags.get(ENVIRONMENT_TAG) != pool.key.environment:
            yield f"somebody has changed that rule: it should be {ENVIRONMENT_TAG}={pool.key.environment}"


def _cidrs(pool: ExistingPool) -> list[str]:
    recorded = record.read(pool.tags)
    return [
        f"{block.cidr}  {block.state}  {'declared' if recorded.has(block.cidr) else 'given by hand, or by growth'}"
        for block in pool.held
    ] or ["none"]


def _in_use(facts: PoolFacts) -> list[str]:
    if facts.allocated is None:
        return ["unknown: its allocations cannot be read in its Region"]
    total = sum(block.cidr.num_addresses for block in facts.pool.held)
    used = addresses_used(facts.allocated)
    share = f"{percent(used, total):g} %, " if total else ""
    rows = sorted(facts.allocated, key=lambda one: one.cidr)
    named = [_allocation(one, facts.names) for one in rows[:MOST]]
    return [f"{share}{numbered(len(rows), 'allocation')}", *named, *_more(len(rows))]


def _allocation(one: Allocation, names: Mapping[str, str]) -> str:
    if one.is_reservation:
        return f"reserved  {one.cidr}, by ReservedCidrs"
    return f"{names.get(one.resource_id, one.resource_type)}  {one}"


def _more(number: int) -> list[str]:
    return [f"and {number - MOST:,} more"] if number > MOST else []


def _accounts(facts: PoolFacts) -> list[str]:
    pending = [f"soon also {', '.join(facts.pending[:MOST])}"] if facts.pending else []
    shown = ", ".join(facts.accounts[:MOST]) or "none"
    lines = [f"{len(facts.accounts):,}: {shown}", *_more(len(facts.accounts)), *pending]
    if facts.strangers:
        named = ", ".join(facts.strangers[:MOST])
        lines.append(f"by hand also {named}: added to the share of another account; the next run removes it there")
        lines += _more(len(facts.strangers))
    return lines


def _ways_of_pool(facts: PoolFacts) -> Iterator[str]:
    pool = facts.pool
    lengths = [block.cidr.prefixlen for block in pool.held]
    if pool.key is None or not pool.key.region:
        yield "another CIDR in TopLevelPoolCidr (CIDR) makes it larger"
    elif lengths:
        yield "another block in PoolSizes (POOL_SIZES). To see which it would get:"
        given, name_of_pool = pool_sizes(facts.sizes), str(pool.key)
        sizes = {name: one for name, one in given.items() if split_environment(name)[0] != name_of_pool}
        sizes[name_of_pool] = (*lengths, lengths[-1])
        yield _preview("POOL_SIZES", ",".join(f"{name}={joined(one)}" for name, one in sizes.items()), facts.stack)
    if pool.environment:
        yield "PoolGrowth=on lets it grow by itself"
    with_what = "its Region or environment" if pool.key and pool.key.region else "the stack"
    yield f"it is removed with {with_what}, if nothing is allocated from it"


def of_vpc(facts: VpcFacts, width: int = WIDTH) -> list[str]:
    lines = _wrapped([("VPC", [facts.vpc_id]), ("Addresses", _origin(facts))], width)
    if facts.account is None:
        return lines
    return [*lines, "", *of_account(facts.account, width)]


def _origin(facts: VpcFacts) -> Iterator[str]:
    for pool, one in facts.found:
        yield f"{one.cidr} from {pool.key} ({pool.pool_id}), for account {one.owner}"
    if facts.found and facts.account:
        has = {arn.rpartition("/")[2] for arn in _statuses(facts.account.shares)}
        if any(pool.pool_id not in has for pool, _ in facts.found):
            yield "the account no longer has that pool, for example because it was moved; the VPC keeps its addresses"
    allocated = {one.cidr for _, one in facts.found}
    for row in facts.discovered:
        if row.cidr not in allocated:
            origin = "another pool" if row.allocated else "no pool"
            yield f"{row.cidr} from {origin} ({row.region}, account {row.account_id}){_in_pools_space(row, facts)}"
    if not facts.found and not facts.discovered:
        yield "unknown: no pool has given it addresses, and IPAM has not discovered it, which takes up to an hour"
    elif facts.found:
        yield "the pool gets them back about 30 minutes after the VPC is deleted"


def _in_pools_space(row: DiscoveredCidr, facts: VpcFacts) -> str:
    """Return, for the end of a line, whether the pools can give these addresses to another VPC; nothing if they lie
    outside the pools' address space, or a pool has allocated them."""
    if row.allocated or not any(row.cidr.overlaps(block) for block in facts.space):
        return ""
    exposed = find_overlaps([replace(row, ignored=False)], {TOP_LEVEL: facts.space}, facts.reserved, facts.reserved, ())
    if not exposed:
        return ", reserved by ReservedCidrs: no pool gives them to another VPC"
    if row.ignored:
        return ", which IPAM is to ignore: a pool may give them to another VPC"
    return ", not reserved: a pool may give them to another VPC; `make deploy RESERVE=ipam` reserves them"


def _log(log: Log, names: Mapping[str, str]) -> Sequence[str]:
    if log.unread:
        return [f"could not be read ({log.unread})"]
    if not log.decisions:
        return [f"nothing in {log.group}"]
    return [_decision(one, names) for one in log.decisions]


def _decision(decision: Decision, names: Mapping[str, str]) -> str:
    fields = [f"{key}={_value(value, names)}" for key, value in decision.fields.items() if key != "pools"]
    return "  ".join([decision.at, decision.what, *fields])


def _value(value: object, names: Mapping[str, str]) -> str:
    """Return a value with pools by their names, shortened."""
    items = value if isinstance(value, list) else [value]
    text = ",".join(names.get(str(item), str(item)) for item in items)
    return text if len(text) <= 200 else text[:197] + "..."
