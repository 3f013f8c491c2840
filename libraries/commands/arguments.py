"""The NAME=value arguments of `make plan` and `make deploy`, and what the other commands share with them.

A name is a parameter of the management template, a short name for one of these parameters, or an option of the
command, for example FORMAT. Both commands accept the same arguments; each uses those that it needs.
"""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ctipam.environment_names import looks_mistyped, split_environment
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
    "POOL_SIZES": "PoolSizes",
    "VPC_PREFIX": "VpcDefaultNetmaskLength",
    "QUOTA": "IpamPoolQuota",
}
OPTIONS = ("FORMAT", "ACTIVE_IPS", "VPCS", "VPCS_A_MONTH", "RESERVE", "INCOMPLETE", "AWS", "stack", "preflight")
"""Options of `make plan`, `make preflight` and `make deploy`. Each command ignores those of the others."""

MAKE_VARIABLES = ("PYTHON",)

STACK = "ipam-controltower"
"""Default name of the management stack; stack= overrides it."""

LONGEST_STACK_NAME = 128 - len("-networking")
"""Characters: the name of the StackSet has at most 128.
https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStackSet.html"""

_STACK_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]*")


def known_names() -> list[str]:
    """Return all names of arguments of `make plan` and `make deploy`."""
    return [*SHORT, *OPTIONS, *template_parameters()]


@dataclass(frozen=True)
class Arguments:
    """The arguments of a command.

    parameters   by their names in the template
    options      FORMAT, stack and the like
    """

    parameters: dict[str, str]
    options: dict[str, str]


def read(arguments: Sequence[str], known: Collection[str]) -> Arguments:
    """Return the parsed arguments. Raises Refused for an unknown name, or for a parameter that is given twice.

    arguments   ["CIDR=10.0.0.0/8", "AccEnvName=Prod OU,SDLC OU", ...], as `make` passes them on
    known       the parameters of the template
    """
    result = Arguments({}, {})
    for argument in arguments:
        name, _, value = argument.partition("=")
        if name in OPTIONS:
            result.options[name] = value
        elif name not in MAKE_VARIABLES:
            parameter = SHORT.get(name, name)
            if parameter not in known:
                refuse_variable_of_aws(name)
                raise Refused(_unknown(name, known))
            if parameter in result.parameters:
                raise Refused(f"{parameter} is given twice, once as {short_name(parameter)}; give it once.")
            result.parameters[parameter] = value
    return result


def refuse_variable_of_aws(name: str) -> None:
    """Raise Refused for AWS_REGION and the like. Their values are not shown: one is a secret key."""
    if name.startswith("AWS_"):
        raise Refused(f"{name} is no argument, but a variable of the environment; write {name}=... before make.")


def stack_name(options: Mapping[str, str]) -> str:
    """Return the name of the stack. Raises Refused for one that CloudFormation would not accept."""
    name = options.get("stack", STACK)
    if not _STACK_NAME.fullmatch(name) or len(name) > LONGEST_STACK_NAME:
        raise Refused(
            f"stack={shortened(name)} is not a valid stack name; use letters, digits and hyphens, first a letter, and "
            f"at most {LONGEST_STACK_NAME} of them."
        )
    return name


def output_format(options: Mapping[str, str], other: str) -> str:
    """Return FORMAT, or text if it is not given. Raises Refused for anything but text and the other one."""
    value = options.get("FORMAT", "text")
    if value not in ("text", other):
        raise Refused(f"FORMAT={shortened(value)} is not supported; give text or {other}.")
    return value


def yes_or_no(options: Mapping[str, str], name: str, default: str = "no") -> bool:
    """Return whether the option is yes. Raises Refused for anything but yes and no, also for an empty value: in a
    script, that is a variable that was not set."""
    value = options.get(name, default)
    if value not in ("yes", "no"):
        raise Refused(f"{name}={value} is neither yes nor no.")
    return value == "yes"


@contextmanager
def short_names() -> Iterator[None]:
    """Replace the template's parameter names by the short names in every Refused that is raised within."""
    try:
        yield
    except Refused as refusal:
        raise Refused(with_short_names(str(refusal))) from None


def with_short_names(text: str) -> str:
    """Return a text with the short names in place of the template's parameter names."""
    names = {parameter: short for short, parameter in SHORT.items()}
    return re.sub(rf"\b({'|'.join(names)})\b", lambda found: names[found[1]], text)


def item_of_environments(name: str, ou_id: str) -> str:
    """Return how AccEnvName names an OU: by its name, and by its id where the name alone would be misread, for example
    because CloudFormation removes a space at its end. Empty if no item can name it, as with a comma in its name."""
    stripped = name.strip()
    alone = stripped == name and not split_environment(name)[1] and not looks_mistyped(name)
    item = name if alone else f"{stripped} ({ou_id})"
    return "" if not stripped or "," in item or looks_mistyped(item) else item


