"""Custom::OrganizationSetup in an organization that has, or had, another deployment."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from ctipam import names, sessions
from ctipam.errors import REASON_LIMIT, Refused
from ctipam.invocation import MAX_INVOCATIONS
from ctipam.networking_account import assume_execution_role
from ctipam.organization.deployments import warnings_of_networking
from ctipam.organization.session_policies import read_policy, release_policy
from ctipam.tags import to_list
from in_process.aws_calls import intercept
from in_process.fixtures import DEFAULTS, HOME, MANAGEMENT, NETWORKING, STACK_ID, Cloud, CloudFormation, load
from in_process.stack_sets import StackSets

OLD = f"arn:aws:cloudformation:{HOME}:{NETWORKING}:stack/StackSet-ipam-networking/22222222-2222-3333-4444-555555555555"
OTHER_ACCOUNT = "333333333333"


class Setup:
    def __init__(self, cloud: Cloud, answers: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
        self.cloud = cloud
        self.stack_sets = StackSets(cloud.clock)
        intercept(monkeypatch, self.stack_sets.answer)
        self.ec2 = cloud.client("ec2", NETWORKING)
        self._cloudformation = CloudFormation(
            cloud, MANAGEMENT, load("ct-integration-lambda").organization_setup, STACK_ID, answers
        )

    def ask(self, kind: str = "Create", network_account_id: str = NETWORKING, **event: Any) -> dict[str, Any]:
        properties = DEFAULTS | {"NetworkAccountId": network_account_id}
        return self._cloudformation.ask(kind, "OrganizationSetup", properties, **event)

    def is_continued(self, continuations: list[dict[str, Any]], event: dict[str, Any] | None = None) -> bool:
        """Send a Create, or the given event, and return whether the function continues in another invocation."""
        properties = DEFAULTS | {"NetworkAccountId": NETWORKING}
        continuations.clear()
        self._cloudformation.send(event or self._cloudformation.request("Create", "OrganizationSetup", properties))
        return bool(continuations)

    def add_pool(self, stack_id: str) -> str:
        tags = [{"Key": names.STACK_TAG, "Value": stack_id}, {"Key": "Name", "Value": "kept"}]
        ipam = self.ec2.create_ipam(
            OperatingRegions=[{"RegionName": HOME}], TagSpecifications=[{"ResourceType": "ipam", "Tags": tags}]
        )["Ipam"]
        self.cloud.clock.advance(60)
        pool = self.ec2.create_ipam_pool(
            IpamScopeId=ipam["PrivateDefaultScopeId"],
            AddressFamily="ipv4",
            TagSpecifications=[{"ResourceType": "ipam-pool", "Tags": tags}],
        )["IpamPool"]
        self.cloud.clock.advance(60)
        return str(pool["IpamPoolId"])

    def stack_tags(self) -> set[str]:
        tagged = [*self.ec2.describe_ipam_pools()["IpamPools"], *self.ec2.describe_ipams()["Ipams"]]
        return {tag["Value"] for resource in tagged for tag in resource["Tags"] if tag["Key"] == names.STACK_TAG}


@pytest.fixture
def setup(cloud: Any, answers: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> Setup:
    cloud.models.organization.home_region = HOME
    boto3.client("iam", HOME).create_role(
        RoleName="AWSControlTowerStackSetRole", Path="/service-role/", AssumeRolePolicyDocument="{}"
    )
    boto3.client("ec2", HOME).enable_ipam_organization_admin_account(DelegatedAdminAccountId=NETWORKING)
    return Setup(cloud, answers, monkeypatch)


def leave_stack_set(setup: Setup) -> None:
    setup.add_pool(OLD)
    setup.cloud.stacks[OLD] = {"StackStatus": "CREATE_COMPLETE"}
    setup.stack_sets.exists = True
    setup.stack_sets.stack_ids = [OLD]


def test_the_setup_of_a_first_deployment_succeeds(setup: Setup) -> None:
    answer = setup.ask()

    assert answer["Status"] == "SUCCESS", answer
    assert setup.cloud.models.organization.ram_sharing_enabled


def test_a_stack_with_more_tags_than_pools_can_carry_is_refused_unless_it_is_rolled_back(setup: Setup) -> None:
    def tagged(count: int, status: str) -> dict[str, Any]:
        return {"StackStatus": status, "Tags": to_list({f"tag-{number}": "x" for number in range(count)})}

    setup.cloud.stacks[STACK_ID] = tagged(36, "CREATE_IN_PROGRESS")
    assert setup.ask()["Status"] == "SUCCESS"
    setup.cloud.stacks[STACK_ID] = tagged(37, "UPDATE_IN_PROGRESS")

    assert setup.ask("Update")["Reason"] == (
        "The stack has 37 tags, and pools can take 36 beside their own, because AWS allows 50 on a resource. Give the "
        "stack fewer."
    )

    setup.cloud.stacks[STACK_ID] = tagged(37, "UPDATE_ROLLBACK_IN_PROGRESS")
    assert setup.ask("Update")["Status"] == "SUCCESS"


def test_an_update_that_adds_the_name_of_several_ous_is_refused_unless_it_is_rolled_back(setup: Setup) -> None:
    assert setup.ask()["Status"] == "SUCCESS"
    setup.cloud.add_ou("SDLC OU", setup.cloud.add_ou("SDLC OU"))
    before: dict[str, Any] = {
        "OldResourceProperties": DEFAULTS | {"NetworkAccountId": NETWORKING, "AccEnvName": ["Prod OU"]}
    }
    setup.cloud.stacks[STACK_ID] = {"StackStatus": "UPDATE_IN_PROGRESS"}

    assert setup.ask("Update", **before)["Reason"].startswith("2 OUs are named 'SDLC OU'")

    setup.cloud.stacks[STACK_ID] = {"StackStatus": "UPDATE_ROLLBACK_IN_PROGRESS"}
    assert setup.ask("Update", **before)["Status"] == "SUCCESS"


def test_a_role_that_is_denied_between_its_check_and_the_pools_fails_an_update_but_not_its_rollback(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    def deny(call: Any, client: Any, operation: str, parameters: Any) -> Any:
        if operation == "AssumeRole" and parameters["RoleSessionName"] != "check-enrollment":
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "No."}}, operation)
        return call(client, operation, parameters)

    assert setup.ask()["Status"] == "SUCCESS"
    intercept(monkeypatch, deny)
    setup.cloud.stacks[STACK_ID] = {"StackStatus": "UPDATE_IN_PROGRESS"}

    assert setup.ask("Update")["Reason"].startswith(f"Cannot assume AWSControlTowerExecution in {NETWORKING}: ")

    setup.cloud.stacks[STACK_ID] = {"StackStatus": "UPDATE_ROLLBACK_IN_PROGRESS"}
    assert setup.ask("Update")["Status"] == "SUCCESS"


def test_a_second_deployment_is_refused_before_anything_changes(setup: Setup) -> None:
    setup.add_pool(OLD)
    setup.cloud.stacks[OLD] = {"StackStatus": "UPDATE_COMPLETE"}

    answer = setup.ask()

    assert answer["Status"] == "FAILED"
    place = f"{HOME}, account {NETWORKING}"
    assert f"Stack StackSet-ipam-networking in {place}, already manages the pools" in answer["Reason"]
    assert answer["Reason"].endswith("delete it first.")
    assert not setup.cloud.models.organization.ram_sharing_enabled
    assert setup.stack_tags() == {OLD}


@pytest.mark.parametrize(
    ("name", "way_out"),
    [
        ("ipam-controltower", "update it, or delete it first, or deploy under the name ipam-controltower."),
        ("a-name-that-is-longer-than-most", "or deploy under the name a-name-that-is-longer-than-most."),
        ("ipam", "delete that stack first."),
    ],
    ids=["another name", "a long name", "our own name"],
)
def test_the_name_of_another_deployment_is_a_way_out(setup: Setup, name: str, way_out: str) -> None:
    """The stack in the Networking account outlives a force-deleted management stack of that name."""
    uuid = "11111111-2222-3333-4444-555555555555"
    networking_stack = f"arn:aws:cloudformation:{HOME}:{NETWORKING}:stack/StackSet-{name}-networking-{uuid}/{uuid}"
    setup.add_pool(networking_stack)
    setup.cloud.stacks[networking_stack] = {"StackStatus": "CREATE_COMPLETE"}

    reason = setup.ask()["Reason"]

    assert "already manages the pools of this organization" in reason
    assert NETWORKING in reason
    assert reason.endswith(way_out)
    assert len(reason) <= REASON_LIMIT


@pytest.mark.parametrize("status", ["DELETE_FAILED", None], ids=["deletion failed", "does not exist"])
def test_pools_of_a_stack_that_cannot_act_do_not_block_a_deployment(setup: Setup, status: str | None) -> None:
    setup.add_pool(OLD)
    if status:
        setup.cloud.stacks[OLD] = {"StackStatus": status}

    assert setup.ask()["Status"] == "SUCCESS"


def test_an_update_is_not_blocked_by_its_own_pools(setup: Setup) -> None:
    setup.ask()
    setup.add_pool(OLD)
    setup.cloud.stacks[OLD] = {"StackStatus": "CREATE_COMPLETE"}
    setup.stack_sets.exists = True

    assert setup.ask("Update", OldResourceProperties={"NetworkAccountId": NETWORKING})["Status"] == "SUCCESS"
    assert setup.stack_sets.exists


# A StackSet that a force-deleted stack of the same name has left behind


def test_a_leftover_stack_set_is_removed_and_only_its_pools_and_ipam_are_released(setup: Setup) -> None:
    leave_stack_set(setup)
    gone = OLD.replace("StackSet-ipam", "StackSet-gone")
    setup.ec2.create_ipam_pool(
        IpamScopeId=setup.ec2.describe_ipams()["Ipams"][0]["PrivateDefaultScopeId"],
        AddressFamily="ipv4",
        TagSpecifications=[{"ResourceType": "ipam-pool", "Tags": to_list({names.STACK_TAG: gone})}],
    )

    answer = setup.ask()

    assert (answer["Status"], answer["Data"]["Warnings"].count("earlier deployment")) == ("SUCCESS", 0), answer
    assert not setup.stack_sets.exists
    assert setup.stack_sets.retained == [False]
    assert setup.stack_tags() == {"released", gone}


def test_what_a_leftover_stack_set_has_is_released_although_aws_lists_it_without_tags(setup: Setup) -> None:
    """Its stack would have deleted the pools that nobody uses, and IPAM with the last of them."""
    leave_stack_set(setup)
    for action in ("DescribeIpamPools", "DescribeIpams"):
        setup.cloud.models.ipam.faults.list_without_tags(action, times=100)

    assert setup.ask()["Status"] == "SUCCESS"
    released = [{"Name": f"tag:{names.STACK_TAG}", "Values": [names.RELEASED]}]
    assert len(setup.ec2.describe_ipam_pools(Filters=released)["IpamPools"]) == 1
    assert len(setup.ec2.describe_ipams(Filters=released)["Ipams"]) == 1


def test_a_leftover_that_another_operation_holds_is_waited_for(setup: Setup) -> None:
    leave_stack_set(setup)
    busy = "OperationInProgressException"
    setup.stack_sets.refusals = {"DeleteStackInstances": busy, "DeleteStackSet": busy}

    assert setup.ask()["Status"] == "SUCCESS"
    assert not setup.stack_sets.refusals
    assert not setup.stack_sets.exists
    assert setup.stack_sets.retained == [False]


def test_a_leftover_that_another_operation_holds_for_an_hour_is_a_failure_that_names_the_stack_set(
    setup: Setup,
) -> None:
    leave_stack_set(setup)
    setup.stack_sets.takes_s = 3600.0

    answer = setup.ask(CtipamInvocation={"number": MAX_INVOCATIONS})

    assert answer["Reason"] == (
        "AWS did not finish in time: an operation of StackSet ipam-networking is in progress. What was begun is kept; "
        "try again to go on from there."
    )


def test_a_leftover_that_cannot_be_removed_is_a_failure_that_names_the_call_and_the_next_request_goes_on(
    setup: Setup,
) -> None:
    leave_stack_set(setup)
    for action in ("DescribeStackSet", "DescribeStackSetOperation", "DeleteStackInstances", "DeleteStackSet"):
        setup.stack_sets.refusals[action] = "InternalFailure"

        assert setup.ask()["Reason"].startswith(f"{action} failed: InternalFailure: No.")
        assert not setup.cloud.models.organization.ram_sharing_enabled

    setup.stack_sets.refusals["DeleteStackSet"] = "StackSetNotFoundException"  # somebody has deleted it meanwhile
    assert setup.ask()["Status"] == "SUCCESS"


def test_a_stack_that_cannot_be_deleted_is_retained_and_named_in_a_warning(setup: Setup) -> None:
    leave_stack_set(setup)
    setup.stack_sets.results[False] = "FAILED"

    answer = setup.ask()

    assert answer["Status"] == "SUCCESS"
    assert "Stack StackSet-ipam-networking of the earlier deployment was not deleted" in answer["Data"]["Warnings"]
    assert setup.stack_sets.retained == [False, True]
    assert not setup.stack_sets.exists


def test_a_leftover_whose_stacks_can_neither_be_deleted_nor_retained_is_a_failure_with_the_way_out(
    setup: Setup,
) -> None:
    leave_stack_set(setup)
    setup.stack_sets.results = {False: "FAILED", True: "STOPPED"}

    reason = setup.ask()["Reason"]

    assert reason == "Cannot delete the instances of StackSet ipam-networking; delete it, then retry."
    assert setup.stack_sets.exists
    assert not setup.cloud.models.organization.ram_sharing_enabled


def test_a_stack_instance_that_never_had_a_stack_has_nothing_to_release(setup: Setup) -> None:
    leave_stack_set(setup)
    setup.stack_sets.stack_ids = [""]
    setup.cloud.stacks.pop(OLD)

    assert setup.ask()["Status"] == "SUCCESS"
    assert not setup.stack_sets.exists
    assert setup.stack_tags() == {OLD}


def test_a_leftover_of_an_account_that_cannot_be_entered_is_removed_and_its_pools_stay_as_they_are(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave_stack_set(setup)
    setup.cloud.stacks.pop(OLD)
    release = release_policy("aws", HOME, NETWORKING, OLD)

    def deny(call: Any, client: Any, operation: str, parameters: Any) -> Any:
        if operation == "AssumeRole" and json.loads(parameters["Policy"]) == release:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, operation)
        return call(client, operation, parameters)

    intercept(monkeypatch, deny)

    answer = setup.ask()

    assert answer["Status"] == "SUCCESS"
    assert not setup.stack_sets.exists
    assert setup.stack_tags() == {OLD}
    assert setup.stack_sets.retained == [True], "the stack would delete the pools"
    assert f"was not deleted; force-delete it in account {NETWORKING}." in answer["Data"]["Warnings"]


def test_the_stacks_of_a_leftover_are_deleted_by_one_operation_of_a_request_that_arrives_twice(setup: Setup) -> None:
    leave_stack_set(setup)
    setup.stack_sets.refusals["DeleteStackInstances"] = "OperationIdAlreadyExistsException"

    assert setup.ask()["Status"] == "SUCCESS"
    assert not setup.stack_sets.exists


@pytest.mark.parametrize("denied", ["DescribeIpamPools", "AssumeRole"])
def test_the_warnings_of_a_networking_account_that_cannot_be_read_are_none(
    setup: Setup, monkeypatch: pytest.MonkeyPatch, denied: str
) -> None:
    setup.add_pool(OLD)
    setup.cloud.stacks[OLD] = {
        "StackStatus": "CREATE_COMPLETE",
        "Outputs": [{"OutputKey": "Warnings", "OutputValue": "Look at the pools."}],
    }
    management = sessions.current_account(MANAGEMENT)
    assert warnings_of_networking(management, NETWORKING) == "Look at the pools."

    def refuse(call: Any, client: Any, operation: str, parameters: Any) -> Any:
        if operation == denied:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, operation)
        return call(client, operation, parameters)

    intercept(monkeypatch, refuse)
    assert warnings_of_networking(management, NETWORKING) == "none"


def test_a_removal_that_takes_longer_than_an_invocation_is_continued(
    setup: Setup, continuations: list[dict[str, Any]]
) -> None:
    leave_stack_set(setup)
    setup.stack_sets.takes_s = 20 * 60.0

    assert setup.is_continued(continuations)
    assert not setup.is_continued(continuations, dict(continuations[0]))

    assert setup.stack_sets.retained == [False]
    assert not setup.stack_sets.exists


def test_a_retained_stack_is_named_in_a_warning_by_whichever_invocation_finishes(
    setup: Setup, continuations: list[dict[str, Any]], answers: list[dict[str, Any]]
) -> None:
    leave_stack_set(setup)
    setup.stack_sets.results[False] = "FAILED"
    setup.stack_sets.takes_s = 8 * 60.0

    assert setup.is_continued(continuations)
    setup.cloud.clock.advance(5 * 60)
    assert not setup.is_continued(continuations, dict(continuations[0]))

    assert setup.stack_sets.retained == [False, True]
    assert "Stack StackSet-ipam-networking-... of the earlier deployment" in answers[-1]["Data"]["Warnings"]


def test_a_request_that_arrives_twice_does_not_remove_the_stack_set_of_its_stack(setup: Setup) -> None:
    setup.stack_sets.exists = True
    setup.stack_sets.own_resources = ["NetworkingStackSet"]

    assert setup.ask()["Status"] == "SUCCESS"
    assert setup.stack_sets.exists


def test_a_stack_set_of_others_is_not_removed(setup: Setup) -> None:
    setup.stack_sets.exists = True
    setup.stack_sets.description = "Another team's"

    setup.ask()

    assert setup.stack_sets.exists


def test_a_deployment_is_refused_beside_an_active_one_even_if_a_leftover_exists(setup: Setup) -> None:
    leave_stack_set(setup)
    another = OLD.replace("StackSet-ipam", "StackSet-another")
    (pool,) = setup.ec2.describe_ipam_pools()["IpamPools"]
    setup.ec2.create_tags(Resources=[pool["IpamPoolId"]], Tags=[{"Key": names.STACK_TAG, "Value": another}])
    setup.cloud.stacks[another] = {"StackStatus": "CREATE_COMPLETE"}

    assert "StackSet-another-networking" in setup.ask()["Reason"]
    assert setup.stack_sets.exists


# A changed NetworkAccountId


def test_another_networking_account_is_refused_without_a_look_at_the_old_one(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The function's role may assume the execution role of the new account only."""
    setup.ask()
    setup.cloud.add_account(OTHER_ACCOUNT)
    monkeypatch.setattr(sessions.Account, "assume", None)

    answer = setup.ask("Update", OTHER_ACCOUNT, OldResourceProperties={"NetworkAccountId": NETWORKING})

    assert answer["Status"] == "FAILED"
    assert f"NetworkAccountId cannot change from {NETWORKING} to {OTHER_ACCOUNT}" in answer["Reason"]
    assert "delete this stack (make undo), then deploy with the new account" in answer["Reason"]
    assert len(answer["Reason"]) <= REASON_LIMIT


