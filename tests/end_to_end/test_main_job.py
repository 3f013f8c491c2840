"""The main job: pools, an account, its share, its VPC, a change, and the deletion. In this order, on one engine."""

from __future__ import annotations

import json
from ipaddress import IPv4Network
from typing import Any

import pytest

import ctipam
from ctipam.names import GROWTH_TAG, execution_role_arn
from ctipam.sharing.session_policy import Access
from ctipam.sharing.session_policy import session_policy as policy_of
from ctipam.waiting import RESERVE_S
from landing_zone import deployment, permissions, reading, release
from landing_zone.cli import AwsCli, AwsCliFailed
from landing_zone.company import APPS, HOME_REGION, MANAGEMENT, NETWORKING, SHOP
from landing_zone.engine import Engine

HOUR = 3600
WEST, EAST, IRELAND = "us-west-2", "us-east-1", "eu-west-1"
REGIONS = f"{IRELAND},{WEST},{EAST}"
RESERVED = "192.168.4.0/24"
PROD = "ResourceType=vpc,Tags=[{Key=Env,Value=Prod OU}]"
ENCRYPTED_TOPIC = "to publish to an encrypted topic: https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html"
NEVER_SEEN = {
    "kms:GenerateDataKey": ENCRYPTED_TOPIC,
    "kms:Decrypt": ENCRYPTED_TOPIC,
    "ec2:DeleteTags": "when the stack loses a tag; the tests of pools show it",
    "ram:UntagResource": "when the stack loses a tag; the tests of sharing show it",
    "organizations:ListParents": "for an SDK that does not know the path of an account; the tests of sharing show it",
}
"""Actions that a role needs although nothing here shows it, each with the reason."""


@pytest.fixture(scope="module", autouse=True)
def allowed(deployed: Engine) -> dict[str, list[permissions.Statement]]:
    """Return what each role of both stacks may do, read while the roles exist."""
    return permissions.statements(deployed)


@pytest.fixture(scope="module", autouse=True)
def roles(deployed: Engine) -> dict[str, str]:
    """Return the logical ids of the roles, by ARN, read while the roles exist."""
    return permissions.roles(deployed)


@pytest.fixture(scope="module")
def session_policy() -> list[permissions.Statement]:
    """Return the session policy of sharing in the Networking account, where the role itself is administrator."""
    purposes: tuple[Access, ...] = ("read", "report", "share", "unshare")
    policies = [policy_of("aws", HOME_REGION, NETWORKING, purpose) for purpose in purposes]
    return [statement for policy in policies for statement in policy["Statement"]]


@pytest.fixture(scope="module")
def shop(deployed: Engine) -> Engine:
    """Vend an account in Prod OU, and wait for its share."""
    deployed.vend(SHOP, "shop", "Prod OU")
    reading.eventually(lambda: reading.shares(deployed, SHOP))
    return deployed


@pytest.fixture(scope="module")
def new(shop: Engine, tmp_path_factory: pytest.TempPathFactory) -> release.Release:
    """Upload the next version."""
    made = release.make(tmp_path_factory.mktemp("release"), "1.0.1")
    release.upload(shop, made)
    return made


def used(engine: Engine, role: str) -> set[str]:
    return set(engine.used_permissions().get(role, []))


def output(engine: Engine, name: str, account_id: str = MANAGEMENT) -> str:
    """Return an output of the account's only stack."""
    return outputs(engine, account_id)[name]


def outputs(engine: Engine, account_id: str) -> dict[str, str]:
    (stack,) = engine.client("cloudformation", account_id).describe_stacks()["Stacks"]
    return {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}


def create_vpc(engine: Engine, pool: str, *words: str) -> Any:
    """Create a VPC in us-west-2, as the new account's team does."""
    pool_id = reading.pool(engine, pool).pool_id
    cli = AwsCli(engine, SHOP, WEST)
    return cli.ask("ec2", "create-vpc", "--ipv4-ipam-pool-id", pool_id, "--ipv4-netmask-length", "24", *words)["Vpc"]


