"""ProvisionIpamPoolCidr, DeprovisionIpamPoolCidr, GetIpamPoolCidrs.

    pending-provision ─▶ provisioned ─▶ pending-deprovision ─▶ deprovisioned, listed for a while yet
                     └▶ failed-provision                   └▶ failed-deprovision ─▶ pending-deprovision, if asked again

The outcome is decided when the request is accepted, and shown when the pending state ends.

Source  https://docs.aws.amazon.com/vpc/latest/ipam/prov-cidr-ipam.html
        https://docs.aws.amazon.com/vpc/latest/ipam/depro-pool-cidr-ipam.html
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from ipaddress import IPv4Network
from typing import Any

from aws_models.errors import AwsError
from aws_models.ipam.addresses import fit, parse
from aws_models.ipam.faults import HANG
from aws_models.ipam.locks import require_unlocked
from aws_models.ipam.pages import Attributes, filtered, page
from aws_models.ipam.records import Allocation, Failure, Pool, PoolCidr
from aws_models.ipam.requests import Call, invalid, netmask_length
from aws_models.ipam.store import Store, incorrect_state, may_use, no_pool, own_pool, unlist
from aws_models.ipam.tokens import once

STILL_IN_USE = Failure("", "The CIDR has one or more allocations.")  # AWS's words, and no code


def provision_ipam_pool_cidr(store: Store, call: Call) -> dict[str, Any]:
    """Return pending-provision, also for a repeated token; the outcome shows later."""
    row = once(store, call, lambda: _provision(store, call))
    return {"IpamPoolCidr": _named(row, row.given) | {"State": "pending-provision"}}


def _provision(store: Store, call: Call) -> PoolCidr:
    pool = own_pool(store, call, call.params["IpamPoolId"])
    wanted = _wanted(call, pool)
    if not pool.ready:
        raise incorrect_state(pool.id, pool.state)
    require_unlocked(store, pool.scope_id, pool.source_pool_id)
    if any(row.held and row.network == wanted for row in store.cidrs_of(pool)):
        # https://github.com/hashicorp/terraform-provider-aws/issues/27424
        message = f"The specified action is not valid for {pool.id}. The CIDR {wanted} is in an invalid state."
        raise AwsError("IncorrectState", message)
    outcome = _decide_provision(store, pool, wanted)
    row = PoolCidr(
        id=store.ids.new("ipam-pool-cidr", 33),
        pool_id=pool.id,
        netmask_length=wanted.prefixlen if isinstance(wanted, IPv4Network) else wanted,
        network=wanted if isinstance(wanted, IPv4Network) else None,
        given=isinstance(wanted, IPv4Network),
        listed_from=store.agenda.now + store.timings.cidr_listed,
    )
    fate = store.faults.fate(call.action)
    if isinstance(outcome, Failure):
        fate = fate or outcome
    elif fate is None or fate is HANG:
        row.network = outcome
        row.allocation_id = _taken_from_source(store, pool, outcome)
    store.cidrs[row.id] = row
    _end_later(store, row, fate, store.timings.provision, ("provisioned", "failed-provision"))
    return row


def _wanted(call: Call, pool: Pool) -> IPv4Network | int:
    if pool.family == "ipv6":
        raise NotImplementedError("ProvisionIpamPoolCidr in an IPv6 pool")
    cidr, length = call.params.get("Cidr"), netmask_length(call, "NetmaskLength")
    if (cidr is None) == (length is None):  # the code is unverified
        raise AwsError("InvalidParameterCombination", "The request must contain either a cidr or a netmask length")
    if cidr is not None:
        return parse(cidr)
    if pool.source_pool_id is None:  # the code is unverified
        raise invalid("NetmaskLength", length, "Only a pool that has a source pool can be given a netmask length.")
    assert length is not None
    return length


def _decide_provision(store: Store, pool: Pool, wanted: IPv4Network | int) -> IPv4Network | Failure:
    if sum(row.held for row in store.cidrs_of(pool)) >= store.quotas.cidrs_per_pool:
        return Failure("limit-exceeded", f"The pool is limited to {store.quotas.cidrs_per_pool} cidrs.")
    space, taken = _space_for(store, pool, wanted)
    return fit(wanted, space, taken) or Failure("cidr-not-available", "The CIDR is not available.")


def _space_for(
    store: Store, pool: Pool, wanted: IPv4Network | int
) -> tuple[Collection[IPv4Network], Collection[IPv4Network]]:
    """Return the space that the pool may take from, and what of it is taken.

    A child pool takes from the provisioned space of its source. A top-level pool may take any space that no top-level
    pool of the scope has: pools of one scope do not overlap.
    """
    if pool.source_pool_id is None:
        assert isinstance(wanted, IPv4Network)
        tops = {top.id for top in store.pools.values() if top.scope_id == pool.scope_id and top.source_pool_id is None}
        rows = [row for row in store.cidrs.values() if row.pool_id in tops and row.held and not _doomed(row)]
        return [wanted], [row.network for row in rows if row.network]
    source = store.pools[pool.source_pool_id]
    return provisioned_space(store, source), [allocation.network for allocation in store.allocations_from(source)]


def provisioned_space(store: Store, pool: Pool) -> list[IPv4Network]:
    """Return the space for allocations, without CIDRs that are pending or being deprovisioned."""
    return [row.network for row in store.cidrs_of(pool) if row.state == "provisioned" and row.network]


def _doomed(row: PoolCidr) -> bool:
    return row.state == "pending-provision" and row.failure is not None


def _taken_from_source(store: Store, pool: Pool, network: IPv4Network) -> str | None:
    """Take space from the source pool when the request is accepted, so that siblings cannot race for it."""
    if pool.source_pool_id is None:
        return None
    allocation = Allocation(
        id=store.ids.new("ipam-pool-alloc", 33),
        pool_id=pool.source_pool_id,
        network=network,
        resource_type="ipam-pool",
        resource_owner=pool.owner,
        made_at=store.agenda.now,
        resource_id=pool.id,
    )
    store.allocations[allocation.id] = allocation
    return allocation.id


def deprovision_ipam_pool_cidr(store: Store, call: Call) -> dict[str, Any]:
    pool = own_pool(store, call, call.params["IpamPoolId"])
    row = _row_of(store, pool, parse(call.params["Cidr"]))
    if row.state not in ("provisioned", "failed-deprovision"):
        raise incorrect_state(f"{row.network} of {pool.id}", row.state)
    if pool.in_progress:
        raise incorrect_state(pool.id, pool.state)
    require_unlocked(store, pool.scope_id, pool.source_pool_id)
    fate = store.faults.fate(call.action) or (STILL_IN_USE if in_use(store, pool, row) else None)
    row.state = "pending-deprovision"
    outcomes = ("deprovisioned", "failed-deprovision")
    _end_later(store, row, fate, store.timings.deprovision, outcomes, partial(_leave, store, row))
    return {"IpamPoolCidr": described(row)}


def _row_of(store: Store, pool: Pool, network: IPv4Network) -> PoolCidr:
    """Return the pool's row of this CIDR, even a deprovisioned one; a row that the pool still holds comes first."""
    rows = [row for row in store.cidrs_of(pool) if row.network == network]
    if not rows:  # the code is unverified
        raise invalid("Cidr", network, f"It is not a CIDR of {pool.id}.")
    return next((row for row in rows if row.held), rows[-1])


