"""What make sets up, prints and passes on."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from landing_zone.isolation import isolate

ROOT = Path(__file__).parents[2]
LISTS = sorted(ROOT.glob("tests/requirements/*.txt"))


def make(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["make", *arguments], capture_output=True, text=True, check=False, cwd=cwd)


def pinned(path: Path) -> dict[str, str]:
    """Return package -> version."""
    return dict(re.findall(r"^([\w.-]+)==(\S+)", path.read_text(), re.MULTILINE))


def test_make_alone_lists_every_target() -> None:
    targets = re.findall(r"^\.PHONY: (.*)", (ROOT / "Makefile").read_text(), re.MULTILINE)

    listed = re.findall(r"^  make (\S+) +\S", make().stdout, re.MULTILINE)

    assert sorted(listed) == sorted(" ".join(targets).split())


@pytest.mark.parametrize(
    ("target", "version", "told"),
    [
        ("test", (3, 10), "Python 3.11 or later is needed"),
        ("plan", (3, 10), "Python 3.11 or later is needed"),
        ("deploy", (3, 10), "Python 3.11 or later is needed"),
        ("test", (3, 15), "The tools need Python 3.11 to 3.14"),
    ],
)
def test_a_python_that_is_too_old_or_too_new_is_refused_in_a_sentence(
    tmp_path: Path, target: str, version: tuple[int, int], told: str
) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    shutil.copytree(ROOT / "tests/requirements", tmp_path / "tests/requirements")
    other = tmp_path / "another-python"
    program = f"import sys; sys.version_info = {version}; exec(sys.argv[2])"
    other.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -c "{program}" "$@"\n')
    other.chmod(0o755)

    refused = make(target, f"PYTHON={other}", cwd=tmp_path)

    assert refused.returncode != 0
    assert refused.stderr.startswith(told)
    assert not (tmp_path / ".venv").exists()


@pytest.mark.parametrize(
    ("words", "tools"),
    [
        ([], False),
        (["VPCS=vpcs.txt"], False),
        (["VPCS=./organization"], False),
        (["VPCS=my organization"], False),
        (["VPCS=organization"], True),
        (["VPCS=ipam"], True),
    ],
    ids=lambda value: " ".join(value) or "no words" if isinstance(value, list) else "",
)
def test_a_plan_sets_up_the_tools_only_if_it_asks_aws(tmp_path: Path, words: list[str], tools: bool) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    shutil.copytree(ROOT / "tests/requirements", tmp_path / "tests/requirements")

    told = make("--dry-run", "plan", "PYTHON=python3", *words, cwd=tmp_path).stdout

    assert ("-m venv --clear .venv/tools" in told) is tools
    assert (".venv/tools/bin/python -B -m commands.plan" in told) is tools
    assert ('"$PYTHON" -B -m commands.plan' in told) is not tools


@pytest.mark.parametrize(
    ("words", "tools"),
    [([], True), (["preflight=yes"], True), (["preflight=no"], False), (["preflight=no", "RESERVE=ipam"], True)],
    ids=lambda value: " ".join(value) or "no words" if isinstance(value, list) else "",
)
def test_a_deployment_sets_up_the_tools_unless_it_reads_nothing_before(
    tmp_path: Path, words: list[str], tools: bool
) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    shutil.copytree(ROOT / "tests/requirements", tmp_path / "tests/requirements")

    told = make("--dry-run", "deploy", "PYTHON=python3", *words, cwd=tmp_path).stdout

    assert ("-m venv --clear .venv/tools" in told) is tools
    assert (".venv/tools/bin/python -B -m commands.deploy" in told) is tools
    assert ('"$PYTHON" -B -m commands.deploy' in told) is not tools


def test_a_python_that_is_not_there_is_told_in_a_sentence() -> None:
    refused = make("plan", "PYTHON=/nowhere/python 3")

    assert refused.stderr.startswith("There is no /nowhere/python 3; name one: make PYTHON=")


MEAN = "$(shell touch made) $${HOME} '; touch made; '\"`touch made`\n#\\"


def targets() -> list[str]:
    return sorted(set(" ".join(re.findall(r"^\.PHONY: (.*)", (ROOT / "Makefile").read_text(), re.MULTILINE)).split()))


@pytest.mark.parametrize("target", targets())
def test_the_value_of_a_word_stands_in_no_recipe(target: str) -> None:
    told = make("--dry-run", target, *(f"{word}={MEAN}" for word in ("only", "stack", "ENVS", "PYTHON", "RUN", "AWS")))

    assert "touch made" not in told.stdout + told.stderr
    assert not (ROOT / "made").exists()


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """Return a copy of the Makefile in a path that a shell would interpret. Its tools only show what they are given."""
    folder = tmp_path / """a "b" $HOME 'c' `d`"""
    shutil.copytree(ROOT / "tests/requirements", folder / "tests/requirements")
    shutil.copy(ROOT / "Makefile", folder)
    (folder / "libraries").mkdir()
    shutil.copy(ROOT / "libraries/requirements.txt", folder / "libraries")
    for name in ("tools", "aws-cli", "lambda-runtime", "wheels", "checkers"):
        (folder / f".venv/{name}/bin").mkdir(parents=True)
        (folder / f".venv/{name}/.ready").touch()
    show = "import json, os, sys; print(json.dumps([sys.argv[1:], dict(os.environ)]))"
    python = folder / ".venv/tools/bin/python"
    python.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -c {shlex.quote(show)} "$@"\n')
    python.chmod(0o755)
    return folder


SET_UP = """#!/bin/sh
case "$2" in
    venv)
        echo "$@" >>made
        touch began
        until [ -e go ]; do :; done
        rm -rf .venv/tools/bin
        mkdir -p .venv/tools/bin
        cp "$0" .venv/tools/bin/python ;;
    pip | compileall | ruff) ;;
    *) exec {python} "$@" ;;
