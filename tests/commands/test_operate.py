"""`make reconcile` and `make report`: the AWS CLI commands that they run, and their errors."""

from __future__ import annotations

import compileall
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from commands import make_words, operate
from commands.aws_cli import AwsCli
from ctipam.errors import Refused

ROOT = Path(__file__).parents[2]

AWS = """
import json, pathlib, sys
if sys.argv[1:3] == ["-m", "awscli"]:  # else the user's own
    del sys.argv[1:3]
here = pathlib.Path(__file__).parent
answers = json.loads((here / "answers").read_text())
if sys.argv[1] == "cloudformation":
    if isinstance(answers["stack"], str):
        sys.exit(answers["stack"])
    (here / "asked").write_text(sys.argv[sys.argv.index("--stack-name") + 1])
    print(json.dumps({"Stacks": [answers["stack"]]}))
    sys.exit()
if isinstance(answers["response"], str):
    sys.exit(answers["response"])
*options, answer = sys.argv[3:-2]
options = dict(zip(options[::2], options[1::2]))
request = pathlib.Path(options["--payload"].removeprefix("fileb://"))
response = {"payload": json.loads(request.read_text()), "function": options["--function-name"]}
response["stack"] = (here / "asked").read_text()
pathlib.Path(answer).write_text(json.dumps(answers["response"] or response))
print(json.dumps({"StatusCode": 200} | answers["invoked"]))
"""
STACK = {
    "StackStatus": "CREATE_COMPLETE",
    "Parameters": [{"ParameterKey": "NetworkAccountId"}],
    "Outputs": [{"OutputKey": "LifeCycleFunctionName", "OutputValue": "the-function"}],
}


@pytest.fixture(scope="module")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the libraries and compile them: else each command would do that."""
    copied = tmp_path_factory.mktemp("compiled") / "libraries"
    shutil.copytree(ROOT / "libraries", copied, ignore=shutil.ignore_patterns("__pycache__"))
    compileall.compile_dir(copied, quiet=1)
    return copied


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a folder with a stand-in for the AWS CLI that make installs. It responds with the request."""
    cli = tmp_path / ".venv/aws-cli/bin/python"
    cli.parent.mkdir(parents=True)
    # The path of an interpreter after #! must not contain a space.
    cli.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -S "$0.py" "$@"\n')
    cli.chmod(0o755)
    cli.with_name("python.py").write_text(AWS)
    answering(tmp_path)
    return tmp_path


@pytest.fixture
def repository(root: Path, libraries: Path) -> Path:
    """Add the files that these targets need."""
    shutil.copy(ROOT / "Makefile", root)
    shutil.copytree(ROOT / "tests/requirements", root / "tests/requirements")
    shutil.copytree(libraries, root / "libraries", copy_function=os.link)
    (root / ".venv/tools/bin").mkdir(parents=True)
    (root / ".venv/tools/bin/python").symlink_to(sys.executable)
    (root / f".venv/tools/lib/python{sys.version_info[0]}.{sys.version_info[1]}").mkdir(parents=True)
    for name in ("tools", "aws-cli"):
        (root / f".venv/{name}/.ready").touch()
    return root


def answering(repository: Path, stack: object = STACK, response: object = None, **invoked: str) -> None:
    """Set the answers. stack is the stack, or the error message of the AWS CLI; response that of the function."""
    answers = json.dumps({"stack": stack, "response": response, "invoked": invoked})
    (repository / ".venv/aws-cli/bin/answers").write_text(answers)