def in_use(store: Store, pool: Pool, row: PoolCidr) -> bool:
    """Return whether something is allocated. What was released counts until its space is free (unverified)."""
    assert row.network is not None
    return any(allocation.network.overlaps(row.network) for allocation in store.allocations_from(pool))


def _leave(store: Store, row: PoolCidr) -> None:
    """Return the space to the source pool; the row stays listed for a while."""
    store.allocations.pop(row.allocation_id or "", None)
    store.agenda.later(store.timings.deprovisioned_listed, partial(unlist, row))


def _end_later(
    store: Store,
    row: PoolCidr,
    fate: Failure | None,
    seconds: float,
    states: tuple[str, str],
    then: Callable[[], None] | None = None,
) -> None:
    """Set the row to the first state after some seconds, or to the second if it is to fail."""
    row.failure = fate if fate is not HANG else None
    if fate is not HANG:
        store.agenda.later(seconds, partial(_end, row, states[1] if fate else states[0], None if fate else then))


def _end(row: PoolCidr, state: str, then: Callable[[], None] | None) -> None:
    if not row.listed:  # deleted by hand meanwhile
        return
    row.state = state
    if then:
        then()


def get_ipam_pool_cidrs(store: Store, call: Call) -> dict[str, Any]:
    """Return the rows, without pool ids. A new CIDR appears with a delay; a deprovisioned one stays for a while."""
    pool = store.pools.get(call.params["IpamPoolId"])
    here = pool is not None and store.ipam_of(pool).region == call.caller.region
    if pool is None or not store.finds(pool) or not here or not may_use(pool, call):
        raise no_pool(call.params["IpamPoolId"])
    listed = [row for row in store.cidrs_of(pool) if row.listed and row.listed_from <= store.agenda.now]
    rows = filtered(call, "cidr ipam-pool-cidr-id", listed, _attributes)
    return page(call, rows, lambda row: row.id, described, "IpamPoolCidrs", store.page_size)


def _attributes(row: PoolCidr) -> Attributes:
    return {"cidr": str(row.network) if _shows_cidr(row) else None, "ipam-pool-cidr-id": row.id}


def described(row: PoolCidr) -> dict[str, Any]:
    answer = _named(row, _shows_cidr(row)) | {"State": row.state}
    if row.failure and (row.failure.shown_early or row.state.startswith("failed-")):
        answer["FailureReason"] = {"Code": row.failure.code, "Message": row.failure.message}
    return answer


def _shows_cidr(row: PoolCidr) -> bool:
    """Return whether the row shows its CIDR: one that IPAM chose does once it is provisioned."""
    return row.given or row.state not in ("pending-provision", "failed-provision")


def _named(row: PoolCidr, with_cidr: bool) -> dict[str, Any]:
    cidr = {"Cidr": str(row.network)} if with_cidr else {}
    return {**cidr, "IpamPoolCidrId": row.id, "NetmaskLength": row.netmask_length}
