"""boto3 reaches the models through moto."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.ec2.exceptions import EC2ClientError
from moto.organizations.models import FakeOrganization, organizations_backends

from aws_models.clock import ManualClock
from aws_models.errors import AwsError
from aws_models.models import Models
from aws_models.organization import Organization
from landing_zone.on_moto import installed

HOME, WEST = "us-east-1", "us-west-2"
MANAGEMENT, NETWORKING, MEMBER = "123456789012", "444455556666", "012345678901"  # the first is moto's default account
PROD = [{"Key": "Env", "Value": "Prod OU"}]


class Cloud:
    """boto3 clients of several accounts, and the models behind them."""

    def __init__(self, models: Models) -> None:
        self.models = models

    def client(self, service: str, account_id: str = NETWORKING, region: str = HOME) -> Any:
        """A client whose credentials moto gave for a role in that account."""
        role = f"arn:aws:iam::{account_id}:role/AWSControlTowerExecution"
        credentials = boto3.client("sts", region).assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
        make: Any = boto3.client
        return make(
            service,
            region,
            aws_access_key_id=credentials["AccessKeyId"],
            aws_secret_access_key=credentials["SecretAccessKey"],
            aws_session_token=credentials["SessionToken"],
            config=Config(retries={"total_max_attempts": 1}),
        )

    def settle(self) -> None:
        self.models.clock.advance(60)

    def new_pool(self) -> tuple[str, str]:
        """Id and ARN of a pool for environment "Prod OU" in us-west-2, 10.0.0.0/16, under one with 10.0.0.0/8."""
        boto3.client("ec2", HOME).enable_ipam_organization_admin_account(DelegatedAdminAccountId=NETWORKING)
        ec2 = self.client("ec2")
        regions = [{"RegionName": WEST}]
        scope = ec2.create_ipam(Tier="advanced", OperatingRegions=regions)["Ipam"]["PrivateDefaultScopeId"]
        self.settle()
        top = ec2.create_ipam_pool(IpamScopeId=scope, AddressFamily="ipv4")["IpamPool"]["IpamPoolId"]
        self.settle()
        self.provision(ec2, top, "10.0.0.0/8")
        pool = ec2.create_ipam_pool(
            IpamScopeId=scope,
            AddressFamily="ipv4",
            Locale=WEST,
            SourceIpamPoolId=top,
            AllocationResourceTags=PROD,
            TagSpecifications=[{"ResourceType": "ipam-pool", "Tags": [{"Key": "Name", "Value": "Prod & co"}]}],
        )["IpamPool"]
        self.settle()
        self.provision(ec2, pool["IpamPoolId"], "10.0.0.0/16")
        return pool["IpamPoolId"], pool["IpamPoolArn"]

    def provision(self, ec2: Any, pool_id: str, cidr: str) -> None:
        ec2.provision_ipam_pool_cidr(IpamPoolId=pool_id, Cidr=cidr)
        self.settle()

    def share(self, *pool_arns: str) -> None:
        """Share with the member, from the Networking account."""
        boto3.client("ram", HOME).enable_sharing_with_aws_organization()
        self.models.clock.advance(60)
        self.client("ram").create_resource_share(
            name=f"ipamShare-{MEMBER}", resourceArns=pool_arns, principals=[MEMBER], allowExternalPrincipals=False
        )
        self.settle()

    def allocations(self, pool_id: str) -> set[tuple[str, str]]:
        """{(CIDR, id of the VPC)}, as the owner reads them in the pool's Region."""
        pages = self.client("ec2", region=WEST).get_paginator("get_ipam_pool_allocations").paginate(IpamPoolId=pool_id)
        return {(one["Cidr"], one["ResourceId"]) for page in pages for one in page["IpamPoolAllocations"]}


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    models = Models(ManualClock(), Organization(MANAGEMENT, lambda: {MANAGEMENT, NETWORKING, MEMBER}))
    with mock_aws(), installed(models):
        yield Cloud(models)


def code_of(raised: pytest.ExceptionInfo[ClientError]) -> str:
    return str(raised.value.response["Error"]["Code"])


def vpc_tags(tags: list[dict[str, str]]) -> list[dict[str, Any]]:
    return [{"ResourceType": "vpc", "Tags": tags}]


