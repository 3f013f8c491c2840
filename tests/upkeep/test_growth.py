"""What becomes of a pool that fills up: what is noted, when it is due, which block it gets, and what is told."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from ipaddress import IPv4Network
from typing import Any

import pytest

from ctipam import names
from ctipam.pools.addresses import without
from ctipam.pools.environment_pools import EnvironmentPool
from ctipam.pools.existing import Block, ExistingPool
from ctipam.pools.parameters import PRIVATE_RANGES
from ctipam.pools.spec import TOP_LEVEL, PoolKey
from ctipam.upkeep import growth_messages
from ctipam.upkeep.growth import (
    Family,
    Growth,
    Look,
    NoGrowth,
    Note,
    is_to_be_told,
    look,
    next_growth,
    own_size,
    parameters_for_growth,
    pool_at_the_limit,
)
from ctipam.upkeep.utilization import Utilization

DAY = 24 * 3600
WEST, PROD = PoolKey("us-west-2"), PoolKey("us-west-2", "Prod OU")


def networks(text: str) -> list[IPv4Network]:
    return [IPv4Network(cidr) for cidr in text.split()]


def pool(key: PoolKey, cidrs: str, **fields: Any) -> ExistingPool:
    blocks = tuple(Block(cidr, "provisioned") for cidr in networks(cidrs))
    return ExistingPool(f"ipam-pool-{key.environment or key.region}", "", "create-complete", key, blocks, **fields)


def family(
    prod: str = "10.0.0.0/22",
    region: str = "10.0.0.0/20",
    top: str = "10.0.0.0/16",
    *,
    in_region: str = "10.0.0.0/22",
    in_top: str = "10.0.0.0/20",
) -> Family:
    """Return a pool of an environment with its parents, and what is occupied of the parents."""
    pools = pool(PROD, prod), pool(WEST, region), pool(TOP_LEVEL, top)
    return Family(*pools, networks(in_region), networks(in_top))


FULL_REGION: dict[str, Any] = {"in_region": "10.0.0.0/20"}
FULL: dict[str, Any] = FULL_REGION | {"in_top": "10.0.0.0/16"}


def small(count: int, first: str = "10.0.0.0") -> str:
    """Return so many /28, beside each other."""
    start = int(IPv4Network(first).network_address)
    return " ".join(str(IPv4Network((start + number * 16, 28))) for number in range(count))


# Notes


@pytest.mark.parametrize(
    ("tag", "note"),
    [
        ("since=1700000000 blocks=2 told=1700000300", Note(1700000000, 2, 1700000300)),
        ("since=1700000000 blocks=2", None),
        ("since=1700000000 blocks=2 told=0 ", None),
        ("since=1700000000 blocks=\u0662 told=0", None),
        ("", None),
    ],
    ids=["a note", "cut", "longer", "other digits", "empty"],
)
def test_a_note_is_read_as_it_was_written_and_anything_else_is_none(tag: str, note: Note | None) -> None:
    assert Note.read({names.GROWTH_TAG: tag}) == note
    assert note is None or str(note) == tag


def test_a_pool_without_the_tag_has_no_note() -> None:
    assert Note.read({}) is None


NOTED = Note(since=1000, blocks=2)


@pytest.mark.parametrize(
    ("note", "over", "blocks", "now", "found"),
    [
        (None, False, 1, 1000, Look.NOTHING),
        (None, True, 1, 1000, Look.OVER),
        (NOTED, True, 2, 1239, Look.NOTHING),
        (NOTED, True, 2, 1240, Look.DUE),
        (NOTED, False, 2, 1001, Look.OVER_NO_MORE),
        (NOTED, True, 3, 1001, Look.GROWN),
        (NOTED, False, 3, 1001, Look.GROWN),
        (NOTED, True, 1, 5000, Look.OVER),
        (NOTED, False, 1, 5000, Look.OVER_NO_MORE),
    ],
    ids=[
        "room",
        "over for the first time",
        "over, right after the first look",
        "over since four minutes",
        "room again",
        "grown and over",
        "grown",
        "over with fewer blocks, which begins anew",
        "room with fewer blocks",
    ],
)
def test_what_a_look_at_a_pool_finds(note: Note | None, over: bool, blocks: int, now: float, found: Look) -> None:
    assert look(note, over=over, blocks=blocks, now=now) is found


@pytest.mark.parametrize(
    ("note", "now", "due"),
    [(Note(0, 1), 1, True), (Note(0, 1, told=1), DAY + 1, True), (Note(0, 1, told=1), DAY, False)],
    ids=["never", "a day ago", "less than a day ago"],
)
def test_somebody_is_told_at_once_and_then_once_a_day(note: Note, now: float, due: bool) -> None:
    assert is_to_be_told(note, now) is due


# Growing


@pytest.mark.parametrize("which", ["pool", "region", "top"])
@pytest.mark.parametrize(
    "busy",
    [{"state": "modify-in-progress"}, {"blocks": (Block(IPv4Network("10.0.0.0/20"), "pending-provision"),)}],
    ids=["being modified", "being given a CIDR"],
)
def test_a_pool_does_not_grow_while_aws_is_busy_with_it_or_above_it(which: str, busy: dict[str, Any]) -> None:
    here = family()

    assert next_growth(replace(here, **{which: replace(getattr(here, which), **busy)})) == NoGrowth()


@pytest.mark.parametrize(
    ("here", "grown", "cidr"),
    [
        (family(), "pool", "10.0.4.0/22"),
        (family(in_region="10.0.0.0/22 10.0.4.0/23"), "pool", "10.0.8.0/22"),
        (family("10.0.0.0/22 10.0.8.0/23"), "pool", "10.0.4.0/22"),
        (family(**FULL_REGION), "region", "10.0.16.0/20"),
        (family("10.0.0.0/19", "10.0.0.0/19 10.0.32.0/20", in_region="10.0.0.0/19"), "region", "10.0.32.0/19"),
        (family(small(9)), "pool", "10.0.4.0/28"),
        (family(region=small(9), in_region=small(9)), "region", "10.0.16.0/22"),
        (family(region=f"10.0.0.0/20 {small(9, '10.0.16.0')}"), "pool", "10.0.4.0/22"),
    ],
    ids=[
        "the lowest place in its Region",
        "the next place",
        "as large as its largest block",
        "its Region first",
        "a Region's block as large as the pool's",
        "the tenth block",
        "the tenth block of its Region",
        "a Region with ten blocks that has room",
    ],
)
def test_a_pool_gets_a_block_and_its_region_one_if_it_has_no_room(here: Family, grown: str, cidr: str) -> None:
    assert next_growth(here) == Growth(getattr(here, grown), IPv4Network(cidr))


@pytest.mark.parametrize(
    ("here", "why"),
    [
        (family(small(10)), "it has 10 blocks, and a pool grows by itself up to 10"),
        (
            family(region=small(10), in_region=small(10)),
            "us-west-2 has 10 blocks, and a pool grows by itself up to 10",
        ),
        (family(**FULL), "the top-level pool has no free /20"),
    ],
    ids=["ten blocks", "a full Region of ten blocks", "a full top-level pool"],
)
def test_why_a_pool_does_not_grow(here: Family, why: str) -> None:
    assert next_growth(here) == NoGrowth(why)


def test_a_block_that_was_requested_a_moment_ago_is_given_to_no_other_pool() -> None:
    here = family(in_region="10.0.0.0/21")

    requested = []
    for _ in range(4):
        growth = next_growth(here)
        assert isinstance(growth, Growth)
        requested.append((growth.pool, str(growth.cidr)))
        here = here.with_growth(growth)

    assert requested == [
        (here.pool, "10.0.8.0/22"),
        (here.pool, "10.0.12.0/22"),
        (here.region, "10.0.16.0/20"),
        (here.region, "10.0.32.0/20"),
    ]
    sibling = pool(PoolKey("us-west-2", "SDLC OU"), "10.0.4.0/22")
    assert next_growth(here.of(sibling)) == Growth(here.region, IPv4Network("10.0.48.0/20"))
    assert next_growth(family().of(sibling)) == Growth(sibling, IPv4Network("10.0.4.0/22"))


def test_room_is_counted_in_blocks_of_the_size_that_is_needed_in_what_is_provisioned() -> None:
    here = family(top="10.0.0.0/16 10.1.0.0/16")
    coming = replace(here.top, blocks=(here.top.blocks[0], Block(IPv4Network("10.1.0.0/16"), "pending-provision")))

    assert (here.room_in_region, here.room_in_top) == (3, 31)
    assert replace(here, top=coming).room_in_top == 15


@pytest.mark.parametrize(
    ("recorded", "size"),
    [("10.0.8.0/23", 23), ("10.0.8.0/23 +10.0.0.0/22", 23), ("10.0.8.0/23 10.0.16.0/21", 23), ("", 22)],
    ids=["declared", "declared, and one that is coming", "declared, and one that AWS could not give", "no record"],
)
def test_a_pool_grows_by_its_largest_declared_block_or_else_by_its_largest(recorded: str, size: int) -> None:
    assert own_size(pool(PROD, "10.0.8.0/23 10.0.0.0/22", tags={names.BLOCK_TAG: recorded})) == size


# Telling what to change


def private_space_but(free: str) -> list[IPv4Network]:
    """Return the private space without these addresses."""
    return [rest for network in PRIVATE_RANGES for rest in without(network, networks(free))]


@pytest.mark.parametrize(
    ("here", "elsewhere", "parameters"),
    [
        (family(), [], "PoolSizes us-west-2/Prod OU=22+22"),
        (family("10.0.8.0/23 10.0.0.0/22"), [], "PoolSizes us-west-2/Prod OU=22+22+23"),
        (family(**FULL_REGION), [], "PoolSizes us-west-2=20+20,us-west-2/Prod OU=22+22"),
        (
            family(**FULL),
            [],
            "PoolSizes us-west-2=20+20,us-west-2/Prod OU=22+22 and TopLevelPoolCidr 10.0.0.0/16,10.1.0.0/20",
        ),
        (
            family(**FULL),
            networks("10.0.0.0/9"),
            "PoolSizes us-west-2=20+20,us-west-2/Prod OU=22+22 and TopLevelPoolCidr 10.0.0.0/16,10.128.0.0/20",
        ),
        (
            family(top="10.0.0.0/16 10.1.0.0/24", **FULL),
            [],
            "PoolSizes us-west-2=20+20,us-west-2/Prod OU=22+22 and TopLevelPoolCidr "
            "10.0.0.0/16,10.1.0.0/24,10.1.16.0/20",
        ),
        (
            family(in_region="10.0.0.0/20", in_top="10.0.0.0/16 10.1.0.0/20"),
            [],
            "PoolSizes us-west-2=20+20,us-west-2/Prod OU=22+22 and TopLevelPoolCidr 10.0.0.0/16,10.1.16.0/20",
        ),
        (
            family(**FULL),
            private_space_but("172.16.16.0/20"),
            "PoolSizes us-west-2=20+20,us-west-2/Prod OU=22+22 and TopLevelPoolCidr 10.0.0.0/16,172.16.16.0/20",
        ),
        (family(**FULL), private_space_but("172.16.16.0/21"), ""),
        (
            family(**FULL_REGION),
            private_space_but("172.16.16.0/21"),
            "PoolSizes us-west-2=20+20,us-west-2/Prod OU=22+22",
        ),
    ],
    ids=[
        "room in the Region",
        "the sizes that it has stay",
        "room in the top-level pool",
        "no room",
        "another top-level pool",
        "a small CIDR of its own that nothing occupies",
        "what is reserved beside the top-level pool",
        "just enough private space",
        "too little private space",
        "private space is not needed",
    ],
)
def test_the_parameters_that_give_a_pool_one_more_block(
    here: Family, elsewhere: Iterable[IPv4Network], parameters: str
) -> None:
    assert parameters_for_growth(here, list(elsewhere)) == parameters


FIFTY, MANY = small(50), small(50, "10.0.16.0")


@pytest.mark.parametrize(
    ("here", "full"),
    [
        (family(small(49)), None),
        (family(FIFTY), PROD),
        (family(region=f"10.0.0.0/20 {MANY}"), None),
        (family(region=FIFTY, in_region=FIFTY), WEST),
        (family(region=small(49), in_region=FIFTY), None),
        (family(top=f"10.0.0.0/16 {MANY}", **FULL_REGION), None),
        (family(top=FIFTY, in_top=FIFTY, **FULL_REGION), TOP_LEVEL),
        (family(top=FIFTY, in_top=FIFTY), None),
    ],
    ids=[
        "49 CIDRs",
        "50 CIDRs",
        "a Region with room",
        "a full Region",
        "a full Region of 49 CIDRs",
        "a top-level pool with room",
        "a full top-level pool",
        "a full top-level pool above a Region with room",
    ],
)
def test_a_pool_that_needs_a_block_and_has_as_many_as_aws_allows_is_found(here: Family, full: PoolKey | None) -> None:
    found = pool_at_the_limit(here)

    assert (found.key if found else None) == full


def used(percent: int) -> Utilization:
    return Utilization(EnvironmentPool("ipam-pool-1", "Prod OU", "us-west-2"), 1000, percent * 10, vpcs=1)


def test_what_is_told_of_a_pool_that_stays_full() -> None:
    title, text = _parts(growth_messages.due(family(), used(90), why=""))

    assert title == "us-west-2/Prod OU is 90 % full"
    assert text == [
        "The pool of us-west-2/Prod OU (ipam-pool-Prod OU) is 90 % full: 900 of 1,000 addresses are allocated. "
        "VPCs among them: 1; `make report` lists what is not reserved. It has the block 10.0.0.0/22.",
        "Room left: us-west-2 has room for 3 more blocks of /22, and the top-level pool for 15 more blocks of /20.",
        "It does not grow by itself: PoolGrowth is off.",
        "What to do: delete VPCs that are not needed, or update the stack in the management account with PoolSizes "
        "us-west-2/Prod OU=22+22. Leave the other entries of PoolSizes as they are. With make, the names are "
        "POOL_SIZES and CIDR.",
    ]


@pytest.mark.parametrize(
    ("here", "what_to_do"),
    [
        (
            family(FIFTY),
            "the pool of us-west-2/Prod OU has 50 CIDRs, and AWS allows 50 in a pool. First give back one "
            "that is unused: leave it out of PoolSizes",
        ),
        (
            family(top=FIFTY, in_top=FIFTY, **FULL_REGION),
            "the top-level pool has 50 CIDRs, and AWS allows 50 in a pool. First give back one that is unused: leave "
            "it out of TopLevelPoolCidr",
        ),
    ],
    ids=["of an environment", "the top-level pool"],
)
def test_of_a_pool_with_as_many_cidrs_as_aws_allows_it_is_told_where_to_leave_one_out(
    here: Family, what_to_do: str
) -> None:
    _, text = _parts(growth_messages.due(here, used(90), why="it has 50 blocks"))

    assert text[2] == "It does not grow by itself: it has 50 blocks."
    assert what_to_do in text[3]


def test_without_private_space_it_is_told_that_no_parameter_helps() -> None:
    _, text = _parts(growth_messages.due(family(**FULL), used(90), "", PRIVATE_RANGES))

    assert text[3] == (
        "What to do: delete VPCs that are not needed. No parameter helps: us-west-2 and the top-level pool are full, "
        "and no private /20 is left beside the top-level pools of this scope."
    )


def test_what_is_told_of_a_pool_that_has_grown() -> None:
    region, prod = pool(WEST, "10.0.0.0/20 10.0.16.0/20"), pool(PROD, "10.0.0.0/22 10.0.16.0/22")

    (title, text), (_, of_region) = (
        _parts(growth_messages.grown(prod, 1, used(45))),
        _parts(growth_messages.grown(region, 1)),
    )

    assert title == "us-west-2/Prod OU has grown to 2 blocks"
    assert text[0] == (
        "The pool of us-west-2/Prod OU (ipam-pool-Prod OU) has the blocks 10.0.0.0/22, 10.0.16.0/22; it had 1 before. "
        "It is 45 % full now."
    )
    assert of_region[0].endswith("it had 1 before.")


def _parts(message: Any) -> tuple[str, list[str]]:
    return message.title, message.text.split("\n\n")
