"""What one change of a pool sends to EC2, and which answers count as done."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from ctipam import names
from ctipam.errors import POOL_NOT_FOUND
from ctipam.pools import record
from ctipam.pools.apply import apply
from ctipam.pools.change_kinds import CreatePool, DeletePool, DeprovisionCidr, ModifyPool, ProvisionCidr, TagPool
from ctipam.pools.existing import Block, ExistingPool
from ctipam.pools.spec import TOP_LEVEL, PoolKey, PoolSpec, VpcSizes

TOP, POOL = "ipam-pool-00000000000000001", "ipam-pool-0123456789abcdef0"
SCOPE = "ipam-scope-0123456789abcdef0"
PROD = PoolKey("us-west-2", "Prod OU")
CIDR = IPv4Network("10.0.0.0/21")
SPEC = PoolSpec((IPv4Network("10.0.0.0/16"),), 20, 21, ("us-west-2",), ("Prod OU",), stack_id="arn:stack")
SIZES = VpcSizes(24, 21, 28)
SENT_SIZES = {
    "AllocationDefaultNetmaskLength": 24,
    "AllocationMinNetmaskLength": 21,
    "AllocationMaxNetmaskLength": 28,
}
REQUIRED = [{"Key": "Env", "Value": "Prod OU"}]


@pytest.fixture
def aws() -> Iterator[Stubber]:
    with Stubber(boto3.client("ec2", "us-east-1")) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


@pytest.fixture
def request_(aws: Stubber) -> Any:
    """Return a request whose client tokens can be read."""
    account = SimpleNamespace(ec2=lambda _region=None: aws.client)
    return SimpleNamespace(account=account, token=lambda *parts: " ".join(str(part) for part in parts))


def pool(**fields: Any) -> ExistingPool:
    made: dict[str, Any] = {"key": PROD, "allocation_tags": {"Env": "Prod OU"}, "tags": {"Name": "as it is"}}
    return ExistingPool(POOL, TOP, "create-complete", **(made | fields))


def test_a_pool_of_an_environment_is_created_with_its_rules_and_a_token(aws: Stubber, request_: Any) -> None:
    token = f"create us-west-2/Prod OU {TOP} "
    tags = [
        {"Key": "Name", "Value": names.pool_name(PROD.region, PROD.environment)},
        {"Key": names.STACK_TAG, "Value": "arn:stack"},
        {"Key": names.REGION_TAG, "Value": "us-west-2"},
        {"Key": names.POOL_ENVIRONMENT_TAG, "Value": "Prod OU"},
        {"Key": names.BLOCK_TAG, "Value": record.EVERYTHING},
    ]
    sent = {
        "IpamScopeId": SCOPE,
        "SourceIpamPoolId": TOP,
        "Locale": "us-west-2",
        "AddressFamily": "ipv4",
        "Description": names.pool_description(PROD.region, PROD.environment),
        "AllocationResourceTags": REQUIRED,
        "TagSpecifications": [{"ResourceType": "ipam-pool", "Tags": tags}],
        "AutoImport": True,
        "ClientToken": token,
        **SENT_SIZES,
    }
    dead = {"IpamPool": {"IpamPoolId": "dead", "State": "delete-complete"}}
    aws.add_response("create_ipam_pool", dead, sent)
    made = {"IpamPool": {"IpamPoolId": POOL, "State": "create-in-progress"}}
    aws.add_response("create_ipam_pool", made, sent | {"ClientToken": f"{token}dead"})

    assert apply(request_, SCOPE, SPEC, CreatePool(PROD, TOP, SIZES, auto_import=True)) == POOL


def test_the_top_level_pool_has_no_parent_no_locale_and_no_rules(aws: Stubber, request_: Any) -> None:
    sent: dict[str, Any] = {}
    aws.add_response("create_ipam_pool", {"IpamPool": {"IpamPoolId": TOP, "State": "create-in-progress"}})
    request_.account.ec2().meta.events.register("provide-client-params", lambda params, **_: sent.update(params))

    apply(request_, SCOPE, SPEC, CreatePool(TOP_LEVEL, ""))

    assert sent.keys() & {"SourceIpamPoolId", "Locale", *SENT_SIZES} == set()
    assert sent["AllocationResourceTags"] == []


@pytest.mark.parametrize("blocks", [(), (Block(CIDR, "failed-provision"),)], ids=["the first", "after a failure"])
def test_a_cidr_is_recorded_and_then_requested_with_a_token_of_its_own(
    aws: Stubber, request_: Any, blocks: tuple[Block, ...]
) -> None:
    recorded = [{"Key": names.BLOCK_TAG, "Value": "10.0.0.0/21"}]
    aws.add_response("create_tags", {}, {"Resources": [POOL], "Tags": recorded})
    sent = {"IpamPoolId": POOL, "Cidr": "10.0.0.0/21", "ClientToken": f"provision {POOL} 10.0.0.0/21 {len(blocks)}"}
    aws.add_response("provision_ipam_pool_cidr", {}, sent)

    change = ProvisionCidr(pool(blocks=blocks), CIDR, {names.BLOCK_TAG: "10.0.0.0/21", "Name": "as it is"})
    assert apply(request_, SCOPE, SPEC, change) == POOL


@pytest.mark.parametrize(
    ("existing", "added", "removed"),
    [
        ({"Env": "Prod OU"}, [], []),
        ({}, REQUIRED, []),
        ({"Env": "Prod OU", "team": "a"}, [], [{"Key": "team", "Value": "a"}]),
        ({"Env": "wrong"}, [], [{"Key": "Env", "Value": "wrong"}]),
    ],
    ids=["as they should be", "missing", "more", "another value, which is removed before the right one is added"],
)
def test_a_modified_pool_gets_its_description_rules_and_sizes(
    aws: Stubber, request_: Any, existing: dict[str, str], added: list[Any], removed: list[Any]
) -> None:
    sent = {
        "IpamPoolId": POOL,
        "Description": names.pool_description(PROD.region, PROD.environment),
        "AddAllocationResourceTags": added,
        "RemoveAllocationResourceTags": removed,
        "AutoImport": False,
        **SENT_SIZES,
    }
    aws.add_response("modify_ipam_pool", {}, sent)

    apply(request_, SCOPE, SPEC, ModifyPool(PROD, pool(allocation_tags=existing), SIZES))


def test_only_the_tags_that_change_are_sent(aws: Stubber, request_: Any) -> None:
    aws.add_response("create_tags", {}, {"Resources": [POOL], "Tags": [{"Key": "a", "Value": "1"}]})
    aws.add_response("delete_tags", {}, {"Resources": [POOL], "Tags": [{"Key": "b"}]})

    apply(request_, SCOPE, SPEC, TagPool(pool(), {"a": "1"}))
    apply(request_, SCOPE, SPEC, TagPool(pool(), {}, ("b",)))


@pytest.mark.parametrize(
    ("change", "method"),
    [
        (DeprovisionCidr(pool(key=PoolKey("us-west-2")), CIDR), "deprovision_ipam_pool_cidr"),
        (DeletePool(pool()), "delete_ipam_pool"),
    ],
    ids=["a CIDR", "the pool"],
)
def test_what_is_gone_is_taken_away_and_any_other_refusal_is_an_error(
    aws: Stubber, request_: Any, change: Any, method: str
) -> None:
    cidr = {"Cidr": "10.0.0.0/21"} if method == "deprovision_ipam_pool_cidr" else {}
    aws.add_response(method, {}, {"IpamPoolId": POOL, **cidr})
    aws.add_client_error(method, POOL_NOT_FOUND)
    aws.add_client_error(method, "IncorrectState")

    assert apply(request_, SCOPE, SPEC, change) == POOL
    assert apply(request_, SCOPE, SPEC, change) == POOL
    with pytest.raises(ClientError, match="IncorrectState"):
        apply(request_, SCOPE, SPEC, change)
