"""Custom::Ipam: adopts or creates the IPAM, adds Regions, and deletes only an IPAM that this stack created."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import pytest

from aws_models.errors import AwsError
from aws_models.ipam import Timings
from ctipam import names, tags, waiting
from ctipam.errors import REASON_LIMIT
from ctipam.ipam.discovery import _not_done
from landing_zone.direct import DirectEc2
from landing_zone.direct_stack import NETWORKING, STACK_ID, Context, DirectStack

PROPERTIES: dict[str, Any] = {
    "IpamScope": "",
    "TopLevelPoolCidr": "10.0.0.0/8",
    "IpamPoolPrefixLength": "10",
    "AccPoolPrefixLength": "12",
    "RegionSelection": ["us-west-2", "us-east-1"],
    "AccEnvName": ["Prod OU"],
}
HOUR = 3600.0


@pytest.fixture
def stack() -> Iterator[DirectStack]:
    stack = DirectStack()
    stack.models.organization.delegated_administrators["ipam.amazonaws.com"] = NETWORKING
    with stack.running():
        yield stack


def ensure(stack: DirectStack, kind: str = "Create", **changed: Any) -> dict[str, Any]:
    return stack.ask(kind, "Ipam", PROPERTIES | changed)


def delete(stack: DirectStack, **changed: Any) -> dict[str, Any]:
    return stack.ask("Delete", "Ipam", PROPERTIES | changed)


def succeeded(answer: dict[str, Any]) -> bool:
    assert answer["Status"] == "SUCCESS", answer["Reason"]
    return True


def refused(stack: DirectStack, answer: dict[str, Any]) -> str:
    """Return the reason of a failure. Nothing may have been changed."""
    assert answer["Status"] == "FAILED"
    assert all(action.startswith(("Describe", "Get")) for action in stack.wire.counted)
    assert len(answer["Reason"]) < 240
    return str(answer["Reason"])


def ipams(stack: DirectStack) -> list[dict[str, Any]]:
    return [ipam for ipam in stack.ec2.describe_ipams()["Ipams"] if ipam["State"] != "delete-complete"]


def by_hand(stack: DirectStack, *regions: str, **params: Any) -> dict[str, Any]:
    """Create an IPAM that is not of the stack."""
    operating = [{"RegionName": region} for region in regions]
    ipam: dict[str, Any] = stack.ec2.create_ipam(OperatingRegions=operating, **params)["Ipam"]
    stack.clock.advance(60)
    return ipam


def whole_stack(stack: DirectStack, **changed: Any) -> None:
    """Create the IPAM and the pools as CloudFormation does."""
    answer = ensure(stack, **changed)
    assert succeeded(answer)
    stack.scope_id = answer["Data"]["ScopeId"]
    assert succeeded(stack.ask("Create", "InitPools", PROPERTIES | changed))
    stack.wire.counted.clear()


# Adopt or create


def test_an_ipam_is_created_in_the_advanced_tier_with_the_selected_regions(stack: DirectStack) -> None:
    answer = ensure(stack)

    assert succeeded(answer)
    (ipam,) = ipams(stack)
    assert (ipam["Tier"], ipam["State"]) == ("advanced", "create-complete")
    assert {region["RegionName"] for region in ipam["OperatingRegions"]} == {"us-west-2", "us-east-1"}
    data = answer["Data"]
    assert (data["IpamId"], data["ScopeId"]) == (ipam["IpamId"], ipam["PrivateDefaultScopeId"])
    assert data["Warnings"].startswith("IPAM is new and has not looked for existing VPCs yet")


def test_an_existing_ipam_is_adopted_gets_the_missing_regions_and_keeps_its_regions(stack: DirectStack) -> None:
    existing = by_hand(stack, "eu-west-1")

    answer = ensure(stack)

    assert answer["Data"]["IpamId"] == existing["IpamId"]
    (ipam,) = ipams(stack)
    assert {region["RegionName"] for region in ipam["OperatingRegions"]} == {"eu-west-1", "us-west-2", "us-east-1"}
    assert ipam["State"] == "modify-complete"


def test_a_removed_region_stays_an_operating_region(stack: DirectStack) -> None:
    ensure(stack)

    ensure(stack, "Update", RegionSelection=["us-east-1"])

    (ipam,) = ipams(stack)
    assert {"RegionName": "us-west-2"} in ipam["OperatingRegions"]


def test_an_update_without_changes_reads_each_pool_once_and_tries_each_region(stack: DirectStack) -> None:
    whole_stack(stack)

    ensure(stack, "Update")

    discovered = {"GetIpamResourceCidrs", "GetIpamDiscoveredAccounts"}
    described = {"DescribeStacks", "DescribeIpams", "DescribeIpamPools"}
    assert set(stack.wire.counted) == {"GetIpamPoolCidrs"} | described | discovered
    assert stack.wire.counted["GetIpamPoolCidrs"] == len(stack.listed_pools())
    assert stack.wire.counted["DescribeIpamPools"] == len(PROPERTIES["RegionSelection"]) + 1  # tries each Region


def test_a_creation_waits_for_an_ipam_in_deletion_and_creates_another_ipam(stack: DirectStack) -> None:
    deleting = by_hand(stack)
    stack.ec2.delete_ipam(IpamId=deleting["IpamId"])

    answer = ensure(stack)

    assert succeeded(answer)
    assert answer["Data"]["IpamId"] != deleting["IpamId"]


def test_an_ipam_that_a_repetition_of_the_request_creates_meanwhile_is_used(
    stack: DirectStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack.ec2.delete_ipam(IpamId=by_hand(stack)["IpamId"])
    made: list[dict[str, Any]] = []

    def meanwhile(seconds: float) -> None:
        stack.clock.advance(seconds)
        if not made and not ipams(stack):
            made.append(by_hand(stack))

    monkeypatch.setattr(waiting, "sleep", meanwhile)

    assert ensure(stack)["Data"]["IpamId"] == made[0]["IpamId"]
    assert stack.clock.now() < HOUR / 10


def test_a_repetition_of_a_request_asks_for_the_same_ipam_and_another_request_for_another(
    stack: DirectStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list may not show yet what a function has created that was killed."""
    tokens: list[str] = []
    call = stack.models.ipam.call

    def record(action: str, params: dict[str, Any], caller: Any) -> Any:
        if action == "CreateIpam":
            tokens.append(params.get("ClientToken", ""))
        return call(action, params, caller)

    monkeypatch.setattr(stack.models.ipam, "call", record)
    first, second = stack.request("Create", "Ipam", PROPERTIES), stack.request("Create", "Ipam", PROPERTIES)
    for request in (first, first, second):
        assert succeeded(stack.send(request) or {})
        stack.ec2.delete_ipam(IpamId=ipams(stack)[0]["IpamId"])
        stack.clock.advance(60)

    assert tokens[0] == tokens[1]
    assert tokens[-1] not in tokens[:-1]