esac
"""


def bare_clone(folder: Path) -> Path:
    """Copy what a set-up needs. Return a Python that sets up nothing but itself, when there is a file `go`."""
    shutil.copy(ROOT / "Makefile", folder)
    shutil.copytree(ROOT / "tests/requirements", folder / "tests/requirements")
    python = folder / "python"
    python.write_text(SET_UP.replace("{python}", shlex.quote(sys.executable)))
    python.chmod(0o755)
    return python


def test_of_two_makes_at_once_only_one_sets_up_the_tools(tmp_path: Path) -> None:
    """The second deleted what the first was installing, which pip then put into the user's own Python."""
    python = bare_clone(tmp_path)
    command = ["make", "style", f"PYTHON={python}"]

    first = subprocess.Popen(command, cwd=tmp_path)
    while not (tmp_path / "began").exists():
        assert first.poll() is None
    second = subprocess.Popen(command, cwd=tmp_path)
    (tmp_path / "go").touch()

    assert (first.wait(), second.wait()) == (0, 0)
    assert (tmp_path / "made").read_text().splitlines() == ["-m venv --clear .venv/tools"]


def test_the_tools_are_set_up_where_files_cannot_be_locked(tmp_path: Path) -> None:
    """As in some home directories on NFS. https://github.com/microsoft/vscode-remote-release/issues/91"""
    python = bare_clone(tmp_path)
    (tmp_path / "tests/requirements/fcntl.py").write_text(NO_LOCKS)
    (tmp_path / "go").touch()

    made = make("style", f"PYTHON={python}", cwd=tmp_path)

    assert made.returncode == 0, made.stderr
    assert (tmp_path / "made").read_text().splitlines() == ["-m venv --clear .venv/tools"]


