"""An account that is read with boto3: any operation by its name, and every list to its end."""

from __future__ import annotations

import os
import shlex
import shutil
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from commands.aws_cli import AwsCli, AwsCliError, configured_region, users_aws_cli
from ctipam.sessions import CONFIG, Account

FEW_ATTEMPTS = CONFIG.merge(Config(retries={"mode": "standard", "total_max_attempts": 5}))
"""Gives up after 15 seconds at most, where CONFIG takes a minute and more."""


class AwsReader(Account):
    def impatient(self) -> Self:
        """Return a reader of the same account that soon gives up if AWS throttles its calls."""
        reader = type(self)(self._session, self.account_id, self._credentials)
        reader._config = FEW_ATTEMPTS
        return reader

    def ask(self, service: str, operation: str, region: str = "", **parameters: Any) -> Any:
        """Return the answer of an operation that only reads. Raises the errors of botocore.

        service, operation, parameters   as boto3 names them: "organizations", "list_parents", ChildId="ou-..."
        region                           empty: that of the account
        """
        client = self._client(service, region or self.region)
        if client.can_paginate(operation):
            return client.get_paginator(operation).paginate(**parameters).build_full_result()
        return getattr(client, operation)(**parameters)


def open_session(words: str, root: Path, region: str = "") -> boto3.Session:
    """Return a session with the user's credentials and Region; its region_name may be None.

    The credentials are those that boto3 finds, as `aws` does. Where it finds none, for example after `aws login`, and
    where the user has named an AWS CLI, whose words may choose a profile, that CLI is asked for them. Version 1 exports
    none.

    words    AWS=, or empty
    region   used if the user's configuration names none
    Raises   BotoCoreError, for example if AWS_PROFILE names no profile
    """
    if words:
        cli = users_aws_cli(words, root)
        chosen = configured_region(cli) or region
        return _exported(cli, chosen) or boto3.Session(region_name=chosen or None, profile_name=_profile(words))
    # boto3 reads only AWS_DEFAULT_REGION
    chosen = os.environ.get("AWS_REGION") or boto3.Session().region_name or region
    session = boto3.Session(region_name=chosen or None)
    if not _has_credentials(session) and shutil.which("aws"):
        cli = users_aws_cli("aws", root)
        return _exported(cli, chosen or configured_region(cli)) or session
    return session


def _profile(words: str) -> str | None:
    """Return the profile that the words of an AWS CLI choose."""
    for word, following in pairwise([*shlex.split(words), ""]):
        name, _, value = word.partition("=")
        if name == "--profile":
            return value or following
    return None


def _has_credentials(session: boto3.Session) -> bool:
    try:
        return session.get_credentials() is not None
    except BotoCoreError:
        return False


def _exported(cli: AwsCli, region: str) -> boto3.Session | None:
    try:
        exported = cli.ask("configure", "export-credentials", "--format", "process")
    except AwsCliError:
        return None
    return _session(exported, region) if exported else None


def _session(credentials: Any, region: str) -> boto3.Session:
    """credentials: as STS and `aws configure export-credentials` name them."""
    return boto3.Session(
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials.get("SessionToken"),
        region_name=region or None,
    )
