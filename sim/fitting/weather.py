"""On/off weather found in a log: how long failures come thick and how long they do not, with intervals.

The weather is that of `sim.fitting.hidden_states`, fitted by maximum likelihood. Nothing is looked for unless the tests
of `sim.fitting.clustering` say that failures hang together, and nothing is taken for weather unless it makes the log
far more likely than equal chances do.

Intervals are 95 %. Those of the mean times come from the curvature of the likelihood in the logarithms: a curvature of
n is that of n independent exponential times, whose mean has an exact interval by the law of gamma. Those of the shares
that fail come from the curvature in the logits, or if the share is 0 or 1 as far as one can see, from the exact limits
of the number of calls in that state.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from sim.fitting.hidden_states import Groups, TwoStates, down_probabilities, log_likelihood
from sim.fitting.intervals import Found, share_of
from sim.measure.estimates import TAIL, Z

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from sim.laws.elementary import Floats

MOST_GROUPS: Final = 100_000
"""More calls are put in groups, so that a fit takes seconds."""
COARSE: Final = 5_000
"""Starting points are compared on so few groups."""
LEAST_TIMES: Final = 12
"""So many times up or down must have been seen to say how much they vary."""
_EXPONENTIAL: Final = math.log(3) / math.log(2)
"""The distance of the quartiles of an exponential law over its median."""
LEAST_GAIN: Final = 12.0
"""By how much weather must raise the logarithm of the likelihood: far above the 3 or so of four free numbers."""
IN_GROUP: Final = 4.0
"""A state must be so many groups long, or groups are too coarse."""
_LOGIT_MOST: Final = 16.0
_STEP: Final = 1e-3
_FLAT: Final = 0.04
"""A curvature below this says nothing: an interval from it would span a factor of 10,000."""
_NONE: Final = 1e-5
"""A share so small is 0, and 1 if it lacks so little."""
_NEAR_END: Final = 12.0
"""A logit so far out is that of 0 or 1 as far as one can see."""


@dataclass(frozen=True, slots=True)
class FoundWeather:
    """Weather with the intervals of its numbers; times in ns."""

    up: Found
    down: Found
    fail_up: Found
    """Share of calls that fail while the weather is up."""
    fail_down: Found
    spells: tuple[tuple[int, int], ...]
    """From and to, in ns from the first start, of each time that was most likely down."""
    down_calls: NDArray[np.float64]
    """For each call the probability that the weather was down as it started. Shape: (calls,)."""
    gain: float
    """By how much it raises the logarithm of the likelihood."""
    calls_used: int
    """Fewer than there are if calls come so fast that one stretch of them had to do."""

    @property
    def variations(self) -> tuple[float | None, float | None]:
        """How much times up and times down vary, by their quartiles over their median; 1 for exponential ones.

        None of each that the log has too few of. The first and the last time up may have been cut, and are left out.
        """
        down = [high - low for low, high in self.spells]
        up = [after[0] - before[1] for before, after in pairwise(self.spells)]
        return _variation(up), _variation(down)

    @property
    def down_share(self) -> float:
        """The share of time spent down in the long run."""
        return self.down.value / (self.up.value + self.down.value)


def _variation(lengths_ns: list[int]) -> float | None:
    if len(lengths_ns) < LEAST_TIMES:
        return None
    # By quartiles: two times that run together, or one that the log cuts off, do not matter.
    low, middle, high = np.quantile(lengths_ns, [0.25, 0.5, 0.75])
    return float((high - low) / middle / _EXPONENTIAL)


def weather_of(started_ns: NDArray[np.int64], failed: NDArray[np.bool_]) -> FoundWeather | None:
    """Fit weather to calls in order of their starts; None if it is not far better than equal chances.

    Shapes: (calls,). All calls may be given, retries too.
    """
    count, failures = len(failed), int(failed.sum())
    span_ns = int(started_ns[-1] - started_ns[0])
    if min(failures, count - failures) < 5 or span_ns <= 0:
        return None
    unit_ns = span_ns / count
    coarse = Groups.of(started_ns, failed, -(-count // COARSE), unit_ns)
    size = -(-count // MOST_GROUPS)
    groups = Groups.of(started_ns, failed, size, unit_ns)
    start = _climbed(coarse, _best_start(coarse, count, failures / count))
    best = _climbed(groups, start)
    used = count
    if size > 1 and min(best[0], best[1]) < math.log(IN_GROUP * size):
        # States shorter than the groups: one stretch of single calls says more.
        used = min(count, MOST_GROUPS)
        started_ns, failed, size = started_ns[:used], failed[:used], 1
        groups = Groups.of(started_ns, failed, 1, unit_ns)
        best = _climbed(groups, _climbed(groups, _best_start(groups, used, float(failed.mean()))))
        failures = int(failed.sum())
    equal = _of_equal_chances(used, failures)
    states = _states(best)
    gain = log_likelihood(groups, states) - equal
    if gain < LEAST_GAIN or states.fail_down <= states.fail_up:
        return None
    down = down_probabilities(groups, states)
    up_found, down_found, fail_up, fail_down = _intervals(groups, best, down)
    return FoundWeather(
        up_found.scaled(unit_ns),
        down_found.scaled(unit_ns),
        fail_up,
        fail_down,
        _spells(started_ns, down, size),
        np.repeat(down, size)[:used],
        gain,
        used,
    )


def _of_equal_chances(count: int, failures: int) -> float:
    share = failures / count
    if share in (0.0, 1.0):
        return 0.0
    return failures * math.log(share) + (count - failures) * math.log1p(-share)


def _states(point: Floats) -> TwoStates:
    up, down = (math.exp(min(700.0, float(one))) for one in point[:2])
    return TwoStates(up, down, *(_share(float(one)) for one in point[2:]))


def _share(logit: float) -> float:
    return 1.0 / (1.0 + math.exp(-logit))


def _logit(share: float) -> float:
    return max(-_LOGIT_MOST, min(_LOGIT_MOST, math.log(share / (1 - share))))


def _best_start(groups: Groups, count: int, share: float) -> Floats:
    """Return the most likely of a grid of starting points: lengths of bad times, and shares that fail in them."""
    candidates = []
    length = 2.0
    while length <= count / 4:
        for fail_down in sorted({min(0.97, 3 * share), min(0.97, 10 * share), 0.5, 0.95}):
            for fail_up in (0.02 * share, 0.5 * share):
                down = (share - fail_up) / (fail_down - fail_up) if fail_down > share * 1.2 else 0.0
                if 0 < down < 0.8:
                    point = [math.log(length * (1 - down) / down), math.log(length)]
                    candidates.append(np.array([*point, _logit(fail_up), _logit(fail_down)]))
        length *= 3.0
    if not candidates:
        candidates = [np.array([math.log(count / 4), math.log(count / 8), _logit(share / 2), _logit((1 + share) / 2)])]
    return max(candidates, key=lambda point: log_likelihood(groups, _states(point)))


def _climbed(groups: Groups, start: Floats) -> Floats:
    """Return the top of the likelihood near a starting point: logarithms of the times, logits of the shares."""
    from scipy.optimize import minimize

    most = math.log(1e6 * float(groups.gaps.sum() + 1.0))
    bounds = [(math.log(1e-3), most), (math.log(1e-3), most), *[(-_LOGIT_MOST, _LOGIT_MOST)] * 2]

    def unlikelihood(point: Floats) -> float:
        return -log_likelihood(groups, _states(point))

    found = minimize(
        unlikelihood,
        start,
        method="L-BFGS-B",
        bounds=bounds,
        options={"maxiter": 200, "ftol": 1e-11},
    )
    top: Floats = found.x
    return top


def _intervals(groups: Groups, top: Floats, down: Floats) -> tuple[Found, Found, Found, Found]:
    """Return the intervals of the mean times, in the unit of the gaps, and of the shares that fail."""
    states = _states(top)
    free = [0, 1, *(at for at in (2, 3) if abs(top[at]) < _NEAR_END)]
    spread = _spread(lambda point: log_likelihood(groups, _states(point)), top, free)
    calls = groups.failures + groups.successes
    shares = []
    for at, weights in ((2, 1 - down), (3, down)):
        share = states[at]
        seen = float((weights * calls).sum())
        hits = 0.0 if share < _NONE else seen if share > 1 - _NONE else share * seen
        exact = share_of(hits, max(seen, 1e-9))
        if at in free and spread[at] < 1.0:
            low, high = (_share(float(top[at]) + sign * Z * spread[at]) for sign in (-1, 1))
            shares.append(Found(share, min(low, exact.low), max(high, exact.high)))
        else:
            shares.append(Found(exact.value if hits in (0.0, seen) else share, exact.low, exact.high))
    return _mean_time(states.up, spread[0]), _mean_time(states.down, spread[1]), shares[0], shares[1]


def _mean_time(mean: float, spread: float) -> Found:
    """Return the interval of a mean of as many exponential times as have this spread of the mean's logarithm."""
    from scipy.special import gammaincinv

    times = 1.0 / max(spread * spread, 1e-12)
    low = mean * times / float(gammaincinv(times + 0.5, 1 - TAIL))
    least = float(gammaincinv(times, TAIL))
    return Found(mean, low, mean * times / least if least > 0 else math.inf)


