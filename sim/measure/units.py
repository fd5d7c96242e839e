"""The units in which numbers leave retrysim: times in ms, money in its currency, shares and counts as they are."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from sim.kernel.durations import NS_PER_MS
from sim.measure.prices import PICO
from sim.measure.quantities import AnyUnit, Currency, Unit

if TYPE_CHECKING:
    from collections.abc import Mapping

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


def figure(value: float | None, unit: AnyUnit) -> str:
    """Write a number with six digits; `never` if it is infinite, `-` if it is not known."""
    if value is None:
        return "-"
    return "never" if value == math.inf else f"{in_unit(value, unit):.6g}"
