"""AWS::Logs::QueryDefinition, which ministack lacks: the limits of CloudFormation, and nothing else.

Left out: DescribeQueryDefinitions, so nobody can read a saved query back.

Source  https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-logs-querydefinition.html
"""

from __future__ import annotations

from typing import Any

from landing_zone.on_ministack.cloudformation import HandlerFailure, Properties, Provisioned, register
from landing_zone.on_ministack.internals import responses

TYPE = "AWS::Logs::QueryDefinition"
PROPERTIES = {"LogGroupNames", "Name", "QueryString"}  # more are not needed
LONGEST_NAME, LONGEST_QUERY, MOST_GROUPS = 255, 10_000, 50


class QueryDefinitionType:
    def create(self, _logical_id: str, properties: Properties, _stack_name: str) -> Provisioned:
        _check(properties)
        query_id = str(responses.new_uuid())
        return query_id, {"QueryDefinitionId": query_id}

    def update(self, query_id: str, _old: Properties, new: Properties, _stack_name: str) -> Provisioned:
        _check(new)
        return query_id, {"QueryDefinitionId": query_id}

    def delete(self, _query_id: str, _properties: Properties) -> None:
        """Nobody can read it, so it is as good as gone."""


def _check(properties: Properties) -> None:
    if unknown := properties.keys() - PROPERTIES:
        raise NotImplementedError(f"{TYPE} with {', '.join(sorted(unknown))}")
    groups: Any = properties.get("LogGroupNames", [])
    for name, size, limit in (
        ("Name", len(properties.get("Name", "")), LONGEST_NAME),
        ("QueryString", len(properties.get("QueryString", "")), LONGEST_QUERY),
    ):
        if not 0 < size <= limit:
            raise HandlerFailure(f"{name} must have 1 to {limit} characters, not {size}", "InvalidRequest")
    if len(groups) > MOST_GROUPS or not all(isinstance(group, str) and group for group in groups):
        raise HandlerFailure(f"LogGroupNames must be at most {MOST_GROUPS} names", "InvalidRequest")


def install() -> None:
    register(TYPE, QueryDefinitionType())