@pytest.mark.parametrize("is_there", [False, True], ids=["gone", "of another version"])
def test_the_tools_are_set_up_again_after_an_upgrade_of_their_python(tmp_path: Path, is_there: bool) -> None:
    """/usr/bin/python3 is another Python then, which does not find what was installed for the former.

    https://github.com/pypa/pipx/issues/146
    """
    python = bare_clone(tmp_path)
    for name in ("tools", "aws-cli"):
        (tmp_path / f".venv/{name}/bin").mkdir(parents=True)
        (tmp_path / f".venv/{name}/bin/python").symlink_to(sys.executable if is_there else tmp_path / "gone")
        (tmp_path / f".venv/{name}/pyvenv.cfg").touch()
        (tmp_path / f".venv/{name}/lib/python3.1").mkdir(parents=True)
        (tmp_path / f".venv/{name}/.ready").touch()
    (tmp_path / "go").touch()

    made = make("style", f"PYTHON={python}", cwd=tmp_path)

    assert made.returncode == 0, made.stderr
    assert (tmp_path / "made").read_text().splitlines() == ["-m venv --clear .venv/tools"]
    assert not (tmp_path / ".venv/aws-cli/.ready").exists()  # set up again when it is needed


NO_LOCKS = """
LOCK_EX, LOCK_NB = 2, 4


def flock(_file, _operation):
    raise OSError(37, "No locks available")
"""


