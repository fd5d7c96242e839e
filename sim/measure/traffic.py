"""Measures the traffic of a cell: `TrafficMetrics(requests, traffic, ...)`, each number computed when first asked for.

`sim.measure.traffic_quantities` has the meaning of each metric. Most are a ratio of two sums, so a cell's value is the
sum over its replications divided by the sum over its replications, and its interval comes from the replications' own
ratios (`sim.measure.replications`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sim.history.traffic import NO_SERVICE, REJECTIONS, UNLIMITED, CallEnd
from sim.history.vocabulary import NEVER, Outcome
from sim.measure.estimates import NOTHING, Estimate, Sample, largest, quantile_rank, rate
from sim.measure.levels import Levels, Spans, sums_of
from sim.measure.paths import rows_of
from sim.measure.pools import POOL_RATIOS, POOL_VALUES, PoolPart
from sim.measure.possible import ANY, Bounds
from sim.measure.quantities import Metric, Scope, Statistic, Unit
from sim.measure.recovery import recovers
from sim.measure.replications import over_replications, quantile_over_replications

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from sim.history.records import Requests
    from sim.history.traffic import Traffic
    from sim.measure.paths import Named
    from sim.measure.recovery import RecoveryTerms

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]
    Ratios = tuple[Floats, Floats]
    """Shape (replications,) each: what a quantity is, and what it is divided by; 0 if there is nothing."""

_S: Final = 1e9


@dataclass(frozen=True, slots=True)
class Window:
    """The window that is measured: [from, to)."""

    from_ns: int = 0
    to_ns: int | None = None
    """None: up to the end of observation, and with that instant."""


EVERYTHING: Final = Window()


class TrafficMetrics:
    """The metrics of the traffic of one cell of a shared world."""

    def __init__(
        self,
        requests: Requests,
        traffic: Traffic,
        named: Named,
        *,
        window: Window = EVERYTHING,
        recovery: RecoveryTerms | None = None,
    ) -> None:
        """Measure the traffic; `requests` are all of the cell, in the window or not."""
        self.traffic = traffic
        self.named = named
        self.recovery = recovery
        self.requests = requests
        self.replications = len(traffic.replications)
        self.observed_ns = traffic.observed_ns
        least = np.full(self.replications, window.from_ns, np.int64)
        self.low_ns = np.minimum(least, self.observed_ns)
        self.high_ns = self.observed_ns
        if window.to_ns is not None:
            self.high_ns = np.minimum(np.int64(window.to_ns), self.observed_ns)
        self._window = window
        self._parts: dict[Scope, Part] = {}
        self._pools: dict[str, PoolPart] = {}
        self._ratios: dict[tuple[Scope, str], Ratios] = {}
        self._samples: dict[tuple[Scope, str], tuple[Sample, list[Sample]]] = {}
        self._times: dict[tuple[Scope, str], tuple[Ints, NDArray[np.intp]]] = {}

    # What metrics are made of.

    def estimate(self, metric: Metric, bounds: Bounds = ANY, few_turns: str = "") -> Estimate:
        """Estimate a metric of the traffic; `bounds` and `few_turns` as in `over_replications`."""
        if metric.quantity == "recovered":
            judged = self.recovered
            return rate(sum(filter(None, judged)), sum(one is not None for one in judged))
        if metric.statistic is Statistic.max:
            return largest(self.sample(metric))
        if metric.statistic is Statistic.quantile:
            sample, replications = self.sample(metric), self.replication_samples(metric)
            return quantile_over_replications(sample, replications, metric.share, few_turns=few_turns)
        above, below = self.ratios(metric)
        if not below.sum() > 0:
            return NOTHING
        pooled = float(above.sum() / below.sum())
        return over_replications(pooled, self.replication_values(metric), bounds, few_turns=few_turns)

    def replication_values(self, metric: Metric) -> list[float]:
        """Return the metric of each replication that has a value, in their order."""
        if metric.statistic is Statistic.quantile:
            samples = self.replication_samples(metric)
            return [one.ordered(quantile_rank(len(one), metric.share)) for one in samples]
        if metric.quantity == "recovered":
            return [float(one) for one in self.recovered if one is not None]
        above, below = self.ratios(metric)
        there = below > 0
        values: list[float] = (above[there] / below[there]).tolist()
        return values

    def sample(self, metric: Metric) -> Sample:
        """Return the times behind a quantile or a maximum, over all replications."""
        return self._samples_of(metric)[0]

    def replication_samples(self, metric: Metric) -> list[Sample]:
        """Return the times behind a quantile of each replication that has any, in their order."""
        return self._samples_of(metric)[1]

    def _samples_of(self, metric: Metric) -> tuple[Sample, list[Sample]]:
        key = metric.scope, metric.quantity
        if key not in self._samples:
            values, replication = self._times_of(metric)
            starts = np.flatnonzero(np.diff(replication)) + 1
            parts = [Sample.of(part) for part in np.split(values, starts)] if len(values) else []
            self._samples[key] = Sample.of(values), parts
        return self._samples[key]

    @cached_property
    def recovered(self) -> list[bool | None]:
        """Whether each replication recovers; None of one that cannot be judged, or if nothing says what recovery is."""
        if self.recovery is None:
            return [None] * self.replications
        requests, positions = self.requests, np.arange(self.replications + 1)
        bounds = np.searchsorted(self.position_of(requests.replication), positions)
        good = (requests.outcome == Outcome.success) & (requests.settled_ns != NEVER)
        return [
            recovers(
                requests.submitted_ns[rows],
                requests.settled_ns[rows][good[rows]],
                int(self.observed_ns[at]),
                self.recovery,
            )
            for at in range(self.replications)
            for rows in (slice(bounds[at], bounds[at + 1]),)
        ]

    def ratios(self, metric: Metric) -> Ratios:
        """Return what a ratio is made of in each replication."""
        key = metric.scope, metric.quantity
        if key not in self._ratios:
            if metric.unit is Unit.duration:
                values, replication = self._times_of(metric)
                self._ratios[key] = _sums(values, replication, self.replications)
            elif metric.quantity in POOL_RATIOS:
                self._ratios[key] = POOL_RATIOS[metric.quantity](self.pool(metric.scope.pool))
            else:
                self._ratios[key] = _QUANTITIES[metric.quantity](self, metric.scope)
        return self._ratios[key]

    def _times_of(self, metric: Metric) -> tuple[Ints, NDArray[np.intp]]:
        """Return the times that a metric is of, with the position of each one's replication."""
        key = metric.scope, metric.quantity
        if key not in self._times and metric.quantity in POOL_VALUES:
            self._times[key] = POOL_VALUES[metric.quantity](self.pool(metric.scope.pool))
        if key not in self._times:
            part = self.part(metric.scope)
            chosen = part.sent_in_window & part.is_call
            if metric.quantity == "waits":
                values, there = part.column("slept_ns"), part.column("slept_ns") != NEVER
            else:
                values = part.column("began_ns") - part.column("arrived_ns")
                there = part.column("began_ns") != NEVER
                chosen = part.arrived_in_window & part.is_call & (part.column("service") != NO_SERVICE)
            self._times[key] = values[chosen & there], part.replication[chosen & there]
        return self._times[key]

    # Replications, windows, and parts of the world.

    @property
    def span_ns(self) -> int:
        """How long all replications together were observed."""
        return int(self.observed_ns.sum())

    @property
    def lengths_ns(self) -> Floats:
        """The length of each replication's window, shape (replications,)."""
        return np.maximum(self.high_ns - self.low_ns, 0).astype(np.float64)

    def position_of(self, replication: NDArray[np.int32]) -> NDArray[np.intp]:
        """Return the positions of replications among those of this cell."""
        return np.searchsorted(self.traffic.replications, replication)

    def in_window(self, instants_ns: Ints, replication: NDArray[np.intp]) -> Bools:
        """Tell which instants lie in the window; of a window that ends with observation, that instant too."""
        inside: Bools = (instants_ns >= self._window.from_ns) & (instants_ns <= self.observed_ns[replication])
        if self._window.to_ns is not None:
            inside &= instants_ns < self._window.to_ns
        inside &= instants_ns != NEVER
        return inside

    def part(self, scope: Scope) -> Part:
        """Return the calls and requests of a part of the world."""
        if scope not in self._parts:
            self._parts[scope] = Part(self, scope)
        return self._parts[scope]

    def pool(self, name: str = "") -> PoolPart:
        """Return the works of a pool, or of all pools."""
        if name not in self._pools:
            pools = range(len(self.named.pools))
            at = self.named.pools.index(name) if name else 0
            chosen = pools[at : at + 1] if name else pools
            self._pools[name] = PoolPart(self.traffic, chosen, self.low_ns, self.high_ns)
        return self._pools[name]

    @cached_property
    def request_position(self) -> NDArray[np.intp]:
        """The position of each request's replication, shape (requests,)."""
        return self.position_of(self.requests.replication)

    @cached_property
    def request_of_call(self) -> NDArray[np.intp]:
        """The row of each call's request, shape (calls,)."""
        calls, requests = self.traffic.calls, self.requests
        starts = np.searchsorted(self.request_position, np.arange(self.replications))
        rows = starts[self.call_position] + calls.request
        if len(rows) and not (rows.max() < len(requests) and np.array_equal(requests.number[rows], calls.request)):
            # Requests that are not numbered one by one.
            size = np.int64(max(int(requests.number.max(initial=0)), int(calls.request.max(initial=0))) + 1)
            keys = self.request_position * size + requests.number
            rows = np.searchsorted(keys, self.call_position * size + calls.request)
        return rows

    @cached_property
    def call_position(self) -> NDArray[np.intp]:
        """The position of each call's replication, shape (calls,)."""
        return self.position_of(self.traffic.calls.replication)

    @cached_property
    def has_refusals(self) -> bool:
        """Whether any try was refused by its own caller."""
        return bool((self.traffic.calls.end == CallEnd.refused).any())

    def capacity(self, service: int) -> Levels:
        """Return how many servers a service has."""
        table = self.traffic.capacities
        ours = table.service == service
        return Levels(self.position_of(table.replication[ours]), table.from_ns[ours], table.servers[ours])


