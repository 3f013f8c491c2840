"""Pools: creation, rules, modification, deletion."""

from __future__ import annotations

import re
from typing import Any

import pytest

from aws_models.errors import AwsError
from aws_models.ipam import Quotas
from aws_models.ipam.bench import ELSEWHERE, HOME, WEST, Bench


@pytest.fixture
def bench() -> Bench:
    return Bench()


def described(bench: Bench, pool_id: str) -> dict[str, Any]:
    pool: dict[str, Any] = bench.ask("DescribeIpamPools", IpamPoolIds=[pool_id])["IpamPools"][0]
    return pool


def test_a_new_pool_is_described_as_aws_describes_it(bench: Bench) -> None:
    pool = bench.create_pool(
        Description="all of it",
        TagSpecifications=[{"ResourceType": "ipam-pool", "Tags": [{"Key": "Name", "Value": "top"}]}],
        AllocationResourceTags=[{"Key": "Env", "Value": "Prod OU"}],
        AllocationMinNetmaskLength=16,
        AllocationMaxNetmaskLength=26,
        AllocationDefaultNetmaskLength=24,
    )

    assert re.fullmatch(r"ipam-pool-[0-9a-f]{17}", pool["IpamPoolId"])
    assert pool["IpamScopeArn"].endswith(bench.scope)
    assert pool["IpamArn"] == bench.ipam["IpamArn"]
    assert "SourceIpamPoolId" not in pool
    expected = {
        "State": "create-in-progress",
        "IpamRegion": HOME,
        "IpamScopeType": "private",
        "PoolDepth": 1,
        "AutoImport": False,
        "AddressFamily": "ipv4",
        "Description": "all of it",
        "Tags": [{"Key": "Name", "Value": "top"}],
        "AllocationResourceTags": [{"Key": "Env", "Value": "Prod OU"}],
        "AllocationMinNetmaskLength": 16,
        "AllocationMaxNetmaskLength": 26,
        "AllocationDefaultNetmaskLength": 24,
    }
    assert {name: pool[name] for name in expected} == expected


def test_what_was_not_asked_for_is_not_in_the_answer(bench: Bench) -> None:
    pool = bench.create_pool()

    absent = ("Description", "SourceIpamPoolId", "AllocationMinNetmaskLength", "AllocationResourceTags", "StateMessage")
    assert not pool.keys() & set(absent)


def test_a_pool_without_a_locale_says_none_in_so_many_letters(bench: Bench) -> None:
    assert bench.create_pool()["Locale"] == "None"


def test_creating_a_pool_takes_a_while(bench: Bench) -> None:
    pool_id = bench.create_pool()["IpamPoolId"]
    bench.clock.advance(4.9)
    assert bench.state(pool_id) == "create-in-progress"

    bench.clock.advance(0.1)

    assert bench.state(pool_id) == "create-complete"


def test_each_level_is_one_deeper(bench: Bench) -> None:
    top = bench.pool()
    region = bench.pool(SourceIpamPoolId=top, Locale=WEST)

    leaf = bench.create_pool(SourceIpamPoolId=region, Locale=WEST)

    assert (leaf["PoolDepth"], leaf["SourceIpamPoolId"]) == (3, region)


def test_the_home_region_of_a_pool_is_not_its_locale(bench: Bench) -> None:
    pool = bench.create_pool(Locale=WEST)

    assert (pool["Locale"], pool["IpamRegion"]) == (WEST, HOME)


def test_a_locale_must_be_an_operating_region(bench: Bench) -> None:
    with pytest.raises(AwsError) as refused:
        bench.create_pool(Locale=ELSEWHERE)

    assert refused.value.code == "InvalidParameterValue"


@pytest.mark.parametrize("locale", [{}, {"Locale": HOME}], ids=["omitted", "another"])
def test_a_child_must_name_the_locale_of_its_source(bench: Bench, locale: dict[str, str]) -> None:
    source = bench.pool(Locale=WEST)

    with pytest.raises(AwsError) as refused:
        bench.create_pool(SourceIpamPoolId=source, **locale)

    assert refused.value.code == "InvalidParameterCombination"


def test_below_a_pool_without_a_locale_every_locale_is_free_at_any_level(bench: Bench) -> None:
    middle = bench.pool(SourceIpamPoolId=bench.pool())

    assert bench.create_pool(SourceIpamPoolId=middle, Locale=WEST)["Locale"] == WEST