def test_the_rollback_of_a_refused_account_change_succeeds(setup: Setup) -> None:
    setup.ask()
    setup.cloud.add_account(OTHER_ACCOUNT)
    setup.add_pool(OLD)
    setup.cloud.stacks[OLD] = {"StackStatus": "CREATE_COMPLETE"}
    setup.cloud.stacks[STACK_ID] = {"StackStatus": "UPDATE_ROLLBACK_IN_PROGRESS"}

    answer = setup.ask("Update", OldResourceProperties={"NetworkAccountId": OTHER_ACCOUNT})

    assert answer["Status"] == "SUCCESS", answer


in_an_update_and_its_rollback = pytest.mark.parametrize(
    ("stack_status", "answered"),
    [("UPDATE_IN_PROGRESS", "FAILED"), ("UPDATE_ROLLBACK_IN_PROGRESS", "SUCCESS")],
)


@in_an_update_and_its_rollback
def test_an_update_refused_for_another_administrator_can_be_rolled_back(
    setup: Setup, stack_status: str, answered: str
) -> None:
    setup.ask()
    setup.cloud.models.organization.delegated_administrators["ipam.amazonaws.com"] = OTHER_ACCOUNT
    setup.cloud.stacks[STACK_ID] = {"StackStatus": stack_status}

    answer = setup.ask("Update", OldResourceProperties={"NetworkAccountId": NETWORKING})

    assert answer["Status"] == answered
    assert setup.cloud.models.organization.delegated_administrators == {"ipam.amazonaws.com": OTHER_ACCOUNT}


