"""Test Custom::CopyZips, whose code is inline in the template."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from checkers.template_reader import read_template
from in_process.aws_calls import Call, intercept

TEMPLATE = Path(__file__).parents[2] / "templates/ipam-controltower-integration.template.yaml"
KEYS = ["packages/one.zip", "packages/two.zip"]
CHECK = "Check LambdaBucket, LambdaPrefix and PackageVersion."
ROLE = "arn:aws:sts::111122223333:assumed-role/ipam-controltower-CopyZipsRole-1A2B3C4D5E6F/ipam-controltower-CopyZips"
KEY = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"


class Copier:
    """The function, and its responses to CloudFormation."""

    def __init__(self, code: str, answers: list[dict[str, Any]]) -> None:
        self.module = ModuleType("copy_zips")
        exec(code, vars(self.module))  # noqa: S102 - the code of our own template
        self.answers = answers

    def ask(
        self,
        kind: str,
        keys: list[str] = KEYS,
        *,
        source: str = "source",
        stack: str = "UPDATE_IN_PROGRESS",
        physical_id: str = "made-before",
    ) -> dict[str, Any]:
        described = {"Stacks": [{"StackStatus": stack}]}
        vars(self.module)["cloudformation"] = SimpleNamespace(describe_stacks=lambda **_: described)
        properties = {"SourceBucket": source, "TargetBucket": "target", "Keys": keys}
        given = {} if kind == "Create" else {"PhysicalResourceId": physical_id}
        event = {"RequestType": kind, "StackId": "arn:stack", "ResourceProperties": properties} | given
        self.module.handler(event, None)
        return self.answers[-1]


@pytest.fixture
def s3() -> Iterator[Any]:
    """Create the user's bucket with both zip files, and the stack's bucket with versioning."""
    with mock_aws():
        client = boto3.client("s3")
        for bucket in ("source", "target"):
            client.create_bucket(Bucket=bucket)
        client.put_bucket_versioning(Bucket="target", VersioningConfiguration={"Status": "Enabled"})
        for key in KEYS:
            client.put_object(Bucket="source", Key=key, Body=key.encode())
        yield client


@pytest.fixture
def copier(s3: Any, monkeypatch: pytest.MonkeyPatch) -> Copier:
    """Load the function with a sleep that returns immediately and a cfnresponse that records the responses."""
    answers: list[dict[str, Any]] = []

    def send(_event: Any, _context: Any, status: str, _data: Any, physical_id: str, *rest: Any) -> None:
        answers.append({"Status": status, "PhysicalResourceId": physical_id, "Reason": rest[1]})

    cfnresponse = SimpleNamespace(SUCCESS="SUCCESS", FAILED="FAILED", send=send)
    monkeypatch.setitem(sys.modules, "cfnresponse", cfnresponse)
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    template = read_template(TEMPLATE)
    return Copier(template["Resources"]["CopyZipsFunction"]["Properties"]["Code"]["ZipFile"], answers)


def deny_copies(monkeypatch: pytest.MonkeyPatch, times: int, message: str = "no") -> None:
    left = [None] * times

    def denied(call: Call, client: Any, operation: str, parameters: Any) -> Any:
        if operation == "CopyObject" and left:
            left.pop()
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": message}}, operation)
        return call(client, operation, parameters)

    intercept(monkeypatch, denied)


def copies(s3: Any) -> list[str]:
    return [found["Key"] for found in s3.list_object_versions(Bucket="target").get("Versions", [])]


def test_both_zips_are_copied_by_each_create_and_update(copier: Copier, s3: Any) -> None:
    assert copier.ask("Create") == copier.ask("Update")

    assert copier.answers[0]["Status"] == "SUCCESS"
    assert s3.get_object(Bucket="target", Key=KEYS[0])["Body"].read() == KEYS[0].encode()


def test_new_keys_replace_the_resource_so_that_old_copies_are_deleted_after_the_update(copier: Copier) -> None:
    assert copier.ask("Create", KEYS[:1])["PhysicalResourceId"] != copier.ask("Update")["PhysicalResourceId"]


def test_keys_of_the_longest_prefix_that_differ_in_their_version_are_new_keys(copier: Copier) -> None:
    """Else an upgrade would leave the old copies behind, and the bucket could not be deleted with the stack."""
    longest = read_template(TEMPLATE)["Parameters"]["LambdaPrefix"]["MaxLength"]
    old, new = ([f"{'x' * (longest - 1)}/ctipam_helper_{version}.zip"] * 2 for version in ("1.0.0", "1.0.1"))

    assert copier.ask("Create", old)["PhysicalResourceId"] != copier.ask("Create", new)["PhysicalResourceId"]


@pytest.mark.parametrize(
    ("prefix", "accepted"),
    [("", True), ("packages/", True), ("a b/ü+@/", True), ("a*/", False), ("?/", False), ("${aws:username}/", False)],
)
def test_a_prefix_that_the_policy_would_not_take_literally_is_refused(prefix: str, accepted: bool) -> None:
    pattern = read_template(TEMPLATE)["Parameters"]["LambdaPrefix"]["AllowedPattern"]

    assert bool(re.fullmatch(pattern, prefix)) is accepted


def test_a_delete_removes_all_versions_and_can_be_repeated(copier: Copier, s3: Any) -> None:
    copier.ask("Create")
    copier.ask("Update")

    assert [copier.ask("Delete")["Status"] for _ in range(2)] == ["SUCCESS", "SUCCESS"]
    assert copies(s3) == []


def test_a_delete_under_an_id_that_cloudformation_made_up_removes_the_copies_and_answers_with_that_id(
    copier: Copier, s3: Any
) -> None:
    """As if another resource failed while the zips were being copied. All answers must have the same id.

    https://github.com/aws/aws-cdk/pull/36951
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-responses.html
    """
    copier.ask("Create")

    answer = copier.ask("Delete", physical_id="stack-CopyZips-1A2B3C4D5E6F")

    assert (answer["Status"], answer["PhysicalResourceId"]) == ("SUCCESS", "stack-CopyZips-1A2B3C4D5E6F")
    assert copies(s3) == []


def test_a_delete_succeeds_if_the_bucket_no_longer_exists(copier: Copier, s3: Any) -> None:
    """CloudFormation deletes the function in any case, so a failed delete could not be repeated."""
    s3.delete_bucket(Bucket="target")

    assert copier.ask("Delete")["Status"] == "SUCCESS"


@pytest.mark.parametrize("lost", ["a zip", "the bucket"])
def test_a_rollback_keeps_the_copies_that_it_still_has_if_the_old_zips_are_gone(
    copier: Copier, s3: Any, lost: str
) -> None:
    copier.ask("Create")
    for key in KEYS if lost == "the bucket" else KEYS[:1]:
        s3.delete_object(Bucket="source", Key=key)
    if lost == "the bucket":
        s3.delete_bucket(Bucket="source")

    back = copier.ask("Update", stack="UPDATE_ROLLBACK_IN_PROGRESS")

    assert (back["Status"], back["PhysicalResourceId"]) == ("SUCCESS", copier.answers[0]["PhysicalResourceId"])
    assert set(copies(s3)) == set(KEYS)


def test_another_bucket_without_the_zips_is_an_error_although_there_are_copies(copier: Copier, s3: Any) -> None:
    copier.ask("Create")
    s3.create_bucket(Bucket="empty")

    answer = copier.ask("Update", source="empty")

    assert answer["Status"] == "FAILED"
    assert answer["Reason"].startswith(f"Cannot copy s3://empty/{KEYS[0]}: ")


def test_the_rollback_of_a_move_to_another_bucket_succeeds_although_the_first_bucket_is_gone(
    copier: Copier, s3: Any
) -> None:
    """Else the stack would end in UPDATE_ROLLBACK_FAILED. The keys are the same in both directions."""
    copier.ask("Create")
    for key in KEYS:
        s3.delete_object(Bucket="source", Key=key)
    s3.delete_bucket(Bucket="source")
    s3.create_bucket(Bucket="empty")
    assert copier.ask("Update", source="empty")["Status"] == "FAILED"

    assert copier.ask("Update", stack="UPDATE_ROLLBACK_IN_PROGRESS")["Status"] == "SUCCESS"


@pytest.mark.parametrize("stack", ["UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS"])
def test_an_older_version_without_copies_or_zips_is_an_error(copier: Copier, stack: str) -> None:
    assert copier.ask("Update", ["nowhere/one.zip"], stack=stack)["Status"] == "FAILED"


def test_a_copy_is_retried_until_the_policy_takes_effect(copier: Copier, monkeypatch: pytest.MonkeyPatch) -> None:
    deny_copies(monkeypatch, times=5)

    assert copier.ask("Create")["Status"] == "SUCCESS"


def test_a_missing_zip_is_an_error_with_the_parameters_to_check(copier: Copier) -> None:
    answer = copier.ask("Create", ["nowhere/one.zip"])

    assert answer["Status"] == "FAILED"
    assert answer["Reason"].startswith("Cannot copy s3://source/nowhere/one.zip: An error occurred (NoSuchKey) when ")
    assert answer["Reason"].endswith(f" {CHECK}")
    assert len(answer["Reason"]) < 240


def test_the_reason_for_files_under_a_kms_key_names_the_denied_action(
    copier: Copier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log, which has the whole message, is deleted when the creation is rolled back.

    https://github.com/aws/aws-cdk/issues/26672
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/troubleshoot-403-errors.html
    """
    cause = f"kms:Decrypt on resource: {KEY} because no identity-based policy allows the kms:Decrypt action"
    deny_copies(monkeypatch, times=9, message=f"User: {ROLE} is not authorized to perform: {cause}")

    answer = copier.ask("Create", ["packages/ctipam_ct_integration_1.0.0.zip"], source="example-ipam-code")

    assert answer["Reason"].startswith(
        "Cannot copy s3://example-ipam-code/packages/ctipam_ct_integration_1.0.0.zip: kms:Decrypt on resource: "
    )
    assert len(answer["Reason"]) < 240


def test_a_long_reason_is_cut(copier: Copier) -> None:
    answer = copier.ask("Create", [f"{'nowhere/' * 40}one.zip"])

    assert answer["Status"] == "FAILED"
    assert len(answer["Reason"]) < 240


def test_a_copy_that_stays_denied_is_an_error_with_the_code_of_aws(
    copier: Copier, monkeypatch: pytest.MonkeyPatch
) -> None:
    deny_copies(monkeypatch, times=9)

    assert "AccessDenied" in copier.ask("Create")["Reason"]
