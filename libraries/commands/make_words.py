"""The words that make was given, NAME=value: they come in environment variables, so that no shell interprets them.

The Makefile lists in WORDS the names that stand on its command line. A variable of the user's environment is no word:
a forgotten `export` must not change a network. If it has the name of a word, it is refused, never ignored.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Collection, Mapping

from ctipam.errors import Refused

NAMES = "WORDS"

FLAGS_OF_3_81 = re.compile("-[^-IO].*")
"""Options of one letter in MAKEFLAGS, as GNU make 3.81 of macOS writes them: after the long ones, with a hyphen. Later
ones write them first and without it. -I and -O are followed by a value."""


def by_make() -> bool:
    """Return whether make has started this program."""
    return NAMES in os.environ


def given(target: str, known: Collection[str]) -> list[str]:
    """Return the words, also of a program that was started without make: they are its arguments then."""
    return read(target, known) if by_make() else sys.argv[1:]


def read(target: str, known: Collection[str], environment: Mapping[str, str] = os.environ) -> list[str]:
    """Return the words, ["CIDR=10.0.0.0/8", ...], in the order of their names.

    target   "plan", for the messages
    known    the names that the target accepts; others are returned too, for a message with a suggestion
    Raises   Refused for a word in the environment, or for one that is not text in UTF-8
    """
    names = sorted(environment.get(NAMES, "").split())
    for name in known:
        if name not in names and environment.get(name):
            raise Refused(
                f"{name} is set in the environment, from which make {target} takes no arguments; give it after the "
                f"target, make {target} {name}=..., or run env -u {name} make {target}."
            )
    return [f"{name}={_text(name, environment.get(name, ''))}" for name in names]


def refuse_lines_of_make() -> None:
    """Raise Refused if make writes its own lines before and after an output that programs read: run with -w, and if it
    is older than 4.4, with -C too."""
    first, *others = os.environ.get("MAKEFLAGS", "").partition(" -- ")[0].split(" ")
    if "w" in first or any("w" in flags for flags in others if FLAGS_OF_3_81.fullmatch(flags)):
        raise Refused("With -C or -w, make writes its own lines into this output; add --no-print-directory.")


def _text(name: str, value: str) -> str:
    """Return a value as text, also where the locale has no letters beyond ASCII."""
    try:
        value.encode()  # fails if Python could not decode the bytes in the locale's encoding
        return value
    except UnicodeEncodeError:
        pass
    try:
        return os.fsencode(value).decode("utf-8")
    except UnicodeDecodeError:
        raise Refused(f"{name} is not text in UTF-8; give it in UTF-8.") from None
