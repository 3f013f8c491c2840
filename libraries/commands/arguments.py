"""What is typed after `make plan` and `make deploy`: NAME=value. What else the commands have in common is here too.

A name is a parameter of the management template, or one of the short names below for the most used of them, or the
command's own, such as FORMAT. So one line of words does for both commands, and each takes what it needs.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ctipam.errors import Refused

ROOT = Path(__file__).resolve().parents[2]
MANAGEMENT_TEMPLATE = "templates/ipam-controltower-integration.template.yaml"

SHORT = {
    "NETWORK_ACCOUNT_ID": "NetworkAccountId",
    "BUCKET": "LambdaBucket",
    "CIDR": "TopLevelPoolCidr",
    "REGIONS": "RegionSelection",
    "ENVS": "AccEnvName",
    "REGION_PREFIX": "IpamPoolPrefixLength",
    "ENV_PREFIX": "AccPoolPrefixLength",
    "VPC_PREFIX": "VpcDefaultNetmaskLength",
    "QUOTA": "IpamPoolQuota",
}
OWN = ("FORMAT", "ACTIVE_IPS", "VPCS", "AWS", "stack")
"""Of the two commands; each reads its own and leaves the other's alone."""

OF_MAKE = ("PYTHON",)

STACK = "ipam-controltower"
"""The management account's, unless `stack` names another."""


@dataclass(frozen=True)
class Arguments:
    """parameters: by their names in the template. own: FORMAT and the like."""

    parameters: dict[str, str]
    own: dict[str, str]


def read(typed: Sequence[str], known: Collection[str]) -> Arguments:
    """Raises Refused for a name that is neither the template's (known) nor one of those above, or that is there twice.

    typed   ["CIDR=10.0.0.0/8", "AccEnvName=Prod OU,SDLC OU", ...], as `make` passes them on
    """
    words = Arguments({}, {})
    for word in typed:
        name, _, value = word.partition("=")
        if name in OWN:
            words.own[name] = value
        elif name not in OF_MAKE:
            parameter = SHORT.get(name, name)
            if parameter not in known:
                raise Refused(_unknown(name, known))
            if parameter in words.parameters:
                raise Refused(f"{parameter} is given twice, once as {short_name(parameter)}; give it once.")
            words.parameters[parameter] = value
    return words


@contextmanager
def short_names() -> Iterator[None]:
    """What is refused within speaks of the short names, as the user does, and not of the template's, as the Lambda."""
    try:
        yield
    except Refused as refusal:
        names = {parameter: short for short, parameter in SHORT.items()}
        raise Refused(re.sub(rf"\b({'|'.join(names)})\b", lambda found: names[found[1]], str(refusal))) from None


def another_account(account_id: str, management_id: str) -> Refused:
    return Refused(
        f"The credentials are of account {account_id}, and the organization's management account is {management_id}; "
        "sign in there, or set AWS_PROFILE."
    )


def in_no_organization(account_id: str) -> Refused:
    return Refused(f"Account {account_id} is in no organization; use the management account of the landing zone.")


def short_name(parameter: str) -> str:
    return next((short for short, name in SHORT.items() if name == parameter), parameter)


def template_parameters(root: Path = ROOT) -> dict[str, str | None]:
    """Each parameter of the management template, with its default; None: it has none.

    Reads the layout that our template keeps, since the standard library has no YAML.
    """
    return {name: _default(body) for name, body in _bodies(root)}


def _bodies(root: Path) -> list[tuple[str, str]]:
    """Name and text of each parameter."""
    text = (root / MANAGEMENT_TEMPLATE).read_text(encoding="utf-8")
    section = re.split(r"^(?=\w)", text.partition("\nParameters:\n")[2], maxsplit=1, flags=re.MULTILINE)[0]
    return re.findall(r"^  (\w+):\n((?:    .*\n|\n)+)", section + "\n", re.MULTILINE)


def refuse_impossible(parameters: Mapping[str, str], root: Path = ROOT) -> None:
    """Raises Refused for a value that CloudFormation would not take, before anything is uploaded for it."""
    for name, body in _bodies(root):
        value = parameters.get(name)
        if value is not None and not _is_possible(value, body):
            raise Refused(f"{short_name(name)}={value} cannot be; it must be {_must_be(body)}")


def _must_be(body: str) -> str:
    if allowed := _said(body, "AllowedValues"):
        return f"one of {allowed.strip('[]')}."
    if lowest := _said(body, "MinValue"):
        return f"a number from {lowest} to {_said(body, 'MaxValue')}."
    return _said(body, "ConstraintDescription")


def _is_possible(value: str, body: str) -> bool:
    pattern = _said(body, "AllowedPattern")
    if pattern and not re.search(pattern, value):
        return False
    allowed = _said(body, "AllowedValues")
    if allowed and value not in re.split(r",\s*", allowed.strip("[]")):
        return False
    lowest, highest = _said(body, "MinValue"), _said(body, "MaxValue")
    if not (lowest or highest):
        return True
    return value.isdecimal() and int(lowest or 0) <= int(value) <= int(highest or value)


def _said(body: str, name: str) -> str:
    found = re.search(rf"^    {name}: (.*?)(?: #.*)?$", body, re.MULTILINE)
    return found[1].strip("\"'") if found else ""


def _default(body: str) -> str | None:
    found = re.search(r"^    Default: (.*?)(?: #.*)?$", body, re.MULTILINE)
    return found[1].strip("\"'") if found else None


def _unknown(name: str, known: Collection[str]) -> str:
    names = [*SHORT, *OWN, *known]
    by_lower_case = {each.lower(): each for each in names}
    close = difflib.get_close_matches(name.lower(), by_lower_case, n=1)
    meant = f" Did you mean {by_lower_case[close[0]]}?" if close else f" There are {', '.join(names)}."
    return f"{name} is no word of this command and no parameter of the template.{meant}"
