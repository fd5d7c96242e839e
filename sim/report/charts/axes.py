"""Axes: where values stand between 0 and 1, and ticks as people read them: `10 ms`, `1 s`, `50 %`."""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sim.kernel.durations import UNITS_NS
from sim.measure.quantities import Unit
from sim.pictures.data.ticks import duration_ticks

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_TICKS: Final = 7
_DECIMAL: Final = (1.0, 2.0, 5.0)
_SIXTIETHS: Final = (1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 30.0)
_LARGE: Final = (("y", 365 * UNITS_NS["d"]), ("d", UNITS_NS["d"]), ("h", UNITS_NS["h"]), ("min", UNITS_NS["m"]))

Tick = tuple[float, str]


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis."""

    label: str
    unit: str
    """A value of `sim.measure.quantities.Unit`: `duration` (ns), `share` (parts of 1), `count`, `per_second`."""
    low: float
    high: float
    """The ends; `high` is above `low`."""
    ticks: tuple[Tick, ...]
    """The value of each tick and its text, ascending."""
    log: bool = False
    zero: float | None = None
    """On a logarithmic axis: the value whose place stands for 0; None if 0 has no place."""
    never: float | None = None
    """The value whose place stands for infinite values; None if they have no place."""

    def at(self, value: float) -> float:
        """Return the place of a value, from 0 to 1; what lies beyond an end stands at that end."""
        if math.isinf(value):
            value = self.high if self.never is None else self.never
        if self.log:
            if value <= 0:
                value = self.low if self.zero is None else self.zero
            place = (math.log(value) - math.log(self.low)) / (math.log(self.high) - math.log(self.low))
        else:
            place = (value - self.low) / (self.high - self.low)
        return min(max(place, 0.0), 1.0)

    def packed(self) -> list[Any]:
        """Return what the page's script needs: label, unit, ends, whether it is logarithmic, the places of 0, never."""
        return [self.label, self.unit, self.low, self.high, int(self.log), self.zero, self.never]


def axis_of(
    values: Sequence[float], unit: str, label: str, *, log: bool = False, from_zero: bool = False, room: float = 0.05
) -> Axis:
    """Choose an axis that holds some values, of which infinite ones get a place of their own at the far end.

    `log` is obeyed if there are positive values; `from_zero` begins a linear axis of values above 0 at 0. `room` is the
    share left free at either end.
    """
    finite = [value for value in values if math.isfinite(value)]
    endless = any(math.isinf(value) for value in values)
    positive = [value for value in finite if value > 0]
    if log and positive:
        return _logarithmic(min(positive), max(positive), unit, label, has_zero=0 in finite, endless=endless, room=room)
    low, high = min(finite, default=0.0), max(finite, default=1.0)
    if from_zero:
        low, high = min(0.0, low), max(0.0, high)
    spread = high - low or abs(high) or 1.0
    start = low if from_zero and low == 0 else low - room * spread
    if low >= 0:
        start = max(start, 0.0)
    end = high if unit == Unit.share.value and high == 1 else high + room * spread
    never = end + 0.06 * spread if endless else None
    top = end if never is None else never + 0.03 * spread
    return Axis(label, unit, start, top, _with_never(linear_ticks(start, end, unit), never), never=never)


def log_axis(low: float, high: float, unit: str, label: str, *, zero: float | None = None) -> Axis:
    """Return a logarithmic axis with these ends, both positive; `zero` is the place that stands for 0."""
    ticks = log_ticks(low if zero is None else 2 * zero, high, unit)
    return Axis(label, unit, low, high, ((zero, "0"), *ticks) if zero is not None else ticks, log=True, zero=zero)


def _logarithmic(
    least: float, most: float, unit: str, label: str, *, has_zero: bool, endless: bool, room: float
) -> Axis:
    ratio = max(most / least, 4.0)
    low, high = least / ratio**room, most * ratio**room
    if most / least < 4:
        middle = math.sqrt(least * most)
        low, high = middle / 2.2, middle * 2.2
    zero = low / ratio**room if has_zero else None
    start = low if zero is None else zero / ratio ** (room / 2)
    never = high * ratio**0.06 if endless else None
    end = high if never is None else never * ratio**0.03
    ticks = log_ticks(low, high, unit)
    ticks = ((zero, "0"), *ticks) if zero is not None else ticks
    return Axis(label, unit, start, end, _with_never(ticks, never), log=True, zero=zero, never=never)


def _with_never(ticks: tuple[Tick, ...], never: float | None) -> tuple[Tick, ...]:
    return ticks if never is None else (*ticks, (never, "never"))


def log_ticks(low: float, high: float, unit: str) -> tuple[Tick, ...]:
    """Return ticks in round values between two positive ends."""
    if unit == Unit.duration.value:
        return tuple(zip(*duration_ticks(low, high), strict=True))
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    decades = [10.0**power for power in range(first, last + 1) if low <= 10.0**power <= high]
    if len(decades) < 3:
        fine = [step * 10.0**power for power in range(first, last + 1) for step in _DECIMAL]
        decades = [value for value in fine if low <= value <= high]
    decades = decades[:: -(-len(decades) // MOST_TICKS) or 1]
    return tuple((value, tick_text(value, unit)) for value in decades)


def linear_ticks(low: float, high: float, unit: str) -> tuple[Tick, ...]:
    """Return ticks in round values between two ends, all in one unit."""
    size, name, steps = _scale(high, unit)
    raw = (high - low) / size / MOST_TICKS
    step = steps[min(bisect_left(steps, raw), len(steps) - 1)] if steps else _round_step(raw)
    if step < raw:  # beyond the table of steps
        step = _round_step(raw)
    first = math.ceil(low / size / step - 1e-9)
    last = math.floor(high / size / step + 1e-9)
    numbers = [index * step for index in range(first, last + 1)]
    if unit == Unit.duration.value:
        return tuple((number * size, f"{number:g} {name}" if number else "0") for number in numbers)
    return tuple((number, tick_text(number, unit)) for number in numbers)


def _scale(high: float, unit: str) -> tuple[float, str, tuple[float, ...]]:
    """Return the unit of an axis of durations that suits its end: its size, its name, and distances of ticks."""
    if unit != Unit.duration.value:
        return 1.0, "", ()
    for name, size in _LARGE:
        if high >= 3 * size:
            return float(size), name, _SIXTIETHS if name in {"min", "h"} else ()
    for name in ("s", "ms", "us"):
        if high >= UNITS_NS[name]:
            return float(UNITS_NS[name]), name, _SIXTIETHS if name == "s" and high >= 20 * UNITS_NS["s"] else ()
    return 1.0, "ns", ()


def _round_step(raw: float) -> float:
    if raw <= 0 or not math.isfinite(raw):
        return 1.0
    power = 10.0 ** math.floor(math.log10(raw))
    return next((step * power for step in _DECIMAL if step * power >= raw * (1 - 1e-9)), 10 * power)


def tick_text(value: float, unit: str) -> str:
    """Write the text of a tick that is no duration."""
    if unit == Unit.share.value:
        return f"{100 * value:.10g} %"
    if abs(value) >= 1e9:
        return f"{value:.3g}"
    return f"{value:,.10g}"
