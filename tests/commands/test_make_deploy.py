"""`make deploy` with a stand-in for the AWS CLI: its preconditions and its commands."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from commands import arguments, aws_cli, deploy, template_file
from commands.existing_vpcs import reserve
from commands.preflight.facts import Check
from ctipam.errors import Refused
from ctipam.tags import to_list
from in_process.stand_in_cli import StandInCli

ACCOUNT = "NETWORK_ACCOUNT_ID=111122223333"
ROOT = Path(__file__).parents[2]
REFUSE_STALE_ZIPS = deploy.refuse_stale_zips
MANAGEMENT, NETWORKING = "111111111111", "222222222222"
BUCKET = "example-ipam-code"

NO_STACK = "An error occurred (ValidationError) when calling the DescribeStacks operation: Stack x does not exist"
ANSWERS: dict[str, Any] = {
    "sts get-caller-identity": {"Account": MANAGEMENT, "Arn": f"arn:aws:iam::{MANAGEMENT}:user/operator"},
    "organizations describe-organization": {"Organization": {"MasterAccountId": MANAGEMENT}},
    "s3api get-bucket-location": {"LocationConstraint": None},
    "cloudformation describe-stacks": NO_STACK,
    "cloudformation describe-stack-events": NO_STACK.replace("DescribeStacks", "DescribeStackEvents"),
    "cloudformation list-change-sets": NO_STACK.replace("DescribeStacks", "ListChangeSets"),
}


def a_stack(status: str, **parameters: str) -> Any:
    """Return the answer of DescribeStacks for a stack of this solution."""
    given = {"NetworkAccountId": NETWORKING} | parameters
    rows = [{"ParameterKey": name, "ParameterValue": value} for name, value in given.items()]
    return {"Stacks": [{"StackStatus": status, "Parameters": rows}]}


CHANGED = "Somebody has changed stack ipam-controltower since this command first read it"


def a_tagged_stack(tags: Mapping[str, str]) -> Any:
    answer = a_stack("CREATE_COMPLETE")
    answer["Stacks"][0]["Tags"] = to_list(tags)
    return answer


class Cli(StandInCli):
    def __post_init__(self) -> None:
        super().__post_init__()
        self.answer()

    def answer(self, **changed: Any) -> None:
        """Replace answers by keyword, for example s3api_get_bucket_location.

        Text is an error; a list has an answer for each call.
        """
        words = {name.replace("_", " ", 1).replace("_", "-"): value for name, value in changed.items()}
        self.set_answers(
            {
                name: [*answer, "There is no further answer."] if isinstance(answer, list) else [answer]
                for name, answer in (ANSWERS | words).items()
            }
        )

    def commands(self) -> list[list[str]]:
        return [words for words, _ in self.calls()]

    def changes(self) -> list[list[str]]:
        """Return the commands that upload and deploy."""
        return [words for words in self.commands() if words[:2] in (["s3", "cp"], ["cloudformation", "deploy"])]

    def protected(self) -> list[list[str]]:
        """Return the commands that enable termination protection."""
        return [words for words in self.commands() if words[1] == "update-termination-protection"]


@pytest.fixture(autouse=True)
def zips_are_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the comparison of the zips with the sources, which takes longer than all the rest."""
    monkeypatch.setattr(deploy, "refuse_stale_zips", lambda root: None)


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[Cli]:
    found = Cli(tmp_path / "bin")
    yield found
    found.calls()  # asserts that the AWS CLI would take them


