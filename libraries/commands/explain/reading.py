"""Read what `make explain` tells: the organization, the pools, the shares and the functions' logs. Changes nothing."""

from __future__ import annotations

import json
import re
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from commands import reading
from commands.arguments import template_defaults
from commands.aws_errors import why_of
from commands.explain.facts import AccountFacts, Decision, Log, PoolFacts, VpcFacts
from commands.reading import Stack
from commands.stack_state import refuse_stack_of_others
from commands.terminal import Progress
from ctipam.errors import Refused
from ctipam.ipam.listing import list_pools, stack_of
from ctipam.ipam.reader import find_ipam, read_vpcs
from ctipam.organization import reader as organization
from ctipam.organization.tree import AccountLocation
from ctipam.pools import parameters
from ctipam.pools.existing import ExistingPool
from ctipam.pools.reader import CONCURRENT_READS, as_listed, read_blocks, read_if_allowed
from ctipam.pools.recognition import has_lost_stack_tag, lost_stack_tag, lost_stack_tags
from ctipam.sessions import Account
from ctipam.sharing import reader as sharing
from ctipam.sharing.existing import ADDED, Share
from ctipam.sharing.places import Places
from ctipam.sharing.results import SharingResult, who_can_use
from ctipam.sharing.rounds import ShareReconciliation
from ctipam.sharing.run import SharingRun, start_run
from ctipam.sharing.spec import Environments

DECISIONS = 6
"""How many of the last decisions are told."""

OF_LAMBDA = frozenset({"timestamp", "level", "message", "logger", "requestId", "tenantId"})
"""What Lambda writes beside the fields of a decision.
https://docs.aws.amazon.com/lambda/latest/dg/python-logging.html"""


@dataclass(frozen=True)
class Deployment:
    """A deployment that exists: its two accounts, read only, and its two stacks."""

    management: Account
    networking: Account
    stack: Stack
    networking_stack: Stack | None


def find_deployment(management: Account, name: str) -> Deployment:
    """Return the deployment. Raises Refused if there is none of this name."""
    stack = reading.find_stack(management, name)
    if stack is None:
        raise Refused(
            f"There is no stack {name} in {management.region}, or it has only a change set yet; deploy it, set "
            "AWS_REGION to Control Tower's home Region, or name another stack with stack=."
        )
    refuse_stack_of_others(name, stack.parameters)
    # another version may have had fewer parameters
    stack = replace(stack, parameters={**template_defaults(), **stack.parameters})
    account_id = stack.parameters["NetworkAccountId"]
    networking = reading.networking_account(management, account_id)
    networking_stack_id = reading.networking_stack_id(management, name, account_id)
    found = reading.find_stack(networking, networking_stack_id) if networking_stack_id else None
    return Deployment(management, networking, stack, found)


def read_account(deployment: Deployment, account_id: str, progress: Progress) -> AccountFacts:
    progress("the account, its pools and its shares")
    settings = reading.sharing_settings(deployment.stack.parameters, deployment.stack.stack_id)
    run = start_run(deployment.management, settings, reading.LONG, dry_run=True)
    all_shares = sharing.find_all_shares(run.networking.ram())  # whatever they are named, as the scheduled run does
    shares = all_shares.get(account_id, [])
    foreseen = foresee(run, account_id, shares)
    (result,) = foreseen.accounts
    location = _location(deployment.management, account_id)
    pools = {reading.pool_arn(deployment.networking) + pool.pool_id: pool for pool in _our_pools(deployment)}
    held = {arn for share in shares for arn in share.pools} | {pool.arn for pool in result.spec.pools}
    pools = {arn: _with_cidrs(deployment, pool) if arn in held else pool for arn, pool in pools.items()}
    progress("the log")
    log_group = deployment.stack.outputs.get("SharingLogGroupName", "")
    return AccountFacts(
        account_id,
        location,
        result,
        ou_ids=ous_of(run.environments),
        decided=foreseen.environments,
        shares=shares,
        pools=pools,
        exact=settings.exact,
        log=_log(deployment.management, log_group, account_id, names_account),
        lost=_lost(deployment, (pool for arn, pool in pools.items() if arn in held)),
        listed=deployment.stack.parameters["AccEnvName"],
        stack=deployment.stack.name,
        joined=joined_shares(account_id, location, all_shares),
        held=foreseen.not_taken,
    )


def ous_of(environments: Environments) -> dict[str, str]:
    """Return the id of the OU that the pools of each environment carry, even if not all of them do; empty if none."""
    return {environment: max(pool.ou_id for pool in pools) for environment, pools in environments.items()}


def foresee(run: SharingRun, account_id: str, shares: Sequence[Share]) -> SharingResult:
    """Return what the next scheduled run would do for an account that has these shares. run: a dry run."""
    return ShareReconciliation(run, lambda _created: {account_id: shares}, Places(run)).run([account_id])


def joined_shares(
    account_id: str, location: AccountLocation | None, shares: Mapping[str, Sequence[Share]]
) -> list[Share]:
    """Return the shares of other accounts that this one can use: somebody has added it, an OU above it, or the
    organization, which stand there as arn:aws:organizations::111122223333:ou/o-abcd/ou-ab12-34567890 and
    arn:aws:organizations::111122223333:organization/o-abcd."""
    above = {ou.ou_id for ou in location.ou_path} if location else set()

    def reaches(principal: str) -> bool:
        everybody = bool(location) and ":organization/" in principal
        return everybody or principal.rpartition("/")[2] in {account_id, *above}

    return [
        share
        for owner, of_owner in shares.items()
        for share in of_owner
        if owner != account_id
        and any(status in ADDED and reaches(principal) for principal, status in share.principals.items())
    ]


