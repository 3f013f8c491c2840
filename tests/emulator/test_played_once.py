"""Stacks that are played once and copied."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from aws_models.ipam import Timings
from in_process.played_once import played_once
from landing_zone.direct_stack import BUILT, HOME, PROPERTIES, DirectStack


@pytest.fixture
def played() -> list[str]:
    """Return the names of the stacks that were played."""
    return []


@pytest.fixture
def half_built(played: list[str]) -> Callable[[str], DirectStack]:
    """Return what gives a stack whose first request was killed when AWS had begun to make a pool."""

    @played_once
    def play(name: str) -> DirectStack:
        played.append(name)
        stack = DirectStack(workers=1, ipam_timings=Timings(pool_create=30))
        stack.set_up()
        stack.wire.kill(2, after=True, action="CreateIpamPool")
        with stack.running():
            assert stack.send(stack.request("Create", "InitPools", PROPERTIES)) is None
        stack.clock.advance(2)
        assert {pool["State"] for pool in stack.listed_pools()} == {"create-complete", "create-in-progress"}
        return stack

    return play


def test_a_stack_is_played_once_for_the_same_arguments(
    played: list[str], half_built: Callable[[str], DirectStack]
) -> None:
    for name in ("one", "another", "one"):
        half_built(name)

    assert played == ["one", "another"]


def test_what_was_begun_ends_in_every_copy_and_the_stack_can_be_built(
    half_built: Callable[[str], DirectStack],
) -> None:
    for _ in range(2):
        with half_built("one").running() as stack:
            stack.clock.advance(60)
            assert {pool["State"] for pool in stack.listed_pools()} == {"create-complete"}
            assert stack.ask("Update", "InitPools", PROPERTIES)["Status"] == "SUCCESS"
        assert stack.pools() == BUILT


def test_what_happens_to_a_copy_happens_to_no_other(half_built: Callable[[str], DirectStack]) -> None:
    changed, other = half_built("one"), half_built("one")
    (scope_id,) = {pool["IpamScopeArn"].rpartition("/")[2] for pool in changed.listed_pools()}

    began = changed.clock.now()
    changed.ec2_in(HOME).create_ipam_pool(IpamScopeId=scope_id, AddressFamily="ipv4")
    changed.clock.advance(60)

    assert len(changed.listed_pools()) == len(other.listed_pools()) + 1
    assert other.clock.now() == began
