"""What a run of the schedule has to do beside measuring.

Imports nothing of what does it: most runs have nothing to do, and it takes as long to import as to measure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ctipam import names
from ctipam.ipam.listing import stack_of
from ctipam.tags import to_dict
from ctipam.upkeep.utilization import Utilization

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import IpamPoolTypeDef

SCHEDULE_MINUTES = 5
WATCH_EVERY_MINUTES = 60


def is_watch_due(event: Mapping[str, Any]) -> bool:
    """Return whether this run of the schedule is the one of the hour that watches.

    event   {"time": "2026-11-26T10:03:00Z"}: when the schedule was due, to the minute. Without a time: an operator's
    """
    time = str(event.get("time", ""))
    minute = int(time[14:16]) if time[14:16].isdecimal() else 0
    return minute % WATCH_EVERY_MINUTES < SCHEDULE_MINUTES


def is_growth_due(
    listed: Iterable[IpamPoolTypeDef], measured: Sequence[Utilization], *, stack_id: str, threshold: float
) -> bool:
    """Return whether `growing` has something to do: a pool is over the threshold, or one of the stack is noted."""
    return any(utilization.percent_used >= threshold for utilization in measured) or any(
        names.GROWTH_TAG in to_dict(pool.get("Tags", [])) for pool in listed if stack_of(pool) == stack_id
    )
