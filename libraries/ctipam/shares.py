"""The one RAM share of an account: which pools it holds, and making it so.

RAM's names are not unique, its associations take their time, and what is shared already cannot be shared again; so a
share is read, compared and changed by the difference. https://docs.aws.amazon.com/ram/latest/APIReference/
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from ctipam import names
from ctipam.errors import AwsFailed, OutOfTime
from ctipam.logs import decided
from ctipam.waiting import Deadline, Pace

if TYPE_CHECKING:
    from types_boto3_ram.client import RAMClient
    from types_boto3_ram.type_defs import ResourceShareTypeDef

ASSOCIATION_WAIT_S = 60.0
"""How long a change is waited for. AWS finishes without us what it has not by then, and the next run looks again."""

PRESENT = frozenset({"ASSOCIATED", "ASSOCIATING"})
MOVING = frozenset({"ASSOCIATING", "DISASSOCIATING"})

_NAME = re.compile(re.escape(names.share_name("")) + r"(\d{12})")


@dataclass(frozen=True)
class Share:
    """A share of this solution, with the status of each association that AWS lists."""

    arn: str
    account_id: str
    created: datetime
    pools: Mapping[str, str] = field(default_factory=dict)  # pool ARN -> status
    principals: Mapping[str, str] = field(default_factory=dict)  # account id -> status

    def present(self, kind: Literal["pools", "principals"]) -> set[str]:
        associations: Mapping[str, str] = getattr(self, kind)
        return {name for name, status in associations.items() if status in PRESENT}


@dataclass(frozen=True)
class Change:
    """What was done to an account's share. pending: AWS had not finished when the waiting ended."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    pending: bool = False


def account_of(share: ResourceShareTypeDef) -> str | None:
    """The account that a share of this solution is for; None for a share of somebody else.

    Earlier versions tagged nothing, so a share with our name and no tag at all is taken for ours.
    """
    match = _NAME.fullmatch(share["name"])
    tags = {tag.get("key"): tag.get("value") for tag in share.get("tags", [])}
    if not match or (tags and tags.get(names.ACCOUNT_TAG) != match[1]):
        return None
    return match[1]


def find(ram: RAMClient, account_id: str) -> list[Share]:
    """The account's shares, the oldest first. Normally one or none."""
    pages = ram.get_paginator("get_resource_shares").paginate(
        resourceOwner="SELF", resourceShareStatus="ACTIVE", name=names.share_name(account_id)
    )
    found = [share for page in pages for share in page["resourceShares"] if account_of(share) == account_id]
    return [_read(ram, share, account_id) for share in sorted(found, key=lambda share: share["creationTime"])]


def find_all(ram: RAMClient) -> dict[str, list[str]]:
    """The ARNs of every share of this solution, by account."""
    pages = ram.get_paginator("get_resource_shares").paginate(resourceOwner="SELF", resourceShareStatus="ACTIVE")
    shares: dict[str, list[str]] = {}
    for page in pages:
        for share in page["resourceShares"]:
            if account_id := account_of(share):
                shares.setdefault(account_id, []).append(share["resourceShareArn"])
    return shares


def ensure(ram: RAMClient, account_id: str, pool_arns: Collection[str], request_id: str, deadline: Deadline) -> Change:
    """Make the account have one share with exactly these pools; none at all if there are no pools.

    pool_arns    arn:aws:ec2::<owner>:ipam-pool/<id>, without a Region
    request_id   the same for a repeated event, so that its second attempt does not make a second share
    Raises       AwsFailed if AWS accepted a change and failed it
    """
    shares = find(ram, account_id)
    wanted = set(pool_arns)
    for surplus in shares[1:] if wanted else shares:
        delete(ram, surplus.arn)
    if not wanted:
        return Change(removed=tuple(sorted({arn for share in shares for arn in share.present("pools")})))
    if not shares:
        return _create(ram, account_id, wanted, request_id, deadline)
    return _change(ram, shares[0], wanted, deadline)


