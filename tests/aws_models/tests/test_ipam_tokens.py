"""Client tokens."""

from __future__ import annotations

from typing import Any

import pytest

from aws_models.errors import AwsError
from aws_models.ipam.bench import ELSEWHERE, HOME, STRANGER, WEST, Bench


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def requests(bench: Bench) -> dict[str, Any]:
    """For each action that takes a token: its Region, parameters, other parameters, and where the answer has the id."""
    top, leaf = bench.pool("10.0.0.0/8"), bench.pool("192.168.0.0/16", Locale=WEST)
    ipam_id, pool = bench.ipam["IpamId"], {"IpamScopeId": bench.scope, "AddressFamily": "ipv4"}
    return {
        "CreateIpam": (ELSEWHERE, {}, {"Description": "x"}, ("Ipam", "IpamId")),
        "CreateIpamScope": (HOME, {"IpamId": ipam_id}, {"Description": "x"}, ("IpamScope", "IpamScopeId")),
        "CreateIpamPool": (HOME, pool, {"Locale": WEST}, ("IpamPool", "IpamPoolId")),
        "ProvisionIpamPoolCidr": (
            HOME,
            {"IpamPoolId": top, "Cidr": "172.16.0.0/12"},
            {"Cidr": "172.16.0.0/13"},
            ("IpamPoolCidr", "IpamPoolCidrId"),
        ),
        "AllocateIpamPoolCidr": (
            WEST,
            {"IpamPoolId": leaf, "NetmaskLength": 24},
            {"NetmaskLength": 25},
            ("IpamPoolAllocation", "IpamPoolAllocationId"),
        ),
    }


ACTIONS = ["CreateIpam", "CreateIpamScope", "CreateIpamPool", "ProvisionIpamPoolCidr", "AllocateIpamPoolCidr"]


@pytest.mark.parametrize("action", ACTIONS)
def test_a_repeated_request_finds_what_the_first_one_made(bench: Bench, requests: dict[str, Any], action: str) -> None:
    region, params, _, (wrapper, member) = requests[action]
    first = bench.ask(action, region, **params, ClientToken="once")

    assert bench.ask(action, region, **params, ClientToken="once") == first
    bench.wait(3600)
    assert bench.ask(action, region, **params, ClientToken="once")[wrapper][member] == first[wrapper][member]


@pytest.mark.parametrize("action", ACTIONS)
def test_a_token_with_other_parameters_is_refused(bench: Bench, requests: dict[str, Any], action: str) -> None:
    region, params, other, _ = requests[action]
    bench.ask(action, region, **params, ClientToken="once")

    with pytest.raises(AwsError) as refused:
        bench.ask(action, region, **params | other, ClientToken="once")

    assert refused.value.code == "IdempotentParameterMismatch"


@pytest.mark.parametrize("action", ["CreateIpamPool", "AllocateIpamPoolCidr"])
@pytest.mark.parametrize("tokens", [({}, {}), ({"ClientToken": "a"}, {"ClientToken": "b"})], ids=["none", "two"])
def test_another_token_or_none_makes_another_thing(
    bench: Bench, requests: dict[str, Any], action: str, tokens: tuple[dict[str, str], dict[str, str]]
) -> None:
    region, params, _, (wrapper, member) = requests[action]
    made = set()
    for token in tokens:
        made.add(bench.ask(action, region, **params, **token)[wrapper][member])
        bench.wait()

    assert len(made) == 2


def test_a_repeated_provision_is_still_pending_in_its_answer_and_names_no_cidr(bench: Bench) -> None:
    child = bench.pool(SourceIpamPoolId=bench.pool("10.0.0.0/8"))
    bench.provision(child, NetmaskLength=16, ClientToken="once")
    bench.wait()

    again = bench.provision(child, NetmaskLength=16, ClientToken="once")

    assert again["State"] == "pending-provision"
    assert "Cidr" not in again
    assert len(bench.cidrs(child)) == 1


def test_the_token_of_a_deleted_pool_still_answers_the_deleted_pool(bench: Bench) -> None:
    first = bench.create_pool(ClientToken="once")
    bench.wait()
    bench.ask("DeleteIpamPool", IpamPoolId=first["IpamPoolId"])
    bench.wait(3600)

    again = bench.create_pool(ClientToken="once")

    assert (again["IpamPoolId"], again["State"]) == (first["IpamPoolId"], "delete-complete")
    assert bench.ask("DescribeIpamPools")["IpamPools"] == []


def test_a_repeated_request_does_not_meet_the_lock_of_its_own_first_one(bench: Bench) -> None:
    first = bench.create_pool(ClientToken="once")

    assert bench.create_pool(ClientToken="once") == first


def test_a_refused_request_leaves_its_token_unused(bench: Bench) -> None:
    bench.create_pool()
    with pytest.raises(AwsError):
        bench.create_pool(ClientToken="once")
    bench.wait()

    assert bench.create_pool(ClientToken="once", Description="changed")["Description"] == "changed"


def test_tokens_of_two_actions_do_not_meet(bench: Bench) -> None:
    pool_id = bench.create_pool(ClientToken="once")["IpamPoolId"]
    bench.wait()

    bench.provision(pool_id, Cidr="10.0.0.0/8", ClientToken="once")


def test_tokens_of_two_accounts_do_not_meet(bench: Bench) -> None:
    bench.ask("CreateIpam", region=ELSEWHERE, ClientToken="once")

    other = bench.ask("CreateIpam", region=ELSEWHERE, account=STRANGER, ClientToken="once", Description="x")["Ipam"]

    assert other["OwnerId"] == STRANGER


@pytest.mark.parametrize("token", ["x" * 65, "", "é"], ids=["too long", "empty", "not ASCII"])
def test_a_token_has_from_1_to_64_ascii_characters(bench: Bench, token: str) -> None:
    bench.create_pool(ClientToken="x" * 64)
    bench.wait()

    with pytest.raises(AwsError) as refused:
        bench.create_pool(ClientToken=token)

    assert refused.value.code == "InvalidParameterValue"
