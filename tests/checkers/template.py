"""A template with its intrinsic functions in the long form, and what its parts say about each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from cfnlint.decode import decode  # type: ignore[import-untyped]


class Template:
    """A template as cfn-lint reads it.

    content   {"Parameters": {...}, "Resources": {logical id: {"Type": ..., "Properties": {...}}}}
    """

    def __init__(self, content: Mapping[str, Any]) -> None:
        self.parameters: Mapping[str, Any] = content.get("Parameters", {})
        self.resources: Mapping[str, Any] = content["Resources"]

    @classmethod
    def read(cls, path: Path) -> Template:
        content, problems = decode(str(path))
        assert not problems, problems
        return cls(content)

    def of_type(self, *types: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Yield the logical ID and the properties of each resource of these types."""
        for name, resource in self.resources.items():
            if resource["Type"] in types:
                yield name, resource.get("Properties", {})

    def properties(self, name: str) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.resources.get(name, {}).get("Properties", {})
        return found

    def role_statements(self, role: str) -> Iterator[Mapping[str, Any]]:
        """Yield the statements of all policies of a role, inline or not."""
        for inline in self.properties(role).get("Policies", []):
            yield from statements(inline["PolicyDocument"])
        for policy in self.policies_of(role):
            yield from statements(self.properties(policy)["PolicyDocument"])

    def policies_of(self, role: str) -> list[str]:
        """Return the logical IDs of the AWS::IAM::Policy resources of a role."""
        policies = self.of_type("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy")
        return [name for name, found in policies if any(target(one) == role for one in found.get("Roles", []))]

    def depends_on(self, name: str) -> set[str]:
        """Return what the resource names in DependsOn."""
        return set(listed(self.resources[name].get("DependsOn", [])))


def statements(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the statements of a policy, of conditional ones both branches."""
    for statement in listed(document["Statement"]):
        if "Fn::If" in statement:
            yield from (branch for branch in statement["Fn::If"][1:] if "Effect" in branch)
        else:
            yield statement


def allows(
    statement: Mapping[str, Any], action: str, *, resource: str | None = None, principal: object | None = None
) -> bool:
    """Return whether a statement allows an action, on a resource of the template, to a principal.

    resource    logical ID; None: whatever the resource
    principal   as the template writes it; None: the statement belongs to an identity
    """
    if statement["Effect"] != "Allow" or not any(fnmatchcase(action, one) for one in listed(statement["Action"])):
        return False
    if principal is not None and statement.get("Principal") != principal:
        return False
    resources = listed(statement["Resource"])
    return resource is None or "*" in resources or any(target(one) == resource for one in resources)


def target(value: Any) -> str | None:
    """Return the logical ID that a Ref or a Fn::GetAtt names."""
    if isinstance(value, Mapping) and "Ref" in value:
        return str(value["Ref"])
    if isinstance(value, Mapping) and "Fn::GetAtt" in value:
        named = value["Fn::GetAtt"]
        return str(named.split(".")[0] if isinstance(named, str) else named[0])
    return None


def listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list) else [value]
