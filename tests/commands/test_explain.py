"""`make explain`: what it makes of the facts. test_ways_in reads them from a landing zone."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import IPv4Network
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError

from commands import reading
from commands.explain import __main__ as explain
from commands.explain.facts import AccountFacts, Decision, Log, PoolFacts, VpcFacts
from commands.explain.reading import find_deployment, foresee, joined_shares, names_account, ous_of
from commands.explain.text import MOST, WIDTH, of_account, of_pool, of_vpc
from ctipam import names
from ctipam.errors import Refused
from ctipam.ipam.discovered import DiscoveredCidr
from ctipam.organization.environments import EnvironmentOu
from ctipam.organization.tree import AccountLocation, OrganizationalUnit
from ctipam.pools.existing import Allocation, Block, ExistingPool
from ctipam.pools.spec import PoolKey, VpcSizes
from ctipam.sessions import Account
from ctipam.sharing.existing import Share
from ctipam.sharing.reader import find_all_shares
from ctipam.sharing.results import AccountResult
from ctipam.sharing.spec import EXISTING, NEVER, NO_POOL, SharedPool, ShareSpec
from in_process.aws_calls import Call, intercept
from in_process.fixtures import NETWORKING, STACK_ID, LandingZone
from in_process.lifecycle_events import ONE, ZERO
from in_process.sharing_world import SharingWorld

SHOP, OTHER = "012345678901", "333333333333"
PROD = OrganizationalUnit("ou-ab12-prodprod", "Prod OU")
TEAM = OrganizationalUnit("ou-ab12-teamteam", "Team")
WHEN = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
ARN = "arn:aws:ec2::222222222222:ipam-pool/"


def pool(region: str, environment: str, *cidrs: str) -> ExistingPool:
    return ExistingPool(
        f"ipam-pool-{region[:7]}-{environment[:4].lower()}",
        "ipam-pool-parent",
        "create-complete",
        PoolKey(region, environment),
        tuple(Block(IPv4Network(cidr), "provisioned") for cidr in cidrs),
        {names.BLOCK_TAG: cidrs[0] if cidrs else "+", names.OU_TAG: PROD.ou_id, names.STACK_TAG: "arn:..."},
        allocation_tags={"Env": environment},
        vpc_sizes=VpcSizes(),
    )


WEST, EAST, OLD = (
    pool("us-west-2", "Prod OU", "10.0.0.0/20"),
    pool("us-east-1", "Prod OU", "10.1.0.0/20", "10.1.32.0/20"),
    pool("us-west-2", "Test OU", "10.0.16.0/20"),
)
POOLS = {ARN + one.pool_id: one for one in (WEST, EAST, OLD)}
SHARED = tuple(SharedPool(ARN + one.pool_id, one.key.region if one.key else "") for one in (EAST, WEST))
LOG = Log(
    "sharing-log",
    [Decision("2026-01-02 03:04:05", "reconciled account", {"ou": "Team", "added": [ARN + WEST.pool_id]})],
)
MOVED = AccountFacts(
    SHOP,
    AccountLocation(SHOP, "ACTIVE", WHEN, (TEAM, PROD), "shop"),
    AccountResult(
        ShareSpec(SHOP, TEAM, "Prod OU", SHARED),
        frozenset({ARN + EAST.pool_id}),
        frozenset({ARN + OLD.pool_id}),
        changed=True,
    ),
    {"Prod OU": PROD.ou_id, "Test OU": "ou-ab12-testtest"},
    (),
    [
        Share(
            "arn:aws:ram:us-east-1:222222222222:resource-share/1",
            SHOP,
            WHEN,
            pools={ARN + WEST.pool_id: "ASSOCIATED", ARN + OLD.pool_id: "ASSOCIATED", ARN + EAST.pool_id: "FAILED"},
            principals={SHOP: "ASSOCIATED", OTHER: "ASSOCIATED"},
            messages={ARN + EAST.pool_id: "not today"},
        )
    ],
    POOLS,
    exact=False,
    log=LOG,
    listed="Prod OU,Test OU",
)


def told(lines: list[str]) -> list[str]:
    """Return the lines with single spaces, after a look at their width."""
    assert max(map(len, lines)) <= WIDTH
    return [" ".join(line.split()) for line in lines]


def test_an_account_is_explained_on_one_screen() -> None:
    assert told(of_account(MOVED)) == [
        f"Account {SHOP} (shop)",
        f"Where Root / Prod OU ({PROD.ou_id}) / Team ({TEAM.ou_id})",
        "ACTIVE, joined 2026-01-02",
        f"Matched environment 'Prod OU' is Prod OU ({PROD.ou_id}), the nearest parent OU that is an environment; its",
        "pools carry that id in the tag ctipam:ou-id",
        "Pools us-east-1/Prod OU 10.1.0.0/20, 10.1.32.0/20 ipam-pool-us-east-prod failed",
        "us-west-2/Prod OU 10.0.0.0/20 ipam-pool-us-west-prod shared",
        "us-west-2/Test OU 10.0.16.0/20 ipam-pool-us-west-test shared, and the next run takes it away",
        f"Share ipamShare-{SHOP}, created 2026-01-02 03:04, account associated; also shared with {OTHER},",
        "which the next run removes",
        "arn:aws:ram:us-east-1:222222222222:resource-share/1",
        f"{ARN}ipam-pool-us-east-prod failed: not today",
        "Next run + us-east-1/Prod OU; - us-west-2/Test OU",
        "unless more accounts than UnshareLimit lose pools: it takes none away then, see `make reconcile dry=yes`",
        "Log 2026-01-02 03:04:05 reconciled account ou=Team added=us-west-2/Prod OU",
        f"To change `make reconcile account={SHOP}` does now what the next run would do",
        "moving it below the OU of another environment: Test OU (ou-ab12-testtest)",
        "removing environment 'Prod OU' from ENVS, or changing REGIONS",
        "an environment for its own OU, 'Team'. To see what that would change:",
        "make preview ENVS='Prod OU,Test OU,Team'",
    ]


def test_a_pool_that_was_deleted_is_said_to_be_none_any_more() -> None:
    pools = {arn: pool for arn, pool in POOLS.items() if arn != ARN + OLD.pool_id}

    text = " ".join(told(of_account(replace(MOVED, pools=pools))))

    assert "shared, and not a pool of this deployment any more, and the next run takes it away" in text


def test_an_environment_has_its_ou_by_any_of_its_pools() -> None:
    tagged, untagged = SharedPool("arn:1", "us-east-1", ou_id=PROD.ou_id), SharedPool("arn:2", "us-west-2")

    assert ous_of({"Prod OU": [tagged, untagged], "Test OU": [untagged]}) == {"Prod OU": PROD.ou_id, "Test OU": ""}


@pytest.mark.parametrize("status", ["DISASSOCIATING", "FAILED"])
def test_what_is_not_in_a_share_or_not_any_more_is_neither_kept_nor_removed(status: str) -> None:
    share = replace(MOVED.shares[0], pools={ARN + OLD.pool_id: status}, principals={SHOP: "ASSOCIATED", OTHER: status})
    result = replace(MOVED.result, removed=frozenset())

    lines = told(of_account(replace(MOVED, result=result, shares=[share])))

    assert f"us-west-2/Test OU 10.0.16.0/20 {OLD.pool_id} {status.lower()}" in lines
    assert f"Share ipamShare-{SHOP}, created 2026-01-02 03:04, account associated" in lines


def test_what_is_held_back_is_told() -> None:
    kept = replace(MOVED, held=["1 account would lose pools, more than UnshareLimit (0)."])

    assert "Held back 1 account would lose pools, more than UnshareLimit (0)." in told(of_account(kept))


def test_of_a_closed_account_whose_ou_was_not_read_no_place_is_told() -> None:
    closed = replace(MOVED, location=AccountLocation(SHOP, "SUSPENDED", WHEN, (), "shop"))

    assert told(of_account(closed))[1] == "Where SUSPENDED, joined 2026-01-02"


def test_a_command_can_be_copied_whatever_its_length() -> None:
    facts = replace(MOVED, listed=",".join(f"Environment {number}" for number in range(20)), stack="mine")

    last = of_account(facts)[-1].strip()

    assert last == f"make preview ENVS='{facts.listed},Team' stack=mine"


@pytest.mark.parametrize(
    ("name", "item"),
    [
        ("R&D", "R&D"),
        ("Team ", "Team (ou-ab12-teamteam)"),  # CloudFormation takes the space away, so no OU would have that name
        ("ou-ab12-34567890", "ou-ab12-34567890 (ou-ab12-teamteam)"),
        ("(ou-ab12-34567890)", ""),
        ("a,b", ""),
    ],
)
def test_an_ou_is_proposed_as_the_parameter_has_to_name_it(name: str, item: str) -> None:
    location = AccountLocation(SHOP, "ACTIVE", WHEN, (OrganizationalUnit(TEAM.ou_id, name), PROD), "shop")

    last = of_account(replace(MOVED, location=location))[-1].strip()

    assert last == (
        f"make preview ENVS='Prod OU,Test OU,{item}'"
        if item
        else "`make preview` shows what other parameters would change"
    )


def test_a_command_within_a_sentence_is_not_wrapped_either() -> None:
    command = "aws ec2 create-tags --region us-east-1 --tags Key=ctipam:stack-id,Value=arn"
    facts = replace(MOVED, lost=[f"A pool has lost its tag. Run in the Networking account `{command}`."])

    assert " " * 10 + f"`{command}`." in of_account(facts, 70)


def test_a_narrow_terminal_gets_narrow_lines() -> None:
    lines = of_account(MOVED, 70)

    assert max(len(line) for line in lines if len(line.split()) > 2) <= 70  # but for what cannot be broken
    assert lines[2] == " " * 10 + "ACTIVE, joined 2026-01-02"


def test_for_an_account_of_an_environments_own_ou_no_other_environment_is_proposed() -> None:
    location = AccountLocation(SHOP, "ACTIVE", WHEN, (OrganizationalUnit(PROD.ou_id, "Renamed since"),))

    last = of_account(replace(MOVED, location=location))[-1].strip()

    assert last == "`make preview` shows what other parameters would change"


def test_a_share_that_was_renamed_is_there_and_the_next_run_only_repairs_it() -> None:
    world = SharingWorld({PROD.ou_id: PROD.name}, {PROD.name: PROD.ou_id})
    world.places[SHOP] = ("ACTIVE", PROD.ou_id)
    world.run(SHOP)
    (row,) = world.ram("GetResourceShares", resourceOwner="SELF")["resourceShares"]
    world.ram("UpdateResourceShare", resourceShareArn=row["resourceShareArn"], name="mine")
    world.clock.advance(60)
    run = replace(world.run_of_handler(), dry_run=True)
    shares = find_all_shares(run.networking.ram())[SHOP]

    (result,) = foresee(run, SHOP, shares).accounts
    lines = told(of_account(replace(MOVED, result=result, shares=shares)))

    assert (result.added, result.removed) == (frozenset(), frozenset())
    assert any(line.startswith(f"Share ipamShare-{SHOP}, created") for line in lines)
    why = "its name, tag or external access was changed, or it is an earlier version's"
    assert f"{why}; the next run repairs that" in lines
    assert "Next run repairs the share" in lines


@pytest.mark.parametrize(
    "principal",
    [
        OTHER,
        f"arn:aws:organizations::111111111111:ou/o-abcd/{PROD.ou_id}",
        "arn:aws:organizations::111111111111:organization/o-abcd",
    ],
)
def test_what_an_account_can_use_by_the_share_of_another_account_is_told(principal: str) -> None:
    location = AccountLocation(OTHER, "ACTIVE", WHEN, (TEAM, PROD))
    added = replace(MOVED.shares[0], principals={SHOP: "ASSOCIATED", principal: "ASSOCIATED"})
    going = replace(added, principals={principal: "DISASSOCIATING"})

    joined = joined_shares(OTHER, location, {SHOP: [added, going], OTHER: [replace(added, account_id=OTHER)]})
    text = " ".join(told(of_account(replace(MOVED, account_id=OTHER, location=location, joined=joined))))

    assert joined == [added]
    assert (
        "By hand can use us-west-2/Prod OU, us-west-2/Test OU by the share of account "
        f"{SHOP}, to which somebody has added it; the next run removes it there" in text
    )


def test_an_account_is_in_no_share_by_the_ou_of_another_one() -> None:
    added = replace(MOVED.shares[0], principals={f"arn:aws:organizations::1:ou/o-abcd/{PROD.ou_id}": "ASSOCIATED"})

    assert not joined_shares(OTHER, AccountLocation(OTHER, "ACTIVE", WHEN, (TEAM,)), {SHOP: [added]})
    assert not joined_shares(OTHER, None, {SHOP: [added]})


def test_a_pool_is_not_called_shared_if_the_account_is_not_in_the_share() -> None:
    share = MOVED.shares[0]

    def pools(principals: dict[str, str]) -> list[str]:
        lines = told(of_account(replace(MOVED, shares=[replace(share, principals=principals)])))
        return [line for line in lines if "ipam-pool-us-west-prod" in line]

    assert pools({SHOP: "ASSOCIATED"})[0].endswith("ipam-pool-us-west-prod shared")
    assert pools({})[0].endswith("in the share, but the account is not in it")
    assert pools({SHOP: "ASSOCIATING"})[0].endswith("in the share, but the account is associating")


def test_a_pool_that_has_lost_its_tag_is_not_called_deleted() -> None:
    pools = {**POOLS, ARN + OLD.pool_id: replace(OLD, tags={names.OU_TAG: PROD.ou_id})}

    lines = told(of_account(replace(MOVED, pools=pools, lost=["us-west-2/Test OU has lost the tag. Run `aws ...`."])))

    line = "us-west-2/Test OU 10.0.16.0/20 ipam-pool-us-west-test shared, and kept, though it has lost its tag"
    assert lines[lines.index(line) + 1] == "Lost tag us-west-2/Test OU has lost the tag. Run `aws ...`."


def test_pools_that_the_place_of_an_account_does_not_give_it_and_others_in_its_share_are_told_apart() -> None:
    result = replace(MOVED.result, removed=frozenset())

    told_of = " ".join(told(of_account(replace(MOVED, result=result, pools={ARN + OLD.pool_id: OLD}))))

    assert f"us-west-2/Test OU 10.0.16.0/20 {OLD.pool_id} shared, and kept although it is not of this" in told_of
    assert f"{WEST.pool_id} {WEST.pool_id} shared, and not a pool of this deployment any more" in told_of


def test_a_pool_is_shared_if_it_is_so_in_one_of_several_shares() -> None:
    lines = told(of_account(replace(MOVED, shares=[*MOVED.shares, replace(MOVED.shares[0], principals={})])))

    assert f"us-west-2/Prod OU 10.0.0.0/20 {WEST.pool_id} shared" in lines


def test_a_share_that_gives_no_pool_is_not_told_as_one_that_somebody_has_added_an_account_to() -> None:
    joined = replace(MOVED.shares[0], account_id=OTHER, pools={ARN + WEST.pool_id: "FAILED"})

    assert "By hand" not in " ".join(told(of_account(replace(MOVED, joined=[joined]))))


def test_an_environment_whose_ou_was_found_by_its_name_is_told_so_and_others_with_their_problem() -> None:
    decided = [EnvironmentOu("Prod OU", PROD), EnvironmentOu("Test OU", problem="There is no OU named 'Test OU'.")]

    lines = told(of_account(replace(MOVED, ou_ids={"Prod OU": "", "Test OU": ""}, decided=decided)))

    assert lines[3:6] == [
        f"Matched environment 'Prod OU' is Prod OU ({PROD.ou_id}), the nearest parent OU that is an environment; found",
        "by its name, and not yet written to its pools",
        "There is no OU named 'Test OU'.",
    ]
    assert "moving it below the OU of another environment: Test OU (not found yet)" in lines


NONE = replace(MOVED, shares=(), log=Log("sharing-log", unread="FilterLogEvents: AccessDeniedException"))


@pytest.mark.parametrize(
    ("facts", "matched", "way"),
    [
        (
            replace(NONE, result=AccountResult(ShareSpec(SHOP, TEAM, reason=NO_POOL))),
            "Matched no environment: no pool for its OU",
            "make preview ENVS='Prod OU,Test OU,Team'",
        ),
        (
            replace(NONE, result=AccountResult(ShareSpec(SHOP, TEAM, reason=NO_POOL)), exact=True),
            "Matched no environment: no pool for its OU",
            "OuMatch=nearest, which lets parent OUs count",
        ),
        (
            replace(NONE, result=AccountResult(ShareSpec(SHOP, reason="not in the organization")), location=None),
            "Matched no environment: not in the organization",
            "To change an active account in an OU of an environment gets pools",
        ),
        (
            replace(NONE, result=AccountResult(ShareSpec(SHOP, reason=EXISTING, left_alone=True))),
            f"Matched no environment: {EXISTING}",
            f"To change `make reconcile account={SHOP}` shares with it; ShareWithExistingAccounts=true",
        ),
        (
            replace(
                NONE,
                location=AccountLocation(SHOP, "RESTRICTED", WHEN, (), "shop"),
                result=AccountResult(ShareSpec(SHOP, reason="the account is RESTRICTED", left_alone=True)),
            ),
            "Matched no environment: the account is RESTRICTED",
            "To change an active account in an OU of an environment gets pools",
        ),
        (
            replace(NONE, result=AccountResult(ShareSpec(SHOP, reason=NEVER))),
            f"Matched no environment: {NEVER}",
            "To change nothing gives this account pools",
        ),
    ],
    ids=["no environment", "only its own OU counts", "gone", "left alone", "in an unknown state", "never"],
)
def test_why_an_account_has_no_pools_and_what_gives_it_some(facts: AccountFacts, matched: str, way: str) -> None:
    lines = told(of_account(facts))

    unread = "Log could not be read (FilterLogEvents: AccessDeniedException)"
    assert {matched, "Pools none", "Share none", unread} <= {*lines}
    assert any(line.startswith(way) for line in lines)
    assert any(line.startswith("OuMatch=nearest") for line in lines) == facts.exact


@pytest.mark.parametrize(
    ("facts", "way"),
    [
        (
            replace(NONE, location=None, result=AccountResult(ShareSpec(SHOP, reason="not in the organization"))),
            "an active account in an OU of an environment gets pools",
        ),
        (
            replace(
                NONE, location=AccountLocation(SHOP, "ACTIVE"), result=AccountResult(ShareSpec(SHOP, reason=NO_POOL))
            ),
            "an active account in an OU of an environment gets pools",
        ),
        (
            replace(NONE, result=AccountResult(ShareSpec(SHOP, reason=EXISTING, left_alone=True))),
            f"`make reconcile account={SHOP}` shares with it; ShareWithExistingAccounts=true shares with all such "
            "accounts",
        ),
        (
            replace(NONE, result=AccountResult(ShareSpec(SHOP, reason=NEVER))),
            "nothing gives this account pools; VPCs belong in another account",
        ),
    ],
    ids=["gone", "below the root", "left alone", "never"],
)
def test_an_account_that_no_other_environment_helps_is_told_only_what_does(facts: AccountFacts, way: str) -> None:
    lines = " ".join(told(of_account(facts)))

    assert lines.partition(" To change ")[2] == way


def test_an_account_without_a_place_or_a_date_is_told_so() -> None:
    gone = replace(NONE, location=None, result=AccountResult(ShareSpec(SHOP, reason="not in the organization")))
    root = replace(gone, location=AccountLocation(SHOP, "ACTIVE"))

    assert told(of_account(gone))[:2] == [f"Account {SHOP}", "Where not in the organization"]
    assert told(of_account(root))[:3] == [f"Account {SHOP}", "Where Root", "ACTIVE"]


def test_a_pool_is_explained_with_its_blocks_its_users_and_its_log() -> None:
    vpc = Allocation(IPv4Network("10.1.0.0/22"), "vpc", "vpc-1", SHOP)
    sizes = "us-west-2=18, a=b=21, us-east-1/Prod OU = 20+20"

    facts = PoolFacts(EAST, [vpc], [SHOP], [OTHER], {}, Log("pools-log"), sizes=sizes, strangers=["444444444444"])
    lines = told(of_pool(facts))

    assert lines == [
        "Pool us-east-1/Prod OU (ipam-pool-us-east-prod), create-complete",
        f"For VPCs in us-east-1 of the accounts below the OU of 'Prod OU' ({PROD.ou_id})",
        "a VPC must carry Env=Prod OU, /16 to /28, /24 by default",
        "CIDRs 10.1.0.0/20 provisioned declared",
        "10.1.32.0/20 provisioned given by hand, or by growth",
        "In use 12.5 %, 1 allocation",
        f"vpc vpc-1 (10.1.0.0/22, account {SHOP})",
        f"Accounts 1: {SHOP}",
        f"soon also {OTHER}",
        "by hand also 444444444444: added to the share of another account; the next run removes it there",
        "Log nothing in pools-log",
        "To change another block in PoolSizes (POOL_SIZES). To see which it would get:",
        "make preview POOL_SIZES='us-west-2=18,a=b=21,us-east-1/Prod OU=20+20+20'",
        "PoolGrowth=on lets it grow by itself",
        "it is removed with its Region or environment, if nothing is allocated from it",
    ]


def test_a_size_that_names_the_pool_with_the_id_of_its_ou_is_replaced_and_not_given_twice() -> None:
    sizes = f"us-east-1/Prod OU ({PROD.ou_id})=20, Prod OU ({PROD.ou_id})=21"

    lines = told(of_pool(PoolFacts(EAST, [], [], [], {}, Log("pools-log"), sizes=sizes)))

    command = f"make preview POOL_SIZES='Prod OU ({PROD.ou_id})=21,us-east-1/Prod OU=20+20+20'"
    assert command in lines


def test_a_line_of_the_log_names_the_networking_account_only_outside_of_arns() -> None:
    line = f'{{"account": "{SHOP}", "added": ["{ARN}ipam-pool-1", "{ARN}ipam-pool-2"]}}'

    assert names_account(line, SHOP)
    assert not names_account(line, "222222222222")


@pytest.mark.parametrize(("length", "shown"), [(200, "x" * 200), (201, "x" * 197 + "...")])
def test_a_long_value_of_the_log_is_shortened(length: int, shown: str) -> None:
    log = Log("pools-log", [Decision("2026-01-02 03:04:05", "failed", {"error": "x" * length})])

    assert of_pool(PoolFacts(EAST, [], [], [], {}, log), 400)[-5].endswith(f"failed  error={shown}")


def test_a_reservation_is_called_one() -> None:
    reserved = Allocation(IPv4Network("10.1.0.0/24"), "custom", "", "222222222222", "alloc-1", is_reservation=True)

    lines = told(of_pool(PoolFacts(EAST, [reserved], [], [], {}, Log("pools-log"))))

    assert "reserved 10.1.0.0/24, by ReservedCidrs" in lines


def test_a_vpc_and_the_pool_of_its_subnets_fill_a_pool_once() -> None:
    vpc = Allocation(IPv4Network("10.1.0.0/22"), "vpc", "vpc-1", SHOP)
    of_its_subnets = Allocation(vpc.cidr, "ipam-pool", "ipam-pool-planning", "222222222222")

    lines = told(of_pool(PoolFacts(EAST, [vpc, of_its_subnets], [], [], {}, Log("pools-log"))))

    assert "In use 12.5 %, 2 allocations" in lines


@pytest.mark.parametrize(
    ("key", "purpose", "ways"),
    [
        (
            PoolKey(),
            "For the Regions' pools, which get their CIDRs from it",
            [
                "To change another CIDR in TopLevelPoolCidr (CIDR) makes it larger",
                "it is removed with the stack, if nothing is allocated from it",
            ],
        ),
        (
            PoolKey("us-east-1"),
            "For the environments in us-east-1, whose pools get their CIDRs from it",
            [
                "make preview POOL_SIZES=us-east-1=20+20+20",
                "it is removed with its Region or environment, if nothing is allocated from it",
            ],
        ),
    ],
    ids=["top-level", "of a Region"],
)
def test_a_pool_above_those_of_the_environments_is_explained(key: PoolKey, purpose: str, ways: list[str]) -> None:
    above = replace(EAST, key=key, vpc_sizes=None, allocation_tags={}, message="made up")

    lines = told(of_pool(PoolFacts(above, None, [], [], {}, Log("pools-log"))))

    assert lines[1:3] == ["made up", purpose]
    assert {
        "In use unknown: its allocations cannot be read in its Region",
        "CIDRs 10.1.0.0/20 provisioned declared",
    } <= {*lines}
    assert "Accounts only environment pools are shared" in lines
    assert lines[-2:] == ways


def test_a_pool_whose_rule_somebody_has_changed_is_told_with_the_rule_that_it_should_have() -> None:
    changed = replace(EAST, allocation_tags={"Team": "x"}, blocks=())

    lines = told(of_pool(PoolFacts(changed, [], [], [], {}, Log("pools-log"))))

    assert lines[2:5] == [
        "a VPC must carry Team=x, /16 to /28, /24 by default",
        "somebody has changed that rule: it should be Env=Prod OU",
        "CIDRs none",
    ]


@pytest.mark.parametrize(("number", "more"), [(MOST, []), (MOST + 2, ["and 2 more"] * 3)])
def test_of_many_allocations_and_accounts_some_are_listed_and_the_others_counted(number: int, more: list[str]) -> None:
    vpcs = [Allocation(IPv4Network((10 << 24 | one << 8, 24)), "vpc", f"vpc-{one}", SHOP) for one in range(number)]
    accounts = [f"{one:012}" for one in range(number)]

    lines = told(of_pool(PoolFacts(EAST, vpcs[::-1], accounts, [], {}, Log("pools-log"), strangers=accounts)))

    assert [line for line in lines if line.startswith("and ")] == more
    assert f"vpc vpc-{MOST - 1} (10.0.{MOST - 1}.0/24, account {SHOP})" in lines
    assert f"vpc vpc-{MOST} (10.0.{MOST}.0/24, account {SHOP})" not in lines
    assert any(line.startswith(f"Accounts {number}: {accounts[0]}, ") for line in lines)


def test_a_vpc_is_traced_to_its_pool_or_to_none() -> None:
    allocation = Allocation(IPv4Network("10.0.16.0/24"), "vpc", "vpc-1", SHOP)
    without = replace(MOVED, shares=())
    stray = DiscoveredCidr(IPv4Network("10.0.0.0/24"), SHOP, "us-west-2", "vpc-1")

    found = told(of_vpc(VpcFacts("vpc-1", [(OLD, allocation)], [stray], without)))
    unknown = told(of_vpc(VpcFacts("vpc-2", [], [], None)))

    assert found[:5] == [
        "VPC vpc-1",
        f"Addresses 10.0.16.0/24 from us-west-2/Test OU (ipam-pool-us-west-test), for account {SHOP}",
        "the account no longer has that pool, for example because it was moved; the VPC keeps its addresses",
        f"10.0.0.0/24 from no pool (us-west-2, account {SHOP})",
        "the pool gets them back about 30 minutes after the VPC is deleted",
    ]
    assert f"Account {SHOP} (shop)" in found
    both = told(of_vpc(VpcFacts("vpc-1", [(OLD, allocation), (WEST, allocation)], [], MOVED)))
    has_one = replace(MOVED, shares=[replace(MOVED.shares[0], pools={ARN + WEST.pool_id: "ASSOCIATED"})])
    assert "no longer has that pool" not in " ".join(both)
    assert "no longer has that pool" in " ".join(
        told(of_vpc(VpcFacts("vpc-1", [(OLD, allocation), (WEST, allocation)], [], has_one)))
    )
    assert unknown[1].startswith("Addresses unknown: no pool has given it addresses, and IPAM has not discovered it")


@pytest.mark.parametrize(
    ("reserved", "told_of_it"),
    [
        (["10.0.0.0/24", "10.0.1.0/24"], ", reserved by ReservedCidrs: no pool gives them to another VPC"),
        (
            ["10.0.1.0/24"],
            ", not reserved: a pool may give them to another VPC; `make deploy RESERVE=ipam` reserves them",
        ),
    ],
    ids=["the whole VPC", "a part of it"],
)
def test_of_a_vpc_from_no_pool_it_is_told_whether_its_addresses_are_reserved(
    reserved: list[str], told_of_it: str
) -> None:
    inside = DiscoveredCidr(IPv4Network("10.0.0.0/23"), SHOP, "us-west-2", "vpc-1")
    outside = DiscoveredCidr(IPv4Network("172.16.0.0/23"), SHOP, "us-west-2", "vpc-1")
    facts = VpcFacts("vpc-1", [], [inside, outside], None, [IPv4Network("10.0.0.0/12")], [*map(IPv4Network, reserved)])

    of_inside, of_outside = (f"{one.cidr} from no pool (us-west-2, account {SHOP})" for one in (inside, outside))
    assert " ".join(told(of_vpc(facts))) == f"VPC vpc-1 Addresses {of_inside}{told_of_it} {of_outside}"


def test_of_addresses_that_a_pool_has_allocated_or_that_lie_elsewhere_nothing_is_said_of_reservations() -> None:
    allocated = DiscoveredCidr(IPv4Network("10.0.0.0/23"), SHOP, "us-west-2", "vpc-1", allocated=True)
    larger = DiscoveredCidr(IPv4Network("10.0.0.0/8"), SHOP, "us-west-2", "vpc-1")
    space = [IPv4Network("10.0.0.0/12")]

    assert told(of_vpc(VpcFacts("vpc-1", [], [allocated], None, space)))[1:] == [
        f"Addresses 10.0.0.0/23 from another pool (us-west-2, account {SHOP})"
    ]
    released = replace(allocated, allocated=False, ignored=True)
    assert "IPAM is to ignore" in " ".join(told(of_vpc(VpcFacts("vpc-1", [], [released], None, space))))
    reserved = VpcFacts("vpc-1", [], [released], None, space, [released.cidr])
    assert "reserved by ReservedCidrs: no pool gives them" in " ".join(told(of_vpc(reserved)))
    # Outside the space, it needs no reservation.
    assert "reserved by ReservedCidrs" in told(of_vpc(VpcFacts("vpc-1", [], [larger], None, space, space)))[1]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ({}, "Give one of account=111122223333"),
        ({"account": SHOP, "vpc": "vpc-1"}, "Give one of account=111122223333"),
        ({"account": "12"}, "account=12 is not an account id"),
        ({"vpc": "192.168.0.0/24"}, "vpc=192.168.0.0/24 is not a VPC's id"),
        ({"acount": "12"}, "acount is not an argument of make explain"),
        ({"vpc": "vpc-1", "stack": ""}, "stack= is empty"),
    ],
    ids=["nothing", "two subjects", "no account id", "no VPC's id", "a typo", "an empty stack"],
)
def test_a_question_that_cannot_be_answered_is_refused(
    monkeypatch: pytest.MonkeyPatch, words: dict[str, str], reason: str
) -> None:
    for name, value in ({"WORDS": " ".join(words)} | words).items():
        monkeypatch.setenv(name, value)

    with pytest.raises(Refused, match=reason):
        explain.main()


def test_a_stack_of_a_version_with_fewer_parameters_has_the_defaults_of_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    old = reading.Stack(
        "arn:aws:cloudformation:us-east-1:1:stack/ipam/1", "CREATE_COMPLETE", {"NetworkAccountId": "2"}, {}
    )
    monkeypatch.setattr(reading, "find_stack", lambda *_: old)
    monkeypatch.setattr(reading, "networking_account", lambda *_: None)
    monkeypatch.setattr(reading, "networking_stack_id", lambda *_: "")

    found = find_deployment(cast(Account, None), "ipam").stack.parameters

    assert not reading.sharing_settings(found, old.stack_id).exact
    assert found["AccEnvName"] == "Prod OU,SDLC OU"


def test_without_a_region_it_is_said_which_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)

    with pytest.raises(Refused, match="set AWS_REGION to Control Tower's home Region, and sign in"):
        reading.management_account()


NETWORKING_STACK = f"arn:aws:cloudformation:us-east-1:{NETWORKING}:stack/StackSet-ipam/1"
PROD_POOL, SDLC_POOL = "us-west-2 Prod OU", "us-west-2 SDLC OU"


class Deployed:
    """A deployment named ipam: ZERO has the pools of Prod OU, and ONE those of SDLC OU. Those in us-west-2 have CIDRs.

    logs   of the functions: log group -> lines
    """

    def __init__(self, landing_zone: LandingZone, ous: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.landing_zone, self.cloud, self.ous = landing_zone, landing_zone.cloud, ous
        landing_zone.remember_ous(ous)
        landing_zone.ask("Create")
        self.arns = landing_zone.pool_arns()
        self.ids = {name: arn.rpartition("/")[2] for name, arn in self.arns.items()}
        for name, cidr in {PROD_POOL: "10.0.0.0/20", SDLC_POOL: "10.0.16.0/20"}.items():
            landing_zone.networking_ec2.provision_ipam_pool_cidr(IpamPoolId=self.ids[name], Cidr=cidr)
            self.cloud.clock.advance(60)
        sizes = {"PoolSizes": "us-east-1=19", "ReservedCidrs": "192.168.1.0/24"}
        self.cloud.set_parameters(STACK_ID, {"NetworkAccountId": NETWORKING} | sizes)
        stack = self.cloud.stacks[STACK_ID]
        shares, pools = _output("SharingLogGroupName", "shares"), _output("IpamFunctionLogGroupName", "pools")
        self.cloud.stacks["ipam"] = stack | {"StackId": STACK_ID, "Outputs": shares}
        self.cloud.stacks[NETWORKING_STACK] = stack | {"Outputs": pools}
        self.logs: dict[str, list[str]] = {"shares": [], "pools": []}
        monkeypatch.setattr(reading, "networking_stack_id", lambda *_: NETWORKING_STACK)
        intercept(monkeypatch, self._answer)

    def _answer(self, call: Call, client: Any, operation: str, parameters: Any) -> Any:
        if operation != "FilterLogEvents":
            return call(client, operation, parameters)
        if parameters["logGroupName"] not in self.logs:
            raise ClientError({"Error": {"Code": "ResourceNotFoundException", "Message": "no"}}, operation)
        lines = enumerate(self.logs[parameters["logGroupName"]])
        began, term = int(WHEN.timestamp()), parameters["filterPattern"].strip('"')
        found = [{"timestamp": (began + second) * 1000 + 7, "message": line} for second, line in lines if term in line]
        return {"events": found}

    def make_vpc(self, **params: Any) -> str:
        """Create a VPC of ZERO in us-west-2; return its id once its allocation is listed."""
        tags = [{"ResourceType": "vpc", "Tags": [{"Key": "Env", "Value": "Prod OU"}]}]
        vpc = self.cloud.client("ec2", ZERO, "us-west-2").create_vpc(TagSpecifications=tags, **params)["Vpc"]
        self.cloud.clock.advance(1)
        return str(vpc["VpcId"])


def _output(name: str, value: str) -> list[dict[str, str]]:
    return [{"OutputKey": name, "OutputValue": value}]


@pytest.fixture
def deployed(landing_zone: LandingZone, ous: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Deployed:
    return Deployed(landing_zone, ous, monkeypatch)


@pytest.fixture
def explained(deployed: Deployed, capsys: pytest.CaptureFixture[str]) -> Callable[..., list[str]]:
    """Return a function that explains what its arguments name, and returns the lines."""

    def explain_it(**words: str) -> list[str]:
        with pytest.MonkeyPatch.context() as patch:
            given = {"WORDS": " ".join(["stack", *words]), "stack": "ipam", "COLUMNS": "200"}
            for name, value in (given | words).items():
                patch.setenv(name, value)
            assert explain.main() == 0
        return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]

    return explain_it


def test_what_is_told_of_an_account_is_read_from_its_pools_its_share_and_the_log(
    deployed: Deployed, explained: Callable[..., list[str]], calls: list[str]
) -> None:
    of_lambda = dict.fromkeys(["timestamp", "level", "logger", "requestId", "tenantId"], "of Lambda")
    nothing: dict[str, object] = {"a": "", "b": None, "c": [], "d": False}
    decision = of_lambda | nothing | {"message": "reconciled account", "account": ZERO}
    deployed.logs["shares"] = [
        *("too long ago", f"{ZERO} "),
        *(json.dumps(decision | {"added": [deployed.arns[PROD_POOL]]}) for _ in range(5)),
        f" {ZERO} timed out\n",
    ]
    (share,) = (one for one in deployed.landing_zone.live_shares() if one["name"] == f"ipamShare-{ZERO}")
    ou_id, east, west = deployed.ous["Prod OU"], deployed.ids["us-east-1 Prod OU"], deployed.ids[PROD_POOL]

    lines = explained(account=ZERO)

    assert [re.sub(r"joined \d{4}-\d\d-\d\d", "joined ...", line) for line in lines] == [
        f"Account {ZERO} ({ZERO})",
        f"Where Root / Prod OU ({ou_id})",
        "ACTIVE, joined ...",
        f"Matched environment 'Prod OU' is Prod OU ({ou_id}), the account's own OU; its pools carry that id in the",
        "tag ctipam:ou-id",
        f"Pools us-east-1/Prod OU {east} shared",
        f"us-west-2/Prod OU 10.0.0.0/20 {west} shared",
        f"Share ipamShare-{ZERO}, created {share['creationTime']:%Y-%m-%d %H:%M}, account associated",
        share["resourceShareArn"],
        "Next run changes nothing",
        "Log 2026-01-02 03:04:02 reconciled account added=us-west-2/Prod OU",
        *(f"2026-01-02 03:04:0{second} reconciled account added=us-west-2/Prod OU" for second in range(3, 7)),
        f"2026-01-02 03:04:07 {ZERO} timed out",
        f"To change moving it below the OU of another environment: SDLC OU ({deployed.ous['SDLC OU']})",
        "removing environment 'Prod OU' from ENVS, or changing REGIONS",
        "`make preview` shows what other parameters would change",
    ]
    assert calls.count("ec2:GetIpamPoolCidrs") == 2, "the CIDRs of other pools are not told"


def test_what_is_told_of_a_pool_is_read_from_its_allocations_the_shares_and_the_log(
    deployed: Deployed, explained: Callable[..., list[str]]
) -> None:
    pool_id = deployed.ids[PROD_POOL]
    vpc_id = deployed.make_vpc(Ipv4IpamPoolId=pool_id, Ipv4NetmaskLength=24)
    deployed.logs["pools"] = [json.dumps({"message": "creating pool", "key": "us-west-2/Prod OU", "pool": pool_id})]

    lines = explained(pool="us-west-2/Prod OU")

    assert lines == [
        f"Pool us-west-2/Prod OU ({pool_id}), create-complete",
        f"For VPCs in us-west-2 of the accounts below the OU of 'Prod OU' ({deployed.ous['Prod OU']})",
        "a VPC must carry Env=Prod OU",
        "CIDRs 10.0.0.0/20 provisioned given by hand, or by growth",
        "In use 6.25 %, 1 allocation",
        f"vpc {vpc_id} (10.0.0.0/24, account {ZERO})",
        f"Accounts 1: {ZERO}",
        "Log 2026-01-02 03:04:00 creating pool key=us-west-2/Prod OU",
        "To change another block in PoolSizes (POOL_SIZES). To see which it would get:",
        "make preview POOL_SIZES='us-east-1=19,us-west-2/Prod OU=20+20' stack=ipam",
        "PoolGrowth=on lets it grow by itself",
        "it is removed with its Region or environment, if nothing is allocated from it",
    ]
    assert explained(pool=pool_id) == lines


def test_a_pool_that_nobody_can_use_yet_and_one_that_does_not_exist(
    deployed: Deployed, explained: Callable[..., list[str]]
) -> None:
    deployed.landing_zone.add_pools("Test OU", regions=("us-west-2",))
    ec2, scope_id = deployed.landing_zone.networking_ec2, deployed.landing_zone.scope_id
    ec2.create_ipam_pool(IpamScopeId=scope_id, AddressFamily="ipv4")  # somebody else's
    deployed.cloud.clock.advance(60)
    deployed.logs.clear()

    lines = explained(pool="us-west-2/Test OU")

    assert {"Accounts 0: none", "Log could not be read (FilterLogEvents: ResourceNotFoundException)"} <= {*lines}
    with pytest.raises(Refused) as refusal:
        explained(pool="us-west-2/Prod")
    assert str(refusal.value) == (
        "pool=us-west-2/Prod is no pool of this deployment. Its pools are us-east-1/Prod OU, us-east-1/SDLC OU, "
        "us-west-2/Prod OU, us-west-2/SDLC OU, us-west-2/Test OU."
    )


def test_a_pool_that_has_lost_its_tag_is_found_and_told_with_the_command_that_puts_it_back(
    deployed: Deployed, explained: Callable[..., list[str]]
) -> None:
    pool_id = deployed.ids[PROD_POOL]
    deployed.landing_zone.networking_ec2.delete_tags(Resources=[pool_id], Tags=[{"Key": names.STACK_TAG}])

    of_pool, of_account, of_other = explained(pool=pool_id), explained(account=ZERO), explained(account=ONE)

    for lines in (of_pool, of_account):
        assert f"--tags Key={names.STACK_TAG},Value={NETWORKING_STACK}`" in " ".join(lines)
    assert "Lost tag" not in " ".join(of_other)


def test_the_addresses_of_a_vpc_are_traced_to_a_pool_or_found_by_ipam(
    deployed: Deployed, explained: Callable[..., list[str]]
) -> None:
    pool_id = deployed.ids[PROD_POOL]
    from_pool = deployed.make_vpc(Ipv4IpamPoolId=pool_id, Ipv4NetmaskLength=24)
    stray, reserved = (deployed.make_vpc(CidrBlock=cidr) for cidr in ("192.168.0.0/24", "192.168.1.0/24"))
    deployed.cloud.clock.advance(1800)

    of_pool, of_stray, of_reserved = explained(vpc=from_pool), explained(vpc=stray), explained(vpc=reserved)
    unknown = explained(vpc="vpc-12345678")

    assert of_pool[:5] == [
        f"VPC {from_pool}",
        f"Addresses 10.0.0.0/24 from us-west-2/Prod OU ({pool_id}), for account {ZERO}",
        "the pool gets them back about 30 minutes after the VPC is deleted",
        "",
        f"Account {ZERO} ({ZERO})",
    ]
    assert of_stray[1].startswith(f"Addresses 192.168.0.0/24 from no pool (us-west-2, account {ZERO}), not reserved")
    assert f"Account {ZERO} ({ZERO})" in of_stray
    assert "reserved by ReservedCidrs: no pool gives them to another VPC" in " ".join(of_reserved)
    assert unknown == [
        "VPC vpc-12345678",
        "Addresses unknown: no pool has given it addresses, and IPAM has not discovered it, which takes up to an hour",
    ]


def test_a_stack_that_is_changing_is_named_before_the_answer(
    deployed: Deployed, explained: Callable[..., list[str]]
) -> None:
    deployed.cloud.stacks["ipam"]["StackStatus"] = "UPDATE_IN_PROGRESS"

    lines = explained(account=ZERO)

    assert lines[0] == "Stack ipam is UPDATE_IN_PROGRESS: what follows may change, and may lack what is gone already."


def test_a_pool_of_a_region_is_read_though_it_is_shared_with_nobody(
    deployed: Deployed, explained: Callable[..., list[str]]
) -> None:
    tags = [{"Key": names.STACK_TAG, "Value": NETWORKING_STACK}, {"Key": names.REGION_TAG, "Value": "us-west-2"}]
    pool_id = deployed.landing_zone.networking_ec2.create_ipam_pool(
        IpamScopeId=deployed.landing_zone.scope_id,
        AddressFamily="ipv4",
        Locale="us-west-2",
        TagSpecifications=[{"ResourceType": "ipam-pool", "Tags": tags}],
    )["IpamPool"]["IpamPoolId"]
    deployed.cloud.clock.advance(60)

    lines = explained(pool="us-west-2")

    assert lines[0] == f"Pool us-west-2 ({pool_id}), create-complete"
    assert "Accounts only environment pools are shared" in lines


def test_an_account_that_was_moved_has_its_old_pools_and_gets_others_with_the_next_run(
    deployed: Deployed, explained: Callable[..., list[str]], calls: list[str]
) -> None:
    deployed.cloud.move(ZERO, deployed.ous["SDLC OU"])

    lines = explained(account=ZERO)

    assert f"us-west-2/Prod OU 10.0.0.0/20 {deployed.ids[PROD_POOL]} shared, and the next run takes it away" in lines
    assert f"us-west-2/SDLC OU 10.0.16.0/20 {deployed.ids[SDLC_POOL]} not shared" in lines
    assert [call for call in calls if call.startswith("ram:") and not call.startswith("ram:Get")] == []


def test_a_line_of_the_log_that_names_the_networking_account_only_as_the_owner_of_pools_is_not_about_it(
    deployed: Deployed, explained: Callable[..., list[str]]
) -> None:
    deployed.logs["shares"] = [json.dumps({"message": "reconciled", "added": [deployed.arns[PROD_POOL]]})]

    lines = explained(account=NETWORKING)

    assert "Log nothing in shares" in lines
    assert f"Matched no environment: {NEVER}" in lines


def test_an_account_that_is_gone_is_explained_too(deployed: Deployed, explained: Callable[..., list[str]]) -> None:
    assert "Where not in the organization" in explained(account="999999999999")


def test_without_the_stack_in_the_networking_account_it_is_told_that_its_log_cannot_be_read(
    deployed: Deployed, explained: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "networking_stack_id", lambda *_: "")
    pool_id = deployed.ids[PROD_POOL]
    deployed.landing_zone.networking_ec2.delete_tags(Resources=[pool_id], Tags=[{"Key": names.STACK_TAG}])

    lines = explained(pool=pool_id)

    assert lines[0] == (
        "Nothing watches or corrects the pools: their stack in the Networking account does not exist; see `make "
        "preview stack=ipam`."
    )
    assert "Log could not be read (the stack has no output that names its log group)" in lines
    assert f"--tags Key={names.STACK_TAG},Value=...`" in " ".join(lines)


@pytest.mark.parametrize("status", ["DELETE_FAILED", "ROLLBACK_COMPLETE"])
def test_a_stack_in_the_networking_account_without_functions_is_told_first(
    deployed: Deployed, explained: Callable[..., list[str]], status: str
) -> None:
    assert not explained(account=ZERO)[0].startswith("Nothing watches")
    deployed.cloud.stacks[NETWORKING_STACK]["StackStatus"] = status

    assert f"their stack in the Networking account is {status}; see" in explained(account=ZERO)[0]


def test_a_name_of_no_deployment_is_refused_with_the_ways_to_name_one(
    deployed: Deployed, explained: Callable[..., list[str]]
) -> None:
    deployed.cloud.stacks["another"] = {"StackStatus": "CREATE_COMPLETE", "StackId": STACK_ID}
    deployed.cloud.stacks["reviewed"] = {"StackStatus": "REVIEW_IN_PROGRESS", "StackId": STACK_ID}

    for name in ("nothing", "reviewed"):
        told = f"There is no stack {name} in us-east-1, or it has only a change set yet; deploy it, set AWS_REGION to"
        with pytest.raises(Refused, match=told):
            explained(account=ZERO, stack=name)
    with pytest.raises(Refused, match=r"Stack another is not this solution's: .* name another with stack="):
        explained(account=ZERO, stack="another")


@pytest.mark.parametrize(
    ("words", "steps"),
    [
        ({"account": ZERO}, ["the account, its pools and its shares", "the log"]),
        ({"pool": "us-west-2/Prod OU"}, ["the pool", "the log"]),
        ({"vpc": "vpc-1"}, ["the allocations of all pools", "what IPAM has discovered"]),
    ],
    ids=["account", "pool", "vpc"],
)
@pytest.mark.usefixtures("deployed")
def test_a_terminal_shows_what_is_read_and_gets_lines_of_its_width(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, words: dict[str, str], steps: list[str]
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    for name, value in ({"WORDS": " ".join(["stack", *words]), "stack": "ipam", "COLUMNS": "70"} | words).items():
        monkeypatch.setenv(name, value)

    assert explain.main() == 0

    written = capsys.readouterr()
    assert written.err.splitlines() == [f"Reading {step} ..." for step in ["the stack", *steps]]
    breakable = [line for line in written.out.splitlines() if "make preview" not in line and len(line.split()) > 2]
    assert 55 < max(map(len, breakable)) <= 70


def test_a_vpc_that_ipam_keeps_in_its_default_scope_is_found_though_the_pools_are_in_another(
    deployed: Deployed, explained: Callable[..., list[str]]
) -> None:
    ipam_id = deployed.landing_zone.networking_ec2.describe_ipams()["Ipams"][0]["IpamId"]
    other = deployed.landing_zone.networking_ec2.create_ipam_scope(IpamId=ipam_id)["IpamScope"]["IpamScopeId"]
    parameters = deployed.cloud.stacks["ipam"]["Parameters"]
    parameters.append({"ParameterKey": "IpamScope", "ParameterValue": other})
    vpc_id = deployed.make_vpc(CidrBlock="192.168.0.0/24")
    deployed.cloud.clock.advance(1800)

    assert f"Addresses 192.168.0.0/24 from no pool (us-west-2, account {ZERO})" in explained(vpc=vpc_id)[1]
