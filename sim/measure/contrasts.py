"""How much a mean or a rate of one cell differs from that of another: B - factor * A with its 95 % interval.

`factor` is 1 for the plain difference; 1.1 asks whether B exceeds A by more than 10 %, without dividing by anything
that may be 0. Pairs are requests of equal number, which met the same weather and the same latencies, so that shared
chance cancels. Without pairs the two cells count as independent. Quantiles are in `quantile_contrasts`.

- means: the pairs' own differences are a sample with values on both sides of 0. The mean of those above and of those
  below have the interval of `sim.measure.means` each, put together by squaring and adding, with the correlation that
  the two have since a difference is never both (G. Y. Zou and A. Donner, "Construction of confidence limits about
  effect measures", Statistics in Medicine 27(10), 2008). If no pair differs upward, a rarer one may by as much as the
  largest difference downward; if none differs at all, by the largest value. If not every request counts in both, the
  differences are linearized ones (the delta method for ratio means: W. G. Cochran, Sampling Techniques, 3rd ed., Wiley
  1977, sections 2.11 and 6.4), which are the plain ones if all do. Without pairs: the two intervals, put together in
  the same way.
- rates: the interval of E. B. Wilson ("Probable inference, the law of succession, and statistical inference", JASA
  22(158), 1927) of each, put together by squaring and adding: method 10 of R. G. Newcombe, "Improved confidence
  intervals for the difference between binomial proportions based on paired data", Statistics in Medicine 17(22), 1998,
  and without pairs method 10 of his "Interval estimation for the difference between independent proportions",
  ibid. 17(8), 1998. The form for any `factor` is that of Zou and Donner.
- shared worlds: the differences of paired replications are the sample, but not of a quantile that so few requests of a
  replication lie beyond that it is another number than that of all. Such a one, and all cells without pairs, have the
  two intervals over replications put together; with pairs, by the correlation of the replications' shares below.

Differences of times may be infinite; infinity less infinity is no difference, so it is None.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Self

import numpy as np
from numpy.typing import NDArray

from sim.history.vocabulary import NEVER
from sim.measure.estimates import NOTHING, Estimate, Z, share_limits
from sim.measure.means import NEVER_DIFFERS, Shape, interval
from sim.measure.possible import Bounds

Counts = tuple[int, int]
"""Hits, and trials."""


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


# -- means -------------------------------------------------------------------------------------------------------------


def paired_means(a: Column, b: Column, *, factor: float = 1.0, least_step: float = 0.0) -> Estimate:
    """Estimate the difference of two means over pairs; the values that count are finite.

    `least_step` is by how much a value that is not 0 differs from it at least: 1 for counts.
    """
    in_a, in_b = int(a.counted.sum()), int(b.counted.sum())
    if not in_a or not in_b:
        return NOTHING
    requests = len(a.values)
    # Times of 10^15 ns leave a double enough digits, once their mean is gone.
    mean_a, mean_b = (float(column.values[column.counted].mean(dtype=np.float64)) for column in (a, b))
    value = mean_b - factor * mean_a
    if min(in_a, in_b) < 2:
        return Estimate(value)
    if in_a == in_b == requests:
        parts = b.values - factor * a.values
    else:
        parts = (b.values - mean_b) * b.counted * (requests / in_b)
        parts -= (a.values - mean_a) * a.counted * (factor * requests / in_a)
        parts += value
    largest = max(least_step, float(b.values[b.counted].max()), factor * float(a.values[a.counted].max()))
    return signed_mean(value, np.asarray(parts, dtype=np.float64), largest)


def signed_mean(value: float, differences: NDArray[np.float64], largest: float) -> Estimate:
    """Give a mean `value` of at least two differences of either sign its interval.

    A pair rarer than all seen may differ by as much as the largest difference seen, either way; if there is none, by
    `largest`; if that is 0 too, nothing can be said.
    """
    largest = float(np.abs(differences).max()) or largest
    if largest == 0:
        return Estimate(value, reason=NEVER_DIFFERS)
    if (differences == differences[0]).all():
        unseen = share_limits(0, len(differences))[1]
        return Estimate(value, value - unseen * (largest + value), value + unseen * (largest - value))
    shapes, parts = [], []
    for one in (np.maximum(differences, 0.0), np.maximum(-differences, 0.0)):
        shapes.append(Shape.of_values(one))
        parts.append(interval(shapes[-1], Bounds(0.0, largest if not one.any() else math.inf)))
    up, down = parts
    if up.low is None or up.high is None or down.low is None or down.high is None:
        return Estimate(value, reason=up.reason or down.reason)
    mean_up, mean_down = shapes[0].mean, shapes[1].mean
    spread = math.sqrt(shapes[0].variance * shapes[1].variance)
    # No difference is on both sides, so the mean of their product is 0.
    correlation = -mean_up * mean_down / spread if spread else 0.0
    low = value - _added(mean_up - up.low, down.high - mean_down, correlation)
    return Estimate(value, low, value + _added(up.high - mean_up, mean_down - down.low, correlation))


def independent(a: Estimate, b: Estimate, *, factor: float = 1.0, correlation: float = 0.0) -> Estimate:
    """Estimate the difference of two estimates from their intervals; they are independent but for a `correlation`."""
    if a.value is None or b.value is None:
        return NOTHING
    value = b.value - factor * a.value
    if a.low is None or a.high is None or b.low is None or b.high is None:
        return Estimate(value, reason=a.reason or b.reason)
    if not math.isfinite(a.high) or not math.isfinite(b.high):
        correlation = 0.0
    low = value - _added(b.value - b.low, factor * (a.high - a.value), correlation)
    return Estimate(value, low, value + _added(b.high - b.value, factor * (a.value - a.low), correlation))


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
    if not of_a[1] or not of_b[1]:
        return NOTHING
    a, b = _wilson(*of_a), _wilson(*of_b)
    # Exact: 90.485 % and 9.515 % have to move by the same number of digits.
    value = float(Fraction(*of_b) - Fraction(factor) * Fraction(*of_a))
    low = value - _added(b[0] - b[1], factor * (a[2] - a[0]), correlation)
    high = value + _added(b[2] - b[0], factor * (a[0] - a[1]), correlation)
    return Estimate(value, max(low, -factor), min(high, 1.0))


def _wilson(hits: int, trials: int) -> tuple[float, float, float]:
    """Return a share of at least one trial and the limits of Wilson's interval."""
    share = hits / trials
    spread = Z * math.sqrt(share * (1 - share) / trials + Z**2 / (4 * trials**2))
    middle, scale = share + Z**2 / (2 * trials), 1 + Z**2 / trials
    low = max(0.0, (middle - spread) / scale) if hits > 0 else 0.0
    high = min(1.0, (middle + spread) / scale) if hits < trials else 1.0
    return share, low, high