def test_there_is_a_pool_for_each_region_and_environment_with_the_right_block(deployed: Engine) -> None:
    assert {pool.name: (pool.cidr, pool.locale) for pool in reading.pools(deployed)} == {
        "landing-zone": ("192.168.0.0/16", "None"),
        "us-west-2": ("192.168.0.0/20", WEST),
        "us-west-2 Prod OU": ("192.168.0.0/21", WEST),
        "us-west-2 SDLC OU": ("192.168.8.0/21", WEST),
        "us-east-1": ("192.168.16.0/20", EAST),
        "us-east-1 Prod OU": ("192.168.16.0/21", EAST),
        "us-east-1 SDLC OU": ("192.168.24.0/21", EAST),
    }


def test_the_outputs_say_where_everything_is(deployed: Engine) -> None:
    for account_id in (MANAGEMENT, NETWORKING):
        named = outputs(deployed, account_id)
        functions = deployed.client("lambda", account_id).list_functions()["Functions"]
        groups = deployed.client("logs", account_id).describe_log_groups()["logGroups"]
        topics = deployed.client("sns", account_id).list_topics()["Topics"]

        assert {value for name, value in named.items() if name.endswith("FunctionName")} == {
            function["FunctionName"] for function in functions
        }
        assert {value for name, value in named.items() if name.endswith("LogGroupName")} == {
            group["logGroupName"] for group in groups
        }
        assert {value for name, value in named.items() if name.endswith("TopicArn")} == {
            topic["TopicArn"] for topic in topics
        }
    assert deployed.client("sqs", MANAGEMENT).get_queue_attributes(QueueUrl=output(deployed, "FailureQueueUrl"))
    assert deployed.client("s3", MANAGEMENT).head_bucket(Bucket=output(deployed, "LambdaZipsBucketName"))
    assert output(deployed, "NetworkingStackSetName") in output(deployed, "WhyNetworkingFailed")
    assert output(deployed, "Version") == output(deployed, "Version", NETWORKING) == ctipam.__version__
    assert output(deployed, "Warnings") == output(deployed, "Warnings", NETWORKING)
    assert output(deployed, "Warnings").startswith("IPAM is new and has not looked for existing VPCs yet")


def test_a_vpc_must_carry_the_name_of_the_ou_and_every_pool_says_what_it_is_for(deployed: Engine) -> None:
    pools = {pool.name: pool for pool in reading.pools(deployed)}
    environment, region = pools["us-west-2 Prod OU"], pools["us-west-2"]

    assert (environment.required_tags, region.required_tags) == ({"Env": "Prod OU"}, {})
    assert environment.description == "Prod OU in us-west-2"
    assert environment.tags["ctipam:region"] == WEST
    assert environment.tags["ctipam:environment"] == "Prod OU"
    assert environment.tags["ctipam:stack-id"].startswith(f"arn:aws:cloudformation:{EAST}:{NETWORKING}:stack/StackSet-")


def test_an_account_that_was_there_before_has_its_pools(deployed: Engine) -> None:
    (share,) = reading.eventually(lambda: reading.shares(deployed, APPS))

    assert share.pools == ["us-east-1 SDLC OU", "us-west-2 SDLC OU"]


def test_a_new_account_gets_one_share_with_exactly_the_pools_of_its_ou_and_closed_to_outsiders(shop: Engine) -> None:
    (share,) = reading.shares(shop, SHOP)

    assert share == reading.ReadShare(
        name=f"ipamShare-{SHOP}",
        external_principals=False,
        pools=["us-east-1 Prod OU", "us-west-2 Prod OU"],
        principals=[SHOP],
    )


def test_an_event_that_comes_twice_changes_nothing(shop: Engine) -> None:
    shop.update(SHOP)
    shop.update(SHOP)
    shop.vend("000000000007", "later", "Prod OU")  # handled after the two
    reading.eventually(lambda: reading.shares(shop, "000000000007"))

    assert len(reading.shares(shop, SHOP)) == 1


