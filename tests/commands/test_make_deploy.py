"""`make deploy` with a stand-in for the AWS CLI: its refusals before it changes anything, and its commands."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from commands import arguments, deploy
from ctipam.errors import Refused

ACCOUNT = "NETWORK_ACCOUNT_ID=111122223333"
ROOT = Path(__file__).parents[2]
MANAGEMENT, NETWORKING = "111111111111", "222222222222"
BUCKET = "example-ipam-code"

# A script of the shell, since the path of an interpreter after #! may have no space in it.
SCRIPT = f"""#!/bin/sh
exec {shlex.quote(sys.executable)} -IS "$0.py" "$@"
"""
STAND_IN = """
import json, pathlib, sys
here = pathlib.Path(__file__).parent
asked = sys.argv[1:]
with (here / "asked").open("a") as log:
    log.write(json.dumps(asked) + "\\n")
answers = json.loads((here / "answers").read_text())
answer = answers.get(" ".join(asked[:2]), {})
if isinstance(answer, list):  # a list is answered in its order
    answer = answer.pop(0)
    (here / "answers").write_text(json.dumps(answers))
if isinstance(answer, str):
    sys.exit(answer)
print(json.dumps(answer))
"""

NO_STACK = "An error occurred (ValidationError) when calling the DescribeStacks operation: Stack x does not exist"
ANSWERS: dict[str, Any] = {
    "sts get-caller-identity": {"Account": MANAGEMENT},
    "organizations describe-organization": {"Organization": {"MasterAccountId": MANAGEMENT}},
    "s3api get-bucket-location": {"LocationConstraint": None},
    "cloudformation describe-stacks": NO_STACK,
}


@dataclass
class Cli:
    """A stand-in for the AWS CLI. It gives the answers that are set, and records the commands."""

    folder: Path

    def __post_init__(self) -> None:
        self.folder.mkdir()
        self.path.write_text(SCRIPT)
        self.path.with_name("aws.py").write_text(STAND_IN)
        self.path.chmod(0o755)
        self.answer()

    @property
    def path(self) -> Path:
        return self.folder / "aws"

    def answer(self, **changed: Any) -> None:
        """Replace answers by keyword, for example s3api_get_bucket_location.

        Text is an error; a list has an answer for each call.
        """
        words = {name.replace("_", " ", 1).replace("_", "-"): value for name, value in changed.items()}
        (self.folder / "answers").write_text(json.dumps(ANSWERS | words))

    def asked(self) -> list[list[str]]:
        path = self.folder / "asked"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def done(self) -> list[list[str]]:
        """Return the commands that upload and deploy."""
        return [words for words in self.asked() if words[:2] in (["s3", "cp"], ["cloudformation", "deploy"])]

    def protected(self) -> list[list[str]]:
        """Return the commands that switch termination protection on."""
        return [words for words in self.asked() if words[1] == "update-termination-protection"]


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path / "bin")


@pytest.fixture(scope="module")
def packaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All files that a deployment reads, with zips that match the sources."""
    root = tmp_path_factory.mktemp("packaged")
    for folder in ("ct-integration-lambda", "ipam-pool-lambda", "libraries", "packages", "templates"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    package(root)
    return root


@pytest.fixture
def clone(packaged: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(packaged, tmp_path / "clone"))


def package(root: Path) -> None:
    """Build the zips again with the crhelper that they contain."""
    code = "import build; [(build.PACKAGES / name).write_bytes(zip) for name, zip in build.rebuilt().items()]"
    subprocess.run([sys.executable, "-B", "-c", code], check=True, cwd=root / "packages")


def run(clone: Path, cli: Cli, *words: str) -> None:
    place = [f"BUCKET={BUCKET}", f"NETWORK_ACCOUNT_ID={NETWORKING}", f"AWS={shlex.quote(str(cli.path))}"]
    deploy.deploy([*place, *words], clone)


def refusal(clone: Path, cli: Cli, *words: str) -> str:
    with pytest.raises(Refused) as refused:
        run(clone, cli, *words)
    assert cli.done() == []
    assert "\n" not in str(refused.value)
    return str(refused.value)


def overrides(cli: Cli) -> dict[str, str]:
    command = cli.done()[-1]
    given = command[command.index("--parameter-overrides") + 1 :]
    return dict(word.split("=", 1) for word in given)


def test_templates_zips_and_then_the_stack_are_deployed_and_the_commands_are_shown(
    clone: Path, cli: Cli, capfd: pytest.CaptureFixture[str]
) -> None:
    run(clone, cli, "ENVS=Prod OU,SDLC OU", "AlertEmail=team@example.com")

    commands = cli.done()
    assert [command[:2] for command in commands] == [["s3", "cp"], ["s3", "cp"], ["cloudformation", "deploy"]]
    shown = capfd.readouterr().out.replace("\\\n", "").replace("{}\n", "")
    shown_commands = [shlex.split(line)[2:] for line in shown.splitlines() if line.startswith("$ ")]
    assert shown_commands == [*commands, *cli.protected()]


def test_a_deployed_stack_is_protected_from_deletion(clone: Path, cli: Cli) -> None:
    run(clone, cli, "stack=second")

    assert cli.asked()[-1] == [
        *["cloudformation", "update-termination-protection", "--enable-termination-protection"],
        *["--stack-name", "second"],
    ]


def test_every_parameter_reaches_the_cli_whole(clone: Path, cli: Cli) -> None:
    run(clone, cli, "ENVS=Prod OU,R&D 'x'", "TopLevelPoolCidr=10.0.0.0/8")

    given = overrides(cli)
    assert given.pop("LambdaPrefix").startswith("packages/")
    assert given.pop("RepoRootURL").startswith(f"https://{BUCKET}.s3.us-east-1.amazonaws.com/templates/")
    assert given == {
        "NetworkAccountId": NETWORKING,
        "LambdaBucket": BUCKET,
        "TopLevelPoolCidr": "10.0.0.0/8",
        "AccEnvName": "Prod OU,R&D 'x'",
    }


def test_what_was_uploaded_is_what_the_stack_is_told_of(clone: Path, cli: Cli) -> None:
    run(clone, cli)

    templates, packages, _ = cli.done()
    assert templates[3] == f"s3://{BUCKET}/{overrides(cli)['RepoRootURL'].partition('.com/')[2]}"
    assert packages[3] == f"s3://{BUCKET}/{overrides(cli)['LambdaPrefix']}"


def prefixes(clone: Path, cli: Cli) -> tuple[str, str]:
    run(clone, cli)
    given = overrides(cli)
    return given["LambdaPrefix"], given["RepoRootURL"]


def test_the_places_change_with_the_content_and_only_with_it(clone: Path, cli: Cli) -> None:
    packages, templates = prefixes(clone, cli)
    assert prefixes(clone, cli) == (packages, templates)

    with (clone / "ipam-pool-lambda/index.py").open("a") as source:
        source.write("# changed\n")
    package(clone)
    other_packages, same_templates = prefixes(clone, cli)
    assert (other_packages != packages, same_templates) == (True, templates)

    with (clone / "templates/ipamnetworkingStack.yaml").open("a") as source:
        source.write("# changed\n")
    assert prefixes(clone, cli)[1] != templates
    assert prefixes(clone, cli)[0] == other_packages


@pytest.mark.parametrize(
    ("location", "region"), [(None, "us-east-1"), ("EU", "eu-west-1"), ("ap-southeast-2", "ap-southeast-2")]
)
def test_the_bucket_may_be_in_any_region(clone: Path, cli: Cli, location: str | None, region: str) -> None:
    cli.answer(s3api_get_bucket_location={"LocationConstraint": location})

    assert f"//{BUCKET}.s3.{region}.amazonaws.com/" in prefixes(clone, cli)[1]


def test_a_template_goes_by_way_of_the_bucket_only_if_it_must(clone: Path, cli: Cli) -> None:
    """Because that fails for a bucket in another Region."""
    run(clone, cli)
    with (clone / arguments.MANAGEMENT_TEMPLATE).open("a") as template:
        template.write("#" * deploy.LARGEST_TEMPLATE)
    run(clone, cli)

    small, large = cli.done()[2], cli.done()[5]
    assert "--s3-bucket" not in small
    assert large[large.index("--s3-bucket") + 1] == BUCKET


def test_the_stack_may_have_another_name(clone: Path, cli: Cli) -> None:
    run(clone, cli, "stack=second")

    assert cli.done()[-1][:4] == ["cloudformation", "deploy", "--stack-name", "second"]


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ({"sts_get_caller_identity": "Unable to locate credentials."}, "has no valid credentials; sign in"),
        ({"sts_get_caller_identity": {"Account": NETWORKING}}, "are the Networking account's (222222222222)"),
        (
            {"sts_get_caller_identity": {"Account": "333333333333"}},
            "are of account 333333333333, and the organization's management account is 111111111111",
        ),
        (
            {"organizations_describe_organization": "An error occurred (AWSOrganizationsNotInUseException) ..."},
            "Account 111111111111 is in no organization",
        ),
        ({"s3api_get_bucket_location": "An error occurred (NoSuchBucket) ..."}, f"aws s3 mb s3://{BUCKET}"),
        ({"s3api_get_bucket_location": "An error occurred (AccessDenied) ..."}, f"{BUCKET} is not account 1111"),
        ({"s3api_get_bucket_location": "Could not connect"}, f"cannot read bucket {BUCKET}: Could not connect"),
        (
            {"cloudformation_describe_stacks": {"Stacks": [{"StackStatus": "ROLLBACK_COMPLETE"}]}},
            "`make undo stack=ipam-controltower` or `aws cloudformation delete-stack --stack-name ipam-controltower`",
        ),
        (
            {"cloudformation_describe_stacks": {"Stacks": [{"StackStatus": "DELETE_FAILED"}]}},
            "`aws cloudformation delete-stack --stack-name ipam-controltower --deletion-mode FORCE_DELETE_STACK`, then "
            "deploy again under the same name",
        ),
        (
            {"cloudformation_describe_stacks": {"Stacks": [{"StackStatus": "UPDATE_ROLLBACK_FAILED"}]}},
            "`aws cloudformation continue-update-rollback --stack-name ipam-controltower`",
        ),
        (
            {"cloudformation_describe_stacks": {"Stacks": [{"StackStatus": "UPDATE_IN_PROGRESS"}]}},
            "is UPDATE_IN_PROGRESS; wait until that has ended",
        ),
        ({"cloudformation_describe_stacks": "You must specify a region."}, "You must specify a region."),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_is_in_the_way_is_said_in_a_sentence_and_nothing_is_uploaded(
    clone: Path, cli: Cli, answers: dict[str, Any], reason: str
) -> None:
    cli.answer(**answers)

    assert reason in refusal(clone, cli)


@pytest.mark.parametrize("status", ["CREATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "REVIEW_IN_PROGRESS"])
def test_a_stack_that_is_there_is_updated(clone: Path, cli: Cli, status: str) -> None:
    cli.answer(cloudformation_describe_stacks={"Stacks": [{"StackStatus": status}]})

    run(clone, cli)

    assert len(cli.done()) == 3


def test_credentials_that_may_not_read_the_organization_are_taken_at_their_word(clone: Path, cli: Cli) -> None:
    cli.answer(organizations_describe_organization="An error occurred (AccessDeniedException) ...")

    run(clone, cli)

    assert len(cli.done()) == 3


def test_zips_that_are_not_what_the_sources_build_are_refused(clone: Path, cli: Cli) -> None:
    with (clone / "libraries/ctipam/pools/spec.py").open("a") as source:
        source.write("# changed\n")

    with pytest.raises(Refused) as refused:
        run(clone, cli)

    assert cli.asked() == []
    assert "ctipam_helper_1.0.0.zip is not what the sources build: ctipam/pools/spec.py differs." in str(refused.value)
    assert "Run `make package`" in str(refused.value)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["BUCKET=code"], "make deploy BUCKET=example-ipam-code NETWORK_ACCOUNT_ID=111122223333"),
        ([ACCOUNT, "BUCKET="], "make deploy BUCKET=example-ipam-code NETWORK_ACCOUNT_ID=111122223333"),
        (["BUCKET=code", ACCOUNT, "LambdaPrefix=x/"], "LambdaPrefix follows from the uploads"),
        (["BUCKET=code", ACCOUNT, "Regionselection=a"], "Did you mean RegionSelection?"),
        (["BUCKET=code", ACCOUNT, "AWS=/nowhere/aws"], "There is no /nowhere/aws; install the AWS CLI"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_words_that_are_missing_or_wrong_are_refused(clone: Path, words: list[str], reason: str) -> None:
    with pytest.raises(Refused) as refused:
        deploy.deploy(words, clone)

    assert reason in str(refused.value)


def test_a_command_that_fails_has_said_why_and_nothing_is_done_after_it(clone: Path, cli: Cli) -> None:
    cli.answer(s3_cp="upload failed")

    with pytest.raises(Refused, match="`aws s3 cp` failed; its message is above"):
        run(clone, cli)

    assert len(cli.done()) == 1


def test_the_plan_is_accepted_as_it_is_printed(clone: Path, cli: Cli) -> None:
    """Both commands accept the same arguments."""
    run(clone, cli, "CIDR=10.0.0.0/8", "REGION_PREFIX=12", "ENV_PREFIX=14", "ACTIVE_IPS=7", "FORMAT=svg", "VPCS=x")

    assert overrides(cli)["IpamPoolPrefixLength"] == "12"
    assert "ACTIVE_IPS" not in overrides(cli)


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("ENVS=a,b,c", "ENVS has 3 environments, but a Region's /20 has room for 2"),
        ("CIDR=8.8.8.0/24", "CIDR 8.8.8.0/24 is not private address space"),
        ("REGIONS=mars-1", "REGIONS names 'mars-1', which this Lambda runtime's boto3 does not know"),
        ("stack=bad name", "stack=bad name is not a valid stack name"),
    ],
)
def test_what_the_lambda_would_refuse_is_refused_before_anything_is_uploaded(
    packaged: Path, cli: Cli, word: str, reason: str
) -> None:
    assert reason in refusal(packaged, cli, word)


def test_what_is_not_given_is_what_the_stack_has(packaged: Path, cli: Cli) -> None:
    """Three environments do not fit into the template's default size, but into the size of this stack."""
    has = [{"ParameterKey": "AccPoolPrefixLength", "ParameterValue": "24"}]
    cli.answer(cloudformation_describe_stacks={"Stacks": [{"StackStatus": "CREATE_COMPLETE", "Parameters": has}]})

    run(packaged, cli, "ENVS=a,b,c")

    assert cli.done()


def test_an_aws_cli_that_cannot_be_run_is_told(packaged: Path, cli: Cli) -> None:
    cli.path.write_text("#!/nowhere/python\n")

    assert "cannot be run: No such file or directory; give the path of an AWS CLI" in refusal(packaged, cli)


def event(number: int, status: str, resource: str, reason: str, kind: str = "AWS::CloudFormation::StackSet") -> Any:
    names = {"EventId": str(number), "LogicalResourceId": resource, "ResourceType": kind}
    return names | {"ResourceStatus": status, "ResourceStatusReason": reason}


EVENTS = [  # newest first
    event(3, "CREATE_FAILED", "NetworkingStackSet", "One or more operations failed"),
    event(2, "CREATE_FAILED", "FailureQueue", "Resource creation cancelled", "AWS::SQS::Queue"),
    event(1, "CREATE_IN_PROGRESS", "NetworkingStackSet", ""),
]
OPERATIONS = [
    {"OperationId": "rollback", "Status": "SUCCEEDED", "CreationTimestamp": "2026-11-25T14:00:00Z"},
    {"OperationId": "this", "Status": "FAILED", "CreationTimestamp": "2026-11-25T13:00:00Z"},
    {"OperationId": "earlier", "Status": "FAILED", "CreationTimestamp": "2026-11-24T13:00:00Z"},
]


def failed_deployment(packaged: Path, cli: Cli, before: list[Any], after: list[Any], **answers: Any) -> list[str]:
    """Return the lines of the refusal. The stack has the events `before` the deployment and those `after` it."""
    cli.answer(
        cloudformation_deploy="Failed to create/update the stack",
        cloudformation_describe_stack_events=[{"StackEvents": before}, {"StackEvents": after}],
        **answers,
    )
    with pytest.raises(Refused) as refused:
        run(packaged, cli)
    assert cli.protected() == []
    return str(refused.value).splitlines()


def test_a_deployment_that_fails_says_the_first_reason_in_both_accounts(packaged: Path, cli: Cli) -> None:
    results = {"Summaries": [{"Account": NETWORKING, "StatusReason": "InitPools: no free /21"}, {"Account": "1"}]}

    lines = failed_deployment(
        packaged,
        cli,
        [],
        EVENTS,
        cloudformation_list_stack_set_operations={"Summaries": OPERATIONS},
        cloudformation_list_stack_set_operation_results=results,
    )

    assert lines == [
        "`aws cloudformation deploy` failed; its message is above.",
        "First failure: NetworkingStackSet (AWS::CloudFormation::StackSet) is CREATE_FAILED: One or more operations "
        "failed",
        f"In account {NETWORKING}: InitPools: no free /21",
    ]
    asked = [words for words in cli.asked() if words[1] == "list-stack-set-operation-results"]
    assert asked[0][2:6] == ["--stack-set-name", "ipam-controltower-networking", "--operation-id", "this"]


def test_a_failure_of_an_earlier_deployment_is_not_told_again(packaged: Path, cli: Cli) -> None:
    assert len(failed_deployment(packaged, cli, EVENTS, EVENTS)) == 1


def test_a_stack_set_that_is_gone_leaves_the_reason_of_the_stack(packaged: Path, cli: Cli) -> None:
    lines = failed_deployment(
        packaged, cli, [], EVENTS, cloudformation_list_stack_set_operations="(StackSetNotFoundException)"
    )

    assert len(lines) == 2
