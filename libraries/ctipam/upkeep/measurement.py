"""Measures how full the environment pools of a stack are. Called by a schedule."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from ctipam.errors import AwsFailed
from ctipam.phrases import numbered
from ctipam.pools.environment_pools import EnvironmentPool, environment_pools
from ctipam.pools.reader import read_allocations, read_blocks
from ctipam.sessions import Account
from ctipam.upkeep.utilization import Utilization, measure

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import IpamPoolTypeDef

CONCURRENT_POOLS = 10
"""EC2 lets 100 reads of a kind through at once, and then 20 a second.
https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html"""


def measure_pools(account: Account, stack_id: str, listed: Iterable[IpamPoolTypeDef]) -> Iterator[Utilization]:
    """Yield the use of each environment pool of a stack.

    listed   all pools of the account
    Raises AwsFailed, after all that could be measured, if some could not: trouble in one Region hides no other.
    """
    failures = []
    pools = [pool for pool in environment_pools(listed) if pool.stack_id == stack_id]
    with ThreadPoolExecutor(CONCURRENT_POOLS) as executor:
        results = list(executor.map(lambda pool: _attempt(account, pool), pools))
    for pool, result in zip(pools, results, strict=True):
        if isinstance(result, Exception):
            failures.append(f"{pool.environment} in {pool.region} ({pool.pool_id}): {result}")
        elif result:
            yield result
    if failures:
        raise AwsFailed(f"Could not measure {len(failures)} of {numbered(len(pools), 'pool')}: {'; '.join(failures)}")


def _attempt(account: Account, pool: EnvironmentPool) -> Utilization | ClientError | BotoCoreError | None:
    try:
        cidrs = [block.cidr for block in read_blocks(account, pool.pool_id) if block.state == "provisioned"]
        return measure(pool, cidrs, read_allocations(account, pool.pool_id, pool.region))
    except (ClientError, BotoCoreError) as error:
        return error