def test_an_account_that_could_not_be_created_gets_nothing(shop: Engine) -> None:
    shop.vend("000000000008", "broken", "Prod OU", state="FAILED")
    shop.vend("000000000009", "whole", "Prod OU")
    reading.eventually(lambda: reading.shares(shop, "000000000009"))

    assert reading.shares(shop, "000000000008") == []


def test_a_vpc_without_the_tag_is_refused(shop: Engine) -> None:
    with pytest.raises(AwsCliFailed, match="missing one or more of the resource tags required by the IPAM pool"):
        create_vpc(shop, "us-west-2 Prod OU")


def test_a_vpc_from_the_pool_of_another_ou_is_refused(shop: Engine) -> None:
    with pytest.raises(AwsCliFailed, match=r"InvalidIpamPoolId\.NotFound"):
        create_vpc(shop, "us-west-2 SDLC OU", "--tag-specifications", PROD)


def test_a_vpc_from_the_accounts_own_pool_gets_the_first_block_of_it(shop: Engine) -> None:
    vpc = create_vpc(shop, "us-west-2 Prod OU", "--tag-specifications", PROD)

    assert vpc["CidrBlock"] == "192.168.0.0/24"


def test_a_region_added_later_moves_nothing_and_reaches_the_accounts_that_are_there(shop: Engine) -> None:
    before = {pool.pool_id: pool.cidr for pool in reading.pools(shop)}

    status = deployment.apply(shop, "update-stack", RegionSelection=REGIONS)

    assert status == "UPDATE_COMPLETE", deployment.failures(shop)
    after = {pool.pool_id: pool.cidr for pool in reading.pools(shop)}
    assert before.items() <= after.items()
    assert len(after) == len(before) + 3
    assert reading.shares(shop, SHOP)[0].pools == ["eu-west-1 Prod OU", "us-east-1 Prod OU", "us-west-2 Prod OU"]


def test_costs_are_distributed_an_ou_is_not_monitored_and_addresses_are_reserved_if_that_is_asked_for(
    shop: Engine,
) -> None:
    organizations = shop.client("organizations", MANAGEMENT)
    (root,) = organizations.get_paginator("list_roots").paginate().build_full_result()["Roots"]
    units = organizations.list_organizational_units_for_parent(ParentId=root["Id"])["OrganizationalUnits"]
    (sandbox,) = [unit["Id"] for unit in units if unit["Name"] == "Sandbox"]
    wanted = {"IpamMeteredAccount": "resource-owner", "IpamExcludedOus": sandbox, "ReservedCidrs": RESERVED}

    status = deployment.apply(shop, "update-stack", RegionSelection=REGIONS, **wanted)

    assert status == "UPDATE_COMPLETE", deployment.failures(shop)
    ec2 = shop.client("ec2", NETWORKING)
    assert ec2.describe_ipams()["Ipams"][0]["MeteredAccount"] == "resource-owner"
    (discovery,) = ec2.describe_ipam_resource_discoveries()["IpamResourceDiscoveries"]
    (excluded,) = discovery["OrganizationalUnitExclusions"]
    assert excluded["OrganizationsEntityPath"].endswith(f"/{root['Id']}/{sandbox}/*")
    assert manual_allocations(shop) == [RESERVED]


def manual_allocations(engine: Engine) -> list[str]:
    """Return what is allocated by hand, or reserved, in the pool of Prod OU in us-west-2."""
    pool_id = reading.pool(engine, "us-west-2 Prod OU").pool_id
    found = engine.client("ec2", NETWORKING, WEST).get_ipam_pool_allocations(IpamPoolId=pool_id)
    return [one["Cidr"] for one in found["IpamPoolAllocations"] if one["ResourceType"] == "custom"]


