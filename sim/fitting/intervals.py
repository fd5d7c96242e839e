"""Intervals of shares and quantiles of a log, whose rows may hang together in time.

If calls fail together, a log of n calls says less of the share that fails than n independent calls would. The design
effect is how many times larger the variance is: the variance of the share over stretches of the log, against that of
independent calls (L. Kish, "Survey Sampling", 1965). The log then counts as n / effect calls. An effect counts only if
a chi-square test of the stretches says that it is no matter of luck.

All intervals are 95 %, with 2.5 % on each side.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from sim.measure.estimates import TAIL, interval_ranks, quantile_rank

if TYPE_CHECKING:
    from numpy.typing import NDArray

STRETCHES = 40
"""The log is cut into so many stretches of equally many calls to see how its shares vary."""
LEAST_IN_STRETCH = 5
"""A stretch must expect so many calls of either kind for the law of chi-square to hold."""
HALF = Fraction(1, 2)
LUCK = 0.01
"""An effect counts if independent calls would vary as much with less than this probability."""


@dataclass(frozen=True, slots=True)
class Found:
    """A number found in a log, with its 95 % interval, in ns for durations."""

    value: float
    low: float
    high: float
    """Infinity if the log is too small to bound it."""

    def scaled(self, factor: float) -> Found:
        """Return the same in another unit."""
        return Found(self.value * factor, self.low * factor, self.high * factor)


def share_of(hits: float, trials: float) -> Found:
    """Return a share with the interval of Clopper and Pearson; numbers of independent calls need not be whole.

    Raises ValueError if there is no trial.
    """
    from scipy.special import betaincinv

    if not trials > 0:
        raise ValueError("a share of nothing")
    low = float(betaincinv(hits, trials - hits + 1, TAIL)) if hits > 0 else 0.0
    high = float(betaincinv(hits + 1, trials - hits, 1 - TAIL)) if hits < trials else 1.0
    return Found(hits / trials, low, high)


def design_effect(marked: NDArray[np.bool_]) -> float:
    """Return how many times larger the variance of the share of marked rows is than that of independent rows.

    At least 1. The rows must be in order of time, shape (rows,).
    """
    from scipy.special import chdtrc

    count, hits = len(marked), int(marked.sum())
    rarer = min(hits, count - hits)
    stretches = min(STRETCHES, rarer // LEAST_IN_STRETCH)
    if stretches < 4:
        return 1.0
    squares = squares_of_stretches(marked, stretches)
    if float(chdtrc(stretches - 1, squares)) >= LUCK:
        return 1.0
    return max(1.0, squares / (stretches - 1))


def squares_of_stretches(marked: NDArray[np.bool_], stretches: int) -> float:
    """Return the chi-square of the shares of marked rows in so many stretches of equally many rows."""
    edges = np.linspace(0, len(marked), stretches + 1).astype(np.int64)
    seen = np.array([np.count_nonzero(marked[low:high]) for low, high in pairwise(edges.tolist())])
    sizes, share = np.diff(edges), np.count_nonzero(marked) / len(marked)
    return float(((seen - sizes * share) ** 2 / (sizes * share * (1 - share))).sum())


def share_in_time(marked: NDArray[np.bool_]) -> Found:
    """Return the share of marked rows, in order of time, with an interval that holds if they hang together."""
    effect, count = design_effect(marked), len(marked)
    hits = int(marked.sum())
    found = share_of(hits / effect, count / effect)
    return Found(hits / count, found.low, found.high)


def quantile_in_time(values: NDArray[np.int64], ascending: NDArray[np.int64], share: Fraction) -> Found:
    """Return a quantile of values, in order of time and sorted, with an interval that holds if they hang together."""
    count = len(ascending)
    value = int(ascending[quantile_rank(count, share) - 1])
    beyond = values > value if share >= HALF else values < value
    effective = max(1, math.floor(count / design_effect(beyond)))
    lower, upper = interval_ranks(effective, share)
    low = math.floor(lower / effective * count)
    high = math.ceil(upper / effective * count)
    return Found(
        float(value),
        float(ascending[low - 1]) if low >= 1 else 0.0,
        float(ascending[high - 1]) if upper <= effective else math.inf,
    )
