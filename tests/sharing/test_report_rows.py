"""The rows of a report: pools, what they are in use by, and accounts with the state of their shares."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import IPv4Network
from typing import Any

import pytest

from ctipam.names import STACK_TAG
from ctipam.organization.tree import AccountLocation, OrganizationalUnit
from ctipam.pools.existing import Allocation, Block, ExistingPool
from ctipam.pools.spec import TOP_LEVEL, PoolKey
from ctipam.sharing import report
from ctipam.sharing.existing import Share
from ctipam.sharing.report_rows import account_rows, allocation_rows, pool_rows, users_within
from ctipam.sharing.results import LAMBDA_RESPONSE_LIMIT, AccountResult
from ctipam.sharing.spec import SharedPool, ShareSpec

ACCOUNT, HOME = "012345678901", "us-east-1"
PROD = PoolKey("us-west-2", "Prod OU")


def block(cidr: str, state: str = "provisioned") -> Block:
    return Block(IPv4Network(cidr), state)


POOL = ExistingPool(
    "ipam-pool-prod",
    "ipam-pool-west",
    "create-complete",
    PROD,
    (block("10.0.2.0/24"), block("10.0.0.0/24"), block("10.0.4.0/24", "deprovisioned")),
    {"Name": "us-west-2 Prod OU", STACK_TAG: "arn:stack"},
    "Prod OU in us-west-2",
    {"Env": "Prod OU"},
)
VPC = Allocation(IPv4Network("10.0.0.0/26"), "vpc", "vpc-1", ACCOUNT, "allocation-2")


def test_a_pool_with_its_cidrs_its_use_and_its_rules() -> None:
    assert pool_rows([POOL], {POOL.pool_id: [VPC]}, lost=[]) == [
        {
            "poolId": "ipam-pool-prod",
            "sourcePoolId": "ipam-pool-west",
            "name": "us-west-2 Prod OU",
            "description": "Prod OU in us-west-2",
            "region": "us-west-2",
            "environment": "Prod OU",
            "state": "create-complete",
            "cidrs": ["10.0.0.0/24", "10.0.2.0/24"],
            "percentUsed": 12.5,
            "requiredTags": {"Env": "Prod OU"},
            "stackId": "arn:stack",
            "lostTag": False,
        }
    ]


@pytest.mark.parametrize(
    ("blocks", "held", "percent"),
    [
        (POOL.blocks, {}, None),
        (POOL.blocks, {POOL.pool_id: []}, 0.0),
        ((), {POOL.pool_id: []}, None),
        (POOL.blocks, {POOL.pool_id: [replace(VPC, cidr=IPv4Network("10.0.0.0/28"))]}, 3.12),
        (POOL.blocks, {POOL.pool_id: [VPC, replace(VPC, resource_type="ipam-pool", resource_id="planning")]}, 12.5),
    ],
    ids=["unread", "empty", "without a CIDR", "rounded", "a VPC and the pool of its subnets"],
)
def test_each_address_counts_once_and_the_use_of_a_pool_that_was_not_read_is_unknown(
    blocks: Any, held: Any, percent: float | None
) -> None:
    (row,) = pool_rows([POOL.with_blocks(blocks)], held, lost=[])

    assert row["percentUsed"] == percent


def test_pools_are_in_order_parents_first_and_those_of_others_are_left_out() -> None:
    pools = [
        POOL,
        replace(POOL, pool_id="ipam-pool-b", key=PoolKey("us-west-2"), tags={}),
        replace(POOL, pool_id="ipam-pool-a", key=PoolKey("us-west-2"), tags={}),
        replace(POOL, pool_id="ipam-pool-by-hand", key=None),
        replace(POOL, pool_id="ipam-pool-top", key=TOP_LEVEL),
    ]

    rows = pool_rows(pools, {}, lost=["ipam-pool-a"])

    assert [(row["poolId"], row["region"], row["environment"], row["lostTag"]) for row in rows] == [
        ("ipam-pool-top", "", "", False),
        ("ipam-pool-a", "us-west-2", "", True),
        ("ipam-pool-b", "us-west-2", "", False),
        ("ipam-pool-prod", "us-west-2", "Prod OU", False),
    ]
    assert (rows[1]["name"], rows[1]["stackId"]) == ("ipam-pool-a", ""), "a pool without tags"


def test_a_pool_is_in_use_by_all_but_pools_of_this_solution() -> None:
    top = replace(POOL, pool_id="ipam-pool-top", key=TOP_LEVEL)
    by_hand = replace(POOL, pool_id="ipam-pool-by-hand", key=None)
    child = Allocation(IPv4Network("10.0.0.0/24"), "ipam-pool", POOL.pool_id, ACCOUNT, "allocation-0")
    foreign = Allocation(IPv4Network("10.9.0.0/24"), "ipam-pool", by_hand.pool_id, ACCOUNT, "allocation-9")
    ours = Allocation(IPv4Network("10.0.0.128/25"), "custom", "", ACCOUNT, "allocation-3", is_reservation=True)
    held = {POOL.pool_id: [ours, VPC], top.pool_id: [child, foreign], by_hand.pool_id: [VPC]}

    rows = allocation_rows([top, POOL, by_hand], held, HOME)

    assert rows == [
        {
            "poolId": "ipam-pool-top",
            "cidr": "10.9.0.0/24",
            "resourceType": "ipam-pool",
            "resourceId": "ipam-pool-by-hand",
            "allocationId": "allocation-9",
            "accountId": ACCOUNT,
            "region": HOME,
            "reserved": False,
        },
        {
            "poolId": "ipam-pool-prod",
            "cidr": "10.0.0.0/26",
            "resourceType": "vpc",
            "resourceId": "vpc-1",
            "allocationId": "allocation-2",
            "accountId": ACCOUNT,
            "region": "us-west-2",
            "reserved": False,
        },
        {
            "poolId": "ipam-pool-prod",
            "cidr": "10.0.0.128/25",
            "resourceType": "custom",
            "resourceId": "",
            "allocationId": "allocation-3",
            "accountId": ACCOUNT,
            "region": "us-west-2",
            "reserved": True,
        },
    ]


EAST, WEST = SharedPool("east", "us-east-1"), SharedPool("west", "us-west-2")
BOTH = {"east": "ASSOCIATED", "west": "SUSPENDED"}
WITH, WITHOUT = ShareSpec(ACCOUNT, environment="Prod OU", pools=(EAST, WEST)), ShareSpec(ACCOUNT, reason="no pool")


def share(pools: dict[str, str], principal: str = "ASSOCIATED", account: str = ACCOUNT) -> Share:
    return Share("arn", ACCOUNT, datetime(2026, 1, 1, tzinfo=UTC), pools=pools, principals={account: principal})


@pytest.mark.parametrize(
    ("result", "shares", "state"),
    [
        (AccountResult(WITH), [share(BOTH)], "shared"),
        (AccountResult(WITH), [share({"east": "ASSOCIATED"}), share({"west": "ASSOCIATED"})], "shared"),
        (AccountResult(WITH), [share(BOTH | {"old": "ASSOCIATED"})], "shared"),
        (AccountResult(WITH), [share(BOTH | {"west": "ASSOCIATING"})], "pending"),
        (AccountResult(WITH), [share(BOTH, "ASSOCIATING")], "pending"),
        (AccountResult(WITH), [share(BOTH, account="999999999999")], "pending"),
        (AccountResult(WITH), [], "pending"),
        (AccountResult(WITH, added=frozenset({"west"}), changed=True), [share(BOTH)], "outdated"),
        (AccountResult(WITH, removed=frozenset({"old"}), changed=True), [share(BOTH)], "outdated"),
        (AccountResult(WITH, changed=True), [share(BOTH, "DISASSOCIATED")], "outdated"),
        (AccountResult(WITHOUT), [], "none"),
        (AccountResult(WITHOUT), [share(BOTH)], "shared"),
        (AccountResult(WITHOUT), [share({"east": "FAILED"})], "none"),
    ],
    ids=[
        "all pools",
        "in two shares",
        "more than its pools",
        "a pool that is coming",
        "the account is coming",
        "another account",
        "not yet",
        "something is added next",
        "something is removed next",
        "somebody has removed the account, which is added next",
        "no pools",
        "no pools, and what it keeps",
        "no pools, and what failed",
    ],
)
def test_the_state_of_a_share_is_what_its_account_can_use(
    result: AccountResult, shares: list[Share], state: str
) -> None:
    (row,) = account_rows([result], {}, {ACCOUNT: shares})

    assert row["share"] == state


def test_an_account_with_its_name_and_its_ous_from_the_root_down() -> None:
    path = OrganizationalUnit("ou-ab12-00000002", "Team"), OrganizationalUnit("ou-ab12-00000001", "Prod OU")
    locations = {ACCOUNT: AccountLocation(ACCOUNT, "ACTIVE", ou_path=path, name="shop")}

    rows = account_rows(
        [AccountResult(WITH), AccountResult(replace(WITHOUT, account_id="000000000001"))], locations, {}
    )

    assert rows == [
        {
            "accountId": ACCOUNT,
            "name": "shop",
            "organizationalUnits": ["Prod OU", "Team"],
            "environment": "Prod OU",
            "share": "pending",
        },
        {
            "accountId": "000000000001",
            "name": "",
            "organizationalUnits": [],
            "environment": None,
            "share": "none",
            "reason": "no pool",
        },
    ]


def test_accounts_that_can_use_a_pool_are_named_as_far_as_there_is_room_and_the_others_are_counted() -> None:
    """25,000 accounts in 17 Regions are more than Lambda returns, so that the report failed."""
    ids = [f"{number:012}" for number in range(2_500)]
    users: dict[str, Any] = {"accounts": ids, "pending": [], "strangers": ids[:1]}
    rows = [{"pool": f"ipam-pool-{number}"} | users for number in range(170)]

    found = users_within(rows, report.USERS_LIMIT)

    assert len(json.dumps(found)) < LAMBDA_RESPONSE_LIMIT * 2 / 3
    assert {len(row["accounts"]) + row["leftOut"] for row in found} == {2_500}
    assert all(row["strangers"] == ids[:1] for row in found)
    assert users_within(rows[:1], report.USERS_LIMIT) == [rows[0] | {"leftOut": 0}]


def test_what_has_no_room_in_an_answer_is_counted() -> None:
    rows = [{"accountId": f"{number:012}"} for number in range(9)]

    found = report._details(rows, rows, LAMBDA_RESPONSE_LIMIT - 100)

    assert found == {"accountDetails": rows[:3], "leftOut": 6, "allocations": [], "allocationsLeftOut": 9}
