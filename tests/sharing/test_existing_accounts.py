"""Custom::ShareExistingAccounts: the shares after CloudFormation creates, updates and deletes it."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import Any

import pytest
from moto.organizations.models import organizations_backends

from aws_models.errors import AwsError
from ctipam import waiting
from ctipam.cloudformation.latecomers import LATECOMERS_S
from ctipam.sharing import rounds as sharing
from in_process.fixtures import NETWORKING, NETWORKING_STACK_ID, STACK_ID
from in_process.lifecycle_events import ONE, PROD, SCHEDULE, SDLC, ZERO, moved

SHARED = {f"ipamShare-{ZERO}": PROD, f"ipamShare-{ONE}": SDLC}


def test_creating_the_stack_shares_pools_with_existing_accounts(landing_zone: Any, ous: Any) -> None:
    answer = landing_zone.ask("Create")

    assert (answer["Status"], answer["Data"]["SharedWith"]) == ("SUCCESS", "2"), answer
    assert landing_zone.shared() == SHARED


def test_a_region_that_is_added_later_is_shared_with_all_accounts(landing_zone: Any, ous: Any) -> None:
    landing_zone.ask("Create")
    landing_zone.add_pools("Prod OU", "SDLC OU", regions=("eu-west-1",))

    landing_zone.ask("Update")

    assert landing_zone.shared() == {
        f"ipamShare-{ZERO}": ["eu-west-1 Prod OU", *PROD],
        f"ipamShare-{ONE}": ["eu-west-1 SDLC OU", *SDLC],
    }


def test_an_environment_that_is_added_later_is_shared_with_its_accounts(landing_zone: Any, ous: Any) -> None:
    landing_zone.cloud.move(ONE, landing_zone.cloud.add_ou("Sandbox", ous["SDLC OU"]))
    landing_zone.ask("Create")
    landing_zone.add_pools("Sandbox")

    landing_zone.ask("Update")

    assert landing_zone.shared()[f"ipamShare-{ONE}"] == ["us-east-1 Sandbox", "us-west-2 Sandbox"]


@pytest.mark.parametrize("status", ["UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS"])
def test_an_update_that_cannot_share_fails_and_its_rollback_succeeds_with_a_warning(
    landing_zone: Any, ous: Any, status: str, refuse_calls: Any
) -> None:
    landing_zone.ask("Create")
    refuse_calls("GetResourceShares", "AccessDeniedException")
    landing_zone.stack["StackStatus"] = status

    answer = landing_zone.ask("Update")

    assert answer["Status"] == ("FAILED" if status == "UPDATE_IN_PROGRESS" else "SUCCESS")
    text = answer["Reason"] if answer["Status"] == "FAILED" else answer["Data"]["Warnings"]
    assert text.startswith("GetResourceShares was denied")


def test_a_delete_removes_all_shares_and_waits_until_aws_has_deleted_them(landing_zone: Any, ous: Any) -> None:
    landing_zone.ask("Create")

    assert landing_zone.ask("Delete")["Status"] == "SUCCESS"

    listed = landing_zone.networking_ram.get_paginator("get_resource_shares").paginate(resourceOwner="SELF")
    assert {share["status"] for page in listed for share in page["resourceShares"]} == {"DELETED"}


def test_a_delete_tries_again_a_share_that_ram_answers_not_to_have_deleted(
    landing_zone: Any, ous: Any, monkeypatch: pytest.MonkeyPatch, calls: list[str]
) -> None:
    """returnValue: false, without an error."""
    landing_zone.ask("Create")
    ram = landing_zone.cloud.models.ram
    call_model, refused = ram.call, iter([{"returnValue": False}])

    def unsuccessful_once(action: str, params: Any, caller: Any) -> Any:
        answer = next(refused, None) if action == "DeleteResourceShare" else None
        return answer or call_model(action, params, caller)

    monkeypatch.setattr(ram, "call", unsuccessful_once)

    assert landing_zone.ask("Delete")["Status"] == "SUCCESS"

    assert landing_zone.live_shares() == []
    assert calls.count("ram:DeleteResourceShare") == 3, "of two shares"


def test_a_repeated_delete_succeeds(landing_zone: Any, ous: Any) -> None:
    landing_zone.ask("Create")
    landing_zone.ask("Delete")

    assert landing_zone.ask("Delete")["Status"] == "SUCCESS"


def test_a_delete_removes_shares_even_while_a_vpc_uses_a_pool(landing_zone: Any, ous: Any) -> None:
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
def test_an_event_shares_nothing_while_the_stack_is_removed(landing_zone: Any, ous: Any, status: str) -> None:
    landing_zone.stack["StackStatus"] = status

    assert landing_zone.invoke(moved(ZERO)) == {"ignored": f"The stack is {status}, so nothing is shared any more."}
    assert landing_zone.shared() == {}


def test_a_creation_shares_nothing_after_its_rollback_begins(landing_zone: Any, ous: Any) -> None:
    landing_zone.stack["StackStatus"] = "ROLLBACK_IN_PROGRESS"

    assert landing_zone.is_left_unanswered()
    assert landing_zone.shared() == {}


def test_the_warnings_are_those_of_the_setup_and_of_the_networking_account(landing_zone: Any, ous: Any) -> None:
    assert landing_zone.ask("Create", SetupWarnings="none")["Data"]["Warnings"] == "none"

    outputs = [{"OutputKey": "Warnings", "OutputValue": "A VPC was there before."}]
    landing_zone.cloud.stacks[NETWORKING_STACK_ID] = {"StackStatus": "CREATE_COMPLETE", "Outputs": outputs}

    assert landing_zone.ask("Update", SetupWarnings="none")["Data"]["Warnings"] == "A VPC was there before."
    both = landing_zone.ask("Update", SetupWarnings="An OU is missing.")["Data"]["Warnings"]
    assert both == "An OU is missing. A VPC was there before."


def test_the_stack_status_is_read_once_and_a_throttled_read_does_not_stop_sharing(
    landing_zone: Any, ous: Any, calls: list[str], refuse_calls: Any
) -> None:
    landing_zone.ask("Create")
    assert calls.count("cloudformation:DescribeStacks") == 1 + 1  # and the Networking account's, for its warnings

    refuse_calls("DescribeStacks", "Throttling")
    landing_zone.cloud.move(ZERO, ous["SDLC OU"])
    landing_zone.invoke(moved(ZERO))

    assert landing_zone.shared()[f"ipamShare-{ZERO}"] == SDLC


def test_a_delete_removes_a_share_that_a_running_handler_creates(
    landing_zone: Any, ous: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    landing_zone.ask("Create")
    original_sleep = waiting.sleep

    def sleep(seconds: float) -> None:
        if seconds == LATECOMERS_S and landing_zone.stack["StackStatus"] == "CREATE_COMPLETE":
            landing_zone.invoke(SCHEDULE)
            landing_zone.stack["StackStatus"] = "DELETE_IN_PROGRESS"
        original_sleep(seconds)

    monkeypatch.setattr(waiting, "sleep", sleep)

    assert landing_zone.ask("Delete")["Status"] == "SUCCESS"
    assert landing_zone.stack["StackStatus"] == "DELETE_IN_PROGRESS"
    assert landing_zone.shared() == {}


def test_accounts_for_which_no_time_is_left_are_shared_with_in_another_invocation(
    landing_zone: Any,
    ous: Any,
    answers: list[dict[str, Any]],
    continuations: list[dict[str, Any]],
) -> None:
    landing_zone.make_creating_shares_slow(500)
    cloudformation = landing_zone._cloudformation
    cloudformation.send(cloudformation.request("Create", "ShareExistingAccounts", {"NetworkAccountId": NETWORKING}))
    assert answers == []

    cloudformation.send(continuations[0])

    assert [answer["Status"] for answer in answers] == ["SUCCESS"]
    assert landing_zone.shared() == {f"ipamShare-{ZERO}": PROD, f"ipamShare-{ONE}": SDLC}


def test_a_share_that_was_created_last_is_not_created_again_in_another_invocation(
    landing_zone: Any, ous: Any, answers: list[dict[str, Any]], continuations: list[dict[str, Any]], calls: list[str]
) -> None:
    landing_zone.make_creating_shares_slow(450)
    cloudformation = landing_zone._cloudformation
    cloudformation.send(cloudformation.request("Create", "ShareExistingAccounts", {"NetworkAccountId": NETWORKING}))

    cloudformation.send(continuations[0])

    assert [answer["Status"] for answer in answers] == ["SUCCESS"]
    assert calls.count("ram:CreateResourceShare") == 2
    assert landing_zone.shared() == {f"ipamShare-{ZERO}": PROD, f"ipamShare-{ONE}": SDLC}


def test_a_share_that_was_created_before_a_denial_is_not_created_again(
    landing_zone: Any, ous: Any, calls: list[str]
) -> None:
    landing_zone.cloud.set_ram_timings(listed=waiting.LISTED_LATE_S)
    numbers = itertools.count(1)

    def deny_the_second(action: str, _params: Any) -> None:
        if action == "CreateResourceShare" and next(numbers) == 2:
            raise AwsError("AccessDeniedException", "IAM does not know the new policy everywhere yet", 403)

    landing_zone.before_ram_calls(deny_the_second)

    assert landing_zone.ask("Create")["Status"] == "SUCCESS"

    assert calls.count("ram:CreateResourceShare") == 3  # one was denied
    assert landing_zone.shared() == {f"ipamShare-{ZERO}": PROD, f"ipamShare-{ONE}": SDLC}


def test_an_account_that_fails_is_counted_and_does_not_roll_back_the_stack(landing_zone: Any, ous: Any) -> None:
    landing_zone.cloud.models.ram.faults.fail_next_associations("not today")

    answer = landing_zone.ask("Create")

    assert (answer["Status"], answer["Data"]["Failed"]) == ("SUCCESS", "1")
    assert landing_zone.ask("Create")["Data"]["Failed"] == "0"


def test_a_request_fails_with_the_reason_if_no_account_can_be_shared_with(landing_zone: Any, ous: Any) -> None:
    landing_zone.cloud.models.ram.faults.fail_next_associations("not today", times=100)

    answer = landing_zone.ask("Create")

    assert answer["Status"] == "FAILED"
    assert answer["Reason"].startswith("AWS could not share arn:")
    assert (
        "not today. Try again, or wait for the next run. (Account 012345678901; 2 of 4 accounts failed.)"
        in answer["Reason"]
    )


def test_the_outputs_say_which_ou_each_environment_is_and_which_ous_have_no_pools(landing_zone: Any, ous: Any) -> None:
    sandbox = landing_zone.cloud.add_ou("Sandbox")
    landing_zone.cloud.add_account("333322221111", sandbox)
    landing_zone.ask("Create")
    landing_zone.cloud.rename(ous["Prod OU"], "Production OU")

    data = landing_zone.ask("Update")["Data"]

    assert data["OusWithoutPools"] == "Sandbox"
    assert data["Environments"] == f"Prod OU ({ous['Prod OU']}, now Production OU), SDLC OU ({ous['SDLC OU']})"


# Existing accounts that are left alone


@pytest.fixture
def leaving_alone(landing_zone: Any, ous: Any) -> Any:
    """Leave existing accounts alone. ZERO joined before the stack was created, ONE after it."""
    for account in organizations_backends[landing_zone.cloud.management]["aws"].accounts:
        account.create_time += timedelta(days=-1 if account.id == ZERO else 1)
    landing_zone.set_environment(SHARE_WITH_EXISTING_ACCOUNTS="false")
    return landing_zone


def test_existing_accounts_can_be_left_alone(leaving_alone: Any) -> None:
    leaving_alone.ask("Create")

    assert leaving_alone.shared() == {f"ipamShare-{ONE}": SDLC}


@pytest.mark.parametrize("event", [SCHEDULE, moved(ZERO)], ids=["the schedule", "an event"])
def test_events_and_the_schedule_leave_existing_accounts_alone_and_report_it(leaving_alone: Any, event: Any) -> None:
    answer = leaving_alone.invoke(event)

    assert f"ipamShare-{ZERO}" not in leaving_alone.shared()
    (left,) = [row for row in answer["reconciled"] if row["accountId"] == ZERO]
    assert (left["reason"], answer["leftAlone"]) == ("joined the organization before this stack was created", 1)


def test_an_existing_account_that_has_a_share_is_still_reconciled(leaving_alone: Any, ous: Any) -> None:
    leaving_alone.set_environment(SHARE_WITH_EXISTING_ACCOUNTS="true")
    leaving_alone.invoke(SCHEDULE)
    leaving_alone.set_environment(SHARE_WITH_EXISTING_ACCOUNTS="false")
    leaving_alone.cloud.move(ZERO, ous["SDLC OU"])

    leaving_alone.invoke(SCHEDULE)

    assert leaving_alone.shared()[f"ipamShare-{ZERO}"] == SDLC


def test_an_operator_can_share_with_an_existing_account_by_its_id(leaving_alone: Any) -> None:
    leaving_alone.invoke({"action": "reconcile", "accountId": ZERO})
    leaving_alone.invoke(SCHEDULE)

    assert leaving_alone.shared() == SHARED


def test_an_account_that_was_shared_with_by_its_id_gets_pools_again_when_it_comes_back(
    leaving_alone: Any, ous: Any
) -> None:
    leaving_alone.invoke({"action": "reconcile", "accountId": ZERO})
    leaving_alone.cloud.move(ZERO, leaving_alone.cloud.add_ou("Sandbox"))
    leaving_alone.invoke(SCHEDULE)
    assert leaving_alone.shared()[f"ipamShare-{ZERO}"] == []

    leaving_alone.cloud.move(ZERO, ous["Prod OU"])
    leaving_alone.invoke(moved(ZERO))

    assert leaving_alone.shared()[f"ipamShare-{ZERO}"] == PROD


# Tags of the stack, and shares of other stacks


OTHER_STACK = STACK_ID.replace("stack/ipam", "stack/other")


def tags_of(landing_zone: Any, account_id: str) -> dict[str, str]:
    (share,) = [listed for listed in landing_zone.live_shares() if listed["name"] == f"ipamShare-{account_id}"]
    return {tag["key"]: tag["value"] for tag in share["tags"]}


def tag(landing_zone: Any, account_id: str, **tags: str) -> None:
    (share,) = [listed for listed in landing_zone.live_shares() if listed["name"] == f"ipamShare-{account_id}"]
    added = [{"key": key.replace("__", ":").replace("_", "-"), "value": value} for key, value in tags.items()]
    landing_zone.networking_ram.tag_resource(resourceShareArn=share["resourceShareArn"], tags=added)


def test_a_share_has_the_stack_tags_and_only_an_update_changes_them(landing_zone: Any, ous: Any) -> None:
    landing_zone.stack["Tags"] = [{"Key": "CostCenter", "Value": "1"}]
    landing_zone.ask("Create")
    assert tags_of(landing_zone, ZERO)["CostCenter"] == "1"

    landing_zone.stack["Tags"] = [{"Key": "CostCenter", "Value": "2"}]
    landing_zone.invoke(moved(ZERO))
    assert tags_of(landing_zone, ZERO)["CostCenter"] == "1"
    landing_zone.ask("Update")
    assert tags_of(landing_zone, ZERO)["CostCenter"] == "2"

    tag(landing_zone, ZERO, Owner="added by hand")
    landing_zone.stack["Tags"] = []
    landing_zone.ask("Update")
    assert tags_of(landing_zone, ZERO).keys() == {"ctipam:account-id", "ctipam:stack-id", "Owner"}


def test_a_share_of_a_deleted_stack_is_adopted(landing_zone: Any, ous: Any) -> None:
    landing_zone.ask("Create")
    tag(landing_zone, ZERO, ctipam__stack_id=OTHER_STACK)
    before = {share["resourceShareArn"] for share in landing_zone.live_shares()}

    landing_zone.ask("Update")

    assert tags_of(landing_zone, ZERO)["ctipam:stack-id"] == STACK_ID
    assert {share["resourceShareArn"] for share in landing_zone.live_shares()} == before


@pytest.mark.parametrize(("status", "left"), [("CREATE_COMPLETE", 1), ("DELETE_FAILED", 0)])
def test_a_delete_keeps_the_shares_of_another_stack_that_can_still_act(
    landing_zone: Any, ous: Any, status: str, left: int
) -> None:
    landing_zone.ask("Create")
    tag(landing_zone, ZERO, ctipam__stack_id=OTHER_STACK)
    landing_zone.cloud.stacks[OTHER_STACK] = {"StackStatus": status}

    landing_zone.ask("Delete")

    assert len(landing_zone.live_shares()) == left


def test_a_share_whose_deletion_is_denied_once_is_deleted_with_the_others(
    landing_zone: Any, ous: Any, caplog: pytest.LogCaptureFixture
) -> None:
    landing_zone.ask("Create")
    denied = AwsError("AccessDeniedException", "explicit deny in a service control policy", 403)
    landing_zone.cloud.models.ram.faults.refuse_next("DeleteResourceShare", denied)

    with caplog.at_level("INFO", "ctipam"):
        assert landing_zone.ask("Delete")["Status"] == "SUCCESS"

    assert landing_zone.shared() == {}
    assert sum(record.message == "deleted share" for record in caplog.records) == 2


def test_a_delete_succeeds_without_the_execution_role(landing_zone: Any, ous: Any, refuse_calls: Any) -> None:
    landing_zone.ask("Create")
    refuse_calls("AssumeRole", "AccessDenied")

    assert landing_zone.ask("Delete")["Status"] == "SUCCESS"


# RAM soon after sharing with the organization is enabled

UNREADY = AwsError("OperationNotPermittedException", "Sharing with the organization is not enabled.", 400)


def test_sharing_waits_until_ram_is_ready(landing_zone: Any, ous: Any) -> None:
    landing_zone.cloud.models.ram.faults.refuse_next("CreateResourceShare", UNREADY, times=4)
    began = landing_zone.clock.now()

    answer = landing_zone.ask("Create")

    assert (answer["Status"], answer["Data"]["Failed"]) == ("SUCCESS", "0")
    assert landing_zone.clock.now() - began < sharing.RAM_SETTLES_S
    assert landing_zone.shared() == SHARED


def test_what_ram_is_not_ready_for_at_the_end_of_an_invocation_goes_on_in_another(
    landing_zone: Any,
    ous: Any,
    answers: list[dict[str, Any]],
    continuations: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sharing, "RAM_SETTLES_S", 3600.0)
    cloudformation = landing_zone._cloudformation
    landing_zone.cloud.models.ram.faults.refuse_next("CreateResourceShare", UNREADY, times=130)  # 15 minutes
    cloudformation.send(cloudformation.request("Create", "ShareExistingAccounts", {"NetworkAccountId": NETWORKING}))
    assert answers == []

    cloudformation.send(continuations[0])

    assert [(answer["Status"], answer["Data"]["Failed"]) for answer in answers] == [("SUCCESS", "0")]
    assert landing_zone.shared() == SHARED


def test_when_ram_is_ready_associations_are_waited_for_as_long_as_usual(landing_zone: Any, ous: Any) -> None:
    landing_zone.cloud.set_ram_timings(associate=3600)
    landing_zone.cloud.models.ram.faults.refuse_next("CreateResourceShare", UNREADY)
    began = landing_zone.clock.now()

    answer = landing_zone.ask("Create")

    assert answer["Status"] == "SUCCESS", answer["Reason"]
    assert landing_zone.clock.now() - began < sharing.RAM_PAUSE_S + sum(sharing.PAUSES_S) + 10


def test_sharing_fails_if_ram_is_not_ready_after_five_minutes(landing_zone: Any, ous: Any) -> None:
    landing_zone.cloud.models.ram.faults.refuse_next("CreateResourceShare", UNREADY, times=1000)
    began = landing_zone.clock.now()

    answer = landing_zone.ask("Create")

    assert answer["Status"] == "FAILED"
    assert "OperationNotPermittedException" in answer["Reason"]
    way_out = "Run `aws ram enable-sharing-with-aws-organization`, or else see `make report`."
    assert f"{way_out} (Account 012345678901; 2 of 4 accounts failed.)" in answer["Reason"]
    assert sharing.RAM_SETTLES_S <= landing_zone.clock.now() - began < sharing.RAM_SETTLES_S + 60


def test_a_request_that_is_superseded_while_it_waits_stops_without_a_response(
    landing_zone: Any, ous: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    landing_zone.cloud.models.ram.faults.refuse_next("CreateResourceShare", UNREADY, times=4)
    sleep = waiting.sleep

    def roll_back(seconds: float) -> None:
        landing_zone.stack["StackStatus"] = "ROLLBACK_IN_PROGRESS"
        sleep(seconds)

    monkeypatch.setattr(waiting, "sleep", roll_back)

    assert landing_zone.is_left_unanswered()
    assert landing_zone.shared() == {}
