"""Environments that are known by the id of their OU: renamed, several of one name, deleted and made anew."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from botocore.client import BaseClient

from in_process.lifecycle_events import NEWCOMER, ONE, PROD, SCHEDULE, SDLC, ZERO, lifecycle, moved, registered
from in_process.sharing_world import SharingWorld

SHARED = {f"ipamShare-{ZERO}": PROD, f"ipamShare-{ONE}": SDLC}
READS = ("Get", "List", "Describe", "Assume")


def writes(calls: list[str]) -> list[str]:
    return [call for call in calls if not call.partition(":")[2].startswith(READS)]


@pytest.fixture
def shared(landing_zone: Any, ous: Any) -> Any:
    """Share with both accounts."""
    landing_zone.ask("Create")
    assert landing_zone.shared() == SHARED
    return landing_zone


@pytest.mark.parametrize("event", [SCHEDULE, moved(ZERO), {"action": "reconcile"}], ids=["schedule", "event", "hand"])
def test_the_id_of_an_ou_is_written_on_its_pools(landing_zone: Any, ous: Any, event: Any) -> None:
    landing_zone.invoke(event)

    assert landing_zone.ou_ids_on_pools() == dict.fromkeys(PROD, ous["Prod OU"]) | dict.fromkeys(SDLC, ous["SDLC OU"])


def test_a_preview_and_a_report_write_nothing(landing_zone: Any, ous: Any, calls: list[str]) -> None:
    landing_zone.invoke({"action": "reconcile", "dryRun": True})
    report = landing_zone.invoke({"action": "report"})

    assert writes(calls) == []
    assert set(landing_zone.ou_ids_on_pools().values()) == {""}
    assert [one["organizationalUnitId"] for one in report["environments"]] == [ous["Prod OU"], ous["SDLC OU"]]


@pytest.mark.parametrize("successor", [False, True], ids=["", "another OU takes the name"])
def test_renaming_an_ou_changes_no_share_and_new_accounts_of_it_get_the_same_pools(
    shared: Any, ous: Any, calls: list[str], successor: bool
) -> None:
    shared.cloud.rename(ous["Prod OU"], "Production OU")
    if successor:
        shared.cloud.add_account("444455556666", shared.cloud.add_ou("Prod OU"))
    calls.clear()
    answers = [shared.invoke(SCHEDULE), shared.invoke(moved(ZERO)), shared.ask("Update")]
    assert [call for call in writes(calls) if not call.startswith(("ssm:", "sns:"))] == []
    assert (answers[0]["failed"], answers[2]["Status"]) == (0, "SUCCESS")

    shared.cloud.add_account(NEWCOMER, ous["Prod OU"])
    shared.invoke(lifecycle("CreateManagedAccount", NEWCOMER))

    assert shared.shared() == SHARED | {f"ipamShare-{NEWCOMER}": PROD}


def test_an_account_in_a_later_ou_of_the_name_gets_nothing(shared: Any, ous: Any) -> None:
    shared.cloud.rename(ous["Prod OU"], "Production OU")
    later = shared.cloud.add_ou("Prod OU")
    shared.cloud.add_account(NEWCOMER, later)

    for event in (lifecycle("CreateManagedAccount", NEWCOMER), registered(later), SCHEDULE):
        shared.invoke(event)

    assert shared.shared() == SHARED


def test_the_log_and_the_report_say_which_ou_an_environment_is_and_how_it_is_named_now(
    shared: Any, ous: Any, caplog: pytest.LogCaptureFixture
) -> None:
    shared.cloud.rename(ous["Prod OU"], "Production OU")

    with caplog.at_level("INFO", "ctipam"):
        report = shared.invoke({"action": "report"})

    assert {
        "environment": "Prod OU",
        "organizationalUnit": "Production OU",
        "organizationalUnitId": ous["Prod OU"],
    } in report["environments"]
    sentence = f"Environment 'Prod OU' is OU {ous['Prod OU']}, which is now named 'Production OU'."
    assert sentence in [vars(record).get("about") for record in caplog.records]


def test_several_ous_of_one_name_are_not_decided_silently(landing_zone: Any, ous: Any) -> None:
    twin = landing_zone.cloud.add_ou("Prod OU", landing_zone.cloud.add_ou("Sandbox"))
    landing_zone.cloud.add_account(NEWCOMER, twin)

    for event in (SCHEDULE, moved(ZERO), moved(NEWCOMER), registered(twin)):
        landing_zone.invoke(event)

    assert landing_zone.shared() == {f"ipamShare-{ONE}": SDLC}
    assert landing_zone.ou_ids_on_pools()[PROD[0]] == ""
    (told,) = landing_zone.told()
    assert "2 OUs are named 'Prod OU'" in told
    assert ous["Prod OU"] in told
    assert twin in told


def pin(landing_zone: Any, ou_id: str, pools: list[str] = PROD) -> None:
    """Write an id on pools, as Custom::InitPools does when AccEnvName has the id."""
    ids = [landing_zone.pool_arns()[name].rpartition("/")[2] for name in pools]
    landing_zone.networking_ec2.create_tags(Resources=ids, Tags=[{"Key": "ctipam:ou-id", "Value": ou_id}])


def test_one_of_several_ous_is_chosen_by_its_id(landing_zone: Any, ous: Any) -> None:
    twin = landing_zone.cloud.add_ou("Prod OU", landing_zone.cloud.add_ou("Sandbox"))
    landing_zone.cloud.add_account(NEWCOMER, twin)
    pin(landing_zone, twin)

    landing_zone.ask("Create")

    assert landing_zone.shared() == {f"ipamShare-{NEWCOMER}": PROD, f"ipamShare-{ONE}": SDLC}


@pytest.fixture
def deleted(shared: Any, ous: Any) -> str:
    """Move ZERO out of its OU without an event, delete the OU, and make it anew. Return the new OU's id."""
    shared.cloud.move(ZERO, shared.cloud.root)
    shared.cloud.remove_ou(ous["Prod OU"])
    return str(shared.cloud.add_ou("Prod OU"))


