"""The shares of this solution in AWS RAM: reading them, and doing what `sharing_plan` decides.

RAM's names are not unique, and an error after a call that was done leaves a share behind; so shares are read, compared
and changed by the difference. https://docs.aws.amazon.com/ram/latest/APIReference/
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from ctipam import names
from ctipam.errors import code_of
from ctipam.sharing.changes import AdoptShare, Associate, CreateShare, DeleteShare, Disassociate, ShareChange
from ctipam.sharing.existing import BEST_FIRST, Share

if TYPE_CHECKING:
    from types_boto3_ram.client import RAMClient
    from types_boto3_ram.type_defs import (
        ResourceShareAssociationTypeDef as Association,
    )
    from types_boto3_ram.type_defs import (
        ResourceShareTypeDef,
    )

PAGE: Any = {"PageSize": 500}  # the most that RAM allows

LIVE = frozenset({"PENDING", "ACTIVE", "FAILED"})
"""What may still be changed. A deleted share stays listed for two hours.
https://docs.aws.amazon.com/ram/latest/userguide/working-with-sharing-delete.html"""

_NAME = re.compile(re.escape(names.share_name("")) + r"(\d{12})")


def account_of(share: ResourceShareTypeDef) -> str | None:
    """The account that a share of this solution is for; None for a share of somebody else.

    Earlier versions tagged nothing, so a share with our name and no tag at all is taken for ours.
    """
    match = _NAME.fullmatch(share["name"])
    tags = _tags(share)
    if not match or (tags and tags.get(names.ACCOUNT_TAG) != match[1]):
        return None
    return match[1]


def find(ram: RAMClient, account_id: str) -> list[Share]:
    """The account's shares: normally one or none."""
    pages = ram.get_paginator("get_resource_shares").paginate(
        resourceOwner="SELF", name=names.share_name(account_id), PaginationConfig=PAGE
    )
    shares = list(_ours(row for page in pages for row in page["resourceShares"]))
    arns = [share.arn for share in shares]
    kinds = ("RESOURCE", "PRINCIPAL") if shares else ()
    rows = [row for kind in kinds for row in _associations(ram, kind, resourceShareArns=arns)]
    return _with_associations(shares, rows)


def look_again(ram: RAMClient, known: Share) -> list[Share]:
    """What has become of a share that was made a moment ago, and whether somebody else has made one as well.

    In two calls, where `find` takes three.
    """
    principals = list(_associations(ram, "PRINCIPAL", principal=known.account_id))
    others = {row["resourceShareArn"] for row in principals if row["resourceShareName"] == known.name} - {known.arn}
    try:
        pools = [] if others else list(_associations(ram, "RESOURCE", resourceShareArns=[known.arn]))
    except ClientError as error:
        if code_of(error) != "UnknownResourceException":
            raise
        others = {"whose maker has deleted this one"}
    return find(ram, known.account_id) if others else _with_associations([known], [*principals, *pools])


def find_all(ram: RAMClient) -> dict[str, list[Share]]:
    """Every share of this solution, by account; calls in proportion to pages of 500."""
    pages = ram.get_paginator("get_resource_shares").paginate(resourceOwner="SELF", PaginationConfig=PAGE)
    shares = list(_ours(row for page in pages for row in page["resourceShares"]))
    by_account: dict[str, list[Share]] = {}
    if shares:
        rows = (row for kind in ("RESOURCE", "PRINCIPAL") for row in _associations(ram, kind))
        for share in _with_associations(shares, rows):
            by_account.setdefault(share.account_id, []).append(share)
    return by_account


def being_deleted(ram: RAMClient) -> bool:
    """Is RAM still busy with deleting a share of this solution?"""
    pages = ram.get_paginator("get_resource_shares").paginate(
        resourceOwner="SELF", resourceShareStatus="DELETING", PaginationConfig=PAGE
    )
    return any(account_of(row) for page in pages for row in page["resourceShares"])


def _ours(rows: Iterable[ResourceShareTypeDef]) -> Iterator[Share]:
    for row in rows:
        account_id = account_of(row)
        if account_id and row["status"] in LIVE:
            settled = names.ACCOUNT_TAG in _tags(row) and not row["allowExternalPrincipals"]
            yield Share(row["resourceShareArn"], account_id, row["creationTime"], settled)


def _tags(share: ResourceShareTypeDef) -> dict[str, str]:
    return {tag["key"]: tag["value"] for tag in share.get("tags", []) if "key" in tag and "value" in tag}


def _associations(ram: RAMClient, kind: str, **question: Any) -> Iterator[Association]:
    pages = ram.get_paginator("get_resource_share_associations").paginate(
        associationType=kind,  # type: ignore[arg-type]
        **question,
        PaginationConfig=PAGE,
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


def perform(ram: RAMClient, step: ShareChange) -> Share | None:
    """Do it; answer the share that was created, if any."""
    match step:
        case CreateShare():
            return _create(ram, step)
        case AdoptShare():
            ram.tag_resource(resourceShareArn=step.share.arn, tags=_our_tags(step.share.account_id))
            ram.update_resource_share(resourceShareArn=step.share.arn, allowExternalPrincipals=False)
        case Associate():
            ram.associate_resource_share(resourceShareArn=step.share.arn, **_entities(step))
        case Disassociate():
            ram.disassociate_resource_share(resourceShareArn=step.share.arn, **_entities(step))
        case DeleteShare():
            _delete(ram, step.share.arn)
    return None


def _entities(step: Associate | Disassociate) -> dict[str, Any]:
    named: dict[str, Any] = {}
    if step.pools:
        named["resourceArns"] = list(step.pools)
    if step.principals:
        named["principals"] = list(step.principals)
    return named


def _create(ram: RAMClient, step: CreateShare) -> Share:
    made = ram.create_resource_share(
        name=names.share_name(step.account_id),
        resourceArns=list(step.pools),
        principals=[step.account_id],
        allowExternalPrincipals=False,  # AWS's default is True
        tags=_our_tags(step.account_id),
        # For boto3's own repetition, when an answer is lost. A later invocation finds the share.
        clientToken=str(uuid.uuid4()),
    )["resourceShare"]
    return Share(made["resourceShareArn"], step.account_id, made["creationTime"])


def _our_tags(account_id: str) -> list[Any]:
    return [{"key": names.ACCOUNT_TAG, "value": account_id}]


def _delete(ram: RAMClient, share_arn: str) -> None:
    """VPCs that were made from the pools stay as they are."""
    try:
        ram.delete_resource_share(resourceShareArn=share_arn)
    except ClientError as error:
        # It is gone, or somebody else is deleting it.
        if code_of(error) not in ("UnknownResourceException", "InvalidStateTransitionException"):
            raise
