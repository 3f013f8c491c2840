"""CIDRs of pools: provisioning, failure, deprovisioning."""

from __future__ import annotations

import re
from typing import Any

import pytest

from aws_models.errors import AwsError
from aws_models.ipam import Quotas
from aws_models.ipam.bench import NETWORKING, WEST, Bench


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def top(bench: Bench) -> str:
    """A top-level pool of 10.0.0.0/16."""
    return bench.pool("10.0.0.0/16")


def test_the_first_answer_is_always_pending_and_shows_a_cidr_that_was_named(bench: Bench) -> None:
    answer = bench.provision(bench.pool(), Cidr="10.0.0.0/16")

    assert re.fullmatch(r"ipam-pool-cidr-[0-9a-f]{33}", answer.pop("IpamPoolCidrId"))
    assert answer == {"Cidr": "10.0.0.0/16", "State": "pending-provision", "NetmaskLength": 16}


def test_a_cidr_that_ipam_chooses_is_shown_once_it_is_provisioned(bench: Bench, top: str) -> None:
    child = bench.pool(SourceIpamPoolId=top)
    answer = bench.provision(child, NetmaskLength=20)
    bench.clock.advance(2)
    early = bench.cidr(child)
    bench.wait()
    late = bench.cidr(child)

    assert "Cidr" not in answer
    assert "Cidr" not in early
    assert late["Cidr"] == "10.0.0.0/20"
    assert answer["IpamPoolCidrId"] == early["IpamPoolCidrId"] == late["IpamPoolCidrId"]


def test_a_fresh_cidr_is_not_listed_at_once(bench: Bench) -> None:
    pool_id = bench.pool()
    bench.provision(pool_id, Cidr="10.0.0.0/16")
    assert bench.cidrs(pool_id) == []

    bench.clock.advance(1)

    assert bench.cidr(pool_id)["State"] == "pending-provision"
    assert bench.cidr(pool_id)["Cidr"] == "10.0.0.0/16"


def test_provisioning_takes_a_while(bench: Bench) -> None:
    pool_id = bench.pool()
    bench.provision(pool_id, Cidr="10.0.0.0/16")
    bench.clock.advance(4.9)
    assert bench.cidr(pool_id)["State"] == "pending-provision"

    bench.clock.advance(0.1)

    assert bench.cidr(pool_id)["State"] == "provisioned"
    assert "FailureReason" not in bench.cidr(pool_id)


def test_rows_do_not_say_which_pool_they_are_of(bench: Bench, top: str) -> None:
    assert bench.cidr(top).keys() == {"Cidr", "State", "IpamPoolCidrId", "NetmaskLength"}


def test_a_childs_cidr_is_an_allocation_in_its_source_from_the_request_on(bench: Bench, top: str) -> None:
    child = bench.pool(SourceIpamPoolId=top)
    bench.provision(child, Cidr="10.0.32.0/20")
    bench.wait(1)

    (allocation,) = bench.allocations(top)

    assert re.fullmatch(r"ipam-pool-alloc-[0-9a-f]{33}", allocation.pop("IpamPoolAllocationId"))
    assert allocation == {
        "Cidr": "10.0.32.0/20",
        "ResourceType": "ipam-pool",
        "ResourceId": child,
        "ResourceOwner": NETWORKING,
    }


def test_siblings_get_the_lowest_free_aligned_blocks(bench: Bench, top: str) -> None:
    children = [bench.pool(SourceIpamPoolId=top) for _ in range(4)]
    for child, length in zip(children, (24, 20, 24, 17), strict=True):
        bench.provision(child, NetmaskLength=length)
        bench.wait()

    assert [bench.cidr(child)["Cidr"] for child in children] == [
        "10.0.0.0/24",
        "10.0.16.0/20",
        "10.0.1.0/24",
        "10.0.128.0/17",
    ]


