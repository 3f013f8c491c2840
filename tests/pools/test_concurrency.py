"""What is tried next, where AWS takes one change at a time, and when AWS is looked at again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Network

import pytest

from ctipam.pools import pace
from ctipam.pools.change_kinds import (
    CreatePool,
    DeletePool,
    DeprovisionCidr,
    ModifyPool,
    PoolChange,
    ProvisionCidr,
    TagPool,
)
from ctipam.pools.concurrency import Concurrency, InFlight, LockScope, busy_parents
from ctipam.pools.existing import Block, ExistingPool
from ctipam.pools.spec import PoolKey

WEST = ExistingPool("west", "top", "create-complete", PoolKey("us-west-2"))
CIDR = IPv4Network("10.0.0.0/20")
IN_WEST: list[PoolChange] = [CreatePool(PoolKey("us-west-2", name), "west") for name in ("Prod OU", "SDLC OU")]
IN_EAST: list[PoolChange] = [CreatePool(PoolKey("us-east-1", name), "east") for name in ("Prod OU", "SDLC OU")]


def turns(lock_scope: LockScope) -> Concurrency:
    made = Concurrency()
    made.lock_scope = lock_scope
    return made


def test_as_long_as_nothing_was_refused_everything_is_tried_at_once() -> None:
    assert Concurrency().choose([*IN_WEST, *IN_EAST], ["west"]) == [*IN_WEST, *IN_EAST]


def test_where_siblings_exclude_each_other_each_idle_parent_has_a_turn() -> None:
    assert turns(LockScope.SIBLINGS).choose([*IN_WEST, *IN_EAST], []) == [IN_WEST[0], IN_EAST[0]]
    assert turns(LockScope.SIBLINGS).choose([*IN_WEST, *IN_EAST], ["west"]) == [IN_EAST[0]]


def test_where_the_whole_scope_excludes_itself_there_is_one_turn() -> None:
    assert turns(LockScope.SCOPE).choose([*IN_WEST, *IN_EAST], []) == [IN_WEST[0]]
    assert turns(LockScope.SCOPE).choose([*IN_WEST, *IN_EAST], ["elsewhere"]) == []


def test_tags_are_written_at_any_time() -> None:
    record = TagPool(WEST, {})

    assert turns(LockScope.SCOPE).choose([record], ["top"]) == [record]


def test_what_frees_space_comes_first_and_pools_are_created_before_blocks_are_given() -> None:
    provision, create, delete = ProvisionCidr(WEST, CIDR), CreatePool(PoolKey("us-east-1"), "top"), DeletePool(WEST)

    assert turns(LockScope.SIBLINGS).choose([provision, create, delete], []) == [delete]
    assert turns(LockScope.SIBLINGS).choose([provision, create], []) == [create]


@pytest.mark.parametrize(
    ("accepted", "busy", "lock_scope"),
    [
        ([IN_WEST[0]], [], LockScope.SIBLINGS),
        ([], ["west"], LockScope.SIBLINGS),
        ([], ["east"], LockScope.SCOPE),
        ([IN_EAST[0]], [], LockScope.SCOPE),
        ([], [], LockScope.NOTHING),
    ],
    ids=["our sibling", "a busy sibling", "busy elsewhere", "ours elsewhere", "somebody else's, which is waited for"],
)
def test_a_refusal_teaches_how_far_a_change_reaches(
    accepted: list[PoolChange], busy: list[str], lock_scope: LockScope
) -> None:
    learning = Concurrency()

    learning.learn(accepted, [IN_WEST[1]], busy)

    assert learning.lock_scope is lock_scope


def test_a_parent_is_busy_while_a_pool_below_it_changes_or_gets_a_block() -> None:
    getting = replace(WEST, blocks=(Block(CIDR, "pending-provision"),))

    assert busy_parents([WEST]) == set()
    assert busy_parents([getting]) == busy_parents([replace(WEST, state="modify-in-progress")]) == {"top"}


def test_a_created_pool_counts_as_under_way_while_no_list_shows_it_and_not_for_ever() -> None:
    under_way = InFlight()
    under_way.began("west", CreatePool(PoolKey("us-west-2"), "top"), now=0)

    under_way.look([], now=10)
    assert under_way.parents == {"top"}
    assert under_way.touches(CreatePool(PoolKey("us-west-2"), "top"))

    under_way.look([], now=31)
    assert under_way.parents == set()


def test_a_provisioning_counts_as_under_way_until_its_block_is_listed_and_provisioned() -> None:
    under_way = InFlight()
    step = ProvisionCidr(WEST, CIDR)
    under_way.began("west", step, now=0)

    under_way.look([WEST], now=1)
    assert under_way.touches(step)
    under_way.look([replace(WEST, blocks=(Block(CIDR, "pending-provision", "cidr-1"),))], now=2)
    assert under_way.touches(step)
    under_way.look([replace(WEST, blocks=(Block(CIDR, "provisioned", "cidr-1"),))], now=3)
    assert not under_way.touches(step)


GIVEN, FAILED = Block(CIDR, "provisioned"), Block(CIDR, "failed-deprovision")
OTHER = Block(IPv4Network("10.16.0.0/12"), "provisioned")


@pytest.mark.parametrize(
    ("change", "shown", "ended"),
    [
        (CreatePool(PoolKey("us-west-2"), "top"), None, False),
        (CreatePool(PoolKey("us-west-2"), "top"), WEST, True),
        (ProvisionCidr(WEST, CIDR), WEST, False),
        (ProvisionCidr(WEST, CIDR), None, True),
        (DeprovisionCidr(replace(WEST, blocks=(GIVEN,)), CIDR), replace(WEST, blocks=(GIVEN,)), False),
        (DeprovisionCidr(replace(WEST, blocks=(GIVEN,)), CIDR), replace(WEST, blocks=(FAILED,)), True),
        (DeprovisionCidr(replace(WEST, blocks=(GIVEN,)), CIDR), WEST, True),
        (DeprovisionCidr(replace(WEST, blocks=(OTHER, GIVEN)), CIDR), replace(WEST, blocks=(OTHER,)), True),
        (DeprovisionCidr(replace(WEST, blocks=(GIVEN,)), CIDR), None, True),
        (DeletePool(WEST), WEST, False),
        (DeletePool(WEST), replace(WEST, state="delete-failed"), True),
        (DeletePool(WEST), None, True),
        (ModifyPool(PoolKey("us-west-2"), WEST), WEST, True),
    ],
    ids=[
        "a creation that no list shows",
        "a creation",
        "a CIDR that no list shows",
        "a CIDR of a pool that is gone",
        "a CIDR that is still there",
        "a CIDR that AWS did not take back",
        "a CIDR that was taken back",
        "one CIDR of two",
        "a CIDR that went with its pool",
        "a deletion that no list shows",
        "a deletion that failed",
        "a deletion",
        "a modification",
    ],
)
def test_a_change_ends_when_an_idle_pool_shows_that_it_did(
    change: PoolChange, shown: ExistingPool | None, ended: bool
) -> None:
    under_way = InFlight()
    under_way.began("west", change, now=0)

    under_way.look([shown] if shown else [], now=1)

    assert under_way.pool_ids == (set() if ended else {"west"})


def test_only_pools_with_a_cidr_on_its_way_are_asked_for_their_cidrs() -> None:
    under_way = InFlight()
    under_way.began("new", CreatePool(PoolKey("us-east-1"), "top"), now=0)
    under_way.began("given", ProvisionCidr(WEST, CIDR), now=0)
    under_way.began("giving back", DeprovisionCidr(WEST, CIDR), now=0)
    under_way.began("modified", ModifyPool(PoolKey("us-west-2"), WEST), now=0)

    assert under_way.changing_cidrs == {"given", "giving back"}
    assert under_way.being_created == {"new"}


def test_a_modified_pool_is_under_way_while_it_is_busy() -> None:
    under_way = InFlight()
    under_way.began("west", ModifyPool(PoolKey("us-west-2"), WEST), now=0)

    under_way.look([replace(WEST, state="modify-in-progress")], now=1)
    assert under_way.pool_ids == {"west"}
    under_way.look([replace(WEST, state="modify-complete")], now=2)
    assert under_way.pool_ids == set()


@pytest.mark.parametrize(
    ("failed", "change"),
    [
        (replace(WEST, state="modify-failed"), lambda pool: ModifyPool(PoolKey("us-west-2"), pool)),
        (replace(WEST, state="delete-failed"), DeletePool),
        (WEST.with_blocks([Block(CIDR, "failed-deprovision")]), lambda pool: DeprovisionCidr(pool, CIDR)),
    ],
    ids=["modification", "deletion", "deprovisioning"],
)
def test_what_had_failed_before_is_under_way_while_a_list_may_be_older(
    failed: ExistingPool, change: Callable[[ExistingPool], PoolChange]
) -> None:
    under_way = InFlight()
    under_way.began("west", change(failed), now=0)

    under_way.look([failed], now=1)
    assert under_way.pool_ids == {"west"}
    under_way.look([failed], now=InFlight.BELIEVED_S + 1)
    assert not under_way.pool_ids


def test_how_long_a_step_took_tells_when_to_look_for_the_next_of_its_kind() -> None:
    under_way = InFlight()
    under_way.began("west", CreatePool(PoolKey("us-west-2"), "top"), now=0)
    under_way.look([replace(WEST, state="create-in-progress")], now=20)
    under_way.look([WEST], now=22)  # so it took between 20 and 22 s

    under_way.began("east", CreatePool(PoolKey("us-east-1"), "top"), now=100)

    first = pace.first_look_s([20.0], [], 1)
    assert under_way.next_look_s(now=100) == pytest.approx(first)
    under_way.look([], now=100 + first)
    assert under_way.next_look_s(now=100 + first) == pytest.approx(first * pace.SPACING)
    assert under_way.next_look_s(now=102 + first) == 0.0  # applying other changes took the time of the pause


def test_tags_need_not_wait_for_another_change_of_the_pool() -> None:
    under_way = InFlight()
    under_way.began("west", ProvisionCidr(WEST, CIDR), now=0)

    assert not under_way.touches(TagPool(WEST, {"CostCenter": "42"}))


def test_a_pool_is_not_asked_for_its_block_before_aws_can_be_done() -> None:
    under_way = InFlight()
    under_way.began("west", ProvisionCidr(WEST, CIDR), now=0)
    assert under_way.not_yet(now=1) == {"west": ()}
    assert under_way.not_yet(now=pace.LATEST_UNKNOWN_S) == {}  # nothing is known of such changes yet
    under_way.look([replace(WEST, blocks=(Block(CIDR, "pending-provision", "cidr-1"),))], now=20)
    under_way.look([replace(WEST, blocks=(Block(CIDR, "provisioned", "cidr-1"),))], now=21)

    under_way.began("east", ProvisionCidr(replace(WEST, pool_id="east"), CIDR), now=100)

    assert under_way.not_yet(now=110) == {"east": ()}


def test_a_change_that_ended_before_its_first_look_lowers_what_is_expected_only_a_little() -> None:
    under_way = InFlight()
    for began in (0, 100):
        under_way.began("west", CreatePool(PoolKey("us-west-2"), "top"), now=began)
        under_way.look([], now=began + 0.1)
        under_way.look([WEST], now=began + 10)

    assert under_way.next_look_s(now=110) is None
    under_way.began("west", CreatePool(PoolKey("us-west-2"), "top"), now=200)
    assert under_way.next_look_s(now=200) == pytest.approx(pace.first_look_s([10 * pace.EARLY] * 2, [], 1))


def test_of_several_changes_the_one_that_may_end_first_is_looked_at() -> None:
    under_way = InFlight()
    under_way.began("west", CreatePool(PoolKey("us-west-2"), "top"), now=0)
    under_way.began("east", CreatePool(PoolKey("us-east-1"), "top"), now=1)

    assert under_way.next_look_s(now=1) == pytest.approx(pace.UNKNOWN_S - 1)


def test_with_nothing_under_way_there_is_nothing_to_look_for() -> None:
    assert InFlight().next_look_s(now=0) is None
