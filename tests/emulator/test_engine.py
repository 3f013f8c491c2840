"""The engine behaves as AWS where ministack alone does not, and accepts nothing that AWS refuses."""

from __future__ import annotations

import base64
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4
from zipfile import ZipFile

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from landing_zone.engine import Engine, EngineFailed
from landing_zone.reading import eventually

MANAGEMENT, NETWORK, MEMBER, OUTSIDER = "111111111111", "222222222222", "000000000042", "999999999999"
REGION, LOCALE = "us-east-1", "us-east-1"

# A function that calls AWS as it is told, and answers what came of it.
CALLS = """
import boto3, json
from botocore.config import Config
from botocore.exceptions import ClientError

def handler(event, context):
    client = boto3.client(event["service"], config=Config(retries={"max_attempts": 1}))
    try:
        answer = getattr(client, event["method"])(**event["arguments"])
    except ClientError as error:
        return {"code": error.response["Error"]["Code"], "message": error.response["Error"]["Message"]}
    answer.pop("ResponseMetadata")
    return json.loads(json.dumps(answer, default=str))
"""

# A custom resource that does what its properties say, and remembers nothing.
CUSTOM = """
import cfnresponse, json, logging, os
logging.getLogger().setLevel("INFO")

def handler(event, context):
    logging.info("told %s %s", event["RequestType"], event.get("PhysicalResourceId"))
    wish = event["ResourceProperties"].get("Wish", "")
    if event["RequestType"] == "Create" and wish == "fail":
        cfnresponse.send(event, context, cfnresponse.FAILED, {}, "half-made", reason="no such luck")
    else:
        data = {"Wish": wish, "Variables": ",".join(sorted(os.environ))}
        cfnresponse.send(event, context, cfnresponse.SUCCESS, data, "made")
"""


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with Engine.start() as engine:
        engine.set_up(
            MANAGEMENT,
            [
                {"name": "Infrastructure", "accounts": [{"id": NETWORK, "name": "network"}]},
                {"name": "Prod OU", "accounts": [{"id": MEMBER, "name": "shop"}]},
            ],
        )
        yield engine


@pytest.fixture(scope="module")
def pool(engine: Engine) -> dict[str, Any]:
    """Create a pool of the Networking account, for VPCs tagged Env=Prod OU, shared with the member account."""
    engine.client("ec2", MANAGEMENT).enable_ipam_organization_admin_account(DelegatedAdminAccountId=NETWORK)
    engine.client("ram", MANAGEMENT).enable_sharing_with_aws_organization()
    ec2 = engine.client("ec2", NETWORK)
    ipam = ec2.create_ipam()["Ipam"]
    eventually(lambda: [one["State"] for one in ec2.describe_ipams()["Ipams"]] == ["create-complete"])
    made = ec2.create_ipam_pool(
        IpamScopeId=ipam["PrivateDefaultScopeId"],
        AddressFamily="ipv4",
        Locale=LOCALE,
        AllocationResourceTags=[{"Key": "Env", "Value": "Prod OU"}],
    )["IpamPool"]
    eventually(lambda: [one["State"] for one in ec2.describe_ipam_pools()["IpamPools"]] == ["create-complete"])
    ec2.provision_ipam_pool_cidr(IpamPoolId=made["IpamPoolId"], Cidr="10.0.0.0/16")
    cidrs = {"IpamPoolId": made["IpamPoolId"]}
    eventually(lambda: [row["State"] for row in ec2.get_ipam_pool_cidrs(**cidrs)["IpamPoolCidrs"]] == ["provisioned"])
    ram = engine.client("ram", NETWORK)
    share = ram.create_resource_share(name="shared", principals=[MEMBER], allowExternalPrincipals=False)[
        "resourceShare"
    ]
    eventually(lambda: has_pool(ram, share["resourceShareArn"], made["IpamPoolArn"]))
    eventually(lambda: bool(engine.client("ec2", MEMBER).describe_ipam_pools()["IpamPools"]))
    return {**made, "share": share["resourceShareArn"], "IpamScopeId": ipam["PrivateDefaultScopeId"]}


def has_pool(ram: Any, share_arn: str, pool_arn: str) -> bool:
    """Put the pool into the share, which RAM refuses soon after sharing was enabled."""
    try:
        ram.associate_resource_share(resourceShareArn=share_arn, resourceArns=[pool_arn])
    except ram.exceptions.OperationNotPermittedException:
        return False
    return True


Call = Callable[..., Any]


def caller_of(engine: Engine, account_id: str, function: str) -> Call:
    """Return a caller that makes the function call AWS with a service, a method and its arguments."""
    lambdas = engine.client("lambda", account_id)

    def call(service: str, method: str, **arguments: Any) -> Any:
        event = {"service": service, "method": method, "arguments": arguments}
        answer = lambdas.invoke(FunctionName=function, Payload=json.dumps(event))
        return json.loads(answer["Payload"].read())

    return call


LONGEST_CHANGE_S = 60  # of a pool, which is locked until then


@pytest.fixture(scope="module")
def function(engine: Engine) -> Callable[..., Call]:
    """Let a function in the Networking account do what these statements allow and no more; return the function.

    Whatever a test changed before is finished by then.
    """
    outputs = deploy(engine, NETWORK, "caller", caller_template([]))
    call, iam = caller_of(engine, NETWORK, outputs["Function"]), engine.client("iam", NETWORK)

    def allowed(*statements: dict[str, Any]) -> Call:
        document = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
        iam.put_role_policy(RoleName=outputs["Role"].rsplit("/", 1)[-1], PolicyName="p", PolicyDocument=document)
        engine.advance(LONGEST_CHANGE_S)
        return call

    return allowed


def allow(action: str | list[str], resource: str = "*", **condition: Any) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Action": action, "Resource": resource}
    return statement | ({"Condition": condition} if condition else {})


def role(statements: list[dict[str, Any]]) -> dict[str, Any]:
    logs = allow(["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"])
    return {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "AssumeRolePolicyDocument": {
                "Version": "2012-10-17",
                "Statement": [
                    {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
                ],
            },
            "Policies": [
                {"PolicyName": "p", "PolicyDocument": {"Version": "2012-10-17", "Statement": [logs, *statements]}}
            ],
        },
    }


def function_resource(code: dict[str, Any]) -> dict[str, Any]:
    return {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "Runtime": "python3.13",
            "Handler": "index.handler",
            "Timeout": 20,
            "Role": {"Fn::GetAtt": ["Role", "Arn"]},
            "Code": code,
        },
    }


