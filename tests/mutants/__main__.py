"""`make mutants`: plant faults in the product, one at a time, and see whether the tests notice.

    make mutants                       a sample, the same each time
    make mutants seed=7 sample=600     another sample, and a larger one
    make mutants only=upkeep/growth     from the files whose paths contain this, or one of several: only=sharing,names

Prints each mutant that survives, and the score. A survivor is a fault that no test notices, unless it changes nothing
that matters. Exits with status 1 if the score is below the promise.
"""

from __future__ import annotations

import os
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from commands import make_words
from ctipam.errors import Refused
from landing_zone.isolation import isolate
from mutants import mutations, trial
from mutants.mutations import Mutant
from mutants.source_files import ROOT

PRODUCT = ("libraries/ctipam", "libraries/commands", "ct-integration-lambda", "ipam-pool-lambda")
PROMISE = 92
"""The least score, in percent. Some mutants change nothing that matters, and a sample may be unlucky by a few percent.
Raise it as survivors get tests."""

WORDS = {"seed": "1", "sample": "200", "only": ""}


@dataclass(frozen=True)
class Options:
    seed: int
    sample: int
    only: tuple[str, ...]


def main() -> int:
    try:
        options = read(make_words.read("mutants", [*WORDS]))
        sources = {path: (ROOT / path).read_text(encoding="utf-8") for path in files()}
        chosen, total = choose(options, sources)
    except Refused as refused:
        print(refused, file=sys.stderr)
        return 1
    isolate()
    say(f"{len(chosen):,} of {total:,} mutants, seed={options.seed}. First, all tests run without a mutant.")
    began = time.monotonic()
    reach = trial.survey(sources)
    say(f"That took {time.monotonic() - began:,.0f} s. Now each mutant runs the tests that reach it.")
    survived = []
    for tried, (mutant, survives) in enumerate(trial.outcomes(chosen, reach, workers()), start=1):
        if survives:
            survived.append(mutant)
            reached = "" if reach.of(mutant.path, mutant.statement) else " (no test reaches it)"
            print(f"\n{mutant.path}:{mutant.line}{reached}", *mutant.diff(sources[mutant.path]), sep="\n", flush=True)
        if tried % 25 == 0:
            say(f"{tried:,} tried, {len(survived)} survived")
    return judge(len(chosen), len(survived), time.monotonic() - began)


def read(words: Sequence[str]) -> Options:
    """words   ["seed=7", ...]"""
    options = WORDS | {name: value for name, _, value in (word.partition("=") for word in words) if name != "PYTHON"}
    for name, value in options.items():
        if name not in WORDS:
            raise Refused(f"{name} is not an argument of make mutants; use {', '.join(WORDS)}.")
        if name != "only" and not (value.isascii() and value.isdigit() and int(value)):
            raise Refused(f"{name}={value} is not a number from 1; give, for example, {name}={WORDS[name]}.")
    only = tuple(options["only"].replace(",", " ").split())
    return Options(int(options["seed"]), int(options["sample"]), only)


def files() -> list[str]:
    return sorted(str(path.relative_to(ROOT)) for folder in PRODUCT for path in (ROOT / folder).rglob("*.py"))


def choose(options: Options, sources: dict[str, str]) -> tuple[list[Mutant], int]:
    """Return the sample, and the number of mutants that it is from."""
    paths = [path for path in sources if not options.only or any(part in path for part in options.only)]
    if not paths:
        raise Refused(
            f"No file's path contains {' or '.join(options.only)}; give a part, for example only=upkeep/growth."
        )
    every = [mutant for path in paths for mutant in mutations.mutants(path, sources[path])]
    shuffled = random.Random(options.seed).sample(every, len(every))  # noqa: S311
    chosen = islice(filter(Mutant.compiles, shuffled), options.sample)
    return sorted(chosen, key=lambda mutant: (mutant.path, mutant.line)), len(every)


def judge(tried: int, survived: int, seconds: float) -> int:
    """Print the score, and return the exit code."""
    score = 100 * (tried - survived) / tried
    killed = f"Killed {tried - survived:,} of {tried:,} mutants in {seconds:,.0f} s"
    print(f"\n{killed}: {score:.1f} %, promised are {PROMISE} %.")
    return 0 if score >= PROMISE else 1


def workers() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def say(progress: str) -> None:
    print(progress, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
