"""The latencies of each status: quantiles with intervals, laws that fit, and values at which many calls end.

If many calls end at one duration, somebody's clock ended them: a timeout of the client or of what stands between. How
long these calls would have taken, no log tells.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final

import numpy as np

from sim.fitting.intervals import Found, quantile_in_time
from sim.fitting.laws import FittedLaw, constant_law, fitted_laws
from sim.fitting.units import status_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sim.fitting.log import Log

POINTS: Final = tuple(Fraction(point) for point in ("0.5", "0.9", "0.99", "0.999"))
"""The quantiles that are told of each status."""
MOST_FITTED: Final = 200_000
"""Laws are fitted to evenly chosen rows if there are more."""
MOST_KEPT: Final = 1_000_000
"""Latencies of a status that are kept; evenly spread quantiles if there are more."""
MOST_WRITTEN: Final = 100_000
"""The columns beside a scenario have so many rows of all statuses; evenly spread quantiles if the log has more."""
TIMEOUT: Final = re.compile(r"time[ _-]?(d[ _-]?)?out|timeout|deadline|cancel", re.IGNORECASE)
"""How logs name calls that their caller gave up."""
_BIN: Final = 0.005
"""The relative width of the bins in which spikes are sought."""
_BLUR, _NEIGHBORS = 4, 12
"""A spike is compared with the bins from the fourth to the twelfth beside it."""
_NARROW: Final = 0.02
"""If nine tenths of the calls lie so close together, relative to their median, they are one spike."""
_TOWERS: Final = 6.0
"""A spike is so many times higher than what is around it."""
_SPIKE_SHARE: Final = 0.01
_SPIKE_CALLS: Final = 10


@dataclass(frozen=True, slots=True)
class Spike:
    """A duration at which many calls end."""

    at_ns: int
    calls: int
    share: float
    """Of the calls of its status."""
    is_last: bool
    """Whether hardly any call takes longer."""


@dataclass(frozen=True, slots=True)
class StatusLatencies:
    """What the log says of the latencies of one status."""

    status: str
    failed: bool
    calls: int
    """All calls of the status, those without a latency included."""
    values_ns: NDArray[np.int64]
    """In ascending order; shape (calls with a latency,), or `MOST_KEPT` evenly spread quantiles of more."""
    points: tuple[Found, ...]
    """The quantiles of `POINTS`; none if there is no latency."""
    laws: tuple[FittedLaw, ...]
    """The best first."""
    spikes: tuple[Spike, ...]

    @property
    def named(self) -> str:
        """The status as sentences write it."""
        return status_text(self.status)

    @property
    def is_timeout(self) -> bool:
        """Whether its name says that the caller gave up."""
        return TIMEOUT.search(self.status) is not None

    @property
    def law(self) -> FittedLaw | None:
        """The best law, if any can be fitted."""
        return self.laws[0] if self.laws else None


def latencies_of(log: Log) -> tuple[StatusLatencies, ...]:
    """Describe the latencies of each status that has a row, the most frequent first."""
    found = []
    for position, status in enumerate(log.statuses):
        chosen = log.status == position
        calls = int(np.count_nonzero(chosen))
        if not calls:
            continue
        values_ns = log.latency_ns[chosen]
        del chosen
        if values_ns.min() < 0:
            values_ns = values_ns[values_ns >= 0]
        found.append(_of_status(status, bool(log.failed[position]), calls, values_ns))
    return tuple(sorted(found, key=lambda one: -one.calls))


def _of_status(status: str, failed: bool, calls: int, values_ns: NDArray[np.int64]) -> StatusLatencies:  # noqa: FBT001
    ascending = np.sort(values_ns)
    points = tuple(quantile_in_time(values_ns, ascending, share) for share in POINTS) if len(ascending) else ()
    step = -(-len(ascending) // MOST_FITTED) if len(ascending) else 1
    kept = sampled(ascending, MOST_KEPT)
    spikes = spikes_of(sampled(ascending, MOST_FITTED), len(ascending))
    if any(spike.share == 1.0 for spike in spikes):
        laws: tuple[FittedLaw, ...] = (constant_law(kept.astype(np.float64)),)
    else:
        laws = fitted_laws(values_ns[::step])
    return StatusLatencies(status, failed, calls, kept, points, laws, spikes)


def spikes_of(ascending: NDArray[np.int64], calls: int | None = None) -> tuple[Spike, ...]:
    """Return the durations, ascending ns, at which far more calls end than a little before and after.

    Bins are half a percent wide, or as wide as the log's resolution. `calls` is how many there are if these are a part.
    """
    count = len(ascending)
    if count < _SPIKE_CALLS:
        return ()
    each = 1.0 if calls is None else calls / count
    values, counts = np.unique(ascending, return_counts=True)
    resolution = int(np.gcd.reduce(values)) or 1
    low, middle, high = ascending[[count // 20, count // 2, count - 1 - count // 20]].tolist()
    if high - low <= _NARROW * middle:
        return (Spike(middle, round(count * each), 1.0, is_last=True),)
    spikes: list[Spike] = []
    while len(spikes) < 5:
        found = _highest(values, counts, resolution, count)
        if found is None:
            break
        low, high, inside = found
        at = int(np.searchsorted(values, low)), int(np.searchsorted(values, high, side="right"))
        weighted = np.repeat(values[at[0] : at[1]], counts[at[0] : at[1]])
        beyond = count - int(np.searchsorted(ascending, high, side="right"))
        spikes.append(Spike(int(np.median(weighted)), round(inside * each), inside / count, beyond <= 0.001 * count))
        counts = counts.copy()
        counts[at[0] : at[1]] = 0
    return tuple(sorted(spikes, key=lambda spike: spike.at_ns))


def _highest(
    values: NDArray[np.int64], counts: NDArray[np.int64], resolution: int, total: int
) -> tuple[int, int, int] | None:
    """Return the ends of the highest spike and how many calls it has; None if there is none."""
    sums = np.concatenate([[0], np.cumsum(counts)])

    def between(low: NDArray[np.float64], high: NDArray[np.float64]) -> NDArray[np.int64]:
        found: NDArray[np.int64] = sums[np.searchsorted(values, high, "right")] - sums[np.searchsorted(values, low)]
        return found

    centers = values.astype(np.float64)
    half = np.maximum(_BIN / 2 * centers, resolution / 2)
    inside = between(centers - half, centers + half)
    # Beside a spike that is blurred a little, or beside a value of a log that knows few values, on the higher side.
    near, far = np.where(half > _BIN / 2 * centers, 0, _BLUR), np.where(half > _BIN / 2 * centers, 3, _NEIGHBORS)
    before = between(centers - half * (2 * far + 1), centers - half * (2 * near + 1) - 1)
    after = between(centers + half * (2 * near + 1) + 1, centers + half * (2 * far + 1))
    usual = np.maximum(before, after) / (far - near)
    is_spike = (counts > 0) & (inside >= max(_SPIKE_CALLS, _SPIKE_SHARE * total)) & (inside >= _TOWERS * usual)
    if not is_spike.any():
        return None
    best = int(np.argmax(np.where(is_spike, inside, 0)))
    low, high = int(np.ceil(centers[best] - half[best])), int(np.floor(centers[best] + half[best]))
    return low, high, int(inside[best])


def sampled(ascending: NDArray[np.int64], rows: int) -> NDArray[np.int64]:
    """Return so many evenly spread quantiles of values in ascending order; all values if there are no more."""
    count = len(ascending)
    if count <= rows:
        return ascending
    places = ((2 * np.arange(rows, dtype=np.int64) + 1) * count) // (2 * rows)
    kept: NDArray[np.int64] = ascending[places]
    return kept
