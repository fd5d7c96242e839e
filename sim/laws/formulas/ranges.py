"""Between which numbers the values of a formula lie, and whether they grow with a draw: intervals put through a tree.

Sums, products, roots and roundings of floats keep the order of what they are made of, so that the ends of an interval
give the ends of the next one, in every bit. Logarithms, exponentials and powers do so but for their last bits, by which
their intervals are made wider. An interval may be too wide (nothing says that `u - u` is 0), but never too narrow.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf, isfinite, isnan
from typing import TYPE_CHECKING, Final, Literal

from sim.laws.formulas.operations import OPERATIONS
from sim.laws.formulas.tree import Name, Number, Tree

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Trend = Literal["level", "rises", "falls", "unknown"]

LAST_DRAW: Final = 1.0 - 2.0**-53
"""The largest number that is drawn."""
_LAST_BITS: Final = 2.0**-40
_FLIPPED: Final[dict[Trend, Trend]] = {"rises": "falls", "falls": "rises", "level": "level", "unknown": "unknown"}


@dataclass(frozen=True, slots=True)
class Range:
    """Values from `low` to `high`; `trend` is how they change as the draw `u` grows and nothing else changes."""

    low: float
    high: float
    trend: Trend = "level"
    may_be_nan: bool = False
    """Whether a value may be no number at all."""

    @property
    def is_finite(self) -> bool:
        """Whether all values are numbers that a float holds."""
        return isfinite(self.low) and isfinite(self.high) and not self.may_be_nan

    def hull(self, other: Range) -> Range:
        """Return the least range that has both in it."""
        low, high = min(self.low, other.low), max(self.high, other.high)
        return Range(low, high, "unknown", may_be_nan=self.may_be_nan or other.may_be_nan)


ANYTHING: Final = Range(-inf, inf, "unknown", may_be_nan=True)
DRAWN: Final = Range(0.0, LAST_DRAW)


def range_of(tree: Tree, known: Mapping[str, Range]) -> Range:
    """Return the range of a formula's values for these ranges of its names."""
    match tree:
        case Number(value):
            return ANYTHING if isnan(value) else Range(value, value)
        case Name(name):
            return known[name]
    arguments = [range_of(argument, known) for argument in tree.arguments]
    if any(argument.may_be_nan for argument in arguments):
        return ANYTHING
    return _applied(tree.operation, *arguments)


def _applied(operation: str, x: Range, y: Range = DRAWN) -> Range:  # noqa: C901, PLR0911  # one case an operation
    match operation:
        case "negative":
            return Range(-x.high, -x.low, _FLIPPED[x.trend])
        case "-" if not _has_opposite_infinities(x, Range(-y.high, -y.low)):
            return _ends("-", [(x.low, y.high), (x.high, y.low)], _both(x.trend, _FLIPPED[y.trend]))
        case "+" | "min" | "max" if operation != "+" or not _has_opposite_infinities(x, y):
            return _ends(operation, [(x.low, y.low), (x.high, y.high)], _both(x.trend, y.trend))
        case "*" if not (_has_nothing_times_infinity(x, y) or _has_nothing_times_infinity(y, x)):
            return _ends("*", _corners(x, y), _trend_of_product(x, y))
        case "/" if y.low > 0.0 or y.high < 0.0:
            return _ends("/", _corners(x, y), _trend_of_product(x, replace(y, trend=_FLIPPED[y.trend])))
        case "%" if y.low > 0.0 and x.is_finite and isfinite(y.high):
            if x.low >= 0.0 and x.high < y.low:
                return x
            return Range(0.0, y.high, "unknown")
        case "floor" | "round" | "sqrt" if operation != "sqrt" or x.low >= 0.0:
            return _ends(operation, [(x.low,), (x.high,)], x.trend)
        case "floor_to" | "round_to" if y.low == y.high > 0.0:
            return _ends(operation, [(x.low, y.low), (x.high, y.low)], x.trend)
        case "exp" | "tanh" | "log" if operation != "log" or x.low >= 0.0:
            return _widened(_ends(operation, [(x.low,), (x.high,)], x.trend), _LAST_BITS)
        case "**" if x.is_finite and y.is_finite:
            return _power(x, y)
    return ANYTHING


def _power(x: Range, y: Range) -> Range:
    if x.low < 0.0:
        if not (y.low == y.high >= 0.0 and y.low.is_integer()):
            return ANYTHING
        ends = [(x.low, y.low), (x.high, y.low), *([(0.0, y.low)] if x.high > 0.0 else [])]
        return _ends("**", ends, "unknown")
    # Whole exponents multiply, others go by logarithms: between the two there may be as many last bits as factors.
    last_bits = max(_LAST_BITS, max(abs(y.low), abs(y.high)) * 2.0**-50)
    return _widened(_ends("**", _corners(x, y), _trend_of_power(x, y)), last_bits)


def _trend_of_power(x: Range, y: Range) -> Trend:
    """Return the trend of powers of numbers >= 0."""
    if x.trend == "level" and (x.low >= 1.0 or x.high <= 1.0):
        return y.trend if x.low >= 1.0 else _FLIPPED[y.trend]
    if y.trend == "level" and (y.low >= 0.0 or y.high <= 0.0):
        return x.trend if y.low >= 0.0 else _FLIPPED[x.trend]
    return _both(x.trend, y.trend) if x.trend == y.trend == "level" else "unknown"


def _has_opposite_infinities(x: Range, y: Range) -> bool:
    return (x.high == inf and y.low == -inf) or (x.low == -inf and y.high == inf)


def _has_nothing_times_infinity(x: Range, y: Range) -> bool:
    return x.low <= 0.0 <= x.high and not (isfinite(y.low) and isfinite(y.high))


def _corners(x: Range, y: Range) -> list[tuple[float, ...]]:
    return [(one, other) for one in (x.low, x.high) for other in (y.low, y.high)]


def _ends(operation: str, ends: Iterable[tuple[float, ...]], trend: Trend) -> Range:
    """Return the range of what an operation makes of these values; if one of them is no number, anything may be."""
    found = [OPERATIONS[operation].of_numbers(*values) for values in ends]
    return ANYTHING if any(map(isnan, found)) else Range(min(found), max(found), trend)


def _widened(found: Range, share: float) -> Range:
    if found.may_be_nan:
        return found
    wider = [end + sign * (abs(end) + 2.0**-10) * share for sign, end in ((-1.0, found.low), (1.0, found.high))]
    # Rounding does not change a sign; infinite ends stay.
    low = found.low if isnan(wider[0]) else max(wider[0], 0.0) if found.low >= 0.0 else wider[0]
    return replace(found, low=low, high=found.high if isnan(wider[1]) else wider[1])


def _both(x: Trend, y: Trend) -> Trend:
    """Return the trend of what grows with each of two values."""
    if "level" in (x, y):
        return y if x == "level" else x
    return x if x == y else "unknown"


def _trend_of_product(x: Range, y: Range) -> Trend:
    if x.low >= 0.0 and y.low >= 0.0:
        return _both(x.trend, y.trend)
    if y.trend == "level" and (y.low >= 0.0 or y.high <= 0.0):
        return x.trend if y.low >= 0.0 else _FLIPPED[x.trend]
    if x.trend == "level" and (x.low >= 0.0 or x.high <= 0.0):
        return y.trend if x.low >= 0.0 else _FLIPPED[y.trend]
    return "unknown"
