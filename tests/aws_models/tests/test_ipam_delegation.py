"""The organization's IPAM administrator."""

from __future__ import annotations

from typing import Any

import pytest

from aws_models.errors import AwsError
from aws_models.ipam.bench import MANAGEMENT, MEMBER, NETWORKING, STRANGER, Bench

IPAM = "ipam.amazonaws.com"


@pytest.fixture
def bench() -> Bench:
    return Bench()


def enable(bench: Bench, account_id: str, caller: str = MANAGEMENT) -> dict[str, Any]:
    return bench.ask("EnableIpamOrganizationAdminAccount", account=caller, DelegatedAdminAccountId=account_id)


def disable(bench: Bench, account_id: str, caller: str = MANAGEMENT) -> dict[str, Any]:
    return bench.ask("DisableIpamOrganizationAdminAccount", account=caller, DelegatedAdminAccountId=account_id)


def test_the_management_account_names_a_member_and_ipam_is_trusted_from_then_on(bench: Bench) -> None:
    assert enable(bench, NETWORKING) == {"Success": True}

    assert bench.organization.delegated_administrators == {IPAM: NETWORKING}
    assert IPAM in bench.organization.trusted_services


@pytest.mark.parametrize(
    ("account_id", "caller", "code"),
    [
        (NETWORKING, NETWORKING, "UnauthorizedOperation"),
        (MANAGEMENT, MANAGEMENT, "IpamOrganizationDelegatedAdminCannotBeRootAccount"),
        (STRANGER, MANAGEMENT, "IpamOrganizationAccountNotFound"),
    ],
    ids=["asked by a member", "the management account itself", "outside the organization"],
)
def test_others_cannot_be_named_nor_name(bench: Bench, account_id: str, caller: str, code: str) -> None:
    with pytest.raises(AwsError) as refused:
        enable(bench, account_id, caller)

    assert refused.value.code == code
    assert bench.organization.delegated_administrators == {}


@pytest.mark.parametrize("second", [MEMBER, NETWORKING], ids=["another", "the same"])
def test_there_is_one_administrator_and_naming_it_again_is_refused(bench: Bench, second: str) -> None:
    enable(bench, NETWORKING)

    with pytest.raises(AwsError) as refused:
        enable(bench, second)

    assert refused.value.code == "IpamOrganizationDelegatedAdminLimitExceeded"
    assert bench.organization.delegated_administrators == {IPAM: NETWORKING}


def test_one_that_is_only_registered_with_organizations_can_be_named(bench: Bench) -> None:
    bench.organization.delegated_administrators[IPAM] = NETWORKING

    with pytest.raises(AwsError, match="already has"):
        enable(bench, MEMBER)
    assert enable(bench, NETWORKING) == {"Success": True}


def test_another_can_be_named_after_organizations_alone_has_dismissed_the_first(bench: Bench) -> None:
    enable(bench, NETWORKING)
    del bench.organization.delegated_administrators[IPAM]

    assert enable(bench, MEMBER) == {"Success": True}


def test_another_can_be_named_after_the_first_is_dismissed(bench: Bench) -> None:
    enable(bench, NETWORKING)

    assert disable(bench, NETWORKING) == {"Success": True}

    enable(bench, MEMBER)
    assert bench.organization.delegated_administrators == {IPAM: MEMBER}


@pytest.mark.parametrize(
    ("account_id", "caller", "code"),
    [
        (NETWORKING, NETWORKING, "UnauthorizedOperation"),
        (MEMBER, MANAGEMENT, "IpamOrganizationAccountNotRegistered"),
        (STRANGER, MANAGEMENT, "IpamOrganizationAccountNotFound"),
    ],
    ids=["asked by a member", "not the administrator", "outside the organization"],
)
def test_only_the_administrator_can_be_dismissed(bench: Bench, account_id: str, caller: str, code: str) -> None:
    enable(bench, NETWORKING)

    with pytest.raises(AwsError) as refused:
        disable(bench, account_id, caller)

    assert refused.value.code == code
    assert bench.organization.delegated_administrators == {IPAM: NETWORKING}
