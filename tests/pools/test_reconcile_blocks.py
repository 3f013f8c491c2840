"""Custom::InitPools: pools with several blocks, whoever gave them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from ctipam import names
from ctipam.tags import to_dict
from landing_zone.direct_stack import BUILT, NETWORKING, PROPERTIES, DirectStack

ROOT = Path(__file__).parents[2]
NOTHING_TO_DO = {"DescribeStacks": 1, "DescribeIpamPools": 1, "GetIpamPoolCidrs": 7}
THREE_REGIONS = ["us-west-2", "us-east-1", "eu-west-1"]
GROWN = "us-west-2/Prod OU=12+12"


def update(stack: DirectStack, **changed: Any) -> dict[str, Any]:
    answer = stack.ask("Update", "InitPools", PROPERTIES | changed)
    assert len(answer["Reason"]) < 240
    return answer


def succeeds(stack: DirectStack, **changed: Any) -> None:
    answer = update(stack, **changed)
    assert answer["Status"] == "SUCCESS", answer["Reason"]


def refusal(stack: DirectStack, **changed: Any) -> str:
    """Return why an update failed, without having changed anything."""
    before = stack.pools(), stack.pool_ids()
    answer = update(stack, **changed)
    assert answer["Status"] == "FAILED"
    assert (stack.pools(), stack.pool_ids()) == before
    return str(answer["Reason"])


def provision(stack: DirectStack, pool: str, *cidrs: str) -> None:
    """Provision CIDRs by hand."""
    pool_id = stack.top_pool_id if pool == "top" else stack.pool_ids()[pool]
    for cidr in cidrs:
        stack.ec2.provision_ipam_pool_cidr(IpamPoolId=pool_id, Cidr=cidr)
        stack.clock.advance(60)


def reserve(stack: DirectStack, pool: str, cidr: str) -> None:
    """Allocate a CIDR by hand."""
    region = pool.partition(" ")[0]
    stack.ec2_in(region).allocate_ipam_pool_cidr(IpamPoolId=stack.pool_ids()[pool], Cidr=cidr)


def recorded(stack: DirectStack, pool: str) -> str:
    (found,) = stack.ec2.describe_ipam_pools(IpamPoolIds=[stack.pool_ids()[pool]])["IpamPools"]
    return to_dict(found["Tags"])[names.BLOCK_TAG]


# Blocks that were added by hand


@pytest.mark.parametrize("block", ["10.32.0.0/12", "10.32.0.0/13"], ids=["of the same size", "of another size"])
def test_a_block_added_by_hand_counts_as_taken_and_nothing_moves_when_the_landing_zone_grows(
    built: DirectStack, block: str
) -> None:
    provision(built, "us-west-2 Prod OU", block)
    by_hand = BUILT | {"us-west-2 Prod OU": f"10.0.0.0/12,{block}"}
    assert built.pools() == by_hand

    succeeds(built, RegionSelection=THREE_REGIONS)
    assert by_hand.items() <= built.pools().items()

    succeeds(built, RegionSelection=THREE_REGIONS, AccEnvName=["Prod OU", "SDLC OU", "Test OU"])
    assert by_hand.items() <= built.pools().items()
    assert built.pools()["us-west-2 Test OU"] == "10.48.0.0/12"


def test_a_block_added_by_hand_changes_nothing_about_whether_something_is_to_be_done(built: DirectStack) -> None:
    provision(built, "us-west-2 Prod OU", "10.32.0.0/12")
    built.wire.counted.clear()

    succeeds(built)

    assert built.wire.counted == NOTHING_TO_DO


def test_a_block_added_by_hand_to_a_region_or_to_the_top_level_pool_is_room_for_others(built: DirectStack) -> None:
    provision(built, "us-west-2", "10.128.0.0/12")
    provision(built, "us-east-1", "10.144.0.0/12")
    provision(built, "top", "172.16.0.0/12")
    environments = ["Prod OU", "SDLC OU", "A", "B", "C"]

    succeeds(built, AccEnvName=environments)

    assert built.pools()["us-west-2 C"] == "10.128.0.0/12"
    assert built.pools()["us-east-1 C"] == "10.144.0.0/12"
    reason = refusal(built, AccEnvName=[*environments, "D"])
    assert "us-west-2 (10.0.0.0/10, 10.128.0.0/12) has no free /12 left" in reason


def test_what_was_added_by_hand_stays_through_every_later_update(built: DirectStack) -> None:
    provision(built, "us-west-2 Prod OU", "10.32.0.0/12", "10.48.0.0/13")

    succeeds(built, PoolSizes="us-west-2/Prod OU=12+14")
    succeeds(built)

    assert built.pools()["us-west-2 Prod OU"] == "10.0.0.0/12,10.32.0.0/12,10.48.0.0/13"


def test_a_pool_that_goes_takes_with_it_what_was_added_by_hand(built: DirectStack) -> None:
    provision(built, "us-west-2 Prod OU", "10.32.0.0/12")

    succeeds(built, AccEnvName=["SDLC OU"])

    assert set(built.pools()) == {"us-west-2", "us-west-2 SDLC OU", "us-east-1", "us-east-1 SDLC OU"}


def test_a_vpc_in_a_block_added_by_hand_keeps_its_environment(built: DirectStack) -> None:
    provision(built, "us-west-2 Prod OU", "10.32.0.0/12")
    reserve(built, "us-west-2 Prod OU", "10.32.0.0/16")

    reason = refusal(built, AccEnvName=["SDLC OU"])

    assert f"us-west-2/Prod OU holds custom allocation (10.32.0.0/16, account {NETWORKING})" in reason


def test_a_deletion_takes_every_unused_block_and_keeps_those_in_use(built: DirectStack) -> None:
    provision(built, "us-west-2 Prod OU", "10.32.0.0/12", "10.48.0.0/12")
    reserve(built, "us-west-2 Prod OU", "10.32.0.0/16")

    answer = built.ask("Delete", "InitPools", PROPERTIES)

    assert answer["Status"] == "SUCCESS"
    assert built.pools() == {"us-west-2": "10.0.0.0/10", "us-west-2 Prod OU": "10.32.0.0/12"}


def deprovision(stack: DirectStack, pool: str, cidr: str) -> None:
    """Take a CIDR from a pool by hand."""
    stack.ec2.deprovision_ipam_pool_cidr(IpamPoolId=stack.pool_ids()[pool], Cidr=cidr)
    stack.clock.advance(60)


# Blocks that are declared


@pytest.mark.parametrize("changed", [{}, {"PackageVersion": "2"}, {"RegionSelection": THREE_REGIONS}], ids=str)
def test_a_declared_block_that_was_taken_away_by_hand_is_given_again_by_any_update(
    built: DirectStack, changed: dict[str, Any]
) -> None:
    deprovision(built, "us-west-2 Prod OU", "10.0.0.0/12")
    assert built.pools()["us-west-2 Prod OU"] == ""

    succeeds(built, **changed)

    assert BUILT.items() <= built.pools().items()


def test_one_of_two_declared_blocks_that_was_taken_away_by_hand_is_given_again(built: DirectStack) -> None:
    succeeds(built, PoolSizes=GROWN)
    deprovision(built, "us-west-2 Prod OU", "10.0.0.0/12")

    succeeds(built, PoolSizes=GROWN)

    assert built.pools() == BUILT | {"us-west-2 Prod OU": "10.0.0.0/12,10.32.0.0/12"}


def test_a_declared_block_is_added_in_place_and_moves_nothing(built: DirectStack) -> None:
    ids = built.pool_ids()

    succeeds(built, PoolSizes=GROWN)

    assert built.pool_ids() == ids
    assert built.pools() == BUILT | {"us-west-2 Prod OU": "10.0.0.0/12,10.32.0.0/12"}
    assert recorded(built, "us-west-2 Prod OU") == "10.0.0.0/12 10.32.0.0/12"
    built.wire.counted.clear()
    succeeds(built, PoolSizes=GROWN)
    assert built.wire.counted == NOTHING_TO_DO


def test_a_block_that_is_declared_no_longer_is_given_back(built: DirectStack) -> None:
    succeeds(built, PoolSizes=GROWN)

    succeeds(built)

    assert built.pools() == BUILT
    assert recorded(built, "us-west-2 Prod OU") == "10.0.0.0/12"


def test_of_two_blocks_the_one_that_is_in_use_is_kept(built: DirectStack) -> None:
    succeeds(built, PoolSizes=GROWN)
    reserve(built, "us-west-2 Prod OU", "10.32.0.0/16")

    succeeds(built)

    assert built.pools()["us-west-2 Prod OU"] == "10.32.0.0/12"


def test_a_block_that_holds_something_is_not_given_back_and_named_with_what_it_holds(built: DirectStack) -> None:
    succeeds(built, PoolSizes=GROWN)
    reserve(built, "us-west-2 Prod OU", "10.0.0.0/16")
    reserve(built, "us-west-2 Prod OU", "10.32.0.0/16")

    reason = refusal(built)

    assert f"10.32.0.0/12 of us-west-2/Prod OU holds custom allocation (10.32.0.0/16, account {NETWORKING})" in reason
    assert reason.endswith(f"or keep the block: PoolSizes {GROWN}.")


def test_a_block_added_by_hand_is_taken_for_a_declared_one_of_its_size(built: DirectStack) -> None:
    provision(built, "us-west-2 Prod OU", "10.48.0.0/12")

    succeeds(built, PoolSizes=GROWN)

    assert built.pools()["us-west-2 Prod OU"] == "10.0.0.0/12,10.48.0.0/12"


def test_a_region_and_its_environments_grow_and_shrink_together(built: DirectStack) -> None:
    sizes = "us-west-2=10+10,us-west-2/Prod OU=11+12"

    succeeds(built, PoolSizes=sizes)

    assert built.pools()["us-west-2"] == "10.0.0.0/10,10.128.0.0/10"
    assert built.pools()["us-west-2 Prod OU"] == "10.0.0.0/12,10.32.0.0/11"

    succeeds(built)
    assert built.pools() == BUILT


def test_a_region_grows_by_the_parameter_that_the_refusal_names(built: DirectStack) -> None:
    environments = ["Prod OU", "SDLC OU", "A", "B", "C"]
    reason = refusal(built, AccEnvName=environments)
    sizes = reason.partition("Give PoolSizes ")[2].partition(";")[0]
    assert sizes == "us-west-2=10+10,us-east-1=10+10"

    succeeds(built, AccEnvName=environments, PoolSizes=sizes)

    assert built.pools()["us-west-2"] == "10.0.0.0/10,10.128.0.0/10"
    assert built.pools()["us-west-2 C"] == "10.128.0.0/12"


@pytest.mark.parametrize("tried", [{}, {"IpamPoolPrefixLength": "19"}], ids=str)
def test_who_adds_an_environment_to_default_sizes_gets_there_by_what_the_refusals_say(tried: dict[str, str]) -> None:
    defaults = {"TopLevelPoolCidr": "192.168.0.0/16", "IpamPoolPrefixLength": "20", "AccPoolPrefixLength": "21"}
    stack = DirectStack()
    stack.set_up()
    with stack.running():
        assert stack.ask("Create", "InitPools", PROPERTIES | defaults)["Status"] == "SUCCESS"
        refusals: list[str] = []
        changed: dict[str, Any] = {**defaults, "AccEnvName": ["Prod OU", "SDLC OU", "Test OU"], **tried}
        while (answer := update(stack, **changed))["Status"] == "FAILED":
            refusals.append(answer["Reason"])
            changed |= dict(re.findall(r"(PoolSizes) (\S.*?)(?:\.$|; or)", answer["Reason"]))
            assert len(refusals) <= 2, refusals

        after = stack.pools()
    assert refusals
    assert after["us-east-1 Test OU"]


def test_the_top_level_pool_grows_by_the_parameter_that_the_refusal_names(built: DirectStack) -> None:
    sizes = "us-west-2=10+10+10,us-east-1=10+10"
    reason = refusal(built, PoolSizes=sizes)
    cidrs = reason.partition("Give TopLevelPoolCidr ")[2].rstrip(".")
    assert cidrs == "10.0.0.0/8,100.64.0.0/10"

    succeeds(built, PoolSizes=sizes, TopLevelPoolCidr=cidrs)

    assert built.cidrs(built.top_pool_id) == cidrs
    assert built.pools()["us-east-1"] == "10.64.0.0/10,100.64.0.0/10"
    assert refusal(built, PoolSizes=sizes).endswith(f"or keep the block: TopLevelPoolCidr {cidrs}.")
    succeeds(built)
    assert built.cidrs(built.top_pool_id) == "10.0.0.0/8"
    assert built.pools() == BUILT


DEFAULTS = {"TopLevelPoolCidr": "192.168.0.0/16", "IpamPoolPrefixLength": "20", "AccPoolPrefixLength": "21"}
DOCUMENTS = [ROOT / "README.md", ROOT / "templates/ipam-controltower-integration.template.yaml"]
EXAMPLE = re.compile(r"for example `?((?:[\w-]+(?:/\w+)?(?: OU)?=[\d+]+,?)+)")
EXAMPLES = {found for path in DOCUMENTS for found in EXAMPLE.findall(" ".join(path.read_text("utf-8").split()))}


def default_stack() -> DirectStack:
    stack = DirectStack()
    stack.set_up()
    with stack.running():
        assert stack.ask("Create", "InitPools", PROPERTIES | DEFAULTS)["Status"] == "SUCCESS"
    return stack


def test_the_examples_of_pool_sizes_fit_a_stack_with_the_default_values() -> None:
    assert len(EXAMPLES) == 3

    for example in EXAMPLES:
        stack = default_stack()
        with stack.running():
            succeeds(stack, **DEFAULTS, PoolSizes=example)


@pytest.mark.parametrize(
    "sizes", ["us-east-1/Prod OU=21+21", "SDLC OU=21+21,us-west-2=20", "us-east-1/Prod OU=22+22+22,SDLC OU=21+21"]
)
def test_a_refusal_for_lack_of_room_gives_all_of_pool_sizes_so_that_what_was_asked_for_stays(sizes: str) -> None:
    stack = default_stack()
    with stack.running():
        given = re.search(r"Give PoolSizes (.*?)(?:;|\.$)", refusal(stack, **DEFAULTS, PoolSizes=sizes))
        assert given

        succeeds(stack, **DEFAULTS, PoolSizes=given[1])

    for entry in sizes.split(","):
        name, _, lengths = entry.rpartition("=")
        assert f"{name}={lengths}" in given[1].split(",") or f"{name}={lengths}+" in given[1]


def test_without_private_space_the_blocks_that_fit_are_named(built: DirectStack) -> None:
    reason = refusal(built, PoolSizes="us-west-2=10+10+10+10+10")

    assert "PrefixLength" not in reason
    assert reason.endswith("Give PoolSizes us-west-2=10+10+10.")
    succeeds(built, PoolSizes="us-west-2=10+10+10")


def test_a_cidr_that_contains_one_of_the_top_level_pool_is_refused_with_those_to_give(built: DirectStack) -> None:
    provision(built, "top", "172.16.0.0/16")

    reason = refusal(built, TopLevelPoolCidr="10.0.0.0/8,172.16.0.0/12")

    instead = "172.16.0.0/16,172.17.0.0/16,172.18.0.0/15,172.20.0.0/14,172.24.0.0/13"
    assert reason.endswith(f"which the top-level pool of this stack has already. Give {instead} instead.")
    succeeds(built, TopLevelPoolCidr=f"10.0.0.0/8,{instead}")


def test_what_keeps_a_block_that_is_in_use_keeps_the_other_sizes_too(built: DirectStack) -> None:
    others = "SDLC OU=13,us-east-1/Prod OU=13"
    succeeds(built, PoolSizes=f"{GROWN},{others}")
    reserve(built, "us-west-2 Prod OU", "10.0.0.0/16")
    reserve(built, "us-west-2 Prod OU", "10.32.0.0/16")

    assert refusal(built, PoolSizes=others).endswith(f"or keep the block: PoolSizes {GROWN},{others}.")


def test_a_pool_of_fifty_cidrs_is_handled_and_the_fifty_first_is_refused() -> None:
    stack = DirectStack()
    stack.set_up()
    properties = PROPERTIES | {"AccPoolPrefixLength": "16", "RegionSelection": ["us-west-2"], "AccEnvName": ["Prod OU"]}
    sizes = "us-west-2/Prod OU=" + "+".join(["16"] * 50)
    with stack.running():
        assert stack.ask("Create", "InitPools", properties | {"PoolSizes": sizes})["Status"] == "SUCCESS"
        held = stack.pools()["us-west-2 Prod OU"].split(",")
        assert held == [f"10.{number}.0.0/16" for number in range(50)]
        stack.wire.counted.clear()
        assert stack.ask("Update", "InitPools", properties | {"PoolSizes": sizes})["Status"] == "SUCCESS"
        assert stack.wire.counted.keys() == NOTHING_TO_DO.keys()

        declared = stack.ask("Update", "InitPools", properties | {"PoolSizes": f"{sizes}+16"})
        beside_others = stack.ask("Update", "InitPools", properties | {"PoolSizes": f"{sizes[:-3]}+17"})

    assert "51 blocks, and AWS allows 50" in declared["Reason"]
    assert "us-west-2/Prod OU has 50 CIDRs and would get 1 more, and AWS allows 50" in beside_others["Reason"]


# Blocks that AWS has failed to take back


@pytest.mark.parametrize(
    ("pool", "changed", "reason", "way_out"),
    [
        (
            "us-west-2",
            {"AccEnvName": ["Prod OU", "SDLC OU", "Test OU"]},
            "No room for us-west-2/Test OU: us-west-2 (10.0.0.0/10 failed-deprovision) has no free /12 left. "
            "Give PoolSizes us-west-2=10+10; or remove this environment.",
            {"PoolSizes": "us-west-2=10+10"},
        ),
        (
            "",
            {"RegionSelection": THREE_REGIONS},
            "No room for eu-west-1: the top-level pool (10.0.0.0/8 failed-deprovision) has no free /10 left. "
            "Give TopLevelPoolCidr 10.0.0.0/8,100.64.0.0/10; or remove this Region.",
            {"TopLevelPoolCidr": "10.0.0.0/8,100.64.0.0/10"},
        ),
    ],
    ids=["of a Region", "of the top-level pool"],
)
def test_nothing_is_added_in_a_block_that_aws_has_failed_to_take_back(
    built: DirectStack, pool: str, changed: dict[str, Any], reason: str, way_out: dict[str, Any]
) -> None:
    pool_id = built.pool_ids().get(pool) or built.top_pool_id
    (row,) = built.rows(pool_id)
    built.ec2.deprovision_ipam_pool_cidr(IpamPoolId=pool_id, Cidr=row["Cidr"])
    built.clock.advance(60)

    assert refusal(built, **changed) == reason
    succeeds(built, **changed, **way_out)


def test_pools_that_shrink_and_are_not_in_use_find_room_in_their_own_place(built: DirectStack) -> None:
    """Of the Region's blocks, the one with the pools is kept. It is full of them, and the other is to go."""
    west = {"RegionSelection": ["us-west-2"]}
    succeeds(built, **west, AccEnvName=["Prod OU", "SDLC OU", "A", "B"])
    succeeds(built, **west, AccPoolPrefixLength="11", PoolSizes="us-west-2=10+10")

    succeeds(built, **west)

    sizes = {"us-west-2": "10.64.0.0/10", "us-west-2 Prod OU": "10.64.0.0/12", "us-west-2 SDLC OU": "10.80.0.0/12"}
    assert built.pools() == sizes


