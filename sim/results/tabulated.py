"""Fills the tables of `sim.results.columns`: requests, calls, timelines and cells, each as frames of named columns.

Frames of one table have equal columns, so they can be written one below the other without holding all of them.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from sim.history.frames import Gaps, Words
from sim.history.traffic import NO_SERVICE, CallEnd
from sim.history.vocabulary import NEVER, Outcome
from sim.measure.paths import metric_of
from sim.measure.quantities import Statistic
from sim.measure.timeline import REASONS
from sim.measure.units import in_unit, symbol_of
from sim.results.columns import CALLS, CELLS, DUPLICATES, REQUESTS, TIMELINE, Column

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sim.experiment.cell_result import CellResult
    from sim.history.frames import Frame
    from sim.history.records import Requests
    from sim.history.traffic import Calls
    from sim.measure.timeline import Band, Timeline
    from sim.scenario.cells import Cell

OUTCOMES = tuple(outcome.name for outcome in Outcome)
ENDS = tuple(end.name for end in CallEnd)
SUFFIXES = {"ms": "_ms", "1/s": "_per_s", "1": ""}
"""What stands behind the name of a metric, by its unit; a currency stands there itself."""
PER_SECOND = frozenset({"offered", "goodput", "attempts", "retries", *REASONS})
"""The quantities of a timeline that are rates a second."""
_FIXED = {"cell", "name", "variant", *(column.name for column in (*REQUESTS, *CALLS, *TIMELINE, *CELLS))}


class Cells:
    """The first columns of every table: which cell a row is of, and what sets that apart from the others."""

    def __init__(self, cells: Sequence[Cell]) -> None:
        self.cells = tuple(cells)
        self._ids = [cell.id for cell in cells]
        self._variants = list(dict.fromkeys(cell.variant for cell in cells if cell.variant))
        varied = [key for cell in cells for key in cell.params if key not in cell.levels]
        keys = dict.fromkeys([*varied, *(key for cell in cells for key in cell.levels)])
        self._params = {_named(key): [cell.params.get(key) for cell in cells] for key in keys}

    def columns(self, cell: Cell, rows: int) -> Frame:
        """Return these columns for rows of one cell."""
        place = self._ids.index(cell.id)
        frame: Frame = {"cell": Words.one(cell.id, rows)}
        if self._variants:
            frame["variant"] = Words.one(cell.variant or None, rows, self._variants)
        for key, values in self._params.items():
            frame[key] = _param(values, place, rows)
        return frame


def _named(key: str) -> str:
    """Return the name of the column of a key, apart from the columns that tables have."""
    return f"param.{key}" if key in _FIXED else key


def _param(values: Sequence[Any], place: int, rows: int) -> Any:
    """Return a column of one value, of the kind that fits all values of the key."""
    there = [value for value in values if value is not None]
    value, is_missing = values[place], values[place] is None
    if len(there) == len(values) and all(isinstance(one, bool) for one in there):
        return np.full(rows, value, np.bool_)
    if all(isinstance(one, int | float) and not isinstance(one, bool) for one in there):
        whole = all(isinstance(one, int) and abs(one) < 2**63 for one in there)
        made = np.full(rows, 0 if is_missing else value, np.int64 if whole else np.float64)
        return made if len(there) == len(values) else Gaps(made, np.full(rows, is_missing))
    texts = list(dict.fromkeys(map(_text, there)))
    return Words.one(None if is_missing else _text(value), rows, texts)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def requests_frame(cells: Cells, cell: Cell, requests: Requests) -> Frame:
    """Return some requests of a cell, a row each."""
    frame = cells.columns(cell, len(requests))
    words = {"outcome": OUTCOMES, "caller_class": cell.scenario.named.classes}
    for column in REQUESTS:
        if column.recorded == "duplicates":
            cause = DUPLICATES.index(column.name)
            frame[column.name] = np.ascontiguousarray(requests.duplicates[:, cause])
        else:
            frame[column.name] = _filled(column, getattr(requests, column.recorded), words.get(column.name, ()))
    return frame


def calls_frame(cells: Cells, cell: Cell, calls: Calls) -> Frame:
    """Return some calls of a cell, a row each."""
    frame = cells.columns(cell, len(calls))
    services = cell.scenario.named.services
    for column in CALLS:
        words = ENDS if column.name == "end" else services
        frame[column.name] = _filled(column, getattr(calls, column.recorded), words)
    return frame


def _filled(column: Column, values: Any, words: Sequence[str]) -> Any:
    if column.kind == "word":
        codes = values.astype(np.int32)
        return Words(np.where((codes == NO_SERVICE) | (codes >= len(words)), -1, codes), words)
    return Gaps(values, values == NEVER) if column.kind == "instant" else values


def timeline_frames(cells: Cells, timelines: Sequence[tuple[Cell, Timeline]]) -> Iterator[Frame]:
    """Yield the timelines of cells: a frame for each part of each world, all with equal columns."""
    names = list(dict.fromkeys(name for _, one in timelines for series in one.series.values() for name in series))
    for cell, timeline in timelines:
        bins = len(timeline.edges_ns) - 1
        for part, series in timeline.series.items():
            frame = cells.columns(cell, bins)
            frame["part"] = Words.one(part or "world", bins)
            frame["from_ns"], frame["to_ns"] = timeline.edges_ns[:-1], timeline.edges_ns[1:]
            for name in names:
                shown = f"{name}_per_s" if name in PER_SECOND else name
                for end, values in zip(("", ".low", ".high"), _ends(series.get(name), bins), strict=True):
                    frame[f"{shown}{end}"] = Gaps.nan(values)
            yield frame


def _ends(band: Band | None, bins: int) -> tuple[Any, Any, Any]:
    nothing = np.full(bins, np.nan)
    if band is None:
        return nothing, nothing, nothing
    return band.mean, nothing if band.low is None else band.low, nothing if band.high is None else band.high


def column_of(path: str, symbol: str) -> str:
    """Return the name of the column of a metric in this unit, which says the unit once."""
    suffix = SUFFIXES.get(symbol, f"_{symbol}")
    return path if suffix and path.endswith(suffix) else f"{path}{suffix}"


def cells_frames(found: Sequence[CellResult]) -> Iterator[Frame]:
    """Yield cells, a frame and a row each: what sets them apart, and all their metrics with intervals."""
    cells = Cells([one.cell for one in found])
    named: dict[str, bool] = {}
    """By column whether it has an interval."""
    for one in found:
        for path in one.metrics.paths:
            column = column_of(path, symbol_of(one.metrics.unit(path)))
            named[column] = metric_of(path).statistic is not Statistic.max
    for one in found:
        frame = _of_cell(cells, one, 1)
        frame["requests"] = np.array([len(one.metrics)])
        frame["replications"] = np.array([one.metrics.replications])
        numbers = _numbers(one)
        for column, has_interval in named.items():
            ends = ("value", "low", "high") if has_interval else ("value",)
            for end in ends:
                value = numbers.get(column, {}).get(end, np.nan)
                frame[column if end == "value" else f"{column}.{end}"] = Gaps.nan(np.array([value]))
        yield frame


def tidy_frames(found: Sequence[CellResult]) -> Iterator[Frame]:
    """Yield cells, a frame each and a row a metric."""
    cells = Cells([one.cell for one in found])
    for one in found:
        paths = one.metrics.paths
        estimates = [one.metrics.value(path) for path in paths]
        units = [one.metrics.unit(path) for path in paths]
        frame = _of_cell(cells, one, len(paths))
        frame["metric"] = Words.of(paths)
        for end in ("value", "low", "high"):
            values = [
                np.nan if (value := getattr(estimate, end)) is None else in_unit(value, unit)
                for estimate, unit in zip(estimates, units, strict=True)
            ]
            frame[end] = Gaps.nan(np.array(values, np.float64))
        frame["unit"] = Words.of([symbol_of(unit) for unit in units])
        frame["reason"] = Words.of([estimate.reason or None for estimate in estimates])
        yield frame


def _of_cell(cells: Cells, one: CellResult, rows: int) -> Frame:
    columns = cells.columns(one.cell, rows)
    return {"cell": columns.pop("cell"), "name": Words.one(one.cell.name, rows), **columns}


def _numbers(one: CellResult) -> dict[str, dict[str, float]]:
    """Return value, low and high of each metric of a cell by its column; what is not known is left out."""
    found: dict[str, dict[str, float]] = {}
    for path in one.metrics.paths:
        estimate, unit = one.metrics.value(path), one.metrics.unit(path)
        ends = {"value": estimate.value, "low": estimate.low, "high": estimate.high}
        found[column_of(path, symbol_of(unit))] = {
            end: in_unit(value, unit) for end, value in ends.items() if value is not None
        }
    return found
