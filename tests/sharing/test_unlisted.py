"""What RAM has accepted and does not list yet."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from ctipam.sharing.existing import Share
from ctipam.sharing.unlisted import Accepted, with_unlisted
from ctipam.waiting import LISTED_LATE_S

ACCOUNT, SHARE, POOL, OTHER = "012345678901", "arn:share", "arn:pool", "arn:other"
CREATED = Share(SHARE, ACCOUNT, datetime(2026, 1, 1, tzinfo=UTC))
BEING_ADDED = replace(CREATED, pools={POOL: "ASSOCIATING"}, principals={ACCOUNT: "ASSOCIATING"})


@pytest.fixture
def accepted() -> Accepted:
    """Return that a share with one pool was created at 100 s."""
    accepted = Accepted(CREATED)
    accepted.note_added(SHARE, (POOL,), (ACCOUNT,), 100.0)
    return accepted


def test_a_new_share_that_is_not_listed_is_being_made(accepted: Accepted) -> None:
    assert with_unlisted([], accepted, 101.0) == [BEING_ADDED]


def test_a_listed_share_gets_what_is_not_listed_of_it(accepted: Accepted) -> None:
    listed = replace(CREATED, principals={ACCOUNT: "ASSOCIATED"}, messages={ACCOUNT: ""})

    assert with_unlisted([listed], accepted, 101.0) == [replace(listed, pools={POOL: "ASSOCIATING"})]


@pytest.mark.parametrize("status", ["ASSOCIATED", "FAILED", "DISASSOCIATING"])
def test_what_is_listed_counts(accepted: Accepted, status: str) -> None:
    listed = replace(BEING_ADDED, pools={POOL: status})

    assert with_unlisted([listed], accepted, 101.0) == [listed]


def test_what_is_not_listed_for_long_is_not_there(accepted: Accepted) -> None:
    assert with_unlisted([], accepted, 100.0 + LISTED_LATE_S) == []
    assert with_unlisted([CREATED], accepted, 100.0 + LISTED_LATE_S) == [CREATED]


def test_what_was_removed_since_is_not_being_added(accepted: Accepted) -> None:
    accepted.note_added(SHARE, (OTHER,), (), 100.0)
    accepted.note_removed(SHARE, (POOL, "arn:never added"))

    (share,) = with_unlisted([], accepted, 101.0)
    assert share.pools == {OTHER: "ASSOCIATING"}


def test_a_share_that_was_deleted_since_is_not_there_and_others_are(accepted: Accepted) -> None:
    other = replace(CREATED, arn="arn:other share")
    accepted.note_added(other.arn, (OTHER,), (), 100.0)
    accepted.note_deleted(SHARE)

    assert with_unlisted([other], accepted, 101.0) == [replace(other, pools={OTHER: "ASSOCIATING"})]