@pytest.mark.parametrize(
    "wanted",
    [{"Cidr": "10.1.0.0/20"}, {"Cidr": "10.0.0.0/15"}, {"Cidr": "10.0.0.0/17"}, {"NetmaskLength": 16}],
    ids=["outside", "larger", "overlapping a sibling", "no room"],
)
def test_what_the_source_does_not_have_fails_late_and_leaves_no_allocation(
    bench: Bench, top: str, wanted: dict[str, Any]
) -> None:
    first, second = (bench.pool(SourceIpamPoolId=top) for _ in range(2))
    bench.provision(first, Cidr="10.0.64.0/20")
    bench.wait()

    answer = bench.provision(second, **wanted)
    bench.clock.advance(2)
    early = bench.cidr(second)
    bench.wait()

    assert (answer["State"], early["State"]) == ("pending-provision", "pending-provision")
    assert "FailureReason" not in early
    assert bench.cidr(second)["State"] == "failed-provision"
    assert bench.cidr(second)["FailureReason"]["Code"] == "cidr-not-available"
    assert [allocation["ResourceId"] for allocation in bench.allocations(top)] == [first]


def test_space_that_the_source_has_not_provisioned_yet_is_not_available(bench: Bench) -> None:
    top = bench.pool()
    child = bench.pool(SourceIpamPoolId=top)
    bench.provision(top, Cidr="10.0.0.0/16")
    bench.provision(child, Cidr="10.0.0.0/20")
    bench.wait()

    assert bench.cidr(child)["State"] == "failed-provision"


def test_space_that_the_source_is_giving_up_is_not_available(bench: Bench, top: str) -> None:
    child = bench.pool(SourceIpamPoolId=top)
    bench.deprovision(top, "10.0.0.0/16")
    bench.provision(child, Cidr="10.0.0.0/20")
    bench.wait()

    assert bench.cidr(child)["State"] == "failed-provision"


def test_a_pool_whose_provisioning_failed_can_try_again_and_be_deleted(bench: Bench, top: str) -> None:
    child = bench.pool(SourceIpamPoolId=top)
    bench.provision(child, Cidr="10.1.0.0/20")
    bench.wait()
    bench.provision(child, Cidr="10.0.0.0/20")
    bench.wait()
    assert sorted(row["State"] for row in bench.cidrs(child)) == ["failed-provision", "provisioned"]

    bench.deprovision(child, "10.0.0.0/20")
    bench.wait()

    bench.ask("DeleteIpamPool", IpamPoolId=child)


def test_a_pool_may_have_several_cidrs_and_children_draw_from_all(bench: Bench, top: str) -> None:
    bench.provision(top, Cidr="10.2.0.0/16")
    bench.wait()
    children = [bench.pool(SourceIpamPoolId=top) for _ in range(2)]
    for child in children:
        bench.provision(child, NetmaskLength=16)
        bench.wait()

    assert [bench.cidr(child)["Cidr"] for child in children] == ["10.0.0.0/16", "10.2.0.0/16"]


def test_top_level_pools_of_a_scope_may_not_overlap(bench: Bench, top: str) -> None:
    other = bench.pool()
    bench.provision(other, Cidr="10.0.128.0/17")
    bench.wait()

    assert bench.cidr(other)["FailureReason"]["Code"] == "cidr-not-available"


def test_top_level_pools_of_two_scopes_may_overlap(bench: Bench, top: str) -> None:
    scope = bench.ask("CreateIpamScope", IpamId=bench.ipam["IpamId"])["IpamScope"]["IpamScopeId"]
    bench.wait()
    other = bench.pool("10.0.0.0/16", IpamScopeId=scope)

    assert bench.cidr(other)["State"] == "provisioned"


def test_a_pool_does_not_get_the_same_cidr_twice(bench: Bench, top: str) -> None:
    with pytest.raises(AwsError, match=r"The CIDR 10.0.0.0/16 is in an invalid state") as refused:
        bench.provision(top, Cidr="10.0.0.0/16")

    assert refused.value.code == "IncorrectState"
    assert [row["State"] for row in bench.cidrs(top)] == ["provisioned"]


def test_a_request_that_failed_takes_nothing_from_later_ones(bench: Bench, top: str) -> None:
    second, third = bench.pool(), bench.pool()
    bench.provision(second, Cidr="10.0.0.0/15")
    bench.wait()
    bench.provision(third, Cidr="10.1.0.0/16")
    bench.wait()

    assert bench.cidr(third)["State"] == "provisioned"