def test_a_child_is_in_the_scope_of_its_source(bench: Bench) -> None:
    other = bench.ask("CreateIpamScope", IpamId=bench.ipam["IpamId"])["IpamScope"]["IpamScopeId"]
    source = bench.pool()

    with pytest.raises(AwsError) as refused:
        bench.create_pool(SourceIpamPoolId=source, IpamScopeId=other)

    assert refused.value.code == "InvalidParameterValue"


def test_a_child_is_of_the_family_of_its_source(bench: Bench) -> None:
    source = bench.pool()

    with pytest.raises(AwsError) as refused:
        bench.create_pool(SourceIpamPoolId=source, AddressFamily="ipv6")

    assert refused.value.code == "InvalidParameterValue"


def test_a_source_must_be_finished(bench: Bench) -> None:
    source = bench.create_pool()["IpamPoolId"]
    bench.wait(1)

    with pytest.raises(AwsError) as refused:
        bench.create_pool(SourceIpamPoolId=source)

    assert refused.value.code == "IncorrectState"


def test_a_source_must_not_be_under_modification(bench: Bench) -> None:
    source = bench.pool()
    bench.ask("ModifyIpamPool", IpamPoolId=source, Description="x")

    with pytest.raises(AwsError) as refused:
        bench.create_pool(SourceIpamPoolId=source)

    assert refused.value.code == "IncorrectState"


def test_a_child_can_be_created_before_its_source_has_a_cidr(bench: Bench) -> None:
    assert bench.create_pool(SourceIpamPoolId=bench.pool())["State"] == "create-in-progress"


def test_pools_nest_as_deep_as_the_quota_and_no_deeper() -> None:
    bench = Bench(quotas=Quotas(pool_depth=2))
    child = bench.pool(SourceIpamPoolId=bench.pool())

    with pytest.raises(AwsError) as refused:
        bench.create_pool(SourceIpamPoolId=child)

    assert refused.value.code.endswith("LimitExceeded")


def test_a_scope_holds_fifty_pools(bench: Bench) -> None:
    top = bench.pool()
    for _ in range(49):
        bench.pool(SourceIpamPoolId=top)

    with pytest.raises(AwsError) as refused:
        bench.pool(SourceIpamPoolId=top)

    assert refused.value.code.endswith("LimitExceeded")


def test_a_deleted_pool_makes_room_when_it_is_gone() -> None:
    bench = Bench(quotas=Quotas(pools_per_scope=1))
    bench.ask("DeleteIpamPool", IpamPoolId=bench.pool())
    with pytest.raises(AwsError):
        bench.create_pool()

    bench.wait()

    bench.create_pool()


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"IpamScopeId": "ipam-scope-0123456789abcdef0"}, "InvalidIpamScopeId.NotFound"),
        ({"SourceIpamPoolId": "ipam-pool-0123456789abcdef0"}, "InvalidIpamPoolId.NotFound"),
        ({"AddressFamily": "ipx"}, "InvalidParameterValue"),
        ({"AllocationMinNetmaskLength": 24, "AllocationMaxNetmaskLength": 24}, "InvalidParameterValue"),
        ({"AllocationMinNetmaskLength": 24, "AllocationDefaultNetmaskLength": 20}, "InvalidParameterValue"),
        ({"AllocationMaxNetmaskLength": 24, "AllocationDefaultNetmaskLength": 28}, "InvalidParameterValue"),
        ({"AllocationMaxNetmaskLength": 33}, "InvalidParameterValue"),
        ({"TagSpecifications": [{"ResourceType": "ipam", "Tags": []}]}, "InvalidParameterValue"),
        (
            {"TagSpecifications": [{"ResourceType": "ipam-pool", "Tags": [{"Key": "aws:x", "Value": ""}]}]},
            "InvalidParameterValue",
        ),
        (
            {"AllocationResourceTags": [{"Key": "Env", "Value": "a"}, {"Key": "Env", "Value": "b"}]},
            "InvalidParameterValue",
        ),
        ({"AllocationResourceTags": [{"Key": "Env", "Value": "x" * 257}]}, "InvalidParameterValue"),
    ],
    ids=[
        "unknown scope",
        "unknown source",
        "unknown family",
        "minimum not below maximum",
        "default larger than the largest block",
        "default smaller than the smallest block",
        "too long a netmask",
        "tags for something else",
        "a tag of AWS's",
        "two values of one tag",
        "a tag too long for a resource",
    ],
)
def test_a_pool_that_cannot_be_is_refused(bench: Bench, params: dict[str, Any], code: str) -> None:
    with pytest.raises(AwsError) as refused:
        bench.create_pool(**params)

    assert refused.value.code == code
    assert bench.ask("DescribeIpamPools")["IpamPools"] == []


