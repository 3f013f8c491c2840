"""The README is correct: its outputs and commands, and the files, parameters and messages that it names."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from checkers.template_reader import read_template
from commands import arguments

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MESSAGES = README + (ROOT / "templates/TROUBLESHOOTING.md").read_text(encoding="utf-8")
DEMO = ROOT / "tests/landing_zone/demo.txt"
TEMPLATES = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "templates").glob("*.yaml"))
PRODUCT = TEMPLATES + "\n".join(path.read_text(encoding="utf-8") for path in ROOT.glob("libraries/ctipam/**/*.py"))
PLANS = re.findall(r"`make (plan [A-Z][^`]*)`", README)
EMULATOR = "\n".join(
    path.read_text(encoding="utf-8")
    for folder in ("aws_models", "landing_zone")
    for path in (ROOT / "tests" / folder).glob("**/*.py")
)


def test_the_readme_is_short_enough_to_be_read() -> None:
    assert len(README.split()) < 1500


def test_the_demo_in_the_readme_is_part_of_what_the_demo_prints() -> None:
    (shown,) = re.findall(r"```text\n(.*?)```", README, re.DOTALL)

    assert set(shown.splitlines()) <= set(DEMO.read_text(encoding="utf-8").splitlines())


@pytest.mark.parametrize("command", [words for words in PLANS if "organization" not in words])  # needs AWS
def test_every_plan_command_in_the_readme_works(command: str) -> None:
    words = [*shlex.split(command), f"PYTHON={sys.executable}"]
    made = subprocess.run(["make", "-s", *words], cwd=ROOT, capture_output=True, text=True, check=True)

    assert "Pools: " in made.stdout


@pytest.mark.parametrize("command", re.findall(r"^\$ make deploy (.*)$", README, re.MULTILINE))
def test_the_template_accepts_every_word_of_the_deploy_commands_in_the_readme(command: str) -> None:
    arguments.refuse_impossible(arguments.read(shlex.split(command), arguments.template_parameters()).parameters)


def test_the_readme_shows_the_commands_of_the_workload_template() -> None:
    template = (ROOT / "templates/workload-vpc.template.yaml").read_text(encoding="utf-8")
    commands = re.findall(r"^#   (aws .*(?:\n#       .*)*)", template, re.MULTILINE)

    assert len(commands) == 2
    for command in commands:
        assert "$ " + command.replace("\n#", "\n") in re.sub(r"\n +", "\n       ", README)


def test_the_console_steps_name_every_parameter_without_a_default() -> None:
    steps = README.partition("**In the console.**")[2].partition("**With the AWS CLI.**")[0]
    template = read_template(ROOT / arguments.MANAGEMENT_TEMPLATE)

    required = {name for name, parameter in template["Parameters"].items() if "Default" not in parameter}
    assert required <= set(re.findall(r"`(\w+)`", steps))


def test_every_make_target_in_the_readme_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(re.findall(r"(?:`|\$ )make ([a-z]+)", README))

    assert named
    assert named <= targets


def test_every_file_in_the_readme_exists() -> None:
    paths = set(re.findall(r"(?:`|\]\()((?:templates|libraries|tests|[a-z-]+-lambda)/[\w./-]*)(?:`|\))", README))

    assert paths
    assert [path for path in sorted(paths) if not (ROOT / path).exists()] == []


def test_every_parameter_output_and_resource_in_the_readme_is_in_a_template() -> None:
    names = set(re.findall(r"`([A-Z][A-Za-z]{6,})`", MESSAGES)) - {"SDLC"}

    assert names
    assert [name for name in sorted(names) if name not in TEMPLATES] == []


@pytest.mark.parametrize(
    "words",
    [
        "The growth check failed for",
        "by the tags of their pools",
        "does not require the tag",
        "has lost the tag",
        "has no pools; accounts in it",
        "name several OUs",
        "overlaps",
        "which does not name an OU by its ID",
        "which is no pool of this stack",
        "without its tag",
        "% full",
        "and AWS allows",
    ],
)
def test_what_is_told_of_pools_and_environments_is_explained(words: str) -> None:
    assert words in PRODUCT
    assert words in MESSAGES


@pytest.mark.parametrize("message", sorted(set(re.findall(r"^\| `([^`]+)`", MESSAGES, re.MULTILINE))))
def test_every_message_is_one_of_ours_or_of_aws(message: str) -> None:
    words = max(re.findall(r"[A-Za-z][A-Za-z' ,]+[A-Za-z]", message), key=len)  # without its values

    assert words in PRODUCT + EMULATOR
