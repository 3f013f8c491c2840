"""`make deploy`: upload the templates and the zips, and deploy the management stack with your AWS CLI.

    make deploy BUCKET=example-ipam-code NETWORK_ACCOUNT_ID=111122223333
    make deploy BUCKET=... NETWORK_ACCOUNT_ID=... ENVS='Prod OU,SDLC OU' AlertEmail=network-team@example.com

    stack=ipam-controltower   the name of the stack
    AWS=aws                   your AWS CLI, if it is not on the path
    preflight=no              skip the checks of `make preflight`, which run first and stop the command if one fails;
                              then, and without RESERVE, the command needs nothing but Python and the AWS CLI
    RESERVE=organization|ipam   keep the addresses of existing VPCs free, see commands.existing_vpcs.reserve

Every parameter of the template is accepted, except those that follow from the uploads. A parameter that is not given
keeps the value of the stack, also BUCKET and NETWORK_ACCOUNT_ID, or has the default. The stack keeps its tags.
Credentials and Region are those of the AWS CLI: the management account, Control Tower's home Region.

The deployed stack is protected from deletion; `make undo` removes the protection. If the deployment fails, the first
failure of the stack, and those in the Networking account, are printed, or what CloudFormation found before it began.

The prefix of each upload is a digest of its content. CloudFormation loads code and templates again only if their
location changes, so this deploys changed files and only these.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from commands import arguments, make_words, program
from commands.arguments import MANAGEMENT_TEMPLATE, ROOT, Arguments
from commands.aws_cli import AwsCli, AwsCliError, to_text, users_aws_cli
from commands.change_sets import failed_change_sets, refusals
from commands.described_stack import find_stack
from commands.existing_vpcs import reserve
from commands.pool_spec import pool_spec
from commands.preflight.checks import is_ready
from commands.regions import region_of_bucket, s3_host
from commands.stack_events import failure_text, first_failure, new_events, recent_events
from commands.stack_state import FIRST_FAILED, REVIEWED, refuse_stack_of_others, refuse_unless_updatable
from commands.template_file import LARGEST, sent_template
from ctipam.cloudformation.described import parameters_of, tags_of
from ctipam.errors import Refused

REQUIRED = ("LambdaBucket", "NetworkAccountId")
DERIVED = ("LambdaPrefix", "RepoRootURL", "PackageVersion")
"""Parameters that follow from the uploads."""

CONFIRM = (
    "AWS sends two emails to {}, for the alarms of both accounts. Open the link in each within 48 hours; before that, "
    "no alarm arrives."
)
"""https://aws.amazon.com/about-aws/whats-new/2023/05/amazon-sns-automatic-deletion-unconfirmed-subscriptions/"""

ENCRYPTED = ("--sse", "AES256")
"""With a key of S3, as `aws cloudformation deploy` uploads too. Some bucket policies demand this, and the stack may not
use the KMS key that may be the default of the bucket."""

PROTECT = ("cloudformation", "update-termination-protection", "--enable-termination-protection")
"""`make undo` switches it off again."""


def main() -> None:
    deploy(make_words.read("deploy", arguments.known_names()))


def deploy(words: Sequence[str], root: Path = ROOT) -> None:
    """Deploy the stack. Raises Refused, where possible before anything changes."""
    known = arguments.template_parameters(root)
    given = arguments.read(words, known)
    stack = arguments.stack_name(given.options)
    refuse_derived(given.parameters)
    reserve.refuse_unsupported(given.options)
    arguments.refuse_impossible(given.parameters, root)
    refuse_stale_zips(root)
    aws = users_aws_cli(given.options.get("AWS", "aws"), root)
    account_id, partition = _management_account(aws, given.parameters.get("NetworkAccountId", ""))
    existing, tags_of_stack = _updatable_stack(aws, stack)
    tags = _given_tags(tags_of_stack)
    wanted = {name: existing.get(name, "") for name in REQUIRED} | given.parameters
    parameters = {name: wanted[name] for name in known if name in wanted}  # the template's order
    _refuse_missing(parameters)
    bucket_host = s3_host(_bucket_region(aws, parameters["LambdaBucket"], account_id), partition)
    properties = arguments.template_defaults(root) | existing | parameters
    pool_spec(properties, new=not existing)  # the Lambda would refuse in the middle of the deployment
    if arguments.yes_or_no(given.options, "preflight", default="yes"):
        _refuse_unready(given, root)
    if (reserved := reserve.reserved_cidrs(given.options, properties)) is not None:  # last: it may take minutes
        parameters[reserve.PARAMETER] = reserved
        print(f"{reserve.PARAMETER}={reserved}")
    if _updatable_stack(aws, stack) != (existing, tags_of_stack):  # the checks may have taken minutes
        raise Refused(
            f"Somebody has changed stack {stack} since this command first read it; nothing was deployed. Run the same "
            "make deploy again."
        )
    if forgotten := arguments.forgotten(existing, known):
        print(forgotten, file=sys.stderr)
    _upload_and_deploy(aws, root, stack, bucket_host, parameters, tags)
    address = properties.get("AlertEmail", "")
    if address and address != existing.get("AlertEmail"):
        print(CONFIRM.format(address))


