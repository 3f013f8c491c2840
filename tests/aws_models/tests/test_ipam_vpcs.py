"""VPCs that take their address from a pool."""

from __future__ import annotations

from typing import Any

import pytest

from aws_models.errors import AwsError
from aws_models.ipam.bench import HOME, MEMBER, NETWORKING, STRANGER, WEST, Bench
from aws_models.organization import Caller


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.integrate()
    return bench


@pytest.fixture
def leaf(bench: Bench) -> str:
    """A pool of 10.0.0.0/16 in another Region than home, shared with a member."""
    return bench.share(bench.pool("10.0.0.0/16", Locale=WEST))


def vpc_tags(**tags: str) -> dict[str, Any]:
    pairs = [{"Key": key, "Value": value} for key, value in tags.items()]
    return {"TagSpecifications": [{"ResourceType": "vpc", "Tags": pairs}]}


def test_a_vpc_is_an_allocation_with_its_id_region_and_owner(bench: Bench, leaf: str) -> None:
    cidr = bench.make_vpc("vpc-1", WEST, MEMBER, Ipv4IpamPoolId=leaf, Ipv4NetmaskLength=24)
    bench.wait(1)

    (allocation,) = bench.allocations(leaf, WEST)

    del allocation["IpamPoolAllocationId"]
    assert cidr == "10.0.0.0/24"
    assert allocation == {
        "Cidr": "10.0.0.0/24",
        "ResourceType": "vpc",
        "ResourceId": "vpc-1",
        "ResourceRegion": WEST,
        "ResourceOwner": MEMBER,
    }


def test_vpcs_get_the_lowest_free_blocks(bench: Bench, leaf: str) -> None:
    lengths = (24, 20, 24)

    cidrs = [
        bench.make_vpc(f"vpc-{number}", WEST, Ipv4IpamPoolId=leaf, Ipv4NetmaskLength=length)
        for number, length in enumerate(lengths)
    ]

    assert cidrs == ["10.0.0.0/24", "10.0.16.0/20", "10.0.1.0/24"]


def test_a_vpc_may_name_its_block(bench: Bench, leaf: str) -> None:
    assert bench.make_vpc("vpc-1", WEST, Ipv4IpamPoolId=leaf, CidrBlock="10.0.8.0/24") == "10.0.8.0/24"


def test_a_vpc_may_rely_on_the_pools_default(bench: Bench) -> None:
    leaf = bench.pool("10.0.0.0/16", Locale=WEST, AllocationDefaultNetmaskLength=22)

    assert bench.make_vpc("vpc-1", WEST, Ipv4IpamPoolId=leaf) == "10.0.0.0/22"


@pytest.mark.parametrize(
    ("region", "account", "code"),
    [(HOME, MEMBER, "InvalidParameterValue"), (WEST, STRANGER, "InvalidIpamPoolId.NotFound")],
    ids=["not the pool's locale", "not shared with the account"],
)
def test_a_pool_that_is_not_for_this_caller_gives_no_vpc_an_address(
    bench: Bench, leaf: str, region: str, account: str, code: str
) -> None:
    with pytest.raises(AwsError) as refused:
        bench.make_vpc("vpc-1", region, account, Ipv4IpamPoolId=leaf, Ipv4NetmaskLength=24)

    assert refused.value.code == code


def test_a_pool_that_nobody_has_does_not_exist(bench: Bench) -> None:
    with pytest.raises(AwsError) as refused:
        bench.make_vpc("vpc-1", WEST, Ipv4IpamPoolId="ipam-pool-0123456789abcdef0", Ipv4NetmaskLength=24)

    assert refused.value.code == "InvalidIpamPoolId.NotFound"


@pytest.mark.parametrize("region", [HOME, WEST])
def test_no_vpc_can_draw_from_a_pool_without_a_locale(bench: Bench, region: str) -> None:
    pool_id = bench.pool("10.0.0.0/16")

    with pytest.raises(AwsError):
        bench.make_vpc("vpc-1", region, Ipv4IpamPoolId=pool_id, Ipv4NetmaskLength=24)

    assert bench.allocations(pool_id) == []