def test_a_creation_waits_for_an_ipam_that_somebody_is_changing(stack: DirectStack) -> None:
    existing = by_hand(stack)
    stack.models.ipam.faults.refuse_next("ModifyIpam", AwsError("IncorrectState", "It is being changed."), times=3)

    assert succeeded(ensure(stack))
    assert ipams(stack)[0]["IpamId"] == existing["IpamId"]


@pytest.mark.parametrize("action", ["ModifyIpam", "DeleteIpam"])
def test_an_ipam_whose_last_change_or_deletion_failed_can_be_used(stack: DirectStack, action: str) -> None:
    existing = by_hand(stack)
    stack.models.ipam.faults.fail_next(action, "Something broke.")
    if action == "ModifyIpam":
        stack.ec2.modify_ipam(IpamId=existing["IpamId"], Description="New words")
    else:
        stack.ec2.delete_ipam(IpamId=existing["IpamId"])
    stack.clock.advance(60)
    began = stack.clock.now()

    answer = ensure(stack, RegionSelection=["us-east-1"])

    assert succeeded(answer)
    assert ipams(stack)[0]["IpamId"] == existing["IpamId"]
    stack.scope_id = answer["Data"]["ScopeId"]
    assert succeeded(stack.ask("Create", "InitPools", PROPERTIES | {"RegionSelection": ["us-east-1"]}))
    assert stack.clock.now() - began < 120


@pytest.mark.parametrize("how", ["refuses", "fails"])
def test_an_ipam_that_aws_does_not_confirm_after_a_failure_is_used_as_it_is(stack: DirectStack, how: str) -> None:
    existing = by_hand(stack)
    stack.models.ipam.faults.fail_next("ModifyIpam", "Something broke.")
    stack.ec2.modify_ipam(IpamId=existing["IpamId"], Description="New words")
    stack.clock.advance(60)
    if how == "refuses":
        stack.models.ipam.faults.refuse_next("ModifyIpam", AwsError("InvalidParameterCombination", "No modification."))
    else:
        stack.models.ipam.faults.fail_next("ModifyIpam", "Something broke.")

    assert succeeded(ensure(stack, RegionSelection=["us-east-1"]))


def test_an_ipam_that_could_not_be_created_is_named_with_the_way_out(stack: DirectStack) -> None:
    stack.models.ipam.faults.fail_next("CreateIpam", "Something broke.")
    stack.ec2.create_ipam()
    stack.clock.advance(60)

    assert ensure(stack)["Reason"].endswith("Something broke. If it is still listed, delete it; then try again.")


@pytest.mark.parametrize(("action", "words"), [("CreateIpam", "create IPAM"), ("ModifyIpam", "change IPAM")])
def test_a_change_that_fails_late_is_an_error_with_the_message_of_aws_and_can_be_rolled_back(
    stack: DirectStack, action: str, words: str
) -> None:
    if action == "ModifyIpam":
        by_hand(stack)
    stack.models.ipam.faults.fail_next(action, "Something broke.")

    answer = ensure(stack)

    assert answer["Status"] == "FAILED"
    assert f"AWS could not {words}" in answer["Reason"]
    assert "Something broke." in answer["Reason"]
    assert succeeded(delete(stack))
    assert len(ipams(stack)) == (1 if action == "ModifyIpam" else 0)


@pytest.mark.parametrize("action", ["CreateIpam", "ModifyIpam"])
def test_an_ipam_that_never_becomes_ready_fails_within_an_hour(stack: DirectStack, action: str) -> None:
    if action == "ModifyIpam":
        by_hand(stack)
    stack.models.ipam.faults.hang_next(action)

    answer = ensure(stack)

    assert answer["Status"] == "FAILED"
    waited_for = f"still waiting for IPAM {ipams(stack)[0]['IpamId']} ({action[:6].lower()}-in-progress)"
    assert waited_for in answer["Reason"]
    assert stack.clock.now() < HOUR
    assert stack.wire.counted["DescribeIpams"] < HOUR / 4  # no more often than every five seconds in the long run