@pytest.fixture
def command(root: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Return a function that runs a command with words as make gives them, and returns its exit code."""

    def run(action: str, *words: str) -> int:
        given = dict(word.split("=", 1) for word in words)
        for name, value in {**given, "WORDS": " ".join(given)}.items():
            monkeypatch.setenv(name, value)
        return operate.main(action, root)

    return run


def make(repository: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["make", "--no-print-directory", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=repository)


@pytest.mark.parametrize(
    ("arguments", "payload"),
    [
        (["reconcile"], {"action": "reconcile"}),
        (["reconcile", "account=012345678901"], {"action": "reconcile", "accountId": "012345678901"}),
        (["reconcile", "dry=yes"], {"action": "reconcile", "dryRun": True}),
        (["reconcile", "unshare=yes", "stack=second"], {"action": "reconcile", "unshare": True}),
        (["reconcile", "dry=no", "PYTHON=python3"], {"action": "reconcile"}),
        (["report", "FORMAT=json", "stack=second"], {"action": "report"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_the_lifecycle_function_is_invoked_and_its_response_shown(
    command: Callable[..., int], capfd: pytest.CaptureFixture[str], arguments: list[str], payload: dict[str, object]
) -> None:
    assert command(*arguments) == 0

    stack = "second" if "stack=second" in arguments else "ipam-controltower"
    assert json.loads(capfd.readouterr().out) == {"payload": payload, "function": "the-function", "stack": stack}


def test_make_runs_these_commands(repository: Path) -> None:
    run = make(repository, "reconcile", "dry=yes")

    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout)["payload"] == {"action": "reconcile", "dryRun": True}


def test_the_users_own_aws_cli_can_be_chosen(repository: Path) -> None:
    theirs = shutil.copytree(repository / ".venv/aws-cli/bin", repository / "their own") / "python"
    (repository / ".venv/aws-cli/bin/python").unlink()

    run = make(repository, "reconcile", f"AWS='{theirs}'")
    wrong = make(repository, "report", "AWS=no-such-program")

    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout)["function"] == "the-function"
    assert wrong.stderr.startswith("There is no no-such-program; install the AWS CLI")


def test_after_aws_login_the_users_own_aws_cli_is_asked(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = shutil.copytree(repository / ".venv/aws-cli/bin", repository / "their own")
    (theirs / "python").rename(theirs / "aws")
    (theirs / "python.py").rename(theirs / "aws.py")
    (repository / ".venv/aws-cli/bin/python").unlink()
    config = repository / "config"
    config.write_text("[default]\nlogin_session = arn:aws:sts::111122223333:assumed-role/Admin/me\n", encoding="utf-8")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("PATH", str(theirs), prepend=os.pathsep)

    run = make(repository, "reconcile")

    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout)["function"] == "the-function"


@pytest.fixture
def answered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the function be found and answer."""
    monkeypatch.setattr(operate, "find_function", lambda _aws, _stack: "the-function")
    monkeypatch.setattr(operate, "invoke", lambda _aws, _function, _request: ({}, False))


@pytest.mark.usefixtures("answered")
def test_a_terminal_shows_what_is_read_before_the_answer(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)

    assert operate.main("report") == 0

    assert capfd.readouterr().err.splitlines() == [
        "Reading the stack ...",
        "Waiting for the function that reads pools and shares ...",
    ]


@pytest.mark.parametrize(
    "flags",
    [
        "w",
        "kw --no-print-directory -- stack=x",
        " --no-print-directory -w -- stack=x",
        " --no-print-directory -wk",
        " --no-print-directory -w --jobserver-fds=3,4 -j",
    ],
    ids=["of make 4", "4 with another", "of make 3.81", "3.81 with another", "3.81 with -j"],
)
def test_a_report_for_programs_is_refused_where_make_would_write_into_it(
    monkeypatch: pytest.MonkeyPatch, flags: str
) -> None:
    for name, value in {"WORDS": "FORMAT", "FORMAT": "json", "MAKEFLAGS": flags}.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(Refused, match="add --no-print-directory"):
        operate.main("report")


@pytest.mark.usefixtures("answered")
@pytest.mark.parametrize("action", ["report", "reconcile"])
def test_what_people_read_is_not_refused_there(monkeypatch: pytest.MonkeyPatch, action: str) -> None:
    monkeypatch.setenv("MAKEFLAGS", "w")

    assert operate.main(action) == 0


@pytest.mark.parametrize("flags", ["", " --no-print-directory -k -- stack=w", "k -I work", " -I work -Iwork"])
def test_make_that_writes_nothing_of_its_own_is_not_refused(monkeypatch: pytest.MonkeyPatch, flags: str) -> None:
    monkeypatch.setenv("MAKEFLAGS", flags)

    make_words.refuse_lines_of_make()


def test_a_report_is_text_for_people(
    root: Path, command: Callable[..., int], capfd: pytest.CaptureFixture[str]
) -> None:
    lists = ("tree", "pools", "accountDetails", "environments", "allocations", "wrongRules")
    counts = {"accounts": 2, "sharedWith": 0, "leftOut": 0, "allocationsLeftOut": 0, "accountsWithPools": 0}
    sentences = {"heldBack": "", "notMonitored": ""}
    watch = {"problem": "It has not looked.", "dashboardUrl": ""}
    nothing: dict[str, list[object]] = {name: [] for name in (*lists, "organizationalUnitsWithoutPools")}
    answering(root, response={**nothing, **counts, **sentences, "watch": watch})

    assert command("report") == 0

    assert capfd.readouterr().out.split("\n\n") == [
        "The Networking account has no pools of this solution.",
        "Accounts: 0 of 2 have pools",
        "Findings of the watch: It has not looked.\n",
    ]


@pytest.mark.parametrize("action", ["report", "reconcile"])
def test_a_command_fails_and_shows_the_response_if_the_function_fails(
    root: Path, command: Callable[..., int], capfd: pytest.CaptureFixture[str], action: str
) -> None:
    answering(root, response={"errorMessage": "Größe", "tree": []}, FunctionError="Unhandled")

    assert command(action) == 1
    assert capfd.readouterr().out == '{\n    "errorMessage": "Größe",\n    "tree": []\n}\n'


class Invoked:
    """Stands in for an AWS CLI that writes this answer into the file, None: that writes no file."""

    def __init__(self, written: str | None) -> None:
        self._written = written
        self.asked: list[str] = []
        self.environment: dict[str, str] = {}

    def with_environment(self, environment: dict[str, str]) -> Invoked:
        self.environment = environment
        return self

    def ask(self, *words: str) -> dict[str, int]:
        self.asked = [*words]
        if self._written is not None:
            Path(words[-1]).write_text(self._written)
        return {"StatusCode": 200}


def test_a_function_is_invoked_once_and_waited_for_a_little_longer_than_it_can_take() -> None:
    aws = Invoked("{}")

    assert operate.invoke(cast(AwsCli, aws), "the-function", {"action": "report"}) == ({}, False)

    *words, timeout_s, answer = aws.asked
    assert words == [
        *("lambda", "invoke", "--function-name", "the-function"),
        *("--payload", f"fileb://{Path(answer).with_name('request')}", "--cli-read-timeout"),
    ]
    assert 900 < int(timeout_s) < 1000
    assert aws.environment == {"AWS_MAX_ATTEMPTS": "1"}


@pytest.mark.parametrize("written", [None, "", "<html>", "null"])
def test_an_answer_that_cannot_be_read_is_refused_in_words(written: str | None) -> None:
    aws = cast(AwsCli, Invoked(written))

    with pytest.raises(Refused, match="the-function has sent no answer that can be read"):
        operate.invoke(aws, "the-function", {"action": "report"})


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ({"failed": 0, "heldBack": ""}, 0),
        ({"failed": 2}, 1),
        ({"refused": "No."}, 1),
        ({"ignored": "The stack is being deleted."}, 1),
        ({"heldBack": "Too many."}, 1),
        ({"heldBack": "Too many.", "dryRun": True}, 0),
    ],
)
def test_a_run_that_did_not_do_everything_is_a_failure(
    monkeypatch: pytest.MonkeyPatch, answer: dict[str, object], code: int
) -> None:
    monkeypatch.setattr(operate, "find_function", lambda _aws, _stack: "the-function")
    monkeypatch.setattr(operate, "invoke", lambda _aws, _function, _request: (answer, False))

    assert operate.main("reconcile") == code


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["reconcile", "dry=maybe"], "dry=maybe is neither yes nor no."),
        (["reconcile", "dry="], "dry= is neither yes nor no."),  # a variable of a script that was not set
        (["reconcile", "account="], "account= is not an account id; give 12 digits, for example 012345678901."),
        (["reconcile", "account=12"], "account=12 is not an account id; give 12 digits, for example 012345678901."),
        (["reconcile", "stak=x"], "stak is not an argument of make reconcile; use account, dry, unshare, stack, AWS."),
        (["report", "FORMAT=svg"], "FORMAT=svg is not supported; give text or json."),
        (
            ["report", "AWS_PROFILE=company"],
            "AWS_PROFILE is no argument, but a variable of the environment; write AWS_PROFILE=... before make.",
        ),
        (["report", "dry=yes"], "dry is not an argument of make report; use FORMAT, stack, AWS."),
        (["report", "stack="], "stack= is empty; give the name of a stack, or leave it out for ipam-controltower."),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_an_invalid_argument_is_refused_before_any_call_to_aws(
    root: Path, command: Callable[..., int], arguments: list[str], reason: str
) -> None:
    answering(root, stack="AWS was called")

    with pytest.raises(Refused) as refused:
        command(*arguments)

    assert str(refused.value) == reason


