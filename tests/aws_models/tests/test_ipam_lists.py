"""Filters and pages."""

from __future__ import annotations

from typing import Any

import pytest

from aws_models.errors import AwsError
from aws_models.ipam.bench import HOME, NETWORKING, WEST, Bench
from aws_models.organization import Caller


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def pools(bench: Bench) -> dict[str, str]:
    """Ids by description; 7 pools, 2 more than a page holds."""
    name = {"ResourceType": "ipam-pool", "Tags": [{"Key": "Env", "Value": "Prod OU"}]}
    wanted: dict[str, dict[str, Any]] = {
        "top": {},
        "home": {"Locale": HOME},
        "west": {"Locale": WEST, "TagSpecifications": [name]},
        "west [a]": {"Locale": WEST},
        "six": {"AddressFamily": "ipv6"},
        "Top": {},
        "star*": {},
    }
    return {description: bench.pool(Description=description, **params) for description, params in wanted.items()}


def found(bench: Bench, *filters: tuple[str, list[str]], **params: Any) -> set[str]:
    wishes = [{"Name": name, "Values": values} for name, values in filters]
    pools = bench.all("DescribeIpamPools", "IpamPools", Filters=wishes, **params)
    return {pool["Description"] for pool in pools}


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ([("locale", [WEST])], {"west", "west [a]"}),
        ([("locale", ["None"])], {"top", "Top", "six", "star*"}),
        ([("locale", [HOME, WEST])], {"home", "west", "west [a]"}),
        ([("locale", ["us-*"]), ("description", ["w*"])], {"west", "west [a]"}),
        ([("description", ["top"])], {"top"}),
        ([("description", ["?op"])], {"top", "Top"}),
        ([("description", ["west [a]"])], {"west [a]"}),
        ([("description", [r"star\*"])], {"star*"}),
        ([("description", ["wes"])], set()),
        ([("address-family", ["ipv6"])], {"six"}),
        ([("tag:Env", ["Prod OU"])], {"west"}),
        ([("tag:Env", ["Prod*"])], {"west"}),
        ([("tag:Name", ["*"])], set()),
        ([("owner-id", ["999999999999"])], set()),
        ([("ipam-scope-type", ["public"])], set()),
    ],
)
def test_filters_let_through_what_meets_them_all(
    bench: Bench, pools: dict[str, str], filters: list[tuple[str, list[str]]], expected: set[str]
) -> None:
    assert found(bench, *filters) == expected


def test_pools_can_be_found_by_scope_owner_and_id(bench: Bench, pools: dict[str, str]) -> None:
    everywhere = ("ipam-scope-id", [bench.scope]), ("owner-id", [NETWORKING]), ("ipam-scope-type", ["private"])

    assert found(bench, *everywhere, ("ipam-pool-id", [pools["six"]])) == {"six"}
    assert found(bench, IpamPoolIds=[pools["top"], pools["west"]]) == {"top", "west"}


@pytest.mark.parametrize(
    ("action", "params", "name"),
    [
        ("DescribeIpamPools", {}, "source-ipam-pool-id"),
        ("DescribeIpamPools", {}, "state"),
        ("DescribeIpams", {}, "ipam-id"),
        ("DescribeIpamScopes", {}, "is-default"),
        ("GetIpamPoolCidrs", {"IpamPoolId": "top"}, "state"),
        ("GetIpamPoolCidrs", {"IpamPoolId": "top"}, "tag:Env"),
        ("GetIpamPoolAllocations", {"IpamPoolId": "top"}, "resource-id"),
    ],
)
def test_a_filter_that_nobody_has_seen_work_is_refused(
    bench: Bench, pools: dict[str, str], action: str, params: dict[str, Any], name: str
) -> None:
    ids = {member: pools[description] for member, description in params.items()}

    with pytest.raises(AwsError, match=name) as refused:
        bench.ask(action, **ids, Filters=[{"Name": name, "Values": ["x"]}])

    assert refused.value.code == "InvalidParameterValue"


def test_a_filter_without_values_is_refused(bench: Bench) -> None:
    with pytest.raises(AwsError) as refused:
        bench.ask("DescribeIpamPools", Filters=[{"Name": "locale", "Values": []}])

    assert refused.value.code == "InvalidParameterValue"


def test_ipams_and_scopes_can_be_found_by_owner_ipam_and_tag(bench: Bench) -> None:
    def wish(name: str, value: str) -> dict[str, Any]:
        return {"Filters": [{"Name": name, "Values": [value]}]}

    bench.model.tag(bench.ipam["IpamId"], {"Team": "network"}, Caller(NETWORKING, HOME))

    assert len(bench.ask("DescribeIpams", **wish("owner-id", NETWORKING))["Ipams"]) == 1
    assert bench.ask("DescribeIpams", **wish("owner-id", "1"))["Ipams"] == []
    assert len(bench.ask("DescribeIpams", **wish("tag:Team", "net*"))["Ipams"]) == 1
    assert len(bench.ask("DescribeIpamScopes", **wish("ipam-id", bench.ipam["IpamId"]))["IpamScopes"]) == 2
    assert bench.ask("DescribeIpamScopes", **wish("ipam-id", "ipam-0"))["IpamScopes"] == []