def test_a_make_says_that_another_sets_up_the_tools_and_writes_no_traceback_when_it_is_interrupted(
    tmp_path: Path,
) -> None:
    python = bare_clone(tmp_path)
    (tmp_path / ".venv").mkdir()
    lock = tmp_path / ".venv/tools.lock"

    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        command = ["make", "style", f"PYTHON={python}"]
        make_that_waits = subprocess.Popen(
            command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        assert make_that_waits.stderr
        assert make_that_waits.stderr.readline() == "Waiting for the make that sets up .venv/tools\n"
        os.killpg(make_that_waits.pid, signal.SIGINT)
        _, errors = make_that_waits.communicate()

    assert make_that_waits.returncode
    assert "Traceback" not in errors


@pytest.mark.parametrize("target", ["demo", "test", "bench", "preview", "reconcile", "report", "explain", "undo"])
def test_a_program_gets_the_words_as_they_are_wherever_the_clone_is(clone: Path, target: str) -> None:
    word = "only" if target in ("test", "bench") else "stack"
    words = [] if target == "demo" else [f"{word}={MEAN}"]

    done = make(target, *words, cwd=clone)

    assert done.returncode == 0, done.stderr
    arguments, environment = json.loads(done.stdout)
    assert environment["WORDS"].split() == [word for _ in words]
    if words:
        assert environment[word] == MEAN
    if word == "only":
        assert arguments[-1] == MEAN
    if "PYTHONPATH" in environment:  # relative: no path in it needs quoting
        assert environment["PYTHONPATH"] in ("libraries", "libraries:tests")
    assert not (clone / "made").exists()


@pytest.mark.parametrize(
    ("target", "words", "environment", "reason"),
    [
        ("test", ["onyl=x"], {}, "onyl is not an argument of make test; use PYTHON only"),
        ("lint", ["only=x"], {}, "only is not an argument of make lint; use PYTHON"),
        ("test", ["RUN=x"], {}, "RUN is not an argument of make test"),
        ("check", [], {"only": "x"}, "only is set in the environment; give it after the target: make check only="),
        ("plan", [], {"CIDR": "10.0.0.0/8"}, "give it after the target, make plan CIDR=..., or run env -u CIDR make"),
        ("deploy", [], {"ENVS": "Test OU"}, "give it after the target, make deploy ENVS=..."),
        ("deploy", [], {"AccEnvName": "Test OU"}, "give it after the target, make deploy AccEnvName=..."),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list | dict) else value,
)
def test_a_word_is_never_ignored(
    monkeypatch: pytest.MonkeyPatch, target: str, words: list[str], environment: dict[str, str], reason: str
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    refused = make(target, f"PYTHON={sys.executable}", *words)

    assert refused.returncode != 0
    assert reason in refused.stderr
    assert refused.stdout == ""


def test_a_picture_without_lines_of_make_is_possible_from_another_folder(tmp_path: Path) -> None:
    plan = ["plan", "FORMAT=svg", f"PYTHON={sys.executable}"]

    spoiled = make("-w", "-C", str(ROOT), *plan, cwd=tmp_path)
    clean = make("--no-print-directory", "-C", str(ROOT), *plan, cwd=tmp_path)

    assert "add --no-print-directory" in spoiled.stderr
    assert "<svg" not in spoiled.stdout
    assert clean.stdout.startswith("<svg")


def test_a_picture_from_another_folder_is_refused_or_without_lines_of_make(tmp_path: Path) -> None:
    made = make("-C", str(ROOT), "plan", "FORMAT=svg", f"PYTHON={sys.executable}", cwd=tmp_path)  # -C differs with 4.4

    assert made.stdout.startswith("<svg") or "add --no-print-directory" in made.stderr


def test_tools_are_installed_into_the_environment_even_if_the_users_pip_installs_elsewhere(tmp_path: Path) -> None:
    """Some Linux distributions set `user = true` for pip, which then refuses to install into any environment.

    https://github.com/pypa/pip/issues/8977
    """
    settings, extra = tmp_path / "pip.conf", tmp_path / "extra.mk"
    settings.write_text("[global]\nuser = true\nno-index = true\n")
    extra.write_text("installed:\n\t@$(RUN) $(PIP) $(INSTALL) -r libraries/requirements.txt\n")  # the tools have it
    command = ["make", "-f", "Makefile", "-f", str(extra), "installed"]
    environment = os.environ | {"PIP_CONFIG_FILE": str(settings), "PIP_TARGET": str(tmp_path / "elsewhere")}
    environment |= {"PIP_CONSTRAINT": "/nowhere"}  # another version than that of our lists, in the end

    made = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env=environment)

    assert (made.returncode, made.stderr) == (0, "")
    assert not (tmp_path / "elsewhere").exists()


def test_the_tests_need_nothing_of_the_users_settings() -> None:
    environment = {"PATH": os.environ["PATH"]}
    hostile = dict.fromkeys(("AWS_PROFILE", "https_proxy", "HTTPS_PROXY", "ALL_PROXY", "AWS_ENDPOINT_URL"), "nobody")
    hostile |= {
        "AWS_CONFIG_FILE": __file__,
        "AWS_CA_BUNDLE": "/nowhere",
        "WORDS": "only",
        "only": "x",
        "MAKEFLAGS": "n",
    }
    environment |= hostile

    isolate(environment)

    assert {name: value for name, value in environment.items() if name in hostile} == {"AWS_CONFIG_FILE": os.devnull}
    assert environment["NO_PROXY"] == environment["no_proxy"] == "*"
    assert environment["PATH"] == os.environ["PATH"]


def test_a_selection_of_tests_that_cannot_be_read_is_refused_in_a_sentence() -> None:
    command = [sys.executable, "-m", "pytest", "-n", "1", "-k", "it's", __file__]

    refused = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)

    assert "it's" in refused.stderr
    assert "give names joined by and, or, not" in refused.stderr
    assert "INTERNALERROR" not in refused.stdout + refused.stderr


@pytest.mark.parametrize("path", LISTS, ids=lambda path: path.stem)
def test_a_list_of_packages_names_no_place_to_get_them_from(path: Path) -> None:
    pins_and_hashes = re.compile(r"[\w.-]+==|    --hash=sha256:|#|$")

    assert [line for line in path.read_text().splitlines() if not pins_and_hashes.match(line)] == []


def test_one_version_of_boto3_and_of_crhelper_is_used_everywhere() -> None:
    tools = pinned(ROOT / "tests/requirements/tools.txt")
    runtime = pinned(ROOT / "tests/requirements/lambda-runtime.txt")
    library = pinned(ROOT / "libraries/requirements.txt")

    assert tools["boto3"] == runtime["boto3"]
    assert library == {"crhelper": tools["crhelper"]}
    assert "crhelper" not in runtime
