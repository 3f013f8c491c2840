"""A stand-in for the AWS CLI, for tests of commands that call it: it gives the answers that are set, and records."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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


@dataclass
class StandInCli:
    """The program is `path`, in a new folder."""

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
        return found
