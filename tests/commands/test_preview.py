"""`make preview`: what it shows and refuses. Whether it comes true, test_preview_comes_true compares."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any, cast

import boto3
import pytest
from botocore.exceptions import ClientError

from aws_models.errors import AwsError
from checkers.template_reader import read_template
from commands import arguments, reading, terminal
from commands.existing_vpcs import organization as organization_vpcs
from commands.existing_vpcs.vpcs import Existing, Vpc
from commands.pool_spec import pool_spec
from commands.preview import __main__ as preview
from commands.preview import reading as preview_reading
from commands.preview.changes import (
    AccountDifference,
    Change,
    Difference,
    Preview,
    environments_after,
    notes_on_renamed,
    parameter_differences,
    pool_differences,
)
from commands.preview.reading import PROPERTIES, Update, as_properties, check_organization, foresee_pools
from commands.preview.text import MOST_ACCOUNTS, to_lines
from ctipam import names
from ctipam.errors import Refused
from ctipam.ipam.cost_controls import LEAVE
from ctipam.organization.environments import EnvironmentOu
from ctipam.organization.preconditions import SetupResult
from ctipam.organization.tree import OrganizationalUnit
from ctipam.pools.existing import ExistingPool
from ctipam.pools.spec import PoolKey, VpcSizes
from ctipam.sessions import Account
from in_process.aws_calls import Call, intercept
from in_process.fixtures import (
    NETWORKING_STACK_ID,
    STACK_ID,
    Cloud,
    CloudFormation,
    LandingZone,
    NetworkingStack,
    load,
    of_management,
)
from in_process.lifecycle_events import ONE, ZERO
from in_process.played_once import played_once
from in_process.sharing_world import Api, SharingWorld
from landing_zone.direct_stack import HOME, MANAGEMENT, NETWORKING, DirectStack
from landing_zone.direct_stack import PROPERTIES as BUILT_FROM

ROOT = Path(__file__).parents[2]
SHOP = "012345678901"
DEFAULTS = arguments.template_defaults()
PARAMETERS: dict[str, str] = DEFAULTS | {
    "NetworkAccountId": NETWORKING,
    **{name: value if isinstance(value, str) else ",".join(value) for name, value in BUILT_FROM.items()},
}


@played_once
def deployed() -> DirectStack:
    """Return a stack that was deployed with PARAMETERS."""
    stack = DirectStack()
    with stack.running():
        for resource in ("Ipam", "InitPools"):
            answer = stack.ask("Create", resource, as_properties(PARAMETERS))
            assert answer["Status"] == "SUCCESS", answer
            stack.scope_id = answer["Data"].get("ScopeId", stack.scope_id)
    stack.end_operation()
    return stack


@pytest.fixture
def built() -> Iterator[DirectStack]:
    with deployed().running() as stack:
        yield stack


def asked(stack: DirectStack | None, **changed: str) -> Update:
    stack_id = f"arn:aws:cloudformation:{HOME}:{MANAGEMENT}:stack/ipam/1"
    return Update(
        "ipam",
        stack_id,
        stack.stack_id if stack else stack_id,
        PARAMETERS,
        PARAMETERS | changed,
        stack is not None,
        added=frozenset(),
    )


def test_a_custom_resource_is_invoked_if_a_parameter_changes_that_the_templates_give_it() -> None:
    for path in ("ipam-controltower-integration.template.yaml", "ipamnetworkingStack.yaml"):
        template = read_template(ROOT / "templates" / path)
        for name, resource in template["Resources"].items():
            if resource["Type"].startswith("Custom::") and name != "CopyZips":
                used = {
                    value["Ref"]
                    for value in resource["Properties"].values()
                    if isinstance(value, dict) and "Ref" in value
                }
                # IpamExclusions come from the management account's setup, which resolves IpamExcludedOus
                used -= {"IpamSnsTopic", "IpamExclusions"}
                assert {one for one in PARAMETERS if asked(None, **{one: "another"}).invokes(name)} == used, name


def test_a_stack_of_something_else_is_not_called_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    other = reading.Stack(f"arn:aws:cloudformation:{HOME}:{MANAGEMENT}:stack/shop/1", "CREATE_COMPLETE", {"A": "b"}, {})
    monkeypatch.setattr(reading, "find_stack", lambda *_: other)

    with pytest.raises(Refused, match="Stack shop is not this solution's: it names no Networking account"):
        preview.find_update(cast(Account, None), "shop", DEFAULTS, {"NetworkAccountId": NETWORKING})


@pytest.fixture
def management(monkeypatch: pytest.MonkeyPatch) -> Account:
    """Return the management account, which has the stack."""
    stack_id = f"arn:aws:cloudformation:{HOME}:{MANAGEMENT}:stack/ipam/1"
    found = reading.Stack(stack_id, "UPDATE_COMPLETE", PARAMETERS, {})
    monkeypatch.setattr(reading, "find_stack", lambda *_: found)
    return Account(boto3.Session("not used", "not used", region_name=HOME), MANAGEMENT)


def test_an_upgrade_to_a_version_with_more_parameters_invokes_the_custom_resources_that_have_them(
    monkeypatch: pytest.MonkeyPatch, management: Account
) -> None:
    """Their properties change, even if the new ones are empty or have defaults. So they correct what has drifted."""
    older = {name: value for name, value in PARAMETERS.items() if name not in ("AutoImport", "AlertEmail")}
    found = reading.Stack(f"arn:aws:cloudformation:{HOME}:{MANAGEMENT}:stack/ipam/1", "CREATE_COMPLETE", older, {})
    monkeypatch.setattr(reading, "find_stack", lambda *_: found)
    monkeypatch.setattr(reading, "networking_stack_id", lambda *_: "arn:aws:cloudformation:stack")

    update = preview.find_update(management, "ipam", DEFAULTS, {})

    assert update.parameters == ()
    assert {resource for resource in PROPERTIES if update.invokes(resource)} == {"Ipam", "InitPools"}


def test_an_upgrade_has_the_version_of_its_zips_which_invokes_every_custom_resource(
    management: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "networking_stack_id", lambda *_: "arn:aws:cloudformation:stack")

    update = preview.find_update(management, "ipam", DEFAULTS | {"PackageVersion": "2.0.0"}, {})

    assert [one.name for one in update.parameters] == ["PackageVersion"]
    assert all(map(update.invokes, PROPERTIES))


def test_a_stack_set_without_its_stack_is_told_with_the_command_that_creates_it_again(
    management: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "networking_stack_id", lambda *_: "")

    with pytest.raises(Refused) as refusal:
        preview.find_update(management, "ipam", DEFAULTS, {})

    assert f"StackSet ipam-networking has no stack in account {NETWORKING}: " in str(refusal.value)
    assert f"create-stack-instances --region {HOME} --stack-set-name ipam-networking " in str(refusal.value)


def test_a_stack_without_its_stack_set_is_told_to_be_deleted_and_deployed_again(
    management: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """create-stack-instances cannot work, and CloudFormation knows a StackSet by an id that a new one does not have."""

    def not_found(_call: Call, _client: Any, operation: str, _parameters: Any) -> Any:
        raise ClientError({"Error": {"Code": "StackSetNotFoundException", "Message": "No."}}, operation)

    intercept(monkeypatch, not_found)

    with pytest.raises(Refused) as refusal:
        preview.find_update(management, "ipam", DEFAULTS, {})

    assert str(refusal.value).startswith("StackSet ipam-networking does not exist: ")
    assert "Run `make undo stack=ipam`" in str(refusal.value)
    assert "create-stack-instances" not in str(refusal.value)


def test_an_ou_that_was_renamed_is_named_before_its_pools_are_replaced() -> None:
    tags = {"ctipam:ou-id": "ou-1"}
    before = [ExistingPool("ipam-pool-1", "top", "create-complete", PoolKey("us-west-2", "SDLC OU"), tags=tags)]
    ou = OrganizationalUnit("ou-1", "Development OU")

    (note,) = notes_on_renamed(before, [EnvironmentOu("Development OU", ou)])

    assert note.startswith("OU 'Development OU' is environment 'SDLC OU', whose pools would be replaced.")
    assert notes_on_renamed(before, [EnvironmentOu("SDLC OU", ou)]) == []


def test_spaces_in_a_list_are_no_change() -> None:
    assert parameter_differences({"A": "x, y", "B": ""}, {"A": "x,y", "B": "z"}) == (
        Difference("change", "B", changes=(Change("", "", "z"),)),
    )
    assert parameter_differences({"A": "10.0.0.0/81,0.0.0.0/8"}, {"A": "10.0.0.0/8,10.0.0.0/8"}), "another list"


def test_a_custom_resource_gets_lists_as_lists() -> None:
    given = {"RegionSelection": "us-west-2, us-east-1", "AccEnvName": "a", "TopLevelPoolCidr": "10.0.0.0/8, 10.1.0.0/8"}

    assert as_properties(given) == given | {"RegionSelection": ["us-west-2", "us-east-1"], "AccEnvName": ["a"]}
    assert as_properties({"AccEnvName": "a"}) == {"AccEnvName": ["a"]}


def test_each_part_is_foreseen_for_the_kind_of_request_that_cloudformation_would_send() -> None:
    nobody, stack_id = cast(Account, None), "arn:..."

    assert asked(None).request(nobody, stack_id, {}).kind == "Update"
    assert replace(asked(None), old=None).request(nobody, stack_id, {}).kind == "Create"


def test_another_networking_account_is_refused_in_the_words_of_the_setup() -> None:
    assert asked(None, NetworkAccountId=SHOP).network_account_id == NETWORKING  # whose pools are read
    with pytest.raises(Refused, match=f"NetworkAccountId cannot change from {NETWORKING} to {SHOP}: a deployment"):
        check_organization(cast(Account, None), asked(None, NetworkAccountId=SHOP))


@pytest.mark.parametrize(
    ("account_id", "reason"),
    [
        ("999999999999", "NetworkAccountId 999999999999 is no account of this organization"),
        ("management", "is the management account, which cannot administer IPAM"),
    ],
)
@pytest.mark.usefixtures("cloud")
def test_an_account_that_cannot_be_the_networking_account_is_named(
    monkeypatch: pytest.MonkeyPatch, account_id: str, reason: str
) -> None:
    def assume(*_: object) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "AssumeRole")

    management = reading.management_account()
    monkeypatch.setattr(Account, "assume", assume)

    with pytest.raises(Refused, match=reason):
        reading.networking_account(management, account_id.replace("management", management.account_id))


def test_what_was_changed_by_hand_is_drift_that_an_update_of_other_parameters_leaves_as_it_is(
    built: DirectStack,
) -> None:
    pool_id = built.pool_ids()["us-west-2 Prod OU"]
    built.ec2.modify_ipam_pool(IpamPoolId=pool_id, Description="mine")
    built.clock.advance(60)
    description = Change("description", "mine", "Prod OU in us-west-2")

    left = foresee_pools(cast(Account, built.account), asked(built, AlertEmail="a@example.com"), LEAVE)
    corrected = foresee_pools(cast(Account, built.account), asked(built, VpcMinNetmaskLength="20"), LEAVE)

    assert left.planned == ()
    assert left.drift == (Difference("change", "us-west-2/Prod OU", pool_id, changes=(description,)),)
    assert corrected.drift == ()
    assert {one.name: replace(description, drift=True) in one.changes for one in corrected.planned} == {
        "us-west-2/Prod OU": True,
        **dict.fromkeys(["us-west-2/SDLC OU", "us-east-1/Prod OU", "us-east-1/SDLC OU"], False),
    }


def test_only_what_the_parameters_change_is_not_called_drift(built: DirectStack) -> None:
    pool_id = built.pool_ids()["us-east-1 SDLC OU"]
    built.ec2.modify_ipam_pool(IpamPoolId=pool_id, Description="mine")
    built.clock.advance(60)

    found = foresee_pools(cast(Account, built.account), asked(built, AccEnvName="Prod OU,SDLC OU,Test OU"), LEAVE)

    assert [(one.action, one.name, one.drift) for one in found.planned] == [
        ("add", "us-west-2/Test OU", False),
        ("change", "us-east-1/SDLC OU", True),
        ("add", "us-east-1/Test OU", False),
    ]


def test_a_new_pool_is_shown_beside_what_others_have_allocated(built: DirectStack) -> None:
    taken = built.ec2_in("us-west-2").allocate_ipam_pool_cidr(
        IpamPoolId=built.pool_ids()["us-west-2"], NetmaskLength=13
    )
    new = {"AccEnvName": "Prod OU,SDLC OU,Test OU", "RegionSelection": "us-west-2"}

    found = foresee_pools(cast(Account, built.account), asked(built, **new), LEAVE)

    (added,) = [one for one in found.planned if one.action == "add"]
    assert taken["IpamPoolAllocation"]["Cidr"] == "10.32.0.0/13"
    assert (added.name, added.cidrs) == ("us-west-2/Test OU", ("10.48.0.0/12",))
    assert built.ask("Update", "InitPools", as_properties(PARAMETERS | new))["Status"] == "SUCCESS"
    assert built.pools()["us-west-2 Test OU"] == "10.48.0.0/12"


def test_of_two_blocks_the_one_in_use_is_shown_to_stay(built: DirectStack) -> None:
    larger = PARAMETERS | {"PoolSizes": "us-west-2/Prod OU=12+12"}
    built.ask("Update", "InitPools", as_properties(larger))
    pool_id = built.pool_ids()["us-west-2 Prod OU"]
    built.ec2_in("us-west-2").allocate_ipam_pool_cidr(IpamPoolId=pool_id, Cidr="10.32.0.0/24")

    found = foresee_pools(cast(Account, built.account), replace(asked(built), old=larger), LEAVE)

    assert found.planned == (
        Difference("change", "us-west-2/Prod OU", pool_id, changes=(Change("CIDR", "10.0.0.0/12", ""),)),
    )
    assert built.ask("Update", "InitPools", as_properties(PARAMETERS))["Status"] == "SUCCESS"
    assert built.pools()["us-west-2 Prod OU"] == "10.32.0.0/12"


def test_an_update_looks_and_changes_nothing(built: DirectStack) -> None:
    built.wire.counted.clear()

    foresee_pools(
        cast(Account, built.account), asked(built, RegionSelection="us-east-1,eu-west-1", IpamTier="advanced"), LEAVE
    )

    assert all(action.startswith(("Describe", "Get")) for action in built.wire.counted)


@pytest.mark.parametrize(
    ("changed", "refused"), [({"AlertEmail": "a@example.com"}, False), ({"IpamTier": "advanced"}, True)]
)
def test_only_what_cloudformation_asks_for_can_be_refused(
    built: DirectStack, changed: dict[str, str], refused: bool
) -> None:
    built.wire.unusable["us-west-2"] = AwsError("UnauthorizedOperation", "no")

    found = preview_reading.preview(
        cast(Account, None), cast(Account, built.account), asked(built, **changed), lambda _step: None
    )

    (sentence,) = found.refused if refused else found.hindered
    assert sentence.startswith("Cannot use us-west-2: DescribeIpamPools in us-west-2")
    assert found.exit_code == (1 if refused else 2)


def test_a_renamed_ou_is_told_where_its_pools_are_in_use_and_so_the_update_is_refused(
    built: DirectStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool_id = built.pool_ids()["us-west-2 SDLC OU"]
    built.ec2.create_tags(Resources=[pool_id], Tags=[{"Key": "ctipam:ou-id", "Value": "ou-ab12-sdlcsdlc"}])
    built.ec2_in("us-west-2").allocate_ipam_pool_cidr(IpamPoolId=pool_id, NetmaskLength=24)
    management = Api(SharingWorld({"ou-ab12-sdlcsdlc": "Development OU"}, {}))
    monkeypatch.setattr(preview_reading, "check_organization", lambda *_: SetupResult("leave", ()))
    renamed = asked(built, AccEnvName="Prod OU,Development OU")

    found = preview_reading.preview(
        cast(Account, management), cast(Account, built.account), renamed, lambda _step: None
    )

    assert [reason.partition(":")[0] for reason in found.refused] == ["In use, nothing was changed"]
    (note,) = found.notes
    assert note.startswith("OU 'Development OU' is environment 'SDLC OU', whose pools would be replaced.")


def test_a_pool_that_an_earlier_update_could_not_remove_is_noted_and_not_shown_as_removed(built: DirectStack) -> None:
    vpc_id = built.make_vpc("us-west-2", "SDLC OU", length=24)
    without = {"AccEnvName": "Prod OU"}
    update = replace(asked(built, **without, AutoImport="on"), old=PARAMETERS | without)

    found = foresee_pools(cast(Account, built.account), update, LEAVE)

    assert [sentence.partition(" (")[0] for sentence in found.stays] == [f"us-west-2/SDLC OU holds {vpc_id}"]
    assert found.drift == ()
    changes = {(one.action, one.name) for one in found.planned}
    assert ("remove", "us-east-1/SDLC OU") in changes
    assert ("remove", "us-west-2/SDLC OU") not in changes


def test_a_pool_that_has_lost_its_tag_is_told_even_if_the_update_leaves_the_pools_alone(built: DirectStack) -> None:
    pool_id = built.pool_ids()["us-west-2 Prod OU"]
    built.ec2.delete_tags(Resources=[pool_id], Tags=[{"Key": "ctipam:stack-id"}])

    found = preview_reading.preview(cast(Account, None), cast(Account, built.account), asked(built), lambda _step: None)
    lines = to_lines(found)

    assert f"✗ Nothing was changed: us-west-2/Prod OU ({pool_id}) has lost the tag ctipam:stack-id. Put" in str(lines)
    assert f"--resources {pool_id} --tags Key=ctipam:stack-id,Value={built.stack_id}`" in str(lines)
    assert lines[-1] == "This update has nothing to do."


def test_a_pool_that_has_lost_its_environment_is_not_shown_as_if_it_were_that_of_its_region(
    built: DirectStack,
) -> None:
    pool_id = built.pool_ids()["us-west-2 SDLC OU"]
    built.ec2.delete_tags(Resources=[pool_id], Tags=[{"Key": "ctipam:environment"}])

    found = foresee_pools(cast(Account, built.account), asked(built, AccEnvName="Prod OU"), LEAVE)

    removed = {one.name: one.resource_id for one in found.planned if one.action == "remove"}
    assert removed == {
        "us-west-2, a pool without its tag ctipam:environment": pool_id,
        "us-east-1/SDLC OU": built.pool_ids()["us-east-1 SDLC OU"],
    }


def test_an_account_keeps_a_pool_that_stays_because_it_has_lost_its_tag() -> None:
    tags = {"ctipam:region": "us-west-2", "ctipam:environment": "a", "ctipam:ou-id": "ou-1"}
    stays = ExistingPool("ipam-pool-1", "west", "create-complete", tags=tags, allocation_tags={"Env": "a"})
    of_nobody = ExistingPool("ipam-pool-2", "west", "create-complete")
    ours = ExistingPool("ipam-pool-3", "west", "create-complete", PoolKey("us-west-2", "b"))

    preparing = replace(stays, pool_id="ipam-pool-4", tags=tags | {names.PREPARING_TAG: "1"})
    failed = replace(stays, pool_id="ipam-pool-5", state="create-failed")

    found = environments_after([stays, of_nobody, ours, preparing, failed], "arn/")

    assert {name: [pool.arn for pool in pools] for name, pools in found.items()} == {
        "a": ["arn/ipam-pool-1"],
        "b": ["arn/ipam-pool-3"],
    }


def test_a_region_that_is_added_is_one_of_the_ipams_too(built: DirectStack) -> None:
    found = foresee_pools(
        cast(Account, built.account), asked(built, RegionSelection="us-west-2,us-east-1,eu-west-1"), LEAVE
    )

    (ipam,) = found.ipam
    assert (ipam.action, ipam.changes) == ("change", (Change("operating Region", "", "eu-west-1"),))


EVERYTHING = Preview(
    "ipam",
    new=False,
    parameters=(Difference("change", "AlertEmail", changes=(Change("", "", "a@example.com"),)),),
    ipam=(Difference("change", "IPAM", "ipam-1", changes=(Change("tier", "free", "advanced"),)),),
    pools=(
        Difference(
            "add", "us-west-2/Test OU", cidrs=("10.0.0.0/20",), changes=(Change("reserved", "", "10.0.1.0/24"),)
        ),
        Difference("change", "us-west-2/Prod OU", "ipam-pool-1", (), (Change("CIDR", "", "10.1.0.0/20"),)),
        Difference("change", "us-west-2", "ipam-pool-2", (), (Change("description", "a", "b"),), drift=True),
        Difference(
            "change",
            "us-east-1/Test OU",
            "ipam-pool-4",
            changes=(Change("description", "a", "b", drift=True), Change("import of existing VPCs", "off", "on")),
        ),
        Difference("remove", "us-east-1/Prod OU", "ipam-pool-3", ("10.9.0.0/20", "10.9.64.0/20")),
    ),
    accounts=(
        AccountDifference("add", SHOP, "Test OU", ("us-west-2/Test OU",), ()),
        AccountDifference("remove", "333333333333", "", (), ("us-east-1/Prod OU",), "no pool for its OU"),
    ),
    notes=("OU 'Test OU' is new.",),
)


def test_each_change_is_a_line_with_a_mark_and_a_summary_comes_last() -> None:
    assert to_lines(EVERYTHING) == [
        "Update of ipam",
        "",
        "Parameters",
        "  ~ AlertEmail  none -> a@example.com  (makes two new subscriptions, which AWS asks to confirm)",
        "",
        "IPAM",
        "  ~ IPAM (ipam-1)  tier: free -> advanced",
        "",
        "Pools",
        "  + us-west-2/Test OU  10.0.0.0/20  + reserved 10.0.1.0/24",
        "  ~ us-west-2/Prod OU (ipam-pool-1)  + CIDR 10.1.0.0/20",
        "  ~ us-west-2 (ipam-pool-2)  description: a -> b  (corrects drift)",
        "  ~ us-east-1/Test OU (ipam-pool-4)  description: a -> b (corrects drift); import of existing VPCs: off -> on",
        "  - us-east-1/Prod OU (ipam-pool-3)  10.9.0.0/20, 10.9.64.0/20",
        "",
        "Accounts",
        f"  + {SHOP} (Test OU)  + us-west-2/Test OU",
        "  - 333333333333 (no pool for its OU)  - us-east-1/Prod OU",
        "",
        "Notes",
        "  ! OU 'Test OU' is new.",
        "",
        "Pools and IPAM: 1 to add, 4 to change, 1 to remove. Accounts: 1 to gain pools, 1 to lose pools.",
    ]


def test_a_parameter_that_is_removed_makes_no_subscriptions() -> None:
    removed = Difference("change", "AlertEmail", changes=(Change("", "a@example.com", ""),))

    assert "  ~ AlertEmail  a@example.com -> none" in to_lines(replace(EVERYTHING, parameters=(removed,)))


def test_many_accounts_are_counted_in_text_and_listed_in_json() -> None:
    many = replace(EVERYTHING, accounts=EVERYTHING.accounts[:1] * (MOST_ACCOUNTS + 2))

    assert "  ... and 2 more accounts" in to_lines(many)
    assert len(json.loads(preview.to_json(many))["accounts"]) == MOST_ACCOUNTS + 2


NOTHING = Preview("ipam", new=False)


@pytest.mark.parametrize(
    ("found", "code", "last"),
    [
        (NOTHING, 0, "Nothing to do: everything is as it should be."),
        (replace(NOTHING, drift=EVERYTHING.pools[1:2]), 0, "This update has nothing to do."),
        (
            replace(NOTHING, new=True, notes=("Pools are taken over.",)),
            2,
            "Pools and IPAM: 0 to add, 0 to change, 0 to remove. Accounts: 0 to gain pools, 0 to lose pools.",
        ),
        (replace(NOTHING, notes=("Its tags contradict each other.",)), 0, "This update has nothing to do."),
        (
            EVERYTHING,
            2,
            "Pools and IPAM: 1 to add, 4 to change, 1 to remove. Accounts: 1 to gain pools, 1 to lose pools.",
        ),
        (
            replace(NOTHING, ipam=EVERYTHING.ipam),
            2,
            "Pools and IPAM: 0 to add, 1 to change, 0 to remove. Accounts: 0 to gain pools, 0 to lose pools.",
        ),
        (
            replace(NOTHING, pools=EVERYTHING.pools[:1]),
            2,
            "Pools and IPAM: 1 to add, 0 to change, 0 to remove. Accounts: 0 to gain pools, 0 to lose pools.",
        ),
        (
            replace(NOTHING, accounts=EVERYTHING.accounts),
            2,
            "Pools and IPAM: 0 to add, 0 to change, 0 to remove. Accounts: 1 to gain pools, 1 to lose pools.",
        ),
        (replace(EVERYTHING, refused=("In use.",)), 1, "The update would be refused."),
    ],
    ids=[
        *("nothing", "drift only", "a first deployment that takes over", "a note only", "changes"),
        *("IPAM only", "pools only", "accounts only", "refused"),
    ],
)
def test_the_exit_code_and_the_last_line_tell_what_an_update_would_do(found: Preview, code: int, last: str) -> None:
    assert found.exit_code == json.loads(preview.to_json(found))["exitCode"] == code
    assert to_lines(found)[-1] == last
    assert preview.exit_code(found, by_make=False) == code
    assert preview.exit_code(found, by_make=True) == code % 2  # changes are no error of make's


def test_a_first_deployment_shows_what_it_reserves_which_an_update_shows_as_its_parameter() -> None:
    first = replace(NOTHING, new=True)

    assert preview.with_reserved(first, "10.1.0.0/16").notes == ("ReservedCidrs would be 10.1.0.0/16.",)
    assert preview.with_reserved(NOTHING, "10.1.0.0/16") == NOTHING
    assert preview.with_reserved(first, None) == first


def test_what_an_older_version_makes_cloudformation_forget_is_shown_as_make_deploy_names_it() -> None:
    forgotten = arguments.forgotten(PARAMETERS | {"Later": "a b"}, DEFAULTS.keys() | {"NetworkAccountId"})

    assert forgotten.endswith("give them again after an upgrade: 'Later=a b'")
    assert preview.with_forgotten(NOTHING, forgotten).notes == (forgotten,)
    assert preview.with_forgotten(NOTHING, arguments.forgotten(PARAMETERS, PARAMETERS)) == NOTHING


def test_without_make_the_words_are_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORDS", raising=False)
    monkeypatch.setattr(sys, "argv", ["preview.py", "REGIONS=us-west-2", "REGION=x"])

    with pytest.raises(Refused, match="REGION is neither an argument"):
        preview.main()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "environment", "colors"),
    [(Terminal(), {}, True), (io.StringIO(), {}, False), (Terminal(), {"NO_COLOR": "1"}, False)],
    ids=["a terminal", "a pipe", "NO_COLOR"],
)
def test_only_a_terminal_gets_colors_and_only_if_it_wants_them(
    stream: Any, environment: dict[str, str], colors: bool
) -> None:
    assert terminal.has_colors(stream, environment) is colors
    assert terminal.colored("  + a") == "\033[32m  + a\033[0m"
    assert terminal.colored("Pools") == "Pools"


def test_a_long_read_says_on_a_terminal_what_is_still_being_read(monkeypatch: pytest.MonkeyPatch) -> None:
    told = threading.Event()

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

        def write(self, text: str) -> int:
            if text.startswith("still reading the moon ("):
                told.set()
            return len(text)

    monkeypatch.setattr(terminal, "PROGRESS_EVERY_S", 0.01)
    monkeypatch.setattr(sys, "stderr", Terminal())

    with terminal.progress() as begin:
        begin("the moon")
        assert told.wait(60)


@pytest.mark.parametrize("command", ["preflight", "preview", "explain"])
def test_ctrl_c_ends_a_command_without_a_traceback(command: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as never_answers:
        environment = {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{never_answers.getsockname()[1]}",
            "AWS_ACCESS_KEY_ID": "made",
            "AWS_SECRET_ACCESS_KEY": "up",
            "AWS_REGION": HOME,
            "WORDS": "account" if command == "explain" else "",
            "account": SHOP,
        }
        process = subprocess.Popen(
            [sys.executable, "-m", f"commands.{command}"],
            env=os.environ | environment | {"PYTHONPATH": str(ROOT / "libraries")},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        connection, _ = never_answers.accept()
        process.send_signal(signal.SIGINT)
        told, errors = process.communicate()
        connection.close()

    assert (process.returncode, told, errors.strip()) == (128 + signal.SIGINT, "", "")


class Deployable:
    """A landing zone with Control Tower, an OU for each of two environments, an account in each, and no deployment."""

    def __init__(self, cloud: Cloud, answers: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
        self.cloud, self._networking_stack_id = cloud, ""
        cloud.models.organization.home_region = HOME
        of_management("iam").create_role(
            RoleName="AWSControlTowerStackSetRole", Path="/service-role/", AssumeRolePolicyDocument="{}"
        )
        self.ous = {name: cloud.add_ou(name) for name in ("Prod OU", "SDLC OU")}
        cloud.add_account(ZERO, self.ous["Prod OU"])
        cloud.add_account(ONE, self.ous["SDLC OU"])
        self.landing_zone = LandingZone(cloud, answers, monkeypatch)
        handler = load("ipam-pool-lambda").lambda_handler
        cloudformation = CloudFormation(cloud, cloud.networking, handler, NETWORKING_STACK_ID, answers)
        self.networking = NetworkingStack(cloudformation, cloud.client("ec2", cloud.networking))
        monkeypatch.setattr(reading, "networking_stack_id", self._find_stack)

    def _find_stack(self, _management: Account, stack: str, _account_id: str) -> str:
        return self._networking_stack_id if stack == "ipam" else ""

    def deploy(self, **changed: str) -> None:
        parameters = DEFAULTS | {"NetworkAccountId": self.cloud.networking} | changed
        self.networking.create(**as_properties(parameters))
        self.landing_zone.ask("Create", ShareWithExistingAccounts="true")
        self._networking_stack_id = NETWORKING_STACK_ID
        self.cloud.set_parameters(STACK_ID, parameters)
        self.cloud.stacks["ipam"] = self.cloud.stacks[STACK_ID] | {"StackId": STACK_ID}

    def forget_networking_stack(self) -> None:
        del self.cloud.stacks[self._networking_stack_id]
        self._networking_stack_id = ""

    def pool_ids(self) -> dict[str, str]:
        """Return the ids of the pools by their Name tags, that of the top-level pool by "top"."""
        pages = self.networking.ec2.get_paginator("describe_ipam_pools").paginate()
        pools = [pool for page in pages for pool in page["IpamPools"]]
        named = {tag["Value"]: pool["IpamPoolId"] for pool in pools for tag in pool["Tags"] if tag["Key"] == "Name"}
        return named | {"top": self.networking.top_pool_id}

    def ipam_id(self) -> str:
        return str(self.networking.ec2.describe_ipams()["Ipams"][0]["IpamId"])


@pytest.fixture
def deployable(cloud: Cloud, answers: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> Deployable:
    return Deployable(cloud, answers, monkeypatch)


@pytest.fixture
def previewed(deployable: Deployable, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, list[str]]]:
    """Return a function that previews an update with its arguments, and returns the exit code and the lines."""

    def preview_it(*words: str) -> tuple[int, list[str]]:
        with pytest.MonkeyPatch.context() as patch:
            patch.delenv("WORDS", raising=False)
            patch.setattr(sys, "argv", ["preview", "stack=ipam", *words])
            code = preview.main()
        return code, capsys.readouterr().out.splitlines()

    return preview_it


FIRST = [
    "First deployment of ipam",
    "",
    "IPAM",
    "  + IPAM in us-east-1  + operating Regions us-west-2, us-east-1",
    "",
    "Pools",
    "  + the top-level pool  192.168.0.0/16",
    "  + us-west-2  192.168.0.0/20",
    "  + us-east-1  192.168.16.0/20",
    "  + us-west-2/Prod OU  192.168.0.0/21",
    "  + us-west-2/SDLC OU  192.168.8.0/21",
    "  + us-east-1/Prod OU  192.168.16.0/21",
    "  + us-east-1/SDLC OU  192.168.24.0/21",
    "",
    "Accounts",
    f"  + {ZERO} (Prod OU)  + us-east-1/Prod OU; + us-west-2/Prod OU",
    f"  + {ONE} (SDLC OU)  + us-east-1/SDLC OU; + us-west-2/SDLC OU",
    "",
    "Pools and IPAM: 8 to add, 0 to change, 0 to remove. Accounts: 2 to gain pools, 0 to lose pools.",
]
Previewed = Callable[..., tuple[int, list[str]]]


def test_a_first_deployment_is_previewed_with_everything_that_it_makes(
    deployable: Deployable, previewed: Previewed, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    networking = f"NETWORK_ACCOUNT_ID={deployable.cloud.networking}"
    with pytest.raises(Refused, match="There is no stack ipam yet, so NETWORK_ACCOUNT_ID is required"):
        previewed()
    assert previewed(networking) == (2, FIRST)

    _, later = previewed(networking, "ShareWithExistingAccounts=false")
    assert later == [*FIRST[: FIRST.index("Accounts")], FIRST[-1].replace("2 to gain", "0 to gain")]

    _, narrow = previewed(networking, "CIDR=192.168.0.0/19", "ReservedCidrs=192.168.0.0/24")
    assert "  + us-east-1/SDLC OU  192.168.0.0/21  + reserved 192.168.0.0/24" in narrow

    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("WORDS", "stack NETWORK_ACCOUNT_ID")
    monkeypatch.setenv("stack", "ipam")
    monkeypatch.setenv("NETWORK_ACCOUNT_ID", deployable.cloud.networking)
    monkeypatch.setenv("MAKEFLAGS", "w")
    assert preview.main() == 0, "by make"
    steps = ["the stack", "the organization", "the IPAM and its pools", "accounts and shares"]
    assert capsys.readouterr().err.splitlines() == [f"Reading {step} ..." for step in steps]

    monkeypatch.setenv("WORDS", "stack NETWORK_ACCOUNT_ID FORMAT")
    monkeypatch.setenv("FORMAT", "json")
    with pytest.raises(Refused, match="add --no-print-directory"):
        preview.main()


def test_a_deployment_that_is_as_it_should_be_has_nothing_to_do(
    deployable: Deployable, previewed: Previewed, calls: list[str]
) -> None:
    deployable.deploy()
    calls.clear()

    code, lines = previewed()

    assert (code, lines) == (0, ["Update of ipam", "", "Nothing to do: everything is as it should be."])
    reads = ("Describe", "Get", "List", "AssumeRole")
    assert [call for call in calls if not call.partition(":")[2].startswith(reads)] == []


def test_what_an_update_changes_is_shown_and_given_to_programs(deployable: Deployable, previewed: Previewed) -> None:
    deployable.deploy()
    deployable.cloud.stacks[NETWORKING_STACK_ID]["Tags"] = [{"Key": "team", "Value": "x"}]
    ids, sandbox, former = deployable.pool_ids(), deployable.cloud.add_ou("Sandbox"), deployable.cloud.add_ou("Former")
    ec2 = deployable.networking.ec2
    (discovery,) = ec2.describe_ipam_resource_discoveries()["IpamResourceDiscoveries"]
    old = f"{deployable.cloud.models.organization.organization_id}/{deployable.cloud.root}/{former}/*"
    of_moto = deployable.cloud.organizations.describe_organization()["Organization"]["Id"]
    new = f"{of_moto}/{deployable.cloud.root}/{sandbox}/*"
    ec2.modify_ipam_resource_discovery(
        IpamResourceDiscoveryId=discovery["IpamResourceDiscoveryId"],
        AddOrganizationalUnitExclusions=[{"OrganizationsEntityPath": old}],
    )
    deployable.cloud.clock.advance(60)
    costs = ("IpamMeteredAccount=resource-owner", f"IpamExcludedOus={sandbox}")
    words = ("REGIONS=us-west-2", "ReservedCidrs=192.168.0.0/24", "AutoImport=on", *costs)

    code, lines = previewed(*words)
    _, written = previewed(*words, "FORMAT=json")

    tagged = "+ tag team x (corrects drift)"
    changes = f"import of existing VPCs: off -> on; {tagged}"
    assert code == 2
    assert lines == [
        "Update of ipam",
        "",
        "Parameters",
        "  ~ RegionSelection  us-west-2,us-east-1 -> us-west-2",
        "  ~ ReservedCidrs  none -> 192.168.0.0/24",
        "  ~ AutoImport  off -> on",
        "  ~ IpamMeteredAccount  leave -> resource-owner",
        f"  ~ IpamExcludedOus  leave -> {sandbox}",
        "",
        "IPAM",
        f"  ~ IPAM ({deployable.ipam_id()})  who pays: ipam-owner -> resource-owner; + excluded OUs {new}; "
        f"- excluded OUs {old}",
        "",
        "Pools",
        f"  ~ the top-level pool ({ids['top']})  + tag team x  (corrects drift)",
        f"  ~ us-west-2 ({ids['us-west-2']})  + tag team x  (corrects drift)",
        f"  ~ us-west-2/Prod OU ({ids['us-west-2 Prod OU']})  {changes}; + reserved 192.168.0.0/24",
        f"  ~ us-west-2/SDLC OU ({ids['us-west-2 SDLC OU']})  {changes}",
        f"  - us-east-1 ({ids['us-east-1']})  192.168.16.0/20",
        f"  - us-east-1/Prod OU ({ids['us-east-1 Prod OU']})  192.168.16.0/21",
        f"  - us-east-1/SDLC OU ({ids['us-east-1 SDLC OU']})  192.168.24.0/21",
        "",
        "Accounts",
        f"  ~ {ZERO} (Prod OU)  - us-east-1/Prod OU",
        f"  ~ {ONE} (SDLC OU)  - us-east-1/SDLC OU",
        "",
        "Pools and IPAM: 0 to add, 5 to change, 3 to remove. Accounts: 0 to gain pools, 2 to lose pools.",
    ]
    assert written[1].startswith('    "'), "people look at it, too"
    found = json.loads("\n".join(written))
    assert [one["name"] for one in found["pools"] if one["action"] == "remove"] == [
        *("us-east-1", "us-east-1/Prod OU", "us-east-1/SDLC OU")
    ]
    assert (found["new"], found["exitCode"], found["refused"]) == (False, 2, [])


def test_shares_that_have_drifted_are_corrected_only_by_an_update_that_invokes_sharing(
    deployable: Deployable, previewed: Previewed
) -> None:
    deployable.deploy()
    deployable.cloud.move(ZERO, deployable.ous["SDLC OU"])
    deployable.cloud.move(ONE, deployable.cloud.root)
    gains, loses = "+ us-east-1/SDLC OU; + us-west-2/SDLC OU", "- us-east-1/Prod OU; - us-west-2/Prod OU"
    rows = [
        f"  ~ {ZERO} (SDLC OU)  {gains}; {loses}",
        f"  - {ONE} (no pool for its OU)  - us-east-1/SDLC OU; - us-west-2/SDLC OU",
    ]

    _, left = previewed("AlertEmail=a@example.com")
    _, corrected = previewed("OuMatch=exact")
    _, held_back = previewed("UnshareLimit=1")

    drift = "Drift, which this update leaves as it is"
    first = left.index(drift) + 1
    assert left[first : first + 4] == [*rows, "  The next scheduled run corrects the shares.", ""]
    first = corrected.index("Accounts") + 1
    assert corrected[first : first + 3] == [*rows, ""]
    assert drift not in corrected
    first = held_back.index("Accounts") + 1
    assert held_back[first : first + 3] == [f"  + {ZERO} (SDLC OU)  {gains}", "", "Notes"]
    assert "UnshareLimit" in held_back[first + 3]


def test_what_somebody_should_know_of_an_update_is_noted(deployable: Deployable, previewed: Previewed) -> None:
    deployable.deploy(AccPoolPrefixLength="22")
    ids = deployable.pool_ids()
    ec2 = deployable.networking.ec2
    ec2.provision_ipam_pool_cidr(IpamPoolId=ids["us-west-2 Prod OU"], NetmaskLength=22)
    deployable.cloud.clock.advance(60)
    tags = [{"Key": "Env", "Value": "Prod OU"}]
    ec2.modify_ipam_pool(IpamPoolId=ids["us-east-1 Prod OU"], RemoveAllocationResourceTags=tags)
    deployable.cloud.rename(deployable.ous["SDLC OU"], "Dev OU")

    _, lines = previewed("ENVS=Prod OU,Dev OU,Test OU")

    notes = [line for line in lines if line.startswith("  ! ")]
    assert notes == [
        "  ! OU 'Dev OU' is environment 'SDLC OU', whose pools would be replaced. To keep them, keep the name "
        "'SDLC OU' in AccEnvName (ENVS).",
        "  ! No OU is named 'Test OU', so no account gets the pools of that environment.",
        "  ! us-west-2/Prod OU also has 192.168.8.0/22, by hand or by growth; it stays.",
    ]
    rule = f"  ~ us-east-1/Prod OU ({ids['us-east-1 Prod OU']})  + tags that a VPC must carry Env=Prod OU"
    assert f"{rule}  (corrects drift)" in lines
    assert [line.partition(" (")[0] for line in lines if line.startswith("  - ")] == [
        *("  - us-east-1/SDLC OU", "  - us-west-2/SDLC OU")
    ]
    _, left = previewed("AlertEmail=a@example.com")
    drift = left.index("Drift, which this update leaves as it is")
    assert left[drift + 1 : drift + 4] == [
        rule,
        "  The hourly watch adds and corrects; an update that changes a parameter of the pools also removes.",
        "",
    ]
    assert any(line.startswith("  ! The pool of 'Prod OU' in us-east-1 does not require the tag Env=") for line in left)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["RESERVE=all"], "RESERVE=all is not supported"),
        (["UnshareLimit=many"], "UnshareLimit=many is not valid"),
        (["RepoRootURL=x"], "RepoRootURL"),
    ],
    ids=str,
)
def test_words_that_cannot_be_meant_are_refused_before_anything_is_read(
    previewed: Previewed, calls: list[str], words: list[str], reason: str
) -> None:
    with pytest.raises(Refused, match=reason):
        previewed(*words)
    assert calls == []


def test_a_stack_that_cannot_be_updated_now_and_a_second_deployment_are_refused(
    deployable: Deployable, previewed: Previewed
) -> None:
    deployable.deploy()
    code, second = previewed("stack=second", f"NETWORK_ACCOUNT_ID={deployable.cloud.networking}")
    code, wrong = previewed("ENVS=Prod OU,Prod OU")
    assert (code, wrong[-1]) == (1, "The update would be refused.")
    assert "  ✗ AccEnvName lists 'Prod OU' twice; list each name once." in wrong
    deployable.cloud.stacks["ipam"]["StackStatus"] = "UPDATE_IN_PROGRESS"

    assert (code, second[-1]) == (1, "The update would be refused.")
    (told,) = [line for line in second if "already manages the pools" in line]
    assert "of this organization; update that deployment" in told
    with pytest.raises(Refused, match="UPDATE_IN_PROGRESS"):
        previewed()


def test_what_reserve_finds_is_a_parameter_of_the_update(
    deployable: Deployable, previewed: Previewed, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = Existing((Vpc(IPv4Network("192.168.200.0/24")),))
    monkeypatch.setattr(organization_vpcs, "read", lambda *_: found)
    deployable.deploy()

    _, lines = previewed("RESERVE=organization")

    assert "  ~ ReservedCidrs  none -> 192.168.200.0/24" in lines
    assert not any(line.startswith("  ! ") for line in lines)


@pytest.mark.parametrize("listed", [True, False])
def test_pools_of_an_earlier_deployment_are_taken_over(
    deployable: Deployable, previewed: Previewed, *, listed: bool
) -> None:
    """listed: its StackSet is left too. If not, the deletion of its stacks has left the pools."""
    deployable.deploy()
    del deployable.cloud.stacks["ipam"], deployable.cloud.stacks[STACK_ID]
    if not listed:
        deployable.forget_networking_stack()

    code, lines = previewed(f"NETWORK_ACCOUNT_ID={deployable.cloud.networking}")

    assert code == 2
    assert lines == [
        "First deployment of ipam",
        "",
        "Notes",
        "  ! Pools of an earlier deployment are taken over.",
        "",
        "Pools and IPAM: 0 to add, 0 to change, 0 to remove. Accounts: 0 to gain pools, 0 to lose pools.",
    ]


def test_pools_of_an_earlier_deployment_are_taken_over_even_if_their_stack_is_gone(
    deployable: Deployable, previewed: Previewed
) -> None:
    """The StackSet may list it for longer than AWS shows a deleted stack."""
    deployable.deploy()
    del deployable.cloud.stacks["ipam"], deployable.cloud.stacks[STACK_ID], deployable.cloud.stacks[NETWORKING_STACK_ID]

    code, lines = previewed(f"NETWORK_ACCOUNT_ID={deployable.cloud.networking}")

    assert (code, lines[0]) == (2, "First deployment of ipam")
    assert "  ! Pools of an earlier deployment are taken over." in lines


def test_an_ipam_that_is_there_already_gets_what_the_deployment_needs(
    deployable: Deployable, previewed: Previewed
) -> None:
    ipam_id = deployable.networking.ec2.create_ipam(Tier="free", OperatingRegions=[])["Ipam"]["IpamId"]
    deployable.cloud.clock.advance(60)

    _, lines = previewed(f"NETWORK_ACCOUNT_ID={deployable.cloud.networking}", "IpamTier=advanced")

    assert lines[lines.index("IPAM") + 1] == (
        f"  ~ IPAM ({ipam_id})  tier: free -> advanced; + operating Region us-west-2"
    )


def test_of_a_pool_each_rule_that_changes_is_shown_and_no_tag_by_which_the_functions_remember_something() -> None:
    key, spec = PoolKey("us-west-2", "Prod OU"), pool_spec(PARAMETERS, new=True)
    hidden = (names.STACK_TAG_KEYS_TAG, names.RESERVED_TAG, names.PREPARING_TAG, names.GROWTH_TAG, names.BLOCK_TAG)
    before = ExistingPool(
        "ipam-pool-1",
        "west",
        "create-complete",
        key,
        tags={"team": "x", "Name": "a", f"{names.BLOCK_TAG}-2": "1"} | dict.fromkeys(hidden, "1"),
        description="a",
        allocation_tags={"Env": "a", "B": "b"},
    )
    after = replace(
        before,
        tags={"Name": "b", f"{names.BLOCK_TAG}-3": "1"} | dict.fromkeys(hidden, "2"),
        description="b",
        allocation_tags={"Env": "b"},
        vpc_sizes=VpcSizes(),
        auto_import=True,
    )

    (one,) = pool_differences(spec, [before], [after], {})

    assert one.changes == (
        Change("description", "a", "b"),
        Change("tags that a VPC must carry", "B=b, Env=a", "Env=b"),
        Change("sizes of VPCs", "", "/24, from /16 to /28"),
        Change("import of existing VPCs", "off", "on"),
        Change("tag Name", "a", "b"),
        Change("tag team", "x", ""),
    )
    assert pool_differences(spec, [replace(before, key=None)], [], {}) == (), "somebody else's"


@pytest.mark.parametrize(
    ("number", "last"),
    [(MOST_ACCOUNTS, f"  + {SHOP} (Test OU)  + us-west-2/Test OU"), (MOST_ACCOUNTS + 1, "  ... and 1 more account")],
)
def test_accounts_are_counted_only_if_there_are_more_than_are_listed(number: int, last: str) -> None:
    lines = to_lines(replace(NOTHING, accounts=EVERYTHING.accounts[:1] * number))

    assert lines[lines.index("Accounts") + 1 :][MOST_ACCOUNTS - 1 : -2][-1] == last