class Part:
    """The calls and the requests of a part of the world: all, those of a class or a client, those at a service."""

    def __init__(self, metrics: TrafficMetrics, scope: Scope) -> None:
        self._metrics = metrics
        self.scope = scope
        calls, rows = metrics.traffic.calls, None
        if scope.service:
            rows = calls.service == metrics.named.services.index(scope.service)
        of_requests = rows_of(metrics.requests, scope, metrics.named)
        if of_requests is not None:
            ours = of_requests[metrics.request_of_call]
            rows = ours if rows is None else rows & ours
        self._rows = None if rows is None else np.flatnonzero(rows)
        self.requests = of_requests
        self._columns: dict[str, NDArray[Any]] = {}

    def column(self, name: str) -> NDArray[Any]:
        """Return a column of the calls of this part, `NEVER` for what did not happen."""
        if name not in self._columns:
            found = getattr(self._metrics.traffic.calls, name)
            self._columns[name] = found if self._rows is None else found[self._rows]
        return self._columns[name]

    @cached_property
    def replication(self) -> NDArray[np.intp]:
        """The position of each call's replication."""
        found = self._metrics.call_position
        return found if self._rows is None else found[self._rows]

    @cached_property
    def is_call(self) -> Bools:
        """Which of them count as the calls of this part: at a service all, else those that retriers send."""
        made: Bools = self.column("end") != CallEnd.refused
        if not self.scope.service:
            made &= self.column("caller") == NO_SERVICE
        return made

    @cached_property
    def sent_in_window(self) -> Bools:
        """Which of them were sent in the window."""
        return self._metrics.in_window(self.column("sent_ns"), self.replication)

    @cached_property
    def arrived_in_window(self) -> Bools:
        """Which of them arrived in the window."""
        return self._metrics.in_window(self.column("arrived_ns"), self.replication)

    @cached_property
    def counted(self) -> Bools:
        """Which of them count in shares: those sent in the window, at a service those that arrived in it."""
        return self.is_call & (self.arrived_in_window if self.scope.service else self.sent_in_window)

    def totals(self, chosen: Bools) -> Floats:
        """Return how many of the calls are chosen in each replication."""
        return np.bincount(self.replication[chosen], minlength=self._metrics.replications).astype(np.float64)

    def spans(self, chosen: Bools, from_ns: Ints, to_ns: Ints) -> Spans:
        """Return the spans of the chosen calls; what has not ended (`NEVER`) goes on to the end of observation."""
        replication, begun = self.replication[chosen], from_ns[chosen]
        observed_ns = self._metrics.observed_ns[replication]
        ended = to_ns[chosen]
        ended = np.where(ended == NEVER, np.maximum(observed_ns, begun), ended)
        return Spans(replication, begun, ended)

    def in_flight(self) -> Spans:
        """Return when calls were on their way or worked on; at a service, when they were inside."""
        if self.scope.service:
            chosen = self.is_call & (self.column("arrived_ns") != NEVER)
            return self.spans(chosen, self.column("arrived_ns"), self.column("ended_ns"))
        return self.spans(self.is_call, self.column("sent_ns"), self.column("over_ns"))

    def waiting(self) -> Spans:
        """Return when calls waited for a server."""
        began_ns, ended_ns = self.column("began_ns"), self.column("ended_ns")
        chosen = (self.column("service") != NO_SERVICE) & (self.column("end") != CallEnd.refused)
        chosen &= self.column("arrived_ns") != NEVER
        return self.spans(chosen, self.column("arrived_ns"), np.where(began_ns == NEVER, ended_ns, began_ns))

    def working(self, chosen: Bools | None = None) -> Spans:
        """Return when calls were worked on; those of the chosen ones if any are named."""
        began = self.column("began_ns") != NEVER
        began = began if chosen is None else began & chosen
        return self.spans(began, self.column("began_ns"), self.column("ended_ns"))


