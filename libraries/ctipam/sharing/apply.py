"""Makes one change to a share in AWS RAM. https://docs.aws.amazon.com/ram/latest/APIReference/"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from ctipam import names
from ctipam.errors import AwsFailed, code_of
from ctipam.sharing.changes import AdoptShare, Associate, CreateShare, DeleteShare, Disassociate, ShareChange
from ctipam.sharing.existing import Share
from ctipam.tags import to_dict, to_ram_list

if TYPE_CHECKING:
    from types_boto3_ram.client import RAMClient


def apply(ram: RAMClient, change: ShareChange, tags: Mapping[str, str]) -> Share | None:
    """Make the change. Return the share that it created, if any. Raises ClientError, or AwsFailed without a reason.

    tags   of a share that is created, besides the one with its account
    """
    match change:
        case CreateShare():
            return _create(ram, change, tags)
        case AdoptShare():
            added = _with_account(change.tags.add, change.share.account_id)
            ram.tag_resource(resourceShareArn=change.share.arn, tags=added)
            if change.tags.remove:
                ram.untag_resource(resourceShareArn=change.share.arn, tagKeys=list(change.tags.remove))
            ram.update_resource_share(
                resourceShareArn=change.share.arn, name=change.share.name, allowExternalPrincipals=False
            )
        case Associate():
            ram.associate_resource_share(resourceShareArn=change.share.arn, **_entities(change))
        case Disassociate():
            ram.disassociate_resource_share(resourceShareArn=change.share.arn, **_entities(change))
        case DeleteShare():
            _delete(ram, change.share)
    return None


def _entities(change: Associate | Disassociate) -> dict[str, Any]:
    named: dict[str, Any] = {}
    if change.pools:
        named["resourceArns"] = list(change.pools)
    if change.principals:
        named["principals"] = list(change.principals)
    return named


def _create(ram: RAMClient, change: CreateShare, tags: Mapping[str, str]) -> Share:
    all_tags = _with_account(tags, change.account_id)
    created = ram.create_resource_share(
        name=names.share_name(change.account_id),
        resourceArns=list(change.pools),
        principals=[change.account_id],
        allowExternalPrincipals=False,  # AWS's default is True
        # Not sent, because older SDKs do not know it and AWS's default is right: resourceShareConfiguration with
        # retainSharingOnAccountLeaveOrganization, which keeps the share of an account that leaves.
        tags=all_tags,
        # For boto3's own retries, after a lost answer. A later invocation finds the share.
        clientToken=str(uuid.uuid4()),
    )["resourceShare"]
    return Share(created["resourceShareArn"], change.account_id, created["creationTime"], tags=to_dict(all_tags))


def _with_account(tags: Mapping[str, str], account_id: str) -> list[Any]:
    return to_ram_list({**tags, names.ACCOUNT_TAG: account_id})


def _delete(ram: RAMClient, share: Share) -> None:
    """Delete a share. VPCs that were created from its pools stay as they are."""
    try:
        answer = ram.delete_resource_share(resourceShareArn=share.arn)
    except ClientError as error:
        if code_of(error) != "UnknownResourceException":  # the share is gone
            raise
        return
    if answer.get("returnValue") is False:
        raise AwsFailed(f"AWS did not delete share {share.name}, and gave no reason. The next run tries again.")


def cannot_delete_yet(error: ClientError) -> bool:
    """Return whether RAM refuses to delete a share in its present state: it still adds something to it, or is deleting
    it for another handler.
    https://docs.aws.amazon.com/ram/latest/APIReference/API_DeleteResourceShare.html
    """
    return error.operation_name == "DeleteResourceShare" and code_of(error) == "InvalidStateTransitionException"