@in_an_update_and_its_rollback
@pytest.mark.parametrize("refused", ["AssumeRole", "GetRole"])
def test_an_update_refused_because_a_role_is_gone_can_be_rolled_back(
    setup: Setup, refused: str, stack_status: str, answered: str, refuse_calls: Any
) -> None:
    setup.ask()
    setup.cloud.stacks[STACK_ID] = {"StackStatus": stack_status}
    refuse_calls(refused, "AccessDenied")

    assert setup.ask("Update", OldResourceProperties={"NetworkAccountId": NETWORKING})["Status"] == answered


def test_an_update_refused_because_the_networking_account_is_closed_can_be_rolled_back(setup: Setup) -> None:
    setup.ask()
    setup.cloud.end("CloseAccount", NETWORKING)
    answers = []
    for status in ("UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS"):
        setup.cloud.stacks[STACK_ID] = {"StackStatus": status}
        answers.append(setup.ask("Update", OldResourceProperties={"NetworkAccountId": NETWORKING})["Status"])

    assert answers == ["FAILED", "SUCCESS"]


@in_an_update_and_its_rollback
@pytest.mark.parametrize(
    "refused", ["DescribeIpamPools", "GetLandingZone", "EnableSharingWithAwsOrganization", "DescribeOrganization"]
)
def test_an_update_refused_because_a_call_is_denied_can_be_rolled_back_and_changes_no_exclusion(
    setup: Setup, refused: str, stack_status: str, answered: str, refuse_calls: Any
) -> None:
    """A service control policy of the Networking account, for example, denies every call of EC2."""
    setup.ask()
    setup.cloud.stacks[STACK_ID] = {"StackStatus": stack_status}
    refuse_calls(refused, "AccessDenied")

    answer = setup.ask("Update", OldResourceProperties={"NetworkAccountId": NETWORKING})

    assert answer["Status"] == answered
    if answered == "SUCCESS":
        assert answer["Data"]["IpamExclusions"] == "leave"
        assert f"{refused} was denied" in answer["Data"]["Warnings"]


