"""Custom::ShareExistingAccounts, when CloudFormation sends another request while the function still works on the first.

Each test enumerates the moments at which the second request can begin. The first one must stop, and the shares in the
end must be those that the second one wanted.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import pytest

from ctipam import names
from ctipam.sharing import rounds
from in_process.fixtures import (
    MANAGEMENT,
    NETWORKING,
    STACK_ID,
    LandingZone,
    recorded_answers,
    running_cloud,
    set_environment,
)
from in_process.lifecycle_events import ONE, PROD, SDLC, ZERO
from in_process.quick_calls import observing, quick_calls
from in_process.turns import ARRIVALS, FIRST, SECOND, Moment, Race, at_each_call, at_each_wait, changes_after_slow_reads
from landing_zone.direct import SideBySide
from landing_zone.direct_stack import Context, import_index

SHARED = {f"ipamShare-{ZERO}": PROD, f"ipamShare-{ONE}": SDLC}
OLD_TAGS, NEW_TAGS = {"CostCenter": "42"}, {"CostCenter": "43", "Owner": "network"}
FORGOTTEN_S = 3 * 3600.0  # RAM lists a deleted share for two hours


class Zone:
    """A landing zone that all sequences use, one after the other."""

    def __init__(self, landing_zone: LandingZone, answers: list[dict[str, Any]]) -> None:
        self.landing_zone = landing_zone
        self.answers = answers
        self.clock = landing_zone.clock
        self._indexes = [import_index("ct-integration-lambda") for _ in range(2)]  # execution environments

    def serve(self, request_id: str, kind: str, status: str, tags: dict[str, str]) -> None:
        self.landing_zone.stack |= {
            "StackStatus": status,
            "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
        }
        request = {
            "RequestType": kind,
            "ResponseURL": "https://answers.example/presigned",
            "StackId": STACK_ID,
            "RequestId": request_id,
            "ResourceType": "Custom::ShareExistingAccounts",
            "LogicalResourceId": "ShareExistingAccounts",
            "PhysicalResourceId": "made-before",
            "ResourceProperties": {"NetworkAccountId": NETWORKING},
        }
        index = self._indexes[request_id == SECOND]
        index.share_existing_accounts(request, Context(self.clock, MANAGEMENT))

    def damage(self) -> None:
        """Take a pool from the first account, the share from the second, and what a pool says of its OU, for an update
        to mend."""
        shares = {share["name"]: share["resourceShareArn"] for share in self.landing_zone.live_shares()}
        pool = self.landing_zone.pool_arns()["us-east-1 Prod OU"]
        ram = self.landing_zone.networking_ram
        ram.disassociate_resource_share(resourceShareArn=shares[f"ipamShare-{ZERO}"], resourceArns=[pool])
        ram.delete_resource_share(resourceShareArn=shares[f"ipamShare-{ONE}"])
        resources, tags = [pool.rpartition("/")[2]], [{"Key": names.OU_TAG}]
        self.landing_zone.networking_ec2.delete_tags(Resources=resources, Tags=tags)
        self.clock.advance(60)

    def clear(self) -> None:
        self.serve("last", "Delete", "DELETE_IN_PROGRESS", OLD_TAGS)
        self.clock.advance(FORGOTTEN_S)
        assert not self.landing_zone.live_shares()
        self.answers.clear()

    def tags(self) -> list[dict[str, str]]:
        """Return the stack's tags on each share."""
        shares = self.landing_zone.live_shares()
        keys = {*OLD_TAGS, *NEW_TAGS}
        return [{tag["key"]: tag["value"] for tag in share["tags"] if tag["key"] in keys} for share in shares]


@pytest.fixture(scope="module")
def zone() -> Iterator[Zone]:
    with ExitStack() as stack:
        monkeypatch = stack.enter_context(pytest.MonkeyPatch.context())
        set_environment(monkeypatch)
        cloud = stack.enter_context(running_cloud(monkeypatch))
        answers = recorded_answers(monkeypatch)
        landing_zone = LandingZone(cloud, answers, monkeypatch)
        landing_zone.add_pools("Prod OU", "SDLC OU")
        for account_id, name in ((ZERO, "Prod OU"), (ONE, "SDLC OU")):
            cloud.add_account(account_id, cloud.add_ou(name))

        one_worker = SideBySide(cloud.clock, 1)
        stack.enter_context(patch.object(rounds, "ThreadPoolExecutor", lambda _workers: one_worker))
        stack.enter_context(cloud.running_in(MANAGEMENT))
        stack.enter_context(quick_calls())
        zone = Zone(landing_zone, answers)
        zone.serve("warm-up", "Create", "CREATE_IN_PROGRESS", OLD_TAGS)  # it alone writes the OUs on the pools
        zone.clear()
        yield zone


@dataclass(frozen=True)
class Case:
    """first    what the function still works on: the kind, and the status of the stack
    second   what CloudFormation requests then, likewise
    """

    first: tuple[str, str]
    second: tuple[str, str]

    def __str__(self) -> str:
        return f"{self.first[1]}, then {self.second[1]}"

    @contextmanager
    def ready(self, zone: Zone) -> Iterator[Race[Zone]]:
        kind, status = self.first
        if kind == "Update":
            zone.serve("before", "Create", "CREATE_IN_PROGRESS", OLD_TAGS)
            zone.damage()
            zone.answers.clear()
        tags = NEW_TAGS if status == "UPDATE_IN_PROGRESS" else OLD_TAGS
        yield Race(
            zone,
            zone.clock,
            first=lambda: zone.serve(FIRST, kind, status, tags),
            second=lambda: zone.serve(SECOND, *self.second, OLD_TAGS),
            supersede=lambda: zone.landing_zone.stack.update({"StackStatus": self.second[1]}),
            answers=zone.answers,
            calls=observing,
            are_updates=kind == self.second[0] == "Update",
        )
        zone.clear()

    def check(self, moment: Moment[Zone]) -> None:
        """What the second request asked for is what there is."""
        zone = moment.race.world
        zone.clock.advance(60)
        if self.second[0] == "Delete":
            assert not zone.landing_zone.live_shares(), moment
        else:
            assert zone.landing_zone.shared_now() == SHARED, moment
            assert zone.tags() == [OLD_TAGS, OLD_TAGS], moment


CASES = [
    Case(("Create", "CREATE_IN_PROGRESS"), ("Delete", "DELETE_IN_PROGRESS")),
    Case(("Create", "CREATE_IN_PROGRESS"), ("Delete", "ROLLBACK_IN_PROGRESS")),
    Case(("Update", "UPDATE_IN_PROGRESS"), ("Update", "UPDATE_ROLLBACK_IN_PROGRESS")),
    Case(("Update", "UPDATE_IN_PROGRESS"), ("Delete", "DELETE_IN_PROGRESS")),
    Case(("Update", "UPDATE_ROLLBACK_IN_PROGRESS"), ("Delete", "DELETE_IN_PROGRESS")),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_request_that_is_superseded_while_it_waits_stops_and_is_not_answered(zone: Zone, case: Case) -> None:
    for moment in at_each_wait(lambda: case.ready(zone)):
        case.check(moment)


@pytest.mark.parametrize("arrives", ARRIVALS)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_call_that_arrives_while_the_successor_waits_changes_nothing_in_the_end(
    zone: Zone, case: Case, arrives: str
) -> None:
    for moment in at_each_call(lambda: case.ready(zone), arrives):
        case.check(moment)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_request_that_is_superseded_during_a_slow_read_changes_nothing_more(zone: Zone, case: Case) -> None:
    assert changes_after_slow_reads(lambda: case.ready(zone)) == []
