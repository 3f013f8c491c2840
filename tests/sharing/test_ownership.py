"""The deletion of all shares of a stack: one that cannot be deleted keeps no other."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from ctipam import names
from ctipam.sharing import ownership, reader
from ctipam.sharing.changes import DeleteShare
from ctipam.sharing.existing import Share

OURS, THEIRS = "arn:aws:cloudformation:us-east-1:1:stack/ours/1", "arn:aws:cloudformation:us-east-1:1:stack/theirs/1"


def share(account_id: str, stack_id: str = OURS) -> Share:
    return Share(f"arn-{account_id}", account_id, datetime(2026, 1, 1, tzinfo=UTC), tags={names.STACK_TAG: stack_id})


@pytest.fixture
def deleted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the ARNs of the shares that were deleted. RAM refuses to delete that of account 2."""
    arns: list[str] = []

    def apply(_ram: object, change: DeleteShare, _tags: object) -> None:
        if change.share.account_id == "2":
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "No."}}, "DeleteResourceShare")
        arns.append(change.share.arn)

    found = {number: [share(number)] for number in ("1", "2", "3")} | {"4": [share("4", THEIRS)], "5": [share("5", "")]}
    monkeypatch.setattr(reader, "find_all_shares", lambda _: found)
    monkeypatch.setattr(ownership, "apply", apply)
    monkeypatch.setattr(ownership, "can_act", lambda _, stack_id: stack_id == THEIRS)
    return arns


def test_a_share_that_cannot_be_deleted_keeps_no_other_and_is_an_error(deleted: list[str]) -> None:
    networking: Any = SimpleNamespace(ram=lambda: None)
    pauses: list[float] = []
    deadline: Any = SimpleNamespace(pause=pauses.append)

    with pytest.raises(ClientError, match="AccessDenied"):
        ownership.unshare_all(networking, ownership.ShareOwnership(networking, OURS), deadline)

    assert deleted == ["arn-1", "arn-3", "arn-5"], "the fourth is that of another stack that can act"
    assert pauses == [0] * 4, "it takes no time to look how much of it is left"


def test_a_share_that_ram_cannot_delete_yet_is_not_asked_for_without_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    def apply(*_: object) -> None:
        error: Any = {"Code": "InvalidStateTransitionException", "Message": "Not yet."}
        raise ClientError({"Error": error}, "DeleteResourceShare")

    networking: Any = SimpleNamespace(ram=lambda: None)
    answers = iter([*[{"1": [share("1")]}] * 3, {}])
    monkeypatch.setattr(reader, "find_all_shares", lambda _: next(answers))
    monkeypatch.setattr(reader, "is_deleting", lambda _: False)
    monkeypatch.setattr(ownership, "apply", apply)
    pauses: list[float] = []
    deadline: Any = SimpleNamespace(pause=pauses.append)

    ownership.unshare_all(networking, ownership.ShareOwnership(networking, OURS), deadline)

    assert sum(pauses) == 3 * ownership.DELETION_PAUSE_S
