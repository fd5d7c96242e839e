"""Quantities over time: `timeline_of(traffic, ...)` gives them in bins, as means over replications with bands.

A band is the 95 % interval of the mean by Student's t, bin by bin: it says nothing of all bins together. With one
replication there is none. The measuring window plays no part here, so the warm-up shows.

- offered, goodput, attempts, retries: a second. Retries are calls that their caller makes again: attempts after the
  first and, of a service that calls another, calls after its first one. At a service they are calls of a request after
  its first, whoever makes them.
- in_flight, queue: means over the bin. utilization: the share of the server time that there was; empty without a limit.
- of a pool (`pool.NAME`): backlog, pending, running, finished and slots, as `sim.measure.pools` has them; parallelism:
  how many slots there are; awake: the share of the bin that the loop was awake. All are means over the bin.
- rejected.* by reason, dropped: calls a second, at the instant at which they were turned away.

Whatever happens at the end of observation belongs to the last bin. A replication that runs until nothing is left to do
is observed up to its last event; nothing happens after that, so it has zeros where others go on.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np

from sim.history.traffic import NO_SERVICE, REJECTIONS, UNLIMITED, CallEnd
from sim.history.vocabulary import NEVER, Outcome
from sim.measure.estimates import t_quantile
from sim.measure.levels import Levels, bin_of, rows_of_replications
from sim.measure.paths import rows_of
from sim.measure.pools import STATUSES
from sim.measure.quantities import WHOLE, Scope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray

    from sim.measure.levels import Spans
    from sim.measure.pools import PoolPart
    from sim.measure.traffic import Part, TrafficMetrics

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

MOST_BINS: Final = 10_000
MOST_CELLS: Final = 2_000_000
"""So many numbers of a quantity, bins times replications, are held at once."""
LEAST_OF_BAND: Final = 2
"""Replications that show how much they vary."""
_S: Final = 1e9

REASONS: Final = {f"rejected.{end.name.removeprefix('rejected_')}": end for end in REJECTIONS} | {
    "dropped": CallEnd.dropped
}
"""By quantity, how the calls ended that it counts."""


@dataclass(frozen=True, slots=True)
class Band:
    """One quantity over time."""

    mean: Floats
    """Shape (bins,): the mean over replications; NaN where there is nothing."""
    low: Floats | None
    high: Floats | None
    """Shape (bins,): the 95 % interval of each mean; None with one replication."""

    def __len__(self) -> int:
        return len(self.mean)


@dataclass(frozen=True, slots=True)
class Timeline:
    """The quantities of a cell over time."""

    edges_ns: Ints
    """Shape (bins + 1,): where bins begin and end, from 0."""
    replications: int
    series: Mapping[str, Mapping[str, Band]]
    """By part of the world (empty for all of it, `service.NAME`, `class.NAME`), then by quantity."""
    is_cut: bool = False
    """Whether it ends before the simulation does, since there would be more than `MOST_BINS` bins."""

    @property
    def every_ns(self) -> int:
        """The width of a bin; the last one may be narrower."""
        return int(self.edges_ns[1])

    def __getitem__(self, quantity: str) -> Band:
        """Return a quantity such as `goodput` or `service.payments.queue`; raises KeyError if there is none."""
        if quantity in self.series[""]:
            return self.series[""][quantity]
        for part, quantities in self.series.items():
            if part and quantity.startswith(f"{part}.") and quantity.removeprefix(f"{part}.") in quantities:
                return quantities[quantity.removeprefix(f"{part}.")]
        raise KeyError(f"no quantity '{quantity}' over time; there are {', '.join(self.names)}")

    @property
    def names(self) -> list[str]:
        """The names of all quantities."""
        return [f"{part}.{name}" if part else name for part, found in self.series.items() for name in found]


def bins_of(length_ns: int, every_ns: int) -> int:
    """Return how many bins of a width a length of time makes."""
    return max(1, -(-length_ns // every_ns))


def timeline_of(metrics: TrafficMetrics, every_ns: int, until_ns: int | None) -> Timeline:
    """Return the quantities of a cell over time; `until_ns` is None if each replication ran until nothing was left."""
    end_ns = int(metrics.observed_ns.max(initial=0)) if until_ns is None else until_ns
    bins = min(bins_of(end_ns, every_ns), MOST_BINS)
    edges_ns = np.arange(bins + 1, dtype=np.int64) * every_ns
    is_cut = bins < bins_of(end_ns, every_ns)
    if until_ns is not None and not is_cut:
        edges_ns[-1] = until_ns
    scopes = [
        WHOLE,
        *(Scope(service=name) for name in metrics.named.services),
        *(Scope(of_class=name) for name in metrics.named.classes),
        *(Scope(pool=name) for name in metrics.named.pools),
    ]
    binned = _Binned(metrics, edges_ns)
    series = {scope.prefix.rstrip("."): dict(binned.quantities(scope)) for scope in scopes}
    return Timeline(edges_ns, metrics.replications, series, is_cut)


class _Binned:
    """Counts what happens in each bin of each replication."""

    def __init__(self, metrics: TrafficMetrics, edges_ns: Ints) -> None:
        self.metrics = metrics
        self.edges_ns = edges_ns
        self.bins = len(edges_ns) - 1
        self.seconds = np.diff(edges_ns) / _S

    def quantities(self, scope: Scope) -> Iterator[tuple[str, Band]]:
        """Yield the quantities of a part of the world that can be anything but empty."""
        if scope.pool:
            yield from self._of_pool(self.metrics.pool(scope.pool))
            return
        part = self.metrics.part(scope)
        if scope.service:
            yield "offered", self._calls(part, part.is_call, "arrived_ns")
            heard = (part.column("end") == CallEnd.success) & (part.column("given_up_ns") == NEVER)
            yield "goodput", self._calls(part, heard, "over_ns")
        else:
            requests = self.metrics.requests
            ours = rows_of(requests, scope, self.metrics.named)
            ours = np.ones(len(requests), np.bool_) if ours is None else ours
            good = ours & (requests.outcome == Outcome.success)
            yield "offered", self._rate(self.metrics.request_position[ours], requests.submitted_ns[ours])
            yield "goodput", self._rate(self.metrics.request_position[good], requests.settled_ns[good])
            yield "attempts", self._calls(part, part.is_call, "sent_ns")
        began = "arrived_ns" if scope.service else "sent_ns"
        again = part.is_call & (part.column("number") > 1)
        if not scope.service:
            again = again | ((part.column("caller") != NO_SERVICE) & (part.column("slept_ns") != NEVER))
        yield "retries", self._calls(part, again, began)
        yield "in_flight", self._level(part.in_flight())
        if not self.metrics.named.services:
            return
        yield "queue", self._level(part.waiting())
        if scope.service:
            yield "utilization", self._utilization(part)
        for name, end in REASONS.items():
            yield name, self._calls(part, part.is_call & (part.column("end") == end), "ended_ns")

    def _of_pool(self, part: PoolPart) -> Iterator[tuple[str, Band]]:
        for name, spans in STATUSES.items():
            yield name, self._level(spans(part))
        for name, levels in (("parallelism", part.allowed()), ("awake", part.awake())):
            (level,) = levels
            yield name, self._band(partial(level.in_bins, self.edges_ns))

    def _calls(self, part: Part, chosen: NDArray[np.bool_], at: str) -> Band:
        instants_ns = part.column(at)
        chosen = chosen & (instants_ns != NEVER)
        return self._rate(part.replication[chosen], instants_ns[chosen])

    def _rate(self, replication: NDArray[np.intp], instants_ns: Ints) -> Band:
        """Return how many instants there are a second."""
        inside = (instants_ns >= 0) & (instants_ns <= self.edges_ns[-1])
        replication, bins = replication[inside], bin_of(instants_ns[inside], self.edges_ns)

        def of(block: range) -> Floats:
            rows = rows_of_replications(replication, block)
            cells = (replication[rows] - block.start) * self.bins + bins[rows]
            counts = np.bincount(cells, minlength=len(block) * self.bins)
            return counts.reshape(len(block), self.bins) / self.seconds

        return self._band(of)

    def _level(self, spans: Spans) -> Band:
        return self._band(lambda block: spans.in_bins(self.edges_ns, block))

    def _utilization(self, part: Part) -> Band:
        levels = self.metrics.capacity(self.metrics.named.services.index(part.scope.service))
        unlimited = Levels(levels.replication, levels.from_ns, (levels.level == UNLIMITED).astype(np.int64))
        working = part.working()

        def of(block: range) -> Floats:
            busy = working.in_bins(self.edges_ns, block)
            # Servers that are taken away count until their work is done.
            available = np.maximum(levels.in_bins(self.edges_ns, block), busy)
            available[(unlimited.in_bins(self.edges_ns, block) > 0) | (available <= 0)] = math.nan
            return busy / available

        return self._band(of, most=1.0)

    def _band(self, of: Callable[[range], Floats], most: float = math.inf) -> Band:
        """Return the mean and its interval of what `of` gives for blocks of replications, shape (block, bins).

        No value is below 0 or above `most`.
        """
        replications, at_once = self.metrics.replications, max(1, MOST_CELLS // self.bins)
        count, mean, squares = np.zeros(self.bins), np.zeros(self.bins), np.zeros(self.bins)
        for first in range(0, replications, at_once):
            values = of(range(first, min(first + at_once, replications)))
            there = ~np.isnan(values)
            ours = there.sum(axis=0).astype(np.float64)
            ours_or_1 = np.maximum(ours, 1)
            values[~there] = 0.0
            their_mean = values.sum(axis=0) / ours_or_1
            their_squares = (np.where(there, values - their_mean, 0.0) ** 2).sum(axis=0)
            # T. F. Chan, G. H. Golub and R. J. LeVeque, The American Statistician 37(3), 1983.
            both, step = np.maximum(count + ours, 1), their_mean - mean
            squares += their_squares + step**2 * count * ours / both
            mean += step * ours / both
            count += ours
        mean[count == 0] = math.nan
        if replications < LEAST_OF_BAND:
            return Band(mean, None, None)
        freedom = np.maximum(count - 1, 1).astype(np.int64)
        numbers, where = np.unique(freedom, return_inverse=True)
        half = np.array([t_quantile(int(one)) for one in numbers])[where] * np.sqrt(
            squares / freedom / np.maximum(count, 1)
        )
        half[count < LEAST_OF_BAND] = math.nan
        return Band(mean, np.maximum(mean - half, 0.0), np.minimum(mean + half, most))
