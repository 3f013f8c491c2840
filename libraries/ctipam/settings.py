"""The settings of a function, read from its environment once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class SharingSettings:
    """The settings of the sharing functions in the management account.

    network_account_id             NETWORK_ACCOUNT_ID: the account that owns the pools
    stack_id                       STACK_ID: ARN of the stack that the function belongs to
    exact                          OU_MATCH "exact": only the account's own OU counts. "nearest": parent OUs count too
    share_with_existing_accounts   SHARE_WITH_EXISTING_ACCOUNTS "false": accounts that joined the organization before
                                   the stack was created, and have no share, get none
    unshare_limit                  UNSHARE_LIMIT: a run that would take pools from more accounts takes none away. A
                                   number as CloudFormation takes it: 10, 10.5, 1e3
    topic_arn                      TOPIC_ARN: of the SNS topic that receives notices; empty: none
    notices_parameter              NOTICES_PARAMETER: name of the SSM parameter that remembers which have been sent
    """

    network_account_id: str
    stack_id: str
    exact: bool = False
    share_with_existing_accounts: bool = True
    unshare_limit: int = 10
    topic_arn: str = ""
    notices_parameter: str = ""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> SharingSettings:
        return cls(
            network_account_id=_required(environment, "NETWORK_ACCOUNT_ID"),
            stack_id=_required(environment, "STACK_ID"),
            exact=environment.get("OU_MATCH") == "exact",
            share_with_existing_accounts=environment.get("SHARE_WITH_EXISTING_ACCOUNTS") != "false",
            unshare_limit=int(float(environment.get("UNSHARE_LIMIT", cls.unshare_limit))),
            topic_arn=environment.get("TOPIC_ARN", ""),
            notices_parameter=environment.get("NOTICES_PARAMETER", ""),
        )


@dataclass(frozen=True)
class UtilizationSettings:
    """The settings of the function that measures the pools.

    stack_id    STACK_ID: ARN of the stack that the pools belong to
    topic_arn   TOPIC_ARN: the SNS topic that receives messages about pools that fill up
    threshold   POOL_UTILISATION_THRESHOLD: the percentage from which a pool counts as filling up
    grow        POOL_GROWTH "on": such a pool gets one more block
    mender      MENDING_FUNCTION: name of the function that mends pools that somebody changed by hand
    """

    stack_id: str
    topic_arn: str
    threshold: float
    grow: bool
    mender: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> UtilizationSettings:
        return cls(
            stack_id=_required(environment, "STACK_ID"),
            topic_arn=_required(environment, "TOPIC_ARN"),
            threshold=float(_required(environment, "POOL_UTILISATION_THRESHOLD")),
            grow=environment.get("POOL_GROWTH") == "on",
            mender=_required(environment, "MENDING_FUNCTION"),
        )


def _required(environment: Mapping[str, str], name: str) -> str:
    if not environment.get(name):
        raise KeyError(f"The environment variable {name} is missing; the template of this version sets it.")
    return environment[name]
