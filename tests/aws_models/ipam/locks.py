"""The mutations of pools that exclude each other.

AWS refuses parallel CreateIpamPool calls of siblings, but its message does not say what is locked ("the requested
resource"). The model locks the source pool, or the scope for top-level pools; `mutation_lock` chooses a wider lock or
none. The lock is not stored: it holds while a pool in its reach is *-in-progress or has a pending CIDR.

Source  https://github.com/aws-ia/terraform-aws-ipam/issues/55
"""

from __future__ import annotations

from aws_models.errors import AwsError
from aws_models.ipam.records import Pool
from aws_models.ipam.settings import MutationLock
from aws_models.ipam.store import Store


def locked_by(mode: MutationLock, scope_id: str, source_pool_id: str | None) -> str | None:
    """Return the id of what a mutation of such a pool locks."""
    return {"parent": source_pool_id or scope_id, "scope": scope_id, "none": None}[mode]


def require_unlocked(store: Store, scope_id: str, source_pool_id: str | None) -> None:
    """Raise AwsError ConcurrentMutationLimitExceeded if it is locked. boto3 does not retry this code."""
    wanted = locked_by(store.mutation_lock, scope_id, source_pool_id)
    if wanted is not None and wanted in _held(store):
        message = "There are too many concurrent mutations for the requested resource. Try again later."
        raise AwsError("ConcurrentMutationLimitExceeded", message)


def _held(store: Store) -> set[str | None]:
    return {locked_by(store.mutation_lock, pool.scope_id, pool.source_pool_id) for pool in _mutating(store)}


def _mutating(store: Store) -> list[Pool]:
    pending = {row.pool_id for row in store.cidrs.values() if row.pending}
    return [pool for pool in store.pools.values() if pool.exists and (pool.in_progress or pool.id in pending)]
