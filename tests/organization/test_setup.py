"""Custom::OrganizationSetup: what it refuses before anything changes, what it enables, and what it warns of."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from aws_models.errors import AwsError
from ctipam import sessions
from ctipam.cloudformation.outputs import WARNINGS_LIMIT, warnings_output
from ctipam.cloudformation.request import ResourceRequest
from ctipam.errors import REASON_LIMIT, Refused
from ctipam.organization import setup as organization_setup
from ctipam.organization.preconditions import (
    SetupResult,
    SetupSpec,
    refuse_another_region,
    refuse_wrong_account,
    ungoverned_regions,
)
from in_process.aws_calls import Call, intercept
from in_process.fixtures import of_management

HOME, WEST = "us-east-1", "us-west-2"
MANAGEMENT, NETWORKING, MEMBER = "123456789012", "222222222222", "333333333333"
ROLE = "AWSControlTowerStackSetRole"
ENVIRONMENTS = ("Prod OU", "SDLC OU")
NONE: Mapping[str, str] = {}


@pytest.fixture
def landing_zone(cloud: Any) -> Any:
    """Return an organization with Control Tower and an OU for each environment, one of them nested."""
    cloud.models.organization.home_region = HOME
    of_management("iam").create_role(RoleName=ROLE, Path="/service-role/", AssumeRolePolicyDocument="{}")
    cloud.add_ou("Prod OU", cloud.add_ou("Workloads"))
    cloud.add_ou("SDLC OU")
    return cloud


def set_up(
    network_account_id: str = NETWORKING,
    excluded_ous: str = "leave",
    new: bool = True,
    regions: tuple[str, ...] = (),
    added: tuple[str, ...] | None = None,
    added_environments: tuple[str, ...] = (),
    pinned: Mapping[str, str] = NONE,
) -> SetupResult:
    """added   those of the Regions that the stack did not have before; all, if it is new"""
    spec = SetupSpec(
        new=new,
        network_account_id=network_account_id,
        environments={**dict.fromkeys(ENVIRONMENTS, ""), **pinned},
        exact=False,
        excluded_ous=excluded_ous,
        regions=regions,
        added_regions=frozenset((regions if new else ()) if added is None else added),
        added=frozenset(added_environments),
        rollback=False,
    )
    management = sessions.current_account(MANAGEMENT)
    result = organization_setup.check(management, spec)
    request = SimpleNamespace(account=management, raise_if_superseded=lambda: None)
    organization_setup.enable(cast(ResourceRequest, request), spec)
    return result


def test_the_setup_enables_ram_sharing_and_the_ipam_administrator_and_can_be_repeated(
    landing_zone: Any,
) -> None:
    organization = landing_zone.models.organization
    assert set_up() == set_up()

    assert organization.ram_sharing_enabled
    assert organization.delegated_administrators == {"ipam.amazonaws.com": NETWORKING}
    assert warnings_output(set_up().warnings) == "none"


def test_an_administrator_whom_aws_has_named_without_answering_is_no_failure(landing_zone: Any) -> None:
    """boto3 then asks again, and AWS may refuse to name the administrator twice."""
    landing_zone.models.ipam.faults.lose_next_answer("EnableIpamOrganizationAdminAccount")

    set_up()

    assert landing_zone.models.organization.delegated_administrators == {"ipam.amazonaws.com": NETWORKING}


def test_an_administrator_who_is_only_registered_with_organizations_is_named_to_ipam_too(landing_zone: Any) -> None:
    """As Terraform's aws_organizations_delegated_administrator registers it: IPAM saw no VPC of any other account.

    Source  https://github.com/aws-ia/terraform-aws-ipam/issues/67
    """
    landing_zone.models.organization.delegated_administrators["ipam.amazonaws.com"] = NETWORKING
    landing_zone.add_account(MEMBER)
    ec2 = landing_zone.client("ec2", NETWORKING)
    ipam = ec2.create_ipam(OperatingRegions=[])["Ipam"]

    set_up()

    landing_zone.clock.advance(7200)
    answer = ec2.get_ipam_discovered_accounts(
        IpamResourceDiscoveryId=ipam["DefaultResourceDiscoveryId"], DiscoveryRegion=HOME
    )
    assert MEMBER in {row["AccountId"] for row in answer["IpamDiscoveredAccounts"]}


def test_an_administrator_whom_aws_does_not_name_again_is_no_failure(landing_zone: Any) -> None:
    set_up()
    again = AwsError("IpamOrganizationDelegatedAdminLimitExceeded", "There is one already.")
    landing_zone.models.ipam.faults.refuse_next("EnableIpamOrganizationAdminAccount", again)

    set_up()

    assert landing_zone.models.organization.delegated_administrators == {"ipam.amazonaws.com": NETWORKING}


@pytest.mark.parametrize("new", [True, False], ids=["a first deployment", "an update"])
def test_an_administrator_who_may_not_be_named_to_ipam_yet_fails_a_first_deployment_only(
    landing_zone: Any, caplog: pytest.LogCaptureFixture, new: bool
) -> None:
    """The failure is tried again: IAM may not know the new policy yet. An update has nothing to lose by going on."""
    landing_zone.models.organization.delegated_administrators["ipam.amazonaws.com"] = NETWORKING
    denied = AwsError("UnauthorizedOperation", "You are not authorized to perform this operation.", 403)
    landing_zone.models.ipam.faults.refuse_next("EnableIpamOrganizationAdminAccount", denied)

    with (
        caplog.at_level("INFO", "ctipam"),
        pytest.raises(ClientError, match="UnauthorizedOperation") if new else nullcontext(),
    ):
        set_up(new=new)

    kept = [record for record in caplog.records if record.msg == "IPAM's delegated administrator was not named again"]
    assert [vars(record)["reason"].partition(" ")[0] for record in kept] == (
        [] if new else ["EnableIpamOrganizationAdminAccount"]
    )


def test_an_administrator_whom_aws_refuses_is_a_failure(landing_zone: Any) -> None:
    refusal = AwsError("IpamOrganizationAccountNotFound", "no such account")
    landing_zone.models.ipam.faults.refuse_next("EnableIpamOrganizationAdminAccount", refusal)

    with pytest.raises(ClientError, match="IpamOrganizationAccountNotFound"):
        set_up()


@pytest.mark.parametrize("named_all_the_same", [False, True])
def test_an_administrator_whom_aws_answers_not_to_have_named_is_a_failure_if_that_is_so(
    landing_zone: Any, monkeypatch: pytest.MonkeyPatch, named_all_the_same: bool
) -> None:
    """Success: false, without an error. AWS does not document when."""
    administrators = landing_zone.models.organization.delegated_administrators

    def unsuccessful(call: Call, client: Any, operation: str, parameters: Any) -> Any:
        if operation != "EnableIpamOrganizationAdminAccount":
            return call(client, operation, parameters)
        if named_all_the_same:
            call(client, operation, parameters)
        return {"Success": False}

    intercept(monkeypatch, unsuccessful)

    if named_all_the_same:
        set_up()
    else:
        with pytest.raises(Refused, match="gave no reason") as refused:
            set_up()
        assert len(str(refused.value)) < REASON_LIMIT
    assert administrators == ({"ipam.amazonaws.com": NETWORKING} if named_all_the_same else {})


def test_sharing_that_aws_answers_not_to_have_enabled_is_a_failure(
    landing_zone: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first share failed, after the pools were built, with an error that names another cause."""

    def unsuccessful(call: Call, client: Any, operation: str, parameters: Any) -> Any:
        if operation == "EnableSharingWithAwsOrganization":
            return {"returnValue": False}
        return call(client, operation, parameters)

    intercept(monkeypatch, unsuccessful)

    with pytest.raises(Refused, match="did not enable sharing") as refused:
        set_up()
    assert len(str(refused.value)) < REASON_LIMIT


