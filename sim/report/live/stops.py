"""The values that a slider steps through, as texts that `--set` takes; so the page itself knows nothing of units.

Durations, rates and large counts go in steps of about a fifth, from a hundredth to a hundred times of the value there
is. Shares lie closer together near 0 and near 1. All other numbers go in equal steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final, Literal

from sim.kernel.durations import LONGEST_NS, NS_PER_MS, RATE_LEAST, RATE_MOST, UNITS_NS, format_duration, format_rate

if TYPE_CHECKING:
    from collections.abc import Iterator

Kind = Literal["duration", "rate", "share", "whole", "number"]

MANTISSAS: Final = (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0)
"""The values in a decade."""
OF_A_CLOCK: Final = (1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 12.0, 15.0, 20.0, 25.0, 30.0, 40.0, 50.0)
"""The values in a minute (of seconds) or in an hour (of minutes), which have no decades."""
HOURS: Final = (1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 12.0, 16.0, 20.0)
REACH: Final = 100.0
"""A value can grow and shrink so many times."""
MOST_LINEAR: Final = 25
"""A count up to this goes in steps of one."""
STEPS: Final = 80
"""Into about so many steps a linear range is cut."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a setting may be, in ns, events per second or plain numbers; the ends themselves may be forbidden."""

    low: float = 0.0
    high: float = float("inf")
    low_open: bool = False
    high_open: bool = False

    def allows(self, value: float) -> bool:
        """Whether a value lies within the bounds."""
        above = value > self.low if self.low_open else value >= self.low
        return above and (value < self.high if self.high_open else value <= self.high)


def text_of(kind: Kind, value: float) -> str:
    """Write a value as files do: `250ms`, `40/s`, `0.03`, `16`."""
    if kind == "duration":
        return format_duration(round(value))
    if kind == "rate":
        return format_rate(float(value))
    if kind == "whole":
        return str(round(value))
    return f"{Decimal(repr(float(value))):f}".removesuffix(".0")


def stops_around(kind: Kind, value: float, bounds: Bounds) -> tuple[tuple[str, ...], int]:
    """Return the texts of all stops in order, and which of them is the value that there is."""
    found = sorted({one for one in _values(kind, value, bounds.high) if bounds.allows(one)} | {value})
    texts = {text_of(kind, one): one for one in found}
    own = text_of(kind, value)
    texts = {text: one for text, one in texts.items() if text == own or one != value}
    return tuple(texts), list(texts).index(own)


def _values(kind: Kind, value: float, most: float) -> Iterator[float]:
    match kind:
        case "share":
            yield from SHARES
        case "duration":
            low = value / REACH if value else NS_PER_MS
            high = min(value * REACH if value else UNITS_NS["m"], LONGEST_NS)
            yield 0
            yield from (one for one in DURATIONS if low <= one <= high)
        case "rate":
            low, high = max(value / REACH, RATE_LEAST), min(value * REACH, RATE_MOST)
            yield from _decades(low, high)
        case "whole" if value > MOST_LINEAR:
            yield 0
            yield from (round(one) for one in _decades(max(value / REACH, 1), value * REACH))
        case "whole":
            yield from range(max(10, 4 * round(value)) + 1)
        case _ if most == 100:  # percent
            yield from (float(f"{100 * share:.6g}") for share in SHARES)
        case _:
            yield from _linear(min(max(4 * value, 1.0), most))


def _linear(high: float) -> Iterator[float]:
    exponent = Decimal(repr(high)).adjusted()
    steps = (Decimal(mantissa).scaleb(place) for place in (exponent - 2, exponent - 1) for mantissa in (1, 2, 5))
    step = next(one for one in steps if one * STEPS >= Decimal(repr(high)))
    yield from (float(step * position) for position in range(round(Decimal(repr(high)) / step) + 1))


def _decades(low: float, high: float) -> Iterator[float]:
    exponent = Decimal(repr(float(low))).adjusted()
    while True:
        for mantissa in MANTISSAS:
            found = float(f"{mantissa}e{exponent}")
            if found > high:
                return
            if found >= low:
                yield found
        exponent += 1


def _durations() -> Iterator[int]:
    yield from (round(one) for one in _decades(1, UNITS_NS["s"] - 1))
    yield from (round(one * UNITS_NS["s"]) for one in OF_A_CLOCK)
    yield from (round(one * UNITS_NS["m"]) for one in OF_A_CLOCK)
    yield from (round(one * UNITS_NS["h"]) for one in HOURS)
    yield from (round(one) * UNITS_NS["d"] for one in _decades(1, LONGEST_NS / UNITS_NS["d"]))


def _shares() -> Iterator[float]:
    near = [0.0, *_decades(0.0001, 0.0099), *(step / 1000 for step in range(10, 100, 5))]
    yield from near
    yield from (step / 100 for step in range(10, 91, 2))
    yield from (round(1 - share, 6) for share in near)


DURATIONS: Final[tuple[int, ...]] = tuple(sorted(set(_durations())))
SHARES: Final[tuple[float, ...]] = tuple(sorted(set(_shares())))
