"""The table of the cells, for a terminal of any width, with and without color."""

from collections.abc import Sequence

from rich.table import Table

from sim.measure.estimates import Estimate
from sim.measure.quantities import Unit
from sim.text.columns import TABLE_WIDTH, Column, Layout, lay_out, table_of, width_of
from sim.text.reported import Cell, lack_replications

NAME_WIDTH = 16
"""The room that a long name has at least."""
NAME_MOST = 44
"""The room that a long name has before there are further columns."""


def table(cells: Sequence[Cell], width: int = TABLE_WIDTH) -> Table:
    """Return a table of at most `width` columns, a row a cell: outcomes, times, attempts, duplicates, money.

    Success always has a column, other outcomes only if they occur; if room is short, the rarest share one. Intervals
    stand below their values if there is room: first that of success, then those of the times' p99; a note names those
    that are left out. Rare shares have the number of requests beside them. A wide table has further percentiles. A name
    that would take more than two lines stands below the table, by number.
    """
    names, layout = _layout(cells, width)
    numbered = [f"{number}: {cell.name}" for number, cell in zip(names, cells, strict=True) if number != cell.name]
    caption = "\n".join([*numbered, *_notes(cells, layout)])
    return table_of("cell", names, layout, width, caption)


_TIMES = (
    ("time to\neffect\np50", "time_to_effect.p50", 6, False),
    ("time to\neffect\np90", "time_to_effect.p90", 20, True),
    ("time to\neffect\np99", "time_to_effect.p99", 1, False),
    ("time to\neffect\np99.9", "time_to_effect.p99.9", 21, True),
    ("time to\nknown\np50", "time_to_known.p50", 7, False),
    ("time to\nknown\np99", "time_to_known.p99", 3, False),
)
_RARE = ("open", "canceled", "runaway")


def _columns(cells: Sequence[Cell], *, merges: bool) -> list[Column]:
    columns = [_column(cells, "success", "success.rate", 0)]
    columns += [
        _column(cells, name.replace("_", " "), f"{name}.rate", {"stuck": 3, "gave_up": 4}.get(name, 8))
        for name in ("gave_up", "stuck", *(() if merges else _RARE))
        if any(cell.metrics.outcomes[name] for cell in cells)
    ]
    others = [sum(cell.metrics.outcomes[name] for name in _RARE) for cell in cells]
    if merges and any(others):
        shares = [Estimate(other / max(1, len(cell.metrics))) for other, cell in zip(others, cells, strict=True)]
        columns.append(Column.of("other", 9, shares, Unit.share, of=[len(cell.metrics) for cell in cells]))
    columns += [_column(cells, header, path, rank, is_extra=extra) for header, path, rank, extra in _TIMES]
    columns.append(_column(cells, "attempts\nmean", "attempts.mean", 5))
    columns.append(_column(cells, "attempts\np99", "attempts.p99", 23, is_extra=True))
    columns.append(_column(cells, "dupli-\ncates", "duplicates.rate", 2))
    columns.append(_column(cells, "action\ntime\nmean", "cost.action_ms", 24, is_extra=True))
    if currency := next((cell.metrics.currency for cell in cells if cell.metrics.currency), ""):
        columns.append(_column(cells, f"cost\n{currency}\nmean", "cost.money", 2))
    return columns


def _column(cells: Sequence[Cell], header: str, path: str, rank: int, *, is_extra: bool = False) -> Column:
    estimates = [cell.metrics.value(path) for cell in cells]
    of = [len(cell.metrics) for cell in cells] if path.endswith(".rate") else []
    # The currency stands in the header.
    unit = Unit.money if path == "cost.money" else cells[0].metrics.unit(path) if cells else Unit.count
    return Column.of(header, rank, estimates, unit, of=of, is_extra=is_extra)


def _layout(cells: Sequence[Cell], width: int) -> tuple[list[str], Layout]:
    """Choose the fullest layout that fits: the first column's texts, and the others."""
    names = [cell.name for cell in cells]
    numbers = [str(number) for number in range(1, len(cells) + 1)]
    for texts in (names, numbers):
        for merges in (False, True):
            columns = _columns(cells, merges=merges)
            room = width - width_of([column for column in columns if not column.is_extra])
            if _least(texts) <= room and max(map(len, texts), default=0) <= 2 * room:
                return texts, lay_out(columns, width, _least(texts), most=_most(texts))
    longest = max(map(len, [*names, "cell"]))
    texts = names if longest <= NAME_WIDTH else numbers
    return texts, lay_out(_columns(cells, merges=True), width, _least(texts), most=_most(texts))


def _least(names: Sequence[str]) -> int:
    return min(max(map(len, [*names, "cell"])), NAME_WIDTH)


def _most(names: Sequence[str]) -> int:
    return min(max(map(len, [*names, "cell"])), NAME_MOST)


def _notes(cells: Sequence[Cell], layout: Layout) -> list[str]:
    notes = []
    if any(column.header == "other" for column in layout.columns):
        notes.append(f"other: {', '.join(_RARE)}")
    if any(column.shows_intervals for column in layout.columns):
        notes.append("below a value: its 95 % interval")
    if lack_replications(cells):
        notes.append("no intervals: one replication of a shared world")
    if within := max((cell.metrics.within for cell in cells), default=0.0):
        notes.append(f"percentiles exact to within {100 * within:g} %")
    return [*(["; ".join(notes)] if notes else []), *layout.notes]
