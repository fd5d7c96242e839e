"""Where the values of a metric stand on an axis, and what the axis is called.

An infinite value has no place among the others: it stands at the far end, in a place of its own marked `never`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sim.measure.paths import metric_of
from sim.measure.percentiles import percentile_name
from sim.measure.quantities import PERCENTILED, Statistic, Unit
from sim.text.traffic_words import NUMBERS, TIMES, of_scope

if TYPE_CHECKING:
    from collections.abc import Sequence

SPAN_OF_LOG = 8
"""Durations, and numbers of a sweep, get a logarithmic scale if the largest is at least so many times the smallest."""
ROOM = 0.06
"""How much of an axis is left free beyond its values."""

_WORDS = {
    "success.rate": "share of requests that succeed",
    "duplicates.rate": "share of requests whose effect is repeated",
    "duplicates.effects": "repeated effects a request",
    "amplification": "attempts a request (amplification)",
    "attempts.mean": "attempts a request",
    "cost.actions": "actions a request",
    "cost.mutations": "mutations a request",
    "cost.action_ms": "action time a request",
    "cost.money": "cost of a request",
    "suppressed.rate": "share of requests with a suppressed effect",
    "suppressed.effects": "suppressed effects a request",
    "polls.mean": "polls a request",
}


def metric_words(path: str, currency: str = "") -> str:
    """Name a metric on an axis: `p99 of the time to effect`, `actions a request`, `cost of a request (USD)`."""
    metric = metric_of(path)
    base, whose = metric.base, of_scope(metric.scope)
    if base in _WORDS or base in NUMBERS:
        unit = (
            " (a second)"
            if metric.unit is Unit.per_second
            else f" ({currency})"
            if currency and base == "cost.money"
            else ""
        )
        return f"{_WORDS.get(base) or NUMBERS[base]}{whose}{unit}"
    if metric.statistic is Statistic.rate:
        return f"share of requests that end {base.removesuffix('.rate').replace('_', ' ')}{whose}"
    words = TIMES.get(metric.quantity) or metric.quantity.replace("_", " ").replace(".", " of ", 1)
    if metric.statistic is Statistic.quantile:
        unit = f" ({currency})" if currency and metric.unit is Unit.money else ""
        what = words if metric.unit is Unit.duration else f"{_WORDS.get(PERCENTILED[base.rpartition('.p')[0]], words)}"
        return f"{percentile_name(metric.share)} of the {what}{whose}{unit}"
    return f"{base.removeprefix(f'{metric.quantity}.')} of the {words}{whose}"


def metric_title(path: str) -> str:
    """Name a metric in a title: as on an axis, with a capital; `p99` stays small."""
    words = metric_words(path)
    return words if words.startswith("p") and words[1:2].isdigit() else words[0].upper() + words[1:]


def wants_log(low: float, high: float) -> bool:
    """Say whether values from `low` to `high` get a logarithmic scale."""
    return low > 0 and high / low >= SPAN_OF_LOG


@dataclass(frozen=True, slots=True)
class Scale:
    """One axis of values."""

    unit: str
    """`duration` (values in ns), `share` (parts of 1) or `count`: a value of `Unit`."""
    low: float
    high: float
    """The ends of the axis, in that unit."""
    log: bool
    """Whether the axis is logarithmic."""
    never: float | None
    """The place of infinite values; None if there are none."""

    def at(self, value: float) -> float:
        """Return the place of a value; a value beyond an end stands at that end."""
        if math.isinf(value):
            return self.high if self.never is None else self.never
        return min(max(value, self.low), self.high)


def scale_of(values: Sequence[float], unit: Unit) -> Scale:
    """Choose the axis for some values, some of which may be infinite."""
    finite = sorted(value for value in values if math.isfinite(value))
    infinite = len(finite) < len(values)
    if not finite:
        finite = [1.0]
    least, most = finite[0], finite[-1]
    if unit is Unit.duration and wants_log(least, most):
        low, high = least / (most / least) ** ROOM, most * (most / least) ** ROOM
        never = high * (high / low) ** 0.06 if infinite else None
        return Scale(unit.value, low, high if never is None else never * (high / low) ** 0.03, log=True, never=never)
    spread = most - least or abs(most) * 0.1 or 1.0
    low, high = least - ROOM * spread, most + ROOM * spread
    if unit is Unit.share:
        low, high = max(low, -0.02 * spread), min(high, 1 + 0.02 * spread)
    elif least >= 0:
        low = max(low, 0.0)
    never = high + 0.06 * (high - low) if infinite else None
    end = high if never is None else never + 0.03 * (high - low)
    return Scale(unit.value, low, end, log=False, never=never)
