"""Manual allocations, and the list of all allocations."""

from __future__ import annotations

from typing import Any

import pytest

from aws_models.errors import AwsError
from aws_models.ipam.bench import HOME, MEMBER, NETWORKING, STRANGER, WEST, Bench


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.integrate()
    return bench


@pytest.fixture
def leaf(bench: Bench) -> str:
    """A pool of 10.0.0.0/20 in another Region than home."""
    return bench.pool("10.0.0.0/20", Locale=WEST)


def allocate(
    bench: Bench, pool_id: str, region: str = WEST, account: str = NETWORKING, **params: Any
) -> dict[str, Any]:
    answer = bench.ask("AllocateIpamPoolCidr", region, account, IpamPoolId=pool_id, **params)
    allocation: dict[str, Any] = answer["IpamPoolAllocation"]
    return allocation


def release(bench: Bench, pool_id: str, allocation: dict[str, Any], account: str = NETWORKING) -> dict[str, Any]:
    named = {"Cidr": allocation["Cidr"], "IpamPoolAllocationId": allocation["IpamPoolAllocationId"]}
    return bench.ask("ReleaseIpamPoolAllocation", WEST, account, IpamPoolId=pool_id, **named)


def test_a_manual_allocation_is_custom_and_its_makers(bench: Bench, leaf: str) -> None:
    bench.share(leaf)

    allocation = allocate(bench, leaf, account=MEMBER, NetmaskLength=24, Description="data centre")

    assert allocation.pop("IpamPoolAllocationId").startswith("ipam-pool-alloc-")
    expected = {
        "Cidr": "10.0.0.0/24",
        "ResourceType": "custom",
        "ResourceOwner": MEMBER,
        "Description": "data centre",
    }
    assert allocation == expected


def test_allocations_never_overlap_and_a_named_one_is_respected(bench: Bench, leaf: str) -> None:
    allocate(bench, leaf, Cidr="10.0.1.0/24")

    assert [allocate(bench, leaf, NetmaskLength=24)["Cidr"] for _ in range(2)] == ["10.0.0.0/24", "10.0.2.0/24"]
    with pytest.raises(AwsError) as refused:
        allocate(bench, leaf, Cidr="10.0.1.128/25")
    assert refused.value.code == "InvalidParameterValue"


def test_a_named_block_must_be_inside_the_pool(bench: Bench, leaf: str) -> None:
    with pytest.raises(AwsError) as refused:
        allocate(bench, leaf, Cidr="10.0.16.0/24")

    assert refused.value.code == "InvalidParameterValue"


def test_an_exhausted_pool_says_so(bench: Bench, leaf: str) -> None:
    allocate(bench, leaf, NetmaskLength=20)

    with pytest.raises(AwsError) as refused:
        allocate(bench, leaf, NetmaskLength=32)

    assert refused.value.code == "InsufficientCidrBlocks"


def test_a_pool_under_modification_still_gives_and_one_that_is_being_deleted_does_not(bench: Bench, leaf: str) -> None:
    bench.ask("ModifyIpamPool", IpamPoolId=leaf, Description="x")
    assert allocate(bench, leaf, NetmaskLength=24)
    bench.wait()
    empty = bench.pool(Locale=WEST)
    bench.ask("DeleteIpamPool", IpamPoolId=empty)

    with pytest.raises(AwsError) as refused:
        allocate(bench, empty, NetmaskLength=24)

    assert refused.value.code == "IncorrectState"


def test_the_last_address_of_a_pool_can_be_had(bench: Bench) -> None:
    leaf = bench.pool("10.0.0.0/31", Locale=WEST)

    assert [allocate(bench, leaf, NetmaskLength=32)["Cidr"] for _ in range(2)] == ["10.0.0.0/32", "10.0.0.1/32"]


def test_a_pool_without_a_cidr_has_nothing_to_give(bench: Bench) -> None:
    with pytest.raises(AwsError) as refused:
        allocate(bench, bench.pool(Locale=WEST), NetmaskLength=28)

    assert refused.value.code == "InsufficientCidrBlocks"


