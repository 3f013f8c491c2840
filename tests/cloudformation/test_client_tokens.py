"""Tokens by which AWS recognizes a creation that is requested twice."""

from __future__ import annotations

import pytest

from ctipam.client_tokens import client_token, create_until_alive


def test_only_the_same_creation_of_the_same_request_has_the_same_token() -> None:
    creations = [
        ("request-1", "create", "us-east-1"),
        ("request-1", "create", "us-east-1", ""),
        ("request-1", "creat", "eus-east-1"),
        ("request-1", "createus-east-1"),
        ("request-1create", "us-east-1"),
        ("request-2", "create", "us-east-1"),
    ]

    tokens = {client_token(*creation) for creation in creations}

    assert len(tokens) == len(creations)
    assert tokens == {client_token(*creation) for creation in creations}
    assert {len(token) for token in tokens} == {64}


@pytest.mark.parametrize("state", ["create-failed", "delete-in-progress", "delete-complete"])
def test_a_token_whose_resource_will_never_be_usable_is_not_used_again(state: str) -> None:
    made = {"": ("ipam-1", state), "ipam-1": ("ipam-2", state), "ipam-2": ("ipam-3", "create-in-progress")}

    created = create_until_alive(lambda dead: dict(zip(("IpamId", "State"), made[dead], strict=True)), "IpamId")

    assert created["IpamId"] == "ipam-3"


@pytest.mark.parametrize("state", ["create-complete", "modify-in-progress", "modify-failed", "delete-failed"])
def test_what_the_first_token_has_made_is_used_if_it_is_or_becomes_usable(state: str) -> None:
    assert create_until_alive(lambda dead: {"": {"IpamId": "ipam-1", "State": state}}[dead], "IpamId")["State"] == state
