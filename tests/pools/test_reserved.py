"""What is reserved in an environment's pool, and how that becomes what ReservedCidrs names."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Network
from random import Random
from typing import Any

import pytest

from ctipam.errors import REASON_LIMIT, Refused
from ctipam.pools.addresses import without
from ctipam.pools.existing import Allocation, ExistingPool
from ctipam.pools.parameters import reserved_cidrs as parse
from ctipam.pools.reserved import may_have_reservations, refuse_collisions, reservation_changes, reserved_in
from ctipam.pools.spec import PoolSpec, VpcSizes

SHOP = "111122223333"
VPC_SIZES = VpcSizes()


def networks(text: str) -> list[IPv4Network]:
    return [IPv4Network(cidr) for cidr in text.split()]


def spec(reserved: str, sizes: VpcSizes = VPC_SIZES) -> PoolSpec:
    """Return one that reserves these CIDRs."""
    cidrs = tuple(networks(reserved.replace(",", " ")))
    return PoolSpec((IPv4Network("10.0.0.0/8"),), 10, 12, ("r",), ("a",), sizes, reserved=cidrs)


def text(cidrs: object) -> str:
    return " ".join(map(str, cidrs))  # type: ignore[call-overload]


def ours(cidr: str) -> Allocation:
    return Allocation(IPv4Network(cidr), "custom", "", SHOP, f"alloc-{cidr}", is_reservation=True)


def by_hand(cidr: str) -> Allocation:
    return Allocation(IPv4Network(cidr), "custom", "", SHOP, f"alloc-{cidr}")


def vpc(cidr: str) -> Allocation:
    return Allocation(IPv4Network(cidr), "vpc", "vpc-1", SHOP, f"alloc-{cidr}")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("", ""),
        ("10.2.0.0/16,10.1.0.0/24", "10.1.0.0/24 10.2.0.0/16"),
        (" 10.1.0.0/16 , 10.1.0.0/16 ,", "10.1.0.0/16"),
        ("10.1.7.0/24,10.1.0.0/16,10.1.8.1/32", "10.1.0.0/16"),
        ("10.0.0.0/24,10.0.1.0/24", "10.0.0.0/24 10.0.1.0/24"),
    ],
    ids=["none", "in any order", "twice, with blanks", "nested", "neighbors, which stay two"],
)
def test_the_cidrs_of_the_parameter(given: str, expected: str) -> None:
    assert text(parse(given)) == expected


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("office", "'office', which is not an IPv4 CIDR; give one, for example 10.1.0.0/16"),
        ("10.1.2.3", "give 10.1.2.3/32 for that address alone"),
        ("10.1.2.3/16", "did you mean 10.1.0.0/16?"),
        ("2001:db8::/32", "is not an IPv4 CIDR"),
    ],
)
def test_what_is_no_cidr_is_refused(given: str, reason: str) -> None:
    with pytest.raises(Refused) as refusal:
        parse(f"10.9.0.0/16,{given}")

    assert reason in str(refusal.value)


@pytest.mark.parametrize(
    ("blocks", "reserved", "expected"),
    [
        ("10.0.0.0/20", "10.1.0.0/16", ""),
        ("10.0.0.0/20", "10.0.4.0/24", "10.0.4.0/24"),
        ("10.0.0.0/20", "10.0.0.0/8", "10.0.0.0/20"),
        ("10.0.0.0/20 10.0.64.0/20", "10.0.4.0/24 10.0.64.0/18", "10.0.4.0/24 10.0.64.0/20"),
        ("10.0.0.0/20", "10.0.0.1/32 10.0.0.14/31 10.0.0.16/32", "10.0.0.0/28 10.0.0.16/28"),
        ("10.0.0.0/12", "10.2.0.0/15", "10.2.0.0/16 10.3.0.0/16"),
        ("10.0.0.0/12", "10.2.0.0/16 10.3.0.0/28", "10.2.0.0/16 10.3.0.0/28"),
    ],
    ids=["elsewhere", "inside", "around", "two blocks", "smaller than any VPC", "larger than any VPC", "just as large"],
)
def test_what_is_allocated_in_a_pool(blocks: str, reserved: str, expected: str) -> None:
    assert text(reserved_in(networks(blocks), networks(reserved), VpcSizes())) == expected


def test_a_block_that_is_too_small_for_any_vpc_keeps_nothing_from_vpcs() -> None:
    """Rounded up, what is reserved in it would lie outside of the pool, and AWS would refuse that."""
    sizes = VpcSizes(maximum=24)

    assert text(reserved_in(networks("10.0.0.16/28 10.0.8.0/24"), networks("10.0.0.0/20"), sizes)) == "10.0.8.0/24"


@pytest.mark.parametrize(
    ("wanted", "allocations", "add", "release"),
    [
        ("10.0.0.0/24", [], "10.0.0.0/24", ""),
        ("10.0.0.0/24", [ours("10.0.0.0/24")], "", ""),
        ("", [ours("10.0.0.0/24"), vpc("10.0.1.0/24")], "", "10.0.0.0/24"),
        ("10.0.0.0/23", [ours("10.0.0.0/24")], "10.0.1.0/24", ""),
        ("10.0.0.0/24", [ours("10.0.0.0/23")], "", ""),
        ("10.0.1.0/24 10.0.2.0/24", [ours("10.0.0.0/23"), ours("10.0.8.0/24")], "10.0.2.0/24", "10.0.8.0/24"),
        ("10.0.0.0/24", [by_hand("10.0.0.0/25")], "10.0.0.128/25", ""),
        ("", [by_hand("10.0.0.0/25")], "", ""),
    ],
    ids=[
        "new",
        "there already",
        "no longer wanted",
        "larger than before",
        "smaller than before",
        "several at once",
        "partly reserved by hand",
        "by hand, and none of our business",
    ],
)
def test_how_a_pool_comes_to_what_is_wanted(wanted: str, allocations: list[Allocation], add: str, release: str) -> None:
    changes = reservation_changes(spec(wanted), networks(wanted), allocations)

    assert (text(changes.add), text(one.cidr for one in changes.release)) == (add, release)
    assert changes.nothing == (not add and not release)
    assert changes.colliding == ()


@pytest.mark.parametrize("seed", range(10))
def test_any_change_of_what_is_wanted_ends_with_all_of_it_reserved_and_never_a_gap(seed: int) -> None:
    random = Random(seed)  # noqa: S311 - the same changes each time
    held: list[Allocation] = []
    for _ in range(20):
        sizes = random.choices((24, 25, 26, 27, 28), k=5)
        cidrs = ",".join(
            str(IPv4Network(((10 << 24) + (random.randrange(1024) & -(1 << 32 - size)), size))) for size in sizes
        )
        wanted = reserved_in(networks("10.0.0.0/22"), parse(cidrs), VpcSizes())

        changes = reservation_changes(spec(cidrs), wanted, held)

        before = [one.cidr for one in held]
        assert not any(new.overlaps(old) for new in changes.add for old in before), "AWS would refuse that"
        kept = [one for one in held if one not in changes.release]
        held = kept + [ours(str(cidr)) for cidr in changes.add]
        assert not any(list(without(cidr, [one.cidr for one in held])) for cidr in wanted)
        assert reservation_changes(spec(cidrs), wanted, held).nothing
        assert all(any(one.cidr.overlaps(cidr) for cidr in wanted) for one in held)


def test_what_is_left_beside_an_allocation_and_fits_no_vpc_is_not_reserved() -> None:
    """AWS would refuse it: the pool's rules allow no allocation so small."""
    sizes = VpcSizes(maximum=26)
    wanted = reserved_in(networks("10.0.0.0/22"), networks("10.0.0.0/25"), sizes)

    changes = reservation_changes(
        spec("10.0.0.0/25", sizes), wanted, [ours("10.0.0.0/28")]
    )  # from when the rules allowed it

    assert text(changes.add) == "10.0.0.64/26"


