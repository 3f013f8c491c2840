"""Which IPAM and which pools are ours, and what counts as gone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from ctipam.ipam import reader
from ctipam.ipam.existing import ExistingIpam, ExistingScope
from ctipam.ipam.listing import list_pools

NETWORKING, HOME = "222222222222", "us-east-1"


@pytest.fixture
def aws() -> Iterator[Stubber]:
    with Stubber(boto3.client("ec2", HOME)) as stubber:
        yield stubber


@pytest.fixture
def account(aws: Stubber) -> Any:
    return SimpleNamespace(account_id=NETWORKING, region=HOME, ec2=lambda _region=None: aws.client)


def ipam(ipam_id: str, state: str = "create-complete", owner: str = NETWORKING, region: str = HOME) -> dict[str, Any]:
    return {
        "IpamId": ipam_id,
        "OwnerId": owner,
        "IpamRegion": region,
        "State": state,
        "OperatingRegions": [],
        "PrivateDefaultScopeId": "ipam-scope-0123456789abcdef0",
    }


@pytest.mark.parametrize(
    ("listed", "ipam_id", "found"),
    [
        ([ipam("other", owner="333333333333"), ipam("ours")], "", "ours"),
        ([ipam("other", owner="333333333333")], "", None),
        ([ipam("ours"), ipam("elsewhere", region="eu-west-1")], "", "ours"),
        ([ipam("elsewhere", region="eu-west-1")], "", None),
        ([ipam("leaving", "delete-in-progress"), ipam("ours")], "", "ours"),
        ([ipam("ours"), ipam("leaving", "delete-in-progress")], "", "ours"),
        ([ipam("leaving", "delete-in-progress")], "", "leaving"),
        ([ipam("failed", "create-failed"), ipam("ours")], "", "ours"),
        ([ipam("leaving", "delete-in-progress"), ipam("failed", "create-failed")], "", "failed"),
        ([ipam("gone", "delete-complete")], "", None),
        ([ipam("ours"), ipam("leaving", "delete-in-progress")], "leaving", "leaving"),
        ([ipam("ours")], "another", None),
    ],
)
def test_ours_is_of_this_account_and_region_and_stays(
    aws: Stubber, account: Any, listed: list[dict[str, Any]], ipam_id: str, found: str | None
) -> None:
    aws.add_response("describe_ipams", {"Ipams": listed})

    existing = reader.find_ipam(account, ipam_id)

    assert (existing and existing.ipam_id) == found


def test_what_aws_leaves_out_of_an_ipam_has_its_default(aws: Stubber, account: Any) -> None:
    aws.add_response("describe_ipams", {"Ipams": [ipam("ours")]})

    assert reader.find_ipam(account) == ExistingIpam(
        "ours", "create-complete", metered_account="ipam-owner", private_scope_id="ipam-scope-0123456789abcdef0"
    )


def test_only_the_discovery_and_the_scope_that_are_wanted_are_asked_for(aws: Stubber, account: Any) -> None:
    """An account may have others: those of other IPAMs, or shared with it."""
    discovery = {"IpamResourceDiscoveryId": "ours"}
    scope = {
        "IpamScopeId": "ours",
        "IpamArn": "arn:aws:ec2::222222222222:ipam/ipam-1",
        "IpamScopeType": "public",
        "IsDefault": True,
        "State": "create-complete",
    }
    aws.add_response(
        "describe_ipam_resource_discoveries",
        {"IpamResourceDiscoveries": [discovery]},
        {"IpamResourceDiscoveryIds": ["ours"]},
    )
    aws.add_response("describe_ipam_scopes", {"IpamScopes": [scope]}, {"IpamScopeIds": ["ours"]})

    assert reader.find_discovery(account, "ours") == discovery
    assert reader.find_scope(account, "ours") == ExistingScope(
        "ours", "ipam-1", "create-complete", is_private=False, is_default=True
    )


@pytest.mark.parametrize("code", ["NotFound", "Malformed"])
@pytest.mark.parametrize(
    ("read", "method", "thing"),
    [
        (reader.find_scope, "describe_ipam_scopes", "InvalidIpamScopeId"),
        (reader.find_discovery, "describe_ipam_resource_discoveries", "InvalidIpamResourceDiscoveryId"),
    ],
    ids=["scope", "discovery"],
)
def test_what_is_gone_is_no_error_and_any_other_refusal_is(
    aws: Stubber, account: Any, read: Callable[[Any, str], Any], method: str, thing: str, code: str
) -> None:
    aws.add_client_error(method, f"{thing}.{code}")
    aws.add_client_error(method, "RequestLimitExceeded")

    assert read(account, "an id") is None
    with pytest.raises(ClientError, match="RequestLimitExceeded"):
        read(account, "an id")


def test_pools_that_others_share_with_the_account_are_not_its_own(aws: Stubber, account: Any) -> None:
    pools = [
        {"IpamPoolId": f"ipam-pool-{owner[0]}", "OwnerId": owner, "State": "create-complete", "Tags": [{"Key": "a"}]}
        for owner in (NETWORKING, "333333333333")
    ]
    aws.add_response("describe_ipam_pools", {"IpamPools": pools})

    assert [pool["IpamPoolId"] for pool in list_pools(account)] == ["ipam-pool-2"]
