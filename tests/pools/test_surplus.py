"""What is in use of blocks that are no longer declared, and with which parameter it stays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from ipaddress import IPv4Network
from typing import Any

import pytest

from ctipam import names
from ctipam.errors import REASON_LIMIT, Refused
from ctipam.pools.existing import Allocation, Block, ExistingPool
from ctipam.pools.matching import compare
from ctipam.pools.spec import TOP_LEVEL, PoolKey, PoolSpec
from ctipam.pools.surplus import SurplusInUse, refuse_surplus_in_use, surplus_in_use

ACCOUNT = "012345678901"
WEST, PROD, SDLC = PoolKey("us-west-2"), PoolKey("us-west-2", "Prod OU"), PoolKey("us-west-2", "SDLC OU")
PARENTS = {TOP_LEVEL: None, WEST: TOP_LEVEL, PROD: WEST, SDLC: WEST}
SPEC = PoolSpec((IPv4Network("10.0.0.0/16"),), 20, 21, ("us-west-2",), ("Prod OU",))


def pool(key: PoolKey, cidrs: str, leaving: str = "") -> ExistingPool:
    """Return a pool all of whose CIDRs were declared."""
    blocks = [Block(IPv4Network(cidr), "provisioned") for cidr in cidrs.split()]
    blocks += [Block(IPv4Network(cidr), "pending-deprovision") for cidr in leaving.split()]
    source = _id(PARENTS[key]) if key != TOP_LEVEL else ""
    return ExistingPool(_id(key), source, "create-complete", key, tuple(blocks), {names.BLOCK_TAG: cidrs})


def _id(key: Any) -> str:
    return f"ipam-pool-{key.environment or key.region or 'top'}"


def held_by(name: str, cidr: str, kind: str = "vpc", **fields: Any) -> Allocation:
    return Allocation(IPv4Network(cidr), kind, name, ACCOUNT, **fields)


def of_pool(key: PoolKey, cidr: str) -> Allocation:
    return held_by(_id(key), cidr, "ipam-pool")


TOP = pool(TOP_LEVEL, "10.0.0.0/16")
TWO_BLOCKS = [TOP, pool(WEST, "10.0.0.0/20"), pool(PROD, "10.0.0.0/21 10.0.8.0/21")]
LOW, HIGH = held_by("vpc-low", "10.0.0.0/24"), held_by("vpc-high", "10.0.8.0/24")


def found(pools: Sequence[ExistingPool], spec: PoolSpec = SPEC, **held: Sequence[Allocation]) -> SurplusInUse:
    """held   what is allocated: of the environment Prod OU, of its Region, or of the top-level pool"""
    keys = {"prod": PROD, "west": WEST, "top": TOP_LEVEL}
    return surplus_in_use(compare(spec, pools), {_id(keys[name]): some for name, some in held.items()})


def told(surplus: SurplusInUse) -> dict[str, tuple[str, ...]]:
    return {one.keep: one.sentences for one in surplus.blocks}


@pytest.mark.parametrize(
    ("held", "in_the_way"),
    [
        ([], {}),
        ([LOW], {}),
        ([HIGH], {}),
        (
            [HIGH, LOW],
            {
                "us-west-2/Prod OU=21+21": (
                    f"10.0.8.0/21 of us-west-2/Prod OU holds vpc-high (10.0.8.0/24, account {ACCOUNT})",
                )
            },
        ),
        ([LOW, held_by("", "10.0.8.0/24", "custom", is_reservation=True)], {}),
        (
            [LOW, held_by("", "10.0.9.0/24", "custom"), HIGH],
            {
                "us-west-2/Prod OU=21+21": (
                    f"10.0.8.0/21 of us-west-2/Prod OU holds vpc-high (10.0.8.0/24, account {ACCOUNT})",
                    f"10.0.8.0/21 of us-west-2/Prod OU holds custom allocation (10.0.9.0/24, account {ACCOUNT})",
                )
            },
        ),
    ],
    ids=["nothing", "the first", "the second, which is kept", "both", "a reservation of ours", "one by hand"],
)
def test_of_two_blocks_the_one_that_is_declared_no_longer_is_in_use_only_if_both_are(
    held: list[Allocation], in_the_way: dict[str, tuple[str, ...]]
) -> None:
    surplus = found(TWO_BLOCKS, prod=held)

    assert told(surplus) == in_the_way
    vpcs = {one.cidr.supernet(new_prefix=21) for one in held if not one.is_reservation}
    assert surplus.in_use == {_id(PROD): vpcs}


FURTHER = [TOP, pool(WEST, "10.0.0.0/20 10.0.16.0/20")]
IN_BOTH = [of_pool(PROD, "10.0.0.0/21"), of_pool(PROD, "10.0.16.0/21")]


@pytest.mark.parametrize(
    ("spec", "prod", "west", "names_of_keep"),
    [
        (SPEC, pool(PROD, "10.0.0.0/21 10.0.16.0/21"), IN_BOTH, []),
        (
            replace(SPEC, pool_sizes={PROD: (21, 21)}),
            pool(PROD, "10.0.0.0/21 10.0.16.0/21"),
            IN_BOTH,
            ["us-west-2=20+20"],
        ),
        (SPEC, pool(PROD, "10.0.0.0/21", leaving="10.0.16.0/21"), IN_BOTH, []),
        (replace(SPEC, pool_sizes={PROD: (22,)}), pool(PROD, "10.0.0.0/21 10.0.16.0/21"), IN_BOTH, ["us-west-2=20+20"]),
        (SPEC, pool(PROD, "10.0.0.0/21"), [IN_BOTH[0], held_by("ipam-pool-gone", "10.0.16.0/21", "ipam-pool")], []),
        (SPEC, pool(PROD, "10.0.0.0/21"), [IN_BOTH[0], of_pool(SDLC, "10.0.16.0/21")], []),
        (
            SPEC,
            pool(PROD, "10.0.0.0/21"),
            [IN_BOTH[0], held_by("ipam-pool-by-hand", "10.0.16.0/21", "ipam-pool")],
            ["us-west-2=20+20"],
        ),
    ],
    ids=[
        "a pool that gives back its block too",
        "a pool that keeps its block",
        "a pool that is giving it back",
        "a pool that needs another size, and moves only later",
        "a pool that is gone",
        "a pool that is removed",
        "a pool that was made by hand",
    ],
)
def test_a_block_of_a_region_is_in_use_by_the_pools_in_it_that_stay(
    spec: PoolSpec, prod: ExistingPool, west: list[Allocation], names_of_keep: list[str]
) -> None:
    by_hand = ExistingPool("ipam-pool-by-hand", _id(WEST), "create-complete")

    surplus = found([*FURTHER, prod, pool(SDLC, "10.0.16.0/21"), by_hand], spec, west=west, prod=[])

    assert [one.keep for one in surplus.blocks if one.key == WEST] == names_of_keep


def test_a_pool_below_is_named_as_people_know_it() -> None:
    surplus = found(
        [*FURTHER, pool(PROD, "10.0.0.0/21 10.0.16.0/21")], replace(SPEC, pool_sizes={PROD: (21, 21)}), west=IN_BOTH
    )

    (one,) = surplus.blocks
    assert (one.pool_id, one.key) == (_id(WEST), WEST)
    assert one.sentences == ("10.0.16.0/20 of us-west-2 holds the pool of us-west-2/Prod OU (10.0.16.0/21)",)
    assert surplus.by_pool() == {_id(WEST): list(one.sentences)}


@pytest.mark.parametrize(
    ("wanted", "keep"),
    [
        ("10.0.0.0/16", "10.0.0.0/16,10.1.0.0/16"),
        ("10.0.0.0/16 10.2.0.0/16", "10.0.0.0/16,10.1.0.0/16,10.2.0.0/16"),
        ("10.0.0.0/16 10.1.0.0/17", "10.0.0.0/16,10.1.0.0/16"),
    ],
    ids=["as before", "with another", "without a part of it"],
)
def test_what_keeps_a_top_level_cidr_is_the_parameter_with_all_that_is_wanted(wanted: str, keep: str) -> None:
    spec = replace(SPEC, top_cidrs=tuple(map(IPv4Network, wanted.split())))
    by_hand = held_by("ipam-pool-by-hand", "10.1.0.0/24", "custom")

    surplus = found([pool(TOP_LEVEL, "10.1.0.0/16 10.0.0.0/16"), *TWO_BLOCKS[1:]], spec, top=[by_hand])

    assert [one.keep for one in surplus.blocks] == [keep]


@pytest.mark.parametrize(
    ("has", "wanted", "keep"),
    [
        ("10.0.0.0/21 10.0.8.0/21", (20,), "20+21+21"),
        ("10.0.0.0/21 10.0.8.0/21", (22,), "21+21"),
        ("10.0.0.0/21 10.0.8.0/23", (22,), "21+23"),
        ("10.0.0.0/21 10.0.8.0/23", (21, 21), "21+23"),
    ],
    ids=["a larger one", "a smaller one", "one of a size between", "one more as large"],
)
def test_what_keeps_a_block_adds_only_what_is_larger_than_all_that_stays(
    has: str, wanted: tuple[int, ...], keep: str
) -> None:
    pools = [*TWO_BLOCKS[:2], pool(PROD, has)]

    surplus = found(pools, replace(SPEC, pool_sizes={PROD: wanted}), prod=[LOW, HIGH])

    assert {one.keep for one in surplus.blocks} == {f"us-west-2/Prod OU={keep}"}


def test_what_is_in_use_of_parents_comes_first() -> None:
    pools = [pool(TOP_LEVEL, "10.0.0.0/16 10.1.0.0/16"), *TWO_BLOCKS[1:]]

    surplus = found(pools, prod=[LOW, HIGH], top=[held_by("", "10.1.0.0/24", "custom")])

    assert [one.key for one in surplus.blocks] == [TOP_LEVEL, PROD]


SIZES = {SDLC: (22,), WEST: (20,), PROD: (21, 21)}


@pytest.mark.parametrize(
    ("spec", "pools", "held", "message"),
    [
        (
            SPEC,
            TWO_BLOCKS,
            {"prod": [LOW, HIGH]},
            f"10.0.8.0/21 of us-west-2/Prod OU holds vpc-high (10.0.8.0/24, account {ACCOUNT}). "
            "Delete that first, or keep the block: PoolSizes us-west-2/Prod OU=21+21.",
        ),
        (
            replace(SPEC, environments=("Prod OU", "SDLC OU"), pool_sizes=SIZES),
            [*FURTHER, pool(PROD, "10.0.0.0/21 10.0.16.0/21")],
            {"west": [*IN_BOTH, held_by("", "10.0.24.0/24", "custom")]},
            "10.0.16.0/20 of us-west-2 holds the pool of us-west-2/Prod OU (10.0.16.0/21); and 1 more, see make "
            "report. Delete that first, or keep the block: PoolSizes us-west-2=20+20,SDLC OU=22,Prod OU=21+21.",
        ),
        (
            replace(SPEC, environments=("Prod OU", "x" * 60), pool_sizes={PoolKey("us-west-2", "x" * 60): (22,)}),
            TWO_BLOCKS,
            {"prod": [LOW, HIGH]},
            f"10.0.8.0/21 of us-west-2/Prod OU holds vpc-high (10.0.8.0/24, account {ACCOUNT}). "
            "Delete that first, or keep the block: PoolSizes us-west-2/Prod OU=21+21,....",
        ),
        (
            replace(SPEC, pool_sizes={PoolKey("us-west-2"): (20,)}),
            [pool(TOP_LEVEL, "10.0.0.0/16 10.1.0.0/16"), *TWO_BLOCKS[1:]],
            {"top": [held_by("", "10.1.0.0/24", "custom")], "prod": [LOW, HIGH]},
            f"10.1.0.0/16 of the top-level pool holds custom allocation (10.1.0.0/24, account {ACCOUNT}). "
            "Delete that first, or keep the block: TopLevelPoolCidr 10.0.0.0/16,10.1.0.0/16.",
        ),
    ],
    ids=["one", "several, and other entries", "too many entries for a message", "a top-level CIDR first"],
)
def test_what_is_in_use_is_refused_with_what_it_is_in_use_by_and_what_keeps_it(
    spec: PoolSpec, pools: list[ExistingPool], held: dict[str, list[Allocation]], message: str
) -> None:
    with pytest.raises(Refused) as refusal:
        refuse_surplus_in_use(found(pools, spec, **held))

    assert str(refusal.value) == f"In use, nothing was changed: {message}"
    assert len(str(refusal.value)) <= REASON_LIMIT


def test_what_is_not_in_use_is_not_refused() -> None:
    refuse_surplus_in_use(found(TWO_BLOCKS, prod=[LOW]))
