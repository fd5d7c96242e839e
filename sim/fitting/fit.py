"""What a log says, in laws and numbers with intervals: latencies, ends, arrivals, retries, weather and load."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import PurePath
from typing import TYPE_CHECKING, Final

import numpy as np

from sim.fitting.arrivals import FoundArrivals, arrivals_of
from sim.fitting.clustering import Clustering, clustering_of
from sim.fitting.intervals import Found, design_effect, quantile_in_time, share_in_time, share_of
from sim.fitting.latencies import StatusLatencies, latencies_of
from sim.fitting.load import LoadEffect, load_effect
from sim.fitting.policies import FoundPolicy, policy_of
from sim.fitting.requests import courses_of
from sim.fitting.weather import FoundWeather, weather_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from sim.fitting.log import Log
    from sim.fitting.requests import Courses

P50, P99 = Fraction(1, 2), Fraction(99, 100)
MOST_WEATHER: Final = 5_000_000
"""Weather is sought in so many calls at most."""
MOST_ARRIVALS: Final = 1_000_000
"""So many times of arrivals are kept for the column beside a scenario."""
MOST_SHOWN: Final = 20_000
"""So many calls are kept for pictures, evenly chosen."""


class NothingToFit(ValueError):
    """The log has no row that says how long a call took, or how one ended."""


@dataclass(frozen=True, slots=True)
class Ends:
    """How often calls end with one failing status."""

    status: str
    share: Found
    """Of all calls."""
    up: float
    """Of the calls that start in good weather; the share of all if there is no weather."""
    down: float
    """Of the calls that start in bad weather; 0 if there is none."""
    final: float
    """Share of these failures that are not retried, or would not be worth a retry."""


@dataclass(frozen=True, slots=True)
class Whole:
    """How requests end, retries and all; 95 % intervals."""

    requests: int
    left_out: int
    """Requests that the log may end before, or whose times it does not tell."""
    success: Found
    p50: Found | None
    """Of the time from the first start to the end, in ns; None if the log does not tell it."""
    p99: Found | None
    known_ns: NDArray[np.int64]
    """All of these times, ascending; shape (requests counted,)."""
    effect: float
    """How many times larger the variance of the share of successes is than that of independent requests."""


@dataclass(frozen=True, slots=True)
class Calls:
    """Some of the calls, evenly chosen, for pictures; shape (calls shown,)."""

    started_ns: NDArray[np.int64]
    latency_ns: NDArray[np.int64]
    failed: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Fitted:
    """All that was found in a log."""

    source: str
    """The last part of the file's name."""
    rows: str
    """What a row is: "calls" or "attempts"."""
    calls: int
    what: str
    statuses: tuple[StatusLatencies, ...]
    ends: tuple[Ends, ...]
    """Of each failing status, the most frequent first."""
    whole: Whole
    clustering: Clustering | None
    """None if calls have no order in time."""
    weather: FoundWeather | None
    arrivals: FoundArrivals | None
    arrived_ns: NDArray[np.int64]
    """Starts of the requests, ascending, at most `MOST_ARRIVALS`; none if the log has no times."""
    policy: FoundPolicy | None
    load: LoadEffect | None
    shown: Calls
    told: tuple[str, ...]
    """What the reader of the log guessed and skipped."""

    @property
    def successes(self) -> tuple[StatusLatencies, ...]:
        """The statuses of calls that succeed."""
        return tuple(one for one in self.statuses if not one.failed)

    @property
    def failures(self) -> tuple[StatusLatencies, ...]:
        """The statuses of calls that fail."""
        return tuple(one for one in self.statuses if one.failed)


