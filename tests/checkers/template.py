"""A template with its intrinsic functions in the long form, and what its parts say about each other."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from checkers.template_reader import read_template


class Template:
    """A template as it was read.

    content   {"Parameters": {...}, "Resources": {logical id: {"Type": ..., "Properties": {...}}}}
    """

    def __init__(self, content: Mapping[str, Any]) -> None:
        self.parameters: Mapping[str, Any] = content.get("Parameters", {})
        self.rules: Mapping[str, Any] = content.get("Rules", {})
        self.mappings: Mapping[str, Any] = content.get("Mappings", {})
        self.conditions: Mapping[str, Any] = content.get("Conditions", {})
        self.resources: Mapping[str, Any] = content["Resources"]

    @classmethod
    def read(cls, path: Path) -> Template:
        return cls(read_template(path))

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

    def statements_about(self, kind: str, names: str, resource: str) -> list[Mapping[str, Any]]:
        """Return the statements of the policies of a kind that list a resource under a name, for example Topics."""
        policies = [found for _, found in self.of_type(kind) if resource in map(target, listed(found[names]))]
        return [statement for policy in policies for statement in statements(policy["PolicyDocument"])]

    def depends_on(self, name: str) -> set[str]:
        """Return what the resource names in DependsOn."""
        return set(listed(self.resources[name].get("DependsOn", [])))

    def needed_by(self, name: str) -> set[str]:
        """Return all that CloudFormation creates before a resource, and deletes after it."""
        found: set[str] = set()
        open_ones = {name}
        while open_ones:
            one = open_ones.pop()
            before = (self.depends_on(one) | references(self.resources[one])) & self.resources.keys()
            open_ones |= before - found
            found |= before
        return found


def statements(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the statements of a policy, of conditional ones both branches."""
    for statement in listed(document["Statement"]):
        if "Fn::If" in statement:
            yield from (branch for branch in statement["Fn::If"][1:] if "Effect" in branch)
        else:
            yield statement


def target(value: Any) -> str | None:
    """Return the logical ID that a Ref or a Fn::GetAtt names."""
    if isinstance(value, Mapping) and "Ref" in value:
        return str(value["Ref"])
    if isinstance(value, Mapping) and "Fn::GetAtt" in value:
        named = value["Fn::GetAtt"]
        return str(named.split(".")[0] if isinstance(named, str) else named[0])
    return None


def holds(condition: Any, conditions: Mapping[str, Any], parameters: Mapping[str, str]) -> bool:
    """Return whether a condition, by its name or its function, is true with these values of the parameters."""
    match condition:
        case str():
            return holds(conditions[condition], conditions, parameters)
        case {"Condition": name}:
            return holds(name, conditions, parameters)
        case {"Fn::Not": [one]}:
            return not holds(one, conditions, parameters)
        case {"Fn::Or": several}:
            return any(holds(one, conditions, parameters) for one in several)
        case {"Fn::Equals": [one, other]}:
            first, second = (parameters[target(value) or ""] if target(value) else str(value) for value in (one, other))
            return first == second
    raise ValueError(f"{condition}: what it means is not modelled here")


def references(value: Any) -> set[str]:
    """Return every parameter and resource that a value refers to."""
    if isinstance(value, Mapping):
        if isinstance(value.get("Fn::Sub"), (str, list)):
            written = listed(value["Fn::Sub"])
            named = {name.split(".")[0] for name in re.findall(r"\$\{([\w:.]+)\}", str(written[0]))}
            return named.union(*map(references, written[1:]))
        if (name := target(value)) is not None:
            return {name}
        return set().union(*map(references, value.values()))
    return set().union(*map(references, value)) if isinstance(value, list) else set()


def listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list) else [value]
