"""Custom::InitPools, when CloudFormation sends another request while the function still works on the first.

CloudFormation rolls back and deletes without waiting for the function. Each test enumerates the moments at which the
second request can begin. The first one must stop, and what is there in the end must be what the second one wanted.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from aws_models.ipam import Timings
from in_process.played_once import played_once
from in_process.turns import ARRIVALS, Moment, Race, at_each_call, at_each_wait, changes_after_slow_reads, race_of
from landing_zone.direct_stack import DirectStack

QUICK = Timings(pool_create=0.3, pool_modify=0.3, pool_delete=0.3, provision=0.3, deprovision=0.3, cidr_listed=0.2)

BEFORE = {
    "TopLevelPoolCidr": "10.0.0.0/8",
    "IpamPoolPrefixLength": "10",
    "AccPoolPrefixLength": "12",
    "RegionSelection": ["us-west-2", "us-east-1"],
    "AccEnvName": ["Prod OU"],
}
ADDED = BEFORE | {"RegionSelection": ["us-west-2", "us-east-1", "eu-west-1"]}
REMOVED = BEFORE | {"RegionSelection": ["us-east-1"]}
GROWN = BEFORE | {"PoolSizes": "us-west-2=10+10,us-west-2/Prod OU=10+12"}
RESERVED = BEFORE | {"ReservedCidrs": ["10.0.0.0/16"]}
OLD_POOLS = {
    "us-west-2": "10.0.0.0/10",
    "us-west-2 Prod OU": "10.0.0.0/12",
    "us-east-1": "10.64.0.0/10",
    "us-east-1 Prod OU": "10.64.0.0/12",
}


@dataclass(frozen=True)
class Case:
    """name     of the first request, which the function still works on
    first    its kind, its properties, and the status of the stack
    second   what CloudFormation requests then: the kind, and the status of the stack
    built    the properties of the pools that exist before both; None: there are none
    """

    name: str
    first: tuple[str, dict[str, Any], str]
    second: tuple[str, str]
    built: dict[str, Any] | None = None

    def __str__(self) -> str:
        return f"{self.name}, then {self.second[1]}"

    @contextmanager
    def ready(self) -> Iterator[Race[DirectStack]]:
        kind, properties, status = self.first
        stack = before(self.built)
        first = stack.request(kind, "InitPools", properties)
        second = stack.request(self.second[0], "InitPools", BEFORE)
        with stack.running():
            yield race_of(stack, (first, status), (second, self.second[1]))

    def check(self, moment: Moment[DirectStack]) -> None:
        """What the second request asked for is what there is."""
        stack = moment.race.world
        stack.clock.advance(60)
        if self.second[0] == "Delete":
            assert stack.listed_pools() == [], moment
        else:
            assert stack.pools() == OLD_POOLS, moment
            assert len(stack.listed_pools()) == 1 + len(OLD_POOLS), moment


@played_once
def before(built: dict[str, Any] | None) -> DirectStack:
    """Return a stack with the pools of these properties."""
    stack = DirectStack(ipam_timings=QUICK, workers=1)
    stack.set_up()
    if built:
        with stack.running():
            stack.ask("Create", "InitPools", built)
        stack.clock.advance(60)
    return stack


CREATION = ("Create", BEFORE, "CREATE_IN_PROGRESS")
ADDITION = ("Update", ADDED, "UPDATE_IN_PROGRESS")
REMOVAL = ("Update", REMOVED, "UPDATE_IN_PROGRESS")
GROWTH = ("Update", GROWN, "UPDATE_IN_PROGRESS")
RESERVATION = ("Update", RESERVED, "UPDATE_IN_PROGRESS")
ROLLBACK = ("Update", BEFORE, "UPDATE_ROLLBACK_IN_PROGRESS")

CASES = [
    Case("creation", CREATION, ("Delete", "ROLLBACK_IN_PROGRESS")),
    Case("addition", ADDITION, ("Update", "UPDATE_ROLLBACK_IN_PROGRESS"), built=BEFORE),
    Case("addition", ADDITION, ("Delete", "DELETE_IN_PROGRESS"), built=BEFORE),
    Case("removal", REMOVAL, ("Update", "UPDATE_ROLLBACK_IN_PROGRESS"), built=BEFORE),
    Case("rollback that removes", ROLLBACK, ("Delete", "DELETE_IN_PROGRESS"), built=ADDED),
    Case("growth", GROWTH, ("Update", "UPDATE_ROLLBACK_IN_PROGRESS"), built=BEFORE),
    Case("growth", GROWTH, ("Delete", "DELETE_IN_PROGRESS"), built=BEFORE),
    Case("reservation", RESERVATION, ("Update", "UPDATE_ROLLBACK_IN_PROGRESS"), built=BEFORE),
]


@pytest.mark.parametrize("case", [case for case in CASES if case.name != "reservation"], ids=str)  # which never waits
def test_a_request_that_is_superseded_while_it_waits_stops_and_is_not_answered(case: Case) -> None:
    for moment in at_each_wait(case.ready):
        case.check(moment)


@pytest.mark.parametrize("arrives", ARRIVALS)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_call_that_arrives_while_the_successor_waits_changes_nothing_in_the_end(case: Case, arrives: str) -> None:
    for moment in at_each_call(case.ready, arrives):
        case.check(moment)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_request_that_is_superseded_during_a_slow_read_changes_nothing_more(case: Case) -> None:
    assert changes_after_slow_reads(case.ready) == []
