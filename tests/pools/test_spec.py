"""What is wanted, and what is refused before AWS is asked for anything."""

from __future__ import annotations

import re
from contextlib import nullcontext
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest

from ctipam.errors import Refused
from ctipam.pools.parameters import prefix_length
from ctipam.pools.spec import POOLS_PER_SCOPE, PoolKey, PoolSpec, VpcSizes

EAST, EAST_PROD, WEST_PROD = PoolKey("us-east-1"), PoolKey("us-east-1", "Prod OU"), PoolKey("us-west-2", "Prod OU")
REGIONS = {"us-west-2", "us-east-1", "eu-west-1", "eu-central-1"}
DEFAULTS: dict[str, Any] = {
    "TopLevelPoolCidr": "192.168.0.0/16",
    "IpamPoolPrefixLength": "20",
    "AccPoolPrefixLength": "21",
    "RegionSelection": ["us-west-2", "us-east-1"],
    "AccEnvName": ["Prod OU", "SDLC OU"],
}


def plan(**changed: Any) -> PoolSpec:
    return PoolSpec.from_properties(DEFAULTS | changed, REGIONS)


def test_the_pools_of_a_spec_are_in_the_users_order_parents_first() -> None:
    assert plan().pools == (
        PoolKey(),
        PoolKey("us-west-2"),
        PoolKey("us-east-1"),
        PoolKey("us-west-2", "Prod OU"),
        PoolKey("us-west-2", "SDLC OU"),
        PoolKey("us-east-1", "Prod OU"),
        PoolKey("us-east-1", "SDLC OU"),
    )


@pytest.mark.parametrize(
    ("key", "parent", "name", "phrase"),
    [
        (PoolKey(), None, "the top-level pool", "the top-level pool"),
        (EAST, PoolKey(), "us-east-1", "the pool of us-east-1"),
        (EAST_PROD, EAST, "us-east-1/Prod OU", "the pool of us-east-1/Prod OU"),
    ],
)
def test_a_pool_has_a_parent_and_a_name(key: PoolKey, parent: PoolKey | None, name: str, phrase: str) -> None:
    assert (key.parent, str(key), key.phrase) == (parent, name, phrase)


def test_lists_are_read_whether_they_come_as_lists_or_as_text_and_names_are_trimmed() -> None:
    assert plan(RegionSelection="us-west-2, us-east-1", AccEnvName="Prod OU,SDLC OU ") == plan()


def test_a_number_may_come_as_text_or_as_a_number() -> None:
    assert plan(IpamPoolPrefixLength=20) == plan(IpamPoolPrefixLength="20")


def test_a_cidr_that_is_added_to_the_top_level_may_be_smaller_than_a_region() -> None:
    spec = plan(TopLevelPoolCidr=["10.0.0.0/24", "10.1.0.0/16"], IpamPoolPrefixLength="20")

    assert list(map(str, spec.top_cidrs)) == ["10.0.0.0/24", "10.1.0.0/16"]


def test_what_is_reserved_and_whether_vpcs_are_imported_is_read_too() -> None:
    given = plan(ReservedCidrs="10.1.0.0/16", AutoImport="on")

    assert (given.reserved, given.auto_import) == ((IPv4Network("10.1.0.0/16"),), True)
    assert (plan().reserved, plan().auto_import, plan(AutoImport="off").auto_import) == ((), False, False)


