"""The two accounts of a deployment, as `make preview` and `make explain` read them. Changes nothing.

The management account is read with the user's credentials, and the Networking account through Control Tower's execution
role, with a session policy that only allows reading. Requires boto3.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from commands.arguments import is_management_account
from commands.aws_errors import text_of
from commands.sign_in import refuse_unless_management, sign_in
from commands.stack_state import REVIEWED
from ctipam.cloudformation import other_stacks
from ctipam.cloudformation.described import outputs_of, parameters_of, split_arn
from ctipam.errors import DENIED, Refused, code_of, explain
from ctipam.names import EXECUTION_ROLE, execution_role_arn
from ctipam.sessions import Account
from ctipam.settings import SharingSettings
from ctipam.waiting import Deadline

SESSION_NAME = "read-ipam-pools"  # what CloudTrail shows in the Networking account

POLICY = "libraries/commands/read-only-policy.json"

LONG = Deadline(lambda: 3600.0)
"""A command has as much time as it takes."""

REASON_LIMIT = 600
"""Characters of an error of AWS on a terminal."""

READ_ONLY: dict[str, Any] = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Sid": "ReadPoolsSharesAndStacks",
            "Effect": "Allow",
            "Action": [
                "cloudformation:DescribeStacks",
                "ec2:DescribeIpamPools",
                "ec2:DescribeIpamResourceDiscoveries",
                "ec2:DescribeIpamScopes",
                "ec2:DescribeIpams",
                "ec2:GetIpamPoolAllocations",
                "ec2:GetIpamPoolCidrs",
                "ec2:GetIpamResourceCidrs",
                "ram:GetResourceShareAssociations",
                "ram:GetResourceShares",
            ],
            "Resource": "*",
        },
        {
            "Sid": "ReadLogOfPools",
            "Effect": "Allow",
            "Action": "logs:FilterLogEvents",
            "Resource": "arn:*:logs:*:*:log-group:*IpamFunctionLogGroup*",
        },
    ],
}
"""The session policy. The role itself is an administrator."""


@dataclass(frozen=True)
class Stack:
    """A stack that exists. outputs: those of the stack"""

    stack_id: str
    status: str
    parameters: Mapping[str, str]
    outputs: Mapping[str, str]

    @property
    def name(self) -> str:
        return split_arn(self.stack_id).name


@contextmanager
def errors_in_words() -> Iterator[None]:
    """Replace every error of AWS, and of the connection, by a Refused."""
    try:
        yield
    except ClientError as error:
        way_out = f" The permissions that are enough are in {POLICY}." if code_of(error) in DENIED else ""
        raise Refused(explain(error, REASON_LIMIT) + way_out) from None
    except BotoCoreError as error:
        raise Refused(f"AWS cannot be reached: {text_of(error)}") from None


def management_account(aws: str = "") -> Account:
    """Return the account of the user's credentials. Raises Refused unless it is the management account.

    aws   AWS=, see sign_in
    """
    management = sign_in("", aws)
    refuse_unless_management(management)
    return management


def find_stack(account: Account, name: str) -> Stack | None:
    """Return a stack, by its name or ARN; None if it does not exist, or has no resources yet."""
    found = other_stacks.describe(account, name)
    if found is None or found["StackStatus"] == REVIEWED:
        return None
    return Stack(
        found["StackId"],
        found["StackStatus"],
        parameters_of(found),
        outputs_of(found),
    )


def networking_account(management: Account, account_id: str) -> Account:
    """Return the Networking account, read only. Raises Refused if the role cannot be assumed."""
    if account_id == management.account_id:
        raise is_management_account(account_id)
    try:
        return management.assume(execution_role_arn(management.partition, account_id), SESSION_NAME, READ_ONLY)
    except ClientError as error:
        if code_of(error) not in DENIED:
            raise
        _refuse_another_organization(management, account_id)
        raise Refused(
            f"Cannot assume {EXECUTION_ROLE} in NetworkAccountId {account_id}: enroll the account in Control Tower, "
            f"which creates the role, and use credentials that may assume it (see {POLICY})."
        ) from None


def _refuse_another_organization(management: Account, account_id: str) -> None:
    """Raise Refused if the account is none of the organization. Does nothing if that cannot be read."""
    try:
        management.organizations().describe_account(AccountId=account_id)
    except ClientError as error:
        if code_of(error) == "AccountNotFoundException":
            raise Refused(
                f"NetworkAccountId {account_id} is no account of this organization; give the account that is to own "
                "the pools."
            ) from None


def networking_stack_id(management: Account, stack: str, account_id: str) -> str | None:
    """Return the ARN of the stack that the StackSet has created in the Networking account; empty if there is none, None
    if there is no StackSet."""
    pages = management.cloudformation().get_paginator("list_stack_instances")
    try:
        rows = [row for page in pages.paginate(StackSetName=f"{stack}-networking") for row in page["Summaries"]]
    except ClientError as error:
        if code_of(error) != "StackSetNotFoundException":
            raise
        return None
    return next((row["StackId"] for row in rows if row["Account"] == account_id and row.get("StackId")), "")


def status_of(account: Account, stack_id: str) -> str:
    """Return the status of a stack, by its ARN; DELETE_COMPLETE also if AWS shows it no more."""
    found = other_stacks.describe(account, stack_id)
    return found["StackStatus"] if found else "DELETE_COMPLETE"


def pool_arn(networking: Account) -> str:
    """Return the ARN of a pool up to its id. It has no Region."""
    return f"arn:{networking.partition}:ec2::{networking.account_id}:ipam-pool/"


def sharing_settings(parameters: Mapping[str, str], stack_id: str) -> SharingSettings:
    """Return the settings of the sharing functions, as the template passes them on."""
    return SharingSettings.from_environment(
        {
            "NETWORK_ACCOUNT_ID": parameters["NetworkAccountId"],
            "STACK_ID": stack_id,
            "OU_MATCH": parameters["OuMatch"],
            "SHARE_WITH_EXISTING_ACCOUNTS": parameters["ShareWithExistingAccounts"],
            "UNSHARE_LIMIT": parameters["UnshareLimit"],
        }
    )
