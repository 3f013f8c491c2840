"""How full each environment pool is, measured from what is allocated, as log lines of which CloudWatch makes a metric.

IPAM's own metrics name a pool by its id, and whether they count to 1 or to 100 is not documented. These name the
environment and the Region. A line, in the embedded metric format, here on several:

    {"_aws": {"Timestamp": 1700000000000,
              "CloudWatchMetrics": [{"Namespace": "IpamControlTower", "Dimensions": [["Environment", "Region"]],
                                     "Metrics": [{"Name": "PercentUsed", "Unit": "Percent"}]}]},
     "Environment": "Prod OU", "Region": "us-west-2", "PercentUsed": 12.5, "Vpcs": 1, "AddressesFree": 1792}

PercentUsed alone is a metric: each metric of each pool is paid for by the month. The dashboard reads the rest from the
lines. The pools of the Regions are left out: they are carved into environment pools, so they are full by design.

Source  https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import IPv4Network

from botocore.exceptions import BotoCoreError, ClientError

from ctipam import names
from ctipam.errors import AwsFailed
from ctipam.pools import reader
from ctipam.pools.existing import Allocation
from ctipam.sessions import Account
from ctipam.tags import to_dict

NAMESPACE = "IpamControlTower"
METRIC = "PercentUsed"
DIMENSIONS = ("Environment", "Region")
WORKERS = 10
"""Pools asked about at a time. EC2 lets 100 reads of a kind through at once, and then 20 a second.
https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html"""


@dataclass(frozen=True)
class EnvironmentPool:
    pool_id: str
    environment: str
    region: str


@dataclass(frozen=True)
class Utilization:
    """Of one pool: how many addresses it has, how many of them are allocated, and to how many VPCs."""

    pool: EnvironmentPool
    addresses: int
    used: int
    vpcs: int

    @property
    def percent_used(self) -> float:
        return round(100 * self.used / self.addresses, 2)


def measure(
    pool: EnvironmentPool, cidrs: Iterable[IPv4Network], allocations: Iterable[Allocation]
) -> Utilization | None:
    """Everything allocated is used, a block that somebody reserved too. None for a pool that has no block (yet)."""
    addresses = sum(cidr.num_addresses for cidr in cidrs)
    if not addresses:
        return None
    allocated = list(allocations)
    return Utilization(
        pool=pool,
        addresses=addresses,
        used=sum(allocation.cidr.num_addresses for allocation in allocated),
        # A VPC with a second block is one VPC
        vpcs=len({allocation.resource_id for allocation in allocated if allocation.resource_type == "vpc"}),
    )


def metric_line(utilisation: Utilization, at_s: float) -> str:
    """The line for CloudWatch, measured at_s seconds after 1970."""
    pool = utilisation.pool
    directive = {
        "Namespace": NAMESPACE,
        "Dimensions": [list(DIMENSIONS)],
        "Metrics": [{"Name": METRIC, "Unit": "Percent"}],
    }
    return json.dumps(
        {
            "_aws": {"Timestamp": int(at_s * 1000), "CloudWatchMetrics": [directive]},
            # CloudWatch takes ASCII only, and an OU may be called otherwise.
            # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_Dimension.html
            "Environment": pool.environment.encode("ascii", "backslashreplace").decode(),
            "Region": pool.region,
            METRIC: utilisation.percent_used,
            "Vpcs": utilisation.vpcs,
            "AddressesFree": utilisation.addresses - utilisation.used,
        }
    )


def find(account: Account, stack_id: str) -> Iterator[Utilization]:
    """The environment pools of a stack.

    Raises AwsFailed, after all that could be measured, if some could not: trouble in one Region hides no other.
    """
    failures = []
    pools = find_environment_pools(account, stack_id)
    with ThreadPoolExecutor(WORKERS) as workers:
        measured = [(pool, workers.submit(_measure, account, pool)) for pool in pools]
    for pool, future in measured:
        try:
            utilisation = future.result()
        except (ClientError, BotoCoreError) as error:
            failures.append(f"{pool.environment} in {pool.region} ({pool.pool_id}): {error}")
            continue
        if utilisation:
            yield utilisation
    if failures:
        raise AwsFailed(f"Not measured, {len(failures)} of {len(pools)} pools: {'; '.join(failures)}")


def _measure(account: Account, pool: EnvironmentPool) -> Utilization | None:
    blocks = reader.find_blocks(account, pool.pool_id)
    cidrs = [block.cidr for block in blocks if block.state == "provisioned"]
    return measure(pool, cidrs, reader.find_allocations(account, pool.pool_id, pool.region))


def find_environment_pools(account: Account, stack_id: str) -> list[EnvironmentPool]:
    found = []
    for pool in reader.list_pools(account):
        tags = to_dict(pool.get("Tags", []))
        if tags.get(names.STACK_TAG) == stack_id and names.POOL_ENVIRONMENT_TAG in tags:
            found.append(EnvironmentPool(pool["IpamPoolId"], tags[names.POOL_ENVIRONMENT_TAG], pool["Locale"]))
    return found
