"""Ordered faults look like AWS's, and happen only as often as ordered."""

from __future__ import annotations

from typing import Any

import pytest

from aws_models.errors import AwsError
from aws_models.ipam.bench import WEST, Bench
from aws_models.organization import Caller

THROTTLED = AwsError("RequestLimitExceeded", "Request limit exceeded.", 503)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_the_next_calls_of_one_action_are_refused_and_do_nothing(bench: Bench) -> None:
    bench.model.faults.refuse_next("CreateIpamPool", THROTTLED, times=2)
    for _ in range(2):
        with pytest.raises(AwsError) as refused:
            bench.create_pool()
        assert refused.value is THROTTLED
    assert bench.ask("DescribeIpamPools")["IpamPools"] == []

    bench.create_pool()


def test_a_vpc_can_be_refused_too(bench: Bench) -> None:
    leaf = bench.pool("10.0.0.0/16", Locale=WEST)
    bench.model.faults.refuse_next("CreateVpc", THROTTLED)

    with pytest.raises(AwsError, match="RequestLimitExceeded"):
        bench.make_vpc("vpc-1", WEST, Ipv4IpamPoolId=leaf, Ipv4NetmaskLength=24)

    assert bench.make_vpc("vpc-1", WEST, Ipv4IpamPoolId=leaf, Ipv4NetmaskLength=24) == "10.0.0.0/24"


def test_when_an_answer_is_lost_the_act_is_done_and_its_token_finds_it(bench: Bench) -> None:
    bench.model.faults.lose_next_answer("CreateIpamPool")
    with pytest.raises(AwsError) as lost:
        bench.create_pool(ClientToken="once")
    assert lost.value.status == 500

    again = bench.create_pool(ClientToken="once")
    bench.wait()

    (pool,) = bench.ask("DescribeIpamPools")["IpamPools"]
    assert pool["IpamPoolId"] == again["IpamPoolId"]


@pytest.mark.parametrize("shown_early", [False, True])
def test_a_provision_can_end_badly_and_the_reason_may_show_before_the_state_does(
    bench: Bench, shown_early: bool
) -> None:
    pool_id = bench.pool()
    bench.model.faults.fail_next("ProvisionIpamPoolCidr", "no", code="limit-exceeded", shown_early=shown_early)
    bench.provision(pool_id, Cidr="10.0.0.0/8")
    bench.clock.advance(2)
    early = bench.cidr(pool_id)
    bench.wait()
    late = bench.cidr(pool_id)

    assert (early["State"], late["State"]) == ("pending-provision", "failed-provision")
    assert ("FailureReason" in early) == shown_early
    assert late["FailureReason"] == {"Code": "limit-exceeded", "Message": "no"}


def test_a_provision_that_ends_badly_takes_nothing(bench: Bench) -> None:
    top = bench.pool("10.0.0.0/8")
    child = bench.pool(SourceIpamPoolId=top)
    bench.model.faults.fail_next("ProvisionIpamPoolCidr", "no")
    bench.provision(child, Cidr="10.0.0.0/16")

    assert bench.allocations(top) == []


def test_a_deprovision_can_end_badly_and_keeps_the_cidr(bench: Bench) -> None:
    pool_id = bench.pool("10.0.0.0/8")
    bench.model.faults.fail_next("DeprovisionIpamPoolCidr", "no")
    bench.deprovision(pool_id, "10.0.0.0/8")
    bench.wait()

    assert bench.cidr(pool_id)["State"] == "failed-deprovision"
    with pytest.raises(AwsError):
        bench.ask("DeleteIpamPool", IpamPoolId=pool_id)


@pytest.mark.parametrize(
    ("action", "params", "state"),
    [("ModifyIpamPool", {"Description": "x"}, "modify-failed"), ("DeleteIpamPool", {}, "delete-failed")],
)
def test_an_act_on_a_pool_can_end_badly_and_be_tried_again(
    bench: Bench, action: str, params: dict[str, Any], state: str
) -> None:
    pool_id = bench.pool()
    bench.model.faults.fail_next(action, "no")
    bench.ask(action, IpamPoolId=pool_id, **params)
    bench.wait()
    pool = bench.ask("DescribeIpamPools")["IpamPools"][0]
    assert (pool["State"], pool["StateMessage"]) == (state, "no")

    bench.ask(action, IpamPoolId=pool_id, **params)
    bench.wait()

    assert bench.state(pool_id).endswith("-complete")


def test_a_pool_whose_creation_failed_can_only_be_deleted(bench: Bench) -> None:
    bench.model.faults.fail_next("CreateIpamPool", "no")
    pool_id = bench.pool()
    assert bench.state(pool_id) == "create-failed"
    with pytest.raises(AwsError) as refused:
        bench.provision(pool_id, Cidr="10.0.0.0/8")
    assert refused.value.code == "IncorrectState"

    bench.ask("DeleteIpamPool", IpamPoolId=pool_id)


