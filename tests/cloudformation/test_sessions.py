"""Clients for an account that was assumed."""

from __future__ import annotations

import gc
from typing import Any

import boto3
import pytest

from ctipam import sessions

MANAGEMENT, NETWORKING, SHOP = "111111111111", "222222222222", "333333333333"


class Management(sessions.Account):
    def credentials_of(self, role_arn: str, session_name: str, policy: dict[str, Any]) -> Any:
        account_id = role_arn.split(":")[4]
        return {name: f"{name} of {account_id}" for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")}


@pytest.fixture
def management() -> sessions.Account:
    session = boto3.Session("its own", "its own", region_name="us-east-1")
    return Management(session, MANAGEMENT)


def assume(management: sessions.Account, account_id: str) -> sessions.Account:
    return management.assume(f"arn:aws:iam::{account_id}:role/AWSControlTowerExecution", "test", {})


def test_a_client_of_an_assumed_account_signs_with_the_credentials_of_the_role(management: sessions.Account) -> None:
    accounts: list[Any] = [management, *(assume(management, account_id) for account_id in (NETWORKING, SHOP))]

    used = [account.ec2("eu-west-1")._request_signer._credentials for account in accounts]

    assert [account.account_id for account in accounts] == [MANAGEMENT, NETWORKING, SHOP]
    assert [one.access_key for one in used] == ["its own", f"AccessKeyId of {NETWORKING}", f"AccessKeyId of {SHOP}"]
    assert [one.token for one in used] == [None, f"SessionToken of {NETWORKING}", f"SessionToken of {SHOP}"]


def test_an_assumed_account_opens_no_session_which_would_read_the_descriptions_of_services_again(
    management: sessions.Account,
) -> None:
    assert assume(assume(management, NETWORKING), SHOP)._session is management._session


@pytest.mark.parametrize("enabled", [True, False])
def test_garbage_is_collected_after_a_client_was_created_if_it_was_before(
    management: sessions.Account, enabled: bool
) -> None:
    before = gc.isenabled()
    (gc.enable if enabled else gc.disable)()
    try:
        management.ram()
        assert gc.isenabled() is enabled
    finally:
        (gc.enable if before else gc.disable)()
