"""The table of the cells, for a terminal of 100 columns, with and without color."""

from collections.abc import Sequence

from rich.table import Table

from sim.measure.paths import metric_of
from sim.text.columns import TABLE_WIDTH, Column, short_percent, show_intervals, table_of, width_of
from sim.text.reported import Cell, lack_replications

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
    show_intervals(columns, gap, least)
    numbered = [f"{number}: {cell.name}" for number, cell in zip(names, cells, strict=True) if number != cell.name]
    return table_of("cell", names, columns, gap, "\n".join([*numbered, *_notes(cells, columns)]))


_TIMES = (
    ("time to\neffect\np50", "time_to_effect.p50", 4),
    ("time to\neffect\np99", "time_to_effect.p99", 1),
    ("time to\nknown\np50", "time_to_known.p50", 5),
    ("time to\nknown\np99", "time_to_known.p99", 2),
)
_RARE = ("open", "canceled", "runaway")


def _columns(cells: Sequence[Cell], *, merges: bool) -> list[Column]:
    columns = [_column(cells, "success", "success.rate", 0)]
    columns += [
        _column(cells, name.replace("_", " "), f"{name}.rate", 7)
        for name in ("gave_up", "stuck", *(() if merges else _RARE))
        if any(cell.metrics.outcomes[name] for cell in cells)
    ]
    if merges:
        others = [sum(cell.metrics.outcomes[name] for name in _RARE) / max(1, len(cell.metrics)) for cell in cells]
        columns.append(Column("other", 8, [short_percent(other) for other in others], [""] * len(cells)))
    columns += [_column(cells, header, path, rank) for header, path, rank in _TIMES]
    columns.append(_column(cells, "attempts\nmean", "attempts.mean", 6))
    columns.append(_column(cells, "dupli-\ncates", "duplicates.rate", 3))
    return columns


def _column(cells: Sequence[Cell], header: str, path: str, rank: int) -> Column:
    return Column.of(header, rank, [cell.metrics.value(path) for cell in cells], metric_of(path).unit)


def _layout(cells: Sequence[Cell]) -> tuple[list[str], list[Column], int]:
    """Choose the fullest layout that fits: the first column's texts, the others, and the gap between them."""
    names = [cell.name for cell in cells]
    numbers = [str(number) for number in range(1, len(cells) + 1)]
    for texts in (names, numbers):
        for merges in (False, True):
            columns = _columns(cells, merges=merges)
            room = TABLE_WIDTH - width_of(columns)
            if _name_width(texts) <= room and max(map(len, texts), default=0) <= 2 * room:
                return texts, columns, 2
    return numbers, _columns(cells, merges=True), 1


def _name_width(names: Sequence[str]) -> int:
    return min(max(map(len, [*names, "cell"])), NAME_WIDTH)


def _notes(cells: Sequence[Cell], columns: Sequence[Column]) -> list[str]:
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
