"""`make explain`: what it makes of the facts. test_ways_in reads them from a landing zone."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import IPv4Network
from typing import cast

import pytest

from commands import reading
from commands.explain import __main__ as explain
from commands.explain.facts import AccountFacts, Decision, Log, PoolFacts, VpcFacts
from commands.explain.reading import find_deployment, foresee, joined_shares, names_account, ous_of
from commands.explain.text import WIDTH, of_account, of_pool, of_vpc
from ctipam import names
from ctipam.errors import Refused
from ctipam.ipam.discovered import DiscoveredCidr
from ctipam.organization.tree import AccountLocation, OrganizationalUnit
from ctipam.pools.existing import Allocation, Block, ExistingPool
from ctipam.pools.spec import PoolKey, VpcSizes
from ctipam.sessions import Account
from ctipam.sharing.existing import Share
from ctipam.sharing.reader import find_all_shares
from ctipam.sharing.results import AccountResult
from ctipam.sharing.spec import EXISTING, NEVER, NO_POOL, SharedPool, ShareSpec
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


def test_a_reservation_is_called_one() -> None:
    reserved = Allocation(IPv4Network("10.1.0.0/24"), "custom", "", "222222222222", "alloc-1", is_reservation=True)

    lines = told(of_pool(PoolFacts(EAST, [reserved], [], [], {}, Log("pools-log"))))

    assert "reserved 10.1.0.0/24, by ReservedCidrs" in lines


def test_a_vpc_and_the_pool_of_its_subnets_fill_a_pool_once() -> None:
    vpc = Allocation(IPv4Network("10.1.0.0/22"), "vpc", "vpc-1", SHOP)
    of_its_subnets = Allocation(vpc.cidr, "ipam-pool", "ipam-pool-planning", "222222222222")

    lines = told(of_pool(PoolFacts(EAST, [vpc, of_its_subnets], [], [], {}, Log("pools-log"))))

    assert "In use 12.5 %, 2 allocations" in lines


def test_the_top_level_pool_is_removed_with_the_stack() -> None:
    top = replace(EAST, key=PoolKey(), vpc_sizes=None, allocation_tags={})

    last = told(of_pool(PoolFacts(top, [], [], [], {}, Log("pools-log"))))[-1]

    assert last == "it is removed with the stack, if nothing is allocated from it"


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