def test_a_length_that_is_asked_for_goes_before_the_pools_default(bench: Bench) -> None:
    leaf = bench.pool("10.0.0.0/20", Locale=WEST, AllocationDefaultNetmaskLength=24)

    assert allocate(bench, leaf)["Cidr"] == "10.0.0.0/24"
    assert allocate(bench, leaf, NetmaskLength=26)["Cidr"] == "10.0.1.0/26"


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({}, "InvalidParameterCombination"),
        ({"Cidr": "10.0.0.0/24", "NetmaskLength": 24}, "InvalidParameterCombination"),
        ({"Cidr": "10.0.0.1/24"}, "InvalidParameterValue"),
    ],
    ids=["nothing", "both", "host bits"],
)
def test_an_allocation_without_sense_is_refused(bench: Bench, leaf: str, asked: dict[str, Any], code: str) -> None:
    with pytest.raises(AwsError) as refused:
        allocate(bench, leaf, **asked)

    assert refused.value.code == code


@pytest.mark.parametrize(
    ("length", "words"),
    [(22, "The allocation size is too big for the pool."), (27, "The allocation size is too small for the pool.")],
    ids=["too big", "too small"],
)
def test_the_pools_rules_bound_the_size(bench: Bench, length: int, words: str) -> None:
    leaf = bench.pool("10.0.0.0/20", Locale=WEST, AllocationMinNetmaskLength=23, AllocationMaxNetmaskLength=26)
    for fine in (23, 26):
        allocate(bench, leaf, NetmaskLength=fine)

    with pytest.raises(AwsError) as refused:
        allocate(bench, leaf, NetmaskLength=length)

    assert (refused.value.code, refused.value.message) == ("InvalidParameterValue", words)


def test_rules_are_for_resources_and_not_for_child_pools(bench: Bench) -> None:
    top = bench.pool("10.0.0.0/16", AllocationMinNetmaskLength=24)
    child = bench.pool("10.0.0.0/20", SourceIpamPoolId=top)

    assert bench.cidr(child)["State"] == "provisioned"
    assert "AllocationMinNetmaskLength" not in bench.ask("DescribeIpamPools", IpamPoolIds=[child])["IpamPools"][0]


def test_children_and_allocations_do_not_overlap(bench: Bench) -> None:
    top = bench.pool("10.0.0.0/16")
    allocate(bench, top, HOME, Cidr="10.0.0.0/24")
    child = bench.pool(SourceIpamPoolId=top)
    bench.provision(child, NetmaskLength=24)
    bench.wait()

    assert bench.cidr(child)["Cidr"] == "10.0.1.0/24"


def test_a_released_allocation_is_gone_at_once_and_its_space_minutes_later(bench: Bench, leaf: str) -> None:
    allocation = allocate(bench, leaf, NetmaskLength=24)

    assert release(bench, leaf, allocation) == {"Success": True}

    assert bench.allocations(leaf, WEST) == []
    assert allocate(bench, leaf, NetmaskLength=24)["Cidr"] == "10.0.1.0/24"
    bench.wait(120)
    assert allocate(bench, leaf, NetmaskLength=24)["Cidr"] == "10.0.0.0/24"


def test_a_released_allocation_keeps_the_cidr_until_its_space_is_free(bench: Bench, leaf: str) -> None:
    release(bench, leaf, allocate(bench, leaf, NetmaskLength=24))
    for pause, state in ((0, "failed-deprovision"), (105, "deprovisioned")):
        bench.wait(pause)
        bench.deprovision(leaf, "10.0.0.0/20")
        bench.wait()
        assert bench.cidr(leaf)["State"] == state


def test_an_allocation_is_released_once(bench: Bench, leaf: str) -> None:
    allocation = allocate(bench, leaf, NetmaskLength=24)
    release(bench, leaf, allocation)

    with pytest.raises(AwsError) as refused:
        release(bench, leaf, allocation)

    assert refused.value.code == "InvalidIpamPoolAllocationId.NotFound"


def test_a_release_names_the_right_pool(bench: Bench, leaf: str) -> None:
    other = bench.pool("172.16.0.0/20", Locale=WEST)

    with pytest.raises(AwsError) as refused:
        release(bench, other, allocate(bench, leaf, NetmaskLength=24))

    assert refused.value.code == "InvalidIpamPoolAllocationId.NotFound"


