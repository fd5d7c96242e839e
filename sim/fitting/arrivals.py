"""How requests arrive: their rate, and whether they come independently, evenly, in bursts, or at a rate that changes.

Two tests, each of which can say that arrivals are not those of independent callers at one rate (a Poisson process):

- Counts: in equal times the counts of such arrivals vary as much as their mean. A chi-square test of dispersion (R. A.
  Fisher, "Statistical Methods for Research Workers", 1925) sees rates that change, and bursts.
- Gaps: those between such arrivals are exponential. The test of Lilliefors in the form of M. A. Stephens, "EDF
  statistics for goodness of fit", Journal of the American Statistical Association 69 (1974), sees even arrivals and
  other gaps. Times that the log rounds to more than a fifth of the mean gap are not tested.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from sim.fitting.intervals import Found
from sim.kernel.durations import NS_PER_S
from sim.measure.estimates import TAIL

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAST_ARRIVALS: Final = 20
STEADY: Final = 0.1
"""Gaps whose standard deviation is so small a part of their mean are even."""
LUCK: Final = 0.001
MOST_PIECES: Final = 24
"""A rate that changes is written in so many pieces at most."""
IN_PIECE: Final = 20
"""A piece has at least so many arrivals in the mean."""
LILLIEFORS_1: Final = 1.308
"""The critical value at 1 % of Stephens' modified statistic for an exponential law with its mean estimated."""
MOST_GAPS: Final = 200_000
SMOOTH: Final = 4.0
"""A schedule of rates will do if counts within its pieces vary at most so many times as much as their mean."""


@dataclass(frozen=True, slots=True)
class FoundArrivals:
    """What the log says of arrivals; `kind` is a key of `requests.arrivals` in scenarios."""

    kind: str
    """`poisson`, `constant`, `schedule` or `file`."""
    count: int
    span_ns: int
    rate: Found
    """Per second."""
    pieces: tuple[tuple[int, float], ...]
    """(from ns, per second) of each piece of the log, equally long; also of a rate that does not change."""
    dispersion: float
    """Variance of the counts over their mean, in the pieces; 1 for independent arrivals at one rate."""
    dispersion_p: float
    within: float
    """The same at short range: between neighboring parts of the pieces, which a slowly changing rate leaves alone."""
    gaps_distance: float | None
    """Kolmogorov distance of the gaps from the exponential law; None if they cannot be tested."""
    gaps_fit: bool
    """Whether the test leaves room for exponential gaps."""
    variation: float
    """Standard deviation of the gaps over their mean."""


def arrivals_of(started_ns: NDArray[np.int64]) -> FoundArrivals | None:
    """Describe arrivals in ascending order, shape (requests,); None if there are too few."""
    from scipy.special import chdtrc

    count = len(started_ns)
    span_ns = int(started_ns[-1] - started_ns[0]) if count else 0
    if count < LEAST_ARRIVALS or span_ns <= 0:
        return None
    rate = (count - 1) / span_ns * NS_PER_S
    pieces = max(2, min(MOST_PIECES, count // IN_PIECE))
    seen = _counts(started_ns, span_ns, pieces)
    mean = count / pieces
    squares = float(((seen - mean) ** 2 / mean).sum())
    dispersion, p_value = squares / (pieces - 1), float(chdtrc(pieces - 1, squares))
    within = _short_range(started_ns, span_ns, count)
    variation, distance, fits = _gaps(started_ns)
    kind = _kind(p_value, within, variation, fits=fits, count=count)
    spread = max(1.0, dispersion if p_value < LUCK else 1.0) if kind != "constant" else STEADY**2
    length_ns = span_ns / pieces
    by_piece = tuple((round(at * length_ns), float(one) / length_ns * NS_PER_S) for at, one in enumerate(seen))
    return FoundArrivals(
        kind,
        count,
        span_ns,
        _rate(rate, count, spread),
        by_piece,
        dispersion,
        p_value,
        within,
        distance,
        fits,
        variation,
    )


def _kind(p_value: float, within: float, variation: float, *, fits: bool, count: int) -> str:
    if variation <= STEADY:
        return "constant"
    is_smooth = within <= _most_luck(count)
    if p_value >= LUCK:
        # Other gaps in equal numbers, such as those of a sleep between calls, are kept as they were.
        return "poisson" if is_smooth and (fits or variation > 0.8) else "file"
    return "schedule" if within <= SMOOTH else "file"


def _most_luck(count: int) -> float:
    """Return a short-range dispersion that independent arrivals hardly exceed."""
    return 1.0 + 5.0 * math.sqrt(2.0 / max(1.0, count / 10))


def _counts(started_ns: NDArray[np.int64], span_ns: int, bins: int) -> NDArray[np.int64]:
    edges = np.rint(np.linspace(0, span_ns, bins + 1)[1:-1]).astype(np.int64) + started_ns[0]
    return np.diff(np.concatenate([[0], np.searchsorted(started_ns, edges), [len(started_ns)]]))


def _short_range(started_ns: NDArray[np.int64], span_ns: int, count: int) -> float:
    """Return the dispersion between neighboring bins of about ten arrivals: half the mean square of differences."""
    resolution = int(np.gcd.reduce(started_ns[:MOST_GAPS])) or 1
    bins = max(2, min(count // 10, span_ns // (5 * resolution), 1_000_000))
    seen = _counts(started_ns, span_ns, bins)
    differences = np.diff(seen).astype(np.float64)
    return float((differences**2).mean() / 2 / seen.mean())


def _gaps(started_ns: NDArray[np.int64]) -> tuple[float, float | None, bool]:
    """Return the variation of the gaps, their distance from the exponential law, and whether that may be luck."""
    gaps_ns = np.diff(started_ns[:MOST_GAPS]).astype(np.float64)
    mean = float(gaps_ns.mean())
    if mean <= 0:
        return math.inf, None, False
    variation = float(gaps_ns.std()) / mean
    resolution = int(np.gcd.reduce(started_ns[:MOST_GAPS])) or 1
    if resolution > mean / 5:
        return variation, None, True
    gaps_ns.sort()
    number, count = np.arange(len(gaps_ns)), len(gaps_ns)
    below = -np.expm1(-gaps_ns / mean)
    distance = float(np.maximum(below - number / count, (number + 1) / count - below).max())
    distance = max(0.0, distance - resolution / mean)
    root = math.sqrt(count)
    return variation, distance, (distance - 0.2 / count) * (root + 0.26 + 0.5 / root) <= LILLIEFORS_1


def _rate(rate: float, count: int, dispersion: float) -> Found:
    """Return the interval of a rate whose counts vary so many times as much as those of independent arrivals."""
    from scipy.special import gammaincinv

    events = (count - 1) / dispersion
    return Found(
        rate,
        rate * float(gammaincinv(events, TAIL)) / events,
        rate * float(gammaincinv(events + 1, 1 - TAIL)) / events,
    )