def _upload_and_deploy(
    aws: AwsCli, root: Path, stack: str, bucket_host: str, parameters: Mapping[str, str], tags: Sequence[str]
) -> None:
    with TemporaryDirectory() as folder:
        template = sent_template(root / MANAGEMENT_TEMPLATE, Path(folder))
        *uploads, deployment = commands(root, stack, bucket_host, parameters, template, tags)
        for upload in uploads:
            aws.run(upload)
        try:
            _deploy_and_protect(aws, stack, deployment)
        except (KeyboardInterrupt, BrokenPipeError):
            print(f"\n{_after_an_interrupt(stack)}", file=sys.stderr)
            raise


def _deploy_and_protect(aws: AwsCli, stack: str, deployment: Sequence[str]) -> None:
    seen, earlier = {event["EventId"] for event in _events(aws, stack)}, failed_change_sets(aws, stack)
    try:
        aws.run(deployment)
    except Refused as refusal:
        raise Refused("\n".join([str(refusal), *_reasons(aws, stack, seen, earlier)])) from None
    aws.run([*PROTECT, "--stack-name", stack])


def _after_an_interrupt(stack: str) -> str:
    follow = ["cloudformation", "describe-stacks", "--stack-name", stack, "--query", "Stacks[0].StackStatus"]
    return (
        f"CloudFormation continues a deployment that has started; to see its status: {to_text(follow)}\n"
        f"When it has ended, or if it has not started ({REVIEWED}), run the same make deploy again: it reports a "
        "failure, and enables termination protection, which may not be on yet."
    )


def _refuse_unready(given: Arguments, root: Path) -> None:
    """Print the checks of `make preflight`. Raises Refused if the deployment would fail."""
    from commands.preflight import checking, text  # imported here because preflight=no needs no boto3

    checks = checking.read_and_check(given, root)
    text.show(checks)
    if not is_ready(checks):
        raise Refused("Nothing was deployed: fix what is marked above, or deploy with preflight=no if it is wrong.")


def commands(
    root: Path, stack: str, bucket_host: str, parameters: Mapping[str, str], template: Path, tags: Sequence[str]
) -> list[list[str]]:
    """Return the commands of a deployment, each without the leading `aws`.

    bucket_host   s3.us-east-1.amazonaws.com
    template      what is sent
    tags          of the stack, key=value each
    """
    bucket, is_large = parameters["LambdaBucket"], template.stat().st_size > LARGEST
    templates = f"templates/{digest(root / 'templates', '*.yaml')}/"
    packages = f"packages/{digest(root / 'packages', '*.zip')}/"
    derived = {
        "LambdaPrefix": packages,
        "RepoRootURL": f"https://{bucket}.{bucket_host}/{templates}",
        "PackageVersion": arguments.template_defaults(root)["PackageVersion"],  # the stack's own may be older
    }
    overrides = [f"{name}={value}" for name, value in (dict(parameters) | derived).items()]
    only = [*ENCRYPTED, "--recursive", "--exclude", "*", "--include"]
    return [
        ["s3", "cp", "templates/", f"s3://{bucket}/{templates}", *only, "*.yaml"],
        ["s3", "cp", "packages/", f"s3://{bucket}/{packages}", *only, "*.zip"],
        [
            *["cloudformation", "deploy", "--stack-name", stack, "--template-file", _path(template, root)],
            *(["--s3-bucket", bucket, "--s3-prefix", templates.rstrip("/")] if is_large else []),
            *["--capabilities", "CAPABILITY_IAM", "--no-fail-on-empty-changeset"],
            *(["--tags", *tags] if tags else []),
            *["--parameter-overrides", *overrides],
        ],
    ]


