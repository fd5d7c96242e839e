"""Logs made by a generator of numbers, for tests of what a fit finds in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sim.fitting.log import Log

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def log_of(
    latency_ns: NDArray[np.float64] | Sequence[float],
    status: NDArray[np.int64] | Sequence[int] | None = None,
    started_ns: NDArray[np.float64] | Sequence[float] | None = None,
    *,
    statuses: tuple[str, ...] = ("200", "503", "timeout"),
    request: Sequence[int] | None = None,
    attempt: Sequence[int] | None = None,
    told: tuple[str, ...] = (),
) -> Log:
    """A log; statuses but those below 400 are failures."""
    count = len(latency_ns)
    return Log(
        source="logs/pay.csv",
        rows="calls" if request is None else "attempts",
        latency_ns=np.rint(latency_ns).astype(np.int64),
        status=np.zeros(count, np.int16) if status is None else np.asarray(status).astype(np.int16),
        statuses=statuses,
        failed=np.array([not (one.isdigit() and int(one) < 400) for one in statuses]),
        started_ns=None if started_ns is None else np.rint(started_ns).astype(np.int64),
        request=None if request is None else np.asarray(request).astype(np.int32),
        attempt=None if attempt is None else np.asarray(attempt).astype(np.int32),
        told=told,
    )


def arrivals_ns(rng: np.random.Generator, count: int, rate: float) -> NDArray[np.float64]:
    """Starts of independent callers, the first at 0."""
    times_ns = np.cumsum(rng.exponential(1e9 / rate, count))
    return times_ns - times_ns[0]


def down_at(
    rng: np.random.Generator, times_ns: NDArray[np.float64], up_s: float, down_s: float, *, even: bool = False
) -> NDArray[np.bool_]:
    """Whether on/off weather is down at each time; `even`: it is always down for as long."""
    edges, at, down = [], 0.0, False
    while at < times_ns[-1]:
        at += (down_s if even else rng.exponential(down_s)) * 1e9 if down else rng.exponential(up_s) * 1e9
        edges.append(at)
        down = not down
    found: NDArray[np.bool_] = np.searchsorted(edges, times_ns, side="right") % 2 == 1
    return found


def calls(rng: np.random.Generator, count: int, *, fail: float = 0.03, timeouts: float = 0.01) -> Log:
    """Calls whose failures do not hang together; a few end after 30 s as 'timeout'."""
    started_ns = arrivals_ns(rng, count, 20.0)
    is_slow, is_bad = rng.random(count) < timeouts, rng.random(count) < fail
    good_ns, bad_ns = rng.lognormal(np.log(1.2e8), 0.7, count), rng.exponential(1.2e7, count)
    slow_ns = 30e9 + rng.exponential(1e6, count)
    latency_ns = np.where(is_slow, slow_ns, np.where(is_bad, bad_ns, good_ns))
    return log_of(latency_ns, np.where(is_slow, 2, np.where(is_bad, 1, 0)), started_ns)
