"""The check of how full the pools are, as its schedule runs it, in the Networking account."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from aws_models.errors import AwsError
from ctipam.errors import AwsFailed
from landing_zone.direct_stack import Context

Check = Callable[[], dict[str, Any]]

WEST_PROD, EAST_PROD = "Prod OU us-west-2", "Prod OU us-east-1"
WEST_SDLC, EAST_SDLC = "SDLC OU us-west-2", "SDLC OU us-east-1"


@pytest.fixture
def check(networking: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Check:
    """Run the check; the lines that it prints, by environment and Region."""
    cloudformation = networking.cloudformation
    handler = cloudformation.handler.__globals__["measure_utilization"]  # another entry point of the same zip
    monkeypatch.setenv("STACK_ID", cloudformation.stack_id)
    monkeypatch.setenv("TOPIC_ARN", "arn:aws:sns:us-east-1:222222222222:topic")
    monkeypatch.setenv("POOL_UTILISATION_THRESHOLD", "80")
    monkeypatch.setenv("MENDING_FUNCTION", "function")

    def run() -> dict[str, Any]:
        with cloudformation.cloud.running_in(cloudformation.account_id):
            handler({}, Context(cloudformation.cloud.clock))
        return lines(capsys)

    return run


def lines(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return {f"{line['Environment']} {line['Region']}": line for line in found if "Environment" in line}


def reserve(networking: Any, environment: str, region: str, cidr: str) -> None:
    """As an operator keeps a block of a pool."""
    description = [{"Name": "description", "Values": [f"{environment} in {region}"]}]
    (pool,) = networking.ec2.describe_ipam_pools(Filters=description)["IpamPools"]
    cloudformation = networking.cloudformation
    ec2 = cloudformation.cloud.client("ec2", cloudformation.account_id, region)
    ec2.allocate_ipam_pool_cidr(IpamPoolId=pool["IpamPoolId"], Cidr=cidr)
    cloudformation.cloud.clock.advance(1)


def test_a_pool_that_fills_up_is_seen_filling_up(networking: Any, check: Check) -> None:
    networking.create()
    assert {name: line["PercentUsed"] for name, line in check().items()} == {
        WEST_PROD: 0.0,
        WEST_SDLC: 0.0,
        EAST_PROD: 0.0,
        EAST_SDLC: 0.0,
    }

    reserve(networking, "Prod OU", "us-west-2", "192.168.0.0/22")
    assert check()[WEST_PROD]["PercentUsed"] == 50.0

    reserve(networking, "Prod OU", "us-west-2", "192.168.4.0/22")
    full = check()
    assert (full[WEST_PROD]["PercentUsed"], full[WEST_PROD]["AddressesFree"]) == (100.0, 0)
    assert full[EAST_PROD]["PercentUsed"] == 0.0


def test_before_there_are_pools_there_is_nothing_to_say(networking: Any, check: Check) -> None:
    cloudformation = networking.cloudformation
    cloudformation.cloud.stacks[cloudformation.stack_id] = {"StackStatus": "CREATE_IN_PROGRESS"}

    assert check() == {}


def test_pools_of_another_stack_are_not_measured(
    networking: Any, check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    networking.create(RegionSelection=["us-west-2"], AccEnvName=["Prod OU"])

    another = "arn:aws:cloudformation:us-east-1:222222222222:stack/another/id"
    networking.cloudformation.cloud.stacks[another] = {"StackStatus": "CREATE_IN_PROGRESS"}
    monkeypatch.setenv("STACK_ID", another)

    assert check() == {}


def test_trouble_with_one_pool_hides_no_other_and_is_told(
    networking: Any, check: Check, capsys: pytest.CaptureFixture[str]
) -> None:
    networking.create(RegionSelection=["us-west-2"])
    faults = networking.cloudformation.cloud.models.ipam.faults
    faults.refuse_next("GetIpamPoolAllocations", AwsError("AuthFailure", "This Region is not enabled."))

    with pytest.raises(AwsFailed, match="This Region is not enabled") as failure:
        check()

    (missing,) = {WEST_PROD, WEST_SDLC} - lines(capsys).keys()
    environment, _, region = missing.rpartition(" ")
    assert str(failure.value).startswith(f"Could not measure 1 of 2 pools: {environment} in {region} (ipam-pool-")