def _added(one: float, other: float, correlation: float) -> float:
    if not correlation:
        return math.hypot(one, other)  # one of them may be infinite
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


# -- replications ------------------------------------------------------------------------------------------------------


def paired_replications(
    pooled: float | None,
    values_a: Sequence[float],
    values_b: Sequence[float],
    *,
    factor: float = 1.0,
    is_share: bool = False,
    few_turns: str = "",
) -> Estimate:
    """Give the pooled difference its interval from the differences of paired replications; fewer than two give none.

    `is_share` says that the values lie between 0 and 1, `few_turns` why replications cannot show what turns so rarely.
    """
    if pooled is None or len(values_a) < 2:
        return Estimate(pooled)
    if not all(map(math.isfinite, (pooled, *values_a, *values_b))):
        return Estimate(pooled, -math.inf, math.inf)
    if few_turns and not is_share:
        return Estimate(pooled, reason=few_turns)
    differences = np.array(values_b, dtype=np.float64) - factor * np.array(values_a, dtype=np.float64)
    value = float(differences.mean())
    ends = (-factor, 1.0) if is_share else (-math.inf, math.inf)
    found = signed_mean(value, differences, 1.0 if is_share else max(*values_b, *(factor * one for one in values_a)))
    if found.low is None or found.high is None:
        return Estimate(pooled, reason=found.reason)
    low, high = pooled + (found.low - value), pooled + (found.high - value)
    if few_turns:
        unseen = share_limits(0, len(differences))[1]
        low, high = min(low, pooled - unseen * (pooled + factor)), max(high, pooled + unseen * (1.0 - pooled))
    return Estimate(pooled, max(low, ends[0]), min(high, ends[1]))


def independent_replications(
    pooled: float | None, a: Estimate, b: Estimate, *, factor: float = 1.0, correlation: float = 0.0
) -> Estimate:
    """Give the pooled difference its interval from the intervals of two sets of replications."""
    if pooled is None or not math.isfinite(pooled):
        return Estimate(pooled, *((-math.inf, math.inf) if pooled is not None else ()))
    return independent(a, b, factor=factor, correlation=correlation)
