"""Measures how full the environment pools of a stack are. Called by a schedule."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from botocore.exceptions import BotoCoreError, ClientError

from ctipam import names
from ctipam.errors import AwsFailed
from ctipam.pools.reader import list_pools, read_allocations, read_blocks, stack_of
from ctipam.pools.utilization import EnvironmentPool, Utilization, measure
from ctipam.sessions import Account
from ctipam.tags import to_dict

CONCURRENT_POOLS = 10
"""EC2 lets 100 reads of a kind through at once, and then 20 a second.
https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html"""


def measure_pools(account: Account, stack_id: str) -> Iterator[Utilization]:
    """Yield the use of each environment pool of a stack.

    Raises AwsFailed, after all that could be measured, if some could not: trouble in one Region hides no other.
    """
    failures = []
    pools = _environment_pools(account, stack_id)
    with ThreadPoolExecutor(CONCURRENT_POOLS) as executor:
        measured = [(pool, executor.submit(_measure, account, pool)) for pool in pools]
    for pool, future in measured:
        try:
            utilization = future.result()
        except (ClientError, BotoCoreError) as error:
            failures.append(f"{pool.environment} in {pool.region} ({pool.pool_id}): {error}")
            continue
        if utilization:
            yield utilization
    if failures:
        raise AwsFailed(f"Not measured, {len(failures)} of {len(pools)} pools: {'; '.join(failures)}")


def _measure(account: Account, pool: EnvironmentPool) -> Utilization | None:
    cidrs = [block.cidr for block in read_blocks(account, pool.pool_id) if block.state == "provisioned"]
    return measure(pool, cidrs, read_allocations(account, pool.pool_id, pool.region))


def _environment_pools(account: Account, stack_id: str) -> list[EnvironmentPool]:
    found = []
    for pool in list_pools(account):
        environment = to_dict(pool.get("Tags", [])).get(names.POOL_ENVIRONMENT_TAG)
        if environment and stack_of(pool) == stack_id:
            found.append(EnvironmentPool(pool["IpamPoolId"], environment, pool["Locale"]))
    return found
