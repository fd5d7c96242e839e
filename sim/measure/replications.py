"""Estimates of shared worlds, whose requests met one another: the replications are the sample, also if they agree.

A metric's value is that of all requests together; its interval comes from the values of the replications (sectioning:
S. Asmussen and P. W. Glynn, Stochastic Simulation, Springer 2007, section III.5a), by the method of `sim.measure.means`
and with what is possible as bounds. So if ten replications agree that nothing fails, three in ten others may differ.

- quantile: the true one lies above x if less than its share of requests lies below x. That share is a rate, so its
  interval over the replications decides for each x; the interval has all x that it does not rule out.
- few turns: replications of seconds cannot show weather that turns in minutes. If all of them together see fewer than
  `FEW_TURNS` turns, their spread says too little: rates get at least the interval of replications that all agree, and
  what has no bounds gets none.
"""

import math
from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np

from sim.measure.estimates import NOTHING, AnySample, Estimate, quantile_rank, share_limits
from sim.measure.means import Shape, interval
from sim.measure.possible import ANY, SHARE, Bounds

FEW_TURNS = 5
"""The chance that a law of that mean number of events shows none is 0.7 %."""
LAST_BITS = 1e-12
"""So much of a value, or less, is what rounding leaves of a difference that is 0."""
SCANNED = 64
"""So many values are looked at before the end of a quantile's interval is searched between two of them."""


def over_replications(
    pooled: float | None, values: Sequence[float], bounds: Bounds = ANY, *, few_turns: str = ""
) -> Estimate:
    """Give the estimate `pooled` over all requests its interval from the replications' own `values`.

    Fewer than two replications give none. If only some replications are infinite it is [0, inf]: nothing is known.
    `few_turns` says that the replications cannot show what turns so rarely; it becomes the reason if no interval is
    left.
    """
    if pooled is None or len(values) < 2:
        return Estimate(pooled)
    if not all(map(math.isfinite, (pooled, *values))):
        certain = all(value == pooled for value in values)
        return Estimate(pooled, *((pooled, pooled) if certain else (0.0, math.inf)))
    if few_turns and not all(map(math.isfinite, bounds)):
        return Estimate(pooled, reason=few_turns)
    found = interval(Shape.of_values(np.array(values, dtype=np.float64)), bounds)
    if found.low is None or found.high is None or found.value is None:
        return Estimate(pooled, reason=found.reason)
    low, high = pooled + (found.low - found.value), pooled + (found.high - found.value)
    if few_turns:
        unseen = share_limits(0, len(values))[1]
        low = min(low, pooled - unseen * (pooled - bounds.least))
        high = max(high, pooled + unseen * (bounds.most - pooled))
    if low - bounds.least <= LAST_BITS * abs(pooled):
        low = bounds.least  # a goodput from 4e-16/s is one from 0/s
    return Estimate(pooled, max(low, bounds.least), min(high, bounds.most))


def quantile_over_replications(
    pooled: AnySample, samples: Sequence[AnySample], share: Fraction, *, few_turns: str = ""
) -> Estimate:
    """Estimate a quantile of all requests, `pooled`, with the interval of the replications' `samples`, none empty."""
    count = len(pooled)
    if count == 0:
        return NOTHING
    rank = quantile_rank(count, share)
    value = pooled.ordered(rank)
    if len(samples) < 2:
        return Estimate(value)
    wanted = float(share)
    finite = count - pooled.infinite

    def share_below(place: int) -> Estimate:
        """Return the share of requests not above the value of a rank, with its interval."""
        at = pooled.at(np.array([place]))
        shares = [int(one.counts_up_to(at)[0]) / len(one) for one in samples]
        return over_replications(int(pooled.counts_up_to(at)[0]) / count, shares, SHARE, few_turns=few_turns)

    def may_lie_below(place: int) -> bool:
        return (share_below(place).high or 0.0) >= wanted

    def lies_below(place: int) -> bool:
        return (share_below(place).low or 0.0) >= wanted

    if share_limits(0, len(samples))[1] >= wanted:
        low = 0.0
    else:
        first = _first(range(1, min(rank, finite) + 1), may_lie_below)
        low = value if first is None else pooled.between(first)[0]
    # All replications agree on the largest value, so the limit of the share may fall there: look before the end.
    places = sorted({rank + (finite - rank) * at // SCANNED for at in range(SCANNED + 1)}) if rank <= finite else []
    reached = next((at for at, place in enumerate(places) if lies_below(place)), None)
    if reached is None:
        return Estimate(value, low, math.inf)
    between = range(places[reached - 1] + 1 if reached else places[0], places[reached] + 1)
    last = _first(between, lies_below)
    return Estimate(value, low, pooled.between(places[reached] if last is None else last)[1])


LEAST_PAIRED = 5
"""Fewer paired replications do not show how they are correlated."""


def correlation_below(quantiles: Sequence[float], samples: tuple[Sequence[AnySample], Sequence[AnySample]]) -> float:
    """Return how the shares of requests not above a cell's quantile are correlated in paired replications.

    One standard error less (R. A. Fisher, "On the probable error of a coefficient of correlation deduced from a small
    sample", Metron 1, 1921): too high a correlation makes an interval too narrow.
    """
    pairs = len(samples[0])
    if pairs < LEAST_PAIRED or pairs != len(samples[1]) or not all(map(math.isfinite, quantiles)):
        return 0.0
    shares = [
        np.array([sample.share_up_to(bound, inclusive=True) for sample in of])
        for bound, of in zip(quantiles, samples, strict=True)
    ]
    if any((one == one[0]).all() for one in shares):
        return 0.0
    found = min(float(np.corrcoef(np.stack(shares))[0, 1]), 1 - 1e-9)
    return math.tanh(math.atanh(max(found, 1e-9 - 1)) - 1 / math.sqrt(pairs - 3))


def _first(places: range, holds: Callable[[int], bool]) -> int | None:
    """Return the first place from which on something holds; None if it holds at none."""
    low, high = 0, len(places)
    while low < high:
        middle = (low + high) // 2
        if holds(places[middle]):
            high = middle
        else:
            low = middle + 1
    return places[low] if low < len(places) else None
