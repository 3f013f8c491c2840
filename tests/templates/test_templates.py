"""Test the rules that every template follows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from checkers.template_reader import read_template

TEMPLATES = sorted((Path(__file__).parents[2] / "templates").glob("*.yaml"))
NAMED = {  # properties that set a physical name; a StackSet requires one, which contains the stack name
    "BucketName",
    "FunctionName",
    "LogGroupName",
    "QueueName",
    "RoleName",
    "TopicName",
}


def resources(path: Path, kind: str) -> dict[str, dict[str, Any]]:
    return {name: found for name, found in read_template(path)["Resources"].items() if found["Type"] == kind}


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_every_parameter_is_described_and_has_a_label_in_one_group(path: Path) -> None:
    template = read_template(path)
    interface = template["Metadata"]["AWS::CloudFormation::Interface"]
    grouped = [name for group in interface["ParameterGroups"] for name in group["Parameters"]]

    assert grouped == list(template["Parameters"])  # in the order of the file, each one once
    assert list(interface["ParameterLabels"]) == grouped
    assert all(parameter["Description"].endswith(".") for parameter in template["Parameters"].values())


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_functions_run_on_a_current_runtime_and_log_to_a_declared_group_with_retention(path: Path) -> None:
    for name, function in resources(path, "AWS::Lambda::Function").items():
        properties = function["Properties"]
        assert (properties["Runtime"], properties["Architectures"]) == ("python3.13", ["arm64"]), name
        if "S3Key" in properties["Code"]:  # in text, Lambda would leave out the fields of a line, such as the account
            assert properties["LoggingConfig"]["LogFormat"] == "JSON", name
        group = read_template(path)["Resources"][properties["LoggingConfig"]["LogGroup"]["Ref"]]
        assert group["Properties"]["RetentionInDays"] == {"Ref": "LogRetentionDays"}, name


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_no_resource_has_a_fixed_name_that_a_second_stack_would_repeat(path: Path) -> None:
    for name, resource in read_template(path)["Resources"].items():
        if resource["Type"] not in ("AWS::Lambda::Permission", "AWS::Lambda::EventInvokeConfig"):
            assert not NAMED & set(resource.get("Properties", {})), name


def test_an_update_that_the_setup_refuses_does_not_reach_what_shares_pools() -> None:
    """A function that has OuMatch already, for example, would take pools away until the rollback."""
    (path,) = (path for path in TEMPLATES if resources(path, "Custom::OrganizationSetup"))
    template = read_template(path)["Resources"]

    assert {name for name, one in template.items() if one.get("DependsOn") == "OrganizationSetup"} >= {
        "CTIPAMLifeCycleLambda",
        "ShareExistingAccountsFunction",
        "SharingPolicy",
    }


def test_a_key_that_stands_twice_is_no_template(tmp_path: Path) -> None:
    """YAML alone would take the last."""
    path = tmp_path / "a.yaml"
    path.write_text("Resources:\n  Topic:\n    Type: AWS::SNS::Topic\n  Topic:\n    Type: AWS::SQS::Queue\n")

    with pytest.raises(ValueError, match=r"\['Topic'\] twice in the mapping at line 2"):
        read_template(path)
