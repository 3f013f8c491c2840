"""What the solution itself costs in a month, with the default pools and nothing to do.

Counted in the templates: alarms, keys and dashboards. Measured on the landing zone's clock: how long the scheduled
function of the Networking account runs, and what it prints, which CloudWatch Logs ingests. The scheduled run over all
accounts takes the calls of the section "shares", at its rate.

Not in it: the price of IPAM's active IP addresses, requests to KMS, S3, SNS and SQS (each less than a cent), the
operations of deploying, and a free tier.
"""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterator
from pathlib import Path

from benchmarks import shares
from benchmarks.page import Row, Section, true_faults
from benchmarks.pools import CHANGES_S, READS_S
from landing_zone.direct_stack import BETWEEN_WATCHES, PROPERTIES, TO_WATCH, DirectStack

TEMPLATES = Path(__file__).parents[2] / "templates"
MANAGEMENT = (TEMPLATES / "ipam-controltower-integration.template.yaml").read_text(encoding="utf-8")
NETWORKING = (TEMPLATES / "ipamnetworkingStack.yaml").read_text(encoding="utf-8")

# US dollars, list prices of us-east-1, arm64. The price of a key is from a copy of AWS's page, the others are as third
# parties quoted AWS's pages between 2026-05 and 2026-06. https://aws.amazon.com/lambda/pricing/
# https://aws.amazon.com/cloudwatch/pricing/ https://aws.amazon.com/kms/pricing/
# The first two yearly rotations raise the price of a key by as much again each; here, keys are in their first year.
GB_SECOND, INVOCATION = 0.0000133334, 0.20 / 1e6
ALARM_OF_A_METRIC, METRIC, DASHBOARD, LOGS_OF_A_GB, KEY = 0.10, 0.30, 3.00, 0.50, 1.00

HOURS = 730  # in a month
LOOKS_AN_HOUR = 12  # the utilization function runs every 5 minutes, and watches once an hour
SIZES = (50, 1_000, 10_000)
MOST = 20.0


def measure() -> Iterator[Row]:
    looking_s, logged, pools = _looking()
    fixed = {
        "alarms": ALARM_OF_A_METRIC * (_count("CloudWatch::Alarm") - 1 + pools),  # one alarm is on the metrics of pools
        "keys": KEY * _count("KMS::Key"),
        "dashboards": DASHBOARD * _count("CloudWatch::Dashboard"),
        "metrics": METRIC * pools,
        "logs": LOGS_OF_A_GB * HOURS * logged / 2**30,
    }
    look_gb_s = looking_s * _gigabytes(NETWORKING, "PoolUtilizationFunction")
    looks = HOURS * (look_gb_s * GB_SECOND + LOOKS_AN_HOUR * INVOCATION)
    for accounts in SIZES:
        run_s = shares.runs(accounts)[2].floor_s
        runs = HOURS * (run_s * _gigabytes(MANAGEMENT, "CTIPAMLifeCycleLambda") * GB_SECOND + INVOCATION)
        parts = {**fixed, "looks": looks, "runs": runs}
        total = sum(parts.values())
        faults = {f"more than {MOST:.0f} dollars": total > MOST}
        yield Row((f"{total:.2f}", *(f"{part:.2f}" for part in parts.values())), true_faults(faults))


def _count(kind: str) -> int:
    return len(re.findall(rf"^    Type: AWS::{kind}$", MANAGEMENT + NETWORKING, re.MULTILINE))


def _gigabytes(template: str, function: str) -> float:
    found = re.search(rf"^  {function}:$.*?^      MemorySize: (\d+)", template, re.MULTILINE | re.DOTALL)
    assert found, function
    return int(found[1]) / 1024


def _looking() -> tuple[float, int, int]:
    """Return the seconds and the printed bytes of all looks of an hour, and the number of environment pools."""
    stack = DirectStack(reads_s=READS_S, changes_s=CHANGES_S, page_size=1000)
    stack.set_up()
    with stack.running(), contextlib.redirect_stdout(io.StringIO()) as printed:
        stack.ask("Create", "InitPools", PROPERTIES)
        stack.end_operation()
        printed.seek(printed.truncate(0))
        began = stack.clock.now()
        for number in range(LOOKS_AN_HOUR):
            stack.look(event=BETWEEN_WATCHES if number else TO_WATCH)
        seconds = stack.clock.now() - began
    return seconds, len(printed.getvalue()), len(PROPERTIES["RegionSelection"]) * len(PROPERTIES["AccEnvName"])


SECTION = Section(
    title="Cost: US dollars a month of the solution itself",
    columns=("total", "alarms", "keys", "dashboards", "metrics", "logs", "looks", "runs"),
    labels=tuple(f"{accounts:,} accounts" for accounts in SIZES),
    measure=measure,
    notes=(
        "List prices of us-east-1 without the free tier, 4 environment pools, hourly runs, a look every 5 minutes. "
        f"Without IPAM's price for active IP addresses. Promise: at most {MOST:.0f} dollars."
    ),
)
