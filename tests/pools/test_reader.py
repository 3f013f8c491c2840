"""A pool has no CIDRs and no allocations if it is gone, and not if AWS refuses to list them."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from ctipam.errors import POOL_NOT_FOUND
from ctipam.pools import reader
from ctipam.pools.existing import ExistingPool
from ctipam.pools.spec import PoolKey

POOL, REGION = "ipam-pool-0123456789abcdef0", "us-west-2"


@pytest.fixture
def aws() -> Iterator[Stubber]:
    with Stubber(boto3.client("ec2", REGION)) as stubber:
        yield stubber


@pytest.fixture
def account(aws: Stubber) -> Any:
    return SimpleNamespace(ec2=lambda _region=None: aws.client)


@pytest.mark.parametrize(
    ("read", "method"),
    [
        (lambda account: list(reader.read_blocks(account, POOL)), "get_ipam_pool_cidrs"),
        (lambda account: reader.read_allocations(account, POOL, REGION), "get_ipam_pool_allocations"),
    ],
    ids=["CIDRs", "allocations"],
)
def test_what_is_gone_is_no_error_and_any_other_refusal_is(aws: Stubber, account: Any, read: Any, method: str) -> None:
    aws.add_client_error(method, POOL_NOT_FOUND)
    aws.add_client_error(method, "RequestLimitExceeded")

    assert read(account) == []
    with pytest.raises(ClientError, match="RequestLimitExceeded"):
        read(account)


def test_the_allocations_of_a_region_that_is_forbidden_are_unknown_and_any_other_refusal_is_an_error(
    aws: Stubber, account: Any
) -> None:
    pool = ExistingPool(POOL, "", "create-complete", key=PoolKey(REGION, "Prod OU"))
    with ThreadPoolExecutor(1) as executor:
        pools = reader.PoolReader(account, frozenset(), "", executor)
        aws.add_client_error("get_ipam_pool_allocations", "UnauthorizedOperation")
        aws.add_client_error("get_ipam_pool_allocations", "RequestLimitExceeded")

        assert pools.read_allocations([pool]) == {}
        with pytest.raises(ClientError, match="RequestLimitExceeded"):
            pools.read_allocations([pool])
