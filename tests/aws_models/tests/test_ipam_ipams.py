"""IPAMs and scopes."""

from __future__ import annotations

from typing import Any

import pytest

from aws_models.errors import AwsError
from aws_models.ipam.bench import ELSEWHERE, HOME, MANAGEMENT, NETWORKING, STRANGER, WEST, Bench


@pytest.fixture
def bench() -> Bench:
    return Bench()


def region_names(ipam: dict[str, Any]) -> list[str]:
    return [region["RegionName"] for region in ipam["OperatingRegions"]]


def test_a_new_ipam_names_both_default_scopes_at_once(bench: Bench) -> None:
    ipam = bench.ask("CreateIpam", region=ELSEWHERE)["Ipam"]

    assert ipam["State"] == "create-in-progress"
    assert ipam["ScopeCount"] == 2
    bench.wait(1)
    scopes = {scope["IpamScopeId"]: scope for scope in bench.ask("DescribeIpamScopes", ELSEWHERE)["IpamScopes"]}
    assert scopes[ipam["PrivateDefaultScopeId"]]["IpamScopeType"] == "private"
    assert scopes[ipam["PublicDefaultScopeId"]]["IpamScopeType"] == "public"
    assert all(scope["IsDefault"] for scope in scopes.values())


def test_the_home_region_is_appended_to_the_operating_regions(bench: Bench) -> None:
    asked = [{"RegionName": "us-east-2"}, {"RegionName": WEST}]

    ipam = bench.ask("CreateIpam", region=ELSEWHERE, OperatingRegions=asked)["Ipam"]

    assert region_names(ipam) == ["us-east-2", WEST, ELSEWHERE]
    assert ipam["IpamRegion"] == ELSEWHERE


def test_an_ipam_is_advanced_and_its_owner_pays_unless_said_otherwise(bench: Bench) -> None:
    assert (bench.ipam["Tier"], bench.ipam["MeteredAccount"]) == ("advanced", "ipam-owner")

    bench.ask("EnableIpamOrganizationAdminAccount", HOME, MANAGEMENT, DelegatedAdminAccountId=NETWORKING)
    other = bench.ask("CreateIpam", region=ELSEWHERE, Tier="free", MeteredAccount="resource-owner")["Ipam"]

    assert (other["Tier"], other["MeteredAccount"]) == ("free", "resource-owner")


def test_an_ipams_creation_ends_after_a_while_and_takes_the_default_scopes_along(bench: Bench) -> None:
    bench.ask("CreateIpam", region=ELSEWHERE)
    bench.clock.advance(4.9)
    assert bench.ask("DescribeIpams", ELSEWHERE)["Ipams"][0]["State"] == "create-in-progress"

    bench.clock.advance(0.1)

    assert bench.ask("DescribeIpams", ELSEWHERE)["Ipams"][0]["State"] == "create-complete"
    scopes = bench.ask("DescribeIpamScopes", ELSEWHERE)["IpamScopes"]
    assert {scope["State"] for scope in scopes} == {"create-complete"}


def test_an_account_has_one_ipam_per_region(bench: Bench) -> None:
    with pytest.raises(AwsError, match="You have created 1 ipams and you are limited to 1"):
        bench.ask("CreateIpam")

    bench.ask("CreateIpam", region=WEST)
    bench.ask("CreateIpam", account=STRANGER)


def test_an_ipam_that_is_still_being_deleted_counts(bench: Bench) -> None:
    bench.ask("DeleteIpam", IpamId=bench.ipam["IpamId"])
    with pytest.raises(AwsError, match="limited to 1"):
        bench.ask("CreateIpam")

    bench.wait()

    bench.ask("CreateIpam")


def test_no_arn_has_a_region(bench: Bench) -> None:
    pool = bench.create_pool()
    scope = bench.ask("DescribeIpamScopes", IpamScopeIds=[bench.scope])["IpamScopes"][0]

    assert bench.ipam["IpamArn"] == f"arn:aws:ec2::{NETWORKING}:ipam/{bench.ipam['IpamId']}"
    assert scope["IpamScopeArn"] == f"arn:aws:ec2::{NETWORKING}:ipam-scope/{bench.scope}"
    assert pool["IpamPoolArn"] == f"arn:aws:ec2::{NETWORKING}:ipam-pool/{pool['IpamPoolId']}"


def test_a_new_operating_region_can_be_used_when_the_modification_has_ended(bench: Bench) -> None:
    added = [{"RegionName": ELSEWHERE}]
    ipam = bench.ask("ModifyIpam", IpamId=bench.ipam["IpamId"], AddOperatingRegions=added)["Ipam"]
    assert ipam["State"] == "modify-in-progress"
    assert ELSEWHERE in region_names(ipam)
    with pytest.raises(AwsError) as refused:
        bench.create_pool(Locale=ELSEWHERE)
    assert refused.value.code == "InvalidParameterValue"

    bench.wait()

    assert bench.ask("DescribeIpams")["Ipams"][0]["State"] == "modify-complete"
    assert bench.create_pool(Locale=ELSEWHERE)["Locale"] == ELSEWHERE


