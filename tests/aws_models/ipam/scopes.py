"""CreateIpamScope, DeleteIpamScope, DescribeIpamScopes.

Source  https://docs.aws.amazon.com/vpc/latest/ipam/add-scope-ipam.html
"""

from __future__ import annotations

from functools import partial
from typing import Any

from aws_models.errors import AwsError
from aws_models.ipam.pages import Attributes, filtered, page
from aws_models.ipam.records import Scope
from aws_models.ipam.requests import Call, invalid, listed_tags, tags_of
from aws_models.ipam.store import (
    Store,
    administers,
    begin,
    dependency_violation,
    incorrect_state,
    leave_lists,
    own_ipam,
    own_scope,
)
from aws_models.ipam.tokens import once


def create_ipam_scope(store: Store, call: Call) -> dict[str, Any]:
    return {"IpamScope": described(store, once(store, call, lambda: _create(store, call)))}


def _create(store: Store, call: Call) -> Scope:
    ipam = own_ipam(store, call, call.params["IpamId"])
    if not ipam.ready:
        raise incorrect_state(ipam.id, ipam.state)
    if len(store.scopes_of(ipam)) >= store.quotas.scopes_per_ipam:
        raise AwsError("ResourceLimitExceeded", f"You are limited to {store.quotas.scopes_per_ipam} scopes per ipam.")
    scope = Scope(
        id=store.ids.new("ipam-scope"),
        owner=ipam.owner,
        tags=tags_of(call, "ipam-scope"),
        ipam_id=ipam.id,
        description=call.params.get("Description"),
        known_from=store.agenda.now + store.timings.known,
    )
    store.scopes[scope.id] = scope
    begin(store, call, scope, "create", store.timings.scope_create)
    return scope


def delete_ipam_scope(store: Store, call: Call) -> dict[str, Any]:
    scope = own_scope(store, call, call.params["IpamScopeId"])
    if scope.is_default:
        raise invalid("IpamScopeId", scope.id, "Default scopes cannot be deleted.")
    if scope.in_progress:
        raise incorrect_state(scope.id, scope.state)
    if store.pools_in(scope):
        raise dependency_violation(scope.id, "There are pools in the scope.")

    leave = partial(leave_lists, store, scope, store.timings.deleted_scope_listed)
    begin(store, call, scope, "delete", store.timings.scope_delete, leave)
    return {"IpamScope": described(store, scope, with_tags=False)}


def describe_ipam_scopes(store: Store, call: Call) -> dict[str, Any]:
    found = {
        scope.id: scope
        for scope in store.scopes.values()
        if store.lists(scope) and administers(store.ipams[scope.ipam_id], call)
    }
    for scope_id in (asked := call.params.get("IpamScopeIds") or list(found)):
        if scope_id not in found:
            raise AwsError("InvalidIpamScopeId.NotFound", f"The ipam-scope ID '{scope_id}' does not exist")
    scopes = filtered(call, "owner-id ipam-id tag:", [found[scope_id] for scope_id in asked], _attributes)

    def shown(scope: Scope) -> dict[str, Any]:
        return described(store, scope)

    return page(call, scopes, lambda scope: scope.id, shown, "IpamScopes", store.page_size)


def _attributes(scope: Scope) -> Attributes:
    tags = {f"tag:{key}": value for key, value in scope.tags.items()}
    return {"owner-id": scope.owner, "ipam-id": scope.ipam_id} | tags


def described(store: Store, scope: Scope, with_tags: bool = True) -> dict[str, Any]:
    ipam = store.ipams[scope.ipam_id]
    return {
        "OwnerId": scope.owner,
        "IpamScopeId": scope.id,
        "IpamScopeArn": scope.arn,
        "IpamArn": ipam.arn,
        "IpamRegion": ipam.region,
        "IpamScopeType": scope.type,
        "IsDefault": scope.is_default,
        **({"Description": scope.description} if scope.description is not None else {}),
        "PoolCount": len(store.pools_in(scope)),
        "State": scope.state,
        **({"Tags": listed_tags(scope.tags)} if with_tags else {}),
    }
