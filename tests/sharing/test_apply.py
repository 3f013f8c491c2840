"""What one change of a share sends to RAM, and which answers count as done."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import ANY, Stubber

from ctipam import names
from ctipam.sharing.apply import apply
from ctipam.sharing.changes import AdoptShare, Associate, CreateShare, DeleteShare, Disassociate
from ctipam.sharing.existing import Share
from ctipam.tags import TagChanges

ACCOUNT, POOL = "000000000042", "arn:aws:ec2::222222222222:ipam-pool/ipam-pool-0123456789abcdef0"
ARN = "arn:aws:ram:us-east-1:222222222222:resource-share/00000000-0000-0000-0000-000000000000"
CREATED = datetime(2026, 1, 1, tzinfo=UTC)
SHARE = Share(ARN, ACCOUNT, CREATED)
OUR_TAG = {"key": names.ACCOUNT_TAG, "value": ACCOUNT}


@pytest.fixture
def ram() -> Iterator[Any]:
    with Stubber(boto3.client("ram", "us-east-1")) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


@pytest.mark.parametrize("change", [Associate, Disassociate])
@pytest.mark.parametrize(
    ("pools", "principals", "sent"),
    [
        ((POOL,), (ACCOUNT,), {"resourceArns": [POOL], "principals": [ACCOUNT]}),
        ((POOL,), (), {"resourceArns": [POOL]}),
        ((), (ACCOUNT,), {"principals": [ACCOUNT]}),
    ],
    ids=["both", "pools", "principals"],
)
def test_only_what_changes_is_sent(
    ram: Any, change: Any, pools: tuple[str, ...], principals: tuple[str, ...], sent: dict[str, Any]
) -> None:
    ram.add_response(f"{change.__name__.lower()}_resource_share", {}, {"resourceShareArn": ARN} | sent)

    apply(ram.client, change(SHARE, pools, principals), {})


def test_a_share_is_created_closed_and_tagged_with_its_account(ram: Any) -> None:
    sent = {
        "name": f"ipamShare-{ACCOUNT}",
        "resourceArns": [POOL],
        "principals": [ACCOUNT],
        "allowExternalPrincipals": False,
        "tags": [{"key": "cost-center", "value": "42"}, OUR_TAG],
        "clientToken": ANY,
    }
    ram.add_response(
        "create_resource_share", {"resourceShare": {"resourceShareArn": ARN, "creationTime": CREATED}}, sent
    )

    created = apply(ram.client, CreateShare(ACCOUNT, (POOL,)), {"cost-center": "42"})

    assert created == Share(ARN, ACCOUNT, CREATED, tags={"cost-center": "42", names.ACCOUNT_TAG: ACCOUNT})


@pytest.mark.parametrize("removed", [(), ("old",)])
def test_an_adopted_share_gets_our_tag_and_name_and_is_closed(ram: Any, removed: tuple[str, ...]) -> None:
    ram.add_response("tag_resource", {}, {"resourceShareArn": ARN, "tags": [OUR_TAG]})
    if removed:
        ram.add_response("untag_resource", {}, {"resourceShareArn": ARN, "tagKeys": ["old"]})
    closed = {"resourceShareArn": ARN, "name": f"ipamShare-{ACCOUNT}", "allowExternalPrincipals": False}
    ram.add_response("update_resource_share", {}, closed)

    assert apply(ram.client, AdoptShare(SHARE, TagChanges({}, removed)), {}) is None


def test_a_share_that_is_gone_is_deleted_and_any_refusal_is_an_error(ram: Any) -> None:
    ram.add_client_error("delete_resource_share", "UnknownResourceException", expected_params={"resourceShareArn": ARN})
    ram.add_client_error("delete_resource_share", "InvalidStateTransitionException")

    apply(ram.client, DeleteShare(SHARE), {})
    with pytest.raises(ClientError, match="InvalidStateTransitionException"):
        apply(ram.client, DeleteShare(SHARE), {})