# The quantities, each as what it is and what it is divided by, in every replication.


def _seconds(metrics: TrafficMetrics) -> Floats:
    return metrics.lengths_ns / _S


def _requests_at(metrics: TrafficMetrics, scope: Scope, instants_ns: Ints, chosen: Bools | None = None) -> Floats:
    """Count requests whose instant lies in the window, in each replication."""
    rows = metrics.in_window(instants_ns, metrics.request_position)
    for more in (chosen, rows_of(metrics.requests, scope, metrics.named)):
        rows = rows if more is None else rows & more
    return np.bincount(metrics.request_position[rows], minlength=metrics.replications).astype(np.float64)


def _offered(metrics: TrafficMetrics, scope: Scope) -> Ratios:
    if scope.service:
        part = metrics.part(scope)
        return part.totals(part.counted), _seconds(metrics)
    return _requests_at(metrics, scope, metrics.requests.submitted_ns), _seconds(metrics)


def _goodput(metrics: TrafficMetrics, scope: Scope) -> Ratios:
    if scope.service:
        part = metrics.part(scope)
        heard = metrics.in_window(part.column("over_ns"), part.replication)
        heard &= (part.column("end") == CallEnd.success) & (part.column("given_up_ns") == NEVER)
        return part.totals(heard), _seconds(metrics)
    good = metrics.requests.outcome == Outcome.success
    return _requests_at(metrics, scope, metrics.requests.settled_ns, good), _seconds(metrics)


