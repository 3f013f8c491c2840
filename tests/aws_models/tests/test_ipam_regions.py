"""What each account can see and do through each Region's endpoint."""

from __future__ import annotations

import pytest

from aws_models.errors import AwsError
from aws_models.ipam.bench import ELSEWHERE, HOME, MEMBER, NETWORKING, STRANGER, WEST, Bench


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def pools(bench: Bench) -> dict[str, str]:
    """A top pool without a locale, and one below it in the other operating Region."""
    top = bench.pool("10.0.0.0/8")
    tags = {
        "TagSpecifications": [{"ResourceType": "ipam-pool", "Tags": [{"Key": "Name", "Value": "west"}]}],
        "AllocationResourceTags": [{"Key": "Env", "Value": "Prod OU"}],
    }
    return {"top": top, "west": bench.pool("10.0.0.0/16", SourceIpamPoolId=top, Locale=WEST, **tags)}


def seen(bench: Bench, region: str, account: str) -> set[str]:
    return {pool["IpamPoolId"] for pool in bench.all("DescribeIpamPools", "IpamPools", region, account)}


ADMINISTRATION = {
    "ModifyIpam": {"IpamId": "ipam", "Description": "x"},
    "DeleteIpam": {"IpamId": "ipam"},
    "CreateIpamScope": {"IpamId": "ipam"},
    "DeleteIpamScope": {"IpamScopeId": "scope"},
    "CreateIpamPool": {"IpamScopeId": "scope", "AddressFamily": "ipv4"},
    "ModifyIpamPool": {"IpamPoolId": "west", "Description": "x"},
    "DeleteIpamPool": {"IpamPoolId": "west"},
    "ProvisionIpamPoolCidr": {"IpamPoolId": "west", "Cidr": "10.1.0.0/16"},
    "DeprovisionIpamPoolCidr": {"IpamPoolId": "west", "Cidr": "10.0.0.0/16"},
    "GetIpamPoolCidrs": {"IpamPoolId": "west"},
}


@pytest.mark.parametrize(("region", "account"), [(WEST, NETWORKING), (HOME, STRANGER)], ids=["elsewhere", "another's"])
@pytest.mark.parametrize("action", ADMINISTRATION)
def test_administration_is_the_owners_in_the_home_region_only(
    bench: Bench, pools: dict[str, str], action: str, region: str, account: str
) -> None:
    known = pools | {"ipam": bench.ipam["IpamId"], "scope": bench.scope}
    params = {member: known.get(value, value) for member, value in ADMINISTRATION[action].items()}

    with pytest.raises(AwsError, match="does not exist") as refused:
        bench.ask(action, region, account, **params)

    assert refused.value.code.endswith(".NotFound")


def test_ipams_and_scopes_are_listed_in_their_home_region_only(bench: Bench) -> None:
    assert bench.ask("DescribeIpams", WEST)["Ipams"] == []
    assert bench.ask("DescribeIpamScopes", WEST)["IpamScopes"] == []


@pytest.mark.parametrize(("name", "right"), [("top", HOME), ("west", WEST)])
@pytest.mark.parametrize("action", ["GetIpamPoolAllocations", "AllocateIpamPoolCidr", "ReleaseIpamPoolAllocation"])
def test_allocations_are_made_and_read_in_the_pools_locale_or_else_at_home(
    bench: Bench, pools: dict[str, str], action: str, name: str, right: str
) -> None:
    ids = {"IpamPoolId": pools[name]}
    allocation = bench.ask("AllocateIpamPoolCidr", right, **ids, NetmaskLength=24)["IpamPoolAllocation"]
    params = {
        "GetIpamPoolAllocations": {},
        "AllocateIpamPoolCidr": {"NetmaskLength": 24},
        "ReleaseIpamPoolAllocation": {member: allocation[member] for member in ("Cidr", "IpamPoolAllocationId")},
    }[action]

    for wrong in {HOME, WEST, ELSEWHERE} - {right}:
        with pytest.raises(AwsError, match=f"The pool {pools[name]} is not in the current region {wrong}.") as refused:
            bench.ask(action, wrong, **ids, **params)
        assert refused.value.code == "InvalidParameterValue"
    bench.ask(action, right, **ids, **params)


def test_the_owner_sees_all_pools_at_home_and_elsewhere_those_of_the_place(bench: Bench, pools: dict[str, str]) -> None:
    assert seen(bench, HOME, NETWORKING) == set(pools.values())
    assert seen(bench, WEST, NETWORKING) == {pools["west"]}
    assert seen(bench, ELSEWHERE, NETWORKING) == set()


def test_a_member_sees_what_is_shared_with_it(bench: Bench, pools: dict[str, str]) -> None:
    assert seen(bench, WEST, MEMBER) == set()

    bench.share(pools["west"])

    assert seen(bench, WEST, MEMBER) == {pools["west"]}
    assert seen(bench, HOME, MEMBER) == {pools["west"]}
    assert seen(bench, ELSEWHERE, MEMBER) == set()
    assert seen(bench, WEST, STRANGER) == set()


def test_a_pool_that_cannot_be_seen_is_not_found(bench: Bench, pools: dict[str, str]) -> None:
    for region, account in ((WEST, NETWORKING), (HOME, MEMBER)):
        with pytest.raises(AwsError) as refused:
            bench.ask("DescribeIpamPools", region, account, IpamPoolIds=[pools["top"]])
        assert refused.value.code == "InvalidIpamPoolId.NotFound"


def test_a_member_sees_neither_tags_nor_required_tags_and_whose_pool_it_is(bench: Bench, pools: dict[str, str]) -> None:
    bench.share(pools["west"])

    (pool,) = bench.ask("DescribeIpamPools", WEST, MEMBER)["IpamPools"]

    assert not pool.keys() & {"Tags", "AllocationResourceTags"}
    assert pool["OwnerId"] == NETWORKING
    wish = {"Filters": [{"Name": "tag:Name", "Values": ["west"]}]}
    assert bench.ask("DescribeIpamPools", WEST, MEMBER, **wish)["IpamPools"] == []
    assert len(bench.ask("DescribeIpamPools", WEST, NETWORKING, **wish)["IpamPools"]) == 1


def test_a_member_draws_from_a_shared_pool_and_reads_its_cidrs_at_home(bench: Bench, pools: dict[str, str]) -> None:
    bench.integrate()
    bench.share(pools["west"])

    assert bench.ask("AllocateIpamPoolCidr", WEST, MEMBER, IpamPoolId=pools["west"], NetmaskLength=24)
    assert len(bench.ask("GetIpamPoolCidrs", HOME, MEMBER, IpamPoolId=pools["west"])["IpamPoolCidrs"]) == 1


def test_a_member_does_not_administer_what_is_shared_with_it(bench: Bench, pools: dict[str, str]) -> None:
    bench.share(pools["west"])

    with pytest.raises(AwsError) as refused:
        bench.ask("DeprovisionIpamPoolCidr", HOME, MEMBER, IpamPoolId=pools["west"], Cidr="10.0.0.0/16")

    assert refused.value.code == "InvalidIpamPoolId.NotFound"
