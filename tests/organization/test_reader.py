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

ACCOUNT, OU, PARENT, GONE = "000000000042", "ou-ab12-11111111", "ou-ab12-22222222", "ou-ab12-33333333"
PATH = (OrganizationalUnit(OU, ""),)

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
    (lambda client: reader.find_accounts_in(client, PATH), "list_accounts_for_parent", "ParentNotFoundException", {}),
    (
        lambda client: reader.find_ou_paths(client, [OU]),
        "list_organizational_units_for_parent",
        "ParentNotFoundException",
        [],
    ),
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


@pytest.mark.parametrize("state", [{"State": "CLOSED"}, {"Status": "CLOSED"}, {"State": "CLOSED", "Status": "ACTIVE"}])
def test_the_state_of_an_account_is_read_from_new_and_older_sdks(state: Any) -> None:
    assert reader.state_of(state) == "CLOSED"


def test_an_account_whose_state_the_sdk_does_not_know_counts_as_active() -> None:
    """AWS retires Status in September 2026, and an older SDK drops State from the answer."""
    assert reader.state_of({}) == "ACTIVE"


def test_an_account_is_located_with_all_that_is_known_of_it() -> None:
    organizations = boto3.client("organizations", "us-east-1")
    joined = datetime(2026, 1, 1, tzinfo=UTC)
    path = f"o-exampleorgid/r-ab12/{OU}/{ACCOUNT}/"
    account = {"Id": ACCOUNT, "Name": "Shop", "State": "ACTIVE", "JoinedTimestamp": joined, "Paths": [path]}
    with Stubber(organizations) as answers:
        answers.add_response("describe_account", {"Account": account})

        located = reader.locate(organizations, ACCOUNT)

    assert located == AccountLocation(ACCOUNT, "ACTIVE", joined, (OrganizationalUnit(OU, ""),), "Shop")


@pytest.mark.parametrize(("enough", "read"), [(OU, [OU]), (PARENT, [OU, PARENT]), ("another", [OU, PARENT])])
def test_the_parent_ous_of_an_account_are_read_until_it_is_enough(enough: str, read: list[str]) -> None:
    organizations = boto3.client("organizations", "us-east-1")
    with Stubber(organizations) as answers:
        answers.add_response("describe_account", {"Account": {"Id": ACCOUNT, "State": "ACTIVE"}})
        parents = [(OU, "ORGANIZATIONAL_UNIT"), (PARENT, "ORGANIZATIONAL_UNIT"), ("r-ab12", "ROOT")]
        for child, (parent, kind) in zip([ACCOUNT, OU, PARENT], parents, strict=True):
            if child != enough and (child != PARENT or enough == "another"):
                answers.add_response("list_parents", {"Parents": [{"Id": parent, "Type": kind}]}, {"ChildId": child})

        located = reader.locate(organizations, ACCOUNT, enough.__eq__)
        answers.assert_no_pending_responses()

    assert located
    assert [ou.ou_id for ou in located.ou_path] == read


def test_the_parent_of_an_account_is_found_on_the_page_after_an_empty_one() -> None:
    """https://docs.aws.amazon.com/organizations/latest/APIReference/API_ListParents.html"""
    organizations = boto3.client("organizations", "us-east-1")
    with Stubber(organizations) as answers:
        answers.add_response("describe_account", {"Account": {"Id": ACCOUNT, "State": "ACTIVE"}})
        answers.add_response("list_parents", {"Parents": [], "NextToken": "more"})
        answers.add_response("list_parents", {"Parents": [{"Id": OU, "Type": "ORGANIZATIONAL_UNIT"}]})

        located = reader.locate(organizations, ACCOUNT, OU.__eq__)

    assert located == AccountLocation(ACCOUNT, "ACTIVE", None, PATH)


def test_each_ou_is_read_once_for_its_name_and_one_that_is_gone_has_none() -> None:
    organizations = boto3.client("organizations", "us-east-1")
    known = {PARENT: "Workloads"}
    path = (OrganizationalUnit(OU, ""), OrganizationalUnit(GONE, ""), OrganizationalUnit(PARENT, ""))
    with Stubber(organizations) as answers:
        answers.add_response(
            "describe_organizational_unit",
            {"OrganizationalUnit": {"Id": OU, "Name": "Prod"}},
            {"OrganizationalUnitId": OU},
        )
        answers.add_client_error("describe_organizational_unit", "OrganizationalUnitNotFoundException")

        named = reader.name_ous(organizations, path, known)

        assert named == reader.name_ous(organizations, path, known)
    assert [ou.name for ou in named] == ["Prod", "", "Workloads"]


def test_the_ous_of_an_account_that_is_closed_are_not_read() -> None:
    organizations = boto3.client("organizations", "us-east-1")
    with Stubber(organizations) as answers:
        answers.add_response("describe_account", {"Account": {"Id": ACCOUNT, "State": "SUSPENDED"}})

        assert reader.locate(organizations, ACCOUNT) == AccountLocation(ACCOUNT, "SUSPENDED", None, ())


def test_an_ou_that_somebody_deletes_while_the_organization_is_read_has_no_accounts() -> None:
    """AWS deletes only an OU that is empty."""
    organizations = boto3.client("organizations", "us-east-1")
    with Stubber(organizations) as answers:
        answers.add_response("list_roots", {"Roots": [{"Id": "r-ab12"}]})
        nested = {"OrganizationalUnits": [{"Id": OU, "Name": "Prod"}]}
        answers.add_response("list_organizational_units_for_parent", nested)
        answers.add_client_error("list_organizational_units_for_parent", "ParentNotFoundException")
        answers.add_response("list_accounts_for_parent", {"Accounts": [{"Id": ACCOUNT, "State": "ACTIVE"}]})
        answers.add_client_error("list_accounts_for_parent", "ParentNotFoundException")

        tree = reader.read_all(organizations)

    assert tree == OrganizationTree((OrganizationalUnit(OU, "Prod"),), (AccountLocation(ACCOUNT, "ACTIVE"),))
