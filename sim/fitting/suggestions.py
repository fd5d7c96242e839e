"""A service whose calls take longer under load, as a log shows it."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from sim.kernel.durations import format_duration

if TYPE_CHECKING:
    from sim.fitting.findings import Findings

LEAST_RISE = 0.5
"""Points of the curve are so many calls in progress apart at least."""


def services_of(fitted: Findings) -> dict[str, Any] | None:
    """Return the keys of a service that slows down as the log's calls do; None if load is no matter there.

    The curve has the calls in progress and the median latency of tenths of the calls by load, relative to the idlest.
    """
    load = fitted.load
    if load is None or not load.is_found:
        return None
    idle_ns = load.levels[0][2]
    points: list[list[float]] = []
    for _, busy, median_ns in load.levels:
        if not points or busy >= points[-1][0] + LEAST_RISE:
            points.append([round(busy, 1), round(max(median_ns / idle_ns, points[-1][1] if points else 1.0), 2)])
    if len(points) < 2 or all(later[1] == before[1] for before, later in pairwise(points)):
        return None
    best = max(fitted.successes, key=lambda one: len(one.values_ns))
    spread = best.points[2].value / max(best.points[0].value, 1.0) if best.points else 2.0
    latency = {"lognormal": {"median": _ms(idle_ns), "p99": _ms(idle_ns * max(spread / points[-1][1], 1.5))}}
    return {"latency": latency, "slowdown": {"curve": points}}


def _ms(value_ns: float) -> str:
    return format_duration(round(float(f"{value_ns:.3g}")))