def test_pools_are_made_provisioned_and_described(cloud: Cloud) -> None:
    pool_id, arn = cloud.new_pool()

    pages = cloud.client("ec2").get_paginator("describe_ipam_pools").paginate()
    pools = {pool["IpamPoolId"]: pool for page in pages for pool in page["IpamPools"]}

    assert arn == f"arn:aws:ec2::{NETWORKING}:ipam-pool/{pool_id}"
    assert len(pools) == 2
    assert pools[pool_id]["State"] == "create-complete"
    assert pools[pool_id]["IpamRegion"] == HOME
    assert pools[pool_id]["AllocationResourceTags"] == PROD
    assert pools[pool_id]["Tags"] == [{"Key": "Name", "Value": "Prod & co"}]
    cidrs = cloud.client("ec2").get_ipam_pool_cidrs(IpamPoolId=pool_id)["IpamPoolCidrs"]
    assert [(cidr["Cidr"], cidr["State"]) for cidr in cidrs] == [("10.0.0.0/16", "provisioned")]


def test_paginators_go_through_all_pages(cloud: Cloud) -> None:
    cloud.new_pool()
    ec2 = cloud.client("ec2")
    [scope] = [one for one in ec2.describe_ipam_scopes()["IpamScopes"] if one["IpamScopeType"] == "private"]
    for _ in range(10):
        ec2.create_ipam_pool(IpamScopeId=scope["IpamScopeId"], AddressFamily="ipv4")
        cloud.settle()

    pages = list(ec2.get_paginator("describe_ipam_pools").paginate())

    assert len(pages) > 1
    assert sum(len(page["IpamPools"]) for page in pages) == 12


def test_a_member_makes_a_vpc_from_a_pool_that_is_shared_with_it(cloud: Cloud) -> None:
    pool_id, arn = cloud.new_pool()
    cloud.share(arn)
    ec2 = cloud.client("ec2", MEMBER, WEST)

    vpc = ec2.create_vpc(Ipv4IpamPoolId=pool_id, Ipv4NetmaskLength=24, TagSpecifications=vpc_tags(PROD))["Vpc"]

    assert vpc["CidrBlock"] == "10.0.0.0/24"
    assert vpc["OwnerId"] == MEMBER
    assert vpc["Tags"] == PROD
    assert ec2.describe_vpcs(VpcIds=[vpc["VpcId"]])["Vpcs"][0]["CidrBlock"] == "10.0.0.0/24"
    cloud.settle()
    assert cloud.allocations(pool_id) == {("10.0.0.0/24", vpc["VpcId"])}


def test_a_vpc_without_a_pool_is_discovered_with_all_its_cidrs(cloud: Cloud) -> None:
    cloud.new_pool()
    ec2 = cloud.client("ec2", MEMBER, WEST)
    tags = [{"Key": "Name", "Value": "shop"}]
    vpc = ec2.create_vpc(CidrBlock="10.77.0.0/16", TagSpecifications=vpc_tags(tags))["Vpc"]
    ec2.associate_vpc_cidr_block(VpcId=vpc["VpcId"], CidrBlock="10.78.0.0/16")
    scopes = cloud.client("ec2").describe_ipam_scopes()["IpamScopes"]
    scope = next(one["IpamScopeId"] for one in scopes if one["IpamScopeType"] == "private")

    def discovered() -> list[tuple[str, str, str]]:
        pages = cloud.client("ec2").get_paginator("get_ipam_resource_cidrs")
        rows = pages.paginate(IpamScopeId=scope, ResourceType="vpc").build_full_result()["IpamResourceCidrs"]
        return sorted((row["ResourceCidr"], row["ResourceOwnerId"], row["ResourceRegion"]) for row in rows)

    assert discovered() == []
    cloud.models.clock.advance(1800)
    assert discovered() == [("10.77.0.0/16", MEMBER, WEST), ("10.78.0.0/16", MEMBER, WEST)]


def test_a_member_cannot_use_a_pool_that_is_not_shared_with_it(cloud: Cloud) -> None:
    pool_id, _ = cloud.new_pool()

    with pytest.raises(ClientError) as raised:
        cloud.client("ec2", MEMBER, WEST).create_vpc(
            Ipv4IpamPoolId=pool_id, Ipv4NetmaskLength=24, TagSpecifications=vpc_tags(PROD)
        )

    assert code_of(raised) == "InvalidIpamPoolId.NotFound"


def test_a_vpc_without_the_pools_tags_is_refused(cloud: Cloud) -> None:
    pool_id, arn = cloud.new_pool()
    cloud.share(arn)

    with pytest.raises(ClientError, match="missing one or more of the resource tags"):
        cloud.client("ec2", MEMBER, WEST).create_vpc(Ipv4IpamPoolId=pool_id, Ipv4NetmaskLength=24)


