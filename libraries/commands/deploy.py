"""`make deploy`: upload the templates and the zips, and deploy the management stack, with your AWS CLI.

    make deploy BUCKET=example-ipam-code NETWORK_ACCOUNT_ID=111122223333
    make deploy BUCKET=... NETWORK_ACCOUNT_ID=... ENVS='Prod OU,SDLC OU' AlertEmail=network-team@example.com

    stack=ipam-controltower   the stack's name
    AWS=aws                   your AWS CLI, if it is not on the path

Any parameter of the template may be named. One that is not named keeps the value that the stack has, or the default.
Credentials are the AWS CLI's own: of the management account, and in Control Tower's home Region.

Each upload goes under a prefix that is made of its content. So what has changed is deployed, since CloudFormation loads
code and templates anew only from another place, and what has not changed is not.
"""

from __future__ import annotations

import hashlib
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from commands import arguments
from commands.arguments import MANAGEMENT_TEMPLATE, ROOT, STACK
from commands.aws_cli import Aws, AwsSays
from commands.regions import known_beside
from ctipam.errors import Refused
from ctipam.pools.spec import PoolSpec

STACK_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,127}")
OURS = ("LambdaPrefix", "RepoRootURL")
"""Parameters that follow from what is uploaded."""

LARGEST_TEMPLATE = 51_200
"""Bytes. https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html"""

UPDATABLE = re.compile(r"(CREATE|UPDATE|IMPORT|UPDATE_ROLLBACK|IMPORT_ROLLBACK)_COMPLETE|REVIEW_IN_PROGRESS")
"""REVIEW_IN_PROGRESS: a change set was made for a stack that is not there yet, and the CLI makes another.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html"""


def main(typed: Sequence[str]) -> None:
    try:
        deploy(typed)
    except Refused as refusal:
        sys.exit(str(refusal))


def deploy(typed: Sequence[str], root: Path = ROOT) -> None:
    """Raises Refused before anything is changed, if it can be known then."""
    known = arguments.template_parameters(root)
    given = arguments.read(typed, known)
    parameters = {name: given.parameters[name] for name in known if name in given.parameters}  # the template's order
    stack = given.own.get("stack", STACK)
    if not STACK_NAME.fullmatch(stack):
        raise Refused(f"stack={stack} is no name for a stack; give letters, digits and hyphens, a letter first.")
    _refuse_missing_words(parameters)
    arguments.refuse_impossible(parameters, root)
    refuse_stale_zips(root)
    aws = Aws(shlex.split(given.own.get("AWS", "aws")), root)
    account_id = _management_account(aws, parameters["NetworkAccountId"])
    bucket_region = _bucket_region(aws, parameters["LambdaBucket"], account_id)
    there = _parameters_of_stack(aws, stack)
    refuse_impossible_plan({name: default for name, default in known.items() if default} | there | parameters)
    for command in commands(root, stack, bucket_region, parameters):
        aws.run(command)


def commands(root: Path, stack: str, bucket_region: str, parameters: Mapping[str, str]) -> list[list[str]]:
    """All that is done, each as the words after `aws`."""
    bucket = parameters["LambdaBucket"]
    templates = f"templates/{digest(root / 'templates', '*.yaml')}/"
    packages = f"packages/{digest(root / 'packages', '*.zip')}/"
    place = {"LambdaPrefix": packages, "RepoRootURL": f"https://{bucket}.s3.{bucket_region}.amazonaws.com/{templates}"}
    overrides = [f"{name}={value}" for name, value in (dict(parameters) | place).items()]
    only = ["--recursive", "--exclude", "*", "--include"]
    return [
        ["s3", "cp", "templates/", f"s3://{bucket}/{templates}", *only, "*.yaml"],
        ["s3", "cp", "packages/", f"s3://{bucket}/{packages}", *only, "*.zip"],
        [
            *["cloudformation", "deploy", "--stack-name", stack, "--template-file", MANAGEMENT_TEMPLATE],
            *(["--s3-bucket", bucket, "--s3-prefix", templates.rstrip("/")] if _is_large(root) else []),
            *["--capabilities", "CAPABILITY_IAM", "--no-fail-on-empty-changeset"],
            *["--parameter-overrides", *overrides],
        ],
    ]


def _is_large(root: Path) -> bool:
    """Can the template be deployed only by way of a bucket? One of another Region would not do:
    https://github.com/aws/aws-cli/issues/4372"""
    return (root / MANAGEMENT_TEMPLATE).stat().st_size > LARGEST_TEMPLATE


