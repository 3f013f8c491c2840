"""Run parliament on every IAM policy of the templates. It finds unknown actions, and resources and conditions that do
not match an action.

    PYTHONPATH=tests .venv/checkers/bin/python -m checkers.iam_policies templates/*.yaml

Runs in the checkers' environment, offline. Examples replace the values that are known only after deployment. ACCEPTED
lists the findings that AWS makes unavoidable, with the reason.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import parliament  # type: ignore[import-not-found]  # it is in the checkers' environment only

from checkers.template_reader import read_template

EXAMPLES = {
    "AWS::Partition": "aws",
    "AWS::Region": "us-east-1",
    "AWS::AccountId": "111111111111",
    "AWS::StackId": "arn:aws:cloudformation:us-east-1:111111111111:stack/example/11111111-2222-3333-4444-555555555555",
    "AWS::StackName": "example",
    "NetworkAccountId": "222222222222",
}
ARNS = {
    "AWS::Logs::LogGroup": "arn:aws:logs:us-east-1:111111111111:log-group:example:*",
    "AWS::S3::Bucket": "arn:aws:s3:::example",
    "AWS::SQS::Queue": "arn:aws:sqs:us-east-1:111111111111:example",
    "AWS::SNS::Topic": "arn:aws:sns:us-east-1:111111111111:example",
    "AWS::Lambda::Function": "arn:aws:lambda:us-east-1:111111111111:function:example",
    "AWS::KMS::Key": "arn:aws:kms:us-east-1:111111111111:key/example",
}
IDENTITY = ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy", "AWS::IAM::Role")

ACCEPTED: dict[tuple[str, str], str] = {
    ("RESOURCE_STAR", "['organizations:RegisterDelegatedAdministrator']"): (
        "EC2 makes this call with the caller's permissions and does not document its resource; a condition limits it. "
        "https://docs.aws.amazon.com/vpc/latest/ipam/enable-integ-ipam.html"
    ),
    **{
        ("RESOURCE_MISMATCH", str([{"action": "ec2:CreateIpamPool", "required_format": f"arn:*:ec2::*:{kind}/*"}])): (
            "IAM authorizes the scope, the new pool and its parent separately, each with a condition that the others "
            "cannot meet, so each has its own statement. parliament expects all of them in one statement."
        )
        for kind in ("ipam-pool", "ipam-scope")
    },
    (
        "RESOURCE_MISMATCH",
        str([{"action": "ec2:AllocateIpamPoolCidr", "required_format": "arn:*:ec2::*:ipam-pool/*"}]),
    ): (
        "With tags, IAM authorizes the pool and the new allocation separately, so each has its own statement. "
        "parliament knows only the pool."
    ),
}
"""(issue, detail) -> why the finding is accepted."""


def policies(template: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the logical ID and the document of each policy, as deployed with every condition true."""
    resources = template["Resources"]
    for name, resource in resources.items():
        properties = resource.get("Properties", {})
        if resource["Type"] in IDENTITY and "PolicyDocument" in properties:
            yield name, rendered(properties["PolicyDocument"], resources)
        for inline in properties.get("Policies", []) if resource["Type"] in IDENTITY else []:
            yield name, rendered(inline["PolicyDocument"], resources)


def rendered(value: Any, resources: dict[str, Any]) -> Any:
    if isinstance(value, list):
        return [rendered(item, resources) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((name, given),) = value.items()
        if name == "Ref":
            return EXAMPLES.get(given) or _arn(given, resources)
        if name == "Fn::GetAtt":
            return _arn(given[0], resources)
        if name == "Fn::Sub":
            return re.sub(r"\$\{([^}]+)\}", lambda found: _filled_in(found[1], resources), given)
        if name == "Fn::If":
            return rendered(given[1], resources)
    return {key: rendered(item, resources) for key, item in value.items()}


def _filled_in(name: str, resources: dict[str, Any]) -> str:
    if "." in name:
        return _arn(name.split(".")[0], resources)
    return EXAMPLES.get(name) or (EXAMPLES["AWS::Region"] if name.endswith("Region") else "example")


def _arn(name: str, resources: dict[str, Any]) -> str:
    return ARNS.get(resources.get(name, {}).get("Type", ""), "example")


def findings(path: Path) -> Iterator[str]:
    for name, document in policies(read_template(path)):
        for finding in parliament.analyze_policy_string(json.dumps(document), ignore_private_auditors=True).findings:
            if (finding.issue, str(finding.detail)) not in ACCEPTED:
                yield f"{path}: {name}: {finding.issue} {finding.detail} {finding.location}"


def main(paths: list[str]) -> None:
    if found := [finding for path in paths for finding in findings(Path(path))]:
        sys.exit("\n".join(found))


if __name__ == "__main__":
    main(sys.argv[1:])
