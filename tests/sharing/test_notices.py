"""What somebody is told, and how often."""

from __future__ import annotations

from typing import Any

import pytest

from commands.report import text as report_text
from ctipam.organization.environments import EnvironmentOu
from ctipam.organization.tree import OrganizationalUnit
from ctipam.sharing.doubtful import DoubtfulPool
from ctipam.sharing.notices import MEMORY_LIMIT, NOTHING, Notice, due, message, notices
from ctipam.sharing.results import AccountResult, SharingResult
from ctipam.sharing.spec import NO_POOL, ShareSpec
from in_process.aws_calls import Call, intercept
from in_process.fixtures import HOME, NETWORKING, of_management
from in_process.lifecycle_events import NEWCOMER, SCHEDULE, ZERO

HOUR, DAY = 3600.0, 86400.0
ONCE, DAILY = Notice("once", "about an OU"), Notice("daily", "about an environment", daily=True)


def sent(notices: list[Notice], times: list[float]) -> list[list[str]]:
    """Return the texts that are sent at each time, while these notices hold."""
    memory, texts = NOTHING, []
    for now in times:
        to_send, memory = due(notices, memory, now)
        texts.append([notice.text for notice in to_send])
    return texts


def test_a_notice_is_sent_once_and_a_daily_one_each_day() -> None:
    assert sent([ONCE, DAILY], [0, HOUR, 23 * HOUR, DAY, DAY + HOUR, 2 * DAY]) == [
        [ONCE.text, DAILY.text],
        [],
        [],
        [DAILY.text],
        [],
        [DAILY.text],
    ]


def test_a_schedule_of_every_minute_and_one_of_once_a_day_that_is_early_both_send_daily() -> None:
    assert sum(map(len, sent([DAILY], [minute * 60.0 for minute in range(3 * 24 * 60)]))) == 3
    assert sum(map(len, sent([DAILY], [30.0, DAY + 25, 2 * DAY + 5]))) == 3


def test_a_notice_that_holds_again_is_sent_again() -> None:
    _, memory = due([ONCE], NOTHING, 0)
    assert due([], memory, HOUR) == ([], NOTHING)


@pytest.mark.parametrize("memory", ["", "none", "x", "=", "daily=soon", f"{DAILY.digest}=soon"])
def test_a_memory_that_somebody_has_changed_is_read_or_ignored(memory: str) -> None:
    assert due([DAILY], memory, 0)[0] == [DAILY]


def test_more_notices_than_can_be_remembered_are_not_sent_at_every_run() -> None:
    many = [Notice(f"OU {number}", "no pools") for number in range(2000)]

    first, memory = due(many, NOTHING, 0)

    assert len(memory) <= MEMORY_LIMIT
    assert 500 < len(first) < 2000
    assert due(many, memory, HOUR) == ([], memory)


def test_what_needs_a_decision_is_told_daily_and_first() -> None:
    sandbox = OrganizationalUnit("ou-ab12-00000001", "Sandbox")
    result = SharingResult(
        [
            AccountResult(ShareSpec(str(number), unit, reason=NO_POOL))
            for number, unit in enumerate([sandbox, sandbox, None])
        ],
        [
            EnvironmentOu("Prod", sandbox),
            EnvironmentOu("Test", problem="No OU is named 'Test'."),
            EnvironmentOu("Live", problem="Two OUs are named 'Live'.", lasting=True),
        ],
        [DoubtfulPool("It has lost its tag.", 1)],
        {"arn": "It requires no tag."},
    )

    assert [(notice.text, notice.daily) for notice in notices(result, "")] == [
        ("It has lost its tag. Until then, 1 account keeps what it has, and no other account gets it.", True),
        ("Two OUs are named 'Live'.", True),
        ("No OU is named 'Test'.", False),
        ("It requires no tag.", False),
        ("OU 'Sandbox' (ou-ab12-00000001) has no pools; accounts in it: 2.", False),
    ]


def test_a_notice_is_the_same_while_only_the_number_of_accounts_changes() -> None:
    units = [OrganizationalUnit(f"ou-ab12-0000000{number}", "Sandbox") for number in range(2)]

    def keys(accounts: int, unit: OrganizationalUnit, why: str) -> list[str]:
        without = [AccountResult(ShareSpec(str(number), unit, reason=NO_POOL)) for number in range(accounts)]
        return [one.digest for one in notices(SharingResult(without, doubtful=[DoubtfulPool(why, accounts)]), "")]

    assert keys(1, units[0], "Lost.") == keys(2, units[0], "Lost.")
    assert not set(keys(1, units[0], "Lost.")) & set(keys(1, units[1], "Lost again."))


