"""Custom::OrganizationSetup, when CloudFormation sends another request while the function still works on the first.

Each test enumerates the moments at which the second request can begin. The first one must stop. What is enabled stays
enabled. The StackSet of an earlier deployment may be in any state of its removal: the next deployment completes it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from ctipam import names
from ctipam.tags import to_list
from in_process.aws_calls import intercept
from in_process.fixtures import (
    DEFAULTS,
    HOME,
    MANAGEMENT,
    NETWORKING,
    STACK_ID,
    Cloud,
    of_management,
    recorded_answers,
    running_cloud,
    set_environment,
)
from in_process.quick_calls import observing, quick_calls
from in_process.stack_sets import StackSets
from in_process.turns import ARRIVALS, FIRST, SECOND, Moment, Race, at_each_call, at_each_wait, changes_after_slow_reads
from landing_zone.direct_stack import Context, import_index

OLD = f"arn:aws:cloudformation:{HOME}:{NETWORKING}:stack/StackSet-ipam-networking/22222222-2222-3333-4444-555555555555"


class Zone:
    """A landing zone that all sequences use, one after the other. An earlier deployment has left an IPAM in it."""

    def __init__(self, cloud: Cloud, stack_sets: StackSets, answers: list[dict[str, Any]]) -> None:
        self.cloud = cloud
        self.stack_sets = stack_sets
        self.answers = answers
        self.ec2 = cloud.client("ec2", NETWORKING)
        self.ipam_id = self.ec2.create_ipam(OperatingRegions=[{"RegionName": HOME}])["Ipam"]["IpamId"]
        cloud.clock.advance(60)
        self._indexes = [import_index("ct-integration-lambda") for _ in range(2)]  # execution environments

    def begin(self, *, left_over: bool) -> None:
        self._tag_ipam(OLD if left_over else names.RELEASED)
        self.stack_sets.exists = left_over
        self.stack_sets.stack_ids = [OLD] if left_over else []
        self.stack_sets.operations.clear()
        self.cloud.stacks[OLD] = {"StackStatus": "CREATE_COMPLETE" if left_over else "DELETE_COMPLETE"}
        self.answers.clear()

    def _tag_ipam(self, stack_id: str) -> None:
        self.ec2.create_tags(Resources=[self.ipam_id], Tags=to_list({names.STACK_TAG: stack_id}))

    def owner(self) -> str:
        """Return the stack that the IPAM is tagged with."""
        (ipam,) = self.ec2.describe_ipams()["Ipams"]
        return next(str(tag["Value"]) for tag in ipam["Tags"] if tag["Key"] == names.STACK_TAG)

    def serve(self, request_id: str, kind: str, status: str) -> None:
        self.cloud.stacks[STACK_ID] = {"StackStatus": status}
        request = {
            "RequestType": kind,
            "ResponseURL": "https://answers.example/presigned",
            "StackId": STACK_ID,
            "RequestId": request_id,
            "ResourceType": "Custom::OrganizationSetup",
            "LogicalResourceId": "OrganizationSetup",
            "PhysicalResourceId": "made-before",
            "ResourceProperties": DEFAULTS | {"NetworkAccountId": NETWORKING},
            "OldResourceProperties": DEFAULTS | {"NetworkAccountId": NETWORKING},
        }
        index = self._indexes[request_id == SECOND]
        index.organization_setup(request, Context(self.cloud.clock, MANAGEMENT))


@pytest.fixture(scope="module")
def zone() -> Iterator[Zone]:
    with ExitStack() as stack:
        monkeypatch = stack.enter_context(pytest.MonkeyPatch.context())
        set_environment(monkeypatch)
        cloud = stack.enter_context(running_cloud(monkeypatch))
        cloud.models.organization.home_region = HOME
        of_management("iam").create_role(
            RoleName="AWSControlTowerStackSetRole", Path="/service-role/", AssumeRolePolicyDocument="{}"
        )
        of_management("ec2").enable_ipam_organization_admin_account(DelegatedAdminAccountId=NETWORKING)
        answers = recorded_answers(monkeypatch)
        stack_sets = StackSets(cloud.clock)
        intercept(monkeypatch, stack_sets.answer)
        stack.enter_context(cloud.running_in(MANAGEMENT))
        stack.enter_context(quick_calls())
        zone = Zone(cloud, stack_sets, answers)
        zone.begin(left_over=False)
        zone.serve("warm-up", "Create", "CREATE_IN_PROGRESS")  # the first request makes calls that no other makes
        yield zone


@dataclass(frozen=True)
class Case:
    """first       what the function still works on: the kind, and the status of the stack
    second      what CloudFormation requests then, likewise
    left_over   an earlier deployment has left its StackSet
    """

    first: tuple[str, str]
    second: tuple[str, str]
    left_over: bool = False

    def __str__(self) -> str:
        return f"{self.first[1]}{' with a leftover' if self.left_over else ''}, then {self.second[1]}"

    @contextmanager
    def ready(self, zone: Zone) -> Iterator[Race[Zone]]:
        zone.begin(left_over=self.left_over)
        yield Race(
            zone,
            zone.cloud.clock,
            first=lambda: zone.serve(FIRST, *self.first),
            second=lambda: zone.serve(SECOND, *self.second),
            supersede=lambda: zone.cloud.stacks[STACK_ID].update({"StackStatus": self.second[1]}),
            answers=zone.answers,
            calls=observing,
            are_updates=self.first[0] == self.second[0] == "Update",
        )

    def check(self, moment: Moment[Zone]) -> None:
        """The next deployment succeeds too."""
        zone = moment.race.world
        zone.serve("next", "Create", "CREATE_IN_PROGRESS")
        assert zone.answers[-1]["Status"] == "SUCCESS", moment
        assert not zone.stack_sets.exists, moment
        assert zone.owner() == names.RELEASED, moment
        assert zone.cloud.models.organization.ram_sharing_enabled


CASES = [
    Case(("Create", "CREATE_IN_PROGRESS"), ("Delete", "DELETE_IN_PROGRESS")),
    Case(("Create", "CREATE_IN_PROGRESS"), ("Delete", "ROLLBACK_IN_PROGRESS"), left_over=True),
    Case(("Update", "UPDATE_IN_PROGRESS"), ("Update", "UPDATE_ROLLBACK_IN_PROGRESS")),
    Case(("Update", "UPDATE_IN_PROGRESS"), ("Delete", "DELETE_IN_PROGRESS")),
]


def test_a_request_that_is_superseded_while_it_waits_stops_and_is_not_answered(zone: Zone) -> None:
    (case,) = (case for case in CASES if case.left_over)  # the others never wait
    for moment in at_each_wait(lambda: case.ready(zone)):
        case.check(moment)


@pytest.mark.parametrize("arrives", ARRIVALS)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_call_that_arrives_after_its_successor_has_begun_changes_nothing_in_the_end(
    zone: Zone, case: Case, arrives: str
) -> None:
    for moment in at_each_call(lambda: case.ready(zone), arrives):
        case.check(moment)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_request_that_is_superseded_during_a_slow_read_changes_nothing_more(zone: Zone, case: Case) -> None:
    assert changes_after_slow_reads(lambda: case.ready(zone)) == []