def test_the_watch_reports_a_vpc_that_overlaps_the_pools_and_has_a_changed_pool_mended(shop: Engine) -> None:
    vpc = shop.client("ec2", SHOP, WEST).create_vpc(CidrBlock="192.168.5.0/24")["Vpc"]["VpcId"]
    shop.advance(1800)
    changed_by_hand = reading.pool(shop, "us-east-1 SDLC OU")
    rule = [{"Key": "Env", "Value": "SDLC OU"}]
    shop.client("ec2", NETWORKING).modify_ipam_pool(
        IpamPoolId=changed_by_hand.pool_id, RemoveAllocationResourceTags=rule
    )

    function = output(shop, "PoolUtilizationFunctionName", NETWORKING)
    answer = shop.client("lambda", NETWORKING).invoke(FunctionName=function, Payload=b"{}")

    assert "FunctionError" not in answer, answer["Payload"].read()
    log_group = output(shop, "PoolUtilizationLogGroupName", NETWORKING)
    events = shop.client("logs", NETWORKING).filter_log_events(logGroupName=log_group, limit=10000)["events"]
    assert any(vpc in event["message"] and "OverlappingVpcs" in event["message"] for event in events)
    assert any('"Drift": 1' in event["message"] for event in events)
    reading.eventually(lambda: reading.pool(shop, changed_by_hand.name) == changed_by_hand)


def test_a_pool_grows_in_place_by_a_parameter_and_what_does_not_fit_is_refused_with_the_way_out(shop: Engine) -> None:
    before = {pool.pool_id: pool.cidr for pool in reading.pools(shop)}
    sizes = f"{WEST}/Prod OU=21+21"

    refused = deployment.apply(shop, "update-stack", RegionSelection=REGIONS, PoolSizes=sizes)
    status = deployment.apply(shop, "update-stack", RegionSelection=REGIONS, PoolSizes=f"{WEST}=20+20,{sizes}")

    assert refused == "UPDATE_ROLLBACK_COMPLETE"
    assert status == "UPDATE_COMPLETE", deployment.failures(shop)
    changed = {pool.name: pool.cidr for pool in reading.pools(shop) if pool.cidr != before[pool.pool_id]}
    assert changed == {
        WEST: "192.168.0.0/20, 192.168.48.0/20",
        f"{WEST} Prod OU": "192.168.0.0/21, 192.168.48.0/21",
    }


def test_a_pool_that_stays_over_the_threshold_grows_by_itself_if_that_is_asked_for(shop: Engine) -> None:
    """In eu-west-1, whose pool is full: it has to grow first.

    The clock of functions cannot be moved, so the note that a pool is over the threshold is made older.
    """
    growing = {"PoolSizes": f"{WEST}=20+20,{WEST}/Prod OU=21+21", "PoolGrowth": "on"}
    status = deployment.apply(shop, "update-stack", RegionSelection=REGIONS, **growing)
    assert status == "UPDATE_COMPLETE", deployment.failures(shop)
    full = reading.pool(shop, f"{IRELAND} Prod OU")
    ec2 = shop.client("ec2", NETWORKING, IRELAND)
    block = IPv4Network(full.cidr)
    for length, number in ((22, 0), (23, 2), (24, 6)):  # 87.5 % of it
        part = list(block.subnets(new_prefix=length))[number]
        ec2.allocate_ipam_pool_cidr(IpamPoolId=full.pool_id, Cidr=str(part))

    shop.advance(300)
    reading.eventually(lambda: GROWTH_TAG in reading.pool(shop, full.name).tags)
    note = [{"Key": GROWTH_TAG, "Value": "since=1 blocks=1 told=0"}]
    shop.client("ec2", NETWORKING).create_tags(Resources=[full.pool_id], Tags=note)
    shop.advance(300)
    reading.eventually(lambda: "," in reading.pool(shop, IRELAND).cidr)
    shop.advance(300)
    reading.eventually(lambda: reading.pool(shop, full.name).cidr.startswith(f"{full.cidr}, "))
    shop.advance(300)

    logs, group = shop.client("logs", NETWORKING), output(shop, "PoolUtilizationLogGroupName", NETWORKING)

    def logged(what: str) -> int:
        events = logs.filter_log_events(logGroupName=group, limit=10000)["events"]
        return sum(what in event["message"] for event in events)

    reading.eventually(lambda: logged(f"{IRELAND}/Prod OU has grown to 2 blocks"))
    assert logged("growing pool") == 2


