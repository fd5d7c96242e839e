"""Logarithm, exponential and powers of arrays and of single numbers, the same bits on every machine.

NumPy has several compiled forms of these functions, and the processor decides which of them runs: with AVX-512 it is
other code than without, and a share of all results (of exponentials about one in twenty) differs in the last bit. The
functions here only add, multiply, divide and scale by powers of two, each in an operation of its own on whole arrays,
for which IEEE 754 leaves no choice. Results are within three units in the last place, powers
within as many relative to the logarithm of the result.

The logarithm is 2 artanh((m - 1) / (m + 1)) of the mantissa m in [sqrt(1/2), sqrt(2)), the exponential a Taylor sum of
the distance to the nearest multiple of ln 2 / 256, times a root of two from a table; each has as many terms as count in
a float.
"""

import math
from collections.abc import Sequence
from decimal import Context, Decimal
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_LN2_HIGH: Final = float.fromhex("0x1.62e42feep-1")
"""The leading 32 bits of ln 2: its products with exponents are exact."""
_LN2_LOW: Final = float.fromhex("0x1.a39ef35793c76p-33")
"""The rest of ln 2, rounded."""
_STEP_BITS: Final = 8
_STEPS: Final = 1 << _STEP_BITS
"""The number of steps into which the exponential divides a doubling."""
_STEPS_PER_LN2: Final = _STEPS / (_LN2_HIGH + _LN2_LOW)
_STEP_HIGH: Final = _LN2_HIGH / _STEPS
_STEP_LOW: Final = _LN2_LOW / _STEPS
_POWERS_OF_STEP: Final = np.array([float(Context(prec=40).power(2, Decimal(step) / _STEPS)) for step in range(_STEPS)])
_POWER_LIST: Final[list[float]] = _POWERS_OF_STEP.tolist()
_SQRT_HALF: Final = math.sqrt(0.5)
_ARTANH: Final = tuple(float(Fraction(2, 2 * power + 1)) for power in range(12))
_TAYLOR: Final = tuple(float(Fraction(1, math.factorial(power))) for power in range(1, 5))
"""Of (exp(x) - 1) / x."""
_BEYOND: Final = 800.0
"""From here on the exponential is infinity, and 0 on the other side."""


def log(x: Floats) -> Floats:
    """Return the natural logarithms of finite numbers >= 0, shape (n,); that of 0 is minus infinity."""
    mantissa, exponent = np.frexp(x)
    small = mantissa < _SQRT_HALF
    mantissa = np.where(small, mantissa + mantissa, mantissa)
    exponent = (exponent - small).astype(np.float64)
    ratio = (mantissa - 1.0) / (mantissa + 1.0)
    series = polynomial(_ARTANH, ratio * ratio) * ratio
    return np.where(x > 0.0, exponent * _LN2_HIGH + (exponent * _LN2_LOW + series), -np.inf)


def exp(x: Floats) -> Floats:
    """Return the exponentials of numbers, infinities included, shape (n,); infinity where no float can hold one."""
    rest = np.maximum(x, -_BEYOND)
    np.minimum(rest, _BEYOND, out=rest)
    steps = rest * _STEPS_PER_LN2
    np.rint(steps, out=steps)
    whole = steps.astype(np.int64)
    product = steps * _STEP_HIGH
    rest -= product
    steps *= _STEP_LOW
    rest -= steps
    value = polynomial(_TAYLOR, rest)
    value *= rest
    power_of_step = _POWERS_OF_STEP.take(whole & (_STEPS - 1))
    value *= power_of_step
    value += power_of_step
    whole >>= _STEP_BITS
    with np.errstate(over="ignore", under="ignore"):
        return np.ldexp(value, whole.astype(np.int32), out=value)


def log_of(x: float) -> float:
    """Return the natural logarithm of one finite number >= 0, in the bits of `log`."""
    if x == 0.0:
        return -math.inf
    mantissa, exponent = math.frexp(x)
    if mantissa < _SQRT_HALF:
        mantissa += mantissa
        exponent -= 1
    ratio = (mantissa - 1.0) / (mantissa + 1.0)
    series = _polynomial_of(_ARTANH, ratio * ratio) * ratio
    return exponent * _LN2_HIGH + (exponent * _LN2_LOW + series)


def exp_of(x: float) -> float:
    """Return the exponential of one number, in the bits of `exp`."""
    rest = min(max(x, -_BEYOND), _BEYOND)
    steps = round(rest * _STEPS_PER_LN2)
    rest -= steps * _STEP_HIGH
    rest -= steps * _STEP_LOW
    power_of_step = _POWER_LIST[steps & (_STEPS - 1)]
    value = _polynomial_of(_TAYLOR, rest) * rest * power_of_step + power_of_step
    try:
        return math.ldexp(value, steps >> _STEP_BITS)
    except OverflowError:
        return math.inf


def power(x: Floats, exponent: float) -> Floats:
    """Return the powers of finite numbers >= 0, shape (n,), to an exponent other than 0."""
    return exp(log(x) * exponent)


def polynomial(coefficients: Sequence[float], x: Floats) -> Floats:
    """Return the values of a polynomial, shape (n,), by Horner's scheme; the first coefficient is the constant."""
    value = x * coefficients[-1]
    for coefficient in coefficients[-2:0:-1]:
        value += coefficient
        value *= x
    value += coefficients[0]
    return value


def _polynomial_of(coefficients: Sequence[float], x: float) -> float:
    value = x * coefficients[-1]
    for coefficient in coefficients[-2:0:-1]:
        value = (value + coefficient) * x
    return value + coefficients[0]
