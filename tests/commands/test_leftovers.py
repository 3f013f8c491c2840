"""The pools that a deletion of the stack leaves behind, and the text that reports them."""

from __future__ import annotations

from typing import Any

import pytest

from commands.leftovers import (
    Allocation,
    Pool,
    describe_after,
    describe_before,
    find_leftovers,
    pools_of_others,
    to_allocation,
    to_pools,
)

SHOP = "012345678901"


def pool(pool_id: str, parent_id: str = "", description: str = "", *, ours: bool = True, ipam: str = "ipam-1") -> Pool:
    return Pool(pool_id, parent_id, "", ipam, description or pool_id, ours)


TOP, WEST, EAST = pool("top"), pool("west", "top"), pool("east", "top")
PROD, SDLC = pool("prod", "west", "Prod OU in us-west-2"), pool("sdlc", "west")
TREE = (PROD, SDLC, EAST, WEST, TOP)


def allocation(pool_id: str, resource_type: str = "ipam-pool", resource_id: str = "") -> Allocation:
    return Allocation(pool_id, "10.0.0.0/24", resource_type, resource_id, SHOP, "us-west-2")


CHILDREN = [allocation(child.parent_id, resource_id=child.pool_id) for child in TREE if child.parent_id]
VPC = allocation("prod", "vpc", "vpc-1")


def test_no_pool_stays_if_our_own_pools_have_the_only_allocations() -> None:
    found = find_leftovers(TREE, CHILDREN, [])

    assert (found.stays, found.users, found.ipams) == (frozenset(), {}, ())
    assert describe_before(found) == [
        "No pool of this solution is in use: the deletion removes all pools (5) and all shares."
    ]


@pytest.mark.parametrize(
    ("user", "stays", "way_out"),
    [
        (VPC, {"prod", "west", "top"}, "To free a VPC's block, delete the VPC"),
        (allocation("east", "custom", "ipam-pool-alloc-1"), {"east", "top"}, "To free a manual allocation, run"),
        (allocation("top", "ipam-pool", "somebody-elses"), {"top"}, "To free another allocation, delete the resource"),
        (allocation("sdlc", "subnet", "subnet-1"), {"sdlc", "west", "top"}, "To free another allocation, delete"),
    ],
    ids=["a VPC", "a manual allocation", "a pool of others", "an unknown kind"],
)
def test_a_pool_in_use_stays_with_its_parents_and_the_ipam(user: Allocation, stays: set[str], way_out: str) -> None:
    found = find_leftovers(TREE, [*CHILDREN, user], [])

    assert found.stays == stays
    assert found.users == {user.pool_id: (user,)}
    assert found.ipams == ("ipam-1",)
    (told,) = [line for line in describe_before(found) if line.startswith("To free ")]
    assert told.startswith(way_out)


def test_pools_of_others_keep_our_ipam_and_are_not_counted() -> None:
    found = find_leftovers([*TREE, pool("theirs", ours=False)], CHILDREN, [])
    elsewhere = find_leftovers([*TREE, pool("theirs", ours=False, ipam="ipam-2")], CHILDREN, [])

    assert (found.ipams, found.users, found.stays) == (("ipam-1",), {}, frozenset())
    assert "  IPAM ipam-1 would stay: it still has pools." in describe_before(found)
    assert len(found.pools) == 5
    assert elsewhere.ipams == ()


def test_a_pool_that_somebody_has_made_below_ours_keeps_it_even_without_a_cidr() -> None:
    found = find_leftovers([*TREE, pool("theirs", "sdlc", ours=False)], CHILDREN, [])

    assert found.stays == {"sdlc", "west", "top"}
    assert describe_before(found)[:5] == [
        "3 of 5 pools of this solution would stay, because they are in use:",
        "  top (top): a parent of a pool in use",
        "  west (west): a parent of a pool in use",
        "  sdlc (sdlc): in use by",
        "    pool theirs, no CIDR",
    ]


def test_a_pool_of_others_that_has_a_cidr_of_ours_is_told_once_and_by_that() -> None:
    theirs = allocation("sdlc", resource_id="theirs")

    found = find_leftovers([*TREE, pool("theirs", "sdlc", ours=False)], [*CHILDREN, theirs], [])

    assert found.users == {"sdlc": (theirs,)}


def test_one_pool_that_stays_is_one() -> None:
    found = find_leftovers([*TREE, pool("theirs", "top", ours=False)], CHILDREN, [])

    assert describe_before(found)[0] == "1 of 5 pools of this solution would stay, because it is in use:"


def test_each_reason_has_id_cidr_account_and_region() -> None:
    manual = allocation("east", "custom", "ipam-pool-alloc-1")

    assert describe_before(find_leftovers(TREE, [*CHILDREN, VPC, manual], [])) == [
        "4 of 5 pools of this solution would stay, because they are in use:",
        "  top (top): a parent of a pool in use",
        "  east (east): in use by",
        f"    manual allocation ipam-pool-alloc-1, 10.0.0.0/24, account {SHOP}, us-west-2",
        "  west (west): a parent of a pool in use",
        "  Prod OU in us-west-2 (prod): in use by",
        f"    VPC vpc-1, 10.0.0.0/24, account {SHOP}, us-west-2",
        "  IPAM ipam-1 would stay: it still has pools.",
        "To free a VPC's block, delete the VPC in its account and Region. If the account is closed, see "
        "templates/TROUBLESHOOTING.md.",
        "To free a manual allocation, run in the Networking account:",
        "  aws ec2 release-ipam-pool-allocation --region us-west-2 --ipam-pool-id east --cidr 10.0.0.0/24 "
        "--ipam-pool-allocation-id ipam-pool-alloc-1",
        "IPAM frees a block about 30 minutes later. Then run make undo again.",
    ]


