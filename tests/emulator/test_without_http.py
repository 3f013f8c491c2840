"""That a call without HTTP has the answer that it has over HTTP."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError, ParamValidationError

from in_process.fixtures import *  # noqa: F403
from in_process.fixtures import MANAGEMENT, NETWORKING, LandingZone
from in_process.lifecycle_events import ZERO

CALLS: list[tuple[str, str, str, dict[str, Any]]] = [
    (MANAGEMENT, "organizations", "list_roots", {}),
    (MANAGEMENT, "organizations", "describe_account", {"AccountId": ZERO}),
    (MANAGEMENT, "organizations", "describe_account", {"AccountId": "999999999999"}),
    (MANAGEMENT, "organizations", "list_parents", {"ChildId": ZERO}),
    (MANAGEMENT, "organizations", "describe_organizational_unit", {"OrganizationalUnitId": "ou-ab12-gone1234"}),
    (MANAGEMENT, "organizations", "list_delegated_administrators", {"ServicePrincipal": "ipam.amazonaws.com"}),
    (NETWORKING, "organizations", "list_roots", {}),
    (NETWORKING, "ec2", "describe_ipams", {}),
    (NETWORKING, "ec2", "describe_ipam_pools", {}),
    (NETWORKING, "ec2", "describe_ipam_pools", {"MaxResults": 5}),
    (NETWORKING, "ec2", "describe_ipam_pools", {"IpamPoolIds": ["ipam-pool-00000000000000000"]}),
    (NETWORKING, "ec2", "describe_ipam_pools", {"IpamPoolIds": []}),
    (NETWORKING, "ec2", "delete_ipam_pool", {"IpamPoolId": "not an id"}),
    (NETWORKING, "ram", "get_resource_shares", {"resourceOwner": "SELF"}),
    (NETWORKING, "ram", "get_resource_shares", {"resourceOwner": "SELF", "resourceShareArns": []}),
    (NETWORKING, "ram", "get_resource_share_associations", {"associationType": "PRINCIPAL"}),
    (NETWORKING, "ram", "list_resources", {"resourceOwner": "SELF", "principal": ZERO}),
    (NETWORKING, "ram", "create_resource_share", {"name": ""}),
    (ZERO, "ram", "get_resource_shares", {"resourceOwner": "OTHER-ACCOUNTS"}),
    (ZERO, "ec2", "describe_ipam_pools", {}),
    (NETWORKING, "ec2", "create_tags", {"Resources": ["ipam-pool-0123456789abcdef0"], "Tags": [{"Key": "a"}]}),
    (NETWORKING, "ec2", "create_tags", {"Resources": ["ipam-pool-0123456789abcdef0"], "Tags": []}),
]


@pytest.mark.parametrize("call", CALLS, ids=lambda call: f"{call[2]} {call[3]}" if isinstance(call, tuple) else "")
def test_the_answer_is_the_same(landing_zone: LandingZone, ous: Any, call: tuple[str, str, str, Any]) -> None:
    landing_zone.networking_ram.create_resource_share(
        name="some pools", resourceArns=list(landing_zone.pool_arns().values()), principals=[ZERO]
    )
    landing_zone.clock.advance(60)

    without = answer(landing_zone, *call)
    landing_zone.cloud.over_http = True

    assert without == answer(landing_zone, *call)


def answer(landing_zone: LandingZone, account_id: str, service: str, method: str, parameters: Any) -> Any:
    """Return the answer, or the class, the code and the message of a refusal."""
    client = landing_zone.cloud.client(service, account_id)
    try:
        answered = getattr(client, method)(**parameters)
    except ClientError as refused:
        metadata = refused.response["ResponseMetadata"]
        return type(refused).__name__, metadata["HTTPStatusCode"], "RequestId" in metadata, str(refused)
    return answered | {"ResponseMetadata": answered["ResponseMetadata"]["HTTPStatusCode"]}


def test_tags_are_those_that_were_given_over_http_too(landing_zone: LandingZone) -> None:
    ec2, tagged = landing_zone.networking_ec2, []
    (arn, *_) = landing_zone.pool_arns().values()
    pool_id = arn.rpartition("/")[2]

    for landing_zone.cloud.over_http in (False, True):
        tags = [{"Key": "Name", "Value": "x"}, {"Key": f"over-http-{landing_zone.cloud.over_http}"}]
        answered = ec2.create_tags(Resources=[pool_id], Tags=tags)
        tagged.append(answered["ResponseMetadata"]["HTTPStatusCode"])

    (pool,) = ec2.describe_ipam_pools(IpamPoolIds=[pool_id])["IpamPools"]
    kept = {tag["Key"]: tag["Value"] for tag in pool["Tags"]}
    assert tagged == [200, 200]
    assert (kept["Name"], kept["over-http-False"], kept["over-http-True"]) == ("x", "", "")


def test_a_call_that_tags_nothing_has_no_answer(landing_zone: LandingZone) -> None:
    with pytest.raises(KeyError, match="Resources"):  # moto's, over HTTP
        landing_zone.networking_ec2.create_tags(Resources=[], Tags=[{"Key": "a"}])


def test_parameters_that_boto3_refuses_are_refused(landing_zone: LandingZone) -> None:
    with pytest.raises(ParamValidationError, match="resourceOwner"):
        landing_zone.networking_ram.get_resource_shares()
