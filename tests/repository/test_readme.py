"""What the README says is so: its outputs, its commands, the files and parameters that it names."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
TEMPLATES = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "templates").glob("*.yaml"))
PRODUCT = TEMPLATES + "\n".join(path.read_text(encoding="utf-8") for path in ROOT.glob("libraries/ctipam/*.py"))
EMULATOR = "\n".join(path.read_text(encoding="utf-8") for path in ROOT.glob("tests/landing_zone/**/*.py"))


def test_the_plan_that_it_shows_is_the_plan_of_the_defaults() -> None:
    shown = re.search(r"```console\n\$ make plan\n(.*?)```", README, re.DOTALL)
    done = subprocess.run(["make", "-s", "plan"], cwd=ROOT, capture_output=True, text=True, check=True)

    assert shown
    assert shown[1].strip() == done.stdout.strip()


def test_every_make_target_that_it_names_is_there() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(re.findall(r"(?:`|\$ )make ([a-z]+)", README))

    assert named
    assert named <= targets


def test_every_file_that_it_names_is_there() -> None:
    paths = set(re.findall(r"`((?:templates|libraries|[a-z-]+-lambda)/[\w./-]*)`", README))

    assert paths
    assert [path for path in sorted(paths) if not (ROOT / path).exists()] == []


def test_every_parameter_output_and_resource_that_it_names_is_in_a_template() -> None:
    names = set(re.findall(r"`([A-Z][A-Za-z]{6,})`", README)) - {"SDLC"}

    assert names
    assert [name for name in sorted(names) if name not in TEMPLATES] == []


@pytest.mark.parametrize("message", re.findall(r"^\| `([^`]+)`", README, re.MULTILINE))
def test_every_message_that_it_explains_is_one_of_ours_or_of_aws(message: str) -> None:
    words = max(re.findall(r"[A-Za-z][A-Za-z' ,]+[A-Za-z]", message), key=len)  # without the values between them

    assert words in PRODUCT + EMULATOR