def test_cidrs_can_be_found_by_cidr_and_id(bench: Bench) -> None:
    pool_id = bench.pool("10.0.0.0/16")
    bench.provision(pool_id, Cidr="172.16.0.0/16")
    bench.wait()

    def cidrs(name: str, value: str) -> list[str]:
        rows = bench.ask("GetIpamPoolCidrs", IpamPoolId=pool_id, Filters=[{"Name": name, "Values": [value]}])
        return [row["Cidr"] for row in rows["IpamPoolCidrs"]]

    assert cidrs("cidr", "10.*") == ["10.0.0.0/16"]
    row_id = next(row["IpamPoolCidrId"] for row in bench.cidrs(pool_id) if row["Cidr"] == "172.16.0.0/16")
    assert cidrs("ipam-pool-cidr-id", row_id) == ["172.16.0.0/16"]


def test_allocations_can_be_found_by_id(bench: Bench) -> None:
    leaf = bench.pool("10.0.0.0/16", Locale=WEST)
    made = [bench.make_vpc(f"vpc-{n}", WEST, Ipv4IpamPoolId=leaf, Ipv4NetmaskLength=24) for n in range(2)]
    bench.wait(1)
    second = next(item for item in bench.allocations(leaf, WEST) if item["Cidr"] == made[1])
    wish = {"Name": "ipam-pool-allocation-id", "Values": [second["IpamPoolAllocationId"]]}

    answer = bench.ask("GetIpamPoolAllocations", WEST, IpamPoolId=leaf, Filters=[wish])

    assert answer["IpamPoolAllocations"] == [second]


def test_a_page_holds_five_and_tokens_lead_through_all(bench: Bench, pools: dict[str, str]) -> None:
    first = bench.ask("DescribeIpamPools")
    second = bench.ask("DescribeIpamPools", NextToken=first["NextToken"])

    assert (len(first["IpamPools"]), len(second["IpamPools"])) == (5, 2)
    assert "NextToken" not in second
    assert {pool["IpamPoolId"] for pool in first["IpamPools"] + second["IpamPools"]} == set(pools.values())


def test_the_caller_may_ask_for_larger_pages(bench: Bench, pools: dict[str, str]) -> None:
    answer = bench.ask("DescribeIpamPools", MaxResults=7)

    assert len(answer["IpamPools"]) == 7
    assert "NextToken" not in answer


def test_every_list_comes_in_pages() -> None:
    bench = Bench(page_size=1)
    leaf = bench.pool("10.0.0.0/16", Locale=WEST)
    bench.provision(leaf, Cidr="10.1.0.0/16")
    bench.wait()
    for number in range(2):
        bench.make_vpc(f"vpc-{number}", WEST, Ipv4IpamPoolId=leaf, Ipv4NetmaskLength=24)
    bench.wait()

    assert bench.ask("DescribeIpamScopes")["NextToken"]
    assert bench.ask("GetIpamPoolCidrs", IpamPoolId=leaf)["NextToken"]
    assert bench.ask("GetIpamPoolAllocations", WEST, IpamPoolId=leaf)["NextToken"]
    assert len(bench.all("DescribeIpamScopes", "IpamScopes")) == 2
    assert len(bench.cidrs(leaf)) == 2
    assert len(bench.allocations(leaf, WEST)) == 2


def test_what_goes_between_two_pages_hides_nothing_else(bench: Bench, pools: dict[str, str]) -> None:
    first = bench.ask("DescribeIpamPools")
    for pool in first["IpamPools"]:
        bench.model.delete_by_hand(pool["IpamPoolId"])

    second = bench.ask("DescribeIpamPools", NextToken=first["NextToken"])

    assert len(second["IpamPools"]) == 2


@pytest.mark.parametrize(
    ("action", "region", "low", "high"),
    [
        ("DescribeIpams", HOME, 5, 1000),
        ("DescribeIpamScopes", HOME, 5, 1000),
        ("DescribeIpamPools", HOME, 5, 1000),
        ("GetIpamPoolCidrs", HOME, 5, 1000),
        ("GetIpamPoolAllocations", WEST, 1000, 100_000),
    ],
)
def test_the_size_of_a_page_has_bounds(bench: Bench, action: str, region: str, low: int, high: int) -> None:
    leaf = {"IpamPoolId": bench.pool(Locale=WEST)} if action.startswith("Get") else {}
    for fine in (low, high):
        bench.ask(action, region, **leaf, MaxResults=fine)

    for wrong in (low - 1, high + 1):
        # Past boto3's own check of the lower bound: whoever speaks the protocol directly meets AWS's.
        with pytest.raises(AwsError) as refused:
            bench.model.call(action, {**leaf, "MaxResults": wrong}, Caller(NETWORKING, region))
        assert refused.value.code == "InvalidParameterValue"


@pytest.mark.parametrize("token", ["made up", "aW52ZW50ZWQ=", "é"])
def test_a_token_that_the_list_never_gave_is_refused(bench: Bench, token: str) -> None:
    with pytest.raises(AwsError) as refused:
        bench.ask("DescribeIpamPools", NextToken=token)

    assert refused.value.code == "InvalidNextToken"


def test_the_token_of_another_list_is_refused() -> None:
    bench = Bench(page_size=1)
    token = bench.ask("DescribeIpamScopes")["NextToken"]

    with pytest.raises(AwsError) as refused:
        bench.ask("DescribeIpamPools", NextToken=token)

    assert refused.value.code == "InvalidNextToken"