def _attempts(metrics: TrafficMetrics, scope: Scope) -> Ratios:
    part = metrics.part(scope)
    return part.totals(part.counted), _seconds(metrics)


def _mean_of(spans: Callable[[Part], Spans]) -> Callable[[TrafficMetrics, Scope], Ratios]:
    def quantity(metrics: TrafficMetrics, scope: Scope) -> Ratios:
        inside = spans(metrics.part(scope)).within(metrics.low_ns, metrics.high_ns)
        return inside.integrals(metrics.replications), metrics.lengths_ns

    return quantity


def _peak_of(spans: Callable[[Part], Spans]) -> Callable[[TrafficMetrics, Scope], Ratios]:
    def quantity(metrics: TrafficMetrics, scope: Scope) -> Ratios:
        inside = spans(metrics.part(scope)).within(metrics.low_ns, metrics.high_ns)
        return inside.peaks(metrics.replications), (metrics.lengths_ns > 0).astype(np.float64)

    return quantity


def _utilization(metrics: TrafficMetrics, scope: Scope) -> Ratios:
    names = (scope.service,) if scope.service else metrics.named.services
    busy, available = np.zeros(metrics.replications), np.zeros(metrics.replications)
    low_ns, high_ns = metrics.low_ns, metrics.high_ns
    for name in names:
        levels = metrics.capacity(metrics.named.services.index(name))
        if not len(levels.level):
            continue
        working = metrics.part(Scope(service=name)).working().within(low_ns, high_ns)
        limited = ~levels.has(UNLIMITED, low_ns, high_ns)
        busy += np.where(limited, working.integrals(metrics.replications), 0.0)
        available += np.where(limited, working.with_room(levels, low_ns, high_ns), 0.0)
    return busy, available


def _ended_as(*ends: CallEnd) -> Callable[[TrafficMetrics, Scope], Ratios]:
    def quantity(metrics: TrafficMetrics, scope: Scope) -> Ratios:
        part = metrics.part(scope)
        return part.totals(part.counted & np.isin(part.column("end"), ends)), part.totals(part.counted)

    return quantity


def _refused(metrics: TrafficMetrics, scope: Scope) -> Ratios:
    part = metrics.part(scope)
    tries = part.sent_in_window
    if not scope.service:
        tries = tries & (part.column("caller") == NO_SERVICE)
    return part.totals(tries & (part.column("end") == CallEnd.refused)), part.totals(tries)


def _wasted(metrics: TrafficMetrics, scope: Scope) -> Ratios:
    part = metrics.part(scope)
    window = metrics.low_ns, metrics.high_ns
    wasted = part.working(part.column("given_up_ns") != NEVER).within(*window).integrals(metrics.replications)
    return wasted, part.working().within(*window).integrals(metrics.replications)


_QUANTITIES: Final[dict[str, Callable[[TrafficMetrics, Scope], Ratios]]] = {
    "offered": _offered,
    "goodput": _goodput,
    "attempts": _attempts,
    "in_flight.mean": _mean_of(Part.in_flight),
    "in_flight.peak": _peak_of(Part.in_flight),
    "queue.mean": _mean_of(Part.waiting),
    "queue.peak": _peak_of(Part.waiting),
    "utilization": _utilization,
    "rejected": _ended_as(*REJECTIONS),
    "refused": _refused,
    "dropped": _ended_as(CallEnd.dropped),
    "wasted": _wasted,
}


def _sums(values: Ints, replication: NDArray[np.intp], replications: int) -> Ratios:
    counts = np.bincount(replication, minlength=replications).astype(np.float64)
    return sums_of(replication, values, replications), counts