def test_a_block_that_is_declared_no_longer_is_given_back_and_what_grew_by_itself_stays(shop: Engine) -> None:
    grown = reading.pool(shop, f"{IRELAND} Prod OU")
    ec2 = shop.client("ec2", NETWORKING, IRELAND)
    for allocation in ec2.get_ipam_pool_allocations(IpamPoolId=grown.pool_id)["IpamPoolAllocations"]:
        ids = {"IpamPoolId": grown.pool_id, "IpamPoolAllocationId": allocation["IpamPoolAllocationId"]}
        ec2.release_ipam_pool_allocation(**ids, Cidr=allocation["Cidr"])

    status = deployment.apply(shop, "update-stack", RegionSelection=REGIONS)

    assert status == "UPDATE_COMPLETE", deployment.failures(shop)
    cidrs = {pool.name: pool.cidr for pool in reading.pools(shop)}
    assert (cidrs[WEST], cidrs[f"{WEST} Prod OU"]) == ("192.168.0.0/20", "192.168.0.0/21")
    assert cidrs[grown.name] == grown.cidr


def test_a_version_that_was_not_uploaded_is_told_and_nothing_has_changed(shop: Engine) -> None:
    status = deployment.apply(shop, "update-stack", RegionSelection=REGIONS, PackageVersion="9.9.9")

    assert status == "UPDATE_ROLLBACK_COMPLETE"
    (told,) = [failure for failure in deployment.failures(shop) if "CopyZips UPDATE_FAILED" in failure]
    assert "Check LambdaBucket, LambdaPrefix and PackageVersion" in told
    assert "NoSuchKey" in told


def test_an_upgrade_brings_new_code_and_touches_no_pool_share_or_vpc(shop: Engine, new: release.Release) -> None:
    before = reading.addresses(shop, SHOP, WEST)

    status = deployment.apply(shop, "update-stack", template=new.template, RegionSelection=REGIONS, **new.parameters)

    assert status == "UPDATE_COMPLETE", deployment.failures(shop)
    assert reading.addresses(shop, SHOP, WEST) == before
    assert release.code_of_functions(shop) == new.code
    assert manual_allocations(shop) == []
    assert output(shop, "Version") == new.version


def test_why_the_networking_account_failed_is_shown_by_the_command_in_the_outputs(
    shop: Engine, new: release.Release
) -> None:
    (vpc,) = shop.client("ec2", SHOP, WEST).describe_vpcs(Filters=[{"Name": "cidr", "Values": ["192.168.0.0/24"]}])[
        "Vpcs"
    ]

    status = deployment.apply(
        shop, "update-stack", template=new.template, RegionSelection=f"{IRELAND},{EAST}", **new.parameters
    )

    assert status == "UPDATE_ROLLBACK_COMPLETE"
    assert vpc["VpcId"] in AwsCli(shop, MANAGEMENT).shell(output(shop, "WhyNetworkingFailed"))


def test_a_region_can_go_a_pool_is_put_right_and_what_does_not_fit_into_one_invocation_goes_on_in_the_next(
    shop: Engine, new: release.Release, roles: dict[str, str]
) -> None:
    changed_by_hand = reading.pool(shop, "us-west-2 Prod OU")
    shop.client("ec2", NETWORKING).modify_ipam_pool(IpamPoolId=changed_by_hand.pool_id, Description="changed")
    function = output(shop, "IpamFunctionName", NETWORKING)
    shop.client("lambda", NETWORKING).update_function_configuration(FunctionName=function, Timeout=int(RESERVE_S) + 60)
    shop.set_timings(deprovision=2000)

    given: dict[str, Any] = {"RegionSelection": f"{WEST},{EAST}", **new.parameters}
    deployment.begin(shop, "update-stack", template=new.template, **given)
    (role,) = (arn for arn, name in roles.items() if name == "IpamFunctionRole")
    reading.eventually(lambda: "lambda:InvokeFunction" in used(shop, role))
    shop.set_timings(deprovision=5)
    shop.advance(2000)
    status = deployment.end(shop)

    shop.client("lambda", NETWORKING).update_function_configuration(FunctionName=function, Timeout=900)
    assert status == "UPDATE_COMPLETE", deployment.failures(shop)
    pools = {pool.pool_id: pool for pool in reading.pools(shop)}
    assert {pool.locale for pool in pools.values()} == {"None", WEST, EAST}
    assert pools[changed_by_hand.pool_id] == changed_by_hand


