"""A policy that names a role stops matching when the role is made again; one that names it by condition does not.

Source  https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from io import BytesIO
from typing import Any
from uuid import uuid4
from zipfile import ZipFile

import pytest
from botocore.exceptions import ClientError, WaiterError

from landing_zone.engine import Engine

MANAGEMENT, NETWORK = "111111111111", "222222222222"
ROLE = f"arn:aws:iam::{NETWORK}:role/AWSControlTowerExecution"
BY_ARN = {"Principal": {"AWS": ROLE}}
BY_CONDITION = {
    "Principal": {"AWS": f"arn:aws:iam::{NETWORK}:root"},
    "Condition": {"ArnEquals": {"aws:PrincipalArn": ROLE}},
}


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with Engine.start(speed=1000) as engine:
        engine.set_up(MANAGEMENT, [{"name": "Infrastructure", "accounts": [{"id": NETWORK, "name": "network"}]}])
        yield engine


def policy(bucket: str, **who: Any) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
    return {"Version": "2012-10-17", "Statement": [statement | who]}


def write(engine: Engine, bucket: str, by_template: bool, **who: Any) -> None:
    """Create the bucket with one object and this policy."""
    code = BytesIO()
    with ZipFile(code, "w") as archive:
        archive.writestr("index.py", "def handler(event, context): pass")
    s3 = engine.client("s3", MANAGEMENT)
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="code.zip", Body=code.getvalue())
    if not by_template:
        s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy(bucket, **who)))
        return
    properties = {"Bucket": bucket, "PolicyDocument": policy(bucket, **who)}
    template = {"Resources": {"Policy": {"Type": "AWS::S3::BucketPolicy", "Properties": properties}}}
    cloudformation = engine.client("cloudformation", MANAGEMENT)
    cloudformation.create_stack(StackName=bucket, TemplateBody=json.dumps(template))
    cloudformation.get_waiter("stack_create_complete").wait(StackName=bucket, WaiterConfig={"Delay": 1})


def may_read(engine: Engine, bucket: str) -> bool:
    """Return whether CloudFormation, with the role's credentials, may read a function's code from the bucket."""
    cloudformation = engine.client("cloudformation", NETWORK)
    function = {
        "Runtime": "python3.13",
        "Handler": "index.handler",
        "Role": ROLE,
        "Code": {"S3Bucket": bucket, "S3Key": "code.zip"},
    }
    template = {"Resources": {"Function": {"Type": "AWS::Lambda::Function", "Properties": function}}}
    name = f"stack-{uuid4().hex}"
    stack_id = cloudformation.create_stack(StackName=name, TemplateBody=json.dumps(template))["StackId"]
    with suppress(WaiterError):
        cloudformation.get_waiter("stack_create_complete").wait(StackName=stack_id, WaiterConfig={"Delay": 1})
    stack = cloudformation.describe_stacks(StackName=stack_id)["Stacks"][0]
    events = cloudformation.describe_stack_events(StackName=stack_id)["StackEvents"]
    refused = any("Error Code: AccessDenied" in event.get("ResourceStatusReason", "") for event in events)
    assert stack["StackStatus"] == ("ROLLBACK_COMPLETE" if refused else "CREATE_COMPLETE")
    return not refused


@pytest.mark.parametrize("by_template", [False, True])
def test_only_a_condition_survives_the_role(engine: Engine, by_template: bool) -> None:
    suffix = "template" if by_template else "api"
    write(engine, f"by-arn-{suffix}", by_template, **BY_ARN)
    write(engine, f"by-condition-{suffix}", by_template, **BY_CONDITION)
    assert may_read(engine, f"by-arn-{suffix}")
    assert may_read(engine, f"by-condition-{suffix}")

    engine.remove_execution_role(NETWORK)
    engine.make_execution_role(NETWORK)

    assert not may_read(engine, f"by-arn-{suffix}")
    assert may_read(engine, f"by-condition-{suffix}")


def test_a_policy_that_is_written_again_means_the_new_role(engine: Engine) -> None:
    write(engine, "written-again", False, **BY_ARN)
    engine.remove_execution_role(NETWORK)
    engine.make_execution_role(NETWORK)
    assert not may_read(engine, "written-again")

    document = json.dumps(policy("written-again", **BY_ARN))
    engine.client("s3", MANAGEMENT).put_bucket_policy(Bucket="written-again", Policy=document)

    assert may_read(engine, "written-again")


def test_a_policy_that_names_no_role_is_refused(engine: Engine) -> None:
    with pytest.raises(ClientError, match="Invalid principal in policy"):
        write(engine, "nobody", False, Principal={"AWS": f"arn:aws:iam::{NETWORK}:role/nobody"})
