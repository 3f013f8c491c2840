"""Clients for an account that was assumed."""

from __future__ import annotations

import gc
from collections import Counter
from typing import Any

import boto3
import botocore.loaders
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


def test_the_description_of_a_service_is_read_once_for_all_accounts(
    management: sessions.Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: Counter[str] = Counter()
    load = botocore.loaders.JSONFileLoader.load_file

    def counted(self: Any, path: str) -> Any:
        found = load(self, path)
        read[path] += found is not None
        return found

    monkeypatch.setattr(botocore.loaders.JSONFileLoader, "load_file", counted)
    for account in (management, assume(management, NETWORKING), assume(management, SHOP)):
        account.ram()

    assert max(read.values()) == 1, read


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