def test_an_ipam_that_somebody_deletes_meanwhile_is_waited_for_and_then_replaced(
    stack: DirectStack, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ipam_id = by_hand(stack)["IpamId"]

    def meanwhile(seconds: float) -> None:
        stack.clock.advance(seconds)
        if ipams(stack) and ipams(stack)[0]["State"] == "modify-complete":
            stack.ec2.delete_ipam(IpamId=ipam_id)

    monkeypatch.setattr(waiting, "sleep", meanwhile)

    assert ensure(stack)["Data"]["IpamId"] == ipams(stack)[0]["IpamId"] != ipam_id
    (stopped,) = [record for record in caplog.records if record.msg == "not finished"]
    assert vars(stopped)["reason"] == f"still waiting for IPAM {ipam_id} (not listed)"


# Regions that cannot be used

DENIED = AwsError(
    "UnauthorizedOperation",
    "You are not authorized to perform this operation. User: arn:aws:sts::222222222222:assumed-role/StackSet-ipam-"
    "IpamFunctionRole-1ABCDEFGHIJKL/StackSet-ipam-IpamFunction-QwErTyUiOpAs is not authorized to perform: "
    "ec2:DescribeIpamPools with an explicit deny in a service control policy. Encoded authorization failure message: "
    + "4GIOHlTkIaWHQD0Q0m6XSnuUMCm"
    * 40,
)
NOT_ENABLED = AwsError("AuthFailure", "AWS was not able to validate the provided access credentials")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (
            DENIED,
            "Cannot use us-west-2: DescribeIpamPools in us-west-2 (account 222222222222) was denied: explicit deny in "
            "a service control policy. Change that policy, govern the Region, or remove it from RegionSelection.",
        ),
        (
            NOT_ENABLED,
            "Cannot use us-west-2: DescribeIpamPools in us-west-2 (account 222222222222) failed: the Region is not "
            "enabled in the account. Enable the Region, or remove it from RegionSelection.",
        ),
    ],
    ids=["denied", "not enabled"],
)
@pytest.mark.parametrize("kind", ["Create", "Update"])
def test_a_region_that_cannot_be_used_is_refused_with_the_cause_before_anything_is_created(
    stack: DirectStack, kind: str, error: AwsError, reason: str
) -> None:
    stack.wire.unusable["us-west-2"] = error

    assert refused(stack, ensure(stack, kind)) == reason
    assert ipams(stack) == []


@pytest.mark.parametrize("more", [1, 3])
def test_of_several_such_regions_one_is_named_with_its_cause_and_the_way_out(stack: DirectStack, more: int) -> None:
    regions = ["us-east-1", "ap-southeast-1", "ap-southeast-2", "ap-northeast-1", "ca-central-1"]
    stack.wire.unusable.update(dict.fromkeys(regions[1 : more + 2], DENIED))

    reason = refused(stack, ensure(stack, RegionSelection=regions, IpamPoolPrefixLength="11"))

    assert reason.startswith(f"Cannot use ap-southeast-1 and {more} more: DescribeIpamPools")
    assert "explicit deny in a service control policy" in reason
    assert reason.endswith("or remove it from RegionSelection.")
    assert len(reason) <= REASON_LIMIT


def test_a_region_that_is_denied_later_can_be_removed_and_the_ipam_deleted(stack: DirectStack) -> None:
    ensure(stack)
    stack.wire.unusable["us-west-2"] = DENIED

    assert succeeded(ensure(stack, "Update", RegionSelection=["us-east-1"]))
    assert succeeded(delete(stack))
    assert ipams(stack) == []


def test_a_denial_that_ends_within_seconds_is_retried(stack: DirectStack) -> None:
    """The policy of a role that the stack has just created takes effect after some seconds."""
    stack.wire.refuse("DescribeIpamPools", DENIED)

    assert succeeded(ensure(stack))


def test_an_error_unrelated_to_the_region_does_not_blame_the_region(stack: DirectStack) -> None:
    stack.wire.refuse("DescribeIpamPools", AwsError("InternalError", "Oops."))

    reason = ensure(stack)["Reason"]

    assert "failed: InternalError: Oops." in reason
    assert "RegionSelection" not in reason


# Stack tags


def set_stack_tags(stack: DirectStack, **stack_tags: str) -> None:
    aws = {"aws:cloudformation:stack-name": "ipam"}
    stack.wire.stacks[STACK_ID] = {"Tags": tags.to_list(stack_tags | aws)}


def tags_of(stack: DirectStack) -> dict[str, str]:
    """Return the tags of the IPAM except those of this solution."""
    found = tags.to_dict(ipams(stack)[0]["Tags"])
    return {key: value for key, value in found.items() if not key.startswith("ctipam:") and key != "Name"}


def test_the_ipam_has_the_stack_tags_and_updates_change_them(stack: DirectStack) -> None:
    set_stack_tags(stack, CostCenter="42", Owner="net")
    ensure(stack)
    assert tags_of(stack) == {"CostCenter": "42", "Owner": "net"}

    ipam_id = ipams(stack)[0]["IpamId"]
    stack.ec2.create_tags(Resources=[ipam_id], Tags=[{"Key": "ByHand", "Value": "yes"}])
    set_stack_tags(stack, CostCenter="43", Team="a")
    ensure(stack, "Update")
    assert tags_of(stack) == {"CostCenter": "43", "Team": "a", "ByHand": "yes"}

    set_stack_tags(stack)
    ensure(stack, "Update")
    assert tags_of(stack) == {"ByHand": "yes"}
    assert names.STACK_TAG_KEYS_TAG not in tags.to_dict(ipams(stack)[0]["Tags"])


def test_the_ipam_gets_no_other_tags_if_the_stack_has_none(stack: DirectStack) -> None:
    ensure(stack)
    ensure(stack, "Update")

    assert tags.to_dict(ipams(stack)[0]["Tags"]) == {"Name": "landing-zone", names.STACK_TAG: STACK_ID}
    assert not stack.wire.counted.keys() & {"CreateTags", "DeleteTags"}


