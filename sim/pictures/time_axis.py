"""The axis of one story's time: linear, or linear near zero and logarithmic beyond, with ticks as people read times."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Self

from matplotlib.ticker import FixedLocator, NullLocator

from sim.kernel.durations import UNITS_NS
from sim.pictures.drawing import duration_ticks
from sim.stories.phrases import span_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

CROWDED = 0.05
"""Where half of what happens lies within this first part of the time, the axis is logarithmic."""
LONG = 100
"""And the story must last so many times its shortest attempt."""
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
    """An axis from 0 to `right_ns`; `linear_ns` is where it becomes logarithmic, None for never."""

    right_ns: float
    linear_ns: int | None
    ticks: bool = True
    """Whether there is any time to tell."""

    @classmethod
    def fitting(cls, moments_ns: Sequence[int], lengths_ns: Sequence[int], last_ns: int, room: float) -> Self:
        """Choose the axis for things that happen at `moments_ns` and last `lengths_ns`, with room behind the last."""
        if last_ns <= 0:
            return cls(1.0 + room, None, ticks=False)
        middle_ns = sorted(moments_ns)[len(moments_ns) // 2]
        shortest_ns = min((length for length in lengths_ns if length > 0), default=last_ns)
        if middle_ns > CROWDED * last_ns or last_ns < LONG * shortest_ns:
            return cls(last_ns * (1 + room), None)
        return cls(last_ns * (2 * last_ns / shortest_ns) ** room, shortest_ns)

    def apply(self, ax: Axes) -> None:
        """Give `ax` this axis."""
        words = "time since the submission"
        if self.linear_ns is None:
            left_ns = -0.012 * self.right_ns
            positions, texts = _linear_ticks(self.right_ns) if self.ticks else ([0.0], ["0"])
        else:
            ax.set_xscale("asinh", linear_width=self.linear_ns)
            left_ns = -0.2 * self.linear_ns
            positions, texts = duration_ticks(0.8 * self.linear_ns, self.right_ns)
            positions, texts = [0.0, *positions], ["0", *texts]
            words += f" (logarithmic beyond {span_text(self.linear_ns)})"
        ax.set_xlabel(words)
        ax.set_xlim(left_ns, self.right_ns)
        ax.xaxis.set_major_locator(FixedLocator(positions))
        ax.xaxis.set_minor_locator(NullLocator())
        ax.set_xticklabels(texts)
        ax.grid(visible=True, axis="x", color="#EEEEEE", zorder=0)
        ax.set_axisbelow(True)


def _linear_ticks(right_ns: float) -> tuple[list[float], list[str]]:
    """Return positions and labels of round times from 0 on, all in the unit that suits the last."""
    sizes = {**UNITS_NS, "y": 365 * UNITS_NS["d"]}
    large = ("m", "h", "d", "y")
    fitting = [unit for unit, size in sizes.items() if right_ns >= size * (LEAST_UNITS if unit in large else 1)]
    unit = fitting[-1] if fitting else "ns"
    steps, size = _STEPS[unit], sizes[unit]
    step = steps[min(bisect_left(steps, right_ns / size / MOST_TICKS), len(steps) - 1)]
    name = "min" if unit == "m" else unit
    numbers = [index * step for index in range(int(right_ns / size / step) + 1)]
    return [number * size for number in numbers], [f"{number:g} {name}" if number else "0" for number in numbers]
