"""The page of figures: what a section is, and how it is laid out. Measures nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap

WIDTH = 110

NONE = "-"
"""Where a column does not apply to a row."""


@dataclass(frozen=True)
class Row:
    """figures   one for each column, with their units
    missed    in words, what the section promises and this row does not keep; empty if it keeps all
    """

    figures: tuple[str, ...]
    missed: str = ""


@dataclass(frozen=True)
class Section:
    """labels    of the rows, in their order: known before anything is measured
    measure   a row for each label, as soon as it is measured
    notes     what a reader needs to know, and what is promised; whatever else there is to say stands in the module
    """

    title: str
    columns: tuple[str, ...]
    labels: tuple[str, ...]
    measure: Callable[[], Iterator[Row]]
    notes: str


def those_that_are_so(faults: Mapping[str, bool]) -> str:
    """What a row misses, of all that it could miss."""
    return ", ".join(fault for fault, is_so in faults.items() if is_so)


def lines(section: Section, rows: Iterable[Row]) -> list[str]:
    """A table with its title above and its notes below."""
    table = [("", *section.columns)]
    table += [(label, *row.figures) for label, row in zip(section.labels, rows, strict=True)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    notes = wrap(section.notes, WIDTH, initial_indent="  ", subsequent_indent="  ")
    return [section.title, *(_line(cells, widths) for cells in table), *notes]


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    label, *figures = (cell.rjust(width) for cell, width in zip(cells, widths, strict=True))
    return "  ".join(["  " + label.strip().ljust(widths[0]), *figures])


def missed(section: Section, rows: Iterable[Row]) -> list[str]:
    """A line for each row that keeps a promise not."""
    return [
        f"Missed: {section.title.partition(':')[0]}, {label}: {row.missed}"
        for label, row in zip(section.labels, rows, strict=True)
        if row.missed
    ]
