"""The table of a search for parameters, for a terminal of 100 columns, with and without color."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table
from rich.text import Text

from sim.expect.expectations import Expectation, Ruling, Verdict
from sim.text.columns import TABLE_WIDTH
from sim.text.numerals import digits_apart, range_text, value_text
from sim.text.tried import Role, Tried

if TYPE_CHECKING:
    from collections.abc import Sequence

HEADER_WIDTH = 13
NARROWEST_PARAMS = 18
MOST_CLOSEST = 3
"""So many finalists are shown if none keeps the constraints."""
_MARKS = {Ruling.met: "", Ruling.inconclusive: " ?", Ruling.missed: " !"}


def shown(tried: Sequence[Tried]) -> list[Tried]:
    """Choose the rows: the points, or if there are none the closest finalists; then the scenario as written."""
    points = [one for one in tried if one.role is Role.point]
    closest = [one for one in tried if one.role in (Role.unsure, Role.misses)][:MOST_CLOSEST]
    return [*(points or closest), *(one for one in tried if one.role is Role.as_written)]


def table(tried: Sequence[Tried], objectives: Sequence[str], constraints: Sequence[Expectation]) -> Table:
    """Return a table of at most 100 columns: a row a point, with parameters, objectives and constrained metrics.

    A metric that misses its bound is marked `!`, one that may miss it `?`. If room is short, constrained metrics that
    are no objectives lose their intervals, then their columns; then the parameters share one column. The intervals of
    objectives are the last to go.
    """
    rows = shown(tried)
    for intervals, merged, others in product((True, False), (False, True), ("with intervals", "values", "none")):
        columns = _columns(rows, objectives, constraints, merged=merged, intervals=intervals, others=others)
        if sum(column.width for column in columns) + 2 * len(columns) <= TABLE_WIDTH:
            break
    made = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), pad_edge=False)
    for column in columns:
        folds = column.header == "parameters"
        made.add_column(
            column.header,
            justify="left" if folds or column.header == "point" else "right",
            no_wrap=not folds,
            width=None if folds else column.width,
            max_width=TABLE_WIDTH - sum(other.width + 2 for other in columns if other is not column) if folds else None,
            overflow="fold",
        )
    for position in range(len(rows)):
        made.add_row(*(Text(column.cells[position]) for column in columns))
    made.caption = Text("; ".join(_notes(columns, rows)))
    made.caption_justify = "left"
    return made


@dataclass(frozen=True, slots=True)
class _Column:
    header: str
    cells: list[str]

    @property
    def width(self) -> int:
        if self.header == "parameters":
            return min(NARROWEST_PARAMS, max(map(len, self.cells)))
        return max(len(line) for text in (self.header, *self.cells) for line in text.split("\n"))


def _columns(
    rows: Sequence[Tried],
    objectives: Sequence[str],
    constraints: Sequence[Expectation],
    *,
    merged: bool,
    intervals: bool,
    others: str,
) -> list[_Column]:
    names = ["closest" if one.role in (Role.unsure, Role.misses) else one.name for one in rows]
    columns = [_Column("point", names)]
    if merged:
        columns.append(
            _Column("parameters", [", ".join(f"{key}={value}" for key, value in one.params.items()) for one in rows])
        )
    else:
        columns += [
            _Column(_header(key.replace("_", " ")), [one.params[key] for one in rows]) for key in rows[0].params
        ]
    bounded = {one.metric.path: one for one in reversed(constraints)}
    paths = [*objectives, *(path for path in dict.fromkeys(one.metric.path for one in constraints) if others != "none")]
    for path in dict.fromkeys(paths):
        shows = path in objectives or others == "with intervals"
        header = _header(path.replace("_", " ").replace(".", " ", 1))
        if path in bounded:
            header += f"\n{bounded[path].operator} {bounded[path].text.partition(bounded[path].operator)[2].strip()}"
        columns.append(_Column(header, [_cell(one, path, intervals=intervals and shows) for one in rows]))
    return columns


def _header(words: str) -> str:
    return "\n".join(textwrap.wrap(words, HEADER_WIDTH))


def _cell(one: Tried, path: str, *, intervals: bool) -> str:
    unit = one.metrics.unit(path)
    estimate = one.value(path)
    held = [verdict for verdict in one.verdicts if verdict.expectation.metric.path == path]
    bounds = [(estimate.value, verdict.expectation.bound) for verdict in held]
    more = digits_apart(bounds, lambda value, more: value_text(value, unit, more))
    text = f"{value_text(estimate.value, unit, more)}{_mark(held)}"
    between = range_text(estimate, unit) if intervals else ""
    return f"{text}\n{between}" if between else text


def _mark(verdicts: Sequence[Verdict]) -> str:
    return next(
        (
            _MARKS[ruling]
            for ruling in (Ruling.missed, Ruling.inconclusive)
            if any(one.ruling is ruling for one in verdicts)
        ),
        "",
    )


def _notes(columns: Sequence[_Column], rows: Sequence[Tried]) -> list[str]:
    notes = []
    cells = [cell for column in columns[1:] for cell in column.cells]
    if any("\n" in cell for cell in cells):
        notes.append("below a value: its 95 % interval")
    firsts = [cell.partition("\n")[0] for cell in cells]
    if any(cell.endswith(" !") for cell in firsts):
        notes.append("!: misses the bound")
    if any(cell.endswith(" ?") for cell in firsts):
        notes.append("?: may miss the bound")
    hidden = {verdict.expectation.text for one in rows for verdict in one.verdicts}
    headers = {column.header.rpartition("\n")[2] for column in columns}
    left_out = [text for text in sorted(hidden) if not any(text.endswith(header) for header in headers)]
    if left_out:
        notes.append(f"constraints without a column: {', '.join(left_out)}")
    return notes
