"""The quantile function of the normal distribution, for arrays.

M. J. Wichura, "Algorithm AS 241: The percentage points of the normal distribution", Applied Statistics 37 (1988),
routine PPND16: rational functions in three regions, accurate to about one part in 1e16.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sim.world import elementary

_SPLIT_CENTRE = 0.425
_CENTRE_SQUARED = 0.180625
_SPLIT_TAIL = 5.0
_SHIFT_NEAR = 1.6

LEAST_UNIFORM = 2.0**-54
"""What a uniform of exactly 0 counts as: half the smallest other one that `Draws` makes."""

_CENTRE = (
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


def normal_quantile(uniforms: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the standard normal quantiles of numbers on [0, 1), shape (n,); 0 counts as `LEAST_UNIFORM`."""
    off_centre = uniforms - 0.5
    quantiles = off_centre * _ratio(_CENTRE, _CENTRE_SQUARED - off_centre * off_centre)
    (tail,) = np.nonzero(np.abs(off_centre) > _SPLIT_CENTRE)
    if tail.size:
        in_tail = np.maximum(uniforms[tail], LEAST_UNIFORM)
        depth = np.sqrt(-elementary.log(np.minimum(in_tail, 1.0 - in_tail)))
        size = _ratio(_NEAR_TAIL, depth - _SHIFT_NEAR)
        (far,) = np.nonzero(depth > _SPLIT_TAIL)
        if far.size:
            size[far] = _ratio(_FAR_TAIL, depth[far] - _SPLIT_TAIL)
        quantiles[tail] = np.copysign(size, off_centre[tail])
    return quantiles


def _ratio(rational: tuple[Sequence[float], Sequence[float]], x: NDArray[np.float64]) -> NDArray[np.float64]:
    above, below = rational
    return _polynomial(above, x) / _polynomial(below, x)


def _polynomial(coefficients: Sequence[float], x: NDArray[np.float64]) -> NDArray[np.float64]:
    value = x * coefficients[-1]
    for coefficient in coefficients[-2:0:-1]:
        value += coefficient
        value *= x
    value += coefficients[0]
    return value
