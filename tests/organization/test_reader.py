"""An account or OU counts as gone only if Organizations says so, and not if the question was refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from ctipam.organization import reader
from ctipam.organization.tree import AccountLocation, OrganizationalUnit, OrganizationTree

ACCOUNT, OU = "000000000042", "ou-ab12-11111111"

READS: list[tuple[Callable[[Any], Any], str, str, Any]] = [
    (lambda client: reader.is_active_member(client, ACCOUNT), "describe_account", "AccountNotFoundException", False),
    (lambda client: reader.locate(client, ACCOUNT), "describe_account", "AccountNotFoundException", None),
    (
        lambda client: reader.find_ou(client, OU),
        "describe_organizational_unit",
        "OrganizationalUnitNotFoundException",
        None,
    ),
    (lambda client: reader.read_below(client, OU), "list_parents", "ChildNotFoundException", OrganizationTree((), ())),
]


@pytest.mark.parametrize(("read", "method", "code", "nothing"), READS, ids=[method for _, method, *_ in READS])
def test_what_is_gone_is_no_error_and_any_other_refusal_is(
    read: Callable[[Any], Any], method: str, code: str, nothing: Any
) -> None:
    organizations = boto3.client("organizations", "us-east-1")
    with Stubber(organizations) as refusals:
        refusals.add_client_error(method, code)
        refusals.add_client_error(method, "AccessDeniedException")

        assert read(organizations) == nothing
        with pytest.raises(ClientError, match="AccessDeniedException"):
            read(organizations)


@pytest.mark.parametrize("state", [{"State": "ACTIVE"}, {"Status": "ACTIVE"}, {"State": "ACTIVE", "Status": "GONE"}])
def test_the_state_of_an_account_is_read_from_new_and_older_sdks(state: Any) -> None:
    assert reader.state_of(state) == "ACTIVE"
    assert reader.state_of({}) == ""


def test_an_account_is_located_with_all_that_is_known_of_it() -> None:
    organizations = boto3.client("organizations", "us-east-1")
    joined = datetime(2026, 1, 1, tzinfo=UTC)
    path = f"o-exampleorgid/r-ab12/{OU}/{ACCOUNT}/"
    account = {"Id": ACCOUNT, "Name": "Shop", "State": "ACTIVE", "JoinedTimestamp": joined, "Paths": [path]}
    with Stubber(organizations) as answers:
        answers.add_response("describe_account", {"Account": account})

        located = reader.locate(organizations, ACCOUNT)

    assert located == AccountLocation(ACCOUNT, "ACTIVE", joined, (OrganizationalUnit(OU, ""),), "Shop")


def test_the_ous_of_an_account_that_is_closed_are_not_read() -> None:
    organizations = boto3.client("organizations", "us-east-1")
    with Stubber(organizations) as answers:
        answers.add_response("describe_account", {"Account": {"Id": ACCOUNT, "State": "SUSPENDED"}})

        assert reader.locate(organizations, ACCOUNT) == AccountLocation(ACCOUNT, "SUSPENDED", None, ())
