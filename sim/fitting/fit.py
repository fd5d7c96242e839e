"""Finds what a log says: latencies, ends, arrivals, retries, weather and load, in laws and numbers with intervals."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Final

import numpy as np

from sim.fitting.arrivals import arrivals_of
from sim.fitting.clustering import clustering_of
from sim.fitting.findings import P50, P99, Calls, Ends, Findings, Whole
from sim.fitting.intervals import design_effect, quantile_in_time, share_in_time, share_of
from sim.fitting.latencies import MOST_KEPT, latencies_of, sampled
from sim.fitting.limits import limits_of
from sim.fitting.load import load_effect
from sim.fitting.order import mixed_in_steps
from sim.fitting.policies import policy_of
from sim.fitting.requests import courses_of
from sim.fitting.sentences import sentences_of
from sim.fitting.weather import weather_of
from sim.fitting.writing import write_fit

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from sim.fitting.log import Log
    from sim.fitting.policies import FoundPolicy
    from sim.fitting.weather import FoundWeather

MOST_WEATHER: Final = 5_000_000
"""Weather is sought in so many calls at most."""
MOST_ARRIVALS: Final = 1_000_000
"""So many times of arrivals are kept for the column beside a scenario."""
MOST_SHOWN: Final = 20_000
"""So many calls are kept for pictures, evenly chosen."""


class NothingToFit(ValueError):
    """The log has no row that says how long a call took, or how one ended."""


class Fitted(Findings):
    """All that was found in a log, and how to tell and write it."""

    __slots__ = ()

    def sentences(self) -> tuple[str, ...]:
        """Return what was found in sentences, those of the reader of the log first."""
        return sentences_of(self)

    def limits(self) -> tuple[str, ...]:
        """Return sentences on what the log cannot tell."""
        return limits_of(self)

    def write(
        self,
        path: Path,
        *,
        shared: bool = False,
        overwrite: bool = False,
        command: str = "",
        unmet: Mapping[str, str] | None = None,
    ) -> tuple[Path, ...]:
        """Write the scenario and the columns beside it, as `sim.fitting.writing.write_fit` does; return their paths."""
        return write_fit(self, path, shared=shared, overwrite=overwrite, command=command, unmet=unmet)


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
    clustering = None
    if log.started_ns is not None:
        clustering = clustering_of(mixed_in_steps(failed[is_first], log.started_ns[is_first]))
    weather = None
    if clustering is not None and clustering.is_found and log.started_ns is not None:
        weather = weather_of(log.started_ns[:MOST_WEATHER], failed[:MOST_WEATHER])
    arrived_ns = courses.started_ns if courses.started_ns is not None else np.zeros(0, np.int64)
    load = None
    if log.started_ns is not None:
        load = load_effect(log.started_ns, log.latency_ns, ~failed, is_first)
    ends = _ends(log, weather, policy)
    succeeded, known_ns, is_open = courses.succeeded, courses.known_ns, courses.is_open
    del courses  # a log of many rows has room for what is still needed only
    whole = _whole(succeeded, known_ns, is_open)
    del succeeded, known_ns, is_open
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


def _ends(log: Log, weather: FoundWeather | None, policy: FoundPolicy | None) -> tuple[Ends, ...]:
    """Return the shares of failing statuses; those within the weather are weighed by the chance of either state."""
    down = None if weather is None else weather.down_calls
    in_down = 0.0 if down is None else float(down.sum())
    found = []
    for position, status in enumerate(log.statuses):
        chosen = log.status == position
        hits = int(np.count_nonzero(chosen))
        if not log.failed[position] or not hits:
            continue
        share = share_in_time(chosen) if log.started_ns is not None else share_of(hits, log.count)
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


def _whole(succeeded: NDArray[np.bool_], known_ns: NDArray[np.int64], is_open: NDArray[np.bool_]) -> Whole:
    """Describe how requests end, without those that the log may end before."""
    requests = len(succeeded)
    if is_open.any() and not is_open.all():
        succeeded, known_ns = succeeded[~is_open], known_ns[~is_open]
    counted, is_told = 0, known_ns >= 0
    p50 = p99 = None
    ascending = known_ns[:0]
    # With many requests whose times are not told, those told are perhaps of another kind.
    if len(known_ns) and int(is_told.sum()) >= 0.98 * len(known_ns):
        if not is_told.all():
            known_ns = known_ns[is_told]
        counted = len(known_ns)
        ascending = np.sort(known_ns)
        p50, p99 = (quantile_in_time(known_ns, ascending, share) for share in (P50, P99))
        ascending = sampled(ascending, MOST_KEPT)
    left_out = requests - (counted or len(succeeded))
    return Whole(requests, left_out, share_in_time(succeeded), p50, p99, ascending, design_effect(succeeded))
