"""What RAM's lists say of our shares: which are ours and as they should be, and which of several statuses counts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from ctipam import names
from ctipam.sharing import reader
from ctipam.sharing.existing import Share

ACCOUNT, POOL = "000000000042", "arn:aws:ec2::222222222222:ipam-pool/ipam-pool-0123456789abcdef0"
ARN = "arn:aws:ram:us-east-1:222222222222:resource-share/00000000-0000-0000-0000-000000000000"
CREATED = datetime(2026, 1, 1, tzinfo=UTC)
SHARE = {
    "resourceShareArn": ARN,
    "name": names.share_name(ACCOUNT),
    "status": "ACTIVE",
    "allowExternalPrincipals": False,
    "creationTime": CREATED,
    "tags": [{"key": names.ACCOUNT_TAG, "value": ACCOUNT}],
}


@pytest.fixture
def ram() -> Iterator[Any]:
    with Stubber(boto3.client("ram", "us-east-1")) as stubber:
        yield stubber


def list_shares(ram: Any, *shares: dict[str, Any]) -> None:
    ram.add_response("get_resource_shares", {"resourceShares": list(shares)})


def list_associations(ram: Any, kind: str, *statuses: tuple[str, str], arn: str = ARN) -> None:
    """statuses   [(pool or account, status)]"""
    rows = [
        {
            "resourceShareArn": arn,
            "associatedEntity": entity,
            "associationType": kind,
            "status": status,
            "statusMessage": f"why {status}",
        }
        for entity, status in statuses
    ]
    ram.add_response("get_resource_share_associations", {"resourceShareAssociations": rows})


def found(ram: Any) -> Share:
    (share,) = reader.find_all_shares(ram.client)[ACCOUNT]
    return share


@pytest.mark.parametrize(
    "statuses", [("FAILED", "ASSOCIATED"), ("ASSOCIATED", "FAILED"), ("ASSOCIATED", "ASSOCIATING")]
)
def test_of_several_rows_for_one_pool_the_best_status_counts_with_its_message(
    ram: Any, statuses: tuple[str, ...]
) -> None:
    list_shares(ram, SHARE)
    list_associations(ram, "RESOURCE", *((POOL, status) for status in statuses))
    list_associations(ram, "PRINCIPAL", (ACCOUNT, "DISASSOCIATED"))

    share = found(ram)

    assert (share.pools, share.principals) == ({POOL: "ASSOCIATED"}, {})
    assert share.messages == {POOL: "why ASSOCIATED"}


def test_of_two_statuses_the_one_counts_that_leaves_the_account_more_of_the_pool(ram: Any) -> None:
    order = ["ASSOCIATED", "SUSPENDED", "ASSOCIATING", "RESTORING", "DISASSOCIATING", "SUSPENDING", "FAILED"]
    list_shares(ram, SHARE)
    pairs = [(f"{POOL}{at}", pair) for at, pair in enumerate(pairwise(order))]
    list_associations(ram, "RESOURCE", *((pool, status) for pool, pair in pairs for status in reversed(pair)))
    list_associations(ram, "PRINCIPAL")

    assert found(ram).pools == {pool: better for pool, (better, _) in pairs}


@pytest.mark.parametrize(
    ("changed", "settled"),
    [
        ({}, True),
        ({"name": "renamed"}, False),
        ({"tags": []}, False),
        ({"allowExternalPrincipals": True}, False),
    ],
    ids=["as it should be", "renamed", "of an earlier version", "open"],
)
def test_a_share_is_settled_if_it_has_our_name_and_tag_and_is_closed(
    ram: Any, changed: dict[str, Any], settled: bool
) -> None:
    list_shares(ram, SHARE | changed)
    list_associations(ram, "RESOURCE")
    list_associations(ram, "PRINCIPAL")

    assert found(ram).settled is settled


def test_a_share_with_the_name_for_one_account_and_the_tag_of_another_is_the_others(ram: Any) -> None:
    tag = {"key": names.ACCOUNT_TAG, "value": "000000000043"}
    list_shares(ram, SHARE | {"tags": [tag]})

    assert reader.find_shares(ram.client, ACCOUNT) == []


def test_shares_are_listed_in_the_largest_pages_that_ram_allows(ram: Any) -> None:
    ram.add_response("get_resource_shares", {"resourceShares": []}, {"resourceOwner": "SELF", "maxResults": 500})

    assert reader.find_all_shares(ram.client) == {}


@pytest.mark.parametrize(("name", "is_ours"), [(names.share_name(ACCOUNT), True), ("somebody else's", False)])
def test_only_our_shares_that_are_being_deleted_are_waited_for(ram: Any, name: str, is_ours: bool) -> None:
    question = {"resourceOwner": "SELF", "resourceShareStatus": "DELETING", "maxResults": 500}
    share = SHARE | {"name": name, "status": "DELETING", "tags": []}
    ram.add_response("get_resource_shares", {"resourceShares": [share]}, question)

    assert reader.is_deleting(ram.client) is is_ours


@pytest.mark.parametrize("status", ["DELETING", "DELETED"])
def test_a_share_that_is_deleted_is_no_share(ram: Any, status: str) -> None:
    list_shares(ram, SHARE | {"status": status})

    assert reader.find_all_shares(ram.client) == {}


@pytest.mark.parametrize("status", ["PENDING", "ACTIVE", "FAILED"])
def test_a_share_counts_in_every_status_in_which_it_can_be_changed(ram: Any, status: str) -> None:
    list_shares(ram, SHARE | {"status": status})
    list_associations(ram, "RESOURCE")
    list_associations(ram, "PRINCIPAL")

    assert found(ram).arn == ARN


JUST_CREATED = Share(ARN, ACCOUNT, CREATED)


def test_the_pools_and_the_account_of_a_new_share_are_read(ram: Any) -> None:
    list_associations(ram, "PRINCIPAL", (ACCOUNT, "ASSOCIATED"))
    list_associations(ram, "RESOURCE", (POOL, "FAILED"))

    (share,) = reader.reread_share(ram.client, JUST_CREATED)

    assert (share.pools, share.principals) == ({POOL: "FAILED"}, {ACCOUNT: "ASSOCIATED"})


def test_a_share_that_the_account_has_left_does_not_count_beside_a_new_one(ram: Any) -> None:
    list_associations(ram, "PRINCIPAL", (ACCOUNT, "DISASSOCIATED"), arn=ARN.replace("0", "1"))
    list_associations(ram, "RESOURCE", (POOL, "ASSOCIATED"))

    assert [share.arn for share in reader.reread_share(ram.client, JUST_CREATED)] == [ARN]


def test_a_new_share_that_another_handler_has_deleted_is_gone_and_any_other_refusal_is_an_error(ram: Any) -> None:
    list_associations(ram, "PRINCIPAL")
    ram.add_client_error("get_resource_share_associations", "UnknownResourceException")
    list_shares(ram)
    list_associations(ram, "PRINCIPAL")
    ram.add_client_error("get_resource_share_associations", "ThrottlingException")

    assert reader.reread_share(ram.client, JUST_CREATED) == []
    with pytest.raises(ClientError, match="ThrottlingException"):
        reader.reread_share(ram.client, JUST_CREATED)
