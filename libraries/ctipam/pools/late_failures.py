"""What AWS accepted and then failed: what is tried again, what is given up, and what cannot be removed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from ipaddress import IPv4Network

from ctipam.errors import AwsFailed
from ctipam.logs import log_decision
from ctipam.pools.change_kinds import DeprovisionCidr, PoolChange
from ctipam.pools.existing import DELETE_FAILED, MODIFY_FAILED, Block, ExistingPool


class LateFailures:
    """What AWS accepted from this invocation and then failed.

    A CIDR that failed in an earlier attempt stays listed for a while and says nothing about this one, so the failures
    that the first reading finds do not count.

    leaves_modifications   a pool that AWS could not modify stays as it is, instead of raising AwsFailed
    """

    NOT_YET = "cidr-not-available"
    PATIENCE_S, REST_S = 600.0, 15.0
    """Space that was given back can be taken again after minutes, although no list shows it as occupied any more. The
    same may hold for the CIDR around it, from which a reservation or a manual allocation was released.
    https://docs.aws.amazon.com/vpc/latest/ipam/release-alloc-ipam.html"""

    def __init__(self, *, leaves_modifications: bool = False) -> None:
        self._leaves_modifications = leaves_modifications
        self._not_modified: set[str] = set()  # pool ids
        self._judged: set[str] = set()
        self._has_judged = False
        self._touched: set[str] = set()
        self._emptied: set[tuple[str, IPv4Network]] = set()  # pool id and CIDR
        self._still_held = 0  # CIDRs, and since when no further one has been taken back while some fail
        self._removals_since: float | None = None
        self._since: dict[str, float] = {}  # pool id -> first and
        self._until: dict[str, float] = {}  # ... next attempt

    def watch(self, pool_id: str, change: PoolChange) -> None:
        if isinstance(change, DeprovisionCidr):
            self._emptied.add((pool_id, change.cidr))
        else:
            self._touched.add(pool_id)

    def rests(self, pool_id: str, now: float) -> bool:
        return now < self._until.get(pool_id, 0.0)

    def failed_removals(
        self, pools: Sequence[ExistingPool], now: float, in_flight: Collection[str]
    ) -> dict[str, list[str]]:
        """Return the pools that AWS agreed to empty or delete and then did not, each with the reason. What AWS may only
        not have freed yet is tried again.

        in_flight   as for `judge`
        """
        held = sum(len(pool.held) for pool in pools)
        if held < self._still_held:
            self._removals_since = None
        self._still_held = held
        failed = {}
        for pool in pools:
            if pool.pool_id in in_flight:
                continue
            for block in pool.blocks:
                if not block.not_taken_back or (pool.pool_id, block.cidr) not in self._emptied:
                    continue
                if self._has_patience_with_removals(now):
                    self._emptied.discard((pool.pool_id, block.cidr))
                    self._try_again_later(pool, block, now)
                else:
                    failed[pool.pool_id] = [f"AWS could not take {block.cidr} from {_phrase(pool)}: {block.reason}"]
            if pool.state == DELETE_FAILED and pool.pool_id in self._touched:
                failed[pool.pool_id] = [f"AWS could not delete {_phrase(pool)}: {_message(pool)}"]
        return failed

    def forget_removals(self, pool_ids: Collection[str]) -> None:
        """Let these pools be emptied and deleted again."""
        self._emptied = {(pool_id, cidr) for pool_id, cidr in self._emptied if pool_id not in pool_ids}
        self._touched -= set(pool_ids)

    def judge(self, pools: Sequence[ExistingPool], now: float, in_flight: Collection[str]) -> bool:
        """Return whether something failed that is to be tried again. Raises AwsFailed for what will not succeed.

        in_flight   ids of pools whose change has not ended: the list may be older, and show how an earlier one ended
        """
        if not self._has_judged:
            self._has_judged = True
            self._judged = {block.cidr_id for pool in pools for block in pool.blocks}
        again = False
        for pool in pools:
            if pool.state in ("create-failed", MODIFY_FAILED) and pool.pool_id in self._touched - set(in_flight):
                self._judge_pool(pool)
            for block in pool.blocks:
                again |= self._judge_provision(pool, block, now)
        return again

    def marked(self, pools: Sequence[ExistingPool]) -> list[ExistingPool]:
        """Return the pools; those that AWS could not modify are marked as unmodifiable."""
        return [replace(pool, unmodifiable=True) if pool.pool_id in self._not_modified else pool for pool in pools]

    def _judge_pool(self, pool: ExistingPool) -> None:
        problem = f"AWS left {_phrase(pool)} {pool.state}: {_message(pool)}"
        if pool.state != MODIFY_FAILED or not self._leaves_modifications:
            raise AwsFailed(problem)
        if pool.pool_id not in self._not_modified:
            self._not_modified.add(pool.pool_id)
            log_decision(
                "leaving a pool that AWS could not modify to the next watch", key=str(pool.key), reason=problem
            )

    def _judge_provision(self, pool: ExistingPool, block: Block, now: float) -> bool:
        doomed = block.state == "failed-provision" or (block.state == "pending-provision" and block.reason)
        if not doomed or pool.pool_id not in self._touched or block.cidr_id in self._judged:
            return False
        if block.code != self.NOT_YET or not self._has_patience(pool, now):
            raise AwsFailed(f"AWS could not give {block.cidr} to {_phrase(pool)}: {block.reason}")
        if block.state == "failed-provision":
            self._try_again_later(pool, block, now)
            self._judged.add(block.cidr_id)
        return True

    def _has_patience(self, pool: ExistingPool, now: float) -> bool:
        return now - self._since.setdefault(pool.pool_id, now) <= self.PATIENCE_S

    def _has_patience_with_removals(self, now: float) -> bool:
        """Return whether there is time for another attempt: while others succeed, and for a while after.

        Pools below one parent take turns, so the time of each alone would add up to more than an invocation has.
        """
        if self._removals_since is None:
            self._removals_since = now
        return now - self._removals_since <= self.PATIENCE_S

    def _try_again_later(self, pool: ExistingPool, block: Block, now: float) -> None:
        log_decision("AWS has not freed the CIDR yet, trying again", key=str(pool.key), cidr=str(block.cidr))
        self._until[pool.pool_id] = now + self.REST_S


def _phrase(pool: ExistingPool) -> str:
    return pool.key.phrase if pool.key else f"pool {pool.pool_id}"


def _message(pool: ExistingPool) -> str:
    return pool.message or "it gives no reason"
