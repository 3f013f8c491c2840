"""Sessions in the Networking account: Control Tower's role there, always limited by a session policy."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from ctipam.errors import DENIED, Refused, attempt, cause_of, code_of, fit
from ctipam.names import EXECUTION_ROLE, execution_role_arn
from ctipam.sessions import Account


def assume_execution_role(management: Account, network_account_id: str, policy: dict[str, Any]) -> Account:
    """Return the Networking account, limited to a session policy. Raises Refused if the role cannot be assumed."""
    role_arn = execution_role_arn(management.partition, network_account_id)
    try:
        return management.assume(role_arn, "share-ipam-pools", policy)
    except ClientError as error:
        if code_of(error) not in DENIED:
            raise
        head = f"Cannot assume {EXECUTION_ROLE} in {network_account_id}: {attempt(error)} was denied: "
        way_out = "Enroll the account in Control Tower, or change the policy that denies it."
        raise Refused(fit(head, cause_of(error), way_out)) from error