def _our_pools(deployment: Deployment) -> list[ExistingPool]:
    """Return this solution's pools without their CIDRs, parents first."""
    listed = list_pools(deployment.networking)
    lost = lost_stack_tags(listed)
    pools = [as_listed(pool, ours=True) for pool in listed if stack_of(pool) or pool["IpamPoolId"] in lost]
    return sorted(pools, key=lambda pool: (bool(pool.source_pool_id), str(pool.key)))


def _lost(deployment: Deployment, pools: Iterable[ExistingPool]) -> list[str]:
    """Return which of these pools have lost the tag that marks them as ours, a sentence each."""
    stack_id = deployment.networking_stack.stack_id if deployment.networking_stack else "..."
    return [lost_stack_tag(str(pool.key), pool.pool_id, stack_id) for pool in pools if has_lost_stack_tag(pool)]


def _with_cidrs(deployment: Deployment, pool: ExistingPool) -> ExistingPool:
    return pool.with_blocks(read_blocks(deployment.networking, pool.pool_id))


def _location(management: Account, account_id: str) -> AccountLocation | None:
    organizations = management.organizations()
    location = organization.locate(organizations, account_id)
    if location is None:
        return None
    return replace(location, ou_path=organization.name_ous(organizations, location.ou_path, {}))


def read_pool(deployment: Deployment, name: str, progress: Progress) -> PoolFacts:
    """name: its id, or us-west-2/Prod OU. Raises Refused if there is no such pool."""
    progress("the pool")
    pools = _our_pools(deployment)
    found = next((pool for pool in pools if name in (pool.pool_id, str(pool.key))), None)
    if found is None or found.key is None:
        known = ", ".join(str(pool.key) for pool in pools[:20]) or "none"
        raise Refused(f"pool={name} is no pool of this deployment. Its pools are {known}.")
    pool = _with_cidrs(deployment, found)
    networking = deployment.networking
    users = who_can_use(sharing.find_pools(networking).environments, sharing.find_all_shares(networking.ram()))
    nobody: dict[str, Any] = {"accounts": [], "pending": [], "strangers": []}
    row = next((one for one in users if one["pool"] == reading.pool_arn(networking) + pool.pool_id), nobody)
    progress("the log")
    outputs = deployment.networking_stack.outputs if deployment.networking_stack else {}
    return PoolFacts(
        pool,
        read_if_allowed(networking, pool.pool_id, pool.region),
        accounts=row["accounts"],
        pending=row["pending"],
        names={one.pool_id: str(one.key) for one in pools},
        log=_log(networking, outputs.get("IpamFunctionLogGroupName", ""), pool.pool_id),
        lost=_lost(deployment, [pool]),
        sizes=deployment.stack.parameters["PoolSizes"],
        stack=deployment.stack.name,
        strangers=row["strangers"],
    )


def read_vpc(deployment: Deployment, vpc_id: str, progress: Progress) -> VpcFacts:
    progress("the allocations of all pools")
    pools = [pool for pool in _our_pools(deployment) if pool.environment]
    with ThreadPoolExecutor(CONCURRENT_READS) as executor:
        read = partial(read_if_allowed, deployment.networking)
        allocated = [*executor.map(lambda pool: read(pool.pool_id, pool.region), pools)]
    found = [
        (pool, one)
        for pool, allocations in zip(pools, allocated, strict=True)
        for one in allocations or ()
        if one.resource_id == vpc_id
    ]
    progress("what IPAM has discovered")
    ipam = find_ipam(deployment.networking)
    # IPAM puts what it discovers into its default scope, and somebody may move it to that of the pools
    scope_ids = {ipam.private_scope_id, deployment.stack.parameters["IpamScope"]} - {""} if ipam else ()
    in_scopes = (one for scope_id in sorted(scope_ids) for one in read_vpcs(deployment.networking, scope_id))
    discovered = [one for one in in_scopes if one.vpc_id == vpc_id]
    owners = [one.owner for _, one in found] + [one.account_id for one in discovered]
    account = read_account(deployment, owners[0], progress) if owners else None
    return VpcFacts(
        vpc_id,
        found,
        discovered,
        account,
        space=parameters.top_level_cidrs(deployment.stack.parameters["TopLevelPoolCidr"]),
        reserved=parameters.reserved_cidrs(deployment.stack.parameters["ReservedCidrs"]),
    )


def names_account(message: str, account_id: str) -> bool:
    """Return whether a line names an account: each ARN of a pool has the Networking account's id in it."""
    return account_id in re.sub(r"arn:[^\s\",]*", "", message)


def _log(account: Account, group: str, term: str, is_about: Callable[[str, str], bool] = lambda *_: True) -> Log:
    """Return the last decisions that name something: shares and pools change seldom, so the whole log is read.

    term       an id
    is_about   whether a line that has the id is about it
    """
    if not group:
        return Log("", unread="the stack has no output that names its log group")
    pages = account.logs().get_paginator("filter_log_events")
    found: deque[Mapping[str, Any]] = deque(maxlen=DECISIONS)
    try:
        for page in pages.paginate(logGroupName=group, filterPattern=f'"{term}"'):
            found += (event for event in page["events"] if is_about(event["message"], term))
    except ClientError as error:
        return Log(group, unread=why_of(error))
    return Log(group, [_decision(event, term) for event in found])


def _decision(event: Mapping[str, Any], term: str) -> Decision:
    """Return a line of a log, without what it says of the subject itself and without empty fields."""
    at = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(event["timestamp"] / 1000))
    try:
        line = json.loads(event["message"])
    except ValueError:
        line = None
    if not isinstance(line, dict):
        return Decision(at, event["message"].strip(), {})
    fields = {
        key: value for key, value in line.items() if key not in OF_LAMBDA and value not in (None, "", [], False, term)
    }
    return Decision(at, str(line.get("message", "")), fields)
