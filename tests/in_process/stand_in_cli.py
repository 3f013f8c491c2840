"""A stand-in for the AWS CLI, for tests of commands that call it: it gives the answers that are set, and records."""

from __future__ import annotations

import functools
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from botocore import xform_name
from botocore.session import Session

# In the shell, which starts much faster than Python. It records how many words there are, each, and the session token.
# It gives the first of the answers <two words, or a pool's id>.<number>.<kind>; with the token of the Networking
# account, those of "networking" and the second word if there are any. An error goes to standard error; an answer that
# has a next one is given once.
SCRIPT = r"""#!/bin/sh
here=${0%/*}
printf '%s\0' $# "$@" "$AWS_SESSION_TOKEN" >>"$here/commands"
key="$1 $2"
if [ "$AWS_SESSION_TOKEN" = networking-token ]; then
    for answer in "$here/answers/networking $2".*; do [ ! -e "$answer" ] || key="networking $2"; done
fi
while [ $# -gt 0 ]; do
    [ "$1" != --ipam-pool-id ] || key=$2
    shift
done
for answer in "$here/answers/$key".*; do
    case $answer in
        *.error) cat "$answer" >&2; status=1 ;;
        *.json) cat "$answer"; status=0 ;;
        *) echo '{}'; exit ;;
    esac
    case $answer in *.once.*) rm "$answer" ;; esac
    exit $status
done
"""

OF_ALL = {"region", "output", "max-items", "cli-read-timeout"}
OWN = {
    ("s3", "cp"): {"sse", "recursive", "exclude", "include"},
    ("cloudformation", "deploy"): {
        *{"stack-name", "template-file", "s3-bucket", "s3-prefix", "capabilities", "no-fail-on-empty-changeset"},
        *{"tags", "parameter-overrides"},
    },
}
"""The options that we use of the commands that are the AWS CLI's own."""


@dataclass
class StandInCli:
    """The program is `path`, in a new folder. It knows the options that the AWS CLI knows, and asserts that there are
    no others."""

    folder: Path

    def __post_init__(self) -> None:
        self.folder.mkdir()
        self.path.write_text(SCRIPT)
        self.path.chmod(0o755)

    @property
    def path(self) -> Path:
        return self.folder / "aws"

    def set_answers(self, answers: Mapping[str, Sequence[Any]]) -> None:
        """Set the answers to each command, of which the last is repeated. Text is an error.

        answers   by the command's first two words, by "networking" and the second, or by the pool that it is about
        """
        folder = self.folder / "answers"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for key, given in answers.items():
            for number, answer in enumerate(given, start=1):
                kind, text = ("error", answer + "\n") if isinstance(answer, str) else ("json", json.dumps(answer))
                once = "once." if number < len(given) else ""
                (folder / f"{key}.{number:02}.{once}{kind}").write_text(text)

    def calls(self) -> list[tuple[list[str], str]]:
        """Return the words of each call with the session token that it had."""
        path = self.folder / "commands"
        recorded = path.read_text().split("\0")[:-1] if path.exists() else []
        found = []
        while recorded:
            end = int(recorded[0]) + 1
            found.append((recorded[1:end], recorded[end]))
            recorded = recorded[end + 1 :]
        for words, _ in found:
            assert_known(words)
        return found


def assert_known(words: Sequence[str]) -> None:
    """Assert that the AWS CLI knows the options, and that those of an operation of AWS are complete."""
    service, command, *others = words
    assert "--output" not in others or ("--output", "json") in pairwise(others), words
    if own := OWN.get((service, command)):
        assert {word.removeprefix("--") for word in others if word.startswith("--")} <= OF_ALL | own, words
        return
    values, flags, required = options_of(service, command)
    given: dict[str, list[str]] = {}
    name = ""
    for word in others:
        if word.startswith("--"):
            name = word.removeprefix("--")
            given[name] = []
        else:
            given[name].append(word)  # a KeyError: a value without an option
    for name, found in given.items():
        assert name in flags if not found else name in values and (values[name] == "list" or len(found) == 1), words
    assert required <= {name.removeprefix("no-") for name in given}, words


@functools.cache
def options_of(service: str, command: str) -> tuple[dict[str, str], set[str], set[str]]:
    """Return the options of a command that is an operation of AWS: those with values, by their types; those without;
    and those that are required."""
    model = Session().get_service_model({"s3api": "s3"}.get(service, service))
    (operation,) = [name for name in model.operation_names if xform_name(name, "-") == command]
    shape = model.operation_model(operation).input_shape
    types = {xform_name(name, "-"): member.type_name for name, member in (shape.members if shape else {}).items()}
    booleans = {name for name, type_name in types.items() if type_name == "boolean"}
    required = {xform_name(name, "-") for name in (shape.required_members if shape else ())}
    return types | dict.fromkeys(OF_ALL, "string"), {*booleans, *(f"no-{name}" for name in booleans)}, required
