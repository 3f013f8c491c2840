"""What make sets up, prints and passes on."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LISTS = sorted(ROOT.glob("tests/requirements/*.txt"))


def make(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run make as from a shell, even if make runs these tests."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(["make", *arguments], capture_output=True, text=True, check=False, cwd=cwd, env=environment)


def pinned(path: Path) -> dict[str, str]:
    """Return package -> version."""
    return dict(re.findall(r"^([\w.-]+)==(\S+)", path.read_text(), re.MULTILINE))


def test_make_alone_lists_every_target() -> None:
    targets = re.findall(r"^\.PHONY: (.*)", (ROOT / "Makefile").read_text(), re.MULTILINE)

    listed = re.findall(r"^  make (\S+) +\S", make().stdout, re.MULTILINE)

    assert sorted(listed) == sorted(" ".join(targets).split())


@pytest.mark.parametrize("target", ["test", "plan", "deploy"])
def test_a_python_that_is_too_old_is_refused_in_a_sentence(tmp_path: Path, target: str) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    shutil.copytree(ROOT / "tests/requirements", tmp_path / "tests/requirements")
    old = tmp_path / "python3.10"
    old.write_text("#!/bin/sh\nexec python3 -c 'import sys; sys.version_info = (3, 10); exec(sys.argv[2])' \"$@\"\n")
    old.chmod(0o755)

    refused = make(target, f"PYTHON={old}", cwd=tmp_path)

    assert refused.returncode != 0
    assert refused.stderr.startswith("Python 3.11 or later is needed")
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
    assert ('"python3" -B -m commands.plan' in told) is not tools


def test_a_python_that_is_not_there_is_told_in_a_sentence() -> None:
    refused = make("plan", "PYTHON=/nowhere/python 3")

    assert refused.stderr.startswith("There is no /nowhere/python 3; name one: make PYTHON=")


@pytest.mark.parametrize("target", ["test", "bench"])
def test_what_only_says_is_one_word_for_the_shell(target: str) -> None:
    only = "a'; touch x; '"

    told = make("--dry-run", target, f"only={only}").stdout

    assert only in shlex.split(told.strip().splitlines()[-1])


@pytest.mark.parametrize("target", ["reconcile", "report", "undo"])
def test_what_is_given_to_an_operators_target_is_one_word_each_for_the_shell(target: str) -> None:
    told = make("--dry-run", target, "stack=a'b", "yes=yes").stdout

    assert shlex.split(told.strip().splitlines()[-1])[-2:] == ["stack=a'b", "yes=yes"]


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
