"""The operations of formulas, each for single numbers and for arrays, with the same bits.

Every operation is a step that IEEE 754 or `sim.laws.elementary` fixes to the last bit. None raises: what has no value
is NaN, what no float can hold is infinity. All NaN count as one. Where Python and NumPy differ, this is what holds:

- `min` and `max` are NaN if either value is, and the first of two that are equal;
- `x % y` has the sign of y, as in Python; by 0 it is NaN;
- `floor` never gives -0; `round(x)` is floor(x + 0.5); both take a second value, to a multiple of which they go;
- `x ** y` multiplies squares of x, those of the low bits of y first, for whole y up to 2^53 (the reciprocal of that for
  y < 0), so that powers of two are exact; for all others it is exp(log(x) * y), NaN for x < 0;
- `tanh(x)` is 1 - 2 / (exp(2 x) + 1) of the size of x with its sign, right to some units of 2^-53 rather than to the
  last bit of a small x.
"""

from __future__ import annotations

import math
import operator
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from sim.laws import elementary

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.laws.elementary import Floats

_WHOLE: Final = 2.0**52
"""From here on all floats are whole numbers."""
_MOST_EXPONENT: Final = 2.0**53


class Operation(NamedTuple):
    """An operation; its place in `OPERATIONS` is its number in encodings, which must not change."""

    arity: int
    of_numbers: Callable[..., float]
    of_arrays: Callable[..., Floats]
    """Of arrays of one shape, or of arrays and numbers; under `np.errstate(all="ignore")`."""


def _divide(x: float, y: float) -> float:
    if y:
        return x / y
    return math.nan if x != x or not x else math.copysign(math.inf, x) * math.copysign(1.0, y)  # noqa: PLR0124  # NaN


def _modulo(x: float, y: float) -> float:
    return x % y if y else math.nan


def _modulo_arrays(x: Floats, y: Floats) -> Floats:
    rest = np.fmod(x, y)
    return np.where(rest == 0.0, np.copysign(0.0, y), np.where((y < 0.0) != (rest < 0.0), rest + y, rest))


def _power(x: float, y: float) -> float:
    if not (-_MOST_EXPONENT <= y <= _MOST_EXPONENT and y.is_integer()):
        return _exp(_log(x) * y)
    left, square, value = int(abs(y)), x, 1.0
    while left:
        if left & 1:
            value *= square
        square *= square
        left >>= 1
    return value if y >= 0.0 else _divide(1.0, value)


def _power_arrays(x: Floats, y: Floats) -> Floats:
    x, y = np.broadcast_arrays(np.asarray(x, np.float64), np.asarray(y, np.float64))
    size = np.abs(y)
    is_whole = (size <= _MOST_EXPONENT) & (np.floor(size) == size)
    left = np.where(is_whole, size, 0.0).astype(np.int64)
    square, value = x, np.ones_like(x)
    while left.any():
        value = np.where(left & 1, value * square, value)
        square = square * square
        left >>= 1
    value = np.where(y >= 0.0, value, 1.0 / value)
    if is_whole.all():
        return value
    return np.where(is_whole, value, _exp_arrays(_log_arrays(x) * y))


def _minimum(x: float, y: float) -> float:
    return x if x <= y or x != x else y  # noqa: PLR0124  # NaN


def _minimum_arrays(x: Floats, y: Floats) -> Floats:
    return np.where((x <= y) | np.isnan(x), x, y)


def _maximum(x: float, y: float) -> float:
    return x if x >= y or x != x else y  # noqa: PLR0124  # NaN


def _maximum_arrays(x: Floats, y: Floats) -> Floats:
    return np.where((x >= y) | np.isnan(x), x, y)


def _floor(x: float) -> float:
    return float(math.floor(x)) if -_WHOLE < x < _WHOLE else x


def _floor_arrays(x: Floats) -> Floats:
    return np.floor(x) + 0.0


def _round(x: float) -> float:
    return _floor(x + 0.5)


def _round_arrays(x: Floats) -> Floats:
    return _floor_arrays(x + 0.5)


def _tanh(x: float) -> float:
    return math.copysign(1.0 - 2.0 / (_exp(2.0 * abs(x)) + 1.0), x)


def _tanh_arrays(x: Floats) -> Floats:
    return np.copysign(1.0 - 2.0 / (_exp_arrays(2.0 * np.abs(x)) + 1.0), x)


def _sqrt(x: float) -> float:
    return math.sqrt(x) if x >= 0.0 else math.nan


def _log(x: float) -> float:
    if 0.0 <= x < math.inf:
        return elementary.log_of(x)
    return x if x > 0.0 else math.nan


def _log_arrays(x: Floats) -> Floats:
    x = np.atleast_1d(np.asarray(x, np.float64))
    is_finite = (x >= 0.0) & (x < np.inf)
    return np.where(is_finite, elementary.log(np.where(is_finite, x, 1.0)), np.where(x > 0.0, x, np.nan))


def _exp(x: float) -> float:
    return elementary.exp_of(x) if x == x else x  # noqa: PLR0124  # NaN


def _exp_arrays(x: Floats) -> Floats:
    x = np.atleast_1d(np.asarray(x, np.float64))
    is_nan = np.isnan(x)
    return np.where(is_nan, x, elementary.exp(np.where(is_nan, 0.0, x)))


OPERATIONS: Final = {
    "+": Operation(2, operator.add, operator.add),
    "-": Operation(2, operator.sub, operator.sub),
    "*": Operation(2, operator.mul, operator.mul),
    "/": Operation(2, _divide, np.divide),
    "%": Operation(2, _modulo, _modulo_arrays),
    "**": Operation(2, _power, _power_arrays),
    "negative": Operation(1, operator.neg, operator.neg),
    "min": Operation(2, _minimum, _minimum_arrays),
    "max": Operation(2, _maximum, _maximum_arrays),
    "floor": Operation(1, _floor, _floor_arrays),
    "floor_to": Operation(2, lambda x, y: _floor(_divide(x, y)) * y, lambda x, y: _floor_arrays(np.divide(x, y)) * y),
    "round": Operation(1, _round, _round_arrays),
    "round_to": Operation(2, lambda x, y: _round(_divide(x, y)) * y, lambda x, y: _round_arrays(np.divide(x, y)) * y),
    "tanh": Operation(1, _tanh, _tanh_arrays),
    "sqrt": Operation(1, _sqrt, np.sqrt),
    "log": Operation(1, _log, _log_arrays),
    "exp": Operation(1, _exp, _exp_arrays),
}
"""By the names that trees give them."""
