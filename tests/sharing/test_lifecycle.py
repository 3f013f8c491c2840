"""The lifecycle function, invoked by EventBridge with events and by the schedule."""

from __future__ import annotations

from typing import Any

import pytest

from in_process.fixtures import STACK_ID
from in_process.lifecycle_events import NEWCOMER, ONE, PROD, SCHEDULE, SDLC, ZERO, called, lifecycle, moved, registered


@pytest.fixture
def ous(landing_zone: Any) -> dict[str, str]:
    cloud = landing_zone.cloud
    ous = {name: cloud.add_ou(name) for name in ("Prod OU", "SDLC OU", "Sandbox")}
    cloud.add_account(ZERO, ous["Prod OU"])
    return ous


def test_a_new_account_gets_one_tagged_share_with_the_pools_of_its_ou_in_each_region(
    landing_zone: Any, ous: Any
) -> None:
    landing_zone.invoke(lifecycle("CreateManagedAccount", ZERO))

    assert landing_zone.shared() == {f"ipamShare-{ZERO}": PROD}
    (share,) = landing_zone.live_shares()
    assert share["allowExternalPrincipals"] is False
    tags = {tag["key"]: tag["value"] for tag in share["tags"]}
    assert tags == {"ctipam:account-id": ZERO, "ctipam:stack-id": STACK_ID}


def test_an_account_sees_the_pools_of_its_ou_and_no_others(landing_zone: Any, ous: Any) -> None:
    landing_zone.invoke(lifecycle("CreateManagedAccount", ZERO))
    landing_zone.shared()

    ec2 = landing_zone.cloud.client("ec2", ZERO, "us-west-2")
    seen = {pool["IpamPoolArn"] for pool in ec2.describe_ipam_pools()["IpamPools"]}
    assert seen == {landing_zone.pool_arns()[name] for name in PROD} & seen
    assert landing_zone.pool_arns()["us-west-2 Prod OU"] in seen


def test_a_new_account_needs_at_most_nine_calls(landing_zone: Any, ous: Any, calls: list[str]) -> None:
    landing_zone.invoke(SCHEDULE)
    landing_zone.cloud.add_account(ONE, ous["Prod OU"])
    calls.clear()

    landing_zone.invoke(lifecycle("CreateManagedAccount", ONE))

    assert calls.count("sts:AssumeRole") == 1
    assert calls.count("cloudformation:DescribeStacks") == 1
    assert len(calls) <= 9, calls


def test_an_update_event_for_a_retried_creation_creates_the_share(landing_zone: Any, ous: Any) -> None:
    landing_zone.invoke(lifecycle("UpdateManagedAccount", ZERO))

    assert landing_zone.shared() == {f"ipamShare-{ZERO}": PROD}


@pytest.mark.parametrize("name", ["CreateManagedAccount", "UpdateManagedAccount", "RegisterOrganizationalUnit"])
def test_an_event_about_a_failed_operation_changes_nothing(landing_zone: Any, ous: Any, name: str) -> None:
    answer = landing_zone.invoke(lifecycle(name, ZERO, state="FAILED"))

    assert "FAILED" in answer["ignored"]
    assert landing_zone.shared() == {}


def test_an_event_that_arrives_twice_changes_nothing_the_second_time(
    landing_zone: Any, ous: Any, calls: list[str]
) -> None:
    landing_zone.invoke(lifecycle("CreateManagedAccount", ZERO))
    calls.clear()

    answer = landing_zone.invoke(lifecycle("CreateManagedAccount", ZERO))

    assert not any(answer["reconciled"][0][key] for key in ("changed", "pending", "added", "removed"))
    assert [
        call for call in calls if not call.partition(":")[2].startswith(("Get", "List", "Describe", "Assume"))
    ] == []


@pytest.mark.parametrize("event", [moved(ZERO), lifecycle("UpdateManagedAccount", ZERO), SCHEDULE])
def test_a_moved_account_gets_the_pools_of_its_new_ou(landing_zone: Any, ous: Any, event: Any) -> None:
    landing_zone.invoke(lifecycle("CreateManagedAccount", ZERO))
    landing_zone.cloud.move(ZERO, ous["SDLC OU"])

    answer = landing_zone.invoke(event)

    assert landing_zone.shared() == {f"ipamShare-{ZERO}": SDLC}
    account = next(row for row in answer["reconciled"] if row["accountId"] == ZERO)
    assert (len(account["added"]), len(account["removed"]), account["environment"]) == (2, 2, "SDLC OU")