# Regions that Control Tower does not govern


@pytest.mark.parametrize(
    ("before", "stack_status", "refused"),
    [
        (["us-east-1"], "UPDATE_IN_PROGRESS", True),
        (["us-east-1"], "UPDATE_ROLLBACK_IN_PROGRESS", False),
        (["us-west-2", "us-east-1"], "UPDATE_IN_PROGRESS", False),
    ],
    ids=["added", "restored by a rollback", "there before"],
)
def test_an_update_must_not_add_a_region_that_is_not_governed(
    setup: Setup, before: list[str], stack_status: str, refused: bool
) -> None:
    setup.ask()
    setup.cloud.models.organization.governed_regions = ["us-east-1"]
    setup.cloud.stacks[STACK_ID] = {"StackStatus": stack_status}

    answer = setup.ask("Update", OldResourceProperties={"NetworkAccountId": NETWORKING, "RegionSelection": before})

    assert answer["Status"] == ("FAILED" if refused else "SUCCESS")
    text = answer["Reason"] if refused else answer["Data"]["Warnings"]
    assert "RegionSelection names us-west-2, which Control Tower does not govern" in text
    assert text.endswith("or remove it from RegionSelection.") or not refused


# A session in the Networking account


@pytest.mark.parametrize(
    ("code", "refusal", "message"),
    [
        ("AccessDenied", Refused, "Enroll the account in Control Tower, or change the policy that denies it."),
        ("Throttling", ClientError, "Rate exceeded"),
    ],
)
def test_a_networking_account_counts_as_closed_only_if_aws_denies_its_role(
    code: str, refusal: type[Exception], message: str
) -> None:
    class Management:
        partition = "aws"

        def assume(self, *_: object) -> None:
            raise ClientError({"Error": {"Code": code, "Message": "Rate exceeded"}}, "AssumeRole")

    management: Any = Management()
    with pytest.raises(refusal, match=message):
        assume_execution_role(management, NETWORKING, {})


def test_the_session_policies_fit_the_limit() -> None:
    for policy in (read_policy("aws", HOME, NETWORKING), release_policy("aws", HOME, NETWORKING, OLD)):
        assert len(str(policy)) <= 2048
