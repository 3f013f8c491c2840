"""A pool has no CIDRs and no allocations if it is gone, and not if AWS refuses to list them."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Network
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from ctipam import names
from ctipam.errors import POOL_NOT_FOUND
from ctipam.pools import reader, record
from ctipam.pools.existing import Block, ExistingPool
from ctipam.pools.listing import list_pools
from ctipam.pools.spec import TOP_LEVEL, PoolKey, VpcSizes

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


def test_pools_that_others_share_with_the_account_are_not_its_own(aws: Stubber) -> None:
    pools = [
        {"IpamPoolId": f"ipam-pool-{owner[0]}", "OwnerId": owner, "State": "create-complete", "Tags": [{"Key": "a"}]}
        for owner in ("222222222222", "333333333333")
    ]
    aws.add_response("describe_ipam_pools", {"IpamPools": pools})
    account: Any = SimpleNamespace(ec2=lambda: aws.client, account_id="222222222222")

    assert [pool["IpamPoolId"] for pool in list_pools(account)] == ["ipam-pool-2"]


def test_a_cidr_that_somebody_requested_by_its_size_is_known_once_aws_has_chosen_it(aws: Stubber, account: Any) -> None:
    rows = [{"State": "pending-provision", "NetmaskLength": 20}, {"State": "provisioned", "Cidr": "10.0.0.0/20"}]
    aws.add_response("get_ipam_pool_cidrs", {"IpamPoolCidrs": rows})

    assert list(reader.read_blocks(account, POOL)) == [Block(IPv4Network("10.0.0.0/20"), "provisioned")]


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


@pytest.mark.parametrize("lacking", ["Default", "Min", "Max", ""])
def test_a_pool_that_lacks_one_of_the_three_rules_for_vpcs_has_not_ours(lacking: str) -> None:
    sizes = {"Default": 24, "Min": 16, "Max": 28}
    rules = {f"Allocation{name}NetmaskLength": size for name, size in sizes.items() if name != lacking}
    row: Any = {"IpamPoolId": POOL, "State": "create-complete", "Locale": REGION} | rules

    assert reader.as_listed(row, ours=True).vpc_sizes == (None if lacking else VpcSizes(24, 16, 28))


@pytest.mark.parametrize(
    ("locale", "key"), [(REGION, PoolKey(REGION, "Prod OU")), ("None", TOP_LEVEL)], ids=["of a Region", "of none"]
)
def test_only_a_pool_of_a_region_is_an_environments(locale: str, key: PoolKey) -> None:
    tags = [{"Key": names.POOL_ENVIRONMENT_TAG, "Value": "Prod OU"}]
    row: Any = {"IpamPoolId": POOL, "State": "create-complete", "Locale": locale, "Tags": tags}

    assert reader.as_listed(row, ours=True).key == key
    assert reader.as_listed(row, ours=False).key is None


PARENT, CHILD = "ipam-pool-00000000000000001", "ipam-pool-00000000000000002"
HELD, COMING = IPv4Network("10.0.0.0/21"), IPv4Network("10.0.8.0/21")


@pytest.mark.parametrize(
    ("child", "coming"),
    [
        ({"tags": {names.BLOCK_TAG: record.EVERYTHING}}, True),
        ({}, True),
        ({"blocks": (Block(HELD, "provisioned"),)}, False),
        ({"blocks": (Block(HELD, "provisioned"),), "tags": {names.BLOCK_TAG: f"{HELD} +{COMING}"}}, True),
        ({"blocks": (Block(HELD, "provisioned"),), "tags": {names.BLOCK_TAG: record.EVERYTHING}}, True),
        ({"state": "delete-in-progress"}, False),
        ({"blocks": (Block(COMING, "deprovisioned"),)}, False),
        ({"blocks": (Block(COMING, "failed-provision"),)}, True),
        ({"key": None}, False),
    ],
    ids=[
        "new",
        "without a record",
        "by hand",
        "recorded",
        "new with a CIDR",
        "deleted",
        "given back",
        "asked for again",
        "of others",
    ],
)
def test_a_cidr_that_only_the_parent_lists_yet_is_coming_if_this_solution_asked_for_it(
    aws: Stubber, account: Any, child: dict[str, Any], coming: bool
) -> None:
    region = PoolKey(REGION)
    parent = ExistingPool(PARENT, "", "create-complete", region, (Block(IPv4Network("10.0.0.0/20"), "provisioned"),))
    made: dict[str, Any] = {"state": "create-complete", "key": PoolKey(REGION, "Prod OU")}
    listed = ExistingPool(CHILD, PARENT, **(made | child))
    row = {"Cidr": str(COMING), "IpamPoolAllocationId": "1", "ResourceType": "ipam-pool", "ResourceId": CHILD}
    aws.add_response("get_ipam_pool_allocations", {"IpamPoolAllocations": [row]})
    allocated: dict[str, Any] = {}
    with ThreadPoolExecutor(1) as executor:
        pools = reader.PoolReader(account, frozenset(), "", executor)

        occupied, found = pools.read_occupied([parent, listed], [PARENT, "unknown"], allocated)

    by_id = {pool.pool_id: pool for pool in found}
    assert (Block(COMING, "pending-provision") in by_id[CHILD].blocks) is coming
    assert {parent_id: set(cidrs) for parent_id, cidrs in occupied.items()} == {
        PARENT: {COMING, *(block.cidr for block in listed.held)}
    }
    assert (PARENT in allocated) is not coming, "what is coming is read again"


def test_what_our_pools_hold_is_not_remembered_as_allocated_because_they_may_give_it_back(
    aws: Stubber, account: Any
) -> None:
    region = PoolKey(REGION)
    parent = ExistingPool(PARENT, "", "create-complete", region, (Block(IPv4Network("10.0.0.0/20"), "provisioned"),))
    child = ExistingPool(
        CHILD, PARENT, "create-complete", PoolKey(REGION, "Prod OU"), (Block(HELD, "provisioned", "cidr-1"),)
    )
    ours = {"Cidr": str(HELD), "IpamPoolAllocationId": "1", "ResourceType": "ipam-pool", "ResourceId": CHILD}
    by_hand = {"Cidr": str(COMING), "IpamPoolAllocationId": "2", "ResourceType": "custom"}
    aws.add_response("get_ipam_pool_allocations", {"IpamPoolAllocations": [ours, by_hand]})
    allocated: dict[str, Any] = {}
    with ThreadPoolExecutor(1) as executor:
        reader.PoolReader(account, frozenset(), "", executor).read_occupied([parent, child], [PARENT], allocated)

    assert allocated == {PARENT: [COMING]}
