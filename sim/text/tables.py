"""The table of the cells, for a terminal of 100 columns, with and without color."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich import box
from rich.table import Table
from rich.text import Text

from sim.measure.paths import metric_of
from sim.measure.quantities import Unit
from sim.text.numerals import percent_text, range_text, value_text
from sim.text.reported import Cell, lack_replications

TABLE_WIDTH = 100
"""The most columns of a terminal that any table takes."""
NAME_WIDTH = 16
"""The room that a long name has at least."""


def table(cells: Sequence[Cell]) -> Table:
    """Return a table of at most 100 columns, a row a cell: outcomes, times, attempts, duplicates.

    Success always has a column, other outcomes only if they occur; if room is short, the rarest share one. Intervals
    stand below their values if there is room: first that of success, then those of the times' p99. A name that would
    take more than two lines stands below the table, by number.
    """
    names, columns, gap = _layout(cells)
    least = _name_width(names)
    for column in sorted(columns, key=lambda column: column.rank):
        column.shows_intervals = any(column.intervals)
        column.shows_intervals &= _width(columns, gap) + least <= TABLE_WIDTH
    made = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, gap - 1, 0, 0), pad_edge=False)
    made.add_column("cell", max_width=TABLE_WIDTH - _width(columns, gap), overflow="fold")
    for column in columns:
        made.add_column(column.header, justify="right", no_wrap=True, width=column.width)
    for row, name in enumerate(names):
        made.add_row(Text(name), *(column.text(row) for column in columns))
    numbered = [f"{number}: {cell.name}" for number, cell in zip(names, cells, strict=True) if number != cell.name]
    made.caption = Text("\n".join([*numbered, *_notes(cells, columns)]))
    made.caption_justify = "left"
    return made


@dataclass(slots=True)
class _Column:
    header: str
    rank: int
    """The column of the lowest rank is the first to show intervals."""
    values: list[str]
    intervals: list[str]
    shows_intervals: bool = False

    @property
    def width(self) -> int:
        shown = self.intervals if self.shows_intervals else []
        return max(map(len, [*self.header.split("\n"), *self.values, *shown]))

    def text(self, row: int) -> str:
        return f"{self.values[row]}\n{self.intervals[row]}" if self.shows_intervals else self.values[row]


_TIMES = (
    ("time to\neffect\np50", "time_to_effect.p50", 4),
    ("time to\neffect\np99", "time_to_effect.p99", 1),
    ("time to\nknown\np50", "time_to_known.p50", 5),
    ("time to\nknown\np99", "time_to_known.p99", 2),
)
_RARE = ("open", "canceled", "runaway")


def _columns(cells: Sequence[Cell], *, merges: bool) -> list[_Column]:
    columns = [_column(cells, "success", "success.rate", 0)]
    columns += [
        _column(cells, name.replace("_", " "), f"{name}.rate", 7)
        for name in ("gave_up", "stuck", *(() if merges else _RARE))
        if any(cell.metrics.outcomes[name] for cell in cells)
    ]
    if merges:
        others = [sum(cell.metrics.outcomes[name] for name in _RARE) / max(1, len(cell.metrics)) for cell in cells]
        columns.append(_Column("other", 8, [_short_percent(other) for other in others], [""] * len(cells)))
    columns += [_column(cells, header, path, rank) for header, path, rank in _TIMES]
    columns.append(_column(cells, "attempts\nmean", "attempts.mean", 6))
    columns.append(_column(cells, "dupli-\ncates", "duplicates.rate", 3))
    return columns


def _column(cells: Sequence[Cell], header: str, path: str, rank: int) -> _Column:
    unit = metric_of(path).unit
    estimates = [cell.metrics.value(path) for cell in cells]
    values = [
        _short_percent(estimate.value)
        if unit is Unit.share and estimate.value is not None
        else value_text(estimate.value, unit)
        for estimate in estimates
    ]
    return _Column(header, rank, values, [range_text(estimate, unit) for estimate in estimates])


def _short_percent(share: float) -> str:
    """Write a share in at most 8 characters."""
    if 0 < share < 0.00005:
        return "<0.01 %"
    return ">99.99 %" if 0.99995 < share < 1 else percent_text(share)


def _layout(cells: Sequence[Cell]) -> tuple[list[str], list[_Column], int]:
    """Choose the fullest layout that fits: the first column's texts, the others, and the gap between them."""
    names = [cell.name for cell in cells]
    numbers = [str(number) for number in range(1, len(cells) + 1)]
    for texts in (names, numbers):
        for merges in (False, True):
            columns = _columns(cells, merges=merges)
            room = TABLE_WIDTH - _width(columns)
            if _name_width(texts) <= room and max(map(len, texts), default=0) <= 2 * room:
                return texts, columns, 2
    return numbers, _columns(cells, merges=True), 1


def _width(columns: Sequence[_Column], gap: int = 2) -> int:
    return sum(column.width + gap for column in columns)


def _name_width(names: Sequence[str]) -> int:
    return min(max(map(len, [*names, "cell"])), NAME_WIDTH)


def _notes(cells: Sequence[Cell], columns: Sequence[_Column]) -> list[str]:
    notes = []
    if any(column.header == "other" for column in columns):
        notes.append(f"other: {', '.join(_RARE)}")
    if any(column.shows_intervals for column in columns):
        notes.append("below a value: its 95 % interval")
    if lack_replications(cells):
        notes.append("no intervals: one replication of a shared world")
    if within := max((cell.metrics.within for cell in cells), default=0.0):
        notes.append(f"percentiles exact to within {100 * within:g} %")
    return ["; ".join(notes)] if notes else []
