"""What `make report` prints, of answers that no test in process produces."""

from __future__ import annotations

from typing import Any

import pytest

from commands.report import text as report_text
from commands.report.pool_tree import DrawnPool, draw
from ctipam.sharing.report_rows import within
from ctipam.sharing.spec import NO_MEMBER

POOL = {"environment": "Prod OU", "region": "us-west-2", "accounts": ["111122223333"]}

GONE = {"accountId": "444455556666", "name": "", "organizationalUnits": []}


def answer(**changed: Any) -> dict[str, Any]:
    """Return the answer about a landing zone with a top-level pool and an account."""
    top = {
        "poolId": "ipam-pool-1",
        "sourcePoolId": "",
        "name": "landing-zone",
        "state": "create-complete",
        "cidrs": ["10.0.0.0/8"],
        "percentUsed": 0.0,
        "requiredTags": {},
    }
    account = {"accountId": "111122223333", "name": "shop", "organizationalUnits": ["Workloads", "Prod OU"]}
    plain: dict[str, Any] = {
        "tree": [top],
        "pools": [POOL],
        "accounts": 1,
        "sharedWith": 1,
        "accountDetails": [{**account, "environment": "Prod OU", "share": "pending"}],
        "leftOut": 0,
        "environments": [
            {"environment": "Prod OU", "organizationalUnit": "Prod OU", "organizationalUnitId": "ou-ab12-34567890"}
        ],
        "allocations": [],
        "allocationsLeftOut": 0,
        "organizationalUnitsWithoutPools": [],
        "wrongRules": [],
        "heldBack": "",
        "notMonitored": "",
        "accountsWithPools": 1,
        "watch": {"at": "2026-11-26T10:03:00+00:00", "findings": [], "problem": "", "dashboardUrl": ""},
    }
    return plain | changed


def allocation(**changed: Any) -> dict[str, Any]:
    plain = {"poolId": "ipam-pool-1", "cidr": "10.1.0.0/16", "resourceType": "custom", "resourceId": ""}
    more = {"allocationId": "ipam-pool-alloc-1", "accountId": "222222222222", "region": "us-east-1", "reserved": False}
    return plain | more | changed


def test_the_addresses_of_a_vpc_with_a_pool_of_its_subnets_are_those_of_its_account() -> None:
    vpc = allocation(resourceType="vpc", resourceId="vpc-1", accountId="111122223333")
    of_its_subnets = allocation(resourceType="ipam-pool", resourceId="ipam-pool-planning")

    assert "    addresses: shop 65,536" in report_text.to_lines(answer(allocations=[of_its_subnets, vpc]))


def test_the_accounts_of_an_ou_are_in_the_order_of_their_names() -> None:
    (account,) = answer()["accountDetails"]
    rows = [account | {"accountId": f"{number:012}", "name": name} for number, name in enumerate("cab")]

    lines = report_text.to_lines(answer(accountDetails=rows))

    assert [line.split()[1] for line in lines if line.startswith("    00")] == ["a", "b", "c"]


def test_the_name_of_an_ou_makes_no_line_of_its_own() -> None:
    (account,) = answer()["accountDetails"]
    found = answer(accountDetails=[account | {"organizationalUnits": ["x\nAccounts: 9 of 9 have pools"]}])

    assert sum(line.startswith("Accounts:") for line in report_text.to_lines(found)) == 1


def test_a_report_has_a_section_for_what_there_is_and_none_for_what_there_is_not() -> None:
    assert report_text.to_lines(answer()) == [
        "landing-zone  10.0.0.0/8        ░░░░░░░░░░   0.0 %",
        "",
        "Accounts: 1 of 1 has pools",
        "  Prod OU (ou-ab12-34567890)",
        "    111122223333  shop  Workloads / Prod OU  pending (AWS has not finished)",
        "",
        "Findings of the watch (2026-11-26T10:03:00+00:00): none",
    ]


