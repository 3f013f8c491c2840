"""What sharing costs: calls to AWS and the time that they take, in an organization of many accounts.

Calls are counted on the landing zone, in this process, with AWS's page sizes. The modelled time lets each call take its
share of a second, one after the other, whatever the service: AWS publishes no rates for RAM. An association takes 3 s,
an invocation 15 minutes at most.

The floor is what no order of calls can spare, if every page is full:

    the door         AssumeRole, and a page of pools
    one account      itself, with the path of its OUs; the name of its OU; whether it has a share
    everybody        a page for each 20 accounts, and for each OU and the root one of what OUs it encloses
    all shares       a page for each 500 shares, for each 500 pools in them, and for each 500 accounts
    what is missing  one creation for each account that has no share

Looking whether AWS is done costs extra, whether the stack is being deleted, and a second invocation.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from math import ceil
from typing import Any

import pytest
from moto.organizations.models import organizations_backends

from benchmarks.many_accounts import OUS, REGIONS
from benchmarks.page import Row, Section, true_faults
from in_process.aws_calls import Call, intercepting
from in_process.fixtures import MANAGEMENT, Cloud, LandingZone, running_cloud, set_environment

RATE = 10
ASSOCIATION_S = 3
ENVIRONMENTS = 4
SIZES = (1_000, 10_000)
SCHEDULE = {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}
FIRST = f"{10**11}"
ACCOUNTS_PAGE, SHARES_PAGE = 20, 500
DOOR, ONE_ACCOUNT = 2, 3
CEILING, CALLS_MORE = 1.1, 4


@dataclass(frozen=True)
class Run:
    """reads    that the floor is made of
    creates  how many accounts get a share
    """

    what: str
    event: dict[str, Any]
    reads: int
    creates: int

    @property
    def floor(self) -> int:
        return self.reads + self.creates

    @property
    def floor_s(self) -> float:
        return self.floor / RATE + (ASSOCIATION_S if self.creates else 0)


def runs(accounts: int) -> tuple[Run, ...]:
    """One after the other in one organization: each finds what the one before it made."""
    everybody = DOOR + ceil((accounts + 2) / ACCOUNTS_PAGE) + OUS + 1  # with management and Networking
    return (
        Run("one new", {"action": "reconcile", "accountId": FIRST}, DOOR + ONE_ACCOUNT, 1),
        Run("first time", SCHEDULE, everybody + _pages_of(1), accounts - 1),
        Run("nothing to do", SCHEDULE, everybody + _pages_of(accounts), 0),
    )


def _pages_of(shares: int) -> int:
    return sum(ceil(rows / SHARES_PAGE) for rows in (shares, shares * REGIONS, shares))


def measure() -> Iterator[Row]:
    for size in SIZES:
        with landing_zone(size) as zone:
            for run in runs(size):
                yield row(run, *_measured(zone, run.event))


def row(run: Run, calls: Counter[str], took_s: float, invocations: int) -> Row:
    writes = sum(count for name, count in calls.items() if name.startswith("ram:") and not name.startswith("ram:Get"))
    figures = (
        f"{calls.total():,}",
        f"{run.floor:,}",
        f"{calls.total() / run.floor:.2f}",
        f"{writes:,}",
        f"{run.creates:,}",
        f"{took_s:,.0f} s",
        f"{run.floor_s:,.0f} s",
        str(invocations),
    )
    faults = {
        f"{calls.total()} calls": calls.total() > max(run.floor * CEILING, run.floor + CALLS_MORE),
        f"{writes} writes": writes != run.creates,
    }
    return Row(figures, true_faults(faults))


def _measured(zone: LandingZone, event: dict[str, Any]) -> tuple[Counter[str], float, int]:
    """Calls, modelled seconds and invocations; an event that is handed on counts with all that come of it."""
    meter, began, invocations = Meter(zone.clock.advance), zone.clock.now(), 0
    with meter.installed():
        while meter.continuations or not invocations:
            meter.continuations = False
            invocations += 1
            zone.invoke(event)
    return meter.calls, zone.clock.now() - began, invocations


class Meter:
    """Counts calls, and lets each take its share of a second."""

    def __init__(self, advance: Callable[[float], None]) -> None:
        self._advance = advance
        self.calls: Counter[str] = Counter()  # such as "ram:CreateResourceShare"
        self.continuations = False

    @contextmanager
    def installed(self) -> Iterator[None]:
        def meter(call: Call, client: Any, operation: str, parameters: Any) -> Any:
            self.calls[f"{client.meta.service_model.service_name}:{operation}"] += 1
            self._advance(1 / RATE)
            if operation == "Invoke":
                self.continuations = True
                return {"StatusCode": 202}
            return call(client, operation, parameters)

        with intercepting(meter):
            yield


@contextmanager
def landing_zone(accounts: int) -> Iterator[LandingZone]:
    """With so many accounts, spread over all OUs, and pools for the OUs that enclose the others."""
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        set_environment(patch)
        cloud = stack.enter_context(running_cloud(patch))
        _spare_the_models(cloud)
        zone = LandingZone(cloud, [], patch)
        ous = [cloud.add_ou(f"OU {number}") for number in range(ENVIRONMENTS)]
        zone.add_pools(*(f"OU {number}" for number in range(ENVIRONMENTS)))
        for number in range(ENVIRONMENTS, OUS):
            ous.append(cloud.add_ou(f"OU {number}", ous[number % ENVIRONMENTS]))
        organization: Any = organizations_backends[MANAGEMENT]["aws"]
        some_account = organization.accounts[-1]
        for number in range(accounts):  # not through moto, which makes each a role, and asks them all at every call
            account = copy.copy(some_account)
            account.id, account.parent_id = f"{int(FIRST) + number}", ous[number % OUS]
            organization.accounts.append(account)
        yield zone


def _spare_the_models(cloud: Cloud) -> None:
    """Let them do once what they do at every call, which is in proportion to all that there is."""
    ram, members = cloud.models.ram, cloud.models.organization._members
    settle, known = ram._settle, set[str]()

    def is_member(account_id: str) -> bool:
        if account_id not in known:
            known.update(members())
        return account_id in known

    def call(action: str, *arguments: Any) -> Any:
        ram._settle = settle if action.startswith("Get") else lambda: None  # type: ignore[method-assign]
        return plain_call(action, *arguments)

    cloud.models.ipam.visible_to = lambda _account_id: set()  # only the pools' owner reads here
    plain_call = ram.call
    ram.call = call  # type: ignore[assignment, method-assign]
    cloud.models.organization.is_member = is_member  # type: ignore[method-assign]


SECTION = Section(
    title="Shares: calls to AWS for the shares of an organization",
    columns=("calls", "floor", "ratio", "writes", "floor", "modelled", "floor", "invoked"),
    labels=tuple(f"{size:,} accounts, {run.what}" for size in SIZES for run in runs(size)),
    measure=measure,
    notes=(
        f"Modelled: {OUS} OUs, pools in {REGIONS} Regions for {ENVIRONMENTS} that enclose the others; {RATE} calls a "
        f"second, {ASSOCIATION_S} s for an association. Floor: each full page read once ({ACCOUNTS_PAGE} accounts, "
        f"{SHARES_PAGE} shares or associations, a list of OUs for each OU and the root), of one account its state, "
        "OU and share; then a creation for each account without a share. Seeing whether AWS is done, and whether the "
        "stack is being deleted, is extra. "
        f"Promised: within {CEILING} of the floor's calls, or {CALLS_MORE} calls of it; no write but the creations."
    ),
)