def test_a_pool_that_shrinks_and_is_in_use_makes_no_room(built: DirectStack) -> None:
    west = {"RegionSelection": ["us-west-2"]}
    succeeds(built, **west, PoolSizes="us-west-2/Prod OU=11,us-west-2/SDLC OU=11")
    built.make_vpc("us-west-2", "Prod OU")

    assert refusal(built, **west, AccEnvName=["Prod OU", "SDLC OU", "A", "B"]).startswith(
        "In use, nothing was changed: "
    )
    succeeds(built, **west, AccEnvName=["Prod OU", "SDLC OU", "A"], PoolSizes="us-west-2/Prod OU=11")


def test_what_is_small_does_not_take_the_room_for_which_what_is_large_waits(built: DirectStack) -> None:
    """One more /12 is free at once, and the /11 finds room only with it, when the pool of A is gone."""
    west = {"RegionSelection": ["us-west-2"]}
    succeeds(built, **west, AccEnvName=["Prod OU"])
    succeeds(built, **west, AccEnvName=["Prod OU", "A"], PoolSizes="us-west-2/A=12+12")
    assert built.pools()["us-west-2 A"] == "10.16.0.0/12,10.32.0.0/12"

    succeeds(built, **west, AccEnvName=["B", "Prod OU"], PoolSizes="us-west-2/B=11+12")

    assert built.pools()["us-west-2 B"] == "10.16.0.0/12,10.32.0.0/11"