def test_new_pools_are_shared_before_old_pools_are_removed(landing_zone: Any, ous: Any) -> None:
    landing_zone.invoke(lifecycle("CreateManagedAccount", ZERO))
    landing_zone.cloud.move(ZERO, ous["SDLC OU"])
    at_removal: list[set[str]] = []

    def watching(action: str, _params: Any) -> None:
        if action == "DisassociateResourceShare":
            at_removal.append(landing_zone.cloud.models.ram.pools_shared_with(ZERO))

    landing_zone.before_ram_calls(watching)
    landing_zone.invoke(moved(ZERO))

    assert at_removal == [{landing_zone.pool_arns()[name] for name in (*PROD, *SDLC)}]


def test_a_late_event_for_the_old_ou_changes_nothing(landing_zone: Any, ous: Any) -> None:
    landing_zone.cloud.move(ZERO, ous["SDLC OU"])
    landing_zone.invoke(moved(ZERO))

    landing_zone.invoke(lifecycle("CreateManagedAccount", ZERO, ou_id=ous["Prod OU"]))

    assert landing_zone.shared() == {f"ipamShare-{ZERO}": SDLC}


@pytest.mark.parametrize("by_schedule", [False, True], ids=["by an event", "by the schedule"])
@pytest.mark.parametrize("name", ["CloseAccount", "RemoveAccountFromOrganization"])
def test_an_account_that_is_closed_or_removed_loses_its_share(
    landing_zone: Any, ous: Any, name: str, by_schedule: bool
) -> None:
    landing_zone.cloud.add_account(ONE, ous["SDLC OU"])
    for account_id in (ZERO, ONE):
        landing_zone.invoke(lifecycle("CreateManagedAccount", account_id))

    landing_zone.cloud.end(name, ZERO)
    landing_zone.invoke(SCHEDULE if by_schedule else called(name, ZERO))

    assert landing_zone.shared() == {f"ipamShare-{ONE}": SDLC}


def test_registering_an_ou_reconciles_its_accounts_and_those_of_nested_ous(landing_zone: Any, ous: Any) -> None:
    nested = landing_zone.cloud.add_ou("Team", ous["Prod OU"])
    landing_zone.cloud.add_account(ONE, nested)
    landing_zone.cloud.add_account(NEWCOMER, ous["SDLC OU"])

    landing_zone.invoke(registered(ous["Prod OU"]))

    assert landing_zone.shared() == {f"ipamShare-{ZERO}": PROD, f"ipamShare-{ONE}": PROD}


def test_accounts_of_a_registered_nested_ou_get_the_pools_of_its_parent_ou(landing_zone: Any, ous: Any) -> None:
    nested = landing_zone.cloud.add_ou("Team", ous["Prod OU"])
    landing_zone.cloud.add_account(ONE, nested)

    landing_zone.invoke(registered(nested))

    assert landing_zone.shared() == {f"ipamShare-{ONE}": PROD}


def test_registering_an_ou_that_no_longer_exists_changes_nothing(landing_zone: Any, ous: Any) -> None:
    assert landing_zone.invoke(registered("ou-gone-12345678"))["accounts"] == 0


def test_the_schedule_gives_each_account_the_pools_of_its_ou(landing_zone: Any, ous: Any) -> None:
    landing_zone.cloud.add_account(ONE, ous["SDLC OU"])

    answer = landing_zone.invoke(SCHEDULE)

    assert landing_zone.shared() == {f"ipamShare-{ZERO}": PROD, f"ipamShare-{ONE}": SDLC}
    assert (answer["sharedWith"], answer["changed"], answer["failed"]) == (2, 2, 0)


def test_a_scheduled_run_without_changes_only_reads(landing_zone: Any, ous: Any, calls: list[str]) -> None:
    landing_zone.invoke(SCHEDULE)
    calls.clear()

    landing_zone.invoke(SCHEDULE)

    assert {call.partition(":")[2][:4] for call in calls} == {"Assu", "Desc", "List", "GetR", "GetP"}
    assert calls.count("ssm:GetParameter") == 1
    assert not {"organizations:DescribeAccount", "organizations:ListParents"} & set(calls)


def test_the_management_and_networking_accounts_never_get_a_share(landing_zone: Any, ous: Any) -> None:
    cloud = landing_zone.cloud
    for account_id in (cloud.management, cloud.networking):
        cloud.move(account_id, ous["Prod OU"])
        landing_zone.invoke(lifecycle("UpdateManagedAccount", account_id))
    landing_zone.invoke(SCHEDULE)

    assert landing_zone.shared() == {f"ipamShare-{ZERO}": PROD}


