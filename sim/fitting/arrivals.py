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
MOST_BINS: Final = 1_000_000
IN_STEPS: Final = 5
"""A piece or bin is so many steps of the log's times long at least."""
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
    count = len(started_ns)
    span_ns = int(started_ns[-1] - started_ns[0]) if count else 0
    if count < LEAST_ARRIVALS or span_ns <= 0:
        return None
    rate = (count - 1) / span_ns * NS_PER_S
    resolution = int(np.gcd.reduce(started_ns[:MOST_GAPS] - started_ns[0])) or 1
    edges = _edges(span_ns + resolution, resolution, count)
    by_piece = _counts(started_ns, edges) / np.diff(edges) * NS_PER_S
    tested = started_ns
    if resolution * rate > NS_PER_S and span_ns >= 2 * IN_STEPS * resolution:
        # The log has its first and its last second in part only, which would look like a rate that changes.
        tested = started_ns[slice(*np.searchsorted(started_ns, [started_ns[0] + resolution, started_ns[-1]]))]
    dispersion, p_value, within, bins = _dispersions(tested, resolution)
    variation, distance, fits = _gaps(started_ns, resolution)
    kind = _kind(p_value, within, variation, fits=fits, bins=bins)
    spread = max(1.0, dispersion if p_value < LUCK else 1.0) if kind != "constant" else STEADY**2
    return FoundArrivals(
        kind,
        count,
        span_ns,
        _rate(rate, count, spread),
        tuple(zip(edges[:-1].tolist(), by_piece.tolist(), strict=True)),
        dispersion,
        p_value,
        within,
        distance,
        fits,
        variation,
    )


def _kind(p_value: float, within: float, variation: float, *, fits: bool, bins: int) -> str:
    if variation <= STEADY:
        return "constant"
    is_smooth = within <= _most_luck(bins)
    if p_value >= LUCK:
        # Other gaps in equal numbers, such as those of a sleep between calls, are kept as they were.
        return "poisson" if is_smooth and (fits or variation > 0.8) else "file"
    return "schedule" if within <= SMOOTH else "file"


def _most_luck(bins: int) -> float:
    """Return a short-range dispersion that independent arrivals hardly exceed."""
    return 1.0 + 5.0 * math.sqrt(2.0 / bins)


def _edges(whole_ns: int, resolution: int, count: int) -> NDArray[np.int64]:
    """Return the ends of pieces, which are steps of the log's times: all calls of a second stand at its start."""
    pieces = max(2, min(MOST_PIECES, count // IN_PIECE, whole_ns // (IN_STEPS * resolution)))
    return np.rint(np.linspace(0, whole_ns // resolution, pieces + 1)).astype(np.int64) * resolution


def _dispersions(started_ns: NDArray[np.int64], resolution: int) -> tuple[float, float, float, int]:
    """Return the dispersion of counts, its probability, and the dispersion at short range, of so many bins."""
    from scipy.special import chdtrc

    count, whole_ns = len(started_ns), int(started_ns[-1] - started_ns[0]) + resolution
    edges = _edges(whole_ns, resolution, count)
    mean = count * np.diff(edges) / edges[-1]
    squares, free = float(((_counts(started_ns, edges) - mean) ** 2 / mean).sum()), len(mean) - 1
    return squares / free, float(chdtrc(free, squares)), *_short_range(started_ns, whole_ns, count, resolution)


def _counts(started_ns: NDArray[np.int64], edges: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the arrivals from each edge to before the next, in ns from the first arrival."""
    counts: NDArray[np.int64] = np.diff(np.searchsorted(started_ns, edges + started_ns[0]))
    return counts


def _short_range(started_ns: NDArray[np.int64], whole_ns: int, count: int, resolution: int) -> tuple[float, int]:
    """Return the dispersion between neighboring bins, half the mean square of differences, and how many bins.

    They have about ten arrivals each, or more in a log whose times are coarse.
    """
    steps, bins = whole_ns // resolution, max(2, min(count // 10, MOST_BINS))
    width = max(1, min(max(IN_STEPS, -(-steps // bins)), steps // 2))
    seen = _counts(started_ns, np.arange(0, steps + 1, width) * resolution)
    differences = np.diff(seen).astype(np.float64)
    return float((differences**2).mean() / 2 / seen.mean()), len(seen)


def _gaps(started_ns: NDArray[np.int64], resolution: int) -> tuple[float, float | None, bool]:
    """Return the variation of the gaps, their distance from the exponential law, and whether that may be luck."""
    gaps_ns = np.diff(started_ns[:MOST_GAPS]).astype(np.float64)
    mean = float(gaps_ns.mean())
    if mean <= 0:
        return math.inf, None, False
    variation = float(gaps_ns.std()) / mean
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
