"""The NAME=value options of the commands about a deployed stack: reconcile, report, explain and undo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from commands.arguments import MAKE_VARIABLES, STACK, refuse_variable_of_aws
from ctipam.errors import Refused
from ctipam.organization.events import is_account_id

KNOWN = {
    "reconcile": ("account", "dry", "unshare", "stack", "AWS"),
    "report": ("FORMAT", "stack", "AWS"),
    "explain": ("account", "pool", "vpc", "stack"),
    "undo": ("dry", "stack", "yes", "AWS"),
}


def read(action: str, words: Sequence[str]) -> dict[str, str]:
    """Return the options of the command. Raises Refused for an unknown name, and for no name of a stack.

    words   ["dry=yes", ...], as make passes them on
    """
    options = dict(word.split("=", 1) for word in words)
    for name in options:
        if name not in KNOWN[action] + MAKE_VARIABLES:
            refuse_variable_of_aws(name)
            raise Refused(f"{name} is not an argument of make {action}; use {', '.join(KNOWN[action])}.")
    if options.get("stack") == "":  # in a script, a variable that was not set
        raise Refused(f"stack= is empty; give the name of a stack, or leave it out for {STACK}.")
    return options


def account_id(options: Mapping[str, str]) -> str | None:
    """Return account=, None if it is not given. Raises Refused for what is no account's id, also an empty one."""
    given = options.get("account")
    if given is not None and not is_account_id(given):
        raise Refused(f"account={given} is not an account id; give 12 digits, for example 012345678901.")
    return given
