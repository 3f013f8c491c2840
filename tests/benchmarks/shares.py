"""What sharing costs: calls to AWS, time, memory and cold start, as tables.

Calls are counted on the landing zone, in this process, with AWS's page sizes. The modelled time lets each call take its
share of a second, one after the other, whatever the service: AWS publishes no rates for RAM. An association takes 3 s.
"""

from __future__ import annotations

import copy
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from botocore.client import BaseClient
from moto import mock_aws
from moto.organizations.models import organizations_backends

from ctipam import waiting
from in_process.conftest import HOME, MANAGEMENT, NETWORKING, Cloud, LandingZone
from landing_zone.on_moto import installed

RATE = 10
OUS, ENVIRONMENTS = 50, 4
SIZES = (1_000, 10_000)
SCHEDULE = {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}
ROOT = Path(__file__).parents[2]
RUNS = 5
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "made",
    "AWS_SECRET_ACCESS_KEY": "up",
    "AWS_DEFAULT_REGION": HOME,
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}


class Meter:
    """Counts calls, and lets each take its share of a second."""

    def __init__(self, advance: Callable[[float], None]) -> None:
        self._advance = advance
        self.calls: Counter[str] = Counter()
        self.handed_on: list[dict[str, Any]] = []

    @contextmanager
    def installed(self) -> Iterator[None]:
        call: Any = vars(BaseClient)["_make_api_call"]

        def metered(client: Any, operation: str, parameters: Any) -> Any:
            self.calls[f"{client.meta.service_model.service_name}:{operation}"] += 1
            self._advance(1 / RATE)
            if operation == "Invoke":
                self.handed_on.append(parameters)
                return {"StatusCode": 202}
            return call(client, operation, parameters)

        BaseClient._make_api_call = metered  # type: ignore[attr-defined]
        try:
            yield
        finally:
            BaseClient._make_api_call = call  # type: ignore[attr-defined]


class Bench:
    def __init__(self, landing_zone: LandingZone, accounts: int) -> None:
        self._zone = landing_zone
        self._accounts = accounts
        ous = [landing_zone.cloud.add_ou(f"OU {number}") for number in range(ENVIRONMENTS)]
        landing_zone.add_pools(*(f"OU {number}" for number in range(ENVIRONMENTS)))
        for number in range(ENVIRONMENTS, OUS):
            ous.append(landing_zone.cloud.add_ou(f"OU {number}", ous[number % ENVIRONMENTS]))
        organization: Any = organizations_backends[MANAGEMENT]["aws"]
        some_account = organization.accounts[-1]
        for number in range(accounts):  # not through moto, which makes each a role, and asks them all at every call
            account = copy.copy(some_account)
            account.id, account.parent_id = f"{10**11 + number}", ous[number % OUS]
            organization.accounts.append(account)

    def run(self, what: str, event: dict[str, Any]) -> None:
        """One line of the table; an event that is handed on counts with all its invocations."""
        meter, began, invocations = Meter(self._zone.clock.advance), self._zone.clock.now(), 1
        real = time.perf_counter()
        with meter.installed():
            changed = self._zone.tell(event)["changed"]
            while meter.handed_on:
                meter.handed_on.clear()
                invocations += 1
                changed += self._zone.tell(event)["changed"]
        by_service = Counter[str]()
        for name, calls in meter.calls.items():
            service, _, action = name.partition(":")
            by_service[service] += calls
            by_service["writes"] += calls if service == "ram" and not action.startswith("Get") else 0
        row(
            what,
            self._accounts,
            changed,
            *(by_service[name] for name in ("organizations", "ec2", "ram", "writes")),
            invocations,
            f"{self._zone.clock.now() - began:,.0f} s",
            f"{time.perf_counter() - real:.1f} s",
        )


WIDTHS = (24, 8, 7, 13, 3, 6, 6, 11, 10, 8)


def row(*cells: object) -> None:
    first, *rest = (f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in cells)
    padded = [f"{cell:>{width}}" for cell, width in zip(rest, WIDTHS[1:], strict=True)]
    print("  ".join([first.ljust(WIDTHS[0]), *padded]), flush=True)


@contextmanager
def landing_zone() -> Iterator[LandingZone]:
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        stack.enter_context(mock_aws())
        cloud = Cloud(patch)
        patch.setattr(waiting, "sleep", cloud.clock.advance)
        _spare_the_models(cloud)
        stack.enter_context(installed(cloud.models))
        cloud.add_account(NETWORKING)
        yield LandingZone(cloud, [], patch)


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


def measure_calls() -> None:
    print(
        f"Sharing: {OUS} OUs, {ENVIRONMENTS} of them with pools in 2 Regions; {RATE} calls a second in all\n"
        "(modelled); pages of 20 accounts, 500 shares or associations; invocations of 15 minutes\n"
    )
    row("", "accounts", "changed", "Organizations", "EC2", "RAM", "writes", "invocations", "modelled", "here")
    for size in SIZES:
        with landing_zone() as zone:
            bench = Bench(zone, size)
            bench.run("one new account", {"action": "reconcile", "accountId": f"{10**11}"})
            bench.run("everybody, first time", SCHEDULE)
            bench.run("everybody, nothing to do", SCHEDULE)


MEASURED = """
import re, time
from pathlib import Path
began = time.perf_counter()
{code}
took = time.perf_counter() - began
print(took, int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024)
"""

FLOOR = """
import boto3
from botocore.config import Config
config = Config(retries={"mode": "standard", "max_attempts": 8})
sessions = [boto3.Session(region_name="us-east-1") for _ in range(2)]  # one for each account
for session, services in zip(sessions, (("organizations", "sts"), ("ec2", "ram"))):
    for service in services:
        session.client(service, config=config)
"""

COLD_START = """
import index
from ctipam import sessions
here = sessions.here()
here.organizations(), here._client("sts", here.region)
import boto3
there = sessions.Account(boto3.Session(region_name="us-east-1"))
there.ec2(), there.ram()
"""

EVERYBODY = (
    COLD_START
    + """
from benchmarks import many_accounts
many_accounts.reconcile({size})
"""
)


def measure_start() -> None:
    print(f"\nIn a process of its own, the best of {RUNS}: seconds and MB at most\n")
    for what, code in (
        ("boto3 and four clients", FLOOR),
        ("the lifecycle function", COLD_START),
        *((f"... and {size:,} accounts", EVERYBODY.format(size=size)) for size in SIZES),
    ):
        seconds, megabytes = min(_run(MEASURED.format(code=code)) for _ in range(RUNS))
        print(f"{what:<24}  {seconds:6.2f} s  {megabytes:6.1f} MB", flush=True)


def _run(code: str) -> tuple[float, float]:
    path = os.pathsep.join(str(ROOT / folder) for folder in ("ct-integration-lambda", "libraries", "tests"))
    environment = {"PATH": os.defpath, "PYTHONPATH": path, **ENVIRONMENT}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    seconds, megabytes = map(float, run.stdout.split()[-2:])
    return seconds, megabytes


def main() -> None:
    measure_calls()
    measure_start()


if __name__ == "__main__":
    main()