@pytest.mark.parametrize(
    "tags",
    [
        {},
        vpc_tags(),
        vpc_tags(Env="prod ou", Cost="1"),
        vpc_tags(Env="Prod OU"),
    ],
    ids=["none", "an empty list", "another value", "one of two"],
)
def test_a_vpc_without_all_required_tags_is_refused_in_awss_words(bench: Bench, tags: dict[str, Any]) -> None:
    required = [{"Key": "Env", "Value": "Prod OU"}, {"Key": "Cost", "Value": "1"}]
    leaf = bench.pool("10.0.0.0/16", Locale=WEST, AllocationResourceTags=required)

    with pytest.raises(AwsError) as refused:
        bench.make_vpc("vpc-1", WEST, Ipv4IpamPoolId=leaf, Ipv4NetmaskLength=24, **tags)

    words = "The resource is missing one or more of the resource tags required by the IPAM pool."
    assert (refused.value.status, refused.value.message) == (400, words)
    assert bench.allocations(leaf, WEST) == []


def test_a_vpc_may_have_more_tags_than_required(bench: Bench) -> None:
    leaf = bench.pool("10.0.0.0/16", Locale=WEST, AllocationResourceTags=[{"Key": "Env", "Value": "Prod OU"}])
    tags = vpc_tags(Env="Prod OU", Name="mine")

    assert bench.make_vpc("vpc-1", WEST, Ipv4IpamPoolId=leaf, Ipv4NetmaskLength=24, **tags)


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"Ipv4NetmaskLength": 15}, "InvalidParameterValue"),
        ({"Ipv4NetmaskLength": 29}, "InvalidParameterValue"),
        ({"CidrBlock": "10.0.0.0/29"}, "InvalidVpc.Range"),
        ({"CidrBlock": "10.1.0.0/24"}, "InvalidParameterValue"),
        ({"CidrBlock": "10.0.0.0/24", "Ipv4NetmaskLength": 24}, "InvalidParameterCombination"),
        ({}, "InvalidParameterCombination"),
    ],
    ids=["too large", "too small", "a block too small", "a block elsewhere", "both", "nothing, and no default"],
)
def test_a_vpc_that_cannot_be_is_refused(bench: Bench, leaf: str, asked: dict[str, Any], code: str) -> None:
    with pytest.raises(AwsError) as refused:
        bench.make_vpc("vpc-1", WEST, Ipv4IpamPoolId=leaf, **asked)

    assert refused.value.code == code


def test_a_vpc_larger_than_the_pool_allows_is_refused_in_awss_words(bench: Bench) -> None:
    leaf = bench.pool("10.0.0.0/16", Locale=WEST, AllocationMinNetmaskLength=22)

    with pytest.raises(AwsError) as refused:
        bench.make_vpc("vpc-1", WEST, Ipv4IpamPoolId=leaf, Ipv4NetmaskLength=21)

    expected = ("InvalidParameterValue", "The allocation size is too big for the pool.")
    assert (refused.value.code, refused.value.message) == expected


def test_an_exhausted_pool_says_so(bench: Bench, leaf: str) -> None:
    bench.make_vpc("vpc-1", WEST, Ipv4IpamPoolId=leaf, Ipv4NetmaskLength=16)

    with pytest.raises(AwsError) as refused:
        bench.make_vpc("vpc-2", WEST, Ipv4IpamPoolId=leaf, Ipv4NetmaskLength=28)

    assert refused.value.code == "InsufficientCidrBlocks"


