"""Reads the shares of this solution from AWS RAM, and the environments' pools that they are to hold.

Names of shares are not unique in RAM, so an account may have several.
https://docs.aws.amazon.com/ram/latest/APIReference/
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from ctipam import names
from ctipam.errors import code_of
from ctipam.pools.environment_pools import environment_pools
from ctipam.pools.listing import list_pools
from ctipam.sessions import Account
from ctipam.sharing.existing import BEST_FIRST, Share
from ctipam.sharing.spec import SharedPool
from ctipam.tags import to_dict

if TYPE_CHECKING:
    from types_boto3_ram.client import RAMClient
    from types_boto3_ram.type_defs import (
        ResourceShareAssociationTypeDef as Association,
    )
    from types_boto3_ram.type_defs import (
        ResourceShareTypeDef,
    )

RAM_PAGE: Any = {"PageSize": 500}  # the most that RAM allows

LIVE = frozenset({"PENDING", "ACTIVE", "FAILED"})
"""Statuses of a share that can still be changed. A deleted share stays listed for two hours.
https://docs.aws.amazon.com/ram/latest/userguide/working-with-sharing-delete.html"""

USABLE = frozenset({"create-complete", "modify-in-progress", "modify-complete", "modify-failed"})
"""States of a pool that stays shared."""

SHAREABLE = frozenset({"create-complete", "modify-complete"})
"""States of a pool that can be shared."""

_NAME = re.compile(re.escape(names.share_name("")) + r"(\d{12})")


def find_environments(networking: Account) -> dict[str, list[SharedPool]]:
    """Return this solution's environment pools, by environment. Omits pools of other owners."""
    found: dict[str, list[SharedPool]] = {}
    for pool in environment_pools(list_pools(networking)):
        if pool.owner_id == networking.account_id and pool.state in USABLE and pool.required_value:
            shared = SharedPool(pool.arn, pool.region, pool.state in SHAREABLE)
            found.setdefault(pool.required_value, []).append(shared)
    return found


def account_of(share: ResourceShareTypeDef) -> str | None:
    """Return the account that a share of this solution is for; None for a share of somebody else.

    Earlier versions added no tags, so a share with our name and without any tag is ours.
    """
    match = _NAME.fullmatch(share["name"])
    tags = to_dict(share.get("tags", []))
    if not match or (tags and tags.get(names.ACCOUNT_TAG) != match[1]):
        return None
    return match[1]


def find_shares(ram: RAMClient, account_id: str) -> list[Share]:
    """Return the account's shares: normally one or none."""
    pages = ram.get_paginator("get_resource_shares").paginate(
        resourceOwner="SELF", name=names.share_name(account_id), PaginationConfig=RAM_PAGE
    )
    shares = list(_ours(row for page in pages for row in page["resourceShares"]))
    arns = [share.arn for share in shares]
    kinds = ("RESOURCE", "PRINCIPAL") if shares else ()
    rows = [row for kind in kinds for row in _associations(ram, kind, resourceShareArns=arns)]
    return _with_associations(shares, rows)


def reread_share(ram: RAMClient, created: Share) -> list[Share]:
    """Return the account's shares after one was created: that one, and any that another handler has created.

    Takes two calls, where `find_shares` takes three.
    """
    principals = list(_associations(ram, "PRINCIPAL", principal=created.account_id))
    arns = {row["resourceShareArn"] for row in principals if row["resourceShareName"] == created.name}
    if arns - {created.arn}:
        return find_shares(ram, created.account_id)
    try:
        pools = list(_associations(ram, "RESOURCE", resourceShareArns=[created.arn]))
    except ClientError as error:
        if code_of(error) != "UnknownResourceException":
            raise
        return find_shares(ram, created.account_id)  # another handler has deleted it
    return _with_associations([created], [*principals, *pools])


def find_all_shares(ram: RAMClient) -> dict[str, list[Share]]:
    """Return every share of this solution, by account. Takes a call for each page of 500."""
    pages = ram.get_paginator("get_resource_shares").paginate(resourceOwner="SELF", PaginationConfig=RAM_PAGE)
    shares = list(_ours(row for page in pages for row in page["resourceShares"]))
    by_account: dict[str, list[Share]] = {}
    if shares:
        rows = (row for kind in ("RESOURCE", "PRINCIPAL") for row in _associations(ram, kind))
        for share in _with_associations(shares, rows):
            by_account.setdefault(share.account_id, []).append(share)
    return by_account


def is_deleting(ram: RAMClient) -> bool:
    """Return whether RAM is still deleting a share of this solution."""
    pages = ram.get_paginator("get_resource_shares").paginate(
        resourceOwner="SELF", resourceShareStatus="DELETING", PaginationConfig=RAM_PAGE
    )
    return any(account_of(row) for page in pages for row in page["resourceShares"])


def _ours(rows: Iterable[ResourceShareTypeDef]) -> Iterator[Share]:
    for row in rows:
        account_id = account_of(row)
        if account_id and row["status"] in LIVE:
            tags = to_dict(row.get("tags", []))
            settled = names.ACCOUNT_TAG in tags and not row["allowExternalPrincipals"]
            yield Share(row["resourceShareArn"], account_id, row["creationTime"], settled, tags=tags)


def _associations(ram: RAMClient, kind: str, **question: Any) -> Iterator[Association]:
    pages = ram.get_paginator("get_resource_share_associations").paginate(
        associationType=kind,  # type: ignore[arg-type]
        **question,
        PaginationConfig=RAM_PAGE,
    )
    for page in pages:
        yield from page["resourceShareAssociations"]


def _with_associations(shares: Sequence[Share], rows: Iterable[Association]) -> list[Share]:
    found: dict[str, dict[str, dict[str, str]]] = {
        share.arn: {"RESOURCE": {}, "PRINCIPAL": {}, "messages": {}} for share in shares
    }
    for row in rows:
        if row["resourceShareArn"] not in found or row["status"] not in BEST_FIRST:
            continue
        of_share = found[row["resourceShareArn"]]
        statuses, entity = of_share[row["associationType"]], row["associatedEntity"]
        if entity not in statuses or BEST_FIRST.index(row["status"]) < BEST_FIRST.index(statuses[entity]):
            statuses[entity] = row["status"]
            of_share["messages"][entity] = row.get("statusMessage", "")
    return [
        replace(
            share,
            pools=found[share.arn]["RESOURCE"],
            principals=found[share.arn]["PRINCIPAL"],
            messages=found[share.arn]["messages"],
        )
        for share in shares
    ]
