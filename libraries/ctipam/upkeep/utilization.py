"""How full each environment pool is, and the log line from which CloudWatch makes a metric.

Use is computed from allocations. IPAM's own metrics name a pool by its id, and whether they count to 1 or to 100 is not
documented; these name the environment and the Region. The fields of a line, see `metrics`:

    {"Environment": "Prod OU", "Region": "us-west-2", "PercentUsed": 12.5, "Vpcs": 1, "AddressesUsed": 256,
     "AddressesFree": 1792, "Blocks": 1, "LargestAccounts": "012345678901: 256"}

Only PercentUsed is a metric, because each metric of each pool is billed by the month. The dashboard reads the rest from
the lines. The Regions' pools are left out: they are carved into environment pools, so they are full by design.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network

from ctipam.metrics import dimension_value, emf_line
from ctipam.pools.environment_pools import EnvironmentPool
from ctipam.pools.existing import Allocation

METRIC = "PercentUsed"
DIMENSIONS = ("Environment", "Region")

LARGEST = 3
"""How many accounts are named as those that fill a pool."""


@dataclass(frozen=True)
class Utilization:
    """How many addresses a pool has in how many blocks, how many of them are allocated, and to how many VPCs.

    by_account   how many addresses each account has
    """

    pool: EnvironmentPool
    addresses: int
    used: int
    vpcs: int
    blocks: int = 1
    by_account: Mapping[str, int] = field(default_factory=dict)

    @property
    def percent_used(self) -> float:
        return percent(self.used, self.addresses)


def percent(used: int, addresses: int) -> float:
    """Return how much of the addresses is used, with two decimals: 0 only if nothing is, and 100 only if all are."""
    rounded = round(100 * used / addresses, 2)
    return min(max(rounded, 0.01), 99.99) if 0 < used < addresses else rounded


def measure(
    pool: EnvironmentPool, cidrs: Iterable[IPv4Network], allocations: Iterable[Allocation]
) -> Utilization | None:
    """Return the use of a pool; None for a pool that has no CIDR yet. Whatever is allocated is used, also by hand.

    cidrs   those from which VPCs are taken. What is allocated from others, which are being given back, does not count.
    """
    blocks = list(cidrs)
    if not blocks:
        return None
    allocated = _apart(one for one in allocations if any(one.cidr.overlaps(block) for block in blocks))
    by_account = addresses_by_account(allocated)
    return Utilization(
        pool=pool,
        addresses=sum(block.num_addresses for block in blocks),
        used=by_account.total(),
        # a VPC with a second CIDR is one VPC
        vpcs=len({allocation.resource_id for allocation in allocated if allocation.resource_type == "vpc"}),
        blocks=len(blocks),
        by_account=by_account,
    )


def _apart(allocations: Iterable[Allocation]) -> list[Allocation]:
    """Return the allocations without those that are inside another, such as the pool from which a VPC's subnets are
    taken: each address counts once, and as the VPC's."""
    found: list[Allocation] = []
    for one in sorted(allocations, key=lambda one: (one.cidr, one.resource_type != "vpc")):
        if not found or not one.cidr.subnet_of(found[-1].cidr):
            found.append(one)
    return found


def addresses_by_account(allocations: Iterable[Allocation]) -> Counter[str]:
    """Return how many addresses each account has, each address counted once."""
    addresses = Counter[str]()
    for allocation in _apart(allocations):
        addresses[allocation.owner] += allocation.cidr.num_addresses
    return addresses


def addresses_used(allocations: Iterable[Allocation]) -> int:
    """Return how many addresses are allocated, each counted once."""
    return addresses_by_account(allocations).total()


def metric_line(utilization: Utilization, at_s: float) -> str:
    """Return the line for CloudWatch. at_s: when it was measured, in seconds since 1970."""
    largest = Counter(utilization.by_account).most_common(LARGEST)
    fields = {
        "Environment": dimension_value(utilization.pool.environment),
        "Region": utilization.pool.region,
        METRIC: utilization.percent_used,
        "Vpcs": utilization.vpcs,
        "AddressesUsed": utilization.used,
        "AddressesFree": utilization.addresses - utilization.used,
        "Blocks": utilization.blocks,
        "LargestAccounts": ", ".join(f"{owner}: {count}" for owner, count in largest),
    }
    return emf_line(fields, METRIC, "Percent", DIMENSIONS, at_s)