def test_only_the_next_act_ends_badly(bench: Bench) -> None:
    bench.model.faults.fail_next("CreateIpamPool", "no")

    assert [bench.state(bench.pool()) for _ in range(2)] == ["create-failed", "create-complete"]


def test_a_refused_call_does_not_spend_a_bad_end(bench: Bench) -> None:
    bench.model.faults.fail_next("CreateIpamPool", "no")
    with pytest.raises(AwsError):
        bench.create_pool(Locale="eu-west-1")

    assert bench.state(bench.pool()) == "create-failed"


def test_a_state_can_last_for_ever(bench: Bench) -> None:
    stuck_later, stuck = bench.pool(), bench.pool()
    bench.model.faults.hang_next("ProvisionIpamPoolCidr")
    bench.provision(stuck, Cidr="10.0.0.0/8")
    bench.wait(86_400)
    assert bench.cidr(stuck)["State"] == "pending-provision"

    bench.model.delete_by_hand(stuck)
    bench.model.faults.hang_next("DeleteIpamPool")
    bench.ask("DeleteIpamPool", IpamPoolId=stuck_later)
    bench.wait(86_400)

    assert bench.state(stuck_later) == "delete-in-progress"


def test_a_provision_that_never_ends_keeps_its_space(bench: Bench) -> None:
    top = bench.pool("10.0.0.0/8")
    child = bench.pool(SourceIpamPoolId=top)
    bench.model.faults.hang_next("ProvisionIpamPoolCidr")
    bench.provision(child, NetmaskLength=16)
    bench.wait()

    assert [allocation["Cidr"] for allocation in bench.allocations(top)] == ["10.0.0.0/16"]


def test_what_ends_at_once_cannot_hang_or_fail_late(bench: Bench) -> None:
    for wish in (bench.model.faults.hang_next, lambda action: bench.model.faults.fail_next(action, "no")):
        with pytest.raises(ValueError, match="DescribeIpamPools"):
            wish("DescribeIpamPools")


def test_an_operator_deletes_a_pool_with_all_that_is_in_it(bench: Bench) -> None:
    top = bench.pool("10.0.0.0/8")
    middle = bench.pool("10.0.0.0/16", SourceIpamPoolId=top)
    leaf = bench.pool("10.0.0.0/20", SourceIpamPoolId=middle, Locale=WEST)
    bench.make_vpc("vpc-1", WEST, Ipv4IpamPoolId=leaf, Ipv4NetmaskLength=24)

    bench.model.delete_by_hand(middle)

    assert [pool["IpamPoolId"] for pool in bench.ask("DescribeIpamPools")["IpamPools"]] == [top]
    assert bench.allocations(top) == []
    bench.model.vpc_deleted("vpc-1")
    bench.wait(3600)


def test_an_operator_deletes_what_was_being_made(bench: Bench) -> None:
    pool_id = bench.pool()
    reserved = bench.pool("10.0.0.0/16", Locale=WEST)
    allocation = bench.model.allocate_vpc(
        {"Ipv4IpamPoolId": reserved, "Ipv4NetmaskLength": 24}, Caller(bench.ipam["OwnerId"], WEST)
    )
    bench.provision(pool_id, Cidr="172.16.0.0/12")

    bench.model.delete_by_hand(pool_id)
    bench.model.delete_by_hand(reserved)
    bench.model.vpc_created(allocation, "vpc-1")
    bench.wait(3600)

    assert bench.ask("DescribeIpamPools")["IpamPools"] == []
    assert bench.cidr(bench.pool("172.16.0.0/12"))["State"] == "provisioned"


def test_an_operator_deletes_the_whole_ipam(bench: Bench) -> None:
    bench.pool("10.0.0.0/16")

    bench.model.delete_by_hand(bench.ipam["IpamId"])

    assert bench.ask("DescribeIpams")["Ipams"] == []
    assert bench.ask("DescribeIpamScopes")["IpamScopes"] == []
    assert bench.ask("DescribeIpamPools")["IpamPools"] == []
    bench.ask("CreateIpam")


def test_a_list_may_leave_tags_out_unless_a_tag_is_asked_for(bench: Bench) -> None:
    tags = [{"Key": "team", "Value": "one"}]
    pool_id = bench.pool(TagSpecifications=[{"ResourceType": "ipam-pool", "Tags": tags}])
    bench.model.faults.list_without_tags("DescribeIpamPools")
    bench.model.faults.list_without_tags("DescribeIpams")

    asked = [{"Name": "tag:team", "Values": ["*"]}]
    assert bench.ask("DescribeIpamPools", Filters=asked)["IpamPools"][0]["Tags"] == tags
    (pool,) = bench.ask("DescribeIpamPools")["IpamPools"]
    assert pool["IpamPoolId"] == pool_id
    assert "Tags" not in pool
    assert "Tags" not in bench.ask("DescribeIpams")["Ipams"][0]
    assert bench.ask("DescribeIpamPools")["IpamPools"][0]["Tags"] == tags
    assert "Tags" in bench.ask("DescribeIpams")["Ipams"][0]