def test_an_event_that_cannot_be_handled_is_kept_with_the_error(shop: Engine, new: release.Release) -> None:
    shop.fault(
        "ram",
        "refuse_next",
        action="GetResourceShares",
        error={"code": "MalformedArnException", "message": "no", "status": 400},
        times=3,  # the first attempt and two retries
    )
    shop.update(SHOP)

    sqs, queue = shop.client("sqs", MANAGEMENT), output(shop, "FailureQueueUrl")
    (message,) = reading.eventually(lambda: sqs.receive_message(QueueUrl=queue).get("Messages"))
    kept = json.loads(message["Body"])
    assert kept["requestPayload"]["detail"]["eventName"] == "UpdateManagedAccount"
    assert "MalformedArnException" in json.dumps(kept["responsePayload"])
    assert new.greeting in reading.log(shop, output(shop, "SharingLogGroupName"))


def test_an_account_that_is_moved_gets_the_pools_of_its_new_ou_and_loses_those_of_the_old(shop: Engine) -> None:
    shop.update("000000000009", "SDLC OU")

    reading.eventually(
        lambda: (
            [share.pools for share in reading.shares(shop, "000000000009")]
            == [["us-east-1 SDLC OU", "us-west-2 SDLC OU"]]
        )
    )


def test_an_operator_brings_everybody_in_order_and_the_share_of_an_earlier_version_is_kept_and_closed(
    shop: Engine,
) -> None:
    """The function has no time left when it begins, so it continues in further invocations."""
    ram, functions = shop.client("ram", NETWORKING), shop.client("lambda", MANAGEMENT)
    for share in ram.get_resource_shares(resourceOwner="SELF", name=f"ipamShare-{APPS}")["resourceShares"]:
        ram.delete_resource_share(resourceShareArn=share["resourceShareArn"])
    pool_id = reading.pool(shop, "us-west-2 SDLC OU").pool_id
    ram.create_resource_share(  # as earlier versions did: open, without a tag, with the pools of that day
        name=f"ipamShare-{APPS}",
        resourceArns=[f"arn:aws:ec2::{NETWORKING}:ipam-pool/{pool_id}"],
        principals=[APPS],
    )
    function = output(shop, "LifeCycleFunctionName")
    functions.update_function_configuration(FunctionName=function, Timeout=int(RESERVE_S))

    answer = functions.invoke(FunctionName=function, Payload=json.dumps({"action": "reconcile"}))

    functions.update_function_configuration(FunctionName=function, Timeout=300)
    assert json.loads(answer["Payload"].read())["unfinished"]
    kept = reading.ReadShare(f"ipamShare-{APPS}", False, ["us-east-1 SDLC OU", "us-west-2 SDLC OU"], [APPS])
    reading.eventually(lambda: reading.shares(shop, APPS) == [kept])


