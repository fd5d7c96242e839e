"""Estimates with 95 % intervals: quantiles and rates of independent requests. Means are in `sim.measure.means`.

Every interval here is two-sided with 2.5 % on each side. Times may be infinite (an event that never comes):
order statistics can deal with that, means cannot:

- quantile: the smallest x with F(x) >= q, estimated by the order statistic ceil(q * n) (type 1 of R. J. Hyndman and
  Y. Fan, "Sample quantiles in statistical packages", The American Statistician 50(4), 1996). Its interval goes between
  two order statistics whose ranks come from the exact binomial law (W. R. Thompson, "On confidence ranges for the
  median ...", Annals of Mathematical Statistics 7(3), 1936); it holds for any law, and covers more than
  95 % of one with jumps (H. Scheffe and J. W. Tukey, "Non-parametric estimation", ibid. 16(2), 1945).
- rate: the exact interval of C. J. Clopper and E. S. Pearson, "The use of confidence or fiducial limits illustrated in
  the case of the binomial", Biometrika 26(4), 1934. It covers at least 95 % whatever the rate is; the shorter interval
  of Wilson covers only 84 % of a rate of 0.17 / n, and retries are judged by rates as rare as that (L. D. Brown, T. T.
  Cai and A. DasGupta, "Interval estimation for a binomial proportion", Statistical Science 16(2), 2001, show the dip).
"""

import math
from bisect import bisect_left
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from sim.history.vocabulary import NEVER
from sim.measure.sums import exact_sums

TAIL = 0.025
"""The probability left out on either side of an interval."""

Z = 1.959963984540054
"""The normal quantile at 1 - TAIL."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number and its 95 % interval, in the unit of its metric (ns for durations, a share of 1 for shares)."""

    value: float | None
    """None if there is nothing to measure; `math.inf` for an event that never comes."""
    low: float | None = None
    high: float | None = None
    """Both None if no interval can be given; `math.inf` if the sample bounds the value from below only."""
    reason: str = ""
    """For users: why no interval can be given, if that does not follow from the number of requests."""

    @property
    def has_interval(self) -> bool:
        """Whether an interval could be given."""
        return self.low is not None and self.high is not None


NOTHING = Estimate(None)
"""The estimate from no values at all."""


