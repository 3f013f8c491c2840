"""Compares the shares of all accounts with the organization, on made-up responses: measures only our own code.

Imports only our modules and boto3, so that the memory of the process is that of the function.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, cast

from ctipam.cloudformation.own_stack import OwnStack
from ctipam.sessions import Account
from ctipam.sharing import reconcile as sharing
from ctipam.sharing.brake import Brake
from ctipam.sharing.reader import FoundPools
from ctipam.sharing.run import SharingRun
from ctipam.sharing.spec import Rules, SharedPool
from ctipam.waiting import Deadline

OUS, REGIONS = 50, 2  # Regions with pools
STACK_ID = "arn:aws:cloudformation:us-east-1:111111111111:stack/ipam/1"  # read only before a share is created
NOW = datetime(2026, 1, 1, tzinfo=UTC)
ARN = "arn:aws:ram:us-east-1:222222222222:resource-share/00000000-0000-0000-0000-{}"


def reconcile(accounts: int) -> None:
    """Reconcile accounts that all have their share already."""
    made_up = cast(Account, MadeUp(accounts))
    environments = environments_of(OUS)
    stack, deadline = OwnStack(made_up, STACK_ID), Deadline(lambda: 900.0)
    run = SharingRun(made_up, made_up, FoundPools(environments), Rules(frozenset()), stack, deadline, Brake(0))

    result = sharing.reconcile_all(run)

    counts = result.counts()
    if (counts["accounts"], counts["sharedWith"], counts["changed"]) != (accounts, accounts, 0):
        raise SystemExit(f"unexpected counts: {counts}")
    result.to_dict()


def environments_of(ous: int) -> dict[str, list[SharedPool]]:
    """Return the pools of as many of the OUs."""
    return {
        f"OU {ou}": [
            SharedPool(pool_arn(ou, region), f"region-{region}", ou_id=f"ou-{ou}", required_value=f"OU {ou}")
            for region in range(REGIONS)
        ]
        for ou in range(ous)
    }


def pool_arn(ou: int, region: int) -> str:
    return f"arn:aws:ec2::222222222222:ipam-pool/ipam-pool-{ou:015x}{region:02x}"


class MadeUp:
    """Stands in for both accounts, their clients and their paginators."""

    def __init__(self, accounts: int) -> None:
        self._accounts = [f"{number:012}" for number in range(accounts)]

    def organizations(self) -> Any:
        return self

    def ram(self) -> Any:
        return self

    def get_paginator(self, name: str) -> Any:
        return type(
            "Paginator", (), {"paginate": lambda _self, **parameters: getattr(self, f"_{name}")(**parameters)}
        )()

    def _list_roots(self) -> Iterator[Any]:
        yield {"Roots": [{"Id": "r-root"}]}

    def _list_organizational_units_for_parent(self, **parameters: Any) -> Iterator[Any]:
        numbers = range(OUS) if parameters["ParentId"] == "r-root" else ()
        yield {"OrganizationalUnits": [{"Id": f"ou-{number}", "Name": f"OU {number}"} for number in numbers]}

    def _list_accounts_for_parent(self, **parameters: Any) -> Iterator[Any]:
        if parameters["ParentId"] == "r-root":
            return
        in_ou = self._accounts[int(parameters["ParentId"].removeprefix("ou-")) :: OUS]
        for page in _pages(in_ou, 20):
            yield {"Accounts": [{"Id": account_id, "State": "ACTIVE", "JoinedTimestamp": NOW} for account_id in page]}

    def _get_resource_shares(self, **_parameters: Any) -> Iterator[Any]:
        for page in _pages(self._accounts, 500):
            yield {
                "resourceShares": [
                    {
                        "resourceShareArn": ARN.format(account_id),
                        "name": f"ipamShare-{account_id}",
                        "status": "ACTIVE",
                        "allowExternalPrincipals": False,
                        "creationTime": NOW,
                        "tags": [
                            {"key": "ctipam:account-id", "value": account_id},
                            {"key": "ctipam:stack-id", "value": STACK_ID},
                        ],
                    }
                    for account_id in page
                ]
            }

    def _get_resource_share_associations(self, **parameters: Any) -> Iterator[Any]:
        of_pools = parameters["associationType"] == "RESOURCE"
        rows = [
            (account_id, region) for account_id in self._accounts for region in (range(REGIONS) if of_pools else (-1,))
        ]
        for page in _pages(rows, 500):
            yield {
                "resourceShareAssociations": [
                    {
                        "resourceShareArn": ARN.format(account_id),
                        "associatedEntity": pool_arn(int(account_id) % OUS, region) if of_pools else account_id,
                        "associationType": parameters["associationType"],
                        "status": "ASSOCIATED",
                    }
                    for account_id, region in page
                ]
            }


def _pages(rows: list[Any], size: int) -> Iterator[list[Any]]:
    for start in range(0, len(rows), size):
        yield rows[start : start + size]