@pytest.mark.parametrize("event", [SCHEDULE, moved(ZERO), lifecycle("UpdateManagedAccount", ZERO)])
def test_nothing_is_taken_from_the_accounts_of_an_ou_that_was_deleted(shared: Any, deleted: str, event: Any) -> None:
    shared.cloud.move(ZERO, deleted)

    shared.invoke(event)

    assert shared.shared() == SHARED


def test_an_ou_that_was_deleted_and_made_anew_is_told_daily_with_the_way_out_until_it_is_resolved(
    shared: Any, ous: Any, deleted: str
) -> None:
    shared.cloud.move(ZERO, deleted)
    for hours in (1, 22, 1, 1, 22, 1, 1):  # of two days; the runs between them tell no more than these
        shared.invoke(SCHEDULE)
        shared.clock.advance(3600 * hours)
    assert len(shared.told()) == 3
    assert f"OU {ous['Prod OU']} of environment 'Prod OU' is not in the organization" in shared.told()[0]
    assert f"In AccEnvName, write Prod OU ({deleted}), which has that name now." in shared.told()[0]

    pin(shared, deleted)
    for hours in (1, 23, 1):
        shared.invoke(SCHEDULE)
        shared.clock.advance(3600 * hours)

    assert len(shared.told()) == 3
    assert shared.shared() == SHARED


def test_an_account_that_moves_from_a_deleted_ou_to_another_environment_gets_its_pools_too(
    shared: Any, ous: Any, deleted: str
) -> None:
    shared.cloud.move(ZERO, ous["SDLC OU"])

    shared.invoke(moved(ZERO))

    assert shared.shared() == SHARED | {f"ipamShare-{ZERO}": sorted([*PROD, *SDLC])}


def test_a_pool_of_a_new_region_gets_the_id_of_the_others_even_if_the_ou_was_renamed(shared: Any, ous: Any) -> None:
    shared.cloud.rename(ous["Prod OU"], "Production OU")
    shared.add_pools("Prod OU", regions=("eu-west-1",))

    shared.ask("Update")

    assert shared.ou_ids_on_pools()["eu-west-1 Prod OU"] == ous["Prod OU"]
    assert shared.shared()[f"ipamShare-{ZERO}"] == ["eu-west-1 Prod OU", *PROD]