class AnySample(Protocol):
    """Non-negative values as estimates need them: each one (`Sample`), or their histogram."""

    @property
    def infinite(self) -> int:
        """How many values are infinite."""

    def __len__(self) -> int: ...

    def ordered(self, rank: int) -> float:
        """Return the value of a rank, counted from 1; that of the largest finite one is exact."""

    def between(self, rank: int) -> tuple[float, float]:
        """Return the bounds between which the value of a rank, counted from 1, certainly lies."""

    def share_up_to(self, bound: float, *, inclusive: bool) -> float:
        """Return the share of values <= bound (inclusive) or < bound; of a sample that is not empty."""

    def at(self, ranks: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the values of ranks, counted from 1, all of finite values."""

    def counts_up_to(self, values: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return how many values are <= each of `values`."""

    def sums(self) -> tuple[int, int]:
        """Return the sum of the finite values and the sum of their squares, exactly."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Values in ascending order, and how many more are infinite."""

    finite: NDArray[np.int64]
    """Shape (finite values,), ascending."""
    infinite: int = 0

    @classmethod
    def of(cls, values: NDArray[np.int64]) -> Self:
        """Sort values, shape (n,); `NEVER` (-1) stands for an infinite one."""
        return cls.of_ascending(np.sort(values))

    @classmethod
    def of_ascending(cls, ascending: NDArray[np.int64]) -> Self:
        """Take values that are sorted already, shape (n,); `NEVER` (-1) stands for an infinite one."""
        infinite = int(np.searchsorted(ascending, NEVER, side="right"))
        return cls(ascending[infinite:], infinite)

    def __len__(self) -> int:
        return len(self.finite) + self.infinite

    def ordered(self, rank: int) -> float:
        """Return the value of a rank, counted from 1."""
        return float(self.finite[rank - 1]) if rank <= len(self.finite) else math.inf

    def between(self, rank: int) -> tuple[float, float]:
        """Return the value of a rank, counted from 1, twice: it is known."""
        return self.ordered(rank), self.ordered(rank)

    def share_up_to(self, bound: float, *, inclusive: bool) -> float:
        """Return the share of values <= bound (inclusive) or < bound; of a sample that is not empty."""
        return int(np.searchsorted(self.finite, bound, side="right" if inclusive else "left")) / len(self)

    def at(self, ranks: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the values of ranks, counted from 1, all of finite values."""
        return self.finite[ranks - 1]

    def counts_up_to(self, values: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return how many values are <= each of `values`."""
        return np.searchsorted(self.finite, values, side="right")

    def sums(self) -> tuple[int, int]:
        """Return the sum of the finite values and the sum of their squares, exactly."""
        return exact_sums(self.finite)


class Unsorted:
    """Finite and infinite values in any order, of which few ranks are asked for: the ends, and the largest ones."""

    def __init__(self, values: NDArray[np.int64]) -> None:
        """Take values, shape (n,), which may be sorted in place; `NEVER` (-1) stands for an infinite one."""
        self._values = values
        self.infinite = int(np.count_nonzero(values == NEVER))
        self._top: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        """The largest values that were asked for so far, ascending; unless they are all that there are."""
        self._sorted: Sample | None = Sample.of(values) if self.infinite else None

    @property
    def _sample(self) -> Sample:
        if self._sorted is None:
            self._values.sort()
            self._sorted = Sample.of_ascending(self._values)
        return self._sorted

    def __len__(self) -> int:
        return len(self._values)

    def ordered(self, rank: int) -> float:
        """Return the value of a rank, counted from 1."""
        if self._sorted is None and rank in {1, len(self)}:
            return float(self._values.min() if rank == 1 else self._values.max())
        return self._sample.ordered(rank)

    def between(self, rank: int) -> tuple[float, float]:
        """Return the value of a rank, counted from 1, twice: it is known."""
        return self.ordered(rank), self.ordered(rank)

    def share_up_to(self, bound: float, *, inclusive: bool) -> float:
        """Return the share of values <= bound (inclusive) or < bound; of a sample that is not empty."""
        return self._sample.share_up_to(bound, inclusive=inclusive)

    def at(self, ranks: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the values of ranks, counted from 1, all of finite values."""
        kept = len(self) - int(ranks.min(initial=len(self))) + 1
        if self._sorted is not None or kept > len(self) // 8:
            return self._sample.at(ranks)
        if kept > len(self._top):
            self._top = np.sort(np.partition(self._values, len(self) - kept)[len(self) - kept :])
        return self._top[ranks - 1 - len(self)]

    def counts_up_to(self, values: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return how many values are <= each of `values`."""
        if self._sorted is not None or len(values) > 4:
            return self._sample.counts_up_to(values)
        return np.array([np.count_nonzero(self._values <= value) for value in values], dtype=np.int64)

    def sums(self) -> tuple[int, int]:
        """Return the sum of the finite values and the sum of their squares, exactly."""
        return exact_sums(self._values) if self._sorted is None else self._sorted.sums()


def quantile_rank(count: int, share: Fraction) -> int:
    """Return the rank, from 1, of the order statistic that estimates a quantile: ceil(share * count)."""
    return max(1, math.ceil(share * count))


@lru_cache(maxsize=4096)
def interval_ranks(count: int, share: Fraction) -> tuple[int, int]:
    """Return the ranks, from 1, of the two order statistics that enclose a quantile with at least 95 %.

    The lower rank is 0, or the upper one count + 1, if the sample is too small to bound the quantile on that side:
    with N ~ Binomial(count, share), lower = the largest r with P(N < r) <= 2.5 %, upper = the smallest with
    P(N >= r) <= 2.5 %.
    """
    from scipy.special import bdtr, bdtrc

    chance = float(share)
    lower = bisect_left(range(count + 1), 1, key=lambda below: int(bdtr(below, count, chance) > TAIL))
    upper = 1 + bisect_left(range(count + 1), 1, key=lambda below: int(bdtrc(below, count, chance) <= TAIL))
    return lower, upper


def quantile(sample: AnySample, share: Fraction) -> Estimate:
    """Estimate a quantile of non-negative values, some perhaps infinite.

    If the sample is too small for a lower bound that is 0; if it is too small for an upper one that is infinity: the
    values are times, and nothing in the sample says how much longer a rarer one takes (p99 needs 368 requests for an
    upper bound). For a histogram the interval goes from bin to bin, so that it contains that of the values themselves.
    """
    count = len(sample)
    if count == 0:
        return NOTHING
    lower, upper = interval_ranks(count, share)
    low = sample.between(lower)[0] if lower > 0 else 0.0
    high = sample.between(upper)[1] if upper <= count else math.inf
    return Estimate(sample.ordered(quantile_rank(count, share)), low, high)


def largest(sample: AnySample) -> Estimate:
    """Return the largest value seen; a maximum has no interval."""
    return Estimate(sample.ordered(len(sample))) if len(sample) else NOTHING


def rate(hits: int, trials: int) -> Estimate:
    """Estimate a share of independent trials, with the interval of Clopper and Pearson."""
    return Estimate(hits / trials, *share_limits(hits, trials)) if trials else NOTHING


def share_limits(hits: int, trials: int) -> tuple[float, float]:
    """Return the exact limits of a share of which `hits` of at least one trial were seen (Clopper and Pearson)."""
    from scipy.special import betaincinv

    low = float(betaincinv(hits, trials - hits + 1, TAIL)) if hits else 0.0
    high = float(betaincinv(hits + 1, trials - hits, 1 - TAIL)) if hits < trials else 1.0
    return low, high


@lru_cache(maxsize=1024)
def t_quantile(freedom: int) -> float:
    """Return the quantile at 1 - TAIL of Student's t with `freedom` degrees of freedom."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, 1 - TAIL))
