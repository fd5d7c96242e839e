"""The policy that the attempts of a log show: how many tries, which failures are retried, and the delays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from sim.fitting.intervals import Found, share_of
from sim.fitting.retries import Delay, Gaps, delay_of, gaps_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sim.fitting.log import Log
    from sim.fitting.requests import Courses

MOST_RETRIES: Final = 1_000_000
"""Delays are taken from so many retries, evenly chosen."""
NEARLY_ALL: Final = 0.95
"""So many of the requests that give up must do so after equally many tries for that to be the limit."""
HARDLY: Final = 0.02
SURE: Final = 0.001
RESOLVED: Final = 10_000
"""So many calls say how finely a log tells times."""
DIFFERENT: Final = 20
COARSE_NS: Final = 10_000_000
"""Delays shorter than two steps of the log's times cannot be told if a step is longer than this."""


@dataclass(frozen=True, slots=True)
class FoundPolicy:
    """How requests were retried."""

    attempts: int
    """The most tries of a request."""
    at_limit: Found | None
    """Share of the requests whose last try failed, and might have been retried, that had as many; None if none did."""
    retried: tuple[tuple[str, Found], ...]
    """Of each failing status the share of failures before the limit that were retried."""
    delay: Delay | None
    """None if the log has no times, only too coarse ones, or too few retries."""
    gaps: tuple[Gaps, ...]
    overlapping: float
    """Share of the retries that began before the attempt before them had ended."""
    after_success: float
    """Share of the attempts after the first that follow a success."""
    retries: int
    again: tuple[Found, Found] | None
    """Share of first attempts that fail, and of second ones; None if there are no second ones."""
    stays: float
    """Share of the requests that never succeed however often they are tried, 0 unless second attempts fail more."""

    def retried_share(self, status: str) -> float:
        """Return the share of failures of a status that are retried: 1 and 0 if so nearly all or none are."""
        found = dict(self.retried).get(status)
        if found is None:
            return 1.0
        return (
            0.0
            if found.low <= HARDLY >= found.value
            else 1.0
            if found.high >= 1 - HARDLY <= found.value
            else found.value
        )


def policy_of(log: Log, courses: Courses) -> FoundPolicy | None:
    """Describe the retries of a log; None if no request has a second attempt."""
    most = int(courses.attempts.max(initial=1))
    if most < 2:
        return None
    number = _numbers(courses)
    failed = log.failed[log.status[courses.order]]
    is_last = np.zeros(log.count, np.bool_)
    is_last[courses.begins + courses.attempts - 1] = True
    is_closed = np.repeat(~courses.is_open, courses.attempts)
    status = log.status[courses.order]
    is_seen = is_closed | ~is_last
    # A failure that is hardly ever retried ends a request before the limit, and says nothing of it.
    seen = [
        (position, np.count_nonzero((status == position) & is_seen & ~is_last), np.count_nonzero(status == position))
        for position in range(len(log.statuses))
        if log.failed[position]
    ]
    finals = [position for position, again, count in seen if again <= HARDLY * count]
    is_retried = failed & ~np.isin(status, finals)
    limit, at_limit = _limit(courses, is_retried, most)
    retried = []
    for position, _, _ in seen:
        chosen = (status == position) & (number < limit) & is_seen
        if chosen.any():
            found = share_of(int(np.count_nonzero(~is_last[chosen])), int(chosen.sum()))
            retried.append((log.statuses[position], found))
    later = np.flatnonzero(number > 1)
    after_success = float((~failed[later - 1]).mean())
    again, stays = _again(is_retried, number)
    delay, gaps, overlapping = _delays(log, courses, number, later)
    return FoundPolicy(
        limit, at_limit, tuple(retried), delay, gaps, overlapping, after_success, len(later), again, stays
    )


def _numbers(courses: Courses) -> NDArray[np.int32]:
    """Return the number of each attempt within its request, from 1, in the order of `courses.order`."""
    numbers = np.arange(len(courses.order), dtype=np.int32)
    numbers -= np.repeat(courses.begins - 1, courses.attempts)
    return numbers


