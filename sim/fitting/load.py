"""Whether it is load that slows calls down: latency against how many calls came shortly before, and were in progress.

Calls that are slow together are also in progress together, so calls in progress go along with latency even if load is
no matter. What came shortly before is not made by latency (retries are left out), so that is what is tested.

The measure is the rank correlation of C. Spearman (1904). Its probability under independence comes from circular
shifts: the load of each call is paired with the latency of the call k later, for all k that are not near 0; shifts keep
what neighbors have in common on either side, which an ordinary p-value takes for independent evidence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from sim.kernel.durations import NS_PER_MS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sim.laws.elementary import Floats

LEAST_CALLS: Final = 200
MOST_CALLS: Final = 1 << 17
"""Only so many calls in a row are compared."""
NEAR: Final = 0.05
"""Shifts by less than this part of the log are left out: they are near the pairing that is tested."""
SURE: Final = 0.001
MATTERS: Final = 1.1
"""The busiest tenth must take so many times as long as the idlest for load to matter."""
IN_WINDOW: Final = 10
"""The window that looks back holds so many arrivals in the mean, or lasts as long as a usual call if that is more."""
IN_STEPS: Final = 3
"""The window is so many steps of the log's times long at least, since all calls of a step start at once."""


@dataclass(frozen=True, slots=True)
class LoadEffect:
    """Latency of successful calls against load."""

    calls: int
    window_ns: int
    """How far the count of arrivals looks back."""
    correlation: float
    """Of latency with the arrivals in the window before a call."""
    p_value: float
    in_progress: float
    """The correlation of latency with the calls in progress as it starts, for comparison."""
    levels: tuple[tuple[float, float, float], ...]
    """For tenths of the calls by load: (mean arrivals in the window, mean calls in progress, median latency in ns)."""

    @property
    def ratio(self) -> float:
        """The median latency of the busiest tenth over that of the idlest."""
        return self.levels[-1][2] / max(self.levels[0][2], 1.0)

    @property
    def is_found(self) -> bool:
        """Whether calls take longer under load, surely and by much."""
        return self.correlation > 0 and self.p_value <= SURE and self.ratio >= MATTERS


def load_effect(
    started_ns: NDArray[np.int64],
    latency_ns: NDArray[np.int64],
    succeeded: NDArray[np.bool_],
    is_first: NDArray[np.bool_],
) -> LoadEffect | None:
    """Compare latencies of successful calls with load; None if there are too few calls, or no times to tell them apart.

    All in order of their starts, shape (calls,); `is_first` leaves out retries from the arrivals.
    """
    started_ns, latency_ns = started_ns[:MOST_CALLS], latency_ns[:MOST_CALLS]
    succeeded, is_first = succeeded[:MOST_CALLS] & (latency_ns >= 0), is_first[:MOST_CALLS]
    span_ns = int(started_ns[-1]) if len(started_ns) else 0
    if int(succeeded.sum()) < LEAST_CALLS or span_ns <= 0:
        return None
    step_ns = int(np.gcd.reduce(started_ns))
    window_ns = int(
        max(np.median(latency_ns[succeeded]), IN_WINDOW * span_ns / len(started_ns), IN_STEPS * step_ns, NS_PER_MS)
    )
    arrivals = started_ns[is_first]
    before = np.searchsorted(arrivals, started_ns, side="left") - np.searchsorted(arrivals, started_ns - window_ns)
    ends_ns = np.sort(started_ns + np.maximum(latency_ns, 0))
    # Calls of one start are no load to each other: in what order they started, the log does not tell.
    progress = np.searchsorted(started_ns, started_ns) - np.searchsorted(ends_ns, started_ns, side="right")
    # The first calls have no window before them.
    kept = succeeded & (started_ns >= window_ns)
    if int(kept.sum()) < LEAST_CALLS:
        return None
    load, busy, slow = before[kept], np.maximum(progress[kept], 0), latency_ns[kept]
    if load.min() == load.max() or slow.min() == slow.max():
        return None
    ranks = _ranks(slow)
    correlation, p_value = shifted_correlation(_ranks(load), ranks)
    concurrent = 0.0 if busy.min() == busy.max() else shifted_correlation(_ranks(busy), ranks)[0]
    order = np.argsort(load, kind="stable")
    levels = tuple(
        (float(load[part].mean()), float(busy[part].mean()), float(np.median(slow[part])))
        for part in np.array_split(order, 10)
    )
    return LoadEffect(len(load), window_ns, correlation, p_value, concurrent, levels)


def shifted_correlation(one: Floats, other: Floats) -> tuple[float, float]:
    """Return the correlation of two rows of numbers, and the share of circular shifts that give as large a one."""
    a, b = one - one.mean(), other - other.mean()
    scale = float(np.sqrt((a @ a) * (b @ b)))
    if scale == 0:
        return 0.0, 1.0
    products = np.fft.irfft(np.fft.rfft(a).conj() * np.fft.rfft(b), len(a)) / scale
    near = max(1, int(NEAR * len(a)))
    shifts = products[near : len(a) - near]
    seen = float(products[0])
    return seen, (1 + int(np.count_nonzero(np.abs(shifts) >= abs(seen)))) / (1 + len(shifts))


def _ranks(values: NDArray[np.int64]) -> Floats:
    """Return the ranks of values, equal ones in the middle of theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    lasts = np.cumsum(counts)
    ranks: Floats = (lasts - (counts - 1) / 2)[inverse]
    return ranks
