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

What pairs share is used twice. The correlation is measured not at the quantile alone, where few pairs disagree, but
at `PLACES` places within a standard deviation of the rank, with `UNSEEN` pairs added that disagree either way. And the
true quantiles of a pair lie in the same gap between two successive values of each cell, so both ends of the gap are
taken together; cells that are independent get the wider combinations.
"""

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Self

import numpy as np
from numpy.typing import NDArray

from sim.history.vocabulary import NEVER
from sim.measure.contrasts import Column
from sim.measure.estimates import NOTHING, TAIL, AnySample, Estimate, quantile_rank

LATTICE = (10_946, 6_765)
"""Two successive Fibonacci numbers: of all lattices of so many points in a square theirs lies most evenly
(L. K. Hua and Y. Wang, Applications of Number Theory to Numerical Analysis, Springer 1981)."""

REACH = 9
"""Ranks more than this many standard deviations from their mean are ignored."""

PLACES = 17
UNSEEN = 0.25


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
    # The true quantile lies between the last value below it and the next.
    less, more = 1 - within, 1 + within
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
    out = math.floor(TAIL * len(lows))
    low, high = float(np.partition(lows, out)[out]), float(np.partition(highs, len(highs) - 1 - out)[-1 - out])
    return Estimate(None if math.isnan(value) else float(value), low, high)


@dataclass(frozen=True, slots=True)
class PairRanks:
    """Of each pair, how many values lie below it in each cell; enough to correlate any quantile of the two."""

    below_a: NDArray[np.int64]
    """Shape (pairs,), ascending: of each request, how many values of A lie below its own."""
    below_b: NDArray[np.int64]
    below_both: NDArray[np.int64]
    """Shape (pairs,), ascending: the larger of the two numbers of each pair."""
    share_of_pairs: float
    """Pairs over the geometric mean of the numbers of requests that count in A and in B."""

    @classmethod
    def of(cls, a: Column, b: Column) -> Self:
        """Rank the pairs that count in both cells."""
        both = a.counted & b.counted
        below = [_before(column.values[both]) for column in (a, b)]
        sizes = float(a.counted.sum()) * float(b.counted.sum())
        share = int(both.sum()) / math.sqrt(sizes) if sizes else 0.0
        return cls(np.sort(below[0]), np.sort(below[1]), np.sort(np.maximum(*below)), share)

    def correlation(self, share: Fraction) -> float:
        """Return the correlation, over pairs, of not lying above the quantile of a share in A and in B.

        It is smaller if not every request counts in both cells.
        """
        pairs = len(self.below_a)
        if pairs < 2:
            return 0.0
        rank = quantile_rank(pairs, share)
        reach = math.sqrt(pairs * float(share) * (1 - float(share)))
        places = np.unique(np.clip(np.rint(np.linspace(rank - reach, rank + reach, PLACES)), 1, pairs - 1))
        # A value does not lie above that of a rank if fewer values than the rank lie below it.
        in_a, in_b, in_both = (
            float(np.searchsorted(ascending, places, side="left").mean())
            for ascending in (self.below_a, self.below_b, self.below_both)
        )
        only_a, only_b, neither = in_a - in_both + UNSEEN, in_b - in_both + UNSEEN, pairs - in_a - in_b + in_both
        margins = (in_both + only_a) * (only_b + neither) * (in_both + only_b) * (only_a + neither)
        found = (in_both * neither - only_a * only_b) / math.sqrt(margins) if margins > 0 else 0.0
        return found * self.share_of_pairs


def _before(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return for each value how many are below it; `NEVER` is above all others."""
    numbers = np.where(values == NEVER, np.iinfo(np.int64).max, values)
    return np.searchsorted(np.sort(numbers), numbers, side="left")


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
