"""Regions that a service control policy denies, and a creation that is cancelled. In this order, on one engine."""

from __future__ import annotations

from landing_zone import deployment, reading
from landing_zone.cli import AwsCli
from landing_zone.company import MANAGEMENT, REGION_DENY, STACK
from landing_zone.engine import Engine

WEST, EAST = "us-west-2", "us-east-1"


def test_a_region_that_a_policy_denies_is_refused_before_anything_is_made_there(uploaded: Engine) -> None:
    policy_id = uploaded.attach_scp("Infrastructure", REGION_DENY)

    status = deployment.apply(uploaded, "create-stack")
    told = deployment.failures(uploaded)
    uploaded.detach_scp(policy_id, "Infrastructure")  # before an assertion that may fail: the next tests begin without

    assert status == "ROLLBACK_COMPLETE", told
    (reason,) = [failure for failure in told if f"{MANAGEMENT} NetworkingStackSet" in failure]
    assert WEST in reason
    assert "explicit deny in a service control policy" in reason
    assert "remove it from RegionSelection" in reason
    used = {action for actions in uploaded.used_permissions().values() for action in actions}
    assert "ec2:DescribeIpamPools" in used
    assert used.isdisjoint({"ec2:CreateIpam", "ec2:CreateIpamPool"})
    assert deployment.delete(uploaded) == "DELETE_COMPLETE"
    assert set(reading.left_over(uploaded).values()) == {0}, reading.left_over(uploaded)


def test_a_creation_that_is_cancelled_while_pools_are_made_ends_with_nothing_left(uploaded: Engine) -> None:
    deployment.begin(uploaded, "create-stack")
    reading.eventually(lambda: reading.pools(uploaded))

    AwsCli(uploaded, MANAGEMENT).run("cloudformation", "delete-stack", "--stack-name", STACK)
    status = deployment.end(uploaded)

    assert status == "DELETE_COMPLETE", deployment.failures(uploaded)
    assert set(reading.left_over(uploaded).values()) == {0}, reading.left_over(uploaded)


def test_a_region_that_is_denied_later_can_be_removed_and_then_the_stack(uploaded: Engine) -> None:
    status = deployment.apply(uploaded, "create-stack")
    assert status == "CREATE_COMPLETE", deployment.failures(uploaded)
    before = {pool.name: pool.pool_id for pool in reading.pools(uploaded)}
    uploaded.attach_scp("Infrastructure", REGION_DENY)

    status = deployment.apply(uploaded, "update-stack", RegionSelection=EAST)

    assert status == "UPDATE_COMPLETE", deployment.failures(uploaded)
    after = {pool.name: pool.pool_id for pool in reading.pools(uploaded)}
    assert after == {name: pool_id for name, pool_id in before.items() if WEST not in name}
    assert deployment.delete(uploaded) == "DELETE_COMPLETE", deployment.failures(uploaded)
    assert set(reading.left_over(uploaded).values()) == {0}, reading.left_over(uploaded)
