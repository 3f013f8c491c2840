"""Where a command that reads AWS finds the user's credentials and Region."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, NoCredentialsError

from commands.sign_in import open_session, refuse_unless_management, sign_in
from ctipam.errors import Refused
from ctipam.sessions import Account
from in_process.aws_calls import intercept

ROOT = Path(__file__).parents[2]
WEST = "us-west-2"


@pytest.mark.parametrize("named", [True, False], ids=["named", "found, where boto3 has no credentials"])
def test_an_aws_cli_is_asked_for_the_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, named: bool) -> None:
    exported = {"Version": 1, "AccessKeyId": "a", "SecretAccessKey": "b", "SessionToken": "c"}
    cli = tmp_path / "aws"
    answers = f"'configure export-credentials') echo '{json.dumps(exported)}';; *) echo {WEST};;"
    cli.write_text(f'#!/bin/sh\ncase "$1 $2" in {answers} esac\n')
    cli.chmod(0o755)
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    if not named:
        monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
        monkeypatch.setattr("botocore.credentials.CredentialResolver.load_credentials", lambda _self: None)

    session = open_session(str(cli) if named else "", ROOT)

    found = session.get_credentials()
    assert found
    assert (found.access_key, found.secret_key, found.token) == ("a", "b", "c")
    assert session.region_name == WEST


def test_the_profile_of_an_aws_cli_that_exports_no_credentials_counts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As version 1 of the AWS CLI: other credentials would be of another account."""
    (tmp_path / "config").write_text(
        f"[profile mine]\nregion = {WEST}\naws_access_key_id = a\naws_secret_access_key = b"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))

    found = open_session("false --profile mine", ROOT).get_credentials()

    assert found
    assert found.access_key == "a"


def test_the_regions_of_the_user_come_before_the_one_of_the_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = tmp_path / "config"
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)

    def regions() -> list[str | None]:
        return [open_session(words, ROOT, "eu-west-1").region_name for words in ("", "false --profile=default")]

    assert open_session("", ROOT).region_name is None
    config.write_text("[default]\n")
    assert regions() == ["eu-west-1", "eu-west-1"]
    config.write_text(f"[default]\nregion = {WEST}\n")
    assert regions()[0] == WEST
    monkeypatch.setenv("AWS_REGION", "us-east-2")
    assert regions() == ["us-east-2", "us-east-2"]


@pytest.mark.parametrize("answer", [None, "nothing", "refuses"], ids=["no AWS CLI", "exports nothing", "version 1"])
def test_where_nothing_has_credentials_there_are_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, answer: str | None
) -> None:
    if answer:
        cli = tmp_path / "aws"
        cli.write_text(f"#!/bin/sh\n[ {answer} = nothing ]\n")
        cli.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin" if answer else "")
    monkeypatch.setattr("botocore.credentials.CredentialResolver.load_credentials", lambda _self: None)

    assert open_session("", ROOT, WEST).get_credentials() is None


def error(code: str, operation: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, operation)


def test_the_first_call_is_given_up_soon_and_its_error_is_told_without_what_may_be_secret(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers: list[Any] = [{"Account": "1"}, error("ExpiredToken", "GetCallerIdentity"), NoCredentialsError()]

    def answer(_call: Any, client: Any, operation: str, _parameters: Any) -> Any:
        assert (operation, client.meta.config.retries) == (
            "GetCallerIdentity",
            {"mode": "standard", "total_max_attempts": 2},
        )
        found = answers.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    intercept(monkeypatch, answer)
    monkeypatch.setenv("AWS_REGION", WEST)

    account = sign_in("us-east-1", "")
    assert (account.account_id, account.region) == ("1", WEST)
    for reason in ("GetCallerIdentity: ExpiredToken", "Unable to locate credentials"):
        with pytest.raises(Refused) as refused:
            sign_in("", "")
        assert str(refused.value) == (
            "This needs AWS credentials; sign in to the management account, or set AWS_PROFILE. AWS's error: " + reason
        )

    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(Refused, match="This needs a Region, and credentials of the management account; set AWS_REGION"):
        sign_in("", "")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ({"Organization": {"MasterAccountId": "111111111111"}}, ""),
        (
            {"Organization": {"MasterAccountId": "222222222222"}},
            "the organization's management account is 222222222222",
        ),
        (error("AWSOrganizationsNotInUseException", "DescribeOrganization"), "111111111111 is in no organization"),
        (error("AccessDenied", "DescribeOrganization"), "AccessDenied"),
    ],
    ids=["it is", "another account", "no organization", "not allowed to ask"],
)
def test_only_the_management_account_is_accepted(monkeypatch: pytest.MonkeyPatch, answer: Any, reason: str) -> None:
    def answers(*_arguments: Any) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    intercept(monkeypatch, answers)
    account = Account(boto3.Session("not used", "not used", region_name=WEST), "111111111111")
    if reason:
        with pytest.raises((Refused, ClientError), match=reason):
            refuse_unless_management(account)
    else:
        refuse_unless_management(account)
