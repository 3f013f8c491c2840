"""Test what security reviewers require of every template, and that templates and code work in any Region."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

import ctipam
from checkers.policies import permits
from checkers.template_reader import Loader, read_template

ROOT = Path(__file__).parents[2]
TEMPLATES = sorted((ROOT / "templates").glob("*.yaml"))
MANAGEMENT = ROOT / "templates" / "ipam-controltower-integration.template.yaml"
CODE = sorted([*ROOT.glob("*-lambda/index.py"), *ROOT.glob("libraries/ctipam/**/*.py")])

REGION = re.compile(r"\b(?:us|eu|ap|ca|sa|me|af|il|mx|cn)(?:-gov|-iso[a-z]?)?-[a-z]+-\d\b")
SERVICE = re.compile(r"[a-z0-9-]+\.amazonaws\.com")  # the same in every partition with Control Tower
PROTECTED = re.compile(r"aws-?controltower|stacksets-exec", re.IGNORECASE)
"""Names that the mandatory controls of Control Tower protect in a governed account.
https://docs.aws.amazon.com/controltower/latest/controlreference/mandatory-controls.html"""

STATEFUL = (
    "AWS::EC2::IPAMPool",
    "AWS::KMS::Key",
    "AWS::Logs::LogGroup",
    "AWS::S3::Bucket",
    "AWS::SQS::Queue",
    "AWS::CloudFormation::StackSet",
)
PROSE = {
    "Description",
    "AlarmDescription",
    "Default",
    "AssertDescription",
    "ConstraintDescription",
    "Metadata",
    "ZipFile",
}

each_template = pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)