def _limit(courses: Courses, is_retried: NDArray[np.bool_], most: int) -> tuple[int, Found | None]:
    """Return the limit of tries, and the share of requests that gave up after a retry that had so many."""
    ends = courses.begins + courses.attempts - 1
    gave_up = is_retried[ends] & ~courses.is_open & (courses.attempts > 1)
    count = int(gave_up.sum())
    if not count:
        return most, None
    tries = courses.attempts[gave_up]
    usual = int(np.bincount(tries).argmax())
    # A few requests with more tries than all others are two requests under one key.
    beyond = float((courses.attempts > usual).mean())
    limit = usual if beyond <= 0.001 and int((tries == usual).sum()) >= NEARLY_ALL * count else most
    return limit, share_of(int((tries == limit).sum()), count)


def _again(failed: NDArray[np.bool_], number: NDArray[np.int32]) -> tuple[tuple[Found, Found] | None, float]:
    """Compare first and second attempts, and return the share of requests that fail for good if that explains it.

    With a share q that always fails, and others that fail with p, first attempts fail with x = q + (1 - q) p, and both
    of the first two with y = q + (1 - q) p^2; so q = (y - x^2) / (1 + y - 2x).
    """
    first, second = failed[number == 1], failed[number == 2]
    if len(second) < 20:
        return None, 0.0
    ones, twos = share_of(int(first.sum()), len(first)), share_of(int(second.sum()), len(second))
    if twos.low <= ones.high:
        return (ones, twos), 0.0
    both = ones.value * twos.value
    stays = (both - ones.value**2) / (1 + both - 2 * ones.value)
    return (ones, twos), min(max(stays, 0.0), 1.0)


def _delays(
    log: Log, courses: Courses, number: NDArray[np.int32], later: NDArray[np.int64]
) -> tuple[Delay | None, tuple[Gaps, ...], float]:
    if log.started_ns is None:
        return None, (), 0.0
    later = later[:: -(-len(later) // MOST_RETRIES)]
    before, after = courses.order[later - 1], courses.order[later]
    waits_ns = log.started_ns[after] - log.started_ns[before] - log.latency_ns[before]
    known = log.latency_ns[before] >= 0
    later, waits_ns = later[known], waits_ns[known]
    if not len(waits_ns):
        return None, (), 0.0
    resolution_ns = _resolution_ns(log.started_ns[:RESOLVED], log.latency_ns[:RESOLVED])
    is_overlap = waits_ns < -2 * resolution_ns
    kept = ~is_overlap
    numbers = number[later] - 1
    clipped = np.maximum(waits_ns[kept], 0)
    gaps = gaps_of(clipped, numbers[kept])
    if resolution_ns > COARSE_NS:
        gaps = gaps if any(one.median > 2 * resolution_ns for one in gaps) else ()
    if not gaps:
        return None, (), float(is_overlap.mean())
    of_second = np.flatnonzero(kept & (numbers == 2))
    of_second = of_second[of_second > 0]
    of_second = of_second[kept[of_second - 1] & (later[of_second - 1] == later[of_second] - 1)]
    pairs = (
        np.maximum(waits_ns[of_second - 1], 0).astype(np.float64)[:20_000],
        np.maximum(waits_ns[of_second], 0).astype(np.float64)[:20_000],
    )
    return delay_of(gaps, pairs, resolution_ns), gaps, float(is_overlap.mean())


def _resolution_ns(started_ns: NDArray[np.int64], latency_ns: NDArray[np.int64]) -> int:
    """Return how finely gaps are told: as the coarser of times and latencies is, such as times in whole seconds."""
    different = np.unique(latency_ns[latency_ns > 0])
    # A few different latencies, such as those of timeouts, do not say how finely latencies are told.
    of_latencies = int(np.gcd.reduce(different)) if len(different) >= DIFFERENT else 1
    return max(1, int(np.gcd.reduce(started_ns)), of_latencies)