def test_unchanged_tags_are_not_written_again(stack: DirectStack) -> None:
    set_stack_tags(stack, CostCenter="42")
    ensure(stack)

    assert succeeded(ensure(stack, "Update"))
    assert not stack.wire.counted.keys() & {"CreateTags", "DeleteTags"}


def test_an_ipam_of_others_is_not_tagged(stack: DirectStack) -> None:
    by_hand(stack)
    set_stack_tags(stack, CostCenter="42")

    assert succeeded(ensure(stack))
    assert ipams(stack)[0]["Tags"] == []


# An IPAM of another stack

OTHER_STACK = STACK_ID.replace("StackSet-ipam", "StackSet-before")


def of_another_stack(stack: DirectStack, status: str) -> str:
    """Create an IPAM of another stack and return its id."""
    ipam = by_hand(stack)
    stack.ec2.create_tags(Resources=[ipam["IpamId"]], Tags=[{"Key": names.STACK_TAG, "Value": OTHER_STACK}])
    if status:
        stack.wire.stacks[OTHER_STACK] = {"StackStatus": status}
    return str(ipam["IpamId"])


@pytest.mark.parametrize("status", ["", "DELETE_COMPLETE", "DELETE_FAILED"])
def test_the_ipam_of_a_stack_that_cannot_act_is_adopted_and_deleted_with_this_stack(
    stack: DirectStack, status: str
) -> None:
    ipam_id = of_another_stack(stack, status)
    set_stack_tags(stack, CostCenter="42")

    assert ensure(stack)["Data"]["IpamId"] == ipam_id
    assert tags.to_dict(ipams(stack)[0]["Tags"])[names.STACK_TAG] == STACK_ID
    assert tags_of(stack) == {"CostCenter": "42"}

    assert succeeded(delete(stack))
    assert ipams(stack) == []


@pytest.mark.parametrize("status", ["CREATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"])
def test_the_ipam_of_an_active_stack_is_used_and_kept(stack: DirectStack, status: str) -> None:
    ipam_id = of_another_stack(stack, status)

    assert ensure(stack)["Data"]["IpamId"] == ipam_id
    assert succeeded(delete(stack))

    assert tags.to_dict(ipams(stack)[0]["Tags"]) == {names.STACK_TAG: OTHER_STACK}
    assert "CreateTags" not in stack.wire.counted


# Superseded requests


@pytest.mark.parametrize("action", ["ModifyIpam", "CreateIpam"])
def test_a_creation_stops_without_a_response_after_its_rollback_begins(stack: DirectStack, action: str) -> None:
    if action == "ModifyIpam":
        by_hand(stack)
    stack.models.ipam.faults.hang_next(action)
    request = stack.request("Create", "Ipam", PROPERTIES)
    sleep = stack.clock.advance

    def sleep_and_roll_back(seconds: float) -> None:
        sleep(seconds)
        if stack.clock.now() > 300:
            stack.wire.stacks[STACK_ID] = {"StackStatus": "ROLLBACK_IN_PROGRESS"}

    with patch.object(waiting, "sleep", sleep_and_roll_back):
        stack.wire.in_progress[STACK_ID] = "CREATE_IN_PROGRESS"
        stack.handler(request, Context(stack.clock))

    assert stack.answers == []
    assert stack.clock.now() < 320
    assert "Invoke" not in stack.wire.counted


# Cost controls

SANDBOX, LAB = (f"o-exampleorgid/r-ab12/ou-ab12-{number * 8}/*" for number in "12")


def settings(stack: DirectStack) -> tuple[str, str, list[str]]:
    """Return tier, metered account and excluded paths."""
    (ipam,) = ipams(stack)
    (discovery,) = stack.ec2.describe_ipam_resource_discoveries()["IpamResourceDiscoveries"]
    excluded = [exclusion["OrganizationsEntityPath"] for exclusion in discovery["OrganizationalUnitExclusions"]]
    return ipam["Tier"], ipam["MeteredAccount"], excluded


def exclude_by_hand(stack: DirectStack, path: str) -> None:
    discovery_id = ipams(stack)[0]["DefaultResourceDiscoveryId"]
    stack.ec2.modify_ipam_resource_discovery(
        IpamResourceDiscoveryId=discovery_id,
        AddOrganizationalUnitExclusions=[{"OrganizationsEntityPath": path}],
    )
    stack.clock.advance(60)


def test_the_free_tier_is_refused_unless_the_parameter_changes_it(stack: DirectStack) -> None:
    by_hand(stack, Tier="free")

    assert "Set IpamTier to advanced" in refused(stack, ensure(stack))

    assert succeeded(ensure(stack, IpamTier="advanced"))
    assert settings(stack)[0] == "advanced"


def test_settings_without_a_parameter_stay_unchanged(stack: DirectStack) -> None:
    by_hand(stack, MeteredAccount="resource-owner")
    exclude_by_hand(stack, SANDBOX)

    assert succeeded(ensure(stack))

    assert settings(stack) == ("advanced", "resource-owner", [SANDBOX])


def test_metered_account_and_exclusions_follow_the_parameters(
    stack: DirectStack,
) -> None:
    costs = {"IpamMeteredAccount": "resource-owner", "IpamExclusions": f"{LAB},{SANDBOX}"}

    assert succeeded(ensure(stack, **costs))

    assert settings(stack) == ("advanced", "resource-owner", [SANDBOX, LAB])
    stack.wire.counted.clear()
    assert succeeded(ensure(stack, "Update", **costs))
    assert all(action.startswith(("Describe", "Get")) for action in stack.wire.counted)


