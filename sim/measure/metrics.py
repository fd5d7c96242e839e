"""The metrics of one cell, each with its interval: `measure(requests, shared=...)`, also of a tally of the requests.

`sim.measure.quantities` has the meaning of each metric; the intervals are made in `sim.measure.estimates` (quantiles
and rates), `means` and, for shared worlds, `replications`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.history.records import Requests
from sim.history.shown import html_table, text_table
from sim.history.vocabulary import Cause
from sim.kernel.durations import format_duration
from sim.measure.estimates import AnySample, Estimate, largest, quantile, quantile_rank, rate
from sim.measure.kept import Kept, NotTallied, Records, Tallied
from sim.measure.means import mean
from sim.measure.paths import (
    NOTHING_NAMED,
    Named,
    UnknownMetric,
    metric_of,
    paths_of,
    problem_with,
)
from sim.measure.possible import NOTHING_KNOWN, Possible
from sim.measure.quantities import (
    METRICS,
    MONEY,
    QUANTITIES,
    WHOLE,
    AnyUnit,
    Currency,
    Metric,
    Scope,
    Statistic,
    Unit,
)
from sim.measure.replications import FEW_TURNS, over_replications, quantile_over_replications
from sim.measure.tally import LATER, Tally
from sim.measure.traffic import TrafficMetrics
from sim.measure.traffic_quantities import OF_SERVICES
from sim.measure.units import figure, symbol_of


@dataclass(frozen=True, slots=True)
class Tail:
    """The share of requests that takes longer than t, CCDF(t), in as few points as a picture can show."""

    times_ns: NDArray[np.float64]
    """Shape (points,), ascending, finite."""
    shares: NDArray[np.float64]
    """Shape (points,): the share of requests above `times_ns`."""
    never: float
    """The share of requests that is infinite."""
    zero: float
    """The share of requests at 0."""
    count: int
    """How many requests count; without any the shares are 0."""


class Counts(NamedTuple):
    """Whole numbers that are no metrics."""

    duplicated: int
    """Requests with at least one duplicate."""
    suppressed: int
    """Effects that the receiver recognized by their idempotency key."""
    conflicts: int


def measure(
    kept: Requests | Tally,
    *,
    shared: bool,
    possible: Possible = NOTHING_KNOWN,
    named: Named = NOTHING_NAMED,
    traffic: TrafficMetrics | None = None,
) -> "CellMetrics":
    """Measure one cell by its requests or their tally; `shared` says that requests of a replication met one another.

    `possible` is what is known of the cell beforehand; without it some intervals of means cannot be given. `named` are
    its services and classes; `traffic` measures the calls of a shared world.
    Raises ValueError for a tally of a shared world, whose intervals come from its requests.
    """
    if not isinstance(kept, Tally):
        records = Records(kept, named, shared=shared)
        return CellMetrics(records, shared=shared, possible=possible, named=named, traffic=traffic)
    if shared:
        raise ValueError("a tally does not tell replications apart, from which intervals in a shared world come")
    return CellMetrics(Tallied(kept), shared=False, possible=possible, named=named)


class CellMetrics:
    """The metrics of one cell, each computed when first asked for."""

    def __init__(
        self,
        kept: Kept,
        *,
        shared: bool,
        possible: Possible = NOTHING_KNOWN,
        named: Named = NOTHING_NAMED,
        traffic: TrafficMetrics | None = None,
    ) -> None:
        self.shared = shared
        self.possible = possible
        self.named = named
        self.traffic = traffic
        """The calls of a shared world, measured; None if they are not known."""
        self._kept = kept
        self._parts: dict[Scope, CellMetrics] = {}
        self._samples: dict[str, list[AnySample]] = {}
        self._estimates: dict[str, Estimate] = {}

    def __len__(self) -> int:
        """Return the number of requests that count."""
        return len(self._kept)

    def __repr__(self) -> str:
        """Return all metrics as a table, with their intervals and units."""
        return f"metrics of {len(self):,} requests\n{text_table(*metric_rows(self))}"

    def _repr_html_(self) -> str:
        """Return all metrics as a table for notebooks."""
        return html_table(*metric_rows(self), caption=f"metrics of {len(self):,} requests")

    @property
    def replications(self) -> int:
        """How many replications have at least one request that counts."""
        return self._kept.replications

    @property
    def within(self) -> float:
        """The share of themselves by which quantiles of times may be off: 0 unless only histograms were kept."""
        return self._kept.within

    @cached_property
    def outcomes(self) -> dict[str, int]:
        """Requests by outcome, each outcome present."""
        return self._kept.outcomes()

    @cached_property
    def attempts(self) -> dict[int, int]:
        """Requests by number of attempts, ascending; only numbers that occur."""
        return self._kept.attempts()

    @cached_property
    def duplicates(self) -> dict[str, int]:
        """Duplicates by cause, each cause present."""
        totals = self._kept.causes()
        return {cause.name: int(totals[cause]) for cause in Cause}

    def value(self, path: str) -> Estimate:
        """Estimate a metric (`sim.measure.paths`); raises UnknownMetric, a KeyError, if the cell has no such metric."""
        if path not in self._estimates:
            self._estimates[path] = self._estimate(self._metric(path))
        return self._estimates[path]

    def unit(self, path: str) -> AnyUnit:
        """Return the unit of a metric; money has the currency of the scenario's prices."""
        return unit_of(metric_of(path), self.currency)

    @property
    def currency(self) -> str:
        """The currency of the scenario's prices; empty without prices."""
        return self.named.currency

    def sample(self, path: str) -> AnySample:
        """Return the values behind a metric that is no ratio of sums, over all replications."""
        metric = self._metric(path)
        traffic = self._traffic_of(metric)
        return self._of(metric)._samples_of(metric.quantity)[0] if traffic is None else traffic.sample(metric)  # noqa: SLF001  # of the same class

    def replication_samples(self, path: str) -> Sequence[AnySample]:
        """Return the values behind a metric of each replication that has any, in the order of the replications."""
        metric = self._metric(path)
        traffic = self._traffic_of(metric)
        if traffic is not None:
            return traffic.replication_samples(metric)
        return self._of(metric)._samples_of(metric.quantity)[1:]  # noqa: SLF001  # of the same class

    def replication_values(self, path: str) -> list[float]:
        """Return the metric of each replication that has values, in the order of the replications."""
        metric = self._metric(path)
        traffic = self._traffic_of(metric)
        if traffic is not None:
            return traffic.replication_values(metric)
        values = [_value(metric, sample) for sample in self.replication_samples(path)]
        return [value for value in values if value is not None]

    @cached_property
    def paths(self) -> tuple[str, ...]:
        """The metrics that tell something of this cell, without those of single clients: in the order of reports."""
        if self.traffic is None:
            return tuple(path for path in METRICS if self._tells(metric_of(path)))
        scopes = [
            WHOLE,
            *(Scope(service=name) for name in self.named.services),
            *(Scope(of_class=name) for name in self.named.classes),
            *(Scope(pool=name) for name in self.named.pools if len(self.named.pools) > 1),
        ]
        return tuple(path for scope in scopes for path in paths_of(scope) if self._tells(metric_of(path)))

    def part(self, scope: Scope) -> "CellMetrics":
        """Return the metrics of the requests of one class or one client; raises NotTallied if they are tallied."""
        if scope not in self._parts:
            self._parts[scope] = CellMetrics(
                self._kept.part(scope), shared=self.shared, possible=self.possible, named=self.named
            )
        return self._parts[scope]

    def tail(self, quantity: str, points: int = 600) -> Tail:
        """Return CCDF(t) of `time_to_effect`, `time_to_known`, `detection_lag` or another quantity in time."""
        sample = self._samples_of(quantity)[0]
        count = len(sample)
        finite = count - sample.infinite
        if finite == 0:
            empty = np.zeros(0)
            return Tail(empty, empty, 1.0 if count else 0.0, 0.0, count)
        from_the_top = np.rint(np.geomspace(1, finite, points)).astype(np.int64)
        evenly = np.rint(np.linspace(1, finite, points)).astype(np.int64)
        # Among equal times only the last rank gives the share above them.
        times_ns = np.unique(sample.at(np.union1d(finite + 1 - from_the_top, evenly)))
        above = count - sample.counts_up_to(times_ns)
        zero = int(sample.counts_up_to(np.zeros(1, dtype=np.int64))[0])
        return Tail(times_ns.astype(np.float64), above / count, sample.infinite / count, zero / count, count)

    @cached_property
    def counts(self) -> "Counts":
        """Requests and events, counted."""
        duplicated, _ = self._samples_of("is_duplicated")[0].sums()
        return Counts(duplicated, *self._kept.events())

    @property
    def told_classes(self) -> tuple[str, ...]:
        """The classes of callers whose requests are told apart: those of a shared world."""
        return () if self.traffic is None else self.named.classes

    @cached_property
    def few_turns(self) -> str:
        """Why replications of a shared world cannot show its weather or its restarts; empty if they can."""
        turn_ns, span_ns = self.possible.turn_ns, self._kept.span_ns
        if not self.shared or math.isinf(turn_ns) or span_ns >= FEW_TURNS * turn_ns:
            return ""
        needed = self._replications_to_see(turn_ns)
        enough = "" if needed is None else f"; about {needed:,} replications are needed"
        return (
            f"the weather turns, or the server restarts, once in {format_duration(round(turn_ns))} on average, but all "
            f"replications together see {format_duration(span_ns)}{enough}"
        )

    @property
    def replications_needed(self) -> int | None:
        """About how many replications would see enough turns of the weather; None if these do, or if none would."""
        return self._replications_to_see(self.possible.turn_ns) if self.few_turns else None

    def _replications_to_see(self, turn_ns: float) -> int | None:
        span_ns = self._kept.span_ns
        return math.ceil(self.replications * FEW_TURNS * turn_ns / span_ns) if span_ns else None

    def _metric(self, path: str) -> Metric:
        """Return the metric of a path, if this cell can have it."""
        metric = metric_of(path)
        traffic = self.traffic
        problem = problem_with(
            metric,
            self.named,
            shared=self.shared,
            has_recovery=traffic is None or traffic.recovery is not None,
        )
        if problem and metric.quantity != MONEY:  # which is no number without prices, but no mistake either
            raise UnknownMetric(problem)
        return metric

    def _tells(self, metric: Metric) -> bool:
        """Tell whether a metric of a shared world can be anything but empty."""
        traffic = self.traffic
        has_recovery = traffic is not None and traffic.recovery is not None
        if problem_with(metric, self.named, shared=self.shared, has_recovery=has_recovery):
            return False
        if metric.quantity == "refused":
            return traffic is not None and traffic.has_refusals
        return bool(self.named.services) or metric.quantity not in OF_SERVICES

    def _traffic_of(self, metric: Metric) -> TrafficMetrics | None:
        """Return what measures a metric if it is one of the traffic."""
        return self.traffic if metric.is_of_traffic else None

    def _of(self, metric: Metric) -> "CellMetrics":
        """Return the metrics of the requests that a metric is of."""
        return self if metric.scope == WHOLE else self.part(metric.scope)

    def _estimate(self, metric: Metric) -> Estimate:
        if metric.is_of_traffic:
            if self.traffic is None:
                return Estimate(None, reason="what its calls met is not known")
            return self.traffic.estimate(metric, self.possible.bounds(metric), self.few_turns)
        if metric.quantity == MONEY and self.named.prices is None:
            return Estimate(None, reason=f"{metric.base} needs the key `cost`, which has the prices")
        try:
            return self._of(metric)._of_records(metric)  # noqa: SLF001  # of the same class
        except NotTallied as error:
            return Estimate(None, reason=str(error))

    def _of_records(self, metric: Metric) -> Estimate:
        pooled, *replications = self._samples_of(metric.quantity)
        if metric.statistic is Statistic.max:
            return largest(pooled)
        if not self.shared:
            return self._of_requests(metric, pooled)
        if metric.statistic is Statistic.quantile:
            return quantile_over_replications(pooled, replications, metric.share, few_turns=self.few_turns)
        found = [_value(metric, sample) for sample in replications]
        values, bounds = [value for value in found if value is not None], self.possible.bounds(metric)
        return over_replications(_value(metric, pooled), values, bounds, few_turns=self.few_turns)

    def _of_requests(self, metric: Metric, sample: AnySample) -> Estimate:
        match metric.statistic:
            case Statistic.mean:
                found = mean(sample, self.possible.bounds(metric), certain=self.is_certain)
                reason = self.possible.no_interval(metric)
                return Estimate(found.value, reason=reason) if reason and found.value != math.inf else found
            case Statistic.quantile:
                return quantile(sample, metric.share)
            case Statistic.max:
                return largest(sample)
            case Statistic.rate:
                return rate(sample.sums()[0], len(sample))

    @cached_property
    def is_certain(self) -> bool:
        """Whether nothing was left to chance: neither by the scenario nor by the retrier, as all requests agree."""
        return self.possible.certain and all(
            (sample := self._samples_of(name)[0]).infinite in (0, len(sample))
            and (not len(sample) or sample.ordered(1) == sample.ordered(len(sample)))
            for name in QUANTITIES
            if name not in LATER  # which tallies of older versions lack
        )

    def _samples_of(self, quantity: str) -> list[AnySample]:
        """Return the sample of all replications and, of a shared world, then that of each."""
        if quantity not in self._samples:
            self._samples[quantity] = self._kept.samples(quantity)
        return self._samples[quantity]


def _value(metric: Metric, sample: AnySample) -> float | None:
    """Return a mean, a rate or a quantile, without its interval; None of nothing."""
    count = len(sample)
    if count == 0:
        return None
    if metric.statistic is Statistic.quantile:
        return sample.ordered(quantile_rank(count, metric.share))
    return math.inf if sample.infinite else sample.sums()[0] / count


def unit_of(metric: Metric, currency: str) -> AnyUnit:
    """Return the unit of a metric where prices are in this currency."""
    return Currency(currency) if metric.unit is Unit.money else metric.unit


def metric_rows(metrics: CellMetrics) -> tuple[list[str], list[list[str]]]:
    """Return all metrics of a cell for a table: the headings, and a row a metric."""
    rows = []
    for path in metrics.paths:
        estimate, unit = metrics.value(path), metrics.unit(path)
        ends = [figure(value, unit) for value in (estimate.value, estimate.low, estimate.high)]
        rows.append([path, *ends, symbol_of(unit)])
    return ["metric", "value", "low", "high", "unit"], rows
