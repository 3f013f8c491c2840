"""What the watch has found, and its log lines, see `metrics`. Their fields:

    {"Subject": "vpc-0a1b in 111122223333", "OverlappingVpcs": 1, "Message": "..."}

Each subject is a metric of its own while the finding lasts, so that the alarm reports each.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ctipam.metrics import dimension_value, emf_line

DIMENSION = "Subject"
COUNT = "Findings"
"""In the line that stands before those of the findings: how many there are, so that a look without any shows too."""

SUBJECTS_PER_METRIC = 50
"""CloudWatch bills each subject as a metric. Findings beyond this number are logged and have no metric."""


@dataclass(frozen=True, order=True)
class Finding:
    """metric    "OverlappingVpcs", for example: names the alarm that reports it
    subject   what it is about; the same in every run, as long as it lasts
    message   what is wrong and what to do
    """

    metric: str
    subject: str
    message: str


def lines(findings: Iterable[Finding], at_s: float) -> Iterator[str]:
    """Yield a line with their number, and one for each finding. at_s: when it was found, in seconds since 1970."""
    findings = sorted(findings)
    yield json.dumps({COUNT: len(findings)})
    counted = Counter[str]()
    for finding in findings:
        counted[finding.metric] += 1
        yield _line(finding, at_s, with_metric=counted[finding.metric] <= SUBJECTS_PER_METRIC)


def last_watch(logged: Iterable[tuple[int, str]]) -> tuple[int, list[Finding]] | None:
    """Return when the watch last looked, and what it found; None if it has not looked.

    logged   the lines of its log: when each was written, in milliseconds since 1970, and its text
    """
    parsed = [(at, fields) for at, text in logged if (fields := _fields(text))]
    looks = [at for at, fields in parsed if COUNT in fields]
    if not looks:
        return None
    last = max(looks)
    found = {_finding(fields) for at, fields in parsed if at >= last and DIMENSION in fields}
    return last, sorted(found)


def _fields(text: str) -> dict[str, Any]:
    try:
        fields = json.loads(text)
    except ValueError:  # a line that Lambda or Python wrote
        return {}
    return fields if isinstance(fields, dict) else {}


def _finding(fields: dict[str, Any]) -> Finding:
    metric = next((name for name in fields if name not in ("_aws", DIMENSION)), "")
    return Finding(metric, str(fields[DIMENSION]), str(fields.get("Message", "")))


def _line(finding: Finding, at_s: float, *, with_metric: bool) -> str:
    fields = {DIMENSION: dimension_value(finding.subject), finding.metric: 1, "Message": finding.message}
    return emf_line(fields, finding.metric, "Count", [DIMENSION], at_s) if with_metric else json.dumps(fields)