def test_exclusions_become_exactly_those_of_the_parameter(stack: DirectStack) -> None:
    by_hand(stack)
    exclude_by_hand(stack, LAB)

    assert succeeded(ensure(stack, IpamExclusions=SANDBOX))
    assert settings(stack)[2] == [SANDBOX]

    assert succeeded(ensure(stack, "Update", IpamExclusions="none"))
    assert settings(stack)[2] == []


def test_a_change_waits_for_a_discovery_that_somebody_is_changing(stack: DirectStack) -> None:
    by_hand(stack)
    stack.models.ipam.faults.refuse_next("ModifyIpamResourceDiscovery", AwsError("IncorrectState", "Busy."), times=2)

    assert succeeded(ensure(stack, IpamExclusions=SANDBOX))

    assert settings(stack)[2] == [SANDBOX]


def test_an_exclusion_that_somebody_is_taking_away_is_added_again(stack: DirectStack) -> None:
    ensure(stack, IpamExclusions=SANDBOX)
    (discovery,) = stack.ec2.describe_ipam_resource_discoveries()["IpamResourceDiscoveries"]
    stack.ec2.modify_ipam_resource_discovery(
        IpamResourceDiscoveryId=discovery["IpamResourceDiscoveryId"],
        RemoveOrganizationalUnitExclusions=[{"OrganizationsEntityPath": SANDBOX}],
    )

    assert succeeded(ensure(stack, "Update", IpamExclusions=SANDBOX))

    stack.clock.advance(60)
    assert settings(stack)[2] == [SANDBOX]


def test_a_change_waits_for_a_discovery_that_is_not_listed_yet(stack: DirectStack) -> None:
    unlisted = AwsError("InvalidIpamResourceDiscoveryId.NotFound", "It does not exist.")
    stack.models.ipam.faults.refuse_next("DescribeIpamResourceDiscoveries", unlisted)

    assert succeeded(ensure(stack, IpamExclusions=SANDBOX))


@pytest.mark.parametrize(
    ("action", "code", "changed"),
    [
        ("ModifyIpam", "IncorrectState", {"IpamMeteredAccount": "resource-owner"}),
        ("ModifyIpamResourceDiscovery", "InvalidParameterValue", {"IpamExclusions": SANDBOX}),
    ],
)
def test_an_error_that_continues_is_reported_in_less_than_half_an_hour(
    stack: DirectStack, action: str, code: str, changed: dict[str, str]
) -> None:
    by_hand(stack, "us-west-2")
    stack.models.ipam.faults.refuse_next(action, AwsError(code, "AWS has its reasons."), times=1000)

    answer = ensure(stack, **changed)

    assert answer["Reason"] == f"{action} in us-east-1 (account 222222222222) failed: {code}: AWS has its reasons."
    assert stack.clock.now() < HOUR / 2


def test_an_ou_that_can_no_longer_be_excluded_fails_an_update_and_no_rollback(stack: DirectStack) -> None:
    """Somebody may have deleted the OU since."""
    assert succeeded(ensure(stack, IpamExclusions=SANDBOX))
    assert succeeded(ensure(stack, "Update", IpamExclusions="none"))
    refusal = AwsError("InvalidParameterValue", "One or more of the organizations entity paths is invalid.")
    stack.models.ipam.faults.refuse_next("ModifyIpamResourceDiscovery", refusal, times=1000)

    assert "paths is invalid" in ensure(stack, "Update", IpamExclusions=SANDBOX)["Reason"]
    assert succeeded(
        stack.ask("Update", "Ipam", PROPERTIES | {"IpamExclusions": SANDBOX}, status="UPDATE_ROLLBACK_IN_PROGRESS")
    )


def test_exclusions_that_fail_late_are_an_error_and_can_be_requested_again(stack: DirectStack) -> None:
    stack.models.ipam.faults.fail_next("ModifyIpamResourceDiscovery", "no")

    assert "AWS could not change which OUs" in ensure(stack, IpamExclusions=SANDBOX)["Reason"]

    assert succeeded(ensure(stack, IpamExclusions=SANDBOX))
    assert settings(stack)[2] == [SANDBOX]


@pytest.mark.parametrize(
    ("action", "name", "values"),
    [
        ("ModifyIpam", "IpamMeteredAccount", ("resource-owner", "ipam-owner")),
        ("ModifyIpamResourceDiscovery", "IpamExclusions", (LAB, LAB)),
    ],
)
def test_a_list_that_is_older_than_a_change_does_not_tell_that_it_has_failed_again(
    stack: DirectStack, action: str, name: str, values: tuple[str, str]
) -> None:
    assert succeeded(ensure(stack))
    stack.models.ipam.faults.fail_next(action, "no")
    assert ensure(stack, "Update", **{name: values[0]})["Status"] == "FAILED"
    before = {
        "DescribeIpams": stack.ec2.describe_ipams(),
        "DescribeIpamResourceDiscoveries": stack.ec2.describe_ipam_resource_discoveries(),
    }
    answer = DirectEc2._answer
    stale: list[str] = []

    def late(ec2: DirectEc2, asked: str, params: dict[str, Any]) -> dict[str, Any]:
        if asked == action:
            stale.append(asked)
        old = before.get(asked) if stale and len(stale) < 3 else None
        stale.extend([asked] if old else [])
        return old or answer(ec2, asked, params)

    with patch.object(DirectEc2, "_answer", late):
        assert succeeded(ensure(stack, "Update", **{name: values[1]}))
    assert len(stale) == 3


