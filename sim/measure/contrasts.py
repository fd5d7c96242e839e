"""How much a number of one cell differs from that of another: estimates of B - factor * A with 95 % intervals.

`factor` is 1 for the plain difference; 1.1 asks whether B exceeds A by more than 10 %, without dividing by anything
that may be 0. Pairs are requests of equal number, which met the same weather and the same latencies, so that shared
chance cancels. Without pairs the two cells count as independent.

- means: Student's t over the pairs' own differences; if not every request counts in both cells, over their
  linearized ones (the delta method for ratio means: W. G. Cochran, Sampling Techniques, 3rd ed., Wiley 1977, sections
  2.11 and 6.4), which are the plain ones if all do. Without pairs: B. L. Welch, "The generalization of Student's
  problem when several different population variances are involved", Biometrika 34, 1947.
- rates: Wilson's interval of each, put together by squaring and adding: method 10 of R. G. Newcombe, "Improved
  confidence intervals for the difference between binomial proportions based on paired data", Statistics in Medicine
  17(22), 1998, and without pairs method 10 of his "Interval estimation for the difference between independent
  proportions", ibid. 17(8), 1998. The form for any `factor` is that of G. Y. Zou and A. Donner, "Construction of
  confidence limits about effect measures", ibid. 27(10), 2008.
- quantiles: Thompson's interval (`sim.measure.estimates`) rests on the law of one count, of the values below the true
  quantile, which is binomial whatever the values are. For two cells there are two such counts, jointly binomial in
  each pair, and all that they share is the correlation of the pair's indicators "A below its quantile, B below its"
  (A. M. Mood, "On the joint distribution of the medians in samples from a multivariate population", Annals of
  Mathematical Statistics 12(3), 1941; G. J. Babu and C. R. Rao, "Joint asymptotic distribution of marginal quantiles
  ...", Journal of Multivariate Analysis 27(1), 1988). So the interval goes from the 2.5 % to the 97.5 % point of
  B(rank) - factor * A(rank) over the joint law of the ranks. That needs no density, knows jumps and infinity, and with
  A constant it is Thompson's interval. To the first order it is the percentile interval of a bootstrap over pairs,
  computed instead of resampled. The joint law is taken as normal in rank (a Gaussian copula of exact binomials).
- shared worlds: t over the differences of paired replications about the pooled one, as `estimates` does; Welch's
  without pairs.

Differences of times may be infinite; infinity less infinity is no difference, so it is None.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Self

import numpy as np
from numpy.typing import NDArray

from sim.history.vocabulary import NEVER
from sim.measure.estimates import (
    NOTHING,
    TAIL,
    AnySample,
    Estimate,
    deviation,
    quantile_rank,
    rate,
    t_quantile,
)

LATTICE = (10_946, 6_765)
"""Two successive Fibonacci numbers: of all lattices of so many points in a square theirs lies most evenly
(L. K. Hua and Y. Wang, Applications of Number Theory to Numerical Analysis, Springer 1981)."""

Counts = tuple[int, int]
"""Hits, and trials."""

REACH = 9
"""Ranks more than this many standard deviations from their mean are ignored."""


@dataclass(frozen=True, slots=True)
class Column:
    """A quantity of each request of a cell."""

    values: NDArray[np.int64]
    """Shape (requests,); `NEVER` (-1) for infinite."""
    counted: NDArray[np.bool_]
    """Shape (requests,): which of them count."""

    @property
    def never(self) -> NDArray[np.bool_]:
        """Which requests count and are infinite."""
        never: NDArray[np.bool_] = self.counted & (self.values == NEVER)
        return never

    def equals(self, other: Self) -> bool:
        """Whether every request counts in both or in neither, and with the same value."""
        return np.array_equal(self.counted, other.counted) and np.array_equal(
            self.values[self.counted], other.values[other.counted]
        )


@dataclass(frozen=True, slots=True)
class Moments:
    """Count, mean and variance of one cell, from which a difference of means is estimated."""

    count: int
    mean: float
    variance: float
    """With the divisor count - 1; 0 for one value."""

    @classmethod
    def of(cls, sample: AnySample) -> Self:
        """Take the moments of finite values, at least one."""
        count = len(sample)
        total, squares = sample.sums()
        # Sums of whole numbers are exact, so this is 0 if all values are equal.
        return cls(count, total / count, (count * squares - total**2) / (count * max(1, count - 1)))


# -- means -------------------------------------------------------------------------------------------------------------


def paired_means(a: Column, b: Column, *, factor: float = 1.0) -> Estimate:
    """Estimate the difference of two means over pairs; the values that count are finite."""
    in_a, in_b = int(a.counted.sum()), int(b.counted.sum())
    if not in_a or not in_b:
        return NOTHING
    requests = len(a.values)
    # Times of 10^15 ns leave a double enough digits, once their mean is gone.
    mean_a, mean_b = (float(column.values[column.counted].mean(dtype=np.float64)) for column in (a, b))
    parts = (b.values - mean_b) * b.counted * (requests / in_b)
    parts -= (a.values - mean_a) * a.counted * (factor * requests / in_a)
    value = mean_b - factor * mean_a
    if min(in_a, in_b) < 2:
        return Estimate(value)
    half = t_quantile(requests - 1) * math.sqrt(float(np.square(parts).sum()) / (requests - 1) / requests)
    return Estimate(value, value - half, value + half)


def independent_means(a: Moments, b: Moments, *, factor: float = 1.0) -> Estimate:
    """Estimate the difference of the means of two independent samples (Welch)."""
    value = b.mean - factor * a.mean
    if min(a.count, b.count) < 2:
        return Estimate(value)
    shares = (b.variance / b.count, factor**2 * a.variance / a.count)
    total = sum(shares)
    if total == 0:
        return Estimate(value, value, value)
    freedom = total**2 / (shares[0] ** 2 / (b.count - 1) + shares[1] ** 2 / (a.count - 1))
    half = t_quantile(max(1, math.floor(freedom))) * math.sqrt(total)
    return Estimate(value, value - half, value + half)


def of_infinite_means(never: Estimate, *, a: bool, b: bool) -> Estimate:
    """Estimate a difference of means one or both of which are infinite (`a`, `b`).

    One infinite value makes a sample's mean infinite, but the other cell may have none by luck: the difference is
    certain only if that of the shares of infinite values, `never`, is.
    """
    if a and b:
        return Estimate(None)
    value = math.inf if b else -math.inf
    certain = never.low is not None and never.high is not None and (never.low > 0 if b else never.high < 0)
    return Estimate(value, value, value) if certain else Estimate(value, -math.inf, math.inf)


# -- rates -------------------------------------------------------------------------------------------------------------


def rates(of_a: Counts, of_b: Counts, *, factor: float = 1.0, correlation: float = 0.0) -> Estimate:
    """Estimate the difference of two shares whose estimates have this `correlation` (Newcombe; Zou and Donner)."""
    a, b = rate(*of_a), rate(*of_b)
    if a.value is None or b.value is None or a.low is None or a.high is None or b.low is None or b.high is None:
        return NOTHING
    # Exact: 90.485 % and 9.515 % have to move by the same number of digits.
    value = float(Fraction(*of_b) - Fraction(factor) * Fraction(*of_a))
    below, above = b.value - b.low, factor * (a.high - a.value)
    low = value - _added(below, above, correlation)
    below, above = factor * (a.value - a.low), b.high - b.value
    high = value + _added(below, above, correlation)
    return Estimate(value, max(low, -factor), min(high, 1.0))


def _added(one: float, other: float, correlation: float) -> float:
    return math.sqrt(max(0.0, one * one - 2 * correlation * one * other + other * other))


def correlation_of(
    a: NDArray[np.bool_], counted_a: NDArray[np.bool_], b: NDArray[np.bool_], counted_b: NDArray[np.bool_]
) -> float:
    """Return the correlation of two shares, of `a` among `counted_a` and of `b` among `counted_b`, over pairs.

    It is that of the pairs' indicators, made smaller if there are few pairs (Newcombe's correction for continuity, his
    method 10) and if not every request counts in both cells.
    """
    both = counted_a & counted_b
    pairs = int(both.sum())
    if not pairs:
        return 0.0
    yes = int((a & b & both).sum())
    only_a, only_b = int((a & both).sum()) - yes, int((b & both).sum()) - yes
    no = pairs - yes - only_a - only_b
    margins = (yes + only_a, only_b + no, yes + only_b, only_a + no)
    if 0 in margins:
        return 0.0
    more = float(yes * no - only_a * only_b)
    more = max(0.0, more - pairs / 2) if more > 0 else more
    found = more / math.prod(map(math.sqrt, margins))
    return found * pairs / math.sqrt(float(counted_a.sum()) * float(counted_b.sum()))


# -- quantiles ---------------------------------------------------------------------------------------------------------


def quantiles(
    a: AnySample, b: AnySample, share: Fraction, *, factor: float = 1.0, correlation: float = 0.0, within: float = 0.0
) -> Estimate:
    """Estimate the difference of a quantile in two samples of non-negative values, some perhaps infinite.

    `correlation` is that of the indicators of lying below the quantile. If a sample is too small to bound its quantile,
    the difference is not bounded either. Values may be off by a share `within` of themselves, as in histograms; the
    interval makes room for that.
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
    lows = _less(less * _ordered(b, below_b), factor * more * _ordered(a, below_a + 1), undefined=-math.inf)
    highs = _less(more * _ordered(b, below_b + 1), factor * less * _ordered(a, below_a), undefined=math.inf)
    out = math.floor(TAIL * len(lows))
    low, high = float(np.partition(lows, out)[out]), float(np.partition(highs, len(highs) - 1 - out)[-1 - out])
    return Estimate(None if math.isnan(value) else float(value), low, high)


