"""Custom::ShareExistingAccounts, as CloudFormation asks for it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from moto.organizations.models import organizations_backends

from ctipam import waiting
from ctipam.sharing import reconcile as sharing
from in_process.fixtures import STACK_ID
from in_process.lifecycle_events import ONE, PROD, SCHEDULE, SDLC, ZERO, moved
from landing_zone.errors import AwsError

SHARED = {f"ipamShare-{ZERO}": PROD, f"ipamShare-{ONE}": SDLC}


def test_accounts_that_were_there_before_are_shared_with_when_the_stack_is_created(landing_zone: Any, ous: Any) -> None:
    answer = landing_zone.ask("Create")

    assert (answer["Status"], answer["Data"]["SharedWith"]) == ("SUCCESS", "2"), answer
    assert landing_zone.shared() == SHARED


def test_a_region_that_is_added_later_reaches_everybody(landing_zone: Any, ous: Any) -> None:
    landing_zone.ask("Create")
    landing_zone.add_pools("Prod OU", "SDLC OU", regions=("eu-west-1",))

    landing_zone.ask("Update")

    assert landing_zone.shared() == {
        f"ipamShare-{ZERO}": ["eu-west-1 Prod OU", *PROD],
        f"ipamShare-{ONE}": ["eu-west-1 SDLC OU", *SDLC],
    }


def test_an_environment_that_is_added_later_reaches_its_accounts(landing_zone: Any, ous: Any) -> None:
    landing_zone.cloud.move(ONE, landing_zone.cloud.add_ou("Sandbox", ous["SDLC OU"]))
    landing_zone.ask("Create")
    landing_zone.add_pools("Sandbox")

    landing_zone.ask("Update")

    assert landing_zone.shared()[f"ipamShare-{ONE}"] == ["us-east-1 Sandbox", "us-west-2 Sandbox"]


def test_delete_leaves_nobody_shared_with_and_waits_until_aws_has_done_it(landing_zone: Any, ous: Any) -> None:
    landing_zone.ask("Create")

    assert landing_zone.ask("Delete")["Status"] == "SUCCESS"

    listed = landing_zone.networking_ram.get_paginator("get_resource_shares").paginate(resourceOwner="SELF")
    assert {share["status"] for page in listed for share in page["resourceShares"]} == {"DELETED"}


def test_delete_of_what_is_gone_succeeds(landing_zone: Any, ous: Any) -> None:
    landing_zone.ask("Create")
    landing_zone.ask("Delete")

    assert landing_zone.ask("Delete")["Status"] == "SUCCESS"


def test_a_delete_removes_the_shares_also_while_a_vpc_uses_a_pool(landing_zone: Any, ous: Any) -> None:
    landing_zone.ask("Create")
    pool_id = landing_zone.pool_arns()["us-west-2 Prod OU"].rpartition("/")[2]
    landing_zone.networking_ec2.provision_ipam_pool_cidr(IpamPoolId=pool_id, Cidr="10.0.0.0/20")
    landing_zone.clock.advance(60)
    landing_zone.cloud.client("ec2", ZERO, "us-west-2").create_vpc(
        Ipv4IpamPoolId=pool_id,
        Ipv4NetmaskLength=24,
        TagSpecifications=[{"ResourceType": "vpc", "Tags": [{"Key": "Env", "Value": "Prod OU"}]}],
    )

    assert landing_zone.ask("Delete")["Status"] == "SUCCESS"
    assert landing_zone.shared() == {}


@pytest.mark.parametrize("status", ["DELETE_IN_PROGRESS", "DELETE_FAILED", "ROLLBACK_IN_PROGRESS", "ROLLBACK_FAILED"])
def test_an_event_that_comes_while_the_stack_goes_shares_nothing(landing_zone: Any, ous: Any, status: str) -> None:
    landing_zone.stack["StackStatus"] = status

    assert landing_zone.tell(moved(ZERO)) == {"ignored": f"The stack is {status}, so nothing is shared any more."}
    assert landing_zone.shared() == {}


def test_a_creation_that_is_rolled_back_meanwhile_shares_nothing_more(landing_zone: Any, ous: Any) -> None:
    landing_zone.stack["StackStatus"] = "ROLLBACK_IN_PROGRESS"

    assert landing_zone.is_left_unanswered("Create")
    assert landing_zone.shared() == {}


def test_cloudformation_is_asked_seldom_and_when_it_is_too_often_the_stack_is_taken_to_stay(
    landing_zone: Any, ous: Any, calls: list[str], refuse_calls: Any
) -> None:
    landing_zone.ask("Create")
    assert calls.count("cloudformation:DescribeStacks") == 1

    refuse_calls("DescribeStacks", "Throttling")
    landing_zone.cloud.move(ZERO, ous["SDLC OU"])
    landing_zone.tell(moved(ZERO))

    assert landing_zone.shared()[f"ipamShare-{ZERO}"] == SDLC


def test_what_an_event_shares_that_was_being_handled_when_the_delete_began_is_found(
    landing_zone: Any, ous: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    landing_zone.ask("Create")
    at_last = waiting.sleep

    def sleep(seconds: float) -> None:
        if seconds == sharing.LATECOMERS_S and landing_zone.stack["StackStatus"] == "CREATE_COMPLETE":
            landing_zone.tell(SCHEDULE)
            landing_zone.stack["StackStatus"] = "DELETE_IN_PROGRESS"
        at_last(seconds)

    monkeypatch.setattr(waiting, "sleep", sleep)

    assert landing_zone.ask("Delete")["Status"] == "SUCCESS"
    assert landing_zone.stack["StackStatus"] == "DELETE_IN_PROGRESS"
    assert landing_zone.shared() == {}


def test_one_account_that_cannot_be_shared_with_is_counted_and_does_not_roll_the_stack_back(
    landing_zone: Any, ous: Any
) -> None:
    landing_zone.cloud.models.ram.faults.fail_next_associations("not today")

    answer = landing_zone.ask("Create")

    assert (answer["Status"], answer["Data"]["Failed"]) == ("SUCCESS", "1")
    assert landing_zone.ask("Create")["Data"]["Failed"] == "0"


def test_if_nobody_can_be_shared_with_the_request_fails_in_words(landing_zone: Any, ous: Any) -> None:
    landing_zone.cloud.models.ram.faults.fail_next_associations("not today", times=100)

    answer = landing_zone.ask("Create")

    assert answer["Status"] == "FAILED"
    assert "accounts could not be reconciled" in answer["Reason"]
    assert "not today" in answer["Reason"]


def test_ous_without_pools_and_ous_of_one_name_are_outputs(landing_zone: Any, ous: Any) -> None:
    sandbox = landing_zone.cloud.add_ou("Sandbox")
    landing_zone.cloud.add_account("333322221111", sandbox)
    twin = landing_zone.cloud.add_ou("Prod OU", sandbox)

    data = landing_zone.ask("Create")["Data"]

    assert data["OusWithoutPools"] == "Sandbox"
    assert data["OusOfOneName"] == f"Prod OU ({', '.join(sorted([ous['Prod OU'], twin]))})"


# Accounts that were there before, left alone


@pytest.fixture
def leaving_alone(landing_zone: Any, ous: Any) -> Any:
    """ZERO joined long before the stack was created, ONE after it."""
    for account in organizations_backends[landing_zone.cloud.management]["aws"].accounts:
        account.create_time += timedelta(days=-1 if account.id == ZERO else 1)
    landing_zone.set_environment(SHARE_WITH_EXISTING_ACCOUNTS="false")
    return landing_zone


def test_accounts_that_were_there_before_can_be_left_alone(leaving_alone: Any) -> None:
    leaving_alone.ask("Create")

    assert leaving_alone.shared() == {f"ipamShare-{ONE}": SDLC}


@pytest.mark.parametrize("event", [SCHEDULE, moved(ZERO)], ids=["the schedule", "an event"])
def test_events_and_the_schedule_leave_them_alone_too_and_say_so(leaving_alone: Any, event: Any) -> None:
    answer = leaving_alone.tell(event)

    assert f"ipamShare-{ZERO}" not in leaving_alone.shared()
    (left,) = [row for row in answer["reconciled"] if row["accountId"] == ZERO]
    assert (left["reason"], answer["leftAlone"]) == ("joined the organization before this stack was created", 1)


def test_one_that_has_a_share_already_keeps_it_in_order(leaving_alone: Any, ous: Any) -> None:
    leaving_alone.set_environment(SHARE_WITH_EXISTING_ACCOUNTS="true")
    leaving_alone.tell(SCHEDULE)
    leaving_alone.set_environment(SHARE_WITH_EXISTING_ACCOUNTS="false")
    leaving_alone.cloud.move(ZERO, ous["SDLC OU"])

    leaving_alone.tell(SCHEDULE)

    assert leaving_alone.shared()[f"ipamShare-{ZERO}"] == SDLC


def test_an_operator_who_names_one_shares_with_it(leaving_alone: Any) -> None:
    leaving_alone.tell({"action": "reconcile", "accountId": ZERO})
    leaving_alone.tell(SCHEDULE)

    assert leaving_alone.shared() == SHARED


# Whose a share is


OTHER_STACK = STACK_ID.replace("stack/ipam", "stack/other")


def tags_of(landing_zone: Any, account_id: str) -> dict[str, str]:
    (share,) = [one for one in landing_zone.live_shares() if one["name"] == f"ipamShare-{account_id}"]
    return {tag["key"]: tag["value"] for tag in share["tags"]}


def tag(landing_zone: Any, account_id: str, **tags: str) -> None:
    (share,) = [one for one in landing_zone.live_shares() if one["name"] == f"ipamShare-{account_id}"]
    listed = [{"key": key.replace("__", ":").replace("_", "-"), "value": value} for key, value in tags.items()]
    landing_zone.networking_ram.tag_resource(resourceShareArn=share["resourceShareArn"], tags=listed)


def test_a_share_has_the_tags_of_the_stack_and_an_update_keeps_them_in_step(landing_zone: Any, ous: Any) -> None:
    landing_zone.stack["Tags"] = [{"Key": "CostCenter", "Value": "1"}]
    landing_zone.ask("Create")
    assert tags_of(landing_zone, ZERO)["CostCenter"] == "1"

    landing_zone.stack["Tags"] = [{"Key": "CostCenter", "Value": "2"}]
    landing_zone.tell(moved(ZERO))
    assert tags_of(landing_zone, ZERO)["CostCenter"] == "1"
    landing_zone.ask("Update")
    assert tags_of(landing_zone, ZERO)["CostCenter"] == "2"

    tag(landing_zone, ZERO, Owner="added by hand")
    landing_zone.stack["Tags"] = []
    landing_zone.ask("Update")
    assert tags_of(landing_zone, ZERO).keys() == {"ctipam:account-id", "ctipam:stack-id", "Owner"}


def test_a_share_of_a_stack_that_is_gone_is_adopted(landing_zone: Any, ous: Any) -> None:
    landing_zone.ask("Create")
    tag(landing_zone, ZERO, ctipam__stack_id=OTHER_STACK)
    before = {share["resourceShareArn"] for share in landing_zone.live_shares()}

    landing_zone.ask("Update")

    assert tags_of(landing_zone, ZERO)["ctipam:stack-id"] == STACK_ID
    assert {share["resourceShareArn"] for share in landing_zone.live_shares()} == before


@pytest.mark.parametrize(("status", "left"), [("CREATE_COMPLETE", 1), ("DELETE_FAILED", 0)])
def test_a_delete_leaves_the_shares_of_another_stack_that_can_act(
    landing_zone: Any, ous: Any, status: str, left: int
) -> None:
    landing_zone.ask("Create")
    tag(landing_zone, ZERO, ctipam__stack_id=OTHER_STACK)
    landing_zone.cloud.stacks[OTHER_STACK] = {"StackStatus": status}

    landing_zone.ask("Delete")

    assert len(landing_zone.live_shares()) == left


def test_a_share_that_cannot_be_deleted_does_not_keep_the_others(landing_zone: Any, ous: Any) -> None:
    landing_zone.ask("Create")
    denied = AwsError("AccessDeniedException", "explicit deny in a service control policy", 403)
    landing_zone.cloud.models.ram.faults.refuse_next("DeleteResourceShare", denied)

    assert landing_zone.ask("Delete")["Status"] == "SUCCESS"
    assert landing_zone.shared() == {}


def test_a_delete_ends_although_the_execution_role_is_gone(landing_zone: Any, ous: Any, refuse_calls: Any) -> None:
    landing_zone.ask("Create")
    refuse_calls("AssumeRole", "AccessDenied")

    assert landing_zone.ask("Delete")["Status"] == "SUCCESS"


# RAM, soon after sharing with the organization was enabled

UNREADY = AwsError("OperationNotPermittedException", "Sharing with the organization is not enabled.", 400)


def test_ram_that_is_not_ready_is_waited_for(landing_zone: Any, ous: Any) -> None:
    landing_zone.cloud.models.ram.faults.refuse_next("CreateResourceShare", UNREADY, times=4)
    began = landing_zone.clock.now()

    answer = landing_zone.ask("Create")

    assert (answer["Status"], answer["Data"]["Failed"]) == ("SUCCESS", "0")
    assert landing_zone.clock.now() - began < sharing.RAM_SETTLES_S
    assert landing_zone.shared() == SHARED


def test_ram_that_does_not_become_ready_is_a_failure_after_five_minutes(landing_zone: Any, ous: Any) -> None:
    landing_zone.cloud.models.ram.faults.refuse_next("CreateResourceShare", UNREADY, times=1000)
    began = landing_zone.clock.now()

    answer = landing_zone.ask("Create")

    assert answer["Status"] == "FAILED"
    assert "OperationNotPermittedException" in answer["Reason"]
    assert sharing.RAM_SETTLES_S <= landing_zone.clock.now() - began < sharing.RAM_SETTLES_S + 60


def test_a_request_that_is_superseded_while_it_waits_stops_without_an_answer(
    landing_zone: Any, ous: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    landing_zone.cloud.models.ram.faults.refuse_next("CreateResourceShare", UNREADY, times=4)
    sleep = waiting.sleep

    def roll_back(seconds: float) -> None:
        landing_zone.stack["StackStatus"] = "ROLLBACK_IN_PROGRESS"
        sleep(seconds)

    monkeypatch.setattr(waiting, "sleep", roll_back)

    assert landing_zone.is_left_unanswered("Create")
    assert landing_zone.shared() == {}
