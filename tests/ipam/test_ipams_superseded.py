"""Custom::Ipam, when CloudFormation sends another request while the function still works on the first.

Each test enumerates the moments at which the second request can begin. The first one must stop, and what is there in
the end must be what the second one wanted.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from aws_models.ipam import Timings
from ctipam import names
from ctipam.tags import to_dict, to_list
from in_process.played_once import played_once
from in_process.turns import ARRIVALS, Moment, Race, at_each_call, at_each_wait, changes_after_slow_reads, race_of
from landing_zone.direct_stack import ANOTHER_STACK_ID, NETWORKING, PROPERTIES, DirectStack

SANDBOX = "o-exampleorgid/r-f6g7/ou-f6g7-awsccccc/*"
BEFORE = PROPERTIES | {"IpamMeteredAccount": "ipam-owner", "IpamExclusions": "none"}
CHANGED = BEFORE | {
    "RegionSelection": ["us-west-2", "us-east-1", "eu-west-1"],
    "IpamMeteredAccount": "resource-owner",
    "IpamExclusions": SANDBOX,
}
EARLIER = ANOTHER_STACK_ID.replace("ipam-2", "ipam-0")
GONE = ("delete-in-progress", "delete-complete")


@dataclass(frozen=True)
class Case:
    """name     of the first request, which the function still works on
    first    its kind, its properties, and the status of the stack
    second   what CloudFormation requests then: the kind, and the status of the stack
    built    the properties of this stack's IPAM that exists before both; None: it has none
    left_by  the stack whose IPAM exists before both; empty: there is none
    leaving  that IPAM is being deleted
    """

    name: str
    first: tuple[str, dict[str, Any], str]
    second: tuple[str, str]
    built: dict[str, Any] | None = None
    left_by: str = ""
    leaving: bool = False

    def __str__(self) -> str:
        return f"{self.name}, then {self.second[1]}"

    @contextmanager
    def ready(self) -> Iterator[Race[DirectStack]]:
        kind, properties, status = self.first
        stack = before(self.built, self.left_by, self.leaving)
        first = stack.request(kind, "Ipam", properties)
        second = stack.request(self.second[0], "Ipam", BEFORE)
        with stack.running():
            yield race_of(stack, (first, status), (second, self.second[1]))

    def check(self, moment: Moment[DirectStack]) -> None:
        """What the second request asked for is what there is."""
        stack = moment.race.world
        stack.clock.advance(60)
        if self.left_by and ipams(stack):
            # The first had not taken it over yet, so it is not the stack's to delete. The next stack takes it over.
            assert to_dict(only_ipam(stack)["Tags"])[names.STACK_TAG] == self.left_by, moment
            stack.forget_stack()
            stack.stack_id = ANOTHER_STACK_ID
            assert stack.ask("Create", "Ipam", BEFORE)["Status"] == "SUCCESS", moment
            assert stack.ask("Delete", "Ipam", BEFORE)["Status"] == "SUCCESS", moment
        if self.second[0] == "Delete":
            assert ipams(stack) == [], moment
            return
        ipam = only_ipam(stack)
        assert ipam["State"].endswith("-complete"), moment
        assert {"us-west-2", "us-east-1"} <= {region["RegionName"] for region in ipam["OperatingRegions"]}, moment
        assert ipam["MeteredAccount"] == BEFORE["IpamMeteredAccount"], moment
        (discovery,) = stack.ec2.describe_ipam_resource_discoveries()["IpamResourceDiscoveries"]
        assert discovery["OrganizationalUnitExclusions"] == [], moment


@played_once
def before(built: dict[str, Any] | None, left_by: str, leaving: bool) -> DirectStack:
    """Return a stack with the IPAM of these properties, or with one that another stack has left."""
    stack = DirectStack(ipam_timings=Timings(ipam_delete=30, ous_known=30), workers=1)
    stack.models.organization.delegated_administrators["ipam.amazonaws.com"] = NETWORKING
    if built:
        with stack.running():
            stack.ask("Create", "Ipam", built)
    if left_by:
        tags = to_list({"Name": "landing-zone", names.STACK_TAG: left_by})
        stack.set_up()
        stack.ec2.create_tags(Resources=[only_ipam(stack)["IpamId"]], Tags=tags)
    stack.clock.advance(60)
    if leaving:
        stack.ec2.delete_ipam(IpamId=only_ipam(stack)["IpamId"])
    return stack


CREATION = ("Create", CHANGED, "CREATE_IN_PROGRESS")
UPDATE = ("Update", CHANGED, "UPDATE_IN_PROGRESS")
ROLLBACK = ("Update", BEFORE, "UPDATE_ROLLBACK_IN_PROGRESS")

CASES = [
    Case("creation", CREATION, ("Delete", "DELETE_IN_PROGRESS")),
    Case("creation", CREATION, ("Delete", "ROLLBACK_IN_PROGRESS")),
    Case("creation after a deletion", CREATION, ("Delete", "ROLLBACK_IN_PROGRESS"), left_by=EARLIER, leaving=True),
    Case("adoption", CREATION, ("Delete", "ROLLBACK_IN_PROGRESS"), left_by=EARLIER),
    Case("update", UPDATE, ("Update", "UPDATE_ROLLBACK_IN_PROGRESS"), built=BEFORE),
    Case("update", UPDATE, ("Delete", "DELETE_IN_PROGRESS"), built=BEFORE),
    Case("rollback", ROLLBACK, ("Delete", "DELETE_IN_PROGRESS"), built=CHANGED),
]


def ipams(stack: DirectStack) -> list[dict[str, Any]]:
    return [ipam for ipam in stack.ec2.describe_ipams()["Ipams"] if ipam["State"] not in GONE]


def only_ipam(stack: DirectStack) -> dict[str, Any]:
    (ipam,) = ipams(stack)
    return ipam


@pytest.mark.parametrize("case", CASES, ids=str)
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