def test_a_report_of_a_landing_zone_in_which_much_is_to_do() -> None:
    (top,) = answer()["tree"]
    pools = [
        {**top, "lostTag": True, "stackId": "arn:aws:cloudformation:us-east-1:222222222222:stack/s/1"},
        {**top, "poolId": "ipam-pool-2", "sourcePoolId": "ipam-pool-1", "name": "west", "percentUsed": 50.0},
    ]

    def account(number: int, name: str, environment: str | None, *ous: str, **more: str) -> dict[str, Any]:
        row = {"accountId": f"{number:012}", "name": name, "organizationalUnits": [*ous]}
        return row | {"environment": environment, "share": "shared", **more}

    accounts = [
        account(4, "shop", "Prod OU", "Prod OU"),
        account(3, "shop", "Prod OU", "Prod OU"),
        account(9, "a", "Prod OU", "Prod OU", "Team"),
        account(1, "audit", None, share="none", reason="no OU"),
    ]
    vpcs = [
        allocation(resourceType="vpc", resourceId=f"vpc-{one}", accountId=f"{one:012}", cidr=f"10.{one}.0.0/{15 + one}")
        for one in range(1, 8)
    ]
    found = answer(
        tree=pools,
        accounts=4,
        accountsWithPools=3,
        accountDetails=accounts,
        allocations=[*vpcs, allocation(poolId="ipam-pool-2")],
        notMonitored="IPAM sees no other account.",
        environments=[
            {"environment": "Prod OU", "organizationalUnit": "Production", "organizationalUnitId": "ou-1"},
            {"environment": "Test", "organizationalUnit": None, "organizationalUnitId": None, "problem": "No OU."},
        ],
        organizationalUnitsWithoutPools=[{"organizationalUnit": "Root", "id": "", "accounts": 1}],
        watch={"at": "10:03", "findings": [{"message": "Full."}], "problem": "", "dashboardUrl": "https://x"},
    )

    others = report_text.to_lines(found)
    lost = others.pop(-5)
    assert lost.startswith("  - Pool landing-zone has lost the tag that marks it as ours.")
    assert others == [
        "landing-zone (lost its tag)  10.0.0.0/8        ░░░░░░░░░░   0.0 %",
        "└─ west                      10.0.0.0/8        █████░░░░░  50.0 %",
        "",
        "Accounts: 3 of 4 have pools",
        "  Prod OU (ou-1, now named Production)",
        "    000000000003  shop  Prod OU         shared",
        "    000000000004  shop  Prod OU         shared",
        "    000000000009  a     Prod OU / Team  shared",
        "  Test, which has no OU",
        "    no account",
        "  No environment",
        "    000000000001  audit  (root)  none: no OU",
        "",
        "In use (a pool or Region that holds one of these is not removed)",
        "  landing-zone (ipam-pool-1)",
        "    addresses: audit 65,536, 000000000002 32,768, shop 16,384, shop 8,192, 000000000005 4,096, and 2 more "
        "accounts",
        "    VPC vpc-1, 10.1.0.0/16, account 000000000001 (audit), us-east-1",
        "    VPC vpc-2, 10.2.0.0/17, account 000000000002, us-east-1",
        "    VPC vpc-3, 10.3.0.0/18, account 000000000003 (shop), us-east-1",
        "    VPC vpc-4, 10.4.0.0/19, account 000000000004 (shop), us-east-1",
        "    VPC vpc-5, 10.5.0.0/20, account 000000000005, us-east-1",
        "    VPC vpc-6, 10.6.0.0/21, account 000000000006, us-east-1",
        "    VPC vpc-7, 10.7.0.0/22, account 000000000007, us-east-1",
        "  west (ipam-pool-2)",
        "    addresses: 222222222222 65,536",
        "    manual allocation ipam-pool-alloc-1, 10.1.0.0/16, account 222222222222, us-east-1",
        "  To free a VPC's block, delete the VPC in its account and Region. If the account is closed, see "
        "templates/TROUBLESHOOTING.md.",
        "  To free a manual allocation, run in the Networking account:",
        "    aws ec2 release-ipam-pool-allocation --region us-east-1 --ipam-pool-id ipam-pool-2 --cidr 10.1.0.0/16 "
        "--ipam-pool-allocation-id ipam-pool-alloc-1",
        "",
        "Needs attention",
        "  - IPAM sees no other account.",
        "  - No OU.",
        "",
        "Findings of the watch (10:03)",
        "  - Full.",
        "Dashboard, in the Networking account: https://x",
    ]