def test_a_change_of_exclusions_that_never_ends_fails_within_an_hour(stack: DirectStack) -> None:
    stack.models.ipam.faults.hang_next("ModifyIpamResourceDiscovery")

    assert "AWS did not finish changing ipam-res-disco-" in ensure(stack, IpamExclusions=SANDBOX)["Reason"]
    assert stack.clock.now() < HOUR


def test_exclusions_that_somebody_else_changes_all_the_time_are_named() -> None:
    found: Any = {"State": "modify-complete", "OrganizationalUnitExclusions": [{"OrganizationsEntityPath": LAB}]}

    assert _not_done("ipam-res-disco-1", found, {SANDBOX}) == (
        "AWS has changed which OUs ipam-res-disco-1 excludes, but not as requested. "
        f"The difference is {', '.join(sorted([LAB, SANDBOX]))}."
    )


def test_a_change_that_aws_refuses_is_an_error_with_its_reason(stack: DirectStack) -> None:
    """AWS refuses to change the metered account back for seven days."""
    assert succeeded(ensure(stack, IpamMeteredAccount="resource-owner"))
    stack.clock.advance(48 * HOUR)

    assert "seven days" in ensure(stack, "Update", IpamMeteredAccount="ipam-owner")["Reason"]


def test_a_metered_account_that_aws_does_not_change_back_fails_no_rollback(stack: DirectStack) -> None:
    """Somebody has changed it by hand, days ago."""
    mine = {"IpamMeteredAccount": "ipam-owner"}
    assert succeeded(ensure(stack, **mine))
    stack.ec2.modify_ipam(IpamId=ipams(stack)[0]["IpamId"], MeteredAccount="resource-owner")
    stack.clock.advance(48 * HOUR)

    assert "seven days" in ensure(stack, "Update", AccEnvName=["Test OU"], **mine)["Reason"]
    assert succeeded(stack.ask("Update", "Ipam", PROPERTIES | mine, status="UPDATE_ROLLBACK_IN_PROGRESS"))


# The pools, before the IPAM is changed for them


def test_a_region_whose_pool_is_in_use_is_refused_before_the_ipam_is_changed_and_kept_by_a_rollback(
    stack: DirectStack,
) -> None:
    whole_stack(stack)
    vpc_id = stack.make_vpc("us-west-2", "Prod OU", length=24)
    without = PROPERTIES | {"RegionSelection": ["eu-west-1", "us-east-1"]}
    stack.wire.counted.clear()

    assert vpc_id in refused(stack, ensure(stack, "Update", **without))

    assert succeeded(stack.ask("Update", "Ipam", without, "UPDATE_ROLLBACK_IN_PROGRESS"))


# The scope


def scope_of(stack: DirectStack, **changed: Any) -> str:
    ipam = by_hand(stack)
    scope: str = stack.ec2.create_ipam_scope(IpamId=ipam["IpamId"], **changed)["IpamScope"]["IpamScopeId"]
    stack.clock.advance(60)
    return scope


def test_a_private_scope_of_this_account_and_region_is_used_with_its_ipam(stack: DirectStack) -> None:
    scope_id = scope_of(stack)

    answer = ensure(stack, IpamScope=scope_id)

    assert succeeded(answer)
    assert (answer["Data"]["IpamId"], answer["Data"]["ScopeId"]) == (ipams(stack)[0]["IpamId"], scope_id)


def test_a_public_scope_is_refused(stack: DirectStack) -> None:
    scope_id = by_hand(stack)["PublicDefaultScopeId"]

    assert "is a public scope" in refused(stack, ensure(stack, IpamScope=scope_id))


@pytest.mark.parametrize("region", ["eu-west-1", None], ids=["of another Region", "does not exist"])
def test_a_scope_outside_this_account_and_region_is_refused(stack: DirectStack, region: str | None) -> None:
    scope_id = "ipam-scope-0123456789abcdef0"
    if region:
        scope_id = stack.ec2_in(region).create_ipam()["Ipam"]["PrivateDefaultScopeId"]
        stack.clock.advance(60)

    assert "is not a scope of account 222222222222 in us-east-1" in refused(stack, ensure(stack, IpamScope=scope_id))


def test_a_scope_that_is_being_deleted_is_refused(stack: DirectStack) -> None:
    scope_id = scope_of(stack)
    stack.ec2.delete_ipam_scope(IpamScopeId=scope_id)

    assert "is not a scope of account" in refused(stack, ensure(stack, IpamScope=scope_id))


# Changes that the pools cannot follow are refused here, before CloudFormation updates the pools


def test_a_changed_scope_or_top_level_cidr_is_refused_while_pools_exist(stack: DirectStack) -> None:
    whole_stack(stack)
    other = stack.ec2.create_ipam_scope(IpamId=ipams(stack)[0]["IpamId"])["IpamScope"]["IpamScopeId"]
    stack.clock.advance(60)

    reason = refused(stack, ensure(stack, "Update", IpamScope=other))
    assert f"IpamScope cannot become {other}: the top-level pool" in reason
    assert f"Give IpamScope {ipams(stack)[0]['PrivateDefaultScopeId']} to keep or take over these pools" in reason
    reason = refused(stack, ensure(stack, "Update", TopLevelPoolCidr="10.0.0.0/9", IpamPoolPrefixLength="11"))
    assert "10.0.0.0/8 of the top-level pool holds the pool of us-west-2 (10.0.0.0/10)" in reason
    assert reason.endswith("or keep the block: TopLevelPoolCidr 10.0.0.0/8.")


