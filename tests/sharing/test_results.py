"""The results of a run, as answers, errors and stack outputs contain them."""

from __future__ import annotations

import json

import pytest

from ctipam.errors import AwsFailed
from ctipam.organization.environments import EnvironmentOu
from ctipam.organization.tree import OrganizationalUnit
from ctipam.sharing.result_log import log_result
from ctipam.sharing.results import AccountResult, SharingResult, who_can_use
from ctipam.sharing.spec import NO_POOL, SharedPool, ShareSpec

POOL = SharedPool("arn:aws:ec2::222222222222:ipam-pool/ipam-pool-0123456789abcdef0", "us-east-1")


def account_result(number: int, *, changed: bool = False, failed: str = "") -> AccountResult:
    return AccountResult(ShareSpec(f"{number:012}", pools=(POOL,)), changed=changed, failed=failed)


def test_a_result_that_is_too_large_omits_accounts_without_changes_first() -> None:
    result = SharingResult([account_result(number, changed=number % 100 == 0) for number in range(1_000)])

    answer = result.to_dict(limit=10_000)

    assert sum(row["changed"] for row in answer["reconciled"]) == 10
    assert answer["leftOut"] == 1_000 - len(answer["reconciled"]) > 0
    assert len(json.dumps(answer)) < 11_000


def test_an_answer_for_ten_thousand_accounts_fits_the_payload_limit_of_lambda() -> None:
    unit = OrganizationalUnit("ou-ab12-l3zc8b3h", "O" * 128)
    pools = frozenset([POOL.arn] * 2)
    specs = [ShareSpec(f"{number:012}", unit, unit.name, (POOL,) * 2) for number in range(10_000)]
    result = SharingResult([AccountResult(spec, added=pools, removed=pools, changed=True) for spec in specs])

    assert len(json.dumps(result.to_dict())) < 6_000_000


def test_an_error_names_some_failures_and_counts_all() -> None:
    result = SharingResult([account_result(1), *(account_result(number, failed="no") for number in range(2, 8))])

    with pytest.raises(
        AwsFailed, match=r"^no \(Account 000000000002; 6 of 7 accounts failed\.\) 000000000003: no 000000000004: no$"
    ):
        result.raise_if_failed()


def test_a_result_without_failures_raises_no_error() -> None:
    SharingResult([account_result(1, changed=True)]).raise_if_failed()


@pytest.mark.parametrize("letter", ["N", "\N{CJK UNIFIED IDEOGRAPH-4E2D}"], ids=["ASCII", "six bytes each in JSON"])
def test_stack_outputs_stay_within_the_limit_of_cloudformation(letter: str) -> None:
    units = [OrganizationalUnit(f"ou-ab12-{number:08}", letter * 128) for number in range(500)]
    without = [AccountResult(ShareSpec("1", unit, reason=NO_POOL)) for unit in units]
    environments = [EnvironmentOu(f"{unit.ou_id} {unit.name}", unit) for unit in units]
    result = SharingResult(without, environments, held_back="so many accounts " * 100)

    outputs = result.outputs()

    assert len(json.dumps(outputs)) < 3_200
    assert "more" in outputs["OusWithoutPools"]
    assert SharingResult([]).outputs()["Environments"] == "none"


def test_stack_outputs_name_each_environment_with_its_ou() -> None:
    unit = OrganizationalUnit("ou-ab12-00000001", "Prod OU")
    environments = [
        EnvironmentOu("Prod OU", unit),
        EnvironmentOu("Live OU", unit),
        EnvironmentOu("Test OU", problem="No OU is named 'Test OU'."),
    ]

    assert SharingResult([], environments).outputs()["Environments"] == (
        "Prod OU (ou-ab12-00000001), Live OU (ou-ab12-00000001, now Prod OU), Test OU (no OU)"
    )


@pytest.mark.parametrize(
    ("accounts", "logged"),
    [
        ([account_result(1)], 1),
        ([account_result(1), account_result(2)], 0),
        ([account_result(1), account_result(2, changed=True), account_result(3, failed="no")], 2),
    ],
    ids=["one alone", "nothing changed", "some changed"],
)
def test_an_account_is_logged_if_it_changed_or_is_alone(
    caplog: pytest.LogCaptureFixture, accounts: list[AccountResult], logged: int
) -> None:
    with caplog.at_level("INFO"):
        log_result(SharingResult(accounts))

    assert sum("reconciled account" in record.getMessage() for record in caplog.records) == logged


def test_a_result_is_of_a_whole_run_that_changed_things_unless_it_says_otherwise() -> None:
    answer = SharingResult([account_result(1)]).to_dict()

    assert (answer["unfinished"], answer["dryRun"], answer["heldBack"], answer["leftOut"]) == (False, False, "", 0)


def test_an_operator_gets_all_of_a_result() -> None:
    unit = OrganizationalUnit("ou-ab12-00000001", "Prod OU")
    shared = AccountResult(
        ShareSpec("000000000001", unit, "Prod OU", (POOL,)), added=frozenset([POOL.arn]), changed=True, pending=True
    )
    without = AccountResult(
        ShareSpec("000000000002", unit, reason=NO_POOL), removed=frozenset([POOL.arn]), changed=True, failed="no"
    )
    wrong = {POOL.arn: "It requires no tag."}

    answer = SharingResult([shared, without], [EnvironmentOu("Prod OU", unit)], (), wrong, "Too many.").to_dict()

    of_unit = {"organizationalUnit": "Prod OU", "organizationalUnitId": "ou-ab12-00000001"}
    nothing = {"added": [], "removed": [], "changed": True, "pending": False}
    assert answer == {
        "dryRun": False,
        "unfinished": False,
        "accounts": 2,
        "sharedWith": 1,
        "changed": 2,
        "pending": 1,
        "failed": 1,
        "withoutPools": 1,
        "leftAlone": 0,
        "organizationalUnitsWithoutPools": [{"organizationalUnit": "Prod OU", "id": unit.ou_id, "accounts": 1}],
        "environments": [{"environment": "Prod OU"} | of_unit],
        "wrongRules": ["It requires no tag."],
        "heldBack": "Too many.",
        "reconciled": [
            nothing
            | of_unit
            | {"accountId": "000000000001", "environment": "Prod OU", "pools": [POOL.arn]}
            | {"added": [POOL.arn], "pending": True},
            nothing
            | of_unit
            | {"accountId": "000000000002", "environment": None, "pools": []}
            | {"removed": [POOL.arn], "reason": NO_POOL, "failed": "no"},
        ],
        "leftOut": 0,
    }


def test_a_pool_without_accounts_is_reported() -> None:
    assert who_can_use({"Prod": [POOL]}, {}) == [
        {"pool": POOL.arn, "environment": "Prod", "region": "us-east-1", "accounts": [], "pending": []}
    ]