@pytest.mark.parametrize(
    ("used", "drawn"),
    [
        (0.0, "░░░░░░░░░░   0.0 %"),
        (0.01, "█░░░░░░░░░   0.1 %"),
        (99.99, "█████████░  99.9 %"),
        (100.0, "██████████ 100.0 %"),
        (150.0, "██████████ 150.0 %"),
    ],
)
def test_only_an_empty_pool_is_drawn_empty_and_only_a_full_one_full(used: float, drawn: str) -> None:
    (line,) = report_text.to_lines(answer(tree=[{**answer()["tree"][0], "percentUsed": used}]))[:1]

    assert line == f"landing-zone  10.0.0.0/8        {drawn}"


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        ({"tree": []}, "The Networking account has no pools of this solution."),
        ({"leftOut": 7}, "  and 7 more, for which the answer has no room"),
        (
            {"tree": [{**answer()["tree"][0], "lostTag": True, "stackId": "arn:..."}]},
            "landing-zone (lost its tag)  10.0.0.0/8        ░░░░░░░░░░   0.0 %",
        ),
        ({"accountsWithPools": 0}, "Accounts: 0 of 1 have pools"),
        ({"sharedWith": 0, "heldBack": "Too many."}, "Accounts: 1 of 1 has pools"),  # it keeps what it has
        (
            {"accountDetails": [{**GONE, "environment": None, "share": "outdated", "reason": NO_MEMBER}]},
            "    444455556666    (none)  outdated (the next run changes it): not in the organization",
        ),
        ({"heldBack": "12 accounts would lose pools."}, "  - 12 accounts would lose pools."),
        ({"wrongRules": ["The rule is wrong."]}, "  - The rule is wrong."),
        (
            {"organizationalUnitsWithoutPools": [{"organizationalUnit": "Sandbox", "id": "ou-1", "accounts": 3}]},
            "  - OU 'Sandbox' (ou-1) has no pools; accounts in it: 3.",
        ),
        (
            {"tree": [{**answer()["tree"][0], "percentUsed": None}]},
            "  - What is allocated from landing-zone cannot be read: its Region is denied or not enabled.",
        ),
        (
            {"tree": [{**answer()["tree"][0], "state": "modify-failed"}]},
            "landing-zone (modify-failed)  10.0.0.0/8        ░░░░░░░░░░   0.0 %",
        ),
        (
            {"pools": [POOL | {"accounts": [], "strangers": ["333333333333"]}]},
            "  - 333333333333 can use the pool of 'Prod OU' in us-west-2: somebody has added it to the share of "
            "another account. The next run removes it there.",
        ),
        ({"pools": [POOL]}, "  Prod OU (ou-ab12-34567890)"),  # as in 1.0.0
        ({"allocationsLeftOut": 9}, "  and 9 more, for which the answer has no room"),
        ({"allocations": [allocation()], "allocationsLeftOut": 9}, "  and 9 more, for which the answer has no room"),
    ],
    ids=str,
)
def test_what_somebody_has_to_know_is_said(changed: dict[str, Any], line: str) -> None:
    assert line in report_text.to_lines(answer(**changed))


def test_reserved_cidrs_are_not_in_the_way() -> None:
    assert report_text.to_lines(answer(allocations=[allocation(reserved=True)])) == report_text.to_lines(answer())


def test_each_cidr_of_a_pool_has_a_line_and_a_pool_that_cannot_be_measured_a_question_mark() -> None:
    pools = [
        DrawnPool("top", "", "top", ["10.0.0.0/9", "172.16.0.0/12"], 50.0, {}),
        DrawnPool("west", "top", "west", ["10.0.0.0/10", "172.16.0.0/16"], None, {}),
        DrawnPool("east", "top", "east", ["10.64.0.0/10", "172.17.0.0/16"], 100.0, {"Env": "Prod OU"}),
    ]

    assert draw(pools) == [
        "top      10.0.0.0/9        █████░░░░░  50.0 %",
        "│        172.16.0.0/12",
        "├─ west  10.0.0.0/10       ??????????     ? %",
        "│        172.16.0.0/16",
        "└─ east  10.64.0.0/10      ██████████ 100.0 %  Env=Prod OU",
        "         172.17.0.0/16",
    ]


def test_pools_are_drawn_in_the_order_of_their_addresses_and_one_without_a_cidr_first() -> None:
    pools = [
        DrawnPool("south", "top", "south", ["10.128.0.0/10"], 0.0, {}),
        DrawnPool("west", "top", "west", ["10.64.0.0/10"], 25.0, {}),
        DrawnPool("prod", "south", "prod", ["10.128.0.0/11"], 4.0, {"Env": "Prod", "Team": "x"}),
        DrawnPool("new", "top", "new", [], 0.0, {}),
        DrawnPool("top", "", "top", ["10.0.0.0/8"], 75.0, {}),
        DrawnPool("old", "", "old", ["9.0.0.0/8"], 96.0, {}),
    ]

    assert draw(pools) == [
        "old         9.0.0.0/8         █████████░  96.0 %",
        "top         10.0.0.0/8        ████████░░  75.0 %",
        "├─ new                        ░░░░░░░░░░   0.0 %",
        "├─ west     10.64.0.0/10      ██░░░░░░░░  25.0 %",
        "└─ south    10.128.0.0/10     ░░░░░░░░░░   0.0 %",
        "   └─ prod  10.128.0.0/11     █░░░░░░░░░   4.0 %  Env=Prod, Team=x",
    ]


def test_an_answer_holds_as_many_rows_as_lambda_returns() -> None:
    rows = [{"number": number} for number in range(10)]

    assert within(rows, 1_000) == rows
    assert within(rows, 35) == rows[:2]