@pytest.fixture(scope="module")
def packaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy all files that a deployment reads, and build zips that match the sources."""
    root = tmp_path_factory.mktemp("packaged")
    for folder in ("ct-integration-lambda", "ipam-pool-lambda", "libraries", "packages", "templates"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    package(root)
    return root


@pytest.fixture
def clone(packaged: Path, tmp_path: Path) -> Path:
    """Return a copy that a test may change, of what is uploaded."""
    for folder in ("packages", "templates"):
        shutil.copytree(packaged / folder, tmp_path / "clone" / folder)
    return tmp_path / "clone"


@pytest.fixture
def with_sources(clone: Path, packaged: Path) -> Path:
    """Return a copy of everything."""
    return Path(shutil.copytree(packaged, clone, dirs_exist_ok=True))


def package(root: Path) -> None:
    """Build the zips again with the crhelper that they contain."""
    code = "import build; [(build.PACKAGES / name).write_bytes(zip) for name, zip in build.rebuilt().items()]"
    subprocess.run([sys.executable, "-B", "-c", code], check=True, cwd=root / "packages")


def run(clone: Path, cli: Cli, *words: str) -> None:
    required = [f"BUCKET={BUCKET}", f"NETWORK_ACCOUNT_ID={NETWORKING}", f"AWS={shlex.quote(str(cli.path))}"]
    required += [] if any(word.startswith("preflight=") for word in words) else ["preflight=no"]  # many calls
    deploy.deploy([*required, *words], clone)


def refusal(clone: Path, cli: Cli, *words: str) -> str:
    """Return the one-line error of a deployment that changes nothing."""
    with pytest.raises(Refused) as refused:
        run(clone, cli, *words)
    assert cli.changes() == []
    assert "\n" not in str(refused.value)
    return str(refused.value)


def overrides(cli: Cli) -> dict[str, str]:
    command = cli.changes()[-1]
    given = command[command.index("--parameter-overrides") + 1 :]
    return dict(word.split("=", 1) for word in given)


def test_templates_zips_and_the_stack_are_deployed_in_order_and_the_commands_are_shown(
    clone: Path, cli: Cli, capfd: pytest.CaptureFixture[str]
) -> None:
    run(clone, cli, "ENVS=Prod OU,SDLC OU", "AlertEmail=team@example.com")

    commands = cli.changes()
    assert [command[:2] for command in commands] == [["s3", "cp"], ["s3", "cp"], ["cloudformation", "deploy"]]
    shown = capfd.readouterr().out.replace("\\\n", "").replace("{}\n", "")
    shown_commands = [shlex.split(line)[2:] for line in shown.splitlines() if line.startswith("$ ")]
    assert shown_commands == [*commands, *cli.protected()]
    template = commands[2][5]
    assert template.endswith("/ipam-controltower-integration.template.yaml")
    assert commands[2][: commands[2].index("--parameter-overrides")] == [
        *["cloudformation", "deploy", "--stack-name", "ipam-controltower", "--template-file", template],
        *["--capabilities", "CAPABILITY_IAM", "--no-fail-on-empty-changeset"],
    ]
    assert [words[2:5] for words in commands[:2]] == [
        ["templates/", f"s3://{BUCKET}/{overrides(cli)['RepoRootURL'].partition('.com/')[2]}", "--sse"],
        ["packages/", f"s3://{BUCKET}/{overrides(cli)['LambdaPrefix']}", "--sse"],
    ]
    assert all("--recursive" in words for words in commands[:2])


def test_a_long_command_is_broken_between_its_words_and_never_within_one() -> None:
    words = ["cloudformation", "deploy", "--parameter-overrides", "PoolSizes=us-east-1/Prod OU=21+21", "x" * 60]

    text = aws_cli.to_text(words)

    assert f"\n    'PoolSizes=us-east-1/Prod OU=21+21' {'x' * 60}" in text
    assert shlex.split(text.replace("\\\n", ""))[1:] == words


def test_a_deployed_stack_is_protected_from_deletion(clone: Path, cli: Cli) -> None:
    run(clone, cli, "stack=second")

    assert cli.commands()[-1] == [
        *["cloudformation", "update-termination-protection", "--enable-termination-protection"],
        *["--stack-name", "second"],
    ]


@pytest.mark.parametrize(
    ("given", "before", "says"),
    [
        (["AlertEmail=team@example.com"], {}, True),
        (["AlertEmail=team@example.com"], {"AlertEmail": "old@example.com"}, True),
        (["AlertEmail=team@example.com"], {"AlertEmail": "team@example.com"}, False),
        ([], {"AlertEmail": "team@example.com"}, False),
        (["AlertEmail="], {"AlertEmail": "team@example.com"}, False),
    ],
    ids=["new", "another", "the same", "not given", "none any more"],
)
def test_a_new_address_for_alarms_is_said_to_need_confirmation(
    clone: Path, cli: Cli, capfd: pytest.CaptureFixture[str], given: list[str], before: dict[str, str], says: bool
) -> None:
    cli.answer(cloudformation_describe_stacks=a_stack("CREATE_COMPLETE", LambdaBucket=BUCKET, **before))

    run(clone, cli, *given)

    assert ("two emails to team@example.com" in capfd.readouterr().out.splitlines()[-1]) == says


def test_each_parameter_reaches_the_cli_unchanged(clone: Path, cli: Cli) -> None:
    run(clone, cli, "ENVS=Prod OU,R&D 'x'", "TopLevelPoolCidr=10.0.0.0/8")

    given = overrides(cli)
    assert given.pop("LambdaPrefix").startswith("packages/")
    assert given.pop("RepoRootURL").startswith(f"https://{BUCKET}.s3.us-east-1.amazonaws.com/templates/")
    del given["PackageVersion"]
    assert given == {
        "NetworkAccountId": NETWORKING,
        "LambdaBucket": BUCKET,
        "TopLevelPoolCidr": "10.0.0.0/8",
        "AccEnvName": "Prod OU,R&D 'x'",
    }


def test_what_is_to_be_reserved_is_read_last_told_and_deployed(
    clone: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def read(options: Mapping[str, str], properties: Mapping[str, str]) -> str:
        assert (options["RESERVE"], options["INCOMPLETE"], properties["AccEnvName"]) == ("ipam", "accept", "Prod OU")
        assert cli.changes() == []
        return "10.1.0.0/16"

    monkeypatch.setattr(reserve, "reserved_cidrs", read)

    run(clone, cli, "ENVS=Prod OU", "RESERVE=ipam", "INCOMPLETE=accept")

    assert overrides(cli)["ReservedCidrs"] == "10.1.0.0/16"
    assert "ReservedCidrs=10.1.0.0/16" in capfd.readouterr().out.splitlines()


def test_the_parameters_of_the_stack_name_the_uploads(clone: Path, cli: Cli) -> None:
    run(clone, cli)

    templates, packages, _ = cli.changes()
    assert templates[3] == f"s3://{BUCKET}/{overrides(cli)['RepoRootURL'].partition('.com/')[2]}"
    assert packages[3] == f"s3://{BUCKET}/{overrides(cli)['LambdaPrefix']}"


def test_so_does_the_version_also_of_a_stack_that_another_version_has_deployed(clone: Path, cli: Cli) -> None:
    """The zips of each version have other names, and the stack would keep the names of the last ones."""
    cli.answer(cloudformation_describe_stacks=a_stack("UPDATE_COMPLETE", LambdaBucket=BUCKET, PackageVersion="0.9.0"))

    run(clone, cli)

    version = overrides(cli)["PackageVersion"]
    assert {path.name for path in (clone / "packages").glob("*.zip")} == {
        f"ctipam_ct_integration_{version}.zip",
        f"ctipam_helper_{version}.zip",
    }


def test_each_upload_asks_for_encryption_with_a_key_of_s3(clone: Path, cli: Cli) -> None:
    """Many companies' bucket policies refuse an upload that asks for none. With a KMS key, which may be the bucket's
    default, neither CopyZips nor the StackSet could read the files.

    https://github.com/serverless/serverless/issues/2924
    https://github.com/aws/aws-cdk/pull/17668
    """
    run(clone, cli)

    uploads = [words for words in cli.changes() if words[:2] == ["s3", "cp"]]
    assert len(uploads) == 2
    assert all(words[words.index("--sse") + 1] == "AES256" for words in uploads)


def test_only_templates_and_zips_are_uploaded(clone: Path, cli: Cli) -> None:
    run(clone, cli)

    templates, packages, _ = cli.changes()
    assert templates[-4:] == ["--exclude", "*", "--include", "*.yaml"]
    assert packages[-4:] == ["--exclude", "*", "--include", "*.zip"]


def prefixes(clone: Path, cli: Cli) -> tuple[str, str]:
    run(clone, cli)
    given = overrides(cli)
    return given["LambdaPrefix"], given["RepoRootURL"]


def test_the_upload_locations_change_only_with_the_content(clone: Path, cli: Cli) -> None:
    packages, templates = prefixes(clone, cli)
    assert prefixes(clone, cli) == (packages, templates)

    with (clone / "packages/ctipam_helper_1.0.0.zip").open("ab") as zip_file:
        zip_file.write(b"changed")
    other_packages, same_templates = prefixes(clone, cli)
    assert (other_packages != packages, same_templates) == (True, templates)

    with (clone / "templates/ipamnetworkingStack.yaml").open("a") as source:
        source.write("# changed\n")
    assert prefixes(clone, cli)[1] != templates
    assert prefixes(clone, cli)[0] == other_packages


@pytest.mark.parametrize(
    ("location", "region"), [(None, "us-east-1"), ("EU", "eu-west-1"), ("ap-southeast-2", "ap-southeast-2")]
)
def test_the_bucket_can_be_in_any_region(clone: Path, cli: Cli, location: str | None, region: str) -> None:
    cli.answer(s3api_get_bucket_location={"LocationConstraint": location})

    assert f"//{BUCKET}.s3.{region}.amazonaws.com/" in prefixes(clone, cli)[1]


@pytest.mark.parametrize(
    ("partition", "region", "host"),
    [
        ("aws-cn", "cn-north-1", "s3.cn-north-1.amazonaws.com.cn"),
        ("aws-eusc", "eusc-de-east-1", "s3.eusc-de-east-1.amazonaws.eu"),
        ("aws-us-gov", "us-gov-west-1", "s3.us-gov-west-1.amazonaws.com"),
    ],
)
def test_the_url_of_the_templates_is_one_of_the_partition(
    packaged: Path, cli: Cli, partition: str, region: str, host: str
) -> None:
    caller = {"Account": MANAGEMENT, "Arn": f"arn:{partition}:sts::{MANAGEMENT}:assumed-role/operator/x"}
    cli.answer(sts_get_caller_identity=caller, s3api_get_bucket_location={"LocationConstraint": region})

    run(packaged, cli, f"REGIONS={region}")

    assert overrides(cli)["RepoRootURL"].startswith(f"https://{BUCKET}.{host}/templates/")


def test_only_a_template_that_is_large_without_comments_too_is_passed_through_the_bucket(clone: Path, cli: Cli) -> None:
    """Passing a template through the bucket fails for a bucket in another Region."""
    just_small = template_file.without_comments((clone / arguments.MANAGEMENT_TEMPLATE).read_text(encoding="utf-8"))
    just_small += "#" * (template_file.LARGEST - len(just_small.encode()))
    (clone / arguments.MANAGEMENT_TEMPLATE).write_text(just_small, encoding="utf-8")
    run(clone, cli)
    with (clone / arguments.MANAGEMENT_TEMPLATE).open("a") as template:
        template.write(f"\n  Padding:\n    Value: {'x' * template_file.LARGEST}\n")
    run(clone, cli)

    small, large = cli.changes()[2], cli.changes()[5]
    assert "--s3-bucket" not in small
    templates = cli.changes()[3][3]
    assert large[large.index("--s3-bucket") :][:4] == ["--s3-bucket", BUCKET, "--s3-prefix", large[9]]
    assert f"s3://{BUCKET}/{large[9]}/" == templates


def test_the_stack_name_can_be_chosen(clone: Path, cli: Cli) -> None:
    run(clone, cli, "stack=second")

    assert cli.changes()[-1][:4] == ["cloudformation", "deploy", "--stack-name", "second"]


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        (
            {"sts_get_caller_identity": "Unable to locate credentials."},
            "has no valid credentials, or no Region; sign in",
        ),
        (
            {"sts_get_caller_identity": {"Account": NETWORKING, "Arn": "arn:aws:iam::222222222222:root"}},
            "are the Networking account's (222222222222)",
        ),
        (
            {"sts_get_caller_identity": {"Account": "333333333333", "Arn": "arn:aws:iam::333333333333:root"}},
            "are of account 333333333333, and the organization's management account is 111111111111",
        ),
        (
            {"organizations_describe_organization": "An error occurred (AWSOrganizationsNotInUseException) ..."},
            "Account 111111111111 is in no organization",
        ),
        (
            {"organizations_describe_organization": {"Organization": {"MasterAccountId": NETWORKING}}}
            | {"sts_get_caller_identity": {"Account": NETWORKING, "Arn": "arn:aws:iam::222222222222:root"}},
            f"NETWORK_ACCOUNT_ID={NETWORKING} is the management account, which cannot administer IPAM",
        ),
        ({"s3api_get_bucket_location": "An error occurred (NoSuchBucket) ..."}, f"aws s3 mb s3://{BUCKET}"),
        ({"s3api_get_bucket_location": "An error occurred (AccessDenied) ..."}, f"{BUCKET} is not account 1111"),
        ({"s3api_get_bucket_location": "Could not connect"}, f"cannot read bucket {BUCKET}: Could not connect"),
        (
            {"cloudformation_describe_stacks": a_stack("DELETE_FAILED")},
            "`aws cloudformation delete-stack --stack-name ipam-controltower --deletion-mode FORCE_DELETE_STACK`, then "
            "deploy again under the same name",
        ),
        (
            {"cloudformation_describe_stacks": a_stack("UPDATE_ROLLBACK_FAILED")},
            "`aws cloudformation continue-update-rollback --stack-name ipam-controltower`",
        ),
        (
            {"cloudformation_describe_stacks": a_stack("UPDATE_FAILED")},
            "`aws cloudformation rollback-stack --stack-name ipam-controltower`",
        ),
        (
            {"cloudformation_describe_stacks": a_stack("UPDATE_IN_PROGRESS")},
            "is UPDATE_IN_PROGRESS; wait until that has ended",
        ),
        (
            {"cloudformation_describe_stacks": {"Stacks": [{"StackStatus": "CREATE_COMPLETE"}]}},
            "Stack ipam-controltower is not this solution's: it names no Networking account",
        ),
        ({"cloudformation_describe_stacks": "You must specify a region."}, "You must specify a region."),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_failed_precondition_is_explained_and_nothing_is_uploaded(
    clone: Path, cli: Cli, answers: dict[str, Any], reason: str
) -> None:
    cli.answer(**answers)

    assert reason in refusal(clone, cli)


@pytest.mark.parametrize("status", ["ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED"])
def test_a_stack_whose_first_deployment_failed_has_to_be_deleted(packaged: Path, cli: Cli, status: str) -> None:
    cli.answer(cloudformation_describe_stacks=a_stack(status))

    undo, delete = "make undo stack=ipam-controltower", "aws cloudformation delete-stack --stack-name ipam-controltower"
    text = refusal(packaged, cli)
    assert f"Correct the reason that its events give, then run `{undo}` or `{delete}`" in text
    assert "below" not in text


@pytest.mark.parametrize(
    ("before", "meanwhile", "reason"),
    [
        (NO_STACK, a_stack("CREATE_COMPLETE"), CHANGED),
        (a_stack("CREATE_COMPLETE"), a_stack("UPDATE_COMPLETE", AlertEmail="team@example.com"), CHANGED),
        (a_stack("UPDATE_COMPLETE"), a_tagged_stack({"CostCenter": "42"}), CHANGED),
        (a_stack("CREATE_COMPLETE"), NO_STACK, CHANGED),
        (a_stack("CREATE_COMPLETE"), a_stack("UPDATE_IN_PROGRESS"), "is UPDATE_IN_PROGRESS; wait until that has ended"),
    ],
    ids=["created", "another parameter", "another tag", "deleted", "in progress"],
)
def test_a_stack_that_somebody_else_changes_during_the_checks_is_left_to_them(
    packaged: Path, cli: Cli, before: Any, meanwhile: Any, reason: str
) -> None:
    """The checks, and a question of RESERVE, may take minutes. This deployment would give the stack its former tags."""
    cli.answer(cloudformation_describe_stacks=[before, meanwhile])

    assert reason in refusal(packaged, cli)


@pytest.mark.parametrize("status", ["CREATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "REVIEW_IN_PROGRESS"])
def test_an_existing_stack_is_updated(clone: Path, cli: Cli, status: str) -> None:
    cli.answer(cloudformation_describe_stacks=a_stack(status))

    run(clone, cli)

    assert len(cli.changes()) == 3


def test_credentials_that_cannot_read_the_organization_are_accepted(clone: Path, cli: Cli) -> None:
    cli.answer(organizations_describe_organization="An error occurred (AccessDeniedException) ...")

    run(clone, cli)

    assert len(cli.changes()) == 3


def test_zips_that_differ_from_the_sources_are_refused(
    with_sources: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deploy, "refuse_stale_zips", REFUSE_STALE_ZIPS)
    with (with_sources / "libraries/ctipam/pools/spec.py").open("a") as source:
        source.write("# changed\n")

    with pytest.raises(Refused) as refused:
        run(with_sources, cli)

    assert cli.commands() == []
    assert "ctipam_helper_1.0.0.zip is not what the sources build: ctipam/pools/spec.py differs." in str(refused.value)
    assert "Run `make package`" in str(refused.value)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["BUCKET=code", ACCOUNT, "LambdaPrefix=x/"], "LambdaPrefix follows from the uploads"),
        (["BUCKET=code", ACCOUNT, "RepoRootURL=https://x/"], "RepoRootURL follows from the uploads"),
        (["BUCKET=code", ACCOUNT, "PackageVersion=2.0.0"], "PackageVersion follows from the uploads"),
        (["BUCKET=code", ACCOUNT, "Regionselection=a"], "Did you mean RegionSelection?"),
        (["BUCKET=code", ACCOUNT, "RESERVE=all"], "RESERVE=all is not supported; give organization or ipam"),
        (["BUCKET=code", ACCOUNT, "AWS=/nowhere/aws"], "There is no /nowhere/aws; install the AWS CLI"),
        (["BUCKET=code", ACCOUNT, "AWS='"], "AWS=' is not a command; quote it as in a shell"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_missing_and_wrong_arguments_are_refused(clone: Path, words: list[str], reason: str) -> None:
    with pytest.raises(Refused) as refused:
        deploy.deploy(words, clone)

    assert reason in str(refused.value)


def test_the_bucket_and_the_networking_account_of_the_stack_are_used_again(clone: Path, cli: Cli) -> None:
    words = [f"AWS={shlex.quote(str(cli.path))}", "preflight=no", "REGIONS=us-west-2"]
    with pytest.raises(Refused, match="required for a first deployment: make deploy BUCKET=example-ipam-code NETWORK_"):
        deploy.deploy(words, clone)
    assert cli.changes() == []

    of_stack = {"LambdaBucket": BUCKET, "NetworkAccountId": NETWORKING}
    cli.answer(cloudformation_describe_stacks=a_stack("CREATE_COMPLETE", **of_stack))
    deploy.deploy(words, clone)

    assert {name: overrides(cli)[name] for name in of_stack} == of_stack


def test_a_failed_check_of_the_preflight_stops_the_deployment(
    packaged: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    checks = [Check("Landing zone", "ok", "Fine."), Check("IPAM", "failed", "In the free tier.")]
    monkeypatch.setattr("commands.preflight.checking.read_and_check", lambda *_arguments: checks)

    assert "fix what is marked above, or deploy with preflight=no" in refusal(packaged, cli, "preflight=yes")
    assert capsys.readouterr().out.splitlines()[-4:-1] == ["✓ Landing zone: Fine.", "✗ IPAM: In the free tier.", ""]


def test_the_aws_cli_on_the_path_is_used_and_the_checks_run_first_unless_somebody_says_otherwise(
    packaged: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks = [Check("IPAM", "failed", "In the free tier.")]
    monkeypatch.setattr("commands.preflight.checking.read_and_check", lambda *_arguments: checks)
    monkeypatch.setenv("PATH", str(cli.folder), prepend=os.pathsep)

    with pytest.raises(Refused, match="Nothing was deployed: fix what is marked above"):
        deploy.deploy([f"BUCKET={BUCKET}", f"NETWORK_ACCOUNT_ID={NETWORKING}"], packaged)

    assert cli.commands()
    assert cli.changes() == []


def test_checks_that_do_not_fail_let_the_deployment_go_on(
    packaged: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks = [Check("Trail", "warning", "None."), Check("Quota", "unknown", "Cannot be read.")]
    monkeypatch.setattr("commands.preflight.checking.read_and_check", lambda *_arguments: checks)

    run(packaged, cli, "preflight=yes")

    assert len(cli.changes()) == 3


def test_no_further_command_runs_after_a_command_fails(clone: Path, cli: Cli) -> None:
    cli.answer(s3_cp="upload failed")

    with pytest.raises(Refused, match="`aws s3 cp` failed; its message is above"):
        run(clone, cli)

    assert len(cli.changes()) == 1


def test_the_arguments_of_make_plan_are_accepted(clone: Path, cli: Cli) -> None:
    """Both commands accept the same arguments."""
    run(clone, cli, "CIDR=10.0.0.0/8", "REGION_PREFIX=12", "ENV_PREFIX=14", "ACTIVE_IPS=7", "FORMAT=svg", "VPCS=x")

    assert overrides(cli)["IpamPoolPrefixLength"] == "12"
    assert "ACTIVE_IPS" not in overrides(cli)


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("ENVS=a,b,c", "Give POOL_SIZES us-west-2=20+20,us-east-1=20+20, or a longer ENV_PREFIX"),
        ("CIDR=8.8.8.0/24", "CIDR 8.8.8.0/24 is not private address space"),
        ("REGIONS=mars-1", "REGIONS names 'mars-1', which this Lambda runtime's boto3 does not know"),
        ("AutoImport=perhaps", "AutoImport=perhaps is not valid; it must be one of off, on."),
        ("stack=bad name", "stack=bad name is not a valid stack name"),
        (f"stack={'x' * 118}", "and at most 117 of them"),
        ("preflight=", "preflight= is neither yes nor no."),
    ],
)
def test_parameters_that_the_function_would_refuse_are_refused_before_the_uploads(
    packaged: Path, cli: Cli, word: str, reason: str
) -> None:
    assert reason in refusal(packaged, cli, word)


@pytest.mark.parametrize(
    "parameters", [{"AlertEmail": "a@b.example\n"}, {"NetworkAccountId": "\u0661" * 12}], ids=["a line", "other digits"]
)
def test_a_value_is_compared_with_its_pattern_as_cloudformation_does(parameters: dict[str, str]) -> None:
    with pytest.raises(Refused, match="is not valid; it must be"):
        arguments.refuse_impossible(parameters)


def test_parameters_that_are_not_given_keep_the_values_of_the_stack(packaged: Path, cli: Cli) -> None:
    """Three environments do not fit into the default size of the template, but fit into the size of this stack."""
    cli.answer(cloudformation_describe_stacks=a_stack("CREATE_COMPLETE", AccPoolPrefixLength="24"))

    run(packaged, cli, "ENVS=a,b,c")

    assert cli.changes()


def test_the_values_that_an_older_version_cannot_keep_are_named(
    packaged: Path, cli: Cli, capfd: pytest.CaptureFixture[str]
) -> None:
    """CloudFormation drops them with their parameters, and an upgrade later has the defaults again."""
    newer = {"ForbiddenOus": "Prod OU", "Later": ""}
    cli.answer(cloudformation_describe_stacks=a_stack("UPDATE_COMPLETE", LambdaBucket=BUCKET, **newer))

    run(packaged, cli)

    told = capfd.readouterr()
    assert "give them again after an upgrade: 'ForbiddenOus=Prod OU' Later=" in told.err
    assert len(cli.changes()) == 3
    assert not set(newer) & set(overrides(cli))


def test_a_stack_that_has_only_a_change_set_keeps_no_values(packaged: Path, cli: Cli) -> None:
    cli.answer(cloudformation_describe_stacks=a_stack("REVIEW_IN_PROGRESS", AccPoolPrefixLength="24"))

    assert "POOL_SIZES" in refusal(packaged, cli, "ENVS=a,b,c")


def test_the_stack_keeps_its_tags_of_which_an_aws_cli_that_is_given_none_leaves_none(packaged: Path, cli: Cli) -> None:
    cli.answer(cloudformation_describe_stacks=a_tagged_stack({"Cost center": "47=11", "aws:x": "y"}))

    run(packaged, cli)

    command = cli.changes()[-1]
    assert command[command.index("--tags") + 1 : command.index("--parameter-overrides")] == ["Cost center=47=11"]


def test_a_stack_without_tags_is_given_none(packaged: Path, cli: Cli) -> None:
    run(packaged, cli)

    assert "--tags" not in cli.changes()[-1]


@pytest.mark.parametrize("key", ["cost=center", "-cost", "file://cost"])
def test_a_tag_that_the_aws_cli_would_take_for_something_else_is_refused(packaged: Path, cli: Cli, key: str) -> None:
    cli.answer(cloudformation_describe_stacks=a_tagged_stack({key: "4711"}))

    assert f"The stack has a tag {key!r}, which the AWS CLI would take for something else" in refusal(packaged, cli)


def test_an_aws_cli_writes_its_errors_in_one_line_whatever_the_user_has_configured(packaged: Path, cli: Cli) -> None:
    cli.path.write_text("""#!/bin/sh
