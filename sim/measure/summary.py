"""Numbers for JSON and for tables: an estimate with its unit, and all that a cell has.

A metric is `{value, low, high, unit}`: times in ms, shares and counts of unit `1`, rates in `1/s`, money in its
currency. JSON has no infinity, so a number that is infinite is null, and the list `infinite` names which of the three
are: an event that never comes, or an interval that the sample bounds from below only. A number that is null and not in
the list is not known, and `reason` says why an interval cannot be given, if that does not follow from the number of
requests.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from sim.kernel.durations import NS_PER_MS
from sim.measure.prices import PICO
from sim.measure.quantities import AnyUnit, Currency, Scope, Unit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sim.measure.estimates import Estimate
    from sim.measure.metrics import CellMetrics

SYMBOLS: Final[Mapping[AnyUnit, str]] = {
    Unit.duration: "ms",
    Unit.share: "1",
    Unit.count: "1",
    Unit.per_second: "1/s",
    Unit.money: "money",
}
DECIMALS: Final = 6
"""Of milliseconds: times are exact to the nanosecond."""


def symbol_of(unit: AnyUnit) -> str:
    """Return the unit in which a number is given: `ms`, `1`, `1/s`, or the currency of a scenario's prices."""
    return unit.name if isinstance(unit, Currency) else SYMBOLS[unit]


def in_unit(value: float, unit: AnyUnit) -> float:
    """Return a number in the unit of `symbol_of`; infinite ones stay infinite."""
    if not math.isfinite(value):
        return value
    if unit is Unit.duration:
        return round(value / NS_PER_MS, DECIMALS)
    return value / PICO if unit is Unit.money or isinstance(unit, Currency) else value


def summary_of(estimate: Estimate, unit: AnyUnit) -> dict[str, object]:
    """Return an estimate for JSON: `{value, low, high, unit}`, with `infinite` and `reason` if there is any."""
    numbers = {"value": estimate.value, "low": estimate.low, "high": estimate.high}
    reason = {"reason": estimate.reason} if estimate.reason else {}
    return {**json_numbers(numbers, unit), **reason}


def json_numbers(numbers: Mapping[str, float | None], unit: AnyUnit) -> dict[str, object]:
    """Return named numbers of one unit for JSON, with `unit`; `infinite` and `minus_infinite` name those that are."""
    found: dict[str, object] = {
        name: None if value is None or math.isinf(value) else in_unit(value, unit) for name, value in numbers.items()
    }
    found["unit"] = symbol_of(unit)
    for word, end in (("infinite", math.inf), ("minus_infinite", -math.inf)):
        named = [name for name, value in numbers.items() if value == end]
        if named:
            found[word] = named
    return found


def cell_summary(metrics: CellMetrics) -> dict[str, object]:
    """Return what `summary.json` says of the numbers of a cell.

    Counts of requests and events are whole numbers: `requests`, `outcomes`, `duplicates`, `attempts` (requests by
    number of attempts), `suppressed`, `conflicts`; those of classes of callers stand under `classes`. Every metric of
    the cell is in `metrics` by its path (`sim.measure.paths`). Quantiles of times are exact to a share of themselves,
    `percentiles_within`.
    """
    classes = {name: counts_summary(metrics.part(Scope(of_class=name))) for name in metrics.told_classes}
    return {
        **counts_summary(metrics),
        **({"replications": metrics.replications} if metrics.shared else {}),
        "percentiles_within": metrics.within,
        "metrics": {path: summary_of(metrics.value(path), metrics.unit(path)) for path in metrics.paths},
        **({"classes": classes} if classes else {}),
    }


def counts_summary(metrics: CellMetrics) -> dict[str, object]:
    """Return the counts of some requests, whole numbers each."""
    counts = metrics.counts
    return {
        "requests": len(metrics),
        "outcomes": metrics.outcomes,
        "duplicates": {"requests": counts.duplicated, "by_cause": metrics.duplicates},
        "attempts": {str(number): count for number, count in metrics.attempts.items()},
        "suppressed": counts.suppressed,
        "conflicts": counts.conflicts,
    }
