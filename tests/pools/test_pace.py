"""When a change is looked at, by how long earlier ones took."""

from __future__ import annotations

import pytest

from ctipam.pools import pace


@pytest.mark.parametrize(
    ("took", "of_other_kinds", "leaves", "seconds"),
    [
        ([], [], 1, 2.0),
        ([], [2.0, 4.0], 1, 1.76),
        ([], [600.0], 1, 4.0),
        ([10.0], [2.0], 1, pytest.approx(9.4)),
        ([10.0] * 99, [], 1, pytest.approx(10, rel=0.01)),
        ([10.0] * 99 + [20.0], [], 99, pytest.approx(15, rel=0.01)),
    ],
    ids=["nothing is known", "others tell", "others are slow", "one is known", "many are alike", "many leaves at once"],
)
def test_the_first_look_is_when_the_quickest_change_may_have_ended(
    took: list[float], of_other_kinds: list[float], leaves: int, seconds: float
) -> None:
    assert pace.first_look_s(took, of_other_kinds, leaves) == seconds


@pytest.mark.parametrize(
    ("lasted_s", "looked_s", "seconds"),
    [
        (0.0, 0.0, 8.0),
        (0.0, 0.4, 8.0),
        (8.0, 0.1, 0.58),
        (8.0, 60.0, 0.0),
        (50.0, 0.0, 4.25),
        (1000.0, 0.0, 5.0),
    ],
    ids=["not yet", "not yet, however long ago the last look", "due", "overdue", "slower than usual", "stuck"],
)
def test_the_next_look_is_sooner_the_nearer_the_end_and_rarer_the_longer_it_lasts(
    lasted_s: float, looked_s: float, seconds: float
) -> None:
    assert pace.wait_s(8.0, pace.SPACING, lasted_s, looked_s) == pytest.approx(seconds)


def test_looks_are_rarer_while_no_change_of_the_kind_has_ended() -> None:
    assert pace.wait_s(2.0, pace.SPACING, 8.0, 0.0) == pytest.approx(0.68)
    assert pace.wait_s(2.0, pace.SPACING_UNKNOWN, 8.0, 0.0) == pytest.approx(1.2)


def test_looks_are_never_closer_than_a_moment() -> None:
    assert pace.wait_s(0.0, pace.SPACING, 1.0, 0.0) == 0.3


def test_no_wait_is_long_because_earlier_changes_took_long() -> None:
    assert pace.wait_s(600.0, pace.SPACING, 0.0, 0.0) == 30.0