case $AWS_CLI_ERROR_FORMAT in
    legacy) echo "An error occurred (AWSOrganizationsNotInUseException) when calling ..." >&2 ;;
    *) printf 'An error occurred (AWSOrganizationsNotInUseException) when calling ...\\n\\nDetails:\\nA: b\\n' >&2 ;;
esac
case $1 in sts) echo '{"Account": "111111111111", "Arn": "arn:aws:iam::111111111111:root"}' ;; *) exit 254 ;; esac
""")

    assert "is in no organization" in refusal(packaged, cli)


def test_a_program_that_is_no_aws_cli_is_refused(packaged: Path, cli: Cli) -> None:
    cli.path.write_text("#!/bin/sh\necho hello\n")

    assert refusal(packaged, cli).endswith("does not answer as an AWS CLI does; give the path of one with AWS=.")


def test_an_aws_cli_that_cannot_be_run_is_refused(packaged: Path, cli: Cli) -> None:
    cli.path.write_text("#!/nowhere/python\n")

    assert "cannot be run: No such file or directory; give the path of an AWS CLI" in refusal(packaged, cli)


def event(number: int, status: str, resource: str, reason: str, kind: str = "AWS::CloudFormation::StackSet") -> Any:
    names = {"EventId": str(number), "LogicalResourceId": resource, "ResourceType": kind}
    time = f"2026-11-25T12:59:0{number}.250000+00:00"
    return names | {"ResourceStatus": status, "ResourceStatusReason": reason, "Timestamp": time}


EVENTS = [  # newest first
    event(3, "CREATE_FAILED", "NetworkingStackSet", "One or more operations failed"),
    event(2, "CREATE_FAILED", "FailureQueue", "Resource creation cancelled", "AWS::SQS::Queue"),
    event(1, "CREATE_IN_PROGRESS", "NetworkingStackSet", ""),
]
OPERATIONS = [
    {"OperationId": "rollback", "Status": "SUCCEEDED", "CreationTimestamp": "2026-11-25T14:00:00Z"},
    {"OperationId": "first", "Status": "FAILED", "CreationTimestamp": "2026-11-25T12:59:30Z"},
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


@pytest.mark.parametrize("status", ["FAILED", "STOPPED"])
def test_a_failed_deployment_reports_the_first_failure_in_both_accounts(packaged: Path, cli: Cli, status: str) -> None:
    operations = [one | {"Status": status} if one["OperationId"] == "this" else one for one in OPERATIONS]
    results = {"Summaries": [{"Account": NETWORKING, "StatusReason": "InitPools: no free /21"}, {"Account": "1"}]}

    lines = failed_deployment(
        packaged,
        cli,
        [],
        EVENTS,
        cloudformation_list_stack_set_operations={"Summaries": operations},
        cloudformation_list_stack_set_operation_results=results,
    )

    assert lines == [
        "`aws cloudformation deploy` failed; its message is above.",
        "First failure: NetworkingStackSet (AWS::CloudFormation::StackSet) is CREATE_FAILED: One or more operations "
        "failed",
        f"In account {NETWORKING}: InitPools: no free /21",
    ]
    listed = [words for words in cli.commands() if words[1] == "list-stack-set-operation-results"]
    assert listed[0][2:6] == ["--stack-set-name", "ipam-controltower-networking", "--operation-id", "this"]


def test_a_first_deployment_that_failed_without_this_command_is_reported_with_its_first_failure(
    packaged: Path, cli: Cli
) -> None:
    """As after an interrupt, which says that the same command reports a failure."""
    cli.answer(
        cloudformation_describe_stacks=a_stack("ROLLBACK_COMPLETE"),
        cloudformation_describe_stack_events={
            "StackEvents": [event(1, "CREATE_FAILED", "Topic", "no", "AWS::SNS::Topic")]
        },
    )

    with pytest.raises(Refused) as refused:
        run(packaged, cli)

    refusal, failure = str(refused.value).splitlines()
    assert refusal == (
        "Stack ipam-controltower is ROLLBACK_COMPLETE: its first deployment failed, and it can only be deleted. "
        "Correct the failure below, then run `make undo stack=ipam-controltower` or `aws cloudformation delete-stack "
        "--stack-name ipam-controltower` and try again."
    )
    assert failure == "First failure: Topic (AWS::SNS::Topic) is CREATE_FAILED: no"


def test_a_failed_operation_of_an_earlier_deployment_is_no_reason(packaged: Path, cli: Cli) -> None:
    """Where somebody else's operation is in progress, there is none of this deployment."""
    lines = failed_deployment(
        packaged, cli, [], EVENTS, cloudformation_list_stack_set_operations={"Summaries": OPERATIONS[3:]}
    )

    assert len(lines) == 2
    assert not any(words[1] == "list-stack-set-operation-results" for words in cli.commands())