def caller_template(statements: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "Resources": {"Role": role(statements), "Function": function_resource({"ZipFile": CALLS})},
        "Outputs": {"Function": {"Value": {"Ref": "Function"}}, "Role": {"Value": {"Fn::GetAtt": ["Role", "Arn"]}}},
    }


def custom_template(wish: str) -> dict[str, Any]:
    token = {"ServiceToken": {"Fn::GetAtt": ["Function", "Arn"]}, "Wish": wish}
    return {
        "Resources": {
            "Role": role([]),
            "Function": function_resource({"ZipFile": CUSTOM}),
            "Wished": {"Type": "Custom::Wish", "Properties": token},
        },
        "Outputs": {
            "Wish": {"Value": {"Fn::GetAtt": ["Wished", "Wish"]}},
            "Variables": {"Value": {"Fn::GetAtt": ["Wished", "Variables"]}},
            "Function": {"Value": {"Ref": "Function"}},
        },
    }


def deploy(engine: Engine, account_id: str, name: str, template: dict[str, Any], ok: bool = True) -> dict[str, str]:
    """Create a stack, wait for its end, and return its outputs."""
    cloudformation = engine.client("cloudformation", account_id)
    cloudformation.create_stack(
        StackName=name, TemplateBody=json.dumps(template), Capabilities=["CAPABILITY_NAMED_IAM"]
    )
    stack = settle(engine, account_id, name)
    assert stack["StackStatus"] == ("CREATE_COMPLETE" if ok else "ROLLBACK_COMPLETE"), reasons(engine, account_id, name)
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


def settle(engine: Engine, account_id: str, name: str) -> dict[str, Any]:
    cloudformation = engine.client("cloudformation", account_id)
    eventually(lambda: "IN_PROGRESS" not in cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"])
    stack: dict[str, Any] = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    return stack


def reasons(engine: Engine, account_id: str, name: str) -> str:
    events = engine.client("cloudformation", account_id).describe_stack_events(StackName=name)["StackEvents"]
    return " ".join(
        event["ResourceStatusReason"]
        for event in events
        if event["ResourceStatus"].endswith("FAILED") and "ResourceStatusReason" in event
    )


def bucket_with(engine: Engine, account_id: str, key: str, content: bytes) -> str:
    name = f"bucket-{uuid4().hex[:12]}"
    s3 = engine.client("s3", account_id)
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key=key, Body=content)
    return name


def stack_set_template(bucket: str, accounts: list[str], **properties: Any) -> dict[str, Any]:
    return {
        "Resources": {
            "Set": {
                "Type": "AWS::CloudFormation::StackSet",
                "Properties": {
                    "StackSetName": {"Fn::Sub": "${AWS::StackName}-set"},
                    "PermissionModel": "SELF_MANAGED",
                    "AdministrationRoleARN": {
                        "Fn::Sub": "arn:aws:iam::${AWS::AccountId}:role/service-role/AWSControlTowerStackSetRole"
                    },
                    "ExecutionRoleName": "AWSControlTowerExecution",
                    "Capabilities": ["CAPABILITY_IAM"],
                    "TemplateURL": f"https://{bucket}.s3.amazonaws.com/nested.json",
                    "StackInstancesGroup": [{"DeploymentTargets": {"Accounts": accounts}, "Regions": [REGION]}],
                    **properties,
                },
            }
        },
        "Outputs": {"Set": {"Value": {"Ref": "Set"}}},
    }


def test_a_custom_resource_in_a_template_answers_and_its_logs_are_kept(engine: Engine) -> None:
    outputs = deploy(engine, MANAGEMENT, "wish", custom_template("bread"))

    assert outputs["Wish"] == "bread"
    logs = engine.client("logs", MANAGEMENT).filter_log_events(logGroupName=f"/aws/lambda/{outputs['Function']}")
    assert any("told Create None" in event["message"] for event in logs["events"])


def logging_function(engine: Engine, name: str, code: str) -> Callable[[str], str]:
    """Deploy a function, and return what invokes it with an event and returns the end of the log."""
    template = caller_template([])
    template["Resources"]["Function"] = function_resource({"ZipFile": code})
    function = deploy(engine, MANAGEMENT, name, template)["Function"]
    client = engine.client("lambda", MANAGEMENT)

    def end_of_log(event: str) -> str:
        answer = client.invoke(FunctionName=function, LogType="Tail", Payload=json.dumps(event))
        return base64.b64decode(answer["LogResult"]).decode()

    return end_of_log


CHATTERBOX = """
def handler(event, context):
    for number in range(20000):
        print(number)
    print("the end of", event)
    if event == "failure":
        raise RuntimeError("no such luck")
"""


def test_the_log_of_an_invocation_is_whole_however_busy_the_engine_is(engine: Engine) -> None:
    last_lines = logging_function(engine, "chatterbox", CHATTERBOX)
    names = ["success", "failure", *map(str, range(4))]
    with ThreadPoolExecutor(len(names)) as at_once:
        told = dict(zip(names, at_once.map(last_lines, names), strict=True))

    assert [name for name in names if f"the end of {name}" not in told[name]] == []


MUMBLER = """
import os, sys
def handler(event, context):
    if event == "bytes that are no text":
        os.write(2, b"\\xff\\n")
    if event == "a control character":
        print(chr(4))
    print("told", event, end="")
    if event == "another stream":
        sys.stderr = open(os.devnull, "w")
"""


def test_whatever_a_function_writes_its_log_ends_where_it_answers(engine: Engine) -> None:
    told = logging_function(engine, "mumbler", MUMBLER)

    for event in ("no new line", "a control character", "bytes that are no text", "another stream"):
        first, second = told(event), told("the next")
        assert ([line for line in first.splitlines() if "told" in line], "told" in second) == ([f"told {event}"], True)


def test_a_function_makes_no_log_group_if_its_role_may_not(engine: Engine) -> None:
    template = caller_template([])
    policy = template["Resources"]["Role"]["Properties"]["Policies"][0]["PolicyDocument"]
    policy["Statement"] = [allow(["logs:CreateLogStream", "logs:PutLogEvents"])]
    function = deploy(engine, NETWORK, "no-log-group", template)["Function"]

    caller_of(engine, NETWORK, function)("sts", "get_caller_identity")

    groups = engine.client("logs", NETWORK).describe_log_groups(logGroupNamePrefix=f"/aws/lambda/{function}")
    assert groups["logGroups"] == []


