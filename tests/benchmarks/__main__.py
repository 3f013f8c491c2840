"""Measure, and print one page with all figures of the project, each beside its floor or the published original's.

    python -m benchmarks                 everything: about seven minutes, of which the tests take half
    python -m benchmarks pools,shares    these sections

Ends with status 1 and says which, if something that a section promises is not kept. What is under way is told on
standard error. Seconds of the sections "packages", "start" and "tests" are this machine's; of the others, modelled.
"""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime

from benchmarks import cold_start, packages, page, pools, shares, suite
from benchmarks.page import Row, Section

SECTIONS = {
    "pools": pools.SECTION,
    "shares": shares.SECTION,
    "packages": packages.SECTION,
    "start": cold_start.SECTION,
    "tests": suite.SECTION,
}


def main(chosen: str = "") -> int:
    names = chosen.replace(",", " ").split() or list(SECTIONS)
    if unknown := [name for name in names if name not in SECTIONS]:
        sys.exit(f"There is no section {unknown[0]}; there are {', '.join(SECTIONS)}.")
    began, printed, missed = time.perf_counter(), [heading()], []
    for section in map(SECTIONS.__getitem__, names):
        rows = measured(section)
        printed += ["", *page.lines(section, rows)]
        missed += page.missed(section, rows)
    print("\n".join([*printed, "", *(missed or ["Nothing of what is promised is missed."])]))
    print(f"Measured in {time.perf_counter() - began:,.0f} s.")
    return 1 if missed else 0


def heading() -> str:
    """Load: how many processes wanted to run in the last minute, so that a reader knows what disturbed the seconds."""
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    return f"Figures of {datetime.now(UTC):%Y-%m-%d}: {machine}; load before: {os.getloadavg()[0]:.1f}"


def measured(section: Section) -> list[Row]:
    return [row for _, row in zip(_told(section), section.measure(), strict=True)]


def _told(section: Section) -> Iterator[str]:
    for label in section.labels:
        print(f"{section.title.partition(':')[0]}: {label} ...", file=sys.stderr, flush=True)
        yield label


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
