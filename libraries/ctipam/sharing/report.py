"""Reports which pools exist, how full they are, who can use them, and what the watch has found. Changes nothing.

Reads side by side what takes long, because an operator waits for the answer: the organization, the shares, the CIDRs
and allocations of each pool, and the log of the watch.
"""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from ctipam import findings
from ctipam.cloudformation import other_stacks
from ctipam.cloudformation.described import has_functions, is_stack_arn, outputs_of, split_arn
from ctipam.errors import explain
from ctipam.ipam.listing import list_pools, stack_of, with_tags_put_back
from ctipam.networking_account import assume_execution_role
from ctipam.organization import reader as organization
from ctipam.organization.monitoring import not_monitored
from ctipam.organization.tree import OrganizationTree
from ctipam.pools.existing import ExistingPool
from ctipam.pools.reader import PoolReader
from ctipam.pools.recognition import lost_stack_tags
from ctipam.sessions import Account
from ctipam.sharing import reader
from ctipam.sharing.places import Places
from ctipam.sharing.report_rows import (
    Held,
    account_rows,
    allocation_rows,
    nothing_watches,
    pool_rows,
    users_within,
    within,
)
from ctipam.sharing.results import LAMBDA_RESPONSE_LIMIT, who_can_use
from ctipam.sharing.rounds import ShareReconciliation
from ctipam.sharing.run import SharingRun
from ctipam.sharing.session_policy import WATCH_LOG_GROUP, session_policy

if TYPE_CHECKING:
    from types_boto3_cloudformation.type_defs import StackTypeDef

CONCURRENT_PARTS = 3
CONCURRENT_OUS = 8
CONCURRENT_POOLS = 20

USERS_LIMIT = LAMBDA_RESPONSE_LIMIT // 2
"""Characters of the answer for who can use which pool. The rest is for pools, accounts and allocations."""

LOG_OUTPUT = WATCH_LOG_GROUP + "Name"
"""The output of the stack in the Networking account that names the log of the watch."""

LOOK_BACK_S = 130 * 60
"""The watch looks once an hour; one look may fail."""


def report(run: SharingRun) -> dict[str, Any]:
    """Return the report. Raises ClientError, unless only the log of the watch cannot be read. run: a dry run

    {"pools": who can use which pool, "tree": all pools, "allocations": ..., "accountDetails": ..., "watch": ...,
     "accountsWithPools": a number, "notMonitored": a sentence or empty,
     and what SharingResult.to_dict returns for a dry run, except "reconciled"}
    """
    with ThreadPoolExecutor(CONCURRENT_PARTS) as executor:
        networking = executor.submit(_read_networking_account, run)
        found = executor.submit(reader.find_all_shares, run.networking.ram())
        administrators = executor.submit(organization.find_ipam_administrators, run.management.organizations())
        places = Places(run, lambda: _read_organization(run), complete=True)
        shares = found.result()
        pools, held, lost, watched = networking.result()
    result = ShareReconciliation(run, lambda _created: shares, places).run(None)
    locations = {location.account_id: location for location in places.tree.locations}
    users = who_can_use(run.environments, shares)
    answer: dict[str, Any] = {
        "pools": users_within(users, USERS_LIMIT),
        "tree": pool_rows(pools, held, lost),
        "watch": watched,
    }
    answer |= result.to_dict(limit=0)
    answer["accountsWithPools"] = len({account_id for row in users for account_id in row["accounts"]})
    answer["notMonitored"] = not_monitored(administrators.result(), run.networking.account_id, run.management.region)
    del answer["reconciled"]
    accounts = account_rows(result.accounts, locations, shares)
    allocations = allocation_rows(pools, held, run.management.region)
    return answer | _details(accounts, allocations, len(json.dumps(answer)))


def _read_organization(run: SharingRun) -> OrganizationTree:
    with ThreadPoolExecutor(CONCURRENT_OUS) as executor:
        return organization.read_all(run.management.organizations(), executor.map)


