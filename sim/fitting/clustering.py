"""Whether failures hang together: two tests of independence, on calls in order of their starts.

- Runs: if failures are independent, all orders of so many failures and successes are equally likely, and the number of
  runs (stretches of equal ends) has a known law: A. Wald and J. Wolfowitz, "On a test whether two samples are from the
  same population", Annals of Mathematical Statistics 11(2), 1940. Fewer runs mean that failures hang together. The law
  is exact if one kind is rare, and normal with the correction of continuity otherwise.
- Stretches: the log is cut into stretches of equally many calls, and a chi-square test asks whether the shares that
  fail differ by more than luck. It sees slow changes that leave the number of runs nearly as it is.

Only first attempts are tested: a retry exists because an attempt failed, and comes close behind it, so a request that
always fails would look like bad weather. Calls that overlap are no matter: independent ends are so in any order.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from sim.fitting.intervals import squares_of_stretches

if TYPE_CHECKING:
    from numpy.typing import NDArray

SURE: Final = 0.001
"""Failures hang together if independent ones would look like this with less than this probability, split in two."""
MOST_EXACT: Final = 500
"""The law of runs is computed exactly if the rarer end has at most so many calls."""
MOST_STRETCHES: Final = 40
LAGS: Final = 50
MOST_LAGGED: Final = 1_000_000
LEAST_EXPECTED: Final = 5
"""A stretch must expect so many calls of either end for the law of chi-square to hold."""


@dataclass(frozen=True, slots=True)
class Clustering:
    """What the tests say of calls in order."""

    calls: int
    failures: int
    runs: int
    runs_expected: float
    runs_p: float
    """Probability of so few runs, or fewer, if failures are independent; 1 if all calls end alike."""
    stretches: int
    """0 if there are too few failures to compare stretches."""
    stretches_p: float
    """Probability that shares of the stretches differ so much, or more, if failures are independent."""
    lags: tuple[float, ...]
    """Correlation of the ends of calls that are 1, 2, ... calls apart, in the first million calls."""

    @property
    def is_found(self) -> bool:
        """Whether failures hang together."""
        return min(self.runs_p, self.stretches_p) < SURE / 2


def clustering_of(failed: NDArray[np.bool_]) -> Clustering:
    """Test calls in order of their starts, shape (calls,), of which there is at least one."""
    count, failures = len(failed), int(failed.sum())
    runs = 1 + int(np.count_nonzero(failed[1:] != failed[:-1]))
    expected = 1 + 2 * failures * (count - failures) / count
    stretches, stretches_p = _stretches_test(failed)
    return Clustering(
        count,
        failures,
        runs,
        expected,
        runs_p_value(runs, failures, count - failures),
        stretches,
        stretches_p,
        _lags(failed),
    )


def runs_p_value(runs: int, one: int, other: int) -> float:
    """Return the probability of at most so many runs among `one` calls of one kind and `other` of the other."""
    from scipy.special import ndtr

    if min(one, other) == 0:
        return 1.0
    if min(one, other) <= MOST_EXACT:
        return _exact_p_value(runs, min(one, other), max(one, other))
    count = one + other
    mean = 1 + 2 * one * other / count
    variance = (mean - 1) * (mean - 2) / (count - 1)
    return float(ndtr((runs + 0.5 - mean) / math.sqrt(variance)))


def _lags(failed: NDArray[np.bool_]) -> tuple[float, ...]:
    """Return the autocorrelation of failures; none if all calls end alike."""
    ends = failed[:MOST_LAGGED].astype(np.float32)
    ends -= ends.mean()
    power = float(ends @ ends)
    if power == 0:
        return ()
    return tuple(float(ends[:-lag] @ ends[lag:]) / power for lag in range(1, min(LAGS, len(ends) // 4) + 1))


def _exact_p_value(runs: int, rare: int, usual: int) -> float:
    """Sum the probabilities of 2, 3, ... runs: arrangements of both kinds into so many stretches, out of all."""
    from scipy.special import gammaln

    def log_choices(total: int, chosen: NDArray[np.float64]) -> NDArray[np.float64]:
        with np.errstate(invalid="ignore"):
            logs = gammaln(total + 1) - gammaln(chosen + 1) - gammaln(total - chosen + 1)
        return np.where((chosen < 0) | (chosen > total), -np.inf, logs)

    half = np.arange(1, min(rare, runs // 2) + 1, dtype=np.float64)
    total = float(gammaln(rare + usual + 1) - gammaln(rare + 1) - gammaln(usual + 1))
    even = math.log(2) + log_choices(rare - 1, half - 1) + log_choices(usual - 1, half - 1)
    odd_half = np.arange(1, min(rare, (runs - 1) // 2) + 1, dtype=np.float64)
    one = log_choices(rare - 1, odd_half) + log_choices(usual - 1, odd_half - 1)
    other = log_choices(rare - 1, odd_half - 1) + log_choices(usual - 1, odd_half)
    logs = np.concatenate([even, one, other]) - total
    return min(1.0, float(np.exp(logs).sum())) if len(logs) else 0.0


def _stretches_test(failed: NDArray[np.bool_]) -> tuple[int, float]:
    """Return the number of stretches compared and the p-value of the chi-square test; 0 and 1 if there are too few."""
    from scipy.special import chdtrc

    count, failures = len(failed), int(failed.sum())
    stretches = min(MOST_STRETCHES, min(failures, count - failures) // LEAST_EXPECTED)
    if stretches < 2:
        return 0, 1.0
    return stretches, float(chdtrc(stretches - 1, squares_of_stretches(failed, stretches)))
