"""Reads the shares of this solution from AWS RAM, and the environments' pools that they are to hold.

Names of shares are not unique in RAM, so an account may have several.
https://docs.aws.amazon.com/ram/latest/APIReference/
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from ctipam import names
from ctipam.errors import POOL_NOT_FOUND, code_of
from ctipam.ipam.listing import list_pools
from ctipam.pools.environment_pools import environment_pools
from ctipam.sessions import Account
from ctipam.sharing.doubtful import why_doubtful
from ctipam.sharing.existing import BEST_FIRST, Share
from ctipam.sharing.spec import Environments, SharedPool
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
"""States of a pool that can be shared. Whether RAM shares one whose modification failed is not documented: the watch in
the Networking account modifies it again."""

_ACCOUNT_ID = re.compile(r"[0-9]{12}")
_NAME = re.compile(re.escape(names.share_name("")) + rf"({_ACCOUNT_ID.pattern})")


@dataclass(frozen=True)
class FoundPools:
    """environments   this solution's environment pools, by environment
    doubtful       why any other pool that is shared with accounts must stay so, by ARN, see `doubtful`
    doubtful_ous   the OUs that those name
    listed         ARNs of all pools that AWS lists
    """

    environments: Environments
    doubtful: Mapping[str, str] = field(default_factory=dict)
    doubtful_ous: frozenset[str] = frozenset()
    listed: frozenset[str] = frozenset()


def find_pools(networking: Account) -> FoundPools:
    """Return the pools of the account.

    A tag of ours says which environment a pool is for; its allocation rule, which anybody may change, does not count.
    """
    listed = list_pools(networking)
    usable = [pool for pool in environment_pools(listed) if pool.state in USABLE]
    environments: dict[str, list[SharedPool]] = {}
    for pool in usable:
        ready = pool.state in SHAREABLE
        shared = SharedPool(pool.arn, pool.region, ready, pool.ou_id, pool.required_value)
        environments.setdefault(pool.environment, []).append(shared)
    ids = {pool.pool_id for pool in usable}
    others = [pool for pool in listed if pool["IpamPoolId"] not in ids]
    doubtful = {pool["IpamPoolArn"]: why for pool in others if (why := why_doubtful(pool))}
    tags = [to_dict(pool.get("Tags", [])) for pool in others if pool["IpamPoolArn"] in doubtful]
    doubtful_ous = frozenset(of_pool[names.OU_TAG] for of_pool in tags if names.OU_TAG in of_pool)
    return FoundPools(environments, doubtful, doubtful_ous, frozenset(pool["IpamPoolArn"] for pool in listed))


def is_there(networking: Account, arn: str) -> bool:
    """Return whether a pool that AWS has not listed exists all the same, and is not being deleted."""
    try:
        found = networking.ec2().describe_ipam_pools(IpamPoolIds=[arn.rpartition("/")[2]])["IpamPools"]
    except ClientError as error:
        if code_of(error) != POOL_NOT_FOUND:
            raise
        return False
    return any(pool["State"] not in ("delete-in-progress", "delete-complete") for pool in found)


def account_of(share: ResourceShareTypeDef) -> str | None:
    """Return the account that a share of this solution is for; None for a share of somebody else.

    Tags of ours tell, whatever the share is named. Earlier versions added no tags, so a share with our name and without
    any tag is ours.
    """
    tags = to_dict(share.get("tags", []))
    if _ACCOUNT_ID.fullmatch(tags.get(names.ACCOUNT_TAG, "")):
        return tags[names.ACCOUNT_TAG]
    named = _NAME.fullmatch(share["name"])
    return named[1] if named and (not tags or names.STACK_TAG in tags) else None


def find_shares(ram: RAMClient, account_id: str, arns: Collection[str] = ()) -> list[Share]:
    """Return the account's shares: normally one or none.

    arns   of shares that may be ours under another name
    """
    rows = list(_shares(ram, name=names.share_name(account_id)))
    if unseen := sorted(set(arns) - {row["resourceShareArn"] for row in rows}):
        rows += _shares(ram, resourceShareArns=unseen)
    shares = [share for share in _ours(rows) if share.account_id == account_id]
    found = [share.arn for share in shares]
    kinds = ("RESOURCE", "PRINCIPAL") if shares else ()
    associations = [row for kind in kinds for row in _associations(ram, kind, resourceShareArns=found)]
    return _with_associations(shares, associations)


def _shares(ram: RAMClient, **question: Any) -> Iterator[ResourceShareTypeDef]:
    pages = ram.get_paginator("get_resource_shares").paginate(
        resourceOwner="SELF", **question, PaginationConfig=RAM_PAGE
    )
    for page in pages:
        yield from page["resourceShares"]


def reread_share(ram: RAMClient, created: Share) -> list[Share]:
    """Return the account's shares after one was created: that one, and any other, which another handler has created or
    somebody has renamed.

    Takes two calls, where `find_shares` takes three, unless other shares reach the account too.
    """
    principals = list(_associations(ram, "PRINCIPAL", principal=created.account_id))
    reaching = {row["resourceShareArn"] for row in principals if row["status"] in BEST_FIRST}
    if others := reaching - {created.arn}:
        return find_shares(ram, created.account_id, others)
    try:
        pools = list(_associations(ram, "RESOURCE", resourceShareArns=[created.arn]))
    except ClientError as error:
        if code_of(error) != "UnknownResourceException":
            raise
        return find_shares(ram, created.account_id)  # another handler has deleted it
    return _with_associations([created], [*principals, *pools])


def find_all_shares(ram: RAMClient) -> dict[str, list[Share]]:
    """Return every share of this solution, by account. Takes a call for each page of 500."""
    shares = list(_ours(_shares(ram)))
    by_account: dict[str, list[Share]] = {}
    if shares:
        rows = (row for kind in ("RESOURCE", "PRINCIPAL") for row in _associations(ram, kind))
        for share in _with_associations(shares, rows):
            by_account.setdefault(share.account_id, []).append(share)
    return by_account


def is_deleting(ram: RAMClient) -> bool:
    """Return whether RAM is still deleting a share of this solution."""
    return any(account_of(row) for row in _shares(ram, resourceShareStatus="DELETING"))


def _ours(rows: Iterable[ResourceShareTypeDef]) -> Iterator[Share]:
    for row in rows:
        account_id = account_of(row)
        if account_id and row["status"] in LIVE:
            tags = to_dict(row.get("tags", []))
            named = row["name"] == names.share_name(account_id)
            settled = named and names.ACCOUNT_TAG in tags and not row["allowExternalPrincipals"]
            has_failed = row["status"] == "FAILED"
            yield Share(
                row["resourceShareArn"], account_id, row["creationTime"], settled, tags=tags, has_failed=has_failed
            )


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
