"""Logs of any kind by number: latencies, statuses, times and keys as they may come, small and strange."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from made_logs import log_of

if TYPE_CHECKING:
    from sim.fitting.log import Log

STATUSES = ("200", "201", "500", "503", "timeout", "404", "", "ok")


def any_log(seed: int) -> Log:
    rng = np.random.default_rng(seed)
    count = int(rng.choice([1, 2, 3, 5, 8, 20, 60, 300]))
    latency_ns = [
        rng.exponential(1e8, count),
        rng.integers(0, 3, count) * 1e6,
        np.full(count, 5e9),
        np.zeros(count),
        np.minimum(rng.pareto(0.5, count) * 1e6, 1e17),
        np.round(rng.lognormal(18, 1, count), -6),
    ][rng.integers(6)]
    if rng.random() < 0.3:
        latency_ns = np.where(rng.random(count) < rng.random(), -1, latency_ns)
    kinds = int(rng.integers(1, 6))
    status = rng.integers(0, kinds, count)
    if rng.random() < 0.3:
        status = np.sort(status)
    times_ns = None
    if rng.random() < 0.8:
        times_ns = [
            np.cumsum(rng.exponential(1e8, count)),
            np.zeros(count),
            np.arange(count) * 1e9,
            np.sort(rng.integers(0, 5, count)) * 1e9,
        ][rng.integers(4)]
        times_ns = times_ns - times_ns[0]
    request = attempt = None
    if rng.random() < 0.5:
        drawn = rng.integers(0, max(1, int(count * rng.random())), count).tolist()
        names = {name: number for number, name in enumerate(dict.fromkeys(drawn))}
        request = [names[name] for name in drawn]
        attempt = [request[: at + 1].count(number) for at, number in enumerate(request)]
    words = tuple(str(word) for word in rng.permutation(STATUSES)[:kinds])
    return log_of(latency_ns, status, times_ns, statuses=words, request=request, attempt=attempt)