def test_a_block_is_taken_but_not_listed_until_its_vpc_is_there(bench: Bench, leaf: str) -> None:
    wanted: dict[str, Any] = {"Ipv4IpamPoolId": leaf, "Ipv4NetmaskLength": 16}
    allocation = bench.model.allocate_vpc(wanted, Caller(MEMBER, WEST))
    assert bench.allocations(leaf, WEST) == []
    with pytest.raises(AwsError):
        bench.model.allocate_vpc(wanted, Caller(MEMBER, WEST))

    bench.model.vpc_refused(allocation)

    assert bench.make_vpc("vpc-1", WEST, **wanted) == "10.0.0.0/16"


def test_a_deleted_vpcs_block_stays_taken_for_half_an_hour(bench: Bench, leaf: str) -> None:
    wanted: dict[str, Any] = {"Ipv4IpamPoolId": leaf, "Ipv4NetmaskLength": 16}
    bench.make_vpc("vpc-1", WEST, **wanted)
    bench.model.vpc_deleted("vpc-1")
    bench.clock.advance(600)
    bench.model.vpc_deleted("vpc-1")  # EC2 may say it twice
    bench.clock.advance(1199)
    assert [allocation["ResourceId"] for allocation in bench.allocations(leaf, WEST)] == ["vpc-1"]
    with pytest.raises(AwsError):
        bench.make_vpc("vpc-2", WEST, **wanted)

    bench.clock.advance(1)

    assert bench.allocations(leaf, WEST) == []
    assert bench.make_vpc("vpc-2", WEST, **wanted) == "10.0.0.0/16"


def test_a_deleted_vpc_without_a_pool_is_nobodys_business(bench: Bench, leaf: str) -> None:
    bench.make_vpc("vpc-1", WEST, Ipv4IpamPoolId=leaf, Ipv4NetmaskLength=24)

    bench.model.vpc_deleted("vpc-2")
    bench.wait(3600)

    assert len(bench.allocations(leaf, WEST)) == 1


def test_a_vpc_keeps_its_address_when_the_pools_rules_change(bench: Bench, leaf: str) -> None:
    bench.make_vpc("vpc-1", WEST, Ipv4IpamPoolId=leaf, Ipv4NetmaskLength=24)
    required = [{"Key": "Env", "Value": "Prod OU"}]

    bench.ask("ModifyIpamPool", IpamPoolId=leaf, AllocationMaxNetmaskLength=20, AddAllocationResourceTags=required)
    bench.wait()

    assert len(bench.allocations(leaf, WEST)) == 1
    with pytest.raises(AwsError):
        bench.make_vpc("vpc-2", WEST, Ipv4IpamPoolId=leaf, Ipv4NetmaskLength=24)


def test_an_ipv6_pool_for_a_vpc_is_not_implemented(bench: Bench, leaf: str) -> None:
    with pytest.raises(NotImplementedError, match="Ipv6IpamPoolId"):
        bench.make_vpc("vpc-1", WEST, Ipv4IpamPoolId=leaf, Ipv6IpamPoolId="ipam-pool-0123456789abcdef0")


@pytest.mark.parametrize("action", ["CreateVpc", "AllocateIpamPoolCidr"])
def test_an_account_that_ipam_does_not_monitor_gets_no_addresses(action: str) -> None:
    """Nor if IPAM's account is only registered with Organizations."""
    bench = Bench()
    bench.organization.delegated_administrators["ipam.amazonaws.com"] = NETWORKING
    leaf = bench.share(bench.pool("10.0.0.0/16", Locale=WEST))

    def take(account: str) -> None:
        if action == "CreateVpc":
            bench.model.allocate_vpc({"Ipv4IpamPoolId": leaf, "Ipv4NetmaskLength": 24}, Caller(account, WEST))
        else:
            bench.ask(action, WEST, account, IpamPoolId=leaf, NetmaskLength=24)

    take(NETWORKING)
    with pytest.raises(AwsError) as refused:
        take(MEMBER)
    words = f"Account {MEMBER} is not monitored by IPAM {bench.ipam['IpamId']}."
    assert refused.value.code == "UnsupportedOperation"
    assert refused.value.message == f"The operation AllocateIpamPoolCidr is not supported. {words}"

    bench.integrate()
    take(MEMBER)
