"""Read the VPCs of a whole organization with the user's credentials of the management account.

These credentials read the management account. Every other active account is read through Control Tower's execution
role, with a session policy that allows only the two calls made there. All Regions that are enabled for an account are
read. An account or Region that cannot be read is reported with the reason, so that it never looks like free space.

If pools of ours exist already, their allocations tell which VPCs have their addresses from them.

Requires boto3.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace
from functools import partial
from queue import SimpleQueue
from typing import Any, cast

import boto3
from botocore.credentials import Credentials
from botocore.exceptions import BotoCoreError, ClientError

from commands.aws_errors import why_of
from commands.existing_vpcs import allocated as allocated_vpcs
from commands.existing_vpcs.summary import Unread, VpcCidr, cidrs_of, of_organization, some_of
from commands.existing_vpcs.vpcs import Existing
from commands.sign_in import refuse_unless_management, sign_in
from commands.terminal import PROGRESS_EVERY_S
from ctipam.errors import DENIED, Refused, code_of
from ctipam.names import execution_role_arn
from ctipam.organization.reader import find_ipam_administrators, read_all
from ctipam.phrases import numbered
from ctipam.sessions import Account

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
"""The session policy. The role itself is an administrator."""

CONCURRENT_ACCOUNTS = 4
CONCURRENT_REGIONS = 16
"""EC2 throttles each account and Region separately, so all Regions of an account can be read at the same time. Each
account that is read at the same time needs some 60 MB for the clients of its Regions."""

NOT_ENABLED = "VPCs in Regions that their account has disabled cannot be read, and exist nevertheless."
"""Disabling a Region takes away access, and deletes nothing.
https://docs.aws.amazon.com/accounts/latest/reference/manage-acct-regions.html"""

PAGE: Any = {"PageSize": 1000}
"""The maximum. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeVpcs.html"""


def read(region: str, network_account_id: str = "", aws: str = "") -> Existing:
    """Return the VPCs of all accounts.

    region               used for the first calls if the user's configuration names no Region
    network_account_id   the account of our pools; empty: the one that administers IPAM, if there is one
    aws                  see sign_in
    Raises               Refused unless the credentials are the management account's and may list the accounts
    """
    management = sign_in(region, aws)
    account_ids, inactive = find_accounts(management)
    rows = _read_accounts(management, account_ids)
    held, not_known = _allocated(management, network_account_id)
    found = of_organization(allocated_vpcs.marked(rows, held), len(account_ids), not_known)
    return replace(found, note=" ".join(filter(None, [_not_active(inactive), NOT_ENABLED])))


def _not_active(account_ids: Sequence[str]) -> str:
    """Return a sentence about accounts that are closed: nobody can look into them, and they can be reopened.

    https://docs.aws.amazon.com/organizations/latest/APIReference/API_CloseAccount.html
    """
    if not account_ids:
        return ""
    return (
        f"Accounts that are not active were not read: {some_of(account_ids)}. AWS keeps the VPCs of a closed account "
        "for 90 days, and IPAM may still show them (VPCS=ipam)."
    )


def _allocated(management: Account, network_account_id: str) -> tuple[set[allocated_vpcs.Held], list[str]]:
    """Return what `allocated_vpcs.read` returns; nothing if there are no pools yet."""
    account_id = network_account_id
    try:
        account_id = account_id or ipam_administrator(management)
        if not account_id:
            return set(), []
        policy = {"Version": "2012-10-17", "Statement": allocated_vpcs.statements(management.partition, account_id)}
        role_arn = execution_role_arn(management.partition, account_id)
        return allocated_vpcs.read(management.assume(role_arn, SESSION_NAME, policy))
    except (BotoCoreError, ClientError) as error:
        pools = f"the pools of account {account_id}" if account_id else "pools that exist already"
        return set(), [allocated_vpcs.not_known(pools, error)]


def ipam_administrator(management: Account) -> str:
    """Return the id of the account that administers IPAM; empty if there is none. Raises AWS's errors."""
    return next(iter(find_ipam_administrators(management.organizations())), "")


