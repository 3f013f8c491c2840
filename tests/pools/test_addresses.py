"""Where a block goes."""

from __future__ import annotations

from ipaddress import IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctipam.pools.addresses import count_free, lowest_free, lowest_free_in, outermost, overlapping

PARENT = IPv4Network("10.0.0.0/16")


def test_the_first_block_is_the_first_of_the_parent() -> None:
    assert lowest_free(PARENT, 20, []) == IPv4Network("10.0.0.0/20")


def test_a_gap_is_used_before_the_end() -> None:
    taken = [IPv4Network("10.0.0.0/20"), IPv4Network("10.0.32.0/20")]

    assert lowest_free(PARENT, 20, taken) == IPv4Network("10.0.16.0/20")


def test_a_gap_that_is_too_small_is_stepped_over() -> None:
    taken = [IPv4Network("10.0.0.0/24"), IPv4Network("10.0.16.0/20")]

    assert lowest_free(PARENT, 20, taken) == IPv4Network("10.0.32.0/20")


def test_a_block_taken_around_the_parent_leaves_nothing() -> None:
    assert lowest_free(PARENT, 20, [IPv4Network("10.0.0.0/8")]) is None


def test_blocks_elsewhere_do_not_matter() -> None:
    elsewhere = [IPv4Network("9.0.0.0/8"), IPv4Network("11.0.0.0/8")]

    assert lowest_free(PARENT, 20, elsewhere) == IPv4Network("10.0.0.0/20")


@pytest.mark.parametrize(
    ("taken", "place"),
    [("10.0.0.0/32", "10.0.16.0/20"), ("10.0.15.255/32", "10.0.16.0/20"), ("10.0.16.0/32", "10.0.0.0/20")],
)
def test_a_single_address_takes_the_place_that_it_is_in_and_no_other(taken: str, place: str) -> None:
    assert lowest_free(PARENT, 20, [IPv4Network(taken)]) == IPv4Network(place)
    assert count_free([PARENT], 20, [IPv4Network(taken)]) == 15


def test_of_several_parents_the_lowest_with_room_gives_the_place() -> None:
    low, high = IPv4Network("10.0.0.0/24"), IPv4Network("10.1.0.0/24")

    assert lowest_free_in([high, low], 25, []) == IPv4Network("10.0.0.0/25")
    assert lowest_free_in([high, low], 24, iter([low])) == high
    assert lowest_free_in([high, low], 23, []) is None
    assert count_free([high, low], 25, [low, IPv4Network("10.1.0.0/32")]) == 1


@pytest.mark.parametrize("small", ["10.0.0.0/24", "10.0.1.0/24", "10.0.15.0/24"])
def test_a_parent_that_is_smaller_than_the_block_has_no_place(small: str) -> None:
    assert lowest_free_in([IPv4Network(small), PARENT], 23, [PARENT]) is None
    assert count_free([IPv4Network(small)], 23, []) == count_free([IPv4Network(small)], 20, []) == 0


def test_a_parent_of_the_size_of_the_block_has_one_place() -> None:
    parent = IPv4Network("10.0.1.0/24")

    assert (lowest_free_in([parent], 24, []), count_free([parent], 24, [])) == (parent, 1)


def test_a_full_parent_has_no_place() -> None:
    assert lowest_free(PARENT, 17, [IPv4Network("10.0.0.0/24"), IPv4Network("10.0.255.0/24")]) is None


def blocks_in(parent: IPv4Network, shortest: int = 18, longest: int = 24) -> st.SearchStrategy[IPv4Network]:
    lengths = st.integers(shortest, longest)
    return lengths.flatmap(lambda length: st.sampled_from(list(parent.subnets(new_prefix=length))))


@given(taken=st.lists(blocks_in(PARENT)), length=st.integers(17, 26))
def test_the_place_is_the_lowest_of_all_that_are_free_and_all_are_counted(
    taken: list[IPv4Network], length: int
) -> None:
    free = [block for block in PARENT.subnets(new_prefix=length) if not any(block.overlaps(other) for other in taken)]

    assert lowest_free(PARENT, length, taken) == next(iter(free), None)
    assert count_free([PARENT], length, [*taken, IPv4Network("9.0.0.0/8"), IPv4Network("11.0.0.0/8")]) == len(free)


@given(networks=st.lists(blocks_in(PARENT, 16, 26)), one=blocks_in(PARENT, 16, 26))
def test_those_that_overlap_a_network_are_found_among_many_that_are_apart(
    networks: list[IPv4Network], one: IPv4Network
) -> None:
    apart = list(outermost([*networks, IPv4Network("9.0.0.0/8"), IPv4Network("11.0.0.0/8")]))

    assert overlapping(one, apart) == [network for network in apart if network.overlaps(one)]