def test_nothing_of_the_host_is_in_a_functions_environment(engine: Engine) -> None:
    variables = deploy(engine, MANAGEMENT, "variables", custom_template(""))["Variables"].split(",")

    assert not {"PYTHONPATH", "AUTH", "GATEWAY_PORT", "HOME", "AWS_PROFILE"} & set(variables)
    assert "AWS_LAMBDA_FUNCTION_NAME" in variables


def test_a_failed_create_of_a_custom_resource_is_told_and_rolled_back_under_the_id_that_it_gave(engine: Engine) -> None:
    deploy(engine, MANAGEMENT, "no-luck", custom_template("fail"), ok=False)

    assert "no such luck" in reasons(engine, MANAGEMENT, "no-luck")
    events = engine.client("cloudformation", MANAGEMENT).describe_stack_events(StackName="no-luck")["StackEvents"]
    deleted = [event for event in events if event["ResourceStatus"] == "DELETE_COMPLETE"]
    assert "half-made" in [event["PhysicalResourceId"] for event in deleted if event["ResourceType"] == "Custom::Wish"]


def test_a_stack_set_deploys_into_another_account_and_its_stacks_go_with_it(engine: Engine) -> None:
    nested = caller_template([]) | {"Parameters": {"Colour": {"Type": "String"}}}
    nested["Outputs"]["Colour"] = {"Value": {"Ref": "Colour"}}
    bucket = bucket_with(engine, MANAGEMENT, "nested.json", json.dumps(nested).encode())
    parameters = [{"ParameterKey": "Colour", "ParameterValue": "red"}]

    deploy(engine, MANAGEMENT, "parent", stack_set_template(bucket, [NETWORK], Parameters=parameters))

    there = engine.client("cloudformation", NETWORK)
    [stack] = [one for one in there.describe_stacks()["Stacks"] if one["StackName"].startswith("StackSet-parent-set-")]
    outputs = {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}
    assert outputs["Colour"] == "red"
    assert f"::{NETWORK}:" in outputs["Role"]
    assert engine.client("lambda", NETWORK).get_function(FunctionName=outputs["Function"])

    here = engine.client("cloudformation", MANAGEMENT)
    nested["Description"] = "new content behind the same URL"
    engine.client("s3", MANAGEMENT).put_object(Bucket=bucket, Key="nested.json", Body=json.dumps(nested))
    same = json.dumps(stack_set_template(bucket, [NETWORK], Parameters=parameters))
    with pytest.raises(ClientError, match="No updates are to be performed"):
        here.update_stack(StackName="parent", TemplateBody=same)

    parameters[0]["ParameterValue"] = "blue"
    changed = stack_set_template(bucket, [NETWORK], Parameters=parameters)
    here.update_stack(StackName="parent", TemplateBody=json.dumps(changed))
    assert settle(engine, MANAGEMENT, "parent")["StackStatus"] == "UPDATE_COMPLETE"
    [stack] = there.describe_stacks(StackName=stack["StackName"])["Stacks"]
    assert {"OutputKey": "Colour", "OutputValue": "blue"}.items() <= stack["Outputs"][-1].items()

    here.delete_stack(StackName="parent")
    eventually(lambda: _gone(there, stack["StackName"]))