@pytest.mark.parametrize("template", ["ipamnetworkingStack.yaml", "ipam-controltower-integration.template.yaml"])
def test_what_a_template_does_not_send_is_what_it_would_have_sent_by_default(template: str) -> None:
    text = (Path(__file__).parents[2] / "templates" / template).read_text()
    names = ("VpcDefaultNetmaskLength", "VpcMinNetmaskLength", "VpcMaxNetmaskLength", "IpamPoolQuota")

    found = [re.search(rf"^  {name}:\n(?:    .*\n)*?    Default: (\d+)$", text, re.MULTILINE) for name in names]

    sizes = VpcSizes()
    assert [int(match[1]) for match in found if match] == [sizes.default, sizes.minimum, sizes.maximum, POOLS_PER_SCOPE]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"TopLevelPoolCidr": "ten"}, "'ten' is not an IPv4 CIDR"),
        ({"TopLevelPoolCidr": "fd00::/8"}, "'fd00::/8' is not an IPv4 CIDR"),
        ({"TopLevelPoolCidr": "192.168.5.0/16"}, "did you mean 192.168.0.0/16?"),
        ({"TopLevelPoolCidr": "10.0.0.0"}, "has no prefix length; give one, for example 10.0.0.0/16"),
        ({"TopLevelPoolCidr": "8.0.0.0/8"}, "not private address space"),
        ({"TopLevelPoolCidr": "192.0.0.0/8"}, "not private address space"),
        ({"TopLevelPoolCidr": "172.0.0.0/8"}, "not private address space"),
        ({"TopLevelPoolCidr": "1" * 4000}, "is not an IPv4 CIDR"),
        ({"IpamPoolPrefixLength": "twenty"}, "IpamPoolPrefixLength 'twenty' is not a whole number"),
        ({"IpamPoolPrefixLength": "-1"}, "IpamPoolPrefixLength '-1' is not a whole number"),
        ({"AccPoolPrefixLength": "x"}, "AccPoolPrefixLength 'x' is not a whole number"),
        ({"VpcDefaultNetmaskLength": "x"}, "VpcDefaultNetmaskLength 'x' is not a whole number"),
        ({"VpcMinNetmaskLength": "x"}, "VpcMinNetmaskLength 'x' is not a whole number"),
        ({"VpcMaxNetmaskLength": "x"}, "VpcMaxNetmaskLength 'x' is not a whole number"),
        ({"IpamPoolQuota": "x"}, "IpamPoolQuota 'x' is not a whole number"),
        ({"AccPoolPrefixLength": "9" * 4000}, "is not a whole number"),
        ({"IpamPoolPrefixLength": "33"}, "from 1 to 27"),
        ({"IpamPoolPrefixLength": "16"}, "IpamPoolPrefixLength 16 is not longer than the /16 of TopLevelPoolCidr"),
        ({"AccPoolPrefixLength": "20"}, "AccPoolPrefixLength 20 is not longer than a Region's /20"),
        (
            {"IpamPoolPrefixLength": "28"},
            "IpamPoolPrefixLength 28 is not possible; give a prefix length from 1 to 27",
        ),
        ({"AccPoolPrefixLength": "1"}, "AccPoolPrefixLength 1 is not possible; give a prefix length from 2 to 28"),
        ({"AccPoolPrefixLength": "2"}, "AccPoolPrefixLength 2 is not longer than a Region's /20"),
        ({"AccPoolPrefixLength": "19"}, "give 21 to 28, or a smaller IpamPoolPrefixLength"),
        (
            {"TopLevelPoolCidr": "10.0.0.0/26"},
            "is not longer than the /26 of TopLevelPoolCidr; give 27.",
        ),
        ({"TopLevelPoolCidr": "10.0.0.0/27"}, "give a /26 or larger, for example 192.168.0.0/16"),
        ({"RegionSelection": []}, "RegionSelection is empty"),
        ({"AccEnvName": " "}, "AccEnvName is empty"),
        ({"AccEnvName": ["Prod OU", ""]}, "has an empty name in it"),
        ({"AccEnvName": ["Prod OU", "SDLC OU", "Prod OU"]}, "AccEnvName lists 'Prod OU' twice"),
        ({"RegionSelection": ["us-west-9"]}, "'us-west-9', which this Lambda runtime's boto3 does not know"),
        ({"AccEnvName": ["x" * 129]}, "an OU's name has at most 128"),
        ({"RegionSelection": ["us-west-2", "x" * 4000]}, "which this Lambda runtime's boto3 does not know"),
        ({"RegionSelection": ["us-west-2", "us-west-2"]}, "lists 'us-west-2' twice"),
        ({"AccEnvName": ["x" * 4000, "x" * 4000]}, "twice"),
        ({"VpcDefaultNetmaskLength": "29"}, "VpcDefaultNetmaskLength 29 is not between"),
        ({"VpcDefaultNetmaskLength": "/24"}, "VpcDefaultNetmaskLength '/24' is not a whole number"),
        ({"VpcMinNetmaskLength": "15"}, "give two different lengths from 16 to 28"),
        ({"VpcMaxNetmaskLength": "29"}, "give two different lengths from 16 to 28"),
        ({"VpcMinNetmaskLength": "25", "VpcMaxNetmaskLength": "25"}, "give two different lengths from 16 to 28"),
        ({"VpcMinNetmaskLength": "26"}, "VpcDefaultNetmaskLength 24 is not between VpcMinNetmaskLength 26"),
        ({"VpcMaxNetmaskLength": "20"}, "20 allows only VPCs larger than an environment's pool, a /21"),
        ({"IpamPoolQuota": "6"}, "1 + 2 + 2 * 2 = 7 pools, and may have 6"),
        ({"IpamPoolQuota": "many"}, "IpamPoolQuota 'many' is not a whole number"),
        ({"TopLevelPoolCidr": "10.0.0.0/8,10.1.0.0/16"}, "10.0.0.0/8 and 10.1.0.0/16, which overlap"),
        ({"TopLevelPoolCidr": "10.0.0.0/8,"}, "TopLevelPoolCidr '10.0.0.0/8,' has an empty name in it"),
        ({"IpamPoolQuota": "1234567890"}, "IpamPoolQuota '1234567890' is not a whole number"),
        ({"TopLevelPoolCidr": [f"10.{n}.0.0/16" for n in range(51)]}, "lists 51 CIDRs, and AWS allows 50"),
        ({"PoolSizes": "20"}, "PoolSizes has '20'; give a name and the prefix lengths of its blocks"),
        ({"PoolSizes": "Prod OU=twenty"}, "PoolSizes has 'Prod OU=twenty'"),
        ({"PoolSizes": "Prod OU=20+"}, "PoolSizes has 'Prod OU=20+'"),
        ({"PoolSizes": "=20"}, "PoolSizes has '=20'"),
        ({"PoolSizes": "Prod OU=21,Prod OU=21"}, "lists 'Prod OU' twice; join its sizes with +, for example 21+21."),
        ({"PoolSizes": ",".join(["x" * 200 + "=21"] * 2)}, "join its sizes with +, for example 21+21."),
        ({"PoolSizes": "Prod OU=29"}, "PoolSizes 29 is not possible; give a prefix length from 1 to 28"),
        ({"PoolSizes": "Prod=21"}, "names 'Prod', which is no pool of this stack; remove the entry, or name a Region"),
        ({"PoolSizes": "eu-west-1/Prod OU=21"}, "or both, for example 'us-east-1/SDLC OU'."),
        ({"AccEnvName": ["x" * 128], "PoolSizes": "Prod=21"}, "or both, for example 'us-east-1/xx"),
        ({"PoolSizes": "Prod OU=" + "+".join(["28"] * 51)}, "51 blocks, and AWS allows 50 in a pool"),
        ({"PoolSizes": "Prod OU=24", "VpcMaxNetmaskLength": "23"}, "larger than an environment's pool, a /24"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_plan_that_cannot_be_built_is_refused_with_the_way_out(changed: dict[str, Any], reason: str) -> None:
    with pytest.raises(Refused) as refusal:
        plan(**changed)

    assert reason in str(refusal.value)
    assert len(str(refusal.value)) < 240


@pytest.mark.parametrize(
    ("default", "smallest", "largest"), [(21, 28, 21), (28, 28, 16), (24, 28, 16), (21, 22, 16), (21, 21, 16)]
)
def test_a_vpc_may_be_as_large_and_as_small_by_default_as_it_may_be_at_all(
    default: int, smallest: int, largest: int
) -> None:
    sizes = {"VpcDefaultNetmaskLength": default, "VpcMinNetmaskLength": largest, "VpcMaxNetmaskLength": smallest}

    assert plan(**sizes).vpc_sizes == VpcSizes(default, largest, smallest)


@pytest.mark.parametrize(
    "changed",
    [
        {"AccEnvName": ["x" * 128]},
        {"TopLevelPoolCidr": [f"10.{number}.0.0/16" for number in range(50)]},
        {"PoolSizes": "Prod OU=" + "+".join(["28"] * 50)},
        {"IpamPoolQuota": "123456789"},
        {"IpamPoolQuota": "7"},
        {"TopLevelPoolCidr": "100.64.0.0/16"},
        {"TopLevelPoolCidr": "10.0.0.0/26", "IpamPoolPrefixLength": "27", "AccPoolPrefixLength": "28"}
        | {"VpcDefaultNetmaskLength": "28"},
    ],
    ids=[
        "a long name",
        "50 CIDRs",
        "50 blocks",
        "a high quota",
        "as many pools as the quota",
        "RFC 6598",
        "small pools",
    ],
)
def test_what_is_just_within_the_limits_is_not_refused(changed: dict[str, Any]) -> None:
    assert plan(**changed).pools


@pytest.mark.parametrize(("text", "fits"), [("1", True), ("28", True), ("0", False), ("29", False)])
def test_a_prefix_length_may_be_from_1_to_28(text: str, fits: bool) -> None:
    with nullcontext() if fits else pytest.raises(Refused, match="give a prefix length from 1 to 28, for example 20"):
        assert prefix_length("AccPoolPrefixLength", text) == int(text)


@pytest.mark.parametrize(
    ("text", "sizes"),
    [
        ("", {}),
        ("us-east-1=19", {EAST: (19,)}),
        ("us-east-1=20+19", {EAST: (19, 20)}),
        ("Prod OU=22", {EAST_PROD: (22,), WEST_PROD: (22,)}),
        ("us-east-1/Prod OU=21 + 21, Prod OU=22", {EAST_PROD: (21, 21), WEST_PROD: (22,)}),
    ],
)
def test_sizes_are_those_of_a_region_of_an_environment_everywhere_or_of_one_pool_which_precedes(
    text: str, sizes: dict[PoolKey, tuple[int, ...]]
) -> None:
    assert plan(PoolSizes=text).pool_sizes == sizes


def test_a_name_may_hold_whatever_the_name_of_an_ou_may() -> None:
    name = "R&D = 1/2 + (é) us-east-1"

    spec = plan(AccEnvName=[name], PoolSizes=f"{name}=22,us-east-1/{name}=23")

    assert spec.pool_sizes == {PoolKey("us-west-2", name): (22,), PoolKey("us-east-1", name): (23,)}


def test_the_vpc_of_a_pool_with_small_blocks_takes_a_whole_block_by_default() -> None:
    spec = plan(PoolSizes="Prod OU=26")

    assert (spec.default_vpc(EAST_PROD), spec.default_vpc(PoolKey("us-east-1", "SDLC OU"))) == (26, 24)


def test_fifty_pools_with_the_top_level_pool_are_within_aws_quota_and_more_are_not() -> None:
    regions = ["us-west-2", "us-east-1", "eu-west-1", "eu-central-1"]
    environments = [f"OU {i}" for i in range(12)]
    wide = {"IpamPoolPrefixLength": "18", "AccPoolPrefixLength": "22", "RegionSelection": regions}

    with pytest.raises(Refused, match=r"1 \+ 4 \+ 4 \* 12 = 53 pools, and may have 50"):
        plan(**wide, AccEnvName=environments)

    assert len(plan(**wide, AccEnvName=environments[:11]).pools) == 49
    assert len(plan(**wide, AccEnvName=environments, IpamPoolQuota="60").pools) == 53


def test_an_ou_that_is_named_by_its_id_keeps_its_name_as_the_environment() -> None:
    spec = plan(AccEnvName=["Prod (EU) (ou-ab12-34567890)", "SDLC OU"])

    assert spec.environments == ("Prod (EU)", "SDLC OU")
    assert spec.pinned_ous == {"Prod (EU)": "ou-ab12-34567890"}


@pytest.mark.parametrize(
    ("environments", "reason"),
    [
        ("A (ou-ab12-34567890),B (ou-ab12-34567890)", "lists OU ou-ab12-34567890 twice"),
        ("A (ou-ab12-34567890),A (ou-ab12-34567891)", "AccEnvName lists 'A' twice"),
        ("A,A (ou-ab12-34567890)", "lists 'A' twice"),
    ],
)
def test_an_ou_is_one_environment_and_an_environment_is_one_ou(environments: str, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        plan(AccEnvName=environments)


def test_the_sizes_of_an_environment_are_given_once_with_the_id_of_its_ou_or_without() -> None:
    environments = ["A (ou-ab12-34567890)", "SDLC OU"]
    assert plan(AccEnvName=environments, PoolSizes="A (ou-ab12-34567890)=22").written_sizes() == ["A=22"]

    with pytest.raises(Refused, match=r"PoolSizes lists 'A' twice, once with the ID of its OU; list it once\."):
        plan(AccEnvName=environments, PoolSizes="A=22,A (ou-ab12-34567890)=23")


@pytest.mark.parametrize("sizes", ["us-east-1=20+20,us-east-1/Prod OU=21+21", "SDLC OU=22,us-west-2/Prod OU=22", ""])
def test_the_sizes_of_pools_are_written_as_they_were_given(sizes: str) -> None:
    assert ",".join(plan(PoolSizes=sizes).written_sizes()) == sizes


PIN = "ou-ab12-34567890"


@pytest.mark.parametrize(
    ("item", "right"),
    [
        (f"Prod OU({PIN})", f"Prod OU ({PIN})"),
        (f"Prod OU  ({PIN})", f"Prod OU ({PIN})"),
        (f"Prod OU\u00a0({PIN})", f"Prod OU ({PIN})"),
        (f"Prod OU ({PIN.upper()})", f"Prod OU ({PIN})"),
        (f"Prod OU ( {PIN} )", f"Prod OU ({PIN})"),
        (f"Prod OU [{PIN}]", f"Prod OU ({PIN})"),
        (f"Prod OU {PIN}", f"Prod OU ({PIN})"),
        (f"Prod OU: {PIN}", f"Prod OU ({PIN})"),
        (f"'Prod OU ({PIN})'", f"Prod OU ({PIN})"),
        (f'"Prod OU" ({PIN})', f"Prod OU ({PIN})"),
        (f"Prod OU ({PIN}", f"Prod OU ({PIN})"),
        (f"Prod OU ({PIN}) ({PIN})", f"Prod OU ({PIN})"),
        (f"Prod (EU)({PIN})", f"Prod (EU) ({PIN})"),
        ("Prod OU (ou-ab12-3456)", "Prod OU (ou-...)"),
        ("Prod OU (OU-", "Prod OU (ou-...)"),
        (PIN, f"<name> ({PIN})"),
        (f"({PIN})", f"<name> ({PIN})"),
    ],
)
def test_an_id_that_is_not_written_as_it_must_be_is_refused_with_the_right_form(item: str, right: str) -> None:
    with pytest.raises(Refused) as refusal:
        plan(AccEnvName=["SDLC OU", item])

    assert f" Write {right} for this OU: " in str(refusal.value)
    assert len(str(refusal.value)) < 240


@pytest.mark.parametrize(
    "name",
    [
        "Prod (EU)",
        "[old] Prod",
        "Prod (OU)",
        "'Prod'",
        "you-know-everything1",
        "ou-prod-workloads",
        "l'ou-est",
        "(x) 'y'",
    ],
)
def test_what_looks_like_no_id_is_the_name_of_an_ou_whatever_it_holds(name: str) -> None:
    assert plan(AccEnvName=[name]).environments == (name,)


def test_an_ou_whose_name_looks_like_an_id_is_named_by_its_id() -> None:
    names = ["Team (ou-tside)", "ou-prod-workload1"]

    for name in names:
        assert plan(AccEnvName=[f"{name} ({PIN})"]).pinned_ous == {name: PIN}


def test_the_sizes_of_an_ou_that_is_named_by_its_id_may_be_written_as_it_is_in_the_list() -> None:
    spec = plan(
        AccEnvName=[f"Prod OU ({PIN})", "SDLC OU"], PoolSizes=f"Prod OU ({PIN})=22,us-east-1/Prod OU ({PIN})=23"
    )

    assert spec.pool_sizes == {WEST_PROD: (22,), EAST_PROD: (23,)}
