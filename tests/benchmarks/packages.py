"""The zips that Lambda runs: their size, the origin of their code, and whether each build produces the same bytes.

The original is https://github.com/aws-samples/integrate-control-tower-with-ipam. Its first commit, 6e2ee3a, has both
zips with their libraries. Its last commit, ec99672, has them without, so `import index` fails.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

from benchmarks.page import NONE, Row, Section

ROOT = Path(__file__).parents[2]
ZIPS = {path.stem.rpartition("_")[0]: path for path in sorted((ROOT / "packages").glob("*.zip"))}
BUILDS = 2
ORIGINALS = {"the original's, first": "3,100 KB", "the original's, last": "22 KB"}


def measure() -> Iterator[Row]:
    for path in ZIPS.values():
        with ZipFile(path) as archive:
            sizes = {entry.filename: entry.file_size for entry in archive.infolist()}
        theirs = sum(size for name, size in sizes.items() if name.startswith("crhelper"))
        ours = sum(sizes.values()) - theirs
        yield Row((_kb(path.stat().st_size), _kb(ours), _kb(theirs), str(len(sizes)), NONE, NONE))
    for size in ORIGINALS.values():
        yield Row((size, NONE, NONE, NONE, NONE, NONE))
    builds = [_build() for _ in range(BUILDS)]
    fault = next((fault for _, fault in builds if fault), "")
    took = f"{min(seconds for seconds, _ in builds):.2f} s"
    yield Row((NONE, NONE, NONE, NONE, took, "no" if fault else "yes"), fault)


def _build() -> tuple[float, str]:
    """Return the seconds of a build, and how its zips differ from the committed zips; "" if they are the same."""
    began = time.perf_counter()
    command = [sys.executable, str(ROOT / "packages/build.py"), "--check"]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    return time.perf_counter() - began, built.stderr.strip()


def _kb(size: int) -> str:
    return f"{size / 1000:,.0f} KB"


SECTION = Section(
    title="Packages: the zips that Lambda runs",
    columns=("size", "ours", "crhelper's", "files", "built in", "same bytes"),
    labels=(*ZIPS, *ORIGINALS, f"both, built {BUILDS} times"),
    measure=measure,
    notes="Promise: each build produces the committed bytes. The original's last zips fail to import: no libraries.",
)