def test_no_pool_is_created_while_the_ipam_is_modified(bench: Bench) -> None:
    bench.ask("ModifyIpam", IpamId=bench.ipam["IpamId"], AddOperatingRegions=[{"RegionName": ELSEWHERE}])

    with pytest.raises(AwsError) as refused:
        bench.create_pool(Locale=WEST)
    assert refused.value.code == "IncorrectState"

    bench.wait()

    assert bench.create_pool(Locale=WEST)["Locale"] == WEST


def test_an_ipam_is_modified_once_at_a_time(bench: Bench) -> None:
    bench.ask("ModifyIpam", IpamId=bench.ipam["IpamId"], Description="one")

    with pytest.raises(AwsError) as refused:
        bench.ask("ModifyIpam", IpamId=bench.ipam["IpamId"], Description="two")

    assert refused.value.code == "IncorrectState"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({}, "InvalidParameterCombination"),
        ({"AddOperatingRegions": []}, "InvalidParameterCombination"),
        ({"AddOperatingRegions": [{"RegionName": HOME}]}, "InvalidParameterValue"),
        ({"AddOperatingRegions": [{"RegionName": "everywhere"}]}, "InvalidParameterValue"),
        ({"AddOperatingRegions": [{"RegionName": ELSEWHERE}] * 2}, "InvalidParameterValue"),
        ({"RemoveOperatingRegions": [{"RegionName": HOME}]}, "InvalidParameterValue"),
        ({"RemoveOperatingRegions": [{"RegionName": ELSEWHERE}]}, "InvalidParameterValue"),
        ({"RemoveOperatingRegions": [{"RegionName": WEST}]}, "DependencyViolation"),
        ({"Tier": "free"}, "InvalidParameterValue"),
        ({"Tier": "premium"}, "InvalidParameterValue"),
        ({"MeteredAccount": "nobody"}, "InvalidParameterValue"),
    ],
    ids=[
        "nothing",
        "nothing in a list",
        "a Region that it has",
        "what is no Region",
        "a Region twice",
        "without its home Region",
        "without what it never had",
        "without a Region that is a pool's locale",
        "free, with a pool",
        "a tier that there is not",
        "a payer that there is not",
    ],
)
def test_a_modification_that_cannot_be_is_refused(bench: Bench, change: dict[str, Any], code: str) -> None:
    bench.pool(Locale=WEST)

    with pytest.raises(AwsError) as refused:
        bench.ask("ModifyIpam", IpamId=bench.ipam["IpamId"], **change)

    assert refused.value.code == code
    assert region_names(bench.ask("DescribeIpams")["Ipams"][0]) == [HOME, WEST]


def test_an_unused_operating_region_can_be_removed(bench: Bench) -> None:
    removed = [{"RegionName": WEST}]

    ipam = bench.ask("ModifyIpam", IpamId=bench.ipam["IpamId"], RemoveOperatingRegions=removed, Tier="free")["Ipam"]

    assert region_names(ipam) == [HOME]
    assert ipam["Tier"] == "free"


def test_a_free_ipam_has_pools_in_its_home_region_only(bench: Bench) -> None:
    bench.ask("ModifyIpam", IpamId=bench.ipam["IpamId"], Tier="free")
    bench.wait()

    for locale in ({"Locale": WEST}, {}):
        with pytest.raises(AwsError) as refused:
            bench.create_pool(**locale)
        assert refused.value.code == "InvalidParameterValue"
    assert bench.create_pool(Locale=HOME)["Locale"] == HOME


def test_an_ipam_with_a_pool_cannot_be_deleted(bench: Bench) -> None:
    bench.pool()

    with pytest.raises(AwsError) as refused:
        bench.ask("DeleteIpam", IpamId=bench.ipam["IpamId"])

    assert refused.value.code == "DependencyViolation"


def test_an_ipam_with_a_scope_of_its_own_cannot_be_deleted(bench: Bench) -> None:
    scope = bench.ask("CreateIpamScope", IpamId=bench.ipam["IpamId"])["IpamScope"]
    bench.wait()
    with pytest.raises(AwsError) as refused:
        bench.ask("DeleteIpam", IpamId=bench.ipam["IpamId"])
    assert refused.value.code == "DependencyViolation"

    bench.ask("DeleteIpamScope", IpamScopeId=scope["IpamScopeId"])
    bench.wait()

    bench.ask("DeleteIpam", IpamId=bench.ipam["IpamId"])


def test_a_deleted_ipam_is_listed_for_a_while_and_then_unknown(bench: Bench) -> None:
    ipam_id = bench.ipam["IpamId"]
    assert bench.ask("DeleteIpam", IpamId=ipam_id)["Ipam"]["State"] == "delete-in-progress"

    bench.wait()
    assert bench.ask("DescribeIpams")["Ipams"][0]["State"] == "delete-complete"
    assert bench.ask("DescribeIpamScopes")["IpamScopes"] == []

    bench.wait(60)
    assert bench.ask("DescribeIpams")["Ipams"] == []
    with pytest.raises(AwsError) as refused:
        bench.ask("DescribeIpams", IpamIds=[ipam_id])
    assert refused.value.code == "InvalidIpamId.NotFound"


