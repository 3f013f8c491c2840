"""The lifecycle function, as EventBridge invokes it."""

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


def test_a_new_account_has_one_closed_and_tagged_share_with_its_ous_pool_of_each_region(
    landing_zone: Any, ous: Any
) -> None:
    landing_zone.tell(lifecycle("CreateManagedAccount", ZERO))

    assert landing_zone.shared() == {f"ipamShare-{ZERO}": PROD}
    (share,) = landing_zone.live_shares()
    assert share["allowExternalPrincipals"] is False
    tags = {tag["key"]: tag["value"] for tag in share["tags"]}
    assert tags == {"ctipam:account-id": ZERO, "ctipam:stack-id": STACK_ID}


def test_the_account_can_use_its_pools_and_no_others(landing_zone: Any, ous: Any) -> None:
    landing_zone.tell(lifecycle("CreateManagedAccount", ZERO))
    landing_zone.shared()

    ec2 = landing_zone.cloud.client("ec2", ZERO, "us-west-2")
    seen = {pool["IpamPoolArn"] for pool in ec2.describe_ipam_pools()["IpamPools"]}
    assert seen == {landing_zone.pool_arns()[name] for name in PROD} & seen
    assert landing_zone.pool_arns()["us-west-2 Prod OU"] in seen


def test_a_new_account_costs_at_most_eight_calls_of_ec2_ram_and_organizations(
    landing_zone: Any, ous: Any, calls: list[str]
) -> None:
    landing_zone.tell(lifecycle("CreateManagedAccount", ZERO))

    assert calls.count("sts:AssumeRole") == 1
    assert calls.count("cloudformation:DescribeStacks") == 1
    assert len([call for call in calls if call.startswith(("ec2:", "ram:", "organizations:"))]) <= 8, calls


def test_a_retried_creation_arrives_as_an_update(landing_zone: Any, ous: Any) -> None:
    landing_zone.tell(lifecycle("UpdateManagedAccount", ZERO))

    assert landing_zone.shared() == {f"ipamShare-{ZERO}": PROD}


@pytest.mark.parametrize("name", ["CreateManagedAccount", "UpdateManagedAccount", "RegisterOrganizationalUnit"])
def test_what_failed_changes_nothing_even_if_a_rule_lets_it_through(landing_zone: Any, ous: Any, name: str) -> None:
    answer = landing_zone.tell(lifecycle(name, ZERO, state="FAILED"))

    assert "FAILED" in answer["ignored"]
    assert landing_zone.shared() == {}


def test_an_event_that_comes_twice_changes_nothing_the_second_time(
    landing_zone: Any, ous: Any, calls: list[str]
) -> None:
    landing_zone.tell(lifecycle("CreateManagedAccount", ZERO))
    calls.clear()

    answer = landing_zone.tell(lifecycle("CreateManagedAccount", ZERO))

    assert not any(answer["reconciled"][0][key] for key in ("changed", "pending", "added", "removed"))
    assert [
        call for call in calls if not call.partition(":")[2].startswith(("Get", "List", "Describe", "Assume"))
    ] == []


@pytest.mark.parametrize("event", [moved(ZERO), lifecycle("UpdateManagedAccount", ZERO), SCHEDULE])
def test_a_moved_account_has_the_pools_of_its_new_ou(landing_zone: Any, ous: Any, event: Any) -> None:
    landing_zone.tell(lifecycle("CreateManagedAccount", ZERO))
    landing_zone.cloud.move(ZERO, ous["SDLC OU"])

    answer = landing_zone.tell(event)

    assert landing_zone.shared() == {f"ipamShare-{ZERO}": SDLC}
    moved = next(row for row in answer["reconciled"] if row["accountId"] == ZERO)
    assert (len(moved["added"]), len(moved["removed"]), moved["environment"]) == (2, 2, "SDLC OU")


