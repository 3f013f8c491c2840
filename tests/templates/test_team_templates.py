"""The two templates for the teams' accounts: the sample VPC, and the policy that requires VPCs to use a pool."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest

from checkers.template import Template, holds
from checkers.template_reader import read_template

TEMPLATES = Path(__file__).parents[2] / "templates"
SUBNETS = ("FirstSubnet", "SecondSubnet", "ThirdSubnet")


def resources(name: str) -> dict[str, Any]:
    return dict(read_template(TEMPLATES / name)["Resources"])


def evaluated(value: Any, zones: list[str]) -> Any:
    """Return what CloudFormation makes of the functions in an AvailabilityZone."""
    match value:
        case {"Fn::GetAZs": _}:
            return zones
        case {"Fn::Join": [separator, items]}:
            return separator.join(evaluated(items, zones))
        case {"Fn::Split": [separator, text]}:
            return evaluated(text, zones).split(separator)
        case {"Fn::Select": [index, items]}:
            return evaluated(items, zones)[int(index)]
        case list():
            return [evaluated(item, zones) for item in value]
    return value


@pytest.mark.parametrize(
    ("zones", "used"),
    [(["a", "b"], ["a", "b", "a"]), (["a", "b", "c"], ["a", "b", "c"]), (["a", "b", "c", "d"], ["a", "b", "c"])],
)
def test_three_subnets_fit_an_account_that_sees_two_zones(zones: list[str], used: list[str]) -> None:
    found = resources("workload-vpc.template.yaml")

    assert [evaluated(found[name]["Properties"]["AvailabilityZone"], zones) for name in SUBNETS] == used


@pytest.mark.parametrize("count", [1, 2, 3])
def test_there_are_as_many_subnets_as_are_asked_for_and_each_is_a_quarter_of_the_vpc(count: int) -> None:
    template = Template.read(TEMPLATES / "workload-vpc.template.yaml")
    given = {"SubnetCount": str(count)}
    made = [
        name
        for name, _ in template.of_type("AWS::EC2::Subnet")
        if "Condition" not in (resource := template.resources[name])
        or holds(resource["Condition"], template.conditions, given)
    ]

    assert made == list(SUBNETS[:count])
    for length in template.parameters["VpcNetmaskLength"]["AllowedValues"]:
        vpc = IPv4Network(f"10.0.0.0/{length}")
        quarters = [str(one) for one in vpc.subnets(prefixlen_diff=2)]
        assert [
            _block(template.properties(name)["CidrBlock"], vpc, template.mappings["QuarterOfAVpc"][str(length)])
            for name in made
        ] == quarters[:count]


def _block(written: Any, vpc: IPv4Network, of_size: Mapping[str, int]) -> str:
    """Return what CloudFormation makes of a CidrBlock."""
    index, of = written["Fn::Select"]
    cidr, count, bits = of["Fn::Cidr"]
    assert cidr == {"Fn::GetAtt": ["Vpc", "CidrBlock"]}
    assert bits == {"Fn::FindInMap": ["QuarterOfAVpc", {"Ref": "VpcNetmaskLength"}, "HostBits"]}
    blocks = list(vpc.subnets(new_prefix=32 - of_size["HostBits"]))
    return str(blocks[:count][index])


def test_a_vpc_that_an_update_replaces_stays_and_the_parameters_say_so() -> None:
    template = read_template(TEMPLATES / "workload-vpc.template.yaml")

    for name in ("Vpc", *SUBNETS):
        assert template["Resources"][name]["UpdateReplacePolicy"] == "Retain"
    for name in ("PoolId", "VpcNetmaskLength"):
        assert "the existing VPC and its subnets remain" in template["Parameters"][name]["Description"]


def test_an_ipv6_cidr_from_a_pool_may_be_added_and_one_of_amazon_is_said_to_be_denied() -> None:
    """The request names an IPv4 pool, an IPv6 pool, or neither."""
    template = read_template(TEMPLATES / "require-ipam-pool.template.yaml")
    statements = template["Resources"]["RequireIpamPool"]["Properties"]["Content"]["Statement"]
    keys = {one["Action"]: one["Condition"].get("Null", {}) for one in statements}

    assert set(keys["ec2:CreateVpc"]) == {"ec2:Ipv4IpamPoolId"}  # an IPv6 pool does not replace the IPv4 pool
    assert set(keys["ec2:AssociateVpcCidrBlock"]) == {"ec2:Ipv4IpamPoolId", "ec2:Ipv6IpamPoolId"}
    assert "denies adding an IPv6 CIDR that Amazon provides" in template["Description"]
