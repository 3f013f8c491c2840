"""The lifecycle function, invoked by an operator."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from ctipam import names
from ctipam.sharing import reconcile
from ctipam.sharing.results import SharingResult
from in_process.aws_calls import intercept
from in_process.fixtures import NETWORKING
from in_process.lifecycle_events import ONE, PROD, SDLC, ZERO


def test_reconcile_shares_with_all_accounts_and_reports_each_account(landing_zone: Any, ous: Any) -> None:
    answer = landing_zone.invoke({"action": "reconcile"})

    assert landing_zone.shared() == {f"ipamShare-{ZERO}": PROD, f"ipamShare-{ONE}": SDLC}
    (zero,) = [row for row in answer["reconciled"] if row["accountId"] == ZERO]
    arns = [landing_zone.pool_arns()[name] for name in PROD]
    assert zero == {
        "accountId": ZERO,
        "organizationalUnit": "Prod OU",
        "organizationalUnitId": ous["Prod OU"],
        "environment": "Prod OU",
        "pools": arns,
        "added": sorted(arns),
        "removed": [],
        "changed": True,
        "pending": False,
    }


def test_reconcile_of_one_account_changes_no_other_account(landing_zone: Any, ous: Any) -> None:
    landing_zone.invoke({"action": "reconcile", "accountId": ONE})

    assert landing_zone.shared() == {f"ipamShare-{ONE}": SDLC}


@pytest.mark.parametrize("payload", [{"action": "reconcile"}, {"action": "reconcile", "accountId": ZERO}])
def test_a_dry_run_reports_changes_without_applying_them(
    landing_zone: Any, ous: Any, payload: Any, calls: list[str]
) -> None:
    landing_zone.invoke({"action": "reconcile", "accountId": ZERO})
    landing_zone.clock.advance(60)
    landing_zone.cloud.move(ZERO, ous["SDLC OU"])
    calls.clear()

    answer = landing_zone.invoke(payload | {"dryRun": True})

    (zero,) = [row for row in answer["reconciled"] if row["accountId"] == ZERO]
    arns = landing_zone.pool_arns()
    assert (zero["added"], zero["removed"]) == (sorted(arns[n] for n in SDLC), sorted(arns[n] for n in PROD))
    assert (zero["organizationalUnit"], zero["changed"], answer["dryRun"]) == ("SDLC OU", True, True)
    assert [call for call in calls if call.startswith("ram:") and ":Get" not in call] == []
    assert landing_zone.shared() == {f"ipamShare-{ZERO}": PROD}


def test_a_dry_run_without_enough_time_says_so_and_goes_on_in_no_other_invocation(
    landing_zone: Any, ous: Any, monkeypatch: pytest.MonkeyPatch, calls: list[str]
) -> None:
    result = SharingResult([], held_back="Too many.", dry_run=True, unfinished=True)
    monkeypatch.setattr(reconcile, "reconcile_all", lambda _run: result)

    answer = landing_zone.invoke({"action": "reconcile", "dryRun": True})

    assert answer["unfinished"]
    assert not any(call.startswith("lambda:") for call in calls)


def test_a_failure_is_reported_instead_of_raised(landing_zone: Any, ous: Any) -> None:
    landing_zone.cloud.models.ram.faults.fail_next_associations("no")

    answer = landing_zone.invoke({"action": "reconcile"})

    assert answer["failed"] == 1
    (failed,) = [row for row in answer["reconciled"] if "failed" in row]
    assert ": no. " in failed["failed"]


def test_the_report_lists_the_accounts_of_each_pool_and_ous_without_pools(landing_zone: Any, ous: Any) -> None:
    landing_zone.cloud.add_account("333322221111", landing_zone.cloud.add_ou("Sandbox"))
    landing_zone.invoke({"action": "reconcile"})
    landing_zone.clock.advance(60)

    report = landing_zone.invoke({"action": "report"})

    assert [(row["region"], row["environment"], row["accounts"]) for row in report["pools"]] == [
        ("us-east-1", "Prod OU", [ZERO]),
        ("us-west-2", "Prod OU", [ZERO]),
        ("us-east-1", "SDLC OU", [ONE]),
        ("us-west-2", "SDLC OU", [ONE]),
    ]
    assert ("Sandbox", 1) in [
        (row["organizationalUnit"], row["accounts"]) for row in report["organizationalUnitsWithoutPools"]
    ]


def test_a_pool_whose_association_is_in_progress_is_reported_as_pending(landing_zone: Any, ous: Any) -> None:
    landing_zone.cloud.set_ram_timings(associate=3600)
    landing_zone.invoke({"action": "reconcile", "accountId": ZERO})

    report = landing_zone.invoke({"action": "report"})

    assert {tuple(row["pending"]) for row in report["pools"] if row["environment"] == "Prod OU"} == {(ZERO,)}
    assert not any(row["accounts"] for row in report["pools"])


def test_a_report_changes_nothing_and_its_sessions_may_only_read(
    landing_zone: Any, ous: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    policies = []

    def note(call: Any, client: Any, operation: str, parameters: Any) -> Any:
        if operation == "AssumeRole":
            policies.append(json.loads(parameters["Policy"]))
        return call(client, operation, parameters)

    intercept(monkeypatch, note)
    landing_zone.invoke({"action": "report"})

    actions = str([statement["Action"] for policy in policies for statement in policy["Statement"]])
    assert set(re.findall(r":([A-Z][a-z]+)", actions)) == {"Describe", "Get", "Filter"}
    assert landing_zone.shared() == {}


def test_a_report_reads_no_stack_for_pools_that_were_released(
    landing_zone: Any, ous: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool_id = landing_zone.pool_arns()["us-west-2 Prod OU"].rpartition("/")[2]
    landing_zone.cloud.client("ec2", NETWORKING).create_tags(
        Resources=[pool_id], Tags=[{"Key": names.STACK_TAG, "Value": names.RELEASED}]
    )
    asked = []

    def note(call: Any, client: Any, operation: str, parameters: Any) -> Any:
        if operation == "DescribeStacks":
            asked.append(parameters["StackName"])
        return call(client, operation, parameters)

    intercept(monkeypatch, note)
    report = landing_zone.invoke({"action": "report"})

    assert pool_id in {row["poolId"] for row in report["tree"]}
    assert all(name.startswith("arn:") for name in asked)


@pytest.mark.parametrize(
    ("payload", "refusal"),
    [
        ({"action": "explode"}, "There is no action 'explode'"),
        ({"action": ["report"]}, "There is no action"),
        ({"action": "reconcile", "accountID": ZERO}, "takes no accountID"),
        ({"action": "reconcile", "accountId": 12345678901}, "must be text of 12 digits"),
        ({"action": "reconcile", "accountId": "1"}, "must be text of 12 digits"),
        ({"action": "reconcile", "dryRun": "yes"}, "dryRun must be true or false"),
        ({"action": "reconcile", "unshare": "yes"}, "unshare must be true or false"),
        ({"action": "report", "dryRun": True}, "takes no dryRun"),
        ({}, "not an event and has no action"),
        ("reconcile", "must be a JSON object"),
        ([], "must be a JSON object"),
        (None, "must be a JSON object"),
    ],
    ids=str,
)
def test_an_invalid_payload_is_refused_with_the_valid_form(
    landing_zone: Any, payload: Any, refusal: str, calls: list[str]
) -> None:
    answer = landing_zone.invoke(payload)

    assert refusal in answer["refused"]
    assert calls == []
