"""The AWS CLI, run as a user would run it."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ctipam.errors import Refused

NOT_INTERACTIVE = {"AWS_PAGER": "", "AWS_CLI_AUTO_PROMPT": "off"}

ERRORS_IN_ONE_LINE = {"AWS_CLI_ERROR_FORMAT": "legacy"}
"""Other formats add lines, or write JSON.
https://docs.aws.amazon.com/cli/latest/userguide/cli-usage-error-format.html"""

IN_UTF_8 = {"PYTHONUTF8": "1", "AWS_CLI_FILE_ENCODING": "UTF-8", "AWS_CLI_OUTPUT_ENCODING": "UTF-8"}
"""Templates and answers are in UTF-8, whatever the locale.
https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-envvars.html"""

ON_ITS_OWN_LINE = re.compile(r"--(?!exclude|include|recursive)|[A-Z]\w+=")
"""What begins a line of a long command: an option, or a parameter of a template."""


class AwsCliError(Exception):
    """The AWS CLI failed; the text is its error message."""

    def has_code(self, *codes: str) -> bool:
        return any(f"({code})" in str(self) for code in codes)


class AwsCli:
    def __init__(self, program: Sequence[str], root: Path, environment: Mapping[str, str] | None = None) -> None:
        """Raise Refused if there is no such program.

        program       the words before a command, for example ["aws"]
        root          the folder in which the commands run
        environment   variables that replace those of the user, for example other credentials
        """
        self._program = [*program]
        self._root = root
        self._extra = dict(environment or {})
        if not self._program or not shutil.which(self._program[0]):
            raise Refused(
                f"There is no {shlex.join(program)}; install the AWS CLI, or give its path, for example "
                "AWS=/usr/local/bin/aws "
                "(https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html)."
            )

    def with_environment(self, environment: Mapping[str, str]) -> AwsCli:
        """Return the same program, run with these variables as well."""
        return AwsCli(self._program, self._root, self._extra | dict(environment))

    def ask(self, *arguments: str) -> Any:
        """Return the parsed answer of a command that only reads. Raises AwsCliError, or Refused if it is not JSON."""
        done = self._run([*arguments, "--output", "json"], capture_output=True)
        if done.returncode:
            message = done.stderr.strip() or done.stdout.strip()
            raise AwsCliError(message.splitlines()[-1] if message else f"exit code {done.returncode}")
        try:
            return json.loads(done.stdout) if done.stdout.strip() else {}
        except ValueError:
            program = shlex.join(self._program)
            raise Refused(f"{program} does not answer as an AWS CLI does; give the path of one with AWS=.") from None

    def text(self, *arguments: str) -> str:
        """Return what a command prints, empty if it fails."""
        done = self._run(arguments, capture_output=True)
        return "" if done.returncode else str(done.stdout).strip()

    def run(self, arguments: Sequence[str]) -> None:
        """Print the command and run it with its own output. Raises Refused if it fails."""
        print("$ " + to_text(arguments))
        if self._run(arguments).returncode:
            raise Refused(f"`aws {' '.join(arguments[:2])}` failed; its message is above.")

    def _run(self, arguments: Sequence[str], **options: Any) -> subprocess.CompletedProcess[str]:
        command = [*self._program, *arguments]
        environment = _environment() | self._extra
        try:
            return subprocess.run(
                command, cwd=self._root, env=environment, encoding="utf-8", errors="replace", check=False, **options
            )
        except OSError as error:  # for example, the interpreter of a script does not exist
            raise Refused(
                f"{self._program[0]} cannot be run: {error.strerror}; give the path of an AWS CLI with AWS=."
            ) from None


def users_aws_cli(program: str, root: Path) -> AwsCli:
    """Return the user's own AWS CLI. Raises Refused if there is none.

    program   the words before a command, quoted as for a shell
    """
    try:
        return AwsCli(shlex.split(program), root)
    except ValueError:  # a quotation mark without its counterpart
        raise Refused(
            f"AWS={program} is not a command; quote it as in a shell, for example AWS='\"my aws\"'."
        ) from None


def chosen_aws_cli(options: Mapping[str, str], root: Path) -> AwsCli:
    """Return the user's own AWS CLI if AWS= names it, or else the one that make installs. Raises Refused.

    The one that make installs is version 1, which cannot use the credentials of `aws login`.
    https://github.com/aws/aws-cli/issues/9949
    """
    if "AWS" in options:
        return users_aws_cli(options["AWS"], root)
    if shutil.which("aws") and _has_used_aws_login():
        return users_aws_cli("aws", root)
    return AwsCli([str(root / ".venv/aws-cli/bin/python"), "-m", "awscli"], root)


def _has_used_aws_login() -> bool:
    """Return whether the user's configuration has what `aws login` leaves in it, in whatever profile: a role's may take
    its credentials from another.

    https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-sign-in.html
    """
    config = Path(os.environ.get("AWS_CONFIG_FILE", "~/.aws/config")).expanduser()
    try:
        return "login_session" in config.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False


def configured_region(aws: AwsCli) -> str:
    """Return the Region of the AWS CLI, as `aws` itself would choose it; empty if none is configured."""
    if region := os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION"):
        return region
    return aws.text("configure", "get", "region")


def assume_role(aws: AwsCli, role_arn: str, session_name: str, policy: Mapping[str, Any]) -> AwsCli:
    """Return an AWS CLI with credentials of the role. They are passed in the environment and never printed."""
    options = ["--role-arn", role_arn, "--role-session-name", session_name, "--policy", json.dumps(policy)]
    credentials = aws.ask("sts", "assume-role", *options)["Credentials"]
    return aws.with_environment(
        {
            "AWS_ACCESS_KEY_ID": credentials["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": credentials["SecretAccessKey"],
            "AWS_SESSION_TOKEN": credentials["SessionToken"],
            "AWS_SECURITY_TOKEN": credentials["SessionToken"],  # its old name, which would win over the new one
        }
    )


def _environment() -> dict[str, str]:
    """Return the user's environment for the AWS CLI. Its version 1 does not read AWS_REGION."""
    region = os.environ.get("AWS_REGION")
    return (
        os.environ
        | NOT_INTERACTIVE
        | ERRORS_IN_ONE_LINE
        | IN_UTF_8
        | ({"AWS_DEFAULT_REGION": region} if region else {})
    )


def to_text(arguments: Sequence[str]) -> str:
    """Return the command as a user would type it. A long command has one option on each line."""
    line = "aws " + shlex.join(arguments)
    if len(line) <= 110:
        return line
    breaks = [" \\\n    " if ON_ITS_OWN_LINE.match(word) else " " for word in arguments]
    return "aws" + "".join(before + shlex.quote(word) for before, word in zip(breaks, arguments, strict=True))