def _spread(function: Callable[[Floats], float], top: Floats, free: list[int]) -> list[float]:
    """Return the standard deviations from the observed information; those not free have none.

    The step in each direction is one that the likelihood feels, so that rounding does not matter.
    """
    at_top, size = function(top), len(free)
    steps = []
    for place in free:
        step = _STEP
        while step < 2.0:
            moved = top.copy()
            moved[place] += step
            if at_top - function(moved) > 0.02:
                break
            step *= 2.0
        steps.append(step)

    def moved_by(*moves: tuple[int, float]) -> float:
        point = top.copy()
        for place, step in moves:
            point[place] += step
        return function(point)

    information = np.zeros((size, size))
    for row, one in enumerate(free):
        h = steps[row]
        information[row, row] = -(moved_by((one, h)) - 2 * at_top + moved_by((one, -h))) / h**2
        for column in range(row):
            other, k = free[column], steps[column]
            mixed = (
                moved_by((one, h), (other, k))
                - moved_by((one, h), (other, -k))
                - moved_by((one, -h), (other, k))
                + moved_by((one, -h), (other, -k))
            )
            information[row, column] = information[column, row] = -mixed / (4 * h * k)
    values, vectors = np.linalg.eigh(information)
    covariance = (vectors / np.maximum(values, _FLAT)) @ vectors.T
    found = dict(zip(free, np.sqrt(np.diag(covariance)).tolist(), strict=True))
    return [found.get(place, math.inf) for place in range(4)]


def _spells(started_ns: NDArray[np.int64], down: Floats, size: int) -> tuple[tuple[int, int], ...]:
    """Return the times that were more likely down than up, from half a gap before the first call to after the last."""
    is_down = down > 0.5
    edges = np.flatnonzero(np.diff(np.concatenate([[False], is_down, [False]]).astype(np.int8)))
    spells = []
    for first, behind in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        start, end = first * size, min(behind * size, len(started_ns)) - 1
        before_ns = started_ns[start - 1] if start else started_ns[start]
        after_ns = started_ns[end + 1] if end + 1 < len(started_ns) else started_ns[end]
        spells.append((int(before_ns + started_ns[start]) // 2, int(started_ns[end] + after_ns) // 2))
    return tuple(spells)