def find_accounts(management: Account) -> tuple[list[str], list[str]]:
    """Return the ids of the active accounts, and of the others. Raises Refused."""
    try:
        refuse_unless_management(management)
        accounts = read_all(management.organizations()).locations
    except (BotoCoreError, ClientError) as error:
        denied = code_of(error) in DENIED
        way_out = "use credentials that may read AWS Organizations" if denied else "try again"
        raise Refused(
            f"Account {management.account_id} cannot list the organization's accounts ({why_of(error)}); {way_out}."
        ) from None
    return (
        sorted(account.account_id for account in accounts if account.state == "ACTIVE"),
        sorted(account.account_id for account in accounts if account.state != "ACTIVE"),
    )


def _read_accounts(management: Account, account_ids: Sequence[str]) -> list[VpcCidr | Unread]:
    """Read the accounts; print the progress to stderr every few seconds."""
    found: list[VpcCidr | Unread] = []
    printed = time.monotonic()
    visitors = SimpleQueue[Visitor]()
    for _ in range(CONCURRENT_ACCOUNTS):
        visitors.put(Visitor(management))
    workers = ThreadPoolExecutor(CONCURRENT_ACCOUNTS)
    try:
        reading = [workers.submit(_read_account, management, visitors, account_id) for account_id in account_ids]
        for number, done in enumerate(as_completed(reading), start=1):
            found += done.result()
            if time.monotonic() - printed >= PROGRESS_EVERY_S:
                printed = time.monotonic()
                print(f"read {number:,} of {numbered(len(account_ids), 'account')}", file=sys.stderr)
    finally:
        workers.shutdown(cancel_futures=True)  # after Ctrl-C, do not start further accounts
    return found


class Visitor:
    """A session that is reused for one account after the other: creating its clients takes longer than the calls."""

    def __init__(self, management: Account) -> None:
        self._management = management
        session = boto3.Session("not yet", "not yet", region_name=management.region)
        self._account = Account(session, "not yet")
        self._credentials = cast(Credentials, session.get_credentials())

    def enter(self, account_id: str) -> Account:
        """Assume the role in the account. Clients read the session's credentials at every call, so all calls in the
        previous account must have ended.
        """
        role_arn = execution_role_arn(self._management.partition, account_id)
        credentials = self._management.credentials_of(role_arn, SESSION_NAME, POLICY)
        self._credentials.access_key = credentials["AccessKeyId"]
        self._credentials.secret_key = credentials["SecretAccessKey"]
        self._credentials.token = credentials["SessionToken"]
        self._account.account_id = account_id
        return self._account


def _read_account(management: Account, visitors: SimpleQueue[Visitor], account_id: str) -> list[VpcCidr | Unread]:
    if account_id == management.account_id:
        return _read_regions(management)
    visitor = visitors.get()  # as many as accounts are read at the same time
    try:
        return _read_regions(visitor.enter(account_id))
    except (BotoCoreError, ClientError) as error:
        return [Unread(account_id, "", why_of(error))]
    finally:
        visitors.put(visitor)


def _read_regions(account: Account) -> list[VpcCidr | Unread]:
    try:
        regions = [region["RegionName"] for region in account.ec2().describe_regions()["Regions"]]  # enabled
    except (BotoCoreError, ClientError) as error:
        return [Unread(account.account_id, "", why_of(error))]
    with ThreadPoolExecutor(CONCURRENT_REGIONS) as workers:
        return [row for rows in workers.map(partial(_read_region, account), regions) for row in rows]


def _read_region(account: Account, region: str) -> list[VpcCidr | Unread]:
    try:
        pages = account.ec2(region).get_paginator("describe_vpcs").paginate(PaginationConfig=PAGE)
        return [cidr for page in pages for vpc in page["Vpcs"] for cidr in cidrs_of(vpc, region)]
    except (BotoCoreError, ClientError) as error:
        return [Unread(account.account_id, region, why_of(error))]
