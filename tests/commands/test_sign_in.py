"""Where a command that reads AWS finds the user's credentials and Region."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from commands.sign_in import open_session

ROOT = Path(__file__).parents[2]
WEST = "us-west-2"


@pytest.mark.parametrize("named", [True, False], ids=["named", "found, where boto3 has no credentials"])
def test_an_aws_cli_is_asked_for_the_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, named: bool) -> None:
    exported = {"Version": 1, "AccessKeyId": "a", "SecretAccessKey": "b", "SessionToken": "c"}
    cli = tmp_path / "aws"
    cli.write_text(f"#!/bin/sh\ncase $2 in export-credentials) echo '{json.dumps(exported)}';; *) echo {WEST};; esac\n")
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
