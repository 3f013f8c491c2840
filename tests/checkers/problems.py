"""All checks of all templates, of each one and of one against another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from checkers import alarms, deployable, wiring
from checkers.policies import text
from checkers.template import Template


def problems(templates: Mapping[str, Template]) -> list[str]:
    """Return a sentence for each problem. The templates have their file names."""
    of_one = (*deployable.CHECKS, *alarms.CHECKS, *wiring.CHECKS)
    return [
        *(problem for template in templates.values() for check in of_one for problem in check(template)),
        *_between(templates),
    ]


def _between(templates: Mapping[str, Template]) -> Iterator[str]:
    for template in templates.values():
        for name, stack_set in template.of_type("AWS::CloudFormation::StackSet"):
            file_name = text(stack_set["TemplateURL"]).partition("}")[2]
            if file_name in templates:
                yield from wiring.passed_to_the_other_account(template, templates[file_name])
            else:
                yield f"{name}: there is no template {file_name}."
    yield from wiring.forwarded_events_are_those_that_a_rule_receives(list(templates.values()))
