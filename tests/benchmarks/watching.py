"""What the hourly watch calls, how long its own code takes, and how much memory, for many discovered VPCs.

Two Regions with two environments each, accounts with 50 VPCs each, half of the VPCs in the pools' address space. The
time of the models, which stand in for AWS, is not counted. Memory is the peak of what was allocated while it ran, with
one page of AWS's answers.
"""

from __future__ import annotations

import contextlib
import io
import time
import tracemalloc
from collections.abc import Iterator
from ipaddress import IPv4Network
from itertools import islice
from typing import Any
from unittest.mock import patch

from aws_models.organization import Caller
from benchmarks.page import Row, Section, true_faults
from landing_zone.direct import DirectAccount
from landing_zone.direct_stack import HOME, MANAGEMENT, NETWORKING, PROPERTIES, TO_WATCH, DirectStack

SIZES = (5_000,)
PER_ACCOUNT = 50
HOUR = 3600
SPACES = (IPv4Network("10.0.0.0/9"), IPv4Network("172.16.0.0/12"))  # in the pools' space, and outside
MOST_CALLS, MOST_S, MOST_MB = 40, 10.0, 20
"""Limits for 5,000 VPCs: a run has 300 s and 256 MB, of which Python and boto3 take 80."""


def measure() -> Iterator[Row]:
    yield from map(row, SIZES)


def row(vpcs: int) -> Row:
    stack = discovered(vpcs)
    with stack.running(), contextlib.redirect_stdout(io.StringIO()) as printed:
        stack.wire.counted.clear()
        took = _own_seconds(stack)
        calls = stack.wire.counted.total()
        tracemalloc.start()
        stack.look(event=TO_WATCH)
        peak = tracemalloc.get_traced_memory()[1] / 2**20
        tracemalloc.stop()
    findings = printed.getvalue().count('"OverlappingVpcs": 1') // 2
    faults = {
        "not every VPC in the pools' space is found": findings != vpcs // 2,
        f"more than {MOST_CALLS} calls": calls > MOST_CALLS,
        f"more than {MOST_S:,.0f} s": took > MOST_S,
        f"more than {MOST_MB} MB": peak > MOST_MB,
    }
    return Row((str(calls), f"{findings:,}", f"{took:.1f} s", f"{peak:,.0f} MB"), true_faults(faults))


def discovered(vpcs: int) -> DirectStack:
    """Return a stack with pools, in an organization whose VPCs IPAM has discovered."""
    stack = DirectStack(page_size=1000)
    accounts = [f"{number:012}" for number in range(1, vpcs // PER_ACCOUNT + 1)]
    stack.models.organization.members = lambda: [MANAGEMENT, NETWORKING, *accounts]
    management = DirectAccount(stack.wire, MANAGEMENT, HOME).ec2()
    management.enable_ipam_organization_admin_account(DelegatedAdminAccountId=NETWORKING)
    stack.set_up()
    with stack.running():
        stack.ask("Create", "InitPools", PROPERTIES)
    stack.end_operation()
    for number, cidr in enumerate(_cidrs(vpcs)):
        where = Caller(accounts[number // PER_ACCOUNT], ("us-west-2", "us-east-1")[number % 2])
        stack.models.ipam.vpc_has_cidr(f"vpc-{number:017x}", str(cidr), {}, where)
    stack.clock.advance(HOUR)
    return stack


def _cidrs(number: int) -> Iterator[IPv4Network]:
    for space in SPACES:
        yield from islice(space.subnets(new_prefix=24), number // len(SPACES))


def _own_seconds(stack: DirectStack) -> float:
    """Return the seconds of a run, without those of the models."""
    carry, of_models = stack.wire.carry, 0.0

    def timed(*call: Any) -> Any:
        nonlocal of_models
        began = time.perf_counter()
        try:
            return carry(*call)
        finally:
            of_models += time.perf_counter() - began

    began = time.perf_counter()
    with patch.object(stack.wire, "carry", timed):
        stack.look(event=TO_WATCH)
    return time.perf_counter() - began - of_models


SECTION = Section(
    title="Watch: one look at discovered VPCs, half of them in the pools' space",
    columns=("calls", "found", "took", "memory"),
    labels=tuple(f"{vpcs:,} VPCs" for vpcs in SIZES),
    measure=measure,
    notes=f"Promise: at most {MOST_CALLS} calls, {MOST_S:.0f} s and {MOST_MB} MB. Took: without the time of AWS.",
)
