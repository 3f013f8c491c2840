"""A stack, as the AWS CLI describes it."""

from __future__ import annotations

from typing import Any

from commands.arguments import another_account
from commands.aws_cli import AwsCli, AwsCliError, configured_region
from ctipam.cloudformation.described import is_no_stack
from ctipam.errors import Refused


def find_stack(aws: AwsCli, stack: str, *options: str) -> dict[str, Any] | None:
    """Return the stack, as DescribeStacks does; None if it does not exist. Raises AwsCliError.

    stack     its name or ARN
    options   for example "--region", "us-west-2"
    """
    try:
        (found,) = aws.ask("cloudformation", "describe-stacks", "--stack-name", stack, *options)["Stacks"]
    except AwsCliError as error:
        if is_no_stack(str(error)):
            return None
        raise
    return dict(found)


def get_stack(aws: AwsCli, stack: str) -> dict[str, Any]:
    """Return the stack, as DescribeStacks does. Raises Refused, also if it does not exist."""
    try:
        found = find_stack(aws, stack)
    except AwsCliError as error:
        raise Refused(
            f"The AWS CLI cannot read stack {stack}; sign in to the management account, or set AWS_PROFILE, and "
            f"AWS_REGION to Control Tower's home Region; name another stack with stack=. Its error: {error}"
        ) from None
    if found is None:
        raise _no_stack(aws, stack)
    return found


def _no_stack(aws: AwsCli, stack: str) -> Refused:
    """Return that the credentials are not the management account's, or else that there is no such stack."""
    account_id = "this account"
    try:
        account_id = str(aws.ask("sts", "get-caller-identity")["Account"])
        management = str(aws.ask("organizations", "describe-organization")["Organization"]["MasterAccountId"])
        if management != account_id:
            return another_account(account_id, management)
    except AwsCliError:
        pass  # the way out is the same
    return Refused(
        f"There is no stack {stack} in {account_id} in {configured_region(aws)}; use the management account, set "
        "AWS_REGION to Control Tower's home Region, or name another stack with stack=. If its deletion left pools "
        "behind, deploy it again first."
    )
