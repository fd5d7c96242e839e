"""The tables of a report: every value with its interval, verdicts, and what the check has found."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from sim.pictures.data.scales import metric_title
from sim.text.numerals import estimate_text, value_text
from sim.text.sentences import verdict_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sim.measure.estimates import Estimate
    from sim.results.result import Result
    from sim.text.reported import Cell

OUTCOMES: Final = ("gave_up", "stuck", "open", "canceled", "runaway")
ALWAYS: Final = ("time_to_effect.p50", "time_to_effect.p99", "time_to_known.p50", "time_to_known.p99")
OF_LOAD: Final = ("goodput.rate", "queue.mean", "queue_wait.p99", "wasted.share", "recovered.rate")
MONEY: Final = "cost.money"
HEADERS: Final = {
    "success.rate": "success",
    "attempts.mean": "attempts, mean",
    "duplicates.rate": "effect repeated",
    "time_to_effect.p50": "time to effect, p50",
    "time_to_effect.p99": "time to effect, p99",
    "time_to_known.p50": "time to known, p50",
    "time_to_known.p99": "time to known, p99",
}


@dataclass(frozen=True, slots=True)
class Value:
    """One value of a table."""

    text: str
    interval: str
    """Its 95 % interval; empty if there is no value."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row: of a cell, or of a metric."""

    name: str
    values: tuple[Value, ...]
    key: str = ""
    """The key of the cell."""
    metric: str = ""
    """The path of the metric."""


@dataclass(frozen=True, slots=True)
class Values:
    """A table of values."""

    heads: tuple[str, ...]
    rows: tuple[Row, ...]


def main_table(result: Result) -> Values:
    """Return the metrics that answer most questions: a row a cell, each value with its interval."""
    cells = result.reported
    outcomes = [f"{name}.rate" for name in OUTCOMES if any(cell.metrics.outcomes[name] for cell in cells)]
    load = [path for path in OF_LOAD if all(path in cell.metrics.paths for cell in cells)]
    money = [MONEY] if any(MONEY in cell.metrics.paths for cell in cells) else []
    paths = ["success.rate", *outcomes, *ALWAYS, "attempts.mean", "duplicates.rate", *money, *load]
    heads = tuple(
        HEADERS.get(path) or path.removesuffix(".rate").replace("_", " ").replace(".", ", ") for path in paths
    )
    rows = tuple(
        Row(cell.name, tuple(_value_if_there(cell, path) for path in paths), key=str(at))
        for at, cell in enumerate(cells)
    )
    return Values(heads, rows)


def told_before(values: Values, before: Values) -> Values:
    """Return a table that tells below each value what it was in another one, if that differs."""
    earlier = {
        (row.key, head): value.text for row in before.rows for head, value in zip(before.heads, row.values, strict=True)
    }

    def told(row: Row, head: str, value: Value) -> Value:
        was = earlier.get((row.key, head), value.text)
        return value if was == value.text else replace(value, interval=f"{value.interval}; was {was}".lstrip("; "))

    rows = (
        replace(row, values=tuple(told(row, *pair) for pair in zip(values.heads, row.values, strict=True)))
        for row in values.rows
    )
    return replace(values, rows=tuple(rows))


def all_metrics(result: Result) -> Values:
    """Return every metric: a row a metric, a column a cell."""
    cells = result.reported
    paths = list(dict.fromkeys(path for cell in cells for path in cell.metrics.paths))
    rows = tuple(
        Row(metric_title(path), tuple(_value_if_there(cell, path) for cell in cells), metric=path) for path in paths
    )
    return Values(tuple(cell.name for cell in cells), rows)


def verdicts(result: Result) -> list[tuple[str, str, str]]:
    """Return of each expectation the ruling, the cell if there are several, and the sentence without the ruling."""
    several = len(result.cells) > 1
    return [
        (verdict.ruling.value, cell.cell.name if several else "", verdict_text(verdict).partition(": ")[2])
        for cell in result.cells
        for verdict in cell.verdicts
    ]


def _value_if_there(cell: Cell, path: str) -> Value:
    return _value(cell, path) if path in cell.metrics.paths else Value("-", "")


def _value(cell: Cell, path: str) -> Value:
    estimate = cell.metrics.value(path)
    unit = cell.metrics.unit(path)
    text = estimate_text(estimate, unit)
    value, _, interval = text.partition(" (")
    if interval:
        return Value(value, interval.removesuffix(")"))
    return Value(text, _ends(estimate, value_text(estimate.value, unit)))


def _ends(estimate: Estimate, value: str) -> str:
    """Write the ends of an interval that are equal, or say that there is none."""
    if estimate.value is None:
        return ""
    return f"{value} to {value}" if estimate.has_interval else "no interval"


def reasons(cells: Sequence[Cell], paths: Sequence[str]) -> list[str]:
    """Return why intervals are missing, each reason once."""
    found = [cell.metrics.value(path) for cell in cells for path in paths if path in cell.metrics.paths]
    return list(dict.fromkeys(one.reason for one in found if one.reason and not one.has_interval))