def test_the_resize_of_a_pool_in_use_is_refused_before_a_region_is_added(stack: DirectStack) -> None:
    whole_stack(stack)
    stack.make_vpc("us-west-2", "Prod OU", length=16)
    changed = {"AccPoolPrefixLength": "13", "RegionSelection": ["us-west-2", "us-east-1", "eu-west-1"]}

    assert "or keep the block: PoolSizes us-west-2/Prod OU=12." in refused(stack, ensure(stack, "Update", **changed))


def test_the_top_level_cidr_can_change_before_pools_exist(stack: DirectStack) -> None:
    """This happens in an update after a creation whose pools failed and were rolled back."""
    whole_stack(stack)
    stack.ask("Delete", "InitPools", PROPERTIES)

    changed = {"TopLevelPoolCidr": "172.16.0.0/12", "IpamPoolPrefixLength": "14", "AccPoolPrefixLength": "16"}

    assert succeeded(ensure(stack, "Update", **changed))


def test_a_top_level_cidr_that_overlaps_another_pool_of_the_scope_is_refused(stack: DirectStack) -> None:
    stack.scope_id = by_hand(stack)["PrivateDefaultScopeId"]
    pool_id = stack.add_foreign_pool("10.128.0.0/16")

    reason = refused(stack, ensure(stack))

    assert f"TopLevelPoolCidr 10.0.0.0/8 overlaps 10.128.0.0/16 of {pool_id}" in reason


def test_pools_beyond_the_quota_of_the_scope_are_refused_before_anything_is_created(stack: DirectStack) -> None:
    stack.scope_id = by_hand(stack)["PrivateDefaultScopeId"]
    for number in range(3):
        stack.add_foreign_pool(f"172.{16 + number}.0.0/16")

    reason = refused(stack, ensure(stack, IpamPoolQuota="7"))

    assert "4 + 2 + 2 * 1 = 8 pools, and may have 7" in reason


# Delete


def left_by_deletion(stack: DirectStack) -> list[str]:
    """Delete, which must leave the IPAM. Return the messages about it."""
    assert succeeded(delete(stack, TopicArn="arn:aws:sns:us-east-1:111111111111:alarms"))
    assert len(ipams(stack)) == 1
    return [published["Message"] for published in stack.wire.published]


def test_an_ipam_of_the_stack_is_deleted_with_it(stack: DirectStack, caplog: pytest.LogCaptureFixture) -> None:
    ensure(stack)

    assert succeeded(delete(stack))
    assert ipams(stack) == []
    assert stack.wire.counted["DeleteIpam"] == 1
    assert "retrying the deletion" not in caplog.text


def test_an_ipam_of_the_stack_is_deleted_with_it_although_aws_shows_it_without_tags(stack: DirectStack) -> None:
    """It was left without a word, and charged for.

    Source  https://github.com/cloud-custodian/cloud-custodian/issues/252
    """
    assert succeeded(ensure(stack))
    stack.models.ipam.faults.list_without_tags("DescribeIpams")

    assert succeeded(delete(stack))
    assert ipams(stack) == []


def test_an_ipam_that_an_earlier_deployment_left_is_taken_over_although_aws_shows_it_without_tags(
    stack: DirectStack,
) -> None:
    """It was used and not taken over, so no deletion would have deleted it."""
    left = [{"Key": names.STACK_TAG, "Value": names.RELEASED}]
    stack.ec2.create_ipam(OperatingRegions=[], TagSpecifications=[{"ResourceType": "ipam", "Tags": left}])
    stack.clock.advance(60)
    stack.models.ipam.faults.list_without_tags("DescribeIpams", times=100)

    assert succeeded(ensure(stack))
    assert succeeded(delete(stack))
    assert ipams(stack) == []


def test_a_deletion_that_fails_late_is_repeated_after_its_reason_is_logged(
    stack: DirectStack, caplog: pytest.LogCaptureFixture
) -> None:
    ensure(stack)
    ipam_id = ipams(stack)[0]["IpamId"]
    stack.models.ipam.faults.fail_next("DeleteIpam", "Something broke.")

    assert succeeded(delete(stack))
    assert ipams(stack) == []
    (retried,) = [record for record in caplog.records if record.msg == "retrying the deletion"]
    assert vars(retried)["reason"] == f"AWS could not delete IPAM {ipam_id}: Something broke."


def test_an_ipam_that_may_not_be_deleted_is_left_with_the_reason(stack: DirectStack) -> None:
    ensure(stack)
    stack.models.ipam.faults.refuse_next("DeleteIpam", DENIED, times=1000)

    (message,) = left_by_deletion(stack)

    assert "Not everything was deleted: DeleteIpam in us-east-1" in message
    assert "explicit deny in a service control policy" in message


def test_an_ipam_that_existed_before_the_stack_is_kept(stack: DirectStack) -> None:
    by_hand(stack)
    ensure(stack)

    assert succeeded(delete(stack))
    assert len(ipams(stack)) == 1
    assert "DeleteIpam" not in stack.wire.counted


def test_a_delete_works_with_any_properties(stack: DirectStack) -> None:
    ensure(stack)
    request = stack.request("Delete", "Ipam", {"RegionSelection": ["nowhere"]})

    assert succeeded(stack.send(request) or {})
    assert ipams(stack) == []


def test_a_repeated_delete_succeeds(stack: DirectStack) -> None:
    ensure(stack)
    delete(stack)

    assert succeeded(delete(stack))


