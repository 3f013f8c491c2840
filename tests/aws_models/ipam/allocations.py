"""AllocateIpamPoolCidr, ReleaseIpamPoolAllocation, GetIpamPoolAllocations.

Source  https://docs.aws.amazon.com/vpc/latest/ipam/manually-allocate-cidr-ipam.html
        https://docs.aws.amazon.com/vpc/latest/ipam/release-alloc-ipam.html
"""

from __future__ import annotations

from functools import partial
from ipaddress import IPv4Network
from typing import Any

from aws_models.errors import AwsError
from aws_models.ipam.addresses import fit, parse
from aws_models.ipam.cidrs import provisioned_space
from aws_models.ipam.discoveries import check_monitored
from aws_models.ipam.pages import filtered, page
from aws_models.ipam.records import Allocation, Pool, Rules
from aws_models.ipam.requests import Call, invalid, listed_tags, netmask_length, tags_of
from aws_models.ipam.store import Store, incorrect_state, pool_to_draw_from, unlist
from aws_models.ipam.tokens import once


def allocate_ipam_pool_cidr(store: Store, call: Call) -> dict[str, Any]:
    return {"IpamPoolAllocation": described(once(store, call, lambda: _allocate(store, call)))}


def _allocate(store: Store, call: Call) -> Allocation:
    pool = pool_to_draw_from(store, call, call.params["IpamPoolId"])
    check_monitored(store, store.ipam_of(pool), call)
    wanted = wanted_block(call.params.get("Cidr"), netmask_length(call, "NetmaskLength"), pool.rules)
    allocation = Allocation(
        id=store.ids.new("ipam-pool-alloc", 33),
        pool_id=pool.id,
        network=carve(store, pool, wanted),
        resource_type="custom",
        resource_owner=call.caller.account_id,
        made_at=store.agenda.now,
        description=call.params.get("Description"),
        tags=tags_of(call, "ipam-pool-allocation"),
    )
    store.allocations[allocation.id] = allocation
    return allocation


def wanted_block(cidr: str | None, length: int | None, rules: Rules) -> IPv4Network | int:
    """Return the requested block or netmask length, checked against the pool's rules.

    A requested length precedes the pool's default.
    """
    if cidr is not None and length is not None:
        raise AwsError("InvalidParameterCombination", "Give a cidr or a netmask length, not both.")
    wanted = parse(cidr) if cidr is not None else rules.default if length is None else length
    if wanted is None:
        # https://github.com/terraform-aws-modules/terraform-aws-vpc/issues/1135
        message = (
            "The request cannot contain empty CIDR and Netmask Length for a pool with no default allocation netmask "
            "length set. Exactly one of them should be provided."
        )
        raise AwsError("InvalidParameterCombination", message)
    asked = wanted.prefixlen if isinstance(wanted, IPv4Network) else wanted
    if rules.smallest is not None and asked < rules.smallest:
        raise AwsError("InvalidParameterValue", "The allocation size is too big for the pool.")
    if rules.largest is not None and asked > rules.largest:  # words unverified, after those above
        raise AwsError("InvalidParameterValue", "The allocation size is too small for the pool.")
    return wanted


def carve(store: Store, pool: Pool, wanted: IPv4Network | int) -> IPv4Network:
    """Return a free block of the pool.

    Raises  AwsError InsufficientCidrBlocks, or InvalidParameterValue for a named block (both codes are unverified)
    """
    if not pool.ready and pool.state != "modify-in-progress":
        raise incorrect_state(pool.id, pool.state)
    taken = [allocation.network for allocation in store.allocations_from(pool)]
    found = fit(wanted, provisioned_space(store, pool), taken)
    if found is None and isinstance(wanted, IPv4Network):
        raise invalid("Cidr", wanted, f"It is not free space of {pool.id}.")
    if found is None:
        raise AwsError("InsufficientCidrBlocks", f"There is no free /{wanted} in {pool.id}.")
    return found


def release_ipam_pool_allocation(store: Store, call: Call) -> dict[str, Any]:
    """Release a manual allocation. A VPC's goes with the VPC, a pool's with the pool's CIDR."""
    pool = pool_to_draw_from(store, call, call.params["IpamPoolId"])
    allocation = store.allocations.get(call.params["IpamPoolAllocationId"])
    if allocation is None or allocation.pool_id != pool.id or allocation.recycling:
        raise _no_allocation(call.params["IpamPoolAllocationId"])
    if call.caller.account_id not in (allocation.resource_owner, pool.owner):
        raise _no_allocation(allocation.id)
    if allocation.network != parse(call.params["Cidr"]):
        raise invalid("Cidr", call.params["Cidr"], f"It is not the CIDR of {allocation.id}.")
    if allocation.resource_type != "custom":  # the code is unverified
        remedy = f"An allocation of type {allocation.resource_type} is released with its resource."
        raise invalid("IpamPoolAllocationId", allocation.id, remedy)
    recycle(store, allocation)
    return {"Success": True}


def recycle(store: Store, allocation: Allocation) -> None:
    """Let the space be free again after a while. The list shows the allocation for a moment yet."""
    allocation.recycling = True
    store.agenda.later(store.timings.allocation_listed, partial(unlist, allocation))
    store.agenda.later(store.timings.recycle, partial(forget, store, allocation))


def forget(store: Store, allocation: Allocation) -> None:
    store.allocations.pop(allocation.id, None)


def get_ipam_pool_allocations(store: Store, call: Call) -> dict[str, Any]:
    """Return all allocations of the pool, of all accounts, to every account that may use the pool."""
    pool = pool_to_draw_from(store, call, call.params["IpamPoolId"])
    listed = [allocation for allocation in store.allocations_from(pool) if _is_listed(store, allocation)]
    if allocation_id := call.params.get("IpamPoolAllocationId"):
        listed = [allocation for allocation in listed if allocation.id == allocation_id]
        if not listed:
            raise _no_allocation(allocation_id)
    found = filtered(call, "ipam-pool-allocation-id", listed, lambda item: {"ipam-pool-allocation-id": item.id})
    return page(
        call, found, lambda item: item.id, described, "IpamPoolAllocations", store.page_size, bounds=(1000, 100_000)
    )


def _is_listed(store: Store, allocation: Allocation) -> bool:
    """Return whether the list shows it, which lags behind what is done.

    Source  https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_GetIpamPoolAllocations.html
            https://github.com/hashicorp/terraform-provider-aws/pull/29022
    """
    old_enough = allocation.made_at + store.timings.allocation_listed <= store.agenda.now
    return old_enough and allocation.listed and not allocation.awaits_vpc


def described(allocation: Allocation) -> dict[str, Any]:
    optional = {
        "Description": allocation.description,
        "ResourceId": allocation.resource_id,
        "ResourceRegion": allocation.resource_region,
    }
    return {
        "Cidr": str(allocation.network),
        "IpamPoolAllocationId": allocation.id,
        "ResourceType": allocation.resource_type,
        "ResourceOwner": allocation.resource_owner,
        **{name: value for name, value in optional.items() if value is not None},
        **({"Tags": listed_tags(allocation.tags)} if allocation.tags else {}),
    }


def _no_allocation(allocation_id: str) -> AwsError:
    message = f"The ipam-pool-allocation ID '{allocation_id}' does not exist"
    return AwsError("InvalidIpamPoolAllocationId.NotFound", message)
