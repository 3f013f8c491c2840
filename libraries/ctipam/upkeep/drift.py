"""What differs from the spec although no deployment changed it: what somebody changed by hand, and what is left over.

The comparison is that of an update (`changes`). Additions and corrections are made; the removal of a pool, a CIDR or a
reservation is only reported. CIDRs that were given by hand or by automatic growth differ from nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ctipam import names
from ctipam.findings import Finding
from ctipam.pools import reserved
from ctipam.pools.change_kinds import ModifyPool, PendingChanges, TagPool
from ctipam.pools.changes import pending_changes
from ctipam.pools.existing import MODIFY_FAILED, Allocation, ExistingPool
from ctipam.pools.matching import Comparison, compare
from ctipam.pools.placement import Occupied, place
from ctipam.pools.recognition import has_lost_stack_tag, lost_stack_tag
from ctipam.pools.spec import TOP_LEVEL, PoolKey, PoolSpec
from ctipam.pools.wanted import wanted_allocation_tags
from ctipam.tags import TAGS_OF_A_RESOURCE

METRIC = "Drift"

LOST_TAG = "first put back the tag that a pool has lost."
"""Why nothing is added while a pool may be missing only because nothing tells that it is ours."""

NEXT_UPDATE = "The next update that changes a parameter removes it if nothing uses it, or delete it."


@dataclass(frozen=True)
class Drift:
    """findings      what differs
    is_mendable   something of it can be mended
    """

    findings: tuple[Finding, ...] = ()
    is_mendable: bool = False


def mendable_changes(
    spec: PoolSpec,
    pools: Sequence[ExistingPool],
    occupied: Occupied,
    refusal: str,
) -> PendingChanges:
    """Return what adds and corrects, or only what corrects.

    pools     recognized()
    occupied  for each of parents_of_new_cidrs()
    refusal   why nothing can be added, in words; empty: something can
    """
    everything = {pool.pool_id for pool in pools}
    pending = pending_changes(spec, pools, occupied, kept_anyway=everything)
    if not refusal:
        return pending
    corrections = [change for change in pending.changes if isinstance(change, TagPool | ModifyPool)]
    return PendingChanges(tuple(change for change in corrections if not has_lost_stack_tag(change.pool)))


def is_incomplete(spec: PoolSpec, pools: Sequence[ExistingPool]) -> bool:
    """Return whether a pool or a block is missing."""
    comparison = compare(spec, pools)
    return any(key not in comparison.kept or comparison.blocks[key].missing for key in spec.pools)


def lacking_until_removed(spec: PoolSpec, pools: Sequence[ExistingPool], occupied: Occupied) -> str:
    """Return for what there is no room, in words, until what is not declared is removed; empty: there is room."""
    comparison = compare(spec, pools)
    if lacking := place(comparison, occupied).lacking:
        return (
            f"there is no free /{lacking[1]} for {lacking[0]} until pools or blocks that are not declared are removed."
        )
    if len(spec.pools) - len(comparison.kept) > spec.quota - len(pools):
        return "IpamPoolQuota has no place until what is not declared is removed."
    return ""


def find_drift(
    spec: PoolSpec, pools: Sequence[ExistingPool], allocated: Mapping[str, Collection[Allocation]], refusal: str
) -> Drift:
    """Return what differs from the spec.

    pools       all pools of the scope, recognized(), ours with their CIDRs
    allocated   what is allocated from environment pools, by the pool's id. Pools of which that is not known keep it
    refusal     why what is missing cannot be added, in words; empty: it can
    """
    comparison = compare(spec, pools)
    additions = list(_missing(comparison, refusal))
    corrections = [*_corrections(comparison, refusal), *_reservations(comparison, allocated)]
    told = [*_lost(comparison), *_collisions(comparison, allocated), *_left_over(comparison), *_by_hand(comparison)]
    told += [*_unready(comparison), *_not_taken_back(comparison), *_still_reserved(comparison, allocated)]
    return Drift((*additions, *corrections, *told), bool(corrections or (additions and not refusal)))


def _finding(subject: object, what: str, message: str) -> Finding:
    return Finding(METRIC, f"{subject}: {what}", message)


def _missing(comparison: Comparison, refusal: str) -> Iterator[Finding]:
    outcome = f"It cannot be added again: {refusal}" if refusal else "It is being added again."
    for key in comparison.spec.pools:
        missing = comparison.blocks[key].missing
        if key not in comparison.kept:
            yield _finding(key, "missing", f"{_upper(key.phrase)} does not exist any more. {outcome}")
        elif missing and not has_lost_stack_tag(comparison.kept[key]):
            sizes = ", ".join(f"/{one}" if isinstance(one, int) else str(one) for one in missing)
            yield _finding(key, "blocks", f"{_named(comparison, key)} lacks a block, {sizes}. {outcome}")


def _corrections(comparison: Comparison, refusal: str) -> Iterator[Finding]:
    for change in mendable_changes(comparison.spec, comparison.pools, {}, refusal).changes:
        if isinstance(change, TagPool) and change.pool.key:
            keys = ", ".join(sorted({*change.tags, *change.removed}))
            text = f"{_named(comparison, change.pool.key)} has other tags than the stack: {keys}."
            outcome = "They are being corrected."
            if len({*change.pool.tags, *change.tags} - {*change.removed}) > TAGS_OF_A_RESOURCE:
                outcome = f"AWS allows {TAGS_OF_A_RESOURCE} on a pool: remove some from the stack, or from the pool."
            yield _finding(change.pool.key, "tags", f"{text} {outcome}")
        elif isinstance(change, ModifyPool):
            text = f"{_named(comparison, change.key)} was changed: {', '.join(_differences(change))}."
            yield _finding(change.key, "rules", f"{text} It is being changed back.")


def _differences(change: ModifyPool) -> Iterator[str]:
    pool, key = change.pool, change.key
    if pool.state == MODIFY_FAILED:
        yield "its last modification failed"
    if pool.description != names.pool_description(key.region, key.environment):
        yield "its description"
    if dict(pool.allocation_tags) != wanted_allocation_tags(key):
        yield "the tags that a VPC must carry"
    if change.vpc_sizes is not None and pool.vpc_sizes != change.vpc_sizes:
        yield "the sizes of VPCs"
    if pool.auto_import != change.auto_import:
        yield "whether it imports VPCs"


def _reservations(comparison: Comparison, allocated: Mapping[str, Collection[Allocation]]) -> Iterator[Finding]:
    for key, pool in _readable(comparison, allocated):
        usable = (block.cidr for block in pool.held if not block.not_taken_back)
        wanted = reserved.wanted_reservations(comparison.spec, key, usable)
        missing = reserved.reservation_changes(comparison.spec, wanted, allocated[pool.pool_id]).add
        if missing:
            cidrs = ", ".join(map(str, missing))
            text = f"{_named(comparison, key)} does not keep {cidrs} of ReservedCidrs from VPCs any more."
            yield _finding(key, "reservations", f"{text} It is being reserved again.")
        elif names.PREPARING_TAG in pool.tags or (wanted and names.RESERVED_TAG not in pool.tags):
            text = f"{_named(comparison, key)} has other tags about ReservedCidrs than it should."
            yield _finding(key, "reservations", f"{text} They are being corrected.")


def _collisions(comparison: Comparison, allocated: Mapping[str, Collection[Allocation]]) -> Iterator[Finding]:
    for key, _pool, changes in _reservation_changes(comparison, allocated):
        for one in changes.colliding:
            yield _finding(key, f"{one.cidr} is reserved and in use", reserved.collision(key.phrase, one))


def _still_reserved(comparison: Comparison, allocated: Mapping[str, Collection[Allocation]]) -> Iterator[Finding]:
    for key, pool, changes in _reservation_changes(comparison, allocated):
        for one in changes.release:
            text = (
                f"{_named(comparison, key)} still keeps {one.cidr} from VPCs, which ReservedCidrs does not list. "
                f"The next update that changes a parameter releases it, or release the allocation {one.allocation_id}."
            )
            yield _finding(pool.pool_id, f"{one.cidr} still reserved", text)


def _reservation_changes(
    comparison: Comparison, allocated: Mapping[str, Collection[Allocation]]
) -> Iterator[tuple[PoolKey, ExistingPool, reserved.ReservationChanges]]:
    for key, pool in _readable(comparison, allocated):
        wanted = reserved.wanted_reservations(comparison.spec, key, (block.cidr for block in pool.held))
        yield key, pool, reserved.reservation_changes(comparison.spec, wanted, allocated[pool.pool_id])


def _readable(
    comparison: Comparison, allocated: Mapping[str, Collection[Allocation]]
) -> Iterator[tuple[PoolKey, ExistingPool]]:
    for key, pool in comparison.kept.items():
        if key.environment and pool.pool_id in allocated and not has_lost_stack_tag(pool):
            yield key, pool


def _lost(comparison: Comparison) -> Iterator[Finding]:
    for key, pool in comparison.kept.items():
        if has_lost_stack_tag(pool):
            message = lost_stack_tag(_named(comparison, key), pool.pool_id, comparison.spec.stack_id)
            yield _finding(key, "not ours", message)


def _left_over(comparison: Comparison) -> Iterator[Finding]:
    for pool in comparison.unwanted:
        if not pool.being_removed:
            cidrs = ", ".join(str(block.cidr) for block in pool.held) or "no CIDR"
            text = f"Pool {pool.pool_id} ({cidrs}) has the tags of {pool.key}, and the stack does not declare it."
            yield _finding(pool.pool_id, "not declared", f"{text} {NEXT_UPDATE}")
    for key, pool in comparison.kept.items():
        for block in comparison.blocks[key].surplus:
            text = f"{_named(comparison, key)} holds {block.cidr}, which is no longer declared. {NEXT_UPDATE}"
            yield _finding(pool.pool_id, f"{block.cidr} not declared", text)


def _unready(comparison: Comparison) -> Iterator[Finding]:
    for key, pool in comparison.kept.items():
        if not pool.ready and pool.state not in ("create-in-progress", "modify-in-progress"):
            why = f" ({pool.message})" if pool.message else ""
            text = (
                f"{_named(comparison, key)} is {pool.state}{why}, so nothing can be added or corrected in it. Look at "
                "it in the IPAM console of the Networking account, or ask AWS Support."
            )
            yield _finding(key, pool.state, text)


def _not_taken_back(comparison: Comparison) -> Iterator[Finding]:
    for key, pool in comparison.kept.items():
        for block in pool.held:
            if block.not_taken_back and block not in comparison.blocks[key].surplus:
                text = (
                    f"{_named(comparison, key)} holds {block.cidr}, which AWS has failed to take back, so AWS may "
                    "create nothing in it. Delete what uses it, if anything, and wait 30 minutes. Then deprovision the "
                    "CIDR in the IPAM console; the watch adds it again. Or add a block with "
                    f"{'TopLevelPoolCidr' if key == TOP_LEVEL else 'PoolSizes'}."
                )
                yield _finding(pool.pool_id, f"{block.cidr} not taken back", text)


def _by_hand(comparison: Comparison) -> Iterator[Finding]:
    ours = {pool.pool_id: pool.key for pool in comparison.pools if pool.key}
    for pool in comparison.pools:
        if pool.key is None and pool.source_pool_id in ours:
            key = ours[pool.source_pool_id]
            message = (
                f"Pool {pool.pool_id} ({pool.description or 'no description'}) was made by hand in {key.phrase}, and "
                "takes its addresses from it. No account gets it from this solution. Delete it, unless you need it."
            )
            yield _finding(pool.pool_id, f"by hand in {key}", message)


def _named(comparison: Comparison, key: PoolKey) -> str:
    return f"{_upper(key.phrase)} ({comparison.kept[key].pool_id})"


def _upper(phrase: str) -> str:
    return phrase[0].upper() + phrase[1:]
