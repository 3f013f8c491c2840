"""Shared pools that a run does not recognize any more: nobody loses them, and somebody is told."""

from __future__ import annotations

import json
import shlex
from typing import Any

import pytest

from ctipam import names
from ctipam.sharing import reader
from ctipam.sharing.doubtful import no_pools, why_doubtful
from in_process.aws_calls import Call, intercept
from in_process.fixtures import HOME
from in_process.lifecycle_events import NEWCOMER, ONE, PROD, SCHEDULE, SDLC, ZERO, lifecycle, moved

SHARED = {f"ipamShare-{ZERO}": PROD, f"ipamShare-{ONE}": SDLC}
DAY = 86400.0


@pytest.fixture
def shared(landing_zone: Any, ous: Any) -> Any:
    """Share with both accounts. No account may lose pools."""
    landing_zone.set_environment(UNSHARE_LIMIT="0")
    landing_zone.invoke(SCHEDULE)
    assert landing_zone.shared() == SHARED
    return landing_zone


def ids(landing_zone: Any, pools: list[str]) -> list[str]:
    return [landing_zone.pool_arns()[name].rpartition("/")[2] for name in pools]


def lose_tag(landing_zone: Any, pools: list[str]) -> None:
    tags = [{"Key": names.POOL_ENVIRONMENT_TAG}]
    landing_zone.networking_ec2.delete_tags(Resources=ids(landing_zone, pools), Tags=tags)


@pytest.mark.parametrize("pools", [PROD[:1], PROD, PROD + SDLC], ids=["one pool", "an environment", "everything"])
def test_nobody_loses_a_pool_that_has_lost_its_tag_whoever_permits_it(shared: Any, pools: list[str]) -> None:
    lose_tag(shared, pools)

    answer = shared.invoke({"action": "reconcile", "unshare": True})
    shared.invoke(moved(ZERO))

    assert shared.shared() == SHARED
    for pool_id in ids(shared, pools):
        assert f"aws ec2 create-tags --region {HOME} --resources {pool_id} --tags " in answer["heldBack"]


def test_a_preview_and_the_output_of_a_stack_operation_say_what_is_kept(shared: Any) -> None:
    lose_tag(shared, PROD[:1])

    answer = shared.invoke({"action": "reconcile", "dryRun": True})

    (pool_id,) = ids(shared, PROD[:1])
    assert answer["heldBack"].startswith(f"Pool {pool_id} in us-east-1 has lost the tag ctipam:environment")
    assert "1 account keeps what it has" in answer["heldBack"]
    assert not any(row["removed"] or row["changed"] for row in answer["reconciled"])
    assert shared.ask("Create")["Data"]["HeldBack"] == answer["heldBack"]


def test_it_is_told_daily_until_the_tag_is_back_and_then_an_account_that_moves_loses_it(shared: Any, ous: Any) -> None:
    lose_tag(shared, PROD[:1])
    for hours in (1, 22, 1, 1):
        shared.invoke(SCHEDULE)
        shared.clock.advance(3600 * hours)
    assert len(shared.told()) == 2

    tags = [{"Key": names.POOL_ENVIRONMENT_TAG, "Value": "Prod OU"}]
    shared.networking_ec2.create_tags(Resources=ids(shared, PROD[:1]), Tags=tags)
    shared.set_environment(UNSHARE_LIMIT="1")
    shared.cloud.move(ZERO, ous["SDLC OU"])
    shared.clock.advance(DAY)
    shared.invoke(SCHEDULE)

    assert shared.shared() == SHARED | {f"ipamShare-{ZERO}": SDLC}
    assert len(shared.told()) == 2


