"""Numbers and lists in sentences."""

from __future__ import annotations

from ctipam.phrases import numbered, some


def test_a_noun_follows_its_number() -> None:
    assert [numbered(number, "CIDR") for number in (0, 1, 2, 1_000)] == ["0 CIDRs", "1 CIDR", "2 CIDRs", "1,000 CIDRs"]


def test_of_a_long_list_the_first_are_named_and_the_others_counted() -> None:
    assert some(["a", "b"], 2) == "a, b"
    assert some(["a", "b", *range(1_000)], 2) == "a, b and 1,000 more"