def test_what_a_request_needs_is_said(bench: Bench) -> None:
    with pytest.raises(AwsError, match="must contain the parameter AddressFamily") as refused:
        bench.create_pool(AddressFamily="")

    assert refused.value.code == "MissingParameter"


@pytest.mark.parametrize(
    "params",
    [
        {"DryRun": True},
        {"PubliclyAdvertisable": True},
        {"AwsService": "ec2"},
        {"PublicIpSource": "amazon"},
        {"SourceResource": {"ResourceId": "vpc-1"}},
        {"AddressFamily": "ipv6", "AllocationMinNetmaskLength": 56},
    ],
    ids=lambda params: next(iter(params)),
)
def test_what_is_not_modeled_is_not_implemented(bench: Bench, params: dict[str, Any]) -> None:
    with pytest.raises(NotImplementedError, match="CreateIpamPool"):
        bench.create_pool(**params)


def test_a_switch_that_is_off_asks_for_nothing(bench: Bench) -> None:
    bench.create_pool(DryRun=False, AutoImport=False)


def test_public_scopes_are_not_implemented(bench: Bench) -> None:
    with pytest.raises(NotImplementedError, match="public"):
        bench.create_pool(IpamScopeId=bench.ipam["PublicDefaultScopeId"])


def test_modifying_a_pool_takes_a_while_and_ends_in_another_state_than_creating_it(bench: Bench) -> None:
    pool_id = bench.pool(AllocationDefaultNetmaskLength=24)

    modified = bench.ask(
        "ModifyIpamPool", IpamPoolId=pool_id, Description="new", ClearAllocationDefaultNetmaskLength=True
    )["IpamPool"]

    assert modified["State"] == "modify-in-progress"
    assert modified["Description"] == "new"
    bench.wait()
    assert described(bench, pool_id)["State"] == "modify-complete"
    assert "AllocationDefaultNetmaskLength" not in described(bench, pool_id)


def test_a_required_tag_is_changed_by_removing_the_old_pair_and_adding_the_new_in_one_call(bench: Bench) -> None:
    pool_id = bench.pool(AllocationResourceTags=[{"Key": "Env", "Value": "old"}])

    change: dict[str, Any] = {
        "RemoveAllocationResourceTags": [{"Key": "Env", "Value": "old"}],
        "AddAllocationResourceTags": [{"Key": "Env", "Value": "new"}],
    }
    bench.ask("ModifyIpamPool", IpamPoolId=pool_id, **change)

    assert described(bench, pool_id)["AllocationResourceTags"] == [{"Key": "Env", "Value": "new"}]


def test_adding_another_value_of_a_required_tag_is_not_implemented(bench: Bench) -> None:
    pool_id = bench.pool(AllocationResourceTags=[{"Key": "Env", "Value": "old"}])

    with pytest.raises(NotImplementedError, match="Env"):
        bench.ask("ModifyIpamPool", IpamPoolId=pool_id, AddAllocationResourceTags=[{"Key": "Env", "Value": "new"}])


def test_a_modification_without_any_is_refused_in_awss_words(bench: Bench) -> None:
    with pytest.raises(AwsError) as refused:
        bench.ask("ModifyIpamPool", IpamPoolId=bench.pool())

    assert refused.value.code == "InvalidParameterCombination"
    assert refused.value.message == "The request must contain a modification to the ipam pool"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"RemoveAllocationResourceTags": [{"Key": "Env", "Value": "other"}]}, "InvalidParameterValue"),
        ({"AllocationMinNetmaskLength": 26}, "InvalidParameterValue"),
        (
            {"ClearAllocationDefaultNetmaskLength": True, "AllocationDefaultNetmaskLength": 24},
            "InvalidParameterCombination",
        ),
    ],
    ids=["removes a pair that is not there", "new minimum above the old default", "sets and clears the default"],
)
def test_a_modification_that_cannot_be_is_refused(bench: Bench, change: dict[str, Any], code: str) -> None:
    pool_id = bench.pool(AllocationDefaultNetmaskLength=24)

    with pytest.raises(AwsError) as refused:
        bench.ask("ModifyIpamPool", IpamPoolId=pool_id, **change)

    assert refused.value.code == code
    assert bench.state(pool_id) == "create-complete"