def test_the_block_of_a_vpc_that_moto_refuses_is_free_again(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    pool_id, _ = cloud.new_pool()
    ec2 = cloud.client("ec2", region=WEST)
    wanted = {"Ipv4IpamPoolId": pool_id, "Ipv4NetmaskLength": 24, "TagSpecifications": vpc_tags(PROD)}

    def refuse(*_: Any, **__: Any) -> None:
        raise EC2ClientError("VpcLimitExceeded", "The maximum number of VPCs has been reached.")

    with monkeypatch.context() as patched:
        patched.setattr("moto.ec2.models.vpcs.VPCBackend.create_vpc", refuse)
        with pytest.raises(ClientError) as raised:
            ec2.create_vpc(**wanted)

    assert code_of(raised) == "VpcLimitExceeded"
    assert ec2.create_vpc(**wanted)["Vpc"]["CidrBlock"] == "10.0.0.0/24"


def test_the_block_of_a_deleted_vpc_stays_taken_for_half_an_hour(cloud: Cloud) -> None:
    pool_id, _ = cloud.new_pool()
    ec2 = cloud.client("ec2", region=WEST)
    vpc = ec2.create_vpc(Ipv4IpamPoolId=pool_id, Ipv4NetmaskLength=24, TagSpecifications=vpc_tags(PROD))["Vpc"]
    cloud.settle()

    ec2.delete_vpc(VpcId=vpc["VpcId"])

    assert cloud.allocations(pool_id) == {("10.0.0.0/24", vpc["VpcId"])}
    cloud.models.clock.advance(1800)
    assert cloud.allocations(pool_id) == set()


def test_vpcs_without_a_pool_are_motos_alone(cloud: Cloud) -> None:
    ec2 = cloud.client("ec2")

    vpc_id = ec2.create_vpc(CidrBlock="172.16.0.0/16")["Vpc"]["VpcId"]
    ec2.delete_vpc(VpcId=vpc_id)

    assert vpc_id not in {vpc["VpcId"] for vpc in ec2.describe_vpcs()["Vpcs"]}


def test_tags_go_to_pools_and_vpcs_alike(cloud: Cloud) -> None:
    pool_id, _ = cloud.new_pool()
    ec2 = cloud.client("ec2")
    vpc_id = ec2.create_vpc(CidrBlock="172.16.0.0/16")["Vpc"]["VpcId"]

    ec2.create_tags(Resources=[pool_id, vpc_id], Tags=[{"Key": "team", "Value": "net"}])
    ec2.delete_tags(Resources=[pool_id], Tags=[{"Key": "Name"}])

    assert ec2.describe_ipam_pools(IpamPoolIds=[pool_id])["IpamPools"][0]["Tags"] == [{"Key": "team", "Value": "net"}]
    assert ec2.describe_vpcs(VpcIds=[vpc_id])["Vpcs"][0]["Tags"] == [{"Key": "team", "Value": "net"}]


def test_tagging_an_unknown_pool_is_refused(cloud: Cloud) -> None:
    with pytest.raises(ClientError) as raised:
        cloud.client("ec2").create_tags(Resources=["ipam-pool-00000000000000000"], Tags=[{"Key": "a", "Value": "b"}])

    assert code_of(raised) == "InvalidIpamPoolId.NotFound"


def test_an_ipam_belongs_to_its_account_and_region(cloud: Cloud) -> None:
    cloud.new_pool()

    assert len(cloud.client("ec2").describe_ipams()["Ipams"]) == 1
    assert cloud.client("ec2", MEMBER).describe_ipams()["Ipams"] == []
    assert cloud.client("ec2", region="eu-west-1").describe_ipams()["Ipams"] == []


def test_a_share_lives_its_life_through_boto3(cloud: Cloud) -> None:
    _, arn = cloud.new_pool()
    boto3.client("ram", HOME).enable_sharing_with_aws_organization()
    cloud.models.clock.advance(60)
    ram = cloud.client("ram")
    share = ram.create_resource_share(name="share", allowExternalPrincipals=False)["resourceShare"]["resourceShareArn"]

    ram.associate_resource_share(resourceShareArn=share, resourceArns=[arn], principals=[MEMBER])
    ram.tag_resource(resourceShareArn=share, tags=[{"key": "account", "value": MEMBER}, {"key": "x", "value": ""}])
    ram.untag_resource(resourceShareArn=share, tagKeys=["x"])
    ram.update_resource_share(resourceShareArn=share, name="renamed")
    cloud.settle()

    tag_filters = [{"tagKey": "account", "tagValues": [MEMBER]}]
    [found] = ram.get_resource_shares(resourceOwner="SELF", tagFilters=tag_filters)["resourceShares"]
    assert (found["name"], found["status"]) == ("renamed", "ACTIVE")
    assert [one["id"] for one in ram.list_principals(resourceOwner="SELF")["principals"]] == [MEMBER]
    theirs = cloud.client("ram", MEMBER).list_resources(resourceOwner="OTHER-ACCOUNTS")["resources"]
    assert [one["arn"] for one in theirs] == [arn]

    ram.disassociate_resource_share(resourceShareArn=share, resourceArns=[arn])
    ram.delete_resource_share(resourceShareArn=share, clientToken="token")
    cloud.settle()

    assert ram.get_resource_shares(resourceOwner="SELF", resourceShareStatus="ACTIVE")["resourceShares"] == []
    pages = ram.get_paginator("get_resource_share_associations").paginate(associationType="RESOURCE")
    assert [one["status"] for page in pages for one in page["resourceShareAssociations"]] == ["DISASSOCIATED"]


def test_refusals_of_ram_are_boto3s_exceptions(cloud: Cloud) -> None:
    ram = cloud.client("ram")

    with pytest.raises(ram.exceptions.OperationNotPermittedException):
        ram.enable_sharing_with_aws_organization()


def test_a_throttled_call_is_retried_by_boto3(cloud: Cloud) -> None:
    cloud.models.ram.faults.refuse_next("GetResourceShares", AwsError("ThrottlingException", "Rate exceeded", 429))
    retrying = boto3.client("ram", HOME, config=Config(retries={"mode": "standard", "total_max_attempts": 2}))

    assert retrying.get_resource_shares(resourceOwner="SELF")["resourceShares"] == []


def test_what_is_not_modeled_is_said_aloud(cloud: Cloud) -> None:
    with pytest.raises(NotImplementedError, match="GetResourceShareInvitations"):
        cloud.client("ram").get_resource_share_invitations()
    with pytest.raises(NotImplementedError, match="AssociateVpcCidrBlock"):
        cloud.client("ec2").associate_vpc_cidr_block(VpcId="vpc-1", Ipv4IpamPoolId="ipam-pool-1")


def test_organizations_knows_the_ipam_administrator(cloud: Cloud) -> None:
    organizations: Any = boto3.client("organizations", HOME)
    listing = organizations.get_paginator("list_delegated_administrators")

    def administrators(**params: Any) -> list[str]:
        return [one["Id"] for page in listing.paginate(**params) for one in page["DelegatedAdministrators"]]

    assert administrators(ServicePrincipal="ipam.amazonaws.com") == []
    cloud.new_pool()
    assert administrators(ServicePrincipal="ipam.amazonaws.com") == administrators() == [NETWORKING]
    assert administrators(ServicePrincipal="config.amazonaws.com") == []


def test_an_account_has_a_state_and_no_status(cloud: Cloud) -> None:
    organizations = cloud.client("organizations", MANAGEMENT)
    organizations.create_organization(FeatureSet="ALL")
    created = organizations.create_account(AccountName="shop", Email="shop@example.com")["CreateAccountStatus"]

    def shop() -> Any:
        account = organizations.describe_account(AccountId=created["AccountId"])["Account"]
        return account["State"], "Status" in account

    assert shop() == ("ACTIVE", False)
    organizations.close_account(AccountId=created["AccountId"])
    assert shop() == ("CLOSED", False)


def test_organizations_answers_administrators_only(cloud: Cloud) -> None:
    with pytest.raises(ClientError) as raised:
        cloud.client("organizations", MEMBER).list_delegated_administrators()

    assert code_of(raised) == "AccessDeniedException"


def test_leaving_the_context_leaves_moto_as_it_was() -> None:
    from moto.ec2.responses import EC2Response
    from moto.organizations.responses import OrganizationsResponse
    from moto.ram import urls
    from moto.ram.responses import ResourceAccessManagerResponse

    patched = (EC2Response, OrganizationsResponse, ResourceAccessManagerResponse)
    before = [dict(vars(one)) for one in patched], dict(urls.url_paths)

    with mock_aws(), installed(Models(ManualClock(), Organization(MANAGEMENT, set))):
        assert before != ([dict(vars(one)) for one in patched], dict(urls.url_paths))

    assert before == ([dict(vars(one)) for one in patched], dict(urls.url_paths))


def test_a_mock_leaves_nothing_to_the_next_and_nothing_in_memory() -> None:
    with mock_aws():
        boto3.client("organizations", HOME).create_organization(FeatureSet="ALL")

    assert not organizations_backends[MANAGEMENT]
    assert not FakeOrganization.instances_tracked  # type: ignore[attr-defined]  # of moto's metaclass
