"""The targets with which a stack is operated: what they ask the AWS CLI to do."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

AWS = """#!{python}
import json, sys
assert sys.argv[1:3] == ["-m", "awscli"]
if sys.argv[3] == "cloudformation":
    print("the-function")
    sys.exit()
options = dict(zip(sys.argv[5::2], sys.argv[6::2]))
answer = {{"asked": json.loads(options["--payload"]), "function": options["--function-name"]}}
open(sys.argv[-1], "w").write(json.dumps(answer))
print("{error}")
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Enough of it for these targets; its AWS CLI answers with what it was asked."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    shutil.copytree(ROOT / "tests/requirements", tmp_path / "tests/requirements")
    for name in ("tools", "aws-cli"):
        (tmp_path / f".venv/{name}/bin").mkdir(parents=True)
    (tmp_path / ".venv/tools/bin/python").symlink_to(sys.executable)
    answering(tmp_path, error="None")
    for name in ("tools", "aws-cli"):
        (tmp_path / f".venv/{name}/.ready").touch()
    return tmp_path


def answering(repository: Path, error: str) -> None:
    python = repository / ".venv/aws-cli/bin/python"
    python.write_text(AWS.format(python=sys.executable, error=error))
    python.chmod(0o755)


def make(repository: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS"))}
    command = ["make", "--no-print-directory", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=repository, env=environment)


@pytest.mark.parametrize(
    ("arguments", "payload"),
    [
        (["reconcile"], {"action": "reconcile"}),
        (["reconcile", "account=012345678901"], {"action": "reconcile", "accountId": "012345678901"}),
        (["reconcile", "dry=yes"], {"action": "reconcile", "dryRun": True}),
        (["report"], {"action": "report"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_target_asks_the_lifecycle_function_and_shows_its_answer(
    repository: Path, arguments: list[str], payload: dict[str, object]
) -> None:
    made = make(repository, *arguments)

    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout) == {"asked": payload, "function": "the-function"}


def test_a_function_that_fails_makes_the_target_fail(repository: Path) -> None:
    answering(repository, error="Unhandled")

    assert make(repository, "report").returncode != 0
