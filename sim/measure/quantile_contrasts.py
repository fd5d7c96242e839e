"""How much a quantile of one cell differs from that of another: B - factor * A with its 95 % interval.

Thompson's interval (`sim.measure.estimates`) rests on the law of one count, of the values below the true quantile,
which is binomial whatever the values are. For two cells there are two such counts, jointly binomial in each pair, and
all that they share is the correlation of the pair's indicators "A below its quantile, B below its" (A. M. Mood, "On the
joint distribution of the medians in samples from a multivariate population", Annals of Mathematical Statistics 12(3),
1941; G. J. Babu and C. R. Rao, "Joint asymptotic distribution of marginal quantiles ...", Journal of Multivariate
Analysis 27(1), 1988). So the interval goes from the 2.5 % to the 97.5 % point of B(rank) - factor * A(rank) over the
joint law of the ranks. That needs no density, knows jumps and infinity, and with A constant it is Thompson's interval.
To the first order it is the percentile interval of a bootstrap over pairs, computed instead of resampled. The joint law
is taken as normal in rank (a Gaussian copula of exact binomials).

What pairs share is used three times. `PairRanks` measures their correlation at several places. The true quantiles of
a pair lie in the same gap between two successive values of each cell, so both ends of the gap are taken together; cells
that are independent get the wider combinations. And where both cells are smooth about the quantile, a parabola takes
the place of the values: these wander about their law, each cell in its own way, by more than the difference of two
related quantiles varies, so that intervals between the values themselves cover 99 % and more.
"""

import math
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.measure.estimates import NOTHING, TAIL, AnySample, Estimate, quantile_rank

LATTICE = (10_946, 6_765)
"""Two successive Fibonacci numbers: of all lattices of so many points in a square theirs lies most evenly
(L. K. Hua and Y. Wang, Applications of Number Theory to Numerical Analysis, Springer 1981)."""

REACH = 9
"""Ranks more than this many standard deviations from their mean are ignored."""

WINDOW = 2
"""A parabola is laid through the values within so many standard deviations of the rank."""
LEAST_WINDOW = 5
"""So many ranks on either side at least."""
SMOOTH = (1.5, 0.05)
"""Values are smooth if none is further from the parabola than (first / root of their number + second) of their range.
Steps and jumps are not."""

Floats = NDArray[np.floating[Any]]


def quantiles(
    a: AnySample, b: AnySample, share: Fraction, *, factor: float = 1.0, correlation: float = 0.0, within: float = 0.0
) -> Estimate:
    """Estimate the difference of a quantile in two samples of non-negative values, some perhaps infinite.

    `correlation` is that of the indicators of lying below the quantile, 0 for independent cells. If a sample is too
    small to bound its quantile, the difference is not bounded either. Values may be off by a share `within` of
    themselves, as in histograms; the interval makes room for that.
    """
    if not len(a) or not len(b):
        return NOTHING
    value = _less(
        np.array([b.ordered(quantile_rank(len(b), share))]),
        factor * np.array([a.ordered(quantile_rank(len(a), share))]),
        undefined=math.nan,
    )[0]
    x, y = _lattice()
    along, across = math.sqrt((1 + correlation) / 2), math.sqrt((1 - correlation) / 2)
    below_a = _counts(along * x + across * y, len(a), share)
    below_b = _counts(along * x - across * y, len(b), share)
    curves = [_parabola(one, share) for one in (a, b)] if correlation and not within else [None]
    if None not in curves:
        of_a, of_b = (
            curve(below - float(share) * len(one))
            for curve, below, one in zip(curves, (below_a, below_b), (a, b), strict=True)
            if curve is not None
        )
        low, high = _percentiles(of_b - factor * of_a, of_b - factor * of_a)
        return Estimate(float(value), min(low, float(value)), max(high, float(value)))
    # The true quantile lies between the last value below it and the next.
    less, more = 1 - within, 1 + within
    curves = [_parabola(one, share) for one in (a, b)] if correlation and not within else []
    if curves and None not in curves:
        smooth_a, smooth_b = (
            curve(below - float(share) * len(one))
            for curve, below, one in zip(curves, (below_a, below_b), (a, b), strict=True)
            if curve is not None
        )
        lows = highs = smooth_b - factor * smooth_a
        low, high = _percentiles(lows, highs)
        return Estimate(float(value), min(low, float(value)), max(high, float(value)))
    ends_a, ends_b = ([_ordered(one, below + end) for end in (0, 1)] for one, below in ((a, below_a), (b, below_b)))
    if correlation:
        lows, highs = (
            choose(
                _less(scale * ends_b[0], factor * other * ends_a[0], undefined=undefined),
                _less(scale * ends_b[1], factor * other * ends_a[1], undefined=undefined),
            )
            for choose, scale, other, undefined in (
                (np.minimum, less, more, -math.inf),
                (np.maximum, more, less, math.inf),
            )
        )
    else:
        lows = _less(less * ends_b[0], factor * more * ends_a[1], undefined=-math.inf)
        highs = _less(more * ends_b[1], factor * less * ends_a[0], undefined=math.inf)
    return Estimate(None if math.isnan(value) else float(value), *_percentiles(lows, highs))


