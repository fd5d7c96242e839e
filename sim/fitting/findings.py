"""What was found in a log, as data: the waist between the statistics and what is written, told and drawn."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from sim.fitting.units import status_text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from sim.fitting.arrivals import FoundArrivals
    from sim.fitting.clustering import Clustering
    from sim.fitting.intervals import Found
    from sim.fitting.latencies import StatusLatencies
    from sim.fitting.load import LoadEffect
    from sim.fitting.policies import FoundPolicy
    from sim.fitting.weather import FoundWeather

P50, P99 = Fraction(1, 2), Fraction(99, 100)


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

    @property
    def named(self) -> str:
        """The status as sentences write it."""
        return status_text(self.status)


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
    """These times, ascending, or evenly spread quantiles of them if there are many; shape (times,)."""
    effect: float
    """How many times larger the variance of the share of successes is than that of independent requests."""


@dataclass(frozen=True, slots=True)
class Calls:
    """Some of the calls, evenly chosen, for pictures; shape (calls shown,)."""

    started_ns: NDArray[np.int64]
    latency_ns: NDArray[np.int64]
    failed: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Findings:
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