def below_quantile(column: Column, sample: AnySample, share: Fraction) -> NDArray[np.bool_]:
    """Say of each request whether it counts and does not lie above the sample's quantile."""
    bound = sample.ordered(quantile_rank(len(sample), share))
    inside: NDArray[np.bool_] = column.counted & (column.values != NEVER)
    if math.isfinite(bound):
        inside &= column.values <= bound
    return inside


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


# -- replications ------------------------------------------------------------------------------------------------------


def paired_replications(
    pooled: float | None, values_a: Sequence[float], values_b: Sequence[float], *, factor: float = 1.0
) -> Estimate:
    """Give the pooled difference its interval from the differences of paired replications; fewer than two give none."""
    if pooled is None or len(values_a) < 2:
        return Estimate(pooled)
    if not all(map(math.isfinite, (pooled, *values_a, *values_b))):
        return Estimate(pooled, -math.inf, math.inf)
    differences = [b - factor * a for a, b in zip(values_a, values_b, strict=True)]
    half = t_quantile(len(differences) - 1) * deviation(pooled, differences) / math.sqrt(len(differences))
    return Estimate(pooled, pooled - half, pooled + half)


def independent_replications(
    pooled: float | None, values_a: Sequence[float], values_b: Sequence[float], *, factor: float = 1.0
) -> Estimate:
    """Give the pooled difference its interval from two independent sets of replications (Welch)."""
    if pooled is None or min(len(values_a), len(values_b)) < 2:
        return Estimate(pooled)
    if not all(map(math.isfinite, (pooled, *values_a, *values_b))):
        return Estimate(pooled, -math.inf, math.inf)
    found = independent_means(*(_moments(values) for values in (values_a, values_b)), factor=factor)
    if found.low is None or found.high is None or found.value is None:
        return Estimate(pooled)
    return Estimate(pooled, pooled + (found.low - found.value), pooled + (found.high - found.value))


def _moments(values: Sequence[float]) -> Moments:
    middle = math.fsum(values) / len(values)
    return Moments(len(values), middle, deviation(middle, values) ** 2)