def test_a_pool_waits_for_its_first_block_of_which_a_part_is_reserved(built: DirectStack) -> None:
    """Only a pool without any block may get such a one. The /12 is free first, when half of the pool of A is gone."""
    west = {"RegionSelection": ["us-west-2"], "ReservedCidrs": "10.40.0.0/24"}
    succeeds(built, **west, AccEnvName=["Prod OU"])
    succeeds(built, **west, AccEnvName=["Prod OU", "A"], PoolSizes="us-west-2/A=12+12")

    succeeds(built, **west, AccEnvName=["B", "Prod OU"], PoolSizes="us-west-2/B=11+12")

    assert built.pools()["us-west-2 B"] == "10.16.0.0/12,10.32.0.0/11"


def test_a_pool_in_use_gets_nothing_reserved_even_when_it_has_given_back_its_only_block() -> None:
    """A VPC could take it before it is allocated. There is room beside it when the other pool has given back too."""
    stack = DirectStack()
    stack.set_up()
    west = {"RegionSelection": ["us-west-2"]}
    with stack.running():
        larger = PROPERTIES | west | {"PoolSizes": "us-west-2=9,us-west-2/SDLC OU=11"}
        assert stack.ask("Create", "InitPools", larger)["Status"] == "SUCCESS"
        assert stack.pools()["us-west-2 SDLC OU"] == "10.0.0.0/11"

        sizes = "us-west-2=9,us-west-2/Prod OU=11,us-west-2/SDLC OU=12"
        succeeds(stack, **west, PoolSizes=sizes, ReservedCidrs="10.50.0.0/24,10.70.0.0/24,10.100.0.0/24")

        assert stack.pools()["us-west-2 Prod OU"] == "10.0.0.0/11"
