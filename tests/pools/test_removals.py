"""What is removed next: whole pools, what a deletion frees of pools that stay, and what makes room first."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Network
from typing import Any

import pytest

from ctipam import names
from ctipam.pools import record
from ctipam.pools.change_kinds import DeletePool, DeprovisionCidr, PendingChanges
from ctipam.pools.existing import Allocation, Block, ExistingPool
from ctipam.pools.matching import compare
from ctipam.pools.removals import first_in_the_way, removals, subtree, surplus_removals, unused_removals
from ctipam.pools.spec import TOP_LEVEL, PoolKey, PoolSpec

WEST, PROD, SDLC = PoolKey("us-west-2"), PoolKey("us-west-2", "Prod OU"), PoolKey("us-west-2", "SDLC OU")
LOW, HIGH = IPv4Network("10.0.0.0/21"), IPv4Network("10.0.8.0/21")


def pool(key: PoolKey, cidrs: str = "", state: str = "create-complete", **fields: Any) -> ExistingPool:
    """Return a pool all of whose CIDRs were declared."""
    blocks = tuple(Block(IPv4Network(cidr), "provisioned") for cidr in cidrs.split())
    made: dict[str, Any] = {"blocks": blocks, "tags": {names.BLOCK_TAG: cidrs}}
    name = key.environment or key.region or "top"
    source = "ipam-pool-us-west-2" if key.environment else "ipam-pool-top" if key.region else ""
    return ExistingPool(f"ipam-pool-{name}", source, state, key, **(made | fields))


def state_of(block: str, state: str) -> dict[str, Any]:
    return {"blocks": (Block(IPv4Network(block), state),)}


@pytest.mark.parametrize(
    ("unwanted", "below", "change"),
    [
        (pool(WEST, "10.0.0.0/20"), [pool(PROD)], "us-west-2 (has pools below it)"),
        (pool(PROD, state="modify-in-progress"), [], "us-west-2/Prod OU (modify-in-progress)"),
        (pool(PROD, state="delete-in-progress"), [], "us-west-2/Prod OU (delete-in-progress)"),
        (pool(PROD, "10.0.0.0/21", "isolate-complete"), [], "us-west-2/Prod OU (isolate-complete)"),
        (pool(PROD, **state_of("10.0.0.0/21", "pending-provision")), [], "us-west-2/Prod OU (pending-provision)"),
        (pool(PROD, state="create-failed"), [], DeletePool),
        (pool(PROD, state="delete-failed"), [], DeletePool),
        (pool(PROD, **state_of("10.0.0.0/21", "deprovisioned")), [], DeletePool),
        (pool(PROD, "10.0.8.0/21 10.0.0.0/21"), [], DeprovisionCidr),
    ],
)
def test_how_an_unwanted_pool_is_removed(unwanted: ExistingPool, below: list[ExistingPool], change: Any) -> None:
    found = removals([unwanted], [unwanted, *below])

    if isinstance(change, str):
        assert found == PendingChanges((), (change,))
    else:
        expected = DeletePool(unwanted) if change is DeletePool else DeprovisionCidr(unwanted, LOW)
        assert found == PendingChanges((expected,))


def test_before_an_unwanted_pool_is_emptied_it_is_recorded_that_all_of_it_goes() -> None:
    (change,) = removals([pool(PROD, "10.0.0.0/21")], []).changes

    assert isinstance(change, DeprovisionCidr)
    assert change.record == {names.BLOCK_TAG: record.EVERYTHING}


SPEC = PoolSpec((IPv4Network("10.0.0.0/16"),), 20, 21, ("us-west-2",), ("Prod OU",))
ABOVE = [pool(TOP_LEVEL, "10.0.0.0/16"), pool(WEST, "10.0.0.0/20")]
TWO = pool(PROD, "10.0.0.0/21 10.0.8.0/21")


@pytest.mark.parametrize(
    ("prod", "kept_anyway", "waiting"),
    [
        (TWO, [], None),
        (TWO, [TWO.pool_id], ()),
        (replace(TWO, state="modify-in-progress"), [], ("us-west-2/Prod OU (10.0.8.0/21 is not free yet)",)),
        (
            replace(TWO, blocks=(*TWO.blocks, Block(IPv4Network("10.0.4.0/24"), "pending-deprovision"))),
            [],
            ("us-west-2/Prod OU (10.0.8.0/21 is not free yet)",),
        ),
    ],
    ids=["now", "in use", "while it is modified", "while it gives back another"],
)
def test_a_block_that_is_declared_no_longer_is_given_back_when_its_pool_is_idle(
    prod: ExistingPool, kept_anyway: list[str], waiting: tuple[str, ...] | None
) -> None:
    found = surplus_removals(compare(SPEC, [*ABOVE, prod]), kept_anyway)

    assert found == (PendingChanges((DeprovisionCidr(TWO, HIGH),)) if waiting is None else PendingChanges((), waiting))


# What a deletion frees of pools that stay


def held_by(cidr: str, name: str = "vpc-1", kind: str = "vpc", *, ours: bool = False) -> Allocation:
    return Allocation(IPv4Network(cidr), kind, name, "012345678901", is_reservation=ours)


VPC = held_by("10.0.0.0/24")
IN_HIGH = held_by("10.0.8.0/24", "vpc-2")


@pytest.mark.parametrize(
    ("allocations", "given_back"),
    [
        ([VPC], HIGH),
        ([IN_HIGH], LOW),
        ([VPC, IN_HIGH], None),
        ([], None),
        ([VPC, held_by("10.0.8.0/24", "", "custom")], None),
        ([VPC, held_by("10.0.8.0/24", "", "custom", ours=True)], HIGH),
    ],
    ids=["the first", "the second", "both", "none, so the pool goes", "reserved by hand", "reserved by us"],
)
def test_a_pool_that_stays_gives_back_what_nobody_uses(
    allocations: list[Allocation], given_back: IPv4Network | None
) -> None:
    found = unused_removals([TWO.pool_id], [TWO], {TWO.pool_id: allocations})

    assert found == PendingChanges((DeprovisionCidr(TWO, given_back),) if given_back else ())


def test_of_three_blocks_of_which_two_are_used_the_third_is_given_back() -> None:
    three = pool(PROD, "10.0.0.0/21 10.0.8.0/21 10.0.16.0/21")

    (change,) = unused_removals([three.pool_id], [three], {three.pool_id: [VPC, IN_HIGH]}).changes

    assert change == DeprovisionCidr(three, IPv4Network("10.0.16.0/21"))


@pytest.mark.parametrize(
    ("in_use", "held"),
    [([], {TWO.pool_id: [VPC]}), ([TWO.pool_id], {}), ([], {})],
    ids=["it is deleted", "its use is not known", "neither"],
)
def test_a_pool_that_goes_or_of_which_the_use_is_not_known_gives_back_nothing_for_others(
    in_use: list[str], held: dict[str, list[Allocation]]
) -> None:
    assert unused_removals(in_use, [TWO], held).nothing


@pytest.mark.parametrize(
    ("tags", "recorded"),
    [
        ("10.0.0.0/21 10.0.8.0/21", "10.0.0.0/21 -10.0.8.0/21"),
        ("10.0.0.0/21 10.0.8.0/21 -10.1.0.0/21", "10.0.0.0/21 -10.0.8.0/21 -10.1.0.0/21"),
        ("10.0.0.0/21", None),
    ],
    ids=["declared", "declared, while another leaves", "added by hand"],
)
def test_of_what_was_declared_it_is_recorded_that_it_leaves(tags: str, recorded: str | None) -> None:
    here = replace(TWO, tags={names.BLOCK_TAG: tags})

    (change,) = unused_removals([TWO.pool_id], [here], {TWO.pool_id: [VPC]}).changes

    assert isinstance(change, DeprovisionCidr)
    assert change.record == ({names.BLOCK_TAG: recorded} if recorded else {})


@pytest.mark.parametrize(
    "busy",
    [
        {"state": "modify-in-progress"},
        {"blocks": (*TWO.blocks, Block(IPv4Network("10.1.0.0/21"), "pending-deprovision"))},
    ],
    ids=["being modified", "giving back another"],
)
def test_a_busy_pool_is_waited_for_before_it_gives_back_another_cidr(busy: dict[str, Any]) -> None:
    found = unused_removals([TWO.pool_id], [replace(TWO, **busy)], {TWO.pool_id: [VPC]})

    assert found == PendingChanges((), ("us-west-2/Prod OU (10.0.8.0/21 is being given back)",))


@pytest.mark.parametrize(
    ("prod", "given_back"), [(pool(PROD, "10.0.8.0/21"), None), (pool(PROD), HIGH)], ids=["in use", "empty by now"]
)
def test_what_a_pool_below_uses_is_what_it_holds_now(prod: ExistingPool, given_back: IPv4Network | None) -> None:
    west = pool(WEST, "10.0.0.0/21 10.0.8.0/21")
    listed = [held_by("10.0.0.0/24", "", "custom"), held_by("10.0.8.0/21", prod.pool_id, "ipam-pool")]
    elsewhere = pool(PoolKey("us-east-1"), "10.0.8.0/21")

    found = unused_removals([west.pool_id], [west, prod, elsewhere], {west.pool_id: listed})

    assert found == PendingChanges((DeprovisionCidr(west, given_back),) if given_back else ())


# What makes room first


def other(name: str, cidrs: str = "", **fields: Any) -> ExistingPool:
    return replace(pool(PoolKey("us-west-2", name), cidrs), **fields)


ELSEWHERE = other("elsewhere", "10.0.64.0/21", source_pool_id="ipam-pool-us-east-1")


@pytest.mark.parametrize(
    ("unwanted", "first"),
    [
        ([], None),
        ([other("a", "10.0.0.0/21"), other("b", "10.0.8.0/21"), ELSEWHERE], "b"),
        ([other("a", "10.0.0.0/21"), other("b", "10.0.8.0/21"), other("c")], "c"),
        ([other("a", "10.0.8.0/21"), other("b", "10.0.0.0/21", state="delete-in-progress")], "b"),
        ([other("b", "10.0.0.0/21"), other("a", "10.0.0.0/21")], "a"),
        ([ELSEWHERE], "elsewhere"),
        ([other("elsewhere", pool_id="ipam-pool-us-east-1", source_pool_id="x"), ELSEWHERE], "elsewhere"),
    ],
    ids=[
        "nothing",
        "the highest beside it",
        "one without a CIDR",
        "one that is going already",
        "of equals the first",
        "a leaf elsewhere",
        "a leaf and not what is above it",
    ],
)
def test_the_pool_that_is_removed_first_to_make_room(unwanted: list[ExistingPool], first: str | None) -> None:
    found = first_in_the_way(SDLC, unwanted, {WEST: ABOVE[1]})

    assert (found.pool_id if found else None) == (f"ipam-pool-{first}" if first else None)


def test_for_a_top_level_pool_any_leaf_makes_room() -> None:
    assert first_in_the_way(TOP_LEVEL, [ABOVE[1], TWO], {}) == TWO


def test_a_pool_goes_with_all_that_is_below_it() -> None:
    assert subtree(ABOVE[0], [ELSEWHERE, TWO, *ABOVE]) == [ABOVE[0], ABOVE[1], TWO]
    assert subtree(TWO, [ELSEWHERE, TWO, *ABOVE]) == [TWO]
