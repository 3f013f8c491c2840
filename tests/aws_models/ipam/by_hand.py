"""Delete resources at once, with everything below, as an operator does meanwhile. Not an AWS action: a test fault."""

from __future__ import annotations

from aws_models.ipam.records import Lasting, Pool
from aws_models.ipam.store import Store


def delete(store: Store, resource_id: str) -> None:
    """Delete an IPAM or a pool with all that is in it. Raises KeyError if there is no such thing."""
    if resource_id in store.ipams:
        ipam = store.ipams[resource_id]
        for scope in store.scopes_of(ipam):
            for pool in store.pools_in(scope):
                _delete_pool(store, pool)
            _end(scope)
        _end(store.discoveries[ipam.discovery_id])
        _end(ipam)
    else:
        _delete_pool(store, store.pools[resource_id])


def _delete_pool(store: Store, pool: Pool) -> None:
    for child in store.children_of(pool):
        _delete_pool(store, child)
    for row in store.cidrs_of(pool):
        store.allocations.pop(row.allocation_id or "", None)
        row.state, row.listed = "deprovisioned", False
    for allocation in store.allocations_from(pool):
        del store.allocations[allocation.id]
    _end(pool)


def _end(thing: Lasting) -> None:
    thing.state, thing.listed = "delete-complete", False
