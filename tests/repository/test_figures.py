"""The page of figures of `make bench`, and the rows that FIGURES.md quotes. Figures differ between machines."""

from __future__ import annotations

import re
from math import inf
from pathlib import Path

import pytest

from benchmarks import page
from benchmarks.__main__ import SECTIONS, heading
from benchmarks.page import Row

QUOTED = (Path(__file__).parents[1] / "benchmarks/FIGURES.md").read_text(encoding="utf-8")
TABLES = re.findall(r"(?:^\|.*\n)+", QUOTED, re.MULTILINE)


def test_the_page_fits_on_a_page() -> None:
    printed = [heading()]
    for section in SECTIONS.values():
        row = Row(("1,000 s",) * len(section.columns))
        printed += ["", *page.lines(section, [row] * len(section.labels))]

    assert len(printed) <= 89
    assert [line for line in printed if len(line) > page.WIDTH] == []


def test_the_quoted_tables_have_rows_and_columns_of_the_page() -> None:
    assert len(TABLES) == len(SECTIONS)
    for table, section in zip(TABLES, SECTIONS.values(), strict=True):
        title, _rule, *rows = ([cell.strip() for cell in line.strip("|\n").split("|")] for line in table.splitlines())
        assert title[0] == section.title.partition(":")[0]
        assert set(title[1:]) <= set(section.columns)
        assert {row[0] for row in rows} <= set(section.labels)
        assert [row for row in rows if "failed" in " ".join(row)] == []


def test_a_row_that_breaks_a_promise_is_named() -> None:
    section = page.Section("Pools: how long", ("built",), ("2 x 2", "3 x 3"), lambda: iter(()), "")

    assert page.missed(section, [Row(("1 s",)), Row(("9 s",), "more than an hour")]) == [
        "Missed: Pools, 3 x 3: more than an hour"
    ]


@pytest.mark.parametrize("name", ["growth", "report", "cost"])
def test_a_short_section_keeps_its_promises_except_on_time(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.report.CALL_S", 0.0)
    monkeypatch.setattr("benchmarks.report.MOST_S", inf)  # on a busy machine it takes any time
    section = SECTIONS[name]

    rows = list(section.measure())

    assert len(rows) == len(section.labels)
    assert page.missed(section, rows) == []