def another_account(account_id: str, management_id: str) -> Refused:
    return Refused(
        f"The credentials are of account {account_id}, and the organization's management account is {management_id}; "
        "sign in there, or set AWS_PROFILE."
    )


def is_management_account(account_id: str) -> Refused:
    return Refused(
        f"NETWORK_ACCOUNT_ID={account_id} is the management account, which cannot administer IPAM; give the account "
        "that is to own the pools."
    )


def in_no_organization(account_id: str) -> Refused:
    return Refused(f"Account {account_id} is in no organization; use the management account of the landing zone.")


def short_name(parameter: str) -> str:
    return next((short for short, name in SHORT.items() if name == parameter), parameter)


def template_parameters(root: Path = ROOT) -> dict[str, str | None]:
    """Return each parameter of the management template with its default, or None if it has none.

    The standard library has no YAML parser, so this relies on the template's indentation.
    """
    return {name: _default(body) for name, body in _bodies(root)}


def template_defaults(root: Path = ROOT) -> dict[str, str]:
    """Return the defaults of those parameters that have one."""
    return {name: default for name, default in template_parameters(root).items() if default is not None}


def forgotten(existing: Mapping[str, str], known: Collection[str]) -> str:
    """Return a sentence about the parameters of a stack that this version does not know; empty if it knows all.

    known   the parameters of this version
    """
    lost = [f"{name}={value}" for name, value in existing.items() if name not in known]
    if not lost:
        return ""
    return (
        "This version does not know some parameters of the stack, and CloudFormation forgets their values; give them "
        f"again after an upgrade: {shlex.join(lost)}"
    )


def _bodies(root: Path) -> list[tuple[str, str]]:
    """Return the name and the text of each parameter."""
    text = (root / MANAGEMENT_TEMPLATE).read_text(encoding="utf-8")
    section = re.split(r"^(?=\w)", text.partition("\nParameters:\n")[2], flags=re.MULTILINE)[0]
    return re.findall(r"^  (\w+):\n((?:    .*\n|\n)+)", section, re.MULTILINE)


def refuse_impossible(parameters: Mapping[str, str], root: Path = ROOT) -> None:
    """Raise Refused for a value that CloudFormation would reject, before anything is uploaded."""
    for name, body in _bodies(root):
        value = parameters.get(name)
        if value is not None and not _is_valid(value, body):
            raise Refused(f"{short_name(name)}={shortened(value)} is not valid; it must be {_must_be(body)}")


def whole_number(text: str) -> int | None:
    """Return the number, None if the text is not one of up to ten digits."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 10 else None


def shortened(value: str) -> str:
    """Return a value for a message, cut so that the rest of the message is read too."""
    return value if len(value) <= 60 else value[:57] + "..."


def _must_be(body: str) -> str:
    if allowed := _allowed_values(body):
        return f"one of {', '.join(allowed)}."
    if lowest := _attribute(body, "MinValue"):
        highest = _attribute(body, "MaxValue")
        return f"a number from {lowest} {f'to {highest}' if highest else 'up'}."
    return _attribute(body, "ConstraintDescription")


def _is_valid(value: str, body: str) -> bool:
    pattern = _attribute(body, "AllowedPattern")
    if pattern and not re.fullmatch(pattern, value, re.ASCII):  # as CloudFormation compares
        return False
    allowed = _allowed_values(body)
    if allowed and value not in allowed:
        return False
    lowest = _attribute(body, "MinValue")  # each number of the template has one, or AllowedValues
    if not lowest:
        return True
    number = whole_number(value)
    return number is not None and int(lowest) <= number <= int(_attribute(body, "MaxValue") or number)


def _allowed_values(body: str) -> list[str]:
    return re.findall(r"[^\s\[\],\"]+", _attribute(body, "AllowedValues"))


def _attribute(body: str, name: str) -> str:
    """Return an attribute of a parameter, empty if it has none of this name."""
    found = re.search(rf"^    {name}: (.*?)(?: #.*)?$", body, re.MULTILINE)
    return found[1].strip("\"'") if found else ""


def _default(body: str) -> str | None:
    found = re.search(r"^    Default: (.*?)(?: #.*)?$", body, re.MULTILINE)
    return found[1].strip("\"'") if found else None


def _unknown(name: str, known: Collection[str]) -> str:
    names = [*SHORT, *OPTIONS, *known]
    by_lower_case = {each.lower(): each for each in names}
    close = difflib.get_close_matches(name.lower(), by_lower_case)
    hint = f"Did you mean {by_lower_case[close[0]]}?" if close else f"The valid names are {', '.join(names)}."
    return f"{name} is neither an argument of this command nor a parameter of the template. {hint}"
