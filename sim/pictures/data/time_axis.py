"""The axis of one story's time: linear, or linear near zero and logarithmic beyond, with ticks as people read times."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from sim.kernel.durations import UNITS_NS
from sim.pictures.data.ticks import duration_ticks
from sim.stories.phrases import span_text

if TYPE_CHECKING:
    from collections.abc import Sequence

CROWDED = 0.05
"""If half of all moments lie within this first part of the time, the axis is logarithmic,"""
LONG = 100
"""but only if the story lasts at least so many times its shortest attempt."""
MOST_TICKS = 9
LEAST_UNITS = 3
"""Three minutes are told in minutes, two in seconds."""

_DECADES = tuple(float(f"{number}e{power}") for power in range(-1, 3) for number in (1, 2, 5))
_SIXTIETHS = (1.0, 2.0, 5.0, 10.0, 20.0, 30.0)
_STEPS = MappingProxyType(
    {
        "ns": _DECADES,
        "us": _DECADES,
        "ms": _DECADES,
        "s": _DECADES,
        "m": _SIXTIETHS,
        "h": _SIXTIETHS,
        "d": (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0),
        "y": _DECADES,
    }
)
"""Distances of ticks, in each unit."""


@dataclass(frozen=True, slots=True)
class TimeAxis:
    """An axis of time since the submission."""

    label: str
    """What stands along the axis."""
    left_ns: float
    right_ns: float
    """The ends of the axis."""
    linear_ns: int | None
    """Up to this time the axis is linear, beyond it logarithmic (as asinh is); None if all of it is linear."""
    ticks: tuple[tuple[float, str], ...]
    """The place of each tick in ns, and its text."""


def time_axis(moments_ns: Sequence[int], lengths_ns: Sequence[int], last_ns: int, room: float) -> TimeAxis:
    """Choose the axis for things that happen at `moments_ns` and last `lengths_ns`.

    `room` is left free behind `last_ns`, the end of the story: a share of a linear axis.
    """
    if last_ns <= 0:
        return _linear(1.0 + room, ((0.0, "0"),))
    middle_ns = sorted(moments_ns)[len(moments_ns) // 2]
    shortest_ns = min((length for length in lengths_ns if length > 0), default=last_ns)
    if middle_ns > CROWDED * last_ns or last_ns < LONG * shortest_ns:
        right_ns = last_ns * (1 + room)
        return _linear(right_ns, _linear_ticks(right_ns))
    right_ns = last_ns * (2 * last_ns / shortest_ns) ** room
    positions, texts = duration_ticks(0.8 * shortest_ns, right_ns)
    return TimeAxis(
        label=f"time since the submission (logarithmic beyond {span_text(shortest_ns)})",
        left_ns=-0.2 * shortest_ns,
        right_ns=right_ns,
        linear_ns=shortest_ns,
        ticks=((0.0, "0"), *zip(positions, texts, strict=True)),
    )


def _linear(right_ns: float, ticks: tuple[tuple[float, str], ...]) -> TimeAxis:
    return TimeAxis("time since the submission", -0.012 * right_ns, right_ns, None, ticks)


def _linear_ticks(right_ns: float) -> tuple[tuple[float, str], ...]:
    """Return round times from 0 on, all in the unit that suits the last."""
    sizes = {**UNITS_NS, "y": 365 * UNITS_NS["d"]}
    large = ("m", "h", "d", "y")
    fitting = [unit for unit, size in sizes.items() if right_ns >= size * (LEAST_UNITS if unit in large else 1)]
    unit = fitting[-1] if fitting else "ns"
    steps, size = _STEPS[unit], sizes[unit]
    step = steps[min(bisect_left(steps, right_ns / size / MOST_TICKS), len(steps) - 1)]
    name = "min" if unit == "m" else unit
    numbers = [index * step for index in range(int(right_ns / size / step) + 1)]
    return tuple((number * size, f"{number:g} {name}" if number else "0") for number in numbers)
