"""Custom::InitPools, killed at each of its calls to AWS, and whatever can follow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from aws_models.ipam import Timings
from in_process.played_once import played_once
from landing_zone.direct_stack import ANOTHER_STACK_ID, DirectStack

Request = dict[str, Any]

QUICK = Timings(
    pool_create=0.3,
    pool_modify=0.3,
    pool_delete=0.3,
    provision=0.3,
    deprovision=0.3,
    cidr_listed=0.2,
    tags_listed=0.2,
)

COMMON = {"TopLevelPoolCidr": "10.0.0.0/8", "IpamPoolPrefixLength": "10", "AccPoolPrefixLength": "12"}
FIRST = COMMON | {"RegionSelection": ["us-west-2", "us-east-1"], "AccEnvName": ["Prod OU"]}
SECOND = COMMON | {"RegionSelection": ["us-east-1", "eu-west-1"], "AccEnvName": ["SDLC OU"]}
THIRD = COMMON | {"RegionSelection": ["eu-west-1", "us-west-2"], "AccEnvName": ["Prod OU", "SDLC OU"]}
GROWN = FIRST | {"PoolSizes": "us-west-2=10+10,us-west-2/Prod OU=10+12"}

AFTER_FIRST = {
    "us-west-2": "10.0.0.0/10",
    "us-west-2 Prod OU": "10.0.0.0/12",
    "us-east-1": "10.64.0.0/10",
    "us-east-1 Prod OU": "10.64.0.0/12",
}
AFTER_SECOND = {  # beside what was there until everything else existed
    "us-east-1": "10.64.0.0/10",
    "us-east-1 SDLC OU": "10.80.0.0/12",
    "eu-west-1": "10.128.0.0/10",
    "eu-west-1 SDLC OU": "10.128.0.0/12",
}
AFTER_GROWTH = AFTER_FIRST | {
    "us-west-2": "10.0.0.0/10,10.128.0.0/10",
    "us-west-2 Prod OU": "10.0.0.0/12,10.128.0.0/10",
}
NAMES_AFTER_THIRD = {
    "eu-west-1", "eu-west-1 Prod OU", "eu-west-1 SDLC OU", "us-west-2", "us-west-2 Prod OU", "us-west-2 SDLC OU",
}  # fmt: skip


@dataclass(frozen=True)
class Killed:
    """A request that is killed: its kind and what it asks for, with the pools that there are before and after it."""

    kind: str
    before: Request
    properties: Request
    pools_before: dict[str, str]
    pools_after: dict[str, str]


KILLED = {
    "Create": Killed("Create", {}, FIRST, {}, AFTER_FIRST),
    "Update": Killed("Update", FIRST, SECOND, AFTER_FIRST, AFTER_SECOND),
    "Grow": Killed("Update", FIRST, GROWN, AFTER_FIRST, AFTER_GROWTH),
    "Shrink": Killed("Update", GROWN, FIRST, AFTER_GROWTH, AFTER_FIRST),
    "Delete": Killed("Delete", FIRST, FIRST, AFTER_FIRST, {}),
}


@played_once
def ready(begun: Killed) -> tuple[DirectStack, Request]:
    """A stack, and the request that will be killed."""
    stack = DirectStack(ipam_timings=QUICK, workers=1)
    stack.set_up()
    with stack.running():
        if begun.kind != "Create":
            stack.ask("Create", "InitPools", FIRST)
            if begun.before != FIRST:
                stack.ask("Update", "InitPools", begun.before)
    stack.wire.counted.clear()
    return stack, stack.request(begun.kind, "InitPools", begun.properties)


def lambda_tries_again(stack: DirectStack, begun: Killed, request: Request) -> bool:
    return succeeded(stack.send(request)) and stack.pools() == begun.pools_after


def cloudformation_rolls_back(stack: DirectStack, begun: Killed, _: Request) -> bool:
    if begun.kind != "Update":  # a delete that failed is asked for again
        return succeeded(stack.ask("Delete", "InitPools", FIRST)) and stack.pools() == {}
    answer = stack.ask("Update", "InitPools", begun.before, "UPDATE_ROLLBACK_IN_PROGRESS")
    return succeeded(answer) and stack.pools() == begun.pools_before


def the_user_wants_something_else(stack: DirectStack, begun: Killed, _: Request) -> bool:
    """After a second. After a deletion this takes another stack, which adopts what the first one has left."""
    stack.clock.advance(1)
    if begun.kind == "Delete":
        stack.forget_stack()
        stack.stack_id = ANOTHER_STACK_ID
    answer = stack.ask("Create" if begun.kind == "Delete" else "Update", "InitPools", THIRD)
    blocks = stack.pools()
    one_each = len(set(blocks.values())) == 6 and "," not in "".join(blocks.values())
    return succeeded(answer) and set(blocks) == NAMES_AFTER_THIRD and one_each


def the_user_deletes_the_stack(stack: DirectStack, _begun: Killed, _: Request) -> bool:
    return succeeded(stack.ask("Delete", "InitPools", SECOND)) and stack.pools() == {}


def succeeded(answer: dict[str, Any] | None) -> bool:
    return answer is not None and answer["Status"] == "SUCCESS"


@pytest.mark.parametrize(
    ("after", "pause_s"),
    [(False, 60.0), (True, 0.0)],
    ids=["before a call, and then a minute", "after a call, and then at once"],
)
@pytest.mark.parametrize(
    "follows",
    [lambda_tries_again, cloudformation_rolls_back, the_user_wants_something_else, the_user_deletes_the_stack],
)
@pytest.mark.parametrize("begun", KILLED.values(), ids=KILLED)
def test_killed_anywhere_it_converges(
    begun: Killed, follows: Callable[[DirectStack, Killed, Request], bool], after: bool, pause_s: float
) -> None:
    """Killed before, or after, calls that a change precedes, or is: reads in a row change nothing in between."""
    stack, request = ready(begun)
    stack.wire.actions.clear()
    with stack.running():
        stack.send(request)
    calls = len(stack.wire.actions)
    assert stack.pools() == begun.pools_after
    changed = [at for at, action in enumerate(stack.wire.actions, 1) if not action.startswith(("Describe", "Get"))]
    assert len(changed) >= 6

    points = sorted({1, *(changed if after else (at + 1 for at in changed if at < calls))})
    # Killed after a call or before the next, it leaves the same behind. So either does every other.
    for at in points[int(after) :: 2]:
        stack, request = ready(begun)
        stack.wire.kill(at, after=after)
        with stack.running():
            assert stack.send(request) is None
            stack.clock.advance(pause_s)
            assert follows(stack, begun, request), f"killed at call {at} of {calls}: {stack.pools()}"


def test_a_repeated_request_finds_the_pools_of_its_first_attempt_before_any_list_shows_them() -> None:
    stack, request = ready(KILLED["Create"])
    stack.wire.lists_late_s = 20
    stack.wire.kill(1, after=True, action="CreateIpamPool")
    with stack.running():
        assert stack.send(request) is None
        assert stack.wire.counted["CreateIpamPool"] == 1

        assert lambda_tries_again(stack, KILLED["Create"], request)

    assert len(stack.wire.made_at) == 1 + len(AFTER_FIRST)  # not one too many that was deleted again


def killed_after_asking_for_a_cidr(stack: DirectStack, kind: str, properties: dict[str, Any]) -> None:
    """A second later, the source of its pool lists it."""
    stack.wire.kill(1, after=True, action="ProvisionIpamPoolCidr")
    stack.send(stack.request(kind, "InitPools", properties))
    stack.clock.advance(1)


def test_a_block_that_its_pool_does_not_show_yet_is_not_asked_for_again_by_the_next_request() -> None:
    stack = DirectStack(ipam_timings=Timings(cidr_listed=20, provision=30), workers=1)
    stack.set_up()
    with stack.running():
        killed_after_asking_for_a_cidr(stack, "Create", FIRST)

        answer = stack.ask("Update", "InitPools", THIRD)

    assert succeeded(answer)
    assert set(stack.pools()) == NAMES_AFTER_THIRD
    assert all(len(stack.rows(pool_id)) == 1 for pool_id in stack.pool_ids().values())


def test_a_further_block_that_its_pool_does_not_show_yet_is_not_asked_for_again_by_the_next_request() -> None:
    stack = DirectStack(ipam_timings=Timings(cidr_listed=20, provision=30), workers=1)
    stack.set_up()
    with stack.running():
        stack.ask("Create", "InitPools", FIRST)
        stack.clock.advance(60)
        killed_after_asking_for_a_cidr(stack, "Update", GROWN)
        began = stack.clock.now()

        answer = stack.ask("Update", "InitPools", GROWN)

    assert succeeded(answer)
    assert stack.pools() == AFTER_GROWTH
    assert stack.clock.now() - began < 300  # it is not only seen by another invocation


def test_a_further_block_that_its_pool_does_not_show_yet_is_asked_for_once_however_many_aws_gives_at_a_time() -> None:
    stack = DirectStack(ipam_timings=Timings(cidr_listed=20, provision=30), workers=1, mutation_lock="none")
    stack.set_up()
    two_blocks = FIRST | {"PoolSizes": "us-west-2/Prod OU=12+12"}
    with stack.running():
        stack.ask("Create", "InitPools", FIRST)
        killed_after_asking_for_a_cidr(stack, "Update", two_blocks)

        assert succeeded(stack.ask("Update", "InitPools", two_blocks))

    assert stack.pools() == AFTER_FIRST | {"us-west-2 Prod OU": "10.0.0.0/12,10.16.0.0/12"}


def test_a_further_block_that_its_pool_does_not_show_yet_is_remembered_while_another_pool_is_made_beside_it() -> None:
    stack = DirectStack(ipam_timings=Timings(cidr_listed=20), workers=1)
    stack.set_up()
    further = FIRST | {"PoolSizes": "us-west-2/Prod OU=12+13"}
    with stack.running():
        stack.ask("Create", "InitPools", FIRST)
        killed_after_asking_for_a_cidr(stack, "Update", further)

        assert succeeded(stack.ask("Update", "InitPools", FIRST | {"AccEnvName": ["Prod OU", "SDLC OU"]}))

    assert stack.pools().keys() == AFTER_FIRST.keys() | {"us-west-2 SDLC OU", "us-east-1 SDLC OU"}
    assert stack.pools()["us-west-2 Prod OU"] == "10.0.0.0/12"  # the further one is given back, as no longer declared


def test_a_cidr_that_its_pool_does_not_show_yet_keeps_no_deletion_from_ending_soon() -> None:
    stack = DirectStack(ipam_timings=Timings(cidr_listed=40), workers=1)
    stack.set_up()
    with stack.running():
        killed_after_asking_for_a_cidr(stack, "Create", FIRST)
        began = stack.clock.now()

        assert succeeded(stack.ask("Delete", "InitPools", FIRST))

    assert stack.listed_pools() == []
    assert stack.wire.published == []
    assert stack.clock.now() - began < 300
