"""Deletes a stack's pools as far as nothing is allocated from them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from ctipam import waiting
from ctipam.cloudformation.request import ResourceRequest
from ctipam.errors import code_of, explain
from ctipam.pools import preconditions, removals
from ctipam.pools.change_kinds import CreatePool, PoolChange
from ctipam.pools.existing import Allocation, ExistingPool
from ctipam.pools.reader import PoolReader, as_listed
from ctipam.pools.rounds import Rounds, with_ancestors

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import IpamPoolTypeDef

VPC_RELEASE_S = 40 * 60.0
"""How long a deletion waits for AWS to free the CIDRs of deleted VPCs, from its first invocation on. AWS takes about 30
minutes. https://github.com/hashicorp/terraform-provider-aws/pull/34859"""

RELEASE_PAUSE_S = 30.0

RETRIED_S = 5 * 60.0
"""How long an error is retried at least, even if it begins after VPC_RELEASE_S: AWS may only have a bad minute."""


class PoolDeletion(Rounds):
    """Deletes the stack's pools, except those that are in use and the pools above them."""

    def __init__(self, request: ResourceRequest, pool_reader: PoolReader) -> None:
        super().__init__(request, pool_reader, spec=None)
        self._in_use: dict[str, list[str]] = {}  # pool id -> what is allocated from it, a sentence each
        self._held: dict[str, list[Allocation]] = {}  # pool id -> the same, as it was read
        self._released_by_aws: set[str] = set()  # ids of pools that only VPCs block
        self._not_deleted: dict[str, list[str]] = {}  # pool id -> why AWS did not delete it
        self._failing_since: dict[str, float] = {}  # pool id -> when the error began that its last change met
        self._listed: Sequence[IpamPoolTypeDef] = ()

    def run(self, listed: Sequence[IpamPoolTypeDef]) -> list[str]:
        """Return a sentence for each pool that cannot be deleted. A note on what is raised names the pools that were
        left: if AWS does not let their CIDRs be read, for example, nothing else would."""
        self._listed = listed
        try:
            return self._delete()
        except Exception as error:
            ours = [as_listed(pool, ours=True) for pool in self._listed if self._reader.is_ours(pool)]
            if names := sorted(f"{pool.key} ({pool.pool_id})" for pool in ours):
                error.add_note(f"Pools that are left: {', '.join(names)}.")
            raise

    def _delete(self) -> list[str]:
        self._read_use(self._read(self._listed))
        while True:
            pools = self._read(self._listed)
            self._not_deleted |= self._failures.failed_removals(pools, waiting.now(), self._in_flight.pool_ids)
            stuck = {**_isolated(pools), **self._not_deleted}
            kept = with_ancestors({**self._in_use, **stuck}, pools)
            pending = removals.removals([pool for pool in pools if pool.key and pool.pool_id not in kept], pools)
            pending += removals.unused_removals(kept - stuck.keys(), pools, self._held)
            accepted = self._apply(pending.changes, pools)
            if not pending.nothing:
                self._wait(pending, progress=bool(accepted))
            elif self._may_go_on():
                self._request.deadline.pause_at_most(RELEASE_PAUSE_S)
                self._failures.forget_removals(self._not_deleted)
                self._not_deleted.clear()
                self._read_use(pools)
            else:
                return self._reasons(pools)
            self._listed = self._look()

    def _attempt(self, change: PoolChange) -> str | None:
        """Apply the change, as Rounds does; an error concerns one pool and keeps no other from being deleted."""
        if isinstance(change, CreatePool):
            raise TypeError("nothing is created where everything is deleted")
        pool = change.pool
        try:
            code = super()._attempt(change)
        except ClientError as error:
            self._not_deleted[pool.pool_id] = [f"{pool.key}: {explain(error)}"]
            self._failing_since.setdefault(pool.pool_id, waiting.now())
            return code_of(error)
        if code is None:
            self._failing_since.pop(pool.pool_id, None)
        return code

    def _read_use(self, pools: Sequence[ExistingPool]) -> None:
        ours = [pool for pool in pools if pool.key]
        self._held = self._reader.read_allocations(ours)
        self._in_use = preconditions.deletion_blockers(ours, pools, self._held)
        self._released_by_aws = {
            pool_id
            for pool_id, allocations in self._held.items()
            if any(allocation.resource_type == "vpc" for allocation in allocations)
            and all(one.resource_type in ("vpc", "ipam-pool") or one.is_reservation for one in allocations)
        }

    def _may_go_on(self) -> bool:
        """Return whether AWS may still free what blocks a pool, the CIDR of a VPC that was just deleted, or get over an
        error."""
        now = waiting.now()
        if now < self._request.began + VPC_RELEASE_S:
            return bool(self._released_by_aws & self._in_use.keys() or self._not_deleted)
        return any(now < self._failing_since.get(pool_id, 0.0) + RETRIED_S for pool_id in self._not_deleted)

    def _reasons(self, pools: Sequence[ExistingPool]) -> list[str]:
        existing = {pool.pool_id for pool in pools}
        reasons = {**_isolated(pools), **self._in_use, **self._not_deleted}
        return [sentence for pool_id, sentences in reasons.items() if pool_id in existing for sentence in sentences]


def _isolated(pools: Sequence[ExistingPool]) -> dict[str, list[str]]:
    return preconditions.isolated(pool for pool in pools if pool.key)
