"""Decide which service control policies deny a call. Pure: nothing here calls AWS.

AWS's policy simulator leaves out policies with conditions, such as Region deny of Control Tower. So these are evaluated
here: Action, NotAction, Resource and the conditions on aws:RequestedRegion and aws:PrincipalArn. A statement with any
other condition may deny the call: that is reported as such.

https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps_evaluation.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Literal

Verdict = Literal["no", "perhaps", "yes"]
"""Whether a call is denied."""


@dataclass(frozen=True)
class Call:
    """A call that a deployment makes.

    action       ec2:CreateIpam
    resource     an ARN of the kind that the call is made on
    """

    action: str
    region: str
    principal_arn: str
    resource: str


@dataclass(frozen=True)
class Policy:
    """A service control policy. document: its Statement is a list or one statement."""

    name: str
    document: Mapping[str, Any]


@dataclass(frozen=True)
class Denial:
    """A call that is denied, or perhaps denied.

    by   the name of the policy; empty if no policy of a level allows the call
    """

    call: Call
    by: str
    certain: bool


def denials(levels: Sequence[Sequence[Policy]], calls: Iterable[Call]) -> list[Denial]:
    """Return the denied calls, for each the first policy that denies it.

    levels   the policies of the root, of each OU on the way to the account, and of the account
    """
    return [denial for call in calls if (denial := _denial(levels, call))]


def _denial(levels: Sequence[Sequence[Policy]], call: Call) -> Denial | None:
    perhaps: Denial | None = None
    for policies in levels:
        if policies and not any(_allows(policy, call) for policy in policies):
            return Denial(call, "", certain=True)
        for policy in policies:
            verdicts = [_denies(statement, call) for statement in _statements(policy)]
            if "yes" in verdicts:
                return Denial(call, policy.name, certain=True)
            if "perhaps" in verdicts:
                perhaps = perhaps or Denial(call, policy.name, certain=False)
    return perhaps


def _statements(policy: Policy) -> list[Mapping[str, Any]]:
    found: Any = policy.document.get("Statement", [])
    return found if isinstance(found, list) else [found]


def _allows(policy: Policy, call: Call) -> bool:
    """Return whether a statement allows the action, whatever its conditions."""
    return any(statement["Effect"] == "Allow" and _is_about(statement, call) for statement in _statements(policy))


def _denies(statement: Mapping[str, Any], call: Call) -> Verdict:
    if statement["Effect"] != "Deny" or not _is_about(statement, call):
        return "no"
    verdicts = [
        _holds(operator, key, _listed(values), call)
        for operator, keys in statement.get("Condition", {}).items()
        for key, values in keys.items()
    ]
    if "no" in verdicts:
        return "no"
    return "perhaps" if "perhaps" in verdicts else "yes"


def _is_about(statement: Mapping[str, Any], call: Call) -> bool:
    action = call.action.lower()
    if "Action" in statement:
        about = _any(statement["Action"], lambda pattern: fnmatchcase(action, pattern.lower()))
    else:
        about = not _any(statement["NotAction"], lambda pattern: fnmatchcase(action, pattern.lower()))
    if "NotResource" in statement:
        return about and not _any(statement["NotResource"], lambda pattern: _like(call.resource, pattern))
    return about and _any(statement.get("Resource", "*"), lambda pattern: _like(call.resource, pattern))


def _holds(operator: str, key: str, values: Sequence[str], call: Call) -> Verdict:
    """Return whether a condition is true for the call, "perhaps" if that depends on what is not known here."""
    known = {"aws:requestedregion": call.region, "aws:principalarn": call.principal_arn}
    name = re.sub(r"IfExists$", "", operator).lower()
    form = re.fullmatch(r"(?:string|arn)(not)?(equals|equalsignorecase|like)", name)
    if key.lower() not in known or not form:
        return "perhaps"
    found = any(_like(known[key.lower()], value) for value in values)  # an ARN without * is equal only to itself
    return "yes" if found != bool(form[1]) else "no"


def _any(patterns: str | list[str], test: Callable[[str], bool]) -> bool:
    return any(test(pattern) for pattern in _listed(patterns))


def _listed(values: str | list[str]) -> list[str]:
    return values if isinstance(values, list) else [values]


def _like(text: str, pattern: str) -> bool:
    """Compare as IAM does: * and ? are wildcards, and brackets are not."""
    return fnmatchcase(text, re.sub(r"\[", "[[]", pattern))
