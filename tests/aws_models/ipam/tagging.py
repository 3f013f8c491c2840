"""EC2's CreateTags and DeleteTags, on what is IPAM's.

Source  https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateTags.html
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from aws_models.errors import AwsError
from aws_models.ipam.records import Lasting
from aws_models.ipam.requests import Call, check_tags
from aws_models.ipam.store import Store, own_ipam, own_pool, own_scope

Find = Callable[[Store, Call, str], Lasting]


def holds(resource_id: str) -> bool:
    return resource_id.startswith("ipam-")


def tag(store: Store, call: Call, resource_id: str, tags: Mapping[str, str]) -> None:
    if not tags:
        raise AwsError("MissingParameter", "The request must contain the parameter Tags")
    thing = _find(store, call, resource_id)
    check_tags(thing.tags | dict(tags))
    _retag(store, thing, thing.tags | dict(tags))


def _retag(store: Store, thing: Lasting, tags: dict[str, str]) -> None:
    """Set the tags; lists may show them a moment later.

    Source  https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html
    """
    thing.tags_before, thing.tags_known_from = store.shown_tags(thing), store.agenda.now + store.timings.tags_listed
    thing.tags = tags


def untag(store: Store, call: Call, resource_id: str, keys: Collection[str]) -> None:
    thing = _find(store, call, resource_id)
    _retag(store, thing, {key: value for key, value in thing.tags.items() if keys and key not in keys})


def _find(store: Store, call: Call, resource_id: str) -> Lasting:
    if resource_id.startswith(("ipam-pool-alloc-", "ipam-pool-cidr-", "ipam-res-")):
        raise NotImplementedError(f"{call.action} on {resource_id}")
    find: Find = own_ipam
    if resource_id.startswith("ipam-pool-"):
        find = own_pool
    elif resource_id.startswith("ipam-scope-"):
        find = own_scope
    return find(store, call, resource_id)