def test_a_vpc_collides_with_what_is_reserved_and_not_with_what_it_is_rounded_up_by() -> None:
    """The VPC is from when the rules allowed so small ones."""
    sizes = VpcSizes(maximum=24)
    wanted = reserved_in(networks("10.0.0.0/22"), networks("10.0.0.0/28"), sizes)

    beside = reservation_changes(spec("10.0.0.0/28", sizes), wanted, [vpc("10.0.0.64/26")])
    within = reservation_changes(spec("10.0.0.0/28", sizes), wanted, [vpc("10.0.0.0/26")])

    assert (beside.add, beside.colliding) == ((), ())
    assert text(one.cidr for one in within.colliding) == "10.0.0.0/26"


def test_the_work_for_an_allocation_does_not_grow_with_what_is_reserved_elsewhere(comparisons: list[Any]) -> None:
    """A pool can have thousands of VPCs beside hundreds of reservations, and the watch compares them in each pool."""
    wanted = [IPv4Network(f"10.0.{number}.0/24") for number in range(100)]
    vpcs = [vpc(f"10.1.{number}.0/24") for number in range(200)]

    changes = reservation_changes(spec("10.0.0.0/16"), wanted, [*map(ours, map(str, wanted[:50])), *vpcs])

    assert (changes.add, changes.release, changes.colliding) == (tuple(wanted[50:]), (), ())
    assert len(comparisons) < len(wanted) + len(vpcs)


def test_a_reservation_that_collides_with_a_vpc_is_refused_and_named() -> None:
    cidr = "10.0.0.0/22"
    changes = reservation_changes(spec(cidr), networks(cidr), [vpc("10.0.1.0/24"), vpc("10.0.9.0/24")])
    assert [one.cidr for one in changes.colliding] == networks("10.0.1.0/24")
    assert text(changes.add) == "10.0.0.0/24 10.0.2.0/23", "what is left can be reserved all the same"

    with pytest.raises(Refused) as refusal:
        refuse_collisions(f"the pool of us-west-2/{'x' * 128}", changes.colliding)

    words = str(refusal.value)
    assert words.startswith(f"ReservedCidrs includes addresses of vpc-1 (10.0.1.0/24, account {SHOP}), which has them")
    assert words.endswith("Delete it and wait 30 minutes, or leave its addresses out of ReservedCidrs.")
    assert len(words) <= REASON_LIMIT
    refuse_collisions("the pool of us-west-2", [])


@pytest.mark.parametrize(
    ("tags", "may_have"), [({}, False), ({"Env": "Prod OU"}, False), ({"ctipam:preparing": "yes"}, True)]
)
def test_reservations_are_looked_for_in_pools_that_may_have_some(tags: dict[str, str], may_have: bool) -> None:
    pool = ExistingPool("ipam-pool-1", "", "create-complete", tags=tags)

    assert may_have_reservations(pool) is may_have
    assert may_have_reservations(replace(pool, tags=tags | {"ctipam:reserved": "yes"}))