def test_for_a_moment_other_calls_do_not_know_a_new_pool(bench: Bench) -> None:
    pool_id = bench.create_pool(ClientToken="once")["IpamPoolId"]

    assert bench.ask("DescribeIpamPools")["IpamPools"] == []
    for action, params in (
        ("DescribeIpamPools", {"IpamPoolIds": [pool_id]}),
        ("DeleteIpamPool", {"IpamPoolId": pool_id}),
    ):
        with pytest.raises(AwsError) as refused:
            bench.ask(action, **params)
        assert refused.value.code == "InvalidIpamPoolId.NotFound"
    assert bench.create_pool(ClientToken="once")["IpamPoolId"] == pool_id

    bench.wait(1)

    assert bench.state(pool_id) == "create-in-progress"


@pytest.mark.parametrize("action", ["ModifyIpamPool", "DeleteIpamPool", "ProvisionIpamPoolCidr"])
def test_a_pool_that_is_not_finished_cannot_be_touched(bench: Bench, action: str) -> None:
    pool_id = bench.create_pool()["IpamPoolId"]
    bench.wait(1)
    params = {"ModifyIpamPool": {"Description": "x"}, "ProvisionIpamPoolCidr": {"Cidr": "10.0.0.0/8"}}

    with pytest.raises(AwsError) as refused:
        bench.ask(action, IpamPoolId=pool_id, **params.get(action, {}))

    assert refused.value.code == "IncorrectState"


def test_deleting_a_pool_that_still_has_cidrs_is_refused_in_awss_words(bench: Bench) -> None:
    pool_id = bench.pool("10.0.0.0/8")

    with pytest.raises(AwsError) as refused:
        bench.ask("DeleteIpamPool", IpamPoolId=pool_id)

    assert refused.value.code == "DependencyViolation"
    assert refused.value.message == (
        f"The specified action is not valid for {pool_id}. There are one or more pool cidrs provisioned in the pool."
    )


def test_deleting_a_pool_that_is_losing_its_cidr_is_refused_until_it_has(bench: Bench) -> None:
    pool_id = bench.pool("10.0.0.0/8")
    bench.deprovision(pool_id, "10.0.0.0/8")
    with pytest.raises(AwsError) as refused:
        bench.ask("DeleteIpamPool", IpamPoolId=pool_id)
    assert refused.value.code == "DependencyViolation"

    bench.wait()

    bench.ask("DeleteIpamPool", IpamPoolId=pool_id)


def test_deleting_a_pool_that_has_a_child_is_refused_until_the_child_is_gone(bench: Bench) -> None:
    top = bench.pool()
    child = bench.pool(SourceIpamPoolId=top)
    bench.ask("DeleteIpamPool", IpamPoolId=child)
    with pytest.raises(AwsError) as refused:
        bench.ask("DeleteIpamPool", IpamPoolId=top)
    assert refused.value.code == "DependencyViolation"

    bench.wait()

    bench.ask("DeleteIpamPool", IpamPoolId=top)


def test_a_deleted_pool_is_listed_for_a_while_and_then_unknown(bench: Bench) -> None:
    pool_id = bench.pool()
    assert bench.ask("DeleteIpamPool", IpamPoolId=pool_id)["IpamPool"]["State"] == "delete-in-progress"
    bench.wait()
    assert bench.state(pool_id) == "delete-complete"

    bench.wait(60)

    assert bench.ask("DescribeIpamPools")["IpamPools"] == []
    with pytest.raises(AwsError) as refused:
        bench.state(pool_id)
    assert refused.value.code == "InvalidIpamPoolId.NotFound"


def test_a_deleted_pool_that_is_still_listed_can_no_longer_be_used(bench: Bench) -> None:
    pool_id = bench.pool()
    bench.ask("DeleteIpamPool", IpamPoolId=pool_id)
    with pytest.raises(AwsError) as early:
        bench.ask("DeleteIpamPool", IpamPoolId=pool_id)
    assert early.value.code == "IncorrectState"
    bench.wait()

    for action in ("DeleteIpamPool", "GetIpamPoolCidrs", "GetIpamPoolAllocations"):
        with pytest.raises(AwsError) as refused:
            bench.ask(action, IpamPoolId=pool_id)
        assert refused.value.code == "InvalidIpamPoolId.NotFound"


@pytest.mark.parametrize(("action", "member"), [("DeleteIpam", "IpamId"), ("DeleteIpamPool", "IpamPoolId")])
def test_cascading_is_not_implemented(bench: Bench, action: str, member: str) -> None:
    with pytest.raises(NotImplementedError, match="Cascade"):
        bench.ask(action, **{member: "any"}, Cascade=True)


def test_an_action_that_is_not_modeled_is_not_implemented(bench: Bench) -> None:
    with pytest.raises(NotImplementedError, match="GetIpamAddressHistory"):
        bench.ask("GetIpamAddressHistory", IpamScopeId=bench.scope, Cidr="10.0.0.0/8")
