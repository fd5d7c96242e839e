"""The metrics, from the tables that expectations, summaries and pictures read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from reference.markdown import code, prose, table
from sim.measure import quantities, traffic_quantities
from sim.measure.quantities import METRICS, Statistic, Unit
from sim.measure.traffic_quantities import TRAFFIC

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import ModuleType

    from sim.measure.quantities import Metric

UNITS: Final = {
    Unit.duration: "a duration",
    Unit.share: "a share",
    Unit.count: "a count",
    Unit.per_second: "so many a second",
}
STATISTICS: Final = {
    Statistic.mean: "mean",
    Statistic.quantile: "percentile",
    Statistic.max: "largest",
    Statistic.rate: "share",
}
MODULES: Final[dict[str, ModuleType]] = {"requests": quantities, "traffic": traffic_quantities}
POINT: Final = re.compile(r"\.p[\d.]+$")


def of_requests() -> str:
    """Return the metrics that every world has."""
    return table(("metric", "is"), _rows((metric, "") for metric in METRICS.values()))


def of_traffic() -> str:
    """Return the metrics of shared worlds, and what each can be of."""
    found = ((metric, ", ".join(place.value for place in places)) for metric, places in TRAFFIC.values())
    return table(("metric", "is", "of"), _rows(found))


def _rows(found: Iterable[tuple[Metric, str]]) -> list[tuple[str, ...]]:
    """Return a row a metric; the percentiles of a quantity share one."""
    rows: dict[str, tuple[str, ...]] = {}
    points: dict[str, list[str]] = {}
    for metric, places in found:
        unit = UNITS.get(metric.unit, metric.unit.value)
        statistic = STATISTICS[metric.statistic]
        words = unit if statistic == "share" or metric.unit is Unit.per_second else f"{unit}: {statistic}"
        key = POINT.sub(".pN", metric.path)
        points.setdefault(key, []).append(metric.path)
        rows[key] = (words, *([places] if places else []))
    return [(" ".join(code(path) for path in points[key]), *row) for key, row in rows.items()]


def meanings(of: str) -> str:
    """Return the definitions: what the module that has the metrics says of them."""
    _, _, body = (MODULES[of].__doc__ or "").partition("\n\n")
    return prose(body)
