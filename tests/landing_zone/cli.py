"""Run the real AWS CLI against the engine."""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path
from typing import Any, ClassVar

from landing_zone.engine import Engine
from landing_zone.fork_server import Forked, ForkServer, command_at

ROOT = Path(__file__).resolve().parents[2]
# Not .venv/aws-cli/bin/aws: that script does not run where the path of the clone has a space in it.
AWS = [str(ROOT / ".venv" / "aws-cli" / "bin" / "python"), "-m", "awscli"]


class AwsCliFailed(Exception):
    """The CLI failed; the text is its standard error."""


def preloaded(address: str = "") -> ForkServer:
    """Return a server that starts the CLI in a tenth of the time that its command takes to start.

    address   see ForkServer
    """
    modules, services = ["awscli.clidriver", "awscli.handlers"], ["cloudformation", "ec2", "organizations", "s3", "sts"]
    rehearsal = [*AWS[1:], "cloudformation", "describe-stacks", "--generate-cli-skeleton"]
    return ForkServer(AWS[0], modules=modules, services=services, rehearsal=rehearsal, address=address)


class AwsCli:
    """The CLI with administrator credentials for one account and Region.

    server   starts every CLI; None: each is started anew, as in a shell
    """

    server: ClassVar[ForkServer | None] = None

    def __init__(self, engine: Engine, account_id: str, region: str = "") -> None:
        self._environment = engine.environment(account_id, region)

    def begin(self, *words: str) -> subprocess.Popen[str] | Forked:
        """Start `aws words...`, as a user would type it from the root of the clone."""
        if self.server:
            return self.server.start([*AWS[1:], *words], env=self._environment, cwd=str(ROOT))
        return subprocess.Popen(
            [*AWS, *words],
            cwd=ROOT,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: str) -> str:
        """Run `aws words...` and return its output. Raises AwsCliFailed."""
        process = self.begin(*words)
        output, errors = process.communicate()
        if process.returncode:
            raise AwsCliFailed(errors.strip() or output.strip())
        return output

    def ask(self, *words: str) -> Any:
        """Run `aws words...` and return its JSON output as data. Raises AwsCliFailed."""
        output = self.run(*words, "--output", "json")
        return json.loads(output) if output.strip() else {}

    def shell(self, line: str) -> str:
        """Run a line in a shell where `aws` is the AWS CLI, and return its output. Raises AwsCliFailed."""
        program = command_at(self.server.address) if self.server and self.server.address else AWS[:1]
        script = f'aws() {{ {shlex.join([*program, *AWS[1:]])} "$@"; }}; {line}'
        done = subprocess.run(
            ["bash", "-c", script], env=self._environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise AwsCliFailed(done.stderr.strip())
        return done.stdout