def test_make_shows_a_refusal_and_fails(repository: Path) -> None:
    run = make(repository, "report", "dry=yes")

    assert run.returncode != 0
    assert run.stderr.startswith("dry is not an argument of make report; use FORMAT, stack, AWS.\n")


@pytest.mark.parametrize(
    ("stack", "reason"),
    [
        ("Unable to locate credentials", "sign in to the management account, or set AWS_PROFILE"),
        ("You must specify a region.", "AWS_REGION to Control Tower's home Region"),
        (
            {"StackStatus": "CREATE_COMPLETE", "Outputs": []},
            "Stack ipam is not this solution's: it names no Networking account",
        ),
        (
            {"StackStatus": "ROLLBACK_COMPLETE", "Parameters": [{"ParameterKey": "NetworkAccountId"}]},
            "Stack ipam is ROLLBACK_COMPLETE and has no function to ask. Wait if",
        ),
        (
            {"StackStatus": "REVIEW_IN_PROGRESS"},
            "it has a change set and no resources. Run `make deploy stack=ipam` first.",
        ),
        ({**STACK, "StackStatus": "DELETE_IN_PROGRESS"}, "deletion: `make undo stack=ipam`"),
        (
            {"StackStatus": "UPDATE_COMPLETE", "Parameters": [{"ParameterKey": "NetworkAccountId"}]},
            "another version has deployed it. Upgrade it with `make deploy stack=ipam`.",
        ),
    ],
    ids=[
        *("no credentials", "no Region", "another stack", "a failed deployment", "only a change set", "a deletion"),
        "another version",
    ],
)
def test_missing_credentials_or_outputs_are_explained(
    root: Path, command: Callable[..., int], stack: object, reason: str
) -> None:
    answering(root, stack)

    with pytest.raises(Refused) as refused:
        command("report", "stack=ipam")

    assert reason in str(refused.value)
    if isinstance(stack, str):
        assert str(refused.value).endswith(f"Its error: {stack}")


def test_a_function_that_may_not_be_invoked_is_named_with_the_error(root: Path, command: Callable[..., int]) -> None:
    answering(root, response="An error occurred (AccessDeniedException) ...")

    with pytest.raises(Refused, match=r"The AWS CLI cannot invoke the-function: An error occurred \(AccessDenied"):
        command("report")