def test_a_message_has_a_line_for_each_notice() -> None:
    told = message([ONCE, DAILY])

    assert told.title == "IPAM pools: what needs attention"
    assert told.text.splitlines()[:3] == [f"- {ONCE.text}", f"- {DAILY.text}", ""]


def test_a_message_is_never_longer_than_sns_takes_and_says_how_much_is_left_out() -> None:
    long = "本番環境" * 32  # an OU's name has at most 128 characters
    told = message([Notice(f"OU {number}", f"OU {long!r} has no pools; accounts in it: 1.") for number in range(585)])

    assert len(told.text.encode()) < 256 * 1024
    assert " more, which the function's log lists." in told.text
    assert told.text.endswith("which OUs have no pools.")


def test_a_memory_that_somebody_has_deleted_is_made_again_and_everything_is_told_once_more(
    landing_zone: Any, ous: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(call: Call, client: Any, operation: str, parameters: Any) -> Any:
        # AWS requires it of a new one. https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html
        assert operation != "PutParameter" or parameters["Type"] == "String"
        return call(client, operation, parameters)

    intercept(monkeypatch, answer)
    landing_zone.cloud.add_account(NEWCOMER, landing_zone.cloud.add_ou("Sandbox"))
    landing_zone.invoke(SCHEDULE)
    of_management("ssm").delete_parameter(Name="notices")

    for _ in range(2):
        landing_zone.invoke(SCHEDULE)

    assert len(landing_zone.told()) == 2


def test_an_ou_with_accounts_and_without_pools_is_told_once(landing_zone: Any, ous: Any) -> None:
    sandbox = landing_zone.cloud.add_ou("Sandbox")
    landing_zone.invoke(SCHEDULE)
    assert landing_zone.told() == []

    landing_zone.cloud.add_account(NEWCOMER, sandbox)
    for _ in range(3):
        landing_zone.invoke(SCHEDULE)
        landing_zone.clock.advance(DAY)

    (told,) = landing_zone.told()
    assert f"OU 'Sandbox' ({sandbox}) has no pools; accounts in it: 1." in told


def test_an_environment_without_an_ou_is_told_once(landing_zone: Any) -> None:
    for _ in range(3):
        landing_zone.invoke(SCHEDULE)
        landing_zone.clock.advance(DAY)

    (told,) = landing_zone.told()
    assert "No OU is named 'Prod OU'" in told


@pytest.mark.parametrize(
    ("administrator", "sentence"),
    [
        (None, "IPAM has no delegated administrator any more"),
        (ZERO, f"delegated administrator is account {ZERO}, but the pools are in {NETWORKING}"),
    ],
    ids=["none", "another account"],
)
def test_a_loss_of_ipams_administration_between_updates_is_told_daily_and_reported_with_the_command_that_mends_it(
    landing_zone: Any, ous: Any, administrator: str | None, sentence: str
) -> None:
    """Other accounts can create no VPCs from the pools then, and an update that changes no parameter would not look.

    https://github.com/hashicorp/terraform-provider-aws/pull/26943
    """
    landing_zone.invoke(SCHEDULE)
    ec2 = of_management("ec2")
    ec2.disable_ipam_organization_admin_account(DelegatedAdminAccountId=NETWORKING)
    if administrator:
        ec2.enable_ipam_organization_admin_account(DelegatedAdminAccountId=administrator)
    for _ in range(2):
        landing_zone.invoke(SCHEDULE)
        landing_zone.clock.advance(DAY)

    report = landing_zone.invoke({"action": "report"})

    told = landing_zone.told()
    command = f"enable-ipam-organization-admin-account --region {HOME} --delegated-admin-account-id {NETWORKING}"
    assert len(told) == 2
    assert sentence in told[1]
    assert "other accounts cannot create VPCs" in told[1]
    assert command in told[1]
    assert f"  - {report['notMonitored']}" in report_text.to_lines(report)
    assert report["notMonitored"] in told[1]


def test_a_preview_and_an_operators_run_send_nothing(landing_zone: Any) -> None:
    landing_zone.invoke({"action": "reconcile"})
    landing_zone.invoke({"action": "reconcile", "dryRun": True})

    assert landing_zone.told() == []
