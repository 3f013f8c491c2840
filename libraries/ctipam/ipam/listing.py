"""Lists the pools of an account, as AWS describes them: whose they are and in which scope."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from ctipam import names
from ctipam.tags import tag_filter, to_dict

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import IpamPoolTypeDef

    from ctipam.sessions import Account


Pool = TypeVar("Pool", bound=Mapping[str, Any])


def list_pools(account: Account) -> list[IpamPoolTypeDef]:
    """Return all pools of the account, as AWS lists them. Omits deleted pools, which AWS lists for a while, and those
    that others share with the account: an account that becomes the Networking account may have pools of the former."""
    return with_hidden_tags(list(_pages(account)), lambda: _pages(account, Filters=tag_filter(names.STACK_TAG)))


def with_hidden_tags(listed: list[Pool], ask_for_ours: Callable[[], Iterable[Pool]]) -> list[Pool]:
    """Return the pools with their tags. EC2 may list something without its tags, unless the request names a tag. So if
    pools have none, they are asked for again.

    ask_for_ours   lists the pools that have STACK_TAG, by a filter
    Source         https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html
    """
    if all(pool.get("Tags") for pool in listed):
        return listed
    ours = {pool["IpamPoolId"]: pool for pool in ask_for_ours()}
    return [ours.get(pool["IpamPoolId"], pool) for pool in listed]


def _pages(account: Account, **question: Any) -> Iterator[IpamPoolTypeDef]:
    pages = account.ec2().get_paginator("describe_ipam_pools").paginate(**question, PaginationConfig={"PageSize": 1000})
    for page in pages:
        for pool in page["IpamPools"]:
            if pool["OwnerId"] == account.account_id and pool["State"] != "delete-complete":
                yield pool


def scope_of(pool: IpamPoolTypeDef) -> str:
    return pool["IpamScopeArn"].rpartition("/")[2]


def stack_of(pool: IpamPoolTypeDef) -> str:
    """Return the ARN of the stack that manages the pool; empty: it is not a pool of this solution."""
    return to_dict(pool.get("Tags", [])).get(names.STACK_TAG, "")


def with_tags_put_back(listed: Sequence[IpamPoolTypeDef], stack_ids: Mapping[str, str]) -> list[IpamPoolTypeDef]:
    """Return the pools as if these, by id, had not lost STACK_TAG, see `pools.recognition`. Changes nothing in AWS."""
    found = []
    for pool in listed:
        copied = pool.copy()
        if stack_id := stack_ids.get(pool["IpamPoolId"]):
            copied["Tags"] = [*pool.get("Tags", []), {"Key": names.STACK_TAG, "Value": stack_id}]
        found.append(copied)
    return found