def fit_log(log: Log) -> Fitted:
    """Find all that a log says. Raises NothingToFit if it has no row, or no latency at all."""
    if not log.count:
        raise NothingToFit("the log has no row to fit")
    if not bool((log.latency_ns >= 0).any()):
        raise NothingToFit("the log does not say of any call how long it took")
    failed = log.failed[log.status]
    courses = courses_of(log)
    is_first = np.zeros(log.count, np.bool_)
    is_first[courses.order[courses.begins]] = True
    policy = policy_of(log, courses)
    clustering = clustering_of(failed[is_first]) if log.started_ns is not None else None
    weather = None
    if clustering is not None and clustering.is_found and log.started_ns is not None:
        weather = weather_of(log.started_ns[:MOST_WEATHER], failed[:MOST_WEATHER])
    arrived_ns = courses.started_ns if courses.started_ns is not None else np.zeros(0, np.int64)
    load = None
    if log.started_ns is not None:
        load = load_effect(log.started_ns, log.latency_ns, ~failed, is_first)
    ends = _ends(log, failed, weather, policy)
    whole = _whole(courses, failed)
    del courses
    step = -(-log.count // MOST_SHOWN)
    started_ns = log.started_ns if log.started_ns is not None else np.arange(log.count)
    return Fitted(
        source=PurePath(log.source).name,
        rows=log.rows,
        calls=log.count,
        what=log.what,
        statuses=latencies_of(log),
        ends=ends,
        whole=whole,
        clustering=clustering,
        weather=weather,
        arrivals=arrivals_of(arrived_ns),
        arrived_ns=arrived_ns[:MOST_ARRIVALS].copy(),
        policy=policy,
        load=load,
        shown=Calls(started_ns[::step].copy(), log.latency_ns[::step].copy(), failed[::step]),
        told=log.told,
    )


def _ends(
    log: Log, failed: NDArray[np.bool_], weather: FoundWeather | None, policy: FoundPolicy | None
) -> tuple[Ends, ...]:
    """Return the shares of failing statuses; those within the weather are weighed by the chance of either state."""
    effect = design_effect(failed) if log.started_ns is not None else 1.0
    down = None if weather is None else weather.down_calls
    in_down = 0.0 if down is None else float(down.sum())
    found = []
    for position, status in enumerate(log.statuses):
        chosen = log.status == position
        hits = int(np.count_nonzero(chosen))
        if not log.failed[position] or not hits:
            continue
        interval = share_of(hits / effect, log.count / effect)
        share = Found(hits / log.count, interval.low, interval.high)
        up, bad = share.value, 0.0
        if down is not None and weather is not None:
            marked = chosen[: len(down)]
            weight = float(down[marked].sum())
            bad = weight / in_down
            up = (int(np.count_nonzero(marked)) - weight) / (len(down) - in_down)
        final = float(log.final[position]) if len(log.final) else 0.0
        if policy is not None:
            final = 1.0 - policy.retried_share(status)
        found.append(Ends(status, share, up, bad, final))
    return tuple(sorted(found, key=lambda one: -one.share.value))


def _whole(courses: Courses, failed: NDArray[np.bool_]) -> Whole:
    del failed
    kept = ~courses.is_open
    succeeded = courses.succeeded[kept]
    known_ns = courses.known_ns[kept]
    is_told = known_ns >= 0
    p50 = p99 = None
    ascending = known_ns[:0]
    # With many requests whose times are not told, those told are perhaps of another kind.
    if len(known_ns) and int(is_told.sum()) >= 0.98 * len(known_ns):
        told_ns = known_ns[is_told]
        ascending = np.sort(told_ns)
        p50, p99 = (quantile_in_time(told_ns, ascending, share) for share in (P50, P99))
    if not len(succeeded):
        succeeded = courses.succeeded
    left_out = len(courses) - len(ascending) if len(ascending) else int(courses.is_open.sum())
    return Whole(
        len(courses), left_out, share_in_time(succeeded), p50, p99, ascending, design_effect(succeeded)
    )


def statuses_in_words(statuses: Sequence[StatusLatencies]) -> str:
    """Return names of statuses with the number of their calls."""
    return ", ".join(f"{one.status or '(blank)'} {one.calls:,}" for one in statuses)