def test_an_ipam_with_pools_of_others_is_left_and_reported(stack: DirectStack) -> None:
    stack.scope_id = ensure(stack)["Data"]["ScopeId"]
    pool_ids = [stack.add_foreign_pool(f"172.{16 + number}.0.0/16") for number in range(6)]

    (message,) = left_by_deletion(stack)

    ipam_id = ipams(stack)[0]["IpamId"]
    left = f"IPAM {ipam_id} in us-east-1 of account 222222222222 was left, because it still holds ipam-pool-"
    assert left in message
    assert " and 1 more." in message
    assert sum(pool_id in message for pool_id in pool_ids) == 5


def test_an_ipam_with_pools_of_the_stack_that_were_left_is_not_reported_again(stack: DirectStack) -> None:
    whole_stack(stack)

    assert left_by_deletion(stack) == []
    assert len(ipams(stack)) == 1


def test_an_ipam_with_a_scope_that_somebody_added_is_left(stack: DirectStack) -> None:
    ensure(stack)
    scope = stack.ec2.create_ipam_scope(IpamId=ipams(stack)[0]["IpamId"])["IpamScope"]
    stack.clock.advance(60)

    (message,) = left_by_deletion(stack)

    assert f"was left, because it still holds {scope['IpamScopeId']}." in message


def test_a_scope_that_aws_could_not_delete_is_named_as_what_keeps_the_ipam(stack: DirectStack) -> None:
    ensure(stack)
    scope = stack.ec2.create_ipam_scope(IpamId=ipams(stack)[0]["IpamId"])["IpamScope"]
    stack.clock.advance(60)
    stack.models.ipam.faults.fail_next("DeleteIpamScope", "Something broke.")
    stack.ec2.delete_ipam_scope(IpamScopeId=scope["IpamScopeId"])
    stack.clock.advance(60)

    (message,) = left_by_deletion(stack)

    assert f"was left, because it still holds {scope['IpamScopeId']}." in message


def test_a_delete_waits_for_a_pool_and_a_scope_in_deletion() -> None:
    stack = DirectStack(ipam_timings=Timings(pool_delete=90, scope_delete=120))
    with stack.running():
        stack.scope_id = ensure(stack)["Data"]["ScopeId"]
        pool_id = stack.add_foreign_pool("10.0.0.0/8")
        stack.ec2.deprovision_ipam_pool_cidr(IpamPoolId=pool_id, Cidr="10.0.0.0/8")
        stack.clock.advance(60)
        scope = stack.ec2.create_ipam_scope(IpamId=ipams(stack)[0]["IpamId"])["IpamScope"]
        stack.clock.advance(60)
        stack.ec2.delete_ipam_pool(IpamPoolId=pool_id)
        stack.ec2.delete_ipam_scope(IpamScopeId=scope["IpamScopeId"])

        assert succeeded(delete(stack))
        assert ipams(stack) == []


def test_a_delete_retries_while_the_ipam_still_counts_a_deleted_pool(stack: DirectStack) -> None:
    ensure(stack)
    violation = AwsError("DependencyViolation", "There are pools in its scopes.")
    stack.models.ipam.faults.refuse_next("DeleteIpam", violation, times=5)

    assert succeeded(delete(stack))
    assert ipams(stack) == []


def test_an_ipam_that_aws_never_considers_empty_is_left(stack: DirectStack) -> None:
    ensure(stack)
    violation = AwsError("DependencyViolation", "Something uses it.")
    stack.models.ipam.faults.refuse_next("DeleteIpam", violation, times=1000)

    (message,) = left_by_deletion(stack)

    assert "was left, because AWS says that it is in use." in message
    assert "Invoke" not in stack.wire.counted


def test_a_delete_finds_an_ipam_that_a_canceled_creation_creates_a_moment_later(stack: DirectStack) -> None:
    """A creation reads the status of the stack only every few seconds."""
    ensure(stack)
    delete(stack)
    created: list[str] = []

    def sleep(seconds: float) -> None:
        if not created:
            created.append(by_hand(stack)["IpamId"])
            stack.ec2.create_tags(Resources=created, Tags=[{"Key": names.STACK_TAG, "Value": STACK_ID}])
        stack.clock.advance(seconds)

    with patch.object(waiting, "sleep", sleep):
        assert succeeded(delete(stack))
    assert created
    assert ipams(stack) == []


@pytest.mark.parametrize("kind", ["Create", "Update", "Delete"])
@pytest.mark.parametrize("after", [False, True], ids=["before the call", "after the call"])
@pytest.mark.parametrize("next_request", ["the same request", "Delete"])
def test_a_request_that_is_killed_at_any_call_can_be_repeated_or_deleted(
    kind: str, after: bool, next_request: str
) -> None:
    def ready() -> tuple[DirectStack, dict[str, Any]]:
        stack = DirectStack()
        with stack.running():
            if kind != "Create":
                ensure(stack)
        stack.wire.counted.clear()
        more = {"RegionSelection": ["us-west-2", "us-east-1", "eu-west-1"]} if kind == "Update" else {}
        return stack, stack.request(kind, "Ipam", PROPERTIES | more)

    stack, request = ready()
    with stack.running():
        stack.send(request)
    calls = stack.wire.counted.total()

    for at in range(1, calls + 1):
        stack, request = ready()
        stack.wire.kill(at, after=after)
        with stack.running():
            assert stack.send(request) is None
            assert succeeded((stack.send(request) or {}) if next_request == "the same request" else delete(stack))
        deleted = "Delete" in (kind, next_request)
        assert len(ipams(stack)) == (0 if deleted else 1), f"killed at call {at} of {calls}"
        if kind == "Update" and not deleted:
            assert {"RegionName": "eu-west-1"} in ipams(stack)[0]["OperatingRegions"]
