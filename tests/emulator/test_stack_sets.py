"""StackSets made by templates: their tags, the API that reads and deletes them, and their deletion.

Sources  https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DeleteStackInstances.html
         https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DeleteStackSet.html
         https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cfn-console-delete-stack.html
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from landing_zone.engine import Engine
from landing_zone.reading import eventually

MANAGEMENT, NETWORK = "111111111111", "222222222222"
REGION = "us-east-1"
BUCKET = "stack-set-templates"
QUEUE = {"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}}

SLOW = """
import cfnresponse, time

def handler(event, context):
    if event["RequestType"] == "Create":
        time.sleep(60)
    cfnresponse.send(event, context, cfnresponse.SUCCESS, {}, "the-id")
"""


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with Engine.start(speed=1000) as engine:
        engine.set_up(MANAGEMENT, [{"name": "Infrastructure", "accounts": [{"id": NETWORK, "name": "network"}]}])
        engine.client("s3", MANAGEMENT).create_bucket(Bucket=BUCKET)
        yield engine


@pytest.fixture(scope="module")
def cloudformation(engine: Engine) -> Any:
    return engine.client("cloudformation", MANAGEMENT)


@pytest.fixture(scope="module")
def there(engine: Engine) -> Any:
    return engine.client("cloudformation", NETWORK)


def stack_set(name: str) -> dict[str, Any]:
    return {
        "Type": "AWS::CloudFormation::StackSet",
        "Properties": {
            "StackSetName": name,
            "Description": f"the stacks of {name}",
            "PermissionModel": "SELF_MANAGED",
            "AdministrationRoleARN": f"arn:aws:iam::{MANAGEMENT}:role/service-role/AWSControlTowerStackSetRole",
            "ExecutionRoleName": "AWSControlTowerExecution",
            "Capabilities": ["CAPABILITY_IAM"],
            "TemplateURL": f"https://{BUCKET}.s3.amazonaws.com/{name}.json",
            "StackInstancesGroup": [{"DeploymentTargets": {"Accounts": [NETWORK]}, "Regions": [REGION]}],
        },
    }


def create(engine: Engine, name: str, nested: dict[str, Any] = QUEUE, **arguments: Any) -> str:
    engine.client("s3", MANAGEMENT).put_object(Bucket=BUCKET, Key=f"{name}.json", Body=json.dumps(nested))
    template = {"Resources": {"Set": stack_set(name)}, "Outputs": {"Set": {"Value": {"Ref": "Set"}}}}
    client = engine.client("cloudformation", MANAGEMENT)
    return str(client.create_stack(StackName=name, TemplateBody=json.dumps(template), **arguments)["StackId"])


def end(cloudformation: Any, stack_id: str) -> str:
    def status() -> str:
        return str(cloudformation.describe_stacks(StackName=stack_id)["Stacks"][0]["StackStatus"])

    eventually(lambda: not status().endswith("_IN_PROGRESS"))
    return status()


def stacks_of(there: Any, name: str) -> list[dict[str, Any]]:
    prefix = f"StackSet-{name}-"
    return [one for one in there.describe_stacks()["Stacks"] if one["StackName"].startswith(prefix)]


def events_of(client: Any, name: str) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = client.describe_stack_events(StackName=name)["StackEvents"]
    return events


def names(cloudformation: Any) -> set[str]:
    return {one["StackName"] for one in cloudformation.describe_stacks()["Stacks"]}


def operation_ends(cloudformation: Any, name: str, operation_id: str) -> str:
    def status() -> str:
        asked = {"StackSetName": name, "OperationId": operation_id}
        return str(cloudformation.describe_stack_set_operation(**asked)["StackSetOperation"]["Status"])

    eventually(lambda: status() != "RUNNING")
    return status()


def test_the_tags_of_a_stack_reach_its_stack_sets_stacks_and_what_they_make(
    engine: Engine, cloudformation: Any, there: Any
) -> None:
    tags = [{"Key": "CostCenter", "Value": "42"}]
    stack_id = create(engine, "tagged", Tags=tags)
    assert end(cloudformation, stack_id) == "CREATE_COMPLETE"

    described = cloudformation.describe_stack_set(StackSetName="tagged")["StackSet"]
    assert (described["Tags"], described["Description"]) == (tags, "the stacks of tagged")
    [stack] = stacks_of(there, "tagged")
    assert stack["Tags"] == tags
    [queue] = there.describe_stack_resources(StackName=stack["StackName"])["StackResources"]
    queue_tags = engine.client("sqs", NETWORK).list_queue_tags(QueueUrl=queue["PhysicalResourceId"])["Tags"]
    assert queue_tags["CostCenter"] == "42"


def test_a_stack_set_whose_name_exists_is_refused(engine: Engine, cloudformation: Any) -> None:
    assert end(cloudformation, create(engine, "taken")) == "CREATE_COMPLETE"
    template = {"Resources": {"Set": stack_set("taken")}}

    second = cloudformation.create_stack(StackName="second", TemplateBody=json.dumps(template))["StackId"]

    assert end(cloudformation, second) == "ROLLBACK_COMPLETE"
    events = cloudformation.describe_stack_events(StackName=second)["StackEvents"]
    assert any("StackSet taken already exists" in one.get("ResourceStatusReason", "") for one in events)
    assert cloudformation.list_stack_instances(StackSetName="taken")["Summaries"]  # the first is untouched


def test_instances_go_with_or_without_their_stacks_and_only_then_the_stack_set(
    engine: Engine, cloudformation: Any, there: Any
) -> None:
    for name in ("retained", "removed"):
        assert end(cloudformation, create(engine, name)) == "CREATE_COMPLETE"
        [instance] = cloudformation.list_stack_instances(StackSetName=name)["Summaries"]
        [stack] = stacks_of(there, name)
        assert (instance["Account"], instance["Region"], instance["StackId"]) == (NETWORK, REGION, stack["StackId"])
        with pytest.raises(ClientError, match="StackSetNotEmptyException"):
            cloudformation.delete_stack_set(StackSetName=name)

        operation_id = cloudformation.delete_stack_instances(
            StackSetName=name, Accounts=[NETWORK], Regions=[REGION], RetainStacks=name == "retained"
        )["OperationId"]
        assert operation_ends(cloudformation, name, operation_id) == "SUCCEEDED"
        assert cloudformation.list_stack_instances(StackSetName=name)["Summaries"] == []
        assert len(stacks_of(there, name)) == (1 if name == "retained" else 0)
        cloudformation.delete_stack_set(StackSetName=name)
        with pytest.raises(ClientError, match="StackSetNotFoundException"):
            cloudformation.describe_stack_set(StackSetName=name)

        cloudformation.delete_stack(StackName=name)  # what is gone already fails no deletion
        eventually(lambda gone=name: gone not in names(cloudformation))  # type: ignore[misc]


def test_an_instance_that_was_deleted_by_hand_is_created_again_by_hand_and_by_no_update(
    engine: Engine, cloudformation: Any, there: Any
) -> None:
    assert end(cloudformation, create(engine, "emptied")) == "CREATE_COMPLETE"
    place: dict[str, Any] = {"StackSetName": "emptied", "Accounts": [NETWORK], "Regions": [REGION]}
    deleted = cloudformation.delete_stack_instances(**place, RetainStacks=False)["OperationId"]
    assert operation_ends(cloudformation, "emptied", deleted) == "SUCCEEDED"
    changed = {"Resources": {"Set": stack_set("emptied")}}
    changed["Resources"]["Set"]["Properties"]["Description"] = "changed"

    cloudformation.update_stack(StackName="emptied", TemplateBody=json.dumps(changed))

    assert end(cloudformation, "emptied") == "UPDATE_COMPLETE"
    assert cloudformation.describe_stack_set(StackSetName="emptied")["StackSet"]["Description"] == "changed"
    assert stacks_of(there, "emptied") == []
    created = cloudformation.create_stack_instances(**place)["OperationId"]
    assert operation_ends(cloudformation, "emptied", created) == "SUCCEEDED"
    assert len(stacks_of(there, "emptied")) == 1


def test_an_update_of_the_stack_waits_for_an_operation_that_somebody_else_has_begun(
    engine: Engine, cloudformation: Any
) -> None:
    """https://github.com/aws-cloudformation/aws-cloudformation-resource-providers-cloudformation (UpdateHandler)"""
    regions = [{"RegionName": REGION}]
    ipam = {"Resources": {"Ipam": {"Type": "AWS::EC2::IPAM", "Properties": {"OperatingRegions": regions}}}}
    assert end(cloudformation, create(engine, "waits", ipam)) == "CREATE_COMPLETE"
    place: dict[str, Any] = {"StackSetName": "waits", "Accounts": [NETWORK], "Regions": [REGION]}
    deleted = cloudformation.delete_stack_instances(**place, RetainStacks=False)["OperationId"]
    assert operation_ends(cloudformation, "waits", deleted) == "SUCCEEDED"
    engine.set_timings(ipam_create=100_000)
    created = cloudformation.create_stack_instances(**place)["OperationId"]
    changed = {"Resources": {"Set": stack_set("waits")}}
    changed["Resources"]["Set"]["Properties"]["Description"] = "changed"

    cloudformation.update_stack(StackName="waits", TemplateBody=json.dumps(changed))
    eventually(
        lambda: any(one["ResourceStatus"] == "UPDATE_IN_PROGRESS" for one in set_events(cloudformation, "waits"))
    )
    engine.advance(100_000)

    assert end(cloudformation, "waits") == "UPDATE_COMPLETE"
    operations = cloudformation.list_stack_set_operations(StackSetName="waits")["Summaries"]
    assert [one["Status"] for one in operations[:2]] == ["SUCCEEDED", "SUCCEEDED"]
    assert operations[1]["OperationId"] == created


