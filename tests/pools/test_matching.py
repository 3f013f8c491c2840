"""Which pool stands for which key of the spec, and which of its CIDRs for which wanted block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from ipaddress import IPv4Network
from typing import Any

import pytest

from ctipam import names
from ctipam.pools.existing import Block, ExistingPool
from ctipam.pools.matching import compare, kept_pools, match_blocks
from ctipam.pools.spec import TOP_LEVEL, PoolKey, PoolSpec, Wanted

WEST, PROD = PoolKey("us-west-2"), PoolKey("us-west-2", "Prod OU")
SPEC = PoolSpec((IPv4Network("10.0.0.0/16"),), 20, 21, ("us-west-2",), ("Prod OU",))


def networks(text: str) -> list[IPv4Network]:
    return [IPv4Network(cidr) for cidr in text.split()]


def pool(key: PoolKey, cidrs: str = "", tags: str = "", name: str = "", **fields: Any) -> ExistingPool:
    """Return a pool. cidrs: those with a - are being given back, those with a + are coming."""
    states = {"-": "pending-deprovision", "+": "pending-provision"}
    blocks = [Block(IPv4Network(word.lstrip("+-")), states.get(word[0], "provisioned")) for word in cidrs.split()]
    source = "ipam-pool-west" if key.environment else "ipam-pool-top" if key.region else ""
    pool_id = f"ipam-pool-{name or ('prod' if key.environment else 'west' if key.region else 'top')}"
    made: dict[str, Any] = {"source_pool_id": source, "state": "create-complete", "blocks": tuple(blocks)}
    return ExistingPool(pool_id, key=key, tags={names.BLOCK_TAG: tags}, **(made | fields))


@pytest.mark.parametrize(
    ("wanted", "has", "recorded", "in_use", "kept", "missing", "surplus"),
    [
        ([21], "", "", "", "", [21], ""),
        ([21], "10.0.8.0/21 10.0.0.0/21", "+", "", "10.0.0.0/21", [], "10.0.8.0/21"),
        ([21], "10.0.0.0/21 10.0.8.0/21", "10.0.8.0/21", "10.0.0.0/21", "10.0.8.0/21", [], ""),
        ([21], "10.0.0.0/21 10.0.8.0/21", "+", "10.0.8.0/21", "10.0.8.0/21", [], "10.0.0.0/21"),
        ([21], "10.0.0.0/21 10.0.8.0/21", "-10.0.0.0/21 10.0.8.0/21", "", "10.0.8.0/21", [], "10.0.0.0/21"),
        ([21], "10.0.0.0/21", "", "", "10.0.0.0/21", [], ""),
        ([21], "-10.0.0.0/21", "+", "", "", [21], ""),
        ([21], "+10.0.0.0/21", "+", "", "10.0.0.0/21", [], ""),
        ([20, 21], "10.0.0.0/21 10.0.16.0/22", "10.0.16.0/22", "", "10.0.0.0/21", [20], "10.0.16.0/22"),
        ([21, 21], "10.0.0.0/21", "10.0.0.0/21", "", "10.0.0.0/21", [21], ""),
        (networks("10.0.0.0/16"), "10.1.0.0/16", "10.1.0.0/16", "", "", networks("10.0.0.0/16"), "10.1.0.0/16"),
    ],
    ids=[
        "none",
        "the lowest",
        "the declared one rather than one in use",
        "the one in use rather than the lowest",
        "not one that leaves",
        "one that was given by hand",
        "not one that is being given back",
        "one that is coming",
        "of its size",
        "each once",
        "this CIDR and no other of its size",
    ],
)
def test_which_cidr_stands_for_which_block(
    wanted: Sequence[Wanted],
    has: str,
    recorded: str,
    in_use: str,
    kept: str,
    missing: list[Wanted],
    surplus: str,
) -> None:
    found = match_blocks(wanted, pool(PROD, has, recorded), networks(in_use))

    assert [block.cidr for block in found.kept] == networks(kept)
    assert list(found.missing) == missing
    assert [block.cidr for block in found.surplus] == networks(surplus)


def test_the_room_for_pools_below_is_all_that_a_pool_has_and_keeps() -> None:
    west = pool(WEST, "10.0.0.0/20 +10.0.16.0/20 -10.0.32.0/20 10.0.48.0/20", "10.0.0.0/20 10.0.48.0/20")
    comparison = compare(SPEC, [pool(TOP_LEVEL, "10.0.0.0/16"), west])

    assert comparison.room(WEST) == networks("10.0.0.0/20 10.0.16.0/20"), "10.0.48.0/20 is no longer declared"
    assert comparison.room(PROD) == []
    assert comparison.blocks[PROD].missing == (21,)


TOP = pool(TOP_LEVEL, "10.0.0.0/16")


@pytest.mark.parametrize(
    ("others", "stands"),
    [
        ([pool(WEST, name="b"), pool(WEST, name="a")], "a"),
        ([pool(WEST, name="a"), pool(WEST, "10.0.0.0/20", name="b")], "b"),
        ([pool(WEST, name="a"), pool(WEST, name="b"), pool(PROD, source_pool_id="ipam-pool-b")], "b"),
        ([pool(WEST, "10.0.0.0/20", name="a", state="delete-in-progress"), pool(WEST, name="b")], "b"),
        ([pool(WEST, name="a", state="create-failed"), pool(WEST, name="b")], "b"),
        ([pool(WEST, "10.0.0.0/20", name="a", source_pool_id="ipam-pool-x"), pool(WEST, name="b")], "b"),
        ([replace(pool(WEST, "10.0.0.0/20", name="a"), key=None), pool(WEST, name="b")], "b"),
        ([pool(WEST, name="a", state="create-failed")], None),
    ],
    ids=[
        "the lower id",
        "the one with a CIDR",
        "the one with pools below it",
        "not one that is being deleted",
        "not one that could not be created",
        "not one below another parent",
        "not one of somebody else",
        "none",
    ],
)
def test_which_of_two_pools_stands_for_a_key(others: list[ExistingPool], stands: str | None) -> None:
    found = kept_pools(SPEC, [*others, TOP]).get(WEST)

    assert (found.pool_id if found else None) == (f"ipam-pool-{stands}" if stands else None)


@pytest.mark.parametrize(
    ("top", "below", "stands"),
    [
        (pool(TOP_LEVEL), [], True),
        (pool(TOP_LEVEL, "172.16.0.0/12"), [], False),
        (pool(TOP_LEVEL, "172.16.0.0/12 10.0.0.0/16"), [], True),
        (pool(TOP_LEVEL, "172.16.0.0/12"), [pool(WEST)], True),
    ],
    ids=["without a CIDR", "with another CIDR", "also with its CIDR", "with another CIDR and pools below it"],
)
def test_a_top_level_pool_of_other_cidrs_stands_for_nothing_unless_pools_are_below_it(
    top: ExistingPool, below: list[ExistingPool], stands: bool
) -> None:
    assert (TOP_LEVEL in kept_pools(SPEC, [top, *below])) is stands


@pytest.mark.parametrize(
    ("cidrs", "below", "stands"), [("", False, False), ("10.0.0.0/20", False, True), ("", True, True)]
)
def test_a_pool_that_aws_could_not_delete_stands_for_its_key_only_with_a_cidr_or_pools_below(
    cidrs: str, below: bool, stands: bool
) -> None:
    failed = pool(WEST, cidrs, state="delete-failed")
    pools = [pool(TOP_LEVEL, "10.0.0.0/16"), failed, *([pool(PROD)] if below else [])]

    assert (WEST in kept_pools(SPEC, pools)) == stands


@pytest.mark.parametrize(
    ("west", "complete"),
    [
        ([pool(WEST, "10.0.0.0/20")], True),
        ([pool(WEST, "10.0.0.0/20", state="modify-in-progress")], False),
        ([pool(WEST, "+10.0.0.0/20")], False),
        ([pool(WEST, "10.0.0.0/20 -10.0.16.0/20")], False),
        ([pool(WEST)], False),
        ([], False),
    ],
    ids=["complete", "being modified", "its CIDR is coming", "another CIDR is going", "without a CIDR", "missing"],
)
def test_a_pool_is_complete_when_it_has_its_blocks_and_aws_is_not_busy_with_it(
    west: list[ExistingPool], complete: bool
) -> None:
    assert compare(SPEC, [TOP, *west]).is_complete(WEST) is complete


@pytest.mark.parametrize(
    ("states", "can"),
    [
        (["provisioned"], True),
        (["provisioned", "pending-provision"], True),
        (["pending-provision"], False),
        (["deprovisioned"], False),
        ([], False),
    ],
)
def test_others_can_be_given_a_part_of_a_pool_that_holds_a_cidr_whatever_else_is_coming(
    states: list[str], can: bool
) -> None:
    blocks = [Block(IPv4Network(f"10.{number}.0.0/16"), state) for number, state in enumerate(states)]
    pool = ExistingPool("pool", "", "create-complete", blocks=tuple(blocks))

    assert pool.provisioned is can
    assert not replace(pool, state="create-in-progress").provisioned