def _gone(cloudformation: Any, name: str) -> bool:
    try:
        return bool(cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"] == "DELETE_COMPLETE")
    except ClientError:
        return True


def test_a_stack_set_says_what_failed_in_the_other_account(engine: Engine) -> None:
    bucket = bucket_with(engine, MANAGEMENT, "nested.json", json.dumps(custom_template("fail")).encode())

    deploy(engine, MANAGEMENT, "broken", stack_set_template(bucket, [NETWORK]), ok=False)

    told = reasons(engine, MANAGEMENT, "broken")
    assert "was unexpectedly stopped or failed. status reason(s): [ResourceLogicalId:Wished" in told
    assert "ResourceStatusReason:no such luck" in told


@pytest.mark.parametrize(
    ("accounts", "properties", "told"),
    [
        ([MANAGEMENT], {}, f"Account {MANAGEMENT} should have 'AWSControlTowerExecution' role"),
        ([OUTSIDER], {}, f"Account {OUTSIDER} should have 'AWSControlTowerExecution' role"),
        ([NETWORK], {"Capabilities": []}, "Requires capabilities : [CAPABILITY_IAM]"),
        (
            [NETWORK],
            {"AdministrationRoleARN": f"arn:aws:iam::{MANAGEMENT}:role/AWSControlTowerStackSetRole"},
            "role with trust relationship to CloudFormation service",
        ),
        ([NETWORK], {"TemplateURL": "https://example.com/nested.json"}, "is not a valid S3 domain"),
    ],
    ids=["management account", "account without the role", "no capabilities", "role without its path", "no S3 URL"],
)
def test_a_stack_set_is_refused(engine: Engine, accounts: list[str], properties: dict[str, Any], told: str) -> None:
    bucket = bucket_with(engine, MANAGEMENT, "nested.json", json.dumps(caller_template([])).encode())
    name = f"refused-{uuid4().hex[:8]}"

    deploy(engine, MANAGEMENT, name, stack_set_template(bucket, accounts, **properties), ok=False)

    assert told in reasons(engine, MANAGEMENT, name)


def test_a_role_needs_each_permission_that_ipam_asks_for(function: Callable[..., Call], pool: dict[str, Any]) -> None:
    wanted = {"IpamScopeId": pool["IpamScopeId"], "AddressFamily": "ipv4", "Description": "a test's"}
    tagged = {"TagSpecifications": [{"ResourceType": "ipam-pool", "Tags": [{"Key": "k", "Value": "v"}]}]}
    pools = f"arn:aws:ec2::{NETWORK}:ipam-pool/*"
    scopes = f"arn:aws:ec2::{NETWORK}:ipam-scope/*"

    def attempt(*statements: dict[str, Any], **arguments: Any) -> str:
        return str(function(*statements)("ec2", "create_ipam_pool", **wanted, **arguments).get("code", "made"))

    both = [allow("ec2:CreateIpamPool", pools), allow("ec2:CreateIpamPool", scopes)]
    assert attempt(both[0]) == "UnauthorizedOperation"
    assert attempt(both[1]) == "UnauthorizedOperation"
    assert attempt(*both) == "made"
    assert attempt(*both, **tagged) == "UnauthorizedOperation"
    on_create = {"ec2:CreateAction": "CreateIpamPool", "aws:RequestTag/k": "v"}
    assert attempt(*both, allow("ec2:CreateTags", pools, StringEquals=on_create), **tagged) == "made"


def test_a_pools_tags_decide_who_may_change_it(
    engine: Engine, function: Callable[..., Call], pool: dict[str, Any]
) -> None:
    engine.client("ec2", NETWORK).create_tags(Resources=[pool["IpamPoolId"]], Tags=[{"Key": "owner", "Value": "us"}])
    change = {"IpamPoolId": pool["IpamPoolId"], "Description": uuid4().hex}

    def attempt(key: str, value: str) -> str:
        call = function(allow("ec2:ModifyIpamPool", "*", StringEquals={key: value}))
        return str(call("ec2", "modify_ipam_pool", **change).get("code", "changed"))

    assert attempt("aws:ResourceTag/owner", "them") == "UnauthorizedOperation"
    assert attempt("ec2:ResourceTag/owner", "us") == "changed"
    assert attempt("aws:ResourceTag/owner", "us") == "changed"


def test_sharing_a_pool_needs_rams_permission_and_the_pools(
    function: Callable[..., Call], pool: dict[str, Any]
) -> None:
    wanted = {"name": "x", "resourceArns": [pool["IpamPoolArn"]], "principals": [MEMBER]}
    inside = {"allowExternalPrincipals": False}
    create = allow("ram:CreateResourceShare", "*", Bool={"ram:RequestedAllowsExternalPrincipals": "false"})
    pools = allow("ec2:PutResourcePolicy", f"arn:aws:ec2::{NETWORK}:ipam-pool/*")
    tag = allow("ram:TagResource", f"arn:aws:ram:*:{NETWORK}:resource-share/*")
    tags = {"tags": [{"key": "a", "value": "b"}]}

    def attempt(*statements: dict[str, Any], **arguments: Any) -> str:
        return str(function(*statements)("ram", "create_resource_share", **wanted, **arguments).get("code", "shared"))

    assert attempt(pools, **inside) == "AccessDeniedException"
    assert attempt(create, **inside) == "AccessDeniedException"
    assert attempt(create, pools) == "AccessDeniedException"
    assert attempt(create, pools, **inside) == "shared"
    assert attempt(create, pools, **inside, **tags) == "AccessDeniedException"
    assert attempt(create, pools, tag, **inside, **tags) == "shared"


def test_what_a_role_used_is_known(engine: Engine, pool: dict[str, Any]) -> None:
    template = caller_template([allow(["ec2:DescribeIpamPools", "ec2:DescribeIpams"])])
    outputs = deploy(engine, NETWORK, "used", template)
    call = caller_of(engine, NETWORK, outputs["Function"])

    call("ec2", "describe_ipam_pools")
    call("ec2", "delete_ipam_pool", IpamPoolId=pool["IpamPoolId"])

    used = engine.used_permissions()[outputs["Role"]]
    assert used == ["ec2:DescribeIpamPools", "logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]


def test_a_session_policy_limits_the_administrator(engine: Engine, pool: dict[str, Any]) -> None:
    policy = {"Version": "2012-10-17", "Statement": [allow("ec2:DescribeIpamPools"), allow("ram:GetResourceShares")]}
    lifecycle = deploy(
        engine, MANAGEMENT, "lifecycle", caller_template([allow("sts:AssumeRole", f"arn:aws:iam::{NETWORK}:role/*")])
    )
    credentials = caller_of(engine, MANAGEMENT, lifecycle["Function"])(
        "sts",
        "assume_role",
        RoleArn=f"arn:aws:iam::{NETWORK}:role/AWSControlTowerExecution",
        RoleSessionName="limited",
        Policy=json.dumps(policy),
    )["Credentials"]

    ec2, ram = (engine.client_as(service, credentials) for service in ("ec2", "ram"))
    assert ec2.describe_ipam_pools()["IpamPools"]
    assert ram.get_resource_shares(resourceOwner="SELF")["resourceShares"]
    with pytest.raises(ClientError, match="UnauthorizedOperation"):
        ec2.delete_ipam_pool(IpamPoolId=pool["IpamPoolId"])
    with pytest.raises(ClientError, match="AccessDeniedException"):
        ram.delete_resource_share(resourceShareArn=pool["share"])


def zipped(code: str) -> bytes:
    content = io.BytesIO()
    with ZipFile(content, "w") as archive:
        archive.writestr("index.py", code)
    return content.getvalue()


def test_code_in_another_accounts_bucket_needs_that_buckets_policy(engine: Engine) -> None:
    bucket = bucket_with(engine, MANAGEMENT, "code.zip", zipped(CALLS))
    template = {
        "Resources": {"Role": role([]), "Function": function_resource({"S3Bucket": bucket, "S3Key": "code.zip"})},
        "Outputs": {"Function": {"Value": {"Ref": "Function"}}},
    }

    deploy(engine, NETWORK, "foreign-code-refused", template, ok=False)

    told = reasons(engine, NETWORK, "foreign-code-refused")
    assert f"have permission to GetObject for {bucket}/code.zip. S3 Error Code: AccessDenied" in told
    reader = {"AWS": f"arn:aws:iam::{NETWORK}:role/AWSControlTowerExecution"}
    statement = allow("s3:GetObject", f"arn:aws:s3:::{bucket}/*") | {"Principal": reader}
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    engine.client("s3", MANAGEMENT).put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
    outputs = deploy(engine, NETWORK, "foreign-code", template)
    assert caller_of(engine, NETWORK, outputs["Function"])("sts", "get_caller_identity")["Account"] == NETWORK


def test_code_that_is_not_in_the_bucket_fails_the_function(engine: Engine) -> None:
    bucket = bucket_with(engine, NETWORK, "code.zip", zipped(CALLS))
    template = {
        "Resources": {"Role": role([]), "Function": function_resource({"S3Bucket": bucket, "S3Key": "typo.zip"})}
    }

    deploy(engine, NETWORK, "no-code", template, ok=False)

    assert "S3 Error Code: NoSuchKey" in reasons(engine, NETWORK, "no-code")


def lifecycle_rule(permission: bool) -> dict[str, Any]:
    """Return a rule on all Control Tower events, a function that prints them, and a dead-letter queue."""
    printing = "import json\n\ndef handler(event, context):\n    print('seen ' + json.dumps(event))\n"
    template: dict[str, Any] = {
        "Resources": {
            "Role": role([]),
            "Function": function_resource({"ZipFile": printing}),
            "Queue": {"Type": "AWS::SQS::Queue"},
            "Rule": {
                "Type": "AWS::Events::Rule",
                "Properties": {
                    "EventPattern": {"source": ["aws.controltower"]},
                    "Targets": [
                        {
                            "Id": "function",
                            "Arn": {"Fn::GetAtt": ["Function", "Arn"]},
                            "DeadLetterConfig": {"Arn": {"Fn::GetAtt": ["Queue", "Arn"]}},
                        }
                    ],
                },
            },
        },
        "Outputs": {"Function": {"Value": {"Ref": "Function"}}, "Queue": {"Value": {"Ref": "Queue"}}},
    }
    if permission:
        template["Resources"]["Permission"] = {
            "Type": "AWS::Lambda::Permission",
            "Properties": {
                "FunctionName": {"Ref": "Function"},
                "Action": "lambda:InvokeFunction",
                "Principal": "events.amazonaws.com",
                "SourceArn": {"Fn::GetAtt": ["Rule", "Arn"]},
            },
        }
    return template


def test_vending_an_account_reaches_a_rules_function_with_both_of_aws_events(engine: Engine) -> None:
    outputs = deploy(engine, MANAGEMENT, "events", lifecycle_rule(permission=True))
    logs = engine.client("logs", MANAGEMENT)

    engine.vend("012345678901", "vended", "Prod OU")

    def seen() -> list[dict[str, Any]]:
        try:
            lines = logs.filter_log_events(logGroupName=f"/aws/lambda/{outputs['Function']}")["events"]
        except logs.exceptions.ResourceNotFoundException:
            return []
        return [json.loads(line["message"][5:]) for line in lines if line["message"].startswith("seen ")]

    eventually(lambda: len(seen()) == 2)
    by_type = {event["detail-type"]: event for event in seen()}
    assert set(by_type) == {"AWS API Call via CloudTrail", "AWS Service Event via CloudTrail"}
    event = by_type["AWS Service Event via CloudTrail"]
    assert (event["account"], event["region"]) == (MANAGEMENT, REGION)
    status = event["detail"]["serviceEventDetails"]["createManagedAccountStatus"]
    assert status["account"] == {"accountName": "vended", "accountId": "012345678901"}
    assert status["organizationalUnit"]["organizationalUnitName"] == "Prod OU"
    assert status["state"] == "SUCCEEDED"
    organizations = engine.client("organizations", MANAGEMENT)
    assert organizations.describe_account(AccountId="012345678901")["Account"]["State"] == "ACTIVE"
    assert engine.client("iam", "012345678901").get_role(RoleName="AWSControlTowerExecution")


def test_an_account_has_a_state_and_no_status(engine: Engine) -> None:
    organizations = engine.client("organizations", MANAGEMENT)
    engine.vend("999999999901", "to be closed", "Prod OU")

    engine.close("999999999901")

    account = organizations.describe_account(AccountId="999999999901")["Account"]
    assert (account["State"], "Status" in account) == ("CLOSED", False)


def test_an_event_whose_function_does_not_admit_the_rule_goes_to_the_dead_letter_queue(engine: Engine) -> None:
    outputs = deploy(engine, MANAGEMENT, "forgotten", lifecycle_rule(permission=False))

    engine.update(MEMBER)

    sqs = engine.client("sqs", MANAGEMENT)
    [message] = sqs.receive_message(QueueUrl=outputs["Queue"], MessageAttributeNames=["All"])["Messages"]
    assert message["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "NO_PERMISSIONS"
    assert json.loads(message["Body"])["detail"]["eventName"] == "UpdateManagedAccount"


FAILS_AND_MEASURES = """
import json, time

def handler(event, context):
    document = {"_aws": {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [
        {"Namespace": "Pools", "Dimensions": [["Environment"]], "Metrics": [{"Name": "Used"}]}]},
        "Environment": "Prod OU", "Used": 90}
    print(json.dumps(document))
    if event.get("source") == "aws.controltower":
        raise RuntimeError("no such luck")
"""


def watched_template() -> dict[str, Any]:
    """Return a function that fails, its failure queue, an alarm on it, one on all its metrics, and their topic."""
    template = lifecycle_rule(permission=True)
    resources = template["Resources"]
    queue_arn = {"Fn::GetAtt": ["Queue", "Arn"]}
    resources["Role"] = role([{"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": queue_arn}])
    resources["Function"]["Properties"]["Code"] = {"ZipFile": FAILS_AND_MEASURES}
    resources["OnFailure"] = {
        "Type": "AWS::Lambda::EventInvokeConfig",
        "Properties": {
            "FunctionName": {"Ref": "Function"},
            "Qualifier": "$LATEST",
            "MaximumRetryAttempts": 1,
            "DestinationConfig": {"OnFailure": {"Destination": queue_arn}},
        },
    }
    waiting = {
        "Namespace": "AWS/SQS",
        "MetricName": "ApproximateNumberOfMessagesVisible",
        "Dimensions": [{"Name": "QueueName", "Value": {"Fn::GetAtt": ["Queue", "QueueName"]}}],
        "Statistic": "Maximum",
        "Period": 60,
    }
    query = 'SELECT MAX(Used) FROM SCHEMA("Pools", Environment) GROUP BY Environment ORDER BY MAX() DESC'
    used = {"Metrics": [{"Id": "used", "Expression": query, "Period": 300}]}
    for name, watched, threshold in (("Waiting", waiting, 1), ("Used", used, 80)):
        resources[name] = {
            "Type": "AWS::CloudWatch::Alarm",
            "Properties": {
                **watched,
                "ComparisonOperator": "GreaterThanOrEqualToThreshold",
                "Threshold": threshold,
                "EvaluationPeriods": 1,
                "AlarmActions": [],
            },
        }
        template["Outputs"][name] = {"Value": {"Ref": name}}
    return template


def test_what_a_function_fails_at_ends_in_its_queue_and_alarms_see_that_and_its_metrics(engine: Engine) -> None:
    outputs = deploy(engine, MANAGEMENT, "watched", watched_template())
    alarms = engine.client("cloudwatch", MANAGEMENT)

    def states() -> dict[str, str]:
        return {one["AlarmName"]: one["StateValue"] for one in alarms.describe_alarms()["MetricAlarms"]}

    assert states()[outputs["Waiting"]] != "ALARM"
    engine.emit("aws.controltower", "Drift Detected", {})
    eventually(engine.is_idle)

    assert states()[outputs["Used"]] == "ALARM"
    queue = {"QueueUrl": outputs["Queue"], "AttributeNames": ["ApproximateNumberOfMessages"]}
    sqs = engine.client("sqs", MANAGEMENT)
    assert sqs.get_queue_attributes(**queue)["Attributes"]["ApproximateNumberOfMessages"] == "1"
    engine.advance(60)
    assert states()[outputs["Waiting"]] == "ALARM"
    [message] = sqs.receive_message(QueueUrl=outputs["Queue"])["Messages"]
    assert json.loads(message["Body"])["responsePayload"]["errorMessage"] == "no such luck"


def alarm_and_topic(publishes: list[str], uses_key: list[str]) -> dict[str, Any]:
    """Return an alarm that is on at once, and its topic with a key, for these publishers and users of the key."""

    def let(services: list[str], action: str | list[str], **more: Any) -> dict[str, Any]:
        statement = {"Effect": "Allow", "Principal": {"Service": services}, "Action": action, "Resource": "*"}
        return {"Version": "2012-10-17", "Statement": [statement | more]}

    of_this_account = {"Condition": {"StringEquals": {"aws:SourceAccount": MANAGEMENT}}}
    alarm = {
        "Namespace": "Nothing",
        "MetricName": "Published",
        "Statistic": "Sum",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 1,
        "ComparisonOperator": "LessThanThreshold",
        "TreatMissingData": "breaching",
        "AlarmActions": [{"Ref": "Topic"}],
    }
    key = let(uses_key, ["kms:Decrypt", "kms:GenerateDataKey*"], **of_this_account)
    policy = let(publishes, "sns:Publish")
    return {
        "Resources": {
            "Alarm": {"Type": "AWS::CloudWatch::Alarm", "DependsOn": "Policy", "Properties": alarm},
            "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"KmsMasterKeyId": {"Ref": "Key"}}},
            "Policy": {
                "Type": "AWS::SNS::TopicPolicy",
                "Properties": {"Topics": [{"Ref": "Topic"}], "PolicyDocument": policy},
            },
            "Key": {"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": key}},
            "Queue": {"Type": "AWS::SQS::Queue", "Properties": {}},
            "Rule": {
                "Type": "AWS::Events::Rule",
                "Properties": {
                    "EventPattern": {"source": ["example.topics"]},
                    "Targets": [
                        {
                            "Id": "topic",
                            "Arn": {"Ref": "Topic"},
                            "DeadLetterConfig": {"Arn": {"Fn::GetAtt": ["Queue", "Arn"]}},
                        }
                    ],
                },
            },
        },
        "Outputs": {"Alarm": {"Value": {"Ref": "Alarm"}}, "Queue": {"Value": {"Ref": "Queue"}}},
    }


@pytest.mark.parametrize(
    ("publishes", "uses_key", "refusal"),
    [
        (["cloudwatch.amazonaws.com"], ["cloudwatch.amazonaws.com"], ""),
        (["events.amazonaws.com"], ["cloudwatch.amazonaws.com"], "is not authorized to perform: SNS:Publish"),
        (
            ["cloudwatch.amazonaws.com"],
            ["events.amazonaws.com"],
            "authorization to access the SNS topic encryption key",
        ),
    ],
    ids=["both policies let it", "the topic's does not", "the key's does not"],
)
def test_an_alarm_publishes_only_if_the_topic_and_its_key_let_cloudwatch(
    engine: Engine, publishes: list[str], uses_key: list[str], refusal: str, request: pytest.FixtureRequest
) -> None:
    name = f"topic-{request.node.callspec.indices['refusal']}"
    outputs = deploy(engine, MANAGEMENT, name, alarm_and_topic(publishes, uses_key))

    engine.advance(60)

    history = engine.client("cloudwatch", MANAGEMENT).describe_alarm_history(AlarmName=outputs["Alarm"])
    told = json.dumps(history["AlarmHistoryItems"], default=str)
    assert "breaches" in told
    assert ("Failed to execute action" in told) == bool(refusal)
    assert refusal in told


def test_a_rule_cannot_publish_under_a_key_that_asks_for_its_account_since_eventbridge_does_not_tell_it(
    engine: Engine,
) -> None:
    services = ["events.amazonaws.com"]
    outputs = deploy(engine, MANAGEMENT, "topic-of-rule", alarm_and_topic(publishes=services, uses_key=services))

    event = {"Source": "example.topics", "DetailType": "Told", "Detail": "{}"}
    engine.client("events", MANAGEMENT).put_events(Entries=[event])

    sqs = engine.client("sqs", MANAGEMENT)
    [message] = sqs.receive_message(QueueUrl=outputs["Queue"], MessageAttributeNames=["All"])["Messages"]
    assert message["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "NO_PERMISSIONS"


def test_an_account_moves_between_ous(engine: Engine) -> None:
    infrastructure = parent_of(engine, NETWORK)
    engine.vend("012345678902", "moved", "Prod OU")

    engine.move("012345678902", "Infrastructure")

    assert parent_of(engine, "012345678902") == infrastructure


def parent_of(engine: Engine, account_id: str) -> str:
    pages = engine.client("organizations", MANAGEMENT).get_paginator("list_parents").paginate(ChildId=account_id)
    [parent] = pages.build_full_result()["Parents"]
    return str(parent["Id"])


@pytest.mark.parametrize(("method", "asked"), [("list_parents", {"ChildId": MEMBER}), ("list_roots", {})])
def test_an_empty_page_of_a_list_of_organizations_may_have_a_successor(
    engine: Engine, method: str, asked: dict[str, str]
) -> None:
    organizations: Any = engine.client("organizations", MANAGEMENT)
    member = {"list_parents": "Parents", "list_roots": "Roots"}[method]

    first = getattr(organizations, method)(**asked)
    second = getattr(organizations, method)(**asked, NextToken=first["NextToken"])

    assert (first[member], len(second[member]), "NextToken" in second) == ([], 1, False)


def test_organizations_answers_in_pages_and_to_the_management_account_only(engine: Engine) -> None:
    organizations = engine.client("organizations", MANAGEMENT)

    first = organizations.list_accounts(MaxResults=1)
    everything = organizations.get_paginator("list_accounts").paginate().build_full_result()["Accounts"]

    assert len(first["Accounts"]) == 1
    assert {MANAGEMENT, NETWORK, MEMBER} <= {account["Id"] for account in everything}
    there = engine.client("organizations", MEMBER)
    assert there.describe_organization()["Organization"]["MasterAccountId"] == MANAGEMENT
    with pytest.raises(ClientError, match="AccessDeniedException"):
        there.list_accounts()


NOBODY, NOWHERE = "888888888888", "ou-ab12-99999999"
NOT_FOUND = {
    "describe_account": {"AccountId": NOBODY},
    "close_account": {"AccountId": NOBODY},
    "describe_organizational_unit": {"OrganizationalUnitId": NOWHERE},
    "delete_organizational_unit": {"OrganizationalUnitId": NOWHERE},
    "list_accounts_for_parent": {"ParentId": NOWHERE},
    "list_organizational_units_for_parent": {"ParentId": NOWHERE},
    "list_parents": {"ChildId": NOBODY},
    "move_account": {"AccountId": NOBODY, "SourceParentId": NOWHERE, "DestinationParentId": NOWHERE},
}
NOT_AS_MOTO = {"list_parents": "ChildNotFoundException", "move_account": "AccountNotFoundException"}
"""As AWS documents it; moto has other codes.
https://docs.aws.amazon.com/organizations/latest/APIReference/API_ListParents.html, and API_MoveAccount.html"""


def refusals(organizations: Any) -> dict[str, str]:
    """Return method -> the code with which it refuses what does not exist."""
    codes = {}
    for method, arguments in NOT_FOUND.items():
        with pytest.raises(ClientError) as refused:
            getattr(organizations, method)(**arguments)
        codes[method] = refused.value.response["Error"]["Code"]
    return codes


def test_organizations_refuses_what_does_not_exist_as_moto_does(engine: Engine) -> None:
    ours = refusals(engine.client("organizations", MANAGEMENT))
    with mock_aws():
        moto: Any = boto3.client("organizations", REGION)
        moto.create_organization(FeatureSet="ALL")
        motos = refusals(moto)

    assert ours == motos | NOT_AS_MOTO
    assert all(motos[method] != code for method, code in NOT_AS_MOTO.items())


def test_organizations_calls_are_checked_on_the_account_or_the_ou_that_they_name(engine: Engine) -> None:
    parent_id = parent_of(engine, MEMBER)
    arns = f"arn:aws:organizations::{MANAGEMENT}:{{}}"
    statements = [
        allow("organizations:DescribeAccount", arns.format(f"account/o-*/{MEMBER}")),
        allow("organizations:ListAccountsForParent", arns.format("ou/o-*/ou-*")),
    ]
    outputs = deploy(engine, MANAGEMENT, "reader", caller_template(statements))
    call = caller_of(engine, MANAGEMENT, outputs["Function"])

    assert call("organizations", "describe_account", AccountId=MEMBER)["Account"]["Id"] == MEMBER
    assert call("organizations", "list_accounts_for_parent", ParentId=parent_id)["Accounts"]
    refused = call("organizations", "describe_account", AccountId=NETWORK)
    assert refused["code"] == "AccessDeniedException"


def test_an_ipam_in_a_template_gains_operating_regions_and_goes(engine: Engine) -> None:
    properties: dict[str, Any] = {"OperatingRegions": [{"RegionName": REGION}], "Tier": "advanced"}
    template = {
        "Resources": {"Ipam": {"Type": "AWS::EC2::IPAM", "Properties": properties}},
        "Outputs": {"Scope": {"Value": {"Fn::GetAtt": ["Ipam", "PrivateDefaultScopeId"]}}},
    }
    ec2, cloudformation = engine.client("ec2", MEMBER), engine.client("cloudformation", MEMBER)

    assert deploy(engine, MEMBER, "ipam", template)["Scope"].startswith("ipam-scope-")
    properties["OperatingRegions"].append({"RegionName": "us-west-2"})
    cloudformation.update_stack(StackName="ipam", TemplateBody=json.dumps(template))
    assert settle(engine, MEMBER, "ipam")["StackStatus"] == "UPDATE_COMPLETE"
    assert {"RegionName": "us-west-2"} in ec2.describe_ipams()["Ipams"][0]["OperatingRegions"]

    cloudformation.delete_stack(StackName="ipam")
    eventually(lambda: _gone(cloudformation, "ipam"))


def test_a_vpc_from_a_shared_pool_needs_the_pools_tag(engine: Engine, pool: dict[str, Any]) -> None:
    ec2 = engine.client("ec2", MEMBER, LOCALE)
    asked = {"Ipv4IpamPoolId": pool["IpamPoolId"], "Ipv4NetmaskLength": 24}

    with pytest.raises(ClientError, match="missing one or more of the resource tags"):
        ec2.create_vpc(**asked)
    tags = [{"ResourceType": "vpc", "Tags": [{"Key": "Env", "Value": "Prod OU"}]}]
    vpc = ec2.create_vpc(**asked, TagSpecifications=tags)["Vpc"]

    assert vpc["CidrBlock"].startswith("10.0.")
    owner = engine.client("ec2", NETWORK, LOCALE)

    def allocated() -> list[str]:
        rows = owner.get_ipam_pool_allocations(IpamPoolId=pool["IpamPoolId"])["IpamPoolAllocations"]
        return [row.get("ResourceId", "") for row in rows]

    eventually(lambda: vpc["VpcId"] in allocated())
    ec2.delete_vpc(VpcId=vpc["VpcId"])
    assert vpc["VpcId"] in allocated()
    engine.advance(1800)
    eventually(lambda: vpc["VpcId"] not in allocated())


def test_a_vpc_without_a_pool_is_discovered(engine: Engine, pool: dict[str, Any]) -> None:
    ec2, owner = engine.client("ec2", MEMBER, LOCALE), engine.client("ec2", NETWORK)
    tags = [{"Key": "Name", "Value": "shop"}]
    specification = {"ResourceType": "vpc", "Tags": tags}
    vpc = ec2.create_vpc(CidrBlock="10.77.0.0/16", TagSpecifications=[specification])["Vpc"]["VpcId"]

    def discovered() -> list[dict[str, Any]]:
        scope = pool["IpamScopeArn"].rpartition("/")[2]
        asked = {"IpamScopeId": scope, "ResourceType": "vpc", "ResourceId": vpc}
        return owner.get_ipam_resource_cidrs(**asked)["IpamResourceCidrs"]  # type: ignore[no-any-return]

    assert discovered() == []
    engine.advance(1800)
    (found,) = discovered()
    assert (found["ResourceOwnerId"], found["ResourceRegion"], found["ResourceTags"]) == (MEMBER, LOCALE, tags)
    ec2.delete_vpc(VpcId=vpc)
    engine.advance(1800)
    assert discovered() == []


def test_a_template_can_take_a_vpcs_address_from_a_shared_pool(engine: Engine, pool: dict[str, Any]) -> None:
    vpc: dict[str, Any] = {"Ipv4IpamPoolId": pool["IpamPoolId"], "Ipv4NetmaskLength": 24}
    template = {
        "Resources": {"Vpc": {"Type": "AWS::EC2::VPC", "Properties": vpc}},
        "Outputs": {"Block": {"Value": {"Fn::GetAtt": ["Vpc", "CidrBlock"]}}},
    }

    deploy(engine, MEMBER, "untagged", template, ok=False)
    vpc["Tags"] = [{"Key": "Env", "Value": "Prod OU"}]

    assert deploy(engine, MEMBER, "tagged", template)["Block"].endswith(".0/24")


def test_a_pool_in_a_template_is_complete_only_when_it_has_its_cidrs(engine: Engine, pool: dict[str, Any]) -> None:
    properties = {
        "IpamScopeId": pool["IpamScopeId"],
        "AddressFamily": "ipv4",
        "ProvisionedCidrs": [{"Cidr": "172.16.0.0/16"}],
        "Tags": [{"Key": "Name", "Value": "top"}],
    }
    template = {
        "Resources": {"Pool": {"Type": "AWS::EC2::IPAMPool", "Properties": properties}},
        "Outputs": {"Pool": {"Value": {"Ref": "Pool"}}, "Arn": {"Value": {"Fn::GetAtt": ["Pool", "Arn"]}}},
    }
    ec2, cloudformation = engine.client("ec2", NETWORK), engine.client("cloudformation", NETWORK)

    outputs = deploy(engine, NETWORK, "pool", template)

    [row] = ec2.get_ipam_pool_cidrs(IpamPoolId=outputs["Pool"])["IpamPoolCidrs"]
    assert (row["Cidr"], row["State"]) == ("172.16.0.0/16", "provisioned")
    assert outputs["Arn"] == f"arn:aws:ec2::{NETWORK}:ipam-pool/{outputs['Pool']}"

    properties |= {
        "ProvisionedCidrs": [{"Cidr": "172.18.0.0/16"}],
        "Description": "changed",
        "AllocationDefaultNetmaskLength": 24,
        "AllocationResourceTags": [{"Key": "Env", "Value": "SDLC OU"}],
        "Tags": [{"Key": "Name", "Value": "renamed"}],
    }
    cloudformation.update_stack(StackName="pool", TemplateBody=json.dumps(template))
    assert settle(engine, NETWORK, "pool")["StackStatus"] == "UPDATE_COMPLETE", reasons(engine, NETWORK, "pool")
    [changed] = ec2.describe_ipam_pools(IpamPoolIds=[outputs["Pool"]])["IpamPools"]
    assert (changed["Description"], changed["AllocationDefaultNetmaskLength"]) == ("changed", 24)
    assert changed["AllocationResourceTags"] == [{"Key": "Env", "Value": "SDLC OU"}]
    assert changed["Tags"] == [{"Key": "Name", "Value": "renamed"}]

    def states() -> set[str]:
        rows = ec2.get_ipam_pool_cidrs(IpamPoolId=outputs["Pool"])["IpamPoolCidrs"]
        return {f"{row['Cidr']} {row['State']}" for row in rows}

    assert "172.18.0.0/16 provisioned" in states()
    assert "172.16.0.0/16 provisioned" not in states()

    ec2.provision_ipam_pool_cidr(IpamPoolId=outputs["Pool"], Cidr="172.17.0.0/16")
    eventually(lambda: "172.17.0.0/16 provisioned" in states())
    cloudformation.delete_stack(StackName="pool")
    assert settle(engine, NETWORK, "pool")["StackStatus"] == "DELETE_FAILED"
    assert "some provisions were created outside CloudFormation" in reasons(engine, NETWORK, "pool")

    ec2.deprovision_ipam_pool_cidr(IpamPoolId=outputs["Pool"], Cidr="172.17.0.0/16")
    eventually(lambda: not any(state.startswith("172.17") and "deprovisioned" not in state for state in states()))
    cloudformation.delete_stack(StackName="pool")
    eventually(lambda: _gone(cloudformation, "pool"))


def test_a_pool_whose_cidr_cannot_be_provisioned_fails_its_stack(engine: Engine, pool: dict[str, Any]) -> None:
    properties = {
        "IpamScopeId": pool["IpamScopeId"],
        "AddressFamily": "ipv4",
        "ProvisionedCidrs": [{"Cidr": "172.20.0.0/16"}],
    }
    engine.fault("ipam", "fail_next", action="ProvisionIpamPoolCidr", message="taken", code="cidr-not-available")

    template = {"Resources": {"Pool": {"Type": "AWS::EC2::IPAMPool", "Properties": properties}}}
    deploy(engine, NETWORK, "no-pool", template, ok=False)

    assert "taken" in reasons(engine, NETWORK, "no-pool")


def test_an_engine_that_cannot_start_says_why() -> None:
    with pytest.raises(EngineFailed, match="invalid float value"):
        Engine.start(speed="fast")  # type: ignore[arg-type]


def test_a_program_of_its_own_finds_the_engine_through_its_environment(engine: Engine) -> None:
    code = (
        "import boto3; print(boto3.client('sts').get_caller_identity()['Account'], boto3.client('s3').list_buckets())"
    )

    ran = subprocess.run(
        [sys.executable, "-c", code], env=engine.environment(MEMBER), capture_output=True, text=True, check=True
    )

    assert ran.stdout.startswith(MEMBER)


def test_an_engine_whose_starter_is_killed_leaves_no_folder(tmp_path: Path) -> None:
    start = "import time; from landing_zone.engine import Engine; Engine.start()"
    code = f"{start}; print('ready', flush=True); time.sleep(60)"
    environment = os.environ | {"TMPDIR": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[1])}
    with subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE) as starter:
        assert starter.stdout
        assert starter.stdout.readline() == b"ready\n"
        assert len([*tmp_path.iterdir()]) == 1

        starter.kill()

    eventually(lambda: not [*tmp_path.iterdir()])