def set_events(client: Any, name: str) -> list[dict[str, Any]]:
    return [one for one in events_of(client, name) if one["LogicalResourceId"] == "Set"]


def test_an_operation_has_the_id_that_the_caller_gives_it_once(engine: Engine, cloudformation: Any) -> None:
    assert end(cloudformation, create(engine, "once")) == "CREATE_COMPLETE"
    wanted = {"StackSetName": "once", "Accounts": [NETWORK], "Regions": [REGION], "RetainStacks": True}

    assert cloudformation.delete_stack_instances(**wanted, OperationId="mine")["OperationId"] == "mine"
    assert operation_ends(cloudformation, "once", "mine") == "SUCCEEDED"
    with pytest.raises(ClientError, match="OperationIdAlreadyExistsException"):
        cloudformation.delete_stack_instances(**wanted, OperationId="mine")


def test_the_stacks_of_a_stack_set_are_not_deleted_while_the_execution_role_is_gone(
    engine: Engine, cloudformation: Any, there: Any
) -> None:
    stack_id = create(engine, "roleless")
    assert end(cloudformation, stack_id) == "CREATE_COMPLETE"
    engine.remove_execution_role(NETWORK)

    cloudformation.delete_stack(StackName="roleless")

    assert end(cloudformation, stack_id) == "DELETE_FAILED"
    assert stacks_of(there, "roleless")
    engine.make_execution_role(NETWORK)
    cloudformation.delete_stack(StackName="roleless")
    assert end(cloudformation, stack_id) == "DELETE_COMPLETE"
    assert stacks_of(there, "roleless") == []


