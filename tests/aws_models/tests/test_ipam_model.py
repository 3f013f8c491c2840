"""The model as a whole: tags, ids, the clock, threads."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from aws_models.errors import AwsError
from aws_models.ipam import IpamModel, Timings
from aws_models.ipam.bench import HOME, MEMBER, NETWORKING, WEST, Bench
from aws_models.organization import Caller

OWNER = Caller(NETWORKING, HOME)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def tags(bench: Bench, pool_id: str) -> dict[str, str]:
    listed = bench.ask("DescribeIpamPools", IpamPoolIds=[pool_id])["IpamPools"][0]["Tags"]
    return {tag["Key"]: tag["Value"] for tag in listed}


def test_the_list_may_show_new_tags_only_a_moment_later() -> None:
    bench = Bench(timings=Timings(tags_listed=1))
    pool_id = bench.pool()
    bench.model.tag(pool_id, {"Name": "a"}, OWNER)
    named: Any = {"Filters": [{"Name": "tag:Name", "Values": ["a"]}]}

    assert bench.ask("DescribeIpamPools", IpamPoolIds=[pool_id])["IpamPools"][0]["Tags"] == []
    assert bench.ask("DescribeIpamPools", **named)["IpamPools"] == []
    bench.wait(1)
    assert len(bench.ask("DescribeIpamPools", **named)["IpamPools"]) == 1


def test_tags_are_added_overwritten_and_removed(bench: Bench) -> None:
    pool_id = bench.pool()

    bench.model.tag(pool_id, {"Name": "a", "Team": "x"}, OWNER)
    bench.model.tag(pool_id, {"Name": "b"}, OWNER)
    assert tags(bench, pool_id) == {"Name": "b", "Team": "x"}

    bench.model.untag(pool_id, ["Team", "not there"], OWNER)
    assert tags(bench, pool_id) == {"Name": "b"}

    bench.model.untag(pool_id, [], OWNER)
    assert tags(bench, pool_id) == {}


def test_ipams_and_scopes_have_tags_too(bench: Bench) -> None:
    for resource_id in (bench.ipam["IpamId"], bench.scope):
        bench.model.tag(resource_id, {"Name": "mine"}, OWNER)

    expected = [{"Key": "Name", "Value": "mine"}]
    assert bench.ask("DescribeIpams")["Ipams"][0]["Tags"] == expected
    assert bench.ask("DescribeIpamScopes", IpamScopeIds=[bench.scope])["IpamScopes"][0]["Tags"] == expected


@pytest.mark.parametrize("caller", [Caller(MEMBER, HOME), Caller(NETWORKING, WEST)], ids=["another's", "elsewhere"])
def test_only_the_owner_tags_and_only_in_the_home_region(bench: Bench, caller: Caller) -> None:
    pool_id = bench.share(bench.pool(Locale=WEST))

    with pytest.raises(AwsError) as refused:
        bench.model.tag(pool_id, {"Name": "mine"}, caller)

    assert refused.value.code == "InvalidIpamPoolId.NotFound"


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ({f"key {number}": "" for number in range(51)}, "TagLimitExceeded"),
        ({"aws:x": ""}, "InvalidParameterValue"),
        ({"k" * 129: ""}, "InvalidParameterValue"),
        ({"k": "v" * 257}, "InvalidParameterValue"),
        ({}, "MissingParameter"),
    ],
    ids=["too many", "AWS's own", "key too long", "value too long", "none"],
)
def test_tags_have_ec2s_limits(bench: Bench, wanted: dict[str, str], code: str) -> None:
    with pytest.raises(AwsError) as refused:
        bench.model.tag(bench.scope, wanted, OWNER)

    assert refused.value.code == code


@pytest.mark.parametrize(
    ("resource_id", "code"),
    [
        ("ipam-0123456789abcdef0", "InvalidIpamId.NotFound"),
        ("ipam-scope-0123456789abcdef0", "InvalidIpamScopeId.NotFound"),
        ("ipam-pool-0123456789abcdef0", "InvalidIpamPoolId.NotFound"),
    ],
)
def test_tagging_what_is_not_there_says_what_is_not_there(bench: Bench, resource_id: str, code: str) -> None:
    with pytest.raises(AwsError) as refused:
        bench.model.tag(resource_id, {"Name": "x"}, OWNER)

    assert refused.value.code == code


def test_fifty_tags_are_not_too_many(bench: Bench) -> None:
    bench.model.tag(bench.scope, {f"key {number}": "" for number in range(50)}, OWNER)

    (scope,) = bench.ask("DescribeIpamScopes", IpamScopeIds=[bench.scope])["IpamScopes"]
    assert len(scope["Tags"]) == 50


def test_tagging_an_allocation_is_not_implemented(bench: Bench) -> None:
    with pytest.raises(NotImplementedError, match="ipam-pool-alloc-"):
        bench.model.tag("ipam-pool-alloc-0", {"Name": "x"}, OWNER)


def test_the_model_holds_ids_of_ipam_and_no_others(bench: Bench) -> None:
    assert all(bench.model.holds(resource_id) for resource_id in (bench.ipam["IpamId"], bench.scope, bench.pool()))
    assert not any(bench.model.holds(resource_id) for resource_id in ("vpc-1", "subnet-1", "eipalloc-ipam-1"))


def test_ids_have_awss_shape_and_are_the_same_in_every_run(bench: Bench) -> None:
    shapes = {
        "IpamId": r"ipam-[0-9a-f]{17}",
        "PrivateDefaultScopeId": r"ipam-scope-[0-9a-f]{17}",
        "PublicDefaultScopeId": r"ipam-scope-[0-9a-f]{17}",
        "DefaultResourceDiscoveryId": r"ipam-res-disco-[0-9a-f]{17}",
    }
    assert all(re.fullmatch(shape, bench.ipam[member]) for member, shape in shapes.items())
    assert Bench().ipam == bench.ipam


def test_the_actions_are_those_of_ipam_without_the_vpcs(bench: Bench) -> None:
    assert {"CreateIpamPool", "GetIpamPoolAllocations"} <= IpamModel.ACTIONS
    assert not {"CreateVpc", "DeleteVpc", "CreateTags"} & IpamModel.ACTIONS


def test_a_long_time_at_once_is_as_good_as_many_short_ones(bench: Bench) -> None:
    """The end of a delete starts another wait, which counts from that end and not from when somebody looks."""
    pool_id = bench.pool()
    bench.ask("DeleteIpamPool", IpamPoolId=pool_id)

    bench.clock.advance(5 + 30)

    assert bench.ask("DescribeIpamPools")["IpamPools"] == []


def test_what_the_caller_does_with_its_request_later_does_not_matter(bench: Bench) -> None:
    wanted = {"IpamScopeId": bench.scope, "AddressFamily": "ipv4", "ClientToken": "once", "Description": "a"}
    request = dict(wanted)
    bench.model.call("CreateIpamPool", request, OWNER)
    request["Description"] = "b"

    assert bench.model.call("CreateIpamPool", wanted, OWNER)["IpamPool"]["Description"] == "a"


def test_two_threads_never_get_the_same_block(bench: Bench) -> None:
    leaf = bench.pool("10.0.0.0/16", Locale=WEST)

    def vpc(number: int) -> str:
        return bench.make_vpc(f"vpc-{number}", WEST, Ipv4IpamPoolId=leaf, Ipv4NetmaskLength=24)

    with ThreadPoolExecutor(8) as threads:
        cidrs = list(threads.map(vpc, range(100)))

    assert len(set(cidrs)) == 100


def test_ram_is_asked_before_the_models_own_lock_is_taken(bench: Bench) -> None:
    """RAM's model holds its lock while it asks IPAM's; asked under the lock, the two could wait for each other."""
    held = []

    def visible_to(account_id: str) -> tuple[str, ...]:
        with ThreadPoolExecutor(1) as other:  # another thread can use the model meanwhile
            held.append(other.submit(bench.model.holds, "ipam-1").result(timeout=5))
            other.submit(bench.model.vpc_deleted, "vpc-1").result(timeout=5)
        return ()

    bench.model.visible_to = visible_to
    bench.ask("DescribeIpamPools")

    assert held == [True]
