"""Distribution functions of the laws of durations, apart from the quantile functions by which `sim.laws` draws."""

from __future__ import annotations

from math import erf, erfc, log, sqrt
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from sim.kernel.durations import RUNAWAY_NS
from sim.laws.distributions import Constant, Empirical, Exponential, Gamma, LogNormal, Normal, Pareto, Uniform, Weibull

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sim.laws.law import Distribution

Floats = NDArray[np.float64]

_Z_99: Final = 2.3263478740408408
"""The 99th percentile of the standard normal law."""
_ROUNDING: Final = 2.0**-40
"""Of quantiles, relative to them."""


def interval(law: Distribution, durations_ns: Sequence[int] | NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Return the uniforms that durations in ns can come from under a law, as intervals (low, high), shape (n,)."""
    durations = np.asarray(durations_ns, np.float64)
    slack = 1.0 + _ROUNDING * durations
    below, up_to = durations - slack, durations + slack
    if isinstance(law, Constant):
        return (below >= law.value_ns).astype(np.float64), (up_to >= law.value_ns).astype(np.float64)
    if isinstance(law, Empirical):
        values = np.array(law.values_ns, np.float64)
        low, high = (np.searchsorted(values, at, side) for at, side in ((below, "left"), (up_to, "right")))  # type: ignore[call-overload]
        return low / len(values), high / len(values)
    # What is longer than a simulation lasts is cut to that.
    shares = share_up_to(law, up_to)
    shares[up_to >= float(RUNAWAY_NS)] = 1.0
    return share_up_to(law, below), shares


def share_up_to(law: Distribution, ns: Floats) -> Floats:
    """Return the share of durations of a law without steps that are at most so many ns, shape (n,)."""
    ns = np.maximum(ns, 0.0)
    found: Floats
    match law:
        case Uniform():
            width = law.high_ns - law.low_ns
            found = np.clip((ns - law.low_ns) / width, 0.0, 1.0) if width else (ns >= law.low_ns).astype(np.float64)
        case Exponential():
            found = -np.expm1(-ns / law.mean_ns)
        case Normal():
            above, below = ((ns + sign * law.location_ns) / law.sd_ns / sqrt(2.0) for sign in (-1.0, 1.0))
            pairs = zip(above.tolist(), below.tolist(), strict=True)
            # As it is, the difference of the error functions loses nothing in the lower tail, and little above.
            found = np.array([0.5 * (erf(up) + erf(down)) for up, down in pairs])
        case LogNormal():
            sigma = law.sigma or log((law.p99_ns or 0) / law.median_ns) / _Z_99
            with np.errstate(divide="ignore"):
                deviations = np.log(ns / law.median_ns) / sigma
            found = np.array([0.5 * erfc(-one / sqrt(2.0)) for one in deviations.tolist()])
        case Gamma():
            from scipy.special import gammainc

            found = gammainc(law.shape, ns * (law.shape / law.mean_ns)).astype(np.float64)
        case Weibull():
            with np.errstate(divide="ignore", over="ignore"):
                found = -np.expm1(-np.exp(np.log(ns / law.scale_ns) * law.shape))
        case Pareto():
            found = -np.expm1(-law.shape * np.log(np.maximum(ns / law.scale_ns, 1.0)))
        case _:
            raise TypeError(f"no distribution function is written down for {type(law).__name__}")
    return found


def is_fixed(law: Distribution) -> bool:
    """Tell whether a law has but one duration."""
    return isinstance(law, Constant) or (isinstance(law, Uniform) and law.low_ns == law.high_ns)
