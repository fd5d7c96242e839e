"""Columns of numbers in tables of at most 100 columns, with their intervals below them as far as there is room."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table
from rich.text import Text

from sim.measure.quantities import Unit
from sim.text.numerals import percent_text, range_text, value_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sim.measure.estimates import Estimate

TABLE_WIDTH = 100
"""The most columns of a terminal that any table takes."""


@dataclass(slots=True)
class Column:
    """One column of values, a row each."""

    header: str
    rank: int
    """The column of the lowest rank is the first to show intervals."""
    values: list[str]
    intervals: list[str]
    shows_intervals: bool = False

    @classmethod
    def of(cls, header: str, rank: int, estimates: Sequence[Estimate], unit: Unit) -> Column:
        """Make a column of estimates."""
        values = [
            short_percent(estimate.value)
            if unit is Unit.share and estimate.value is not None
            else value_text(estimate.value, unit)
            for estimate in estimates
        ]
        return cls(header, rank, values, [range_text(estimate, unit) for estimate in estimates])

    @property
    def width(self) -> int:
        """How many characters its widest line has."""
        shown = self.intervals if self.shows_intervals else []
        return max(map(len, [*self.header.split("\n"), *self.values, *shown]))

    def text(self, row: int) -> str:
        """Write one value, and its interval below it if it is shown."""
        return f"{self.values[row]}\n{self.intervals[row]}" if self.shows_intervals else self.values[row]


def width_of(columns: Sequence[Column], gap: int = 2) -> int:
    """Return how wide columns are together."""
    return sum(column.width + gap for column in columns)


def show_intervals(columns: Sequence[Column], gap: int, least: int) -> None:
    """Let columns show their intervals, by rank, as long as `least` characters are left for the names of rows."""
    for column in sorted(columns, key=lambda column: column.rank):
        column.shows_intervals = any(column.intervals)
        column.shows_intervals &= width_of(columns, gap) + least <= TABLE_WIDTH


def short_percent(share: float) -> str:
    """Write a share in at most 8 characters."""
    if 0 < share < 0.00005:
        return "<0.01 %"
    return ">99.99 %" if 0.99995 < share < 1 else percent_text(share)


def table_of(heading: str, names: Sequence[str], columns: Sequence[Column], gap: int, caption: str) -> Table:
    """Return the table of some columns, with a name before each row, so many spaces between, and a caption below."""
    made = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, gap - 1, 0, 0), pad_edge=False)
    made.add_column(heading, max_width=TABLE_WIDTH - width_of(columns, gap), overflow="fold")
    for column in columns:
        made.add_column(column.header, justify="right", no_wrap=True, width=column.width)
    for row, name in enumerate(names):
        made.add_row(Text(name), *(column.text(row) for column in columns))
    if caption:
        made.caption = Text(caption)
        made.caption_justify = "left"
    return made
