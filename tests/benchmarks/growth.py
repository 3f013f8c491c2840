"""How many calls it takes to grow one pool among others, and how many a look at them takes when nothing is to be done.

Runs on the landing zone's clock, with the timings of `benchmarks.pools`, the lock of each parent, and pages of 1,000.
"""

from __future__ import annotations

import contextlib
import io
from collections import Counter
from collections.abc import Iterator
from typing import Any

from benchmarks.page import Row, Section, true_faults
from benchmarks.pools import CHANGES_S, READS, READS_S, expected_unchanged
from landing_zone.direct import REGIONS
from landing_zone.direct_stack import DirectStack

SHAPES = ((2, 2), (6, 7))
"""Regions and environments: 7 and 49 pools."""

FIVE_MINUTES = 300


def properties(regions: int, environments: int) -> dict[str, Any]:
    return {
        "TopLevelPoolCidr": "10.0.0.0/8",
        "IpamPoolPrefixLength": "12",
        "AccPoolPrefixLength": "16",
        "RegionSelection": sorted(REGIONS)[:regions],
        "AccEnvName": [f"OU {number}" for number in range(1, environments + 1)],
    }


def measure() -> Iterator[Row]:
    for regions, environments in SHAPES:
        yield row(regions, environments)


def row(regions: int, environments: int) -> Row:
    wanted = properties(regions, environments)
    region, environment = wanted["RegionSelection"][0], wanted["AccEnvName"][0]
    name, pools = f"{region} {environment}", 1 + regions * (1 + environments)
    grown = wanted | {"PoolSizes": f"{region}/{environment}=16+16"}
    stack = DirectStack(reads_s=READS_S, changes_s=CHANGES_S, page_size=1000)
    stack.set_up(regions=tuple(one for one in wanted["RegionSelection"] if one != "us-east-1"))
    with stack.running(), contextlib.redirect_stdout(io.StringIO()):
        stack.ask("Create", "InitPools", wanted)
        began = stack.clock.now()
        declared = counted(stack, lambda: stack.ask("Update", "InitPools", grown))
        took = stack.answered_at - began
        unchanged = counted(stack, lambda: stack.ask("Update", "InitPools", grown))
        stack.end_operation()
        look = counted(stack, stack.look)
        for _ in range(30):
            stack.ec2_in(region).allocate_ipam_pool_cidr(IpamPoolId=stack.pool_ids()[name], NetmaskLength=20)
        stack.look()
        stack.clock.advance(FIVE_MINUTES)
        automatic = counted(stack, stack.look)
        stack.clock.advance(FIVE_MINUTES)
        blocks = len(stack.pools()[name].split(","))
    figures = (
        f"{took:,.0f} s",
        str(changes(declared)),
        str(declared.total() - changes(declared)),
        str(unchanged.total()),
        str(look.total()),
        str(automatic.total() - look.total()),
    )
    faults = {
        "the pool has not grown": blocks != 3,
        "more than twenty reads besides one for each pool": declared.total() - changes(declared) > 20 + pools,
        "a pool is read twice though nothing changes": unchanged != expected_unchanged(pools),
        "more than two calls for each environment pool in a look": look.total() > 1 + 2 * regions * environments,
    }
    return Row(figures, true_faults(faults))


def counted(stack: DirectStack, act: Any) -> Counter[str]:
    stack.wire.counted.clear()
    act()
    return stack.wire.counted.copy()


def changes(calls: Counter[str]) -> int:
    return sum(number for action, number in calls.items() if not action.startswith(READS))


SECTION = Section(
    title="Growth: one more block for one pool among",
    columns=("declared", "changes", "reads", "unchanged", "look", "automatic"),
    labels=tuple(f"{1 + regions * (1 + environments)} pools" for regions, environments in SHAPES),
    measure=measure,
    notes=(
        "Declared: an update with PoolSizes. Unchanged: calls of the same update again. Look: calls of the scheduled "
        "function when no pool fills up. Automatic: how many more when one grows."
    ),
)