def _percentiles(lows: Floats, highs: Floats) -> tuple[float, float]:
    """Return the point that 2.5 % of `lows` are below, and that which 2.5 % of `highs` are above."""
    out = math.floor(TAIL * len(lows))
    return float(np.partition(lows, out)[out]), float(np.partition(highs, len(highs) - 1 - out)[-1 - out])


def _parabola(sample: AnySample, share: Fraction) -> Callable[[Floats], Floats] | None:
    """Return the values about a quantile as a smooth function of the distance in ranks; None if they are not smooth."""
    rank = quantile_rank(len(sample), share)
    reach = math.ceil(WINDOW * math.sqrt(len(sample) * float(share) * (1 - float(share))))
    if reach < LEAST_WINDOW or rank - reach < 1 or rank + reach > len(sample) - sample.infinite:
        return None
    values = sample.at(np.arange(rank - reach, rank + reach + 1)).astype(np.float64)
    at = np.arange(-reach, reach + 1) / reach
    # On a symmetric grid 1, x, and x^2 less its mean are orthogonal.
    squares = at**2
    center, constant = float(squares.mean()), float(values.mean())
    slope = float((at * values).sum() / squares.sum())
    bend = float(((squares - center) * values).sum() / np.square(squares - center).sum())

    def curve(distance: Floats) -> Floats:
        place = distance / reach
        smoothed: Floats = constant + slope * place + bend * (place**2 - center)
        return smoothed

    first, second = SMOOTH
    most = (first / math.sqrt(len(values)) + second) * float(values[-1] - values[0])
    return curve if float(np.abs(values - curve(at * reach)).max()) < most else None


def _less(b: NDArray[np.float64], a: NDArray[np.float64], *, undefined: float) -> NDArray[np.float64]:
    less = np.full(len(b), undefined)
    np.subtract(b, a, out=less, where=~(np.isinf(a) & np.isinf(b)))
    return less


def _ordered(sample: AnySample, ranks: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the values of ranks from 1; those of rank 0 are 0, as times are not negative, beyond the last infinite."""
    ordered = np.where(ranks > 0, math.inf, 0.0)
    finite = (ranks > 0) & (ranks <= len(sample) - sample.infinite)
    ordered[finite] = sample.at(ranks[finite])
    return ordered


@lru_cache(maxsize=1)
def _lattice() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return points that fill the plane as two independent standard normal numbers do, each with its mirror image.

    Mirrored about the first axis, so that A and B change places without changing anything.
    """
    from scipy.special import ndtri

    points, step = LATTICE
    numbers = np.arange(points)
    x = ndtri((numbers + 0.5) / points)
    y = ndtri((numbers * step % points + 0.5) / points)
    return np.concatenate((x, x)), np.concatenate((y, -y))


def _counts(normal: NDArray[np.float64], count: int, share: Fraction) -> NDArray[np.int64]:
    """Turn standard normal numbers into binomial ones of the same probability."""
    from scipy.special import ndtr

    first, cumulative = _binomial(count, share)
    return first + np.searchsorted(cumulative, ndtr(normal))


@lru_cache(maxsize=64)
def _binomial(count: int, share: Fraction) -> tuple[int, NDArray[np.float64]]:
    """Return P(N <= n) of Binomial(count, share) for n around the mean, and the first of these n."""
    from scipy.special import bdtr

    mean = float(share) * count
    reach = REACH * math.sqrt(mean * (1 - float(share))) + REACH
    first, last = max(0, math.floor(mean - reach)), min(count, math.ceil(mean + reach))
    cumulative = bdtr(np.arange(first, last + 1, dtype=np.float64), count, float(share))
    return first, cumulative[:-1]
