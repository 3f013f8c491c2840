"""Items of AccEnvName: the name of an OU, or its name and ID.

"Prod OU"
"Prod OU (ou-ab12-34567890)"
"""

from __future__ import annotations

import re

from ctipam.names import OU_ID

_PINNED = re.compile(rf"(.+) \(({OU_ID.pattern})\)")

_ID_OR_NAME = re.compile(rf"(?<![0-9a-z-]){OU_ID.pattern}(?![0-9a-z-])", re.IGNORECASE)
_LIKE_A_PIN = re.compile(
    rf"[(\[{{<]\s*ou-|[\"'`]\s*{OU_ID.pattern}|(?<![0-9a-z-])ou-[0-9a-z]{{4,32}}-(?=[a-z]*[0-9])[0-9a-z]{{8,32}}",
    re.IGNORECASE,
)
"""OUs can be named ou-prod-workloads. In brackets or quotes, or with a digit near its end, it is taken for an id."""

_PIN_IN_NAME = re.compile(rf"[(\[{{<]\s*{OU_ID.pattern}", re.IGNORECASE)
_QUOTES = "\"'`"


def split_environment(text: str) -> tuple[str, str]:
    """Return the name and the OU id of an item of AccEnvName: "Prod OU (ou-ab12-34567890)", as Control Tower writes it.

    The id is empty if the item has none. Any other parentheses are part of the name.
    """
    pinned = _PINNED.fullmatch(text)
    return (pinned[1], pinned[2]) if pinned else (text, "")


def looks_mistyped(text: str) -> bool:
    """Return whether an item of AccEnvName seems to name an OU by its id, but not as `split_environment` reads it.

    The name of an OU may hold anything: one that looks mistyped is accepted if the id of the OU follows.
    """
    name, ou_id = split_environment(text)
    if not ou_id:
        return bool(_LIKE_A_PIN.search(text))
    in_quotes = name[0] in _QUOTES and name[0] == name[-1]
    return in_quotes or name != name.strip() or bool(_PIN_IN_NAME.search(name))


def corrected(text: str) -> str:
    """Return how an item that looks mistyped is written: "Prod OU (ou-ab12-34567890)"."""
    found = _ID_OR_NAME.search(text)
    name = text[: found.start()] if found else re.split(r"[(\[{<]\s*ou-", text, flags=re.IGNORECASE)[0]
    name = re.sub(rf"[\s(\[{{<:{_QUOTES}]+$|^[\s{_QUOTES}]+", "", name)
    return f"{name or '<name>'} ({found[0].lower() if found else 'ou-...'})"
