"""The results of a run, as answers, errors and stack outputs contain them."""

from __future__ import annotations

import json
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from commands.arguments import LONGEST_STACK_NAME
from ctipam.cloudformation.custom_resource import RESPONSE_LIMIT
from ctipam.cloudformation.outputs import warnings_output
from ctipam.errors import AwsFailed
from ctipam.organization.environments import EnvironmentOu
from ctipam.organization.tree import OrganizationalUnit
from ctipam.sharing.changes import (
    AdoptShare,
    Associate,
    CreateShare,
    DeleteShare,
    Disassociate,
    ShareChange,
    ShareChanges,
)
from ctipam.sharing.doubtful import DoubtfulPool
from ctipam.sharing.existing import Share
from ctipam.sharing.result_log import log_result
from ctipam.sharing.results import AccountResult, SharingResult, who_can_use
from ctipam.sharing.spec import NO_POOL, SharedPool, ShareSpec

UUID = "12345678-1234-1234-1234-123456789012"
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
def test_stack_outputs_and_warnings_stay_within_the_limit_of_cloudformation(letter: str) -> None:
    units = [OrganizationalUnit(f"ou-ab12-{number:08}", letter * 128) for number in range(500)]
    without = [AccountResult(ShareSpec("1", unit, reason=NO_POOL)) for unit in units]
    environments = [EnvironmentOu(f"{unit.ou_id} {unit.name}", unit) for unit in units]
    result = SharingResult(without, environments, held_back="so many accounts " * 100)

    outputs = result.outputs()

    stack_id = f"arn:aws-us-gov:cloudformation:us-gov-west-1:111122223333:stack/{'x' * LONGEST_STACK_NAME}/{UUID}"
    answer = {
        "StackId": stack_id,
        "RequestId": UUID,
        "LogicalResourceId": "ShareExistingAccounts",
        "PhysicalResourceId": f"ShareExistingAccounts-{UUID}",
        "Status": "SUCCESS",
        "Reason": "",
        "Data": {**outputs, "Warnings": warnings_output([letter * 1000])},
        "NoEcho": False,
    }
    assert len(json.dumps(answer)) <= RESPONSE_LIMIT
    assert max(len(output.encode()) for output in outputs.values()) <= 1024
    names, _, others = outputs["OusWithoutPools"].partition(" and ")
    assert others == f"{500 - len(names.split(', '))} more"
    assert SharingResult([]).outputs()["Environments"] == "none"