@pytest.mark.parametrize("pools", [PROD[:1], PROD], ids=["one pool", "an environment"])
def test_nobody_loses_a_pool_that_aws_only_does_not_list(
    shared: Any, pools: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = ids(shared, pools)

    def omit(call: Call, client: Any, operation: str, parameters: Any) -> Any:
        answer = call(client, operation, parameters)
        if operation == "DescribeIpamPools" and "IpamPoolIds" not in parameters:
            answer["IpamPools"] = [pool for pool in answer["IpamPools"] if pool["IpamPoolId"] not in missing]
        return answer

    with monkeypatch.context() as omitting:
        intercept(omitting, omit)
        shared.invoke(moved(ZERO))
        answer = shared.invoke({"action": "reconcile", "unshare": True})

    assert shared.shared() == SHARED
    assert f"AWS has not listed pool {missing[0]}, although it is there." in answer["heldBack"]


def test_a_pool_that_is_marked_as_new_stays_shared_and_gets_no_new_accounts(shared: Any, ous: Any) -> None:
    tags = [{"Key": names.PREPARING_TAG, "Value": "yes"}]
    shared.networking_ec2.create_tags(Resources=ids(shared, PROD[:1]), Tags=tags)
    shared.cloud.add_account(NEWCOMER, ous["Prod OU"])

    shared.invoke(lifecycle("CreateManagedAccount", NEWCOMER))
    shared.invoke(SCHEDULE)

    assert shared.shared() == SHARED | {f"ipamShare-{NEWCOMER}": PROD[1:]}
    assert "has the tag ctipam:preparing" in shared.told()[-1]
    assert "within an hour if the stack declares the pool; otherwise remove the tag by hand." in shared.told()[-1]


@pytest.mark.parametrize("isolated", [True, False], ids=["AWS isolates the pools", "AWS lists none"])
def test_nobody_loses_pools_when_aws_lists_none_that_can_be_used(
    shared: Any, monkeypatch: pytest.MonkeyPatch, isolated: bool
) -> None:
    listed = [
        {**pool, "State": "isolate-in-progress"} for pool in shared.networking_ec2.describe_ipam_pools()["IpamPools"]
    ]
    monkeypatch.setattr(reader, "list_pools", lambda _account: listed if isolated else [])

    shared.invoke(SCHEDULE)
    shared.invoke(moved(ZERO))

    assert shared.shared() == SHARED
    (told,) = shared.told()
    assert ("is isolate-in-progress" if isolated else "AWS lists no environment's pool") in told
    assert ("`make preview stack=" in told) == (not isolated)


def test_the_command_is_named_that_tells_how_to_create_a_deleted_stack_of_the_pools_again() -> None:
    told = no_pools("arn:aws:cloudformation:eu-west-1:111111111111:stack/address-space/1234")

    assert "`make preview stack=address-space` with AWS_REGION=eu-west-1 names the commands" in told


@pytest.mark.parametrize(
    ("changed", "environment"),
    [
        ({"Description": "Prod OU in us-east-1"}, "Prod OU"),
        ({"AllocationResourceTags": [{"Key": "Env", "Value": "Test"}]}, "Test"),
        ({"AllocationResourceTags": [{"Key": "Env", "Value": 'Bob\'s "OU", é'}]}, 'Bob\'s "OU", é'),
        ({}, "..."),
        ({"Description": "All environments in us-east-1"}, ""),
        ({"Description": "Top-level pool of the landing zone", "Locale": "None"}, ""),
        ({"Description": "Prod OU in us-east-1", "State": "delete-in-progress"}, ""),
    ],
)
def test_only_a_pool_that_may_be_an_environments_is_in_doubt(changed: Any, environment: str) -> None:
    pool: Any = {"IpamPoolId": "ipam-pool-1", "IpamRegion": HOME, "Locale": "us-east-1", "State": "create-complete"}

    why = why_doubtful(pool | changed)

    if environment:
        words = shlex.split(why.split("`")[1])  # as a shell does
        assert json.loads(words[-1]) == [{"Key": names.POOL_ENVIRONMENT_TAG, "Value": environment}]
        assert json.dumps(environment, ensure_ascii=False) in words[-1]  # as people write it
    else:
        assert why == ""


def test_an_ou_whose_pools_are_in_doubt_does_not_get_those_of_its_parent_ou(shared: Any, ous: Any) -> None:
    shared.cloud.move(ZERO, shared.cloud.add_ou("Team", ous["Prod OU"]))
    shared.add_pools("Team")
    shared.set_environment(UNSHARE_LIMIT="1")
    shared.invoke(SCHEDULE)
    pools = ["us-east-1 Team", "us-west-2 Team"]
    assert shared.shared() == SHARED | {f"ipamShare-{ZERO}": pools}

    lose_tag(shared, pools)
    shared.invoke(SCHEDULE)
    shared.invoke(moved(ZERO))

    assert shared.shared() == SHARED | {f"ipamShare-{ZERO}": pools}
