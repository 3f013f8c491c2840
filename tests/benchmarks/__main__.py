"""Measures and prints one page with all figures of the project, each beside its floor or the original's figure.

    python -m benchmarks                 all sections: about seven minutes, half of it for the tests
    python -m benchmarks pools,shares    only these sections

Exits with status 1 and names the promise if a section does not keep one. Progress goes to standard error. The sections
"report", "packages", "start" and "tests" measure seconds on this machine; the other sections use a modeled clock.
"""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime

from benchmarks import cold_start, cost, growth, packages, page, pools, report, shares, suite, watching
from benchmarks.page import Row, Section
from landing_zone.isolation import isolate

SECTIONS = {
    "pools": pools.SECTION,
    "growth": growth.SECTION,
    "watch": watching.SECTION,
    "shares": shares.SECTION,
    "report": report.SECTION,
    "cost": cost.SECTION,
    "packages": packages.SECTION,
    "start": cold_start.SECTION,
    "tests": suite.SECTION,
}


def main(chosen: str = "") -> int:
    isolate()
    names = chosen.replace(",", " ").split() or list(SECTIONS)
    if unknown := [name for name in names if name not in SECTIONS]:
        sys.exit(f"There is no section {unknown[0]}. Choose from {', '.join(SECTIONS)}.")
    began, printed, missed = time.perf_counter(), [heading()], []
    for section in map(SECTIONS.__getitem__, names):
        rows = measured(section)
        printed += ["", *page.lines(section, rows)]
        missed += page.missed(section, rows)
    print("\n".join([*printed, "", *(missed or ["Every promise is kept."])]))
    print(f"Measured in {time.perf_counter() - began:,.0f} s.")
    return 1 if missed else 0


def heading() -> str:
    """Return the date, the machine and its load: the average number of runnable processes in the last minute."""
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    return f"Figures of {datetime.now(UTC):%Y-%m-%d}: {machine}; load before: {os.getloadavg()[0]:.1f}"


def measured(section: Section) -> list[Row]:
    return [row for _, row in zip(_labels_with_progress(section), section.measure(), strict=True)]


def _labels_with_progress(section: Section) -> Iterator[str]:
    for label in section.labels:
        print(f"{section.title.partition(':')[0]}: {label} ...", file=sys.stderr, flush=True)
        yield label


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