def _details(accounts: Sequence[dict[str, Any]], allocations: Sequence[dict[str, Any]], taken: int) -> dict[str, Any]:
    """Return the rows that fit into an answer, and how many do not."""
    kept = within(accounts, LAMBDA_RESPONSE_LIMIT - taken)
    taken += len(json.dumps(kept))
    used = within(allocations, LAMBDA_RESPONSE_LIMIT - taken)
    return {
        "accountDetails": kept,
        "leftOut": len(accounts) - len(kept),
        "allocations": used,
        "allocationsLeftOut": len(allocations) - len(used),
    }


def _read_networking_account(run: SharingRun) -> tuple[list[ExistingPool], Held, Collection[str], dict[str, Any]]:
    management, account_id = run.management, run.networking.account_id
    policy = session_policy(management.partition, management.region, account_id, "report")
    networking = assume_execution_role(management, account_id, policy)
    listed = list_pools(networking)
    lost = lost_stack_tags(listed)
    listed = with_tags_put_back(listed, lost)
    stack_ids = frozenset(stack_id for pool in listed if (stack_id := stack_of(pool)))
    with ThreadPoolExecutor(CONCURRENT_POOLS) as executor:
        watched = executor.submit(_read_watch, networking, stack_ids, split_arn(run.stack.stack_id).name)
        pools = PoolReader(networking, stack_ids, scope_id="", executor=executor)
        ours = pools.read_pools([pool for pool in listed if pools.is_ours(pool)], known={})
        return ours, pools.read_allocations(ours), lost.keys(), watched.result()


def _read_watch(networking: Account, stack_ids: frozenset[str], name: str) -> dict[str, Any]:
    """Return what the watch of the Networking account's stack found when it last looked, and where to see more.

    name   of the stack in the management account
    """
    known = [one for one in sorted(stack_ids) if is_stack_arn(one)]
    if not known:
        return _watched("The log of the watch cannot be found: no pool has a tag that names its stack.")
    try:
        stack = _stack_of_pools(networking, known)
        status = stack["StackStatus"] if stack else ""
        outputs = outputs_of(stack) if stack else {}
        if problem := nothing_watches(status, name):
            return _watched(problem)
        if LOG_OUTPUT not in outputs:
            return _watched(_without_log(status, name), outputs)
        last = findings.last_watch(_lines(networking, outputs[LOG_OUTPUT]))
    except ClientError as error:
        return _watched(f"The log of the watch cannot be read: {explain(error)}")
    if last is None:
        return _watched(
            "The watch has not looked in the last two hours. It looks once an hour, so a new stack has to wait.",
            outputs,
        )
    at, found = last
    rows = [{"metric": one.metric, "subject": one.subject, "message": one.message} for one in found]
    looked = datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="seconds")
    return _watched("", outputs) | {"at": looked, "findings": rows}


def _watched(problem: str, outputs: Mapping[str, str] | None = None) -> dict[str, Any]:
    url = (outputs or {}).get("DashboardUrl", "")
    return {"at": None, "findings": [], "problem": problem, "dashboardUrl": url}


def _stack_of_pools(networking: Account, stack_ids: Sequence[str]) -> StackTypeDef | None:
    """Return one of these stacks, preferably one that can act, and among those one that names the log of a watch; None
    if none exists."""
    found = [stack for one in stack_ids if (stack := other_stacks.describe(networking, one))]
    return min(found, key=lambda one: (not has_functions(one), LOG_OUTPUT not in outputs_of(one)), default=None)


def _without_log(status: str, name: str) -> str:
    """Return why a stack that can act names no log, and what to do. name: of the stack in the management account"""
    head = "The log of the watch cannot be found: the stack of the pools in the Networking account"
    if status.endswith("_IN_PROGRESS"):
        return f"{head} is {status}; try again when that has ended."
    return f"{head} has no output {LOG_OUTPUT}. If another version deployed it, run `make deploy stack={name}`."


def _lines(networking: Account, log_group: str) -> list[tuple[int, str]]:
    since = time.time() - LOOK_BACK_S
    pages = (
        networking.logs()
        .get_paginator("filter_log_events")
        .paginate(
            logGroupName=log_group,
            startTime=int(since * 1000),
            filterPattern=f'{{ ($.{findings.DIMENSION} = "*") || ($.{findings.COUNT} >= 0) }}',
        )
    )
    return [(event["timestamp"], event["message"]) for page in pages for event in page["events"]]
