"""Test that the dashboard and the alarm of the Networking account use the metrics that the measurement publishes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from cfnlint.decode import cfn_yaml  # type: ignore[import-untyped]

from ctipam import findings
from ctipam.findings import Finding
from ctipam.ipam import trouble
from ctipam.pools import drift, overlaps, utilization, watch
from ctipam.pools.environment_pools import EnvironmentPool
from ctipam.pools.utilization import Utilization

TEMPLATE = Path(__file__).parents[2] / "templates" / "ipamnetworkingStack.yaml"
COLUMNS = 24
LINES = 10  # in a graph; more lines cannot be distinguished
SCHEMA = ",".join([utilization.NAMESPACE, *utilization.DIMENSIONS])


@pytest.fixture(scope="module")
def resources() -> Any:
    return cfn_yaml.load(str(TEMPLATE))["Resources"]


@pytest.fixture(scope="module")
def dashboard(resources: Any) -> dict[str, Any]:
    """Return its body as CloudFormation renders it when every reference is 80."""
    body = resources["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    rendered: dict[str, Any] = json.loads(re.sub(r"\$\{[^}]*\}", "80", body))
    return rendered


def expressions(dashboard: dict[str, Any]) -> list[str]:
    metrics = [widget["properties"].get("metrics", []) for widget in dashboard["widgets"]]
    return [metric["expression"] for of_widget in metrics for (metric,) in of_widget]


def test_widgets_fill_the_grid_without_overlaps(dashboard: dict[str, Any]) -> None:
    cells = [
        (x, y)
        for widget in dashboard["widgets"]
        for x in range(widget["x"], widget["x"] + widget["width"])
        for y in range(widget["y"], widget["y"] + widget["height"])
    ]

    assert len(cells) == len(set(cells)), "two widgets overlap"
    assert max(x for x, _ in cells) == COLUMNS - 1
    assert len(cells) == COLUMNS * (max(y for _, y in cells) + 1), "the grid has a gap"


def test_each_graph_shows_the_metric_that_the_measurement_publishes(dashboard: dict[str, Any]) -> None:
    assert expressions(dashboard)
    for expression in [*expressions(dashboard), *(variable["search"] for variable in dashboard["variables"])]:
        assert f'{{{SCHEMA}}} MetricName="{utilization.METRIC}"' in expression


def test_the_number_of_lines_in_a_graph_is_limited(dashboard: dict[str, Any]) -> None:
    chosen = [f'{name}="Chosen{name}"' for name in utilization.DIMENSIONS]

    for expression in expressions(dashboard):
        limited = expression.startswith("SLICE(SORT(") and expression.endswith(f", DESC), 0, {LINES})")
        assert limited or any(choice in expression for choice in chosen)


def test_each_variable_is_a_dimension_and_changes_a_graph_and_its_title(dashboard: dict[str, Any]) -> None:
    assert {variable["populateFrom"] for variable in dashboard["variables"]} == set(utilization.DIMENSIONS)
    for variable in dashboard["variables"]:
        changed = [widget for widget in dashboard["widgets"] if variable["pattern"] in json.dumps(widget)]
        assert [variable["pattern"] in widget["properties"]["title"] for widget in changed] == [True]


def test_the_table_reads_the_fields_of_the_metric_lines(dashboard: dict[str, Any]) -> None:
    pool = EnvironmentPool("ipam-pool-0123456789abcdef0", "Prod OU", "us-west-2")
    line = json.loads(utilization.metric_line(Utilization(pool, addresses=2048, used=256, vpcs=1), at_s=0.0))
    query, _ = [widget["properties"]["query"] for widget in dashboard["widgets"] if widget["type"] == "log"]

    read = set(re.findall(r"(?:latest|ispresent)\((\w+)\)", query))

    assert read == line.keys() - {"_aws"} - set(utilization.DIMENSIONS)
    assert f"by {', '.join(utilization.DIMENSIONS)} " in query


def test_the_table_of_findings_reads_the_fields_of_their_lines(dashboard: dict[str, Any]) -> None:
    (line,) = findings.lines([Finding(overlaps.METRIC, "vpc-1", "It overlaps.")], at_s=0.0)
    _, query = [widget["properties"]["query"] for widget in dashboard["widgets"] if widget["type"] == "log"]

    assert {*re.findall(r"(?:latest|ispresent)\((\w+)\)", query)} == json.loads(line).keys() - {"_aws", overlaps.METRIC}
    assert f"by {findings.DIMENSION} " in query


@pytest.mark.parametrize(
    ("alarm", "metric"),
    [("OverlappingVpcsAlarm", overlaps.METRIC), ("IpamTroubleAlarm", trouble.METRIC), ("DriftAlarm", drift.METRIC)],
)
def test_the_alarms_of_the_watch_cover_each_subject(resources: Any, alarm: str, metric: str) -> None:
    (query,) = resources[alarm]["Properties"]["Metrics"]

    assert query["Expression"] == (
        f'SELECT MAX("{metric}") '  # noqa: S608 - no SQL
        f'FROM SCHEMA("{findings.NAMESPACE}", "{findings.DIMENSION}") '
        f'GROUP BY "{findings.DIMENSION}" ORDER BY MAX() DESC'
    )
    assert query["Period"] >= 2 * watch.EVERY_MINUTES * 60
    assert query["Period"] <= 3 * 3600, "CloudWatch evaluates three hours"


def test_the_alarm_covers_each_environment_and_region(resources: Any) -> None:
    (metric,) = resources["PoolUtilizationAlarm"]["Properties"]["Metrics"]
    dimensions = ", ".join(f'"{name}"' for name in utilization.DIMENSIONS)

    query = re.fullmatch(
        r'SELECT MAX\("(\w+)"\) FROM SCHEMA\("(\w+)", (.+)\) GROUP BY (.+) ORDER BY MAX\(\) DESC',
        metric["Expression"],
    )

    assert query
    assert query.groups() == (utilization.METRIC, utilization.NAMESPACE, dimensions, dimensions)
