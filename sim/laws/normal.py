"""The quantile function of the normal distribution, for arrays.

The truth is M. J. Wichura, "Algorithm AS 241: The percentage points of the normal distribution", Applied Statistics 37
(1988), routine PPND16: rational functions in three regions, accurate to about one part in 1e16. It is computed once, at
the first quantile, for the nodes of a table: each octave of the smaller tail, down to the least uniform, is
cut into equal pieces with a polynomial each, which takes fewer passes over an array than the rational functions do.
"""

import math
from collections.abc import Sequence
from functools import cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.laws import elementary

_SPLIT_CENTER = 0.425
_CENTER_SQUARED = 0.180625
_SPLIT_TAIL = 5.0
_SHIFT_NEAR = 1.6

LEAST_UNIFORM = 2.0**-54
"""Stands for a uniform of exactly 0: half the smallest other one that `Draws` makes."""

_CENTER = (
    (
        3.3871328727963666080e0,
        1.3314166789178437745e2,
        1.9715909503065514427e3,
        1.3731693765509461125e4,
        4.5921953931549871457e4,
        6.7265770927008700853e4,
        3.3430575583588128105e4,
        2.5090809287301226727e3,
    ),
    (
        1.0,
        4.2313330701600911252e1,
        6.8718700749205790830e2,
        5.3941960214247511077e3,
        2.1213794301586595867e4,
        3.9307895800092710610e4,
        2.8729085735721942674e4,
        5.2264952788528545610e3,
    ),
)
_NEAR_TAIL = (
    (
        1.42343711074968357734e0,
        4.63033784615654529590e0,
        5.76949722146069140550e0,
        3.64784832476320460504e0,
        1.27045825245236838258e0,
        2.41780725177450611770e-1,
        2.27238449892691845833e-2,
        7.74545014278341407640e-4,
    ),
    (
        1.0,
        2.05319162663775882187e0,
        1.67638483018380384940e0,
        6.89767334985100004550e-1,
        1.48103976427480074590e-1,
        1.51986665636164571966e-2,
        5.47593808499534494600e-4,
        1.05075007164441684324e-9,
    ),
)
_FAR_TAIL = (
    (
        6.65790464350110377720e0,
        5.46378491116411436990e0,
        1.78482653991729133580e0,
        2.96560571828504891230e-1,
        2.65321895265761230930e-2,
        1.24266094738807843860e-3,
        2.71155556874348757815e-5,
        2.01033439929228813265e-7,
    ),
    (
        1.0,
        5.99832206555887937690e-1,
        1.36929880922735805310e-1,
        1.48753612908506148525e-2,
        7.86869131145613259100e-4,
        1.84631831751005468180e-5,
        1.42151175831644588870e-7,
        2.04426310338993978564e-15,
    ),
)


_PIECE_BITS: Final = 7
"""Of the pieces of an octave. Where the tail is p, the nearest singularity is as far as 2^8 half pieces, so that each
degree gains about nine bits."""
_DEGREE: Final = 5
_SHIFT: Final = 52 - _PIECE_BITS
"""Bits of a float behind the number of its piece."""
_FIRST_PIECE: Final = int(np.float64(LEAST_UNIFORM).view(np.int64)) >> _SHIFT


class _Pieces(NamedTuple):
    """Polynomials of the distance from the upper end of each piece; columns of shape (pieces,).

    The last piece is one half alone.
    """

    ends: NDArray[np.float64]
    coefficients: tuple[NDArray[np.float64], ...]
    """The coefficients of the highest power first."""


def normal_quantile(uniforms: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the standard normal quantiles of numbers on [0, 1), shape (n,); 0 counts as `LEAST_UNIFORM`."""
    ends, (first, *others) = _pieces()
    tail = np.minimum(uniforms, 1.0 - uniforms)
    np.maximum(tail, LEAST_UNIFORM, out=tail)
    piece = tail.view(np.int64) >> _SHIFT
    piece -= _FIRST_PIECE
    below_end = tail  # its own array
    below_end -= ends.take(piece)
    size = first.take(piece)
    for coefficient in others:
        size *= below_end
        size += coefficient.take(piece)
    return np.copysign(size, uniforms - 0.5)


@cache
def _pieces() -> _Pieces:
    """Interpolate in Chebyshev's extrema, ends included, by Newton's divided differences."""
    starts = (np.arange(_FIRST_PIECE, int(np.float64(0.5).view(np.int64)) >> _SHIFT) << _SHIFT).view(np.float64)
    ends = np.append(starts[1:], 0.5)
    width = ends - starts
    # Multiples of 2^-20 of a width: the instants of the table are exact.
    nodes = [-round((1 - math.cos(math.pi * number / _DEGREE)) * 2**19) / 2**20 for number in range(_DEGREE + 1)]
    differences = [_size_by_as_241(ends + node * width) for node in nodes]
    for order in range(1, _DEGREE + 1):
        for place in range(_DEGREE, order - 1, -1):
            differences[place] = (differences[place] - differences[place - 1]) / (nodes[place] - nodes[place - order])
    powers = [differences[-1]]
    """Coefficients of the powers of the distance in widths, the highest first."""
    for difference, node in zip(differences[-2::-1], nodes[-2::-1], strict=True):
        times_node = [power * -node for power in powers]
        shifted = [*powers[1:], difference]
        powers = [powers[0], *(a + b for a, b in zip(shifted, times_node, strict=True))]
    scale = np.ones_like(width)
    columns = []
    for power in reversed(powers):
        columns.append(np.append(power * scale, 0.0))
        scale /= width
    return _Pieces(np.append(ends, 0.5), tuple(reversed(columns)))


def _size_by_as_241(tail: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sizes of the quantiles of numbers from `LEAST_UNIFORM` to 1/2."""
    off_center = 0.5 - tail
    depth = np.sqrt(-elementary.log(tail))
    near = _ratio(_NEAR_TAIL, depth - _SHIFT_NEAR)
    far = _ratio(_FAR_TAIL, depth - _SPLIT_TAIL)
    center = off_center * _ratio(_CENTER, _CENTER_SQUARED - off_center * off_center)
    return np.where(off_center <= _SPLIT_CENTER, center, np.where(depth <= _SPLIT_TAIL, near, far))


def _ratio(rational: tuple[Sequence[float], Sequence[float]], x: NDArray[np.float64]) -> NDArray[np.float64]:
    above, below = rational
    return elementary.polynomial(above, x) / elementary.polynomial(below, x)
