"""The VPCs of a whole organization, read with the user's own credentials of the management account.

The management account is read with the credentials themselves, every other active account as Control Tower's role,
limited to the two calls that are made there. A Region counts if it is enabled for the account. What cannot be read is
handed on with its reason, so that silence never passes for free space.

Needs boto3, which `make` provides for this alone.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import partial
from queue import SimpleQueue
from typing import Any, cast

import boto3
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

from commands.arguments import another_account, in_no_organization
from commands.vpcs import Existing, Unread, VpcCidr, cidrs_of, of_organization
from ctipam.errors import DENIED, Refused, code_of
from ctipam.organization.reader import read_all
from ctipam.sessions import CONFIG, Account
from ctipam.sharing.networking_account import ROLE, execution_role

SESSION_NAME = "plan-address-space"  # what CloudTrail shows in each account

POLICY: dict[str, Any] = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Sid": "ReadVpcsOfAllRegions",
            "Effect": "Allow",
            "Action": ["ec2:DescribeRegions", "ec2:DescribeVpcs"],
            "Resource": "*",  # neither can be limited to a resource
        }
    ],
}
"""What a session may do at most. The role itself is administrator."""

ACCOUNTS_AT_ONCE, REGIONS_AT_ONCE = 4, 16
"""EC2 counts what it lets through for each account and Region by itself, so all Regions of an account may be asked at
once; each account more takes some 60 MB for the clients of its Regions."""

QUICK = CONFIG.merge(Config(retries={"mode": "standard", "total_max_attempts": 2}))
"""Who has no connection, or made a mistake, need not wait half a minute to be told."""

TOLD_EVERY_S = 5.0

PAGE: Any = {"PageSize": 1000}
"""The most. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeVpcs.html"""


def read(region: str) -> Existing:
    """Raises Refused unless the credentials are the management account's, and may list the organization's accounts.

    region   to be asked who is who, if the user's configuration names none
    """
    management = _sign_in(region)
    account_ids = _active_accounts(management)
    return of_organization(_read_accounts(management, account_ids), len(account_ids))


def _sign_in(region: str) -> Account:
    """Return the account of the user's credentials."""
    try:
        # The AWS CLI knows both variables, boto3 the second one only.
        configured = os.environ.get("AWS_REGION") or boto3.Session().region_name
        session = boto3.Session(region_name=configured or region)
        return Account(session, session.client("sts", config=QUICK).get_caller_identity()["Account"])
    except (BotoCoreError, ClientError) as error:
        raise Refused(
            "VPCS=organization asks AWS, which cannot say who you are; sign in to the management account, or set "
            f"AWS_PROFILE. It says: {_said(error)}"
        ) from None


def _said(error: BotoCoreError | ClientError) -> str:
    """What it says, unless that may show a part of the credentials: a signature, or a header that cannot be sent."""
    return _why(error) if isinstance(error, ClientError | HTTPClientError) else str(error)


def _active_accounts(management: Account) -> list[str]:
    account_id = management.account_id
    try:
        owner = management.organizations().describe_organization()["Organization"]["MasterAccountId"]
        if owner != account_id:
            raise another_account(account_id, owner)
        places = read_all(management.organizations()).locations
    except (BotoCoreError, ClientError) as error:
        if isinstance(error, ClientError) and code_of(error) == "AWSOrganizationsNotInUseException":
            raise in_no_organization(account_id) from None
        raise Refused(
            f"Account {account_id} cannot list the organization's accounts ({_why(error)}); use credentials of the "
            "management account that may read AWS Organizations."
        ) from None
    return sorted(place.account_id for place in places if place.state == "ACTIVE")


def _read_accounts(management: Account, account_ids: Sequence[str]) -> list[VpcCidr | Unread]:
    """Says on stderr how far it is, if it takes long."""
    found: list[VpcCidr | Unread] = []
    told = time.monotonic()
    visitors = SimpleQueue[Visitor]()
    for _ in range(ACCOUNTS_AT_ONCE):
        visitors.put(Visitor(management))
    workers = ThreadPoolExecutor(ACCOUNTS_AT_ONCE)
    try:
        reading = [workers.submit(_read_account, management, visitors, one) for one in account_ids]
        for number, done in enumerate(as_completed(reading), start=1):
            found += done.result()
            if time.monotonic() - told >= TOLD_EVERY_S:
                told = time.monotonic()
                print(f"read {number:,} of {len(account_ids):,} accounts", file=sys.stderr, flush=True)
    finally:
        workers.shutdown(cancel_futures=True)  # who interrupts it need not wait for the accounts that have not begun
    return found


class Visitor:
    """A session that goes from account to account with its clients: making them anew takes longer than asking."""

    def __init__(self, management: Account) -> None:
        self._management = management
        session = boto3.Session("not yet", "not yet", region_name=management.region)
        self._account = Account(session, "not yet")
        self._credentials = cast(Credentials, session.get_credentials())

    def enter(self, account_id: str) -> Account:
        """Clients look at the session's credentials at every call: none may be under way in the account before."""
        role_arn = execution_role(self._management.partition, account_id)
        credentials = self._management.credentials_of(role_arn, SESSION_NAME, POLICY)
        self._credentials.access_key = credentials["AccessKeyId"]
        self._credentials.secret_key = credentials["SecretAccessKey"]
        self._credentials.token = credentials["SessionToken"]
        self._account.account_id = account_id
        return self._account


def _read_account(management: Account, visitors: SimpleQueue[Visitor], account_id: str) -> list[VpcCidr | Unread]:
    if account_id == management.account_id:
        return _read_regions(management)
    visitor = visitors.get()  # there is one for each that reads at a time
    try:
        return _read_regions(visitor.enter(account_id))
    except (BotoCoreError, ClientError) as error:
        return [Unread(account_id, "", _why(error))]
    finally:
        visitors.put(visitor)


def _read_regions(account: Account) -> list[VpcCidr | Unread]:
    try:
        regions = [region["RegionName"] for region in account.ec2().describe_regions()["Regions"]]  # the enabled ones
    except (BotoCoreError, ClientError) as error:
        return [Unread(account.account_id, "", _why(error))]
    with ThreadPoolExecutor(REGIONS_AT_ONCE) as workers:
        return [one for part in workers.map(partial(_read_region, account), regions) for one in part]


def _read_region(account: Account, region: str) -> list[VpcCidr | Unread]:
    try:
        pages = account.ec2(region).get_paginator("describe_vpcs").paginate(PaginationConfig=PAGE)
        return [one for page in pages for vpc in page["Vpcs"] for one in cidrs_of(vpc, region)]
    except (BotoCoreError, ClientError) as error:
        return [Unread(account.account_id, region, _why(error))]


def _why(error: BotoCoreError | ClientError) -> str:
    """Without AWS's own words, which differ from account to account, so that the same trouble is told once."""
    if not isinstance(error, ClientError):
        return type(error).__name__
    why = f"{error.operation_name}: {code_of(error)}"
    if error.operation_name == "AssumeRole" and code_of(error) in DENIED:
        return f"{why}; enrol in Control Tower, which makes the role {ROLE}"
    return why