def test_the_report_after_a_deletion_lists_each_remaining_pool() -> None:
    assert describe_after(find_leftovers([], [], [])) == ["No pool of this solution is left."]

    lines = describe_after(find_leftovers([TOP, WEST, PROD, EAST], [VPC], []))

    assert lines[0] == "Pools left in the Networking account: 4"
    assert "  east (east): not in use" in lines
    assert lines[-2].startswith("To free a VPC's block, delete the VPC")
    assert lines[-1].startswith("To remove what is left, wait until nothing uses the pools, deploy again")


def test_the_report_names_an_account_without_pools() -> None:
    assert describe_before(find_leftovers([], [], [])) == ["This solution has no pools in the Networking account."]


def test_pools_and_allocations_are_read_from_the_responses_of_aws() -> None:
    top: dict[str, Any] = {
        "IpamPoolId": "ipam-pool-1",
        "State": "create-complete",
        "IpamArn": "arn:aws:ec2::222222222222:ipam/ipam-1",
        "Locale": "None",
        "Tags": [{"Key": "ctipam:stack-id", "Value": "arn:..."}],
    }
    child = {**top, "IpamPoolId": "ipam-pool-2", "SourceIpamPoolId": "ipam-pool-1", "Locale": "us-west-2", "Tags": []}
    custom = {"Cidr": "10.0.0.0/24", "ResourceType": "custom", "IpamPoolAllocationId": "ipam-pool-alloc-1"}

    going = [{**top, "State": "delete-in-progress"}, {**top, "State": "delete-complete"}]
    assert pools_of_others([top, {**top, "Tags": []}, *going], []) == {"arn:...": 1}
    assert pools_of_others([top], ["arn:..."]) == {}
    assert to_pools([top, *going, child], ()) == [
        Pool("ipam-pool-1", "", "", "ipam-1", "", ours=True),
        Pool("ipam-pool-2", "ipam-pool-1", "us-west-2", "ipam-1", "", ours=False),
    ]
    assert to_allocation("ipam-pool-2", custom, "us-west-2") == Allocation(
        "ipam-pool-2", "10.0.0.0/24", "custom", "ipam-pool-alloc-1", "", "us-west-2"
    )
    vpc = {"Cidr": "10.0.1.0/24", "ResourceType": "vpc", "ResourceId": "vpc-1", "ResourceOwner": SHOP}
    assert to_allocation("ipam-pool-1", {**vpc, "ResourceRegion": "eu-west-1"}, "us-west-2") == Allocation(
        "ipam-pool-1", "10.0.1.0/24", "vpc", "vpc-1", SHOP, "eu-west-1"
    )


def test_nobody_is_told_to_delete_a_pool_of_ours_that_has_lost_its_tag() -> None:
    stack_id = "arn:aws:cloudformation:us-east-1:222222222222:stack/s/1"
    top = {"IpamPoolId": "top", "Description": "Top", "Tags": [{"Key": "ctipam:stack-id", "Value": stack_id}]}
    lost = {"SourceIpamPoolId": "top", "Description": "Prod", "Tags": [{"Key": "ctipam:cidr", "Value": "10.0.0.0/24"}]}
    pools = to_pools(
        [top, {**lost, "IpamPoolId": "prod"}, {**lost, "IpamPoolId": "gone", "State": "delete-complete"}], ()
    )

    lines = describe_before(find_leftovers(pools, [allocation("top", resource_id="prod")], []))

    (told,) = [line for line in lines if "has lost the tag" in line]
    assert told.endswith(
        "run in the Networking account, 222222222222: `aws ec2 create-tags --region us-east-1 --resources prod "
        f"--tags Key=ctipam:stack-id,Value={stack_id}`."
    )
    assert "delete the resource" not in str(lines)


def test_after_a_deletion_too_a_pool_that_has_lost_its_tag_is_told() -> None:
    stack_id = "arn:aws:cloudformation:us-east-1:222222222222:stack/s/1"
    top = {"IpamPoolId": "top", "Description": "Top", "Tags": [{"Key": "ctipam:stack-id", "Value": stack_id}]}
    lost = {"IpamPoolId": "prod", "SourceIpamPoolId": "top", "Tags": [{"Key": "ctipam:cidr", "Value": "10.0.0.0/24"}]}

    lines = describe_after(find_leftovers(to_pools([top, lost], ()), [], []))

    assert lines[0] == "Pools left in the Networking account: 1"
    assert [line for line in lines if line.startswith("  Stays: A pool has lost the tag")]


def test_pools_are_known_even_if_all_have_lost_their_tag() -> None:
    lost = {"IpamPoolId": "west", "Description": "West", "Tags": [{"Key": "ctipam:region", "Value": "us-west-2"}]}
    found = find_leftovers(to_pools([lost], ()), [], [])

    assert describe_before(found) == describe_after(found)
    (line,) = describe_before(found)
    assert line.startswith("  Stays: West has lost the tag that marks it as ours.")
    assert line.endswith(
        "run in the Networking account, in the home Region, with the ARN of its stack StackSet-...-networking-...: "
        "`aws ec2 create-tags --resources west --tags Key=ctipam:stack-id,Value=ARN`."
    )
