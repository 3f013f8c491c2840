"""What the parts of the templates say of each other: order, values that are passed on, permissions of functions.

Each check yields a sentence for each problem.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from checkers.policies import permits, text
from checkers.template import Template, listed, references, target

CONSTRAINTS = ("Type", "AllowedPattern", "AllowedValues", "MinValue", "MaxValue")
READS = ("Describe", "Get", "List")
UNLIMITED = {
    "EnableRamSharingAndIpamAdministration": "a setting of the whole organization; the actions have no condition keys",
    "AddOperatingRegionsAndSetCosts": "the IPAM may be one that this stack did not create",
    "ChangeExcludedOus": "EC2 creates the resource discovery, without tags",
    "CreatePoolsInScope": "the scope may be one that this stack did not create; the pool's own statement is limited",
}
"""Statements on all resources of a kind that change something, and why no condition limits them."""


def what_has_the_name_of_a_parameter_has_its_value(template: Template) -> Iterator[str]:
    for name, resource in template.resources.items():
        for key, value in _passed_on(resource):
            if key in template.parameters and references(value) != {key}:
                yield f"{name}: {key} has the value of {', '.join(sorted(references(value))) or 'no parameter'}."


def _passed_on(resource: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the names and values that a resource gets, among them those of the template's parameters."""
    properties = resource.get("Properties", {})
    if resource["Type"].startswith("Custom::"):
        yield from properties.items()
    for name, value in properties.get("Environment", {}).get("Variables", {}).items():
        yield name.title().replace("_", ""), value
    if resource["Type"] == "AWS::CloudFormation::StackSet":
        for parameter in properties["Parameters"]:
            yield parameter["ParameterKey"], parameter["ParameterValue"]


def custom_resources_run_again_when_a_setting_of_their_function_changes(template: Template) -> Iterator[str]:
    """CloudFormation updates a custom resource only if one of its own properties changes."""
    for name, resource in template.resources.items():
        if resource["Type"].startswith("Custom::"):
            function = template.resources[target(resource["Properties"]["ServiceToken"]) or ""]
            settings = {key for key, _ in _passed_on(function)} & template.parameters.keys()
            for missing in sorted(settings - resource["Properties"].keys()):
                yield f"{name}: a change of {missing} does not reach it; make it a property."


def code_is_in_the_bucket_before_it_is_read(template: Template) -> Iterator[str]:
    filled = {
        target(resource["Properties"]["TargetBucket"]): name
        for name, resource in template.resources.items()
        if "TargetBucket" in resource.get("Properties", {})
    }
    for name, resource in template.resources.items():
        properties = resource.get("Properties", {})
        sources = [properties.get("Code", {}).get("S3Bucket"), *(value for _, value in _passed_on(resource))]
        reader = resource["Type"] in ("AWS::Lambda::Function", "AWS::CloudFormation::StackSet")
        for bucket in filled.keys() & set(map(target, sources)) if reader else ():
            needed = {filled[bucket]}
            if resource["Type"] == "AWS::CloudFormation::StackSet":  # another account reads it
                needed |= {
                    policy for policy, of in template.of_type("AWS::S3::BucketPolicy") if target(of["Bucket"]) == bucket
                }
            for missing in sorted(needed - template.needed_by(name)):
                yield f"{name}: name {missing} in DependsOn, or there is nothing to read in {bucket} yet."


def rules_exist_only_while_their_functions_may_work(template: Template) -> Iterator[str]:
    """And while there is what they work on: a custom resource with the same role has made it."""
    for name, rule in template.of_type("AWS::Events::Rule"):
        for function in filter(None, (target(to["Arn"]) for to in rule["Targets"])):
            role = target(template.properties(function)["Role"]) or ""
            made = [
                resource
                for resource, found in template.resources.items()
                if found["Type"].startswith("Custom::")
                and target(template.properties(target(found["Properties"]["ServiceToken"]) or "")["Role"]) == role
            ]
            for missing in sorted({*template.policies_of(role), *made} - template.needed_by(name)):
                yield f"{name}: name {missing} in DependsOn, or events come while it does not exist."