def resources(path: Path, *types: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, resource in read_template(path)["Resources"].items():
        if not types or resource["Type"] in types:
            yield name, resource


def node(path: Path, *keys: str) -> yaml.Node:
    """Return what is in the file under these keys, with its place."""
    found: Any = yaml.compose(path.read_text(encoding="utf-8"), Loader)
    for key in keys:
        found = next(value for name, value in found.value if name.value == key)
    return found  # type: ignore[no-any-return]


def statements(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every statement of every policy, except trust policies."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "Statement":
                yield from _flat(inner)
            elif key != "AssumeRolePolicyDocument":
                yield from statements(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from statements(inner)


def _flat(listed: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for statement in listed:
        if "Fn::If" in statement:
            yield from (branch for branch in statement["Fn::If"][1:] if "Ref" not in branch)
        else:
            yield statement


def texts(value: Any) -> Iterator[str]:
    """Yield every text that AWS interprets."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key not in PROSE:
                yield from texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)
    elif isinstance(value, str):
        yield str(value)


@each_template
def test_every_statement_of_a_policy_has_a_descriptive_id(path: Path) -> None:
    sids = [statement.get("Sid", "") for statement in statements(read_template(path))]

    assert [sid for sid in sids if not re.fullmatch(r"([A-Z][a-z0-9]*){3,}", sid)] == []


@each_template
def test_each_wildcard_resource_has_a_comment_with_its_reason(path: Path) -> None:
    keys = [name for name, _ in resources(path, "AWS::KMS::Key")]
    policies = [node(path, "Resources", name, "Properties", "KeyPolicy") for name in keys]
    of_keys = {line for policy in policies for line in range(policy.start_mark.line, policy.end_mark.line + 1)}

    bare = [
        f"{path.name}:{number + 1}"
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines())
        if re.fullmatch(r"""\s*(Resource: |- )["']\*["']\s*""", line) and number not in of_keys
    ]
    assert bare == []


@each_template
def test_no_policy_allows_all_actions_of_a_service(path: Path) -> None:
    allowed = [
        action
        for _, resource in resources(path)
        if resource["Type"] != "AWS::KMS::Key"  # its first statement delegates access to IAM, as AWS requires
        for statement in statements(resource)
        if statement["Effect"] == "Allow"
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    ]
    assert [action for action in allowed if "*" in action] == []


@each_template
def test_a_condition_on_all_values_is_not_met_by_a_request_without_any(path: Path) -> None:
    """ForAllValues is true if the key is missing: DeleteTags without keys deletes all tags."""
    for statement in statements(read_template(path)):
        condition = statement.get("Condition", {})
        keys = {key for operator in condition if operator.startswith("ForAllValues:") for key in condition[operator]}
        needed = {key for key, missing in condition.get("Null", {}).items() if missing == "false"}
        assert statement["Effect"] == "Deny" or keys <= needed, statement["Sid"]


def test_instances_may_be_deleted_of_the_stack_set_in_all_accounts_whatever_resources_it_has() -> None:
    """AWS authorizes DeleteStackInstances against each of the three kinds."""
    (allowed,) = (
        statement
        for statement in statements(read_template(MANAGEMENT))
        if "cloudformation:DeleteStackInstances" in statement["Action"]
    )

    assert [resource["Fn::Sub"].partition(":cloudformation:")[2] for resource in allowed["Resource"]] == [
        "${AWS::Region}:${AWS::AccountId}:stackset/${AWS::StackName}-networking:*",
        "*:${AWS::AccountId}:stackset-target/${AWS::StackName}-networking:*",
        "*:*:type/resource/*",
    ]


@pytest.mark.parametrize("stack_name", ["aws-ipam", "ssm-ipam"])
def test_a_parameter_has_no_name_that_aws_reserves_however_the_stack_is_named(stack_name: str) -> None:
    """https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-su-create.html"""
    for _, parameter in resources(MANAGEMENT, "AWS::SSM::Parameter"):
        name = parameter["Properties"]["Name"]["Fn::Sub"].replace("${AWS::StackName}", stack_name)
        assert not name.lower().strip("/").startswith(("aws", "ssm"))


@each_template
def test_a_template_contains_no_partition_url_suffix_or_region(path: Path) -> None:
    template = read_template(path)
    consoles = {console["Domain"] for console in template.get("Mappings", {}).get("Console", {}).values()}

    assert [text for text in texts(template) if _names_a_location(text) and text not in consoles] == []


@pytest.mark.parametrize("path", CODE, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_the_code_contains_no_partition_url_suffix_or_region(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    prose = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}  # docstrings

    literals = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in prose
    ]
    assert [text for text in literals if _names_a_location(text)] == []


def _names_a_location(text: str) -> bool:
    return "arn:aws" in text or bool(REGION.search(text)) or "amazonaws" in SERVICE.sub("", text)


@each_template
def test_no_resource_has_a_name_that_control_tower_protects(path: Path) -> None:
    named = {
        f"{name}.{key}": text
        for name, resource in resources(path)
        for key, value in resource.get("Properties", {}).items()
        if key.endswith("Name") and key != "ExecutionRoleName"
        for text in texts(value)
    }
    assert {key: text for key, text in named.items() if PROTECTED.search(text)} == {}


@each_template
def test_nothing_with_data_outlives_the_stack_and_a_comment_says_why(path: Path) -> None:
    for name, resource in resources(path, *STATEFUL):
        assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("Delete", "Delete"), name
        number = node(path, "Resources", name, "DeletionPolicy").start_mark.line
        line = path.read_text(encoding="utf-8").splitlines()[number]
        assert "#" in line, f"{name}: say why it is {line.strip()}"


@each_template
def test_a_function_can_be_invoked_only_by_a_resource_of_this_account(path: Path) -> None:
    for name, resource in resources(path, "AWS::Lambda::Permission"):
        assert "SourceArn" in resource["Properties"], name  # the ARN contains the account id


@each_template
def test_a_bucket_can_be_read_only_by_one_role_and_only_over_tls(path: Path) -> None:
    policies = {policy["Properties"]["Bucket"]["Ref"]: policy for _, policy in resources(path, "AWS::S3::BucketPolicy")}
    for name, bucket in resources(path, "AWS::S3::Bucket"):
        permitted = partial(_permits, policies[name]["Properties"]["PolicyDocument"]["Statement"], name)
        assert permitted()
        assert not permitted(role="another")
        assert not permitted(tls="false")
        assert not permitted("s3:PutObject")
        assert set(bucket["Properties"]["PublicAccessBlockConfiguration"].values()) == {True}
        assert bucket["Properties"]["VersioningConfiguration"] == {"Status": "Enabled"}
        # Not aws:kms: the other account would need access to the key.
        (rule,) = bucket["Properties"]["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert rule["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}


def _permits(
    policy: list[dict[str, Any]],
    bucket: str,
    action: str = "s3:GetObject",
    *,
    role: str = "AWSControlTowerExecution",
    tls: str = "true",
) -> bool:
    """Return whether a role of the Networking account may do something with a zip file.

    A condition names the role: as a principal, it would no longer match after the role is created again.
    """
    account = "arn:${AWS::Partition}:iam::${NetworkAccountId}"
    principal = {"AWS": {"Fn::Sub": f"{account}:root"}}
    context = {"aws:PrincipalArn": f"{account}:role/{role}", "aws:SecureTransport": tls}
    return permits(policy, action, f"${{{bucket}.Arn}}/packages/any.zip", principal=principal, context=context)


@each_template
def test_the_description_contains_the_version(path: Path) -> None:
    assert f"Version {ctipam.__version__}" in read_template(path)["Description"]