def test_an_ou_can_be_renamed_and_its_new_accounts_get_the_same_pools(shop: Engine) -> None:
    before = reading.shares(shop, SHOP)
    ou_id = reading.pool(shop, "us-west-2 Prod OU").tags["ctipam:ou-id"]
    organizations = shop.client("organizations", MANAGEMENT)
    organizations.update_organizational_unit(OrganizationalUnitId=ou_id, Name="Production OU")

    shop.advance(HOUR)  # the schedule fires
    shop.vend("000000000010", "newcomer", "Production OU")

    # The event and the schedule may both create a share; the later one goes away again.
    pools = ["us-east-1 Prod OU", "us-west-2 Prod OU"]
    reading.eventually(lambda: [share.pools for share in reading.shares(shop, "000000000010")] == [pools])
    assert reading.shares(shop, SHOP) == before
    function = output(shop, "LifeCycleFunctionName")
    answer = shop.client("lambda", MANAGEMENT).invoke(FunctionName=function, Payload=json.dumps({"action": "report"}))
    renamed = {
        "environment": "Prod OU",
        "organizationalUnit": "Production OU",
        "organizationalUnitId": ou_id,
    }
    report = json.loads(answer["Payload"].read())
    assert renamed in report["environments"]
    assert {row["name"]: ", ".join(row["cidrs"]) for row in report["tree"]} == {
        pool.name: pool.cidr for pool in reading.pools(shop)
    }
    assert None not in [row["percentUsed"] for row in report["tree"]]
    assert report["watch"]["problem"] == ""
    assert any("192.168.5.0/24" in one["message"] for one in report["watch"]["findings"])


def test_pools_are_not_taken_from_more_accounts_than_the_limit_until_an_operator_permits_it(shop: Engine) -> None:
    functions, function = shop.client("lambda", MANAGEMENT), output(shop, "LifeCycleFunctionName")
    variables = functions.get_function_configuration(FunctionName=function)["Environment"]["Variables"]
    reading.eventually(shop.is_idle)  # what runs already keeps the limit with which it began
    functions.update_function_configuration(
        FunctionName=function, Environment={"Variables": variables | {"UNSHARE_LIMIT": "0"}}
    )
    shop.move("000000000010", "Sandbox")

    sqs, queue = shop.client("sqs", MANAGEMENT), output(shop, "FailureQueueUrl")
    text = "more than UnshareLimit (0), so none was taken away"
    reading.eventually(
        lambda: any(text in one["Body"] for one in sqs.receive_message(QueueUrl=queue).get("Messages", ()))
    )
    kept = reading.shares(shop, "000000000010")
    answer = functions.invoke(FunctionName=function, Payload=json.dumps({"action": "reconcile", "unshare": True}))

    functions.update_function_configuration(FunctionName=function, Environment={"Variables": variables})
    assert [share.pools for share in kept] == [["us-east-1 Prod OU", "us-west-2 Prod OU"]]
    assert json.loads(answer["Payload"].read())["heldBack"] == ""
    assert reading.shares(shop, "000000000010") == []
    shop.advance(HOUR)  # the schedule tells that accounts are in an OU without pools
    sent = {"Name": variables["NOTICES_PARAMETER"]}
    reading.eventually(lambda: shop.client("ssm", MANAGEMENT).get_parameter(**sent)["Parameter"]["Value"] != "none")


def test_when_the_vpcs_are_gone_the_stack_can_be_deleted_and_nothing_is_left(shop: Engine) -> None:
    ec2 = shop.client("ec2", SHOP, WEST)
    for vpc in ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["false"]}])["Vpcs"]:
        ec2.delete_vpc(VpcId=vpc["VpcId"])
    shop.advance(1800)  # as long as IPAM takes to let go of a VPC's block

    status = deployment.delete(shop)

    assert status == "DELETE_COMPLETE", deployment.failures(shop)
    assert set(reading.left_over(shop).values()) == {0}, reading.left_over(shop)


def test_no_role_may_do_what_it_never_does(
    shop: Engine,
    allowed: dict[str, list[permissions.Statement]],
    roles: dict[str, str],
    session_policy: list[permissions.Statement],
) -> None:
    """IAM was enforced in all tests above, so a permission that no role has used by now is not needed.

    test_forced_deletion and test_left_behind show what is there for recovery only.
    """
    by_role = allowed | {execution_role_arn("aws", NETWORKING): session_policy}

    unused = {
        role: sorted(
            permissions.actions(statements)
            - used(shop, role)
            - NEVER_SEEN.keys()
            - permissions.FOR_RECOVERY.get(roles.get(role, ""), frozenset())
        )
        for role, statements in by_role.items()
    }
    assert {role: actions for role, actions in unused.items() if actions} == {}