def test_a_renamed_ou_whose_id_no_pool_carries_any_more_is_told_daily_and_no_share_changes(
    shared: Any, ous: Any
) -> None:
    ids = [shared.pool_arns()[name].rpartition("/")[2] for name in PROD]
    shared.networking_ec2.delete_tags(Resources=ids, Tags=[{"Key": "ctipam:ou-id"}])
    shared.cloud.rename(ous["Prod OU"], "Production OU")

    for hours in (23, 1, 1):
        shared.invoke(SCHEDULE)
        shared.clock.advance(3600 * hours)

    assert shared.shared() == SHARED
    first, second = shared.told()
    assert "No OU is named 'Prod OU' any more" in first
    assert "Write its OU: Prod OU (ou-...) in AccEnvName" in second


@pytest.mark.parametrize("members", [0, 1])
def test_an_environment_without_an_ou_needs_somebody_to_decide_if_accounts_have_its_pools(members: int) -> None:
    world = SharingWorld({"ou-ab12-00000001": "Prod OU"}, {"Prod OU": "ou-ab12-00000001"})
    world.places = dict.fromkeys([ZERO][:members], ("ACTIVE", "ou-ab12-00000001"))
    world.run()
    world.ous["ou-ab12-00000001"] = "Production OU"
    pools = [replace(pool, ou_id="") for pool in world.environments["Prod OU"]]
    world.environments = {"Prod OU": [*pools, replace(pools[0], arn=f"{pools[0].arn}-new", region="eu-west-1")]}

    (environment,) = world.run().environments

    assert environment.lasting is bool(members)


def test_a_problem_that_has_become_another_is_told_on_the_same_day(shared: Any, ous: Any) -> None:
    pin(shared, ous["SDLC OU"])
    shared.invoke(SCHEDULE)
    pin(shared, "ou-ab12-00000000")
    shared.invoke(SCHEDULE)

    first, second = shared.told()
    assert "is the OU of 'Prod OU' and of another environment" in first
    assert "OU ou-ab12-00000000 of environment 'Prod OU' is not in the organization" in second


def test_tags_that_name_two_ous_change_no_share(shared: Any, ous: Any) -> None:
    pin(shared, ous["SDLC OU"], PROD[:1])

    shared.invoke(SCHEDULE)

    assert shared.shared() == SHARED
    assert "The tags of the pools of 'Prod OU' name several OUs" in shared.told()[0]


@pytest.mark.parametrize("value", ["", "Other"], ids=["cleared", "changed"])
def test_a_pool_whose_allocation_rule_was_changed_by_hand_stays_shared(
    shared: Any, ous: Any, calls: list[str], value: str
) -> None:
    pool_id = shared.pool_arns()[PROD[0]].rpartition("/")[2]
    added = [{"Key": "Env", "Value": value}] if value else []
    removed = [{"Key": "Env", "Value": "Prod OU"}]
    shared.networking_ec2.modify_ipam_pool(IpamPoolId=pool_id, RemoveAllocationResourceTags=removed)
    shared.clock.advance(60)
    if added:
        shared.networking_ec2.modify_ipam_pool(IpamPoolId=pool_id, AddAllocationResourceTags=added)
        shared.clock.advance(60)
    calls.clear()

    shared.invoke(SCHEDULE)
    shared.invoke(moved(ZERO))

    assert shared.shared() == SHARED
    assert [call for call in writes(calls) if call.startswith("ram:")] == []
    (told,) = shared.told()
    assert "us-east-1 does not require the tag Env=Prod OU of a VPC" in told
    assert (", but Env=Other." in told) is bool(value)


def test_an_older_sdk_without_paths_reads_the_parent_ous_one_by_one(
    shared: Any, ous: Any, monkeypatch: pytest.MonkeyPatch, calls: list[str]
) -> None:
    answer = vars(BaseClient)["_make_api_call"]

    def without_paths(client: Any, operation: str, parameters: Any) -> Any:
        answered = answer(client, operation, parameters)
        if operation == "DescribeAccount":
            answered["Account"].pop("Paths", None)
        return answered

    monkeypatch.setattr(BaseClient, "_make_api_call", without_paths)
    shared.cloud.move(ZERO, shared.cloud.add_ou("Team", ous["SDLC OU"]))

    shared.invoke(moved(ZERO))

    assert shared.shared()[f"ipamShare-{ZERO}"] == SDLC
    assert "organizations:ListParents" in calls
