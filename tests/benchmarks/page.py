"""The page of figures: its sections, rows and layout."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap

WIDTH = 110

NONE = "-"
"""The figure in a column that does not apply to a row."""


@dataclass(frozen=True)
class Row:
    """figures   one for each column, with their units
    missed    the promises of the section that this row does not keep, in words; empty if it keeps all
    """

    figures: tuple[str, ...]
    missed: str = ""


@dataclass(frozen=True)
class Section:
    """labels    of the rows, in order; known before the measurement
    measure   yields a row for each label as soon as it is measured
    notes     how to read the figures, and what they promise; the module's docstring has the details
    """

    title: str
    columns: tuple[str, ...]
    labels: tuple[str, ...]
    measure: Callable[[], Iterator[Row]]
    notes: str


def true_faults(faults: Mapping[str, bool]) -> str:
    """Return the faults that are true, separated by commas."""
    return ", ".join(fault for fault, is_so in faults.items() if is_so)


def lines(section: Section, rows: Iterable[Row]) -> list[str]:
    """Return a table with its title above and its notes below."""
    table = [("", *section.columns)]
    table += [(label, *row.figures) for label, row in zip(section.labels, rows, strict=True)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    notes = wrap(section.notes, WIDTH, initial_indent="  ", subsequent_indent="  ")
    return [section.title, *(_line(cells, widths) for cells in table), *notes]


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    label, *figures = (cell.rjust(width) for cell, width in zip(cells, widths, strict=True))
    return "  ".join(["  " + label.strip().ljust(widths[0]), *figures])


def missed(section: Section, rows: Iterable[Row]) -> list[str]:
    """Return a line for each row that does not keep a promise."""
    return [
        f"Missed: {section.title.partition(':')[0]}, {label}: {row.missed}"
        for label, row in zip(section.labels, rows, strict=True)
        if row.missed
    ]