def test_a_release_names_the_right_cidr(bench: Bench, leaf: str) -> None:
    allocation = allocate(bench, leaf, NetmaskLength=24)

    with pytest.raises(AwsError) as refused:
        release(bench, leaf, allocation | {"Cidr": "10.0.1.0/24"})

    assert refused.value.code == "InvalidParameterValue"


def test_a_vpcs_allocation_cannot_be_released_by_hand(bench: Bench, leaf: str) -> None:
    bench.make_vpc("vpc-1", WEST, Ipv4IpamPoolId=leaf, Ipv4NetmaskLength=24)
    bench.wait(1)
    (allocation,) = bench.allocations(leaf, WEST)

    with pytest.raises(AwsError) as refused:
        release(bench, leaf, allocation)

    assert refused.value.code == "InvalidParameterValue"


def test_a_member_cannot_release_what_is_anothers(bench: Bench, leaf: str) -> None:
    bench.share(leaf)
    allocation = allocate(bench, leaf, NetmaskLength=24)

    with pytest.raises(AwsError) as refused:
        release(bench, leaf, allocation, account=MEMBER)

    assert refused.value.code == "InvalidIpamPoolAllocationId.NotFound"


def test_whoever_may_use_the_pool_sees_all_its_allocations(bench: Bench, leaf: str) -> None:
    bench.share(leaf)
    allocate(bench, leaf, NetmaskLength=24)
    allocate(bench, leaf, account=MEMBER, NetmaskLength=24)
    bench.wait()

    for account in (NETWORKING, MEMBER):
        assert len(bench.allocations(leaf, WEST, account)) == 2
    with pytest.raises(AwsError) as refused:
        bench.allocations(leaf, WEST, STRANGER)
    assert refused.value.code == "InvalidIpamPoolId.NotFound"


def test_a_released_allocation_stays_in_the_list_for_a_moment(bench: Bench, leaf: str) -> None:
    allocation = allocate(bench, leaf, NetmaskLength=24)
    bench.wait(1)
    release(bench, leaf, allocation)
    assert len(bench.allocations(leaf, WEST)) == 1

    bench.wait(1)

    assert bench.allocations(leaf, WEST) == []


@pytest.mark.parametrize("reader", [NETWORKING, MEMBER])
def test_a_fresh_allocation_is_missing_from_the_list_at_first(bench: Bench, leaf: str, reader: str) -> None:
    bench.share(leaf)
    allocation_id = allocate(bench, leaf, account=MEMBER, NetmaskLength=24)["IpamPoolAllocationId"]
    named = {"IpamPoolId": leaf, "IpamPoolAllocationId": allocation_id}
    with pytest.raises(AwsError) as refused:
        bench.ask("GetIpamPoolAllocations", WEST, reader, **named)
    assert refused.value.code == "InvalidIpamPoolAllocationId.NotFound"

    bench.wait(1)

    assert len(bench.ask("GetIpamPoolAllocations", WEST, reader, **named)["IpamPoolAllocations"]) == 1


def test_a_manual_allocation_has_the_tags_and_the_description_that_it_was_made_with(bench: Bench, leaf: str) -> None:
    tags = [{"Key": "Name", "Value": "office"}]
    allocate(
        bench,
        leaf,
        Cidr="10.0.0.0/24",
        Description="The office",
        TagSpecifications=[{"ResourceType": "ipam-pool-allocation", "Tags": tags}],
    )
    bench.wait(1)

    (allocation,) = bench.allocations(leaf, WEST)

    assert (allocation["Tags"], allocation["Description"]) == (tags, "The office")


@pytest.mark.parametrize(
    "params",
    [
        {"PreviewNextCidr": True},
        {"AllowedCidrs": ["10.0.0.0/24"]},
        {"DisallowedCidrs": ["10.0.0.0/24"]},
    ],
    ids=lambda params: next(iter(params)),
)
def test_what_is_not_modeled_is_not_implemented(bench: Bench, leaf: str, params: dict[str, Any]) -> None:
    with pytest.raises(NotImplementedError, match=next(iter(params))):
        allocate(bench, leaf, NetmaskLength=24, **params)
