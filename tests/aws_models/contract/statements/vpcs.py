"""What VPCs that draw from a pool show."""

from __future__ import annotations

from aws_models.contract.aws import expect, expect_all
from aws_models.contract.ground import VPC_TAGS, Ground
from aws_models.contract.sources import ASSUMED, CLI, ELSEWHERE, GUIDE, PROVIDER
from aws_models.contract.statement import Group

VPCS = Group("vpcs", makes="a VPC without anything in it")


@VPCS.states(
    "A VPC without a tag that the pool asks for is refused, in the words of the source; the code is assumed.",
    "https://github.com/awslabs/landing-zone-accelerator-on-aws/issues/917",
    settles="ipam.vpcs._check_tags",
)
def missing_tag(aws: Ground) -> None:
    words = "The resource is missing one or more of the resource tags required by the IPAM pool."
    create = aws.ec2(aws.elsewhere).create_vpc
    aws.expect_refusal("InvalidParameterValue", create, words, Ipv4IpamPoolId=aws.leaf)
    wrong = [{"ResourceType": "vpc", "Tags": [{"Key": "Env", "Value": "contract"}]}]
    aws.expect_refusal("InvalidParameterValue", create, words, Ipv4IpamPoolId=aws.leaf, TagSpecifications=wrong)


@VPCS.states("A VPC larger than the pool gives is refused.", f"{PROVIDER}issues/39046")
def large_vpc(aws: Ground) -> None:
    wanted = {"Ipv4IpamPoolId": aws.leaf, "Ipv4NetmaskLength": 22, "TagSpecifications": VPC_TAGS}
    words = "The allocation size is too big for the pool."
    aws.expect_refusal("InvalidParameterValue", aws.ec2(aws.elsewhere).create_vpc, words, **wanted)


@VPCS.states(
    "A pool without a locale gives no VPC an address.",
    f"{GUIDE}create-top-ipam.html",
    settles="ipam.vpcs.allocate_vpc",
)
def vpc_without_a_locale(aws: Ground) -> None:
    wanted = {"Ipv4IpamPoolId": aws.top, "Ipv4NetmaskLength": 28}
    aws.expect_refusal("InvalidParameterValue", aws.ec2().create_vpc, **wanted)


@VPCS.states("Outside its locale, a pool gives no VPC an address.", ELSEWHERE, "two regions")
def vpc_in_another_region(aws: Ground) -> None:
    wanted = {"Ipv4IpamPoolId": aws.leaf, "TagSpecifications": VPC_TAGS}
    aws.expect_refusal("InvalidParameterValue", aws.ec2().create_vpc, **wanted)


@VPCS.states("A full pool gives no VPC an address.", ASSUMED, settles="ipam.allocations.carve")
def vpc_from_a_full_pool(aws: Ground) -> None:
    wanted = {"Ipv4IpamPoolId": aws.full, "Ipv4NetmaskLength": 28}
    aws.expect_refusal("InsufficientCidrBlocks", aws.ec2(aws.elsewhere).create_vpc, **wanted)


@VPCS.states(
    "A VPC that names only the pool gets a block of the default size, with the first answer.", f"{CLI}create-vpc.rst"
)
def default_size(aws: Ground) -> None:
    expect("length of its CIDR block", aws.vpc["CidrBlock"].partition("/")[2], "26")


@VPCS.states(
    "Its allocation names the VPC, its Region and its owner.", f"{GUIDE}tutorials-create-vpc-ipam.html", seconds=10
)
def allocation_of_a_vpc(aws: Ground) -> None:
    row = aws.until("the allocation", lambda: _allocation(aws))
    expect_all(row, ResourceType="vpc", ResourceRegion=aws.elsewhere, ResourceOwner=aws.owner.id)
    expect("CIDR", row["Cidr"], aws.vpc["CidrBlock"])


@VPCS.states(
    "The allocation of a VPC cannot be released while the VPC exists.",
    f"{GUIDE}release-alloc-ipam.html",
    settles="ipam.allocations.release_ipam_pool_allocation",
)
def release_of_a_vpc(aws: Ground) -> None:
    row = aws.until("the allocation", lambda: _allocation(aws))
    named = {"IpamPoolId": aws.leaf, "IpamPoolAllocationId": row["IpamPoolAllocationId"], "Cidr": row["Cidr"]}
    aws.expect_refusal("InvalidParameterValue", aws.ec2(aws.elsewhere).release_ipam_pool_allocation, **named)


def _allocation(aws: Ground) -> dict[str, str] | None:
    vpc_id = aws.vpc["VpcId"]
    return next((row for row in aws.allocations(aws.leaf, aws.elsewhere) if row.get("ResourceId") == vpc_id), None)