def digest(folder: Path, pattern: str) -> str:
    """12 hexadecimal digits that change with any of the files, or its name."""
    parts = [f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}" for path in sorted(folder.glob(pattern))]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def _refuse_missing_words(parameters: Mapping[str, str]) -> None:
    for name in ("LambdaBucket", "NetworkAccountId"):
        if not parameters.get(name):
            raise Refused(
                "Say where and for whom: make deploy BUCKET=example-ipam-code NETWORK_ACCOUNT_ID=111122223333"
            )
    for name in OURS:
        if name in parameters:
            raise Refused(f"{name} follows from what is uploaded; leave it out.")


def refuse_stale_zips(root: Path) -> None:
    """Raises Refused if a zip is not what our own sources build; `make zips` proves crhelper's part as well."""
    check = [sys.executable, str(root / "packages" / "build.py"), "--check-own"]
    done = subprocess.run(check, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Refused(done.stderr.strip())


def _management_account(aws: Aws, network_account_id: str) -> str:
    """The account of the credentials; raises Refused unless it is the organization's management account."""
    try:
        account_id = str(aws.ask("sts", "get-caller-identity")["Account"])
    except AwsSays as said:
        raise Refused(
            "The AWS CLI cannot say who you are; sign in to the management account, or set AWS_PROFILE. "
            f"It says: {said}"
        ) from None
    if account_id == network_account_id:
        raise Refused(
            f"The credentials are the Networking account's ({account_id}), and the stack belongs into the management "
            "account; sign in there, or set AWS_PROFILE."
        )
    try:
        management = aws.ask("organizations", "describe-organization")["Organization"]["MasterAccountId"]
    except AwsSays as said:
        if said.is_about("AWSOrganizationsNotInUseException"):
            raise arguments.in_no_organization(account_id) from None
        return account_id  # perhaps these credentials may not ask; the stack asks again
    if account_id != management:
        raise arguments.another_account(account_id, str(management))
    return account_id


def _bucket_region(aws: Aws, bucket: str, account_id: str) -> str:
    """The bucket's Region; raises Refused unless it is there, and this account's."""
    try:
        found = aws.ask("s3api", "get-bucket-location", "--bucket", bucket, "--expected-bucket-owner", account_id)
    except AwsSays as said:
        if said.is_about("NoSuchBucket"):
            raise Refused(f"There is no bucket {bucket}; make it: aws s3 mb s3://{bucket}") from None
        if said.is_about("AccessDenied", "403", "Forbidden"):
            raise Refused(
                f"Bucket {bucket} is not account {account_id}'s, or closed to you; give one of your own as BUCKET."
            ) from None
        raise Refused(f"The AWS CLI cannot look at bucket {bucket}: {said}") from None
    # us-east-1 has no name here, and eu-west-1 an old one:
    # https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketLocation.html
    region = found.get("LocationConstraint") or "us-east-1"
    return "eu-west-1" if region == "EU" else str(region)


def _parameters_of_stack(aws: Aws, stack: str) -> dict[str, str]:
    """Those that it has, none if it is not there yet; raises Refused if it takes no deployment now."""
    try:
        (found,) = aws.ask("cloudformation", "describe-stacks", "--stack-name", stack)["Stacks"]
    except AwsSays as said:
        if "does not exist" in str(said):
            return {}
        raise Refused(f"The AWS CLI cannot look at stack {stack}: {said}") from None
    status = found["StackStatus"]
    if status in ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED"):
        raise Refused(
            f"Stack {stack} is {status}: its first deployment failed, and it can only be deleted. Its events say why; "
            f"then run `aws cloudformation delete-stack --stack-name {stack}` and try again."
        )
    if not UPDATABLE.fullmatch(status):
        raise Refused(f"Stack {stack} is {status}; wait until that has ended, or mend it, and try again.")
    return {one["ParameterKey"]: one["ParameterValue"] for one in found.get("Parameters", [])}


def refuse_impossible_plan(parameters: Mapping[str, str]) -> None:
    """Raises Refused for what the Lambda would refuse when the stack is half made."""
    with arguments.short_names():
        PoolSpec.from_properties(parameters, known_beside(parameters["RegionSelection"]))


if __name__ == "__main__":
    main(sys.argv[1:])
