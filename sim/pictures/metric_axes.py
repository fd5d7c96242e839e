"""Axes of pictures on which metrics and parameters stand: durations, shares and counts, linear or logarithmic.

What is infinite has no place on an axis; it stands at the far end, in a place of its own that is marked `never`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator

from sim.kernel.durations import UNITS_NS
from sim.measure.quantities import METRICS, Statistic, Unit
from sim.pictures.drawing import duration_ticks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

SPAN_OF_LOG = 8
"""From this ratio of the largest to the smallest value on, an axis of durations is logarithmic."""
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
    "polls.mean": "polls a request",
}


def metric_words(path: str) -> str:
    """Name a metric on an axis: `p99 of the time to effect`, `actions a request`."""
    if path in _WORDS:
        return _WORDS[path]
    metric = METRICS[path]
    quantity, _, statistic = path.rpartition(".")
    words = quantity.replace("_", " ").replace(".", " of ", 1)
    if metric.statistic is Statistic.rate:
        return f"share of requests that end {words}"
    return f"{'mean' if statistic == 'mean' else statistic} of the {words}"


@dataclass(frozen=True, slots=True)
class Scale:
    """One axis: where values of a unit stand on it."""

    unit: Unit
    low: float
    high: float
    log: bool
    never: float | None
    """The place of what is infinite, None where nothing is."""

    def at(self, value: float) -> float:
        """Return the place of a value; beyond the ends it is the end."""
        if math.isinf(value):
            return self.high if self.never is None else self.never
        return min(max(value, self.low), self.high)


def scale_of(values: Sequence[float], unit: Unit) -> Scale:
    """Choose the axis for some values, infinite ones among them."""
    finite = sorted(value for value in values if math.isfinite(value))
    positive = [value for value in finite if value > 0]
    infinite = len(finite) < len(values)
    if not finite:
        finite = [1.0]
    least, most = finite[0], finite[-1]
    log = unit is Unit.duration and bool(positive) and least > 0 and most / least >= SPAN_OF_LOG
    if log:
        low, high = least / (most / least) ** ROOM, most * (most / least) ** ROOM
        never = high * (high / low) ** 0.06 if infinite else None
        return Scale(unit, low, high if never is None else never * (high / low) ** 0.03, log, never)
    spread = most - least or abs(most) * 0.1 or 1.0
    low, high = least - ROOM * spread, most + ROOM * spread
    if unit is Unit.share:
        low, high = max(low, -0.02 * spread), min(high, 1 + 0.02 * spread)
    elif least >= 0:
        low = max(low, 0.0)
    never = high + 0.06 * (high - low) if infinite else None
    return Scale(unit, low, high if never is None else never + 0.03 * (high - low), log, never)


def dress(ax: Axes, which: Literal["x", "y"], scale: Scale, words: str) -> None:
    """Give an axis its ends, ticks with units, and label."""
    axis = ax.xaxis if which == "x" else ax.yaxis
    if scale.log:
        (ax.set_xscale if which == "x" else ax.set_yscale)("log")
    (ax.set_xlim if which == "x" else ax.set_ylim)(scale.low, scale.high)
    end = scale.high if scale.never is None else scale.never - 0.02 * (scale.high - scale.low)
    positions, texts = _ticks(scale, end)
    if scale.never is not None:
        positions, texts = [*positions, scale.never], [*texts, "never"]
        (ax.axvline if which == "x" else ax.axhline)(scale.never, color="#D0D0D0", linewidth=0.8, zorder=0)
    axis.set_major_locator(FixedLocator(positions))
    axis.set_minor_locator(NullLocator())
    (ax.set_xticklabels if which == "x" else ax.set_yticklabels)(texts)
    (ax.set_xlabel if which == "x" else ax.set_ylabel)(words)


def _ticks(scale: Scale, end: float) -> tuple[list[float], list[str]]:
    if scale.log:
        end = scale.high if scale.never is None else scale.never / 1.1
        positions, texts = duration_ticks(scale.low, end)
        return positions, texts
    return linear_ticks(scale.low, end, scale.unit)


def linear_ticks(low: float, high: float, unit: Unit) -> tuple[list[float], list[str]]:
    """Return positions and labels of a few ticks between two values of a unit, durations in ns."""
    if unit is Unit.duration:
        sizes = [("d", "d"), ("h", "h"), ("m", "min"), ("s", "s"), ("ms", "ms"), ("us", "us"), ("ns", "ns")]
        size, name = next((UNITS_NS[key], name) for key, name in sizes if high >= 2 * UNITS_NS[key] or key == "ns")
        places = [place * size for place in MaxNLocator(6, steps=[1, 2, 5, 10]).tick_values(low / size, high / size)]
        inside = [place for place in places if low <= place <= high]
        return inside, [f"{place / size:g} {name}" for place in inside]
    inside = [
        float(place) for place in MaxNLocator(6, steps=[1, 2, 5, 10]).tick_values(low, high) if low <= place <= high
    ]
    if unit is Unit.share:
        return inside, [f"{100 * place:.10g} %" for place in inside]
    return inside, [f"{place:.10g}" for place in inside]
