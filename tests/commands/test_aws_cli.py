"""How the commands run the AWS CLI of the user, or the one that make installs."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from commands.aws_cli import AwsCli, AwsCliError, assume_role, chosen_aws_cli, configured_region
from ctipam.errors import Refused

VARIABLES = ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PAGER", "AWS_CLI_AUTO_PROMPT")


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def program(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def aws(folder: Path, script: str) -> AwsCli:
    return AwsCli([str(program(folder / "aws", script))], folder)


def environment(cli: AwsCli) -> dict[str, str]:
    """Return the environment of an AWS CLI whose program prints it."""
    return dict(line.split("=", 1) for line in cli.text().splitlines() if "=" in line)


def test_it_asks_nothing_pages_nothing_and_reads_and_writes_utf_8(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PAGER", "less")
    monkeypatch.setenv("AWS_CLI_AUTO_PROMPT", "on")
    cli = aws(tmp_path, "env")
    settings = {
        "AWS_PAGER": "",
        "AWS_CLI_AUTO_PROMPT": "off",
        "AWS_CLI_ERROR_FORMAT": "legacy",
        "PYTHONUTF8": "1",
        "AWS_CLI_FILE_ENCODING": "UTF-8",
        "AWS_CLI_OUTPUT_ENCODING": "UTF-8",
    }

    found = environment(cli)
    assert {name: found[name] for name in settings} == settings
    assert found["HOME"] == os.environ["HOME"]
    assert "AWS_DEFAULT_REGION" not in found

    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-west-2")
    assert environment(cli)["AWS_DEFAULT_REGION"] == "eu-west-1", "version 1 does not read AWS_REGION"


def test_a_role_is_assumed_for_the_programs_that_follow_and_for_no_other(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    answer = {"Credentials": {"AccessKeyId": "a", "SecretAccessKey": "b", "SessionToken": "c"}}
    cli = aws(tmp_path, f"case $1 in sts) echo '{json.dumps(answer)}'; echo \"$*\" >asked ;; *) env ;; esac")

    inside = assume_role(cli, "arn:aws:iam::2:role/R", "undo", {"Version": "2012-10-17"})

    assert (tmp_path / "asked").read_text() == (
        "sts assume-role --role-arn arn:aws:iam::2:role/R --role-session-name undo "
        '--policy {"Version": "2012-10-17"} --output json\n'
    )
    credentials = {
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
        "AWS_SESSION_TOKEN": "c",
        "AWS_SECURITY_TOKEN": "c",
    }
    further = environment(inside.with_environment({"AWS_MAX_ATTEMPTS": "1"}))
    assert credentials.items() <= environment(inside).items()
    assert (credentials | {"AWS_MAX_ATTEMPTS": "1"}).items() <= further.items()
    assert environment(cli).get("AWS_SESSION_TOKEN") != "c"
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo one >&2; echo '(NoSuchBucket) two ' >&2; echo out; exit 254", "(NoSuchBucket) two"),
        ("echo '(NoSuchBucket) out'; exit 1", "(NoSuchBucket) out"),
        ("exit 3", "exit code 3"),
    ],
)
def test_an_error_is_its_last_line_or_the_exit_code(tmp_path: Path, script: str, message: str) -> None:
    with pytest.raises(AwsCliError) as error:
        aws(tmp_path, script).ask("s3api", "get-bucket-location")

    assert str(error.value) == message
    assert error.value.has_code("AccessDenied", "NoSuchBucket") == ("NoSuchBucket" in message)
    assert not error.value.has_code("NoSuch")


def test_an_answer_is_json_and_none_is_an_empty_one(tmp_path: Path) -> None:
    assert aws(tmp_path, "echo '{\"arguments\": \"'$*'\"}'").ask("sts", "x") == {"arguments": "sts x --output json"}
    assert aws(tmp_path, "echo").ask("sts", "x") == {}
    with pytest.raises(Refused, match="does not answer as an AWS CLI does"):
        aws(tmp_path, "echo hello").ask("sts", "x")


def test_the_region_is_that_of_the_environment_or_else_of_the_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli = aws(tmp_path, 'test "$*" = "configure get region" && echo us-west-2')

    assert configured_region(cli) == "us-west-2"
    assert configured_region(aws(tmp_path, "echo us-west-2; exit 1")) == "", "none is configured"
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    assert configured_region(cli) == "eu-west-1"
    monkeypatch.setenv("AWS_REGION", "eu-west-2")
    assert configured_region(cli) == "eu-west-2"


def test_the_aws_cli_is_the_one_that_is_named_or_the_users_after_aws_login_or_the_one_that_make_installs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path / ".venv/aws-cli/bin/python", 'echo "ours $*"')
    program(tmp_path / "bin/aws", 'echo "theirs $*"')
    config = tmp_path / "config"
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))

    def used(**options: str) -> str:
        return chosen_aws_cli(options, tmp_path).text("sts")

    assert used() == "ours -m awscli sts", "there is no configuration"
    config.write_text("[default]\nregion = us-west-2\n")
    assert used() == "ours -m awscli sts"
    config.write_bytes(b"# \xff\n[default]\nlogin_session = arn:aws:sts::1:assumed-role/Admin/me\n")
    assert used() == "theirs sts"
    assert used(AWS=f"{tmp_path}/bin/aws --profile 'my own'") == "theirs --profile my own sts"
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    assert used() == "ours -m awscli sts", "version 1 says what is wrong, where there is no other"
    with pytest.raises(Refused, match="There is no 'no such aws' sts2; install the AWS CLI"):
        used(AWS="'no such aws' sts2")
    with pytest.raises(Refused, match="There is no ; install"):
        used(AWS="")