def test_stack_outputs_name_each_environment_with_its_ou_in_the_order_of_names() -> None:
    unit = OrganizationalUnit("ou-ab12-00000001", "Prod OU")
    environments = [
        EnvironmentOu("Prod OU", unit),
        EnvironmentOu("Live OU", unit),
        EnvironmentOu("Test OU", problem="No OU is named 'Test OU'."),
    ]

    assert SharingResult([], environments).outputs()["Environments"] == (
        "Live OU (ou-ab12-00000001, now Prod OU), Prod OU (ou-ab12-00000001), Test OU (no OU)"
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


EAST, WEST = SharedPool("east", "us-east-1"), SharedPool("west", "us-west-2")
WANTED = ShareSpec("000000000001", environment="Prod OU", pools=(EAST, WEST), kept=frozenset({"doubtful"}))


def share(*pools: str, status: str = "ASSOCIATED", principal: str = "ASSOCIATED", account: str = "1") -> Share:
    created = datetime(2026, 1, 1, tzinfo=UTC)
    return Share("arn", account, created, pools=dict.fromkeys(pools, status), principals={account: principal})


ADOPTION = ShareChanges((AdoptShare(share()),))


@pytest.mark.parametrize(
    ("spec", "shares", "changes", "added", "removed", "changed"),
    [
        (WANTED, [], ShareChanges(), "east west", "", True),
        (WANTED, [share("east"), share("west")], ShareChanges(), "", "", False),
        (WANTED, [share("east", "west", "old")], ShareChanges(), "", "old", True),
        (WANTED, [share("east", "west", "doubtful")], ShareChanges(), "", "", False),
        (WANTED, [share("east", "west")], ADOPTION, "", "", True),
        (replace(WANTED, pools=(), left_alone=True), [share("old")], ADOPTION, "", "", False),
    ],
    ids=["no share", "as it should be", "a pool too many", "a pool in doubt", "to adopt", "left alone"],
)
def test_a_preview_tells_what_all_rounds_together_would_do(
    spec: ShareSpec, shares: list[Share], changes: ShareChanges, added: str, removed: str, changed: bool
) -> None:
    result = AccountResult(spec)

    result.preview(shares, changes)

    assert (sorted(result.added), sorted(result.removed), result.changed) == (added.split(), removed.split(), changed)


@pytest.mark.parametrize(
    ("changes", "added", "removed"),
    [
        ([CreateShare("1", ("east", "west"))], "east west", ""),
        ([Associate(share(), ("east",), ()), Associate(share(), ("west",), ())], "east west", ""),
        ([Disassociate(share(), ("old",), ()), Disassociate(share(), ("older",), ())], "", "old older"),
        ([DeleteShare(share("old")), DeleteShare(share("east", "doubtful", "older"))], "", "old older"),
        ([AdoptShare(share("east"))], "", ""),
    ],
    ids=["created", "added", "taken away", "deleted", "adopted"],
)
def test_what_was_done_for_an_account_adds_up(changes: list[ShareChange], added: str, removed: str) -> None:
    result = AccountResult(WANTED)
    assert not result.notable

    for change in changes:
        result.record(change)

    assert (sorted(result.added), sorted(result.removed)) == (added.split(), removed.split())
    assert result.notable


def test_outputs_count_accounts_and_name_what_has_no_pools_and_what_was_kept() -> None:
    units = [OrganizationalUnit(f"ou-ab12-0000000{number}", name) for number, name in enumerate(("Test", "Lab"))]
    without = [
        AccountResult(ShareSpec(str(number), unit, reason=NO_POOL)) for number, unit in enumerate([*units, None])
    ]
    doubtful = [DoubtfulPool("It has lost its tag.", 2)]

    outputs = SharingResult(
        [account_result(1), account_result(2, failed="no"), *without], doubtful=doubtful, held_back="Too many."
    ).outputs()

    assert outputs == {
        "SharedWith": "1",
        "Failed": "1",
        "WithoutPools": "3",
        "OusWithoutPools": "Lab, Test",
        "Environments": "none",
        "HeldBack": "Too many. It has lost its tag. Until then, 2 accounts keep what they have, and no other account "
        "gets it.",
    }


@pytest.mark.parametrize(
    ("results", "fails"),
    [
        ([], False),
        ([account_result(1)], False),
        ([account_result(1), account_result(2, failed="no")], False),
        ([account_result(1, failed="no")], True),
        ([account_result(1, failed="no"), AccountResult(ShareSpec("2", reason=NO_POOL))], True),
        ([AccountResult(ShareSpec("2", reason=NO_POOL), failed="no")], True),
        ([account_result(1), AccountResult(ShareSpec("2", reason=NO_POOL), failed="no")], False),
    ],
    ids=[
        "nobody",
        "no failure",
        "one of two",
        "all",
        "all that have pools",
        "one without pools",
        "another than succeeds",
    ],
)
def test_a_stack_operation_fails_if_all_accounts_failed(results: list[AccountResult], fails: bool) -> None:
    with pytest.raises(AwsFailed, match=r"^no ") if fails else nullcontext():
        SharingResult(results).raise_if_all_failed()


@pytest.mark.parametrize(
    ("status", "principal", "state"),
    [
        ("ASSOCIATED", "ASSOCIATED", "accounts"),
        ("SUSPENDED", "ASSOCIATED", "accounts"),
        ("ASSOCIATING", "ASSOCIATED", "pending"),
        ("ASSOCIATED", "ASSOCIATING", "pending"),
        ("FAILED", "ASSOCIATED", ""),
        ("ASSOCIATED", "DISASSOCIATING", ""),
        ("ASSOCIATING", "FAILED", ""),
    ],
)
def test_an_account_can_use_a_pool_if_both_are_associated(status: str, principal: str, state: str) -> None:
    shares = {"1": [share(POOL.arn, status=status, principal=principal)]}

    (row,) = who_can_use({"Prod": [POOL]}, shares)

    assert {name: row[name] for name in ("accounts", "pending")} == {"accounts": [], "pending": []} | (
        {state: ["1"]} if state else {}
    )


@pytest.mark.parametrize("order", [1, -1])
def test_of_several_shares_the_one_counts_by_which_the_account_can_use_the_pool(order: int) -> None:
    shares = [share(POOL.arn), share(POOL.arn, status="ASSOCIATING")][::order]

    (row,) = who_can_use({"Prod": [POOL]}, {"1": shares})

    assert (row["accounts"], row["pending"]) == (["1"], [])


def test_pools_are_in_the_order_of_environments_and_regions_and_accounts_in_theirs() -> None:
    shares = {number: [share("east", account=number)] for number in ("3", "1", "2")}
    shares |= {number: [share("west", status="ASSOCIATING", account=number)] for number in ("5", "4")}

    rows = who_can_use({"SDLC": [WEST], "Prod": [WEST, EAST]}, shares)

    assert [(row["environment"], row["region"], row["accounts"], row["pending"]) for row in rows] == [
        ("Prod", "us-east-1", ["1", "2", "3"], []),
        ("Prod", "us-west-2", [], ["4", "5"]),
        ("SDLC", "us-west-2", [], ["4", "5"]),
    ]


def test_whom_somebody_has_added_to_the_share_of_an_account_is_a_stranger_unless_it_has_the_pool_itself() -> None:
    ou = "arn:aws:organizations::1:ou/o-1/ou-ab12-34567890"
    added = {"1": "ASSOCIATED", "2": "ASSOCIATED", "3": "ASSOCIATED", "4": "DISASSOCIATING", ou: "ASSOCIATED"}
    shares = {"1": [replace(share(POOL.arn), principals=added)], "2": [share(POOL.arn, account="2")]}

    (row,) = who_can_use({"Prod": [POOL]}, shares)

    assert (row["accounts"], row["strangers"]) == (["1", "2"], ["3", ou])


def test_a_pool_without_accounts_is_reported() -> None:
    assert who_can_use({"Prod": [POOL]}, {}) == [
        {"pool": POOL.arn, "environment": "Prod", "region": "us-east-1", "accounts": [], "pending": [], "strangers": []}
    ]
