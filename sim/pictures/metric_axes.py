"""Axes of pictures on which metrics and parameters stand: their ends, ticks with units, and labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator

from sim.kernel.durations import UNITS_NS
from sim.measure.prices import PICO
from sim.measure.quantities import Unit
from sim.pictures.data.ticks import duration_ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from sim.pictures.data.scales import Scale


def dress(ax: Axes, which: Literal["x", "y"], scale: Scale, words: str) -> None:
    """Give an axis its ends, ticks with units, and label."""
    axis = ax.xaxis if which == "x" else ax.yaxis
    if scale.log:
        (ax.set_xscale if which == "x" else ax.set_yscale)("log")
    (ax.set_xlim if which == "x" else ax.set_ylim)(scale.low, scale.high)
    positions, texts = _ticks(scale)
    if scale.never is not None:
        positions, texts = [*positions, scale.never], [*texts, "never"]
        (ax.axvline if which == "x" else ax.axhline)(scale.never, color="#D0D0D0", linewidth=0.8, zorder=0)
    axis.set_major_locator(FixedLocator(positions))
    axis.set_minor_locator(NullLocator())
    (ax.set_xticklabels if which == "x" else ax.set_yticklabels)(texts)
    (ax.set_xlabel if which == "x" else ax.set_ylabel)(words)


def _ticks(scale: Scale) -> tuple[list[float], list[str]]:
    """Return ticks up to a little before the place of infinite values, if there is one."""
    if scale.log:
        return duration_ticks(scale.low, scale.high if scale.never is None else scale.never / 1.1)
    end = scale.high if scale.never is None else scale.never - 0.02 * (scale.high - scale.low)
    return linear_ticks(scale.low, end, scale.unit)


def linear_ticks(low: float, high: float, unit: str) -> tuple[list[float], list[str]]:
    """Return positions and labels of a few ticks between two values of a unit (a value of `Unit`; durations in ns)."""
    if unit == Unit.duration.value:
        sizes = [("d", "d"), ("h", "h"), ("m", "min"), ("s", "s"), ("ms", "ms"), ("us", "us"), ("ns", "ns")]
        size, name = next((UNITS_NS[key], name) for key, name in sizes if high >= 2 * UNITS_NS[key] or key == "ns")
        inside = [place for place in _round(low / size, high / size, size) if low <= place <= high]
        return inside, [f"{place / size:g} {name}" for place in inside]
    inside = [place for place in _round(low, high) if low <= place <= high]
    if unit == Unit.money.value:
        inside = [place for place in _round(low / PICO, high / PICO, PICO) if low <= place <= high]
        return inside, [f"{place / PICO:,.12f}".rstrip("0").rstrip(".") for place in inside]
    if unit == Unit.share.value:
        return inside, [f"{100 * place:.10g} %" for place in inside]
    return inside, [f"{place:.10g}" for place in inside]


def _round(low: float, high: float, size: int = 1) -> list[float]:
    """Return round numbers from about `low` to about `high`, times `size`."""
    return [float(number * size) for number in MaxNLocator(6, steps=[1, 2, 5, 10]).tick_values(low, high)]
