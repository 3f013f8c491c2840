"""Test that the dashboard and the alarm of the Networking account use the metrics that the measurement publishes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from checkers.template_reader import read_template
from ctipam import findings, metrics
from ctipam.findings import Finding
from ctipam.ipam import trouble
from ctipam.pools import overlaps
from ctipam.pools.environment_pools import EnvironmentPool
from ctipam.upkeep import drift, schedule, utilization
from ctipam.upkeep.utilization import Utilization

ROOT = Path(__file__).parents[2]
TEMPLATE = ROOT / "templates" / "ipamnetworkingStack.yaml"
COLUMNS = 24
LINES = 10  # in a graph; more lines cannot be distinguished
SCHEMA = ",".join([metrics.NAMESPACE, *utilization.DIMENSIONS])


@pytest.fixture(scope="module")
def resources() -> Any:
    return read_template(TEMPLATE)["Resources"]


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


def query(dashboard: dict[str, Any], title: str) -> str:
    """Return the query of the log widget whose title begins like this."""
    logs = [widget["properties"] for widget in dashboard["widgets"] if widget["type"] == "log"]
    (found,) = [str(log["query"]) for log in logs if log["title"].startswith(title)]
    return found


def fields(text: str) -> set[str]:
    """Return the fields of the log that a query reads."""
    return set(re.findall(r"(?:latest|earliest|ispresent)\(([\w.]+)\)", text))


def test_the_tables_read_the_fields_of_the_metric_lines(dashboard: dict[str, Any]) -> None:
    pool = EnvironmentPool("ipam-pool-0123456789abcdef0", "Prod OU", "us-west-2")
    line = json.loads(utilization.metric_line(Utilization(pool, addresses=2048, used=256, vpcs=1), at_s=0.0))
    tables = [query(dashboard, title) for title in ("Current utilization", "Days until a pool is full")]

    assert fields(tables[0]) | fields(tables[1]) == line.keys() - {"_aws"} - set(utilization.DIMENSIONS)
    for table in tables:
        assert f"by {', '.join(utilization.DIMENSIONS)} " in table


def test_the_table_of_findings_reads_the_fields_of_their_lines(dashboard: dict[str, Any]) -> None:
    _, line = findings.lines([Finding(overlaps.METRIC, "vpc-1", "It overlaps.")], at_s=0.0)
    table = query(dashboard, "VPCs that overlap")

    assert fields(table) == json.loads(line).keys() - {"_aws", overlaps.METRIC}
    assert f"by {findings.DIMENSION} " in table
    assert f"now() * 1000 - {2 * schedule.WATCH_EVERY_MINUTES * 60_000} " in table, "what is gone must not be listed"


def test_failures_and_last_runs_are_those_of_both_functions(dashboard: dict[str, Any], resources: Any) -> None:
    body = resources["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    sources = "SOURCE '${IpamFunctionLogGroup}' | SOURCE '${PoolUtilizationLogGroup}' | "

    assert body.count(sources) == len([query(dashboard, title) for title in ("Failures", "Last run of each function")])
    for function in ("IpamFunction", "PoolUtilizationFunction"):  # only then do levels and reports have fields
        assert resources[function]["Properties"]["LoggingConfig"]["LogFormat"] == "JSON"


def test_an_error_that_a_function_raises_is_a_failure_too(dashboard: dict[str, Any]) -> None:
    """Lambda logs it with other fields than what a function logs: log_level and errorMessage, and no level or message.

    https://github.com/aws/aws-lambda-python-runtime-interface-client/blob/main/awslambdaric/bootstrap.py
    """
    failures = query(dashboard, "Failures")

    assert "level in ['ERROR', 'CRITICAL'] or log_level = 'ERROR'" in failures  # `in` is documented for fields only
    assert "coalesce(errorMessage, message) as What" in failures


@pytest.mark.parametrize("what", ["in use, so nothing is changed", "left behind", "kept what could not be removed"])
def test_what_is_in_use_is_found_by_what_the_functions_log(dashboard: dict[str, Any], what: str) -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "libraries/ctipam").rglob("*.py"))

    assert f"'{what}'" in query(dashboard, "Failures")
    assert f'log_sentences("{what}"' in sources


@pytest.mark.parametrize(
    ("alarm", "metric"),
    [("OverlappingVpcsAlarm", overlaps.METRIC), ("IpamTroubleAlarm", trouble.METRIC), ("DriftAlarm", drift.METRIC)],
)
def test_the_alarms_of_the_watch_cover_each_subject(resources: Any, alarm: str, metric: str) -> None:
    (query,) = resources[alarm]["Properties"]["Metrics"]

    assert query["Expression"] == (
        f'SELECT MAX("{metric}") '  # noqa: S608 - no SQL
        f'FROM SCHEMA("{metrics.NAMESPACE}", "{findings.DIMENSION}") '
        f'GROUP BY "{findings.DIMENSION}" ORDER BY MAX() DESC'
    )
    assert query["Period"] >= 2 * schedule.WATCH_EVERY_MINUTES * 60
    assert query["Period"] <= 3 * 3600, "CloudWatch evaluates three hours"


def test_a_watch_that_fails_twice_is_told_although_the_measurements_between_succeed(resources: Any) -> None:
    """Without its findings, their alarms would say that all is well."""
    function = {"Name": "FunctionName", "Value": {"Ref": "PoolUtilizationFunction"}}
    alarms = [one["Properties"] for one in resources.values() if one["Type"] == "AWS::CloudWatch::Alarm"]
    (on_errors,) = [one for one in alarms if one.get("MetricName") == "Errors" and one["Dimensions"] == [function]]

    failures = on_errors["Period"] // (schedule.WATCH_EVERY_MINUTES * 60)  # of the watch alone, in a period
    assert failures >= on_errors["Threshold"] > 1


def test_the_alarm_covers_each_environment_and_region(resources: Any) -> None:
    (metric,) = resources["PoolUtilizationAlarm"]["Properties"]["Metrics"]
    dimensions = ", ".join(f'"{name}"' for name in utilization.DIMENSIONS)

    query = re.fullmatch(
        r'SELECT MAX\("(\w+)"\) FROM SCHEMA\("(\w+)", (.+)\) GROUP BY (.+) ORDER BY MAX\(\) DESC',
        metric["Expression"],
    )

    assert query
    assert query.groups() == (utilization.METRIC, metrics.NAMESPACE, dimensions, dimensions)
