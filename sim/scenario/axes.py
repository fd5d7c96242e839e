"""The space that a search goes through: one axis a key, and points that fill it evenly. Pure numbers, no scenario."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any, Literal

from sim.kernel.draws import Draws
from sim.kernel.durations import format_duration, parse_duration

DIGITS_LOG, DIGITS_LINEAR = 2, 3
"""Significant digits of the values tried: on a logarithmic scale neighbors differ by 1 to 10 %."""
MOST_TRIES = 64
"""Points of the sequence looked at for each candidate wanted, as many of them may round to the same values."""

Kind = Literal["duration", "whole", "number", "listed"]


@dataclass(frozen=True)
class Axis:
    """One searched key."""

    key: str
    kind: Kind
    low: float = 0
    high: float = 0
    """The ends of a range, durations in ns."""
    log: bool = False
    values: tuple[Any, ...] = ()
    """The values of a list."""

    @property
    def size(self) -> int | None:
        """How many values there are; None if there is no end of them, or nearly so."""
        if self.kind == "listed":
            return len(self.values)
        return int(self.high - self.low) + 1 if self.kind == "whole" and not self.log else None

    def value(self, at: float) -> Any:
        """Return the value, as files write it, at a place on [0, 1) of the axis; ranges also go beyond their ends."""
        if self.kind == "listed":
            return self.values[int(at * len(self.values))]
        if self.kind == "whole" and not self.log:
            return int(self.low) + int(at * (self.high - self.low + 1))
        if self.log:
            found = math.exp(math.log(self.low) + at * (math.log(self.high) - math.log(self.low)))
        else:
            found = self.low + at * (self.high - self.low)
        found = float(f"{found:.{(DIGITS_LOG if self.log else DIGITS_LINEAR) - 1}e}")
        if 0 <= at <= 1:
            found = min(max(found, self.low), self.high)
        if self.kind == "duration":
            return format_duration(round(found)) if found >= 0 else f"{found:g}"
        return round(found) if self.kind == "whole" or found == round(found) else found

    def place(self, value: Any) -> float | None:
        """Return where on [0, 1] a value of a range lies; None for a value of a list."""
        if self.kind == "listed":
            return None
        number = float(parse_duration(value)) if self.kind == "duration" else float(value)
        if self.high == self.low:
            return None
        if self.log:
            return math.log(number / self.low) / math.log(self.high / self.low)
        return (number - self.low) / (self.high - self.low)


@dataclass(frozen=True)
class SearchSpace:
    """All axes of a search."""

    axes: tuple[Axis, ...]

    @cached_property
    def size(self) -> int | None:
        """How many points there are; None if there is no end of them."""
        sizes = [axis.size for axis in self.axes]
        return None if None in sizes else math.prod(size for size in sizes if size is not None)

    def points(self, wanted: int, seed: int) -> list[dict[str, Any]]:
        """Return so many different points, or all if there are fewer: by key the value as files write it.

        The additive recurrence of M. Roberts ("The unreasonable effectiveness of quasirandom sequences", 2018): the
        n-th point is frac(shift + n / phi^k) on axis k = 1, 2, ..., with phi the root of x^(d + 1) = x + 1; the shift
        is drawn for each axis (P. Shirley and others call that a Cranley-Patterson rotation).
        """
        if self.size is not None and self.size <= wanted:
            every = [
                [axis.value((number + 0.5) / int(axis.size or 1)) for number in range(int(axis.size or 1))]
                for axis in self.axes
            ]
            return [self._named(values) for values in product(*every)]
        draws, phi = Draws(seed), _golden(len(self.axes))
        shifts = [draws.uniform("tune.shift", entity) for entity in range(len(self.axes))]
        found: dict[str, dict[str, Any]] = {}
        for number in range(1, wanted * MOST_TRIES + 1):
            places = [math.modf(shift + number / phi ** (axis + 1))[0] for axis, shift in enumerate(shifts)]
            point = self._named([axis.value(place) for axis, place in zip(self.axes, places, strict=True)])
            found.setdefault(repr(point), point)
            if len(found) == wanted:
                break
        return list(found.values())

    def _named(self, values: Sequence[Any]) -> dict[str, Any]:
        return {axis.key: value for axis, value in zip(self.axes, values, strict=True)}


def _golden(axes: int) -> float:
    """Return the root above 1 of x^(axes + 1) = x + 1; for one axis the golden ratio."""
    root = 2.0
    for _ in range(64):
        root = (1 + root) ** (1 / (axes + 1))
    return root