def delete(ram: RAMClient, share_arn: str) -> None:
    """Take the pools from the account; VPCs that were made from them stay as they are."""
    ram.delete_resource_share(resourceShareArn=share_arn)
    decided("deleted share", share=share_arn)


def _create(ram: RAMClient, account_id: str, wanted: set[str], request_id: str, deadline: Deadline) -> Change:
    arn = ram.create_resource_share(
        name=names.share_name(account_id),
        resourceArns=sorted(wanted),
        principals=[account_id],
        allowExternalPrincipals=False,  # AWS's default is True
        tags=[{"key": names.ACCOUNT_TAG, "value": account_id}],
        clientToken=request_id[:64],
    )["resourceShare"]["resourceShareArn"]
    decided("created share", account=account_id, share=arn, pools=sorted(wanted))
    return Change(added=tuple(sorted(wanted)), pending=_pending(ram, arn, account_id, deadline))


def _change(ram: RAMClient, share: Share, wanted: set[str], deadline: Deadline) -> Change:
    """What is new comes before what is old goes, so that no team is without a pool in between."""
    added = sorted(wanted - share.present("pools"))
    principals = sorted({share.account_id} - share.present("principals"))
    removed = sorted(share.present("pools") - wanted)
    if added:
        ram.associate_resource_share(resourceShareArn=share.arn, resourceArns=added)
    if principals:
        ram.associate_resource_share(resourceShareArn=share.arn, principals=principals)
    if removed:
        ram.disassociate_resource_share(resourceShareArn=share.arn, resourceArns=removed)
    if not (added or principals or removed):
        return Change()
    decided("changed share", account=share.account_id, share=share.arn, added=added, removed=removed)
    return Change(tuple(added), tuple(removed), _pending(ram, share.arn, share.account_id, deadline))


def _pending(ram: RAMClient, share_arn: str, account_id: str, deadline: Deadline) -> bool:
    """Wait until AWS has finished with the share; answer whether it still has not. Raises AwsFailed."""
    pace = Pace(deadline.within(ASSOCIATION_WAIT_S))
    while True:
        moving = False
        for association in _associations(ram, share_arn):
            if association.status == "FAILED":
                raise AwsFailed(
                    f"AWS could not share {association.entity} with account {account_id}: {association.message}"
                )
            moving = moving or association.status in MOVING
        if not moving:
            return False
        try:
            pace.wait(progress=False)
        except OutOfTime:
            decided("left AWS to finish the share", account=account_id, share=share_arn)
            return True


@dataclass(frozen=True)
class _Association:
    kind: Literal["pools", "principals"]
    entity: str
    status: str
    message: str


def _associations(ram: RAMClient, share_arn: str) -> list[_Association]:
    paginator = ram.get_paginator("get_resource_share_associations")
    associations: list[_Association] = []
    for kind, api_kind in (("pools", "RESOURCE"), ("principals", "PRINCIPAL")):
        for page in paginator.paginate(associationType=api_kind, resourceShareArns=[share_arn]):  # type: ignore[arg-type]
            associations += [
                _Association(
                    kind,  # type: ignore[arg-type]
                    row["associatedEntity"],
                    row["status"],
                    row.get("statusMessage", ""),
                )
                for row in page["resourceShareAssociations"]
            ]
    return associations


def _read(ram: RAMClient, share: ResourceShareTypeDef, account_id: str) -> Share:
    found: dict[str, dict[str, str]] = {"pools": {}, "principals": {}}
    for association in _associations(ram, share["resourceShareArn"]):
        # An entity that was taken away and given back is listed twice; the one that counts is the present one.
        if found[association.kind].get(association.entity) not in PRESENT:
            found[association.kind][association.entity] = association.status
    return Share(share["resourceShareArn"], account_id, share["creationTime"], found["pools"], found["principals"])