def test_a_request_that_will_fail_takes_nothing_from_others_meanwhile() -> None:
    bench = Bench(mutation_lock="none")
    bench.pool("10.0.0.0/16")
    second, third = bench.pool(), bench.pool()
    bench.provision(second, Cidr="10.0.0.0/15")
    bench.provision(third, Cidr="10.1.0.0/16")
    bench.wait()

    assert bench.cidr(third)["State"] == "provisioned"


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ({}, "InvalidParameterCombination"),
        ({"Cidr": "10.1.0.0/16", "NetmaskLength": 16}, "InvalidParameterCombination"),
        ({"NetmaskLength": 16}, "InvalidParameterValue"),
        ({"NetmaskLength": 33}, "InvalidParameterValue"),
        ({"Cidr": "10.1.0.1/16"}, "InvalidParameterValue"),
        ({"Cidr": "10.1.0.0"}, "InvalidParameterValue"),
        ({"Cidr": "10.1/16"}, "InvalidParameterValue"),
    ],
    ids=["nothing", "both", "a length at the top", "too long", "host bits", "no length", "no address"],
)
def test_a_request_without_sense_is_refused_at_once(bench: Bench, wanted: dict[str, Any], code: str) -> None:
    pool_id = bench.pool()

    with pytest.raises(AwsError) as refused:
        bench.provision(pool_id, **wanted)

    assert refused.value.code == code
    bench.wait()
    assert bench.cidrs(pool_id) == []


@pytest.mark.parametrize("wanted", [{"Cidr": "fd00::/48"}, {"NetmaskLength": 48}], ids=["cidr", "length"])
def test_ipv6_is_not_implemented(bench: Bench, wanted: dict[str, Any]) -> None:
    pool_id = bench.pool(AddressFamily="ipv6")

    with pytest.raises(NotImplementedError, match="IPv6"):
        bench.provision(pool_id, **wanted)
    bench.wait()
    assert bench.cidrs(pool_id) == []


def test_a_pool_has_fifty_cidrs_at_most() -> None:
    bench = Bench(quotas=Quotas(cidrs_per_pool=1))
    pool_id = bench.pool("10.0.0.0/16")
    bench.provision(pool_id, Cidr="10.1.0.0/16")
    bench.wait()

    reasons = [row["FailureReason"]["Code"] for row in bench.cidrs(pool_id) if row["State"] == "failed-provision"]

    assert reasons == ["limit-exceeded"]


def test_giving_a_cidr_back_takes_a_while_and_stays_listed_for_longer(bench: Bench, top: str) -> None:
    assert bench.deprovision(top, "10.0.0.0/16")["State"] == "pending-deprovision"
    bench.clock.advance(4.9)
    assert bench.cidr(top)["State"] == "pending-deprovision"
    bench.clock.advance(0.1)
    assert bench.cidr(top)["State"] == "deprovisioned"

    bench.wait(60)

    assert bench.cidrs(top) == []


def test_the_source_has_its_space_again_when_the_cidr_is_deprovisioned_and_not_before(bench: Bench, top: str) -> None:
    first, second = (bench.pool(SourceIpamPoolId=top) for _ in range(2))
    bench.provision(first, Cidr="10.0.0.0/16")
    bench.wait()
    bench.deprovision(first, "10.0.0.0/16")
    bench.clock.advance(4.9)
    assert len(bench.allocations(top)) == 1

    bench.clock.advance(0.1)
    bench.provision(second, Cidr="10.0.0.0/16")
    bench.wait()

    assert bench.cidr(second)["State"] == "provisioned"


def test_a_cidr_with_allocations_cannot_be_given_back_and_that_is_said_late(bench: Bench, top: str) -> None:
    child = bench.pool(SourceIpamPoolId=top)
    bench.provision(child, Cidr="10.0.0.0/20")
    bench.wait()

    assert bench.deprovision(top, "10.0.0.0/16")["State"] == "pending-deprovision"
    assert "FailureReason" not in bench.cidr(top)
    bench.wait()

    assert bench.cidr(top)["State"] == "failed-deprovision"
    assert bench.cidr(top)["FailureReason"] == {"Code": "", "Message": "The CIDR has one or more allocations."}


