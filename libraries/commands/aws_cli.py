"""The AWS CLI, run as a user would run it."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ctipam.errors import Refused


class AwsSays(Exception):
    """The AWS CLI ended with an error; the text is what it says."""

    def is_about(self, *codes: str) -> bool:
        return any(f"({code})" in str(self) for code in codes)


class Aws:
    """words: what stands before a command, such as ["aws"]."""

    def __init__(self, words: Sequence[str], root: Path) -> None:
        """Raises Refused if there is no such program."""
        self._words = [*words]
        self._root = root
        if not self._words or not shutil.which(self._words[0]):
            raise Refused(
                f"There is no {shlex.join(words)}; install the AWS CLI, or say where it is, as in "
                "AWS=/usr/local/bin/aws "
                "(https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html)."
            )

    def ask(self, *arguments: str) -> Any:
        """Its answer as data; raises AwsSays."""
        done = self._done([*arguments, "--output", "json"], capture_output=True)
        if done.returncode:
            said = done.stderr.strip() or done.stdout.strip()
            raise AwsSays(said.splitlines()[-1] if said else f"it ended with {done.returncode}")
        return json.loads(done.stdout) if done.stdout.strip() else {}

    def run(self, arguments: Sequence[str]) -> None:
        """Show the command, and let it speak for itself; raises Refused if it fails."""
        print("$ " + shown(arguments), flush=True)
        if self._done(arguments).returncode:
            raise Refused(f"`aws {' '.join(arguments[:2])}` failed; it says why above.")

    def _done(self, arguments: Sequence[str], **how: Any) -> subprocess.CompletedProcess[str]:
        command = [*self._words, *arguments]
        try:
            return subprocess.run(command, cwd=self._root, env=_environment(), text=True, check=False, **how)
        except OSError as error:  # such as a script whose interpreter is gone
            raise Refused(
                f"{self._words[0]} cannot be run: {error.strerror}; say which AWS CLI to use with AWS=."
            ) from None


def _environment() -> dict[str, str]:
    """Version 1 of the AWS CLI does not know AWS_REGION."""
    region = os.environ.get("AWS_REGION")
    return os.environ | {"AWS_PAGER": ""} | ({"AWS_DEFAULT_REGION": region} if region else {})


def shown(arguments: Sequence[str]) -> str:
    """The command as a user would type it, with an option a line where it is long."""
    line = "aws " + shlex.join(arguments)
    return line if len(line) <= 110 else re.sub(r" (--(?!exclude|include|recursive)|'?[A-Z]\w+=)", r" \\\n    \1", line)
