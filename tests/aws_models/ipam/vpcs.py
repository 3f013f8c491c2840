"""The addresses of VPCs: the engine creates the VPC, IPAM chooses its CIDR block.

Source  https://docs.aws.amazon.com/vpc/latest/ipam/create-vpc-ipam.html
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from ipaddress import IPv4Network

from aws_models.errors import AwsError
from aws_models.ipam.allocations import carve, forget, wanted_block
from aws_models.ipam.discoveries import check_monitored
from aws_models.ipam.records import NO_LOCALE, Allocation, Pool, VpcAllocation, VpcCidr
from aws_models.ipam.requests import Call, invalid, netmask_length, tags_of
from aws_models.ipam.store import Store, pool_to_draw_from
from aws_models.organization import Caller

VPC_NETMASK_LENGTHS = range(16, 29)  # https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html


def allocate_vpc(store: Store, call: Call) -> VpcAllocation:
    """Reserve the block; the allocation is listed once the VPC exists."""
    if call.params.get("Ipv6IpamPoolId"):
        raise NotImplementedError("CreateVpc: Ipv6IpamPoolId")
    pool = pool_to_draw_from(store, call, call.params["Ipv4IpamPoolId"])
    check_monitored(store, store.ipam_of(pool), call)
    if pool.locale == NO_LOCALE:  # the code is unverified
        raise invalid("Ipv4IpamPoolId", pool.id, "The pool has no locale, so no VPC can draw from it.")
    tags = tags_of(call, "vpc")
    _check_tags(pool, tags)
    length = netmask_length(call, "Ipv4NetmaskLength")
    wanted = wanted_block(call.params.get("CidrBlock"), length, pool.rules)
    _check_size(wanted)
    allocation = Allocation(
        id=store.ids.new("ipam-pool-alloc", 33),
        pool_id=pool.id,
        network=carve(store, pool, wanted),
        resource_type="vpc",
        resource_owner=call.caller.account_id,
        made_at=store.agenda.now,
        resource_region=call.caller.region,
        awaits_vpc=True,
    )
    store.allocations[allocation.id] = allocation
    return VpcAllocation(pool.id, str(allocation.network), allocation.id, tags)


def _check_tags(pool: Pool, tags: dict[str, str]) -> None:
    """Refuse a request without a required tag; tagging the VPC afterwards does not help."""
    if not pool.required_tags.items() <= tags.items():  # AWS's words; its code is unverified
        words = "The resource is missing one or more of the resource tags required by the IPAM pool."
        raise AwsError("InvalidParameterValue", words)


def _check_size(wanted: IPv4Network | int) -> None:
    if isinstance(wanted, IPv4Network) and wanted.prefixlen not in VPC_NETMASK_LENGTHS:
        raise AwsError("InvalidVpc.Range", f"The CIDR '{wanted}' is invalid.")
    if not isinstance(wanted, IPv4Network) and wanted not in VPC_NETMASK_LENGTHS:
        raise invalid("Ipv4NetmaskLength", wanted, "A VPC's netmask length is from 16 to 28.")


def vpc_created(store: Store, reserved: VpcAllocation, vpc_id: str) -> None:
    if allocation := store.allocations.get(reserved.allocation_id):  # unless deleted by hand meanwhile
        allocation.resource_id, allocation.awaits_vpc, allocation.made_at = vpc_id, False, store.agenda.now
        caller = Caller(allocation.resource_owner, allocation.resource_region or "")
        vpc_has_cidr(store, vpc_id, allocation.network, reserved.tags, caller)


def vpc_has_cidr(store: Store, vpc_id: str, network: IPv4Network, tags: Mapping[str, str], caller: Caller) -> None:
    """Remember a CIDR of a VPC in the caller's account and Region; discovery will find it."""
    store.member_since.setdefault(caller.account_id, store.agenda.now)
    row = VpcCidr(vpc_id, caller.account_id, caller.region, network, tags, store.agenda.now)
    store.vpc_cidrs[row.key] = row


def vpc_refused(store: Store, reserved: VpcAllocation) -> None:
    store.allocations.pop(reserved.allocation_id, None)


def vpc_deleted(store: Store, vpc_id: str) -> None:
    """Release the allocation later: until then it is listed, takes space, and its CIDR cannot be deprovisioned."""
    for allocation in store.allocations.values():
        if allocation.resource_id == vpc_id and not allocation.leaving:
            allocation.leaving = True
            store.agenda.later(store.timings.vpc_release, partial(forget, store, allocation))
    for row in store.vpc_cidrs.values():
        if row.vpc_id == vpc_id and row.gone_at is None:
            row.gone_at = store.agenda.now