def test_each_action_needs_its_permission_on_the_stack_set(engine: Engine, cloudformation: Any) -> None:
    assert end(cloudformation, create(engine, "guarded")) == "CREATE_COMPLETE"
    iam = engine.client("iam", MANAGEMENT)
    trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{MANAGEMENT}:root"}, "Action": "sts:AssumeRole"}
    arn = iam.create_role(
        RoleName="reader", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    )["Role"]["Arn"]
    actions = ["DescribeStackSet", "ListStackInstances", "DeleteStackInstances"]
    allowed = {
        "Effect": "Allow",
        "Action": [f"cloudformation:{action}" for action in actions],
        "Resource": f"arn:aws:cloudformation:{REGION}:{MANAGEMENT}:stackset/guarded:*",
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    iam.put_role_policy(RoleName="reader", PolicyName="p", PolicyDocument=document)
    credentials = engine.client("sts", MANAGEMENT).assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
    reader = engine.client_as("cloudformation", credentials)

    assert reader.describe_stack_set(StackSetName="guarded")["StackSet"]["StackSetName"] == "guarded"
    assert reader.list_stack_instances(StackSetName="guarded")["Summaries"]
    with pytest.raises(ClientError, match="AccessDenied"):
        reader.describe_stack_set(StackSetName="taken")
    with pytest.raises(ClientError, match="AccessDenied"):
        reader.delete_stack_set(StackSetName="guarded")
    with pytest.raises(ClientError, match="AccessDenied"):
        reader.delete_stack_instances(StackSetName="guarded", Accounts=[NETWORK], Regions=[REGION], RetainStacks=True)


def test_a_forced_deletion_leaves_the_stack_set_and_its_stacks(engine: Engine, cloudformation: Any, there: Any) -> None:
    stack_id = create(engine, "forced")
    assert end(cloudformation, stack_id) == "CREATE_COMPLETE"
    [stack] = stacks_of(there, "forced")
    there.update_termination_protection(StackName=stack["StackName"], EnableTerminationProtection=True)

    cloudformation.delete_stack(StackName="forced")
    assert end(cloudformation, stack_id) == "DELETE_FAILED"
    cloudformation.delete_stack(StackName="forced", DeletionMode="FORCE_DELETE_STACK")

    assert end(cloudformation, stack_id) == "DELETE_COMPLETE"
    assert len(stacks_of(there, "forced")) == 1
    assert cloudformation.list_stack_instances(StackSetName="forced")["Summaries"]


def test_a_stack_that_is_deleted_while_its_stack_set_is_made_deletes_that_too(
    engine: Engine, cloudformation: Any, there: Any
) -> None:
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    nested = {
        "Resources": {
            "Role": {
                "Type": "AWS::IAM::Role",
                "Properties": {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]}},
            },
            "Function": {
                "Type": "AWS::Lambda::Function",
                "Properties": {
                    "Runtime": "python3.13",
                    "Handler": "index.handler",
                    "Timeout": 120,
                    "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                    "Code": {"ZipFile": SLOW},
                },
            },
            "Slow": {"Type": "Custom::Slow", "Properties": {"ServiceToken": {"Fn::GetAtt": ["Function", "Arn"]}}},
        }
    }
    stack_id = create(engine, "early", nested)
    eventually(lambda: bool(stacks_of(there, "early")))
    name = stacks_of(there, "early")[0]["StackName"]
    eventually(lambda: "Slow" in {one["LogicalResourceId"] for one in events_of(there, name)})
    began = time.monotonic()

    cloudformation.delete_stack(StackName="early")

    assert end(cloudformation, stack_id) == "DELETE_COMPLETE"
    assert time.monotonic() - began < 50  # the function sleeps for longer
    assert stacks_of(there, "early") == []
    with pytest.raises(ClientError, match="StackSetNotFoundException"):
        cloudformation.describe_stack_set(StackSetName="early")
