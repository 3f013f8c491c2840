"""Signs in with the user's credentials of the management account. Requires boto3."""

from __future__ import annotations

import os
import shlex
import shutil
from itertools import pairwise
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from commands.arguments import ROOT, another_account, in_no_organization
from commands.aws_cli import AwsCli, AwsCliError, configured_region, users_aws_cli
from commands.aws_errors import text_of
from ctipam.errors import Refused, code_of
from ctipam.sessions import CONFIG, Account

QUICK = CONFIG.merge(Config(retries={"mode": "standard", "total_max_attempts": 2}))
"""For the first call: a user without a connection or with wrong credentials gets an error at once."""


def sign_in(region: str, aws: str) -> Account:
    """Return the account of the user's credentials. Raises Refused without credentials, or without a Region.

    region   used if the user's configuration names none; may be empty
    aws      AWS=, the words of an AWS CLI, which may choose a profile; may be empty
    """
    try:
        session = open_session(aws, ROOT, region)
        if not session.region_name:
            raise Refused(
                "This needs a Region, and credentials of the management account; set AWS_REGION to Control Tower's "
                "home Region, and sign in or set AWS_PROFILE."
            )
        return Account(session, session.client("sts", config=QUICK).get_caller_identity()["Account"])
    except (BotoCoreError, ClientError) as error:
        raise Refused(
            "This needs AWS credentials; sign in to the management account, or set AWS_PROFILE. AWS's error: "
            f"{text_of(error)}"
        ) from None


def refuse_unless_management(account: Account) -> None:
    """Raise Refused unless this is the management account of an organization. Raises AWS's errors."""
    owner = management_id(account)
    if not owner:
        raise in_no_organization(account.account_id)
    if owner != account.account_id:
        raise another_account(account.account_id, owner)


def management_id(account: Account) -> str:
    """Return the id of the organization's management account; empty if there is none. Raises AWS's errors."""
    try:
        return account.organizations().describe_organization()["Organization"]["MasterAccountId"]
    except ClientError as error:
        if code_of(error) != "AWSOrganizationsNotInUseException":
            raise
        return ""


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
    if not exported:
        return None
    return boto3.Session(
        aws_access_key_id=exported["AccessKeyId"],
        aws_secret_access_key=exported["SecretAccessKey"],
        aws_session_token=exported.get("SessionToken"),
        region_name=region or None,
    )