def pools_exist_while_they_are_shared(template: Template) -> Iterator[str]:
    pools = {name for name, _ in template.of_type("AWS::CloudFormation::StackSet")}
    for name, _ in template.of_type("Custom::ShareExistingAccounts"):
        for missing in pools - template.needed_by(name):
            yield f"{name}: name {missing} in DependsOn, or there are no pools to share."


def functions_may_write_their_logs(template: Template) -> Iterator[str]:
    for name, function in template.of_type("AWS::Lambda::Function"):
        group = target(function["LoggingConfig"]["LogGroup"])
        granted = list(template.role_statements(target(function["Role"]) or ""))
        for action in ("logs:CreateLogStream", "logs:PutLogEvents"):
            if not permits(granted, action, f"${{{group}.Arn}}"):
                yield f"{name}: without {action} on {group}, Lambda drops its logs."


def functions_have_time_and_memory(template: Template) -> Iterator[str]:
    """Lambda's own defaults are 3 seconds and 128 MB, in which the AWS SDK alone hardly starts."""
    for name, function in template.of_type("AWS::Lambda::Function"):
        if function.get("Timeout", 3) <= 3 or function.get("MemorySize", 128) <= 128:
            yield f"{name}: give it a Timeout over 3 seconds, and a MemorySize over 128 MB."


def changes_are_limited_to_what_belongs_to_the_solution(template: Template) -> Iterator[str]:
    """A statement that changes all resources of a kind has a condition."""
    for role, _ in template.of_type("AWS::IAM::Role"):
        for statement in template.role_statements(role):
            actions = [action.split(":")[1] for action in listed(statement["Action"])]
            if all(action.startswith(READS) for action in actions) or statement["Sid"] in UNLIMITED:
                continue
            own = references(statement["Resource"]) & {*template.resources, "AWS::StackName"}
            wide = any(text(one).endswith("*") for one in listed(statement["Resource"]))
            if wide and not own and not _limits(statement):
                yield f"{role}: {statement['Sid']} changes what is not the solution's; give a Condition."


def _limits(statement: Mapping[str, Any]) -> bool:
    keys = [key for wanted in statement.get("Condition", {}).values() for key in wanted]
    return bool({key for key in keys if key != "aws:TagKeys"})


def passed_to_the_other_account(management: Template, networking: Template) -> Iterator[str]:
    """What the StackSet of one template says of the other, which it deploys."""
    for name, stack_set in management.of_type("AWS::CloudFormation::StackSet"):
        given = {one["ParameterKey"] for one in stack_set["Parameters"]}
        for missing in sorted(networking.parameters.keys() ^ given):
            yield f"{name}: {missing} is a parameter of only one of the two."
        kinds = {resource["Type"] for resource in networking.resources.values()}
        if "AWS::IAM::Role" in kinds and "CAPABILITY_IAM" not in stack_set.get("Capabilities", []):
            yield f"{name}: CloudFormation refuses to create roles without CAPABILITY_IAM."
    for name in networking.parameters.keys() & management.parameters.keys():
        here, there = management.parameters[name], networking.parameters[name]
        if any(here.get(constraint) != there.get(constraint) for constraint in CONSTRAINTS):
            yield f"{name}: the templates accept different values, so what one accepts fails in the other."


def forwarded_events_are_those_that_a_rule_receives(templates: Sequence[Template]) -> Iterator[str]:
    rules = [rule for template in templates for rule in template.of_type("AWS::Events::Rule")]
    received = [found["EventPattern"] for _, found in rules if not _forwards(found) and "EventPattern" in found]
    for name, rule in rules:
        if _forwards(rule) and rule.get("EventPattern") not in received:
            yield f"{name}: it forwards events that no rule in the home Region has the same pattern for."


def _forwards(rule: Mapping[str, Any]) -> bool:
    return any(text(to["Arn"]).endswith(":event-bus/default") for to in rule["Targets"])


CHECKS = (
    what_has_the_name_of_a_parameter_has_its_value,
    custom_resources_run_again_when_a_setting_of_their_function_changes,
    code_is_in_the_bucket_before_it_is_read,
    rules_exist_only_while_their_functions_may_work,
    pools_exist_while_they_are_shared,
    functions_may_write_their_logs,
    functions_have_time_and_memory,
    changes_are_limited_to_what_belongs_to_the_solution,
)