def test_no_pool_can_be_made_in_an_ipam_that_is_being_deleted(bench: Bench) -> None:
    bench.ask("DeleteIpam", IpamId=bench.ipam["IpamId"])

    with pytest.raises(AwsError) as refused:
        bench.create_pool()

    assert refused.value.code == "IncorrectState"


def test_a_deleted_ipam_cannot_be_deleted_again(bench: Bench) -> None:
    bench.ask("DeleteIpam", IpamId=bench.ipam["IpamId"])
    with pytest.raises(AwsError) as early:
        bench.ask("DeleteIpam", IpamId=bench.ipam["IpamId"])
    bench.wait()
    with pytest.raises(AwsError) as late:
        bench.ask("DeleteIpam", IpamId=bench.ipam["IpamId"])

    assert (early.value.code, late.value.code) == ("IncorrectState", "InvalidIpamId.NotFound")


def test_an_ipam_is_its_accounts_own(bench: Bench) -> None:
    assert bench.ask("DescribeIpams", account=STRANGER)["Ipams"] == []
    assert bench.ask("DescribeIpamScopes", account=STRANGER)["IpamScopes"] == []
    with pytest.raises(AwsError) as refused:
        bench.ask("DeleteIpam", account=STRANGER, IpamId=bench.ipam["IpamId"])
    assert refused.value.code == "InvalidIpamId.NotFound"


def test_another_scope_is_private_takes_a_while_and_can_go(bench: Bench) -> None:
    scope = bench.ask("CreateIpamScope", IpamId=bench.ipam["IpamId"], Description="labs")["IpamScope"]
    assert (scope["IpamScopeType"], scope["IsDefault"], scope["State"]) == ("private", False, "create-in-progress")
    bench.wait(1)
    with pytest.raises(AwsError) as refused:
        bench.create_pool(IpamScopeId=scope["IpamScopeId"])
    assert refused.value.code == "IncorrectState"

    bench.wait()
    bench.create_pool(IpamScopeId=scope["IpamScopeId"])

    assert bench.ask("DescribeIpams")["Ipams"][0]["ScopeCount"] == 3


def test_a_scope_counts_its_pools(bench: Bench) -> None:
    bench.pool(SourceIpamPoolId=bench.pool())

    assert bench.ask("DescribeIpamScopes", IpamScopeIds=[bench.scope])["IpamScopes"][0]["PoolCount"] == 2


def test_an_ipam_has_five_scopes_at_most(bench: Bench) -> None:
    for _ in range(3):
        bench.ask("CreateIpamScope", IpamId=bench.ipam["IpamId"])

    with pytest.raises(AwsError, match="limited to 5"):
        bench.ask("CreateIpamScope", IpamId=bench.ipam["IpamId"])


def test_default_scopes_and_scopes_with_pools_cannot_be_deleted(bench: Bench) -> None:
    scope_id = bench.ask("CreateIpamScope", IpamId=bench.ipam["IpamId"])["IpamScope"]["IpamScopeId"]
    bench.wait()
    bench.create_pool(IpamScopeId=scope_id)

    for refused_id, code in ((bench.scope, "InvalidParameterValue"), (scope_id, "DependencyViolation")):
        with pytest.raises(AwsError) as refused:
            bench.ask("DeleteIpamScope", IpamScopeId=refused_id)
        assert refused.value.code == code


def test_a_deleted_scope_is_listed_for_a_while_and_then_unknown(bench: Bench) -> None:
    scope_id = bench.ask("CreateIpamScope", IpamId=bench.ipam["IpamId"])["IpamScope"]["IpamScopeId"]
    bench.wait()
    bench.ask("DeleteIpamScope", IpamScopeId=scope_id)
    bench.wait()
    described = bench.ask("DescribeIpamScopes", IpamScopeIds=[scope_id])["IpamScopes"][0]
    assert described["State"] == "delete-complete"
    with pytest.raises(AwsError) as refused:
        bench.create_pool(IpamScopeId=scope_id)
    assert refused.value.code == "InvalidIpamScopeId.NotFound"

    bench.wait(60)

    with pytest.raises(AwsError) as refused:
        bench.ask("DescribeIpamScopes", IpamScopeIds=[scope_id])
    assert refused.value.code == "InvalidIpamScopeId.NotFound"


def test_nothing_can_be_made_in_an_ipam_that_is_not_finished(bench: Bench) -> None:
    ipam = bench.ask("CreateIpam", region=ELSEWHERE)["Ipam"]
    bench.wait(1)

    with pytest.raises(AwsError) as scope:
        bench.ask("CreateIpamScope", region=ELSEWHERE, IpamId=ipam["IpamId"])
    wanted = {"IpamScopeId": ipam["PrivateDefaultScopeId"], "AddressFamily": "ipv4"}
    with pytest.raises(AwsError) as pool:
        bench.ask("CreateIpamPool", region=ELSEWHERE, **wanted)

    assert (scope.value.code, pool.value.code) == ("IncorrectState", "IncorrectState")
