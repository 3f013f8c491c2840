"""Automatic import: pools that look for VPCs in their space, and make them allocations.

A VPC is imported whatever the pool's rules say of its size, tags and Region: then it is noncompliant. Not imported is
what overlaps an existing allocation, and of several that overlap each other all but the largest; of equal ones, all but
one. A CIDR that is not within one of the pool's is none of its business, but still in the way of smaller ones
(unverified). A VPC that is deleted is imported while the list that lags behind still shows it, and its allocation ends
when IPAM learns of the deletion (assumed).

Source  https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateIpamPool.html
"""

from __future__ import annotations

from functools import partial

from aws_models.ipam.addresses import overlaps
from aws_models.ipam.allocations import forget
from aws_models.ipam.cidrs import provisioned_space
from aws_models.ipam.records import Allocation, Ipam, Pool, VpcCidr
from aws_models.ipam.resources import allocations_of, shown_cidrs, shown_since
from aws_models.ipam.store import Store


def import_vpcs(store: Store) -> None:
    for pool in list(store.pools.values()):
        if pool.auto_import and pool.ready:
            _import_into(store, store.ipam_of(pool), pool)


def _import_into(store: Store, ipam: Ipam, pool: Pool) -> None:
    space = provisioned_space(store, pool)
    allocated = allocations_of(store, ipam)
    for row in _largest([row for row in shown_cidrs(store, ipam) if row.key not in ipam.ignored]):
        inside = any(row.network.subnet_of(block) for block in space)
        taken = [one.network for one in store.allocations_from(pool)]
        if inside and row.key not in allocated and _is_due(store, ipam, pool, row) and not overlaps(row.network, taken):
            _allocate(store, pool, row)


def _largest(rows: list[VpcCidr]) -> list[VpcCidr]:
    """Return the rows that are in no other, the first of equal ones."""
    found: list[VpcCidr] = []
    for row in sorted(rows, key=lambda row: (row.network, row.vpc_id)):
        if not found or not row.network.overlaps(found[-1].network):
            found.append(row)
    return found


def _is_due(store: Store, ipam: Ipam, pool: Pool, row: VpcCidr) -> bool:
    shown = shown_since(store, ipam, row)
    return shown is not None and max(shown, pool.imports_since) + store.timings.auto_import <= store.agenda.now


def _allocate(store: Store, pool: Pool, row: VpcCidr) -> None:
    allocation = Allocation(
        id=store.ids.new("ipam-pool-alloc", 33),
        pool_id=pool.id,
        network=row.network,
        resource_type="vpc",
        resource_owner=row.owner,
        made_at=store.agenda.now - store.timings.allocation_listed,  # auto_import ends when it is listed
        resource_id=row.vpc_id,
        resource_region=row.region,
    )
    store.allocations[allocation.id] = allocation
    if row.gone_at is not None and row.owner not in store.undiscoverable_since:
        allocation.leaving = True
        known_at = row.gone_at + store.timings.discovery
        store.agenda.later(known_at - store.agenda.now, partial(forget, store, allocation))
