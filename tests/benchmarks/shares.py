"""The calls to AWS that sharing needs in an organization of many accounts, and the time that they take.

Calls are counted on the landing zone, in this process, with the page sizes of AWS. In the modeled time, calls to all
services run one after the other at a fixed rate, because AWS publishes no rates for RAM. An association takes 3 s, an
invocation at most 15 minutes.

The floor is the number of calls that any order needs if every page is full:

    a session        AssumeRole, and a page of pools
    one account      the account with the path of its OUs; its share
    changes          the places of the accounts that were changed, read once more afterwards: they may have moved
    all accounts     a page for each 20 accounts, and a page of nested OUs for each OU and the root
    all shares       a page for each 500 shares, for each 500 pools in them, and for each 500 accounts
    missing shares   one creation for each account without a share

Checking whether AWS is done, checking whether the stack is being deleted, and a second invocation are extra.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from math import ceil
from typing import Any

import pytest
from moto.organizations.models import organizations_backends

from benchmarks.many_accounts import OUS, REGIONS
from benchmarks.page import Row, Section, true_faults
from ctipam.errors import AwsFailed
from in_process.aws_calls import Call, intercepting
from in_process.fixtures import MANAGEMENT, Cloud, LandingZone, running_cloud, set_environment
from in_process.lifecycle_events import lifecycle

RATE = 10
ASSOCIATION_S = 3
ENVIRONMENTS = 4
SIZES = (1_000, 10_000)
SCHEDULE = {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}
FIRST = f"{10**11}"
ACCOUNTS_PAGE, SHARES_PAGE = 20, 500
SESSION, ONE_ACCOUNT, READ_AGAIN = 2, 2, 1
NOTICES, SENT = 2, 2  # reading IPAM's administrator and what was sent; sending a notice and remembering it
EMPTY = OUS + 1  # a page for each OU without accounts, when all accounts are in one
UNSHARE_LIMIT = 10  # by default
CEILING, CALLS_MORE, MOST_FOR_ONE = 1.05, 3, 9


@dataclass(frozen=True)
class Run:
    """reads    number of reads in the floor
    creates  number of accounts that get a share
    before   what happens before the run
    alarms   number of invocations that fail, and so end in an alarm
    """

    name: str
    event: dict[str, Any]
    reads: int
    creates: int
    before: Callable[[LandingZone], None] = lambda _: None
    alarms: int = 0

    @property
    def floor(self) -> int:
        return self.reads + self.creates

    @property
    def floor_s(self) -> float:
        return self.floor / RATE + (ASSOCIATION_S if self.creates else 0)


def runs(accounts: int) -> tuple[Run, ...]:
    """Return the runs in one organization, in order. Each run finds the shares of the run before it."""
    with_our_own = accounts + 2  # the management and Networking accounts
    pages = ceil(with_our_own / ACCOUNTS_PAGE)
    organization = pages + OUS + 1
    all_accounts = SESSION + organization + NOTICES
    one_new = Run("one new", lifecycle("CreateManagedAccount", FIRST), SESSION + ONE_ACCOUNT + READ_AGAIN, 1)
    first_time = Run(
        "first time", SCHEDULE, all_accounts + _pages_of(1) + ceil(with_our_own / ACCOUNTS_PAGE), accounts - 1
    )
    nothing = Run("nothing to do", SCHEDULE, all_accounts + _pages_of(accounts), 0)
    if accounts > SIZES[0]:
        return (one_new, first_time, nothing)
    renamed = replace(nothing, name="OUs renamed", before=rename)
    confirmed = UNSHARE_LIMIT + 1  # the places that are read again before the run stops taking away
    emptied = replace(
        nothing, name="all lose pools", reads=nothing.reads + EMPTY + confirmed + SENT, before=empty, alarms=1
    )
    return (one_new, first_time, nothing, renamed, emptied)


def rename(zone: LandingZone) -> None:
    """Rename the OUs of all environments, in which all accounts are."""
    units = zone.cloud.organizations.list_organizational_units_for_parent(ParentId=zone.cloud.root)
    for unit in units["OrganizationalUnits"]:
        zone.cloud.rename(unit["Id"], f"{unit['Name']} renamed")


def empty(zone: LandingZone) -> None:
    """Move all accounts to an OU without pools."""
    sandbox = zone.cloud.add_ou("Sandbox")
    organization: Any = organizations_backends[MANAGEMENT]["aws"]
    for account in organization.accounts:
        account.parent_id = sandbox


def _pages_of(shares: int) -> int:
    return sum(ceil(rows / SHARES_PAGE) for rows in (shares, shares * REGIONS, shares))


def measure() -> Iterator[Row]:
    for size in SIZES:
        with landing_zone(size) as zone:
            for run in runs(size):
                run.before(zone)
                yield row(run, *_measured(zone, run.event))


def row(run: Run, calls: Counter[str], took_s: float, alarms: int) -> Row:
    of_ram = {name.removeprefix("ram:"): count for name, count in calls.items() if name.startswith("ram:")}
    writes = sum(count for action, count in of_ram.items() if not action.startswith("Get"))
    figures = (
        f"{calls.total():,}",
        f"{run.floor:,}",
        f"{calls.total() / run.floor:.2f}",
        f"{writes:,}",
        f"{run.creates:,}",
        f"{took_s:,.0f} s",
        f"{run.floor_s:,.0f} s",
        str(alarms),
    )
    faults = {
        f"{alarms} alarms": alarms != run.alarms,
        f"{calls.total()} calls for one account": run.name == "one new" and calls.total() > MOST_FOR_ONE,
        f"{calls.total()} calls": calls.total() > max(run.floor * CEILING, run.floor + CALLS_MORE),
        f"{writes} writes": writes != run.creates,
    }
    return Row(figures, true_faults(faults))


def _measured(zone: LandingZone, event: dict[str, Any]) -> tuple[Counter[str], float, int]:
    """Return calls, modeled seconds and failed invocations of an event, including its further invocations.

    Lambda would repeat a failed invocation twice before the event ends in the failure queue, which is one alarm.
    """
    meter, began, invocations, failed = Meter(zone.clock.advance), zone.clock.now(), 0, 0
    with meter.installed():
        while meter.continued or not invocations:
            meter.continued = False
            invocations += 1
            try:
                zone.invoke(event)
            except AwsFailed:
                failed += 1
    return meter.calls, zone.clock.now() - began, failed


class Meter:
    """Counts calls, and advances the clock by the time of each call."""

    def __init__(self, advance: Callable[[float], None]) -> None:
        self._advance = advance
        self.calls: Counter[str] = Counter()  # for example "ram:CreateResourceShare"
        self.continued = False

    @contextmanager
    def installed(self) -> Iterator[None]:
        def meter(call: Call, client: Any, operation: str, parameters: Any) -> Any:
            self.calls[f"{client.meta.service_model.service_name}:{operation}"] += 1
            self._advance(1 / RATE)
            if operation == "Invoke":
                self.continued = True
                return {"StatusCode": 202}
            return call(client, operation, parameters)

        with intercepting(meter):
            yield


@contextmanager
def landing_zone(accounts: int) -> Iterator[LandingZone]:
    """Run a landing zone with this number of accounts, spread over all OUs, and pools for the top-level OUs."""
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        set_environment(patch)
        cloud = stack.enter_context(running_cloud(patch))
        _speed_up_models(cloud)
        zone = LandingZone(cloud, [], patch)
        ous = [cloud.add_ou(f"OU {number}") for number in range(ENVIRONMENTS)]
        zone.add_pools(*(f"OU {number}" for number in range(ENVIRONMENTS)))
        zone.remember_ous({f"OU {number}": ous[number] for number in range(ENVIRONMENTS)})
        for number in range(ENVIRONMENTS, OUS):
            ous.append(cloud.add_ou(f"OU {number}", ous[number % ENVIRONMENTS]))
        organization: Any = organizations_backends[MANAGEMENT]["aws"]
        some_account = organization.accounts[-1]
        for number in range(accounts):  # moto would create a role for each, and read them all at every call
            account = copy.copy(some_account)
            account.id, account.parent_id = f"{int(FIRST) + number}", ous[number % OUS]
            organization.accounts.append(account)
        yield zone


def _speed_up_models(cloud: Cloud) -> None:
    """Let the models do once the work that they do at every call, which grows with the number of accounts."""
    ram, members = cloud.models.ram, cloud.models.organization.members
    settle, known = ram._settle, set[str]()

    def is_member(account_id: str) -> bool:
        if account_id not in known:
            known.update(members())
        return account_id in known

    def call(action: str, *arguments: Any) -> Any:
        ram._settle = settle if action.startswith("Get") else lambda: None  # type: ignore[method-assign]
        return plain_call(action, *arguments)

    cloud.models.ipam.visible_to = lambda _account_id: set()  # only the owner of the pools reads here
    plain_call = ram.call
    ram.call = call  # type: ignore[assignment, method-assign]
    cloud.models.organization.is_member = is_member  # type: ignore[method-assign]


SECTION = Section(
    title="Shares: calls to AWS for the shares of an organization",
    columns=("calls", "floor", "ratio", "writes", "floor", "modeled", "floor", "alarms"),
    labels=tuple(f"{size:,} accounts, {run.name}" for size in SIZES for run in runs(size)),
    measure=measure,
    notes=(
        f"Modeled: {OUS} OUs, pools in {REGIONS} Regions for the {ENVIRONMENTS} top-level OUs; {RATE} calls a second, "
        f"{ASSOCIATION_S} s for an association. Floor: each full page read once ({ACCOUNTS_PAGE} accounts, "
        f"{SHARES_PAGE} shares or associations, a list of OUs for each OU and the root), or the place and the share of "
        "one account; a creation for each account without a share, and the places of changed accounts once more. "
        f"Promise: at most {CEILING} times the calls of the floor, or {CALLS_MORE} more; {MOST_FOR_ONE} for one new "
        "account; no write except creations, and one alarm if all would lose pools."
    ),
)