def _reasons(aws: AwsCli, stack: str, seen: Collection[str], earlier: Collection[str]) -> list[str]:
    """Return why the AWS CLI has failed; nothing if its own message is all that is known.

    seen      the ids of the events before the deployment
    earlier   the ARNs of the change sets that had failed before it
    """
    try:
        found = find_stack(aws, stack)
    except AwsCliError:  # credentials that have expired, for example
        return [_after_an_interrupt(stack)]
    events = new_events(_events(aws, stack), seen)
    status = found["StackStatus"] if found else REVIEWED
    in_the_way = (
        f"Stack {stack} is {status}: somebody else has changed it meanwhile, or CloudFormation continues without this "
        "command. When no operation is in progress, run the same make deploy again."
    )
    if status != REVIEWED and status.endswith("_IN_PROGRESS"):  # the CLI waits for the end of its own
        return [in_the_way]
    known = failure_reasons(aws, stack, events) or refusals(aws, stack, earlier)
    return known or ([in_the_way] if events and status != REVIEWED else [])


def failure_reasons(aws: AwsCli, stack: str, events: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a line for the first failure in the stack, and a line for each failure in the Networking account.

    events   those since the deployment began
    """
    failure = first_failure(events)
    if not failure:
        return []
    lines = [f"First failure: {failure_text(failure)}"]
    if failure["ResourceType"] == "AWS::CloudFormation::StackSet":
        lines += _networking_failures(aws, stack, since=datetime.fromisoformat(events[0]["Timestamp"]))
    return lines


def _networking_failures(aws: AwsCli, stack: str, since: datetime) -> list[str]:
    """Return why the StackSet's last operation since then failed or was stopped; nothing if there was none, for example
    because somebody else's operation was in progress, or the StackSet is gone.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ListStackSetOperationResults.html
    """

    def began(operation: Mapping[str, str]) -> datetime:
        return datetime.fromisoformat(operation["CreationTimestamp"])

    stack_set = ["--stack-set-name", f"{stack}-networking"]
    try:
        operations = aws.ask("cloudformation", "list-stack-set-operations", *stack_set)["Summaries"]
        failed = [
            operation
            for operation in operations
            if operation["Status"] in ("FAILED", "STOPPED") and began(operation) >= since
        ]
        if not failed:
            return []
        latest = max(failed, key=began)
        operation = ["--operation-id", latest["OperationId"]]
        results = aws.ask("cloudformation", "list-stack-set-operation-results", *stack_set, *operation)["Summaries"]
    except AwsCliError:
        return []
    return [
        f"In account {result['Account']}: {result['StatusReason']}" for result in results if "StatusReason" in result
    ]


def _events(aws: AwsCli, stack: str) -> list[dict[str, Any]]:
    """Return the newest events of the stack, nothing if it does not exist."""
    try:
        return recent_events(aws, stack)
    except AwsCliError:
        return []


def _path(template: Path, root: Path) -> str:
    return str(template.relative_to(root) if template.is_relative_to(root) else template)


def digest(folder: Path, pattern: str) -> str:
    """Return 12 hexadecimal digits that depend on the names and the content of the files."""
    parts = [f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}" for path in sorted(folder.glob(pattern))]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def _refuse_missing(parameters: Mapping[str, str]) -> None:
    if not all(parameters.get(name) for name in REQUIRED):
        raise Refused(
            "BUCKET and NETWORK_ACCOUNT_ID are required for a first deployment: "
            "make deploy BUCKET=example-ipam-code NETWORK_ACCOUNT_ID=111122223333"
        )


def refuse_derived(parameters: Mapping[str, str]) -> None:
    """Raise Refused if a parameter is given that follows from the uploads."""
    for name in DERIVED:
        if name in parameters:
            raise Refused(f"{name} follows from the uploads; do not give it.")


def refuse_stale_zips(root: Path) -> None:
    """Raise Refused if a zip differs from what our own sources build; `make zips` checks crhelper's part as well."""
    check = [sys.executable, str(root / "packages" / "build.py"), "--check-own"]
    done = subprocess.run(check, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Refused(done.stderr.strip())


def _management_account(aws: AwsCli, network_account_id: str) -> tuple[str, str]:
    """Return the account of the credentials and its partition. Raises Refused unless it is the management account."""
    try:
        caller = aws.ask("sts", "get-caller-identity")
    except AwsCliError as error:
        raise Refused(
            "The AWS CLI has no valid credentials, or no Region; sign in to the management account, or set "
            f"AWS_PROFILE, and AWS_REGION to Control Tower's home Region. Its error: {error}"
        ) from None
    account_id, partition = str(caller["Account"]), str(caller["Arn"]).split(":")[1]
    try:
        management = aws.ask("organizations", "describe-organization")["Organization"]["MasterAccountId"]
    except AwsCliError as error:
        if error.has_code("AWSOrganizationsNotInUseException"):
            raise arguments.in_no_organization(account_id) from None
        return account_id, partition  # these credentials may not be allowed to ask; the stack checks it again
    if account_id != management and account_id == network_account_id:
        raise Refused(
            f"The credentials are the Networking account's ({account_id}), and the stack belongs in the management "
            f"account ({management}); sign in there, or set AWS_PROFILE."
        )
    if account_id != management:
        raise arguments.another_account(account_id, str(management))
    if account_id == network_account_id:
        raise arguments.is_management_account(account_id)
    return account_id, partition


def _bucket_region(aws: AwsCli, bucket: str, account_id: str) -> str:
    """Return the Region of the bucket. Raises Refused unless it exists and belongs to this account."""
    try:
        found = aws.ask("s3api", "get-bucket-location", "--bucket", bucket, "--expected-bucket-owner", account_id)
    except AwsCliError as error:
        if error.has_code("NoSuchBucket"):
            raise Refused(f"There is no bucket {bucket}; make it: aws s3 mb s3://{bucket}") from None
        if error.has_code("AccessDenied", "403", "Forbidden"):
            raise Refused(
                f"Bucket {bucket} is not account {account_id}'s, or you may not read it; give a bucket of this account."
            ) from None
        raise Refused(f"The AWS CLI cannot read bucket {bucket}: {error}") from None
    return region_of_bucket(found.get("LocationConstraint"))


def _updatable_stack(aws: AwsCli, stack: str) -> tuple[dict[str, str], dict[str, str]]:
    """Return the parameters of the stack, and its tags without those of AWS; none if it does not exist. Raises Refused
    if it cannot be deployed now."""
    try:
        found = find_stack(aws, stack)
    except AwsCliError as error:
        raise Refused(f"The AWS CLI cannot read stack {stack}: {error}") from None
    if found is None or found["StackStatus"] == REVIEWED:
        return {}, {}
    parameters = parameters_of(found)
    refuse_stack_of_others(stack, parameters)
    status = found["StackStatus"]
    failures = failure_reasons(aws, stack, _events(aws, stack)) if status in FIRST_FAILED else ()
    refuse_unless_updatable(stack, status, failures)
    return parameters, tags_of(found)


def _given_tags(tags: Mapping[str, str]) -> list[str]:
    """Return the tags of the stack as the AWS CLI takes them. Raises Refused for one that it cannot take.

    Without them, it would send an empty list. For that, CloudFormation removes all tags of the stack, as AWS documents
    for UpdateStack; for the change sets that the CLI makes, it is assumed.
    https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_UpdateStack.html
    """
    for key in tags:
        if "=" in key or "://" in key or key.startswith("-"):  # a tag of another key, a file or an option
            raise Refused(
                f"The stack has a tag {key!r}, which the AWS CLI would take for something else. Give that tag another "
                "key, or update the stack in the console."
            )
    return [f"{key}={value}" for key, value in tags.items()]


if __name__ == "__main__":
    program.run(main)
