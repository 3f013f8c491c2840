"""What a policy of a template allows to AWS's services, with its conditions and its Deny statements.

ARNs are compared as the template writes them: !GetAtt FailureQueue.Arn is "${FailureQueue.Arn}", !Ref AWS::AccountId is
"${AWS::AccountId}".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

from checkers.template import listed

Context = Mapping[str, str]

OWN_ACCOUNT = "${AWS::AccountId}"


def text(value: Any) -> str:
    """Return a value with its references in the form that Fn::Sub has."""
    if isinstance(value, Mapping):
        match dict(value):
            case {"Ref": name}:
                return f"${{{name}}}"
            case {"Fn::GetAtt": [*names]}:
                return f"${{{'.'.join(names)}}}"
            case {"Fn::GetAtt": name}:
                return f"${{{name}}}"
            case {"Fn::Sub": str(written)}:
                return str(written)
    return str(value)


def permits(
    statements: Iterable[Mapping[str, Any]],
    action: str,
    resource: str,
    *,
    principal: object = None,
    context: Context | None = None,
) -> bool:
    """Return whether the statements of one policy allow a request.

    resource    as text() returns it
    principal   as the template writes it; None: the policy belongs to an identity
    context     the condition keys of the request
    """
    effects = {
        one["Effect"] for one in statements if _applies(one, action, resource, principal) and is_met(one, context or {})
    }
    return effects == {"Allow"}


def _applies(statement: Mapping[str, Any], action: str, resource: str, principal: object) -> bool:
    return (
        any(fnmatchcase(action, one) for one in listed(statement["Action"]))
        and any(fnmatchcase(resource, text(one)) for one in listed(statement["Resource"]))
        and statement.get("Principal") in (("*", principal) if principal else (None,))
    )


def is_met(statement: Mapping[str, Any], context: Context) -> bool:
    """Return whether a request with these condition keys meets the conditions of a statement."""
    return all(
        _holds(operator, context.get(key), [text(one) for one in listed(wanted)])
        for operator, keys in statement.get("Condition", {}).items()
        for key, wanted in keys.items()
    )


def _holds(operator: str, actual: str | None, wanted: list[str]) -> bool:
    if actual is None:
        return operator.endswith("IfExists")
    if operator.removesuffix("IfExists") in ("StringEquals", "Bool"):
        return actual in wanted
    if operator in ("ArnEquals", "ArnLike", "StringLike"):
        return any(fnmatchcase(actual, one) for one in wanted)
    raise ValueError(f"{operator}: what it means is not modelled here")