def test_new_pools_are_in_effect_before_old_ones_are_taken_away(
    landing_zone: Any, ous: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    landing_zone.tell(lifecycle("CreateManagedAccount", ZERO))
    landing_zone.cloud.move(ZERO, ous["SDLC OU"])
    ram, at_removal = landing_zone.cloud.models.ram, []
    call_model = ram.call

    def watching(action: str, params: Any, caller: Any) -> Any:
        if action == "DisassociateResourceShare":
            at_removal.append(ram.pools_shared_with(ZERO))
        return call_model(action, params, caller)

    monkeypatch.setattr(ram, "call", watching)
    landing_zone.tell(moved(ZERO))

    assert at_removal == [{landing_zone.pool_arns()[name] for name in (*PROD, *SDLC)}]


def test_a_late_event_for_the_old_ou_changes_nothing(landing_zone: Any, ous: Any) -> None:
    landing_zone.cloud.move(ZERO, ous["SDLC OU"])
    landing_zone.tell(moved(ZERO))

    landing_zone.tell(lifecycle("CreateManagedAccount", ZERO, ou_id=ous["Prod OU"]))

    assert landing_zone.shared() == {f"ipamShare-{ZERO}": SDLC}


@pytest.mark.parametrize("by_schedule", [False, True], ids=["told by the event", "noticed by the schedule"])
@pytest.mark.parametrize("name", ["CloseAccount", "RemoveAccountFromOrganization"])
def test_an_account_that_is_closed_or_leaves_loses_its_share(
    landing_zone: Any, ous: Any, name: str, by_schedule: bool
) -> None:
    landing_zone.cloud.add_account(ONE, ous["SDLC OU"])
    for account_id in (ZERO, ONE):
        landing_zone.tell(lifecycle("CreateManagedAccount", account_id))

    landing_zone.cloud.end(name, ZERO)
    landing_zone.tell(SCHEDULE if by_schedule else called(name, ZERO))

    assert landing_zone.shared() == {f"ipamShare-{ONE}": SDLC}


def test_the_accounts_of_an_ou_that_is_registered_are_reconciled_with_those_of_its_nested_ous(
    landing_zone: Any, ous: Any
) -> None:
    nested = landing_zone.cloud.add_ou("Team", ous["Prod OU"])
    landing_zone.cloud.add_account(ONE, nested)
    landing_zone.cloud.add_account(NEWCOMER, ous["SDLC OU"])

    landing_zone.tell(registered(ous["Prod OU"]))

    assert landing_zone.shared() == {f"ipamShare-{ZERO}": PROD, f"ipamShare-{ONE}": PROD}


def test_registering_a_nested_ou_counts_the_ous_around_it(landing_zone: Any, ous: Any) -> None:
    nested = landing_zone.cloud.add_ou("Team", ous["Prod OU"])
    landing_zone.cloud.add_account(ONE, nested)

    landing_zone.tell(registered(nested))

    assert landing_zone.shared() == {f"ipamShare-{ONE}": PROD}


def test_registering_an_ou_that_is_gone_changes_nothing(landing_zone: Any, ous: Any) -> None:
    assert landing_zone.tell(registered("ou-gone-12345678"))["accounts"] == 0


def test_the_schedule_gives_everybody_the_pools_of_their_ou(landing_zone: Any, ous: Any) -> None:
    landing_zone.cloud.add_account(ONE, ous["SDLC OU"])

    answer = landing_zone.tell(SCHEDULE)

    assert landing_zone.shared() == {f"ipamShare-{ZERO}": PROD, f"ipamShare-{ONE}": SDLC}
    assert (answer["sharedWith"], answer["changed"], answer["failed"]) == (2, 2, 0)


def test_a_schedule_that_finds_nothing_to_do_writes_nothing(landing_zone: Any, ous: Any, calls: list[str]) -> None:
    landing_zone.tell(SCHEDULE)
    calls.clear()

    landing_zone.tell(SCHEDULE)

    assert {call.partition(":")[2][:4] for call in calls} == {"Assu", "Desc", "List", "GetR"}
    assert not {"organizations:DescribeAccount", "organizations:ListParents"} & set(calls)


def test_the_management_and_networking_accounts_are_never_shared_with(landing_zone: Any, ous: Any) -> None:
    cloud = landing_zone.cloud
    for account_id in (cloud.management, cloud.networking):
        cloud.move(account_id, ous["Prod OU"])
        landing_zone.tell(lifecycle("UpdateManagedAccount", account_id))
    landing_zone.tell(SCHEDULE)

    assert landing_zone.shared() == {f"ipamShare-{ZERO}": PROD}


def test_an_account_whose_ou_has_no_pool_has_no_share_and_its_ou_is_named(
    landing_zone: Any, ous: Any, caplog: pytest.LogCaptureFixture
) -> None:
    landing_zone.cloud.add_account(ONE, ous["Sandbox"])

    with caplog.at_level("INFO", "ctipam"):
        one = landing_zone.tell(lifecycle("CreateManagedAccount", ONE))
        everybody = landing_zone.tell(SCHEDULE)

    assert f"ipamShare-{ONE}" not in landing_zone.shared()
    assert one["reconciled"][0]["reason"] == "no pool for its OU"
    assert {"organizationalUnit": "Sandbox", "id": ous["Sandbox"], "accounts": 1} in everybody[
        "organizationalUnitsWithoutPools"
    ]
    told = [record for record in caplog.records if record.getMessage() == "no pool for its OU"]
    assert {(record.ou, record.accounts) for record in told} >= {("Sandbox", 1)}  # type: ignore[attr-defined]


def test_an_account_that_leaves_for_an_ou_without_a_pool_loses_its_share(landing_zone: Any, ous: Any) -> None:
    landing_zone.tell(lifecycle("CreateManagedAccount", ZERO))
    landing_zone.cloud.move(ZERO, ous["Sandbox"])

    landing_zone.tell(moved(ZERO))

    assert landing_zone.shared() == {}


@pytest.mark.parametrize("by_schedule", [False, True], ids=["told by the event", "noticed by the schedule"])
def test_an_account_that_comes_back_while_its_deleted_share_is_still_listed_has_a_new_one(
    landing_zone: Any, ous: Any, by_schedule: bool
) -> None:
    for ou in ("Prod OU", "Sandbox", "Prod OU"):
        landing_zone.cloud.move(ZERO, ous[ou])
        landing_zone.tell(SCHEDULE if by_schedule else moved(ZERO))
        landing_zone.clock.advance(60)

    assert landing_zone.shared() == {f"ipamShare-{ZERO}": PROD}


@pytest.mark.parametrize("everybody", [False, True])
@pytest.mark.parametrize(("match", "pools"), [("nearest", {"Inner": SDLC, "Outer": PROD}), ("exact", {"Inner": SDLC})])
def test_the_nearest_enclosing_ou_with_a_pool_counts_unless_only_the_own_does(
    landing_zone: Any, ous: Any, match: str, pools: dict[str, list[str]], everybody: bool
) -> None:
    cloud = landing_zone.cloud
    team = cloud.add_ou("Team", ous["Prod OU"])
    cloud.add_account(ONE, team)  # Outer: Prod OU around Team
    inner = cloud.add_ou("SDLC OU", team)
    cloud.add_account(NEWCOMER, inner)  # Inner: SDLC OU, though Prod OU is around it
    landing_zone.set_environment(OU_MATCH=match)

    for event in [SCHEDULE] if everybody else [lifecycle("CreateManagedAccount", one) for one in (ONE, NEWCOMER)]:
        landing_zone.tell(event)

    accounts = {"Inner": NEWCOMER, "Outer": ONE}
    shared = landing_zone.shared()
    shared.pop(f"ipamShare-{ZERO}", None)
    assert shared == {f"ipamShare-{accounts[place]}": names for place, names in pools.items()}


def test_two_ous_of_one_name_share_the_environment_and_the_log_says_so(
    landing_zone: Any, ous: Any, caplog: pytest.LogCaptureFixture
) -> None:
    twin = landing_zone.cloud.add_ou("Prod OU", ous["Sandbox"])
    landing_zone.cloud.add_account(ONE, twin)

    with caplog.at_level("INFO", "ctipam"):
        answer = landing_zone.tell(SCHEDULE)

    assert landing_zone.shared() == {f"ipamShare-{ZERO}": PROD, f"ipamShare-{ONE}": PROD}
    assert answer["organizationalUnitsOfOneName"] == {"Prod OU": sorted([ous["Prod OU"], twin])}
    assert "several OUs of one name share an environment" in caplog.text


def test_each_decision_is_one_line_with_account_ou_and_pools_as_fields_and_no_secret(
    landing_zone: Any, ous: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("DEBUG"):
        landing_zone.tell(lifecycle("CreateManagedAccount", ZERO))

    (line,) = [record for record in caplog.records if record.getMessage() == "reconciled account"]
    fields = vars(line)
    assert (fields["account"], fields["ou"], fields["ou_id"]) == (ZERO, "Prod OU", ous["Prod OU"])
    assert fields["pools"] == fields["added"] == sorted(fields["added"], key=fields["pools"].index)
    ours = [record for record in caplog.records if record.name == "ctipam"]
    assert not any("serviceEventDetails" in str(vars(record)) for record in ours)
    assert not any(word in str(vars(record)) for record in ours for word in ("SecretAccessKey", "SessionToken"))