def test_an_account_whose_ou_has_no_pool_gets_no_share_and_its_ou_is_reported(
    landing_zone: Any, ous: Any, caplog: pytest.LogCaptureFixture
) -> None:
    landing_zone.cloud.add_account(ONE, ous["Sandbox"])

    with caplog.at_level("INFO", "ctipam"):
        by_event = landing_zone.invoke(lifecycle("CreateManagedAccount", ONE))
        by_schedule = landing_zone.invoke(SCHEDULE)

    assert f"ipamShare-{ONE}" not in landing_zone.shared()
    assert by_event["reconciled"][0]["reason"] == "no pool for its OU"
    assert {"organizationalUnit": "Sandbox", "id": ous["Sandbox"], "accounts": 1} in by_schedule[
        "organizationalUnitsWithoutPools"
    ]
    logged = [record for record in caplog.records if record.getMessage() == "no pool for its OU"]
    assert {(record.ou, record.accounts) for record in logged} >= {("Sandbox", 1)}  # type: ignore[attr-defined]


def test_an_account_that_moves_to_an_ou_without_a_pool_loses_its_share(landing_zone: Any, ous: Any) -> None:
    landing_zone.invoke(lifecycle("CreateManagedAccount", ZERO))
    landing_zone.cloud.move(ZERO, ous["Sandbox"])
    landing_zone.clock.advance(60)
    began = landing_zone.clock.now()

    landing_zone.invoke(moved(ZERO))

    assert landing_zone.clock.now() == began, "nobody waits for a deletion"
    assert landing_zone.shared() == {}


@pytest.mark.parametrize("by_schedule", [False, True], ids=["by an event", "by the schedule"])
def test_an_account_that_returns_while_its_deleted_share_is_still_listed_gets_a_new_share(
    landing_zone: Any, ous: Any, by_schedule: bool
) -> None:
    for ou in ("Prod OU", "Sandbox", "Prod OU"):
        landing_zone.cloud.move(ZERO, ous[ou])
        landing_zone.invoke(SCHEDULE if by_schedule else moved(ZERO))
        landing_zone.clock.advance(60)

    assert landing_zone.shared() == {f"ipamShare-{ZERO}": PROD}


@pytest.mark.parametrize("by_schedule", [False, True])
@pytest.mark.parametrize(("match", "pools"), [("nearest", {"Inner": SDLC, "Outer": PROD}), ("exact", {"Inner": SDLC})])
def test_an_account_gets_the_pools_of_its_nearest_ou_with_pools_or_only_of_its_own_ou(
    landing_zone: Any, ous: Any, match: str, pools: dict[str, list[str]], by_schedule: bool
) -> None:
    cloud = landing_zone.cloud
    cloud.organizations.delete_organizational_unit(OrganizationalUnitId=ous["SDLC OU"])
    team = cloud.add_ou("Team", ous["Prod OU"])
    cloud.add_account(ONE, team)  # Outer: Prod OU is the parent OU of Team
    inner = cloud.add_ou("SDLC OU", team)
    cloud.add_account(NEWCOMER, inner)  # Inner: SDLC OU is nested in Prod OU
    landing_zone.set_environment(OU_MATCH=match)

    created = [lifecycle("CreateManagedAccount", account_id) for account_id in (ONE, NEWCOMER)]
    for event in [SCHEDULE] if by_schedule else created:
        landing_zone.invoke(event)

    accounts = {"Inner": NEWCOMER, "Outer": ONE}
    shared = landing_zone.shared()
    shared.pop(f"ipamShare-{ZERO}", None)
    assert shared == {f"ipamShare-{accounts[location]}": names for location, names in pools.items()}


def test_each_account_is_logged_on_one_line_with_its_ou_and_pools_and_no_secret(
    landing_zone: Any, ous: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("DEBUG"):
        landing_zone.invoke(lifecycle("CreateManagedAccount", ZERO))

    (line,) = [record for record in caplog.records if record.getMessage() == "reconciled account"]
    fields = vars(line)
    assert (fields["account"], fields["ou"], fields["ou_id"]) == (ZERO, "Prod OU", ous["Prod OU"])
    assert fields["pools"] == fields["added"] == sorted(fields["added"], key=fields["pools"].index)
    ours = [record for record in caplog.records if record.name == "ctipam"]
    assert not any("serviceEventDetails" in str(vars(record)) for record in ours)
    assert not any(word in str(vars(record)) for record in ours for word in ("SecretAccessKey", "SessionToken"))