def test_an_interrupt_says_that_cloudformation_continues_and_what_is_not_done_yet(
    packaged: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    run_command = aws_cli.AwsCli.run

    def interrupted(self: aws_cli.AwsCli, words: Sequence[str]) -> None:
        if words[:2] == ["cloudformation", "deploy"]:
            raise KeyboardInterrupt
        run_command(self, words)

    monkeypatch.setattr(aws_cli.AwsCli, "run", interrupted)

    with pytest.raises(KeyboardInterrupt):
        run(packaged, cli, "stack=second")

    said = capfd.readouterr().err
    assert "aws cloudformation describe-stacks --stack-name second --query 'Stacks[0].StackStatus'\n" in said
    assert "run the same make deploy again" in said
    assert cli.protected() == []


@pytest.mark.parametrize(
    ("status", "events"),
    [
        ("UPDATE_IN_PROGRESS", []),
        ("CREATE_IN_PROGRESS", [event(2, "CREATE_IN_PROGRESS", "NetworkingStackSet", "")]),
        ("UPDATE_ROLLBACK_IN_PROGRESS", EVENTS),  # those failures are not of this deployment
        ("UPDATE_COMPLETE", [event(2, "UPDATE_COMPLETE", "NetworkingStackSet", "")]),
    ],
)
def test_an_operation_of_somebody_else_that_is_in_the_way_is_told(
    packaged: Path, cli: Cli, status: str, events: list[Any]
) -> None:
    """So is one that goes on, if the AWS CLI has stopped waiting for it."""
    stacks = [a_stack("CREATE_COMPLETE"), a_stack("CREATE_COMPLETE"), a_stack(status)]

    lines = failed_deployment(packaged, cli, [], events, cloudformation_describe_stacks=stacks)

    assert lines[1:] == [
        f"Stack ipam-controltower is {status}: somebody else has changed it meanwhile, or CloudFormation continues "
        "without this command. When no operation is in progress, run the same make deploy again."
    ]


def test_a_deployment_that_can_no_longer_be_followed_is_said_to_continue(packaged: Path, cli: Cli) -> None:
    """As with credentials that have expired."""
    stacks = [a_stack("CREATE_COMPLETE"), a_stack("CREATE_COMPLETE"), "An error occurred (ExpiredToken) ..."]

    lines = failed_deployment(packaged, cli, [], [], cloudformation_describe_stacks=stacks)

    assert lines[1].startswith("CloudFormation continues a deployment that has started; to see its status: aws ")


@pytest.mark.parametrize(
    ("stack", "events"),
    [
        (a_stack("CREATE_COMPLETE"), []),
        (NO_STACK, []),
        (a_stack("REVIEW_IN_PROGRESS"), [event(1, "REVIEW_IN_PROGRESS", "ipam-controltower", "")]),
        (a_stack("UPDATE_ROLLBACK_COMPLETE"), [event(1, "UPDATE_FAILED", "Topic", "no", "AWS::SNS::Topic")]),
    ],
    ids=["refused at once", "a new one refused at once", "refused when it was to begin", "failed"],
)
def test_where_nobody_else_is_in_the_way_nobody_is_blamed(
    packaged: Path, cli: Cli, stack: Any, events: list[Any]
) -> None:
    lines = failed_deployment(packaged, cli, [], events, cloudformation_describe_stacks=stack)

    assert "somebody" not in "\n".join(lines)


def test_a_failure_of_an_earlier_deployment_is_not_reported_again(packaged: Path, cli: Cli) -> None:
    assert len(failed_deployment(packaged, cli, EVENTS, EVENTS)) == 1


def test_only_the_stack_failure_is_reported_if_the_stack_set_no_longer_exists(packaged: Path, cli: Cli) -> None:
    lines = failed_deployment(
        packaged, cli, [], EVENTS, cloudformation_list_stack_set_operations="(StackSetNotFoundException)"
    )

    assert len(lines) == 2


def a_change_set(name: str, status: str = "FAILED") -> dict[str, str]:
    arn = f"arn:aws:cloudformation:us-east-1:{MANAGEMENT}:changeSet/{name}/1"
    return {"ChangeSetId": arn, "ChangeSetName": name, "Status": status}


def finding(resource: str, reason: str, **other: str) -> dict[str, str]:
    known = {"EventType": "VALIDATION_ERROR", "ValidationFailureMode": "FAIL", "ResourceType": "AWS::SSM::Parameter"}
    return known | {"LogicalResourceId": resource, "ValidationStatusReason": reason} | other


FINDINGS = [
    finding("NoticesParameter", "Resource of type 'AWS::SSM::Parameter' with identifier '/x/notices' already exists."),
    finding("NoticesParameter", "Required property [Value] not found"),
    finding("LambdaZipsBucket", "The bucket is not empty.", ValidationFailureMode="WARN"),
    {"EventType": "STACK_EVENT", "LogicalResourceId": "x", "ResourceType": "AWS::CloudFormation::Stack"},
    finding("FailureQueue", "", EventType="HOOK_INVOCATION_ERROR", HookStatusReason="Queues need a KMS key"),
    finding("Topic", "", EventType="HOOK_INVOCATION_ERROR", HookStatusReason="Topics too", HookFailureMode="WARN"),
]


def test_what_cloudformation_finds_before_it_begins_is_reported(packaged: Path, cli: Cli) -> None:
    """The AWS CLI only says that the change set has failed, and no event of the stack says more.

    https://github.com/aws/aws-cdk-cli/issues/1000
    https://github.com/aws-cloudformation/cloudformation-cli/issues/1116
    """
    before, refused = a_change_set("before"), a_change_set("deploy-2")

    lines = failed_deployment(
        packaged,
        cli,
        [],
        [event(1, "REVIEW_IN_PROGRESS", "ipam-controltower", "")],
        cloudformation_describe_stacks=a_stack("REVIEW_IN_PROGRESS"),
        cloudformation_list_change_sets=[
            {"Summaries": [before]},
            {"Summaries": [before, a_change_set("of-others", "CREATE_COMPLETE"), refused]},
        ],
        cloudformation_describe_events={"OperationEvents": FINDINGS},
    )

    assert lines[1:] == [
        "Refused: NoticesParameter (AWS::SSM::Parameter): Resource of type 'AWS::SSM::Parameter' with identifier "
        "'/x/notices' already exists.",
        "Refused: NoticesParameter (AWS::SSM::Parameter): Required property [Value] not found",
        "Refused: FailureQueue (AWS::SSM::Parameter): Queues need a KMS key",
    ]
    asked = [words for words in cli.commands() if words[1] == "describe-events"]
    assert [words[2:6] for words in asked] == [
        ["--change-set-name", refused["ChangeSetId"], "--filters", "FailedEvents=true"]
    ]


@pytest.mark.parametrize("answer", ["Invalid choice: 'describe-events'", {}], ids=["older AWS CLI", "no finding"])
def test_a_refused_change_set_of_which_no_more_is_known_is_left_to_the_message_of_the_aws_cli(
    packaged: Path, cli: Cli, answer: Any
) -> None:
    lines = failed_deployment(
        packaged,
        cli,
        [],
        [],
        cloudformation_describe_stacks=a_stack("CREATE_COMPLETE"),
        cloudformation_list_change_sets=[{}, {"Summaries": [a_change_set("deploy-2")]}],
        cloudformation_describe_events=answer,
    )

    assert len(lines) == 1