def test_giving_back_can_be_tried_again_after_it_failed(bench: Bench, top: str) -> None:
    child = bench.pool(SourceIpamPoolId=top)
    bench.provision(child, Cidr="10.0.0.0/20")
    bench.wait()
    bench.deprovision(top, "10.0.0.0/16")
    bench.wait()
    bench.deprovision(child, "10.0.0.0/20")
    bench.wait()

    bench.deprovision(top, "10.0.0.0/16")
    bench.wait()

    assert bench.cidr(top)["State"] == "deprovisioned"
    assert "FailureReason" not in bench.cidr(top)


def test_allocations_of_another_cidr_of_the_pool_do_not_matter(bench: Bench, top: str) -> None:
    bench.provision(top, Cidr="10.2.0.0/16")
    bench.wait()
    bench.pool("10.0.0.0/20", SourceIpamPoolId=top)

    bench.deprovision(top, "10.2.0.0/16")
    bench.wait()

    assert {row["Cidr"]: row["State"] for row in bench.cidrs(top)}["10.2.0.0/16"] == "deprovisioned"


def test_a_cidr_is_given_back_once(bench: Bench, top: str) -> None:
    bench.deprovision(top, "10.0.0.0/16")
    for later in (0, 15, 300):  # while it is pending, when it is done, when it has left the list
        bench.wait(later)
        with pytest.raises(AwsError) as refused:
            bench.deprovision(top, "10.0.0.0/16")
        assert refused.value.code == "IncorrectState"


def test_a_cidr_that_is_still_pending_cannot_be_given_back(bench: Bench) -> None:
    pool_id = bench.pool()
    bench.provision(pool_id, Cidr="10.0.0.0/16")

    with pytest.raises(AwsError) as refused:
        bench.deprovision(pool_id, "10.0.0.0/16")

    assert refused.value.code == "IncorrectState"


def test_a_cidr_that_the_pool_never_had_cannot_be_given_back(bench: Bench, top: str) -> None:
    with pytest.raises(AwsError) as refused:
        bench.deprovision(top, "10.9.0.0/16")

    assert refused.value.code == "InvalidParameterValue"


def test_giving_back_to_a_pool_that_is_gone_is_refused_as_such(bench: Bench) -> None:
    with pytest.raises(AwsError) as refused:
        bench.deprovision("ipam-pool-0123456789abcdef0", "10.0.0.0/16")

    assert refused.value.code == "InvalidIpamPoolId.NotFound"


def test_a_cidr_can_be_had_again_after_it_was_given_back(bench: Bench, top: str) -> None:
    bench.deprovision(top, "10.0.0.0/16")
    bench.wait()
    bench.provision(top, Cidr="10.0.0.0/16")
    bench.wait()
    assert sorted(row["State"] for row in bench.cidrs(top)) == ["deprovisioned", "provisioned"]

    bench.deprovision(top, "10.0.0.0/16")
    bench.wait()

    assert {row["State"] for row in bench.cidrs(top)} == {"deprovisioned"}


def test_a_vpcs_allocation_keeps_its_pools_cidr_until_long_after_the_vpc_is_deleted(bench: Bench) -> None:
    leaf = bench.pool("10.0.0.0/20", Locale=WEST)
    bench.make_vpc("vpc-1", WEST, Ipv4IpamPoolId=leaf, Ipv4NetmaskLength=24)
    bench.model.vpc_deleted("vpc-1")
    bench.wait(1700)
    bench.deprovision(leaf, "10.0.0.0/20")
    bench.wait()
    assert bench.cidr(leaf)["State"] == "failed-deprovision"

    bench.wait(100)
    bench.deprovision(leaf, "10.0.0.0/20")
    bench.wait()

    assert bench.cidr(leaf)["State"] == "deprovisioned"
