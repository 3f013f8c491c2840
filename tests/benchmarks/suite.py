"""The time of the tests and the demo, run as a user runs them, and the size of the code. The original has neither."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.page import NONE, Row, Section

ROOT = Path(__file__).parents[2]
TARGETS = ("test", "demo")
CODE = {
    "lines that Lambda runs": ("ct-integration-lambda", "ipam-pool-lambda", "libraries/ctipam"),
    "lines of commands": ("libraries/commands", "packages"),
    "lines of emulated AWS": ("tests/landing_zone",),
    "lines of tests": ("tests",),
}


def measure() -> Iterator[Row]:
    for target in TARGETS:
        yield _run(target)
    for folders in CODE.values():
        yield Row((NONE, f"{sum(map(_count, folders)):,}"))


def _run(target: str) -> Row:
    """Run a target and measure its time."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = ["make", "--silent", target]
    began = time.perf_counter()
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    took = time.perf_counter() - began
    summary = run.stdout.strip().rpartition("\n")[2]
    counted = ", ".join(re.findall(r"\d+ (?:failed|passed|errors?)\b", summary))  # the demo has no count
    output = run.stdout.splitlines() + run.stderr.splitlines()
    failed = [line for line in output if line.startswith(("FAILED", "ERROR"))] or output[-1:]
    return Row((f"{took:,.0f} s", counted or NONE), "; ".join(failed) if run.returncode else "")


def _count(folder: str) -> int:
    """Return the lines of Python that are not blank. tests excludes the landing zone, which has a row of its own."""
    apart = ROOT / "tests/landing_zone"
    paths = [path for path in (ROOT / folder).rglob("*.py") if folder != "tests" or apart not in path.parents]
    return sum(bool(line.strip()) for path in paths for line in path.read_text(encoding="utf-8").splitlines())


SECTION = Section(
    title="Tests: the real templates and zips on an emulated landing zone",
    columns=("took", "how many"),
    labels=(*(f"make {target}" for target in TARGETS), *CODE),
    measure=measure,
    notes="Promise: both succeed. Lines of Python exclude blank lines. The original has no tests and no demo.",
)