def test_an_account_that_is_not_the_management_account_is_refused() -> None:
    refuse_wrong_account(MANAGEMENT, "o-exampleorgid", MANAGEMENT)

    with pytest.raises(Refused) as it:
        refuse_wrong_account(MEMBER, "o-exampleorgid", MANAGEMENT)

    assert str(it.value) == (
        f"Account {MEMBER} is not the management account of o-exampleorgid; deploy this stack in account {MANAGEMENT}."
    )


def test_a_region_other_than_the_home_region_is_refused_and_nothing_is_enabled(
    landing_zone: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class ControlTower:
        def list_landing_zones(self) -> dict[str, Any]:
            return {"landingZones": [{"arn": f"arn:aws:controltower:eu-west-1:{MANAGEMENT}:landingzone/1A2B3C"}]}

    monkeypatch.setattr(sessions.Account, "control_tower", lambda _: ControlTower())

    with pytest.raises(Refused, match="us-east-1 is not Control Tower's home Region"):
        set_up()

    assert not landing_zone.models.organization.ram_sharing_enabled


def test_a_new_stack_is_refused_where_control_tower_lists_no_landing_zone(landing_zone: Any) -> None:
    landing_zone.models.organization.home_region = WEST

    with pytest.raises(Refused, match="no landing zone in us-east-1, so its home Region is another: deploy this stack"):
        set_up()

    assert not landing_zone.models.organization.ram_sharing_enabled


def test_a_landing_zone_that_is_not_listed_is_a_warning_for_a_stack_that_exists(landing_zone: Any) -> None:
    landing_zone.models.organization.home_region = ""

    assert "Control Tower lists no landing zone in us-east-1" in warnings_output(set_up(new=False).warnings)


def test_outside_the_commercial_regions_a_landing_zone_that_is_not_listed_is_a_warning() -> None:
    (warning,) = refuse_another_region("us-gov-west-1", "", "aws-us-gov", new=True)

    assert "Control Tower lists no landing zone in us-gov-west-1" in warning


@pytest.mark.parametrize(
    "error",
    [
        EndpointConnectionError(endpoint_url="https://controltower.us-east-1.amazonaws.com"),
        ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "ListLandingZones"),
        ClientError({"Error": {"Code": "InternalServerException", "Message": "no"}}, "ListLandingZones"),
    ],
    ids=["no endpoint", "not allowed", "no answer"],
)
@pytest.mark.usefixtures("landing_zone")
def test_a_region_in_which_control_tower_cannot_be_read_is_a_warning(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    class ControlTower:
        def list_landing_zones(self) -> dict[str, Any]:
            raise error

    monkeypatch.setattr(sessions.Account, "control_tower", lambda _: ControlTower())

    assert "Control Tower cannot be read in us-east-1" in warnings_output(set_up().warnings)


def test_a_landing_zone_without_its_stack_set_role_is_refused(landing_zone: Any) -> None:
    of_management("iam").delete_role(RoleName=ROLE)

    with pytest.raises(Refused, match="no role service-role/AWSControlTowerStackSetRole"):
        set_up()


def test_a_networking_account_that_is_not_enrolled_is_refused(
    landing_zone: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def assume(_account: object, role_arn: str, _session_name: str, policy: dict[str, Any]) -> None:
        assert role_arn == f"arn:aws:iam::{NETWORKING}:role/AWSControlTowerExecution"
        (statement,) = policy["Statement"]
        assert (statement["Effect"], statement["Action"], statement["Resource"]) == ("Deny", "*", "*")
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "AssumeRole")

    monkeypatch.setattr(sessions.Account, "assume", assume)

    with pytest.raises(Refused, match=r"enroll the account in Control Tower.* if it is enrolled, create") as it:
        set_up()

    assert len(str(it.value)) <= REASON_LIMIT
    assert not landing_zone.models.organization.ram_sharing_enabled


@pytest.mark.usefixtures("landing_zone")
def test_an_error_that_denies_nothing_is_not_taken_for_a_landing_zone_that_lacks_something(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    throttled = ["AssumeRole", "GetRole", "ListLandingZones"]

    def throttle(call: Any, client: Any, operation: str, parameters: Any) -> Any:
        if operation in throttled:
            throttled.remove(operation)
            raise ClientError({"Error": {"Code": "Throttling", "Message": "Rate exceeded"}}, operation)
        return call(client, operation, parameters)

    intercept(monkeypatch, throttle)

    for action in ("ListLandingZones", "GetRole", "AssumeRole"):
        with pytest.raises(ClientError, match=action):
            set_up()


def test_an_account_outside_the_organization_is_refused(landing_zone: Any) -> None:
    with pytest.raises(Refused, match="999999999999 is not an active account of o-"):
        set_up("999999999999")


def test_an_existing_ipam_administrator_is_kept_and_named_in_the_error(landing_zone: Any) -> None:
    landing_zone.add_account(MEMBER)
    landing_zone.models.organization.delegated_administrators["ipam.amazonaws.com"] = MEMBER

    with pytest.raises(Refused, match=f"delegated administrator is account {MEMBER}"):
        set_up()

    assert landing_zone.models.organization.delegated_administrators == {"ipam.amazonaws.com": MEMBER}


def test_the_administrator_of_another_service_is_not_that_of_ipam(landing_zone: Any) -> None:
    landing_zone.add_account(MEMBER)
    landing_zone.models.organization.delegated_administrators["guardduty.amazonaws.com"] = MEMBER

    set_up()

    assert landing_zone.models.organization.delegated_administrators["ipam.amazonaws.com"] == NETWORKING


def test_the_advice_about_another_administrator_does_not_end_an_existing_deployment(landing_zone: Any) -> None:
    landing_zone.add_account(MEMBER)
    landing_zone.models.organization.delegated_administrators["ipam.amazonaws.com"] = MEMBER

    with pytest.raises(Refused, match="delete the deployment that has its pools there, if any, then disable it") as new:
        set_up()
    with pytest.raises(Refused, match=f"Disable {MEMBER} in IPAM's settings and update again") as existing:
        set_up(new=False)

    assert "as NetworkAccountId" not in str(existing.value)
    assert max(len(str(refusal.value)) for refusal in (new, existing)) <= REASON_LIMIT


def test_an_environment_without_an_ou_is_a_warning(landing_zone: Any) -> None:
    landing_zone.organizations.delete_organizational_unit(OrganizationalUnitId=sdlc_ou_id(landing_zone))

    assert set_up().warnings == ("No OU is named 'SDLC OU', so no account gets the pools of that environment.",)


def sdlc_ou_id(landing_zone: Any) -> str:
    units = landing_zone.organizations.list_organizational_units_for_parent(ParentId=landing_zone.root)
    return next(str(unit["Id"]) for unit in units["OrganizationalUnits"] if unit["Name"] == "SDLC OU")


def test_an_added_environment_that_is_the_name_of_several_ous_is_refused_with_their_ids(landing_zone: Any) -> None:
    twins = sorted([sdlc_ou_id(landing_zone), landing_zone.add_ou("SDLC OU", landing_zone.add_ou("Parent"))])

    example = rf"for example SDLC OU \({twins[0]}\)\. They are {twins[0]}, {twins[1]}"
    with pytest.raises(Refused, match=example) as it:
        set_up(added_environments=("SDLC OU",))

    assert len(str(it.value)) <= REASON_LIMIT
    assert not landing_zone.models.organization.ram_sharing_enabled
    assert "2 OUs are named 'SDLC OU'" in warnings_output(set_up().warnings)


@pytest.mark.parametrize("number", [0, 1])
def test_one_of_several_ous_of_a_name_is_chosen_by_its_id(landing_zone: Any, number: int) -> None:
    twins = [sdlc_ou_id(landing_zone), landing_zone.add_ou("SDLC OU", landing_zone.add_ou("Parent"))]

    setup = set_up(added_environments=("SDLC OU",), pinned={"SDLC OU": twins[number]})

    assert setup.warnings == ()


def test_an_environment_that_names_an_ou_that_does_not_exist_is_refused(landing_zone: Any) -> None:
    with pytest.raises(Refused, match="OU ou-ab12-99999999 of environment 'SDLC OU' is not in the organization"):
        set_up(added_environments=("SDLC OU",), pinned={"SDLC OU": "ou-ab12-99999999"})


def test_the_new_name_of_an_ou_that_the_pools_know_is_a_warning(landing_zone: Any, networking: Any) -> None:
    networking.create()
    ou_id = sdlc_ou_id(landing_zone)
    for pool in networking.ec2.describe_ipam_pools(MaxResults=50)["IpamPools"]:
        if {"Key": "ctipam:environment", "Value": "SDLC OU"} in pool["Tags"]:
            networking.ec2.create_tags(Resources=[pool["IpamPoolId"]], Tags=[{"Key": "ctipam:ou-id", "Value": ou_id}])
    landing_zone.organizations.update_organizational_unit(OrganizationalUnitId=ou_id, Name="Development OU")

    setup = set_up(new=False)

    assert setup.warnings == (f"Environment 'SDLC OU' is OU {ou_id}, which is now named 'Development OU'.",)


def test_excluded_ous_are_passed_to_the_networking_stack_as_paths(landing_zone: Any) -> None:
    sandbox = landing_zone.add_ou("Sandbox")
    organization_id = landing_zone.organizations.describe_organization()["Organization"]["Id"]

    assert set_up().exclusions == "leave"
    assert set_up(excluded_ous=sandbox).exclusions == f"{organization_id}/{landing_zone.root}/{sandbox}/*"


def test_excluding_an_ou_of_an_environment_is_refused_and_nothing_is_enabled(
    landing_zone: Any,
) -> None:
    landing_zone.organizations.delete_organizational_unit(OrganizationalUnitId=sdlc_ou_id(landing_zone))
    parent = landing_zone.add_ou("Parent")
    landing_zone.add_ou("SDLC OU", parent)

    with pytest.raises(Refused, match="whose accounts use the pools of 'SDLC OU'"):
        set_up(excluded_ous=parent)

    assert not landing_zone.models.organization.ram_sharing_enabled


def test_more_excluded_ous_than_an_answer_to_cloudformation_holds_are_refused(landing_zone: Any) -> None:
    parent = landing_zone.add_ou("Parent")
    ou_ids = [landing_zone.add_ou(f"Sandbox {number}", parent) for number in range(50)]

    assert set_up(excluded_ous=",".join(ou_ids[:20])).exclusions.count("/*") == 20
    with pytest.raises(Refused, match=r"names too many OUs: their paths have \d+ .* Exclude OUs above them instead"):
        set_up(excluded_ous=",".join(ou_ids))


def test_an_ou_that_an_update_cannot_exclude_is_a_warning(landing_zone: Any) -> None:
    """CloudFormation must be able to roll an update back, even if the OU has been deleted since."""
    sandbox = landing_zone.add_ou("Sandbox")

    setup = set_up(excluded_ous=f"{sandbox},ou-ab12-99999999", new=False)

    assert setup.exclusions.endswith(f"/{sandbox}/*")
    assert setup.warnings == (
        "IpamExcludedOus names ou-ab12-99999999, which is no OU of the organization; correct it.",
    )


def test_many_warnings_fit_the_limit_of_cloudformation() -> None:
    text = warnings_output(["An OU is missing."] * 100)

    assert len(text) == WARNINGS_LIMIT
    assert text.endswith("...")
    assert warnings_output([text[:499], text[:500]]) == f"{text[:499]} {text[:500]}"
    assert 900 < len(json.dumps(warnings_output(["ü" * 1000]))) < 1024

    of_an_ou = "OU 'Für alle' has no accounts. " + "It gets pools when one is moved there. " * 10
    assert warnings_output([of_an_ou]) == of_an_ou, "one such letter does not cut the rest"


def test_governed_regions_cause_no_warning(landing_zone: Any) -> None:
    assert set_up(regions=("us-west-2", "us-east-1")).warnings == ()


def test_no_region_counts_as_ungoverned_if_the_manifest_names_no_regions() -> None:
    assert ungoverned_regions(["us-west-2"], None) == {}


@pytest.mark.parametrize("code", ["AuthorizerConfigurationException", "InternalServerException"])
def test_a_landing_zone_that_control_tower_does_not_show_is_a_warning(
    landing_zone: Any, refuse_calls: Any, code: str
) -> None:
    """Custom::Ipam tries each Region itself. https://github.com/aws/aws-sdk/issues/658"""
    refuse_calls("GetLandingZone", code)

    (warning,) = set_up().warnings

    assert warning.startswith("It is not known which Regions Control Tower governs: GetLandingZone")
    assert code in warning
    assert landing_zone.models.organization.ram_sharing_enabled


def test_a_region_that_is_not_governed_is_refused_and_nothing_is_enabled(landing_zone: Any) -> None:
    landing_zone.models.organization.governed_regions = ["us-east-1"]

    with pytest.raises(Refused, match=r"RegionSelection names us-west-2, which Control Tower does not govern.*Add the"):
        set_up(regions=("us-west-2", "us-east-1"))

    assert not landing_zone.models.organization.ram_sharing_enabled


def test_a_region_that_is_no_longer_governed_is_a_warning_for_an_update(landing_zone: Any) -> None:
    landing_zone.models.organization.governed_regions = ["us-east-1"]

    (warning,) = set_up(regions=("us-west-2", "us-east-1"), new=False).warnings

    assert "us-west-2" in warning


def test_an_update_that_adds_a_region_that_is_not_governed_is_refused(landing_zone: Any) -> None:
    landing_zone.models.organization.governed_regions = ["us-east-1"]

    with pytest.raises(Refused, match="RegionSelection names us-west-2, which Control Tower does not govern"):
        set_up(regions=("eu-west-1", "us-west-2"), new=False, added=("us-west-2",))
